//! The walker that every pass shares: it rebuilds a kernel statement by statement through a
//! [`Builder`], and asks the pass only for what the pass changes.

use crate::builder::Builder;
use crate::ir::*;

/// What the values of the old kernel have become in the new one.
pub struct Map<'a> {
    /// The kernel being rewritten.
    pub old: &'a Kernel,
    new: Vec<Vec<Value>>,
}

impl Map<'_> {
    /// The successor of a value that has one.
    pub fn get(&self, v: Value) -> Value {
        self.new[v.0 as usize][0]
    }

    /// The successors of a value: more than one where a vector was split.
    pub fn parts(&self, v: Value) -> &[Value] {
        &self.new[v.0 as usize]
    }

    fn set(&mut self, v: Value, parts: Vec<Value>) {
        self.new[v.0 as usize] = parts;
    }
}

/// A store to memory, in terms of the old kernel.
#[derive(Clone, Copy)]
pub struct StoreTo {
    /// Where to.
    pub place: Place,
    /// First element.
    pub index: Value,
    /// What.
    pub value: Value,
    /// As for [`Stmt::Store`].
    pub aligned: bool,
}

/// One rewriting of a kernel. The methods append to `b` what takes the place of the old construct.
pub trait Pass {
    /// Changes the declarations, before anything is built.
    fn declare(&mut self, _declarations: &mut Kernel) {}

    /// Any expression but loop indices and results of atomics, which keep their type.
    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value>;

    /// A store to memory.
    fn store(&mut self, b: &mut Builder, map: &Map, to: StoreTo) {
        let (index, value) = (map.get(to.index), map.get(to.value));
        b.store(to.place, index, value, to.aligned);
    }

    /// An assignment of a variable.
    fn set_var(&mut self, b: &mut Builder, map: &Map, var: Id, value: Value) {
        b.set(var, map.get(value));
    }

    /// A scalar that fills a fragment.
    fn fill(&mut self, b: &mut Builder, map: &Map, frag: Id, value: Value) {
        b.frag(FragOp::Fill(frag, map.get(value)));
    }
}

/// Rewrites a whole kernel.
pub fn run(old: &Kernel, pass: &mut dyn Pass) -> Kernel {
    let mut declarations = Builder::with_declarations(old).finish_unverified();
    pass.declare(&mut declarations);
    let mut b = Builder::with_declarations(&declarations);
    let mut map = Map {
        old,
        new: vec![vec![]; old.exprs.len()],
    };
    for (i, expr) in old.exprs.iter().enumerate() {
        if matches!(expr, Expr::Const(_) | Expr::Param(_) | Expr::Builtin(_)) {
            let v = Value(i as u32);
            let new = pass.expr(&mut b, &map, v);
            map.set(v, new);
        }
    }
    block(&mut b, &mut map, pass, &old.body);
    b.finish_unverified()
}

fn block(b: &mut Builder, map: &mut Map, pass: &mut dyn Pass, stmts: &[Stmt]) {
    for s in stmts {
        stmt(b, map, pass, s);
    }
}

fn stmt(b: &mut Builder, map: &mut Map, pass: &mut dyn Pass, stmt: &Stmt) {
    match stmt {
        Stmt::Emit(v) => {
            let new = pass.expr(b, map, *v);
            map.set(*v, new);
        }
        Stmt::StoreVar(var, value) => pass.set_var(b, map, *var, *value),
        &Stmt::Store {
            place,
            index,
            value,
            aligned,
        } => {
            let to = StoreTo {
                place,
                index,
                value,
                aligned,
            };
            pass.store(b, map, to);
        }
        Stmt::Atomic {
            op,
            place,
            index,
            value,
            compare,
            result,
        } => {
            let new = b.raw(Expr::AtomicResult, map.old.ty(*result));
            b.stmt(Stmt::Atomic {
                op: *op,
                place: *place,
                index: map.get(*index),
                value: map.get(*value),
                compare: compare.map(|c| map.get(c)),
                result: new,
            });
            map.set(*result, vec![new]);
        }
        Stmt::If {
            cond,
            then,
            otherwise,
        } => {
            let cond = map.get(*cond);
            let then = b.block(|b| block(b, map, pass, then));
            let otherwise = b.block(|b| block(b, map, pass, otherwise));
            b.stmt(Stmt::If {
                cond,
                then,
                otherwise,
            });
        }
        Stmt::For {
            index,
            start,
            end,
            step,
            body,
            unroll,
        } => {
            let new = b.raw(Expr::LoopIndex, map.old.ty(*index));
            map.set(*index, vec![new]);
            let (start, end, step) = (map.get(*start), map.get(*end), map.get(*step));
            let body = b.block(|b| block(b, map, pass, body));
            b.stmt(Stmt::For {
                index: new,
                start,
                end,
                step,
                body,
                unroll: *unroll,
            });
        }
        Stmt::Barrier(barrier) => b.barrier(*barrier),
        Stmt::Frag(FragOp::Fill(frag, value)) => pass.fill(b, map, *frag, *value),
        Stmt::Frag(op) => {
            let mut op = op.clone();
            if let FragOp::Load { index, stride, .. } | FragOp::Store { index, stride, .. } =
                &mut op
            {
                (*index, *stride) = (map.get(*index), map.get(*stride));
            }
            b.frag(op);
        }
    }
}

/// The same expression of other operands.
pub fn remap(expr: &Expr, mut f: impl FnMut(Value) -> Value) -> Expr {
    match expr {
        Expr::Const(_)
        | Expr::Param(_)
        | Expr::Builtin(_)
        | Expr::LoopIndex
        | Expr::AtomicResult
        | Expr::LoadVar(_) => expr.clone(),
        Expr::Unary(op, a) => Expr::Unary(*op, f(*a)),
        Expr::Binary(op, x, y) => Expr::Binary(*op, f(*x), f(*y)),
        Expr::Fma(x, y, z) => Expr::Fma(f(*x), f(*y), f(*z)),
        Expr::Select { cond, yes, no } => Expr::Select {
            cond: f(*cond),
            yes: f(*yes),
            no: f(*no),
        },
        Expr::Cast(a, mode) => Expr::Cast(f(*a), *mode),
        Expr::Bitcast(a) => Expr::Bitcast(f(*a)),
        Expr::Splat(a) => Expr::Splat(f(*a)),
        Expr::Compose(parts) => Expr::Compose(parts.iter().map(|p| f(*p)).collect()),
        Expr::Extract(a, lane) => Expr::Extract(f(*a), *lane),
        Expr::Load {
            place,
            index,
            aligned,
        } => Expr::Load {
            place: *place,
            index: f(*index),
            aligned: *aligned,
        },
        Expr::Subgroup(op, a, arg) => Expr::Subgroup(*op, f(*a), arg.map(f)),
        Expr::Intrinsic(name, args) => {
            Expr::Intrinsic(name.clone(), args.iter().map(|a| f(*a)).collect())
        }
    }
}
