//! Random valid kernels with inputs, to compare devices with the interpreter.
//!
//! [`Spec::case`] builds a kernel from a seed; the same spec gives the same case everywhere, and a
//! smaller `size` leaves out the end of the same program, so that a failure shrinks by size.
//! `kernel` writes the statements, `values` the expressions. What a kernel computes has one answer
//! to the bit: nothing depends on the order of work-items, no index is out of bounds, and floats
//! stay exactly representable unless [`Floats::Any`] asks for more. This is for tests and tools;
//! operators do not use it.

mod kernel;
mod values;

use crate::interp::{self, InterpError};
use crate::ir::{Access, Const, Kernel, ParamKind};
use crate::samples::{self, Sample};
use crate::target::{Support, Target};
use crate::types::Scalar;
use crate::verify::VerifyError;

/// What floats a random kernel computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Floats {
    /// No operation rounds, and no value is infinite or NaN: the same on every device.
    Exact,
    /// Any bits, and every operation that IEEE 754 rounds correctly: the same on devices with
    /// denormals, exact division and no contraction.
    Any,
}

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Picks the kernel.
    pub seed: u64,
    /// Statements, about.
    pub size: u32,
    /// What floats are like.
    pub floats: Floats,
    /// Kinds that may occur; bool and u32 always do.
    pub kinds: Vec<Scalar>,
    /// Whether 64-bit atomics may occur.
    pub atomic64: bool,
    /// Whether vectors of bool may be used after a barrier that they came before.
    pub lasting_masks: bool,
}

/// A kernel and a launch of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The kernel.
    pub kernel: Kernel,
    /// Work-groups along each axis.
    pub groups: [u32; 3],
    /// An argument for each parameter.
    pub args: Vec<Data>,
}

/// An argument of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// What a buffer holds before the launch.
    Buffer(Vec<u8>),
    /// A scalar.
    Scalar(Const),
}

impl Spec {
    /// A spec with everything that a target does or can emulate.
    pub fn new(seed: u64, size: u32, floats: Floats, target: &Target) -> Spec {
        let there = |s: &Scalar| target.support(*s) != Support::Missing;
        Spec {
            seed,
            size,
            floats,
            kinds: Scalar::ALL.into_iter().filter(there).collect(),
            atomic64: target.atomic64,
            lasting_masks: true,
        }
    }

    /// Builds the kernel and its inputs.
    ///
    /// # Errors
    /// None that is not a defect of this module or of the verifier.
    pub fn case(&self) -> Result<Case, VerifyError> {
        kernel::build(self)
    }
}

impl Case {
    /// A sample with random inputs, exactly representable ones.
    ///
    /// # Errors
    /// What the sample's builder says.
    pub fn sample(sample: &Sample, seed: u64) -> Result<Case, VerifyError> {
        let kernel = (sample.kernel)()?;
        let mut rng = Rng::new(seed);
        let params = kernel.params.iter().zip(sample.args);
        let args = params.map(|(param, arg)| {
            Ok(match (param.kind, *arg) {
                (ParamKind::Buffer { elem, .. }, samples::Arg::In(n)) => {
                    Data::Buffer(kernel::random_bytes(&mut rng, elem, n, Floats::Exact))
                }
                (ParamKind::Buffer { elem, .. }, samples::Arg::Out(n)) => {
                    Data::Buffer(vec![0; n * elem.bytes()])
                }
                (ParamKind::Scalar(scalar), samples::Arg::Scalar(bits)) => {
                    Data::Scalar(Const { scalar, bits })
                }
                (kind, arg) => Err(VerifyError {
                    kernel: sample.name.into(),
                    what: format!("argument {arg:?} for {kind:?}"),
                })?,
            })
        });
        Ok(Case {
            args: args.collect::<Result<_, VerifyError>>()?,
            groups: sample.groups,
            kernel,
        })
    }

    /// Runs the case on the interpreter.
    ///
    /// # Errors
    /// What the interpreter says.
    pub fn interpret(&self, options: interp::Options) -> Result<Vec<Vec<u8>>, InterpError> {
        let program = interp::Program::new(&self.kernel, options)?;
        let memories = self.args.iter().map(|arg| match arg {
            Data::Buffer(bytes) => {
                let memory = interp::Memory::new(bytes.len())?;
                memory.write(0, bytes)?;
                Ok(Some(memory))
            }
            Data::Scalar(_) => Ok(None),
        });
        let memories = memories.collect::<Result<Vec<_>, InterpError>>()?;
        let args = self.args.iter().zip(&memories).filter_map(|(arg, memory)| {
            Some(match arg {
                Data::Buffer(_) => interp::Arg::Buffer(memory.as_ref()?),
                Data::Scalar(c) => interp::Arg::Scalar(*c),
            })
        });
        program.run(self.groups, &args.collect::<Vec<_>>())?;
        memories
            .iter()
            .flatten()
            .map(|memory| {
                let mut bytes = vec![0; memory.len()];
                memory.read(0, &mut bytes)?;
                Ok(bytes)
            })
            .collect()
    }

    /// The first element in which two runs differ, in words. Each is what every buffer holds after
    /// the launch, in the order of the parameters. One NaN is as good as another.
    pub fn difference(&self, expected: &[Vec<u8>], found: &[Vec<u8>]) -> Option<String> {
        let buffers = self.kernel.params.iter().filter_map(|p| match p.kind {
            ParamKind::Buffer { elem, .. } => Some((p.name.as_str(), elem)),
            ParamKind::Scalar(_) => None,
        });
        for (((name, elem), a), b) in buffers.zip(expected).zip(found) {
            if a.len() != b.len() {
                return Some(format!("`{name}`: {} bytes, not {}", b.len(), a.len()));
            }
            let pairs = elements(elem, a).zip(elements(elem, b));
            let found = pairs.enumerate().find(|(_, (a, b))| {
                let both_nan = is_nan(elem, *a) && is_nan(elem, *b);
                a != b && !both_nan
            });
            if let Some((i, (a, b))) = found {
                return Some(format!(
                    "`{name}`[{i}] of {elem}: expected {a:#x}, found {b:#x}"
                ));
            }
        }
        None
    }

    /// The buffers that the kernel writes, as indices into the buffers.
    pub fn written(&self) -> Vec<usize> {
        let buffers = self.kernel.params.iter().filter_map(|p| match p.kind {
            ParamKind::Buffer { access, .. } => Some(access),
            ParamKind::Scalar(_) => None,
        });
        let written = buffers.enumerate();
        let written = written.filter(|(_, access)| *access == Access::ReadWrite);
        written.map(|(i, _)| i).collect()
    }
}

fn elements(elem: Scalar, bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(elem.bytes()).map(|c| {
        let mut wide = [0; 8];
        wide[..c.len()].copy_from_slice(c);
        u64::from_le_bytes(wide)
    })
}

fn is_nan(elem: Scalar, bits: u64) -> bool {
    let (exponent, mantissa) = elem.float_format();
    let infinity = ((1u64 << exponent) - 1) << mantissa;
    let magnitude = bits & !(1u64 << (elem.bits() - 1));
    elem.is_float() && magnitude > infinity
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A stream for a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of some things, which are not none.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
