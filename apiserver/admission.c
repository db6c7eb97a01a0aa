#include "common/base.h"

#include "apiserver/admission.h"
#include "common/buf.h"

#define TOKEN_MOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOLERATION_SECONDS 300
#define MIRROR_ANNOTATION "kubernetes.io/config.mirror"

struct slice admission_account_name(const struct json *pod)
{
    struct slice name = json_string_at(pod, "spec.serviceAccountName"),
                 old = json_string_at(pod, "spec.serviceAccount");
    return name.size > 0 ? name : old.size > 0 ? old : SLICE("default");
}

static bool has_token_mount(const struct json *container)
{
    struct json_iterator i = json_iterate(json_get(container, "volumeMounts"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "mountPath"), TOKEN_MOUNT))
            return true;
    }
    return false;
}

/* How many containers of the list lack the mount; with `volume` they get it. */
static size_t mount_token(struct json_doc *d, struct json *containers, const char *volume)
{
    size_t lacking = 0;
    struct json_iterator i = json_iterate(containers);
    while (json_next(&i)) {
        if (has_token_mount(i.value))
            continue;
        lacking++;
        if (volume == NULL)
            continue;
        struct json *mount = json_new_object(d);
        json_set_str(d, mount, "name", volume);
        json_set_bool(d, mount, "readOnly", true);
        json_set_str(d, mount, "mountPath", TOKEN_MOUNT);
        if (json_get(i.value, "volumeMounts") == NULL)
            json_set(d, i.value, "volumeMounts", json_new_array(d));
        json_append(json_get(i.value, "volumeMounts"), mount);
    }
    return lacking;
}

static void add_volume(const struct verb_facts *v, struct json_doc *d, struct json *spec)
{
    struct buf name = {0}, text = {0};
    struct json *volume = NULL;
    buf_printf(&name, "kube-api-access-%s", v->suffix);
    buf_printf(&text,
               "{\"name\":\"%s\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,"
               "\"path\":\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\","
               "\"path\":\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":"
               "{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}],\"defaultMode\":420}}",
               name.data);
    int code = json_parse(d, buf_slice(&text), &volume, NULL);
    ASSERT(code == 0); /* written here */
    if (json_get(spec, "volumes") == NULL)
        json_set(d, spec, "volumes", json_new_array(d));
    json_append(json_get(spec, "volumes"), volume);
    mount_token(d, json_get(spec, "initContainers"), name.data);
    mount_token(d, json_get(spec, "containers"), name.data);
    buf_release(&name);
    buf_release(&text);
}

static bool wants_token(const struct verb_facts *v, const struct json *spec)
{
    bool of_account = json_bool_at(v->account, "automountServiceAccountToken", true);
    return v->mounts_tokens && v->account != NULL && json_bool_at(spec, "automountServiceAccountToken", of_account);
}

static bool tolerates(const struct json *spec, const char *key)
{
    struct json_iterator i = json_iterate(json_get(spec, "tolerations"));
    while (json_next(&i)) {
        struct slice own = json_string_at(i.value, "key"), effect = json_string_at(i.value, "effect");
        if ((own.size == 0 || slice_is(own, key)) && (effect.size == 0 || slice_is(effect, "NoExecute")))
            return true;
    }
    return false;
}

void admission_tolerations(struct json_doc *d, struct json *pod)
{
    static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
    struct json *spec = json_ensure_object(d, pod, "spec");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (tolerates(spec, keys[i]))
            continue;
        struct json *toleration = json_new_object(d);
        json_set_str(d, toleration, "key", keys[i]);
        json_set_str(d, toleration, "operator", "Exists");
        json_set_str(d, toleration, "effect", "NoExecute");
        json_set_int(d, toleration, "tolerationSeconds", TOLERATION_SECONDS);
        if (json_type(json_get(spec, "tolerations")) != JSON_ARRAY)
            json_set(d, spec, "tolerations", json_new_array(d));
        json_append(json_get(spec, "tolerations"), toleration);
    }
}

int admission_service_account(const struct verb_facts *v, struct json_doc *d, struct json *pod, struct failure *f)
{
    struct json *spec = json_ensure_object(d, pod, "spec");
    struct slice name = admission_account_name(pod);
    if (json_get_slice(json_at(pod, "metadata.annotations"), SLICE(MIRROR_ANNOTATION)) != NULL)
        return 0;
    bool named = json_string_at(spec, "serviceAccountName").size > 0 && !slice_is(name, "default");
    if (v->account == NULL && (named || v->mounts_tokens)) {
        failure_about(f, v->kind, json_string_at(pod, "metadata.name"));
        return failure_set(f, ERR_FORBIDDEN,
                           "pods \"%.*s\" is forbidden: error looking up service account %.*s/%.*s: serviceaccount "
                           "\"%.*s\" not found",
                           SLICE_ARGS(json_string_at(pod, "metadata.name")), SLICE_ARGS(v->namespace), SLICE_ARGS(name),
                           SLICE_ARGS(name));
    }
    json_set_string(d, spec, "serviceAccountName", name);
    json_set_string(d, spec, "serviceAccount", json_string_at(spec, "serviceAccountName"));
    if (json_size(json_get(spec, "imagePullSecrets")) == 0 && json_size(json_get(v->account, "imagePullSecrets")) > 0)
        json_set(d, spec, "imagePullSecrets", json_copy(d, json_get(v->account, "imagePullSecrets")));
    size_t lacking = mount_token(d, json_get(spec, "initContainers"), NULL);
    lacking += mount_token(d, json_get(spec, "containers"), NULL);
    if (lacking > 0 && wants_token(v, spec))
        add_volume(v, d, spec);
    return 0;
}
