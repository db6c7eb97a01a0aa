#include "tests/test.h"

#include "apiserver/kinds/kinds.h"
#include "controllers/resource.h"
#include "tests/support/fake_view.h"

#define SET_META "\"metadata\":{\"name\":\"web-x\",\"namespace\":\"ns\",\"uid\":\"rs1\",\"resourceVersion\":\"5\",\"generation\":2}"
#define SET_SPEC(n)                                                                                                 \
    "\"spec\":{\"replicas\":" n ",\"selector\":{\"matchLabels\":{\"app\":\"web\"}},"                              \
    "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}}"
#define SET(n) "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\"," SET_META "," SET_SPEC(n) "}"

static int setup(void **state)
{
    struct fake_view *v = NEW(struct fake_view);
    fake_view_init(v);
    *state = v;
    return 0;
}

static int teardown(void **state)
{
    fake_view_release(*state);
    mem_free(*state);
    return 0;
}

static void add_pod(struct fake_view *v, const char *name, const char *owner, const char *node, bool ready, const char *phase)
{
    fake_view_add(v, "pods",
                  "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u-%s\","
                  "\"resourceVersion\":\"7\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
                  "\"kind\":\"ReplicaSet\",\"name\":\"web-x\",\"uid\":\"%s\",\"controller\":true}]},"
                  "\"spec\":{\"nodeName\":\"%s\"},\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                  name, name, owner, node, phase, ready ? "True" : "False");
}

static void replicaset_creates_what_is_missing(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", SET("3"));
    add_pod(v, "a", "rs1", "n1", true, "Running");
    add_pod(v, "dead", "rs1", "n1", false, "Failed");
    struct plan *p = fake_view_reconcile(v, &controller_replicaset, "ns/web-x");
    assert_int_equal(fake_plan_count(p, PLAN_CREATE), 2);
    const struct plan_action *a = fake_plan_find(p, PLAN_CREATE, 0);
    assert_string_equal(a->path, "/api/v1/namespaces/ns/pods");
    assert_slice_equal(json_string_at(a->body, "metadata.generateName"), "web-x-");
    assert_slice_equal(json_string_at(a->body, "metadata.labels.app"), "web");
    assert_slice_equal(json_string_at(json_element(json_at(a->body, "metadata.ownerReferences"), 0), "uid"), "rs1");
    const struct plan_action *status = fake_plan_find(p, PLAN_UPDATE, 0);
    assert_string_equal(status->path, "/apis/apps/v1/namespaces/ns/replicasets/web-x/status");
    assert_int_equal(json_int_at(status->body, "status.replicas", -1), 1);
    assert_int_equal(json_int_at(status->body, "status.readyReplicas", -1), 1);
    assert_int_equal(json_int_at(status->body, "status.observedGeneration", -1), 2);
    plan_free(p);
}

static void replicaset_removes_the_cheapest(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", SET("1"));
    add_pod(v, "ready", "rs1", "n1", true, "Running");
    add_pod(v, "unready", "rs1", "n1", false, "Running");
    add_pod(v, "unassigned", "rs1", "", false, "Pending");
    struct plan *p = fake_view_reconcile(v, &controller_replicaset, "ns/web-x");
    assert_int_equal(fake_plan_count(p, PLAN_DELETE), 2);
    assert_string_equal(fake_plan_find(p, PLAN_DELETE, 0)->key, "ns/unassigned");
    assert_string_equal(fake_plan_find(p, PLAN_DELETE, 1)->key, "ns/unready");
    assert_slice_equal(json_string_at(fake_plan_find(p, PLAN_DELETE, 0)->body, "preconditions.uid"), "u-unassigned");
    plan_free(p);
}

static void replicaset_at_rest_does_nothing(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\"," SET_META "," SET_SPEC("1")
                  ",\"status\":{\"replicas\":1,\"fullyLabeledReplicas\":1,\"readyReplicas\":1,\"availableReplicas\":1,\"observedGeneration\":2}}");
    add_pod(v, "ready", "rs1", "n1", true, "Running");
    struct plan *p = fake_view_reconcile(v, &controller_replicaset, "ns/web-x");
    assert_int_equal(p->count, 0);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_replicaset, "ns/missing");
    assert_int_equal(p->count, 0);
    plan_free(p);
}

static void add_deployment(struct fake_view *v, int replicas, const char *image, const char *extra)
{
    fake_view_add(v, "deployments.apps",
                  "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"ns\",\"uid\":\"d1\","
                  "\"resourceVersion\":\"5\",\"generation\":1,\"annotations\":{\"deployment.kubernetes.io/revision\":\"1\"}},"
                  "\"spec\":{\"replicas\":%d,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},"
                  "\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":\"25%%\",\"maxUnavailable\":\"25%%\"}},"
                  "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}}%s}}",
                  replicas, image, extra);
}

static void add_sized_set(struct fake_view *v, const char *name, const char *image, int wanted, int available, int revision, int desired)
{
    fake_view_add(v, "replicasets.apps",
                  "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u-%s\","
                  "\"resourceVersion\":\"9\",\"labels\":{\"app\":\"web\"},"
                  "\"annotations\":{\"deployment.kubernetes.io/revision\":\"%d\",\"deployment.kubernetes.io/desired-replicas\":\"%d\","
                  "\"deployment.kubernetes.io/max-replicas\":\"%d\"},"
                  "\"ownerReferences\":[{\"kind\":\"Deployment\",\"name\":\"web\",\"uid\":\"d1\",\"controller\":true}]},"
                  "\"spec\":{\"replicas\":%d,\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\",\"pod-template-hash\":\"h\"}},"
                  "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}}},"
                  "\"status\":{\"replicas\":%d,\"readyReplicas\":%d,\"availableReplicas\":%d}}",
                  name, name, revision, desired, desired + (desired + 3) / 4, wanted, image, wanted, available, available);
}

static void add_set(struct fake_view *v, const char *name, const char *image, int wanted, int available, int revision)
{
    add_sized_set(v, name, image, wanted, available, revision, 4);
}

static void deployment_creates_its_set(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 3, "i:1", "");
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    const struct plan_action *a = fake_plan_find(p, PLAN_CREATE, 0);
    assert_non_null(a);
    assert_true(slice_has_prefix(json_string_at(a->body, "metadata.name"), SLICE("web-")));
    assert_int_equal(json_int_at(a->body, "spec.replicas", -1), 3);
    struct slice hash = json_string_at(a->body, "metadata.labels.pod-template-hash");
    assert_int_equal(hash.size, 10);
    assert_true(slice_equal(hash, json_string_at(a->body, "spec.selector.matchLabels.pod-template-hash")));
    assert_true(slice_equal(hash, json_string_at(a->body, "spec.template.metadata.labels.pod-template-hash")));
    assert_slice_equal(json_string_at(a->body, "spec.selector.matchLabels.app"), "web");
    assert_true(slice_has_prefix(slice_str(a->told->text), SLICE("Scaled up replica set web-")));
    plan_free(p);
}

static int64_t scaled_to(const struct plan *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->actions[i].kind == PLAN_UPDATE && p->actions[i].key != NULL && strcmp(p->actions[i].key, key) == 0 &&
            strstr(p->actions[i].path, "/replicasets/") != NULL)
            return json_int_at(p->actions[i].body, "spec.replicas", -1);
    return -1;
}

static void deployment_scales(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 5, "i:1", "");
    add_set(v, "web-1", "i:1", 2, 2, 1);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-1"), 5);
    assert_int_equal(fake_plan_count(p, PLAN_CREATE), 0);
    plan_free(p);
}

static void deployment_rolls_within_its_bounds(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:2", "");
    add_set(v, "web-1", "i:1", 4, 4, 1);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    const struct plan_action *a = fake_plan_find(p, PLAN_CREATE, 0);
    assert_int_equal(json_int_at(a->body, "spec.replicas", -1), 1); /* surge of 25 % */
    assert_slice_equal(json_string(json_get(json_at(a->body, "metadata.annotations"), "deployment.kubernetes.io/revision")), "2");
    plan_free(p);
    add_set(v, "web-2", "i:2", 1, 0, 2);
    p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-1"), 3); /* one may be unavailable */
    plan_free(p);
}

static void deployment_waits_for_the_new_ones(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:2", "");
    add_set(v, "web-1", "i:1", 3, 3, 1);
    add_set(v, "web-2", "i:2", 2, 0, 2);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-1"), -1);
    assert_int_equal(scaled_to(p, "ns/web-2"), -1);
    plan_free(p);
}

/* The old set's status still counts the pod it is about to give up, and the new set is to grow in the same plan. */
static void deployment_counts_what_it_adds_as_unavailable(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 3, "i:2", ""); /* 25 % of 3: a surge of 1, none unavailable */
    add_sized_set(v, "web-1", "i:1", 2, 3, 1, 3);
    add_sized_set(v, "web-2", "i:2", 1, 1, 2, 3);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-2"), 2);
    assert_int_equal(scaled_to(p, "ns/web-1"), -1);
    plan_free(p);
}

static void deployment_that_is_paused_rolls_nothing(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:2", ",\"paused\":true");
    add_set(v, "web-1", "i:1", 4, 4, 1);
    add_set(v, "web-2", "i:2", 1, 1, 2);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-1"), -1);
    assert_int_equal(scaled_to(p, "ns/web-2"), -1);
    plan_free(p);
}

static const struct plan_action *update_of(const struct plan *p, const char *path)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->actions[i].kind == PLAN_UPDATE && strcmp(p->actions[i].path, path) == 0)
            return &p->actions[i];
    return NULL;
}

static struct slice annotation(const struct plan_action *a, const char *name)
{
    return json_string(json_get(json_at(a->body, "metadata.annotations"), name));
}

#define SETS "/apis/apps/v1/namespaces/ns/replicasets/"

static void deployment_gives_an_old_template_a_new_revision(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:1", "");
    add_set(v, "web-1", "i:1", 0, 0, 1);
    add_set(v, "web-2", "i:2", 4, 4, 2);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    const struct plan_action *a = update_of(p, SETS "web-1");
    assert_slice_equal(annotation(a, "deployment.kubernetes.io/revision"), "3");
    assert_slice_equal(annotation(a, "deployment.kubernetes.io/revision-history"), "1");
    assert_int_equal(json_int_at(a->body, "spec.replicas", -1), 1);
    const struct plan_action *patch = fake_plan_find(p, PLAN_PATCH, 0);
    assert_slice_equal(annotation(patch, "deployment.kubernetes.io/revision"), "3");
    plan_free(p);
}

static void deployment_resizes_in_proportion(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 8, "i:2", "");
    add_set(v, "web-1", "i:1", 3, 3, 1);
    add_set(v, "web-2", "i:2", 2, 0, 2);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(scaled_to(p, "ns/web-1"), 6); /* of 5 pods to 10 */
    assert_int_equal(scaled_to(p, "ns/web-2"), 4);
    assert_slice_equal(annotation(update_of(p, SETS "web-1"), "deployment.kubernetes.io/desired-replicas"), "8");
    assert_slice_equal(annotation(update_of(p, SETS "web-1"), "deployment.kubernetes.io/max-replicas"), "10");
    plan_free(p);
}

static void deployment_forgets_what_is_beyond_its_history(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 1, "i:4", ",\"revisionHistoryLimit\":1");
    add_set(v, "web-3", "i:3", 0, 0, 1);
    add_set(v, "web-1", "i:1", 0, 0, 3);
    add_set(v, "web-2", "i:2", 0, 0, 2);
    add_sized_set(v, "web-4", "i:4", 1, 1, 4, 1);
    struct plan *p = fake_view_reconcile(v, &controller_deployment, "ns/web");
    assert_int_equal(fake_plan_count(p, PLAN_DELETE), 2);
    assert_string_equal(fake_plan_find(p, PLAN_DELETE, 0)->key, "ns/web-3");
    assert_string_equal(fake_plan_find(p, PLAN_DELETE, 1)->key, "ns/web-2");
    plan_free(p);
}

static struct slice progress_after(struct fake_view *v, struct plan **ret)
{
    *ret = fake_view_reconcile(v, &controller_deployment, "ns/web");
    const struct plan_action *a = update_of(*ret, "/apis/apps/v1/namespaces/ns/deployments/web/status");
    return json_string_at(condition_find(json_get(a->body, "status"), "Progressing"), "reason");
}

static void deployment_tells_when_its_deadline_has_passed(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:1", ",\"progressDeadlineSeconds\":60},\"status\":{\"replicas\":4,\"updatedReplicas\":4,\"conditions\":["
                                "{\"type\":\"Progressing\",\"status\":\"True\",\"reason\":\"ReplicaSetUpdated\","
                                "\"lastUpdateTime\":\"2023-11-14T22:12:00Z\"}]");
    add_set(v, "web-1", "i:1", 4, 0, 1);
    struct plan *p;
    assert_slice_equal(progress_after(v, &p), "ProgressDeadlineExceeded"); /* it is 22:13:20 there */
    plan_free(p);
}

static void deployment_gives_an_undo_its_own_time(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:1", ",\"progressDeadlineSeconds\":60},\"status\":{\"replicas\":4,\"updatedReplicas\":4,\"conditions\":["
                                "{\"type\":\"Progressing\",\"status\":\"False\",\"reason\":\"ProgressDeadlineExceeded\","
                                "\"message\":\"ReplicaSet \\\"web-9\\\" has timed out progressing.\",\"lastUpdateTime\":\"2023-11-14T22:12:00Z\"}]");
    add_set(v, "web-1", "i:1", 4, 0, 1);
    struct plan *p;
    assert_slice_equal(progress_after(v, &p), "FoundNewReplicaSet");
    plan_free(p);
}

static void deployment_waits_for_its_deadline(void **state)
{
    struct fake_view *v = *state;
    add_deployment(v, 4, "i:1", ",\"progressDeadlineSeconds\":600");
    add_set(v, "web-1", "i:1", 4, 0, 1);
    struct plan *p;
    assert_slice_equal(progress_after(v, &p), "ReplicaSetUpdated");
    assert_in_range(p->again_ms, 600000, 601000);
    plan_free(p);
}

static void replicaset_adopts_and_releases(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", SET("1"));
    fake_view_add(v, "pods", "{\"metadata\":{\"name\":\"orphan\",\"namespace\":\"ns\",\"uid\":\"u1\",\"labels\":{\"app\":\"web\"}}}");
    fake_view_add(v, "pods", "{\"metadata\":{\"name\":\"other\",\"namespace\":\"ns\",\"uid\":\"u2\",\"labels\":{\"app\":\"x\"}}}");
    fake_view_add(v, "pods", "{\"metadata\":{\"name\":\"lost\",\"namespace\":\"ns\",\"uid\":\"u3\",\"labels\":{\"app\":\"x\"},"
                             "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"web-x\",\"uid\":\"rs1\",\"controller\":true}]}}");
    struct plan *p = fake_view_reconcile(v, &controller_replicaset, "ns/web-x");
    assert_int_equal(p->count, 2);
    assert_null(json_at(update_of(p, "/api/v1/namespaces/ns/pods/lost")->body, "metadata.ownerReferences"));
    const struct json *adopted = update_of(p, "/api/v1/namespaces/ns/pods/orphan")->body;
    assert_slice_equal(json_string_at(json_element(json_at(adopted, "metadata.ownerReferences"), 0), "uid"), "rs1");
    plan_free(p);
}

static void garbage_asks_before_it_deletes(void **state)
{
    struct fake_view *v = *state;
    add_pod(v, "orphan", "gone", "n1", true, "Running");
    struct plan *p = fake_view_reconcile(v, &controller_garbage, "pods|ns/orphan");
    const struct plan_action *a = fake_plan_find(p, PLAN_DELETE_ORPHAN, 0);
    assert_non_null(a);
    assert_int_equal(a->owner_count, 1);
    assert_string_equal(a->owners[0].path, "/apis/apps/v1/namespaces/ns/replicasets/web-x");
    assert_string_equal(a->owners[0].uid, "gone");
    plan_free(p);
}

static void garbage_knows_owners_by_uid(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", SET("1"));
    add_pod(v, "mine", "rs1", "n1", true, "Running");
    add_pod(v, "namesake", "older-rs", "n1", true, "Running");
    struct plan *p = fake_view_reconcile(v, &controller_garbage, "pods|ns/mine");
    assert_int_equal(p->count, 0);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_garbage, "pods|ns/namesake");
    assert_int_equal(fake_plan_count(p, PLAN_DELETE_ORPHAN), 1);
    plan_free(p);
}

#define OWNED_SET(finalizers)                                                                                      \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{\"name\":\"web-x\",\"namespace\":\"ns\",\"uid\":\"rs1\","   \
    "\"deletionTimestamp\":\"2023-11-14T22:13:00Z\",\"finalizers\":[\"" finalizers "\",\"mine\"]}}"

static void garbage_lets_dependents_go_first(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", OWNED_SET("foregroundDeletion"));
    fake_view_add(v, "pods", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u1\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
                             "\"kind\":\"ReplicaSet\",\"name\":\"web-x\",\"uid\":\"rs1\",\"controller\":true,\"blockOwnerDeletion\":true}]}}");
    fake_view_add(v, "configmaps", "{\"metadata\":{\"name\":\"c\",\"namespace\":\"ns\",\"uid\":\"u2\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
                                   "\"kind\":\"ReplicaSet\",\"name\":\"web-x\",\"uid\":\"rs1\"}]}}");
    struct plan *p = fake_view_reconcile(v, &controller_garbage, "replicasets.apps|ns/web-x");
    assert_int_equal(fake_plan_count(p, PLAN_DELETE), 2); /* also what only names its owner */
    assert_int_equal(fake_plan_count(p, PLAN_UPDATE), 0); /* the pod still holds it */
    plan_free(p);
}

static void garbage_ends_a_foreground_deletion(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", OWNED_SET("foregroundDeletion"));
    struct plan *p = fake_view_reconcile(v, &controller_garbage, "replicasets.apps|ns/web-x");
    const struct json *left = json_at(update_of(p, SETS "web-x")->body, "metadata.finalizers");
    assert_int_equal(json_size(left), 1);
    assert_slice_equal(json_string(json_element(left, 0)), "mine");
    plan_free(p);
}

static void garbage_lets_orphans_stay(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "replicasets.apps", OWNED_SET("orphan"));
    add_pod(v, "a", "rs1", "n1", true, "Running");
    struct plan *p = fake_view_reconcile(v, &controller_garbage, "replicasets.apps|ns/web-x");
    assert_int_equal(p->count, 1);
    assert_null(json_at(update_of(p, "/api/v1/namespaces/ns/pods/a")->body, "metadata.ownerReferences"));
    plan_free(p);
}

static void namespace_is_emptied_before_it_goes(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "namespaces", "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"deletionTimestamp\":\"2023-11-14T22:13:00Z\"},"
                                   "\"spec\":{\"finalizers\":[\"kubernetes\",\"other\"]}}");
    fake_view_add(v, "namespaces", "{\"metadata\":{\"name\":\"y\",\"uid\":\"u\"},\"spec\":{\"finalizers\":[\"kubernetes\"]}}");
    struct plan *p = fake_view_reconcile(v, &controller_namespace, "x");
    assert_string_equal(fake_plan_find(p, PLAN_DELETE_COLLECTION, 0)->path, "/api/v1/namespaces/x/configmaps");
    const struct plan_action *last = &p->actions[p->count - 1];
    assert_int_equal(last->kind, PLAN_FINALIZE);
    assert_string_equal(last->path, "/api/v1/namespaces/x/finalize");
    assert_true(last->waits);
    assert_string_equal(last->empty[0], "/api/v1/namespaces/x/configmaps");
    assert_int_equal(json_size(json_at(last->body, "spec.finalizers")), 1);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_namespace, "y");
    assert_int_equal(p->count, 0);
    plan_free(p);
}

#define SERVICE(spec)                                                                                                 \
    "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s\",\"namespace\":\"ns\",\"uid\":\"s1\"},"              \
    "\"spec\":{\"selector\":{\"app\":\"web\"}," spec "}}"

static void add_backend(struct fake_view *v, const char *name, const char *ip, const char *meta, const char *ready)
{
    fake_view_add(v, "pods",
                  "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u-%s\",\"labels\":{\"app\":\"web\"}%s},"
                  "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\",\"ports\":[{\"name\":\"web\",\"containerPort\":8080}]}]},"
                  "\"status\":{\"phase\":\"Running\",\"podIP\":\"%s\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                  name, name, meta, ip, ready);
}

static void add_numbered_backend(struct fake_view *v, int i)
{
    char *name = mem_printf("p%03d", i);
    add_backend(v, name, "10.0.0.1", "", "True");
    mem_free(name);
}

#define GOING ",\"deletionTimestamp\":\"2023-11-14T22:13:00Z\""

static void endpoints_resolve_ports_by_name(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "services", SERVICE("\"ports\":[{\"name\":\"http\",\"port\":80,\"targetPort\":\"web\"}]"));
    add_backend(v, "a", "10.0.0.1", "", "True");
    add_backend(v, "b", "10.0.0.2", "", "False");
    add_backend(v, "going", "10.0.0.3", GOING, "True");
    struct plan *p = fake_view_reconcile(v, &controller_endpoints, "ns/s");
    const struct json *subset = json_element(json_at(fake_plan_find(p, PLAN_CREATE, 0)->body, "subsets"), 0);
    assert_int_equal(json_size(json_get(subset, "addresses")), 1);
    assert_slice_equal(json_string_at(json_element(json_get(subset, "addresses"), 0), "targetRef.name"), "a");
    assert_slice_equal(json_string_at(json_element(json_get(subset, "notReadyAddresses"), 0), "ip"), "10.0.0.2");
    assert_int_equal(json_int_at(json_element(json_get(subset, "ports"), 0), "port", 0), 8080);
    assert_slice_equal(json_string_at(json_element(json_get(subset, "ports"), 0), "name"), "http");
    plan_free(p);
}

static void endpointslices_show_who_is_going(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "services", SERVICE("\"ports\":[{\"port\":80}]"));
    add_backend(v, "a", "10.0.0.1", "", "True");
    add_backend(v, "going", "10.0.0.3", GOING, "True");
    struct plan *p = fake_view_reconcile(v, &controller_endpointslice, "ns/s");
    const struct json *body = fake_plan_find(p, PLAN_CREATE, 0)->body;
    const struct json *going = json_element(json_get(body, "endpoints"), 1);
    assert_int_equal(fake_plan_count(p, PLAN_CREATE), 1);
    assert_slice_equal(json_string(json_get(json_at(body, "metadata.labels"), "kubernetes.io/service-name")), "s");
    assert_false(json_bool_at(going, "conditions.ready", true));
    assert_true(json_bool_at(going, "conditions.serving", false));
    assert_true(json_bool_at(going, "conditions.terminating", false));
    assert_slice_equal(json_string_at(going, "nodeName"), "n1");
    plan_free(p);
}

static void endpointslices_change_as_little_as_they_can(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "services", SERVICE("\"ports\":[{\"port\":80}]"));
    for (int i = 0; i < 150; i++)
        add_numbered_backend(v, i);
    struct plan *p = fake_view_reconcile(v, &controller_endpointslice, "ns/s");
    assert_int_equal(fake_plan_count(p, PLAN_CREATE), 2);
    assert_int_equal(json_size(json_get(fake_plan_find(p, PLAN_CREATE, 0)->body, "endpoints")), 100);
    for (size_t i = 0; i < 2; i++) {
        struct buf text = {0};
        struct json *body = fake_plan_find(p, PLAN_CREATE, i)->body;
        json_set_str(p->doc, json_get(body, "metadata"), "name", i == 0 ? "s-0" : "s-1");
        json_set_str(p->doc, json_get(body, "metadata"), "uid", i == 0 ? "e0" : "e1");
        json_print(body, &text);
        fake_view_add(v, "endpointslices.discovery.k8s.io", "%s", text.data);
        buf_release(&text);
    }
    plan_free(p);
    p = fake_view_reconcile(v, &controller_endpointslice, "ns/s");
    assert_int_equal(p->count, 0);
    plan_free(p);
    add_backend(v, "a-first-one", "10.0.1.1", "", "True");
    p = fake_view_reconcile(v, &controller_endpointslice, "ns/s");
    assert_int_equal(p->count, 1);
    assert_string_equal(p->actions[0].key, "ns/s-1");
    plan_free(p);
}

static void services_without_a_selector_are_left_alone(void **state)
{
    struct fake_view *v = *state;
    fake_view_add(v, "services", "{\"metadata\":{\"name\":\"s\",\"namespace\":\"ns\",\"uid\":\"s1\"},\"spec\":{}}");
    struct plan *p = fake_view_reconcile(v, &controller_endpointslice, "ns/s");
    assert_int_equal(p->count, 0);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_endpoints, "ns/s");
    assert_int_equal(p->count, 0);
    plan_free(p);
}

static void add_node(struct fake_view *v, const char *ready, const char *spec)
{
    fake_view_add(v, "nodes", "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"uid\":\"n1\"},\"spec\":{%s},"
                              "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"},{\"type\":\"MemoryPressure\",\"status\":\"%s\"},"
                              "{\"type\":\"DiskPressure\",\"status\":\"%s\"},{\"type\":\"PIDPressure\",\"status\":\"%s\"}]}}",
                  spec, ready, slice_is(slice_str(ready), "True") ? "False" : "Unknown",
                  slice_is(slice_str(ready), "True") ? "False" : "Unknown", slice_is(slice_str(ready), "True") ? "False" : "Unknown");
}

static void add_lease(struct fake_view *v, int64_t age_s)
{
    fake_view_add(v, "leases.coordination.k8s.io", "{\"metadata\":{\"name\":\"n1\",\"namespace\":\"kube-node-lease\",\"uid\":\"l\"}}");
    v->rows[v->count - 1].object->seen_us = v->view.wall_us - age_s * 1000000;
}

static void a_silent_node_is_unknown(void **state)
{
    struct fake_view *v = *state;
    add_node(v, "True", "");
    add_lease(v, 41);
    add_pod(v, "a", "rs1", "n1", true, "Running");
    struct plan *p = fake_view_reconcile(v, &controller_node_lifecycle, "n1");
    const struct plan_action *a = update_of(p, "/api/v1/nodes/n1/status");
    assert_slice_equal(json_string_at(condition_find(json_get(a->body, "status"), "Ready"), "status"), "Unknown");
    const struct plan_action *pod = update_of(p, "/api/v1/namespaces/ns/pods/a/status");
    assert_slice_equal(json_string_at(condition_find(json_get(pod->body, "status"), "Ready"), "status"), "False");
    plan_free(p);
}

static void a_node_that_speaks_is_left_alone(void **state)
{
    struct fake_view *v = *state;
    add_node(v, "True", "");
    add_lease(v, 10);
    struct plan *p = fake_view_reconcile(v, &controller_node_lifecycle, "n1");
    assert_int_equal(p->count, 0);
    assert_in_range(p->again_ms, 29000, 30100);
    plan_free(p);
}

static void conditions_become_taints(void **state)
{
    struct fake_view *v = *state;
    add_node(v, "Unknown", "\"taints\":[{\"key\":\"mine\",\"effect\":\"NoSchedule\"},"
                           "{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoExecute\"}]");
    add_lease(v, 60);
    struct plan *p = fake_view_reconcile(v, &controller_node_lifecycle, "n1");
    const struct json *taints = json_at(update_of(p, "/api/v1/nodes/n1")->body, "spec.taints");
    assert_int_equal(json_size(taints), 3);
    assert_slice_equal(json_string_at(json_element(taints, 0), "key"), "mine");
    assert_slice_equal(json_string_at(json_element(taints, 1), "key"), "node.kubernetes.io/unreachable");
    plan_free(p);
}

#define UNREACHABLE "\"taints\":[{\"key\":\"node.kubernetes.io/unreachable\",\"effect\":\"NoExecute\",\"timeAdded\":\"2023-11-14T22:13:10Z\"}]"

static void add_tolerating(struct fake_view *v, const char *name, const char *tolerations)
{
    fake_view_add(v, "pods", "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u\"},\"spec\":{\"nodeName\":\"n1\",\"tolerations\":[%s]}}",
                  name, tolerations);
}

static void pods_are_evicted_after_their_toleration(void **state)
{
    struct fake_view *v = *state;
    add_node(v, "Unknown", UNREACHABLE); /* since 10 s */
    add_tolerating(v, "brief", "{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"tolerationSeconds\":5}");
    add_tolerating(v, "longer", "{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"tolerationSeconds\":60}");
    add_tolerating(v, "ever", "{\"operator\":\"Exists\"}");
    add_tolerating(v, "mute", "");
    struct plan *p = fake_view_reconcile(v, &controller_taint_eviction, "ns/brief");
    assert_int_equal(fake_plan_count(p, PLAN_DELETE), 1);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_taint_eviction, "ns/longer");
    assert_int_equal(p->count, 0);
    assert_in_range(p->again_ms, 50000, 50100);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_taint_eviction, "ns/ever");
    assert_int_equal(p->count + p->again_ms, 0);
    plan_free(p);
    p = fake_view_reconcile(v, &controller_taint_eviction, "ns/mute");
    assert_in_range(p->again_ms, 290000, 290100);
    plan_free(p);
}

static void pods_of_a_node_that_is_gone_are_removed(void **state)
{
    struct fake_view *v = *state;
    add_tolerating(v, "left", "");
    struct plan *p = fake_view_reconcile(v, &controller_pod_gc, "ns/left");
    const struct plan_action *a = fake_plan_find(p, PLAN_DELETE_ORPHAN, 0);
    assert_string_equal(a->owners[0].path, "/api/v1/nodes/n1");
    assert_int_equal(json_int_at(a->body, "gracePeriodSeconds", -1), 0);
    plan_free(p);
}

static void every_namespace_has_an_account_and_the_authority(void **state)
{
    struct fake_view *v = *state;
    v->view.root_ca = SLICE("PEM");
    fake_view_add(v, "namespaces", "{\"metadata\":{\"name\":\"ns\",\"uid\":\"u\"}}");
    struct plan *p = fake_view_reconcile(v, &controller_service_account, "ns");
    assert_string_equal(fake_plan_find(p, PLAN_CREATE, 0)->path, "/api/v1/namespaces/ns/serviceaccounts");
    plan_free(p);
    p = fake_view_reconcile(v, &controller_root_ca, "ns");
    const struct json *data = json_get(fake_plan_find(p, PLAN_CREATE, 0)->body, "data");
    assert_slice_equal(json_string(json_get(data, "ca.crt")), "PEM");
    plan_free(p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* What the table lacks, neither garbage collection nor the deletion of its namespace would ever remove. */
static void every_stored_kind_is_known(void **state)
{
    (void)state;
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        char version[128];
        if ((*k)->never_stored || (*k)->stored_as != NULL || !kinds_has_verb((*k)->verbs, "delete"))
            continue;
        const struct resource *r = resource_of_kind(slice_str(kinds_api_version(*k, version)), slice_str((*k)->name));
        if (r == NULL)
            fail_msg("controllers/resource.c lacks %s %s", version, (*k)->name);
        assert_string_equal(r->plural, (*k)->plural);
        assert_int_equal(r->namespaced, (*k)->namespaced);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_stored_kind_is_known),
        CASE(replicaset_creates_what_is_missing),
        CASE(replicaset_removes_the_cheapest),
        CASE(replicaset_at_rest_does_nothing),
        CASE(deployment_creates_its_set),
        CASE(deployment_scales),
        CASE(deployment_rolls_within_its_bounds),
        CASE(deployment_waits_for_the_new_ones),
        CASE(deployment_counts_what_it_adds_as_unavailable),
        CASE(deployment_that_is_paused_rolls_nothing),
        CASE(deployment_gives_an_old_template_a_new_revision),
        CASE(deployment_resizes_in_proportion),
        CASE(deployment_forgets_what_is_beyond_its_history),
        CASE(deployment_tells_when_its_deadline_has_passed),
        CASE(deployment_gives_an_undo_its_own_time),
        CASE(deployment_waits_for_its_deadline),
        CASE(replicaset_adopts_and_releases),
        CASE(garbage_lets_dependents_go_first),
        CASE(garbage_ends_a_foreground_deletion),
        CASE(garbage_lets_orphans_stay),
        CASE(namespace_is_emptied_before_it_goes),
        CASE(endpoints_resolve_ports_by_name),
        CASE(endpointslices_show_who_is_going),
        CASE(endpointslices_change_as_little_as_they_can),
        CASE(services_without_a_selector_are_left_alone),
        CASE(a_silent_node_is_unknown),
        CASE(a_node_that_speaks_is_left_alone),
        CASE(conditions_become_taints),
        CASE(pods_are_evicted_after_their_toleration),
        CASE(pods_of_a_node_that_is_gone_are_removed),
        CASE(every_namespace_has_an_account_and_the_authority),
        CASE(garbage_asks_before_it_deletes),
        CASE(garbage_knows_owners_by_uid),
    };
    return RUN_TESTS(tests);
}
