//! Picking elements by position, and finding positions.

use super::{Op, exact, out};
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::ops::{self, Bounds};
use suanzi_ops::{Expr, Num, Scalar, Tensor};

/// ONNX leaves indices beyond an axis undefined; here they are errors.
const BOUNDS: Bounds = Bounds::Check;

pub const OPS: &[Op] = &[
    exact("Gather", |c| {
        out(ops::gather(c.x(0)?, c.x(1)?, c.int("axis", 0), BOUNDS))
    }),
    exact("GatherElements", |c| {
        out(ops::take_along_axis(
            c.x(0)?,
            c.x(1)?,
            c.int("axis", 0),
            BOUNDS,
        ))
    }),
    exact("GatherND", |c| {
        let batch = usize::try_from(c.int("batch_dims", 0));
        let batch = batch.map_err(|_| malformed("a negative number of batch axes"))?;
        out(ops::gather_nd(c.x(0)?, c.x(1)?, batch, BOUNDS))
    }),
    exact("OneHot", one_hot),
    exact("NonZero", |c| out(ops::nonzero(c.x(0)?))),
    exact("Compress", |c| {
        let axis = c.attribute("axis").and_then(|a| a.i);
        out(ops::compact(c.x(0)?, c.x(1)?, axis))
    }),
    exact("TopK", top_k),
    exact("Unique", unique),
];

/// Depth and indices may be floats.
fn one_hot(c: &Call) -> Result<Vec<Value>> {
    let indices = ops::cast(c.e(0)?, Scalar::I64).eval()?;
    let depth = c.number_at(1)?.map(|n| usize::try_from(n.int()));
    let values = c.numbers(2)?;
    let (Some(Ok(depth)), Some([off, on])) = (depth, values.as_deref()) else {
        return Err(malformed("OneHot takes a depth and two values"));
    };
    let (axis, dtype) = (c.int("axis", -1), c.x(2)?.dtype());
    out(ops::one_hot(&indices, depth, axis, dtype, *on, *off))
}

fn top_k(c: &Call) -> Result<Vec<Value>> {
    let k = c.number_at(1)?.map(|n| usize::try_from(n.int()));
    let Some(Ok(k)) = k else {
        return Err(malformed("TopK has no k"));
    };
    let (axis, largest) = (c.int("axis", -1), c.flag("largest", true));
    let [values, positions] = ops::topk(c.x(0)?, k, axis, largest)?;
    Ok(vec![values.into(), positions.into()])
}

fn unique(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let found = match c.attribute("axis").and_then(|a| a.i) {
        None => {
            let u = ops::unique(x)?;
            [u.values, u.positions, u.inverse, u.counts]
        }
        Some(axis) => unique_slices(c, x, c.axis(axis, x.shape().len())?)?,
    };
    if c.flag("sorted", true) {
        return Ok(found.map(Value::from).into());
    }
    // In the order in which they appear: that of their first positions.
    let [values, positions, inverse, counts] = found;
    let order = ops::argsort(&positions, 0, false)?;
    let rank = ops::argsort(&order, 0, false)?;
    let axis = c.int("axis", 0);
    Ok(vec![
        pick(&values, &order, axis)?.into(),
        pick(&positions, &order, 0)?.into(),
        pick(&rank, &inverse, 0)?.into(),
        pick(&counts, &order, 0)?.into(),
    ])
}

/// The different slices along an axis, ascending as lists of numbers.
fn unique_slices(c: &Call, x: &Tensor, axis: usize) -> Result<[Tensor; 4]> {
    let front: Vec<i64> = std::iter::once(axis)
        .chain((0..x.shape().len()).filter(|&a| a != axis))
        .map(|a| a as i64)
        .collect();
    let moved = x.permute(&front)?;
    let n = x.shape()[axis];
    let rows = moved.reshape(&[n, x.numel() / n.max(1)])?;
    // A stable sort by each column, the last one first.
    let mut order = ops::iota(c.ctx, Scalar::I64, &[n], Num::Int(0), Num::Int(1))?;
    for column in (0..rows.shape()[1] as i64).rev() {
        let keys = rows.slice(1, column, column + 1, 1)?.reshape(&[n])?;
        let next = ops::argsort(&pick(&keys, &order, 0)?, 0, false)?;
        order = pick(&order, &next, 0)?;
    }
    let sorted = pick(&rows, &order, 0)?;
    let changed = ops::ne(sorted.slice(0, 1, i64::MAX, 1)?, sorted.slice(0, 0, -1, 1)?)?;
    let first = ops::fill(c.ctx, Scalar::Bool, &[n.min(1)], Num::Bool(true))?;
    let starts = ops::concat(&[first, ops::any(changed, &[1], false)?], 0)?;
    let group = ops::cumsum(ops::cast(&starts, Scalar::I64), 0, ops::Span::default())?;
    let group = ops::sub(group, 1)?.eval()?;

    let kept = ops::compact(&pick(&moved, &order, 0)?, &starts, Some(0))?;
    let back = |a: usize| front.iter().position(|&f| f as usize == a).unwrap_or(0) as i64;
    let back: Vec<i64> = (0..front.len()).map(back).collect();
    let begins = ops::nonzero(&starts)?;
    let begins = begins.reshape(&[begins.numel()])?;
    let end = ops::fill(c.ctx, Scalar::I64, &[1], Num::Int(n as i128))?;
    let ends = ops::concat(&[begins.slice(0, 1, i64::MAX, 1)?, end], 0)?;
    Ok([
        kept.permute(&back)?,
        ops::compact(&order, &starts, Some(0))?,
        pick(&group, &ops::argsort(&order, 0, false)?, 0)?,
        ops::sub(ends, begins)?.eval()?,
    ])
}

fn pick(x: &Tensor, indices: &Tensor, axis: i64) -> Result<Tensor> {
    let picked: Expr = ops::gather(x, indices, axis, BOUNDS)?;
    Ok(picked.eval()?)
}
