//! Hygon DCU (DTK): AMD's HIP, under its own library name. AMD's own library serves too.

use super::nvidia::CODES;
use crate::cudalike::library::{BlasNames, CompilerNames, DriverNames};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::HIP;

/// The table.
pub const HYGON: Vendor = Vendor {
    name: "hip",
    title: "Hygon DCU (HIP)",
    install: "Hygon's DTK (libgalaxyhip.so.5), or AMD's ROCm (libamdhip64.so)",
    devices: Devices::Any,
    label: Label::SimulatorVerified,
    evidence: "2026-11-27: the simulator ran the smoke profile, HIPRTC 5.2 took all of its kernels (conformance/results/2026-11-27-vendors.md)",
    dialect: &HIP,
    driver: Driver {
        libraries: &[
            "libgalaxyhip.so.5",
            "libgalaxyhip.so",
            "libamdhip64.so.6",
            "libamdhip64.so.5",
            "libamdhip64.so",
        ],
        names: DriverNames {
            init: Some("hipInit"),
            version: Some("hipDriverGetVersion"),
            device_count: Some("hipGetDeviceCount"),
            device: Some("hipDeviceGet"),
            device_name: Some("hipDeviceGetName"),
            memory: Some("hipDeviceTotalMem"),
            attribute: Some("hipDeviceGetAttribute"),
            set_device: Some("hipSetDevice"),
            alloc: Some("hipMalloc"),
            free: Some("hipFree"),
            copy_in: Some("hipMemcpyHtoDAsync"),
            copy_out: Some("hipMemcpyDtoHAsync"),
            copy_within: Some("hipMemcpyDtoDAsync"),
            stream: Some("hipStreamCreateWithFlags"),
            stream_destroy: Some("hipStreamDestroy"),
            stream_wait: Some("hipStreamSynchronize"),
            event: Some("hipEventCreateWithFlags"),
            event_record: Some("hipEventRecord"),
            event_wait: Some("hipEventSynchronize"),
            event_elapsed: Some("hipEventElapsedTime"),
            event_destroy: Some("hipEventDestroy"),
            module: Some("hipModuleLoadData"),
            module_unload: Some("hipModuleUnload"),
            kernel: Some("hipModuleGetFunction"),
            launch: Some("hipModuleLaunchKernel"),
            ..DriverNames::UNKNOWN
        },
        // As of HIP 4.5: before, the numbers were others.
        attributes: Attributes {
            max_workgroup: Some(56),
            max_groups: [Some(29), Some(30), Some(31)],
            shared_bytes: Some(74),
            subgroup: Some(87),
            compute_units: Some(63),
            capability: [Some(23), Some(61)],
        },
        copy_kinds: None,
        launch: [1, 2, 3],
        codes: CODES,
        error_string: Some("hipGetErrorString"),
    },
    compiler: Some(Compiler {
        libraries: &["libhiprtc.so.6", "libhiprtc.so.5", "libhiprtc.so"],
        inside: true,
        names: CompilerNames {
            version: Some("hiprtcVersion"),
            create: Some("hiprtcCreateProgram"),
            compile: Some("hiprtcCompileProgram"),
            log_size: Some("hiprtcGetProgramLogSize"),
            log: Some("hiprtcGetProgramLog"),
            destroy: Some("hiprtcDestroyProgram"),
        },
        artifacts: &[Artifact {
            kind: Kind::CodeObject,
            size: Some("hiprtcGetCodeSize"),
            data: Some("hiprtcGetCode"),
            arch: Arch::WhereSet("--offload-arch=$0"),
        }],
        options: &[],
        headers: None,
        fragments: &[],
    }),
    offline: "hipcc --genco --offload-arch=gfx906 {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "hipblas",
        libraries: &["libhipblas.so.2", "libhipblas.so.0", "libhipblas.so"],
        names: BlasNames {
            create: Some("hipblasCreate"),
            destroy: Some("hipblasDestroy"),
            set_stream: Some("hipblasSetStream"),
            sgemm: Some("hipblasSgemm"),
            dgemm: Some("hipblasDgemm"),
            // Its element kinds changed their numbers between versions.
            ..BlasNames::UNKNOWN
        },
        operations: [111, 112],
        extended: None,
    }),
    // MIOpen (libMIOpen.so.1), which is called otherwise than cuDNN is.
    dnn: None,
};
