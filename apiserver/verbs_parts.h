/* What the files verbs*.c share. Private to them. */
#ifndef APISERVER_VERBS_PARTS_H
#define APISERVER_VERBS_PARTS_H

#include "apiserver/kinds/kinds.h"
#include "apiserver/verbs.h"

static inline const struct kind *verb_stored_kind(const struct verb_facts *v)
{
    return v->stored == NULL ? v->kind : v->stored;
}

/* verbs_meta.c. kind and apiVersion, as they are stored. */
void meta_set_type(const struct verb_facts *v, struct json_doc *d, struct json *o);
/* The name or namespace of `o` against the URL's, which are set in `o` then. */
int meta_names_agree(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f);
int meta_namespace_agrees(const struct verb_facts *v, struct json_doc *d, struct json *o, struct failure *f);
/* Of a new object: its name out of generateName, and what the server stamps. */
void meta_generate_name(const struct verb_facts *v, struct json_doc *d, struct json *meta);
void meta_stamp_new(const struct verb_facts *v, struct json_doc *d, struct json *meta);
/* Of a changed one: what only the server writes stays as it was. */
void meta_keep(struct json_doc *d, struct json *o, const struct json *old);
void meta_check(const struct verb_facts *v, struct check *c, const struct json *o);
/* An object that is going takes no further finalizers. */
int meta_no_new_finalizers(const struct verb_facts *v, const struct json *o, const struct json *old, struct failure *f);

/* verbs_store.c. What is stored of a new object `o`; verb_store (verbs.h) does it for a changed one. */
int verb_store_new(const struct verb_facts *v, struct json_doc *d, struct json *o, struct verb_result *ret,
                   struct failure *f);
/* `o` is deleted, its grace is over and nobody holds it any more. */
bool verb_deletion_is_due(const struct verb_facts *v, const struct json *o);

#endif
