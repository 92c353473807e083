//! Arithmetic.

use super::{
    Domain, FLOATS, Inputs::Same as In, Limit, NUMBERS, Output::Same, SIGNED, exact, map_rows,
};
use crate::num::Num;
use suanzi_codegen::ir::{BinOp, UnOp};
use suanzi_codegen::{Builder, Scalar, Value};

map_rows! {
    /// `a + b`; integers wrap.
    add(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.add(x[0], x[1]),
        |_, x| two(x, i128::wrapping_add, |a, b| a + b);

    /// `a - b`; integers wrap.
    sub(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.sub(x[0], x[1]),
        |_, x| two(x, i128::wrapping_sub, |a, b| a - b);

    /// `a · b`; integers wrap.
    mul(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.mul(x[0], x[1]),
        |_, x| two(x, i128::wrapping_mul, |a, b| a * b);

    /// `a / b`; integers truncate, `x / 0 = 0` and `MIN / -1 = MIN`.
    div(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Div, x[0], x[1]),
        |_, x| two(x, |a, b| if b == 0 { 0 } else { a / b }, |a, b| a / b);

    /// Remainder with the sign of the dividend (C's `%` and `fmod`), exact; integers: `x rem 0 = 0`.
    rem(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Rem, x[0], x[1]),
        |_, x| two(x, |a, b| if b == 0 { 0 } else { a % b }, |a, b| a % b);

    /// Remainder with the sign of the divisor (Python's `%`); integers: `x mod 0 = 0`.
    modulo(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        build_modulo,
        |_, x| two(
            x,
            |a, b| if b == 0 { 0 } else { (a % b + b) % b },
            |a, b| match a % b {
                0.0 => 0f64.copysign(b),
                r if (r < 0.0) != (b < 0.0) => r + b,
                r => r,
            },
        );

    /// `(a - b)²`; integers wrap.
    squared_difference(a, b): In(2), NUMBERS => Same, |t| match t {
            // Two roundings of half an ULP, the first one doubled by the square.
            Scalar::F32 => Limit::Ulp(3.0),
            // f32 inside, then one rounding.
            Scalar::F16 | Scalar::Bf16 => Limit::Ulp(0.501),
            _ => Limit::Exact,
        }, Domain::Any,
        |b, x| {
            let d = b.sub(x[0], x[1]);
            b.mul(d, d)
        },
        |_, x| two(x, |a, b| (a - b).wrapping_mul(a - b), |a, b| (a - b) * (a - b));

    /// `-a`; integers wrap.
    neg(a): In(1), SIGNED => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Neg, x[0]),
        |_, x| one(x, i128::wrapping_neg, |a| -a);

    /// `|a|`; integers wrap (`|MIN| = MIN`).
    abs(a): In(1), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Abs, x[0]),
        |_, x| one(x, i128::wrapping_abs, f64::abs);

    /// -1, 0 or 1; zeros and NaN stay what they are.
    sign(a): In(1), NUMBERS => Same, exact, Domain::Any,
        build_sign,
        |_, x| one(x, i128::signum, |a| if a == 0.0 { a } else { a.signum() });

    /// The smaller; NaN if either is, and `-0 < +0` (IEEE 754-2019 minimum).
    minimum(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Min, x[0], x[1]),
        |_, x| two(x, i128::min, smaller);

    /// The larger; NaN if either is, and `-0 < +0` (IEEE 754-2019 maximum).
    maximum(a, b): In(2), NUMBERS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Max, x[0], x[1]),
        |_, x| two(x, i128::max, |a, b| -smaller(-a, -b));

    /// `minimum(maximum(a, low), high)`.
    clamp(a, low, high): In(3), NUMBERS => Same, exact, Domain::Ordered,
        |b, x| {
            let raised = b.bin(BinOp::Max, x[0], x[1]);
            b.bin(BinOp::Min, raised, x[2])
        },
        |_, x| match (x[0], x[1], x[2]) {
            (Num::Int(a), Num::Int(low), Num::Int(high)) => Num::Int(a.max(low).min(high)),
            (a, low, high) => {
                let raised = -smaller(-a.float(), -low.float());
                Num::Float(smaller(raised, high.float()))
            }
        };

    /// `1 / a`.
    reciprocal(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| {
            let ty = b.ty(x[0]);
            let one = b.float(ty, 1.0);
            b.bin(BinOp::Div, one, x[0])
        },
        |_, x| Num::Float(1.0 / x[0].float());

    /// `a · b + c` rounded once (f16 and bf16: once in f32, then to the dtype).
    fma(a, b, c): In(3), FLOATS => Same, |t| match t {
            Scalar::F16 | Scalar::Bf16 => Limit::Ulp(1.0),
            _ => Limit::Exact,
        }, Domain::Any,
        |b, x| b.fma(x[0], x[1], x[2]),
        |t, x| {
            let [a, b, c] = [x[0].float(), x[1].float(), x[2].float()];
            Num::Float(match t {
                // f64 would round a second time on the way to f32.
                Scalar::F32 => (a as f32).mul_add(b as f32, c as f32).into(),
                _ => a.mul_add(b, c),
            })
        };

    /// Rounded down.
    floor(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Floor, x[0]),
        |_, x| Num::Float(x[0].float().floor());

    /// Rounded up.
    ceil(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Ceil, x[0]),
        |_, x| Num::Float(x[0].float().ceil());

    /// Rounded to nearest, ties to even.
    round(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Rint, x[0]),
        |_, x| Num::Float(x[0].float().round_ties_even());

    /// Rounded towards zero.
    trunc(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Trunc, x[0]),
        |_, x| Num::Float(x[0].float().trunc());

    /// Square root, correctly rounded; NaN below zero, `√-0 = -0`.
    sqrt(a): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Sqrt, x[0]),
        |_, x| Num::Float(x[0].float().sqrt());

    /// The same element.
    copy(a): In(1), super::ALL => Same, exact, Domain::Any,
        |_, x| x[0],
        |_, x| x[0];
}

/// OpenCL full profile: 2.5 ULP in f32, correctly rounded in f64; f16 and bf16 go through f32.
fn build_modulo(b: &mut Builder, x: &[Value]) -> Value {
    let (n, d) = (x[0], x[1]);
    let ty = b.ty(n);
    let r = b.bin(BinOp::Rem, n, d);
    if ty.scalar.is_unsigned() {
        return r;
    }
    let zero = b.int(ty, 0);
    let negative = |b: &mut Builder, v| b.bin(BinOp::Lt, v, zero);
    let (rn, dn) = (negative(b, r), negative(b, d));
    let differ = b.bin(BinOp::Xor, rn, dn);
    let nonzero = b.bin(BinOp::Ne, r, zero);
    let wrong = b.bin(BinOp::And, differ, nonzero);
    // A divisor of 0 leaves the remainder 0 and is not added; NaN compares false throughout.
    let moved = b.add(r, d);
    let r = b.select(wrong, moved, r);
    if !ty.scalar.is_float() {
        return r;
    }
    // A zero takes the divisor's sign.
    let bits = ty.scalar.to_unsigned();
    let d_bits = b.bitcast(d, bits);
    let sign = b.bits(ty.with(bits), 1 << (bits.bits() - 1));
    let d_sign = b.bin(BinOp::And, d_bits, sign);
    let signed_zero = b.bitcast(d_sign, ty.scalar);
    let is_zero = b.bin(BinOp::Eq, r, zero);
    b.select(is_zero, signed_zero, r)
}

fn build_sign(b: &mut Builder, x: &[Value]) -> Value {
    let ty = b.ty(x[0]);
    let (zero, one) = (b.int(ty, 0), b.int(ty, 1));
    let above = b.bin(BinOp::Gt, x[0], zero);
    let mut r = b.select(above, one, x[0]);
    if !ty.scalar.is_unsigned() {
        let minus = b.int(ty, -1);
        let below = b.bin(BinOp::Lt, x[0], zero);
        r = b.select(below, minus, r);
    }
    r
}

fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == b {
        if a.is_sign_negative() { a } else { b }
    } else {
        a.min(b)
    }
}

fn one(x: &[Num], int: fn(i128) -> i128, float: fn(f64) -> f64) -> Num {
    match x[0] {
        Num::Int(a) => Num::Int(int(a)),
        a => Num::Float(float(a.float())),
    }
}

fn two(x: &[Num], int: fn(i128, i128) -> i128, float: fn(f64, f64) -> f64) -> Num {
    match (x[0], x[1]) {
        (Num::Int(a), Num::Int(b)) => Num::Int(int(a, b)),
        (a, b) => Num::Float(float(a.float(), b.float())),
    }
}
