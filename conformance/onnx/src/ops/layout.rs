//! Shapes, views and what moves elements without choosing among them.

use super::{Op, exact, out, view};
use crate::array::{Array, Elem};
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::{Num, Scalar, Tensor, ops};

pub const OPS: &[Op] = &[
    view("Identity", |c| same(c, c.x(0)?.clone())),
    view("Reshape", reshape),
    view("Flatten", flatten),
    view("Squeeze", squeeze),
    view("Unsqueeze", unsqueeze),
    view("Constant", constant),
    view("ConstantOfShape", constant_of_shape),
    view("Shape", shape_of),
    view("Size", |c| {
        let count = c.x(0)?.numel() as i128;
        out(c.tensor(Scalar::I64, &[], &[Num::Int(count)]))
    }),
    exact("Transpose", transpose),
    exact("Expand", expand),
    view("Slice", slice),
    exact("Split", split),
];

/// A view of the first input: its elements stay what they are.
fn same(c: &Call, tensor: Tensor) -> Result<Vec<Value>> {
    let elem = c.value(0).map(|v| v.elem);
    let elem = elem.unwrap_or(Elem::Plain(tensor.dtype()));
    Ok(vec![Value { tensor, elem }])
}

/// 0 keeps an axis (unless `allowzero`), and one -1 is what is left.
fn reshape(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let wanted = c.ints_or(1, "shape")?;
    let wanted = wanted.ok_or_else(|| malformed("Reshape has no shape"))?;
    let keep = !c.flag("allowzero", false);
    let mut shape = vec![];
    for (i, &d) in wanted.iter().enumerate() {
        shape.push(match d {
            0 if keep => *x
                .shape()
                .get(i)
                .ok_or_else(|| malformed("no axis to keep"))?,
            -1 => 1,
            d => usize::try_from(d).map_err(|_| malformed(format!("an axis of length {d}")))?,
        });
    }
    if let Some(i) = wanted.iter().position(|&d| d == -1) {
        let others: usize = shape.iter().product();
        shape[i] = x.numel().checked_div(others).unwrap_or(0);
    }
    same(c, x.reshape(&shape)?)
}

fn flatten(c: &Call) -> Result<Vec<Value>> {
    let (x, axis) = (c.x(0)?, c.int("axis", 1));
    let rank = x.shape().len();
    let at = usize::try_from(if axis < 0 { axis + rank as i64 } else { axis });
    let Some(at) = at.ok().filter(|&a| a <= rank) else {
        return Err(malformed(format!("Flatten: no axis {axis} of {rank}")));
    };
    let (rows, columns) = x.shape().split_at(at);
    same(
        c,
        x.reshape(&[rows.iter().product(), columns.iter().product()])?,
    )
}

fn squeeze(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let rank = x.shape().len();
    let gone: Vec<usize> = match c.ints_or(1, "axes")? {
        Some(axes) => axes
            .iter()
            .map(|&a| c.axis(a, rank))
            .collect::<Result<_>>()?,
        None => (0..rank).filter(|&a| x.shape()[a] == 1).collect(),
    };
    let kept = (0..rank)
        .filter(|a| !gone.contains(a))
        .map(|a| x.shape()[a]);
    same(c, x.reshape(&kept.collect::<Vec<_>>())?)
}

fn unsqueeze(c: &Call) -> Result<Vec<Value>> {
    let mut x = c.x(0)?.clone();
    let axes = c.ints_or(1, "axes")?.unwrap_or_default();
    let rank = x.shape().len() + axes.len();
    // Positions are those in the result, so that they are made from the first to the last.
    let mut at: Vec<usize> = axes
        .iter()
        .map(|&a| c.axis(a, rank))
        .collect::<Result<_>>()?;
    at.sort_unstable();
    for a in at {
        x = x.unsqueeze(a as i64)?;
    }
    same(c, x)
}

fn constant(c: &Call) -> Result<Vec<Value>> {
    let f = |x: f32| Num::Float(x.into());
    let i = |x: i64| Num::Int(x.into());
    let one = |n: Num, dtype| out(c.tensor(dtype, &[], &[n]));
    let Some(a) = c.node.attributes.first() else {
        return Err(malformed("Constant has no value"));
    };
    let value = match a.name.as_str() {
        "value" => {
            a.t.as_ref()
                .map(|t| Ok(vec![Value::upload(c.ctx, &Array::from_proto(t)?)?]))
        }
        "value_float" => a.f.map(|x| one(f(x), Scalar::F32)),
        "value_int" => a.i.map(|x| one(i(x), Scalar::I64)),
        "value_floats" => {
            let numbers: Vec<Num> = a.floats.iter().map(|&x| f(x)).collect();
            Some(out(c.tensor(Scalar::F32, &[numbers.len()], &numbers)))
        }
        "value_ints" => {
            let numbers: Vec<Num> = a.ints.iter().map(|&x| i(x)).collect();
            Some(out(c.tensor(Scalar::I64, &[numbers.len()], &numbers)))
        }
        other => return c.unknown(other),
    };
    value.ok_or_else(|| malformed("Constant has an empty value"))?
}

fn constant_of_shape(c: &Call) -> Result<Vec<Value>> {
    let shape = lengths(&c.ints_at(0)?.unwrap_or_default())?;
    let (dtype, value) = match c.attribute("value").and_then(|a| a.t.as_ref()) {
        None => (Scalar::F32, Num::Float(0.0)),
        Some(t) => {
            let array = Array::from_proto(t)?;
            let first = array.numbers().next();
            let first = first.ok_or_else(|| malformed("ConstantOfShape has an empty value"))?;
            (array.elem.storage(), first)
        }
    };
    out(ops::fill(c.ctx, dtype, &shape, value))
}

/// The lengths of the axes from `start` to before `end`, which are clamped.
fn shape_of(c: &Call) -> Result<Vec<Value>> {
    let shape = c.x(0)?.shape();
    let rank = shape.len() as i64;
    let clamp = |i: i64| (if i < 0 { i + rank } else { i }).clamp(0, rank) as usize;
    let (start, end) = (clamp(c.int("start", 0)), clamp(c.int("end", rank)));
    let part = shape.get(start..end).unwrap_or_default();
    let numbers: Vec<Num> = part.iter().map(|&d| Num::Int(d as i128)).collect();
    out(c.tensor(Scalar::I64, &[numbers.len()], &numbers))
}

fn transpose(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let reversed = || (0..x.shape().len() as i64).rev().collect();
    same(c, x.permute(&c.ints("perm").unwrap_or_else(reversed))?)
}

/// Both shapes broadcast: the input may be the longer one.
fn expand(c: &Call) -> Result<Vec<Value>> {
    let (x, shape) = (c.x(0)?, lengths(&c.ints_at(1)?.unwrap_or_default())?);
    let rank = shape.len().max(x.shape().len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    let both: Vec<usize> = (0..rank)
        .map(|i| match (at(x.shape(), i), at(&shape, i)) {
            (1, d) => d,
            (d, _) => d,
        })
        .collect();
    same(c, x.expand(&both)?)
}

fn slice(c: &Call) -> Result<Vec<Value>> {
    let mut x = c.x(0)?.clone();
    let starts = c.ints_or(1, "starts")?.unwrap_or_default();
    let ends = c.ints_or(2, "ends")?.unwrap_or_default();
    let axes = c.ints_or(3, "axes")?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = c.ints_at(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(malformed("Slice has lists of different lengths"));
    }
    for i in 0..starts.len() {
        x = x.slice(axes[i], starts[i], ends[i], steps[i])?;
    }
    same(c, x)
}

/// Into given lengths, or into as many equal ones as there are outputs, the last one shorter.
fn split(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let axis = c.axis(c.int("axis", 0), x.shape().len())?;
    let length = x.shape()[axis] as i64;
    let lengths = c.ints_or(1, "split")?.unwrap_or_else(|| {
        let parts = c.node.outputs.len().max(1) as i64;
        let each = (length + parts - 1) / parts;
        (0..parts).map(|i| each.min(length - i * each)).collect()
    });
    let mut start = 0;
    let mut parts = vec![];
    for n in lengths {
        parts.extend(same(c, x.slice(axis as i64, start, start + n, 1)?)?);
        start += n;
    }
    Ok(parts)
}

/// Lengths of axes.
fn lengths(numbers: &[i64]) -> Result<Vec<usize>> {
    let length = |&d: &i64| usize::try_from(d);
    let lengths = numbers
        .iter()
        .map(length)
        .collect::<std::result::Result<_, _>>();
    lengths.map_err(|_| malformed(format!("{numbers:?} is no shape")))
}
