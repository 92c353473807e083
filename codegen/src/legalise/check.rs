//! The contract with the emitters, as a check.

use super::Unsupported;
use super::support;
use crate::ir::*;
use crate::target::{Soft, Support, Target};
use crate::types::Scalar::{self, *};

/// Checks that a kernel is in the form that [`super::legalise`] gives it for a target.
///
/// # Errors
/// The first construct that the emitters of this target need not know.
pub fn check_legal(kernel: &Kernel, target: &Target) -> Result<(), Unsupported> {
    legal(kernel, target).map_err(|what| Unsupported {
        kernel: kernel.name.clone(),
        what,
    })
}

fn ensure(ok: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if ok { Ok(()) } else { Err(what()) }
}

fn legal(k: &Kernel, t: &Target) -> Result<(), String> {
    support::check(k, t)?;
    let buffers = k.params.iter().filter_map(|p| match p.kind {
        ParamKind::Buffer { elem, .. } => Some((&p.name, elem)),
        ParamKind::Scalar(_) => None,
    });
    let arrays = k.shared.iter().chain(&k.private).map(|a| (&a.name, a.elem));
    for (name, elem) in buffers.chain(arrays) {
        ensure(in_memory(t, elem), || format!("`{name}` holds {elem}"))?;
    }
    for ty in k.types.iter().chain(&k.vars) {
        ensure(ty.lanes <= t.max_lanes, || format!("a value is {ty}"))?;
    }
    for ty in &k.vars {
        ensure(calculates(t, ty.scalar), || format!("a variable is {ty}"))?;
    }
    for (e, ty) in k.exprs.iter().zip(&k.types) {
        expr(k, t, e, ty.scalar)?;
    }
    let mut result = Ok(());
    k.for_each_stmt(&mut |s| {
        // What is stored or fills a fragment comes right from a conversion, or from another load.
        if let Stmt::StoreVar(_, v) = s
            && !calculates(t, k.ty(*v).scalar)
        {
            result = Err(format!("a variable is assigned {}", k.ty(*v)));
        }
    });
    result
}

fn in_memory(t: &Target, s: Scalar) -> bool {
    match s {
        Bool => false,
        Bf16 => t.bf16 == Support::Native,
        _ => matches!(t.support(s), Support::Native | Support::Storage),
    }
}

fn calculates(t: &Target, s: Scalar) -> bool {
    s == Bool || t.support(s) == Support::Native
}

fn expr(k: &Kernel, t: &Target, e: &Expr, s: Scalar) -> Result<(), String> {
    use BinOp::*;
    use UnOp::*;
    let kind = |v: &Value| k.ty(*v).scalar;
    let refuse = |what: String| Err(format!("{what} is left to the emitter"));
    // Narrow kinds pass only between memory and a conversion.
    match e {
        Expr::Load { .. } => {}
        Expr::Cast(a, _) => ensure(calculates(t, s) || calculates(t, kind(a)), || {
            format!("cast of {} to {s}", kind(a))
        })?,
        _ => {
            let mut ok = calculates(t, s);
            e.for_each_operand(|o| ok &= calculates(t, kind(&o)));
            ensure(ok, || format!("{e:?} in a kind that is only stored"))?;
        }
    }
    match e {
        Expr::Unary(op, a) => match op {
            Abs | IsNan | IsInf => refuse(format!("{op:?} of {}", kind(a))),
            Neg if s.is_float() => refuse(format!("{op:?} of {s}")),
            Floor | Ceil | Trunc | Rint if s == F64 && t.soft.contains(&Soft::WholeF64) => {
                refuse(format!("{op:?} of {s}"))
            }
            Sqrt if t.soft.contains(&Soft::Sqrt) => refuse(format!("{op:?} of {s}")),
            Popcount | Clz if s.bytes() != 4 => refuse(format!("{op:?} of {s}")),
            _ => Ok(()),
        },
        Expr::Binary(op, a, _) => match op {
            Div if s.is_float() && t.soft.contains(&Soft::Div) => refuse(format!("{op:?} of {s}")),
            Min | Max | Rem if s.is_float() => refuse(format!("{op:?} of {s}")),
            MulHi if t.soft.contains(&Soft::MulHi) => refuse(format!("{op:?} of {s}")),
            Eq | Ne if kind(a) == Bool => refuse(format!("{op:?} of bools")),
            _ => Ok(()),
        },
        Expr::Fma(..) => ensure(t.fused_fma && matches!(s, F32 | F64), || {
            format!("fma of {s} is left to the emitter")
        }),
        Expr::Cast(a, mode) => cast(t, kind(a), s, *mode),
        _ => Ok(()),
    }
}

fn cast(t: &Target, from: Scalar, to: Scalar, mode: CastMode) -> Result<(), String> {
    let wide_int = |s: Scalar| s.is_int() && s.bytes() >= 4;
    let soft = match (from, to) {
        (I64 | U64, F32) => t.soft.contains(&Soft::Int64ToF32),
        (F64, F32) => t.soft.contains(&Soft::F64ToF32),
        (I8 | I16 | I32, I64) => t.soft.contains(&Soft::SignExtend),
        _ => false,
    };
    let known = match (from, to) {
        (F16 | Bf16, F32) | (F32, F16 | Bf16) | (F32, F64) | (F64, F32) => true,
        _ if from.is_int() && to.is_int() => {
            from.bytes() >= to.bytes() || from.is_signed_int() == to.is_signed_int()
        }
        (F32 | F64, _) => wide_int(to),
        (_, F32 | F64) => wide_int(from),
        _ => false,
    };
    ensure(known && !soft && mode == CastMode::Wrap, || {
        format!("cast of {from} to {to} ({mode:?}) is left to the emitter")
    })
}
