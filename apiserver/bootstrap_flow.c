/* Priority levels and flow schemas that every Kubernetes cluster has (KEP-1040): their names and figures are known to
 * people and tools. */
#include "common/base.h"

#include "apiserver/bootstrap_parts.h"

#define RULES_MAX 3
#define SUBJECTS_MAX 4

/* --- levels --- */

struct level {
    const char *name;
    unsigned shares, lendable;
    unsigned queues, hand; /* 0: requests that find no seat are refused */
    bool exempt;
};

#define QUEUE_LENGTH 50

static const struct level levels[] = {
    {"exempt", 0, 0, 0, 0, true},
    {"catch-all", 5, 0, 0, 0, false},
    {"system", 30, 33, 64, 6, false},
    {"node-high", 40, 25, 64, 6, false},
    {"leader-election", 10, 0, 16, 4, false},
    {"workload-high", 40, 50, 128, 6, false},
    {"workload-low", 100, 90, 128, 6, false},
    {"global-default", 20, 50, 128, 6, false},
};

const char *bootstrap_level_name(size_t at) { return at < ARRAY_LEN(levels) ? levels[at].name : NULL; }

static void put_head(struct buf *out, const char *kind, const char *name)
{
    buf_printf(out,
               "{\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"annotations\":{\"apf.kubernetes.io/"
               "autoupdate-spec\":\"true\"}},"
               "\"spec\":{",
               kind, name);
}

void bootstrap_level_print(size_t at, struct buf *out)
{
    const struct level *l = &levels[at];
    put_head(out, "PriorityLevelConfiguration", l->name);
    buf_printf(out, "\"type\":\"%s\",\"%s\":{\"nominalConcurrencyShares\":%u,\"lendablePercent\":%u",
               l->exempt ? "Exempt" : "Limited", l->exempt ? "exempt" : "limited", l->shares, l->lendable);
    if (l->queues > 0)
        buf_printf(out,
                   ",\"limitResponse\":{\"type\":\"Queue\",\"queuing\":{\"queues\":%u,\"handSize\":%u,"
                   "\"queueLengthLimit\":%d}}",
                   l->queues, l->hand, QUEUE_LENGTH);
    else if (!l->exempt)
        buf_append_str(out, ",\"limitResponse\":{\"type\":\"Reject\"}");
    buf_append_str(out, "}}}");
}

/* --- schemas --- */

struct resources {
    const char *verbs, *group, *resources; /* words between blanks; "core" is the group without a name */
    bool cluster;                          /* requests without a namespace too */
};

struct schema {
    const char *name, *level;
    unsigned precedence;
    const char *flows;                  /* NULL: one flow for all */
    const char *subjects[SUBJECTS_MAX]; /* "group G", "user U", "account NAMESPACE/NAME" */
    struct resources rules[RULES_MAX];
    const char *verbs, *paths; /* that are no resources */
};

#define EVERYTHING {{"*", "*", "*", true}}, "*", "*"
#define EVERYBODY                                                                                                      \
    {                                                                                                                  \
        "group system:unauthenticated", "group system:authenticated"                                                   \
    }
#define CHANGE "get create update"
#define MANAGER "user system:kube-controller-manager"
#define SCHEDULER "user system:kube-scheduler"
#define SYSTEM_ACCOUNTS "account kube-system/*"

static const struct schema schemas[] = {
    {"exempt", "exempt", 1, NULL, {"group system:masters"}, EVERYTHING},
    {"probes", "exempt", 2, NULL, EVERYBODY, {{0}}, "get", "/healthz /readyz /livez"},
    {"system-leader-election",
     "leader-election",
     100,
     "ByUser",
     {MANAGER, SCHEDULER, SYSTEM_ACCOUNTS},
     {{CHANGE, "coordination.k8s.io", "leases", false}},
     NULL,
     NULL},
    {"endpoint-controller",
     "workload-high",
     150,
     "ByUser",
     {MANAGER, "account kube-system/endpoint-controller", "account kube-system/endpointslicemirroring-controller"},
     {{CHANGE, "core", "endpoints", false}},
     NULL,
     NULL},
    {"workload-leader-election",
     "leader-election",
     200,
     "ByUser",
     {SYSTEM_ACCOUNTS},
     {{CHANGE, "core", "endpoints configmaps", false}, {CHANGE, "coordination.k8s.io", "leases", false}},
     NULL,
     NULL},
    {"system-node-high",
     "node-high",
     400,
     "ByUser",
     {"group system:nodes"},
     {{"*", "core", "nodes nodes/status", true}, {"*", "coordination.k8s.io", "leases", false}},
     NULL,
     NULL},
    {"system-nodes", "system", 500, "ByUser", {"group system:nodes"}, EVERYTHING},
    {"kube-controller-manager", "workload-high", 800, "ByNamespace", {MANAGER}, EVERYTHING},
    {"kube-scheduler", "workload-high", 800, "ByNamespace", {SCHEDULER}, EVERYTHING},
    {"kube-system-service-accounts", "workload-high", 900, "ByNamespace", {SYSTEM_ACCOUNTS}, EVERYTHING},
    {"service-accounts", "workload-low", 9000, "ByUser", {"group system:serviceaccounts"}, EVERYTHING},
    {"global-default", "global-default", 9900, "ByUser", EVERYBODY, EVERYTHING},
    {"catch-all", "catch-all", 10000, "ByUser", EVERYBODY, EVERYTHING},
};

const char *bootstrap_schema_name(size_t at) { return at < ARRAY_LEN(schemas) ? schemas[at].name : NULL; }

static void put_words(struct buf *out, const char *member, const char *words)
{
    struct slice rest = slice_str(words);
    buf_printf(out, "\"%s\":[", member);
    for (bool first = true; rest.size > 0; first = false) {
        struct slice word = slice_cut(&rest, ' ');
        buf_printf(out, "%s\"%.*s\"", first ? "" : ",", SLICE_ARGS(slice_is(word, "core") ? SLICE("") : word));
    }
    buf_append_char(out, ']');
}

static void put_subject(struct buf *out, const char *text)
{
    struct slice name = slice_str(text), word = slice_cut(&name, ' ');
    if (slice_is(word, "account")) {
        struct slice namespace = slice_cut(&name, '/');
        buf_printf(out, "{\"kind\":\"ServiceAccount\",\"serviceAccount\":{\"namespace\":\"%.*s\",\"name\":\"%.*s\"}}",
                   SLICE_ARGS(namespace), SLICE_ARGS(name));
        return;
    }
    buf_printf(out, "{\"kind\":\"%s\",\"%.*s\":{\"name\":\"%.*s\"}}", slice_is(word, "user") ? "User" : "Group",
               SLICE_ARGS(word), SLICE_ARGS(name));
}

static void put_resources(struct buf *out, const struct resources *rules)
{
    buf_append_str(out, ",\"resourceRules\":[");
    for (size_t i = 0; i < RULES_MAX && rules[i].verbs != NULL; i++) {
        buf_append_str(out, i == 0 ? "{" : ",{");
        put_words(out, "verbs", rules[i].verbs);
        buf_append_char(out, ',');
        put_words(out, "apiGroups", rules[i].group);
        buf_append_char(out, ',');
        put_words(out, "resources", rules[i].resources);
        buf_printf(out, ",%s\"namespaces\":[\"*\"]}", rules[i].cluster ? "\"clusterScope\":true," : "");
    }
    buf_append_char(out, ']');
}

void bootstrap_schema_print(size_t at, struct buf *out)
{
    const struct schema *s = &schemas[at];
    put_head(out, "FlowSchema", s->name);
    buf_printf(out, "\"priorityLevelConfiguration\":{\"name\":\"%s\"},\"matchingPrecedence\":%u,", s->level,
               s->precedence);
    if (s->flows != NULL)
        buf_printf(out, "\"distinguisherMethod\":{\"type\":\"%s\"},", s->flows);
    buf_append_str(out, "\"rules\":[{\"subjects\":[");
    for (size_t i = 0; i < SUBJECTS_MAX && s->subjects[i] != NULL; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        put_subject(out, s->subjects[i]);
    }
    buf_append_char(out, ']');
    if (s->rules[0].verbs != NULL)
        put_resources(out, s->rules);
    if (s->paths != NULL) {
        buf_append_str(out, ",\"nonResourceRules\":[{");
        put_words(out, "verbs", s->verbs);
        buf_append_char(out, ',');
        put_words(out, "nonResourceURLs", s->paths);
        buf_append_str(out, "}]");
    }
    buf_append_str(out, "}]}}");
}
