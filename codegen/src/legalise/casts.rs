//! Conversions, from what they mean to what targets do by themselves: between integers keeping
//! the low bits; between f32 and f64, or f32 and a 16-bit float, to nearest even; from 32 and
//! 64-bit integers to f32 and f64, to nearest even; and back where the value is known to fit.
//!
//! Values come and go in the kinds that [`held`] names.

use super::bits::{self, Layout};
use super::ops::{int_range, low_bits};
use crate::builder::Builder;
use crate::ir::*;
use crate::target::{Soft, Support, Target};
use crate::types::Scalar::{self, *};

/// The kind in which values of a kind are held on a target: the kind itself where the target can
/// calculate with it, else i32, u32 or f32.
pub fn held(t: &Target, s: Scalar) -> Scalar {
    match s {
        Bool => Bool,
        _ if t.support(s) == Support::Native => s,
        I8 | I16 => I32,
        U8 | U16 => U32,
        F16 | Bf16 => F32,
        _ => s,
    }
}

/// Brings a value that was calculated in the held kind back to one that the kind has: small
/// integers wrap, 16-bit floats are rounded. Values of other kinds are left alone.
pub fn settle(b: &mut Builder, t: &Target, x: Value, s: Scalar) -> Value {
    if held(t, s) == s {
        return x;
    }
    match s {
        U8 | U16 => b.and(x, low_bits(s.bits())),
        I8 | I16 => {
            let up = b.shl(x, 32 - s.bits());
            b.shr(up, 32 - s.bits())
        }
        F16 if t.f16 == Support::Storage => {
            let short = b.convert(x, F16);
            b.convert(short, F32)
        }
        F16 => bits::round_to_f16(b, x),
        Bf16 => bits::round_to_bf16(b, x),
        _ => x,
    }
}

/// A float as f32, or f64 as itself.
pub fn widen(b: &mut Builder, x: Value) -> Value {
    match b.ty(x).scalar {
        F16 | Bf16 => b.convert(x, F32),
        _ => x,
    }
}

/// An f32 to the nearest float of 16 bits.
fn narrow(b: &mut Builder, t: &Target, x: Value, to: Scalar) -> Value {
    if held(t, to) == to {
        b.convert(x, to)
    } else {
        settle(b, t, x, to)
    }
}

/// Any conversion.
pub fn cast(
    b: &mut Builder,
    t: &Target,
    x: Value,
    (from, to): (Scalar, Scalar),
    mode: CastMode,
) -> Value {
    match (from, to) {
        _ if from == to => x,
        (Bool, _) => b.flag(x, held(t, to)),
        (_, Bool) if from.is_int() => b.is_nonzero(x),
        (_, Bool) => {
            let x = widen(b, x);
            let m = bits::magnitude(b, x);
            b.is_nonzero(m)
        }
        _ if from.is_int() && to.is_int() => int_to_int(b, t, x, (from, to), mode),
        _ if from.is_int() => int_to_float(b, t, x, from, to),
        _ if to.is_float() => float_to_float(b, t, x, to),
        _ => float_to_int(b, t, x, to, mode),
    }
}

fn int_to_int(
    b: &mut Builder,
    t: &Target,
    mut x: Value,
    (from, to): (Scalar, Scalar),
    mode: CastMode,
) -> Value {
    let ((low, high), (to_low, to_high)) = (int_range(from), int_range(to));
    if mode == CastMode::Saturate {
        if to_low > low {
            x = b.op(BinOp::Max, x, to_low as u64);
        }
        if to_high < high {
            x = b.op(BinOp::Min, x, to_high as u64);
        }
    }
    let r = b.convert(x, held(t, to));
    let fits = mode == CastMode::Saturate || (to_low <= low && high <= to_high);
    if fits { r } else { settle(b, t, r, to) }
}

fn int_to_float(b: &mut Builder, t: &Target, x: Value, from: Scalar, to: Scalar) -> Value {
    let x = match from {
        I8 | I16 => b.convert(x, I32),
        U8 | U16 => b.convert(x, U32),
        _ => x,
    };
    match to {
        F64 => b.convert(x, F64),
        F32 => int_to_f32(b, t, x),
        // Where f32 rounds, f16 has long been infinite.
        F16 => {
            let x = int_to_f32(b, t, x);
            narrow(b, t, x, to)
        }
        _ => {
            let x = if from.bytes() < 4 {
                b.convert(x, F32)
            } else {
                short_int_to_f32(b, x, 24)
            };
            narrow(b, t, x, to)
        }
    }
}

fn int_to_f32(b: &mut Builder, t: &Target, x: Value) -> Value {
    if b.ty(x).scalar.bytes() == 8 && t.soft.contains(&Soft::Int64ToF32) {
        short_int_to_f32(b, x, 26)
    } else {
        b.convert(x, F32)
    }
}

/// Converts an integer after shortening it to `keep` bits, the last of which remembers whether
/// anything was lost. With 24 bits the f32 is exact; with 26 its rounding is that of the integer.
fn short_int_to_f32(b: &mut Builder, x: Value, keep: u32) -> Value {
    let kind = b.ty(x).scalar;
    let room = kind.bits() - keep;
    let magnitude = if kind.is_signed_int() {
        let negative = b.op(BinOp::Lt, x, 0);
        let opposite = b.un(UnOp::Neg, x);
        b.select(negative, opposite, x)
    } else {
        x
    };
    let magnitude = b.unsigned(magnitude);
    let zeros = b.un(UnOp::Clz, magnitude);
    let zeros = b.op(BinOp::Min, zeros, room.into());
    let down = b.k_minus(room.into(), zeros);
    let short = b.shr_sticky(magnitude, down);
    let short = b.convert(short, U32);
    let f = b.convert(short, F32);
    let f = b.unsigned(f);
    let down = b.convert(down, U32);
    let exponent = b.shl(down, 23);
    let mut r = b.add(f, exponent);
    if kind.is_signed_int() {
        let negative = b.op(BinOp::Lt, x, 0);
        let minus = b.or(r, Layout::of(F32).sign());
        r = b.select(negative, minus, r);
    }
    b.bitcast(r, F32)
}

fn float_to_float(b: &mut Builder, t: &Target, x: Value, to: Scalar) -> Value {
    let x = widen(b, x);
    match (b.ty(x).scalar, to) {
        (F64, F32) if t.soft.contains(&Soft::F64ToF32) => {
            let u = bits::narrow_f64(b, x, false);
            b.bitcast(u, F32)
        }
        (_, F32 | F64) => b.convert(x, to),
        (F64, _) => {
            let u = bits::narrow_f64(b, x, true);
            let x = b.bitcast(u, F32);
            narrow(b, t, x, to)
        }
        _ => narrow(b, t, x, to),
    }
}

fn float_to_int(b: &mut Builder, t: &Target, x: Value, to: Scalar, mode: CastMode) -> Value {
    let x = widen(b, x);
    match (mode, to) {
        (CastMode::Wrap, U64) => {
            let below = saturate(b, x, I64);
            let below = b.unsigned(below);
            let above = saturate(b, x, U64);
            let sign = bits::sign(b, x);
            let negative = b.is_nonzero(sign);
            b.select(negative, below, above)
        }
        (CastMode::Saturate, _) | (_, I64) => {
            let r = saturate(b, x, to);
            b.convert(r, held(t, to))
        }
        (CastMode::Wrap, _) => {
            let r = match b.ty(x).scalar {
                F64 => saturate(b, x, I64),
                _ => low_word(b, x),
            };
            let r = b.convert(r, held(t, to));
            settle(b, t, r, to)
        }
    }
}

/// The nearest integer of a kind towards zero, in that kind, or in 32 bits for the small ones.
fn saturate(b: &mut Builder, x: Value, to: Scalar) -> Value {
    let l = Layout::of(b.ty(x).scalar);
    let (signed, wide) = match to {
        I8 | I16 | I32 => (true, I32),
        U8 | U16 | U32 => (false, U32),
        _ => (to.is_signed_int(), to),
    };
    let m = bits::magnitude(b, x);
    let limit = to.bits() - u32::from(signed);
    let mut fits = b.op(BinOp::Lt, m, l.power(limit.into()));
    let sign = bits::sign(b, x);
    let negative = b.is_nonzero(sign);
    if !signed {
        let positive = b.is_zero(sign);
        fits = b.bin(BinOp::And, fits, positive);
    }
    let zero = b.like(x, 0);
    let safe = b.select(fits, x, zero);
    let inside = b.convert(safe, wide);
    let (low, high) = int_range(to);
    let high = b.like(inside, high as u64);
    let outside = b.select_const(negative, low as u64, high);
    let nan = b.op(BinOp::Gt, m, l.infinity());
    let outside = b.select_const(nan, 0, outside);
    b.select(fits, inside, outside)
}

/// The low 32 bits of the i64 that an f32 saturates to, as a u32.
fn low_word(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(F32);
    let one = l.bias + i64::from(l.mantissa);
    let m = bits::magnitude(b, x);
    let exponent = b.shr(m, l.mantissa);
    let mantissa = b.and(m, l.implicit() - 1);
    let mantissa = b.or(mantissa, l.implicit());
    // A unit of the mantissa is one at exponent `one`: shift up above it, down below it.
    let above = b.op(BinOp::Max, exponent, one as u64);
    let above = b.op(BinOp::Min, above, one as u64 + 31);
    let up = b.plus(above, -one);
    let below = b.op(BinOp::Min, exponent, one as u64);
    let below = b.op(BinOp::Max, below, one as u64 - 31);
    let down = b.k_minus(one, below);
    let r = b.bin(BinOp::Shl, mantissa, up);
    let r = b.bin(BinOp::Shr, r, down);
    let past = b.op(BinOp::Ge, exponent, one as u64 + 32);
    let r = b.select_const(past, 0, r);
    let opposite = b.un(UnOp::Neg, r);
    let sign = bits::sign(b, x);
    let negative = b.is_nonzero(sign);
    let r = b.select(negative, opposite, r);
    // Past i64: all ones above, zero below and for NaN.
    let u = b.unsigned(x);
    let huge = b.op(BinOp::Ge, u, l.power(63));
    let up_to_inf = b.op(BinOp::Le, u, l.infinity());
    let huge = b.bin(BinOp::And, huge, up_to_inf);
    let r = b.select_const(huge, u64::MAX, r);
    let nan = b.op(BinOp::Gt, m, l.infinity());
    b.select_const(nan, 0, r)
}

/// The bits of an 8 or 16-bit value, zero-extended to u32. A bool is one bit.
pub fn encode(b: &mut Builder, t: &Target, x: Value, s: Scalar) -> Value {
    let native = held(t, s) == s;
    match s {
        Bool => b.flag(x, U32),
        F16 if native && t.int16 == Support::Native => {
            let u = b.unsigned(x);
            b.convert(u, U32)
        }
        F16 => {
            let x = widen(b, x);
            bits::f16_bits(b, x)
        }
        Bf16 => {
            let x = widen(b, x);
            let u = b.unsigned(x);
            b.shr(u, 16)
        }
        _ if native => {
            let u = b.unsigned(x);
            b.convert(u, U32)
        }
        _ => {
            let u = b.unsigned(x);
            if s.is_signed_int() {
                b.and(u, low_bits(s.bits()))
            } else {
                u
            }
        }
    }
}

/// The value of an 8 or 16-bit kind that has these bits, zero-extended to u32.
pub fn decode(b: &mut Builder, t: &Target, u: Value, s: Scalar) -> Value {
    let native = held(t, s) == s;
    match s {
        Bool => b.is_nonzero(u),
        F16 if native && t.int16 == Support::Native => {
            let u = b.convert(u, U16);
            b.bitcast(u, s)
        }
        F16 => {
            let x = bits::f16_value(b, u);
            if native { b.convert(x, s) } else { x }
        }
        Bf16 => {
            let u = b.shl(u, 16);
            let x = b.bitcast(u, F32);
            if native { b.convert(x, s) } else { x }
        }
        _ if native => {
            let u = b.convert(u, s.to_unsigned());
            b.bitcast(u, s)
        }
        _ if s.is_signed_int() => {
            let i = b.bitcast(u, I32);
            settle(b, t, i, s)
        }
        _ => u,
    }
}

/// The same bits as another kind of the same size.
pub fn bitcast(b: &mut Builder, t: &Target, x: Value, from: Scalar, to: Scalar) -> Value {
    if held(t, from) == from && held(t, to) == to {
        return b.bitcast(x, to);
    }
    let u = encode(b, t, x, from);
    decode(b, t, u, to)
}
