#!/usr/bin/env bash
# Proxies of pods, services and nodes: methods, content both ways, streams, pages and redirects, upgrades, refusals, rights; the issuer's
# documents; port-forward up to the node.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "this story needs root (network namespaces, containers)"
tools/images.sh build/images >/dev/null || fail "tools/images.sh"
step "up"
out=$(keelson up --masters 1 --nodes 1 2>&1) || fail "keelson up: $out"
config() { kubectl config view --raw -o "jsonpath={$1}"; }
config '.clusters[0].cluster.certificate-authority-data' | base64 -d >"$work/ca"
config '.users[0].user.client-certificate-data' | base64 -d >"$work/cert"
config '.users[0].user.client-key-data' | base64 -d >"$work/key"
server=$(config '.clusters[0].cluster.server')
me=(--cert "$work/cert" --key "$work/key")
ask() { curl -s -m 30 --http1.1 --cacert "$work/ca" "${me[@]}" "$@"; } # arguments of curl, with a path appended to $server by the caller
pods=$server/api/v1/namespaces/default/pods services=$server/api/v1/namespaces/default/services nodes=$server/api/v1/nodes
prefix=/api/v1/namespaces/default/pods/cgi:8081/proxy
kubectl create -f - >/dev/null <<'OBJECTS' || fail "create"
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"containers": [
    {"name": "c", "image": "keelson/demo:1", "ports": [{"containerPort": 8080}]}]}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cgi"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
    {"name": "c", "image": "keelson/demo:1", "command": ["sh", "-c", "mkdir -p /www/cgi-bin; exec httpd -f -p 8081 -h /www"]}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"name": "main", "port": 80, "targetPort": 8080}]}},
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "empty"}, "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}}]}
OBJECTS
kubectl wait --for=condition=Ready pod/web pod/cgi --timeout=30s >/dev/null || fail "the pods are not ready"
script() { kubectl exec -i cgi -- sh -c "cat >/www/cgi-bin/$1 && chmod +x /www/cgi-bin/$1" || fail "script $1"; }
script echo <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\nX-Own: yes\r\nConnection: X-Hop\r\nX-Hop: no\r\n\r\n'
echo "method=$REQUEST_METHOD query=$QUERY_STRING host=$HTTP_HOST for=$HTTP_X_FORWARDED_FOR uri=$HTTP_X_FORWARDED_URI proto=$HTTP_X_FORWARDED_PROTO auth=$HTTP_AUTHORIZATION mine=$HTTP_X_MINE size=$(head -c "${CONTENT_LENGTH:-0}" | wc -c)"
CGI
script page <<'CGI'
#!/bin/sh
printf 'Content-Type: text/html; charset=utf-8\r\n\r\n'
echo "<html><a href=\"/next\">next</a><a href=\"there\">there</a><img src='http://elsewhere.example/x.png'></html>"
CGI
script away <<'CGI'
#!/bin/sh
printf 'HTTP/1.0 302 Found\r\nLocation: /cgi-bin/page\r\n\r\n'
CGI
script slow <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo first; sleep 4; echo second
CGI
script big <<'CGI'
#!/bin/sh
printf 'Content-Type: application/octet-stream\r\n\r\n'
head -c 100000000 /dev/zero
CGI

step "pods, services and nodes"
expect "a pod, by its port" "^keelson demo 1 on web" "$(ask "$pods/web/proxy/")"
expect "a pod, scheme and port" "^keelson demo 1 on web" "$(ask "$pods/http:web:8080/proxy/")"
until_true 10 "the service has an endpoint" kubectl get --raw /api/v1/namespaces/default/services/web:main/proxy/
expect "a service, by number" "^keelson demo 1 on web" "$(ask "$services/web:80/proxy/")"
expect "a service, with a scheme" "^keelson demo 1 on web" "$(ask "$services/http:web:main/proxy/")"
expect "a node's agent" "^ok" "$(ask "$nodes/node-1/proxy/healthz")"
expect "a node's agent, by its port" "^ok" "$(ask "$nodes/node-1:10250/proxy/healthz")"
expect "kubectl" "^keelson demo 1 on web" "$(kubectl get --raw /api/v1/namespaces/default/pods/web/proxy/)"

step "methods, headers and content"
for method in GET POST PUT PATCH DELETE; do
    expect "$method" "^method=$method query=a=b%20c&d " "$(ask -X "$method" "$server$prefix/cgi-bin/echo?a=b%20c&d")"
done
got=$(ask -X POST -H 'Authorization: Bearer secret' -H 'X-Mine: 1' -H 'X-Forwarded-For: 1.2.3.4' -d "@$work/ca" "$server$prefix/cgi-bin/echo" 2>&1)
refuse "credentials stay here" "secret" "$got"
expect "headers" "host=${server#https://} for=1.2.3.4, [0-9.]+ uri=$prefix/cgi-bin/echo proto=https auth= mine=1" "$got"
head -c 2000000 /dev/zero >"$work/two"
expect "two megabytes up" "size=2000000" "$(ask -H "Expect:" --data-binary "@$work/two" "$server$prefix/cgi-bin/echo")"
head=$(ask -D - -o /dev/null "$server$prefix/cgi-bin/echo")
expect "the answer's headers" "X-Own: yes" "$head"
refuse "hops" "X-Hop" "$head"
expect "HEAD" "^HTTP/1.1 200" "$(ask -I "$pods/web/proxy/")"
[ "$(ask -o /dev/null -w '%{http_code}' -X OPTIONS "$server$prefix/cgi-bin/echo")" != 405 ] || fail "OPTIONS is no method of a proxy"

step "pages and redirects"
page=$(ask "$server$prefix/cgi-bin/page")
expect "a link from the root" "href=\"$prefix/next\"" "$page"
expect "a relative link" 'href="there"' "$page"
expect "a link to elsewhere" "src='http://elsewhere.example/x.png'" "$page"
expect "Location" "^Location: $prefix/cgi-bin/page" "$(ask -D - -o /dev/null "$server$prefix/cgi-bin/away")"
expect "to the root" "^Location: /api/v1/namespaces/default/pods/web/proxy/\?a=b" "$(ask -D - -o /dev/null "$pods/web/proxy?a=b")"
[ "$(ask -o /dev/null -w '%{http_code}' -X POST "$pods/web/proxy")" != 301 ] || fail "a POST was redirected"

step "streams"
coproc ask -N "$server$prefix/cgi-bin/slow"
read -rt 3 line <&"${COPROC[0]}" || fail "the first line waits for the rest"
[ "$line" = first ] || fail "the first line: $line"
read -rt 10 line <&"${COPROC[0]}" || fail "the second line"
[ "$line" = second ] || fail "the second line: $line"
memory_kb() { awk '/^VmRSS/{print $2}' "/proc/$(awk 'NR==1{print $1}' "$CLUSTER_DIR/pids/master-1.apiserver")/status"; }
before=$(memory_kb)
ask -m 3 --limit-rate 1M -o /dev/null "$server$prefix/cgi-bin/big" # a reader too slow for it
after=$(memory_kb)
[ $((after - before)) -lt 20000 ] || fail "the apiserver grew by $((after - before)) kB under a slow reader"
[ "$(ask "$server$prefix/cgi-bin/big" | wc -c)" = 100000000 ] || fail "a hundred megabytes"

step "upgrades"
"$kubectl_program" proxy --port=0 >"$work/proxy" &
helpers+=($!)
until_true 5 "kubectl proxy" grep -q Starting "$work/proxy"
port=$(grep -oE '[0-9]+$' "$work/proxy")
exec 7<>"/dev/tcp/127.0.0.1/$port"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n' \
    "/api/v1/nodes/node-1/proxy/exec/default/web/c?stdout=1&command=echo&command=through" >&7
got=$(timeout 10 cat <&7 | tr -d '\0')
exec 7>&-
expect "the upgrade" "^HTTP/1.1 101" "$got"
expect "its accept" "^[Ss]ec-[Ww]eb[Ss]ocket-[Aa]ccept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=" "$got"
expect "WebSocket through the proxy" "through" "$got"
expect "its status" '"status":"Success"' "$got"

step "refusals"
wrong() { # what, code, text, path
    local got
    got=$(ask -w ' %{http_code}' "$4")
    expect "$1" " $2\$" "$got"
    expect "$1" "$3" "$got"
}
wrong "no such pod" 404 'pods \\"none\\" not found' "$pods/none/proxy/"
wrong "no such service" 404 'services \\"none\\" not found' "$services/none/proxy/"
wrong "no such node" 404 'nodes \\"none\\" not found' "$nodes/none/proxy/"
wrong "a name" 400 'invalid pod request \\"a:b:c:d\\"' "$pods/a:b:c:d/proxy/"
wrong "a port" 400 'invalid node request \\"node-1:99999\\"' "$nodes/node-1:99999/proxy/"
wrong "no endpoints" 503 'no endpoints available for service \\"empty\\"' "$services/empty/proxy/"
wrong "no such port" 503 'no service port 99 found for service \\"web\\"' "$services/web:99/proxy/"
wrong "no such port name" 503 'no endpoints available for service \\"web:other\\"' "$services/web:other/proxy/"
wrong "nobody listens" 503 'error trying to reach service: .*[Cc]onnection refused' "$pods/web:81/proxy/"
kubectl create -f - >/dev/null <<'OBJECTS' || fail "create"
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nowhere"}, "spec": {"nodeSelector": {"no": "where"}, "containers": [{"name": "c", "image": "keelson/demo:1"}]}}
OBJECTS
wrong "a pod without an address" 400 'address not allowed' "$pods/nowhere/proxy/"
kubectl create serviceaccount nobody >/dev/null
token=$(kubectl create token nobody)
as_nobody() { curl -s -m 10 --cacert "$work/ca" -H "Authorization: Bearer $token" "$@"; }
expect "rights" 'cannot get resource \\"pods/proxy\\"' "$(as_nobody "$pods/web/proxy/")"
kubectl create role proxies --verb=get --resource=pods/proxy --resource-name=web >/dev/null
kubectl create rolebinding nobody --role=proxies --serviceaccount=default:nobody >/dev/null
may_get() { as_nobody "$pods/web/proxy/" | grep -q '^keelson demo'; }
until_true 10 "a role lets it get" may_get
expect "and not post" 'cannot create resource \\"pods/proxy\\"' "$(as_nobody -X POST "$pods/web/proxy/")"
expect "nor by another name" 'cannot get resource \\"pods/proxy\\"' "$(as_nobody "$pods/web:8080/proxy/")"

step "port-forward goes to the node"
wrong "without an upgrade" 400 'Upgrade request required' "$pods/web/portforward"
wrong "a pod without a node" 400 'Upgrade request required' "$pods/nowhere/portforward"
"$kubectl_program" port-forward pod/web :8080 >"$work/forward" 2>&1 &
helpers+=($!)
answered() { grep -qE 'Forwarding from|rror' "$work/forward"; }
until_true 10 "the node has answered" answered

step "the issuer's documents"
expect "the issuer" '"jwks_uri":"https://[^"]*/openid/v1/jwks"' "$(as_nobody "$server/.well-known/openid-configuration")"
keys=$(as_nobody -D "$work/head" "$server/openid/v1/jwks")
expect "the type" "^Content-Type: application/jwk-set\+json" "$(cat "$work/head")"
kid=$(cut -d. -f1 <<<"$token" | tr -- '-_' '+/' | base64 -d 2>/dev/null | grep -oE '"kid":"[^"]+"')
grep -qF "$kid" <<<"$keys" || fail "no key $kid in $keys"
expect "not for strangers" "^40[13]" "$(curl -s -m 10 --cacert "$work/ca" -o /dev/null -w '%{http_code}' "$server/openid/v1/jwks")"
step "down"
