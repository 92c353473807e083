//! The gamma function and its logarithm, in f32 and f64, on any number of lanes.
//!
//! Up to 3.5 in magnitude: 1/Γ(1 + t) of the distance t to the nearest whole number, which is exact, and
//! up to three factors. From there on Stirling's formula, its power in two floats; for negative
//! arguments by reflection, the power as mantissa and exponent, so that only the result overflows.

use super::exp::of_small;
use super::log::natural;
use super::parts::Pair;
use super::power::log2;
use super::term::{Term, formula};
use super::trigonometry::sin_of_half_turns;
use crate::builder::Builder;
use crate::ir::Value;
use std::f64::consts::{LN_2, LOG2_E, PI};

/// `1 / Γ(1 + t)` for |t| ≤ 1/2, with its relative error after it.
const RECIPROCAL: [&[f64]; 2] = [
    // 2^-25.9
    &[
        1.0e0,
        5.772157e-1,
        -6.5587825e-1,
        -4.2004295e-2,
        1.665424e-1,
        -4.217398e-2,
        -9.653572e-3,
        7.0936373e-3,
        -1.0572328e-3,
    ],
    // 2^-58.2
    &[
        1.0,
        0.5772156649015329,
        -0.6558780715202539,
        -0.04200263503409616,
        0.16653861138229384,
        -0.042197734555493076,
        -0.009621971527953509,
        0.00721894324538238,
        -0.0011651675906223847,
        -0.00021524165712663338,
        0.00012805027136210796,
        -2.0134982740414617e-5,
        -1.2504374422930884e-6,
        1.1335766808785412e-6,
        -2.0579167980449193e-7,
        4.862652337739808e-9,
        5.220849951401869e-9,
    ],
];

/// `a · (log Γ(a) - (a - 1/2) log a + a - log √2π)` in 1/a² for a ≥ 3, with the error of the logarithm
/// after it.
const STIRLING: [&[f64]; 2] = [
    // 2^-27.9
    &[8.333327e-2, -2.772727e-3, 6.9671404e-4],
    // 2^-60.7
    &[
        0.0833333333333333,
        -0.00277777777774586,
        0.0007936507842064113,
        -0.0005952367893615851,
        0.0008416484318518499,
        -0.0019124591744377304,
        0.0062408942130773425,
        -0.02552971237545749,
        0.1084377746755087,
        -0.3888979614353557,
        0.9503346302393295,
        -1.1254834577862973,
    ],
];

/// `log Γ(2 + t) / t` for t in [-1/2, 1], with its relative error after it.
const LGAMMA: [&[f64]; 2] = [
    // 2^-25.0
    &[
        4.2278433e-1,
        3.2246703e-1,
        -6.7352295e-2,
        2.058101e-2,
        -7.3857647e-3,
        2.8883275e-3,
        -1.189821e-3,
        5.1770086e-4,
        -2.3864962e-4,
        9.58226e-5,
        -2.0516194e-5,
    ],
    // 2^-56.0
    &[
        0.42278433509846713,
        0.3224670334241132,
        -0.0673523010531978,
        0.02058080842778573,
        -0.00738555102869785,
        0.002890510330696372,
        -0.0011927539109293534,
        0.0005096695252311403,
        -0.0002231547712487972,
        9.945751645169335e-5,
        -4.492611935968023e-5,
        2.0507089994916947e-5,
        -9.440074619954282e-6,
        4.375950102471201e-6,
        -2.0379492862576376e-6,
        9.506943104045841e-7,
        -4.4827373363970566e-7,
        2.1988638834395958e-7,
        -1.0941093081399309e-7,
        4.700282125440411e-8,
        -1.3669716834080352e-8,
        1.875303617415218e-9,
    ],
];

/// `log √2π`.
const LOG_ROOT: f64 = 0.918_938_533_204_672_7;
/// `√2π`.
const ROOT: f64 = 2.506_628_274_631_000_5;
/// Where Stirling's formula begins.
const FAR: f64 = 3.5;

/// The gamma function: infinite at zeros, with their sign, NaN at negative whole numbers.
pub fn tgamma(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let y = gamma(x);
        let pole = x.lt(0.0) & x.eq(x.rint());
        pole.select(f64::NAN, y)
    })
}

/// `log |Γ(x)|`: infinite at zero, negative whole numbers, and infinities.
pub fn lgamma(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let [y] = x
            .lt(-0.5)
            .rarely([log_gamma(x)], || [log_gamma_reflected(x)]);
        y
    })
}

/// What is missing in Stirling's formula for `log Γ(a)`.
fn correction(a: Term<'_>) -> Term<'_> {
    let inverse = 1.0 / a;
    (inverse * inverse).poly(a.pick(STIRLING[0], STIRLING[1])) * inverse
}

/// Γ, except at poles.
fn gamma(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    // From here on it overflows, or underflows on the negative side.
    let bound = a.pick(50.0, 190.0);
    let (m, n) = gamma_parts(a.gt(bound).select(bound, a));
    let negative = x.lt(0.0);
    let m = negative.select(reflected(a, m), m);
    let n = negative.select(-n, n);
    a.lt(FAR).select(gamma_near(x), m.scaled(n))
}

/// `Γ(-a)` from `Γ(a)`, or their mantissas.
fn reflected<'t>(a: Term<'t>, gamma: Term<'t>) -> Term<'t> {
    -PI / (a * sin_of_half_turns(a) * gamma)
}

/// Γ(x) for |x| < 3.5: `Γ(1 + t) · (x - 1) … (x - n + 1)` for x = n + t, and
/// `Γ(1 + t) / (x (x + 1) … (x + n))` for x = t - n. The factors are exact.
fn gamma_near(x: Term<'_>) -> Term<'_> {
    let n = x.rint();
    let t = x - n;
    let above = |k: f64| n.gt(k).select(x - k, 1.0);
    let below = |k: f64| n.lt(0.5 - k).select(x + k, 1.0);
    let down = t.poly(t.pick(RECIPROCAL[0], RECIPROCAL[1])) * below(1.0) * below(2.0) * below(3.0);
    above(1.0) * above(2.0) / (down * n.lt(0.5).select(x, 1.0))
}

/// Γ(a) for a ≥ 3.5 as mantissa and exponent of 2.
fn gamma_parts(a: Term<'_>) -> (Term<'_>, Term<'_>) {
    let power = log2(a).times(a - 0.5);
    let rest = Pair::constant(a, -LOG2_E, -2.0355273740931033e-17).times(a);
    let log = power.plus_pair(rest);
    let n = log.hi.rint();
    let r = (log.hi - n).fence() + (log.lo + correction(a) * LOG2_E);
    (of_small(r * LN_2) * ROOT, n.whole())
}

/// `log Γ(x)` for x ≥ -1/2.
fn log_gamma(x: Term<'_>) -> Term<'_> {
    let (low, middle) = (x.lt(0.5), x.lt(1.5));
    // log Γ(x) = log Γ(2 + x) - log(x (1 + x)), and for t = x - 1, log Γ(2 + t) - log x.
    let t = low.select(x, middle.select(x - 1.0, x - 2.0));
    let log = natural(low.select((x * (x + 1.0)).abs(), x));
    let near = t * t.poly(t.pick(LGAMMA[0], LGAMMA[1]));
    let near = middle.select(near - log, near);
    x.lt(3.0).select(near, stirling(x, log))
}

/// `log Γ(a)` for a ≥ 3, given `log a`.
fn stirling<'t>(a: Term<'t>, log: Term<'t>) -> Term<'t> {
    (a - 0.5) * (log - 1.0) + (correction(a) + (LOG_ROOT - 0.5))
}

/// `log |Γ(x)|` for x < -1/2: of Γ itself where it is a normal number, so that zeros are met with the
/// precision of Γ near 1; else by reflection.
fn log_gamma_reflected(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let near = natural(gamma(x).abs());
    let far = a.ge(a.pick(30.0, 160.0));
    let [y] = far.rarely([near], || {
        let sine = a * sin_of_half_turns(a).abs();
        [-stirling(a, natural(a)) - natural(sine * (1.0 / PI))]
    });
    x.eq(x.rint()).select(f64::INFINITY, y)
}
