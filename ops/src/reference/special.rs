//! Error and gamma functions in double-double, and their values as f64, rounded once.
//!
//! Series, a continued fraction, and Stirling's formula far out: nothing that a kernel does.

use super::elementary::{exp_parts, log_dd};
use super::{Dd, trigonometry};
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

const TWO_OVER_ROOT_PI: Dd = Dd::new(FRAC_2_SQRT_PI, 1.533545961316588e-17);
const ROOT_PI: Dd = Dd::new(1.772453850905516, -7.666586499825799e-17);
const HALF_LOG_2_PI: Dd = Dd::new(0.9189385332046728, -3.8782941580672414e-17);

/// Whether |x| is so small that the next term of a series does not show.
fn tiny(x: f64) -> bool {
    x.abs() < 1e-30
}

/// A constant times a number that may be denormal.
fn times(c: Dd, x: f64) -> f64 {
    (c * (x * 2f64.powi(200))).rounded_scaled(-200)
}

/// `e^(-x²)`, as a number near 1 and an exponent of 2.
fn bell(x: f64) -> (Dd, i32) {
    exp_parts(-Dd::product(x, x))
}

/// erf for |x| up to about 3: `2x/√π · e^(-x²) · Σ (2x²)^n / (1·3·…·(2n + 1))`.
fn erf_series(x: f64) -> Dd {
    let square = Dd::product(x, x) * 2.0;
    let (mut term, mut sum, mut n) = (Dd::ONE, Dd::ONE, 1.0);
    while term.hi > 1e-34 * sum.hi {
        n += 2.0;
        term = term * square / n;
        sum = sum + term;
    }
    let (m, e) = bell(x);
    TWO_OVER_ROOT_PI * x * sum * m.scaled(e)
}

/// erfc for x from 3 on, as a number and an exponent: Laplace's continued fraction.
fn erfc_fraction(x: f64) -> (Dd, i32) {
    let fraction = (1..=100).rev().fold(Dd::from(x), |rest, k| {
        Dd::from(f64::from(k) / 2.0) / rest + x
    });
    let (m, e) = bell(x);
    (m / (fraction * ROOT_PI), e)
}

/// The error function.
pub fn erf(x: f64) -> f64 {
    match x.abs() {
        _ if x.is_nan() => x,
        a if tiny(a) => times(TWO_OVER_ROOT_PI, x),
        a if a < 3.0 => erf_series(x).rounded(),
        a if a > 6.0 => 1f64.copysign(x),
        a => {
            let (m, e) = erfc_fraction(a);
            (Dd::ONE - m.scaled(e)).rounded().copysign(x)
        }
    }
}

/// The complement of the error function.
pub fn erfc(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x < -6.0 => 2.0,
        _ if x > 28.0 => 0.0,
        _ if x.abs() < 3.0 => (Dd::ONE - erf_series(x)).rounded(),
        _ => {
            let (m, e) = erfc_fraction(x.abs());
            match x < 0.0 {
                true => (Dd::from(2.0) - m.scaled(e)).rounded(),
                false => m.rounded_scaled(e),
            }
        }
    }
}

/// The inverse error function to about the precision of f64: Winitzki's approximation, and Halley's
/// steps, towards the nearer end of the range.
pub fn erfinv_wide(x: f64) -> f64 {
    let a = x.abs();
    match a {
        _ if a == 0.0 => return x,
        _ if a == 1.0 => return f64::INFINITY.copysign(x),
        _ if a.is_nan() || a > 1.0 => return f64::NAN,
        _ if a < 1e-12 => return x / FRAC_2_SQRT_PI,
        _ => {}
    }
    const K: f64 = 0.147;
    let log = ((1.0 - a) * (1.0 + a)).ln();
    let t = 2.0 / (PI * K) + log / 2.0;
    let mut y = ((t * t - log / K).sqrt() - t).max(0.0).sqrt();
    for _ in 0..3 {
        let miss = match a < 0.5 {
            true => libm::erf(y) - a,
            false => (1.0 - a) - libm::erfc(y),
        };
        let step = miss / (FRAC_2_SQRT_PI * (-y * y).exp());
        y -= step / (1.0 + y * step);
    }
    y.copysign(x)
}

/// The inverse error function.
pub fn erfinv(x: f64) -> f64 {
    let y = erfinv_wide(x);
    if tiny(x) {
        return times(ROOT_PI * 0.5, x);
    }
    if !y.is_finite() {
        return y;
    }
    // One step of Newton's doubles the digits.
    let (y, a) = (y.abs(), x.abs());
    let miss = match y < 3.0 {
        true => erf_series(y) - a,
        false => {
            let (m, e) = erfc_fraction(y);
            Dd::sum(1.0, -a) - m.scaled(e)
        }
    };
    let (m, e) = bell(y);
    let y = -(miss / (TWO_OVER_ROOT_PI * m.scaled(e))) + y;
    y.rounded().copysign(x)
}

/// `log Γ(a)` for a of at least 40: Stirling's series.
fn stirling(a: Dd) -> Dd {
    const BERNOULLI: [(f64, f64); 12] = [
        (1.0, 6.0),
        (-1.0, 30.0),
        (1.0, 42.0),
        (-1.0, 30.0),
        (5.0, 66.0),
        (-691.0, 2730.0),
        (7.0, 6.0),
        (-3617.0, 510.0),
        (43867.0, 798.0),
        (-174611.0, 330.0),
        (854513.0, 138.0),
        (-236364091.0, 2730.0),
    ];
    let inverse = Dd::ONE / a;
    let square = inverse * inverse;
    let terms = BERNOULLI.iter().zip(1i16..13).rev();
    let series = terms.fold(Dd::ZERO, |sum, ((n, d), k)| {
        let k = f64::from(2 * k);
        sum * square + Dd::from(*n) / (d * k * (k - 1.0))
    });
    (a - 0.5) * log_dd(a) - a + HALF_LOG_2_PI + series * inverse
}

/// `log Γ(x + n)`, and `x (x + 1) … (x + n - 1)` as a number and an exponent, for an n that makes x + n
/// large.
fn shifted(x: f64) -> (Dd, Dd, i32) {
    let n = (40.0 - x).ceil().max(0.0);
    let (mut product, mut exponent) = (Dd::ONE, 0);
    for k in 0..n as u32 {
        product = product * Dd::sum(x, k.into());
        for (beyond, by) in [
            (product.hi.abs() > 1e200, -600),
            (product.hi.abs() < 1e-200, 600),
        ] {
            if beyond {
                (product, exponent) = (product.scaled(by), exponent - by);
            }
        }
    }
    (stirling(Dd::sum(x, n)), product, exponent)
}

/// The gamma function.
pub fn tgamma(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 172.0 => f64::INFINITY,
        _ if tiny(x) => 1.0 / x,
        _ if x < 0.0 && x == x.trunc() => f64::NAN,
        _ if x < -190.0 => match x.floor() % 2.0 == 0.0 {
            true => 0.0,
            false => -0.0,
        },
        _ => {
            let (log, product, exponent) = shifted(x);
            let (m, e) = exp_parts(log);
            (m / product).rounded_scaled(e - exponent)
        }
    }
}

/// `log |Γ(x)|`.
pub fn lgamma(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x.is_infinite() || x <= 0.0 && x == x.trunc() => f64::INFINITY,
        _ if tiny(x) => -log_dd(x.abs().into()).rounded(),
        _ if (x - 1.0).abs() < 1e-8 => beside_zero(x - 1.0, 0.0),
        _ if (x - 2.0).abs() < 1e-8 => beside_zero(x - 2.0, 1.0),
        _ if x < -200.0 => {
            let sine = trigonometry::sinpi_dd(x).abs();
            (log_dd(Dd::PI / sine) - log_dd(x.abs().into()) - stirling(x.abs().into())).rounded()
        }
        _ if x > 1e300 => {
            let large = x * (x.ln() - 1.0);
            match large.is_finite() {
                true => (log_dd(x.into()) * x - x).rounded(),
                false => large,
            }
        }
        _ => {
            let (log, product, exponent) = shifted(x);
            let rest = log_dd(product.abs()) + Dd::LN_2 * f64::from(exponent);
            (log - rest).rounded()
        }
    }
}

/// `log Γ(1 + n + t)` for n of 0 or 1 and tiny t: Taylor's series.
fn beside_zero(t: f64, n: f64) -> f64 {
    const EULER: Dd = Dd::new(0.5772156649015329, -4.942915152430645e-18);
    const ZETA_2: Dd = Dd::new(1.6449340668482264, 3.040672350398476e-17);
    const ZETA_3: f64 = 1.2020569031595942;
    let cubic = Dd::from((ZETA_3 - n) / 3.0) * t;
    let square = ((ZETA_2 - n) * 0.5 - cubic) * t;
    ((-EULER + n + square) * t).rounded()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found in arithmetic of 300 bits.
    #[test]
    fn known_values() {
        assert_eq!(erf(1e-09), 1.1283791670955127e-09);
        assert_eq!(erf(0.5), 0.5204998778130465);
        assert_eq!(erf(1.0), 0.8427007929497149);
        assert_eq!(erf(2.9), 0.9999589021219005);
        assert_eq!(erf(3.1), 0.9999883513426328);
        assert_eq!(erf(5.9), 0.9999999999999999);
        assert_eq!(erfc(-3.0), 1.9999779095030015);
        assert_eq!(erfc(0.5), 0.4795001221869535);
        assert_eq!(erfc(2.5), 0.0004069520174449589);
        assert_eq!(erfc(3.5), 7.430983723414128e-07);
        assert_eq!(erfc(10.0), 2.088487583762545e-45);
        assert_eq!(erfc(26.0), 5.663192408856143e-296);
        assert_eq!(erfc(27.0), 5.23705e-319);
        assert_eq!(erfinv(0.001), 0.0008862271574665521);
        assert_eq!(erfinv(0.7), 0.7328690779592167);
        assert_eq!(erfinv(0.9999999), 3.7665625816384707);
        assert_eq!(erfinv(0.9999999999999999), 5.8635847487551676);
        assert_eq!(tgamma(1e-05), 99999.42279422555);
        assert_eq!(tgamma(0.5), 1.772453850905516);
        assert_eq!(tgamma(4.2), 7.756689535793179);
        assert_eq!(tgamma(35.7), 3.5457806868262595e+39);
        assert_eq!(tgamma(171.5), 9.4833675668248e+307);
        assert_eq!(tgamma(-0.7), -4.273669982410843);
        assert_eq!(tgamma(-3.3), 0.43851739219876307);
        assert_eq!(tgamma(-20.5), -2.834656574391335e-19);
        assert_eq!(tgamma(-170.5), -3.3127395215386074e-308);
        assert_eq!(tgamma(-177.3), 2.5e-323);
        assert_eq!(lgamma(1e-05), 11.512919692895826);
        assert_eq!(lgamma(0.9), 0.06637623973474295);
        assert_eq!(lgamma(1.0000000001), -5.772157125783244e-11);
        assert_eq!(lgamma(1.0000000000000002), -1.2816762426960008e-16);
        assert_eq!(lgamma(1.9999999), -4.2278430309861296e-08);
        assert_eq!(lgamma(2.5), 0.2846828704729192);
        assert_eq!(lgamma(77.7), 259.26043689759797);
        assert_eq!(lgamma(1e+17), 3.8143946580898775e+18);
        assert_eq!(lgamma(1e+305), 7.012884533631839e+307);
        assert_eq!(lgamma(-0.3), 1.4648400508576025);
        assert_eq!(lgamma(-3.2), -0.37243213612996867);
        assert_eq!(lgamma(-50.5), -149.29649894115255);
        assert_eq!(lgamma(-300.5), -1416.6142599093919);
        assert_eq!(lgamma(-12345.678), -103968.03098247382);
    }

    #[test]
    fn the_functions_of_libm_are_near() {
        for i in -4000..4000 {
            let x = f64::from(i) * 0.00737 + 0.001;
            let near = |a: f64, b: f64, by: f64| {
                let error = (a - b).abs() / a.abs().max(1e-300);
                assert!(a == b || error < by * f64::EPSILON, "{x}: {a:e} {b:e}");
            };
            near(erf(x), libm::erf(x), 2.0);
            near(erfc(x), libm::erfc(x), 4.0);
            near(tgamma(x), libm::tgamma(x), 8.0);
            near(lgamma(x) + 100.0, libm::lgamma(x) + 100.0, 4.0);
            let p = x / 30.0;
            if p.abs() < 1.0 {
                near(erfinv(p), erfinv_wide(p), 8.0);
                near(p, erf(erfinv(p)), 2.0);
            }
        }
    }
}
