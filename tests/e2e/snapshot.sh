#!/usr/bin/env bash
# A backup of a real store over mutual TLS: saved while somebody writes, checked, restored into three folders of a new cluster,
# with equal contents, leases kept, later revisions, and old ones compacted; damaged files and bad requests refused.
# Ports 25001-25099.
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

# Two clusters, a and b; the members of each are 1 to 3.
declare -A base=([a]=25000 [b]=25050) cluster=([a]=0123456789abcdef0123456789abcdef [b]=fedcba9876543210fedcba9876543210)
list() { # cluster, offset of the ports
    local c=$1 at=$((base[$1] + $2))
    echo "00000000000000${c}1=127.0.0.1:$((at + 1)),00000000000000${c}2=127.0.0.1:$((at + 2)),00000000000000${c}3=127.0.0.1:$((at + 3))"
}
endpoints() { list "$1" 10 | sed 's/[^,]*=//g'; }
start() { # cluster, number
    local c=$1 i=$2
    (exec "$bin/raftstore" --member-id "00000000000000$c$i" --cluster-id "${cluster[$c]}" --members "$(list "$c" 0)" \
        --clients "$(list "$c" 10)" --listen-peer 127.0.0.1:$((base[$c] + i)) --listen-client 127.0.0.1:$((base[$c] + 10 + i)) \
        --listen-http 127.0.0.1:$((base[$c] + 20 + i)) --data "$dir/$c$i" --ca "$dir/ca.crt" --cert "$dir/member.crt" \
        --key "$dir/member.key" --segment-bytes 4m) >>"$dir/$c$i.log" 2>&1 &
    pids[$c$i]=$!
}
ready() { # cluster, number
    for _ in $(seq 200); do
        curl -fs "http://127.0.0.1:$((base[$1] + 20 + $2))/readyz" >/dev/null && return
        kill -0 "${pids[$1$2]}" 2>/dev/null || return 1
        pause
    done
    return 1
}
export RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/member.crt RSCTL_KEY=$dir/member.key
rs() { timeout 60 "$bin/rsctl" "$@"; }
refused() { # what, code, pattern, then the command
    local what=$1 code=$2 pattern=$3 got
    shift 3
    rs "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    [ $got = "$code" ] || fail "$what: exit code $got instead of $code: $(cat "$dir/err")"
    grep -q -- "$pattern" "$dir/err" || fail "$what: $(cat "$dir/err")"
}

for i in 1 2 3; do start a $i; done
for i in 1 2 3; do ready a $i || fail "member $i of the first cluster does not get ready"; done
RSCTL_ENDPOINTS=$(endpoints a)
export RSCTL_ENDPOINTS
big=$(printf '%04000d' 7)
for i in $(seq 1500); do echo "put fixed/$i $i-$big"; done | rs shell | grep -c OK | grep -qx 1500 || fail "writes"
lease=$(rs lease grant 9000 | cut -d' ' -f2)
rs put fixed/leased x --lease="$lease" >/dev/null || fail "put with a lease"
rs del fixed/7 >/dev/null || fail "del"
rs get fixed/ --prefix >"$dir/wanted" || fail "get"
old=$(rs get fixed/1 -w fields | grep '"Revision"' | cut -d' ' -f3)

(
    n=0
    while [ ! -e "$dir/enough" ]; do
        n=$((n + 1))
        echo "put moving/$n $n"
    done | rs shell >"$dir/writer" 2>&1
) & writer=$!
for _ in $(seq 200); do [ "$(grep -c OK "$dir/writer")" -gt 50 ] && break; pause; done
rs snapshot save "$dir/backup" >"$dir/out" 2>"$dir/err" || fail "save: $(cat "$dir/err")"
[ "$(cat "$dir/out")" = "Snapshot saved at $dir/backup" ] || fail "save says $(cat "$dir/out")"
touch "$dir/enough"
wait $writer
grep -v OK "$dir/writer" && fail "a write failed meanwhile"
[ ! -e "$dir/backup.part" ] && [ ! -e "$dir/lock" ] || fail "save leaves files: $(ls "$dir")"
rs snapshot verify "$dir/backup" >/dev/null || fail "verify"
saved=$(rs snapshot status "$dir/backup" -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')
[ "$saved" -ge "$old" ] || fail "saved at revision $saved, after $old"
rs snapshot status "$dir/backup" -w table | grep -q 'TOTAL KEYS' || fail "status as a table"
ok "saved under writes at revision $saved: $(rs snapshot status "$dir/backup")"

restore() { # number, then what differs
    local i=$1
    shift
    rs snapshot restore "$dir/backup" --data-dir "$dir/b$i" --member-id 00000000000000b$i --cluster-id ${cluster[b]} \
        --members "$(list b 0)" --clients "$(list b 10)" "$@"
}
for i in 1 2 3; do restore $i >"$dir/out" || fail "restore"; done
restore 1 2>"$dir/err" && fail "restored over a folder"
grep -q "is there already" "$dir/err" || fail "restore over a folder says $(cat "$dir/err")"
for i in 1 2 3; do start b $i; done
for i in 1 2 3; do ready b $i || fail "member $i of the restored cluster does not get ready"; done
RSCTL_ENDPOINTS=$(endpoints b)
rs get fixed/ --prefix >"$dir/found" || fail "get from the restored cluster"
cmp -s "$dir/wanted" "$dir/found" || fail "the contents differ"
[ "$(rs put after restore)" = OK ] || fail "put to the restored cluster"
revision=$(rs get after -w fields | grep '"ModRevision"' | cut -d' ' -f3)
[ "$revision" = $((saved + 1000000001)) ] || fail "the first revision is $revision after $saved"
refused "an old revision" 1 "has been compacted" get fixed/1 --rev "$old"
refused "a watch from an old revision" 1 "compacted" watch fixed/1 --rev "$old"
rs lease timetolive "$lease" --keys | grep -q "attached keys(\[fixed/leased\])" || fail "the lease is not kept"
for _ in $(seq 100); do
    hashes=$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)
    [ "$hashes" = 1 ] && break
    pause
done
[ "$hashes" = 1 ] || fail "hashes differ: $(rs endpoint hashkv)"
kill -TERM "${pids[b1]}" && wait "${pids[b1]}"
start b 1
ready b 1 || fail "a restored member does not start again"
[ "$(rs --endpoints 127.0.0.1:25061 get after --print-value-only)" = restore ] || fail "state after a restart"
ok "restored to three members: same contents, revision $revision, old ones compacted, lease kept"

# Damage: anywhere, and cut short.
bytes=$(stat -c %s "$dir/backup")
for at in 100 $((bytes / 2)) $((bytes - 5)); do
    cp "$dir/backup" "$dir/damaged"
    printf '\x5a\xa5' | dd of="$dir/damaged" bs=1 seek="$at" conv=notrunc 2>/dev/null
    refused "damage at $at" 1 "snapshot damaged: " snapshot verify "$dir/damaged"
done
head -c $((bytes - 1000)) "$dir/backup" >"$dir/damaged"
refused "a cut file" 1 "snapshot damaged: " snapshot status "$dir/damaged"
refused "restore of a cut file" 1 "snapshot damaged: " snapshot restore "$dir/damaged" --data-dir "$dir/x" \
    --member-id 00000000000000b1 --cluster-id ${cluster[b]} --members "$(list b 0)" --clients "$(list b 10)"
[ ! -e "$dir/x" ] || fail "a refused restore leaves a folder"
refused "no file" 1 "cannot" snapshot status "$dir/nothing"
refused "no folder" 1 "cannot open" snapshot save "$dir/none/backup"
refused "the same cluster id" 128 "needs its own" snapshot restore "$dir/backup" --data-dir "$dir/x" \
    --member-id 00000000000000b1 --cluster-id ${cluster[a]} --members "$(list b 0)" --clients "$(list b 10)"
refused "no members" 128 "wants --data-dir" snapshot restore "$dir/backup" --data-dir "$dir/x"
refused "a member that is not in the list" 128 "does not hold" snapshot restore "$dir/backup" --data-dir "$dir/x" \
    --member-id 00000000000000c1 --cluster-id ${cluster[b]} --members "$(list b 0)" --clients "$(list b 10)"
refused "an unknown verb" 128 "wants save FILE" snapshot keep "$dir/backup"
refused "nobody there" 2 "" --endpoints 127.0.0.1:25099 --command-timeout 2s snapshot save "$dir/other"
[ ! -e "$dir/other" ] && [ ! -e "$dir/other.part" ] || fail "a save that failed leaves a file"
ok "damaged files and bad requests are refused with the reason"
