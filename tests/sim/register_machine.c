#include "common/base.h"

#include "tests/sim/register_machine.h"

#include "common/buf.h"
#include "common/map.h"
#include "common/mem.h"

struct pin {
    struct register_machine copy;
    size_t next;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdull;
}

static uint64_t hash(void *machine)
{
    struct register_machine *m = machine;
    uint64_t h = m->chain;
    for (size_t i = 0; i < REGISTERS; i++)
        h = mix(mix(h, m->registers[i].value), m->registers[i].index);
    return h;
}

static void apply(void *machine, uint64_t index, uint64_t term, struct slice data)
{
    struct register_machine *m = machine;
    ASSERT(data.size >= 9 && (uint8_t)data.data[0] < REGISTERS);
    struct register_value *r = &m->registers[(uint8_t)data.data[0]];
    r->value = be64_at(data.data + 1);
    r->index = index;
    r->pad_size = (uint32_t)MIN(data.size - 9, (size_t)REGISTER_PAD_MAX);
    memcpy(r->pad, data.data + 9, r->pad_size);
    m->chain = mix(mix(mix(m->chain, index), term), hash_bytes(data));
    if (m->applied != NULL)
        m->applied(m->arg, index, term, r->value, hash(m));
}

static void *pin(void *machine)
{
    struct pin *p = NEW(struct pin);
    p->copy = *(struct register_machine *)machine;
    return p;
}

static int read_piece(void *pinned, struct buf *out, bool *ret_last, struct err *reterr)
{
    struct pin *p = pinned;
    (void)reterr;
    buf_append_be64(out, p->copy.chain);
    buf_append_char(out, (char)p->next);
    const struct register_value *r = &p->copy.registers[p->next];
    buf_append_be64(out, r->value);
    buf_append_be64(out, r->index);
    buf_append(out, r->pad, r->pad_size);
    *ret_last = ++p->next == REGISTERS;
    return 0;
}

static void unpin(void *machine, void *pinned)
{
    (void)machine;
    mem_free(pinned);
}

static void *restore_begin(void *machine)
{
    (void)machine;
    return NEW(struct register_machine);
}

static int restore_piece(void *restore, struct slice piece, struct err *reterr)
{
    struct register_machine *m = restore;
    if (piece.size < 25 || piece.size > 25 + REGISTER_PAD_MAX || (uint8_t)piece.data[8] >= REGISTERS)
        return err_set(reterr, ERR_CORRUPT, "a register of %zu bytes", piece.size);
    struct register_value *r = &m->registers[(uint8_t)piece.data[8]];
    m->chain = be64_at(piece.data);
    r->value = be64_at(piece.data + 9);
    r->index = be64_at(piece.data + 17);
    r->pad_size = (uint32_t)(piece.size - 25);
    memcpy(r->pad, piece.data + 25, r->pad_size);
    return 0;
}

static int restore_end(void *machine, void *restore, bool commit, struct err *reterr)
{
    struct register_machine *m = machine, *from = restore;
    (void)reterr;
    if (commit) {
        memcpy(m->registers, from->registers, sizeof m->registers);
        m->chain = from->chain;
    }
    mem_free(from);
    return 0;
}

static const struct machine_ops ops = {
    .apply = apply,
    .pin = pin,
    .read = read_piece,
    .unpin = unpin,
    .restore_begin = restore_begin,
    .restore_piece = restore_piece,
    .restore_end = restore_end,
    .hash = hash,
};

struct machine register_machine(struct register_machine *m) { return (struct machine){&ops, m}; }

struct bytes *register_write(unsigned key, uint64_t value, size_t pad_size)
{
    struct buf b = {0};
    buf_append_char(&b, (char)key);
    buf_append_be64(&b, value);
    for (size_t i = 0; i < pad_size; i++)
        buf_append_char(&b, (char)(value * 31 + i * 7));
    struct bytes *data = bytes_new(buf_slice(&b));
    buf_release(&b);
    return data;
}
