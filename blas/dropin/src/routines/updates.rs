//! Level 2: updates of a matrix by one vector or two.

use super::least;
use crate::Int;
use crate::args::{Caller, Chosen, Uplo};
use crate::dispatch::compute;
use crate::scalar::Scalar;
use crate::storage::{Dense, Format, Triangle};
use crate::{device, level2};
use std::mem::swap;

/// A += alpha·x·yᵀ, or alpha·x·yᴴ.
#[inline(always)]
unsafe fn rank1<T: Scalar>(
    who: Caller,
    conj: bool,
    mut m: Int,
    mut n: Int,
    alpha: T,
    mut x: (*const T, Int),
    mut y: (*const T, Int),
    a: *mut T,
    lda: Int,
) -> Option<()> {
    if who.row {
        swap(&mut m, &mut n);
        swap(&mut x, &mut y);
    }
    who.check([
        (1, m >= 0),
        (2, n >= 0),
        (5, x.1 != 0),
        (7, y.1 != 0),
        (9, lda >= least(m)),
    ])?;
    if m == 0 || n == 0 || alpha.is_zero() {
        return Some(());
    }
    let (m, n, lda) = (m as usize, n as usize, lda as usize);
    // SAFETY: the arguments were checked, the rest is the caller's promise.
    let (x, y) = unsafe {
        (
            Dense::conj(m, x.0, x.1, conj && who.row),
            Dense::conj(n, y.0, y.1, conj && !who.row),
        )
    };
    let (x, y) = (x.ptr().cast_const(), y.ptr().cast_const());
    compute!(
        who.entry,
        [m, n, 0],
        // SAFETY: the same.
        |ctx| unsafe { device::level2::ger(ctx, [m, n], (alpha, x, y), (a, lda)) },
        // SAFETY: the same.
        unsafe { level2::ger(m, n, alpha, x, y, a, lda) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn geru<T: Scalar>(
    who: Caller,
    m: Int,
    n: Int,
    alpha: T,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    a: *mut T,
    lda: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe { rank1(who, false, m, n, alpha, (x, incx), (y, incy), a, lda) }
}

#[inline(always)]
pub unsafe fn gerc<T: Scalar>(
    who: Caller,
    m: Int,
    n: Int,
    alpha: T,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    a: *mut T,
    lda: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe { rank1(who, true, m, n, alpha, (x, incx), (y, incy), a, lda) }
}

#[inline(always)]
unsafe fn update<T: Scalar, const N: usize>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T::Real,
    (x, incx): (*const T, Int),
    own: [(Int, bool); N],
    format: Format,
    a: *mut T,
) -> Option<()> {
    let mut uplo = who.choose(1, uplo)?;
    if who.row {
        uplo = uplo.flip();
    }
    who.check([(2, n >= 0), (5, incx != 0)])?;
    who.check(own)?;
    let alpha = T::real(alpha);
    if n == 0 || alpha.is_zero() {
        return Some(());
    }
    let n = n as usize;
    let triangle = Triangle { n, uplo, format, a };
    // SAFETY: the arguments were checked, the rest is the caller's promise.
    let x = unsafe { Dense::conj(n, x, incx, T::COMPLEX && who.row) };
    let x = x.ptr().cast_const();
    compute!(
        who.entry,
        [n, n, 0],
        // SAFETY: the same.
        |ctx| unsafe { device::level2::update(ctx, (alpha, x, None), triangle) },
        // SAFETY: the same.
        unsafe { level2::syr(T::COMPLEX, alpha, x, &triangle) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn syr<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T::Real,
    x: *const T,
    incx: Int,
    a: *mut T,
    lda: Int,
) -> Option<()> {
    let own = [(7, lda >= least(n))];
    // SAFETY: the caller's promise.
    unsafe {
        update(
            who,
            uplo,
            n,
            alpha,
            (x, incx),
            own,
            Format::Full(lda as usize),
            a,
        )
    }
}

#[inline(always)]
pub unsafe fn spr<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T::Real,
    x: *const T,
    incx: Int,
    ap: *mut T,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe { update(who, uplo, n, alpha, (x, incx), [], Format::Packed, ap) }
}

#[inline(always)]
unsafe fn update2<T: Scalar, const N: usize>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T,
    mut x: (*const T, Int),
    mut y: (*const T, Int),
    own: [(Int, bool); N],
    format: Format,
    a: *mut T,
) -> Option<()> {
    let mut uplo = who.choose(1, uplo)?;
    let conj = T::COMPLEX && who.row;
    if who.row {
        uplo = uplo.flip();
    }
    if conj {
        swap(&mut x, &mut y);
    }
    who.check([(2, n >= 0), (5, x.1 != 0), (7, y.1 != 0)])?;
    who.check(own)?;
    if n == 0 || alpha.is_zero() {
        return Some(());
    }
    let n = n as usize;
    let triangle = Triangle { n, uplo, format, a };
    // SAFETY: the arguments were checked, the rest is the caller's promise.
    let (x, y) = unsafe {
        (
            Dense::conj(n, x.0, x.1, conj),
            Dense::conj(n, y.0, y.1, conj),
        )
    };
    let (x, y) = (x.ptr().cast_const(), y.ptr().cast_const());
    compute!(
        who.entry,
        [n, n, 0],
        // SAFETY: the same.
        |ctx| unsafe { device::level2::update(ctx, (alpha, x, Some(y)), triangle) },
        // SAFETY: the same.
        unsafe { level2::syr2(T::COMPLEX, alpha, x, y, &triangle) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn syr2<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    a: *mut T,
    lda: Int,
) -> Option<()> {
    let own = [(9, lda >= least(n))];
    // SAFETY: the caller's promise.
    unsafe {
        update2(
            who,
            uplo,
            n,
            alpha,
            (x, incx),
            (y, incy),
            own,
            Format::Full(lda as usize),
            a,
        )
    }
}

#[inline(always)]
pub unsafe fn spr2<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T,
    x: *const T,
    incx: Int,
    y: *const T,
    incy: Int,
    ap: *mut T,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        update2(
            who,
            uplo,
            n,
            alpha,
            (x, incx),
            (y, incy),
            [],
            Format::Packed,
            ap,
        )
    }
}
