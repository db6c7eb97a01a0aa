#!/usr/bin/env bash
# The store's keys over HTTP: with client certificates, refused without, and plain on loopback by flag only. Ports 24021-24023.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=build/release/bin
dir=$(mktemp -d)
pid=
cleanup() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; tail -n 20 "$dir/log" 2>/dev/null; exit 1; }
ok() { echo "ok $*"; }

authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$dir/$1.key" -out "$dir/$1.crt" 2>/dev/null
}
certificate() { # name authority
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
    openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -CAcreateserial -days 2 -out "$dir/$1.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null
}
authority ca && authority other-ca && certificate member ca && certificate stranger other-ca || fail "certificates"

run() { # flags
    exec "$bin/raftstore" --member-id 00000000000000d1 --cluster-id 0123456789abcdef0123456789abcdef \
        --members 00000000000000d1=127.0.0.1:24021 --clients 00000000000000d1=127.0.0.1:24022 --listen-peer 127.0.0.1:24021 \
        --listen-client 127.0.0.1:24022 --listen-http 127.0.0.1:24023 --data "$dir/data" --ca "$dir/ca.crt" --cert "$dir/member.crt" \
        --key "$dir/member.key" "$@"
}
start() { # url, then flags
    local url=$1
    shift
    (run "$@") >>"$dir/log" 2>&1 &
    pid=$!
    for _ in $(seq 200); do
        curl -fs --cacert "$dir/ca.crt" "$url/readyz" >/dev/null && return
        kill -0 "$pid" 2>/dev/null || fail "the member ended"
        read -rt 0.05 <> <(:) || true
    done
    fail "the member does not get ready"
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || fail "no clean end: $?"
    pid=
}
rs() { "$bin/rsctl" --endpoints 127.0.0.1:24022 --cacert "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" "$@"; }
get() { curl -s --cacert "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" "$url/v2/keys$1"; }

url=https://127.0.0.1:24023
start $url --http-tls
rs put /a/b 1 >/dev/null && rs put /a/c/d 2 >/dev/null && rs put greeting hello >/dev/null || fail "put"
[ "$(get /a/b)" = '{"action":"get","node":{"key":"/a/b","value":"1","modifiedIndex":2,"createdIndex":2}}' ] || fail "a key: $(get /a/b)"
[ "$(get /greeting | grep -o '"value":"[a-z]*"')" = '"value":"hello"' ] || fail "a key without a slash: $(get /greeting)"
get /a | grep -q '"key":"/a/c","dir":true,"modifiedIndex":3' || fail "a directory: $(get /a)"
get /a | grep -q '/a/c/d' && fail "a directory shows more than its own level"
get '/a?recursive=true' | grep -q '"nodes":\[{"key":"/a/c/d","value":"2"' || fail "recursive: $(get '/a?recursive=true')"
get '/a/b?serializable=true' | grep -q '"value":"1"' || fail "serializable"
get /none | grep -q '"errorCode":100,"message":"Key not found","cause":"/none"' || fail "no such key: $(get /none)"
get '/a?recursive=maybe' | grep -q '"errorCode":209' || fail "a bad flag: $(get '/a?recursive=maybe')"
[ "$(curl -s -o "$dir/out" -w '%{http_code}' -X PUT --cacert "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" $url/v2/keys/a)" = 405 ] || fail "a write was not refused"
code=$(curl -s -o "$dir/out" -w '%{http_code}' --cacert "$dir/ca.crt" $url/v2/keys/a)
[ "$code" = 401 ] && grep -q 'client certificate' "$dir/out" || fail "without a certificate: $code $(cat "$dir/out")"
code=$(curl -s -o "$dir/out" -w '%{http_code}' --cacert "$dir/ca.crt" --cert "$dir/stranger.crt" --key "$dir/stranger.key" $url/v2/keys/a)
[ "$code" = 401 ] || [ "$code" = 000 ] || fail "another authority's certificate: $code"
stop
ok "keys over mutual TLS"

url=http://127.0.0.1:24023
start $url
get /a/b | grep -q 'http-plain-keys' || fail "keys on a plain listener: $(get /a/b)"
stop
start $url --http-plain-keys
get /a/b | grep -q '"value":"1"' || fail "plain by flag: $(get /a/b)"
stop
(run --http-plain-keys --listen-http 0.0.0.0:24023) 2>"$dir/err" && fail "plain keys were offered to everybody"
grep -q "wants --listen-http on 127.0.0.1" "$dir/err" || fail "plain keys: $(cat "$dir/err")"
ok "plain on loopback, by flag only"

# Roles: each certificate may do what its name was given, and no more.
certificate reader ca && certificate writer ca && certificate keeper ca || fail "certificates"
start https://127.0.0.1:24023 --http-tls --roles 'cn:member=all,cn:reader=read:/a/,cn:writer=readwrite:/w/,cn:keeper=maintenance'
as() { # certificate, arguments of rsctl
    local who=$1
    shift
    "$bin/rsctl" --endpoints 127.0.0.1:24022 --cacert "$dir/ca.crt" --cert "$dir/$who.crt" --key "$dir/$who.key" "$@" 2>"$dir/err"
}
denied() { # certificate, arguments
    as "$@" >/dev/null && fail "allowed: $*"
    grep -q "etcdserver: permission denied" "$dir/err" || fail "$*: $(cat "$dir/err")"
}
[ "$(as reader get /a/b --print-value-only)" = 1 ] || fail "reading what one may: $(cat "$dir/err")"
denied reader get greeting
denied reader get / --prefix
denied reader put /a/b 2
denied reader watch greeting
[ "$(as writer put /w/x 1)" = OK ] || fail "writing what one may: $(cat "$dir/err")"
denied writer put /a/b 2
denied writer del / --prefix
denied writer compact 2
as keeper compact 2 >/dev/null || fail "maintenance: $(cat "$dir/err")"
denied keeper get /a/b
denied reader snapshot save "$dir/stolen"
denied writer snapshot save "$dir/stolen"
as keeper snapshot save "$dir/saved" >/dev/null || fail "a snapshot for who maintains: $(cat "$dir/err")"
url=https://127.0.0.1:24023
get /a/b | grep -q '"value":"1"' || fail "keys for who may read all"
curl -s --cacert "$dir/ca.crt" --cert "$dir/reader.crt" --key "$dir/reader.key" $url/v2/keys/a | grep -q 'may not read all' || fail "keys for everybody"
stop
(run --roles cn:x=reads) 2>"$dir/err" && fail "bad roles were taken"
grep -q "is not WHO=RIGHT" "$dir/err" || fail "bad roles: $(cat "$dir/err")"
ok "roles by certificate"
