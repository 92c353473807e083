//! What is promised of which routine, and whether a run's figures keep it.

use super::report::{Figure, Range};
use super::routine::Op::{self, *};
use crate::{Bar, Bars, Spread};
use suanzi_backends::DeviceKind;

/// One row: these routines in f32 and f64, where the longest side is at least so long, against whoever is the fastest of
/// the peers whose names begin so.
struct Promise {
    kind: DeviceKind,
    routines: &'static [Op],
    sides: std::ops::RangeInclusive<usize>,
    peer: &'static str,
    bar: f64,
}

/// From level 3's first bar on.
const LARGE: std::ops::RangeInclusive<usize> = 256..=usize::MAX;

const PROMISES: &[Promise] = &[
    Promise {
        kind: DeviceKind::Cpu,
        routines: &[Gemm],
        sides: 512..=usize::MAX,
        peer: "openblas",
        bar: 1.0,
    },
    Promise {
        kind: DeviceKind::Cpu,
        routines: &[Gemm],
        sides: 512..=2048,
        peer: "clblast",
        bar: 20.0,
    },
    Promise {
        kind: DeviceKind::Cpu,
        routines: &[Symm, Syrk, Trmm, Trsm, Getrf, Potrf],
        sides: LARGE,
        peer: "openblas",
        bar: 0.8,
    },
    Promise {
        kind: DeviceKind::Cpu,
        routines: &[Gemv, GemvT, Ger],
        sides: 1024..=usize::MAX,
        peer: "openblas",
        bar: 0.8,
    },
    Promise {
        kind: DeviceKind::Cpu,
        routines: &[GemmBatch],
        sides: 8..=usize::MAX,
        peer: "openblas",
        bar: 0.8,
    },
    Promise {
        kind: DeviceKind::Gpu,
        routines: &[Gemm],
        sides: 4096..=usize::MAX,
        peer: "cublas",
        bar: 0.85,
    },
    Promise {
        kind: DeviceKind::Gpu,
        routines: &[Gemv, GemvT, Symv, Ger],
        sides: 4096..=usize::MAX,
        peer: COPY,
        bar: 0.9,
    },
    Promise {
        kind: DeviceKind::Gpu,
        routines: &[Copy, Scal, Axpy, Dot, Nrm2, Asum],
        sides: 10_000_000..=usize::MAX,
        peer: COPY,
        bar: 0.9,
    },
];

/// The device's own copy, instead of a peer.
const COPY: &str = "copy";

impl Promise {
    fn covers(&self, kind: DeviceKind, op: Op, size: [usize; 3]) -> bool {
        let longest = size.into_iter().max().unwrap_or(0);
        self.kind == kind && self.routines.contains(&op) && self.sides.contains(&longest)
    }
}

/// Whether something is promised of a routine at a size.
pub fn covered(kind: DeviceKind, op: Op, size: [usize; 3]) -> bool {
    PROMISES.iter().any(|p| p.covers(kind, op, size))
}

/// Judges the figures of one routine at one size, this library's first; `copy` is the device's, in GB/s.
pub fn judge(bars: &mut Bars, kind: DeviceKind, op: Op, figures: &[Figure], copy: f64) {
    let Some((ours, peers)) = figures.split_first() else {
        return;
    };
    if !["f32", "f64"].contains(&&*ours.dtype) {
        return;
    }
    for promise in PROMISES.iter().filter(|p| p.covers(kind, op, ours.size)) {
        let name = format!("{} {} {}", ours.routine, ours.dtype, ours.case);
        if promise.peer == COPY {
            let share = spread(ours.rate).scaled(1.0 / copy);
            bars.judge(
                &name,
                share,
                "of the device's copy",
                Bar::AtLeast(promise.bar),
            );
            continue;
        }
        let fastest = peers
            .iter()
            .filter(|f| f.contender.starts_with(promise.peer) && f.wrong.is_none())
            .min_by(|a, b| a.milliseconds.median.total_cmp(&b.milliseconds.median));
        if let Some((fastest, ratio)) = fastest.and_then(|f| Some((f, f.of_ours?))) {
            let unit = format!("of {}'s speed", fastest.contender);
            bars.judge(&name, spread(ratio), &unit, Bar::AtLeast(promise.bar));
        }
    }
}

fn spread(range: Range) -> Spread {
    Spread {
        median: range.median,
        min: range.least,
        max: range.most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(contender: &str, milliseconds: f64, of_ours: Option<f64>) -> Figure {
        let range = |x: f64| Range {
            median: x,
            least: x,
            most: x,
        };
        Figure {
            routine: "gemm".into(),
            dtype: "f32".into(),
            size: [512; 3],
            case: "512".into(),
            side: None,
            flops: 1.0,
            bytes: 1.0,
            contender: contender.into(),
            unit: "GFLOP/s".into(),
            rate: range(1.0),
            milliseconds: range(milliseconds),
            of_ours: of_ours.map(range),
            wrong: None,
        }
    }

    #[test]
    fn the_fastest_peer_counts() {
        let ours = figure("suanzi", 2.0, None);
        let slow = figure("openblas", 4.0, Some(2.0));
        let judged = |figures: &[Figure]| {
            let mut bars = Bars::default();
            judge(&mut bars, DeviceKind::Cpu, Gemm, figures, 1.0);
            bars.verdicts()
                .iter()
                .map(|v| v.reached)
                .collect::<Vec<bool>>()
        };
        assert_eq!(judged(&[ours, slow]), [true]);
        let ours = figure("suanzi", 2.0, None);
        let slow = figure("openblas", 4.0, Some(2.0));
        let fast = figure("openblas:SkylakeX", 1.8, Some(0.9));
        assert_eq!(judged(&[ours, slow, fast]), [false]);
        // Whose result is wrong is not fast.
        let ours = figure("suanzi", 2.0, None);
        let mut wrong = figure("openblas", 1.0, Some(0.5));
        wrong.wrong = Some("it is".into());
        assert!(judged(&[ours, wrong]).is_empty());
        assert!(covered(DeviceKind::Cpu, Gemm, [64, 2048, 2048]));
        assert!(!covered(DeviceKind::Cpu, Gemm, [256; 3]));
    }
}
