//! Iluvatar CoreX: CUDA's names, in libraries with CUDA's names; subgroups of 64.

use super::nvidia::{CUBLAS, CUDNN, NVIDIA};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::COREX;

/// The table.
pub const ILUVATAR: Vendor = Vendor {
    name: "corex",
    title: "Iluvatar CoreX",
    install: "the CoreX SDK (its libcuda.so.1), and SUANZI_COREX_CC: no run-time compiler is known",
    devices: Devices::With(&["Iluvatar"]),
    label: Label::TableOnly,
    evidence: "2026-11-27: names of public documentation",
    dialect: &COREX,
    driver: Driver {
        libraries: &[
            "/usr/local/corex/lib64/libcuda.so.1",
            "/usr/local/corex/lib/libcuda.so.1",
            "libcuda.so.1",
        ],
        ..NVIDIA.driver
    },
    compiler: None,
    offline: "clang++ -x ivcore --cuda-device-only --cuda-gpu-arch=ivcore11 {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "cublas",
        libraries: &[
            "/usr/local/corex/lib64/libcublas.so",
            "/usr/local/corex/lib/libcublas.so",
        ],
        names: CUBLAS,
        operations: [0, 1],
        extended: None,
    }),
    dnn: Some(Dnn {
        engine: "cudnn",
        libraries: &["/usr/local/corex/lib64/libcudnn.so"],
        names: CUDNN,
        version: Some("cudnnGetVersion"),
        error_string: Some("cudnnGetErrorString"),
        // Its own header's were not seen.
        numbers: None,
    }),
};
