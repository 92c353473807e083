//! Inputs: special values in every combination, then random bits and random moderate values.

use suanzi_codegen::Scalar::{self, *};

/// A small generator with a fixed sequence.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn mask(s: Scalar) -> u64 {
    u64::MAX >> (64 - s.bits())
}

/// Values at which something changes.
pub fn specials(s: Scalar) -> Vec<u64> {
    if s == Bool {
        return vec![0, 1];
    }
    let top = 1u64 << (s.bits() - 1);
    if s.is_int() {
        let small = [0u64, 1, 2, 3, 7, 8, 15, 16, 31, 33, 100];
        let mut v: Vec<u64> = small.into_iter().collect();
        v.extend(small.iter().map(|x| x.wrapping_neg() & mask(s)));
        v.extend([top, top - 1, top + 1, top >> 1, mask(s) >> 2]);
        v.sort();
        v.dedup();
        return v;
    }
    let (_, m) = s.float_format();
    let infinity = (top - 1) >> m << m;
    let one = (top - 1) >> (m + 2) << (m + 1) >> 1;
    let one = if one >> m << m == one {
        one
    } else {
        one >> m << m
    };
    let unit = 1u64 << m;
    let mut v = vec![
        0,
        1,        // smallest denormal
        unit - 1, // largest denormal
        unit,     // smallest normal
        unit + 1,
        one,
        one + 1,
        one - 1,
        one - unit,            // 0.5
        one + unit / 2,        // 1.5
        one + unit + unit / 4, // 2.5
        one + 7 * unit,
        infinity - 1, // largest
        infinity,
        infinity + unit / 2, // quiet NaN
        infinity + 1,        // signalling NaN
    ];
    v.extend(v.clone().iter().map(|x| x | top));
    v
}

/// The value of moderate size nearest to what a random word says.
fn moderate(s: Scalar, r: u64) -> u64 {
    let (e, m) = s.float_format();
    if s.is_float() {
        // Exponents around that of 1.
        let bias = (1u64 << (e - 1)) - 1;
        let exponent = bias - 3 + r % 24;
        let sign = (r >> 8) & 1;
        let fraction = (r >> 12) & ((1 << m) - 1);
        return (sign << (s.bits() - 1)) | (exponent.min(2 * bias) << m) | fraction;
    }
    let shift = r % u64::from(s.bits());
    ((r >> 8) & mask(s)) >> shift
}

/// `n` values for the input number `k`, so that the inputs together meet every pair of specials.
pub fn inputs(s: Scalar, k: usize, n: usize) -> Vec<u64> {
    let special = specials(s);
    let mut rng = Rng(77 + k as u64);
    let mut stride = 1;
    for _ in 0..k {
        stride *= special.len();
    }
    let pairs = special.len() * special.len();
    (0..n)
        .map(|i| {
            let r = rng.next();
            if k < 2 && i < pairs.min(n * 3 / 4) {
                return special[i / stride % special.len()];
            }
            match r % 4 {
                0 => special[(r >> 8) as usize % special.len()],
                1 => rng.next() & mask(s),
                _ => moderate(s, rng.next()),
            }
        })
        .collect()
}

pub fn is_nan(s: Scalar, bits: u64) -> bool {
    let (_, m) = s.float_format();
    let top = 1u64 << (s.bits() - 1);
    s.is_float() && (bits & (top - 1)) > (top - 1) >> m << m
}

/// Little-endian memory of a list of elements.
pub fn to_bytes(s: Scalar, values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|v| v.to_le_bytes().into_iter().take(s.bytes()))
        .collect()
}

/// The inverse of [`to_bytes`].
pub fn from_bytes(s: Scalar, bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(s.bytes())
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect()
}
