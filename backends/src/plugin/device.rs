//! This library's device over a plugin's: kernels are printed in the device's dialect, arguments
//! packed into one buffer.

use super::caps::{self, Described};
use super::engine::Engine;
use super::load::Library;
use super::session::{About, Buffer, Kernel as Entry, Session};
use crate::caps::Caps;
use crate::check;
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use crate::seal::{sealed, unsealed};
use crate::vendor::{Blas, Dnn};
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use suanzi_codegen::emit_c::{self, Dialect};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::{Access, Param, ParamKind};
use suanzi_codegen::{Kernel, legalise};
use suanzi_plugin::{Source, status};

/// A device of a plugin.
pub struct PluginDevice {
    session: Arc<Session>,
    caps: Caps,
    dialect: &'static Dialect,
    options: Vec<CString>,
    engine: Option<Engine>,
    /// Held while the device's own clock runs: there is one.
    clock: Mutex<()>,
}

/// Behind a [`Program`].
struct Compilation {
    entry: Entry,
    params: Vec<Param>,
    layout: Layout,
}

/// Where each argument lies in the packed ones: offset and size.
struct Layout {
    places: Vec<(usize, usize)>,
    bytes: usize,
}

impl Layout {
    /// Each at a multiple of its size, without padding at the end.
    fn of(params: &[Param]) -> Layout {
        let mut bytes = 0usize;
        let place = |param: &Param| {
            let size = match param.kind {
                ParamKind::Buffer { .. } => size_of::<suanzi_plugin::Memory>(),
                ParamKind::Scalar(scalar) => scalar.bytes(),
            };
            let offset = bytes.next_multiple_of(size);
            bytes = offset + size;
            (offset, size)
        };
        Layout {
            places: params.iter().map(place).collect(),
            bytes,
        }
    }

    /// The parameters, for the plugin. `names` are those of `params`.
    fn described(&self, params: &[Param], names: &[CString]) -> Vec<suanzi_plugin::Param> {
        let describe =
            |((param, name), &(offset, bytes)): ((&Param, &CString), &(usize, usize))| {
                let (scalar, written, is_buffer) = match param.kind {
                    ParamKind::Scalar(scalar) => (scalar, false, false),
                    ParamKind::Buffer { elem, access } => (elem, access == Access::ReadWrite, true),
                };
                suanzi_plugin::Param {
                    size: size_of::<suanzi_plugin::Param>(),
                    name: name.as_ptr(),
                    dtype: scalar as u32,
                    is_buffer: is_buffer.into(),
                    written: written.into(),
                    offset: offset as u32,
                    bytes: bytes as u32,
                }
            };
        let both = params.iter().zip(names).zip(&self.places);
        both.map(describe).collect()
    }
}

impl PluginDevice {
    /// Opens a device of a plugin.
    pub fn open(library: &Arc<Library>, index: u32) -> Result<PluginDevice> {
        let id = format!("{}:{index}", library.name);
        let wrong = |what: String| library.error(format!("device {index} {what}"));
        let lock = library.lock();
        let mut raw = ptr::null_mut();
        // SAFETY: the header's signature.
        let status = library.table.open.map(|f| unsafe { f(index, &mut raw) });
        if status != Some(status::OK) || raw.is_null() {
            let words = library.words(ptr::null_mut());
            let code = status.unwrap_or(status::FAILED);
            return Err(wrong(match code {
                status::OK => "was opened and is null".into(),
                _ => format!("cannot be opened: {words} (status {code})"),
            }));
        }
        drop(lock);
        let info = |name: String, driver: String| DeviceInfo {
            id: id.clone(),
            backend: library.name,
            name,
            driver,
        };
        let early = Session::new(info(String::new(), String::new()), library.clone(), raw);
        let mut raw_caps = caps::blank();
        early.call("caps", About::Nothing, |table, device| {
            // SAFETY: the header's signature.
            table.caps.map(|f| unsafe { f(device, &mut raw_caps) })
        })?;
        // SAFETY: texts are null or end with 0, which the ABI asks for.
        let described = unsafe { caps::read(&raw_caps) }.map_err(wrong)?;
        let Described {
            name,
            driver,
            dialect,
            caps,
        } = described;
        let session = Arc::new(early.named(info(name, driver)));
        let exact = caps
            .exact_division
            .then_some(dialect.options_exact_division);
        let options = [dialect.options, exact.unwrap_or_default()].concat();
        let options = options.into_iter().map(CString::new);
        let options: std::result::Result<Vec<CString>, _> = options.collect();
        Ok(PluginDevice {
            options: options.map_err(|_| wrong("has an option with a zero in it".into()))?,
            engine: Engine::of(&session),
            session,
            caps,
            dialect,
            clock: Mutex::new(()),
        })
    }

    fn buffer<'a>(&self, memory: &'a Memory) -> Result<&'a Buffer> {
        let buffer = memory.get::<Buffer>(&self.session.info)?;
        match Arc::ptr_eq(&buffer.session, &self.session) {
            true => Ok(buffer),
            false => Err(check::foreign(&self.session.info)),
        }
    }

    /// Everything that a binary depends on.
    fn origin(&self, text: &str) -> u128 {
        let DeviceInfo { name, driver, .. } = &self.session.info;
        stable_hash(&(name, driver, &self.options, text))
    }

    /// Compiles a text; the program, and the plugin's binary of it, if it gives one.
    fn build(
        &self,
        kernel: &Kernel,
        text: &str,
        layout: &Layout,
        binary: Option<&[u8]>,
    ) -> Result<(Entry, Option<Vec<u8>>)> {
        let zero = |_| {
            self.session
                .plugin_error("got a text with a zero in it".to_string())
        };
        let name = CString::new(kernel.name.as_str()).map_err(zero)?;
        let source = CString::new(text).map_err(zero)?;
        let names = kernel.params.iter().map(|p| CString::new(p.name.as_str()));
        let names: std::result::Result<Vec<CString>, _> = names.collect();
        let names = names.map_err(zero)?;
        let params = layout.described(&kernel.params, &names);
        let options: Vec<*const c_char> = self.options.iter().map(|o| o.as_ptr()).collect();
        let source = Source {
            size: size_of::<Source>(),
            name: name.as_ptr(),
            text: source.as_ptr(),
            options: options.as_ptr(),
            option_count: options.len(),
            params: params.as_ptr(),
            param_count: params.len(),
            args_bytes: layout.bytes,
            workgroup: kernel.workgroup,
            shared_bytes: kernel.shared_bytes(),
            binary: binary.map_or(ptr::null(), |b| b.as_ptr().cast()),
            binary_bytes: binary.map_or(0, <[u8]>::len),
        };
        let mut raw = ptr::null_mut();
        let about = About::Kernel(&kernel.name);
        self.session.call("compile", about, |table, device| {
            let f = table.compile?;
            // SAFETY: the header's signature; all that the source points at outlives the call.
            Some(unsafe { f(device, &source, &mut raw) })
        })?;
        if raw.is_null() {
            return Err(self
                .session
                .plugin_error(format!("compiled kernel `{}` to null", kernel.name)));
        }
        let entry = Entry {
            raw,
            session: self.session.clone(),
        };
        let (mut data, mut bytes) = (ptr::null(), 0usize);
        let got = self.session.call("program_binary", about, |table, device| {
            let f = table.program_binary?;
            // SAFETY: the header's signature.
            Some(unsafe { f(device, raw, &mut data, &mut bytes) })
        });
        let given = got.is_ok() && !data.is_null() && bytes > 0;
        let copied = || {
            // SAFETY: the plugin says that there are as many bytes, and that they live as long as
            // the program does.
            unsafe { std::slice::from_raw_parts(data.cast::<u8>(), bytes) }.to_vec()
        };
        let binary = given.then(copied);
        Ok((entry, binary))
    }
}

impl Device for PluginDevice {
    fn info(&self) -> &DeviceInfo {
        &self.session.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        check::allocation(&self.session.info, &self.caps, bytes)?;
        Ok(Memory::new(bytes, self.session.alloc(bytes)?))
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        let buffer = self.buffer(dst)?;
        let bytes = data.len() as u64;
        check::range(&self.session.info, "write", dst, offset, bytes)?;
        if data.is_empty() {
            return Ok(());
        }
        self.session
            .call("write", About::Bytes(dst.bytes), |table, device| {
                let f = table.write?;
                // SAFETY: the header's signature; the range lies in the memory.
                Some(unsafe { f(device, buffer.raw, offset, data.as_ptr().cast(), bytes) })
            })
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        let buffer = self.buffer(src)?;
        let bytes = out.len() as u64;
        check::range(&self.session.info, "read", src, offset, bytes)?;
        if out.is_empty() {
            return self.sync();
        }
        self.session
            .call("read", About::Bytes(src.bytes), |table, device| {
                // SAFETY: the header's signature; the range lies in the memory, and `out` has room.
                table.read.map(|f| unsafe {
                    f(device, buffer.raw, offset, out.as_mut_ptr().cast(), bytes)
                })
            })
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        let (source, target) = (self.buffer(src)?, self.buffer(dst)?);
        check::copy(&self.session.info, src, from, dst, to, bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        self.session
            .call("copy", About::Bytes(bytes), |table, device| {
                let f = table.copy?;
                // SAFETY: the header's signature; the ranges lie in their memories, apart.
                Some(unsafe { f(device, source.raw, from, target.raw, to, bytes) })
            })
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        let info = &self.session.info;
        check::limits(info, &self.caps, kernel)?;
        let unsupported = |source| Error::Unsupported {
            device: info.id.clone(),
            source,
        };
        let legal = legalise(kernel, &self.caps.target).map_err(unsupported)?;
        check::limits(info, &self.caps, &legal)?;
        let text = emit_c::emit(&legal, self.dialect, &self.caps.target).map_err(unsupported)?;
        let origin = self.origin(&text);
        let binary = binary.and_then(|b| unsealed(b, origin));
        let layout = Layout::of(&kernel.params);
        let (entry, binary) = self.build(&legal, &text, &layout, binary)?;
        let compilation = Compilation {
            entry,
            params: kernel.params.clone(),
            layout,
        };
        Ok(Compiled {
            program: Program::new(&kernel.name, compilation),
            source: Some((text, self.dialect.name)),
            binary: binary.map(|b| sealed(&b, origin)),
        })
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        let info = &self.session.info;
        let compiled = program.get::<Compilation>(info)?;
        if !Arc::ptr_eq(&compiled.entry.session, &self.session) {
            return Err(Error::Invalid {
                device: info.id.clone(),
                what: format!("kernel `{}` was compiled for another device", program.name),
            });
        }
        check::args(info, &program.name, &compiled.params, args)?;
        check::groups(info, &self.caps, &program.name, groups)?;
        // Words, so that the plugin may read each argument in place.
        let mut packed = vec![0u64; compiled.layout.bytes.div_ceil(8)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut packed);
        for (arg, &(offset, size)) in args.iter().zip(&compiled.layout.places) {
            let value = match arg {
                Arg::Scalar(c) => c.bits,
                Arg::Buffer(memory) => self.buffer(memory)?.raw,
            };
            // The low bytes come first on the little-endian hosts that we know.
            bytes[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
        if groups.contains(&0) {
            return Ok(());
        }
        let (args, size) = (packed.as_ptr(), compiled.layout.bytes);
        self.session
            .call("launch", About::Kernel(&program.name), |table, device| {
                let f = table.launch?;
                // SAFETY: the header's signature; the program is this device's, the arguments are live
                // memories of this device and scalars of the parameters' kinds.
                Some(unsafe {
                    f(
                        device,
                        compiled.entry.raw,
                        groups.as_ptr(),
                        args.cast(),
                        size,
                    )
                })
            })
    }

    fn submit(&self) -> Result<()> {
        self.session
            .call("submit", About::Nothing, |table, device| {
                // SAFETY: the header's signature.
                table.submit.map(|f| unsafe { f(device) })
            })
    }

    fn sync(&self) -> Result<()> {
        self.session.call("sync", About::Nothing, |table, device| {
            // SAFETY: the header's signature.
            table.sync.map(|f| unsafe { f(device) })
        })
    }

    /// By the plugin's clock where it has one, else by the host's.
    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.sync()?;
        // A timing within a timing gets the host's clock.
        let clock = self.clock.try_lock();
        let own = clock.is_ok() && self.session.table().timing_begin.is_some();
        let start = Instant::now();
        if own {
            self.session
                .call("timing_begin", About::Nothing, |table, device| {
                    // SAFETY: the header's signature.
                    table.timing_begin.map(|f| unsafe { f(device) })
                })?;
        }
        let done = work();
        let mut time = 0;
        match own {
            true => self
                .session
                .call("timing_end", About::Nothing, |table, device| {
                    // SAFETY: the header's signature.
                    table.timing_end.map(|f| unsafe { f(device, &mut time) })
                }),
            false => self.sync(),
        }?;
        done?;
        Ok(match own {
            true => Duration::from_nanos(time),
            false => start.elapsed(),
        })
    }

    fn blas(&self) -> Option<&dyn Blas> {
        self.engine.as_ref().map(|engine| engine as &dyn Blas)
    }

    fn dnn(&self) -> Option<&dyn Dnn> {
        self.engine.as_ref().map(|engine| engine as &dyn Dnn)
    }
}
