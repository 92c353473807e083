//! The vendors of CUDA-like devices: a file of data each, and a line in the registry.
//!
//! Names and numbers come from the vendors' public headers and documentation, and from public
//! programs that call these libraries; `docs/vendors/` says for each what is known, what was
//! verified and what is not known.

pub mod biren;
pub mod hygon;
pub mod iluvatar;
pub mod metax;
pub mod moorethreads;
pub mod nvidia;
