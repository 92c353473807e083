//! Packing operands into panels: strided copies, so that the map skeleton does them.
//!
//! A panel holds the rows of a tile (or its columns) side by side for each step along k, so that a
//! CPU's kernel reads both operands forwards. What is missing in the last panel is zero.

use crate::error::Result;
use crate::expr::{Expr, Outside};
use crate::num::Num;
use crate::shape::contiguous_strides;
use crate::tensor::Tensor;
use std::sync::{Mutex, PoisonError};
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// An operand B in the form in which a device's kernels read it, made when it is first used and kept: of weights that do not
/// change. Where kernels read B as it lies, nothing is kept.
#[derive(Debug, Default)]
pub struct Packed {
    /// Panels by their width. A device takes one width, or two where tiles were tuned.
    panels: Mutex<Vec<(usize, Tensor)>>,
}

impl Packed {
    /// Panels of a width; packed if there are none yet.
    pub(super) fn columns(
        &self,
        width: usize,
        pack: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut panels = self.panels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, there)) = panels.iter().find(|(w, _)| *w == width) {
            return Ok(there.clone());
        }
        let new = pack()?;
        panels.push((width, new.clone()));
        Ok(new)
    }
}

/// Whether a kernel may read an operand `[batch.., m, k..]` where it lies: nothing is computed on
/// the way, and steps along k are near each other.
pub fn lies_well(a: &Expr, batch: usize, kind: Scalar) -> bool {
    let near = |t: &Tensor| t.dtype() == kind && matches!(t.strides()[batch + 1..], [1]);
    a.tensor().is_some_and(near)
}

/// `[batch.., m, k..]` as `[batch.., panel, row, k..]`: rows of a panel are side by side.
pub fn rows(a: &Expr, batch: usize, width: usize) -> Result<Expr> {
    let panels = panels(a, batch, batch, width)?;
    // From [batch.., panel, k.., row].
    let rank = panels.shape().len() as i64;
    let (first, last) = (batch as i64 + 1, rank - 1);
    let order: Vec<i64> = (0..first).chain([last]).chain(first..last).collect();
    Ok(panels.permute(&order)?.expr())
}

/// `[batch.., k.., n]` as `[batch.., panel, k · column]`.
pub fn columns(b: &Expr, batch: usize, width: usize) -> Result<Tensor> {
    let axis = b.shape().len() - 1;
    let panels = panels(b, batch, axis, width)?;
    let inner: usize = panels.shape()[batch + 1..].iter().product();
    let shape = [&panels.shape()[..=batch], &[inner]].concat();
    let strides = [&panels.strides()[..=batch], &[1]].concat();
    panels.as_strided(&shape, &strides, 0)
}

/// `[batch.., panel, others.., element]` of one axis; axes of the batch along which the operand is
/// repeated are packed once and repeated again.
fn panels(from: &Expr, batch: usize, axis: usize, width: usize) -> Result<Tensor> {
    let dtype = from.dtype();
    let mut view = match from.converted() {
        Some(t) => t.clone(),
        None => from.eval()?,
    };
    let full = view.shape().to_vec();
    for repeated in 0..batch {
        if view.strides()[repeated] == 0 && view.shape()[repeated] > 1 {
            view = view.slice(repeated as i64, 0, 1, 1)?;
        }
    }
    let length = view.shape()[axis];
    let others: Vec<usize> = (batch..view.shape().len()).filter(|&a| a != axis).collect();
    let dims = |axes: &[usize]| axes.iter().map(|&a| view.shape()[a]).collect::<Vec<_>>();
    let shape = [
        &view.shape()[..batch],
        &[length.div_ceil(width)],
        &dims(&others),
        &[width],
    ]
    .concat();
    let panels = Tensor::empty(view.context(), dtype, &shape)?;
    let whole = length / width;
    let at = batch as i64;
    let copy = |from: Expr, to: Tensor| from.cast(dtype, CastMode::Saturate).eval_into(&to);
    // [batch.., others.., axis..] in the order of the panels.
    let mut order: Vec<i64> = (0..at).collect();
    if whole > 0 {
        let cut = view.slice(axis as i64, 0, (whole * width) as i64, 1)?;
        let cut = cut.unfold_axis(axis as i64, &[whole, width])?;
        // Axes behind the unfolded one have moved by one.
        order.push(axis as i64);
        order.extend(others.iter().map(|&a| (a + usize::from(a > axis)) as i64));
        order.push(axis as i64 + 1);
        copy(
            cut.permute(&order)?.expr(),
            panels.slice(at, 0, whole as i64, 1)?,
        )?;
    }
    if !length.is_multiple_of(width) {
        let cut = view.slice(axis as i64, (whole * width) as i64, i64::MAX, 1)?;
        let mut order: Vec<i64> = (0..at).collect();
        order.extend(others.iter().map(|&a| a as i64));
        order.push(axis as i64);
        let to = panels.slice(at, whole as i64, i64::MAX, 1)?;
        let from = cut.permute(&order)?.unsqueeze(at)?;
        let position = |axis: usize| {
            let mut alone = vec![1; to.shape().len()];
            alone[axis] = to.shape()[axis];
            Expr::position(view.context(), &alone, axis as i64)
        };
        let positions: Vec<Expr> = (0..to.shape().len()).map(position).collect::<Result<_>>()?;
        let zero = Num::from_bits(from.dtype(), 0);
        copy(Expr::at(&from, &positions, Outside::Fill(zero))?, to)?;
    }
    let mut strides = contiguous_strides(&shape);
    let mut shape = shape;
    for repeated in 0..batch {
        if shape[repeated] != full[repeated] {
            (shape[repeated], strides[repeated]) = (full[repeated], 0);
        }
    }
    panels.as_strided(&shape, &strides, 0)
}
