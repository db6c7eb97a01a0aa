/* Tarjan's strongly connected components, without recursion, over all edges; inside each that is more than one node, the
 * classes of anomalies in turn, from the worst on: a component of the class's edges holds a cycle of it, found breadth first. */
#include "common/base.h"

#include "jepsen/cycles.h"

#include "common/mem.h"

#include <stdlib.h>

#define ALL UINT32_MAX
#define SINGLE_TRIES_MAX 4096 /* RW edges tried as the only one of a cycle, in one component */

struct frame {
    uint32_t node;
    size_t edge;
};

struct work {
    struct graph *g;
    size_t *first;                            /* of each node: its first edge; one more at the end */
    uint32_t *home;                           /* component over all edges */
    uint32_t *part;                           /* component of a class inside it */
    uint32_t *order, *low, *stack, *path;     /* path: the edge a node was reached by, + 1 */
    uint32_t *queue;
    struct frame *frames;
    struct edge *cycle;
    uint64_t steps, steps_max;
};

uint32_t graph_node(struct graph *g)
{
    ASSERT(g->node_count < UINT32_MAX - 2);
    return g->node_count++;
}

void graph_edge(struct graph *g, struct edge e)
{
    if (e.from == e.to)
        return;
    if (g->edge_count == g->edge_capacity) {
        g->edge_capacity = MAX((size_t)1024, g->edge_capacity * 2);
        g->edges = mem_realloc(g->edges, g->edge_capacity * sizeof g->edges[0]);
    }
    g->edges[g->edge_count++] = e;
}

void graph_release(struct graph *g)
{
    mem_free(g->edges);
    *g = (struct graph){0};
}

static int by_from(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from > y->from ? 1 : -1;
    return x->to != y->to ? (x->to > y->to) - (x->to < y->to) : (x->kind > y->kind) - (x->kind < y->kind);
}

static bool follows(const struct work *w, const struct edge *e, unsigned mask, uint32_t within)
{
    return ((unsigned)e->kind & mask) != 0 && (within == ALL || w->home[e->to] == within);
}

/* Tarjan from `root` on: numbers components of the edges in `mask` into `part`, from *next on. */
static void connect(struct work *w, uint32_t root, unsigned mask, uint32_t within, uint32_t *part, uint32_t *next, uint32_t *clock)
{
    size_t depth = 0, height = 0;
    w->frames[depth++] = (struct frame){root, w->first[root]};
    w->order[root] = w->low[root] = ++*clock;
    w->stack[height++] = root;
    while (depth > 0) {
        struct frame *f = &w->frames[depth - 1];
        uint32_t v = f->node;
        if (f->edge < w->first[v + 1]) {
            const struct edge *e = &w->g->edges[f->edge++];
            w->steps++;
            if (!follows(w, e, mask, within))
                continue;
            if (w->order[e->to] == 0) {
                w->order[e->to] = w->low[e->to] = ++*clock;
                w->stack[height++] = e->to;
                w->frames[depth++] = (struct frame){e->to, w->first[e->to]};
            } else if (part[e->to] == ALL) {
                w->low[v] = MIN(w->low[v], w->order[e->to]);
            }
            continue;
        }
        depth--;
        if (depth > 0)
            w->low[w->frames[depth - 1].node] = MIN(w->low[w->frames[depth - 1].node], w->low[v]);
        if (w->low[v] == w->order[v]) {
            uint32_t u;
            do {
                u = w->stack[--height];
                part[u] = *next;
            } while (u != v);
            ++*next;
        }
    }
}

static void components(struct work *w, const uint32_t *nodes, size_t count, unsigned mask, uint32_t within, uint32_t *part)
{
    uint32_t next = 0, clock = 0;
    for (size_t i = 0; i < count; i++) {
        w->order[nodes[i]] = 0;
        part[nodes[i]] = ALL;
    }
    for (size_t i = 0; i < count; i++)
        if (w->order[nodes[i]] == 0)
            connect(w, nodes[i], mask, within, part, &next, &clock);
}

/* Edges of a shortest path after `already` edges of w->cycle; 0: there is none. */
static size_t find_path(struct work *w, const uint32_t *nodes, size_t count, uint32_t from, uint32_t to, unsigned mask, uint32_t within,
                        size_t already)
{
    size_t head = 0, tail = 0, length = 0;
    for (size_t i = 0; i < count; i++)
        w->path[nodes[i]] = 0;
    w->queue[tail++] = from;
    while (head < tail && w->path[to] == 0 && from != to) {
        uint32_t v = w->queue[head++];
        for (size_t i = w->first[v]; i < w->first[v + 1]; i++) {
            const struct edge *e = &w->g->edges[i];
            w->steps++;
            if (!follows(w, e, mask, within) || w->path[e->to] != 0 || e->to == from)
                continue;
            w->path[e->to] = (uint32_t)i + 1;
            w->queue[tail++] = e->to;
        }
    }
    if (from == to || w->path[to] == 0)
        return 0;
    for (uint32_t v = to; v != from; v = w->g->edges[w->path[v] - 1].from)
        length++;
    size_t at = already + length;
    for (uint32_t v = to; v != from; v = w->g->edges[w->path[v] - 1].from)
        w->cycle[--at] = w->g->edges[w->path[v] - 1];
    return length;
}

/* A cycle that begins with an edge of `first`, the rest of `mask`. */
static size_t find_cycle(struct work *w, const uint32_t *nodes, size_t count, unsigned first, unsigned mask, uint32_t within, bool same_part,
                         size_t tries)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = w->first[nodes[n]]; i < w->first[nodes[n] + 1]; i++) {
            const struct edge *e = &w->g->edges[i];
            if (((unsigned)e->kind & first) == 0 || !follows(w, e, first, within) || (same_part && w->part[e->from] != w->part[e->to]))
                continue;
            if (tries-- == 0 || w->steps > w->steps_max)
                return 0;
            w->cycle[0] = *e;
            size_t length = find_path(w, nodes, count, e->to, e->from, mask, within, 1);
            if (length != 0)
                return length + 1;
        }
    return 0;
}

static const struct {
    const char *name;
    unsigned edges;
    bool single; /* exactly one RW besides */
} classes[] = {
    {"G0", EDGE_WW, false},
    {"G1c", EDGE_WW | EDGE_WR, false},
    {"G-single", EDGE_WW | EDGE_WR, true},
    {"G2", EDGE_WW | EDGE_WR | EDGE_RW, false},
    {"G0-realtime", EDGE_WW | EDGE_RT, false},
    {"G1c-realtime", EDGE_WW | EDGE_WR | EDGE_RT, false},
    {"G-single-realtime", EDGE_WW | EDGE_WR | EDGE_RT, true},
    {"G2-realtime", EDGE_WW | EDGE_WR | EDGE_RW | EDGE_RT, false},
};

/* Of one component; returns the name, *ret_count edges in w->cycle. */
static const char *classify(struct work *w, const uint32_t *nodes, size_t count, uint32_t within, size_t *ret_count)
{
    for (size_t c = 0; c < ARRAY_LEN(classes) && w->steps <= w->steps_max; c++) {
        if (classes[c].single) {
            *ret_count = find_cycle(w, nodes, count, EDGE_RW, classes[c].edges, within, false, SINGLE_TRIES_MAX);
        } else {
            components(w, nodes, count, classes[c].edges, within, w->part);
            *ret_count = find_cycle(w, nodes, count, classes[c].edges & ~(unsigned)EDGE_RT, classes[c].edges, within, true, SIZE_MAX);
        }
        if (*ret_count != 0)
            return classes[c].name;
    }
    return NULL;
}

static int by_home(const void *a, const void *b, void *arg)
{
    const uint32_t *home = arg, x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return home[x] != home[y] ? (home[x] > home[y]) - (home[x] < home[y]) : (x > y) - (x < y);
}

static void work_init(struct work *w, struct graph *g)
{
    const size_t n = (size_t)g->node_count + 1;
    uint32_t **arrays[] = {&w->home, &w->part, &w->order, &w->low, &w->stack, &w->path, &w->queue};
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
        *arrays[i] = mem_zalloc(n * sizeof(uint32_t));
    w->g = g;
    w->frames = mem_alloc(n * sizeof w->frames[0]);
    w->cycle = mem_alloc((n + 1) * sizeof w->cycle[0]);
    w->first = mem_zalloc((n + 1) * sizeof w->first[0]);
    if (g->edge_count != 0)
        qsort(g->edges, g->edge_count, sizeof g->edges[0], by_from);
    for (size_t i = 0; i < g->edge_count; i++)
        w->first[g->edges[i].from + 1]++;
    for (size_t i = 0; i < g->node_count; i++)
        w->first[i + 1] += w->first[i];
}

static void work_release(struct work *w)
{
    void *arrays[] = {w->home, w->part, w->order, w->low, w->stack, w->path, w->queue, w->frames, w->cycle, w->first};
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
        mem_free(arrays[i]);
}

bool graph_cycles(struct graph *g, uint64_t steps_max, void (*found)(void *arg, const char *name, const struct edge *edges, size_t count),
                  void *arg)
{
    struct work w = {.steps_max = steps_max};
    uint32_t *nodes = mem_alloc(((size_t)g->node_count + 1) * sizeof nodes[0]);
    bool complete = g->edge_count < UINT32_MAX - 1;
    work_init(&w, g);
    for (uint32_t i = 0; i < g->node_count; i++)
        nodes[i] = i;
    if (complete)
        components(&w, nodes, g->node_count, EDGE_WW | EDGE_WR | EDGE_RW | EDGE_RT, ALL, w.home);
    qsort_r(nodes, g->node_count, sizeof nodes[0], by_home, w.home);
    for (size_t i = 0, end; i < g->node_count && complete; i = end) {
        size_t length = 0;
        for (end = i + 1; end < g->node_count && w.home[nodes[end]] == w.home[nodes[i]]; end++)
            ;
        if (end - i < 2)
            continue;
        const char *name = classify(&w, nodes + i, end - i, w.home[nodes[i]], &length);
        if (name != NULL)
            found(arg, name, w.cycle, length);
        else
            complete = false;
    }
    work_release(&w);
    mem_free(nodes);
    return complete;
}
