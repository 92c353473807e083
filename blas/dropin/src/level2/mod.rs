//! Level 2 on the host, over columns of the stored part (see `storage`): full, band and packed
//! routines are the same lines. Vectors are contiguous here; `Dense` makes them so.
//!
//! Where the reference leaves out a column for a zero of x, only small, band and packed triangles
//! do here: zero times NaN is NaN in the others.

mod symmetric;
mod triangular;

pub use symmetric::{symv, syr, syr2};
pub use triangular::{trmv, trsv};

use crate::args::Op;
use crate::kernels;
use crate::parallel::{self, Shared};
use crate::scalar::Scalar;
use crate::storage::Band;
use std::mem::MaybeUninit;

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
    let (a, x, y) = (Shared(a.cast_mut()), Shared(x.cast_mut()), Shared(y));
    // SAFETY: the ranges that threads take lie within the caller's matrix and vectors.
    unsafe {
        if !op.trans() {
            parallel::ranges(m, n * size_of::<T>(), |i, rows| {
                add_columns(op.conj(), rows, n, alpha, a.at(i), lda, x.at(0), y.at(i));
            });
        } else {
            parallel::ranges(n, m * size_of::<T>(), |j, cols| {
                add_dots(
                    op.conj(),
                    m,
                    cols,
                    alpha,
                    a.at(j * lda),
                    lda,
                    x.at(0),
                    y.at(j),
                );
            });
        }
    }
}

/// y += alpha·A·x.
unsafe fn add_columns<T: Scalar>(
    conj: bool,
    m: usize,
    n: usize,
    alpha: T,
    a: *const T,
    lda: usize,
    x: *const T,
    y: *mut T,
) {
    /// Rows of y that stay in the first cache, and columns whose factors are made at once.
    const ROWS: usize = 2048;
    const COLS: usize = 32;
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..m).step_by(ROWS) {
            let rows = (m - i).min(ROWS);
            for j in (0..n).step_by(COLS) {
                let cols = (n - j).min(COLS);
                let mut t = [MaybeUninit::<T>::uninit(); COLS];
                for (q, t) in t.iter_mut().enumerate().take(cols) {
                    t.write(alpha * *x.add(j + q));
                }
                let (column, t) = (a.add(i + j * lda), t.as_ptr().cast());
                kernels::columns(rows, cols, column, lda as isize, t, conj, y.add(i));
            }
        }
    }
}

/// y += alpha·Aᵗ·x.
unsafe fn add_dots<T: Scalar>(
    conj: bool,
    m: usize,
    n: usize,
    alpha: T,
    a: *const T,
    lda: usize,
    x: *const T,
    y: *mut T,
) {
    let mut j = 0;
    // SAFETY: the caller's promise.
    unsafe {
        macro_rules! at_once {
            ($n:literal) => {{
                let d = kernels::dots::<T, $n>(m, a.add(j * lda), lda as isize, x, conj);
                for (q, d) in d.into_iter().enumerate() {
                    *y.add(j + q) += alpha * d;
                }
                j += $n;
            }};
        }
        while j + 4 <= n {
            at_once!(4);
        }
        while j + 2 <= n {
            at_once!(2);
        }
        while j < n {
            at_once!(1);
        }
    }
}

/// y += alpha·op(A)·x for a band matrix of n columns.
pub unsafe fn gbmv<T: Scalar>(op: Op, n: usize, alpha: T, a: Band<T>, x: *const T, y: *mut T) {
    let (x, y, own) = (Shared(x.cast_mut()), Shared(y), Shared(a.a.cast_mut()));
    let bytes = (a.kl + a.ku + 1).saturating_mul(size_of::<T>());
    // SAFETY: each column's rows lie within the vectors; each thread has its elements of y.
    unsafe {
        if op.trans() {
            parallel::ranges(n, bytes, |from, len| {
                let a = Band { a: own.ptr(), ..a };
                for j in from..from + len {
                    let c = a.column(j);
                    *y.at(j) += alpha * kernels::dot(c.len, c.at, x.at(c.row), op.conj());
                }
            });
        } else {
            parallel::ranges(a.m, bytes, |from, len| {
                let a = Band { a: own.ptr(), ..a };
                let to = from + len;
                for j in from.saturating_sub(a.kl)..n.min(to.saturating_add(a.ku)) {
                    let (c, t) = (a.column(j).within(from, to), alpha * *x.at(j));
                    kernels::columns(c.len, 1, c.at, 0, &t, op.conj(), y.at(c.row));
                }
            });
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
