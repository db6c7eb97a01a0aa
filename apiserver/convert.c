#include "common/base.h"

#include "apiserver/convert.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/schema.h"

static void set_version(const struct kind *k, struct json_doc *d, struct json *object)
{
    char version[128];
    json_set_str(d, object, "kind", k->name);
    json_set_str(d, object, "apiVersion", kinds_api_version(k, version));
}

int convert_from_stored(const struct kind *k, struct json_doc *d, const struct json *stored, struct json **ret,
                        struct err *reterr)
{
    ASSERT(k->stored_as != NULL);
    struct json *object = json_copy(d, stored);
    k->from_stored(d, object);
    set_version(k, d, object);
    return schema_decode(d, k->type, object, NULL, ret, reterr);
}

int convert_bytes(const struct kind *k, struct slice stored, struct buf *out, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL, *object = NULL;
    int code = json_parse(d, stored, &tree, reterr);
    if (code != 0)
        code = err_wrap(reterr, ERR_CORRUPT, "a stored %s", k->name);
    else
        code = convert_from_stored(k, d, tree, &object, reterr);
    if (code == 0)
        json_print(object, out);
    json_doc_free(d);
    return code;
}

void convert_to_stored(const struct kind *k, struct json_doc *d, struct json *object)
{
    ASSERT(k->stored_as != NULL);
    k->to_stored(d, object);
    set_version(k->stored_as, d, object);
}
