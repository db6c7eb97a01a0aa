#!/usr/bin/env bash
# Nothing is lost when pods go away: a Service under steady load from a node and from a pod, over new connections and over one
# that is kept, while its Deployment is changed, restarted, scaled and drained. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
images=$PWD/build/images
step "up"
out=$(keelson up --masters 1 2>&1) || fail "keelson up: $out"
node_1=$(tag)-node-1
on_node() { ip netns exec "$node_1" "$@"; }
mkdir -p "$work/load"
end_loads() {
    kill "${helpers[@]}"
    wait "${helpers[@]}" 2>/dev/null
    helpers=()
}

deployment() { # name, linger in seconds, lifecycle as JSON
    kubectl create -f - >/dev/null <<JSON || fail "create deployment $1"
{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "$1"}, "spec": {"replicas": 3,
  "selector": {"matchLabels": {"app": "$1"}}, "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
  "template": {"metadata": {"labels": {"app": "$1"}}, "spec": {"containers": [{"name": "demo", "image": "keelson/demo:1",
   "env": [{"name": "DEMO_LINGER_S", "value": "$2"}], "lifecycle": $3,
   "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1}}]}}}},
 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "$1"}, "spec": {"selector": {"app": "$1"},
  "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}]}
JSON
    until_true 40 "3 of 3 ready" running "app=$1" 3
    address=$(kubectl get service "$1" -o 'jsonpath={.spec.clusterIP}')
    until_true 10 "the service answers" on_node curl -sf -m 1 "$address"
}
load_from_node() { # name, arguments of demo load
    local name=$1
    shift
    ip netns exec "$node_1" "$images/demo" load "$address:80" "$@" >"$work/load/$name" 2>&1 &
    helpers+=($!)
}
load_from_pod() {
    kubectl create -f - >/dev/null <<JSON || fail "create the pod that asks"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1"}, "spec": {"nodeName": "node-1", "restartPolicy": "Never",
 "volumes": [{"name": "h", "hostPath": {"path": "$work/load"}}], "containers": [{"name": "load", "image": "keelson/demo:1",
  "command": ["sh", "-c", "exec demo load $address:80 25 >/h/$1"], "volumeMounts": [{"name": "h", "mountPath": "/h"}]}]}}
JSON
    pod_runs() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = Running ]; }
    until_true 20 "the pod that asks runs" pod_runs "$1"
}
nothing_lost() { # the loads' names: ends them, and says what they counted
    local name line lost=0
    end_loads
    kubectl delete pod from-pod --now >/dev/null || fail "end the pod that asks"
    for name in "$@"; do
        line=$(grep -E '^asked ' "$work/load/$name") || fail "$name did not say what it counted: $(tail -n 5 "$work/load/$name")"
        echo "  $name: $line"
        [ "$(awk '{print ($2 > 100 && $4 == 0)}' <<<"$line")" = 1 ] || { grep failed "$work/load/$name" | head -n 20; lost=1; }
    done
    [ "$lost" = 0 ] || fail "requests were lost"
}
rolled_out() { kubectl rollout status "deployment/$1" --timeout=120s >/dev/null || fail "rollout of $1"; }
settled() { running "app=$1" "$2"; }

step "a server that honours TERM: image, restart, scale, drain"
deployment web 3 '{}'
load_from_node new-connections 25
load_from_node kept-connection keep-alive 25
load_from_pod from-pod
kubectl set image deployment/web demo=keelson/demo:2 >/dev/null || fail "set image"
rolled_out web
kubectl rollout restart deployment/web >/dev/null || fail "rollout restart"
rolled_out web
kubectl scale deployment/web --replicas=6 >/dev/null || fail "scale up"
until_true 40 "6 pods" settled web 6
kubectl scale deployment/web --replicas=2 >/dev/null || fail "scale down"
until_true 40 "2 pods" settled web 2
kubectl drain node-2 --timeout=60s >/dev/null 2>&1 || fail "drain: $(kubectl drain node-2 --timeout=1s 2>&1)"
until_true 40 "2 pods on the other node" settled web 2
kubectl uncordon node-2 >/dev/null || fail "uncordon"
nothing_lost new-connections kept-connection from-pod
expect "the new version serves" "keelson demo 2" "$(on_node curl -s -m 2 "$address")"

step "minReadySeconds and maxUnavailable: never fewer than 3 available, and no faster than that"
kubectl patch deployment web -p '{"spec": {"replicas": 3, "minReadySeconds": 3}}' >/dev/null || fail "patch"
available() { [ "$(kubectl get deployment web -o 'jsonpath={.status.availableReplicas}')" = "$1" ]; }
until_true 40 "3 available" available 3
"$kubectl_program" get deployment web -w -o 'jsonpath={.status.availableReplicas}{"\n"}' >"$work/available" &
helpers+=($!)
begin=$EPOCHREALTIME
kubectl set image deployment/web demo=keelson/demo:1 >/dev/null || fail "set image"
rolled_out web
[ "$(awk "BEGIN{print ($EPOCHREALTIME - $begin >= 6)}")" = 1 ] || fail "three pods, one after the other, were available in less than 3 x 2 s (times of conditions are whole seconds)"
end_loads
[ "$(sort -n "$work/available" | head -n 1)" = 3 ] || fail "available meanwhile: $(sort -n "$work/available" | uniq -c)"

step "a pod that is not ready gets nothing, and is asked again when it is"
mkdir -p "$work/closed"
kubectl create -f - >/dev/null <<JSON || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "moody"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "moody"}},
  "template": {"metadata": {"labels": {"app": "moody"}}, "spec": {"volumes": [{"name": "h", "hostPath": {"path": "$work/closed"}}],
   "containers": [{"name": "demo", "image": "keelson/demo:1", "volumeMounts": [{"name": "h", "mountPath": "/h"}],
   "readinessProbe": {"exec": {"command": ["sh", "-c", "! test -e /h/\$HOSTNAME"]}, "periodSeconds": 1, "failureThreshold": 1}}]}}}},
 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "moody"}, "spec": {"selector": {"app": "moody"},
  "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}]}
JSON
until_true 40 "2 of 2 ready" running app=moody 2
address=$(kubectl get service moody -o 'jsonpath={.spec.clusterIP}')
moods() { for _ in $(seq 30); do on_node curl -s -m 2 "$address" || echo nothing; done | sort -u; }
both() { [ "$(moods | grep -c 'keelson demo 1 on moody-')" = 2 ]; }
until_true 10 "both answer" both
load_from_node new-connections 25
closed=$(kubectl get pods -l app=moody -o 'jsonpath={.items[0].metadata.name}')
touch "$work/closed/$closed"
only_other() { local out; out=$(moods); [ "$(wc -l <<<"$out")" = 1 ] && [[ $out != *"$closed" ]] && [ "$out" != nothing ]; }
until_true 10 "only the other answers" only_other
rm "$work/closed/$closed"
until_true 10 "both answer again" both
end_loads
expect "what was asked meanwhile" "^asked [0-9]+ failed 0 " "$(grep '^asked' "$work/load/new-connections")"
echo "  new-connections: $(grep '^asked' "$work/load/new-connections")"
kubectl delete deployment,service moody >/dev/null || fail "delete"

step "one that exits at TERM, behind a preStop pause"
for hook in '{"sleep": {"seconds": 2}}' '{"exec": {"command": ["sleep", "2"]}}'; do
    deployment careless 0 "{\"preStop\": $hook}"
    load_from_node new-connections 25
    load_from_pod from-pod
    kubectl set image deployment/careless demo=keelson/demo:2 >/dev/null || fail "set image"
    rolled_out careless
    kubectl scale deployment/careless --replicas=1 >/dev/null || fail "scale down"
    until_true 40 "1 pod" settled careless 1
    nothing_lost new-connections from-pod
    kubectl delete deployment,service careless >/dev/null || fail "delete"
done

step "the only pod is replaced: what ends but still serves is asked"
deployment single 5 '{}'
kubectl scale deployment/single --replicas=1 >/dev/null || fail "scale down"
until_true 40 "1 pod" settled single 1
load_from_node new-connections 25
load_from_pod from-pod
kubectl delete pod -l app=single --wait=false >/dev/null || fail "delete the pod"
replaced() { [ "$(kubectl get pods -l app=single --no-headers | grep -cE ' 1/1 +Running ')" = 1 ] && settled single 1; }
until_true 40 "it is replaced" replaced
nothing_lost new-connections from-pod
echo "lossless: all of it holds"
