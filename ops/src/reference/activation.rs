//! References of activations, each as its definition says, with the exponential as a number and an
//! exponent, so that tails are right down to the last denormal.
//!
//! `R` is what they compute in: f64 for results of 32 bits and fewer, double-double for f64.

use super::{Dd, Real};

/// Below this `1 + e^x` is 1 to every digit.
const NOTHING: f64 = -300.0;

/// A number times a power of two.
type Scaled<R> = (R, i32);

fn decay<R: Real>(z: R) -> Scaled<R> {
    match z.hi() < -4000.0 {
        true => (R::from(0.0), 0),
        false => z.exp_parts(),
    }
}

fn times<R: Real>((y, k): Scaled<R>, x: impl Into<R>) -> f64 {
    // A product with the greatest numbers must not overflow before it is scaled down.
    match x.into() {
        x if x.hi().abs() > 1.0 && x.hi().is_finite() => (y * x.scaled(-60)).rounded_scaled(k + 60),
        x => (y * x).rounded_scaled(k),
    }
}

/// σ(z).
fn sigma<R: Real>(z: R) -> Scaled<R> {
    match z.hi() {
        h if h > -NOTHING => (R::from(1.0), 0),
        h if h >= 0.0 => (R::from(1.0) / ((-z).exp() + 1.0), 0),
        h if h > NOTHING => {
            let e = z.exp();
            (e / (e + 1.0), 0)
        }
        _ => decay::<R>(z),
    }
}

/// `x · β` where it is finite.
fn product<R: Real>(x: f64, beta: f64) -> R {
    match (x * beta).is_finite() {
        true => R::product(x, beta),
        false => R::from(x * beta),
    }
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid<R: Real>(x: f64) -> f64 {
    match x.is_nan() {
        true => x,
        false => times(sigma::<R>(x.into()), 1.0),
    }
}

/// `σ(x)·σ(-x)`.
pub fn sigmoid_grad<R: Real>(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let (y, k) = sigma::<R>((-x.abs()).into());
    let (other, _) = sigma::<R>(x.abs().into());
    (y * other).rounded_scaled(k)
}

/// `a · σ(b)`.
pub fn glu<R: Real>(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    match a.is_infinite() {
        true if b == f64::NEG_INFINITY => f64::NAN,
        true => a,
        false => times(sigma::<R>(b.into()), a),
    }
}

/// `x · σ(β·x)`, and 0 where `β·x = -∞`.
pub fn swish<R: Real>(x: f64, beta: f64) -> f64 {
    let z = product::<R>(x, beta);
    if z.hi().is_nan() {
        return f64::NAN;
    }
    match z.hi() {
        f64::NEG_INFINITY => 0.0,
        // Infinite, and σ is not 0.
        _ if x.is_infinite() => x,
        _ => times(sigma::<R>(z), x),
    }
}

/// `x · σ(x)`.
pub fn silu<R: Real>(x: f64) -> f64 {
    swish::<R>(x, 1.0)
}

/// `a · b·σ(b)`, and `b·σ(b) = 0` at -∞.
pub fn swiglu<R: Real>(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if b.is_infinite() || a.is_infinite() {
        return a * if b == f64::NEG_INFINITY { 0.0 } else { b };
    }
    gate(a, b, sigma::<R>(b.into()))
}

/// `a · b·s`, where b may be denormal though the result is not.
fn gate<R: Real>(a: f64, b: f64, (y, k): Scaled<R>) -> f64 {
    match b.abs() < 1e-200 {
        true => times((y * (b * 2f64.powi(600)), k - 600), a),
        false => times((y * b, k), a),
    }
}

/// `σ(z)·(1 + d·σ(-z))`.
fn gated_grad<R: Real>(z: R, d: R) -> f64 {
    match z.hi() {
        h if h.is_nan() => h,
        h if h > -NOTHING => 1.0,
        h if h < -4000.0 => 0.0,
        _ => {
            let (other, k) = sigma::<R>(-z);
            let (y, own) = sigma::<R>(z);
            (y * (d * other.scaled(k) + 1.0)).rounded_scaled(own)
        }
    }
}

/// The derivative of `swish` by x.
pub fn swish_grad<R: Real>(x: f64, beta: f64) -> f64 {
    let z = product::<R>(x, beta);
    gated_grad(z, z)
}

/// The derivative of `silu`.
pub fn silu_grad<R: Real>(x: f64) -> f64 {
    swish_grad::<R>(x, 1.0)
}

/// `√(8/π)·x·(1 + 0.044715·x²)` and x times its derivative, for moderate x.
fn tanh_argument<R: Real>(x: f64) -> (R, R) {
    let root = (R::from(8.0) / R::from(Dd::PI)).sqrt();
    let cubic = R::from(44_715.0) / 1e6 * R::product(x, x);
    let linear = root * x;
    (linear * (cubic + 1.0), linear * (cubic * 3.0 + 1.0))
}

/// `x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
pub fn gelu_tanh<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > 50.0 => x,
        _ if x < -50.0 => 0.0,
        _ => times(sigma::<R>(tanh_argument::<R>(x).0), x),
    }
}

/// Its derivative.
pub fn gelu_tanh_grad<R: Real>(x: f64) -> f64 {
    let (z, d) = tanh_argument::<R>(x.clamp(-50.0, 50.0));
    gated_grad(z, d)
}

/// `1/√(2π)`.
const DENSITY: Dd = Dd::new(0.3989422804014327, -2.49232720227773e-17);

/// `φ(x)`.
fn density<R: Real>(x: f64) -> Scaled<R> {
    let (y, k) = decay::<R>(R::product(x, x) * -0.5);
    (y * R::from(DENSITY), k)
}

/// Mills's ratio `Φ(-t)/φ(t)` for t from 4 on: Laplace's continued fraction.
fn mills<R: Real>(t: f64) -> R {
    let fraction = (1..=200)
        .rev()
        .fold(R::from(t), |rest, k| R::from(f64::from(k)) / rest + t);
    R::from(1.0) / fraction
}

/// `Φ(x)` for moderate x: `½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …)`.
fn distribution<R: Real>(x: f64) -> R {
    let square = R::product(x, x);
    let (mut term, mut sum, mut n) = (R::from(x), R::from(x), 1.0);
    while term.hi().abs() > 1e-34 * sum.hi().abs() {
        n += 2.0;
        term = term * square / n;
        sum = sum + term;
    }
    let (y, k) = density::<R>(x);
    (y * sum).scaled(k) + 0.5
}

/// `Φ(x)`.
fn probability<R: Real>(x: f64) -> Scaled<R> {
    match x {
        _ if x > 40.0 => (R::from(1.0), 0),
        _ if x > 4.0 => {
            let (y, k) = density::<R>(x);
            (R::from(1.0) - (y * mills::<R>(x)).scaled(k), 0)
        }
        _ if x > -4.0 => (distribution::<R>(x), 0),
        _ => {
            let (y, k) = density::<R>(x);
            (y * mills::<R>(-x), k)
        }
    }
}

/// `x·Φ(x)`.
pub fn gelu<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > 40.0 => x,
        _ if x < -60.0 => 0.0,
        _ => times(probability::<R>(x), x),
    }
}

/// `Φ(x) + x·φ(x)`.
pub fn gelu_grad<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 40.0 => 1.0,
        _ if x < -60.0 => 0.0,
        _ if x <= -4.0 => times(density::<R>(x), mills::<R>(-x) + x),
        _ => {
            let (y, k) = density::<R>(x);
            (probability::<R>(x).0 + (y * x).scaled(k)).rounded()
        }
    }
}

/// `a · x·Φ(x)`, which is 0 at -∞.
pub fn geglu<R: Real>(a: f64, x: f64) -> f64 {
    match x {
        _ if a.is_nan() || x.is_nan() => f64::NAN,
        f64::NEG_INFINITY => a * 0.0,
        f64::INFINITY => a * x,
        _ if a.is_infinite() => a * x,
        _ if x > 40.0 => a * x,
        _ if x < -1000.0 => 0.0,
        _ => gate(a, x, probability::<R>(x)),
    }
}

/// `log(1 + e^x)`.
pub fn softplus<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > -NOTHING => x,
        _ if x > 0.0 => (R::from(-x).exp().ln_1p() + x).rounded(),
        _ if x > NOTHING => R::from(x).exp().ln_1p().rounded(),
        _ => times(decay::<R>(x.into()), 1.0),
    }
}

/// `log σ(x)`.
pub fn log_sigmoid<R: Real>(x: f64) -> f64 {
    -softplus::<R>(-x)
}

/// `σ(-x)`.
pub fn log_sigmoid_grad<R: Real>(x: f64) -> f64 {
    sigmoid::<R>(-x)
}

/// `x · tanh(log(1 + e^x))`.
pub fn mish<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x > -NOTHING => x,
        f64::NEG_INFINITY => 0.0,
        _ if x < NOTHING => times(decay::<R>(x.into()), x),
        _ => {
            // tanh(log u) = (u² - 1)/(u² + 1), with u² - 1 = e·(e + 2).
            let e = R::from(x).exp();
            let n = e * (e + 2.0);
            (n / (n + 2.0) * x).rounded()
        }
    }
}

/// The derivative of `mish`: with t the hyperbolic tangent, `t + x·(1 - t²)·σ(x)`.
pub fn mish_grad<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > -NOTHING => 1.0,
        _ if x < -4000.0 => 0.0,
        _ if x < NOTHING => times(decay::<R>(x.into()), R::from(x) + 1.0),
        _ => {
            let e = R::from(x).exp();
            let n = e * (e + 2.0);
            let t = n / (n + 2.0);
            // 1 - t² = (1 - t)(1 + t), and 1 - t = 2/(n + 2).
            let rest = R::from(2.0) / (n + 2.0) * (t + 1.0);
            (t + rest * (e / (e + 1.0)) * x).rounded()
        }
    }
}

/// `α·(e^z - 1)` for z up to where it overflows; `linear` is what it is where z is next to nothing.
fn exponential<R: Real>(z: R, alpha: R, linear: f64) -> f64 {
    match z.hi() {
        h if h.is_nan() || alpha.hi().is_nan() => f64::NAN,
        h if h.abs() < 1e-30 => linear,
        h if h < -100.0 => (-alpha).rounded(),
        f64::INFINITY if alpha.hi() == 0.0 => f64::NAN,
        h if h > 100.0 => times(
            if h > 3000.0 { R::from(3000.0) } else { z }.exp_parts(),
            alpha,
        ),
        _ => (z.exp_m1() * alpha).rounded(),
    }
}

/// `x` above zero, else `α·(e^x - 1)`.
pub fn elu<R: Real>(x: f64, alpha: f64) -> f64 {
    match x > 0.0 {
        true => x,
        false if alpha.is_infinite() => alpha * x.min(0.0).exp_m1(),
        false => exponential::<R>(x.into(), alpha.into(), alpha * x),
    }
}

/// 1 above zero, else `α·e^x`.
pub fn elu_grad<R: Real>(x: f64, alpha: f64) -> f64 {
    match x {
        _ if x > 0.0 => 1.0,
        _ if x.is_nan() || alpha.is_nan() => f64::NAN,
        _ if alpha.is_infinite() => match x == f64::NEG_INFINITY {
            true => f64::NAN,
            false => alpha,
        },
        _ => times(decay::<R>(x.into()), alpha),
    }
}

/// λ and α of the self-normalising ELU.
const LAMBDA: Dd = Dd::new(1.0507009873554805, 3.9874847667154144e-17);
const LAMBDA_ALPHA: Dd = Dd::new(1.7580993408473768, 1.41535193800845e-17);

/// `λ·x` above zero, else `λ·α·(e^x - 1)`.
pub fn selu<R: Real>(x: f64) -> f64 {
    let below = R::from(LAMBDA_ALPHA);
    match x > 0.0 {
        true => (R::from(LAMBDA) * x).rounded(),
        false => exponential(x.into(), below, (below * x).rounded()),
    }
}

/// λ above zero, else `λ·α·e^x`.
pub fn selu_grad<R: Real>(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 0.0 => LAMBDA.hi,
        _ => times(decay::<R>(R::from(x)), R::from(LAMBDA_ALPHA)),
    }
}

/// `x / α` where it is finite and no denormal.
fn quotient<R: Real>(x: f64, alpha: f64) -> R {
    let fine = (1e-250..1e250).contains(&(x / alpha).abs()) && x.abs() < 1e300;
    match fine {
        true => R::from(x) / alpha,
        false => R::from(x / alpha),
    }
}

/// `x` above zero, else `α·(e^(x/α) - 1)`.
pub fn celu<R: Real>(x: f64, alpha: f64) -> f64 {
    match x > 0.0 {
        true => x,
        false if alpha.is_infinite() && x.is_finite() => x,
        false => exponential(quotient::<R>(x, alpha), alpha.into(), x),
    }
}

/// 1 above zero, else `e^(x/α)`.
pub fn celu_grad<R: Real>(x: f64, alpha: f64) -> f64 {
    let z = quotient::<R>(x, alpha);
    match x {
        _ if x > 0.0 => 1.0,
        _ if z.hi().is_nan() => f64::NAN,
        _ if z.hi() > 3000.0 => f64::INFINITY,
        _ => times(decay::<R>(z), 1.0),
    }
}

/// tanh of moderate x, from e^2x - 1.
fn tanh<R: Real>(x: f64) -> R {
    let m = R::from(2.0 * x).exp_m1();
    m / (m + 2.0)
}

/// `x - tanh x`.
pub fn tanh_shrink<R: Real>(x: f64) -> f64 {
    match x.abs() {
        _ if x.is_nan() => x,
        a if a > 300.0 => x - x.signum(),
        // The first terms of its series; the others are below 10^-30 of them.
        a if a < 1e-3 => {
            let s = R::product(x, x);
            let terms = [3.0, -15.0 / 2.0, 315.0 / 17.0, -2835.0 / 62.0];
            let sum = terms
                .iter()
                .rev()
                .fold(R::from(0.0), |sum, &t| sum * s + R::from(1.0) / t);
            (sum * s * x).rounded()
        }
        _ => (-(tanh::<R>(x)) + x).rounded(),
    }
}

/// `tanh² x`.
pub fn tanh_shrink_grad<R: Real>(x: f64) -> f64 {
    match x.abs() {
        _ if x.is_nan() => x,
        a if a > 300.0 => 1.0,
        a if a < 1e-30 => x * x,
        _ => (tanh::<R>(x) * tanh::<R>(x)).rounded(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f64_is_wide_enough_for_f32() {
        macro_rules! functions {
            ($($name:ident)*) => { [$((
                stringify!($name), $name::<f64> as fn(f64) -> f64, $name::<Dd> as fn(f64) -> f64
            )),*] };
        }
        let functions = functions!(
            sigmoid sigmoid_grad log_sigmoid log_sigmoid_grad softplus silu silu_grad gelu gelu_grad
            gelu_tanh gelu_tanh_grad mish mish_grad selu selu_grad tanh_shrink tanh_shrink_grad
        );
        // Every exponent and sign of f32, NaN and the infinities among them.
        let inputs = (0..=u16::MAX).map(|high| f32::from_bits(u32::from(high) << 16 | 0x5a5a));
        for x in inputs.chain([0.0, -0.0, f32::INFINITY, -f32::INFINITY]) {
            for (name, narrow, wide) in functions {
                let (a, b) = (narrow(x.into()), wide(x.into()));
                // Less than a twentieth of a unit in f32's last place.
                let near = (a - b).abs() <= b.abs().max(f32::MIN_POSITIVE.into()) * 3e-9;
                assert!(
                    near || a == b || a.is_nan() && b.is_nan(),
                    "{name}({x:e}): {a:e}, not {b:e}"
                );
            }
        }
    }
}
