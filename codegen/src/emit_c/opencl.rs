//! OpenCL C 1.2, with the newer subgroup extensions where a kernel uses them.

use super::dialect::*;
use crate::ir::{AtomicOp, SubgroupOp};
use crate::target::Support;

/// To f16 and back by way of memory: the built-ins are conversion instructions where a device has
/// them, and twice as fast on PoCL as rounding in integer arithmetic. Unaligned vectors are moved
/// as integers and converted in private memory too, because PoCL 3.1 compiles `vload_half8` and
/// its kin to instructions that fault on addresses which are not multiples of the vector.
const CONVERT_F16: &str = "\
inline ushort$n sz_to_half$n(float$n x) {
    ushort$n h;
    vstore_half$n_rte(x, 0, (__private half*)&h);
    return h;
}
inline float$n sz_from_half$n(ushort$n h) {
    return vload_half$n(0, (const __private half*)&h);
}
";

/// Compilers for CPUs with AVX-512 (PoCL's) turn `c ? constant : x` into a load under a mask. While no
/// lane ever takes the constant, the page that it lies in stays unmapped, and each such load costs
/// hundreds of cycles: 25 to 90 times the kernel's time, seen in remainders and guarded divisions. One
/// plain load per launch maps the page.
const TOUCH: &str = "\
#ifdef __AVX512F__
__constant uint sz_page = 1u;
#define SZ_TOUCH() if (get_global_id(0) == 0) (void)*(volatile __constant uint*)&sz_page
#else
#define SZ_TOUCH()
#endif
";

/// Stores past the caches, where a program is compiled with `-DSZ_STREAM` and the compiler knows
/// how. On PoCL they make `a + b` over arrays larger than the last-level cache 1.4 to 1.6 times as
/// fast, and slow down up to three times what fits the caches or is updated in place: so they are
/// for those who know the sizes, and off unless asked for.
const STREAM: &str = "\
#if defined(SZ_STREAM) && defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define SZ_STREAM_STORE(p, v) __builtin_nontemporal_store(v, p)
#endif
#endif
#ifndef SZ_STREAM_STORE
#define SZ_STREAM_STORE(p, v) (*(p) = (v))
#endif
";

/// Lanes of two vectors. Compilers turn a list of lanes into as many insertions where the built-in is
/// one or two instructions. `SZ_PLAIN` is for simulators that take lanes of the built-in for undefined
/// (oclgrind 21.10: lane 11).
const SHUFFLE: &str = "\
#if defined(__clang__) && !defined(SZ_PLAIN)
#define SZ_SHUFFLE$n(m, a, b, $i) __builtin_shufflevector(a, b, $i)
#else
#define SZ_SHUFFLE$n(m, a, b, $i) shuffle2(a, b, (m)($i))
#endif
";

/// Roundings to whole numbers. PoCL's `rint`, `floor` and `ceil` are some twenty instructions each
/// where the processor has one: a map of `floor` runs at half the speed of a copy. `SZ_PLAIN` is for
/// simulators that have the compiler's builtins and cannot run them.
const ROUND: &str = "\
#if defined(__has_builtin) && !defined(SZ_PLAIN)
#if __has_builtin(__builtin_elementwise_roundeven) && __has_builtin(__builtin_elementwise_floor)
#define SZ_RINT(x) __builtin_elementwise_roundeven(x)
#define SZ_FLOOR(x) __builtin_elementwise_floor(x)
#define SZ_CEIL(x) __builtin_elementwise_ceil(x)
#endif
#endif
#ifndef SZ_RINT
#define SZ_RINT(x) rint(x)
#define SZ_FLOOR(x) floor(x)
#define SZ_CEIL(x) ceil(x)
#endif
";

/// The table.
pub const OPENCL: Dialect = Dialect {
    name: "opencl",
    options: &[],
    options_exact_division: &["-cl-fp32-correctly-rounded-divide-sqrt"],
    preamble: &[
        (Need::F64, "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"),
        (
            Need::NativeF16,
            "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n",
        ),
        (
            Need::Atomic64,
            "#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable\n",
        ),
        (
            Need::ExtendedAtomic64,
            "#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable\n",
        ),
        (
            Need::Subgroups,
            "#pragma OPENCL EXTENSION cl_khr_subgroups : enable\n",
        ),
        (Need::Always, "#pragma OPENCL FP_CONTRACT OFF\n"),
        (Need::Always, TOUCH),
        (Need::Round, ROUND),
        (Need::ConvertF16, CONVERT_F16),
        (Need::Stream, STREAM),
        (Need::Shuffle, SHUFFLE),
    ],

    f16: Support::Storage,
    max_lanes: 16,

    kernel: "__kernel __attribute__((reqd_work_group_size($0, $1, $2)))\nvoid $k",
    prologue: "SZ_TOUCH();",
    read_buffer: "const __global $t* restrict $0",
    write_buffer: "__global $t* restrict $0",
    shared: "__local $t $0[$1] __attribute__((aligned(128)))",
    private: "$t $0[$1] __attribute__((aligned(128)))",
    spaces: ["__global ", "__local ", "__private "],
    unroll: "#pragma unroll",
    // Vectors are written out where they pay. A compiler that makes its own of a tail that runs a
    // few times takes twice as long for nothing.
    rolled: "#pragma clang loop vectorize(disable) interleave(disable)",
    barriers: [
        "barrier(CLK_LOCAL_MEM_FENCE);",
        "barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);",
    ],
    builtins: Builtins {
        global_id: "get_global_id($d)",
        local_id: "get_local_id($d)",
        group_id: "get_group_id($d)",
        num_groups: "get_num_groups($d)",
        subgroup_size: "get_sub_group_size()",
        subgroup_lane: "get_sub_group_local_id()",
        subgroup_id: "get_sub_group_id()",
    },

    types: [
        "bool", "char", "short", "int", "long", "uchar", "ushort", "uint", "ulong", "half",
        "ushort", "float", "double",
    ],
    native_f16: true,
    half: Half {
        memory: "half",
        array: "ushort",
        load: "vload_half($i, $p)",
        store: "vstore_half_rte($0, $i, $p);",
        round: "sz_from_half$n(sz_to_half$n($0))",
    },
    suffix64: "L",
    bitcasts: Bitcasts {
        ints: "as_$t($0)",
        from_f32: "as_$t($0)",
        to_f32: "as_$t($0)",
        from_f64: "as_$t($0)",
        to_f64: "as_$t($0)",
    },
    vectors: Some(&Vectors {
        compose: "($t)($0)",
        lane: "$0.s$1",
        shuffle: "SZ_SHUFFLE$n($0, $1, $2, $3)",
        convert: "convert_$t($0)",
        select: "select($2, $1, $0)",
        min: "min($0, $1)",
        max: "max($0, $1)",
        abs: "abs($0)",
        load: "vload$n(0, $p + $i)",
        load_aligned: "*(const $s$m$n*)($p + $i)",
        store: "vstore$n($0, 0, $p + $i);",
        store_aligned: "*($s$m$n*)($p + $i) = $0;",
        store_line: "SZ_STREAM_STORE(($s$m$n*)($p + $i), $0);",
        load_half: "sz_from_half$n(vload$n(0, (const $sushort*)($p + $i)))",
        load_half_aligned: "vloada_half$n(0, $p + $i)",
        store_half: "vstore$n(sz_to_half$n($0), 0, ($sushort*)($p + $i));",
        store_half_aligned: "vstorea_half$n_rte($0, 0, $p + $i);",
    }),

    math: Math {
        sqrt: "sqrt($0)",
        floor: "SZ_FLOOR($0)",
        ceil: "SZ_CEIL($0)",
        trunc: "trunc($0)",
        rint: "SZ_RINT($0)",
        abs: "fabs($0)",
        fma: "fma($0, $1, $2)",
    },
    mul_hi: ["mul_hi($0, $1)"; 4],
    popcount: ["popcount($0)"; 2],
    clz: ["clz($0)"; 2],
    intrinsics: &[
        ("native_exp", "exp($0)", "exp($0)"),
        ("native_exp2", "exp2($0)", "exp2($0)"),
        ("native_exp10", "exp10($0)", "exp10($0)"),
        ("native_expm1", "expm1($0)", "expm1($0)"),
        ("native_log", "log($0)", "log($0)"),
        ("native_log2", "log2($0)", "log2($0)"),
        ("native_log10", "log10($0)", "log10($0)"),
        ("native_log1p", "log1p($0)", "log1p($0)"),
        ("native_rsqrt", "rsqrt($0)", "rsqrt($0)"),
        ("native_cbrt", "cbrt($0)", "cbrt($0)"),
        ("native_sinh", "sinh($0)", "sinh($0)"),
        ("native_cosh", "cosh($0)", "cosh($0)"),
        ("native_tanh", "tanh($0)", "tanh($0)"),
        ("native_asinh", "asinh($0)", "asinh($0)"),
        ("native_acosh", "acosh($0)", "acosh($0)"),
        ("native_atanh", "atanh($0)", "atanh($0)"),
        ("native_sin", "sin($0)", "sin($0)"),
        ("native_cos", "cos($0)", "cos($0)"),
        ("native_tan", "tan($0)", "tan($0)"),
        ("native_sinpi", "sinpi($0)", "sinpi($0)"),
        ("native_cospi", "cospi($0)", "cospi($0)"),
        ("native_asin", "asin($0)", "asin($0)"),
        ("native_acos", "acos($0)", "acos($0)"),
        ("native_atan", "atan($0)", "atan($0)"),
        ("native_erf", "erf($0)", "erf($0)"),
        ("native_erfc", "erfc($0)", "erfc($0)"),
        ("native_lgamma", "lgamma($0)", "lgamma($0)"),
        ("native_tgamma", "tgamma($0)", "tgamma($0)"),
        ("native_hypot", "hypot($0, $1)", "hypot($0, $1)"),
        ("native_pow", "pow($0, $1)", "pow($0, $1)"),
        ("native_atan2", "atan2($0, $1)", "atan2($0, $1)"),
        ("native_recip", "($t)(1) / $0", "($t)(1) / $0"),
    ],

    atomics: &[
        (AtomicOp::Add, "atomic_add($p, $0)", "atom_add($p, $0)"),
        (AtomicOp::Min, "atomic_min($p, $0)", "atom_min($p, $0)"),
        (AtomicOp::Max, "atomic_max($p, $0)", "atom_max($p, $0)"),
        (AtomicOp::And, "atomic_and($p, $0)", "atom_and($p, $0)"),
        (AtomicOp::Or, "atomic_or($p, $0)", "atom_or($p, $0)"),
        (AtomicOp::Xor, "atomic_xor($p, $0)", "atom_xor($p, $0)"),
        (
            AtomicOp::Exchange,
            "atomic_xchg($p, $0)",
            "atom_xchg($p, $0)",
        ),
        (
            AtomicOp::CompareExchange,
            "atomic_cmpxchg($p, $1, $0)",
            "atom_cmpxchg($p, $1, $0)",
        ),
    ],
    subgroups: &[
        (SubgroupOp::Add, "sub_group_reduce_add($0)"),
        (SubgroupOp::Min, "sub_group_reduce_min($0)"),
        (SubgroupOp::Max, "sub_group_reduce_max($0)"),
        (SubgroupOp::ExclusiveAdd, "sub_group_scan_exclusive_add($0)"),
        (SubgroupOp::InclusiveAdd, "sub_group_scan_inclusive_add($0)"),
        (SubgroupOp::Broadcast, "sub_group_broadcast($0, $1)"),
        (SubgroupOp::Shuffle, "sub_group_shuffle($0, $1)"),
        (SubgroupOp::ShuffleXor, "sub_group_shuffle_xor($0, $1)"),
        (SubgroupOp::ShuffleDown, "sub_group_shuffle_down($0, $1)"),
        (SubgroupOp::All, "sub_group_all($0) != 0"),
        (SubgroupOp::Any, "sub_group_any($0) != 0"),
    ],
    fragments: None,
};
