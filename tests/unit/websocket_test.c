#include "tests/test.h"

#include "common/websocket.h"

#include <stdlib.h>

/* RFC 6455 section 1.3 */
static void handshake(void **state)
{
    (void)state;
    char text[WEBSOCKET_ACCEPT_SIZE];
    assert_int_equal(websocket_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), text), 0);
    assert_string_equal(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_int_equal(websocket_accept(SLICE("dGhlIHNhbXBsZSBub25j"), text), ERR_BAD_REQUEST);
    assert_int_equal(websocket_accept(SLICE("!!!!IHNhbXBsZSBub25jZQ=="), text), ERR_BAD_REQUEST);
    assert_int_equal(websocket_accept((struct slice){0}, text), ERR_BAD_REQUEST);
    struct http_header headers[] = {{SLICE("connection"), SLICE("keep-alive, Upgrade")},
                                    {SLICE("Upgrade"), SLICE("WebSocket")},
                                    {SLICE("Sec-WebSocket-Version"), SLICE("13")},
                                    {SLICE("Sec-WebSocket-Key"), SLICE("dGhlIHNhbXBsZSBub25jZQ==")}};
    struct http_request r = {.method = SLICE("GET"), .headers = headers, .header_count = ARRAY_LEN(headers)};
    assert_int_equal(websocket_check(&r, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct slice good = headers[i].value;
        headers[i].value = SLICE("x");
        assert_int_equal(websocket_check(&r, NULL), ERR_BAD_REQUEST);
        headers[i].value = good;
    }
    r.method = SLICE("POST");
    assert_int_equal(websocket_check(&r, NULL), ERR_BAD_REQUEST);
}

static int decode(struct websocket_decoder *d, const void *bytes, size_t size, struct websocket_message *m)
{
    websocket_feed(d, slice_of(bytes, size));
    return websocket_next(d, m, NULL);
}

/* The examples of section 5.7. */
static void examples(void **state)
{
    (void)state;
    struct websocket_decoder server = {.message_bytes_max = 100, .from_server = true}, client = {.message_bytes_max = 100};
    struct websocket_message m;
    assert_int_equal(decode(&server, "\x81\x05Hello", 7, &m), 1);
    assert_true(slice_is(m.payload, "Hello") && m.opcode == WEBSOCKET_TEXT);
    assert_int_equal(decode(&client, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, &m), 1);
    assert_true(slice_is(m.payload, "Hello"));
    assert_int_equal(decode(&server, "\x01\x03Hel", 5, &m), 0);
    assert_int_equal(decode(&server, "\x89\x05Hello", 7, &m), 1); /* between the fragments */
    assert_true(m.opcode == WEBSOCKET_PING && slice_is(m.payload, "Hello"));
    assert_int_equal(decode(&server, "\x80\x02lo", 4, &m), 1);
    assert_true(slice_is(m.payload, "Hello") && m.opcode == WEBSOCKET_TEXT);
    assert_int_equal(decode(&client, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, &m), 1);
    assert_true(m.opcode == WEBSOCKET_PONG);
    assert_int_equal(decode(&server, "\x88\x02\x03\xe8", 4, &m), 1);
    assert_int_equal(m.close_code, 1000);
    assert_int_equal(decode(&server, "\x88\x00", 2, &m), 1);
    assert_int_equal(m.close_code, 1005);
    websocket_decoder_release(&server);
    websocket_decoder_release(&client);
}

static void every_size_in_every_cut(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    char *bytes = malloc(70000);
    for (size_t i = 0; i < 70000; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct websocket_decoder d = {.message_bytes_max = 70000};
        struct websocket_message m;
        struct buf out = {0};
        websocket_frame_masked(WEBSOCKET_BINARY, true, 0xdeadbeef, slice_of(bytes, sizes[i]), &out);
        size_t cut = sizes[i] < 1000 ? 1 : 4096, fed = 0;
        int rv = 0;
        while (rv == 0 && fed < out.size) {
            size_t n = MIN(cut, out.size - fed);
            rv = decode(&d, out.data + fed, n, &m);
            fed += n;
        }
        assert_int_equal(rv, 1);
        assert_int_equal(fed, out.size);
        assert_true(slice_equal(m.payload, slice_of(bytes, sizes[i])));
        assert_int_equal(websocket_next(&d, &m, NULL), 0);
        buf_release(&out);
        websocket_decoder_release(&d);
    }
    free(bytes);
}

static void many_in_one_read(void **state)
{
    (void)state;
    struct websocket_decoder d = {.message_bytes_max = 10};
    struct websocket_message m;
    struct buf out = {0};
    for (char c = 'a'; c <= 'z'; c++)
        websocket_frame_masked(WEBSOCKET_BINARY, true, (uint32_t)c, slice_of(&c, 1), &out);
    websocket_feed(&d, buf_slice(&out));
    for (char c = 'a'; c <= 'z'; c++) {
        assert_int_equal(websocket_next(&d, &m, NULL), 1);
        assert_true(slice_equal(m.payload, slice_of(&c, 1)));
    }
    assert_int_equal(websocket_next(&d, &m, NULL), 0);
    buf_release(&out);
    websocket_decoder_release(&d);
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } cases[] = {
        {"\x81\x05Hello", 7, 1002},                     /* not masked */
        {"\xc1\x80\0\0\0\0", 6, 1002},                  /* reserved bit */
        {"\x83\x80\0\0\0\0", 6, 1002},                  /* unknown opcodes */
        {"\x8b\x80\0\0\0\0", 6, 1002},
        {"\x80\x80\0\0\0\0", 6, 1002},                  /* a continuation of nothing */
        {"\x01\x80\0\0\0\0\x01\x80\0\0\0\0", 12, 1002}, /* a message inside another */
        {"\x09\x80\0\0\0\0", 6, 1002},                  /* a fragmented ping */
        {"\x89\xfe\0\x7e\0\0\0\0", 8, 1002},            /* a long ping */
        {"\x82\xfe\0\x05\0\0\0\0", 8, 1002},            /* lengths not in the shortest way */
        {"\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14, 1002},
        {"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, 1002}, /* a negative one */
        {"\x88\x81\0\0\0\0\x03", 7, 1002},              /* half a close code */
        {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},          /* 1005 must not be sent */
        {"\x88\x82\0\0\0\0\0\0", 8, 1002},
        {"\x82\xfe\x01\0\0\0\0\0", 8, 1009},            /* too large, known from its head */
        {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1009},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct websocket_decoder d = {.message_bytes_max = 200};
        struct websocket_message m;
        int rv = 1;
        websocket_feed(&d, slice_of(cases[i].bytes, cases[i].size));
        while (rv == 1)
            rv = websocket_next(&d, &m, NULL);
        if (rv == 0 || d.failure != cases[i].code)
            fail_msg("case %zu: %d, %d", i, rv, d.failure);
        assert_true(decode(&d, "\x89\x80\0\0\0\0", 6, &m) < 0); /* nothing comes after it */
        websocket_decoder_release(&d);
    }
}

static void fragments_have_a_limit_together(void **state)
{
    (void)state;
    struct websocket_decoder d = {.message_bytes_max = 100};
    struct websocket_message m;
    struct buf out = {0};
    char part[60] = {0};
    websocket_frame_masked(WEBSOCKET_BINARY, false, 1, slice_of(part, 60), &out);
    websocket_frame_masked(WEBSOCKET_CONTINUATION, true, 1, slice_of(part, 60), &out);
    websocket_feed(&d, buf_slice(&out));
    assert_int_equal(websocket_next(&d, &m, NULL), ERR_TOO_LARGE);
    assert_int_equal(d.failure, 1009);
    buf_release(&out);
    websocket_decoder_release(&d);
}

/* Whatever comes: no crash (the sanitizers watch), no message above the bound, no endless loop. */
static void noise(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        struct websocket_decoder d = {.message_bytes_max = 64, .from_server = (round & 1) != 0};
        struct websocket_message m;
        char bytes[48];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[i] = (char)(seed >> (i % 2 == 0 ? 56 : 61)); /* every other one small, so that frames come about */
        }
        int messages = 0;
        websocket_feed(&d, slice_of(bytes, sizeof bytes));
        while (websocket_next(&d, &m, NULL) == 1) {
            assert_true(m.payload.size <= 125);
            assert_true(++messages <= (int)sizeof bytes);
        }
        websocket_decoder_release(&d);
    }
}

static void writes_frames(void **state)
{
    (void)state;
    struct buf out = {0};
    struct websocket_decoder d = {.message_bytes_max = 1 << 20, .from_server = true};
    struct websocket_message m;
    char *big = calloc(1, 70000);
    websocket_frame(WEBSOCKET_BINARY, SLICE("\1"), slice_of(big, 70000), &out);
    websocket_close_frame(WEBSOCKET_NORMAL, "done", &out);
    memset(big, 'x', 200);
    websocket_close_frame(WEBSOCKET_SERVER_ERROR, big, &out);
    websocket_feed(&d, buf_slice(&out));
    assert_int_equal(websocket_next(&d, &m, NULL), 1);
    assert_int_equal(m.payload.size, 70001);
    assert_int_equal(m.payload.data[0], 1);
    assert_int_equal(websocket_next(&d, &m, NULL), 1);
    assert_int_equal(m.close_code, 1000);
    assert_true(slice_is(slice_from(m.payload, 2), "done"));
    assert_int_equal(websocket_next(&d, &m, NULL), 1);
    assert_int_equal(m.payload.size, 125);
    free(big);
    buf_release(&out);
    websocket_decoder_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),        cmocka_unit_test(examples),  cmocka_unit_test(every_size_in_every_cut),
        cmocka_unit_test(many_in_one_read), cmocka_unit_test(malformed), cmocka_unit_test(fragments_have_a_limit_together),
        cmocka_unit_test(noise),            cmocka_unit_test(writes_frames),
    };
    return RUN_TESTS(tests);
}
