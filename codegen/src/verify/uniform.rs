//! Which values are the same for all work-items of a group, conservatively.

use crate::ir::*;

/// The result of [`analyse`].
#[derive(Default)]
pub struct Uniformity {
    values: Vec<bool>,
    vars: Vec<bool>,
}

impl Uniformity {
    /// True if every work-item of a group that has the value has the same one.
    pub fn value(&self, v: Value) -> bool {
        self.values.get(v.0 as usize).copied().unwrap_or(false)
    }
}

/// Variables start as uniform and lose it when something divergent reaches them; repeated until
/// nothing changes, since loops carry values backwards.
pub fn analyse(k: &Kernel) -> Uniformity {
    let mut u = Uniformity {
        values: vec![true; k.exprs.len()],
        vars: vec![true; k.vars.len()],
    };
    loop {
        for (i, expr) in k.exprs.iter().enumerate() {
            u.values[i] &= own(expr, &u);
            expr.for_each_operand(|o| u.values[i] &= u.values.get(o.0 as usize) == Some(&true));
        }
        let before = (u.vars.clone(), u.values.clone());
        block(&k.body, true, &mut u);
        if before == (u.vars.clone(), u.values.clone()) {
            return u;
        }
    }
}

/// Uniform as far as the expression itself goes, leaving its operands aside.
fn own(expr: &Expr, u: &Uniformity) -> bool {
    match expr {
        Expr::Builtin(b) => matches!(
            b,
            Builtin::GroupId(_) | Builtin::NumGroups(_) | Builtin::SubgroupSize
        ),
        Expr::LoadVar(id) => u.vars.get(id.0 as usize).copied().unwrap_or(false),
        Expr::Load { place, .. } => !matches!(place, Place::Private(_)),
        Expr::Subgroup(..) | Expr::AtomicResult => false,
        _ => true,
    }
}

fn block(b: &Block, uniform: bool, u: &mut Uniformity) {
    for stmt in b {
        match stmt {
            Stmt::StoreVar(id, v) => {
                let ok = uniform && u.value(*v);
                if let Some(var) = u.vars.get_mut(id.0 as usize) {
                    *var &= ok;
                }
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                let uniform = uniform && u.value(*cond);
                block(then, uniform, u);
                block(otherwise, uniform, u);
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                ..
            } => {
                let same = [start, end, step].into_iter().all(|v| u.value(*v));
                if let Some(i) = u.values.get_mut(index.0 as usize) {
                    *i &= same;
                }
                block(body, uniform && same, u);
            }
            _ => {}
        }
    }
}
