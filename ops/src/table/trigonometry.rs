//! Trigonometric functions and their inverses.
//!
//! Limits are those of OpenCL's full profile; f16 and bf16 are computed in f32 and rounded once.

use super::math::{one, two, ulp};
use super::{Domain, FLOATS, Inputs::Same as In, Output::Same, map_rows};
use crate::reference::trigonometry as exact;
use std::f64::consts::PI;
use suanzi_codegen::math as kernel;

/// Magnitudes of angles: tiny, moderate, reduced in parts, and reduced digit by digit.
const ANGLES: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-0.79, 0.79),
    (-10.0, 10.0),
    (-65536.0, 65536.0),
    (65536.0, 33554432.0),
    (-1e38, 1e38),
    (1e38, 1.7e308),
    // Neighbours of multiples of π/2.
    (1.5707962, 1.5707964),
    (-3.1415930, -3.1415925),
    (355.0, 355.00001),
    (102943.7, 102943.71),
]]);

/// Half turns: within one, some, and from where on all are whole, then even.
const TURNS: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-0.25, 0.25),
    (-2.0, 2.0),
    (-100.0, 100.0),
    (4194304.0, 33554432.0),
    (2251799813685248.0, 18014398509481984.0),
    (-1e38, 1e38),
]]);

/// From -1 to 1: the flat middle, the ends, and outside.
const SINES: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-0.5, 0.5),
    (-1.0, 1.0),
    (0.999, 1.0),
    (-1.0, -0.999),
    (-1.001, 1.001),
]]);

const TANGENTS: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-1.0, 1.0),
    (-10.0, 10.0),
    (-1e6, 1e6),
    (-1e38, 1e38),
]]);

const POINTS: Domain =
    Domain::Within(&[&[(-1.0, 1.0), (-1e-30, 1e-30), (-1e30, 1e30), (0.9, 1.1)]]);

map_rows! {
    /// `sin a`, of angles of any size; NaN for infinities.
    sin(a): In(1), FLOATS => Same, ulp::<4>, ANGLES,
        |b, x| kernel::sin(b, x[0]),
        |t, x| one(t, x, f64::sin, exact::sin);

    /// `cos a`, of angles of any size; NaN for infinities.
    cos(a): In(1), FLOATS => Same, ulp::<4>, ANGLES,
        |b, x| kernel::cos(b, x[0]),
        |t, x| one(t, x, f64::cos, exact::cos);

    /// `tan a`, of angles of any size; NaN for infinities.
    tan(a): In(1), FLOATS => Same, ulp::<5>, ANGLES,
        |b, x| kernel::tan(b, x[0]),
        |t, x| one(t, x, f64::tan, exact::tan);

    /// `sin(π a)`; for whole numbers a zero with their sign; NaN for infinities.
    sinpi(a): In(1), FLOATS => Same, ulp::<4>, TURNS,
        |b, x| kernel::sinpi(b, x[0]),
        |t, x| one(t, x, sinpi, exact::sinpi);

    /// `cos(π a)`; +0 for odd halves; NaN for infinities.
    cospi(a): In(1), FLOATS => Same, ulp::<4>, TURNS,
        |b, x| kernel::cospi(b, x[0]),
        |t, x| one(t, x, cospi, exact::cospi);

    /// Arc sine; NaN beyond ±1.
    asin(a): In(1), FLOATS => Same, ulp::<4>, SINES,
        |b, x| kernel::asin(b, x[0]),
        |t, x| one(t, x, f64::asin, exact::asin);

    /// Arc cosine; NaN beyond ±1.
    acos(a): In(1), FLOATS => Same, ulp::<4>, SINES,
        |b, x| kernel::acos(b, x[0]),
        |t, x| one(t, x, f64::acos, exact::acos);

    /// Arc tangent.
    atan(a): In(1), FLOATS => Same, ulp::<5>, TANGENTS,
        |b, x| kernel::atan(b, x[0]),
        |t, x| one(t, x, f64::atan, exact::atan);

    /// The angle of the point (x, y), from -π to π; zeros and infinities as in C.
    atan2(y, x): In(2), FLOATS => Same, ulp::<6>, POINTS,
        |b, x| kernel::atan2(b, x[0], x[1]),
        |t, x| two(t, x, f64::atan2, exact::atan2);
}

/// `sin(π x)` in f64, the quarter turns taken off exactly first.
fn sinpi(x: f64) -> f64 {
    if x.is_finite() && x == x.trunc() {
        return 0f64.copysign(x);
    }
    let (quarters, rest) = exact::reduce_pi(x);
    let r = rest * PI;
    match quarters {
        0 => r.sin(),
        1 => r.cos(),
        2 => -r.sin(),
        _ => -r.cos(),
    }
}

/// `cos(π x)` in f64.
fn cospi(x: f64) -> f64 {
    let (quarters, rest) = exact::reduce_pi(x);
    let r = rest * PI;
    match quarters {
        0 => r.cos(),
        1 => 0.0 - r.sin(),
        2 => -r.cos(),
        _ => 0.0 + r.sin(),
    }
}
