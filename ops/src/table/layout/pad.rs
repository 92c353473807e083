//! Padding and cropping.
//!
//! The inside of a result is one strided copy. The rim is cut into boxes, each of which is filled or
//! read at computed coordinates; it is small, so that its arithmetic does not matter.

use super::super::call::Array;
use super::super::{ALL, Row};
use super::{axis_of, moving};
use crate::error::{Error, Result};
use crate::num::Num;
use functions::PadMode;

/// A rim around a tensor.
pub const PAD: Row = moving(
    "pad",
    "A rim of given widths, constant, of the nearest element (`edge`), mirrored (`reflect`) or periodic (`wrap`); negative widths crop.",
    ALL,
    &[
        "5x7@pads=1;2;3;0,value=3",
        "5x7@pads=1;2;3;0,mode=reflect",
        "5x7@pads=1;2;3;0,mode=edge",
        "5x7@pads=1;2;3;0,mode=wrap",
        "3x2@pads=7;5;8;4,mode=reflect",
        "3x2@pads=7;5;8;4,mode=wrap",
        "1x4@pads=2;-1;1;3,mode=reflect",
        "5x7@pads=-1;2;3;-2",
        "5x7@pads=-2;-2;-1;-3,mode=edge",
        "5x7@pads=-2;3,axes=-1,mode=wrap",
        "5x7@pads=-6;9;0;0,value=1",
        "65x1021@pads=1;2;3;4,mode=reflect",
        "65x1021@pads=1;2;3;4,value=1",
        "9x17x515@pads=0;1;2;3;0;1,mode=edge",
        "0x3@pads=1;1;1;1",
        "0x3@pads=1;1;1;1,mode=edge",
        "5x7@pads=-3;0;-3;0",
        "5x7@pads=1;2;3",
        "5x7@pads=1;2;3;0,mode=mirror",
        "5x7@pads=1;2,axes=2",
    ],
    |_, x, a| {
        let rank = x[0].shape().len();
        let mode = PadMode::named(
            a.text("mode", "constant"),
            Num::Float(a.float("value", 0.0)),
        )?;
        let pads = a.ints("pads");
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank as i64).collect(),
        };
        if pads.len() != 2 * axes.len() {
            let why = format!("{} widths were given for {} axes", pads.len(), axes.len());
            return Err(Error::value("pad", why));
        }
        let mut all = vec![(0, 0); rank];
        for (i, &axis) in axes.iter().enumerate() {
            let at = crate::shape::normalise_axis("pad", axis, x[0].shape())?;
            all[at] = (pads[i], pads[axes.len() + i]);
        }
        Ok(vec![functions::pad(&x[0], &all, mode)?])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let pads = a.ints("pads");
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank as i64).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return None;
        }
        let mut all = vec![(0, 0); rank];
        for (i, &axis) in axes.iter().enumerate() {
            all[axis_of(rank, axis)?] = (pads[i], pads[axes.len() + i]);
        }
        padded(
            &x[0],
            &all,
            a.text("mode", "constant"),
            a.float("value", 0.0),
        )
        .map(|y| vec![y])
    },
);

/// Cropped or padded with zeros to a shape, around the centre.
pub const CENTER_CROP_PAD: Row = moving(
    "center_crop_pad",
    "Cropped, or padded with zeros, to a shape around the centre; an odd rest is behind.",
    ALL,
    &[
        "5x8@to=7;3",
        "5x8@to=4;11",
        "5x8@to=3,axes=-1",
        "5x8@to=0;8",
        "5x8@to=-1;8",
        "5x8@to=3",
        "5x8@to=3,axes=2",
    ],
    |_, x, a| {
        let rank = x[0].shape().len();
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank as i64).collect(),
        };
        let to = super::counts("center_crop_pad", "shape", &a.ints("to"))?;
        Ok(vec![functions::center_crop_pad(&x[0], &to, &axes)?])
    },
    |x, a| {
        let rank = x[0].shape.len();
        let axes = match a.has("axes") {
            true => a.ints("axes"),
            false => (0..rank as i64).collect(),
        };
        let to = a.ints("to");
        if to.len() != axes.len() || to.iter().any(|&t| t < 0) {
            return None;
        }
        let mut all = vec![(0, 0); rank];
        for (&axis, &to) in axes.iter().zip(&to) {
            let axis = axis_of(rank, axis)?;
            let more = to - x[0].shape[axis] as i64;
            // The half is rounded towards zero.
            all[axis] = (more / 2, more - more / 2);
        }
        padded(&x[0], &all, "constant", 0.0).map(|y| vec![y])
    },
);

fn padded(x: &Array, pads: &[(i64, i64)], mode: &str, value: f64) -> Option<Array> {
    let lengths = x.shape.iter().zip(pads);
    let shape: Option<Vec<usize>> = lengths
        .map(|(&d, &(before, after))| usize::try_from(d as i64 + before + after).ok())
        .collect();
    let shape = shape?;
    let nothing = x.values.is_empty() && !shape.contains(&0);
    if !["constant", "edge", "wrap", "reflect"].contains(&mode) || (nothing && mode != "constant") {
        return None;
    }
    let constant = match x.dtype.is_float() {
        true => Num::Float(value),
        false => Num::Int(value as i128),
    };
    let source = |mut i: i64, d: i64| -> Option<usize> {
        match mode {
            "edge" => i = i.clamp(0, d - 1),
            "wrap" => i = i.rem_euclid(d),
            "reflect" if d == 1 => i = 0,
            "reflect" => {
                while i < 0 || i >= d {
                    i = if i < 0 { -i } else { 2 * (d - 1) - i };
                }
            }
            _ => {}
        }
        (0..d).contains(&i).then_some(i as usize)
    };
    Some(Array::from_fn(x.dtype, &shape, |at| {
        let own: Option<Vec<usize>> = (0..at.len())
            .map(|k| source(at[k] as i64 - pads[k].0, x.shape[k] as i64))
            .collect();
        own.map_or(constant, |own| x.at(&own))
    }))
}

/// One function for each row.
pub mod functions {
    use super::super::along;
    use super::{Error, Num, Result};
    use crate::{Expr, Outside, Tensor, ops, shape};
    use suanzi_codegen::Scalar;

    /// What a rim is made of.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum PadMode {
        /// This value.
        Constant(Num),
        /// The nearest element.
        Edge,
        /// The elements mirrored at the outermost ones, which are not repeated; over and over where
        /// the rim is wider than the tensor.
        Reflect,
        /// The elements of the other side, over and over.
        Wrap,
    }

    impl PadMode {
        /// By name: `constant` (with this value), `edge`, `reflect` or `wrap`.
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(name: &str, value: Num) -> Result<PadMode> {
            match name {
                "constant" => Ok(PadMode::Constant(value)),
                "edge" => Ok(PadMode::Edge),
                "reflect" => Ok(PadMode::Reflect),
                "wrap" => Ok(PadMode::Wrap),
                _ => {
                    let why = format!("mode `{name}` is none of constant edge reflect wrap");
                    Err(Error::value("pad", why))
                }
            }
        }
    }

    /// Results of at most this many elements are one kernel.
    const SMALL: usize = 1 << 14;

    /// A rim of (before, after) elements for each axis. Negative widths crop; the rim is still made
    /// from all of the tensor. Any dtype; a constant is converted to it.
    ///
    /// # Errors
    /// [`Error::Shape`] where widths do not fit the axes, more is cropped than there is, or an
    /// empty tensor would be continued; [`Error::Backend`].
    pub fn pad(x: &Tensor, pads: &[(i64, i64)], mode: PadMode) -> Result<Tensor> {
        let op = "pad";
        let refuse = |why: &str| Error::shape(op, [x.shape()], why);
        if pads.len() != x.shape().len() {
            return Err(refuse("each axis needs its widths"));
        }
        let mut to = vec![];
        for (&d, &(before, after)) in x.shape().iter().zip(pads) {
            let length = (d as i64).checked_add(before);
            let length = length.and_then(|n| n.checked_add(after));
            match length.map(usize::try_from) {
                Some(Ok(length)) => to.push(length),
                _ => return Err(refuse("more is cropped than there is, or sizes overflow")),
            }
        }
        let constant = matches!(mode, PadMode::Constant(_));
        if x.numel() == 0 && !to.contains(&0) && !constant {
            return Err(refuse("there are no elements to continue"));
        }
        let out = Tensor::empty(x.context(), x.dtype(), &to)?;
        let inside = |(&to, &(before, after)): (&usize, &(i64, i64))| {
            let start = before.clamp(0, to as i64);
            (start, (to as i64 - after.max(0)).max(start))
        };
        let inside: Vec<(i64, i64)> = to.iter().zip(pads).map(inside).collect();
        let whole: Vec<(i64, i64)> = to.iter().map(|&d| (0, d as i64)).collect();
        let boxes = match out.numel() {
            ..=SMALL => vec![whole],
            _ => boxes(&inside, &whole),
        };
        for part in boxes {
            let mut view = out.clone();
            for (axis, &(start, end)) in part.iter().enumerate() {
                view = view.slice(axis as i64, start, end, 1)?;
            }
            if view.numel() > 0 {
                content(x, pads, mode, &inside, &part)?.eval_into(&view)?;
            }
        }
        Ok(out)
    }

    /// Disjoint boxes that make up the whole; the last is the inside.
    fn boxes(inside: &[(i64, i64)], whole: &[(i64, i64)]) -> Vec<Vec<(i64, i64)>> {
        let mut found = vec![];
        for axis in 0..whole.len() {
            for side in [(0, inside[axis].0), (inside[axis].1, whole[axis].1)] {
                let mut part = [&inside[..axis], &whole[axis..]].concat();
                part[axis] = side;
                found.push(part);
            }
        }
        found.push(inside.to_vec());
        found
    }

    /// What a box of the result holds.
    fn content(
        x: &Tensor,
        pads: &[(i64, i64)],
        mode: PadMode,
        inside: &[(i64, i64)],
        part: &[(i64, i64)],
    ) -> Result<Expr> {
        let (ctx, rank) = (x.context(), part.len());
        let shape: Vec<usize> = part.iter().map(|(s, e)| (e - s) as usize).collect();
        let outside = match mode {
            PadMode::Constant(value) => {
                let value = match (x.dtype().is_float(), value) {
                    (false, Num::Float(_)) => Num::Int(value.int()),
                    _ => value,
                };
                let beyond = |(p, i): (&(i64, i64), &(i64, i64))| p.1 <= i.0 || p.0 >= i.1;
                if part.iter().zip(inside).any(beyond) {
                    return Ok(Expr::fill(ctx, x.dtype(), &shape, value));
                }
                Outside::Fill(value)
            }
            _ => Outside::Clamp,
        };
        let (mut source, mut coords) = (x.clone(), vec![]);
        for axis in 0..rank {
            let (start, end) = part[axis];
            let first = start - pads[axis].0;
            let position = along(ctx, rank, axis, shape[axis])?;
            if inside[axis].0 <= start && end <= inside[axis].1 {
                source = source.slice(axis as i64, first, first + (end - start), 1)?;
                coords.push(position);
                continue;
            }
            let d = x.shape()[axis] as i64;
            let wide = i32::try_from(shape[axis] as i64 + 2 * d + first.abs()).is_err();
            let kind = if wide { Scalar::I64 } else { Scalar::I32 };
            let position = ops::cast(position, kind);
            coords.push(match mode {
                PadMode::Constant(_) | PadMode::Edge => ops::add(position, first)?,
                PadMode::Wrap => ops::rem(ops::add(position, first.rem_euclid(d))?, d)?,
                PadMode::Reflect => {
                    let period = (2 * (d - 1)).max(1);
                    let up = ops::add(position, first.rem_euclid(period))?;
                    let up = ops::rem(up, period)?;
                    ops::minimum(&up, ops::sub(Expr::from(period), &up)?)?
                }
            });
        }
        Expr::at(&source, &coords, outside)
    }

    /// Cropped, or padded with zeros, along some axes to given lengths, around the centre. Where
    /// the difference is odd, the greater half is behind.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Shape`] where lengths and axes differ in number,
    /// [`Error::Backend`].
    pub fn center_crop_pad(x: &Tensor, to: &[usize], axes: &[i64]) -> Result<Tensor> {
        let op = "center_crop_pad";
        if to.len() != axes.len() {
            let why = format!("{} lengths were given for {} axes", to.len(), axes.len());
            return Err(Error::shape(op, [x.shape(), to], why));
        }
        let mut pads = vec![(0, 0); x.shape().len()];
        for (&axis, &to) in axes.iter().zip(to) {
            let axis = shape::normalise_axis(op, axis, x.shape())?;
            let to = i64::try_from(to).unwrap_or(i64::MAX);
            let more = to - x.shape()[axis] as i64;
            pads[axis] = (more / 2, more - more / 2);
        }
        pad(x, &pads, PadMode::Constant(Num::Int(0)))
    }
}
