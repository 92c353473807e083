//! Reduction of an angle to a quarter turn: `x = n · π/2 + r` with `|r|` hardly above π/4.
//!
//! Moderate angles: `n` from a product with 2/π, and π/2 subtracted in three parts by fma (Cody and
//! Waite). The first step is exact, since what is left has no bits below those of the first part;
//! the later ones round relative to what is left. Large angles: the fraction of `x · 2/π` in
//! integers, by those words of 2/π that matter for the exponent of `x` (Payne and Hanek).

use super::term::Term;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// π/2 in parts of 24 (for f32) and 53 bits; each is the rest of those before, rounded.
const HALF_PI: [(f64, f64); 3] = [
    (1.5707963705062866, FRAC_PI_2),
    (-4.371138828673793e-8, 6.123233995736766e-17),
    (-1.7151245100058819e-15, -1.4973849048591698e-33),
];

/// Angles from here on take the long way. Below, `n` times what π/2 has beyond its parts is far below
/// the least distance of a float from a multiple of π/2, and the error of `n` stretches `r` by less
/// than 0.01.
const LARGE: (f64, f64) = (65536.0, 33554432.0);

/// The binary digits of 2/π in words of 64 bits, behind a word of zeros.
const TWO_OVER_PI: [u64; 19] = [
    0x0000_0000_0000_0000,
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
];

/// An angle, reduced.
pub struct Reduced<'t> {
    /// Quarter turns; the two lowest bits mean something.
    pub quarters: Term<'t>,
    /// What is left.
    pub rest: Term<'t>,
}

/// The parts of π/2 for the type of a term.
pub fn half_pi(x: Term<'_>) -> [f64; 3] {
    HALF_PI.map(|(single, double)| x.pick(single, double))
}

/// Reduces an angle that is not negative. What it gives for infinity and NaN means nothing.
pub fn reduce(x: Term<'_>) -> Reduced<'_> {
    let n = (x * FRAC_2_PI).rint();
    let rest = half_pi(x).iter().fold(x, |rest, part| n.fma(-part, rest));
    let large = x.ge(x.pick(LARGE.0, LARGE.1));
    let [quarters, rest] = large.rarely([n.whole().cast(x.bits().ty().scalar), rest], || {
        reduce_large(x)
    });
    Reduced { quarters, rest }
}

/// Quarter turns and rest of an angle of at least 2^16.
fn reduce_large(x: Term<'_>) -> [Term<'_>; 2] {
    let width = x.pick(32, 64);
    let (mantissa, bias) = (x.mantissa(), x.bias());
    let bits = x.bits();
    // x = whole · 2^(exponent - bias - width + 1), with the top bit of `whole` set.
    let exponent = bits >> mantissa;
    let whole = (bits << (width - 1 - mantissa)) | (1 << (width - 1));
    // Digits of 2/π that only add whole turns are skipped: the first one kept has weight 2 in the
    // product. The word of zeros in front keeps the number of skipped ones from being negative.
    let digits = window(exponent - (bias + 1));
    // The product modulo 4, its two upper words; what is cut off is below 2^-60 (2^-124).
    let low = whole * digits[1];
    let second = low + whole.mul_hi(digits[2]);
    let carry = second.lt(low).select(whole.c(1), whole.c(0));
    let first = whole * digits[0] + whole.mul_hi(digits[1]) + carry;
    // The nearest whole number, and the signed rest in two words.
    let quarters = (first + (1 << (width - 3))) >> (width - 2);
    let upper = (first << 2) | (second >> (width - 2));
    let lower = second << 2;
    // The leading bits of the upper word are a float exactly; those below join by one rounding.
    let spare = width - 1 - mantissa;
    let head = (upper & -(1 << spare)).signed().to_float();
    let tail = ((upper << (width - spare)) | (lower >> spare)).to_float();
    let unit = 2f64.powi(-(width as i32));
    let turn = tail.fma(unit * 2f64.powi(spare as i32) * unit, head * unit);
    let [pi, rest, _] = half_pi(x);
    [quarters, turn.fma(pi, turn * rest)]
}

/// Three words of the digits of 2/π, from number `skip` of the table on.
fn window(skip: Term<'_>) -> [Term<'_>; 3] {
    let width = skip.pick(32, 64);
    // The words, and the bits of the index that chooses among them: exponents end at 2^128, 2^1024.
    let halves = TWO_OVER_PI.iter().flat_map(|w| [w >> 32, w & 0xffff_ffff]);
    let (words, index_bits): (Vec<u64>, u32) = match skip.is_wide() {
        true => (TWO_OVER_PI.to_vec(), 4),
        false => (halves.skip(1).take(7).collect(), 2),
    };
    let mut row: Vec<Term> = words.into_iter().map(|w| skip.c(w as i64)).collect();
    for bit in (0..index_bits).rev() {
        let step = 1 << bit;
        let far = (skip & (width << bit)).ne(0);
        row = (0..3 + step)
            .map(|i| far.select(row[i + step], row[i]))
            .collect();
    }
    let by = skip & (width - 1);
    [0, 1, 2].map(|i| (row[i] << by) | ((row[i + 1] >> 1) >> ((width - 1) - by)))
}
