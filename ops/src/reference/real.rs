//! What a reference computes in: f64, wide enough for results of 32 bits and fewer, or [`Dd`].

use super::Dd;
use super::elementary::{exp_dd, exp_parts, expm1_dd, log1p_dd};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Arithmetic with itself and with f64, and the few functions that definitions are made of.
pub trait Real:
    Copy
    + From<f64>
    + From<Dd>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// The nearest f64.
    fn hi(self) -> f64;
    /// `a · b`, exactly if it can be.
    fn product(a: f64, b: f64) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Multiplied by 2^n, which must neither overflow nor lose bits.
    fn scaled(self, n: i32) -> Self;
    /// Multiplied by 2^n and rounded to one f64, once.
    fn rounded_scaled(self, n: i32) -> f64;
    /// `e^x` as a number and an exponent of 2, for |x| up to a few thousand.
    fn exp_parts(self) -> (Self, i32);
    /// `e^x`, within the range of f64.
    fn exp(self) -> Self;
    /// `e^x - 1`.
    fn exp_m1(self) -> Self;
    /// `log(1 + x)`.
    fn ln_1p(self) -> Self;

    /// Rounded to one f64.
    fn rounded(self) -> f64 {
        self.rounded_scaled(0)
    }
}

/// The nearest f64.
impl From<Dd> for f64 {
    fn from(x: Dd) -> f64 {
        x.hi
    }
}

/// `e^x` below the least denormal of f64 is 0 here, as it is in the narrower types.
impl Real for f64 {
    fn hi(self) -> f64 {
        self
    }
    fn product(a: f64, b: f64) -> f64 {
        a * b
    }
    fn sqrt(self) -> f64 {
        self.sqrt()
    }
    fn scaled(self, n: i32) -> f64 {
        self.rounded_scaled(n)
    }
    fn rounded_scaled(self, n: i32) -> f64 {
        match n {
            0 => self,
            _ => self * 2f64.powi(n / 2) * 2f64.powi(n - n / 2),
        }
    }
    fn exp_parts(self) -> (f64, i32) {
        (self.exp(), 0)
    }
    fn exp(self) -> f64 {
        self.exp()
    }
    fn exp_m1(self) -> f64 {
        self.exp_m1()
    }
    fn ln_1p(self) -> f64 {
        self.ln_1p()
    }
}

impl Real for Dd {
    fn hi(self) -> f64 {
        self.hi
    }
    fn product(a: f64, b: f64) -> Dd {
        Dd::product(a, b)
    }
    fn sqrt(self) -> Dd {
        self.sqrt()
    }
    fn scaled(self, n: i32) -> Dd {
        self.scaled(n)
    }
    fn rounded_scaled(self, n: i32) -> f64 {
        self.rounded_scaled(n)
    }
    fn exp_parts(self) -> (Dd, i32) {
        exp_parts(self)
    }
    fn exp(self) -> Dd {
        exp_dd(self)
    }
    fn exp_m1(self) -> Dd {
        expm1_dd(self)
    }
    fn ln_1p(self) -> Dd {
        log1p_dd(self)
    }
    fn rounded(self) -> f64 {
        self.rounded()
    }
}
