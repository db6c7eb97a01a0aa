#!/usr/bin/env bash
# rsctl lock and elect on three members: one holder at a time, in the order of arrival; exit codes; what signals, a killed holder, a lost lease and a
# killed leader of the store do. Ports 24001-24013.
cd "$(dirname "$0")/../.." || exit 1
port=24000
. tests/e2e/members.bash
plan 3
for i in 1 2 3; do start $i; done
until_true 20 "three members" up

# --- lock with a command ---
out=$(rs lock a/b -- sh -c 'echo "$RSCTL_LOCK_KEY $RSCTL_LOCK_REV"; exit 7')
is "exit code of the command" 7 $?
[[ $out =~ ^a/b/[0-9a-f]+\ [0-9]+$ ]] || fail "environment: $out"
is "the lock is gone" "" "$(rs get --prefix a/b/)"
is "no lease is left" "found 0 leases" "$(rs lease list)"
rs lock a/b -- sh -c 'kill -TERM $$'
is "a command that a signal ended" 143 $?
is "input of the command" "hello" "$(echo hello | rs lock a/b cat)"
rs lock a/b -- sh -c 'kill -PIPE $$; exit 0'
is "a command minds SIGPIPE" 141 $?
rs lock a/b /nowhere/at/all 2>"$dir/err"
is "no such command" 127 $?
grep -q "/nowhere/at/all does not start: No such file" "$dir/err" || fail "$(cat "$dir/err")"
rs lock a/b "$dir" 2>"$dir/err"
is "what is no program" 126 $?
rs lock a/b -- sh -c 'rsctl=$1; key=$RSCTL_LOCK_KEY rev=$RSCTL_LOCK_REV
    printf "create(\"%s\") = \"%s\"\n\nput fenced yes\n\n\n" "$key" "$rev" | "$rsctl" txn' - "$bin/rsctl" >"$dir/out" || fail "fencing"
grep -q SUCCESS "$dir/out" || fail "a write under the lock says $(cat "$dir/out")"
ok "lock runs a command"

# --- one at a time, in order ---
hold() { # number of the contender
    (exec "$bin/rsctl" lock queue -- sh -c 'echo in '"$1"' >>"$1/order"; until [ -e "$1/go'"$1"'" ]; do sleep 0.02; done; echo out '"$1"' >>"$1/order"' - "$dir") &
    pids[c$1]=$!
}
waiting() { [ "$(rs get --prefix queue/ --count-only)" = "$1" ]; }
for i in 1 2 3 4; do hold $i; until_true 10 "contender $i queues up" waiting $i; done
kill -TERM "${pids[c3]}" # gives up its place
wait "${pids[c3]}"
is "who was interrupted while waiting" 1 $?
unset "pids[c3]"
until_true 10 "its place is free" waiting 3
touch "$dir"/go{1,2,4}
for i in 1 2 4; do wait "${pids[c$i]}" || fail "contender $i"; unset "pids[c$i]"; done
is "order" "in 1 out 1 in 2 out 2 in 4 out 4" "$(tr '\n' ' ' <"$dir/order" | sed 's/ $//')"
ok "one holder at a time, in the order of arrival"

# --- lock without a command ---
hold_plain() { (exec "$bin/rsctl" lock plain --ttl 2 >"$dir/plain.$1") & pids[p$1]=$!; }
held() { grep -q "^plain/" "$dir/plain.$1"; }
hold_plain 1
until_true 10 "it is held" held 1
is "its key" "$(rs get --prefix plain/ --keys-only | head -n 1)" "$(head -n 1 "$dir/plain.1")"
hold_plain 2
until_true 10 "another one waits" eval '[ "$(rs get --prefix plain/ --count-only)" = 2 ]'
pause 3 # more than the time to live: both are kept alive
is "both are still there" 2 "$(rs get --prefix plain/ --count-only)"
held 2 && fail "two hold it"
kill -INT "${pids[p1]}"
wait "${pids[p1]}"
is "a holder that is interrupted" 0 $?
unset "pids[p1]"
until_true 5 "the next one holds it" held 2
hold_plain 3
until_true 10 "a third one waits" eval '[ "$(rs get --prefix plain/ --count-only)" = 2 ]'
kill -9 "${pids[p2]}"
wait "${pids[p2]}" 2>/dev/null
unset "pids[p2]"
until_true 10 "the lease of a killed holder ends" held 3
ok "interrupted, killed: the next one holds the lock"

# --- a lease that is lost, while waiting for nothing and with a command at work ---
key=$(head -n 1 "$dir/plain.3")
rs lease revoke "${key##*/}" >/dev/null || fail "revoke"
wait "${pids[p3]}"
is "a holder without a lease" 1 $?
unset "pids[p3]"
(exec "$bin/rsctl" lock lost --ttl 2 -- sh -c 'trap "echo ended >>$1/lost; exit 0" TERM; touch "$1/running"; while :; do sleep 0.05; done' - "$dir" 2>"$dir/err") & pids[l]=$!
until_true 10 "the command runs" test -e "$dir/running"
key=$(rs get --prefix lost/ --keys-only | head -n 1)
rs lease revoke "${key##*/}" >/dev/null || fail "revoke"
wait "${pids[l]}"
is "a lock that is lost under a command" 1 $?
unset "pids[l]"
is "the command was told" ended "$(cat "$dir/lost")"
grep -q "lock lost is lost: lease" "$dir/err" || fail "$(cat "$dir/err")"
# A signal is passed on, and its exit code passed through.
rm "$dir/running"
(exec "$bin/rsctl" lock passed -- sh -c 'trap "exit 9" TERM; touch "$1/running"; while :; do sleep 0.05; done' - "$dir") & pids[l]=$!
until_true 10 "the command runs" test -e "$dir/running"
kill -TERM "${pids[l]}"
wait "${pids[l]}"
is "a signal to lock" 9 $?
unset "pids[l]"
is "nothing is left" 0 "$(rs get --prefix passed/ --count-only)"
ok "a lost lease ends the command; signals are passed on"

# --- elect ---
lead() { (exec "$bin/rsctl" elect region "$1" --ttl 2 >"$dir/elect.$1") & pids[e$1]=$!; }
leads() { is_first=$(sed -n 2p "$dir/elect.$1"); [ "$is_first" = "$1" ]; }
(exec "$bin/rsctl" elect region --listen >"$dir/listen") & pids[listen]=$!
lead one
until_true 10 "one leads" leads one
lead two
until_true 10 "two stands" eval '[ "$(rs get --prefix region/ --count-only)" = 2 ]'
until_true 5 "who listens hears of one" grep -qx one "$dir/listen"
leader=$(rs endpoint status -w json | jq -r '.[0].Status.leader' | xargs printf '%016x')
stop "${leader: -1}" # of the store
kill -TERM "${pids[eone]}"
wait "${pids[eone]}"
is "a leader that resigns" 0 $?
unset "pids[eone]"
until_true 10 "two leads" leads two
until_true 10 "who listens hears of two" grep -qx two "$dir/listen"
kill -TERM "${pids[listen]}"
wait "${pids[listen]}"
is "a listener that is ended" 0 $?
unset "pids[listen]"
is "what was heard" "one two" "$(grep -v / "$dir/listen" | tr '\n' ' ' | sed 's/ $//')"
is "elections as json" two "$(rs get --prefix region/ -w json | jq -r '.kvs[0].value | @base64d')"
kill "${pids[etwo]}" && wait "${pids[etwo]}" || fail "the end of two"
unset "pids[etwo]"
ok "elections, also while the store's leader is killed"

refused 128 "wants a NAME" lock
refused 128 "is empty" lock ""
refused 128 "must be 1 to" lock a --ttl 0 -- true
refused 128 "wants a NAME and a PROPOSAL" elect a
refused 128 "wants a NAME and a PROPOSAL" elect a b -l
refused 2 "no connection" lock a --endpoints 127.0.0.1:24099 --command-timeout 1s -- true
ok "bad lines are refused"
