#!/usr/bin/env bash
# What a pod's settings do on a node, seen from inside and outside of it: ports of the node, shared and the node's own
# namespaces, groups, sysctls, the system call filter, sidecars, readiness gates; and that the rest is refused by name. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 2>&1) || fail "keelson up: $out"
network=$(grep -oE '172\.30\.[0-9]+' "$KUBECONFIG" | head -n 1)
node_1=$(tag)-node-1 node_2=$(tag)-node-2
phase_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = "$2" ]; }
ready_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
told_event() { kubectl get events | grep -E "$1"; }

step "hostPort: from the other node, from a pod, on the node itself; gone with the pod"
kubectl create -f - >/dev/null <<JSON || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ported"}, "spec": {"nodeName": "node-1", "containers": [{"name": "main",
 "image": "keelson/demo:1", "env": [{"name": "DEMO_LINGER_S", "value": "0"}],
 "ports": [{"containerPort": 8080, "hostPort": 8088}, {"containerPort": 8080, "hostPort": 8089, "hostIP": "$network.101"}]}]}}
JSON
until_true 20 "it runs" phase_is ported Running
asks() { ip netns exec "$1" curl -sf -m 2 "$2" | grep "keelson demo 1 on ported"; }
for port in 8088 8089; do
    until_true 5 "from the other node" asks "$node_2" "$network.101:$port"
    until_true 5 "on the node" asks "$node_1" "$network.101:$port"
done
kubectl run asker --image=keelson/demo:1 --restart=Never --command -- curl -sf -m 3 "$network.101:8088" >/dev/null || fail "run"
until_true 20 "it has asked" phase_is asker Succeeded
expect "from a pod" "on ported" "$(kubectl logs asker)"
kubectl delete pod ported --now >/dev/null 2>&1 || fail "delete"
refuse "rules left behind" "8088" "$(ip netns exec "$node_1" nft list ruleset 2>/dev/null)"
[ -z "$(find "$CLUSTER_DIR/data/node-1/cni" -name 'ports-*')" ] || fail "the ports of a pod that is gone are still noted"

step "one process namespace for the pod; the node's own"
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shared"}, "spec": {"shareProcessNamespace": true, "containers": [
 {"name": "server", "image": "keelson/demo:1"},
 {"name": "looker", "image": "keelson/demo:1", "command": ["sh", "-c", "until pidof demo; do sleep 0.1; done; ps; exec sleep 1000"]}]}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "wide"}, "spec": {"hostPID": true, "hostIPC": true, "restartPolicy": "Never", "containers": [
 {"name": "main", "image": "keelson/demo:1", "command": ["sh", "-c", "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc"]}]}}]}
JSON
logged() { kubectl logs "$1" -c "$2" 2>/dev/null | grep -E "$3"; }
until_true 20 "the other container is seen" logged shared looker ' 1 .*pause'
until_true 20 "it has looked" phase_is wide Succeeded
[ "$(kubectl logs wide)" = "$(readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc)" ] || fail "not the node's own: $(kubectl logs wide)"
kubectl delete pod shared wide --now >/dev/null 2>&1 || fail "delete"

step "subPathExpr, fsGroup, sysctls, the system call filter"
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"k": "v"}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "owned"}, "spec": {"restartPolicy": "Never", "securityContext": {"fsGroup": 4321,
  "runAsUser": 1000, "runAsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"},
  "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]},
 "volumes": [{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "conf", "defaultMode": 256}}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "env": [{"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
  "command": ["sh", "-c", "id -G; touch /e/f && stat -c %g /e/f; ls /e; cat /c/k; echo; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -E '^Seccomp:' /proc/self/status"],
  "volumeMounts": [{"name": "e", "mountPath": "/e"}, {"name": "c", "mountPath": "/c"},
   {"name": "e", "mountPath": "/sub", "subPathExpr": "of-$(ME)"}]}]}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost"}, "spec": {"volumes": [{"name": "e", "emptyDir": {}}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "volumeMounts": [{"name": "e", "mountPath": "/e", "subPathExpr": "$(NOBODY)"}]}]}}]}
JSON
until_true 20 "it has succeeded" phase_is owned Succeeded
out=$(kubectl logs owned)
for line in '^1000 4321$' '^4321$' '^of-owned$' '^v$' '^80$' '^Seccomp:.2$'; do expect "what it saw" "$line" "$out"; done
lost_told() { kubectl get pod lost -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason} {.status.containerStatuses[0].state.waiting.message}' | grep -F 'CreateContainerConfigError subPathExpr $(NOBODY)'; }
until_true 20 "an unknown variable is told" lost_told

step "a sidecar starts first, is there throughout, and lets the pod succeed"
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "side"}, "spec": {"restartPolicy": "Never", "volumes": [{"name": "e", "emptyDir": {}}],
 "initContainers": [{"name": "helper", "image": "keelson/demo:2", "restartPolicy": "Always", "env": [{"name": "DEMO_LINGER_S", "value": "0"}],
   "startupProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}},
  {"name": "then", "image": "keelson/demo:1", "command": ["sh", "-c", "curl -sf 127.0.0.1:8080 >/e/then"], "volumeMounts": [{"name": "e", "mountPath": "/e"}]}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "command": ["sh", "-c", "cat /e/then; curl -sf 127.0.0.1:8080"],
  "volumeMounts": [{"name": "e", "mountPath": "/e"}]}]}}
JSON
until_true 30 "it has succeeded" phase_is side Succeeded
[ "$(kubectl logs side -c main | grep -c 'keelson demo 2 on side')" = 2 ] || fail "the sidecar answered: $(kubectl logs side -c main)"
helper_ended() { [ "$(kubectl get pod side -o 'jsonpath={.status.initContainerStatuses[0].state.terminated.exitCode} {.status.initContainerStatuses[0].restartCount}')" = "0 0" ]; }
until_true 10 "the sidecar was ended gracefully" helper_ended

step "readiness gates"
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gated"}, "spec": {"readinessGates": [{"conditionType": "example.org/open"}],
 "containers": [{"name": "main", "image": "keelson/demo:1"}]}}
JSON
gate_told() { kubectl get pod gated -o 'jsonpath={.status.conditions[?(@.type=="ContainersReady")].status} {.status.conditions[?(@.type=="Ready")].reason}' | grep -x "True ReadinessGatesNotReady"; }
until_true 20 "its containers are ready, it is not" gate_told
kubectl patch pod gated --subresource=status -p '{"status":{"conditions":[{"type":"example.org/open","status":"True"}]}}' >/dev/null || fail "patch"
until_true 10 "the gate opens" ready_is gated True

step "what cannot be honoured is refused by name"
refused() { # name, message
    kubectl get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}' | grep -F "Unsupported: $2"
}
kubectl create -f - >/dev/null <<'JSON' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "no-profile"}, "spec": {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}},
 "containers": [{"name": "main", "image": "keelson/demo:1"}]}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "no-grpc"}, "spec": {"containers": [{"name": "main", "image": "keelson/demo:1",
 "readinessProbe": {"grpc": {"port": 8080}}}]}}]}
JSON
until_true 10 "in its status" refused no-profile "securityContext.seccompProfile.type Localhost of the pod is not supported"
until_true 10 "in its status" refused no-grpc "readinessProbe.grpc of container main is not supported"
until_true 10 "in an event" told_event 'Warning +Unsupported +pod/no-grpc +readinessProbe.grpc of container main'
echo "pod_settings: all of it holds"
