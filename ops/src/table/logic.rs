//! Logic, comparison and selection.

use super::{
    ALL, Domain, FLOATS, Inputs, Inputs::Same as In, NUMBERS, Output, Output::Same, exact, map_rows,
};
use crate::num::Num;
use std::cmp::Ordering;
use suanzi_codegen::ir::{BinOp, UnOp};
use suanzi_codegen::{Builder, Scalar, Value};

const TRUTH: Output = Output::Always(Scalar::Bool);

map_rows! {
    /// True if both are not zero (NaN is not zero).
    logical_and(a, b): In(2), ALL => TRUTH, exact, Domain::Any,
        both,
        |_, x| Num::Bool(x[0].bool() && x[1].bool());

    /// True if any is not zero.
    logical_or(a, b): In(2), ALL => TRUTH, exact, Domain::Any,
        |b, x| truths(b, BinOp::Or, x),
        |_, x| Num::Bool(x[0].bool() || x[1].bool());

    /// True if exactly one is not zero.
    logical_xor(a, b): In(2), ALL => TRUTH, exact, Domain::Any,
        |b, x| truths(b, BinOp::Xor, x),
        |_, x| Num::Bool(x[0].bool() != x[1].bool());

    /// True if zero.
    logical_not(a): In(1), ALL => TRUTH, exact, Domain::Any,
        |b, x| {
            let t = truth(b, x[0]);
            b.un(UnOp::Not, t)
        },
        |_, x| Num::Bool(!x[0].bool());

    /// `a = b`; false where either is NaN.
    eq(a, b): In(2), ALL => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Eq, x[0], x[1]),
        |_, x| Num::Bool(compare(x) == Some(Ordering::Equal));

    /// `a ≠ b`; true where either is NaN.
    ne(a, b): In(2), ALL => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Ne, x[0], x[1]),
        |_, x| Num::Bool(compare(x) != Some(Ordering::Equal));

    /// `a < b`; false where either is NaN.
    lt(a, b): In(2), NUMBERS => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Lt, x[0], x[1]),
        |_, x| Num::Bool(compare(x) == Some(Ordering::Less));

    /// `a ≤ b`; false where either is NaN.
    le(a, b): In(2), NUMBERS => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Le, x[0], x[1]),
        |_, x| Num::Bool(matches!(compare(x), Some(Ordering::Less | Ordering::Equal)));

    /// `a > b`; false where either is NaN.
    gt(a, b): In(2), NUMBERS => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Gt, x[0], x[1]),
        |_, x| Num::Bool(compare(x) == Some(Ordering::Greater));

    /// `a ≥ b`; false where either is NaN.
    ge(a, b): In(2), NUMBERS => TRUTH, exact, Domain::Any,
        |b, x| b.bin(BinOp::Ge, x[0], x[1]),
        |_, x| Num::Bool(matches!(compare(x), Some(Ordering::Greater | Ordering::Equal)));

    /// True if NaN.
    is_nan(a): In(1), FLOATS => TRUTH, exact, Domain::Any,
        |b, x| b.un(UnOp::IsNan, x[0]),
        |_, x| Num::Bool(x[0].float().is_nan());

    /// True if infinite.
    is_inf(a): In(1), FLOATS => TRUTH, exact, Domain::Any,
        |b, x| b.un(UnOp::IsInf, x[0]),
        |_, x| Num::Bool(x[0].float().is_infinite());

    /// True if neither NaN nor infinite.
    is_finite(a): In(1), FLOATS => TRUTH, exact, Domain::Any,
        |b, x| {
            let nan = b.un(UnOp::IsNan, x[0]);
            let inf = b.un(UnOp::IsInf, x[0]);
            let either = b.bin(BinOp::Or, nan, inf);
            b.un(UnOp::Not, either)
        },
        |_, x| Num::Bool(x[0].float().is_finite());

    /// `yes` where the condition (bool) holds, else `no`.
    where_(condition, yes, no): Inputs::Condition, ALL => Same, exact, Domain::Any,
        |b, x| b.select(x[0], x[1], x[2]),
        |_, x| if x[0].bool() { x[1] } else { x[2] };
}

/// `x ≠ 0` in the kernel.
pub(super) fn truth(b: &mut Builder, x: Value) -> Value {
    let ty = b.ty(x);
    if ty.scalar == Scalar::Bool {
        return x;
    }
    let zero = b.int(ty, 0);
    b.bin(BinOp::Ne, x, zero)
}

fn truths(b: &mut Builder, op: BinOp, x: &[Value]) -> Value {
    let (p, q) = (truth(b, x[0]), truth(b, x[1]));
    b.bin(op, p, q)
}

/// Of floats by the lesser magnitude's bits: of two comparisons LLVM masks the second one's load with
/// the first, at half the speed (0.7 of a copy).
fn both(b: &mut Builder, x: &[Value]) -> Value {
    let ty = b.ty(x[0]);
    if !ty.scalar.is_float() {
        return truths(b, BinOp::And, x);
    }
    let unsigned = ty.scalar.to_unsigned();
    let one = b.int(ty.with(unsigned), 1);
    let [p, q] = [x[0], x[1]].map(|v| {
        let bits = b.bitcast(v, unsigned);
        b.bin(BinOp::Shl, bits, one)
    });
    let least = b.bin(BinOp::Min, p, q);
    truth(b, least)
}

fn compare(x: &[Num]) -> Option<Ordering> {
    match (x[0], x[1]) {
        (Num::Float(a), Num::Float(b)) => a.partial_cmp(&b),
        (a, b) => Some(a.int().cmp(&b.int())),
    }
}
