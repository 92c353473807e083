//! Random kernels against a plain evaluator that runs one work-item at a time and keeps every
//! value: slots that are used again too early, masks and batches would show.

mod common;

use common::{Lcg, run};
use std::collections::HashMap;
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Kernel, Scalar, Value};

const PRIVATE: u32 = 8;

/// Builds blocks of random statements.
struct Generator {
    random: Lcg,
    /// Scalars in scope.
    scope: Vec<Value>,
    vars: Vec<Id>,
    array: Place,
}

impl Generator {
    fn value(&mut self) -> Value {
        // Old and new values, so that lives are long and short.
        let n = self.scope.len() as u32;
        self.scope[self.random.below(n) as usize]
    }

    fn var(&mut self) -> Id {
        self.vars[self.random.below(self.vars.len() as u32) as usize]
    }

    fn block(&mut self, b: &mut Builder, depth: u32) {
        let outer = self.scope.len();
        for _ in 0..2 + self.random.below(7) {
            self.statement(b, depth);
        }
        self.scope.truncate(outer);
    }

    fn statement(&mut self, b: &mut Builder, depth: u32) {
        let (x, y, z) = (self.value(), self.value(), self.value());
        let mask = b.u32(PRIVATE / 2 - 1);
        let small = b.bin(BinOp::And, x, mask);
        let smaller = b.bin(BinOp::Lt, y, z);
        let new = match self.random.below(if depth == 0 { 8 } else { 11 }) {
            0 => {
                use BinOp::*;
                let ops = [Add, Sub, Mul, Xor, Min, Max, Div, Rem, Shl];
                b.bin(ops[self.random.below(9) as usize], x, y)
            }
            1 => b.select(smaller, x, y),
            2 => {
                let v = b.compose(&[x, y, z, small]);
                let s = b.splat(y, 4);
                let v = b.add(v, s);
                let lane = self.random.below(4) as u8;
                b.extract(v, lane)
            }
            3 => b.get(self.var()),
            4 => return b.set(self.var(), x),
            5 => b.load(self.array, small, 1, false),
            6 => return b.store(self.array, small, y, false),
            7 => {
                let v = b.load(self.array, small, 4, false);
                let v = b.mul(v, z);
                b.store(self.array, small, v, false);
                b.extract(v, 3)
            }
            8 => {
                return b.if_(smaller, |b| self.block(b, depth - 1));
            }
            9 => {
                // One generator for both arms, one after the other.
                let then = b.block(|b| self.block(b, depth - 1));
                let otherwise = b.block(|b| self.block(b, depth - 1));
                return b.stmt(Stmt::If {
                    cond: smaller,
                    then,
                    otherwise,
                });
            }
            _ => {
                let (zero, one) = (b.u32(0), b.u32(1));
                return b.for_(zero, small, one, false, |b, i| {
                    self.scope.push(i);
                    self.block(b, depth - 1);
                    self.scope.pop();
                });
            }
        };
        self.scope.push(new);
    }
}

fn kernel(seed: u64, items: u32) -> Kernel {
    let mut b = Builder::new("random", [items, 1, 1]);
    let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
    let array = b.private("array", Scalar::U32, PRIVATE);
    let i = b.builtin(Builtin::GlobalId(0));
    let l = b.builtin(Builtin::LocalId(0));
    for at in 0..PRIVATE {
        let at = b.u32(at);
        b.store(array, at, i, false);
    }
    let vars = (0..3).map(|_| b.var_of(Scalar::U32.into())).collect();
    let mut g = Generator {
        random: Lcg(seed),
        scope: vec![i, l],
        vars,
        array,
    };
    for _ in 0..3 {
        let block = b.block(|b| g.block(b, 3));
        block.into_iter().for_each(|s| b.stmt(s));
    }
    let mut hash = i;
    for at in 0..PRIVATE + 3 {
        let x = match g.vars.get(at as usize) {
            Some(&var) => b.get(var),
            None => {
                let at = b.u32(at - 3);
                b.load(array, at, 1, false)
            }
        };
        let prime = b.u32(0x9e37_79b1);
        hash = b.mul(hash, prime);
        hash = b.bin(BinOp::Xor, hash, x);
    }
    b.store(out, i, hash, false);
    b.finish().unwrap()
}

/// One work-item, as simply as can be.
struct Item<'a> {
    kernel: &'a Kernel,
    global: u32,
    values: HashMap<Value, Vec<u32>>,
    vars: Vec<u32>,
    array: Vec<u32>,
    out: u32,
}

impl Item<'_> {
    fn get(&self, v: Value) -> Vec<u32> {
        match self.kernel.expr(v) {
            Expr::Const(c) => vec![c.bits as u32],
            Expr::Builtin(Builtin::GlobalId(_)) => vec![self.global],
            Expr::Builtin(_) => vec![self.global % self.kernel.workgroup[0]],
            _ => self.values[&v].clone(),
        }
    }

    fn scalar(&self, v: Value) -> u32 {
        self.get(v)[0]
    }

    fn eval(&self, v: Value) -> Vec<u32> {
        let lanes = usize::from(self.kernel.ty(v).lanes);
        let of = |f: &dyn Fn(usize) -> u32| (0..lanes).map(f).collect();
        match self.kernel.expr(v) {
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.get(*a), self.get(*b));
                of(&|l| {
                    let (a, b) = (a[l], b[l]);
                    match op {
                        BinOp::Add => a.wrapping_add(b),
                        BinOp::Sub => a.wrapping_sub(b),
                        BinOp::Mul => a.wrapping_mul(b),
                        BinOp::Xor => a ^ b,
                        BinOp::And => a & b,
                        BinOp::Min => a.min(b),
                        BinOp::Max => a.max(b),
                        BinOp::Div => a.checked_div(b).unwrap_or(0),
                        BinOp::Rem => a.checked_rem(b).unwrap_or(0),
                        BinOp::Shl => a << (b % 32),
                        _ => u32::from(a < b),
                    }
                })
            }
            Expr::Select { cond, yes, no } => match self.scalar(*cond) {
                0 => self.get(*no),
                _ => self.get(*yes),
            },
            Expr::Splat(a) => vec![self.scalar(*a); lanes],
            Expr::Compose(parts) => parts.iter().map(|p| self.scalar(*p)).collect(),
            Expr::Extract(a, lane) => vec![self.get(*a)[usize::from(*lane)]],
            Expr::LoadVar(id) => vec![self.vars[id.0 as usize]],
            Expr::Load { index, .. } => {
                self.array[self.scalar(*index) as usize..][..lanes].to_vec()
            }
            other => panic!("the generator makes no {other:?}"),
        }
    }

    fn block(&mut self, block: &[Stmt]) {
        for stmt in block {
            match stmt {
                Stmt::Emit(v) => {
                    let value = self.eval(*v);
                    self.values.insert(*v, value);
                }
                Stmt::StoreVar(id, v) => self.vars[id.0 as usize] = self.scalar(*v),
                Stmt::Store {
                    place: Place::Private(_),
                    index,
                    value,
                    ..
                } => {
                    let (at, value) = (self.scalar(*index) as usize, self.get(*value));
                    self.array[at..][..value.len()].copy_from_slice(&value);
                }
                Stmt::Store { value, .. } => self.out = self.scalar(*value),
                Stmt::If {
                    cond,
                    then,
                    otherwise,
                } => match self.scalar(*cond) {
                    0 => self.block(otherwise),
                    _ => self.block(then),
                },
                Stmt::For {
                    index, end, body, ..
                } => {
                    for i in 0..self.scalar(*end) {
                        self.values.insert(*index, vec![i]);
                        self.block(body);
                    }
                }
                other => panic!("the generator makes no {other:?}"),
            }
        }
    }
}

#[test]
fn random_kernels_do_what_one_item_at_a_time_does() {
    let mut different = std::collections::HashSet::new();
    for seed in 0..100 {
        let items = [1, 3, 16, 64][seed as usize % 4];
        let kernel = kernel(seed, items);
        // More groups than run together, and a rest.
        let groups = 2100 / items;
        let out = run(&kernel, [groups, 1, 1], (groups * items) as usize);
        different.insert(out[5]);
        for (i, r) in out.into_iter().enumerate().step_by(7) {
            let mut item = Item {
                kernel: &kernel,
                global: i as u32,
                values: HashMap::new(),
                vars: vec![0; kernel.vars.len()],
                array: vec![0; PRIVATE as usize],
                out: 0,
            };
            item.block(&kernel.body);
            assert_eq!(r, item.out, "work-item {i}, seed {seed}");
        }
    }
    assert!(different.len() > 60, "the kernels compute too little");
}
