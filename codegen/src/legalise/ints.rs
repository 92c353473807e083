//! Integer operations made total, and those that few targets have at every width.

use super::ops::{int_range, low_bits};
use super::range::range;
use crate::builder::Builder;
use crate::ir::*;
use crate::target::{Soft, Support, Target};
use crate::types::Scalar::*;

/// Quotient or remainder, with a divisor that the target's own operation is sure to take.
pub fn divide(b: &mut Builder, op: BinOp, x: Value, y: Value) -> Value {
    let kind = b.ty(x).scalar;
    let signed = kind.is_signed_int();
    let (least, most) = range(b, y);
    let minus_one = low_bits(kind.bits());
    if least > 0 && (!signed || most < minus_one) {
        return b.bin(op, x, y);
    }
    let zero = b.is_zero(y);
    let mut avoid = zero;
    if signed {
        let (lowest, _) = int_range(kind);
        let minus_one = b.op(BinOp::Eq, y, minus_one);
        let lowest = b.op(BinOp::Eq, x, lowest as u64);
        let overflow = b.bin(BinOp::And, minus_one, lowest);
        avoid = b.bin(BinOp::Or, zero, overflow);
    }
    // x / 1 is x and x % 1 is 0: right for all but the quotient by zero.
    let safe = b.select_const(avoid, 1, y);
    let r = b.bin(op, x, safe);
    if op == BinOp::Div {
        b.select_const(zero, 0, r)
    } else {
        r
    }
}

/// A shift by an amount taken modulo the width.
pub fn shift(b: &mut Builder, op: BinOp, x: Value, amount: Value) -> Value {
    let width = u64::from(b.ty(x).scalar.bits());
    let amount = if range(b, amount).1 < width {
        amount
    } else {
        b.and(amount, width - 1)
    };
    b.bin(op, x, amount)
}

/// Magnitude, wrapping.
pub fn abs(b: &mut Builder, x: Value) -> Value {
    if b.ty(x).scalar.is_unsigned() {
        return x;
    }
    let negative = b.op(BinOp::Lt, x, 0);
    let opposite = b.un(UnOp::Neg, x);
    b.select(negative, opposite, x)
}

/// Upper and lower half of a 64-bit value.
fn halves(b: &mut Builder, x: Value) -> (Value, Value) {
    let u = b.unsigned(x);
    let high = b.shr(u, 32);
    (b.convert(high, U32), b.convert(u, U32))
}

/// A 64 or 32-bit integer, or the bits of a smaller one zero-extended to 32.
fn widen_bits(b: &mut Builder, x: Value) -> Value {
    let u = b.unsigned(x);
    b.convert(u, U32)
}

/// Number of set bits.
pub fn popcount(b: &mut Builder, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let count = match kind.bytes() {
        4 => return b.un(UnOp::Popcount, x),
        8 => {
            let (high, low) = halves(b, x);
            let high = b.un(UnOp::Popcount, high);
            let low = b.un(UnOp::Popcount, low);
            b.add(high, low)
        }
        _ => {
            let u = widen_bits(b, x);
            b.un(UnOp::Popcount, u)
        }
    };
    b.convert(count, kind)
}

/// Leading zero bits.
pub fn clz(b: &mut Builder, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let count = match kind.bytes() {
        4 => return b.un(UnOp::Clz, x),
        8 => {
            let (high, low) = halves(b, x);
            let none = b.is_zero(high);
            let high = b.un(UnOp::Clz, high);
            let low = b.un(UnOp::Clz, low);
            let low = b.plus(low, 32);
            b.select(none, low, high)
        }
        _ => {
            let u = widen_bits(b, x);
            let zeros = b.un(UnOp::Clz, u);
            b.plus(zeros, i64::from(kind.bits()) - 32)
        }
    };
    b.convert(count, kind)
}

/// A signed integer as i64.
pub fn sign_extend(b: &mut Builder, t: &Target, x: Value) -> Value {
    if !t.soft.contains(&Soft::SignExtend) || b.ty(x).scalar == I64 {
        return b.convert(x, I64);
    }
    // The unsigned number that is 2^31 more, and 2^31 less than that.
    let x = b.convert(x, I32);
    let u = b.unsigned(x);
    let above = b.op(BinOp::Xor, u, 1 << 31);
    let wide = b.convert(above, U64);
    let r = b.plus(wide, -(1 << 31));
    b.signed(r)
}

/// Upper half of a product.
pub fn mul_hi(b: &mut Builder, t: &Target, x: Value, y: Value) -> Value {
    let kind = b.ty(x).scalar;
    if !t.soft.contains(&Soft::MulHi) {
        return b.bin(BinOp::MulHi, x, y);
    }
    if kind.bytes() == 4 && t.int64 == Support::Native {
        let mut wide = |x| match kind.is_signed_int() {
            true => sign_extend(b, t, x),
            false => b.convert(x, U64),
        };
        let (x, y) = (wide(x), wide(y));
        let product = b.mul(x, y);
        let high = b.shr(product, 32);
        return b.convert(high, kind);
    }
    let (ux, uy) = (b.unsigned(x), b.unsigned(y));
    let high = mul_hi_unsigned(b, ux, uy);
    if !kind.is_signed_int() {
        return high;
    }
    // A negative factor reads as 2^width too much.
    let zero = b.like(ux, 0);
    let mut r = high;
    for (x, uy) in [(x, uy), (y, ux)] {
        let negative = b.op(BinOp::Lt, x, 0);
        let excess = b.select(negative, uy, zero);
        r = b.sub(r, excess);
    }
    b.bitcast(r, kind)
}

/// From products of half-width pieces.
fn mul_hi_unsigned(b: &mut Builder, x: Value, y: Value) -> Value {
    let half = b.ty(x).scalar.bits() / 2;
    let mask = low_bits(half);
    let (x0, x1) = (b.and(x, mask), b.shr(x, half));
    let (y0, y1) = (b.and(y, mask), b.shr(y, half));
    let low = b.mul(x0, y0);
    let carry = b.shr(low, half);
    let cross = b.mul(x1, y0);
    let cross = b.add(cross, carry);
    let other = b.mul(x0, y1);
    let cross_low = b.and(cross, mask);
    let middle = b.add(other, cross_low);
    let high = b.mul(x1, y1);
    let cross_high = b.shr(cross, half);
    let high = b.add(high, cross_high);
    let middle = b.shr(middle, half);
    b.add(high, middle)
}
