/* Followers learn of a commit at once, not with the next heartbeat: a member answers its own clients, and feeds their
 * watches, when it has applied. The core speaks of commits only in appends, so an announcement is an empty one, at the
 * point that the follower is known to share: to its core it is a heartbeat that came early. */
#include "common/base.h"

#include "raftstore/driver_parts.h"

static uint64_t *told(struct driver *d, uint64_t member)
{
    uint64_t term = consensus_term(d->consensus);
    if (d->told_term != term) {
        memset(d->told, 0, sizeof d->told);
        d->told_term = term;
    }
    for (size_t i = 0; i < CONSENSUS_MEMBERS_MAX; i++) {
        if (d->told[i].member != member && d->told[i].member != 0)
            continue;
        d->told[i].member = member;
        return &d->told[i].commit;
    }
    return NULL; /* members have come and gone in this term: the heartbeat will do */
}

void announce_sent(struct driver *d, uint64_t to, uint64_t commit)
{
    uint64_t *known = told(d, to), match = consensus_match(d->consensus, to);
    if (known != NULL) /* the follower takes a commit over only as far as it has stored */
        *known = MAX(*known, MIN(commit, match));
}

static void announce_to(struct driver *d, uint64_t member)
{
    uint64_t match = consensus_match(d->consensus, member), commit = consensus_commit_index(d->consensus);
    uint64_t news = MIN(match, commit), term = news == 0 ? 0 : wal_term_of(d->wal, match);
    uint64_t *known = told(d, member);
    if (term == 0 || known == NULL || *known >= news)
        return;
    struct peer_message pm = {.kind = PEER_CONSENSUS};
    pm.consensus = (struct message){.kind = MESSAGE_APPEND, .from = d->options.member_id, .to = member};
    pm.consensus.append.term = consensus_term(d->consensus);
    pm.consensus.append.prev_index = match;
    pm.consensus.append.prev_term = term;
    pm.consensus.append.leader_commit = commit;
    if (driver_send(d, member, &pm, false))
        *known = news;
}

void announce_commit(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, announce_turn);
    struct configuration configuration;
    if (d->closing || d->failed || d->barrier != NULL || consensus_role(d->consensus) != ROLE_LEADER)
        return;
    consensus_configuration(d->consensus, &configuration, &(uint64_t){0});
    for (size_t i = 0; i < configuration.count; i++)
        if (configuration.members[i].id != d->options.member_id)
            announce_to(d, configuration.members[i].id);
}
