/* A hand-written parser: the grammar is a comma-separated list of "key", "!key", "key op value", "key in (a,b)". */
#include "common/base.h"

#include "common/kube/selector.h"
#include "common/mem.h"

struct parser {
    struct slice rest;
    struct selector *s;
    struct err *reterr;
};

void selector_release(struct selector *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < s->terms[i].value_count; k++)
            mem_free(s->terms[i].values[k]);
        mem_free(s->terms[i].values);
        mem_free(s->terms[i].key);
    }
    mem_free(s->terms);
    *s = (struct selector){0};
}

static int add_term(struct selector *s, struct slice key, enum selector_operator operator, struct err * reterr)
{
    if (s->count == SELECTOR_TERMS_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "a selector has at most %d terms", SELECTOR_TERMS_MAX);
    s->terms = mem_realloc(s->terms, (s->count + 1) * sizeof *s->terms);
    s->terms[s->count++] = (struct selector_term){.key = mem_slice_dup(key), .operator= operator};
    return 0;
}

static int add_value(struct selector *s, struct slice value, struct err *reterr)
{
    struct selector_term *t = &s->terms[s->count - 1];
    if (t->value_count == SELECTOR_VALUES_MAX)
        return err_set(reterr, ERR_BAD_REQUEST, "a selector's term has at most %d values", SELECTOR_VALUES_MAX);
    t->values = mem_realloc(t->values, (t->value_count + 1) * sizeof *t->values);
    t->values[t->value_count++] = mem_slice_dup(value);
    return 0;
}

static void skip_space(struct parser *p)
{
    while (p->rest.size > 0 && (p->rest.data[0] == ' ' || p->rest.data[0] == '\t'))
        p->rest = slice_from(p->rest, 1);
}

static bool take(struct parser *p, const char *text)
{
    skip_space(p);
    if (!slice_has_prefix(p->rest, slice_str(text)))
        return false;
    p->rest = slice_from(p->rest, strlen(text));
    return true;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '/';
}

static struct slice word(struct parser *p)
{
    skip_space(p);
    size_t n = 0;
    while (n < p->rest.size && word_char(p->rest.data[n]))
        n++;
    struct slice w = slice_of(p->rest.data, n);
    p->rest = slice_from(p->rest, n);
    return w;
}

static int unexpected(struct parser *p, const char *wanted)
{
    if (p->rest.size == 0)
        return err_set(p->reterr, ERR_BAD_REQUEST, "unable to parse requirement: found '', expected: %s", wanted);
    return err_set(p->reterr, ERR_BAD_REQUEST, "unable to parse requirement: found '%c', expected: %s", p->rest.data[0],
                   wanted);
}

/* What Go's parser says between two requirements, where it stands outside of any. */
static int found(struct parser *p, const char *wanted)
{
    return err_set(p->reterr, ERR_BAD_REQUEST, "found '%.*s', expected: %s", p->rest.size > 0 ? 1 : 0,
                   p->rest.size > 0 ? p->rest.data : "", wanted);
}

static int values_in_parentheses(struct parser *p)
{
    if (!take(p, "("))
        return unexpected(p, "'('");
    for (;;) {
        int code = add_value(p->s, word(p), p->reterr);
        if (code != 0)
            return code;
        if (take(p, ")"))
            return 0;
        if (!take(p, ","))
            return unexpected(p, "',' or ')'");
    }
}

static bool take_word(struct parser *p, const char *text)
{
    struct parser look = *p;
    if (!slice_is(word(&look), text))
        return false;
    *p = look;
    return true;
}

static int label_term(struct parser *p)
{
    if (take(p, "!")) {
        struct slice key = word(p);
        return key.size == 0 ? unexpected(p, "a label key") : add_term(p->s, key, SELECTOR_NOT_EXISTS, p->reterr);
    }
    struct slice key = word(p);
    if (key.size == 0)
        return found(p, "!, identifier, or 'end of string'");
    enum selector_operator operator;
    if (take(p, "!="))
        operator= SELECTOR_NOT_EQUAL;
    else if (take(p, "==") || take(p, "="))
        operator= SELECTOR_EQUAL;
    else if (take_word(p, "in"))
        operator= SELECTOR_IN;
    else if (take_word(p, "notin"))
        operator= SELECTOR_NOT_IN;
    else
        return add_term(p->s, key, SELECTOR_EXISTS, p->reterr);
    int code = add_term(p->s, key, operator, p->reterr);
    if (code != 0)
        return code;
    return operator== SELECTOR_IN || operator== SELECTOR_NOT_IN ? values_in_parentheses(p)
                                                                : add_value(p->s, word(p), p->reterr);
}

int selector_parse_labels(struct slice text, struct selector *ret, struct err *reterr)
{
    struct selector s = {0};
    struct parser p = {text, &s, reterr};
    int code = 0;
    skip_space(&p);
    while (code == 0 && p.rest.size > 0) {
        code = label_term(&p);
        skip_space(&p);
        if (code != 0 || p.rest.size == 0)
            break;
        if (!take(&p, ","))
            code = found(&p, "',' or 'end of string'");
        skip_space(&p);
        if (code == 0 && (p.rest.size == 0 || (p.rest.data[0] != '!' && !word_char(p.rest.data[0]))))
            code = found(&p, "identifier after ','");
    }
    if (code != 0) {
        selector_release(&s);
        return code;
    }
    *ret = s;
    return 0;
}

/* Up to the next unescaped ',' of a field selector. */
static struct slice field_term(struct slice *rest)
{
    size_t n = 0;
    while (n < rest->size && rest->data[n] != ',')
        n += rest->data[n] == '\\' && n + 1 < rest->size ? 2 : 1;
    struct slice term = slice_of(rest->data, MIN(n, rest->size));
    *rest = n < rest->size ? slice_from(*rest, n + 1) : (struct slice){NULL, 0};
    return term;
}

static int add_field_value(struct selector *s, struct slice raw, struct err *reterr)
{
    struct buf plain = {0};
    buf_append(&plain, "", 0);
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] == '\\' && i + 1 < raw.size)
            i++;
        buf_append_char(&plain, raw.data[i]);
    }
    int code = add_value(s, buf_slice(&plain), reterr);
    buf_release(&plain);
    return code;
}

int selector_parse_fields(struct slice text, struct selector *ret, struct err *reterr)
{
    struct selector s = {0};
    struct slice rest = text;
    int code = 0;
    while (code == 0 && rest.size > 0) {
        struct slice term = field_term(&rest);
        size_t at = slice_find(term, '=');
        if (term.size == 0)
            continue;
        if (at == term.size || at == 0) {
            code = err_set(reterr, ERR_BAD_REQUEST, "invalid selector: '%.*s'; can't understand '%.*s'",
                           SLICE_ARGS(text), SLICE_ARGS(term));
            break;
        }
        bool negative = term.data[at - 1] == '!';
        struct slice value = slice_from(term, at + 1);
        if (!negative && value.size > 0 && value.data[0] == '=')
            value = slice_from(value, 1);
        code = add_term(&s, slice_of(term.data, at - (negative ? 1 : 0)),
                        negative ? SELECTOR_NOT_EQUAL : SELECTOR_EQUAL, reterr);
        if (code == 0)
            code = add_field_value(&s, value, reterr);
    }
    if (code != 0) {
        selector_release(&s);
        return code;
    }
    *ret = s;
    return 0;
}

static int expression(struct selector *s, const struct json *e, struct err *reterr)
{
    static const struct {
        const char *name;
        enum selector_operator operator;
    } operators[] = {{"In", SELECTOR_IN},
                     {"NotIn", SELECTOR_NOT_IN},
                     {"Exists", SELECTOR_EXISTS},
                     {"DoesNotExist", SELECTOR_NOT_EXISTS}};
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!slice_is(json_string_at(e, "operator"), operators[i].name))
            continue;
        int code = add_term(s, json_string_at(e, "key"), operators[i].operator, reterr);
        struct json_iterator v = json_iterate(json_get(e, "values"));
        while (code == 0 && json_next(&v))
            code = add_value(s, json_string(v.value), reterr);
        return code;
    }
    return err_set(reterr, ERR_INVALID, "\"%.*s\" is not a valid label selector operator",
                   SLICE_ARGS(json_string_at(e, "operator")));
}

int selector_from_json(const struct json *label_selector, struct selector *ret, struct err *reterr)
{
    if (json_type(label_selector) != JSON_OBJECT)
        return err_set(reterr, ERR_INVALID, "no label selector");
    struct selector s = {0};
    int code = 0;
    struct json_iterator i = json_iterate(json_get(label_selector, "matchLabels"));
    while (code == 0 && json_next(&i)) {
        code = add_term(&s, i.key, SELECTOR_EQUAL, reterr);
        if (code == 0)
            code = add_value(&s, json_string(i.value), reterr);
    }
    i = json_iterate(json_get(label_selector, "matchExpressions"));
    while (code == 0 && json_next(&i))
        code = expression(&s, i.value, reterr);
    if (code != 0) {
        selector_release(&s);
        return code;
    }
    *ret = s;
    return 0;
}

static bool has_value(const struct selector_term *t, struct slice value)
{
    for (size_t i = 0; i < t->value_count; i++) {
        if (slice_is(value, t->values[i]))
            return true;
    }
    return false;
}

static bool term_matches(const struct selector_term *t, struct slice value)
{
    bool present = value.data != NULL;
    switch (t->operator) {
    case SELECTOR_EXISTS: return present;
    case SELECTOR_NOT_EXISTS: return !present;
    case SELECTOR_IN:
    case SELECTOR_EQUAL: return present && has_value(t, value);
    default: return !present || !has_value(t, value);
    }
}

bool selector_matches(const struct selector *s, struct slice (*get)(void *arg, struct slice key), void *arg)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!term_matches(&s->terms[i], get(arg, slice_str(s->terms[i].key))))
            return false;
    }
    return true;
}

static struct slice get_label(void *arg, struct slice key) { return json_string(json_get_slice(arg, key)); }

bool selector_matches_json(const struct selector *s, const struct json *labels)
{
    return selector_matches(s, get_label, (void *)(uintptr_t)labels);
}

const char *selector_required(const struct selector *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->terms[i].operator== SELECTOR_EQUAL && strcmp(s->terms[i].key, key) == 0)
            return s->terms[i].values[0];
    }
    return NULL;
}

void selector_print(const struct selector *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct selector_term *t = &s->terms[i];
        buf_printf(out, "%s%s%s", i == 0 ? "" : ",", t->operator== SELECTOR_NOT_EXISTS ? "!" : "", t->key);
        if (t->operator== SELECTOR_EQUAL || t->operator== SELECTOR_NOT_EQUAL)
            buf_printf(out, "%s%s", t->operator== SELECTOR_EQUAL ? "=" : "!=", t->values[0]);
        if (t->operator!= SELECTOR_IN && t->operator!= SELECTOR_NOT_IN)
            continue;
        buf_append_str(out, t->operator== SELECTOR_IN ? " in (" : " notin (");
        for (size_t k = 0; k < t->value_count; k++)
            buf_printf(out, "%s%s", k == 0 ? "" : ",", t->values[k]);
        buf_append_char(out, ')');
    }
}
