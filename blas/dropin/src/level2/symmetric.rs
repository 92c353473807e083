//! Level 2 with symmetric and Hermitian matrices: products, and updates of one triangle.

use crate::args::Uplo;
use crate::kernels;
use crate::parallel::{self, Area, Shared};
use crate::scalar::Scalar;
use crate::storage::{Format, Triangle};

/// y += alpha·A·x for a symmetric or Hermitian A, or its conjugate.
pub unsafe fn symv<T: Scalar>(
    herm: bool,
    conj: bool,
    alpha: T,
    a: &Triangle<T>,
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
struct Symmetric<'a, T> {
    herm: bool,
    conj: bool,
    alpha: T,
    a: &'a Triangle<T>,
    x: *const T,
    y: *mut T,
}

impl<T: Scalar> Symmetric<'_, T> {
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

/// Calls `f` with each range of a triangle's columns that a thread takes.
fn columns_of<T: Scalar>(a: &Triangle<T>, f: impl Fn(usize, usize) + Sync) {
    match Area::parts(a.bytes()) {
        1 => f(0, a.n),
        parts => parallel::areas(a.n, parts, a.area(), &|_, from, to| f(from, to)),
    }
}

/// A += alpha·x·xᵀ, or alpha·x·xᴴ with a real diagonal.
pub unsafe fn syr<T: Scalar>(herm: bool, alpha: T, x: *const T, a: &Triangle<T>) {
    let x = Shared(x.cast_mut());
    columns_of(a, |from, to| {
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
pub unsafe fn syr2<T: Scalar>(herm: bool, alpha: T, x: *const T, y: *const T, a: &Triangle<T>) {
    let (x, y) = (Shared(x.cast_mut()), Shared(y.cast_mut()));
    columns_of(a, |from, to| {
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
