//! Elementary functions to nearly the precision of [`Dd`], and their values as f64, rounded once.
//!
//! Series and nothing but series: slow, plain, and unlike what kernels do.

use super::Dd;

/// `e^x - 1` for |x| up to about ½: the series at x/256, then eight doublings of the argument.
fn expm1_small(x: Dd) -> Dd {
    const HALVINGS: i32 = 8;
    let x = x.scaled(-HALVINGS);
    let series = (2..=14)
        .rev()
        .fold(Dd::ONE, |sum, k| Dd::ONE + x * sum / f64::from(k));
    // (1 + y)² - 1 = 2y + y²
    (0..HALVINGS).fold(x * series, |y, _| y + y + y * y)
}

/// `e^x` as (number near 1, exponent of 2), for |x| up to a few thousand.
pub fn exp_parts(x: Dd) -> (Dd, i32) {
    let k = (x.hi / std::f64::consts::LN_2).round();
    (expm1_small(x - Dd::LN_2 * k) + 1.0, k as i32)
}

/// `e^x` where neither it nor its last bits leave the range of f64.
pub fn exp_dd(x: Dd) -> Dd {
    let (y, k) = exp_parts(x);
    y.scaled(k)
}

/// `e^x - 1`, under the same condition.
pub fn expm1_dd(x: Dd) -> Dd {
    match x.hi.abs() < 0.35 {
        true => expm1_small(x),
        false => exp_dd(x) - 1.0,
    }
}

/// `2·artanh(s) = log((1 + s) / (1 - s))`, for |s| up to 0.18.
fn log_of_quotient(s: Dd) -> Dd {
    let square = s * s;
    let series = (0..=22).rev().fold(Dd::ZERO, |sum, k| {
        sum * square + Dd::ONE / f64::from(2 * k + 1)
    });
    s * series * 2.0
}

/// `log x` of a positive finite number.
pub fn log_dd(x: Dd) -> Dd {
    let (x, up) = match x.hi < 1e-290 {
        true => (x.scaled(200), 200),
        false => (x, 0),
    };
    let mut exponent = (x.hi.to_bits() >> 52) as i32 - 1023;
    let mut m = x.scaled(-exponent);
    if m.hi > std::f64::consts::SQRT_2 {
        (m, exponent) = (m.scaled(-1), exponent + 1);
    }
    let y = log_of_quotient((m - 1.0) / (m + 1.0));
    y + Dd::LN_2 * f64::from(exponent - up)
}

/// `log(1 + x)` for x > -1.
pub fn log1p_dd(x: Dd) -> Dd {
    match x.hi.abs() < 0.25 {
        true => log_of_quotient(x / (x + 2.0)),
        false => log_dd(x + 1.0),
    }
}

/// Whether |x| is so small that `x + c·x²` rounds to x.
fn is_negligible(x: f64) -> bool {
    x.abs() < 1e-30
}

/// `e^x`, rounded, for any number.
fn exp_rounded(x: Dd) -> f64 {
    match x.hi {
        x if x.is_nan() => x,
        h if h > 800.0 => f64::INFINITY,
        h if h < -800.0 => 0.0,
        _ => {
            let (y, k) = exp_parts(x);
            y.rounded_scaled(k)
        }
    }
}

/// `e^x`.
pub fn exp(x: f64) -> f64 {
    exp_rounded(x.into())
}

/// `2^x`.
pub fn exp2(x: f64) -> f64 {
    if x.abs() > 1100.0 || x.is_nan() {
        return x.exp2();
    }
    let k = x.round();
    let y = expm1_small(Dd::LN_2 * (x - k)) + 1.0;
    y.rounded_scaled(k as i32)
}

/// `10^x`.
pub fn exp10(x: f64) -> f64 {
    match x.abs() > 400.0 {
        true => exp(x * 3.0),
        false => exp_rounded(Dd::LN_10 * x),
    }
}

/// `e^x - 1`.
pub fn expm1(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || is_negligible(x) => x,
        _ if x > 600.0 => exp(x),
        _ if x < -100.0 => -1.0,
        _ => expm1_dd(x.into()).rounded(),
    }
}

/// `log x`, or `f(log x)` for a function that is finite where the logarithm is.
fn log_with(x: f64, f: fn(Dd) -> Dd) -> f64 {
    match x > 0.0 && x.is_finite() {
        true => f(log_dd(x.into())).rounded(),
        false => x.ln(),
    }
}

/// Natural logarithm.
pub fn log(x: f64) -> f64 {
    log_with(x, |y| y)
}

/// Logarithm to base 2.
pub fn log2(x: f64) -> f64 {
    log_with(x, |y| y / Dd::LN_2)
}

/// Logarithm to base 10.
pub fn log10(x: f64) -> f64 {
    log_with(x, |y| y / Dd::LN_10)
}

/// `log(1 + x)`.
pub fn log1p(x: f64) -> f64 {
    match x {
        _ if is_negligible(x) => x,
        _ if x > -1.0 && x.is_finite() => log1p_dd(x.into()).rounded(),
        _ => x.ln_1p(),
    }
}

/// `1/√x`.
pub fn rsqrt(x: f64) -> f64 {
    let (scaled, half) = match x > 0.0 && x < 1e-290 {
        true => (x * 2f64.powi(200), 100),
        false => (x, 0),
    };
    match x > 0.0 && x.is_finite() {
        true => (Dd::ONE / Dd::from(scaled).sqrt()).rounded_scaled(half),
        false => 1.0 / x.sqrt(),
    }
}

/// Cube root.
pub fn cbrt(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let third = match x.abs() {
        a if a < 1e-200 => 150,
        a if a > 1e200 => -150,
        _ => 0,
    };
    let x = Dd::from(x * 2f64.powi(3 * third));
    let near = Dd::from(x.hi.cbrt());
    // Newton's step.
    let step = (near * near * near - x) / (near * near * 3.0);
    (near - step).rounded_scaled(-third)
}

/// Hyperbolic sine.
pub fn sinh(x: f64) -> f64 {
    let a = x.abs();
    let y = match a {
        _ if a.is_nan() || is_negligible(a) => a,
        _ if a < 40.0 => {
            let t = expm1_dd(a.into());
            (t + t / (t + 1.0)).scaled(-1).rounded()
        }
        _ => half_exp(a),
    };
    y.copysign(x)
}

/// Hyperbolic cosine.
pub fn cosh(x: f64) -> f64 {
    let a = x.abs();
    match a < 40.0 {
        true => {
            let e = exp_dd(a.into());
            (e + Dd::ONE / e).scaled(-1).rounded()
        }
        false => half_exp(a),
    }
}

/// `e^x / 2` of large or odd numbers.
fn half_exp(x: f64) -> f64 {
    match x < 800.0 {
        true => {
            let (y, k) = exp_parts(x.into());
            y.rounded_scaled(k - 1)
        }
        false => x.exp(),
    }
}

/// Hyperbolic tangent.
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let y = match a {
        _ if a.is_nan() || is_negligible(a) => a,
        _ if a > 60.0 => 1.0,
        _ => {
            let t = expm1_dd(Dd::from(2.0 * a));
            (t / (t + 2.0)).rounded()
        }
    };
    y.copysign(x)
}

/// Inverse hyperbolic sine.
pub fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let y = match a {
        _ if !a.is_finite() || is_negligible(a) => a,
        _ if a > 1e30 => (log_dd(a.into()) + Dd::LN_2).rounded(),
        _ => {
            // x + √(1 + x²) - 1
            let (a, square) = (Dd::from(a), Dd::product(a, a));
            let root = (square + 1.0).sqrt();
            log1p_dd(a + square / (root + 1.0)).rounded()
        }
    };
    y.copysign(x)
}

/// Inverse hyperbolic cosine.
pub fn acosh(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x < 1.0 || x.is_infinite() => x.acosh(),
        _ if x > 1e30 => (log_dd(x.into()) + Dd::LN_2).rounded(),
        _ => {
            let t = Dd::sum(x, -1.0);
            log1p_dd(t + (t * t + t + t).sqrt()).rounded()
        }
    }
}

/// Inverse hyperbolic tangent.
pub fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let y = match a {
        _ if a.is_nan() || a >= 1.0 => return x.atanh(),
        _ if is_negligible(a) => a,
        _ => {
            let below = Dd::sum(1.0, -a);
            log1p_dd(Dd::from(2.0 * a) / below).scaled(-1).rounded()
        }
    };
    y.copysign(x)
}

/// `√(x² + y²)`.
pub fn hypot(x: f64, y: f64) -> f64 {
    let (small, large) = match x.abs() < y.abs() {
        true => (x.abs(), y.abs()),
        false => (y.abs(), x.abs()),
    };
    if !large.is_finite() || small.is_nan() || large == 0.0 {
        return x.hypot(y);
    }
    let by = match large {
        _ if large < 1e-100 => 600,
        _ if large > 1e100 => -600,
        _ => 0,
    };
    let up = |v: f64| match by {
        600 => v * 2f64.powi(600),
        0 => v,
        _ => v * 2f64.powi(-600),
    };
    let (small, large) = (up(small), up(large));
    // Nothing of a number that is 2^60 times smaller reaches the result, nor the rounding.
    let small = if small < large * 2f64.powi(-100) {
        0.0
    } else {
        small
    };
    (Dd::product(small, small) + Dd::product(large, large))
        .sqrt()
        .rounded_scaled(-by)
}

/// `x^y`, with the special values of C99.
pub fn pow(x: f64, y: f64) -> f64 {
    if x == 0.0 || x == 1.0 || y == 0.0 || !x.is_finite() || !y.is_finite() {
        return x.powf(y);
    }
    if x < 0.0 && y.fract() != 0.0 {
        return f64::NAN;
    }
    let size = match y.abs() > 1e30 {
        true => x.abs().powf(y),
        false => exp_rounded(log_dd(x.abs().into()) * y),
    };
    match x < 0.0 && (y / 2.0).fract() != 0.0 {
        true => -size,
        false => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known to 32 digits and more.
    #[test]
    fn values_of_tables() {
        let near = |a: Dd, hi: f64, lo: f64| {
            let d = a - Dd::sum(hi, lo);
            assert!((d.hi / hi).abs() < 2f64.powi(-95), "{a:?}");
        };
        // e, e^10, log 10, log(1 + 2^-20)
        near(exp_dd(Dd::ONE), std::f64::consts::E, 1.4456468917292502e-16);
        near(log_dd(10.0.into()), Dd::LN_10.hi, Dd::LN_10.lo);
        near(log_dd(2.0.into()), Dd::LN_2.hi, Dd::LN_2.lo);
        near(expm1_dd(Dd::LN_2), 1.0, 0.0);
    }

    /// Functions and their inverses, far more exactly than f64 says.
    #[test]
    fn inverses_meet() {
        let near =
            |a: Dd, b: Dd| assert!(((a - b).hi / b.hi).abs() < 2f64.powi(-90), "{a:?} {b:?}");
        for i in 1..300 {
            let x = Dd::from(f64::from(i) * 0.317) / 7.0;
            near(log_dd(exp_dd(x)), x);
            let small = x.scaled(-30);
            near(log1p_dd(expm1_dd(small)), small);
            near(expm1_dd(log1p_dd(-small)), -small);
        }
    }

    /// The standard library's functions, which are good to about a unit in the last place.
    #[test]
    fn the_standard_library_is_near() {
        let near = |name: &str, a: f64, b: f64| {
            let same = a == b || (a.is_nan() && b.is_nan());
            assert!(
                same || ((a - b) / b).abs() < 4.0 * f64::EPSILON,
                "{name}: {a:e} {b:e}"
            );
        };
        for i in -900..900 {
            let x = f64::from(i) * f64::from(i).abs() * 0.000_913_7;
            near("exp", exp(x), x.exp());
            near("exp2", exp2(x), x.exp2());
            near("expm1", expm1(x), x.exp_m1());
            near("exp10", exp10(x), 10f64.powf(x));
            near("log", log(x), x.ln());
            near("log2", log2(x), x.log2());
            near("log10", log10(x), x.log10());
            near("log1p", log1p(x), x.ln_1p());
            near("cbrt", cbrt(x), x.cbrt());
            near("rsqrt", rsqrt(x), 1.0 / x.sqrt());
            near("sinh", sinh(x), x.sinh());
            near("cosh", cosh(x), x.cosh());
            near("tanh", tanh(x), x.tanh());
            near(
                "acosh",
                acosh(x),
                if x < 1.0 { f64::NAN } else { x.acosh() },
            );
            near("hypot", hypot(x, 3.0), x.hypot(3.0));
            near("pow", pow(1.7, x), 1.7f64.powf(x));
            near("pow", pow(x, 3.0), x.powf(3.0));
        }
    }
}
