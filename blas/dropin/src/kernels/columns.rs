//! The loops under level 2: a few columns of a matrix at once, added up or multiplied with a vector.

use super::drive::{Elementwise, R, each};
use super::simd::{Factor, Vector};
use super::versions;
use crate::scalar::Scalar;
use num_traits::{One, Zero};

versions! {
    /// y += Σ_j t_j·a_j over `cols` columns `a_j` of `rows` elements, `lda` apart; the columns
    /// are conjugated if asked for.
    columns = columns_body<T>(rows: usize, cols: usize, a: *const T, lda: isize, t: *const T, conj: bool, y: *mut T)
}

#[inline(always)]
unsafe fn columns_body<T: Scalar, V: Vector<R<T>>, const FMA: bool>(
    rows: usize,
    cols: usize,
    a: *const T,
    lda: isize,
    t: *const T,
    conj: bool,
    y: *mut T,
) {
    let mut j = 0;
    // SAFETY: the caller's promise, for some of the columns.
    unsafe {
        macro_rules! at_once {
            ($c:literal) => {{
                let a = a.offset(j as isize * lda);
                some_columns::<T, V, FMA, $c>(rows, a, lda, t.add(j), conj, y);
                j += $c;
            }};
        }
        while !T::COMPLEX && j + 8 <= cols {
            at_once!(8);
        }
        while j + 4 <= cols {
            at_once!(4);
        }
        while j + 2 <= cols {
            at_once!(2);
        }
        while j < cols {
            at_once!(1);
        }
    }
}

/// What `columns` does for C columns.
struct Add<T, const C: usize> {
    a: *const T,
    lda: isize,
    t: [T; C],
    conj: bool,
    y: *mut T,
}

impl<T: Scalar, const C: usize> Elementwise<R<T>> for Add<T, C> {
    #[inline(always)]
    unsafe fn at<W: Vector<R<T>>>(&self, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let y = self.y.cast::<R<T>>().add(i);
            if C == 1 {
                let factor = Factor::<W>::conj(self.t[0], self.conj);
                let a = W::load(self.a.cast::<R<T>>().add(i));
                return factor.times_add::<T>(a, W::load(y)).store(y);
            }
            // Two sums, so that additions need not wait for one another: of the columns times the
            // real parts and times the imaginary ones, or of the first half and the second.
            let mut sums = [W::splat(<R<T> as Zero>::zero()); 2];
            if !T::COMPLEX {
                sums[0] = W::load(y);
            }
            for j in 0..C {
                let a = W::load(self.a.offset(j as isize * self.lda).cast::<R<T>>().add(i));
                if T::COMPLEX {
                    sums[0] = a.madd(W::splat(self.t[j].re()), sums[0]);
                    sums[1] = a.madd(W::splat(self.t[j].im()), sums[1]);
                } else {
                    let half = 2 * j / C;
                    sums[half] = a.madd(W::splat(self.t[j].re()), sums[half]);
                }
            }
            let [own, other] = sums;
            let sum = if T::COMPLEX {
                let one = <R<T> as One>::one();
                let sign = if self.conj { -one } else { one };
                let own = own.madd(W::alternate(one, sign), W::load(y));
                other.swap().madd(W::alternate(-sign, one), own)
            } else {
                own.add(other)
            };
            sum.store(y);
        }
    }
}

#[inline(always)]
unsafe fn some_columns<T: Scalar, V: Vector<R<T>>, const FMA: bool, const C: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    t: *const T,
    conj: bool,
    y: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let t = t.cast::<[T; C]>().read();
        each::<R<T>, V>(rows * T::PARTS, Add { a, lda, t, conj, y });
    }
}

versions! {
    /// Σ_i a_j[i]·x[i] for each of `N` columns `a_j`, `lda` apart; columns conjugated if asked for.
    dots = dots_body<T, const N: usize>(rows: usize, a: *const T, lda: isize, x: *const T, conj: bool) -> [T; N]
}

#[inline(always)]
unsafe fn dots_body<T: Scalar, V: Vector<R<T>>, const FMA: bool, const N: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    x: *const T,
    conj: bool,
) -> [T; N] {
    // SAFETY: the caller's promise.
    unsafe {
        // As many sums at once as hide the time of one addition.
        if N == 1 {
            products::<T, V, N, 4>(rows, a, lda, x, conj)
        } else {
            products::<T, V, N, 2>(rows, a, lda, x, conj)
        }
    }
}

#[inline(always)]
unsafe fn products<T: Scalar, V: Vector<R<T>>, const N: usize, const U: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    x: *const T,
    conj: bool,
) -> [T; N] {
    let reals = rows * T::PARTS;
    // SAFETY: the vectors lie within `rows` elements of each column and of x.
    unsafe {
        let zero = V::splat(<R<T> as Zero>::zero());
        // Sums of products: of lanes with the same lanes, and with their neighbours.
        let (mut own, mut other) = ([[zero; U]; N], [[zero; U]; N]);
        let mut columns = [a.cast::<R<T>>(); N];
        for j in 0..N {
            columns[j] = a.offset(j as isize * lda).cast();
        }
        let x = x.cast::<R<T>>();
        // No closures here: they would be compiled without the instruction set.
        macro_rules! step {
            ($u:expr, $load:ident $args:tt) => {{
                let v = step!(@load x, $load $args);
                for j in 0..N {
                    let c = step!(@load columns[j], $load $args);
                    own[j][$u] = V::madd(c, v, own[j][$u]);
                    if T::COMPLEX {
                        other[j][$u] = V::madd(c, v.swap(), other[j][$u]);
                    }
                }
            }};
            (@load $p:expr, $load:ident ($at:expr $(, $part:expr)*)) => {
                V::$load($p.add($at) $(, $part)*)
            };
        }
        let mut i = 0;
        while i + U * V::LANES <= reals {
            for u in 0..U {
                step!(u, load(i + u * V::LANES));
            }
            i += U * V::LANES;
        }
        while i + V::LANES <= reals {
            step!(0, load(i));
            i += V::LANES;
        }
        if i < reals {
            step!(0, load_part(i, 0, reals - i));
        }
        let mut out = [T::zero(); N];
        for j in 0..N {
            if reals >= U * V::LANES {
                for u in 1..U {
                    own[j][0] = own[j][0].add(own[j][u]);
                    other[j][0] = other[j][0].add(other[j][u]);
                }
            }
            out[j] = total::<T, V>(own[j][0], other[j][0], conj);
        }
        out
    }
}

versions! {
    /// y += Σ_j t_j·a_j, and the sums of a_j·x, for `N` columns of a symmetric product; columns
    /// are conjugated in either if asked for.
    both = both_body<T, const N: usize>(rows: usize, a: *const T, lda: isize, t: &[T; N], x: *const T, y: *mut T, conj_y: bool, conj_x: bool) -> [T; N]
}

#[inline(always)]
unsafe fn both_body<T: Scalar, V: Vector<R<T>>, const FMA: bool, const N: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    t: &[T; N],
    x: *const T,
    y: *mut T,
    conj_y: bool,
    conj_x: bool,
) -> [T; N] {
    let reals = rows * T::PARTS;
    // SAFETY: the vectors lie within `rows` elements of each column, of x and of y.
    unsafe {
        let zero = V::splat(<R<T> as Zero>::zero());
        let (mut own, mut other) = ([zero; N], [zero; N]);
        let mut factors = [Factor {
            own: zero,
            other: zero,
        }; N];
        let mut columns = [a.cast::<R<T>>(); N];
        for j in 0..N {
            factors[j] = Factor::conj(t[j], conj_y);
            columns[j] = a.offset(j as isize * lda).cast();
        }
        let (x, y) = (x.cast::<R<T>>(), y.cast::<R<T>>());
        // One pass over the columns; no closures here (see `products`).
        macro_rules! step {
            ($i:expr, $load:ident, $store:ident $(, $part:expr)*) => {{
                let v = V::$load(x.add($i) $(, $part)*);
                let mut acc = V::$load(y.add($i) $(, $part)*);
                for j in 0..N {
                    let c = V::$load(columns[j].add($i) $(, $part)*);
                    acc = factors[j].times_add::<T>(c, acc);
                    own[j] = c.madd(v, own[j]);
                    if T::COMPLEX {
                        other[j] = c.madd(v.swap(), other[j]);
                    }
                }
                acc.$store(y.add($i) $(, $part)*);
            }};
        }
        let mut i = 0;
        while i + V::LANES <= reals {
            step!(i, load, store);
            i += V::LANES;
        }
        if i < reals {
            step!(i, load_part, store_part, 0, reals - i);
        }
        let mut sums = [T::zero(); N];
        for j in 0..N {
            sums[j] = total::<T, V>(own[j], other[j], conj_x);
        }
        sums
    }
}

/// The sum of products (of conj(a)·x or a·x) from its lanes.
#[inline(always)]
unsafe fn total<T: Scalar, V: Vector<R<T>>>(own: V, other: V, conj: bool) -> T {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let p = own.pair();
        if !T::COMPLEX {
            return T::real(p[0] + p[1]);
        }
        let q = other.pair();
        if conj {
            T::new(p[0] + p[1], q[0] - q[1])
        } else {
            T::new(p[0] - p[1], q[0] + q[1])
        }
    }
}

/// Σ x·y, x conjugated if asked for.
///
/// # Safety
/// Both have `n` elements.
#[inline(always)]
pub unsafe fn dot<T: Scalar>(n: usize, x: *const T, y: *const T, conj: bool) -> T {
    // SAFETY: one column.
    unsafe { dots::<T, 1>(n, x, 0, y, conj)[0] }
}
