#include "common/base.h"

#include "apiserver/proxy_target.h"

#include <arpa/inet.h>

bool proxy_name_parse(struct slice text, struct proxy_name *ret)
{
    struct slice rest = text, parts[3];
    size_t n = 0;
    *ret = (struct proxy_name){.https = false};
    while (rest.data != NULL) {
        if (n == ARRAY_LEN(parts))
            return false;
        parts[n++] = slice_cut(&rest, ':');
    }
    if (n == 0 || (n == 3 && !slice_is(parts[0], "http") && !slice_is(parts[0], "https")))
        return false;
    ret->https = n == 3 && slice_is(parts[0], "https");
    ret->name = parts[n == 3 ? 1 : 0];
    if (n > 1)
        ret->port = parts[n - 1];
    return ret->name.size > 0 && ret->name.size <= 253 && ret->port.size <= 63;
}

bool proxy_is_port(struct slice text)
{
    unsigned v = 0;
    for (size_t i = 0; i < text.size && i < 6; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text.data[i] - '0');
    }
    return text.size <= 5 && v >= 1 && v <= 65535;
}

static bool is_address_v4(const uint8_t b[4])
{
    bool zero = b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 0;
    bool all = b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255;
    bool group = b[0] >= 224 && b[0] <= 239;
    return !zero && !all && !group && b[0] != 127 && !(b[0] == 169 && b[1] == 254);
}

bool proxy_is_address(struct slice ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, nothing[15] = {0};
    char text[INET6_ADDRSTRLEN];
    uint8_t b[16];
    if (ip.size == 0 || ip.size >= sizeof text)
        return false;
    memcpy(text, ip.data, ip.size);
    text[ip.size] = '\0';
    if (inet_pton(AF_INET, text, b) == 1)
        return is_address_v4(b);
    if (inet_pton(AF_INET6, text, b) != 1)
        return false;
    if (memcmp(b, mapped, sizeof mapped) == 0)
        return is_address_v4(b + sizeof mapped);
    bool own = memcmp(b, nothing, sizeof nothing) == 0 && b[15] <= 1; /* :: and ::1 */
    bool link = b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
    return !own && !link && b[0] != 0xff;
}

int proxy_pod_port(const struct json *pod)
{
    struct json_iterator i = json_iterate(json_at(pod, "spec.containers"));
    while (json_next(&i)) {
        if (json_size(json_get(i.value, "ports")) > 0)
            return (int)json_int_at(json_element(json_get(i.value, "ports"), 0), "containerPort", 0);
    }
    return 0;
}

int proxy_service_port(const struct json *service, struct slice port, struct slice *ret_name, struct err *reterr)
{
    struct json_iterator i = json_iterate(json_at(service, "spec.ports"));
    int64_t number = 0;
    *ret_name = port;
    if (!proxy_is_port(port))
        return 0;
    for (size_t n = 0; n < port.size; n++)
        number = number * 10 + (port.data[n] - '0');
    while (json_next(&i)) {
        if (json_int_at(i.value, "port", 0) != number)
            continue;
        *ret_name = json_string_at(i.value, "name");
        return 0;
    }
    return err_set(reterr, ERR_UNAVAILABLE, "no service port %d found for service \"%.*s\"", (int)number,
                   SLICE_ARGS(json_string_at(service, "metadata.name")));
}

static int slice_port(const struct json *slice, struct slice name)
{
    struct json_iterator i = json_iterate(json_get(slice, "ports"));
    while (json_next(&i)) {
        if (slice_equal(json_string_at(i.value, "name"), name))
            return (int)json_int_at(i.value, "port", 0);
    }
    return 0;
}

bool proxy_slice_next(const struct json *slice, struct slice port_name, size_t *at, struct slice *ret_ip, int *ret_port)
{
    const struct json *endpoints = json_get(slice, "endpoints");
    *ret_port = slice_port(slice, port_name);
    for (; *ret_port != 0 && *at < json_size(endpoints); (*at)++) {
        const struct json *e = json_element(endpoints, *at);
        *ret_ip = json_string(json_element(json_get(e, "addresses"), 0));
        if (!json_bool_at(e, "conditions.ready", true) || ret_ip->size == 0)
            continue; /* said nothing, it counts as ready (the API's words on EndpointConditions) */
        (*at)++;
        return true;
    }
    return false;
}
