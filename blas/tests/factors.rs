//! Factorisations of several panels and strips, of either layout: the factors' product is the matrix, and what is no factor's is left.

#[path = "../../ops/tests/common/mod.rs"]
mod common;

use common::devices;
use num_complex::Complex64;
use suanzi_backends::Context;
use suanzi_blas::solve::{getrf, potrf};
use suanzi_blas::{Matrix, Uplo};
use suanzi_ops::Tensor;

/// Row by row.
struct Dense {
    n: usize,
    values: Vec<Complex64>,
}

impl Dense {
    fn new(m: usize, n: usize, f: impl Fn(usize, usize) -> Complex64) -> Dense {
        let values = (0..m * n).map(|at| f(at / n, at % n)).collect();
        Dense { n, values }
    }

    fn at(&self, i: usize, j: usize) -> Complex64 {
        self.values[i * self.n + j]
    }

    fn m(&self) -> usize {
        self.values.len() / self.n
    }

    fn t(&self) -> Dense {
        Dense::new(self.n, self.m(), |i, j| self.at(j, i))
    }

    /// On the device, its rows or its columns one after the other.
    fn send(&self, ctx: &Context, column_major: bool, complex: bool) -> Matrix {
        if column_major {
            return self.t().send(ctx, false, complex).t();
        }
        let parts = |x: &Complex64| [x.re as f32, x.im as f32];
        let shape = [self.m(), self.n, 2];
        if complex {
            let values: Vec<f32> = self.values.iter().flat_map(parts).collect();
            let t = Tensor::from_slice(ctx, &shape, &values).expect("a tensor");
            return Matrix::complex(&t).expect("a matrix");
        }
        let values: Vec<f32> = self.values.iter().map(|x| x.re as f32).collect();
        let t = Tensor::from_slice(ctx, &shape[..2], &values).expect("a tensor");
        Matrix::real(&t).expect("a matrix")
    }

    fn fetch(a: &Matrix) -> Dense {
        let values = a.tensor().to_vec::<f32>().expect("values");
        let values = values.chunks(1 + usize::from(a.is_complex()));
        let number = |x: &[f32]| Complex64::new(x[0].into(), x.get(1).map_or(0.0, |&im| im.into()));
        let values = values.map(number).collect();
        Dense { n: a.n(), values }
    }
}

/// Between -1/2 and 1/2.
fn random(i: usize, j: usize, complex: bool) -> Complex64 {
    let hash = |x: usize| {
        let x = (x as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / 16_777_216.0 - 0.5
    };
    let at = 2 * (i * 8191 + j);
    let im = if complex { hash(at + 1) } else { 0.0 };
    Complex64::new(hash(at).into(), im.into())
}

/// That sums of products are what they should be.
fn same(got: Complex64, wanted: Complex64, size: f64, what: std::fmt::Arguments<'_>) {
    let bound = size * 64.0 * f64::from(f32::EPSILON);
    assert!(
        (got - wanted).norm() <= bound,
        "{what}: {got}, not {wanted}"
    );
}

#[test]
fn choleskys_factors_multiply_to_the_matrix() {
    for (ctx, n) in devices()
        .into_iter()
        .flat_map(|c| [13, 77, 300].map(|n| (c.clone(), n)))
    {
        for case in 0..8 {
            let [complex, column_major, upper] = [1, 2, 4].map(|bit| case & bit != 0);
            let what = format!("{} n {n} case {case}", ctx.device().info().id);
            let inside = |i: usize, j: usize| if upper { i <= j } else { i >= j };
            let a = Dense::new(n, n, |i, j| match i == j {
                true => Complex64::new(n as f64 / 2.0, 0.0),
                false if i > j => random(i, j, complex),
                false => random(j, i, complex).conj(),
            });
            let nothing = Complex64::new(77.0, 0.0);
            let given = Dense::new(n, n, |i, j| if inside(i, j) { a.at(i, j) } else { nothing });
            let device = given.send(&ctx, column_major, complex);
            let uplo = if upper { Uplo::Upper } else { Uplo::Lower };
            let info = potrf(uplo, &device).expect("a factorisation");
            assert_eq!(info.to_vec::<i32>().expect("info"), [0], "{what}");
            let got = Dense::fetch(&device);
            // L, by rows.
            let l = |i: usize, k: usize| {
                if upper {
                    got.at(k, i).conj()
                } else {
                    got.at(i, k)
                }
            };
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                if !inside(i, j) {
                    assert_eq!(got.at(i, j), nothing, "{what}: row {i}, column {j}");
                } else if (i * 31 + j) % 7 == 0 {
                    let (i, j) = (i.max(j), i.min(j));
                    let terms = || (0..=j).map(|k| l(i, k) * l(j, k).conj());
                    let size = terms().map(|x| x.norm()).sum();
                    same(
                        terms().sum(),
                        a.at(i, j),
                        size,
                        format_args!("{what}: row {i}, column {j}"),
                    );
                }
            }
        }
    }
}

#[test]
fn pivoted_factors_multiply_to_the_matrix() {
    let sizes = [[7, 30], [90, 90], [300, 300], [420, 130], [130, 300]];
    for (ctx, [m, n]) in devices()
        .into_iter()
        .flat_map(|c| sizes.map(|s| (c.clone(), s)))
    {
        for case in 0..4 {
            let [complex, column_major] = [1, 2].map(|bit| case & bit != 0);
            let what = format!("{} {m} x {n} case {case}", ctx.device().info().id);
            let a = Dense::new(m, n, |i, j| random(i, j, complex));
            let device = a.send(&ctx, column_major, complex);
            let lu = getrf(&device).expect("a factorisation");
            assert_eq!(lu.info.to_vec::<i32>().expect("info"), [0], "{what}");
            let got = Dense::fetch(&device);
            let mut rows: Vec<usize> = (0..m).collect();
            for (i, pivot) in lu
                .pivots
                .to_vec::<i32>()
                .expect("pivots")
                .into_iter()
                .enumerate()
            {
                assert!(
                    pivot as usize > i && pivot as usize <= m,
                    "{what}: pivot {i} is {pivot}"
                );
                rows.swap(i, pivot as usize - 1);
            }
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                if i > j {
                    // |re| + |im| is what pivots are compared by.
                    assert!(got.at(i, j).norm() <= 1.5, "{what}: row {i}, column {j}");
                }
                if (i * 31 + j) % 7 == 0 {
                    let l = |k: usize| if k == i { Complex64::ONE } else { got.at(i, k) };
                    let terms = || (0..=i.min(j)).map(|k| l(k) * got.at(k, j));
                    let size = terms().map(|x| x.norm()).sum();
                    same(
                        terms().sum(),
                        a.at(rows[i], j),
                        size,
                        format_args!("{what}: row {i}, column {j}"),
                    );
                }
            }
        }
    }
}
