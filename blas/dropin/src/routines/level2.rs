//! Level 2: vectors are made contiguous, formats become columns (see `storage`).

use super::least;
use crate::Int;
use crate::args::{Caller, Chosen, Diag, Op, Uplo};
use crate::dispatch::compute;
use crate::scalar::Scalar;
use crate::storage::{Band, Dense, Format, Triangle, scaled};
use crate::{device, level2};
use std::mem::swap;

#[inline(always)]
pub unsafe fn gemv<T: Scalar>(
    who: Caller,
    trans: Chosen<Op>,
    mut m: Int,
    mut n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    x: *const T,
    incx: Int,
    beta: T,
    y: *mut T,
    incy: Int,
) -> Option<()> {
    let mut op = who.choose(1, trans)?;
    if who.row {
        swap(&mut m, &mut n);
        op = op.of_transposed();
    }
    who.check([
        (2, m >= 0),
        (3, n >= 0),
        (6, lda >= least(m)),
        (8, incx != 0),
        (11, incy != 0),
    ])?;
    if m == 0 || n == 0 || (alpha.is_zero() && beta.is_one()) {
        return Some(());
    }
    let (m, n, lda) = (m as usize, n as usize, lda as usize);
    let (lenx, leny) = if op.trans() { (m, n) } else { (n, m) };
    compute!(
        who.entry,
        [m, n, 0],
        // SAFETY: the arguments were checked, the rest is the caller's promise.
        |ctx| unsafe {
            let (x, y) = (Dense::new(lenx, x, incx), Dense::new(leny, y, incy));
            let factors = (alpha, a, lda, x.ptr().cast_const());
            device::level2::gemv(ctx, op, [m, n], factors, (beta, y.ptr()))?;
            y.write_back();
            Ok(())
        },
        // SAFETY: the same.
        unsafe {
            scaled(leny, beta, y, incy, |y| {
                if !alpha.is_zero() {
                    let x = Dense::new(lenx, x, incx);
                    level2::gemv(op, m, n, alpha, a, lda, x.ptr(), y);
                }
            });
        },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn gbmv<T: Scalar>(
    who: Caller,
    trans: Chosen<Op>,
    mut m: Int,
    mut n: Int,
    mut kl: Int,
    mut ku: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    x: *const T,
    incx: Int,
    beta: T,
    y: *mut T,
    incy: Int,
) -> Option<()> {
    let mut op = who.choose(1, trans)?;
    if who.row {
        swap(&mut m, &mut n);
        swap(&mut kl, &mut ku);
        op = op.of_transposed();
    }
    who.check([
        (2, m >= 0),
        (3, n >= 0),
        (4, kl >= 0),
        (5, ku >= 0),
        (8, lda > kl.saturating_add(ku)),
        (10, incx != 0),
        (13, incy != 0),
    ])?;
    if m == 0 || n == 0 || (alpha.is_zero() && beta.is_one()) {
        return Some(());
    }
    let (m, n) = (m as usize, n as usize);
    let (lenx, leny) = if op.trans() { (m, n) } else { (n, m) };
    let band = Band {
        m,
        lda: lda as usize,
        kl: kl as usize,
        ku: ku as usize,
        a,
    };
    compute!(
        who.entry,
        [m, n, 0],
        // SAFETY: the arguments were checked, the rest is the caller's promise.
        |ctx| unsafe {
            let (x, y) = (Dense::new(lenx, x, incx), Dense::new(leny, y, incy));
            let factors = (alpha, band, x.ptr().cast_const());
            device::level2::gbmv(ctx, op, n, factors, (beta, y.ptr()))?;
            y.write_back();
            Ok(())
        },
        // SAFETY: the same.
        unsafe {
            scaled(leny, beta, y, incy, |y| {
                if !alpha.is_zero() {
                    let x = Dense::new(lenx, x, incx);
                    level2::gbmv(op, n, alpha, band, x.ptr(), y);
                }
            });
        },
    );
    Some(())
}

/// The three products with a symmetric (real) or Hermitian (complex) matrix: the checks of their
/// own sizes and the format differ, and the positions of the arguments behind them.
#[inline(always)]
unsafe fn symmetric<T: Scalar, const N: usize>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    own: [(Int, bool); N],
    format: Format,
    alpha: T,
    a: *const T,
    (x, incx, at_x): (*const T, Int, Int),
    beta: T,
    (y, incy, at_y): (*mut T, Int, Int),
) -> Option<()> {
    let mut uplo = who.choose(1, uplo)?;
    if who.row {
        uplo = uplo.flip();
    }
    who.check([(2, n >= 0)])?;
    who.check(own)?;
    who.check([(at_x, incx != 0), (at_y, incy != 0)])?;
    if n == 0 || (alpha.is_zero() && beta.is_one()) {
        return Some(());
    }
    let size = n as usize;
    let triangle = Triangle {
        n: size,
        uplo,
        format,
        a: a.cast_mut(),
    };
    let conj = who.row && T::COMPLEX;
    compute!(
        who.entry,
        [size, size, 0],
        // SAFETY: the arguments were checked, the rest is the caller's promise.
        |ctx| unsafe {
            let (x, y) = (Dense::new(size, x, incx), Dense::new(size, y, incy));
            let factors = (alpha, triangle, x.ptr().cast_const());
            device::level2::symv(ctx, conj, factors, (beta, y.ptr()))?;
            y.write_back();
            Ok(())
        },
        // SAFETY: the same.
        unsafe {
            scaled(size, beta, y, incy, |y| {
                if !alpha.is_zero() {
                    let x = Dense::new(size, x, incx);
                    level2::symv(T::COMPLEX, conj, alpha, &triangle, x.ptr(), y);
                }
            });
        },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn symv<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    x: *const T,
    incx: Int,
    beta: T,
    y: *mut T,
    incy: Int,
) -> Option<()> {
    let own = [(5, lda >= least(n))];
    // SAFETY: the caller's promise.
    unsafe {
        symmetric(
            who,
            uplo,
            n,
            own,
            Format::Full(lda as usize),
            alpha,
            a,
            (x, incx, 7),
            beta,
            (y, incy, 10),
        )
    }
}

#[inline(always)]
pub unsafe fn sbmv<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    x: *const T,
    incx: Int,
    beta: T,
    y: *mut T,
    incy: Int,
) -> Option<()> {
    let own = [(3, k >= 0), (6, lda > k)];
    let format = Format::Band(lda as usize, k as usize);
    // SAFETY: the caller's promise.
    unsafe {
        symmetric(
            who,
            uplo,
            n,
            own,
            format,
            alpha,
            a,
            (x, incx, 8),
            beta,
            (y, incy, 11),
        )
    }
}

#[inline(always)]
pub unsafe fn spmv<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    n: Int,
    alpha: T,
    ap: *const T,
    x: *const T,
    incx: Int,
    beta: T,
    y: *mut T,
    incy: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        symmetric(
            who,
            uplo,
            n,
            [],
            Format::Packed,
            alpha,
            ap,
            (x, incx, 6),
            beta,
            (y, incy, 9),
        )
    }
}

/// The six products and solutions with a triangular matrix.
#[inline(always)]
unsafe fn triangular<T: Scalar, const N: usize>(
    who: Caller,
    (uplo, trans, diag): (Chosen<Uplo>, Chosen<Op>, Chosen<Diag>),
    n: Int,
    own: [(Int, bool); N],
    format: Format,
    a: *const T,
    (x, incx, at_x): (*mut T, Int, Int),
    solve: bool,
) -> Option<()> {
    let mut uplo = who.choose(1, uplo)?;
    let mut op = who.choose(2, trans)?;
    let diag = who.choose(3, diag)?;
    if who.row {
        uplo = uplo.flip();
        op = op.of_transposed();
    }
    who.check([(4, n >= 0)])?;
    who.check(own)?;
    who.check([(at_x, incx != 0)])?;
    if n == 0 {
        return Some(());
    }
    let size = n as usize;
    let triangle = Triangle {
        n: size,
        uplo,
        format,
        a: a.cast_mut(),
    };
    compute!(
        who.entry,
        [size, size, 0],
        // SAFETY: the arguments were checked, the rest is the caller's promise.
        |ctx| unsafe {
            let x = Dense::new(size, x, incx);
            device::level2::triangular(ctx, solve, (op, diag, triangle), x.ptr())?;
            x.write_back();
            Ok(())
        },
        // SAFETY: the same.
        unsafe {
            let x = Dense::new(size, x, incx);
            match solve {
                true => level2::trsv(op, diag, &triangle, x.ptr()),
                false => level2::trmv(op, diag, &triangle, x.ptr()),
            }
            x.write_back();
        },
    );
    Some(())
}

macro_rules! triangular {
    ($($full:ident $band:ident $packed:ident $solve:literal;)*) => {$(
        pub unsafe fn $full<T: Scalar>(
            who: Caller,
            uplo: Chosen<Uplo>,
            trans: Chosen<Op>,
            diag: Chosen<Diag>,
            n: Int,
            a: *const T,
            lda: Int,
            x: *mut T,
            incx: Int,
        ) -> Option<()> {
            let own = [(6, lda >= least(n))];
            let format = Format::Full(lda as usize);
            // SAFETY: the caller's promise.
            unsafe { triangular(who, (uplo, trans, diag), n, own, format, a, (x, incx, 8), $solve) }
        }

        pub unsafe fn $band<T: Scalar>(
            who: Caller,
            uplo: Chosen<Uplo>,
            trans: Chosen<Op>,
            diag: Chosen<Diag>,
            n: Int,
            k: Int,
            a: *const T,
            lda: Int,
            x: *mut T,
            incx: Int,
        ) -> Option<()> {
            let own = [(5, k >= 0), (7, lda > k)];
            let format = Format::Band(lda as usize, k as usize);
            // SAFETY: the caller's promise.
            unsafe { triangular(who, (uplo, trans, diag), n, own, format, a, (x, incx, 9), $solve) }
        }

        pub unsafe fn $packed<T: Scalar>(
            who: Caller,
            uplo: Chosen<Uplo>,
            trans: Chosen<Op>,
            diag: Chosen<Diag>,
            n: Int,
            ap: *const T,
            x: *mut T,
            incx: Int,
        ) -> Option<()> {
            // SAFETY: the caller's promise.
            unsafe { triangular(who, (uplo, trans, diag), n, [], Format::Packed, ap, (x, incx, 7), $solve) }
        }
    )*};
}
triangular! {
    trmv tbmv tpmv false;
    trsv tbsv tpsv true;
}
