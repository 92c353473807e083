//! References of activations, in double-double: each as its definition says, with the exponential
//! as a number and an exponent, so that tails are right down to the last denormal.

use super::Dd;
use super::elementary::{exp_dd, exp_parts, expm1_dd, log1p_dd};

/// Below this `1 + e^x` is 1 to every digit.
const NOTHING: f64 = -300.0;

/// A number times a power of two.
type Scaled = (Dd, i32);

fn decay(z: Dd) -> Scaled {
    match z.hi < -4000.0 {
        true => (Dd::ZERO, 0),
        false => exp_parts(z),
    }
}

fn times((y, k): Scaled, x: impl Into<Dd>) -> f64 {
    // A product with the greatest numbers must not overflow before it is scaled down.
    match x.into() {
        x if x.hi.abs() > 1.0 && x.hi.is_finite() => (y * x.scaled(-60)).rounded_scaled(k + 60),
        x => (y * x).rounded_scaled(k),
    }
}

/// σ(z).
fn sigma(z: Dd) -> Scaled {
    match z.hi {
        h if h > -NOTHING => (Dd::ONE, 0),
        h if h >= 0.0 => (Dd::ONE / (exp_dd(-z) + 1.0), 0),
        h if h > NOTHING => {
            let e = exp_dd(z);
            (e / (e + 1.0), 0)
        }
        _ => decay(z),
    }
}

/// `x · β` where it is finite.
fn product(x: f64, beta: f64) -> Dd {
    match (x * beta).is_finite() {
        true => Dd::product(x, beta),
        false => Dd::new(x * beta, 0.0),
    }
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f64) -> f64 {
    match x.is_nan() {
        true => x,
        false => times(sigma(x.into()), 1.0),
    }
}

/// `σ(x)·σ(-x)`.
pub fn sigmoid_grad(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let (y, k) = sigma((-x.abs()).into());
    let (other, _) = sigma(x.abs().into());
    (y * other).rounded_scaled(k)
}

/// `a · σ(b)`.
pub fn glu(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    match a.is_infinite() {
        true if b == f64::NEG_INFINITY => f64::NAN,
        true => a,
        false => times(sigma(b.into()), a),
    }
}

/// `x · σ(β·x)`, and 0 where `β·x = -∞`.
pub fn swish(x: f64, beta: f64) -> f64 {
    let z = product(x, beta);
    if z.hi.is_nan() {
        return f64::NAN;
    }
    match z.hi {
        f64::NEG_INFINITY => 0.0,
        // Infinite, and σ is not 0.
        _ if x.is_infinite() => x,
        _ => times(sigma(z), x),
    }
}

/// `a · b·σ(b)`, and `b·σ(b) = 0` at -∞.
pub fn swiglu(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if b.is_infinite() || a.is_infinite() {
        return a * if b == f64::NEG_INFINITY { 0.0 } else { b };
    }
    gate(a, b, sigma(b.into()))
}

/// `a · b·s`, where b may be denormal though the result is not.
fn gate(a: f64, b: f64, (y, k): Scaled) -> f64 {
    match b.abs() < 1e-200 {
        true => times((y * (b * 2f64.powi(600)), k - 600), a),
        false => times((y * b, k), a),
    }
}

/// `σ(z)·(1 + d·σ(-z))`.
fn gated_grad(z: Dd, d: Dd) -> f64 {
    match z.hi {
        h if h.is_nan() => h,
        h if h > -NOTHING => 1.0,
        h if h < -4000.0 => 0.0,
        _ => {
            let (other, k) = sigma(-z);
            let (y, own) = sigma(z);
            (y * (d * other.scaled(k) + 1.0)).rounded_scaled(own)
        }
    }
}

/// The derivative of `swish` by x.
pub fn swish_grad(x: f64, beta: f64) -> f64 {
    let z = product(x, beta);
    gated_grad(z, z)
}

/// `√(8/π)·x·(1 + 0.044715·x²)` and x times its derivative, for moderate x.
fn tanh_argument(x: f64) -> (Dd, Dd) {
    let root = (Dd::from(8.0) / Dd::PI).sqrt();
    let cubic = Dd::from(44_715.0) / 1e6 * Dd::product(x, x);
    let linear = root * x;
    (linear * (cubic + 1.0), linear * (cubic * 3.0 + 1.0))
}

/// `x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
pub fn gelu_tanh(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > 50.0 => x,
        _ if x < -50.0 => 0.0,
        _ => times(sigma(tanh_argument(x).0), x),
    }
}

/// Its derivative.
pub fn gelu_tanh_grad(x: f64) -> f64 {
    let (z, d) = tanh_argument(x.clamp(-50.0, 50.0));
    gated_grad(z, d)
}

/// `1/√(2π)`.
const DENSITY: Dd = Dd::new(0.3989422804014327, -2.49232720227773e-17);

/// `φ(x)`.
fn density(x: f64) -> Scaled {
    let (y, k) = decay(Dd::product(x, x) * -0.5);
    (y * DENSITY, k)
}

/// Mills's ratio `Φ(-t)/φ(t)` for t from 4 on: Laplace's continued fraction.
fn mills(t: f64) -> Dd {
    let fraction = (1..=200)
        .rev()
        .fold(Dd::from(t), |rest, k| Dd::from(f64::from(k)) / rest + t);
    Dd::ONE / fraction
}

/// `Φ(x)` for moderate x: `½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …)`.
fn distribution(x: f64) -> Dd {
    let square = Dd::product(x, x);
    let (mut term, mut sum, mut n) = (Dd::from(x), Dd::from(x), 1.0);
    while term.hi.abs() > 1e-34 * sum.hi.abs() {
        n += 2.0;
        term = term * square / n;
        sum = sum + term;
    }
    let (y, k) = density(x);
    (y * sum).scaled(k) + 0.5
}

/// `Φ(x)`.
fn probability(x: f64) -> Scaled {
    match x {
        _ if x > 40.0 => (Dd::ONE, 0),
        _ if x > 4.0 => {
            let (y, k) = density(x);
            (Dd::ONE - (y * mills(x)).scaled(k), 0)
        }
        _ if x > -4.0 => (distribution(x), 0),
        _ => {
            let (y, k) = density(x);
            (y * mills(-x), k)
        }
    }
}

/// `x·Φ(x)`.
pub fn gelu(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > 40.0 => x,
        _ if x < -60.0 => 0.0,
        _ => times(probability(x), x),
    }
}

/// `Φ(x) + x·φ(x)`.
pub fn gelu_grad(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 40.0 => 1.0,
        _ if x < -60.0 => 0.0,
        _ if x <= -4.0 => times(density(x), mills(-x) + x),
        _ => {
            let (y, k) = density(x);
            (probability(x).0 + (y * x).scaled(k)).rounded()
        }
    }
}

/// `a · x·Φ(x)`, which is 0 at -∞.
pub fn geglu(a: f64, x: f64) -> f64 {
    match x {
        _ if a.is_nan() || x.is_nan() => f64::NAN,
        f64::NEG_INFINITY => a * 0.0,
        f64::INFINITY => a * x,
        _ if a.is_infinite() => a * x,
        _ if x > 40.0 => a * x,
        _ if x < -1000.0 => 0.0,
        _ => gate(a, x, probability(x)),
    }
}

/// `log(1 + e^x)`.
pub fn softplus(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > -NOTHING => x,
        _ if x > 0.0 => (log1p_dd(exp_dd(Dd::from(-x))) + x).rounded(),
        _ if x > NOTHING => log1p_dd(exp_dd(x.into())).rounded(),
        _ => times(decay(x.into()), 1.0),
    }
}

/// `x · tanh(log(1 + e^x))`.
pub fn mish(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > -NOTHING => x,
        f64::NEG_INFINITY => 0.0,
        _ if x < NOTHING => times(decay(x.into()), x),
        _ => {
            // tanh(log u) = (u² - 1)/(u² + 1), with u² - 1 = e·(e + 2).
            let e = exp_dd(x.into());
            let n = e * (e + 2.0);
            (n / (n + 2.0) * x).rounded()
        }
    }
}

/// The derivative of `mish`: with t the hyperbolic tangent, `t + x·(1 - t²)·σ(x)`.
pub fn mish_grad(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > -NOTHING => 1.0,
        _ if x < -4000.0 => 0.0,
        _ if x < NOTHING => times(decay(x.into()), Dd::from(x) + 1.0),
        _ => {
            let e = exp_dd(x.into());
            let n = e * (e + 2.0);
            let t = n / (n + 2.0);
            // 1 - t² = (1 - t)(1 + t), and 1 - t = 2/(n + 2).
            let rest = Dd::from(2.0) / (n + 2.0) * (t + 1.0);
            (t + rest * (e / (e + 1.0)) * x).rounded()
        }
    }
}

/// `α·(e^z - 1)` for z up to where it overflows; `linear` is what it is where z is next to nothing.
fn exponential(z: Dd, alpha: Dd, linear: f64) -> f64 {
    match z.hi {
        h if h.is_nan() || alpha.hi.is_nan() => f64::NAN,
        h if h.abs() < 1e-30 => linear,
        h if h < -100.0 => (-alpha).rounded(),
        f64::INFINITY if alpha.hi == 0.0 => f64::NAN,
        h if h > 100.0 => times(exp_parts(if h > 3000.0 { 3000.0.into() } else { z }), alpha),
        _ => (expm1_dd(z) * alpha).rounded(),
    }
}

/// `x` above zero, else `α·(e^x - 1)`.
pub fn elu(x: f64, alpha: f64) -> f64 {
    match x > 0.0 {
        true => x,
        false if alpha.is_infinite() => alpha * x.min(0.0).exp_m1(),
        false => exponential(x.into(), alpha.into(), alpha * x),
    }
}

/// 1 above zero, else `α·e^x`.
pub fn elu_grad(x: f64, alpha: f64) -> f64 {
    match x {
        _ if x > 0.0 => 1.0,
        _ if x.is_nan() || alpha.is_nan() => f64::NAN,
        _ if alpha.is_infinite() => match x == f64::NEG_INFINITY {
            true => f64::NAN,
            false => alpha,
        },
        _ => times(decay(x.into()), alpha),
    }
}

/// λ and α of the self-normalising ELU.
const LAMBDA: Dd = Dd::new(1.0507009873554805, 3.9874847667154144e-17);
const LAMBDA_ALPHA: Dd = Dd::new(1.7580993408473768, 1.41535193800845e-17);

/// `λ·x` above zero, else `λ·α·(e^x - 1)`.
pub fn selu(x: f64) -> f64 {
    match x > 0.0 {
        true => (LAMBDA * x).rounded(),
        false => exponential(x.into(), LAMBDA_ALPHA, (LAMBDA_ALPHA * x).rounded()),
    }
}

/// λ above zero, else `λ·α·e^x`.
pub fn selu_grad(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 0.0 => LAMBDA.hi,
        _ => times(decay(x.into()), LAMBDA_ALPHA),
    }
}

/// `x / α` where it is finite and no denormal.
fn quotient(x: f64, alpha: f64) -> Dd {
    let fine = (1e-250..1e250).contains(&(x / alpha).abs()) && x.abs() < 1e300;
    match fine {
        true => Dd::from(x) / alpha,
        false => Dd::new(x / alpha, 0.0),
    }
}

/// `x` above zero, else `α·(e^(x/α) - 1)`.
pub fn celu(x: f64, alpha: f64) -> f64 {
    match x > 0.0 {
        true => x,
        false if alpha.is_infinite() && x.is_finite() => x,
        false => exponential(quotient(x, alpha), alpha.into(), x),
    }
}

/// 1 above zero, else `e^(x/α)`.
pub fn celu_grad(x: f64, alpha: f64) -> f64 {
    let z = quotient(x, alpha);
    match x {
        _ if x > 0.0 => 1.0,
        _ if z.hi.is_nan() => f64::NAN,
        _ if z.hi > 3000.0 => f64::INFINITY,
        _ => times(decay(z), 1.0),
    }
}

/// tanh of moderate x, from e^2x - 1.
fn tanh(x: f64) -> Dd {
    let m = expm1_dd(Dd::from(2.0 * x));
    m / (m + 2.0)
}

/// `x - tanh x`.
pub fn tanh_shrink(x: f64) -> f64 {
    match x.abs() {
        _ if x.is_nan() => x,
        a if a > 300.0 => x - x.signum(),
        // The first terms of its series; the others are below 10^-30 of them.
        a if a < 1e-3 => {
            let s = Dd::product(x, x);
            let terms = [3.0, -15.0 / 2.0, 315.0 / 17.0, -2835.0 / 62.0];
            let sum = terms
                .iter()
                .rev()
                .fold(Dd::ZERO, |sum, &t| sum * s + Dd::ONE / t);
            (sum * s * x).rounded()
        }
        _ => (-(tanh(x)) + x).rounded(),
    }
}

/// `tanh² x`.
pub fn tanh_shrink_grad(x: f64) -> f64 {
    match x.abs() {
        _ if x.is_nan() => x,
        a if a > 300.0 => 1.0,
        a if a < 1e-30 => x * x,
        _ => (tanh(x) * tanh(x)).rounded(),
    }
}
