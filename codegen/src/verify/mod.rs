//! The verifier: runs after every build, in release too.
//!
//! `types` states the typing rule of each expression, `uniform` finds which values all work-items
//! of a group agree on; this file walks the statements and checks scopes, places and control flow.

mod types;
mod uniform;

use crate::ir::*;
use crate::types::Scalar;
use thiserror::Error;

/// Why a kernel was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("kernel `{kernel}` is not valid: {what}")]
pub struct VerifyError {
    /// The kernel's name.
    pub kernel: String,
    /// What is wrong, and where.
    pub what: String,
}

/// Checks types, scopes, constant indices, places and barrier uniformity.
///
/// # Errors
/// The first rule that the kernel breaks.
pub fn verify(kernel: &Kernel) -> Result<(), VerifyError> {
    Verifier::new(kernel).run().map_err(|what| VerifyError {
        kernel: kernel.name.clone(),
        what,
    })
}

type Check = Result<(), String>;

fn ensure(ok: bool, what: impl FnOnce() -> String) -> Check {
    if ok { Ok(()) } else { Err(what()) }
}

fn is_identifier(s: &str) -> bool {
    s.chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

struct Verifier<'a> {
    kernel: &'a Kernel,
    /// Values in scope.
    live: Vec<bool>,
    /// Values that were defined at some time: nothing is defined twice.
    defined: Vec<bool>,
    uniform: uniform::Uniformity,
}

impl<'a> Verifier<'a> {
    fn new(kernel: &'a Kernel) -> Self {
        let n = kernel.exprs.len();
        Verifier {
            kernel,
            live: vec![false; n],
            defined: vec![false; n],
            uniform: uniform::Uniformity::default(),
        }
    }

    fn run(mut self) -> Check {
        self.declarations()?;
        let k = self.kernel;
        ensure(k.exprs.len() == k.types.len(), || {
            "exprs and types differ in length".into()
        })?;
        for i in 0..k.exprs.len() {
            types::check(k, Value(i as u32)).map_err(|e| format!("value %{i}: {e}"))?;
            self.live[i] = matches!(
                k.exprs[i],
                Expr::Const(_) | Expr::Param(_) | Expr::Builtin(_)
            );
        }
        self.uniform = uniform::analyse(k);
        self.block(&k.body, true)
    }

    fn declarations(&self) -> Check {
        let k = self.kernel;
        ensure(is_identifier(&k.name), || {
            format!("`{}` is not an identifier", k.name)
        })?;
        ensure(k.workgroup.iter().all(|&n| n > 0), || {
            format!("work-group {:?} has an empty axis", k.workgroup)
        })?;
        let mut names: Vec<&str> = k.params.iter().map(|p| p.name.as_str()).collect();
        names.extend(k.shared.iter().chain(&k.private).map(|a| a.name.as_str()));
        for (i, name) in names.iter().enumerate() {
            ensure(is_identifier(name), || {
                format!("`{name}` is not an identifier")
            })?;
            ensure(!names[..i].contains(name), || {
                format!("`{name}` is declared twice")
            })?;
        }
        for p in &k.params {
            if let ParamKind::Scalar(s) = p.kind {
                use Scalar::*;
                ensure(matches!(s, I32 | U32 | I64 | U64 | F32 | F64), || {
                    format!(
                        "scalar parameter `{}` is {s}: pass it as a 32 or 64-bit kind",
                        p.name
                    )
                })?;
            }
        }
        for a in k.shared.iter().chain(&k.private) {
            ensure(a.len > 0, || format!("array `{}` is empty", a.name))?;
        }
        for f in &k.fragments {
            ensure(
                f.elem.is_float() || matches!(f.elem, Scalar::I8 | Scalar::U8 | Scalar::I32),
                || format!("no fragments of {}", f.elem),
            )?;
        }
        Ok(())
    }

    fn used(&self, v: Value) -> Check {
        match self.live.get(v.0 as usize) {
            Some(true) => Ok(()),
            Some(false) => Err(format!("%{} is used outside its scope", v.0)),
            None => Err(format!("%{} does not exist", v.0)),
        }
    }

    fn define(&mut self, v: Value, scope: &mut Vec<Value>) -> Check {
        let i = v.0 as usize;
        ensure(i < self.live.len(), || format!("%{i} does not exist"))?;
        ensure(!self.defined[i], || format!("%{i} is defined twice"))?;
        (self.live[i], self.defined[i]) = (true, true);
        scope.push(v);
        Ok(())
    }

    fn block(&mut self, block: &Block, uniform: bool) -> Check {
        let mut scope = vec![];
        for stmt in block {
            self.stmt(stmt, uniform, &mut scope)?;
        }
        for v in scope {
            self.live[v.0 as usize] = false;
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt, uniform: bool, scope: &mut Vec<Value>) -> Check {
        let k = self.kernel;
        match stmt {
            Stmt::Emit(v) => {
                ensure((v.0 as usize) < k.exprs.len(), || {
                    format!("%{} does not exist", v.0)
                })?;
                let expr = k.expr(*v);
                ensure(!expr.is_implicit(), || format!("%{} is never emitted", v.0))?;
                let mut operands = vec![];
                expr.for_each_operand(|o| operands.push(o));
                operands.into_iter().try_for_each(|o| self.used(o))?;
                match expr {
                    Expr::Load { place, index, .. } => {
                        self.access(*place, *index, k.ty(*v).lanes)?
                    }
                    Expr::Subgroup(..) => ensure(uniform, || {
                        format!("subgroup operation %{} in divergent control flow", v.0)
                    })?,
                    _ => {}
                }
                self.define(*v, scope)
            }
            Stmt::StoreVar(var, v) => {
                self.used(*v)?;
                let ty = k.vars.get(var.0 as usize);
                ensure(ty == Some(&k.ty(*v)), || {
                    format!("variable {} is assigned a {}", var.0, k.ty(*v))
                })
            }
            Stmt::Store {
                place,
                index,
                value,
                ..
            } => {
                self.used(*index)?;
                self.used(*value)?;
                self.access(*place, *index, k.ty(*value).lanes)?;
                self.writable(*place)?;
                ensure(k.elem(*place) == Some(k.ty(*value).scalar), || {
                    format!("store of {} into {place:?}", k.ty(*value))
                })
            }
            Stmt::Atomic {
                op,
                place,
                index,
                value,
                compare,
                result,
            } => {
                for v in [Some(*index), Some(*value), *compare].into_iter().flatten() {
                    self.used(v)?;
                }
                self.access(*place, *index, 1)?;
                self.writable(*place)?;
                let ty = k.ty(*value);
                use Scalar::*;
                ensure(
                    ty.lanes == 1 && matches!(ty.scalar, I32 | U32 | I64 | U64),
                    || format!("atomic on {ty}"),
                )?;
                ensure(!matches!(place, Place::Private(_)), || {
                    "atomic on private memory".into()
                })?;
                ensure(k.elem(*place) == Some(ty.scalar), || {
                    format!("atomic {ty} on {place:?}")
                })?;
                ensure(
                    compare.is_some() == (*op == AtomicOp::CompareExchange),
                    || "exactly compare-exchange takes a comparand".into(),
                )?;
                ensure(compare.is_none_or(|c| k.ty(c) == ty), || {
                    "comparand of another type".into()
                })?;
                ensure(
                    matches!(k.exprs.get(result.0 as usize), Some(Expr::AtomicResult))
                        && k.ty(*result) == ty,
                    || format!("%{} cannot receive an atomic's result", result.0),
                )?;
                self.define(*result, scope)
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                self.used(*cond)?;
                ensure(k.ty(*cond) == Scalar::Bool.into(), || {
                    format!("condition %{} is {}", cond.0, k.ty(*cond))
                })?;
                let uniform = uniform && self.uniform.value(*cond);
                self.block(then, uniform)?;
                self.block(otherwise, uniform)
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                ..
            } => {
                let bounds = [*start, *end, *step];
                bounds.into_iter().try_for_each(|v| self.used(v))?;
                ensure(
                    matches!(k.exprs.get(index.0 as usize), Some(Expr::LoopIndex)),
                    || format!("%{} is not a loop index", index.0),
                )?;
                let ty = k.ty(*index);
                use Scalar::*;
                ensure(
                    ty.lanes == 1 && matches!(ty.scalar, I32 | U32 | I64 | U64),
                    || format!("loop index of {ty}"),
                )?;
                ensure(bounds.iter().all(|&v| k.ty(v) == ty), || {
                    format!("bounds of loop %{} differ in type from its index", index.0)
                })?;
                if let Expr::Const(c) = k.expr(*step) {
                    ensure(c.bits != 0, || format!("loop %{} has step 0", index.0))?;
                }
                let uniform = uniform && bounds.iter().all(|&v| self.uniform.value(v));
                let mut inner = vec![];
                self.define(*index, &mut inner)?;
                self.block(body, uniform)?;
                self.live[index.0 as usize] = false;
                Ok(())
            }
            Stmt::Barrier(_) => ensure(uniform, || {
                "barrier in control flow that may diverge".to_string()
            }),
            Stmt::Frag(op) => {
                ensure(uniform, || {
                    "fragment operation in divergent control flow".to_string()
                })?;
                self.frag(op)
            }
        }
    }

    /// A place must exist, its index be a u32 or u64 scalar, and a constant index lie inside.
    fn access(&self, place: Place, index: Value, lanes: u8) -> Check {
        let k = self.kernel;
        ensure(k.elem(place).is_some(), || {
            format!("{place:?} does not exist")
        })?;
        let ty = k.ty(index);
        ensure(
            ty.lanes == 1 && matches!(ty.scalar, Scalar::U32 | Scalar::U64),
            || format!("index %{} of {place:?} is {ty}, not u32 or u64", index.0),
        )?;
        let len = match place {
            Place::Buffer(_) => return Ok(()),
            Place::Shared(id) => k.shared[id.0 as usize].len,
            Place::Private(id) => k.private[id.0 as usize].len,
        };
        if let Expr::Const(c) = k.expr(index) {
            let end = c.bits.saturating_add(u64::from(lanes));
            ensure(end <= u64::from(len), || {
                format!(
                    "constant index {} of {place:?} with {lanes} lanes is past {len}",
                    c.bits
                )
            })?;
        }
        Ok(())
    }

    fn writable(&self, place: Place) -> Check {
        let Place::Buffer(id) = place else {
            return Ok(());
        };
        let p = &self.kernel.params[id.0 as usize];
        ensure(
            matches!(
                p.kind,
                ParamKind::Buffer {
                    access: Access::ReadWrite,
                    ..
                }
            ),
            || format!("buffer `{}` is written but declared read-only", p.name),
        )
    }

    fn frag(&self, op: &FragOp) -> Check {
        let k = self.kernel;
        let get = |id: &Id| {
            k.fragments
                .get(id.0 as usize)
                .copied()
                .ok_or_else(|| format!("fragment {} does not exist", id.0))
        };
        match op {
            FragOp::Fill(id, v) => {
                self.used(*v)?;
                let f = get(id)?;
                ensure(k.ty(*v) == f.elem.into(), || {
                    format!("fragment of {} filled with {}", f.elem, k.ty(*v))
                })
            }
            FragOp::Load {
                frag,
                place,
                index,
                stride,
                ..
            }
            | FragOp::Store {
                frag,
                place,
                index,
                stride,
                ..
            } => {
                self.used(*index)?;
                self.used(*stride)?;
                self.access(*place, *index, 1)?;
                self.access(*place, *stride, 1)
                    .map_err(|e| format!("stride: {e}"))?;
                ensure(!matches!(place, Place::Private(_)), || {
                    "fragment in private memory".into()
                })?;
                if matches!(op, FragOp::Store { .. }) {
                    self.writable(*place)?;
                }
                let f = get(frag)?;
                ensure(k.elem(*place) == Some(f.elem), || {
                    format!("fragment of {} in {place:?}", f.elem)
                })
            }
            FragOp::MulAdd { acc, a, b } => {
                let (c, a, b) = (get(acc)?, get(a)?, get(b)?);
                let shape = |f: Fragment| (f.m, f.n, f.k);
                ensure(
                    c.role == Role::Accumulator
                        && a.role == Role::A
                        && b.role == Role::B
                        && a.elem == b.elem
                        && shape(a) == shape(c)
                        && shape(b) == shape(c),
                    || format!("fragments do not multiply: {a:?} · {b:?} + {c:?}"),
                )
            }
        }
    }
}
