#!/usr/bin/env bash
# What Helm 3 sends for install, upgrade, rollback and uninstall of a chart of seven objects and two hooks, replayed by curl: releases
# as Secrets of almost 1 MiB, objects by GET and POST, three-way patches, hooks that are awaited and deleted by their policy, deletion
# in the background. Looks at every answer and at what the store holds. One master, no nodes, no root.
. "$(dirname "$0")/lib.sh"
step "up"
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
server=$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')
pki=$CLUSTER_DIR/pki ns=shop
api() { # method, path, further arguments of curl: the body goes to $work/answer, the code is printed
    local method=$1 path=$2
    shift 2
    curl -gsS -m 30 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -A 'Helm/3.17.0' -H 'Accept: application/json' \
        -H 'Accept-Encoding: gzip' --compressed -o "$work/answer" -w '%{http_code}' -X "$method" "$@" "$server$path"
}
wants() { # what, code, method, path, further arguments of curl
    local what=$1 code=$2 seen
    shift 2
    seen=$(api "$@")
    [ "$seen" = "$code" ] || fail "$what: $1 $2: wanted $code, got $seen: $(head -c 600 "$work/answer")"
}
answer() { # what, jq program, wanted text
    local seen
    seen=$(jq -r "$2" "$work/answer" | tr '\n' ' ' | sed 's/ $//')
    [ "$seen" = "$3" ] || fail "$1: $2 of the answer is '$seen', wanted '$3'"
}
stored() { # key, jq program, wanted text
    local seen
    seen=$(rsctl get --print-value-only "/registry/$1" | jq -r "$2" | tr '\n' ' ' | sed 's/ $//')
    [ "$seen" = "$3" ] || fail "$1: $2 is '$seen', wanted '$3'"
}
gone() { [ -z "$(rsctl get --keys-only "/registry/$1")" ] || fail "$1 is still stored"; }
version_of() { rsctl get -w json "/registry/$1" | jq '.kvs[0].mod_revision'; }
until_true 20 "the api" kubectl get namespace default

core=/api/v1/namespaces/$ns
secrets=$core/secrets
paths() { # kind, name: where Helm finds the object
    case $1 in
    Deployment) echo "/apis/apps/v1/namespaces/$ns/deployments" ;;
    Job) echo "/apis/batch/v1/namespaces/$ns/jobs" ;;
    Role) echo "/apis/rbac.authorization.k8s.io/v1/namespaces/$ns/roles" ;;
    RoleBinding) echo "/apis/rbac.authorization.k8s.io/v1/namespaces/$ns/rolebindings" ;;
    Service) echo "$core/services" ;;
    ServiceAccount) echo "$core/serviceaccounts" ;;
    ConfigMap) echo "$core/configmaps" ;;
    Secret) echo "$core/secrets" ;;
    esac
}
# release VERSION STATUS: the Secret in which Helm keeps a release; its payload (gzip and base64 twice in reality) only has to be large.
release() {
    jq -cn --arg v "$1" --arg status "$2" --rawfile payload "$work/payload" --arg at "$(date +%s)" '{apiVersion: "v1", kind: "Secret",
        metadata: {name: ("sh.helm.release.v1.web.v" + $v), labels: {name: "web", owner: "helm", status: $status, version: $v, createdAt: $at}},
        type: "helm.sh/release.v1", data: {release: $payload}}' >"$work/release.json"
}
head -c 700000 /dev/urandom | base64 -w0 | base64 -w0 | head -c 1040000 >"$work/payload" # times 3/4 as bytes: under 1 MiB, which a Secret may hold

chart() { # image tag, number of replicas, greeting, port: the objects in Helm's order of kinds, one a line
    local meta='"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"web","meta.helm.sh/release-namespace":"'$ns'"}'
    cat <<JSON
{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"web",$meta}}
{"apiVersion":"v1","kind":"Secret","metadata":{"name":"web-key",$meta},"stringData":{"key":"$3"},"type":"Opaque"}
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web",$meta},"data":{"greeting":"$3"}}
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"web",$meta},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get"]}]}
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"web",$meta},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"web"},"subjects":[{"kind":"ServiceAccount","name":"web","namespace":"$ns"}]}
{"apiVersion":"v1","kind":"Service","metadata":{"name":"web",$meta},"spec":{"selector":{"app":"web"},"ports":[{"name":"http","port":$4,"targetPort":"http"}]}}
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web",$meta},"spec":{"replicas":$2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"serviceAccountName":"web","containers":[{"name":"web","image":"web:$1","ports":[{"name":"http","containerPort":8080}],"env":[{"name":"TAG","value":"$1"}]}]}}}}
JSON
}
each() { # function: called with kind, name and the object, for every line on standard input
    local object
    while IFS= read -r object; do "$1" "$(jq -r .kind <<<"$object")" "$(jq -r .metadata.name <<<"$object")" "$object"; done
}
post='Content-Type: application/json'
absent() { wants "not there yet" 404 GET "$(paths "$1")/$2"; answer "of whom" '[.reason, .details.name] | join(" ")' "NotFound $2"; }
create() {
    wants "create $1" 201 POST "$(paths "$1")?fieldManager=helm" -H "$post" --data-binary "$3"
    answer "created" '[.kind, .metadata.name, (.metadata.uid | length)] | map(tostring) | join(" ")' "$1 $2 36"
}
# What Helm computes from the old manifest, the live object and the new one (as kubectl apply does): only what the chart changes, lists
# by their keys with their order, a port that is left out told of as deleted. FROM and TO are lines of tag, replicas, greeting and port.
three_way() { # kind
    local from_port=${FROM##* }
    set -- "$1" $TO
    local tag=$2 replicas=$3 greeting=$4 port=$5
    case $1 in
    Secret) echo "{\"stringData\":{\"key\":\"$greeting\"}}" ;;
    ConfigMap) echo "{\"data\":{\"greeting\":\"$greeting\"}}" ;;
    Service) echo "{\"spec\":{\"\$setElementOrder/ports\":[{\"port\":$port}],\"ports\":[{\"name\":\"http\",\"port\":$port,\"targetPort\":\"http\"},{\"\$patch\":\"delete\",\"port\":$from_port}]}}" ;;
    Deployment) echo "{\"spec\":{\"replicas\":$replicas,\"template\":{\"spec\":{\"\$setElementOrder/containers\":[{\"name\":\"web\"}],\"containers\":[{\"\$setElementOrder/env\":[{\"name\":\"TAG\"}],\"env\":[{\"name\":\"TAG\",\"value\":\"$tag\"}],\"image\":\"web:$tag\",\"name\":\"web\"}]}}}}" ;;
    *) echo '{}' ;;
    esac
}
patch() { # kind, name
    local body
    body=$(three_way "$1")
    wants "is $1 there" 200 GET "$(paths "$1")/$2"
    wants "live $1" 200 GET "$(paths "$1")/$2"
    if [ "$body" = '{}' ]; then
        wants "nothing changes: read once more" 200 GET "$(paths "$1")/$2"
    else
        wants "patch $1" 200 PATCH "$(paths "$1")/$2?fieldManager=helm" -H 'Content-Type: application/strategic-merge-patch+json' --data-binary "$body"
    fi
}

hook() { # name, event: a Job that Helm makes, awaits and deletes (hook-delete-policy: before-hook-creation,hook-succeeded)
    local jobs=/apis/batch/v1/namespaces/$ns/jobs name=$1 pid
    wants "before-hook-creation" 404 DELETE "$jobs/$name" -H "$post" --data-binary '{"propagationPolicy":"Background"}'
    wants "hook $2" 201 POST "$jobs?fieldManager=helm" -H "$post" --data-binary '{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"'"$name"'","annotations":{"helm.sh/hook":"'"$2"'","helm.sh/hook-delete-policy":"before-hook-creation,hook-succeeded"}},"spec":{"backoffLimit":1,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"migrate","image":"migrate:1"}]}}}}'
    stored "jobs/$ns/$name" '[.spec.template.spec.restartPolicy, .metadata.annotations["helm.sh/hook"]] | join(" ")' "Never $2"
    wants "list before the watch" 200 GET "$jobs?fieldSelector=metadata.name%3D$name&limit=500"
    answer "only the hook" '[.items[].metadata.name] | join(" ")' "$name"
    local revision
    revision=$(jq -r .metadata.resourceVersion "$work/answer")
    curl -gsSN -m 20 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
        "$server$jobs?fieldSelector=metadata.name%3D$name&watch=true&resourceVersion=$revision&timeoutSeconds=20" >"$work/events" 2>/dev/null &
    pid=$!
    helpers+=("$pid")
    # Nobody runs its pod here, and no controller of jobs has to be awaited: the status is written as that one would.
    wants "the hook ends" 200 PATCH "$jobs/$name/status" -H 'Content-Type: application/merge-patch+json' --data-binary \
        '{"status":{"succeeded":1,"startTime":"2026-01-01T00:00:00Z","completionTime":"2026-01-01T00:00:01Z","conditions":[{"type":"SuccessCriteriaMet","status":"True","lastTransitionTime":"2026-01-01T00:00:01Z","lastProbeTime":"2026-01-01T00:00:01Z"},{"type":"Complete","status":"True","lastTransitionTime":"2026-01-01T00:00:01Z","lastProbeTime":"2026-01-01T00:00:01Z"}]}}'
    until_true 10 "the watch tells of the hook's end" grep -q '"Complete"' "$work/events"
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    wants "hook-succeeded" 200 DELETE "$jobs/$name" -H "$post" --data-binary '{"propagationPolicy":"Background"}'
    no_hook() { [ "$(api GET "$jobs/$name")" = 404 ]; }
    until_true 10 "the hook is gone" no_hook
    gone "jobs/$ns/$name"
}
ready() { # Helm's --wait: until the deployment's status says so; here the status is written by hand
    wants "deployment" 200 GET "/apis/apps/v1/namespaces/$ns/deployments/web"
    local generation image
    generation=$(jq .metadata.generation "$work/answer") image=$(jq '.spec.template.spec.containers[0].image' "$work/answer")
    observed() { [ "$(api GET "/apis/apps/v1/namespaces/$ns/deployments/web")" = 200 ] && [ "$(jq '.status.observedGeneration >= '"$generation" "$work/answer")" = true ]; }
    until_true 10 "the controller has seen generation $generation" observed
    wants "replica sets of it" 200 GET "/apis/apps/v1/namespaces/$ns/replicasets?labelSelector=app%3Dweb"
    answer "owned by it" '[.items[] | .metadata.ownerReferences[0].name] | unique | join(" ")' web
    answer "one of them for the newest template" "[.items[] | select(.spec.template.spec.containers[0].image == $image)] | length > 0" true
    wants "endpoints of the service" 200 GET "$core/services/web"
    answer "has an address" '.spec.clusterIP | test("^[0-9]")' true
}
releases() { # label selector, wanted names
    wants "list" 200 GET "$secrets?labelSelector=$(jq -rn --arg s "$1" '$s | @uri')"
    answer "releases with $1" '[.items[].metadata.name] | sort | join(" ")' "$2"
}

step "install"
wants "version" 200 GET '/version?timeout=32s'
wants "namespace (--create-namespace)" 201 POST '/api/v1/namespaces?fieldManager=helm' -H "$post" --data-binary "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"$ns\",\"labels\":{\"name\":\"$ns\"}}}"
wants "the same again" 409 POST '/api/v1/namespaces?fieldManager=helm' -H "$post" --data-binary "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"$ns\"}}"
answer "which Helm takes as well" .reason AlreadyExists
releases "name=web,owner=helm" ""
chart 1 2 hello 80 >"$work/old.json"
each absent <"$work/old.json"
release 1 pending-install
wants "the release" 201 POST "$secrets?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
stored "secrets/$ns/sh.helm.release.v1.web.v1" '[.type, .metadata.labels.status, (.data.release | length)] | map(tostring) | join(" ")' "helm.sh/release.v1 pending-install 1040000"
hook web-pre pre-install
each create <"$work/old.json"
stored "secrets/$ns/web-key" '[.data.key, (has("stringData") | tostring)] | join(" ")' 'aGVsbG8= false'
stored "rolebindings/$ns/web" '.subjects[0] | [.kind, .namespace] | join(" ")' "ServiceAccount $ns"
ready
release 1 deployed
before=$(version_of "secrets/$ns/sh.helm.release.v1.web.v1")
wants "deployed, without a version of the object" 200 PUT "$secrets/sh.helm.release.v1.web.v1?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
stored "secrets/$ns/sh.helm.release.v1.web.v1" .metadata.labels.status deployed
[ "$(version_of "secrets/$ns/sh.helm.release.v1.web.v1")" -gt "$before" ] || fail "the release was not written"
releases "owner=helm,status=deployed" sh.helm.release.v1.web.v1

step "somebody else has written, too"
wants "scaled by hand" 200 PATCH "/apis/apps/v1/namespaces/$ns/deployments/web" -H 'Content-Type: application/merge-patch+json' --data-binary '{"metadata":{"annotations":{"note":"by hand"}},"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:1","ports":[{"name":"http","containerPort":8080}],"env":[{"name":"TAG","value":"1"},{"name":"EXTRA","value":"kept"}]}]}}}}'
wants "an injected label" 200 PATCH "$core/services/web" -H 'Content-Type: application/strategic-merge-patch+json' --data-binary '{"metadata":{"labels":{"injected":"yes"}}}'
address=$(jq -r .spec.clusterIP "$work/answer")

step "upgrade"
releases "name=web,owner=helm,status=deployed" sh.helm.release.v1.web.v1
wants "the last release" 200 GET "$secrets/sh.helm.release.v1.web.v1"
cmp -s <(jq -j .data.release "$work/answer") "$work/payload" || fail "the release comes back otherwise than it went"
FROM='1 2 hello 80' TO='2 3 goodbye 81'
chart 2 3 goodbye 81 >"$work/new.json"
release 2 pending-upgrade
wants "the release" 201 POST "$secrets?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
wants "the same again: somebody else upgrades" 409 POST "$secrets?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
answer "told so" '.message' 'secrets "sh.helm.release.v1.web.v2" already exists'
hook web-pre pre-upgrade
account=$(version_of "serviceaccounts/$ns/web")
each patch <"$work/new.json"
[ "$account" = "$(version_of "serviceaccounts/$ns/web")" ] || fail "an unchanged object was written"
stored "configmaps/$ns/web" '.data.greeting' goodbye
stored "secrets/$ns/web-key" '.data.key | @base64d' goodbye
stored "deployments/$ns/web" '[.spec.replicas, .spec.template.spec.containers[0].image, .metadata.annotations.note, (.spec.template.spec.containers[0].env | map(.name + "=" + .value) | join(","))] | map(tostring) | join(" ")' \
    '3 web:2 by hand TAG=2,EXTRA=kept'
stored "services/specs/$ns/web" '[(.spec.ports | map(.port | tostring) | join(",")), .spec.clusterIP, .metadata.labels.injected] | join(" ")' "81 $address yes"
stored "deployments/$ns/web" '[.metadata.managedFields[] | select(.manager == "helm") | .operation] | join(" ")' Update
ready
release 1 superseded
wants "v1" 200 PUT "$secrets/sh.helm.release.v1.web.v1?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
release 2 deployed
wants "v2" 200 PUT "$secrets/sh.helm.release.v1.web.v2?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
releases "name=web,owner=helm,status=deployed" sh.helm.release.v1.web.v2

step "an upgrade that is refused changes nothing"
before=$(version_of "deployments/$ns/web")
wants "selector" 422 PATCH "/apis/apps/v1/namespaces/$ns/deployments/web?fieldManager=helm" -H 'Content-Type: application/strategic-merge-patch+json' \
    --data-binary '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'
answer "as Helm prints it" '[.reason, (.message | test("field is immutable"))] | map(tostring) | join(" ")' 'Invalid true'
[ "$before" = "$(version_of "deployments/$ns/web")" ] || fail "a refused patch was written"
head -c 1500000 /dev/zero | tr '\0' A >"$work/payload.big"
jq -cn --rawfile payload "$work/payload.big" '{apiVersion: "v1", kind: "Secret", metadata: {name: "sh.helm.release.v1.web.v9", labels: {name: "web", owner: "helm"}}, type: "helm.sh/release.v1", data: {release: $payload}}' >"$work/big.json"
wants "a release over 1 MiB" 422 POST "$secrets?fieldManager=helm" -H "$post" --data-binary "@$work/big.json"
answer "as Helm prints it" '.message | test("data: Too long: (may not be more than 1048576 bytes|must have at most 1048576 bytes)")' true
gone "secrets/$ns/sh.helm.release.v1.web.v9"

step "rollback"
releases "name=web,owner=helm" "sh.helm.release.v1.web.v1 sh.helm.release.v1.web.v2"
wants "the one to go back to" 200 GET "$secrets/sh.helm.release.v1.web.v1"
FROM='2 3 goodbye 81' TO='1 2 hello 80'
release 3 pending-rollback
wants "the release" 201 POST "$secrets?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
each patch <"$work/old.json"
stored "deployments/$ns/web" '[.spec.replicas, .spec.template.spec.containers[0].image, (.spec.template.spec.containers[0].env | map(.name + "=" + .value) | join(","))] | map(tostring) | join(" ")' '2 web:1 TAG=1,EXTRA=kept'
stored "configmaps/$ns/web" .data.greeting hello
stored "services/specs/$ns/web" '[(.spec.ports | map(.port | tostring) | join(",")), .spec.clusterIP] | join(" ")' "80 $address"
ready
revised() { rsctl get --print-value-only "/registry/deployments/$ns/web" | jq -e '.metadata.annotations["deployment.kubernetes.io/revision"] | tonumber >= 3' >/dev/null; }
until_true 10 "a revision of its own" revised
for v in "2 superseded" "3 deployed"; do
    # shellcheck disable=SC2086 # two words
    release $v
    wants "v${v% *}" 200 PUT "$secrets/sh.helm.release.v1.web.v${v% *}?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
done
releases "owner=helm,status=superseded" "sh.helm.release.v1.web.v1 sh.helm.release.v1.web.v2"
releases "owner=helm,status in (deployed,pending-upgrade)" sh.helm.release.v1.web.v3

step "list over all namespaces (helm list -A)"
wants "list" 200 GET "/api/v1/secrets?labelSelector=owner%3Dhelm"
answer "three releases, whole" '[.items[] | .metadata.labels.version + ":" + (.data.release | length | tostring)] | sort | join(" ")' '1:1040000 2:1040000 3:1040000'

step "a merge patch of what has no strategic one, and history cut to two"
wants "metadata only" 200 PATCH "$core/configmaps/web?fieldManager=helm" -H 'Content-Type: application/merge-patch+json' --data-binary '{"data":{"greeting":null,"other":"x"}}'
stored "configmaps/$ns/web" '.data | tojson' '{"other":"x"}'
wants "oldest release" 200 DELETE "$secrets/sh.helm.release.v1.web.v1" -H "$post"
answer "told so" '[.kind, .status, .details.name] | join(" ")' 'Status Success sh.helm.release.v1.web.v1'
gone "secrets/$ns/sh.helm.release.v1.web.v1"

step "uninstall"
releases "name=web,owner=helm" "sh.helm.release.v1.web.v2 sh.helm.release.v1.web.v3"
release 3 uninstalling
wants "v3" 200 PUT "$secrets/sh.helm.release.v1.web.v3?fieldManager=helm" -H "$post" --data-binary "@$work/release.json"
remove() {
    wants "delete $1" 200 DELETE "$(paths "$1")/$2" -H "$post" --data-binary '{"propagationPolicy":"Background"}'
    no_more() { [ "$(api GET "$(paths "$1")/$2")" = 404 ]; }
    until_true 10 "$1 is gone" no_more "$1" "$2"
    wants "again" 404 DELETE "$(paths "$1")/$2" -H "$post" --data-binary '{"propagationPolicy":"Background"}'
}
each remove < <(tac "$work/old.json")
left() { [ "$(rsctl get --prefix --keys-only "/registry/replicasets/$ns/" | grep -c .)$(rsctl get --prefix --keys-only "/registry/pods/$ns/" | grep -c .)" = 00 ]; }
until_true 20 "replica sets and pods go with their owner" left
for v in 2 3; do
    wants "release $v" 200 DELETE "$secrets/sh.helm.release.v1.web.v$v" -H "$post"
    gone "secrets/$ns/sh.helm.release.v1.web.v$v"
done
releases "owner=helm" ""
echo "helm: all of it holds"
