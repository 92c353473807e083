//! Quantisation.

use super::types::{decoded, encoded};
use super::{Op, exact, op};
use crate::array::Elem;
use crate::call::{Call, Value};
use crate::error::{Result, malformed, uncovered};
use suanzi_ops::ops::{self, Code};
use suanzi_ops::{Expr, Scalar, Tensor};

pub const OPS: &[Op] = &[
    exact("QuantizeLinear", quantise),
    op("DequantizeLinear", dequantise),
    op("DynamicQuantizeLinear", |c| {
        let [codes, scale, zero] = ops::dynamic_quantize_linear(c.x(0)?)?;
        Ok(vec![codes.into(), scale.into(), zero.into()])
    }),
];

/// The axis and block size of the scale.
fn layout(c: &Call) -> Result<(i64, usize)> {
    let block = usize::try_from(c.int("block_size", 0));
    Ok((
        c.int("axis", 1),
        block.map_err(|_| malformed("a negative block"))?,
    ))
}

/// To the kind of the zero point, or the one that is named; u8 otherwise.
fn quantise(c: &Call) -> Result<Vec<Value>> {
    let named = c.elem("output_dtype")?;
    let to = c.value(2).map(|v| v.elem).or(named);
    let to = to.unwrap_or(Elem::Plain(Scalar::U8));
    let ((axis, block), scale) = (layout(c)?, c.x(1)?);
    if let Elem::F8(_) = to {
        // The code of x / scale: an 8-bit float has no zero point but 0.
        return Ok(vec![encoded(
            ops::div(c.e(0)?, along(c, scale)?)?,
            to,
            true,
        )?]);
    }
    let q = ops::quantize_linear(c.e(0)?, scale, c.get(2), code(to)?, axis, block)?;
    Ok(vec![Value {
        tensor: q.eval()?,
        elem: to,
    }])
}

fn dequantise(c: &Call) -> Result<Vec<Value>> {
    let q = c.value(0).ok_or_else(|| malformed("no input 0"))?;
    let ((axis, block), scale) = (layout(c)?, c.x(1)?);
    if let Elem::F8(_) = q.elem {
        let x = decoded(q, scale.dtype())?;
        return Ok(vec![ops::mul(x, along(c, scale)?)?.eval()?.into()]);
    }
    // One number may be written as [] or as [1].
    let alike = |z: &Tensor| match z.numel() == 1 && scale.numel() == 1 {
        true => z.reshape(scale.shape()),
        false => Ok(z.clone()),
    };
    let zero = c.get(2).map(alike).transpose()?;
    let x = ops::dequantize_linear(&q.tensor, scale, zero.as_ref(), axis, block)?;
    Ok(vec![x.eval()?.into()])
}

fn code(elem: Elem) -> Result<Code> {
    Ok(match elem {
        Elem::Plain(Scalar::I8) => Code::I8,
        Elem::Plain(Scalar::U8) => Code::U8,
        Elem::Plain(Scalar::I16) => Code::I16,
        Elem::Plain(Scalar::U16) => Code::U16,
        Elem::Small { bits: 4, signed } => match signed {
            true => Code::I4,
            false => Code::U4,
        },
        other => return Err(uncovered(format!("quantising to {other:?}"))),
    })
}

/// A scale for each position of the axis, to broadcast over the first input.
fn along(c: &Call, scale: &Tensor) -> Result<Expr> {
    let rank = c.x(0)?.shape().len();
    if scale.numel() == 1 {
        return Ok(scale.reshape(&[])?.expr());
    }
    let (axis, block) = layout(c)?;
    if block > 0 {
        return c.unknown("blocks of 8-bit floats");
    }
    let mut shape = vec![1; rank];
    shape[c.axis(axis, rank)?] = scale.numel();
    Ok(scale.reshape(&shape)?.expr())
}
