//! Windows of an image as columns of a matrix, and their sum back into the image.

use super::super::call::{Array, Attrs, positions};
use super::super::{ALL, Kind, Limit, NUMBERS, Row};
use super::{counts, moving};
use crate::error::{Error, Result};
use crate::num::Num;
use crate::{Tensor, shape};
use functions::Window;
use suanzi_codegen::Scalar;

/// Windows as columns.
pub const IM2COL: Row = moving(
    "im2col",
    "`[n, c, …]`: the elements under each place of a window as a column, `[n, c · window, places]`; zeros around the image.",
    ALL,
    &[
        "2x3x5x7@kernel=3;2,pads=1;0;1;2,strides=2;1,dilations=1;2",
        "1x2x33x17@kernel=3;3,pads=1;1;1;1",
        "1x2x9@kernel=4",
        "1x1x4x5x6@kernel=2;2;2,strides=1;2;1",
        "1x2x5x5@kernel=1;1,strides=3;3",
        "1x1x3x3@kernel=5;5",
        "0x2x5x5@kernel=3;3",
        "1x2x5x5@kernel=3",
        "1x2x5x5@kernel=0;3",
        "1x2x5x5@kernel=3;3,strides=0;1",
        "1x2x5x5@kernel=3;3,pads=-1;0;0;0",
    ],
    |_, x, a| Ok(vec![functions::im2col(&x[0], &window("im2col", a)?)?]),
    |x, a| {
        let [n, c, image @ ..] = &x[0].shape[..] else {
            return None;
        };
        let g = Geometry::of(image, a)?;
        let shape = [*n, c * g.size(), g.places.iter().product()];
        Some(vec![Array::from_fn(x[0].dtype, &shape, |at| {
            let pixel = g.pixel(at[1] % g.size(), at[2]);
            let zero = Num::from_bits(x[0].dtype, 0);
            pixel.map_or(zero, |p| {
                x[0].at(&[&[at[0], at[1] / g.size()][..], &p].concat())
            })
        })])
    },
);

/// Columns summed into windows.
pub const COL2IM: Row = Row {
    name: "col2im",
    doc: "The inverse of im2col: columns are added to the places of their windows, always in the same order.",
    dtypes: NUMBERS,
    limit: |t| match t {
        Scalar::F16 | Scalar::Bf16 | Scalar::F32 | Scalar::F64 => Limit::Sum(16.0),
        _ => Limit::Exact,
    },
    kind: Kind::Call(super::Call {
        examples: &[
            "2x18x9@image=5;7,kernel=3;2,pads=1;0;0;0,strides=2;3",
            "1x18x225@image=15;15,kernel=3;3,pads=1;1;1;1",
            "1x8x6@image=9,kernel=4",
            "1x4x4@image=5;5,kernel=2;2,strides=1;1,dilations=3;3",
            "1x8x6@image=9,kernel=3",
            "1x8x7@image=9,kernel=4",
            "1x8x6@image=-9,kernel=4",
            "0x8x6@image=9,kernel=4",
            "1x8@image=9,kernel=4",
        ],
        creates: false,
        run: |_, x, a| {
            let image = counts("col2im", "image", &a.ints("image"))?;
            Ok(vec![functions::col2im(
                &x[0],
                &image,
                &window("col2im", a)?,
            )?])
        },
        reference: |x, a| {
            let &[n, rows, columns] = &x[0].shape[..] else {
                return None;
            };
            let image: Option<Vec<usize>> = a
                .ints("image")
                .iter()
                .map(|&d| usize::try_from(d).ok())
                .collect();
            let image = image?;
            let g = Geometry::of(&image, a)?;
            if rows % g.size() != 0 || columns != g.places.iter().product::<usize>() {
                return None;
            }
            let shape = [&[n, rows / g.size()][..], &image].concat();
            let zero = Num::from_bits(x[0].dtype, 0);
            let mut out = Array::from_fn(x[0].dtype, &shape, |_| zero);
            out.scale = vec![0.0; out.values.len()];
            for at in positions(&x[0].shape) {
                let Some(pixel) = g.pixel(at[1] % g.size(), at[2]) else {
                    continue;
                };
                let to = out.linear(&[&[at[0], at[1] / g.size()][..], &pixel].concat());
                let value = x[0].at(&at);
                out.scale[to] += value.float().abs();
                out.values[to] = match (out.values[to], value) {
                    (Num::Int(a), Num::Int(b)) => Num::Int(a + b),
                    (a, b) => Num::Float(a.float() + b.float()),
                };
            }
            Some(vec![out])
        },
    }),
};

fn window(op: &str, a: &Attrs) -> Result<Window> {
    let kernel = counts(op, "kernel", &a.ints("kernel"))?;
    let axes = kernel.len();
    let list = |key: &str, other: usize, n: usize| match a.has(key) {
        true => counts(op, key, &a.ints(key)),
        false => Ok(vec![other; n]),
    };
    let pads = list("pads", 0, 2 * axes)?;
    if pads.len() != 2 * axes {
        return Err(Error::value(
            op,
            format!("pads {pads:?} need two for each axis"),
        ));
    }
    Ok(Window {
        strides: list("strides", 1, axes)?,
        dilations: list("dilations", 1, axes)?,
        pads: (0..axes).map(|i| (pads[i], pads[axes + i])).collect(),
        kernel,
    })
}

/// For the references: where windows lie.
struct Geometry {
    image: Vec<usize>,
    kernel: Vec<usize>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    before: Vec<i64>,
    places: Vec<usize>,
}

impl Geometry {
    fn of(image: &[usize], a: &Attrs) -> Option<Geometry> {
        let axes = image.len();
        let list = |key: &str, other: i64, n: usize| match a.has(key) {
            true => a.ints(key),
            false => vec![other; n],
        };
        let (kernel, pads) = (a.ints("kernel"), list("pads", 0, 2 * axes));
        let (strides, dilations) = (list("strides", 1, axes), list("dilations", 1, axes));
        let lengths = [kernel.len(), strides.len(), dilations.len()] == [axes; 3];
        if !lengths || axes == 0 || pads.len() != 2 * axes || pads.iter().any(|&p| p < 0) {
            return None;
        }
        if kernel
            .iter()
            .chain(&strides)
            .chain(&dilations)
            .any(|&v| v < 1)
        {
            return None;
        }
        let places = (0..axes).map(|i| {
            let room = image[i] as i64 + pads[i] + pads[axes + i];
            let reach = (kernel[i] - 1) * dilations[i] + 1;
            if room < reach {
                0
            } else {
                ((room - reach) / strides[i] + 1) as usize
            }
        });
        Some(Geometry {
            places: places.collect(),
            image: image.to_vec(),
            kernel: kernel.iter().map(|&k| k as usize).collect(),
            before: pads[..axes].to_vec(),
            strides,
            dilations,
        })
    }

    fn size(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The pixel under an element of the window at a place.
    fn pixel(&self, element: usize, place: usize) -> Option<Vec<usize>> {
        let element = positions(&self.kernel).nth(element)?;
        let place = positions(&self.places).nth(place)?;
        let coordinate = |i: usize| {
            let at = place[i] as i64 * self.strides[i] + element[i] as i64 * self.dilations[i];
            usize::try_from(at - self.before[i])
                .ok()
                .filter(|&p| p < self.image[i])
        };
        (0..self.image.len()).map(coordinate).collect()
    }
}

/// One function for each row.
pub mod functions {
    use super::super::along;
    use super::{Error, Num, Result, Tensor, shape};
    use crate::table::layout::pad::functions::{PadMode, pad};
    use crate::{Expr, Outside, ops};
    use suanzi_codegen::Scalar;

    /// A window that slides over the last axes of an image.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Window {
        /// Its elements along each axis.
        pub kernel: Vec<usize>,
        /// From place to place.
        pub strides: Vec<usize>,
        /// From element to element.
        pub dilations: Vec<usize>,
        /// Zeros (before, after) the image.
        pub pads: Vec<(usize, usize)>,
    }

    impl Window {
        /// Places along each axis of an image.
        pub(crate) fn places(&self, op: &str, image: &[usize]) -> Result<Vec<usize>> {
            let axes = image.len();
            let lists = [&self.kernel, &self.strides, &self.dilations];
            let fits = lists.iter().all(|l| l.len() == axes && !l.contains(&0));
            if axes == 0 || !fits || self.pads.len() != axes {
                let why = "kernel, strides and dilations of at least 1 and pads are needed for each axis of the image";
                return Err(Error::shape(op, [image, &self.kernel], why));
            }
            let place = |i: usize| {
                let room = image[i]
                    .checked_add(self.pads[i].0)?
                    .checked_add(self.pads[i].1)?;
                let reach = (self.kernel[i] - 1).checked_mul(self.dilations[i])?;
                let left = room.checked_sub(reach.checked_add(1)?);
                Some(left.map_or(0, |left| left / self.strides[i] + 1))
            };
            let places: Option<Vec<usize>> = (0..axes).map(place).collect();
            places.ok_or_else(|| Error::shape(op, [image, &self.kernel], "sizes overflow"))
        }
    }

    /// `[n, c, …]` to `[n, c · Π kernel, Π places]`: the elements under each place of the window as a
    /// column, zeros where it reaches beyond the image.
    ///
    /// # Errors
    /// [`Error::Shape`] where the window does not fit the image's axes, [`Error::Backend`].
    pub fn im2col(x: &Tensor, window: &Window) -> Result<Tensor> {
        let op = "im2col";
        let [n, c, image @ ..] = x.shape() else {
            return Err(Error::shape(
                op,
                [x.shape()],
                "it takes [batch, channels, …]",
            ));
        };
        let places = window.places(op, image)?;
        let rows = window.kernel.iter().try_fold(*c, |n, &k| n.checked_mul(k));
        let Some(rows) = rows else {
            return Err(Error::shape(
                op,
                [x.shape(), &window.kernel],
                "sizes overflow",
            ));
        };
        let to = [*n, rows, shape::numel(&places)];
        if to.contains(&0) {
            return Tensor::empty(x.context(), x.dtype(), &to);
        }
        let mut padded = x.clone();
        if window.pads.iter().any(|&p| p != (0, 0)) {
            let widths = window.pads.iter().map(|&(b, a)| (b as i64, a as i64));
            let widths: Vec<(i64, i64)> = [(0, 0); 2].into_iter().chain(widths).collect();
            padded = pad(x, &widths, PadMode::Constant(Num::Int(0)))?;
        }
        // Elements and places are axes of their own, so that a window is a view.
        let view = [&[*n, *c], &window.kernel[..], &places].concat();
        let (outer, inner) = padded.strides().split_at(2);
        let by = |steps: &[usize]| -> Vec<i64> {
            steps
                .iter()
                .zip(inner)
                .map(|(&s, &i)| s as i64 * i)
                .collect()
        };
        let strides = [outer, &by(&window.dilations), &by(&window.strides)].concat();
        let windows = padded.as_strided(&view, &strides, padded.offset())?;
        windows.contiguous()?.reshape(&to)
    }

    /// `[n, c · Π kernel, Π places]` to `[n, c, image…]`: each column is added to the place of its
    /// window. An element gathers what belongs to it, so the sum has one order on every device.
    ///
    /// # Errors
    /// [`Error::Shape`] where columns and window do not fit the image, [`Error::Dtype`],
    /// [`Error::Backend`].
    pub fn col2im(x: &Tensor, image: &[usize], window: &Window) -> Result<Tensor> {
        let op = "col2im";
        let places = window.places(op, image)?;
        let size = shape::checked_numel(&window.kernel).unwrap_or(0);
        let &[n, rows, columns] = x.shape() else {
            return Err(Error::shape(
                op,
                [x.shape()],
                "it takes [batch, rows, places]",
            ));
        };
        if size == 0 || rows % size != 0 || Some(columns) != shape::checked_numel(&places) {
            let why = format!(
                "rows must divide by the window's {size} elements, and columns be places {places:?}"
            );
            return Err(Error::shape(op, [x.shape(), image], why));
        }
        let channels = rows / size;
        let to = [&[n, channels], image].concat();
        let zero = Num::from_bits(x.dtype(), 0);
        if x.numel() == 0 {
            return Expr::fill(x.context(), x.dtype(), &to, zero).eval();
        }
        let view = [&[n, channels], &window.kernel[..], &places].concat();
        let split = x.unfold_axis(2, &places)?;
        let split = split.unfold_axis(1, &[&[channels], &window.kernel[..]].concat())?;
        debug_assert_eq!(split.shape(), view);
        let (axes, rank) = (image.len(), 2 + 2 * image.len());
        let reach = |i: usize| {
            let own = window.kernel[i].saturating_mul(window.dilations[i]);
            own.saturating_add(image[i])
                .saturating_add(window.pads[i].0)
        };
        let wide = (0..axes).any(|i| i32::try_from(reach(i)).is_err());
        let kind = if wide { Scalar::I64 } else { Scalar::I32 };
        let at = |axis: usize, length: usize| -> Result<Expr> {
            Ok(ops::cast(along(x.context(), rank, axis, length)?, kind))
        };
        // Axes: batch, channel, pixel…, element…
        let mut coords = vec![
            along(x.context(), rank, 0, n)?,
            along(x.context(), rank, 1, channels)?,
        ];
        let mut hits: Option<Expr> = None;
        let mut found = vec![];
        for (i, &length) in image.iter().enumerate() {
            let element = at(2 + axes + i, window.kernel[i])?;
            let reach = ops::mul(element, window.dilations[i] as i64)?;
            let pixel = ops::add(at(2 + i, length)?, window.pads[i].0 as i64)?;
            let from = ops::sub(pixel, reach)?;
            let stride = window.strides[i] as i64;
            let place = ops::div(&from, stride)?;
            let whole = ops::eq(ops::mul(&place, stride)?, &from)?;
            hits = Some(match hits {
                Some(hits) => ops::logical_and(hits, whole)?,
                None => whole,
            });
            found.push(place);
            coords.push(along(x.context(), rank, 2 + axes + i, window.kernel[i])?);
        }
        coords.extend(found);
        let read = Expr::at(&split, &coords, Outside::Fill(zero))?;
        let zero = Expr::scalar(x.dtype(), zero);
        let hits = hits.expect("an image has an axis");
        let reduced: Vec<i64> = (2 + axes as i64..rank as i64).collect();
        ops::sum(ops::where_(hits, read, zero)?, &reduced, false)
    }
}
