//! How loops go over vectors: several vectors at a time, one at a time, then the end in halves. An
//! element is rounded the same way wherever it is.

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

/// What is added up, in `N` sums of two parts each (the second is for complex numbers).
pub trait Summand<F: Float, const N: usize> {
    /// Adds the reals from `i` on that a `W` holds.
    ///
    /// # Safety
    /// There are so many; the instruction set is there.
    unsafe fn add<W: Vector<F>>(&self, i: usize, sums: &mut [[W; 2]; N]);
}

/// The sums over the reals 0..len, of even lanes and of odd ones; `U` at once, as many as hide the time
/// of one addition.
///
/// # Safety
/// As for the summand.
#[inline(always)]
pub unsafe fn sums<F: Float, V: Vector<F>, const N: usize, const U: usize>(
    len: usize,
    summand: &impl Summand<F, N>,
) -> [[[F; 2]; 2]; N] {
    // SAFETY: the vectors lie within 0..len.
    unsafe {
        let mut all = [[[V::splat(F::zero()); 2]; N]; U];
        let mut i = 0;
        if len >= U * V::LANES {
            while i + U * V::LANES <= len {
                for u in 0..U {
                    summand.add::<V>(i + u * V::LANES, &mut all[u]);
                }
                i += U * V::LANES;
            }
            for u in 1..U {
                for j in 0..N {
                    for part in 0..2 {
                        all[0][j][part] = all[0][j][part].add(all[u][j][part]);
                    }
                }
            }
        }
        while i + V::LANES <= len {
            summand.add::<V>(i, &mut all[0]);
            i += V::LANES;
        }
        fold::<F, V, N>(all[0], i, len, summand)
    }
}

/// Adds up halves of the vectors, and to them what is left of the reals, from `i` on.
#[inline(always)]
unsafe fn fold<F: Float, V: Vector<F>, const N: usize>(
    sums: [[V; 2]; N],
    mut i: usize,
    len: usize,
    summand: &impl Summand<F, N>,
) -> [[[F; 2]; 2]; N] {
    // SAFETY: the vectors lie within 0..len.
    unsafe {
        let mut halves = [[Half::<F, V>::splat(F::zero()); 2]; N];
        if V::LANES > 2 {
            for j in 0..N {
                for part in 0..2 {
                    let [a, b] = sums[j][part].halves();
                    halves[j][part] = a.add(b);
                }
            }
            if i + Half::<F, V>::LANES <= len {
                summand.add::<Half<F, V>>(i, &mut halves);
                i += Half::<F, V>::LANES;
            }
            return fold::<F, Half<F, V>, N>(halves, i, len, summand);
        }
        if i < len {
            summand.add::<Half<F, V>>(i, &mut halves);
        }
        let mut out = [[[F::zero(); 2]; 2]; N];
        for j in 0..N {
            for part in 0..2 {
                let [even, odd] = sums[j][part].pair();
                out[j][part] = [even + halves[j][part].pair()[0], odd];
            }
        }
        out
    }
}
