/* The shim's side of attach (nodeagent/attach.h): its socket, the clients on it, and the container's input. Calls that do
 * not block, driven by the shim's poll loop. A client that is slow holds the container's output back, as a terminal does;
 * one that takes nothing for a minute is let go of. */
#ifndef NODEAGENT_HOST_LINUX_ATTACH_H
#define NODEAGENT_HOST_LINUX_ATTACH_H

#include <poll.h>

#include "common/base.h"
#include "common/buf.h"
#include "nodeagent/attach.h"

#define ATTACH_CLIENTS_MAX 8
#define ATTACH_POLL_MAX (ATTACH_CLIENTS_MAX + 2)

struct attach_client {
    int fd; /* -1: free */
    bool has_input, input_ended;
    struct buf in, out;
    int64_t progress_ms; /* when it last took something, or nothing was pending */
};

struct attach_server {
    int listener;  /* -1: none */
    int input_fd;  /* the container's input: a pipe, or its terminal; -1: none, or ended */
    int resize_fd; /* its terminal; -1: none */
    bool input_once;
    struct buf input; /* not written yet */
    bool input_ending;
    struct attach_client clients[ATTACH_CLIENTS_MAX];
};

void attach_server_init(struct attach_server *s);
int attach_server_open(struct attach_server *s); /* the socket "attach" in the working directory; 0 or -errno */
/* What to poll, at most ATTACH_POLL_MAX, always the same places; the time until the next call at the latest, -1: none. */
int attach_server_poll(struct attach_server *s, struct pollfd fds[ATTACH_POLL_MAX]);
void attach_server_handle(struct attach_server *s, const struct pollfd fds[ATTACH_POLL_MAX]);
bool attach_server_holds_back(const struct attach_server *s); /* a client has enough to take: read no more output */
void attach_server_output(struct attach_server *s, enum attach_type type, struct slice bytes);
void attach_server_finish(struct attach_server *s); /* the container has ended: last bytes, within seconds, and good-bye */

#endif
