//! The driver of CUDA-like devices over the simulator: each vendor's table, called by its names.
//!
//! Without the simulator's library the tests say that they did not run; with
//! `SUANZI_REQUIRE_DRIVERS=1` that is a failure.

#[path = "common/sampling.rs"]
mod sampling;

use sampling::{download, of_width, run, upload};
use std::sync::Arc;
use suanzi_backends::cudalike::simulated;
use suanzi_backends::vendor::{Convolution, Gemm, Matrix, Strided};
use suanzi_backends::{Arg, Device, DeviceKind, Error, registry};
use suanzi_codegen::samples::{SAMPLES, sample};
use suanzi_codegen::{Builder, Scalar};

fn devices() -> Vec<Arc<dyn Device>> {
    let found = simulated::devices();
    let found = found.unwrap_or_else(|e| {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
        assert!(!required, "{e}");
        println!("did not run: {e}");
        vec![]
    });
    found
        .into_iter()
        .map(|d| Arc::new(d) as Arc<dyn Device>)
        .collect()
}

#[test]
fn every_vendor_has_every_width() {
    let devices = devices();
    if devices.is_empty() {
        return;
    }
    let ids: Vec<&str> = devices.iter().map(|d| d.info().id.as_str()).collect();
    for vendor in ["cuda", "hip", "musa", "maca"] {
        for width in [32, 64, 128] {
            let id = format!("sim:{vendor}@{width}");
            assert!(ids.contains(&id.as_str()), "{id} is none of {ids:?}");
            let device = registry::open(&id).expect("a device");
            assert_eq!(device.caps().subgroup, Some((width, width)));
            assert_eq!(device.caps().kind, DeviceKind::Gpu);
            // Never picked as if it were a GPU.
            assert!(device.caps().host);
        }
        let first = registry::open(&format!("sim:{vendor}")).expect("a device");
        assert_eq!(first.info().id, format!("sim:{vendor}@32"));
    }
    for wrong in [
        "sim:cuda@48",
        "sim:opencl",
        "sim:supa",
        "sim:cuda@x",
        "sim:0",
    ] {
        assert!(registry::open(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn samples_give_the_bits_that_the_interpreter_gives() {
    let cpu = registry::open("cpu").expect("the built-in device");
    for d in devices() {
        let (width, _) = d.caps().subgroup.expect("subgroups");
        let mut ran = vec![];
        for s in SAMPLES {
            let Some(got) = run(&*d, s) else {
                continue;
            };
            let expected = match s.name {
                "subgroups" => of_width(s, width),
                _ => run(&*cpu, s).expect("the interpreter runs everything"),
            };
            let id = &d.info().id;
            assert!(
                got == expected,
                "{id} {}: {got:?} is not {expected:?}",
                s.name
            );
            ran.push(s.name);
        }
        assert!(ran.contains(&"subgroups"), "{ran:?}");
        assert!(ran.len() >= SAMPLES.len() - 2, "only {ran:?}");
    }
}

/// Products of small whole numbers, whose sums are exact in any order.
#[test]
fn vendors_libraries_multiply() {
    let (m, n, k) = (5u64, 7, 6);
    let number = |i: u64| ((i * 7919) % 7) as f32 - 3.0;
    for d in devices() {
        let blas = d.blas().expect("a matrix library");
        let engine = d.info().id.replace("sim:", "").replace('@', " ");
        let engine = engine.split(' ').next().expect("a name");
        let expected = match engine {
            "cuda" => "cublas",
            "hip" => "hipblas",
            "musa" => "mublas",
            _ => "mcblas",
        };
        assert!(blas.name().starts_with(expected), "{}", blas.name());
        assert_eq!(blas.does(Scalar::F16), engine == "cuda");
        let values: Vec<f32> = (0..200).map(number).collect();
        // Each operand by rows and by columns, with room between; C in both orders.
        for layout in 0..8u32 {
            let by_rows = |bit: u32| layout >> bit & 1 == 0;
            let strides = |rows: u64, columns: u64, by_rows: bool| match by_rows {
                true => (columns as i64 + 1, 1),
                false => (1, rows as i64 + 2),
            };
            let [a, b, c] = [0; 3].map(|_| upload(&*d, &values));
            let matrix = |memory, rows, columns, bit| {
                let (row_stride, col_stride) = strides(rows, columns, by_rows(bit));
                Matrix {
                    memory,
                    offset: 3,
                    row_stride,
                    col_stride,
                }
            };
            let op = Gemm {
                dtype: Scalar::F32,
                m,
                n,
                k,
                a: matrix(&a, m, k, 0),
                b: matrix(&b, k, n, 1),
                c: matrix(&c, m, n, 2),
                alpha: 2.0,
                beta: -1.0,
            };
            assert!(blas.gemm(&op).expect("a product"));
            let got: Vec<f32> = download(&*d, &c);
            let at = |x: &Matrix<'_>, i: u64, j: u64| {
                (x.offset as i64 + i as i64 * x.row_stride + j as i64 * x.col_stride) as usize
            };
            let mut right = values.clone();
            for i in 0..m {
                for j in 0..n {
                    let products =
                        (0..k).map(|p| values[at(&op.a, i, p)] * values[at(&op.b, p, j)]);
                    let sum: f32 = products.sum();
                    right[at(&op.c, i, j)] = 2.0 * sum - values[at(&op.c, i, j)];
                }
            }
            assert_eq!(got, right, "{} layout {layout}", d.info().id);
        }
    }
}

/// Element (n, c, image…) of a tensor that may lie anywhere.
fn at(t: &Strided<'_>, place: &[usize]) -> usize {
    let steps = place.iter().zip(t.strides).map(|(&p, &s)| p as i64 * s);
    (t.offset as i64 + steps.sum::<i64>()) as usize
}

/// Strides of a shape whose channels are first or last.
fn strides(shape: &[usize], last: bool) -> Vec<i64> {
    let rank = shape.len();
    let order: Vec<usize> = match last {
        true => [0].into_iter().chain(2..rank).chain([1]).collect(),
        false => (0..rank).collect(),
    };
    let (mut strides, mut next) = (vec![0; rank], 1);
    for &axis in order.iter().rev() {
        strides[axis] = next;
        next *= shape[axis] as i64;
    }
    strides
}

/// Convolutions of whole numbers, whose sums are exact in any order; of 12 bits, so that arithmetic of
/// fewer is noticed.
#[test]
fn a_vendors_library_convolves() {
    let number = |i: usize| ((i * 7919) % 7) as f32 - 3.0;
    for d in devices().iter().filter(|d| d.dnn().is_none()) {
        assert!(!d.info().id.starts_with("sim:cuda"), "{}", d.info().id);
    }
    for d in devices()
        .iter()
        .filter(|d| d.info().id.starts_with("sim:cuda"))
    {
        let dnn = d.dnn().expect("a library of layers");
        assert_eq!(dnn.name(), "cudnn 90000");
        // Image, window, groups, zeros, strides, dilations.
        type Sizes<'a> = (&'a [usize], &'a [usize], usize, usize, usize, usize);
        let all: [Sizes<'_>; 5] = [
            (&[2, 4, 5, 6], &[6, 4, 3, 2], 1, 0, 1, 1),
            (&[1, 4, 7, 6], &[6, 2, 3, 3], 2, 1, 2, 1),
            (&[1, 2, 8, 9], &[3, 2, 2, 3], 1, 2, 1, 2),
            (&[2, 3, 11], &[4, 3, 3], 1, 1, 2, 1),
            (&[1, 2, 4, 5, 6], &[3, 2, 2, 3, 2], 1, 1, 1, 1),
        ];
        for ((x, w, groups, pad, stride, dilation), last) in all
            .into_iter()
            .flat_map(|sizes| [(sizes, false), (sizes, true)])
        {
            let axes = x.len() - 2;
            let places =
                (2..x.len()).map(|i| (x[i] + 2 * pad - (w[i] - 1) * dilation - 1) / stride + 1);
            let y: Vec<usize> = [x[0], w[0]].into_iter().chain(places).collect();
            let shapes = [x, w, &y];
            let all_strides = shapes.map(|shape| strides(shape, last));
            let values = [0, 1, 2].map(|i| {
                let length = shapes[i].iter().product::<usize>() + 3;
                let more = if i == 0 { 2049.0 } else { 0.0 };
                (0..length)
                    .map(|j| number(i + j) + more)
                    .collect::<Vec<f32>>()
            });
            let memory = [0, 1, 2].map(|i| upload(&**d, &values[i]));
            let tensor = |i: usize| Strided {
                memory: &memory[i],
                offset: 3,
                shape: shapes[i],
                strides: &all_strides[i],
            };
            let mut op = Convolution {
                dtype: Scalar::F32,
                x: tensor(0),
                w: tensor(1),
                y: tensor(2),
                pads: &vec![(pad, pad); axes],
                strides: &vec![stride; axes],
                dilations: &vec![dilation; axes],
                groups,
                alpha: 2.0,
                beta: -1.0,
            };
            assert!(dnn.convolution(&op).expect("a convolution"), "{x:?}");
            let mut right = values[2].clone();
            let count = |shape: &[usize]| shape.iter().product::<usize>();
            let place = |shape: &[usize], mut i: usize| {
                let mut place = vec![0; shape.len()];
                for (p, &n) in place.iter_mut().zip(shape).rev() {
                    (*p, i) = (i % n, i / n);
                }
                place
            };
            for i in 0..count(&y) {
                let p = place(&y, i);
                let mut sum = 0.0;
                for j in 0..count(&w[1..]) {
                    let q = place(&w[1..], j);
                    let channel = p[1] / (w[0] / groups) * w[1] + q[0];
                    let image = (0..axes)
                        .map(|a| (p[a + 2] * stride + q[a + 1] * dilation).wrapping_sub(pad));
                    let from: Vec<usize> = [p[0], channel].into_iter().chain(image).collect();
                    if from.iter().zip(x).all(|(p, n)| p < n) {
                        let weight = [&[p[1]][..], &q].concat();
                        sum += values[0][at(&op.x, &from)] * values[1][at(&op.w, &weight)];
                    }
                }
                let out = at(&op.y, &p);
                right[out] = 2.0 * sum - values[2][out];
            }
            let got: Vec<f32> = download(&**d, &memory[2]);
            assert_eq!(got, right, "{} {x:?} {w:?} last: {last}", d.info().id);

            // What descriptors cannot say, and what is no float.
            let uneven = vec![(pad, pad + 1); axes];
            let refused = Convolution {
                pads: &uneven,
                ..op
            };
            assert!(!dnn.convolution(&refused).expect("no error"));
            let flipped: Vec<i64> = all_strides[0].iter().map(|s| -s).collect();
            let (forwards, offset) = (op.x, values[0].len() as u64 - 1);
            op.x = Strided {
                offset,
                strides: &flipped,
                ..op.x
            };
            assert!(!dnn.convolution(&op).expect("no error"));
            op.x = forwards;
            op.dtype = Scalar::I32;
            assert!(!dnn.convolution(&op).expect("no error"));
            // Outside of its memory.
            op.dtype = Scalar::F32;
            op.y.offset = 4;
            assert!(matches!(dnn.convolution(&op), Err(Error::Invalid { .. })));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for d in devices() {
        let caps = d.caps();
        let Err(Error::OutOfMemory { bytes, .. }) = d.alloc(caps.memory_bytes + 1) else {
            panic!("{}: more than there is", d.info().id);
        };
        assert_eq!(bytes, caps.memory_bytes + 1);
        // The second half does not fit beside what is there: the driver says so, and goes on.
        let first = d.alloc(1 << 20).expect("memory");
        let Err(Error::OutOfMemory { what, .. }) = d.alloc(caps.memory_bytes) else {
            panic!("{}: more than is left", d.info().id);
        };
        assert!(
            what.contains("gave 2") && what.contains("libsuanzi_sim_shim"),
            "{what}"
        );
        drop(first);
        d.alloc(1 << 20).expect("memory");
        // Another device's memory.
        let other = registry::open("cpu").expect("the built-in device");
        let foreign = other.alloc(64).expect("memory");
        assert!(matches!(
            d.write(&foreign, 0, &[0]),
            Err(Error::Invalid { .. })
        ));
        let mut b = Builder::new("nothing", [1, 1, 1]);
        b.buffer("x", Scalar::U32, suanzi_codegen::ir::Access::ReadWrite);
        let program = d
            .compile(&b.finish().expect("valid"), None)
            .expect("a program");
        let launched = d.launch(&program.program, [1; 3], &[Arg::Buffer(&foreign)]);
        assert!(matches!(launched, Err(Error::Invalid { .. })));
    }
}

#[test]
fn binaries_are_taken_back() {
    let s = sample("reduce_tree").expect("a sample");
    let kernel = (s.kernel)().expect("a valid kernel");
    for d in devices() {
        let first = d.compile(&kernel, None).expect("a program");
        let binary = first.binary.expect("a binary");
        let again = d.compile(&kernel, Some(&binary)).expect("a program");
        assert_eq!(again.binary.as_ref(), Some(&binary));
        // A damaged one is compiled again.
        let mut bent = binary.clone();
        bent[40] ^= 1;
        let again = d.compile(&kernel, Some(&bent)).expect("a program");
        assert_eq!(again.binary.as_ref(), Some(&binary));
    }
}
