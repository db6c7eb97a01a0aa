/* packets QUEUE DELAY-MS JITTER-MS DUPLICATE-PERCENT REORDER-PERCENT SEED: delays, duplicates and reorders the packets that a rule
 * hands to NFQUEUE number QUEUE of this network namespace, where the kernel has no netem. Every packet waits DELAY-MS, give or take
 * JITTER-MS; of REORDER-PERCENT it lets pass at once, before those that wait; DUPLICATE-PERCENT are sent twice, the second
 * through a raw socket with mark 0x6b66, which the rule must leave out. Ends with its parent. A rule with --queue-bypass lets
 * everything pass when this program is gone. Speaks nfnetlink_queue directly (linux/netfilter/nfnetlink_queue.h). */
#include "common/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELD_MAX 8192
#define MESSAGE_MAX 70000
#define MARK 0x6b66
#define ATTRIBUTE_BYTES sizeof(struct nlattr) /* its head; already a multiple of 4 */

struct held {
    uint64_t due_ms;
    uint32_t id;
};

struct queue {
    int netlink, raw;
    uint16_t number;
    unsigned delay_ms, jitter_ms, duplicate, reorder;
    uint64_t random; /* state of xorshift64 */
    struct held held[HELD_MAX];
    size_t count;
};

struct message {
    struct nlmsghdr header;
    struct nfgenmsg family;
    char attributes[64];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* always there */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned below(struct queue *q, unsigned limit) /* 0 to limit - 1 */
{
    q->random ^= q->random << 13;
    q->random ^= q->random >> 7;
    q->random ^= q->random << 17;
    return limit == 0 ? 0 : (unsigned)(q->random % limit);
}

static int send_message(struct queue *q, unsigned type, unsigned flags, unsigned attribute, const void *value, size_t size)
{
    struct message m = {.family = {.version = NFNETLINK_V0, .res_id = htons(q->number)}};
    struct nlattr a = {.nla_len = (uint16_t)(ATTRIBUTE_BYTES + size), .nla_type = (uint16_t)attribute};
    memcpy(m.attributes, &a, sizeof a);
    memcpy(m.attributes + ATTRIBUTE_BYTES, value, size);
    m.header = (struct nlmsghdr){
        .nlmsg_len = (uint32_t)(offsetof(struct message, attributes) + (size_t)NLA_ALIGN(a.nla_len)),
        .nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type),
        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
    };
    return send(q->netlink, &m, m.header.nlmsg_len, 0) < 0 ? -1 : 0;
}

static int configure(struct queue *q, unsigned attribute, const void *value, size_t size)
{
    char answer[4096];
    if (send_message(q, NFQNL_MSG_CONFIG, NLM_F_ACK, attribute, value, size) != 0)
        return -1;
    ssize_t n = recv(q->netlink, answer, sizeof answer, 0);
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
        return -1;
    const struct nlmsgerr *e = NLMSG_DATA(h);
    errno = -e->error;
    return e->error == 0 ? 0 : -1;
}

static int queue_open(struct queue *q)
{
    struct nfqnl_msg_config_cmd bind = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
    struct nfqnl_msg_config_params copy = {.copy_range = htonl(0xffff), .copy_mode = NFQNL_COPY_PACKET};
    uint32_t length = htonl(HELD_MAX);
    int on = 1, mark = MARK, bytes = 8 * 1024 * 1024;
    q->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    q->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (q->netlink < 0 || q->raw < 0 || setsockopt(q->raw, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
        return -1;
    (void)setsockopt(q->netlink, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes); /* less is slower, not wrong */
    if (setsockopt(q->netlink, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) != 0)
        return -1;
    if (configure(q, NFQA_CFG_CMD, &bind, sizeof bind) != 0 || configure(q, NFQA_CFG_PARAMS, &copy, sizeof copy) != 0)
        return -1;
    return configure(q, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
}

static void let_pass(struct queue *q, uint32_t id)
{
    struct nfqnl_msg_verdict_hdr verdict = {.verdict = htonl(NF_ACCEPT), .id = htonl(id)};
    if (send_message(q, NFQNL_MSG_VERDICT, 0, NFQA_VERDICT_HDR, &verdict, sizeof verdict) != 0)
        (void)fprintf(stderr, "packets: verdict on %u: %s\n", id, strerror(errno));
}

static void send_copy(struct queue *q, const char *bytes, size_t size)
{
    struct iphdr ip;
    if (size < sizeof ip)
        return;
    memcpy(&ip, bytes, sizeof ip);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {ip.daddr}};
    (void)!sendto(q->raw, bytes, size, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof to); /* a lost copy is no loss */
}

static void hold(struct queue *q, uint32_t id)
{
    unsigned wait = q->delay_ms + below(q, 2 * q->jitter_ms + 1);
    wait = wait > q->jitter_ms ? wait - q->jitter_ms : 0;
    if (wait == 0 || q->count == HELD_MAX || below(q, 100) < q->reorder) {
        let_pass(q, id);
        return;
    }
    struct held h = {now_ms() + wait, id};
    size_t at = q->count++;
    for (; at > 0 && q->held[at - 1].due_ms > h.due_ms; at--)
        q->held[at] = q->held[at - 1];
    q->held[at] = h;
}

static void take(struct queue *q, const struct nlmsghdr *h)
{
    const char *at = (const char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct nfgenmsg)), *end = (const char *)h + h->nlmsg_len;
    const char *bytes = NULL;
    size_t size = 0;
    bool known = false;
    uint32_t id = 0;
    while (end - at >= (ptrdiff_t)sizeof(struct nlattr)) {
        struct nlattr a;
        memcpy(&a, at, sizeof a);
        if (a.nla_len < ATTRIBUTE_BYTES || a.nla_len > end - at)
            break;
        if ((a.nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR) {
            struct nfqnl_msg_packet_hdr packet;
            memcpy(&packet, at + ATTRIBUTE_BYTES, sizeof packet);
            id = ntohl(packet.packet_id);
            known = true;
        } else if ((a.nla_type & NLA_TYPE_MASK) == NFQA_PAYLOAD) {
            bytes = at + ATTRIBUTE_BYTES;
            size = a.nla_len - ATTRIBUTE_BYTES;
        }
        at += MIN((ptrdiff_t)NLA_ALIGN(a.nla_len), end - at);
    }
    if (!known)
        return;
    if (bytes != NULL && below(q, 100) < q->duplicate)
        send_copy(q, bytes, size);
    hold(q, id);
}

static int receive(struct queue *q)
{
    static char text[MESSAGE_MAX] __attribute__((aligned(8)));
    ssize_t n = recv(q->netlink, text, sizeof text, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -1;
    for (size_t at = 0; (size_t)n - at >= sizeof(struct nlmsghdr);) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(text + at);
        if (h->nlmsg_len < sizeof *h || h->nlmsg_len > (size_t)n - at)
            break;
        if (h->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
            take(q, h);
        at += MIN((size_t)NLMSG_ALIGN(h->nlmsg_len), (size_t)n - at);
    }
    return 0;
}

static void release_due(struct queue *q)
{
    size_t n = 0;
    uint64_t now = now_ms();
    while (n < q->count && q->held[n].due_ms <= now)
        let_pass(q, q->held[n++].id);
    q->count -= n;
    memmove(q->held, q->held + n, q->count * sizeof q->held[0]);
}

static unsigned argument(const char *text, unsigned limit)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value > limit) {
        (void)fprintf(stderr, "packets: %s: a number of at most %u\n", text, limit);
        exit(2);
    }
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    static struct queue q;
    if (argc != 7) {
        (void)fprintf(stderr, "usage: packets QUEUE DELAY-MS JITTER-MS DUPLICATE-PERCENT REORDER-PERCENT SEED\n");
        return 2;
    }
    q.number = (uint16_t)argument(argv[1], 65535);
    q.delay_ms = argument(argv[2], 60000);
    q.jitter_ms = argument(argv[3], 60000);
    q.duplicate = argument(argv[4], 100);
    q.reorder = argument(argv[5], 100);
    q.random = argument(argv[6], 1000000000) * 2654435761ULL + 88172645463325252ULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with a signal that exists */
    if (getppid() == 1)
        return 1; /* it has ended in the meantime */
    if (queue_open(&q) != 0) {
        (void)fprintf(stderr, "packets: queue %u: %s\n", q.number, strerror(errno));
        return 1;
    }
    for (;;) {
        struct pollfd ready = {.fd = q.netlink, .events = POLLIN};
        uint64_t now = now_ms();
        int wait = q.count == 0 ? -1 : q.held[0].due_ms > now ? (int)(q.held[0].due_ms - now) : 0;
        if (poll(&ready, 1, wait) > 0 && receive(&q) != 0) {
            (void)fprintf(stderr, "packets: receive: %s\n", strerror(errno));
            return 1;
        }
        release_due(&q);
    }
}
