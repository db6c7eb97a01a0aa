/* Server-side apply (KEP-555): a configuration that its manager owns, over the live object. Pure.
 *
 *   live + config → merged → without what the manager gave up → compared with live → conflicts, or the new object
 */
#ifndef APISERVER_APPLY_H
#define APISERVER_APPLY_H

#include "apiserver/managed.h"
#include "apiserver/status.h"

struct apply_options {
    struct managed_writer writer;
    struct slice namespace, name; /* of the URL, for messages */
    bool force;                   /* takes fields of others instead of a conflict */
};

/* `live` is canonical, NULL when there is none; no name stands twice in `config` (strict_once). *ret is the object to
 * write, canonical but for defaults, its managedFields done. ERR_CONFLICT with one cause per field; ERR_UNEXPLAINED:
 * the configuration does not fit the type.
 */
int apply_config(const struct apply_options *o, struct json_doc *d, const struct json *live, const struct json *config,
                 struct json **ret, struct failure *f);

#endif
