/* Walks libyaml's document tree; aliases are plain repetitions in it, so size and depth are bounded on the way out. */
#include "common/base.h"

#include "common/json.h"
#include "common/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

struct walk {
    yaml_document_t *document;
    struct buf *out;
    size_t begin; /* size of `out` before */
    struct err *reterr;
};

static bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

/* An integer as Go's ParseInt reads it with base 0: 0x, 0o, 0b, a leading zero is octal. */
static bool is_int(const char *text, int64_t *ret)
{
    const char *digits = text + (*text == '-' || *text == '+' ? 1 : 0);
    int base = 10;
    if (digits[0] == '0' && (digits[1] == 'o' || digits[1] == 'b')) {
        base = digits[1] == 'o' ? 8 : 2;
        digits += 2;
    } else if (digits[0] == '0' && digits[1] != '\0') {
        base = digits[1] == 'x' ? 16 : 8;
    }
    char *end;
    errno = 0;
    if (*digits < '0' || (*digits > '9' && base != 16))
        return false;
    long long v = strtoll(digits, &end, base);
    *ret = *text == '-' ? -v : v;
    return *end == '\0' && errno == 0;
}

static bool is_float(const char *text)
{
    char *end;
    if (strspn(text, "+-.0123456789eE") != strlen(text) || strpbrk(text, "0123456789") == NULL)
        return false;
    double v = strtod(text, &end);
    return *end == '\0' && isfinite(v);
}

static void print_scalar(struct walk *w, const yaml_node_t *n)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
    static const char *const no[] = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL};
    const char *text = (const char *)n->data.scalar.value;
    bool plain = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(text) == n->data.scalar.length;
    int64_t number;
    if (plain && one_of(text, nulls))
        buf_append_str(w->out, "null");
    else if (plain && (one_of(text, yes) || one_of(text, no)))
        buf_append_str(w->out, one_of(text, yes) ? "true" : "false");
    else if (plain && is_int(text, &number))
        buf_printf(w->out, "%" PRId64, number);
    else if (plain && is_float(text))
        buf_printf(w->out, "%.17g", strtod(text, NULL));
    else
        json_print_string(slice_of(text, n->data.scalar.length), w->out);
}

static int print_node(struct walk *w, int index, unsigned depth);

static int print_key(struct walk *w, const yaml_node_t *key)
{
    if (key == NULL || key->type != YAML_SCALAR_NODE)
        return err_set(w->reterr, ERR_BAD_REQUEST, "yaml: line %zu: a key is no scalar",
                       key == NULL ? 0 : key->start_mark.line + 1);
    json_print_string(slice_of(key->data.scalar.value, key->data.scalar.length), w->out);
    buf_append_char(w->out, ':');
    return 0;
}

static int print_mapping(struct walk *w, const yaml_node_t *n, unsigned depth)
{
    buf_append_char(w->out, '{');
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        if (p > n->data.mapping.pairs.start)
            buf_append_char(w->out, ',');
        int rv = print_key(w, yaml_document_get_node(w->document, p->key));
        if (rv == 0)
            rv = print_node(w, p->value, depth + 1);
        if (rv < 0)
            return rv;
    }
    buf_append_char(w->out, '}');
    return 0;
}

static int print_sequence(struct walk *w, const yaml_node_t *n, unsigned depth)
{
    buf_append_char(w->out, '[');
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        if (i > n->data.sequence.items.start)
            buf_append_char(w->out, ',');
        int rv = print_node(w, *i, depth + 1);
        if (rv < 0)
            return rv;
    }
    buf_append_char(w->out, ']');
    return 0;
}

static int print_node(struct walk *w, int index, unsigned depth)
{
    const yaml_node_t *n = yaml_document_get_node(w->document, index);
    if (depth > JSON_DEPTH_MAX || w->out->size - w->begin > YAML_JSON_BYTES_MAX)
        return err_set(w->reterr, ERR_TOO_LARGE, "yaml: document is nested deeper than %d or longer than %d bytes as JSON",
                       JSON_DEPTH_MAX, YAML_JSON_BYTES_MAX);
    switch (n == NULL ? YAML_NO_NODE : n->type) {
    case YAML_SCALAR_NODE: print_scalar(w, n); return 0;
    case YAML_MAPPING_NODE: return print_mapping(w, n, depth);
    case YAML_SEQUENCE_NODE: return print_sequence(w, n, depth);
    default: return err_set(w->reterr, ERR_BAD_REQUEST, "yaml: document is damaged");
    }
}

int yaml_to_json(struct slice text, struct buf *out, struct err *reterr)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0)
        return err_set(reterr, ERR_INTERNAL, "yaml: the parser cannot be made");
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.size == 0 ? "" : text.data), text.size);
    int rv = 0;
    if (yaml_parser_load(&parser, &document) == 0) {
        rv = err_set(reterr, ERR_BAD_REQUEST, "yaml: line %zu: %s", parser.problem_mark.line + 1,
                     parser.problem == NULL ? "unreadable" : parser.problem);
    } else {
        struct walk w = {&document, out, out->size, reterr};
        bool empty = yaml_document_get_root_node(&document) == NULL;
        if (empty)
            buf_append_str(out, "null");
        else
            rv = print_node(&w, 1, 0);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return rv;
}
