/* metadata.managedFields: who set which fields of an object, by which kind of operation (KEP-555). Pure.
 *
 * An entry is known by manager, operation and subresource, an Update also by its apiVersion. Applies come first, then
 * older ones before newer ones. */
#ifndef APISERVER_MANAGED_H
#define APISERVER_MANAGED_H

#include "apiserver/field_set.h"
#include "apiserver/kind.h"
#include "apiserver/typed.h"

#define MANAGER_UPDATES_MAX 10 /* entries of updates in one object; older ones become one, `ancient-changes` */
#define MANAGER_NAME_MAX 128

struct managed_entry {
    struct slice manager, api_version, time, subresource; /* time: RFC 3339, may be empty */
    bool apply;
    const struct field_set *fields; /* never NULL in an object; read by managed_fields */
    const struct json *unread;      /* fieldsV1 as it stands in the list, until someone needs to know; NULL: `fields` is it */
};
/* Zero-initialised is empty. */
struct managed {
    struct arena arena; /* of the entries' texts and sets */
    struct managed_entry *list;
    size_t count, capacity;
};

/* Who writes. */
struct managed_writer {
    const struct kind *kind;   /* as the request names it */
    const struct kind *stored; /* as the objects are kept: what is walked */
    const char *manager;       /* NULL or empty: "unknown" */
    const char *subresource;   /* NULL: the object itself */
    int64_t now_us;
};

/* ERR_BAD_REQUEST on what is no such list; `m` is then empty. */
int managed_read(struct managed *m, const struct json *list, struct err *reterr);
/* The same of a list that was stored, whose sets are read when they are needed; `list` outlives `m`. */
int managed_read_stored(struct managed *m, const struct json *list, struct err *reterr);
/* What an entry owns; a damaged set counts as none. */
const struct field_set *managed_fields(struct managed *m, struct managed_entry *e);
/* Sorted, without entries that own nothing; NULL when none is left. */
struct json *managed_json(struct managed *m, struct json_doc *d);
void managed_release(struct managed *m);

/* The entry's index, made when there is none. */
size_t managed_entry_of(struct managed *m, const struct managed_writer *w, bool apply);
size_t managed_entry_named(struct managed *m, const struct managed_writer *w, const char *manager);

/* Changes that count: without what only the server writes, and what this endpoint does not write. */
void managed_changes(struct managed *m, const struct managed_writer *w, const struct json *before,
                     const struct json *after, struct typed_changes *ret);
const struct field_set *managed_countable(struct managed *m, const struct managed_writer *w, const struct field_set *s);

/* A write that is no apply made `object` of `live` (canonical; NULL: it is new). What it changed is its manager's and
 * nobody else's; what is gone is nobody's. `object` holds the list the request brought, which replaces the stored one
 * unless a subresource is written; none keeps the stored one, and an empty one or one empty entry ends the tracking.
 * Replaces it by the list to store. */
void managed_record(struct json_doc *d, const struct managed_writer *w, const struct json *live, struct json *object);

/* True when two lists differ in nothing but times. */
bool managed_same_but_times(const struct json *a, const struct json *b);

/* A Scale's list from the object's: who owns `path`, as owners of spec.replicas of autoscaling/v1. NULL: nobody. */
struct json *managed_of_scale(struct json_doc *d, const struct json *list, const char *path);

/* The name of a writer who gave none: the first word of its User-Agent, without what cannot be printed. */
void managed_name_of_agent(struct slice user_agent, struct buf *out);

#endif
