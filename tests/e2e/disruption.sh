#!/usr/bin/env bash
# Disruption budgets: the controller counts, evictions spend, drain waits and goes on when pods elsewhere are ready.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 --nodes 2 2>&1) || fail "keelson up: $out"
counts() { kubectl get pdb "$1" -o 'jsonpath={.status.disruptionsAllowed} {.status.currentHealthy} {.status.desiredHealthy} {.status.expectedPods} {.status.conditions[0].reason}'; }
counts_are() { [ "$(counts "$1")" = "$2" ]; }
names() { kubectl get pods -l "$1" -o 'jsonpath={.items[*].metadata.name}'; }
# The eviction of a pod over HTTP: its code and body in $work/evict.
kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d >"$work/ca"
kubectl config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d >"$work/cert"
kubectl config view --raw -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d >"$work/key"
server=$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')
evict() { # pod, body's deleteOptions, query
    curl -s -m 20 --cacert "$work/ca" --cert "$work/cert" --key "$work/key" -o "$work/evict" -w '%{http_code}' -H 'Content-Type: application/json' \
        -d "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"$1\",\"namespace\":\"default\"},\"deleteOptions\":$2}" \
        "$server/api/v1/namespaces/default/pods/$1/eviction$3"
}

step "the controller counts"
kubectl create deployment web --image=keelson/demo:1 --replicas=2 >/dev/null || fail "create"
kubectl create poddisruptionbudget web --selector=app=web --min-available=2 >/dev/null || fail "create pdb"
until_true 20 "both pods are ready" running app=web 2
until_true 5 "two of two healthy, none may go" counts_are web "0 2 2 2 InsufficientPods"
kubectl scale deployment web --replicas=3 >/dev/null
until_true 10 "one of three may go" counts_are web "1 3 2 3 SufficientPods"
kubectl patch pdb web --type=merge -p '{"spec":{"minAvailable":"67%"}}' >/dev/null || fail "patch"
until_true 5 "two thirds of three, rounded up" counts_are web "0 3 3 3 InsufficientPods"
kubectl patch pdb web --type=merge -p '{"spec":{"minAvailable":null,"maxUnavailable":2}}' >/dev/null || fail "patch"
until_true 5 "all but two" counts_are web "2 3 1 3 SufficientPods"

step "evictions over HTTP"
pod=$(names app=web | cut -d' ' -f1)
[ "$(evict "$pod" '{"dryRun":["All"]}' '')" = 201 ] || fail "dry run in the body: $(cat "$work/evict")"
[ "$(evict "$pod" '{}' '?dryRun=All')" = 201 ] || fail "dry run in the query: $(cat "$work/evict")"
counts_are web "2 3 1 3 SufficientPods" || fail "a dry run spent: $(counts web)"
kubectl get pod "$pod" -o 'jsonpath={.metadata.deletionTimestamp}' | grep -q . && fail "a dry run deleted"
kubectl patch pdb web --type=merge -p '{"spec":{"maxUnavailable":0}}' >/dev/null || fail "patch"
until_true 5 "none may be missing" counts_are web "0 3 3 3 InsufficientPods"
[ "$(evict "$pod" '{}' '')" = 429 ] || fail "no budget: $(cat "$work/evict")"
expect "its words" "Cannot evict pod as it would violate the pod's disruption budget" "$(cat "$work/evict")"
expect "its cause" "The disruption budget web needs 3 healthy pods and has 3 currently" "$(cat "$work/evict")"

step "two budgets of one pod"
kubectl create poddisruptionbudget second --selector=app=web --min-available=0 >/dev/null || fail "create pdb"
until_true 5 "the second is counted" counts_are second "3 3 0 3 SufficientPods"
[ "$(evict "$pod" '{}' '')" = 500 ] || fail "two budgets: $(cat "$work/evict")"
expect "its words" "more than one PodDisruptionBudget" "$(cat "$work/evict")"
kubectl delete pdb second >/dev/null

step "pods that are not ready"
kubectl create -f - >/dev/null <<'OBJECTS' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sick", "labels": {"app": "sick"}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
    {"name": "c", "image": "keelson/demo:1", "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}]}},
  {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "sick"},
   "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "sick"}}}}]}
OBJECTS
is_running() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = Running ]; }
until_true 20 "it runs" is_running sick
until_true 5 "it is counted, and not healthy" counts_are sick "0 0 1 1 InsufficientPods"
[ "$(evict sick '{}' '')" = 429 ] || fail "IfHealthyBudget: $(cat "$work/evict")"
kubectl patch pdb sick --type=merge -p '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}' >/dev/null || fail "patch"
evicted() { [ "$(evict sick '{}' '')" = 201 ]; }
until_true 5 "AlwaysAllow lets it go" evicted
kubectl delete pdb sick >/dev/null

step "drain waits for the budget, and goes on when a pod elsewhere is ready"
kubectl patch pdb web --type=merge -p '{"spec":{"maxUnavailable":null,"minAvailable":3}}' >/dev/null || fail "patch"
until_true 5 "all three are needed" counts_are web "0 3 3 3 InsufficientPods"
node=$(kubectl get pod "$pod" -o 'jsonpath={.spec.nodeName}')
"$kubectl_program" drain "$node" --ignore-daemonsets --timeout=60s >"$work/drain" 2>&1 &
drain=$!
helpers+=("$drain")
said() { grep -q "Cannot evict pod as it would violate the pod's disruption budget" "$work/drain"; }
until_true 15 "drain is refused and tries again" said
[ -n "$(kubectl get pods -l app=web --field-selector "spec.nodeName=$node" -o name)" ] || fail "drain evicted against the budget"
kubectl scale deployment web --replicas=4 >/dev/null
wait "$drain" || fail "drain: $(cat "$work/drain")"
expect "drain" "drained" "$(cat "$work/drain")"
[ -z "$(kubectl get pods -l app=web --field-selector "spec.nodeName=$node" -o name)" ] || fail "pods are left on the drained node"
until_true 20 "four pods elsewhere" running app=web 4
until_true 5 "one of four may go, no eviction is awaited" counts_are web "1 4 3 4 SufficientPods"
[ -z "$(kubectl get pdb web -o 'jsonpath={.status.disruptedPods}')" ] || fail "disruptedPods: $(kubectl get pdb web -o 'jsonpath={.status.disruptedPods}')"
step "down"
