//! Kernels of random numbers: Philox as a map from position to bits, and what is made of them.

use super::super::{Domain, Inputs, Kind, Map, Output, Row, exact};
use super::Stream;
use crate::error::{Error, Result};
use crate::num::Num;
use crate::{Expr, shape};
use suanzi_backends::Context;
use suanzi_codegen::ir::{BinOp, CastMode};
use suanzi_codegen::math::{cospi, formula, log};
use suanzi_codegen::{Builder, Scalar, Value};

/// Ten rounds of Philox 4x32.
fn philox(b: &mut Builder, mut counter: [Value; 4], mut key: [Value; 2]) -> [Value; 4] {
    let ty = b.ty(counter[0]);
    let constant = |b: &mut Builder, v: u32| b.bits(ty, v.into());
    for round in 0..10 {
        if round > 0 {
            let weyl = [0x9e37_79b9, 0xbb67_ae85].map(|v| constant(b, v));
            key = [b.add(key[0], weyl[0]), b.add(key[1], weyl[1])];
        }
        let [c0, c1, c2, c3] = counter;
        let (m0, m1) = (constant(b, 0xd251_1f53), constant(b, 0xcd9e_8d57));
        let (hi0, lo0) = (b.bin(BinOp::MulHi, m0, c0), b.mul(m0, c0));
        let (hi1, lo1) = (b.bin(BinOp::MulHi, m1, c2), b.mul(m1, c2));
        let mixed = |b: &mut Builder, hi, c, k| {
            let v = b.bin(BinOp::Xor, hi, c);
            b.bin(BinOp::Xor, v, k)
        };
        counter = [
            mixed(b, hi1, c1, key[0]),
            lo1,
            mixed(b, hi0, c3, key[1]),
            lo0,
        ];
    }
    counter
}

/// The block of an index into groups of `1 << shift` per block, and the index inside it. Inputs:
/// index, offset, stream, seed, each as low and high word.
fn block(b: &mut Builder, x: &[Value], shift: i64) -> ([Value; 4], Value) {
    let ty = b.ty(x[0]);
    let (down, up) = (b.int(ty, shift), b.int(ty, 32 - shift));
    let low = b.bin(BinOp::Shr, x[0], down);
    let carried = b.bin(BinOp::Shl, x[1], up);
    let low = b.bin(BinOp::Or, low, carried);
    let high = b.bin(BinOp::Shr, x[1], down);
    let c0 = b.add(x[2], low);
    let carry = b.bin(BinOp::Lt, c0, low);
    let carry = b.cast(carry, Scalar::U32, CastMode::Wrap);
    let c1 = b.add(x[3], high);
    let c1 = b.add(c1, carry);
    let mask = b.int(ty, (1 << shift) - 1);
    let within = b.bin(BinOp::And, x[0], mask);
    (philox(b, [c0, c1, x[4], x[5]], [x[6], x[7]]), within)
}

fn pick_odd(b: &mut Builder, within: Value, even: Value, odd: Value) -> Value {
    let ty = b.ty(within);
    let (one, zero) = (b.int(ty, 1), b.int(ty, 0));
    let bit = b.bin(BinOp::And, within, one);
    let is_odd = b.bin(BinOp::Ne, bit, zero);
    b.select(is_odd, odd, even)
}

/// Word i of a stream.
pub static WORD: Row = part("philox_word", Scalar::U32, 8, Scalar::U32, |b, x| {
    let ([w0, w1, w2, w3], within) = block(b, x, 2);
    let (first, second) = (pick_odd(b, within, w0, w1), pick_odd(b, within, w2, w3));
    let ty = b.ty(within);
    let two = b.int(ty, 2);
    let late = b.bin(BinOp::Ge, within, two);
    b.select(late, second, first)
});

/// Words 2i and 2i + 1 of a stream, the first as the lower half.
pub static PAIR: Row = part("philox_pair", Scalar::U32, 8, Scalar::U64, |b, x| {
    let ([w0, w1, w2, w3], within) = block(b, x, 1);
    let (low, high) = (pick_odd(b, within, w0, w2), pick_odd(b, within, w1, w3));
    let (low, high) = (
        b.cast(low, Scalar::U64, CastMode::Wrap),
        b.cast(high, Scalar::U64, CastMode::Wrap),
    );
    let ty = b.ty(high);
    let up = b.int(ty, 32);
    let high = b.bin(BinOp::Shl, high, up);
    b.bin(BinOp::Or, low, high)
});

/// The upper half of a product.
pub static MUL_HIGH: Row = part("mul_high", Scalar::U64, 2, Scalar::U64, |b, x| {
    b.bin(BinOp::MulHi, x[0], x[1])
});

/// `√(-2·log u) · cos(π·t)`.
pub static BOX_MULLER_F32: Row = part("box_muller", Scalar::F32, 2, Scalar::F32, box_muller);
pub static BOX_MULLER_F64: Row = part("box_muller", Scalar::F64, 2, Scalar::F64, box_muller);

fn box_muller(b: &mut Builder, x: &[Value]) -> Value {
    formula(b, [x[0], x[1]], |[u, t]| {
        (u.apply(log) * -2.0).sqrt() * t.apply(cospi)
    })
}

/// A map that is part of the operators here and none by itself.
const fn part(
    name: &'static str,
    takes: Scalar,
    inputs: usize,
    gives: Scalar,
    build: fn(&mut Builder, &[Value]) -> Value,
) -> Row {
    Row {
        name,
        doc: "",
        dtypes: match takes {
            Scalar::U32 => &[Scalar::U32],
            Scalar::U64 => &[Scalar::U64],
            Scalar::F32 => &[Scalar::F32],
            _ => &[Scalar::F64],
        },
        kind: Kind::Map(Map {
            inputs: Inputs::Same(inputs),
            output: Output::Always(gives),
            build,
            reference: |_, x| x[0],
            domain: Domain::Any,
        }),
        limit: exact,
    }
}

/// The positions of a shape: u32 where that counts them.
pub fn positions(ctx: &Context, of: &[usize]) -> Result<Expr> {
    let count = shape::checked_numel(of)
        .ok_or_else(|| Error::shape("random", [of], "too many elements"))?;
    let kind = match count as u64 > 1 << 32 {
        true => Scalar::U64,
        false => Scalar::U32,
    };
    Expr::iota(ctx, kind, of, Num::Int(0), Num::Int(1))
}

/// A part of the stream for each index.
pub fn draw(row: &'static Row, index: &Expr, from: Stream) -> Result<Expr> {
    let word = |v: u64| Expr::scalar(Scalar::U32, Num::Int((v & 0xffff_ffff).into()));
    let high = match index.dtype() {
        Scalar::U64 => {
            let high = crate::ops::shift_right_logical(index, 32)?;
            high.cast(Scalar::U32, CastMode::Wrap)
        }
        _ => word(0),
    };
    let mut inputs = vec![index.cast(Scalar::U32, CastMode::Wrap), high];
    for v in [from.offset, from.stream, from.seed] {
        inputs.extend([word(v), word(v >> 32)]);
    }
    Expr::apply(row, &inputs)
}

/// Numbers in [0, 1) of all the bits that f32 or f64 holds there.
pub fn unit(ctx: &Context, kind: Scalar, of: &[usize], from: Stream) -> Result<Expr> {
    let at = positions(ctx, of)?;
    let (row, unused, scale) = match kind {
        Scalar::F64 => (&PAIR, 11, 2f64.powi(-53)),
        _ => (&WORD, 8, 2f64.powi(-24)),
    };
    let bits = crate::ops::shift_right_logical(draw(row, &at, from)?, unused)?;
    crate::ops::mul(bits.cast(kind, CastMode::Saturate), scale)
}
