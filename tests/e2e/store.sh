#!/usr/bin/env bash
# Three real members on loopback with mTLS: put and get, the leader killed under writes, nothing acknowledged lost, equal
# hashes; and what a member says to bad input. Ports 22501-22599.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=build/release/bin
dir=$(mktemp -d)
declare -A pids
cleanup() {
    for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null; done
    if mountpoint -q "$dir/small"; then umount "$dir/small"; fi
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; tail -n 20 "$dir"/*.log 2>/dev/null; exit 1; }
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

cluster=0123456789abcdef0123456789abcdef
members=00000000000000a1=127.0.0.1:22501,00000000000000a2=127.0.0.1:22502,00000000000000a3=127.0.0.1:22503
clients=00000000000000a1=127.0.0.1:22511,00000000000000a2=127.0.0.1:22512,00000000000000a3=127.0.0.1:22513
member() { # number, further flags (later ones win)
    local i=$1
    shift
    exec "$bin/raftstore" --member-id 00000000000000a$i --cluster-id $cluster --members $members --clients $clients \
        --listen-peer 127.0.0.1:2250$i --listen-client 127.0.0.1:2251$i --listen-http 127.0.0.1:2252$i --data "$dir/m$i" \
        --ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" --segment-bytes 4m "$@"
}
start() { (member "$@") >>"$dir/m$1.log" 2>&1 & pids[$1]=$!; }
export RSCTL_ENDPOINTS=127.0.0.1:22511,127.0.0.1:22512,127.0.0.1:22513
export RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/member.crt RSCTL_KEY=$dir/member.key
rs() { "$bin/rsctl" "$@"; }
ready() { # number: waits until it serves
    for _ in $(seq 200); do
        curl -fs "http://127.0.0.1:2252$1/readyz" >/dev/null && return
        kill -0 "${pids[$1]}" 2>/dev/null || return 1
        read -rt 0.05 <> <(:) || true
    done
    return 1
}

for i in 1 2 3; do start $i; done
for i in 1 2 3; do ready $i || fail "member $i does not get ready"; done
ok "three members are ready"

[ "$(rs put greeting hello)" = OK ] || fail "put"
[ "$(rs get greeting)" = $'greeting\nhello' ] || fail "get"
[ "$(rs --endpoints 127.0.0.1:22512 put greeting there --prev-kv)" = $'OK\ngreeting\nhello' ] || fail "put through any member"
[ "$(rs get greeting --print-value-only)" = there ] || fail "get of the newest"
rs get greeting -w json | grep -q '"key":"Z3JlZXRpbmc=".*"version":2,"value":"dGhlcmU="' || fail "json"
printf 'mod("greeting") > "0"\n\nput done "yes please"\nget greeting\n\nput never x\n\n' | rs txn >"$dir/txn" || fail "txn"
[ "$(cat "$dir/txn")" = $'SUCCESS\n\nOK\n\ngreeting\nthere' ] || fail "txn says $(cat "$dir/txn")"
[ "$(rs get done --print-value-only)" = "yes please" ] || fail "txn had no effect"
[ "$(rs del done)" = 1 ] || fail "del"
(exec "$bin/rsctl" watch greeting --rev 2 >"$dir/watch") & watcher=$!
pids[watch]=$watcher
for _ in $(seq 100); do [ "$(grep -c PUT "$dir/watch")" = 2 ] && break; read -rt 0.05 <> <(:) || true; done
kill $watcher && wait $watcher || fail "watch does not end cleanly on SIGTERM"
unset "pids[watch]"
[ "$(cat "$dir/watch")" = $'PUT\ngreeting\nhello\nPUT\ngreeting\nthere' ] || fail "watch says $(cat "$dir/watch")"
rs endpoint health >/dev/null || fail "health"
rs endpoint status -w table | grep -c '|  *true |' | grep -qx 1 || fail "one leader"
[ "$(rs member list | wc -l)" = 3 ] || fail "member list"
ok "put, get, txn, del, watch, status"

# Writes go on while the leader is killed; each acknowledged one is noted, and must be there afterwards.
leader=$(rs endpoint status | grep -n ', true, false' | cut -d: -f1)
(
    n=0
    while [ ! -e "$dir/enough" ]; do
        n=$((n + 1))
        rs put "k/$n" "$n" >/dev/null && echo $n >>"$dir/acknowledged"
    done
) & writer=$!
count() { if [ -e "$dir/acknowledged" ]; then wc -l <"$dir/acknowledged"; else echo 0; fi; }
wait_count() { for _ in $(seq 400); do [ "$(count)" -ge "$1" ] && return; read -rt 0.05 <> <(:) || true; done; return 1; }
wait_count 30 || fail "writes before the kill"
kill -9 "${pids[$leader]}"
wait_count $(($(count) + 40)) || fail "no writes after the leader was killed"
start "$leader"
ready "$leader" || fail "the killed member does not come back"
wait_count $(($(count) + 20)) || fail "no writes after it came back"
touch "$dir/enough"
wait $writer
while read -r n; do echo "k/$n"; done <"$dir/acknowledged" | sort >"$dir/wanted"
rs get k/ --prefix --keys-only | grep . | sort >"$dir/found"
[ -z "$(comm -23 "$dir/wanted" "$dir/found")" ] || fail "lost: $(comm -23 "$dir/wanted" "$dir/found" | head)"
ok "the leader was killed under writes: all $(count) acknowledged ones are there"

for _ in $(seq 100); do
    hashes=$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)
    [ "$hashes" = 1 ] && break
    read -rt 0.05 <> <(:) || true
done
[ "$hashes" = 1 ] || fail "hashes differ: $(rs endpoint hashkv)"
ok "hashes are equal"

revision=$(rs get greeting -w fields | grep '"Revision"' | cut -d' ' -f3)
rs compact "$revision" >/dev/null || fail "compact"
rs get greeting --rev 2 2>"$dir/err" && fail "an old revision is readable after compaction"
grep -q "has been compacted" "$dir/err" || fail "compacted: $(cat "$dir/err")"

kill -TERM "${pids[1]}"
wait "${pids[1]}" || fail "SIGTERM is not a clean end"
start 1
ready 1 || fail "member 1 after a restart"
[ "$(rs --endpoints 127.0.0.1:22511 get greeting --print-value-only)" = there ] || fail "state after a restart"
ok "compaction, clean stop, restart"

# A lease that nobody renews ends in cluster time, also when the leader that granted it is gone.
lease=$(rs lease grant 4 | cut -d' ' -f2)
[ "$(rs put leased x --lease="$lease")" = OK ] || fail "put with a lease"
rs lease timetolive "$lease" --keys | grep -qE "granted with TTL\(4s\), remaining\([0-4]s\), attached keys\(\[leased\]\)" || fail "timetolive"
rs lease keep-alive "$lease" --once | grep -q "keepalived with TTL(4)" || fail "keep-alive"
began=$(date +%s%N)
leader=$(rs endpoint status | grep -n ', true, false' | cut -d: -f1)
kill -9 "${pids[$leader]}"
rs get leased --print-value-only | grep -qx x || fail "the lease died with its leader"
for _ in $(seq 200); do
    [ -z "$(rs get leased)" ] && break
    read -rt 0.05 <> <(:) || true
done
[ -z "$(rs get leased)" ] || fail "the lease lives on"
lived=$((($(date +%s%N) - began) / 1000000))
[ "$lived" -ge 3500 ] || fail "the lease ended after $lived ms of 4000"
rs lease timetolive "$lease" | grep -q "already expired" || fail "timetolive of what is gone"
start "$leader"
ready "$leader" || fail "the killed member does not come back"
lease=$(rs lease grant 600 | cut -d' ' -f2)
rs put revoked x --lease="$lease" >/dev/null && rs lease revoke "$lease" >/dev/null || fail "revoke"
[ -z "$(rs get revoked)" ] || fail "a revoked lease keeps its key"
rs put orphan x --lease=abc 2>"$dir/err" && fail "a put under an unknown lease was taken"
grep -q "requested lease not found" "$dir/err" || fail "unknown lease: $(cat "$dir/err")"
ok "leases: grant, keep-alive, expiry across a killed leader ($lived ms of 4000), revoke"

refused() { # what, pattern, then the command
    local what=$1 pattern=$2
    shift 2
    timeout 20 "$@" >"$dir/refused.out" 2>"$dir/err" && fail "$what was accepted"
    [ $? != 124 ] || fail "$what: no answer"
    grep -v ' INFO ' "$dir/err" | grep -qE -e "$pattern" || fail "$what: says $(cat "$dir/err")"
    ok "$what: $(grep -E -e "$pattern" "$dir/err" | head -n 1)"
}
alone() { # further flags: a cluster of one on other ports
    exec "$bin/raftstore" --member-id 00000000000000b1 --cluster-id $cluster --members 00000000000000b1=127.0.0.1:22531 \
        --clients 00000000000000b1=127.0.0.1:22532 --listen-peer 127.0.0.1:22531 --listen-client 127.0.0.1:22532 \
        --data "$dir/alone" --ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" "$@"
}
export -f alone
export bin dir cluster
refused "a taken port" '22511.*in use' bash -c "alone --listen-client 127.0.0.1:22511"
refused "a taken data folder" "m1" bash -c "alone --data $dir/m1"
refused "another member's folder" "m3|identity|member|cluster" bash -c "
    mkdir -p $dir/foreign && cp $dir/m3/* $dir/foreign/ && rm -f $dir/foreign/*lock* && alone --data $dir/foreign"
refused "an unwritable folder" '/proc' bash -c "alone --data /proc/nowhere"
refused "a missing key" 'nokey' bash -c "alone --key $dir/nokey"
refused "another authority's key" 'member.crt|stranger.key' bash -c "alone --key $dir/stranger.key"
refused "a bad member id" 'member-id' bash -c "alone --member-id xyz"
refused "an unknown flag" '--wrong' bash -c "alone --wrong 1"
mkdir "$dir/small"
if mount -t tmpfs -o size=2m tmpfs "$dir/small" 2>/dev/null; then
    refused "a full disk" "[Nn]o space" bash -c "alone --data $dir/small/data"
elif [ "$(id -u)" = 0 ]; then
    fail "cannot mount a small tmpfs"
fi
refused "a client of another authority" 'TLS|certificate|connection' env RSCTL_CERT="$dir/stranger.crt" RSCTL_KEY="$dir/stranger.key" \
    "$bin/rsctl" --command-timeout 2s get greeting
refused "rsctl without its key" 'together' env -u RSCTL_KEY "$bin/rsctl" get greeting
refused "a dead endpoint" '22599' "$bin/rsctl" --endpoints 127.0.0.1:22599 --command-timeout 1s get greeting
ok "done"
