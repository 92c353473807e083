//! Shapes, views and what moves elements without choosing among them.

use super::{Op, exact, op, out, view};
use crate::array::{Array, Elem};
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::ops::{self, BlockMode, PadMode, Window};
use suanzi_ops::{Num, Scalar, Tensor};

pub const OPS: &[Op] = &[
    view("Identity", |c| same(c, c.x(0)?.clone())),
    view("Reshape", reshape),
    view("Flatten", flatten),
    view("Squeeze", squeeze),
    view("Unsqueeze", unsqueeze),
    view("Dropout", dropout),
    view("Constant", constant),
    view("ConstantOfShape", constant_of_shape),
    view("Shape", shape_of),
    view("Size", |c| {
        let count = c.x(0)?.numel() as i128;
        out(c.tensor(Scalar::I64, &[], &[Num::Int(count)]))
    }),
    exact("Transpose", transpose),
    view("Expand", |c| {
        let to = lengths(&c.ints_at(1)?.unwrap_or_default())?;
        same(c, ops::expand(c.x(0)?, &to)?)
    }),
    view("Slice", slice),
    view("Split", split),
    exact("Concat", |c| out(ops::concat(&c.all()?, c.int("axis", 0)))),
    exact("Tile", |c| {
        let repeats = lengths(&c.ints_at(1)?.unwrap_or_default())?;
        out(ops::tile(c.x(0)?, &repeats))
    }),
    exact("Pad", pad),
    exact("CenterCropPad", |c| {
        let to = lengths(&c.ints_at(1)?.unwrap_or_default())?;
        let all = || (0..to.len() as i64).collect();
        let axes = c.ints("axes").unwrap_or_else(all);
        out(ops::center_crop_pad(c.x(0)?, &to, &axes))
    }),
    exact("Trilu", |c| {
        let k = c.number_at(1)?.map_or(0, |n| n.int() as i64);
        match c.flag("upper", true) {
            true => out(ops::triu(c.e(0)?, k)),
            false => out(ops::tril(c.e(0)?, k)),
        }
    }),
    exact("EyeLike", |c| {
        let (x, elem) = (c.x(0)?, c.elem("dtype")?);
        let dtype = elem.map_or(x.dtype(), Elem::storage);
        let &[rows, columns] = x.shape() else {
            return Err(malformed("EyeLike takes two axes"));
        };
        out(ops::eye(c.ctx, dtype, rows, columns, c.int("k", 0)))
    }),
    exact("DepthToSpace", |c| {
        let (block, mode) = blocks(c)?;
        out(ops::depth_to_space(c.x(0)?, block, mode))
    }),
    exact("SpaceToDepth", |c| {
        let (block, mode) = blocks(c)?;
        out(ops::space_to_depth(c.x(0)?, block, mode))
    }),
    exact("ReverseSequence", |c| {
        let (batch, time) = (c.int("batch_axis", 1), c.int("time_axis", 0));
        out(ops::reverse_sequence(c.x(0)?, c.x(1)?, batch, time))
    }),
    op("Col2Im", col2im),
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

/// Where nothing is dropped: the input, and a mask that keeps all. ONNX fixes no generator for the
/// other cases.
fn dropout(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let training = c.number_at(2)?.is_some_and(Num::bool);
    let ratio = c.number_at(1)?.map_or(0.5, Num::float);
    if training && ratio > 0.0 {
        return c.unknown("a random mask");
    }
    let mask = ops::fill(c.ctx, Scalar::Bool, x.shape(), Num::Bool(true))?;
    Ok([same(c, x.clone())?, vec![mask.into()]].concat())
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
    same(
        c,
        ops::permute(x, &c.ints("perm").unwrap_or_else(reversed))?,
    )
}

fn slice(c: &Call) -> Result<Vec<Value>> {
    let starts = c.ints_or(1, "starts")?.unwrap_or_default();
    let ends = c.ints_or(2, "ends")?.unwrap_or_default();
    let axes = c.ints_or(3, "axes")?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = c.ints_at(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    same(c, ops::slice(c.x(0)?, &starts, &ends, &axes, &steps)?)
}

/// Into given lengths, or into as many equal ones as there are outputs, the last one shorter.
fn split(c: &Call) -> Result<Vec<Value>> {
    let (x, axis) = (c.x(0)?, c.int("axis", 0));
    let parts = match c.ints_or(1, "split")? {
        Some(sizes) => ops::split(x, &lengths(&sizes)?, axis)?,
        None => ops::chunk(x, c.node.outputs.len(), axis)?,
    };
    let parts = parts.into_iter().map(|part| same(c, part));
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

/// All widths before the axes, then all behind them.
fn pad(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let rank = x.shape().len();
    let widths = c.ints_or(1, "pads")?.unwrap_or_default();
    let axes: Vec<usize> = match c.ints_at(3)? {
        Some(axes) => axes
            .iter()
            .map(|&a| c.axis(a, rank))
            .collect::<Result<_>>()?,
        None => (0..rank).collect(),
    };
    if widths.len() != 2 * axes.len() {
        return Err(malformed("Pad takes two widths for each axis"));
    }
    let mut pads = vec![(0, 0); rank];
    for (i, &a) in axes.iter().enumerate() {
        pads[a] = (widths[i], widths[i + axes.len()]);
    }
    let value = c.number_at(2)?.unwrap_or(Num::Int(0));
    let mode = PadMode::named(&c.text("mode", "constant"), value)?;
    out(ops::pad(x, &pads, mode))
}

fn blocks(c: &Call) -> Result<(usize, BlockMode)> {
    let mode = match c.text("mode", "DCR").as_str() {
        "DCR" => BlockMode::Dcr,
        "CRD" => BlockMode::Crd,
        other => return c.unknown(&format!("mode `{other}`")),
    };
    let block = usize::try_from(c.int("blocksize", 0));
    Ok((block.map_err(|_| malformed("a negative block"))?, mode))
}

/// All pads before the axes, then all behind them.
fn col2im(c: &Call) -> Result<Vec<Value>> {
    let image = lengths(&c.ints_at(1)?.unwrap_or_default())?;
    let axes = image.len();
    let list = |name, default: usize, count: usize| match c.ints(name) {
        Some(list) if list.len() == count => lengths(&list),
        Some(_) => Err(malformed(format!("Col2Im takes {count} {name}"))),
        None => Ok(vec![default; count]),
    };
    let pads = list("pads", 0, 2 * axes)?;
    let window = Window {
        kernel: lengths(&c.ints_at(2)?.unwrap_or_default())?,
        strides: list("strides", 1, axes)?,
        dilations: list("dilations", 1, axes)?,
        pads: (0..axes).map(|i| (pads[i], pads[i + axes])).collect(),
    };
    out(ops::col2im(c.x(0)?, &image, &window))
}

/// Lengths of axes.
pub fn lengths(numbers: &[i64]) -> Result<Vec<usize>> {
    let length = |&d: &i64| usize::try_from(d);
    let lengths = numbers
        .iter()
        .map(length)
        .collect::<std::result::Result<_, _>>();
    lengths.map_err(|_| malformed(format!("{numbers:?} is no shape")))
}
