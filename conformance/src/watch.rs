//! A device under watch: every allocation is filled with a pattern and followed by guard bytes,
//! so that memory which the library itself allocates is guarded too. It is also where a
//! deliberately wrong device ([`crate::sabotage`]) goes wrong.

use crate::sabotage::Sabotage;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use suanzi_backends::{Arg, Caps, Compiled, Device, DeviceInfo, Memory, Program, Result};
use suanzi_codegen::Kernel;
use suanzi_codegen::ir::{Access, ParamKind};

/// What fresh memory and guards are filled with.
pub const FILL: u8 = 0xa5;

/// Guard bytes behind every allocation.
const TAIL: u64 = 256;

/// A watched device.
pub struct Watch {
    inner: Arc<dyn Device>,
    info: DeviceInfo,
    sabotage: Option<Sabotage>,
    /// Buffers that kernels may have written since the last [`Watch::check`].
    written: Mutex<Vec<Memory>>,
    /// Kernels that were compiled with a mistake.
    mutants: AtomicU32,
}

/// Behind a [`Memory`] of a watched device.
struct Guarded {
    inner: Memory,
}

/// Behind a [`Program`] of a watched device.
struct Watched {
    inner: Program,
    /// Element size of each buffer parameter that is written.
    outputs: Vec<Option<usize>>,
}

impl Watch {
    /// Watches a device.
    pub fn new(inner: Arc<dyn Device>, sabotage: Option<Sabotage>) -> Watch {
        let mut info = inner.info().clone();
        if let Some(sabotage) = &sabotage {
            info.id = format!("{}+{}", info.id, sabotage.name());
            info.driver = format!("{}, sabotaged", info.driver);
        }
        Watch {
            inner,
            info,
            sabotage,
            written: Mutex::default(),
            mutants: AtomicU32::new(0),
        }
    }

    /// Kernels that were compiled with a mistake so far.
    pub fn mutants(&self) -> u32 {
        self.mutants.load(Ordering::Relaxed)
    }

    fn inner<'a>(&self, memory: &'a Memory) -> Result<&'a Memory> {
        Ok(&memory.get::<Guarded>(&self.info)?.inner)
    }

    /// The bytes of an allocation from `from` on, hidden guard included.
    pub fn behind(&self, memory: &Memory, from: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; (memory.bytes + TAIL - from) as usize];
        self.inner.read(self.inner(memory)?, from, &mut bytes)?;
        Ok(bytes)
    }

    /// Looks at the guards of all buffers that kernels were given to write since the last call.
    ///
    /// # Errors
    /// What the device says; `Ok(false)` where a guard was overwritten.
    pub fn check(&self) -> Result<bool> {
        let written = std::mem::take(&mut *self.lock());
        for memory in &written {
            if self
                .behind(memory, memory.bytes)?
                .iter()
                .any(|&b| b != FILL)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device for Watch {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        self.inner.caps()
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        let inner = self.inner.alloc(bytes + TAIL)?;
        self.inner
            .write(&inner, 0, &vec![FILL; (bytes + TAIL) as usize])?;
        Ok(Memory::new(bytes, Guarded { inner }))
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        self.inner.write(self.inner(dst)?, offset, data)
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        self.inner.read(self.inner(src)?, offset, out)
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        self.inner
            .copy(self.inner(src)?, from, self.inner(dst)?, to, bytes)
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        let outputs = kernel.params.iter().filter_map(|p| match p.kind {
            ParamKind::Buffer { elem, access } => {
                Some((access == Access::ReadWrite).then_some(elem.bytes()))
            }
            ParamKind::Scalar(_) => None,
        });
        let outputs = outputs.collect();
        let mutant = self.sabotage.as_ref().and_then(|s| s.mutate(kernel));
        // A mutant's binary is not the kernel's, and must not be kept as such.
        let compiled = match &mutant {
            Some(mutant) => {
                self.mutants.fetch_add(1, Ordering::Relaxed);
                let compiled = self.inner.compile(mutant, None)?;
                Compiled {
                    binary: None,
                    ..compiled
                }
            }
            None => self.inner.compile(kernel, binary)?,
        };
        let inner = compiled.program;
        let watched = Watched { inner, outputs };
        Ok(Compiled {
            program: Program::new(&kernel.name, watched),
            ..compiled
        })
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        let watched = program.get::<Watched>(&self.info)?;
        let mut inner = Vec::with_capacity(args.len());
        let mut outputs = vec![];
        let mut inputs = vec![];
        let mut buffers = watched.outputs.iter();
        for arg in args {
            inner.push(match arg {
                Arg::Scalar(c) => Arg::Scalar(*c),
                Arg::Buffer(memory) => {
                    let within = self.inner(memory)?;
                    match buffers.next().copied().flatten() {
                        Some(element) => outputs.push((*memory, within, element)),
                        None => inputs.push(within),
                    }
                    Arg::Buffer(within)
                }
            });
        }
        self.lock().extend(outputs.iter().map(|o| o.0.clone()));
        let launch = || self.inner.launch(&watched.inner, groups, &inner);
        match &self.sabotage {
            Some(sabotage) if sabotage.concerns(&program.name) => {
                let outputs: Vec<(&Memory, usize)> = outputs.iter().map(|o| (o.1, o.2)).collect();
                sabotage.launch(&*self.inner, &outputs, &inputs, &launch)
            }
            _ => launch(),
        }
    }

    fn submit(&self) -> Result<()> {
        self.inner.submit()
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.inner.timed(work)
    }
}
