//! Level 2 on the host, over columns of the stored part (see `storage`): full, band and packed
//! routines are the same lines. Vectors are contiguous here; `Dense` makes them so.
//!
//! Elements of x that are zero skip their column exactly where the reference skips it, so that
//! NaN and infinities go where they go there.

use crate::args::{Diag, Op, Uplo};
use crate::kernels;
use crate::parallel::{self, Shared};
use crate::scalar::Scalar;
use crate::storage::{Band, Triangle};

/// y += alpha·op(A)·x for a full matrix of m rows and n columns.
pub unsafe fn gemv<T: Scalar>(
    op: Op,
    m: usize,
    n: usize,
    alpha: T,
    a: *const T,
    lda: usize,
    x: *const T,
    y: *mut T,
) {
    let lda = lda as isize;
    // SAFETY: the ranges that threads take lie within the caller's matrix and vectors.
    unsafe {
        if !op.trans() {
            let scaled: Vec<T> = (0..n).map(|j| alpha * *x.add(j)).collect();
            let (a, y, t) = (
                Shared(a.cast_mut()),
                Shared(y),
                Shared(scaled.as_ptr().cast_mut()),
            );
            parallel::ranges(m, n * size_of::<T>(), |i, len| {
                kernels::columns(len, n, a.at(i), lda, t.at(0), op.conj(), y.at(i));
            });
        } else {
            let (a, x, y) = (Shared(a.cast_mut()), Shared(x.cast_mut()), Shared(y));
            parallel::ranges(n, m * size_of::<T>(), |from, len| {
                const N: usize = 4;
                let (x, mut j) = (x.at(0), from);
                while j < from + len {
                    let column = a.at(0).offset(j as isize * lda);
                    if j + N <= from + len {
                        let d = kernels::dots::<T, N>(m, column, lda, x, op.conj());
                        for (i, d) in d.into_iter().enumerate() {
                            *y.at(j + i) += alpha * d;
                        }
                        j += N;
                    } else {
                        *y.at(j) += alpha * kernels::dot(m, column, x, op.conj());
                        j += 1;
                    }
                }
            });
        }
    }
}

/// y += alpha·op(A)·x for a band matrix of n columns.
pub unsafe fn gbmv<T: Scalar>(op: Op, n: usize, alpha: T, a: Band<T>, x: *const T, y: *mut T) {
    // SAFETY: each column's rows lie within the vectors.
    unsafe {
        for j in 0..n {
            let c = a.column(j);
            if op.trans() {
                *y.add(j) += alpha * kernels::dot(c.len, c.at, x.add(c.row), op.conj());
            } else {
                let t = alpha * *x.add(j);
                kernels::columns(c.len, 1, c.at, 0, &t, op.conj(), y.add(c.row));
            }
        }
    }
}

/// y += alpha·A·x for a symmetric or Hermitian A, or its conjugate.
pub unsafe fn symv<T: Scalar>(
    herm: bool,
    conj: bool,
    alpha: T,
    a: Triangle<T>,
    x: *const T,
    y: *mut T,
) {
    // SAFETY: each column's rows lie within the vectors.
    unsafe {
        for j in 0..a.n {
            let (c, d) = a.split(j);
            let t = alpha * *x.add(j);
            let (x, from) = (x.add(c.row), y.add(c.row));
            let sum = kernels::both(c.len, c.at, t, x, from, conj, herm && !conj);
            let d = if herm { T::real((*d).re()) } else { *d };
            *y.add(j) += t * d + alpha * sum;
        }
    }
}

/// The order of columns in which a triangle is applied in place, or solved if `solve`.
fn order(op: Op, uplo: Uplo, solve: bool, n: usize) -> impl Iterator<Item = usize> {
    let ascending = (uplo == Uplo::Upper) != op.trans();
    let ascending = ascending != solve;
    (0..n).map(move |i| if ascending { i } else { n - 1 - i })
}

/// x := op(A)·x.
pub unsafe fn trmv<T: Scalar>(op: Op, diag: Diag, a: Triangle<T>, x: *mut T) {
    // SAFETY: each column's rows lie within the vector.
    unsafe {
        for j in order(op, a.uplo, false, a.n) {
            let (c, d) = a.split(j);
            let d = (*d).conj_if(op.conj());
            let mut t = *x.add(j);
            if op.trans() {
                if diag == Diag::NonUnit {
                    t *= d;
                }
                *x.add(j) = t + kernels::dot(c.len, c.at, x.add(c.row), op.conj());
            } else if !t.is_zero() {
                kernels::columns(c.len, 1, c.at, 0, &t, op.conj(), x.add(c.row));
                if diag == Diag::NonUnit {
                    *x.add(j) = t * d;
                }
            }
        }
    }
}

/// x := op(A)⁻¹·x.
pub unsafe fn trsv<T: Scalar>(op: Op, diag: Diag, a: Triangle<T>, x: *mut T) {
    // SAFETY: each column's rows lie within the vector.
    unsafe {
        for j in order(op, a.uplo, true, a.n) {
            let (c, d) = a.split(j);
            let d = (*d).conj_if(op.conj());
            let mut t = *x.add(j);
            if op.trans() {
                t -= kernels::dot(c.len, c.at, x.add(c.row), op.conj());
                *x.add(j) = if diag == Diag::NonUnit { t.over(d) } else { t };
            } else if !t.is_zero() {
                if diag == Diag::NonUnit {
                    t = t.over(d);
                    *x.add(j) = t;
                }
                kernels::columns(c.len, 1, c.at, 0, &-t, op.conj(), x.add(c.row));
            }
        }
    }
}

/// A += alpha·x·yᵀ (y is conjugated beforehand where that is meant).
pub unsafe fn ger<T: Scalar>(
    m: usize,
    n: usize,
    alpha: T,
    x: *const T,
    y: *const T,
    a: *mut T,
    lda: usize,
) {
    let (x, y, a) = (Shared(x.cast_mut()), Shared(y.cast_mut()), Shared(a));
    // SAFETY: the columns are disjoint.
    unsafe {
        parallel::ranges(n, m * size_of::<T>(), |from, len| {
            for j in from..from + len {
                let t = *y.at(j);
                if !t.is_zero() {
                    kernels::axpy(m, alpha * t, x.at(0), a.at(j * lda));
                }
            }
        });
    }
}

/// A += alpha·x·xᵀ, or alpha·x·xᴴ with a real diagonal.
pub unsafe fn syr<T: Scalar>(herm: bool, alpha: T, x: *const T, a: Triangle<T>) {
    // SAFETY: each column's rows lie within the vector.
    unsafe {
        for j in 0..a.n {
            let (c, (_, d)) = (a.column(j), a.split(j));
            let xj = *x.add(j);
            if !xj.is_zero() {
                kernels::axpy(c.len, alpha * xj.conj_if(herm), x.add(c.row), c.at);
            }
            if herm {
                *d = T::real((*d).re());
            }
        }
    }
}

/// A += alpha·x·yᵀ + alpha·y·xᵀ, or alpha·x·yᴴ + conj(alpha)·y·xᴴ with a real diagonal.
pub unsafe fn syr2<T: Scalar>(herm: bool, alpha: T, x: *const T, y: *const T, a: Triangle<T>) {
    // SAFETY: each column's rows lie within the vectors.
    unsafe {
        for j in 0..a.n {
            let (c, (_, d)) = (a.column(j), a.split(j));
            let (xj, yj) = (*x.add(j), *y.add(j));
            if !xj.is_zero() || !yj.is_zero() {
                kernels::axpy(c.len, alpha * yj.conj_if(herm), x.add(c.row), c.at);
                kernels::axpy(c.len, (alpha * xj).conj_if(herm), y.add(c.row), c.at);
            }
            if herm {
                *d = T::real((*d).re());
            }
        }
    }
}
