//! A device under watch: every allocation is filled with a pattern and followed by guard bytes,
//! so that memory which the library itself allocates is guarded too. It is also where a
//! deliberately wrong device ([`crate::sabotage`]) goes wrong.
//!
//! Kernels with shared memory are run a second time in a [`Shadow`], for races that the device hides.

use crate::result::Effect;
use crate::sabotage::Sabotage;
use crate::shadow::{After, Shadow};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use suanzi_backends::cpu;
use suanzi_backends::vendor::{Blas, Convolution, Dnn, Elementwise, Gemm, Matrix, Strided};
use suanzi_backends::{
    Arg, Caps, Compiled, Device, DeviceInfo, DeviceKind, Memory, Program, Result,
};
use suanzi_codegen::Kernel;
use suanzi_codegen::ir::{Access, ParamKind};
use suanzi_ops::{Num, Scalar};

/// What fresh memory and guards are filled with.
pub const FILL: u8 = 0xa5;

/// Guard bytes behind every allocation.
const TAIL: u64 = 256;

/// A watched device.
pub struct Watch {
    inner: Arc<dyn Device>,
    /// Whose caps it shows: kernels are planned for this device.
    caps: Caps,
    info: DeviceInfo,
    sabotage: Option<Sabotage>,
    /// Buffers that kernels may have written since the last [`Watch::check`].
    written: Mutex<Vec<Memory>>,
    /// What mistakes in kernels did since it was last asked.
    effect: Mutex<Effect>,
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
    /// What the interpreter runs beside it: a mutant, or the same kernel.
    shadow: Option<Shadow>,
}

impl Watch {
    /// Watches a device. Where mutants are compared with originals, the interpreter runs both in
    /// its place.
    ///
    /// # Errors
    /// Where the interpreter cannot be opened.
    pub fn new(device: Arc<dyn Device>, sabotage: Option<Sabotage>) -> Result<Watch> {
        let caps = device.caps().clone();
        let compares = sabotage.as_ref().is_some_and(Sabotage::compares);
        let inner = if compares { cpu::open()? } else { device };
        let mut info = inner.info().clone();
        if let Some(sabotage) = &sabotage {
            info.id = format!("{}+{}", info.id, sabotage.name());
            info.driver = format!("{}, sabotaged", info.driver);
        }
        Ok(Watch {
            inner,
            caps,
            info,
            sabotage,
            written: Mutex::default(),
            effect: Mutex::default(),
        })
    }

    /// Whether it runs mutants beside the originals.
    pub fn compares(&self) -> bool {
        self.sabotage.as_ref().is_some_and(Sabotage::compares)
    }

    /// What mistakes in kernels did since the last call, on a device that compares.
    pub fn effect(&self) -> Effect {
        std::mem::take(&mut *lock(&self.effect))
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
        let written = std::mem::take(&mut *lock(&self.written));
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

    /// A matrix in the device's own memory.
    fn within<'a>(&self, matrix: &Matrix<'a>) -> Result<Matrix<'a>> {
        Ok(Matrix {
            memory: self.inner(matrix.memory)?,
            ..*matrix
        })
    }

    /// A tensor in the device's own memory.
    fn tensor<'a>(&self, tensor: &Strided<'a>) -> Result<Strided<'a>> {
        Ok(Strided {
            memory: self.inner(tensor.memory)?,
            ..*tensor
        })
    }

    /// A launch of a kernel and of its mutant: the results are the mutant's.
    fn twins(
        &self,
        original: &dyn Fn() -> Result<()>,
        mutant: Result<Vec<After<'_>>>,
    ) -> Result<()> {
        let mut effect = lock(&self.effect);
        *effect = (*effect).max(Effect::Same);
        // Until it is known to be none.
        let before = std::mem::replace(&mut *effect, Effect::Changed);
        let after = mutant?;
        original()?;
        let mut same = true;
        for After {
            memory,
            elem,
            bytes,
        } in after
        {
            let mut right = vec![0; bytes.len()];
            self.inner.read(memory, 0, &mut right)?;
            same &= alike(elem, &right, &bytes);
            self.inner.write(memory, 0, &bytes)?;
        }
        if same {
            *effect = before;
        }
        Ok(())
    }
}

/// Whether two memories hold the same, any NaN for a NaN.
fn alike(elem: Scalar, a: &[u8], b: &[u8]) -> bool {
    let nan = |bytes: &[u8]| {
        let mut raw = [0; 8];
        raw[..bytes.len()].copy_from_slice(bytes);
        let number = Num::from_bits(elem, u64::from_le_bytes(raw));
        matches!(number, Num::Float(v) if v.is_nan())
    };
    let mut elements = a.chunks(elem.bytes()).zip(b.chunks(elem.bytes()));
    a == b || elem.is_float() && elements.all(|(a, b)| a == b || nan(a) && nan(b))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device for Watch {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
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
        let run = mutant.as_ref().unwrap_or(kernel);
        let shadowed = match self.compares() {
            true => mutant.is_some(),
            // `cpu` has its own race detector.
            false => self.caps.kind != DeviceKind::Interpreter && !run.shared.is_empty(),
        };
        let shadow = shadowed.then(|| Shadow::new(&self.info, run)).transpose()?;
        let compiled = match &mutant {
            // A mutant's binary is not the kernel's, and must not be kept as such.
            Some(mutant) if !self.compares() => Compiled {
                binary: None,
                ..self.inner.compile(mutant, None)?
            },
            _ => self.inner.compile(kernel, binary)?,
        };
        let watched = Watched {
            inner: compiled.program,
            outputs,
            shadow,
        };
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
        lock(&self.written).extend(outputs.iter().map(|o| o.0.clone()));
        let launch = || self.inner.launch(&watched.inner, groups, &inner);
        if let Some(shadow) = watched.shadow.as_ref().filter(|_| !groups.contains(&0)) {
            let after = shadow.run(&*self.inner, groups, &inner);
            if self.compares() {
                return self.twins(&launch, after);
            }
            after?;
        }
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

    fn blas(&self) -> Option<&dyn Blas> {
        let there = self.inner.blas().is_some() && !self.compares();
        there.then_some(self as &dyn Blas)
    }

    fn dnn(&self) -> Option<&dyn Dnn> {
        let there = self.inner.dnn().is_some() && !self.compares();
        there.then_some(self as &dyn Dnn)
    }
}

/// The device's own library, under watch.
impl Blas for Watch {
    fn name(&self) -> &str {
        self.inner.blas().map_or("none", Blas::name)
    }

    fn does(&self, dtype: Scalar) -> bool {
        self.inner.blas().is_some_and(|blas| blas.does(dtype))
    }

    fn gemm(&self, op: &Gemm<'_>) -> Result<bool> {
        let Some(blas) = self.inner.blas() else {
            return Ok(false);
        };
        let done = blas.gemm(&Gemm {
            a: self.within(&op.a)?,
            b: self.within(&op.b)?,
            c: self.within(&op.c)?,
            ..*op
        })?;
        if done {
            lock(&self.written).push(op.c.memory.clone());
        }
        Ok(done)
    }
}

/// As above, for layers.
impl Dnn for Watch {
    fn name(&self) -> &str {
        self.inner.dnn().map_or("none", Dnn::name)
    }

    fn convolution(&self, op: &Convolution<'_>) -> Result<bool> {
        let Some(dnn) = self.inner.dnn() else {
            return Ok(false);
        };
        let done = dnn.convolution(&Convolution {
            x: self.tensor(&op.x)?,
            w: self.tensor(&op.w)?,
            y: self.tensor(&op.y)?,
            ..*op
        })?;
        if done {
            lock(&self.written).push(op.y.memory.clone());
        }
        Ok(done)
    }

    fn elementwise(&self, op: &Elementwise<'_>) -> Result<bool> {
        let Some(dnn) = self.inner.dnn() else {
            return Ok(false);
        };
        let inputs = op.inputs.iter().map(|t| self.tensor(t));
        let done = dnn.elementwise(&Elementwise {
            inputs: &inputs.collect::<Result<Vec<_>>>()?,
            out: self.tensor(&op.out)?,
            ..*op
        })?;
        if done {
            lock(&self.written).push(op.out.memory.clone());
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use crate::case::Case;
    use crate::exec::Bench;
    use crate::result::{Effect, Status};

    #[test]
    fn twins_tell_what_a_mistake_changes() {
        let run = |device: &str, case: &str| {
            let bench = Bench::open(device).unwrap();
            let result = bench.run(&Case::parse(case).unwrap());
            (result.effect, result.status)
        };
        let sub = "sub/f32/31/contiguous/random/s1";
        let swapped = run("cpu+twins:swap#0", sub);
        assert_eq!(swapped.0, Effect::Changed);
        assert_eq!(
            run("cpu+twins:barrier#0", sub),
            (Effect::Absent, Status::Passed)
        );
        // Without the barrier the same comes out, but only here.
        let sum = run(
            "cpu+twins:barrier#0",
            "sum/f32/1000@all/contiguous/exact/s1",
        );
        assert_eq!(sum, (Effect::Changed, Status::Failed));
    }
}
