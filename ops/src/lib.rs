//! Tensors on a device, and operators on them.
//!
//! - [`Tensor`]: a strided view of device memory.
//! - [`Expr`]: a lazy expression over tensors; evaluating it is one kernel.
//! - [`table`]: every operator, one row each: kernel expression, reference, error limit.
//! - `skeleton`: the map and reduce kernels that rows are put into. Operators have no others.
//! - [`Each`]: kernels of numbered tasks, for what is none of these.
//!
//! An operator never asks which backend it runs on; the skeletons ask the device's `Caps`.
//!
//! ```
//! use suanzi_backends::Context;
//! use suanzi_ops::{Tensor, ops};
//!
//! let ctx = Context::open("cpu")?;
//! let x = Tensor::from_slice(&ctx, &[2, 3], &[1.0f32, -2.0, 3.0, -4.0, 5.0, -6.0])?;
//! // |x| * 2, summed over the last axis: one kernel.
//! let y = ops::sum(&ops::mul(ops::abs(&x)?, 2.0)?, &[1], false)?;
//! assert_eq!(y.to_vec::<f32>()?, [12.0, 30.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod element;
pub mod error;
pub mod expr;
pub mod num;
pub mod reference;
pub mod shape;
mod skeleton;
pub mod table;
pub mod tensor;
pub mod tuning;

pub use element::Element;
pub use error::{Error, Result};
pub use expr::{Expr, Outside, Reduction};
pub use num::Num;
pub use skeleton::{
    By, Contract, Each, Io, Packed, Positions, Reach, Wanted, contract, contract_into, index_width,
    kernel_for, sample_kernels,
};
pub use table::functions as ops;
pub use tensor::Tensor;

pub use suanzi_codegen::Scalar;
