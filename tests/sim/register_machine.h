/* A small machine for simulations: registers that hold the last value written and the index of that write. */
#ifndef TESTS_SIM_REGISTER_MACHINE_H
#define TESTS_SIM_REGISTER_MACHINE_H

#include "common/base.h"
#include "raftstore/machine.h"

#define REGISTERS 8
#define REGISTER_PAD_MAX 256

struct register_value {
    uint64_t value, index;
    uint8_t pad[REGISTER_PAD_MAX];
    uint32_t pad_size;
};

struct register_machine {
    struct register_value registers[REGISTERS];
    uint64_t chain; /* over all entries applied */
    void (*applied)(void *arg, uint64_t index, uint64_t term, uint64_t value, uint64_t hash);
    void *arg;
};

struct machine register_machine(struct register_machine *m);
/* An entry that writes `value` to register `key` and drags `pad_size` bytes along. */
struct bytes *register_write(unsigned key, uint64_t value, size_t pad_size);

#endif
