//! CUDA's kin: compilers that take CUDA C++ and are not NVIDIA's. CUDA's table without PTX, without
//! headers and without matrix fragments, so that it asks for no more than the language; and what
//! is known of each beyond.
//!
//! Not known for any of them, for want of their compilers: whether `_Float16` would do in place of
//! integer arithmetic, and how a mask names the work-items of a subgroup that is wider than it.

use super::cuda::{CUDA, EXCHANGES, SCANS};
use super::dialect::*;
use super::hip::EXTREMA;

/// f16 in memory by integer arithmetic; small numbers by exact scaling, and by a sum whose last
/// place is theirs.
const HALF: &str = "\
__device__ inline float sz_from_half(unsigned short h) {
    const unsigned int sign = (h & 0x8000u) << 16, body = h & 0x7fffu;
    if (body < 0x0400u) return __uint_as_float(sign | __float_as_uint((float)body * 5.9604644775390625e-8f));
    return __uint_as_float(sign | ((body << 13) + (body < 0x7c00u ? 0x38000000u : 0x70000000u)));
}
__device__ inline unsigned short sz_to_half(float f) {
    const unsigned int bits = __float_as_uint(f), body = bits & 0x7fffffffu;
    unsigned int h = (body - 0x38000000u + 0x0fffu + (body >> 13 & 1u)) >> 13;
    if (body > 0x7f800000u) h = 0x7e00u;
    else if (body >= 0x477ff000u) h = 0x7c00u;
    else if (body < 0x38800000u) h = __float_as_uint(__uint_as_float(body) + 0.5f) - 0x3f000000u;
    return (unsigned short)(bits >> 16 & 0x8000u | h);
}
";

/// CUDA's exchanges with masks of 64 bits, for subgroups of 64.
const EXCHANGES64: &str = "\
#define SZ_SHUFFLE(v, lane) __shfl_sync(sz_mask(), v, lane)
#define SZ_SHUFFLE_UP(v, by) __shfl_up_sync(sz_mask(), v, by)
#define SZ_SHUFFLE_DOWN(v, by) __shfl_down_sync(sz_mask(), v, by)
#define SZ_SHUFFLE_XOR(v, by) __shfl_xor_sync(sz_mask(), v, by)
#define SZ_ALL(v) __all_sync(sz_mask(), v)
#define SZ_ANY(v) __any_sync(sz_mask(), v)
#define sz_mask() (0xffffffffffffffffull >> (63u - (sz_last() < 63u ? sz_last() : 63u)))
";

/// What is like CUDA, with nothing known beyond.
pub const CUDALIKE: Dialect = Dialect {
    name: "cudalike",
    options: &["-ffp-contract=off"],
    preamble: &[
        (Need::F16, HALF),
        (Need::ExtendedAtomic64, EXTREMA),
        (Need::Subgroups, EXCHANGES),
        (Need::Subgroups, SCANS),
    ],
    fragments: None,
    ..CUDA
};

/// Moore Threads: `mcc`, MTRTC. Subgroups of 32 or of 128, and masks of 32 bits.
pub const MUSA: Dialect = Dialect {
    name: "musa",
    ..CUDALIKE
};

/// MetaX: `mxcc`, MCRTC. Subgroups of 64.
pub const MACA: Dialect = Dialect {
    name: "maca",
    preamble: WIDE,
    ..CUDALIKE
};

/// Iluvatar: clang for `ivcore`. Subgroups of 64.
pub const COREX: Dialect = Dialect {
    name: "corex",
    preamble: WIDE,
    ..CUDALIKE
};

/// Biren.
pub const SUPA: Dialect = Dialect {
    name: "supa",
    ..CUDALIKE
};

const WIDE: &[(Need, &str)] = &[
    (Need::F16, HALF),
    (Need::ExtendedAtomic64, EXTREMA),
    (Need::Subgroups, EXCHANGES64),
    (Need::Subgroups, SCANS),
];
