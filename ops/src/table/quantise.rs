//! Quantisation: floats as small integers with a scale and a zero point, integers of four bits,
//! and floats of eight.
//!
//! Everything here but the packing is lazy, so that quantised operands are dequantised inside the
//! kernel that uses them. Arithmetic is in f32, as ONNX has it.

pub mod float8;

use super::call::{Array, Attrs, Call};
use super::{Kind, Row, exact};
use crate::num::{Num, int_range};
use crate::reference::quantise as reference;
use crate::{Error, Expr, Result, Tensor};
use suanzi_codegen::Scalar;

/// What floats are quantised to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Signed, four bits, held in i8.
    I4,
    /// Unsigned, four bits, held in u8.
    U4,
    /// Signed, eight bits.
    I8,
    /// Unsigned, eight bits.
    U8,
    /// Signed, sixteen bits.
    I16,
    /// Unsigned, sixteen bits.
    U16,
}

impl Code {
    /// Every code, by its name.
    pub const NAMES: [(&'static str, Code); 6] = [
        ("i4", Code::I4),
        ("u4", Code::U4),
        ("i8", Code::I8),
        ("u8", Code::U8),
        ("i16", Code::I16),
        ("u16", Code::U16),
    ];

    /// The dtype that holds it.
    pub const fn dtype(self) -> Scalar {
        match self {
            Code::I4 | Code::I8 => Scalar::I8,
            Code::U4 | Code::U8 => Scalar::U8,
            Code::I16 => Scalar::I16,
            Code::U16 => Scalar::U16,
        }
    }

    /// The least and the greatest.
    pub fn range(self) -> (i64, i64) {
        match self {
            Code::I4 => (-8, 7),
            Code::U4 => (0, 15),
            code => {
                let (least, most) = int_range(code.dtype());
                (least as i64, most as i64)
            }
        }
    }

    /// The inverse of the names.
    pub fn named(name: &str) -> Option<Code> {
        let found = Code::NAMES.into_iter().find(|(n, _)| *n == name);
        found.map(|(_, code)| code)
    }
}

const REAL: &[Scalar] = &[Scalar::F32, Scalar::F16, Scalar::Bf16];
const CODES: &[Scalar] = &[
    Scalar::U8,
    Scalar::I8,
    Scalar::U16,
    Scalar::I16,
    Scalar::I32,
];

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "quantize_linear",
        doc: "`round(x / scale) + zero`, ties to even, saturated: one scale for all, for each position of an axis, or for each block of it; NaN gives 0. Four bits are held in a byte each.",
        dtypes: REAL,
        kind: Kind::Call(Call {
            examples: &[
                "33x7@T:0d:positive,u8:0d:offset9,to=u8",
                "5x7@T:7:positive,i8:7:index9,axis=1,to=i8",
                "5x7@T:5:positive,axis=-2,to=u16",
                "9x4@T:3x4:positive,i16:3x4:index100,axis=0,block=3,to=i16",
                "10x3@T:3x3:positive,axis=0,block=4,to=i4",
                "2x9x3@T:2x3x3:positive,u8:2x3x3:offset15,axis=1,block=4,to=u4",
                "0x3@T:0d:positive,to=u8",
                "7@T:1:positive,to=i8",
                "5x7@T:6:positive,axis=1,to=i8",
                "5x7@T:7:positive,axis=2,to=i8",
                "5x7@T:7:positive,i8:5:index3,axis=1,to=i8",
                "5x7@T:7:positive,u8:7:offset3,axis=1,to=i8",
                "9x4@T:3x4:positive,axis=0,block=2,to=i8",
                "5@T:0d:positive,to=i32",
            ],
            creates: false,
            run: |_, t, a| {
                let to = code(a).ok_or_else(|| Error::value("quantize_linear", "unknown code"))?;
                let (axis, block) = blocks(a);
                let q = functions::quantize_linear(&t[0], &t[1], t.get(2), to, axis, block)?;
                Ok(vec![q.eval()?])
            },
            reference: |t, a| {
                let to = code(a)?;
                let zero_fits = t.get(2).is_none_or(|z| z.dtype == to.dtype());
                zero_fits.then_some(())?;
                let scales = reference::spread(&t[0].shape, &t[1], a)?;
                let zeros = reference::zeros(&t[0].shape, t, a)?;
                let q = |i: usize| reference::quantized(t[0].values[i], scales[i], zeros[i], to);
                let values = (0..scales.len()).map(|i| Num::Int(q(i).into())).collect();
                Some(vec![Array::new(to.dtype(), &t[0].shape, values)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "dequantize_linear",
        doc: "`(q - zero) · scale` in f32, then in the scale's dtype; scales and zero points as for `quantize_linear`.",
        dtypes: CODES,
        kind: Kind::Call(Call {
            examples: &[
                "33x7@f32:0d:positive,T:0d:offset9",
                "5x7@f16:7:positive,T:7:offset9,axis=1",
                "5x7@f32:5:positive,axis=0",
                "9x4@bf16:3x4:positive,T:3x4:offset50,axis=0,block=3",
                "0@f32:0d:positive",
                "5x7@f32:6:positive,axis=1",
                "5x7@f32:2x3:positive,axis=1",
            ],
            creates: false,
            run: |_, t, a| {
                let (axis, block) = blocks(a);
                let x = functions::dequantize_linear(&t[0], &t[1], t.get(2), axis, block)?;
                Ok(vec![x.eval()?])
            },
            reference: |t, a| {
                let scales = reference::spread(&t[0].shape, &t[1], a)?;
                let zeros = reference::zeros(&t[0].shape, t, a)?;
                let x = |i: usize| {
                    let q = t[0].values[i].int() as f32 - zeros[i];
                    Num::Float((q * scales[i]).into())
                };
                let values = (0..scales.len()).map(x).collect();
                Some(vec![Array::new(t[1].dtype, &t[0].shape, values)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "fake_quant",
        doc: "What `dequantize_linear` makes of `quantize_linear`, without integers; NaN stays.",
        dtypes: REAL,
        kind: Kind::Call(Call {
            examples: &[
                "33x7@T:0d:positive,u8:0d:offset9,to=u8",
                "9x4@T:3x4:positive,i8:3x4:index7,axis=0,block=3,to=i4",
                "5x7@T:7:positive,axis=1,to=i16",
                "5x7@T:3:positive,axis=1,to=i8",
            ],
            creates: false,
            run: |_, t, a| {
                let to = code(a).ok_or_else(|| Error::value("fake_quant", "unknown code"))?;
                let (axis, block) = blocks(a);
                let y = functions::fake_quant(&t[0], &t[1], t.get(2), to, axis, block)?;
                Ok(vec![y.eval()?])
            },
            reference: |t, a| {
                let to = code(a)?;
                let scales = reference::spread(&t[0].shape, &t[1], a)?;
                let zeros = reference::zeros(&t[0].shape, t, a)?;
                let y = |i: usize| match t[0].values[i].float() / f64::from(scales[i]) {
                    y if y.is_nan() => Num::Float(y),
                    _ => {
                        let q = reference::quantized(t[0].values[i], scales[i], zeros[i], to);
                        Num::Float(((q as f32 - zeros[i]) * scales[i]).into())
                    }
                };
                let values = (0..scales.len()).map(y).collect();
                Some(vec![Array::new(t[0].dtype, &t[0].shape, values)])
            },
        }),
        limit: exact,
    },
    &Row {
        name: "dynamic_quantize_linear",
        doc: "f32 as u8 with the scale and zero point that its range (with 0 in it) asks for: codes, scale, zero point. Of all zeros and of nothing, scale 1 and zero point 0.",
        dtypes: &[Scalar::F32],
        kind: Kind::Call(Call {
            examples: &[
                "33x7@",
                "5000@x=unit",
                "77@x=positive",
                "0@",
                "1@",
                "3x5@x=index9",
            ],
            creates: false,
            run: |_, t, _| functions::dynamic_quantize_linear(&t[0]).map(<[Tensor; 3]>::into),
            reference: |t, _| Some(reference::dynamic(&t[0])),
        }),
        limit: exact,
    },
    &Row {
        name: "pack_int4",
        doc: "Pairs of i8 or u8 along the last axis as bytes, the low four bits of each, the first in the lower half; a half without partner is 0.",
        dtypes: &[Scalar::I8, Scalar::U8],
        kind: Kind::Call(Call {
            examples: &[
                "5x8@",
                "5x7@x=index8",
                "1@",
                "3x0@",
                "0x3@",
                "2x3x129@",
                "0d@",
            ],
            creates: false,
            run: |_, t, _| Ok(vec![functions::pack_int4(&t[0])?.eval()?]),
            reference: |t, _| reference::packed(&t[0]).map(|p| vec![p]),
        }),
        limit: exact,
    },
    &Row {
        name: "unpack_int4",
        doc: "The inverse of `pack_int4` for a length of the last axis: as i8 where `signed`, else as u8.",
        dtypes: &[Scalar::U8],
        kind: Kind::Call(Call {
            examples: &[
                "5x4@length=8",
                "5x4@length=7,signed=1",
                "1@length=1,signed=1",
                "3x0@length=0",
                "5x4@length=9",
                "5x4@length=6",
                "0d@length=1",
            ],
            creates: false,
            run: |_, t, a| {
                let length = a.int("length", 0) as usize;
                let x = functions::unpack_int4(&t[0], length, a.flag("signed"))?;
                Ok(vec![x.eval()?])
            },
            reference: |t, a| {
                let length = a.int("length", 0) as usize;
                reference::unpacked(&t[0], length, a.flag("signed")).map(|x| vec![x])
            },
        }),
        limit: exact,
    },
    &float8::TO,
    &float8::FROM,
];

/// Scales or zero points over a tensor: one for all, one for each position of an axis, or, of the
/// tensor's own rank, one for each block along it.
fn spread(op: &str, values: &Tensor, shape: &[usize], axis: i64, block: usize) -> Result<Expr> {
    let refuse = |why: String| Error::shape(op, [values.shape(), shape], why);
    let rank = shape.len();
    if values.numel() == 1 && values.shape().len() <= 1 {
        return Ok(values.reshape(&[])?.expr());
    }
    let axis = crate::shape::normalise_axis(op, axis, shape)?;
    if values.shape().len() == 1 && block == 0 {
        if values.shape()[0] != shape[axis] {
            return Err(refuse(format!("axis {axis} has {} positions", shape[axis])));
        }
        let mut column = values.clone();
        for _ in axis + 1..rank {
            column = column.unsqueeze(column.shape().len() as i64)?;
        }
        return Ok(column.expr());
    }
    let mut blocks = shape.to_vec();
    if block > 0 {
        blocks[axis] = shape[axis].div_ceil(block);
    }
    if block == 0 || values.shape() != blocks {
        return Err(refuse(format!(
            "blocks of {block} along axis {axis} are {blocks:?}"
        )));
    }
    let mut coords = coordinates(values, shape)?;
    coords[axis] = crate::ops::div(&coords[axis], block as i64)?;
    Expr::at(values, &coords, crate::Outside::Clamp)
}

/// The coordinates of every position of a shape.
fn coordinates(x: &Tensor, of: &[usize]) -> Result<Vec<Expr>> {
    let position = |a: usize| Expr::position(x.context(), of, a as i64);
    (0..of.len()).map(position).collect()
}

/// Scale and zero point in f32, over a shape.
fn parameters(
    op: &str,
    shape: &[usize],
    scale: &Tensor,
    zero: Option<&Tensor>,
    axis: i64,
    block: usize,
) -> Result<(Expr, Option<Expr>)> {
    if !REAL.contains(&scale.dtype()) {
        let why = "the scale must be f32, f16 or bf16";
        return Err(Error::dtype(op, [scale.dtype()], why));
    }
    if let Some(zero) = zero.filter(|z| z.shape() != scale.shape()) {
        let why = "scale and zero point have different shapes";
        return Err(Error::shape(op, [scale.shape(), zero.shape()], why));
    }
    let f32 = |t: &Tensor| -> Result<Expr> {
        let t = spread(op, t, shape, axis, block)?;
        Ok(crate::ops::cast(t, Scalar::F32))
    };
    Ok((f32(scale)?, zero.map(f32).transpose()?))
}

/// `clamp(round(x / scale) + zero)`, in f32.
fn codes(x: Expr, scale: &Expr, zero: Option<&Expr>, to: Code) -> Result<Expr> {
    use crate::ops;
    let x = ops::cast(x, Scalar::F32);
    let mut q = ops::round(ops::div(x, scale)?)?;
    if let Some(zero) = zero {
        q = ops::add(q, zero)?;
    }
    let (least, most) = to.range();
    ops::clamp(q, least as f64, most as f64)
}

/// One function for each row.
pub mod functions {
    use super::*;
    use crate::Outside;
    use crate::ops;

    pub use super::Code;
    pub use super::float8::{Float8, from_f8, to_f8};

    fn real(op: &str, x: &Expr) -> Result<()> {
        match REAL.contains(&x.dtype()) {
            true => Ok(()),
            false => Err(Error::dtype(op, [x.dtype()], "it takes f32, f16 and bf16")),
        }
    }

    fn zero_fits(op: &str, zero: Option<&Tensor>, to: Code) -> Result<()> {
        match zero {
            Some(z) if z.dtype() != to.dtype() => {
                let why = format!("the zero point must be {}", to.dtype());
                Err(Error::dtype(op, [z.dtype()], why))
            }
            _ => Ok(()),
        }
    }

    /// `round(x / scale) + zero_point`, ties to even, saturated. The scale (and zero point) has one
    /// element for all, one for each position of `axis`, or, with `block > 0`, the shape of `x` with
    /// one for each block along it. NaN gives 0. Lazy.
    ///
    /// # Errors
    /// Where dtypes or shapes do not fit, or the axis is out of range.
    pub fn quantize_linear(
        x: impl Into<Expr>,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
        to: Code,
        axis: i64,
        block: usize,
    ) -> Result<Expr> {
        let (op, x) = ("quantize_linear", x.into());
        real(op, &x)?;
        zero_fits(op, zero_point, to)?;
        let (scale, zero) = parameters(op, x.shape(), scale, zero_point, axis, block)?;
        Ok(ops::cast(codes(x, &scale, zero.as_ref(), to)?, to.dtype()))
    }

    /// `(q - zero_point) · scale`, in the scale's dtype. Lazy.
    ///
    /// # Errors
    /// As [`quantize_linear`].
    pub fn dequantize_linear(
        q: impl Into<Expr>,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
        axis: i64,
        block: usize,
    ) -> Result<Expr> {
        let (op, q) = ("dequantize_linear", q.into());
        if !CODES.contains(&q.dtype()) {
            let why = "it takes u8, i8, u16, i16 and i32";
            return Err(Error::dtype(op, [q.dtype()], why));
        }
        if let Some(z) = zero_point.filter(|z| z.dtype() != q.dtype()) {
            let why = "codes and zero point differ";
            return Err(Error::dtype(op, [q.dtype(), z.dtype()], why));
        }
        let dtype = scale.dtype();
        let (scale, zero) = parameters(op, q.shape(), scale, zero_point, axis, block)?;
        let mut x = ops::cast(q, Scalar::F32);
        if let Some(zero) = zero {
            x = ops::sub(x, zero)?;
        }
        Ok(ops::cast(ops::mul(x, scale)?, dtype))
    }

    /// What becomes of `x` by quantising and dequantising it. Lazy.
    ///
    /// # Errors
    /// As [`quantize_linear`].
    pub fn fake_quant(
        x: impl Into<Expr>,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
        to: Code,
        axis: i64,
        block: usize,
    ) -> Result<Expr> {
        let (op, x) = ("fake_quant", x.into());
        real(op, &x)?;
        let dtype = x.dtype();
        let (scale, zero) = parameters(op, x.shape(), scale, zero_point, axis, block)?;
        let y = codes(x, &scale, zero.as_ref(), to)?;
        // No -0, which integers do not have.
        let y = match &zero {
            Some(zero) => ops::sub(y, zero)?,
            None => ops::add(y, 0.0)?,
        };
        Ok(ops::cast(ops::mul(y, scale)?, dtype))
    }

    /// f32 as u8, with a scale and a zero point found from the data: `[codes, scale, zero point]`.
    /// The range is made to hold 0; where it is nothing else, the scale is 1.
    ///
    /// # Errors
    /// Where the dtype is not f32.
    pub fn dynamic_quantize_linear(x: &Tensor) -> Result<[Tensor; 3]> {
        let op = "dynamic_quantize_linear";
        if x.dtype() != Scalar::F32 {
            return Err(Error::dtype(op, [x.dtype()], "it takes f32"));
        }
        let most = ops::maximum(&ops::max(x, &[], false)?, 0.0)?;
        let least = ops::minimum(&ops::min(x, &[], false)?, 0.0)?;
        let scale = ops::div(ops::sub(most, &least)?, 255.0)?;
        let none = ops::eq(&scale, 0.0)?;
        let scale = ops::where_(none, 1.0, scale)?.eval()?;
        let zero = ops::sub(0.0, ops::div(least, &scale)?)?;
        let zero = ops::round(ops::clamp(zero, 0.0, 255.0)?)?;
        let zero = ops::cast(zero, Scalar::U8).eval()?;
        let codes = quantize_linear(x, &scale, Some(&zero), Code::U8, 0, 0)?;
        Ok([codes.eval()?, scale, zero])
    }

    /// The last axis, and its length.
    fn last_of(op: &str, x: &Tensor) -> Result<(usize, usize)> {
        let last = x.shape().split_last();
        let last = last.map(|(&length, before)| (before.len(), length));
        last.ok_or_else(|| Error::shape(op, [x.shape()], "there is no axis to pack along"))
    }

    /// Pairs along the last axis as bytes, the first of each in the lower four bits, which are all
    /// that is kept; beside an odd last one, 0. Lazy.
    ///
    /// # Errors
    /// Where the dtype is neither i8 nor u8, or there is no axis.
    pub fn pack_int4(x: &Tensor) -> Result<Expr> {
        let op = "pack_int4";
        if ![Scalar::I8, Scalar::U8].contains(&x.dtype()) {
            return Err(Error::dtype(op, [x.dtype()], "it takes i8 and u8"));
        }
        let mut shape = x.shape().to_vec();
        let (last, length) = last_of(op, x)?;
        shape[last] = length.div_ceil(2);
        let places = coordinates(x, &shape)?;
        let half = |add: i32| -> Result<Expr> {
            let mut coords = places.clone();
            coords[last] = ops::add(ops::mul(&coords[last], 2)?, add)?;
            let v = Expr::at(x, &coords, Outside::Fill(Num::Int(0)))?;
            ops::bitwise_and(ops::cast_wrap(v, Scalar::U8), 15)
        };
        ops::bitwise_or(half(0)?, ops::shift_left(half(1)?, 4)?)
    }

    /// The inverse of [`pack_int4`]: i8 from -8 to 7 where `signed`, else u8 from 0 to 15. Lazy.
    ///
    /// # Errors
    /// Where the dtype is not u8, or `length` is not that of an axis packed so.
    pub fn unpack_int4(packed: &Tensor, length: usize, signed: bool) -> Result<Expr> {
        let op = "unpack_int4";
        if packed.dtype() != Scalar::U8 {
            return Err(Error::dtype(op, [packed.dtype()], "it takes u8"));
        }
        let (last, bytes) = last_of(op, packed)?;
        if length.div_ceil(2) != bytes {
            let why = format!("{length} elements are not packed in {bytes} bytes");
            return Err(Error::shape(op, [packed.shape()], why));
        }
        let mut shape = packed.shape().to_vec();
        shape[last] = length;
        if shape.contains(&0) {
            let dtype = if signed { Scalar::I8 } else { Scalar::U8 };
            return Ok(Expr::fill(packed.context(), dtype, &shape, Num::Int(0)));
        }
        let mut coords = coordinates(packed, &shape)?;
        let place = coords[last].clone();
        coords[last] = ops::div(&place, 2)?;
        let byte = Expr::at(packed, &coords, Outside::Clamp)?;
        let shift = ops::mul(ops::bitwise_and(place, 1)?, 4)?;
        let shift = ops::cast_wrap(shift, Scalar::U8);
        let code = ops::bitwise_and(ops::shift_right_logical(byte, shift)?, 15)?;
        match signed {
            true => {
                let flipped = ops::bitwise_xor(ops::cast_wrap(code, Scalar::I8), 8)?;
                ops::sub(flipped, 8)
            }
            false => Ok(code),
        }
    }
}

fn code(a: &Attrs) -> Option<Code> {
    Code::named(a.text("to", "u8"))
}

fn blocks(a: &Attrs) -> (i64, usize) {
    (a.int("axis", 1), a.int("block", 0) as usize)
}

fn format(a: &Attrs) -> Option<float8::Float8> {
    float8::Float8::named(a.text("format", "e4m3fn"))
}
