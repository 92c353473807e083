//! Level 3 on the device. The arguments are those of the host's `level3`.

use super::blas::{Result, level3 as blas};
use super::staging::{general, matrix_back, result, triangle, triangle_back};
use super::wide;
use crate::args::{Diag, Side, Uplo};
use crate::operand::View;
use crate::scalar::{Real, Scalar};
use crate::storage::{Format, Triangle};
use suanzi_backends::Context;

/// # Safety
/// As on the host.
pub unsafe fn gemm<T: Scalar>(
    ctx: &Context,
    [m, n, k]: [usize; 3],
    (alpha, a, b): (T, View<T>, View<T>),
    (beta, c, ldc): (T, *mut T, usize),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let a = general(ctx, a, [m, k])?;
        let b = general(ctx, b, [k, n])?;
        let to = result(ctx, beta, (c, ldc), [m, n])?;
        blas::gemm(wide(alpha), &a, &b, wide(beta), &to)?;
        matrix_back(&to, c, ldc)
    }
}

/// # Safety
/// As on the host.
pub unsafe fn symm<T: Scalar>(
    ctx: &Context,
    (herm, side, uplo): (bool, Side, Uplo),
    [m, n]: [usize; 2],
    (alpha, a, b): (T, View<T>, View<T>),
    (beta, c, ldc): (T, *mut T, usize),
) -> Result<()> {
    let order = if side == Side::Left { m } else { n };
    // SAFETY: the caller's promise; a view of A as it lies has its leading dimension between columns.
    unsafe {
        let a = triangle(
            ctx,
            Triangle {
                n: order,
                uplo,
                format: Format::Full(a.cs as usize),
                a: a.at.cast_mut(),
            },
        )?;
        let b = general(ctx, b, [m, n])?;
        let to = result(ctx, beta, (c, ldc), [m, n])?;
        let (alpha, beta) = (wide(alpha), wide(beta));
        match herm {
            true => blas::hemm(side.into(), uplo.into(), (alpha, &a), &b, (beta, &to)),
            false => blas::symm(side.into(), uplo.into(), (alpha, &a), &b, (beta, &to)),
        }?;
        matrix_back(&to, c, ldc)
    }
}

/// C := alpha·A·Aᵀ + beta·C or, with B, alpha·(A·Bᵀ + B·Aᵀ) + beta·C, in one triangle; or their
/// Hermitian kin. `trans`: of the operands' transposes, which they already are, unconjugated.
///
/// # Safety
/// As on the host.
pub unsafe fn update<T: Scalar>(
    ctx: &Context,
    (herm, uplo, trans): (bool, Uplo, bool),
    [n, k]: [usize; 2],
    (alpha, a, b): (T, View<T>, Option<View<T>>),
    (beta, c, ldc): (T, *mut T, usize),
) -> Result<()> {
    let format = Format::Full(ldc);
    let kept = Triangle {
        n,
        uplo,
        format,
        a: c,
    };
    // SAFETY: the caller's promise.
    unsafe {
        let operand = |v: View<T>| general(ctx, v.conj_if(herm && trans), [n, k]);
        let (a, b) = (operand(a)?, b.map(operand).transpose()?);
        let to = match beta.is_zero() {
            true => result(ctx, beta, (c, ldc), [n, n])?,
            false => triangle(ctx, kept)?,
        };
        let (uplo, alpha, real) = (uplo.into(), wide(alpha), beta.re().wide());
        match (herm, b) {
            (true, Some(b)) => blas::her2k(uplo, (alpha, &a, &b), (real, &to)),
            (true, None) => blas::herk(uplo, (alpha.re, &a), (real, &to)),
            (false, Some(b)) => blas::syr2k(uplo, (alpha, &a, &b), (wide(beta), &to)),
            (false, None) => blas::syrk(uplo, (alpha, &a), (wide(beta), &to)),
        }?;
        triangle_back(&to, kept)
    }
}

/// # Safety
/// As on the host.
pub unsafe fn triangular<T: Scalar>(
    ctx: &Context,
    (solve, side, uplo, trans, diag): (bool, Side, Uplo, bool, Diag),
    [m, n]: [usize; 2],
    (alpha, a): (T, View<T>),
    (b, ldb): (*mut T, usize),
) -> Result<()> {
    let order = if side == Side::Left { m } else { n };
    // Of op(A).
    let uplo = if trans { uplo.flip() } else { uplo };
    // SAFETY: the caller's promise.
    unsafe {
        let a = general(ctx, a, [order, order])?;
        let to = result(ctx, T::one(), (b, ldb), [m, n])?;
        let factors = (wide(alpha), &a);
        match solve {
            true => blas::trsm(side.into(), uplo.into(), diag.into(), factors, &to),
            false => blas::trmm(side.into(), uplo.into(), diag.into(), factors, &to),
        }?;
        matrix_back(&to, b, ldb)
    }
}
