//! How long each value is needed, so that its slot can be used again: a small working set stays
//! in the first cache levels.
//!
//! Positions number the statements in program order; [`super::decode`] counts the same way.

use crate::ir::*;

/// What [`analyse`] finds out.
pub struct Liveness {
    /// The value whose storage each value shares: itself, but for bitcasts and extracted lanes.
    pub root: Vec<Value>,
    /// For each root, the position of its last use, or of its definition if it has none.
    pub last: Vec<u32>,
    /// Whether a value is used at all; indexed by value, aliases counted for their roots too.
    pub used: Vec<bool>,
    /// `LoadVar` expressions that may read the variable's own slot, since it does not change
    /// while they live.
    pub reads_var: Vec<bool>,
}

struct Walker<'a> {
    kernel: &'a Kernel,
    live: Liveness,
    defined: Vec<u32>,
    position: u32,
    /// Open loops: position of their start, and the outer values used inside.
    loops: Vec<(u32, Vec<Value>)>,
    /// Assignments: position and variable.
    sets: Vec<(u32, Id)>,
}

/// Walks a verified kernel once.
pub fn analyse(kernel: &Kernel) -> Liveness {
    let n = kernel.exprs.len();
    let mut root: Vec<Value> = (0..n as u32).map(Value).collect();
    for (i, expr) in kernel.exprs.iter().enumerate() {
        if let Expr::Bitcast(a) | Expr::Extract(a, _) = expr {
            root[i] = root[a.0 as usize];
        }
    }
    let mut w = Walker {
        kernel,
        live: Liveness {
            root,
            last: vec![0; n],
            used: vec![false; n],
            reads_var: vec![false; n],
        },
        defined: vec![0; n],
        position: 0,
        loops: vec![],
        sets: vec![],
    };
    w.block(&kernel.body);
    for (i, expr) in kernel.exprs.iter().enumerate() {
        if let Expr::LoadVar(id) = expr {
            let life = w.defined[i] + 1..w.live.last[i] + 1;
            let changed = |(at, var): &(u32, Id)| var == id && life.contains(at);
            w.live.reads_var[i] = !w.sets.iter().any(changed);
        }
    }
    w.live
}

impl Walker<'_> {
    fn used(&mut self, v: Value) {
        let root = self.live.root[v.0 as usize];
        let r = root.0 as usize;
        self.live.used[v.0 as usize] = true;
        self.live.used[r] = true;
        self.live.last[r] = self.live.last[r].max(self.position);
        for (start, outer) in &mut self.loops {
            if self.defined[r] < *start {
                outer.push(root);
            }
        }
    }

    fn define(&mut self, v: Value) {
        let i = v.0 as usize;
        if self.live.root[i] == v {
            self.defined[i] = self.position;
            self.live.last[i] = self.position;
        }
    }

    fn block(&mut self, block: &[Stmt]) {
        for stmt in block {
            self.position += 1;
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Emit(v) => {
                let kernel = self.kernel;
                self.define(*v);
                kernel.expr(*v).for_each_operand(|o| self.used(o));
            }
            Stmt::StoreVar(var, v) => {
                self.sets.push((self.position, *var));
                self.used(*v);
            }
            Stmt::Store { index, value, .. } => {
                self.used(*index);
                self.used(*value);
            }
            Stmt::Atomic {
                index,
                value,
                compare,
                result,
                ..
            } => {
                self.define(*result);
                self.used(*index);
                self.used(*value);
                compare.iter().for_each(|c| self.used(*c));
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                self.used(*cond);
                self.block(then);
                self.block(otherwise);
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                ..
            } => {
                self.define(*index);
                self.used(*start);
                self.position += 1;
                self.loops.push((self.position, vec![*index]));
                self.block(body);
                self.position += 1;
                let (_, mut outer) = self.loops.pop().unwrap_or_default();
                outer.extend([*end, *step]);
                outer.into_iter().for_each(|v| self.used(v));
            }
            Stmt::Barrier(_) | Stmt::Frag(FragOp::MulAdd { .. }) => {}
            Stmt::Frag(FragOp::Fill(_, v)) => self.used(*v),
            Stmt::Frag(FragOp::Load { index, stride, .. })
            | Stmt::Frag(FragOp::Store { index, stride, .. }) => {
                self.used(*index);
                self.used(*stride);
            }
        }
    }
}
