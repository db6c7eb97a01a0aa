#!/usr/bin/env bash
# The raw edges of HTTP, by curl, openssl and bare sockets: broken bodies and paths, bodies and heads that are too large, requests in
# pieces or in a row, methods and versions nobody uses, clients that are slow, leave or never read, ten thousand idle watches. Each
# answer with its Status; after each abuse a plain GET still works, and at the end no descriptor, request or memory is left. A second
# apiserver, without TLS, serves what needs bare sockets; its bounds are met and seen in /metrics. No nodes, no root.
. "$(dirname "$0")/lib.sh"
watches=${WATCHES:-10000}
step "up"
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
until_true 20 "the default account" kubectl get serviceaccount default
pki=$CLUSTER_DIR/pki
kubectl create clusterrolebinding edges --clusterrole=cluster-admin --serviceaccount=default:default >/dev/null || fail "binding"
token=$(kubectl create token default --duration=1h) || fail "token"
tls_host=$(kubectl get endpoints kubernetes -o 'jsonpath={.subsets[0].addresses[0].ip}')
tls=$tls_host:6443
port=$((20000 + RANDOM % 10000))
"$bin/apiserver" --listen "127.0.0.1:$port" --store "$RSCTL_ENDPOINTS" --store-ca "$RSCTL_CACERT" --store-cert "$RSCTL_CERT" --store-key "$RSCTL_KEY" \
    --service-account-key-file "$pki/service-account.key" --log-level warn >"$work/plain.log" 2>&1 &
plain=$!
helpers+=("$plain")
get() { curl -gsS -m 10 -H "Authorization: Bearer $token" "$@"; }
base=http://127.0.0.1:$port
serves() { [ "$(get "$base/readyz")" = ok ]; }
until_true 20 "an apiserver without TLS" serves
auth="Authorization: Bearer $token\r\n"
maps=/api/v1/namespaces/default/configmaps

hits() { get "$base/metrics" | awk -v n="apiserver_limit_hits_total{limit=\"$1\"}" '$1 == n {print $2}'; }
fds() { ls "/proc/$plain/fd" | wc -l; }
rss() { awk '/^VmRSS/ {print $2}' "/proc/$plain/status"; }
open_requests() { get "$base/metrics" | awk '$1 == "apiserver_requests_open" {print $2}'; }
still_serves() { # after what
    local begin=$EPOCHREALTIME code
    code=$(get -o /dev/null -w '%{http_code}' "$base$maps/kube-root-ca.crt")
    [ "$code" = 200 ] || fail "after $1: GET answers $code"
    [ "$(awk "BEGIN{print ($EPOCHREALTIME - $begin < 2)}")" = 1 ] || fail "after $1: GET takes longer than 2 s"
}
raw() { # what to send, as printf has it: what comes back until the server closes, or for 5 seconds
    local s
    exec {s}<>"/dev/tcp/127.0.0.1/$port" || fail "connect"
    printf "$1" >&"$s" 2>/dev/null
    timeout 5 cat <&"$s" 2>/dev/null
    exec {s}>&-
}
first_line() { head -n 1 | tr -d '\r'; }
over_tls() { # the same over TLS, with the admin's certificate
    { printf "$1"; read -rt 5 <> <(:); } | timeout 5 openssl s_client -quiet -connect "$tls" -CAfile "$pki/ca.crt" -cert "$pki/admin.crt" -key "$pki/admin.key" 2>/dev/null
}
answered() { # what, wanted "code reason", message regex, curl arguments
    local what=$1 wanted=$2 message=$3 code
    shift 3
    code=$(get -o "$work/body" -w '%{http_code}' "$@" 2>/dev/null)
    [ "$code $(jq -r '.reason // ""' "$work/body" 2>/dev/null)" = "$wanted" ] || fail "$what: wanted $wanted, got $code $(head -c 300 "$work/body")"
    [ "$(jq -r .code "$work/body")" = "$code" ] || fail "$what: the Status says another code: $(head -c 300 "$work/body")"
    expect "$what" "$message" "$(jq -r .message "$work/body")"
    still_serves "$what"
}
hit_by() { # limit, what, command…: the command meets the limit
    local before after limit=$1 what=$2
    shift 2
    before=$(hits "$limit")
    "$@"
    after=$(hits "$limit")
    [ "${after:-0}" -gt "${before:-0}" ] || fail "$what: apiserver_limit_hits_total{limit=\"$limit\"} stays at $before"
}
still_serves nothing
get "$base/metrics" >/dev/null
fds_before=$(fds) rss_before=$(rss)

step "slow ones begin: they are looked at again below"
for i in $(seq 24); do
    jq -cn --arg n "big$i" --rawfile text <(head -c 900000 /dev/urandom | base64 -w0 | head -c 900000) '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: $n}, data: {text: $text}}' |
        get -o /dev/null -X POST -H 'Content-Type: application/json' --data-binary @- "$base$maps" || fail "create"
done
slowly() { # file, first bytes, then one byte a second for so many seconds: how long until the server has closed
    local s begin=$EPOCHSECONDS i
    exec {s}<>"/dev/tcp/127.0.0.1/$port"
    printf "$2" >&"$s"
    for ((i = 0; i < $3; i++)); do
        printf 'a' >&"$s" 2>/dev/null || break
        read -rt 1 -n 1 -u "$s" && break
        [ $? -gt 128 ] || break # closed, not timed out
    done
    echo $((EPOCHSECONDS - begin)) >"$1"
}
(trap '' PIPE; slowly "$work/slow.line" 'GET /api' 100) & slow=($!)
(trap '' PIPE; slowly "$work/slow.head" "GET /api HTTP/1.1\r\nHost: x\r\n${auth}X-Slow: " 100) & slow+=($!)
(trap '' PIPE; slowly "$work/slow.body" "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{" 120) & slow+=($!)
(trap '' PIPE; slowly "$work/slow.chunks" "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{" 120) & slow+=($!)
exec {unread_list}<>"/dev/tcp/127.0.0.1/$port" {unread_watch}<>"/dev/tcp/127.0.0.1/$port"
printf "GET $maps HTTP/1.1\r\nHost: x\r\n$auth\r\n" >&"$unread_list"
printf "GET $maps?watch=true HTTP/1.1\r\nHost: x\r\n$auth\r\n" >&"$unread_watch"
slow_since=$EPOCHSECONDS
helpers+=("${slow[@]}")
still_serves "slow clients"

step "bodies"
json='Content-Type: application/json'
answered "not JSON" "400 BadRequest" 'json|JSON|decode' -X POST -H "$json" --data-binary '{"a":' "$base$maps"
answered "no object" "400 BadRequest" '' -X POST -H "$json" --data-binary '[1]' "$base$maps"
answered "an empty body" "400 BadRequest" '' -X POST -H "$json" --data-binary '' "$base$maps"
answered "bytes that are not UTF-8" "400 BadRequest" '' -X POST -H "$json" --data-binary $'{"metadata":{"name":"\xff\xfe"}}' "$base$maps"
answered "nested deeper than any stack" "400 BadRequest" '' -X POST -H "$json" --data-binary "@"<(printf '{"data":'; head -c 100000 /dev/zero | tr '\0' '['; printf '}') "$base$maps"
answered "not YAML" "400 BadRequest" 'yaml|YAML|converting' -X POST -H 'Content-Type: application/yaml' --data-binary $'a: [1\n b: {' "$base$maps"
answered "YAML that unfolds without end" "400 BadRequest" '' -X POST -H 'Content-Type: application/yaml' --data-binary $'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]' "$base$maps"
answered "protobuf that is none" "400 BadRequest" '' -X POST -H 'Content-Type: application/vnd.kubernetes.protobuf' --data-binary 'k8s' "$base$maps"
printf 'k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01' >"$work/proto"
answered "protobuf of a length beyond its end" "400 BadRequest" '' -X POST -H 'Content-Type: application/vnd.kubernetes.protobuf' --data-binary "@$work/proto" "$base$maps"
answered "a type nobody knows" "415 UnsupportedMediaType" 'application/json' -X POST -H 'Content-Type: text/csv' --data-binary 'a,b' "$base$maps"
answered "an answer nobody gives" "406 NotAcceptable" 'application/json' -H 'Accept: text/html' "$base$maps"
answered "a patch that is none" "400 BadRequest" '' -X PATCH -H 'Content-Type: application/json-patch+json' --data-binary '{"op":"add"}' "$base$maps/kube-root-ca.crt"

step "sizes"
# What the server's library answers by itself, before it has read all, may be lost with the connection: the counter is what counts.
{ printf '{"metadata":{"name":"large"},"data":{"a":"'; head -c $((3 * 1024 * 1024 - 60)) /dev/zero | tr '\0' a; printf '"}}'; } >"$work/3m"
{ cat "$work/3m"; head -c $((3 * 1024 * 1024 + 1 - $(wc -c <"$work/3m"))) /dev/zero | tr '\0' ' '; } >"$work/3m1"
head -c $((4 * 1024 * 1024)) /dev/zero | tr '\0' ' ' >"$work/4m"
hit_by body_bytes "3 MiB and one byte" answered "3 MiB and one byte" "413 RequestEntityTooLarge" 'Request entity too large: limit is 3145728' -X POST -H "$json" -H 'Expect:' --data-binary "@$work/3m1" "$base$maps"
hit_by body_bytes "chunks" answered "3 MiB and one byte, in chunks" "413 RequestEntityTooLarge" 'limit is 3145728' -X POST -H "$json" -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary "@$work/3m1" "$base$maps"
hit_by body_bytes "4 MiB" answered "4 MiB" "413 RequestEntityTooLarge" 'limit is 3145728' -X POST -H "$json" -H 'Expect:' --data-binary "@$work/4m" "$base$maps"
hit_by body_bytes "4 MiB in chunks" answered "4 MiB in chunks" "413 RequestEntityTooLarge" 'limit is 3145728' -X PUT -H "$json" -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary "@$work/4m" "$base$maps/large"
hit_by body_bytes "asked before" answered "4 MiB, asked before they are sent" "413 RequestEntityTooLarge" 'limit is 3145728' -X POST -H "$json" -H 'Expect: 100-continue' --data-binary "@$work/4m" "$base$maps"
answered "within 3 MiB, more than a ConfigMap holds" "422 Invalid" 'Too long' -X POST -H "$json" -H 'Expect:' --data-binary "@$work/3m" "$base$maps"
jq -cn --rawfile text <(head -c 1700000 /dev/zero | tr '\0' a) '{metadata: {name: "large"}, spec: {containers: [{name: "a", image: "b:1", args: [$text]}]}}' >"$work/large.json"
hit_by object_bytes "an object" answered "more than can be stored" "413 RequestEntityTooLarge" 'at most 1572864 can be stored' -X POST -H "$json" -H 'Expect:' --data-binary "@$work/large.json" "$base/api/v1/namespaces/default/pods"
jq -cn '[range(10001) | {op: "test", path: "/kind", value: "ConfigMap"}]' >"$work/operations"
hit_by patch "a patch" answered "10 001 operations" "413 RequestEntityTooLarge" '10000' -X PATCH -H 'Content-Type: application/json-patch+json' --data-binary "@$work/operations" "$base$maps/kube-root-ca.crt"
expect "Expect: 100-continue" '^HTTP/1.1 100 Continue.*201' "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${auth}Content-Type: application/json\r\nContent-Length: 31\r\nExpect: 100-continue\r\n\r\n{\"metadata\":{\"name\":\"awaited\"}}" | grep -a '^HTTP' | tr -d '\r' | tr '\n' ' ')"
expect "chunks and their trailer" ' 201 ' "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\n{\"met\r\n1a\r\nadata\":{\"name\":\"chunked\"}}\r\n0\r\nX-Trailer: 1\r\n\r\n" | first_line)"
hit_by headers "many headers" answered "two hundred headers" "431 BadRequest" 'too many headers' $(for i in $(seq 200); do printf -- '-H X-%s:1 ' "$i"; done) "$base$maps"
a_lot() { head -c "$1" /dev/zero | tr '\0' a; }
hit_by header_bytes "a large header" answered "a header of 18 KB" "431 BadRequest" 'request header fields too large: limit is 16384 bytes' -H "X-Large: $(a_lot 18000)" "$base/version"
hit_by header_bytes "a long path" answered "a path of 18 KB" "414 BadRequest" 'request URI too long: limit is 16384 bytes' "$base/$(a_lot 18000)"
# Beyond that the server's library answers by itself, and its answer may be lost with the connection.
huge_head() { expect "a header of 100 KB" '^(HTTP/1.[01] (431|413) .*)?$' "$(raw "GET /version HTTP/1.1\r\nHost: x\r\nX-Large: $(a_lot 100000)\r\n\r\n" | first_line)"; }
hit_by header_bytes "a huge header" huge_head
still_serves "a huge header"
huge_path() { expect "a path of 100 KB" '^(HTTP/1.[01] (414|431) .*)?$' "$(raw "GET /$(a_lot 100000) HTTP/1.1\r\nHost: x\r\n\r\n" | first_line)"; }
hit_by header_bytes "a huge path" huge_path
still_serves "a huge path"
hit_by selector_bytes "a long selector" answered "a selector of 8 KB and one byte" "400 BadRequest" 'labelSelector is longer than 8192 bytes' "$base$maps?labelSelector=$(a_lot 8193)"
[ "$(get -o /dev/null -w '%{http_code}' "$base$maps?labelSelector=app+in+($(seq -s, -f 'v%030.0f' 1 250))")" = 200 ] || fail "a selector of 8 KB is not taken"
answered "a path of 8 KB" "404 NotFound" '' "$base$maps/$(head -c 8000 /dev/zero | tr '\0' a)"
answered "a query of 8 KB that selects nothing it could" "400 BadRequest" '' "$base$maps?labelSelector=$(head -c 8000 /dev/zero | tr '\0' a)%3D%3D%3D"

step "framing"
refused='^(HTTP/1.[01] (400|413) .*)?$' # or lost, see above: a unit, http_limits, holds the text
plain_get="GET /version HTTP/1.1\r\nHost: x\r\n"
expect "two lengths" "$refused" "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" | first_line)"
expect "a length that is no number" "$refused" "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Length: 2x\r\n\r\n{}" | first_line)"
expect "a negative length" "$refused" "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Length: -1\r\n\r\n{}" | first_line)"
expect "a length of 2^64" "$refused" "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Length: 18446744073709551616\r\n\r\n{}" | first_line)"
smuggled=$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
expect "both a length and chunks" "$refused" "$(first_line <<<"$smuggled")"
refuse "what hides behind them" 'smuggled|404' "$smuggled"
expect "a chunk without a length" "$refused" "$(raw "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Transfer-Encoding: chunked\r\n\r\nzz\r\n" | first_line)"
expect "no request at all" '^(HTTP/1.[01] 400 .*)?$' "$(raw '\x16\x03\x01\x02\x00\x01\r\n\r\n' | first_line)"
expect "a head of words" '^(HTTP/1.[01] 400 .*)?$' "$(raw 'hello world\r\n\r\n' | first_line)"
expect "a version of the future" '^(HTTP/1.[01] (400|505) .*)?$' "$(raw 'GET /version HTTP/3.7\r\nHost: x\r\n\r\n' | first_line)"
expect "HTTP/1.0" '^HTTP/1.[01] 200 ' "$(raw 'GET /version HTTP/1.0\r\n\r\n' | first_line)"
old=$(raw "GET $maps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%%3Dkube-root-ca.crt HTTP/1.0\r\n$auth\r\n")
refuse "HTTP/1.0 knows no chunks" 'Transfer-Encoding: chunked' "$old"
expect "a watch by HTTP/1.0" '"type":"ADDED"' "$old"
expect "HTTP/1.1 without Host" "$refused" "$(raw 'GET /version HTTP/1.1\r\n\r\n' | first_line)"
[ "$(raw "$plain_get\r\n$plain_get\r\n${plain_get}Connection: close\r\n\r\n" | grep -ac '^HTTP/1.1 200')" = 3 ] || fail "three requests in a row have other than three answers"
[ "$(raw "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nPOST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]${plain_get}Connection: close\r\n\r\n" | tr -d '\r' | grep -aoE '^HTTP/1.1 [0-9]+|HTTP/1.1 200' | tr '\n' ' ' | grep -oE '[0-9]{3}' | tr '\n' ' ')" = "403 400 200 " ] || fail "a connection is not used on after refused requests"
byte_by_byte() {
    local s text i
    printf -v text "POST $maps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${auth}Content-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"metadata\":{\"name\":\"in-bytes\"}}"
    exec {s}<>"/dev/tcp/127.0.0.1/$port"
    for ((i = 0; i < ${#text}; i++)); do printf '%s' "${text:i:1}" >&"$s"; done
    timeout 5 cat <&"$s"
    exec {s}>&-
}
expect "split at every byte" '^HTTP/1.1 201 ' "$(byte_by_byte | first_line)"
[ -n "$(rsctl get --keys-only /registry/configmaps/default/in-bytes)" ] || fail "in-bytes is not stored"
for i in 1 17 40 200; do # across the borders of records
    expect "over TLS, in pieces" '"major"' "$({ printf 'GET /version HT'; read -rt 0.0$i <> <(:); printf 'TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; read -rt 3 <> <(:); } | timeout 5 openssl s_client -quiet -connect "$tls" -CAfile "$pki/ca.crt" -cert "$pki/admin.crt" -key "$pki/admin.key" 2>/dev/null)"
done
[ "$(over_tls "$plain_get\r\n${plain_get}Connection: close\r\n\r\n" | grep -ac '^HTTP/1.1 200')" = 2 ] || fail "requests in a row over TLS"
expect "no TLS where it is spoken" '^$|^HTTP/1.[01] 400' "$(curl -s -m 5 "http://$tls/version" | tr -d '\0' | head -c 100)"
still_serves framing

step "methods"
for path in /version /api /apis /readyz "$maps" "$maps/kube-root-ca.crt" /openapi/v3 /metrics; do
    heads=$(get -I "$base$path")
    expect "HEAD $path" '^HTTP/1.1 200' "$heads"
    refuse "HEAD $path has a body" '^[{]' "$heads"
done
expect "HEAD of nothing" '^HTTP/1.1 404' "$(get -I "$base$maps/nothing")"
answered "a method nobody knows" "405 MethodNotAllowed" '' -X FROBNICATE "$base$maps"
answered "OPTIONS" "405 MethodNotAllowed" '' -X OPTIONS "$base$maps"
answered "TRACE" "405 MethodNotAllowed" '' -X TRACE "$base$maps"
answered "POST on an object" "405 MethodNotAllowed" 'does not allow this method' -X POST -H "$json" --data-binary '{}' "$base$maps/kube-root-ca.crt"
answered "PUT on a collection" "405 MethodNotAllowed" 'does not allow this method' -X PUT -H "$json" --data-binary '{}' "$base$maps"

step "paths"
not_found() { # path as it is sent
    local seen
    seen=$(raw "GET $1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$auth\r\n")
    expect "$1" "^HTTP/1.[01] (${2:-404}) " "$(first_line <<<"$seen")"
    refuse "$1 shows a file" 'root:x:|BEGIN' "$seen"
    still_serves "$1"
}
not_found /nowhere
not_found '//api/v1/pods' '404|403|301|200'
not_found '/api//v1/pods'
not_found '/api/v1/./pods'
not_found '/api/v1/../v1/pods'
not_found '/api/v1/namespaces/default/configmaps/../../../../../../etc/passwd'
not_found '/api/v1/namespaces/default/configmaps/%%2e%%2e%%2f%%2e%%2e%%2fetc%%2fpasswd'
not_found '/api/v1/namespaces/default/configmaps/%%2e%%2e'
not_found '/api/v1/namespaces/default/configmaps/a%%2fb'
not_found '/api/v1/namespaces/default/configmaps/a%%00b' 400
not_found '/api/v1/namespaces/default/configmaps/a%%zz' 400
not_found '/api/v1/namespaces/default/configmaps/a%%' 400
not_found '/api/v1/namespaces/default/configmaps/%%ff%%fe'
not_found 'api/v1' 400
not_found '*' 400
not_found "http://127.0.0.1:$port/version" '200|400'
# The library ends every text of a head at a zero byte; what is allowed is judged by the same shortened text.
expect "a byte of zero in the head" '^(HTTP/1.[01] (400|200) .*)?$' "$(raw 'GET /version\0 HTTP/1.1\r\nHost: x\r\n\r\n' | tr -d '\0' | first_line)"
expect "a path ended by a zero byte is judged as it is served" '^HTTP/1.1 403 ' "$(raw "GET $maps\\0/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" | tr -d '\0' | first_line)"
expect "a slash at the end" '^HTTP/1.1 200' "$(raw "GET /api/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$auth\r\n" | first_line)"

step "clients that leave"
for i in 1 2 3 4 5; do
    exec {s}<>"/dev/tcp/127.0.0.1/$port"
    printf "POST $maps HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"meta" >&"$s"
    exec {s}>&-
    exec {s}<>"/dev/tcp/127.0.0.1/$port"
    printf "GET $maps HTTP/1.1\r\nHost: x\r\n$auth\r\n" >&"$s"
    head -c 1000 <&"$s" >/dev/null
    exec {s}>&-
    exec {s}<>"/dev/tcp/127.0.0.1/$port"
    printf "GET $maps?watch=true HTTP/1.1\r\nHost: x\r\n$auth\r\n" >&"$s"
    head -c 1000 <&"$s" >/dev/null
    exec {s}>&-
done
still_serves "clients that leave"
few_open() { [ "$(open_requests)" -le 3 ]; } # the two that never read, and who asks
until_true 10 "what they asked for is dropped" few_open

open_watches() { get "$base/metrics" | awk '$1 == "apiserver_watches" {print $2}'; }
all_watch() { [ "$(open_watches)" -ge "$watches" ]; }
none_watch() { [ "$(open_watches)" -le 1 ]; }
idle_watches() { # opens them all, leaves the memory in $peak, ends them
    local idle
    (
        for ((i = 0; i < watches; i++)); do
            exec {s}<>"/dev/tcp/127.0.0.1/$port" || exit 1
            printf "GET /api/v1/namespaces/default/endpoints?watch=true&resourceVersion=0&fieldSelector=metadata.name%%3Dnone HTTP/1.1\r\nHost: x\r\n$auth\r\n" >&"$s"
        done
        read -rt 300 <> <(:)
    ) &
    idle=$!
    helpers+=("$idle")
    until_true 90 "$watches watches" all_watch
    peak=$(rss)
    still_serves "$watches watches"
    kill "$idle"
    wait "$idle" 2>/dev/null
    until_true 60 "none of them is left" none_watch
}
step "$watches idle watches, twice"
until_true 10 "few requests" few_open
rss_idle=$(rss)
idle_watches
awk "BEGIN{each = ($peak - $rss_idle) / $watches; printf \"  %.1f KB for each idle watch\n\", each; exit !(each < 100)}" || fail "an idle watch takes more than 100 KB"
first_peak=$peak
idle_watches # malloc keeps what they held, in pieces: a second time needs little more
[ "$peak" -lt $((first_peak * 3 / 2 + 20000)) ] || fail "memory has grown from $first_peak KB to $peak KB by opening the watches again"

step "watches by WebSocket, and too many of them"
by_socket() { # what of the query: a request for an upgrade
    echo -n "GET $maps?watch=true$1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n$auth\r\n"
}
seen=$(raw "$(by_socket "&timeoutSeconds=1&fieldSelector=metadata.name%%3Dkube-root-ca.crt")" | tr -cd '\n[:print:]' | tr '\n' ' ')
expect "a watch by WebSocket" '^HTTP/1.1 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK.xOo=.*"type":"ADDED".*"name":"kube-root-ca.crt"' "$seen"
refused_before=$(hits tunnels)
(
    for ((i = 0; i < 1025; i++)); do # of which the last is refused
        exec {s}<>"/dev/tcp/127.0.0.1/$port" || exit 1
        printf "$(by_socket "&resourceVersion=0&fieldSelector=metadata.name%%3Dnone")" >&"$s"
    done
    read -rt 300 <> <(:)
) &
crowd=$!
helpers+=("$crowd")
crowd_watches() { [ "$(hits tunnels)" -gt "${refused_before:-0}" ]; }
until_true 60 "1024 watches by WebSocket" crowd_watches
one_more() { raw "$(by_socket "")" >"$work/one-more"; expect "one more" '^HTTP/1.1 429 ' "$(first_line <"$work/one-more")"; }
hit_by tunnels "a tunnel too many" one_more
expect "its Status" '"message":"the connection cannot be upgraded: too many of its kind are open; try again later","reason":"TooManyRequests"' "$(cat "$work/one-more")"
still_serves "1024 tunnels"
kill "$crowd"
wait "$crowd" 2>/dev/null
until_true 20 "none of them is left" none_watch

step "slow ones are cut"
for each in line:30:40 head:30:40 body:58:70 chunks:58:70; do
    IFS=: read -r name least most <<<"$each"
    written() { [ -s "$work/slow.$name" ]; }
    until_true 100 "slow $name" written
    took=$(cat "$work/slow.$name")
    { [ "$took" -ge "$least" ] && [ "$took" -le "$most" ]; } || fail "slow $name was cut after $took s, wanted $least to $most"
done
readers_cut() { [ "$(hits slow_reader)" -ge 2 ]; }
until_true $((100 - EPOCHSECONDS + slow_since > 1 ? 100 - EPOCHSECONDS + slow_since : 1)) "those who never read" readers_cut
[ "$(hits slow_head)" -ge 2 ] || fail "slow heads are not counted"
[ "$(hits slow_body)" -ge 2 ] || fail "slow bodies are not counted"
exec {unread_list}>&- {unread_watch}>&-

step "nothing is left"
[ "$(get "$base/metrics" | grep -c '^apiserver_limit_hits_total{limit="')" -ge 19 ] || fail "a bound is not shown in /metrics"
as_before() { [ "$(fds)" -le $((fds_before + 4)) ] && [ "$(open_requests)" -le 1 ]; }
as_before || awk -v p=":$(printf '%04X' "$port")" 'index($2, p) {print "  server side:", $4, $5}' /proc/net/tcp | sort | uniq -c
until_true 20 "descriptors ($fds_before before, $(fds) now) and requests ($(open_requests) open) are as before" as_before
echo "  memory: $rss_before KB before, $(rss) KB after"
[ "$(rss)" -lt $((first_peak * 3 / 2 + 20000)) ] || fail "memory has grown from $first_peak KB with all watches to $(rss) KB"
kill "$plain"
wait "$plain" || fail "the apiserver did not end well: $(tail -n 5 "$work/plain.log")"
refuse "its log" 'ERROR|PANIC' "$(cat "$work/plain.log")"
echo "http_edges: all of it holds"
