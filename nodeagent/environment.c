#include "common/base.h"
#include "nodeagent/environment.h"

#include <ctype.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/kube/quantity.h"

/* --- the downward API --- */

/* metadata.labels['KEY'] and metadata.annotations['KEY']; whole: one KEY="VALUE" per line. */
static const char *field_of_map(const struct pod *p, const char *field, struct arena *arena)
{
    static const char *const maps[] = {"labels", "annotations"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        char prefix[64];
        const struct json *map = json_get(json_get(p->tree, "metadata"), maps[i]);
        struct slice key = slice_str(field);
        (void)snprintf(prefix, sizeof prefix, "metadata.%s", maps[i]);
        if (!slice_has_prefix(key, slice_str(prefix)))
            continue;
        key = slice_from(key, strlen(prefix));
        if (slice_has_prefix(key, SLICE("['")) && slice_has_suffix(key, SLICE("']")) && key.size > 4) {
            struct slice value = json_string(json_get_slice(map, slice_of(key.data + 2, key.size - 4)));
            return arena_strdup(arena, value);
        }
        if (key.size > 0)
            return NULL;
        struct buf text = {0};
        struct json_iterator at = json_iterate(map);
        while (json_next(&at)) {
            buf_printf(&text, "%s%.*s=", text.size == 0 ? "" : "\n", SLICE_ARGS(at.key));
            json_print_string(json_string(at.value), &text);
        }
        const char *whole = arena_strdup(arena, buf_slice(&text));
        buf_release(&text);
        return whole;
    }
    return NULL;
}

const char *downward_field(const struct pod *p, const struct environment_facts *facts, const char *field, struct arena *arena)
{
    const struct {
        const char *field, *value;
    } fields[] = {
        {"metadata.name", p->name},          {"metadata.namespace", p->namespace},
        {"metadata.uid", p->uid},            {"spec.nodeName", p->node_name},
        {"spec.serviceAccountName", p->service_account}, {"status.podIP", facts->pod_ip},
        {"status.podIPs", facts->pod_ip},    {"status.hostIP", facts->host_ip},
        {"status.hostIPs", facts->host_ip},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(field, fields[i].field) == 0)
            return fields[i].value == NULL ? "" : fields[i].value;
    return field_of_map(p, field, arena);
}

static const struct pod_container *container_named(const struct pod *p, const char *name)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (strcmp(p->containers[i].name, name) == 0)
            return &p->containers[i];
    return NULL;
}

/* In thousandths; what is not limited is what the node has, what is not requested is nothing. */
static bool resource_milli(const struct pod_container *c, const struct environment_facts *facts, const char *resource, __int128 *ret)
{
    const struct {
        const char *name;
        int64_t value, fallback, unit;
    } known[] = {
        {"limits.cpu", c->cpu_limit_milli, facts->cpu_milli, 1},
        {"requests.cpu", c->cpu_request_milli < 0 ? c->cpu_limit_milli : c->cpu_request_milli, 0, 1},
        {"limits.memory", c->memory_limit_bytes, facts->memory_bytes, 1000},
        {"requests.memory", c->memory_request_bytes < 0 ? c->memory_limit_bytes : c->memory_request_bytes, 0, 1000},
        {"limits.ephemeral-storage", -1, facts->disk_bytes, 1000},
        {"requests.ephemeral-storage", -1, 0, 1000},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(resource, known[i].name) == 0) {
            *ret = (__int128)(known[i].value < 0 ? known[i].fallback : known[i].value) * known[i].unit;
            return true;
        }
    return false;
}

int downward_resource(const struct pod *p, const struct pod_container *own, const struct environment_facts *facts,
                      const struct pod_resource_field *f, int64_t *ret, struct err *reterr)
{
    const struct pod_container *c = f->container == NULL ? own : container_named(p, f->container);
    struct quantity divisor;
    __int128 milli;
    if (c == NULL)
        return err_set(reterr, ERR_INVALID, "container %s not found", f->container == NULL ? "\"\"" : f->container);
    if (!resource_milli(c, facts, f->resource, &milli))
        return err_set(reterr, ERR_INVALID, "unsupported container resource : %s", f->resource);
    int rv = quantity_parse(f->divisor, &divisor, reterr);
    if (rv == 0 && divisor.nano < 0)
        rv = err_set(reterr, ERR_INVALID, "divisor %.*s is negative", SLICE_ARGS(f->divisor));
    if (rv < 0)
        return rv;
    __int128 nano = milli * 1000000, by = divisor.nano == 0 ? 1000000000 : divisor.nano; /* "0" is how clients write none */
    *ret = (int64_t)((nano + by - 1) / by);
    return 0;
}

/* --- the variables --- */

const char *environment_get(void *arg, struct slice name)
{
    const struct environment *e = arg;
    for (size_t i = 0; i < e->count; i++)
        if (slice_is(name, e->names[i]))
            return e->values[i];
    return NULL;
}

static void put(struct environment *e, const char *name, const char *value)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->names[i], name) == 0) {
            e->values[i] = value;
            return;
        }
    if (e->count == e->capacity) {
        e->capacity = MAX(e->capacity * 2, (size_t)64);
        const char **names = arena_alloc(&e->arena, e->capacity * sizeof *names);
        const char **values = arena_alloc(&e->arena, e->capacity * sizeof *values);
        if (e->count > 0) {
            memcpy(names, e->names, e->count * sizeof *names);
            memcpy(values, e->values, e->count * sizeof *values);
        }
        e->names = names;
        e->values = values;
    }
    e->names[e->count] = name;
    e->values[e->count++] = value;
}

static void put_image(struct environment *e, const struct json *image)
{
    struct json_iterator at = json_iterate(json_at(image, "config.Env"));
    while (json_next(&at)) {
        struct slice rest = json_string(at.value), name = slice_cut(&rest, '=');
        put(e, arena_strdup(&e->arena, name), arena_strdup(&e->arena, rest));
    }
}

/* "my-db" → "MY_DB" */
static char *shouted(struct environment *e, struct slice name)
{
    char *text = arena_strdup(&e->arena, name);
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return text;
}

static void put_port(struct environment *e, const char *service, const char *ip, const struct json *port, bool first)
{
    struct slice protocol = json_string(json_get(port, "protocol"));
    char *upper = shouted(e, protocol.size == 0 ? SLICE("TCP") : protocol), *lower = arena_strdup(&e->arena, slice_str(upper));
    for (char *at = lower; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    const char *number = arena_printf(&e->arena, "%lld", (long long)json_int_at(port, "port", 0));
    const char *url = arena_printf(&e->arena, "%s://%s:%s", lower, ip, number);
    const char *prefix = arena_printf(&e->arena, "%s_PORT_%s_%s", service, number, upper);
    struct slice name = json_string(json_get(port, "name"));
    if (first) {
        put(e, arena_printf(&e->arena, "%s_SERVICE_PORT", service), number);
        put(e, arena_printf(&e->arena, "%s_PORT", service), url);
    }
    if (name.size > 0)
        put(e, arena_printf(&e->arena, "%s_SERVICE_PORT_%s", service, shouted(e, name)), number);
    put(e, prefix, url);
    put(e, arena_printf(&e->arena, "%s_PROTO", prefix), lower);
    put(e, arena_printf(&e->arena, "%s_PORT", prefix), number);
    put(e, arena_printf(&e->arena, "%s_ADDR", prefix), ip);
}

static void put_service(struct environment *e, const struct json *service)
{
    const char *name = shouted(e, json_string_at(service, "metadata.name"));
    struct slice ip = json_string_at(service, "spec.clusterIP");
    if (ip.size == 0 || slice_is(ip, "None"))
        return;
    const char *address = arena_strdup(&e->arena, ip);
    put(e, arena_printf(&e->arena, "%s_SERVICE_HOST", name), address);
    struct json_iterator at = json_iterate(json_at(service, "spec.ports"));
    for (bool first = true; json_next(&at); first = false)
        put_port(e, name, address, at.value, first);
}

/* The API may have no such kind or service yet; but where it cannot be asked, a container must not start without them. */
static int put_services(struct environment *e, const struct environment_options *o, struct err *reterr)
{
    const struct pod_ref *refs[] = {pod_data_find(o->data, POD_REF_SERVICES, ""), pod_data_find(o->data, POD_REF_MASTER, "kubernetes")};
    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        if (refs[i] != NULL && refs[i]->tree == NULL && refs[i]->status != ERR_NOT_FOUND)
            return err_set(reterr, ERR_INVALID, "services have not yet been read at least once, cannot construct envvars: %s",
                           refs[i]->why.message);
    if (refs[0] != NULL && refs[0]->tree != NULL) {
        struct json_iterator at = json_iterate(json_get(refs[0]->tree, "items"));
        while (json_next(&at))
            put_service(e, at.value);
    }
    if (refs[1] != NULL && refs[1]->tree != NULL)
        put_service(e, refs[1]->tree);
    return 0;
}

/* What a shell can name, and '-' and '.' as the API allows them. */
static bool is_name(struct slice name)
{
    bool good = name.size > 0 && !isdigit((unsigned char)name.data[0]);
    for (size_t i = 0; i < name.size && good; i++)
        good = isalnum((unsigned char)name.data[i]) || strchr("_-.", name.data[i]) != NULL;
    return good;
}

static int put_all(struct environment *e, const struct environment_options *o, const struct pod_env_all *all, struct err *reterr)
{
    enum pod_ref_kind kind = all->secret ? POD_REF_SECRET : POD_REF_CONFIG_MAP;
    int rv = pod_data_check(o->data, kind, all->object, reterr);
    if (rv == ERR_NOT_FOUND && all->optional)
        return 0;
    if (rv < 0)
        return rv;
    const struct pod_ref *r = pod_data_find(o->data, kind, all->object);
    struct json_iterator at = json_iterate(json_get(r->tree, "data"));
    while (json_next(&at)) {
        char *name = arena_printf(&e->arena, "%s%.*s", all->prefix, SLICE_ARGS(at.key));
        struct slice value;
        if (!is_name(slice_str(name)) || !pod_data_value(r, at.key, &e->arena, &value))
            e->skipped++;
        else
            put(e, name, arena_strdup(&e->arena, value));
    }
    return 0;
}

static int value_of_key(struct environment *e, const struct environment_options *o, const struct pod_env *env, const char **ret,
                        struct err *reterr)
{
    enum pod_ref_kind kind = env->from == POD_ENV_SECRET ? POD_REF_SECRET : POD_REF_CONFIG_MAP;
    int rv = pod_data_check(o->data, kind, env->object, reterr);
    if (rv == ERR_NOT_FOUND && env->optional)
        return 0;
    if (rv < 0)
        return rv;
    struct slice value;
    if (pod_data_value(pod_data_find(o->data, kind, env->object), slice_str(env->key), &e->arena, &value))
        *ret = arena_strdup(&e->arena, value);
    else if (!env->optional)
        return err_set(reterr, ERR_INVALID, "couldn't find key %s in %s %s/%s", env->key,
                       kind == POD_REF_SECRET ? "Secret" : "ConfigMap", o->pod->namespace, env->object);
    return 0;
}

/* *ret stays NULL for an optional one that is not there. */
static int value_of(struct environment *e, const struct environment_options *o, const struct pod_env *env, const char **ret,
                    struct err *reterr)
{
    int64_t number;
    int rv = 0;
    switch (env->from) {
    case POD_ENV_VALUE: *ret = pod_expand(&e->arena, env->value, environment_get, e); break;
    case POD_ENV_FIELD:
        *ret = downward_field(o->pod, &o->facts, env->field, &e->arena);
        if (*ret == NULL)
            rv = err_set(reterr, ERR_INVALID, "environment variable %s: field %s cannot be read", env->name, env->field);
        break;
    case POD_ENV_RESOURCE:
        rv = downward_resource(o->pod, o->container, &o->facts, &env->resource, &number, reterr);
        if (rv == 0)
            *ret = arena_printf(&e->arena, "%lld", (long long)number);
        break;
    default: rv = value_of_key(e, o, env, ret, reterr);
    }
    return rv;
}

int environment_build(struct environment *e, const struct environment_options *o, struct err *reterr)
{
    int rv = 0;
    put(e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put(e, "HOSTNAME", o->hostname);
    put_image(e, o->image);
    if (o->container == NULL)
        return 0;
    rv = put_services(e, o, reterr);
    for (size_t i = 0; i < o->container->env_all_count && rv == 0; i++)
        rv = put_all(e, o, &o->container->env_all[i], reterr);
    for (size_t i = 0; i < o->container->env_count && rv == 0; i++) {
        const char *value = NULL;
        rv = value_of(e, o, &o->container->env[i], &value, reterr);
        if (rv == 0 && value != NULL)
            put(e, o->container->env[i].name, value);
    }
    return rv < 0 ? ERR_INVALID : 0;
}

void environment_release(struct environment *e) { arena_clear(&e->arena); }
