//! Writing at computed positions. Updates that name one place are applied in row-major order, so
//! that there is one result: they are sorted by place, stably, and each place's run is folded.

use super::call::{Array, Attrs, Call, positions};
use super::reduction::{float_limit, pick};
use super::segment::by_target;
use super::{Kind, Limit, NUMBERS, Row};
use crate::num::Num;
use crate::shape::{contiguous_strides, normalise_axis};
use crate::skeleton::Runs;
use crate::{Error, Expr, Result, Tensor, ops};
use functions::Fold;
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "scatter",
        doc: "The first tensor with updates at positions whose coordinate along an axis is an index, and the others the update's own. Modes: none (the last one, in row-major order, stays), add, mul, min, max. Negative indices count from the end; those out of range are skipped, or with `checked` an error.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: &[
                "5x7@i64:5x9:index7,T:5x9:moderate,axis=1,mode=add,x=moderate",
                "5x7@i64:3x7:index5,T:3x7,axis=0",
                "5x7@i32:5x7:wild7,T:5x7,axis=-1,mode=max",
                "5x7@i32:5x7:wild7,T:5x7,axis=1,mode=min",
                "5x7@u8:4x6:offset7,T:4x6:near1,axis=1,mode=mul,x=near1",
                "6@i64:3000:index6,T:3000:moderate,axis=0,mode=add,x=moderate",
                "6@i64:3000:index6,T:3000,axis=0",
                "3x400x2@i64:2x700x1:wild400,T:2x700x1,axis=1",
                "5x7@i64:5x3:index7,T:5x3,axis=1,checked=1",
                "5x7@i64:5x3:wild7,T:5x3,axis=1,checked=1",
                "5x7@i64:5x0,T:5x0,axis=1",
                "0x7@i64:0x3,T:0x3,axis=1",
                "5x0@i64:5x3,T:5x3,axis=1",
                "5x7@i64:6x3,T:6x3,axis=1",
                "5x7@i64:5x3,T:5x2,axis=1",
                "5x7@i64:5,T:5,axis=1",
                "5x7@f32:5x3,T:5x3,axis=1",
                "5x7@i64:5x3:index7,i64:5x3,axis=1,mode=twice",
                "5x7@i64:5x3,T:5x3,axis=2",
            ],
            creates: false,
            run: |_, x, a| {
                let (mode, checked) = (Fold::from_name(a.text("mode", "none"))?, a.flag("checked"));
                let axis = a.int("axis", 0);
                Ok(vec![functions::scatter(
                    &x[0], axis, &x[1], &x[2], mode, checked,
                )?])
            },
            reference: reference_scatter,
        }),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
    &Row {
        name: "scatter_nd",
        doc: "The first tensor with slices replaced (or added to, …) by updates: the last axis of the indices holds the first coordinates of a slice. Modes, negative indices and those out of range as for scatter.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: &[
                "5x7@i64:9x2:index5,T:9:moderate,mode=add,x=moderate",
                "5x7@i64:4x1:index5,T:4x7",
                "4x5x6@i64:3x2x2:wild4,T:3x2x6,mode=max",
                "4x5x6@i64:30x1:index4,T:30x5x6:moderate,mode=add,x=moderate",
                "4x5@i64:20x2:wild3,T:20:near1,mode=mul,x=near1",
                "4x5@i64:20x2:wild3,T:20,mode=min",
                "4x5@i64:3x2:offset4,T:3,checked=1",
                "4x5@i64:30x2:wild4,T:30,checked=1",
                "4x5@i64:3x0,T:3x4x5",
                "4x5@i64:0x2,T:0",
                "4x5@i64:3x3,T:3",
                "4x5@i64:3x1,T:3x4",
                "4x5@i64:0d,T:0d",
            ],
            creates: false,
            run: |_, x, a| {
                let (mode, checked) = (Fold::from_name(a.text("mode", "none"))?, a.flag("checked"));
                Ok(vec![functions::scatter_nd(
                    &x[0], &x[1], &x[2], mode, checked,
                )?])
            },
            reference: reference_scatter_nd,
        }),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
    &Row {
        name: "index_put",
        doc: "The first tensor with its slices along an axis that a vector of indices names replaced (or added to, …) by the slices of the updates. Modes, negative indices and those out of range as for scatter.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: &[
                "5x7@i64:9:index7,T:5x9:moderate,axis=1,mode=add,x=moderate",
                "5x16@i32:4:wild5,T:4x16,axis=0",
                "5x16@i32:40:wild5,T:40x16:moderate,axis=0,mode=add,x=moderate",
                "3x4x5@u8:6:offset9,T:3x6x5,axis=-2,mode=max",
                "3x4x5@i64:2:index4,T:3x2x5:near1,axis=1,mode=mul,x=near1",
                "5x7@i64:4:index5,T:4x7,axis=0,mode=min,checked=1",
                "5x7@i64:9:wild5,T:9x7,axis=0,checked=1",
                "5x7@i64:0,T:0x7,axis=0",
                "5x7@i64:2,T:3x7,axis=0",
                "5x7@i64:2x1,T:2x7,axis=0",
                "5x7@i64:2,T:5x2,axis=2",
            ],
            creates: false,
            run: |_, x, a| {
                let (mode, checked) = (Fold::from_name(a.text("mode", "none"))?, a.flag("checked"));
                let axis = a.int("axis", 0);
                Ok(vec![functions::index_put(
                    &x[0], axis, &x[1], &x[2], mode, checked,
                )?])
            },
            reference: reference_put,
        }),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
];

fn number(n: i64) -> Expr {
    Expr::scalar(Scalar::I64, Num::Int(n.into()))
}

/// Indices made valid: as i64, negative ones counted from the end, and which of them are in range.
fn resolve(indices: &Expr, length: usize) -> Result<(Expr, Expr)> {
    let index = indices.cast(Scalar::I64, CastMode::Saturate);
    let negative = ops::lt(&index, number(0))?;
    let index = ops::where_(negative, ops::add(&index, number(length as i64))?, &index)?;
    let inside = ops::logical_and(
        ops::ge(&index, number(0))?,
        ops::lt(&index, number(length as i64))?,
    )?;
    Ok((index, inside))
}

/// Targets of updates, -1 for those that are not inside; where `checked`, there must be none of these.
fn valid(op: &str, targets: &Expr, inside: &Expr, checked: bool) -> Result<Expr> {
    if checked && inside.reduce("all", &[], false)?.to_vec::<bool>()? != [true] {
        let why = "an index is out of range; without `checked` it is skipped";
        return Err(Error::value(op, why));
    }
    ops::where_(inside, targets, number(-1))
}

/// Folds updates `[n, columns]` into the rows that are their targets.
fn write_rows(
    op: &'static str,
    fold: Fold,
    targets: &Expr,
    updates: &Tensor,
    out: &Tensor,
) -> Result<()> {
    if updates.shape()[0] == 0 || out.numel() == 0 {
        return Ok(());
    }
    let (ids, order) = by_target(op, targets, out.shape()[0])?;
    let runs = Runs {
        op,
        fold,
        ids: &ids,
        order: order.as_ref(),
        values: updates,
        joins: fold != Fold::Replace,
    };
    runs.fold_into(out)
}

/// What all scattering asks of its operands.
fn check(op: &str, x: &Tensor, indices: &Tensor, updates: &Tensor, fits: bool) -> Result<()> {
    let dtypes = [x.dtype(), indices.dtype(), updates.dtype()];
    if !NUMBERS.contains(&x.dtype()) || x.dtype() != updates.dtype() || !indices.dtype().is_int() {
        let why = "it takes numbers, integers as indices, and updates of the first's dtype";
        return Err(Error::dtype(op, dtypes, why));
    }
    if !fits {
        let why = "the updates do not fit the indices, or these the tensor";
        let shapes = [x.shape(), indices.shape(), updates.shape()];
        return Err(Error::shape(op, shapes, why));
    }
    Ok(())
}

/// The functions of these rows.
pub mod functions {
    pub use crate::skeleton::Fold;

    use super::*;

    impl Fold {
        /// `none`, `add`, `mul`, `min`, `max`.
        ///
        /// # Errors
        /// [`Error::Value`] for anything else.
        pub fn from_name(name: &str) -> Result<Fold> {
            Ok(match name {
                "none" => Fold::Replace,
                "add" => Fold::Add,
                "mul" => Fold::Mul,
                "min" => Fold::Min,
                "max" => Fold::Max,
                _ => {
                    let why = format!("no mode `{name}`; there are none add mul min max");
                    return Err(Error::value("scatter", why));
                }
            })
        }
    }

    /// A copy of `x` with updates at positions whose coordinate along an axis is an index, and the
    /// others the update's own (`scatter_elements`). Indices have the shape of the updates, which is
    /// nowhere larger than that of `x` but along the axis. Updates of one place are applied in
    /// row-major order. Negative indices count from the end; those out of range are skipped, or, if
    /// `checked` (which waits for the device), an error.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Dtype`], [`Error::Shape`]; [`Error::Value`] where `checked` finds
    /// an index out of range; [`Error::Backend`].
    pub fn scatter(
        x: &Tensor,
        axis: i64,
        indices: &Tensor,
        updates: &Tensor,
        mode: Fold,
        checked: bool,
    ) -> Result<Tensor> {
        let op = "scatter";
        let axis = normalise_axis(op, axis, x.shape())?;
        let (s, i) = (x.shape(), indices.shape());
        let within = |a: usize| a == axis || i[a] <= s[a];
        let fits = i == updates.shape() && i.len() == s.len() && (0..s.len()).all(within);
        check(op, x, indices, updates, fits)?;
        let out = ops::copy(x)?.eval()?;
        let (index, inside) = resolve(&indices.expr(), s[axis])?;
        let strides = contiguous_strides(s);
        let mut target = ops::mul(index, number(strides[axis]))?;
        for a in (0..s.len()).filter(|&a| a != axis) {
            let own = Expr::position(x.context(), i, a as i64)?;
            let own = own.cast(Scalar::I64, CastMode::Wrap);
            target = ops::add(target, ops::mul(own, number(strides[a]))?)?;
        }
        let target = valid(op, &target, &inside, checked)?;
        let updates = updates.reshape(&[updates.numel(), 1])?;
        write_rows(op, mode, &target, &updates, &out.reshape(&[x.numel(), 1])?)?;
        Ok(out)
    }

    /// A copy of `x` with updates in slices: the last axis of the indices (of length q) holds the
    /// first q coordinates of a slice, and the updates' shape is that of the indices without it,
    /// followed by the slice's. Duplicates, negative indices and those out of range as for
    /// [`scatter`].
    ///
    /// # Errors
    /// As [`scatter`].
    pub fn scatter_nd(
        x: &Tensor,
        indices: &Tensor,
        updates: &Tensor,
        mode: Fold,
        checked: bool,
    ) -> Result<Tensor> {
        let op = "scatter_nd";
        let s = x.shape();
        let split = indices.shape().split_last().filter(|(q, _)| **q <= s.len());
        let shape = split.map(|(&q, lead)| [lead, &s[q..]].concat());
        let fits = shape.as_deref() == Some(updates.shape());
        check(op, x, indices, updates, fits)?;
        let (q, lead) = split.map_or((0, &[][..]), |(q, lead)| (*q, lead));
        let out = ops::copy(x)?.eval()?;
        let (n, columns): (usize, usize) = (lead.iter().product(), s[q..].iter().product());
        let rows: usize = s[..q].iter().product();
        if n == 0 || columns == 0 {
            return Ok(out);
        }
        let strides = contiguous_strides(&s[..q]);
        let mut target = Expr::fill(x.context(), Scalar::I64, &[n], Num::Int(0));
        let mut inside = Expr::fill(x.context(), Scalar::Bool, &[n], Num::Bool(true));
        let tuples = indices.reshape(&[n, q])?;
        for a in 0..q {
            let column = tuples.slice(1, a as i64, a as i64 + 1, 1)?.reshape(&[n])?;
            let (index, valid) = resolve(&column.expr(), s[a])?;
            target = ops::add(target, ops::mul(index, number(strides[a]))?)?;
            inside = ops::logical_and(inside, valid)?;
        }
        let target = valid(op, &target, &inside, checked)?;
        let updates = updates.reshape(&[n, columns])?;
        write_rows(op, mode, &target, &updates, &out.reshape(&[rows, columns])?)?;
        Ok(out)
    }

    /// A copy of `x` with its slices along an axis that a vector of indices names replaced by (or
    /// joined with) the slices of the updates (`index_add`, `index_copy`). Duplicates, negative
    /// indices and those out of range as for [`scatter`].
    ///
    /// # Errors
    /// As [`scatter`].
    pub fn index_put(
        x: &Tensor,
        axis: i64,
        indices: &Tensor,
        updates: &Tensor,
        mode: Fold,
        checked: bool,
    ) -> Result<Tensor> {
        let op = "index_put";
        let axis = normalise_axis(op, axis, x.shape())?;
        let n = indices.numel();
        let mut shape = x.shape().to_vec();
        shape[axis] = n;
        let fits = indices.shape().len() == 1 && updates.shape() == shape;
        check(op, x, indices, updates, fits)?;
        let rank = x.shape().len();
        let axes: Vec<i64> = std::iter::once(axis)
            .chain((0..rank).filter(|&a| a != axis))
            .map(|a| a as i64)
            .collect();
        let rows = x.shape()[axis];
        let columns = x.numel() / rows.max(1);
        let out = ops::copy(x.permute(&axes)?)?.eval()?;
        let (index, inside) = resolve(&indices.expr(), rows)?;
        let target = valid(op, &index, &inside, checked)?;
        let updates = updates.permute(&axes)?;
        let updates = updates.reshape(&[n, updates.numel() / n.max(1)])?;
        write_rows(op, mode, &target, &updates, &out.reshape(&[rows, columns])?)?;
        let mut back = vec![0; rank];
        for (at, &a) in axes.iter().enumerate() {
            back[a as usize] = at as i64;
        }
        out.permute(&back)?.contiguous()
    }
}

// References.

/// Applies updates in order; `target` gives the place of each, or `None` where there is none.
fn apply(
    a: &Attrs,
    x: &Array,
    updates: &Array,
    target: impl Fn(&[usize]) -> Option<usize>,
) -> Option<Vec<Array>> {
    let mode = Fold::from_name(a.text("mode", "none")).ok()?;
    let mut out = x.clone();
    out.scale = x.values.iter().map(|x| x.float().abs()).collect();
    let mut factors = vec![1.0; x.values.len()];
    for at in positions(&updates.shape) {
        let Some(to) = target(&at) else {
            if a.flag("checked") {
                return None;
            }
            continue;
        };
        let (old, new) = (out.values[to], updates.at(&at));
        factors[to] += 1.0;
        out.scale[to] += new.float().abs();
        out.values[to] = match (mode, old, new) {
            (Fold::Replace, ..) => new,
            (Fold::Add, Num::Int(x), Num::Int(y)) => Num::Int(x + y),
            (Fold::Mul, Num::Int(x), Num::Int(y)) => {
                Num::Int(x.wrapping_mul(y) & i128::from(u64::MAX))
            }
            (Fold::Add, x, y) => Num::Float(x.float() + y.float()),
            (Fold::Mul, x, y) => Num::Float(x.float() * y.float()),
            (Fold::Min | Fold::Max, x, y) => pick(out.dtype, &[x, y], mode == Fold::Min),
        };
    }
    match mode {
        Fold::Add => {}
        // Relative to the product, for each factor.
        Fold::Mul => {
            for (i, value) in out.values.iter().enumerate() {
                out.scale[i] = factors[i] * value.float().abs();
            }
        }
        _ => out.scale.fill(0.0),
    }
    Some(vec![out])
}

/// An index, counted from the end where it is negative.
fn place(index: Num, length: usize) -> Option<usize> {
    let index = index.int();
    let index = if index < 0 {
        index + length as i128
    } else {
        index
    };
    usize::try_from(index).ok().filter(|&i| i < length)
}

fn reference_scatter(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (x, indices, updates) = (&x[0], &x[1], &x[2]);
    let axis = normalise_axis("", a.int("axis", 0), &x.shape).ok()?;
    let (s, i) = (&x.shape, &indices.shape);
    let fits = i == &updates.shape && i.len() == s.len();
    if !fits || (0..s.len()).any(|a| a != axis && i[a] > s[a]) {
        return None;
    }
    if !indices.dtype.is_int() || updates.dtype != x.dtype {
        return None;
    }
    apply(a, x, updates, |at| {
        let mut to = at.to_vec();
        to[axis] = place(indices.at(at), s[axis])?;
        Some(x.linear(&to))
    })
}

fn reference_scatter_nd(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (x, indices, updates) = (&x[0], &x[1], &x[2]);
    let (&q, lead) = indices.shape.split_last()?;
    if q > x.shape.len() || updates.shape != [lead, &x.shape[q..]].concat() {
        return None;
    }
    apply(a, x, updates, |at| {
        let (tuple, rest) = at.split_at(lead.len());
        let mut to = vec![];
        for k in 0..q {
            let index = indices.at(&[tuple, &[k]].concat());
            to.push(place(index, x.shape[k])?);
        }
        to.extend(rest);
        Some(x.linear(&to))
    })
}

fn reference_put(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (x, indices, updates) = (&x[0], &x[1], &x[2]);
    let axis = normalise_axis("", a.int("axis", 0), &x.shape).ok()?;
    let mut shape = x.shape.clone();
    shape[axis] = indices.values.len();
    if indices.shape.len() != 1 || updates.shape != shape {
        return None;
    }
    apply(a, x, updates, |at| {
        let mut to = at.to_vec();
        to[axis] = place(indices.values[at[axis]], x.shape[axis])?;
        Some(x.linear(&to))
    })
}
