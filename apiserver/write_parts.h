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
    struct claims asked; /* by the client; others are ours to choose again */
    struct map taken;    /* keys that the store said are taken, after a lost race */
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
    const struct json **classes; /* the array that v->classes borrows */
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

/* write.c. Decides the verb on `old` (stored bytes, of `revision`; data NULL: there is nothing) and carries it out. */
void write_decide(struct api_request *r, struct slice old, int64_t revision);
/* The object of w->key, from the cache where that has it, then write_decide. */
void write_load(struct api_request *r);
void write_load_from_store(struct api_request *r);
/* A request_wait_fresh's: `status` 0 goes on with write_load_from_store. */
void write_load_fresh(struct api_request *r, int status);
/* The object's key in its kind's cache; borrows w->key. */
struct slice write_cache_key(const struct api_request *r);
void write_answer(struct api_request *r, int64_t revision);
/* The namespace was not there when the object was to be made, or (`terminating`) is going. */
void write_fail_namespace(struct api_request *r, bool terminating);

/* write_commit.c: what was decided as one transaction; answers, fails or decides again. w->result.bytes at a key that
 * must not exist, in a namespace that must: */
void commit_new(struct api_request *r);
/* At w->revision, or gone: */
void commit_change(struct api_request *r);

/* write_claims.c: the keys that an object claims, in the transaction that writes it. For kinds that claim nothing all
 * of it does nothing. */
struct write_txn {
    struct arena memory;         /* of all of it */
    struct kv_compare *compares; /* with room for the claims that w->claims says */
    struct kv_op *done, look[2];
    struct kv_txn txn;
};
/* Which claims w->result makes that `old` (NULL: none) did not have, and which it gives up. */
void claims_update(struct api_request *r, const struct json *old);
/* Adds their compares and operations; the last lookup on failure is then what is claimed in the cluster. Nothing is
 * written where `t` writes nothing else (a dry run). */
void claims_join(struct api_request *r, struct write_txn *t);
/* After a lost race: the claim that someone else holds and that the client asked for, or NULL. Notes all that are
 * taken, so that the next attempt chooses others. *ret_any: one of ours is among them. */
const struct claim *claims_lost(struct api_request *r, struct store_call *call, bool *ret_any);
/* Fails the request with 422: `claim` is someone else's. */
void claims_fail(struct api_request *r, const struct claim *claim);
/* struct allocator's `taken`; its data is the struct write. */
bool claim_is_taken(const struct allocator *a, const char *key);

/* write_account.c: fills v->account and v->mounts_tokens for a new pod. */
void account_find(struct api_request *r, struct verb_facts *v);
/* True: its account may be there in a moment; write_decide is called again then. */
bool account_waits(struct api_request *r, const struct verb_facts *v);

/* write_classes.c: fills v->classes for a new object that may name a class. */
void classes_find(struct api_request *r, struct verb_facts *v);

/* write_collection.c: a request_wait_fresh's, and after each object of a deletecollection the next, or the answer. */
void collection_begin(struct api_request *r, int status);
void collection_next(struct api_request *r);

/* signers.c: 0, or ERR_FORBIDDEN when who approves or signs a certificate request may not for its signer. Of other
 * kinds, 0. */
int signers_check(struct api_request *r, const struct json *object, const struct json *old);

/* write_evict.c: 0, or why the pod may not be evicted. Fills w->budget. */
int evict_decide(struct api_request *r, const struct json *pod);
/* The budgets' cache; NULL while no such kind is served. */
struct watch_cache *evict_cache(const struct api_request *r);

#endif
