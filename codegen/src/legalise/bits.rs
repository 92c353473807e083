//! Floats as bit patterns. Everything here is integer arithmetic, or float arithmetic that can
//! neither round nor meet a denormal: it gives the same bits under fast-math, on devices that
//! flush denormals, and where f16 and bf16 do not exist.

use super::ops::low_bits;
use crate::builder::Builder;
use crate::ir::*;
use crate::types::Scalar;

/// The layout of f32 or f64, the two float kinds that every rewriting works in.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The unsigned kind of the bits.
    pub bits: Scalar,
    /// Width.
    pub width: u32,
    /// Explicit mantissa bits.
    pub mantissa: u32,
    /// The exponent field of 1.0.
    pub bias: i64,
}

impl Layout {
    /// The layout of f32 or f64.
    pub fn of(kind: Scalar) -> Layout {
        let (exponent, mantissa) = kind.float_format();
        Layout {
            bits: kind.to_unsigned(),
            width: kind.bits(),
            mantissa,
            bias: (1 << (exponent - 1)) - 1,
        }
    }

    /// The sign bit.
    pub fn sign(self) -> u64 {
        1 << (self.width - 1)
    }

    /// Everything but the sign bit.
    pub fn magnitude(self) -> u64 {
        low_bits(self.width - 1)
    }

    /// The bit above the mantissa.
    pub fn implicit(self) -> u64 {
        1 << self.mantissa
    }

    /// Infinity.
    pub fn infinity(self) -> u64 {
        (2 * self.bias as u64 + 1) << self.mantissa
    }

    /// A quiet NaN.
    pub fn nan(self) -> u64 {
        self.infinity() | 1 << (self.mantissa - 1)
    }

    /// 2 to the power of `e`.
    pub fn power(self, e: i64) -> u64 {
        ((self.bias + e) as u64) << self.mantissa
    }
}

/// The bits of |x|.
pub fn magnitude(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(b.ty(x).scalar);
    let u = b.unsigned(x);
    b.and(u, l.magnitude())
}

/// The sign bit of x, in place.
pub fn sign(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(b.ty(x).scalar);
    let u = b.unsigned(x);
    b.and(u, l.sign())
}

/// True for NaN.
pub fn is_nan(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(b.ty(x).scalar);
    let m = magnitude(b, x);
    b.op(BinOp::Gt, m, l.infinity())
}

/// True for both infinities.
pub fn is_inf(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(b.ty(x).scalar);
    let m = magnitude(b, x);
    b.op(BinOp::Eq, m, l.infinity())
}

/// Rounds an f32 to the nearest bf16; the result is that bf16 as an f32.
pub fn round_to_bf16(b: &mut Builder, x: Value) -> Value {
    let nan = is_nan(b, x);
    let u = b.unsigned(x);
    let short = b.shr_rne(u, 16);
    let rounded = b.shl(short, 16);
    let quiet = b.or(u, 0x0040_0000);
    let quiet = b.and(quiet, 0xffff_0000);
    let bits = b.select(nan, quiet, rounded);
    b.bitcast(bits, Scalar::F32)
}

/// Rounds an f32 to the nearest f16; the result is that f16 as an f32.
///
/// The last bit that f16 keeps is bit 13 of a normal number, and one higher for each power of two
/// below 2^-14. At bit 23 (2^-24, the smallest f16) that bit is the lowest of the exponent field,
/// which is odd there, as the implicit one it stands for.
pub fn round_to_f16(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(Scalar::F32);
    let m = magnitude(b, x);
    let exponent = b.shr(m, 23);
    let below = b.op(BinOp::Min, exponent, 113);
    let below = b.op(BinOp::Max, below, 103);
    let last = b.k_minus(113 + 13, below);
    let kept = b.bin(BinOp::Shr, m, last);
    let odd = b.and(kept, 1);
    let one = b.like(m, 1);
    let unit = b.bin(BinOp::Shl, one, last);
    let half = b.shr(unit, 1);
    let up = b.add(half, odd);
    let up = b.plus(up, -1);
    let sum = b.add(m, up);
    let kept = b.bin(BinOp::Shr, sum, last);
    let r = b.bin(BinOp::Shl, kept, last);
    // Below 2^-24 there are two results: zero up to and including the middle, else 2^-24.
    let tiny = b.op(BinOp::Lt, m, l.power(-24));
    let above_middle = b.op(BinOp::Gt, m, l.power(-25));
    let smallest = b.like(m, l.power(-24));
    let zero = b.like(m, 0);
    let ends = b.select(above_middle, smallest, zero);
    let r = b.select(tiny, ends, r);
    let over = b.op(BinOp::Ge, r, l.power(16));
    let r = b.select_const(over, l.infinity(), r);
    let nan = b.op(BinOp::Gt, m, l.infinity());
    let r = b.select_const(nan, l.nan(), r);
    let s = sign(b, x);
    let bits = b.bin(BinOp::Or, r, s);
    b.bitcast(bits, Scalar::F32)
}

/// The bits, in a u32, of the f16 that an f32 is equal to.
pub fn f16_bits(b: &mut Builder, x: Value) -> Value {
    let l = Layout::of(Scalar::F32);
    let m = magnitude(b, x);
    let rebased = b.plus(m, -((127 - 15) << 23));
    let normal = b.shr(rebased, 13);
    // A denormal f16 is a normal f32, and 2^24 times it is its bit pattern.
    let denormal = b.op(BinOp::Lt, m, l.power(-14));
    let zero = b.like(m, 0);
    let small = b.select(denormal, m, zero);
    let nonzero = b.is_nonzero(small);
    let scaled = b.plus(small, 24 << 23);
    let scaled = b.select(nonzero, scaled, zero);
    let scaled = b.bitcast(scaled, Scalar::F32);
    let subnormal = b.convert(scaled, Scalar::U32);
    let r = b.select(denormal, subnormal, normal);
    let inf = b.op(BinOp::Ge, m, l.infinity());
    let r = b.select_const(inf, 0x7c00, r);
    let nan = b.op(BinOp::Gt, m, l.infinity());
    let payload = b.shr(m, 13);
    let payload = b.or(payload, 0x7e00);
    let payload = b.and(payload, 0x7fff);
    let r = b.select(nan, payload, r);
    let s = sign(b, x);
    let s = b.shr(s, 16);
    b.bin(BinOp::Or, r, s)
}

/// The f32 that is equal to the f16 whose bits are in a u32.
pub fn f16_value(b: &mut Builder, u: Value) -> Value {
    let l = Layout::of(Scalar::F32);
    let m = b.and(u, 0x7fff);
    let wide = b.shl(m, 13);
    let normal = b.plus(wide, (127 - 15) << 23);
    // A denormal is its bit pattern times 2^-24, which f32 holds as a normal number.
    let count = b.convert(m, Scalar::F32);
    let count = b.unsigned(count);
    let scaled = b.plus(count, -(24 << 23));
    let nonzero = b.is_nonzero(m);
    let zero = b.like(m, 0);
    let scaled = b.select(nonzero, scaled, zero);
    let denormal = b.op(BinOp::Lt, m, 0x0400);
    let r = b.select(denormal, scaled, normal);
    let special = b.op(BinOp::Ge, m, 0x7c00);
    let top = b.or(wide, l.infinity());
    let r = b.select(special, top, r);
    let s = b.and(u, 0x8000);
    let s = b.shl(s, 16);
    let bits = b.bin(BinOp::Or, r, s);
    b.bitcast(bits, Scalar::F32)
}

/// Narrows an f64 to the bits of an f32, in a u32.
///
/// With `odd`, inexact values are rounded towards zero and get an odd last bit: a later rounding
/// to a kind at least two bits shorter is then that of the f64. Without, to nearest even.
pub fn narrow_f64(b: &mut Builder, x: Value, odd: bool) -> Value {
    let (from, to) = (Layout::of(Scalar::F64), Layout::of(Scalar::F32));
    let by = from.mantissa - to.mantissa;
    let rebias = (from.bias - to.bias) as u64;
    let m = magnitude(b, x);
    // Normal results: another bias. Smaller ones: the mantissa moved down to where it counts.
    let normal = b.op(BinOp::Sub, m, rebias << from.mantissa);
    let exponent = b.shr(m, from.mantissa);
    let mantissa = b.and(m, from.implicit() - 1);
    let with_implicit = b.or(mantissa, from.implicit());
    let is_normal = b.is_nonzero(exponent);
    let mantissa = b.select(is_normal, with_implicit, mantissa);
    let clamped = b.op(BinOp::Min, exponent, rebias + 1);
    let down = b.k_minus(rebias as i64 + 1, clamped);
    let down = b.op(BinOp::Min, down, 63);
    let low = b.shr_sticky(mantissa, down);
    let is_low = b.op(BinOp::Lt, m, (rebias + 1) << from.mantissa);
    let kept = b.select(is_low, low, normal);
    let over = b.op(BinOp::Ge, m, from.power(to.bias + 1));
    let (short, limit) = if odd {
        let kept_bits = b.shr(kept, by);
        let lost = b.and(kept, low_bits(by));
        let lost = b.is_nonzero(lost);
        let sticky = b.flag(lost, Scalar::U64);
        (b.bin(BinOp::Or, kept_bits, sticky), to.infinity() - 1)
    } else {
        (b.shr_rne(kept, by), to.infinity())
    };
    let r = b.select_const(over, limit, short);
    let inf = b.op(BinOp::Eq, m, from.infinity());
    let r = b.select_const(inf, to.infinity(), r);
    let nan = b.op(BinOp::Gt, m, from.infinity());
    let r = b.select_const(nan, to.nan(), r);
    let s = sign(b, x);
    let s = b.shr(s, 32);
    let r = b.bin(BinOp::Or, r, s);
    b.convert(r, Scalar::U32)
}
