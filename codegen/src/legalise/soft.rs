//! Correctly rounded quotients and roots of f32 and f64 in integer arithmetic, for targets whose
//! own are only close, and the rounding that ends them and the fused multiply-add.

use super::bits::{Layout, magnitude, sign};
use super::float::normalised;
use crate::builder::Builder;
use crate::ir::*;

/// The bits of the magnitude `word · 2^(e - bias - (width - 2))`, rounded to nearest even: `word`
/// has its leading bit one below the top, its lowest bit stands for all that was lost, and `e` is
/// signed.
pub fn pack(b: &mut Builder, l: Layout, word: Value, e: Value) -> Value {
    let field = b.op(BinOp::Max, e, 1);
    let down = b.sub(field, e);
    let down = b.op(BinOp::Min, down, u64::from(l.width) - 1);
    let down = b.unsigned(down);
    let word = b.shr_sticky(word, down);
    let short = b.shr_rne(word, l.width - 2 - l.mantissa);
    // The implicit bit adds one to the exponent field.
    let field = b.op(BinOp::Min, field, 2 * l.bias as u64 + 1);
    let field = b.plus(field, -1);
    let field = b.unsigned(field);
    let field = b.shl(field, l.mantissa);
    let r = b.add(short, field);
    b.op(BinOp::Min, r, l.infinity())
}

/// The quotient, by long division.
pub fn div(b: &mut Builder, x: Value, y: Value) -> Value {
    let kind = b.ty(x).scalar;
    let l = Layout::of(kind);
    let room = l.width - 1 - l.mantissa;
    let (mx, my) = (magnitude(b, x), magnitude(b, y));
    let (fx, ex) = normalised(b, mx, l);
    let (fy, ey) = normalised(b, my, l);
    let fy = b.or(fy, l.implicit()); // a divisor for the case of zero, which is discarded
    let e = b.sub(ex, ey);

    // One before the point, then as many digits as leave one to round by.
    let less = b.bin(BinOp::Lt, fx, fy);
    let twice = b.shl(fx, 1);
    let fx = b.select(less, twice, fx);
    let lower = b.plus(e, -1);
    let e = b.select(less, lower, e);
    let e = b.plus(e, l.bias);
    let mut rest = b.sub(fx, fy);
    let mut quotient = b.like(fx, 1);
    let steps = (l.mantissa + 1).div_ceil(room);
    for _ in 0..steps {
        let more = b.shl(rest, room);
        let digits = b.bin(BinOp::Div, more, fy);
        let taken = b.mul(digits, fy);
        rest = b.sub(more, taken);
        quotient = b.shl(quotient, room);
        quotient = b.bin(BinOp::Or, quotient, digits);
    }
    let word = b.shl(quotient, l.width - 2 - steps * room);
    let lost = b.is_nonzero(rest);
    let lost = b.flag(lost, l.bits);
    let word = b.bin(BinOp::Or, word, lost);
    let r = pack(b, l, word, e);

    let infinite = |b: &mut Builder, m: Value| b.op(BinOp::Eq, m, l.infinity());
    let (inf_x, inf_y) = (infinite(b, mx), infinite(b, my));
    let (zero_x, zero_y) = (b.is_zero(mx), b.is_zero(my));
    let vanishes = b.bin(BinOp::Or, zero_x, inf_y);
    let r = b.select_const(vanishes, 0, r);
    let explodes = b.bin(BinOp::Or, zero_y, inf_x);
    let r = b.select_const(explodes, l.infinity(), r);
    let (sx, sy) = (sign(b, x), sign(b, y));
    let s = b.bin(BinOp::Xor, sx, sy);
    let r = b.bin(BinOp::Or, r, s);
    let undefined = b.bin(BinOp::And, vanishes, explodes);
    let larger = b.bin(BinOp::Max, mx, my);
    let nan = b.op(BinOp::Gt, larger, l.infinity());
    let undefined = b.bin(BinOp::Or, undefined, nan);
    let r = b.select_const(undefined, l.nan(), r);
    b.bitcast(r, kind)
}

/// The square root, digit by digit.
pub fn sqrt(b: &mut Builder, x: Value) -> Value {
    let kind = b.ty(x).scalar;
    let l = Layout::of(kind);
    let m = magnitude(b, x);
    let (f, e) = normalised(b, m, l);
    // An even exponent, and a number from 1 up to 4.
    let e = b.plus(e, -l.bias);
    let odd = b.and(e, 1);
    let odd = b.unsigned(odd);
    let f = b.bin(BinOp::Shl, f, odd);
    let e = b.shr(e, 1);
    let e = b.plus(e, l.bias);

    // Two digits of the number give one of the root, which has one more than the mantissa.
    let digits = l.mantissa + 2;
    let zero = b.like(f, 0);
    let start = b.shl(f, l.width - digits);
    let [number, rest, root] = [start, zero, zero].map(|init| b.var(init));
    let (first, one, end) = (b.u32(0), b.u32(1), b.u32(digits));
    b.for_(first, end, one, false, |b, _| {
        let n = b.get(number);
        let next = b.shr(n, l.width - 2);
        let n = b.shl(n, 2);
        b.set(number, n);
        let r = b.get(rest);
        let r = b.shl(r, 2);
        let r = b.bin(BinOp::Or, r, next);
        let q = b.get(root);
        let trial = b.shl(q, 2);
        let trial = b.or(trial, 1);
        let fits = b.bin(BinOp::Ge, r, trial);
        let less = b.sub(r, trial);
        let r = b.select(fits, less, r);
        b.set(rest, r);
        let digit = b.flag(fits, l.bits);
        let q = b.shl(q, 1);
        let q = b.bin(BinOp::Or, q, digit);
        b.set(root, q);
    });
    let (q, r) = (b.get(root), b.get(rest));
    let word = b.shl(q, l.width - 1 - digits);
    let lost = b.is_nonzero(r);
    let lost = b.flag(lost, l.bits);
    let word = b.bin(BinOp::Or, word, lost);
    let r = pack(b, l, word, e);

    // Zeros and +inf are their own roots.
    let u = b.unsigned(x);
    let zero = b.is_zero(m);
    let infinite = b.op(BinOp::Eq, u, l.infinity());
    let itself = b.bin(BinOp::Or, zero, infinite);
    let r = b.select(itself, u, r);
    let negative = b.op(BinOp::Gt, u, l.sign());
    let nan = b.op(BinOp::Gt, m, l.infinity());
    let undefined = b.bin(BinOp::Or, negative, nan);
    let r = b.select_const(undefined, l.nan(), r);
    b.bitcast(r, kind)
}
