//! Level 2 with triangles: products and solutions in place.

use super::gemv;
use crate::args::{Diag, Op, Uplo};
use crate::kernels;
use crate::parallel::{self, Area, Shared};
use crate::scalar::Scalar;
use crate::storage::{Format, Triangle};

/// The order of columns in which a triangle is applied in place, or solved if `solve`.
fn order(op: Op, uplo: Uplo, solve: bool, n: usize) -> impl Iterator<Item = usize> {
    let ascending = (uplo == Uplo::Upper) != op.trans();
    let ascending = ascending != solve;
    (0..n).map(move |i| if ascending { i } else { n - 1 - i })
}

/// x := op(A)·x.
pub unsafe fn trmv<T: Scalar>(op: Op, diag: Diag, a: &Triangle<T>, x: *mut T) {
    let a = *a;
    // SAFETY: the threads' parts of x are disjoint; the others' they read from a copy.
    unsafe {
        let parts = Area::parts(a.bytes());
        if parts == 1 {
            return blocks(op, diag, a, x, false);
        }
        let copy = std::slice::from_raw_parts(x, a.n).to_vec();
        let (own, x, before) = (Shared(a.a), Shared(x), Shared(copy.as_ptr().cast_mut()));
        // Elements of x need those behind them, or those before.
        let behind = (a.uplo == Uplo::Upper) != op.trans();
        let area = match a.format {
            Format::Band(..) => Area::Even,
            _ if behind => Area::Shrinking,
            _ => Area::Growing,
        };
        parallel::areas(a.n, parts, area, &|_, from, to| {
            let part = Part {
                a: Triangle { a: own.ptr(), ..a },
                from,
                to,
                before: before.ptr(),
                x: x.ptr(),
            };
            match a.format {
                Format::Full(lda) => part.full(op, diag, lda, behind),
                _ => part.columns(op, diag),
            }
        });
    }
}

/// Elements from..to of a product, with x as it was.
struct Part<T> {
    a: Triangle<T>,
    from: usize,
    to: usize,
    before: *const T,
    x: *mut T,
}

impl<T: Scalar> Part<T> {
    /// Of a full triangle: its own block, and a rectangle.
    unsafe fn full(&self, op: Op, diag: Diag, lda: usize, behind: bool) {
        let Part { a, from, to, .. } = *self;
        let n = to - from;
        // SAFETY: the blocks lie within the triangle, the rest is the caller's promise.
        unsafe {
            let at = |i: usize, j: usize| a.a.add(j * lda + i);
            let own = Triangle {
                n,
                a: at(from, from),
                ..a
            };
            blocks(op, diag, own, self.x.add(from), false);
            let (first, count) = if behind { (to, a.n - to) } else { (0, from) };
            let (m, n, i, j) = if op.trans() {
                (count, n, first, from)
            } else {
                (n, count, from, first)
            };
            let (x, y) = (self.before.add(first), self.x.add(from));
            gemv(op, m, n, T::one(), at(i, j), lda, x, y);
        }
    }

    /// Of any triangle, one column after the other.
    unsafe fn columns(&self, op: Op, diag: Diag) {
        let Part { a, from, to, .. } = *self;
        let conj = op.conj();
        let own = |j: usize| (from..to).contains(&j);
        // SAFETY: the columns' rows lie within the vector.
        unsafe {
            for j in from..to {
                let (_, d) = a.split(j);
                let t = *self.before.add(j);
                *self.x.add(j) = match diag {
                    Diag::Unit => t,
                    Diag::NonUnit => t * (*d).conj_if(conj),
                };
            }
            let columns = match a.format {
                Format::Band(_, k) => from.saturating_sub(k)..a.n.min(to.saturating_add(k)),
                _ => 0..a.n,
            };
            for j in columns {
                let (c, _) = a.split(j);
                if op.trans() && own(j) {
                    *self.x.add(j) += kernels::dot(c.len, c.at, self.before.add(c.row), conj);
                } else if !op.trans() {
                    let (c, t) = (c.within(from, to), self.before.add(j));
                    if c.len > 0 && !(*t).is_zero() {
                        kernels::columns(c.len, 1, c.at, 0, t, conj, self.x.add(c.row));
                    }
                }
            }
        }
    }
}

/// x := op(A)⁻¹·x.
pub unsafe fn trsv<T: Scalar>(op: Op, diag: Diag, a: &Triangle<T>, x: *mut T) {
    let a = *a;
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
