//! HIP C++ as HIPRTC and hipcc compile it: CUDA's table but for exchanges without masks, the
//! compiler's own `_Float16`, and what HIP lacks: signed 64-bit atomic extrema and portable
//! fragments.

use super::cuda::{CUDA, SCANS};
use super::dialect::*;

const INCLUDE: &str = "\
#ifndef __HIPCC_RTC__
#include <hip/hip_runtime.h>
#endif
";

const EXCHANGES: &str = "\
#define SZ_SHUFFLE(v, lane) __shfl(v, (int)(lane))
#define SZ_SHUFFLE_UP(v, by) __shfl_up(v, by)
#define SZ_SHUFFLE_DOWN(v, by) __shfl_down(v, by)
#define SZ_SHUFFLE_XOR(v, by) __shfl_xor(v, (int)(by))
#define SZ_ALL(v) __all(v)
#define SZ_ANY(v) __any(v)
";

/// ROCm gained the signed overloads late; a loop serves every version.
pub(super) const EXTREMA: &str = "\
template <class T> __device__ inline T sz_atomic_extremum(T* p, T v, bool larger) {
    unsigned long long* bits = (unsigned long long*)p;
    unsigned long long old = *bits, seen;
    do {
        seen = old;
        const T best = ((T)seen < v) == larger ? v : (T)seen;
        old = atomicCAS(bits, seen, (unsigned long long)best);
    } while (old != seen);
    return (T)old;
}
#define SZ_ATOMIC_MIN(p, v) sz_atomic_extremum(p, v, false)
#define SZ_ATOMIC_MAX(p, v) sz_atomic_extremum(p, v, true)
";

/// The table.
pub const HIP: Dialect = Dialect {
    name: "hip",
    options: &["-ffp-contract=off"],
    preamble: &[
        (Need::Always, INCLUDE),
        (Need::ExtendedAtomic64, EXTREMA),
        (Need::Subgroups, EXCHANGES),
        (Need::Subgroups, SCANS),
    ],
    half: Half {
        memory: "_Float16",
        array: "_Float16",
        load: "(float)$p[$i]",
        store: "$p[$i] = (_Float16)$0;",
        round: "(float)(_Float16)$0",
    },
    fragments: None,
    ..CUDA
};
