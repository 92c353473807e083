//! The vendor's library of layers as an engine: convolutions.
//!
//! A library is loaded where it is looked for, and started by the first convolution, which takes time
//! and memory of the device. What its descriptors cannot say (zeros on one side of an axis alone,
//! weights with gaps, negative strides) is left to generated kernels; so is what it says that it does
//! not do. Only algorithms that sum the products themselves are asked for: transforms have other errors.

use super::library::{Address, Dnn as Functions, Failure, Function, Handle, Outcome, text};
use super::session::Session;
use super::table::DnnNumbers;
use super::{Block, CudaLike};
use crate::check;
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use crate::vendor::{Convolution, Dnn, Elementwise, Strided};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use suanzi_codegen::Scalar;

type Version = unsafe extern "C" fn() -> usize;
type ErrorString = unsafe extern "C" fn(c_int) -> *const c_char;
type Create = Function<unsafe extern "C" fn(*mut Handle) -> c_int>;
type Destroy = Function<unsafe extern "C" fn(Handle) -> c_int>;

/// The library of layers of a device.
pub struct VendorDnn {
    numbers: &'static DnnNumbers,
    functions: Functions,
    error_string: Function<ErrorString>,
    state: Mutex<State>,
    session: Arc<Session>,
    info: DeviceInfo,
    file: String,
    name: String,
}

/// What one convolution at a time uses.
struct State {
    handle: Started,
    /// Kept for the next one: work of one stream is done in order.
    workspace: Option<(Address, usize)>,
}

enum Started {
    NotYet,
    Yes(Handle),
    /// It was tried, and the log says why not.
    Failed,
}

// SAFETY: the handle is used by one thread at a time, under its lock, with the context current.
unsafe impl Send for VendorDnn {}
// SAFETY: as above.
unsafe impl Sync for VendorDnn {}

/// Calls a function of the library, and makes a [`Failure`] of a status other than 0.
macro_rules! call {
    ($dnn:expr, $function:ident($($arg:expr),* $(,)?)) => {
        $dnn.functions.$function.get().and_then(|(name, f)| {
            // SAFETY: the arguments are what this function takes (see where it is declared): live
            // handles and descriptors, numbers of the table, pointers that are live for the call.
            let code = unsafe { f($($arg),*) };
            $dnn.status(name, code)
        })
    };
}

/// A descriptor, destroyed on drop.
struct Descriptor {
    raw: Handle,
    destroy: Destroy,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Ok((_, destroy)) = self.destroy.get() {
            // SAFETY: destroyed once, here; the library keeps what recorded work needs of it.
            unsafe { destroy(self.raw) };
        }
    }
}

/// A tensor in the numbers of a descriptor.
struct Extent {
    lengths: Vec<c_int>,
    strides: Vec<c_int>,
}

/// A convolution in the numbers of descriptors, of two axes at least.
struct Seen {
    kind: c_int,
    sums: c_int,
    math: c_int,
    x: Extent,
    y: Extent,
    w: Vec<c_int>,
    format: c_int,
    pads: Vec<c_int>,
    strides: Vec<c_int>,
    dilations: Vec<c_int>,
    groups: c_int,
}

fn small(n: usize) -> Option<c_int> {
    c_int::try_from(n).ok()
}

/// Numbers for each axis; one axis becomes the second of two, and `one` is the first's.
fn widened(values: impl Iterator<Item = usize>, one: c_int) -> Option<Vec<c_int>> {
    let values = values.map(small).collect::<Option<Vec<_>>>()?;
    Some(match values[..] {
        [only] => vec![one, only],
        _ => values,
    })
}

/// A tensor whose elements lie apart and forwards, as the library wants them.
fn extent(t: &Strided<'_>) -> Option<Extent> {
    let mut lengths = t
        .shape
        .iter()
        .map(|&n| small(n))
        .collect::<Option<Vec<_>>>()?;
    let stride = |(&n, &stride): (&usize, &i64)| match n {
        1 => Some(c_int::try_from(stride).unwrap_or(1).max(1)),
        _ => c_int::try_from(stride).ok().filter(|&s| s > 0),
    };
    let strides = t.shape.iter().zip(t.strides).map(stride);
    let mut strides = strides.collect::<Option<Vec<_>>>()?;
    if lengths.len() == 3 {
        strides.insert(2, lengths[2].checked_mul(strides[2])?);
        lengths.insert(2, 1);
    }
    Some(Extent { lengths, strides })
}

/// Whether a tensor lies without gaps, its axes in an order.
fn is_packed(t: &Strided<'_>, order: impl DoubleEndedIterator<Item = usize>) -> bool {
    let mut next = 1;
    for axis in order.rev() {
        if t.shape[axis] != 1 && t.strides[axis] != next {
            return false;
        }
        next *= t.shape[axis] as i64;
    }
    true
}

impl VendorDnn {
    /// Loads the library of a device's vendor; says why there is none.
    pub fn open(device: &CudaLike) -> std::result::Result<VendorDnn, String> {
        let table = device.vendor().dnn.as_ref().ok_or("no library is known")?;
        let unknown = || format!("the numbers that {} takes are not known", table.engine);
        let numbers = table.numbers.as_ref().ok_or_else(unknown)?;
        let (session, library) = device.engine(table.libraries)?;
        let functions = Functions::load(&library, &table.names);
        let file = library.file_of(&functions.create);
        // SAFETY: the tables' names are those of functions of these types.
        let (version, error_string) = unsafe {
            (
                library.function::<Version>(table.version, "version"),
                library.function::<ErrorString>(table.error_string, "error_string"),
            )
        };
        // Without this one nothing is done; without another, not everything.
        let missing = |f: Failure| format!("{} ({file})", f.words());
        functions.forward.get().map_err(missing)?;
        let name = match version.get() {
            // SAFETY: it takes nothing.
            Ok((_, version)) => format!("{} {}", table.engine, unsafe { version() }),
            Err(_) => table.engine.to_string(),
        };
        Ok(VendorDnn {
            numbers,
            functions,
            error_string,
            state: Mutex::new(State {
                handle: Started::NotYet,
                workspace: None,
            }),
            session,
            info: device.info.clone(),
            file,
            name,
        })
    }

    fn status(&self, call: &'static str, code: c_int) -> Outcome<()> {
        if code == 0 {
            return Ok(());
        }
        let text = match self.error_string.get() {
            // SAFETY: any status is taken; the text is the library's.
            Ok((_, f)) => unsafe { text(f(code)) },
            Err(_) => String::new(),
        };
        Err(Failure { call, code, text })
    }

    /// A failure says that the library does not do this: in a status, or by a function's absence.
    fn is_refusal(&self, failure: &Failure) -> bool {
        let code = failure.code;
        let groups = self.numbers.unsupported;
        code == 0 || groups.iter().any(|&(from, to)| (from..=to).contains(&code))
    }

    fn failed(&self, failure: &Failure) -> Error {
        Error::Driver {
            device: self.info.id.clone(),
            call: failure.call,
            what: format!("{} ({})", failure.words(), self.file),
        }
    }

    /// The address of a tensor's first element, if the whole of it lies in its memory.
    fn address(&self, dtype: Scalar, name: &str, t: &Strided<'_>) -> Result<Address> {
        let block = t.memory.get::<Block>(&self.info)?;
        if !Arc::ptr_eq(&block.session, &self.session) {
            return Err(check::foreign(&self.info));
        }
        check::tensor(&self.info, dtype, name, t)?;
        Ok(block.address + t.offset * dtype.bytes() as u64)
    }

    /// A convolution as descriptors have it, if they can.
    fn seen(&self, c: &Convolution<'_>) -> Option<Seen> {
        let numbers = self.numbers;
        let [own, units] = numbers.math;
        let (kind, sums, math) = match c.dtype {
            Scalar::F32 => (numbers.f32, numbers.f32, own),
            Scalar::F64 => (numbers.f64, numbers.f64, own),
            Scalar::F16 => (numbers.f16?, numbers.f32, units),
            Scalar::Bf16 => (numbers.bf16?, numbers.f32, units),
            _ => return None,
        };
        let (axes, rank) = (c.strides.len(), c.x.shape.len());
        let fits = (1..=3).contains(&axes)
            && c.pads.len() == axes
            && c.dilations.len() == axes
            && [&c.x, &c.w, &c.y].iter().all(|t| {
                t.shape.len() == axes + 2 && t.strides.len() == axes + 2 && !t.shape.contains(&0)
            });
        if !fits || c.pads.iter().any(|(before, after)| before != after) {
            return None;
        }
        let first = is_packed(&c.w, 0..rank);
        let last = is_packed(&c.w, [0].into_iter().chain(2..rank).chain([1]));
        // Where weights are both, as the image is.
        let format = match (first, last) {
            (false, false) => return None,
            (true, true) => usize::from(c.x.strides[1] == 1 && c.x.shape[1] > 1),
            (_, last) => usize::from(last),
        };
        Some(Seen {
            kind,
            sums,
            math,
            x: extent(&c.x)?,
            y: extent(&c.y)?,
            // Strides of weights are what the format says.
            w: extent(&c.w)?.lengths,
            format: numbers.formats[format],
            pads: widened(c.pads.iter().map(|p| p.0), 0)?,
            strides: widened(c.strides.iter().copied(), 1)?,
            dilations: widened(c.dilations.iter().copied(), 1)?,
            groups: small(c.groups)?,
        })
    }

    /// The handle, started by the first who asks; nothing where that failed.
    fn start(&self, state: &mut State) -> Option<Handle> {
        if matches!(state.handle, Started::NotYet) {
            let mut handle = ptr::null_mut();
            let started = call!(self, create(&mut handle));
            let started = started.and_then(|()| {
                let set = call!(self, set_stream(handle, self.session.stream()));
                set.inspect_err(|_| drop(call!(self, destroy(handle))))
            });
            if let Err(failure) = &started {
                let (device, file) = (&self.info.id, &self.file);
                tracing::info!(
                    target: "suanzi::dispatch",
                    device,
                    "convolutions are generated: {} ({file})",
                    failure.words()
                );
            }
            state.handle = started.map_or(Started::Failed, |()| Started::Yes(handle));
        }
        match state.handle {
            Started::Yes(handle) => Some(handle),
            _ => None,
        }
    }

    /// As much workspace as an algorithm wants: what is there, or more in its place.
    fn space(&self, state: &mut State, bytes: usize) -> Outcome<(Address, usize)> {
        if let Some(kept) = state.workspace.filter(|kept| kept.1 >= bytes) {
            return Ok(kept);
        }
        if bytes == 0 {
            return Ok((0, 0));
        }
        if let Some((address, _)) = state.workspace.take() {
            self.session.free(address)?;
        }
        let space = (self.session.alloc(bytes as u64)?, bytes);
        state.workspace = Some(space);
        Ok(space)
    }

    fn descriptor(&self, create: &Create, destroy: Destroy) -> Outcome<Descriptor> {
        let (name, create) = create.get()?;
        let mut raw = ptr::null_mut();
        // SAFETY: the handle is written.
        self.status(name, unsafe { create(&mut raw) })?;
        Ok(Descriptor { raw, destroy })
    }

    fn tensor(&self, kind: c_int, of: &Extent) -> Outcome<Descriptor> {
        let f = &self.functions;
        let tensor = self.descriptor(&f.tensor, f.tensor_destroy)?;
        let (axes, lengths) = (of.lengths.len() as c_int, of.lengths.as_ptr());
        call!(
            self,
            tensor_set(tensor.raw, kind, axes, lengths, of.strides.as_ptr())
        )?;
        Ok(tensor)
    }

    /// Runs a convolution by the first algorithm that can do it; a [`Failure`] without a status where
    /// none can.
    fn run(&self, c: &Convolution<'_>, seen: &Seen, [x, w, y]: [Address; 3]) -> Outcome<()> {
        self.session.enter()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = |text: &str| Failure {
            call: "convolution",
            code: 0,
            text: text.into(),
        };
        let handle = self.start(&mut state);
        let handle = handle.ok_or_else(|| refusal("the library was not started"))?;
        let f = &self.functions;
        let (x_of, y_of) = (
            self.tensor(seen.kind, &seen.x)?,
            self.tensor(seen.kind, &seen.y)?,
        );
        let w_of = self.descriptor(&f.filter, f.filter_destroy)?;
        let (axes, lengths) = (seen.w.len() as c_int, seen.w.as_ptr());
        call!(
            self,
            filter_set(w_of.raw, seen.kind, seen.format, axes, lengths)
        )?;
        let conv = self.descriptor(&f.convolution, f.convolution_destroy)?;
        call!(
            self,
            convolution_set(
                conv.raw,
                axes - 2,
                seen.pads.as_ptr(),
                seen.strides.as_ptr(),
                seen.dilations.as_ptr(),
                self.numbers.cross_correlation,
                seen.sums,
            )
        )?;
        if seen.groups > 1 {
            call!(self, convolution_groups(conv.raw, seen.groups))?;
        }
        // A library without this arithmetic would round f32 to less.
        call!(self, convolution_math(conv.raw, seen.math)).map_err(|f| refusal(&f.words()))?;
        let (narrow, wide) = ([c.alpha as f32, c.beta as f32], [c.alpha, c.beta]);
        let factor = |i: usize| -> *const c_void {
            match c.dtype {
                Scalar::F64 => ptr::from_ref(&wide[i]).cast(),
                _ => ptr::from_ref(&narrow[i]).cast(),
            }
        };
        for &algorithm in self.numbers.algorithms {
            let (x_of, w_of, conv, y_of) = (x_of.raw, w_of.raw, conv.raw, y_of.raw);
            let mut bytes = 0;
            let wants = call!(
                self,
                workspace(handle, x_of, w_of, conv, y_of, algorithm, &mut bytes)
            );
            match wants {
                Err(failure) if self.is_refusal(&failure) => continue,
                wants => wants?,
            }
            // Another algorithm may do with less.
            let Ok((space, bytes)) = self.space(&mut state, bytes) else {
                continue;
            };
            let (alpha, beta) = (factor(0), factor(1));
            let ran = call!(
                self,
                forward(
                    handle, alpha, x_of, x, w_of, w, conv, algorithm, space, bytes, beta, y_of, y,
                )
            );
            match ran {
                Err(failure) if self.is_refusal(&failure) => continue,
                ran => return ran,
            }
        }
        Err(refusal("no algorithm does it"))
    }
}

impl Dnn for VendorDnn {
    fn name(&self) -> &str {
        &self.name
    }

    fn convolution(&self, c: &Convolution<'_>) -> Result<bool> {
        let address = |name, t| self.address(c.dtype, name, t);
        let at = [
            address("tensor X", &c.x)?,
            address("tensor W", &c.w)?,
            address("tensor Y", &c.y)?,
        ];
        let Some(seen) = self.seen(c) else {
            return Ok(false);
        };
        match self.run(c, &seen, at) {
            Ok(()) => Ok(true),
            Err(failure) if self.is_refusal(&failure) => Ok(false),
            Err(failure) => Err(self.failed(&failure)),
        }
    }

    /// Its functions for these want descriptors and round otherwise than the operators do: a generated
    /// kernel, which is bound by memory too, does them.
    fn elementwise(&self, _: &Elementwise<'_>) -> Result<bool> {
        Ok(false)
    }
}

impl Drop for VendorDnn {
    fn drop(&mut self) {
        let entered = self.session.enter().is_ok();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some((address, _))) = (entered, state.workspace) {
            // A failure means that the context is gone, and the memory with it.
            let _ = self.session.free(address);
        }
        if let (true, Started::Yes(handle)) = (entered, &state.handle) {
            let handle = *handle;
            // As above.
            let _ = call!(self, destroy(handle));
        }
    }
}
