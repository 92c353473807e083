//! Matrices on a device: BLAS levels 1 to 3, and linear systems.
//!
//! - [`Matrix`], [`Vector`]: views of tensors, real or complex, of any strides.
//! - [`Operand`]: a matrix as it enters a product: transposed, conjugated, symmetric, triangular.
//! - [`level1`], [`level2`], [`level3`]: the routines, by the names that everybody knows.
//! - [`extension`], [`grouped`]: what vendors' libraries have beside BLAS.
//! - [`solve`]: factorisations and what solves with them, by LAPACK's names.
//! - [`table`]: every routine once more, as rows that the conformance suite runs.
//!
//! A routine is a loader, an epilogue or a recursion over the contraction of [`suanzi_ops`]; only panels of
//! factorisations have kernels of their own. Complex numbers are pairs (the last axis of the tensor has two elements), and
//! a product of complex matrices is one of real ones with twice the `k`: see [`product`].
//!
//! ```
//! use suanzi_backends::Context;
//! use suanzi_blas::{Matrix, level3::gemm};
//! use suanzi_ops::Tensor;
//!
//! let ctx = Context::open("cpu")?;
//! let a = Matrix::real(&Tensor::from_slice(&ctx, &[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?)?;
//! let c = Matrix::real(&Tensor::from_slice(&ctx, &[2, 2], &[1.0f32, 1.0, 1.0, 1.0])?)?;
//! gemm(2.0, &a, a.t(), -1.0, &c)?;
//! assert_eq!(c.tensor().to_vec::<f32>()?, [27.0, 63.0, 63.0, 153.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod extension;
pub mod grouped;
mod inverse;
pub mod level1;
pub mod level2;
pub mod level3;
mod load;
pub mod matrix;
mod overlap;
pub mod product;
mod reference;
pub mod solve;
pub mod table;
pub mod vector;

pub use matrix::{Diag, Form, Matrix, Operand, Side, Uplo};
pub use vector::Vector;

/// Errors are those of the operators: which routine, which shapes, which rule.
pub use suanzi_ops::{Error, Result};
