//! The numbers that inputs are made of: special, random, exactly representable, or all of them.

use crate::rng::Rng;
use suanzi_ops::num::int_range;
use suanzi_ops::table::Domain;
use suanzi_ops::table::call::Values;
use suanzi_ops::{Num, Scalar};

/// What a case's inputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Every combination of the dtype's special values, over and over.
    Special,
    /// Random numbers from the operator's domain.
    Random,
    /// Small whole numbers and powers of two: results are exact, and so is the limit.
    Exact,
    /// Every bit pattern of the dtype, and every combination of them.
    All,
}

impl Input {
    /// Every kind, with its name in a case's id.
    pub const NAMES: [(Input, &'static str); 4] = [
        (Input::Special, "special"),
        (Input::Random, "random"),
        (Input::Exact, "exact"),
        (Input::All, "all"),
    ];
}

/// Most special values of a dtype that are combined with each other: their triples have to fit
/// a case of a few ten thousand elements.
const COMBINED: usize = 25;

/// The special values of a dtype, the most telling first, as bits.
pub fn special(dtype: Scalar) -> Vec<u64> {
    match dtype {
        Scalar::Bool => vec![0, 1],
        _ if dtype.is_float() => special_floats(dtype),
        _ => special_ints(dtype),
    }
}

fn special_floats(dtype: Scalar) -> Vec<u64> {
    let (exponent, mantissa) = dtype.float_format();
    let sign = 1u64 << (exponent + mantissa);
    let inf = ((1u64 << exponent) - 1) << mantissa;
    let min_normal = 1u64 << mantissa;
    let bits = |v: f64| Num::Float(v).to_bits(dtype);
    // The numbers from which on only whole, and only even, numbers exist.
    let whole = 2f64.powi(mantissa as i32);
    vec![
        0,
        sign,
        bits(1.0),
        bits(-1.0),
        inf,
        inf | sign,
        inf | (min_normal >> 1), // NaN
        inf - 1,                 // the greatest
        (inf - 1) | sign,
        1, // the least denormal
        sign | 1,
        min_normal,
        min_normal - 1, // the greatest denormal
        bits(0.5),
        bits(-0.5),
        bits(1.5), // ties of rounding to whole numbers
        bits(2.5),
        bits(-2.5),
        bits(3.0),
        bits(1.0) + 1,
        bits(1.0) - 1,
        bits(whole - 0.5),
        bits(whole + 1.0),
        bits(0.1),
        bits(-7.0),
        // From here on only for unary operators.
        sign | min_normal,
        sign | (min_normal - 1),
        min_normal + 1,
        inf | sign | 1, // a signalling NaN, negative
        bits(0.5) - 1,  // rounds to 0, though adding 0.5 would round to 1
        bits(-0.5) + 1,
        bits(-1.5),
        bits(3.5),
        bits(whole),
        bits(whole / 2.0 + 0.5),
        bits(whole * 2.0),
        bits(std::f64::consts::PI),
        bits(1e4),
        bits(-255.0),
    ]
}

fn special_ints(dtype: Scalar) -> Vec<u64> {
    let (least, greatest) = int_range(dtype);
    let half = 1i128 << (dtype.bits() / 2);
    let mut values = vec![
        0,
        1,
        -1,
        least,
        greatest,
        2,
        3,
        -2,
        -3,
        7,
        least + 1,
        greatest - 1,
        half,
        half - 1,
        greatest / 2,
        greatest / 2 + 1,
        greatest / 3, // 0101…
        -(greatest / 3) - 1,
        10,
        -10,
        100,
        -100,
        i128::from(dtype.bits()),
        i128::from(dtype.bits()) - 1,
        31,
    ];
    for bit in 0..dtype.bits() {
        values.extend([1i128 << bit, (1i128 << bit) - 1, -(1i128 << bit)]);
    }
    let mut bits: Vec<u64> = vec![];
    for v in values {
        let b = Num::Int(v).to_bits(dtype);
        if !bits.contains(&b) {
            bits.push(b);
        }
    }
    bits
}

/// Values at the edges of what a destination of a cast can hold, as bits of the source.
pub fn cast_edges(from: Scalar, to: Scalar) -> Vec<u64> {
    let mut numbers: Vec<f64> = vec![];
    if to.is_int() {
        let (least, greatest) = int_range(to);
        for edge in [least as f64, greatest as f64, greatest as f64 + 1.0] {
            let step = crate::measure::ulp_at(Scalar::F64, edge);
            for d in [0.25, 0.5, 0.75, 1.0, 1.5, 2.0] {
                numbers.extend([edge - d, edge + d]);
            }
            // The neighbours in each float format.
            for format in [Scalar::F16, Scalar::Bf16, Scalar::F32] {
                let ulp = crate::measure::ulp_at(format, edge);
                numbers.extend([edge - ulp, edge - ulp / 2.0, edge + ulp]);
            }
            numbers.extend([edge, edge - step, edge + step]);
        }
    } else if to.is_float() {
        let (exponent, mantissa) = to.float_format();
        let least = 2 - (1i32 << (exponent - 1)) - mantissa as i32; // of the least denormal
        let unit = 2f64.powi(-(mantissa as i32));
        // Ties and their neighbours at 1, at the least normal number and among denormals.
        for scale in [
            1.0,
            2f64.powi(least + mantissa as i32),
            2f64.powi(least + 2),
        ] {
            for steps in [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.5, 3.5] {
                numbers.push(scale * (1.0 + steps * unit));
                numbers.push(scale * (1.0 - steps * unit));
            }
        }
        for part in [0.25, 0.5, 0.500_001, 0.75, 1.0, 1.5, 2.5] {
            numbers.push(part * 2f64.powi(least));
        }
        if to != Scalar::F64 {
            // The greatest, and where rounding begins to overflow.
            let over = 2f64.powi(1 << (exponent - 1));
            for parts in [2.0, 1.5, 1.0, 0.75, 0.501, 0.5, 0.499, 0.25, 0.0] {
                numbers.push(over * (1.0 - parts * unit / 2.0));
            }
        }
    }
    let both = numbers.iter().flat_map(|&v| [v, -v]);
    let convert = |v: f64| match from.is_float() {
        true => Num::Float(v).to_bits(from),
        false => {
            let (least, greatest) = match from {
                Scalar::Bool => (0, 1),
                _ => int_range(from),
            };
            Num::Int((v as i128).clamp(least, greatest)).to_bits(from)
        }
    };
    let mut bits: Vec<u64> = both.map(convert).collect();
    if from.is_int() && to.is_int() {
        // Beyond 2^53 floats skip whole numbers.
        let (least, greatest) = int_range(to);
        for v in [least, greatest] {
            bits.extend((-2..=2).map(|d| Num::Int(v + d).to_bits(from)));
        }
    } else if from.is_int() && to.is_float() {
        // Ties between neighbours of the destination.
        let (_, mantissa) = to.float_format();
        for bit in mantissa + 1..from.bits() {
            let tie = (1i128 << bit) + (1i128 << (bit - mantissa - 1));
            let next = tie + (1i128 << (bit - mantissa));
            for v in [tie - 1, tie, tie + 1, next - 1, next, next + 1] {
                bits.extend([Num::Int(v).to_bits(from), Num::Int(-v).to_bits(from)]);
            }
        }
    }
    bits.sort_unstable();
    bits.dedup();
    bits
}

/// Special values that may be strewn over the terms of a sum or the factors of a product: none
/// that overflows or underflows depending on the order.
pub fn special_terms(dtype: Scalar) -> Vec<u64> {
    let inf = f64::INFINITY;
    let values = [0.0, -0.0, inf, -inf, f64::NAN, 1.0, -1.0, 0.5, 3.0, inf];
    values.map(|v| Num::Float(v).to_bits(dtype)).to_vec()
}

/// The values that a case of kind [`Input::Special`] combines, for operand `i` of `count`.
pub fn special_for(domain: Domain, dtype: Scalar, i: usize, count: usize) -> Vec<u64> {
    if domain == Domain::Shift && i == 1 {
        let w = i128::from(dtype.bits());
        let amounts = [0, 1, w - 1, w, w + 1, w / 2, 2, 3, -1, 2 * w];
        return amounts.map(|v| Num::Int(v).to_bits(dtype)).to_vec();
    }
    let mut values = special(dtype);
    if count > 1 {
        values.truncate(COMBINED);
    } else if let (Some(intervals), true) = (intervals(domain, i), dtype.is_float()) {
        for &(low, high) in intervals {
            values.extend([low, high].into_iter().flat_map(|v| neighbours(dtype, v)));
        }
    }
    values
}

/// The intervals that operand `i` is drawn from.
fn intervals(domain: Domain, i: usize) -> Option<&'static [(f64, f64)]> {
    match domain {
        Domain::Within(list) => list.get(i).or(list.last()).copied(),
        _ => None,
    }
}

/// A number and those on both sides of it, as bits.
fn neighbours(dtype: Scalar, value: f64) -> [u64; 3] {
    let bits = Num::Float(value).to_bits(dtype);
    [bits, bits.wrapping_add(1), bits.wrapping_sub(1)]
        .map(|b| b & (u64::MAX >> (64 - dtype.bits())))
}

/// A random value of an operator's domain for operand `i`: one of its usual ones, or any bits.
pub fn random(domain: Domain, dtype: Scalar, i: usize, rng: &mut Rng) -> u64 {
    let wild = match domain {
        Domain::Shift if i == 1 => false,
        Domain::NearOne | Domain::Moderate | Domain::AnyScale if dtype.is_float() => false,
        Domain::Within(_) if dtype.is_float() => rng.one_in(8) && rng.one_in(2),
        _ => dtype != Scalar::Bool && rng.one_in(2),
    };
    match wild {
        true => rng.bits() & (u64::MAX >> (64 - dtype.bits())),
        false => usual(domain, dtype, i, rng),
    }
}

/// A random value on which an operator has something to compute.
fn usual(domain: Domain, dtype: Scalar, i: usize, rng: &mut Rng) -> u64 {
    match domain {
        Domain::Shift if i == 1 => {
            let low = if dtype.is_signed_int() { -1 } else { 0 };
            let count = i128::from(dtype.bits()) + 2 - low;
            Num::Int(rng.below(count as usize) as i128 + low).to_bits(dtype)
        }
        Domain::NearOne if dtype.is_float() => {
            Num::Float(1.0 + (rng.unit() - 0.5) / 64.0).to_bits(dtype)
        }
        Domain::Within(_) if dtype.is_float() && !rng.one_in(16) => {
            match intervals(domain, i).unwrap_or_default() {
                [] => moderate(dtype, rng),
                list => Num::Float(between(*rng.pick(list), rng)).to_bits(dtype),
            }
        }
        _ => moderate(dtype, rng),
    }
}

/// How many elements at the end of an input are [`telling`]: as many as are left over by vectors of
/// 16. Kernels do them apart, in code of its own, and they are few.
pub const TAIL: usize = 15;

/// The special values that tell most.
const TELLING: usize = 13;

/// A value by which mistakes show: a usual one, or, every second time where it may be so, special.
pub fn telling(domain: Domain, dtype: Scalar, i: usize, may: bool, rng: &mut Rng) -> u64 {
    if !may || rng.one_in(2) {
        return usual(domain, dtype, i, rng);
    }
    let mut specials = special_for(domain, dtype, i, 1);
    specials.truncate(TELLING);
    *rng.pick(&specials)
}

/// A random number of an interval: evenly, or evenly in its exponent where all have one sign.
fn between((low, high): (f64, f64), rng: &mut Rng) -> f64 {
    let even = low + (high - low) * rng.unit();
    if low * high <= 0.0 || rng.one_in(2) {
        return even;
    }
    low * (high / low).powf(rng.unit())
}

/// The elements of a call's operand in row-major order.
pub fn operand(values: Values, input: Input, dtype: Scalar, n: usize, rng: &mut Rng) -> Vec<u64> {
    let whole = |v: i64| match dtype.is_float() {
        true => Num::Float(v as f64).to_bits(dtype),
        false => Num::Int(v.into()).to_bits(dtype),
    };
    let below = |low: i64, high: i64, rng: &mut Rng| match high - low {
        ..=0 => low,
        width => low + rng.below(width as usize) as i64,
    };
    let float = |v: f64| Num::Float(v).to_bits(dtype);
    let specials = special(dtype);
    let mut elements: Vec<u64> = (0..n)
        .map(|j| match values {
            Values::Index(m) => whole(below(-m, m, rng)),
            Values::Offset(m) | Values::Sorted(m) => whole(below(0, m, rng)),
            Values::Wild(m) => whole(below(-2 * m, 2 * m, rng)),
            Values::Few(m) => whole(below(0, m, rng) * 3 - m),
            Values::Unit if dtype.is_float() => float(rng.unit() * 2.5 - 1.25),
            Values::Positive if dtype.is_float() => float(2f64.powf(rng.unit() * 9.0 - 6.0)),
            Values::NearOne => random(Domain::NearOne, dtype, 0, rng),
            _ if input == Input::Exact => exact(Domain::Any, dtype, j, rng),
            Values::Data if j + TAIL >= n => telling(Domain::Any, dtype, 0, j % 4 == 1, rng),
            Values::Data if input == Input::Special || rng.one_in(16) => *rng.pick(&specials),
            Values::Data => random(Domain::Any, dtype, 0, rng),
            Values::Ascending if dtype.is_float() && rng.one_in(12) => {
                *rng.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(float))
            }
            Values::Ascending | Values::Moderate | Values::Unit | Values::Positive => {
                moderate(dtype, rng)
            }
        })
        .collect();
    if matches!(values, Values::Sorted(_) | Values::Ascending) {
        let key = |bits: &u64| Num::from_bits(dtype, *bits);
        elements.sort_by(|a, b| match (key(a), key(b)) {
            (Num::Float(a), Num::Float(b)) => a.total_cmp(&b),
            (a, b) => a.int().cmp(&b.int()),
        });
    }
    elements
}

/// A random value of moderate size: sums of many do not overflow in f32.
pub fn moderate(dtype: Scalar, rng: &mut Rng) -> u64 {
    if dtype == Scalar::Bool {
        return rng.bits() & 1;
    }
    if dtype.is_float() {
        let scale = 2f64.powi(rng.below(12) as i32 - 6);
        return Num::Float((rng.unit() * 2.0 - 1.0) * scale).to_bits(dtype);
    }
    let low = if dtype.is_signed_int() { -100 } else { 0 };
    Num::Int(rng.below(128) as i128 + low).to_bits(dtype)
}

/// A number made small (`way` is -1) or large (1), but neither denormal nor, unless the domain is for
/// that, so large that squares overflow in f32.
pub fn scaled(domain: Domain, dtype: Scalar, bits: u64, way: i32) -> u64 {
    let by = match (domain, dtype) {
        (_, Scalar::F16) => 8,
        (Domain::AnyScale, _) => 3 << (dtype.float_format().0 - 3),
        _ => 24,
    };
    let value = Num::from_bits(dtype, bits).float();
    Num::Float(value * 2f64.powi(way * by)).to_bits(dtype)
}

/// A value on which arithmetic is exact: a whole number up to 8, or for products a power of two.
pub fn exact(domain: Domain, dtype: Scalar, i: usize, rng: &mut Rng) -> u64 {
    match domain {
        Domain::Shift if i == 1 => random(domain, dtype, i, rng),
        Domain::NearOne if dtype.is_float() => {
            let values = [2.0, 0.5, -1.0, -2.0, -0.5];
            Num::Float(*rng.pick(&values)).to_bits(dtype)
        }
        _ if dtype == Scalar::Bool => rng.bits() & 1,
        _ => {
            let signed = dtype.is_float() || dtype.is_signed_int();
            let v = match signed {
                true => rng.below(17) as i128 - 8,
                false => rng.below(9) as i128,
            };
            match dtype.is_float() {
                true => Num::Float(v as f64).to_bits(dtype),
                false => Num::Int(v).to_bits(dtype),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specials_hold_what_breaks_devices() {
        for dtype in [Scalar::F16, Scalar::Bf16, Scalar::F32, Scalar::F64] {
            let values: Vec<f64> = special(dtype)
                .iter()
                .map(|&b| Num::from_bits(dtype, b).float())
                .collect();
            assert!(values.iter().any(|v| v.is_nan()));
            assert!(values.contains(&f64::INFINITY) && values.contains(&f64::NEG_INFINITY));
            assert!(values.iter().any(|v| *v == 0.0 && v.is_sign_negative()));
            let least = crate::measure::ulp_at(dtype, 0.0);
            assert!(
                values.contains(&least) && values.contains(&-least),
                "{dtype}"
            );
            assert!(values.contains(&2.5) && values.contains(&-0.5));
        }
        assert!(special(Scalar::I8).contains(&0x80) && special(Scalar::I8).contains(&0x7f));
    }

    #[test]
    fn cast_edges_lie_on_both_sides() {
        let f32s = |to| -> Vec<f64> {
            cast_edges(Scalar::F32, to)
                .iter()
                .map(|&b| Num::from_bits(Scalar::F32, b).float())
                .collect()
        };
        for v in [127.0, 127.5, 128.0, -128.0, -128.5, -129.0] {
            assert!(f32s(Scalar::I8).contains(&v), "{v}");
        }
        for v in [65504.0, 65520.0, 65536.0, -65520.0] {
            assert!(f32s(Scalar::F16).contains(&v), "{v}");
        }
        assert!(
            f32s(Scalar::F16)
                .iter()
                .any(|&v| v > 65519.0 && v < 65520.0)
        );
        for v in [2147483648.0, 2147483520.0, -2147483904.0] {
            assert!(f32s(Scalar::I32).contains(&v), "{v}");
        }
        let ints = cast_edges(Scalar::I64, Scalar::I32);
        for v in [1i64 << 31, (1 << 31) - 1, (1 << 31) + 1, -(1 << 31) - 1] {
            assert!(ints.contains(&(v as u64)), "{v}");
        }
        let ties = cast_edges(Scalar::I32, Scalar::F32);
        assert!(ties.contains(&((1 << 24) + 1)) && ties.contains(&((1 << 24) + 3)));
    }

    #[test]
    fn shift_amounts_stay_in_their_domain() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let v = Num::from_bits(Scalar::I8, random(Domain::Shift, Scalar::I8, 1, &mut rng));
            assert!((-1..=9).contains(&v.int()), "{v:?}");
        }
    }
}
