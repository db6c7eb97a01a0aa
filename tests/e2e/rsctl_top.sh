#!/usr/bin/env bash
# rsctl top on three members: one view as text and as JSON, views one after the other while members go and come, and on a terminal that changes its
# size, is left by "q" and by an interrupt, and is as it was afterwards. Ports 24041-24054.
cd "$(dirname "$0")/../.." || exit 1
port=24040
. tests/e2e/members.bash
command -v script >/dev/null || fail "script(1) is missing: run make deps"
plan 3
for i in 1 2 3; do start $i; done
until_true 20 "three members" up
rs put a b >/dev/null || fail put

rs top --once --interval 200ms >"$dir/out" || fail "top --once"
is "lines" 6 "$(wc -l <"$dir/out")"
is "members" "00000000000000a1 00000000000000a2 00000000000000a3" "$(tail -n 3 "$dir/out" | cut -d' ' -f1 | sort | tr '\n' ' ' | sed 's/ $//')"
is "leaders" 1 "$(grep -c ' leader ' "$dir/out")"
grep -q $'\033' "$dir/out" && fail "colours in a pipe"
rs top --once --interval 200ms --endpoints 127.0.0.1:24051 -w json >"$dir/out" || fail "top --once -w json"
is "json knows all members" 3 "$(jq '.members | length' "$dir/out")"
jq -e '.revision == 2 and .writesPerSecond == 0 and ([.members[] | select(.role == "leader")] | length == 1) and
    (.members | all(.term > 0 and .lag == 0 and .dbSize > 0 and .diskFree > 0 and .connections > 0 and .readSeconds > 0 and .error == ""))' \
    "$dir/out" >/dev/null || fail "json says $(cat "$dir/out")"
(exec "$bin/rsctl" watch a) & pids[watch]=$!
until_true 10 "a watch is counted" eval '[ "$(rs top --once --interval 100ms -w json | jq "[.members[].watches] | add")" = 1 ]'
kill "${pids[watch]}" && wait "${pids[watch]}" || fail "the end of watch"
unset "pids[watch]"
ok "one view"

(exec "$bin/rsctl" top --interval 200ms -w json >"$dir/stream") & pids[top]=$!
seen() { tail -n 1 "$dir/stream" | jq -e "$1" >/dev/null 2>&1; }
until_true 10 "all answer" seen '[.members[] | select(.role != "silent")] | length == 3'
for i in $(seq 30); do rs put "k$i" v >/dev/null || fail put; done
until_true 10 "writes are seen" eval 'jq -e -s "map(.writesPerSecond // 0) | max > 0" "$dir/stream" >/dev/null 2>&1'
stop 3
until_true 10 "one is silent" seen '[.members[] | select(.role == "silent" and .error != "")] | length == 1'
stop 2
until_true 10 "reads fail" seen '[.members[] | select(.readSeconds == null and .error != "")] | length == 3'
start 2
start 3
until_true 20 "all answer again" seen '[.members[] | select(.role != "silent" and .readSeconds != null)] | length == 3'
rs member add m4 --peer-urls 127.0.0.1:24044 >"$dir/out" || fail "member add"
until_true 10 "a member that was not started" seen '[.members[] | select(.role == "unstarted" and .name == "m4")] | length == 1'
new=$(grep -oE -- '--member-id [0-9a-f]{16}' "$dir/out" | cut -d' ' -f2)
"$bin/raftstore" --member-id "$new" --cluster-id 0123456789abcdef0123456789abcdef --join "$RSCTL_ENDPOINTS" --name m4 \
    --listen-peer 127.0.0.1:24044 --listen-client 127.0.0.1:24054 --data "$dir/m4" >"$dir/m4.log" 2>&1 &
pids[m4]=$!
until_true 20 "it has come" seen '[.members[] | select(.name == "m4" and .role == "follower")] | length == 1'
until_true 20 "it may go" rs member remove "$new" >/dev/null 2>&1
until_true 10 "it has gone" seen '.members | length == 3'
kill -TERM "${pids[top]}"
wait "${pids[top]}"
is "the end of top" 0 $?
unset "pids[top]"
ok "members go and come"

# On a terminal of its own: script(1) passes on what it reads from the pipe.
mkfifo "$dir/keys"
cat >"$dir/session" <<'END'
stty rows 20 cols 150
tty >"$1/tty"
stty -a >"$1/before"
"$2/rsctl" top --interval 200ms
echo $? >"$1/code"
stty -a >"$1/after"
END
on_terminal() { # how it is left
    rm -f "$dir/tty" "$dir/code"
    : >"$dir/screen"
    (exec script -qfc "bash $dir/session $dir $bin" /dev/null <"$dir/keys" >>"$dir/screen" 2>&1) & pids[script]=$!
    exec 7>"$dir/keys"
    until_true 10 "a frame" grep -aq "writes/s" "$dir/screen"
    grep -aq ADDRESS "$dir/screen" || fail "a wide terminal shows all"
    : >"$dir/screen"
    stty -F "$(cat "$dir/tty")" cols 40 rows 5
    until_true 10 "narrow frames" eval 'frame=$(tr -d "\r" <"$dir/screen" | tail -n 4); ! grep -aq ADDRESS <<<"$frame" && grep -aq MEMBER <<<"$frame"'
    printf "$1" >&7
    until_true 10 "its end" test -e "$dir/after" -a -s "$dir/code"
    exec 7>&-
    wait "${pids[script]}"
    unset "pids[script]"
    is "exit code" 0 "$(cat "$dir/code")"
    grep -v "rows\|columns" "$dir/before" >"$dir/wanted"
    grep -v "rows\|columns" "$dir/after" | cmp -s - "$dir/wanted" || fail "the terminal is not as it was: $(diff "$dir/before" "$dir/after")"
    [[ $(tr -d '\r\n' <"$dir/screen") == *$'\033[?25h\033[?1049l' ]] || fail "the screen is not given back"
    rm "$dir/after"
}
on_terminal q
on_terminal '\003'
ok "a terminal, its size, and its end"

refused 128 "takes no arguments" top all
refused 128 "must be 100ms to 1h" top --interval 1ms
refused 128 "but top writes simple json" top --once -w fields
refused 2 "" top --once --endpoints 127.0.0.1:24099
ok "bad lines are refused"
