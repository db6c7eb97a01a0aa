/* NodeResourcesFit: what the pod requests must be free; the emptier node is better (LeastAllocated). */
#include "common/base.h"

#include "scheduler/framework.h"

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    const struct resource_amounts *want = &pod->requests, *have = &node->allocatable, *used = &node->used;
    if (used->pods + 1 > have->pods)
        return "Too many pods";
    if (want->cpu_milli > 0 && want->cpu_milli > have->cpu_milli - used->cpu_milli)
        return "Insufficient cpu";
    if (want->memory_bytes > 0 && want->memory_bytes > have->memory_bytes - used->memory_bytes)
        return "Insufficient memory";
    if (want->ephemeral_bytes > 0 && want->ephemeral_bytes > have->ephemeral_bytes - used->ephemeral_bytes)
        return "Insufficient ephemeral-storage";
    return NULL;
}

/* Free share after placing, 0..100. Containers without requests count as a little, so that they spread as well. */
static int64_t free_share(int64_t capacity, int64_t used)
{
    return capacity <= 0 || used >= capacity ? 0 : (int64_t)((__int128)(capacity - used) * 100 / capacity);
}

#define DEFAULT_CPU_MILLI 100
#define DEFAULT_MEMORY_BYTES (200 * 1024 * 1024)

static int64_t score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    int64_t cpu = pod->requests.cpu_milli > 0 ? pod->requests.cpu_milli : DEFAULT_CPU_MILLI;
    int64_t memory = pod->requests.memory_bytes > 0 ? pod->requests.memory_bytes : DEFAULT_MEMORY_BYTES;
    return (free_share(node->allocatable.cpu_milli, node->used.cpu_milli + cpu) +
            free_share(node->allocatable.memory_bytes, node->used.memory_bytes + memory)) / 2;
}

const struct plugin plugin_resources_fit = {.name = "NodeResourcesFit", .filter = filter, .score = score, .weight = 1, .eviction_helps = true};
