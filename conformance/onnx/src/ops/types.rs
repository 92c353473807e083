//! Conversions between kinds of elements.

use super::{Op, exact, view};
use crate::array::Elem;
use crate::call::{Call, Value};
use crate::error::{Result, malformed, uncovered};
use suanzi_ops::{Scalar, ops};

pub const OPS: &[Op] = &[
    exact("Cast", |c| {
        let to = c.elem("to")?;
        cast(c, to.ok_or_else(|| malformed("Cast has no `to`"))?)
    }),
    exact("CastLike", |c| {
        let like = c.value(1);
        cast(
            c,
            like.ok_or_else(|| malformed("CastLike has no input 1"))?
                .elem,
        )
    }),
    view("BitCast", |c| {
        let to = c.elem("to")?;
        let to = to.ok_or_else(|| malformed("BitCast has no `to`"))?;
        let tensor = c.x(0)?.bitcast(to.storage())?;
        Ok(vec![Value { tensor, elem: to }])
    }),
];

fn cast(c: &Call, to: Elem) -> Result<Vec<Value>> {
    let (x, Elem::Plain(to)) = (c.e(0)?, to) else {
        return Err(uncovered(format!("a cast to {to:?}")));
    };
    // Between integers ONNX keeps the low bits; floats out of range are undefined there.
    let wraps = to.is_int() && (x.dtype().is_int() || x.dtype() == Scalar::Bool);
    let y = if wraps {
        ops::cast_wrap(x, to)
    } else {
        ops::cast(x, to)
    };
    Ok(vec![ops::copy(y)?.eval()?.into()])
}
