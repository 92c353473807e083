//! What resizing should give, in plain Rust.

use super::super::super::call::{Array, Attrs, positions};
use crate::num::Num;

/// The elements that make up one result along an axis: (position, weight), and whether it lies
/// inside.
type Taps = (Vec<(usize, f64)>, bool);

pub(super) fn resized(x: &Array, a: &Attrs) -> Option<Array> {
    let rank = x.shape.len();
    let axes: Vec<usize> = match a.has("axes") {
        true => {
            let axes = a.ints("axes").into_iter();
            axes.map(|i| super::super::super::layout::axis_of(rank, i))
                .collect::<Option<_>>()?
        }
        false => (0..rank).collect(),
    };
    let (sizes, mut scales) = (a.ints("sizes"), a.floats("scales"));
    let given = if a.has("scales") {
        scales.len()
    } else {
        sizes.len()
    };
    let twice = (1..axes.len()).any(|i| axes[..i].contains(&axes[i]));
    if given != axes.len()
        || twice
        || sizes.iter().any(|&s| s < 0)
        || scales.iter().any(|&s| s <= 0.0)
    {
        return None;
    }
    let d = |i: usize| x.shape[axes[i]] as f64;
    let mut shape = x.shape.clone();
    if a.has("scales") {
        (0..axes.len()).for_each(|i| shape[axes[i]] = (d(i) * scales[i]).floor() as usize);
    } else {
        scales = (0..axes.len()).map(|i| sizes[i] as f64 / d(i)).collect();
        let policy = a.text("policy", "stretch");
        let all = scales.iter().copied();
        let one = match policy {
            "not_larger" => all.fold(f64::INFINITY, f64::min),
            _ => all.fold(0.0, f64::max),
        };
        for i in 0..axes.len() {
            shape[axes[i]] = sizes[i] as usize;
            if policy != "stretch" {
                scales[i] = one;
                shape[axes[i]] = (one * d(i) + 0.5).floor() as usize;
            }
        }
    }
    if x.values.is_empty() && !shape.contains(&0) {
        return None;
    }
    let roi = a.floats("roi");
    let mut table: Vec<Vec<Taps>> = vec![];
    for (axis, &length) in shape.iter().enumerate() {
        let Some(i) = axes.iter().position(|&a| a == axis) else {
            table.push((0..length).map(|p| (vec![(p, 1.0)], true)).collect());
            continue;
        };
        let region = [0, axes.len()].map(|k| roi.get(i + k).copied().unwrap_or(0.0));
        let taps = (0..length).map(|p| taps(p as f64, d(i), scales[i], length as f64, region, a));
        table.push(taps.collect::<Option<_>>()?);
    }
    taps(0.0, 1.0, 1.0, 1.0, [0.0, 1.0], a)?;
    let outside = a.float("extrapolation", 0.0);
    let mut scale = vec![];
    let mut out = Array::from_fn(x.dtype, &shape, |at| {
        let own: Vec<&Taps> = at
            .iter()
            .enumerate()
            .map(|(axis, &p)| &table[axis][p])
            .collect();
        if own.iter().any(|(_, inside)| !inside) {
            scale.push(0.0);
            return Num::Float(outside);
        }
        let counts: Vec<usize> = own.iter().map(|(taps, _)| taps.len()).collect();
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for pick in positions(&counts) {
            let picked: Vec<(usize, f64)> = pick
                .iter()
                .zip(&own)
                .map(|(&k, (taps, _))| taps[k])
                .collect();
            let from: Vec<usize> = picked.iter().map(|p| p.0).collect();
            let value = x.at(&from).float();
            sum += value * picked.iter().map(|p| p.1).product::<f64>();
            magnitude += value.abs();
        }
        scale.push(magnitude);
        Num::Float(sum)
    });
    out.scale = scale;
    Some(out)
}

/// The taps of one position; `None` for attributes that mean nothing.
fn taps(p: f64, d: f64, scale: f64, to: f64, region: [f64; 2], a: &Attrs) -> Option<Taps> {
    let long = scale * d;
    let crop = a.text("pixels", "half_pixel") == "tf_crop_and_resize";
    let at = match a.text("pixels", "half_pixel") {
        "half_pixel" => (p + 0.5) / scale - 0.5,
        "pytorch_half_pixel" if long == 1.0 => 0.0,
        "pytorch_half_pixel" => (p + 0.5) / scale - 0.5,
        "half_pixel_symmetric" => d / 2.0 * (1.0 - to / long) + (p + 0.5) / scale - 0.5,
        "asymmetric" => p / scale,
        "tf_half_pixel_for_nn" => (p + 0.5) / scale,
        "align_corners" if long == 1.0 => 0.0,
        "align_corners" => p * (d - 1.0) / (long - 1.0),
        "tf_crop_and_resize" => {
            let [start, end] = region;
            let moved = if long == 1.0 { 0.5 } else { p / (long - 1.0) };
            start * (d - 1.0) + moved * (end - start) * (d - 1.0)
        }
        _ => return None,
    };
    let inside = !crop || (0.0..=d - 1.0).contains(&at);
    let clamp = |i: f64| i.clamp(0.0, (d - 1.0).max(0.0)) as usize;
    let half = at - at.floor() == 0.5;
    if a.text("mode", "nearest") == "nearest" {
        let i = match a.text("round", "round_prefer_floor") {
            "round_prefer_floor" => {
                if half {
                    at.floor()
                } else {
                    at.round()
                }
            }
            "round_prefer_ceil" => {
                if half {
                    at.ceil()
                } else {
                    at.round()
                }
            }
            "floor" => at.floor(),
            "ceil" => at.ceil(),
            _ => return None,
        };
        return Some((vec![(clamp(i), 1.0)], inside));
    }
    // The filter is as wide as the pixels of the result are, where these are wider and it is asked.
    let wide = if a.flag("antialias") {
        scale.min(1.0)
    } else {
        1.0
    };
    let coefficient = a.float("a", -0.75);
    let (reach, kernel): (f64, Box<dyn Fn(f64) -> f64>) = match a.text("mode", "nearest") {
        "linear" => (1.0, Box::new(|d: f64| (1.0 - d).max(0.0))),
        "cubic" => (
            2.0,
            Box::new(move |d: f64| {
                let t = d.fract();
                match d {
                    _ if d < 1.0 => super::super::cubic(t, coefficient)[1],
                    _ if d < 2.0 => super::super::cubic(t, coefficient)[0],
                    _ => 0.0,
                }
            }),
        ),
        _ => return None,
    };
    let (first, last) = (
        (at - reach / wide).ceil() as i64,
        (at + reach / wide).floor() as i64,
    );
    let mut found: Vec<(i64, f64)> = (first..=last)
        .map(|i| (i, kernel((i as f64 - at).abs() * wide)))
        .collect();
    if a.flag("exclude") {
        found.retain(|(i, _)| (0..d as i64).contains(i));
    }
    if a.flag("exclude") || a.flag("antialias") {
        let sum: f64 = found.iter().map(|t| t.1).sum();
        found.iter_mut().for_each(|t| t.1 /= sum);
    }
    Some((
        found.iter().map(|&(i, w)| (clamp(i as f64), w)).collect(),
        inside,
    ))
}
