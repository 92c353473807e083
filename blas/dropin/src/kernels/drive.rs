//! How loops go over vectors: four vectors at a time, one at a time, then the end. An element is
//! rounded the same way wherever it is.

use super::simd::Vector;
use crate::scalar::Scalar;
use num_traits::Float;

/// The reals of a type.
pub type R<T> = <T as Scalar>::Real;

/// What is done to each element by itself. A vector is read whole before any of it is written, so
/// operands that are the same are no danger.
pub trait Elementwise<F: Float> {
    /// Does it to the reals from `i` on that a `W` holds.
    ///
    /// # Safety
    /// There are so many; the instruction set is there.
    unsafe fn at<W: Vector<F>>(&self, i: usize);
}

type Half<F, V> = <V as Vector<F>>::Half;

/// Does it to the reals 0..len.
///
/// # Safety
/// There are so many; the instruction set is there.
#[inline(always)]
pub unsafe fn each<F: Float, V: Vector<F>>(len: usize, op: impl Elementwise<F>) {
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
        // The rest in pieces: what is left over of twice their lanes.
        macro_rules! end {
            ($whole:ty) => {
                let lanes = <Half<F, $whole>>::LANES;
                if lanes < <$whole>::LANES && len & lanes != 0 {
                    op.at::<Half<F, $whole>>(len & !(2 * lanes - 1));
                }
            };
        }
        if i < len {
            end!(V);
            end!(Half<F, V>);
            end!(Half<F, Half<F, V>>);
            end!(Half<F, Half<F, Half<F, V>>>);
        }
    }
}
