//! Triangles of several blocks, and of more steps than a piece of k: whole numbers, so that results are exact.

#[path = "../../ops/tests/common/mod.rs"]
mod common;

use common::devices;
use suanzi_backends::Context;
use suanzi_blas::level3::{syrk, trmm};
use suanzi_blas::{Diag, Matrix, Side, Uplo};
use suanzi_ops::Tensor;

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 + i / 7 + seed) % 7) as f32 - 3.0)
        .collect()
}

/// Rows by columns of numbers of so many parts, and its values.
fn matrix(
    ctx: &Context,
    shape: [usize; 2],
    parts: usize,
    seed: usize,
) -> (Matrix, Tensor, Vec<f32>) {
    let values = numbers(shape[0] * shape[1] * parts, seed);
    let [m, n] = shape;
    let (t, matrix);
    if parts == 2 {
        t = Tensor::from_slice(ctx, &[m, n, 2], &values).expect("a tensor");
        matrix = Matrix::complex(&t);
    } else {
        t = Tensor::from_slice(ctx, &[m, n], &values).expect("a tensor");
        matrix = Matrix::real(&t);
    }
    (matrix.expect("a matrix"), t, values)
}

fn number(values: &[f32], at: usize, parts: usize) -> [f32; 2] {
    match parts {
        2 => [values[2 * at], values[2 * at + 1]],
        _ => [values[at], 0.0],
    }
}

fn inside(uplo: Uplo, i: usize, j: usize) -> bool {
    match uplo {
        Uplo::Lower => i >= j,
        Uplo::Upper => i <= j,
    }
}

/// Σ over k of a(k) · b(k), where both are complex.
fn dot(k: usize, term: impl Fn(usize) -> ([f32; 2], [f32; 2])) -> [f32; 2] {
    (0..k)
        .map(term)
        .fold([0.0; 2], |[re, im], ([a, b], [c, d])| {
            [re + a * c - b * d, im + a * d + b * c]
        })
}

#[test]
fn triangular_factors_of_several_pieces_and_blocks() {
    const N: usize = 403;
    for ctx in devices() {
        for (parts, side, uplo) in [1, 2].into_iter().flat_map(|parts| {
            [Side::Left, Side::Right].into_iter().flat_map(move |side| {
                [Uplo::Lower, Uplo::Upper]
                    .into_iter()
                    .map(move |uplo| (parts, side, uplo))
            })
        }) {
            let left = matches!(side, Side::Left);
            let [m, n] = if left { [N, 5] } else { [5, N] };
            let (a, _, av) = matrix(&ctx, [N, N], parts, 1);
            let (b, out, bv) = matrix(&ctx, [m, n], parts, 2);
            trmm(side, uplo, Diag::NonUnit, (1.0, &a), &b).expect("a product");
            let got = out.to_vec::<f32>().expect("values");
            let a = |i: usize, j: usize| match inside(uplo, i, j) {
                true => number(&av, i * N + j, parts),
                false => [0.0; 2],
            };
            let b = |i: usize, j: usize| number(&bv, i * n + j, parts);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let expected = dot(N, |k| {
                    if left {
                        (a(i, k), b(k, j))
                    } else {
                        (b(i, k), a(k, j))
                    }
                });
                let got = number(&got, i * n + j, parts);
                let id = &ctx.device().info().id;
                assert_eq!(
                    got, expected,
                    "{id}, {parts} parts, left {left}, {uplo:?}: {i}, {j}"
                );
            }
        }
    }
}

#[test]
fn triangles_of_several_blocks() {
    const N: usize = 603;
    for ctx in devices() {
        for (parts, uplo) in [
            (1, Uplo::Lower),
            (1, Uplo::Upper),
            (2, Uplo::Lower),
            (2, Uplo::Upper),
        ] {
            let (a, _, av) = matrix(&ctx, [N, 3], parts, 1);
            let (c, out, cv) = matrix(&ctx, [N, N], parts, 2);
            syrk(uplo, (1.0, &a), (2.0, &c)).expect("a product");
            let got = out.to_vec::<f32>().expect("values");
            let a = |i: usize, k: usize| number(&av, i * 3 + k, parts);
            for (i, j) in (0..N).flat_map(|i| (0..N).map(move |j| (i, j))) {
                let old = number(&cv, i * N + j, parts);
                let [re, im] = dot(3, |k| (a(i, k), a(j, k)));
                let expected = match inside(uplo, i, j) {
                    true => [re + 2.0 * old[0], im + 2.0 * old[1]],
                    false => old,
                };
                let got = number(&got, i * N + j, parts);
                let id = &ctx.device().info().id;
                assert_eq!(got, expected, "{id}, {parts} parts, {uplo:?}: {i}, {j}");
            }
        }
    }
}
