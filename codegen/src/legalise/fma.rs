//! `x * y + z` rounded once, on targets whose own is not.

use super::bits::{Layout, magnitude, sign};
use super::soft::pack;
use super::{casts, ints};
use crate::builder::Builder;
use crate::ir::*;
use crate::target::{Support, Target};
use crate::types::Scalar::*;

/// Of f32 or f64: the target's own, or through f64, or in integers.
pub fn fma(b: &mut Builder, t: &Target, [x, y, z]: [Value; 3]) -> Value {
    if t.fused_fma {
        return b.fma(x, y, z);
    }
    if b.ty(x).scalar == F32 && t.f64 == Support::Native && t.int64 == Support::Native {
        return through_f64(b, t, [x, y, z]);
    }
    in_integers(b, t, [x, y, z])
}

/// The product is exact in f64. The sum is rounded there with an odd last bit where it is
/// inexact, so that the second rounding, to f32, is that of the exact sum.
fn through_f64(b: &mut Builder, t: &Target, args: [Value; 3]) -> Value {
    let l = Layout::of(F64);
    let [x, y, z] = args.map(|v| b.convert(v, F64));
    let p = b.mul(x, y);
    let sum = b.add(p, z);
    // What the sum has lost, exactly (Knuth).
    let z_part = b.sub(sum, p);
    let p_part = b.sub(sum, z_part);
    let p_lost = b.sub(p, p_part);
    let z_lost = b.sub(z, z_part);
    let lost = b.add(p_lost, z_lost);

    let (u, lost_bits) = (b.unsigned(sum), b.unsigned(lost));
    let m = magnitude(b, sum);
    let finite = b.op(BinOp::Lt, m, l.infinity());
    let m = magnitude(b, lost);
    let inexact = b.is_nonzero(m);
    let last = b.and(u, 1);
    let even = b.is_zero(last);
    let adjust = b.bin(BinOp::And, finite, inexact);
    let adjust = b.bin(BinOp::And, adjust, even);
    let outwards = b.bin(BinOp::Xor, u, lost_bits);
    let inwards = b.op(BinOp::Ge, outwards, l.sign());
    let (more, less) = (b.plus(u, 1), b.plus(u, -1));
    let odd = b.select(inwards, less, more);
    let u = b.select(adjust, odd, u);
    let sum = b.bitcast(u, F64);
    casts::cast(b, t, sum, (F64, F32), CastMode::Wrap)
}

/// An unsigned number of twice the width.
#[derive(Clone, Copy)]
struct Pair {
    high: Value,
    low: Value,
}

impl Pair {
    fn select(b: &mut Builder, cond: Value, yes: Pair, no: Pair) -> Pair {
        Pair {
            high: b.select(cond, yes.high, no.high),
            low: b.select(cond, yes.low, no.low),
        }
    }

    fn leading_zeros(self, b: &mut Builder, width: u32) -> Value {
        let none = b.is_zero(self.high);
        let high = ints::clz(b, self.high);
        let low = ints::clz(b, self.low);
        let low = b.plus(low, width.into());
        b.select(none, low, high)
    }

    fn is_zero(self, b: &mut Builder) -> Value {
        let any = b.bin(BinOp::Or, self.high, self.low);
        b.is_zero(any)
    }

    /// Shifted left by less than twice the width.
    fn shl(self, b: &mut Builder, by: Value, width: u32) -> Pair {
        let far = b.op(BinOp::Ge, by, width.into());
        let by = b.and(by, u64::from(width - 1));
        let rest = b.k_minus(i64::from(width) - 1, by);
        let across = b.shr(self.low, 1);
        let across = b.bin(BinOp::Shr, across, rest);
        let high = b.bin(BinOp::Shl, self.high, by);
        let high = b.bin(BinOp::Or, high, across);
        let low = b.bin(BinOp::Shl, self.low, by);
        Pair {
            high: b.select(far, low, high),
            low: b.select_const(far, 0, low),
        }
    }

    /// Shifted right by less than twice the width; the lowest bit remembers what was lost.
    fn shr_sticky(self, b: &mut Builder, by: Value, width: u32) -> Pair {
        let far = b.op(BinOp::Ge, by, width.into());
        let near = b.and(by, u64::from(width - 1));
        let rest = b.k_minus(i64::from(width) - 1, near);
        let across = b.shl(self.high, 1);
        let across = b.bin(BinOp::Shl, across, rest);
        let low = b.bin(BinOp::Shr, self.low, near);
        let low = b.bin(BinOp::Or, low, across);
        let high = b.bin(BinOp::Shr, self.high, near);
        let kept = Pair {
            high: b.select_const(far, 0, high),
            low: b.select(far, high, low),
        };
        let back = kept.shl(b, by, width);
        let high = b.bin(BinOp::Ne, back.high, self.high);
        let low = b.bin(BinOp::Ne, back.low, self.low);
        let lost = b.bin(BinOp::Or, high, low);
        let kind = b.ty(self.low).scalar;
        let sticky = b.flag(lost, kind);
        Pair {
            low: b.bin(BinOp::Or, kept.low, sticky),
            ..kept
        }
    }

    /// The sum, or the difference where `minus`.
    fn add(self, b: &mut Builder, other: Pair, minus: Value) -> Pair {
        let kind = b.ty(self.low).scalar;
        let flip = b.flag(minus, kind);
        let mask = b.un(UnOp::Neg, flip);
        let (high, low) = (
            b.bin(BinOp::Xor, other.high, mask),
            b.bin(BinOp::Xor, other.low, mask),
        );
        let sum = b.add(self.low, low);
        let carry = b.bin(BinOp::Lt, sum, low);
        let total = b.add(sum, flip);
        let second = b.bin(BinOp::Lt, total, flip);
        let carry = b.bin(BinOp::Or, carry, second);
        let carry = b.flag(carry, kind);
        let high = b.add(self.high, high);
        Pair {
            high: b.add(high, carry),
            low: total,
        }
    }
}

/// Mantissa with its implicit bit, and biased exponent (1 for denormals, signed), of a finite
/// magnitude.
fn unpack(b: &mut Builder, m: Value, l: Layout) -> (Value, Value) {
    let field = b.shr(m, l.mantissa);
    let mantissa = b.and(m, l.implicit() - 1);
    let full = b.or(mantissa, l.implicit());
    let denormal = b.is_zero(field);
    let mantissa = b.select(denormal, mantissa, full);
    let exponent = b.op(BinOp::Max, field, 1);
    (mantissa, b.signed(exponent))
}

/// Product and addend are aligned exactly in twice the width, with the leading bit one below the
/// top; only bits far below the last one of the result are folded into a sticky bit.
fn in_integers(b: &mut Builder, t: &Target, [x, y, z]: [Value; 3]) -> Value {
    let kind = b.ty(x).scalar;
    let l = Layout::of(kind);
    let (w, m) = (i64::from(l.width), i64::from(l.mantissa));
    let [mx, my, mz] = [x, y, z].map(|v| magnitude(b, v));
    let [sx, sy, sz] = [x, y, z].map(|v| sign(b, v));
    let [(fx, ex), (fy, ey), (fz, ez)] = [mx, my, mz].map(|v| unpack(b, v, l));
    let sp = b.bin(BinOp::Xor, sx, sy);
    let never = -16 * l.bias; // the exponent of zero: below all others

    let product = Pair {
        high: ints::mul_hi(b, t, fx, fy),
        low: b.mul(fx, fy),
    };
    let nothing = product.is_zero(b);
    let up = product.leading_zeros(b, l.width);
    let up = b.plus(up, -1);
    let product = product.shl(b, up, l.width);
    let up = b.signed(up);
    let ep = b.add(ex, ey);
    let ep = b.sub(ep, up);
    let ep = b.plus(ep, -2 * (l.bias + m));
    let ep = b.select_const(nothing, never as u64, ep);

    let nothing = b.is_zero(fz);
    let up = ints::clz(b, fz);
    let up = b.plus(up, -1);
    let up = b.and(up, l.width as u64 - 1);
    let addend = Pair {
        high: b.bin(BinOp::Shl, fz, up),
        low: b.like(fz, 0),
    };
    let up = b.signed(up);
    let ez = b.sub(ez, up);
    let ez = b.plus(ez, -(l.bias + m + w));
    let ez = b.select_const(nothing, never as u64, ez);

    // The larger one first.
    let below = b.bin(BinOp::Lt, ep, ez);
    let level = b.bin(BinOp::Eq, ep, ez);
    let shorter = b.bin(BinOp::Lt, product.high, addend.high);
    let shorter = b.bin(BinOp::And, level, shorter);
    let swap = b.bin(BinOp::Or, below, shorter);
    let large = Pair::select(b, swap, addend, product);
    let small = Pair::select(b, swap, product, addend);
    let e = b.select(swap, ez, ep);
    let small_e = b.select(swap, ep, ez);
    let s = b.select(swap, sz, sp);
    let down = b.sub(e, small_e);
    let down = b.op(BinOp::Min, down, 2 * w as u64 - 1);
    let down = b.unsigned(down);
    let small = small.shr_sticky(b, down, l.width);
    let minus = b.bin(BinOp::Ne, sp, sz);
    let sum = large.add(b, small, minus);

    let zero = sum.is_zero(b);
    let up = sum.leading_zeros(b, l.width);
    let sum = sum.shl(b, up, l.width);
    let up = b.signed(up);
    let e = b.sub(e, up);
    let e = b.plus(e, 2 * w - 1 + l.bias);
    // One word, its leading bit one below the top to leave room for the rounding.
    let rest = b.is_nonzero(sum.low);
    let rest = b.flag(rest, l.bits);
    let word = b.bin(BinOp::Or, sum.high, rest);
    let last = b.and(word, 1);
    let word = b.shr(word, 1);
    let word = b.bin(BinOp::Or, word, last);
    let r = pack(b, l, word, e);
    let r = b.bin(BinOp::Or, r, s);
    let both = b.bin(BinOp::And, sp, sz);
    let r = b.select(zero, both, r);
    let r = b.bitcast(r, kind);

    // Infinities and NaNs: without rounding, the plain operations do.
    let special_z = b.op(BinOp::Ge, mz, l.infinity());
    let r = b.select(special_z, z, r);
    let larger = b.bin(BinOp::Max, mx, my);
    let special = b.op(BinOp::Ge, larger, l.infinity());
    let plain = b.mul(x, y);
    let plain = b.add(plain, z);
    b.select(special, plain, r)
}
