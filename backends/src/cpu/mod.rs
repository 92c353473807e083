//! The built-in device `cpu`: no driver, the interpreter behind an asynchronous queue.
//!
//! It is what the library runs on where nothing else is, and what every other device is compared
//! with. `queue` is its in-order queue, `memory` its heap, `blas` its matrix library.

mod blas;
mod memory;
mod queue;

use crate::caps::{Caps, DeviceKind};
use crate::check;
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use crate::vendor::Blas;
use memory::{Cells, Heap};
use queue::Queue;
use std::sync::Arc;
use std::time::Duration;
use suanzi_codegen::interp::{self, InterpError};
use suanzi_codegen::ir::{Const, Fragment, Role};
use suanzi_codegen::{Kernel, Scalar, Target, Unsupported, legalise, verify};

/// Opens the device.
///
/// # Errors
/// [`Error::NoDriver`] where its thread does not start.
pub fn open() -> Result<Arc<dyn Device>> {
    open_with_memory(memory::physical())
}

/// Opens the device as if the machine had this much memory.
///
/// # Errors
/// As [`open`].
pub fn open_with_memory(bytes: u64) -> Result<Arc<dyn Device>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let info = DeviceInfo {
        id: "cpu".into(),
        backend: "cpu",
        name: format!("Suanzi interpreter, {threads} threads"),
        driver: format!("suanzi {}", env!("CARGO_PKG_VERSION")),
    };
    let core = Arc::new(Core {
        queue: Queue::new(&info.id)?,
        heap: Heap::new(bytes),
        info: Arc::new(info),
    });
    Ok(Arc::new(Cpu {
        validates: std::env::var_os("SUANZI_VALIDATE").is_some_and(|v| v == "1"),
        caps: caps(threads as u32, bytes),
        blas: blas::Gemms::new(core.clone(), threads),
        core,
    }))
}

/// What the device and its matrix library share.
struct Core {
    info: Arc<DeviceInfo>,
    queue: Queue,
    heap: Heap,
}

impl Core {
    fn cells<'a>(&self, memory: &'a Memory) -> Result<&'a Arc<Cells>> {
        self.heap.cells(&self.info, memory)
    }
}

struct Cpu {
    /// Kernels run under the race detector.
    validates: bool,
    core: Arc<Core>,
    caps: Caps,
    blas: blas::Gemms,
}

/// The handle in a [`Program`].
type Code = Arc<interp::Program>;

/// An argument, as a command keeps it.
enum Kept {
    Buffer(Arc<Cells>),
    Scalar(Const),
}

fn caps(compute_units: u32, memory_bytes: u64) -> Caps {
    Caps {
        kind: DeviceKind::Interpreter,
        target: Target {
            fragments: fragments(),
            ..Target::all()
        },
        compute_units,
        max_workgroup: 1024,
        max_groups: [i32::MAX as u32; 3],
        shared_bytes: 64 << 10,
        memory_bytes,
        max_alloc: memory_bytes,
        vector_bytes: 16,
        subgroup: Some((32, 32)),
        host: true,
        denormals_f32: true,
        exact_division: true,
        emulated: vec![],
    }
}

/// The two shapes that matrix units have, of each kind that they take, accumulated in f32.
fn fragments() -> Vec<Fragment> {
    use {Role::*, Scalar::*};
    let kinds = [
        (F16, A),
        (F16, B),
        (Bf16, A),
        (Bf16, B),
        (F32, A),
        (F32, B),
        (F32, Accumulator),
    ];
    let of_size = |size| {
        kinds.map(|(elem, role)| Fragment {
            elem,
            role,
            m: size,
            n: size,
            k: size,
        })
    };
    [8, 16].into_iter().flat_map(of_size).collect()
}

impl Cpu {
    /// The interpreter's error, as this layer's.
    fn error(info: &DeviceInfo, kernel: &str, error: InterpError) -> Error {
        let device = info.id.clone();
        match error {
            InterpError::Invalid(error) => error.into(),
            InterpError::Unsupported { kernel, what } => Error::Unsupported {
                device,
                source: Unsupported { kernel, what },
            },
            other => {
                let text = other.to_string();
                // Both messages name the kernel; once is enough.
                let what = text.strip_prefix(&format!("kernel `{kernel}`: "));
                Error::Kernel {
                    device,
                    kernel: kernel.into(),
                    what: what.unwrap_or(&text).into(),
                }
            }
        }
    }
}

impl Device for Cpu {
    fn info(&self) -> &DeviceInfo {
        &self.core.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        check::allocation(&self.core.info, &self.caps, bytes)?;
        self.core.heap.alloc(&self.core.info, bytes)
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        let core = &self.core;
        check::range(&core.info, "write", dst, offset, data.len() as u64)?;
        let (cells, data) = (core.cells(dst)?.clone(), data.to_vec());
        let info = core.info.clone();
        core.queue
            .record_holding("write", data.len() as u64, move || {
                let written = cells.memory.write(offset as usize, &data);
                written.map_err(|e| Cpu::error(&info, "write", e))
            })
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        let core = &self.core;
        check::range(&core.info, "read", src, offset, out.len() as u64)?;
        let cells = core.cells(src)?;
        core.queue.run("read", || {
            let read = cells.memory.read(offset as usize, out);
            read.map_err(|e| Cpu::error(&core.info, "read", e))
        })
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        let core = &self.core;
        check::copy(&core.info, src, from, dst, to, bytes)?;
        let (src, dst) = (core.cells(src)?.clone(), core.cells(dst)?.clone());
        let info = core.info.clone();
        core.queue.record("copy", move || {
            let (from, to, bytes) = (from as usize, to as usize, bytes as usize);
            let copied = dst.memory.copy_from(to, &src.memory, from, bytes);
            copied.map_err(|e| Cpu::error(&info, "copy", e))
        })
    }

    fn compile(&self, kernel: &Kernel, _: Option<&[u8]>) -> Result<Compiled> {
        let info = &self.core.info;
        verify(kernel)?;
        check::limits(info, &self.caps, kernel)?;
        let kernel = legalise(kernel, &self.caps.target).map_err(|source| Error::Unsupported {
            device: info.id.clone(),
            source,
        })?;
        let options = interp::Options {
            detect_races: self.validates,
            ..interp::Options::default()
        };
        let program = interp::Program::new(&kernel, options)
            .map_err(|e| Cpu::error(info, &kernel.name, e))?;
        Ok(Compiled {
            program: Program::new(&kernel.name, Code::new(program)),
            source: None,
            binary: None,
        })
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        let core = &self.core;
        let code = program.get::<Code>(&core.info)?;
        check::args(&core.info, &program.name, &code.kernel().params, args)?;
        check::groups(&core.info, &self.caps, &program.name, groups)?;
        let keep = |arg: &Arg<'_>| match *arg {
            Arg::Buffer(memory) => core.cells(memory).cloned().map(Kept::Buffer),
            Arg::Scalar(c) => Ok(Kept::Scalar(c)),
        };
        let args = args.iter().map(keep).collect::<Result<Vec<_>>>()?;
        if groups.contains(&0) {
            return Ok(());
        }
        let (name, program) = (program.name.clone(), code.clone());
        let info = core.info.clone();
        core.queue.record(name.clone(), move || {
            let args = args.iter().map(|arg| match arg {
                Kept::Buffer(cells) => interp::Arg::Buffer(&cells.memory),
                Kept::Scalar(c) => interp::Arg::Scalar(*c),
            });
            let args: Vec<_> = args.collect();
            let ran = program.run(groups, &args);
            ran.map_err(|e| Cpu::error(&info, &name, e))
        })
    }

    fn submit(&self) -> Result<()> {
        self.core.queue.check()
    }

    fn sync(&self) -> Result<()> {
        self.core.queue.wait()
    }

    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.core.queue.wait()?;
        let before = self.core.queue.busy();
        work()?;
        self.core.queue.wait()?;
        Ok(self.core.queue.busy().saturating_sub(before))
    }

    fn blas(&self) -> Option<&dyn Blas> {
        Some(&self.blas)
    }
}
