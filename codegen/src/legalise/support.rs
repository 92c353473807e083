//! What a target must have because nothing else can stand for it.

use crate::ir::*;
use crate::target::{Support, Target};
use crate::types::Scalar::{self, *};

/// Names the first thing that a kernel needs and a target lacks.
pub fn check(k: &Kernel, t: &Target) -> Result<(), String> {
    let memory = k.params.iter().map(|p| match p.kind {
        ParamKind::Buffer { elem, .. } => elem,
        ParamKind::Scalar(s) => s,
    });
    let arrays = k.shared.iter().chain(&k.private).map(|a| a.elem);
    let values = k.types.iter().chain(&k.vars).map(|ty| ty.scalar);
    for s in memory.chain(arrays).chain(values) {
        scalar(t, s)?;
    }
    for f in &k.fragments {
        fragment(t, f)?;
    }
    for e in &k.exprs {
        let subgroup = matches!(
            e,
            Expr::Subgroup(..)
                | Expr::Builtin(
                    Builtin::SubgroupSize | Builtin::SubgroupLane | Builtin::SubgroupId
                )
        );
        ensure(!subgroup || t.subgroups, "subgroup operations")?;
    }
    let mut wide_atomic = false;
    k.for_each_stmt(&mut |s| {
        if let Stmt::Atomic { value, .. } = s {
            wide_atomic |= k.ty(*value).scalar.bytes() == 8;
        }
    });
    ensure(!wide_atomic || t.atomic64, "64-bit atomics")
}

fn ensure(ok: bool, what: &str) -> Result<(), String> {
    if ok {
        Ok(())
    } else {
        Err(format!("needs {what}, which this target lacks"))
    }
}

fn scalar(t: &Target, s: Scalar) -> Result<(), String> {
    let ok = match s {
        // Bools have bytes to stand for them in memory, and bytes have words.
        Bool => true,
        I64 | U64 => t.int64 == Support::Native,
        F64 => t.f64 == Support::Native,
        _ => t.support(s) != Support::Missing,
    };
    ensure(ok, s.name())?;
    // Signs, NaNs and remainders of f64 are read off its bits.
    ensure(
        s != F64 || t.int64 == Support::Native,
        "64-bit integers beside f64",
    )
}

fn fragment(t: &Target, f: &Fragment) -> Result<(), String> {
    let dims = format!(
        "{:?} fragments of {} for {}x{}x{}",
        f.role, f.elem, f.m, f.n, f.k
    );
    ensure(t.fragments.contains(f), &dims)?;
    let addressable = super::memory::memory_kind(t, f.elem) == f.elem;
    ensure(
        addressable,
        &format!("{} in memory for its fragments", f.elem),
    )
}
