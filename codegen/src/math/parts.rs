//! What elementary functions are made of: polynomials, scaling by powers of two, numbers taken
//! apart, and numbers held in two floats.

use super::term::{Operand, Term};

impl<'t> Term<'t> {
    /// `c[0] + c[1]·self + c[2]·self² + …` by Horner's rule.
    pub fn poly(self, c: &[f64]) -> Term<'t> {
        let (last, rest) = c.split_last().expect("a polynomial has a coefficient");
        let top = self.c(*last);
        rest.iter().rev().fold(top, |sum, &c| sum.mul_add(self, c))
    }

    /// Explicit mantissa bits of its kind.
    pub fn mantissa(self) -> i64 {
        self.pick(23, 52)
    }

    /// The exponent field of 1.
    pub fn bias(self) -> i64 {
        self.pick(127, 1023)
    }

    /// The bits of the sign, in place (unsigned).
    pub fn sign(self) -> Term<'t> {
        self.bits() & self.pick(1 << 31, i64::MIN)
    }

    /// A magnitude with the sign of another number; this one's sign must be plus.
    pub fn signed_like(self, other: Term<'t>) -> Term<'t> {
        (self.bits() | other.sign()).float()
    }

    /// A number multiplied by the sign of another one.
    pub fn flipped_like(self, other: Term<'t>) -> Term<'t> {
        (self.bits() ^ other.sign()).float()
    }

    /// A whole number of less than 2^22 (f64: 2^51) in magnitude, as a signed integer.
    pub fn whole(self) -> Term<'t> {
        // Added to 1.5·2^23, it is what the low bits hold.
        let magic = self.c(self.pick(12_582_912.0, 6_755_399_441_055_744.0));
        (self + magic).signed() - magic.signed()
    }

    /// 2 to the power of a signed integer, which must be a normal number's exponent.
    pub fn power_of_two(self) -> Term<'t> {
        ((self + self.bias()) << self.mantissa()).float()
    }

    /// `self · 2^n` for a signed integer n of up to twice the exponent's range, rounded once where
    /// the result is denormal; `self` must be near 1.
    pub fn scaled(self, n: Term<'t>) -> Term<'t> {
        // Two factors that are both normal. The first product is exact, and must stay apart from
        // the second: the product of the factors need not exist.
        let first = n >> 1;
        let second = n - first;
        (self * first.power_of_two()).fence() * second.power_of_two()
    }

    /// A positive finite number as (mantissa, exponent): mantissa in [2/3, 4/3), exponent a signed
    /// integer. Denormals too. What it gives for zero, infinity and NaN means nothing.
    pub fn taken_apart(self) -> (Term<'t>, Term<'t>) {
        let up = self.pick(24, 54);
        let tiny = self.lt(self.pick(f32::MIN_POSITIVE.into(), f64::MIN_POSITIVE));
        let normal = tiny.select(self * (1u64 << up) as f64, self);
        let (mantissa, exponent) = normal.normal_apart();
        (mantissa, tiny.select(exponent - up, exponent))
    }

    /// As [`Term::taken_apart`], for normal numbers.
    pub fn normal_apart(self) -> (Term<'t>, Term<'t>) {
        let bits = self.signed();
        let exponent = (bits - self.c(2.0 / 3.0).signed()) >> self.mantissa();
        let mantissa = (bits - (exponent << self.mantissa())).float();
        (mantissa, exponent)
    }

    /// `self - n·c` for a whole n of up to 12 bits that makes it small; c is given in two parts,
    /// for f32 and for f64, where the upper part has 12 zero bits, so that n times it is exact.
    pub fn minus_multiple(self, n: Term<'t>, c: [(f64, f64); 2]) -> Term<'t> {
        let (hi, lo) = self.pick(c[0], c[1]);
        // Without an fma, the two sums must not be joined.
        let near = n.mul_add(-hi, self);
        let near = if self.is_wide() { near.fence() } else { near };
        n.mul_add(-lo, near)
    }

    /// The upper half of the mantissa: 12 bits of f32, 26 of f64. Products of such halves are exact.
    pub fn upper(self) -> Term<'t> {
        (self.bits() & self.pick(0xffff_f000, !0x7ff_ffff)).float()
    }
}

/// A number in two floats: `hi + lo`, where `hi` is the sum rounded (or nearly so).
#[derive(Clone, Copy)]
pub struct Pair<'t> {
    /// The number, rounded.
    pub hi: Term<'t>,
    /// What is missing.
    pub lo: Term<'t>,
}

impl<'t> Pair<'t> {
    /// A constant of the type of `like`, to about twice its precision: `value + rest`.
    pub fn constant(like: Term<'t>, value: f64, rest: f64) -> Pair<'t> {
        match like.is_wide() {
            true => Pair {
                hi: like.c(value),
                lo: like.c(rest),
            },
            false => Pair {
                hi: like.c(value),
                lo: like.c(value - f64::from(value as f32)),
            },
        }
    }

    /// The exact sum of two numbers.
    pub fn sum(a: Term<'t>, b: Term<'t>) -> Pair<'t> {
        let (a, b) = (a.fence(), b.fence());
        let hi = (a + b).fence();
        let b_part = (hi - a).fence();
        let a_part = (hi - b_part).fence();
        let lo = (a - a_part).fence() + (b - b_part).fence();
        Pair { hi, lo }
    }

    /// The exact sum of two numbers, the first being larger in magnitude, or zero.
    pub fn quick_sum(large: Term<'t>, small: Term<'t>) -> Pair<'t> {
        let large = large.fence();
        let hi = (large + small).fence();
        let lo = small - (hi - large).fence();
        Pair { hi, lo }
    }

    /// The exact product of two numbers, if its error is not denormal.
    pub fn product(a: Term<'t>, b: Term<'t>) -> Pair<'t> {
        let hi = (a * b).fence();
        Pair {
            hi,
            lo: a.fma(b, -hi),
        }
    }

    /// The quotient of two numbers, to nearly twice their precision.
    pub fn quotient(a: Term<'t>, b: Term<'t>) -> Pair<'t> {
        let hi = (a / b).fence();
        Pair {
            hi,
            lo: (-hi).fma(b, a) / b,
        }
    }

    /// With a number added.
    pub fn plus(self, x: Term<'t>) -> Pair<'t> {
        let s = Pair::sum(self.hi, x);
        Pair::quick_sum(s.hi, s.lo + self.lo)
    }

    /// The sum of two pairs.
    pub fn plus_pair(self, other: Pair<'t>) -> Pair<'t> {
        let s = Pair::sum(self.hi, other.hi);
        Pair::quick_sum(s.hi, s.lo + (self.lo + other.lo))
    }

    /// Multiplied by a number.
    pub fn times(self, x: impl Operand<'t>) -> Pair<'t> {
        let x = x.term(self.hi);
        let p = Pair::product(self.hi, x);
        Pair::quick_sum(p.hi, self.lo.mul_add(x, p.lo))
    }

    /// The product of two pairs.
    pub fn times_pair(self, other: Pair<'t>) -> Pair<'t> {
        let p = Pair::product(self.hi, other.hi);
        let cross = self.hi * other.lo + self.lo * other.hi;
        Pair::quick_sum(p.hi, p.lo + cross)
    }

    /// Rounded to one number.
    pub fn rounded(self) -> Term<'t> {
        self.hi + self.lo
    }
}
