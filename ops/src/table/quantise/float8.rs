//! Floats of eight bits, as codes in u8 tensors: a storage type, which nothing computes in.
//!
//! Formats and casts are those of ONNX and the OCP: e4m3fn and e5m2, and the two without negative
//! zero (fnuz), whose one NaN has its code.

use super::super::call::{Array, Call};
use super::super::{Domain, Inputs, Kind, Map, Output, Row, exact};
use super::format;
use crate::error::{Error, Result};
use crate::num::Num;
use crate::reference::quantise as reference;
use crate::{Expr, ops};
use suanzi_codegen::math::formula;
use suanzi_codegen::{Builder, Scalar, Value};

/// A format of eight bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Float8 {
    /// Four bits of exponent (bias 7), three of mantissa; no infinity, up to 448.
    E4m3fn,
    /// Five bits of exponent (bias 15), two of mantissa; infinities, up to 57344.
    E5m2,
    /// As e4m3fn with bias 8, up to 240; no infinity, no -0, one NaN.
    E4m3fnuz,
    /// As e5m2 with bias 16, up to 57344; no infinity, no -0, one NaN.
    E5m2fnuz,
}

/// What a format is made of.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    mantissa: i64,
    bias: i64,
    /// The greatest finite code without its sign.
    most: i64,
    /// What numbers beyond it become where they do not saturate, without the sign.
    beyond: i64,
    /// The code of -0 is the only NaN.
    single_zero: bool,
}

const LAYOUTS: [Layout; 4] = [
    Layout {
        name: "e4m3fn",
        mantissa: 3,
        bias: 7,
        most: 0x7e,
        beyond: 0x7f,
        single_zero: false,
    },
    Layout {
        name: "e5m2",
        mantissa: 2,
        bias: 15,
        most: 0x7b,
        beyond: 0x7c,
        single_zero: false,
    },
    Layout {
        name: "e4m3fnuz",
        mantissa: 3,
        bias: 8,
        most: 0x7f,
        beyond: 0,
        single_zero: true,
    },
    Layout {
        name: "e5m2fnuz",
        mantissa: 2,
        bias: 16,
        most: 0x7f,
        beyond: 0,
        single_zero: true,
    },
];

impl Float8 {
    /// Every format.
    pub const ALL: [Float8; 4] = [
        Float8::E4m3fn,
        Float8::E5m2,
        Float8::E4m3fnuz,
        Float8::E5m2fnuz,
    ];

    /// Its name, as ONNX and others have it.
    pub fn name(self) -> &'static str {
        LAYOUTS[self as usize].name
    }

    /// The inverse of [`Float8::name`].
    pub fn named(name: &str) -> Option<Float8> {
        Float8::ALL.into_iter().find(|f| f.name() == name)
    }
}

const FLOATS: &[Scalar] = &[Scalar::F32, Scalar::F16, Scalar::Bf16, Scalar::F64];

/// Into eight bits.
pub const TO: Row = Row {
    name: "to_f8",
    doc: "The code of the nearest number of an eight-bit format, ties to even. What is out of range (after rounding) becomes the greatest number with `saturate`, infinity too; else infinity in e5m2 and NaN in the others. NaN gives the NaN of positive sign.",
    dtypes: FLOATS,
    kind: Kind::Call(Call {
        examples: &[
            "3000@format=e4m3fn,saturate=1",
            "3000@format=e4m3fn",
            "3000@format=e5m2,saturate=1",
            "3000@format=e5m2",
            "3000@format=e4m3fnuz,saturate=1",
            "3000@format=e4m3fnuz",
            "3000@format=e5m2fnuz,saturate=1",
            "3000@format=e5m2fnuz",
            "700@format=e4m3fn,x=unit",
            "0@format=e5m2",
            "9@format=e3m4",
        ],
        creates: false,
        run: |_, t, a| {
            let format = format(a).ok_or_else(|| Error::value("to_f8", "unknown format"))?;
            Ok(vec![to_f8(&t[0], format, a.flag("saturate"))?.eval()?])
        },
        reference: |t, a| {
            let format = format(a)?;
            let values = t[0].values.iter();
            let code = |x: &Num| reference::to_f8(format, x.float(), a.flag("saturate"));
            let codes = values.map(|x| Num::Int(code(x).into())).collect();
            Some(vec![Array::new(Scalar::U8, &t[0].shape, codes)])
        },
    }),
    limit: exact,
};

/// From eight bits.
pub const FROM: Row = Row {
    name: "from_f8",
    doc: "The number that an eight-bit code stands for, exactly, in any float dtype.",
    dtypes: &[Scalar::U8],
    kind: Kind::Call(Call {
        examples: &[
            "2000@format=e4m3fn,to=f32",
            "2000@format=e5m2,to=f16",
            "2000@format=e4m3fnuz,to=bf16",
            "2000@format=e5m2fnuz,to=f64",
            "2000@format=e4m3fn,to=f16",
            "2000@format=e5m2fnuz,to=f32",
            "0@format=e5m2,to=f32",
            "9@format=e5m2,to=i32",
        ],
        creates: false,
        run: |_, t, a| {
            let format = format(a).ok_or_else(|| Error::value("from_f8", "unknown format"))?;
            Ok(vec![
                from_f8(&t[0], format, a.scalar("to", Scalar::F32))?.eval()?,
            ])
        },
        reference: |t, a| {
            let (format, to) = (format(a)?, a.scalar("to", Scalar::F32));
            to.is_float().then_some(())?;
            let number = |c: &Num| Num::Float(reference::from_f8(format, c.int() as u8));
            let values = t[0].values.iter().map(number).collect();
            Some(vec![Array::new(to, &t[0].shape, values)])
        },
    }),
    limit: exact,
};

/// The codes of the nearest numbers of a format. Lazy.
///
/// # Errors
/// Where the dtype is no float.
pub fn to_f8(x: impl Into<Expr>, format: Float8, saturate: bool) -> Result<Expr> {
    let x = x.into();
    let kind = match x.dtype() {
        Scalar::F64 => Scalar::F64,
        t if t.is_float() => Scalar::F32,
        t => return Err(Error::dtype("to_f8", [t], "it takes floats")),
    };
    let row = &ENCODE[format as usize][usize::from(saturate)];
    Expr::apply(row, &[ops::cast(x, kind)])
}

/// The numbers of codes, in a float dtype. Lazy.
///
/// # Errors
/// Where the codes are not u8, or the dtype is no float.
pub fn from_f8(codes: impl Into<Expr>, format: Float8, dtype: Scalar) -> Result<Expr> {
    if !dtype.is_float() {
        return Err(Error::dtype("from_f8", [dtype], "it makes floats"));
    }
    let x = Expr::apply(&DECODE[format as usize], &[codes.into()])?;
    Ok(ops::cast(x, dtype))
}

/// By format, without and with saturation.
static ENCODE: [[Row; 2]; 4] = [
    [
        encoder::<0, false>("to_e4m3fn"),
        encoder::<0, true>("to_e4m3fn_saturating"),
    ],
    [
        encoder::<1, false>("to_e5m2"),
        encoder::<1, true>("to_e5m2_saturating"),
    ],
    [
        encoder::<2, false>("to_e4m3fnuz"),
        encoder::<2, true>("to_e4m3fnuz_saturating"),
    ],
    [
        encoder::<3, false>("to_e5m2fnuz"),
        encoder::<3, true>("to_e5m2fnuz_saturating"),
    ],
];

static DECODE: [Row; 4] = [
    decoder::<0>("from_e4m3fn"),
    decoder::<1>("from_e5m2"),
    decoder::<2>("from_e4m3fnuz"),
    decoder::<3>("from_e5m2fnuz"),
];

const fn encoder<const FORMAT: usize, const SATURATE: bool>(name: &'static str) -> Row {
    part(name, FLOATS, Scalar::U8, |b, x| {
        encode(b, x[0], LAYOUTS[FORMAT], SATURATE)
    })
}

const fn decoder<const FORMAT: usize>(name: &'static str) -> Row {
    part(name, &[Scalar::U8], Scalar::F32, |b, x| {
        decode(b, x[0], LAYOUTS[FORMAT])
    })
}

/// A map that is part of the two operators and none by itself.
const fn part(
    name: &'static str,
    dtypes: &'static [Scalar],
    gives: Scalar,
    build: fn(&mut Builder, &[Value]) -> Value,
) -> Row {
    Row {
        name,
        doc: "",
        dtypes,
        kind: Kind::Map(Map {
            inputs: Inputs::Same(1),
            output: Output::Always(gives),
            build,
            reference: |_, x| x[0],
            domain: Domain::Any,
        }),
        limit: exact,
    }
}

/// The code of a number. In units of the last place that its exponent has in the format (and never
/// below that of a denormal) the number is rounded to a whole one; a carry moves into the exponent.
fn encode(b: &mut Builder, x: Value, f: Layout, saturate: bool) -> Value {
    formula(b, [x], |[x]| {
        let size = x.abs();
        let exponent = (size.signed() >> x.pick(23, 52)) - x.pick(127, 1023);
        let exponent = exponent.max(1 - f.bias);
        let units = (size * (f.mantissa - exponent).power_of_two())
            .rint()
            .whole();
        let code = ((exponent + (f.bias - 1)) << f.mantissa) + units;
        let sign = (x.signed() >> x.pick(24, 56)) & 0x80;
        let nan = code.c(if f.single_zero { 0x80i64 } else { 0x7f });
        let (most, beyond) = match f.single_zero {
            true => (sign | f.most, nan),
            false => (sign | f.most, sign | f.beyond),
        };
        let over = if saturate { most } else { beyond };
        let signed = match f.single_zero {
            true => code.eq(0).select(code, sign | code),
            false => sign | code,
        };
        let y = code.gt(f.most).select(over, signed);
        let y = x.is_inf().select(over, y);
        x.is_nan().select(nan, y).cast(Scalar::U8)
    })
}

/// The number of a code, in f32, where all of them are normal.
fn decode(b: &mut Builder, x: Value, f: Layout) -> Value {
    formula(b, [x], |[code]| {
        let code = code.cast(Scalar::I32);
        let low = code & ((1 << f.mantissa) - 1);
        let exponent = (code >> f.mantissa) & ((1 << (7 - f.mantissa)) - 1);
        let denormal = exponent.eq(0);
        let units = denormal.select(low, low | (1 << f.mantissa));
        let unit = exponent.max(1) - (f.bias + f.mantissa);
        let size = units.to_float() * unit.power_of_two();
        let sign = (code & 0x80) << 24;
        let y = (size.signed() | sign).float();
        let magnitude = code & 0x7f;
        match (f.single_zero, f.beyond) {
            (true, _) => code.eq(0x80).select(f64::NAN, y),
            (false, 0x7f) => magnitude.eq(0x7f).select(f64::NAN, y),
            (false, beyond) => {
                let infinite = (sign | 0x7f80_0000).float();
                let y = magnitude.eq(beyond).select(infinite, y);
                magnitude.gt(beyond).select(f64::NAN, y)
            }
        }
    })
}
