//! Moore Threads MUSA: CUDA's driver under `mu`, with operations numbered as BLAS does.

use super::nvidia::{ATTRIBUTES, CODES};
use crate::cudalike::library::{BlasNames, CompilerNames, DriverNames};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::MUSA;

/// The table.
pub const MOORE_THREADS: Vendor = Vendor {
    name: "musa",
    title: "Moore Threads MUSA",
    install: "the MUSA driver (libmusa.so) and the MUSA toolkit (libmtrtc.so)",
    devices: Devices::Any,
    label: Label::SimulatorVerified,
    evidence: "2026-11-27: the simulator ran the smoke profile (conformance/results/2026-11-27-vendors.md)",
    dialect: &MUSA,
    driver: Driver {
        libraries: &[
            "libmusa.so.5",
            "libmusa.so.4",
            "libmusa.so.1",
            "libmusa.so",
            "/usr/local/musa/lib/libmusa.so",
        ],
        names: DriverNames {
            init: Some("muInit"),
            version: Some("muDriverGetVersion"),
            device_count: Some("muDeviceGetCount"),
            device: Some("muDeviceGet"),
            device_name: Some("muDeviceGetName"),
            memory: Some("muDeviceTotalMem_v2"),
            attribute: Some("muDeviceGetAttribute"),
            retain: Some("muDevicePrimaryCtxRetain"),
            set_current: Some("muCtxSetCurrent"),
            alloc: Some("muMemAlloc_v2"),
            free: Some("muMemFree_v2"),
            copy_in: Some("muMemcpyHtoDAsync_v2"),
            copy_out: Some("muMemcpyDtoHAsync_v2"),
            copy_within: Some("muMemcpyDtoDAsync_v2"),
            stream: Some("muStreamCreate"),
            stream_destroy: Some("muStreamDestroy_v2"),
            stream_wait: Some("muStreamSynchronize"),
            event: Some("muEventCreate"),
            event_record: Some("muEventRecord"),
            event_wait: Some("muEventSynchronize"),
            event_elapsed: Some("muEventElapsedTime"),
            event_destroy: Some("muEventDestroy_v2"),
            module: Some("muModuleLoadData"),
            module_unload: Some("muModuleUnload"),
            kernel: Some("muModuleGetFunction"),
            launch: Some("muLaunchKernel"),
            error_text: Some("muGetErrorString"),
            ..DriverNames::UNKNOWN
        },
        attributes: ATTRIBUTES,
        copy_kinds: None,
        launch: [1, 2, 0],
        codes: CODES,
        error_string: None,
    },
    compiler: Some(Compiler {
        libraries: &["libmtrtc.so", "/usr/local/musa/lib/libmtrtc.so"],
        inside: false,
        names: CompilerNames {
            version: Some("mtrtcVersion"),
            create: Some("mtrtcCreateProgram"),
            compile: Some("mtrtcCompileProgram"),
            log_size: Some("mtrtcGetProgramLogSize"),
            log: Some("mtrtcGetProgramLog"),
            destroy: Some("mtrtcDestroyProgram"),
        },
        // The getter has another name in older versions.
        artifacts: &[
            Artifact {
                kind: Kind::FatBinary,
                size: Some("mtrtcGetFatBinSize"),
                data: Some("mtrtcGetFatBin"),
                arch: Arch::WhereSet("--offload-arch=mp_$0"),
            },
            Artifact {
                kind: Kind::FatBinary,
                size: Some("mtrtcGetMUSASize"),
                data: Some("mtrtcGetMUSA"),
                arch: Arch::WhereSet("--offload-arch=mp_$0"),
            },
        ],
        options: &[],
        headers: None,
        fragments: &[],
    }),
    offline: "mcc --cuda-device-only --offload-arch=mp_22 {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "mublas",
        libraries: &["libmublas.so", "/usr/local/musa/lib/libmublas.so"],
        names: BlasNames {
            create: Some("mublasCreate"),
            destroy: Some("mublasDestroy"),
            set_stream: Some("mublasSetStream"),
            sgemm: Some("mublasSgemm"),
            dgemm: Some("mublasDgemm"),
            // `mublasGemmEx` exists; the numbers that it takes are not known.
            ..BlasNames::UNKNOWN
        },
        operations: [111, 112],
        extended: None,
    }),
    // mudnn is C++ alone.
    dnn: None,
};
