//! Blocks of pixels as channels, and back.

use super::super::call::{Array, Attrs};
use super::super::{ALL, Row};
use super::moving;
use crate::Tensor;
use crate::error::{Error, Result};
use functions::BlockMode;

/// Channels become blocks of pixels.
pub const DEPTH_TO_SPACE: Row = moving(
    "depth_to_space",
    "`[n, c, h, w]`: groups of block² channels become blocks of pixels; the block is the outer (`DCR`) or the inner (`CRD`) part of the channel.",
    ALL,
    &[
        "2x12x3x5@block=2",
        "2x12x3x5@block=2,mode=CRD",
        "1x9x2x17@block=3",
        "1x4x0x3@block=2",
        "2x6x3x5@block=2",
        "2x12x3@block=2",
        "2x12x3x5@block=0",
        "2x12x3x5@block=2,mode=RCD",
    ],
    |_, x, a| run(x, a, functions::depth_to_space),
    |x, a| {
        let (b, crd) = block(a)?;
        let &[n, c, h, w] = &x[0].shape[..] else {
            return None;
        };
        if c % (b * b) != 0 {
            return None;
        }
        let deep = c / (b * b);
        Some(vec![Array::from_fn(
            x[0].dtype,
            &[n, deep, h * b, w * b],
            |at| {
                let inner = at[2] % b * b + at[3] % b;
                let channel = if crd {
                    at[1] * b * b + inner
                } else {
                    inner * deep + at[1]
                };
                x[0].at(&[at[0], channel, at[2] / b, at[3] / b])
            },
        )])
    },
);

/// Blocks of pixels become channels.
pub const SPACE_TO_DEPTH: Row = moving(
    "space_to_depth",
    "`[n, c, h, w]`: blocks of pixels become groups of block² channels; the inverse of depth_to_space.",
    ALL,
    &[
        "2x3x4x10@block=2",
        "2x3x4x10@block=2,mode=CRD",
        "1x1x6x51@block=3",
        "0x1x6x3@block=3",
        "2x3x4x5@block=2",
        "2x3x4@block=2",
        "2x3x4x10@block=-2",
    ],
    |_, x, a| run(x, a, functions::space_to_depth),
    |x, a| {
        let (b, crd) = block(a)?;
        let &[n, c, h, w] = &x[0].shape[..] else {
            return None;
        };
        if h % b != 0 || w % b != 0 {
            return None;
        }
        let shape = [n, c * b * b, h / b, w / b];
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let (channel, inner) = match crd {
                true => (at[1] / (b * b), at[1] % (b * b)),
                false => (at[1] % c, at[1] / c),
            };
            x[0].at(&[at[0], channel, at[2] * b + inner / b, at[3] * b + inner % b])
        })])
    },
);

type Function = fn(&Tensor, usize, BlockMode) -> Result<Tensor>;

fn run(x: &[Tensor], a: &Attrs, f: Function) -> Result<Vec<Tensor>> {
    let op = "depth_to_space";
    let block = super::counts(op, "block", &[a.int("block", 0)])?[0];
    let mode = match a.text("mode", "DCR") {
        "DCR" => BlockMode::Dcr,
        "CRD" => BlockMode::Crd,
        other => {
            let why = format!("mode `{other}` is neither DCR nor CRD");
            return Err(Error::value(op, why));
        }
    };
    Ok(vec![f(&x[0], block, mode)?])
}

fn block(a: &Attrs) -> Option<(usize, bool)> {
    let block = usize::try_from(a.int("block", 0)).ok().filter(|&b| b > 0)?;
    match a.text("mode", "DCR") {
        "DCR" => Some((block, false)),
        "CRD" => Some((block, true)),
        _ => None,
    }
}

/// One function for each row.
pub mod functions {
    use super::{Error, Result};
    use crate::Tensor;

    /// How a channel's number is made.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum BlockMode {
        /// Position in the block first, then the channel.
        Dcr,
        /// Channel first, then the position in the block.
        Crd,
    }

    /// `[n, c, h, w]` to `[n, c / block², h · block, w · block]`: groups of channels become blocks of
    /// pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not four axes or the channels do not divide,
    /// [`Error::Backend`].
    pub fn depth_to_space(x: &Tensor, block: usize, mode: BlockMode) -> Result<Tensor> {
        let op = "depth_to_space";
        let [n, c, h, w] = four(op, x)?;
        let squared = block.checked_mul(block).filter(|&s| s > 0 && c % s == 0);
        let Some(squared) = squared else {
            let why = format!("{c} channels do not divide by {block}²");
            return Err(Error::shape(op, [x.shape()], why));
        };
        let deep = c / squared;
        let moved = match mode {
            BlockMode::Dcr => x
                .unfold_axis(1, &[block, block, deep])?
                .permute(&[0, 3, 4, 1, 5, 2]),
            BlockMode::Crd => x
                .unfold_axis(1, &[deep, block, block])?
                .permute(&[0, 1, 4, 2, 5, 3]),
        };
        moved?
            .contiguous()?
            .reshape(&[n, deep, h * block, w * block])
    }

    /// `[n, c, h, w]` to `[n, c · block², h / block, w / block]`: blocks of pixels become groups of
    /// channels.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not four axes or the image does not divide,
    /// [`Error::Backend`].
    pub fn space_to_depth(x: &Tensor, block: usize, mode: BlockMode) -> Result<Tensor> {
        let op = "space_to_depth";
        let [n, c, h, w] = four(op, x)?;
        if block == 0 || h % block != 0 || w % block != 0 {
            let why = format!("the image does not divide into blocks of {block}");
            return Err(Error::shape(op, [x.shape()], why));
        }
        let tall = x.unfold_axis(2, &[h / block, block])?;
        let split = tall.unfold_axis(4, &[w / block, block])?;
        let moved = match mode {
            BlockMode::Dcr => split.permute(&[0, 3, 5, 1, 2, 4]),
            BlockMode::Crd => split.permute(&[0, 1, 3, 5, 2, 4]),
        };
        let shape = [n, c * block * block, h / block, w / block];
        moved?.contiguous()?.reshape(&shape)
    }

    fn four(op: &str, x: &Tensor) -> Result<[usize; 4]> {
        x.shape()
            .try_into()
            .map_err(|_| Error::shape(op, [x.shape()], "it takes [batch, channels, height, width]"))
    }
}
