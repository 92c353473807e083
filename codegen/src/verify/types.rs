//! The typing rule of each expression.

use super::{Check, ensure};
use crate::intrinsics;
use crate::ir::*;
use crate::types::{Scalar, Type};

/// Checks one expression: operands precede it, and its type follows from theirs.
pub fn check(k: &Kernel, v: Value) -> Check {
    let (expr, ty) = (k.expr(v), k.ty(v));
    ensure(Type::LANES.contains(&ty.lanes), || {
        format!("{} lanes", ty.lanes)
    })?;
    let mut ordered = true;
    expr.for_each_operand(|o| ordered &= o < v);
    ensure(ordered, || {
        "an operand does not come before its user".into()
    })?;

    let t = |v: &Value| k.ty(*v);
    let wrong = |what: &str| Err(format!("{what} does not give {ty}"));
    match expr {
        Expr::Const(c) => {
            ensure(c.scalar == ty.scalar, || {
                format!("{} constant of type {ty}", c.scalar)
            })?;
            let bits = c.scalar.bits();
            ensure(bits == 64 || c.bits >> bits == 0, || {
                format!("constant {:#x} does not fit {}", c.bits, c.scalar)
            })
        }
        Expr::Param(id) => match k.params.get(id.0 as usize).map(|p| p.kind) {
            Some(ParamKind::Scalar(s)) if ty == s.into() => Ok(()),
            _ => wrong("parameter"),
        },
        Expr::Builtin(b) => {
            if let Builtin::GlobalId(a)
            | Builtin::LocalId(a)
            | Builtin::GroupId(a)
            | Builtin::NumGroups(a) = b
            {
                ensure(*a < 3, || format!("axis {a}"))?;
            }
            ensure(ty == Scalar::U32.into(), || "built-ins are u32".into())
        }
        Expr::LoopIndex | Expr::AtomicResult => Ok(()),
        Expr::Unary(op, a) => unary(*op, t(a), ty),
        Expr::Binary(op, a, b) => {
            ensure(t(a) == t(b), || format!("{op:?} of {} and {}", t(a), t(b)))?;
            binary(*op, t(a), ty)
        }
        Expr::Fma(a, b, c) => ensure(
            ty.scalar.is_float() && [a, b, c].into_iter().all(|x| t(x) == ty),
            || format!("fma of {}, {}, {} gives no {ty}", t(a), t(b), t(c)),
        ),
        Expr::Select { cond, yes, no } => ensure(
            t(cond) == ty.to_bool() && t(yes) == ty && t(no) == ty,
            || format!("select of {}, {}, {} gives no {ty}", t(cond), t(yes), t(no)),
        ),
        Expr::Cast(a, _) => ensure(t(a).lanes == ty.lanes, || {
            format!("cast of {} to {ty}", t(a))
        }),
        Expr::Bitcast(a) => ensure(
            t(a).lanes == ty.lanes
                && t(a).scalar.bytes() == ty.scalar.bytes()
                && t(a).scalar != Scalar::Bool
                && ty.scalar != Scalar::Bool,
            || format!("bitcast of {} to {ty}", t(a)),
        ),
        Expr::Splat(a) => ensure(t(a) == ty.scalar.into(), || {
            format!("splat of {} to {ty}", t(a))
        }),
        Expr::Compose(parts) => ensure(
            parts.len() == usize::from(ty.lanes) && parts.iter().all(|p| t(p) == ty.scalar.into()),
            || format!("{} parts do not make {ty}", parts.len()),
        ),
        Expr::Extract(a, lane) => ensure(ty == t(a).scalar.into() && *lane < t(a).lanes, || {
            format!("lane {lane} of {} gives no {ty}", t(a))
        }),
        Expr::LoadVar(id) => ensure(k.vars.get(id.0 as usize) == Some(&ty), || {
            format!("variable {} is no {ty}", id.0)
        }),
        Expr::Load { place, .. } => ensure(k.elem(*place) == Some(ty.scalar), || {
            format!("load of {ty} from {place:?}")
        }),
        Expr::Subgroup(op, a, arg) => {
            use SubgroupOp::*;
            let ok = match op {
                All | Any => ty == Scalar::Bool.into(),
                _ => ty.lanes == 1 && matches!(ty.scalar.bytes(), 4 | 8),
            };
            ensure(ok && t(a) == ty, || format!("subgroup {op:?} of {}", t(a)))?;
            ensure(arg.is_some() == op.has_arg(), || {
                format!("subgroup {op:?}: lane argument")
            })?;
            ensure(arg.is_none_or(|x| k.ty(x) == Scalar::U32.into()), || {
                "lane arguments are u32".into()
            })
        }
        Expr::Intrinsic(name, args) => {
            let row = intrinsics::find(name).ok_or_else(|| format!("no intrinsic `{name}`"))?;
            ensure(
                args.len() == row.arity && ty.scalar.is_float() && args.iter().all(|a| t(a) == ty),
                || format!("`{name}` takes {} arguments of one float type", row.arity),
            )
        }
    }
}

fn unary(op: UnOp, a: Type, ty: Type) -> Check {
    use UnOp::*;
    let s = a.scalar;
    let ok = match op {
        Neg | Abs => (s.is_int() || s.is_float()) && ty == a,
        Not => (s.is_int() || s == Scalar::Bool) && ty == a,
        Floor | Ceil | Trunc | Rint | Sqrt => s.is_float() && ty == a,
        IsNan | IsInf => s.is_float() && ty == a.to_bool(),
        Popcount | Clz => s.is_int() && ty == a,
    };
    ensure(ok, || format!("{op:?} of {a} gives no {ty}"))
}

fn binary(op: BinOp, a: Type, ty: Type) -> Check {
    use BinOp::*;
    let s = a.scalar;
    let number = s.is_int() || s.is_float();
    let ok = match op {
        Add | Sub | Mul | Div | Rem | Min | Max => number && ty == a,
        MulHi => s.is_int() && s.bytes() >= 4 && ty == a,
        And | Or | Xor => (s.is_int() || s == Scalar::Bool) && ty == a,
        Shl | Shr => s.is_int() && ty == a,
        Eq | Ne => ty == a.to_bool(),
        Lt | Le | Gt | Ge => number && ty == a.to_bool(),
    };
    ensure(ok, || format!("{op:?} of {a} gives no {ty}"))
}
