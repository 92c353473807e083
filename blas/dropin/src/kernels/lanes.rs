//! Chunks of lanes: what the loops of `vectors` and `columns` are made of. A chunk is an array of
//! so many reals that the compiler makes vectors of; a complex number is two neighbouring lanes.
//! A chunk is read whole before any of it is written, so operands that are the same vector are no
//! danger, and an element is rounded the same way in every chunk.

use crate::scalar::Scalar;
use num_traits::Float;

/// The reals of a type.
pub type R<T> = <T as Scalar>::Real;

/// Runs a body over 0..len in chunks of `L` reals from `i` on: long ones, then ever shorter ones.
macro_rules! chunks {
    ($len:expr, $long:literal, $i:ident, $l:ident, $body:block) => {
        let mut $i = 0;
        chunks!(@many $len, $long, $i, $l, $body);
        chunks!(@many $len, 16, $i, $l, $body);
        chunks!(@one $len, 8, $i, $l, $body);
        chunks!(@one $len, 4, $i, $l, $body);
        chunks!(@one $len, 2, $i, $l, $body);
        {
            const $l: usize = 1;
            if $i < $len {
                $body;
            }
        }
    };
    (@many $len:expr, $n:literal, $i:ident, $l:ident, $body:block) => {{
        const $l: usize = $n;
        while $i + $l <= $len {
            $body;
            $i += $l;
        }
    }};
    (@one $len:expr, $n:literal, $i:ident, $l:ident, $body:block) => {{
        const $l: usize = $n;
        if $i + $l <= $len {
            $body;
            $i += $l;
        }
    }};
}
pub(super) use chunks;

/// a·b + c, fused where that is one instruction.
#[inline(always)]
pub fn madd<F: Float, const FMA: bool>(a: F, b: F, c: F) -> F {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// # Safety
/// There are L elements.
#[inline(always)]
pub unsafe fn load<F: Copy, const L: usize>(p: *const F) -> [F; L] {
    // SAFETY: the caller's promise; the array has the alignment of its elements.
    unsafe { p.cast::<[F; L]>().read() }
}

/// # Safety
/// There are L elements.
#[inline(always)]
pub unsafe fn store<F: Copy, const L: usize>(p: *mut F, v: [F; L]) {
    // SAFETY: the caller's promise; the array has the alignment of its elements.
    unsafe { p.cast::<[F; L]>().write(v) }
}

/// The lane beside lane `k` of L.
#[inline(always)]
pub fn beside<const L: usize>(k: usize) -> usize {
    (k ^ 1) % L
}

/// A scalar factor as the lanes of a chunk need it: `x·t`, or `conj(x)·t`, is
/// `own[k%2]·x[k] + other[k%2]·x[k^1]`.
#[derive(Clone, Copy)]
pub struct Factor<F> {
    pub own: [F; 2],
    pub other: [F; 2],
}

#[inline(always)]
pub fn factor<T: Scalar>(t: T, conj: bool) -> Factor<T::Real> {
    let (re, im) = (t.re(), t.im());
    let (own, other) = match (T::COMPLEX, conj) {
        (false, _) => ([re, re], [re, re]),
        (true, true) => ([re, -re], [im, im]),
        (true, false) => ([re, re], [-im, im]),
    };
    Factor { own, other }
}

/// acc + x·t, lane by lane.
#[inline(always)]
pub fn add_scaled<T: Scalar, const FMA: bool, const L: usize>(
    acc: &mut [T::Real; L],
    x: &[T::Real; L],
    t: &Factor<T::Real>,
) {
    for k in 0..L {
        acc[k] = madd::<_, FMA>(t.own[k & 1], x[k], acc[k]);
    }
    if T::COMPLEX {
        for k in 0..L {
            acc[k] = madd::<_, FMA>(t.other[k & 1], x[beside::<L>(k)], acc[k]);
        }
    }
}

/// acc[k % S] + v[k], for all k.
#[inline(always)]
pub fn fold<F: Float, const L: usize, const S: usize>(acc: &mut [F; S], v: &[F; L]) {
    for k in 0..L {
        acc[k % S] = acc[k % S] + v[k];
    }
}
