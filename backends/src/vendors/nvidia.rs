//! NVIDIA CUDA: the yardstick, whose names the others follow.

use crate::cudalike::library::{BlasNames, CompilerNames, DnnNames, DriverNames};
use crate::cudalike::table::*;
use suanzi_codegen::Scalar;
use suanzi_codegen::emit_c::CUDA;

/// The attributes, as others number them too.
pub const ATTRIBUTES: Attributes = Attributes {
    max_workgroup: Some(1),
    max_groups: [Some(5), Some(6), Some(7)],
    shared_bytes: Some(8),
    subgroup: Some(10),
    compute_units: Some(16),
    capability: [Some(75), Some(76)],
};

/// The status codes, as others number them too.
pub const CODES: Codes = Codes {
    out_of_memory: &[2],
    no_device: &[100, 101],
    resources: &[701],
    lost: &[214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999],
};

/// The driver's names.
pub const DRIVER: DriverNames = DriverNames {
    init: Some("cuInit"),
    version: Some("cuDriverGetVersion"),
    device_count: Some("cuDeviceGetCount"),
    device: Some("cuDeviceGet"),
    device_name: Some("cuDeviceGetName"),
    memory: Some("cuDeviceTotalMem_v2"),
    attribute: Some("cuDeviceGetAttribute"),
    retain: Some("cuDevicePrimaryCtxRetain"),
    set_current: Some("cuCtxSetCurrent"),
    alloc: Some("cuMemAlloc_v2"),
    free: Some("cuMemFree_v2"),
    copy_in: Some("cuMemcpyHtoDAsync_v2"),
    copy_out: Some("cuMemcpyDtoHAsync_v2"),
    copy_within: Some("cuMemcpyDtoDAsync_v2"),
    stream: Some("cuStreamCreate"),
    stream_destroy: Some("cuStreamDestroy_v2"),
    stream_wait: Some("cuStreamSynchronize"),
    event: Some("cuEventCreate"),
    event_record: Some("cuEventRecord"),
    event_wait: Some("cuEventSynchronize"),
    event_elapsed: Some("cuEventElapsedTime"),
    event_destroy: Some("cuEventDestroy_v2"),
    module: Some("cuModuleLoadData"),
    module_unload: Some("cuModuleUnload"),
    kernel: Some("cuModuleGetFunction"),
    launch: Some("cuLaunchKernel"),
    error_text: Some("cuGetErrorString"),
    ..DriverNames::UNKNOWN
};

/// cuBLAS' names.
pub const CUBLAS: BlasNames = BlasNames {
    create: Some("cublasCreate_v2"),
    destroy: Some("cublasDestroy_v2"),
    version: Some("cublasGetVersion_v2"),
    set_stream: Some("cublasSetStream_v2"),
    sgemm: Some("cublasSgemm_v2"),
    dgemm: Some("cublasDgemm_v2"),
    gemm_ex: Some("cublasGemmEx"),
};

/// cuBLAS' numbers for element kinds.
pub const EXTENDED: Extended = Extended {
    f16: 2,
    bf16: Some(14),
    compute_f32: 68,
    algorithm: -1,
};

/// cuDNN's names: its functions with descriptors, which versions 8 and 9 have.
pub const CUDNN: DnnNames = DnnNames {
    create: Some("cudnnCreate"),
    destroy: Some("cudnnDestroy"),
    set_stream: Some("cudnnSetStream"),
    tensor: Some("cudnnCreateTensorDescriptor"),
    tensor_set: Some("cudnnSetTensorNdDescriptor"),
    tensor_destroy: Some("cudnnDestroyTensorDescriptor"),
    filter: Some("cudnnCreateFilterDescriptor"),
    filter_set: Some("cudnnSetFilterNdDescriptor"),
    filter_destroy: Some("cudnnDestroyFilterDescriptor"),
    convolution: Some("cudnnCreateConvolutionDescriptor"),
    convolution_set: Some("cudnnSetConvolutionNdDescriptor"),
    convolution_groups: Some("cudnnSetConvolutionGroupCount"),
    convolution_math: Some("cudnnSetConvolutionMathType"),
    convolution_destroy: Some("cudnnDestroyConvolutionDescriptor"),
    workspace: Some("cudnnGetConvolutionForwardWorkspaceSize"),
    forward: Some("cudnnConvolutionForward"),
};

/// cuDNN's numbers, as its header has them.
pub const CUDNN_NUMBERS: DnnNumbers = DnnNumbers {
    f32: 0,
    f64: 1,
    f16: Some(2),
    bf16: Some(9),
    // NCHW, NHWC.
    formats: [0, 1],
    cross_correlation: 1,
    // FMA_MATH: the default takes TF32 for f32 from 8.0 on. TENSOR_OP_MATH.
    math: [3, 1],
    // IMPLICIT_PRECOMP_GEMM, IMPLICIT_GEMM.
    algorithms: &[1, 0],
    // NOT_SUPPORTED of version 8, and the group of version 9.
    unsupported: &[(9, 9), (3000, 3999)],
};

/// The table.
pub const NVIDIA: Vendor = Vendor {
    name: "cuda",
    title: "NVIDIA CUDA",
    install: "NVIDIA's driver (libcuda.so.1), and NVRTC of a CUDA toolkit (libnvrtc.so)",
    devices: Devices::Without(&["Iluvatar", "Denglin"]),
    label: Label::SimulatorVerified,
    evidence: "2026-11-27: the simulator ran the smoke profile, NVRTC 12.9 took all of its kernels (conformance/results/2026-11-27-vendors.md)",
    dialect: &CUDA,
    driver: Driver {
        libraries: &["libcuda.so.1", "libcuda.so"],
        names: DRIVER,
        attributes: ATTRIBUTES,
        copy_kinds: None,
        launch: [1, 2, 0],
        codes: CODES,
        error_string: None,
    },
    compiler: Some(Compiler {
        libraries: &[
            "libnvrtc.so.13",
            "libnvrtc.so.12",
            "libnvrtc.so.11.2",
            "libnvrtc.so",
            "/usr/local/cuda/lib64/libnvrtc.so",
        ],
        inside: false,
        names: CompilerNames {
            version: Some("nvrtcVersion"),
            create: Some("nvrtcCreateProgram"),
            compile: Some("nvrtcCompileProgram"),
            log_size: Some("nvrtcGetProgramLogSize"),
            log: Some("nvrtcGetProgramLog"),
            destroy: Some("nvrtcDestroyProgram"),
        },
        artifacts: &[
            Artifact {
                kind: Kind::Cubin,
                size: Some("nvrtcGetCUBINSize"),
                data: Some("nvrtcGetCUBIN"),
                arch: Arch::Always("--gpu-architecture=sm_$0"),
            },
            Artifact {
                kind: Kind::Ptx,
                size: Some("nvrtcGetPTXSize"),
                data: Some("nvrtcGetPTX"),
                arch: Arch::Always("--gpu-architecture=compute_$0"),
            },
        ],
        options: &["--std=c++17"],
        headers: Some(Headers {
            file: "mma.h",
            option: "--include-path=$0",
            variables: &["CUDA_HOME", "CUDA_PATH"],
            folders: &["/usr/local/cuda/include", "/usr/include"],
        }),
        fragments: &[
            (Scalar::F16, 70),
            (Scalar::I8, 72),
            (Scalar::U8, 72),
            (Scalar::Bf16, 80),
            (Scalar::F64, 80),
        ],
    }),
    offline: "nvcc -cubin -arch=sm_90 {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "cublas",
        libraries: &[
            "libcublas.so.13",
            "libcublas.so.12",
            "libcublas.so.11",
            "libcublas.so",
        ],
        names: CUBLAS,
        operations: [0, 1],
        extended: Some(EXTENDED),
    }),
    dnn: Some(Dnn {
        engine: "cudnn",
        libraries: &["libcudnn.so.9", "libcudnn.so.8", "libcudnn.so"],
        names: CUDNN,
        version: Some("cudnnGetVersion"),
        error_string: Some("cudnnGetErrorString"),
        numbers: Some(CUDNN_NUMBERS),
    }),
};
