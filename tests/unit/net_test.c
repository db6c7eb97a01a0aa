#include "tests/test.h"

#include "common/mem.h"
#include "common/tls.h"
#include "common/uv_env.h"
#include "tests/support/pki_fixture.h"

#include <stdio.h>
#include <unistd.h>

/* One server and one client in a loop; what is received comes back. */
struct fixture {
    struct uv_env *uv;
    struct env *env;
    struct pki_fixture pki;
    struct tls *server_tls, *client_tls;
    struct net_listener listener;
    struct net_conn server, client;
    bool listening;
    struct buf echoed;
    size_t expected;
    int client_closed, server_closed; /* error codes, 1 while open */
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->uv = uv_env_new("net-test", LOG_WARN);
    f->env = uv_env_env(f->uv);
    pki_fixture_init(&f->pki);
    f->client_closed = f->server_closed = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_env_free(f->uv);
    tls_unref(f->server_tls);
    tls_unref(f->client_tls);
    buf_release(&f->echoed);
    pki_fixture_release(&f->pki);
    mem_free(f);
    return 0;
}

static void maybe_stop(struct fixture *f)
{
    if (f->client_closed != 1 && f->listening) {
        f->listening = false;
        net_listener_close(&f->env->net, &f->listener);
    }
}

static void server_open(struct net_conn *c) { (void)c; }
static void server_read(struct net_conn *c, struct slice bytes)
{
    struct fixture *f = c->data;
    net_write(&f->env->net, c, &bytes, 1);
}
static void server_close(struct net_conn *c, const struct err *why) { ((struct fixture *)c->data)->server_closed = why->code; }

static void client_open(struct net_conn *c)
{
    struct fixture *f = c->data;
    char block[1000];
    for (size_t sent = 0; sent < f->expected; sent += sizeof block) {
        memset(block, (int)('a' + sent / sizeof block % 26), sizeof block);
        struct slice part = slice_of(block, sizeof block);
        net_write(&f->env->net, c, &part, 1);
    }
}
static void client_read(struct net_conn *c, struct slice bytes)
{
    struct fixture *f = c->data;
    buf_append_slice(&f->echoed, bytes);
    if (f->echoed.size >= f->expected)
        net_close(&f->env->net, c, true);
}
static void client_close(struct net_conn *c, const struct err *why)
{
    struct fixture *f = c->data;
    f->client_closed = why->code;
    maybe_stop(f);
}

static struct net_conn *accept_conn(struct net_listener *l)
{
    static const struct net_conn_callbacks callbacks = {.on_open = server_open, .on_read = server_read, .on_close = server_close};
    struct fixture *f = l->data;
    f->server = (struct net_conn){.callbacks = &callbacks, .data = f};
    return &f->server;
}

static void listen_here(struct fixture *f)
{
    f->listener = (struct net_listener){.on_accept = accept_conn, .data = f};
    struct err err;
    assert_ok(net_listen(&f->env->net, &f->listener, &(struct net_listen_options){.address = "127.0.0.1:0", .tls = f->server_tls}, &err));
    f->listening = true;
}

static void connect_to(struct fixture *f, int port)
{
    static const struct net_conn_callbacks callbacks = {.on_open = client_open, .on_read = client_read, .on_close = client_close};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    f->client = (struct net_conn){.callbacks = &callbacks, .data = f};
    net_connect(&f->env->net, &f->client, &(struct net_connect_options){.address = address, .tls = f->client_tls});
    uv_env_run(f->uv, NULL, NULL);
}

static void echo(struct fixture *f)
{
    f->expected = 1000 * 1000;
    listen_here(f);
    connect_to(f, net_listener_port(&f->env->net, &f->listener));
    assert_int_equal(f->client_closed, ERR_CANCELED);
    assert_int_equal(f->echoed.size, f->expected);
    for (size_t i = 0; i < f->expected; i++)
        assert_int_equal(f->echoed.data[i], 'a' + i / 1000 % 26);
}

static void plain_echo(void **state) { echo(*state); }

static void tls_echo_with_names(void **state)
{
    struct fixture *f = *state;
    f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
    f->client_tls = pki_fixture_tls(&f->pki, "ca", "client", false);
    echo(f);
    assert_string_equal(f->server.peer.common_name, "client");
    assert_int_equal(f->server.peer.organization_count, 2);
    assert_string_equal(f->server.peer.organizations[1], "group-b");
    assert_string_equal(f->client.peer.common_name, "server");
}

static void foreign_authority_is_refused(void **state)
{
    struct fixture *f = *state;
    f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
    f->client_tls = pki_fixture_tls(&f->pki, "other", "client", false);
    f->expected = 1000;
    listen_here(f);
    connect_to(f, net_listener_port(&f->env->net, &f->listener));
    assert_int_equal(f->server_closed, ERR_TLS);
    assert_true(f->client_closed == ERR_TLS || f->client_closed == ERR_EOF);
    assert_int_equal(f->echoed.size, 0);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    listen_here(f);
    int port = net_listener_port(&f->env->net, &f->listener);
    f->listening = false;
    net_listener_close(&f->env->net, &f->listener);
    uv_env_run(f->uv, NULL, NULL);
    connect_to(f, port);
    assert_int_equal(f->client_closed, ERR_CONNECT);
}

static void taken_and_bad_addresses(void **state)
{
    struct fixture *f = *state;
    listen_here(f);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", net_listener_port(&f->env->net, &f->listener));
    struct net_listener second = {.on_accept = accept_conn, .data = f};
    struct err err;
    assert_int_equal(net_listen(&f->env->net, &second, &(struct net_listen_options){.address = address}, &err), ERR_ADDRESS_IN_USE);
    assert_non_null(strstr(err.message, address));
    static const char *const bad[] = {"", "127.0.0.1", "localhost:80", "127.0.0.1:99999", "127.0.0.1:x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(net_listen(&f->env->net, &second, &(struct net_listen_options){.address = bad[i]}, &err), ERR_BAD_REQUEST);
    f->client_closed = 0;
    maybe_stop(f);
    uv_env_run(f->uv, NULL, NULL);
}

static void files_are_checked(void **state)
{
    struct fixture *f = *state;
    f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
    f->client_tls = pki_fixture_tls(&f->pki, "ca", "client", false);
    struct tls *t;
    struct err err;
    char missing[160], server[160], key[160];
    pki_fixture_path(&f->pki, "none", ".crt", missing);
    pki_fixture_path(&f->pki, "server", ".crt", server);
    pki_fixture_path(&f->pki, "client", ".key", key);
    assert_int_equal(tls_new(&(struct tls_options){.ca_file = missing}, &t, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "none.crt"));
    struct tls_options crossed = {.certificate_file = server, .key_file = key};
    assert_int_equal(tls_new(&crossed, &t, &err), ERR_TLS);
    assert_non_null(strstr(err.message, "client.key"));
    assert_int_equal(tls_new(&(struct tls_options){.ca_file = key}, &t, &err), ERR_TLS);
}

static void append_file(const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "a");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void echo_again(struct fixture *f)
{
    buf_reset(&f->echoed);
    f->client_closed = f->server_closed = 1;
    echo(f);
}

/* An authority is exchanged as people do it: both are trusted, then certificates of the new one, then the new one alone. */
static void files_are_followed(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char ca[160], other[160], key[160];
    f->server_tls = pki_fixture_tls(&f->pki, "ca", "server", true);
    f->client_tls = pki_fixture_tls(&f->pki, "ca", "client", false);
    pki_fixture_path(&f->pki, "ca", ".crt", ca);
    pki_fixture_path(&f->pki, "other", ".crt", other);
    pki_fixture_path(&f->pki, "client", ".key", key);
    echo(f);
    assert_int_equal(tls_refresh(f->server_tls, &err), 0);

    tls_unref(pki_fixture_tls(&f->pki, "other", "client", false)); /* new files of the same names */
    echo_again(f); /* nobody has looked yet */
    assert_int_equal(tls_refresh(f->client_tls, &err), 1);
    buf_reset(&f->echoed);
    f->client_closed = f->server_closed = 1;
    listen_here(f);
    connect_to(f, net_listener_port(&f->env->net, &f->listener));
    assert_int_equal(f->server_closed, ERR_TLS);

    append_file(other, ca);
    assert_int_equal(tls_refresh(f->server_tls, &err), 1);
    echo_again(f);
    assert_int_equal(tls_refresh(f->client_tls, &err), 1); /* it trusts the same file */
    echo_again(f);

    append_file(ca, key); /* a key file with something else at its end is a key still */
    assert_int_equal(tls_refresh(f->client_tls, &err), 1);
    assert_int_equal(truncate(key, 20), 0);
    assert_int_equal(tls_refresh(f->client_tls, &err), ERR_TLS);
    assert_non_null(strstr(err.message, "client.key"));
    assert_int_equal(tls_refresh(f->client_tls, &err), 0); /* told once */
    echo_again(f); /* with what it had */
    assert_int_equal(unlink(key), 0);
    assert_int_equal(tls_refresh(f->client_tls, &err), ERR_NOT_FOUND);
    echo_again(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_echo, setup, teardown),
        cmocka_unit_test_setup_teardown(tls_echo_with_names, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_authority_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(taken_and_bad_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_followed, setup, teardown),
    };
    return RUN_TESTS(tests);
}
