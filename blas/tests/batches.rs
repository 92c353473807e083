//! Batches are as many launches as one problem is.

use suanzi_backends::Context;
use suanzi_blas::grouped::{Problem, gemm_grouped};
use suanzi_blas::solve::{self, Trans};
use suanzi_blas::{Diag, Matrix, Result, Side, Uplo, Vector, level2, level3};
use suanzi_ops::Tensor;

fn values(ctx: &Context, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|i| ((i * 37 + i / 7) % 11) as f32 - 5.0)
        .collect();
    Tensor::from_slice(ctx, shape, &values).unwrap()
}

fn matrices(ctx: &Context, batch: usize, m: usize, n: usize) -> Matrix {
    Matrix::real(&values(ctx, &[batch, m, n])).unwrap()
}

fn vectors(ctx: &Context, batch: usize, n: usize) -> Vector {
    Vector::real(&values(ctx, &[batch, n])).unwrap()
}

fn launches(ctx: &Context, call: impl FnOnce() -> Result<()>) -> usize {
    let (result, log) = ctx.trace(call);
    result.unwrap();
    log.len()
}

#[test]
fn a_batch_is_launched_once() {
    for device in ["cpu", "opencl:0", "vulkan:0"] {
        let Ok(ctx) = Context::open(device) else {
            continue;
        };
        let one_and_many = |name: &str, most: usize, call: &dyn Fn(usize) -> Result<()>| {
            let counts = [2, 50].map(|batch| launches(&ctx, || call(batch)));
            assert_eq!(counts[0], counts[1], "{name} on {device}");
            assert!(counts[0] <= most, "{name} on {device}: {counts:?}");
        };
        let m = |batch, m, n| matrices(&ctx, batch, m, n);
        let (lower, left) = (Uplo::Lower, Side::Left);
        one_and_many("gemm", 6, &|b| {
            level3::gemm(1.0, m(b, 7, 5), m(b, 5, 9), 0.0, &m(b, 7, 9))
        });
        one_and_many("gemv", 3, &|b| {
            level2::gemv(
                2.0,
                m(b, 7, 5),
                &vectors(&ctx, b, 5),
                1.0,
                &vectors(&ctx, b, 7),
            )
        });
        one_and_many("trsm", 40, &|b| {
            level3::trsm(left, lower, Diag::Unit, (1.0, &m(b, 9, 9)), &m(b, 9, 4))
        });
        one_and_many("getrf", 8, &|b| solve::getrf(&m(b, 9, 9)).map(drop));
        one_and_many("potrf", 8, &|b| solve::potrf(lower, &m(b, 9, 9)).map(drop));
        one_and_many("geqrf", 8, &|b| solve::geqrf(&m(b, 9, 7)).map(drop));
        one_and_many("geqrf in panels", 40, &|b| {
            solve::geqrf(&m(b, 70, 66)).map(drop)
        });
        one_and_many("ormqr", 24, &|b| {
            solve::ormqr(
                left,
                Trans::No,
                &m(b, 9, 5),
                &vectors(&ctx, b, 5),
                &m(b, 9, 3),
            )
        });
    }
}

/// Problems from one memory, at places that have no one distance, and of two sizes.
#[test]
fn a_list_of_problems_is_a_few_launches() {
    for device in ["cpu", "opencl:0", "vulkan:0"] {
        let Ok(ctx) = Context::open(device) else {
            continue;
        };
        let count = |problems: usize| {
            let [ta, tb, tc] = [1, 2, 3].map(|_| values(&ctx, &[problems * 100 + 100]));
            let at = |t: &Tensor, i: usize, [m, n]: [usize; 2]| {
                let place = i * 90 + i * i % 7;
                Matrix::real(&t.as_strided(&[m, n], &[n as i64, 1], place).unwrap()).unwrap()
            };
            let list: Vec<Problem> = (0..problems)
                .map(|i| {
                    let m = if i % 3 == 0 { 4 } else { 6 };
                    let (a, b) = (at(&ta, i, [m, 5]), at(&tb, i, [5, 7]));
                    Problem::new(1.0, &a, &b, 1.0, &at(&tc, i, [m, 7]))
                })
                .collect();
            let together = launches(&ctx, || gemm_grouped(&list));
            let got = tc.to_vec::<f32>().unwrap();
            let again = values(&ctx, &[problems * 100 + 100]);
            for i in 0..problems {
                let m = if i % 3 == 0 { 4 } else { 6 };
                let (a, b) = (at(&ta, i, [m, 5]), at(&tb, i, [5, 7]));
                level3::gemm(1.0, &a, &b, 1.0, &at(&again, i, [m, 7])).unwrap();
            }
            assert_eq!(got, again.to_vec::<f32>().unwrap(), "{device}");
            together
        };
        let counts = [count(9), count(60)];
        assert_eq!(counts[0], counts[1], "{device}");
        assert!(counts[0] <= 16, "{device}: {counts:?}");
    }
}
