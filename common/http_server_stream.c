/* The bytes of a stream, past the daemon. It has sent the head and asks for the first chunk; there it is suspended, and
 * what the core writes goes out from here until the stream has ended. Then the daemon asks again, is told of the end,
 * writes the last chunk, and the connection is its own again.
 *
 *   daemon ──asks for bytes──▶ direct: framed ──▶ sealed or gathered ──▶ the socket ──ended, all taken──▶ daemon
 *
 * The daemon would copy every piece into its own memory and hand the kernel a record of 16 KiB at a time, with some six
 * calls of the kernel for each. From here many pieces make one chunk (RFC 9112, section 7.1), many records one write,
 * and an event one write.
 *
 * Records are made beside the TLS library, with its keys and numbers (gnutls_record_get_state(3)), where cipher and
 * version are what tls_seal.h can do; else by it. */
#include "common/base.h"

#include "common/http_server_parts.h"
#include "common/mem.h"
#include "common/tls_seal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CHUNK_END "\r\n"
#define WRITE_BYTES (256 * 1024) /* of one write to the socket; after it others have their turn */
#define WRITE_BYTES_LEAST (16 * 1024)
#define PARTS_MAX 64 /* of a record or a plain write */
#define SEQUENCE_LEFT_TO_LIBRARY                                                                                       \
    (1u << 23) /* records under one key; later ones are its: it knows when to change keys */

static void flush_soon(struct front *f) { loop_defer(f->server->loop, &f->direct.flush); }

static size_t framed_left(const struct direct *d) { return d->head_left + d->content_left + d->end_left; }

/* What waits becomes a chunk; what comes meanwhile, the next one. */
static void frame(struct front *f)
{
    struct direct *d = &f->direct;
    if (f->pieces.bytes == 0)
        return;
    d->head_at = 0;
    d->head_left = (size_t)snprintf(d->head, sizeof d->head, "%zx\r\n", f->pieces.bytes); /* fits */
    d->content_left = f->pieces.bytes;
    d->end_left = strlen(CHUNK_END);
}

/* Of the chunk the first bytes, `max` and PARTS_MAX parts at most. */
static size_t gather(const struct front *f, size_t max, struct slice parts[PARTS_MAX])
{
    const struct direct *d = &f->direct;
    size_t n = 0;
    if (d->head_left > 0 && d->head_left <= max) {
        parts[n++] = slice_of(d->head + d->head_at, d->head_left);
        max -= d->head_left;
    }
    size_t content = MIN(d->content_left, max), got = 0;
    size_t pieces = pieces_gather(&f->pieces, content, parts + n, PARTS_MAX - 1 - n);
    for (size_t i = 0; i < pieces; i++)
        got += parts[n++].size;
    if (got == d->content_left && d->end_left <= max - got)
        parts[n++] = slice_of(&CHUNK_END[strlen(CHUNK_END) - d->end_left], d->end_left);
    return n;
}

/* `size` gathered bytes are used up; returns how many of them were the core's. */
static size_t take(struct front *f, size_t size)
{
    struct direct *d = &f->direct;
    size_t head = MIN(size, d->head_left), content = MIN(size - head, d->content_left);
    d->head_at += head;
    d->head_left -= head;
    pieces_take(&f->pieces, content);
    d->content_left -= content;
    d->end_left -= size - head - content;
    return content;
}

static size_t total(const struct slice *parts, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].size;
    return size;
}

/* Bytes written; 0: the kernel takes none now; -1: the connection is gone. */
static ssize_t write_socket(struct front *f, const struct slice *parts, size_t n)
{
    struct iovec io[PARTS_MAX];
    struct msghdr message = {.msg_iov = io, .msg_iovlen = n};
    for (size_t i = 0; i < n; i++)
        io[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].size};
    ssize_t sent;
    do
        sent = sendmsg(f->direct.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
}

/* Each way of writing returns bytes that it got rid of, 0 when the kernel takes none, -1 when the connection is gone.
 */

static ssize_t write_plain(struct front *f)
{
    struct slice parts[PARTS_MAX];
    size_t n = gather(f, WRITE_BYTES, parts);
    ssize_t sent = write_socket(f, parts, n);
    if (sent > 0)
        http_front_consumed(f, take(f, (size_t)sent));
    return sent;
}

/* What was sealed goes out before anything else is; its content counts as taken when all of it is. */
static ssize_t write_sealed(struct front *f, struct buf *sealed)
{
    struct direct *d = &f->direct;
    struct slice all = slice_from(buf_slice(sealed), sealed == &d->unsent ? d->unsent_at : 0);
    ssize_t sent = write_socket(f, &all, 1);
    if (sent < 0)
        return -1;
    d->room =
        (size_t)sent == all.size ? MIN(d->room * 2, (size_t)WRITE_BYTES) : MAX(d->room / 4, (size_t)WRITE_BYTES_LEAST);
    if ((size_t)sent == all.size) {
        size_t content = d->sealed_content;
        buf_release(&d->unsent);
        d->unsent_at = d->sealed_content = 0;
        http_front_consumed(f, content);
    } else if (sealed == &d->unsent) {
        d->unsent_at += (size_t)sent;
    } else {
        buf_append_slice(&d->unsent, slice_from(all, (size_t)sent));
    }
    return sent;
}

/* True with the session's keys in the sealer; false where records are the library's. */
static bool take_keys(struct front *f)
{
    gnutls_session_t session = f->direct.session;
    gnutls_datum_t ignored, nonce, key;
    uint8_t number[8];
    uint64_t sequence = 0;
    gnutls_cipher_algorithm_t cipher = gnutls_cipher_get(session);
    if (f->server->seal == NULL || gnutls_protocol_get_version(session) != GNUTLS_TLS1_3 ||
        (cipher != GNUTLS_CIPHER_AES_128_GCM && cipher != GNUTLS_CIPHER_AES_256_GCM) ||
        gnutls_record_get_state(session, 0, &ignored, &nonce, &key, number) != 0 || nonce.size != TLS_SEAL_NONCE ||
        (key.size != 16 && key.size != 32))
        return false;
    for (size_t i = 0; i < sizeof number; i++)
        sequence = sequence << 8 | number[i];
    if (sequence >= SEQUENCE_LEFT_TO_LIBRARY)
        return false;
    tls_seal_begin(f->server->seal, slice_of(key.data, key.size), nonce.data, sequence);
    return true;
}

static void give_sequence_back(struct front *f)
{
    uint64_t sequence = tls_seal_sequence(f->server->seal);
    uint8_t number[8];
    for (size_t i = sizeof number; i-- > 0; sequence >>= 8)
        number[i] = (uint8_t)sequence;
    int rv = gnutls_record_set_state(f->direct.session, 0, number);
    ASSERT(rv == 0); /* of a session whose state was got */
}

/* As much as the kernel will probably take: what it does not is a copy of our own until it does. */
static ssize_t write_records(struct front *f)
{
    struct direct *d = &f->direct;
    struct slice parts[PARTS_MAX];
    struct buf *sealed = &f->server->sealed;
    const size_t record_max = MIN(gnutls_record_get_max_size(f->direct.session), (size_t)TLS_SEAL_RECORD_MAX);
    size_t n;
    buf_reset(sealed);
    while (sealed->size < d->room && framed_left(&f->direct) > 0) {
        n = gather(f, record_max, parts);
        tls_seal_record(f->server->seal, parts, n, sealed);
        f->direct.sealed_content += take(f, total(parts, n));
    }
    give_sequence_back(f);
    return write_sealed(f, sealed);
}

/* One record by the library, which copies it and, when it is cut short, goes on with it with no bytes of ours. */
static ssize_t write_by_library(struct front *f)
{
    struct direct *d = &f->direct;
    struct slice parts[PARTS_MAX];
    struct buf *plain = &f->server->sealed;
    buf_reset(plain);
    if (!d->record_open) {
        size_t count = gather(f, TLS_SEAL_RECORD_MAX, parts);
        for (size_t i = 0; i < count; i++)
            buf_append_slice(plain, parts[i]);
    }
    ssize_t n;
    do
        n = d->record_open ? gnutls_record_send(d->session, NULL, 0)
                           : gnutls_record_send(d->session, plain->data, plain->size);
    while (n == GNUTLS_E_INTERRUPTED);
    d->record_open = n == GNUTLS_E_AGAIN;
    if (n > 0)
        http_front_consumed(f, take(f, (size_t)n));
    return n >= 0 ? n : n == GNUTLS_E_AGAIN ? 0 : -1;
}

static ssize_t write_some(struct front *f)
{
    struct direct *d = &f->direct;
    if (d->unsent.size > 0)
        return write_sealed(f, &d->unsent);
    if (d->session == NULL)
        return write_plain(f);
    return !d->record_open && take_keys(f) ? write_records(f) : write_by_library(f);
}

static bool nothing_left(const struct front *f)
{
    return f->pieces.count == 0 && framed_left(&f->direct) == 0 && f->direct.unsent.size == 0 && !f->direct.record_open;
}

/* The daemon is asked for no more until then, and reads nothing. */
static void back_to_daemon(struct front *f)
{
    f->direct.on = false;
    http_front_wait_writable(f, false);
    http_front_resume(f);
}

static void flush(struct deferred *deferred)
{
    struct front *f = container_of(deferred, struct front, direct.flush);
    ssize_t written = 0;
    if (!f->direct.on)
        return;
    for (size_t sum = 0; sum < WRITE_BYTES; sum += (size_t)written) {
        if (framed_left(&f->direct) == 0)
            frame(f);
        if (nothing_left(f))
            break;
        written = write_some(f);
        if (written <= 0 || f->state != FRONT_ANSWERED)
            break;
    }
    if (written < 0) {
        f->direct.broken = true;
        http_front_gone(f);
    }
    if (f->direct.broken || f->state != FRONT_ANSWERED || (f->ended && (nothing_left(f) || !f->clean)))
        back_to_daemon(f);
    else if (written == 0 && !nothing_left(f))
        http_front_wait_writable(f, true);
    else if (!nothing_left(f))
        flush_soon(f);
}

void http_front_flush_soon(struct front *f) { flush_soon(f); }

bool http_front_goes_direct(const struct front *f)
{
    return f->http_1_1 && !f->sized && !f->direct.broken && !(f->ended && (nothing_left(f) || !f->clean));
}

/* The daemon has sent all it was given; its options of the socket hold small pieces back. */
void http_front_go_direct(struct front *f)
{
    struct direct *d = &f->direct;
    const union MHD_ConnectionInfo *tls = MHD_get_connection_info(f->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    int on = 1, off = 0;
    d->on = true;
    d->room = WRITE_BYTES_LEAST;
    d->session = tls == NULL ? NULL : tls->tls_session;
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);  /* they fail on a dead socket only, */
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* which the first write tells */
    flush_soon(f);
}

void http_front_direct_init(struct front *f) { deferred_init(&f->direct.flush, flush); }

/* What is left of a stream that will not be whole. */
void http_front_direct_drop(struct front *f)
{
    pieces_drop(&f->pieces);
    f->direct.head_left = f->direct.content_left = f->direct.end_left = 0;
}

void http_front_direct_release(struct front *f)
{
    loop_undefer(f->server->loop, &f->direct.flush);
    buf_release(&f->direct.unsent);
}
