//! Roots, and what is made of them.

use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// Square root; NaN below zero, `√-0 = -0`.
pub fn sqrt(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| x.sqrt())
}

/// `1/√x`; infinities at zeros, of their signs.
pub fn rsqrt(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| match x.is_wide() {
        true => 1.0 / x.sqrt(),
        false => rsqrt_single(x),
    })
}

/// Cube root.
pub fn cbrt(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let size = x.abs();
        let (m, e) = size.taken_apart();
        // e = 3q + s with s in -1..=1, and t = m·2^s.
        let e = e.to_float();
        let q = (e * (1.0 / 3.0)).rint();
        let s = e - q * 3.0;
        let (below, above) = (s.lt(0.0), s.gt(0.0));
        let by_power =
            |less: f64, more: f64| above.select(x.c(more), below.select(x.c(less), x.c(1.0)));
        let t = m * by_power(0.5, 2.0);
        // z = t^(-1/3): a first guess, then steps of third order.
        let mut z = m.poly(RCBRT) * by_power(CBRT_2, 1.0 / CBRT_2);
        for _ in 0..x.pick(1, 2) {
            let miss = (-(t * z)).mul_add(z * z, 1.0);
            z = (z * miss).mul_add(miss.mul_add(2.0 / 9.0, 1.0 / 3.0), z);
        }
        // y = t·z², and a last step of its own.
        let y = (t * z * z).fence();
        let miss = (-(y * y)).fma(y, t);
        let y = miss.mul_add(z * z * (1.0 / 3.0), y);
        let y = (y * q.whole().power_of_two()).flipped_like(x);
        // Zeros, infinities and NaN stay what they are.
        (size.lt(f64::INFINITY) & x.ne(0.0)).select(y, x)
    })
}

/// `√(x² + y²)`, without overflow on the way; infinite where either is, even if the other is NaN.
pub fn hypot(b: &mut Builder, x: Value, y: Value) -> Value {
    formula(b, [x, y], |[x, y]| {
        let (x, y) = (x.abs(), y.abs());
        let first = x.lt(y);
        let (large, small) = (first.select(y, x), first.select(x, y));
        // By powers of two to where squares neither overflow nor vanish.
        let (edge, step) = x.pick((60, 90), (500, 600));
        let power = |n: i32| x.c(2f64.powi(n));
        let (above, below) = (large.gt(2f64.powi(edge)), large.lt(2f64.powi(-edge)));
        let by = above.select(power(-step), below.select(power(step), power(0)));
        let back = above.select(power(step), below.select(power(-step), power(0)));
        let (large, small) = (large * by, small * by);
        let r = large.mul_add(large, small * small).sqrt() * back;
        (x.is_inf() | y.is_inf()).select(f64::INFINITY, r)
    })
}

/// The cube root of 2.
const CBRT_2: f64 = 1.259_921_049_894_873_2;

/// `m^(-1/3)` for m between 2/3 and 4/3, with the relative error after it.
const RCBRT: &[f64] = &[
    // 2^-11.94
    1.764969825744629,
    -1.3906010389328003,
    0.8182539939880371,
    -0.19287189841270447,
];

/// Without a division: a guess from the bits, and two steps of third order.
fn rsqrt_single(x: Term<'_>) -> Term<'_> {
    let tiny = x.lt(f64::from(f32::MIN_POSITIVE));
    let up = tiny.select(x * 2f64.powi(24), x);
    let mut y = (0x5f37_59df - (up.bits() >> 1)).float();
    for _ in 0..2 {
        // 1 - x·y² is what is missing.
        let miss = (-(up * y)).fma(y, 1.0);
        y = (y * miss).fma(miss.fma(0.375, 0.5), y);
    }
    let y = tiny.select(y * 2f64.powi(12), y);
    let y = x.lt(f64::INFINITY).select(y, x);
    let y = x.eq(f64::INFINITY).select(0.0, y);
    let y = x.lt(0.0).select(f64::NAN, y);
    x.eq(0.0).select(x.infinity().signed_like(x), y)
}
