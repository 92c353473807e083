//! Running sums and products, and sequences.

use super::{Op, exact, op, out};
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::ops::{self, Span};
use suanzi_ops::{Expr, Num, Scalar, Tensor};

pub const OPS: &[Op] = &[
    op("CumSum", |c| cumulate(c, ops::cumsum)),
    op("CumProd", |c| cumulate(c, ops::cumprod)),
    exact("Range", range),
    op("HannWindow", |c| window(c, [0.5, 0.5, 0.0])),
    op("HammingWindow", |c| {
        window(c, [25.0 / 46.0, 21.0 / 46.0, 0.0])
    }),
    op("BlackmanWindow", |c| window(c, [0.42, 0.5, 0.08])),
];

type Cumulation = fn(Expr, i64, Span) -> suanzi_ops::Result<Tensor>;

fn cumulate(c: &Call, cumulation: Cumulation) -> Result<Vec<Value>> {
    let axis = c.number_at(1)?;
    let axis = axis.ok_or_else(|| malformed("no axis is given"))?.int() as i64;
    let span = Span {
        exclusive: c.flag("exclusive", false),
        reverse: c.flag("reverse", false),
    };
    out(cumulation(c.e(0)?, axis, span))
}

/// From start to before limit, by delta.
fn range(c: &Call) -> Result<Vec<Value>> {
    let [Some(start), Some(limit), Some(delta)] =
        [c.number_at(0)?, c.number_at(1)?, c.number_at(2)?]
    else {
        return Err(malformed("Range takes three numbers"));
    };
    let steps = ((limit.float() - start.float()) / delta.float()).ceil();
    // NaN and negative numbers become 0.
    let count = steps.max(0.0) as usize;
    out(ops::iota(c.ctx, c.x(0)?.dtype(), &[count], start, delta))
}

/// `a - b cos x + c cos 2x`, x going once round; the last point is the first of the next round
/// (periodic), or the end of this one.
fn window(c: &Call, [a, b, d]: [f64; 3]) -> Result<Vec<Value>> {
    let size = c.number_at(0)?.map(|n| usize::try_from(n.int()));
    let Some(Ok(size)) = size else {
        return Err(malformed("a window has a size"));
    };
    let round = if c.flag("periodic", true) {
        size
    } else {
        size.max(2) - 1
    };
    // In units of half rounds, which cospi takes.
    let step = Num::Float(2.0 / round as f64);
    let x = Expr::iota(c.ctx, Scalar::F32, &[size], Num::Float(0.0), step)?;
    let once = ops::mul(ops::cospi(&x)?, -b)?;
    let twice = ops::mul(ops::cospi(ops::mul(&x, 2.0)?)?, d)?;
    let sum = ops::add(ops::add(once, a)?, twice)?;
    let to = c.elem("output_datatype")?;
    out(ops::cast(
        sum,
        to.map_or(Scalar::F32, |elem| elem.storage()),
    ))
}
