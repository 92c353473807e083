//! Sampling at the points of a grid, whose coordinates are data: one kernel, in which the
//! neighbours are read at computed positions.

use super::super::call::{Array, Attrs, Call, positions};
use super::super::{FLOATS, Kind, Row};
use crate::error::{Error, Result};
use crate::num::Num;
use functions::{GridMode, GridPadding};
use suanzi_codegen::Scalar;

/// Sampling.
pub const GRID_SAMPLE: Row = Row {
    name: "grid_sample",
    doc: "`[n, c, …]` read at the points of a grid `[n, …, axes]` (the last axis first, -1 to 1 across the image): nearest, linear or (two axes) cubic; zeros, the border or reflections outside.",
    dtypes: FLOATS,
    limit: super::weighted,
    kind: Kind::Call(Call {
        examples: &[
            "1x2x4x5@T:1x3x4x2:unit,x=moderate",
            "2x1x4x5@T:2x3x4x2:unit,x=moderate,align=1",
            "2x1x4x5@T:2x3x4x2:unit,x=moderate,padding=border",
            "2x1x4x5@T:2x3x4x2:unit,x=moderate,padding=reflection",
            "2x1x4x5@T:2x3x4x2:unit,x=moderate,padding=reflection,align=1",
            "1x2x4x5@T:1x3x7x2:unit,x=moderate,mode=nearest",
            "1x2x4x5@T:1x3x7x2:unit,x=moderate,mode=nearest,padding=border,align=1",
            "1x2x4x5@T:1x3x7x2:unit,x=moderate,mode=nearest,padding=reflection",
            "1x1x4x5@T:1x3x7x2:unit,x=moderate,mode=cubic",
            "1x1x4x5@T:1x3x7x2:unit,x=moderate,mode=cubic,padding=border",
            "1x1x4x5@T:1x3x7x2:unit,x=moderate,mode=cubic,padding=reflection,align=1",
            "1x1x3x4x5@T:1x2x3x4x3:unit,x=moderate",
            "1x1x3x4x5@T:1x2x3x4x3:unit,x=moderate,mode=nearest,padding=border",
            "1x1x1x1@T:1x3x3x2:unit,x=moderate,padding=reflection,align=1",
            "1x2x4x5@T:1x0x4x2:unit",
            "1x2x0x5@T:1x3x4x2:unit",
            "1x2x4x5@T:2x3x4x2:unit",
            "1x2x4x5@T:1x3x4x3:unit",
            "1x1x3x4x5@T:1x2x3x4x3:unit,mode=cubic",
            "1x2x4x5@T:1x3x4x2:unit,mode=round",
            "1x2x4x5@T:1x3x4x2:unit,padding=wrap",
        ],
        creates: false,
        run: |_, x, a| {
            let mode = GridMode::named(a.text("mode", "linear"))?;
            let padding = GridPadding::named(a.text("padding", "zeros"))?;
            let sampled = functions::grid_sample(&x[0], &x[1], mode, padding, a.flag("align"));
            Ok(vec![sampled?.eval()?])
        },
        reference: |x, a| sampled(&x[0], &x[1], a).map(|y| vec![y]),
    }),
};

/// Arithmetic of coordinates as the device does it: f32, or f64 for f64.
fn rounded(x: f64, wide: bool) -> f64 {
    if wide { x } else { f64::from(x as f32) }
}

fn sampled(x: &Array, grid: &Array, a: &Attrs) -> Option<Array> {
    let axes = x.shape.len().checked_sub(2).filter(|&n| n > 0)?;
    let (last, outer) = grid.shape.split_last()?;
    let (mode, padding) = (a.text("mode", "linear"), a.text("padding", "zeros"));
    let known = ["nearest", "linear", "cubic"].contains(&mode)
        && ["zeros", "border", "reflection"].contains(&padding);
    let fits = *last == axes && outer.len() == axes + 1 && outer[0] == x.shape[0];
    if !known || !fits || (mode == "cubic" && axes != 2) {
        return None;
    }
    let shape = [&x.shape[..2], &outer[1..]].concat();
    if x.values.is_empty() && !shape.contains(&0) && padding != "zeros" {
        return None;
    }
    let (wide, align) = (x.dtype == Scalar::F64, a.flag("align"));
    let r = |v: f64| rounded(v, wide);
    let mut scale = vec![];
    let mut out = Array::from_fn(x.dtype, &shape, |at| {
        let mut taps: Vec<Vec<(Option<usize>, f64)>> = vec![];
        for axis in 0..axes {
            let d = x.shape[axis + 2] as f64;
            let point = [&at[..1], &at[2..], &[axes - 1 - axis]].concat();
            let g = r(grid.at(&point).float() + 1.0);
            let mut c = match align {
                true => r(r(g * 0.5) * (d - 1.0)),
                false => r(r(r(g * d) - 1.0) * 0.5),
            };
            let reflect = |c: f64| -> f64 {
                let (low, high) = if align {
                    (0.0, d - 1.0)
                } else {
                    (-0.5, d - 0.5)
                };
                let span = high - low;
                if span <= 0.0 {
                    return 0.0;
                }
                let away = r((c - low).abs());
                let extra = away % span;
                let odd = (r(away / span).floor() % 2.0) != 0.0;
                let back = if odd { r(span - extra) } else { extra };
                r(back + low).clamp(0.0, d - 1.0)
            };
            if mode != "cubic" {
                c = match padding {
                    "border" => c.clamp(0.0, (d - 1.0).max(0.0)),
                    "reflection" => reflect(c),
                    _ => c,
                };
            }
            let place = |i: f64| -> Option<usize> {
                let i = match (mode, padding) {
                    ("cubic", "border") => i.clamp(0.0, d - 1.0),
                    ("cubic", "reflection") => reflect(i),
                    _ => i,
                };
                // Behind a border or a mirror a neighbour without weight may lie beyond.
                let i = if padding == "zeros" {
                    i
                } else {
                    i.clamp(0.0, d - 1.0)
                };
                (i >= 0.0 && i < d).then_some(i as usize)
            };
            let (floor, t) = (c.floor(), r(c - c.floor()));
            taps.push(match mode {
                "nearest" => vec![(place(c.round_ties_even()), 1.0)],
                "linear" => vec![(place(floor), 1.0 - t), (place(floor + 1.0), t)],
                _ => {
                    let weights = super::cubic(t, -0.75);
                    (0..4)
                        .map(|k| (place(floor - 1.0 + k as f64), weights[k]))
                        .collect()
                }
            });
        }
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for pick in positions(&taps.iter().map(Vec::len).collect::<Vec<_>>()) {
            let picked: Vec<(Option<usize>, f64)> =
                pick.iter().zip(&taps).map(|(&k, t)| t[k]).collect();
            let from: Option<Vec<usize>> = picked.iter().map(|p| p.0).collect();
            let Some(from) = from else { continue };
            let value = x.at(&[&at[..2], &from].concat()).float();
            sum += value * picked.iter().map(|p| p.1).product::<f64>();
            magnitude += value.abs();
        }
        scale.push(magnitude);
        Num::Float(sum)
    });
    out.scale = scale;
    Some(out)
}

/// One function for each row.
pub mod functions {
    use super::{Error, Num, Result, Scalar};
    use crate::table::layout::along;
    use crate::{Expr, Outside, Tensor, ops};

    /// What is made of neighbouring elements.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum GridMode {
        /// The nearest, in the middle the even one.
        Nearest,
        /// Straight lines between neighbours.
        Linear,
        /// Cubics through four, with coefficient -0.75; of two axes.
        Cubic,
    }

    /// What lies outside of the image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum GridPadding {
        /// Zeros.
        Zeros,
        /// The nearest element.
        Border,
        /// The image mirrored, at the outer pixels' centres if corners are aligned, else at their
        /// edges.
        Reflection,
    }

    impl GridMode {
        /// By name: `nearest`, `linear` (`bilinear`) or `cubic` (`bicubic`).
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(name: &str) -> Result<GridMode> {
            match name {
                "nearest" => Ok(GridMode::Nearest),
                "linear" | "bilinear" => Ok(GridMode::Linear),
                "cubic" | "bicubic" => Ok(GridMode::Cubic),
                _ => Err(Error::value("grid_sample", format!("no mode `{name}`"))),
            }
        }
    }

    impl GridPadding {
        /// By name: `zeros`, `border` or `reflection`.
        ///
        /// # Errors
        /// [`Error::Value`] for any other.
        pub fn named(name: &str) -> Result<GridPadding> {
            match name {
                "zeros" => Ok(GridPadding::Zeros),
                "border" => Ok(GridPadding::Border),
                "reflection" => Ok(GridPadding::Reflection),
                _ => Err(Error::value("grid_sample", format!("no padding `{name}`"))),
            }
        }
    }

    /// Positions beyond this are outside of any image, and still far from where i32 ends.
    const FAR: f64 = 1e9;

    /// `x`, `[n, c, …]`, read at the points of `grid`, `[n, …, axes]`, whose coordinates go from -1
    /// to 1 across the image (its corner pixels' centres if `align`, else their outer edges), the
    /// last axis first. Coordinates and weights are in f32, f64 for f64. Lazy.
    ///
    /// # Errors
    /// [`Error::Shape`] where image and grid do not fit or an empty image would be continued,
    /// [`Error::Dtype`] where they are not floats of one dtype, [`Error::Value`] for cubics of
    /// other than two axes, [`Error::Device`].
    pub fn grid_sample(
        x: &Tensor,
        grid: &Tensor,
        mode: GridMode,
        padding: GridPadding,
        align: bool,
    ) -> Result<Expr> {
        let op = "grid_sample";
        let fits = || {
            let axes = x.shape().len().checked_sub(2).filter(|&n| n > 0)?;
            let (last, outer) = grid.shape().split_last()?;
            let same = *last == axes && outer.len() == axes + 1 && outer[0] == x.shape()[0];
            same.then(|| (axes, outer[1..].to_vec()))
        };
        let Some((axes, places)) = fits() else {
            let why = "the grid is [n, places…, axes of the image]";
            return Err(Error::shape(op, [x.shape(), grid.shape()], why));
        };
        if !x.dtype().is_float() || x.dtype() != grid.dtype() {
            let why = "image and grid are floats of one dtype";
            return Err(Error::dtype(op, [x.dtype(), grid.dtype()], why));
        }
        if mode == GridMode::Cubic && axes != 2 {
            let why = "cubic sampling is of images of two axes";
            return Err(Error::value(op, why));
        }
        let kind = match x.dtype() {
            Scalar::F64 => Scalar::F64,
            _ => Scalar::F32,
        };
        let rank = axes + 2;
        let number = |v: f64| Expr::scalar(kind, Num::Float(v));
        // For each axis: neighbours and their weights.
        let mut taps: Vec<Vec<(Expr, Option<Expr>)>> = vec![];
        for axis in 0..axes {
            let d = x.shape()[axis + 2] as f64;
            let from = (axes - 1 - axis) as i64;
            let g = grid.slice(-1, from, from + 1, 1)?;
            // [n, places…, 1] as [n, 1, places…].
            let mut own = vec![x.shape()[0], 1];
            own.extend(&places);
            let mut strides = vec![g.strides()[0], 0];
            strides.extend(&g.strides()[1..=axes]);
            let g = g.as_strided(&own, &strides, g.offset())?;
            let g = ops::add(ops::cast(&g, kind), number(1.0))?;
            let mut at = match align {
                true => ops::mul(ops::mul(g, number(0.5))?, number(d - 1.0))?,
                false => {
                    let scaled = ops::sub(ops::mul(g, number(d))?, number(1.0))?;
                    ops::mul(scaled, number(0.5))?
                }
            };
            let bound = |e: Expr, low: f64, high: f64| ops::clamp(e, number(low), number(high));
            let inside = |e: Expr| bound(e, 0.0, (d - 1.0).max(0.0));
            let reflected = |e: Expr| -> Result<Expr> {
                let (low, high) = if align {
                    (0.0, d - 1.0)
                } else {
                    (-0.5, d - 0.5)
                };
                let span = high - low;
                if span <= 0.0 {
                    return ops::mul(e, number(0.0));
                }
                let away = ops::abs(ops::sub(e, number(low))?)?;
                let extra = ops::rem(&away, number(span))?;
                let flips = ops::floor(ops::div(&away, number(span))?)?;
                let odd = ops::ne(ops::rem(flips, number(2.0))?, number(0.0))?;
                let back = ops::where_(odd, ops::sub(number(span), &extra)?, extra)?;
                inside(ops::add(back, number(low))?)
            };
            at = match (mode, padding) {
                (GridMode::Cubic, _) => bound(at, -FAR, FAR)?,
                (_, GridPadding::Zeros) => bound(at, -FAR, FAR)?,
                (_, GridPadding::Border) => inside(at)?,
                (_, GridPadding::Reflection) => reflected(at)?,
            };
            let place = |e: Expr| -> Result<Expr> {
                let e = match (mode, padding) {
                    (GridMode::Cubic, GridPadding::Reflection) => reflected(e)?,
                    _ => e,
                };
                Ok(ops::cast(e, Scalar::I32))
            };
            if mode == GridMode::Nearest {
                taps.push(vec![(place(ops::round(at)?)?, None)]);
                continue;
            }
            let floor = ops::floor(&at)?;
            let t = ops::sub(at, &floor)?;
            let weights = match mode {
                GridMode::Cubic => cubic_weights(&t, &number)?,
                _ => vec![ops::sub(number(1.0), &t)?, t],
            };
            let first = if mode == GridMode::Cubic { -1.0 } else { 0.0 };
            let mut found = vec![];
            for (k, weight) in weights.into_iter().enumerate() {
                let at = ops::add(&floor, number(first + k as f64))?;
                found.push((place(at)?, Some(weight)));
            }
            taps.push(found);
        }
        let zero = Num::from_bits(x.dtype(), 0);
        let outside = match padding {
            GridPadding::Zeros => Outside::Fill(zero),
            _ => Outside::Clamp,
        };
        let mut sum: Option<Expr> = None;
        let counts: Vec<usize> = taps.iter().map(Vec::len).collect();
        for pick in crate::table::call::positions(&counts) {
            let mut coords = vec![
                along(x.context(), rank, 0, x.shape()[0])?,
                along(x.context(), rank, 1, x.shape()[1])?,
            ];
            let mut weight: Option<Expr> = None;
            for (&k, taps) in pick.iter().zip(&taps) {
                let (place, own) = &taps[k];
                coords.push(place.clone());
                weight = match (weight, own) {
                    (Some(w), Some(own)) => Some(ops::mul(w, own)?),
                    (w, own) => w.or(own.clone()),
                };
            }
            let mut value = Expr::at(x, &coords, outside)?;
            if let Some(weight) = weight {
                value = ops::mul(ops::cast(value, kind), weight)?;
            }
            sum = Some(match sum {
                Some(sum) => ops::add(sum, value)?,
                None => value,
            });
        }
        Ok(ops::cast(sum.expect("an image has an axis"), x.dtype()))
    }

    /// Weights of four neighbours at a distance of `t` from the second.
    fn cubic_weights(t: &Expr, number: &dyn Fn(f64) -> Expr) -> Result<Vec<Expr>> {
        let a = -0.75;
        let far = |d: Expr| -> Result<Expr> {
            let inner = ops::mul(ops::sub(&d, number(5.0))?, &d)?;
            let inner = ops::mul(ops::add(inner, number(8.0))?, d)?;
            ops::mul(ops::sub(inner, number(4.0))?, number(a))
        };
        let near = |d: Expr| -> Result<Expr> {
            let inner = ops::sub(ops::mul(&d, number(a + 2.0))?, number(a + 3.0))?;
            ops::add(ops::mul(ops::mul(inner, &d)?, d)?, number(1.0))
        };
        let back = ops::sub(number(1.0), t)?;
        Ok(vec![
            far(ops::add(t, number(1.0))?)?,
            near(t.clone())?,
            near(back.clone())?,
            far(ops::add(back, number(1.0))?)?,
        ])
    }
}
