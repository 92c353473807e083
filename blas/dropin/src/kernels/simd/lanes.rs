//! Vectors as arrays.

use super::Vector;
use num_traits::Float;

/// Some lanes as an array, for what no instruction set has a vector of: short ends, and other
/// processors. `FMA` says whether a fused multiply-add is one instruction.
#[derive(Clone, Copy)]
pub struct Lanes<F, const L: usize, const FMA: bool>(pub(super) [F; L]);

/// An array of lanes by a plain loop: a closure would be compiled without the instruction set.
macro_rules! lanes {
    ($l:literal, |$k:ident| $value:expr) => {{
        let mut all = [F::zero(); $l];
        let mut $k = 0;
        while $k < $l {
            all[$k] = $value;
            $k += 1;
        }
        Lanes(all)
    }};
}

/// Arrays of so many lanes, and of half as many.
macro_rules! arrays {
    ($($l:literal / $half:literal),*) => {$(
impl<F: Float, const FMA: bool> Vector<F> for Lanes<F, $l, FMA> {
    const LANES: usize = $l;
    type Half = Lanes<F, $half, FMA>;
    #[inline(always)]
    unsafe fn halves(self) -> [Self::Half; 2] {
        let (mut low, mut high) = ([F::zero(); $half], [F::zero(); $half]);
        for k in 0..$half {
            (low[k], high[k]) = (self.0[k], self.0[k + $l - $half]);
        }
        [Lanes(low), Lanes(high)]
    }
    #[inline(always)]
    unsafe fn splat(x: F) -> Self {
        Lanes([x; $l])
    }
    #[inline(always)]
    unsafe fn alternate(even: F, odd: F) -> Self {
        lanes!($l, |k| if k % 2 == 0 { even } else { odd })
    }
    #[inline(always)]
    unsafe fn load(p: *const F) -> Self {
        // SAFETY: the caller's promise; the array has the alignment of its elements.
        Lanes(unsafe { p.cast::<[F; $l]>().read() })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const F, lo: usize, hi: usize) -> Self {
        lanes!($l, |k| {
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
        unsafe { p.cast::<[F; $l]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut F, lo: usize, hi: usize) {
        for k in 0..$l {
            if k >= lo && k < hi {
                // SAFETY: the caller's promise.
                unsafe { *p.add(k) = self.0[k] };
            }
        }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        lanes!($l, |k| self.0[k].abs())
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        lanes!($l, |k| if self.0[k] > b.0[k] {
            self.0[k]
        } else {
            b.0[k]
        })
    }
    #[inline(always)]
    unsafe fn equal(self, b: Self) -> u32 {
        let mut bits = 0;
        for k in 0..$l {
            bits |= u32::from(self.0[k] == b.0[k]) << k;
        }
        bits
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        lanes!($l, |k| self.0[k] + b.0[k])
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        lanes!($l, |k| self.0[k] * b.0[k])
    }
    #[inline(always)]
    unsafe fn madd(self, b: Self, c: Self) -> Self {
        lanes!($l, |k| if FMA {
            self.0[k].mul_add(b.0[k], c.0[k])
        } else {
            self.0[k] * b.0[k] + c.0[k]
        })
    }
    #[inline(always)]
    unsafe fn swap(self) -> Self {
        lanes!($l, |k| self.0[if k ^ 1 < $l { k ^ 1 } else { k }])
    }
}
    )*};
}
arrays!(4 / 2, 2 / 1, 1 / 1);
