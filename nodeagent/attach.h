/* What shim and agent say to each other on FOLDER/attach, a unix socket of the container's shim: frames of a type, a size
 * (big-endian u32) and as many bytes. Nothing is answered; the container's end closes the connection. */
#ifndef NODEAGENT_ATTACH_H
#define NODEAGENT_ATTACH_H

#include "common/base.h"
#include "common/buf.h"

enum attach_type {
    ATTACH_INPUT = 0,     /* to the container */
    ATTACH_STDOUT = 1,    /* from it; with a terminal, everything */
    ATTACH_STDERR = 2,
    ATTACH_INPUT_END = 3, /* nothing more comes from this side; the container's input ends where it is stdinOnce */
    ATTACH_RESIZE = 4,    /* u16 width, u16 height */
};

#define ATTACH_SOCKET "attach"
#define ATTACH_HEAD_SIZE 5
#define ATTACH_PAYLOAD_MAX (64 * 1024)

static inline void attach_frame(enum attach_type type, struct slice payload, struct buf *out)
{
    buf_append_char(out, (char)type);
    buf_append_be32(out, (uint32_t)payload.size);
    buf_append_slice(out, payload);
}

/* 1: the first frame of `in`, of ATTACH_HEAD_SIZE + ret_payload->size bytes; 0: not whole yet; -1: no frame. */
static inline int attach_parse(struct slice in, enum attach_type *ret_type, struct slice *ret_payload)
{
    if (in.size < ATTACH_HEAD_SIZE)
        return 0;
    uint32_t size = be32_at(in.data + 1);
    if ((uint8_t)in.data[0] > ATTACH_RESIZE || size > ATTACH_PAYLOAD_MAX)
        return -1;
    if (in.size - ATTACH_HEAD_SIZE < size)
        return 0;
    *ret_type = (enum attach_type)in.data[0];
    *ret_payload = slice_of(in.data + ATTACH_HEAD_SIZE, size);
    return 1;
}

#endif
