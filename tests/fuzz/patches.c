/* Patches of the three kinds, and configurations that are applied, on objects of every kind. The first byte says which,
 * the second of which kind; then the object and, after a zero byte, the patch. */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/api.h"

/* The object as it would be in the store, made of what the input says; false when it would be refused. */
static bool store_first(struct verb_facts *v, struct json_doc *d, struct slice text, struct json **ret)
{
    struct json *body = NULL;
    struct verb_result made = {0};
    struct failure f = {0};
    bool good = json_parse(d, text, &body, NULL) == 0 && verb_create(v, d, body, &made, &f) == 0 &&
                json_parse(d, buf_slice(&made.bytes), ret, NULL) == 0;
    buf_release(&made.bytes);
    failure_release(&f);
    return good;
}

static int patch_once(struct verb_facts *v, struct json_doc *d, uint8_t type, const struct json *old,
                      const struct json *patch, struct verb_result *ret, struct failure *f)
{
    return type % 4 == PATCH_TYPE_APPLY ? verb_apply(v, d, old, 7, patch, (type & 64) != 0, ret, f)
                                        : verb_patch(v, d, old, 7, (enum patch_type)(type % 4), patch, ret, f);
}

/* A configuration applied again changes nothing. */
static void apply_again(struct verb_facts *v, uint8_t type, struct slice stored, const struct json *patch)
{
    struct json_doc *d = json_doc_new();
    struct json *old = NULL;
    struct verb_result again = {0};
    struct failure f = {0};
    ASSERT(json_parse(d, stored, &old, NULL) == 0);
    if (patch_once(v, d, type, old, patch, &again, &f) == 0)
        ASSERT(again.action == VERB_NOTHING);
    buf_release(&again.bytes);
    failure_release(&f);
    json_doc_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct json_doc *d = json_doc_new();
    struct strict strict = {0};
    const struct kind *k = fuzz_kind(data[1]);
    struct verb_facts v = fuzz_facts(k, &strict);
    struct slice rest = slice_of(data + 2, size - 2), object = slice_cut(&rest, '\0');
    struct json *old = NULL, *patch = NULL;
    struct verb_result made = {0};
    struct failure f = {0};
    if (json_parse(d, rest, &patch, NULL) == 0 && store_first(&v, d, object, &old)) {
        v.now_us += 5000000;
        if (patch_once(&v, d, data[0], old, patch, &made, &f) == 0 && made.action != VERB_DELETE) {
            fuzz_check_stored(k, buf_slice(&made.bytes));
            if (data[0] % 4 == PATCH_TYPE_APPLY && json_string_at(patch, "metadata.uid").size == 0 &&
                json_string_at(patch, "metadata.resourceVersion").size == 0)
                apply_again(&v, data[0], buf_slice(&made.bytes), patch);
        }
    }
    buf_release(&made.bytes);
    failure_release(&f);
    strict_release(&strict);
    json_doc_free(d);
    return 0;
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
#define POD                                                                                                            \
    "{\"metadata\":{\"name\":\"n\",\"finalizers\":[\"a.io/"                                                            \
    "b\"]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[{\"name\":\"E\"}]}]}}"
#define CM "{\"metadata\":{\"name\":\"n\"},\"data\":{\"a\":\"1\",\"b\":\"2\"}}"
#define SVC "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"selector\":{\"a\":\"b\"},\"ports\":[{\"port\":80}]}}"
    static const struct {
        const char *name, *object, *patch;
        uint8_t type;
        const struct kind *kind;
    } seeds[] = {
        {"merge", CM, "{\"data\":{\"a\":null,\"c\":\"3\"}}", PATCH_TYPE_MERGE, &kind_configmap},
        {"strategic", POD,
         "{\"spec\":{\"$setElementOrder/"
         "containers\":[{\"name\":\"c\"}],\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}}",
         PATCH_TYPE_STRATEGIC, &kind_pod},
        {"directives", POD,
         "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a.io/"
         "b\"],\"labels\":{\"$patch\":\"replace\",\"x\":\"y\"},\"annotations\":{\"$"
         "retainKeys\":[\"q\"],\"q\":\"r\"}},\"spec\":{\"tolerations\":null}}",
         PATCH_TYPE_STRATEGIC, &kind_pod},
        {"json", CM,
         "[{\"op\":\"test\",\"path\":\"/data/a\",\"value\":\"1\"},{\"op\":\"copy\",\"from\":\"/data/a\",\"path\":\"/"
         "data/z\"},{\"op\":"
         "\"move\",\"from\":\"/data/b\",\"path\":\"/data/y\"},{\"op\":\"remove\",\"path\":\"/data/"
         "a\"},{\"op\":\"replace\",\"path\":"
         "\"/data/y\",\"value\":\"5\"},{\"op\":\"add\",\"path\":\"/metadata/labels\",\"value\":{}}]",
         PATCH_TYPE_JSON, &kind_configmap},
        {"apply", SVC,
         "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"ports\":[{\"port\":81,\"name\":\"x\"},{\"port\":80,\"protocol\":"
         "\"TCP\",\"name\":\"w\"}]}}",
         PATCH_TYPE_APPLY, &kind_service},
        {"force", CM, "{\"metadata\":{\"name\":\"n\"},\"data\":{\"a\":\"9\"}}", PATCH_TYPE_APPLY | 64, &kind_configmap},
    };
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        struct buf b = {0};
        buf_append_char(&b, (char)seeds[i].type);
        buf_append_char(&b, (char)fuzz_kind_byte(seeds[i].kind));
        buf_append(&b, seeds[i].object, strlen(seeds[i].object) + 1);
        buf_append_str(&b, seeds[i].patch);
        add(arg, seeds[i].name, buf_slice(&b));
        buf_release(&b);
    }
}
