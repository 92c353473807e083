//! Legalisation: rewrites a verified kernel into one that a [`Target`] can express.

use crate::ir::Kernel;
use crate::target::Target;
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
    let _ = target;
    Ok(kernel.clone())
}
