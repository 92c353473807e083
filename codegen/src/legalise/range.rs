//! What is known about an integer without running anything: enough to leave out guards.

use super::ops::low_bits;
use crate::builder::Builder;
use crate::ir::*;

/// Operands of operands looked at, since shared ones would be looked at again and again.
const DEPTH: u32 = 6;

/// The smallest and largest bit pattern that any lane of an integer can have, read as unsigned.
pub fn range(b: &Builder, v: Value) -> (u64, u64) {
    at_depth(b, v, DEPTH)
}

fn at_depth(b: &Builder, v: Value, depth: u32) -> (u64, u64) {
    use BinOp::*;
    let kind = b.ty(v).scalar;
    let all = (0, low_bits(kind.bits()));
    if depth == 0 {
        return all;
    }
    let of = |v: Value| at_depth(b, v, depth - 1);
    match b.kernel().expr(v) {
        Expr::Const(c) => (c.bits, c.bits),
        Expr::Splat(a) => of(*a),
        Expr::Compose(parts) => parts
            .iter()
            .map(|p| of(*p))
            .fold((u64::MAX, 0), |r, p| (r.0.min(p.0), r.1.max(p.1))),
        Expr::Select { yes, no, .. } => {
            let (y, n) = (of(*yes), of(*no));
            (y.0.min(n.0), y.1.max(n.1))
        }
        // Zero-extended.
        Expr::Cast(a, _) if b.ty(*a).scalar.is_unsigned() && kind.is_int() => {
            let r = of(*a);
            if r.1 <= all.1 { r } else { all }
        }
        Expr::Binary(op, x, y) => {
            let (x, y) = (of(*x), of(*y));
            let unsigned = kind.is_unsigned();
            match op {
                And => (0, x.1.min(y.1)),
                Or => (x.0.max(y.0), all.1),
                Min if unsigned => (x.0.min(y.0), x.1.min(y.1)),
                Max if unsigned => (x.0.max(y.0), x.1.max(y.1)),
                Sub if x.0 >= y.1 => (x.0 - y.1, x.1 - y.0),
                Shl if y.0 == y.1 && y.1 < u64::from(kind.bits()) && x.1 <= all.1 >> y.1 => {
                    (x.0 << y.1, x.1 << y.1)
                }
                Shr if unsigned && y.1 < u64::from(kind.bits()) => (x.0 >> y.1, x.1 >> y.0),
                _ => all,
            }
        }
        _ => all,
    }
}

/// The largest known `n` such that every lane of an integer is a multiple of `2^n`.
pub fn alignment(b: &Builder, v: Value) -> u32 {
    alignment_at_depth(b, v, DEPTH)
}

fn alignment_at_depth(b: &Builder, v: Value, depth: u32) -> u32 {
    use BinOp::*;
    if depth == 0 {
        return 0;
    }
    let of = |v: Value| alignment_at_depth(b, v, depth - 1);
    let n = match *b.kernel().expr(v) {
        Expr::Const(c) => c.bits.trailing_zeros(),
        Expr::Splat(a) | Expr::Cast(a, CastMode::Wrap) if b.ty(a).scalar.is_int() => of(a),
        Expr::Binary(Mul, x, y) => of(x) + of(y),
        Expr::Binary(Add | Sub | Or | Xor, x, y) => of(x).min(of(y)),
        Expr::Binary(And, x, y) => of(x).max(of(y)),
        Expr::Binary(Shl, x, k) => of(x) + b.const_of(k).map_or(0, |c| c.bits.min(64) as u32),
        _ => 0,
    };
    n.min(b.ty(v).scalar.bits())
}
