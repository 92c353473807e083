/* The C plugin, broken on purpose: -DBROKEN=... says how. Each way has to be reported as what it is, and
 * `suanzi conform` has to finish. Kernels with `mul` in their name are the ones that suffer.
 */
#define suanzi_plugin_get sound_plugin
#include "../c-plugin/plugin.c"
#undef suanzi_plugin_get

enum {
    WRONG = 1,   /* results are wrong */
    HANGS,       /* a launch does not return */
    CRASHES,     /* a launch ends the process */
    FAULTS,      /* a launch fails, with words */
    LOSES,       /* the device is lost */
    VERSION,     /* of another version of the ABI */
    SMALL,       /* a table that is too small */
    NO_FUNCTION, /* a function is missing */
    NO_NAME,     /* a name that is none */
    NOT_UTF8,    /* a device's name that is not text */
    LIES,        /* caps that cannot be */
    NO_DIALECT,  /* a dialect with a key that is not there */
    NO_MEMORY,   /* memory that is none, without an error */
    NO_STATUS,   /* a status that is none */
    LIBRARY,     /* the library's convolutions are wrong */
    LOADS_NOT    /* loading ends the process */
};

const suanzi_plugin *suanzi_plugin_get(uint32_t abi);

static int suffers(const suanzi_program *program) { return strstr(program->name, "mul") != NULL; }

/* Where kernels' results lie in their arguments. */
static struct {
    const suanzi_program *program;
    uint32_t offset;
} results[64];
static size_t result_count;

static suanzi_status bad_compile(suanzi_device *device, const suanzi_source *source, suanzi_program **program)
{
    suanzi_status status = compile(device, source, program);
    for (size_t i = 0; status == SUANZI_OK && i < source->param_count && result_count < 64; i++)
        if (source->params[i].written) {
            results[result_count].program = *program;
            results[result_count++].offset = source->params[i].offset;
        }
    return status;
}

static suanzi_status bad_launch(suanzi_device *device, suanzi_program *program, const uint32_t groups[3],
                                const void *args, size_t bytes)
{
    suanzi_status status = launch(device, program, groups, args, bytes);
    if (!suffers(program)) return status;
    switch (BROKEN) {
    case WRONG:
        for (size_t i = 0; i < result_count; i++)
            if (results[i].program == program)
                *at(*(const suanzi_memory *)((const char *)args + results[i].offset), 0) ^= 0x40;
        return status;
    case HANGS:
        for (;;) sleep(60);
    case CRASHES:
        abort();
    case FAULTS:
        return fails(device, SUANZI_FAULT, "illegal address 0x1234");
    case LOSES:
        return fails(device, SUANZI_LOST, "it fell off the bus");
    case NO_STATUS:
        return 4711;
    default:
        return status;
    }
}

static suanzi_status bad_caps(suanzi_device *device, suanzi_caps *out)
{
    suanzi_status status = caps(device, out);
    if (BROKEN == NOT_UTF8) out->name = "\xff\xfe";
    if (BROKEN == LIES) out->max_workgroup = 0;
    if (BROKEN == NO_DIALECT) out->dialect = "base = 'cuda'\nbarier = 'wait'\n";
    return status;
}

static suanzi_status bad_alloc(suanzi_device *device, uint64_t bytes, suanzi_memory *memory)
{
    if (BROKEN != NO_MEMORY) return mem_alloc(device, bytes, memory);
    *memory = 0;
    return SUANZI_OK;
}

/* Their last element is. */
static suanzi_status bad_run(suanzi_device *device, suanzi_plan *p, const suanzi_memory *memory, size_t count,
                             suanzi_memory workspace)
{
    suanzi_status status = run(device, p, memory, count, workspace);
    const suanzi_tensor *out = &p->tensors[count - 1];
    if (BROKEN != LIBRARY || p->op.kind != SUANZI_OP_CONVOLUTION || is_empty(out)) return status;
    uint64_t last[SUANZI_MAX_AXES];
    for (uint32_t axis = 0; axis < out->axes; axis++) last[axis] = out->shape[axis] - 1;
    *element(out, memory[count - 1], last) += 1;
    return status;
}

const suanzi_plugin *suanzi_plugin_get(uint32_t abi)
{
    static suanzi_plugin broken;
    broken = *sound_plugin(abi);
    broken.name = "broken";
    broken.compile = bad_compile;
    broken.launch = bad_launch;
    broken.caps = bad_caps;
    broken.mem_alloc = bad_alloc;
    broken.run = bad_run;
    if (BROKEN == VERSION) broken.abi = 7;
    if (BROKEN == SMALL) broken.size = 16;
    if (BROKEN == NO_FUNCTION) broken.sync = NULL;
    if (BROKEN == NO_NAME) broken.name = "Broken!";
    if (BROKEN == LOADS_NOT) abort();
    return &broken;
}
