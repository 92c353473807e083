//! References of random numbers: Philox as its authors write it, and what is made of its words.

use super::Dd;
use super::elementary::log_dd;
use crate::num::Num;
use crate::table::random::Stream;
use suanzi_codegen::Scalar;

/// Ten rounds of Philox 4x32 (Salmon, Moraes, Dror, Shaw 2011).
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let halves = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (hi0, lo0) = halves(0xd251_1f53, counter[0]);
        let (hi1, lo1) = halves(0xcd9e_8d57, counter[2]);
        counter = [
            hi1 ^ counter[1] ^ key[0],
            lo1,
            hi0 ^ counter[3] ^ key[1],
            lo0,
        ];
        key = [
            key[0].wrapping_add(0x9e37_79b9),
            key[1].wrapping_add(0xbb67_ae85),
        ];
    }
    counter
}

/// Word i of a stream.
pub fn word(from: Stream, i: usize) -> u32 {
    let split = |v: u64| [v as u32, (v >> 32) as u32];
    let [c0, c1] = split(from.offset.wrapping_add(i as u64 / 4));
    let [c2, c3] = split(from.stream);
    philox([c0, c1, c2, c3], split(from.seed))[i % 4]
}

/// Words 2i and 2i + 1 of a stream.
pub fn pair(from: Stream, i: usize) -> u64 {
    u64::from(word(from, 2 * i)) | u64::from(word(from, 2 * i + 1)) << 32
}

/// 24 random bits in [0, 1).
pub fn unit(from: Stream, i: usize) -> f32 {
    (word(from, i) >> 8) as f32 * 2f32.powi(-24)
}

/// The number before x in a dtype.
pub fn before(dtype: Scalar, x: f64) -> f64 {
    let bits = Num::Float(x).to_bits(dtype);
    let sign = 1 << (dtype.bits() - 1);
    let next = match bits {
        0 => sign | 1,
        b if b == sign => sign | 1,
        b if b & sign == 0 => b - 1,
        b => b + 1,
    };
    Num::from_bits(dtype, next).float()
}

/// Element i of uniform numbers.
pub fn uniform(dtype: Scalar, low: f64, high: f64, from: Stream, i: usize) -> Num {
    let y = match dtype {
        Scalar::F64 => {
            let u = (pair(from, i) >> 11) as f64 * 2f64.powi(-53);
            u.mul_add(high - low, low)
        }
        _ => unit(from, i)
            .mul_add((high - low) as f32, low as f32)
            .into(),
    };
    let last = before(dtype, Num::Float(high).round(dtype).float());
    Num::Float(Num::Float(y).round(dtype).float().min(last))
}

/// `cos(π·t)` of a t that is exact, by its series after reduction to [0, ¼].
fn cospi(t: f64) -> Dd {
    let t = t.abs() % 2.0;
    let t = if t > 1.0 { 2.0 - t } else { t };
    let (t, negative) = if t > 0.5 { (1.0 - t, true) } else { (t, false) };
    let series = |x: Dd, first: u32| {
        let square = x * x;
        (0..14).rev().fold(Dd::ZERO, |sum, k| {
            let n = f64::from(2 * k + first);
            Dd::ONE - square * sum / ((n + 1.0) * (n + 2.0))
        })
    };
    let y = match t > 0.25 {
        true => {
            let x = Dd::PI * (0.5 - t);
            x * series(x, 1)
        }
        false => series(Dd::PI * t, 0),
    };
    if negative { -y } else { y }
}

/// Element i of normal numbers.
pub fn normal(dtype: Scalar, mean: f64, std: f64, from: Stream, i: usize) -> Num {
    let (u, t) = match dtype {
        Scalar::F64 => {
            let k = (pair(from, i & !1) >> 11) as f64 + 1.0;
            let t = (pair(from, i | 1) >> 11) as f64 * 2f64.powi(-52);
            (k * 2f64.powi(-53), t)
        }
        _ => {
            let both = pair(from, i / 2);
            let u = (both as u32 as f32).mul_add(2f32.powi(-32), 2f32.powi(-33));
            (u.into(), (both >> 40) as f64 * 2f64.powi(-23))
        }
    };
    let angle = t - 0.5 * (i % 2) as f64;
    let radius = (-(log_dd(u.into()) * 2.0)).sqrt();
    let z = radius * cospi(angle);
    let kind = crate::table::compute_kind(dtype);
    let rounded = |v: f64| Num::Float(v).round(kind).float();
    Num::Float((z * rounded(std) + rounded(mean)).rounded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                pi,
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, want) in cases {
            assert_eq!(philox(counter, key), want);
        }
    }

    #[test]
    fn cosines_of_quarters() {
        let near = |t: f64, want: f64| assert!((cospi(t).rounded() - want).abs() < 1e-16, "{t}");
        near(0.0, 1.0);
        near(0.25, std::f64::consts::FRAC_1_SQRT_2);
        near(0.5, 0.0);
        near(-0.75, -std::f64::consts::FRAC_1_SQRT_2);
        near(1.5, 0.0);
        near(1.0 / 3.0, 0.5);
        near(1.75, std::f64::consts::FRAC_1_SQRT_2);
    }
}
