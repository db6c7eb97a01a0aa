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

static const struct configuration *configuration(struct server *s)
{
    return s->options.consensus.configuration(s->options.consensus.impl, false);
}

size_t reports_low(struct server *s, size_t *ret_voters)
{
    const struct configuration *c = configuration(s);
    size_t low = 0;
    *ret_voters = configuration_voters(c);
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        bool own = m->id == s->options.member_id;
        for (size_t r = 0; r < s->report_count && m->voter && !own; r++)
            low += s->reports[r].member == m->id && s->reports[r].low;
        low += m->voter && own && s->space.low;
    }
    return low;
}

/* --- quarantine --- */

/* Another leader's clock of leases and bookkeeping of sessions is to be trusted; this one's is not. */
static void hand_over(struct server *s)
{
    struct driver_status status;
    struct err why;
    s->options.consensus.status(s->options.consensus.impl, &status);
    if (status.role != ROLE_LEADER || s->options.consensus.transfer == NULL)
        return;
    if (s->options.consensus.transfer(s->options.consensus.impl, 0, &why) != 0)
        log_warn(s->env->log, "a quarantined leader cannot hand over", "why=\"%s\"", why.message);
}

void server_quarantine(struct server *s, const char *why)
{
    if (s->quarantined)
        return;
    s->quarantined = true;
    log_error(s->env->log, "this member's state is not to be trusted: it is quarantined and answers no client until it is restarted",
              "member=%016llx why=\"%s\"", (unsigned long long)s->options.member_id, why);
    hand_over(s);
    LIST_FOR_EACH(node, &s->connections)
    {
        struct connection *c = container_of(node, struct connection, link);
        if (c->member_id == 0)
            quarantine_refuse(c);
    }
}

void quarantine_refuse(struct connection *c)
{
    struct err why;
    int status = store_err(&why, STORE_STATE_CORRUPT, "this member's state is damaged, or differs from that of the others: restart "
                           "it; if it comes to this again, test its memory, empty its data folder and let it rejoin");
    conn_refuse(c, status, why.message);
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
    const struct configuration *c = configuration(s);
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

static void send_verdict(struct connection *c)
{
    size_t mark = conn_frame(c, STORE_VERDICT);
    pack_bool(&c->out, true);
    conn_frame_end(c, mark);
}

static void judge(struct connection *c, struct member_report *r)
{
    struct server *s = c->server;
    size_t majority = configuration_voters(configuration(s)) / 2 + 1;
    s->metrics.hash_mismatches_total++;
    log_error(s->env->log, "the states of two members differ at the same entry", "member=%016llx leader=%016llx index=%llu",
              (unsigned long long)r->member, (unsigned long long)s->options.member_id, (unsigned long long)r->at.index);
    if (voters_agreeing(s, r, true) >= majority)
        send_verdict(c);
    else if (voters_agreeing(s, r, false) >= majority)
        server_quarantine(s, "a majority of the others has another state than this leader");
}

void serve_report(struct connection *c, struct unpack *u)
{
    struct server *s = c->server;
    bool low = unpack_bool(u);
    struct checkpoint at = {.index = unpack_uint(u)};
    uint64_t own;
    at.hash = unpack_uint(u);
    if (!unpack_done(u) || c->member_id == 0) {
        conn_refuse(c, ERR_INVALID, "malformed report");
        return;
    }
    struct member_report *r = report_of(s, c->member_id);
    if (low != r->low)
        log_warn(s->env->log, low ? "a member's disk is nearly full" : "a member's disk has room again", "member=%016llx",
                 (unsigned long long)r->member);
    r->low = low;
    if (!checkpoint_at(s, at.index, &own))
        return; /* it is ahead of us, or far behind: the next report */
    r->at = at;
    r->agrees = own == at.hash;
    if (!r->agrees)
        judge(c, r);
}

/* --- everyone --- */

void reports_tick(struct server *s)
{
    uint64_t now = server_now_ms(s), index = apply_index(s->options.apply), hash = 0;
    struct driver_status status;
    if (now - s->reported_ms < REPORT_MS)
        return;
    s->reported_ms = now;
    s->options.consensus.status(s->options.consensus.impl, &status);
    if (status.role == ROLE_LEADER)
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

void report_verdict(struct server *s, struct unpack *u)
{
    bool guilty = unpack_bool(u);
    if (unpack_done(u) && guilty)
        server_quarantine(s, "the leader and a majority have another state");
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
