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
            F16 => f16::from_f64(self.float()).to_bits().into(),
            Bf16 => bf16::from_f64(self.float()).to_bits().into(),
            F32 => (self.float() as f32).to_bits().into(),
            F64 => self.float().to_bits(),
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

/// Least and greatest value of an integer dtype.
pub fn int_range(dtype: Scalar) -> (i128, i128) {
    let bits = dtype.bits();
    if dtype.is_signed_int() {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    }
}
