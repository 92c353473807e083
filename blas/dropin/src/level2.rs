//! Level 2 on the host, over columns of the stored part (see `storage`): full, band and packed
//! routines are the same lines. Vectors are contiguous here; `Dense` makes them so.
//!
//! Where the reference leaves out a column for a zero of x, only small, band and packed triangles
//! do here: zero times NaN is NaN in the others.

use crate::args::{Diag, Op, Uplo};
use crate::kernels;
use crate::parallel::{self, Shared};
use crate::scalar::Scalar;
use crate::storage::{Band, Format, Triangle};

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
                add_dots(op.conj(), m, cols, alpha, a.at(j * lda), lda, x.at(0), y.at(j));
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
                let mut t = [T::default(); COLS];
                for (q, t) in t.iter_mut().enumerate().take(cols) {
                    *t = alpha * *x.add(j + q);
                }
                let column = a.add(i + j * lda);
                kernels::columns(rows, cols, column, lda as isize, t.as_ptr(), conj, y.add(i));
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
        while !T::COMPLEX && j + 4 <= n {
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
    // SAFETY: the columns' rows lie within the vectors.
    unsafe {
        // What column j does with the rows `from` to `to` beside its diagonal.
        let column = |j: usize, from: usize, to: usize| {
            let (c, _) = a.split(j);
            let from = from.max(c.row);
            let rows = to.min(c.row + c.len).saturating_sub(from);
            let (t, at) = ([alpha * *x.add(j)], c.at.wrapping_add(from).wrapping_sub(c.row));
            let [sum] = kernels::both(rows, at, 0, &t, x.add(from), y.add(from), conj, herm && !conj);
            *y.add(j) += alpha * sum;
        };
        let diagonal = |j: usize| {
            let (_, d) = a.split(j);
            let d = if herm { T::real((*d).re()) } else { *d };
            *y.add(j) += alpha * *x.add(j) * d;
        };
        let mut j = 0;
        if let Format::Full(lda) = a.format {
            /// Some columns at once: first beside their diagonal block, then in it.
            const N: usize = 2;
            while j + N <= a.n {
                let (from, to) = if a.uplo == Uplo::Upper { (0, j) } else { (j + N, a.n) };
                let t: [T; N] = std::array::from_fn(|q| alpha * *x.add(j + q));
                let (at, xr, yr) = (a.a.add(j * lda + from), x.add(from), y.add(from));
                let sums = kernels::both::<T, N>(
                    to - from, at, lda as isize, &t, xr, yr, conj, herm && !conj,
                );
                for (q, sum) in sums.into_iter().enumerate() {
                    *y.add(j + q) += alpha * sum;
                }
                for q in j..j + N {
                    column(q, j, j + N);
                    diagonal(q);
                }
                j += N;
            }
        }
        for j in j..a.n {
            column(j, 0, a.n);
            diagonal(j);
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
    // SAFETY: the caller's promise.
    unsafe { blocks(op, diag, a, x, false) }
}

/// x := op(A)⁻¹·x.
pub unsafe fn trsv<T: Scalar>(op: Op, diag: Diag, a: Triangle<T>, x: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { blocks(op, diag, a, x, true) }
}

/// Takes a full triangle in blocks of columns: what is beside a diagonal block is a product with
/// a full matrix.
unsafe fn blocks<T: Scalar>(op: Op, diag: Diag, a: Triangle<T>, x: *mut T, solve: bool) {
    const BLOCK: usize = 16;
    let one = if solve { multiply_or_solve::<T, true> } else { multiply_or_solve::<T, false> };
    // SAFETY: the blocks lie within the triangle, and the vector's parts are disjoint.
    unsafe {
        let Format::Full(lda) = a.format else { return one(op, diag, a, x) };
        if a.n <= BLOCK {
            return one(op, diag, a, x);
        }
        for b in order(op, a.uplo, solve, a.n.div_ceil(BLOCK)) {
            let j = b * BLOCK;
            let n = (a.n - j).min(BLOCK);
            let block = Triangle { n, a: a.a.add(j * lda + j), ..a };
            let (from, to) = if a.uplo == Uplo::Upper { (0, j) } else { (j + n, a.n) };
            let beside = || {
                let (sign, at) = (if solve { -T::one() } else { T::one() }, a.a.add(j * lda + from));
                let (own, other) = (x.add(j), x.add(from));
                let (x, y) = if op.trans() { (other, own) } else { (own, other) };
                gemv(op, to - from, n, sign, at, lda, x, y);
            };
            if op.trans() == solve {
                beside();
                one(op, diag, block, x.add(j));
            } else {
                one(op, diag, block, x.add(j));
                beside();
            }
        }
    }
}

/// One column after the other.
unsafe fn multiply_or_solve<T: Scalar, const SOLVE: bool>(op: Op, diag: Diag, a: Triangle<T>, x: *mut T) {
    // SAFETY: each column's rows lie within the vector.
    unsafe {
        for j in order(op, a.uplo, SOLVE, a.n) {
            let (c, d) = a.split(j);
            let d = || (*d).conj_if(op.conj());
            let mut t = *x.add(j);
            if op.trans() {
                let sum = |t: T| {
                    let s = kernels::dot(c.len, c.at, x.add(c.row), op.conj());
                    if SOLVE { t - s } else { t + s }
                };
                *x.add(j) = match (diag, SOLVE) {
                    (Diag::Unit, _) => sum(t),
                    (Diag::NonUnit, true) => sum(t).over(d()),
                    (Diag::NonUnit, false) => sum(t * d()),
                };
            } else if !t.is_zero() {
                if SOLVE && diag == Diag::NonUnit {
                    t = t.over(d());
                    *x.add(j) = t;
                }
                let factor = if SOLVE { -t } else { t };
                kernels::columns(c.len, 1, c.at, 0, &factor, op.conj(), x.add(c.row));
                if !SOLVE && diag == Diag::NonUnit {
                    *x.add(j) = t * d();
                }
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
