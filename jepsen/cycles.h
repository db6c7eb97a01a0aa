/* Dependencies between transactions as a graph, and the anomalies that its cycles are: Adya's G0, G1c, G-single, G2, and the same
 * with real-time edges ("-realtime"), which a strictly serializable history has none of. Facts: Adya's thesis (1999), Kingsbury
 * and Alvaro, "Elle" (2020). */
#ifndef JEPSEN_CYCLES_H
#define JEPSEN_CYCLES_H

#include "common/base.h"

enum edge_kind {
    EDGE_WW = 1,   /* `to` overwrites what `from` wrote */
    EDGE_WR = 2,   /* `to` reads what `from` wrote */
    EDGE_RW = 4,   /* `to` overwrites what `from` read */
    EDGE_RT = 8  /* `from` ended before `to` began; helper nodes may stand between them */
};

struct edge {
    uint32_t from, to;
    enum edge_kind kind;
    int64_t key, value; /* what it is about: the value written by `to` (WW, RW) or read by it (WR) */
};

/* Zero-initialised is empty. */
struct graph {
    struct edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t node_count;
};

uint32_t graph_node(struct graph *g); /* a new one */
void graph_edge(struct graph *g, struct edge e);
void graph_release(struct graph *g);

/* One cycle of each set of nodes that reach each other, named after the least it breaks; `edges[i].to` is `edges[i + 1].from`.
 * Sorts the edges. False: `steps_max` was not enough to look at everything. */
bool graph_cycles(struct graph *g, uint64_t steps_max, void (*found)(void *arg, const char *name, const struct edge *edges, size_t count),
                  void *arg);

#endif
