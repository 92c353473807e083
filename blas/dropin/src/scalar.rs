//! The four element types S, D, C, Z as one trait. What differs between real and complex is
//! here, so that the routines are written once.

use crate::kernels::simd::Simd;
use num_complex::Complex;
use num_traits::{Float, NumAssign};
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::Neg;

/// `f32` or `f64`.
pub trait Real: Float + Scalar<Real = Self> + Simd + suanzi_ops::Element {
    /// In `f64`, exactly.
    fn wide(self) -> f64;
}
impl Real for f32 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self.into()
    }
}
impl Real for f64 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// An element of a vector or matrix. Its memory is one or two `Real`s.
pub trait Scalar:
    Copy + Default + PartialEq + Debug + NumAssign + Sum + Neg<Output = Self> + Send + Sync + 'static
{
    /// The real type under it.
    type Real: Real;
    /// Two reals per element?
    const COMPLEX: bool;
    /// Reals per element.
    const PARTS: usize = if Self::COMPLEX { 2 } else { 1 };

    /// The complex number with these parts, or the real number `re`.
    fn new(re: Self::Real, im: Self::Real) -> Self;
    /// The real part.
    fn re(self) -> Self::Real;
    /// The imaginary part.
    fn im(self) -> Self::Real;
    /// The complex conjugate.
    fn conj(self) -> Self;
    /// `|re| + |im|`, the size that BLAS compares by.
    fn abs1(self) -> Self::Real;
    /// A quotient that overflows only if the result does.
    fn over(self, d: Self) -> Self;

    /// A real number as a scalar.
    #[inline(always)]
    fn real(re: Self::Real) -> Self {
        Self::new(re, <Self::Real as num_traits::Zero>::zero())
    }
    /// The product with a real number.
    #[inline(always)]
    fn scale(self, r: Self::Real) -> Self {
        Self::new(self.re() * r, self.im() * r)
    }
    /// The conjugate if asked for.
    #[inline(always)]
    fn conj_if(self, yes: bool) -> Self {
        if yes { self.conj() } else { self }
    }
}

macro_rules! real {
    ($t:ty) => {
        impl Scalar for $t {
            type Real = $t;
            const COMPLEX: bool = false;
            #[inline(always)]
            fn new(re: $t, _: $t) -> $t {
                re
            }
            #[inline(always)]
            fn re(self) -> $t {
                self
            }
            #[inline(always)]
            fn im(self) -> $t {
                0.0
            }
            #[inline(always)]
            fn conj(self) -> $t {
                self
            }
            #[inline(always)]
            fn abs1(self) -> $t {
                self.abs()
            }
            #[inline(always)]
            fn over(self, d: $t) -> $t {
                self / d
            }
        }
        impl Scalar for Complex<$t> {
            type Real = $t;
            const COMPLEX: bool = true;
            #[inline(always)]
            fn new(re: $t, im: $t) -> Self {
                Complex::new(re, im)
            }
            #[inline(always)]
            fn re(self) -> $t {
                self.re
            }
            #[inline(always)]
            fn im(self) -> $t {
                self.im
            }
            #[inline(always)]
            fn conj(self) -> Self {
                Complex::new(self.re, -self.im)
            }
            #[inline(always)]
            fn abs1(self) -> $t {
                self.re.abs() + self.im.abs()
            }
            #[inline(always)]
            fn over(self, d: Self) -> Self {
                // Smith's division: the larger part of the divisor is divided out first.
                if d.re.abs() >= d.im.abs() {
                    let r = d.im / d.re;
                    let t = d.re + d.im * r;
                    Complex::new((self.re + self.im * r) / t, (self.im - self.re * r) / t)
                } else {
                    let r = d.re / d.im;
                    let t = d.re * r + d.im;
                    Complex::new((self.re * r + self.im) / t, (self.im * r - self.re) / t)
                }
            }
        }
    };
}
real!(f32);
real!(f64);
