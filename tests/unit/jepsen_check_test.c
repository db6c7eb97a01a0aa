/* The checkers on histories known to be wrong, each anomaly planted once, and on good ones, large ones too. */
#include "tests/test.h"

#include "common/random.h"
#include "jepsen/check.h"

#include <stdio.h>

#define I(process, f, ...) "{:process " #process " :type :invoke :f :" #f " :value " #__VA_ARGS__ "}\n"
#define O(process, f, ...) "{:process " #process " :type :ok :f :" #f " :value " #__VA_ARGS__ "}\n"
#define F(process, f, ...) "{:process " #process " :type :fail :f :" #f " :value " #__VA_ARGS__ "}\n"
#define U(process, f, ...) "{:process " #process " :type :info :f :" #f " :value " #__VA_ARGS__ "}\n"
/* The same at a time in milliseconds. */
#define IT(ms, process, f, ...) "{:time " #ms "000000 :process " #process " :type :invoke :f :" #f " :value " #__VA_ARGS__ "}\n"
#define OT(ms, process, f, ...) "{:time " #ms "000000 :process " #process " :type :ok :f :" #f " :value " #__VA_ARGS__ "}\n"
#define UT(ms, process, f, ...) "{:time " #ms "000000 :process " #process " :type :info :f :" #f " :value " #__VA_ARGS__ "}\n"

struct planted {
    const char *anomaly; /* NULL: none */
    enum verdict verdict;
    const char *text;
};

static void judge(const char *workload, const struct planted *p)
{
    struct history h = {0};
    struct report r = {0};
    struct buf out = {0};
    assert_ok(history_read(&h, slice_str(p->text), NULL));
    check_history(check_find(workload), &h, &(struct check_options){.steps_max = 1000000}, &r);
    report_print(&r, workload, &out);
    if (r.verdict != p->verdict || (p->anomaly != NULL && (report_count(&r, p->anomaly) == 0 ||
                                                              (r.kind_count != 1 && strcmp(p->anomaly, "gap") != 0))) /* a gap shows in more ways */)
        fail_msg("wanted %s, got:\n%s\nof:\n%s", p->anomaly == NULL ? "no anomaly" : p->anomaly, out.data, p->text);
    report_release(&r);
    history_release(&h);
    buf_release(&out);
}

#define JUDGE(workload, cases)                        \
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)     \
    judge(workload, &(cases)[i])

static void registers(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, I(0, read, [1 nil]) O(0, read, [1 nil]) I(0, write, [1 5]) O(0, write, [1 5]) I(1, cas, [1 [5 6]])
         O(1, cas, [1 [5 6]]) I(0, cas, [1 [5 7]]) F(0, cas, [1 [5 7]]) I(1, read, [1 nil]) O(1, read, [1 6])},
        /* an unknown write may happen late, or never, but only once */
        {NULL, VERDICT_VALID, I(0, write, [1 5]) U(0, write, [1 5]) I(1, write, [1 6]) O(1, write, [1 6]) I(1, read, [1 nil]) O(1, read, [1 6])
         I(1, read, [1 nil]) O(1, read, [1 5])},
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) U(0, write, [1 5]) I(1, read, [1 nil]) O(1, read, [1 5]) I(1, write, [1 6])
         O(1, write, [1 6]) I(1, read, [1 nil]) O(1, read, [1 5])},
        /* stale read */
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) O(0, write, [1 5]) I(0, write, [1 6]) O(0, write, [1 6]) I(1, read, [1 nil])
         O(1, read, [1 5])},
        /* lost write */
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) O(0, write, [1 5]) I(1, read, [1 nil]) O(1, read, [1 nil])},
        /* a failed write seen */
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) F(0, write, [1 5]) I(1, read, [1 nil]) O(1, read, [1 5])},
        /* two compare-and-sets from the same value */
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) O(0, write, [1 5]) I(0, cas, [1 [5 6]]) I(1, cas, [1 [5 7]]) O(0, cas, [1 [5 6]])
         O(1, cas, [1 [5 7]])},
        /* a read goes back while a write is under way: seen, then not seen */
        {"nonlinearizable", VERDICT_INVALID, I(0, write, [1 5]) O(0, write, [1 5]) I(0, write, [1 6]) I(1, read, [1 nil]) O(1, read, [1 6])
         I(1, read, [1 nil]) O(1, read, [1 5]) O(0, write, [1 6])},
        /* keys are apart */
        {NULL, VERDICT_VALID, I(0, write, [1 5]) O(0, write, [1 5]) I(0, write, [2 6]) O(0, write, [2 6]) I(1, read, [1 nil]) O(1, read, [1 5])},
        {NULL, VERDICT_UNKNOWN, I(0, jump, [1 5]) O(0, jump, [1 5])},
        {NULL, VERDICT_UNKNOWN, I(0, read, [1 nil]) U(0, read, [1 nil])},
        {NULL, VERDICT_UNKNOWN, ""},
    };
    (void)state;
    JUDGE("register", cases);
}

static void appends(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, I(0, txn, [[:append 1 1] [:r 1 nil]]) O(0, txn, [[:append 1 1] [:r 1 [1]]]) I(1, txn, [[:append 1 2]])
         U(1, txn, [[:append 1 2]]) I(0, txn, [[:r 1 nil] [:append 2 3]]) O(0, txn, [[:r 1 [1 2]] [:append 2 3]])},
        {"G1a", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) F(0, txn, [[:append 1 1]]) I(0, txn, [[:r 1 nil]]) O(0, txn, [[:r 1 [1]]])},
        {"G1b", VERDICT_INVALID, I(0, txn, [[:append 1 1] [:append 1 2]]) I(1, txn, [[:r 1 nil]]) O(1, txn, [[:r 1 [1]]])
         U(0, txn, [[:append 1 1] [:append 1 2]])},
        {"internal", VERDICT_INVALID, I(0, txn, [[:append 1 1] [:r 1 nil]]) I(1, txn, [[:append 1 2]]) O(1, txn, [[:append 1 2]])
         O(0, txn, [[:append 1 1] [:r 1 [1 2]]])},
        {"internal", VERDICT_INVALID, I(1, txn, [[:append 1 2]]) I(0, txn, [[:r 1 nil] [:r 1 nil]]) O(0, txn, [[:r 1 []] [:r 1 [2]]])
         U(1, txn, [[:append 1 2]])},
        {"garbage", VERDICT_INVALID, I(0, txn, [[:r 1 nil]]) O(0, txn, [[:r 1 [9]]])},
        {"duplicate-elements", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]]) I(0, txn, [[:r 1 nil]])
         O(0, txn, [[:r 1 [1 1]]])},
        {"incompatible-order", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) I(1, txn, [[:append 1 2]]) I(2, txn, [[:r 1 nil]])
         I(3, txn, [[:r 1 nil]]) O(2, txn, [[:r 1 [1]]]) O(3, txn, [[:r 1 [2]]]) U(0, txn, [[:append 1 1]]) U(1, txn, [[:append 1 2]])},
        /* two transactions append to two keys in different orders */
        {"G0", VERDICT_INVALID, I(0, txn, [[:append 1 1] [:append 2 1]]) I(1, txn, [[:append 1 2] [:append 2 2]]) O(0, txn, [[:append 1 1] [:append 2 1]])
         O(1, txn, [[:append 1 2] [:append 2 2]]) I(0, txn, [[:r 1 nil] [:r 2 nil]]) O(0, txn, [[:r 1 [1 2]] [:r 2 [2 1]]])},
        /* each sees what the other wrote */
        {"G1c", VERDICT_INVALID, I(0, txn, [[:append 1 1] [:r 2 nil]]) I(1, txn, [[:append 2 1] [:r 1 nil]]) O(0, txn, [[:append 1 1] [:r 2 [1]]])
         O(1, txn, [[:append 2 1] [:r 1 [1]]])},
        /* read skew: it sees one of the two appends of a transaction */
        {"G-single", VERDICT_INVALID, I(0, txn, [[:append 1 1] [:append 2 1]]) I(1, txn, [[:r 1 nil] [:r 2 nil]]) O(0, txn, [[:append 1 1] [:append 2 1]])
         O(1, txn, [[:r 1 [1]] [:r 2 []]]) I(2, txn, [[:r 2 nil]]) O(2, txn, [[:r 2 [1]]])},
        /* write skew: neither sees the other */
        {"G2", VERDICT_INVALID, I(0, txn, [[:r 1 nil] [:append 2 1]]) I(1, txn, [[:r 2 nil] [:append 1 1]]) O(0, txn, [[:r 1 []] [:append 2 1]])
         O(1, txn, [[:r 2 []] [:append 1 1]])},
        /* ordered against time */
        {"G0-realtime", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]]) I(0, txn, [[:append 1 2]]) O(0, txn, [[:append 1 2]])
         I(1, txn, [[:r 1 nil]]) O(1, txn, [[:r 1 [2 1]]])},
        /* a value read before the transaction that read it... its writer begins after the reader has ended */
        {"G1c-realtime", VERDICT_INVALID, I(0, txn, [[:r 1 nil]]) O(0, txn, [[:r 1 [1]]]) I(1, txn, [[:append 1 1]]) O(1, txn, [[:append 1 1]])},
        /* stale read */
        {"G-single-realtime", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]]) I(1, txn, [[:r 1 nil]]) O(1, txn, [[:r 1 []]])
         I(1, txn, [[:r 1 nil]]) O(1, txn, [[:r 1 [1]]])},
        /* lost append: acknowledged, never seen again */
        {"G0-realtime", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]]) I(1, txn, [[:append 1 2]]) O(1, txn, [[:append 1 2]])
         I(1, txn, [[:r 1 nil]]) O(1, txn, [[:r 1 [2]]])},
        /* two readers disagree about the order of two independent appends (a long fork), through time */
        {"G2", VERDICT_INVALID, I(0, txn, [[:append 1 1]]) I(1, txn, [[:append 2 1]]) I(2, txn, [[:r 1 nil] [:r 2 nil]]) I(3, txn, [[:r 1 nil] [:r 2 nil]])
         O(2, txn, [[:r 1 [1]] [:r 2 []]]) O(3, txn, [[:r 1 []] [:r 2 [1]]]) O(0, txn, [[:append 1 1]]) O(1, txn, [[:append 2 1]])},
        {"G2-realtime", VERDICT_INVALID, I(4, txn, [[:r 1 nil] [:r 2 nil]]) I(0, txn, [[:append 1 1]]) I(1, txn, [[:append 2 1]]) I(2, txn, [[:r 1 nil]])
         O(2, txn, [[:r 1 [1]]]) I(3, txn, [[:r 2 nil]]) O(3, txn, [[:r 2 []]]) O(0, txn, [[:append 1 1]]) O(1, txn, [[:append 2 1]])
         O(4, txn, [[:r 1 []] [:r 2 [1]]])},
        {NULL, VERDICT_UNKNOWN, I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]]) I(0, txn, [[:append 1 1]]) O(0, txn, [[:append 1 1]])},
        {NULL, VERDICT_UNKNOWN, I(0, txn, [[:inc 1 1]]) O(0, txn, [[:inc 1 1]])},
    };
    (void)state;
    JUDGE("append", cases);
}

static void sets(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, I(0, add, [1 1]) O(0, add, [1 1]) I(1, add, [1 2]) U(1, add, [1 2]) I(0, read, [1 nil]) O(0, read, [1 [2 1]])},
        {"lost", VERDICT_INVALID, I(0, add, [1 1]) O(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1]]) I(0, read, [1 nil]) O(0, read, [1 []])},
        /* known by a read only */
        {"lost", VERDICT_INVALID, I(1, add, [1 1]) U(1, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1]]) I(0, read, [1 nil]) O(0, read, [1 []])},
        {"stale", VERDICT_INVALID, I(0, add, [1 1]) O(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 []]) I(0, read, [1 nil]) O(0, read, [1 [1]])},
        {"unexpected", VERDICT_INVALID, I(0, add, [1 1]) O(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1 7]])},
        {"unexpected", VERDICT_INVALID, I(0, read, [1 nil]) O(0, read, [1 [1]]) I(0, add, [1 1]) O(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1]])},
        {"aborted", VERDICT_INVALID, I(0, add, [1 1]) F(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1]])},
        {"duplicated", VERDICT_INVALID, I(0, add, [1 1]) O(0, add, [1 1]) I(0, read, [1 nil]) O(0, read, [1 [1 1]])},
        {NULL, VERDICT_UNKNOWN, I(0, add, [1 1]) O(0, add, [1 1])},
        {NULL, VERDICT_UNKNOWN, I(0, add, [1 :x]) O(0, add, [1 :x])},
    };
    (void)state;
    JUDGE("set", cases);
}

/* Two writes, revisions 2 and 3: key 1 becomes 10, then 11 together with key 2 = 20. */
#define WROTE I(0, write, [[:put 1 10]]) O(0, write, {:revision 2 :ops [[:put 1 10]]}) \
    I(0, write, [[:put 1 11] [:put 2 20]]) O(0, write, {:revision 3 :ops [[:put 1 11] [:put 2 20]]})
#define SAW(process, a, b, ...) I(process, watch, {:from a}) O(process, watch, {:from a :to b :log __VA_ARGS__})

static void watches(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])
         SAW(2, 3, 3, [[3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])},
        {NULL, VERDICT_VALID, WROTE I(0, write, [[:delete 1] [:delete 5]]) O(0, write, {:revision 4 :ops [[:delete 1 1] [:delete 5 0]]})
         SAW(1, 1, 4, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]] [4 [[:delete 1 11 3]]]])},
        {"gap", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])},
        {"gap", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])
         SAW(2, 2, 3, [[2 [[:put 1 10 1 nil 0]]]])},
        {"duplicate", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [2 [[:put 1 10 1 nil 0]]]
         [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])},
        {"out-of-order", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]
         [2 [[:put 1 10 1 nil 0]]]])},
        {"early", VERDICT_INVALID, WROTE SAW(1, 3, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])},
        /* a part of a revision: not atomic */
        {"different-events", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])
         SAW(2, 3, 3, [[3 [[:put 2 20 1 nil 0]]]])},
        {"wrong-events", VERDICT_INVALID, I(0, write, [[:put 1 10] [:put 2 20]]) O(0, write, {:revision 2 :ops [[:put 1 10] [:put 2 20]]})
         SAW(1, 1, 2, [[2 [[:put 1 10 1 nil 0]]]])},
        {"garbage", VERDICT_INVALID, SAW(1, 1, 2, [[2 [[:put 1 10 1 nil 0]]]])},
        {"aborted", VERDICT_INVALID, I(0, write, [[:put 1 10]]) F(0, write, [[:put 1 10]]) SAW(1, 1, 2, [[2 [[:put 1 10 1 nil 0]]]])},
        {"twice", VERDICT_INVALID, I(0, write, [[:put 1 10]]) U(0, write, [[:put 1 10]])
         SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 10 2 10 2]]]])},
        {"wrong-prev", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 2 9 2] [:put 2 20 1 nil 0]]]])},
        {"wrong-prev", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 3 10 2] [:put 2 20 1 nil 0]]]])},
        {"wrong-prev", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 nil 0]]] [3 [[:put 1 11 1 nil 0] [:put 2 20 1 nil 0]]]])},
        {"wrong-prev", VERDICT_INVALID, WROTE SAW(1, 1, 3, [[2 [[:put 1 10 1 8 1]]] [3 [[:put 1 11 2 10 2] [:put 2 20 1 nil 0]]]])},
        {"revision-order", VERDICT_INVALID, I(0, write, [[:put 1 10]]) O(0, write, {:revision 3 :ops [[:put 1 10]]})
         I(0, write, [[:put 2 11]]) O(0, write, {:revision 2 :ops [[:put 2 11]]}) SAW(1, 1, 3, [[2 [[:put 2 11 1 nil 0]]] [3 [[:put 1 10 1 nil 0]]]])},
        {NULL, VERDICT_UNKNOWN, WROTE},
        {NULL, VERDICT_UNKNOWN, WROTE SAW(1, 1, 3, [[2 [[:put 1]]]])},
    };
    (void)state;
    JUDGE("watch", cases);
}

#define LEASE IT(0, 0, grant, [1 1000]) OT(10, 0, grant, [1 1000]) IT(20, 0, attach, [1 7]) OT(30, 0, attach, [1 7])

static void leases(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, LEASE IT(500, 0, keepalive, [1 nil]) OT(510, 0, keepalive, [1 true]) IT(1400, 0, read, [7 nil]) OT(1410, 0, read, [7 true])
         IT(1600, 0, read, [7 nil]) OT(1610, 0, read, [7 false])},
        {"early-expiry", VERDICT_INVALID, LEASE IT(900, 0, read, [7 nil]) OT(910, 0, read, [7 false])},
        {"early-expiry", VERDICT_INVALID, LEASE IT(500, 0, keepalive, [1 nil]) OT(510, 0, keepalive, [1 true]) IT(1400, 0, keepalive, [1 nil])
         OT(1410, 0, keepalive, [1 false])},
        /* seen there all the time, so that the store was not silent */
        {"late-expiry", VERDICT_INVALID, LEASE IT(400, 0, read, [7 nil]) OT(410, 0, read, [7 true]) IT(800, 0, read, [7 nil]) OT(810, 0, read, [7 true])
         IT(1200, 0, read, [7 nil]) OT(1210, 0, read, [7 true]) IT(1600, 0, read, [7 nil]) OT(1610, 0, read, [7 true])},
        /* the store was silent for longer than that */
        {NULL, VERDICT_VALID, LEASE IT(1600, 0, read, [7 nil]) OT(1610, 0, read, [7 true])},
        /* revoked */
        {NULL, VERDICT_VALID, LEASE IT(40, 0, revoke, [1]) UT(50, 0, revoke, [1]) IT(60, 1, read, [7 nil]) OT(70, 1, read, [7 false])},
        /* a renewal that may come at any time */
        {NULL, VERDICT_VALID, LEASE IT(40, 1, keepalive, [1 nil]) UT(50, 1, keepalive, [1 nil]) IT(400, 0, read, [7 nil]) OT(410, 0, read, [7 true])
         IT(800, 0, read, [7 nil]) OT(810, 0, read, [7 true]) IT(1200, 0, read, [7 nil]) OT(1210, 0, read, [7 true]) IT(1600, 0, read, [7 nil])
         OT(1610, 0, read, [7 true])},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct history h = {0};
        struct report r = {0};
        assert_ok(history_read(&h, slice_str(cases[i].text), NULL));
        check_history(&checker_lease, &h, &(struct check_options){.late_ms = 300}, &r);
        assert_int_equal(r.verdict, cases[i].verdict);
        assert_true(cases[i].anomaly == NULL || report_count(&r, cases[i].anomaly) == 1);
        report_release(&r);
        history_release(&h);
    }
}

static void locks(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 1000]) IT(20, 0, write, [1 5 1]) OT(30, 0, write, [1 5 1])
         IT(40, 0, release, [1 5]) OT(50, 0, release, [1 5]) IT(60, 1, acquire, [1 nil]) OT(70, 1, acquire, [1 8 1000])},
        /* its time was over: another one may have it */
        {NULL, VERDICT_VALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 1000]) IT(1060, 1, acquire, [1 nil]) OT(1070, 1, acquire, [1 8 1000])},
        {"two-holders", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 1000]) IT(60, 1, acquire, [1 nil])
         OT(70, 1, acquire, [1 8 1000])},
        {"two-holders", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 1000]) IT(900, 0, renew, [1 5]) OT(910, 0, renew, [1 5])
         IT(1060, 1, acquire, [1 nil]) OT(1070, 1, acquire, [1 8 1000])},
        {"token-order", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 10]) IT(60, 1, acquire, [1 nil]) OT(70, 1, acquire, [1 4 10])},
        {"token-order", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 10]) IT(60, 1, acquire, [1 nil]) OT(70, 1, acquire, [1 5 10])},
        {"fencing", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 10]) IT(60, 1, acquire, [1 nil]) OT(70, 1, acquire, [1 8 10])
         IT(80, 1, write, [1 8 1]) OT(90, 1, write, [1 8 1]) IT(100, 0, write, [1 5 2]) OT(110, 0, write, [1 5 2])},
        {"forged", VERDICT_INVALID, IT(0, 0, acquire, [1 nil]) OT(10, 0, acquire, [1 5 10]) IT(20, 1, write, [1 6 1]) OT(30, 1, write, [1 6 1])},
        {NULL, VERDICT_UNKNOWN, IT(0, 0, write, [1 5 1]) UT(5, 0, write, [1 5 1])},
    };
    static const struct planted elections[] = {
        {NULL, VERDICT_VALID, IT(0, 0, campaign, [1 nil]) OT(10, 0, campaign, [1 5 10]) IT(20, 0, proclaim, [1 5 1]) OT(30, 0, proclaim, [1 5 1])
         IT(40, 1, observe, [1 nil]) OT(50, 1, observe, [1 5 1])},
        {"leader-order", VERDICT_INVALID, IT(0, 0, campaign, [1 nil]) OT(10, 0, campaign, [1 5 10]) IT(20, 1, observe, [1 nil]) OT(30, 1, observe, [1 8 1])
         IT(40, 1, observe, [1 nil]) OT(50, 1, observe, [1 5 1])},
    };
    (void)state;
    JUDGE("lock", cases);
    JUDGE("election", elections);
}

#define MADE I(0, create, [1 10 nil nil]) O(0, create, [1 10 nil 5])

static void objects(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, MADE I(1, update, [1 11 5 nil]) I(0, get, [1 nil nil]) O(1, update, [1 11 5 7]) O(0, get, [1 10 5])
         I(0, update, [1 12 5 nil]) F(0, update, [1 12 5 nil]) I(2, watch, [5 nil]) O(2, watch, [5 [[1 11 7]]]) I(0, get, [2 nil nil]) O(0, get, [2 nil nil])},
        /* an update whose outcome is unknown stands between */
        {NULL, VERDICT_VALID, MADE I(1, update, [1 11 5 nil]) U(1, update, [1 11 5 nil]) I(0, update, [1 12 6 nil]) O(0, update, [1 12 6 7])},
        {"lost-update", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) O(0, update, [1 11 5 7]) I(0, update, [1 12 5 nil]) O(0, update, [1 12 5 8])},
        {"stale-read", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) O(0, update, [1 11 5 7]) I(1, get, [1 nil nil]) O(1, get, [1 10 5])},
        {"stale-read", VERDICT_INVALID, MADE I(0, get, [1 nil nil]) O(0, get, [1 nil nil])},
        {"wrong-value", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) U(0, update, [1 11 5 nil]) I(1, get, [1 nil nil]) O(1, get, [1 11 5])},
        {"wrong-value", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) O(0, update, [1 11 5 7]) I(0, create, [2 12 nil nil]) O(0, create, [2 12 nil 7])},
        {"garbage", VERDICT_INVALID, MADE I(1, get, [1 nil nil]) O(1, get, [1 77 6])},
        {"aborted", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) F(0, update, [1 11 5 nil]) I(1, get, [1 nil nil]) O(1, get, [1 11 6])},
        {"watch-order", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) O(0, update, [1 11 5 7]) I(2, watch, [1 nil]) O(2, watch, [1 [[1 10 5] [1 10 5] [1 11 7]]])},
        {"watch-gap", VERDICT_INVALID, MADE I(0, update, [1 11 5 nil]) O(0, update, [1 11 5 7]) I(2, watch, [1 nil]) O(2, watch, [1 [[1 11 7]]])},
        {NULL, VERDICT_UNKNOWN, I(0, get, [1]) O(0, get, [1])},
    };
    (void)state;
    JUDGE("api", cases);
}

#define FD(process, f, ...) "{:process " #process " :type :fail :f :" #f " :value " #__VA_ARGS__ " :error \"denied: no\"}\n"
/* Texts at once: an argument that is passed on is expanded first, and `true` is a macro. */
#define DONE(process, f, ...) \
    "{:process " #process " :type :invoke :f :" #f " :value " #__VA_ARGS__ "}\n{:process " #process " :type :ok :f :" #f " :value " #__VA_ARGS__ "}\n"
#define DENIED(process, f, ...) I(process, f, __VA_ARGS__) FD(process, f, __VA_ARGS__)
/* 0 may read and write area 0, 1 may write area 1 only, 2 may read both. */
#define ROLES DONE(0, roles, [0 0 true true]) DONE(0, roles, [1 1 false true]) DONE(0, roles, [2 0 true false]) DONE(0, roles, [2 1 true false])
#define READ(process, who, area, ...) I(process, read, [who area 0 nil]) O(process, read, [who area 0 [__VA_ARGS__]])

static void access_by_roles(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, ROLES DONE(0, write, [0 [[0 0 5]] :prev]) DENIED(0, write, [0 [[0 0 6] [1 0 7]] :put]) DONE(1, write, [1 [[1 0 8]] :put])
         DENIED(1, write, [1 [[1 0 9]] :prev]) DENIED(1, peek, [1 1]) DONE(2, peek, [2 1]) DENIED(0, compact, [0]) DENIED(1, read, [1 1 0 nil])
         READ(2, 2, 0, 5) READ(2, 2, 1, 8) DONE(0, delete, [0 0 0 5]) READ(2, 2, 0)},
        /* a write with an unknown outcome, a delete under way, a value that comes before its acknowledgement */
        {NULL, VERDICT_VALID, ROLES I(0, write, [0 [[0 0 5]] :put]) READ(2, 2, 0, 5) U(0, write, [0 [[0 0 5]] :put]) I(3, delete, [0 0 0 5]) READ(2, 2, 0)
         READ(2, 2, 0, 5) O(3, delete, [0 0 0 5]) READ(2, 2, 0)},
        /* the same number elsewhere is another key */
        {NULL, VERDICT_VALID, ROLES DONE(0, write, [0 [[0 0 5]] :put]) DONE(1, delete, [1 1 0 5]) READ(2, 2, 0, 5)},
        {"executed", VERDICT_INVALID, ROLES DONE(1, write, [1 [[0 0 5]] :put]) READ(2, 2, 0)},
        {"executed", VERDICT_INVALID, ROLES DENIED(1, write, [1 [[0 0 5]] :put]) READ(2, 2, 0, 5)},
        /* half of a transaction that was refused as a whole, seen before it is refused */
        {"executed", VERDICT_INVALID, ROLES I(1, write, [1 [[0 0 5] [1 0 6]] :put]) READ(2, 2, 1, 6) FD(1, write, [1 [[0 0 5] [1 0 6]] :put]) READ(2, 2, 0) READ(2, 2, 1)},
        {"executed", VERDICT_INVALID, ROLES DONE(0, compact, [0])},
        {"leaked", VERDICT_INVALID, ROLES READ(1, 1, 1)},
        {"leaked", VERDICT_INVALID, ROLES I(1, watch, [1 0 0 nil]) O(1, watch, [1 0 0 []])},
        {"leaked", VERDICT_INVALID, ROLES DONE(1, peek, [1 0])},
        {"refused", VERDICT_INVALID, ROLES DENIED(0, write, [0 [[0 0 5]] :put]) READ(2, 2, 0)},
        {"refused", VERDICT_INVALID, ROLES DONE(1, write, [1 [[1 0 5]] :put]) DENIED(2, read, [2 1 0 nil])},
        {"vanished", VERDICT_INVALID, ROLES DONE(0, write, [0 [[0 0 5]] :put]) DENIED(1, delete, [1 0 0 5]) READ(2, 2, 0)},
        {"stale", VERDICT_INVALID, ROLES DONE(0, write, [0 [[0 0 5]] :put]) DONE(0, delete, [0 0 0 5]) READ(2, 2, 0, 5)},
        {"garbage", VERDICT_INVALID, ROLES READ(2, 2, 0, 7)},
        {"garbage", VERDICT_INVALID, ROLES DONE(0, write, [0 [[0 0 5]] :put]) I(2, watch, [2 1 0 nil]) O(2, watch, [2 1 0 [5]])},
        {"aborted", VERDICT_INVALID, ROLES I(0, write, [0 [[0 0 5]] :put]) F(0, write, [0 [[0 0 5]] :put]) READ(2, 2, 0, 5)},
        /* nobody looked */
        {NULL, VERDICT_UNKNOWN, ROLES READ(2, 2, 0) DENIED(1, write, [1 [[0 0 5]] :put])},
        {NULL, VERDICT_UNKNOWN, ROLES DONE(0, write, [0 [[0 0 5]] :put]) DONE(0, write, [0 [[0 0 5]] :put])},
        {NULL, VERDICT_UNKNOWN, ROLES DONE(0, write, [0 [[0 0]] :put])},
        {NULL, VERDICT_UNKNOWN, ROLES DONE(99, read, [99 0 0])},
    };
    (void)state;
    JUDGE("access", cases);
}

#define ASK(process, ...) I(process, ask, [0 1 0 nil]) "{:process " #process " :type :ok :f :ask :value [0 1 0 " #__VA_ARGS__ "]}\n"
#define GOT(process) I(process, read, [0 1 0 nil]) O(process, read, [0 1 0 []])
#define LOOK(...) I(9, look, [0 0 0 nil]) O(9, look, [0 0 0 [__VA_ARGS__]])
#define GRANT DONE(9, grant, [0 1])
#define REVOKE DONE(9, revoke, [0 1])

static void access_by_rbac(void **state)
{
    static const struct planted cases[] = {
        /* one apiserver is behind the other: refused there, then let pass; the other user never */
        {NULL, VERDICT_VALID, DONE(9, make, [0 1]) DENIED(1, write, [0 1 0 5]) GRANT DONE(1, write, [0 1 0 6]) DENIED(2, write, [0 1 1 7]) REVOKE
         DONE(1, write, [0 1 0 8]) DONE(2, write, [0 1 1 9]) DENIED(1, write, [0 1 0 10]) DENIED(3, write, [0 2 1 11]) DENIED(1, escalate, [0 1 0 nil])
         LOOK(6 8 9) ASK(1, false)},
        /* refused between two grants, long after the second one, by who is far behind */
        {NULL, VERDICT_VALID, GRANT REVOKE GRANT GOT(1) DENIED(1, read, [0 1 0 nil]) GOT(1) ASK(1, true)},
        /* an unknown one may come into force or not; the end says nothing */
        {NULL, VERDICT_VALID, I(9, grant, [0 1]) U(9, grant, [0 1]) DENIED(1, read, [0 1 0 nil]) I(1, read, [0 1 0 nil]) O(1, read, [0 1 0 []]) ASK(1, true)},
        {NULL, VERDICT_VALID, I(9, grant, [0 1]) F(9, grant, [0 1]) DENIED(1, read, [0 1 0 nil]) GRANT ASK(1, true)},
        {"executed", VERDICT_INVALID, DONE(1, write, [0 1 0 5]) GRANT ASK(1, true)},
        {"leaked", VERDICT_INVALID, GRANT I(1, read, [0 2 0 nil]) O(1, read, [0 2 0 []]) ASK(1, true)},
        {"executed", VERDICT_INVALID, GRANT DONE(1, escalate, [0 1 0 nil]) ASK(1, true)},
        /* it had refused after the revocation, and lets pass again */
        {"executed", VERDICT_INVALID, GRANT DONE(1, write, [0 1 0 4]) REVOKE DENIED(1, write, [0 1 0 5]) DONE(1, write, [0 1 0 6]) LOOK(4 6) ASK(1, false)},
        {"refused-again", VERDICT_INVALID, GRANT DONE(1, write, [0 1 0 4]) DENIED(1, write, [0 1 0 5]) LOOK(4) ASK(1, true)},
        /* two under way at once do not order each other */
        {NULL, VERDICT_VALID, GRANT REVOKE GRANT I(1, write, [0 1 0 4]) DENIED(2, write, [0 1 0 5]) O(1, write, [0 1 0 4]) LOOK(4) ASK(1, true)},
        {"denied-executed", VERDICT_INVALID, DENIED(1, write, [0 1 0 5]) GRANT LOOK(5) ASK(1, true)},
        {"garbage", VERDICT_INVALID, GRANT LOOK(5) ASK(1, true)},
        {"granted-late", VERDICT_INVALID, GRANT ASK(1, false)},
        {"revoked-late", VERDICT_INVALID, GRANT REVOKE ASK(1, true)},
        {NULL, VERDICT_UNKNOWN, GRANT},
        {NULL, VERDICT_UNKNOWN, GRANT GRANT ASK(1, true)},
        {NULL, VERDICT_UNKNOWN, LOOK() DENIED(1, write, [0 1 0 5]) ASK(1, false)},
        {NULL, VERDICT_UNKNOWN, GRANT DONE(1, write, [0 1 0 5]) DONE(1, write, [0 1 0 5]) ASK(1, true)},
        {NULL, VERDICT_UNKNOWN, GRANT DONE(1, write, [0 1])},
    };
    (void)state;
    JUDGE("rbac", cases);
}

#define SCALE(n) I(0, scale, n) O(0, scale, n)
#define ROLL(n) I(0, rollout, n) O(0, rollout, n)
#define PODS(...) I(1, pods, nil) O(1, pods, [__VA_ARGS__])
#define END(wanted, round, there, updated, old, strange, ...) \
    I(1, converge, nil) "{:process 1 :type :ok :f :converge :value [" #wanted " " #round " " #there " " #updated " " #old " " #strange " " #__VA_ARGS__ "]}\n"

static void controllers(void **state)
{
    static const struct planted cases[] = {
        {NULL, VERDICT_VALID, SCALE(3) PODS(3 0 3) I(0, scale, 5) PODS(5 0 nil) O(0, scale, 5) I(2, delete, nil) O(2, delete, "a") PODS(4 0 5) SCALE(2) PODS(5 0 nil)
         END(2, 0, 2, 2, 0, 0, true)},
        {NULL, VERDICT_VALID, SCALE(3) ROLL(1) PODS(4 0 nil) ROLL(2) PODS(4 0 nil) I(2, ready, nil) O(2, ready, "b") END(3, 2, 3, 3, 2, 0, true)},
        /* a change that nobody knows of may come into force after later ones, or not */
        {NULL, VERDICT_VALID, SCALE(3) I(0, rollout, 1) U(0, rollout, 1) I(7, rollout, 2) O(7, rollout, 2) END(3, 1, 3, 3, 0, 0, true)},
        {NULL, VERDICT_VALID, SCALE(3) I(0, rollout, 1) U(0, rollout, 1) I(7, rollout, 2) O(7, rollout, 2) END(3, 2, 3, 3, 0, 0, true)},
        {NULL, VERDICT_VALID, SCALE(3) I(0, rollout, 1) F(0, rollout, 1) END(3, 0, 3, 3, 0, 0, true)},
        {"surge", VERDICT_INVALID, SCALE(3) PODS(5 0 nil) END(3, 0, 3, 3, 0, 0, true)},
        {"surge", VERDICT_INVALID, SCALE(3) ROLL(1) PODS(5 0 nil) END(3, 1, 3, 3, 0, 0, true)},
        /* settled at two, then four without anybody having asked; seen by chance only, it is not settled */
        {"surge", VERDICT_INVALID, SCALE(5) SCALE(2) PODS(2 0 2) PODS(4 0 nil) END(2, 0, 2, 2, 0, 0, true)},
        {NULL, VERDICT_VALID, SCALE(5) SCALE(2) PODS(2 0 nil) PODS(2 0 5) PODS(4 0 nil) END(2, 0, 2, 2, 0, 0, true)},
        {"orphan", VERDICT_INVALID, SCALE(3) PODS(3 1 3) END(3, 0, 3, 3, 0, 0, true)},
        {"orphan", VERDICT_INVALID, SCALE(3) END(3, 0, 3, 3, 0, 1, true)},
        {"not-converged", VERDICT_INVALID, SCALE(3) END(3, 0, 2, 2, 0, 0, true)},
        {"not-converged", VERDICT_INVALID, SCALE(3) ROLL(1) END(3, 1, 3, 2, 1, 0, true)},
        {"not-converged", VERDICT_INVALID, SCALE(3) END(3, 0, 3, 3, 0, 0, false)},
        {"lost-change", VERDICT_INVALID, SCALE(3) SCALE(4) END(3, 0, 3, 3, 0, 0, true)},
        {"lost-change", VERDICT_INVALID, SCALE(3) ROLL(1) ROLL(2) END(3, 1, 3, 3, 0, 0, true)},
        {"history", VERDICT_INVALID, SCALE(3) ROLL(1) END(3, 1, 3, 3, 3, 0, true)},
        {NULL, VERDICT_UNKNOWN, SCALE(3) PODS(3 0 3)},
        {NULL, VERDICT_UNKNOWN, SCALE(3) PODS(3 0) END(3, 0, 3, 3, 0, 0, true)},
    };
    (void)state;
    JUDGE("controllers", cases);
}

/* --- large ones: a machine that does each operation at a moment between its beginning and its end --- */

#define PROCESSES 10
#define KEYS 4

struct machine {
    struct prng prng;
    struct history h;
    int64_t value[KEYS];
    struct operation open[PROCESSES];
    bool done[PROCESSES], under_way[PROCESSES];
    int64_t process[PROCESSES], next_process, next_value;
};

static uint64_t below(struct machine *m, uint64_t n) { return prng_next(&m->prng) % n; }

static struct edn pair(struct machine *m, struct edn a, struct edn b)
{
    const struct edn items[] = {a, b};
    return edn_vector(arena_dup(&m->h.arena, items, sizeof items), 2);
}
static struct edn value_or_nil(int64_t n) { return n == 0 ? (struct edn){0} : edn_int(n); }

static void begin(struct machine *m, size_t p)
{
    int64_t key = (int64_t)below(m, KEYS);
    struct operation *o = &m->open[p];
    *o = (struct operation){.process = m->process[p], .f = SLICE("read"), .value = pair(m, edn_int(key), (struct edn){0})};
    if (below(m, 3) == 0) {
        o->f = SLICE("write");
        o->value = pair(m, edn_int(key), edn_int(++m->next_value));
    } else if (below(m, 2) == 0) {
        o->f = SLICE("cas");
        o->value = pair(m, edn_int(key), pair(m, edn_int(MAX(m->value[key] - (int64_t)below(m, 2), (int64_t)1)), edn_int(++m->next_value)));
    }
    history_add(&m->h, o);
    m->done[p] = false;
    m->under_way[p] = true;
}

static void happen(struct machine *m, size_t p)
{
    struct operation *o = &m->open[p];
    int64_t key = o->value.items[0].number, *value = &m->value[key];
    o->type = OPERATION_OK;
    m->done[p] = true;
    if (slice_is(o->f, "write")) {
        *value = o->value.items[1].number;
    } else if (slice_is(o->f, "read")) {
        o->value = pair(m, edn_int(key), value_or_nil(*value));
    } else if (*value == o->value.items[1].items[0].number) {
        *value = o->value.items[1].items[1].number;
    } else {
        o->type = OPERATION_FAIL;
    }
}

static void end(struct machine *m, size_t p, bool lose)
{
    struct operation *o = &m->open[p];
    bool lost = lose && below(m, 500) == 0;
    if (!m->done[p] && (!lost || below(m, 2) == 0))
        happen(m, p);
    if (lost) {
        o->type = OPERATION_INFO;
        m->process[p] = m->next_process++;
    }
    history_add(&m->h, o);
    m->under_way[p] = false;
}

static void many_operations(struct machine *m, uint64_t seed, size_t count, bool lose)
{
    *m = (struct machine){.next_process = PROCESSES};
    prng_seed(&m->prng, seed);
    for (size_t p = 0; p < PROCESSES; p++)
        m->process[p] = (int64_t)p;
    while (m->h.count < 2 * count) {
        size_t p = below(m, PROCESSES);
        if (!m->under_way[p])
            begin(m, p);
        else if (!m->done[p] && below(m, 2) == 0)
            happen(m, p);
        else
            end(m, p, lose);
    }
}

static void large_registers(void **state)
{
    struct machine m;
    struct report r = {0};
    (void)state;
    many_operations(&m, 1, 100000, true);
    check_history(&checker_register, &m.h, &(struct check_options){0}, &r);
    if (r.verdict != VERDICT_VALID)
        fail_msg("%.*s", SLICE_ARGS(buf_slice(&r.text)));
    report_release(&r);
    history_release(&m.h);
}

/* One wrong answer among many: found when it is wrong, whatever is around. */
static void one_wrong_read(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct machine m;
        struct report r = {0};
        many_operations(&m, seed, 2000, true);
        size_t at = m.h.count / 2;
        while (m.h.operations[at].type != OPERATION_OK || !slice_is(m.h.operations[at].f, "read"))
            at++;
        m.h.operations[at].value = pair(&m, m.h.operations[at].value.items[0], edn_int(77)); /* a value nobody wrote */
        check_history(&checker_register, &m.h, &(struct check_options){0}, &r);
        assert_int_equal(r.verdict, VERDICT_INVALID);
        report_release(&r);
        history_release(&m.h);
    }
}

/* A budget that is too small is unknown, never valid. */
static void budget(void **state)
{
    struct machine m;
    struct report r = {0};
    (void)state;
    many_operations(&m, 3, 1000, false);
    check_history(&checker_register, &m.h, &(struct check_options){.steps_max = 100}, &r);
    assert_int_equal(r.verdict, VERDICT_UNKNOWN);
    report_release(&r);
    history_release(&m.h);
}

/* Serial transactions, each at its moment; many are under way at once. */
static void large_appends(void **state)
{
    struct machine m = {.next_process = PROCESSES};
    struct edn *lists[64] = {0};
    size_t sizes[64] = {0};
    struct report r = {0};
    int64_t next = 1;
    (void)state;
    prng_seed(&m.prng, 5);
    for (size_t p = 0; p < PROCESSES; p++)
        m.process[p] = (int64_t)p;
    while (m.h.count < 60000) {
        size_t p = below(&m, PROCESSES);
        struct edn steps[3];
        struct operation *o = &m.open[p];
        if (m.under_way[p]) {
            o->type = OPERATION_OK;
            history_add(&m.h, o);
            m.under_way[p] = false;
            continue;
        }
        *o = (struct operation){.process = m.process[p], .f = SLICE("txn")};
        for (size_t i = 0; i < 3; i++) {
            size_t key = (m.h.count / 1000) % 62 + below(&m, 2);
            bool append = below(&m, 2) == 0;
            struct edn step[] = {edn_keyword(append ? "append" : "r"), edn_int((int64_t)key), edn_int(next)};
            if (append) {
                lists[key] = mem_realloc(lists[key], (sizes[key] + 1) * sizeof(struct edn));
                lists[key][sizes[key]++] = edn_int(next++);
            } else {
                step[2] = edn_vector(arena_dup(&m.h.arena, sizes[key] == 0 ? step : lists[key], sizes[key] * sizeof(struct edn)), sizes[key]);
            }
            steps[i] = edn_vector(arena_dup(&m.h.arena, step, sizeof step), 3);
        }
        o->value = edn_vector(arena_dup(&m.h.arena, steps, sizeof steps), 3);
        history_add(&m.h, o);
        m.under_way[p] = true;
    }
    check_history(&checker_append, &m.h, &(struct check_options){0}, &r);
    if (r.verdict != VERDICT_VALID)
        fail_msg("%.*s", SLICE_ARGS(buf_slice(&r.text)));
    report_release(&r);
    history_release(&m.h);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        mem_free(lists[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers), cmocka_unit_test(appends), cmocka_unit_test(sets), cmocka_unit_test(watches), cmocka_unit_test(leases),
        cmocka_unit_test(locks), cmocka_unit_test(objects), cmocka_unit_test(controllers), cmocka_unit_test(access_by_roles), cmocka_unit_test(access_by_rbac),
        cmocka_unit_test(large_registers), cmocka_unit_test(one_wrong_read), cmocka_unit_test(budget),
        cmocka_unit_test(large_appends),
    };
    return RUN_TESTS(tests);
}
