/* rsctl top: asks all members at intervals and shows what they say (rsctl_top_view.c).
 *
 *   round: member list ─▶ status of each, all at once ─▶ a linearizable read through each that answered ─▶ view
 *
 * Each member has a connection of its own, so that nobody answers for another. Members are those of the list; before there is one, the
 * endpoints. Whatever does not answer within a round is shown as silent and asked again in the next. */
#include "common/base.h"

#include "tools/rsctl_top.h"

#include "common/uv_env.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000
#define ROUND_MAX_MS 2000 /* of waiting for members */
#define LOOK_MS 100       /* at the keyboard and the size of the terminal */

struct top;
struct seat {
    struct top *top;
    char address[TOP_TEXT_MAX]; /* "": free */
    struct store_client *client;
    struct store_call call;
    bool wanted, closing;
    uint64_t began_ns;
    struct top_member *member; /* of the view in the making */
};

struct top {
    struct rsctl *r;
    struct seat seats[TOP_MEMBERS_MAX];
    struct top_view views[2];
    size_t view;      /* the newest whole one */
    unsigned rounds;
    size_t busy;
    bool listed, stop, terminal, drawn_once;
    struct termios before; /* of the terminal */
    bool keyboard;
    struct winsize size;
    struct timer look;
};

static void on_signal(void *arg)
{
    struct top *t = arg;
    t->stop = true;
    uv_env_stop(t->r->uv);
}

static void run(struct top *t) { uv_env_run(t->r->uv, on_signal, t); }
static unsigned round_ms(const struct top *t) { return MIN(MAX(t->r->flags.interval_ms, 500u), (unsigned)ROUND_MAX_MS); }

/* --- seats: a connection per member --- */

static void seat_closed(void *arg)
{
    struct seat *s = arg;
    s->client = NULL;
    s->closing = false;
    s->address[0] = '\0';
    uv_env_stop(s->top->r->uv);
}

static void seat_close(struct seat *s)
{
    if (s->client == NULL || s->closing)
        return;
    s->closing = true;
    store_client_close(s->client, seat_closed, s);
}

static struct seat *seat_of(struct top *t, const char *address)
{
    struct seat *open = NULL;
    for (size_t i = 0; i < TOP_MEMBERS_MAX; i++) {
        struct seat *s = &t->seats[i];
        if (s->client != NULL && !s->closing && strcmp(s->address, address) == 0)
            return s;
        open = s->client == NULL && open == NULL ? s : open;
    }
    if (open == NULL)
        return NULL; /* those that left are not gone yet: in the next round */
    const char *endpoint = open->address;
    *open = (struct seat){.top = t};
    (void)snprintf(open->address, sizeof open->address, "%s", address);
    open->client = store_client_new(t->r->env, &(struct store_client_options){.endpoints = &endpoint, .endpoint_count = 1, .pinned = true, .tls = t->r->tls});
    return open;
}

/* --- a round --- */

static void call_over(struct seat *s)
{
    if (--s->top->busy == 0)
        uv_env_stop(s->top->r->uv);
}

static void say_why(struct top_member *m, const struct err *why) { (void)snprintf(m->why, sizeof m->why, "%.*s", TOP_TEXT_MAX - 1, why->message); }

static void read_done(struct store_call *call, int status, const struct err *why)
{
    struct seat *s = container_of(call, struct seat, call);
    s->member->read_s = status != 0 ? -1 : (double)(clock_monotonic_ns(&s->top->r->env->clock) - s->began_ns) / 1e9;
    if (status != 0)
        say_why(s->member, why);
    call_over(s);
}

static void status_done(struct store_call *call, int status, const struct err *why)
{
    struct seat *s = container_of(call, struct seat, call);
    struct top_member *m = s->member;
    if (status != 0) {
        say_why(m, why);
        call_over(s);
        return;
    }
    m->state = TOP_ANSWERS;
    m->header = call->header;
    m->id = call->header.member_id;
    m->status = call->status;
    s->call = (struct store_call){.done = read_done};
    s->began_ns = clock_monotonic_ns(&s->top->r->env->clock);
    store_member_list(s->client, &s->call, false, round_ms(s->top)); /* a round as for any read, and no key that it might not read */
}

static void ask(struct top *t, struct seat *s, struct top_member *m)
{
    s->member = m;
    t->busy++;
    s->call = (struct store_call){.done = status_done};
    store_status(s->client, &s->call, round_ms(t));
}

static struct top_member *member_add(struct top_view *v, const char *address)
{
    struct top_member *m = &v->members[v->count++];
    *m = (struct top_member){.state = TOP_SILENT, .writes_per_s = -1, .read_s = -1};
    (void)snprintf(m->address, sizeof m->address, "%.*s", TOP_TEXT_MAX - 1, address);
    return m;
}

static void keep_members(struct rsctl *r, struct store_call *call)
{
    struct top *t = r->verb_data;
    struct top_view *v = &t->views[!t->view];
    v->count = 0;
    t->listed = true;
    for (size_t i = 0; i < MIN(call->members.count, (size_t)TOP_MEMBERS_MAX); i++) {
        const struct store_member *from = &call->members.members[i];
        struct arena a = {0};
        struct top_member *m = member_add(v, arena_strdup(&a, from->client_address));
        m->id = from->id;
        (void)snprintf(m->name, sizeof m->name, "%.*s", (int)MIN(from->name.size, sizeof m->name - 1), from->name.data == NULL ? "" : from->name.data);
        m->state = from->client_address.size == 0 ? TOP_UNSTARTED : TOP_SILENT;
        arena_clear(&a);
    }
}

/* Who is there: by the list; else as it was; else the endpoints. */
static void find_members(struct top *t)
{
    struct top_view *v = &t->views[!t->view];
    const struct top_view *last = &t->views[t->view];
    struct rsctl_call c;
    bool canceled = false;
    v->count = 0;
    rsctl_call_init(&c, t->r, keep_members);
    store_member_list(rsctl_client(t->r), &c.call, true, round_ms(t));
    while (!c.done) {
        run(t);
        if (!c.done && t->stop && !canceled)
            store_cancel(rsctl_client(t->r), &c.call);
        canceled |= t->stop;
    }
    for (size_t i = 0; c.status != 0 && t->listed && i < last->count; i++) {
        struct top_member *m = member_add(v, last->members[i].address);
        m->id = last->members[i].id;
        memcpy(m->name, last->members[i].name, sizeof m->name);
        m->state = last->members[i].state == TOP_UNSTARTED ? TOP_UNSTARTED : TOP_SILENT;
    }
    for (size_t i = 0; c.status != 0 && !t->listed && i < t->r->endpoint_count; i++)
        (void)member_add(v, t->r->endpoints[i]);
}

static void ask_members(struct top *t)
{
    struct top_view *v = &t->views[!t->view];
    for (size_t i = 0; i < TOP_MEMBERS_MAX; i++)
        t->seats[i].wanted = false;
    for (size_t i = 0; i < v->count; i++) {
        struct seat *s = v->members[i].state == TOP_UNSTARTED ? NULL : seat_of(t, v->members[i].address);
        if (s == NULL || s->wanted)
            continue;
        s->wanted = true;
        ask(t, s, &v->members[i]);
    }
    for (size_t i = 0; i < TOP_MEMBERS_MAX; i++)
        if (!t->seats[i].wanted)
            seat_close(&t->seats[i]);
}

/* Cut short by a signal, the view stays unused. */
static void sample(struct top *t)
{
    find_members(t);
    if (t->stop)
        return;
    ask_members(t);
    while (t->busy > 0 && !t->stop)
        run(t);
    if (t->stop)
        return; /* the calls end with their clients */
    struct top_view *v = &t->views[!t->view];
    v->wall_ms = clock_wall_ms(&t->r->env->clock);
    v->interval_s = t->r->flags.interval_ms / 1000.0;
    top_sum(v, t->rounds > 0 ? &t->views[t->view] : NULL);
    t->view = !t->view;
    t->rounds++;
}

/* --- the terminal --- */

static void terminal_enter(struct top *t)
{
    if (!t->terminal)
        return;
    buf_append_str(&t->r->out, "\033[?1049h\033[?25l\033[2J"); /* the other screen, no cursor */
    rsctl_flush(t->r);
    t->keyboard = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (!t->keyboard)
        return;
    struct termios raw = t->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = raw.c_cc[VQUIT] = _POSIX_VDISABLE; /* neither leaves the terminal as it was */
    t->keyboard = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void terminal_leave(struct top *t)
{
    if (!t->terminal)
        return;
    if (t->keyboard)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before); /* it may be gone, and we end */
    buf_append_str(&t->r->out, "\033[?25h\033[?1049l");
    rsctl_flush(t->r);
}

static void draw(struct top *t)
{
    const struct top_view *v = &t->views[t->view];
    struct top_screen screen = {.terminal = t->terminal};
    if (t->r->format == RSCTL_JSON) {
        top_print_json(v, &t->r->out);
    } else if (t->terminal) {
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &t->size) == 0) {
            screen.width = t->size.ws_col > 1 ? t->size.ws_col - 1u : 0; /* a line to the last column would be wiped of its end */
            screen.height = t->size.ws_row;
        }
        buf_append_str(&t->r->out, "\033[H");
        top_print(v, &screen, &t->r->out);
        buf_append_str(&t->r->out, "\033[J"); /* nothing of a longer frame stays */
    } else {
        if (t->drawn_once)
            buf_append_char(&t->r->out, '\n');
        top_print(v, &screen, &t->r->out);
    }
    t->drawn_once = true;
    rsctl_flush(t->r);
    if (t->r->exit_code != RSCTL_OK)
        t->stop = true; /* nobody reads any more */
}

static void on_look(struct timer *l)
{
    struct top *t = container_of(l, struct top, look);
    struct winsize size;
    char key;
    while (t->keyboard && read(STDIN_FILENO, &key, 1) == 1)
        t->stop |= key == 'q';
    if (t->terminal && t->rounds > 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        (size.ws_col != t->size.ws_col || size.ws_row != t->size.ws_row))
        draw(t);
    loop_timer_start(&t->r->env->loop, l, LOOK_MS);
    uv_env_stop(t->r->uv);
}

static void wait_until(struct top *t, uint64_t deadline_ms)
{
    while (!t->stop && clock_monotonic_ms(&t->r->env->clock) < deadline_ms) {
        uint64_t rest = deadline_ms - clock_monotonic_ms(&t->r->env->clock);
        if (rest < LOOK_MS)
            loop_timer_start(&t->r->env->loop, &t->look, rest);
        run(t);
    }
}

/* --- the verb --- */

static bool anybody(const struct top_view *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->members[i].state == TOP_ANSWERS)
            return true;
    return false;
}

static int show(struct top *t)
{
    unsigned wanted = t->r->flags.once ? 2 : 0; /* rates want two samples */
    while (!t->stop) {
        uint64_t next_ms = clock_monotonic_ms(&t->r->env->clock) + t->r->flags.interval_ms;
        sample(t);
        if (t->stop)
            break;
        if (wanted > 0 && !anybody(&t->views[t->view]))
            return rsctl_complain(ERR_CONNECT, t->views[t->view].count > 0 ? t->views[t->view].members[0].why : "there are no members");
        if (wanted == 0 || t->rounds == wanted)
            draw(t);
        if (wanted > 0 && t->rounds == wanted)
            break;
        wait_until(t, next_ms);
    }
    return RSCTL_OK;
}

static void close_seats(struct top *t)
{
    for (size_t i = 0; i < TOP_MEMBERS_MAX; i++)
        seat_close(&t->seats[i]);
    for (size_t i = 0; i < TOP_MEMBERS_MAX; i++)
        while (t->seats[i].client != NULL)
            run(t);
}

int rsctl_top(struct rsctl *r)
{
    struct top t = {.r = r, .terminal = !r->flags.once && r->format != RSCTL_JSON && isatty(STDOUT_FILENO)};
    if (r->argument_count > 0)
        return rsctl_usage("top takes no arguments, got \"%s\"", r->arguments[0]);
    if (r->flags.interval_ms < INTERVAL_MIN_MS || r->flags.interval_ms > INTERVAL_MAX_MS)
        return rsctl_usage("--interval must be 100ms to 1h");
    r->verb_data = &t;
    timer_init(&t.look, on_look);
    loop_timer_start(&r->env->loop, &t.look, LOOK_MS);
    terminal_enter(&t);
    int code = show(&t);
    loop_timer_stop(&r->env->loop, &t.look);
    close_seats(&t);
    terminal_leave(&t);
    return code;
}
