//! What a driver that does not keep to IEEE 754 makes of a kernel: products and sums contracted
//! into one rounding, sums reassociated. Elementary functions have to stay within their limits even
//! then; tests run them on such devices (`cpu+sabotage:contract`, `cpu+sabotage:reassociate`).

use suanzi_codegen::Builder;
use suanzi_codegen::ir::{BinOp, Expr, Kernel, UnOp, Value};
use suanzi_codegen::legalise::walk::{self, Map, Pass};

/// A liberty that a driver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liberty {
    /// `a·b + c` and `a·b - c` are rounded once.
    Contract,
    /// `(x + y) - x` is `y`, and what else follows from the laws of real numbers.
    Reassociate,
}

impl Liberty {
    /// The kernel as such a driver compiles it.
    pub fn compile(self, kernel: &Kernel) -> Kernel {
        walk::run(kernel, &mut Compiler(self))
    }
}

struct Compiler(Liberty);

impl Pass for Compiler {
    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value> {
        let (old, ty) = (map.old.expr(v), map.old.ty(v));
        let new = match old {
            Expr::Binary(op @ (BinOp::Add | BinOp::Sub), x, y) if ty.scalar.is_float() => {
                match self.0 {
                    Liberty::Contract => contracted(b, map, *op, *x, *y),
                    Liberty::Reassociate => cancelled(map, *op, *x, *y),
                }
            }
            _ => None,
        };
        let plain = |b: &mut Builder| b.raw(walk::remap(old, |x| map.get(x)), ty);
        vec![new.unwrap_or_else(|| plain(b))]
    }
}

fn contracted(b: &mut Builder, map: &Map, op: BinOp, x: Value, y: Value) -> Option<Value> {
    let minus = op == BinOp::Sub;
    let negated = |b: &mut Builder, v, yes| if yes { b.un(UnOp::Neg, v) } else { v };
    if let Expr::Binary(BinOp::Mul, p, q) = *map.old.expr(x) {
        let c = negated(b, map.get(y), minus);
        return Some(b.fma(map.get(p), map.get(q), c));
    }
    if let Expr::Binary(BinOp::Mul, p, q) = *map.old.expr(y) {
        let p = negated(b, map.get(p), minus);
        return Some(b.fma(p, map.get(q), map.get(x)));
    }
    None
}

fn cancelled(map: &Map, op: BinOp, x: Value, y: Value) -> Option<Value> {
    let (of_x, of_y) = (map.old.expr(x), map.old.expr(y));
    let new = match (op, of_x, of_y) {
        // (p + q) - p, (p + q) - q
        (BinOp::Sub, Expr::Binary(BinOp::Add, p, q), _) if *p == y => *q,
        (BinOp::Sub, Expr::Binary(BinOp::Add, p, q), _) if *q == y => *p,
        // x - (x - q)
        (BinOp::Sub, _, Expr::Binary(BinOp::Sub, p, q)) if *p == x => *q,
        // (p - q) + q, q + (p - q)
        (BinOp::Add, Expr::Binary(BinOp::Sub, p, q), _) if *q == y => *p,
        (BinOp::Add, _, Expr::Binary(BinOp::Sub, p, q)) if *q == x => *p,
        _ => return None,
    };
    Some(map.get(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanzi_codegen::Scalar;
    use suanzi_codegen::ir::{Access, Place};

    fn kernel(f: impl FnOnce(&mut Builder, Value, Value) -> Value) -> Kernel {
        let mut b = Builder::new("k", [1, 1, 1]);
        let out: Place = b.buffer("out", Scalar::F32, Access::ReadWrite);
        let x = b.scalar("x", Scalar::F32);
        let y = b.scalar("y", Scalar::F32);
        let r = f(&mut b, x, y);
        let zero = b.u32(0);
        b.store(out, zero, r, true);
        b.finish().unwrap()
    }

    #[test]
    fn liberties_are_taken() {
        let product = kernel(|b, x, y| {
            let p = b.mul(x, y);
            b.sub(p, x)
        });
        let fused = Liberty::Contract.compile(&product);
        assert!(fused.exprs.iter().any(|e| matches!(e, Expr::Fma(..))));
        let sum = kernel(|b, x, y| {
            let s = b.add(x, y);
            b.sub(s, x)
        });
        let short = Liberty::Reassociate.compile(&sum);
        let subs = |k: &Kernel| {
            let sub = |e: &&Expr| matches!(e, Expr::Binary(BinOp::Sub, ..));
            k.exprs.iter().filter(sub).count()
        };
        assert_eq!((subs(&sum), subs(&short)), (1, 0));
    }
}
