//! Level 2 on the device. Vectors come side by side, as the host's `level2` has them.

use super::blas::{Form, Matrix, Operand, Result, Vector, level2 as blas};
use super::staging::{general, matrix_back, triangle, triangle_back, vector, vector_back};
use super::wide;
use crate::args::{Diag, Op};
use crate::operand::View;
use crate::scalar::{Real, Scalar};
use crate::storage::{Band, Format, Triangle};
use suanzi_backends::Context;

/// A matrix whose columns are `ld` apart, conjugated if `conj`.
///
/// # Safety
/// The matrix is there.
unsafe fn stored<T: Scalar>(
    ctx: &Context,
    (a, ld): (*const T, usize),
    size: [usize; 2],
    conj: bool,
) -> Result<Matrix> {
    // SAFETY: the caller's promise.
    unsafe { general(ctx, View::new(a, ld, Op::N).conj_if(conj), size) }
}

/// A triangle as it is stored, of a form where it is packed.
///
/// # Safety
/// The triangle is there.
unsafe fn operand<T: Scalar>(
    ctx: &Context,
    t: Triangle<T>,
    form: Form,
    conj: bool,
) -> Result<Operand> {
    let n = t.n;
    // SAFETY: the caller's promise.
    unsafe {
        Ok(match t.format {
            Format::Full(ld) => stored(ctx, (t.a, ld), [n, n], conj)?.into(),
            Format::Band(ld, k) => {
                let (kl, ku) = match t.uplo {
                    crate::args::Uplo::Lower => (k, 0),
                    crate::args::Uplo::Upper => (0, k),
                };
                Operand::band(&stored(ctx, (t.a, ld), [k + 1, n], conj)?, n, kl, ku)?
            }
            Format::Packed => {
                let all = std::slice::from_raw_parts(t.a, n * (n + 1) / 2);
                let all: Vec<T> = all.iter().map(|x| x.conj_if(conj)).collect();
                Operand::packed(&vector(ctx, all.as_ptr(), all.len())?, n, form)?
            }
        })
    }
}

/// y := alpha·op(A)·x + beta·y, where op does not conjugate.
///
/// # Safety
/// As on the host.
unsafe fn product<T: Scalar>(
    ctx: &Context,
    a: Operand,
    (alpha, x): (T, *const T),
    (beta, y): (T, *mut T),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let x = vector(ctx, x, a.n())?;
        let to = given(ctx, beta, y, a.m())?;
        blas::gemv(wide(alpha), a, &x, wide(beta), &to)?;
        vector_back(&to, y)
    }
}

/// What is in a vector that is to be written, unless `beta` is 0.
///
/// # Safety
/// There are `n` elements.
unsafe fn given<T: Scalar>(ctx: &Context, beta: T, y: *const T, n: usize) -> Result<Vector> {
    if beta.is_zero() {
        let zeros = vec![T::zero(); n];
        // SAFETY: they are there.
        return unsafe { vector(ctx, zeros.as_ptr(), n) };
    }
    // SAFETY: the caller's promise.
    unsafe { vector(ctx, y, n) }
}

/// # Safety
/// As on the host.
pub unsafe fn gemv<T: Scalar>(
    ctx: &Context,
    op: Op,
    [m, n]: [usize; 2],
    (alpha, a, lda, x): (T, *const T, usize, *const T),
    y: (T, *mut T),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let a = stored(ctx, (a, lda), [m, n], op.conj())?;
        let a = if op.trans() { a.t() } else { a };
        product(ctx, a.into(), (alpha, x), y)
    }
}

/// # Safety
/// As on the host.
pub unsafe fn gbmv<T: Scalar>(
    ctx: &Context,
    op: Op,
    n: usize,
    (alpha, band, x): (T, Band<T>, *const T),
    y: (T, *mut T),
) -> Result<()> {
    let Band { m, lda, kl, ku, a } = band;
    // SAFETY: the caller's promise.
    unsafe {
        let a = stored(ctx, (a, lda), [kl + ku + 1, n], op.conj())?;
        let a = Operand::band(&a, m, kl, ku)?;
        let a = if op.trans() { a.t() } else { a };
        product(ctx, a, (alpha, x), y)
    }
}

/// A Hermitian (where complex) or symmetric matrix, conjugated if `conj`.
///
/// # Safety
/// As on the host.
pub unsafe fn symv<T: Scalar>(
    ctx: &Context,
    conj: bool,
    (alpha, t, x): (T, Triangle<T>, *const T),
    y: (T, *mut T),
) -> Result<()> {
    let form = match T::COMPLEX {
        true => Form::Hermitian(t.uplo.into()),
        false => Form::Symmetric(t.uplo.into()),
    };
    // SAFETY: the caller's promise.
    unsafe { product(ctx, operand(ctx, t, form, conj)?.with(form), (alpha, x), y) }
}

/// x := op(A)·x or, to solve, op(A)⁻¹·x.
///
/// # Safety
/// As on the host.
pub unsafe fn triangular<T: Scalar>(
    ctx: &Context,
    solve: bool,
    (op, diag, t): (Op, Diag, Triangle<T>),
    x: *mut T,
) -> Result<()> {
    let form = Form::Triangular(t.uplo.into(), diag.into());
    // SAFETY: the caller's promise.
    unsafe {
        let a = operand(ctx, t, form, op.conj())?;
        let (a, uplo) = match op.trans() {
            true => (a.t(), t.uplo.flip()),
            false => (a, t.uplo),
        };
        let to = vector(ctx, x, t.n)?;
        match solve {
            true => blas::trsv(uplo.into(), diag.into(), a, &to),
            false => blas::trmv(uplo.into(), diag.into(), a, &to),
        }?;
        vector_back(&to, x)
    }
}

/// A += alpha·x·yᵀ.
///
/// # Safety
/// As on the host.
pub unsafe fn ger<T: Scalar>(
    ctx: &Context,
    [m, n]: [usize; 2],
    (alpha, x, y): (T, *const T, *const T),
    (a, lda): (*mut T, usize),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let (x, y) = (vector(ctx, x, m)?, vector(ctx, y, n)?);
        let to = stored(ctx, (a, lda), [m, n], false)?;
        blas::ger(wide(alpha), &x, &y, &to)?;
        matrix_back(&to, a, lda)
    }
}

/// A += alpha·x·xᴴ or, with y, alpha·x·yᴴ + conj(alpha)·y·xᴴ; ᵀ where elements are real.
///
/// # Safety
/// As on the host.
pub unsafe fn update<T: Scalar>(
    ctx: &Context,
    (alpha, x, y): (T, *const T, Option<*const T>),
    t: Triangle<T>,
) -> Result<()> {
    let uplo = t.uplo.into();
    // SAFETY: the caller's promise.
    unsafe {
        let x = vector(ctx, x, t.n)?;
        let y = y.map(|y| vector(ctx, y, t.n)).transpose()?;
        let to = triangle(ctx, t)?;
        match (T::COMPLEX, y) {
            (true, Some(y)) => blas::her2(uplo, wide(alpha), &x, &y, &to),
            (true, None) => blas::her(uplo, alpha.re().wide(), &x, &to),
            (false, Some(y)) => blas::syr2(uplo, wide(alpha), &x, &y, &to),
            (false, None) => blas::syr(uplo, wide(alpha), &x, &to),
        }?;
        triangle_back(&to, t)
    }
}
