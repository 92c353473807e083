//! Value types: a scalar kind and a lane count.

use std::fmt;

/// The scalar kinds of the kernel language, which are also the tensor dtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scalar {
    /// One byte in memory, 0 or 1.
    Bool,
    /// Signed 8-bit integer.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 8-bit integer.
    U8,
    /// Unsigned 16-bit integer.
    U16,
    /// Unsigned 32-bit integer.
    U32,
    /// Unsigned 64-bit integer.
    U64,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16: the upper half of a binary32.
    Bf16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

use Scalar::*;

impl Scalar {
    /// Every scalar kind, in the order of declaration.
    pub const ALL: [Scalar; 13] = [
        Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, Bf16, F32, F64,
    ];

    /// Size in memory, in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Bool | I8 | U8 => 1,
            I16 | U16 | F16 | Bf16 => 2,
            I32 | U32 | F32 => 4,
            I64 | U64 | F64 => 8,
        }
    }

    /// Width in bits of the value (1 for bool).
    pub const fn bits(self) -> u32 {
        match self {
            Bool => 1,
            _ => self.bytes() as u32 * 8,
        }
    }

    /// True for f16, bf16, f32 and f64.
    pub const fn is_float(self) -> bool {
        matches!(self, F16 | Bf16 | F32 | F64)
    }

    /// True for i8…u64; bool is not an integer.
    pub const fn is_int(self) -> bool {
        matches!(self, I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
    }

    /// True for i8, i16, i32 and i64.
    pub const fn is_signed_int(self) -> bool {
        matches!(self, I8 | I16 | I32 | I64)
    }

    /// True for u8, u16, u32 and u64.
    pub const fn is_unsigned(self) -> bool {
        self.is_int() && !self.is_signed_int()
    }

    /// The unsigned integer of the same size (u8 for bool).
    pub const fn to_unsigned(self) -> Scalar {
        match self.bytes() {
            1 => U8,
            2 => U16,
            4 => U32,
            _ => U64,
        }
    }

    /// The signed integer of the same size (i8 for bool).
    pub const fn to_signed(self) -> Scalar {
        match self.bytes() {
            1 => I8,
            2 => I16,
            4 => I32,
            _ => I64,
        }
    }

    /// (exponent bits, explicit mantissa bits) of a float kind.
    ///
    /// Returns (0, 0) for kinds that are not floats.
    pub const fn float_format(self) -> (u32, u32) {
        match self {
            F16 => (5, 10),
            Bf16 => (8, 7),
            F32 => (8, 23),
            F64 => (11, 52),
            _ => (0, 0),
        }
    }

    /// The short name: `f32`, `bf16`, `bool`…
    pub const fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            I8 => "i8",
            I16 => "i16",
            I32 => "i32",
            I64 => "i64",
            U8 => "u8",
            U16 => "u16",
            U32 => "u32",
            U64 => "u64",
            F16 => "f16",
            Bf16 => "bf16",
            F32 => "f32",
            F64 => "f64",
        }
    }

    /// The inverse of [`Scalar::name`].
    pub fn from_name(name: &str) -> Option<Scalar> {
        Scalar::ALL.into_iter().find(|s| s.name() == name)
    }

    /// This scalar with `lanes` lanes.
    pub const fn x(self, lanes: u8) -> Type {
        Type {
            scalar: self,
            lanes,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a value: a scalar kind with 1, 2, 4, 8 or 16 lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The kind of each lane.
    pub scalar: Scalar,
    /// 1, 2, 4, 8 or 16.
    pub lanes: u8,
}

impl Type {
    /// The lane counts that exist.
    pub const LANES: [u8; 5] = [1, 2, 4, 8, 16];

    /// Bool with the same number of lanes: the type of a comparison.
    pub const fn to_bool(self) -> Type {
        Bool.x(self.lanes)
    }

    /// The same number of lanes of another scalar.
    pub const fn with(self, scalar: Scalar) -> Type {
        scalar.x(self.lanes)
    }
}

impl From<Scalar> for Type {
    fn from(scalar: Scalar) -> Type {
        scalar.x(1)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lanes {
            1 => write!(f, "{}", self.scalar),
            n => write!(f, "{}x{n}", self.scalar),
        }
    }
}
