//! Compiling kernels and launching them.

use super::api::{Failure, Outcome, Owned, call};
use super::memory::Buffer;
use super::{OpenCl, Opened, declare};
use crate::check;
use crate::device::{Arg, Compiled, Program};
use crate::error::{Error, Result};
use crate::seal::{sealed, unsealed};
use opencl3::error_codes::{CL_INVALID_BINARY, ClError};
use opencl3::kernel as cl_kernel;
use opencl3::program as cl;
use std::ffi::{CString, c_void};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::Param;
use suanzi_codegen::{Kernel, Unsupported};

/// A compiled kernel: the backend's handle behind a [`Program`].
pub struct Compilation {
    params: Vec<Param>,
    workgroup: [u32; 3],
    launcher: Mutex<Launcher>,
    opened: Arc<Opened>,
}

/// The driver's kernel, whose arguments stay set between launches. They belong to the object and
/// not to a launch: setting them and recording the launch is one step under a lock.
struct Launcher {
    kernel: Owned,
    set: Vec<Set>,
}

/// What an argument was set to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Nothing,
    /// The serial number of a buffer: handles may be reused after a release, numbers are not.
    Buffer(u64),
    Scalar(u64),
}

impl Launcher {
    fn set(&mut self, index: usize, arg: &Arg<'_>, device: &crate::DeviceInfo) -> Result<()> {
        let (set, bytes, value) = match arg {
            Arg::Scalar(c) => (
                Set::Scalar(c.bits),
                c.scalar.bytes(),
                // The low bytes of `bits` come first on the little-endian hosts that we know.
                c.bits.to_le_bytes(),
            ),
            Arg::Buffer(memory) => {
                let buffer = memory.get::<Buffer>(device)?;
                let handle = buffer.raw() as usize;
                let mut bytes = [0; 8];
                bytes[..size_of::<usize>()].copy_from_slice(&handle.to_ne_bytes());
                (Set::Buffer(buffer.serial), size_of::<usize>(), bytes)
            }
        };
        if self.set[index] == set {
            return Ok(());
        }
        self.set[index] = Set::Nothing;
        // SAFETY: the driver copies `bytes` bytes from a live array of 8; they are a scalar of the
        // parameter's kind or a live buffer's handle, as `check::args` made sure.
        let result = unsafe {
            cl_kernel::set_kernel_arg(
                self.kernel.raw(),
                index as u32,
                bytes,
                value.as_ptr().cast::<c_void>(),
            )
        };
        call("clSetKernelArg", result).map_err(|f| f.into_error(&device.id, 0, false))?;
        self.set[index] = set;
        Ok(())
    }
}

impl OpenCl {
    /// As [`crate::Device::compile`], with text in place of what the emitter writes: for tuning by
    /// hand, and for tests. The text must define `kernel`'s entry point, with its parameters and
    /// its work-group size.
    pub fn compile_source(
        &self,
        kernel: &Kernel,
        source: String,
        binary: Option<&[u8]>,
    ) -> Result<Compiled> {
        let opened = self.opened()?;
        let seal = self.seal(&source);
        let restored = binary.and_then(|binary| {
            let built = opened.restore(kernel, unsealed(binary, seal)?, &self.options);
            Some((built.ok()?, binary.to_vec()))
        });
        let (entry, binary) = match restored {
            Some((entry, binary)) => (entry, Some(binary)),
            None => {
                let built = opened.build(kernel, &source, &self.options, self.binaries);
                let (entry, binary) = built.map_err(|log| self.compile_error(kernel, log))?;
                (entry, binary.map(|b| sealed(&b, seal)))
            }
        };
        self.fits(kernel, &entry, opened)?;
        let compilation = Compilation {
            params: kernel.params.clone(),
            workgroup: kernel.workgroup,
            launcher: Mutex::new(Launcher {
                kernel: entry,
                set: vec![Set::Nothing; kernel.params.len()],
            }),
            opened: opened.clone(),
        };
        Ok(Compiled {
            program: Program::new(&kernel.name, compilation),
            source: Some((source, "cl")),
            binary,
        })
    }

    /// Everything that a binary depends on.
    fn seal(&self, source: &str) -> u128 {
        stable_hash(&(&self.info.name, &self.info.driver, &self.options, source))
    }

    fn compile_error(&self, kernel: &Kernel, log: String) -> Error {
        Error::Compile {
            device: self.info.id.clone(),
            kernel: kernel.name.clone(),
            log,
        }
    }

    /// The work-group is within what the driver allows for this kernel, whose registers may not
    /// leave room for the device's largest.
    fn fits(&self, kernel: &Kernel, entry: &Owned, opened: &Opened) -> Result<()> {
        let most = cl_kernel::get_kernel_work_group_info(
            entry.raw(),
            opened.device(),
            cl_kernel::CL_KERNEL_WORK_GROUP_SIZE,
        );
        match most.map(usize::from) {
            Ok(most) if (kernel.workgroup_len() as usize) > most => Err(self.unsupported(
                kernel,
                format!(
                    "a work-group of {}, the driver allows {most} for this kernel",
                    kernel.workgroup_len()
                ),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn unsupported(&self, kernel: &Kernel, what: String) -> Error {
        Error::Unsupported {
            device: self.info.id.clone(),
            source: Unsupported {
                kernel: kernel.name.clone(),
                what,
            },
        }
    }

    pub(super) fn enqueue(
        &self,
        program: &Program,
        groups: [u32; 3],
        args: &[Arg<'_>],
    ) -> Result<()> {
        let compiled = program.get::<Compilation>(&self.info)?;
        let opened = self.own(&compiled.opened)?;
        check::args(&self.info, &program.name, &compiled.params, args)?;
        for arg in args {
            if let Arg::Buffer(memory) = arg {
                self.buffer(memory)?;
            }
        }
        check::groups(&self.info, &self.caps, &program.name, groups)?;
        if groups.contains(&0) {
            return Ok(());
        }

        let mut global = [0usize; 3];
        let mut local = [0usize; 3];
        for axis in 0..3 {
            local[axis] = compiled.workgroup[axis] as usize;
            global[axis] = local[axis]
                .checked_mul(groups[axis] as usize)
                .ok_or_else(|| self.invalid(format!("{groups:?} work-groups are too many")))?;
        }
        let launcher = &mut *compiled
            .launcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (index, arg) in args.iter().enumerate() {
            launcher.set(index, arg, &self.info)?;
        }
        let kernel = launcher.kernel.raw();
        let launch = |queue| {
            // SAFETY: all arguments are set, to live objects of this context; the arrays have the
            // three entries that are announced.
            unsafe {
                opencl3::command_queue::enqueue_nd_range_kernel(
                    queue,
                    kernel,
                    3,
                    std::ptr::null(),
                    global.as_ptr(),
                    local.as_ptr(),
                    0,
                    std::ptr::null(),
                )
            }
        };
        let recorded = opened.queue.record("clEnqueueNDRangeKernel", launch);
        recorded.map(drop).map_err(|failure| {
            let buffers = args.iter().map(|arg| match arg {
                Arg::Buffer(memory) => memory.bytes,
                Arg::Scalar(_) => 0,
            });
            self.error(failure, buffers.sum(), false)
        })
    }
}

impl Opened {
    /// Compiles text into an entry point and, if wanted, a binary; the error is the driver's log.
    fn build(
        &self,
        kernel: &Kernel,
        source: &str,
        options: &str,
        binary: bool,
    ) -> std::result::Result<(Owned, Option<Vec<u8>>), String> {
        let declares = self.declares.load(Relaxed);
        let declared = declares.then(|| declare::declarations(source)).flatten();
        let Some(declared) = declared else {
            return self.build_text(kernel, source, options, binary);
        };
        let alone = format!("{options} {}", declare::OPTION);
        let built = self.build_text(kernel, &(declared + source), &alone, binary);
        built.or_else(|_| {
            // With the header, for its messages at least; if it helps, this driver needs it.
            let built = self.build_text(kernel, source, options, binary)?;
            tracing::debug!(
                kernel = kernel.name,
                "does not compile without the driver's header"
            );
            self.declares.store(false, Relaxed);
            Ok(built)
        })
    }

    fn build_text(
        &self,
        kernel: &Kernel,
        source: &str,
        options: &str,
        binary: bool,
    ) -> std::result::Result<(Owned, Option<Vec<u8>>), String> {
        let words = |f: Failure| format!("{}: {}", f.call, ClError(f.code));
        let raw = call(
            "clCreateProgramWithSource",
            cl::create_program_with_source(self.context(), &[source]),
        )
        .map_err(words)?;
        // SAFETY: the new program is owned by nobody else.
        let program = unsafe { Owned::new(raw, cl::release_program) };
        match self.link(kernel, &program, options) {
            Ok(entry) => Ok((entry, binary.then(|| binary_of(&program)).flatten())),
            Err(failure) => {
                let log = cl::get_program_build_data(raw, self.device(), cl::CL_PROGRAM_BUILD_LOG);
                let log = log.unwrap_or_default();
                let log = String::from_utf8_lossy(&log);
                Err(match log.trim_matches(['\0', '\n', ' ']) {
                    "" => words(failure),
                    log => log.to_string(),
                })
            }
        }
    }

    /// Makes an entry point of an earlier build's binary.
    fn restore(&self, kernel: &Kernel, binary: &[u8], options: &str) -> Outcome<Owned> {
        // SAFETY: the device is the context's; the new program is owned by nobody else.
        let program = unsafe {
            let raw = call(
                "clCreateProgramWithBinary",
                cl::create_program_with_binary(self.context(), &[self.device()], &[binary]),
            )?;
            Owned::new(raw, cl::release_program)
        };
        self.link(kernel, &program, options)
    }

    /// Builds a program and finds the kernel in it, which must take the right number of arguments
    /// and keeps the program alive.
    fn link(&self, kernel: &Kernel, program: &Owned, options: &str) -> Outcome<Owned> {
        let foreign = Failure {
            call: "clCreateKernel",
            code: CL_INVALID_BINARY,
        };
        let options = CString::new(options).map_err(|_| foreign)?;
        let name = CString::new(kernel.name.as_str()).map_err(|_| foreign)?;
        let devices = [self.device()];
        let built = cl::build_program(
            program.raw(),
            &devices,
            &options,
            None,
            std::ptr::null_mut(),
        );
        call("clBuildProgram", built)?;
        let raw = call(
            "clCreateKernel",
            cl_kernel::create_kernel(program.raw(), &name),
        )?;
        // SAFETY: the new kernel is owned by nobody else.
        let entry = unsafe { Owned::new(raw, cl_kernel::release_kernel) };
        let count = call(
            "clGetKernelInfo",
            cl_kernel::get_kernel_info(raw, cl_kernel::CL_KERNEL_NUM_ARGS),
        )?;
        match u32::from(count) as usize == kernel.params.len() {
            true => Ok(entry),
            false => Err(foreign),
        }
    }
}

/// The driver's binary, if it gives one.
fn binary_of(program: &Owned) -> Option<Vec<u8>> {
    let binaries = cl::get_program_info(program.raw(), cl::CL_PROGRAM_BINARIES).ok()?;
    let binaries = Vec::<Vec<u8>>::from(binaries);
    binaries.into_iter().next().filter(|b| !b.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanzi_codegen::Builder;

    /// What the integration tests cannot see: that a good binary is not compiled again.
    #[test]
    fn a_binary_is_enough() {
        let Ok(Some(device)) = super::super::device(0) else {
            eprintln!("NOT RUN: no OpenCL device");
            return;
        };
        let device = device.with_binaries(true);
        let kernel = Builder::new("nothing", [1, 1, 1]).finish().expect("valid");
        let source = "__kernel void nothing(void) {}".to_string();
        let compiled = device.compile_source(&kernel, source.clone(), None);
        let binary = compiled.expect("a program").binary.expect("a binary");
        let payload = unsealed(&binary, device.seal(&source)).expect("sealed");
        let opened = device.opened().expect("a device");
        assert!(opened.restore(&kernel, payload, &device.options).is_ok());
        let other = Builder::new("other", [1, 1, 1]).finish().expect("valid");
        assert!(opened.restore(&other, payload, &device.options).is_err());
    }
}
