//! What a test chooses: results whose size depends on the data. Each function here reads one count
//! back from the device, which waits for it; everything else runs as usual.

use super::call::{Array, Attrs, Call};
use super::sort::order_of;
use super::{ALL, Kind, Row, exact};
use crate::num::Num;
use crate::shape::{checked_numel, contiguous_strides, normalise_axis};
use crate::skeleton::{By, Each, Key, sort_rows};
use crate::{Error, Expr, Outside, Result, Tensor, ops};
use std::cmp::Ordering;
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::{BinOp, CastMode};

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "nonzero",
        doc: "The coordinates of all elements that are not zero (NaN is not), in row-major order, as i64 `[axes, count]`. Waits for the count.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: &[
                "4x7x3@x=few2",
                "5000@x=few3",
                "70x30@x=few2",
                "0d",
                "0x3",
                "9@x=offset1",
            ],
            creates: false,
            run: |_, x, _| Ok(vec![functions::nonzero(&x[0])?]),
            reference: |x, _| {
                let x = &x[0];
                let chosen = super::call::positions(&x.shape).filter(|at| x.at(at).bool());
                let chosen: Vec<Vec<usize>> = chosen.collect();
                let shape = [x.shape.len(), chosen.len()];
                let at = |at: &[usize]| Num::Int(chosen[at[1]][at[0]] as i128);
                Some(vec![Array::from_fn(Scalar::I64, &shape, at)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "compact",
        doc: "The slices along an axis (by default the elements, row-major) whose mask is true. The mask is a vector of bool, at most as long as the axis; what lies beyond it is left out. Waits for the count.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: &[
                "6x5@bool:5,axis=1",
                "6x5@bool:6,axis=-2",
                "2x3x4@bool:2,axis=1",
                "6x5@bool:30",
                "6x5@bool:7",
                "3000@bool:3000",
                "4x0@bool:4,axis=0",
                "0x4@bool:0,axis=0",
                "6x5@bool:6,axis=1",
                "6x5@bool:5,axis=2",
                "6x5@bool:5x1,axis=1",
                "6x5@u8:5,axis=1",
            ],
            creates: false,
            run: |_, x, a| {
                let axis = a.has("axis").then(|| a.int("axis", 0));
                Ok(vec![functions::compact(&x[0], &x[1], axis)?])
            },
            reference: reference_compact,
        }),
        limit: exact,
    },
    &Row {
        name: "unique",
        doc: "The different elements of a tensor in ascending order; for each the least row-major position where it is and the number of times it is there; and for each element (row-major) which of them it is; all as i64. All NaN are one, and the last; -0 and +0 are two. Results: values, positions, inverse, counts. Waits for the number of values.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: &[
                "5x8@x=few6",
                "3000@x=few9",
                "40x70",
                "0x3",
                "0d",
                "17@x=offset1",
            ],
            creates: false,
            run: |_, x, _| {
                functions::unique(&x[0]).map(|u| vec![u.values, u.positions, u.inverse, u.counts])
            },
            reference: reference_unique,
        }),
        limit: exact,
    },
];

/// Reads a count back: the last of inclusive sums.
fn total(sums: &Tensor) -> Result<usize> {
    if sums.numel() == 0 {
        return Ok(0);
    }
    let last = sums.slice(0, -1, i64::MAX, 1)?.read_bytes()?;
    Ok(Num::from_le_bytes(sums.dtype(), &last).int() as usize)
}

/// The positions of a vector's true elements, in order, as i64; and the running count of them.
fn chosen(op: &'static str, flags: &Expr) -> Result<(Tensor, Tensor)> {
    let n = flags.shape()[0];
    let counting = match u32::try_from(n) {
        Ok(_) => Scalar::U32,
        Err(_) => Scalar::U64,
    };
    let sums = ops::cumsum(
        flags.cast(counting, CastMode::Wrap),
        0,
        ops::Span::default(),
    )?;
    let count = total(&sums)?;
    let out = Tensor::empty(sums.context(), Scalar::I64, &[count])?;
    if count == 0 {
        return Ok((out, sums));
    }
    let each = Each {
        op,
        name: "choose",
        variant: &[],
        by: By::Item,
        outs: &[&out],
        ins: &[&sums],
        scalars: &[],
    };
    // Where the running count grows is a true element, and the count before is its number.
    each.run(n as u64, |b, io, i| {
        let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
        let count = io.load(b, 0, i);
        let nothing = b.bits(counting, 0);
        let before = b.var(nothing);
        let first = b.bin(BinOp::Eq, i, zero);
        b.if_else(
            first,
            |b| b.set(before, nothing),
            |b| {
                let at = b.sub(i, one);
                let value = io.load(b, 0, at);
                b.set(before, value);
            },
        );
        let before = b.get(before);
        let grows = b.bin(BinOp::Ne, count, before);
        b.if_(grows, |b| {
            let to = b.cast(before, io.x.kind, CastMode::Wrap);
            let position = b.cast(i, Scalar::I64, CastMode::Wrap);
            io.store(b, 0, to, position);
        });
    })?;
    Ok((out, sums))
}

/// The functions of these rows.
pub mod functions {
    use super::*;

    /// The coordinates of all elements that are not zero (NaN is not), in row-major order, as i64
    /// `[axes, count]`. Waits for the count.
    ///
    /// # Errors
    /// [`Error::Backend`].
    pub fn nonzero(x: &Tensor) -> Result<Tensor> {
        let op = "nonzero";
        let rank = x.shape().len();
        if x.numel() == 0 {
            return Tensor::empty(x.context(), Scalar::I64, &[rank, 0]);
        }
        let flags = x.expr().cast(Scalar::Bool, CastMode::Saturate);
        let flags = flags.eval()?.reshape(&[x.numel()])?;
        let (positions, _) = chosen(op, &flags.expr())?;
        let count = positions.numel();
        let out = Tensor::empty(x.context(), Scalar::I64, &[rank, count])?;
        if count == 0 {
            return Ok(out);
        }
        let number = |i: i64| Expr::scalar(Scalar::I64, Num::Int(i.into()));
        let strides = contiguous_strides(x.shape());
        for (axis, &stride) in strides.iter().enumerate() {
            let line = out.as_strided(&[count], &[1], axis * count)?;
            let outer = ops::div(&positions, number(stride))?;
            let length = number(x.shape()[axis] as i64);
            ops::rem(outer, length)?.eval_into(&line)?;
        }
        Ok(out)
    }

    /// The slices along an axis whose mask is true; without an axis the elements, in row-major
    /// order. The mask is a vector of bool, at most as long as the axis; what lies beyond it is left
    /// out. Waits for the count.
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::Dtype`] where the mask is not bool; [`Error::Shape`] where it is no
    /// vector, or longer than the axis; [`Error::Device`]; [`Error::Backend`].
    pub fn compact(x: &Tensor, mask: &Tensor, axis: Option<i64>) -> Result<Tensor> {
        let op = "compact";
        if mask.dtype() != Scalar::Bool {
            let why = "the mask must be bool; compare or cast first";
            return Err(Error::dtype(op, [x.dtype(), mask.dtype()], why));
        }
        let Some(axis) = axis else {
            return compact(&x.reshape(&[x.numel()])?, mask, Some(0));
        };
        let axis = normalise_axis(op, axis, x.shape())?;
        if mask.shape().len() != 1 || mask.numel() > x.shape()[axis] {
            let why = format!("the mask must be a vector, at most as long as axis {axis}");
            return Err(Error::shape(op, [x.shape(), mask.shape()], why));
        }
        let (positions, _) = chosen(op, &mask.expr())?;
        let count = positions.numel();
        let mut shape = x.shape().to_vec();
        shape[axis] = count;
        if checked_numel(&shape) == Some(0) {
            return Tensor::empty(x.context(), x.dtype(), &shape);
        }
        let mut line = vec![1; shape.len()];
        line[axis] = count;
        let coords = (0..shape.len()).map(|a| match a == axis {
            true => Ok(positions.reshape(&line)?.expr()),
            false => Expr::position(x.context(), &shape, a as i64),
        });
        let coords = coords.collect::<Result<Vec<Expr>>>()?;
        Expr::at(x, &coords, Outside::Clamp)?.eval()
    }

    /// The different elements of a tensor, and where they are; see [`unique`].
    #[derive(Clone, Debug)]
    pub struct Unique {
        /// Ascending.
        pub values: Tensor,
        /// The least row-major position of each.
        pub positions: Tensor,
        /// Which of the values each element is, in row-major order.
        pub inverse: Tensor,
        /// How often each is there.
        pub counts: Tensor,
    }

    /// The different elements of a tensor. All NaN are one, and the last; -0 and +0 are two. Waits
    /// for the number of values.
    ///
    /// # Errors
    /// [`Error::Backend`].
    pub fn unique(x: &Tensor) -> Result<Unique> {
        let op = "unique";
        let (ctx, n) = (x.context(), x.numel());
        if n == 0 {
            let empty = |dtype| Tensor::empty(ctx, dtype, &[0]);
            return Ok(Unique {
                values: empty(x.dtype())?,
                positions: empty(Scalar::I64)?,
                inverse: empty(Scalar::I64)?,
                counts: empty(Scalar::I64)?,
            });
        }
        let key = Key::of(x.dtype(), false);
        let keys = key.keys(x)?.eval()?.reshape(&[1, n])?;
        let (sorted, order) = sort_rows(op, &keys, key.bits, true)?;
        let sorted = sorted.reshape(&[n])?;
        let order = order.expect("positions were asked for").reshape(&[n])?;
        // An element that differs from the one before begins a value.
        let position = Expr::position(ctx, &[n], 0)?;
        let zero = || Expr::scalar(position.dtype(), Num::Int(0));
        let one = || Expr::scalar(position.dtype(), Num::Int(1));
        let before = Expr::at(&sorted, &[ops::sub(&position, one())?], Outside::Clamp)?;
        let begins = ops::logical_or(ops::ne(&sorted, before)?, ops::eq(&position, zero())?)?;
        let (starts, sums) = chosen(op, &begins)?;
        let count = starts.numel();
        let at =
            |t: &Tensor, coord: &Expr| Expr::at(t, std::slice::from_ref(coord), Outside::Clamp);
        let values = Tensor::empty(ctx, x.dtype(), &[count])?;
        key.elements(&at(&sorted, &starts.expr())?, &values)?;
        let wide = |e: Expr| e.cast(Scalar::I64, CastMode::Wrap);
        let positions = wide(at(&order, &starts.expr())?).eval()?;
        // The start of the next value, or the end.
        let number = Expr::position(ctx, &[count], 0)?.cast(Scalar::I64, CastMode::Wrap);
        let next = ops::add(number, Expr::scalar(Scalar::I64, Num::Int(1)))?;
        let end = Num::Int(n as i128);
        let next = Expr::at(&starts, &[next], Outside::Fill(end))?;
        let counts = ops::sub(next, &starts)?.eval()?;
        let inverse = Tensor::empty(ctx, Scalar::I64, &[n])?;
        let each = Each {
            op,
            name: "invert",
            variant: &[],
            by: By::Item,
            outs: &[&inverse],
            ins: &[&order, &sums],
            scalars: &[],
        };
        each.run(n as u64, |b, io, i| {
            let to = io.load(b, 0, i);
            let to = b.cast(to, io.x.kind, CastMode::Wrap);
            let value = io.load(b, 1, i);
            let value = b.cast(value, Scalar::I64, CastMode::Wrap);
            let one = b.int(Scalar::I64, 1);
            let value = b.sub(value, one);
            io.store(b, 0, to, value);
        })?;
        Ok(Unique {
            values,
            positions,
            inverse,
            counts,
        })
    }
}

// References.

fn reference_compact(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (x, mask) = (&x[0], &x[1]);
    let (shape, axis) = match a.has("axis") {
        false => (vec![x.values.len()], 0),
        true => (x.shape.clone(), a.int("axis", 0)),
    };
    let rank = shape.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    let fits = (0..rank).contains(&axis) && mask.shape.len() == 1;
    if !fits || mask.dtype != Scalar::Bool || mask.shape[0] > shape[axis as usize] {
        return None;
    }
    let axis = axis as usize;
    let source = Array::new(x.dtype, &shape, x.values.clone());
    let kept: Vec<usize> = (0..mask.shape[0])
        .filter(|&i| mask.values[i].bool())
        .collect();
    let mut to = shape.clone();
    to[axis] = kept.len();
    Some(vec![Array::from_fn(x.dtype, &to, |at| {
        let mut at = at.to_vec();
        at[axis] = kept[at[axis]];
        source.at(&at)
    })])
}

fn reference_unique(x: &[Array], _: &Attrs) -> Option<Vec<Array>> {
    let x = &x[0];
    let mut order: Vec<usize> = (0..x.values.len()).collect();
    let compare = |&i: &usize, &j: &usize| order_of(x.values[i], x.values[j], false);
    order.sort_by(compare);
    let (mut values, mut firsts, mut counts) = (vec![], vec![], vec![]);
    let mut inverse = vec![Num::Int(0); order.len()];
    for (at, i) in order.iter().enumerate() {
        if at == 0 || compare(&order[at - 1], i) != Ordering::Equal {
            values.push(x.values[*i]);
            firsts.push(Num::Int(*i as i128));
            counts.push(Num::Int(0));
        }
        inverse[*i] = Num::Int(values.len() as i128 - 1);
        let count = counts.last_mut()?;
        *count = Num::Int(count.int() + 1);
    }
    let whole = |values: Vec<Num>| Array::new(Scalar::I64, &[values.len()], values);
    Some(vec![
        Array::new(x.dtype, &[values.len()], values),
        whole(firsts),
        whole(inverse),
        whole(counts),
    ])
}
