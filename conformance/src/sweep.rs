//! All 2³² inputs of a unary f32 operator, in chunks that are cases of the full profile
//! (`exp/f32/16777216/contiguous/all/s17` is the 17th). The general way of running a case keeps
//! everything of every element; here only the worst one and the histogram are kept.

use crate::case::Case;
use crate::measure::{self, Expected, flush, measure};
use crate::result::{CaseResult, Status, Worst};
use crate::values::Input;
use suanzi_backends::Context;
use suanzi_ops::table::{Inputs, Kind, Limit, Map, Output, Row};
use suanzi_ops::{Expr, Num, Scalar, Tensor};

/// Inputs of a chunk.
pub const CHUNK: usize = 1 << 24;
/// Chunks that are all of f32.
pub const CHUNKS: u64 = 1 << (32 - CHUNK.trailing_zeros());

/// The operator of a case that is such a chunk.
pub fn of(case: &Case, row: &Row) -> Option<Map> {
    let op = takes(row)?;
    let all = case.input == Input::All && case.dtype == Scalar::F32;
    let chunk = case.shape == [CHUNK] && (1..=CHUNKS).contains(&case.seed);
    (all && chunk).then_some(op)
}

/// Unary operators from f32 to f32 that have a limit.
pub fn takes(row: &Row) -> Option<Map> {
    let Kind::Map(op) = row.kind else { return None };
    let unary = op.inputs == Inputs::Same(1) && op.output == Output::Same;
    let limited = (row.limit)(Scalar::F32) != Limit::Measured;
    (unary && limited && row.dtypes.contains(&Scalar::F32)).then_some(op)
}

/// Inputs of one launch: memory of this size is reused by the next, not returned to the system.
const PIECE: usize = 1 << 22;

/// Runs a chunk and judges it.
pub fn run(ctx: &Context, case: &Case, row: &Row, op: &Map, result: &mut CaseResult) {
    let limit = (row.limit)(Scalar::F32);
    result.limit = measure::bound(limit);
    result.unit = measure::unit(limit).into();
    let judge = Judge::new(limit, op, !ctx.device().caps().denormals_f32);
    let mut worst = (-1.0, 0, 0.0);
    for piece in (0..CHUNK).step_by(PIECE) {
        let first = ((case.seed - 1) as usize * CHUNK + piece) as u32;
        let inputs: Vec<f32> = (first..=first + (PIECE as u32 - 1))
            .map(f32::from_bits)
            .collect();
        let got = Tensor::from_slice(ctx, &[PIECE], &inputs)
            .and_then(|x| Expr::map(row.name, &[Expr::from(&x)])?.eval())
            .and_then(|y| y.to_vec::<f32>());
        let got = match got {
            Ok(got) => got,
            Err(error) => {
                result.detail = error.to_string();
                return;
            }
        };
        for (i, (&x, &y)) in inputs.iter().zip(&got).enumerate() {
            let (error, flushed) = judge.error(x, y);
            result.flushed += u64::from(flushed);
            result.histogram.add(error);
            if error > worst.0 {
                worst = (error, piece + i, y);
            }
        }
    }
    result.compared = CHUNK as u64;
    let (error, i, y) = worst;
    let x = f32::from_bits(((case.seed - 1) as usize * CHUNK + i) as u32);
    let want = judge.reference(x).float();
    result.error = error.is_finite().then_some(error);
    result.worst = Some(Worst {
        index: vec![i],
        inputs: vec![format!("{x:?}")],
        expected: format!("{:?}", want as f32),
        got: format!("{y:?}"),
    });
    if error <= result.limit {
        result.status = Status::Passed;
    } else {
        result.detail = format!("of {x:?} it gives {y:?}, not {want:?}");
    }
}

/// What the results of an operator are compared with.
struct Judge<'a> {
    limit: Limit,
    bound: f64,
    /// Errors are in units of the result or of this, whichever is larger.
    least: f64,
    op: &'a Map,
    /// The device replaces denormals by zeros.
    flushes: bool,
}

impl<'a> Judge<'a> {
    fn new(limit: Limit, op: &'a Map, flushes: bool) -> Judge<'a> {
        let normal = f64::from(f32::MIN_POSITIVE);
        Judge {
            limit,
            bound: measure::bound(limit),
            least: match limit {
                Limit::UlpAbove(_, least) => least.max(normal),
                _ => normal,
            },
            op,
            flushes,
        }
    }

    fn reference(&self, x: f32) -> Num {
        (self.op.reference)(Scalar::F32, &[Num::Float(x.into())])
    }

    /// The error in the limit's unit, and whether it is so small only because denormals may be
    /// replaced.
    fn error(&self, x: f32, got: f32) -> (f64, bool) {
        let want = self.reference(x);
        let (wanted, result) = (want.float(), f64::from(got));
        // Zeros, infinities and what is saturated.
        if wanted.to_bits() == result.to_bits() || (wanted.is_nan() && result.is_nan()) {
            return (0.0, false);
        }
        let error = match self.near(wanted, got) {
            Some(error) => error,
            None => self.exactly(want, got),
        };
        if !self.flushes || error <= self.bound {
            return (error, false);
        }
        let zero = match flush(Scalar::F32, Num::Float(x.into())) {
            Num::Float(x) => self.reference(x as f32),
            _ => want,
        };
        let others = [want, zero].map(|w| flush(Scalar::F32, w.round(Scalar::F32)));
        let others = others.into_iter().chain([zero]);
        let best = others
            .map(|w| self.exactly(w, got))
            .fold(f64::INFINITY, f64::min);
        match best <= self.bound {
            true => (best, true),
            false => (error.min(best), false),
        }
    }

    /// The error where everything is finite, not denormal and not far apart: the quick way.
    fn near(&self, want: f64, got: f32) -> Option<f64> {
        let size = want.abs().max(self.least);
        let most = f64::from(f32::MAX) / 2.0;
        let normal = want.abs() >= f64::from(f32::MIN_POSITIVE);
        if !(normal && size <= most && got.is_finite()) {
            return None;
        }
        if self.limit == Limit::Exact {
            return None;
        }
        // 2^(e - 23), e being the exponent of the reference.
        let ulp = f64::from_bits((size.to_bits() & (0x7ff << 52)) - (23 << 52));
        Some((f64::from(got) - want).abs() / ulp)
    }

    fn exactly(&self, want: Num, got: f32) -> f64 {
        let expected = Expected::plain(want);
        let sample = measure(Scalar::F32, self.limit, expected, got.to_bits().into());
        sample.map_or(0.0, |s| s.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_is_the_exact_way() {
        let row = suanzi_ops::table::row("exp").unwrap();
        let op = takes(row).unwrap();
        for limit in [Limit::Ulp(1.0), Limit::UlpAbove(1.0, 0.25)] {
            let judge = Judge::new(limit, &op, false);
            for (want, got) in [
                (1.0, 1.0f32),
                (1.0 + 1e-9, 1.0),
                (0.999_999_99, 1.0),
                (-3.5e30, -3.500_001e30),
                (1.5e-38, 1.500_001e-38),
                (-1.96e-7, -1.19e-7),
            ] {
                let exact = judge.exactly(Num::Float(want), got);
                assert_eq!(judge.near(want, got), Some(exact), "{want} {got}");
            }
            assert_eq!(judge.near(1e-40, 1e-40), None);
            assert_eq!(judge.near(f64::NAN, 1.0), None);
        }
    }

    #[test]
    fn a_chunk_is_judged() {
        let ctx = Context::open("cpu").unwrap();
        let row = suanzi_ops::table::row("exp").unwrap();
        let case = Case::parse("exp/f32/16777216/contiguous/all/s64").unwrap();
        let mut result = CaseResult::new(&case);
        // Its limit, made too strict for anything to pass.
        let strict = Row {
            limit: |_| Limit::Ulp(0.4),
            ..*row
        };
        run(&ctx, &case, &strict, &of(&case, row).unwrap(), &mut result);
        assert_eq!(result.status, Status::Failed);
        assert!(result.error.is_some_and(|e| e > 0.4), "{result:?}");
    }
}
