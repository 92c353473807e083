//! What is wrong with a call is said with the routine and the argument, and changes nothing.

use num_complex::Complex64;
use proptest::prelude::*;
use suanzi_backends::Context;
use suanzi_blas::grouped::{Problem, gemm_grouped};
use suanzi_blas::solve::{self, Trans};
use suanzi_blas::{Diag, Form, Matrix, Operand, Result, Side, Uplo, Vector};
use suanzi_blas::{extension, level1, level2, level3};
use suanzi_ops::Tensor;

const I: Complex64 = Complex64::I;

/// Numbers from 1 on.
fn memory(ctx: &Context, n: usize) -> Tensor {
    let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
    Tensor::from_slice(ctx, &[n], &values).unwrap()
}

fn matrix(ctx: &Context, m: usize, n: usize) -> Matrix {
    Matrix::column_major(&memory(ctx, m * n + 1), [m, n], m.max(1), false).unwrap()
}

fn vector(ctx: &Context, n: usize) -> Vector {
    Vector::strided(&memory(ctx, n + 1), n, 1, false).unwrap()
}

/// Fails with all of the words, and leaves everything as it was.
fn refused(name: &str, words: &[&str], watched: &[&Tensor], call: impl FnOnce() -> Result<()>) {
    let read = || {
        watched
            .iter()
            .map(|t| t.read_bytes().unwrap())
            .collect::<Vec<_>>()
    };
    let before = read();
    let message = call().expect_err(name).to_string();
    for word in words {
        assert!(
            message.contains(word),
            "{name}: `{word}` is not in: {message}"
        );
    }
    assert_eq!(before, read(), "{name} changed something");
}

#[test]
fn views_that_leave_their_memory_are_refused() {
    let ctx = Context::open("cpu").unwrap();
    let t = memory(&ctx, 20);
    let view = |shape, ld, complex| Matrix::column_major(&t, shape, ld, complex).map(drop);
    refused(
        "ld",
        &["matrix", "leading dimension 3", "4 rows"],
        &[&t],
        || view([4, 2], 3, false),
    );
    refused("ld of nothing", &["leading dimension 0"], &[&t], || {
        view([0, 2], 0, false)
    });
    refused("memory", &["matrix", "22 elements"], &[&t], || {
        view([4, 4], 6, false)
    });
    refused("complex", &["matrix"], &[&t], || view([4, 3], 4, true));
    for large in [usize::MAX, i64::MAX as usize, 1 << 62] {
        refused("large ld", &["matrix"], &[&t], || view([4, 2], large, true));
        refused("large n", &["matrix"], &[&t], || view([1, large], 1, false));
        refused("large m", &["matrix"], &[&t], || {
            view([large, 1], large, false)
        });
    }
    let strided = |n, inc, complex| Vector::strided(&t, n, inc, complex).map(drop);
    refused("vector", &["vector", "20"], &[&t], || strided(11, 2, false));
    refused("backwards", &["vector"], &[&t], || strided(11, -2, false));
    for inc in [i64::MAX, i64::MIN, i64::MAX / 2] {
        refused("large inc", &["vector"], &[&t], || strided(3, inc, true));
        refused("large n", &["vector"], &[&t], || {
            strided(usize::MAX, inc, false)
        });
    }
    strided(10, -2, false).unwrap();
    strided(20, 0, false).unwrap();
    let band = matrix(&ctx, 4, 5);
    refused("band", &["band", "2 + 1 + 2"], &[&t], || {
        Operand::band(&band, 5, 2, 2).map(drop)
    });
    refused("large band", &["band"], &[&t], || {
        Operand::band(&band, 5, usize::MAX, 1).map(drop)
    });
    let packed = vector(&ctx, 9);
    let of = |n| Operand::packed(&packed, n, Form::Symmetric(Uplo::Lower)).map(drop);
    refused("packed", &["packed", "4 rows"], &[&t], || of(4));
    refused("large packed", &["packed"], &[&t], || of(usize::MAX));
    refused("general", &["packed", "general"], &[&t], || {
        Operand::packed(&packed, 2, Form::General).map(drop)
    });
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let ctx = Context::open("cpu").unwrap();
    let (a, b, c) = (matrix(&ctx, 3, 4), matrix(&ctx, 4, 5), matrix(&ctx, 3, 5));
    let (square, x, y) = (matrix(&ctx, 4, 4), vector(&ctx, 4), vector(&ctx, 3));
    let (l, n, left) = (Uplo::Lower, Diag::NonUnit, Side::Left);
    let all = [&a, &b, &c, &square].map(|m| m.tensor().clone());
    let watched: Vec<&Tensor> = all.iter().chain([x.tensor(), y.tensor()]).collect();
    let no = |name: &str, call: &dyn Fn() -> Result<()>| refused(name, &[name], &watched, call);
    no("gemm", &|| level3::gemm(1.0, &b, &a, 0.0, &c));
    no("gemm", &|| level3::gemm(I, &a, &b, 0.0, &c));
    no("gemm", &|| level3::gemm(1.0, &a, &b, I, &c));
    no("gemmt", &|| level3::gemmt(l, 1.0, &a, &b, 0.0, &c));
    no("symm", &|| level3::symm(left, l, (1.0, &a), &b, (0.0, &c)));
    no("hemm", &|| {
        level3::hemm(left, l, (1.0, &square), &a, (0.0, &c))
    });
    no("syrk", &|| level3::syrk(l, (1.0, &a), (0.0, &square)));
    no("herk", &|| level3::herk(l, (1.0, &a), (0.0, &c)));
    no("syr2k", &|| level3::syr2k(l, (1.0, &a, &b), (0.0, &square)));
    no("her2k", &|| level3::her2k(l, (1.0, &a, &a), (0.0, &square)));
    no("syrkx", &|| level3::syrkx(l, (1.0, &a, &b), (0.0, &square)));
    no("herkx", &|| level3::herkx(l, (1.0, &a, &a), (0.0, &square)));
    no("trmm", &|| level3::trmm(left, l, n, (1.0, &square), &a));
    no("trmm", &|| level3::trmm(left, l, n, (I, &square), &b));
    no("trsm", &|| level3::trsm(left, l, n, (1.0, &a), &b));
    no("trsm", &|| level3::trsm(left, l, n, (I, &square), &b));
    no("gemv", &|| level2::gemv(1.0, &a, &y, 0.0, &x));
    no("symv", &|| level2::symv(l, (1.0, &square), &y, (0.0, &x)));
    no("ger", &|| level2::ger(1.0, &x, &y, &a));
    no("syr", &|| level2::syr(l, 1.0, &y, &square));
    no("spr", &|| level2::spr(l, 1.0, &x, &y));
    no("spr2", &|| level2::spr2(l, 1.0, &x, &y, &x));
    no("trsm", &|| level2::trsv(l, n, &square, &y));
    no("axpby", &|| level1::axpby(1.0, &x, 1.0, &y));
    no("axpby", &|| level1::axpby(I, &x, 1.0, &vector(&ctx, 4)));
    no("scal", &|| level1::scal(I, &x));
    no("dot", &|| level1::dot(&x, &y).map(drop));
    no("rotg", &|| level1::rotg(&x, &y).map(drop));
    no("geam", &|| extension::geam(1.0, &a, 1.0, &b, &c));
    no("geam", &|| {
        extension::geam(I, &a, 1.0, &a, &matrix(&ctx, 3, 4))
    });
    no("omatcopy", &|| extension::omatcopy(1.0, &a, &c));
    no("imatcopy", &|| extension::imatcopy(1.0, a.t(), &a));
    no("dgmm", &|| {
        extension::dgmm(left, &a, &x, &matrix(&ctx, 3, 4))
    });
    no("gemm3m", &|| extension::gemm3m(1.0, &b, &a, 0.0, &c));
    no("potrf", &|| solve::potrf(l, &a).map(drop));
    no("getrs", &|| {
        let lu = solve::getrf(&matrix(&ctx, 4, 4))?;
        solve::getrs(Trans::No, &square, &lu.pivots, &a)
    });
    let tau = vector(&ctx, 5);
    no("ormqr", &|| solve::ormqr(left, Trans::No, &square, &x, &a));
    no("ormqr", &|| {
        solve::ormqr(left, Trans::No, &square, &tau, &b)
    });
    no("orgqr", &|| solve::orgqr(&a, &y));
    no("orgqr", &|| solve::orgqr(&square, &tau));
}

#[test]
fn results_that_overlap_operands_are_refused() {
    let ctx = Context::open("cpu").unwrap();
    let t = memory(&ctx, 100);
    // Blocks of a matrix whose columns are 10 apart.
    let whole = Matrix::column_major(&t, [10, 10], 10, false).unwrap();
    let block = |i: usize, j: usize| whole.block(i..i + 4, j..j + 4).unwrap();
    let (a, b, c) = (block(0, 0), block(0, 5), block(5, 0));
    let row = |i: usize, j: usize| {
        Vector::strided(
            &t.slice(0, (i + 10 * j) as i64, 100, 1).unwrap(),
            4,
            10,
            false,
        )
        .unwrap()
    };
    let (l, n, left) = (Uplo::Lower, Diag::NonUnit, Side::Left);
    let no = |words: &[&str], call: &dyn Fn() -> Result<()>| refused(words[0], words, &[&t], call);
    no(&["gemm", "C overlaps A"], &|| {
        level3::gemm(1.0, &a, &b, 0.0, &a)
    });
    no(&["gemm", "C overlaps A"], &|| {
        level3::gemm(1.0, &a, &b, 0.0, &a.t())
    });
    no(&["gemm", "C overlaps B"], &|| {
        level3::gemm(1.0, &a, &b, 0.0, &block(3, 6))
    });
    no(&["syrk", "C overlaps"], &|| {
        level3::syrk(l, (1.0, &a), (0.0, &block(1, 1)))
    });
    no(&["trmm", "B overlaps A"], &|| {
        level3::trmm(left, l, n, (1.0, &a), &block(1, 1))
    });
    no(&["trsm", "B overlaps A"], &|| {
        level3::trsm(left, l, n, (1.0, &a), &a)
    });
    no(&["gemv", "y overlaps A"], &|| {
        level2::gemv(1.0, &a, &row(9, 0), 0.0, &row(2, 0))
    });
    no(&["gemv", "y overlaps x"], &|| {
        level2::gemv(1.0, &a, &row(9, 0), 0.0, &row(9, 3))
    });
    no(&["ger", "A overlaps x"], &|| {
        level2::ger(1.0, &row(1, 1), &row(9, 0), &a)
    });
    no(&["axpby", "y overlaps x"], &|| {
        level1::axpy(1.0, &row(9, 0), &row(9, 2))
    });
    no(&["geam", "C overlaps A"], &|| {
        extension::geam(1.0, a.t(), 1.0, &b, &a)
    });
    no(&["dgmm", "C overlaps x"], &|| {
        extension::dgmm(left, &a, &row(2, 0), &a)
    });
    no(&["ormqr", "C overlaps A"], &|| {
        solve::ormqr(left, Trans::No, &a, &row(9, 0), &a)
    });
    let twice = t.as_strided(&[4, 4], &[1, 2], 0).unwrap();
    let twice = Matrix::real(&twice).unwrap();
    no(&["gemm", "elements of C lie in one place"], &|| {
        level3::gemm(1.0, &a, &b, 0.0, &twice)
    });
    no(&["gemm_grouped", "C", "problem 1"], &|| {
        gemm_grouped(&[
            Problem::new(1.0, &a, &b, 0.0, &c),
            Problem::new(1.0, &a, &b, 0.0, &a),
        ])
    });
    // Two problems of one result.
    no(&["gemm_grouped", "one place"], &|| {
        gemm_grouped(&[
            Problem::new(1.0, &a, &b, 0.0, &c),
            Problem::new(1.0, &a, &b, 0.0, &c),
        ])
    });
    level3::gemm(1.0, &a, &b, 0.0, &c).unwrap();
    extension::geam(2.0, &a, 1.0, &b, &a).unwrap();
}

/// A product in a column-major memory, with what surrounds it.
#[derive(Clone, Debug)]
struct Given {
    sizes: [usize; 3],
    turned: [bool; 3],
    pads: [usize; 3],
    factors: [i32; 2],
}

fn given() -> impl Strategy<Value = Given> {
    let sizes = [0usize..6, 0..6, 0..6];
    let turned = [any::<bool>(), any::<bool>(), any::<bool>()];
    let pads = [0usize..3, 0..3, 0..3];
    (sizes, turned, pads, [-2i32..3, -2..3]).prop_map(|(sizes, turned, pads, factors)| Given {
        sizes,
        turned,
        pads,
        factors,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn products_are_right_and_touch_nothing_else(g in given()) {
        let ctx = Context::open("cpu").unwrap();
        let [m, n, k] = g.sizes;
        let shapes = [[m, k], [k, n], [m, n]];
        let mut views = vec![];
        let mut memories = vec![];
        for (i, &[rows, columns]) in shapes.iter().enumerate() {
            let [rows, columns] = if g.turned[i] { [columns, rows] } else { [rows, columns] };
            let ld = rows.max(1) + g.pads[i];
            let t = memory(&ctx, ld * columns + 2);
            let view = Matrix::column_major(&t, [rows, columns], ld, false).unwrap();
            views.push(if g.turned[i] { view.t() } else { view });
            memories.push(t);
        }
        let at = |i: usize, row: usize, column: usize| -> usize {
            let t = views[i].tensor();
            (row as i64 * t.strides()[0] + column as i64 * t.strides()[1]) as usize
        };
        let value = |place: usize| (place + 1) as f32;
        let mut expected: Vec<f32> = (0..memories[2].numel()).map(value).collect();
        let [alpha, beta] = g.factors.map(|f| f as f32);
        for i in 0..m {
            for j in 0..n {
                let sum: f32 = (0..k).map(|p| value(at(0, i, p)) * value(at(1, p, j))).sum();
                let place = at(2, i, j);
                expected[place] = alpha * sum + beta * value(place);
            }
        }
        level3::gemm(f64::from(alpha), &views[0], &views[1], f64::from(beta), &views[2]).unwrap();
        prop_assert_eq!(memories[2].to_vec::<f32>().unwrap(), expected);
    }
}
