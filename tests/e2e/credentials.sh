#!/usr/bin/env bash
# Certificates, keys and the authority itself are exchanged under a running store, without a restart and without a failed write:
# both authorities are trusted, then everybody gets certificates of the new one, then the old one goes. Ports 25241-25279.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
declare -A pids
cleanup() {
    for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() {
    echo "FAILED: $*"
    tail -n 8 "$dir"/*.log 2>/dev/null
    exit 1
}
ok() { echo "ok $*"; }
pause() { read -rt 0.05 <> <(:) || true; }

authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.crt" 2>/dev/null || fail "authority"
}
issue() { # authority, name
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$dir/fresh.key" -out "$dir/fresh.csr" 2>/dev/null
    openssl x509 -req -in "$dir/fresh.csr" -CA "$dir/$1.crt" -CAkey "$dir/$1.key" -CAcreateserial -days 2 -out "$dir/fresh.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null || fail "certificates"
    mv "$dir/fresh.key" "$dir/$2.key" # between the two the key does not fit: the old pair stays in use
    pause
    mv "$dir/fresh.crt" "$dir/$2.crt"
}
trust() { # authorities
    local a
    for a in "$@"; do cat "$dir/$a.crt"; done >"$dir/trusted.new"
    mv "$dir/trusted.new" "$dir/trusted"
}
taken() { # file, how many times before: every member uses it
    for i in 1 2 3; do
        for _ in $(seq 100); do
            [ "$(grep -c "credentials were exchanged.*$1" "$dir/m$i.log")" -gt "$2" ] && break
            pause
        done
        [ "$(grep -c "credentials were exchanged.*$1" "$dir/m$i.log")" -gt "$2" ] || fail "member $i does not take $1 over"
    done
}

list() { echo "00000000000000a1=127.0.0.1:$((25241 + $1)),00000000000000a2=127.0.0.1:$((25242 + $1)),00000000000000a3=127.0.0.1:$((25243 + $1))"; }
start() {
    (exec "$bin/raftstore" --member-id "00000000000000a$1" --cluster-id 0123456789abcdef0123456789abcdef --members "$(list 0)" \
        --clients "$(list 10)" --listen-peer 127.0.0.1:$((25240 + $1)) --listen-client 127.0.0.1:$((25250 + $1)) \
        --listen-http 127.0.0.1:$((25260 + $1)) --data "$dir/d$1" --ca "$dir/trusted" --cert "$dir/member.crt" --key "$dir/member.key" \
        --segment-bytes 4m) >>"$dir/m$1.log" 2>&1 &
    pids[$1]=$!
}
ready() {
    for _ in $(seq 200); do
        curl -fs "http://127.0.0.1:$((25260 + $1))/readyz" >/dev/null && return
        pause
    done
    return 1
}
export RSCTL_CACERT=$dir/trusted RSCTL_CERT=$dir/client.crt RSCTL_KEY=$dir/client.key
RSCTL_ENDPOINTS=$(list 10 | sed 's/[^,]*=//g')
export RSCTL_ENDPOINTS
rs() { timeout 30 "$bin/rsctl" "$@"; }

authority old
authority new
trust old
issue old member
issue old client
for i in 1 2 3; do start $i; done
for i in 1 2 3; do ready $i || fail "member $i does not get ready"; done
(
    n=0
    while [ ! -e "$dir/enough" ]; do
        n=$((n + 1))
        echo "put moving/$n $n"
        read -rt 0.002 <> <(:)
    done | rs shell >"$dir/writer" 2>&1
) & writer=$!
for _ in $(seq 200); do [ "$(grep -c OK "$dir/writer")" -gt 50 ] && break; pause; done
cp "$dir/client.crt" "$dir/stolen.crt"
cp "$dir/client.key" "$dir/stolen.key"

trust old new
taken member.crt 0
issue new member
taken member.crt 1
issue new client
rs put by new >/dev/null || fail "a client of the new authority"
trust new
taken member.crt 2
rs put after rotation >/dev/null || fail "a client of the new authority, after the old one is gone"
rs --cert "$dir/stolen.crt" --key "$dir/stolen.key" --command-timeout 2s get after >"$dir/out" 2>&1 && fail "the old authority's certificates still open doors"
grep -qi "certificate\|tls\|unknown ca" "$dir/out" || fail "an old certificate hears: $(cat "$dir/out")"
kill -9 "${pids[1]}"
wait "${pids[1]}" 2>/dev/null
start 1
ready 1 || fail "a member does not connect to the others with the new certificates"
echo junk >"$dir/member.crt"
for _ in $(seq 100); do grep -q "cannot be used: the old ones stay" "$dir/m2.log" && break; pause; done
grep -q "cannot be used: the old ones stay.*member.crt" "$dir/m2.log" || fail "a damaged file is not told of"
rs put in spite >/dev/null || fail "a damaged file stops the service"
touch "$dir/enough"
wait $writer
grep -v OK "$dir/writer" && fail "a write failed meanwhile"
ok "certificates and authority exchanged under $(grep -c OK "$dir/writer") writes, none failed; the old certificates are refused"
