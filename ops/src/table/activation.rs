//! Activations of neural networks and their derivatives.
//!
//! Attributes such as α are further inputs, which broadcast: `elu(x, 1.0)`. The derivative of `f` is
//! `f_grad(x, …)`, so that `mul(dy, gelu_grad(x))` is one kernel. NaN gives NaN throughout. What
//! is piecewise linear is written here; the kernels of the smooth ones are in [`smooth`].

mod smooth;

use super::{Domain, FLOATS, Inputs::Same as In, Limit, Output::Same, exact, map_rows, math};
use crate::num::Num;
use crate::reference::{Dd, activation as reference};
use suanzi_codegen::Scalar;
use suanzi_codegen::math::{Term, formula};

map_rows! {
    /// `max(x, 0)`.
    relu(x): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| x.max(0.0)),
        |_, x| one(x, |x| if x.is_nan() || x > 0.0 { x } else { 0.0 });

    /// 1 above zero, else 0.
    relu_grad(x): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| step(x, x.gt(0.0), x.c(1.0), x.c(0.0))),
        |_, x| one(x, |x| if x > 0.0 { 1.0 } else { 0.0 });

    /// `x` above zero, else `α·x`.
    leaky_relu(x, alpha): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, alpha]| x.gt(0.0).select(x, alpha * x)),
        |_, x| two(x, |x, alpha| if x > 0.0 { x } else { alpha * x });

    /// 1 above zero, else `α`.
    leaky_relu_grad(x, alpha): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, alpha]| step(x, x.gt(0.0), x.c(1.0), alpha)),
        |_, x| two(x, |x, alpha| if x > 0.0 { 1.0 } else { alpha });

    /// `x` above zero, else `slope·x`; the slope is a tensor that broadcasts.
    prelu(x, slope): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, slope]| x.gt(0.0).select(x, slope * x)),
        |_, x| two(x, |x, slope| if x > 0.0 { x } else { slope * x });

    /// The derivative of `prelu` by x: 1 above zero, else the slope.
    prelu_grad(x, slope): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, slope]| step(x, x.gt(0.0), x.c(1.0), slope)),
        |_, x| two(x, |x, slope| if x > 0.0 { 1.0 } else { slope });

    /// The derivative of `prelu` by the slope: `min(x, 0)`.
    prelu_slope_grad(x): In(1), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| x.min(0.0)),
        |_, x| one(x, |x| if x > 0.0 || (x == 0.0 && x.is_sign_positive()) { 0.0 } else { x });

    /// `x` above α, else 0.
    thresholded_relu(x, alpha): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, alpha]| step(x, x.gt(alpha), x, x.c(0.0))),
        |_, x| two(x, |x, alpha| if x > alpha { x } else { 0.0 });

    /// 1 above α, else 0.
    thresholded_relu_grad(x, alpha): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, alpha]| step(x, x.gt(alpha), x.c(1.0), x.c(0.0))),
        |_, x| two(x, |x, alpha| if x > alpha { 1.0 } else { 0.0 });

    /// `min(max(x, low), high)`.
    hard_tanh(x, low, high): In(3), FLOATS => Same, exact, Domain::Ordered,
        |b, x| formula(b, [x[0], x[1], x[2]], |[x, low, high]| x.max(low).min(high)),
        |_, x| three(x, |x, low, high| smaller(-smaller(-x, -low), high));

    /// 1 strictly between the bounds, else 0.
    hard_tanh_grad(x, low, high): In(3), FLOATS => Same, exact, Domain::Ordered,
        |b, x| formula(b, [x[0], x[1], x[2]], |[x, low, high]| {
            step(x, x.gt(low) & x.lt(high), x.c(1.0), x.c(0.0))
        }),
        |_, x| three(x, |x, low, high| if x > low && x < high { 1.0 } else { 0.0 });

    /// `min(max(α·x + β, 0), 1)`, the sum rounded once. ONNX has α = 0.2 and β = 0.5.
    hard_sigmoid(x, alpha, beta): In(3), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1], x[2]], |[x, alpha, beta]| {
            x.fma(alpha, beta).max(0.0).min(1.0)
        }),
        |t, x| three(x, |x, alpha, beta| smaller(-smaller(-fused(t, x, alpha, beta), -0.0), 1.0));

    /// `α` where `0 < α·x + β < 1`, else 0.
    hard_sigmoid_grad(x, alpha, beta): In(3), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1], x[2]], |[x, alpha, beta]| {
            let y = x.fma(alpha, beta);
            step(x, y.gt(0.0) & y.lt(1.0), alpha, x.c(0.0))
        }),
        |t, x| three(x, |x, alpha, beta| {
            let y = fused(t, x, alpha, beta);
            if y > 0.0 && y < 1.0 { alpha } else { 0.0 }
        });

    /// `x · min(max(x + 3, 0), 6) / 6`.
    hard_swish(x): In(1), FLOATS => Same, |t| few(t, 3.0), Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| {
            let share = (x + 3.0).min(6.0) / 6.0;
            x.le(-3.0).select(0.0, x * share)
        }),
        |_, x| one(x, |x| match x {
            _ if x <= -3.0 => 0.0,
            _ if x >= 3.0 => x,
            _ => ((Dd::from(3.0) + x) * x / 6.0).rounded(),
        });

    /// The derivative of `hard_swish`: 0 up to -3, 1 from 3 on, `(2x + 3)/6` between.
    hard_swish_grad(x): In(1), FLOATS => Same, |t| few(t, 2.0), Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| {
            let slope = (x + x + 3.0) / 6.0;
            let y = x.ge(3.0).select(1.0, slope);
            x.le(-3.0).select(0.0, y)
        }),
        |_, x| one(x, |x| match x {
            _ if x <= -3.0 => 0.0,
            _ if x >= 3.0 => 1.0,
            _ => (Dd::sum(2.0 * x, 3.0) / 6.0).rounded(),
        });

    /// `x / (1 + |x|)`; ±1 at infinity.
    softsign(x): In(1), FLOATS => Same, |t| few(t, 2.0), Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| {
            let one = x.c(1.0).signed_like(x);
            x.is_inf().select(one, x / (x.abs() + 1.0))
        }),
        |_, x| one(x, |x| if x.is_infinite() {
            x.signum()
        } else {
            (Dd::from(x) / Dd::sum(1.0, x.abs())).rounded()
        });

    /// `1 / (1 + |x|)²`.
    softsign_grad(x): In(1), FLOATS => Same, |t| few(t, 5.0), Domain::Any,
        |b, x| formula(b, [x[0]], |[x]| {
            let y = 1.0 / (x.abs() + 1.0);
            y * y
        }),
        |_, x| one(x, |x| {
            let y = Dd::ONE / Dd::sum(1.0, x.abs());
            (y * y).rounded()
        });

    /// `x + bias` below -λ, `x - bias` above λ, else 0 (ONNX's Shrink).
    shrink(x, lambda, bias): In(3), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1], x[2]], |[x, lambda, bias]| {
            let y = step(x, x.gt(lambda), x - bias, x.c(0.0));
            x.lt(-lambda).select(x + bias, y)
        }),
        |_, x| three(x, |x, lambda, bias| match x {
            _ if x < -lambda => x + bias,
            _ if x > lambda => x - bias,
            _ => 0.0,
        });

    /// `x` where `|x| > λ`, else 0.
    hard_shrink(x, lambda): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, lambda]| {
            step(x, x.gt(lambda) | x.lt(-lambda), x, x.c(0.0))
        }),
        |_, x| two(x, |x, lambda| if x > lambda || x < -lambda { x } else { 0.0 });

    /// `x` towards zero by λ, and 0 where `|x|` is not above λ.
    soft_shrink(x, lambda): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, lambda]| {
            let y = step(x, x.gt(lambda), x - lambda, x.c(0.0));
            x.lt(-lambda).select(x + lambda, y)
        }),
        |_, x| two(x, |x, lambda| match x {
            _ if x < -lambda => x + lambda,
            _ if x > lambda => x - lambda,
            _ => 0.0,
        });

    /// The derivative of every `shrink`: 1 where `x < -λ` or `x > λ`, else 0.
    shrink_grad(x, lambda): In(2), FLOATS => Same, exact, Domain::Any,
        |b, x| formula(b, [x[0], x[1]], |[x, lambda]| {
            step(x, x.gt(lambda) | x.lt(-lambda), x.c(1.0), x.c(0.0))
        }),
        |_, x| two(x, |x, lambda| if x > lambda || x < -lambda { 1.0 } else { 0.0 });

    /// `1 / (1 + e^-x)`.
    sigmoid(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], smooth::sigmoid),
        |t, x| math::one(t, x, reference::sigmoid::<f64>, reference::sigmoid::<Dd>);

    /// `σ(x)·σ(-x)`, the derivative of `sigmoid`.
    sigmoid_grad(x): In(1), FLOATS => Same, |t| few(t, 5.0), ONE,
        |b, x| formula(b, [x[0]], smooth::sigmoid_grad),
        |t, x| math::one(t, x, reference::sigmoid_grad::<f64>, reference::sigmoid_grad::<Dd>);

    /// `log σ(x)`.
    log_sigmoid(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], smooth::log_sigmoid),
        |t, x| math::one(t, x, reference::log_sigmoid::<f64>, reference::log_sigmoid::<Dd>);

    /// `σ(-x)`, the derivative of `log_sigmoid`.
    log_sigmoid_grad(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], |[x]| smooth::sigmoid([-x])),
        |t, x| math::one(t, x, reference::log_sigmoid_grad::<f64>, reference::log_sigmoid_grad::<Dd>);

    /// `log(1 + e^x)`.
    softplus(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], smooth::softplus),
        |t, x| math::one(t, x, reference::softplus::<f64>, reference::softplus::<Dd>);

    /// `σ(x)`, the derivative of `softplus`.
    softplus_grad(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], smooth::sigmoid),
        |t, x| math::one(t, x, reference::sigmoid::<f64>, reference::sigmoid::<Dd>);

    /// `x · σ(β·x)`; 0 where `β·x = -∞`.
    swish(x, beta): In(2), FLOATS => Same, |t| few(t, 6.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::swish),
        |t, x| math::two(t, x, reference::swish::<f64>, reference::swish::<Dd>);

    /// The derivative of `swish` by x. It crosses zero, so smaller errors count as at 0.25.
    swish_grad(x, beta): In(2), FLOATS => Same, |t| crossing(t, 6.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::swish_grad),
        |t, x| math::two(t, x, reference::swish_grad::<f64>, reference::swish_grad::<Dd>);

    /// `x · σ(x)`; 0 at -∞.
    silu(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::silu),
        |t, x| math::one(t, x, reference::silu::<f64>, reference::silu::<Dd>);

    /// The derivative of `silu`. It crosses zero, so smaller errors count as at 0.25.
    silu_grad(x): In(1), FLOATS => Same, |t| crossing(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::silu_grad),
        |t, x| math::one(t, x, reference::silu_grad::<f64>, reference::silu_grad::<Dd>);

    /// `x·Φ(x)`, Φ being the normal distribution; 0 at -∞.
    gelu(x): In(1), FLOATS => Same, |t| few(t, 8.0), ONE,
        |b, x| formula(b, [x[0]], smooth::gelu),
        |t, x| math::one(t, x, reference::gelu::<f64>, reference::gelu::<Dd>);

    /// The derivative of `gelu`. It crosses zero, so smaller errors count as at 0.25.
    gelu_grad(x): In(1), FLOATS => Same, |t| crossing(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::gelu_grad),
        |t, x| math::one(t, x, reference::gelu_grad::<f64>, reference::gelu_grad::<Dd>);

    /// `x·Φ(x)` with Φ(x) as `(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2`; 0 at -∞.
    gelu_tanh(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::gelu_tanh),
        |t, x| math::one(t, x, reference::gelu_tanh::<f64>, reference::gelu_tanh::<Dd>);

    /// The derivative of `gelu_tanh`. It crosses zero, so smaller errors count as at 0.25.
    gelu_tanh_grad(x): In(1), FLOATS => Same, |t| crossing(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::gelu_tanh_grad),
        |t, x| math::one(t, x, reference::gelu_tanh_grad::<f64>, reference::gelu_tanh_grad::<Dd>);

    /// `x · tanh(log(1 + e^x))`; 0 at -∞.
    mish(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::mish),
        |t, x| math::one(t, x, reference::mish::<f64>, reference::mish::<Dd>);

    /// The derivative of `mish`. It crosses zero, so smaller errors count as at 0.25.
    mish_grad(x): In(1), FLOATS => Same, |t| crossing(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::mish_grad),
        |t, x| math::one(t, x, reference::mish_grad::<f64>, reference::mish_grad::<Dd>);

    /// `x` above zero, else `α·(e^x - 1)`.
    elu(x, alpha): In(2), FLOATS => Same, |t| few(t, 4.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::elu),
        |t, x| math::two(t, x, reference::elu::<f64>, reference::elu::<Dd>);

    /// 1 above zero, else `α·e^x`.
    elu_grad(x, alpha): In(2), FLOATS => Same, |t| few(t, 6.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::elu_grad),
        |t, x| math::two(t, x, reference::elu_grad::<f64>, reference::elu_grad::<Dd>);

    /// `λ·x` above zero, else `λ·α·(e^x - 1)`, with the λ and α that keep mean 0 and variance 1.
    selu(x): In(1), FLOATS => Same, |t| few(t, 4.0), ONE,
        |b, x| formula(b, [x[0]], smooth::selu),
        |t, x| math::one(t, x, reference::selu::<f64>, reference::selu::<Dd>);

    /// λ above zero, else `λ·α·e^x`.
    selu_grad(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::selu_grad),
        |t, x| math::one(t, x, reference::selu_grad::<f64>, reference::selu_grad::<Dd>);

    /// `x` above zero, else `α·(e^(x/α) - 1)`.
    celu(x, alpha): In(2), FLOATS => Same, |t| few(t, 4.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::celu),
        |t, x| math::two(t, x, reference::celu::<f64>, reference::celu::<Dd>);

    /// 1 above zero, else `e^(x/α)`.
    celu_grad(x, alpha): In(2), FLOATS => Same, |t| few(t, 4.0), TWO,
        |b, x| formula(b, [x[0], x[1]], smooth::celu_grad),
        |t, x| math::two(t, x, reference::celu_grad::<f64>, reference::celu_grad::<Dd>);

    /// `x - tanh x`.
    tanh_shrink(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::tanh_shrink),
        |t, x| math::one(t, x, reference::tanh_shrink::<f64>, reference::tanh_shrink::<Dd>);

    /// `tanh² x`, the derivative of `tanh_shrink`.
    tanh_shrink_grad(x): In(1), FLOATS => Same, |t| few(t, 6.0), ONE,
        |b, x| formula(b, [x[0]], smooth::tanh_shrink_grad),
        |t, x| math::one(t, x, reference::tanh_shrink_grad::<f64>, reference::tanh_shrink_grad::<Dd>);

    /// `a · σ(gate)`; halves of one tensor come from [`crate::ops::halves`].
    glu(a, gate): In(2), FLOATS => Same, |t| few(t, 6.0), GATED,
        |b, x| formula(b, [x[0], x[1]], smooth::glu),
        |t, x| math::two(t, x, reference::glu::<f64>, reference::glu::<Dd>);

    /// `a · silu(gate)`.
    swiglu(a, gate): In(2), FLOATS => Same, |t| few(t, 6.0), GATED,
        |b, x| formula(b, [x[0], x[1]], smooth::swiglu),
        |t, x| math::two(t, x, reference::swiglu::<f64>, reference::swiglu::<Dd>);

    /// `a · gelu(gate)`.
    geglu(a, gate): In(2), FLOATS => Same, |t| few(t, 8.0), GATED,
        |b, x| formula(b, [x[0], x[1]], smooth::geglu),
        |t, x| math::two(t, x, reference::geglu::<f64>, reference::geglu::<Dd>);
}

/// The two halves of a tensor along an axis, as views: `glu(a, gate)` of `let [a, gate] = …`.
///
/// # Errors
/// Where the axis is out of range, or of odd length.
pub fn halves(x: &crate::Tensor, axis: i64) -> crate::Result<[crate::Tensor; 2]> {
    let along = crate::shape::normalise_axis("halves", axis, x.shape())?;
    let length = x.shape()[along];
    if length % 2 == 1 {
        let why = format!("axis {axis} has {length} elements, which are not even");
        return Err(crate::Error::shape("halves", [x.shape()], why));
    }
    let middle = (length / 2) as i64;
    Ok([
        x.slice(axis, 0, middle, 1)?,
        x.slice(axis, middle, length as i64, 1)?,
    ])
}

/// Arguments of every branch: tails, the middle, near zero.
const ARGUMENT: &[(f64, f64)] = &[
    (-120.0, -60.0),
    (-30.0, -8.0),
    (-8.0, -1.0),
    (-1.0, 1.0),
    (1.0, 40.0),
];
const ONE: Domain = Domain::Within(&[ARGUMENT]);
/// An argument, and an attribute.
const TWO: Domain = Domain::Within(&[ARGUMENT, &[(0.1, 4.0), (-2.0, 2.0)]]);
/// What is gated, and a gate.
const GATED: Domain = Domain::Within(&[&[(-8.0, 8.0), (1e3, 1e9)], ARGUMENT]);

/// Limits of a kernel of a few roundings: c units in f32 and f64. Through f32, f16 and bf16 are
/// rounded from something nearly exact.
fn few(dtype: Scalar, c: f64) -> Limit {
    match dtype {
        Scalar::F32 | Scalar::F64 => Limit::Ulp(c),
        _ => Limit::Ulp(0.501),
    }
}

/// The same for what crosses zero.
fn crossing(dtype: Scalar, c: f64) -> Limit {
    match few(dtype, c) {
        Limit::Ulp(c) => Limit::UlpAbove(c, 0.25),
        limit => limit,
    }
}

/// One of two values, and NaN where x is.
fn step<'t>(x: Term<'t>, cond: Term<'t>, yes: Term<'t>, no: Term<'t>) -> Term<'t> {
    let y = cond.select(yes, no);
    x.is_nan().select(x, y)
}

/// The kernels' fused sum: in f32 for what f32 computes.
fn fused(dtype: Scalar, x: f64, alpha: f64, beta: f64) -> f64 {
    match dtype {
        Scalar::F64 => x.mul_add(alpha, beta),
        _ => (x as f32).mul_add(alpha as f32, beta as f32).into(),
    }
}

fn smaller(a: f64, b: f64) -> f64 {
    match (a.is_nan() || b.is_nan(), a.total_cmp(&b)) {
        (true, _) => f64::NAN,
        (_, std::cmp::Ordering::Greater) => b,
        _ => a,
    }
}

fn one(x: &[Num], f: fn(f64) -> f64) -> Num {
    let x = x[0].float();
    Num::Float(if x.is_nan() { x } else { f(x) })
}

fn two(x: &[Num], f: impl Fn(f64, f64) -> f64) -> Num {
    let (x, a) = (x[0].float(), x[1].float());
    Num::Float(if x.is_nan() { x } else { f(x, a) })
}

fn three(x: &[Num], f: impl Fn(f64, f64, f64) -> f64) -> Num {
    let [x, a, b] = [x[0].float(), x[1].float(), x[2].float()];
    Num::Float(if x.is_nan() { x } else { f(x, a, b) })
}
