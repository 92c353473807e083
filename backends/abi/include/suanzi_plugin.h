/* Suanzi's plugin ABI: how a device outside of Suanzi's own tree is brought to it.
 *
 * A plugin is a shared library with one symbol, suanzi_plugin_get. It returns a table of functions,
 * which this library calls, and which need nothing of this library: the header is all that a plugin is
 * built against. docs/plugins.md is the long version; backends/examples/c-plugin is a whole plugin.
 *
 * Sizes. Every structure begins with its size in bytes. Later versions add fields at the end, and
 * neither side touches what lies beyond the size that the other one wrote. Whoever allocates a
 * structure sets its size: the plugin for its table, this library for everything else. A plugin
 * that fills a structure in (suanzi_caps) leaves the size alone.
 *
 * Ownership. The table, and text in it, live as long as the process: a plugin is never unloaded. Text
 * that a plugin returns of a device lives until the device is closed, except last_error's. Devices,
 * programs, plans and memory are the plugin's, and are given back by close, program_release,
 * plan_release and mem_free, each exactly once, devices last. Whatever this library passes in is its
 * own, and is read only during the call.
 *
 * Threads. Calls come from any thread, but never two at a time for one device, nor two at a time for
 * the table's functions without a device. Calls for two devices may come at once.
 *
 * Order. A device is one queue, in order: what was asked first is done first, or at least looks so.
 * write, copy, launch, run and mem_free may return before they are done; write has taken its data
 * when it returns. read and sync wait for everything before them. program_release and plan_release may
 * come while a launch or a run is still on its way: the plugin keeps what that needs.
 *
 * Errors. Functions return a suanzi_status; after anything but SUANZI_OK, last_error says in words
 * what happened. The error of something that was recorded may be returned by any later call. After
 * SUANZI_LOST the device is closed, and nothing else is asked of it. A plugin does not throw, exit or
 * print.
 */
#ifndef SUANZI_PLUGIN_H
#define SUANZI_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. Changes when a plugin for an older one can no longer be served. */
#define SUANZI_PLUGIN_ABI 1u

typedef int32_t suanzi_status;
enum {
    SUANZI_OK = 0,
    SUANZI_INVALID = 1,       /* an argument that does not fit; nothing was done */
    SUANZI_UNSUPPORTED = 2,   /* the device or its library does not do this */
    SUANZI_OUT_OF_MEMORY = 3, /* there may be enough after something was freed */
    SUANZI_COMPILE = 4,       /* the compiler refused a source; last_error is its log */
    SUANZI_FAULT = 5,         /* a kernel went wrong while it ran; the device is usable */
    SUANZI_LOST = 6,          /* the device no longer answers */
    SUANZI_FAILED = 7         /* anything else */
};

/* Kinds of elements and of scalar arguments. */
typedef uint32_t suanzi_dtype;
enum {
    SUANZI_BOOL = 0, SUANZI_I8 = 1, SUANZI_I16 = 2, SUANZI_I32 = 3, SUANZI_I64 = 4,
    SUANZI_U8 = 5, SUANZI_U16 = 6, SUANZI_U32 = 7, SUANZI_U64 = 8,
    SUANZI_F16 = 9, SUANZI_BF16 = 10, SUANZI_F32 = 11, SUANZI_F64 = 12
};

typedef struct suanzi_device suanzi_device;   /* the plugin's own */
typedef struct suanzi_program suanzi_program; /* the plugin's own: one compiled kernel */
typedef struct suanzi_plan suanzi_plan;       /* the plugin's own: one operation of its library */

/* Memory of a device: an address, or any number but 0 that stands for it. Nothing is ever added to
 * it. Memory is aligned for any element, to 256 bytes at best. */
typedef uint64_t suanzi_memory;

/* Whether work is cut for many weak lanes (work-groups of hundreds, neighbouring items on
 * neighbouring elements) or for few strong cores that vectorise (small work-groups). */
enum { SUANZI_KIND_GPU = 0, SUANZI_KIND_CPU = 1 };

enum {
    SUANZI_HAS_F64 = 1 << 0,
    SUANZI_HAS_F16 = 1 << 1,            /* arithmetic, not only memory, and the dialect can print it */
    SUANZI_HAS_FMA = 1 << 2,            /* the dialect's fma is rounded once */
    SUANZI_HAS_ATOMIC64 = 1 << 3,
    SUANZI_HAS_DENORMALS = 1 << 4,      /* f32 denormals survive arithmetic */
    SUANZI_HAS_EXACT_DIVISION = 1 << 5, /* f32 and f64 division and square root round correctly */
    SUANZI_HAS_FRAGMENTS = 1 << 6,      /* every matrix fragment that the dialect lists */
    SUANZI_IS_HOST = 1 << 7             /* runs on the host's processor: never chosen by default */
};

/* What a device is and can do. */
typedef struct suanzi_caps {
    size_t size;
    const char *name;      /* of the device, UTF-8 */
    const char *driver;    /* name and version: compiled programs of another one are not used */
    const char *dialect;   /* "cuda", "hip", "opencl", or TOML: a base and its exceptions */
    uint64_t memory_bytes;
    uint64_t max_alloc;    /* largest single allocation */
    uint32_t kind;         /* SUANZI_KIND_... */
    uint32_t flags;        /* SUANZI_HAS_..., SUANZI_IS_... */
    uint32_t compute_units;
    uint32_t max_workgroup;  /* work-items of a group */
    uint32_t max_groups[3];  /* groups along each axis of a launch */
    uint32_t shared_bytes;   /* shared memory of a group */
    uint32_t subgroup_min;   /* widths that a subgroup may have; both 0 where there are none */
    uint32_t subgroup_max;
} suanzi_caps;

/* A parameter of a kernel, and where it lies in the packed arguments. */
typedef struct suanzi_param {
    size_t size;
    const char *name;
    suanzi_dtype dtype; /* of the scalar, or of a buffer's elements */
    uint32_t is_buffer; /* then the argument is the suanzi_memory, 8 bytes */
    uint32_t written;   /* the kernel may write the buffer */
    uint32_t offset;    /* bytes from the start of the arguments */
    uint32_t bytes;     /* of the argument: 8, or the scalar's own (a bool's is 1) */
} suanzi_param;

/* A kernel to compile. */
typedef struct suanzi_source {
    size_t size;
    const char *name;            /* the kernel's, as it stands in the text */
    const char *text;            /* in the device's dialect, ends with 0 */
    const char *const *options;  /* the dialect's, as many as option_count */
    size_t option_count;
    const suanzi_param *params;  /* in order, as many as param_count, each of the size it says */
    size_t param_count;
    size_t args_bytes;           /* of the packed arguments */
    uint32_t workgroup[3];       /* work-items of a group along each axis: always these */
    uint32_t shared_bytes;       /* that the text declares */
    const void *binary;          /* what program_binary gave for this very text and driver, or NULL; */
    size_t binary_bytes;         /* a binary that does not fit is ignored, not refused */
} suanzi_source;

/* Operations of a vendor's own library, in two calls: plan, then run as often as one likes. Tensors
 * are given at plan as shapes, and at run as memory, in the order that the operation names. The last
 * one is written; of convolutions and elementwise functions it shares memory with no other. */
enum { SUANZI_MAX_AXES = 8 };

/* A tensor: element (i, j, ...) is at offset + i * strides[0] + j * strides[1] + ..., in elements. */
typedef struct suanzi_tensor {
    size_t size;
    suanzi_dtype dtype;
    uint32_t axes;
    uint64_t offset;
    uint64_t shape[SUANZI_MAX_AXES];
    int64_t strides[SUANZI_MAX_AXES];
} suanzi_tensor;

enum {
    /* tensors A [m, k], B [k, n], C [m, n]: C = alpha * A * B + beta * C; with beta = 0, C is not
     * read. alpha and beta are scalars[0] and scalars[1]. */
    SUANZI_OP_GEMM = 0,
    /* tensors X [n, c, spatial...], W [k, c / groups, spatial...], Y [n, k, spatial...], of one to
     * three spatial axes: Y = alpha * (X cross-correlated with W) + beta * Y; with beta = 0, Y is not
     * read. Axis i has padding[2 i] zeros before and padding[2 i + 1] behind, stride[i] and
     * dilation[i]. */
    SUANZI_OP_CONVOLUTION = 1,
    /* tensors in..., out, all of one shape and dtype: out = f(in...), f by name ("relu", "add"...) as
     * `suanzi show` has it. */
    SUANZI_OP_ELEMENTWISE = 2
};

typedef struct suanzi_op {
    size_t size;
    uint32_t kind;          /* SUANZI_OP_...; a kind that the plugin does not know is unsupported */
    uint32_t tensor_count;
    const suanzi_tensor *tensors; /* each of the size it says */
    double scalars[2];
    const char *name;       /* of an elementwise function, or NULL */
    uint32_t groups;        /* of a convolution, else 1 */
    uint32_t padding[6];
    uint32_t stride[3];
    uint32_t dilation[3];
} suanzi_op;

/* The table. Functions marked optional may be NULL. */
typedef struct suanzi_plugin {
    size_t size;
    uint32_t abi;           /* SUANZI_PLUGIN_ABI */
    const char *name;       /* lower-case letters, digits and '-': its devices are name:0, name:1... */
    const char *version;    /* in words */

    /* How many devices there are now; 0 is no error. */
    suanzi_status (*device_count)(uint32_t *count);
    suanzi_status (*open)(uint32_t index, suanzi_device **device);
    void (*close)(suanzi_device *device);
    suanzi_status (*caps)(suanzi_device *device, suanzi_caps *caps);
    /* What the last call that failed for this device (NULL: without one) has to say. UTF-8, valid until
     * the next call for it; never NULL. */
    const char *(*last_error)(suanzi_device *device);

    suanzi_status (*mem_alloc)(suanzi_device *device, uint64_t bytes, suanzi_memory *memory);
    suanzi_status (*mem_free)(suanzi_device *device, suanzi_memory memory);
    suanzi_status (*write)(suanzi_device *device, suanzi_memory to, uint64_t offset, const void *data, uint64_t bytes);
    suanzi_status (*read)(suanzi_device *device, suanzi_memory from, uint64_t offset, void *data, uint64_t bytes);
    /* Within one memory the ranges do not overlap. */
    suanzi_status (*copy)(suanzi_device *device, suanzi_memory from, uint64_t from_offset, suanzi_memory to,
                          uint64_t to_offset, uint64_t bytes);

    suanzi_status (*compile)(suanzi_device *device, const suanzi_source *source, suanzi_program **program);
    /* Optional: a program's binary, for the source of a later compile. It lives as long as the program. */
    suanzi_status (*program_binary)(suanzi_device *device, suanzi_program *program, const void **data, size_t *bytes);
    void (*program_release)(suanzi_device *device, suanzi_program *program);
    /* `groups` are never 0; `args` are packed as the program's parameters said. */
    suanzi_status (*launch)(suanzi_device *device, suanzi_program *program, const uint32_t groups[3], const void *args,
                            size_t args_bytes);
    /* Optional: begins what was recorded, without waiting. */
    suanzi_status (*submit)(suanzi_device *device);
    suanzi_status (*sync)(suanzi_device *device);
    /* Optional, both or neither: device time between two points of the queue, in nanoseconds. The end
     * waits. Without them the host's clock is used. */
    suanzi_status (*timing_begin)(suanzi_device *device);
    suanzi_status (*timing_end)(suanzi_device *device, uint64_t *nanoseconds);

    /* Optional, all or none: the vendor's library. A plan that is unsupported is no error: the work is
     * done by a generated kernel, and the dispatch log says so. */
    suanzi_status (*plan)(suanzi_device *device, const suanzi_op *op, suanzi_plan **plan, uint64_t *workspace_bytes);
    /* `memory` as many as the operation has tensors. `workspace` is 0 where none was asked for. */
    suanzi_status (*run)(suanzi_device *device, suanzi_plan *plan, const suanzi_memory *memory, size_t count,
                         suanzi_memory workspace);
    void (*plan_release)(suanzi_device *device, suanzi_plan *plan);
} suanzi_plugin;

#ifdef _WIN32
#define SUANZI_PLUGIN_EXPORT __declspec(dllexport)
#else
#define SUANZI_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* The one symbol of a plugin. `abi` is the caller's version. A plugin that cannot serve it returns its
 * own table nevertheless, whose abi says what it speaks; NULL only where there is nothing to say. */
SUANZI_PLUGIN_EXPORT const suanzi_plugin *suanzi_plugin_get(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif
