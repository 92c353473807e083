//! Double-double arithmetic: a number is the unevaluated sum of two f64, which gives about 106 bits.
//!
//! The error-free sum is Knuth's, the error-free product comes from a fused multiply-add. The
//! exponent's range is that of f64: [`Dd::rounded_scaled`] is for results near its ends.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `hi + lo`, with `hi` the sum rounded to nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dd {
    /// The number, rounded.
    pub hi: f64,
    /// What is missing; at most half a unit in the last place of `hi`.
    pub lo: f64,
}

impl Dd {
    /// Zero.
    pub const ZERO: Dd = Dd::new(0.0, 0.0);
    /// One.
    pub const ONE: Dd = Dd::new(1.0, 0.0);
    /// ln 2.
    pub const LN_2: Dd = Dd::new(std::f64::consts::LN_2, 2.3190468138462996e-17);
    /// ln 10.
    pub const LN_10: Dd = Dd::new(std::f64::consts::LN_10, -2.1707562233822494e-16);
    /// π.
    pub const PI: Dd = Dd::new(std::f64::consts::PI, 1.2246467991473532e-16);

    /// From two parts that are normalised already.
    pub const fn new(hi: f64, lo: f64) -> Dd {
        Dd { hi, lo }
    }

    /// The exact sum of two numbers.
    pub fn sum(a: f64, b: f64) -> Dd {
        let hi = a + b;
        if !hi.is_finite() {
            return Dd::new(hi, 0.0);
        }
        let b_part = hi - a;
        let a_part = hi - b_part;
        Dd::new(hi, (a - a_part) + (b - b_part))
    }

    /// The exact product of two numbers, where its last bit is not below the least denormal.
    pub fn product(a: f64, b: f64) -> Dd {
        let hi = a * b;
        match hi.is_finite() {
            true => Dd::new(hi, a.mul_add(b, -hi)),
            false => Dd::new(hi, 0.0),
        }
    }

    /// Square root; NaN below zero.
    pub fn sqrt(self) -> Dd {
        let root = self.hi.sqrt();
        if root == 0.0 || !root.is_finite() {
            return Dd::new(root, 0.0);
        }
        let rest = self - Dd::product(root, root);
        Dd::sum(root, rest.hi / (2.0 * root))
    }

    /// Magnitude.
    pub fn abs(self) -> Dd {
        match self.hi.is_sign_negative() {
            true => -self,
            false => self,
        }
    }

    /// Multiplied by 2^n, which must neither overflow nor lose bits.
    pub fn scaled(self, n: i32) -> Dd {
        let factor = |n: i32| f64::from_bits(((n + 1023) as u64) << 52);
        let (first, second) = (factor(n / 2), factor(n - n / 2));
        Dd::new(self.hi * first * second, self.lo * first * second)
    }

    /// Rounded to one f64.
    pub fn rounded(self) -> f64 {
        match self.hi.is_finite() {
            true => self.hi + self.lo,
            false => self.hi,
        }
    }

    /// Multiplied by 2^n and rounded to one f64, once: where the result is denormal too.
    pub fn rounded_scaled(self, n: i32) -> f64 {
        let power = |n: i32| f64::from_bits(((n.clamp(-1022, 1023) + 1023) as u64) << 52);
        let times = |x: f64, n: i32| {
            let (mut x, mut n) = (x, n);
            while n != 0 {
                let step = n.clamp(-1000, 1000);
                (x, n) = (x * power(step), n - step);
            }
            x
        };
        let normal = Dd::sum(self.hi, self.lo);
        // Exact up to the last step, whose rounding may be one to a denormal.
        let exponent = ((normal.hi.to_bits() >> 52) & 0x7ff) as i32 - 1023;
        if !normal.hi.is_finite() || normal.hi == 0.0 || exponent + n > -1022 {
            return times(normal.hi, n);
        }
        if exponent + n < -1080 {
            return 0f64.copysign(normal.hi);
        }
        let mantissa = Dd::new(times(normal.hi, -exponent), times(normal.lo, -exponent));
        let down = exponent + n + 1074; // the leading bit, counted from the last of a denormal
        let unit = power(-down); // one unit in the last place, seen from the mantissa
        let mut units = (mantissa.hi / unit).round_ties_even();
        // hi alone decides unless it is a tie, which lo breaks.
        let over = mantissa.hi - units * unit;
        if over.abs() == unit / 2.0 && mantissa.lo != 0.0 {
            units = (mantissa.hi / unit).floor() + f64::from(u8::from(mantissa.lo > 0.0));
        }
        (units.abs() * f64::from_bits(1)).copysign(normal.hi)
    }
}

impl From<f64> for Dd {
    fn from(x: f64) -> Dd {
        Dd::new(x, 0.0)
    }
}

impl Neg for Dd {
    type Output = Dd;
    fn neg(self) -> Dd {
        Dd::new(-self.hi, -self.lo)
    }
}

impl<T: Into<Dd>> Add<T> for Dd {
    type Output = Dd;
    fn add(self, other: T) -> Dd {
        let other = other.into();
        let high = Dd::sum(self.hi, other.hi);
        let low = Dd::sum(self.lo, other.lo);
        let first = Dd::sum(high.hi, high.lo + low.hi);
        Dd::sum(first.hi, first.lo + low.lo)
    }
}

impl<T: Into<Dd>> Sub<T> for Dd {
    type Output = Dd;
    fn sub(self, other: T) -> Dd {
        self + -other.into()
    }
}

impl<T: Into<Dd>> Mul<T> for Dd {
    type Output = Dd;
    fn mul(self, other: T) -> Dd {
        let other = other.into();
        let p = Dd::product(self.hi, other.hi);
        let cross = self.hi * other.lo + self.lo * other.hi;
        match p.hi.is_finite() {
            true => Dd::sum(p.hi, p.lo + cross),
            false => p,
        }
    }
}

impl<T: Into<Dd>> Div<T> for Dd {
    type Output = Dd;
    fn div(self, other: T) -> Dd {
        let other = other.into();
        let first = self.hi / other.hi;
        if first == 0.0 || !first.is_finite() || !other.hi.is_finite() {
            return Dd::new(first, 0.0);
        }
        let rest = self - other * first;
        let second = rest.hi / other.hi;
        let rest = rest - other * second;
        Dd::sum(first, second) + rest.hi / other.hi
    }
}

impl PartialOrd for Dd {
    fn partial_cmp(&self, other: &Dd) -> Option<Ordering> {
        match self.hi.partial_cmp(&other.hi) {
            Some(Ordering::Equal) => self.lo.partial_cmp(&other.lo),
            order => order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_exact() {
        let s = Dd::sum(1.0, 2f64.powi(-80));
        assert_eq!((s.hi, s.lo), (1.0, 2f64.powi(-80)));
        let x = 1.0 + f64::EPSILON;
        let p = Dd::product(x, x);
        // (1 + ε)² = 1 + 2ε + ε²
        assert_eq!(
            (p.hi, p.lo),
            (1.0 + 2.0 * f64::EPSILON, f64::EPSILON * f64::EPSILON)
        );
    }

    #[test]
    fn quotients_and_roots_come_back() {
        for i in 1..2000 {
            let x = Dd::new(f64::from(i) * 1.37, 0.0) / 3.0;
            let near = |a: Dd, b: Dd| ((a - b).hi / b.hi).abs() < 2f64.powi(-100);
            assert!(near(x * 3.0, Dd::from(f64::from(i) * 1.37)), "{i}");
            let root = x.sqrt();
            assert!(near(root * root, x), "{i}");
        }
    }

    #[test]
    fn scaling_rounds_once() {
        // 1 + 2^-60 is more than a tie of denormals at 2^-1075.
        assert_eq!(Dd::sum(1.0, 0.0).rounded_scaled(-1075), 0.0);
        assert_eq!(
            Dd::sum(1.0, 2f64.powi(-60)).rounded_scaled(-1075),
            f64::from_bits(1)
        );
        assert_eq!(Dd::sum(3.0, 0.0).rounded_scaled(-1075), f64::from_bits(2));
        assert_eq!(
            Dd::sum(3.0, -2f64.powi(-60)).rounded_scaled(-1075),
            f64::from_bits(1)
        );
        assert_eq!(Dd::sum(-5.0, 0.0).rounded_scaled(-1075), -f64::from_bits(2));
        assert_eq!(Dd::from(1.0).rounded_scaled(-1022), f64::MIN_POSITIVE);
        assert_eq!(Dd::from(1.5).rounded_scaled(1023), 1.5 * 2f64.powi(1023));
        assert_eq!(Dd::from(1.5).rounded_scaled(1024), f64::INFINITY);
        let ulp = f64::EPSILON;
        // Half a unit of denormals below the least normal number, and a bit more or less.
        let x = Dd::sum(2.0 - ulp, ulp * 0.3);
        assert_eq!(x.rounded_scaled(-1023), f64::MIN_POSITIVE);
        let x = Dd::sum(2.0 - ulp, -ulp * 0.3);
        assert_eq!(
            x.rounded_scaled(-1023),
            f64::MIN_POSITIVE - f64::from_bits(1)
        );
    }
}
