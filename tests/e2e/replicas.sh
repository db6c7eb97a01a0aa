#!/usr/bin/env bash
# A client that asks another of three apiservers each time, over TLS, while they are killed and started again: what it wrote it
# reads at once from every other one, however it asks (get; list with no revision, one not older than its write, and exactly at
# it), and watches that go on at another apiserver with the last revision they saw are told everything once and in order. One
# that has just begun knows no older events and says so with 410, as Kubernetes does: then the next is asked.
# WRITES: how many objects. Needs root (addresses of masters).
. "$(dirname "$0")/lib.sh"
step "up"
out=$(keelson up --masters 3 --nodes 0 2>&1) || fail "keelson up: $out"
pki=$CLUSTER_DIR/pki
until_true 20 "the api" kubectl get namespace default
pid_of() { awk 'NR==1{print $1}' "$CLUSTER_DIR/pids/$1"; }
argument() { tr '\0' '\n' <"/proc/$(pid_of "$1")/cmdline" | grep -A 1 -x -- "--$2" | tail -n 1; }
mapfile -t servers < <(for i in 1 2 3; do argument "master-$i.apiserver" listen; done)
maps=/api/v1/namespaces/default/configmaps
selected="labelSelector=round%3Drobin"
writes=${WRITES:-30}
turn=0
# The answer of whoever's turn it is; who does not answer is passed over, at most so often.
ask() { # path, further arguments of curl
    local path=$1 tries=0
    shift
    until curl -gsS -m 10 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -H 'Content-Type: application/json' "$@" \
        "https://${servers[$((turn++ % 3))]}$path" >"$work/answer" 2>"$work/refusal"; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] || fail "nobody answers: $(cat "$work/refusal")"
        read -rt 0.1 <> <(:) || true
    done
}
revision() { jq -r .metadata.resourceVersion "$work/answer"; }
names() { jq -r '[.items[].metadata.name] | join(" ")' "$work/answer"; }

step "a watch that changes its apiserver, and one that kills them"
ask "$maps"
first=$(revision)
watch() { # file of events: one connection after the other, each at the next apiserver, from the last revision seen
    local last=$first at=0
    while [ ! -e "$work/over" ] || [ "$at" -lt "$(cat "$work/over")" ]; do
        curl -gsSN -m 20 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
            "https://${servers[$((turn++ % 3))]}$maps?watch=true&$selected&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=$last" \
            >"$work/frames" 2>/dev/null
        # A line that was cut off is none; an error says that this apiserver cannot go on from there, another one may.
        grep '}$' "$work/frames" | jq -rc 'select(.type != "ERROR" and .type != null) | [.type, .object.metadata.name // "-", .object.metadata.resourceVersion] | join(" ")' >"$work/part"
        jq -rc 'select(.type == "ERROR") | .object.message' "$work/frames" 2>/dev/null >>"$1.errors"
        grep -v '^BOOKMARK' "$work/part" >>"$1"
        [ ! -s "$work/part" ] || last=$(tail -n 1 "$work/part" | cut -d ' ' -f 3)
        at=$last
        echo >>"$1.connections"
    done
}
: >"$work/events"
watch "$work/events" &
watcher=$!
killer() {
    local i=0 pid
    while [ ! -e "$work/over" ]; do
        i=$((i % 3 + 1))
        pid=$(pid_of "master-$i.apiserver")
        kill -9 "$pid"
        timeout 10 tail --pid="$pid" -s 0.05 -f /dev/null
        keelson start "master-$i" >/dev/null || echo "cannot start master-$i"
        echo "$i" >>"$work/kills"
        read -rt 3 <> <(:) || true # an apiserver knows nothing of before its start: two others must
    done
}
killer &
killing=$!
helpers+=("$watcher" "$killing")

step "$writes objects, each read back everywhere"
expected=() living=""
for i in $(seq "$writes"); do
    name=$(printf 'c%03d' "$i")
    ask "$maps" --data-binary "{\"metadata\":{\"name\":\"$name\",\"labels\":{\"round\":\"robin\"}}}"
    code=$(jq -r '.code // 201' "$work/answer")
    [ "$code" = 201 ] || [ "$code" = 409 ] || fail "create $name: $(cat "$work/answer")" # 409: made, and the answer was lost with its apiserver
    living="${living:+$living }$name"
    expected+=("ADDED $name")
    ask "$maps/$name"
    expect "get $name" "^$name\$" "$(jq -r .metadata.name "$work/answer")"
    written=$(revision)
    ask "$maps?$selected"
    expect "list after $name" "^$living\$" "$(names)"
    [ "$(revision)" -ge "$written" ] || fail "a list at $(revision), older than $written"
    ask "$maps?$selected&resourceVersion=$written&resourceVersionMatch=NotOlderThan"
    expect "list not older than $name" "^$living\$" "$(names)"
    ask "$maps?$selected&resourceVersion=$written&resourceVersionMatch=Exact"
    expect "list exactly at $name" "^$living $written\$" "$(names) $(revision)"
    ask "$maps/$name?resourceVersion=$written"
    expect "get not older than $name" "^$name\$" "$(jq -r .metadata.name "$work/answer")"
    [ $((i % 3)) = 0 ] || continue
    ask "$maps/$name" -X DELETE
    code=$(jq -r '.code // 200' "$work/answer")
    [ "$code" = 200 ] || [ "$code" = 404 ] || fail "delete $name: $(cat "$work/answer")"
    living=${living% "$name"}
    expected+=("DELETED $name")
    ask "$maps/$name"
    expect "get what is deleted" '^404$' "$(jq -r .code "$work/answer")"
    ask "$maps?$selected&resourceVersion=0" # any state that an apiserver has seen: never one that was not
    for seen in $(names); do [[ $seen < $name || $seen = "$name" ]] || fail "$seen is not made yet"; done
done
ask "$maps?$selected"
expect "what is there" "^$living\$" "$(names)"
echo "$(revision)" >"$work/over.new" && mv "$work/over.new" "$work/over"
wait "$watcher" "$killing"
helpers=()

step "the watch was told everything once, in order"
told=$(awk '{print $1, $2}' "$work/events")
[ "$told" = "$(printf '%s\n' "${expected[@]}")" ] || fail "events: $(diff <(printf '%s\n' "${expected[@]}") <(echo "$told"))"
awk '$3 <= last {exit 1} {last = $3}' "$work/events" || fail "revisions do not rise: $(cat "$work/events")"
echo "  $(wc -l <"$work/kills") killed and started again, $(wc -l <"$work/events.connections") connections, ${#expected[@]} events"
[ "$(wc -l <"$work/kills")" -ge 3 ] || fail "not every apiserver was killed"
echo "replicas: all of it holds"
