//! Prints a legalised kernel in one of the C family of kernel languages.
//!
//! There is one printer ([`print`], [`expr`], [`memory`], [`fragment`], [`mask`],
//! [`literal`]) and a table
//! for each dialect ([`opencl`], [`cuda`], [`hip`], [`kin`]); [`mod@dialect`] says what is in a table. A new
//! vendor is a new table, never a branch in the printer; [`custom`] reads tables from TOML, for devices
//! that come as plugins.
//!
//! The text is made to have one meaning: signed arithmetic that wraps goes through unsigned kinds,
//! constants are exact, nothing is contracted (by a pragma in the text or by
//! [`Dialect::options`], which every compilation must be given), and names from the kernel are
//! followed by an underscore, so that none meets a keyword or a built-in function of the dialect.
//! The kernel's own name is kept, since it is looked up.
//!
//! What a target cannot do is not worked around here: that is [`crate::legalise`], whose output is
//! this module's input. What is left over is refused with a reason.

mod cuda;
mod custom;
mod dialect;
mod expr;
mod fragment;
mod hip;
mod kin;
mod literal;
mod mask;
mod memory;
mod opencl;
mod print;
mod template;

pub use cuda::CUDA;
pub use custom::described;
pub use dialect::*;
pub use hip::HIP;
pub use kin::{COREX, CUDALIKE, MACA, MUSA, SUPA};
pub use opencl::OPENCL;

use crate::ir::Kernel;
use crate::legalise::Unsupported;
use crate::target::Target;

/// Every dialect.
pub const DIALECTS: &[&Dialect] = &[&OPENCL, &CUDA, &HIP, &CUDALIKE, &MUSA, &MACA, &COREX, &SUPA];

/// Finds a dialect by name.
pub fn dialect(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().copied().find(|d| d.name == name)
}

/// Prints a kernel that was verified, and legalised for this target.
///
/// # Errors
/// What the dialect or the target has not.
pub fn emit(kernel: &Kernel, dialect: &Dialect, target: &Target) -> Result<String, Unsupported> {
    print::source(kernel, dialect, target).map_err(|what| Unsupported {
        kernel: kernel.name.clone(),
        what,
    })
}
