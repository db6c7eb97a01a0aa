#!/usr/bin/env bash
# rsctl check perf on three members: its lines and exit codes, that it leaves no key behind, also when interrupted, and that it fails where writes do.
# Ports 24021-24033.
cd "$(dirname "$0")/../.." || exit 1
port=24020
. tests/e2e/members.bash
plan 3
for i in 1 2 3; do start $i; done
until_true 20 "three members" up

rs check perf --duration 2s >"$dir/out" 2>"$dir/err"
code=$?
# A busy machine may be too slow for a limit: then the line says so, and so does the code.
is "lines" 4 "$(grep -cE '^(PASS|FAIL)(: (Throughput|Slowest|Stddev) .*)?$' "$dir/out")"
is "verdict and exit code" "$code" "$([ "$(tail -n 1 "$dir/out")" = PASS ] && echo 0 || echo 1)"
is "nothing on standard error" "" "$(cat "$dir/err")"
is "keys that are left" 0 "$(rs get --prefix "" --count-only)"
rs check perf --load m --duration 1s -w json --prefix /elsewhere/ --auto-compact >"$dir/out"
is "json" '["m",200,1000,0]' "$(jq -c '[.load, .clients, .limit, .errors]' "$dir/out")"
is "json and exit code" 0 "$(jq 'if .writes > 0 and (.pass | type) == "boolean" then 0 else 1 end' "$dir/out")"
refused 1 "compacted" get a --rev 3
ok "check perf measures, judges and cleans up"

(exec "$bin/rsctl" check perf --duration 60s >"$dir/out" 2>"$dir/err") & pids[check]=$!
until_true 10 "it puts" eval '[ "$(rs get --prefix /rsctl-check-perf/ --count-only)" -gt 20 ]'
kill -INT "${pids[check]}"
wait "${pids[check]}"
is "an interrupted check" 1 $?
unset "pids[check]"
grep -q "interrupted after .* s; the keys of the check are removed" "$dir/err" || fail "$(cat "$dir/err")"
is "keys that are left" 0 "$(rs get --prefix "" --count-only)"
rs put /rsctl-check-perf/mine x >/dev/null || fail put
refused 128 "there are keys below /rsctl-check-perf/ already" check perf
is "a key of others" 1 "$(rs get --prefix /rsctl-check-perf/ --count-only)"
rs del --prefix /rsctl-check-perf/ >/dev/null || fail del
ok "interrupted, it removes its keys; it touches nobody else's"

(exec "$bin/rsctl" check perf --duration 6s --command-timeout 1s >"$dir/out" 2>"$dir/err") & pids[check]=$!
until_true 10 "it puts" eval '[ "$(rs get --prefix /rsctl-check-perf/ --count-only)" -gt 20 ]'
stop 1
stop 2
until_true 20 "writes fail" eval '! rs put probe x --command-timeout 1s >/dev/null 2>&1'
pause 1.5
start 1
wait "${pids[check]}"
is "a check without a majority for a while" 1 $?
unset "pids[check]"
grep -q "^FAIL: .* writes failed: " "$dir/out" || fail "$(cat "$dir/out" "$dir/err")"
is "keys that are left" 0 "$(rs get --prefix /rsctl-check-perf/ --count-only)"
ok "failed writes fail it"

refused 128 "wants perf" check
refused 128 "wants perf" check datascale
refused 128 "must be s, m, l or xl" check perf --load xxl
refused 128 "must be 1s to 10m" check perf --duration 1h
refused 128 "must have 1 to 256 bytes" check perf --prefix ""
refused 2 "no connection" check perf --endpoints 127.0.0.1:24099 --command-timeout 1s
ok "bad lines are refused"
