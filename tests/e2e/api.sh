#!/usr/bin/env bash
# What clients rely on between reads and writes, by curl and kubectl against one master without nodes: pages, expired tokens,
# bookmarks, dry runs, finalizers, propagation, entity tags, YAML, and what admission adds to a pod. Needs no root.
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
code() { api "$@" -o /dev/null -w '%{http_code}'; }
until_true 20 "the api" kubectl get namespace default

step "a pod in the same breath as its namespace"
kubectl create namespace fresh >/dev/null || fail "create namespace"
out=$(kubectl run p -n fresh --image=x:1 2>&1) || fail "run: $out"
pod=$(kubectl get pod p -n fresh -o json)
expect "token volume" '"name": "kube-api-access-' "$pod"
expect "stays on a node that is not ready" '^300$' "$(jq '.spec.tolerations[] | select(.key == "node.kubernetes.io/not-ready" and .effect == "NoExecute") | .tolerationSeconds' <<<"$pod")"
expect "stays on a node that is not reachable" '^300$' "$(jq '.spec.tolerations[] | select(.key == "node.kubernetes.io/unreachable") | .tolerationSeconds' <<<"$pod")"
out=$(api /api/v1/namespaces/fresh/pods -H 'Content-Type: application/yaml' --data-binary '
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  tolerations: [{operator: Exists}]
  containers: [{name: a, image: "b:1"}]')
expect "own tolerations suffice" '^1$' "$(jq '.spec.tolerations | length' <<<"$out")"

step "pages"
for i in 1 2 3 4 5; do kubectl create configmap "c$i" -n fresh >/dev/null || fail "create configmap"; done
until_true 10 "kube-root-ca.crt" kubectl get configmap kube-root-ca.crt -n fresh
page=$(api "/api/v1/namespaces/fresh/configmaps?limit=2")
expect "first page" '^2 4 c1 c2$' "$(jq -r '[(.items | length), .metadata.remainingItemCount, .items[].metadata.name] | join(" ")' <<<"$page")"
revision=$(jq -r .metadata.resourceVersion <<<"$page")
token=$(jq -r .metadata.continue <<<"$page")
kubectl delete configmap c4 -n fresh >/dev/null
page=$(api "/api/v1/namespaces/fresh/configmaps?limit=2&continue=$token")
expect "second page, as of the first" "^$revision c3 c4\$" "$(jq -r '[.metadata.resourceVersion, .items[].metadata.name] | join(" ")' <<<"$page")"
last=$(jq -r .metadata.continue <<<"$page")
page=$(api "/api/v1/namespaces/fresh/configmaps?continue=$last")
expect "last page" "^$revision null c5 kube-root-ca.crt\$" "$(jq -r '[.metadata.resourceVersion, (.metadata.continue | tostring), .items[].metadata.name] | join(" ")' <<<"$page")"
rsctl compact "$(rsctl get --prefix --count-only -w json /registry/ | jq .header.revision)" >/dev/null || fail "compact"
page=$(api "/api/v1/namespaces/fresh/configmaps?limit=2&continue=$token")
expect "an expired token" '^410 Expired$' "$(jq -r '[.code, .reason] | join(" ")' <<<"$page")"
again=$(jq -r .metadata.continue <<<"$page")
page=$(api "/api/v1/namespaces/fresh/configmaps?limit=2&continue=$again")
expect "goes on with what is there" '^c3 c5$' "$(jq -r '[.items[].metadata.name] | join(" ")' <<<"$page")"

step "watches"
events=$(api "/api/v1/namespaces/fresh/configmaps?watch=true&resourceVersion=$revision&allowWatchBookmarks=true&timeoutSeconds=1")
expect "what the cache still has, though the store forgot it" '^\{"type":"DELETED".*"name":"c4"' "$events"
now=$(api /api/v1/namespaces/fresh/configmaps | jq -r .metadata.resourceVersion)
events=$(api "/api/v1/namespaces/fresh/configmaps?watch=true&resourceVersion=$now&allowWatchBookmarks=true&timeoutSeconds=1")
expect "a bookmark before the end" '^\{"type":"BOOKMARK","object":\{"kind":"ConfigMap","apiVersion":"v1","metadata":\{"resourceVersion":"[0-9]+"' "$events"

step "dry runs change nothing"
before=$(api /api/v1/namespaces/fresh/configmaps | jq -c '[.items[] | [.metadata.name, .metadata.resourceVersion]]')
expect "create" 'configmap/dry created' "$(kubectl create configmap dry -n fresh --dry-run=server 2>&1)"
expect "delete" 'deleted' "$(kubectl delete configmap c1 -n fresh --dry-run=server 2>&1)"
expect "patch" 'patched' "$(kubectl patch configmap c1 -n fresh -p '{"data":{"a":"1"}}' --dry-run=server 2>&1)"
expect "label" 'labeled' "$(kubectl label configmap c1 -n fresh a=b --dry-run=server 2>&1)"
expect "a delete's query" '^200$' "$(code "/api/v1/namespaces/fresh/configmaps/c1?dryRun=All" -X DELETE)"
[ "$before" = "$(api /api/v1/namespaces/fresh/configmaps | jq -c '[.items[] | [.metadata.name, .metadata.resourceVersion]]')" ] || fail "a dry run changed something"

step "finalizers and propagation"
kubectl patch configmap c1 -n fresh --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}' >/dev/null || fail "finalizer"
out=$(api /api/v1/namespaces/fresh/configmaps/c1 -X DELETE)
expect "held" '^0 true$' "$(jq -r '[.metadata.deletionGracePeriodSeconds, (.metadata.deletionTimestamp != null)] | join(" ")' <<<"$out")"
expect "still there" '^200$' "$(code /api/v1/namespaces/fresh/configmaps/c1)"
kubectl patch configmap c1 -n fresh --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null || fail "without finalizer"
expect "gone with its last finalizer" '^404$' "$(code /api/v1/namespaces/fresh/configmaps/c1)"
owner=$(kubectl get configmap c2 -n fresh -o 'jsonpath={.metadata.uid}')
owned() { # name
    api /api/v1/namespaces/fresh/configmaps -o /dev/null -H 'Content-Type: application/json' --data-binary \
        "{\"metadata\":{\"name\":\"$1\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"c2\",\"uid\":\"$owner\",\"blockOwnerDeletion\":true}]}}"
}
gone() { [ "$(code "/api/v1/namespaces/fresh/configmaps/$1")" = 404 ]; }
orphaned() { [ "$(kubectl get configmap child -n fresh -o 'jsonpath={.metadata.ownerReferences}')" = "" ]; }
owned child
expect "orphan" '^200$' "$(code "/api/v1/namespaces/fresh/configmaps/c2?propagationPolicy=Orphan" -X DELETE)"
until_true 10 "the owner goes" gone c2
until_true 10 "the child stays, without owner" orphaned
kubectl create configmap c2 -n fresh >/dev/null || fail "create again"
owner=$(kubectl get configmap c2 -n fresh -o 'jsonpath={.metadata.uid}')
owned second
out=$(api "/api/v1/namespaces/fresh/configmaps/c2?propagationPolicy=Foreground" -X DELETE)
expect "foreground" '^foregroundDeletion$' "$(jq -r '.metadata.finalizers | join(" ")' <<<"$out")"
until_true 10 "the dependent goes" gone second
until_true 10 "the owner goes after it" gone c2

step "entity tags"
accept='Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
tag=$(api /apis -H "$accept" -D - -o /dev/null | tr -d '\r' | sed -n 's/^ETag: //p')
expect "a tag" '^"[0-9A-F]{16}"$' "$tag"
expect "the same is not sent again" '^304$' "$(code /apis -H "$accept" -H "If-None-Match: $tag")"
expect "another tag" '^200$' "$(code /apis -H "$accept" -H 'If-None-Match: "0"')"
url=$(api /openapi/v3 | jq -r '.paths["apis/apps/v1"].serverRelativeURL')
heads=$(api "$url" -D - -o /dev/null)
expect "immutable under its hash" 'Cache-Control: public.*immutable' "$heads"
expect "tag of a document" "ETag: \"${url#*hash=}\"" "$heads"
heads=$(api "${url%hash=*}hash=0123" -D - -o /dev/null)
expect "a stale hash" ' 301 ' "$heads"
expect "is sent on" "Location: ${url%%\?*}\?hash=${url#*hash=}" "$heads"
echo "api: all of it holds"
