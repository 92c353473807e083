// What CUDA-like sources are compiled against on the simulator: the language's own names, over a table
// of calls into the simulator. It stands in front of every source and includes nothing, so that a
// kernel compiles in a tenth of a second.

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __constant__ static const
#define __align__(n) __attribute__((aligned(n)))
// A work-group runs on one thread from its start to its end.
#define __shared__ static thread_local
#define __launch_bounds__(...)
// HIP's own header is not needed.
#define __HIPCC_RTC__ 1

struct uint3 { unsigned int x, y, z; };
typedef uint3 dim3;
typedef decltype(sizeof(0)) size_t;

// The identity of a work-item. src/group.rs has the same layout.
struct sz_item {
    uint3 thread, block, block_dim, grid_dim;
    int width;
    unsigned int linear;
};

// The simulator, as kernels call it. src/group.rs has the same layout.
struct sz_host {
    // The running work-item; the same pointer for as long as it runs.
    const sz_item* (*current)(void) __attribute__((const));
    // Waits for every work-item of the group.
    void (*barrier)(const char* name, int line);
    // Waits for every work-item of the subgroup, and leaves a value for them to see. The mask must
    // name the subgroup's work-items, or be zero.
    void (*exchange)(const char* name, int line, unsigned long long mask, unsigned long long value);
    // The value that a lane of the subgroup left; one's own for lanes that do not exist.
    unsigned long long (*peer)(unsigned int lane);
    // How many lanes the subgroup has here: the last one of a group may have fewer than its width.
    unsigned int (*lanes)(void);
    // Ends the launch with an error.
    void (*fault)(const char* what, int line);
};
extern "C" __attribute__((visibility("default"))) const sz_host* sz_the_host = 0;

#define threadIdx (sz_the_host->current()->thread)
#define blockIdx (sz_the_host->current()->block)
#define blockDim (sz_the_host->current()->block_dim)
#define gridDim (sz_the_host->current()->grid_dim)
#define warpSize (sz_the_host->current()->width)

// How a kernel is entered: its arguments are unpacked by its own parameters' types, each at its
// natural alignment.

template <class... T> struct sz_types {};
template <class F> __forceinline__ void sz_apply(const F& f, const unsigned char*, unsigned long, sz_types<>) { f(); }
template <class F, class T, class... Rest>
__forceinline__ void sz_apply(const F& f, const unsigned char* args, unsigned long at, sz_types<T, Rest...>) {
    at = (at + alignof(T) - 1) / alignof(T) * alignof(T);
    const T value = *(const T*)(args + at);
    sz_apply([&](Rest... rest) { f(value, rest...); }, args, at + sizeof(T), sz_types<Rest...>());
}
constexpr unsigned long sz_size(unsigned long at, sz_types<>) { return at; }
template <class T, class... Rest> constexpr unsigned long sz_size(unsigned long at, sz_types<T, Rest...>) {
    return sz_size((at + alignof(T) - 1) / alignof(T) * alignof(T) + sizeof(T), sz_types<Rest...>());
}
template <class... T> constexpr unsigned long sz_args(void (*)(T...)) { return sz_size(0, sz_types<T...>()); }
template <class... T> __forceinline__ void sz_enter(void (*kernel)(T...), const unsigned char* args) {
    sz_apply(kernel, args, 0, sz_types<T...>());
}

// What the simulator finds a kernel by. src/module.rs has the same layout.
struct sz_kernel {
    void (*enter)(const unsigned char* args);
    unsigned long args;
    unsigned long most;
};
#define SZ_KERNEL(name, most) \
    extern "C" void sz_enter_##name(const unsigned char* args) { sz_enter(&name, args); } \
    extern "C" __attribute__((visibility("default"))) const sz_kernel sz_kernel_##name; \
    const sz_kernel sz_kernel_##name = {sz_enter_##name, sz_args(&name), most};

// Barriers and fences.

#define __syncthreads() sz_the_host->barrier("__syncthreads", __LINE__)
#define __syncwarp(...) sz_the_host->exchange("__syncwarp", __LINE__, sz_named(__VA_ARGS__), 0)
constexpr unsigned long long sz_named(unsigned long long mask = 0) { return mask; }
#define __threadfence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define __threadfence_block() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define __threadfence_system() __atomic_thread_fence(__ATOMIC_SEQ_CST)

// Exchanges within a subgroup.

template <class T> inline unsigned long long sz_bits(T v) {
    static_assert(sizeof(T) <= 8, "exchanges are of at most 64 bits");
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &v, sizeof(T));
    return bits;
}
template <class T> inline T sz_unbits(unsigned long long bits) {
    T v;
    __builtin_memcpy(&v, &bits, sizeof(T));
    return v;
}
// `part`: the width of the segments that an exchange stays in, a power of two.
template <class T> inline T sz_exchange(const char* name, int line, unsigned long long mask, T v, unsigned int lane) {
    sz_the_host->exchange(name, line, mask, sz_bits(v));
    return sz_unbits<T>(sz_the_host->peer(lane));
}
inline unsigned int sz_own() { return sz_the_host->current()->linear % (unsigned int)sz_the_host->current()->width; }
inline unsigned int sz_within(unsigned int part) { return sz_own() & (part - 1); }
inline unsigned int sz_part(int part) { return (unsigned int)(part > 0 ? part : warpSize); }
template <class T> inline T sz_shfl(const char* name, int line, unsigned long long mask, T v, int lane, int part = 0) {
    const unsigned int p = sz_part(part);
    return sz_exchange(name, line, mask, v, (sz_own() & ~(p - 1)) | ((unsigned int)lane & (p - 1)));
}
template <class T> inline T sz_shfl_up(const char* name, int line, unsigned long long mask, T v, unsigned int by, int part = 0) {
    return sz_exchange(name, line, mask, v, sz_within(sz_part(part)) >= by ? sz_own() - by : sz_own());
}
template <class T> inline T sz_shfl_down(const char* name, int line, unsigned long long mask, T v, unsigned int by, int part = 0) {
    const unsigned int p = sz_part(part);
    return sz_exchange(name, line, mask, v, by < p && sz_within(p) + by < p ? sz_own() + by : sz_own());
}
template <class T> inline T sz_shfl_xor(const char* name, int line, unsigned long long mask, T v, int by, int part = 0) {
    const unsigned int p = sz_part(part), other = sz_own() ^ (unsigned int)by;
    return sz_exchange(name, line, mask, v, (other & ~(p - 1)) == (sz_own() & ~(p - 1)) ? other : sz_own());
}
inline unsigned int sz_votes(const char* name, int line, unsigned long long mask, bool yes) {
    sz_the_host->exchange(name, line, mask, yes);
    unsigned int votes = 0;
    for (unsigned int lane = 0; lane < sz_the_host->lanes(); lane++) votes += (unsigned int)sz_the_host->peer(lane);
    return votes;
}
inline unsigned long long sz_ballot(const char* name, int line, unsigned long long mask, bool yes) {
    sz_the_host->exchange(name, line, mask, yes);
    unsigned long long ballot = 0;
    for (unsigned int lane = 0; lane < sz_the_host->lanes() && lane < 64; lane++) ballot |= sz_the_host->peer(lane) << lane;
    return ballot;
}
#define __shfl_sync(mask, ...) sz_shfl("__shfl_sync", __LINE__, mask, __VA_ARGS__)
#define __shfl_up_sync(mask, ...) sz_shfl_up("__shfl_up_sync", __LINE__, mask, __VA_ARGS__)
#define __shfl_down_sync(mask, ...) sz_shfl_down("__shfl_down_sync", __LINE__, mask, __VA_ARGS__)
#define __shfl_xor_sync(mask, ...) sz_shfl_xor("__shfl_xor_sync", __LINE__, mask, __VA_ARGS__)
#define __all_sync(mask, v) (int)(sz_votes("__all_sync", __LINE__, mask, (v) != 0) == sz_the_host->lanes())
#define __any_sync(mask, v) (int)(sz_votes("__any_sync", __LINE__, mask, (v) != 0) != 0)
#define __ballot_sync(mask, v) (unsigned int)sz_ballot("__ballot_sync", __LINE__, mask, (v) != 0)
#define __shfl(...) sz_shfl("__shfl", __LINE__, 0, __VA_ARGS__)
#define __shfl_up(...) sz_shfl_up("__shfl_up", __LINE__, 0, __VA_ARGS__)
#define __shfl_down(...) sz_shfl_down("__shfl_down", __LINE__, 0, __VA_ARGS__)
#define __shfl_xor(...) sz_shfl_xor("__shfl_xor", __LINE__, 0, __VA_ARGS__)
#define __all(v) (int)(sz_votes("__all", __LINE__, 0, (v) != 0) == sz_the_host->lanes())
#define __any(v) (int)(sz_votes("__any", __LINE__, 0, (v) != 0) != 0)
#define __ballot(v) sz_ballot("__ballot", __LINE__, 0, (v) != 0)

// Atomics, for the overloads that CUDA has and no other.

template <class T, class F> inline T sz_update(T* p, F f) {
    T old = *p, next;
    do next = f(old);
    while (!__atomic_compare_exchange(p, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
#define SZ_ATOMICS(T) \
    inline T atomicAdd(T* p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); } \
    inline T atomicExch(T* p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); } \
    inline T atomicCAS(T* p, T compare, T v) { \
        __atomic_compare_exchange_n(p, &compare, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED); \
        return compare; \
    }
#define SZ_ATOMIC_BITS(T) \
    inline T atomicAnd(T* p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); } \
    inline T atomicOr(T* p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); } \
    inline T atomicXor(T* p, T v) { return __atomic_fetch_xor(p, v, __ATOMIC_RELAXED); }
#define SZ_ATOMIC_EXTREMA(T) \
    inline T atomicMin(T* p, T v) { return sz_update(p, [=](T old) { return v < old ? v : old; }); } \
    inline T atomicMax(T* p, T v) { return sz_update(p, [=](T old) { return v > old ? v : old; }); }
SZ_ATOMICS(int) SZ_ATOMICS(unsigned int) SZ_ATOMICS(unsigned long long)
SZ_ATOMIC_BITS(int) SZ_ATOMIC_BITS(unsigned int) SZ_ATOMIC_BITS(unsigned long long)
SZ_ATOMIC_EXTREMA(int) SZ_ATOMIC_EXTREMA(unsigned int)
SZ_ATOMIC_EXTREMA(long long) SZ_ATOMIC_EXTREMA(unsigned long long)
inline int atomicSub(int* p, int v) { return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED); }
inline unsigned int atomicSub(unsigned int* p, unsigned int v) { return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED); }
inline float atomicAdd(float* p, float v) { return sz_update(p, [=](float old) { return old + v; }); }
inline double atomicAdd(double* p, double v) { return sz_update(p, [=](double old) { return old + v; }); }

// Bits and integers.

inline int __float_as_int(float v) { return sz_unbits<int>(sz_bits(v)); }
inline unsigned int __float_as_uint(float v) { return sz_unbits<unsigned int>(sz_bits(v)); }
inline float __int_as_float(int v) { return sz_unbits<float>(sz_bits(v)); }
inline float __uint_as_float(unsigned int v) { return sz_unbits<float>(sz_bits(v)); }
inline long long __double_as_longlong(double v) { return sz_unbits<long long>(sz_bits(v)); }
inline double __longlong_as_double(long long v) { return sz_unbits<double>(sz_bits(v)); }
inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
inline unsigned int __umulhi(unsigned int a, unsigned int b) { return (unsigned int)((unsigned long long)a * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline int __popc(unsigned int v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz((unsigned int)v) : 32; }
inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }

// f16 in memory, and the PTX that the CUDA dialect converts it with: src/source.rs turns
// `asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h))` into `f = sz_ptx_cvt_f32_f16(h)`.

inline float sz_ptx_cvt_f32_f16(unsigned short h) { return (float)sz_unbits<_Float16>(h); }
inline unsigned short sz_ptx_cvt_rn_f16_f32(float f) { return (unsigned short)sz_bits((_Float16)f); }

// Functions of floats: the C library's, by their own names.

#define SZ_LIBM1(name) extern "C" float name##f(float); extern "C" double name(double);
#define SZ_LIBM2(name) extern "C" float name##f(float, float); extern "C" double name(double, double);
SZ_LIBM1(sqrt) SZ_LIBM1(cbrt) SZ_LIBM1(floor) SZ_LIBM1(ceil) SZ_LIBM1(trunc) SZ_LIBM1(rint) SZ_LIBM1(fabs)
SZ_LIBM1(exp) SZ_LIBM1(exp2) SZ_LIBM1(exp10) SZ_LIBM1(expm1) SZ_LIBM1(log) SZ_LIBM1(log2) SZ_LIBM1(log10)
SZ_LIBM1(log1p) SZ_LIBM1(sin) SZ_LIBM1(cos) SZ_LIBM1(tan) SZ_LIBM1(asin) SZ_LIBM1(acos) SZ_LIBM1(atan)
SZ_LIBM1(sinh) SZ_LIBM1(cosh) SZ_LIBM1(tanh) SZ_LIBM1(asinh) SZ_LIBM1(acosh) SZ_LIBM1(atanh)
SZ_LIBM1(erf) SZ_LIBM1(erfc) SZ_LIBM1(lgamma) SZ_LIBM1(tgamma)
SZ_LIBM2(pow) SZ_LIBM2(atan2) SZ_LIBM2(hypot) SZ_LIBM2(fmod) SZ_LIBM2(fmin) SZ_LIBM2(fmax) SZ_LIBM2(copysign)
extern "C" float fmaf(float, float, float);
extern "C" double fma(double, double, double);
inline float rsqrtf(float x) { return (float)(1.0 / sqrt((double)x)); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
// Exact multiples of a quarter turn are taken off before pi is multiplied.
inline double sz_sinpi(double x) {
    const double r = fmod(x, 2.0), n = rint(2 * r), t = (r - n / 2) * 3.14159265358979323846;
    switch ((int)n & 3) {
    case 0: return sin(t);
    case 1: return cos(t);
    case 2: return -sin(t);
    default: return -cos(t);
    }
}
inline double sz_cospi(double x) {
    const double r = fmod(x, 2.0), n = rint(2 * r), t = (r - n / 2) * 3.14159265358979323846;
    switch ((int)n & 3) {
    case 0: return cos(t);
    case 1: return -sin(t);
    case 2: return -cos(t);
    default: return sin(t);
    }
}
inline double sinpi(double x) { return sz_sinpi(x); }
inline double cospi(double x) { return sz_cospi(x); }
inline float sinpif(float x) { return (float)sz_sinpi(x); }
inline float cospif(float x) { return (float)sz_cospi(x); }
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
#define __powf powf
