//! The vector loops under levels 1 and 2. Each is one generic body over chunks of lanes, compiled
//! three times (AVX-512, AVX2 with FMA, baseline) and chosen when called. A chunk is read whole
//! before any of it is written, so operands that are the same vector are no danger.
//!
//! All take contiguous vectors; strides are the callers' business.

use super::versions;
use crate::scalar::Scalar;
use num_traits::{Float, Zero};

type R<T> = <T as Scalar>::Real;

/// Reals in the long and the short chunk of every loop.
const LONG: usize = 32;
const SHORT: usize = 8;

#[inline(always)]
fn madd<F: Float, const FMA: bool>(a: F, b: F, c: F) -> F {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
unsafe fn load<F: Copy, const L: usize>(p: *const F) -> [F; L] {
    // SAFETY: the caller's promise; the array has the alignment of its elements.
    unsafe { p.cast::<[F; L]>().read() }
}

/// A scalar factor as the lanes of a chunk need it: `x·t`, or `conj(x)·t`, is
/// `own[k%2]·x[k] + other[k%2]·x[k^1]`.
#[derive(Clone, Copy)]
struct Factor<F> {
    own: [F; 2],
    other: [F; 2],
}

#[inline(always)]
fn factor<T: Scalar>(t: T, conj: bool) -> Factor<T::Real> {
    let (re, im) = (t.re(), t.im());
    if !T::COMPLEX {
        Factor {
            own: [re, re],
            other: [re, re],
        }
    } else if conj {
        Factor {
            own: [re, -re],
            other: [im, im],
        }
    } else {
        Factor {
            own: [re, re],
            other: [-im, im],
        }
    }
}

/// acc + x·t, lane by lane.
#[inline(always)]
fn add_scaled<T: Scalar, const FMA: bool, const L: usize>(
    acc: &mut [T::Real; L],
    x: &[T::Real; L],
    t: &Factor<T::Real>,
) {
    for k in 0..L {
        acc[k] = madd::<_, FMA>(t.own[k & 1], x[k], acc[k]);
    }
    if T::COMPLEX {
        for k in 0..L {
            acc[k] = madd::<_, FMA>(t.other[k & 1], x[k ^ 1], acc[k]);
        }
    }
}

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
    /// At most so many columns at once: few enough streams for the caches.
    const COLS: usize = 8;
    // SAFETY: the chunks lie within `rows` elements of each column and of y.
    unsafe {
        let mut j = 0;
        while j < cols {
            let c = (cols - j).min(COLS);
            let mut f = [factor(T::zero(), false); COLS];
            for (i, f) in f.iter_mut().enumerate().take(c) {
                *f = factor(*t.add(j + i), conj);
            }
            let a = a.offset(j as isize * lda);
            let mut i = 0;
            let step = if T::COMPLEX { 2 } else { 1 };
            while i + LONG / step <= rows {
                columns_chunk::<T, FMA, LONG>(a.add(i), lda, &f[..c], y.add(i));
                i += LONG / step;
            }
            while i + SHORT / step <= rows {
                columns_chunk::<T, FMA, SHORT>(a.add(i), lda, &f[..c], y.add(i));
                i += SHORT / step;
            }
            while i < rows {
                columns_one::<T, FMA>(a.add(i), lda, &f[..c], y.add(i));
                i += 1;
            }
            j += c;
        }
    }
}

#[inline(always)]
unsafe fn columns_chunk<T: Scalar, const FMA: bool, const L: usize>(
    a: *const T,
    lda: isize,
    f: &[Factor<R<T>>],
    y: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = load::<R<T>, L>(y.cast());
        for (j, f) in f.iter().enumerate() {
            let x = load::<R<T>, L>(a.offset(j as isize * lda).cast());
            add_scaled::<T, FMA, L>(&mut acc, &x, f);
        }
        y.cast::<[R<T>; L]>().write(acc);
    }
}

/// One element, with the roundings of a chunk: what an element becomes must not depend on where
/// in the vector it is.
#[inline(always)]
unsafe fn columns_one<T: Scalar, const FMA: bool>(
    a: *const T,
    lda: isize,
    f: &[Factor<R<T>>],
    y: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if T::COMPLEX {
            return columns_chunk::<T, FMA, 2>(a, lda, f, y);
        }
        let mut s = (*y).re();
        for (j, f) in f.iter().enumerate() {
            s = madd::<_, FMA>(f.own[0], (*a.offset(j as isize * lda)).re(), s);
        }
        *y = T::real(s);
    }
}

versions! {
    /// Σ_i a_j[i]·x[i] for each of `N` columns `a_j`, `lda` apart; columns conjugated if asked for.
    dots = dots_body<T, const N: usize>(rows: usize, a: *const T, lda: isize, x: *const T, conj: bool) -> [T; N]
}

/// Sums of products: of lanes with the same lanes, and with their neighbours.
type Sums<F, const L: usize> = ([F; L], [F; L]);

#[inline(always)]
unsafe fn dots_body<T: Scalar, const FMA: bool, const N: usize>(
    rows: usize,
    a: *const T,
    lda: isize,
    x: *const T,
    conj: bool,
) -> [T; N] {
    let zero = <R<T> as Zero>::zero();
    let step = if T::COMPLEX { 2 } else { 1 };
    // SAFETY: the chunks lie within `rows` elements of each column and of x.
    unsafe {
        let mut long: [Sums<R<T>, LONG>; N] = [([zero; LONG], [zero; LONG]); N];
        let mut short: [Sums<R<T>, SHORT>; N] = [([zero; SHORT], [zero; SHORT]); N];
        let mut i = 0;
        let is_long = rows * step >= LONG;
        while i + LONG / step <= rows {
            dots_chunk::<T, FMA, N, LONG>(a.add(i), lda, x.add(i), &mut long);
            i += LONG / step;
        }
        while i + SHORT / step <= rows {
            dots_chunk::<T, FMA, N, SHORT>(a.add(i), lda, x.add(i), &mut short);
            i += SHORT / step;
        }
        let mut out = [T::zero(); N];
        for j in 0..N {
            let (mut own, mut other) = short[j];
            if is_long {
                for k in 0..LONG {
                    own[k % SHORT] += long[j].0[k];
                    other[k % SHORT] += long[j].1[k];
                }
            }
            let sum = |v: &[R<T>; SHORT], from: usize| {
                (v[from] + v[from + 2]) + (v[from + 4] + v[from + 6])
            };
            let (p0, p1) = (sum(&own, 0), sum(&own, 1));
            out[j] = if !T::COMPLEX {
                T::real(p0 + p1)
            } else {
                let (q0, q1) = (sum(&other, 0), sum(&other, 1));
                if conj {
                    T::new(p0 + p1, q0 - q1)
                } else {
                    T::new(p0 - p1, q0 + q1)
                }
            };
        }
        while i < rows {
            for (j, out) in out.iter_mut().enumerate() {
                *out += (*a.offset(i as isize + j as isize * lda)).conj_if(conj) * *x.add(i);
            }
            i += 1;
        }
        out
    }
}

#[inline(always)]
unsafe fn dots_chunk<T: Scalar, const FMA: bool, const N: usize, const L: usize>(
    a: *const T,
    lda: isize,
    x: *const T,
    sums: &mut [Sums<R<T>, L>; N],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let x = load::<R<T>, L>(x.cast());
        for (j, (own, other)) in sums.iter_mut().enumerate() {
            let a = load::<R<T>, L>(a.offset(j as isize * lda).cast());
            for k in 0..L {
                own[k] = madd::<_, FMA>(a[k], x[k], own[k]);
            }
            if T::COMPLEX {
                for k in 0..L {
                    other[k] = madd::<_, FMA>(a[k], x[k ^ 1], other[k]);
                }
            }
        }
    }
}

versions! {
    /// y += t·a (or t·conj(a)), and the sum of conj(a)·x (or a·x): one column of a symmetric
    /// (`herm` false: neither is conjugated) or Hermitian product.
    both = both_body<T>(rows: usize, a: *const T, t: T, x: *const T, y: *mut T, conj_y: bool, conj_x: bool) -> T
}

#[inline(always)]
unsafe fn both_body<T: Scalar, const FMA: bool>(
    rows: usize,
    a: *const T,
    t: T,
    x: *const T,
    y: *mut T,
    conj_y: bool,
    conj_x: bool,
) -> T {
    /// The chunk stays in the first cache between the two loops.
    const CHUNK: usize = 512;
    let mut sum = T::zero();
    let mut i = 0;
    // SAFETY: the chunks lie within `rows` elements.
    unsafe {
        while i < rows {
            let n = (rows - i).min(CHUNK);
            columns_body::<T, FMA>(n, 1, a.add(i), 0, &t, conj_y, y.add(i));
            sum += dots_body::<T, FMA, 1>(n, a.add(i), 0, x.add(i), conj_x)[0];
            i += n;
        }
    }
    sum
}

versions! {
    /// x·t in place.
    scale = scale_body<T>(n: usize, t: T, x: *mut T)
}

#[inline(always)]
unsafe fn scale_body<T: Scalar, const FMA: bool>(n: usize, t: T, x: *mut T) {
    let step = if T::COMPLEX { 2 } else { 1 };
    let f = factor(t, false);
    // SAFETY: the chunks lie within n elements.
    unsafe {
        let mut i = 0;
        while i + LONG / step <= n {
            scale_chunk::<T, FMA, LONG>(&f, x.add(i));
            i += LONG / step;
        }
        while i < n {
            if T::COMPLEX {
                scale_chunk::<T, FMA, 2>(&f, x.add(i));
            } else {
                *x.add(i) *= t;
            }
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn scale_chunk<T: Scalar, const FMA: bool, const L: usize>(f: &Factor<R<T>>, x: *mut T) {
    let p = x.cast::<[R<T>; L]>();
    // SAFETY: the caller's promise.
    unsafe {
        let v = p.read();
        let mut r = v;
        for k in 0..L {
            r[k] = f.own[k & 1] * v[k];
        }
        if T::COMPLEX {
            for k in 0..L {
                r[k] = madd::<_, FMA>(f.other[k & 1], v[k ^ 1], r[k]);
            }
        }
        p.write(r);
    }
}

versions! {
    /// Σ |x_k| over reals.
    abs_sum = abs_sum_body<T>(n: usize, x: *const T) -> T
}

#[inline(always)]
unsafe fn abs_sum_body<T: Scalar, const FMA: bool>(n: usize, x: *const T) -> T {
    let mut acc = [T::zero(); LONG];
    // SAFETY: the chunks lie within n elements.
    unsafe {
        let mut i = 0;
        while i + LONG <= n {
            let v = load::<T, LONG>(x.add(i));
            for k in 0..LONG {
                acc[k] += T::real(v[k].abs1());
            }
            i += LONG;
        }
        let mut s = T::zero();
        if i > 0 {
            let mut width = LONG / 2;
            while width > 0 {
                for k in 0..width {
                    let other = acc[k + width];
                    acc[k] += other;
                }
                width /= 2;
            }
            s = acc[0];
        }
        while i < n {
            s += T::real((*x.add(i)).abs1());
            i += 1;
        }
        s
    }
}

versions! {
    /// The largest of `best` and all |re|+|im|, in which NaN counts as nothing.
    abs_max = abs_max_body<T>(n: usize, x: *const T, best: R<T>) -> R<T>
}

#[inline(always)]
unsafe fn abs_max_body<T: Scalar, const FMA: bool>(n: usize, x: *const T, best: R<T>) -> R<T> {
    let mut acc = [best; LONG];
    // SAFETY: the chunks lie within n elements.
    unsafe {
        let mut i = 0;
        while i + LONG <= n {
            let v = load::<T, LONG>(x.add(i));
            for k in 0..LONG {
                let a = v[k].abs1();
                acc[k] = if a > acc[k] { a } else { acc[k] };
            }
            i += LONG;
        }
        let mut m = best;
        for a in acc {
            m = if a > m { a } else { m };
        }
        while i < n {
            let a = (*x.add(i)).abs1();
            m = if a > m { a } else { m };
            i += 1;
        }
        m
    }
}

versions! {
    /// A plane rotation: (x, y) := (c·x + s·y, c·y - conj(s)·x) with real c; or for `flag` 1 and so
    /// on, any 2x2 matrix (see level 1): here x' = h11·x + h12·y, y' = h21·x + h22·y over reals.
    rotate = rotate_body<T>(n: usize, x: *mut T, y: *mut T, h: [T; 4])
}

#[inline(always)]
unsafe fn rotate_body<T: Scalar, const FMA: bool>(n: usize, x: *mut T, y: *mut T, h: [T; 4]) {
    // SAFETY: the chunks lie within n elements.
    unsafe {
        let mut i = 0;
        while i + SHORT <= n {
            let (px, py) = (x.add(i).cast::<[T; SHORT]>(), y.add(i).cast::<[T; SHORT]>());
            let (vx, vy) = (px.read(), py.read());
            let (mut rx, mut ry) = (vx, vy);
            for k in 0..SHORT {
                rx[k] = h[0] * vx[k] + h[1] * vy[k];
                ry[k] = h[2] * vx[k] + h[3] * vy[k];
            }
            px.write(rx);
            py.write(ry);
            i += SHORT;
        }
        while i < n {
            let (vx, vy) = (*x.add(i), *y.add(i));
            *x.add(i) = h[0] * vx + h[1] * vy;
            *y.add(i) = h[2] * vx + h[3] * vy;
            i += 1;
        }
    }
}

versions! {
    /// Σ x_k² over reals, in `f64`.
    squares = squares_body<T>(n: usize, x: *const T) -> f64
}

#[inline(always)]
unsafe fn squares_body<T: Scalar, const FMA: bool>(n: usize, x: *const T) -> f64 {
    let wide = |v: T| num_traits::cast::<T::Real, f64>(v.re()).unwrap_or(f64::NAN);
    let mut acc = [0f64; LONG];
    // SAFETY: the chunks lie within n elements.
    unsafe {
        let mut i = 0;
        while i + LONG <= n {
            let v = load::<T, LONG>(x.add(i));
            for k in 0..LONG {
                let w = wide(v[k]);
                acc[k] = madd::<_, FMA>(w, w, acc[k]);
            }
            i += LONG;
        }
        let mut s = 0.0;
        if i > 0 {
            let mut width = LONG / 2;
            while width > 0 {
                for k in 0..width {
                    acc[k] += acc[k + width];
                }
                width /= 2;
            }
            s = acc[0];
        }
        while i < n {
            let w = wide(*x.add(i));
            s += w * w;
            i += 1;
        }
        s
    }
}

/// y += t·x.
///
/// # Safety
/// Both have `n` elements.
#[inline(always)]
pub unsafe fn axpy<T: Scalar>(n: usize, t: T, x: *const T, y: *mut T) {
    // SAFETY: one column.
    unsafe { columns(n, 1, x, 0, &t, false, y) }
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

/// y := beta·y, which for beta = 0 does not read y.
///
/// # Safety
/// y has `n` elements.
pub unsafe fn times<T: Scalar>(n: usize, beta: T, y: *mut T) {
    // SAFETY: the caller's promise; all bits zero is zero.
    unsafe {
        if beta.is_zero() {
            y.write_bytes(0, n);
        } else if beta != T::one() {
            scale(n, beta, y);
        }
    }
}
