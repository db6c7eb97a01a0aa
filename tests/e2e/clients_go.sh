#!/usr/bin/env bash
# Kubernetes' own Go client, client-go 0.32, against three masters without nodes: the typed clientset in protobuf, what goes
# beyond verbs, clients without types, server-side apply, leader election, and informers through compactions, killed apiservers
# and a client that is cut off; lists paged and streamed. SECONDS_LONG: how long each informer runs. Needs root.
. tests/clients/build.sh # before the home becomes another
. "$(dirname "$0")/lib.sh"
begin=$EPOCHREALTIME
clients=$(clients_go) || fail "the clients do not build"
awk "BEGIN{printf \"  built after %.1f s\n\", $EPOCHREALTIME - $begin}"
step "up"
out=$(keelson up --masters 3 --nodes 0 2>&1) || fail "keelson up: $out"
until_true 20 "the api" kubectl get namespace default
export CLUSTER_DIR bin

# What the informers' program runs to disturb.
cat >"$work/disturb" <<'SCRIPT'
set -euo pipefail
. "$CLUSTER_DIR/rsctl.env"
again() { timeout 20 "$bin/keelson" start "$1" --dir "$CLUSTER_DIR" >/dev/null; }
slay() { # and wait until it is gone: what still ends would not be started again
    local pid
    pid=$(awk 'NR==1{print $1}' "$CLUSTER_DIR/pids/$1.apiserver")
    kill -9 "$pid"
    timeout 10 tail --pid="$pid" -s 0.05 -f /dev/null
}
case $1 in
compact) "$bin/rsctl" compact "$("$bin/rsctl" get --prefix --count-only -w json /registry/ | jq .header.revision)" ;;
kill)
    master=master-$((RANDOM % 3 + 1))
    slay "$master"
    again "$master"
    ;;
restart) for master in master-1 master-2 master-3; do slay "$master"; again "$master"; done ;;
esac
SCRIPT
export COMPACT="bash $work/disturb compact" KILL="bash $work/disturb kill" RESTART="bash $work/disturb restart"
export SECONDS_LONG=${SECONDS_LONG:-12}
for subject in ${SUBJECTS-typed calls untyped apply election}; do
    step "$subject"
    timeout 100 "$clients" "$subject" 2>"$work/said" || { tail -n 20 "$work/said"; fail "$subject"; }
done
step "informers"
timeout $((SECONDS_LONG + 120)) "$clients" informer 2>"$work/said" || { tail -n 20 "$work/said"; fail "informers"; }
step "informers whose lists are streamed"
KUBE_FEATURE_WatchListClient=true timeout $((SECONDS_LONG + 120)) "$clients" informer 2>"$work/said" || { tail -n 20 "$work/said"; fail "informers whose lists are streamed"; }
echo "clients_go: all of it holds"
