//! Vectors of one instruction set each, as one trait: what the register tile is written in.
//! Elements are reals; a complex number is two neighbouring lanes.

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

macro_rules! portable {
    ($f:ty, $lanes:literal) => {
        impl Vector<$f> for [$f; $lanes] {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(x: $f) -> Self {
                [x; $lanes]
            }
            #[inline(always)]
            unsafe fn alternate(even: $f, odd: $f) -> Self {
                std::array::from_fn(|k| if k % 2 == 0 { even } else { odd })
            }
            #[inline(always)]
            unsafe fn load(p: *const $f) -> Self {
                // SAFETY: the caller's promise.
                unsafe { p.cast::<Self>().read() }
            }
            #[inline(always)]
            unsafe fn load_part(p: *const $f, lo: usize, hi: usize) -> Self {
                std::array::from_fn(|k| {
                    let inside = k >= lo && k < hi;
                    // SAFETY: the caller's promise.
                    if inside { unsafe { *p.add(k) } } else { 0.0 }
                })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $f) {
                // SAFETY: the caller's promise.
                unsafe { p.cast::<Self>().write(self) }
            }
            #[inline(always)]
            unsafe fn store_part(self, p: *mut $f, lo: usize, hi: usize) {
                for (k, &x) in self.iter().enumerate() {
                    if k >= lo && k < hi {
                        // SAFETY: the caller's promise.
                        unsafe { *p.add(k) = x };
                    }
                }
            }
            #[inline(always)]
            unsafe fn mul(self, b: Self) -> Self {
                std::array::from_fn(|k| self[k] * b[k])
            }
            #[inline(always)]
            unsafe fn madd(self, b: Self, c: Self) -> Self {
                std::array::from_fn(|k| self[k] * b[k] + c[k])
            }
            #[inline(always)]
            unsafe fn swap(self) -> Self {
                std::array::from_fn(|k| self[k ^ 1])
            }
        }
    };
}
portable!(f32, 4);
portable!(f64, 2);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! avx512 {
        ($f:ty, $v:ty, $mask:ty, $lanes:literal, $swap:literal, $splat:ident, $alternate:expr, $load:ident, $maskz:ident, $store:ident, $masked:ident, $mul:ident, $fma:ident, $permute:ident) => {
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
        _mm512_mul_pd,
        _mm512_fmadd_pd,
        _mm512_permute_pd
    );

    macro_rules! avx2 {
        ($f:ty, $v:ty, $lanes:literal, $swap:literal, $mask:ident, $splat:ident, $alternate:expr, $load:ident, $maskload:ident, $store:ident, $maskstore:ident, $mul:ident, $fma:ident, $permute:ident) => {
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
        _mm256_mul_pd,
        _mm256_fmadd_pd,
        _mm256_permute_pd
    );

    impl super::Simd for f32 {
        type V512 = __m512;
        type V256 = __m256;
        type V = [f32; 4];
    }
    impl super::Simd for f64 {
        type V512 = __m512d;
        type V256 = __m256d;
        type V = [f64; 2];
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Simd for f32 {
    type V = [f32; 4];
}
#[cfg(not(target_arch = "x86_64"))]
impl Simd for f64 {
    type V = [f64; 2];
}
