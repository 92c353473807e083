//! The library of a plugin, behind `Device::blas`: the plugin in C multiplies f32, and says of the rest
//! that it does not.

use std::process::Command;
use suanzi_backends::vendor::{Gemm, Matrix};
use suanzi_backends::{Device, Error, Memory, plugin, registry};
use suanzi_codegen::Scalar;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn upload(device: &dyn Device, values: &[f32]) -> Memory {
    let memory = device.alloc(4 * values.len() as u64).unwrap();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    device.write(&memory, 0, &bytes).unwrap();
    memory
}

#[test]
fn a_plugins_library_is_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libc_plugin.so");
    let built = Command::new("cc")
        .args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fPIC",
            "-shared",
            "-o",
        ])
        .arg(&library)
        .args(["-I", &format!("{FOLDER}/abi/include")])
        .arg(format!("{FOLDER}/examples/c-plugin/plugin.c"))
        .arg("-ldl")
        .status();
    assert!(built.expect("a C compiler").success());
    plugin::add(&[library]);
    let device = registry::open("c:0").unwrap();
    let blas = device.blas().expect("it has a library");
    assert_eq!(blas.name(), "c 1");

    // C = 2 · A · B + 3 · C, with A transposed, B reversed by rows, and C with a pitch.
    let (m, n, k) = (3usize, 4usize, 5usize);
    let a: Vec<f32> = (0..m * k).map(|i| i as f32 - 4.0).collect();
    let b: Vec<f32> = (0..k * n).map(|i| 0.5 * i as f32).collect();
    let c: Vec<f32> = (0..m * 6).map(|i| i as f32).collect();
    let memory = [
        upload(&*device, &a),
        upload(&*device, &b),
        upload(&*device, &c),
    ];
    let matrix = |i: usize, offset: usize, row_stride: i64, col_stride: i64| Matrix {
        memory: &memory[i],
        offset: offset as u64,
        row_stride,
        col_stride,
    };
    let mut gemm = Gemm {
        dtype: Scalar::F32,
        m: m as u64,
        n: n as u64,
        k: k as u64,
        a: matrix(0, 0, 1, m as i64),
        b: matrix(1, (k - 1) * n, -(n as i64), 1),
        c: matrix(2, 1, 6, 1),
        alpha: 2.0,
        beta: 3.0,
    };
    assert!(blas.gemm(&gemm).unwrap());
    let mut bytes = vec![0; 4 * c.len()];
    device.read(&memory[2], 0, &mut bytes).unwrap();
    let got: Vec<f32> = bytes
        .chunks(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let mut expected = c.clone();
    for i in 0..m {
        for j in 0..n {
            let sum: f32 = (0..k).map(|l| a[l * m + i] * b[(k - 1 - l) * n + j]).sum();
            expected[1 + i * 6 + j] = 2.0 * sum + 3.0 * c[1 + i * 6 + j];
        }
    }
    assert_eq!(got, expected);

    // Of another dtype it does nothing, which is no error; outside of its memory nothing is done.
    gemm.dtype = Scalar::F64;
    gemm.m = 1;
    gemm.n = 1;
    gemm.k = 1;
    gemm.b = matrix(1, 0, 1, 1);
    assert!(!blas.gemm(&gemm).unwrap());
    gemm.c = matrix(2, 9, 1, 1);
    assert!(matches!(blas.gemm(&gemm), Err(Error::Invalid { .. })));
}
