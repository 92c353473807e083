//! The loops under level 2: a few columns of a matrix at once, added up or multiplied with a vector.

use super::lanes::{Factor, R, add_scaled, beside, chunks, factor, fold, load, madd, store};
use super::versions;
use crate::scalar::Scalar;
use num_traits::Zero;

versions! {
    /// y += Σ_j t_j·a_j over `cols` columns `a_j` of `rows` elements, `lda` apart; the columns
    /// are conjugated if asked for.
    columns = columns_body<T>(rows: usize, cols: usize, a: *const T, lda: isize, t: *const T, conj: bool, y: *mut T)
}

#[inline(always)]
unsafe fn columns_body<T: Scalar, const FMA: bool>(
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
                some_columns::<T, FMA, $c>(rows, a, lda, t.add(j), conj, y);
                j += $c;
            }};
        }
        while !T::COMPLEX && j + 8 <= cols {
            at_once!(8);
        }
        while j + 4 <= cols {
            at_once!(4);
        }
        if j + 2 <= cols {
            at_once!(2);
        }
        if j < cols {
            at_once!(1);
        }
    }
    let _ = j;
}

#[inline(always)]
unsafe fn some_columns<T: Scalar, const FMA: bool, const C: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    t: *const T,
    conj: bool,
    y: *mut T,
) {
    let parts = if T::COMPLEX { 2 } else { 1 };
    // SAFETY: the chunks lie within `rows` elements of each column and of y.
    unsafe {
        let f: [Factor<R<T>>; C] = std::array::from_fn(|j| factor(*t.add(j), conj));
        let (a, y) = (a.cast::<R<T>>(), y.cast::<R<T>>());
        let lda = lda * parts as isize;
        chunks!(rows * parts, 32, i, L, {
            let mut acc = load::<R<T>, L>(y.add(i));
            for j in 0..C {
                let x = load::<R<T>, L>(a.offset(j as isize * lda).add(i));
                add_scaled::<T, FMA, L>(&mut acc, &x, &f[j]);
            }
            store(y.add(i), acc);
        });
    }
}

versions! {
    /// Σ_i a_j[i]·x[i] for each of `N` columns `a_j`, `lda` apart; columns conjugated if asked for.
    dots = dots_body<T, const N: usize>(rows: usize, a: *const T, lda: isize, x: *const T, conj: bool) -> [T; N]
}

/// Reals in the long chunks of a product.
const LONG: usize = 32;
/// Reals that a sum is kept in at last.
const SHORT: usize = 16;

#[inline(always)]
unsafe fn dots_body<T: Scalar, const FMA: bool, const N: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    x: *const T,
    conj: bool,
) -> [T; N] {
    let zero = <R<T> as Zero>::zero();
    let parts = if T::COMPLEX { 2 } else { 1 };
    let reals = rows * parts;
    // Sums of products: of lanes with the same lanes, and with their neighbours.
    let (mut own, mut other) = ([[zero; SHORT]; N], [[zero; SHORT]; N]);
    // SAFETY: the chunks lie within `rows` elements of each column and of x.
    unsafe {
        let (a, x) = (a.cast::<R<T>>(), x.cast::<R<T>>());
        let lda = lda * parts as isize;
        let mut from = 0;
        if reals >= LONG {
            let (mut long, mut cross) = ([[zero; LONG]; N], [[zero; LONG]; N]);
            while from + LONG <= reals {
                add_products::<T, FMA, LONG, LONG, N>(a.add(from), lda, x.add(from), &mut long, &mut cross);
                from += LONG;
            }
            for j in 0..N {
                fold(&mut own[j], &long[j]);
                if T::COMPLEX {
                    fold(&mut other[j], &cross[j]);
                }
            }
        }
        let (a, x) = (a.add(from), x.add(from));
        chunks!(reals - from, 16, i, L, {
            add_products::<T, FMA, L, SHORT, N>(a.add(i), lda, x.add(i), &mut own, &mut other);
        });
    }
    std::array::from_fn(|j| {
        let (p, q) = (pair(&own[j]), if T::COMPLEX { pair(&other[j]) } else { [zero; 2] });
        match (T::COMPLEX, conj) {
            (false, _) => T::real(p[0] + p[1]),
            (true, true) => T::new(p[0] + p[1], q[0] - q[1]),
            (true, false) => T::new(p[0] - p[1], q[0] + q[1]),
        }
    })
}

/// own += a·x, other += a·x with neighbours exchanged, for L reals of each column.
#[inline(always)]
unsafe fn add_products<T: Scalar, const FMA: bool, const L: usize, const S: usize, const N: usize>(
    a: *const R<T>,
    lda: isize,
    x: *const R<T>,
    own: &mut [[R<T>; S]; N],
    other: &mut [[R<T>; S]; N],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let x = load::<R<T>, L>(x);
        for j in 0..N {
            let a = load::<R<T>, L>(a.offset(j as isize * lda));
            for k in 0..L {
                own[j][k] = madd::<_, FMA>(a[k], x[k], own[j][k]);
            }
            if T::COMPLEX {
                for k in 0..L {
                    other[j][k] = madd::<_, FMA>(a[k], x[beside::<L>(k)], other[j][k]);
                }
            }
        }
    }
}

/// The sums of the even and of the odd lanes.
#[inline(always)]
fn pair<F: num_traits::Float>(v: &[F; SHORT]) -> [F; 2] {
    let (mut eight, mut four, mut two) = ([F::zero(); 8], [F::zero(); 4], [F::zero(); 2]);
    fold(&mut eight, v);
    fold(&mut four, &eight);
    fold(&mut two, &four);
    two
}

versions! {
    /// y += Σ_j t_j·a_j, and the sums of a_j·x, for `N` columns of a symmetric product; columns
    /// are conjugated in either if asked for.
    both = both_body<T, const N: usize>(rows: usize, a: *const T, lda: isize, t: &[T; N], x: *const T, y: *mut T, conj_y: bool, conj_x: bool) -> [T; N]
}

#[inline(always)]
unsafe fn both_body<T: Scalar, const FMA: bool, const N: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    t: &[T; N],
    x: *const T,
    y: *mut T,
    conj_y: bool,
    conj_x: bool,
) -> [T; N] {
    /// Rows that stay in the first cache between the two loops.
    const CHUNK: usize = 512;
    let mut sums = [T::zero(); N];
    // SAFETY: the chunks lie within `rows` elements.
    unsafe {
        for i in (0..rows).step_by(CHUNK) {
            let n = (rows - i).min(CHUNK);
            some_columns::<T, FMA, N>(n, a.add(i), lda, t.as_ptr(), conj_y, y.add(i));
            let part = dots_body::<T, FMA, N>(n, a.add(i), lda, x.add(i), conj_x);
            for j in 0..N {
                sums[j] += part[j];
            }
        }
    }
    sums
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
