//! Small normalisations, which are put together from maps and reductions.

use super::{Op, exact, op, out};
use crate::call::Call;
use crate::error::Result;
use suanzi_ops::{Expr, Num, ops};

pub const OPS: &[Op] = &[
    op("Softmax", |c| {
        let (shifted, axis) = below_maximum(c)?;
        let powers = ops::exp(shifted)?;
        let sum = ops::sum(&powers, &[axis], true)?;
        out(ops::div(powers, sum))
    }),
    op("LogSoftmax", |c| {
        let (shifted, axis) = below_maximum(c)?;
        let sum = ops::sum(ops::exp(&shifted)?, &[axis], true)?;
        out(ops::sub(shifted, ops::log(sum)?))
    }),
    exact("Hardmax", |c| {
        let (x, axis) = (c.x(0)?, c.int("axis", -1));
        let axis = c.axis(axis, x.shape().len())?;
        let largest = ops::argmax(x, &[axis as i64], false)?;
        let (on, off) = (Num::Float(1.0), Num::Float(0.0));
        let depth = x.shape()[axis];
        out(ops::one_hot(
            &largest,
            depth,
            axis as i64,
            x.dtype(),
            on,
            off,
        ))
    }),
    op("LpNormalization", |c| {
        let axes = [c.int("axis", -1)];
        let norm = match c.int("p", 2) {
            1 => ops::norm_l1(c.e(0)?, &axes, true)?,
            2 => ops::norm_l2(c.e(0)?, &axes, true)?,
            p => return c.unknown(&format!("p = {p}")),
        };
        // What has no length stays 0.
        let some = ops::ne(&norm, 0.0)?;
        out(ops::where_(some, ops::div(c.e(0)?, &norm)?, 0.0))
    }),
    op("MeanVarianceNormalization", |c| {
        let axes = c.ints("axes").unwrap_or_else(|| vec![0, 2, 3]);
        let mean = ops::mean(c.e(0)?, &axes, true)?;
        let std = ops::std(c.e(0)?, &axes, 0, true)?;
        let centred = ops::sub(c.e(0)?, &mean)?;
        out(ops::div(centred, ops::add(&std, 1e-9)?))
    }),
];

/// The input minus its maximum along the axis, so that no power overflows; and the axis.
fn below_maximum(c: &Call) -> Result<(Expr, i64)> {
    let axis = c.int("axis", -1);
    let largest = ops::max(c.e(0)?, &[axis], true)?;
    Ok((ops::sub(c.e(0)?, largest)?, axis))
}
