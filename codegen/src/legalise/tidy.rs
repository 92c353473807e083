//! Removes what the other passes leave behind: expressions that are computed twice in one scope,
//! that undo each other, or that nothing uses. Loads, variables and subgroup operations are never
//! merged, since what they give depends on when they are evaluated.

use super::walk::remap;
use crate::ir::*;
use crate::types::Type;
use std::collections::HashMap;

/// The same kernel with less in it.
pub fn tidy(kernel: &Kernel) -> Kernel {
    let mut m = Merge {
        exprs: kernel.exprs.clone(),
        types: &kernel.types,
        stands_for: (0..kernel.exprs.len() as u32).map(Value).collect(),
        scopes: vec![HashMap::new()],
    };
    for i in 0..kernel.exprs.len() as u32 {
        let implicit = matches!(
            m.exprs[i as usize],
            Expr::Const(_) | Expr::Param(_) | Expr::Builtin(_)
        );
        if implicit {
            m.value(Value(i));
        }
    }
    let body = m.block(&kernel.body);
    let exprs = m.exprs;
    compact(Kernel {
        exprs,
        body,
        ..kernel.clone()
    })
}

struct Merge<'a> {
    exprs: Vec<Expr>,
    types: &'a [Type],
    /// The value to use instead.
    stands_for: Vec<Value>,
    /// Expressions that are available; the innermost block is last.
    scopes: Vec<HashMap<(Expr, Type), Value>>,
}

impl Merge<'_> {
    fn now(&self, v: Value) -> Value {
        self.stands_for[v.0 as usize]
    }

    fn expr(&self, v: Value) -> &Expr {
        &self.exprs[v.0 as usize]
    }

    fn ty(&self, v: Value) -> Type {
        self.types[v.0 as usize]
    }

    fn shuffles(&self, parts: &[Value], ty: Type) -> bool {
        Shuffle::of(parts, ty, |v| self.expr(v), |v| self.ty(v)).is_some()
    }

    /// Simplifies a value; false if an earlier one stands for it now.
    fn value(&mut self, v: Value) -> bool {
        let mut expr = remap(self.expr(v), |o| self.now(o));
        if let Expr::Compose(parts) = &expr
            && parts.iter().all(|p| *p == parts[0])
        {
            expr = Expr::Splat(parts[0]);
        }
        if let Expr::Splat(a) = expr
            && let Expr::Const(c) = *self.expr(a)
        {
            self.exprs[v.0 as usize] = Expr::Const(c);
            return false;
        }
        if let Some(same) = self.simpler(&expr, self.ty(v)) {
            self.stands_for[v.0 as usize] = same;
            return false;
        }
        let movable = !matches!(
            expr,
            Expr::Load { .. }
                | Expr::LoadVar(_)
                | Expr::Subgroup(..)
                | Expr::LoopIndex
                | Expr::AtomicResult
        );
        self.exprs[v.0 as usize] = expr.clone();
        if !movable {
            return true;
        }
        let key = (expr, self.ty(v));
        if let Some(same) = self.scopes.iter().rev().find_map(|s| s.get(&key)) {
            self.stands_for[v.0 as usize] = *same;
            return false;
        }
        self.scopes.last_mut().expect("a scope").insert(key, v);
        true
    }

    /// A value that an expression is bound to be equal to.
    fn simpler(&self, expr: &Expr, ty: Type) -> Option<Value> {
        match expr {
            // There and back through a kind that holds every value of the first.
            Expr::Cast(a, CastMode::Wrap) => match *self.expr(*a) {
                Expr::Cast(x, CastMode::Wrap) if self.ty(x) == ty => {
                    let wider = self.ty(*a).scalar;
                    (ty.scalar.bytes() < wider.bytes()
                        && ty.scalar.is_float() == wider.is_float()
                        && (ty.scalar.is_int() || ty.scalar.is_float()))
                    .then_some(x)
                }
                _ => None,
            },
            Expr::Bitcast(a) => match *self.expr(*a) {
                Expr::Bitcast(x) if self.ty(x) == ty => Some(x),
                _ => None,
            },
            Expr::Splat(a) | Expr::Extract(a, _) if self.ty(*a) == ty => Some(*a),
            Expr::Extract(a, lane) => match self.expr(*a) {
                // Shuffles of shuffles stay: one by one they are instructions, all in one they are
                // an insertion for each lane.
                Expr::Compose(parts) if !self.shuffles(parts, self.ty(*a)) => {
                    Some(parts[usize::from(*lane)])
                }
                Expr::Splat(x) => Some(*x),
                _ => None,
            },
            // All lanes of one vector, in order.
            Expr::Compose(parts) => {
                let Expr::Extract(whole, _) = *self.expr(parts[0]) else {
                    return None;
                };
                let in_order =
                    |(i, p): (usize, &Value)| *self.expr(*p) == Expr::Extract(whole, i as u8);
                (self.ty(whole) == ty && parts.iter().enumerate().all(in_order)).then_some(whole)
            }
            Expr::Select { yes, no, .. } if yes == no => Some(*yes),
            _ => None,
        }
    }

    fn block(&mut self, block: &[Stmt]) -> Block {
        self.scopes.push(HashMap::new());
        let out = block.iter().filter_map(|s| self.stmt(s)).collect();
        self.scopes.pop();
        out
    }

    fn stmt(&mut self, stmt: &Stmt) -> Option<Stmt> {
        let mut stmt = stmt.clone();
        match &mut stmt {
            Stmt::Emit(v) => return self.value(*v).then_some(stmt),
            Stmt::If {
                then, otherwise, ..
            } => {
                *then = self.block(then);
                *otherwise = self.block(otherwise);
            }
            Stmt::For { body, .. } => *body = self.block(body),
            _ => {}
        }
        operands(&mut stmt, &mut |v| *v = self.now(*v));
        Some(stmt)
    }
}

/// Calls `f` on the values that a statement itself uses, and on the one that it defines.
fn operands(stmt: &mut Stmt, f: &mut impl FnMut(&mut Value)) {
    match stmt {
        Stmt::Emit(v) | Stmt::StoreVar(_, v) | Stmt::Frag(FragOp::Fill(_, v)) => f(v),
        Stmt::Store { index, value, .. } => [index, value].into_iter().for_each(f),
        Stmt::Atomic {
            index,
            value,
            compare,
            result,
            ..
        } => {
            [index, value, result].into_iter().for_each(&mut *f);
            compare.iter_mut().for_each(f);
        }
        Stmt::If { cond, .. } => f(cond),
        Stmt::For {
            index,
            start,
            end,
            step,
            ..
        } => [index, start, end, step].into_iter().for_each(f),
        Stmt::Frag(FragOp::Load { index, stride, .. } | FragOp::Store { index, stride, .. }) => {
            [index, stride].into_iter().for_each(f);
        }
        Stmt::Frag(FragOp::MulAdd { .. }) | Stmt::Barrier(_) => {}
    }
}

/// Calls `f` on every statement of a block, outer ones first.
fn for_each_mut(block: &mut Block, f: &mut impl FnMut(&mut Stmt)) {
    for stmt in block {
        f(stmt);
        match stmt {
            Stmt::If {
                then, otherwise, ..
            } => {
                for_each_mut(then, f);
                for_each_mut(otherwise, f);
            }
            Stmt::For { body, .. } => for_each_mut(body, f),
            _ => {}
        }
    }
}

fn retain(block: &mut Block, keep: &impl Fn(&Stmt) -> bool) {
    block.retain(keep);
    for stmt in block {
        match stmt {
            Stmt::If {
                then, otherwise, ..
            } => {
                retain(then, keep);
                retain(otherwise, keep);
            }
            Stmt::For { body, .. } => retain(body, keep),
            _ => {}
        }
    }
}

/// Drops the expressions that nothing uses and closes the gaps in the arena.
fn compact(mut k: Kernel) -> Kernel {
    let mut used = vec![false; k.exprs.len()];
    for_each_mut(&mut k.body, &mut |stmt| {
        if !matches!(stmt, Stmt::Emit(_)) {
            operands(stmt, &mut |v| used[v.0 as usize] = true);
        }
    });
    for i in (0..k.exprs.len()).rev() {
        if used[i] {
            k.exprs[i].for_each_operand(|o| used[o.0 as usize] = true);
        }
    }
    retain(
        &mut k.body,
        &|s| !matches!(s, Stmt::Emit(v) if !used[v.0 as usize]),
    );
    let mut place = vec![Value(u32::MAX); used.len()];
    let (mut exprs, mut types) = (vec![], vec![]);
    for i in 0..used.len() {
        if used[i] {
            place[i] = Value(exprs.len() as u32);
            exprs.push(remap(&k.exprs[i], |o| place[o.0 as usize]));
            types.push(k.types[i]);
        }
    }
    (k.exprs, k.types) = (exprs, types);
    for_each_mut(&mut k.body, &mut |stmt| {
        operands(stmt, &mut |v| *v = place[v.0 as usize]);
    });
    k
}
