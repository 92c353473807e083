//! The loops under level 2: a few columns of a matrix at once, added up or multiplied with a vector.

use super::drive::{Elementwise, R, Summand, each, sums};
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
        } else if N == 4 && T::COMPLEX {
            products::<T, V, N, 1>(rows, a, lda, x, conj)
        } else {
            products::<T, V, N, 2>(rows, a, lda, x, conj)
        }
    }
}

/// What `dots` adds up.
struct Products<T: Scalar, const N: usize> {
    columns: [*const R<T>; N],
    x: *const R<T>,
}

impl<T: Scalar, const N: usize> Summand<R<T>, N> for Products<T, N> {
    #[inline(always)]
    unsafe fn add<W: Vector<R<T>>>(&self, i: usize, sums: &mut [[W; 2]; N]) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = W::load(self.x.add(i));
            for j in 0..N {
                let a = W::load(self.columns[j].add(i));
                // Products of lanes with the same lanes, and with their neighbours.
                sums[j][0] = a.madd(x, sums[j][0]);
                if T::COMPLEX {
                    sums[j][1] = a.madd(x.swap(), sums[j][1]);
                }
            }
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
    // SAFETY: the vectors lie within `rows` elements of each column and of x.
    unsafe {
        let mut columns = [a.cast::<R<T>>(); N];
        for j in 0..N {
            columns[j] = a.offset(j as isize * lda).cast();
        }
        let x = x.cast::<R<T>>();
        let sums = sums::<R<T>, V, N, U>(rows * T::PARTS, &Products::<T, N> { columns, x });
        let mut out = [T::zero(); N];
        for j in 0..N {
            out[j] = total(sums[j], conj);
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
            sums[j] = total([own[j].pair(), other[j].pair()], conj_x);
        }
        sums
    }
}

/// The sum of products (of conj(a)·x or a·x) from those of even and odd lanes: with the same lanes,
/// and with their neighbours.
#[inline(always)]
fn total<T: Scalar>([p, q]: [[R<T>; 2]; 2], conj: bool) -> T {
    if !T::COMPLEX {
        T::real(p[0] + p[1])
    } else if conj {
        T::new(p[0] + p[1], q[0] - q[1])
    } else {
        T::new(p[0] - p[1], q[0] + q[1])
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
