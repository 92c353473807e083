//! Exponentials: `2^n · e^r` with n whole and |r| ≤ ln 2 / 2.

use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// `e^x`.
pub fn exp(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (n, r) = reduced(x);
        bounded(
            x,
            of_small(r).scaled(n.whole()),
            (-104.0, 89.0),
            (-746.0, 710.0),
        )
    })
}

/// `2^x`.
pub fn exp2(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let n = x.rint();
        let y = of_small((x - n) * std::f64::consts::LN_2).scaled(n.whole());
        bounded(x, y, (-151.0, 129.0), (-1076.0, 1025.0))
    })
}

/// `10^x`.
pub fn exp10(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let n = (x * std::f64::consts::LOG2_10).rint();
        let r = x.minus_multiple(n, LOG10_2);
        let y = of_small(r * std::f64::consts::LN_10).scaled(n.whole());
        bounded(x, y, (-46.0, 39.0), (-324.0, 309.0))
    })
}

/// `e^x - 1`.
pub fn expm1(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| minus_one(x))
}

/// ln 2 in two parts, for f32 and for f64.
pub(super) const LN_2: [(f64, f64); 2] = [
    (0.6931471824645996, -1.9046542121259336e-9),
    (0.693147180559663, 2.8235290563031577e-13),
];

/// log10 2 in two parts.
pub(super) const LOG10_2: [(f64, f64); 2] = [
    (0.3010300099849701, -1.432098883924482e-8),
    (0.30102999566383914, 1.42050232272661e-13),
];

/// `(e^r - 1 - r) / r²` for |r| ≤ ln 2 / 2, with the error of `e^r` after it.
const EXP: [&[f64]; 2] = [
    // 2^-28.25
    &[
        0.4999999403953552,
        0.1666652113199234,
        0.04166826233267784,
        0.00836867094039917,
        0.0013820999301970005,
    ],
    // 2^-63.82
    &[
        0.5,
        0.1666666666666668,
        0.04166666666666641,
        0.008333333333319275,
        0.0013888888889036365,
        0.00019841269891815347,
        2.4801587017634058e-05,
        2.7557238757644134e-06,
        2.7557533912485834e-07,
        2.5110848577387066e-08,
        2.083589219909003e-09,
    ],
];

/// `x = n·ln 2 + r`.
pub(super) fn reduced(x: Term<'_>) -> (Term<'_>, Term<'_>) {
    let n = (x * std::f64::consts::LOG2_E).rint();
    (n, x.minus_multiple(n, LN_2))
}

/// `e^r - 1` for |r| ≤ ln 2 / 2.
fn small_minus_one(r: Term<'_>) -> Term<'_> {
    (r * r).mul_add(r.poly(r.pick(EXP[0], EXP[1])), r)
}

/// `e^r` for |r| ≤ ln 2 / 2.
pub(super) fn of_small(r: Term<'_>) -> Term<'_> {
    small_minus_one(r) + 1.0
}

/// `y` between two limits (of f32, and of f64), below them 0 and above them infinity.
pub(super) fn bounded<'t>(
    x: Term<'t>,
    y: Term<'t>,
    single: (f64, f64),
    double: (f64, f64),
) -> Term<'t> {
    let (least, most) = x.pick(single, double);
    let y = x.lt(least).select(0.0, y);
    x.gt(most).select(f64::INFINITY, y)
}

/// `e^x - 1`.
pub(super) fn minus_one(x: Term<'_>) -> Term<'_> {
    let (n, r) = reduced(x);
    // 2^n · (e^r - 1) + (2^n - 1), all halved: 2^128 is no f32.
    let half = (n.whole() - 1).power_of_two();
    let rest = (half - 0.5).fence();
    let y = half.mul_add(small_minus_one(r), rest) * 2.0;
    let y = x.lt(x.pick(-18.0, -38.0)).select(-1.0, y);
    let y = x.gt(x.pick(89.0, 710.0)).select(f64::INFINITY, y);
    // Keeps -0, and the last bit of denormals.
    let tiny = x.abs().lt(x.pick(2f64.powi(-26), 2f64.powi(-55)));
    tiny.select(x, y)
}
