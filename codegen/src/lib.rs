//! Suanzi's kernel language.
//!
//! A kernel is built with [`builder::Builder`], checked by [`verify`], made fit for a target by
//! [`legalise`], and then either run by [`interp`] (the living definition of the semantics) or
//! printed by [`emit_c`] or lowered by [`emit_naga`]. Tiling, scheduling and fusion do not live
//! here: they are plain Rust functions that build kernels. This crate knows no device and no tensor.

pub mod builder;
pub mod emit_c;
pub mod emit_naga;
pub mod hash;
pub mod interp;
pub mod intrinsics;
pub mod ir;
pub mod legalise;
pub mod math;
pub mod samples;
pub mod target;
pub mod testing;
pub mod types;
pub mod verify;

pub use builder::Builder;
pub use ir::{Kernel, Place, Value};
pub use legalise::{Unsupported, legalise};
pub use target::Target;
pub use types::{Scalar, Type};
pub use verify::{VerifyError, verify};
