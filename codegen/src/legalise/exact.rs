//! The second pass: operations whose own version on some target is weaker than the language says,
//! or absent, become exact sequences of those that every target does right. The table of what is
//! rewritten is [`Exact::expr`]; the sequences are in `ints`, `float` and `fma`.
//!
//! 16-bit floats that the target calculates with take the detour over f32 here, since their bits
//! need 16-bit integers, which the target may lack.

use super::casts::widen;
use super::walk::{Map, Pass, remap};
use super::{bits, float, fma, ints, soft};
use crate::builder::Builder;
use crate::ir::*;
use crate::target::{Soft, Target};
use crate::types::Scalar::*;

/// The pass.
pub struct Exact<'a> {
    pub target: &'a Target,
}

impl Pass for Exact<'_> {
    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value> {
        use BinOp::*;
        use UnOp::*;
        let (t, old) = (self.target, map.old);
        let (expr, ty) = (old.expr(v), old.ty(v));
        // The kind of the operation: that of its first operand.
        let kind = match expr {
            Expr::Unary(_, a) | Expr::Binary(_, a, _) | Expr::Fma(a, ..) => old.ty(*a).scalar,
            _ => ty.scalar,
        };
        let in_f32 = |b: &mut Builder, f: &dyn Fn(&mut Builder, &[Value]) -> Value| {
            let mut args = vec![];
            expr.for_each_operand(|o| args.push(map.get(o)));
            let args: Vec<Value> = args.into_iter().map(|x| widen(b, x)).collect();
            let r = f(b, &args);
            b.convert(r, ty.scalar)
        };
        let soft = |what| t.soft.contains(&what);
        let new = match *expr {
            Expr::Unary(op, a) => {
                let a = map.get(a);
                match op {
                    Neg if kind.is_float() => in_f32(b, &|b, x| float::neg(b, x[0])),
                    Abs if kind.is_float() => in_f32(b, &|b, x| float::abs(b, x[0])),
                    Floor | Ceil | Trunc | Rint if kind == F64 && soft(Soft::WholeF64) => {
                        float::whole(b, op, a)
                    }
                    Sqrt if soft(Soft::Sqrt) => in_f32(b, &|b, x| soft::sqrt(b, x[0])),
                    IsNan => in_f32(b, &|b, x| bits::is_nan(b, x[0])),
                    IsInf => in_f32(b, &|b, x| bits::is_inf(b, x[0])),
                    Abs => ints::abs(b, a),
                    Popcount => ints::popcount(b, a),
                    Clz => ints::clz(b, a),
                    _ => b.un(op, a),
                }
            }
            Expr::Binary(op, x, y) => {
                let (x, y) = (map.get(x), map.get(y));
                match op {
                    Min | Max if kind.is_float() => {
                        in_f32(b, &|b, x| float::extremum(b, op, x[0], x[1]))
                    }
                    Div if kind.is_float() && soft(Soft::Div) => {
                        in_f32(b, &|b, x| soft::div(b, x[0], x[1]))
                    }
                    Rem if kind.is_float() => in_f32(b, &|b, x| float::rem(b, x[0], x[1])),
                    Div | Rem if kind.is_int() => ints::divide(b, op, x, y),
                    MulHi => ints::mul_hi(b, t, x, y),
                    Shl | Shr => ints::shift(b, op, x, y),
                    Ne if kind == Bool => b.bin(Xor, x, y),
                    Eq if kind == Bool => {
                        let differ = b.bin(Xor, x, y);
                        b.un(Not, differ)
                    }
                    _ => b.bin(op, x, y),
                }
            }
            Expr::Cast(a, _) if ty.scalar == I64 && old.ty(a).scalar.is_signed_int() => {
                ints::sign_extend(b, t, map.get(a))
            }
            Expr::Fma(..) if kind == F16 => in_f32(b, &|b, x| {
                let product = b.mul(x[0], x[1]);
                b.add(product, x[2])
            }),
            Expr::Fma(..) => in_f32(b, &|b, x| fma::fma(b, t, [x[0], x[1], x[2]])),
            _ => b.raw(remap(expr, |o| map.get(o)), ty),
        };
        vec![new]
    }
}
