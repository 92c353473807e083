//! Trigonometric functions in double-double, and their values as f64, rounded once.
//!
//! Angles of any size are reduced exactly, bit by bit: the remainders of all powers of two modulo
//! π/2 are found once by doubling, from π to 1472 binary places (Machin's formula). Then Taylor
//! series. Inverses are the f64 angle and one correction by the addition theorem.

use super::Dd;
use std::sync::OnceLock;

/// Limbs of long numbers: the first is whole, the rest are the fraction, most significant first.
const LONG: usize = 24;
/// Limbs that are kept of remainders.
const SHORT: usize = 5;
/// The least power of two that is tabulated: below the last bit of the least number reduced.
const LEAST: i32 = -53;

type Long = [u64; LONG];
type Short = [u64; SHORT];

/// `a + b` modulo 2^64.
fn plus<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let (mut sum, mut carry) = ([0; N], 0);
    for i in (0..N).rev() {
        let wide = u128::from(a[i]) + u128::from(b[i]) + carry;
        (sum[i], carry) = (wide as u64, wide >> 64);
    }
    sum
}

/// `a - b` modulo 2^64.
fn minus<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let one = {
        let mut one = [0; N];
        one[N - 1] = 1;
        one
    };
    plus(&plus(a, &b.map(|limb| !limb)), &one)
}

fn divided(a: &Long, by: u64) -> Long {
    let mut rest = 0u128;
    a.map(|limb| {
        let wide = rest << 64 | u128::from(limb);
        rest = wide % u128::from(by);
        (wide / u128::from(by)) as u64
    })
}

/// `factor · arctan(1 / n)`.
fn arctan_inverse(factor: u64, n: u64) -> Long {
    let mut power = [0; LONG];
    power[0] = factor;
    power = divided(&power, n);
    let (mut sum, mut k) = ([0; LONG], 1);
    while power != [0; LONG] {
        let term = divided(&power, k);
        sum = match k % 4 {
            1 => plus(&sum, &term),
            _ => minus(&sum, &term),
        };
        power = divided(&power, n * n);
        k += 2;
    }
    sum
}

/// π/2, and for each power of two from 2^[`LEAST`] on its quotient by π/2, modulo 4, and remainder.
struct Powers {
    half_pi: Short,
    table: Vec<(u8, Short)>,
}

fn powers() -> &'static Powers {
    static POWERS: OnceLock<Powers> = OnceLock::new();
    POWERS.get_or_init(|| {
        let half_pi = minus(&arctan_inverse(8, 5), &arctan_inverse(2, 239));
        let short = |x: &Long| std::array::from_fn(|i| x[i]);
        let mut rest = [0; LONG];
        rest[1] = 1 << (64 + LEAST);
        let mut quotient = 0u8;
        let table = (LEAST..1024).map(|_| {
            let entry = (quotient, short(&rest));
            (rest, quotient) = (plus(&rest, &rest), 2 * quotient % 4);
            if rest >= half_pi {
                (rest, quotient) = (minus(&rest, &half_pi), (quotient + 1) % 4);
            }
            entry
        });
        let table = table.collect();
        Powers {
            half_pi: short(&half_pi),
            table,
        }
    })
}

/// A finite angle as quarter turns, modulo 4, and a rest of at most π/4.
fn reduce(x: f64) -> (u8, Dd) {
    if x.abs() < 0.78 {
        return (0, x.into());
    }
    let powers = powers();
    let bits = x.abs().to_bits();
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let last = (bits >> 52) as i32 - 1075;
    let (mut quarters, mut rest) = (0u8, [0; SHORT]);
    for bit in (0..53).filter(|bit| mantissa >> bit & 1 == 1) {
        let (quotient, remainder) = &powers.table[(last + bit - LEAST) as usize];
        (quarters, rest) = (quarters + quotient, plus(&rest, remainder));
        if rest >= powers.half_pi {
            (quarters, rest) = (quarters + 1, minus(&rest, &powers.half_pi));
        }
        quarters %= 4;
    }
    let other = minus(&powers.half_pi, &rest);
    let (quarters, rest) = match other < rest {
        true => (quarters + 1, -from_limbs(&other)),
        false => (quarters, from_limbs(&rest)),
    };
    match x < 0.0 {
        true => ((8 - quarters) % 4, -rest),
        false => (quarters % 4, rest),
    }
}

fn from_limbs(limbs: &Short) -> Dd {
    let halves = limbs.iter().flat_map(|l| [l >> 32, l & 0xffff_ffff]);
    let weighted = halves.zip(-1..).map(|(half, place)| {
        // The first half is the upper one of the whole limb.
        half as f64 * 2f64.powi(-32 * place)
    });
    weighted.fold(Dd::ZERO, |sum, part| sum + part)
}

/// Sine and cosine by Taylor's series, for |r| up to about π/4.
fn series(r: Dd) -> (Dd, Dd) {
    let square = -(r * r);
    let fold = |odd: i32| {
        (1..=15).rev().fold(Dd::ONE, |sum, k| {
            let k = 2 * k + odd;
            Dd::ONE + square * sum / f64::from(k * (k - 1))
        })
    };
    (r * fold(1), fold(0))
}

/// Sine and cosine of some quarter turns and a rest.
fn turned(quarters: u8, r: Dd) -> (Dd, Dd) {
    let (sin, cos) = series(r);
    match quarters % 4 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// Whether |x| is so small that the next term of a series does not show.
fn tiny(x: f64) -> bool {
    x.abs() < 1e-30
}

/// The sine.
pub fn sin(x: f64) -> f64 {
    match x {
        _ if !x.is_finite() => f64::NAN,
        _ if tiny(x) => x,
        _ => {
            let (quarters, r) = reduce(x);
            turned(quarters, r).0.rounded()
        }
    }
}

/// The cosine.
pub fn cos(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (quarters, r) = reduce(x);
    turned(quarters, r).1.rounded()
}

/// The tangent.
pub fn tan(x: f64) -> f64 {
    match x {
        _ if !x.is_finite() => f64::NAN,
        _ if tiny(x) => x,
        _ => {
            let (quarters, r) = reduce(x);
            let (sin, cos) = turned(quarters, r);
            (sin / cos).rounded()
        }
    }
}

/// `x` half turns as quarter turns, modulo 4, and a rest in quarter turns' half: exact.
pub fn reduce_pi(x: f64) -> (u8, f64) {
    let x = x % 2.0;
    let quarters = (2.0 * x).round();
    ((quarters as i8).rem_euclid(4) as u8, x - quarters / 2.0)
}

/// `sin(π x)` of a number that is neither tiny nor infinite.
pub fn sinpi_dd(x: f64) -> Dd {
    let (quarters, rest) = reduce_pi(x);
    turned(quarters, Dd::PI * rest).0
}

/// `sin(π x)`.
pub fn sinpi(x: f64) -> f64 {
    match x {
        _ if !x.is_finite() => f64::NAN,
        _ if x == x.trunc() => 0f64.copysign(x),
        _ if tiny(x) => (Dd::PI * (x * 2f64.powi(200))).rounded_scaled(-200),
        _ => sinpi_dd(x).rounded(),
    }
}

/// `cos(π x)`.
pub fn cospi(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (quarters, rest) = reduce_pi(x);
    match quarters % 2 == 1 && rest == 0.0 {
        true => 0.0,
        false => turned(quarters, Dd::PI * rest).1.rounded(),
    }
}

/// The angle of the point (x, y): that of f64, and by what it is off. The point is neither tiny nor
/// huge, nor the origin.
fn angle(y: Dd, x: Dd) -> Dd {
    let near = y.hi.atan2(x.hi);
    let (quarters, r) = reduce(near);
    let (sin, cos) = turned(quarters, r);
    // The tangent of the difference is the difference: its cube is below 2^-150.
    (y * cos - x * sin) / (x * cos + y * sin) + near
}

/// The angle of the point (x, y).
pub fn atan2(y: f64, x: f64) -> f64 {
    let special = |v: f64| v == 0.0 || !v.is_finite();
    if special(x) || special(y) {
        return y.atan2(x);
    }
    let ratio = y / x;
    if x > 0.0 && ratio.abs() < 1e-30 {
        return ratio;
    }
    if x < 0.0 && ratio.abs() < 1e-40 || ratio.abs() > 1e40 {
        return y.atan2(x);
    }
    // Scaled exactly: what is lost of the smaller one is of no account.
    let down = -((x.abs().max(y.abs()).to_bits() >> 52) as i32 - 1023);
    let scaled = |v: f64| v * 2f64.powi(down / 2) * 2f64.powi(down - down / 2);
    angle(scaled(y).into(), scaled(x).into()).rounded()
}

/// The arc tangent.
pub fn atan(x: f64) -> f64 {
    match tiny(x) {
        true => x,
        false => atan2(x, 1.0),
    }
}

/// `√(1 - x²)`.
fn cathetus(x: f64) -> Dd {
    (Dd::sum(1.0, -x) * Dd::sum(1.0, x)).sqrt()
}

/// The arc sine.
pub fn asin(x: f64) -> f64 {
    match x.abs() {
        a if a.is_nan() || a > 1.0 => f64::NAN,
        a if tiny(a) => x,
        _ => angle(x.into(), cathetus(x)).rounded(),
    }
}

/// The arc cosine.
pub fn acos(x: f64) -> f64 {
    match x.abs() {
        a if a.is_nan() || a > 1.0 => f64::NAN,
        _ if x == 1.0 => 0.0,
        _ => angle(cathetus(x), x.into()).rounded(),
    }
}

#[cfg(test)]
// Arguments and results that happen to be well-known constants are numbers like the others here.
#[allow(clippy::approx_constant)]
mod tests {
    use super::*;

    /// Found in arithmetic of 3000 bits.
    #[test]
    fn known_values() {
        assert_eq!(sin(1e+22), -0.8522008497671888);
        assert_eq!(cos(1e+22), 0.523214785395139);
        assert_eq!(tan(1e+22), -1.6287782256068988);
        assert_eq!(sin(1.7976931348623157e+308), 0.004961954789184062);
        assert_eq!(cos(1.7976931348623157e+308), -0.9999876894265599);
        assert_eq!(tan(1.7976931348623157e+308), -0.004962015874444895);
        assert_eq!(sin(5.319372648326541e+255), 1.0);
        assert_eq!(cos(5.319372648326541e+255), -4.687165924254628e-19);
        assert_eq!(tan(5.319372648326541e+255), -2.133485385753704e+18);
        assert_eq!(sin(0.5), 0.479425538604203);
        assert_eq!(cos(0.5), 0.8775825618903728);
        assert_eq!(tan(0.5), 0.5463024898437905);
        assert_eq!(sin(710.0), 6.0288706691585265e-05);
        assert_eq!(cos(710.0), 0.999999998182636);
        assert_eq!(tan(710.0), 6.0288706801151796e-05);
        assert_eq!(sin(-3.141592653589793), -1.2246467991473532e-16);
        assert_eq!(cos(-3.141592653589793), -1.0);
        assert_eq!(tan(-3.141592653589793), 1.2246467991473532e-16);
        assert_eq!(asin(0.3), 0.3046926540153975);
        assert_eq!(acos(0.3), 1.2661036727794992);
        assert_eq!(atan(0.3), 0.2914567944778671);
        assert_eq!(asin(-0.9999999999999999), -1.5707963118937354);
        assert_eq!(acos(-0.9999999999999999), 3.141592638688632);
        assert_eq!(atan(-0.9999999999999999), -0.7853981633974483);
        assert_eq!(asin(0.9), 1.1197695149986342);
        assert_eq!(acos(0.9), 0.45102681179626236);
        assert_eq!(atan(0.9), 0.7328151017865066);
        assert_eq!(asin(-0.5), -0.5235987755982989);
        assert_eq!(acos(-0.5), 2.0943951023931957);
        assert_eq!(atan(-0.5), -0.4636476090008061);
        assert_eq!(sinpi(0.3), 0.8090169943749475);
        assert_eq!(cospi(0.3), 0.5877852522924731);
        assert_eq!(sinpi(1234.567), 0.9779293398307171);
        assert_eq!(cospi(1234.567), -0.20893589040243404);
        assert_eq!(sinpi(-2.7499999999), -0.7071067814086917);
        assert_eq!(cospi(-2.7499999999), -0.7071067809644034);
        assert_eq!(atan2(-3.0, -1e-5), -1.57079966012823);
    }

    type Function = fn(f64) -> f64;

    #[test]
    fn agrees_with_the_standard_library() {
        let pairs: [(Function, Function); 6] = [
            (sin, f64::sin),
            (cos, f64::cos),
            (tan, f64::tan),
            (asin, f64::asin),
            (acos, f64::acos),
            (atan, f64::atan),
        ];
        let mut bits = 0x9e37_79b9_7f4a_7c15u64;
        for i in 0..20_000 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let x = match i % 2 {
                0 => f64::from_bits(bits.rotate_left(17)),
                _ => (bits >> 11) as f64 * 2f64.powi(-52) - 1.0,
            };
            for (n, (ours, theirs)) in pairs.iter().enumerate() {
                let (a, b) = (ours(x), theirs(x));
                let near =
                    (a - b).abs() <= 2.0 * f64::EPSILON * a.abs() || a.to_bits() == b.to_bits();
                assert!(
                    near || a.is_nan() && b.is_nan(),
                    "{n} of {x:e}: {a:e} {b:e}"
                );
            }
        }
    }
}
