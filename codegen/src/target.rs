//! What a target can do: the input of the legaliser and of the emitters.

use crate::ir::Fragment;
use crate::types::Scalar;

/// How well a target does a scalar kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    /// Arithmetic and memory.
    Native,
    /// Memory only; arithmetic is promoted (f16 and bf16 to f32, small integers to 32 bits).
    Storage,
    /// Neither: memory is packed in u32 words, arithmetic is promoted.
    Packed,
    /// Not to be had: kernels that use it are refused with a reason.
    Missing,
}

/// An operation that a target lacks or does wrongly, and that the legaliser then writes in
/// integer arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Soft {
    /// The upper half of a product.
    MulHi,
    /// i64 or u64 to f32, rounded once.
    Int64ToF32,
    /// f64 to f32, rounded to nearest even, denormals kept.
    F64ToF32,
    /// Quotients of floats, correctly rounded.
    Div,
    /// Square roots, correctly rounded.
    Sqrt,
    /// i32 to i64: Mesa (22.3) gets comparisons of the result with constants wrong.
    SignExtend,
    /// f64 to whole numbers (floor, ceil, trunc, rint): Mesa's software renderer does it as if f64 had f32's
    /// digits where the processor's vectors are shorter than 512 bits.
    WholeF64,
}

/// The features of a target that decide how a kernel is written for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// bool in memory.
    pub bool: Support,
    /// i8 and u8.
    pub int8: Support,
    /// i16 and u16.
    pub int16: Support,
    /// i64 and u64.
    pub int64: Support,
    /// f16.
    pub f16: Support,
    /// bf16.
    pub bf16: Support,
    /// f64.
    pub f64: Support,
    /// Widest vector of the language: 1, 2, 4, 8 or 16.
    pub max_lanes: u8,
    /// `fma` is rounded once.
    pub fused_fma: bool,
    /// Operations done in software.
    pub soft: Vec<Soft>,
    /// Subgroup operations exist.
    pub subgroups: bool,
    /// Atomics on 64-bit integers exist.
    pub atomic64: bool,
    /// Matrix fragments that exist.
    pub fragments: Vec<Fragment>,
}

impl Target {
    /// A target that does everything: what the interpreter is.
    pub fn all() -> Target {
        Target {
            bool: Support::Native,
            int8: Support::Native,
            int16: Support::Native,
            int64: Support::Native,
            f16: Support::Native,
            bf16: Support::Native,
            f64: Support::Native,
            max_lanes: 16,
            fused_fma: true,
            soft: vec![],
            subgroups: true,
            atomic64: true,
            fragments: vec![],
        }
    }

    /// How well a scalar kind is done.
    pub fn support(&self, scalar: Scalar) -> Support {
        match scalar {
            Scalar::Bool => self.bool,
            Scalar::I8 | Scalar::U8 => self.int8,
            Scalar::I16 | Scalar::U16 => self.int16,
            Scalar::I64 | Scalar::U64 => self.int64,
            Scalar::F16 => self.f16,
            Scalar::Bf16 => self.bf16,
            Scalar::F64 => self.f64,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => Support::Native,
        }
    }
}
