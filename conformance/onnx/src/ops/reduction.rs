//! Reductions and arg-reductions.

use super::{Op, exact, op, out};
use crate::call::{Call, Value};
use crate::error::Result;
use suanzi_ops::{Expr, Scalar, Tensor, ops};

pub const OPS: &[Op] = &[
    op("ReduceSum", |c| reduce(c, ops::sum)),
    op("ReduceMean", |c| reduce(c, ops::mean)),
    op("ReduceProd", |c| reduce(c, ops::prod)),
    op("ReduceL1", |c| reduce(c, ops::norm_l1)),
    op("ReduceL2", |c| reduce(c, ops::norm_l2)),
    op("ReduceSumSquare", |c| reduce(c, ops::sum_squares)),
    op("ReduceLogSum", |c| reduce(c, ops::log_sum)),
    op("ReduceLogSumExp", |c| reduce(c, ops::logsumexp)),
    exact("ReduceMax", |c| extreme(c, ops::max, ops::any)),
    exact("ReduceMin", |c| extreme(c, ops::min, ops::all)),
    exact("ArgMax", |c| arg(c, ops::argmax)),
    exact("ArgMin", |c| arg(c, ops::argmin)),
];

type Reduction = fn(Expr, &[i64], bool) -> suanzi_ops::Result<Tensor>;

/// Axes are an attribute in old operator sets and an input in new ones; without any, all are
/// reduced, or none where the operator says so.
fn reduce(c: &Call, reduction: Reduction) -> Result<Vec<Value>> {
    let (x, axes) = (c.e(0)?, c.ints_or(1, "axes")?.unwrap_or_default());
    if axes.is_empty() && c.flag("noop_with_empty_axes", false) {
        // Each element by itself: over an axis of length 1.
        let alone = x.eval()?.unsqueeze(0)?;
        return out(reduction(alone.expr(), &[0], false));
    }
    out(reduction(x, &axes, c.flag("keepdims", true)))
}

/// Of bools the largest is whether any is true, and the smallest whether all are.
fn extreme(c: &Call, numbers: Reduction, bools: Reduction) -> Result<Vec<Value>> {
    match c.x(0)?.dtype() {
        Scalar::Bool => reduce(c, bools),
        _ => reduce(c, numbers),
    }
}

/// The last of equals is the first in reverse order.
fn arg(c: &Call, reduction: Reduction) -> Result<Vec<Value>> {
    let (x, keep) = (c.x(0)?, c.flag("keepdims", true));
    let axis = c.axis(c.int("axis", 0), x.shape().len())?;
    if !c.flag("select_last_index", false) {
        return out(reduction(x.expr(), &[axis as i64], keep));
    }
    let from_end = reduction(x.flip(axis as i64)?.expr(), &[axis as i64], keep)?;
    let last = Expr::scalar(
        Scalar::I64,
        suanzi_ops::Num::Int(x.shape()[axis] as i128 - 1),
    );
    out(ops::sub(last, from_end))
}
