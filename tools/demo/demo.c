/* The program of the demo image; not part of the control plane, built statically by tools/images.sh.
 *
 *   demo                      an HTTP/1.1 server on 8080 that answers "keelson demo VERSION on PODNAME"
 *   demo load HOST:PORT ...   a client that asks for that page at a steady rate until TERM and counts what failed
 *   demo watch HOST:PORT      connects every millisecond and says when that begins and ceases to work: "up 1700000000.000000"
 *   demo dns HOST:PORT        a DNS server over UDP that answers every question with the address 192.0.2.53
 *
 * The server ends as a good one does: TERM → LINGER: goes on accepting and answering for DEMO_LINGER_S seconds (2), because
 * proxies hear of the pod's end a moment after it, each answer now closing its connection → DRAIN: accepts no more,
 * finishes what is in flight → exit 0. With DEMO_LINGER_S=0 it exits at once, as a careless one does.
 * "GET /slow/MS" is answered after so many milliseconds; what is not there with 404. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 8080
#define CONNECTIONS_MAX 512
#define REQUEST_BYTES_MAX 8192
#define LINGER_DEFAULT_S 2
#define LINGER_MAX_S 3600
#define DRAIN_MAX_MS 10000
#define SLOW_MAX_MS 60000

enum phase { SERVING, LINGER, DRAIN };

struct connection {
    int fd; /* -1: free */
    size_t size;
    int64_t answer_at_ms; /* 0: no request is waiting for its time */
    char in[REQUEST_BYTES_MAX + 1];
};

static int ended[2] = {-1, -1}; /* a signal handler can reach nothing but statics */

static void on_end(int number)
{
    (void)number;
    int saved = errno;
    ssize_t n = write(ended[1], "x", 1); /* a full pipe has said so already */
    (void)n;
    errno = saved;
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void signals(void)
{
    struct sigaction end = {.sa_handler = on_end}, ignore = {.sa_handler = SIG_IGN};
    if (pipe2(ended, O_CLOEXEC | O_NONBLOCK) != 0 || sigaction(SIGTERM, &end, NULL) != 0 ||
        sigaction(SIGINT, &end, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        die("signals");
}

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? fallback : value;
}

/* A number within bounds, or the fallback. */
static long number(const char *text, long max, long fallback)
{
    char *end;
    long value = strtol(text, &end, 10);
    return end == text || value < 0 || value > max ? fallback : value;
}

/* --- the server --- */

struct server {
    int listener;
    enum phase phase;
    int64_t until_ms; /* of the phase */
    long linger_s;
    char page[512];
    struct connection connections[CONNECTIONS_MAX];
};

static void drop(struct connection *c)
{
    (void)close(c->fd);
    *c = (struct connection){.fd = -1};
}

static bool is_there(const char *request)
{
    static const char *const paths[] = {"/ ", "/index.html ", "/slow/"};
    const char *path = strchr(request, ' ');
    for (size_t i = 0; path != NULL && i < sizeof paths / sizeof paths[0]; i++)
        if (strncmp(path + 1, paths[i], strlen(paths[i])) == 0)
            return true;
    return false;
}

/* One small answer always fits an empty socket buffer. */
static void answer(struct server *s, struct connection *c)
{
    char out[1024], first[128];
    char *head_end = strstr(c->in, "\r\n\r\n");
    bool close_asked = strcasestr(c->in, "\r\nConnection: close") != NULL || strstr(c->in, " HTTP/1.0\r\n") != NULL;
    bool last = close_asked || s->phase != SERVING;
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(c->in, "\r\n"), c->in);
    bool found = is_there(c->in);
    const char *page = found ? s->page : "not found\n";
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
                     found ? "200 OK" : "404 Not Found", strlen(page), last ? "close" : "keep-alive", page);
    (void)printf("%s response:%s\n", first, found ? "200" : "404");
    bool sent = write(c->fd, out, (size_t)n) == n;
    size_t used = (size_t)(head_end + 4 - c->in);
    c->answer_at_ms = 0;
    c->size -= used;
    memmove(c->in, c->in + used, c->size);
    c->in[c->size] = '\0';
    if (!sent)
        drop(c);
    else if (last)
        (void)shutdown(c->fd, SHUT_WR); /* the client's end closes it; data on the way is not reset */
}

static void answer_when_due(struct server *s, struct connection *c)
{
    while (c->fd >= 0 && strstr(c->in, "\r\n\r\n") != NULL) {
        if (c->answer_at_ms == 0) {
            bool slow = strncmp(c->in, "GET /slow/", 10) == 0;
            c->answer_at_ms = now_ms() + (slow ? number(c->in + 10, SLOW_MAX_MS, 0) : 0);
        }
        if (c->answer_at_ms > now_ms())
            return;
        answer(s, c);
    }
}

static void receive(struct server *s, struct connection *c)
{
    ssize_t n = read(c->fd, c->in + c->size, REQUEST_BYTES_MAX - c->size);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            drop(c);
        return;
    }
    c->size += (size_t)n;
    c->in[c->size] = '\0';
    answer_when_due(s, c);
    if (c->fd >= 0 && c->size == REQUEST_BYTES_MAX)
        drop(c); /* nobody sends so long a head */
}

static void take(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        size_t i = 0;
        while (i < CONNECTIONS_MAX && s->connections[i].fd >= 0)
            i++;
        if (i == CONNECTIONS_MAX)
            (void)close(fd);
        else
            s->connections[i] = (struct connection){.fd = fd};
    }
}

static size_t in_flight(const struct server *s)
{
    size_t n = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        n += s->connections[i].fd >= 0 && s->connections[i].size > 0;
    return n;
}

/* False: it is over. */
static bool advance(struct server *s)
{
    char byte;
    if (s->phase == SERVING && read(ended[0], &byte, 1) == 1) {
        (void)printf("keelson demo ends: lingering %ld s\n", s->linger_s);
        if (s->linger_s == 0)
            return false;
        s->phase = LINGER;
        s->until_ms = now_ms() + s->linger_s * 1000;
    }
    if (s->phase == LINGER && now_ms() >= s->until_ms) {
        take(s); /* whoever is in the queue was promised an answer */
        (void)close(s->listener);
        s->listener = -1;
        s->phase = DRAIN;
        s->until_ms = now_ms() + DRAIN_MAX_MS;
    }
    return s->phase != DRAIN || (in_flight(s) > 0 && now_ms() < s->until_ms);
}

static int wait_ms(const struct server *s)
{
    int64_t soonest = s->phase == SERVING ? INT64_MAX : s->until_ms;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (s->connections[i].fd >= 0 && s->connections[i].answer_at_ms > 0 && s->connections[i].answer_at_ms < soonest)
            soonest = s->connections[i].answer_at_ms;
    int64_t left = soonest - now_ms();
    return soonest == INT64_MAX ? -1 : left < 0 ? 0 : (int)(left > 1000 ? 1000 : left);
}

static void turn(struct server *s)
{
    struct pollfd polled[CONNECTIONS_MAX + 2] = {{ended[0], POLLIN, 0}, {s->listener, POLLIN, 0}};
    if (s->phase != SERVING)
        polled[0].fd = -1; /* a second TERM changes nothing */
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        polled[i + 2] = (struct pollfd){s->connections[i].fd, POLLIN, 0};
    if (poll(polled, CONNECTIONS_MAX + 2, wait_ms(s)) < 0 && errno != EINTR)
        die("poll");
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (polled[i + 2].fd >= 0 && polled[i + 2].revents != 0)
            receive(s, &s->connections[i]);
        else if (s->connections[i].fd >= 0)
            answer_when_due(s, &s->connections[i]);
    }
    if (s->listener >= 0)
        take(s);
}

static int serve(void)
{
    static struct server s; /* half a megabyte of buffers: too much for a stack */
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    char host[256] = "";
    int yes = 1, no = 0;
    (void)gethostname(host, sizeof host - 1); /* without one the page says "" */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);   /* one line per request, at once */
    s.linger_s = number(setting("DEMO_LINGER_S", ""), LINGER_MAX_S, LINGER_DEFAULT_S);
    (void)snprintf(s.page, sizeof s.page, "keelson demo %.32s on %.255s\n", setting("DEMO_VERSION", "?"),
                   setting("HOSTNAME", host));
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        s.connections[i].fd = -1;
    s.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s.listener < 0 || setsockopt(s.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        setsockopt(s.listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) != 0 ||
        bind(s.listener, (struct sockaddr *)&any, sizeof any) != 0 || listen(s.listener, 1024) != 0)
        die("listen on 8080");
    signals();
    (void)printf("keelson demo %s listens on %d\n", setting("DEMO_VERSION", "?"), PORT);
    while (advance(&s))
        turn(&s);
    return 0;
}

/* --- the client --- */

struct load {
    struct sockaddr_in to;
    bool keep_alive;
    long interval_ms, timeout_ms;
    int fd; /* -1: none */
    unsigned long asked, failed, connections;
    long longest_ms;
};

static void load_fail(struct load *l, const char *what)
{
    const char *why = errno == 0 ? "closed" : strerror(errno);
    l->failed++;
    (void)printf("failed at=%lld request=%lu what=%s why=%s\n", (long long)time(NULL), l->asked, what, why);
}

static bool load_connect(struct load *l)
{
    struct timeval limit = {l->timeout_ms / 1000, l->timeout_ms % 1000 * 1000};
    int yes = 1;
    if (l->fd >= 0)
        return true;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        die("socket");
    l->connections++;
    return setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
           setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
           connect(l->fd, (struct sockaddr *)&l->to, sizeof l->to) == 0;
}

/* The whole answer, as its Content-Length has it; false with errno 0 when it ended early. */
static bool load_answer(struct load *l, bool *ret_close)
{
    char in[4096];
    size_t size = 0;
    for (;;) {
        errno = 0;
        ssize_t n = read(l->fd, in + size, sizeof in - 1 - size);
        if (n <= 0)
            return false;
        size += (size_t)n;
        in[size] = '\0';
        const char *head_end = strstr(in, "\r\n\r\n"), *length = strcasestr(in, "\r\nContent-Length: ");
        if (head_end == NULL || length == NULL)
            continue;
        *ret_close = strcasestr(in, "\r\nConnection: close") != NULL;
        if (size >= (size_t)(head_end + 4 - in) + (size_t)number(length + 18, 2048, 0))
            return strncmp(in, "HTTP/1.1 200 ", 13) == 0;
    }
}

static void load_ask(struct load *l)
{
    char out[160];
    bool closes = false;
    int64_t began = now_ms();
    int n = snprintf(out, sizeof out, "GET / HTTP/1.1\r\nHost: load\r\n%s\r\n", l->keep_alive ? "" : "Connection: close\r\n");
    l->asked++;
    errno = 0;
    if (!load_connect(l))
        load_fail(l, "connect");
    else if (write(l->fd, out, (size_t)n) != n)
        load_fail(l, "write");
    else if (!load_answer(l, &closes))
        load_fail(l, "answer");
    else if (l->keep_alive && !closes)
        goto over;
    (void)close(l->fd);
    l->fd = -1;
over:
    l->longest_ms = now_ms() - began > l->longest_ms ? (long)(now_ms() - began) : l->longest_ms;
}

static struct sockaddr_in address_of(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char text[64] = "", *port;
    (void)snprintf(text, sizeof text, "%s", argc < 3 ? "" : argv[2]);
    port = strchr(text, ':');
    if (port != NULL)
        *port++ = '\0';
    if (port == NULL || inet_pton(AF_INET, text, &a.sin_addr) != 1) {
        (void)fprintf(stderr, "usage: demo [load ADDRESS:PORT [keep-alive] [INTERVAL-MS] | watch ADDRESS:PORT | dns ADDRESS:PORT]\n");
        exit(2);
    }
    a.sin_port = htons((uint16_t)number(port, 65535, PORT));
    return a;
}

static int load(int argc, char **argv)
{
    struct load l = {.interval_ms = 25, .timeout_ms = 5000, .fd = -1, .to = address_of(argc, argv)};
    for (int i = 3; i < argc; i++) {
        l.keep_alive |= strcmp(argv[i], "keep-alive") == 0;
        l.interval_ms = number(argv[i], 60000, l.interval_ms);
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    signals();
    int64_t next_ms = now_ms();
    struct pollfd end = {ended[0], POLLIN, 0};
    sigset_t ends, none; /* a signal comes between two requests: one that it cut short would count as lost */
    (void)sigemptyset(&none);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0)
        die("signals");
    for (;;) {
        int64_t left = next_ms - now_ms();
        struct timespec wait = {.tv_sec = left > 0 ? left / 1000 : 0, .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0};
        if (ppoll(&end, 1, &wait, &none) > 0)
            break;
        if (now_ms() < next_ms)
            continue;
        load_ask(&l);
        next_ms += l.interval_ms;
        if (next_ms < now_ms())
            next_ms = now_ms(); /* a slow answer is not made up for by a burst */
    }
    (void)printf("asked %lu failed %lu connections %lu longest %ld ms\n", l.asked, l.failed, l.connections, l.longest_ms);
    return l.failed == 0 ? 0 : 1;
}

/* --- when does it answer --- */

static bool can_connect(const struct sockaddr_in *to)
{
    struct linger at_once = {.l_onoff = 1}; /* a reset, else thousands of ports would wait for their time */
    int error = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof error;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
        die("socket");
    bool up = connect(fd, (const struct sockaddr *)to, sizeof *to) == 0;
    if (!up && errno == EINPROGRESS) {
        struct pollfd polled = {fd, POLLOUT, 0};
        up = poll(&polled, 1, 200) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }
    (void)close(fd);
    return up;
}

static int watch(int argc, char **argv)
{
    struct sockaddr_in to = address_of(argc, argv);
    struct pollfd end = {-1, POLLIN, 0};
    bool was = false;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    signals();
    end.fd = ended[0];
    while (poll(&end, 1, 1) == 0) {
        struct timespec now;
        bool is = can_connect(&to);
        if (is == was)
            continue;
        (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
        (void)printf("%s %lld.%06ld\n", is ? "up" : "down", (long long)now.tv_sec, now.tv_nsec / 1000);
        was = is;
    }
    return 0;
}

/* --- DNS --- */

/* The question with an answer behind it; how long it is, 0 when it is no question. */
static size_t dns_answer(unsigned char *message, size_t size, size_t max)
{
    static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 53};
    size_t at = 12;
    if (size < 12 || (message[2] & 0x80) != 0)
        return 0;
    while (at < size && message[at] != 0)
        at += (size_t)message[at] + 1;
    at += 5; /* the root, type and class */
    if (at > size || at + sizeof record > max)
        return 0;
    bool is_a = message[at - 4] == 0 && message[at - 3] == 1;
    message[2] |= 0x84; /* an answer, with authority */
    message[3] = 0x80;
    memset(message + 6, 0, 6); /* no answer, authority, additional */
    if (!is_a)
        return at;
    message[7] = 1;
    memcpy(message + at, record, sizeof record);
    return at + sizeof record;
}

static int serve_dns(int argc, char **argv)
{
    struct sockaddr_in a = address_of(argc, argv), from;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("dns");
    signals();
    struct pollfd polled[] = {{ended[0], POLLIN, 0}, {fd, POLLIN, 0}};
    for (;;) {
        unsigned char message[1024];
        socklen_t from_size = sizeof from;
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (polled[0].revents != 0)
            return 0;
        ssize_t n = polled[1].revents == 0 ? 0 : recvfrom(fd, message, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        size_t size = n <= 0 ? 0 : dns_answer(message, (size_t)n, sizeof message);
        if (size > 0 && sendto(fd, message, size, 0, (struct sockaddr *)&from, from_size) < 0)
            (void)fprintf(stderr, "demo: answer not sent: %s\n", strerror(errno));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "load") == 0)
        return load(argc, argv);
    if (argc > 1 && strcmp(argv[1], "watch") == 0)
        return watch(argc, argv);
    return argc > 1 && strcmp(argv[1], "dns") == 0 ? serve_dns(argc, argv) : serve();
}
