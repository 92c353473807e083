//! Activations.

use super::{Op, op, out};
use crate::call::{Call, Value};
use crate::error::Result;
use suanzi_ops::{Expr, ops};

pub const OPS: &[Op] = &[
    op("Relu", |c| out(ops::relu(c.e(0)?))),
    op("LeakyRelu", |c| {
        out(ops::leaky_relu(c.e(0)?, c.float("alpha", 0.01)))
    }),
    op("PRelu", |c| out(ops::prelu(c.e(0)?, c.e(1)?))),
    op("ThresholdedRelu", |c| {
        out(ops::thresholded_relu(c.e(0)?, c.float("alpha", 1.0)))
    }),
    op("Elu", |c| out(ops::elu(c.e(0)?, c.float("alpha", 1.0)))),
    op("Selu", selu),
    op("Celu", |c| out(ops::celu(c.e(0)?, c.float("alpha", 1.0)))),
    op("Gelu", |c| match c.text("approximate", "none").as_str() {
        "none" => out(ops::gelu(c.e(0)?)),
        "tanh" => out(ops::gelu_tanh(c.e(0)?)),
        other => c.unknown(&format!("approximation `{other}`")),
    }),
    op("Sigmoid", |c| out(ops::sigmoid(c.e(0)?))),
    op("HardSigmoid", |c| {
        let (alpha, beta) = (c.float("alpha", 0.2), c.float("beta", 0.5));
        out(ops::hard_sigmoid(c.e(0)?, alpha, beta))
    }),
    op("HardSwish", |c| out(ops::hard_swish(c.e(0)?))),
    op("Swish", |c| out(ops::swish(c.e(0)?, c.float("alpha", 1.0)))),
    op("SwiGLU", |c| match c.float("alpha", 1.0) {
        1.0 => out(ops::swiglu(c.e(1)?, c.e(0)?)),
        alpha => out(ops::mul(ops::swish(c.e(0)?, alpha)?, c.e(1)?)),
    }),
    op("Mish", |c| out(ops::mish(c.e(0)?))),
    op("Softplus", |c| out(ops::softplus(c.e(0)?))),
    op("Softsign", |c| out(ops::softsign(c.e(0)?))),
    op("Shrink", |c| {
        let (lambda, bias) = (c.float("lambd", 0.5), c.float("bias", 0.0));
        out(ops::shrink(c.e(0)?, lambda, bias))
    }),
];

/// The constants of the paper are an operator; others are a scaled elu.
fn selu(c: &Call) -> Result<Vec<Value>> {
    let x: Expr = c.e(0)?;
    match (c.attribute("alpha"), c.attribute("gamma")) {
        (None, None) => out(ops::selu(x)),
        _ => {
            let (alpha, gamma) = (c.float("alpha", 1.673_263_2), c.float("gamma", 1.050_701));
            out(ops::mul(ops::elu(x, alpha)?, gamma))
        }
    }
}
