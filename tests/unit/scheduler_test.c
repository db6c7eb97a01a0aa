#include "tests/test.h"

#include "common/mem.h"
#include "scheduler/framework.h"

#include <stdio.h>

static void add_node(struct snapshot *s, const char *name, const char *cpu, const char *spec, const char *ready)
{
    char *text = mem_printf("{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"%s\","
                            "\"memory\":\"4Gi\",\"pods\":\"3\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                            name, spec, cpu, ready);
    struct object *o;
    assert_ok(object_new(slice_str(text), &o, NULL));
    snapshot_set_node(s, o);
    object_unref(o);
    mem_free(text);
}

static struct object *pod(const char *name, const char *cpu, const char *node)
{
    char *text = mem_printf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u-%s\",\"ownerReferences\":[{\"uid\":\"o\",\"controller\":true}]},"
                            "\"spec\":{%s%s%s\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"%s\"}}}]}}",
                            name, name, node[0] != '\0' ? "\"nodeName\":\"" : "", node, node[0] != '\0' ? "\"," : "", cpu);
    struct object *o;
    assert_ok(object_new(slice_str(text), &o, NULL));
    mem_free(text);
    return o;
}

static void decide(struct snapshot *s, const char *cpu, struct decision *d, bool assume)
{
    static unsigned count;
    char name[16];
    snprintf(name, sizeof name, "p%u", count++);
    struct object *o = pod(name, cpu, "");
    struct json_doc *doc = json_doc_new();
    struct pod_info info;
    pod_info_read(&info, o, object_tree(o, doc));
    schedule_cycle(s, &info, 12345, d);
    if (assume && d->node != NULL)
        snapshot_assume(s, &info, d->node);
    json_doc_free(doc);
    object_unref(o);
}

static void spreads_an_owners_pods(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision first, second;
    add_node(&s, "n1", "2", "", "True");
    add_node(&s, "n2", "2", "", "True");
    decide(&s, "100m", &first, true);
    decide(&s, "100m", &second, true);
    assert_string_not_equal(first.node, second.node);
    snapshot_release(&s);
}

static void fills_up_and_says_why_not(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision d;
    struct buf text = {0};
    decide(&s, "1", &d, false);
    decision_text(&d, &text);
    assert_string_equal(text.data, "no nodes available to schedule pods");
    add_node(&s, "small", "500m", "", "True");
    add_node(&s, "cordoned", "8", "\"unschedulable\":true", "True");
    add_node(&s, "sick", "8", "\"taints\":[{\"key\":\"a\",\"value\":\"b\",\"effect\":\"NoExecute\"}]", "Unknown");
    add_node(&s, "small2", "1000m", "", "True");
    decide(&s, "2", &d, false);
    assert_null(d.node);
    buf_reset(&text);
    decision_text(&d, &text);
    assert_string_equal(text.data, "0/4 nodes are available: 1 node(s) had untolerated taint {a: b}, 1 node(s) were unschedulable, 2 Insufficient cpu. "
                                   "preemption: 0/4 nodes are available: 2 No preemption victims found for incoming pod, "
                                   "2 Preemption is not helpful for scheduling.");
    decide(&s, "900m", &d, true);
    assert_string_equal(d.node, "small2");
    decide(&s, "200m", &d, false);
    assert_string_equal(d.node, "small");
    buf_release(&text);
    snapshot_release(&s);
}

static void counts_pods_and_frees_their_room(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision d;
    add_node(&s, "n1", "8", "", "True");
    for (int i = 0; i < 3; i++) {
        decide(&s, "1m", &d, true);
        assert_non_null(d.node);
    }
    decide(&s, "1m", &d, false);
    assert_null(d.node);
    assert_string_equal(d.reasons[0].text, "Too many pods");
    struct object *o = pod("p-real", "7", "n1");
    size_t at = 0;
    struct map_entry *e = map_next(&s.placed, &at);
    snapshot_remove_pod(&s, map_key(e));
    snapshot_set_pod(&s, o);
    snapshot_set_pod(&s, o);
    struct node_info *n = map_get(&s.nodes, SLICE("n1"));
    assert_int_equal(n->used.cpu_milli, 7002);
    assert_int_equal(n->used.pods, 3);
    snapshot_remove_pod(&s, SLICE("ns/p-real"));
    assert_int_equal(n->used.cpu_milli, 2);
    object_unref(o);
    snapshot_release(&s);
}

static void an_assumption_lasts_until_the_cache_shows_the_node(void **state)
{
    (void)state;
    struct snapshot s = {0};
    add_node(&s, "n1", "8", "", "True");
    struct object *unbound = pod("p", "1", ""), *bound = pod("p", "1", "n1");
    struct json_doc *doc = json_doc_new();
    struct pod_info info;
    pod_info_read(&info, unbound, object_tree(unbound, doc));
    snapshot_assume(&s, &info, "n1");
    snapshot_set_pod(&s, unbound); /* old news does not undo it */
    struct node_info *n = map_get(&s.nodes, SLICE("n1"));
    assert_int_equal(n->used.cpu_milli, 1000);
    snapshot_set_pod(&s, bound);
    snapshot_forget(&s, SLICE("ns/p")); /* it is no assumption any more */
    assert_int_equal(n->used.cpu_milli, 1000);
    snapshot_remove_node(&s, SLICE("n1"));
    snapshot_remove_pod(&s, SLICE("ns/p"));
    assert_null(map_get(&s.nodes, SLICE("n1")));
    json_doc_free(doc);
    object_unref(unbound);
    object_unref(bound);
    snapshot_release(&s);
}

/* Why a pod with that spec does not fit on the one node there is; NULL: it does. */
static const char *why_not(struct snapshot *s, const char *spec, struct decision *d)
{
    char *text = mem_printf("{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"uid\":\"u-x\"},\"spec\":{%s}}", spec);
    struct object *o;
    assert_ok(object_new(slice_str(text), &o, NULL));
    struct json_doc *doc = json_doc_new();
    struct pod_info info;
    pod_info_read(&info, o, object_tree(o, doc));
    schedule_cycle(s, &info, 1, d);
    json_doc_free(doc);
    object_unref(o);
    mem_free(text);
    return d->node != NULL ? NULL : d->reasons[0].text;
}

static void taints_keep_away_who_does_not_tolerate_them(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision d;
    add_node(&s, "n1", "8", "\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]", "True");
    assert_string_equal(why_not(&s, "", &d), "node(s) had untolerated taint {k: v}");
    assert_null(why_not(&s, "\"tolerations\":[{\"key\":\"k\",\"value\":\"v\"}]", &d));
    assert_null(why_not(&s, "\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}]", &d));
    assert_null(why_not(&s, "\"tolerations\":[{\"operator\":\"Exists\"}]", &d));
    assert_non_null(why_not(&s, "\"tolerations\":[{\"key\":\"k\",\"value\":\"w\"}]", &d));
    assert_non_null(why_not(&s, "\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]", &d));
    snapshot_release(&s);
}

#define REQUIRED(terms) "\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[" terms "]}}}"
#define LABEL(op, values) "{\"matchExpressions\":[{\"key\":\"cores\",\"operator\":\"" op "\",\"values\":[" values "]}]}"

static void nodes_are_selected_by_labels(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision d;
    struct object *o;
    assert_ok(object_new(SLICE("{\"metadata\":{\"name\":\"n1\",\"labels\":{\"disk\":\"ssd\",\"cores\":\"8\"}},"
                               "\"status\":{\"allocatable\":{\"cpu\":\"8\",\"memory\":\"1Gi\",\"pods\":\"9\"}}}"), &o, NULL));
    snapshot_set_node(&s, o);
    object_unref(o);
    assert_null(why_not(&s, "\"nodeSelector\":{\"disk\":\"ssd\"}", &d));
    assert_string_equal(why_not(&s, "\"nodeSelector\":{\"disk\":\"hdd\"}", &d), "node(s) didn't match Pod's node affinity/selector");
    assert_null(why_not(&s, REQUIRED(LABEL("Gt", "\"4\"")), &d));
    assert_non_null(why_not(&s, REQUIRED(LABEL("Lt", "\"4\"")), &d));
    assert_null(why_not(&s, REQUIRED(LABEL("Lt", "\"4\"") "," LABEL("In", "\"7\",\"8\"")), &d));
    assert_non_null(why_not(&s, REQUIRED(LABEL("NotIn", "\"8\"")), &d));
    assert_non_null(why_not(&s, REQUIRED(LABEL("DoesNotExist", "")), &d));
    assert_non_null(why_not(&s, REQUIRED("{}"), &d));
    assert_null(why_not(&s, REQUIRED("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}"), &d));
    snapshot_release(&s);
}

#define PORT(extra) "\"containers\":[{\"ports\":[{\"hostPort\":80" extra "}]}]"

static void host_ports_are_given_once(void **state)
{
    (void)state;
    struct snapshot s = {0};
    struct decision d;
    struct object *o;
    add_node(&s, "n1", "8", "", "True");
    assert_null(why_not(&s, PORT(""), &d));
    assert_ok(object_new(SLICE("{\"metadata\":{\"name\":\"y\",\"namespace\":\"ns\",\"uid\":\"y\"},\"spec\":{\"nodeName\":\"n1\","
                               PORT(",\"hostIP\":\"10.0.0.1\"") "}}"), &o, NULL));
    snapshot_set_pod(&s, o);
    object_unref(o);
    assert_string_equal(why_not(&s, PORT(""), &d), "node(s) didn't have free ports for the requested pod ports");
    assert_null(why_not(&s, PORT(",\"hostIP\":\"10.0.0.2\""), &d));
    assert_null(why_not(&s, PORT(",\"protocol\":\"UDP\""), &d));
    snapshot_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_an_owners_pods),
        cmocka_unit_test(fills_up_and_says_why_not),
        cmocka_unit_test(counts_pods_and_frees_their_room),
        cmocka_unit_test(taints_keep_away_who_does_not_tolerate_them),
        cmocka_unit_test(nodes_are_selected_by_labels),
        cmocka_unit_test(host_ports_are_given_once),
        cmocka_unit_test(an_assumption_lasts_until_the_cache_shows_the_node),
    };
    return RUN_TESTS(tests);
}
