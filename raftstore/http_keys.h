/* GET /v2/keys/<path>[?recursive=true][&serializable=true]: the store as a read-only tree, in the form of etcd's v2 API, for
 * curl and scripts. A key is its path; a directory is what has keys below it, separated by '/'. `modifiedIndex` and
 * `createdIndex` are revisions; a directory has the newest and the oldest of what it holds. A path without its leading '/'
 * is looked for when the one with it is not there. Bytes that are no UTF-8 come as base64, with "encoding":"base64".
 *
 * Errors in v2's form: {"errorCode":100,"message":"Key not found","cause":"/a","index":7}. */
#ifndef RAFTSTORE_HTTP_KEYS_H
#define RAFTSTORE_HTTP_KEYS_H

#include "common/base.h"
#include "common/http.h"
#include "raftstore/driver.h"
#include "raftstore/mvcc.h"

#define HTTP_KEYS_PATH "/v2/keys"
#define HTTP_KEYS_MAX 20000                    /* below one path */
#define HTTP_KEYS_BYTES_MAX (16u * 1024 * 1024) /* of one answer */

struct http_keys_options {
    struct mvcc *(*store)(void *arg);                     /* the newest; borrowed for the call */
    void (*read_index)(void *arg, struct read_index *r);  /* driver_read_index */
    void *arg;
};

bool http_keys_path(struct slice path); /* is it ours? */
/* Answers now (serializable) or after a round. `o` must outlive the exchange. */
void http_keys(const struct http_keys_options *o, struct http_exchange *x);

/* The pure part: the body, and the HTTP status. `path`: behind HTTP_KEYS_PATH. */
int http_keys_render(struct mvcc *m, struct slice path, bool recursive, struct buf *out);
int http_keys_error(struct buf *out, int status, int error_code, const char *message, struct slice cause, int64_t index);

#endif
