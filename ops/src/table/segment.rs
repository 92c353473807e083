//! Reductions by group: rows that share an id, and how many there are.

use super::call::{Array, Attrs, Call};
use super::reduction::float_limit;
use super::{FLOATS, INTS, Kind, Limit, NUMBERS, Row, compute_kind, exact};
use crate::num::{Num, int_range};
use crate::skeleton::{By, Each, Fold, Runs, sort_rows};
use crate::{Error, Expr, Result, Tensor, ops};
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::{BinOp, CastMode};

/// Sorted and not, wide rows and single elements, empty segments, ids out of range, edges.
macro_rules! examples {
    ($values:literal) => {
        &[
            concat!("70x6@i64:70:sorted9,segments=9,sorted=1", $values),
            concat!("3000@i64:3000:sorted40,segments=50,sorted=1", $values),
            concat!("3000@i32:3000:sorted2,segments=2,sorted=1", $values),
            concat!("3000@i32:3000:wild20,segments=20", $values),
            concat!("600x5@i64:600:index9,segments=7", $values),
            concat!("40x4x3@u8:40:offset9,segments=12", $values),
            concat!("300x33@i64:300:offset4,segments=4", $values),
            concat!("0x3@i64:0,segments=4", $values),
            concat!("5x0@i64:5:offset3,segments=3", $values),
            concat!("5x2@i64:5:offset3,segments=0", $values),
            concat!("5x2@i64:4:offset3,segments=3", $values),
            concat!("5x2@f32:5,segments=3", $values),
            concat!("0d@i64:1:offset3,segments=3", $values),
        ]
    };
}

/// Sums stay finite.
const SUMS: &[&str] = examples!(",x=moderate");
const EXTREMES: &[&str] = examples!("");

macro_rules! segments {
    ($name:ident, $of:expr, $examples:expr) => {
        Kind::Call(Call {
            examples: $examples,
            creates: false,
            run: |_, x, a| {
                let segments = a.int("segments", 0) as usize;
                Ok(vec![functions::$name(
                    &x[0],
                    &x[1],
                    segments,
                    a.flag("sorted"),
                )?])
            },
            reference: |x, a| reference(x, a, $of),
        })
    };
}

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "segment_sum",
        doc: "Sums of the rows (slices along the first axis) that share an id, one for each of `segments` ids; 0 of none. Ids out of range are skipped. Integers wrap, f16 and bf16 accumulate in f32. `sorted`: equal ids lie side by side, which saves sorting them.",
        dtypes: NUMBERS,
        kind: segments!(segment_sum, Of::Sum, SUMS),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
    &Row {
        name: "segment_mean",
        doc: "As segment_sum, divided by the number of rows; NaN of none.",
        dtypes: FLOATS,
        kind: segments!(segment_mean, Of::Mean, SUMS),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "segment_max",
        doc: "Largest elements of the rows that share an id, NaN if any is; the least value (-inf) of none.",
        dtypes: NUMBERS,
        kind: segments!(segment_max, Of::Max, EXTREMES),
        limit: exact,
    },
    &Row {
        name: "segment_min",
        doc: "Smallest elements of the rows that share an id, NaN if any is; the greatest value (+inf) of none.",
        dtypes: NUMBERS,
        kind: segments!(segment_min, Of::Min, EXTREMES),
        limit: exact,
    },
    &Row {
        name: "bincount",
        doc: "How often each whole number below `bins` is there, as i64; others are skipped.",
        dtypes: INTS,
        kind: Kind::Call(Call {
            examples: &[
                "70x30@bins=9,x=offset9",
                "5000@bins=4,x=few9",
                "5000@bins=1000,x=wild50",
                "0@bins=3",
                "0d@bins=3",
                "40@bins=0",
            ],
            creates: false,
            run: |_, x, a| Ok(vec![functions::bincount(&x[0], a.int("bins", 0) as usize)?]),
            reference: |x, a| {
                let mut counts = vec![0i128; a.int("bins", 0) as usize];
                for x in &x[0].values {
                    if let Some(count) = usize::try_from(x.int())
                        .ok()
                        .and_then(|i| counts.get_mut(i))
                    {
                        *count += 1;
                    }
                }
                let counts: Vec<Num> = counts.into_iter().map(Num::Int).collect();
                Some(vec![Array::new(Scalar::I64, &[counts.len()], counts)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "histogram",
        doc: "How many elements lie in each of `bins` intervals between `low` and `high`, as i64. Edge i is `low + i·(high - low)/bins`, computed in f64 and rounded to the dtype; an interval has its lower edge, and the last one its upper edge too. What lies outside, and NaN, is not counted.",
        dtypes: FLOATS,
        kind: Kind::Call(Call {
            examples: &[
                "70x30@bins=7,low=-1,high=1,x=unit",
                "3000@bins=10,low=-4,high=5,x=few5",
                "3000@bins=1,low=0,high=1",
                "0@bins=3,low=0,high=1",
                "9@bins=0,low=0,high=1",
                "9@bins=3,low=1,high=1",
            ],
            creates: false,
            run: |_, x, a| {
                let (low, high) = (a.float("low", 0.0), a.float("high", 1.0));
                Ok(vec![functions::histogram(
                    &x[0],
                    a.int("bins", 1) as usize,
                    low,
                    high,
                )?])
            },
            reference: reference_histogram,
        }),
        limit: exact,
    },
];

/// Rows folded by id into what is in the result.
fn fold(
    op: &'static str,
    x: &Tensor,
    ids: &Tensor,
    sorted: bool,
    fold: Fold,
    out: &Tensor,
) -> Result<()> {
    let n = ids.numel();
    if n == 0 || out.numel() == 0 {
        return Ok(());
    }
    let values = x.reshape(&[n, x.numel() / n])?;
    let segments = out.shape()[0];
    let wide = out.reshape(&[segments, out.numel() / segments])?;
    let (ids, order) = match sorted {
        true => (ids.contiguous()?, None),
        false => by_target(op, &ids.expr(), segments)?,
    };
    let runs = Runs {
        op,
        fold,
        ids: &ids,
        order: order.as_ref(),
        values: &values,
        joins: false,
    };
    runs.fold_into(&wide)
}

/// Targets in ascending order, and the positions where they came from. Those out of range become
/// `rows`, and come last.
pub(super) fn by_target(
    op: &'static str,
    targets: &Expr,
    rows: usize,
) -> Result<(Tensor, Option<Tensor>)> {
    let wide = targets.cast(Scalar::I64, CastMode::Saturate);
    let number = |n: usize| Expr::scalar(Scalar::I64, Num::Int(n as i128));
    let least = ops::ge(&wide, number(0))?;
    let inside = ops::logical_and(least, ops::lt(&wide, number(rows))?)?;
    let kind = match u32::try_from(rows) {
        Ok(_) => Scalar::U32,
        Err(_) => Scalar::U64,
    };
    let keys = ops::where_(inside, wide, number(rows))?.cast(kind, CastMode::Wrap);
    let n: usize = targets.shape().iter().product();
    let keys = keys.eval()?.reshape(&[1, n])?;
    let bits = usize::BITS - rows.leading_zeros();
    let (sorted, order) = sort_rows(op, &keys, bits, true)?;
    let flat = |t: Tensor| t.reshape(&[n]);
    Ok((flat(sorted)?, order.map(flat).transpose()?))
}

/// Checks, and a result for the folded rows.
fn prepare(
    op: &'static str,
    x: &Tensor,
    ids: &Tensor,
    segments: usize,
    dtypes: &[Scalar],
    of: Of,
) -> Result<Tensor> {
    if !dtypes.contains(&x.dtype()) || !ids.dtype().is_int() {
        let why = "it takes numbers (means: floats), and integers as ids";
        return Err(Error::dtype(op, [x.dtype(), ids.dtype()], why));
    }
    let Some((&n, row)) = x.shape().split_first() else {
        let why = "there is no axis of rows";
        return Err(Error::shape(op, [x.shape(), ids.shape()], why));
    };
    if ids.shape() != [n] {
        let why = "there must be one id for each row";
        return Err(Error::shape(op, [x.shape(), ids.shape()], why));
    }
    let mut shape = vec![segments];
    shape.extend(row);
    let dtype = match of {
        Of::Mean => compute_kind(x.dtype()),
        _ => x.dtype(),
    };
    let empty = match (of, dtype.is_float()) {
        (Of::Max, true) => Num::Float(f64::NEG_INFINITY),
        (Of::Min, true) => Num::Float(f64::INFINITY),
        (Of::Max, false) => Num::Int(int_range(dtype).0),
        (Of::Min, false) => Num::Int(int_range(dtype).1),
        _ => Num::Int(0),
    };
    ops::fill(x.context(), dtype, &shape, empty)
}

/// What is made of the rows of a segment.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Sum,
    Mean,
    Max,
    Min,
}

/// The functions of these rows.
pub mod functions {
    use super::*;

    /// Sums of the rows (slices along the first axis) that share an id: `[segments, …]`. Ids are
    /// integers, one for each row; those out of range are skipped. `sorted` promises that equal ids
    /// lie side by side; where they do not, one of their runs is the result.
    ///
    /// # Errors
    /// [`Error::Dtype`], [`Error::Shape`] where ids and rows differ in number, [`Error::Backend`].
    pub fn segment_sum(x: &Tensor, ids: &Tensor, segments: usize, sorted: bool) -> Result<Tensor> {
        let op = "segment_sum";
        let out = prepare(op, x, ids, segments, NUMBERS, Of::Sum)?;
        fold(op, x, ids, sorted, Fold::Add, &out)?;
        Ok(out)
    }

    /// Means of the rows that share an id; NaN where there is none.
    ///
    /// # Errors
    /// As [`segment_sum`].
    pub fn segment_mean(x: &Tensor, ids: &Tensor, segments: usize, sorted: bool) -> Result<Tensor> {
        let op = "segment_mean";
        let sums = prepare(op, x, ids, segments, FLOATS, Of::Mean)?;
        fold(op, x, ids, sorted, Fold::Add, &sums)?;
        let mut shape = vec![1; sums.shape().len()];
        shape[0] = segments;
        let counts = bincount(ids, segments)?.reshape(&shape)?;
        let counts = counts.expr().cast(sums.dtype(), CastMode::Saturate);
        let means = ops::div(&sums, counts)?;
        means.cast(x.dtype(), CastMode::Saturate).eval()
    }

    /// Largest elements of the rows that share an id; the least value where there is none.
    ///
    /// # Errors
    /// As [`segment_sum`].
    pub fn segment_max(x: &Tensor, ids: &Tensor, segments: usize, sorted: bool) -> Result<Tensor> {
        let op = "segment_max";
        let out = prepare(op, x, ids, segments, NUMBERS, Of::Max)?;
        fold(op, x, ids, sorted, Fold::Max, &out)?;
        Ok(out)
    }

    /// Smallest elements of the rows that share an id; the greatest value where there is none.
    ///
    /// # Errors
    /// As [`segment_sum`].
    pub fn segment_min(x: &Tensor, ids: &Tensor, segments: usize, sorted: bool) -> Result<Tensor> {
        let op = "segment_min";
        let out = prepare(op, x, ids, segments, NUMBERS, Of::Min)?;
        fold(op, x, ids, sorted, Fold::Min, &out)?;
        Ok(out)
    }

    /// How often each whole number below `bins` is there, as i64; others are skipped.
    ///
    /// # Errors
    /// [`Error::Dtype`] where `x` is not of integers; [`Error::Value`] for 2^32 elements or more;
    /// [`Error::Backend`].
    pub fn bincount(x: &Tensor, bins: usize) -> Result<Tensor> {
        let op = "bincount";
        if !x.dtype().is_int() {
            return Err(Error::dtype(
                op,
                [x.dtype()],
                "it takes integers; cast first",
            ));
        }
        if u32::try_from(x.numel()).is_err() {
            let why = format!(
                "{} elements are more than 32 bits count; split them",
                x.numel()
            );
            return Err(Error::value(op, why));
        }
        let counts = ops::fill(x.context(), Scalar::U32, &[bins], Num::Int(0))?;
        let x = x.contiguous()?;
        if bins > 0 {
            let each = Each {
                op,
                name: "count",
                variant: &[],
                by: By::Item,
                outs: &[&counts],
                ins: &[&x],
                scalars: &[("bins", bins as u64)],
            };
            each.run(x.numel() as u64, |b, io, i| {
                let value = io.load(b, 0, i);
                // A negative one is huge as an unsigned one.
                let value = b.cast(value, Scalar::U64, CastMode::Wrap);
                let bins = b.cast(io.p("bins"), Scalar::U64, CastMode::Wrap);
                let inside = b.bin(BinOp::Lt, value, bins);
                b.if_(inside, |b| {
                    let at = b.cast(value, io.x.kind, CastMode::Wrap);
                    let one = b.u32(1);
                    io.add_to(b, 0, at, one);
                });
            })?;
        }
        counts.expr().cast(Scalar::I64, CastMode::Wrap).eval()
    }

    /// How many elements lie in each of `bins` equal intervals between `low` and `high`, as i64.
    /// Edges are computed in f64 and rounded to the dtype; an interval has its lower edge, and the
    /// last one its upper edge too. What lies outside, and NaN, is not counted.
    ///
    /// # Errors
    /// [`Error::Dtype`] where `x` is not of floats; [`Error::Value`] where there is no interval;
    /// [`Error::Backend`].
    pub fn histogram(x: &Tensor, bins: usize, low: f64, high: f64) -> Result<Tensor> {
        let op = "histogram";
        if !x.dtype().is_float() {
            return Err(Error::dtype(op, [x.dtype()], "it takes floats; cast first"));
        }
        if bins == 0 || !(low < high && low.is_finite() && high.is_finite()) {
            let why = format!(
                "{bins} bins between {low} and {high}: at least one is needed, low < high, both finite"
            );
            return Err(Error::value(op, why));
        }
        let edges = super::edges(x.dtype(), bins, low, high);
        let bytes = edges
            .iter()
            .flat_map(|e| e.to_bits(x.dtype()).to_le_bytes()[..x.dtype().bytes()].to_vec());
        let bytes: Vec<u8> = bytes.collect();
        let edges = Tensor::from_bytes(x.context(), x.dtype(), &[bins + 1], &bytes)?;
        let found = ops::searchsorted(&edges, x, true)?;
        let number = |n: usize| Expr::scalar(Scalar::I64, Num::Int(n as i128));
        let below = ops::sub(&found, number(1))?;
        // Behind the last edge: on it, or beyond.
        let top = Expr::scalar(x.dtype(), Num::Float(high));
        let bin = ops::where_(ops::eq(x, top)?, number(bins - 1), below)?;
        bincount(&bin.eval()?, bins)
    }
}

fn edges(dtype: Scalar, bins: usize, low: f64, high: f64) -> Vec<Num> {
    let edge = |i: usize| match i == bins {
        true => high,
        false => low + i as f64 * ((high - low) / bins as f64),
    };
    (0..=bins)
        .map(|i| Num::Float(edge(i)).round(dtype))
        .collect()
}

// References.

fn reference(x: &[Array], a: &Attrs, of: Of) -> Option<Vec<Array>> {
    let (x, ids) = (&x[0], &x[1]);
    let (&n, row) = x.shape.split_first()?;
    if ids.shape != [n] || !ids.dtype.is_int() {
        return None;
    }
    let columns: usize = row.iter().product();
    let mut shape = vec![a.int("segments", 0) as usize];
    shape.extend(row);
    let mut out = Array::new(x.dtype, &shape, vec![]);
    for at in 0..shape.iter().product() {
        let (segment, column) = (at / columns, at % columns);
        let rows = (0..n).filter(|&r| ids.values[r].int() == segment as i128);
        let xs: Vec<Num> = rows.map(|r| x.values[r * columns + column]).collect();
        let sum = || super::reduction::exact_sum(x.dtype, &xs);
        let scale: f64 = xs.iter().map(|x| x.float().abs()).sum();
        out.values.push(match of {
            Of::Sum => sum(),
            Of::Mean => Num::Float(sum().float() / xs.len() as f64),
            Of::Max | Of::Min => super::reduction::pick(x.dtype, &xs, of == Of::Min),
        });
        out.scale.push(match of {
            Of::Mean => scale / xs.len().max(1) as f64,
            _ => scale,
        });
    }
    Some(vec![out])
}

fn reference_histogram(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let (low, high) = (a.float("low", 0.0), a.float("high", 1.0));
    let bins = a.int("bins", 1) as usize;
    if bins == 0 || low >= high {
        return None;
    }
    let edges = edges(x[0].dtype, bins, low, high);
    let mut counts = vec![0i128; bins];
    for x in x[0].values.iter().map(|x| x.float()) {
        let bin = (0..bins).rev().find(|&i| x >= edges[i].float());
        match bin {
            Some(bin) if x <= edges[bins].float() => counts[bin] += 1,
            _ => {}
        }
    }
    let counts = counts.into_iter().map(Num::Int).collect();
    Some(vec![Array::new(Scalar::I64, &[bins], counts)])
}
