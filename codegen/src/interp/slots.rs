//! Where values live while a work-group runs: one arena of bytes per thread, addressed by offset.
//!
//! A value's slot holds lane 0 of all work-items, then lane 1 of all work-items, and so on, so
//! that an operation on any vector is one loop over one contiguous run of a native type.

use super::ops::Element;

/// The arena's first byte. Offsets come from [`super::decode`], which hands out ranges inside the
/// arena, aligned to 64 bytes and (but for operands of one operation that are the same value)
/// disjoint.
#[derive(Clone, Copy)]
pub struct Slots(pub *mut u8);

impl Slots {
    /// `n` elements at byte `at`.
    ///
    /// # Safety
    /// The range lies in the arena, is aligned for `T`, and is not written while borrowed.
    #[inline(always)]
    pub unsafe fn get<'a, T: Element>(self, at: u32, n: usize) -> &'a [T] {
        // SAFETY: promised by the caller; the arena is initialised and any bits are a `T`.
        unsafe { std::slice::from_raw_parts(self.0.add(at as usize).cast(), n) }
    }

    /// `n` elements at byte `at`, to write.
    ///
    /// # Safety
    /// As for [`Slots::get`], and the range is not borrowed otherwise.
    #[inline(always)]
    pub unsafe fn get_mut<'a, T: Element>(self, at: u32, n: usize) -> &'a mut [T] {
        // SAFETY: promised by the caller; the arena is initialised and any bits are a `T`.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(at as usize).cast(), n) }
    }
}

/// Runs `$e` with `$t` naming the native type of a [`Scalar`] out of a list, or gives `None`.
///
/// [`Scalar`]: crate::types::Scalar
macro_rules! by_kind {
    (ints, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
    (words, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, I32 i32, I64 i64, U32 u32, U64 u64)
    };
    (floats, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, F16 half::f16, Bf16 half::bf16, F32 f32, F64 f64)
    };
    (bits, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, Bool $crate::interp::ops::Bool, I8 i8, I16 i16, I32 i32, I64 i64,
                 U8 u8, U16 u16, U32 u32, U64 u64)
    };
    (numbers, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64,
                 F16 half::f16, Bf16 half::bf16, F32 f32, F64 f64)
    };
    (all, $s:expr, $t:ident => $e:expr) => {
        by_kind!($s, $t => $e, Bool $crate::interp::ops::Bool, I8 i8, I16 i16, I32 i32, I64 i64,
                 U8 u8, U16 u16, U32 u32, U64 u64,
                 F16 half::f16, Bf16 half::bf16, F32 f32, F64 f64)
    };
    ($s:expr, $t:ident => $e:expr, $($kind:ident $native:ty),*) => {
        match $s {
            $($crate::types::Scalar::$kind => { type $t = $native; Some($e) })*
            #[allow(unreachable_patterns)]
            _ => None,
        }
    };
}
pub(super) use by_kind;

/// Runs `$e` with `$t` naming the unsigned type as wide as a [`Scalar`]: for what only moves bits.
///
/// [`Scalar`]: crate::types::Scalar
macro_rules! by_size {
    ($s:expr, $t:ident => $e:expr) => {
        match $s.bytes() {
            1 => {
                type $t = u8;
                $e
            }
            2 => {
                type $t = u16;
                $e
            }
            4 => {
                type $t = u32;
                $e
            }
            _ => {
                type $t = u64;
                $e
            }
        }
    };
}
pub(super) use by_size;
