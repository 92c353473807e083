//! Linear systems: factorisations and what solves with them.
//!
//! - [`potrf`], [`potrs`]: Hermitian positive definite matrices, Cholesky.
//! - [`getrf`], [`getrs`], [`getri`]: any square matrix, LU with partial pivoting.
//! - [`geqrf`], [`ormqr`], [`orgqr`]: any matrix, QR by reflectors.
//!
//! Names, storage and numbering are LAPACK's: factors overwrite the matrix, pivots count from 1. f32 and f64,
//! real and complex, any layout and any batch. A matrix is halved until a panel of 64 columns is left (on a CPU, 256); the rest is level 3. A
//! panel has a kernel, with a work-group for each matrix of the batch, which does a batch of small matrices whole.
//!
//! What is numerically wrong with a matrix is no error: it is in `info`, as in LAPACK, on the device. A
//! matrix whose rows lie side by side (column-major) is factored where it is, another one in a copy.
//!
//! ```
//! use suanzi_backends::Context;
//! use suanzi_blas::{Matrix, solve::{self, Trans}};
//! use suanzi_ops::Tensor;
//!
//! let ctx = Context::open("cpu")?;
//! let a = Matrix::real(&Tensor::from_slice(&ctx, &[2, 2], &[0.0f32, 2.0, 4.0, 4.0])?)?;
//! let b = Matrix::real(&Tensor::from_slice(&ctx, &[2, 1], &[2.0f32, 12.0])?)?;
//! let lu = solve::getrf(&a)?;
//! assert_eq!(lu.pivots.to_vec::<i32>()?, [2, 2]);
//! solve::getrs(Trans::No, &a, &lu.pivots, &b)?;
//! assert_eq!(b.tensor().to_vec::<f32>()?, [2.0, 1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cholesky;
mod lu;
pub(crate) mod panel;
mod qr;
mod reflector;

pub use cholesky::{potrf, potrs};
pub use lu::{Pivoted, Trans, getrf, getri, getrs};
pub use qr::{geqrf, orgqr, ormqr};

use crate::matrix::Matrix;
use crate::{Error, Result};
use suanzi_ops::{Expr, Num, ops};

/// A is square and B has as many rows, and both are alike otherwise.
fn fits(op: &str, a: &Matrix, b: &Matrix) -> Result<()> {
    square(op, a)?;
    if a.n() != b.m() || a.batch() != b.batch() {
        let shapes = [a.tensor().shape(), b.tensor().shape()];
        return Err(Error::shape(op, shapes, "A and B do not fit"));
    }
    if a.dtype() != b.dtype() || a.is_complex() != b.is_complex() {
        let why = "matrices are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a.dtype(), b.dtype()], why));
    }
    panel::check(op, a)
}

fn square(op: &str, a: &Matrix) -> Result<()> {
    match a.m() == a.n() {
        true => Ok(()),
        false => Err(Error::shape(
            op,
            [a.tensor().shape()],
            "the matrix is square",
        )),
    }
}

/// Ones on the diagonals of matrices of a size, for each of the batch.
fn identity(like: &Matrix, [m, n]: [usize; 2]) -> Result<Matrix> {
    let pair = &[2][..usize::from(like.is_complex())];
    let shape = [like.batch(), &[m, n], pair].concat();
    let (ctx, nb) = (like.tensor().context(), like.nb());
    let at = |axis: usize| Expr::position(ctx, &shape, axis as i64);
    let mut ones = ops::eq(at(nb)?, at(nb + 1)?)?;
    if like.is_complex() {
        ones = ops::logical_and(ones, ops::eq(at(nb + 2)?, 0)?)?;
    }
    let one = Expr::scalar(like.dtype(), Num::Float(1.0));
    Matrix::like(like, &ops::where_(ones, one, 0.0)?.eval()?)
}
