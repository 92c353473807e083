//! The first pass: no arithmetic in kinds that the target only stores, no bools in memory, and
//! every conversion spelt out. After it, narrow kinds occur only in loads, in stores, and in the
//! conversions next to them.

use super::casts::{self, held, settle};
use super::memory;
use super::ops::low_bits;
use super::walk::{Map, Pass, StoreTo, remap};
use crate::builder::Builder;
use crate::ir::*;
use crate::target::Target;
use crate::types::Scalar::{self, *};

/// The pass.
pub struct Promote<'a> {
    pub target: &'a Target,
}

impl Pass for Promote<'_> {
    fn declare(&mut self, k: &mut Kernel) {
        memory::declare(self.target, k);
        for ty in &mut k.vars {
            *ty = ty.with(held(self.target, ty.scalar));
        }
    }

    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value> {
        let (t, old) = (self.target, map.old);
        let (expr, ty) = (old.expr(v), old.ty(v));
        let s = ty.scalar;
        let kind = |v: Value| old.ty(v).scalar;
        let new = match *expr {
            Expr::Const(c) => b.bits(ty.with(held(t, s)), constant(t, c)),
            Expr::Load {
                place,
                index,
                aligned,
            } => memory::load(b, t, (place, map.get(index), aligned), s, ty.lanes),
            Expr::Cast(a, mode) => casts::cast(b, t, map.get(a), (kind(a), s), mode),
            Expr::Bitcast(a) => casts::bitcast(b, t, map.get(a), kind(a), s),
            Expr::Unary(op, a) => self.unary(b, op, map.get(a), kind(a)),
            Expr::Binary(op, x, y) => self.binary(b, op, map.get(x), map.get(y), kind(x)),
            // A product of f16 is exact in f32; one of bf16 can leave the range of f32.
            Expr::Fma(x, y, z) if s == F16 && held(t, s) != s => {
                let product = b.mul(map.get(x), map.get(y));
                let r = b.add(product, map.get(z));
                settle(b, t, r, s)
            }
            Expr::Intrinsic(..) | Expr::Fma(..) => {
                let r = b.raw(remap(expr, |o| map.get(o)), ty.with(held(t, s)));
                settle(b, t, r, s)
            }
            _ => b.raw(remap(expr, |o| map.get(o)), ty.with(held(t, s))),
        };
        vec![new]
    }

    fn store(&mut self, b: &mut Builder, map: &Map, to: StoreTo) {
        let elem = map.old.ty(to.value).scalar;
        let to = StoreTo {
            index: map.get(to.index),
            value: map.get(to.value),
            ..to
        };
        memory::store(b, self.target, to, elem);
    }

    fn fill(&mut self, b: &mut Builder, map: &Map, frag: Id, value: Value) {
        let elem = map.old.ty(value).scalar;
        let value = b.convert(map.get(value), elem);
        b.frag(FragOp::Fill(frag, value));
    }
}

impl Promote<'_> {
    fn unary(&self, b: &mut Builder, op: UnOp, x: Value, s: Scalar) -> Value {
        let t = self.target;
        if held(t, s) == s {
            return b.un(op, x);
        }
        match op {
            UnOp::Popcount => {
                let x = b.and(x, low_bits(s.bits()));
                b.un(op, x)
            }
            UnOp::Clz => {
                let x = b.and(x, low_bits(s.bits()));
                let zeros = b.un(op, x);
                b.plus(zeros, i64::from(s.bits()) - 32)
            }
            UnOp::Neg | UnOp::Not | UnOp::Abs if s.is_int() => {
                let r = b.un(op, x);
                settle(b, t, r, s)
            }
            UnOp::Sqrt => {
                let r = b.un(op, x);
                settle(b, t, r, s)
            }
            // Exact in every float kind.
            _ => b.un(op, x),
        }
    }

    fn binary(&self, b: &mut Builder, op: BinOp, x: Value, y: Value, s: Scalar) -> Value {
        use BinOp::*;
        let t = self.target;
        if held(t, s) == s {
            return b.bin(op, x, y);
        }
        let y = match op {
            Shl | Shr => b.and(y, u64::from(s.bits() - 1)),
            _ => y,
        };
        let r = b.bin(op, x, y);
        match op {
            Add | Sub | Mul | Div | Shl => settle(b, t, r, s),
            _ => r,
        }
    }
}

/// The bits of a constant in the kind that holds it.
fn constant(t: &Target, c: Const) -> u64 {
    let short = c.bits as u16;
    match c.scalar {
        s if held(t, s) == s => c.bits,
        I8 => u64::from(c.bits as u8 as i8 as u32),
        I16 => u64::from(short as i16 as u32),
        F16 => u64::from(half::f16::from_bits(short).to_f32().to_bits()),
        Bf16 => u64::from(short) << 16,
        _ => c.bits,
    }
}
