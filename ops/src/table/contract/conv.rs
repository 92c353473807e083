//! Convolution: a product whose A is the windows of an image. These are a strided view with an axis
//! for each place and each element of the window, so that no matrix of windows is ever made.

use super::super::call::{Array, Attrs, Call, positions};
use super::super::{Kind, Row};
use super::{chained, dot, sums};
use crate::{Error, Num};
use functions::{Convolution, Layout};
use suanzi_codegen::Scalar::*;

/// Convolution of images.
pub const CONV: Row = Row {
    name: "conv",
    doc: "Convolution (cross-correlation) of images with 1, 2 or 3 axes: strides, zeros around the image, dilation, groups, a bias for each channel; channels first or last. Dtypes and sums as in matmul.",
    dtypes: &[I8, U8, I32, I64, F16, Bf16, F32, F64],
    limit: chained,
    kind: Kind::Call(Call {
        examples: &[
            // Batch, channels, image; channels out, channels of the group, window.
            "1x1x5x4@T:3x1x1x2",
            "1x2x5x4@T:3x2x3x2:moderate,x=moderate",
            "2x3x7x6@T:5x3x3x3:moderate,x=moderate,pads=1;1;1;1",
            "1x4x9x8@T:6x2x3x3:moderate,T:6:moderate,x=moderate,pads=2;0;1;1,strides=2;1,groups=2",
            "1x2x11x10@T:4x2x3x3:moderate,x=moderate,dilations=2;3,pads=2;3;2;3",
            "1x3x13x12@T:33x3x1x1:moderate,T:33:moderate,x=moderate,strides=2;2",
            "2x5x4x17@T:31x5x2x2:moderate,x=moderate,pads=0;0;1;0",
            "1x16x6x6@T:32x16x3x3:moderate,x=moderate,pads=1;1;1;1",
            "1x6x5x5@T:6x1x3x3:moderate,T:6:moderate,x=moderate,groups=6,pads=1;1;1;1",
            "1x5x6x4@T:3x3x2x4:moderate,T:3:moderate,x=moderate,pads=1;1;1;1,layout=last",
            "2x7x9x5@T:33x3x3x5:moderate,x=moderate,strides=2;2,layout=last",
            "2x9x8x6@T:4x3x3x3:moderate,T:4:moderate,x=moderate,groups=2,dilations=2;1,layout=last",
            "2x3x19@T:4x3x5:moderate,x=moderate,strides=3,pads=2;2",
            "1x2x4x5x6@T:3x2x2x3x2:moderate,x=moderate,pads=1;0;1;0;1;0,strides=1;2;1",
            "1x2x129x3@T:2x2x2x2:moderate,x=moderate",
            // Nothing fits, or there is nothing.
            "1x2x3x3@T:4x2x5x5",
            "0x2x5x5@T:4x2x3x3",
            "1x0x5x5@T:4x0x3x3",
            // Refused: groups, channels, bias, window, strides.
            "1x4x5x5@T:3x2x3x3,groups=2",
            "1x4x5x5@T:4x3x3x3",
            "1x4x5x5@T:4x4x3x3,T:3",
            "1x4x5x5@T:4x4x3",
            "1x4x5x5@T:4x4x0x3",
            "1x4x5x5@T:4x4x3x3,strides=0;1",
            "1x4x5x5@T:4x4x3x3,groups=0",
        ],
        creates: false,
        run: |_, x, a| {
            let c = Convolution {
                strides: counts(a, "strides")?,
                dilations: counts(a, "dilations")?,
                pads: {
                    let pads = counts(a, "pads")?;
                    let half = pads.len() / 2;
                    (0..half).map(|i| (pads[i], pads[half + i])).collect()
                },
                groups: a.int("groups", 1) as usize,
                layout: match a.text("layout", "first") {
                    "last" => Layout::ChannelsLast,
                    _ => Layout::ChannelsFirst,
                },
            };
            Ok(vec![functions::conv(&x[0], &x[1], x.get(2), &c)?])
        },
        reference,
    }),
};

fn counts(a: &Attrs, key: &str) -> Result<Vec<usize>, Error> {
    crate::table::layout::counts("conv", key, &a.ints(key))
}

fn reference(x: &[Array], a: &Attrs) -> Option<Vec<Array>> {
    let last = a.text("layout", "first") == "last";
    // Lengths and positions with channels first, whatever the layout.
    let first = |shape: &[usize]| -> Vec<usize> {
        match last {
            true => {
                let (c, image) = shape[1..].split_last().expect("there are channels");
                [&[shape[0], *c][..], image].concat()
            }
            false => shape.to_vec(),
        }
    };
    let own = |at: &[usize]| -> Vec<usize> {
        match last {
            true => [&at[..1], &at[2..], &at[1..2]].concat(),
            false => at.to_vec(),
        }
    };
    let (input, weights) = (first(&x[0].shape), first(&x[1].shape));
    let axes = input.len() - 2;
    let groups = usize::try_from(a.int("groups", 1))
        .ok()
        .filter(|&g| g > 0)?;
    let list = |key: &str, other: i64, n: usize| match a.has(key) {
        true => a.ints(key),
        false => vec![other; n],
    };
    let (strides, dilations) = (list("strides", 1, axes), list("dilations", 1, axes));
    let pads = list("pads", 0, 2 * axes);
    let fits = weights.len() == axes + 2
        && weights[0].is_multiple_of(groups)
        && input[1] == weights[1] * groups
        && !weights[2..].contains(&0)
        && [&strides, &dilations]
            .iter()
            .all(|l| l.iter().all(|&v| v > 0))
        && x.get(2).is_none_or(|b| b.shape == [weights[0]]);
    if !fits {
        return None;
    }
    let places = (0..axes).map(|i| {
        let room = input[2 + i] as i64 + pads[i] + pads[axes + i];
        let reach = (weights[2 + i] as i64 - 1) * dilations[i] + 1;
        usize::try_from((room - reach).div_euclid(strides[i]) + 1).unwrap_or(0)
    });
    let places: Vec<usize> = places.collect();
    let shape = own(&[&[input[0], weights[0]][..], &places].concat());
    let dtype = sums(x[0].dtype);
    let mut out = Array::new(dtype, &shape, vec![]);
    let (inner, outer) = (weights[1], weights[0] / groups);
    for at in positions(&shape) {
        let at = first(&at);
        let (n, o) = (at[0], at[1]);
        let window = positions(&weights[1..]).map(|w| {
            let pixel = (0..axes).map(|i| {
                let p = at[2 + i] as i64 * strides[i] + w[1 + i] as i64 * dilations[i] - pads[i];
                usize::try_from(p).ok().filter(|&p| p < input[2 + i])
            });
            let channel = o / outer * inner + w[0];
            let value = match pixel.collect::<Option<Vec<usize>>>() {
                Some(pixel) => x[0].at(&own(&[&[n, channel][..], &pixel].concat())),
                None => Num::from_bits(x[0].dtype, 0),
            };
            (value, x[1].at(&own(&[&[o][..], &w].concat())))
        });
        let bias = x.get(2).map(|b| b.at(&[o]));
        dot(&mut out, window, 1.0, bias.map(|b| (1.0, b)));
    }
    Some(vec![out])
}

/// One function for each row.
pub mod functions {
    use super::super::sums;
    use crate::skeleton::layers::{self, Slide};
    use crate::skeleton::{Contract, Packed, Reach, Wanted, contract_into};
    use crate::table::compute_kind;
    use crate::table::layout::pad::functions::{PadMode, pad};
    use crate::table::layout::window::functions::Window;
    use crate::{Error, Expr, Num, Result, Tensor, ops};
    use suanzi_codegen::ir::CastMode;

    /// Where channels are among the axes of images, weights and results.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Layout {
        /// `[batch, channels, image…]`, and weights `[channels out, channels, window…]`.
        #[default]
        ChannelsFirst,
        /// `[batch, image…, channels]`, and weights `[channels out, window…, channels]`.
        ChannelsLast,
    }

    /// How a window slides over an image. Empty lists: 1, 1 and no zeros. Zeros are multiplied as
    /// other numbers are: with an infinite weight they make NaN.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Convolution {
        /// From place to place along each axis of the image.
        pub strides: Vec<usize>,
        /// From element to element of the window.
        pub dilations: Vec<usize>,
        /// Zeros (before, after) the image.
        pub pads: Vec<(usize, usize)>,
        /// Channels are cut into groups that have nothing to do with each other.
        pub groups: usize,
        /// Where channels are.
        pub layout: Layout,
    }

    impl Default for Convolution {
        fn default() -> Convolution {
            Convolution {
                strides: vec![],
                dilations: vec![],
                pads: vec![],
                groups: 1,
                layout: Layout::default(),
            }
        }
    }

    impl Layout {
        /// A view with channels first.
        fn first(self, t: &Tensor) -> Result<Tensor> {
            match self {
                Layout::ChannelsFirst => Ok(t.clone()),
                Layout::ChannelsLast => {
                    let last = t.shape().len() as i64 - 1;
                    let order: Vec<i64> = [0, last].into_iter().chain(1..last).collect();
                    t.permute(&order)
                }
            }
        }
    }

    /// Convolution (cross-correlation, as neural networks have it) of images with one axis or more.
    ///
    /// The image is `[n, c, image…]`, the weights `[c_out, c / groups, window…]`, the bias `[c_out]`,
    /// the result `[n, c_out, places…]`; with [`Layout::ChannelsLast`] channels are the last axis of
    /// all three. Dtypes and sums are those of [`matmul`](crate::ops::matmul); the bias has the dtype
    /// of the image or of the result.
    ///
    /// ```
    /// # use suanzi_backends::Context;
    /// # use suanzi_ops::{Tensor, ops};
    /// # let ctx = Context::open("cpu")?;
    /// let image = Tensor::from_slice(&ctx, &[1, 1, 4], &[1.0f32, 2.0, 3.0, 4.0])?;
    /// let weights = Tensor::from_slice(&ctx, &[1, 1, 2], &[-1.0f32, 1.0])?;
    /// let steps = ops::conv(&image, &weights, None, &ops::Convolution::default())?;
    /// assert_eq!(steps.to_vec::<f32>()?, [1.0, 1.0, 1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] where axes, channels, groups, strides or the bias do not fit;
    /// [`Error::Dtype`] where dtypes differ or are not taken; [`Error::Device`],
    /// [`Error::Backend`].
    pub fn conv(
        x: &Tensor,
        weights: &Tensor,
        bias: Option<&Tensor>,
        c: &Convolution,
    ) -> Result<Tensor> {
        run(x, weights, None, bias, c)
    }

    /// A convolution of many images with the same weights: what a device makes of these is kept from the first image on.
    ///
    /// ```
    /// # use suanzi_backends::Context;
    /// # use suanzi_ops::{Tensor, ops};
    /// # let ctx = Context::open("cpu")?;
    /// let weights = Tensor::from_slice(&ctx, &[1, 1, 2], &[-1.0f32, 1.0])?;
    /// let steps = ops::ConvLayer::new(&weights, None, ops::Convolution::default());
    /// for scale in [1.0f32, 2.0] {
    ///     let image = Tensor::from_slice(&ctx, &[1, 1, 3], &[scale, 2.0 * scale, 3.0 * scale])?;
    ///     assert_eq!(steps.run(&image)?.to_vec::<f32>()?, [scale, scale]);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    pub struct ConvLayer {
        weights: Tensor,
        bias: Option<Tensor>,
        how: Convolution,
        packed: Packed,
    }

    impl ConvLayer {
        /// Of weights and a bias as [`conv`] takes them, which are not written from now on.
        pub fn new(weights: &Tensor, bias: Option<&Tensor>, how: Convolution) -> ConvLayer {
            ConvLayer {
                weights: weights.clone(),
                bias: bias.cloned(),
                how,
                packed: Packed::default(),
            }
        }

        /// The convolution of an image, or of a batch of them.
        ///
        /// # Errors
        /// As [`conv`].
        pub fn run(&self, x: &Tensor) -> Result<Tensor> {
            let packed = Some(&self.packed);
            run(x, &self.weights, packed, self.bias.as_ref(), &self.how)
        }
    }

    fn run(
        x: &Tensor,
        weights: &Tensor,
        packed: Option<&Packed>,
        bias: Option<&Tensor>,
        c: &Convolution,
    ) -> Result<Tensor> {
        let op = "conv";
        let shapes = [x.shape(), weights.shape()];
        let refuse = |why: &str| Err(Error::shape(op, shapes, why));
        let dtype = sums(x.dtype());
        let takes = crate::table::row(op)?.dtypes.contains(&x.dtype());
        if !takes
            || weights.dtype() != x.dtype()
            || bias.is_some_and(|b| ![x.dtype(), dtype].contains(&b.dtype()))
        {
            let dtypes = [Some(x), Some(weights), bias].into_iter().flatten();
            let why =
                "image and weights are of one of its dtypes, the bias of theirs or the result's";
            return Err(Error::dtype(op, dtypes.map(Tensor::dtype), why));
        }
        if x.shape().len() < 3 || weights.shape().len() != x.shape().len() {
            return refuse("image and weights need channels and as many axes as each other");
        }
        let (x, w) = (c.layout.first(x)?, c.layout.first(weights)?);
        let (&[n, channels, ref image @ ..], &[out_channels, inner, ref kernel @ ..]) =
            (x.shape(), w.shape())
        else {
            return refuse("image and weights need channels");
        };
        let (axes, groups) = (image.len(), c.groups);
        let fits = groups > 0
            && out_channels.is_multiple_of(groups)
            && inner.checked_mul(groups) == Some(channels);
        if !fits {
            return refuse("channels are not groups times those of the weights");
        }
        if bias.is_some_and(|b| b.shape() != [out_channels]) {
            return refuse("the bias has one number for each channel of the result");
        }
        let or = |list: &Vec<usize>| match list[..] {
            [] => vec![1; axes],
            _ => list.clone(),
        };
        let window = Window {
            kernel: kernel.to_vec(),
            strides: or(&c.strides),
            dilations: or(&c.dilations),
            pads: match c.pads[..] {
                [] => vec![(0, 0); axes],
                _ => c.pads.clone(),
            },
        };
        let places = window.places(op, image)?;
        let out_shape = match c.layout {
            Layout::ChannelsFirst => [&[n, out_channels], &places[..]].concat(),
            Layout::ChannelsLast => [&[n][..], &places, &[out_channels]].concat(),
        };
        if crate::shape::checked_numel(&out_shape).is_none() {
            return refuse("sizes overflow");
        }
        let result = Tensor::empty(x.context(), dtype, &out_shape)?;
        if result.numel() == 0 {
            return Ok(result);
        }
        let first = c.layout.first(&result)?;
        let slide = Slide {
            pads: &window.pads,
            strides: &window.strides,
            dilations: &window.dilations,
            groups,
        };
        // With no channels there is nothing to sum up, in which libraries differ.
        if inner > 0 && layers::convolution(op, [&x, &w], bias, &slide, &first)? {
            return Ok(result);
        }
        let outer = out_channels / groups;
        // [group, batch, places.., channel out]
        let order: Vec<i64> = [1, 0]
            .into_iter()
            .chain(3..3 + axes as i64)
            .chain([2])
            .collect();
        let into = first.unfold_axis(1, &[groups, outer])?;
        let into = into.permute(&order)?;
        // [group, window.., channel, channel out]
        let order: Vec<i64> = [0]
            .into_iter()
            .chain(3..3 + axes as i64)
            .chain([2, 1])
            .collect();
        let b = w.unfold_axis(0, &[groups, outer])?.permute(&order)?;
        let a = windows(&x, &window, &places, groups)?;
        let bias = match bias {
            Some(t) => {
                let mut shape = vec![1; axes + 3];
                (shape[0], shape[axes + 2]) = (groups, outer);
                Some(t.contiguous()?.reshape(&shape)?)
            }
            None => None,
        };
        let epilogue = |sums: Expr| match &bias {
            Some(bias) => ops::add(sums, bias.expr().cast(dtype, CastMode::Saturate)),
            None => Ok(sums),
        };
        let product = Contract {
            op,
            a: &a.expr(),
            b: &b.expr(),
            axes: [1, 1 + axes, axes + 1],
            dtype,
            epilogue: &epilogue,
            wanted: Wanted::Whole,
            reach: Reach::All,
            packed,
        };
        contract_into(&product, &into)?;
        Ok(result)
    }

    /// `[group, batch, places.., window.., channel]` of an image: a view of it, or of a copy with its
    /// zeros around it and channels side by side.
    fn windows(x: &Tensor, window: &Window, places: &[usize], groups: usize) -> Result<Tensor> {
        let (axes, kind) = (places.len(), compute_kind(sums(x.dtype())));
        let order: Vec<i64> = [0]
            .into_iter()
            .chain(2..2 + axes as i64)
            .chain([1])
            .collect();
        let mut x = x.permute(&order)?;
        if window.pads.iter().any(|&p| p != (0, 0)) {
            let widths = window.pads.iter().map(|&(b, a)| (b as i64, a as i64));
            let widths: Vec<(i64, i64)> =
                [(0, 0)].into_iter().chain(widths).chain([(0, 0)]).collect();
            x = pad(&x, &widths, PadMode::Constant(Num::Int(0)))?;
        }
        if x.dtype() != kind {
            x = x.expr().cast(kind, CastMode::Saturate).eval()?;
        } else if x.strides()[axes + 1] != 1 {
            x = x.contiguous()?;
        }
        let (strides, image) = (x.strides(), &x.strides()[1..=axes]);
        let channel = strides[axes + 1];
        let inner = x.shape()[axes + 1] / groups;
        let by = |steps: &[usize]| -> Vec<i64> {
            steps
                .iter()
                .zip(image)
                .map(|(&s, &i)| s as i64 * i)
                .collect()
        };
        let shape = [&[groups, x.shape()[0]], places, &window.kernel, &[inner]].concat();
        let strides = [
            &[inner as i64 * channel, strides[0]],
            &by(&window.strides)[..],
            &by(&window.dilations),
            &[channel],
        ]
        .concat();
        x.as_strided(&shape, &strides, x.offset())
    }
}
