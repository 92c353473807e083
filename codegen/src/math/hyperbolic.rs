//! Hyperbolic functions and their inverses.

use super::exp::{minus_one, reduced};
use super::log::of_one_plus;
use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// Hyperbolic sine.
pub fn sinh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let w = waves(x);
        let y = w
            .difference
            .mul_add(w.cosh_less_1, w.sum.mul_add(w.sinh, w.difference))
            * 2.0;
        let far = x.abs().gt(x.pick(89.5, 710.5));
        let y = far.select(x.infinity().signed_like(x), y);
        // Keeps -0, and the last bit of denormals.
        let tiny = x.abs().lt(x.pick(2f64.powi(-13), 2f64.powi(-28)));
        tiny.select(x, y)
    })
}

/// Hyperbolic cosine.
pub fn cosh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let w = waves(x);
        let y = w
            .sum
            .mul_add(w.cosh_less_1, w.difference.mul_add(w.sinh, w.sum))
            * 2.0;
        x.abs().gt(x.pick(89.5, 710.5)).select(f64::INFINITY, y)
    })
}

/// Hyperbolic tangent.
pub fn tanh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let size = x.abs();
        let t = minus_one(size * 2.0);
        let y = t / (t + 2.0);
        let y = size.gt(x.pick(10.0, 20.0)).select(1.0, y);
        let tiny = size.lt(x.pick(2f64.powi(-13), 2f64.powi(-28)));
        tiny.select(size, y).signed_like(x)
    })
}

/// Inverse hyperbolic sine.
pub fn asinh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let size = x.abs();
        // log(x + √(x² + 1)) = log(1 + x + x²/(1 + √(x² + 1))); far out it is log(2x).
        let square = size * size;
        let root = (square + 1.0).sqrt();
        let near = size + square / (root + 1.0);
        far_or_near(size, near).signed_like(x)
    })
}

/// Inverse hyperbolic cosine; NaN below 1.
pub fn acosh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let t = (x - 1.0).fence();
        let near = t + t.mul_add(t, t * 2.0).sqrt();
        let y = far_or_near(x, near);
        x.lt(1.0).select(f64::NAN, y)
    })
}

/// Inverse hyperbolic tangent; infinities at ±1, NaN beyond.
pub fn atanh(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let size = x.abs();
        let y = of_one_plus(size * 2.0 / (1.0 - size)) * 0.5;
        let y = size.eq(1.0).select(f64::INFINITY, y);
        // Keeps denormals.
        let tiny = size.lt(x.pick(2f64.powi(-13), 2f64.powi(-28)));
        tiny.select(size, y).signed_like(x)
    })
}

/// `(cosh √u - 1) / u` for u up to (ln 2 / 2)², with the error of cosh after it.
const COSH: [&[f64]; 2] = [
    // 2^-33.24
    &[0.5, 0.041666459292173386, 0.0013935421593487263],
    // 2^-69.99
    &[
        0.5,
        0.041666666666666685,
        0.0013888888888873316,
        2.480158734907615e-05,
        2.755725197426813e-07,
        2.0921709153431946e-09,
    ],
];

/// `(sinh √u / √u - 1) / u` for u up to (ln 2 / 2)², with the relative error of sinh after it.
const SINH: [&[f64]; 2] = [
    // 2^-26.16
    &[0.1666654348373413, 0.008366537280380726],
    // 2^-65.15
    &[
        0.16666666666666666,
        0.008333333333334423,
        0.00019841269837102035,
        2.7557326192339983e-06,
        2.504680735450025e-08,
        1.7571138147775892e-10,
    ],
];

/// What sinh and cosh are made of, for `x = n·ln 2 + r`:
/// `sinh x = d·cosh r + s·sinh r`, and `cosh x = s·cosh r + d·sinh r`,
/// with `s` and `d` = `(2^n ± 2^-n) / 2`. Nothing cancels.
struct Waves<'t> {
    /// `cosh r - 1`.
    cosh_less_1: Term<'t>,
    /// `sinh r`.
    sinh: Term<'t>,
    /// Half of s, which may be too large for the kind.
    sum: Term<'t>,
    /// Half of d.
    difference: Term<'t>,
}

fn waves(x: Term<'_>) -> Waves<'_> {
    let (n, r) = reduced(x);
    let n = n.whole();
    let least = x.pick(-126, -1022);
    let rising = (n - 2).max(least).power_of_two();
    let falling = (-2 - n).max(least).power_of_two();
    let u = r * r;
    Waves {
        cosh_less_1: u * u.poly(x.pick(COSH[0], COSH[1])),
        sinh: (u * r).mul_add(u.poly(x.pick(SINH[0], SINH[1])), r),
        sum: rising + falling,
        difference: (rising - falling).fence(),
    }
}

/// `log(1 + near)`, or `log 2x` where x is so large that they are the same.
fn far_or_near<'t>(x: Term<'t>, near: Term<'t>) -> Term<'t> {
    let far = x.gt(x.pick(2f64.powi(28), 2f64.powi(60)));
    let y = of_one_plus(far.select(x, near));
    far.select(y + std::f64::consts::LN_2, y)
}
