//! Verdicts: one line for each bar, and an exit code.

use crate::compare::Spread;
use serde::Serialize;
use std::process::ExitCode;

/// What a figure must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// What came of a bar.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What was measured.
    pub name: String,
    /// The figure, with its spread and unit.
    pub figure: String,
    /// What it must reach.
    pub bar: String,
    /// Whether it does.
    pub reached: bool,
}

/// The bars of one bench.
#[derive(Default)]
pub struct Bars {
    verdicts: Vec<Verdict>,
    /// Only figures whose names contain this are wanted.
    filter: Option<String>,
}

impl Bar {
    /// A NaN reaches nothing.
    fn reached(self, figure: f64) -> bool {
        match self {
            Bar::AtLeast(bar) => figure >= bar,
            Bar::AtMost(bar) => figure <= bar,
        }
    }
}

impl Bars {
    /// Those whose names contain a text.
    pub fn filtered(filter: Option<String>) -> Bars {
        Bars {
            verdicts: vec![],
            filter,
        }
    }

    /// Whether a figure is to be measured.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|f| name.contains(f))
    }

    /// Prints a figure's verdict: `bar map add: 2.10 (2.02 to 2.13) of copy, bar >= 0.85: ok`. The
    /// median is what is judged.
    pub fn judge(&mut self, name: &str, figure: Spread, unit: &str, bar: Bar) {
        let reached = bar.reached(figure.median);
        let verdict = if reached { "ok" } else { "MISSED" };
        let bar = match bar {
            Bar::AtLeast(bar) => format!(">= {bar}"),
            Bar::AtMost(bar) => format!("<= {bar}"),
        };
        println!("bar {name}: {figure} {unit}, bar {bar}: {verdict}");
        self.verdicts.push(Verdict {
            name: name.into(),
            figure: format!("{figure} {unit}"),
            bar,
            reached,
        });
    }

    /// What was judged, in order.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    fn missed(&self) -> usize {
        self.verdicts.iter().filter(|v| !v.reached).count()
    }

    /// Prints a figure that is not judged.
    pub fn note(&self, name: &str, figure: Spread, unit: &str) {
        println!("    {name}: {figure} {unit}");
    }

    /// Failure if a bar was missed, unless `SUANZI_BENCH_LENIENT=1`.
    pub fn close(self) -> ExitCode {
        let lenient = std::env::var("SUANZI_BENCH_LENIENT").as_deref() == Ok("1");
        match self.missed() {
            0 => ExitCode::SUCCESS,
            n => {
                println!("{n} bars missed");
                ExitCode::from(u8::from(!lenient))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_judged_by_the_median() {
        let figure = |m| Spread {
            median: m,
            min: 0.0,
            max: 10.0,
        };
        let mut bars = Bars::default();
        bars.judge("a", figure(0.85), "x", Bar::AtLeast(0.85));
        bars.judge("b", figure(2.0), "x", Bar::AtMost(2.0));
        assert_eq!(bars.missed(), 0);
        bars.judge("c", figure(0.84), "x", Bar::AtLeast(0.85));
        bars.judge("d", figure(2.1), "x", Bar::AtMost(2.0));
        bars.judge("e", figure(f64::NAN), "x", Bar::AtMost(2.0));
        assert_eq!(bars.missed(), 3);
        assert!(bars.wants("anything"));
        let some = Bars::filtered(Some("f16".into()));
        assert!(some.wants("f16 add") && !some.wants("f32 add"));
    }
}
