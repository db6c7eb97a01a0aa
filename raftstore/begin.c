/* See begin.h. */
#include "common/base.h"

#include "raftstore/begin.h"

static uint64_t new_member_id(struct random *random)
{
    uint64_t id = 0;
    while (id == 0)
        id = random_u64(random);
    return id;
}

/* Who this member is. *ret_known: the folder says so; *ret_state: it holds a log or a snapshot. */
static int identify(struct disk *disk, const struct begin_options *o, struct identity *ret, bool *ret_known, bool *ret_state,
                    struct err *reterr)
{
    int known = identity_load(disk, ret, reterr);
    if (known < 0)
        return known;
    *ret_known = known == 1;
    if (known == 1 && memcmp(ret->cluster_id, o->cluster_id, sizeof o->cluster_id) != 0)
        return err_set(reterr, ERR_IDENTITY, "the data folder belongs to a member of another cluster");
    if (known == 1 && o->member_id != 0 && ret->named_id != o->member_id && ret->member_id != o->member_id)
        return err_set(reterr, ERR_IDENTITY, "the data folder belongs to member %016llx, not to %016llx",
                       (unsigned long long)ret->named_id, (unsigned long long)o->member_id);
    if (known == 0) {
        *ret = (struct identity){.member_id = o->member_id, .named_id = o->member_id};
        memcpy(ret->cluster_id, o->cluster_id, sizeof o->cluster_id);
    }
    return identity_has_state(disk, ret_state, reterr);
}

int begin_look(struct disk *disk, const struct begin_options *o, struct random *random, struct identity *ret, enum begin_how *ret_how,
               struct err *reterr)
{
    struct identity identity;
    bool known, has_state, founding = o->members->count > 0 && o->join_count == 0;
    int status = identify(disk, o, &identity, &known, &has_state, reterr);
    if (status != 0)
        return status;
    if (known && (!has_state || identity.setting_aside)) { /* it had begun to */
        *ret_how = BEGIN_JOIN;
    } else if (!has_state && founding && o->existing) { /* it was there, and its folder is not any more */
        identity.replaces = o->member_id;
        identity.member_id = new_member_id(random);
        *ret_how = BEGIN_JOIN;
    } else if (!has_state && !founding) {
        if (identity.member_id == 0)
            identity.member_id = new_member_id(random);
        *ret_how = BEGIN_JOIN;
    } else {
        *ret_how = founding && !known ? BEGIN_FOUND : BEGIN_ON;
    }
    *ret = identity;
    return 0;
}

/* What this member has acknowledged may be among what is lost, so it may neither vote nor count again under its id. */
int begin_damaged(struct identity *identity, struct random *random, const struct err *why, struct err *reterr)
{
    if (identity->damaged >= DAMAGED_MAX)
        return err_set(reterr, why->code, "%s; %d damaged logs are set aside in the data folder already: look at the disk, and remove "
                       "the files " DAMAGED_PREFIX "* and " IDENTITY_NAME, why->message, DAMAGED_MAX);
    identity->replaces = identity->member_id;
    identity->member_id = new_member_id(random);
    identity->damaged++;
    identity->setting_aside = true;
    return 0;
}

static void add_endpoint(struct rejoin_options *o, const char *address)
{
    for (size_t i = 0; i < o->endpoint_count; i++)
        if (strcmp(o->endpoints[i], address) == 0)
            return;
    if (address[0] != '\0' && o->endpoint_count < REJOIN_ENDPOINTS_MAX)
        (void)member_text(o->endpoints[o->endpoint_count++], slice_str(address)); /* it was one before */
}

void begin_endpoints(struct disk *disk, const struct begin_options *o, const struct identity *identity, struct rejoin_options *ret)
{
    struct configuration saved;
    identity_members_load(disk, &saved);
    const struct configuration *all[] = {&saved, o->members};
    for (size_t i = 0; i < o->join_count; i++)
        add_endpoint(ret, o->join[i]);
    for (size_t k = 0; k < ARRAY_LEN(all); k++)
        for (size_t i = 0; i < all[k]->count; i++)
            if (all[k]->members[i].id != identity->member_id && all[k]->members[i].id != identity->replaces &&
                strcmp(all[k]->members[i].client_address, o->client_address) != 0)
                add_endpoint(ret, all[k]->members[i].client_address);
}
