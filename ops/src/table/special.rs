//! Special functions: error functions and gamma functions.
//!
//! Limits of erf, erfc and tgamma are those of OpenCL's full profile, which has none for the others;
//! f16 and bf16 are computed in f32 and rounded once.

use super::math::{one, ulp};
use super::{Domain, FLOATS, Inputs::Same as In, Limit, Output::Same, map_rows};
use crate::reference::special as exact;
use suanzi_codegen::Scalar;
use suanzi_codegen::math as kernel;

/// The polynomial, the complement, denormal complements, and what is 0, 1 or 2.
const ERRORS: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-1.0, 1.0),
    (-4.0, 4.0),
    (0.5, 12.0),
    (8.5, 10.2),
    (20.0, 28.5),
    (-30.0, 30.0),
]]);

/// The centre, the tails, and what is next to ±1.
const PROBABILITIES: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-1.0, 1.0),
    (0.99, 1.0),
    (-1.0, -0.9999),
    (0.9999999, 1.0),
    (0.99999999999, 1.0),
    (-1.01, 1.01),
]]);

/// Factors, Stirling's formula, reflection, overflow and underflow, and zeros of the logarithm.
const GAMMAS: Domain = Domain::Within(&[&[
    (-1e-3, 1e-3),
    (-0.5, 3.0),
    (-3.5, 3.5),
    (2.9, 40.0),
    (-50.0, -3.0),
    (-190.0, 180.0),
    (0.99, 1.01),
    (1.99, 2.01),
    (-2.75, -2.45),
    (-3.15, -3.13),
    (1e3, 1e38),
    (-1e5, -1e2),
]]);

map_rows! {
    /// The error function, `2/√π ∫ e^(-t²) dt` from 0 to a.
    erf(a): In(1), FLOATS => Same, ulp::<16>, ERRORS,
        |b, x| kernel::erf(b, x[0]),
        |t, x| one(t, x, libm::erf, exact::erf);

    /// `1 - erf a`, without its cancellation.
    erfc(a): In(1), FLOATS => Same, ulp::<16>, ERRORS,
        |b, x| kernel::erfc(b, x[0]),
        |t, x| one(t, x, libm::erfc, exact::erfc);

    /// The inverse of the error function: infinite at ±1, NaN beyond.
    erfinv(a): In(1), FLOATS => Same, ulp::<5>, PROBABILITIES,
        |b, x| kernel::erfinv(b, x[0]),
        |t, x| one(t, x, exact::erfinv_wide, exact::erfinv);

    /// The gamma function: infinite at zeros, with their sign, NaN at negative whole numbers and -∞.
    tgamma(a): In(1), FLOATS => Same, ulp::<16>, GAMMAS,
        |b, x| kernel::tgamma(b, x[0]),
        |t, x| one(t, x, libm::tgamma, exact::tgamma);

    /// `log |Γ(a)|`: infinite at 0 and negative whole numbers. Errors are in units of the result or of
    /// 1/4, whichever is larger: at its zeros below -2 only the absolute error is bounded.
    lgamma(a): In(1), FLOATS => Same, log_gamma, GAMMAS,
        |b, x| kernel::lgamma(b, x[0]),
        |t, x| one(t, x, libm::lgamma, exact::lgamma);
}

fn log_gamma(dtype: Scalar) -> Limit {
    match ulp::<16>(dtype) {
        Limit::Ulp(units) => Limit::UlpAbove(units, 0.25),
        other => other,
    }
}
