/* What the targets about objects share: a kind by a byte, the facts of a write, canonical objects. */
#ifndef TESTS_FUZZ_API_H
#define TESTS_FUZZ_API_H

#include "apiserver/kinds/kinds.h"
#include "apiserver/verbs.h"
#include "common/mem.h"

static inline const struct kind *fuzz_kind(uint8_t byte)
{
    size_t n = 0;
    while (kinds_all()[n] != NULL)
        n++;
    return kinds_all()[byte % n];
}

static inline uint8_t fuzz_kind_byte(const struct kind *k) { return (uint8_t)kinds_index(k); }

static inline struct verb_facts fuzz_facts(const struct kind *k, struct strict *strict)
{
    return (struct verb_facts){.kind = k,
                               .stored = kinds_stored(k),
                               .namespace = k->namespaced ? SLICE("default") : SLICE(""),
                               .name = SLICE("n"),
                               .manager = "fuzzer",
                               .now_us = 1700000000000000,
                               .uid = "00000000-0000-4000-8000-000000000000",
                               .suffix = "bcdfg",
                               .strict = strict};
}

/* What is stored can be read again, and is its own canonical form. */
static inline void fuzz_check_stored(const struct kind *k, struct slice bytes)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL, *again = NULL;
    struct buf text = {0};
    struct err why;
    ASSERT(json_parse(d, bytes, &tree, &why) == 0);
    ASSERT(schema_decode(d, kinds_stored(k)->type, tree, NULL, &again, &why) == 0);
    json_print(again, &text);
    ASSERT(slice_equal(buf_slice(&text), bytes));
    buf_release(&text);
    json_doc_free(d);
}

#endif
