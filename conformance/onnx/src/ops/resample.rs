//! Images at other sizes and places.

use super::layout::lengths;
use super::{Op, exact, op, out};
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::ops::{
    self, GridMode, GridPadding, Nearest, Pixels, Resize as How, ResizeMode, Size,
};

pub const OPS: &[Op] = &[
    op("Resize", resize),
    exact("Upsample", |c| {
        let scales = floats(c, 1)?.unwrap_or_default();
        let axes: Vec<i64> = (0..scales.len() as i64).collect();
        let mode = match c.text("mode", "nearest").as_str() {
            "nearest" => ResizeMode::Nearest(Nearest::Floor),
            other => return c.unknown(&format!("mode `{other}`")),
        };
        let how = How {
            mode,
            pixels: Pixels::Asymmetric,
            region: vec![],
            extrapolation: 0.0,
            antialias: false,
            exclude_outside: false,
        };
        out(ops::resize(c.x(0)?, &axes, &Size::Scales(scales), &how))
    }),
    op("GridSample", |c| {
        let mode = GridMode::named(&c.text("mode", "linear"))?;
        let padding = GridPadding::named(&c.text("padding_mode", "zeros"))?;
        let align = c.flag("align_corners", false);
        out(ops::grid_sample(c.x(0)?, c.x(1)?, mode, padding, align))
    }),
];

/// The size is given by scales or by lengths, of the axes that are named, or of all.
fn resize(c: &Call) -> Result<Vec<Value>> {
    let x = c.x(0)?;
    let all = || (0..x.shape().len() as i64).collect();
    let axes = c.ints("axes").unwrap_or_else(all);
    let scales = floats(c, 2)?.filter(|s| !s.is_empty());
    let size = match (scales, c.ints_at(3)?) {
        (Some(scales), _) => Size::Scales(scales),
        (None, Some(sizes)) => {
            let sizes = lengths(&sizes)?;
            match c.text("keep_aspect_ratio_policy", "stretch").as_str() {
                "stretch" => Size::Sizes(sizes),
                "not_larger" => Size::NotLarger(sizes),
                "not_smaller" => Size::NotSmaller(sizes),
                other => return c.unknown(&format!("policy `{other}`")),
            }
        }
        _ => return Err(malformed("Resize has neither scales nor sizes")),
    };
    let mode = match c.text("mode", "nearest").as_str() {
        "nearest" => {
            let round = c.text("nearest_mode", "round_prefer_floor");
            ResizeMode::Nearest(Nearest::named(&round)?)
        }
        "linear" => ResizeMode::Linear,
        "cubic" => ResizeMode::Cubic(c.float("cubic_coeff_a", -0.75)),
        other => return c.unknown(&format!("mode `{other}`")),
    };
    let how = How {
        mode,
        pixels: Pixels::named(&c.text("coordinate_transformation_mode", "half_pixel"))?,
        region: floats(c, 1)?.unwrap_or_default(),
        extrapolation: c.float("extrapolation_value", 0.0),
        antialias: c.flag("antialias", false),
        exclude_outside: c.flag("exclude_outside", false),
    };
    out(ops::resize(x, &axes, &size, &how))
}

fn floats(c: &Call, i: usize) -> Result<Option<Vec<f64>>> {
    let numbers = c.numbers(i)?;
    Ok(numbers.map(|n| n.iter().map(|n| n.float()).collect()))
}
