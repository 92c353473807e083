//! The interpreter: the living definition of the language, and the built-in `cpu` device.
//!
//! A [`Program`] is a kernel decoded once into calls of small loops. A work-group runs
//! lane-vectorised: each operation over all its work-items at once ([`lanes`], [`access`]), with
//! masks where control flow diverges ([`run`]); groups run on all cores. What an operation does to
//! one scalar is in [`ops`] and [`convert`], and nowhere else.
//!
//! Every access to a buffer or array by an active work-item is checked. Unordered accesses by
//! different work-groups to the same element, which the language forbids, give unspecified values.

mod access;
mod atomics;
mod code;
pub mod convert;
mod decode;
mod error;
mod fragment;
mod lanes;
mod liveness;
mod memory;
pub mod ops;
mod race;
mod run;
mod slots;
mod subgroup;

pub use error::InterpError;
pub use memory::Memory;

use crate::ir::{Access, Const, Kernel, ParamKind};
use crate::verify::verify;
use access::Buffer;
use code::Code;
use rayon::prelude::*;
use run::{Launch, Runner, Scratch};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Work-items run together, if groups are smaller: enough to hide the cost of a call per
/// operation.
const TOGETHER: u32 = 1024;

/// Bytes of slots and arrays that groups run together may have: what the second cache level holds.
const WORKING_SET: usize = 256 << 10;

/// Pieces that a launch is cut into for each thread, so that uneven ones balance.
const PIECES_PER_THREAD: u64 = 8;

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// For a buffer parameter: the whole memory.
    Buffer(&'a Memory),
    /// For a scalar parameter, of its kind.
    Scalar(Const),
}

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Work-items in a subgroup; the last one of a group may have fewer.
    pub subgroup_width: u32,
    /// Whether work-groups run on all cores.
    pub parallel: bool,
    /// Whether to report shared elements that two work-items touch, one of them writing, with no
    /// barrier between. Slow; for tests.
    pub detect_races: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            subgroup_width: 32,
            parallel: true,
            detect_races: false,
        }
    }
}

/// A kernel, verified and decoded.
pub struct Program {
    kernel: Kernel,
    options: Options,
    /// For many groups, where one has few work-items.
    batched: Option<Decoded>,
    /// For a group at a time.
    single: Decoded,
}

/// Code and the scratch memories that no thread is using.
struct Decoded {
    code: Code,
    idle: Mutex<Vec<Scratch>>,
}

impl Decoded {
    fn new(code: Code) -> Decoded {
        Decoded {
            code,
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `batches` batches of groups, from the group `first` on.
    fn run(
        &self,
        launch: Launch,
        first: u64,
        batches: std::ops::Range<u64>,
    ) -> Result<(), InterpError> {
        let idle = self.idle().pop();
        let mut scratch = idle.map_or_else(|| Scratch::new(&self.code), Ok)?;
        let mut runner = Runner::new(&self.code, launch, &mut scratch);
        for batch in batches {
            runner.groups(first + batch * u64::from(self.code.batch))?;
        }
        self.idle().push(scratch);
        Ok(())
    }

    /// The same on all cores.
    fn run_parallel(&self, launch: Launch, first: u64, batches: u64) -> Result<(), InterpError> {
        let pieces = batches.min(rayon::current_num_threads() as u64 * PIECES_PER_THREAD);
        let cut = |i| (u128::from(batches) * u128::from(i) / u128::from(pieces)) as u64;
        (0..pieces)
            .into_par_iter()
            .try_for_each(|i| self.run(launch, first, cut(i)..cut(i + 1)))
    }
}

impl Program {
    /// Verifies and decodes a kernel.
    ///
    /// # Errors
    /// [`InterpError::Invalid`], or [`InterpError::Unsupported`] for what does not fit.
    pub fn new(kernel: &Kernel, options: Options) -> Result<Program, InterpError> {
        verify(kernel)?;
        let unsupported = |what: String| InterpError::Unsupported {
            kernel: kernel.name.clone(),
            what,
        };
        let len = kernel
            .workgroup
            .iter()
            .map(|&n| u64::from(n))
            .product::<u64>();
        if kernel.workgroup.iter().any(|&n| n > MAX_GROUP) || len > u64::from(MAX_GROUP) {
            return Err(unsupported(format!(
                "a work-group of {len} work-items; at most {MAX_GROUP} can be had"
            )));
        }
        if options.subgroup_width == 0 {
            return Err(unsupported("subgroups of width 0".into()));
        }
        if kernel
            .fragments
            .iter()
            .any(|f| f.m == 0 || f.n == 0 || f.k == 0)
        {
            return Err(unsupported("a fragment of no elements".into()));
        }
        let decode = |batch| decode::decode(kernel, batch, options.subgroup_width);
        let single = decode(1)?;
        let fit = WORKING_SET / single.arena.max(1);
        let batch = (TOGETHER / kernel.workgroup_len()).min(fit as u32);
        // The race detector keeps track of one group.
        let batched = match batch > 1 && !options.detect_races {
            true => Some(Decoded::new(decode(batch)?)),
            false => None,
        };
        Ok(Program {
            single: Decoded::new(single),
            batched,
            kernel: kernel.clone(),
            options,
        })
    }

    /// The kernel.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Runs `groups` work-groups along each axis; none, if one of them is 0.
    ///
    /// # Errors
    /// [`InterpError::Arguments`] before anything ran; [`InterpError::OutOfBounds`],
    /// [`InterpError::Race`] and [`InterpError::Loop`] with the buffers in an unspecified state.
    pub fn run(&self, groups: [u32; 3], args: &[Arg]) -> Result<(), InterpError> {
        let (buffers, scalars) = self.bind(args)?;
        let launch = Launch {
            kernel: &self.kernel,
            buffers: &buffers,
            scalars: &scalars,
            groups,
            subgroup_width: self.options.subgroup_width,
            detect_races: self.options.detect_races,
        };
        let total = groups
            .into_iter()
            .try_fold(1u64, |n, g| n.checked_mul(g.into()));
        let total = total.ok_or_else(|| self.arguments(format!("{groups:?} work-groups")))?;
        let parallel = self.options.parallel;
        let mut first = 0;
        if let Some(batched) = &self.batched {
            let batch = u64::from(batched.code.batch);
            let threads = if parallel {
                rayon::current_num_threads()
            } else {
                1
            };
            // A few small groups are better spread over the cores than run together.
            if total >= batch * threads as u64 {
                first = total / batch * batch;
                batched.launch(launch, 0, first / batch, parallel)?;
            }
        }
        self.single.launch(launch, first, total - first, parallel)
    }

    fn arguments(&self, what: String) -> InterpError {
        InterpError::Arguments {
            kernel: self.kernel.name.clone(),
            what,
        }
    }

    /// Checks the arguments against the parameters.
    fn bind(&self, args: &[Arg]) -> Result<(Vec<Buffer>, Vec<u64>), InterpError> {
        let params = &self.kernel.params;
        if args.len() != params.len() {
            return Err(self.arguments(format!(
                "{} arguments for {} parameters",
                args.len(),
                params.len()
            )));
        }
        let nothing = Buffer {
            ptr: std::ptr::null_mut(),
            len: 0,
        };
        let mut buffers = vec![nothing; args.len()];
        let mut scalars = vec![0; args.len()];
        // First bytes of the buffers seen, and whether they may be written.
        let mut seen: Vec<(*mut u8, bool, &str)> = vec![];
        for (i, (param, arg)) in params.iter().zip(args).enumerate() {
            let name = param.name.as_str();
            match (param.kind, arg) {
                (ParamKind::Scalar(s), Arg::Scalar(c)) if c.scalar == s => scalars[i] = c.bits,
                (ParamKind::Scalar(s), Arg::Scalar(c)) => {
                    return Err(self.arguments(format!("`{name}` is {s}, not {}", c.scalar)));
                }
                (ParamKind::Buffer { access, .. }, Arg::Buffer(memory)) => {
                    let written = access == Access::ReadWrite;
                    let shared = seen
                        .iter()
                        .find(|(ptr, w, _)| *ptr == memory.base() && (*w || written));
                    if let (Some((_, _, other)), false) = (shared, memory.is_empty()) {
                        return Err(self.arguments(format!(
                            "`{other}` and `{name}` are the same memory, which is written: \
                             pass it once"
                        )));
                    }
                    seen.push((memory.base(), written, name));
                    buffers[i] = Buffer {
                        ptr: memory.base(),
                        len: memory.len(),
                    };
                }
                (ParamKind::Scalar(_), Arg::Buffer(_)) => {
                    return Err(self.arguments(format!("`{name}` is a scalar, not a buffer")));
                }
                (ParamKind::Buffer { .. }, Arg::Scalar(_)) => {
                    return Err(self.arguments(format!("`{name}` is a buffer, not a scalar")));
                }
            }
        }
        Ok((buffers, scalars))
    }
}

impl Decoded {
    fn launch(
        &self,
        launch: Launch,
        first: u64,
        batches: u64,
        parallel: bool,
    ) -> Result<(), InterpError> {
        match parallel && batches > 1 {
            true => self.run_parallel(launch, first, batches),
            false if batches > 0 => self.run(launch, first, 0..batches),
            false => Ok(()),
        }
    }
}

/// Most work-items of a group.
const MAX_GROUP: u32 = 1 << 16;

/// Whether this processor has the features that [`lanes`] compiles its loops for a second time.
fn wide_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx2")
            && has!("fma")
            && has!("f16c")
            && has!("bmi2")
            && has!("lzcnt")
            && has!("popcnt")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}
