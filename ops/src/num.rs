//! Numbers of the references: wide enough that a reference computes exactly, or in f64, and is
//! rounded to the dtype once, at the end. Nothing here is shared with the kernel language.

use half::{bf16, f16};
use suanzi_codegen::Scalar;

/// A value of any dtype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Num {
    /// A bool.
    Bool(bool),
    /// An integer; results may be out of the dtype's range and are wrapped by [`Num::to_bits`].
    Int(i128),
    /// A float; results are rounded to the dtype by [`Num::to_bits`].
    Float(f64),
}

impl Num {
    /// Reads one element from its bytes (little-endian).
    ///
    /// # Panics
    /// If `bytes` is shorter than the element.
    pub fn from_le_bytes(dtype: Scalar, bytes: &[u8]) -> Num {
        let mut raw = [0u8; 8];
        raw[..dtype.bytes()].copy_from_slice(&bytes[..dtype.bytes()]);
        Num::from_bits(dtype, u64::from_le_bytes(raw))
    }

    /// Reads one element from its zero-extended bits.
    pub fn from_bits(dtype: Scalar, bits: u64) -> Num {
        use Scalar::*;
        match dtype {
            Bool => Num::Bool(bits as u8 != 0),
            F16 => Num::Float(f16::from_bits(bits as u16).to_f64()),
            Bf16 => Num::Float(bf16::from_bits(bits as u16).to_f64()),
            F32 => Num::Float(f32::from_bits(bits as u32).into()),
            F64 => Num::Float(f64::from_bits(bits)),
            I8 => Num::Int((bits as i8).into()),
            I16 => Num::Int((bits as i16).into()),
            I32 => Num::Int((bits as i32).into()),
            I64 => Num::Int((bits as i64).into()),
            U8 | U16 | U32 | U64 => Num::Int(bits.into()),
        }
    }

    /// The bits of this value as a dtype: integers keep their low bits, floats are rounded to
    /// nearest even. A value of another class is converted as by [`Num::float`] or [`Num::int`].
    pub fn to_bits(self, dtype: Scalar) -> u64 {
        use Scalar::*;
        match dtype {
            Bool => self.bool().into(),
            F16 | Bf16 | F32 | F64 => match self {
                Num::Int(i) => round_int(i, dtype),
                _ => round_float(self.float(), dtype),
            },
            I64 | U64 => self.int() as u64,
            _ => self.int() as u64 & ((1 << dtype.bits()) - 1),
        }
    }

    /// The value rounded to a dtype.
    pub fn round(self, dtype: Scalar) -> Num {
        Num::from_bits(dtype, self.to_bits(dtype))
    }

    /// As a float; integers are rounded to f64.
    pub fn float(self) -> f64 {
        match self {
            Num::Bool(b) => f64::from(u8::from(b)),
            Num::Int(i) => i as f64,
            Num::Float(f) => f,
        }
    }

    /// As an integer; floats are truncated and saturate, NaN gives 0.
    pub fn int(self) -> i128 {
        match self {
            Num::Bool(b) => b.into(),
            Num::Int(i) => i,
            Num::Float(f) => f as i128,
        }
    }

    /// As a bool: not zero. NaN is true.
    pub fn bool(self) -> bool {
        match self {
            Num::Bool(b) => b,
            Num::Int(i) => i != 0,
            Num::Float(f) => f != 0.0,
        }
    }
}

/// The bits of a float dtype nearest to `x`, ties to even.
fn round_float(x: f64, dtype: Scalar) -> u64 {
    let sign = u64::from(x.is_sign_negative());
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    match exponent {
        0x7ff => {
            let (e, m) = dtype.float_format();
            let quiet = u64::from(fraction != 0) << (m - 1);
            (sign << (e + m)) | ((1 << e) - 1) << m | quiet
        }
        0 => pack(sign, fraction.into(), -1074, dtype),
        _ => pack(sign, (fraction | 1 << 52).into(), exponent - 1075, dtype),
    }
}

/// The bits of a float dtype nearest to `i`, ties to even.
fn round_int(i: i128, dtype: Scalar) -> u64 {
    pack(u64::from(i < 0), i.unsigned_abs(), 0, dtype)
}

/// Rounds `magnitude · 2^exponent` once.
fn pack(sign: u64, magnitude: u128, exponent: i32, dtype: Scalar) -> u64 {
    let (e, m) = dtype.float_format();
    let (e, m) = (e as i32, m as i32);
    let bias = (1 << (e - 1)) - 1;
    let sign = sign << (e + m);
    if magnitude == 0 {
        return sign;
    }
    // The exponent of the last place of the result: m places below the leading bit, but never
    // below the last place of a subnormal.
    let top = 127 - magnitude.leading_zeros() as i32 + exponent;
    let last = (top - m).max(1 - bias - m);
    let shift = last - exponent;
    let rounded = if shift <= 0 {
        magnitude << -shift
    } else if shift > 127 {
        0
    } else {
        let (kept, half) = (magnitude >> shift, 1u128 << (shift - 1));
        let rest = magnitude & ((1u128 << shift) - 1);
        kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
    };
    // Adding the fraction to the exponent field lets a carry move into it, up to infinity.
    let field = (last + m + bias - 1).max(0) as u128;
    let bits = (field << m) + rounded;
    sign | bits.min(((1u128 << e) - 1) << m) as u64
}

/// Least and greatest value of an integer dtype.
pub fn int_range(dtype: Scalar) -> (i128, i128) {
    let bits = dtype.bits();
    if dtype.is_signed_int() {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_f32_is_the_hardware_s() {
        let mut bits = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..200_000 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            // Exponents around those of f32, so that every branch is met.
            let exponent = 1023 - 160 + (bits >> 20) % 320;
            let x = f64::from_bits((bits & !(0x7ff << 52)) | exponent << 52);
            assert_eq!(
                round_float(x, Scalar::F32),
                u64::from((x as f32).to_bits()),
                "{x:e}"
            );
            let i = bits as i64 >> (bits % 60);
            assert_eq!(
                round_int(i.into(), Scalar::F32),
                u64::from((i as f32).to_bits()),
                "{i}"
            );
            assert_eq!(
                round_int(i.into(), Scalar::F64),
                (i as f64).to_bits(),
                "{i}"
            );
        }
    }

    #[test]
    fn every_f16_and_bf16_survives_a_round_trip() {
        for bits in 0..=u16::MAX {
            for dtype in [Scalar::F16, Scalar::Bf16] {
                let x = Num::from_bits(dtype, bits.into());
                if !x.float().is_nan() {
                    assert_eq!(x.to_bits(dtype), u64::from(bits), "{dtype} {bits:#x}");
                }
            }
        }
    }

    #[test]
    fn ties_and_edges_of_f16() {
        let f = |x: f64| Num::Float(x).to_bits(Scalar::F16);
        assert_eq!(f(65519.999), 0x7bff);
        assert_eq!(f(65520.0), 0x7c00);
        assert_eq!(f(1.0 + f64::EPSILON + 2f64.powi(-11)), 0x3c01);
        assert_eq!(f(1.0 + 2f64.powi(-11)), 0x3c00);
        assert_eq!(f(2f64.powi(-25)), 0);
        assert_eq!(f(2f64.powi(-25) * 1.5), 1);
        assert_eq!(f(-0.0), 0x8000);
    }
}
