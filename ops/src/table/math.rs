//! Elementary functions: exponentials, logarithms, powers, roots, hyperbolic functions.
//!
//! Their kernel expressions are those of [`suanzi_codegen::math`]; square roots are in
//! [`super::arithmetic`]. Limits are those of OpenCL's full profile.

use super::{Domain, FLOATS, Inputs, Inputs::Same as In, Limit, Output::Same, map_rows};
use crate::num::Num;
use crate::reference::elementary as wide;
use suanzi_codegen::{Scalar, math};

map_rows! {
    /// `e^a`.
    exp(a): In(1), FLOATS => Same, ulp::<3>, EXPONENT,
        |b, x| math::exp(b, x[0]),
        |t, x| one(t, x, f64::exp, wide::exp);

    /// `2^a`.
    exp2(a): In(1), FLOATS => Same, ulp::<3>, EXPONENT,
        |b, x| math::exp2(b, x[0]),
        |t, x| one(t, x, f64::exp2, wide::exp2);

    /// `10^a`.
    exp10(a): In(1), FLOATS => Same, ulp::<3>, EXPONENT,
        |b, x| math::exp10(b, x[0]),
        |t, x| one(t, x, |a| 10f64.powf(a), wide::exp10);

    /// `e^a - 1`, exact for small a.
    expm1(a): In(1), FLOATS => Same, ulp::<3>, EXPONENT,
        |b, x| math::expm1(b, x[0]),
        |t, x| one(t, x, f64::exp_m1, wide::expm1);

    /// Natural logarithm; -∞ at zero, NaN below.
    log(a): In(1), FLOATS => Same, ulp::<3>, LOGARITHM,
        |b, x| math::log(b, x[0]),
        |t, x| one(t, x, f64::ln, wide::log);

    /// Logarithm to base 2.
    log2(a): In(1), FLOATS => Same, ulp::<3>, LOGARITHM,
        |b, x| math::log2(b, x[0]),
        |t, x| one(t, x, f64::log2, wide::log2);

    /// Logarithm to base 10.
    log10(a): In(1), FLOATS => Same, ulp::<3>, LOGARITHM,
        |b, x| math::log10(b, x[0]),
        |t, x| one(t, x, f64::log10, wide::log10);

    /// `log(1 + a)`, exact for small a; -∞ at -1, NaN below.
    log1p(a): In(1), FLOATS => Same, ulp::<2>, ONE_PLUS,
        |b, x| math::log1p(b, x[0]),
        |t, x| one(t, x, f64::ln_1p, wide::log1p);

    /// `1 / √a`; infinite at zeros, of their sign.
    rsqrt(a): In(1), FLOATS => Same, ulp::<2>, LOGARITHM,
        |b, x| math::rsqrt(b, x[0]),
        |t, x| one(t, x, |a| 1.0 / a.sqrt(), wide::rsqrt);

    /// Cube root.
    cbrt(a): In(1), FLOATS => Same, ulp::<2>, ROOT,
        |b, x| math::cbrt(b, x[0]),
        |t, x| one(t, x, f64::cbrt, wide::cbrt);

    /// Hyperbolic sine.
    sinh(a): In(1), FLOATS => Same, ulp::<4>, EXPONENT,
        |b, x| math::sinh(b, x[0]),
        |t, x| one(t, x, f64::sinh, wide::sinh);

    /// Hyperbolic cosine.
    cosh(a): In(1), FLOATS => Same, ulp::<4>, EXPONENT,
        |b, x| math::cosh(b, x[0]),
        |t, x| one(t, x, f64::cosh, wide::cosh);

    /// Hyperbolic tangent.
    tanh(a): In(1), FLOATS => Same, ulp::<5>, EXPONENT,
        |b, x| math::tanh(b, x[0]),
        |t, x| one(t, x, f64::tanh, wide::tanh);

    /// Inverse hyperbolic sine.
    asinh(a): In(1), FLOATS => Same, ulp::<4>, INVERSE,
        |b, x| math::asinh(b, x[0]),
        |t, x| one(t, x, f64::asinh, wide::asinh);

    /// Inverse hyperbolic cosine; NaN below 1.
    acosh(a): In(1), FLOATS => Same, ulp::<4>, INVERSE,
        |b, x| math::acosh(b, x[0]),
        |t, x| one(t, x, f64::acosh, wide::acosh);

    /// Inverse hyperbolic tangent; infinite at ±1, NaN beyond.
    atanh(a): In(1), FLOATS => Same, ulp::<5>, INVERSE,
        |b, x| math::atanh(b, x[0]),
        |t, x| one(t, x, f64::atanh, wide::atanh);

    /// `√(a² + b²)` without overflow on the way; infinite where either is, even beside NaN.
    hypot(a, b): In(2), FLOATS => Same, ulp::<4>, LENGTH,
        |b, x| math::hypot(b, x[0], x[1]),
        |t, x| two(t, x, f64::hypot, wide::hypot);

    /// `a^b`, with the special values of C99: 1 for `1^b` and `a^0` even beside NaN; NaN for
    /// negative a where b is not whole.
    pow(a, b): In(2), FLOATS => Same, ulp::<16>, POWER,
        |b, x| math::pow(b, x[0], x[1]),
        |t, x| two(t, x, f64::powf, wide::pow);

    /// `a^n` for a whole number n (i32); 1 where n is 0, even for NaN.
    powi(a, n): Inputs::Exponent, FLOATS => Same, ulp::<16>, WHOLE_POWER,
        |b, x| math::powi(b, x[0], x[1]),
        |t, x| two(t, x, f64::powf, wide::pow);
}

/// `N` units in the last place; 16-bit floats are rounded once from a result in f32, whose own
/// error is thousands of times finer.
pub(super) fn ulp<const N: u32>(dtype: Scalar) -> Limit {
    match dtype {
        Scalar::F16 | Scalar::Bf16 => Limit::Ulp(0.501),
        _ => Limit::Ulp(N as f64),
    }
}

/// The reference of a function of one number: in f64 for all but f64 itself.
pub(super) fn one(dtype: Scalar, x: &[Num], narrow: fn(f64) -> f64, wide: fn(f64) -> f64) -> Num {
    let f = if dtype == Scalar::F64 { wide } else { narrow };
    Num::Float(f(x[0].float()))
}

/// As [`one`], of two numbers.
pub(super) fn two(
    dtype: Scalar,
    x: &[Num],
    narrow: fn(f64, f64) -> f64,
    wide: fn(f64, f64) -> f64,
) -> Num {
    let f = if dtype == Scalar::F64 { wide } else { narrow };
    Num::Float(f(x[0].float(), x[1].float()))
}

/// Around zero, one step of the reduction, and where results overflow, underflow and become
/// denormal, in f32 and f64, for every base.
const EXPONENT: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-0.36, 0.36),
    (-2.0, 2.0),
    (-20.0, 20.0),
    (-104.0, 90.0),
    (-151.0, 129.0),
    (37.0, 40.0),
    (86.0, 90.0),
    (-106.0, -86.0),
    (-746.0, 711.0),
    (-1076.0, 1026.0),
    (-325.0, 310.0),
]]);

/// Mantissas around 1, the two ends of their range, small, denormal and large numbers.
const LOGARITHM: Domain = Domain::Within(&[&[
    (0.999, 1.001),
    (0.6, 1.4),
    (0.0, 10.0),
    (0.0, 1e6),
    (1e-38, 1e-37),
    (0.0, 1.2e-38),
    (0.0, 2.3e-308),
    (1e37, 3.4e38),
    (1e307, 1.7e308),
]]);

/// Around 0 and -1, where the 1 is lost, and large numbers.
const ONE_PLUS: Domain = Domain::Within(&[&[
    (-1e-6, 1e-6),
    (-0.35, 0.35),
    (-1.0, -0.99),
    (-1.0, 10.0),
    (1e6, 1e8),
    (1e15, 1e17),
    (1e37, 3.4e38),
    (1e307, 1.7e308),
]]);

/// Both signs, several powers of two, denormal and large numbers.
const ROOT: Domain = Domain::Within(&[&[
    (-1.0, 1.0),
    (1.0, 8.0),
    (-1e6, 1e6),
    (-1.2e-38, 1.2e-38),
    (-2.3e-308, 2.3e-308),
    (-3.4e38, 3.4e38),
]]);

/// Around 0 and 1, and where squares vanish beside 1, or overflow.
const INVERSE: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-1.0, 1.0),
    (0.99, 1.0),
    (1.0, 1.01),
    (1.0, 100.0),
    (-1e4, 1e4),
    (1e8, 1e9),
    (1e17, 1e19),
    (-3.4e38, 3.4e38),
    (1e307, 1.7e308),
]]);

/// Sides near each other and far apart, squares that overflow and vanish.
const LENGTH: Domain = Domain::Within(&[&[
    (-1.0, 1.0),
    (0.5, 2.0),
    (-1e6, 1e6),
    (-3.4e38, 3.4e38),
    (-1e-18, 1e-18),
    (-1.2e-38, 1.2e-38),
    (-2.3e-308, 2.3e-308),
    (1e150, 1e155),
]]);

/// Bases near 1 with large exponents, and all sizes of bases with moderate ones.
const POWER: Domain = Domain::Within(&[
    &[
        (0.9, 1.1),
        (0.5, 2.0),
        (0.0, 100.0),
        (0.0, 1e-30),
        (1e10, 1e30),
        (-3.0, 3.0),
    ],
    &[
        (-3.0, 3.0),
        (-20.0, 20.0),
        (-1000.0, 1000.0),
        (-1e5, 1e5),
        (0.0, 1.0),
    ],
]);

/// As [`POWER`].
const WHOLE_POWER: Domain = Domain::Within(&[
    &[
        (0.9, 1.1),
        (0.999, 1.001),
        (-2.0, 2.0),
        (-100.0, 100.0),
        (0.0, 1e-30),
        (1e10, 1e30),
    ],
    &[(-3.0, 3.0), (-20.0, 20.0), (-1000.0, 1000.0), (-1e6, 1e6)],
]);
