//! Conversions between scalar kinds, rounding included.
//!
//! A source is first widened without loss to one of i64, u64, f32 and f64; each destination says
//! how it takes those four. f16 and bf16 are rounded here and not by the `half` crate, because its
//! conversion from f64 drops the low mantissa bits before rounding, and because these forms have
//! no branches and so vectorise.

use super::ops::{Bool, Element};
use half::{bf16, f16};

/// A float kind and the native kind that its arithmetic is done in.
pub trait Half: Element {
    /// f32, or f64 for f64.
    type Wide;
    /// Exact.
    fn wide(self) -> Self::Wide;
    /// Rounded to nearest even.
    fn narrow(w: Self::Wide) -> Self;
}

impl Half for f32 {
    type Wide = f32;
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
    #[inline(always)]
    fn narrow(w: f32) -> f32 {
        w
    }
}

impl Half for f64 {
    type Wide = f64;
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn narrow(w: f64) -> f64 {
        w
    }
}

impl Half for f16 {
    type Wide = f32;
    /// Moves the bits into place and lets one exact multiplication correct the exponent bias, for
    /// subnormals too.
    #[inline(always)]
    fn wide(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let magnitude = (bits & 0x7fff) << 13;
        let scaled = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
        let special = magnitude >= 0x7c00 << 13;
        let magnitude = if special {
            magnitude | 0x7f80_0000
        } else {
            scaled.to_bits()
        };
        f32::from_bits(magnitude | (bits & 0x8000) << 16)
    }
    #[inline(always)]
    fn narrow(w: f32) -> f16 {
        const SMALLEST_NORMAL: u32 = (127 - 14) << 23;
        const PAST_LARGEST: u32 = (127 + 16) << 23;
        let bits = w.to_bits();
        let magnitude = bits & 0x7fff_ffff;
        // 0.5 has the ulp of f16's subnormals, so adding it rounds to them.
        let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits();
        let subnormal = subnormal.wrapping_sub(0.5f32.to_bits());
        let odd = magnitude >> 13 & 1;
        let normal = magnitude.wrapping_add(0xfff + odd).wrapping_sub(112 << 23) >> 13;
        let rounded = if magnitude > 0x7f80_0000 {
            0x7e00 | magnitude >> 13 & 0x3ff
        } else if magnitude >= PAST_LARGEST {
            0x7c00
        } else if magnitude < SMALLEST_NORMAL {
            subnormal
        } else {
            normal
        };
        f16::from_bits((rounded | bits >> 16 & 0x8000) as u16)
    }
}

impl Half for bf16 {
    type Wide = f32;
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    #[inline(always)]
    fn narrow(w: f32) -> bf16 {
        let bits = w.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        let nan = bits >> 16 | 0x40;
        bf16::from_bits(if w.is_nan() { nan } else { rounded } as u16)
    }
}

/// f64 to f32, rounded to odd: inexact results get their last bit set, so that rounding again to
/// a kind with at least two bits fewer is as good as rounding once.
#[inline(always)]
fn to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    let back = f64::from(nearest);
    if back == x || x.is_nan() {
        return nearest;
    }
    let away = back.abs() > x.abs();
    f32::from_bits((nearest.to_bits() - u32::from(away)) | 1)
}

/// The magnitude of a 64-bit integer as f64: exact, or with the dropped bits folded into the last
/// bit kept, far below what f16 and bf16 hold.
#[inline(always)]
fn sticky(magnitude: u64) -> f64 {
    if magnitude >> 48 == 0 {
        return magnitude as f64;
    }
    let dropped = magnitude & 0xff_ffff != 0;
    (magnitude >> 24 | u64::from(dropped)) as f64 * f64::from(1 << 24)
}

/// A kind that can be widened without loss to one of i64, u64, f32 and f64.
pub trait Widen: Element {
    /// The wide kind.
    type Wide: Copy;
    /// Exact.
    fn widen(self) -> Self::Wide;
}

macro_rules! widen {
    ($($t:ident -> $w:ident: |$x:ident| $e:expr;)*) => { $(
        impl Widen for $t {
            type Wide = $w;
            #[inline(always)]
            fn widen(self) -> $w { let $x = self; $e }
        }
    )* };
}
widen! {
    Bool -> i64: |x| i64::from(x.0 != 0);
    i8 -> i64: |x| x.into();
    i16 -> i64: |x| x.into();
    i32 -> i64: |x| x.into();
    i64 -> i64: |x| x;
    u8 -> i64: |x| x.into();
    u16 -> i64: |x| x.into();
    u32 -> i64: |x| x.into();
    u64 -> u64: |x| x;
    f16 -> f32: |x| x.wide();
    bf16 -> f32: |x| x.wide();
    f32 -> f32: |x| x;
    f64 -> f64: |x| x;
}

/// A destination of casts, from one of the four wide kinds.
pub trait CastFrom<W>: Element {
    /// [`crate::ir::CastMode::Saturate`].
    fn saturate(w: W) -> Self;
    /// [`crate::ir::CastMode::Wrap`].
    fn wrap(w: W) -> Self;
}

/// A destination for every source.
pub trait CastTo: CastFrom<i64> + CastFrom<u64> + CastFrom<f32> + CastFrom<f64> {}
impl<T: CastFrom<i64> + CastFrom<u64> + CastFrom<f32> + CastFrom<f64>> CastTo for T {}

macro_rules! cast {
    ($($d:ident from $w:ident: |$x:ident| $sat:expr, $wrap:expr;)*) => { $(
        impl CastFrom<$w> for $d {
            #[inline(always)]
            fn saturate($x: $w) -> $d { $sat }
            #[inline(always)]
            fn wrap($x: $w) -> $d { $wrap }
        }
    )* };
}

macro_rules! cast_to_int {
    ($($d:ident: |$x:ident| $wrap:expr;)*) => { $( cast! {
        $d from i64: |x| $d::try_from(x).unwrap_or(if x < 0 { $d::MIN } else { $d::MAX }), x as $d;
        $d from u64: |x| $d::try_from(x).unwrap_or($d::MAX), x as $d;
        $d from f32: |$x| $x as $d, $wrap;
        $d from f64: |$x| $x as $d, $wrap;
    } )* };
}
cast_to_int! {
    i8: |x| x as i64 as i8;
    i16: |x| x as i64 as i16;
    i32: |x| x as i64 as i32;
    i64: |x| x as i64;
    u8: |x| x as i64 as u8;
    u16: |x| x as i64 as u16;
    u32: |x| x as i64 as u32;
    u64: |x| if x > 0.0 { x as u64 } else { x as i64 as u64 };
}

macro_rules! cast_to_float {
    ($($d:ident: |$x:ident| $i:expr, $u:expr, $s:expr, $f:expr;)*) => { $( cast! {
        $d from i64: |$x| $i, $i;
        $d from u64: |$x| $u, $u;
        $d from f32: |$x| $s, $s;
        $d from f64: |$x| $f, $f;
    } )* };
}
cast_to_float! {
    Bool: |x| (x != 0).into(), (x != 0).into(), (x != 0.0).into(), (x != 0.0).into();
    f32: |x| x as f32, x as f32, x, x as f32;
    f64: |x| x as f64, x as f64, x.into(), x;
    f16: |x| f16::saturate(signed(x)), f16::saturate(sticky(x)), f16::narrow(x), f16::narrow(to_odd(x));
    bf16: |x| bf16::saturate(signed(x)), bf16::saturate(sticky(x)), bf16::narrow(x), bf16::narrow(to_odd(x));
}

#[inline(always)]
fn signed(x: i64) -> f64 {
    let magnitude = sticky(x.unsigned_abs());
    if x < 0 { -magnitude } else { magnitude }
}
