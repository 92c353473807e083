//! Logarithms: `e·log 2 + log(1 + f)`, with the mantissa 1 + f between 2/3 and 4/3.

use super::exp::{LN_2, LOG10_2};
use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// Natural logarithm.
pub fn log(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| natural(x))
}

/// Logarithm to base 2.
pub fn log2(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (m, e) = x.taken_apart();
        let (f, w) = of_mantissa(m);
        at_edges(x, in_base(f, w, LOG2_E) + e.to_float())
    })
}

/// Logarithm to base 10.
pub fn log10(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let (m, e) = x.taken_apart();
        let (f, w) = of_mantissa(m);
        let (e, (hi, lo)) = (e.to_float(), x.pick(LOG10_2[0], LOG10_2[1]));
        let y = e.mul_add(lo, in_base(f, w, LOG10_E));
        at_edges(x, e.mul_add(hi, y))
    })
}

/// `log(1 + x)`.
pub fn log1p(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| of_one_plus(x))
}

/// 1 / ln 2 in two parts, for f32 and for f64.
const LOG2_E: [(f64, f64); 2] = [
    (1.4426950216293335, 1.925963033500011e-8),
    (std::f64::consts::LOG2_E, 2.0355273740931033e-17),
];

/// 1 / ln 10 in two parts.
const LOG10_E: [(f64, f64); 2] = [
    (0.4342944920063019, -1.0103049952192578e-8),
    (std::f64::consts::LOG10_E, 1.098319650216765e-17),
];

/// `(log(1 + f) - f + f²/2) / f³` for |f| ≤ 1/3, with the error of `log(1 + f) / f` after it.
const LOG: [&[f64]; 2] = [
    // 2^-27.57
    &[
        0.33333224058151245,
        -0.24999690055847168,
        0.2001003473997116,
        -0.16685406863689423,
        0.14011041820049286,
        -0.12115968018770218,
        0.139619380235672,
        -0.13187871873378754,
    ],
    // 2^-56.58
    &[
        0.33333333333333115,
        -0.25000000000013417,
        0.20000000000103074,
        -0.16666666662916046,
        0.14285714270109232,
        -0.1250000039002327,
        0.11111112247741652,
        -0.09999979258367575,
        0.09090862181659451,
        -0.0833397291139974,
        0.07693494493273371,
        -0.07130783497446938,
        0.06647629439642806,
        -0.06390957882162673,
        0.060757619285313064,
        -0.0457332589185543,
        0.04070870268399581,
        -0.0862512722306364,
        0.08692222650466813,
    ],
];

/// `(f, w)` such that the logarithm of the mantissa is f + w, where f is exact.
fn of_mantissa(m: Term<'_>) -> (Term<'_>, Term<'_>) {
    let f = (m - 1.0).fence();
    (f, rest(f))
}

/// `log(1 + f) - f`.
fn rest(f: Term<'_>) -> Term<'_> {
    f.poly(f.pick(LOG[0], LOG[1])).mul_add(f, -0.5) * (f * f)
}

/// `f + w` multiplied by a constant in two parts.
fn in_base<'t>(f: Term<'t>, w: Term<'t>, c: [(f64, f64); 2]) -> Term<'t> {
    let (hi, lo) = f.pick(c[0], c[1]);
    f.mul_add(hi, f.mul_add(lo, w * hi))
}

/// `f + w + e·ln 2`.
fn with_exponent<'t>(f: Term<'t>, w: Term<'t>, e: Term<'t>) -> Term<'t> {
    let (hi, lo) = f.pick(LN_2[0], LN_2[1]);
    e.mul_add(hi, f + e.mul_add(lo, w))
}

/// -∞ at 0, NaN below, and what is not finite as it is.
fn at_edges<'t>(x: Term<'t>, y: Term<'t>) -> Term<'t> {
    let y = x.lt(f64::INFINITY).select(y, x);
    let y = x.lt(0.0).select(f64::NAN, y);
    x.eq(0.0).select(f64::NEG_INFINITY, y)
}

/// Natural logarithm.
pub(super) fn natural(x: Term<'_>) -> Term<'_> {
    let (m, e) = x.taken_apart();
    let (f, w) = of_mantissa(m);
    at_edges(x, with_exponent(f, w, e.to_float()))
}

/// `log(1 + x)`.
pub(super) fn of_one_plus(x: Term<'_>) -> Term<'_> {
    let u = (x + 1.0).fence();
    let (m, e) = u.normal_apart();
    // f = (1 + x)/2^e - 1 from x itself, as long as the 1 is not lost in it.
    let down = (-e).power_of_two();
    let f = x.mul_add(down, (down - 1.0).fence());
    let far = e.gt(x.pick(24, 53));
    let f = far.select(m - 1.0, f).fence();
    let y = with_exponent(f, rest(f), e.to_float());
    let y = x.lt(-1.0).select(f64::NAN, y);
    let y = x.eq(-1.0).select(f64::NEG_INFINITY, y);
    // Infinity, NaN and zeros stay what they are.
    let plain = x.lt(f64::INFINITY) & x.ne(0.0);
    plain.select(y, x)
}
