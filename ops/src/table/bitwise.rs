//! Operations on bits.

use super::{BITS, Domain, INTS, Inputs::Same as In, Output::Same, exact, map_rows};
use crate::num::Num;
use suanzi_codegen::ir::{BinOp, UnOp};
use suanzi_codegen::{Builder, Scalar, Value};

map_rows! {
    /// Bitwise and.
    bitwise_and(a, b): In(2), BITS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::And, x[0], x[1]),
        |_, x| Num::Int(x[0].int() & x[1].int());

    /// Bitwise or.
    bitwise_or(a, b): In(2), BITS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Or, x[0], x[1]),
        |_, x| Num::Int(x[0].int() | x[1].int());

    /// Bitwise exclusive or.
    bitwise_xor(a, b): In(2), BITS => Same, exact, Domain::Any,
        |b, x| b.bin(BinOp::Xor, x[0], x[1]),
        |_, x| Num::Int(x[0].int() ^ x[1].int());

    /// Bitwise complement; of a bool, its negation.
    bitwise_not(a): In(1), BITS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Not, x[0]),
        |t, x| match t {
            Scalar::Bool => Num::Bool(!x[0].bool()),
            _ => Num::Int(!x[0].int()),
        };

    /// `a · 2^n`, low bits kept; 0 where n is negative or not below the width.
    shift_left(a, n): In(2), INTS => Same, exact, Domain::Shift,
        |b, x| shift(b, BinOp::Shl, x[0], x[1]),
        |t, x| match amount(t, x[1]) {
            Some(n) => Num::Int(x[0].int() << n),
            None => Num::Int(0),
        };

    /// Shifted right, zeros moving in, whatever the dtype's sign; 0 where n is negative or not
    /// below the width.
    shift_right_logical(a, n): In(2), INTS => Same, exact, Domain::Shift,
        |b, x| as_kind(b, Scalar::to_unsigned, x),
        |t, x| match amount(t, x[1]) {
            Some(n) => Num::Int((x[0].int() & mask(t)) >> n),
            None => Num::Int(0),
        };

    /// Shifted right, copies of the top bit moving in, whatever the dtype's sign; all top bits
    /// where n is negative or not below the width.
    shift_right_arithmetic(a, n): In(2), INTS => Same, exact, Domain::Shift,
        |b, x| as_kind(b, Scalar::to_signed, x),
        |t, x| {
            let unused = 128 - t.bits();
            let signed = x[0].int() << unused >> unused;
            Num::Int(signed >> amount(t, x[1]).unwrap_or(127))
        };

    /// Number of set bits.
    popcount(a): In(1), INTS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Popcount, x[0]),
        |t, x| Num::Int((x[0].int() & mask(t)).count_ones().into());

    /// Number of leading zero bits; the width for 0.
    clz(a): In(1), INTS => Same, exact, Domain::Any,
        |b, x| b.un(UnOp::Clz, x[0]),
        |t, x| Num::Int(((x[0].int() & mask(t)).leading_zeros() - (128 - t.bits())).into());
}

fn mask(dtype: Scalar) -> i128 {
    (1 << dtype.bits()) - 1
}

/// A shift amount that is below the width.
fn amount(dtype: Scalar, n: Num) -> Option<u32> {
    u32::try_from(n.int()).ok().filter(|&n| n < dtype.bits())
}

/// A shift of any amount: the IR's own takes it modulo the width.
fn shift(b: &mut Builder, op: BinOp, x: Value, n: Value) -> Value {
    let ty = b.ty(x);
    // As unsigned, a negative amount is large.
    let unsigned = ty.scalar.to_unsigned();
    let wide = b.bitcast(n, unsigned);
    let width = b.int(ty.with(unsigned), ty.scalar.bits().into());
    let inside = b.bin(BinOp::Lt, wide, width);
    let shifted = b.bin(op, x, n);
    let outside = match op {
        BinOp::Shr if ty.scalar.is_signed_int() => {
            let all = b.int(ty, i64::from(ty.scalar.bits()) - 1);
            b.bin(BinOp::Shr, x, all)
        }
        _ => b.int(ty, 0),
    };
    b.select(inside, shifted, outside)
}

/// A right shift in another kind of the same size.
fn as_kind(b: &mut Builder, kind: fn(Scalar) -> Scalar, x: &[Value]) -> Value {
    let own = b.ty(x[0]).scalar;
    let (a, n) = (b.bitcast(x[0], kind(own)), b.bitcast(x[1], kind(own)));
    let shifted = shift(b, BinOp::Shr, a, n);
    b.bitcast(shifted, own)
}
