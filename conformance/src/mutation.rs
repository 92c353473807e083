//! Mutants of kernels: each has one mistake of a kind that kernel writers make. A suite that does
//! not notice them proves nothing by passing.

use suanzi_codegen::ir::{
    Access, BinOp, CastMode, Expr, Id, Kernel, ParamKind, Place, Stmt, UnOp, Value,
};
use suanzi_codegen::legalise::walk::{self, Map, Pass, StoreTo};
use suanzi_codegen::{Builder, Scalar, verify};

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A load or store of a buffer goes to the next element.
    Index,
    /// A barrier is dropped.
    Barrier,
    /// The operands of a subtraction, quotient, shift or comparison are swapped.
    Swap,
    /// The body of a loop or a conditional is dropped: the tail is lost, or more.
    Tail,
    /// A variable begins with another value: a reduction's wrong identity.
    Identity,
    /// A conversion truncates instead of rounding, or wraps instead of saturating; rounding to
    /// nearest is truncation.
    Round,
    /// An arithmetic shift is logical, others go the other way.
    Shift,
    /// A test for NaN or infinity always says no; a minimum or maximum forgets NaN; a NaN or
    /// infinity that is written as a constant is 0.
    Special,
    /// A load reads another operand of the same kind: a buffer, or what is staged in shared memory.
    Operand,
    /// A sum is made before the product with a parameter that belongs into it: an epilogue in the wrong order.
    Order,
}

/// Every kind, with its name.
pub const KINDS: [(&str, Kind); 10] = [
    ("index", Kind::Index),
    ("barrier", Kind::Barrier),
    ("swap", Kind::Swap),
    ("tail", Kind::Tail),
    ("identity", Kind::Identity),
    ("round", Kind::Round),
    ("shift", Kind::Shift),
    ("special", Kind::Special),
    ("operand", Kind::Operand),
    ("order", Kind::Order),
];

/// One mistake: its kind, and the place in the kernel, counted over the places where the kind can
/// be made, modulo their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// What is wrong.
    pub kind: Kind,
    /// Where.
    pub site: usize,
}

impl Mutation {
    /// The name of its kind.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|k| k.1 == self.kind).map_or("", |k| k.0)
    }

    /// The kernel with the mistake; `None` where it cannot be made.
    pub fn apply(self, kernel: &Kernel) -> Option<Kernel> {
        let sites = self.mutate(kernel, usize::MAX).1;
        if sites == 0 {
            return None;
        }
        let mutant = self.mutate(kernel, self.site % sites).0;
        (mutant != *kernel && verify::verify(&mutant).is_ok()).then_some(mutant)
    }

    /// The kernel with the mistake at one site, and the number of sites.
    fn mutate(self, kernel: &Kernel, chosen: usize) -> (Kernel, usize) {
        let mut at = Chosen { chosen, seen: 0 };
        if let Kind::Barrier | Kind::Tail | Kind::Identity = self.kind {
            let mut mutant = kernel.clone();
            let mut body = std::mem::take(&mut mutant.body);
            statements(self.kind, &mut mutant, &mut body, &mut at);
            mutant.body = body;
            return (mutant, at.seen);
        }
        let mut pass = Expressions {
            kind: self.kind,
            at,
        };
        (walk::run(kernel, &mut pass), pass.at.seen)
    }
}

/// Counts sites, and finds the one.
struct Chosen {
    chosen: usize,
    seen: usize,
}

impl Chosen {
    /// Whether the next site is the one.
    fn is_next(&mut self) -> bool {
        self.seen += 1;
        self.seen - 1 == self.chosen
    }
}

/// Mistakes in statements.
fn statements(kind: Kind, kernel: &mut Kernel, block: &mut Vec<Stmt>, at: &mut Chosen) {
    let mut i = 0;
    while i < block.len() {
        let mut dropped = false;
        match (&mut block[i], kind) {
            (Stmt::Barrier(_), Kind::Barrier) => dropped = at.is_next(),
            (Stmt::StoreVar(_, value), Kind::Identity) => {
                if let Expr::Const(c) = kernel.exprs[value.0 as usize]
                    && at.is_next()
                {
                    let ty = kernel.ty(*value);
                    let bits = other(c.scalar, c.bits);
                    kernel.exprs.push(Expr::Const(suanzi_codegen::ir::Const {
                        scalar: c.scalar,
                        bits,
                    }));
                    kernel.types.push(ty);
                    *value = Value(kernel.exprs.len() as u32 - 1);
                }
            }
            (
                Stmt::If {
                    then, otherwise, ..
                },
                _,
            ) => {
                if kind == Kind::Tail && !then.is_empty() && at.is_next() {
                    then.clear();
                } else {
                    statements(kind, kernel, then, at);
                    statements(kind, kernel, otherwise, at);
                }
            }
            (Stmt::For { body, .. }, _) => {
                if kind == Kind::Tail && at.is_next() {
                    body.clear();
                } else {
                    statements(kind, kernel, body, at);
                }
            }
            _ => {}
        }
        if dropped {
            block.remove(i);
        } else {
            i += 1;
        }
    }
}

/// Another constant: 1 for 0, 0 for extremes, the next number for the rest.
fn other(scalar: Scalar, bits: u64) -> u64 {
    use suanzi_ops::Num;
    match Num::from_bits(scalar, bits) {
        Num::Bool(b) => u64::from(!b),
        Num::Float(v) if v.is_finite() => Num::Float(v + 1.0).to_bits(scalar),
        Num::Int(v) if v.abs() < 100 => Num::Int(v + 1).to_bits(scalar),
        _ => 0,
    }
}

/// Mistakes in expressions.
struct Expressions {
    kind: Kind,
    at: Chosen,
}

impl Expressions {
    fn next_element(&self, b: &mut Builder, index: Value) -> Value {
        let kind = b.ty(index).scalar;
        let one = b.int(kind, 1);
        b.add(index, one)
    }
}

impl Pass for Expressions {
    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value> {
        let (old, ty) = (map.old.expr(v), map.old.ty(v));
        let plain = |b: &mut Builder| b.raw(walk::remap(old, |x| map.get(x)), ty);
        let new = match (self.kind, old) {
            (
                Kind::Index,
                Expr::Load {
                    place: place @ Place::Buffer(_),
                    index,
                    ..
                },
            ) if self.at.is_next() => {
                let index = self.next_element(b, map.get(*index));
                let load = Expr::Load {
                    place: *place,
                    index,
                    aligned: ty.lanes == 1,
                };
                b.raw(load, ty)
            }
            (
                Kind::Operand,
                Expr::Load {
                    place,
                    index,
                    aligned,
                },
            ) => match twin(map.old, *place) {
                Some(place) if self.at.is_next() => {
                    let (index, aligned) = (map.get(*index), *aligned);
                    let load = Expr::Load {
                        place,
                        index,
                        aligned,
                    };
                    b.raw(load, ty)
                }
                _ => plain(b),
            },
            (Kind::Order, Expr::Binary(BinOp::Add, x, y)) if ty.scalar.is_float() => {
                match scaled(map.old, *x) {
                    Some((x, by)) if self.at.is_next() => {
                        let sum = b.add(map.get(x), map.get(*y));
                        b.mul(sum, map.get(by))
                    }
                    _ => plain(b),
                }
            }
            (Kind::Swap, Expr::Binary(op, x, y)) if ordered(*op) && x != y && self.at.is_next() => {
                b.raw(Expr::Binary(*op, map.get(*y), map.get(*x)), ty)
            }
            (Kind::Round, Expr::Cast(x, mode)) => {
                let from = map.old.ty(*x).scalar;
                match (from, ty.scalar) {
                    (Scalar::F32, Scalar::F16 | Scalar::Bf16)
                        if computes(map.old, *x) && self.at.is_next() =>
                    {
                        let lost = if ty.scalar == Scalar::F16 { 13 } else { 16 };
                        let bits = b.bitcast(map.get(*x), Scalar::U32);
                        let mask =
                            b.bits(Scalar::U32.x(ty.lanes), 0xffff_ffff << lost & 0xffff_ffff);
                        let kept = b.bin(BinOp::And, bits, mask);
                        let kept = b.bitcast(kept, Scalar::F32);
                        b.cast(kept, ty.scalar, *mode)
                    }
                    (f, i) if f.is_float() && i.is_int() && *mode == CastMode::Saturate => {
                        match self.at.is_next() {
                            true => b.cast(map.get(*x), i, CastMode::Wrap),
                            false => plain(b),
                        }
                    }
                    _ => plain(b),
                }
            }
            (Kind::Round, Expr::Unary(UnOp::Rint | UnOp::Floor | UnOp::Ceil, x))
                if self.at.is_next() =>
            {
                b.un(UnOp::Trunc, map.get(*x))
            }
            (Kind::Shift, Expr::Binary(op @ (BinOp::Shl | BinOp::Shr), x, y))
                if self.at.is_next() =>
            {
                let (x, y) = (map.get(*x), map.get(*y));
                match (op, ty.scalar.is_signed_int()) {
                    (BinOp::Shr, true) => {
                        let unsigned = ty.scalar.to_unsigned();
                        let (x, y) = (b.bitcast(x, unsigned), b.bitcast(y, unsigned));
                        let moved = b.bin(BinOp::Shr, x, y);
                        b.bitcast(moved, ty.scalar)
                    }
                    (BinOp::Shr, false) => b.bin(BinOp::Shl, x, y),
                    _ => b.bin(BinOp::Shr, x, y),
                }
            }
            (Kind::Special, Expr::Unary(UnOp::IsNan | UnOp::IsInf, _)) if self.at.is_next() => {
                b.bits(ty, 0)
            }
            (Kind::Special, Expr::Binary(op @ (BinOp::Min | BinOp::Max), x, y))
                if ty.scalar.is_float() && self.at.is_next() =>
            {
                let (x, y) = (map.get(*x), map.get(*y));
                let less = if *op == BinOp::Min {
                    BinOp::Lt
                } else {
                    BinOp::Gt
                };
                let first = b.bin(less, x, y);
                b.select(first, x, y)
            }
            (Kind::Special, Expr::Const(c))
                if is_special(c.scalar, c.bits) && self.at.is_next() =>
            {
                b.bits(ty, 0)
            }
            _ => plain(b),
        };
        vec![new]
    }

    fn store(&mut self, b: &mut Builder, map: &Map, to: StoreTo) {
        let (mut index, value) = (map.get(to.index), map.get(to.value));
        let mut aligned = to.aligned;
        if self.kind == Kind::Index && matches!(to.place, Place::Buffer(_)) && self.at.is_next() {
            index = self.next_element(b, index);
            aligned = b.ty(value).lanes == 1;
        }
        b.store(to.place, index, value, aligned);
    }
}

/// The factors of a product with a parameter, which comes second.
fn scaled(kernel: &Kernel, v: Value) -> Option<(Value, Value)> {
    let Expr::Binary(BinOp::Mul, x, y) = *kernel.expr(v) else {
        return None;
    };
    let parameter = |mut v: Value| {
        while let Expr::Splat(x) | Expr::Cast(x, _) = *kernel.expr(v) {
            v = x;
        }
        matches!(kernel.expr(v), Expr::Param(_))
    };
    match (parameter(x), parameter(y)) {
        (_, true) => Some((x, y)),
        (true, false) => Some((y, x)),
        _ => None,
    }
}

/// The next operand of the same kind, if there is another one.
fn twin(kernel: &Kernel, place: Place) -> Option<Place> {
    let kinds = |id: usize| match place {
        Place::Buffer(_) => match kernel.params.get(id)?.kind {
            ParamKind::Buffer { elem, access } => Some((elem, access)),
            ParamKind::Scalar(_) => None,
        },
        Place::Shared(_) => Some((kernel.shared.get(id)?.elem, Access::ReadWrite)),
        Place::Private(_) => None,
    };
    let (own, count) = match place {
        Place::Buffer(id) => (id.0 as usize, kernel.params.len()),
        Place::Shared(id) => (id.0 as usize, kernel.shared.len()),
        Place::Private(_) => return None,
    };
    let kind = kinds(own)?;
    let next = (1..count)
        .map(|i| (own + i) % count)
        .find(|&id| kinds(id) == Some(kind))?;
    Some(match place {
        Place::Buffer(_) => Place::Buffer(Id(next as u32)),
        _ => Place::Shared(Id(next as u32)),
    })
}

/// Whether a float is made by arithmetic: one that is only chosen among others, or is a whole
/// number, has nothing to round.
fn computes(kernel: &Kernel, v: Value) -> bool {
    fn any(kernel: &Kernel, v: Value, seen: &mut Vec<Id>) -> bool {
        let mut of = |list: &[Value]| list.iter().any(|&x| any(kernel, x, seen));
        match kernel.expr(v) {
            Expr::Binary(BinOp::Min | BinOp::Max, x, y) => of(&[*x, *y]),
            Expr::Select { yes, no, .. } => of(&[*yes, *no]),
            Expr::Unary(UnOp::Sqrt, _) => true,
            Expr::Unary(_, x) | Expr::Splat(x) | Expr::Extract(x, _) => of(&[*x]),
            Expr::Compose(parts) => of(parts),
            Expr::Cast(x, _) => !matches!(
                kernel.ty(*x).scalar,
                Scalar::F16 | Scalar::Bf16 | Scalar::Bool
            ),
            Expr::Const(_) | Expr::Load { .. } => false,
            Expr::LoadVar(var) if seen.contains(var) => false,
            Expr::LoadVar(var) => {
                seen.push(*var);
                let mut values = vec![];
                kernel.for_each_stmt(&mut |stmt| {
                    if let Stmt::StoreVar(to, value) = stmt
                        && to == var
                    {
                        values.push(*value);
                    }
                });
                values.into_iter().any(|x| any(kernel, x, seen))
            }
            _ => true,
        }
    }
    any(kernel, v, &mut vec![])
}

/// Whether the order of the operands matters.
fn ordered(op: BinOp) -> bool {
    use BinOp::*;
    matches!(op, Sub | Div | Rem | Shl | Shr | Lt | Le | Gt | Ge)
}

fn is_special(scalar: Scalar, bits: u64) -> bool {
    scalar.is_float() && !suanzi_ops::Num::from_bits(scalar, bits).float().is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use suanzi_backends::DeviceKind;
    use suanzi_codegen::ir::Builtin;

    fn kernel(op: &str, dtype: Scalar) -> Kernel {
        let row = table::row(op).unwrap();
        suanzi_ops::kernel_for(row, dtype, DeviceKind::Gpu).unwrap()
    }

    /// `y = alpha · x + y`, element by element.
    fn epilogue(dtype: Scalar) -> Kernel {
        let mut b = Builder::new("epilogue", [64, 1, 1]);
        let x = b.buffer("x", dtype, Access::Read);
        let y = b.buffer("y", dtype, Access::ReadWrite);
        let alpha = b.scalar("alpha", dtype);
        let at = b.builtin(Builtin::GlobalId(0));
        let (vx, vy) = (b.load(x, at, 1, false), b.load(y, at, 1, false));
        let product = b.mul(vx, alpha);
        let sum = b.add(product, vy);
        b.store(y, at, sum, false);
        b.finish().unwrap()
    }

    #[test]
    fn every_kind_changes_some_kernel_and_leaves_it_valid() {
        for (name, kind) in KINDS {
            let mut changed = 0;
            for (op, dtype) in [
                ("sum", Scalar::F16),
                ("max", Scalar::F32),
                ("argmax", Scalar::F32),
                ("shift_right_arithmetic", Scalar::I32),
                ("add", Scalar::Bf16),
                ("logsumexp", Scalar::F64),
                ("", Scalar::F32),
            ] {
                let kernel = match op {
                    "" => epilogue(dtype),
                    op => kernel(op, dtype),
                };
                for site in 0..40 {
                    if let Some(mutant) = (Mutation { kind, site }).apply(&kernel) {
                        assert_ne!(mutant, kernel);
                        changed += 1;
                    }
                }
            }
            assert!(changed > 0, "{name}");
        }
    }

    #[test]
    fn sites_are_told_apart() {
        let kernel = kernel("sum", Scalar::F32);
        let mutant = |site| {
            let kind = Kind::Barrier;
            Mutation { kind, site }.apply(&kernel).unwrap()
        };
        let sites = Mutation {
            kind: Kind::Barrier,
            site: 0,
        }
        .mutate(&kernel, usize::MAX)
        .1;
        assert!(sites > 1);
        assert_ne!(mutant(0), mutant(1));
        assert_eq!(mutant(0), mutant(sites));
    }
}
