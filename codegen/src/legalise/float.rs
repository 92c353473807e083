//! f32 and f64 operations whose special cases must not be left to chance.

use super::bits::{Layout, magnitude, sign};
use super::ints;
use crate::builder::Builder;
use crate::ir::*;
use crate::types::Scalar::U32;

/// The sign bit flipped.
pub fn neg(b: &mut Builder, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let u = b.unsigned(x);
    let r = b.op(BinOp::Xor, u, Layout::of(kind).sign());
    b.bitcast(r, kind)
}

/// The sign bit cleared.
pub fn abs(b: &mut Builder, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let m = magnitude(b, x);
    b.bitcast(m, kind)
}

/// IEEE 754-2019 minimum or maximum.
pub fn extremum(b: &mut Builder, op: BinOp, x: Value, y: Value) -> Value {
    let (rx, ry) = (rank(b, op, x), rank(b, op, y));
    let cmp = match op {
        BinOp::Min => BinOp::Lt,
        _ => BinOp::Gt,
    };
    let first = b.bin(cmp, rx, ry);
    b.select(first, x, y)
}

/// An unsigned integer whose order is that of floats, NaN of either sign being what `op` prefers.
fn rank(b: &mut Builder, op: BinOp, x: Value) -> Value {
    // Read as signed integers, floats are in order once the magnitude bits of the negative ones
    // are flipped: -0 comes out just below +0. NaN is at both ends then; counted from where the
    // numbers begin, and round the end, it is above them all. Counted from where they are over, it
    // is below.
    let l = Layout::of(b.ty(x).scalar);
    let i = b.signed(x);
    let negative = b.shr(i, l.width - 1);
    let flip = b.and(negative, l.magnitude());
    let ordered = b.bin(BinOp::Xor, i, flip);
    let ordered = b.unsigned(ordered);
    let start = match op {
        BinOp::Min => l.infinity() + 1,
        _ => (l.sign() | l.infinity()) ^ l.magnitude(),
    };
    b.op(BinOp::Sub, ordered, start)
}

/// A finite nonzero magnitude as `mantissa · 2^exponent`, the mantissa with its implicit bit at
/// its place; exponents are biased, and go below 1 for denormals.
pub fn normalised(b: &mut Builder, m: Value, l: Layout) -> (Value, Value) {
    let exponent = b.shr(m, l.mantissa);
    let mantissa = b.and(m, l.implicit() - 1);
    let denormal = b.is_zero(exponent);
    let zeros = ints::clz(b, mantissa);
    let up = b.plus(zeros, i64::from(l.mantissa) + 1 - i64::from(l.width));
    let raised = b.bin(BinOp::Shl, mantissa, up);
    let lower = b.k_minus(1, up);
    let full = b.or(mantissa, l.implicit());
    let mantissa = b.select(denormal, raised, full);
    let exponent = b.select(denormal, lower, exponent);
    (mantissa, b.signed(exponent))
}

/// Floor, ceil, trunc or rint. On the bits of the magnitude: what is added below the point decides whether the
/// whole part goes up by one, which carries into the exponent where it must.
pub fn whole(b: &mut Builder, op: UnOp, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let l = Layout::of(kind);
    let (m, s) = (magnitude(b, x), sign(b, x));
    let zero = b.like(m, 0);
    let exponent = b.shr(m, l.mantissa);
    let exponent = b.op(BinOp::Max, exponent, l.bias as u64);
    let exponent = b.op(BinOp::Min, exponent, l.bias as u64 + u64::from(l.mantissa));
    // How many bits stand for what is below the point: from 1 on down to none.
    let below = b.k_minus(l.bias + i64::from(l.mantissa), exponent);
    let one = b.like(m, 1);
    let unit = b.bin(BinOp::Shl, one, below);
    let fraction = b.plus(unit, -1);
    let whole_one = b.like(m, l.power(0));
    // What is added, and what a magnitude below one becomes.
    let (add, small) = match op {
        UnOp::Trunc => (zero, zero),
        UnOp::Rint => {
            let last = b.bin(BinOp::Shr, m, below);
            let odd = b.and(last, 1);
            let half = b.shr(unit, 1);
            let up = b.add(half, odd);
            // With nothing below the point there is no half, and nothing is added.
            let up = b.op(BinOp::Max, up, 1);
            let up = b.plus(up, -1);
            let above_half = b.op(BinOp::Gt, m, l.power(-1));
            (up, b.select(above_half, whole_one, zero))
        }
        _ => {
            let away = match op {
                UnOp::Floor => b.is_nonzero(s),
                _ => b.is_zero(s),
            };
            let some = b.is_nonzero(m);
            let away_from_zero = b.bin(BinOp::And, away, some);
            let add = b.select(away, fraction, zero);
            (add, b.select(away_from_zero, whole_one, zero))
        }
    };
    let sum = b.add(m, add);
    let kept = b.bin(BinOp::Shr, sum, below);
    let large = b.bin(BinOp::Shl, kept, below);
    let is_small = b.op(BinOp::Lt, m, l.power(0));
    let r = b.select(is_small, small, large);
    let r = b.bin(BinOp::Or, r, s);
    b.bitcast(r, kind)
}

/// The exact remainder, by long division that takes as many bits in a step as the word has room.
pub fn rem(b: &mut Builder, x: Value, y: Value) -> Value {
    let kind = b.ty(x).scalar;
    let l = Layout::of(kind);
    let room = l.width - 1 - l.mantissa;
    let (mx, my) = (magnitude(b, x), magnitude(b, y));
    let no_x = b.op(BinOp::Ge, mx, l.infinity());
    let no_y = b.op(BinOp::Gt, my, l.infinity());
    let by_zero = b.is_zero(my);
    let undefined = b.bin(BinOp::Or, no_x, no_y);
    let undefined = b.bin(BinOp::Or, undefined, by_zero);

    let (fx, ex) = normalised(b, mx, l);
    let (fy, ey) = normalised(b, my, l);
    let fy = b.or(fy, l.implicit()); // a divisor for the case of zero, which is discarded
    let distance = b.sub(ex, ey);
    let smaller = b.op(BinOp::Lt, distance, 0);
    let idle = b.bin(BinOp::Or, smaller, undefined);
    let distance = b.select_const(idle, 0, distance);
    let distance = b.convert(distance, U32);
    let steps = b.op(BinOp::Div, distance, room.into());
    let odd_bits = b.op(BinOp::Rem, distance, room.into());
    let odd_bits = b.convert(odd_bits, l.bits);
    let start = b.bin(BinOp::Shl, fx, odd_bits);
    let start = b.bin(BinOp::Rem, start, fy);
    let rest = b.var(start);
    let most = (1..b.ty(steps).lanes).fold(b.extract(steps, 0), |most, lane| {
        let other = b.extract(steps, lane);
        b.bin(BinOp::Max, most, other)
    });
    let (zero, one) = (b.u32(0), b.u32(1));
    b.for_(zero, most, one, false, |b, i| {
        let r = b.get(rest);
        let more = b.shl(r, room);
        let more = b.bin(BinOp::Rem, more, fy);
        let busy = b.bin(BinOp::Lt, i, steps);
        let r = b.select(busy, more, r);
        b.set(rest, r);
    });
    let r = b.get(rest);

    // Back to a float: normal, or shifted down to a denormal, which loses nothing.
    let nothing = b.is_zero(r);
    let zeros = ints::clz(b, r);
    let up = b.plus(zeros, -i64::from(room));
    let up = b.select_const(nothing, 0, up);
    let f = b.bin(BinOp::Shl, r, up);
    let up = b.signed(up);
    let e = b.sub(ey, up);
    let field = b.op(BinOp::Max, e, 1);
    let down = b.sub(field, e);
    let down = b.op(BinOp::Min, down, u64::from(l.mantissa) + 1);
    let down = b.unsigned(down);
    let f = b.bin(BinOp::Shr, f, down);
    let field = b.plus(field, -1);
    let field = b.unsigned(field);
    let field = b.shl(field, l.mantissa);
    let bits = b.add(f, field);
    let bits = b.select_const(nothing, 0, bits);

    let bits = b.select(smaller, mx, bits);
    let s = sign(b, x);
    let bits = b.bin(BinOp::Or, bits, s);
    let bits = b.select_const(undefined, l.nan(), bits);
    b.bitcast(bits, kind)
}
