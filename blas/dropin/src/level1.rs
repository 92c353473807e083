//! Level 1 on the host: vectors of any increment. Contiguous ones go to the kernels; others are
//! walked, in the reference's order, so that increments of zero mean what they mean there.

use crate::args::start;
use crate::kernels;
use crate::scalar::{Real, Scalar};
use crate::{Int, parallel};
use num_traits::{Float, One, Zero};

/// The element where a vector with this increment begins.
///
/// # Safety
/// The vector has `n` elements at this increment.
unsafe fn first<T>(x: *const T, n: usize, inc: Int) -> *mut T {
    // SAFETY: the caller's promise.
    unsafe { x.cast_mut().offset(start(n, inc)) }
}

/// Calls `f` with the addresses of each pair of elements, in order. Not part of its callers, which
/// are short where both increments are 1.
///
/// # Safety
/// Both vectors have `n` elements at their increments.
#[inline(never)]
unsafe fn pairs<T>(
    n: usize,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    mut f: impl FnMut(*mut T, *mut T),
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (x, y) = (first(x, n, incx), first(y, n, incy));
        for i in 0..n as isize {
            f(x.offset(i * incx as isize), y.offset(i * incy as isize));
        }
    }
}

/// Calls `f` with the address of each element of a vector with a positive increment.
///
/// # Safety
/// The vector has `n` elements at its increment.
#[inline(never)]
unsafe fn elements<T>(n: usize, x: *mut T, incx: Int, mut f: impl FnMut(*mut T)) {
    for i in 0..n {
        // SAFETY: the caller's promise.
        f(unsafe { x.add(i * incx as usize) });
    }
}

#[inline(always)]
pub unsafe fn axpy<T: Scalar>(n: usize, a: T, x: *const T, incx: Int, y: *mut T, incy: Int) {
    if a.abs1().is_zero() {
        return;
    }
    // SAFETY: the caller's vectors have these increments.
    unsafe {
        if incx == 1 && incy == 1 {
            let (x, y) = (parallel::Shared(x.cast_mut()), parallel::Shared(y));
            parallel::ranges(n, size_of::<T>(), move |i, m| {
                kernels::axpy(m, a, x.at(i), y.at(i))
            });
        } else {
            strided_axpy(n, a, x, incx, y, incy);
        }
    }
}

#[inline(never)]
unsafe fn strided_axpy<T: Scalar>(n: usize, a: T, x: *const T, incx: Int, y: *mut T, incy: Int) {
    // SAFETY: the caller's vectors have these increments.
    unsafe {
        if incy == 0 {
            pairs(n, x, incx, y, incy, |x, y| *y += a * *x);
        } else {
            // Through buffers: an element is rounded the same way whatever the increments.
            const CHUNK: usize = 64;
            let (mut bx, mut by) = ([T::default(); CHUNK], [T::default(); CHUNK]);
            let (x, y) = (first(x, n, incx), first(y, n, incy));
            for i in (0..n).step_by(CHUNK) {
                let m = CHUNK.min(n - i);
                for k in 0..m {
                    bx[k] = *x.offset((i + k) as isize * incx as isize);
                    by[k] = *y.offset((i + k) as isize * incy as isize);
                }
                kernels::axpy(m, a, bx.as_ptr(), by.as_mut_ptr());
                for k in 0..m {
                    *y.offset((i + k) as isize * incy as isize) = by[k];
                }
            }
        }
    }
}

#[inline(always)]
pub unsafe fn dot<T: Scalar>(
    n: usize,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    conj: bool,
) -> T {
    // SAFETY: the caller's vectors have these increments.
    unsafe {
        if incx == 1 && incy == 1 {
            let (x, y) = (
                parallel::Shared(x.cast_mut()),
                parallel::Shared(y.cast_mut()),
            );
            return parallel::sum::<T, T>(n, move |i, m| kernels::dot(m, x.at(i), y.at(i), conj));
        }
        let mut s = T::zero();
        pairs(n, x, incx, y, incy, |x, y| s += (*x).conj_if(conj) * *y);
        s
    }
}

/// The sum of products in f64, on top of `s`.
#[inline(always)]
pub unsafe fn dot_wide<T: Real>(
    n: usize,
    mut s: f64,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
) -> f64 {
    // SAFETY: the caller's vectors have these increments.
    unsafe {
        if incx == 1 && incy == 1 {
            let (x, y) = (
                parallel::Shared(x.cast_mut()),
                parallel::Shared(y.cast_mut()),
            );
            return s + parallel::sum::<T, f64>(n, move |i, m| {
                kernels::wide_dot(m, x.at(i), y.at(i))
            });
        }
        pairs(n, x, incx, y, incy, |x, y| s += (*x).wide() * (*y).wide());
        s
    }
}

#[inline(always)]
pub unsafe fn copy<T: Scalar>(n: usize, x: *const T, incx: Int, y: *mut T, incy: Int) {
    // SAFETY: the caller's vectors have these increments.
    unsafe {
        if incx == 1 && incy == 1 {
            let (x, y) = (parallel::Shared(x.cast_mut()), parallel::Shared(y));
            parallel::ranges(n, size_of::<T>(), move |i, m| {
                kernels::copy(m, x.at(i), y.at(i));
            });
        } else {
            pairs(n, x, incx, y, incy, |x, y| *y = *x);
        }
    }
}

#[inline(always)]
pub unsafe fn swap<T: Scalar>(n: usize, x: *mut T, incx: Int, y: *mut T, incy: Int) {
    // SAFETY: the caller's vectors have these increments; two reals make a complex number.
    unsafe {
        if incx == 1 && incy == 1 {
            let (x, y) = (parallel::Shared(x), parallel::Shared(y));
            parallel::ranges(n, size_of::<T>(), move |i, m| {
                kernels::swap(m, x.at(i), y.at(i));
            });
        } else {
            pairs(n, x, incx, y, incy, |x, y| std::ptr::swap(x, y));
        }
    }
}

/// x := a·x for a scalar, or a real number, of the vector's precision.
#[inline(always)]
pub unsafe fn scal<T: Scalar>(n: usize, a: T, x: *mut T, incx: Int) {
    if incx <= 0 {
        return;
    }
    // SAFETY: the caller's vector has this increment.
    unsafe {
        if incx == 1 {
            let x = parallel::Shared(x);
            parallel::ranges(n, size_of::<T>(), move |i, m| kernels::scale(m, a, x.at(i)));
        } else {
            elements(n, x, incx, |x| *x *= a);
        }
    }
}

#[inline(always)]
pub unsafe fn scal_real<T: Scalar>(n: usize, a: T::Real, x: *mut T, incx: Int) {
    if incx <= 0 {
        return;
    }
    // SAFETY: the caller's vector has this increment; two reals make a complex number.
    unsafe {
        if incx == 1 && T::COMPLEX {
            scal(2 * n, a, x.cast::<T::Real>(), 1);
        } else {
            elements(n, x, incx, |x| *x = (*x).scale(a));
        }
    }
}

#[inline(always)]
pub unsafe fn asum<T: Scalar>(n: usize, x: *const T, incx: Int) -> T::Real {
    let mut s = <T::Real as Zero>::zero();
    if incx <= 0 {
        return s;
    }
    // SAFETY: the caller's vector has this increment; two reals make a complex number.
    unsafe {
        if incx == 1 {
            let reals = if T::COMPLEX { 2 * n } else { n };
            let x = parallel::Shared(x.cast::<T::Real>().cast_mut());
            return parallel::sum::<T::Real, T::Real>(reals, move |i, m| {
                kernels::abs_sum(m, x.at(i))
            });
        }
        elements(n, x.cast_mut(), incx, |x| s += (*x).abs1());
    }
    s
}

/// The square root of the sum of squares, without overflow on the way.
#[inline(always)]
pub unsafe fn nrm2<T: Scalar>(n: usize, x: *const T, incx: Int) -> T::Real {
    // Squares of f32 cannot leave f64's range; squares of f64 can, and then are scaled.
    let back = |r: f64| num_traits::cast::<f64, T::Real>(r).unwrap_or(T::Real::nan());
    // SAFETY: the caller's vector has this increment; two reals make a complex number.
    unsafe {
        let x = first(x, n, incx);
        if n == 1 && !T::COMPLEX {
            return (*x).abs1();
        }
        let s = if incx == 1 {
            let reals = if T::COMPLEX { 2 * n } else { n };
            let x = parallel::Shared(x.cast::<T::Real>());
            parallel::sum::<T::Real, f64>(reals, move |i, m| kernels::squares(m, x.at(i)))
        } else {
            strided_squares(n, x, incx)
        };
        // Below, squares that are lost for being too small may count: there are 2^62 at most.
        const SMALL: f64 = 1e-270;
        if size_of::<T::Real>() == 4 || (s > SMALL && s < f64::INFINITY) {
            return back(s.sqrt());
        }
        scaled_nrm2(n, x, incx)
    }
}

/// The sum of the squares.
#[inline(never)]
unsafe fn strided_squares<T: Scalar>(n: usize, x: *const T, incx: Int) -> f64 {
    let mut s = 0.0;
    for i in 0..n as isize {
        // SAFETY: the caller's vector begins at `x` and has this increment.
        let v = unsafe { *x.offset(i * incx as isize) };
        s += v.re().wide().powi(2) + v.im().wide().powi(2);
    }
    s
}

/// The same for numbers whose squares may leave f64's range.
#[cold]
unsafe fn scaled_nrm2<T: Scalar>(n: usize, x: *const T, incx: Int) -> T::Real {
    let wide = |r: T::Real| r.wide();
    let back = |r: f64| num_traits::cast::<f64, T::Real>(r).unwrap_or(T::Real::nan());
    // SAFETY: the caller's vector begins at `x` and has this increment.
    unsafe {
        let (mut scale, mut sum) = (0f64, 0f64);
        for i in 0..n as isize {
            let v = *x.offset(i * incx as isize);
            for part in [wide(v.re()).abs(), wide(v.im()).abs()] {
                if part.is_nan() {
                    return T::Real::nan();
                }
                scale = scale.max(part);
            }
        }
        if scale == 0.0 || scale.is_infinite() {
            return back(scale);
        }
        // A power of two, in two factors since its inverse may not be a number.
        let (half, exp) = (2f64, scale.log2().floor() as i32);
        let (up, down) = (half.powi(-(exp / 2)), half.powi(-(exp - exp / 2)));
        for i in 0..n as isize {
            let v = *x.offset(i * incx as isize);
            sum += (wide(v.re()) * up * down).powi(2) + (wide(v.im()) * up * down).powi(2);
        }
        back(sum.sqrt() / up / down)
    }
}

/// The index, counted from 1, of the first of the largest elements; 0 if there is none.
#[inline(always)]
pub unsafe fn iamax<T: Scalar>(n: usize, x: *const T, incx: Int) -> usize {
    if n == 0 || incx <= 0 {
        return 0;
    }
    /// Elements that take less time than the way to the kernel.
    const FEW: usize = 12;
    // SAFETY: the caller's vector has this increment.
    unsafe {
        let mut best = (*x).abs1();
        let mut at = 0;
        if best.is_nan() {
            return 1; // nothing compares as larger
        }
        if incx == 1 && n > FEW {
            at = kernels::largest(n, x).0;
        } else {
            for i in 1..n {
                let a = (*x.add(i * incx as usize)).abs1();
                if a > best {
                    (best, at) = (a, i);
                }
            }
        }
        at + 1
    }
}

/// (x, y) := (c·x + s·y, c·y - s·x) with real c and s.
#[inline(always)]
pub unsafe fn rot<T: Scalar>(
    n: usize,
    x: *mut T,
    incx: Int,
    y: *mut T,
    incy: Int,
    c: T::Real,
    s: T::Real,
) {
    // SAFETY: the caller's vectors have these increments; two reals make a complex number.
    unsafe {
        if incx == 1 && incy == 1 {
            let reals = if T::COMPLEX { 2 * n } else { n };
            let (x, y) = (
                parallel::Shared(x.cast::<T::Real>()),
                parallel::Shared(y.cast::<T::Real>()),
            );
            return parallel::ranges(reals, size_of::<T::Real>(), move |i, m| {
                kernels::rotate(m, x.at(i), y.at(i), c, s, -s, c);
            });
        }
        pairs(n, x, incx, y, incy, |x, y| {
            let (vx, vy) = (*x, *y);
            *x = vx.scale(c) + vy.scale(s);
            *y = vy.scale(c) - vx.scale(s);
        });
    }
}

/// The modified rotation whose first parameter says which elements of H are stored.
#[inline(always)]
pub unsafe fn rotm<T: Real>(n: usize, x: *mut T, incx: Int, y: *mut T, incy: Int, param: *const T) {
    let one = <T as One>::one();
    // SAFETY: the caller's vectors have these increments; there are five parameters.
    unsafe {
        let p = |i: usize| *param.add(i);
        let flag = p(0);
        // param holds h11, h21, h12, h22 after the flag.
        let (xx, xy, yx, yy) = if flag + one + one == <T as Zero>::zero() {
            return;
        } else if flag < <T as Zero>::zero() {
            (p(1), p(3), p(2), p(4))
        } else if flag == <T as Zero>::zero() {
            (one, p(3), p(2), one)
        } else {
            (p(1), one, -one, p(4))
        };
        if incx == 1 && incy == 1 {
            return kernels::rotate(n, x, y, xx, xy, yx, yy);
        }
        pairs(n, x, incx, y, incy, |x, y| {
            let (vx, vy) = (*x, *y);
            *x = xx * vx + xy * vy;
            *y = yx * vx + yy * vy;
        });
    }
}
