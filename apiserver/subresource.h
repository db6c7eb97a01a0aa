/* What a subresource of an object writes. Most take a part of the body and leave the rest as it is: one row of a table
 * each. Scale and Binding have bodies of their own. Pure. */
#ifndef APISERVER_SUBRESOURCE_H
#define APISERVER_SUBRESOURCE_H

#include "apiserver/verbs.h"

/* `o` gets everything from `old` that the endpoint does not write; v->subresource NULL: all but a status of its own. */
void subresource_keep(const struct verb_facts *v, struct json_doc *d, struct json *o, const struct json *old);
/* Rules of the part that is written; nothing for most. */
void subresource_check(const struct verb_facts *v, struct check *c, const struct json *o, const struct json *old);
/* The endpoint changes what metadata.generation counts. */
bool subresource_counts(const struct verb_facts *v);

/* pods/binding: `body` is the Binding. */
int verb_bind(const struct verb_facts *v, struct json_doc *d, const struct json *old, const struct json *body,
              struct verb_result *ret, struct failure *f);

/* The Scale of an object, and the object as a Scale, or a patch of one, wants it. */
int scale_of(const struct json *object, const struct kind *k, int64_t revision, struct json_doc *d, struct json **ret);
int verb_scale(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
               const struct json *scale, struct verb_result *ret, struct failure *f);
int verb_scale_patch(const struct verb_facts *v, struct json_doc *d, const struct json *old, int64_t old_revision,
                     enum patch_type type, const struct json *patch, bool force, struct verb_result *ret,
                     struct failure *f);

#endif
