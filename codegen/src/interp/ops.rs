//! What each operation does to one scalar: the semantics of the language, and nothing else.
//!
//! A trait per family of kinds, implemented by macros over the native Rust types. No vectors, no
//! memory and no masks here; [`super::lanes`] runs these over slices. Conversions live in
//! [`super::convert`].

use super::convert::Half;
use crate::types::Scalar;
use half::{bf16, f16};

/// A bool as it lies in memory: any nonzero byte is true, results are 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl From<bool> for Bool {
    #[inline(always)]
    fn from(b: bool) -> Bool {
        Bool(u8::from(b))
    }
}

/// A native type that stands for a scalar kind.
pub trait Element: bytemuck::Pod + Send + Sync {
    /// The kind.
    const SCALAR: Scalar;
}

macro_rules! elements {
    ($($t:ty: $s:ident),*) => {
        $(impl Element for $t { const SCALAR: Scalar = Scalar::$s; })*
    };
}
elements!(Bool: Bool, i8: I8, i16: I16, i32: I32, i64: I64, u8: U8, u16: U16, u32: U32, u64: U64,
          f16: F16, bf16: Bf16, f32: F32, f64: F64);

/// Kinds that can be compared for equality: all of them.
pub trait Equal: Element {
    /// False if either is NaN.
    fn equal(self, o: Self) -> bool;
}

/// Integers and floats.
pub trait Number: Equal {
    /// `a + b`.
    fn add(self, o: Self) -> Self;
    /// `a - b`.
    fn sub(self, o: Self) -> Self;
    /// `a * b`.
    fn mul(self, o: Self) -> Self;
    /// `a / b`.
    fn div(self, o: Self) -> Self;
    /// `a % b`, with the sign of `a`.
    fn rem(self, o: Self) -> Self;
    /// Smaller.
    fn min(self, o: Self) -> Self;
    /// Larger.
    fn max(self, o: Self) -> Self;
    /// `-a`.
    fn neg(self) -> Self;
    /// `|a|`.
    fn abs(self) -> Self;
    /// `a < b`; false if either is NaN.
    fn less(self, o: Self) -> bool;
    /// `a <= b`; false if either is NaN.
    fn at_most(self, o: Self) -> bool;
}

/// Integers, and bool, whose operations are logical.
pub trait Bits: Element {
    /// `a & b`.
    fn and(self, o: Self) -> Self;
    /// `a | b`.
    fn or(self, o: Self) -> Self;
    /// `a ^ b`.
    fn xor(self, o: Self) -> Self;
    /// `!a`.
    fn not(self) -> Self;
}

/// Integers.
pub trait Int: Number + Bits {
    /// Left shift, the amount modulo the width.
    fn shl(self, o: Self) -> Self;
    /// Right shift, the amount modulo the width.
    fn shr(self, o: Self) -> Self;
    /// Set bits.
    fn popcount(self) -> Self;
    /// Leading zero bits.
    fn clz(self) -> Self;
}

/// Integers of 32 and 64 bits.
pub trait MulHi: Element {
    /// Upper half of the double-width product.
    fn mul_hi(self, o: Self) -> Self;
}

/// Floats. Each computes in [`Half::Wide`] and rounds once at the end, so f16 and bf16 compute
/// in f32.
pub trait Float: Number {
    /// Rounded down.
    fn floor(self) -> Self;
    /// Rounded up.
    fn ceil(self) -> Self;
    /// Rounded towards zero.
    fn trunc(self) -> Self;
    /// Rounded to nearest, ties to even.
    fn rint(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Whether it is NaN.
    fn nan(self) -> bool;
    /// Whether it is an infinity.
    fn inf(self) -> bool;
    /// `a * b + c`, rounded once in the wide kind.
    fn fma(self, b: Self, c: Self) -> Self;
}

impl Equal for Bool {
    #[inline(always)]
    fn equal(self, o: Bool) -> bool {
        (self.0 != 0) == (o.0 != 0)
    }
}

impl Bits for Bool {
    #[inline(always)]
    fn and(self, o: Bool) -> Bool {
        (self.0 != 0 && o.0 != 0).into()
    }
    #[inline(always)]
    fn or(self, o: Bool) -> Bool {
        (self.0 | o.0 != 0).into()
    }
    #[inline(always)]
    fn xor(self, o: Bool) -> Bool {
        ((self.0 != 0) != (o.0 != 0)).into()
    }
    #[inline(always)]
    fn not(self) -> Bool {
        (self.0 == 0).into()
    }
}

/// `fn name(self, args) -> result { body }` for each line, always inlined.
macro_rules! methods {
    ($($name:ident($a:ident $(, $b:ident)*) -> $r:ty = $e:expr;)*) => {
        $(#[inline(always)] fn $name(self $(, $b: Self)*) -> $r { let $a = self; $e })*
    };
}

macro_rules! int {
    ($($t:ident: $abs:expr;)*) => { $(
        impl Equal for $t { methods! { equal(a, b) -> bool = a == b; } }
        impl Number for $t { methods! {
            add(a, b) -> Self = a.wrapping_add(b);
            sub(a, b) -> Self = a.wrapping_sub(b);
            mul(a, b) -> Self = a.wrapping_mul(b);
            div(a, b) -> Self = if b == 0 { 0 } else { a.wrapping_div(b) };
            rem(a, b) -> Self = if b == 0 { 0 } else { a.wrapping_rem(b) };
            min(a, b) -> Self = Ord::min(a, b);
            max(a, b) -> Self = Ord::max(a, b);
            neg(a) -> Self = a.wrapping_neg();
            abs(a) -> Self = $abs(a);
            less(a, b) -> bool = a < b;
            at_most(a, b) -> bool = a <= b;
        } }
        impl Bits for $t { methods! {
            and(a, b) -> Self = a & b;
            or(a, b) -> Self = a | b;
            xor(a, b) -> Self = a ^ b;
            not(a) -> Self = !a;
        } }
        impl Int for $t { methods! {
            shl(a, b) -> Self = a.wrapping_shl(b as u32);
            shr(a, b) -> Self = a.wrapping_shr(b as u32);
            popcount(a) -> Self = a.count_ones() as $t;
            clz(a) -> Self = a.leading_zeros() as $t;
        } }
    )* };
}
int! {
    i8: i8::wrapping_abs; i16: i16::wrapping_abs; i32: i32::wrapping_abs; i64: i64::wrapping_abs;
    u8: u8::from; u16: u16::from; u32: u32::from; u64: u64::from;
}

macro_rules! mul_hi {
    ($($t:ident in $wide:ident;)*) => { $(
        impl MulHi for $t { methods! {
            mul_hi(a, b) -> Self = (($wide::from(a) * $wide::from(b)) >> $t::BITS) as $t;
        } }
    )* };
}
mul_hi! { i32 in i64; u32 in u64; i64 in i128; u64 in u128; }

/// Minimum and maximum of IEEE 754-2019 for one wide kind: for equal operands only the sign can
/// differ, so the bits are or-ed (minimum) or and-ed (maximum); a NaN is passed on by the sum.
macro_rules! extremes {
    ($($t:ident: $min:ident, $max:ident;)*) => { $(
        #[inline(always)]
        fn $min(a: $t, b: $t) -> $t {
            let equal = $t::from_bits(a.to_bits() | b.to_bits());
            if a < b { a } else if b < a { b } else if a == b { equal } else { a + b }
        }
        #[inline(always)]
        fn $max(a: $t, b: $t) -> $t {
            let equal = $t::from_bits(a.to_bits() & b.to_bits());
            if a > b { a } else if b > a { b } else if a == b { equal } else { a + b }
        }
    )* };
}
extremes! { f32: min32, max32; f64: min64, max64; }

macro_rules! float {
    ($($t:ident: $min:ident, $max:ident;)*) => { $(
        impl Equal for $t { methods! { equal(a, b) -> bool = a.wide() == b.wide(); } }
        impl Number for $t { methods! {
            add(a, b) -> Self = Self::narrow(a.wide() + b.wide());
            sub(a, b) -> Self = Self::narrow(a.wide() - b.wide());
            mul(a, b) -> Self = Self::narrow(a.wide() * b.wide());
            div(a, b) -> Self = Self::narrow(a.wide() / b.wide());
            rem(a, b) -> Self = Self::narrow(a.wide() % b.wide());
            min(a, b) -> Self = Self::narrow($min(a.wide(), b.wide()));
            max(a, b) -> Self = Self::narrow($max(a.wide(), b.wide()));
            neg(a) -> Self = Self::narrow(-a.wide());
            abs(a) -> Self = Self::narrow(a.wide().abs());
            less(a, b) -> bool = a.wide() < b.wide();
            at_most(a, b) -> bool = a.wide() <= b.wide();
        } }
        impl Float for $t { methods! {
            floor(a) -> Self = Self::narrow(a.wide().floor());
            ceil(a) -> Self = Self::narrow(a.wide().ceil());
            trunc(a) -> Self = Self::narrow(a.wide().trunc());
            rint(a) -> Self = Self::narrow(a.wide().round_ties_even());
            sqrt(a) -> Self = Self::narrow(a.wide().sqrt());
            nan(a) -> bool = a.wide().is_nan();
            inf(a) -> bool = a.wide().is_infinite();
            fma(a, b, c) -> Self = Self::narrow(a.wide().mul_add(b.wide(), c.wide()));
        } }
    )* };
}
float! { f16: min32, max32; bf16: min32, max32; f32: min32, max32; f64: min64, max64; }
