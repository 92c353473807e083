//! Level 2 on the host, over columns of the stored part (see `storage`): full, band and packed
//! routines are the same lines. Vectors are contiguous here; `Dense` makes them so.
//!
//! Where the reference leaves out a column for a zero of x, only small, band and packed triangles
//! do here: zero times NaN is NaN in the others.

use crate::args::{Diag, Op, Uplo};
use crate::kernels;
use crate::parallel::{self, Area, Shared};
use crate::scalar::Scalar;
use crate::storage::{Band, Format, Triangle};
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
    let product = Symmetric {
        herm,
        conj,
        alpha,
        a,
        x,
        y,
    };
    // SAFETY: the columns' rows lie within the vectors, and each thread has its own sums.
    unsafe {
        let parts = Area::parts(a.bytes());
        if parts == 1 {
            return product.columns(0, a.n);
        }
        let mut sums = vec![T::zero(); parts * a.n];
        let at = Shared(sums.as_mut_ptr());
        let all = Shared(std::ptr::from_ref(&product).cast_mut());
        parallel::areas(a.n, parts, a.area(), &|part, from, to| {
            let product = *all.at(0);
            let y = at.at(part * product.a.n);
            Symmetric { y, ..product }.columns(from, to);
        });
        for part in sums.chunks_exact(a.n) {
            kernels::axpy(a.n, T::one(), part.as_ptr(), y);
        }
    }
}

/// A product with a symmetric matrix.
#[derive(Clone, Copy)]
struct Symmetric<T> {
    herm: bool,
    conj: bool,
    alpha: T,
    a: Triangle<T>,
    x: *const T,
    y: *mut T,
}

impl<T: Scalar> Symmetric<T> {
    /// What the stored part of some columns adds to y.
    unsafe fn columns(&self, from: usize, to: usize) {
        let Symmetric {
            herm,
            conj,
            alpha,
            a,
            x,
            y,
        } = *self;
        let mut j = from;
        // SAFETY: the columns' rows lie within the vectors.
        unsafe {
            if let Format::Full(lda) = a.format {
                while !T::COMPLEX && j + 4 <= to {
                    self.block::<4>(lda, j);
                    j += 4;
                }
                while j + 2 <= to {
                    self.block::<2>(lda, j);
                    j += 2;
                }
            }
            for j in j..to {
                let (c, d) = a.split(j);
                let t = [alpha * *x.add(j)];
                let (xr, yr) = (x.add(c.row), y.add(c.row));
                let [sum] = kernels::both(c.len, c.at, 0, &t, xr, yr, conj, herm && !conj);
                let d = if herm { T::real((*d).re()) } else { *d };
                *y.add(j) += t[0] * d + alpha * sum;
            }
        }
    }

    /// The same of N columns of a full matrix: what is beside their diagonal block, and it.
    unsafe fn block<const N: usize>(&self, lda: usize, j: usize) {
        let Symmetric {
            herm,
            conj,
            alpha,
            a,
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
    // SAFETY: the threads' parts of x are disjoint; the others' they read from a copy.
    unsafe {
        let (Format::Full(lda), 2..) = (a.format, Area::parts(a.bytes())) else {
            return blocks(op, diag, a, x, false);
        };
        let parts = Area::parts(a.bytes());
        let copy = std::slice::from_raw_parts(x, a.n).to_vec();
        let (own, x, before) = (Shared(a.a), Shared(x), Shared(copy.as_ptr().cast_mut()));
        // Elements of x need those behind them, or those before.
        let behind = (a.uplo == Uplo::Upper) != op.trans();
        let area = if behind {
            Area::Shrinking
        } else {
            Area::Growing
        };
        parallel::areas(a.n, parts, area, &|_, from, to| {
            let n = to - from;
            let at = |i: usize, j: usize| own.at(j * lda + i);
            let block = Triangle {
                n,
                a: at(from, from),
                ..a
            };
            blocks(op, diag, block, x.at(from), false);
            let (first, count) = if behind { (to, a.n - to) } else { (0, from) };
            let (m, n, i, j) = if op.trans() {
                (count, n, first, from)
            } else {
                (n, count, from, first)
            };
            gemv(
                op,
                m,
                n,
                T::one(),
                at(i, j),
                lda,
                before.at(first),
                x.at(from),
            );
        });
    }
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

/// Calls `f` with each range of a triangle's columns that a thread takes.
fn columns_of<T: Scalar>(a: Triangle<T>, f: impl Fn(usize, usize) + Sync) {
    match Area::parts(a.bytes()) {
        1 => f(0, a.n),
        parts => parallel::areas(a.n, parts, a.area(), &|_, from, to| f(from, to)),
    }
}

/// A += alpha·x·xᵀ, or alpha·x·xᴴ with a real diagonal.
pub unsafe fn syr<T: Scalar>(herm: bool, alpha: T, x: *const T, a: Triangle<T>) {
    let (x, own) = (Shared(x.cast_mut()), Shared(a.a));
    columns_of(a, |from, to| {
        let a = Triangle { a: own.ptr(), ..a };
        for j in from..to {
            // SAFETY: each column's rows lie within the vector, and each thread has its columns.
            unsafe {
                let (c, (_, d)) = (a.column(j), a.split(j));
                let xj = *x.at(j);
                if !xj.is_zero() {
                    kernels::axpy(c.len, alpha * xj.conj_if(herm), x.at(c.row), c.at);
                }
                if herm {
                    *d = T::real((*d).re());
                }
            }
        }
    });
}

/// A += alpha·x·yᵀ + alpha·y·xᵀ, or alpha·x·yᴴ + conj(alpha)·y·xᴴ with a real diagonal.
pub unsafe fn syr2<T: Scalar>(herm: bool, alpha: T, x: *const T, y: *const T, a: Triangle<T>) {
    let (x, y, own) = (Shared(x.cast_mut()), Shared(y.cast_mut()), Shared(a.a));
    columns_of(a, |from, to| {
        let a = Triangle { a: own.ptr(), ..a };
        for j in from..to {
            // SAFETY: each column's rows lie within the vectors, and each thread has its columns.
            unsafe {
                let (c, (_, d)) = (a.column(j), a.split(j));
                let (xj, yj) = (*x.at(j), *y.at(j));
                if !xj.is_zero() || !yj.is_zero() {
                    let (s, t) = (alpha * yj.conj_if(herm), (alpha * xj).conj_if(herm));
                    kernels::axpy2(c.len, s, x.at(c.row), t, y.at(c.row), c.at);
                }
                if herm {
                    *d = T::real((*d).re());
                }
            }
        }
    });
}
