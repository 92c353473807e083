/* A whole plugin in C: a device whose compiler is the system's C compiler, and whose work-groups have
 * one work-item, so that barriers are nothing. It is built against suanzi_plugin.h and nothing else:
 *
 *     cc -std=gnu11 -fPIC -shared -I backends/abi/include backends/examples/c-plugin/plugin.c \
 *        -o libc_plugin.so -ldl
 *     suanzi conform --plugin ./libc_plugin.so
 *
 * What is particular to a chip is in four places: what it is (caps), what its language is (DIALECT),
 * how a source becomes a program (compile), and how a program runs (launch).
 */
#define _GNU_SOURCE
#include "suanzi_plugin.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* C, as exceptions from HIP. A group has one work-item and the device one thread. */
static const char DIALECT[] =
    "base = 'hip'\n"
    "name = 'c'\n"
    "kernel = 'void $k'\n"
    "options = []\n"
    "read_buffer = 'const $t* restrict $0'\n"
    "write_buffer = '$t* restrict $0'\n"
    "shared = 'static $t $0[$1] __attribute__((aligned(16)))'\n"
    "unroll = ''\n"
    "barriers = ['', '']\n"
    "subgroups = false\n"
    "mul_hi = ['(int)((long long)$0 * $1 >> 32)',\n"
    "    '(unsigned int)((unsigned long long)$0 * $1 >> 32)',\n"
    "    '(long long)((__int128)$0 * $1 >> 64)',\n"
    "    '(unsigned long long)((unsigned __int128)$0 * $1 >> 64)']\n"
    "popcount = ['($t)__builtin_popcount((unsigned int)$0)', '($t)__builtin_popcountll((unsigned long long)$0)']\n"
    "clz = ['($t)($0 ? __builtin_clz((unsigned int)$0) : 32)',\n"
    "    '($t)($0 ? __builtin_clzll((unsigned long long)$0) : 64)']\n"
    "[preamble]\n"
    "always = \"\"\"#include <math.h>\n#include <stdbool.h>\nextern unsigned int group[3], groups[3];\n"
    "/* sin(pi x), or a quarter further: quarters are taken off before pi, which is no float, multiplies. */\n"
    "static inline double turn(double x, int quarter) {\n"
    "    const double r = fmod(x, 2), n = rint(2 * r), t = (r - n / 2) * 3.14159265358979323846;\n"
    "    switch (((int)n + quarter) & 3) {\n"
    "    case 0: return sin(t);\n    case 1: return cos(t);\n    case 2: return -sin(t);\n    default: return -cos(t);\n"
    "    }\n}\n\"\"\"\n"
    "extended_atomic64 = ''\n"
    "[builtins]\n"
    "global_id = 'group[$d]'\n"
    "local_id = '0u'\n"
    "group_id = 'group[$d]'\n"
    "num_groups = 'groups[$d]'\n"
    "[bitcasts]\n"
    "from_f32 = '($t)((union { float f; unsigned int u; }){.f = $0}).u'\n"
    "to_f32 = '((union { unsigned int u; float f; }){.u = (unsigned int)$0}).f'\n"
    "from_f64 = '($t)((union { double f; long long i; }){.f = $0}).i'\n"
    "to_f64 = '((union { long long i; double f; }){.i = (long long)$0}).f'\n"
    "[intrinsics]\n"
    "native_exp = ['expf($0)', 'exp($0)']\n"
    "native_exp10 = ['powf(10.0f, $0)', 'pow(10.0, $0)']\n"
    "native_log = ['logf($0)', 'log($0)']\n"
    "native_log2 = ['log2f($0)', 'log2($0)']\n"
    "native_log10 = ['log10f($0)', 'log10($0)']\n"
    "native_rsqrt = ['1.0f / sqrtf($0)', '1.0 / sqrt($0)']\n"
    "native_sin = ['sinf($0)', 'sin($0)']\n"
    "native_cos = ['cosf($0)', 'cos($0)']\n"
    "native_tan = ['tanf($0)', 'tan($0)']\n"
    "native_sinpi = ['(float)turn($0, 0)', 'turn($0, 0)']\n"
    "native_cospi = ['(float)turn($0, 1)', 'turn($0, 1)']\n"
    "[atomics]\n"
    "add = ['__atomic_fetch_add($p, $0, 0)', '__atomic_fetch_add($p, $0, 0)']\n"
    "and = ['__atomic_fetch_and($p, $0, 0)', '__atomic_fetch_and($p, $0, 0)']\n"
    "or = ['__atomic_fetch_or($p, $0, 0)', '__atomic_fetch_or($p, $0, 0)']\n"
    "xor = ['__atomic_fetch_xor($p, $0, 0)', '__atomic_fetch_xor($p, $0, 0)']\n"
    "exchange = ['__atomic_exchange_n($p, $0, 0)', '__atomic_exchange_n($p, $0, 0)']\n"
    "min = ['({ $t* p = $p; $t old = *p; if ($0 < old) *p = $0; old; })',\n"
    "    '({ $t* p = $p; $t old = *p; if ($0 < old) *p = $0; old; })']\n"
    "max = ['({ $t* p = $p; $t old = *p; if ($0 > old) *p = $0; old; })',\n"
    "    '({ $t* p = $p; $t old = *p; if ($0 > old) *p = $0; old; })']\n"
    "compare_exchange = ['({ $t* p = $p; $t old = *p; if (old == $1) *p = $0; old; })',\n"
    "    '({ $t* p = $p; $t old = *p; if (old == $1) *p = $0; old; })']\n";

struct suanzi_device {
    char error[8192];
};

struct suanzi_program {
    char name[128];
    void *library;
    unsigned int *group, *groups;
    void (*enter)(const char *args);
    char *binary;
    size_t binary_bytes;
};

static suanzi_device the_device;

__attribute__((format(printf, 3, 4))) static suanzi_status fails(suanzi_device *d, suanzi_status s, const char *f, ...)
{
    va_list args;
    va_start(args, f);
    vsnprintf(d->error, sizeof d->error, f, args);
    va_end(args);
    return s;
}

static suanzi_status device_count(uint32_t *count)
{
    *count = 1;
    return SUANZI_OK;
}

static suanzi_status open_device(uint32_t index, suanzi_device **device)
{
    *device = &the_device;
    return index == 0 ? SUANZI_OK : fails(&the_device, SUANZI_INVALID, "there is one device");
}

static void close_device(suanzi_device *device) { device->error[0] = 0; }

static suanzi_status caps(suanzi_device *device, suanzi_caps *caps)
{
    (void)device;
    caps->name = "The C compiler";
    caps->driver = "c-plugin 1";
    caps->dialect = DIALECT;
    caps->memory_bytes = 4ull << 30;
    caps->max_alloc = 1ull << 30;
    caps->kind = SUANZI_KIND_CPU;
    caps->flags = SUANZI_HAS_F64 | SUANZI_HAS_FMA | SUANZI_HAS_ATOMIC64 | SUANZI_HAS_DENORMALS |
                  SUANZI_HAS_EXACT_DIVISION | SUANZI_IS_HOST;
    caps->compute_units = 1;
    caps->max_workgroup = 1;
    for (int axis = 0; axis < 3; axis++) caps->max_groups[axis] = UINT32_MAX;
    caps->shared_bytes = 64 << 10;
    return SUANZI_OK;
}

static const char *last_error(suanzi_device *device) { return device ? device->error : the_device.error; }

static suanzi_status mem_alloc(suanzi_device *device, uint64_t bytes, suanzi_memory *memory)
{
    void *p = aligned_alloc(256, (bytes + 255) / 256 * 256);
    *memory = (uintptr_t)p;
    return p ? SUANZI_OK : fails(device, SUANZI_OUT_OF_MEMORY, "the system gave none");
}

static suanzi_status mem_free(suanzi_device *device, suanzi_memory memory)
{
    (void)device;
    free((void *)(uintptr_t)memory);
    return SUANZI_OK;
}

/* Memory is the host's, and everything is done at once. */
static char *at(suanzi_memory memory, uint64_t offset) { return (char *)(uintptr_t)memory + offset; }

static suanzi_status write_memory(suanzi_device *d, suanzi_memory to, uint64_t offset, const void *data, uint64_t n)
{
    (void)d;
    memcpy(at(to, offset), data, n);
    return SUANZI_OK;
}

static suanzi_status read_memory(suanzi_device *d, suanzi_memory from, uint64_t offset, void *data, uint64_t n)
{
    (void)d;
    memcpy(data, at(from, offset), n);
    return SUANZI_OK;
}

static suanzi_status copy_memory(suanzi_device *d, suanzi_memory from, uint64_t i, suanzi_memory to, uint64_t j,
                                 uint64_t n)
{
    (void)d;
    memmove(at(to, j), at(from, i), n);
    return SUANZI_OK;
}

/* The file's content, to be freed; NULL where there is none. */
static char *content(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *bytes = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*bytes + 1);
    if (data) data[fread(data, 1, *bytes, f)] = 0;
    fclose(f);
    return data;
}

/* The source, and what calls the kernel with arguments out of the packed ones. */
static int write_source(const char *path, const suanzi_source *source)
{
    static const char *const TYPES[] = {
        [SUANZI_BOOL] = "_Bool", [SUANZI_I8] = "signed char", [SUANZI_I16] = "short", [SUANZI_I32] = "int",
        [SUANZI_I64] = "long long", [SUANZI_U8] = "unsigned char", [SUANZI_U16] = "unsigned short",
        [SUANZI_U32] = "unsigned int", [SUANZI_U64] = "unsigned long long", [SUANZI_F16] = "_Float16",
        [SUANZI_BF16] = "unsigned short", [SUANZI_F32] = "float", [SUANZI_F64] = "double",
    };
    FILE *f = fopen(path, "w");
    if (!f) return 0;
    fprintf(f, "%s\nunsigned int group[3], groups[3];\nvoid enter(const char* args) {\n    %s(", source->text,
            source->name);
    for (size_t i = 0; i < source->param_count; i++) {
        const suanzi_param *p = &source->params[i];
        fprintf(f, "%s*(%s*)(args + %u)", i ? ", " : "", p->is_buffer ? "void*" : TYPES[p->dtype], p->offset);
    }
    fprintf(f, ");\n}\n");
    return fclose(f) == 0;
}

static suanzi_status build(suanzi_device *device, const suanzi_source *source, const char *folder, suanzi_program *p)
{
    char from[512], to[512], log[512], command[2048];
    snprintf(from, sizeof from, "%s/kernel.c", folder);
    snprintf(to, sizeof to, "%s/kernel.so", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    if (source->binary) {
        FILE *f = fopen(to, "wb");
        if (f) {
            fwrite(source->binary, 1, source->binary_bytes, f);
            fclose(f);
        }
    } else {
        if (!write_source(from, source)) return fails(device, SUANZI_FAILED, "cannot write %s", from);
        snprintf(command, sizeof command,
                 "${CC:-cc} -std=gnu11 -O1 -w -fPIC -shared -ffp-contract=off -fno-math-errno -fno-strict-aliasing "
                 "-fwrapv -Wl,-Bsymbolic -o %s %s -lm >%s 2>&1",
                 to, from, log);
        if (system(command) != 0) {
            size_t bytes;
            char *words = content(log, &bytes);
            fails(device, SUANZI_COMPILE, "%s", words ? words : "no compiler");
            free(words);
            return SUANZI_COMPILE;
        }
    }
    p->binary = content(to, &p->binary_bytes);
    p->library = dlopen(to, RTLD_NOW | RTLD_LOCAL);
    if (!p->library) return fails(device, SUANZI_FAILED, "%s", dlerror());
    p->group = dlsym(p->library, "group");
    p->groups = dlsym(p->library, "groups");
    *(void **)&p->enter = dlsym(p->library, "enter");
    return SUANZI_OK;
}

static void program_release(suanzi_device *device, suanzi_program *program)
{
    (void)device;
    if (program->library) dlclose(program->library);
    free(program->binary);
    free(program);
}

static suanzi_status compile(suanzi_device *device, const suanzi_source *source, suanzi_program **program)
{
    char folder[] = "/tmp/suanzi-c-XXXXXX", file[64];
    suanzi_program *p = calloc(1, sizeof *p);
    if (!p || !mkdtemp(folder)) return fails(device, SUANZI_FAILED, "no room for a program");
    snprintf(p->name, sizeof p->name, "%s", source->name);
    suanzi_status status = build(device, source, folder, p);
    static const char *const FILES[] = {"kernel.c", "kernel.so", "log"};
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, FILES[i]);
        unlink(file);
    }
    rmdir(folder);
    if (status == SUANZI_OK)
        *program = p;
    else
        program_release(device, p);
    return status;
}

static suanzi_status program_binary(suanzi_device *device, suanzi_program *program, const void **data, size_t *bytes)
{
    (void)device;
    *data = program->binary;
    *bytes = program->binary_bytes;
    return SUANZI_OK;
}

static suanzi_status launch(suanzi_device *device, suanzi_program *program, const uint32_t groups[3], const void *args,
                            size_t args_bytes)
{
    (void)device, (void)args_bytes;
    memcpy(program->groups, groups, 3 * sizeof *groups);
    for (program->group[2] = 0; program->group[2] < groups[2]; program->group[2]++)
        for (program->group[1] = 0; program->group[1] < groups[1]; program->group[1]++)
            for (program->group[0] = 0; program->group[0] < groups[0]; program->group[0]++) program->enter(args);
    return SUANZI_OK;
}

static suanzi_status sync_device(suanzi_device *device)
{
    (void)device;
    return SUANZI_OK;
}

/* The vendor's library: products, convolutions, `relu` and `add` of f32, as simple as they can be. A plan
 * is all that a call needs but the memory. */
struct suanzi_plan {
    suanzi_op op;
    suanzi_tensor tensors[3];
};

static suanzi_status plan(suanzi_device *device, const suanzi_op *op, suanzi_plan **plan, uint64_t *workspace_bytes)
{
    int known = op->kind == SUANZI_OP_GEMM || op->kind == SUANZI_OP_CONVOLUTION ||
                (op->kind == SUANZI_OP_ELEMENTWISE && (!strcmp(op->name, "relu") || !strcmp(op->name, "add")));
    if (!known || op->tensor_count > 3 || op->tensors[0].dtype != SUANZI_F32)
        return fails(device, SUANZI_UNSUPPORTED, "only products, convolutions, relu and add of f32");
    suanzi_plan *p = malloc(sizeof *p);
    if (!p) return fails(device, SUANZI_OUT_OF_MEMORY, "no room for a plan");
    p->op = *op;
    memcpy(p->tensors, op->tensors, op->tensor_count * sizeof *op->tensors);
    *plan = p;
    *workspace_bytes = 0;
    return SUANZI_OK;
}

/* An element by its place along each axis. */
static float *element(const suanzi_tensor *t, suanzi_memory memory, const uint64_t *place)
{
    int64_t at_element = (int64_t)t->offset;
    for (uint32_t axis = 0; axis < t->axes; axis++) at_element += (int64_t)place[axis] * t->strides[axis];
    return (float *)at(memory, 0) + at_element;
}

/* The next place of a shape, the last axis first; 0 after the last one. */
static int next(const uint64_t *shape, uint32_t axes, uint64_t *place)
{
    while (axes-- > 0) {
        if (++place[axes] < shape[axes]) return 1;
        place[axes] = 0;
    }
    return 0;
}

static int is_empty(const suanzi_tensor *t)
{
    for (uint32_t axis = 0; axis < t->axes; axis++)
        if (t->shape[axis] == 0) return 1;
    return 0;
}

/* The sum of products for one place of a matrix. */
static double product(const suanzi_plan *p, const suanzi_memory *memory, const uint64_t *place)
{
    double sum = 0;
    for (uint64_t k = 0; k < p->tensors[0].shape[1]; k++) {
        uint64_t a[] = {place[0], k}, b[] = {k, place[1]};
        sum += (double)*element(&p->tensors[0], memory[0], a) * *element(&p->tensors[1], memory[1], b);
    }
    return sum;
}

/* The sum over a window for one place of a result. Zeros around the image are multiplied as other
 * numbers are. */
static double window(const suanzi_plan *p, const suanzi_memory *memory, const uint64_t *place)
{
    const suanzi_op *op = &p->op;
    const suanzi_tensor *x = &p->tensors[0], *w = &p->tensors[1];
    uint64_t group = place[1] / (w->shape[0] / op->groups), in[SUANZI_MAX_AXES] = {place[0]};
    uint64_t at_window[SUANZI_MAX_AXES] = {place[1]};
    double sum = 0;
    if (is_empty(w)) return 0;
    do {
        int inside = 1;
        in[1] = group * w->shape[1] + at_window[1];
        for (uint32_t i = 0; i + 2 < x->axes; i++) {
            /* Before the image it wraps, and is not below the length either. */
            in[i + 2] = place[i + 2] * op->stride[i] + at_window[i + 2] * op->dilation[i] - op->padding[2 * i];
            inside &= in[i + 2] < x->shape[i + 2];
        }
        sum += (inside ? (double)*element(x, memory[0], in) : 0.0) * *element(w, memory[1], at_window);
    } while (next(w->shape + 1, w->axes - 1, at_window + 1));
    return sum;
}

static suanzi_status run(suanzi_device *device, suanzi_plan *p, const suanzi_memory *memory, size_t count,
                         suanzi_memory workspace)
{
    (void)device, (void)workspace;
    const suanzi_tensor *out = &p->tensors[count - 1];
    uint64_t place[SUANZI_MAX_AXES] = {0};
    if (is_empty(out)) return SUANZI_OK;
    do {
        float *y = element(out, memory[count - 1], place);
        if (p->op.kind == SUANZI_OP_ELEMENTWISE) {
            float a = *element(&p->tensors[0], memory[0], place);
            /* relu: a NaN stays one, and no zero is below zero. */
            *y = count == 3 ? a + *element(&p->tensors[1], memory[1], place) : a > 0 || a != a ? a : 0;
        } else {
            double sum = p->op.kind == SUANZI_OP_GEMM ? product(p, memory, place) : window(p, memory, place);
            double beta = p->op.scalars[1];
            *y = (float)(p->op.scalars[0] * sum + (beta != 0 ? beta * *y : 0));
        }
    } while (next(out->shape, out->axes, place));
    return SUANZI_OK;
}

static void plan_release(suanzi_device *device, suanzi_plan *plan)
{
    (void)device;
    free(plan);
}

const suanzi_plugin *suanzi_plugin_get(uint32_t abi)
{
    (void)abi;
    static const suanzi_plugin PLUGIN = {
        .size = sizeof PLUGIN,
        .abi = SUANZI_PLUGIN_ABI,
        .name = "c",
        .version = "1",
        .device_count = device_count,
        .open = open_device,
        .close = close_device,
        .caps = caps,
        .last_error = last_error,
        .mem_alloc = mem_alloc,
        .mem_free = mem_free,
        .write = write_memory,
        .read = read_memory,
        .copy = copy_memory,
        .compile = compile,
        .program_binary = program_binary,
        .program_release = program_release,
        .launch = launch,
        .sync = sync_device,
        .plan = plan,
        .run = run,
        .plan_release = plan_release,
    };
    return &PLUGIN;
}
