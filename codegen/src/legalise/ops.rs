//! Short names for what the rewritings say all the time: an operation with a constant, bits of a
//! float, selects. All work on any number of lanes.

use crate::builder::Builder;
use crate::ir::*;
use crate::types::{Scalar, Type};

impl Builder {
    /// A binary operation with an integer constant, given by its bits.
    pub(super) fn op(&mut self, op: BinOp, a: Value, k: u64) -> Value {
        let c = self.like(a, k);
        self.bin(op, a, c)
    }

    /// A constant of the type of a value, given by its low bits.
    pub(super) fn like(&mut self, a: Value, bits: u64) -> Value {
        let ty = self.ty(a);
        self.bits(ty, bits & low_bits(ty.scalar.bits()))
    }

    pub(super) fn and(&mut self, a: Value, k: u64) -> Value {
        self.op(BinOp::And, a, k)
    }

    pub(super) fn or(&mut self, a: Value, k: u64) -> Value {
        self.op(BinOp::Or, a, k)
    }

    pub(super) fn shl(&mut self, a: Value, k: u32) -> Value {
        self.op(BinOp::Shl, a, k.into())
    }

    pub(super) fn shr(&mut self, a: Value, k: u32) -> Value {
        self.op(BinOp::Shr, a, k.into())
    }

    pub(super) fn plus(&mut self, a: Value, k: i64) -> Value {
        self.op(BinOp::Add, a, k as u64)
    }

    /// `k - a`.
    pub(super) fn k_minus(&mut self, k: i64, a: Value) -> Value {
        let c = self.like(a, k as u64);
        self.sub(c, a)
    }

    pub(super) fn is_zero(&mut self, a: Value) -> Value {
        self.op(BinOp::Eq, a, 0)
    }

    pub(super) fn is_nonzero(&mut self, a: Value) -> Value {
        self.op(BinOp::Ne, a, 0)
    }

    /// 1 or 0 of a kind, for a condition.
    pub(super) fn flag(&mut self, cond: Value, kind: Scalar) -> Value {
        let ty = self.ty(cond).with(kind);
        let (one, zero) = (self.int(ty, 1), self.int(ty, 0));
        self.select(cond, one, zero)
    }

    /// `cond ? k : a`.
    pub(super) fn select_const(&mut self, cond: Value, k: u64, a: Value) -> Value {
        let c = self.like(a, k);
        self.select(cond, c, a)
    }

    /// A plain conversion: what every target does by itself. An integer that gets wider is
    /// extended by its own sign first, and only then takes that of the other kind.
    pub(super) fn convert(&mut self, a: Value, to: Scalar) -> Value {
        let from = self.ty(a).scalar;
        let extends = from.is_int() && to.is_int() && from.bytes() < to.bytes();
        let kept = match (extends, from.is_signed_int()) {
            (true, true) => to.to_signed(),
            (true, false) => to.to_unsigned(),
            (false, _) => to,
        };
        let wide = self.cast(a, kept, CastMode::Wrap);
        self.bitcast(wide, to)
    }

    /// An integer as its unsigned kind of the same size, or a float as its bits.
    pub(super) fn unsigned(&mut self, a: Value) -> Value {
        let to = self.ty(a).scalar.to_unsigned();
        self.bitcast(a, to)
    }

    pub(super) fn signed(&mut self, a: Value) -> Value {
        let to = self.ty(a).scalar.to_signed();
        self.bitcast(a, to)
    }

    /// A shift to the right by a variable amount below the width; what is shifted out is kept in
    /// the lowest bit, so that a later rounding is that of the exact value.
    pub(super) fn shr_sticky(&mut self, a: Value, by: Value) -> Value {
        let kept = self.bin(BinOp::Shr, a, by);
        let back = self.bin(BinOp::Shl, kept, by);
        let lost = self.bin(BinOp::Ne, back, a);
        let kind = self.ty(a).scalar;
        let sticky = self.flag(lost, kind);
        self.bin(BinOp::Or, kept, sticky)
    }

    /// A shift to the right by a constant, rounded to nearest even.
    pub(super) fn shr_rne(&mut self, a: Value, by: u32) -> Value {
        let kept = self.shr(a, by);
        let odd = self.and(kept, 1);
        let up = self.plus(odd, (1i64 << (by - 1)) - 1);
        let sum = self.add(a, up);
        self.shr(sum, by)
    }

    /// The constant behind a value, if every lane has the same one.
    pub(super) fn const_of(&self, v: Value) -> Option<Const> {
        match *self.kernel().expr(v) {
            Expr::Const(c) => Some(c),
            Expr::Splat(a) => self.const_of(a),
            _ => None,
        }
    }

    /// A vector whose lanes are constants: `f(lane)`.
    pub(super) fn pattern(&mut self, ty: Type, f: impl Fn(u32) -> u64) -> Value {
        let parts: Vec<Value> = (0..ty.lanes)
            .map(|i| self.bits(ty.scalar, f(i.into())))
            .collect();
        self.compose(&parts)
    }
}

/// A mask of the low `n` bits, for `n` up to 64.
pub fn low_bits(n: u32) -> u64 {
    u64::MAX >> (64 - n)
}

/// The smallest and the largest value of an integer kind.
pub fn int_range(s: Scalar) -> (i128, i128) {
    let bits = s.bits();
    if s.is_signed_int() {
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    } else {
        (0, (1 << bits) - 1)
    }
}
