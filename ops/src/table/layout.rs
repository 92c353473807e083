//! Operators that move elements and change none: concatenation, padding, permutation and the like.
//!
//! What a view can say is a view; the rest are strided copies into views of the result, and only
//! what neither can say reads at computed coordinates.

use super::call::{Array, Attrs, Call};
use super::{Kind, Row, exact};
use crate::error::{Error, Result};
use crate::{Expr, Tensor};
use suanzi_backends::Context;
use suanzi_codegen::Scalar;

pub mod blocks;
pub mod join;
pub mod matrix;
pub mod pad;
pub mod reorder;
pub mod window;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &join::CONCAT,
    &join::STACK,
    &join::SPLIT,
    &join::TILE,
    &join::REPEAT_INTERLEAVE,
    &join::EXPAND,
    &join::MESHGRID,
    &pad::PAD,
    &pad::CENTER_CROP_PAD,
    &reorder::PERMUTE,
    &reorder::SLICE,
    &reorder::FLIP,
    &reorder::ROLL,
    &reorder::REVERSE_SEQUENCE,
    &blocks::DEPTH_TO_SPACE,
    &blocks::SPACE_TO_DEPTH,
    &matrix::TRIU,
    &matrix::TRIL,
    &matrix::DIAGONAL,
    &matrix::DIAG,
    &matrix::EYE,
    &window::IM2COL,
    &window::COL2IM,
];

/// One function for each row.
pub mod functions {
    pub use super::blocks::functions::*;
    pub use super::join::functions::*;
    pub use super::matrix::functions::*;
    pub use super::pad::functions::*;
    pub use super::reorder::functions::*;
    pub use super::window::functions::*;
}

/// A row that moves elements.
pub(super) const fn moving(
    name: &'static str,
    doc: &'static str,
    dtypes: &'static [Scalar],
    examples: &'static [&'static str],
    run: fn(&Context, &[Tensor], &Attrs) -> Result<Vec<Tensor>>,
    reference: fn(&[Array], &Attrs) -> Option<Vec<Array>>,
) -> Row {
    Row {
        name,
        doc,
        dtypes,
        kind: Kind::Call(Call {
            examples,
            creates: false,
            run,
            reference,
        }),
        limit: exact,
    }
}

/// The coordinate along one of `rank` axes, all others being 1.
pub(super) fn along(ctx: &Context, rank: usize, axis: usize, length: usize) -> Result<Expr> {
    let mut shape = vec![1; rank];
    shape[axis] = length;
    Expr::position(ctx, &shape, axis as i64)
}

/// Copies a tensor into a view of another.
pub(super) fn copy_into(from: &Tensor, to: &Tensor) -> Result<()> {
    from.expr().eval_into(to)
}

/// Numbers of an attribute that must not be negative.
pub(super) fn counts(op: &str, what: &str, values: &[i64]) -> Result<Vec<usize>> {
    let count = |&v: &i64| {
        usize::try_from(v)
            .map_err(|_| Error::value(op, format!("{what} {values:?} must not be negative")))
    };
    values.iter().map(count).collect()
}

/// An axis for a reference; `None` where it is out of range.
pub(super) fn axis_of(rank: usize, axis: i64) -> Option<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at).ok().filter(|&a| a < rank)
}
