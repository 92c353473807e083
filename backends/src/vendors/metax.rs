//! MetaX MACA: HIP's manner under `mc`; arguments in one buffer alone; programs as bitcode.

use super::nvidia::CODES;
use crate::cudalike::library::{BlasNames, CompilerNames, DnnNames, DriverNames};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::MACA;

/// The table.
pub const METAX: Vendor = Vendor {
    name: "maca",
    title: "MetaX MACA",
    install: "the MACA SDK (libmcruntime.so; its run-time compiler is mcrtc)",
    devices: Devices::Any,
    label: Label::SimulatorVerified,
    evidence: "2026-11-27: the simulator ran the smoke profile (conformance/results/2026-11-27-vendors.md)",
    dialect: &MACA,
    driver: Driver {
        libraries: &["libmcruntime.so", "/opt/maca/lib/libmcruntime.so"],
        names: DriverNames {
            init: Some("mcInit"),
            version: Some("mcDriverGetVersion"),
            device_count: Some("mcGetDeviceCount"),
            device: Some("mcDeviceGet"),
            device_name: Some("mcDeviceGetName"),
            memory_info: Some("mcMemGetInfo"),
            attribute: Some("mcDeviceGetAttribute"),
            set_device: Some("mcSetDevice"),
            alloc: Some("mcMalloc"),
            free: Some("mcFree"),
            copy: Some("mcMemcpyAsync"),
            stream: Some("mcStreamCreateWithFlags"),
            stream_destroy: Some("mcStreamDestroy"),
            stream_wait: Some("mcStreamSynchronize"),
            event: Some("mcEventCreateWithFlags"),
            event_record: Some("mcEventRecord"),
            event_wait: Some("mcEventSynchronize"),
            event_elapsed: Some("mcEventElapsedTime"),
            event_destroy: Some("mcEventDestroy"),
            module: Some("mcModuleLoadData"),
            module_unload: Some("mcModuleUnload"),
            kernel: Some("mcModuleGetFunction"),
            launch: Some("mcModuleLaunchKernel"),
            ..DriverNames::UNKNOWN
        },
        // In the order of a public list of the names; the header's numbers were not seen.
        attributes: Attributes {
            max_workgroup: Some(0),
            max_groups: [Some(4), Some(5), Some(6)],
            shared_bytes: Some(7),
            subgroup: Some(9),
            compute_units: Some(16),
            capability: [Some(21), Some(22)],
        },
        // As in CUDA and HIP; not seen in MACA's header.
        copy_kinds: Some([1, 2, 3]),
        // As in HIP; not seen in MACA's header.
        launch: [1, 2, 3],
        codes: CODES,
        error_string: Some("mcGetErrorString"),
    },
    compiler: Some(Compiler {
        libraries: &["libmcrtc.so", "/opt/maca/lib/libmcrtc.so"],
        inside: true,
        names: CompilerNames {
            version: Some("mcrtcVersion"),
            create: Some("mcrtcCreateProgram"),
            compile: Some("mcrtcCompileProgram"),
            log_size: Some("mcrtcGetProgramLogSize"),
            log: Some("mcrtcGetProgramLog"),
            destroy: Some("mcrtcDestroyProgram"),
        },
        artifacts: &[Artifact {
            kind: Kind::Bitcode,
            size: Some("mcrtcGetBitcodeSize"),
            data: Some("mcrtcGetBitcode"),
            arch: Arch::WhereSet("--offload-arch=$0"),
        }],
        options: &["-x maca"],
        headers: None,
        fragments: &[],
    }),
    offline: "mxcc -x maca -device-obj {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "mcblas",
        libraries: &["libmcblas.so", "/opt/maca/lib/libmcblas.so"],
        names: BlasNames {
            create: Some("mcblasCreate"),
            destroy: Some("mcblasDestroy"),
            set_stream: Some("mcblasSetStream"),
            sgemm: Some("mcblasSgemm"),
            dgemm: Some("mcblasDgemm"),
            // `mcblasGemmEx` exists; the numbers that it takes are not known.
            ..BlasNames::UNKNOWN
        },
        operations: [0, 1],
        extended: None,
    }),
    dnn: Some(Dnn {
        engine: "mcdnn",
        libraries: &["libmcdnn.so", "/opt/maca/lib/libmcdnn.so"],
        // As public programs call them.
        names: DnnNames {
            create: Some("mcdnnCreate"),
            destroy: Some("mcdnnDestroy"),
            set_stream: Some("mcdnnSetStream"),
            tensor: Some("mcdnnCreateTensorDescriptor"),
            tensor_set: Some("mcdnnSetTensorNdDescriptor"),
            tensor_destroy: Some("mcdnnDestroyTensorDescriptor"),
            filter: Some("mcdnnCreateFilterDescriptor"),
            filter_set: Some("mcdnnSetFilterNdDescriptor"),
            filter_destroy: Some("mcdnnDestroyFilterDescriptor"),
            convolution: Some("mcdnnCreateConvolutionDescriptor"),
            convolution_set: Some("mcdnnSetConvolutionNdDescriptor"),
            convolution_groups: Some("mcdnnSetConvolutionGroupCount"),
            convolution_math: Some("mcdnnSetConvolutionMathType"),
            convolution_destroy: Some("mcdnnDestroyConvolutionDescriptor"),
            workspace: Some("mcdnnGetConvolutionForwardWorkspaceSize"),
            forward: Some("mcdnnConvolutionForward"),
        },
        version: Some("mcdnnGetVersion"),
        error_string: None,
        // The header's numbers were not seen.
        numbers: None,
    }),
};
