//! Legalisation: rewrites a verified kernel into one that a [`Target`] can express, with the same
//! results to the bit.
//!
//! # What an emitter may rely on
//!
//! [`check_legal`] checks this, but for the ranges of values, which no check can see.
//!
//! 1. No value has more lanes than [`Target::max_lanes`]. Where a wide access was `aligned`, its
//!    parts are; single elements always are.
//! 2. No buffer or array holds bools: they hold bytes, 0 or 1.
//! 3. Kinds that are [`Support::Native`] occur anywhere. Kinds that are [`Support::Storage`] occur
//!    only as the result of a load, the value of a store or of a fragment's fill, and on one side
//!    of a cast: small integers from or to i32 and u32 (or another small one), f16 from or to f32.
//!    So an emitter needs no arithmetic in them, but may be asked for a cast there and back.
//!    bf16 that is not native does not occur: its memory is u16.
//! 4. Kinds that are [`Support::Packed`] do not occur at all. Their memory is u32 words, the first
//!    element in the lowest bits; a buffer must begin at a word and end at one. Stores of less than
//!    a word to buffers and shared arrays are an atomic `And` and an atomic `Or`, so the same
//!    buffer may be loaded plainly and changed atomically. (A byte whose kind is missing, and
//!    stands for a bool, is packed as well.)
//! 5. These operations do not occur: `Abs`, `IsNan`, `IsInf`; `Neg`, `Min`, `Max` and `Rem` of
//!    floats; `Popcount` and `Clz` but of 32 bits; `Eq` and `Ne` of bools; `Fma` but of f32 and
//!    f64, and of these only where [`Target::fused_fma`]; what [`Target::soft`] lists.
//! 6. `Div` and `Rem` of integers never meet a zero divisor, nor `MIN / -1`. Shift amounts are
//!    below the width. Integer `Add`, `Sub`, `Mul` and `Neg` do wrap: in C, do them unsigned.
//! 7. Casts have [`CastMode::Wrap`](crate::ir::CastMode) and are one of: integer to integer, the
//!    low bits kept, and no change of sign where the width grows; i32, u32, i64 or u64 to f32 or f64, and back where the truncated value is
//!    known to fit; f32 from or to f64, f16 or (native) bf16. Roundings are to nearest even, with
//!    denormals. No cast has to do with bools: they become `Select` and comparisons.
//! 8. Comparisons, `Floor`, `Ceil`, `Trunc`, `Rint`, `Sqrt`, `Add`, `Sub`, `Mul` and `Div` of
//!    floats are the target's own, and must be IEEE 754's.
//!
//! # How
//!
//! `support` refuses what cannot be emulated. Three passes over one walker (`walk`) follow, each
//! from kernel to kernel: `promote` (with `memory` and `casts`) takes care of kinds, `exact` (with
//! `ints`, `float`, `fma`, `soft` and `range`) of operations, `vectors` of lanes. `tidy` removes what they leave
//! over. The rewritings are plain functions over a [`Builder`](crate::Builder) on any lane count.

mod bits;
mod casts;
mod check;
mod exact;
mod float;
mod fma;
mod ints;
mod memory;
mod ops;
mod promote;
mod range;
mod soft;
mod support;
mod tidy;
mod vectors;
pub mod walk;

pub use check::check_legal;

use crate::ir::Kernel;
#[cfg(doc)]
use crate::target::Support;
use crate::target::Target;
use crate::verify::verify;
use thiserror::Error;

/// A kernel needs something that the target does not have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("kernel `{kernel}` cannot run on this target: {what}")]
pub struct Unsupported {
    /// The kernel's name.
    pub kernel: String,
    /// What is missing.
    pub what: String,
}

/// Makes a kernel fit for a target.
///
/// # Errors
/// The first thing that the target has not and that is not emulated.
pub fn legalise(kernel: &Kernel, target: &Target) -> Result<Kernel, Unsupported> {
    let refuse = |what: String| Unsupported {
        kernel: kernel.name.clone(),
        what,
    };
    let k = tidy::tidy(kernel);
    support::check(&k, target).map_err(refuse)?;
    let k = walk::run(&k, &mut promote::Promote { target });
    let k = walk::run(&k, &mut exact::Exact { target });
    let k = walk::run(&k, &mut vectors::Split::new(target.max_lanes));
    let k = tidy::tidy(&k);
    verify(&k).map_err(|e| refuse(format!("legalisation gave an invalid kernel: {}", e.what)))?;
    Ok(k)
}
