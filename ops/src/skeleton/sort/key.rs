//! Orders as orders of unsigned integers.
//!
//! Floats: -inf … -0, +0 … +inf, and NaN last in both directions, all NaN being equal. Signed
//! integers have their sign bit flipped. A descending order is the complement, so that equal
//! elements keep their order in it too.

use crate::error::Result;
use crate::expr::Expr;
use crate::num::Num;
use crate::ops;
use crate::tensor::{Tensor, bits_of};
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// How elements of a dtype become keys.
pub(crate) struct Key {
    dtype: Scalar,
    /// The kind of the keys: u32, or u64 for 64-bit dtypes.
    pub kind: Scalar,
    /// Width of the keys.
    pub bits: u32,
    descending: bool,
}

impl Key {
    pub fn of(dtype: Scalar, descending: bool) -> Key {
        let bits = dtype.bits();
        Key {
            dtype,
            kind: if bits == 64 { Scalar::U64 } else { Scalar::U32 },
            bits,
            descending,
        }
    }

    fn constant(&self, value: u64) -> Expr {
        Expr::scalar(self.kind, Num::Int(value.into()))
    }

    /// All ones: the key of NaN.
    fn full(&self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    fn sign(&self) -> u64 {
        1 << (self.bits - 1)
    }

    fn flip(&self) -> u64 {
        if self.descending { self.full() } else { 0 }
    }

    /// The keys of a tensor's elements.
    pub fn keys(&self, x: &Tensor) -> Result<Expr> {
        self.keys_of(x.bits().expr())
    }

    /// The keys of elements given as bits.
    pub fn keys_of(&self, bits: Expr) -> Result<Expr> {
        let bits = bits.cast(self.kind, CastMode::Wrap);
        let c = |value| self.constant(value);
        if !self.dtype.is_float() {
            let sign = if self.dtype.is_signed_int() {
                self.sign()
            } else {
                0
            };
            return ops::bitwise_xor(bits, c(sign ^ self.flip()));
        }
        let (_, mantissa) = self.dtype.float_format();
        let magnitude = self.full() ^ self.sign();
        let infinity = magnitude >> mantissa << mantissa;
        let negative = ops::ge(&bits, c(self.sign()))?;
        let turned = ops::bitwise_xor(&bits, c(self.full()))?;
        let raised = ops::bitwise_or(&bits, c(self.sign()))?;
        let key = ops::where_(negative, turned, raised)?;
        let key = ops::bitwise_xor(key, c(self.flip()))?;
        let nan = ops::gt(ops::bitwise_and(bits, c(magnitude))?, c(infinity))?;
        ops::where_(nan, c(self.full()), key)
    }

    /// The elements of keys, into a tensor of the dtype.
    pub fn elements(&self, keys: &Expr, out: &Tensor) -> Result<()> {
        let c = |value| self.constant(value);
        let key = ops::bitwise_xor(keys, c(self.flip()))?;
        let bits = if self.dtype.is_float() {
            let positive = ops::ge(&key, c(self.sign()))?;
            let lowered = ops::bitwise_xor(&key, c(self.sign()))?;
            let turned = ops::bitwise_xor(key, c(self.full()))?;
            ops::where_(positive, lowered, turned)?
        } else {
            let sign = if self.dtype.is_signed_int() {
                self.sign()
            } else {
                0
            };
            ops::bitwise_xor(key, c(sign))?
        };
        bits.cast(bits_of(self.dtype), CastMode::Wrap)
            .eval_into(&out.bits())
    }
}
