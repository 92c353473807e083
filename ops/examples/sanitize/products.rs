//! Products of matrices and convolutions: tiles that are full, too large and left over, operands
//! where they lie and in panels, epilogues. Sums are whole numbers, and so the same everywhere.

use crate::Outcome;
use crate::cases::{Suite, data};
use suanzi_backends::Context;
use suanzi_ops::ops::{Convolution, Layout};
use suanzi_ops::{Result, Scalar, Tensor, ops};

/// m, k and n.
const SHAPES: [[usize; 3]; 7] = [
    [1, 1, 1],
    [8, 8, 16],
    [13, 9, 33],
    [33, 17, 65],
    [64, 8, 64],
    [129, 5, 130],
    [769, 3, 5],
];

/// Of every layout, in kinds of each width; batches.
pub fn products(suite: &mut Suite) -> Outcome<()> {
    for [m, k, n] in SHAPES {
        for apart in [[false, false], [true, false], [false, true]] {
            let name = format!("matmul f32 {m}x{k}x{n} {apart:?}");
            suite.case(&name, |ctx| {
                let a = matrix(ctx, Scalar::F32, [m, k], apart[0])?;
                ops::matmul(&a, &matrix(ctx, Scalar::F32, [k, n], apart[1])?)
            })?;
        }
    }
    for dtype in [
        Scalar::I8,
        Scalar::I32,
        Scalar::F16,
        Scalar::Bf16,
        Scalar::F64,
    ] {
        suite.case(&format!("matmul {dtype}"), |ctx| {
            let a = matrix(ctx, dtype, [14, 6], false)?;
            ops::matmul(&a, &matrix(ctx, dtype, [6, 35], false)?)
        })?;
    }
    suite.case("matmul in batches, with an epilogue", |ctx| {
        let a = data(ctx, Scalar::F32, &[3, 1, 9, 4])?;
        let b = data(ctx, Scalar::F32, &[2, 4, 37])?;
        let bias = data(ctx, Scalar::F32, &[37])?;
        ops::matmul_with(&a, &b, |x| ops::relu(ops::add(x, &bias)?))
    })?;
    suite.case("gemm", |ctx| {
        let a = data(ctx, Scalar::F32, &[15, 4])?;
        let b = data(ctx, Scalar::F32, &[4, 37])?;
        ops::gemm(2.0, &a, &b, -1.0, &data(ctx, Scalar::F32, &[15, 37])?)
    })
}

/// Windows with strides, zeros around the image, dilation and groups; channels first and last.
pub fn convolutions(suite: &mut Suite) -> Outcome<()> {
    for (layout, image, weights) in [
        (Layout::ChannelsFirst, [2, 4, 9, 8], [34, 2, 3, 2]),
        (Layout::ChannelsLast, [2, 9, 8, 4], [34, 3, 2, 2]),
    ] {
        for (stride, dilation, pad) in [(1, 1, 0), (2, 1, 1), (1, 2, 2)] {
            let c = Convolution {
                strides: vec![stride; 2],
                dilations: vec![dilation; 2],
                pads: vec![(pad, pad); 2],
                groups: 2,
                layout,
            };
            suite.case(&format!("conv {c:?}"), |ctx| {
                let x = data(ctx, Scalar::F32, &image)?;
                let bias = data(ctx, Scalar::F32, &[34])?;
                ops::conv(&x, &data(ctx, Scalar::F32, &weights)?, Some(&bias), &c)
            })?;
        }
    }
    Ok(())
}

/// A matrix, every other column of a larger one or all of one. Not a transposed one: what turns tiles
/// by shuffles has false alarms, and cases of its own.
fn matrix(
    ctx: &Context,
    dtype: Scalar,
    [rows, columns]: [usize; 2],
    apart: bool,
) -> Result<Tensor> {
    match apart {
        true => data(ctx, dtype, &[rows, 2 * columns])?.slice(1, 0, i64::MAX, 2),
        false => data(ctx, dtype, &[rows, columns]),
    }
}
