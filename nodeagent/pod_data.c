#include "common/base.h"
#include "nodeagent/pod_data.h"

#include "common/mem.h"

#define TOKEN_FRESH_PERCENT 80 /* of its life; then it is asked for anew */

/* --- what is referred to --- */

static bool add(struct pod_data *d, enum pod_ref_kind kind, const char *name, int64_t expiration_s)
{
    if (pod_data_find(d, kind, name) != NULL)
        return true;
    if (d->count == POD_REFS_MAX)
        return false;
    d->refs[d->count++] = (struct pod_ref){
        .kind = kind, .name = arena_strdup(&d->arena, slice_str(name)), .expiration_s = expiration_s, .status = ERR_UNAVAILABLE};
    return true;
}

static bool add_container(struct pod_data *d, const struct pod_container *c)
{
    bool fits = true;
    for (size_t i = 0; i < c->env_count; i++)
        if (c->env[i].from == POD_ENV_CONFIG_MAP || c->env[i].from == POD_ENV_SECRET)
            fits &= add(d, c->env[i].from == POD_ENV_SECRET ? POD_REF_SECRET : POD_REF_CONFIG_MAP, c->env[i].object, 0);
    for (size_t i = 0; i < c->env_all_count; i++)
        fits &= add(d, c->env_all[i].secret ? POD_REF_SECRET : POD_REF_CONFIG_MAP, c->env_all[i].object, 0);
    return fits;
}

static bool add_volume(struct pod_data *d, const struct pod_volume *v)
{
    bool fits = true;
    for (size_t i = 0; i < v->source_count; i++) {
        const struct pod_source *s = &v->sources[i];
        if (s->kind == POD_SOURCE_TOKEN)
            fits &= add(d, POD_REF_TOKEN, s->audience == NULL ? "" : s->audience, s->expiration_s);
        else if (s->kind != POD_SOURCE_DOWNWARD)
            fits &= add(d, s->kind == POD_SOURCE_SECRET ? POD_REF_SECRET : POD_REF_CONFIG_MAP, s->object, 0);
    }
    return fits;
}

int pod_data_new(const struct pod *p, struct pod_data **ret, struct err *reterr)
{
    struct pod_data *d = NEW(struct pod_data);
    d->refs = arena_alloc(&d->arena, POD_REFS_MAX * sizeof *d->refs);
    bool fits = add(d, POD_REF_MASTER, "kubernetes", 0);
    if (p->service_links)
        fits &= add(d, POD_REF_SERVICES, "", 0);
    for (size_t i = 0; i < p->container_count; i++)
        fits &= add_container(d, &p->containers[i]);
    for (size_t i = 0; i < p->volume_count; i++)
        fits &= add_volume(d, &p->volumes[i]);
    if (!fits) {
        pod_data_free(d);
        return err_set(reterr, ERR_TOO_LARGE, "the pod refers to more than %d ConfigMaps, Secrets and tokens", POD_REFS_MAX);
    }
    *ret = d;
    return 0;
}

void pod_data_free(struct pod_data *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        json_doc_free(d->refs[i].doc);
    arena_clear(&d->arena);
    mem_free(d);
}

struct pod_ref *pod_data_find(const struct pod_data *d, enum pod_ref_kind kind, const char *name)
{
    for (size_t i = 0; d != NULL && i < d->count; i++)
        if (d->refs[i].kind == kind && strcmp(d->refs[i].name, name) == 0)
            return &d->refs[i];
    return NULL;
}

/* --- reading --- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* RFC 4648 section 4; line breaks are skipped. False for anything else that is no digit. */
static bool base64_read(struct slice text, struct arena *arena, struct slice *ret)
{
    char *out = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    uint32_t bits = 0, held = 0;
    for (size_t i = 0; i < text.size && text.data[i] != '='; i++) {
        int digit = digit_of(text.data[i]);
        if (digit < 0 && text.data[i] != '\n' && text.data[i] != '\r')
            return false;
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[size++] = (char)(bits >> held & 0xff);
        }
    }
    *ret = slice_of(out, size);
    return true;
}

bool pod_data_value(const struct pod_ref *r, struct slice key, struct arena *arena, struct slice *ret)
{
    const struct json *plain = json_get_slice(json_get(r->tree, "data"), key);
    const struct json *binary = json_get_slice(json_get(r->tree, "binaryData"), key);
    if (r->kind == POD_REF_CONFIG_MAP && json_type(plain) == JSON_STRING) {
        *ret = arena_slice(arena, json_string(plain));
        return true;
    }
    const struct json *coded = r->kind == POD_REF_SECRET ? plain : binary;
    return json_type(coded) == JSON_STRING && base64_read(json_string(coded), arena, ret);
}

int pod_data_check(const struct pod_data *d, enum pod_ref_kind kind, const char *name, struct err *reterr)
{
    static const char *const words[] = {"configmap", "secret", "token for audience", "services", "service"};
    const struct pod_ref *r = pod_data_find(d, kind, name);
    if (r != NULL && r->tree != NULL)
        return 0;
    if (r == NULL || r->status == 0)
        return err_set(reterr, ERR_UNAVAILABLE, "%s \"%s\" was not fetched", words[kind], name);
    if (r->status == ERR_NOT_FOUND && (kind == POD_REF_CONFIG_MAP || kind == POD_REF_SECRET))
        return err_set(reterr, ERR_NOT_FOUND, "%s \"%s\" not found", words[kind], name);
    return err_set(reterr, r->status, "%s", r->why.message);
}

/* --- fetching --- */

static void fetch_next(struct pod_fetch *f);

static void on_over(struct deferred *d)
{
    struct pod_fetch *f = container_of(d, struct pod_fetch, deferred);
    f->done(f);
}

/* Not there is an answer; not reachable is none, and then an old answer is better. */
static void keep_old(struct pod_fetch *f, struct pod_ref *r)
{
    struct pod_ref *old = pod_data_find(f->before, r->kind, r->name);
    if (old == NULL || old->tree == NULL || r->status == 0 || r->status == ERR_NOT_FOUND || r->status == ERR_FORBIDDEN)
        return;
    r->doc = old->doc;
    r->tree = old->tree;
    r->renew_at_ms = old->renew_at_ms;
    r->status = 0;
    old->doc = NULL;
    old->tree = NULL;
}

static void answer_take(struct pod_fetch *f, struct pod_ref *r, struct slice body)
{
    r->doc = json_doc_new();
    r->status = json_parse(r->doc, body, &r->tree, &r->why);
    if (r->status < 0)
        r->tree = NULL;
    if (r->kind == POD_REF_TOKEN)
        r->renew_at_ms = clock_monotonic_ms(&f->env->clock) + (uint64_t)r->expiration_s * 10 * TOKEN_FRESH_PERCENT;
}

static void on_answer(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct pod_fetch *f = call->data;
    struct pod_ref *r = &f->result->refs[f->next++];
    f->calling = false;
    r->status = status;
    if (status == 0)
        answer_take(f, r, body);
    else if (why != NULL)
        r->why = *why;
    keep_old(f, r);
    fetch_next(f);
}

static bool token_is_fresh(struct pod_fetch *f, struct pod_ref *r)
{
    const struct pod_ref *old = pod_data_find(f->before, r->kind, r->name);
    if (r->kind != POD_REF_TOKEN || old == NULL || old->tree == NULL || old->renew_at_ms <= clock_monotonic_ms(&f->env->clock))
        return false;
    keep_old(f, r);
    return true;
}

static void token_ask(struct pod_fetch *f, const struct pod_ref *r)
{
    struct json_doc *d = json_doc_new();
    struct buf body = {0};
    struct json *ask = json_new_object(d), *spec = json_ensure_object(d, ask, "spec");
    json_set_str(d, ask, "kind", "TokenRequest");
    json_set_str(d, ask, "apiVersion", "authentication.k8s.io/v1");
    if (*r->name != '\0') {
        struct json *audiences = json_new_array(d);
        json_append(audiences, json_new_str(d, r->name));
        json_set(d, spec, "audiences", audiences);
    }
    json_set_int(d, spec, "expirationSeconds", r->expiration_s);
    struct json *bound = json_ensure_object(d, spec, "boundObjectRef");
    json_set_str(d, bound, "kind", "Pod");
    json_set_str(d, bound, "apiVersion", "v1");
    json_set_str(d, bound, "name", f->pod->name);
    json_set_str(d, bound, "uid", f->pod->uid);
    json_print(ask, &body);
    char *path = mem_printf("/api/v1/namespaces/%s/serviceaccounts/%s/token", f->pod->namespace, f->pod->service_account);
    kube_create(f->client, &f->call, path, buf_slice(&body));
    mem_free(path);
    buf_release(&body);
    json_doc_free(d);
}

static void ask(struct pod_fetch *f, const struct pod_ref *r)
{
    const char *namespace = r->kind == POD_REF_MASTER ? "default" : f->pod->namespace;
    const char *resource = r->kind == POD_REF_CONFIG_MAP ? "configmaps" : r->kind == POD_REF_SECRET ? "secrets" : "services";
    struct buf name = {0};
    f->calling = true;
    f->call = (struct kube_call){.done = on_answer, .data = f};
    if (r->kind == POD_REF_TOKEN) {
        token_ask(f, r);
        return;
    }
    http_percent_encode(slice_str(r->name), &name); /* a name from the pod must not reach another path */
    char *path = mem_printf("/api/v1/namespaces/%s/%s%s%s", namespace, resource, name.size == 0 ? "" : "/",
                            name.size == 0 ? "" : name.data);
    kube_get(f->client, &f->call, path);
    mem_free(path);
    buf_release(&name);
}

static void fetch_next(struct pod_fetch *f)
{
    while (f->next < f->result->count) {
        struct pod_ref *r = &f->result->refs[f->next];
        if (!f->late && !token_is_fresh(f, r)) {
            ask(f, r);
            return;
        }
        if (f->late && r->tree == NULL) {
            r->status = err_set(&r->why, ERR_TIMEOUT, "the API did not answer within %d s", POD_FETCH_MAX_MS / 1000);
            keep_old(f, r);
        }
        f->next++;
    }
    loop_timer_stop(&f->env->loop, &f->timer);
    loop_defer(&f->env->loop, &f->deferred);
}

void pod_fetch_cancel(struct pod_fetch *f)
{
    f->late = true;
    if (f->calling)
        kube_cancel(f->client, &f->call);
}

static void on_late(struct timer *t) { pod_fetch_cancel(container_of(t, struct pod_fetch, timer)); }

void pod_fetch_start(struct pod_fetch *f, struct env *env, struct kube_client *client, const struct pod *p, struct pod_data *d,
                     struct pod_data *before)
{
    f->env = env;
    f->client = client;
    f->pod = p;
    f->result = d;
    f->before = before;
    f->next = 0;
    f->calling = f->late = false;
    timer_init(&f->timer, on_late);
    deferred_init(&f->deferred, on_over);
    loop_timer_start(&env->loop, &f->timer, POD_FETCH_MAX_MS);
    fetch_next(f);
}
