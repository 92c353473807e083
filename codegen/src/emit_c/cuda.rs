//! CUDA C++ as NVRTC and nvcc compile it. Only fragments need a header; f16 in memory is converted
//! by PTX, so that `cuda_fp16.h` need not be found at run time.

use super::dialect::*;
use crate::ir::{AtomicOp, SubgroupOp};
use crate::target::Support;
use crate::types::Scalar::*;

const HALF: &str = "\
__device__ inline float sz_from_half(unsigned short h) {
    float f;
    asm(\"cvt.f32.f16 %0, %1;\" : \"=f\"(f) : \"h\"(h));
    return f;
}
__device__ inline unsigned short sz_to_half(float f) {
    unsigned short h;
    asm(\"cvt.rn.f16.f32 %0, %1;\" : \"=h\"(h) : \"f\"(f));
    return h;
}
";

const EXTREMA: &str = "\
#define SZ_ATOMIC_MIN(p, v) atomicMin(p, v)
#define SZ_ATOMIC_MAX(p, v) atomicMax(p, v)
";

/// Exchanges with the mask of the subgroup's work-items: all of them take part, since subgroup
/// operations stand in uniform control flow, but the last subgroup of a group may not be full. A
/// subgroup wider than the mask is named by all of its bits.
pub(super) const EXCHANGES: &str = "\
#define SZ_SHUFFLE(v, lane) __shfl_sync(sz_mask(), v, lane)
#define SZ_SHUFFLE_UP(v, by) __shfl_up_sync(sz_mask(), v, by)
#define SZ_SHUFFLE_DOWN(v, by) __shfl_down_sync(sz_mask(), v, by)
#define SZ_SHUFFLE_XOR(v, by) __shfl_xor_sync(sz_mask(), v, by)
#define SZ_ALL(v) __all_sync(sz_mask(), v)
#define SZ_ANY(v) __any_sync(sz_mask(), v)
#define sz_mask() (0xffffffffu >> (31u - (sz_last() < 31u ? sz_last() : 31u)))
";

/// What dialects with exchanges alone make scans and reductions from. The scan ends in the last
/// work-item, whose sum is the reduction: this holds for a subgroup that is not full.
pub(super) const SCANS: &str = "\
__device__ inline unsigned int sz_linear() {
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}
__device__ inline unsigned int sz_lane() { return sz_linear() % warpSize; }
__device__ inline unsigned int sz_last() {
    const unsigned int rest = $gu - (sz_linear() - sz_lane());
    return (rest < warpSize ? rest : warpSize) - 1u;
}
struct sz_add { template <class T> __device__ T operator()(T a, T b) const { return a + b; } };
struct sz_min { template <class T> __device__ T operator()(T a, T b) const { return b < a ? b : a; } };
struct sz_max { template <class T> __device__ T operator()(T a, T b) const { return b > a ? b : a; } };
template <class T, class F> __device__ inline T sz_scan(T v, F f) {
    for (unsigned int by = 1; by < warpSize; by *= 2) {
        const T other = SZ_SHUFFLE_UP(v, by);
        if (sz_lane() >= by) v = f(other, v);
    }
    return v;
}
template <class T> __device__ inline T sz_exclusive(T v) {
    const T before = SZ_SHUFFLE_UP(sz_scan(v, sz_add()), 1);
    return sz_lane() == 0 ? T(0) : before;
}
template <class T, class F> __device__ inline T sz_reduce(T v, F f) {
    return SZ_SHUFFLE(sz_scan(v, f), sz_last());
}
";

/// The table.
pub const CUDA: Dialect = Dialect {
    name: "cuda",
    options: &[
        "--fmad=false",
        "--ftz=false",
        "--prec-div=true",
        "--prec-sqrt=true",
    ],
    options_exact_division: &[],
    preamble: &[
        (Need::Fragments, "#include <mma.h>\n"),
        (Need::F16, HALF),
        (Need::ExtendedAtomic64, EXTREMA),
        (Need::Subgroups, EXCHANGES),
        (Need::Subgroups, SCANS),
    ],

    f16: Support::Storage,
    max_lanes: 1,

    kernel: "extern \"C\" __global__ void __launch_bounds__($g) $k",
    prologue: "",
    read_buffer: "const $t* __restrict__ $0",
    write_buffer: "$t* __restrict__ $0",
    shared: "__shared__ __align__(16) $t $0[$1]",
    private: "$t $0[$1]",
    spaces: [""; 3],
    unroll: "#pragma unroll",
    rolled: "",
    barriers: ["__syncthreads();"; 2],
    builtins: Builtins {
        global_id: "blockIdx.$x * $0u + threadIdx.$x",
        local_id: "threadIdx.$x",
        group_id: "blockIdx.$x",
        num_groups: "gridDim.$x",
        subgroup_size: "warpSize",
        subgroup_lane: "sz_lane()",
        subgroup_id: "sz_linear() / warpSize",
    },

    types: [
        "bool",
        "signed char",
        "short",
        "int",
        "long long",
        "unsigned char",
        "unsigned short",
        "unsigned int",
        "unsigned long long",
        "__half",
        "unsigned short",
        "float",
        "double",
    ],
    native_f16: false,
    half: Half {
        memory: "unsigned short",
        array: "unsigned short",
        load: "sz_from_half($p[$i])",
        store: "$p[$i] = sz_to_half($0);",
        round: "sz_from_half(sz_to_half($0))",
    },
    suffix64: "LL",
    bitcasts: Bitcasts {
        ints: "($t)$0",
        from_f32: "($t)__float_as_uint($0)",
        to_f32: "__uint_as_float((unsigned int)$0)",
        from_f64: "($t)__double_as_longlong($0)",
        to_f64: "__longlong_as_double((long long)$0)",
    },
    vectors: None,

    math: Math {
        sqrt: "sqrt$f($0)",
        floor: "floor$f($0)",
        ceil: "ceil$f($0)",
        trunc: "trunc$f($0)",
        rint: "rint$f($0)",
        abs: "fabs$f($0)",
        fma: "fma$f($0, $1, $2)",
    },
    mul_hi: [
        "__mulhi($0, $1)",
        "__umulhi($0, $1)",
        "__mul64hi($0, $1)",
        "__umul64hi($0, $1)",
    ],
    popcount: [
        "($t)__popc((unsigned int)$0)",
        "($t)__popcll((unsigned long long)$0)",
    ],
    clz: ["($t)__clz((int)$0)", "($t)__clzll((long long)$0)"],
    intrinsics: &[
        ("native_exp", "__expf($0)", "exp($0)"),
        ("native_exp2", "exp2f($0)", "exp2($0)"),
        ("native_exp10", "__exp10f($0)", "exp10($0)"),
        ("native_expm1", "expm1f($0)", "expm1($0)"),
        ("native_log", "__logf($0)", "log($0)"),
        ("native_log2", "__log2f($0)", "log2($0)"),
        ("native_log10", "__log10f($0)", "log10($0)"),
        ("native_log1p", "log1pf($0)", "log1p($0)"),
        ("native_rsqrt", "rsqrtf($0)", "rsqrt($0)"),
        ("native_cbrt", "cbrtf($0)", "cbrt($0)"),
        ("native_sinh", "sinhf($0)", "sinh($0)"),
        ("native_cosh", "coshf($0)", "cosh($0)"),
        ("native_tanh", "tanhf($0)", "tanh($0)"),
        ("native_asinh", "asinhf($0)", "asinh($0)"),
        ("native_acosh", "acoshf($0)", "acosh($0)"),
        ("native_atanh", "atanhf($0)", "atanh($0)"),
        ("native_sin", "__sinf($0)", "sin($0)"),
        ("native_cos", "__cosf($0)", "cos($0)"),
        ("native_tan", "__tanf($0)", "tan($0)"),
        ("native_sinpi", "sinpif($0)", "sinpi($0)"),
        ("native_cospi", "cospif($0)", "cospi($0)"),
        ("native_asin", "asinf($0)", "asin($0)"),
        ("native_acos", "acosf($0)", "acos($0)"),
        ("native_atan", "atanf($0)", "atan($0)"),
        ("native_erf", "erff($0)", "erf($0)"),
        ("native_erfc", "erfcf($0)", "erfc($0)"),
        ("native_lgamma", "lgammaf($0)", "lgamma($0)"),
        ("native_tgamma", "tgammaf($0)", "tgamma($0)"),
        ("native_hypot", "hypotf($0, $1)", "hypot($0, $1)"),
        ("native_pow", "powf($0, $1)", "pow($0, $1)"),
        ("native_atan2", "atan2f($0, $1)", "atan2($0, $1)"),
        ("native_recip", "1.0f / $0", "1.0 / $0"),
    ],

    // Sums and bits of i64 go by the unsigned overloads, the only ones there are.
    atomics: &[
        (
            AtomicOp::Add,
            "atomicAdd($p, $0)",
            "($t)atomicAdd(($u*)$p, ($u)$0)",
        ),
        (AtomicOp::Min, "atomicMin($p, $0)", "SZ_ATOMIC_MIN($p, $0)"),
        (AtomicOp::Max, "atomicMax($p, $0)", "SZ_ATOMIC_MAX($p, $0)"),
        (
            AtomicOp::And,
            "atomicAnd($p, $0)",
            "($t)atomicAnd(($u*)$p, ($u)$0)",
        ),
        (
            AtomicOp::Or,
            "atomicOr($p, $0)",
            "($t)atomicOr(($u*)$p, ($u)$0)",
        ),
        (
            AtomicOp::Xor,
            "atomicXor($p, $0)",
            "($t)atomicXor(($u*)$p, ($u)$0)",
        ),
        (
            AtomicOp::Exchange,
            "atomicExch($p, $0)",
            "($t)atomicExch(($u*)$p, ($u)$0)",
        ),
        (
            AtomicOp::CompareExchange,
            "atomicCAS($p, $1, $0)",
            "($t)atomicCAS(($u*)$p, ($u)$1, ($u)$0)",
        ),
    ],
    subgroups: &[
        (SubgroupOp::Add, "($t)sz_reduce(($u)$0, sz_add())"),
        (SubgroupOp::Min, "sz_reduce($0, sz_min())"),
        (SubgroupOp::Max, "sz_reduce($0, sz_max())"),
        (SubgroupOp::ExclusiveAdd, "($t)sz_exclusive(($u)$0)"),
        (SubgroupOp::InclusiveAdd, "($t)sz_scan(($u)$0, sz_add())"),
        (SubgroupOp::Broadcast, "SZ_SHUFFLE($0, $1)"),
        (SubgroupOp::Shuffle, "SZ_SHUFFLE($0, $1)"),
        (SubgroupOp::ShuffleXor, "SZ_SHUFFLE_XOR($0, $1)"),
        (SubgroupOp::ShuffleDown, "SZ_SHUFFLE_DOWN($0, $1)"),
        (SubgroupOp::All, "SZ_ALL($0) != 0"),
        (SubgroupOp::Any, "SZ_ANY($0) != 0"),
    ],
    fragments: Some(&Fragments {
        shapes: &[
            (F16, F32, 16, 16, 16),
            (F16, F32, 32, 8, 16),
            (F16, F32, 8, 32, 16),
            (F16, F16, 16, 16, 16),
            (Bf16, F32, 16, 16, 16),
            (I8, I32, 16, 16, 16),
            (U8, I32, 16, 16, 16),
            (F64, F64, 8, 8, 4),
        ],
        elems: &[
            (F16, "half", "__float2half($0)"),
            (Bf16, "__nv_bfloat16", "__ushort_as_bfloat16($0)"),
            (F32, "float", "$0"),
            (F64, "double", "$0"),
            (I8, "signed char", "$0"),
            (U8, "unsigned char", "$0"),
            (I32, "int", "$0"),
        ],
        declare_factor: "nvcuda::wmma::fragment<nvcuda::wmma::$r, $m, $n, $k, $e, nvcuda::wmma::$l> $0;",
        declare_accumulator: "nvcuda::wmma::fragment<nvcuda::wmma::accumulator, $m, $n, $k, $e> $0;",
        roles: ["matrix_a", "matrix_b"],
        factor_layouts: ["row_major", "col_major"],
        accumulator_layouts: ["mem_row_major", "mem_col_major"],
        fill: "nvcuda::wmma::fill_fragment($0, $1);",
        load_factor: "nvcuda::wmma::load_matrix_sync($0, (const $e*)$p, (unsigned int)$1);",
        load_accumulator: "nvcuda::wmma::load_matrix_sync($0, (const $e*)$p, (unsigned int)$1, nvcuda::wmma::$l);",
        mul_add: "nvcuda::wmma::mma_sync($0, $1, $2, $0);",
        store: "nvcuda::wmma::store_matrix_sync(($e*)$p, $0, (unsigned int)$1, nvcuda::wmma::$l);",
    }),
};
