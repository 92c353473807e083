//! The vendor's library of layers in place of generated kernels: convolutions with at most a bias, and
//! maps that are one operator over whole tensors of one dtype.

use super::failed;
use crate::error::Result;
use crate::expr::{Expr, NodeKind};
use crate::tensor::Tensor;
use suanzi_backends::vendor::{Convolution, Elementwise, Strided};
use suanzi_codegen::ir::CastMode;

/// How a window slides over an image: one entry for each of its axes.
pub struct Slide<'a> {
    /// Zeros (before, after) the image.
    pub pads: &'a [(usize, usize)],
    /// From place to place.
    pub strides: &'a [usize],
    /// From element to element of the window.
    pub dilations: &'a [usize],
    /// Groups of channels.
    pub groups: usize,
}

fn strided(t: &Tensor) -> Strided<'_> {
    Strided {
        memory: t.buffer().memory(),
        offset: t.offset() as u64,
        shape: t.shape(),
        strides: t.strides(),
    }
}

/// Has the library do a convolution, if one is to be used and does it. Channels are the second axis of
/// all; the result is in `out`, which has memory of its own.
pub fn convolution(
    op: &str,
    [x, w]: [&Tensor; 2],
    bias: Option<&Tensor>,
    slide: &Slide<'_>,
    out: &Tensor,
) -> Result<bool> {
    let (ctx, dtype) = (out.context(), out.dtype());
    let Some(dnn) = ctx.dnn().filter(|_| x.dtype() == dtype) else {
        return Ok(false);
    };
    // What is added is copied into the result first. The library may still refuse; the kernel that
    // then runs writes over it.
    if let Some(bias) = bias {
        let mut shape = vec![1; out.shape().len()];
        shape[1] = bias.numel();
        let bias = bias.reshape(&shape)?.expand(out.shape())?;
        bias.expr().cast(dtype, CastMode::Saturate).eval_into(out)?;
    }
    let asked = Convolution {
        dtype,
        x: strided(x),
        w: strided(w),
        y: strided(out),
        pads: slide.pads,
        strides: slide.strides,
        dilations: slide.dilations,
        groups: slide.groups,
        alpha: 1.0,
        beta: if bias.is_some() { 1.0 } else { 0.0 },
    };
    let done = dnn.convolution(&asked);
    let done = done.map_err(|e| failed(op, &out.expr(), e))?;
    if done {
        ctx.dispatched(op, "convolution", dnn.name(), [1, 1, 1]);
    }
    Ok(done)
}

/// Has the library do a map, if one is to be used and does it.
pub fn elementwise(expr: &Expr, out: &Tensor) -> Result<bool> {
    let ctx = out.context();
    let (Some(dnn), NodeKind::Map(row, _, args)) = (ctx.dnn(), &expr.0.kind) else {
        return Ok(false);
    };
    let mut inputs = vec![];
    for arg in args {
        // In place is not in the library's contract.
        let fits = |t: &&Tensor| {
            let apart = !t.buffer().memory().same(out.buffer().memory());
            apart && t.shape() == out.shape() && t.dtype() == out.dtype()
        };
        match arg.tensor().filter(fits) {
            Some(tensor) => inputs.push(strided(tensor)),
            None => return Ok(false),
        }
    }
    let asked = Elementwise {
        name: row.name,
        dtype: out.dtype(),
        inputs: &inputs,
        out: strided(out),
    };
    let done = dnn.elementwise(&asked);
    let done = done.map_err(|e| failed(row.name, expr, e))?;
    if done {
        ctx.dispatched(row.name, "elementwise", dnn.name(), [1, 1, 1]);
    }
    Ok(done)
}
