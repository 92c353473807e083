//! Resizing, axis by axis. Which elements a result is made of and with which weights depends on the
//! axis alone, so that is computed here, in f64, and handed to the device as small tables: the
//! kernels are the same for every mode, and every device gives the same bits.

mod reference;

use super::super::call::Call;
use super::super::{FLOATS, Kind, Row};
use crate::error::{Error, Result};
use crate::num::Num;
use functions::{Nearest, Pixels, Resize, ResizeMode, Size};

/// Resizing.
pub const RESIZE: Row = Row {
    name: "resize",
    doc: "Resizing by scales or to sizes along some axes: nearest (four roundings), linear or cubic, with ONNX's coordinate transformations, antialiasing and exclusion of what lies outside.",
    dtypes: FLOATS,
    limit: super::weighted,
    kind: Kind::Call(Call {
        examples: &[
            "1x2x4x5@x=moderate,scales=2;1.5,axes=2;3,mode=linear",
            "1x1x4x4@x=moderate,scales=0.6;0.6,axes=2;3,mode=linear,pixels=align_corners",
            "1x1x4x7@x=moderate,sizes=9;3,axes=-2;-1,mode=linear,pixels=asymmetric",
            "5x4@x=moderate,sizes=3;1,mode=linear,pixels=pytorch_half_pixel",
            "5x4@x=moderate,scales=2.3;0.7,mode=linear,pixels=half_pixel_symmetric",
            "4x5@x=moderate,sizes=3;6,mode=linear,pixels=tf_crop_and_resize,roi=0.4;0.6;0.6;1.4,extrapolation=10",
            "5x9@x=moderate,sizes=3;4,mode=linear,antialias=1",
            "5x9@x=moderate,scales=0.6;1.7,mode=cubic,antialias=1",
            "5x9@x=moderate,scales=2;0.8,mode=cubic",
            "5x9@x=moderate,scales=2;0.8,mode=cubic,a=-0.5,exclude=1",
            "5x9@x=moderate,sizes=8;8,mode=cubic,pixels=align_corners",
            "3x4x5@x=moderate,sizes=5;3;7,mode=linear",
            "5x9@x=moderate,sizes=8;8,mode=nearest",
            "5x9@x=moderate,sizes=8;8,mode=nearest,round=ceil,pixels=align_corners",
            "5x9@x=moderate,sizes=8;8,mode=nearest,round=floor,pixels=asymmetric",
            "5x9@x=moderate,scales=1.6;0.7,mode=nearest,round=round_prefer_ceil",
            "5x9@x=moderate,sizes=8;4,mode=nearest,pixels=tf_half_pixel_for_nn,round=floor",
            "4x5@x=moderate,sizes=3;6,mode=nearest,pixels=tf_crop_and_resize,roi=-0.4;0.6;0.6;1.2,extrapolation=7",
            "5x9@x=moderate,sizes=7;7,policy=not_larger,mode=linear",
            "5x9@x=moderate,sizes=7;7,policy=not_smaller,mode=nearest",
            "5x9@x=moderate,sizes=0;7",
            "0x9@sizes=0;7",
            "0x9@sizes=2;7",
            "5x9@sizes=2",
            "5x9@scales=-1;2",
            "5x9@sizes=2;2,mode=quadratic",
            "5x9@sizes=2;2,pixels=none",
            "5x9@sizes=2,axes=2",
            "5x9@sizes=2;3,axes=1;1",
        ],
        creates: false,
        run: |_, x, a| {
            let rank = x[0].shape().len();
            let axes = match a.has("axes") {
                true => a.ints("axes"),
                false => (0..rank as i64).collect(),
            };
            let sizes = || super::super::layout::counts("resize", "sizes", &a.ints("sizes"));
            let size = match (a.has("scales"), a.text("policy", "stretch")) {
                (true, _) => Size::Scales(a.floats("scales")),
                (_, "not_larger") => Size::NotLarger(sizes()?),
                (_, "not_smaller") => Size::NotSmaller(sizes()?),
                _ => Size::Sizes(sizes()?),
            };
            let how = Resize {
                mode: match a.text("mode", "nearest") {
                    "nearest" => {
                        ResizeMode::Nearest(Nearest::named(a.text("round", "round_prefer_floor"))?)
                    }
                    "linear" => ResizeMode::Linear,
                    "cubic" => ResizeMode::Cubic(a.float("a", -0.75)),
                    other => {
                        let why = format!("mode `{other}` is none of nearest linear cubic");
                        return Err(Error::value("resize", why));
                    }
                },
                pixels: Pixels::named(a.text("pixels", "half_pixel"))?,
                region: a.floats("roi"),
                extrapolation: a.float("extrapolation", 0.0),
                antialias: a.flag("antialias"),
                exclude_outside: a.flag("exclude"),
            };
            Ok(vec![functions::resize(&x[0], &axes, &size, &how)?])
        },
        reference: |x, a| reference::resized(&x[0], a).map(|y| vec![y]),
    }),
};

/// One function for each row.
pub mod functions {
    use super::super::cubic;
    use super::{Error, Num, Result};
    use crate::table::layout::along;
    use crate::{Expr, Outside, Tensor, ops, shape};
    use suanzi_codegen::Scalar;

    /// What is made of neighbouring elements.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum ResizeMode {
        /// One of them.
        Nearest(Nearest),
        /// A straight line between two.
        Linear,
        /// A cubic through four, with this coefficient (ONNX and torch: -0.75).
        Cubic(f64),
    }

    /// Which element is the nearest.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Nearest {
        /// The nearer, in the middle the lower.
        PreferFloor,
        /// The nearer, in the middle the upper.
        PreferCeil,
        /// The lower.
        Floor,
        /// The upper.
        Ceil,
    }

    impl Nearest {
        /// By ONNX's name.
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(name: &str) -> Result<Nearest> {
            Ok(match name {
                "round_prefer_floor" => Nearest::PreferFloor,
                "round_prefer_ceil" => Nearest::PreferCeil,
                "floor" => Nearest::Floor,
                "ceil" => Nearest::Ceil,
                _ => return Err(Error::value("resize", format!("no rounding `{name}`"))),
            })
        }

        fn pick(self, at: f64) -> f64 {
            let (floor, rest) = (at.floor(), at - at.floor());
            match self {
                Nearest::Floor => floor,
                Nearest::Ceil => at.ceil(),
                Nearest::PreferFloor => floor + f64::from(rest > 0.5),
                Nearest::PreferCeil => floor + f64::from(rest >= 0.5),
            }
        }
    }

    /// How positions of the result are positions of the tensor.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Pixels {
        /// Pixels are areas: `(x + 0.5) / scale - 0.5`.
        HalfPixel,
        /// As `HalfPixel`, but 0 for a result of one pixel.
        PytorchHalfPixel,
        /// As `HalfPixel`, moved so that the centres stay where a size is rounded.
        HalfPixelSymmetric,
        /// The corner pixels' centres stay.
        AlignCorners,
        /// `x / scale`.
        Asymmetric,
        /// `(x + 0.5) / scale`.
        TfHalfPixelForNn,
        /// The corners of [`Resize::region`] are the corners of the result.
        TfCropAndResize,
    }

    impl Pixels {
        /// By ONNX's name.
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(name: &str) -> Result<Pixels> {
            Ok(match name {
                "half_pixel" => Pixels::HalfPixel,
                "pytorch_half_pixel" => Pixels::PytorchHalfPixel,
                "half_pixel_symmetric" => Pixels::HalfPixelSymmetric,
                "align_corners" => Pixels::AlignCorners,
                "asymmetric" => Pixels::Asymmetric,
                "tf_half_pixel_for_nn" => Pixels::TfHalfPixelForNn,
                "tf_crop_and_resize" => Pixels::TfCropAndResize,
                _ => {
                    let why = format!("no coordinate transformation `{name}`");
                    return Err(Error::value("resize", why));
                }
            })
        }
    }

    /// The size of the result along the reference::resized axes.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Size {
        /// Times as long, rounded down.
        Scales(Vec<f64>),
        /// These lengths.
        Sizes(Vec<usize>),
        /// The greatest with the shape of the tensor that fits into these.
        NotLarger(Vec<usize>),
        /// The smallest with the shape of the tensor that these fit into.
        NotSmaller(Vec<usize>),
    }

    /// How to resize.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Resize {
        /// What is made of neighbours.
        pub mode: ResizeMode,
        /// How positions are transformed.
        pub pixels: Pixels,
        /// For [`Pixels::TfCropAndResize`]: where the reference::resized axes begin, then where they end, the
        /// whole axis being 0 to 1.
        pub region: Vec<f64>,
        /// What such a region holds outside of the tensor.
        pub extrapolation: f64,
        /// Filters are widened where the result is smaller.
        pub antialias: bool,
        /// Elements beyond the edge have no weight (else they are those of the edge).
        pub exclude_outside: bool,
    }

    /// One reference::resized axis.
    struct Axis {
        from: usize,
        to: usize,
        scale: f64,
        region: [f64; 2],
    }

    /// For each result along an axis `taps` positions and weights; and whether it is inside.
    struct Table {
        taps: usize,
        positions: Vec<i32>,
        weights: Vec<f64>,
        inside: Vec<bool>,
    }

    impl Axis {
        fn source(&self, p: usize, pixels: Pixels) -> f64 {
            let (p, d, scale) = (p as f64, self.from as f64, self.scale);
            let long = scale * d;
            match pixels {
                Pixels::PytorchHalfPixel | Pixels::AlignCorners if long == 1.0 => 0.0,
                Pixels::HalfPixel | Pixels::PytorchHalfPixel => (p + 0.5) / scale - 0.5,
                Pixels::HalfPixelSymmetric => {
                    let offset = d / 2.0 * (1.0 - self.to as f64 / long);
                    offset + (p + 0.5) / scale - 0.5
                }
                Pixels::AlignCorners => p * (d - 1.0) / (long - 1.0),
                Pixels::Asymmetric => p / scale,
                Pixels::TfHalfPixelForNn => (p + 0.5) / scale,
                Pixels::TfCropAndResize => {
                    let [start, end] = self.region;
                    let part = if long == 1.0 { 0.5 } else { p / (long - 1.0) };
                    start * (d - 1.0) + part * (end - start) * (d - 1.0)
                }
            }
        }

        fn table(&self, how: &Resize) -> Table {
            let stretch = if how.antialias {
                self.scale.min(1.0)
            } else {
                1.0
            };
            // Neighbours before the one on the left, and all together.
            let before = |reach: f64| ((reach / stretch).ceil() as i64 - 1).max(0);
            let lead = match how.mode {
                ResizeMode::Nearest(_) => 0,
                ResizeMode::Linear => before(1.0),
                ResizeMode::Cubic(_) => before(2.0),
            };
            let taps = match how.mode {
                ResizeMode::Nearest(_) => 1,
                _ => 2 * lead as usize + 2,
            };
            let mut table = Table {
                taps,
                positions: vec![],
                weights: vec![],
                inside: vec![],
            };
            let last = self.from as i64 - 1;
            for p in 0..self.to {
                let at = self.source(p, how.pixels);
                let crops = how.pixels == Pixels::TfCropAndResize;
                table
                    .inside
                    .push(!crops || (0.0..=last as f64).contains(&at));
                let left = match how.mode {
                    ResizeMode::Nearest(round) => round.pick(at),
                    _ => at.floor(),
                };
                let first = left as i64 - lead;
                let weight = |i: i64| {
                    let far = ((first + i) as f64 - at).abs() * stretch;
                    match how.mode {
                        ResizeMode::Nearest(_) => 1.0,
                        ResizeMode::Linear => (1.0 - far).max(0.0),
                        ResizeMode::Cubic(a) if far < 1.0 => cubic(far, a)[1],
                        ResizeMode::Cubic(a) if far < 2.0 => cubic(far - 1.0, a)[0],
                        ResizeMode::Cubic(_) => 0.0,
                    }
                };
                let mut weights: Vec<f64> = (0..taps as i64).map(weight).collect();
                if how.exclude_outside {
                    for (i, w) in weights.iter_mut().enumerate() {
                        let beyond = !(0..=last).contains(&(first + i as i64));
                        *w = if beyond { 0.0 } else { *w };
                    }
                }
                if how.exclude_outside || how.antialias {
                    let sum: f64 = weights.iter().sum();
                    weights.iter_mut().for_each(|w| *w /= sum);
                }
                table.weights.extend(weights);
                let place = |i: i64| (first + i).clamp(0, last.max(0)) as i32;
                table.positions.extend((0..taps as i64).map(place));
            }
            table
        }
    }

    /// A tensor reference::resized along some axes. Weights are computed in f64 and used in f32 (f64 for f64);
    /// each axis is done by itself, what is between them stays in that kind, and the result is
    /// rounded once.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Shape`] where sizes do not fit the axes or an empty tensor would
    /// grow, [`Error::Value`] for scales that are not positive, [`Error::Dtype`] where a tensor
    /// that is not of floats is interpolated, [`Error::Backend`].
    pub fn resize(x: &Tensor, axes: &[i64], size: &Size, how: &Resize) -> Result<Tensor> {
        let op = "resize";
        let nearest = matches!(how.mode, ResizeMode::Nearest(_));
        if !x.dtype().is_float() && !nearest {
            return Err(Error::dtype(
                op,
                [x.dtype()],
                "only floats are interpolated",
            ));
        }
        let plan = plan(op, x, axes, size, how)?;
        let mut to = x.shape().to_vec();
        plan.iter().for_each(|(axis, a)| to[*axis] = a.to);
        if to
            .iter()
            .chain(x.shape())
            .any(|&d| i32::try_from(d).is_err())
        {
            return Err(Error::shape(op, [x.shape(), &to], "an axis is too long"));
        }
        if to.contains(&0) {
            return Tensor::empty(x.context(), x.dtype(), &to);
        }
        if x.numel() == 0 {
            return Err(Error::shape(
                op,
                [x.shape(), &to],
                "there is nothing to enlarge",
            ));
        }
        let tables = plan.iter().map(|(axis, a)| (*axis, a.table(how)));
        let tables: Vec<(usize, Table)> = tables.collect();
        let value = match nearest {
            true => picked(x, &tables, &to)?,
            false => interpolated(x, &tables)?,
        };
        let mut inside: Option<Expr> = None;
        for (axis, table) in tables.iter().filter(|(_, t)| t.inside.contains(&false)) {
            let mask = column(x, *axis, &table.inside)?.expr();
            inside = Some(match inside {
                Some(other) => ops::logical_and(other, mask)?,
                None => mask,
            });
        }
        match inside {
            Some(inside) => {
                let other = Expr::scalar(x.dtype(), Num::Float(how.extrapolation));
                ops::where_(inside, value, other)?.eval()
            }
            None => value.eval(),
        }
    }

    fn plan(
        op: &str,
        x: &Tensor,
        axes: &[i64],
        size: &Size,
        how: &Resize,
    ) -> Result<Vec<(usize, Axis)>> {
        shape::normalise_axes(op, axes, x.shape())?;
        let rank = x.shape().len() as i64;
        let axes: Vec<usize> = axes.iter().map(|a| a.rem_euclid(rank) as usize).collect();
        let count = match size {
            Size::Scales(s) => s.len(),
            Size::Sizes(s) | Size::NotLarger(s) | Size::NotSmaller(s) => s.len(),
        };
        let crops = how.pixels == Pixels::TfCropAndResize;
        if count != axes.len() || (crops && how.region.len() != 2 * axes.len()) {
            let why = format!(
                "{count} sizes and a region are needed for {} axes",
                axes.len()
            );
            return Err(Error::shape(op, [x.shape()], why));
        }
        let length = |i: usize| x.shape()[axes[i]] as f64;
        let ratio = |sizes: &[usize], i: usize| sizes[i] as f64 / length(i);
        let axis = |i: usize| {
            let whole = |sizes: &[usize], join: fn(f64, f64) -> f64, start: f64| {
                let scale = (0..count).map(|k| ratio(sizes, k)).fold(start, join);
                ((scale * length(i) + 0.5).floor() as usize, scale)
            };
            let (to, scale) = match size {
                Size::Scales(s) => ((length(i) * s[i]).floor() as usize, s[i]),
                Size::Sizes(s) => (s[i], ratio(s, i)),
                Size::NotLarger(s) => whole(s, f64::min, f64::INFINITY),
                Size::NotSmaller(s) => whole(s, f64::max, 0.0),
            };
            let part = |k: usize| how.region.get(i + k).copied().unwrap_or(0.0);
            let axis = Axis {
                from: x.shape()[axes[i]],
                to,
                scale,
                region: [part(0), part(count)],
            };
            (axes[i], axis)
        };
        if let Size::Scales(s) = size
            && s.iter().any(|s| !s.is_finite() || *s <= 0.0)
        {
            return Err(Error::value(op, format!("scales {s:?} must be positive")));
        }
        Ok((0..count).map(axis).collect())
    }

    /// Values along one axis, the others being 1.
    fn column<T: crate::Element>(x: &Tensor, axis: usize, values: &[T]) -> Result<Tensor> {
        let mut own = vec![1; x.shape().len()];
        own[axis] = values.len();
        Tensor::from_slice(x.context(), &own, values)
    }

    fn picked(x: &Tensor, tables: &[(usize, Table)], to: &[usize]) -> Result<Expr> {
        let mut coords = vec![];
        for (axis, &d) in to.iter().enumerate() {
            coords.push(match tables.iter().find(|(a, _)| *a == axis) {
                Some((_, table)) => column(x, axis, &table.positions)?.expr(),
                None => along(x.context(), to.len(), axis, d)?,
            });
        }
        Expr::at(x, &coords, Outside::Clamp)
    }

    fn interpolated(x: &Tensor, tables: &[(usize, Table)]) -> Result<Expr> {
        let kind = match x.dtype() {
            Scalar::F64 => Scalar::F64,
            _ => Scalar::F32,
        };
        let mut value = x.expr();
        for (axis, table) in tables {
            // What is not changed is not computed.
            let own = |(i, w): (usize, &f64)| {
                let here = table.positions[i] as usize == i / table.taps;
                if here {
                    *w == 1.0 || *w == 0.0
                } else {
                    *w == 0.0
                }
            };
            let same = table.weights.iter().enumerate().all(own);
            if same && table.inside.len() == x.shape()[*axis] {
                continue;
            }
            value = weighted(&value.eval()?, *axis, table, kind)?;
        }
        Ok(ops::cast(value, x.dtype()))
    }

    /// The weighted sum of neighbours along an axis.
    fn weighted(x: &Tensor, axis: usize, table: &Table, kind: Scalar) -> Result<Expr> {
        let rank = x.shape().len();
        let to = table.inside.len();
        let mut own = vec![1; rank + 1];
        (own[axis], own[rank]) = (to, table.taps);
        let positions = Tensor::from_slice(x.context(), &own, &table.positions)?;
        let weights = match kind {
            Scalar::F64 => Tensor::from_slice(x.context(), &own, &table.weights)?,
            _ => {
                let narrow: Vec<f32> = table.weights.iter().map(|&w| w as f32).collect();
                Tensor::from_slice(x.context(), &own, &narrow)?
            }
        };
        // Few neighbours are summed in place, many by a reduction along an axis of their own.
        if table.taps > 4 {
            let read = neighbours(x, axis, positions.expr(), rank + 1)?;
            let product = ops::mul(ops::cast(read, kind), weights)?;
            return Ok(ops::sum(product, &[-1], false)?.expr());
        }
        let mut sum: Option<Expr> = None;
        for tap in 0..table.taps as i64 {
            let one = |t: &Tensor| -> Result<Expr> {
                let t = t.slice(rank as i64, tap, tap + 1, 1)?;
                Ok(
                    t.as_strided(&own[..rank], &t.strides()[..rank], t.offset())?
                        .expr(),
                )
            };
            let read = neighbours(x, axis, one(&positions)?, rank)?;
            let product = ops::mul(ops::cast(read, kind), one(&weights)?)?;
            sum = Some(match sum {
                Some(sum) => ops::add(sum, product)?,
                None => product,
            });
        }
        Ok(sum.expect("an axis has neighbours"))
    }

    fn neighbours(x: &Tensor, axis: usize, positions: Expr, rank: usize) -> Result<Expr> {
        let coord = |k: usize| match k == axis {
            true => Ok(positions.clone()),
            false => along(x.context(), rank, k, x.shape()[k]),
        };
        let coords: Result<Vec<Expr>> = (0..x.shape().len()).map(coord).collect();
        Expr::at(x, &coords?, Outside::Clamp)
    }
}
