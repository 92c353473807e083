//! Level 3.

use super::least;
use crate::Int;
use crate::args::{Caller, Chosen, Diag, Op, Side, Uplo};
use crate::device;
use crate::dispatch::compute;
use crate::level3;
use crate::operand::View;
use crate::scalar::Scalar;
use std::mem::swap;

#[inline(always)]
pub unsafe fn gemm<T: Scalar>(
    who: Caller,
    transa: Chosen<Op>,
    transb: Chosen<Op>,
    mut m: Int,
    mut n: Int,
    k: Int,
    alpha: T,
    mut a: *const T,
    mut lda: Int,
    mut b: *const T,
    mut ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    let mut opa = who.choose(1, transa)?;
    let mut opb = who.choose(2, transb)?;
    if who.row {
        swap(&mut m, &mut n);
        swap(&mut opa, &mut opb);
        swap(&mut a, &mut b);
        swap(&mut lda, &mut ldb);
    }
    who.check([
        (3, m >= 0),
        (4, n >= 0),
        (5, k >= 0),
        (8, lda >= least(if opa.trans() { k } else { m })),
        (10, ldb >= least(if opb.trans() { n } else { k })),
        (13, ldc >= least(m)),
    ])?;
    if m == 0 || n == 0 || ((alpha.is_zero() || k == 0) && beta.is_one()) {
        return Some(());
    }
    let sizes = [m as usize, n as usize, k as usize];
    let (a, b) = (
        View::new(a, lda as usize, opa),
        View::new(b, ldb as usize, opb),
    );
    let ([m, n, k], ldc) = (sizes, ldc as usize);
    compute!(
        who.entry,
        sizes,
        // SAFETY: the arguments were checked, the rest is the caller's promise.
        |ctx| unsafe { device::level3::gemm(ctx, sizes, (alpha, a, b), (beta, c, ldc)) },
        // SAFETY: the same.
        unsafe { level3::gemm(m, n, k, alpha, a, b, beta, c, ldc) },
    );
    Some(())
}

#[inline(always)]
unsafe fn symmetric<T: Scalar>(
    who: Caller,
    herm: bool,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    mut m: Int,
    mut n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    let mut side = who.choose(1, side)?;
    let mut uplo = who.choose(2, uplo)?;
    if who.row {
        swap(&mut m, &mut n);
        (side, uplo) = (side.flip(), uplo.flip());
    }
    let order = if side == Side::Left { m } else { n };
    who.check([
        (3, m >= 0),
        (4, n >= 0),
        (7, lda >= least(order)),
        (9, ldb >= least(m)),
        (12, ldc >= least(m)),
    ])?;
    if m == 0 || n == 0 || (alpha.is_zero() && beta.is_one()) {
        return Some(());
    }
    let (m, n, order, ldc) = (m as usize, n as usize, order as usize, ldc as usize);
    let (a, b) = (
        View::new(a, lda as usize, Op::N),
        View::new(b, ldb as usize, Op::N),
    );
    compute!(
        who.entry,
        [m, n, order],
        |ctx| {
            let (form, to) = ((herm, side, uplo), (beta, c, ldc));
            // SAFETY: the arguments were checked, the rest is the caller's promise.
            unsafe { device::level3::symm(ctx, form, [m, n], (alpha, a, b), to) }
        },
        // SAFETY: the same.
        unsafe { level3::symm(herm, side, uplo, m, n, alpha, a, b, beta, c, ldc) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn symm<T: Scalar>(
    who: Caller,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    m: Int,
    n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        symmetric(
            who, false, side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc,
        )
    }
}

#[inline(always)]
pub unsafe fn hemm<T: Scalar>(
    who: Caller,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    m: Int,
    n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        symmetric(
            who, true, side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc,
        )
    }
}

/// The options of the rank-k updates: the triangle, and whether A is transposed. A complex
/// symmetric update knows no conjugation, a Hermitian one no plain transposition.
#[inline(always)]
fn update_options<T: Scalar>(
    who: Caller,
    herm: bool,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
) -> Option<(Uplo, bool)> {
    let uplo = who.choose(1, uplo)?;
    let op = who.choose(2, trans)?;
    let excluded = if herm { Op::T } else { Op::C };
    who.check([(2, !T::COMPLEX || op != excluded)])?;
    let flipped = (uplo.flip(), !op.trans());
    Some(if who.row { flipped } else { (uplo, op.trans()) })
}

#[inline(always)]
unsafe fn rank_k<T: Scalar>(
    who: Caller,
    herm: bool,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    let (uplo, trans) = update_options::<T>(who, herm, uplo, trans)?;
    let rows = if trans { k } else { n };
    who.check([
        (3, n >= 0),
        (4, k >= 0),
        (7, lda >= least(rows)),
        (10, ldc >= least(n)),
    ])?;
    if n == 0 || ((alpha.is_zero() || k == 0) && beta.is_one()) {
        return Some(());
    }
    let (n, k, ldc) = (n as usize, k as usize, ldc as usize);
    let a = View::new(a, lda as usize, if trans { Op::T } else { Op::N });
    compute!(
        who.entry,
        [n, n, k],
        |ctx| {
            let (form, to) = ((herm, uplo, trans), (beta, c, ldc));
            // SAFETY: the arguments were checked, the rest is the caller's promise.
            unsafe { device::level3::update(ctx, form, [n, k], (alpha, a, None), to) }
        },
        // SAFETY: the same.
        unsafe { level3::syrk(herm, uplo, trans, n, k, alpha, a, beta, c, ldc) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn syrk<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe { rank_k(who, false, uplo, trans, n, k, alpha, a, lda, beta, c, ldc) }
}

#[inline(always)]
pub unsafe fn herk<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T::Real,
    a: *const T,
    lda: Int,
    beta: T::Real,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        rank_k(
            who,
            true,
            uplo,
            trans,
            n,
            k,
            T::real(alpha),
            a,
            lda,
            T::real(beta),
            c,
            ldc,
        )
    }
}

#[inline(always)]
unsafe fn rank_2k<T: Scalar>(
    who: Caller,
    herm: bool,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    let (uplo, trans) = update_options::<T>(who, herm, uplo, trans)?;
    let alpha = alpha.conj_if(herm && who.row);
    let rows = if trans { k } else { n };
    who.check([
        (3, n >= 0),
        (4, k >= 0),
        (7, lda >= least(rows)),
        (9, ldb >= least(rows)),
        (12, ldc >= least(n)),
    ])?;
    if n == 0 || ((alpha.is_zero() || k == 0) && beta.is_one()) {
        return Some(());
    }
    let (n, k, ldc) = (n as usize, k as usize, ldc as usize);
    let op = if trans { Op::T } else { Op::N };
    let (a, b) = (
        View::new(a, lda as usize, op),
        View::new(b, ldb as usize, op),
    );
    compute!(
        who.entry,
        [n, n, k],
        |ctx| {
            let (form, to) = ((herm, uplo, trans), (beta, c, ldc));
            // SAFETY: the arguments were checked, the rest is the caller's promise.
            unsafe { device::level3::update(ctx, form, [n, k], (alpha, a, Some(b)), to) }
        },
        // SAFETY: the same.
        unsafe { level3::syr2k(herm, uplo, trans, n, k, alpha, a, b, beta, c, ldc) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn syr2k<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        rank_2k(
            who, false, uplo, trans, n, k, alpha, a, lda, b, ldb, beta, c, ldc,
        )
    }
}

#[inline(always)]
pub unsafe fn her2k<T: Scalar>(
    who: Caller,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    n: Int,
    k: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *const T,
    ldb: Int,
    beta: T::Real,
    c: *mut T,
    ldc: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        rank_2k(
            who,
            true,
            uplo,
            trans,
            n,
            k,
            alpha,
            a,
            lda,
            b,
            ldb,
            T::real(beta),
            c,
            ldc,
        )
    }
}

#[inline(always)]
unsafe fn triangular<T: Scalar>(
    who: Caller,
    solve: bool,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    diag: Chosen<Diag>,
    mut m: Int,
    mut n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *mut T,
    ldb: Int,
) -> Option<()> {
    let mut side = who.choose(1, side)?;
    let mut uplo = who.choose(2, uplo)?;
    let op = who.choose(3, trans)?;
    let diag = who.choose(4, diag)?;
    if who.row {
        swap(&mut m, &mut n);
        (side, uplo) = (side.flip(), uplo.flip());
    }
    let order = if side == Side::Left { m } else { n };
    who.check([
        (5, m >= 0),
        (6, n >= 0),
        (9, lda >= least(order)),
        (11, ldb >= least(m)),
    ])?;
    if m == 0 || n == 0 {
        return Some(());
    }
    let (m, n, order, ldb) = (m as usize, n as usize, order as usize, ldb as usize);
    let (a, trans) = (View::new(a, lda as usize, op), op.trans());
    compute!(
        who.entry,
        [m, n, order],
        |ctx| {
            let form = (solve, side, uplo, trans, diag);
            // SAFETY: the arguments were checked, the rest is the caller's promise.
            unsafe { device::level3::triangular(ctx, form, [m, n], (alpha, a), (b, ldb)) }
        },
        // SAFETY: the same.
        unsafe { level3::triangular(solve, side, uplo, trans, diag, m, n, alpha, a, b, ldb) },
    );
    Some(())
}

#[inline(always)]
pub unsafe fn trmm<T: Scalar>(
    who: Caller,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    diag: Chosen<Diag>,
    m: Int,
    n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *mut T,
    ldb: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        triangular(
            who, false, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb,
        )
    }
}

#[inline(always)]
pub unsafe fn trsm<T: Scalar>(
    who: Caller,
    side: Chosen<Side>,
    uplo: Chosen<Uplo>,
    trans: Chosen<Op>,
    diag: Chosen<Diag>,
    m: Int,
    n: Int,
    alpha: T,
    a: *const T,
    lda: Int,
    b: *mut T,
    ldb: Int,
) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        triangular(
            who, true, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb,
        )
    }
}
