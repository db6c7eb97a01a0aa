/* Processor time of the apiserver's request core alone, over an in-process store, without sockets: what a change costs
 * or saves is seen even on a busy machine, and to the instruction under valgrind --tool=callgrind.
 *   build/release/bench_core (ROUNDS=2000)      prints microseconds of processor time a request */
#include "tests/unit/api_fixture.h"

#include <stdio.h>
#include <time.h>

static double cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* this clock is always there */
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void pod_body(int i, struct buf *out)
{
    buf_printf(out,
               "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%06d\",\"labels\":{\"app\":\"bench\"}"
               "},\"spec\":{"
               "\"schedulerName\":\"bench\",\"containers\":[{\"name\":\"main\",\"image\":\"registry.local/team/"
               "service:1.27.3\","
               "\"ports\":[{\"containerPort\":8080}],\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":"
               "\"128Mi\"}},\"env\":[",
               i);
    for (int v = 0; v < 16; v++)
        buf_printf(out, "%s{\"name\":\"SETTING_%02d\",\"value\":\"a value of the length that values have %02d\"}",
                   v == 0 ? "" : ",", v, v);
    buf_append_str(out,
                   "],\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\"}],\"readinessProbe\":{\"httpGet\":{"
                   "\"path\":\"/ready\",\"port\":8080}}}],\"volumes\":[{\"name\":\"data\",\"emptyDir\":{}}]}}");
}

static void status_body(int i, struct buf *out)
{
    buf_printf(
        out,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%06d\"},\"status\":{\"phase\":\"Running\","
        "\"message\":\"%d\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],\"podIP\":\"10.1.2.3\"}}",
        i, i);
}

#define PODS "/api/v1/namespaces/default/pods"

static void run(struct fixture *f, const char *title, int rounds, const char *verb, const char *suffix, bool named,
                void (*body)(int, struct buf *), int expected)
{
    double took = 0;
    for (int i = 0; i < rounds; i++) {
        struct buf line = {0}, text = {0};
        struct client c = {.status = 0};
        buf_printf(&line, "%s " PODS, verb);
        if (named)
            buf_printf(&line, "/p%06d%s", i, suffix);
        buf_append(&text, "", 0);
        if (body != NULL)
            body(i, &text);
        double before = cpu_us();
        client_send(f, &c, line.data, "application/json", NULL, buf_slice(&text));
        took += cpu_us() - before;
        assert_int_equal(c.status, expected);
        client_release(&c);
        buf_release(&line);
        buf_release(&text);
    }
    printf("%-12s %8.1f us\n", title, took / rounds);
}

static void measure(void **state)
{
    struct fixture *f = *state;
    const char *wanted = getenv("ROUNDS");
    int rounds = wanted == NULL ? 2000 : (int)strtol(wanted, NULL, 10);
    run(f, "create", rounds, "POST", "", false, pod_body, 201);
    run(f, "status", rounds, "PUT", "/status", true, status_body, 200);
    run(f, "get", rounds, "GET", "", true, NULL, 200);
    run(f, "list", 20, "GET", "", false, NULL, 200);
    run(f, "delete", rounds, "DELETE", "?gracePeriodSeconds=0", true, NULL, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(measure, setup, teardown)};
    return RUN_TESTS(tests);
}
