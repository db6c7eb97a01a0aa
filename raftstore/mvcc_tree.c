/* A copy-on-write B+tree. Inner nodes hold, per child, the newest version of its first key and its number of live keys; both are
 * exact. Changes walk down once, making each node on the way writable: in place, or as a copy when a pin can reach it. */
#include "common/base.h"

#include "raftstore/mvcc_tree.h"

#include "common/mem.h"

struct tree_child {
    struct tree_node *node;
    struct version *min;
    uint64_t live;
};

struct tree_node {
    uint64_t epoch;
    uint32_t count;
    bool leaf;
    union {
        struct version *entries[0];
        struct tree_child children[0];
    };
};

static size_t node_bytes(bool leaf)
{
    return sizeof(struct tree_node) + TREE_NODE_MAX * (leaf ? sizeof(struct version *) : sizeof(struct tree_child));
}

static struct tree_node *node_new(struct tree *t, bool leaf)
{
    struct tree_node *n = mem_alloc(node_bytes(leaf));
    *n = (struct tree_node){.epoch = t->epoch, .leaf = leaf};
    t->node_bytes += node_bytes(leaf);
    return n;
}

static bool node_shared(const struct tree *t, const struct tree_node *n)
{
    return t->pin_count > 0 && n->epoch <= t->pins[t->pin_count - 1];
}

static void node_free(struct tree *t, struct tree_node *n)
{
    t->node_bytes -= node_bytes(n->leaf);
    mem_free(n);
}

/* The node is no longer part of the newest tree. */
static void node_retire(struct tree *t, struct tree_node *n)
{
    if (!node_shared(t, n)) {
        node_free(t, n);
        return;
    }
    if (t->retired_count == t->retired_capacity) {
        t->retired_capacity = MAX((size_t)64, t->retired_capacity * 2);
        t->retired = mem_realloc(t->retired, t->retired_capacity * sizeof t->retired[0]);
    }
    t->retired[t->retired_count++] = n;
}

static struct tree_node *node_writable(struct tree *t, struct tree_node **slot)
{
    struct tree_node *old = *slot;
    if (!node_shared(t, old))
        return old;
    struct tree_node *n = node_new(t, old->leaf);
    uint64_t epoch = n->epoch;
    memcpy(n, old, node_bytes(old->leaf));
    n->epoch = epoch;
    node_retire(t, old);
    return *slot = n;
}

static struct version *node_min(const struct tree_node *n)
{
    ASSERT(n->count > 0);
    return n->leaf ? n->entries[0] : n->children[0].min;
}

uint64_t tree_live(const struct tree_node *n)
{
    uint64_t live = 0;
    for (uint32_t i = 0; n != NULL && i < n->count; i++)
        live += n->leaf ? (uint64_t)version_live(n->entries[i]) : n->children[i].live;
    return live;
}

/* Index of the first entry of a leaf that is >= key. */
static uint32_t leaf_lower(const struct tree_node *n, struct slice key)
{
    uint32_t low = 0, high = n->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (slice_compare(version_key(n->entries[mid]), key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Index of the child of an inner node in whose part of the key space `key` lies. */
static uint32_t child_index(const struct tree_node *n, struct slice key)
{
    uint32_t low = 1, high = n->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (slice_compare(version_key(n->children[mid].min), key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

struct version *tree_get(const struct tree_node *n, struct slice key)
{
    if (n == NULL)
        return NULL;
    while (!n->leaf)
        n = n->children[child_index(n, key)].node;
    uint32_t at = leaf_lower(n, key);
    return at < n->count && slice_equal(version_key(n->entries[at]), key) ? n->entries[at] : NULL;
}

uint64_t tree_live_before(const struct tree_node *n, struct slice key)
{
    uint64_t live = 0;
    if (n == NULL)
        return 0;
    while (!n->leaf) {
        uint32_t at = child_index(n, key);
        for (uint32_t i = 0; i < at; i++)
            live += n->children[i].live;
        n = n->children[at].node;
    }
    for (uint32_t i = 0, end = leaf_lower(n, key); i < end; i++)
        live += version_live(n->entries[i]);
    return live;
}

void tree_seek(const struct tree_node *n, struct slice key, struct tree_cursor *c)
{
    c->depth = 0;
    if (n == NULL)
        return;
    for (;; n = n->children[c->stack[c->depth - 1].at].node) {
        ASSERT(c->depth < TREE_HEIGHT_MAX);
        c->stack[c->depth].node = n;
        c->stack[c->depth++].at = n->leaf ? leaf_lower(n, key) : child_index(n, key);
        if (n->leaf)
            break;
    }
    if (c->stack[c->depth - 1].at == n->count) {
        c->stack[c->depth - 1].at--; /* past this leaf's end: step over to the next one */
        tree_next(c);
    }
}

struct version *tree_at(const struct tree_cursor *c)
{
    return c->depth == 0 ? NULL : c->stack[c->depth - 1].node->entries[c->stack[c->depth - 1].at];
}

void tree_next(struct tree_cursor *c)
{
    while (c->depth > 0 && ++c->stack[c->depth - 1].at >= c->stack[c->depth - 1].node->count)
        c->depth--;
    while (c->depth > 0 && !c->stack[c->depth - 1].node->leaf) {
        const struct tree_node *down = c->stack[c->depth - 1].node->children[c->stack[c->depth - 1].at].node;
        c->stack[c->depth].node = down;
        c->stack[c->depth++].at = 0;
    }
}

struct put_step {
    struct slice key;
    struct version *version;
    int live_change;
    bool last; /* in the last child of every node so far: nothing stands behind it */
};

/* How much of a full node stays when something comes in at `at`: all of it when keys come in order, most of it when nearly so. */
static uint32_t split_keep(uint32_t count, uint32_t at, bool last)
{
    if (at == count && last)
        return count;
    return at >= count * 3 / 4 ? count - count / 8 : count / 2;
}

/* Moves the upper part of a full node to a new one and returns it. */
static struct tree_node *node_split(struct tree *t, struct tree_node *n, uint32_t at, bool last)
{
    struct tree_node *right = node_new(t, n->leaf);
    uint32_t keep = split_keep(n->count, at, last);
    right->count = n->count - keep;
    if (n->leaf)
        memcpy(right->entries, n->entries + keep, right->count * sizeof n->entries[0]);
    else
        memcpy(right->children, n->children + keep, right->count * sizeof n->children[0]);
    n->count = keep;
    return right;
}

static struct tree_node *leaf_insert(struct tree *t, struct tree_node *n, uint32_t at, struct put_step *step)
{
    struct tree_node *right = NULL, *into = n;
    if (n->count == TREE_NODE_MAX) {
        right = node_split(t, n, at, step->last);
        if (at > n->count || right->count == 0) {
            into = right;
            at -= n->count;
        }
    }
    memmove(into->entries + at + 1, into->entries + at, (into->count - at) * sizeof into->entries[0]);
    into->entries[at] = step->version;
    into->count++;
    t->key_count++;
    return right;
}

static struct tree_node *leaf_put(struct tree *t, struct tree_node *n, struct put_step *step)
{
    uint32_t at = leaf_lower(n, step->key);
    step->live_change = version_live(step->version);
    if (at == n->count || !slice_equal(version_key(n->entries[at]), step->key))
        return leaf_insert(t, n, at, step);
    step->live_change -= version_live(n->entries[at]);
    n->entries[at] = step->version;
    return NULL;
}

static struct tree_child child_of(struct tree_node *n)
{
    return (struct tree_child){n, node_min(n), tree_live(n)};
}

/* Puts `made` behind child `at` of `n`; returns the new right neighbour of `n` when that had to be split. */
static struct tree_node *inner_insert(struct tree *t, struct tree_node *n, uint32_t at, bool last, struct tree_node *made)
{
    struct tree_node *right = NULL, *into = n;
    at++;
    if (n->count == TREE_NODE_MAX) {
        right = node_split(t, n, at, last);
        if (at > n->count || right->count == 0) {
            into = right;
            at -= n->count;
        }
    }
    memmove(into->children + at + 1, into->children + at, (into->count - at) * sizeof into->children[0]);
    into->children[at] = child_of(made);
    into->count++;
    return right;
}

/* Where a key is to be put: behind the end of a full leaf, in its neighbour if that has room. */
static uint32_t child_for(const struct tree_node *n, struct slice key)
{
    const uint32_t at = child_index(n, key);
    const struct tree_node *leaf = n->children[at].node;
    if (!leaf->leaf || leaf->count < TREE_NODE_MAX || at + 1 == n->count || n->children[at + 1].node->count == TREE_NODE_MAX)
        return at;
    return slice_compare(version_key(leaf->entries[leaf->count - 1]), key) < 0 ? at + 1 : at;
}

/* Returns the right neighbour that a split made, else NULL. */
static struct tree_node *node_put(struct tree *t, struct tree_node **slot, struct put_step *step)
{
    struct tree_node *n = node_writable(t, slot);
    if (n->leaf)
        return leaf_put(t, n, step);
    uint32_t at = child_for(n, step->key);
    const bool last = step->last;
    step->last = last && at + 1 == n->count;
    struct tree_child *child = &n->children[at];
    struct tree_node *made = node_put(t, &child->node, step);
    child->min = node_min(child->node);
    if (made == NULL) {
        child->live += (uint64_t)(int64_t)step->live_change;
        return NULL;
    }
    child->live = tree_live(child->node);
    return inner_insert(t, n, at, last, made);
}

void tree_put(struct tree *t, struct version *v)
{
    struct put_step step = {.key = version_key(v), .version = v, .last = true};
    if (t->root == NULL)
        t->root = node_new(t, true);
    struct tree_node *right = node_put(t, &t->root, &step);
    if (right != NULL) {
        struct tree_node *root = node_new(t, false);
        root->children[0] = child_of(t->root);
        root->children[1] = child_of(right);
        root->count = 2;
        t->root = root;
    }
}

/* Joins child at+1 of `n` to child `at` when both are thin. */
static void children_join(struct tree *t, struct tree_node *n, uint32_t at)
{
    if (at + 1 >= n->count)
        return;
    struct tree_node *right = n->children[at + 1].node;
    uint32_t sum = n->children[at].node->count + right->count;
    if (sum > TREE_NODE_MAX / 2)
        return;
    struct tree_node *left = node_writable(t, &n->children[at].node);
    if (left->leaf)
        memcpy(left->entries + left->count, right->entries, right->count * sizeof right->entries[0]);
    else
        memcpy(left->children + left->count, right->children, right->count * sizeof right->children[0]);
    left->count = sum;
    n->children[at].live += n->children[at + 1].live;
    node_retire(t, right);
    n->count--;
    memmove(n->children + at + 1, n->children + at + 2, (n->count - at - 1) * sizeof n->children[0]);
}

static void leaf_remove(struct tree_node *n, const struct version *v)
{
    uint32_t at = leaf_lower(n, version_key(v));
    ASSERT(at < n->count);
    ASSERT(n->entries[at] == v);
    ASSERT(!version_live(v));
    n->count--;
    memmove(n->entries + at, n->entries + at + 1, (n->count - at) * sizeof n->entries[0]);
}

static void node_remove(struct tree *t, struct tree_node **slot, const struct version *v)
{
    struct tree_node *n = node_writable(t, slot);
    if (n->leaf) {
        leaf_remove(n, v);
        return;
    }
    uint32_t at = child_index(n, version_key(v));
    node_remove(t, &n->children[at].node, v);
    struct tree_node *child = n->children[at].node;
    if (child->count == 0) {
        node_retire(t, child);
        n->count--;
        memmove(n->children + at, n->children + at + 1, (n->count - at) * sizeof n->children[0]);
        return;
    }
    n->children[at].min = node_min(child);
    children_join(t, n, at);
    if (at > 0)
        children_join(t, n, at - 1);
}

void tree_remove(struct tree *t, const struct version *v)
{
    ASSERT(t->root != NULL);
    node_remove(t, &t->root, v);
    t->key_count--;
    while (t->root != NULL && (t->root->count == 0 || (!t->root->leaf && t->root->count == 1))) {
        struct tree_node *old = t->root;
        t->root = old->count == 0 ? NULL : old->children[0].node;
        node_retire(t, old);
    }
}

const struct tree_node *tree_pin(struct tree *t, uint64_t *ret_pin)
{
    ASSERT(t->pin_count < TREE_PINS_MAX);
    *ret_pin = t->pins[t->pin_count++] = t->epoch++;
    return t->root;
}

/* Frees what only released pins could reach. */
static void retired_sweep(struct tree *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->retired_count; i++) {
        if (node_shared(t, t->retired[i]))
            t->retired[kept++] = t->retired[i];
        else
            node_free(t, t->retired[i]);
    }
    t->retired_count = kept;
}

void tree_unpin(struct tree *t, uint64_t pin)
{
    for (size_t i = 0; i < t->pin_count; i++) {
        if (t->pins[i] != pin)
            continue;
        t->pin_count--;
        memmove(t->pins + i, t->pins + i + 1, (t->pin_count - i) * sizeof t->pins[0]);
        retired_sweep(t);
        return;
    }
    PANIC("a pin is released that is not held");
}

static void node_free_all(struct tree *t, struct tree_node *n)
{
    for (uint32_t i = 0; !n->leaf && i < n->count; i++)
        node_free_all(t, n->children[i].node);
    node_free(t, n);
}

void tree_free(struct tree *t)
{
    ASSERT(t->pin_count == 0);
    retired_sweep(t);
    if (t->root != NULL)
        node_free_all(t, t->root);
    ASSERT(t->node_bytes == 0);
    mem_free(t->retired);
    *t = (struct tree){0};
}

static unsigned node_check(const struct tree_node *n, bool root)
{
    unsigned height = 0;
    ASSERT(n->count > 0 && n->count <= TREE_NODE_MAX);
    ASSERT(IMPLIES(root && !n->leaf, n->count > 1));
    for (uint32_t i = 0; i < n->count; i++) {
        const struct version *v = n->leaf ? n->entries[i] : n->children[i].min;
        const struct version *before = i == 0 ? NULL : n->leaf ? n->entries[i - 1] : n->children[i - 1].min;
        ASSERT(before == NULL || slice_compare(version_key(before), version_key(v)) < 0);
        if (n->leaf)
            continue;
        ASSERT(v == node_min(n->children[i].node));
        ASSERT(n->children[i].live == tree_live(n->children[i].node));
        unsigned below = node_check(n->children[i].node, false);
        ASSERT(i == 0 || below == height);
        height = below;
    }
    return height + 1;
}

void tree_check(const struct tree *t)
{
    if (t->root != NULL)
        ASSERT(node_check(t->root, true) <= TREE_HEIGHT_MAX);
}
