#!/usr/bin/env bash
# exec, attach, run -it and cp with every kubectl that speaks WebSocket: streams, exit codes, terminals, ends from either
# side, refusals; and what it leaves behind in the agents and apiservers. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
clients=()
for version in 31 32 33; do
    client=$(dirname "$kubectl_program")/kubectl.1.$version
    [ -x "$client" ] && clients+=("$client")
done
[ ${#clients[@]} -gt 0 ] || clients=("$kubectl_program")
old_client=$(dirname "$kubectl_program")/kubectl.1.29
step "up (clients: ${clients[*]##*/})"
out=$(keelson up --masters 3 --nodes 1 2>&1) || fail "keelson up: $out"
bounded() { timeout 60 "$@"; }
phase_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = "$2" ]; }
pid_of() { awk 'NR==1{print $1}' "$CLUSTER_DIR/pids/$1"; } # and when it started
open_files() { find "/proc/$(pid_of "$1")/fd" -mindepth 1 2>/dev/null | wc -l; }
memory_kb() { awk '/^VmRSS/{print $2}' "/proc/$(pid_of "$1")/status"; }
# A command of its own inside the container, seen from this machine.
runs_with() { pgrep -f -- "$1" >/dev/null; }
runs_not() { ! runs_with "$1"; }
kubectl run p --image=keelson/demo:1 --command -- sleep 100000 >/dev/null || fail "run"
kubectl create -f - >/dev/null <<'PODS' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
  {"name": "one", "image": "keelson/demo:1", "command": ["sleep", "100000"]},
  {"name": "other", "image": "keelson/demo:2", "command": ["sleep", "100000"], "env": [{"name": "WHO", "value": "other"}]}]}}
PODS
kubectl create -f - >/dev/null <<'PODS' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ticker"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
  {"name": "c", "image": "keelson/demo:1",
   "command": ["sh", "-c", "i=0; while :; do i=$((i+1)); echo tick $i; echo tock $i >&2; sleep 0.1; done"]}]}}
PODS
for pod in p two ticker; do until_true 20 "$pod runs" phase_is "$pod" Running; done

step "commands, streams and exit codes"
for client in "${clients[@]}"; do
    name=${client##*/}
    expect "$name: env" "^HOSTNAME=p$" "$(bounded "$client" exec p -- env)"
    bounded "$client" exec p -- sh -c 'echo out; echo err >&2; exit 3' >"$work/out" 2>"$work/err"
    status=$?
    [ $status = 3 ] || fail "$name: exit $status, wanted 3"
    [ "$(cat "$work/out")" = out ] || fail "$name: stdout: $(cat "$work/out")"
    expect "$name: stderr" "^err$" "$(cat "$work/err")"
    expect "$name: stdin" "^hi$" "$(echo hi | bounded "$client" exec -i p -- cat)"
    expect "$name: container" "^other$" "$(bounded "$client" exec two -c other -- sh -c 'echo $WHO')"
    expect "$name: default container" "^$" "$(bounded "$client" exec two -- sh -c 'echo $WHO' 2>/dev/null)"
done

step "ten megabytes through stdin and stdout"
head -c 10000000 /dev/urandom >"$work/big"
for client in "${clients[@]}"; do
    bounded "$client" exec -i p -- cat <"$work/big" >"$work/back" || fail "cat: $?"
    cmp "$work/big" "$work/back" || fail "${client##*/}: the bytes differ"
done

step "cp both ways"
for client in "${clients[@]}"; do
    bounded "$client" cp "$work/big" p:/tmp/big 2>&1 || fail "cp to the pod"
    bounded "$client" cp p:/tmp/big "$work/copied" >/dev/null 2>&1 || fail "cp from the pod"
    cmp "$work/big" "$work/copied" || fail "${client##*/}: the copy differs"
    kubectl exec p -- rm /tmp/big
done

step "a terminal"
for client in "${clients[@]}"; do
    out=$(timeout 30 script -qec "stty rows 31 cols 91; $client exec -it p -- sh -c 'until stty size 2>&1 | grep -q 91; do sleep 0.1; done; stty size; tty; echo \$TERM; exit 5'" /dev/null </dev/null)
    status=$?
    [ $status = 5 ] || fail "exit $status of a terminal, wanted 5: $out"
    for line in '/dev/pts/[0-9]+' '31 91' 'xterm'; do expect "${client##*/}: terminal" "$line" "$out"; done
done

step "run -it --rm, and run -i with a pipe"
client=${clients[-1]}
out=$( (until phase_is shell Running 2>/dev/null; do read -rt 0.1 <> <(:) || true; done
    read -rt 1 <> <(:) || true # until kubectl is attached: only it knows
    echo 'echo a$((20+22))b; exit 6') | timeout 60 script -qec "$client run shell -it --rm --restart=Never --image=keelson/demo:1 --command -- sh" /dev/null)
status=$?
[ $status = 6 ] || fail "run -it: exit $status, wanted 6: $out"
expect "run -it" "a42b" "$out"
expect "--rm" "deleted" "$out"
expect "run -i" "^some words$" "$(echo some words | bounded "$client" run words -i --rm --restart=Never --image=keelson/demo:1 --command -- cat 2>/dev/null)"

step "attach"
for client in "${clients[@]}"; do
    timeout 2 "$client" attach ticker >"$work/out" 2>"$work/err"
    expect "${client##*/}: stdout" "^tick [0-9]+$" "$(cat "$work/out")"
    expect "${client##*/}: stderr" "^tock [0-9]+$" "$(cat "$work/err")"
done
expect "its log goes on" "^tick 1$" "$(kubectl logs ticker)"

step "refusals are said as the kubelet says them"
expect "no such program" "executable file .?no-such-thing.? not found" "$(bounded "$client" exec p -- no-such-thing 2>&1)"
expect "container" "container zz is not valid for pod p" "$(bounded "$client" exec p -c zz -- true 2>&1)"
expect "pod" 'pods "absent" not found' "$(bounded "$client" exec absent -- true 2>&1)"
kubectl run done --image=keelson/demo:1 --restart=Never --command -- true >/dev/null
until_true 20 "it is done" phase_is done Succeeded
expect "a pod that is done" "cannot exec into a container in a completed pod" "$(bounded "$client" exec done -- true 2>&1)"
raw() { # path and query, more arguments: what the apiserver answers to curl's handshake
    local path=$1
    shift
    kubectl config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d >"$work/me.crt"
    kubectl config view --raw -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d >"$work/me.key"
    curl -sk -m 10 --http1.1 --cert "$work/me.crt" --key "$work/me.key" "$@" \
        "$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')/api/v1/namespaces/default/pods/$path"
}
handshake=(-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Protocol: v5.channel.k8s.io'
    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
expect "no command" "you must specify at least 1 command" "$(raw 'p/exec?stdout=1' "${handshake[@]}")"
expect "no upgrade" "Upgrade request required" "$(raw 'p/exec?stdout=1&command=ls')"
expect "no container" 'a container name must be specified for pod two, choose one of: \[one other\]' "$(raw 'two/exec?stdout=1&command=ls' "${handshake[@]}")"
expect "a container that does not run" 'container not found \("done"\)|pod does not exist' "$(raw 'done/exec?stdout=1&command=ls' "${handshake[@]}")"
expect "no stream" "at least 1 of stdin, stdout, stderr" "$(raw 'p/exec?command=ls' "${handshake[@]}")"
expect "an unknown protocol" "v5.channel.k8s.io" "$(raw 'p/exec?stdout=1&command=ls' "${handshake[@]/v5.channel/v9.channel}")"
if [ -x "$old_client" ]; then
    expect "SPDY" "over WebSocket .v5.channel.k8s.io. and not over SPDY" "$(bounded "$old_client" exec p -- true 2>&1)"
fi
kubectl create serviceaccount nobody >/dev/null
kubectl config view --raw --minify >"$work/nobody.kubeconfig"
kubectl --kubeconfig "$work/nobody.kubeconfig" config set-credentials nobody --token="$(kubectl create token nobody)" >/dev/null
kubectl --kubeconfig "$work/nobody.kubeconfig" config set-context --current --user=nobody >/dev/null
as_nobody() { bounded "$client" --kubeconfig "$work/nobody.kubeconfig" "$@" 2>&1; }
kubectl create role sees-pods --verb=get --resource=pods >/dev/null
kubectl create rolebinding nobody --role=sees-pods --serviceaccount=default:nobody >/dev/null
until_true 10 "it sees pods" as_nobody get pod p
expect "forbidden" 'pods "p" is forbidden: User "system:serviceaccount:default:nobody" cannot create resource "pods/exec" in API group "" in the namespace "default"' "$(as_nobody exec p -- true)"
kubectl create role execs --verb=create --resource=pods/exec >/dev/null
kubectl create rolebinding nobody-execs --role=execs --serviceaccount=default:nobody >/dev/null
until_true 10 "whoever may create may exec" as_nobody exec p -- true

step "a client that leaves takes its command along"
timeout 2 "$client" exec p -- sleep 54321
until_true 10 "it is gone" runs_not "sleep 54321"
# Nobody reads that input: it is held back on the way. What the client's own kernel still holds when it is killed hides its
# end from us until that kernel gives up, in about a minute: so it is less than the way takes.
head -c 2000000 "$work/big" >"$work/some"
"$client" exec -i p -- sleep 54322 <"$work/some" >/dev/null 2>&1 &
held=$!
until_true 10 "it runs" runs_with "^sleep 54322"
kill -9 "$held"
wait "$held" 2>/dev/null
until_true 10 "it is gone" runs_not "^sleep 54322"

step "a container killed during exec"
bounded "$client" exec two -c one -- sleep 54323 >"$work/out" 2>&1 &
waiting=$!
until_true 10 "it runs" runs_with "^sleep 54323"
kubectl delete pod two --wait=false >/dev/null
wait "$waiting"
status=$?
[ $status = 137 ] || fail "exit $status, wanted 137: $(cat "$work/out")"

step "an agent killed during exec"
bounded "$client" exec p -- sleep 3 >"$work/out" 2>&1 &
waiting=$!
until_true 10 "it runs" runs_with "^sleep 3$"
keelson kill node-1 >/dev/null 2>&1 || fail "kill"
wait "$waiting" && fail "the client did not hear of it"
keelson start node-1 >/dev/null 2>&1 || fail "start"
again() { bounded "$client" exec p -- true; }
until_true 60 "exec works again" again

step "twenty at once, through every apiserver"
pids=()
for i in $(seq 20); do
    (head -c 500000 "$work/big" | bounded "${clients[$((i % ${#clients[@]}))]}" exec -i p -- md5sum | cut -c1-32 >"$work/sum.$i") &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "one of them failed"; done
wanted=$(head -c 500000 "$work/big" | md5sum | cut -c1-32)
for i in $(seq 20); do [ "$(cat "$work/sum.$i")" = "$wanted" ] || fail "sum $i: $(cat "$work/sum.$i")"; done

step "a hundred in a row leave nothing behind"
processes=(node-1.nodeagent master-1.apiserver master-2.apiserver master-3.apiserver)
declare -A before
sleepers() { kubectl exec p -- true >/dev/null; }
sleepers
for process in "${processes[@]}"; do before[$process]=$(open_files "$process"); done
for i in $(seq 100); do bounded "$kubectl_program" exec p -- true || fail "exec $i"; done
few_files() { [ "$(open_files "$1")" -le $((before[$1] + 4)) ]; }
for process in "${processes[@]}"; do
    until_true 10 "$process: $(open_files "$process") open files, ${before[$process]} before, $(memory_kb "$process") KB" few_files "$process"
done
[ "$(find "$CLUSTER_DIR" -type d -name 'exec-*' 2>/dev/null | wc -l)" -le 1 ] || fail "folders of commands are left"
errors=$(grep -hE 'level=error|ASSERT|panic' "$CLUSTER_DIR"/logs/*nodeagent* "$CLUSTER_DIR"/logs/*apiserver* | head -n 5)
[ -z "$errors" ] || fail "errors in the logs: $errors"
