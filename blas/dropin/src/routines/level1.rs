//! Level 1: there are no wrong arguments; `n` below 1 means nothing to do.

use crate::Int;
use crate::dispatch::{Entry, compute};
use crate::scalar::{Real, Scalar};
use crate::{device, level1, rotations};
use num_traits::Zero;

/// Computes on vectors of `n` elements: `nothing` of none. Vectors that have an increment of 0, or one
/// that is not positive where there is one vector, stay on the host.
macro_rules! vectors {
    ($entry:ident, ($n:ident, $fits:expr $(, $nothing:expr)?), |$ctx:ident| $device:expr, $host:expr $(,)?) => {{
        if $n <= 0 {
            return $($nothing)?;
        }
        let $n = $n as usize;
        compute!(if $fits, $entry, [$n, 0, 0], |$ctx| $device, $host)
    }};
}

#[inline(always)]
pub unsafe fn axpy<T: Scalar>(
    e: &'static Entry,
    n: Int,
    alpha: T,
    x: *const T,
    incx: Int,
    y: *mut T,
    incy: Int,
) {
    vectors!(
        e,
        (n, incx != 0 && incy != 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::axpy(ctx, n, alpha, (x, incx), (y, incy)) },
        // SAFETY: the same.
        unsafe { level1::axpy(n, alpha, x, incx, y, incy) },
    )
}

#[inline(always)]
pub unsafe fn copy<T: Scalar>(
    e: &'static Entry,
    n: Int,
    x: *const T,
    incx: Int,
    y: *mut T,
    incy: Int,
) {
    vectors!(
        e,
        (n, incx != 0 && incy != 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::copy(ctx, n, (x, incx), (y, incy)) },
        // SAFETY: the same.
        unsafe { level1::copy(n, x, incx, y, incy) },
    )
}

#[inline(always)]
pub unsafe fn swap<T: Scalar>(
    e: &'static Entry,
    n: Int,
    x: *mut T,
    incx: Int,
    y: *mut T,
    incy: Int,
) {
    vectors!(
        e,
        (n, incx != 0 && incy != 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::swap(ctx, n, (x, incx), (y, incy)) },
        // SAFETY: the same.
        unsafe { level1::swap(n, x, incx, y, incy) },
    )
}

#[inline(always)]
pub unsafe fn scal<T: Scalar>(e: &'static Entry, n: Int, alpha: T, x: *mut T, incx: Int) {
    vectors!(
        e,
        (n, incx > 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::scal(ctx, n, alpha, (x, incx)) },
        // SAFETY: the same.
        unsafe { level1::scal(n, alpha, x, incx) },
    )
}

#[inline(always)]
pub unsafe fn scal_real<T: Scalar>(
    e: &'static Entry,
    n: Int,
    alpha: T::Real,
    x: *mut T,
    incx: Int,
) {
    vectors!(
        e,
        (n, incx > 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::scal(ctx, n, T::real(alpha), (x, incx)) },
        // SAFETY: the same.
        unsafe { level1::scal_real(n, alpha, x, incx) },
    )
}

#[inline(always)]
pub unsafe fn dotu<T: Scalar>(
    e: &'static Entry,
    n: Int,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
) -> T {
    vectors!(
        e,
        (n, incx != 0 && incy != 0, T::zero()),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::dot(ctx, n, (x, incx), (y, incy), false) },
        // SAFETY: the same.
        unsafe { level1::dot(n, x, incx, y, incy, false) },
    )
}

#[inline(always)]
pub unsafe fn dotc<T: Scalar>(
    e: &'static Entry,
    n: Int,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
) -> T {
    vectors!(
        e,
        (n, incx != 0 && incy != 0, T::zero()),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::dot(ctx, n, (x, incx), (y, incy), true) },
        // SAFETY: the same.
        unsafe { level1::dot(n, x, incx, y, incy, true) },
    )
}

/// The product of `f32` vectors in `f64`.
#[inline(always)]
pub unsafe fn dsdot<T: Real + Into<f64>>(
    e: &'static Entry,
    n: Int,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
) -> f64 {
    vectors!(
        e,
        (n, incx != 0 && incy != 0, 0.0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::dot_wide(ctx, n, (x, incx), (y, incy)) },
        // SAFETY: the same.
        unsafe { level1::dot_wide(n, 0.0, x, incx, y, incy) },
    )
}

/// The same on top of `b`, rounded to `f32`.
#[inline(always)]
pub unsafe fn sdsdot<T: Real + Into<f64>>(
    e: &'static Entry,
    n: Int,
    b: f32,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
) -> f32 {
    vectors!(
        e,
        (n, incx != 0 && incy != 0, b),
        |ctx| {
            // SAFETY: the caller's promise.
            let sum = unsafe { device::level1::dot_wide(ctx, n, (x, incx), (y, incy)) }?;
            Ok((f64::from(b) + sum) as f32)
        },
        // SAFETY: the same.
        unsafe { level1::dot_wide(n, b.into(), x, incx, y, incy) as f32 },
    )
}

#[inline(always)]
pub unsafe fn asum<T: Scalar>(e: &'static Entry, n: Int, x: *const T, incx: Int) -> T::Real {
    vectors!(
        e,
        (n, incx > 0, <T::Real as Zero>::zero()),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::asum(ctx, n, (x, incx)) },
        // SAFETY: the same.
        unsafe { level1::asum(n, x, incx) },
    )
}

#[inline(always)]
pub unsafe fn nrm2<T: Scalar>(e: &'static Entry, n: Int, x: *const T, incx: Int) -> T::Real {
    vectors!(
        e,
        (n, incx > 0, <T::Real as Zero>::zero()),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::nrm2(ctx, n, (x, incx)) },
        // SAFETY: the same.
        unsafe { level1::nrm2(n, x, incx) },
    )
}

/// Counted from 1; 0 for nothing.
#[inline(always)]
pub unsafe fn iamax<T: Scalar>(e: &'static Entry, n: Int, x: *const T, incx: Int) -> usize {
    vectors!(
        e,
        (n, incx > 0, 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::iamax(ctx, n, (x, incx)) },
        // SAFETY: the same.
        unsafe { level1::iamax(n, x, incx) },
    )
}

pub unsafe fn cabs1<T: Scalar>(_: &'static Entry, x: *const T) -> T::Real {
    // SAFETY: the caller's promise.
    unsafe { (*x).abs1() }
}

#[inline(always)]
pub unsafe fn rot<T: Scalar>(
    e: &'static Entry,
    n: Int,
    x: *mut T,
    incx: Int,
    y: *mut T,
    incy: Int,
    c: T::Real,
    s: T::Real,
) {
    vectors!(
        e,
        (n, incx != 0 && incy != 0),
        // SAFETY: the caller's promise.
        |ctx| unsafe { device::level1::rot(ctx, n, (x, incx), (y, incy), (c, s)) },
        // SAFETY: the same.
        unsafe { level1::rot(n, x, incx, y, incy, c, s) },
    )
}

#[inline(always)]
pub unsafe fn rotm<T: Real>(
    e: &'static Entry,
    n: Int,
    x: *mut T,
    incx: Int,
    y: *mut T,
    incy: Int,
    param: *const T,
) {
    vectors!(
        e,
        (n, incx != 0 && incy != 0),
        // SAFETY: the caller's promise; there are five parameters.
        |ctx| unsafe {
            let param = param.cast::<[T; 5]>().read();
            device::level1::rotm(ctx, n, (x, incx), (y, incy), param)
        },
        // SAFETY: the same.
        unsafe { level1::rotm(n, x, incx, y, incy, param) },
    )
}

pub unsafe fn rotg<T: Real>(_: &'static Entry, a: *mut T, b: *mut T, c: *mut T, s: *mut T) {
    // SAFETY: the caller's promise. All is read before any of it is written.
    unsafe {
        let (mut va, mut vb, mut vc, mut vs) = (*a, *b, T::default(), T::default());
        rotations::rotg(&mut va, &mut vb, &mut vc, &mut vs);
        (*a, *b, *c, *s) = (va, vb, vc, vs);
    }
}

pub unsafe fn rotg_complex<T: Scalar>(
    _: &'static Entry,
    a: *mut T,
    b: *const T,
    c: *mut T::Real,
    s: *mut T,
) {
    // SAFETY: the caller's promise. All is read before any of it is written.
    unsafe {
        let (mut va, mut vc, mut vs) = (*a, <T::Real as Zero>::zero(), T::zero());
        rotations::rotg_complex(&mut va, *b, &mut vc, &mut vs);
        (*a, *c, *s) = (va, vc, vs);
    }
}

pub unsafe fn rotmg<T: Real>(
    _: &'static Entry,
    d1: *mut T,
    d2: *mut T,
    x1: *mut T,
    y1: T,
    param: *mut T,
) {
    // SAFETY: the caller's promise; there are five parameters. All is read before any of it is
    // written.
    unsafe {
        let (mut v1, mut v2, mut vx, mut p) = (*d1, *d2, *x1, param.cast::<[T; 5]>().read());
        rotations::rotmg(&mut v1, &mut v2, &mut vx, y1, &mut p);
        (*d1, *d2, *x1) = (v1, v2, vx);
        param.cast::<[T; 5]>().write(p);
    }
}
