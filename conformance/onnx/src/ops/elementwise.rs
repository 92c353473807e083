//! Arithmetic, comparisons, logic and bits.

use super::{Op, exact, op, out};
use crate::call::{Call, Value};
use crate::error::Result;
use suanzi_ops::{Expr, Scalar, ops};

pub const OPS: &[Op] = &[
    op("Add", |c| out(ops::add(c.e(0)?, c.e(1)?))),
    op("Sub", |c| out(ops::sub(c.e(0)?, c.e(1)?))),
    op("Mul", |c| out(ops::mul(c.e(0)?, c.e(1)?))),
    op("Div", |c| out(ops::div(c.e(0)?, c.e(1)?))),
    op("Mod", |c| match c.flag("fmod", false) {
        true => out(ops::rem(c.e(0)?, c.e(1)?)),
        false => out(ops::modulo(c.e(0)?, c.e(1)?)),
    }),
    exact("Neg", |c| out(ops::neg(c.e(0)?))),
    exact("Abs", |c| out(ops::abs(c.e(0)?))),
    exact("Sign", |c| out(ops::sign(c.e(0)?))),
    op("Reciprocal", |c| out(ops::reciprocal(c.e(0)?))),
    exact("Floor", |c| out(ops::floor(c.e(0)?))),
    exact("Ceil", |c| out(ops::ceil(c.e(0)?))),
    exact("Round", |c| out(ops::round(c.e(0)?))),
    op("Sqrt", |c| out(ops::sqrt(c.e(0)?))),
    op("Pow", pow),
    op("Exp", |c| out(ops::exp(c.e(0)?))),
    op("Log", |c| out(ops::log(c.e(0)?))),
    op("Sinh", |c| out(ops::sinh(c.e(0)?))),
    op("Cosh", |c| out(ops::cosh(c.e(0)?))),
    op("Tanh", |c| out(ops::tanh(c.e(0)?))),
    op("Asinh", |c| out(ops::asinh(c.e(0)?))),
    op("Acosh", |c| out(ops::acosh(c.e(0)?))),
    op("Atanh", |c| out(ops::atanh(c.e(0)?))),
    op("Erf", |c| out(ops::erf(c.e(0)?))),
    op("Sin", |c| out(ops::sin(c.e(0)?))),
    op("Cos", |c| out(ops::cos(c.e(0)?))),
    op("Tan", |c| out(ops::tan(c.e(0)?))),
    op("Asin", |c| out(ops::asin(c.e(0)?))),
    op("Acos", |c| out(ops::acos(c.e(0)?))),
    op("Atan", |c| out(ops::atan(c.e(0)?))),
    exact("Min", |c| out(fold(c, ops::minimum))),
    exact("Max", |c| out(fold(c, ops::maximum))),
    op("Sum", |c| out(fold(c, ops::add))),
    op("Mean", |c| {
        let sum = fold(c, ops::add)?;
        out(ops::div(sum, c.inputs.len() as f64))
    }),
    exact("Clip", clip),
    exact("Where", |c| out(ops::where_(c.e(0)?, c.e(1)?, c.e(2)?))),
    exact("And", |c| out(ops::logical_and(c.e(0)?, c.e(1)?))),
    exact("Or", |c| out(ops::logical_or(c.e(0)?, c.e(1)?))),
    exact("Xor", |c| out(ops::logical_xor(c.e(0)?, c.e(1)?))),
    exact("Not", |c| out(ops::logical_not(c.e(0)?))),
    exact("Equal", |c| out(ops::eq(c.e(0)?, c.e(1)?))),
    exact("Less", |c| out(ops::lt(c.e(0)?, c.e(1)?))),
    exact("LessOrEqual", |c| out(ops::le(c.e(0)?, c.e(1)?))),
    exact("Greater", |c| out(ops::gt(c.e(0)?, c.e(1)?))),
    exact("GreaterOrEqual", |c| out(ops::ge(c.e(0)?, c.e(1)?))),
    exact("IsNaN", |c| out(ops::is_nan(c.e(0)?))),
    exact("IsInf", is_inf),
    exact("BitwiseAnd", |c| out(ops::bitwise_and(c.e(0)?, c.e(1)?))),
    exact("BitwiseOr", |c| out(ops::bitwise_or(c.e(0)?, c.e(1)?))),
    exact("BitwiseXor", |c| out(ops::bitwise_xor(c.e(0)?, c.e(1)?))),
    exact("BitwiseNot", |c| out(ops::bitwise_not(c.e(0)?))),
    exact("BitShift", |c| match c.text("direction", "").as_str() {
        "LEFT" => out(ops::shift_left(c.e(0)?, c.e(1)?)),
        "RIGHT" if c.x(0)?.dtype().is_signed_int() => {
            out(ops::shift_right_arithmetic(c.e(0)?, c.e(1)?))
        }
        "RIGHT" => out(ops::shift_right_logical(c.e(0)?, c.e(1)?)),
        other => c.unknown(&format!("direction `{other}`")),
    }),
];

/// All inputs joined by an operator of two.
fn fold(c: &Call, join: fn(Expr, Expr) -> suanzi_ops::Result<Expr>) -> Result<Expr> {
    let mut joined = c.e(0)?;
    for i in 1..c.inputs.len() {
        joined = join(joined, c.e(i)?)?;
    }
    // Of one input alone: a copy, so that it is computed.
    Ok(ops::copy(joined)?)
}

/// Bounds are inputs, each optional; attributes in old operator sets.
fn clip(c: &Call) -> Result<Vec<Value>> {
    let bound = |i, name| match c.attribute(name).and_then(|a| a.f) {
        Some(f) => Ok(Some(Expr::from(f))),
        None => c.value(i).map(|_| c.e(i)).transpose(),
    };
    let mut x = c.e(0)?;
    if let Some(low) = bound(1, "min")? {
        x = ops::maximum(x, low)?;
    }
    if let Some(high) = bound(2, "max")? {
        x = ops::minimum(x, high)?;
    }
    out(ops::copy(x))
}

/// The result has the base's kind; powers of integers go through f64.
fn pow(c: &Call) -> Result<Vec<Value>> {
    let (x, to) = (c.e(0)?, c.x(0)?.dtype());
    let through = if to.is_float() { to } else { Scalar::F64 };
    let power = ops::pow(ops::cast(x, through), ops::cast(c.e(1)?, through))?;
    match to.is_float() {
        true => out(power),
        false => out(ops::cast(ops::round(power)?, to)),
    }
}

fn is_inf(c: &Call) -> Result<Vec<Value>> {
    let (x, zero) = (c.e(0)?, 0.0);
    let infinite = ops::is_inf(&x)?;
    match (
        c.flag("detect_positive", true),
        c.flag("detect_negative", true),
    ) {
        (true, true) => out(infinite),
        (true, false) => out(ops::logical_and(infinite, ops::gt(x, zero)?)),
        (false, true) => out(ops::logical_and(infinite, ops::lt(x, zero)?)),
        (false, false) => out(ops::lt(&x, &x)),
    }
}
