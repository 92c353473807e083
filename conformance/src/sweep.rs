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

/// Unary operators from f32 to f32 that are not exact by construction, and have a limit.
pub fn takes(row: &Row) -> Option<Map> {
    let Kind::Map(op) = row.kind else { return None };
    let unary = op.inputs == Inputs::Same(1) && op.output == Output::Same;
    let inexact = !matches!((row.limit)(Scalar::F32), Limit::Exact | Limit::Measured);
    (unary && inexact && row.dtypes.contains(&Scalar::F32)).then_some(op)
}

/// Runs a chunk and judges it.
pub fn run(ctx: &Context, case: &Case, row: &Row, op: &Map, result: &mut CaseResult) {
    let limit = (row.limit)(Scalar::F32);
    result.limit = measure::bound(limit);
    result.unit = measure::unit(limit).into();
    let first = (case.seed - 1) as u32 * CHUNK as u32;
    let inputs: Vec<f32> = (first..=first + (CHUNK as u32 - 1))
        .map(f32::from_bits)
        .collect();
    let got = Tensor::from_slice(ctx, &[CHUNK], &inputs)
        .and_then(|x| Expr::map(row.name, &[Expr::from(&x)])?.eval())
        .and_then(|y| y.to_vec::<f32>());
    let got = match got {
        Ok(got) => got,
        Err(error) => {
            result.detail = error.to_string();
            return;
        }
    };
    let flushes = !ctx.device().caps().denormals_f32;
    let mut worst = (-1.0, 0);
    for (i, (&x, &y)) in inputs.iter().zip(&got).enumerate() {
        let reference = |x: f32| (op.reference)(Scalar::F32, &[Num::Float(x.into())]);
        let want = reference(x);
        let mut error = match near(want.float(), y) {
            Some(error) => error,
            None => exactly(limit, want, y),
        };
        if flushes && error > result.limit {
            let zero = reference(match flush(Scalar::F32, Num::Float(x.into())) {
                Num::Float(x) => x as f32,
                _ => x,
            });
            let others = [want, zero].map(|w| flush(Scalar::F32, w.round(Scalar::F32)));
            let best = others
                .into_iter()
                .chain([zero])
                .map(|w| exactly(limit, w, y));
            let best = best.fold(error, f64::min);
            if best <= result.limit {
                error = best;
                result.flushed += 1;
            }
        }
        result.histogram.add(error);
        if error > worst.0 {
            worst = (error, i);
        }
    }
    result.compared = CHUNK as u64;
    let (error, i) = worst;
    let want = (op.reference)(Scalar::F32, &[Num::Float(inputs[i].into())]);
    result.error = error.is_finite().then_some(error);
    result.worst = Some(Worst {
        index: vec![i],
        inputs: vec![format!("{:?}", inputs[i])],
        expected: format!("{:?}", want.float() as f32),
        got: format!("{:?}", got[i]),
    });
    if error <= result.limit {
        result.status = Status::Passed;
    } else {
        let (x, y) = (inputs[i], got[i]);
        result.detail = format!("of {x:?} it gives {y:?}, not {:?}", want.float());
    }
}

/// The error in units in the last place, where everything is finite, normal and not far apart.
fn near(want: f64, got: f32) -> Option<f64> {
    let least = f64::from(f32::MIN_POSITIVE);
    let most = f64::from(f32::MAX) / 2.0;
    let size = want.abs();
    if !(size >= least && size <= most && got.is_finite()) {
        return None;
    }
    // 2^(e - 23), e being the exponent of the reference.
    let ulp = f64::from_bits((want.to_bits() & (0x7ff << 52)) - (23 << 52));
    Some((f64::from(got) - want).abs() / ulp)
}

fn exactly(limit: Limit, want: Num, got: f32) -> f64 {
    let expected = Expected::plain(want);
    let sample = measure(Scalar::F32, limit, expected, got.to_bits().into());
    sample.map_or(0.0, |s| s.ulp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_is_the_exact_way() {
        for (want, got) in [
            (1.0, 1.0f32),
            (1.0 + 1e-9, 1.0),
            (0.999_999_99, 1.0),
            (-3.5e30, -3.500_001e30),
            (1.5e-38, 1.500_001e-38),
        ] {
            let exact = exactly(Limit::Ulp(1.0), Num::Float(want), got);
            assert_eq!(near(want, got), Some(exact), "{want} {got}");
        }
        assert_eq!(near(1e-40, 1e-40), None);
        assert_eq!(near(f64::NAN, 1.0), None);
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
