//! OpenCL devices: kernels are printed as OpenCL C and compiled by the driver.
//!
//! - `info`: which devices there are and what they can do.
//! - `queue`: the in-order queue; `memory`: buffers and copies; `program`: compiling, launching;
//!   `declare`: how PoCL is spared half of a compilation.
//! - `api`: ownership of the driver's objects, and its error codes.
//!
//! `libOpenCL` is loaded at run time: where it or every platform is missing, [`devices`] says so
//! and nothing else happens. Listing devices opens none; a device gets its context and its queue
//! at first use. The emulation of what a device lacks lives in the legaliser and in the emitter.
//!
//! `SUANZI_KIND=cpu|gpu` makes operators cut work as for a device of that kind, whatever the device
//! is: for running the kernels of the one on the other, under a debugger or a sanitizer.

mod api;
mod declare;
mod info;
mod memory;
mod program;
mod queue;

use crate::caps::Caps;
use crate::check;
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use api::{Failure, Outcome, Owned, call};
use info::Found;
use opencl3::context::context as cl;
use opencl3::types::{cl_context, cl_device_id};
use queue::Queue;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use suanzi_codegen::emit_c::{self, OPENCL};
use suanzi_codegen::{Kernel, legalise};

/// An OpenCL device.
pub struct OpenCl {
    info: DeviceInfo,
    caps: Caps,
    /// Most work-items of a group along each axis.
    max_items: [u32; 3],
    /// What programs are built with.
    options: String,
    /// Compiled programs are asked for, to be kept on disk.
    binaries: bool,
    found: Found,
    opened: OnceLock<Result<Arc<Opened>>>,
}

/// A device in use. Memory and programs keep it alive.
struct Opened {
    // Dropped before its context.
    queue: Queue,
    context: Owned,
    found: Found,
    /// Bytes of memory in use.
    used: AtomicU64,
    /// Programs declare what they call, and the driver's header is left out.
    declares: AtomicBool,
}

impl Opened {
    fn new(found: Found) -> Outcome<Opened> {
        let context = call(
            "clCreateContext",
            cl::create_context(
                &[found.device],
                std::ptr::null(),
                None,
                std::ptr::null_mut(),
            ),
        )?;
        // SAFETY: the new context is owned by nobody else, and outlives the queue.
        unsafe {
            let context = Owned::new(context, cl::release_context);
            Ok(Opened {
                queue: Queue::new(context.raw(), found.device)?,
                context,
                found,
                used: AtomicU64::new(0),
                declares: AtomicBool::new(found.is_pocl()),
            })
        }
    }

    fn context(&self) -> cl_context {
        self.context.raw()
    }

    fn device(&self) -> cl_device_id {
        self.found.device
    }
}

/// Every usable OpenCL device, of all platforms, numbered from `opencl:0`.
///
/// # Errors
/// [`Error::NoDriver`] with the reason where there is none.
pub fn devices() -> Result<Vec<OpenCl>> {
    let found = info::find()?.iter().enumerate();
    Ok(found.map(|(i, f)| OpenCl::new(i, *f)).collect())
}

/// The device with a number, if there are as many.
///
/// # Errors
/// As [`devices`].
pub fn device(number: usize) -> Result<Option<OpenCl>> {
    let found = info::find()?.get(number).copied();
    Ok(found.map(|f| OpenCl::new(number, f)))
}

impl OpenCl {
    fn new(index: usize, found: Found) -> OpenCl {
        let caps = found.caps();
        let exact = caps.exact_division.then_some(OPENCL.options_exact_division);
        let options = [OPENCL.options, exact.unwrap_or_default()].concat();
        OpenCl {
            info: found.info(index),
            caps,
            max_items: found.max_items(),
            options: options.join(" "),
            binaries: !found.is_pocl(),
            found,
            opened: OnceLock::new(),
        }
    }

    /// Whether to ask the driver for compiled programs, which [`crate::Context`] keeps on disk. By
    /// default, unless the driver is known to keep them itself and to compile again when asked.
    pub fn with_binaries(self, binaries: bool) -> OpenCl {
        OpenCl { binaries, ..self }
    }

    /// Opens the device, once.
    fn opened(&self) -> Result<&Arc<Opened>> {
        let open = || Opened::new(self.found).map(Arc::new);
        let opened = self
            .opened
            .get_or_init(|| open().map_err(|f| self.error(f, 0, false)));
        opened.as_ref().map_err(Error::clone)
    }

    /// `theirs` is this device, opened by this object: another object's contexts do not mix.
    fn own(&self, theirs: &Arc<Opened>) -> Result<&Arc<Opened>> {
        let ours = self.opened()?;
        match Arc::ptr_eq(ours, theirs) {
            true => Ok(ours),
            false => Err(check::foreign(&self.info)),
        }
    }

    fn error(&self, failure: Failure, bytes: u64, waited: bool) -> Error {
        failure.into_error(&self.info.id, bytes, waited)
    }

    fn invalid(&self, what: String) -> Error {
        Error::Invalid {
            device: self.info.id.clone(),
            what,
        }
    }

    /// Refuses what the device's limits exclude, before the driver sees it.
    fn limits(&self, kernel: &Kernel) -> Result<()> {
        check::limits(&self.info, &self.caps, kernel)?;
        let mut axes = kernel.workgroup.iter().zip(self.max_items);
        match axes.all(|(&n, most)| n <= most) {
            true => Ok(()),
            false => Err(self.unsupported(
                kernel,
                format!(
                    "a work-group of {:?}, the limit along each axis is {:?}",
                    kernel.workgroup, self.max_items
                ),
            )),
        }
    }
}

impl Device for OpenCl {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        self.create_buffer(bytes)
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        self.enqueue_write(dst, offset, data)
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        self.blocking_read(src, offset, out)
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        self.enqueue_copy(src, from, dst, to, bytes)
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        self.limits(kernel)?;
        let unsupported = |source| Error::Unsupported {
            device: self.info.id.clone(),
            source,
        };
        let legal = legalise(kernel, &self.caps.target).map_err(unsupported)?;
        self.limits(&legal)?;
        let source = emit_c::emit(&legal, &OPENCL, &self.caps.target).map_err(unsupported)?;
        self.compile_source(kernel, source, binary)
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        self.enqueue(program, groups, args)
    }

    fn submit(&self) -> Result<()> {
        let queue = &self.opened()?.queue;
        queue.flush().map_err(|f| self.error(f, 0, true))
    }

    fn sync(&self) -> Result<()> {
        let queue = &self.opened()?.queue;
        queue.finish().map_err(|f| self.error(f, 0, true))
    }

    /// Measured by the device: from the start of the first command to the end of the last.
    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        let queue = &self.opened()?.queue;
        let (result, time) = queue.timed(work).map_err(|f| self.error(f, 0, true))?;
        result.map(|()| time)
    }
}
