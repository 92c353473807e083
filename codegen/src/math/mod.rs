//! Elementary functions in the kernel language: one definition for every target, so that each
//! device gives the same accuracy, and the same bits.
//!
//! Each function takes f32 or f64 of any lanes and is free of branches, so that vectors stay
//! vectors. Special values are those of C99 Annex F. What f32 computes needs no f64.
//!
//! # Written for drivers that cannot be trusted
//!
//! A driver may contract a product and a sum into an `fma`, and may change the order of sums,
//! although it was told not to. So correctness rests on nothing but this: an `fma` that is
//! written is fused (devices that have none get an exact sequence), and integer operations do what
//! they say. Errors of products come from an `fma`, numbers are split by clearing bits, and where
//! one float operation must not meet the next, a [`Term::fence`] stands between them. A device may
//! also flush f32 denormals: for normal arguments with normal results none occur on the way.
//!
//! What lives where: [`term`] is notation, [`parts`] the pieces that functions share; then one file
//! for each family. Coefficients are minimax polynomials; comments give interval and error.

mod error;
mod exp;
mod gamma;
mod hyperbolic;
mod log;
pub mod parts;
mod power;
mod reduction;
mod root;
pub mod term;
mod trigonometry;

pub use error::{erf, erfc, erfcx, erfinv};
pub use exp::{exp, exp2, exp10, expm1};
pub use gamma::{lgamma, tgamma};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use log::{log, log1p, log2, log10};
pub use power::{pow, powi};
pub use root::{cbrt, hypot, rsqrt, sqrt};
pub use term::{Term, formula};
pub use trigonometry::{acos, asin, atan, atan2, cos, cospi, sin, sinpi, tan};
