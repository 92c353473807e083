//! References of quantisation, in plain f32 as the definitions have it, and of eight-bit floats by
//! looking through all of them.

use crate::num::{Num, int_range};
use crate::table::call::{Array, Attrs, positions};
use crate::table::quantise::Code;
use crate::table::quantise::float8::Float8;
use suanzi_codegen::Scalar;

/// The value at a position.
type Find<'a> = dyn Fn(&[usize]) -> Num + 'a;

/// The number that `values` (scales, zero points) has for each element of a shape.
pub fn spread(shape: &[usize], values: &Array, a: &Attrs) -> Option<Vec<f32>> {
    let (axis, block) = (a.int("axis", 1), a.int("block", 0) as usize);
    let one = values.values.len() == 1 && values.shape.len() <= 1;
    if one {
        let count = shape.iter().product();
        return Some(vec![values.values[0].float() as f32; count]);
    }
    let rank = shape.len() as i64;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
    let along = *shape.get(axis)?;
    let find: Box<Find<'_>> = match (values.shape.len(), block) {
        (1, 0) if values.shape[0] == along => Box::new(|at| values.values[at[axis]]),
        (n, 1..) if n == shape.len() => {
            for (i, (&have, &of)) in values.shape.iter().zip(shape).enumerate() {
                let want = if i == axis { of.div_ceil(block) } else { of };
                (have == want).then_some(())?;
            }
            Box::new(|at| {
                let mut at = at.to_vec();
                at[axis] /= block;
                values.at(&at)
            })
        }
        _ => return None,
    };
    Some(
        positions(shape)
            .map(|at| find(&at).float() as f32)
            .collect(),
    )
}

/// The zero point of each element: the third operand, or 0.
pub fn zeros(shape: &[usize], operands: &[Array], a: &Attrs) -> Option<Vec<f32>> {
    match operands.get(2) {
        Some(z) if z.shape != operands[1].shape => None,
        Some(z) => spread(shape, z, a),
        None => Some(vec![0.0; shape.iter().product()]),
    }
}

/// The code of one number.
pub fn quantized(x: Num, scale: f32, zero: f32, to: Code) -> i64 {
    let q = (x.float() as f32 / scale).round_ties_even() + zero;
    let (least, most) = to.range();
    // NaN becomes 0, which every code has.
    (q as i64).clamp(least, most)
}

/// Codes, scale and zero point found from the data.
pub fn dynamic(x: &Array) -> Vec<Array> {
    let xs: Vec<f32> = x.values.iter().map(|v| v.float() as f32).collect();
    let nan = xs.iter().any(|v| v.is_nan());
    let most = xs.iter().fold(0f32, |m, &v| m.max(v));
    let least = xs.iter().fold(0f32, |m, &v| m.min(v));
    let scale = match (most - least) / 255.0 {
        _ if nan => f32::NAN,
        0.0 => 1.0,
        s => s,
    };
    let zero = (0.0 - least / scale).clamp(0.0, 255.0).round_ties_even();
    let zero = if nan || zero.is_nan() { 0.0 } else { zero };
    let code = |v: &f32| Num::Int(quantized(Num::Float((*v).into()), scale, zero, Code::U8).into());
    vec![
        Array::new(Scalar::U8, &x.shape, xs.iter().map(code).collect()),
        Array::new(Scalar::F32, &[], vec![Num::Float(scale.into())]),
        Array::new(Scalar::U8, &[], vec![Num::Int(zero as i128)]),
    ]
}

/// Two codes to a byte along the last axis.
pub fn packed(x: &Array) -> Option<Array> {
    let (&length, outer) = x.shape.split_last()?;
    let shape = [outer, &[length.div_ceil(2)]].concat();
    let half = |at: &[usize], add: usize| {
        let mut at = at.to_vec();
        let last = at.last_mut().map(|i| {
            *i = *i * 2 + add;
            *i
        });
        match last < Some(length) {
            true => x.at(&at).int() & 15,
            false => 0,
        }
    };
    let byte = |at: &[usize]| Num::Int(half(at, 0) | half(at, 1) << 4);
    Some(Array::from_fn(Scalar::U8, &shape, byte))
}

/// The codes of bytes.
pub fn unpacked(x: &Array, length: usize, signed: bool) -> Option<Array> {
    let (&bytes, outer) = x.shape.split_last()?;
    (length.div_ceil(2) == bytes).then_some(())?;
    let shape = [outer, &[length]].concat();
    let code = |at: &[usize]| {
        let mut from = at.to_vec();
        let last = at[at.len() - 1];
        from[at.len() - 1] = last / 2;
        let four = x.at(&from).int() >> (4 * (last % 2)) & 15;
        Num::Int(if signed && four > 7 { four - 16 } else { four })
    };
    let dtype = if signed { Scalar::I8 } else { Scalar::U8 };
    debug_assert!(int_range(dtype).0 <= 0);
    Some(Array::from_fn(dtype, &shape, code))
}

/// (mantissa bits, bias) of a format.
fn parts(format: Float8) -> (i32, i32) {
    match format {
        Float8::E4m3fn => (3, 7),
        Float8::E5m2 => (2, 15),
        Float8::E4m3fnuz => (3, 8),
        Float8::E5m2fnuz => (2, 16),
    }
}

/// What a code without sign would be if all codes were finite.
fn finite(format: Float8, code: u32) -> f64 {
    let (m, bias) = parts(format);
    let (exponent, low) = ((code >> m) as i32, f64::from(code & ((1 << m) - 1)));
    match exponent {
        0 => low * 2f64.powi(1 - bias - m),
        e => (low + 2f64.powi(m)) * 2f64.powi(e - bias - m),
    }
}

/// The number of a code.
pub fn from_f8(format: Float8, code: u8) -> f64 {
    let magnitude = code & 0x7f;
    let y = match format {
        Float8::E4m3fn if magnitude == 0x7f => f64::NAN,
        Float8::E5m2 if magnitude > 0x7c => f64::NAN,
        Float8::E5m2 if magnitude == 0x7c => f64::INFINITY,
        Float8::E4m3fnuz | Float8::E5m2fnuz if code == 0x80 => f64::NAN,
        _ => finite(format, magnitude.into()),
    };
    if code < 0x80 { y } else { -y }
}

/// The code of a number: the nearest of all, and the even one of two.
pub fn to_f8(format: Float8, x: f64, saturate: bool) -> u8 {
    let uz = matches!(format, Float8::E4m3fnuz | Float8::E5m2fnuz);
    let nan = if uz { 0x80 } else { 0x7f };
    if x.is_nan() {
        return nan;
    }
    let sign = if x.is_sign_negative() { 0x80 } else { 0 };
    let most: u32 = match format {
        Float8::E4m3fn => 0x7e,
        Float8::E5m2 => 0x7b,
        _ => 0x7f,
    };
    // So large that it is out of range, so small that the distances are told apart.
    let size = x.abs().min(1e6);
    let far = |code: &u32| (size - finite(format, *code)).abs();
    // One code more than there are: what rounds to it, or lies beyond, is out of range.
    let nearest = (0..=most + 1)
        .min_by(|a, b| far(a).total_cmp(&far(b)).then((a & 1).cmp(&(b & 1))))
        .unwrap_or(0);
    let out = nearest > most || x.is_infinite();
    match (out, saturate) {
        (true, true) => sign | most as u8,
        (true, false) => match format {
            Float8::E4m3fn => sign | 0x7f,
            Float8::E5m2 => sign | 0x7c,
            _ => nan,
        },
        (false, _) if nearest == 0 && uz => 0,
        (false, _) => sign | nearest as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_formats_are_the_published_ones() {
        let ends = [
            (Float8::E4m3fn, 448.0, 2f64.powi(-9)),
            (Float8::E5m2, 57344.0, 2f64.powi(-16)),
            (Float8::E4m3fnuz, 240.0, 2f64.powi(-10)),
            (Float8::E5m2fnuz, 57344.0, 2f64.powi(-17)),
        ];
        for (format, most, least) in ends {
            let numbers = (0..=255u8)
                .map(|c| from_f8(format, c))
                .filter(|v| v.is_finite());
            assert_eq!(numbers.fold(0.0, f64::max), most);
            assert_eq!(from_f8(format, 1), least);
        }
        assert_eq!(from_f8(Float8::E5m2, 0xfc), f64::NEG_INFINITY);
        assert_eq!(to_f8(Float8::E4m3fn, 464.0, false), 0x7e);
        assert_eq!(to_f8(Float8::E4m3fn, 464.1, false), 0x7f);
        assert_eq!(to_f8(Float8::E4m3fn, -1e9, true), 0xfe);
        assert_eq!(to_f8(Float8::E5m2fnuz, f64::INFINITY, true), 0x7f);
        assert_eq!(to_f8(Float8::E5m2, -0.0, true), 0x80);
        assert_eq!(to_f8(Float8::E5m2fnuz, -0.0, true), 0);
    }
}
