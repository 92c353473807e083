//! The driver of CUDA-like devices over the simulator: each vendor's table, called by its names.
//!
//! Without the simulator's library the tests say that they did not run; with
//! `SUANZI_REQUIRE_DRIVERS=1` that is a failure.

#[path = "common/sampling.rs"]
mod sampling;

use sampling::{download, of_width, run, upload};
use std::sync::Arc;
use suanzi_backends::cudalike::simulated;
use suanzi_backends::vendor::{Gemm, Matrix};
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
