/* A kind is a table. One engine (schema.h) reads it for decoding, unknown fields, defaults, validation, patches,
 * canonical bytes, discovery and columns. Adding a kind is one file under kinds/ and one row in kinds/kinds.c. Facts:
 * the Kubernetes 1.32 API; field numbers are those of its protobuf messages. */
#ifndef APISERVER_KIND_H
#define APISERVER_KIND_H

#include "common/base.h"
#include "common/err.h"
#include "common/json.h"

enum field_type {
    FIELD_STRING,
    FIELD_BOOL,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_DOUBLE,
    FIELD_BYTES,  /* base64 in JSON */
    FIELD_OBJECT, /* `object` says which */
    FIELD_QUANTITY,
    FIELD_INT_OR_STRING,
    FIELD_TIME,
    FIELD_MICRO_TIME,
    FIELD_DURATION,
    FIELD_RAW, /* any JSON: RawExtension, FieldsV1 */
};
enum field_shape { FIELD_ONE, FIELD_LIST, FIELD_MAP /* of string to type */ };
enum list_kind { LIST_ATOMIC, LIST_SET, LIST_MAP };
enum patch_strategy { PATCH_REPLACE = 0, PATCH_MERGE = 1, PATCH_RETAIN_KEYS = 2 };

enum field_flags {
    FIELD_REQUIRED = 1, /* absent or empty is an error */
    FIELD_ALWAYS = 2,   /* printed even when absent: objects as {}, times as null */
    FIELD_INLINE = 4,   /* its members stand in the parent in JSON, in a nested message in protobuf */
    FIELD_POINTER = 8,  /* an explicit zero differs from absent: kept when it arrives by protobuf */
    FIELD_IMMUTABLE = 16,
    FIELD_TOLD = 64,    /* with FIELD_REQUIRED: a rule across fields says what is missing, in words of its own */
    FIELD_ZERO = 32,    /* an empty value that arrives is kept, but nobody insists on one (status fields) */
    FIELD_OPTIONAL = 256, /* with FIELD_REQUIRED or FIELD_ZERO: published as optional all the same */
    FIELD_ATOMIC = 128, /* of an object or a map: one owner has all of it (x-kubernetes-map-type: atomic) */
};

struct user;  /* who asks; authz.h */
struct check; /* what a validation hook gets: where it is and where errors go; check.h */

struct field {
    const char *name; /* in JSON */
    enum field_type type;
    enum field_shape shape;
    const struct type *object;                                    /* FIELD_OBJECT */
    uint16_t proto;                                               /* field number */
    uint16_t flags;                                               /* of enum field_flags */
    const char *fallback;                                         /* default, as JSON text; NULL: none */
    void (*check)(struct check *check, const struct json *value); /* beyond the type; NULL: nothing */
    const char *required;                                         /* what a missing one is told; NULL: no more */
    const char *const *one_of;                                    /* allowed strings, NULL-terminated */
    enum list_kind list;
    const char *list_keys; /* of LIST_MAP: "containerPort,protocol" */
    uint8_t patch;         /* of enum patch_strategy */
    const char *merge_key; /* of PATCH_MERGE on lists of objects */
    const char *doc;       /* one line in our own words */
};

struct type {
    const char *name;       /* "PodSpec" */
    const char *doc;        /* one line in our own words */
    const char *definition; /* its name in the published schemas, "io.k8s.api.apps.v1.DeploymentSpec", where the group
                               of the kind that uses it does not tell (openapi.c); NULL: it does */
    bool atomic;            /* every field of this type is FIELD_ATOMIC */
    const struct field *fields;                           /* in canonical (storage) order; ends with a NULL name */
    void (*fill)(struct json_doc *d, struct json *value); /* defaults that depend on other fields */
    void (*check)(struct check *check, const struct json *value); /* rules across fields */
};

struct column {
    const char *name, *type, *format, *doc;
    int priority; /* 0: always, 1: only in wide output */
};

struct cells;      /* what a row hook fills in; columns.h */
struct column_now; /* the time ages are counted to */

struct subresource {
    const char *name;                   /* "status", "scale", "binding", "log" */
    const char *group, *version, *kind; /* of its body: autoscaling/v1 Scale */
    const char *verbs;                  /* "get,patch,update" */
    /* Its requests are connected to somebody else and have no body of ours: to the pod's node, with an upgrade (connect.c);
     * or to what the object stands for, whatever the path behind (proxy.c). */
    enum connects { CONNECTS_NOT, CONNECTS_NODE, CONNECTS_PROXY } connects;
};

#define PROXY_VERBS "create,delete,get,patch,update" /* and `options`, which discovery has no word for */

/* Where the Scale of an object stands in it, as paths of fields. The selector is a label selector, a map of labels or a text. */
struct scale_paths {
    const char *replicas, *status_replicas, *selector; /* selector: NULL: it has none */
};

/* A field that field selectors may name. */
struct selectable {
    const char *label;  /* "spec.nodeName" */
    const char *path;   /* in the object; NULL: same as label */
    const char *absent; /* its value when the object has none; NULL: "" */
};

/* Keys of its own that an object holds while it exists: a cluster address, a node port. They stand in the store beside
 * the object and change in the same transaction, so no two objects hold one. */
#define CLAIMS_MAX 120
#define CLAIM_KEY_MAX 64
/* What values of one sort are called in keys and events. */
struct claim_range {
    const char *prefix;    /* of keys: "serviceips/" */
    const char *word;      /* of reasons and actions: "ClusterIP" in ClusterIPNotAllocated */
    const char *shown;     /* before the value in messages: "Cluster IP [IPv4]:" */
    const char *outside;   /* "the port range 30000-32767" */
    const char *component; /* who reports */
};
struct claim {
    char key[CLAIM_KEY_MAX]; /* below /registry/ranges/: "serviceips/10.96.0.1" */
    char field[64];          /* where it was asked for, for a 422; "": an internal error is all that is told */
    char value[48];          /* as it is shown there, as JSON */
    char taken[96];          /* "provided port is already allocated" */
    const struct claim_range *range;
    /* A stored object may say a value that nobody can hold; then there is no key. */
    enum { CLAIM_GOOD, CLAIM_OUTSIDE, CLAIM_NO_VALUE } state;
};
struct claims {
    struct claim list[CLAIMS_MAX];
    size_t count; /* claims beyond the bound are dropped; validation keeps objects below it */
};

/* What `allocate` chooses free values by. */
struct allocator {
    uint64_t seed;
    bool (*taken)(const struct allocator *a, const char *key); /* NULL: nothing is known to be */
    void *data;
    struct claims *asked; /* what the object claimed before anything was chosen is put here; NULL: nobody asks */
};

struct kind {
    const char *group, *version, *name, *plural, *singular; /* "" is the core group */
    const char *const *short_names, *const *categories;     /* NULL-terminated, or NULL */
    bool namespaced;
    const char *storage_prefix; /* below /registry: "pods", "minions", "services/specs" */
    /* Another version of a kind shares that one's storage: its objects are kept as `stored_as` has them. NULL: as they
     * are. The hooks turn a tree of the one into a tree of the other; apiVersion and kind are set by the caller. */
    const struct kind *stored_as;
    void (*from_stored)(struct json_doc *d, struct json *object);
    void (*to_stored)(struct json_doc *d, struct json *object);
    const char *deprecated; /* Warning of every answer: "batch/v1beta1 CronJob is deprecated in …"; NULL: none */
    const char *verbs;      /* "create,delete,deletecollection,get,list,patch,update,watch" */
    const struct type *type;
    const struct subresource *subresources; /* ends with a NULL name */
    const struct scale_paths *scale; /* of a kind with a subresource `scale`; NULL: spec.replicas, status.replicas, spec.selector */
    const struct selectable *selectable;    /* beyond metadata.name and metadata.namespace; ends with a NULL label */
    const struct column *columns;           /* ends with a NULL name */
    void (*row)(const struct json *object, const struct column_now *now, struct cells *out);
    int (*check_name)(struct slice name, struct err *reterr); /* NULL: DNS-1123 subdomain (names.h) */
    /* Hooks; each may be NULL. */
    void (*stamp_user)(struct json_doc *d, struct json *object, const struct user *user); /* who makes it is part of it */
    void (*prepare_create)(struct json_doc *d, struct json *object);
    void (*prepare_update)(struct json_doc *d, struct json *object, const struct json *old);
    /* Of a write through a subresource: takes from `old` all that it may not change; NULL: it changes the status alone.
     * `now` is the time, for what is stamped. Such kinds have check_update run for subresources too. */
    void (*keep)(struct json_doc *d, struct json *object, const struct json *old, const char *subresource, const char *now);
    void (*check_update)(struct check *check, const struct json *object, const struct json *old);
    void (*claim)(const struct json *object, struct claims *out);
    /* Fills in free values of a new object (`old` NULL) or a changed one. What was asked for and cannot be is a failure of
     * `check`; an error is internal: nothing is free. */
    int (*allocate)(struct json_doc *d, struct json *object, const struct json *old, const struct allocator *a,
                    struct check *check, struct err *reterr);
    bool update_needs_version;  /* an update without resourceVersion is refused */
    bool update_creates;        /* PUT on a missing object makes it */
    bool create_keeps_status;   /* a new object may bring its status along (Node) */
    bool no_generation;         /* kinds without metadata.generation */
    bool never_stored;          /* a body of subresources only: Binding, Scale */
    bool orphans_dependents;    /* a deletion that says nothing leaves them (ReplicationController, Job) */
    bool delete_answers_object; /* an immediate deletion answers with the object instead of a Status */
    /* Seconds an object of this kind needs to end after a DELETE that asks for `asked` (-1: does not say); 0: goes at
     * once. */
    int64_t (*grace_seconds)(const struct json *object, int64_t asked);
};

#endif
