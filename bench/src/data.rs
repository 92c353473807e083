//! Inputs and checks. Never zeros: memory that was never written may be one page for all, and
//! arithmetic on zeros may be cheaper.

use crate::{Result, ensure};

/// Values between -4 and 4 with 20 significant bits, different for each seed.
pub fn varied(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    (0..n)
        .map(|_| (next() >> 12) as f32 / 131_072.0 - 4.0)
        .collect()
}

/// Every element has the bits that it should have.
///
/// # Errors
/// The first that does not.
pub fn same(what: &str, got: &[f32], expected: impl ExactSizeIterator<Item = f32>) -> Result<()> {
    ensure!(
        got.len() == expected.len(),
        "{what}: {} elements",
        got.len()
    );
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        ensure!(
            g.to_bits() == e.to_bits(),
            "{what}: element {i} is {g}, not {e}"
        );
    }
    Ok(())
}

/// A sum is within `16 · eps` of the sum of magnitudes, the operator's limit, and the part of itself
/// that rounding it to a narrower type may change.
///
/// # Errors
/// If it is not.
pub fn near_sum(
    what: &str,
    got: f32,
    rounding: f64,
    terms: impl Iterator<Item = f32>,
) -> Result<()> {
    let (mut sum, mut magnitude) = (0.0f64, 0.0f64);
    for x in terms {
        sum += f64::from(x);
        magnitude += f64::from(x.abs());
    }
    let limit = 16.0 * f64::from(f32::EPSILON) * magnitude + rounding * sum.abs();
    ensure!(
        (f64::from(got) - sum).abs() <= limit,
        "{what}: {got}, not {sum}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_vary() {
        let x = varied(10_000, 1);
        assert!(x.iter().all(|x| x.abs() <= 4.0));
        let mut bits: Vec<u32> = x.iter().map(|x| x.to_bits()).collect();
        bits.sort_unstable();
        bits.dedup();
        assert!(bits.len() > 9_900, "{} different values", bits.len());
        assert_ne!(x, varied(10_000, 2));
        let sum: f32 = x.iter().sum();
        assert!(sum.abs() < 1000.0);
    }

    #[test]
    fn checks_fail_where_they_should() {
        assert!(same("x", &[1.0, 2.0], [1.0, 2.0].into_iter()).is_ok());
        assert!(same("x", &[1.0, 2.0], [1.0, 2.5].into_iter()).is_err());
        assert!(same("x", &[1.0], [1.0, 2.0].into_iter()).is_err());
        assert!(near_sum("x", 3.0, 0.0, [1.0, 2.0].into_iter()).is_ok());
        assert!(near_sum("x", 3.001, 0.0, [1.0, 2.0].into_iter()).is_err());
    }
}
