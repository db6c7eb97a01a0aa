#!/usr/bin/env bash
# The first story: an unmodified kubectl runs pods on a cluster of three masters and two nodes, and a killed master costs
# nothing. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"

step "kubectl is $("$kubectl_program" version --client 2>/dev/null | head -n 1)"
step "up"
out=$(keelson up 2>&1) || fail "keelson up: $out"
expect "up" "ready: https://" "$out"

step "two nodes are Ready"
out=$(kubectl get nodes -o wide) || fail "get nodes"
[ "$(grep -cE '^node-[12] +Ready .* crun://[0-9]+\.' <<<"$out")" = 2 ] || fail "two Ready nodes wanted: $out"

step "a deployment runs, one pod on each node, each with an address"
expect "create" "deployment.apps/web created" "$(kubectl create deployment web --image=keelson/demo:1 --replicas=2 2>&1)"
until_true 30 "2 of 2 Running" running app=web 2
out=$(kubectl get pods -o wide --no-headers)
[ "$(awk '{print $7}' <<<"$out" | sort -u | wc -l)" = 2 ] || fail "pods on two different nodes wanted: $out"
[ "$(grep -cE ' 10\.244\.[12]\.[0-9]+ ' <<<"$out")" = 2 ] || fail "pod addresses wanted: $out"

step "a node reaches both pods"
node_ns=$(ip netns list | grep -oE "$(tag)-node-1")
for pod in $(kubectl get pods -o name); do
    name=${pod#pod/}
    ip=$(kubectl get "$pod" -o 'jsonpath={.status.podIP}')
    expect "curl $ip" "^keelson demo 1 on $name\$" "$(ip netns exec "$node_ns" curl -sS -m 5 "http://$ip:8080/" 2>&1)"
done

step "logs"
out=$(kubectl logs "$name") || fail "kubectl logs: $out"
expect "logs" "response:200" "$out"
[ "$(kubectl logs "$name" --tail=1 | wc -l)" = 1 ] || fail "--tail=1 wants one line"
expect "logs --timestamps" "^20[0-9]{2}-.*Z .*response:200" "$(kubectl logs "$name" --tail=1 --timestamps)"

kubectl logs -f "$name" >"$work/followed" 2>&1 &
follower=$!
until_true 5 "logs -f has begun" grep -q listens "$work/followed"
ip netns exec "$node_ns" curl -sS -o /dev/null -m 5 "http://$ip:8080/followed"
until_true 5 "logs -f goes on" grep -q "response:404" "$work/followed"
kill "$follower"
wait "$follower" 2>/dev/null

step "watch shows what scale does; five pods"
kubectl get pods -w --no-headers >"$work/watch" 2>&1 &
watcher=$!
expect "scale" "scaled" "$(kubectl scale deployment web --replicas=5 2>&1)"
until_true 30 "5 of 5 Running" running app=web 5
until_true 5 "the watch has seen it" grep -q ContainerCreating "$work/watch"
kill "$watcher"
wait "$watcher" 2>/dev/null

step "a deleted pod is replaced"
victim=$(kubectl get pods -o 'jsonpath={.items[0].metadata.name}')
expect "delete" "deleted" "$(kubectl delete pod "$victim" 2>&1)"
until_true 20 "5 of 5 again" running app=web 5
refuse "pods" "^$victim " "$(kubectl get pods --no-headers)"

step "what came of it in events"
out=$(kubectl get events)
for reason in Scheduled Pulled Created Started Killing; do expect "events" " $reason " "$out"; done

step "rsctl looks into the store"
. "$CLUSTER_DIR/rsctl.env"
pod=$(kubectl get pods -o 'jsonpath={.items[0].metadata.name}')
expect "keys" "^/registry/pods/default/$pod\$" "$(rsctl get --prefix --keys-only /registry)"
expect "value" "^\{.*\"name\":\"$pod\"" "$(rsctl get /registry/pods/default/"$pod")"
out=$(rsctl endpoint status -w table) || fail "endpoint status: $out"
[ "$(grep -cE '\| +172\.30\.' <<<"$out")" = 3 ] || fail "three members wanted: $out"
[ "$(grep -cE '\| +true \|' <<<"$out")" = 1 ] || fail "one leader wanted: $out"

step "bad input"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: "no"}\n' >"$work/bad.yaml"
out=$(kubectl create -f "$work/bad.yaml" --validate=false 2>&1) && fail "a malformed manifest was taken: $out"
expect "malformed manifest" "containers" "$out"
printf 'kind: Pod\n  broken' >"$work/worse.yaml"
out=$(kubectl create -f "$work/worse.yaml" 2>&1) && fail "broken YAML was taken"
kubectl run nosuch --image=localhost:1/no/such:1 >/dev/null 2>&1
has_pull_error() { kubectl get pod nosuch --no-headers | grep -qE 'ErrImagePull|ImagePullBackOff'; }
until_true 30 "an unknown image is said" has_pull_error
kubectl create -f - >/dev/null <<<'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"badname"},"spec":{"containers":[{"name":"a","image":"UPPER:x:"}]}}'
has_name_error() { kubectl get pod badname --no-headers | grep -q InvalidImageName; }
until_true 10 "a bad image name is said" has_name_error
expect "second up" "is running: nothing changed" "$(keelson up 2>&1)"
expect "unknown member" "the cluster has no master-9" "$(keelson kill master-9 2>&1)"
kubectl delete pod nosuch badname --wait=false >/dev/null

step "a crashing container is restarted with a back-off, and --previous shows its last words"
kubectl run crash --image=keelson/demo:1 --restart=Always --command -- sh -c 'echo last words; exit 3' >/dev/null
crashes() { kubectl get pod crash --no-headers | grep -q CrashLoopBackOff; }
until_true 30 "CrashLoopBackOff" crashes
expect "last state" "^3 Error\$" "$(kubectl get pod crash -o 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode} {.status.containerStatuses[0].lastState.terminated.reason}')"
expect "previous logs" "last words" "$(kubectl logs crash --previous 2>&1)"
kubectl delete pod crash --now >/dev/null

step "containers outlive their agent"
pod=$(kubectl get pods -l app=web -o wide --no-headers | awk '$7 == "node-1" {print $1; exit}')
start=$(kubectl get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].state.running.startedAt}')
keelson stop node-1 >/dev/null || fail "stop node-1"
ip=$(kubectl get pod "$pod" -o 'jsonpath={.status.podIP}')
expect "curl without an agent" "on $pod" "$(ip netns exec "$node_ns" curl -sS -m 5 "http://$ip:8080/" 2>&1)"
keelson start node-1 >/dev/null || fail "start node-1"
logs_answer() { kubectl logs "$pod" --tail=1; }
until_true 20 "the agent is back" logs_answer
[ "$(kubectl get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].state.running.startedAt}')" = "$start" ] || fail "the container was restarted"
[ "$(kubectl get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" = 0 ] || fail "restartCount is not 0"

step "the leader's master is killed"
leader_ip=$(rsctl endpoint status -w table | grep -E '\| +true \|' | grep -oE '172\.30\.[0-9]+\.[0-9]+' | head -n 1)
master=$(keelson status | awk -v ip="$leader_ip" '$2 == ip {print $1; exit}')
[ -n "$master" ] || fail "the leader's master was not found for $leader_ip"
victim=$(kubectl get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')
keelson kill "$master" >/dev/null || fail "kill $master"
read_works() { timeout 5 "$kubectl_program" get pods; }
write_works() { timeout 5 "$kubectl_program" create configmap "after-$RANDOM$RANDOM" --from-literal=a=b; }
until_true 5 "a read" read_works
until_true 5 "a write" write_works
timeout 15 "$kubectl_program" delete pod "$victim" --wait=false >/dev/null 2>&1 || fail "delete after the kill"
replaced() { running app=web 5 && ! kubectl get pod "$victim"; }
until_true 20 "its pod is replaced" replaced
expect "status" "$master .*stopped" "$(keelson status)"

step "it comes back and the members agree"
keelson start "$master" >/dev/null || fail "start $master"
three_up() { [ "$(rsctl endpoint status -w table | grep -cE '\| +172\.30\.')" = 3 ] && [ "$(rsctl endpoint hashkv -w simple | grep -c .)" = 3 ]; }
until_true 30 "three members answer" three_up
hashes_agree() { # asked one after the other: writes in between are waited out
    local out
    out=$(rsctl endpoint hashkv -w simple) && [ "$(grep -c . <<<"$out")" = 3 ] && [ "$(awk '{print $NF}' <<<"$out" | sort -u | wc -l)" = 1 ]
}
until_true 20 "hashes agree" hashes_agree

step "down leaves nothing"
kubectl delete deployment web >/dev/null || fail "delete deployment"
gone() { [ -z "$(kubectl get pods -l app=web --no-headers 2>/dev/null)" ]; }
until_true 40 "its pods are gone" gone
prefix=$(tag) network=$(grep -oE '172\.30\.[0-9]+\.' "$KUBECONFIG" | head -n 1)
out=$(keelson down 2>&1) || fail "down: $out"
expect "down" "nothing is left" "$out"
[ ! -e "$CLUSTER_DIR" ] || fail "the folder is still there: $(ls -A "$CLUSTER_DIR")"
refuse "namespaces" "$prefix" "$(ip netns list)"
refuse "network devices" "$prefix" "$(ip -o link)"
refuse "mounts" "$CLUSTER_DIR|$prefix" "$(cat /proc/self/mountinfo)"
refuse "packet rules" "$prefix|$network" "$(nft list ruleset 2>&1)"
[ -z "$(find /sys/fs/cgroup -maxdepth 2 -name "keelson-${prefix#kn}")" ] || fail "cgroups are left"
echo "$CLUSTER_DIR" >"$work/pattern"
out=$(grep -lsF -f "$work/pattern" /proc/[0-9]*/cmdline)
[ -z "$out" ] || fail "processes are left: $out"
echo "story: all of it holds"
