/* The published facts of the Kubernetes API, for tests: the schema (definitions and paths) as JSON and the numbers of
 * its protobuf messages. They lie beside the repository, or where KEELSON_API_DATA says; without them a test fails and
 * names what is missing. Included by one test. */
#ifndef TESTS_UNIT_API_FACTS_H
#define TESTS_UNIT_API_FACTS_H

#include "tests/test.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/map.h"
#include "common/mem.h"

#include <stdio.h>

struct fact_number {
    struct slice message, name; /* "api/core/v1.Volume", "name"; without a name: inlined, its fields are `type`'s */
    struct slice type;
    unsigned number;
};

struct facts {
    struct json_doc *d;
    struct json *root, *definitions, *paths;
    struct buf schema, table;
    struct fact_number *numbers;
    size_t number_count;
    struct map first; /* of a message: its first row in `numbers`; its rows stand together */
};

static inline void facts_read(const char *name, struct buf *out)
{
    char path[512];
    const char *folder = getenv("KEELSON_API_DATA");
    (void)snprintf(path, sizeof path, "%s/%s", folder == NULL ? "../shared/data" : folder, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s is missing: the facts of the API (KEELSON_API_DATA names their folder)", path);
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_append(out, piece, n);
    assert_ok(fclose(f));
}

/* "message number name wire type inline", separated by tabs; rows without a number are no messages. */
static inline void facts_numbers(struct facts *f)
{
    struct slice rest = buf_slice(&f->table);
    size_t capacity = 0;
    while (rest.size > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct fact_number n = {.message = slice_cut(&line, '\t')};
        struct slice number = slice_cut(&line, '\t');
        n.name = slice_cut(&line, '\t');
        (void)slice_cut(&line, '\t'); /* how it goes over the wire follows from the type */
        n.type = slice_cut(&line, '\t');
        if (number.size == 0 || slice_is(number, "number"))
            continue;
        n.number = (unsigned)strtoul(number.data, NULL, 10);
        if (f->number_count == capacity) {
            capacity = MAX(capacity * 2, (size_t)4096);
            f->numbers = mem_realloc(f->numbers, capacity * sizeof *f->numbers);
        }
        f->numbers[f->number_count++] = n;
    }
    for (size_t i = f->number_count; i-- > 0;)
        (void)map_put(&f->first, f->numbers[i].message, &f->numbers[i]); /* the first of equals stays */
}

static inline void facts_load(struct facts *f)
{
    struct err why;
    *f = (struct facts){.d = json_doc_new()};
    facts_read("kubernetes-1.32-api.json", &f->schema);
    facts_read("kubernetes-1.32-protobuf.tsv", &f->table);
    if (json_parse(f->d, buf_slice(&f->schema), &f->root, &why) != 0)
        fail_msg("the facts of the API: %s", why.message);
    f->definitions = json_get(f->root, "definitions");
    f->paths = json_get(f->root, "paths");
    assert_true(json_size(f->definitions) > 0 && json_size(f->paths) > 0);
    facts_numbers(f);
    assert_true(f->number_count > 0);
}

static inline void facts_release(struct facts *f)
{
    map_release(&f->first);
    mem_free(f->numbers);
    buf_release(&f->schema);
    buf_release(&f->table);
    json_doc_free(f->d);
}

static inline bool facts_message(const struct facts *f, struct slice message)
{
    return map_get(&f->first, message) != NULL;
}

/* The way to a field on the wire: "3", or "2.1" through an inlined message; false when it has none. */
static inline bool facts_number(const struct facts *f, struct slice message, struct slice name, struct buf *out)
{
    const struct fact_number *n = map_get(&f->first, message);
    for (; n != NULL && n < f->numbers + f->number_count && slice_equal(n->message, message); n++) {
        size_t mark = out->size;
        buf_printf(out, "%s%u", mark > 0 ? "." : "", n->number);
        if (n->name.size > 0 ? slice_equal(n->name, name) : facts_number(f, n->type, name, out))
            return true;
        out->size = mark;
    }
    return false;
}

/* io.k8s.api.core.v1.Pod is the message api/core/v1.Pod; types of the machinery have longer names of their own. */
static inline void facts_message_of(struct slice definition, struct buf *out)
{
    static const struct {
        const char *prefix, *message;
    } roots[] = {{"io.k8s.api.", "api/"}, {"io.k8s.apimachinery.pkg.apis.meta.v1.", "apimachinery/pkg/apis/meta/v1."}};
    buf_reset(out);
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct slice prefix = slice_str(roots[i].prefix);
        if (!slice_has_prefix(definition, prefix))
            continue;
        struct slice rest = slice_from(definition, prefix.size);
        buf_append_str(out, roots[i].message);
        if (i == 0) {
            struct slice group = slice_cut(&rest, '.');
            buf_printf(out, "%.*s/", SLICE_ARGS(group));
        }
        buf_append_slice(out, rest);
        return;
    }
    buf_append(out, "", 0);
}

#endif
