//! Conversions between kinds of elements.

use super::{Op, exact, view};
use crate::array::Elem;
use crate::call::{Call, Value};
use crate::error::{Result, malformed};
use suanzi_ops::{Expr, Scalar, ops};

pub const OPS: &[Op] = &[
    exact("Cast", |c| {
        let to = c.elem("to")?;
        cast(c, to.ok_or_else(|| malformed("Cast has no `to`"))?)
    }),
    exact("CastLike", |c| {
        let like = c.value(1);
        let like = like.ok_or_else(|| malformed("CastLike has no input 1"))?;
        cast(c, like.elem)
    }),
    view("BitCast", |c| {
        let to = c.elem("to")?;
        let to = to.ok_or_else(|| malformed("BitCast has no `to`"))?;
        let tensor = c.x(0)?.bitcast(to.storage())?;
        Ok(vec![Value { tensor, elem: to }])
    }),
];

fn cast(c: &Call, to: Elem) -> Result<Vec<Value>> {
    let x = c.value(0).ok_or_else(|| malformed("no input 0"))?;
    let through = if to.storage().is_float() {
        to.storage()
    } else {
        Scalar::F32
    };
    let numbers = decoded(x, through)?;
    Ok(vec![encoded(numbers, to, c.flag("saturate", true))?])
}

/// Elements as numbers to compute with; of 8-bit floats, in a dtype.
pub fn decoded(x: &Value, floats: Scalar) -> Result<Expr> {
    match x.elem {
        Elem::F8(format) => Ok(ops::from_f8(&x.tensor, format, floats)?),
        Elem::Plain(_) | Elem::Small { .. } => Ok(x.tensor.expr()),
    }
}

/// Numbers as elements of a kind. Between integers ONNX keeps the low bits; floats beyond an
/// integer are undefined there, and saturate here.
pub fn encoded(x: Expr, to: Elem, saturate: bool) -> Result<Value> {
    let whole = !x.dtype().is_float();
    let y = match to {
        Elem::F8(format) if whole => ops::to_f8(ops::cast(x, Scalar::F32), format, saturate)?,
        Elem::F8(format) => ops::to_f8(x, format, saturate)?,
        Elem::Small { bits, signed } => {
            // The low bits, moved to the top and back.
            let (storage, unused) = (to.storage(), 8 - i64::from(bits));
            let low = ops::shift_left(ops::cast_wrap(x, storage), unused)?;
            match signed {
                true => ops::shift_right_arithmetic(low, unused)?,
                false => ops::shift_right_logical(low, unused)?,
            }
        }
        Elem::Plain(to) if to.is_int() && whole => ops::copy(ops::cast_wrap(x, to))?,
        Elem::Plain(to) => ops::copy(ops::cast(x, to))?,
    };
    Ok(Value {
        tensor: y.eval()?,
        elem: to,
    })
}
