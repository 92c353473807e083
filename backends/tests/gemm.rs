//! The matrix library of the built-in device, against three loops.

use std::sync::Arc;
use suanzi_backends::vendor::{Gemm, Matrix};
use suanzi_backends::{Device, Memory, cpu};
use suanzi_codegen::Scalar;

/// Offset and strides of the three operands.
#[derive(Clone, Copy)]
struct Layout {
    offset: u64,
    row: i64,
    col: i64,
}

struct Case {
    size: [u64; 3],
    layouts: [Layout; 3],
    alpha: f64,
    beta: f64,
}

const ELEMENTS: usize = 4000;

fn upload(device: &dyn Device, data: &[f64], dtype: Scalar) -> Memory {
    let single: Vec<f32> = data.iter().map(|&x| x as f32).collect();
    let bytes: &[u8] = match dtype {
        Scalar::F64 => bytemuck::cast_slice(data),
        _ => bytemuck::cast_slice(&single),
    };
    let memory = device.alloc(bytes.len() as u64).unwrap();
    device.write(&memory, 0, bytes).unwrap();
    memory
}

fn download(device: &dyn Device, memory: &Memory, dtype: Scalar) -> Vec<f64> {
    let mut bytes = vec![0; memory.bytes as usize];
    device.read(memory, 0, &mut bytes).unwrap();
    match dtype {
        Scalar::F64 => bytemuck::pod_collect_to_vec(&bytes),
        _ => {
            let single: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            single.into_iter().map(f64::from).collect()
        }
    }
}

/// Small integers: every order of summation gives the same.
fn numbers(seed: usize) -> Vec<f64> {
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 17) as f64 - 8.0;
    (0..ELEMENTS).map(value).collect()
}

fn matrix(memory: &Memory, layout: Layout) -> Matrix<'_> {
    Matrix {
        memory,
        offset: layout.offset,
        row_stride: layout.row,
        col_stride: layout.col,
    }
}

fn at(layout: Layout, i: u64, j: u64) -> usize {
    (layout.offset as i64 + i as i64 * layout.row + j as i64 * layout.col) as usize
}

fn expected(case: &Case, a: &[f64], b: &[f64], c: &[f64]) -> Vec<f64> {
    let ([m, n, k], [la, lb, lc]) = (case.size, case.layouts);
    let mut out = c.to_vec();
    for i in 0..m {
        for j in 0..n {
            let products = (0..k).map(|l| a[at(la, i, l)] * b[at(lb, l, j)]);
            let old = match case.beta {
                0.0 => 0.0,
                beta => beta * c[at(lc, i, j)],
            };
            out[at(lc, i, j)] = case.alpha * products.sum::<f64>() + old;
        }
    }
    out
}

fn open() -> Arc<dyn Device> {
    cpu::open().unwrap()
}

fn check(case: &Case) {
    let device = open();
    let blas = device.blas().unwrap();
    let [la, lb, lc] = case.layouts;
    let [m, n, k] = case.size;
    for dtype in [Scalar::F32, Scalar::F64] {
        let (a, b, mut c) = (numbers(1), numbers(2), numbers(3));
        if case.beta == 0.0 {
            // Not to be read.
            c.fill(f64::NAN);
        }
        let memories = [&a, &b, &c].map(|data| upload(&*device, data, dtype));
        let done = blas.gemm(&Gemm {
            dtype,
            m,
            n,
            k,
            a: matrix(&memories[0], la),
            b: matrix(&memories[1], lb),
            c: matrix(&memories[2], lc),
            alpha: case.alpha,
            beta: case.beta,
        });
        assert!(done.unwrap(), "{dtype}: {:?}", case.size);
        let got = download(&*device, &memories[2], dtype);
        let want = expected(case, &a, &b, &c);
        let same = |(x, y): (&f64, &f64)| x == y || (x.is_nan() && y.is_nan());
        let wrong = got.iter().zip(&want).position(|pair| !same(pair));
        assert_eq!(wrong, None, "{dtype}: {:?}", case.size);
    }
}

const fn rows(offset: u64, ld: i64) -> Layout {
    Layout {
        offset,
        row: ld,
        col: 1,
    }
}

const fn cols(offset: u64, ld: i64) -> Layout {
    Layout {
        offset,
        row: 1,
        col: ld,
    }
}

#[test]
fn sizes_layouts_and_factors() {
    for size in [
        [1, 1, 1],
        [3, 5, 7],
        [16, 16, 16],
        [33, 31, 29],
        [40, 1, 40],
        [1, 40, 40],
    ] {
        for layouts in [
            [rows(0, 50), rows(3, 51), rows(7, 52)],
            [cols(0, 50), rows(1, 50), cols(2, 50)],
            [rows(5, 60), cols(0, 50), rows(0, 50)],
            [cols(9, 50), cols(8, 50), cols(7, 50)],
        ] {
            for (alpha, beta) in [(1.0, 0.0), (2.0, 1.0), (-1.0, 0.5), (0.0, 2.0)] {
                check(&Case {
                    size,
                    layouts,
                    alpha,
                    beta,
                });
            }
        }
    }
}

#[test]
fn empty_products_and_odd_strides() {
    let layouts = [rows(0, 50), rows(0, 50), rows(0, 50)];
    for (size, beta) in [
        ([4, 4, 0], 0.0),
        ([4, 4, 0], 2.0),
        ([0, 4, 4], 0.0),
        ([4, 0, 4], 1.0),
    ] {
        check(&Case {
            size,
            layouts,
            alpha: 1.0,
            beta,
        });
    }
    // Backwards, broadcast, and with steps in both directions.
    let backwards = Layout {
        offset: 3000,
        row: -50,
        col: -1,
    };
    let broadcast = Layout {
        offset: 4,
        row: 0,
        col: 1,
    };
    let stepped = Layout {
        offset: 0,
        row: 100,
        col: 3,
    };
    check(&Case {
        size: [20, 20, 20],
        layouts: [backwards, broadcast, stepped],
        alpha: 1.0,
        beta: 1.0,
    });
}

#[test]
fn bad_products_are_refused() {
    let device = open();
    let blas = device.blas().unwrap();
    let data = numbers(1);
    let [a, b, c] = [0; 3].map(|_| upload(&*device, &data, Scalar::F64));
    let plain = rows(0, 50);
    let good = || Gemm {
        dtype: Scalar::F64,
        m: 20,
        n: 20,
        k: 20,
        a: matrix(&a, plain),
        b: matrix(&b, plain),
        c: matrix(&c, plain),
        alpha: 1.0,
        beta: 0.0,
    };
    assert!(blas.gemm(&good()).unwrap());
    // Out of bounds: past the end, before the start, and by numbers that overflow.
    let far = [
        rows(3100, 50),
        rows(0, -50),
        rows(u64::MAX, 1),
        rows(0, i64::MAX),
        rows(0, i64::MIN),
    ];
    for layout in far {
        for which in 0..3 {
            let mut op = good();
            let operand = [&mut op.a, &mut op.b, &mut op.c];
            *operand.into_iter().nth(which).unwrap() = matrix(&a, layout);
            let error = blas.gemm(&op).unwrap_err().to_string();
            let name = ["matrix A", "matrix B", "matrix C"][which];
            assert!(error.contains(name) && error.contains("outside"), "{error}");
        }
    }
    let huge = Gemm {
        m: u64::MAX,
        ..good()
    };
    assert!(blas.gemm(&huge).is_err());
    // Not done here: kinds, results over operands, results over themselves.
    let integers = Gemm {
        dtype: Scalar::I32,
        ..good()
    };
    let in_place = Gemm {
        c: matrix(&a, plain),
        ..good()
    };
    let folded = Gemm {
        c: matrix(&c, rows(0, 1)),
        ..good()
    };
    for op in [integers, in_place, folded] {
        assert!(!blas.gemm(&op).unwrap());
    }
    // Apart in one buffer is fine.
    let apart = Gemm {
        c: matrix(&a, rows(2000, 50)),
        ..good()
    };
    assert!(blas.gemm(&apart).unwrap());
    let foreign = open().alloc(32_000).unwrap();
    let op = Gemm {
        b: matrix(&foreign, plain),
        ..good()
    };
    assert!(
        blas.gemm(&op)
            .unwrap_err()
            .to_string()
            .contains("another device")
    );
    device.sync().unwrap();
}
