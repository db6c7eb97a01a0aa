/* Random requests over the model's words, weighted towards what collides. */
#ifndef TESTS_MODEL_GENERATE_H
#define TESTS_MODEL_GENERATE_H

#include "common/random.h"
#include "tests/model/model.h"

struct generator {
    struct prng prng;
    const struct model *model;
};

uint64_t below(struct generator *g, uint64_t n); /* [0, n), n > 0 */
bool one_in(struct generator *g, uint64_t n);
struct kv_span random_span(struct generator *g);
int64_t random_revision(struct generator *g); /* from below the oldest readable one to above the newest */
struct kv_range random_range(struct generator *g);
struct kv_txn random_txn(struct generator *g, struct arena *arena, unsigned depth);

#endif
