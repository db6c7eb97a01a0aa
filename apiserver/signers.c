/* Who may approve or sign a certificate request of a signer: the right `approve` or `sign` on `signers`, by the
 * signer's name or for all of its domain. */
#include "common/base.h"

#include "apiserver/write_parts.h"

static bool may(const struct api_request *r, const char *verb, struct slice name)
{
    struct attributes a = {.is_resource = true,
                           .verb = slice_str(verb),
                           .group = slice_str(r->route.kind->group),
                           .resource = SLICE("signers"),
                           .name = name};
    return authz_system(&r->user, &a) || rbac_allows(r->api->rbac, &r->user, &a, NULL);
}

static bool may_for_signer(const struct api_request *r, const char *verb, struct slice signer)
{
    struct buf domain = {0};
    struct slice rest = signer;
    buf_append_slice(&domain, slice_cut(&rest, '/'));
    buf_append_str(&domain, "/*");
    bool allowed = may(r, verb, signer) || may(r, verb, buf_slice(&domain));
    buf_release(&domain);
    return allowed;
}

static bool signers_concern(const struct kind *k) { return kinds_subresource(k, SLICE("approval")) != NULL; }

int signers_check(struct api_request *r, const struct json *object, const struct json *old)
{
    const struct kind *k = r->route.kind;
    const char *sub = r->route.sub == NULL ? "" : r->route.sub->name;
    struct slice signer = json_string_at(old, "spec.signerName");
    bool approves = strcmp(sub, "approval") == 0, signs = strcmp(sub, "status") == 0;
    if (old == NULL || signer.size == 0 || !signers_concern(k) || (!approves && !signs))
        return 0;
    if (signs && json_equal(json_get(object, "status"), json_get(old, "status")))
        return 0;
    if (may_for_signer(r, approves ? "approve" : "sign", signer))
        return 0;
    struct buf resource = {0};
    kind_resource_text(k, &resource);
    failure_about(&r->failure, k, buf_slice(&r->write->name));
    int code = failure_set(&r->failure, ERR_FORBIDDEN,
                           "%s \"%.*s\" is forbidden: user not permitted to %s requests with signerName \"%.*s\"",
                           resource.data, SLICE_ARGS(buf_slice(&r->write->name)), approves ? "approve" : "sign",
                           SLICE_ARGS(signer));
    buf_release(&resource);
    return code;
}
