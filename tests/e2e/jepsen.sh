#!/usr/bin/env bash
# A short campaign: four workloads on clusters of three under killed leaders and partitions, each judged valid; the same history with one
# answer changed is not; an interrupted run leaves nothing. Needs root.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bin=${KEELSON_BIN:-$PWD/build/release/bin}
export KEELSON_BIN=$bin
work=$(mktemp -d)
export JEPSEN_RUNS=$work/runs TMPDIR=$work
run=''
trap 'status=$?; [ -z "$run" ] || { kill -TERM "$run" && wait "$run"; } 2>/dev/null; rm -rf "$work"; exit $status' EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*"; cat "$JEPSEN_RUNS"/*/verdict "$JEPSEN_RUNS"/*/nemesis.log 2>/dev/null | tail -n 40; exit 1; }
valid() { # workload, nemeses, seconds
    local out
    out=$(jepsen/run --workload "$1" --nemesis "$2" --time "$3" --seed 1 --rate 200) || fail "$1 under $2 ended with $?: $out"
    echo "ok $1: $(sed -n 's/^availability: //p' <<<"$out"); $(sed -n 's/^faults: //p' <<<"$out")"
    folder=$(tail -n 1 <<<"$out")
    grep -q '<svg' "$folder/plot.svg" || fail "no plot of $1"
}

leader=process:kill:--member:leader
valid append $leader,partition:leader 20
valid set $leader,partition:halves 20
valid access $leader 8
valid register $leader,partition:leader 30
grep -q ':process :nemesis, :type :info, :f :start-' "$folder/history.edn" || fail "the faults are not in the history"

# One read of a real history answers with what nobody wrote, or with what had been overwritten.
awk '/:type :ok, :f :read, :value \[[0-9]+ [0-9]+\]/ && ++n == 50 { sub(/[0-9]+\]/, "999999999]") } { print }' "$folder/history.edn" >"$work/changed.edn"
cmp -s "$work/changed.edn" "$folder/history.edn" && fail "nothing was changed"
said=$("$bin/jepsen-check" --workload register "$work/changed.edn")
[ $? = 1 ] || fail "a changed history is judged: $said"
grep -q '^anomaly nonlinearizable: 1' <<<"$said" || fail "it says $said"
grep -q 'cannot be explained: .*:f :read' <<<"$said" || fail "no example: $said"
"$bin/jepsen-check" --workload register --steps 10 "$folder/history.edn" >/dev/null
[ $? = 2 ] || fail "a search without steps is no pass"
echo "ok a changed history is invalid, an unfinished search unknown"

said=$("$bin/jepsen-check" --workload nonsense "$folder/history.edn" 2>&1)
[ $? = 2 ] || fail "an unknown workload: $said"
said=$(jepsen/run --workload register --nemesis nonsense 2>&1)
[ $? = 3 ] || fail "an unknown nemesis: $said"
jepsen/run --workload set --nemesis $leader --time 60 >"$work/out" 2>&1 &
run=$!
loading() { [ "$(cat "$JEPSEN_RUNS"/*/load 2>/dev/null | grep -c '^began')" = 5 ]; }
for _ in $(seq 200); do loading && break; read -rt 0.1 <> <(:); done
loading || fail "a run does not start: $(cat "$work/out")"
kill -TERM $run
wait $run
[ $? = 130 ] || fail "an interrupted run ends with another code"
run=''
compgen -G "$work/jepsen-*" && fail "its cluster's folder was left behind"
pgrep -af -- "$work/jepsen-" && fail "processes of its cluster run on"
echo "ok an interrupted run cleans up"
