#include "common/base.h"

#include "common/buf.h"
#include "netproxy/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROTOCOL_UDP 17
#define HEADER_BYTES sizeof(struct nlattr) /* aligned already */
#define ANSWER_BYTES 65536
#define ANSWER_WAIT_S 2
#define FORGET_MAX 10000 /* per call: what is beyond runs out by itself */

struct tuple {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint8_t protocol;
};

/* Calls `each` for the attributes in `bytes`; stops at the first that does not fit. */
static void attributes(struct slice bytes,
                       void (*each)(void *arg, unsigned type, struct slice whole, struct slice value), void *arg)
{
    while (bytes.size >= HEADER_BYTES) {
        struct nlattr a;
        memcpy(&a, bytes.data, sizeof a);
        if (a.nla_len < HEADER_BYTES || a.nla_len > bytes.size)
            return;
        each(arg, (unsigned)(a.nla_type & NLA_TYPE_MASK), slice_of(bytes.data, a.nla_len),
             slice_of(bytes.data + HEADER_BYTES, a.nla_len - HEADER_BYTES));
        bytes = slice_from(bytes, MIN((size_t)NLA_ALIGN(a.nla_len), bytes.size));
    }
}

static void take_ip(void *arg, unsigned type, struct slice whole, struct slice value)
{
    struct tuple *t = arg;
    (void)whole;
    if (type == CTA_IP_V4_SRC && value.size == 4)
        t->source = be32_at(value.data);
    else if (type == CTA_IP_V4_DST && value.size == 4)
        t->destination = be32_at(value.data);
}

static void take_protocol(void *arg, unsigned type, struct slice whole, struct slice value)
{
    struct tuple *t = arg;
    (void)whole;
    if (type == CTA_PROTO_NUM && value.size == 1)
        t->protocol = (uint8_t)value.data[0];
    else if (type == CTA_PROTO_SRC_PORT && value.size == 2)
        t->source_port = be16_at(value.data);
    else if (type == CTA_PROTO_DST_PORT && value.size == 2)
        t->destination_port = be16_at(value.data);
}

static void take_tuple(void *arg, unsigned type, struct slice whole, struct slice value)
{
    (void)whole;
    if (type == CTA_TUPLE_IP)
        attributes(value, take_ip, arg);
    else if (type == CTA_TUPLE_PROTO)
        attributes(value, take_protocol, arg);
}

struct entry {
    struct tuple original, reply;
    struct slice name; /* the attribute that identifies it */
};

static void take_entry(void *arg, unsigned type, struct slice whole, struct slice value)
{
    struct entry *e = arg;
    if (type == CTA_TUPLE_ORIG) {
        e->name = whole;
        attributes(value, take_tuple, &e->original);
    } else if (type == CTA_TUPLE_REPLY) {
        attributes(value, take_tuple, &e->reply);
    }
}

static bool leads(const struct entry *e, const struct conntrack_flow *f)
{
    return e->original.protocol == PROTOCOL_UDP && (f->service == 0 || e->original.destination == f->service) &&
           e->original.destination_port == f->service_port && e->reply.source == f->endpoint &&
           e->reply.source_port == f->endpoint_port;
}

/* --- netlink --- */

static int request(int fd, unsigned type, unsigned flags, struct slice attribute)
{
    struct nlmsghdr head = {
        .nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(struct nfgenmsg)) + attribute.size),
        .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type),
        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
    };
    struct nfgenmsg general = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
    struct buf out = {0};
    buf_append(&out, &head, sizeof head);
    buf_append(&out, &general, sizeof general);
    buf_append_slice(&out, attribute);
    ssize_t n = send(fd, out.data, out.size, 0);
    buf_release(&out);
    return n < 0 ? -errno : 0;
}

struct reading {
    const struct conntrack_flow *flows;
    size_t count, found;
    struct buf names; /* attributes of the entries to forget, one behind the other, aligned */
};

static void take_message(struct reading *r, struct slice body)
{
    struct entry e = {0};
    if (body.size < sizeof(struct nfgenmsg))
        return;
    attributes(slice_from(body, NLMSG_ALIGN(sizeof(struct nfgenmsg))), take_entry, &e);
    for (size_t i = 0; i < r->count && r->found < FORGET_MAX; i++) {
        if (!leads(&e, &r->flows[i]))
            continue;
        buf_append_slice(&r->names, e.name);
        while (r->names.size % NLA_ALIGNTO != 0)
            buf_append_char(&r->names, '\0');
        r->found++;
        return;
    }
}

/* 1: more to come; 0: the end; negative errno. */
static int take_answer(struct slice answer, struct reading *r)
{
    while (answer.size >= NLMSG_HDRLEN) {
        struct nlmsghdr head;
        int code;
        memcpy(&head, answer.data, sizeof head);
        if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > answer.size)
            return -EBADMSG;
        struct slice body = slice_of(answer.data + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
        if (head.nlmsg_type == NLMSG_DONE)
            return 0;
        if (head.nlmsg_type == NLMSG_ERROR) {
            if (body.size < sizeof code)
                return -EBADMSG;
            memcpy(&code, body.data, sizeof code);
            return code;
        }
        if (r != NULL)
            take_message(r, body);
        answer = slice_from(answer, MIN((size_t)NLMSG_ALIGN(head.nlmsg_len), answer.size));
    }
    return 1;
}

static int answers(int fd, struct reading *r)
{
    struct buf in = {0};
    int rv = 1;
    buf_reserve(&in, ANSWER_BYTES);
    while (rv == 1) {
        ssize_t n = recv(fd, in.data, ANSWER_BYTES, 0);
        rv = n < 0 ? -errno : n == 0 ? -EPIPE : take_answer(slice_of(in.data, (size_t)n), r);
    }
    buf_release(&in);
    return rv;
}

static int forget(int fd, struct slice names)
{
    int rv = 0;
    while (rv == 0 && names.size >= HEADER_BYTES) {
        struct nlattr a;
        memcpy(&a, names.data, sizeof a);
        rv = request(fd, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, slice_of(names.data, a.nla_len));
        if (rv == 0)
            rv = answers(fd, NULL);
        if (rv == -ENOENT) /* it has run out meanwhile */
            rv = 0;
        names = slice_from(names, MIN((size_t)NLA_ALIGN(a.nla_len), names.size));
    }
    return rv;
}

int conntrack_forget_udp(const struct conntrack_flow *flows, size_t count, size_t *ret_forgotten, struct err *reterr)
{
    struct reading r = {.flows = flows, .count = count};
    struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    int rv = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ? -errno : 0;
    if (rv == 0)
        rv = request(fd, IPCTNL_MSG_CT_GET, NLM_F_DUMP, (struct slice){NULL, 0});
    if (rv == 0)
        rv = answers(fd, &r);
    if (rv == 0)
        rv = forget(fd, buf_slice(&r.names));
    if (fd >= 0)
        (void)close(fd);
    buf_release(&r.names);
    *ret_forgotten = r.found;
    return rv == 0 ? 0 : err_set_errno(reterr, -rv, "connections of endpoints that left");
}
