#include "common/base.h"
#include "nodeagent/host_linux_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HELD_BYTES_MAX (1024 * 1024) /* of one client, before output is held back */
#define INPUT_BYTES_MAX ATTACH_PAYLOAD_MAX
#define STALL_MS 60000
#define FINISH_MS 5000
#define POLL_MS 1000

enum { POLL_LISTENER, POLL_INPUT, POLL_CLIENTS };

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails for no valid clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void attach_server_init(struct attach_server *s)
{
    *s = (struct attach_server){.listener = -1, .input_fd = -1, .resize_fd = -1};
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
}

int attach_server_open(struct attach_server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ATTACH_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, ATTACH_CLIENTS_MAX) != 0) {
        int number = errno;
        (void)close(fd);
        return -number;
    }
    s->listener = fd;
    return 0;
}

/* --- input --- */

static void input_close(struct attach_server *s)
{
    if (s->input_fd >= 0)
        (void)close(s->input_fd);
    s->input_fd = -1;
    buf_release(&s->input);
}

static void input_write(struct attach_server *s)
{
    while (s->input_fd >= 0 && s->input.size > 0) {
        ssize_t n = write(s->input_fd, s->input.data, s->input.size);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno != EINTR) {
            input_close(s); /* the container reads no more */
            return;
        }
        buf_consume(&s->input, n > 0 ? (size_t)n : 0);
    }
    if (s->input_ending)
        input_close(s);
}

/* stdinOnce: the input ends with the first client that had it. A terminal has no such end. */
static void input_end(struct attach_server *s, struct attach_client *c)
{
    if (!c->has_input || c->input_ended)
        return;
    c->input_ended = true;
    if (s->input_once && s->resize_fd < 0)
        s->input_ending = true;
    input_write(s);
}

/* --- clients --- */

static void client_drop(struct attach_server *s, struct attach_client *c)
{
    input_end(s, c);
    (void)close(c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    *c = (struct attach_client){.fd = -1};
}

static void client_write(struct attach_server *s, struct attach_client *c)
{
    while (c->out.size > 0) {
        ssize_t n = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            client_drop(s, c);
            return;
        }
        if (n <= 0)
            break;
        buf_consume(&c->out, (size_t)n);
        c->progress_ms = now_ms();
    }
    if (c->out.size > 0 && now_ms() - c->progress_ms > STALL_MS)
        client_drop(s, c);
}

static void resize(const struct attach_server *s, struct slice payload)
{
    if (s->resize_fd < 0 || payload.size != 4)
        return;
    struct winsize size = {.ws_col = be16_at(payload.data), .ws_row = be16_at(payload.data + 2)};
    (void)ioctl(s->resize_fd, TIOCSWINSZ, &size); /* the terminal may be gone with its container */
}

static void client_frames(struct attach_server *s, struct attach_client *c)
{
    enum attach_type type;
    struct slice payload;
    int rv = 0;
    while (s->input.size < INPUT_BYTES_MAX && (rv = attach_parse(buf_slice(&c->in), &type, &payload)) == 1) {
        if (type == ATTACH_INPUT) {
            c->has_input = true;
            if (s->input_fd >= 0 && !s->input_ending)
                buf_append_slice(&s->input, payload);
        } else if (type == ATTACH_RESIZE) {
            resize(s, payload);
        } else if (type == ATTACH_INPUT_END) {
            input_end(s, c);
        }
        buf_consume(&c->in, ATTACH_HEAD_SIZE + payload.size);
    }
    if (rv < 0)
        client_drop(s, c);
    input_write(s);
}

static void client_read(struct attach_server *s, struct attach_client *c)
{
    char chunk[16384];
    ssize_t n = read(c->fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_drop(s, c);
        return;
    }
    buf_append(&c->in, chunk, (size_t)n);
    client_frames(s, c);
}

static void client_accept(struct attach_server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t i = 0; fd >= 0 && i < ATTACH_CLIENTS_MAX; i++) {
        if (s->clients[i].fd >= 0)
            continue;
        s->clients[i] = (struct attach_client){.fd = fd, .progress_ms = now_ms()};
        return;
    }
    if (fd >= 0)
        (void)close(fd); /* too many: its client sees the end */
}

/* --- the poll loop --- */

int attach_server_poll(struct attach_server *s, struct pollfd fds[ATTACH_POLL_MAX])
{
    int timeout_ms = -1;
    fds[POLL_LISTENER] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    fds[POLL_INPUT] = (struct pollfd){.fd = s->input.size > 0 ? s->input_fd : -1, .events = POLLOUT};
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++) {
        const struct attach_client *c = &s->clients[i];
        bool listen = s->input.size < INPUT_BYTES_MAX; /* else what it says would only pile up; a hang-up is told anyway */
        fds[POLL_CLIENTS + i] = (struct pollfd){.fd = c->fd, .events = (short)((listen ? POLLIN : 0) | (c->out.size > 0 ? POLLOUT : 0))};
        if (c->fd >= 0 && c->out.size > 0)
            timeout_ms = POLL_MS;
    }
    return timeout_ms;
}

void attach_server_handle(struct attach_server *s, const struct pollfd fds[ATTACH_POLL_MAX])
{
    if ((fds[POLL_INPUT].revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
        input_write(s);
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++) {
        struct attach_client *c = &s->clients[i];
        short told = fds[POLL_CLIENTS + i].revents;
        if (c->fd >= 0 && c->in.size > 0)
            client_frames(s, c); /* held back while the input was full */
        if (c->fd >= 0 && (told & POLLIN) != 0 && s->input.size < INPUT_BYTES_MAX)
            client_read(s, c);
        else if (c->fd >= 0 && (told & (POLLHUP | POLLERR)) != 0)
            client_drop(s, c);
        if (c->fd >= 0 && c->out.size > 0)
            client_write(s, c);
    }
    if ((fds[POLL_LISTENER].revents & POLLIN) != 0)
        client_accept(s);
}

bool attach_server_holds_back(const struct attach_server *s)
{
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0 && s->clients[i].out.size > HELD_BYTES_MAX)
            return true;
    return false;
}

void attach_server_output(struct attach_server *s, enum attach_type type, struct slice bytes)
{
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++) {
        struct attach_client *c = &s->clients[i];
        if (c->fd < 0 || bytes.size == 0)
            continue;
        if (c->out.size == 0)
            c->progress_ms = now_ms();
        attach_frame(type, bytes, &c->out);
        client_write(s, c);
    }
}

static bool anything_pending(const struct attach_server *s)
{
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0 && s->clients[i].out.size > 0)
            return true;
    return false;
}

void attach_server_finish(struct attach_server *s)
{
    int64_t until_ms = now_ms() + FINISH_MS;
    input_close(s);
    while (anything_pending(s) && now_ms() < until_ms) {
        struct pollfd fds[ATTACH_POLL_MAX];
        (void)attach_server_poll(s, fds);
        if (poll(fds, ATTACH_POLL_MAX, (int)(until_ms - now_ms())) < 0 && errno != EINTR)
            break;
        attach_server_handle(s, fds);
    }
    for (size_t i = 0; i < ATTACH_CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0)
            client_drop(s, &s->clients[i]);
    if (s->listener >= 0)
        (void)close(s->listener);
    s->listener = -1;
}
