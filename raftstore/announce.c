/* Followers learn of a commit at once, not with the next heartbeat: a member answers its own clients, and feeds their
 * watches, when it has applied. The core speaks of commits only in appends, so an announcement is an empty one, at the
 * point that the follower is known to share: to its core it is a heartbeat that came early. */
#include "common/base.h"

#include "raftstore/driver_parts.h"

void announce_sent(struct driver *d, uint64_t to, uint64_t commit)
{
    struct contact *known = driver_contact(d, to);
    if (known != NULL) /* the follower takes a commit over only as far as it has stored */
        known->told_commit = MAX(known->told_commit, MIN(commit, consensus_match(d->consensus, to)));
}

static void announce_to(struct driver *d, uint64_t member)
{
    uint64_t match = consensus_match(d->consensus, member), commit = consensus_commit_index(d->consensus);
    uint64_t news = MIN(match, commit), term = news == 0 ? 0 : wal_term_of(d->wal, match);
    struct contact *known = driver_contact(d, member);
    if (term == 0 || known == NULL || known->told_commit >= news)
        return;
    struct peer_message pm = {.kind = PEER_CONSENSUS};
    pm.consensus = (struct message){.kind = MESSAGE_APPEND, .from = d->options.member_id, .to = member};
    pm.consensus.append.term = consensus_term(d->consensus);
    pm.consensus.append.prev_index = match;
    pm.consensus.append.prev_term = term;
    pm.consensus.append.leader_commit = commit;
    if (driver_send(d, member, &pm, false))
        known->told_commit = news;
}

void announce_commit(struct deferred *deferred)
{
    struct driver *d = container_of(deferred, struct driver, announce_turn);
    if (d->closing || d->failed || d->barrier != NULL || consensus_role(d->consensus) != ROLE_LEADER)
        return;
    const struct configuration *c = consensus_newest(d->consensus, NULL);
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].id != d->options.member_id)
            announce_to(d, c->members[i].id);
}
