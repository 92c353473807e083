//! The loops under level 1. All take contiguous vectors; strides are the callers' business.

use super::lanes::{R, add_scaled, beside, chunks, factor, load, madd, store};
use super::versions;
use crate::scalar::Scalar;

/// Reals of a chunk in sums.
const LONG: usize = 32;

versions! {
    /// y += t·x.
    axpy = axpy_body<T>(n: usize, t: T, x: *const T, y: *mut T)
}

#[inline(always)]
unsafe fn axpy_body<T: Scalar, const FMA: bool>(n: usize, t: T, x: *const T, y: *mut T) {
    let f = factor(t, false);
    let reals = if T::COMPLEX { 2 * n } else { n };
    let (x, y) = (x.cast::<R<T>>(), y.cast::<R<T>>());
    // SAFETY: the chunks lie within n elements.
    unsafe {
        chunks!(reals, 64, i, L, {
            let mut acc = load::<R<T>, L>(y.add(i));
            add_scaled::<T, FMA, L>(&mut acc, &load(x.add(i)), &f);
            store(y.add(i), acc);
        });
    }
}

versions! {
    /// x·t in place.
    scale = scale_body<T>(n: usize, t: T, x: *mut T)
}

#[inline(always)]
unsafe fn scale_body<T: Scalar, const FMA: bool>(n: usize, t: T, x: *mut T) {
    let f = factor(t, false);
    let reals = if T::COMPLEX { 2 * n } else { n };
    let x = x.cast::<R<T>>();
    // SAFETY: the chunks lie within n elements.
    unsafe {
        chunks!(reals, 64, i, L, {
            let v = load::<R<T>, L>(x.add(i));
            let mut r = v;
            for k in 0..L {
                r[k] = f.own[k & 1] * v[k];
            }
            if T::COMPLEX {
                for k in 0..L {
                    r[k] = madd::<_, FMA>(f.other[k & 1], v[beside::<L>(k)], r[k]);
                }
            }
            store(x.add(i), r);
        });
    }
}

versions! {
    /// y := x over reals.
    copy = copy_body<T>(n: usize, x: *const T, y: *mut T)
}

#[inline(always)]
unsafe fn copy_body<T: Scalar, const FMA: bool>(n: usize, x: *const T, y: *mut T) {
    // SAFETY: the chunks lie within n elements.
    unsafe {
        chunks!(n, 64, i, L, {
            store(y.add(i), load::<T, L>(x.add(i)));
        });
    }
}

versions! {
    /// x and y exchanged, over reals.
    swap = swap_body<T>(n: usize, x: *mut T, y: *mut T)
}

#[inline(always)]
unsafe fn swap_body<T: Scalar, const FMA: bool>(n: usize, x: *mut T, y: *mut T) {
    // SAFETY: the chunks lie within n elements.
    unsafe {
        chunks!(n, 64, i, L, {
            let (vx, vy) = (load::<T, L>(x.add(i)), load::<T, L>(y.add(i)));
            store(x.add(i), vy);
            store(y.add(i), vx);
        });
    }
}

versions! {
    /// x' = h0·x + h1·y, y' = h2·x + h3·y over reals.
    rotate = rotate_body<T>(n: usize, x: *mut T, y: *mut T, h: [T; 4])
}

#[inline(always)]
unsafe fn rotate_body<T: Scalar, const FMA: bool>(n: usize, x: *mut T, y: *mut T, h: [T; 4]) {
    // SAFETY: the chunks lie within n elements.
    unsafe {
        chunks!(n, 32, i, L, {
            let (vx, vy) = (load::<T, L>(x.add(i)), load::<T, L>(y.add(i)));
            let (mut rx, mut ry) = (vx, vy);
            for k in 0..L {
                rx[k] = h[0] * vx[k] + h[1] * vy[k];
                ry[k] = h[2] * vx[k] + h[3] * vy[k];
            }
            store(x.add(i), rx);
            store(y.add(i), ry);
        });
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
