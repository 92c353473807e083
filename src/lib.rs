//! Suanzi: operators and mathematics for GPUs, on one small language for kernels.
//!
//! This crate only gathers the others under one name:
//!
//! - [`codegen`]: the kernel language: IR, builder, verifier, interpreter, emitters.
//! - [`backends`]: devices, and the [`Context`](backends::Context) that wraps one.
//! - [`ops`]: tensors on a device and their operators.
//! - [`blas`], [`dnn`]: matrices and layers.
//!
//! The command of the same name (`suanzi devices`, …) is `main.rs`, a file for each subcommand.

pub use suanzi_backends as backends;
pub use suanzi_blas as blas;
pub use suanzi_codegen as codegen;
pub use suanzi_dnn as dnn;
pub use suanzi_ops as ops;
