/* RFC 6902 over RFC 6901 pointers. */
#include "common/base.h"

#include "apiserver/limits.h"
#include "apiserver/patch.h"

struct place {
    struct json *parent; /* NULL: the whole document */
    struct buf key;      /* unescaped last token */
};

static int token_unescape(struct slice token, struct buf *out, struct err *reterr)
{
    buf_reset(out);
    buf_append(out, "", 0);
    for (size_t i = 0; i < token.size; i++) {
        char c = token.data[i];
        if (c == '~') {
            char next = i + 1 < token.size ? token.data[++i] : '\0';
            if (next != '0' && next != '1')
                return err_set(reterr, ERR_INVALID, "bad escape in JSON pointer");
            c = next == '0' ? '~' : '/';
        }
        buf_append_char(out, c);
    }
    return 0;
}

static bool index_parse(struct slice s, size_t limit, size_t *ret)
{
    size_t v = 0;
    if (s.size == 0 || s.size > 9 || (s.size > 1 && s.data[0] == '0'))
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        v = v * 10 + (size_t)(s.data[i] - '0');
    }
    *ret = v;
    return v < limit;
}

static struct json *child(struct json *at, struct slice key)
{
    size_t index;
    if (json_type(at) == JSON_ARRAY)
        return index_parse(key, json_size(at), &index) ? json_element(at, index) : NULL;
    return json_get_slice(at, key);
}

static int locate(struct json *root, struct slice pointer, struct place *ret, struct err *reterr)
{
    ret->parent = NULL;
    if (pointer.size == 0)
        return 0;
    if (pointer.data[0] != '/')
        return err_set(reterr, ERR_INVALID, "JSON pointer \"%.*s\" does not begin with '/'", SLICE_ARGS(pointer));
    struct slice rest = slice_from(pointer, 1);
    struct json *at = root;
    for (;;) {
        int code = token_unescape(slice_cut(&rest, '/'), &ret->key, reterr);
        if (code != 0)
            return code;
        if (rest.data == NULL)
            break;
        at = child(at, buf_slice(&ret->key));
        if (at == NULL)
            return err_set(reterr, ERR_INVALID, "the path \"%.*s\" is not there", SLICE_ARGS(pointer));
    }
    ret->parent = at;
    return 0;
}

static int missing(struct slice path, const char *operation, struct err *reterr)
{
    return err_set(reterr, ERR_INVALID, "%s operation does not apply: doc is missing path: \"%.*s\"", operation,
                   SLICE_ARGS(path));
}

/* Everything recursive over the result relies on its depth. */
static int deepness_check(struct slice path, const struct json *value, struct err *reterr)
{
    size_t depth = json_depth(value);
    for (size_t i = 0; i < path.size; i++)
        depth += path.data[i] == '/' ? 1 : 0;
    return depth <= JSON_DEPTH_MAX
               ? 0
               : err_set(reterr, ERR_INVALID, "the result is nested deeper than %d levels", JSON_DEPTH_MAX);
}

static int add(struct json_doc *d, struct json **root, struct slice path, struct json *value, struct err *reterr)
{
    struct place p = {0};
    size_t index;
    int code = deepness_check(path, value, reterr);
    if (code == 0)
        code = locate(*root, path, &p, reterr);
    if (code != 0) {
        /* nothing */
    } else if (path.size == 0) {
        *root = value;
    } else if (json_type(p.parent) == JSON_OBJECT) {
        json_set_slice(d, p.parent, buf_slice(&p.key), value);
    } else if (json_type(p.parent) == JSON_ARRAY && slice_is(buf_slice(&p.key), "-")) {
        json_append(p.parent, value);
    } else if (json_type(p.parent) == JSON_ARRAY && index_parse(buf_slice(&p.key), json_size(p.parent) + 1, &index)) {
        json_insert(p.parent, index, value);
    } else {
        code = missing(path, "add", reterr);
    }
    buf_release(&p.key);
    return code;
}

/* The value at a path, in its place; with `remove`, out of it. The whole document cannot be taken out. */
static int take(struct json *root, struct slice path, bool remove, struct json **ret, struct err *reterr)
{
    struct place p = {0};
    size_t index = 0;
    int code = locate(root, path, &p, reterr);
    if (code == 0 && path.size == 0) {
        *ret = root;
        code = remove ? missing(path, "remove", reterr) : 0;
    } else if (code == 0) {
        *ret = child(p.parent, buf_slice(&p.key));
        if (*ret == NULL)
            code = missing(path, remove ? "remove" : "copy", reterr);
        else if (remove && json_type(p.parent) == JSON_OBJECT)
            (void)json_remove_slice(p.parent, buf_slice(&p.key)); /* found just now */
        else if (remove && index_parse(buf_slice(&p.key), json_size(p.parent), &index))
            json_remove_element(p.parent, index);
    }
    buf_release(&p.key);
    return code;
}

static int replace(struct json_doc *d, struct json **root, struct slice path, struct json *value, struct err *reterr)
{
    struct place p = {0};
    size_t index = 0;
    int code = deepness_check(path, value, reterr);
    if (code == 0)
        code = locate(*root, path, &p, reterr);
    if (code == 0 && path.size == 0)
        *root = value;
    else if (code == 0 && child(p.parent, buf_slice(&p.key)) == NULL)
        code = missing(path, "replace", reterr);
    else if (code == 0 && json_type(p.parent) == JSON_OBJECT)
        json_set_slice(d, p.parent, buf_slice(&p.key), value);
    else if (code == 0 && index_parse(buf_slice(&p.key), json_size(p.parent), &index))
        json_replace_element(p.parent, index, value);
    buf_release(&p.key);
    return code;
}

/* Copies of copies grow without bound, and to move much often takes long: all of a patch's together stay below the size
 * of a body. */
static int carried_check(const struct json *value, size_t *carried, struct err *reterr)
{
    struct buf text = {0};
    json_print(value, &text);
    *carried += text.size;
    buf_release(&text);
    return *carried <= BODY_BYTES_MAX
               ? 0
               : err_set(reterr, ERR_INVALID, "what a JSON patch copies and moves is larger than %d bytes",
                         BODY_BYTES_MAX);
}

/* `carried`: bytes of the copies and moves so far. */
static int operate(struct json_doc *d, struct json **root, const struct json *o, size_t *carried, struct err *reterr)
{
    struct slice op = json_string_at(o, "op"), path = json_string(json_get(o, "path")),
                 from = json_string(json_get(o, "from"));
    const struct json *given = json_get(o, "value");
    struct json *value = NULL;
    int code;
    if (path.data == NULL)
        return err_set(reterr, ERR_INVALID, "a JSON patch operation has no path");
    if (slice_is(op, "remove"))
        return take(*root, path, true, &value, reterr);
    if (slice_is(op, "move") || slice_is(op, "copy")) {
        if (from.data == NULL)
            return err_set(reterr, ERR_INVALID, "a JSON patch operation has no from");
        bool move = slice_is(op, "move");
        code = take(*root, from, move, &value, reterr);
        if (code == 0)
            code = carried_check(value, carried, reterr);
        if (code == 0 && !move)
            value = json_copy(d, value);
        return code != 0 ? code : add(d, root, path, value, reterr);
    }
    if (given == NULL)
        return err_set(reterr, ERR_INVALID, "a JSON patch operation has no value");
    if (slice_is(op, "add"))
        return add(d, root, path, json_copy(d, given), reterr);
    if (slice_is(op, "replace"))
        return replace(d, root, path, json_copy(d, given), reterr);
    if (!slice_is(op, "test"))
        return err_set(reterr, ERR_INVALID, "unexpected JSON patch operation \"%.*s\"", SLICE_ARGS(op));
    struct err ignored;
    bool there = take(*root, path, false, &value, &ignored) == 0;
    if (there ? !json_equal(value, given) : json_type(given) != JSON_NULL)
        return err_set(reterr, ERR_INVALID, "testing value %.*s failed: test failed", SLICE_ARGS(path));
    return 0;
}

int patch_wrong_type(const struct json *patch, const char *go_type, struct err *reterr)
{
    static const char *const words[] = {
        [JSON_NONE] = "null",     [JSON_NULL] = "null",   [JSON_BOOL] = "bool",    [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
    return err_set(reterr, ERR_BAD_REQUEST, "error decoding patch: json: cannot unmarshal %s into Go value of type %s",
                   words[json_type(patch)], go_type);
}

int patch_json(struct json_doc *d, const struct json *target, const struct json *operations, struct json **ret,
               struct err *reterr)
{
    if (json_type(operations) != JSON_ARRAY)
        return patch_wrong_type(operations, "[]handlers.jsonPatchOp", reterr);
    if (json_size(operations) > PATCH_OPERATIONS_MAX)
        return err_set(reterr, ERR_TOO_LARGE,
                       "Request entity too large: The allowed maximum operations in a JSON patch is %d, got %zu",
                       PATCH_OPERATIONS_MAX, json_size(operations));
    struct json *root = json_copy(d, target);
    size_t carried = 0;
    struct json_iterator i = json_iterate(operations);
    while (json_next(&i)) {
        int code = operate(d, &root, i.value, &carried, reterr);
        if (code != 0)
            return code;
    }
    *ret = root;
    return 0;
}
