//! What BLAS says is not read is not: the corners of a band's storage, which belong to no element.

use suanzi_backends::Context;
use suanzi_blas::{Matrix, Operand, Uplo, Vector, level2};
use suanzi_ops::Tensor;

const N: usize = 6;

/// The storage of a band of ones, column by column, with NaN in the corners.
fn ones(ctx: &Context, m: usize, kl: usize, ku: usize, complex: bool) -> Operand {
    let (rows, parts) = (kl + ku + 1, 1 + usize::from(complex));
    let mut values: Vec<f32> = vec![];
    for j in 0..N {
        for row in 0..rows {
            // Element (j + row - ku, j).
            let inside = (ku..m + ku).contains(&(j + row));
            values.extend(
                [if inside { 1.0f32 } else { f32::NAN }, 0.0]
                    .iter()
                    .take(parts),
            );
        }
    }
    let shape = [&[N, rows][..], &[2][..parts - 1]].concat();
    let columns = Tensor::from_slice(ctx, &shape, &values).unwrap();
    let matrix = match complex {
        true => Matrix::complex(&columns).unwrap().t(),
        false => Matrix::real(&columns).unwrap().t(),
    };
    Operand::band(&matrix, m, kl, ku).unwrap()
}

fn vector(ctx: &Context, n: usize, complex: bool) -> Vector {
    let parts = 1 + usize::from(complex);
    let values: Vec<f32> = [1.0, 0.0][..parts].repeat(n);
    let shape = [&[n][..], &[2][..parts - 1]].concat();
    let tensor = Tensor::from_slice(ctx, &shape, &values).unwrap();
    match complex {
        true => Vector::complex(&tensor).unwrap(),
        false => Vector::real(&tensor).unwrap(),
    }
}

/// The real parts.
fn values(v: &Vector) -> Vec<f32> {
    let all: Vec<f32> = v.tensor().to_vec().unwrap();
    all.into_iter()
        .step_by(1 + usize::from(v.is_complex()))
        .collect()
}

/// How many elements of row `i` of an m by n matrix are in a band.
fn in_row(i: usize, n: usize, kl: usize, ku: usize) -> f32 {
    (0..n).filter(|&j| j + kl >= i && j <= i + ku).count() as f32
}

#[test]
fn corners_of_a_band_are_not_read() {
    let devices = ["cpu", "opencl:0", "vulkan:0"].map(Context::open);
    for ctx in devices.into_iter().flatten() {
        for complex in [false, true] {
            for (m, kl, ku) in [(6, 1, 2), (4, 0, 3), (9, 3, 0), (6, 7, 7)] {
                let a = ones(&ctx, m, kl, ku, complex);
                let (x, y) = (vector(&ctx, N, complex), vector(&ctx, m, complex));
                level2::gemv(1.0, &a, &x, 0.0, &y).unwrap();
                let rows: Vec<f32> = (0..m).map(|i| in_row(i, N, kl, ku)).collect();
                assert_eq!(values(&y), rows);
                let (x, y) = (vector(&ctx, m, complex), vector(&ctx, N, complex));
                level2::gemv(1.0, a.t(), &x, 0.0, &y).unwrap();
                let columns: Vec<f32> = (0..N).map(|j| in_row(j, m, ku, kl)).collect();
                assert_eq!(values(&y), columns);
            }
            for (uplo, kl, ku) in [(Uplo::Lower, 2, 0), (Uplo::Upper, 0, 2)] {
                let a = ones(&ctx, N, kl, ku, complex);
                let (x, y) = (vector(&ctx, N, complex), vector(&ctx, N, complex));
                level2::hemv(uplo, (1.0, &a), &x, (0.0, &y)).unwrap();
                let both: Vec<f32> = (0..N).map(|i| in_row(i, N, 2, 2)).collect();
                assert_eq!(values(&y), both);
            }
        }
    }
}
