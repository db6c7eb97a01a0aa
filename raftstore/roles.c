#include "common/base.h"

#include "raftstore/roles.h"

#include "common/buf.h"
#include "common/mem.h"

enum who { WHO_ANYBODY, WHO_COMMON_NAME, WHO_ORGANIZATION };

struct role {
    enum who who;
    struct slice name, prefix; /* borrowed from roles->text */
    unsigned rights;
};

struct roles {
    struct buf text;
    struct role roles[ROLES_MAX];
    size_t count;
};

static const struct {
    const char *name;
    unsigned rights;
} right_names[] = {
    {"read", ROLE_READ},
    {"write", ROLE_WRITE},
    {"readwrite", ROLE_READ | ROLE_WRITE},
    {"maintenance", ROLE_MAINTENANCE},
    {"member", ROLE_MEMBER},
    {"all", ROLE_READ | ROLE_WRITE | ROLE_MAINTENANCE | ROLE_MEMBER},
};

static bool parse_who(struct slice text, struct role *ret)
{
    struct slice name = text, kind = slice_cut(&name, ':');
    ret->name = name;
    ret->who = slice_is(text, "*") ? WHO_ANYBODY : slice_is(kind, "cn") ? WHO_COMMON_NAME : WHO_ORGANIZATION;
    return ret->who == WHO_ANYBODY || (name.size > 0 && (slice_is(kind, "cn") || slice_is(kind, "o")));
}

static bool parse_right(struct slice text, struct role *ret)
{
    struct slice prefix = text, name = slice_cut(&prefix, ':');
    ret->prefix = prefix;
    ret->rights = 0;
    for (size_t i = 0; i < ARRAY_LEN(right_names); i++)
        if (slice_is(name, right_names[i].name))
            ret->rights = right_names[i].rights;
    return ret->rights != 0 && (prefix.size == 0 || (ret->rights & ~(unsigned)(ROLE_READ | ROLE_WRITE)) == 0);
}

int roles_parse(struct slice text, struct roles **ret, struct err *reterr)
{
    struct roles *r = NEW(struct roles);
    buf_append_slice(&r->text, text);
    struct slice rest = buf_slice(&r->text);
    int status = rest.size > 0 ? 0 : err_set(reterr, ERR_BAD_REQUEST, "roles: WHO=RIGHT[:PREFIX],… is wanted");
    while (status == 0 && rest.size > 0) {
        struct slice item = slice_cut(&rest, ','), right = item, who = slice_cut(&right, '=');
        if (r->count == ROLES_MAX)
            status = err_set(reterr, ERR_BAD_REQUEST, "roles: at most %d are possible", ROLES_MAX);
        else if (!parse_who(who, &r->roles[r->count]) || !parse_right(right, &r->roles[r->count]))
            status = err_set(reterr, ERR_BAD_REQUEST, "roles: \"%.*s\" is not WHO=RIGHT[:PREFIX]: WHO is cn:NAME, o:NAME or *; RIGHT is read, "
                             "write, readwrite (these with a prefix), maintenance, member or all", (int)MIN(item.size, (size_t)100), item.data);
        else
            r->count++;
    }
    if (status == 0)
        *ret = r;
    else
        roles_free(r);
    return status;
}

void roles_free(struct roles *r)
{
    if (r == NULL)
        return;
    buf_release(&r->text);
    mem_free(r);
}

static bool is_who(const struct role *role, const struct net_peer *peer)
{
    if (role->who == WHO_ANYBODY)
        return true;
    if (role->who == WHO_COMMON_NAME)
        return slice_is(role->name, peer->common_name);
    for (size_t i = 0; i < peer->organization_count; i++)
        if (slice_is(role->name, peer->organizations[i]))
            return true;
    return false;
}

/* Is `end` at most the least key behind all that have the prefix? That is the prefix with its last byte below 0xff raised. */
static bool ends_within(struct slice end, struct slice prefix)
{
    while (prefix.size > 0 && (uint8_t)prefix.data[prefix.size - 1] == 0xff)
        prefix.size--;
    if (prefix.size == 0)
        return true;
    size_t last = prefix.size - 1;
    struct slice common = {end.data, MIN(end.size, last)};
    int order = slice_compare(common, (struct slice){prefix.data, last});
    if (order != 0 || end.size <= last)
        return order < 0 || (order == 0 && end.size <= last);
    unsigned at = (uint8_t)end.data[last], raised = (uint8_t)prefix.data[last] + 1u;
    return at < raised || (at == raised && end.size == prefix.size);
}

static bool within(const struct kv_span *span, struct slice prefix)
{
    if (prefix.size == 0)
        return true;
    if (!slice_has_prefix(span->key, prefix))
        return false;
    bool open = span->end.size == 1 && span->end.data[0] == '\0';
    return span->end.size == 0 || (!open && ends_within(span->end, prefix));
}

bool roles_allow(const struct roles *r, const struct net_peer *peer, unsigned right, const struct kv_span *span)
{
    if (r == NULL)
        return true;
    if (peer == NULL || (peer->common_name[0] == '\0' && peer->organization_count == 0))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if ((r->roles[i].rights & right) == right && is_who(&r->roles[i], peer) && (span == NULL || within(span, r->roles[i].prefix)))
            return true;
    return false;
}

static bool allow_op(const struct roles *r, const struct net_peer *peer, const struct kv_op *op)
{
    struct kv_span key;
    switch (op->kind) {
    case KV_OP_RANGE: return roles_allow(r, peer, ROLE_READ, &op->range.span);
    case KV_OP_PUT:
        key = (struct kv_span){.key = op->put.key};
        return roles_allow(r, peer, ROLE_WRITE, &key) && (!op->put.prev_kv || roles_allow(r, peer, ROLE_READ, &key));
    case KV_OP_DELETE:
        return roles_allow(r, peer, ROLE_WRITE, &op->delete.span) &&
               (!op->delete.prev_kv || roles_allow(r, peer, ROLE_READ, &op->delete.span));
    case KV_OP_TXN: return roles_allow_txn(r, peer, &op->txn);
    }
    return false;
}

bool roles_allow_txn(const struct roles *r, const struct net_peer *peer, const struct kv_txn *txn)
{
    bool allowed = true;
#ifndef PLANT_COMPARES_UNCHECKED
    for (size_t i = 0; allowed && i < txn->compare_count; i++)
        allowed = roles_allow(r, peer, ROLE_READ, &txn->compares[i].span);
#endif
    for (size_t i = 0; allowed && i < txn->success_count; i++)
        allowed = allow_op(r, peer, &txn->success[i]);
    for (size_t i = 0; allowed && i < txn->failure_count; i++)
        allowed = allow_op(r, peer, &txn->failure[i]);
    return allowed;
}
