//! What the processor is asked to do, compiled for each instruction set and chosen when called:
//! `vectors` and `columns`, the loops under levels 1 and 2, and
//! `tile`, the register tile under level 3.

mod columns;
mod drive;
pub mod simd;
pub mod tile;
mod transpose;
mod vectors;

pub use columns::*;
pub use transpose::transpose;
pub use vectors::*;

use std::sync::atomic::{AtomicU8, Ordering};

/// Instruction sets, in the order of preference.
pub const BASELINE: u8 = 1;
/// AVX2 with fused multiply-add.
pub const AVX2: u8 = 2;
/// AVX-512: foundation, VL, DQ, BW.
pub const AVX512: u8 = 3;

/// The instruction set in use; 0 before the first question.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The best instruction set of this processor.
#[inline(always)]
pub fn level() -> u8 {
    match LEVEL.load(Ordering::Relaxed) {
        0 => detect(),
        l => l,
    }
}

#[cold]
fn detect() -> u8 {
    #[cfg(target_arch = "x86_64")]
    let best = if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
    {
        AVX512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        AVX2
    } else {
        BASELINE
    };
    #[cfg(not(target_arch = "x86_64"))]
    let best = BASELINE;
    // A lower level can be asked for, to test what other processors run.
    let asked = std::env::var("SUANZI_BLAS_ISA").ok();
    let l = match asked.as_deref() {
        Some("baseline") => BASELINE,
        Some("avx2") => best.min(AVX2),
        _ => best,
    };
    LEVEL.store(l, Ordering::Relaxed);
    l
}

/// Defines `fn name` as `body` compiled for each instruction set. `body`'s parameters are its
/// vector, and whether a fused multiply-add is one instruction.
macro_rules! versions {
    ($(#[$doc:meta])* $name:ident = $body:ident <T $(, const $n:ident : $nt:ty)*> ($($a:ident : $t:ty),*) $(-> $r:ty)?) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The pointers are valid for the lengths given.
        #[inline(always)]
        pub unsafe fn $name<T: Scalar $(, const $n: $nt)*>($($a: $t),*) $(-> $r)? {
            use $crate::kernels::simd::Simd;
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                unsafe fn v4<T: Scalar $(, const $n: $nt)*>($($a: $t),*) $(-> $r)? {
                    // SAFETY: the caller's promise.
                    unsafe { $body::<T, <T::Real as Simd>::V512, true $(, $n)*>($($a),*) }
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn v3<T: Scalar $(, const $n: $nt)*>($($a: $t),*) $(-> $r)? {
                    // SAFETY: the caller's promise.
                    unsafe { $body::<T, <T::Real as Simd>::V256, true $(, $n)*>($($a),*) }
                }
                // SAFETY: the instructions were found present; the rest is the caller's promise.
                unsafe {
                    match $crate::kernels::level() {
                        $crate::kernels::AVX512 => return v4::<T $(, $n)*>($($a),*),
                        $crate::kernels::AVX2 => return v3::<T $(, $n)*>($($a),*),
                        _ => {}
                    }
                }
            }
            // Not part of its callers, which are short where a kernel is called.
            #[inline(never)]
            unsafe fn plain<T: Scalar $(, const $n: $nt)*>($($a: $t),*) $(-> $r)? {
                // SAFETY: the caller's promise.
                unsafe { $body::<T, <T::Real as Simd>::V, false $(, $n)*>($($a),*) }
            }
            // SAFETY: the caller's promise.
            unsafe { plain::<T $(, $n)*>($($a),*) }
        }
    };
}
pub(crate) use versions;
