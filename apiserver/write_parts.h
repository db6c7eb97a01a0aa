/* What the files write*.c share: a write under way. Private to them. */
#ifndef APISERVER_WRITE_PARTS_H
#define APISERVER_WRITE_PARTS_H

#include "apiserver/patch.h"
#include "apiserver/request.h"
#include "common/map.h"

enum write_kind { WRITE_CREATE, WRITE_UPDATE, WRITE_PATCH, WRITE_DELETE, WRITE_BIND, WRITE_SCALE, WRITE_SCALE_PATCH };

/* What the object claims beyond its name (kind.h), and what else it claimed before. */
struct write_claims {
    struct claims fresh, gone;
    struct map taken; /* keys that the store said are taken, after a lost race */
};

/* The disruption budget that pays for an eviction, in the same transaction. */
struct spent_budget {
    struct buf key, bytes; /* empty: none */
    int64_t revision;
};

struct write {
    enum write_kind kind;
    const struct json *body;
    enum patch_type patch;
    struct delete_options options;
    struct buf manager; /* of managedFields: the query's fieldManager, or the first word of User-Agent */
    bool force;         /* of an apply */
    struct spent_budget budget;
    bool dry_run, creating; /* creating: the object is not there, and the verb makes it */
    bool from_cache, strict;
    bool evicting; /* the deletion that an Eviction asks for */
    int attempts;
    uint64_t account_deadline_ms; /* of a new pod's wait for its account; 0: has not waited */
    int64_t revision;             /* of the object decided on */
    struct buf key, old;          /* store key; its stored bytes */
    struct buf name;
    struct verb_result result;
    struct write_claims *claims; /* NULL: of a kind that claims nothing */
    struct allocator allocator;
    /* deletecollection: what is still to do */
    struct cached **targets;
    size_t target_count, target_next;
    int64_t list_revision;
    struct selection selection;
    int64_t limit;               /* of a deletecollection: only this page of the list; 0: none */
    struct buf start, next_page; /* key that the page begins at; token of the one behind it */
    int64_t remaining;           /* objects behind the page; 0: not said */
    bool collection;
};

/* write_parse.c: method, query and body into r->write. A status code with r->failure filled; all that is wrong with the
 * options is told at once. */
int write_parse(struct api_request *r);

/* signers.c: 0, or ERR_FORBIDDEN when who approves or signs a certificate request may not for its signer. */
bool signers_concern(const struct kind *k); /* is there anything to check of this kind? */
int signers_check(struct api_request *r, const struct json *object, const struct json *old);

/* write_evict.c: 0, or why the pod may not be evicted. Fills w->budget. */
int evict_decide(struct api_request *r, const struct json *pod);
/* The budgets' cache; NULL while no such kind is served. */
struct watch_cache *evict_cache(const struct api_request *r);

#endif
