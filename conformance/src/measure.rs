//! How far a result is from its reference, and whether that is near enough.

use suanzi_ops::table::Limit;
use suanzi_ops::{Num, Scalar};

/// What a result should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The reference, not rounded to the dtype.
    pub value: Num,
    /// For [`Limit::Sum`], `Σ|x|`; for [`Limit::Mean`], that over n.
    pub scale: f64,
    /// For [`Limit::Product`], the number of factors.
    pub terms: usize,
}

impl Expected {
    /// A value that no sum or product made.
    pub fn plain(value: Num) -> Expected {
        Expected {
            value,
            scale: 0.0,
            terms: 1,
        }
    }
}

/// The distance of one result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// In the limit's unit; infinite where no number says it (NaN for a number).
    pub error: f64,
    /// In units in the last place of the result's dtype, for the histogram.
    pub ulp: f64,
}

/// The number of a limit: a sample passes where its error is not above.
pub fn bound(limit: Limit) -> f64 {
    match limit {
        Limit::Exact => 0.0,
        Limit::Measured => f64::MAX,
        Limit::Ulp(c)
        | Limit::UlpAbove(c, _)
        | Limit::Sum(c)
        | Limit::Mean(c)
        | Limit::Product(c) => c,
    }
}

/// The number of a limit, for people.
pub fn bound_text(bound: f64) -> String {
    match bound {
        f64::MAX => "none".into(),
        bound => bound.to_string(),
    }
}

/// The unit that errors under this limit are given in.
pub fn unit(limit: Limit) -> &'static str {
    match limit {
        Limit::Exact | Limit::Ulp(_) => "ulp",
        Limit::Measured => "ulp, measured",
        Limit::UlpAbove(..) => "ulp, at least of the limit's magnitude",
        Limit::Sum(_) => "eps*sum|x|",
        Limit::Mean(_) => "eps*mean|x|",
        Limit::Product(_) => "n*eps*|x|",
    }
}

/// Measures one result. `None` where the limit says nothing: a sum whose terms overflow the
/// accumulator may be anything.
pub fn measure(dtype: Scalar, limit: Limit, want: Expected, got: u64) -> Option<Sample> {
    if !dtype.is_float() {
        let (a, b) = (
            want.value.round(dtype).int(),
            Num::from_bits(dtype, got).int(),
        );
        // A bool that is neither 0 nor 1 is read as true, but is not one.
        let invalid = dtype == Scalar::Bool && got > 1;
        let d = if invalid {
            f64::INFINITY
        } else {
            a.abs_diff(b) as f64
        };
        return Some(Sample { error: d, ulp: d });
    }
    let rounded = want.value.to_bits(dtype);
    let exact = distance(dtype, rounded, got);
    let (reference, result) = (want.value.float(), Num::from_bits(dtype, got).float());
    let ulp = ulp_error(dtype, reference, result);
    let error = match limit {
        Limit::Exact => exact,
        Limit::Ulp(_) | Limit::Measured => ulp,
        Limit::UlpAbove(_, least) => {
            let unit = ulp_at(dtype, reference.abs().max(least));
            difference(dtype, reference, result) / unit
        }
        Limit::Sum(_) | Limit::Mean(_) if sum_overflows(dtype, want) => return None,
        Limit::Sum(_) | Limit::Mean(_) => beyond_rounding(dtype, reference, result, want.scale),
        Limit::Product(_) => {
            let scale = reference.abs() * want.terms.max(1) as f64;
            beyond_rounding(dtype, reference, result, scale)
        }
    };
    let ulp = if limit == Limit::Exact { exact } else { ulp };
    Some(Sample { error, ulp })
}

/// Steps between two floats of a dtype, counted over all its values in order; -0 and +0 are one
/// step apart, NaN is NaN, and infinitely far from all else.
pub fn distance(dtype: Scalar, a: u64, b: u64) -> f64 {
    let nan = |bits| Num::from_bits(dtype, bits).float().is_nan();
    match (nan(a), nan(b)) {
        (true, true) => 0.0,
        (false, false) => ordinal(dtype, a).abs_diff(ordinal(dtype, b)) as f64,
        _ => f64::INFINITY,
    }
}

/// Position of a float among all of its dtype: -0 is -1, +0 is 0.
fn ordinal(dtype: Scalar, bits: u64) -> i128 {
    let sign = 1u64 << (dtype.bits() - 1);
    match bits & sign {
        0 => i128::from(bits),
        _ => -i128::from(bits & !sign) - 1,
    }
}

/// The unit in the last place of a dtype at a value.
pub fn ulp_at(dtype: Scalar, value: f64) -> f64 {
    let (exponent_bits, mantissa) = dtype.float_format();
    let least = 2 - (1i32 << (exponent_bits - 1));
    let exponent = match value.abs() {
        0.0 => least,
        v => exponent_of(v).clamp(least, (1 << (exponent_bits - 1)) - 1),
    };
    exp2(exponent - mantissa as i32)
}

/// `floor(log2(v))` of a finite v > 0.
fn exponent_of(v: f64) -> i32 {
    let biased = (v.to_bits() >> 52) as i32 & 0x7ff;
    match biased {
        0 => 63 - (v.to_bits().leading_zeros() as i32) - 1074,
        b => b - 1023,
    }
}

/// `2^e`, denormals included.
fn exp2(e: i32) -> f64 {
    match e {
        ..-1074 => 0.0,
        -1074..-1022 => f64::from_bits(1 << (e + 1074)),
        _ => f64::from_bits(((e.min(1024) + 1023) as u64) << 52),
    }
}

/// The first power of two that a dtype does not reach; infinite for f64.
fn overflow(dtype: Scalar) -> f64 {
    match dtype {
        Scalar::F64 => f64::INFINITY,
        _ => exp2(1 << (dtype.float_format().0 - 1)),
    }
}

/// `|result − reference|`. An infinity of the dtype stands for the first number that is too large,
/// so that rounding up to it is an error of a fraction of a unit; a reference far beyond that
/// number has to give infinity.
fn difference(dtype: Scalar, reference: f64, result: f64) -> f64 {
    if reference.is_nan() || result.is_nan() {
        return match reference.is_nan() && result.is_nan() {
            true => 0.0,
            false => f64::INFINITY,
        };
    }
    let top = overflow(dtype);
    if reference.abs() >= 2.0 * top {
        return match result.is_infinite() && (result > 0.0) == (reference > 0.0) {
            true => 0.0,
            false => f64::INFINITY,
        };
    }
    if reference == result {
        return 0.0;
    }
    (result.clamp(-top, top) - reference.clamp(-top, top)).abs()
}

/// Error in units in the last place, as OpenCL defines it.
fn ulp_error(dtype: Scalar, reference: f64, result: f64) -> f64 {
    match difference(dtype, reference, result) {
        0.0 => 0.0,
        d => d / ulp_at(dtype, reference),
    }
}

/// What remains of an error after the rounding to the dtype, over `eps · scale`.
fn beyond_rounding(dtype: Scalar, reference: f64, result: f64, scale: f64) -> f64 {
    let d = difference(dtype, reference, result);
    let rest = match d.is_finite() {
        true => (d - 0.5 * ulp_at(dtype, reference)).max(0.0),
        false => d,
    };
    match rest {
        0.0 => 0.0,
        rest => rest / (accumulator_eps(dtype) * scale),
    }
}

/// The machine epsilon of the kind that a dtype accumulates in.
fn accumulator_eps(dtype: Scalar) -> f64 {
    match dtype {
        Scalar::F64 => f64::EPSILON,
        _ => f32::EPSILON.into(),
    }
}

/// Whether finite terms may overflow the accumulator, depending on their order.
fn sum_overflows(dtype: Scalar, want: Expected) -> bool {
    let most = match dtype {
        Scalar::F64 => f64::MAX,
        _ => f32::MAX.into(),
    };
    want.value.float().is_finite() && want.scale * want.terms as f64 >= most
}

/// The value with denormals of its dtype's arithmetic replaced by a zero of the same sign, as a
/// device does that flushes them. f16 computes in f32, where its denormals are normal.
pub fn flush(dtype: Scalar, value: Num) -> Num {
    match (dtype, value) {
        (Scalar::F32 | Scalar::Bf16, Num::Float(v))
            if v != 0.0 && v.abs() < f64::from(f32::MIN_POSITIVE) =>
        {
            Num::Float(0f64.copysign(v))
        }
        _ => value,
    }
}

/// A histogram of errors in units in the last place.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Histogram(pub [u64; BUCKETS.len() + 1]);

/// Upper bounds of the histogram's buckets; a last bucket holds the rest.
pub const BUCKETS: [f64; 9] = [0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 8.0, 64.0, 4096.0];

impl Histogram {
    /// Counts one error.
    pub fn add(&mut self, ulp: f64) {
        let bucket = BUCKETS.iter().position(|&b| ulp <= b);
        self.0[bucket.unwrap_or(BUCKETS.len())] += 1;
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a += b;
        }
    }

    /// The bucket's name.
    pub fn label(bucket: usize) -> String {
        match BUCKETS.get(bucket) {
            Some(b) if bucket == 0 => format!("{b}"),
            Some(b) => format!("≤{b}"),
            None => format!(">{}", BUCKETS[BUCKETS.len() - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanzi_ops::Scalar::*;

    fn error(dtype: Scalar, limit: Limit, want: f64, got: f64) -> f64 {
        let want = Expected::plain(Num::Float(want));
        measure(dtype, limit, want, Num::Float(got).to_bits(dtype))
            .unwrap()
            .error
    }

    #[test]
    fn distances_count_values() {
        let one = u64::from(1f32.to_bits());
        assert_eq!(distance(F32, one, one), 0.0);
        assert_eq!(distance(F32, one, one + 3), 3.0);
        assert_eq!(distance(F32, 0, 1 << 31), 1.0);
        assert_eq!(distance(F32, 1, (1 << 31) | 1), 3.0);
        assert_eq!(distance(F16, 0x7c00, 0x7bff), 1.0);
        assert_eq!(
            distance(F64, f64::NAN.to_bits(), f64::NAN.to_bits() ^ 1),
            0.0
        );
        assert_eq!(distance(F32, one, f32::NAN.to_bits().into()), f64::INFINITY);
    }

    #[test]
    fn units_in_the_last_place() {
        assert_eq!(ulp_at(F32, 1.0), f64::from(f32::EPSILON));
        assert_eq!(ulp_at(F32, 1.999), f64::from(f32::EPSILON));
        assert_eq!(ulp_at(F32, 0.0), f64::from(f32::from_bits(1)));
        assert_eq!(ulp_at(F32, 1e-44), f64::from(f32::from_bits(1)));
        assert_eq!(ulp_at(F64, 0.0), f64::from_bits(1));
        assert_eq!(ulp_at(F64, 3e-320), f64::from_bits(1));
        assert_eq!(ulp_at(F16, 1.0), 2f64.powi(-10));
        assert_eq!(ulp_at(Bf16, -3.0), 2f64.powi(-6));
    }

    #[test]
    fn ulp_errors_are_against_the_unrounded_reference() {
        let third = 1.0 / 3.0;
        let e = error(F32, Limit::Ulp(0.5), third, third);
        assert!(e > 0.0 && e <= 0.5, "{e}");
        assert_eq!(error(F32, Limit::Ulp(1.0), 1.0, 1.0 + 2f64.powi(-22)), 2.0);
        // Overflow by rounding is an error of the rounding only.
        assert_eq!(error(F16, Limit::Ulp(0.5), 65520.0, f64::INFINITY), 0.5);
        assert_eq!(
            error(F16, Limit::Ulp(0.5), f64::INFINITY, 65504.0),
            f64::INFINITY
        );
        assert_eq!(error(F16, Limit::Ulp(0.5), 1e9, f64::INFINITY), 0.0);
        assert_eq!(
            error(F16, Limit::Ulp(0.5), -1e9, f64::INFINITY),
            f64::INFINITY
        );
        assert_eq!(error(F16, Limit::Ulp(0.5), 1e9, 65504.0), f64::INFINITY);
        assert_eq!(error(F32, Limit::Ulp(0.5), 1e39, f64::INFINITY), 0.0);
        assert_eq!(
            error(F64, Limit::Ulp(0.5), 1e308, f64::INFINITY),
            f64::INFINITY
        );
        assert_eq!(error(F32, Limit::Ulp(3.0), f64::NAN, 0.0), f64::INFINITY);
        assert_eq!(error(F32, Limit::Ulp(3.0), f64::NAN, f64::NAN), 0.0);
    }

    #[test]
    fn below_a_magnitude_units_are_those_of_the_magnitude() {
        let limit = Limit::UlpAbove(2.0, 1.0);
        let least = 2f64.powi(-30);
        assert_eq!(error(F32, limit, least, least + 2f64.powi(-23)), 1.0);
        assert_eq!(error(F32, limit, 4.0, 4.0 + 2f64.powi(-21)), 1.0);
        assert_eq!(error(F32, limit, 0.0, f64::NAN), f64::INFINITY);
    }

    #[test]
    fn the_sign_of_zero_counts_where_exact() {
        assert_eq!(error(F32, Limit::Exact, 0.0, -0.0), 1.0);
        assert_eq!(error(F32, Limit::Ulp(1.0), 0.0, -0.0), 0.0);
        assert_eq!(error(F32, Limit::Exact, 1e-60, 0.0), 0.0);
    }

    #[test]
    fn sums_are_measured_against_their_terms() {
        let want = Expected {
            value: Num::Float(1.0),
            scale: 8.0,
            terms: 4,
        };
        let got = Num::Float(1.0 + 2f64.powi(-20)).to_bits(F32);
        let s = measure(F32, Limit::Sum(1.0), want, got).unwrap();
        assert_eq!(s.ulp, 8.0);
        assert_eq!(s.error, 7.5 / 8.0);
        let over = Expected {
            scale: 1e39,
            ..want
        };
        assert_eq!(measure(F32, Limit::Sum(1.0), over, got), None);
        let p = measure(F32, Limit::Product(1.0), want, got).unwrap();
        assert_eq!(p.error, 7.5 / 4.0);
    }

    #[test]
    fn integers_and_bools_are_compared_as_such() {
        let want = Expected::plain(Num::Int(-1));
        assert_eq!(measure(I8, Limit::Exact, want, 0xff).unwrap().error, 0.0);
        assert_eq!(measure(I8, Limit::Exact, want, 0x01).unwrap().error, 2.0);
        let yes = Expected::plain(Num::Bool(true));
        assert_eq!(measure(Bool, Limit::Exact, yes, 1).unwrap().error, 0.0);
        assert_eq!(
            measure(Bool, Limit::Exact, yes, 0xff).unwrap().error,
            f64::INFINITY
        );
    }

    #[test]
    fn only_denormals_of_the_arithmetic_are_flushed() {
        let tiny = Num::Float(-1e-40);
        assert_eq!(flush(F32, tiny).to_bits(F32), 1 << 31);
        assert_eq!(flush(F64, tiny), tiny);
        assert_eq!(flush(F16, Num::Float(6e-8)), Num::Float(6e-8));
    }

    #[test]
    fn the_histogram_counts_every_error() {
        let mut h = Histogram::default();
        [0.0, 0.3, 0.5, 3.0, 1e9, f64::INFINITY]
            .into_iter()
            .for_each(|e| h.add(e));
        assert_eq!(h.0, [1, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(h.0.iter().sum::<u64>(), 6);
    }
}
