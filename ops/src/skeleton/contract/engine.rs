//! The vendor's library of matrix products in place of a generated kernel: where both operands lie
//! in memory as they are, and the epilogue is `alpha · sum + beta · C`.

use super::{Contract, failed};
use crate::error::Result;
use crate::expr::{Expr, NodeKind};
use crate::num::Num;
use crate::tensor::Tensor;
use suanzi_backends::Context;
use suanzi_backends::vendor::{Blas, Gemm, Matrix};

/// `factor · term`.
struct Scaled<'a> {
    factor: f64,
    term: &'a Expr,
}

/// An expression as a term times a constant.
fn scaled(e: &Expr) -> Scaled<'_> {
    let constant = |e: &Expr| match &e.0.kind {
        NodeKind::Scalar {
            value: Num::Float(v),
            ..
        } => Some(*v),
        _ => None,
    };
    let found = match &e.0.kind {
        NodeKind::Map(row, _, args) if row.name == "mul" => match &args[..] {
            [x, y] => (constant(y).map(|v| (v, x))).or_else(|| constant(x).map(|v| (v, y))),
            _ => None,
        },
        _ => None,
    };
    let (factor, term) = found.unwrap_or((1.0, e));
    Scaled { factor, term }
}

/// An epilogue as a multiple of the sums, and perhaps a multiple of a tensor.
fn linear(e: &Expr) -> Option<(f64, Option<Scaled<'_>>)> {
    let given = |s: &Scaled<'_>| matches!(s.term.0.kind, NodeKind::Given);
    match &e.0.kind {
        NodeKind::Map(row, _, args) if row.name == "add" => {
            let [x, y] = &args[..] else { return None };
            let (x, y) = (scaled(x), scaled(y));
            match (given(&x), given(&y)) {
                (true, false) => Some((x.factor, Some(y))),
                (false, true) => Some((y.factor, Some(x))),
                _ => None,
            }
        }
        _ => {
            let alone = scaled(e);
            given(&alone).then_some((alone.factor, None))
        }
    }
}

/// The last two axes, if there is one matrix.
fn matrix(t: &Tensor) -> Option<Matrix<'_>> {
    let [batch @ .., _, _] = t.shape() else {
        return None;
    };
    let [.., down, right] = *t.strides() else {
        return None;
    };
    batch.iter().all(|&n| n == 1).then(|| Matrix {
        memory: t.buffer().memory(),
        offset: t.offset() as u64,
        row_stride: down,
        col_stride: right,
    })
}

fn is_same(a: &Tensor, b: &Tensor) -> bool {
    let places = [a, b].map(|t| (t.shape(), t.strides(), t.offset()));
    places[0] == places[1] && a.buffer().memory().same(b.buffer().memory())
}

/// Has the library do a contraction, if one is to be used and does it. The result is in `out`.
pub fn run(
    ctx: &Context,
    c: &Contract<'_>,
    epilogue: &Expr,
    out: &Tensor,
    [m, n, k]: [usize; 3],
) -> Result<bool> {
    let Some(blas) = ctx.blas() else {
        return Ok(false);
    };
    let ran = ask(ctx, blas, c, epilogue, out, [m, n, k]);
    match ran {
        None => Ok(false),
        Some(ran) => {
            let ran = ran?;
            if ran {
                ctx.dispatched(c.op, "gemm", blas.name(), [1, 1, 1]);
            }
            Ok(ran)
        }
    }
}

/// Nothing where the contraction is none that a library could do.
fn ask(
    ctx: &Context,
    blas: &dyn Blas,
    c: &Contract<'_>,
    epilogue: &Expr,
    out: &Tensor,
    [m, n, k]: [usize; 3],
) -> Option<Result<bool>> {
    let [_, 1, 1] = c.axes else { return None };
    let (a, b) = (c.a.tensor()?, c.b.tensor()?);
    let dtype = out.dtype();
    if [a.dtype(), b.dtype(), c.dtype].iter().any(|&d| d != dtype) || !blas.does(dtype) {
        return None;
    }
    let (alpha, added) = linear(epilogue)?;
    let mut beta = 0.0;
    // What is added is copied into the result first, unless it is there.
    let mut copied = None;
    if let Some(added) = added {
        let tensor = added.term.tensor().filter(|t| t.dtype() == dtype)?;
        beta = added.factor;
        copied = (!is_same(tensor, out)).then_some(added.term);
        if copied.is_some() && tensor.buffer().memory().same(out.buffer().memory()) {
            return None;
        }
    }
    let gemm = Gemm {
        dtype,
        m: m as u64,
        n: n as u64,
        k: k as u64,
        a: matrix(a)?,
        b: matrix(b)?,
        c: matrix(out)?,
        alpha,
        beta,
    };
    if let Some(term) = copied {
        // The library may still refuse; the kernel that then runs reads what is added where it was.
        let shaped = Expr::given(ctx, dtype, out.shape());
        if term.shape() != shaped.shape() {
            return None;
        }
        if let Err(e) = term.eval_into(out) {
            return Some(Err(e));
        }
    }
    let ran = blas.gemm(&gemm);
    Some(ran.map_err(|e| failed(c.op, epilogue, e)))
}
