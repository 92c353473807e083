//! Powers: `2^(y·log2 x)` with the logarithm in two floats.

use super::exp::{bounded, of_small};
use super::parts::Pair;
use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// `x^y`, with the special values of C99: `pow(1, y) = pow(x, ±0) = 1` even for NaN, and NaN for
/// negative x where y is not whole.
pub fn pow(b: &mut Builder, x: Value, y: Value) -> Value {
    formula(b, [x, y], |[x, y]| {
        let size = x.abs();
        let exponent = Pair {
            hi: y,
            lo: y.c(0.0),
        };
        // Floats of 2^24 and more (f64: 2^53) are even; infinities count as even numbers.
        let whole = y.rint().eq(y);
        let half = y * 0.5;
        let odd = whole & half.rint().ne(half);
        let r = signed(x, power(size, exponent), odd);
        let r = (x.lt(0.0) & size.lt(f64::INFINITY) & !whole).select(f64::NAN, r);
        let nan = x.is_nan() | y.is_nan();
        let r = nan.select(f64::NAN, r);
        let one = x.eq(1.0) | y.eq(0.0) | (size.eq(1.0) & y.is_inf());
        one.select(1.0, r)
    })
}

/// `x^n` for i32 (or another integer kind of 32 bits) n.
pub fn powi(b: &mut Builder, x: Value, n: Value) -> Value {
    formula(b, [x, n], |[x, n]| {
        let kind = x.ty().scalar;
        // In two parts: f32 does not hold 32 bits.
        let low = n & 0xff;
        let exponent = Pair::quick_sum((n - low).cast(kind), low.cast(kind));
        let odd = (n & 1).ne(0);
        let r = signed(x, power(x.abs(), exponent), odd);
        let r = x.is_nan().select(f64::NAN, r);
        n.eq(0).select(1.0, r)
    })
}

/// `(artanh(s)/s - 1 - s²/3) / s⁴` of s², for |s| ≤ 0.2, with the error of the whole after it.
const ATANH: [&[f64]; 2] = [
    // 2^-34.50
    &[
        0.20000195503234863,
        0.14262808859348297,
        0.11936509609222412,
    ],
    // 2^-68.94
    &[
        0.19999999999999873,
        0.14285714285784723,
        0.11111111096170867,
        0.0909091072377415,
        0.07692204911982928,
        0.06670535770542023,
        0.05796622442694124,
        0.06283509989085558,
    ],
];

/// With the sign of x where the exponent is odd.
fn signed<'t>(x: Term<'t>, r: Term<'t>, odd: Term<'t>) -> Term<'t> {
    odd.select(r.flipped_like(x), r)
}

/// `x^y` for x ≥ 0; what it gives for NaN, and for `1^∞`, means nothing.
fn power<'t>(x: Term<'t>, y: Pair<'t>) -> Term<'t> {
    let log = log2(x);
    let hi = (y.hi * log.hi).fence();
    let lo = y.hi.fma(log.hi, -hi) + y.hi.mul_add(log.lo, y.lo * log.hi);
    let n = hi.rint();
    let r = (hi - n).fence() + lo;
    let r = of_small(r * std::f64::consts::LN_2).scaled(n.whole());
    bounded(hi, r, (-151.0, 129.0), (-1076.0, 1025.0))
}

/// log2 of x ≥ 0, to about 2^-32 (f64: 2^-62) of its value.
pub(super) fn log2(x: Term<'_>) -> Pair<'_> {
    let (m, e) = x.taken_apart();
    let e = e.to_float();
    // log m = 2·artanh(s) for s = (m - 1)/(m + 1), here as a sum of two.
    let f = (m - 1.0).fence();
    let d = (m + 1.0).fence();
    let d_lo = m - (d - 1.0).fence();
    let inverse = 1.0 / d;
    let hi = (f * inverse).fence();
    let miss = (-hi).fma(d, f);
    let s = Pair {
        hi,
        lo: (-hi).mul_add(d_lo, miss) * inverse,
    };
    let square = s.times_pair(s);
    let cube = square.times_pair(s);
    let third = cube.times_pair(Pair::constant(x, 1.0 / 3.0, 1.850371707708594e-17));
    let u = square.hi;
    let tail = cube.hi * u * u.poly(x.pick(ATANH[0], ATANH[1]));
    let sum = Pair::quick_sum(s.hi, third.hi);
    let rest = s.lo + third.lo + tail;
    let artanh = Pair {
        hi: sum.hi,
        lo: sum.lo + rest,
    };
    let twice_log2_e = Pair::constant(x, 2.0 * std::f64::consts::LOG2_E, 4.0710547481862066e-17);
    let log = artanh.times_pair(twice_log2_e);
    let sum = Pair::quick_sum(e, log.hi);
    let hi = x.lt(f64::INFINITY).select(sum.hi, f64::INFINITY);
    Pair {
        hi: x.eq(0.0).select(f64::NEG_INFINITY, hi),
        lo: sum.lo + log.lo,
    }
}
