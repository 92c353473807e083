//! Triangles and diagonals of matrices, which are the last two axes.

use super::super::call::{Array, Call};
use super::super::{ALL, Kind, Row, exact};
use super::{axis_of, moving};
use crate::error::{Error, Result};
use crate::num::Num;
use suanzi_codegen::Scalar;

/// The upper triangle.
pub const TRIU: Row = moving(
    "triu",
    "The last two axes with zeros below diagonal k.",
    ALL,
    &[
        "5x37",
        "37x5@k=-2",
        "2x17x17@k=3",
        "3x4@k=9",
        "3x4@k=-9223372036854775808",
        "0x4",
        "4",
    ],
    |_, x, a| Ok(vec![functions::triu(&x[0], a.int("k", 0))?.eval()?]),
    |x, a| triangle(&x[0], |i, j| j - i >= i128::from(a.int("k", 0))),
);

/// The lower triangle.
pub const TRIL: Row = moving(
    "tril",
    "The last two axes with zeros above diagonal k.",
    ALL,
    &[
        "5x37",
        "37x5@k=-2",
        "2x17x17@k=3",
        "3x4@k=-9",
        "3x4@k=9223372036854775807",
        "0x4",
        "4",
    ],
    |_, x, a| Ok(vec![functions::tril(&x[0], a.int("k", 0))?.eval()?]),
    |x, a| triangle(&x[0], |i, j| j - i <= i128::from(a.int("k", 0))),
);

/// A diagonal.
pub const DIAGONAL: Row = moving(
    "diagonal",
    "Diagonal k of two axes (by default the last two), as the last axis. A view.",
    ALL,
    &[
        "5x37",
        "5x7@k=-2",
        "3x5x4@k=1,axis1=0,axis2=-1",
        "5x7@k=7",
        "0x5",
        "5",
        "5x7@axis1=1,axis2=1",
        "5x7@axis1=2",
    ],
    |_, x, a| {
        let (axis1, axis2) = (a.int("axis1", -2), a.int("axis2", -1));
        Ok(vec![functions::diagonal(
            &x[0],
            a.int("k", 0),
            axis1,
            axis2,
        )?])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let (i, j) = (
            axis_of(rank, a.int("axis1", -2))?,
            axis_of(rank, a.int("axis2", -1))?,
        );
        if i == j {
            return None;
        }
        let k = a.int("k", 0);
        let (first, second) = ((-k).max(0) as usize, k.max(0) as usize);
        let left = |d: usize, skip: usize| d.saturating_sub(skip);
        let length = left(x[0].shape[i], first).min(left(x[0].shape[j], second));
        let others: Vec<usize> = (0..rank).filter(|&a| a != i && a != j).collect();
        let mut shape: Vec<usize> = others.iter().map(|&a| x[0].shape[a]).collect();
        shape.push(length);
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let mut own = vec![0; rank];
            others.iter().zip(at).for_each(|(&axis, &p)| own[axis] = p);
            let along = at[at.len() - 1];
            (own[i], own[j]) = (along + first, along + second);
            x[0].at(&own)
        })])
    },
);

/// Matrices with a given diagonal.
pub const DIAG: Row = moving(
    "diag",
    "Square matrices with the last axis as diagonal k, and zeros.",
    ALL,
    &[
        "17",
        "5@k=-2",
        "2x3@k=1",
        "0@k=1",
        "0",
        "0d",
        "5@k=9223372036854775807",
    ],
    |_, x, a| Ok(vec![functions::diag(&x[0], a.int("k", 0))?]),
    |x, a| {
        let (length, rest) = x[0].shape.split_last()?;
        let k = a.int("k", 0);
        let side = usize::try_from(k.unsigned_abs()).ok()?.checked_add(*length);
        let side = side.filter(|s| *s < 1 << 30)?;
        let shape = [rest, &[side, side]].concat();
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let (i, j) = (at[rest.len()] as i64, at[rest.len() + 1] as i64);
            match j - i == k {
                true => x[0].at(&[&at[..rest.len()], &[i.min(j) as usize]].concat()),
                false => zero(x[0].dtype),
            }
        })])
    },
);

/// Ones on a diagonal.
pub const EYE: Row = Row {
    name: "eye",
    doc: "A matrix with ones on diagonal k and zeros elsewhere.",
    dtypes: ALL,
    limit: exact,
    kind: Kind::Call(Call {
        examples: &["5x37", "37x5@k=-3", "4x4@k=4", "0x4", "4"],
        creates: true,
        run: |ctx, _, a| match a.shape[..] {
            [rows, columns] => {
                let eye = functions::eye(ctx, a.dtype, rows, columns, a.int("k", 0));
                Ok(vec![eye?.eval()?])
            }
            _ => Err(Error::shape("eye", [&a.shape[..]], "it is a matrix")),
        },
        reference: |_, a| {
            let one = match a.dtype {
                Scalar::Bool => Num::Bool(true),
                t if t.is_float() => Num::Float(1.0),
                _ => Num::Int(1),
            };
            let k = a.int("k", 0);
            let on = |at: &[usize]| at[1] as i64 - at[0] as i64 == k;
            let element = |at: &[usize]| if on(at) { one } else { zero(a.dtype) };
            (a.shape.len() == 2).then(|| vec![Array::from_fn(a.dtype, &a.shape, element)])
        },
    }),
};

fn zero(dtype: Scalar) -> Num {
    Num::from_bits(dtype, 0)
}

fn triangle(x: &Array, keeps: impl Fn(i128, i128) -> bool) -> Option<Vec<Array>> {
    let rank = x.shape.len().checked_sub(2)?;
    Some(vec![Array::from_fn(x.dtype, &x.shape, |at| {
        let keep = keeps(at[rank] as i128, at[rank + 1] as i128);
        if keep { x.at(at) } else { zero(x.dtype) }
    })])
}

/// One function for each row.
pub mod functions {
    use super::super::{along, copy_into};
    use super::{Num, Result, Scalar};
    use crate::{Error, Expr, Tensor, ops, shape};
    use suanzi_backends::Context;

    /// The last two axes with zeros below diagonal k (0 is the main one, 1 the one above it). Lazy.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not two axes, [`Error::Device`].
    pub fn triu(x: impl Into<Expr>, k: i64) -> Result<Expr> {
        masked("triu", x.into(), k, ops::ge)
    }

    /// The last two axes with zeros above diagonal k (0 is the main one, 1 the one above it). Lazy.
    ///
    /// # Errors
    /// As [`triu`].
    pub fn tril(x: impl Into<Expr>, k: i64) -> Result<Expr> {
        masked("tril", x.into(), k, ops::le)
    }

    type Compare = fn(Expr, i64) -> Result<Expr>;

    fn masked(op: &str, x: Expr, k: i64, keeps: Compare) -> Result<Expr> {
        let [.., rows, columns] = x.shape() else {
            return Err(Error::shape(op, [x.shape()], "it takes two axes or more"));
        };
        let (above, k) = above(&x.context(op)?, *rows, *columns, k)?;
        let zero = Expr::scalar(x.dtype(), Num::from_bits(x.dtype(), 0));
        ops::where_(keeps(above, k)?, x, zero)
    }

    /// Column minus row, and k within their reach.
    fn above(ctx: &Context, rows: usize, columns: usize, k: i64) -> Result<(Expr, i64)> {
        let wide = i32::try_from(rows.saturating_add(columns)).is_err();
        let kind = if wide { Scalar::I64 } else { Scalar::I32 };
        let row = ops::cast(along(ctx, 2, 0, rows)?, kind);
        let above = ops::sub(ops::cast(along(ctx, 2, 1, columns)?, kind), row)?;
        Ok((above, k.clamp(-(rows as i64), columns as i64)))
    }

    /// Diagonal k of two axes, as the last axis. A view.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] where both axes are the same.
    pub fn diagonal(x: &Tensor, k: i64, axis1: i64, axis2: i64) -> Result<Tensor> {
        let op = "diagonal";
        let i = shape::normalise_axis(op, axis1, x.shape())?;
        let j = shape::normalise_axis(op, axis2, x.shape())?;
        if i == j {
            return Err(Error::shape(op, [x.shape()], "it takes two different axes"));
        }
        // The rows and columns before the diagonal begins are cut off.
        let cut = x.slice(i as i64, k.saturating_neg().max(0), i64::MAX, 1)?;
        let cut = cut.slice(j as i64, k.max(0), i64::MAX, 1)?;
        let others = || (0..x.shape().len()).filter(|&a| a != i && a != j);
        let mut to: Vec<usize> = others().map(|a| x.shape()[a]).collect();
        to.push(cut.shape()[i].min(cut.shape()[j]));
        let mut strides: Vec<i64> = others().map(|a| x.strides()[a]).collect();
        strides.push(x.strides()[i] + x.strides()[j]);
        cut.as_strided(&to, &strides, cut.offset())
    }

    /// Square matrices with the last axis as diagonal k, and zeros.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no axis or there would be too many elements,
    /// [`Error::Backend`].
    pub fn diag(x: &Tensor, k: i64) -> Result<Tensor> {
        let op = "diag";
        let Some((&length, rest)) = x.shape().split_last() else {
            return Err(Error::shape(op, [x.shape()], "it takes an axis or more"));
        };
        let side = usize::try_from(k.unsigned_abs()).ok();
        let side = side.and_then(|k| k.checked_add(length));
        let side = side.ok_or_else(|| Error::shape(op, [x.shape()], "too many elements"))?;
        let to = [rest, &[side, side]].concat();
        let out = Tensor::empty(x.context(), x.dtype(), &to)?;
        Expr::fill(x.context(), x.dtype(), &to, Num::from_bits(x.dtype(), 0)).eval_into(&out)?;
        copy_into(x, &diagonal(&out, k, -2, -1)?)?;
        Ok(out)
    }

    /// A matrix with ones on diagonal k and zeros elsewhere. Lazy.
    ///
    /// # Errors
    /// [`Error::Shape`] where there would be too many elements.
    pub fn eye(ctx: &Context, dtype: Scalar, rows: usize, columns: usize, k: i64) -> Result<Expr> {
        if shape::checked_numel(&[rows, columns]).is_none() {
            return Err(Error::shape(
                "eye",
                [&[rows, columns][..]],
                "too many elements",
            ));
        }
        let (above, k) = above(ctx, rows, columns, k)?;
        Ok(ops::cast(ops::eq(above, k)?, dtype))
    }
}
