#!/usr/bin/env bash
# What a single pod may ask of its node: init containers, volumes, limits, the node's network, an end; and what it is
# told when it asks for more than the node can do yet. Needs root.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 --nodes 1 2>&1) || fail "keelson up: $out"
phase_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = "$2" ]; }
status_is() { kubectl get pod "$1" --no-headers | grep -qE " $2 "; }

step "init containers hand over through an emptyDir, and the pod succeeds"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "job", "labels": {"a": "b"}}, "spec": {
  "restartPolicy": "Never", "volumes": [{"name": "v", "emptyDir": {}}],
  "initContainers": [
    {"name": "one", "image": "keelson/demo:1", "command": ["sh", "-c", "echo $GREETING >/v/f"],
     "env": [{"name": "WHO", "value": "you"}, {"name": "GREETING", "value": "hello $(WHO)"}],
     "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    {"name": "two", "image": "keelson/demo:1", "command": ["sh", "-c", "echo and more >>/v/f"],
     "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
  "containers": [{"name": "main", "image": "keelson/demo:1",
    "command": ["sh", "-c", "cat /v/f; echo $IP $LABEL $NODE; touch /v/g || echo read-only; hostname"],
    "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}]}]}}
POD
until_true 20 "it has succeeded" phase_is job Succeeded
out=$(kubectl logs job -c main) || fail "logs"
for line in '^hello you$' '^and more$' '^10\.244\.1\.[0-9]+ b node-1$' '^read-only$' '^job$'; do expect "its log" "$line" "$out"; done
expect "ready condition" "^False PodCompleted$" "$(kubectl get pod job -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}')"

step "a failing pod that is never restarted"
kubectl run bad --image=keelson/demo:1 --restart=Never --command -- sh -c 'exit 9' >/dev/null
until_true 20 "it has failed" phase_is bad Failed
expect "exit code" "^9$" "$(kubectl get pod bad -o 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}')"

step "last words"
kubectl run words --image=keelson/demo:1 --restart=Never --command -- sh -c 'printf "it was \\303\\274 \\377" >/dev/termination-log; exit 4' >/dev/null
until_true 20 "it has failed" phase_is words Failed
expect "its message" "^it was ü \\?$" "$(kubectl get pod words -o 'jsonpath={.status.containerStatuses[0].state.terminated.message}')"

step "a command that is not there"
kubectl run wrong --image=keelson/demo:1 --command -- /no/such/program >/dev/null
until_true 20 "it says so" status_is wrong RunContainerError
expect "message" "/no/such/program" "$(kubectl get pod wrong -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}')"

step "memory limit: the kernel ends it, and the status says why"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "eater"}, "spec": {"restartPolicy": "Never", "containers": [
  {"name": "main", "image": "keelson/demo:1", "command": ["tail", "/dev/zero"], "resources": {"limits": {"memory": "32Mi", "cpu": "500m"}}}]}}
POD
until_true 30 "it has failed" phase_is eater Failed
expect "reason" "^OOMKilled 137$" "$(kubectl get pod eater -o 'jsonpath={.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}')"
expect "class" "^Guaranteed$" "$(kubectl get pod eater -o 'jsonpath={.status.qosClass}')"

step "the node's network"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "near"}, "spec": {"hostNetwork": true, "containers": [{"name": "main", "image": "keelson/demo:2"}]}}
POD
until_true 20 "it runs" phase_is near Running
node_ip=$(kubectl get node node-1 -o 'jsonpath={.status.addresses[0].address}')
expect "its address" "^$node_ip\$" "$(kubectl get pod near -o 'jsonpath={.status.podIP}')"
served() { curl -sS -m 2 "http://$node_ip:8080/" | grep -q '^keelson demo 2 on '; }
until_true 5 "it answers on the node's address" served

step "probes: ready only when they say so, restarted when they fail"
kubectl create -f - >/dev/null <<POD || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probed"}, "spec": {"terminationGracePeriodSeconds": 1,
  "volumes": [{"name": "h", "hostPath": {"path": "$work/probed"}}], "containers": [
  {"name": "main", "image": "keelson/demo:1", "ports": [{"name": "web", "containerPort": 8080}],
   "volumeMounts": [{"name": "h", "mountPath": "/h"}],
   "startupProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1},
   "livenessProbe": {"exec": {"command": ["sh", "-c", "if [ -e /h/sick ]; then rm /h/sick; echo it is sick; exit 1; fi"]},
                     "periodSeconds": 1, "failureThreshold": 1},
   "readinessProbe": {"exec": {"command": ["test", "-e", "/h/open"]}, "periodSeconds": 1, "failureThreshold": 1}}]}}
POD
ready_is() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.containerStatuses[0].started} {.status.containerStatuses[0].ready} {.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
told_event() { kubectl get events | grep -qE "$1"; }
until_true 20 "started, not ready" ready_is probed "true false False"
touch "$work/probed/open"
until_true 5 "ready" ready_is probed "true true True"
rm "$work/probed/open"
until_true 5 "unready again" ready_is probed "true false False"
touch "$work/probed/sick"
restarted() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" = "$2" ]; }
until_true 10 "restarted" restarted probed 1
until_true 5 "events" told_event 'Warning +Unhealthy +pod/probed +Liveness probe failed: it is sick'
until_true 5 "events" told_event 'Killing +pod/probed +Container main failed liveness probe, will be restarted'

step "hooks around a container's life"
kubectl create -f - >/dev/null <<POD || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hooked"}, "spec": {"terminationGracePeriodSeconds": 20,
  "volumes": [{"name": "h", "hostPath": {"path": "$work/hooked"}}], "containers": [
  {"name": "main", "image": "keelson/demo:1", "volumeMounts": [{"name": "h", "mountPath": "/h"}], "lifecycle": {
   "postStart": {"exec": {"command": ["sh", "-c", "echo begun >/h/a"]}},
   "preStop": {"exec": {"command": ["sh", "-c", "sleep 1; echo over >/h/b"]}}}}]}}
POD
until_true 20 "it runs" ready_is hooked "true true True"
expect "postStart" "^begun$" "$(cat "$work/hooked/a")"
kubectl delete pod hooked >/dev/null || fail "delete"
expect "preStop" "^over$" "$(cat "$work/hooked/b")"

step "a pod is not active longer than its deadline"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "brief"}, "spec": {"activeDeadlineSeconds": 2, "terminationGracePeriodSeconds": 1,
  "containers": [{"name": "main", "image": "keelson/demo:1"}]}}
POD
until_true 20 "it has failed" phase_is brief Failed
expect "reason" "^DeadlineExceeded$" "$(kubectl get pod brief -o 'jsonpath={.status.reason}')"

step "environment and files from ConfigMaps and the pod itself"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "data", "labels": {"tier": "front"}}, "spec": {
 "volumes": [{"name": "c", "configMap": {"name": "conf", "defaultMode": 256}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
  {"name": "p", "projected": {"sources": [{"configMap": {"name": "conf", "items": [{"key": "color", "path": "x/color"}]}},
    {"configMap": {"name": "nope", "optional": true}}, {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "resources": {"limits": {"cpu": "250m", "memory": "64Mi"}},
  "command": ["sh", "-c", "echo $COLOR $P_color $MEM; cat /p/x/color /p/labels /one; echo; touch /c/z; df /m | tail -1; while true; do cat /c/color /p/labels >/m/now; sleep 1; done"],
  "envFrom": [{"prefix": "P_", "configMapRef": {"name": "conf"}}, {"configMapRef": {"name": "nope", "optional": true}}],
  "env": [{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "color"}}},
   {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}}],
  "volumeMounts": [{"name": "c", "mountPath": "/c"}, {"name": "p", "mountPath": "/p"}, {"name": "m", "mountPath": "/m"},
   {"name": "c", "mountPath": "/one", "subPath": "color"}],
  "readinessProbe": {"exec": {"command": ["grep", "-q", "greentier=.back", "/m/now"]}, "periodSeconds": 1}}]}}
POD
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "noenv"}, "spec": {"containers": [{"name": "main", "image": "keelson/demo:1",
 "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "late"}}}]}]}}
POD
until_true 10 "a missing volume is told" told_event 'FailedMount +pod/data +MountVolume.SetUp failed for volume "c" : configmap "conf" not found'
until_true 10 "a missing variable is told" status_is noenv CreateContainerConfigError
kubectl create configmap conf --from-literal=color=blue >/dev/null || fail "create"
until_true 20 "it runs" phase_is data Running
key_missing() { kubectl get pod noenv -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}' | grep -q "^couldn't find key late in ConfigMap default/conf"; }
until_true 20 "a missing key is told" key_missing
logged() { kubectl logs "$1" 2>/dev/null | grep -qE "$2"; }
for line in '^blue blue 64$' '^bluetier="front"blue$' 'Read-only file system' '^tmpfs +1024 '; do until_true 5 "logged" logged data "$line"; done
kubectl patch configmap conf -p '{"data":{"color":"green","late":"here"}}' >/dev/null || fail "patch"
kubectl label pod data tier=back --overwrite >/dev/null || fail "label"
until_true 20 "the change is seen in the running container" ready_is data "true true True"
until_true 20 "and the other pod runs" phase_is noenv Running

step "a secret, a token and the services of the namespace"
kubectl create service clusterip my-db --tcp=5432 >/dev/null || fail "create service"
kubectl create secret generic s --from-literal=k=hello >/dev/null || fail "create secret"
kubectl get serviceaccount default >/dev/null 2>&1 || kubectl create serviceaccount default >/dev/null || fail "create account"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "svc"}, "spec": {"restartPolicy": "Never",
 "volumes": [{"name": "s", "secret": {"secretName": "s", "defaultMode": 256}},
  {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]}}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "envFrom": [{"prefix": "S_", "secretRef": {"name": "s"}}],
  "env": [{"name": "U", "value": "$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT)"}],
  "command": ["sh", "-c", "echo $S_k $U; cat /s/k; echo; ls -lL /s/k; cut -c1-3 /t/token; echo $KUBERNETES_SERVICE_HOST"],
  "volumeMounts": [{"name": "s", "mountPath": "/s"}, {"name": "t", "mountPath": "/t"}]}]}}
POD
until_true 20 "it has succeeded" phase_is svc Succeeded
out=$(kubectl logs svc) || fail "logs"
for line in '^hello 10\.96\.[0-9.]+:5432$' '^hello$' '^-r--------' '^eyJ$' '^10\.96\.0\.1$'; do expect "what it saw" "$line" "$out"; done

step "names: hosts and resolver as the pod asks"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "names"}, "spec": {"restartPolicy": "Never", "dnsPolicy": "None",
 "dnsConfig": {"nameservers": ["192.0.2.1"], "searches": ["a.example"], "options": [{"name": "ndots", "value": "3"}]},
 "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["one", "two"]}],
 "containers": [{"name": "main", "image": "keelson/demo:1", "command": ["cat", "/etc/resolv.conf", "/etc/hosts"]}]}}
POD
until_true 20 "it has succeeded" phase_is names Succeeded
out=$(kubectl logs names) || fail "logs"
for line in '^nameserver 192.0.2.1$' '^search a.example$' '^options ndots:3$' '^192.0.2.7.one.two$' '^10\.244\.1\.[0-9]+.names$'; do expect "its files" "$line" "$out"; done

step "what is not supported yet is said"
kubectl create -f - >/dev/null <<'POD' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "more"}, "spec": {"volumes": [{"name": "s", "nfs": {"server": "x", "path": "/"}}],
  "containers": [{"name": "main", "image": "keelson/demo:1", "volumeMounts": [{"name": "s", "mountPath": "/s"}]}]}}
POD
told() { kubectl get pod more -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}' | grep -q 'volume s of type nfs is not supported yet'; }
until_true 10 "in the status" told
said() { kubectl get events | grep -q 'volume s of type nfs'; }
until_true 10 "in an event" said

step "a stubborn process is killed after its grace period"
kubectl run stubborn --image=keelson/demo:1 --command -- sleep 1000 >/dev/null
until_true 20 "it runs" phase_is stubborn Running
begin=$EPOCHSECONDS
kubectl delete pod stubborn --grace-period=2 >/dev/null || fail "delete"
[ $((EPOCHSECONDS - begin)) -ge 2 ] || fail "it was killed before its grace period was over"
[ $((EPOCHSECONDS - begin)) -le 10 ] || fail "it took $((EPOCHSECONDS - begin)) s"

step "a killed node comes back with its pods"
keelson kill node-1 >/dev/null || fail "kill node-1"
keelson start node-1 >/dev/null || fail "start node-1"
again() { [ "$(kubectl get pod near -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.phase}')" = "1 Running" ]; }
until_true 30 "it was restarted" again

step "what was deleted while the node was down is cleared away when it is back"
keelson stop node-1 >/dev/null || fail "stop node-1"
kubectl delete pod near --force --grace-period=0 >/dev/null 2>&1
keelson start node-1 >/dev/null || fail "start node-1"
not_served() { ! curl -sS -m 2 "http://$node_ip:8080/"; }
until_true 20 "the orphan is gone" not_served
echo "pods: all of it holds"
