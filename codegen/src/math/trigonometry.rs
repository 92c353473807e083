//! Trigonometric functions and their inverses, in f32 and f64, on any number of lanes.
//!
//! The signs of results are those of C99 Annex F by construction: angles are reduced as magnitudes,
//! and the sign joins at the end. Nothing depends on which products and sums a compiler contracts:
//! what has to be exact is a written fma.

use super::reduction::{half_pi, reduce};
use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;
use std::f64::consts::{FRAC_PI_2, PI};

/// Of a polynomial, for f32 and for f64.
type Coefficients = (&'static [f64], &'static [f64]);

/// `(sin r / r - 1) / r²` in r² for |r| ≤ 0.8; relative error of the sine 2^-26.8 and 2^-57.2.
const SIN: Coefficients = (
    &[-1.6666654e-1, 8.332071e-3, -1.9503069e-4],
    &[
        -0.16666666666666666,
        0.00833333333333332,
        -0.00019841269841251749,
        2.7557319212485976e-6,
        -2.5052104471806783e-8,
        1.605831109545132e-10,
        -7.575968324726321e-13,
    ],
);

/// `(cos r - 1 + r²/2) / r⁴` in r² for |r| ≤ 0.8; relative error of the cosine 2^-30.2 and 2^-59.4.
const COS: Coefficients = (
    &[4.166664e-2, -1.3887194e-3, 2.4419196e-5],
    &[
        0.041666666666666664,
        -0.001388888888888887,
        2.480158730156712e-5,
        -2.7557319213555826e-7,
        2.0876753968157936e-9,
        -1.147024930341102e-11,
        4.736174736760082e-14,
    ],
);

/// `(asin x / x - 1) / x²` in x² for |x| ≤ 1/2; relative error of the arc sine 2^-27.5 and 2^-58.8.
const ASIN: Coefficients = (
    &[
        1.6666755e-1,
        7.495196e-2,
        4.548334e-2,
        2.4114486e-2,
        4.2278506e-2,
    ],
    &[
        0.16666666666666766,
        0.07499999999969408,
        0.04464285717597822,
        0.030381942640594226,
        0.022372216922357482,
        0.01735157657765316,
        0.013981252916528804,
        0.011395316487489645,
        0.01080071644631444,
        0.0036279860243891384,
        0.02190091931185416,
        -0.021276538840651504,
        0.03280441022580054,
    ],
);

/// `(atan q / q - 1) / q²` in q² for |q| ≤ 1; relative error of the arc tangent 2^-26.5 and 2^-56.2.
const ATAN: Coefficients = (
    &[
        -3.33333e-1,
        1.9998547e-1,
        -1.426424e-1,
        1.0952178e-1,
        -8.403428e-2,
        5.7957232e-2,
        -3.11775e-2,
        1.0914427e-2,
        -1.793583e-3,
    ],
    &[
        -0.33333333333333287,
        0.1999999999999045,
        -0.14285714285036755,
        0.11111111086451092,
        -0.09090908547324777,
        0.076922997126305,
        -0.06666583730131975,
        0.05881716199951192,
        -0.052594340052016325,
        0.047449269021147406,
        -0.04286393139112457,
        0.038210113278537815,
        -0.03278551528022624,
        0.026151787332646295,
        -0.018614332030996158,
        0.011317765121123693,
        -0.005612462409939697,
        0.0021516240546922603,
        -0.0005929051659638893,
        0.00010387432298601845,
        -8.654435382705393e-6,
    ],
);

/// Sine and cosine of an angle of at most about π/4.
fn sin_cos(r: Term<'_>) -> (Term<'_>, Term<'_>) {
    let z = r * r;
    let sin = (r * z).mul_add(z.poly(z.pick(SIN.0, SIN.1)), r);
    let tail = z.mul_add(z.poly(z.pick(COS.0, COS.1)), -0.5);
    (sin, z.mul_add(tail, 1.0))
}

/// The sine of `quarters` quarter turns and `r`.
fn turned_sin<'t>(quarters: Term<'t>, r: Term<'t>) -> Term<'t> {
    let (sin, cos) = sin_cos(r);
    let size = (quarters & 1).ne(0).select(cos, sin);
    let top = r.pick(31, 63);
    let half_turn = (quarters >> 1) << top;
    (size.bits() ^ half_turn).float()
}

/// `value` where `x` is finite, else NaN.
fn if_finite<'t>(x: Term<'t>, value: Term<'t>) -> Term<'t> {
    x.abs().lt(f64::INFINITY).select(value, f64::NAN)
}

/// The sine.
pub fn sin(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let r = reduce(x.abs());
        if_finite(x, turned_sin(r.quarters, r.rest).flipped_like(x))
    })
}

/// The cosine.
pub fn cos(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let r = reduce(x.abs());
        if_finite(x, turned_sin(r.quarters + 1, r.rest))
    })
}

/// The tangent.
pub fn tan(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let r = reduce(x.abs());
        let (sin, cos) = sin_cos(r.rest);
        // tan(r + π/2) = -cos r / sin r
        let odd = (r.quarters & 1).ne(0);
        let y = odd.select(-cos, sin) / odd.select(sin, cos);
        if_finite(x, y.flipped_like(x))
    })
}

/// A magnitude of half turns as quarter turns, and a rest in radians.
fn reduce_pi(x: Term<'_>) -> (Term<'_>, Term<'_>) {
    // Whole turns, then quarters; both differences are exact.
    let x = (x * 0.5).rint().fma(-2.0, x);
    let n = (x * 2.0).rint();
    let rest = n.fma(-0.5, x);
    (n.whole().cast(x.bits().ty().scalar), rest * PI)
}

/// `sin(π a)` of a finite magnitude; +0 where it is whole.
pub(super) fn sin_of_half_turns(a: Term<'_>) -> Term<'_> {
    let (quarters, r) = reduce_pi(a);
    let y = turned_sin(quarters, r);
    y.eq(0.0).select(0.0, y)
}

/// `sin(π x)`; a zero with the sign of `x` where `x` is whole.
pub fn sinpi(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        if_finite(x, sin_of_half_turns(x.abs()).flipped_like(x))
    })
}

/// `cos(π x)`; +0 where `x` is a whole number and a half.
pub fn cospi(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (quarters, r) = reduce_pi(x.abs());
        let y = turned_sin(quarters + 1, r);
        if_finite(x, y.eq(0.0).select(0.0, y))
    })
}

/// For a magnitude `a`: whether `a > 1/2`, and the arc sine of `a` if not, of `√((1 - a) / 2)` if so,
/// which is half the arc cosine of `a`.
fn asin_part(a: Term<'_>) -> (Term<'_>, Term<'_>) {
    let steep = a.gt(0.5);
    let half = a.fma(-0.5, 0.5);
    let z = steep.select(half, a * a);
    let s = steep.select(half.sqrt(), a);
    (steep, (s * z).mul_add(z.poly(z.pick(ASIN.0, ASIN.1)), s))
}

/// `π/2 - y`, with the bits that π/2 has beyond the type.
fn from_half_pi(y: Term<'_>) -> Term<'_> {
    (half_pi(y)[1] - y) + FRAC_PI_2
}

/// The arc sine; NaN beyond ±1.
pub fn asin(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (steep, part) = asin_part(x.abs());
        let y = steep.select(from_half_pi(part * 2.0), part);
        y.flipped_like(x)
    })
}

/// The arc cosine; NaN beyond ±1.
pub fn acos(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (steep, part) = asin_part(x.abs());
        // π/2 ∓ part near zero; 2 part near 1, and π - 2 part near -1.
        let rest = from_half_pi(steep.select(part, part.flipped_like(x)));
        let near_one = x.lt(0.0).select(rest, part);
        steep.select(near_one * 2.0, rest)
    })
}

/// The angle of the point (x, y) of the first quadrant.
fn angle<'t>(y: Term<'t>, x: Term<'t>) -> Term<'t> {
    let steep = y.gt(x);
    let q = steep.select(x, y) / steep.select(y, x);
    let z = q * q;
    let a = (q * z).mul_add(z.poly(z.pick(ATAN.0, ATAN.1)), q);
    steep.select(from_half_pi(a), a)
}

/// The arc tangent.
pub fn atan(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| angle(x.abs(), x.c(1.0)).flipped_like(x))
}

/// The angle of the point (x, y), in -π…π.
pub fn atan2(b: &mut Builder, y: Value, x: Value) -> Value {
    formula(b, [y, x], |[y, x]| {
        let (ay, ax) = (y.abs(), x.abs());
        // Two infinities are as 1 to 1, two zeros as 0 to 1.
        let level = ay.eq(ax);
        let one_or_zero = ay.eq(0.0).select(ay, 1.0);
        let a = angle(level.select(one_or_zero, ay), level.select(1.0, ax));
        // π - a
        let left = (2.0 * half_pi(x)[1] - a) + PI;
        let negative = x.signed().lt(0);
        negative.select(left, a).flipped_like(y)
    })
}
