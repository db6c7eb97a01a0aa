#!/usr/bin/env bash
# The loss of a quorum: two of three members gone for good. What they had acknowledged comes back from the folder of the third,
# by one command, which refuses while others run, and can be interrupted at each of its steps. The lost ones come back empty.
# Ports 25201-25239.
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

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=ca" -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=member" -keyout "$dir/member.key" -out "$dir/member.csr" 2>/dev/null
openssl x509 -req -in "$dir/member.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/member.crt" \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null || fail "certificates"

cluster=0123456789abcdef0123456789abcdef
list() { # offset of the ports
    echo "00000000000000a1=127.0.0.1:$((25201 + $1)),00000000000000a2=127.0.0.1:$((25202 + $1)),00000000000000a3=127.0.0.1:$((25203 + $1))"
}
start() { # number, then further flags
    local i=$1
    shift
    (exec "$bin/raftstore" --member-id "00000000000000a$i" --cluster-id "$cluster" --members "$(list 0)" --clients "$(list 10)" \
        --listen-peer 127.0.0.1:$((25200 + i)) --listen-client 127.0.0.1:$((25210 + i)) --listen-http 127.0.0.1:$((25220 + i)) \
        --data "$dir/m$i" --ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" --segment-bytes 4m --snapshot-log-bytes 1m --name "m$i" \
        "$@") >>"$dir/m$i.log" 2>&1 &
    pids[$i]=$!
}
stop() {
    kill "-$2" "${pids[$1]}" 2>/dev/null
    wait "${pids[$1]}" 2>/dev/null
    unset "pids[$1]"
}
ready() {
    for _ in $(seq 300); do
        curl -fs "http://127.0.0.1:$((25220 + $1))/readyz" >/dev/null && return
        kill -0 "${pids[$1]}" 2>/dev/null || return 1
        pause
    done
    return 1
}
export RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/member.crt RSCTL_KEY=$dir/member.key
RSCTL_ENDPOINTS=$(list 10 | sed 's/[^,]*=//g')
export RSCTL_ENDPOINTS
rs() { timeout 60 "$bin/rsctl" "$@"; }
refused() { # what, code, pattern, then the command
    local what=$1 code=$2 pattern=$3 got
    shift 3
    rs "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    [ $got = "$code" ] || fail "$what: exit code $got instead of $code: $(cat "$dir/err")"
    grep -q -- "$pattern" "$dir/err" || fail "$what: $(cat "$dir/err")"
}

for i in 1 2 3; do start $i; done
for i in 1 2 3; do ready $i || fail "member $i does not get ready"; done
for _ in $(seq 200); do # founders tell their names themselves
    [ "$(rs member list | grep -cE '^00000000000000a([123]), started, m\1, ')" = 3 ] && break
    pause
done
[ "$(rs member list | grep -cE '^00000000000000a([123]), started, m\1, ')" = 3 ] || fail "names: $(rs member list)"
big=$(printf '%04000d' 7)
for i in $(seq 900); do echo "put key/$i $i-$big"; done | rs shell | grep -c OK | grep -qx 900 || fail "writes"
rs put last acknowledged >/dev/null || fail "the last write"
lease=$(rs lease grant 9000 | cut -d' ' -f2)
rs put leased x --lease="$lease" >/dev/null || fail "a put with a lease"
for _ in $(seq 100); do # member 3 has it all: what it has not, no command brings back
    [ "$(rs --endpoints 127.0.0.1:25213 get leased --consistency s --print-value-only)" = x ] && break
    pause
done
rs get "" --from-key >"$dir/wanted" || fail "get"
revision=$(rs get last -w fields | grep '"Revision"' | cut -d' ' -f3)

refused "a folder in use" 1 "in use" recover --data-dir "$dir/m3"
stop 3 TERM
refused "while the majority runs" 1 "answers at 127.0.0.1:25211" recover --data-dir "$dir/m3"
[ -d "$dir/m3" ] && [ ! -e "$dir/m3.recovering" ] && [ ! -e "$dir/m3.before-recovery" ] || fail "a refusal leaves something: $(ls "$dir")"
stop 1 9
refused "while one other runs" 1 "answers at 127.0.0.1:25212" recover --data-dir "$dir/m3"
stop 2 9
mkdir "$dir/empty"
refused "an empty folder" 1 "there is no log in it" recover --data-dir "$dir/empty"
refused "no folder" 1 "is not there" recover --data-dir "$dir/none"
refused "no flag" 128 "wants --data-dir" recover
refused "the same cluster id" 128 "needs its own" recover --data-dir "$dir/m3" --cluster-id "$cluster"
before=$(cd "$dir/m3" && ls)
found=$(rs recover --data-dir "$dir/m3" --dry-run) || fail "dry run"
grep -q "^Found: member 00000000000000a3, .* revision $revision, 902 keys$" <<<"$found" || fail "dry run says $found"
[ "$before" = "$(cd "$dir/m3" && ls)" ] || fail "a dry run changes the folder"
rs recover --data-dir "$dir/m3" --dry-run -w json | jq -e ".member == \"00000000000000a3\" and .totalKey == 902 and .revision == $revision" >/dev/null ||
    fail "dry run as json"
ok "refused while others run; the folder holds $found"

# Interrupted: a half-written folder is written anew; between the two renames, only the second one is left to do.
mkdir "$dir/m3.recovering"
echo half >"$dir/m3.recovering/snapshot.part"
rs recover --data-dir "$dir/m3/" >"$dir/out" || fail "recover"
grep -q "Recovered: $dir/m3 " "$dir/out" || fail "recover says $(cat "$dir/out")"
new=$(sed -n 's/^  --cluster-id //p' "$dir/out")
grep -qE '^[0-9a-f]{32}$' <<<"$new" || fail "no cluster id in $(cat "$dir/out")"
mv "$dir/m3" "$dir/m3.recovering"
rs recover --data-dir "$dir/m3" >"$dir/out" || fail "recover, between the renames"
[ "$(sed -n 's/^  --cluster-id //p' "$dir/out")" = "$new" ] || fail "the second run says $(cat "$dir/out")"
refused "a second recovery" 1 "from an earlier recovery" recover --data-dir "$dir/m3"

start 3
wait "${pids[3]}" && fail "it starts under the old cluster id"
cluster=$new
start 3
ready 3 || fail "the recovered member does not get ready"
export RSCTL_ENDPOINTS=127.0.0.1:25213
rs get "" --from-key >"$dir/found" || fail "get after the recovery"
cmp -s "$dir/wanted" "$dir/found" || fail "the contents differ"
rs lease timetolive "$lease" --keys | grep -q "attached keys(\[leased\])" || fail "the lease is not kept"
rs put after recovery >/dev/null || fail "put after the recovery"
[ "$(rs get after -w fields | grep '"ModRevision"' | cut -d' ' -f3)" -gt $((revision + 1000000000)) ] || fail "revisions do not go on later"
refused "an old revision" 1 "has been compacted" get last --rev "$revision"
[ "$(rs member list | wc -l)" = 1 ] || fail "members: $(rs member list)"
ok "recovered: every acknowledged write, the lease, later revisions, one member"

# The lost ones: one comes back with its old folder and is refused, then both empty.
start 1
if ready 1; then fail "a member of the old cluster gets ready"; fi
rs get last --print-value-only | grep -qx acknowledged || fail "the old member disturbs the new cluster"
[ -n "${pids[1]:-}" ] && stop 1 9
for i in 1 2; do
    rm -rf "${dir:?}/m$i"
    start $i --existing
    ready $i || fail "member $i does not come back empty"
done
for _ in $(seq 200); do
    [ "$(rs member list | grep -c ', voter\|voter')" = 3 ] && break
    pause
done
export RSCTL_ENDPOINTS=127.0.0.1:25211,127.0.0.1:25212,127.0.0.1:25213
for _ in $(seq 200); do
    [ "$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)" = 1 ] && break
    pause
done
[ "$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)" = 1 ] || fail "hashes differ: $(rs endpoint hashkv)"
stop 3 9
rs put again three >/dev/null || fail "three members do not stand the loss of one: $(rs member list)"
ok "an old folder is refused, empty ones come in by themselves, and one of three may go again"
