#!/usr/bin/env bash
# Services and cluster DNS as pods, nodes and people outside see them. All services but one have no selector and the story
# writes their slices itself, so that it tells exactly which endpoint serves when. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 2>&1) || fail "keelson up: $out"
network=$(grep -oE '172\.30\.[0-9]+' "$KUBECONFIG" | head -n 1)
node_1=$(ip netns list | grep -oE "$(tag)-node-1")
phase_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = "$2" ]; }
on_node() { ip netns exec "$node_1" "$@"; }
from_pod() { # name, shell commands: runs them in a pod, prints what they say
    kubectl run "$1" --image=keelson/demo:1 --restart=Never --command -- sh -c "$2" >/dev/null || fail "kubectl run $1"
    until_true 30 "$1 has run" phase_is "$1" Succeeded
    seen=$(kubectl logs "$1")
}
slice() { # service, port, "address@node"…
    local service=$1 port=$2 list="" one
    shift 2
    for one in "$@"; do
        list+="${list:+,}{\"addresses\": [\"${one%@*}\"], \"nodeName\": \"${one#*@}\", \"conditions\": {\"ready\": true}}"
    done
    kubectl apply -f - >/dev/null <<SLICE || fail "apply slice of $service"
{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "$service-1",
  "labels": {"kubernetes.io/service-name": "$service"}}, "addressType": "IPv4",
  "ports": [{"name": "http", "port": $port, "protocol": "TCP"}], "endpoints": [$list]}
SLICE
}
balanced() { # what, answers: 60, all from our two pods, each at least 15 times
    local counts
    counts=$(sort <<<"$2" | uniq -c)
    [ "$(grep -c 'keelson demo' <<<"$2")" = 60 ] || fail "$1: 60 answers wanted: $counts"
    [ "$(awk '$1 >= 15' <<<"$counts" | wc -l)" = 2 ] || fail "$1: two endpoints with at least 15 of 60 each wanted: $counts"
}
asks() { echo "for i in \$(seq $2); do curl -s -m 3 $1; done"; }

step "cluster-info names the DNS service"
expect "cluster-info" "services/kube-dns:dns/proxy" "$(kubectl cluster-info 2>&1)"

step "services over two pods"
kubectl create deployment web --image=keelson/demo:1 --replicas=2 >/dev/null || fail "create deployment"
until_true 30 "2 of 2 Running" running app=web 2
mapfile -t pods < <(kubectl get pods -l app=web -o 'jsonpath={range .items[*]}{.status.podIP}@{.spec.nodeName}{"\n"}{end}')
kubectl apply -f - >/dev/null <<SERVICES || fail "apply services"
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "NodePort",
    "externalIPs": ["203.0.113.7"], "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sticky"}, "spec": {"sessionAffinity": "ClientIP",
    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 2}}, "ports": [{"name": "http", "port": 80}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "near"}, "spec": {"type": "NodePort",
    "externalTrafficPolicy": "Local", "ports": [{"name": "http", "port": 80, "nodePort": 30081}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "empty"}, "spec": {"ports": [{"name": "http", "port": 80}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "heads"}, "spec": {"clusterIP": "None",
    "ports": [{"name": "http", "port": 8080}]}}]}
SERVICES
for service in web sticky heads; do slice "$service" 8080 "${pods[@]}"; done
address=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
sticky=$(kubectl get service sticky -o 'jsonpath={.spec.clusterIP}')
empty=$(kubectl get service empty -o 'jsonpath={.spec.clusterIP}')
until_true 5 "the service answers" on_node curl -sf -m 1 "$sticky"

step "from a node, from outside by node port, from the node's own loopback"
balanced "from a node" "$(on_node sh -c "$(asks "$address" 60)")"
balanced "node port" "$(sh -c "$(asks "$network.101:30080" 60)")"
balanced "loopback" "$(on_node sh -c "$(asks 127.0.0.1:30080 60)")"
expect "external address" "keelson demo" "$(on_node curl -s -m 3 203.0.113.7)"

step "from a pod"
from_pod client "$(asks "$address" 60)"
balanced "from a pod" "$seen"

step "a client stays with its endpoint"
from_pod loyal "$(asks "$sticky" 20)"
[ "$(sort -u <<<"$seen" | grep -c 'keelson demo')" = 1 ] || fail "one endpoint wanted: $seen"

step "it is remembered while it asks, forgotten after its time, and not moved because others come or go"
remembered() { on_node nft list map ip kube-proxy affinity | grep "$sticky . tcp . 80"; } # no -q: it would break the pipe
forgotten() { ! remembered; }
first=$(on_node curl -s -m 3 "$sticky")
for _ in $(seq 10); do
    expect "still there" "^$first\$" "$(on_node curl -s -m 3 "$sticky")"
    read -rt 0.35 <> <(:) || true
done
remembered || fail "the client is not in the map: $(on_node nft list map ip kube-proxy affinity)"
for _ in $(seq 12); do
    until_true 5 "forgotten" forgotten
    other=$(on_node curl -s -m 3 "$sticky")
    [ "$other" != "$first" ] && break
done
[ "$other" != "$first" ] || fail "twelve times new and always sent to $first"
its() { for pod in "${pods[@]}"; do on_node curl -s -m 3 "${pod%@*}:8080" | grep -qxF "$1" && echo "$pod"; done; }
slice sticky 8080 "$(its "$other")"
alone() { [ "$(on_node nft list map ip kube-proxy sticky-slots | grep -c "$sticky . tcp . 80")" = 1 ]; }
until_true 5 "the other endpoint is gone" alone
expect "it stays" "^$other\$" "$(on_node curl -s -m 3 "$sticky")"
slice sticky 8080 "$(its "$first")"
moved() { [ "$(on_node curl -s -m 3 "$sticky")" = "$first" ]; }
until_true 5 "its own endpoint is gone: it is sent to the other" moved

step "no endpoints: refused at once"
begin=$EPOCHREALTIME
on_node curl -s -m 5 "$empty" && fail "somebody answered at $empty"
[ "$(awk "BEGIN{print ($EPOCHREALTIME - $begin < 0.5)}")" = 1 ] || fail "a refusal within 0.5 s wanted"

step "an endpoint that left gets nothing"
slice web 8080 "${pods[0]}"
until_true 2 "the rules follow" on_node sh -c "nft list map ip kube-proxy endpoints | grep -q '$address . tcp . 80 . 0x00000000' && ! nft list map ip kube-proxy endpoints | grep -q '$address . tcp . 80 . 0x00000001'"
out=$(on_node sh -c "$(asks "$address" 20)")
[ "$(sort -u <<<"$out" | wc -l)" = 1 ] && [ "$(wc -l <<<"$out")" = 20 ] || fail "20 answers of one pod wanted: $out"

step "externalTrafficPolicy Local: only the node that has an endpoint answers"
slice near 8080 "${pods[0]}"
here=1
[ "${pods[0]#*@}" = node-1 ] || here=2
until_true 5 "it answers there" curl -sf -m 1 "$network.10$here:30081"
curl -s -m 1 "$network.10$((3 - here)):30081" && fail "the other node answered"

step "names"
zone=default.svc.cluster.local
from_pod names "for n in web.$zone heads.$zone nope.$zone ${pods[0]%@*}; do nslookup \$n 10.96.0.10; done 2>&1; true"
expect "cluster address" "Address: *$address" "$seen"
for pod in "${pods[@]}"; do expect "headless" "Address: *${pod%@*}" "$seen"; done
expect "no such name" "can't find nope.$zone: NXDOMAIN" "$seen"
expect "reverse" "name = $(tr . - <<<"${pods[0]%@*}").heads.$zone" "$seen"

step "short names, by the pod's own resolver"
from_pod short "curl -s -m 3 http://web; curl -s -m 3 http://heads.default:8080"
[ "$(grep -c 'keelson demo' <<<"$seen")" = 2 ] || fail "short names from a pod: $seen"

step "a UDP service"
kubectl create -f - >/dev/null <<'UDP' || fail "create a UDP service"
{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "udp", "labels": {"app": "udp"}}, "spec": {"containers": [
  {"name": "dns", "image": "keelson/demo:1", "command": ["demo", "dns", "0.0.0.0:5353"],
   "ports": [{"name": "questions", "containerPort": 5353, "protocol": "UDP"}]}]}},
 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "udp"}, "spec": {"selector": {"app": "udp"},
  "ports": [{"port": 53, "protocol": "UDP", "targetPort": "questions"}]}}]}
UDP
until_true 20 "its pod runs" phase_is udp Running
udp=$(kubectl get service udp -o 'jsonpath={.spec.clusterIP}')
look_up() { on_node busybox nslookup -type=a "$@" 2>&1; }
elsewhere() { look_up "$@" | grep 'Address: *192\.0\.2\.53'; }
until_true 10 "it answers" elsewhere any.name "$udp"

step "names of outside: the servers that are configured; dead ones cost seconds once, then nothing"
took() { # what, most seconds: the last command's time
    [ "$(awk "BEGIN{print ($EPOCHREALTIME - $begin < $2)}")" = 1 ] || fail "$1 took longer than $2 s"
}
restart_proxy() { # the servers it shall ask
    local pid
    pid=$(cut -d' ' -f1 "$CLUSTER_DIR/pids/node-1.netproxy")
    kill -9 "$pid" || fail "kill netproxy"
    has_ended() { ! kill -0 "$pid"; } # what still dies counts as running for keelson start
    until_true 5 "it has ended" has_ended
    KEELSON_DNS_UPSTREAM=$1 keelson start node-1 >/dev/null || fail "keelson start node-1"
    until_true 10 "it is ready" curl -sf -m 1 "http://$network.101:10256/readyz"
    expect "names of the cluster" "Address: *$address" "$(look_up "web.$zone" 10.96.0.10)"
}
node_2=${node_1%1}2
ip netns exec "$node_2" "$PWD/build/images/demo" dns "$network.102:5353" &
helpers+=($!)
restart_proxy "$network.102:5353"
until_true 5 "forwarded" elsewhere www.example.org 10.96.0.10
kubectl create service externalname away --external-name=www.example.org >/dev/null || fail "create service externalname"
until_true 5 "an alias that leads out" elsewhere "away.$zone" 10.96.0.10
restart_proxy "$network.102:5399,$network.102:5398" # nobody is there
begin=$EPOCHREALTIME
expect "dead servers" "SERVFAIL" "$(look_up www.example.org 10.96.0.10)"
took "a failure" 4.8 # busybox asks twice
look_up www.example.org 10.96.0.10 >/dev/null
look_up www.example.org 10.96.0.10 >/dev/null
begin=$EPOCHREALTIME
expect "servers known as dead" "SERVFAIL" "$(look_up www.example.org 10.96.0.10)"
took "a failure that was foreseen" 1

step "kubectl expose: a selector finds its pods, a rollout moves it to the new ones"
kubectl expose deployment web --name=exposed --port=80 --target-port=8080 >/dev/null || fail "kubectl expose"
exposed=$(kubectl get service exposed -o 'jsonpath={.spec.clusterIP}')
until_true 10 "it answers" on_node curl -sf -m 1 "$exposed"
kubectl set image deployment/web demo=keelson/demo:2 >/dev/null || fail "kubectl set image"
kubectl rollout status deployment/web --timeout=60s >/dev/null || fail "kubectl rollout status"
only_new() { [ "$(on_node sh -c "$(asks "$exposed" 10)" | grep -c 'keelson demo 2')" = 10 ]; }
until_true 10 "only new pods answer" only_new
until_true 30 "the old pods are gone" running app=web 2
mapfile -t pods < <(kubectl get pods -l app=web -o 'jsonpath={range .items[*]}{.status.podIP}@{.spec.nodeName}{"\n"}{end}')

step "a killed proxy: traffic flows on, and it takes the rules over when it is back"
kill -9 "$(cut -d' ' -f1 "$CLUSTER_DIR/pids/node-1.netproxy")" || fail "kill netproxy"
expect "without the proxy" "keelson demo" "$(on_node curl -s -m 3 "$exposed")"
keelson start node-1 >/dev/null || fail "keelson start node-1"
slice web 8080 "${pods[@]}"
until_true 5 "it follows again" on_node sh -c "nft list map ip kube-proxy endpoints | grep -q '$address . tcp . 80 . 0x00000001'"
balanced "after the restart" "$(on_node sh -c "$(asks "$address" 60)")"

step "down leaves nothing"
keelson down >/dev/null || fail "keelson down"
