//! Vectors of one instruction set each, as one trait: what the register tile is written in.
//! Elements are reals; a complex number is two neighbouring lanes.

mod lanes;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::scalar::Scalar;
use lanes::Lanes;
use num_traits::{Float, Zero};

/// A vector register of reals `F`.
///
/// # Safety
/// The methods must be called where the instruction set is present, with valid addresses.
pub trait Vector<F: Float>: Copy {
    /// Reals in a vector.
    const LANES: usize;
    /// Half as many; of one, one.
    type Half: Vector<F>;
    /// The same number in every lane.
    unsafe fn splat(x: F) -> Self;
    /// One number in the even lanes, another in the odd ones.
    unsafe fn alternate(even: F, odd: F) -> Self;
    /// All lanes from memory.
    unsafe fn load(p: *const F) -> Self;
    /// Lanes lo..hi from memory, zeros beside; no other address is read.
    unsafe fn load_part(p: *const F, lo: usize, hi: usize) -> Self;
    /// Lanes 0..hi from memory, zeros beside; the addresses of all lanes must be readable.
    #[inline(always)]
    unsafe fn load_first(p: *const F, hi: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load_part(p, 0, hi) }
    }
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
    /// The lower lanes, the upper lanes.
    unsafe fn halves(self) -> [Self::Half; 2];
    /// The sums of the even lanes and of the odd ones, added up by halves.
    #[inline(always)]
    unsafe fn pair(self) -> [F; 2] {
        // SAFETY: the caller's promise; there is room for two lanes.
        unsafe {
            if Self::LANES > 2 {
                let [a, b] = self.halves();
                return a.add(b).pair();
            }
            let mut two = [<F as Zero>::zero(); 2];
            self.store(two.as_mut_ptr());
            two
        }
    }
    /// The largest lane.
    #[inline(always)]
    unsafe fn most(self) -> F {
        // SAFETY: the caller's promise; there is room for two lanes.
        unsafe {
            if Self::LANES > 2 {
                let [a, b] = self.halves();
                return a.max(b).most();
            }
            let mut two = [<F as Zero>::zero(); 2];
            self.store(two.as_mut_ptr());
            if Self::LANES == 2 && two[1] > two[0] {
                two[1]
            } else {
                two[0]
            }
        }
    }
}

/// The vectors of a real type, one per instruction set.
pub trait Simd: Float {
    /// Of AVX-512.
    #[cfg(target_arch = "x86_64")]
    type V512: Vector<Self>;
    /// Of AVX2.
    #[cfg(target_arch = "x86_64")]
    type V256: Vector<Self>;
    /// Of whatever the compiler takes for granted.
    type V: Vector<Self>;
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

#[cfg(not(target_arch = "x86_64"))]
impl Simd for f32 {
    type V = Lanes<f32, 4, false>;
}
#[cfg(not(target_arch = "x86_64"))]
impl Simd for f64 {
    type V = Lanes<f64, 2, false>;
}
