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
        let mut j = 0;
        if let Format::Full(lda) = a.format {
            let block = SymmetricBlock {
                herm,
                conj,
                alpha,
                a,
                lda,
                x,
                y,
            };
            while !T::COMPLEX && j + 4 <= a.n {
                block.columns::<4>(j);
                j += 4;
            }
            while j + 2 <= a.n {
                block.columns::<2>(j);
                j += 2;
            }
        }
        for j in j..a.n {
            let (c, d) = a.split(j);
            // In a full matrix only the last column is left, and a lower one has no rows there.
            let t = [alpha * *x.add(j)];
            let (xr, yr) = (x.add(c.row), y.add(c.row));
            let [sum] = kernels::both(c.len, c.at, 0, &t, xr, yr, conj, herm && !conj);
            let d = if herm { T::real((*d).re()) } else { *d };
            *y.add(j) += t[0] * d + alpha * sum;
        }
    }
}

/// Some columns of a full symmetric matrix at once: what is beside their diagonal block, and it.
struct SymmetricBlock<T> {
    herm: bool,
    conj: bool,
    alpha: T,
    a: Triangle<T>,
    lda: usize,
    x: *const T,
    y: *mut T,
}

impl<T: Scalar> SymmetricBlock<T> {
    unsafe fn columns<const N: usize>(&self, j: usize) {
        let SymmetricBlock {
            herm,
            conj,
            alpha,
            a,
            lda,
            x,
            y,
        } = *self;
        let upper = a.uplo == Uplo::Upper;
        let (from, to) = if upper { (0, j) } else { (j + N, a.n) };
        // SAFETY: the block and the rows beside it lie within the matrix and the vectors.
        unsafe {
            let mut t = [T::zero(); N];
            for q in 0..N {
                t[q] = alpha * *x.add(j + q);
            }
            let mut sums = [T::zero(); N];
            if from < to {
                let (at, xr, yr) = (a.a.add(j * lda + from), x.add(from), y.add(from));
                let (rows, lda) = (to - from, lda as isize);
                sums = kernels::both(rows, at, lda, &t, xr, yr, conj, herm && !conj);
            }
            let at = a.a.add(j * lda + j);
            for q in 0..N {
                let d = *at.add(q * lda + q);
                let mut own = t[q] * if herm { T::real(d.re()) } else { d };
                for r in 0..N {
                    if r != q {
                        let stored = (q < r) == upper;
                        let e = *at.add(if stored { r * lda + q } else { q * lda + r });
                        own += t[r] * e.conj_if(if stored { conj } else { herm && !conj });
                    }
                }
                *y.add(j + q) += own + alpha * sums[q];
            }
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
    const BLOCK: usize = 8;
    let one = if solve {
        multiply_or_solve::<T, true>
    } else {
        multiply_or_solve::<T, false>
    };
    // SAFETY: the blocks lie within the triangle, and the vector's parts are disjoint.
    unsafe {
        let Format::Full(lda) = a.format else {
            return one(op, diag, a, x);
        };
        if a.n <= BLOCK {
            return one(op, diag, a, x);
        }
        for b in order(op, a.uplo, solve, a.n.div_ceil(BLOCK)) {
            let j = b * BLOCK;
            let n = (a.n - j).min(BLOCK);
            let block = Triangle {
                n,
                a: a.a.add(j * lda + j),
                ..a
            };
            let (from, to) = if a.uplo == Uplo::Upper {
                (0, j)
            } else {
                (j + n, a.n)
            };
            let beside = || {
                let (sign, at) = (
                    if solve { -T::one() } else { T::one() },
                    a.a.add(j * lda + from),
                );
                let (own, other) = (x.add(j), x.add(from));
                let (x, y) = if op.trans() {
                    (other, own)
                } else {
                    (own, other)
                };
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
unsafe fn multiply_or_solve<T: Scalar, const SOLVE: bool>(
    op: Op,
    diag: Diag,
    a: Triangle<T>,
    x: *mut T,
) {
    /// Rows that take less time than the way to the kernels.
    const FEW: usize = 8;
    let conj = op.conj();
    // SAFETY: each column's rows lie within the vector.
    unsafe {
        for j in order(op, a.uplo, SOLVE, a.n) {
            let (c, d) = a.split(j);
            let mut t = *x.add(j);
            let rows = x.add(c.row);
            if op.trans() {
                if !SOLVE && diag == Diag::NonUnit {
                    t *= (*d).conj_if(conj);
                }
                if c.len <= FEW {
                    for i in 0..c.len {
                        let p = (*c.at.add(i)).conj_if(conj) * *rows.add(i);
                        if SOLVE { t -= p } else { t += p }
                    }
                } else {
                    let p = kernels::dot(c.len, c.at, rows, conj);
                    if SOLVE { t -= p } else { t += p }
                }
                if SOLVE && diag == Diag::NonUnit {
                    t = t.over((*d).conj_if(conj));
                }
                *x.add(j) = t;
            } else if !t.is_zero() {
                if SOLVE && diag == Diag::NonUnit {
                    t = t.over((*d).conj_if(conj));
                    *x.add(j) = t;
                }
                let factor = if SOLVE { -t } else { t };
                if c.len <= FEW {
                    for i in 0..c.len {
                        *rows.add(i) += factor * (*c.at.add(i)).conj_if(conj);
                    }
                } else {
                    kernels::columns(c.len, 1, c.at, 0, &factor, conj, rows);
                }
                if !SOLVE && diag == Diag::NonUnit {
                    *x.add(j) = t * (*d).conj_if(conj);
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
