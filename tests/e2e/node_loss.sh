#!/usr/bin/env bash
# A node dies with all its processes: it is told NotReady, its pods are evicted when their toleration is over and replaced on
# the other node, services let go of them; it comes back clean. Waits out the node's real grace period of 40 s. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 2>&1) || fail "keelson up: $out"
node_1=$(tag)-node-1 node_2=$(tag)-node-2
told_event() { kubectl get events -A | grep -E "$1"; }
node_is() { kubectl get node "$1" --no-headers | grep -E " $2 "; }

step "a deployment on both nodes, behind a service"
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 4,
  "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
   "tolerations": [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
                   {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
   "containers": [{"name": "demo", "image": "keelson/demo:1"}]}}}},
 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"},
  "ports": [{"port": 80, "targetPort": 8080}]}}]}
JSON
until_true 30 "4 of 4 Running" running app=web 4
address=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
mapfile -t lost < <(kubectl get pods -l app=web -o 'jsonpath={range .items[?(@.spec.nodeName=="node-2")]}{.metadata.name} {.metadata.uid}{"\n"}{end}')
[ "${#lost[@]}" -ge 1 ] || fail "no pod on node-2: $(kubectl get pods -o wide)"
asks() { ip netns exec "$1" curl -sf -m 2 "$address"; }
until_true 10 "the service answers from both nodes" asks "$node_1"
until_true 10 "the service answers from both nodes" asks "$node_2"

step "the node dies"
begin=$EPOCHREALTIME
keelson kill node-2 >/dev/null || fail "kill node-2"
until_true 60 "NotReady" node_is node-2 NotReady
[ "$(awk "BEGIN{print ($EPOCHREALTIME - $begin >= 30)}")" = 1 ] || fail "told NotReady before its grace period was over"
until_true 5 "an event of the node" told_event 'Normal +NodeNotReady +node/node-2 +Node node-2 status is now: NodeNotReady'
until_true 5 "an event of its pod" told_event "Warning +NodeNotReady +pod/${lost[0]% *} +Node is not ready"
unknown() { [ "$(kubectl get node node-2 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}')" = "Unknown NodeStatusUnknown" ]; }
unknown || fail "Ready condition: $(kubectl get node node-2 -o 'jsonpath={.status.conditions}')"
tainted() { kubectl get node node-2 -o 'jsonpath={range .spec.taints[*]}{.key}:{.effect} {end}' | grep -E 'node.kubernetes.io/unreachable:NoSchedule.*unreachable:NoExecute|unreachable:NoExecute.*unreachable:NoSchedule'; }
until_true 5 "tainted" tainted

step "services let go of its pods"
without() { ! ip netns exec "$node_1" nft list map ip kube-proxy endpoints | grep ': 10\.244\.2\.'; }
until_true 5 "no rule leads there" without
for _ in $(seq 30); do asks "$node_1" >/dev/null || fail "a request was lost after the rules had changed"; done

step "its pods are evicted and replaced"
evicted() { kubectl get pod "${lost[0]% *}" -o 'jsonpath={.metadata.deletionTimestamp}' | grep .; }
until_true 20 "marked for deletion" evicted
until_true 5 "an event says so" told_event "Normal +TaintManagerEviction +pod/${lost[0]% *} +Marking for deletion Pod default/${lost[0]% *}"
replaced() { [ "$(kubectl get pods -l app=web -o wide --no-headers | grep -cE ' 1/1 +Running .* node-1 ')" = 4 ]; }
until_true 30 "4 run on the other node" replaced

step "the node is back: what it had run is cleared away, it is Ready, its rules are right"
keelson start node-2 >/dev/null || fail "start node-2"
until_true 20 "Ready" node_is node-2 Ready
cleared() {
    local one
    for one in "${lost[@]}"; do
        kubectl get pod "${one% *}" 2>/dev/null && return 1
        [ ! -e "$CLUSTER_DIR/data/node-2/run/${one#* }" ] || return 1
    done
}
until_true 30 "its old pods are gone here and there" cleared
untainted() { [ -z "$(kubectl get node node-2 -o 'jsonpath={.spec.taints}')" ]; }
until_true 10 "no taint is left" untainted
until_true 10 "the service answers there" asks "$node_2"
without_there() { ! ip netns exec "$node_2" nft list map ip kube-proxy endpoints | grep ': 10\.244\.2\.'; }
without_there || fail "rules of node-2 lead to what is gone: $(ip netns exec "$node_2" nft list map ip kube-proxy endpoints)"
kubectl scale deployment/web --replicas=8 >/dev/null || fail "scale"
used_again() { [ "$(kubectl get pods -l app=web -o wide --no-headers | grep -cE ' 1/1 +Running .* node-2 ')" -ge 1 ]; }
until_true 30 "pods run there again" used_again
echo "node_loss: all of it holds"
