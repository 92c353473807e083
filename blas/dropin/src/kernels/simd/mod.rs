//! Vectors of one instruction set each, as one trait: what the register tile is written in.
//! Elements are reals; a complex number is two neighbouring lanes.

use crate::scalar::Scalar;
use num_traits::Float;

/// A vector register of reals `F`.
///
/// # Safety
/// The methods must be called where the instruction set is present, with valid addresses.
pub trait Vector<F>: Copy {
    /// Reals in a vector.
    const LANES: usize;
    /// The same number in every lane.
    unsafe fn splat(x: F) -> Self;
    /// One number in the even lanes, another in the odd ones.
    unsafe fn alternate(even: F, odd: F) -> Self;
    /// All lanes from memory.
    unsafe fn load(p: *const F) -> Self;
    /// Lanes lo..hi from memory, zeros beside; no other address is read.
    unsafe fn load_part(p: *const F, lo: usize, hi: usize) -> Self;
    /// All lanes to memory.
    unsafe fn store(self, p: *mut F);
    /// Lanes lo..hi to memory; no other address is written.
    unsafe fn store_part(self, p: *mut F, lo: usize, hi: usize);
    /// |self|.
    unsafe fn abs(self) -> Self;
    /// The larger one in each lane; `b` where either is NaN.
    unsafe fn max(self, b: Self) -> Self;
    /// A bit for each lane in which both are equal.
    unsafe fn equal(self, b: Self) -> u32;
    /// self + b.
    unsafe fn add(self, b: Self) -> Self;
    /// self · b.
    unsafe fn mul(self, b: Self) -> Self;
    /// self · b + c.
    unsafe fn madd(self, b: Self, c: Self) -> Self;
    /// Each lane exchanged with its neighbour.
    unsafe fn swap(self) -> Self;
}

/// The vectors of a real type, one per instruction set.
pub trait Simd: Sized {
    /// Of AVX-512.
    #[cfg(target_arch = "x86_64")]
    type V512: Vector<Self>;
    /// Of AVX2.
    #[cfg(target_arch = "x86_64")]
    type V256: Vector<Self>;
    /// Of whatever the compiler takes for granted.
    type V: Vector<Self>;
}

/// Some lanes as an array, for what no instruction set has a vector of: short ends, and other
/// processors. `FMA` says whether a fused multiply-add is one instruction.
#[derive(Clone, Copy)]
pub struct Lanes<F, const L: usize, const FMA: bool>([F; L]);

/// An array of lanes by a plain loop: a closure would be compiled without the instruction set.
macro_rules! lanes {
    (|$k:ident| $value:expr) => {{
        let mut all = [F::zero(); L];
        let mut $k = 0;
        while $k < L {
            all[$k] = $value;
            $k += 1;
        }
        Lanes(all)
    }};
}

impl<F: Float, const L: usize, const FMA: bool> Vector<F> for Lanes<F, L, FMA> {
    const LANES: usize = L;
    #[inline(always)]
    unsafe fn splat(x: F) -> Self {
        Lanes([x; L])
    }
    #[inline(always)]
    unsafe fn alternate(even: F, odd: F) -> Self {
        lanes!(|k| if k % 2 == 0 { even } else { odd })
    }
    #[inline(always)]
    unsafe fn load(p: *const F) -> Self {
        // SAFETY: the caller's promise; the array has the alignment of its elements.
        Lanes(unsafe { p.cast::<[F; L]>().read() })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const F, lo: usize, hi: usize) -> Self {
        lanes!(|k| {
            if k >= lo && k < hi {
                // SAFETY: the caller's promise.
                unsafe { *p.add(k) }
            } else {
                F::zero()
            }
        })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut F) {
        // SAFETY: as for `load`.
        unsafe { p.cast::<[F; L]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut F, lo: usize, hi: usize) {
        for k in 0..L {
            if k >= lo && k < hi {
                // SAFETY: the caller's promise.
                unsafe { *p.add(k) = self.0[k] };
            }
        }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        lanes!(|k| self.0[k].abs())
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        lanes!(|k| if self.0[k] > b.0[k] {
            self.0[k]
        } else {
            b.0[k]
        })
    }
    #[inline(always)]
    unsafe fn equal(self, b: Self) -> u32 {
        let mut bits = 0;
        for k in 0..L {
            bits |= u32::from(self.0[k] == b.0[k]) << k;
        }
        bits
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        lanes!(|k| self.0[k] + b.0[k])
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        lanes!(|k| self.0[k] * b.0[k])
    }
    #[inline(always)]
    unsafe fn madd(self, b: Self, c: Self) -> Self {
        lanes!(|k| if FMA {
            self.0[k].mul_add(b.0[k], c.0[k])
        } else {
            self.0[k] * b.0[k] + c.0[k]
        })
    }
    #[inline(always)]
    unsafe fn swap(self) -> Self {
        lanes!(|k| self.0[(k ^ 1) % L])
    }
}

/// A factor for complex lanes, or for real ones: x·t is `own`·x + `other`·x with each lane
/// exchanged with its neighbour (`other` is not used for reals).
#[derive(Clone, Copy)]
pub struct Factor<V> {
    pub own: V,
    pub other: V,
}

impl<V> Factor<V> {
    /// For x·t.
    ///
    /// # Safety
    /// The instruction set is there (for all of these).
    #[inline(always)]
    pub unsafe fn new<T: Scalar>(t: T) -> Self
    where
        V: Vector<T::Real>,
    {
        // SAFETY: the caller's promise.
        unsafe {
            Factor {
                own: V::splat(t.re()),
                other: V::alternate(-t.im(), t.im()),
            }
        }
    }

    /// For x·t, or conj(x)·t.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn conj<T: Scalar>(t: T, conj: bool) -> Self
    where
        V: Vector<T::Real>,
    {
        // SAFETY: the caller's promise.
        unsafe {
            if T::COMPLEX && conj {
                Factor {
                    own: V::alternate(t.re(), -t.re()),
                    other: V::splat(t.im()),
                }
            } else {
                Self::new(t)
            }
        }
    }

    /// x·t.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn times<T: Scalar>(self, x: V) -> V
    where
        V: Vector<T::Real>,
    {
        // SAFETY: the caller's promise.
        unsafe {
            let own = x.mul(self.own);
            if T::COMPLEX {
                x.swap().madd(self.other, own)
            } else {
                own
            }
        }
    }

    /// x·t + c.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn times_add<T: Scalar>(self, x: V, c: V) -> V
    where
        V: Vector<T::Real>,
    {
        // SAFETY: the caller's promise.
        unsafe {
            let own = x.madd(self.own, c);
            if T::COMPLEX {
                x.swap().madd(self.other, own)
            } else {
                own
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Lanes, Vector};
    use std::arch::x86_64::*;

    macro_rules! avx512 {
        ($f:ty, $v:ty, $mask:ty, $lanes:literal, $swap:literal, $splat:ident, $alternate:expr, $load:ident, $maskz:ident, $store:ident, $masked:ident, $abs:expr, $max:ident, $equal:expr, $add:ident, $mul:ident, $fma:ident, $permute:ident) => {
            impl Vector<$f> for $v {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: $f) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn alternate(even: $f, odd: $f) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $alternate(even, odd) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $f) -> Self {
                    // SAFETY: the caller has AVX-512 and a valid address.
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn load_part(p: *const $f, lo: usize, hi: usize) -> Self {
                    // SAFETY: the caller has AVX-512; lanes out of the mask are not touched.
                    unsafe { $maskz(mask(lo, hi) as $mask, p) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $f) {
                    // SAFETY: the caller has AVX-512 and a valid address.
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn store_part(self, p: *mut $f, lo: usize, hi: usize) {
                    // SAFETY: the caller has AVX-512; lanes out of the mask are not touched.
                    unsafe { $masked(p, mask(lo, hi) as $mask, self) }
                }
                #[inline(always)]
                unsafe fn abs(self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $abs(self) }
                }
                #[inline(always)]
                unsafe fn max(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $max(self, b) }
                }
                #[inline(always)]
                unsafe fn equal(self, b: Self) -> u32 {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $equal(self, b) as u32 }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $add(self, b) }
                }
                #[inline(always)]
                unsafe fn mul(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $mul(self, b) }
                }
                #[inline(always)]
                unsafe fn madd(self, b: Self, c: Self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn swap(self) -> Self {
                    // SAFETY: the caller has AVX-512.
                    unsafe { $permute::<$swap>(self) }
                }
            }
        };
    }

    /// Bits lo..hi, for 16 lanes at most.
    #[inline(always)]
    fn mask(lo: usize, hi: usize) -> u32 {
        let below = |n: usize| (1u32 << n.min(16)) - 1;
        below(hi) & !below(lo)
    }

    avx512!(
        f32,
        __m512,
        __mmask16,
        16,
        0b1011_0001,
        _mm512_set1_ps,
        |e, o| _mm512_set4_ps(o, e, o, e),
        _mm512_loadu_ps,
        _mm512_maskz_loadu_ps,
        _mm512_storeu_ps,
        _mm512_mask_storeu_ps,
        |v| _mm512_abs_ps(v),
        _mm512_max_ps,
        |a, b| _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b),
        _mm512_add_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_permute_ps
    );
    avx512!(
        f64,
        __m512d,
        __mmask8,
        8,
        0b0101_0101,
        _mm512_set1_pd,
        |e, o| _mm512_set4_pd(o, e, o, e),
        _mm512_loadu_pd,
        _mm512_maskz_loadu_pd,
        _mm512_storeu_pd,
        _mm512_mask_storeu_pd,
        |v| _mm512_abs_pd(v),
        _mm512_max_pd,
        |a, b| _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b),
        _mm512_add_pd,
        _mm512_mul_pd,
        _mm512_fmadd_pd,
        _mm512_permute_pd
    );

    macro_rules! avx2 {
        ($f:ty, $v:ty, $lanes:literal, $swap:literal, $mask:ident, $splat:ident, $alternate:expr, $load:ident, $maskload:ident, $store:ident, $maskstore:ident, $abs:expr, $max:ident, $equal:expr, $add:ident, $mul:ident, $fma:ident, $permute:ident) => {
            impl Vector<$f> for $v {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: $f) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn alternate(even: $f, odd: $f) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $alternate(even, odd) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $f) -> Self {
                    // SAFETY: the caller has AVX2 and a valid address.
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn load_part(p: *const $f, lo: usize, hi: usize) -> Self {
                    // SAFETY: the caller has AVX2; lanes out of the mask are not touched.
                    unsafe { $maskload(p, $mask(lo, hi)) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $f) {
                    // SAFETY: the caller has AVX2 and a valid address.
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn store_part(self, p: *mut $f, lo: usize, hi: usize) {
                    // SAFETY: the caller has AVX2; lanes out of the mask are not touched.
                    unsafe { $maskstore(p, $mask(lo, hi), self) }
                }
                #[inline(always)]
                unsafe fn abs(self) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $abs(self) }
                }
                #[inline(always)]
                unsafe fn max(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $max(self, b) }
                }
                #[inline(always)]
                unsafe fn equal(self, b: Self) -> u32 {
                    // SAFETY: the caller has AVX2.
                    unsafe { $equal(self, b) as u32 }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $add(self, b) }
                }
                #[inline(always)]
                unsafe fn mul(self, b: Self) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $mul(self, b) }
                }
                #[inline(always)]
                unsafe fn madd(self, b: Self, c: Self) -> Self {
                    // SAFETY: the caller has FMA.
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn swap(self) -> Self {
                    // SAFETY: the caller has AVX2.
                    unsafe { $permute::<$swap>(self) }
                }
            }
        };
    }

    /// All bits set in lanes lo..hi of eight.
    #[inline(always)]
    unsafe fn mask8(lo: usize, hi: usize) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let from = _mm256_cmpgt_epi32(_mm256_set1_epi32(lo as i32), lane);
            _mm256_andnot_si256(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(hi as i32), lane))
        }
    }

    /// All bits set in lanes lo..hi of four.
    #[inline(always)]
    unsafe fn mask4(lo: usize, hi: usize) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe {
            let lane = _mm256_setr_epi64x(0, 1, 2, 3);
            let from = _mm256_cmpgt_epi64(_mm256_set1_epi64x(lo as i64), lane);
            _mm256_andnot_si256(
                from,
                _mm256_cmpgt_epi64(_mm256_set1_epi64x(hi as i64), lane),
            )
        }
    }

    avx2!(
        f32,
        __m256,
        8,
        0b1011_0001,
        mask8,
        _mm256_set1_ps,
        |e, o| _mm256_setr_ps(e, o, e, o, e, o, e, o),
        _mm256_loadu_ps,
        _mm256_maskload_ps,
        _mm256_storeu_ps,
        _mm256_maskstore_ps,
        |v| _mm256_andnot_ps(_mm256_set1_ps(-0.0), v),
        _mm256_max_ps,
        |a, b| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)),
        _mm256_add_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_permute_ps
    );
    avx2!(
        f64,
        __m256d,
        4,
        0b0101,
        mask4,
        _mm256_set1_pd,
        |e, o| _mm256_setr_pd(e, o, e, o),
        _mm256_loadu_pd,
        _mm256_maskload_pd,
        _mm256_storeu_pd,
        _mm256_maskstore_pd,
        |v| _mm256_andnot_pd(_mm256_set1_pd(-0.0), v),
        _mm256_max_pd,
        |a, b| _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)),
        _mm256_add_pd,
        _mm256_mul_pd,
        _mm256_fmadd_pd,
        _mm256_permute_pd
    );

    impl super::Simd for f32 {
        type V512 = __m512;
        type V256 = __m256;
        type V = Lanes<f32, 4, false>;
    }
    impl super::Simd for f64 {
        type V512 = __m512d;
        type V256 = __m256d;
        type V = Lanes<f64, 2, false>;
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Simd for f32 {
    type V = Lanes<f32, 4, false>;
}
#[cfg(not(target_arch = "x86_64"))]
impl Simd for f64 {
    type V = Lanes<f64, 2, false>;
}
