//! Scans, sorts, and folded runs: every way to walk, every stage, some dtypes of each width.

use crate::Outcome;
use crate::cases::{Suite, data};
use suanzi_backends::Context;
use suanzi_ops::ops::{Fold, Span};
use suanzi_ops::{Num, Result, Scalar, Tensor, ops};

/// Whole numbers below `bound`, in no order.
fn indices(ctx: &Context, n: usize, bound: i64) -> Result<Tensor> {
    let at: Vec<i64> = (0..n as i64).map(|i| (i * 7919 + i / 3) % bound).collect();
    Tensor::from_slice(ctx, &[n], &at)
}

/// Running sums and extremes: short rows, long ones in parts, along either axis, both directions.
pub fn scans(suite: &mut Suite) -> Outcome<()> {
    let shapes = [[3, 7], [7, 30], [2, 1025], [1025, 3], [1030, 16], [1, 9001]];
    for shape in shapes {
        for axis in [0, 1] {
            for reverse in [false, true] {
                let span = Span {
                    exclusive: shape[0] == 7,
                    reverse,
                };
                suite.case(&format!("cumsum {shape:?} along {axis} {span:?}"), |ctx| {
                    ops::cumsum(&data(ctx, Scalar::F32, &shape)?, axis, span)
                })?;
            }
            suite.case(&format!("cummax {shape:?} along {axis}"), |ctx| {
                let x = data(ctx, Scalar::F32, &shape)?;
                let [_, positions] = ops::cummax(&x, axis, Span::default())?;
                Ok(positions)
            })?;
        }
    }
    for dtype in suite.dtypes().into_iter().filter(|&d| d != Scalar::Bool) {
        suite.case(&format!("cumsum {dtype}"), |ctx| {
            let x = data(ctx, dtype, &[5, 77])?.transpose(0, 1)?;
            ops::cumsum(&x, 0, Span::default())
        })?;
    }
    Ok(())
}

/// Sorts by rank and by digits, with and without positions; what is chosen by order or by a test.
pub fn sorts(suite: &mut Suite) -> Outcome<()> {
    for dtype in [Scalar::U8, Scalar::F16, Scalar::F32, Scalar::I64] {
        for shape in [[3, 40], [1, 3000], [2, 1037]] {
            suite.case(&format!("sort {dtype} {shape:?}"), |ctx| {
                ops::sort(&data(ctx, dtype, &shape)?, 1, false)
            })?;
            suite.case(&format!("argsort {dtype} {shape:?}"), |ctx| {
                ops::argsort(&data(ctx, dtype, &shape)?, 1, true)
            })?;
        }
    }
    suite.case("topk of [20001]", |ctx| {
        let [_, positions] = ops::topk(&data(ctx, Scalar::F32, &[20_001])?, 3, 0, true)?;
        Ok(positions)
    })?;
    suite.case("searchsorted", |ctx| {
        let sorted = ops::sort(&data(ctx, Scalar::F32, &[300])?, 0, false)?;
        ops::searchsorted(&sorted, &data(ctx, Scalar::F32, &[77])?, true)
    })?;
    suite.case("nonzero", |ctx| {
        ops::nonzero(&data(ctx, Scalar::F32, &[33, 31])?)
    })?;
    suite.case("unique", |ctx| {
        Ok(ops::unique(&data(ctx, Scalar::F32, &[1025])?)?.inverse)
    })
}

/// Segments and scattering: one chunk, many, several levels; indices out of range.
pub fn runs(suite: &mut Suite) -> Outcome<()> {
    for shape in [[30, 5], [1025, 16], [9001, 1]] {
        for sorted in [false, true] {
            suite.case(&format!("segment_sum {shape:?} sorted {sorted}"), |ctx| {
                let mut ids = indices(ctx, shape[0], 40)?;
                if sorted {
                    ids = ops::sort(&ids, 0, false)?;
                }
                ops::segment_sum(&data(ctx, Scalar::F32, &shape)?, &ids, 37, sorted)
            })?;
        }
        for mode in [Fold::Replace, Fold::Add, Fold::Max] {
            suite.case(&format!("index_put {shape:?} {mode:?}"), |ctx| {
                let x = ops::fill(ctx, Scalar::F16, &[50, shape[1]], Num::Int(1))?;
                let updates = data(ctx, Scalar::F16, &shape)?;
                ops::index_put(&x, 0, &indices(ctx, shape[0], 60)?, &updates, mode, false)
            })?;
        }
        suite.case(&format!("bincount {shape:?}"), |ctx| {
            ops::bincount(&indices(ctx, shape[0], 90)?, 77)
        })?;
    }
    Ok(())
}
