//! Kernel formulas of the smooth activations.
//!
//! Everything rests on `e^-|z|/2`, whose square is taken in two steps: a product with it neither
//! overflows nor loses bits where `e^-|z|` alone would be denormal. An argument that is itself a
//! product is held in two floats, since the exponential multiplies its error.

use suanzi_codegen::math::parts::Pair;
use suanzi_codegen::math::{Term, erfcx, exp, expm1, log1p, tanh};

/// What remains of an argument after rounding; none where it is infinite.
fn rest(z: Pair<'_>) -> Pair<'_> {
    let lo = (z.hi.is_inf() | z.lo.is_nan()).select(0.0, z.lo);
    Pair { hi: z.hi, lo }
}

/// A number in two floats of which the second is zero.
fn single(z: Term<'_>) -> Pair<'_> {
    Pair {
        hi: z,
        lo: z.c(0.0),
    }
}

/// `e^-|z|/2`.
fn half_decay(z: Pair<'_>) -> Term<'_> {
    let h = (z.hi.abs() * -0.5).apply(exp);
    (z.lo.flipped_like(z.hi) * -0.5).fma(h, h)
}

/// `a · σ(z)`; where σ(z) underflows, an infinite `a` stays infinite unless `z = -∞`.
fn gated<'t>(a: Term<'t>, z: Pair<'t>) -> Term<'t> {
    let h = half_decay(z);
    let sum = h.fma(h, 1.0);
    let y = z.hi.lt(0.0).select(a * h * (h / sum), a / sum);
    (a.is_inf() & z.hi.gt(f64::NEG_INFINITY)).select(a, y)
}

/// `a · e^z` for z not above 0, under the same rule.
fn decayed<'t>(a: Term<'t>, z: Pair<'t>) -> Term<'t> {
    let h = half_decay(z);
    (a.is_inf() & z.hi.gt(f64::NEG_INFINITY)).select(a, a * h * h)
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid([x]: [Term<'_>; 1]) -> Term<'_> {
    let e = (-x.abs()).apply(exp);
    x.lt(0.0).select(e, 1.0) / (e + 1.0)
}

/// `σ(x) · σ(-x)`.
pub fn sigmoid_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let e = (-x.abs()).apply(exp);
    let sum = e + 1.0;
    e / (sum * sum)
}

/// `a · σ(b)`.
pub fn glu([a, z]: [Term<'_>; 2]) -> Term<'_> {
    gated(a, single(z))
}

/// `x · σ(β·x)`; 0 where `β·x = -∞`.
pub fn swish([x, beta]: [Term<'_>; 2]) -> Term<'_> {
    let z = rest(Pair::product(x, beta));
    z.hi.eq(f64::NEG_INFINITY).select(0.0, gated(x, z))
}

/// `x · σ(x)`.
pub fn silu([x]: [Term<'_>; 1]) -> Term<'_> {
    x.eq(f64::NEG_INFINITY).select(0.0, gated(x, single(x)))
}

/// `a · x·s·t`, where a product of x and a may be denormal, or overflow, where the result does not
/// (and `x·s` is below 1, or t is 1);
/// an infinite `a` as in [`gated`].
fn by_gate<'t>(a: Term<'t>, x: Term<'t>, s: Term<'t>, t: Term<'t>) -> Term<'t> {
    let near = x * a * (s * t);
    let y = x.abs().lt(1.0).select(near, x * s * a * t);
    // As a · 0, which drivers take for 0.
    let nothing = (a.is_inf() | a.is_nan()).select(f64::NAN, a.c(0.0));
    let y = x.eq(f64::NEG_INFINITY).select(nothing, y);
    let infinite = a.is_inf() & x.ne(0.0) & x.gt(f64::NEG_INFINITY);
    infinite.select(a.flipped_like(x), y)
}

/// `a · x·σ(x)`.
pub fn swiglu([a, x]: [Term<'_>; 2]) -> Term<'_> {
    let h = half_decay(single(x));
    let share = 1.0 / h.fma(h, 1.0);
    let below = x.lt(0.0);
    by_gate(a, x, below.select(h, share), below.select(h * share, 1.0))
}

/// Of an argument whose effect ends long before ±2000.
fn bounded(z: Pair<'_>) -> Pair<'_> {
    let hi = z.hi.max(-2000.0).min(2000.0);
    let lo = z.hi.eq(hi).select(z.lo, 0.0);
    Pair { hi, lo }
}

/// `σ(z) · (1 + d·(1 - σ(z)))`: the derivative of `x·σ(z)` where `d = x·z'`.
fn gated_grad<'t>(z: Pair<'t>, d: Term<'t>) -> Term<'t> {
    let h = half_decay(z);
    let sum = h.fma(h, 1.0);
    let below = h * (d / sum + 1.0) * (h / sum);
    let above = (d * h * (h / sum) + 1.0) / sum;
    z.hi.lt(0.0).select(below, above)
}

/// `d/dx x·σ(β·x)`.
pub fn swish_grad([x, beta]: [Term<'_>; 2]) -> Term<'_> {
    let z = bounded(rest(Pair::product(x, beta)));
    gated_grad(z, z.hi)
}

/// `d/dx x·σ(x)`.
pub fn silu_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let z = bounded(single(x));
    gated_grad(z, z.hi)
}

/// Beyond this `gelu_tanh` is x or 0 in every dtype.
const TANH_REACH: f64 = 40.0;

/// `√(8/π)·(x + 0.044715·x³)` and x times its derivative.
fn tanh_argument(x: Term<'_>) -> (Pair<'_>, Term<'_>) {
    let linear = Pair::constant(x, 1.595_769_121_605_730_8, -9.969_308_809_110_92e-17);
    let cubic = Pair::constant(x, CUBIC.0, CUBIC.1);
    let square = Pair::product(x, x);
    let z = cubic.times_pair(square).plus_pair(linear).times(x);
    let slope = (square.hi * (3.0 * CUBIC.0) + linear.hi) * x;
    (z, slope)
}

/// `0.044715·√(8/π)`.
const CUBIC: (f64, f64) = (0.071_354_816_272_600_25, -6.175_149_918_155_315e-19);

/// `x·Φ(x)` with the tanh approximation of Φ.
pub fn gelu_tanh([x]: [Term<'_>; 1]) -> Term<'_> {
    let near = x.max(-TANH_REACH).min(TANH_REACH);
    let (z, _) = tanh_argument(near);
    x.lt(-TANH_REACH).select(0.0, gated(x, z))
}

/// The derivative of `gelu_tanh`.
pub fn gelu_tanh_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let near = x.max(-TANH_REACH).min(TANH_REACH);
    let (z, slope) = tanh_argument(near);
    gated_grad(z, slope)
}

/// `e^(-x²/4)`, and half of `e^(x²/2)·erfc(|x|/√2)`: the square of the first times the second is Φ
/// of -|x|.
fn normal_tail(x: Term<'_>) -> (Term<'_>, Term<'_>) {
    let square = rest(Pair::product(x, x));
    let q = half_decay(Pair {
        hi: square.hi * 0.5,
        lo: square.lo * 0.5,
    });
    let t = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    (q, t.apply(erfcx) * 0.5)
}

/// `x·Φ(x)`.
pub fn gelu([x]: [Term<'_>; 1]) -> Term<'_> {
    let (q, tail) = normal_tail(x);
    let below = x * q * (q * tail);
    let y = x.lt(0.0).select(below, x * (1.0 - q * q * tail));
    x.eq(f64::NEG_INFINITY).select(0.0, y)
}

/// `Φ(x) + x·φ(x)`.
pub fn gelu_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    // Where it is 0 or 1.
    let x = x.max(-60.0).min(60.0);
    let (q, tail) = normal_tail(x);
    let slope = x * ROOT_2_PI.recip();
    let below = q * (q * (slope + tail));
    x.lt(0.0).select(below, 1.0 + q * q * (slope - tail))
}

/// `√2π`.
const ROOT_2_PI: f64 = 2.506_628_274_631_000_5;

/// `a · x·Φ(x)`.
pub fn geglu([a, x]: [Term<'_>; 2]) -> Term<'_> {
    let (q, tail) = normal_tail(x);
    let below = x.lt(0.0);
    let share = 1.0 - q * q * tail;
    by_gate(a, x, below.select(q, share), below.select(q * tail, 1.0))
}

/// `log(1 + e^x)`.
pub fn softplus([x]: [Term<'_>; 1]) -> Term<'_> {
    x.max(0.0) + (-x.abs()).apply(exp).apply(log1p)
}

/// `-log(1 + e^-x)`.
pub fn log_sigmoid([x]: [Term<'_>; 1]) -> Term<'_> {
    x.min(0.0) - (-x.abs()).apply(exp).apply(log1p)
}

/// `tanh(log(1 + e^x))` is `n/(n + 2)` with `n = e^x·(e^x + 2)`, or above zero, with `e = e^-x`,
/// `(1 + 2e)/(1 + 2e + 2e²)`: no difference that cancels.
pub fn mish([x]: [Term<'_>; 1]) -> Term<'_> {
    let h = half_decay(single(x));
    let e = h * h;
    let n = e * (e + 2.0);
    let below = x * h * (h * (e + 2.0) / (n + 2.0));
    let top = e * 2.0 + 1.0;
    let above = x * (top / (e * e * 2.0 + top));
    let y = x.lt(0.0).select(below, above);
    x.eq(f64::NEG_INFINITY).select(0.0, y)
}

/// The derivative of `mish`.
pub fn mish_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let x = x.max(-2000.0).min(2000.0);
    let h = half_decay(single(x));
    let e = h * h;
    let n = e * (e + 2.0) + 2.0;
    let slope = x * 4.0 * (e + 1.0) + (e + 2.0) * n;
    let below = h * slope * (h / (n * n));
    let top = e * 2.0 + 1.0;
    let d = e * e * 2.0 + top;
    let above = top / d + x * 4.0 * e * e * (e + 1.0) / (d * d);
    x.lt(0.0).select(below, above)
}

/// `x` above zero, else `α·(e^x - 1)`.
pub fn elu([x, alpha]: [Term<'_>; 2]) -> Term<'_> {
    x.gt(0.0).select(x, alpha * x.apply(expm1))
}

/// 1 above zero, else `α·e^x`.
pub fn elu_grad([x, alpha]: [Term<'_>; 2]) -> Term<'_> {
    x.gt(0.0).select(1.0, decayed(alpha, single(x)))
}

/// λ and λ·α of the self-normalising ELU.
pub const SELU: (f64, f64) = (1.050_700_987_355_480_5, 1.758_099_340_847_376_8);

/// `λ·x` above zero, else `λ·α·(e^x - 1)`.
pub fn selu([x]: [Term<'_>; 1]) -> Term<'_> {
    x.gt(0.0).select(x * SELU.0, x.apply(expm1) * SELU.1)
}

/// λ above zero, else `λ·α·e^x`.
pub fn selu_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let slope = decayed(x.c(SELU.1), single(x));
    x.gt(0.0).select(SELU.0, slope)
}

/// `x` above zero, else `α·(e^(x/α) - 1)`.
pub fn celu([x, alpha]: [Term<'_>; 2]) -> Term<'_> {
    let z = rest(Pair::quotient(x, alpha));
    let m = z.hi.apply(expm1);
    let near = alpha * (m + z.lo * (m + 1.0));
    // Of a negative α: e^z may be more than the result.
    let h = (z.hi * 0.5).apply(exp);
    let h = h.is_inf().select(h, (z.lo * 0.5).fma(h, h));
    let y = z.hi.gt(64.0).select(alpha * h * h, near);
    // A quotient that small may be denormal; the result is x.
    let tiny = z.hi.abs().lt(x.pick(2f64.powi(-26), 2f64.powi(-55)));
    (x.gt(0.0) | tiny).select(x, y)
}

/// 1 above zero, else `e^(x/α)`.
pub fn celu_grad([x, alpha]: [Term<'_>; 2]) -> Term<'_> {
    let z = rest(Pair::quotient(x, alpha));
    let e = z.hi.apply(exp);
    let e = e.is_inf().select(e, z.lo.fma(e, e));
    x.gt(0.0).select(1.0, e)
}

/// `x - tanh x`. Near zero by the continued fraction `tanh x = x/(1 + x²/(3 + x²/(5 + …)))`, all of
/// whose terms are positive.
pub fn tanh_shrink([x]: [Term<'_>; 1]) -> Term<'_> {
    let square = x * x;
    let depth = x.pick(9, 15);
    let w = (1..=depth)
        .rev()
        .fold(x.c(0.0), |w, k| square / (w + f64::from(2 * k + 1)));
    let near = x * (w / (w + 1.0));
    x.abs().lt(2.0).select(near, x - x.apply(tanh))
}

/// `tanh² x`.
pub fn tanh_shrink_grad([x]: [Term<'_>; 1]) -> Term<'_> {
    let t = x.apply(tanh);
    t * t
}
