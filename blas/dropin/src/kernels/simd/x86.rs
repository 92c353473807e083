//! The vectors of AVX-512 and AVX2, and the half of those, with FMA.

use super::{Lanes, Simd, Vector};
use num_traits::Float;
use std::arch::x86_64::*;

macro_rules! avx512 {
    ($f:ty, $v:ty, $mask:ty, $lanes:literal, $swap:literal, $splat:ident, $alternate:expr, $load:ident, $maskz:ident, $store:ident, $masked:ident, $abs:expr, $max:ident, $equal:expr, $add:ident, $mul:ident, $fma:ident, $permute:ident, $half:ty, $halves:expr) => {
        impl Vector<$f> for $v {
            const LANES: usize = $lanes;
            type Half = $half;
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
            #[inline(always)]
            unsafe fn halves(self) -> [$half; 2] {
                // SAFETY: the caller has AVX-512.
                unsafe { $halves(self) }
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
    _mm512_permute_ps,
    __m256,
    |v| [_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)]
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
    _mm512_permute_pd,
    __m256d,
    |v| [_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd::<1>(v)]
);

macro_rules! avx2 {
    ($f:ty, $v:ty, $lanes:literal, $swap:literal, $mask:expr, $splat:ident, $alternate:expr, $load:ident, $maskload:ident, $and:expr, $store:ident, $maskstore:ident, $abs:expr, $max:ident, $equal:expr, $add:ident, $mul:ident, $fma:ident, $permute:ident, $half:ty, $halves:expr) => {
        impl Vector<$f> for $v {
            const LANES: usize = $lanes;
            type Half = $half;
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
            unsafe fn load_first(p: *const $f, hi: usize) -> Self {
                // SAFETY: the caller has AVX2, and may read all lanes.
                unsafe { $and($load(p), $mask(0, hi)) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $f) {
                // SAFETY: the caller has AVX2 and a valid address.
                unsafe { $store(p, self) }
            }
            #[inline(always)]
            unsafe fn store_part(self, p: *mut $f, lo: usize, hi: usize) {
                // SAFETY: the caller has AVX2; lanes out of the mask are not touched.
                unsafe {
                    if lo == 0 {
                        store_first::<$f, $v>(self, p, hi)
                    } else {
                        $maskstore(p, $mask(lo, hi), self)
                    }
                }
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
            #[inline(always)]
            unsafe fn halves(self) -> [$half; 2] {
                // SAFETY: the caller has AVX2.
                unsafe { $halves(self) }
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

/// The first two lanes.
#[inline(always)]
unsafe fn two(v: __m128) -> Lanes<f32, 2, true> {
    // SAFETY: the caller has AVX2.
    unsafe { Lanes([_mm_cvtss_f32(v), _mm_cvtss_f32(_mm_movehdup_ps(v))]) }
}

/// The first `hi` lanes to memory, in pieces: stores by mask take long on some processors.
#[inline(always)]
unsafe fn store_first<F: Float, V: Vector<F>>(v: V, p: *mut F, hi: usize) {
    // SAFETY: the caller has AVX2, and memory for these lanes.
    unsafe {
        if hi >= V::LANES {
            v.store(p);
        } else if V::LANES > 1 && hi > 0 {
            let [low, high] = v.halves();
            let half = V::LANES / 2;
            if hi < half {
                store_first::<F, V::Half>(low, p, hi);
            } else {
                low.store(p);
                store_first::<F, V::Half>(high, p.add(half), hi - half);
            }
        }
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
    |v, mask| _mm256_and_ps(v, _mm256_castsi256_ps(mask)),
    _mm256_storeu_ps,
    _mm256_maskstore_ps,
    |v| _mm256_andnot_ps(_mm256_set1_ps(-0.0), v),
    _mm256_max_ps,
    |a, b| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)),
    _mm256_add_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_permute_ps,
    __m128,
    |v| [_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v)]
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
    |v, mask| _mm256_and_pd(v, _mm256_castsi256_pd(mask)),
    _mm256_storeu_pd,
    _mm256_maskstore_pd,
    |v| _mm256_andnot_pd(_mm256_set1_pd(-0.0), v),
    _mm256_max_pd,
    |a, b| _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)),
    _mm256_add_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_permute_pd,
    __m128d,
    |v| [_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v)]
);

avx2!(
    f32,
    __m128,
    4,
    0b1011_0001,
    |lo, hi| _mm256_castsi256_si128(mask8(lo, hi)),
    _mm_set1_ps,
    |e, o| _mm_setr_ps(e, o, e, o),
    _mm_loadu_ps,
    _mm_maskload_ps,
    |v, mask| _mm_and_ps(v, _mm_castsi128_ps(mask)),
    _mm_storeu_ps,
    _mm_maskstore_ps,
    |v| _mm_andnot_ps(_mm_set1_ps(-0.0), v),
    _mm_max_ps,
    |a, b| _mm_movemask_ps(_mm_cmp_ps::<_CMP_EQ_OQ>(a, b)),
    _mm_add_ps,
    _mm_mul_ps,
    _mm_fmadd_ps,
    _mm_permute_ps,
    Lanes<f32, 2, true>,
    |v| [two(v), two(_mm_movehl_ps(v, v))]
);
avx2!(
    f64,
    __m128d,
    2,
    0b01,
    |lo, hi| _mm256_castsi256_si128(mask4(lo, hi)),
    _mm_set1_pd,
    |e, o| _mm_setr_pd(e, o),
    _mm_loadu_pd,
    _mm_maskload_pd,
    |v, mask| _mm_and_pd(v, _mm_castsi128_pd(mask)),
    _mm_storeu_pd,
    _mm_maskstore_pd,
    |v| _mm_andnot_pd(_mm_set1_pd(-0.0), v),
    _mm_max_pd,
    |a, b| _mm_movemask_pd(_mm_cmp_pd::<_CMP_EQ_OQ>(a, b)),
    _mm_add_pd,
    _mm_mul_pd,
    _mm_fmadd_pd,
    _mm_permute_pd,
    Lanes<f64, 1, true>,
    |v| [
        Lanes([_mm_cvtsd_f64(v)]),
        Lanes([_mm_cvtsd_f64(_mm_unpackhi_pd(v, v))])
    ]
);

impl Simd for f32 {
    type V512 = __m512;
    type V256 = __m256;
    type V = Lanes<f32, 4, false>;
}
impl Simd for f64 {
    type V512 = __m512d;
    type V256 = __m256d;
    type V = Lanes<f64, 2, false>;
}
