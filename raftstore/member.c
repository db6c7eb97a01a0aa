/* See member.h. */
#include "common/base.h"

#include "raftstore/member.h"

#define MEMBER_VOTER 1
#define MEMBER_AUTOMATIC 2

/* --- bytes --- */

static void put_text(struct buf *out, const char *text)
{
    size_t n = strlen(text);
    ASSERT(n < MEMBER_TEXT_MAX);
    buf_append_char(out, (char)n);
    buf_append(out, text, n);
}

void configuration_encode(const struct configuration *c, struct buf *out)
{
    ASSERT(c->count <= CONSENSUS_MEMBERS_MAX);
    buf_append_char(out, CONFIGURATION_FORMAT);
    buf_append_char(out, (char)c->count);
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        buf_append_be64(out, m->id);
        buf_append_char(out, (char)((m->voter ? MEMBER_VOTER : 0) | (m->automatic ? MEMBER_AUTOMATIC : 0)));
        buf_append_be64(out, m->replaces);
        put_text(out, m->name);
        put_text(out, m->peer_address);
        put_text(out, m->client_address);
    }
}

static bool take(struct slice *rest, size_t n, const char **ret)
{
    if (rest->size < n)
        return false;
    *ret = rest->data;
    *rest = slice_from(*rest, n);
    return true;
}

bool member_text(char to[MEMBER_TEXT_MAX], struct slice text)
{
    if (text.size >= MEMBER_TEXT_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == '"' || text.data[i] == 0x7f)
            return false;
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    return true;
}

static bool take_text(struct slice *rest, char to[MEMBER_TEXT_MAX])
{
    const char *size, *text;
    if (!take(rest, 1, &size) || !take(rest, (uint8_t)*size, &text))
        return false;
    return member_text(to, slice_of(text, (uint8_t)*size));
}

static bool take_member(struct slice *rest, struct member *ret)
{
    const char *at;
    if (!take(rest, 17, &at))
        return false;
    *ret = (struct member){.id = be64_at(at), .voter = (at[8] & MEMBER_VOTER) != 0,
                           .automatic = (at[8] & MEMBER_AUTOMATIC) != 0, .replaces = be64_at(at + 9)};
    return (at[8] & ~(MEMBER_VOTER | MEMBER_AUTOMATIC)) == 0 && ret->id != 0 && take_text(rest, ret->name) &&
           take_text(rest, ret->peer_address) && take_text(rest, ret->client_address);
}

int configuration_decode(struct slice bytes, struct configuration *ret, struct err *reterr)
{
    struct configuration c = {0};
    const char *at;
    if (!take(&bytes, 2, &at))
        return err_set(reterr, ERR_CORRUPT, "a configuration of less than two bytes");
    if (at[0] != CONFIGURATION_FORMAT)
        return err_set(reterr, ERR_FORMAT, "a configuration of format %d; this program knows %d", (uint8_t)at[0],
                       CONFIGURATION_FORMAT);
    size_t count = (uint8_t)at[1];
    if (count > CONSENSUS_MEMBERS_MAX)
        return err_set(reterr, ERR_CORRUPT, "a configuration of %zu members; %d are possible", count, CONSENSUS_MEMBERS_MAX);
    while (c.count < count) {
        struct member m;
        if (!take_member(&bytes, &m) || configuration_member(&c, m.id) != NULL)
            return err_set(reterr, ERR_CORRUPT, "member %zu of a configuration makes no sense", c.count + 1);
        c.members[c.count++] = m;
    }
    if (bytes.size != 0)
        return err_set(reterr, ERR_CORRUPT, "%zu bytes behind a configuration", bytes.size);
    *ret = c;
    return 0;
}

/* --- questions --- */

const struct member *configuration_member(const struct configuration *c, uint64_t id)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].id == id)
            return &c->members[i];
    return NULL;
}

static bool is_voter(const struct configuration *c, uint64_t id)
{
    const struct member *m = configuration_member(c, id);
    return m != NULL && m->voter;
}

size_t configuration_voters(const struct configuration *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->members[i].voter;
    return n;
}

static size_t voters_only_in(const struct configuration *a, const struct configuration *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        n += a->members[i].voter && !is_voter(b, a->members[i].id);
    return n;
}

bool configuration_adjacent(const struct configuration *a, const struct configuration *b)
{
    return voters_only_in(a, b) + voters_only_in(b, a) <= 1;
}

/* --- changes --- */

int member_refuse(enum member_refusal why, struct err *reterr)
{
    static const struct {
        int code;
        const char *text;
    } refusals[] = {
#define X(name, code, text) [name] = {code, text},
        MEMBER_REFUSALS(X)
#undef X
    };
    return err_set(reterr, refusals[why].code, "%s", refusals[why].text);
}

/* "host:port" as the net seam takes it; the seam itself says what is wrong with the parts. */
static bool good_address(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL && colon != address && colon[1] != '\0' && strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static bool address_taken(const struct configuration *c, uint64_t id, const char *peer_address)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].id != id && strcmp(c->members[i].peer_address, peer_address) == 0)
            return true;
    return false;
}

static struct member *find(struct configuration *c, uint64_t id)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].id == id)
            return &c->members[i];
    return NULL;
}

/* A learner that lost its folder before it had a vote: who comes in its place replaces whom it was to replace. */
static void take_learners_place(struct configuration *c, struct member *m)
{
    const struct member *learner = find(c, m->replaces);
    if (learner == NULL || learner->voter)
        return;
    uint64_t gone = learner->id;
    m->replaces = learner->replaces;
    (void)member_remove(c, gone, NULL); /* it is there, and no voter */
}

static int add_new(struct configuration *c, const struct member *m, struct err *reterr)
{
    const struct member *replaced = find(c, m->replaces);
    if (m->id == 0 || !good_address(m->peer_address) || (m->client_address[0] != '\0' && !good_address(m->client_address)))
        return member_refuse(MEMBER_BAD_ADDRESS, reterr);
    if (address_taken(c, m->replaces, m->peer_address)) /* one that comes back keeps the addresses of what it replaces */
        return member_refuse(MEMBER_ADDRESS_EXISTS, reterr);
    if (c->count - configuration_voters(c) >= MEMBER_LEARNERS_MAX)
        return member_refuse(MEMBER_TOO_MANY_LEARNERS, reterr);
    if (c->count >= (replaced != NULL ? CONSENSUS_MEMBERS_MAX : MEMBER_NEW_MAX))
        return member_refuse(MEMBER_TOO_MANY, reterr);
    struct member *added = &c->members[c->count++];
    *added = *m;
    added->voter = false;
    if (replaced == NULL)
        added->replaces = 0;
    return 0;
}

int member_add(struct configuration *c, const struct member *m, struct err *reterr)
{
    struct member *known = find(c, m->id), new = *m;
    struct configuration changed = *c;
    if (known != NULL && strcmp(known->peer_address, m->peer_address) != 0)
        return member_refuse(MEMBER_ID_EXISTS, reterr);
    if (known != NULL) { /* it was announced before it was started, and now says the rest */
        if (m->client_address[0] != '\0' && good_address(m->client_address))
            memcpy(known->client_address, m->client_address, sizeof m->client_address);
        if (m->name[0] != '\0')
            memcpy(known->name, m->name, sizeof m->name);
        return 0;
    }
    take_learners_place(&changed, &new);
    int rv = add_new(&changed, &new, reterr);
    if (rv == 0)
        *c = changed;
    return rv;
}

int member_promote(struct configuration *c, uint64_t id, bool in_sync, struct err *reterr)
{
    struct member *m = find(c, id);
    if (m == NULL)
        return member_refuse(MEMBER_NOT_FOUND, reterr);
    if (m->voter)
        return member_refuse(MEMBER_NOT_LEARNER, reterr);
    if (!in_sync)
        return member_refuse(MEMBER_NOT_IN_SYNC, reterr);
    m->voter = true;
    m->automatic = false;
    return 0;
}

int member_remove(struct configuration *c, uint64_t id, struct err *reterr)
{
    struct member *m = find(c, id);
    if (m == NULL)
        return member_refuse(MEMBER_NOT_FOUND, reterr);
    if (m->voter && configuration_voters(c) == 1)
        return member_refuse(MEMBER_LAST_VOTER, reterr);
    size_t at = (size_t)(m - c->members);
    memmove(m, m + 1, (c->count - at - 1) * sizeof *m);
    c->count--;
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].replaces == id)
            c->members[i].replaces = 0;
    return 0;
}

int member_update(struct configuration *c, uint64_t id, const char *peer_address, const char *client_address, struct err *reterr)
{
    struct member *m = find(c, id);
    bool peer = peer_address[0] != '\0', client = client_address[0] != '\0';
    if (m == NULL)
        return member_refuse(MEMBER_NOT_FOUND, reterr);
    if ((!peer && !client) || (peer && !good_address(peer_address)) || (client && !good_address(client_address)))
        return member_refuse(MEMBER_BAD_ADDRESS, reterr);
    if (peer && address_taken(c, id, peer_address))
        return member_refuse(MEMBER_ADDRESS_EXISTS, reterr);
    if ((peer && !member_text(m->peer_address, slice_str(peer_address))) ||
        (client && !member_text(m->client_address, slice_str(client_address))))
        return member_refuse(MEMBER_BAD_ADDRESS, reterr);
    return 0;
}
