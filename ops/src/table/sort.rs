//! Sorting, and what is found by order.

use super::call::{Array, Attrs, Call};
use super::{ALL, Kind, NUMBERS, Row, exact};
use crate::num::Num;
use crate::shape::{contiguous_strides, normalise_axis};
use crate::skeleton::{By, Each, Key, sort_rows};
use crate::{Error, Expr, Outside, Result, Tensor};
use std::cmp::Ordering;
use suanzi_codegen::ir::{BinOp, CastMode, UnOp};
use suanzi_codegen::{Builder, Scalar, Value};

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "sort",
        doc: "The elements along an axis in ascending (or descending) order. NaN come last in both, all as one NaN; -0 comes before +0 in ascending order.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: SORTS,
            creates: false,
            run: |_, x, a| Ok(vec![functions::sort(&x[0], axis(a), a.flag("descending"))?]),
            reference: |x, a| {
                let (order, axis) = reference_order(&x[0], a, a.flag("descending"))?;
                let moved = |at: &[usize]| x[0].at(&with(at, axis, order.at(at)));
                Some(vec![Array::from_fn(x[0].dtype, &x[0].shape, moved)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "argsort",
        doc: "The positions along an axis that sort it, as i64. Stable: equal elements (and NaN) keep their order, in descending order too.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: SORTS,
            creates: false,
            run: |_, x, a| {
                Ok(vec![functions::argsort(
                    &x[0],
                    axis(a),
                    a.flag("descending"),
                )?])
            },
            reference: |x, a| Some(vec![reference_order(&x[0], a, a.flag("descending"))?.0]),
        }),
        limit: exact,
    },
    &Row {
        name: "topk",
        doc: "The k largest (or smallest) elements along an axis in order, and their positions as i64; of equals those at lower positions, NaN last. `k` beyond the axis is an error.",
        dtypes: ALL,
        kind: Kind::Call(Call {
            examples: TOPS,
            creates: false,
            run: |_, x, a| {
                let k = a.int("k", 1) as usize;
                functions::topk(&x[0], k, axis(a), a.int("largest", 1) != 0).map(<[_; 2]>::into)
            },
            reference: |x, a| {
                let (order, axis) = reference_order(&x[0], a, a.int("largest", 1) != 0)?;
                let mut shape = x[0].shape.clone();
                let k = a.int("k", 1) as usize;
                if k > shape[axis] {
                    return None;
                }
                shape[axis] = k;
                let value = |at: &[usize]| x[0].at(&with(at, axis, order.at(at)));
                Some(vec![
                    Array::from_fn(x[0].dtype, &shape, value),
                    Array::from_fn(Scalar::I64, &shape, |at| order.at(at)),
                ])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "searchsorted",
        doc: "Where each value would be inserted into ascending sequences to keep their order, as i64: before equal elements, or behind them (`right`). `-0 = +0`, NaN is the greatest. Sequences lie along the last axis, one for all values, or one for each of their rows.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: &[
                "40@T:7x3:few9,x=ascending",
                "40@T:7x3:few9,x=ascending,right=1",
                "64@T:100,x=ascending",
                "9@T:50:few5,x=sorted5",
                "9@T:50:few5,x=sorted5,right=1",
                "3x17@T:3x5:few9,x=ascending,right=1",
                "0@T:4",
                "5@T:0",
                "1@T:0d,x=ascending",
                "3x17@T:4x5",
                "0d@T:5",
            ],
            creates: false,
            run: |_, x, a| {
                let right = a.flag("right");
                Ok(vec![functions::searchsorted(&x[0], &x[1], right)?])
            },
            reference: reference_search,
        }),
        limit: exact,
    },
];

/// Short rows (ranked) and long ones (by digits), many and one, both directions, every edge.
const SORTS: &[&str] = &[
    "3x200@axis=1",
    "5x7@axis=0",
    "5x7@axis=-1,descending=1",
    "3x64x5@axis=1,descending=1",
    "3000@axis=0",
    "3000@axis=0,descending=1,x=few5",
    "2x2049@axis=1,x=few9",
    "1025x3@axis=0",
    "70x140@axis=1,x=few3",
    "1@axis=0",
    "0@axis=0",
    "4x0@axis=1",
    "0x4@axis=1",
    "5x7@axis=2",
];

const TOPS: &[&str] = &[
    "3x200@axis=1,k=5",
    "3x200@axis=-1,k=200,largest=0",
    "5x7x3@axis=1,k=2,largest=0",
    "6x4@axis=0,k=3,x=few2",
    "20000@axis=0,k=3",
    "20001@axis=0,k=3,x=few5,largest=0",
    "2x9000@axis=1,k=2",
    "9000x2@axis=0,k=2,largest=0",
    "5x7@axis=1,k=0",
    "0x7@axis=1,k=2",
    "5x7@axis=1,k=8",
    "4x0@axis=1,k=1",
    "5x7@axis=-3,k=1",
];

fn axis(a: &Attrs) -> i64 {
    a.int("axis", -1)
}

/// The axes in an order that has one of them last.
fn last(rank: usize, axis: usize) -> Vec<i64> {
    let others = (0..rank).filter(|&a| a != axis);
    others.chain([axis]).map(|a| a as i64).collect()
}

/// Writes keys and positions (`[rows, n]`) to results of a shape along an axis.
fn deliver(
    key: &Key,
    x: &Tensor,
    shape: &[usize],
    axis: usize,
    keys: Option<&Tensor>,
    order: Option<&Expr>,
) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let axes = last(shape.len(), axis);
    let moved: Vec<usize> = axes.iter().map(|&a| shape[a as usize]).collect();
    let mut results = (None, None);
    if let Some(keys) = keys {
        let out = Tensor::empty(x.context(), x.dtype(), shape)?;
        key.elements(&keys.reshape(&moved)?.expr(), &out.permute(&axes)?)?;
        results.0 = Some(out);
    }
    if let Some(order) = order {
        let out = Tensor::empty(x.context(), Scalar::I64, shape)?;
        let rows = out.permute(&axes)?;
        let order = order.eval()?.reshape(&moved)?;
        order
            .expr()
            .cast(Scalar::I64, CastMode::Wrap)
            .eval_into(&rows)?;
        results.1 = Some(out);
    }
    Ok(results)
}

/// Sorted values and positions along an axis, as far as they are wanted.
fn ordered(
    op: &'static str,
    x: &Tensor,
    axis: i64,
    descending: bool,
    values: bool,
) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let axis = normalise_axis(op, axis, x.shape())?;
    let key = Key::of(x.dtype(), descending);
    if x.numel() == 0 {
        let keys = Tensor::empty(x.context(), key.kind, &[0, 0])?;
        let order = (!values).then(|| keys.expr());
        return deliver(
            &key,
            x,
            x.shape(),
            axis,
            values.then_some(&keys),
            order.as_ref(),
        );
    }
    let n = x.shape()[axis];
    let moved = x.permute(&last(x.shape().len(), axis))?;
    let keys = key.keys(&moved)?.eval()?.reshape(&[x.numel() / n, n])?;
    let (sorted, order) = sort_rows(op, &keys, key.bits, !values)?;
    let order = order.map(|t| t.expr());
    deliver(
        &key,
        x,
        x.shape(),
        axis,
        values.then_some(&sorted),
        order.as_ref(),
    )
}

/// The k least keys of each row of elements and their positions, `[rows, k]`.
///
/// The k least elements lie in the k blocks whose least elements come first (of equals, the block in
/// front): any other block is preceded by k elements. So long rows are read once, for the least of
/// each block, and what is sorted is short.
fn least(op: &'static str, key: &Key, x: &Tensor, k: usize) -> Result<(Tensor, Expr)> {
    let (rows, n) = (x.shape()[0], x.shape()[1]);
    let ctx = x.context();
    let block = (n / k.max(1)).isqrt().next_power_of_two().clamp(64, 1024);
    let blocks = n / block;
    let candidates = k * block + n % block;
    if blocks <= k || candidates > n / 4 || n < 8192 {
        let keys = key.keys(x)?.eval()?;
        let (sorted, order) = sort_rows(op, &keys, key.bits, true)?;
        let first = |t: &Tensor| t.slice(1, 0, k as i64, 1)?.contiguous();
        let order = order.expect("positions were asked for");
        return Ok((first(&sorted)?, first(&order)?.expr()));
    }
    let main = blocks * block;
    let own = x.strides();
    let strides = [own[0], own[1] * block as i64, own[1]];
    let cut = x.as_strided(&[rows, blocks, block], &strides, x.offset())?;
    let leasts = key.keys(&cut)?.reduce("min", &[2], false)?;
    let (_, chosen) = sort_rows(op, &leasts, key.bits, true)?;
    let chosen = chosen.expect("positions were asked for");
    // In order of position, so that a stable sort keeps equals so.
    let chosen = chosen.slice(1, 0, k as i64, 1)?.expr();
    let chosen = chosen
        .cast(Scalar::U32, CastMode::Wrap)
        .eval()?
        .contiguous()?;
    let (chosen, _) = sort_rows(op, &chosen, 32, false)?;
    // The candidates' keys: of the chosen blocks, and of the rest of the row.
    let keys = Tensor::empty(ctx, key.kind, &[rows, candidates])?;
    let shape = [rows, k, block];
    let line = candidates as i64;
    let inside = keys.as_strided(&shape, &[line, block as i64, 1], 0)?;
    let coords = [
        Expr::position(ctx, &shape, 0)?,
        chosen
            .reshape(&[rows, k, 1])?
            .expr()
            .cast(Scalar::I64, CastMode::Wrap),
        Expr::position(ctx, &shape, 2)?,
    ];
    let elements = Expr::at(&cut.bits(), &coords, Outside::Clamp)?;
    key.keys_of(elements)?.eval_into(&inside)?;
    if main < n {
        let behind = keys.slice(1, (k * block) as i64, i64::MAX, 1)?;
        key.keys(&x.slice(1, main as i64, i64::MAX, 1)?)?
            .eval_into(&behind)?;
    }
    let (sorted, order) = sort_rows(op, &keys, key.bits, true)?;
    let first = |t: &Tensor| t.slice(1, 0, k as i64, 1)?.contiguous();
    let order = order.expect("positions were asked for");
    // From positions among the candidates to positions in the row.
    let order = first(&order)?.expr().cast(Scalar::I64, CastMode::Wrap);
    let number = |i: usize| Expr::scalar(Scalar::I64, Num::Int(i as i128));
    use crate::ops;
    let of_block = ops::div(&order, number(block))?;
    let within = ops::rem(&order, number(block))?;
    let row = Expr::position(ctx, &[rows, k], 0)?;
    let of_block = Expr::at(&chosen, &[row, of_block], Outside::Clamp)?;
    let start = ops::mul(of_block.cast(Scalar::I64, CastMode::Wrap), number(block))?;
    let chosen = ops::add(start, within)?;
    let behind = ops::add(&order, number(main - k * block))?;
    let order = ops::where_(ops::lt(&order, number(k * block))?, chosen, behind)?;
    Ok((first(&sorted)?, order))
}

/// Binary searches.
fn search(sorted: &Tensor, values: &Tensor, right: bool) -> Result<Tensor> {
    let op = "searchsorted";
    let (s, v) = (sorted.shape(), values.shape());
    if sorted.dtype() != values.dtype() || !NUMBERS.contains(&sorted.dtype()) {
        let why = "both must be of one dtype, and numbers";
        return Err(Error::dtype(op, [sorted.dtype(), values.dtype()], why));
    }
    let rows_fit =
        s.len() == 1 || (s.len() == v.len() && s[..s.len().max(1) - 1] == v[..s.len().max(1) - 1]);
    if s.is_empty() || !rows_fit {
        let why = "the sequences need one axis, or the rows of the values";
        return Err(Error::shape(op, [s, v], why));
    }
    let n = s[s.len() - 1];
    let per_row = if s.len() == 1 {
        values.numel()
    } else {
        v[v.len() - 1]
    };
    let (sorted, values) = (sorted.contiguous()?, values.contiguous()?);
    let out = Tensor::empty(values.context(), Scalar::I64, v)?;
    let each = Each {
        op,
        name: "search",
        variant: &[right.into()],
        by: By::Item,
        outs: &[&out],
        ins: &[&sorted, &values],
        scalars: &[
            ("n", n as u64),
            ("per_row", per_row.max(1) as u64),
            ("rounds", u64::from(usize::BITS - n.leading_zeros())),
        ],
    };
    each.run(values.numel() as u64, |b, io, i| {
        let row = b.bin(BinOp::Div, i, io.p("per_row"));
        let first = b.mul(row, io.p("n"));
        let value = io.load(b, 1, i);
        let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
        let (low, high) = (b.var(zero), b.var(io.p("n")));
        b.for_(zero, io.p("rounds"), one, false, |b, _| {
            let (from, to) = (b.get(low), b.get(high));
            let open = b.bin(BinOp::Lt, from, to);
            b.if_(open, |b| {
                let sum = b.add(from, to);
                let middle = b.bin(BinOp::Shr, sum, one);
                let at = b.add(first, middle);
                let element = io.load(b, 0, at);
                let before = match right {
                    false => below(b, element, value),
                    true => {
                        let above = below(b, value, element);
                        b.un(UnOp::Not, above)
                    }
                };
                let next = b.add(middle, one);
                let from = b.select(before, next, from);
                let to = b.select(before, to, middle);
                b.set(low, from);
                b.set(high, to);
            });
        });
        let found = b.get(low);
        let found = b.cast(found, Scalar::I64, CastMode::Wrap);
        io.store(b, 0, i, found);
    })?;
    Ok(out)
}

/// `x < y`, NaN being the greatest.
fn below(b: &mut Builder, x: Value, y: Value) -> Value {
    let kind = super::compute_kind(b.ty(x).scalar);
    let x = b.cast(x, kind, CastMode::Saturate);
    let y = b.cast(y, kind, CastMode::Saturate);
    let less = b.bin(BinOp::Lt, x, y);
    if !kind.is_float() {
        return less;
    }
    let (x_nan, y_nan) = (b.un(UnOp::IsNan, x), b.un(UnOp::IsNan, y));
    let number = b.un(UnOp::Not, x_nan);
    let only = b.bin(BinOp::And, y_nan, number);
    b.bin(BinOp::Or, less, only)
}

/// The functions of these rows.
pub mod functions {
    use super::*;

    /// The elements along an axis (a negative one counts from the end) in ascending or descending
    /// order. NaN come last in both, all as one NaN; -0 comes before +0 in ascending order. Any
    /// dtype, any strides.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Backend`].
    pub fn sort(x: &Tensor, axis: i64, descending: bool) -> Result<Tensor> {
        let (values, _) = ordered("sort", x, axis, descending, true)?;
        Ok(values.expect("values were asked for"))
    }

    /// The positions along an axis that sort it, as i64. Stable in both directions.
    ///
    /// # Errors
    /// As [`sort`].
    pub fn argsort(x: &Tensor, axis: i64, descending: bool) -> Result<Tensor> {
        let (_, positions) = ordered("argsort", x, axis, descending, false)?;
        Ok(positions.expect("positions were asked for"))
    }

    /// The k largest (or smallest) elements along an axis, in order, and their positions as i64:
    /// what sorting and slicing would give, without sorting everything.
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::Value`] where k is more than the axis has; [`Error::Backend`].
    pub fn topk(x: &Tensor, k: usize, axis: i64, largest: bool) -> Result<[Tensor; 2]> {
        let op = "topk";
        let axis = normalise_axis(op, axis, x.shape())?;
        let n = x.shape()[axis];
        if k > n {
            let why = format!("k is {k}, and axis {axis} of {:?} has only {n}", x.shape());
            return Err(Error::value(op, why));
        }
        let mut shape = x.shape().to_vec();
        shape[axis] = k;
        if x.numel() == 0 || k == 0 {
            let empty = |dtype| Tensor::empty(x.context(), dtype, &shape);
            return Ok([empty(x.dtype())?, empty(Scalar::I64)?]);
        }
        let key = Key::of(x.dtype(), largest);
        let rows = x.permute(&last(x.shape().len(), axis))?;
        let rows = rows.reshape(&[x.numel() / n, n])?;
        let (keys, order) = least(op, &key, &rows, k)?;
        match deliver(&key, x, &shape, axis, Some(&keys), Some(&order))? {
            (Some(values), Some(positions)) => Ok([values, positions]),
            _ => unreachable!("both were asked for"),
        }
    }

    /// Where each value would be inserted into ascending sequences to keep their order, as i64:
    /// before equal elements, or (`right`) behind them. The sequences lie along the last axis: one
    /// (of shape `[n]`) for all values, or one for each row of the values. What is found in a
    /// sequence that does not ascend is unspecified, and lies in `0..=n`.
    ///
    /// # Errors
    /// [`Error::Dtype`] where the dtypes differ, [`Error::Shape`] where the rows do,
    /// [`Error::Backend`].
    pub fn searchsorted(sorted: &Tensor, values: &Tensor, right: bool) -> Result<Tensor> {
        search(sorted, values, right)
    }
}

// References.

/// The order of sorting.
pub(super) fn order_of(a: Num, b: Num, descending: bool) -> Ordering {
    let forward = |o: Ordering| if descending { o.reverse() } else { o };
    match (a, b) {
        (Num::Float(a), Num::Float(b)) => match (a.is_nan(), b.is_nan()) {
            (false, false) => forward(a.total_cmp(&b)),
            (x, y) => x.cmp(&y),
        },
        (a, b) => forward(a.int().cmp(&b.int())),
    }
}

/// A position with another coordinate along an axis.
fn with(at: &[usize], axis: usize, coordinate: Num) -> Vec<usize> {
    let mut at = at.to_vec();
    at[axis] = coordinate.int() as usize;
    at
}

/// The positions that sort an array along its axis, and that axis.
fn reference_order(x: &Array, a: &Attrs, descending: bool) -> Option<(Array, usize)> {
    let rank = x.shape.len() as i64;
    let axis = axis(a);
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(0..rank).contains(&axis) {
        return None;
    }
    let axis = axis as usize;
    let stride = contiguous_strides(&x.shape)[axis] as usize;
    let n = x.shape[axis];
    let mut order = Array::new(Scalar::I64, &x.shape, x.values.clone());
    let starts = (0..x.values.len()).filter(|i| (i / stride).is_multiple_of(n));
    for start in starts {
        let mut line: Vec<usize> = (0..n).collect();
        let value = |i: usize| x.values[start + i * stride];
        line.sort_by(|&i, &j| order_of(value(i), value(j), descending));
        for (to, from) in line.into_iter().enumerate() {
            order.values[start + to * stride] = Num::Int(from as i128);
        }
    }
    Some((order, axis))
}

fn reference_search(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (s, v) = (&x[0].shape, &x[1].shape);
    let (n, lead) = s.split_last()?;
    if s.len() > 1 && (v.len() != s.len() || v[..lead.len()] != *lead) {
        return None;
    }
    let right = a.flag("right");
    let found = Array::from_fn(Scalar::I64, v, |at| {
        let row = if s.len() == 1 {
            0
        } else {
            x[1].linear(at) / v[v.len() - 1]
        };
        let value = x[1].at(at);
        let row = &x[0].values[row * n..][..*n];
        let less = |a: Num, b: Num| match (a, b) {
            (Num::Float(a), Num::Float(b)) => a < b || (b.is_nan() && !a.is_nan()),
            (a, b) => a.int() < b.int(),
        };
        let before = |&&e: &&Num| {
            if right {
                !less(value, e)
            } else {
                less(e, value)
            }
        };
        Num::Int(row.iter().filter(before).count() as i128)
    });
    Some(vec![found])
}
