//! Between the caller's memory and the device's. On the device a matrix lies column by column without
//! gaps, a vector without increments.

use super::blas::{Matrix, Result, Vector};
use crate::operand::View;
use crate::scalar::Scalar;
use crate::storage::Triangle;
use suanzi_backends::Context;
use suanzi_ops::Tensor;

/// The reals of `n` elements.
///
/// # Safety
/// There are these elements, for as long as the slice is used.
unsafe fn parts<'a, T: Scalar>(at: *const T, n: usize) -> &'a [T::Real] {
    // SAFETY: the caller's promise; an element's memory is one or two reals.
    unsafe { std::slice::from_raw_parts(at.cast(), n * T::PARTS) }
}

fn tensor<T: Scalar>(ctx: &Context, shape: &[usize], parts: &[T::Real]) -> Result<Tensor> {
    let pairs: &[usize] = if T::COMPLEX { &[2] } else { &[] };
    Tensor::from_slice(ctx, &[shape, pairs].concat(), parts)
}

/// A matrix whose columns, of `m` elements each, are given one after the other.
fn matrix<T: Scalar>(ctx: &Context, [m, n]: [usize; 2], parts: &[T::Real]) -> Result<Matrix> {
    let columns = tensor::<T>(ctx, &[n, m], parts)?;
    Ok(match T::COMPLEX {
        true => Matrix::complex(&columns)?.t(),
        false => Matrix::real(&columns)?.t(),
    })
}

/// What a view shows.
///
/// # Safety
/// The view has `m` rows and `n` columns.
pub unsafe fn general<T: Scalar>(
    ctx: &Context,
    view: View<T>,
    [m, n]: [usize; 2],
) -> Result<Matrix> {
    let mut all = Vec::with_capacity(m * n * T::PARTS);
    for j in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            if view.rs == 1 && !view.conj {
                all.extend_from_slice(parts(view.ptr(0, j), m));
            } else {
                for i in 0..m {
                    let x = view.get(i, j);
                    all.extend_from_slice(parts(&raw const x, 1));
                }
            }
        }
    }
    matrix::<T>(ctx, [m, n], &all)
}

/// A matrix that is to be written, with what is in it unless `beta` is 0.
///
/// # Safety
/// There are `n` columns of `m` elements, `ld` apart.
pub unsafe fn result<T: Scalar>(
    ctx: &Context,
    beta: T,
    (at, ld): (*const T, usize),
    [m, n]: [usize; 2],
) -> Result<Matrix> {
    if beta.is_zero() {
        return matrix::<T>(ctx, [m, n], &vec![Default::default(); m * n * T::PARTS]);
    }
    // SAFETY: the caller's promise.
    unsafe { general(ctx, View::new(at, ld, crate::args::Op::N), [m, n]) }
}

/// The stored triangle of a matrix, zeros in the other one.
///
/// # Safety
/// The triangle is there.
pub unsafe fn triangle<T: Scalar>(ctx: &Context, t: Triangle<T>) -> Result<Matrix> {
    let mut all = vec![Default::default(); t.n * t.n * T::PARTS];
    for j in 0..t.n {
        // SAFETY: the caller's promise.
        unsafe {
            let c = t.column(j);
            let at = (j * t.n + c.row) * T::PARTS;
            all[at..][..c.len * T::PARTS].copy_from_slice(parts(c.at, c.len));
        }
    }
    matrix::<T>(ctx, [t.n, t.n], &all)
}

/// `n` elements side by side, conjugated if `conj`.
///
/// # Safety
/// There are these elements.
pub unsafe fn vector<T: Scalar>(ctx: &Context, x: *const T, n: usize) -> Result<Vector> {
    // SAFETY: the caller's promise.
    let tensor = tensor::<T>(ctx, &[n], unsafe { parts(x, n) })?;
    match T::COMPLEX {
        true => Vector::complex(&tensor),
        false => Vector::real(&tensor),
    }
}

/// Copies elements out of `parts`, from element `from` on.
///
/// # Safety
/// There is room for `n` elements.
pub unsafe fn write<T: Scalar>(parts: &[T::Real], from: usize, n: usize, to: *mut T) {
    let parts = &parts[from * T::PARTS..][..n * T::PARTS];
    // SAFETY: the caller's promise; an element's memory is one or two reals.
    unsafe {
        to.cast::<T::Real>()
            .copy_from_nonoverlapping(parts.as_ptr(), parts.len())
    };
}

/// Columns of a matrix, one after the other.
fn columns<T: Scalar>(matrix: &Matrix) -> Result<Vec<T::Real>> {
    matrix.t().tensor().to_vec()
}

/// Copies a matrix back.
///
/// # Safety
/// As for [`result`], and it may be written.
pub unsafe fn matrix_back<T: Scalar>(matrix: &Matrix, to: *mut T, ld: usize) -> Result<()> {
    let (m, all) = (matrix.m(), columns::<T>(matrix)?);
    for j in 0..matrix.n() {
        // SAFETY: the caller's promise.
        unsafe { write(&all, j * m, m, to.add(j * ld)) };
    }
    Ok(())
}

/// Copies a triangle back.
///
/// # Safety
/// As for [`triangle`], and it may be written.
pub unsafe fn triangle_back<T: Scalar>(matrix: &Matrix, t: Triangle<T>) -> Result<()> {
    let all = columns::<T>(matrix)?;
    for j in 0..t.n {
        // SAFETY: the caller's promise.
        unsafe {
            let c = t.column(j);
            write(&all, j * t.n + c.row, c.len, c.at);
        }
    }
    Ok(())
}

/// Copies a vector back.
///
/// # Safety
/// There is room for its elements.
pub unsafe fn vector_back<T: Scalar>(vector: &Vector, to: *mut T) -> Result<()> {
    let all = vector.tensor().to_vec()?;
    // SAFETY: the caller's promise.
    unsafe { write::<T>(&all, 0, vector.n(), to) };
    Ok(())
}
