#!/usr/bin/env bash
# The second story: services, rollouts, identity and housekeeping, as a first hour with kubectl touches them; once with each
# kubectl that stands beside the one on PATH, and with the leader's master killed in the middle. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up 2>&1) || fail "keelson up: $out"
node_1=$(ip netns list | grep -oE "$(tag)-node-1")
. "$CLUSTER_DIR/rsctl.env"

folder=$(dirname "$(readlink -f "$found")")
programs=()
for version in 1.31 1.32 1.33; do
    [ -x "$folder/kubectl.$version" ] && programs+=("$folder/kubectl.$version")
done
[ ${#programs[@]} -gt 0 ] || programs=("$found")

phase_is() { [ "$(kubectl get pod -n "$space" "$1" -o 'jsonpath={.status.phase}')" = "$2" ]; }
in_pod() { # name, shell commands: what a pod of their own prints
    kubectl run -n "$space" "$1" --image=keelson/demo:1 --restart=Never --command -- sh -c "$2" >/dev/null || fail "kubectl run $1"
    until_true 30 "$1 has run" phase_is "$1" Succeeded
    seen=$(kubectl logs -n "$space" "$1")
}
rolled_out() { kubectl rollout status -n "$space" deployment/web --timeout=40s >/dev/null || fail "rollout status"; }
fair() { # what, answers: 60 of them, of two pods, each at least 15
    local counts
    counts=$(grep -v '^$' <<<"$2" | sort | uniq -c)
    [ "$(wc -l <<<"$counts")" = 2 ] && [ "$(awk '$1 >= 15' <<<"$counts" | wc -l)" = 2 ] && [ "$(awk '{ n += $1 } END { print n }' <<<"$counts")" = 60 ] ||
        fail "$1: $counts"
}
both_answer() { # address, what
    fair "$2" "$(for _ in $(seq 60); do ip netns exec "$node_1" curl -s -m 3 "http://$1/"; done)"
}

services() {
    kubectl create -n "$space" deployment web --image=keelson/demo:1 --replicas=2 >/dev/null || fail "create deployment"
    rolled_out
    expect "expose" "service/web exposed" "$(kubectl expose -n "$space" deployment web --port=80 --target-port=8080 2>&1)"
    address=$(kubectl get svc -n "$space" web -o 'jsonpath={.spec.clusterIP}')
    two_endpoints() { [ "$(kubectl get endpointslices -n "$space" -l kubernetes.io/service-name=web -o 'jsonpath={.items[*].endpoints[*].addresses[0]}' | wc -w)" = 2 ]; }
    until_true 10 "two endpoints" two_endpoints
    answers_there() { ip netns exec "$node_1" curl -s -m 2 "http://$address/" | grep -q "keelson demo 1"; }
    until_true 10 "the address answers" answers_there
    both_answer "$address" "60 requests to the ClusterIP"
    in_pod asks 'for i in $(seq 60); do curl -s -m 3 http://web/; done'
    fair "60 requests of a pod" "$seen"
    expect "expose a node port" "service/door exposed" "$(kubectl expose -n "$space" deployment web --name=door --type=NodePort --port=80 --target-port=8080 2>&1)"
    door=$(kubectl get node node-2 -o 'jsonpath={.status.addresses[0].address}'):$(kubectl get svc -n "$space" door -o 'jsonpath={.spec.ports[0].nodePort}')
    outside_there() { curl -s -m 2 "http://$door/" | grep -q "keelson demo 1"; }
    until_true 10 "the node's port answers from outside" outside_there
    fair "60 requests to the node's port" "$(for _ in $(seq 60); do curl -s -m 3 "http://$door/"; done)"
}

replaced() { # a pod dies: the others get all requests, then its successor its part
    local dead
    dead=$(kubectl get pods -n "$space" -l app=web -o 'jsonpath={.items[0].metadata.name}')
    kubectl delete pod -n "$space" "$dead" --wait=false >/dev/null || fail "delete pod"
    gone() { ! kubectl get endpointslices -n "$space" -l kubernetes.io/service-name=web -o 'jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].targetRef.name}' | grep -q "$dead"; }
    until_true 10 "no longer an endpoint" gone
    until_true 20 "its successor is one" two_endpoints
    both_answer "$address" "after a pod was replaced"
    refuse "the dead pod" "$dead" "$(for _ in $(seq 20); do ip netns exec "$node_1" curl -s -m 3 "http://$address/"; done)"
}

says() { ip netns exec "$node_1" curl -s -m 3 "http://$address/" | grep -q "$1"; }

rollouts() {
    kubectl set image -n "$space" deployment/web '*=keelson/demo:2' >/dev/null || fail "set image"
    rolled_out
    until_true 5 "only new pods are endpoints" two_endpoints
    both_answer "$address" "after the rollout"
    until_true 5 "the new version" says "demo 2"
    expect "history" "^2 " "$(kubectl rollout history -n "$space" deployment/web)"
    expect "undo" "rolled back" "$(kubectl rollout undo -n "$space" deployment/web 2>&1)"
    rolled_out
    until_true 5 "the version before" says "demo 1"
    expect "restart" "restarted" "$(kubectl rollout restart -n "$space" deployment/web 2>&1)"
    rolled_out
    kubectl rollout pause -n "$space" deployment/web >/dev/null || fail "pause"
    kubectl rollout resume -n "$space" deployment/web >/dev/null || fail "resume"
}

identity() {
    local url='https://kubernetes.default/api/v1/namespaces/'"$space"'/pods' folder=/var/run/secrets/kubernetes.io/serviceaccount
    local ask="curl -s -m 10 --cacert $folder/ca.crt -H \"Authorization: Bearer \$(cat $folder/token)\" $url"
    in_pod before "$ask"
    expect "without a role" "User ..system:serviceaccount:$space:default.. cannot list resource ..pods" "$seen"
    kubectl create role -n "$space" reader --verb=get,list --resource=pods >/dev/null || fail "create role"
    kubectl create rolebinding -n "$space" reader --role=reader --serviceaccount="$space:default" >/dev/null || fail "create rolebinding"
    in_pod after "$ask"
    expect "with a role" '"kind": ?"PodList"' "$seen"
    expect "can-i" "^yes" "$(kubectl auth can-i list pods -n "$space" --as "system:serviceaccount:$space:default" 2>&1)"
    expect "can-i not" "^no" "$(kubectl auth can-i delete pods -n "$space" --as "system:serviceaccount:$space:default" 2>&1)"
    expect "token" "^eyJ" "$(kubectl create token -n "$space" default 2>&1)"
}

inside() {
    kubectl run -n "$space" one --image=keelson/demo:1 >/dev/null || fail "kubectl run one"
    kubectl wait -n "$space" --for=condition=Ready pod/one --timeout=30s >/dev/null || fail "pod one is not ready"
    expect "exec" "^HOSTNAME=one$" "$(kubectl exec -n "$space" one -- env 2>&1)"
    expect "exec with input" "^hello$" "$(kubectl exec -i -n "$space" one -- cat 2>&1 <<<hello)"
    local said code
    said=$(kubectl exec -n "$space" one -- sh -c 'exit 3' 2>&1)
    code=$?
    [ $code = 3 ] || fail "exec: the command's exit code is $code: $said"
    kubectl delete pod -n "$space" one --wait=false >/dev/null || fail "delete one"
}

names() {
    in_pod names 'curl -s -m 5 http://web/; curl -s -m 5 http://web.'"$space"'.svc.cluster.local/; env | grep ^WEB_SERVICE_HOST; cat /etc/resolv.conf'
    [ "$(grep -c "keelson demo" <<<"$seen")" -ge 1 ] || fail "names: $seen"
    expect "service environment" "WEB_SERVICE_HOST=$address" "$seen"
    expect "search path" "search $space.svc.cluster.local svc.cluster.local cluster.local" "$seen"
}

first_hour() {
    expect "apply" "configmap/c (created|configured)" "$(kubectl apply -n "$space" -f - 2>&1 <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}')"
    expect "apply again" "configmap/c configured" "$(kubectl apply -n "$space" -f - 2>&1 <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"2"}}')"
    kubectl diff -n "$space" -f - >/dev/null 2>&1 <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"3"}}'
    [ $? = 1 ] || fail "diff of a difference exits with 1"
    expect "label" "labeled" "$(kubectl label -n "$space" configmap c x=y 2>&1)"
    expect "annotate" "annotated" "$(kubectl annotate -n "$space" configmap c x=y 2>&1)"
    expect "patch" "patched" "$(kubectl patch -n "$space" configmap c -p '{"data":{"b":"1"}}' 2>&1)"
    edited() { KUBE_EDITOR="sed -i -e s/revisionHistoryLimit:.10/revisionHistoryLimit:\\ 7/" kubectl edit -n "$space" deployment web; }
    expect "edit" "deployment.apps/web edited" "$(edited 2>&1)"
    expect "what was edited" "^7$" "$(kubectl get deployment -n "$space" web -o 'jsonpath={.spec.revisionHistoryLimit}')"
    expect "edit of nothing" "Edit cancelled, no changes made" "$(edited 2>&1)"
    kubectl get configmap -n "$space" c -o yaml | sed 's/^  a: .*/  a: "replaced"/' >"$work/c.yaml"
    expect "replace" "configmap/c replaced" "$(kubectl replace -f "$work/c.yaml" 2>&1)"
    expect "what was replaced" "replaced" "$(kubectl get configmap -n "$space" c -o 'jsonpath={.data.a}')"
    expect "replace with an old version" "the object has been modified; please apply your changes to the latest version" "$(kubectl replace -f "$work/c.yaml" 2>&1)"
    kubectl create configmap -n "$space" made --from-literal=k=v >/dev/null || fail "create configmap"
    expect "create configmap" "^v$" "$(kubectl get configmap -n "$space" made -o 'jsonpath={.data.k}')"
    kubectl create serviceaccount -n "$space" robot >/dev/null || fail "create serviceaccount"
    expect "a token of it" "^eyJ" "$(kubectl create token -n "$space" robot 2>&1)"
    expect "events" "ScalingReplicaSet +Deployment/web" "$(kubectl events -n "$space" 2>&1)"
    expect "events of one object" "Started" "$(kubectl events -n "$space" --for "pod/before" 2>&1)"
    expect "events in their order" "^Scheduled Pulled Created Started" \
        "$(kubectl get events -n "$space" --field-selector involvedObject.name=before -o 'jsonpath={.items[*].reason}')"
    expect "api-versions" "^rbac.authorization.k8s.io/v1$" "$(kubectl api-versions 2>&1)"
    expect "can-i --list" "selfsubjectaccessreviews" "$(kubectl auth can-i --list -n "$space" 2>&1)"
    kubectl create secret generic -n "$space" s --from-literal=p=w >/dev/null || fail "create secret"
    expect "secret" "dw==" "$(kubectl get secret -n "$space" s -o yaml)"
    expect "describe" "ScalingReplicaSet" "$(kubectl describe deployment -n "$space" web)"
    expect "explain" "^FIELDS?:|image" "$(kubectl explain pod.spec.containers 2>&1)"
    expect "api-resources" "endpointslices" "$(kubectl api-resources 2>&1)"
    expect "whoami" "kubernetes-admin" "$(kubectl auth whoami 2>&1)"
    expect "cluster-info" "services/kube-dns:dns/proxy" "$(kubectl cluster-info 2>&1)"
    expect "wait" "condition met" "$(kubectl wait -n "$space" --for=condition=Available deployment/web --timeout=20s 2>&1)"
    expect "get all" "service/kubernetes" "$(kubectl get all -A 2>&1)"
    expect "already exists" "already exists" "$(kubectl create secret generic -n "$space" s 2>&1)"
    expect "unknown field" 'unknown field "spec.nodeNam"' "$(kubectl create -n "$space" -f - 2>&1 <<<'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"u"},"spec":{"nodeNam":"x","containers":[{"name":"a","image":"b:1"}]}}')"
}

kill_the_leaders_master() {
    local ip
    ip=$(rsctl endpoint status -w table | grep -E '\| +true \|' | grep -oE '172\.30\.[0-9]+\.[0-9]+' | head -n 1)
    master=$(keelson status | awk -v ip="$ip" '$2 == ip { print $1; exit }')
    [ -n "$master" ] || fail "the leader's master was not found for $ip"
    keelson kill "$master" >/dev/null || fail "kill $master"
    two_masters() { [ "$(kubectl get endpoints kubernetes -o 'jsonpath={.subsets[0].addresses[*].ip}' | wc -w)" = 2 ]; }
    until_true 20 "the Service kubernetes names the living" two_masters
}

for kubectl_program in "${programs[@]}"; do
    version=$(basename "$kubectl_program")
    space=space-${version//[^0-9]/}
    step "$version: a namespace of its own"
    kubectl create namespace "$space" >/dev/null || fail "create namespace"
    default_account() { kubectl get serviceaccount -n "$space" default && kubectl get configmap -n "$space" kube-root-ca.crt; }
    until_true 10 "its account and authority" default_account
    step "$version: services"
    services
    names
    inside
    replaced
    if [ "$kubectl_program" = "${programs[$((${#programs[@]} / 2))]}" ]; then
        step "the leader's master is killed"
        kill_the_leaders_master
    fi
    step "$version: rollouts"
    rollouts
    step "$version: identity"
    identity
    step "$version: a first hour"
    first_hour
    step "$version: the namespace and all in it go"
    expect "delete namespace" "deleted" "$(kubectl delete namespace "$space" --timeout=60s 2>&1)"
    [ -z "$(rsctl get --prefix --keys-only "/registry/" | grep "/$space/")" ] || fail "left of $space: $(rsctl get --prefix --keys-only /registry/ | grep "/$space/")"
done
keelson start "$master" >/dev/null || fail "start $master"

step "a node is drained, and takes pods again"
kubectl create deployment spread --image=keelson/demo:1 --replicas=4 >/dev/null || fail "create spread"
until_true 30 "four pods run" running app=spread 4
expect "drain" "drained" "$(kubectl drain node-2 --ignore-daemonsets --timeout=60s 2>&1)"
on_node_1() { running app=spread 4 && [ "$(kubectl get pods -l app=spread -o 'jsonpath={.items[*].spec.nodeName}' | tr ' ' '\n' | sort -u)" = node-1 ]; }
until_true 30 "all of them on the other node" on_node_1
expect "uncordon" "uncordoned" "$(kubectl uncordon node-2 2>&1)"

step "down leaves nothing"
expect "down" "nothing is left" "$(keelson down 2>&1)"
echo "house: all of it holds"
