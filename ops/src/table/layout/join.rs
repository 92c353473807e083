//! Tensors put together, taken apart and repeated.

use super::super::call::Array;
use super::super::{ALL, Row};
use super::{axis_of, counts, moving};
use crate::error::Result;
use crate::num::Num;

/// Tensors one after the other along an axis.
pub const CONCAT: Row = moving(
    "concat",
    "Tensors one after the other along an axis.",
    ALL,
    &[
        "3x5@T:3x2,T:3x0,T:3x37,axis=1",
        "3x5@T:2x5,axis=-2",
        "4",
        "0x3@T:2x3",
        "5x1x33@T:5x3x33,axis=1",
        "2x3@T:2x4",
        "2x3@T:2x3x1",
        "2x3@T:2x3,axis=2",
        "0d@T:0d",
    ],
    |_, x, a| Ok(vec![functions::concat(x, a.int("axis", 0))?]),
    |x, a| {
        Some(vec![joined(
            x,
            axis_of(x[0].shape.len(), a.int("axis", 0))?,
        )?])
    },
);

/// Tensors of one shape along a new axis.
pub const STACK: Row = moving(
    "stack",
    "Tensors of one shape side by side along a new axis.",
    ALL,
    &[
        "3x17@T:3x17,T:3x17,axis=1",
        "3x17@T:3x17,axis=-1",
        "3x17@T:3x17",
        "0d@T:0d",
        "2x3@T:2x4",
        "2x3@T:2x3,axis=4",
    ],
    |_, x, a| Ok(vec![functions::stack(x, a.int("axis", 0))?]),
    |x, a| {
        let axis = axis_of(x[0].shape.len() + 1, a.int("axis", 0))?;
        let longer = |x: &Array| {
            let mut x = x.clone();
            x.shape.insert(axis, 1);
            x
        };
        Some(vec![joined(
            &x.iter().map(longer).collect::<Vec<_>>(),
            axis,
        )?])
    },
);

/// Slices of given lengths along an axis.
pub const SPLIT: Row = moving(
    "split",
    "Slices along an axis: of the given lengths, or this many of which the last is the shortest. Views.",
    ALL,
    &[
        "5x7@sizes=2;0;5,axis=1",
        "5x7@parts=3",
        "5x7@parts=3,axis=-1",
        "2x7@parts=4",
        "5x7@sizes=2;2",
        "5x7@sizes=-1;6",
        "5x7@parts=0",
        "5x7@parts=2,axis=2",
        "0x7@parts=2",
    ],
    |_, x, a| {
        if a.has("parts") {
            let parts = counts("split", "parts", &[a.int("parts", 0)])?[0];
            return functions::chunk(&x[0], parts, a.int("axis", 0));
        }
        let sizes = counts("split", "sizes", &a.ints("sizes"))?;
        functions::split(&x[0], &sizes, a.int("axis", 0))
    },
    |x, a| {
        let axis = axis_of(x[0].shape.len(), a.int("axis", 0))?;
        let length = x[0].shape[axis] as i64;
        let mut sizes = a.ints("sizes");
        if a.has("parts") {
            let parts = a.int("parts", 0);
            let each = if parts > 0 {
                (length + parts - 1) / parts
            } else {
                return None;
            };
            sizes = (0..parts)
                .map(|i| each.min(length - (i * each).min(length)))
                .collect();
        }
        if sizes.iter().any(|&s| s < 0) || sizes.iter().sum::<i64>() != length {
            return None;
        }
        let mut start = 0;
        let piece = |&size: &i64| {
            let mut shape = x[0].shape.clone();
            shape[axis] = size as usize;
            let piece = Array::from_fn(x[0].dtype, &shape, |at| {
                let mut at = at.to_vec();
                at[axis] += start;
                x[0].at(&at)
            });
            start += size as usize;
            piece
        };
        Some(sizes.iter().map(piece).collect())
    },
);

/// The whole tensor repeated along each axis.
pub const TILE: Row = moving(
    "tile",
    "The whole tensor repeated along each axis; missing axes are added in front.",
    ALL,
    &[
        "3x5@repeats=2;4",
        "3x17@repeats=3",
        "3@repeats=2;1;3",
        "3x5@repeats=0;2",
        "3x5@repeats=-1;2",
        "2x3x4@repeats=1;2;2",
        "0d@repeats=5",
        "3x5@repeats=4611686018427387904;4",
    ],
    |_, x, a| {
        let repeats = counts("tile", "repeats", &a.ints("repeats"))?;
        Ok(vec![functions::tile(&x[0], &repeats)?])
    },
    |x, a| {
        let repeats = a.ints("repeats");
        let rank = repeats.len().max(x[0].shape.len());
        let front = |v: Vec<i64>| [vec![1; rank - v.len()], v].concat();
        let own = front(x[0].shape.iter().map(|&d| d as i64).collect());
        let shape: Option<Vec<usize>> = own
            .iter()
            .zip(front(repeats))
            .map(|(&d, r)| usize::try_from(d.checked_mul(r)?).ok())
            .collect();
        let skip = rank - x[0].shape.len();
        Some(vec![Array::from_fn(x[0].dtype, &shape?, |at| {
            let wrapped = at.iter().zip(&own).map(|(&p, &d)| p % d as usize);
            x[0].at(&wrapped.skip(skip).collect::<Vec<_>>())
        })])
    },
);

/// Each element repeated along an axis.
pub const REPEAT_INTERLEAVE: Row = moving(
    "repeat_interleave",
    "Each element repeated along an axis.",
    ALL,
    &[
        "3x5@repeats=3,axis=1",
        "3x17@repeats=2",
        "3x5@repeats=0",
        "3x5@repeats=-2",
        "3x5@repeats=2,axis=2",
    ],
    |_, x, a| {
        let repeats = counts("repeat_interleave", "repeats", &[a.int("repeats", 1)])?[0];
        let axis = a.int("axis", 0);
        Ok(vec![functions::repeat_interleave(&x[0], repeats, axis)?])
    },
    |x, a| {
        let axis = axis_of(x[0].shape.len(), a.int("axis", 0))?;
        let repeats = usize::try_from(a.int("repeats", 1)).ok()?;
        let mut shape = x[0].shape.clone();
        shape[axis] *= repeats;
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let mut at = at.to_vec();
            at[axis] /= repeats;
            x[0].at(&at)
        })])
    },
);

/// Broadcasting to a shape.
pub const EXPAND: Row = moving(
    "expand",
    "Broadcast against a shape, which may itself have axes of 1. A view.",
    ALL,
    &[
        "3x1@to=2;3;17",
        "3x5@to=1;1",
        "3x5@to=3;4",
        "1@to=0",
        "0d@to=2;2",
        "3x5@to=-1;5",
    ],
    |_, x, a| {
        let to = counts("expand", "shape", &a.ints("to"))?;
        Ok(vec![functions::expand(&x[0], &to)?])
    },
    |x, a| {
        let to = a.ints("to");
        let rank = to.len().max(x[0].shape.len());
        let own = [vec![1; rank - x[0].shape.len()], x[0].shape.clone()].concat();
        let to = [vec![1; rank - to.len()], to].concat();
        let pairs = own.iter().zip(to);
        let shape: Option<Vec<usize>> = pairs
            .map(|(&d, t)| match (d, usize::try_from(t).ok()?) {
                (1, t) => Some(t),
                (d, t) => (t == 1 || t == d).then_some(d),
            })
            .collect();
        let skip = rank - x[0].shape.len();
        Some(vec![Array::from_fn(x[0].dtype, &shape?, |at| {
            let own = at.iter().zip(&own).map(|(&p, &d)| p.min(d - 1));
            x[0].at(&own.skip(skip).collect::<Vec<_>>())
        })])
    },
);

/// Coordinates of a grid.
pub const MESHGRID: Row = moving(
    "meshgrid",
    "Vectors as the coordinates of a grid with an axis for each (`indexing=xy` swaps the first two). Views.",
    ALL,
    &[
        "3@T:5,T:2",
        "3@T:5,indexing=xy",
        "4",
        "3@T:2x2",
        "3@T:5,indexing=zz",
    ],
    |_, x, a| functions::meshgrid(x, a.text("indexing", "ij")),
    |x, a| {
        let swapped = match a.text("indexing", "ij") {
            "ij" => false,
            "xy" => x.len() > 1,
            _ => return None,
        };
        if x.iter().any(|x| x.shape.len() != 1) {
            return None;
        }
        let mut shape: Vec<usize> = x.iter().map(|x| x.shape[0]).collect();
        if swapped {
            shape.swap(0, 1);
        }
        let grid = |(i, x): (usize, &Array)| {
            let axis = if swapped && i < 2 { 1 - i } else { i };
            Array::from_fn(x.dtype, &shape, |at| x.values[at[axis]])
        };
        Some(x.iter().enumerate().map(grid).collect())
    },
);

fn joined(x: &[Array], axis: usize) -> Option<Array> {
    let mut shape = x[0].shape.clone();
    shape[axis] = 0;
    for t in x {
        let mut rest = t.shape.clone();
        *rest.get_mut(axis)? = shape[axis];
        if rest != shape || t.dtype != x[0].dtype {
            return None;
        }
        shape[axis] += t.shape[axis];
    }
    let value = |at: &[usize]| -> Num {
        let (mut at, mut i) = (at.to_vec(), 0);
        while at[axis] >= x[i].shape[axis] {
            at[axis] -= x[i].shape[axis];
            i += 1;
        }
        x[i].at(&at)
    };
    Some(Array::from_fn(x[0].dtype, &shape, value))
}

/// One function for each row.
pub mod functions {
    use super::super::copy_into;
    use super::Result;
    use crate::{Error, Tensor, shape};

    /// Tensors one after the other along an axis. They differ in nothing but the length of it.
    ///
    /// # Errors
    /// [`Error::Value`] without any tensor, [`Error::Shape`], [`Error::Dtype`] or
    /// [`Error::Device`] where they do not fit, [`Error::Axis`], [`Error::Backend`].
    pub fn concat(tensors: &[Tensor], axis: i64) -> Result<Tensor> {
        let op = "concat";
        let first = tensors
            .first()
            .ok_or_else(|| Error::value(op, "no tensors were given"))?;
        let axis = shape::normalise_axis(op, axis, first.shape())?;
        let shapes = || tensors.iter().map(Tensor::shape);
        let mut shape = first.shape().to_vec();
        shape[axis] = 0;
        for t in tensors {
            let length = t.shape().get(axis).copied().unwrap_or(0);
            let mut rest = t.shape().to_vec();
            rest.iter_mut()
                .skip(axis)
                .take(1)
                .for_each(|d| *d = shape[axis]);
            if rest != shape {
                let why = format!("they may differ along axis {axis} only");
                return Err(Error::shape(op, shapes(), why));
            }
            if t.dtype() != first.dtype() {
                let all = tensors.iter().map(Tensor::dtype);
                return Err(Error::dtype(op, all, "cast to one of them first"));
            }
            shape[axis] = shape[axis].saturating_add(length);
        }
        let out = Tensor::empty(first.context(), first.dtype(), &shape)?;
        let mut start = 0;
        for t in tensors {
            let end = start + t.shape()[axis] as i64;
            copy_into(t, &out.slice(axis as i64, start, end, 1)?)?;
            start = end;
        }
        Ok(out)
    }

    /// Tensors of one shape side by side along a new axis.
    ///
    /// # Errors
    /// As [`concat`].
    pub fn stack(tensors: &[Tensor], axis: i64) -> Result<Tensor> {
        let longer = tensors.iter().map(|t| t.unsqueeze(axis));
        concat(&longer.collect::<Result<Vec<_>>>()?, axis)
    }

    /// Slices of the given lengths along an axis, as views.
    ///
    /// # Errors
    /// [`Error::Shape`] where the lengths do not add up to that of the axis, [`Error::Axis`].
    pub fn split(x: &Tensor, sizes: &[usize], axis: i64) -> Result<Vec<Tensor>> {
        let at = shape::normalise_axis("split", axis, x.shape())?;
        let total = sizes.iter().try_fold(0usize, |n, &s| n.checked_add(s));
        if total != Some(x.shape()[at]) {
            let why = format!("lengths {sizes:?} do not add up to axis {at}");
            return Err(Error::shape("split", [x.shape()], why));
        }
        let mut start = 0;
        let piece = |&size: &usize| {
            let end = start + size as i64;
            let piece = x.slice(at as i64, start, end, 1);
            start = end;
            piece
        };
        sizes.iter().map(piece).collect()
    }

    /// This many slices along an axis, as views: all of one length but the last, which may be
    /// shorter (and those behind it empty).
    ///
    /// # Errors
    /// [`Error::Value`] for no parts, [`Error::Axis`].
    pub fn chunk(x: &Tensor, parts: usize, axis: i64) -> Result<Vec<Tensor>> {
        let at = shape::normalise_axis("split", axis, x.shape())?;
        if parts == 0 {
            return Err(Error::value("split", "0 parts cannot hold anything"));
        }
        let length = x.shape()[at];
        let each = length.div_ceil(parts);
        let size = |i: usize| each.min(length - i.saturating_mul(each).min(length));
        split(x, &(0..parts).map(size).collect::<Vec<_>>(), axis)
    }

    /// The whole tensor repeated along each axis. With fewer repeats than axes they are of the
    /// last axes; with more, axes of 1 are added in front.
    ///
    /// # Errors
    /// [`Error::Shape`] where there would be too many elements, [`Error::Backend`].
    pub fn tile(x: &Tensor, repeats: &[usize]) -> Result<Tensor> {
        let rank = repeats.len().max(x.shape().len());
        let own = [&vec![1; rank - x.shape().len()], x.shape()].concat();
        let repeats = [&vec![1; rank - repeats.len()], repeats].concat();
        let (mut view, mut shape, mut whole) = (x.clone(), vec![], vec![]);
        for axis in 0..rank {
            if axis < rank - x.shape().len() {
                view = view.unsqueeze(0)?;
            }
            whole.extend([repeats[axis], own[axis]]);
            shape.push(
                own[axis].checked_mul(repeats[axis]).ok_or_else(|| {
                    Error::shape("tile", [x.shape(), &repeats], "too many elements")
                })?,
            );
        }
        for axis in 0..rank {
            view = view.unsqueeze(2 * axis as i64)?;
        }
        view.expand(&whole)?.contiguous()?.reshape(&shape)
    }

    /// Each element repeated along an axis.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Shape`] where there would be too many elements,
    /// [`Error::Backend`].
    pub fn repeat_interleave(x: &Tensor, repeats: usize, axis: i64) -> Result<Tensor> {
        let op = "repeat_interleave";
        let axis = shape::normalise_axis(op, axis, x.shape())?;
        let mut shape = x.shape().to_vec();
        shape[axis] = shape[axis]
            .checked_mul(repeats)
            .ok_or_else(|| Error::shape(op, [x.shape()], "too many elements"))?;
        let mut whole = x.shape().to_vec();
        whole.insert(axis + 1, repeats);
        let view = x.unsqueeze(axis as i64 + 1)?.expand(&whole)?;
        view.contiguous()?.reshape(&shape)
    }

    /// Broadcast against a shape: axes of 1 on either side stretch. A view.
    ///
    /// # Errors
    /// [`Error::Shape`] where they do not broadcast.
    pub fn expand(x: &Tensor, to: &[usize]) -> Result<Tensor> {
        x.expand(&shape::broadcast("expand", [x.shape(), to])?)
    }

    /// Vectors as the coordinates of a grid: result i has vector i along axis i (`ij`), or the
    /// first two axes are swapped (`xy`). Views.
    ///
    /// # Errors
    /// [`Error::Value`] for another `indexing`, [`Error::Shape`] where one is no vector.
    pub fn meshgrid(vectors: &[Tensor], indexing: &str) -> Result<Vec<Tensor>> {
        let op = "meshgrid";
        let swapped = match indexing {
            "ij" => false,
            "xy" => vectors.len() > 1,
            _ => {
                let why = format!("indexing `{indexing}` is neither ij nor xy");
                return Err(Error::value(op, why));
            }
        };
        let shapes = || vectors.iter().map(Tensor::shape);
        if shapes().any(|s| s.len() != 1) {
            return Err(Error::shape(op, shapes(), "each must have one axis"));
        }
        let mut shape: Vec<usize> = shapes().map(|s| s[0]).collect();
        if swapped {
            shape.swap(0, 1);
        }
        let grid = |(i, v): (usize, &Tensor)| {
            let axis = if swapped && i < 2 { 1 - i } else { i };
            let mut own = vec![1; shape.len()];
            own[axis] = v.shape()[0];
            let mut strides = vec![0; shape.len()];
            strides[axis] = v.strides()[0];
            v.as_strided(&own, &strides, v.offset())?.expand(&shape)
        };
        vectors.iter().enumerate().map(grid).collect()
    }
}
