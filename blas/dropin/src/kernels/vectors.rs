//! The loops under level 1. All take contiguous vectors; strides are the callers' business.

use super::drive::{Elementwise, R, Summand, each, sums};
use super::simd::{Factor, Vector};
use super::versions;
use crate::scalar::{Real, Scalar};
use num_traits::{Float, One};

/// Defines `fn name` that does something to each element by itself: what is done is a struct with
/// the parameters as fields, and `at` says how, for the vectors `W` of reals from `i` on.
macro_rules! elementwise {
    ($(#[$doc:meta])* $name:ident = $op:ident / $body:ident ($($a:ident : $t:ty),*) |$self:ident, $w:ident, $i:ident| $at:block) => {
        versions! {
            $(#[$doc])*
            $name = $body<T>(n: usize, $($a: $t),*)
        }

        struct $op<T: Scalar> {
            $($a: $t,)*
        }

        impl<T: Scalar> Elementwise<R<T>> for $op<T> {
            #[inline(always)]
            unsafe fn at<$w: Vector<R<T>>>(&$self, $i: usize) {
                // SAFETY: the caller's promise.
                unsafe { $at }
            }
        }

        #[inline(always)]
        unsafe fn $body<T: Scalar, V: Vector<R<T>>, const FMA: bool>(n: usize, $($a: $t),*) {
            // SAFETY: the caller's promise.
            unsafe { each::<R<T>, V>(n * T::PARTS, $op { $($a),* }) }
        }
    };
}

elementwise! {
    /// y += t·x.
    axpy = Axpy / axpy_body (t: T, x: *const T, y: *mut T) |self, W, i| {
        let (x, y) = (self.x.cast::<R<T>>().add(i), self.y.cast::<R<T>>().add(i));
        Factor::<W>::new(self.t).times_add::<T>(W::load(x), W::load(y)).store(y);
    }
}

elementwise! {
    /// z += s·x + t·y.
    axpy2 = Axpy2 / axpy2_body (s: T, x: *const T, t: T, y: *const T, z: *mut T) |self, W, i| {
        let (x, y) = (self.x.cast::<R<T>>().add(i), self.y.cast::<R<T>>().add(i));
        let z = self.z.cast::<R<T>>().add(i);
        let sum = Factor::<W>::new(self.s).times_add::<T>(W::load(x), W::load(z));
        Factor::<W>::new(self.t).times_add::<T>(W::load(y), sum).store(z);
    }
}

elementwise! {
    /// x·t in place.
    scale = Scale / scale_body (t: T, x: *mut T) |self, W, i| {
        let x = self.x.cast::<R<T>>().add(i);
        Factor::<W>::new(self.t).times::<T>(W::load(x)).store(x);
    }
}

elementwise! {
    /// y := x.
    copy = Copy / copy_body (x: *const T, y: *mut T) |self, W, i| {
        W::load(self.x.cast::<R<T>>().add(i)).store(self.y.cast::<R<T>>().add(i));
    }
}

elementwise! {
    /// x and y exchanged.
    swap = Swap / swap_body (x: *mut T, y: *mut T) |self, W, i| {
        let (x, y) = (self.x.cast::<R<T>>().add(i), self.y.cast::<R<T>>().add(i));
        let (vx, vy) = (W::load(x), W::load(y));
        vx.store(y);
        vy.store(x);
    }
}

elementwise! {
    /// x' = xx·x + xy·y, y' = yx·x + yy·y with real factors.
    rotate = Rotate / rotate_body (x: *mut T, y: *mut T, xx: R<T>, xy: R<T>, yx: R<T>, yy: R<T>) |self, W, i| {
        let (x, y) = (self.x.cast::<R<T>>().add(i), self.y.cast::<R<T>>().add(i));
        let (vx, vy) = (W::load(x), W::load(y));
        vx.madd(W::splat(self.xx), vy.mul(W::splat(self.xy))).store(x);
        vx.madd(W::splat(self.yx), vy.mul(W::splat(self.yy))).store(y);
    }
}

/// Sums at once: as many as hide the time of one addition.
const SUMS: usize = 4;

versions! {
    /// Σ |x_k| over reals.
    abs_sum = abs_sum_body<T>(n: usize, x: *const T) -> R<T>
}

/// What `abs_sum` adds up.
struct Sizes<F>(*const F);

impl<F: Float> Summand<F, 1> for Sizes<F> {
    #[inline(always)]
    unsafe fn add<W: Vector<F>>(&self, i: usize, sums: &mut [[W; 2]; 1]) {
        // SAFETY: the caller's promise.
        unsafe { sums[0][0] = sums[0][0].add(W::load(self.0.add(i)).abs()) }
    }
}

#[inline(always)]
unsafe fn abs_sum_body<T: Scalar, V: Vector<R<T>>, const FMA: bool>(n: usize, x: *const T) -> R<T> {
    // SAFETY: the caller's promise.
    unsafe {
        let [[[even, odd], _]] = sums::<R<T>, V, 1, SUMS>(n, &Sizes(x.cast::<R<T>>()));
        even + odd
    }
}

versions! {
    /// The first of the largest |re|+|im|, of at least one element: its number, and its size. NaN
    /// counts as nothing; if all are NaN, the size is negative.
    largest = largest_body<T>(n: usize, x: *const T) -> (usize, R<T>)
}

/// |re|+|im| in both lanes of a complex number.
#[inline(always)]
unsafe fn sizes<T: Scalar, V: Vector<R<T>>>(x: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let a = x.abs();
        if T::COMPLEX { a.add(a.swap()) } else { a }
    }
}

#[inline(always)]
unsafe fn largest_body<T: Scalar, V: Vector<R<T>>, const FMA: bool>(
    n: usize,
    x: *const T,
) -> (usize, R<T>) {
    /// Reals of which only the maximum is found; the block that won is looked through.
    const BLOCK: usize = 2048;
    let reals = n * T::PARTS;
    let (mut best, mut winner) = (-<R<T> as One>::one(), None);
    // SAFETY: the vectors lie within n elements.
    unsafe {
        let x = x.cast::<R<T>>();
        let mut from = 0;
        while from < reals {
            let to = reals.min(from + BLOCK);
            let none = V::splat(-<R<T> as One>::one());
            let mut acc = [none; SUMS];
            let mut i = from;
            while i + SUMS * V::LANES <= to {
                for u in 0..SUMS {
                    acc[u] = sizes::<T, V>(V::load(x.add(i + u * V::LANES))).max(acc[u]);
                }
                i += SUMS * V::LANES;
            }
            while i + V::LANES <= to {
                acc[0] = sizes::<T, V>(V::load(x.add(i))).max(acc[0]);
                i += V::LANES;
            }
            let mut most = acc[0].max(acc[1]).max(acc[2].max(acc[3])).most();
            while i < to {
                let a = (*x.add(i).cast::<T>()).abs1();
                most = if a > most { a } else { most };
                i += T::PARTS;
            }
            if most > best {
                (best, winner) = (most, Some((from, to)));
            }
            from = to;
        }
        let Some((from, to)) = winner else {
            return (0, best);
        };
        let mut i = from;
        while i + V::LANES <= to {
            let equal = sizes::<T, V>(V::load(x.add(i))).equal(V::splat(best));
            if equal != 0 {
                return ((i + equal.trailing_zeros() as usize) / T::PARTS, best);
            }
            i += V::LANES;
        }
        while i < to && (*x.add(i).cast::<T>()).abs1() != best {
            i += T::PARTS;
        }
        (i / T::PARTS, best)
    }
}

versions! {
    /// Σ x_k² over reals, in `f64`.
    squares = squares_body<T>(n: usize, x: *const T) -> f64
}

#[allow(clippy::extra_unused_type_parameters)] // every body has a vector
#[inline(always)]
unsafe fn squares_body<T: Scalar, V, const FMA: bool>(n: usize, x: *const T) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { wide_products::<T, FMA, 16>(n, x, x) }
}

versions! {
    /// Σ x_k·y_k over reals, in `f64`.
    wide_dot = wide_dot_body<T>(n: usize, x: *const T, y: *const T) -> f64
}

/// v·w + sum.
#[inline(always)]
fn wide_product<T: Scalar, const FMA: bool>(v: T, w: T, sum: f64) -> f64 {
    let (v, w) = (v.re().wide(), w.re().wide());
    if FMA { v.mul_add(w, sum) } else { v * w + sum }
}

#[allow(clippy::extra_unused_type_parameters)] // every body has a vector
#[inline(always)]
unsafe fn wide_dot_body<T: Scalar, V, const FMA: bool>(n: usize, x: *const T, y: *const T) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { wide_products::<T, FMA, 16>(n, x, y) }
}

/// `MANY` sums at once, then few.
#[inline(always)]
unsafe fn wide_products<T: Scalar, const FMA: bool, const MANY: usize>(
    n: usize,
    x: *const T,
    y: *const T,
) -> f64 {
    const FEW: usize = 4;
    let mut few = [0f64; FEW];
    let mut i = 0;
    // SAFETY: the chunks lie within n elements.
    unsafe {
        if n >= MANY {
            let mut many = [0f64; MANY];
            while i + MANY <= n {
                let v = x.add(i).cast::<[T; MANY]>().read();
                let w = y.add(i).cast::<[T; MANY]>().read();
                for k in 0..MANY {
                    many[k] = wide_product::<T, FMA>(v[k], w[k], many[k]);
                }
                i += MANY;
            }
            for k in 0..MANY {
                few[k % FEW] += many[k];
            }
        }
        while i + FEW <= n {
            for k in 0..FEW {
                few[k] = wide_product::<T, FMA>(*x.add(i + k), *y.add(i + k), few[k]);
            }
            i += FEW;
        }
        let mut rest = 0.0;
        while i < n {
            rest = wide_product::<T, FMA>(*x.add(i), *y.add(i), rest);
            i += 1;
        }
        (few[0] + few[1]) + (few[2] + few[3]) + rest
    }
}

/// y := beta·y, which for beta = 0 does not read y.
///
/// # Safety
/// y has `n` elements.
pub unsafe fn times<T: Scalar>(n: usize, beta: T, y: *mut T) {
    // SAFETY: the caller's promise; all bits zero is zero.
    unsafe {
        if beta.is_zero() {
            y.write_bytes(0, n);
        } else if beta != T::one() {
            scale(n, beta, y);
        }
    }
}
