/* Carries the tables of cases out against one apiserver and prints request and answer side by side.
 *   run_cases --server URL --pki FOLDER [--name VALUE …] file.cases …
 * The folder holds ca.crt and NAME.crt, NAME.key of whoever asks; names are ${name} in requests. Exit 0 when all passed.
 * CASE=text runs the cases whose name holds it; QUIET=1 prints failures only. */
#include "common/base.h"
#include "tests/cases/run_cases.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/json.h"
#include "common/mem.h"

#define ARGUMENTS_MAX 40
#define TRIES_MAX 100
#define SHOWN_MAX 400 /* bytes of a body that are printed */

struct runner {
    const char *server, *pki;
    struct names names; /* of requests */
    struct names texts; /* of answers, of this file */
    const char *file;
    unsigned passed, failed;
};

/* --- programs --- */

struct output {
    struct buf out, err;
    int code; /* exit code, or -1 */
};

static void output_release(struct output *o)
{
    buf_release(&o->out);
    buf_release(&o->err);
}

static _Noreturn void child(char *const *argv, const int in[2], const int out[2], const int err[2])
{
    (void)dup2(in[0], 0);
    (void)dup2(out[1], 1);
    (void)dup2(err[1], 2);
    const int all[] = {in[0], in[1], out[0], out[1], err[0], err[1]};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        (void)close(all[i]);
    (void)execvp(argv[0], argv);
    _exit(127);
}

static bool take(struct pollfd *p, struct buf *into)
{
    char piece[65536];
    ssize_t n = read(p->fd, piece, sizeof piece);
    if (n > 0)
        buf_append(into, piece, (size_t)n);
    return n > 0;
}

static void give(struct pollfd *p, struct slice *input)
{
    ssize_t n = input->size == 0 ? 0 : write(p->fd, input->data, MIN(input->size, (size_t)65536));
    if (n > 0)
        *input = slice_from(*input, (size_t)n);
    if (n < 0 || input->size == 0) { /* done, or nobody reads it */
        (void)close(p->fd);
        p->fd = -1;
    }
}

static void converse(int in, int out, int err, struct slice input, struct output *ret)
{
    struct pollfd fds[] = {{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
    struct buf *const into[] = {NULL, &ret->out, &ret->err};
    while (fds[1].fd >= 0 || fds[2].fd >= 0) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].fd >= 0 && fds[0].revents != 0)
            give(&fds[0], &input);
        for (int i = 1; i < 3; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(&fds[i], into[i]))
                fds[i].fd = -1;
    }
    if (fds[0].fd >= 0)
        (void)close(fds[0].fd);
}

static void program_run(char *const *argv, struct slice input, struct output *ret)
{
    int in[2], out[2], err[2], status;
    *ret = (struct output){.code = -1};
    if (pipe(in) != 0 || pipe(out) != 0 || pipe(err) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        child(argv, in, out, err);
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(err[1]);
    converse(in[1], out[0], err[0], input, ret);
    (void)close(out[0]);
    (void)close(err[0]);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        ret->code = WEXITSTATUS(status);
}

/* --- requests --- */

struct request {
    struct buf method, path, body, who, type, accept, header;
};

static void request_release(struct request *q)
{
    struct buf *const all[] = {&q->method, &q->path, &q->body, &q->who, &q->type, &q->accept, &q->header};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_release(all[i]);
}

struct arguments {
    char *argv[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct arguments *a, const char *format, ...) PRINTF_ARGS(2, 3);
static void add(struct arguments *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (a->count < ARGUMENTS_MAX - 1 && vasprintf(&a->argv[a->count], format, args) >= 0)
        a->count++;
    va_end(args);
}

static void add_certificate(struct arguments *a, const struct runner *r, struct slice name)
{
    add(a, "--cert");
    add(a, "%s/%.*s.crt", r->pki, SLICE_ARGS(name));
    add(a, "--key");
    add(a, "%s/%.*s.key", r->pki, SLICE_ARGS(name));
}

static void add_header(struct arguments *a, const char *name, struct slice value)
{
    add(a, "-H");
    add(a, "%s%.*s", name, SLICE_ARGS(value));
}

static void add_who(struct arguments *a, const struct runner *r, struct slice who)
{
    struct slice rest = who, kind = slice_cut(&rest, ' ');
    if (slice_is(kind, "token"))
        add_header(a, "Authorization: Bearer ", rest);
    else if (slice_is(kind, "certificate"))
        add_certificate(a, r, rest);
    else if (slice_is(kind, "user")) {
        add_certificate(a, r, SLICE("admin"));
        add_header(a, "Impersonate-User: ", slice_cut(&rest, ' '));
        while (rest.data != NULL)
            add_header(a, "Impersonate-Group: ", slice_cut(&rest, ' '));
    } else if (!slice_is(kind, "anonymous"))
        add_certificate(a, r, SLICE("admin"));
}

/* The answer's body is o->out; returns the HTTP code, 0 when there was no answer. */
static int request_send(const struct runner *r, const struct request *q, struct output *o)
{
    struct arguments a = {0};
    add(&a, "curl");
    add(&a, "-gsS");
    add(&a, "-m20");
    add(&a, "--cacert");
    add(&a, "%s/ca.crt", r->pki);
    add(&a, "-X%.*s", SLICE_ARGS(buf_slice(&q->method)));
    add(&a, "-w%%{stderr}%%{http_code}");
    add_header(&a, "Expect:", (struct slice){"", 0});
    add_who(&a, r, buf_slice(&q->who));
    if (q->accept.size > 0)
        add_header(&a, "Accept: ", buf_slice(&q->accept));
    if (q->header.size > 0)
        add_header(&a, "", buf_slice(&q->header));
    if (q->body.size > 0 || q->type.size > 0) {
        add_header(&a, "Content-Type: ", q->type.size > 0 ? buf_slice(&q->type) : SLICE("application/json"));
        add(&a, "--data-binary");
        add(&a, "@-");
    }
    add(&a, "%s%.*s", r->server, SLICE_ARGS(buf_slice(&q->path)));
    program_run(a.argv, buf_slice(&q->body), o);
    for (size_t i = 0; i < a.count; i++)
        free(a.argv[i]);
    return o->code == 0 && o->err.size >= 3 ? (int)strtol(o->err.data + o->err.size - 3, NULL, 10) : 0;
}

/* --- lines of a file --- */

static int fill(const struct runner *r, struct slice text, struct buf *out, struct err *reterr)
{
    buf_reset(out);
    return names_fill(&r->names, text, out, reterr);
}

static int request_take(const struct runner *r, const struct line *l, struct request *q, struct err *reterr)
{
    struct slice rest = l->value, method = slice_cut(&rest, ' ');
    buf_reset(&q->method);
    buf_append_slice(&q->method, method);
    int rv = fill(r, rest, &q->path, reterr);
    return rv < 0 ? rv : fill(r, buf_slice(&l->block), &q->body, reterr);
}

static int given(struct runner *r, const struct line *l, struct json_doc *d, struct json **ret, struct err *reterr)
{
    struct request q = {0};
    struct output o = {0};
    int rv = request_take(r, l, &q, reterr);
    int code = rv < 0 ? 0 : request_send(r, &q, &o);
    if (rv == 0 && (code < 200 || code > 299))
        rv = err_set(reterr, ERR_INTERNAL, "%s:%u: what is given was refused: %d %.*s%.*s", r->file, l->number, code,
                     SLICE_ARGS(buf_slice(&o.out)), SLICE_ARGS(buf_slice(&o.err)));
    if (rv == 0)
        rv = json_parse(d, buf_slice(&o.out), ret, reterr);
    output_release(&o);
    request_release(&q);
    return rv;
}

static int await(struct runner *r, const struct line *l, struct err *reterr)
{
    struct request q = {0};
    int code = 0;
    buf_append_str(&q.method, "GET");
    int rv = fill(r, l->value, &q.path, reterr);
    for (int i = 0; rv == 0 && code != 200 && i < TRIES_MAX; i++) {
        struct output o = {0};
        code = request_send(r, &q, &o);
        output_release(&o);
        if (code != 200)
            (void)poll(NULL, 0, 100);
    }
    request_release(&q);
    return rv < 0 || code == 200 ? rv : err_set(reterr, ERR_TIMEOUT, "%s:%u: still %d", r->file, l->number, code);
}

/* One line that prepares; `last` is the answer to the given before it. */
static int prepare(struct runner *r, const struct line *l, struct json_doc *d, struct json **last, struct err *reterr)
{
    if (slice_is(l->key, "given"))
        return given(r, l, d, last, reterr);
    if (slice_is(l->key, "await"))
        return await(r, l, reterr);
    struct slice path = l->value, name = slice_cut(&path, ' ');
    if (slice_is(l->key, "text")) {
        names_set(&r->texts, name, path);
        return 0;
    }
    if (!slice_is(l->key, "keep"))
        return err_set(reterr, ERR_BAD_REQUEST, "%s:%u: unknown key %.*s", r->file, l->number, SLICE_ARGS(l->key));
    char key[200];
    (void)snprintf(key, sizeof key, "%.*s", SLICE_ARGS(path));
    struct slice value = json_string_at(*last, key);
    if (value.data == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "%s:%u: no %s in the answer before", r->file, l->number, key);
    names_set(&r->names, name, value);
    return 0;
}

/* --- a case --- */

struct expected {
    struct slice name, rule, status, message, command, exit;
    struct slice causes[CAUSES_MAX], lines[CAUSES_MAX];
    size_t cause_count, line_count;
    struct buf input;
    struct request request;
};

static void show(const char *mark, struct slice text)
{
    bool cut = text.size > SHOWN_MAX;
    (void)printf("    %s %.*s%s\n", mark, (int)MIN(text.size, (size_t)SHOWN_MAX), text.data == NULL ? "" : text.data, cut ? " …" : "");
}

static void differs(struct buf *differences, const char *what, struct slice wanted, struct slice got)
{
    buf_printf(differences, "    %s\n      - wanted  %.*s\n      + got     %.*s\n", what, SLICE_ARGS(wanted), (int)MIN(got.size, (size_t)4000),
               got.data == NULL ? "" : got.data);
}

static void compare(const struct runner *r, const char *what, struct slice wanted, struct slice got, struct buf *differences)
{
    struct buf filled = {0};
    struct err err;
    if (names_fill(&r->names, wanted, &filled, &err) < 0)
        buf_append_str(&filled, err.message);
    if (!text_matches(&r->texts, buf_slice(&filled), got))
        differs(differences, what, buf_slice(&filled), got);
    buf_release(&filled);
}

static void compare_causes(const struct runner *r, const struct expected *e, const struct json *status, struct buf *differences)
{
    struct json_iterator i = json_iterate(json_at(status, "details.causes"));
    size_t n = 0;
    for (; json_next(&i); n++) {
        struct buf got = {0};
        struct slice reason = json_string_at(i.value, "reason"), field = json_string_at(i.value, "field");
        buf_append_slice(&got, reason);
        buf_printf(&got, "%s%.*s", field.size > 0 ? " " : "", SLICE_ARGS(field));
        if (n < e->cause_count)
            compare(r, "cause", e->causes[n], buf_slice(&got), differences);
        else if (e->cause_count > 0)
            differs(differences, "cause", SLICE("no further one"), buf_slice(&got));
        buf_release(&got);
    }
    for (; n < e->cause_count; n++)
        differs(differences, "cause", e->causes[n], SLICE("none"));
}

static void run_request(struct runner *r, struct expected *e, struct buf *differences, struct buf *answer)
{
    struct output o = {0};
    struct json_doc *d = json_doc_new();
    struct json *status = NULL;
    struct buf head = {0};
    struct slice body;
    int code = request_send(r, &e->request, &o);
    bool is_status = json_parse(d, buf_slice(&o.out), &status, NULL) == 0 && slice_is(json_string_at(status, "kind"), "Status");
    struct slice reason = json_string_at(status, "reason");
    buf_printf(&head, "%d %.*s", code, reason.size == 0 ? 1 : (int)reason.size, reason.size == 0 ? "-" : reason.data);
    body = is_status ? json_string_at(status, "message") : code == 0 ? buf_slice(&o.err) : buf_slice(&o.out);
    compare(r, "code and reason", e->status, buf_slice(&head), differences);
    compare(r, "message", e->message, body, differences);
    compare_causes(r, e, status, differences);
    if (is_status && json_int_at(status, "code", 0) != code)
        differs(differences, "code in the Status", buf_slice(&head), json_number_text(json_get(status, "code")));
    buf_printf(answer, "%.*s: %.*s", SLICE_ARGS(buf_slice(&head)), (int)MIN(body.size, (size_t)4000), body.data == NULL ? "" : body.data);
    buf_release(&head);
    json_doc_free(d);
    output_release(&o);
}

/* Lines of kubectl's own log ("E1121 10:11:12.…") are not compared. */
static bool is_log(struct slice line)
{
    return line.size > 5 && strchr("EWI", line.data[0]) != NULL && strspn(line.data + 1, "0123456789") >= 4 && line.data[5] == ' ';
}

static void run_command(struct runner *r, struct expected *e, struct buf *differences, struct buf *answer)
{
    struct output o = {0};
    struct buf command = {0}, code = {0};
    struct err err;
    buf_append_str(&command, "exec \"$KUBECTL\" ");
    if (names_fill(&r->names, e->command, &command, &err) < 0)
        differs(differences, "command", e->command, slice_str(err.message));
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, command.data, NULL};
    program_run(argv, buf_slice(&e->input), &o);
    buf_printf(&code, "%d", o.code);
    compare(r, "exit", e->exit, buf_slice(&code), differences);
    buf_printf(answer, "exit %d", o.code);
    struct slice rest = buf_slice(&o.err);
    size_t n = 0;
    while (rest.size > 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (is_log(line))
            continue;
        buf_printf(answer, "; %.*s", SLICE_ARGS(line));
        compare(r, "stderr", n < e->line_count ? e->lines[n] : SLICE("no further line"), line, differences);
        n++;
    }
    for (; n < e->line_count; n++)
        differs(differences, "stderr", e->lines[n], SLICE("nothing"));
    buf_release(&command);
    buf_release(&code);
    output_release(&o);
}

static int expect_line(struct runner *r, const struct line *l, struct expected *e, struct err *reterr)
{
    const struct {
        const char *key;
        struct buf *filled;
        struct slice *plain;
    } keys[] = {
        {"rule", NULL, &e->rule},       {"expect", NULL, &e->status},    {"message", NULL, &e->message},
        {"kubectl", NULL, &e->command}, {"exit", NULL, &e->exit},        {"as", &e->request.who, NULL},
        {"type", &e->request.type, NULL}, {"accept", &e->request.accept, NULL}, {"header", &e->request.header, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!slice_is(l->key, keys[i].key))
            continue;
        if (keys[i].filled != NULL)
            return fill(r, l->value, keys[i].filled, reterr);
        *keys[i].plain = l->value;
        return 0;
    }
    bool cause = slice_is(l->key, "cause");
    if (cause || slice_is(l->key, "stderr")) {
        size_t *count = cause ? &e->cause_count : &e->line_count;
        if (*count == CAUSES_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "%s:%u: more than %d", r->file, l->number, CAUSES_MAX);
        (cause ? e->causes : e->lines)[(*count)++] = l->value;
        return 0;
    }
    if (slice_is(l->key, "stdin"))
        return fill(r, buf_slice(&l->block), &e->input, reterr);
    return slice_is(l->key, "send") ? request_take(r, l, &e->request, reterr) : 1;
}

static void print_case(struct runner *r, struct expected *e, const struct buf *differences, const struct buf *answer)
{
    bool good = differences->size == 0;
    *(good ? &r->passed : &r->failed) += 1;
    if (good && getenv("QUIET") != NULL)
        return;
    (void)printf("%s %s %.*s: %.*s\n", good ? "ok    " : "FAILED", r->file, SLICE_ARGS(e->name), SLICE_ARGS(e->rule));
    if (e->command.data != NULL)
        (void)printf("    > kubectl %.*s\n", SLICE_ARGS(e->command));
    else
        (void)printf("    > %.*s %.*s%s%.*s\n", SLICE_ARGS(buf_slice(&e->request.method)), SLICE_ARGS(buf_slice(&e->request.path)),
                     e->request.who.size > 0 ? " as " : "", SLICE_ARGS(buf_slice(&e->request.who)));
    struct buf *body = e->command.data != NULL ? &e->input : &e->request.body;
    if (body->size > 0)
        show(">", buf_slice(body));
    show("<", buf_slice(answer));
    if (!good)
        (void)printf("%s", differences->data);
}

/* Runs the case whose lines begin at `first`; returns the index behind it. */
static size_t run_case(struct runner *r, struct case_file *f, size_t first)
{
    struct expected e = {.name = f->lines[first].value};
    struct buf differences = {0}, answer = {0};
    struct json_doc *d = json_doc_new();
    struct json *last = NULL;
    struct err err = {0};
    const char *wanted = getenv("CASE");
    bool run = wanted == NULL || memmem(e.name.data, e.name.size, wanted, strlen(wanted)) != NULL;
    size_t i = first + 1;
    int rv = 0;
    for (; i < f->count && !slice_is(f->lines[i].key, "case"); i++) {
        if (!run || rv < 0)
            continue;
        rv = expect_line(r, &f->lines[i], &e, &err);
        if (rv == 1)
            rv = prepare(r, &f->lines[i], d, &last, &err);
    }
    if (run) {
        if (rv < 0)
            buf_printf(&differences, "    %s\n", err.message);
        else if (e.command.data != NULL)
            run_command(r, &e, &differences, &answer);
        else
            run_request(r, &e, &differences, &answer);
        print_case(r, &e, &differences, &answer);
    }
    request_release(&e.request);
    buf_release(&e.input);
    buf_release(&differences);
    buf_release(&answer);
    json_doc_free(d);
    return i;
}

static void run_file(struct runner *r, const char *path)
{
    struct case_file f;
    struct err err = {0};
    struct json_doc *d = json_doc_new();
    struct json *last = NULL;
    const char *slash = strrchr(path, '/');
    r->file = slash == NULL ? path : slash + 1;
    r->texts = (struct names){0};
    int rv = case_file_read(path, &f, &err);
    size_t i = 0;
    for (; rv == 0 && i < f.count && !slice_is(f.lines[i].key, "case"); i++)
        rv = prepare(r, &f.lines[i], d, &last, &err);
    if (rv < 0) {
        (void)printf("FAILED %s: %s\n", r->file, err.message);
        r->failed++;
    }
    while (rv == 0 && i < f.count)
        i = run_case(r, &f, i);
    json_doc_free(d);
    names_release(&r->texts);
    case_file_release(&f);
}

int main(int argc, char **argv)
{
    struct runner r = {0};
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--server") == 0)
            r.server = argv[i + 1];
        else if (strcmp(argv[i], "--pki") == 0)
            r.pki = argv[i + 1];
        else
            names_set(&r.names, slice_str(argv[i] + 2), slice_str(argv[i + 1]));
    }
    if (r.server == NULL || r.pki == NULL || i == argc) {
        (void)fprintf(stderr, "run_cases --server URL --pki FOLDER [--name VALUE …] file.cases …\n");
        return 2;
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 2;
    for (; i < argc; i++)
        run_file(&r, argv[i]);
    (void)printf("%u cases passed, %u failed\n", r.passed, r.failed);
    names_release(&r.names);
    return r.failed == 0 && r.passed > 0 ? 0 : 1;
}
