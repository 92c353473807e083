//! Elements in another order: permuted axes, slices, flips, rolls.

use super::super::call::Array;
use super::super::{ALL, Row};
use super::{axis_of, moving};
use crate::error::{Error, Result};

/// Axes in another order, materialised.
pub const PERMUTE: Row = moving(
    "permute",
    "The axes in another order, row-major; reversed where none is named.",
    ALL,
    &[
        "5x7x3@axes=2;0;1",
        "5x7x3@axes=0;2;1",
        "5x7x3",
        "2x3x4x5@axes=3;1;-2;0",
        "17x33@axes=1;0",
        "3x65x17@axes=0;2;1",
        "16x48x16@axes=2;1;0",
        "0x3@axes=1;0",
        "5x7@axes=0;0",
        "5x7@axes=0;2",
        "5x7@axes=1",
        "0d",
    ],
    |_, x, a| {
        let rank = x[0].shape().len() as i64;
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank).rev().collect(),
        };
        Ok(vec![functions::permute(&x[0], &axes)?])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank as i64).rev().collect(),
        };
        let axes: Option<Vec<usize>> = axes.iter().map(|&i| axis_of(rank, i)).collect();
        let axes =
            axes.filter(|axes| (0..rank).all(|i| axes.contains(&i)) && axes.len() == rank)?;
        let shape: Vec<usize> = axes.iter().map(|&i| x[0].shape[i]).collect();
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let mut own = vec![0; rank];
            axes.iter().zip(at).for_each(|(&axis, &p)| own[axis] = p);
            x[0].at(&own)
        })])
    },
);

/// Slices with steps.
pub const SLICE: Row = moving(
    "slice",
    "Elements `start, start + step, …` before `end` along axes; negative positions count from the end, all are clamped, steps may be negative. A view.",
    ALL,
    &[
        "7x33@starts=1;-30,ends=-1;40,steps=2;3",
        "7x33@starts=5;40,ends=-100;1,steps=-2;-5",
        "7x33@starts=20,ends=3,axes=-1,steps=-1",
        "7x33@starts=4,ends=4",
        "7x33@starts=-100,ends=100,axes=1",
        "7x33@starts=0;0,ends=2",
        "7x33@starts=0,ends=2,steps=0",
        "7x33@starts=0,ends=2,axes=2",
        "0x3@starts=0,ends=5",
    ],
    |_, x, a| {
        let (starts, ends) = (a.ints("starts"), a.ints("ends"));
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..starts.len() as i64).collect(),
        };
        let steps = match a.has("steps") {
            true => a.ints("steps"),
            false => vec![1; starts.len()],
        };
        Ok(vec![functions::slice(
            &x[0], &starts, &ends, &axes, &steps,
        )?])
    },
    |x, a| {
        let (starts, ends) = (a.ints("starts"), a.ints("ends"));
        let axes = a.ints("axes");
        let steps = a.ints("steps");
        if starts.len() != ends.len() {
            return None;
        }
        let mut picks: Vec<Vec<usize>> = x[0].shape.iter().map(|&d| (0..d).collect()).collect();
        for i in 0..starts.len() {
            let axis = axis_of(picks.len(), axes.get(i).copied().unwrap_or(i as i64))?;
            let step = steps.get(i).copied().unwrap_or(1);
            let d = x[0].shape[axis] as i64;
            let count = |p: i64| if p < 0 { p + d } else { p };
            let (mut at, end) = (count(starts[i]), count(ends[i]));
            picks[axis].clear();
            match step {
                0 => return None,
                1.. => {
                    at = at.clamp(0, d);
                    while at < end.clamp(0, d) {
                        picks[axis].push(at as usize);
                        at += step;
                    }
                }
                _ => {
                    at = at.min(d - 1);
                    while at > end.max(-1) && at >= 0 {
                        picks[axis].push(at as usize);
                        at += step;
                    }
                }
            }
        }
        let shape: Vec<usize> = picks.iter().map(Vec::len).collect();
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let own = at.iter().zip(&picks).map(|(&p, picks)| picks[p]);
            x[0].at(&own.collect::<Vec<_>>())
        })])
    },
);

/// Axes in reverse.
pub const FLIP: Row = moving(
    "flip",
    "Axes in reverse order; all of them where none is named. A view.",
    ALL,
    &[
        "5x37@axes=1",
        "5x37@axes=0",
        "3x5x7",
        "3x5x7@axes=-1;0",
        "3x5@axes=2",
        "3x5@axes=1;1",
        "0x5",
    ],
    |_, x, a| Ok(vec![functions::flip(&x[0], &a.ints("axes"))?]),
    |x, a| {
        let rank = x[0].shape.len();
        let mut flipped = vec![a.ints("axes").is_empty(); rank];
        for axis in a.ints("axes") {
            let axis = axis_of(rank, axis)?;
            if std::mem::replace(&mut flipped[axis], true) {
                return None;
            }
        }
        let shape = x[0].shape.clone();
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let mirror = |k: usize| {
                if flipped[k] {
                    shape[k] - 1 - at[k]
                } else {
                    at[k]
                }
            };
            x[0].at(&(0..rank).map(mirror).collect::<Vec<_>>())
        })])
    },
);

/// Elements moved round along axes.
pub const ROLL: Row = moving(
    "roll",
    "Elements moved along axes, those that leave at one end entering at the other; of the flattened tensor where no axis is named.",
    ALL,
    &[
        "5x37@shifts=2;-3,axes=0;1",
        "5x37@shifts=40,axes=1",
        "5x7@shifts=3",
        "5x7@shifts=1;2,axes=1;1",
        "5x7@shifts=0,axes=0",
        "0x7@shifts=2,axes=0",
        "5x7@shifts=1;2,axes=0",
        "5x7@shifts=1,axes=2",
        "5x7@shifts=9223372036854775807,axes=1",
    ],
    |_, x, a| {
        Ok(vec![functions::roll(
            &x[0],
            &a.ints("shifts"),
            &a.ints("axes"),
        )?])
    },
    |x, a| {
        let (shifts, axes) = (a.ints("shifts"), a.ints("axes"));
        let shape = x[0].shape.clone();
        let linear = axes.is_empty() && shifts.len() == 1;
        if !linear && shifts.len() != axes.len() {
            return None;
        }
        let mut by = vec![0i128; shape.len()];
        for (&shift, &axis) in shifts.iter().zip(&axes) {
            by[axis_of(shape.len(), axis)?] += i128::from(shift);
        }
        let back = |p: usize, by: i128, d: usize| (p as i128 - by).rem_euclid(d as i128) as usize;
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            if linear {
                let from = back(x[0].linear(at), shifts[0].into(), x[0].values.len());
                return x[0].values[from];
            }
            let own = (0..at.len()).map(|k| back(at[k], by[k], shape[k]));
            x[0].at(&own.collect::<Vec<_>>())
        })])
    },
);

/// The first elements of each sequence in reverse.
pub const REVERSE_SEQUENCE: Row = moving(
    "reverse_sequence",
    "The first `lengths[b]` elements (clamped to the axis) of each sequence b in reverse order, the rest as it is.",
    ALL,
    &[
        "4x37@i64:4:offset37,batch=0,time=1",
        "37x4@i32:4:offset37,batch=1,time=0",
        "3x9x5@i64:3:wild9,batch=0,time=1",
        "4x9@i64:4:offset9,batch=1,time=1",
        "4x9@i64:3:offset9,batch=0,time=1",
        "0x9@i64:0,batch=0,time=1",
    ],
    |_, x, a| {
        let (batch, time) = (a.int("batch", 1), a.int("time", 0));
        Ok(vec![
            functions::reverse_sequence(&x[0], &x[1], batch, time)?.eval()?,
        ])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let (batch, time) = (
            axis_of(rank, a.int("batch", 1))?,
            axis_of(rank, a.int("time", 0))?,
        );
        if batch == time || x[1].shape != [x[0].shape[batch]] || !x[1].dtype.is_int() {
            return None;
        }
        Some(vec![Array::from_fn(x[0].dtype, &x[0].shape, |at| {
            let mut at = at.to_vec();
            let length = x[1].values[at[batch]].int().min(x[0].shape[time] as i128);
            if (at[time] as i128) < length {
                at[time] = length as usize - 1 - at[time];
            }
            x[0].at(&at)
        })])
    },
);

/// One function for each row.
pub mod functions {
    use super::super::{along, copy_into};
    use super::{Error, Result};
    use crate::{Expr, Outside, Tensor, ops, shape};
    use suanzi_codegen::Scalar;

    /// The axes in another order, copied to row-major order ([`Tensor::permute`] is the view).
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::Shape`] where `axes` is no permutation, [`Error::Backend`].
    pub fn permute(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
        x.permute(axes)?.contiguous()
    }

    /// Elements `start, start + step, …` before `end` along each of some axes, as in ONNX. A view.
    ///
    /// # Errors
    /// [`Error::Value`] where the lists differ in length, [`Error::Axis`], [`Error::Shape`] for a
    /// step of 0.
    pub fn slice(
        x: &Tensor,
        starts: &[i64],
        ends: &[i64],
        axes: &[i64],
        steps: &[i64],
    ) -> Result<Tensor> {
        let n = starts.len();
        if [ends.len(), axes.len(), steps.len()] != [n; 3] {
            let why = "starts, ends, axes and steps differ in length";
            return Err(Error::value("slice", why));
        }
        let one = |x: Tensor, i: usize| x.slice(axes[i], starts[i], ends[i], steps[i]);
        (0..n).try_fold(x.clone(), one)
    }

    /// Axes in reverse order; all of them where none is named. A view.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] where one is named twice.
    pub fn flip(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
        let axes = match axes {
            [] => (0..x.shape().len()).collect(),
            _ => shape::normalise_axes("flip", axes, x.shape())?,
        };
        axes.iter()
            .try_fold(x.clone(), |x, &axis| x.flip(axis as i64))
    }

    /// Elements moved along axes by `shifts`, those that leave at one end entering at the other.
    /// Shifts of one axis add up. Without axes there is one shift, of the flattened tensor.
    ///
    /// # Errors
    /// [`Error::Value`] where shifts and axes differ in number, [`Error::Axis`],
    /// [`Error::Backend`].
    pub fn roll(x: &Tensor, shifts: &[i64], axes: &[i64]) -> Result<Tensor> {
        let op = "roll";
        if let ([shift], []) = (shifts, axes) {
            let flat = x.reshape(&[x.numel()])?;
            return roll(&flat, &[*shift], &[0])?.reshape(x.shape());
        }
        if shifts.len() != axes.len() {
            let why = format!("{} shifts were given for {} axes", shifts.len(), axes.len());
            return Err(Error::value(op, why));
        }
        let mut by = vec![0; x.shape().len()];
        for (&shift, &axis) in shifts.iter().zip(axes) {
            let axis = shape::normalise_axis(op, axis, x.shape())?;
            let d = x.shape()[axis].max(1) as i64;
            by[axis] = (by[axis] + shift.rem_euclid(d)) % d;
        }
        let out = Tensor::empty(x.context(), x.dtype(), x.shape())?;
        halves(x, &out, &by, 0)?;
        Ok(out)
    }

    /// Copies what lies before and behind the seam of each axis on its own.
    fn halves(from: &Tensor, to: &Tensor, by: &[i64], axis: usize) -> Result<()> {
        let Some(&shift) = by.get(axis) else {
            return copy_into(from, to);
        };
        if shift == 0 {
            return halves(from, to, by, axis + 1);
        }
        let (at, seam) = (axis as i64, from.shape()[axis] as i64 - shift);
        for (source, target) in [
            ((0, seam), (shift, i64::MAX)),
            ((seam, i64::MAX), (0, shift)),
        ] {
            let part = from.slice(at, source.0, source.1, 1)?;
            halves(&part, &to.slice(at, target.0, target.1, 1)?, by, axis + 1)?;
        }
        Ok(())
    }

    /// The first `lengths[b]` elements along `time` of each sequence b along `batch` in reverse
    /// order. Lengths are integers, and clamped to the axis. Lazy.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Shape`] where the axes are the same or there is not one length for
    /// each sequence, [`Error::Dtype`].
    pub fn reverse_sequence(x: &Tensor, lengths: &Tensor, batch: i64, time: i64) -> Result<Expr> {
        let op = "reverse_sequence";
        let batch = shape::normalise_axis(op, batch, x.shape())?;
        let time = shape::normalise_axis(op, time, x.shape())?;
        if batch == time || lengths.shape() != [x.shape()[batch]] {
            let why = format!("axes {batch} and {time} need one length for each sequence");
            return Err(Error::shape(op, [x.shape(), lengths.shape()], why));
        }
        if !lengths.dtype().is_int() {
            let why = "lengths are integers";
            return Err(Error::dtype(op, [x.dtype(), lengths.dtype()], why));
        }
        let rank = x.shape().len();
        let mut own = vec![1; rank];
        own[batch] = lengths.shape()[0];
        let mut strides = vec![0; rank];
        strides[batch] = lengths.strides()[0];
        let lengths = lengths.as_strided(&own, &strides, lengths.offset())?;
        let lengths = ops::cast(&lengths, Scalar::I64);
        let lengths = ops::minimum(lengths, x.shape()[time] as i64)?;
        let mut coords = vec![];
        for axis in 0..rank {
            let position = along(x.context(), rank, axis, x.shape()[axis])?;
            if axis != time {
                coords.push(position);
                continue;
            }
            let wide = ops::cast(position, Scalar::I64);
            let mirrored = ops::sub(ops::sub(&lengths, 1i64)?, &wide)?;
            let inside = ops::lt(&wide, &lengths)?;
            coords.push(ops::where_(inside, mirrored, wide)?);
        }
        Expr::at(x, &coords, Outside::Clamp)
    }
}
