/* Continue tokens: what is taken is exactly what is made, and goes on from where it says. */
#include "tests/fuzz/fuzz.h"

#include "apiserver/continue_token.h"

/* Any bytes as a token. */
static void read_token(struct slice text)
{
    struct buf key = {0}, again = {0};
    struct failure f = {0};
    int64_t revision = -1;
    if (continue_token_parse(text, &revision, &key, &f) == 0) {
        ASSERT(revision >= CONTINUE_LATEST && key.size > 0);
        continue_token_make(revision, buf_slice(&key), &again);
        ASSERT(slice_equal(buf_slice(&again), text));
    } else {
        ASSERT(f.code == ERR_BAD_REQUEST && key.size == 0);
    }
    failure_release(&f);
    buf_release(&key);
    buf_release(&again);
}

/* Any bytes as a key: its token is read as the same one. */
static void make_token(struct slice key)
{
    struct buf token = {0}, same = {0};
    struct failure f = {0};
    int64_t revision = 0;
    if (key.size == 0 || key.size > 600) /* longer ones no object has */
        return;
    continue_token_make((int64_t)key.size * 1000003, key, &token);
    ASSERT(continue_token_parse(buf_slice(&token), &revision, &same, &f) == 0);
    ASSERT(revision == (int64_t)key.size * 1000003 && slice_equal(buf_slice(&same), key));
    failure_release(&f);
    buf_release(&token);
    buf_release(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_token(slice_of(data, size));
    make_token(slice_of(data, size));
    return 0;
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    static const struct {
        const char *name;
        int64_t revision;
        const char *key;
    } seeds[] = {
        {"page", 1234, "default/pod-1"}, {"latest", CONTINUE_LATEST, "default/pod-1"}, {"cluster", 1, "node-1"}};
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        struct buf token = {0};
        continue_token_make(seeds[i].revision, slice_str(seeds[i].key), &token);
        add(arg, seeds[i].name, buf_slice(&token));
        buf_release(&token);
    }
    add(arg, "base64", SLICE("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0"));
}
