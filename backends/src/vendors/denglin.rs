//! Denglin: an emulation of CUDA 11.7 behind libraries of its own. Its run-time compiler, and whether
//! its library has the driver's functions, are not known: they are looked for by CUDA's names, and
//! what is missing is said.

use super::nvidia::{CUBLAS, CUDNN, NVIDIA};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::CUDALIKE;

/// The table.
pub const DENGLIN: Vendor = Vendor {
    name: "denglin",
    title: "Denglin",
    install: "the Denglin SDK (libcurt.so), and SUANZI_DENGLIN_CC: no run-time compiler is known",
    devices: Devices::Any,
    label: Label::TableOnly,
    evidence: "2026-11-27: names of public programs",
    dialect: &CUDALIKE,
    driver: Driver {
        libraries: &["libcurt.so"],
        ..NVIDIA.driver
    },
    compiler: None,
    offline: "dlcc -cubin {options} -o {out} {in}",
    // `libcublas.so` is NVIDIA's name too, and found only beside Denglin's own.
    blas: Some(Blas {
        engine: "cublas",
        libraries: &["libcublas.so"],
        names: CUBLAS,
        operations: [0, 1],
        extended: None,
    }),
    dnn: Some(Dnn {
        engine: "cudnn",
        libraries: &["libcudnn.so"],
        names: CUDNN,
        version: Some("cudnnGetVersion"),
        error_string: Some("cudnnGetErrorString"),
        // Its own header's were not seen.
        numbers: None,
    }),
};
