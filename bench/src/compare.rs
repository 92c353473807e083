//! Interleaved timing. A machine's speed drifts (clocks, neighbours, pages), so things that are
//! compared take turns, and their ratio is the median of the ratios of neighbouring turns.

use crate::Result;
use std::fmt;
use std::time::{Duration, Instant};

/// One contender: does its work once and says how long it took.
pub type Round<'a> = Box<dyn FnMut() -> Result<Duration> + 'a>;

/// A contender whose time is that of the call.
pub fn clocked<'a>(mut work: impl FnMut() -> Result<()> + 'a) -> Round<'a> {
    Box::new(move || {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed())
    })
}

/// Runs each contender once to warm up, then in turns. Each round begins with another one, so that
/// none always follows the same.
///
/// # Errors
/// The first of a contender.
pub fn interleave<const N: usize>(
    rounds: usize,
    mut contenders: [Round<'_>; N],
) -> Result<[Sample; N]> {
    for contender in &mut contenders {
        contender()?;
    }
    let mut samples = [const { Sample(vec![]) }; N];
    for round in 0..rounds {
        for turn in 0..N {
            let i = (round + turn) % N;
            samples[i].0.push(contenders[i]()?.as_secs_f64());
        }
    }
    Ok(samples)
}

/// The seconds of each round.
#[derive(Clone, Debug)]
pub struct Sample(pub Vec<f64>);

impl Sample {
    /// The middle, and the ends.
    pub fn spread(&self) -> Spread {
        Spread::of(self.0.clone())
    }

    /// What a function makes of this one's and another's seconds, round by round.
    pub fn against(&self, other: &Sample, f: impl Fn(f64, f64) -> f64) -> Spread {
        let pairs = self.0.iter().zip(&other.0);
        Spread::of(pairs.map(|(&a, &b)| f(a, b)).collect())
    }
}

/// The middle of a sample, and its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of the values are below.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value; NaN of none.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        Spread {
            median: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            min: at(0),
            max: at(n.saturating_sub(1)),
        }
    }

    /// In another unit.
    pub fn scaled(self, by: f64) -> Spread {
        Spread {
            median: self.median * by,
            min: self.min * by,
            max: self.max * by,
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median.abs() {
            m if m >= 100.0 => 0,
            m if m >= 10.0 => 1,
            _ => 2,
        };
        let Spread { median, min, max } = self;
        write!(f, "{median:.digits$} ({min:.digits$} to {max:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_median_is_the_middle() {
        let of = |v: &[f64]| Spread::of(v.to_vec());
        let odd = of(&[3.0, 1.0, 9.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 3.0, 9.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]).median, 3.0);
        assert_eq!(of(&[5.0]).median, 5.0);
        assert!(of(&[]).median.is_nan());
    }

    #[test]
    fn contenders_take_turns() {
        let order = RefCell::new(String::new());
        let contender = |name: char, ms: u64| -> Round<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                Ok(Duration::from_millis(ms))
            })
        };
        let [a, b] = interleave(3, [contender('a', 10), contender('b', 40)]).unwrap();
        assert_eq!(*order.borrow(), "ababbaab");
        assert_eq!(a.0.len(), 3);
        let ratio = a.against(&b, |a, b| b / a);
        assert!((ratio.median - 4.0).abs() < 1e-9);
    }

    #[test]
    fn an_error_ends_the_run() {
        let failing: Round<'_> = Box::new(|| anyhow::bail!("no"));
        assert!(interleave(1, [failing]).is_err());
    }
}
