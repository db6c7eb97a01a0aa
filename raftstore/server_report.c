/* Once a second every member tells the leader what the leader has to judge for all: whether its disk is low, and the hash of
 * its state at the newest entry it has applied. The leader keeps its own hashes of the last CHECKPOINTS entries and compares.
 *
 * States that differ at one index are a damaged memory, a damaged file or a bug; which of them is right, a majority tells.
 * The odd one out is quarantined: it goes on in consensus, where only the log counts, but answers nobody any more. Without a
 * majority for either, there is the log's error line and the metric. A restart builds the state anew from snapshot and log.
 *
 * Those hashes are kept as the state changes, so a bit that flips in memory afterwards changes none of them. Therefore every member
 * also compares them with its own data, a little at each tick; who finds a difference quarantines itself. */
#include "common/base.h"

#include "raftstore/server_internal.h"

void report_entry(struct server *s, uint64_t index)
{
    s->checkpoints[index % CHECKPOINTS] = (struct checkpoint){index, apply_checkpoint(s->options.apply)};
}

void reports_restored(struct server *s) { memset(s->checkpoints, 0, sizeof s->checkpoints); }

static bool checkpoint_at(const struct server *s, uint64_t index, uint64_t *ret_hash)
{
    const struct checkpoint *c = &s->checkpoints[index % CHECKPOINTS];
    *ret_hash = c->hash;
    return index != 0 && c->index == index;
}

static bool told_low(const struct server *s, uint64_t member)
{
    for (size_t i = 0; i < s->report_count; i++)
        if (s->reports[i].member == member)
            return s->reports[i].low;
    return false;
}

size_t reports_low(struct server *s, size_t *ret_silent, size_t *ret_voters)
{
    const struct server_consensus *consensus = &s->options.consensus;
    const struct configuration *c = server_configuration(s, false);
    bool settled = consensus->settled != NULL && consensus->settled(consensus->impl);
    size_t low = 0;
    *ret_voters = configuration_voters(c);
    *ret_silent = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        bool own = m->id == s->options.member_id;
        if (!m->voter)
            continue;
        if (own ? s->space.low : told_low(s, m->id))
            low++;
        else if (!own && settled && !consensus->live(consensus->impl, m->id))
            (*ret_silent)++;
    }
    return low;
}

/* --- quarantine --- */

/* Another leader's clock of leases and bookkeeping of sessions is to be trusted; this one's is not. */
static void hand_over(struct server *s)
{
    struct err why;
    if (!server_leads(s) || s->options.consensus.transfer == NULL)
        return;
    if (s->options.consensus.transfer(s->options.consensus.impl, 0, &why) != 0)
        log_warn(s->env->log, "a quarantined leader cannot hand over", "why=\"%s\"", why.message);
}

int server_trusted(const struct server *s, struct err *reterr)
{
    if (!s->quarantined)
        return 0;
    return store_err(reterr, STORE_STATE_CORRUPT, "this member's state is damaged, or differs from that of the others: restart it; if "
                     "it comes to this again, test its memory, empty its data folder and let it rejoin");
}

void server_quarantine(struct server *s, const char *why)
{
    struct err refusal;
    if (s->quarantined)
        return;
    s->quarantined = true;
    log_error(s->env->log, "this member's state is not to be trusted: it is quarantined and answers no client until it is restarted",
              "member=%016llx why=\"%s\"", (unsigned long long)s->options.member_id, why);
    hand_over(s);
    int status = server_trusted(s, &refusal);
    LIST_FOR_EACH(node, &s->callers)
    {
        struct caller *c = container_of(node, struct caller, link);
        if (c->member_id == 0)
            c->front->refuse(c, status, refusal.message);
    }
}

/* --- the leader --- */

static struct member_report *report_of(struct server *s, uint64_t member)
{
    for (size_t i = 0; i < s->report_count; i++)
        if (s->reports[i].member == member)
            return &s->reports[i];
    if (s->report_count == ARRAY_LEN(s->reports)) { /* of members removed since: begin anew */
        s->report_count = 0;
    }
    s->reports[s->report_count] = (struct member_report){.member = member};
    return &s->reports[s->report_count++];
}

/* How many voters told the same as `r`; or, with `ours`, the same as we had ourselves, at r's entry or a later one: what
 * agreed before may have parted since, and what has parted stays so (the hash is a chain). */
static size_t voters_agreeing(struct server *s, const struct member_report *r, bool ours)
{
    const struct configuration *c = server_configuration(s, false);
    size_t n = 0;
    for (size_t i = 0; i < s->report_count; i++) {
        const struct member_report *other = &s->reports[i];
        const struct member *m = configuration_member(c, other->member);
        if (m == NULL || !m->voter)
            continue;
        n += ours ? other->agrees && other->at.index >= r->at.index
                  : other->at.index == r->at.index && other->at.hash == r->at.hash;
    }
    const struct member *own = configuration_member(c, s->options.member_id);
    return n + (ours && own != NULL && own->voter);
}

/* True: it is `r` that is guilty. */
static bool judge(struct server *s, const struct member_report *r)
{
    size_t majority = configuration_voters(server_configuration(s, false)) / 2 + 1;
    s->metrics.hash_mismatches_total++;
    log_error(s->env->log, "the states of two members differ at the same entry", "member=%016llx leader=%016llx index=%llu",
              (unsigned long long)r->member, (unsigned long long)s->options.member_id, (unsigned long long)r->at.index);
    if (voters_agreeing(s, r, true) >= majority)
        return true;
    if (voters_agreeing(s, r, false) >= majority)
        server_quarantine(s, "a majority of the others has another state than this leader");
    return false;
}

bool serve_report(struct server *s, uint64_t member, bool low, uint64_t index, uint64_t hash)
{
    uint64_t own;
    struct member_report *r = report_of(s, member);
    if (low != r->low)
        log_warn(s->env->log, low ? "a member's disk is nearly full" : "a member's disk has room again", "member=%016llx",
                 (unsigned long long)member);
    r->low = low;
    if (!checkpoint_at(s, index, &own))
        return false; /* it is ahead of us, or far behind: the next report */
    r->at = (struct checkpoint){index, hash};
    r->agrees = own == hash;
    return !r->agrees && judge(s, r);
}

/* --- everyone --- */

void reports_tick(struct server *s)
{
    uint64_t now = server_now_ms(s), index = apply_index(s->options.apply), hash = 0;
    if (now - s->reported_ms < REPORT_MS)
        return;
    s->reported_ms = now;
    if (server_leads(s))
        return;
    s->report_count = 0; /* what it knew as a leader is old */
    if (!checkpoint_at(s, index, &hash))
        index = 0;
    struct buf values = {0};
    pack_bool(&values, s->space.low);
    pack_uint(&values, index);
    pack_uint(&values, hash);
    (void)link_request(s, STORE_REPORT, buf_slice(&values)); /* else the next one */
    buf_release(&values);
}

/* --- the state and its own hashes --- */

void scrub_tick(struct server *s)
{
    uint64_t now = server_now_ms(s), every = s->options.scrub_every_ms != 0 ? s->options.scrub_every_ms : SCRUB_EVERY_MS;
    size_t step = s->options.scrub_step_bytes != 0 ? s->options.scrub_step_bytes : SCRUB_STEP_BYTES;
    struct err why;
    bool whole;
    if (s->quarantined || (!s->scrub.running && s->scrub.began_ms != 0 && now - s->scrub.began_ms < every))
        return;
    if (!s->scrub.running)
        s->scrub.began_ms = now;
    s->scrub.running = true;
    if (apply_scrub(s->options.apply, step, &whole, &why) != 0) {
        s->metrics.scrub_failures++;
        log_error(s->env->log, "the state does not give its own hash", "member=%016llx revision=%lld why=\"%s\"",
                  (unsigned long long)s->options.member_id, (long long)mvcc_revision(server_store(s)), why.message);
        server_quarantine(s, why.message);
    } else if (whole) {
        s->scrub.running = false;
        s->metrics.scrubs++;
    }
}
