#include "common/base.h"

#include "apiserver/pod_target.h"

#include <stdio.h>

#define KUBELET_PORT 10250

const struct json *pod_target_named(const struct json *list, struct slice name)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (slice_equal(json_string_at(i.value, "name"), name))
            return i.value;
    }
    return NULL;
}

static void names_of(const struct json *list, struct buf *out)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        buf_printf(out, "%s%.*s", i.position == 1 ? "" : " ", SLICE_ARGS(json_string_at(i.value, "name")));
}

int pod_target_container(struct api_request *r, const struct json *pod, char ret_name[POD_TARGET_NAME_MAX])
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    struct buf asked = {0}, all = {0};
    const struct json *containers = json_at(pod, "spec.containers");
    struct slice given =
        json_string(json_get(json_at(pod, "metadata.annotations"), "kubectl.kubernetes.io/default-container"));
    struct slice name = {NULL, 0};
    int code = 0;
    if (request_query(r, "container", &asked) && asked.size > 0)
        name = buf_slice(&asked);
    else if (json_size(containers) == 1)
        name = json_string_at(json_element(containers, 0), "name");
    else
        name = given;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        found |= name.size > 0 && pod_target_named(json_get(json_get(pod, "spec"), lists[i]), name) != NULL;
    names_of(containers, &all);
    if (name.size == 0)
        code = failure_set(&r->failure, ERR_BAD_REQUEST,
                           "a container name must be specified for pod %.*s, choose one of: [%s]",
                           SLICE_ARGS(r->route.name), all.data);
    else if (!found)
        code = failure_set(&r->failure, ERR_BAD_REQUEST, "container %.*s is not valid for pod %.*s", SLICE_ARGS(name),
                           SLICE_ARGS(r->route.name));
    else
        (void)snprintf(ret_name, POD_TARGET_NAME_MAX, "%.*s", SLICE_ARGS(name)); /* names are at most 63 long */
    buf_release(&asked);
    buf_release(&all);
    return code;
}

int pod_target_assigned(struct api_request *r, const struct json *pod)
{
    if (json_string_at(pod, "spec.nodeName").size > 0)
        return 0;
    return failure_set(&r->failure, ERR_BAD_REQUEST, "pod %.*s does not have a host assigned", SLICE_ARGS(r->route.name));
}

void pod_target_join(struct slice ip, struct slice port, char ret_address[POD_TARGET_ADDRESS_MAX])
{
    bool ipv6 = slice_find(ip, ':') < ip.size;
    (void)snprintf(ret_address, POD_TARGET_ADDRESS_MAX, "%s%.*s%s:%.*s", ipv6 ? "[" : "", SLICE_ARGS(ip), ipv6 ? "]" : "",
                   SLICE_ARGS(port));
}

int pod_target_node_ip(struct api_request *r, const struct json *node, struct slice *ret_ip, int *ret_agent_port)
{
    struct json_iterator i = json_iterate(json_at(node, "status.addresses"));
    *ret_agent_port = (int)json_int_at(node, "status.daemonEndpoints.kubeletEndpoint.Port", KUBELET_PORT);
    while (json_next(&i)) {
        *ret_ip = json_string_at(i.value, "address");
        if (slice_is(json_string_at(i.value, "type"), "InternalIP") && ret_ip->size <= 45)
            return 0;
    }
    return failure_set(&r->failure, ERR_INTERNAL, "node \"%.*s\" has no InternalIP address",
                       SLICE_ARGS(json_string_at(node, "metadata.name")));
}

int pod_target_node(struct api_request *r, const struct json *pod, char ret_address[POD_TARGET_ADDRESS_MAX])
{
    struct slice name = json_string_at(pod, "spec.nodeName"), ip;
    struct cached *node = watch_cache_get(r->api->caches[kinds_index(&kind_node)], name);
    struct json *tree = NULL;
    char port[16];
    int agent_port;
    if (node == NULL || json_parse(r->doc, bytes_slice(node->json), &tree, NULL) != 0)
        return failure_set(&r->failure, ERR_INTERNAL, "node \"%.*s\" of pod \"%.*s\" is not known", SLICE_ARGS(name),
                           SLICE_ARGS(r->route.name));
    if (pod_target_node_ip(r, tree, &ip, &agent_port) != 0)
        return r->failure.code;
    (void)snprintf(port, sizeof port, "%d", agent_port); /* fits */
    pod_target_join(ip, slice_str(port), ret_address);
    return 0;
}
