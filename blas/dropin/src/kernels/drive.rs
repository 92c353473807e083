//! How loops go over vectors: four vectors at a time, one at a time, then the end. An element is
//! rounded the same way wherever it is.

use super::simd::{Lanes, Vector};
use crate::scalar::Scalar;
use num_traits::{Float, Zero};

/// The reals of a type.
pub type R<T> = <T as Scalar>::Real;

/// What is done to each element by itself. A vector is read whole before any of it is written, so
/// operands that are the same are no danger.
pub trait Elementwise<F> {
    /// Does it to the reals from `i` on that a `W` holds.
    ///
    /// # Safety
    /// There are so many; the instruction set is there.
    unsafe fn at<W: Vector<F>>(&self, i: usize);
}

/// Does it to the reals 0..len.
///
/// # Safety
/// There are so many; the instruction set is there.
#[inline(always)]
pub unsafe fn each<F: Float, V: Vector<F>, const FMA: bool>(len: usize, op: impl Elementwise<F>) {
    let mut i = 0;
    // SAFETY: the vectors lie within 0..len.
    unsafe {
        if len >= V::LANES {
            while i + 4 * V::LANES <= len {
                op.at::<V>(i);
                op.at::<V>(i + V::LANES);
                op.at::<V>(i + 2 * V::LANES);
                op.at::<V>(i + 3 * V::LANES);
                i += 4 * V::LANES;
            }
            while i + V::LANES <= len {
                op.at::<V>(i);
                i += V::LANES;
            }
        }
        if V::LANES > 8 && i + 8 <= len {
            op.at::<Lanes<F, 8, FMA>>(i);
            i += 8;
        }
        if V::LANES > 4 && i + 4 <= len {
            op.at::<Lanes<F, 4, FMA>>(i);
            i += 4;
        }
        if V::LANES > 2 && i + 2 <= len {
            op.at::<Lanes<F, 2, FMA>>(i);
            i += 2;
        }
        if i < len {
            op.at::<Lanes<F, 1, FMA>>(i);
        }
    }
}

/// The sums of a vector's even lanes and of its odd ones.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub unsafe fn pair<F: Float, V: Vector<F>>(v: V) -> [F; 2] {
    let mut all = [<F as Zero>::zero(); 16];
    // SAFETY: no vector has more than 16 lanes.
    unsafe { v.store(all.as_mut_ptr()) };
    let mut width = V::LANES / 2;
    while width >= 2 {
        for k in 0..width {
            all[k] = all[k] + all[k + width];
        }
        width /= 2;
    }
    [all[0], all[1]]
}
