#!/usr/bin/env bash
# Server-side apply and managedFields as kubectl of several versions uses them: conflicts and how they read, force, what is given up,
# the way from client-side apply, no-ops, dry runs, resets; and the subresources that write a part. Looks at the answer and at what
# the store holds. One master, no nodes, no root.
. "$(dirname "$0")/lib.sh"
step "up"
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
server=$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')
pki=$CLUSTER_DIR/pki
api() { # path, further arguments of curl
    local path=$1
    shift
    curl -gsS -m 20 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "$@" "$server$path"
}
apply() { # path, manager, configuration, further query
    api "$1?fieldManager=$2${4:-}" -X PATCH -H 'Content-Type: application/apply-patch+yaml' --data-binary "$3"
}
stored() { rsctl get --print-value-only "/registry/$1"; } # the bytes in the store, as JSON
owners() { # of a stored object: manager operation subresource, one a line
    stored "$1" | jq -r '.metadata.managedFields[]? | [.manager, .operation, .subresource // "-"] | join(" ")'
}
fields() { # key, manager
    stored "$1" | jq -c --arg m "$2" '.metadata.managedFields[] | select(.manager == $m) | .fieldsV1'
}
version_of() { rsctl get -w json "/registry/$1" | jq '.kvs[0].mod_revision'; }
until_true 20 "the api" kubectl get namespace default
until_true 20 "the default account" kubectl get serviceaccount default

step "apply makes, repeats and refuses"
maps=/api/v1/namespaces/default/configmaps
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1","b":"1"}}')
expect "made" '"a":"1"' "$out"
expect "201 then 200" '^201 200$' "$(for i in 1 2; do api "$maps/n?fieldManager=one" -X PATCH -H 'Content-Type: application/apply-patch+yaml' -o /dev/null -w '%{http_code} ' \
    --data-binary '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n"},"data":{"a":"1"}}'; done | sed 's/ $//')"
expect "owner" '^one Apply -$' "$(owners configmaps/default/m)"
expect "its fields" '^\{"f:data":\{"f:a":\{\},"f:b":\{\}\}\}$' "$(fields configmaps/default/m one)"
before=$(version_of configmaps/default/m)
read -rt 1.1 <> <(:) || true # another second on the clock of the entries
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1","b":"1"}}')
expect "the same again changes nothing" "^$before\$" "$(version_of configmaps/default/m)"
out=$(apply $maps/m two '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"2"}}')
expect "conflict" '^409 Conflict Apply failed with 1 conflict: conflict with "one": .data.a$' "$(jq -r '[.code, .reason, .message] | join(" ")' <<<"$out")"
expect "its cause" '^FieldManagerConflict conflict with "one" .data.a$' "$(jq -r '.details.causes[] | [.reason, .message, .field] | join(" ")' <<<"$out")"
expect "and nothing is written" "^$before\$" "$(version_of configmaps/default/m)"
out=$(apply $maps/m two '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"2"}}' '&force=true&dryRun=All')
expect "a dry run shows it" '"a":"2"' "$out"
expect "and writes nothing" "^$before\$" "$(version_of configmaps/default/m)"
out=$(apply $maps/m two '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"2"}}' '&force=true')
expect "force" '^2 1$' "$(stored configmaps/default/m | jq -r '[.data.a, .data.b] | join(" ")')"
expect "takes from the other" '^\{"f:data":\{"f:b":\{\}\}\}$' "$(fields configmaps/default/m one)"
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"}}')
expect "given up is gone" '^\{"a":"2"\}$' "$(stored configmaps/default/m | jq -c .data)"
expect "who owns nothing is not told of" '^two Apply -$' "$(owners configmaps/default/m)"

step "what is wrong with an apply"
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"dat":{"a":"2"}}')
expect "unknown field" '^500  failed to create typed patch object \(default/m; /v1, Kind=ConfigMap\): .dat: field not declared in schema$' "$(jq -r '[.code, .reason // "", .message] | join(" ")' <<<"$out")"
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"m"}}')
expect "another kind" '^400 invalid object type: /v1, Kind=Secret$' "$(jq -r '[.code, .message] | join(" ")' <<<"$out")"
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"}}')
expect "another name" '^400 the name of the object \(other\) does not match the name on the URL \(m\)$' "$(jq -r '[.code, .message] | join(" ")' <<<"$out")"
out=$(apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","resourceVersion":"1"}}')
expect "an old version" '^409$' "$(jq -r .code <<<"$out")"

step "who writes how"
kubectl patch configmap m -p '{"data":{"p":"1"}}' >/dev/null || fail "patch"
kubectl annotate configmap m x=y >/dev/null || fail "annotate"
expect "managers" '^two Apply -
kubectl-annotate Update -
kubectl-patch Update -$' "$(owners configmaps/default/m | sort -k2,2 -k1,1)"
api "$maps/m" -X PATCH -H 'Content-Type: application/merge-patch+json' -A 'tool/1.0 (x)' -o /dev/null --data-binary '{"data":{"q":"1"}}'
expect "the first word of User-Agent" '^\{"f:data":\{"f:q":\{\}\}\}$' "$(fields configmaps/default/m tool)"
api "$maps/m?fieldManager=drop" -X PATCH -H 'Content-Type: application/merge-patch+json' -o /dev/null --data-binary '{"data":{"q":null}}'
refuse "a removed field is nobody's" tool "$(owners configmaps/default/m)"
expect "a list with nothing resets" '^$' "$(api "$maps/m" -X PATCH -H 'Content-Type: application/merge-patch+json' -o /dev/null --data-binary '{"metadata":{"managedFields":[{}]}}'; owners configmaps/default/m)"
kubectl patch configmap m -p '{"data":{"p":"2"}}' >/dev/null || fail "patch"
expect "and stays reset" '^$' "$(owners configmaps/default/m)"
apply $maps/m one '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"n":"1"}}' >/dev/null
expect "until the first apply" '^one Apply -
before-first-apply Update -$' "$(owners configmaps/default/m)"

cat >"$work/web.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "x:1", ports: [{containerPort: 80}], resources: {requests: {cpu: 1000m}}}
Y
folder=$(dirname "$(readlink -f "$found")")
for release in 1.27 1.30 1.32 1.33; do
    program=$folder/kubectl.$release
    [ -x "$program" ] || fail "kubectl $release is missing beside $found"
    step "kubectl $release"
    name=web-${release/./-} key=deployments/default/web-${release/./-}
    sed "s/name: web,/name: $name,/" "$work/web.yaml" >"$work/$name.yaml"
    "$program" apply -f "$work/$name.yaml" >/dev/null || fail "client-side apply"
    expect "client-side apply's manager" '^kubectl-client-side-apply Update -$' "$(owners "$key" | grep kubectl)"
    kubectl scale "deployment/$name" --replicas=3 >/dev/null || fail "scale"
    expect "scale's" '^kubectl.* Update scale$' "$(owners "$key" | grep scale)"
    out=$("$program" apply --server-side -f "$work/$name.yaml" 2>&1) && fail "no conflict: $out"
    expect "conflict" 'Apply failed with 1 conflict: conflict with "kubectl.*" with subresource "scale" using apps/v1: .spec.replicas$' "$out"
    expect "kubectl's own advice" 'These fields|Please review the fields above' "$out"
    out=$("$program" apply --server-side --force-conflicts -f "$work/$name.yaml" 2>&1) || fail "forced: $out"
    expect "forced" "deployment.apps/$name serverside-applied" "$out"
    expect "two replicas" '^2$' "$(stored "$key" | jq .spec.replicas)"
    refuse "the old managers are gone" 'client-side-apply|scale' "$(owners "$key")"
    expect "kubectl applies" '^kubectl Apply -$' "$(owners "$key" | grep '^kubectl ')"
    expect "a port's key has its default protocol" 'k:\{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"\}' "$(fields "$key" kubectl)"
    unchanged() { # the controllers' own writes come to an end
        before=$(version_of "$key")
        "$program" apply --server-side -f "$work/$name.yaml" >/dev/null && [ "$before" = "$(version_of "$key")" ]
    }
    until_true 20 "again changes nothing" unchanged
    sed -i '/replicas: 2/d' "$work/$name.yaml"
    "$program" apply --server-side -f "$work/$name.yaml" >/dev/null || fail "without replicas"
    expect "a required field that nobody has is its default" '^1$' "$(stored "$key" | jq .spec.replicas)"
    expect "the annotation of client-side apply follows" '^null$' "$(stored "$key" | jq -r '.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] | fromjson | .spec.replicas')"
    out=$("$program" diff --server-side -f "$work/$name.yaml" 2>&1) || fail "diff: $out"
    "$program" apply -f "$work/$name.yaml" >/dev/null 2>&1 || fail "back to client-side apply"
    "$program" delete -f "$work/$name.yaml" --wait=false >/dev/null || fail "delete"
done

step "status and scale"
kubectl create deployment s --image=x:1 >/dev/null || fail "create deployment"
until_true 20 "its status" eval '[ "$(owners deployments/default/s | grep -c status)" -ge 1 ]'
scale=/apis/apps/v1/namespaces/default/deployments/s/scale
out=$(apply $scale hpa '{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"s"},"spec":{"replicas":4}}' '&force=true')
expect "a Scale is applied" '^4$' "$(jq .spec.replicas <<<"$out")"
expect "it tells its owner" '^hpa Apply autoscaling/v1$' "$(jq -r '.metadata.managedFields[] | [.manager, .operation, .apiVersion] | join(" ")' <<<"$out")"
expect "the object has it" '^hpa Apply scale$' "$(owners deployments/default/s | grep hpa)"
out=$(api $scale -X PATCH -H 'Content-Type: application/apply-patch+yaml' --data-binary x)
expect "without a manager" 'fieldManager: Required value: is required for apply patch' "$out"

step "parts of a pod"
kubectl run p --image=x:1 --overrides='{"spec":{"containers":[{"name":"p","image":"x:1","resources":{"limits":{"cpu":"1","memory":"1Gi"}}}]}}' >/dev/null || fail "run"
kubectl debug p --image=y:1 -c dbg >/dev/null 2>&1 || fail "debug"
expect "an ephemeral container" '^dbg y:1$' "$(stored pods/default/p | jq -r '.spec.ephemeralContainers[] | [.name, .image] | join(" ")')"
out=$(kubectl patch pod p --subresource=resize -p '{"spec":{"containers":[{"name":"p","image":"z:1","resources":{"limits":{"cpu":"2"},"requests":{"cpu":"2"}}}]}}' 2>&1) || fail "resize: $out"
expect "only the resources changed" '^x:1 2$' "$(stored pods/default/p | jq -r '.spec.containers[0] | [.image, .resources.limits.cpu] | join(" ")')"
out=$(kubectl patch pod p --subresource=resize -p '{"spec":{"containers":[{"name":"p","resources":{"requests":{"cpu":"1"}}}]}}' 2>&1) && fail "another class"
expect "its class stays" 'Pod QOS Class may not change as a result of resizing' "$out"
out=$(api /api/v1/namespaces/default/pods/p/ephemeralcontainers -X PATCH -H 'Content-Type: application/json-patch+json' --data-binary '[{"op":"remove","path":"/spec/ephemeralContainers/0"}]')
expect "what was added stays" '422.*|existing ephemeral containers \\"dbg\\" may not be removed' "$out"

step "patches that grow"
grow='[{"op":"add","path":"/data/x","value":["0123456789"]}'
for i in $(seq 30); do grow+=',{"op":"copy","from":"/data/x","path":"/data/x/-"}'; done
expect "copies of copies" '^422$' "$(api "$maps/m" -X PATCH -H 'Content-Type: application/json-patch+json' -o /dev/null -w '%{http_code}' --data-binary "$grow]")"

step "collections"
for i in 1 2 3; do kubectl create configmap "d$i" >/dev/null && kubectl label configmap "d$i" set=d >/dev/null || fail "create"; done
left() { kubectl get configmap -l set=d -o name | wc -l; }
api "$maps?labelSelector=set%3Dd&dryRun=All" -X DELETE -o /dev/null
expect "a dry run" '^3$' "$(left)"
api "$maps?labelSelector=set%3Dd&limit=2" -X DELETE -o /dev/null
expect "two of three" '^1$' "$(left)"
api "$maps?labelSelector=set%3Dd" -X DELETE -o /dev/null
expect "the rest" '^0$' "$(left)"
echo "apply: all of it holds"
