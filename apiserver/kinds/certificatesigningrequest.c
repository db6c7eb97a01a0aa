/* CertificateSigningRequest, certificates.k8s.io/v1. Its spec never changes; who approves writes conditions through
 * `approval`, who signs the certificate through `status`. */
#include "common/base.h"

#include "apiserver/authz.h"
#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#define SECONDS_MIN 600

static const char *const usages[] = {"any",
                                     "cert sign",
                                     "client auth",
                                     "code signing",
                                     "content commitment",
                                     "crl sign",
                                     "data encipherment",
                                     "decipher only",
                                     "digital signature",
                                     "email protection",
                                     "encipher only",
                                     "ipsec end system",
                                     "ipsec tunnel",
                                     "ipsec user",
                                     "key agreement",
                                     "key encipherment",
                                     "microsoft sgc",
                                     "netscape sgc",
                                     "ocsp signing",
                                     "s/mime",
                                     "server auth",
                                     "signing",
                                     "timestamping",
                                     NULL};
static const char *const statuses[] = {"True", "False", "Unknown", NULL};

static void check_request(struct check *c, const struct json *v);
static void check_signer_name(struct check *c, const struct json *v);
static void check_seconds(struct check *c, const struct json *v);
static void check_usages(struct check *c, const struct json *v);
static void check_conditions(struct check *c, const struct json *v);
static void check_csr_condition(struct check *c, const struct json *v);
static void check_csr_spec(struct check *c, const struct json *v);

static const struct field fields_certificate_signing_request_spec[] = {
    {.name = "request",
     .type = FIELD_BYTES,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .check = check_request,
     .doc = "The request for a certificate (PKCS#10) in PEM."},
    {.name = "username", .type = FIELD_STRING, .proto = 2, .doc = "Name of the requester; set by the server."},
    {.name = "uid", .type = FIELD_STRING, .proto = 3, .doc = "Unique id of the requester; set by the server."},
    {.name = "groups",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 4,
     .doc = "Groups of the requester; set by the server."},
    {.name = "usages",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 5,
     .check = check_usages,
     .doc = "What the key will be used for, such as \"client auth\"."},
    {.name = "extra",
     .type = FIELD_RAW,
     .shape = FIELD_MAP,
     .proto = 6,
     .doc = "Further attributes of the requester; set by the server."},
    {.name = "signerName",
     .type = FIELD_STRING,
     .proto = 7,
     .flags = FIELD_REQUIRED,
     .check = check_signer_name,
     .doc = "Who shall sign: a domain and a path."},
    {.name = "expirationSeconds",
     .type = FIELD_INT32,
     .proto = 8,
     .flags = FIELD_POINTER,
     .check = check_seconds,
     .doc = "How long the certificate should hold, in seconds, 600 at least; the signer may choose less."},
    {.name = NULL},
};
static const struct type type_certificate_signing_request_spec = {
    .name = "CertificateSigningRequestSpec",
    .doc = "What certificate is asked for, and by whom.",
    .fields = fields_certificate_signing_request_spec,
    .check = check_csr_spec,
};

static const struct field fields_certificate_signing_request_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Approved, Denied or Failed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 2, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 3, .doc = "What a person should know about it."},
    {.name = "lastUpdateTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition was last written."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 5,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "status",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_REQUIRED,
     .doc = "True, False or Unknown; of decisions always True."},
    {.name = NULL},
};
static const struct type type_certificate_signing_request_condition = {
    .name = "CertificateSigningRequestCondition",
    .doc = "A decision about a request, or its failure.",
    .fields = fields_certificate_signing_request_condition,
    .check = check_csr_condition,
};

static const struct field fields_certificate_signing_request_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_certificate_signing_request_condition,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "type",
     .check = check_conditions,
     .doc = "Decisions about the request."},
    {.name = "certificate", .type = FIELD_BYTES, .proto = 2, .doc = "The signed certificate in PEM, with its issuers."},
    {.name = NULL},
};
static const struct type type_certificate_signing_request_status = {
    .name = "CertificateSigningRequestStatus",
    .doc = "What has become of a request.",
    .fields = fields_certificate_signing_request_status,
};

static const struct field fields_certificate_signing_request[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_certificate_signing_request_spec,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_certificate_signing_request_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_certificate_signing_request = {
    .name = "CertificateSigningRequest",
    .doc = "Asks a signer for a certificate.",
    .fields = fields_certificate_signing_request,
};

/* The value of a base64 digit; -1: none. */
static int digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static void decode_base64(struct slice text, struct buf *out)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < text.size; i++) {
        int d = digit(text.data[i]);
        if (d < 0)
            continue;
        held = (held << 6 | (unsigned)d) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_append_char(out, (char)(held >> bits & 0xff));
        }
    }
}

static void check_request(struct check *c, const struct json *v)
{
    struct buf pem = {0}, shown = {0};
    decode_base64(json_string(v), &pem);
    if (!text_has(buf_slice(&pem), "-----BEGIN CERTIFICATE REQUEST-----") ||
        !text_has(buf_slice(&pem), "-----END CERTIFICATE REQUEST-----")) {
        buf_append_str(&shown, "[]byte{");
        for (size_t i = 0; i < pem.size; i++)
            buf_printf(&shown, "%s0x%x", i == 0 ? "" : ", ", (unsigned)(unsigned char)pem.data[i]);
        buf_append_char(&shown, '}');
        check_fail_shown(c, "", CHECK_INVALID, shown.data, "PEM block type must be CERTIFICATE REQUEST");
    }
    buf_release(&pem);
    buf_release(&shown);
}

static void check_csr_spec(struct check *c, const struct json *v)
{
    if (json_string_at(v, "request").size == 0)
        check_fail_shown(c, "request", CHECK_INVALID, "[]byte(nil)", "PEM block type must be CERTIFICATE REQUEST");
    if (json_size(json_get(v, "usages")) == 0)
        check_fail_at(c, "usages", CHECK_REQUIRED, NULL, "%s", "");
}

static void check_usages(struct check *c, const struct json *v)
{
    check_each_of(c, v, usages);
    check_each_once(c, v);
}

/* "example.com/signer": a domain with a dot, and a path. */
static void check_signer_name(struct check *c, const struct json *v)
{
    struct err why;
    struct slice name = json_string(v), path = name, domain = slice_cut(&path, '/');
    if (name.size == 0)
        return; /* told as missing */
    if (path.data == NULL) {
        check_fail(c, CHECK_INVALID, v,
                   "must be a fully qualified domain and path of the form \"example.com/signer-name\"");
        return;
    }
    if (name_check_subdomain(domain, &why) != 0)
        check_fail_text(c, CHECK_INVALID, domain, "validating label \"%.*s\": %s", SLICE_ARGS(domain), why.message);
    else if (slice_find(domain, '.') == domain.size)
        check_fail_text(c, CHECK_INVALID, domain, "should be a domain with at least two segments separated by dots");
    if (name_check_subdomain(path, &why) != 0)
        check_fail_text(c, CHECK_INVALID, path, "validating label \"%.*s\": %s", SLICE_ARGS(path), why.message);
    if (slice_is(name, "kubernetes.io/legacy-unknown"))
        check_fail(c, CHECK_INVALID, v, "the legacy signerName is not allowed via this API version");
}

static void check_seconds(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < SECONDS_MIN)
        check_fail(c, CHECK_INVALID, v, "may not specify a duration less than %d seconds (10 minutes)", SECONDS_MIN);
}

static void check_csr_condition(struct check *c, const struct json *v)
{
    static const char *const final[] = {"Approved", "Denied", "Failed"}, *const only_true[] = {"True", NULL};
    bool is_final = false;
    const struct json *status = json_get(v, "status");
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        is_final |= slice_is(json_string_at(v, "type"), final[i]);
    if (json_string(status).size == 0)
        return; /* told as missing */
    const char *const *allowed = is_final ? only_true : statuses;
    for (size_t i = 0; allowed[i] != NULL; i++)
        if (slice_is(json_string(status), allowed[i]))
            return;
    check_fail_one_of_at(c, "status", status, allowed);
}

static const struct json *condition(const struct json *list, const char *type)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), type))
            return i.value;
    return NULL;
}

static void check_conditions(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct slice type = json_string_at(i.value, "type");
        size_t mark = check_enter_index(c, i.position - 1);
        for (size_t k = 0; k + 1 < i.position; k++)
            if (slice_equal(json_string_at(json_element(v, k), "type"), type))
                check_fail_text_at(c, "type", CHECK_DUPLICATE, type, "%s", "");
        bool approved = slice_is(type, "Approved"), denied = slice_is(type, "Denied");
        const struct json *other = approved || denied ? condition(v, approved ? "Denied" : "Approved") : NULL;
        if (other != NULL && denied)
            check_fail_text_at(c, "type", CHECK_INVALID, type, "Approved and Denied conditions are mutually exclusive");
        check_leave(c, mark);
    }
}

/* What was decided stays, and only who signs writes the certificate. */
static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    static const char *const final[] = {"Approved", "Denied", "Failed"};
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        if (condition(json_at(old, "status.conditions"), final[i]) != NULL &&
            condition(json_at(object, "status.conditions"), final[i]) == NULL)
            check_fail_at(c, "status.conditions", CHECK_FORBIDDEN, NULL,
                          "updates may not remove a condition of type \"%s\"", final[i]);
}

static bool is_decision(const struct json *condition)
{
    return slice_is(json_string_at(condition, "type"), "Approved") ||
           slice_is(json_string_at(condition, "type"), "Denied");
}

/* Times that a client leaves out; of a condition that was there before, what stood there. */
static void fill_times(struct json_doc *d, struct json *list, const struct json *old, const char *now)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        struct json_iterator k = json_iterate(old);
        struct slice since = {NULL, 0};
        while (json_next(&k))
            if (json_equal(json_get(k.value, "type"), json_get(i.value, "type")) &&
                json_equal(json_get(k.value, "status"), json_get(i.value, "status")))
                since = json_string_at(k.value, "lastTransitionTime");
        if (json_string_at(i.value, "lastUpdateTime").size == 0)
            json_set_str(d, i.value, "lastUpdateTime", now);
        if (json_string_at(i.value, "lastTransitionTime").size == 0)
            json_set_string(d, i.value, "lastTransitionTime", since.size > 0 ? since : slice_str(now));
    }
}

/* `approval` writes decisions only, `status` everything but decisions; a list takes what it may not write from before.
 */
static void keep(struct json_doc *d, struct json *object, const struct json *old, const char *subresource,
                 const char *now)
{
    bool of_approval = strcmp(subresource, "approval") == 0;
    struct json *mine = json_copy(d, json_at(object, "status.conditions")), *merged = json_new_array(d);
    const struct json *before = json_at(old, "status.conditions");
    struct json *status = json_ensure_object(d, object, "status");
    fill_times(d, mine, before, now);
    const struct json *const sources[] = {of_approval ? before : mine, of_approval ? mine : before};
    for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
        struct json_iterator i = json_iterate(sources[s]);
        while (json_next(&i))
            if (is_decision(i.value) == (s == 1))
                json_append(merged, json_copy(d, i.value));
    }
    if (json_size(merged) > 0)
        json_set(d, status, "conditions", merged);
    else
        (void)json_remove(status, "conditions"); /* absent is as good */
    if (of_approval && json_at(old, "status.certificate") != NULL)
        json_set(d, status, "certificate", json_copy(d, json_at(old, "status.certificate")));
    else if (of_approval)
        (void)json_remove(status, "certificate"); /* absent is as good */
    json_set(d, object, "spec", json_copy(d, json_get(old, "spec")));
}

/* Who asks is what the server knows, not what the request says. */
static void stamp_user(struct json_doc *d, struct json *o, const struct user *user)
{
    static const char *const own[] = {"username", "uid", "groups", "extra"};
    struct json *spec = json_ensure_object(d, o, "spec"), *groups = json_new_array(d);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        (void)json_remove(spec, own[i]); /* absent is as good */
    json_set_string(d, spec, "username", user->name);
    if (user->uid.size > 0)
        json_set_string(d, spec, "uid", user->uid);
    for (size_t i = 0; i < user->group_count; i++)
        json_append(groups, json_new_string(d, user->groups[i]));
    if (user->group_count > 0)
        json_set(d, spec, "groups", groups);
    if (json_size(user->extra) > 0)
        json_set(d, spec, "extra", json_copy(d, user->extra));
}

static void prepare_update(struct json_doc *d, struct json *o, const struct json *old)
{
    json_set(d, o, "spec", json_copy(d, json_get(old, "spec")));
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "SignerName", .type = "string", .doc = "Who is asked to sign."},
    {.name = "Requestor", .type = "string", .doc = "The user who made the request."},
    {.name = "RequestedDuration", .type = "string", .doc = "How long the certificate is to hold."},
    {.name = "Condition", .type = "string", .doc = "What has become of it."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *conditions = json_at(o, "status.conditions");
    int64_t seconds = json_int_at(o, "spec.expirationSeconds", -1);
    char age[AGE_TEXT_MAX] = "<none>";
    if (seconds >= 0)
        age_text(seconds, age);
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    cells_or(out, json_string_at(o, "spec.signerName"), "<none>");
    cells_add(out, json_string_at(o, "spec.username"));
    cells_str(out, age);
    cells_printf(out, "%s%s%s",
                 condition(conditions, "Denied") != NULL     ? "Denied"
                 : condition(conditions, "Approved") != NULL ? "Approved"
                                                             : "Pending",
                 condition(conditions, "Failed") != NULL ? ",Failed" : "",
                 json_string_at(o, "status.certificate").size > 0 ? ",Issued" : "");
}

static const char *const short_names[] = {"csr", NULL};
static const struct subresource subresources[] = {
    {"approval", "certificates.k8s.io", "v1", "CertificateSigningRequest", "get,patch,update", CONNECTS_NOT},
    {"status", "certificates.k8s.io", "v1", "CertificateSigningRequest", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "spec.signerName"},
    {.label = NULL},
};

const struct kind kind_certificatesigningrequest = {
    .group = "certificates.k8s.io",
    .version = "v1",
    .name = "CertificateSigningRequest",
    .plural = "certificatesigningrequests",
    .singular = "certificatesigningrequest",
    .short_names = short_names,
    .storage_prefix = "certificatesigningrequests",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_certificate_signing_request,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .stamp_user = stamp_user,
    .prepare_update = prepare_update,
    .check_update = check_update,
    .keep = keep,
    .no_generation = true,
};
