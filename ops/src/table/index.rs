//! Elements picked by tensors of indices. Lazy: picking is part of whatever computes with it.
//!
//! Negative indices count from the end. What happens to those still out of range is the caller's
//! choice ([`functions::Bounds`]), and never a read outside of the tensor.

use super::call::{Array, Attrs};
use super::layout::{axis_of, moving};
use super::{ALL, INTS, Row};
use crate::error::{Error, Result};
use crate::num::Num;
use functions::Bounds;
use suanzi_codegen::Scalar;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &GATHER,
    &INDEX_SELECT,
    &GATHER_ND,
    &TAKE_ALONG_AXIS,
    &ONE_HOT,
];

const GATHER: Row = moving(
    "gather",
    "Slices along an axis picked by a tensor of indices, whose axes replace it.",
    ALL,
    &[
        "5x37@i64:3x2:index5",
        "5x37@i64:3x2:index37,axis=1",
        "5x37@i32:7:wild5,axis=-2",
        "5x37@i64:41:wild37,axis=1,bounds=zero",
        "3x5x17@u8:4:offset5,axis=1",
        "5x37@i64:0d:index5",
        "5x37@i64:0x2:index5",
        "0x37@i64:3:index5,bounds=zero",
        "5x37@i64:9:index5,bounds=check",
        "5x37@i64:99:wild5,bounds=check",
        "0x37@i64:3:index5",
        "5x37@i64:3:index5,axis=2",
        "5x37@f32:3:index5",
        "5x37@i64:3:index5,bounds=ignore",
    ],
    |_, x, a| {
        let bounds = Bounds::named("gather", a.text("bounds", "clamp"))?;
        Ok(vec![
            functions::gather(&x[0], &x[1], a.int("axis", 0), bounds)?.eval()?,
        ])
    },
    |x, a| gathered(&x[0], &x[1], a),
);

const INDEX_SELECT: Row = moving(
    "index_select",
    "Slices along an axis picked by a vector of indices.",
    ALL,
    &[
        "5x37@i64:9:index5",
        "5x37@i32:50:wild37,axis=1",
        "5x37@i64:9:wild5,bounds=zero",
        "5x37@i64:3x3:index5",
    ],
    |_, x, a| {
        let bounds = Bounds::named("index_select", a.text("bounds", "clamp"))?;
        Ok(vec![
            functions::index_select(&x[0], &x[1], a.int("axis", 0), bounds)?.eval()?,
        ])
    },
    |x, a| {
        if x[1].shape.len() == 1 {
            gathered(&x[0], &x[1], a)
        } else {
            None
        }
    },
);

const GATHER_ND: Row = moving(
    "gather_nd",
    "Slices picked by index tuples, which are the last axis of the indices; the first `batch` axes of both go together.",
    ALL,
    &[
        "5x7x3@i64:4x2:index5",
        "5x7x3@i64:2x4x3:index3",
        "5x7x17@i64:9x1:wild5",
        "4x5x7@i64:4x3x1:index5,batch=1",
        "2x4x5x3@i32:2x4x1:wild5,batch=2,bounds=zero",
        "2x4x5x3@i64:2x4x2:index3,batch=2",
        "5x7@i64:0x2:index5",
        "5x7@i64:3x0:index5",
        "5x7@i64:9x2:index5,bounds=check",
        "5x7@i64:99x2:wild5,bounds=check",
        "5x7@i64:4x3:index5",
        "4x5x7@i64:3x3x1:index5,batch=1",
        "4x5x7@i64:4:index5,batch=1",
        "4x5x7@i64:4x1:index5,batch=-1",
    ],
    |_, x, a| {
        let bounds = Bounds::named("gather_nd", a.text("bounds", "clamp"))?;
        let batch = super::layout::counts("gather_nd", "batch", &[a.int("batch", 0)])?[0];
        Ok(vec![
            functions::gather_nd(&x[0], &x[1], batch, bounds)?.eval()?,
        ])
    },
    |x, a| {
        let batch = usize::try_from(a.int("batch", 0)).ok()?;
        let (tuple, outer) = x[1].shape.split_last()?;
        let own = &x[0].shape;
        let fits = batch <= outer.len() && batch + tuple <= own.len();
        if !fits || own[..batch] != outer[..batch] {
            return None;
        }
        let shape = [outer, &own[batch + tuple..]].concat();
        let picks = |at: &[usize]| -> Option<Vec<usize>> {
            let pick = |k: usize| {
                let index = x[1].at(&[&at[..outer.len()], &[k]].concat()).int();
                inside(index, own[batch + k], a.text("bounds", "clamp"))
            };
            let picked: Option<Vec<usize>> = (0..*tuple).map(pick).collect();
            Some([&at[..batch], &picked?, &at[outer.len()..]].concat())
        };
        read(&x[0], &shape, a, picks)
    },
);

const TAKE_ALONG_AXIS: Row = moving(
    "take_along_axis",
    "Each result is picked along an axis by an index of its own (ONNX GatherElements, torch.gather).",
    ALL,
    &[
        "5x37@i64:5x4:index37,axis=1",
        "5x37@i32:3x33:wild5",
        "5x37@i64:5x37:wild37,axis=-1,bounds=zero",
        "3x4x5@i64:2x9x5:index4,axis=1",
        "7@i64:9:index7",
        "5x37@i64:0x37:index5",
        "5x37@i64:9x37:index5,bounds=check",
        "5x37@i64:9x37:wild5,bounds=check",
        "5x37@i64:6x4:index37,axis=1",
        "5x37@i64:5:index5",
        "5x37@i64:5x4:index5,axis=-3",
    ],
    |_, x, a| {
        let bounds = Bounds::named("take_along_axis", a.text("bounds", "clamp"))?;
        Ok(vec![
            functions::take_along_axis(&x[0], &x[1], a.int("axis", 0), bounds)?.eval()?,
        ])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let axis = axis_of(rank, a.int("axis", 0))?;
        let others = |k: usize| k == axis || x[1].shape[k] <= x[0].shape[k];
        if x[1].shape.len() != rank || !(0..rank).all(others) {
            return None;
        }
        let picks = |at: &[usize]| {
            let mut own = at.to_vec();
            let index = x[1].at(at).int();
            own[axis] = inside(index, x[0].shape[axis], a.text("bounds", "clamp"))?;
            Some(own)
        };
        read(&x[0], &x[1].shape, a, picks)
    },
);

const ONE_HOT: Row = moving(
    "one_hot",
    "A new axis of a given depth, `on` at the index and `off` elsewhere; negative indices count from the end, any beyond leave all `off`.",
    INTS,
    &[
        "5x7@depth=9,to=f32,x=wild9",
        "5x7@depth=4,axis=0,to=i64,on=5,off=-2,x=index4",
        "5x7@depth=4,axis=1,to=bool,x=few3",
        "5x7@depth=0",
        "0d@depth=3,to=f16,on=2.5,x=offset3",
        "5x7@depth=3,axis=3",
        "5x7@depth=-1",
    ],
    |_, x, a| {
        let depth = super::layout::counts("one_hot", "depth", &[a.int("depth", 0)])?[0];
        let to = a.scalar("to", Scalar::F32);
        let (on, off) = (
            number(to, a.float("on", 1.0)),
            number(to, a.float("off", 0.0)),
        );
        Ok(vec![
            functions::one_hot(&x[0], depth, a.int("axis", -1), to, on, off)?.eval()?,
        ])
    },
    |x, a| {
        let depth = usize::try_from(a.int("depth", 0)).ok()?;
        let axis = axis_of(x[0].shape.len() + 1, a.int("axis", -1))?;
        let to = a.scalar("to", Scalar::F32);
        let (on, off) = (
            number(to, a.float("on", 1.0)),
            number(to, a.float("off", 0.0)),
        );
        let mut shape = x[0].shape.clone();
        shape.insert(axis, depth);
        Some(vec![Array::from_fn(to, &shape, |at| {
            let mut own = at.to_vec();
            let place = own.remove(axis) as i128;
            let index = x[0].at(&own).int();
            if index == place || index + depth as i128 == place {
                on
            } else {
                off
            }
        })])
    },
);

fn number(dtype: Scalar, x: f64) -> Num {
    match dtype {
        Scalar::Bool => Num::Bool(x != 0.0),
        t if t.is_int() => Num::Int(x as i128),
        _ => Num::Float(x),
    }
}

/// For the references: where an index points.
fn inside(index: i128, length: usize, bounds: &str) -> Option<usize> {
    let index = if index < 0 {
        index + length as i128
    } else {
        index
    };
    match bounds {
        "clamp" if length > 0 => Some(index.clamp(0, length as i128 - 1) as usize),
        _ => usize::try_from(index).ok().filter(|&i| i < length),
    }
}

/// For the references: the elements that indices point at.
fn read(
    x: &Array,
    shape: &[usize],
    a: &Attrs,
    at: impl Fn(&[usize]) -> Option<Vec<usize>>,
) -> Option<Vec<Array>> {
    let bounds = a.text("bounds", "clamp");
    if !["clamp", "zero", "check"].contains(&bounds) {
        return None;
    }
    let mut missed = false;
    let zero = Num::from_bits(x.dtype, 0);
    let out = Array::from_fn(x.dtype, shape, |p| {
        let found = at(p).map(|own| x.at(&own));
        missed |= found.is_none();
        found.unwrap_or(zero)
    });
    (bounds == "zero" || !missed).then(|| vec![out])
}

fn gathered(x: &Array, indices: &Array, a: &Attrs) -> Option<Vec<Array>> {
    let axis = axis_of(x.shape.len(), a.int("axis", 0))?;
    if !indices.dtype.is_int() {
        return None;
    }
    let shape = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
    let rank = indices.shape.len();
    read(x, &shape, a, |at| {
        let index = indices.at(&at[axis..axis + rank]).int();
        let place = inside(index, x.shape[axis], a.text("bounds", "clamp"))?;
        Some([&at[..axis], &[place], &at[axis + rank..]].concat())
    })
}

/// One function for each row.
pub mod functions {
    use super::{Error, Num, Result, Scalar};
    use crate::table::layout::along;
    use crate::{Expr, Outside, Tensor, ops, shape};

    /// What happens to indices that are out of range after negative ones have been counted from
    /// the end.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Bounds {
        /// The nearest element is read.
        Clamp,
        /// Nothing is read, and zero (false) taken.
        Zero,
        /// An error. All indices are looked at first, in a kernel of its own, which is waited for.
        Check,
    }

    impl Bounds {
        /// By name: `clamp`, `zero` or `check`.
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(op: &str, name: &str) -> Result<Bounds> {
            match name {
                "clamp" => Ok(Bounds::Clamp),
                "zero" => Ok(Bounds::Zero),
                "check" => Ok(Bounds::Check),
                _ => {
                    let why = format!("bounds `{name}` are none of clamp zero check");
                    Err(Error::value(op, why))
                }
            }
        }

        fn outside(self, dtype: Scalar) -> Outside {
            match self {
                Bounds::Zero => Outside::EndFill(Num::from_bits(dtype, 0)),
                _ => Outside::EndClamp,
            }
        }
    }

    /// Refuses indices outside of an axis, if that is asked for.
    ///
    /// # Errors
    /// [`Error::Value`].
    pub(crate) fn check(op: &str, indices: &Tensor, length: usize, bounds: Bounds) -> Result<()> {
        if bounds != Bounds::Check || indices.numel() == 0 {
            return Ok(());
        }
        let wide = ops::cast(indices, Scalar::I64);
        let low = ops::lt(&wide, -(length as i64))?;
        let high = ops::ge(&wide, length as i64)?;
        let any = ops::any(&ops::logical_or(low, high)?, &[], false)?;
        match any.to_vec::<bool>()?[0] {
            true => Err(Error::value(
                op,
                format!("an index is out of range for an axis of {length}"),
            )),
            false => Ok(()),
        }
    }

    fn whole_numbers(op: &str, x: &Tensor, indices: &Tensor) -> Result<()> {
        match indices.dtype().is_int() {
            true => Ok(()),
            false => Err(Error::dtype(
                op,
                [x.dtype(), indices.dtype()],
                "indices are integers; cast them",
            )),
        }
    }

    /// Slices along an axis picked by a tensor of integers, whose axes replace it:
    /// `out[a…, i…, b…] = x[a…, indices[i…], b…]`. Lazy, except for the check.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Dtype`] where indices are no integers, [`Error::Value`] where one
    /// is refused, [`Error::Shape`] where there is no element to clamp to, [`Error::Device`].
    pub fn gather(x: &Tensor, indices: &Tensor, axis: i64, bounds: Bounds) -> Result<Expr> {
        let op = "gather";
        let axis = shape::normalise_axis(op, axis, x.shape())?;
        whole_numbers(op, x, indices)?;
        check(op, indices, x.shape()[axis], bounds)?;
        let (before, behind) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
        let rank = before.len() + indices.shape().len() + behind.len();
        let mut coords = vec![];
        for (k, &d) in before.iter().enumerate() {
            coords.push(along(x.context(), rank, k, d)?);
        }
        coords.push(behind_axes(indices, behind.len())?.expr());
        for (k, &d) in behind.iter().enumerate() {
            coords.push(along(x.context(), rank, rank - behind.len() + k, d)?);
        }
        Expr::at(x, &coords, bounds.outside(x.dtype()))
    }

    /// A view with axes of 1 behind all others.
    fn behind_axes(x: &Tensor, count: usize) -> Result<Tensor> {
        (0..count).try_fold(x.clone(), |x, _| x.unsqueeze(-1))
    }

    /// Slices along an axis picked by a vector of integers. Lazy, except for the check.
    ///
    /// # Errors
    /// As [`gather`]; [`Error::Shape`] where the indices are no vector.
    pub fn index_select(x: &Tensor, indices: &Tensor, axis: i64, bounds: Bounds) -> Result<Expr> {
        if indices.shape().len() != 1 {
            let why = "indices have one axis";
            return Err(Error::shape(
                "index_select",
                [x.shape(), indices.shape()],
                why,
            ));
        }
        gather(x, indices, axis, bounds)
    }

    /// Slices picked by index tuples, which lie along the last axis of the indices:
    /// `out[b…, i…, c…] = x[b…, indices[b…, i…, :], c…]`, b being the first `batch` axes of both.
    /// Lazy, except for the check.
    ///
    /// # Errors
    /// As [`gather`]; [`Error::Shape`] where tuples or batch axes do not fit.
    pub fn gather_nd(x: &Tensor, indices: &Tensor, batch: usize, bounds: Bounds) -> Result<Expr> {
        let op = "gather_nd";
        whole_numbers(op, x, indices)?;
        let fits = |outer: &[usize], tuple: usize| {
            batch <= outer.len()
                && batch.saturating_add(tuple) <= x.shape().len()
                && x.shape()[..batch] == outer[..batch]
        };
        let (tuple, outer) = match indices.shape().split_last() {
            Some((&tuple, outer)) if fits(outer, tuple) => (tuple, outer),
            _ => {
                let why = format!("tuples along the last axis must fit behind {batch} equal axes");
                return Err(Error::shape(op, [x.shape(), indices.shape()], why));
            }
        };
        let behind = &x.shape()[batch + tuple..];
        let rank = outer.len() + behind.len();
        let mut coords = vec![];
        for (k, &d) in x.shape()[..batch].iter().enumerate() {
            coords.push(along(x.context(), rank, k, d)?);
        }
        for k in 0..tuple {
            let last = indices.shape().len() as i64 - 1;
            let one = indices.slice(last, k as i64, k as i64 + 1, 1)?;
            check(op, &one, x.shape()[batch + k], bounds)?;
            // The axis of tuples, now 1, becomes the first of those behind.
            let one = match behind.len() {
                0 => one.as_strided(outer, &one.strides()[..outer.len()], one.offset())?,
                n => behind_axes(&one, n - 1)?,
            };
            coords.push(one.expr());
        }
        for (k, &d) in behind.iter().enumerate() {
            coords.push(along(x.context(), rank, outer.len() + k, d)?);
        }
        let picked = Expr::at(x, &coords, bounds.outside(x.dtype()))?;
        // Without a tuple nothing is picked, and what is there is repeated.
        let to = [outer, behind].concat();
        match tuple {
            0 => repeated(op, x, batch, &to),
            _ => Ok(picked),
        }
    }

    /// `x` with new axes behind the first `batch`, along which it repeats.
    fn repeated(op: &str, x: &Tensor, batch: usize, to: &[usize]) -> Result<Expr> {
        let mut view = x.clone();
        for _ in x.shape().len()..to.len() {
            view = view.unsqueeze(batch as i64)?;
        }
        let view = view.expand(to);
        view.map(Expr::from)
            .map_err(|_| Error::shape(op, [x.shape(), to], "too many elements"))
    }

    /// Each result is picked along an axis by an index of its own:
    /// `out[a…, i, b…] = x[a…, indices[a…, i, b…], b…]`. Along the other axes the indices may be
    /// shorter than the tensor. Lazy, except for the check.
    ///
    /// # Errors
    /// As [`gather`]; [`Error::Shape`] where the indices do not lie within the tensor.
    pub fn take_along_axis(
        x: &Tensor,
        indices: &Tensor,
        axis: i64,
        bounds: Bounds,
    ) -> Result<Expr> {
        let op = "take_along_axis";
        let axis = shape::normalise_axis(op, axis, x.shape())?;
        whole_numbers(op, x, indices)?;
        let rank = x.shape().len();
        let within = |k: usize| k == axis || indices.shape()[k] <= x.shape()[k];
        if indices.shape().len() != rank || !(0..rank).all(within) {
            let why = format!("indices have as many axes, none but {axis} longer");
            return Err(Error::shape(op, [x.shape(), indices.shape()], why));
        }
        check(op, indices, x.shape()[axis], bounds)?;
        let coord = |k: usize| match k == axis {
            true => Ok(indices.expr()),
            false => along(x.context(), rank, k, indices.shape()[k]),
        };
        let coords: Result<Vec<Expr>> = (0..rank).map(coord).collect();
        Expr::at(x, &coords?, bounds.outside(x.dtype()))
    }

    /// A new axis of `depth` before `axis` (or at the end), `on` where its coordinate is the index
    /// and `off` elsewhere. Negative indices count from the end; any beyond leave all `off`. Lazy.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Dtype`] where the indices are no integers, [`Error::Shape`] where
    /// there would be too many elements.
    pub fn one_hot(
        indices: &Tensor,
        depth: usize,
        axis: i64,
        dtype: Scalar,
        on: Num,
        off: Num,
    ) -> Result<Expr> {
        let op = "one_hot";
        if !indices.dtype().is_int() {
            return Err(Error::dtype(op, [indices.dtype()], "indices are integers"));
        }
        let mut longer = indices.shape().to_vec();
        longer.push(1);
        let at = shape::normalise_axis(op, axis, &longer)?;
        let index = ops::cast(indices.unsqueeze(at as i64)?, Scalar::I64);
        let end = i64::try_from(depth)
            .map_err(|_| Error::shape(op, [indices.shape()], "too many elements"))?;
        let negative = ops::lt(&index, 0i64)?;
        let index = ops::where_(negative, ops::add(&index, end)?, index)?;
        let place = along(indices.context(), longer.len(), at, depth)?;
        let hit = ops::eq(index, ops::cast(place, Scalar::I64))?;
        ops::where_(hit, Expr::scalar(dtype, on), Expr::scalar(dtype, off))
    }
}
