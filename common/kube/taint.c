#include "common/base.h"

#include "common/kube/taint.h"

static bool tolerates(const struct json *toleration, const struct json *taint)
{
    struct slice key = json_string_at(toleration, "key"), effect = json_string_at(toleration, "effect");
    struct slice operator= json_string_at(toleration, "operator");
    if (effect.size > 0 && !slice_equal(effect, json_string_at(taint, "effect")))
        return false;
    if (key.size > 0 && !slice_equal(key, json_string_at(taint, "key")))
        return false;
    if (slice_is(operator, "Exists"))
        return true; /* without a key: everything */
    bool equal = operator.size == 0 || slice_is(operator, "Equal");
    return equal && key.size > 0 && slice_equal(json_string_at(toleration, "value"), json_string_at(taint, "value"));
}

const struct json *taint_tolerated_by(const struct json *taint, const struct json *tolerations)
{
    struct json_iterator i = json_iterate(tolerations);
    while (json_next(&i))
        if (tolerates(i.value, taint))
            return i.value;
    return NULL;
}

bool taint_has_effect(const struct json *taint, const char *effect)
{
    return slice_is(json_string_at(taint, "effect"), effect);
}
