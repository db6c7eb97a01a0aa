#!/usr/bin/env bash
# Three real members, each on an ext4 file system of its own in a file, under writes that note what was acknowledged. Again and
# again one, two or all of them are killed, or lose their power: nothing unsynced reaches the disk any more. After each time every
# acknowledged write is there, no log is taken for damaged, the file system is sound; at the end all states have one hash.
#   ROUNDS=60 tests/e2e/disk_loops.sh        default 6; needs root for the file systems. Ports 26001-26023.
set -uo pipefail
cd "$(dirname "$0")/../.."
# In a mount namespace of its own: another that is made meanwhile would hold our file systems, and one without power stays without.
if [ "${KEELSON_DISK_LOOPS:-}" != inside ] && [ "$(id -u)" = 0 ]; then
    KEELSON_DISK_LOOPS=inside exec unshare --mount --propagation private bash tests/e2e/disk_loops.sh
fi
rounds=${ROUNDS:-6}
writers=2
bin=${KEELSON_BIN:-build/release/bin} # or another configuration's
dir=$(mktemp -d "${TMPDIR:-/tmp}/keelson-disk-XXXXXX")
declare -A pids
declare -a writing=()
cleanup() {
    touch "$dir/enough"
    for p in "${pids[@]}" "${writing[@]}"; do kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    for i in 1 2 3; do if mountpoint -q "$dir/disk$i"; then umount "$dir/disk$i" || umount -l "$dir/disk$i"; fi; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*"; tail -n 8 "$dir"/*.log 2>/dev/null; exit 1; }
pause() { read -rt "$1" <> <(:) || true; } # between two looks at a condition

[ "$(id -u)" = 0 ] || fail "mounting file systems needs root"
powercut=${bin%/bin}/faults/powercut
[ -x "$powercut" ] || fail "$powercut is missing: run make"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=member -keyout "$dir/member.key" -out "$dir/member.csr" 2>/dev/null &&
    openssl x509 -req -in "$dir/member.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/member.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null || fail "certificates"

cluster=0123456789abcdef0123456789abcd26
members=00000000000000d1=127.0.0.1:26001,00000000000000d2=127.0.0.1:26002,00000000000000d3=127.0.0.1:26003
clients=00000000000000d1=127.0.0.1:26011,00000000000000d2=127.0.0.1:26012,00000000000000d3=127.0.0.1:26013
start() { # number
    local i=$1
    (exec "$bin/raftstore" --member-id 00000000000000d$i --cluster-id $cluster --members $members --clients $clients \
        --listen-peer 127.0.0.1:2600$i --listen-client 127.0.0.1:2601$i --listen-http 127.0.0.1:2602$i --data "$dir/disk$i/data" \
        --ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" --segment-bytes 1m --snapshot-log-bytes 4m) \
        >>"$dir/m$i.log" 2>&1 &
    pids[$i]=$!
}
export RSCTL_ENDPOINTS=127.0.0.1:26011,127.0.0.1:26012,127.0.0.1:26013
export RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/member.crt RSCTL_KEY=$dir/member.key
rs() { "$bin/rsctl" "$@"; }
ready() { # number
    for _ in $(seq 400); do
        curl -fs "http://127.0.0.1:2602$1/readyz" >/dev/null && return
        kill -0 "${pids[$1]}" 2>/dev/null || return 1
        pause 0.05
    done
    return 1
}

# Each writer has keys of its own, and writes each once, one after the other as fast as they are acknowledged, so that some are
# always about to be synced. After any other answer it begins anew: the next line must not be taken for that of another write.
pad=$(head -c 100 /dev/zero | tr '\0' x)
write() { # number
    local n=0 answer shell
    while [ ! -e "$dir/enough" ]; do
        coproc RS { exec "$bin/rsctl" --command-timeout 3000ms shell 2>&1; }
        shell=$RS_PID
        while [ ! -e "$dir/enough" ]; do
            n=$((n + 1))
            echo "put w/$1/$n $1-$n-$pad" >&"${RS[1]}" && read -rt 10 answer <&"${RS[0]}" && [ "$answer" = OK ] || break
            echo "w/$1/$n $1-$n-$pad" >>"$dir/acknowledged.$1"
        done 2>/dev/null
        kill "$shell" 2>/dev/null
        wait "$shell" 2>/dev/null
    done
}
count() { cat "$dir"/acknowledged.* 2>/dev/null | wc -l; }
more_writes() { # so many from now
    local wanted=$(($(count) + $1))
    for _ in $(seq 600); do [ "$(count)" -ge $wanted ] && return; pause 0.05; done
    return 1
}
check_all() {
    local lost
    for w in $(seq $writers); do cat "$dir/acknowledged.$w" 2>/dev/null; done | grep ' .*x$' | sort >"$dir/wanted"
    rs --command-timeout 20000ms get w/ --prefix >"$dir/got" || return 1
    paste -d ' ' - - <"$dir/got" | sort >"$dir/found"
    lost=$(comm -23 "$dir/wanted" "$dir/found")
    [ -z "$lost" ] || { echo "lost: $(cut -c1-60 <<<"$lost" | head -n 5)"; return 1; }
}

kill_members() { for i in "$@"; do kill -9 "${pids[$i]}" 2>/dev/null; done; } # who lost its disk may have stopped by itself
cut_power() {
    "$powercut" "${@/#/$dir/disk}" || fail "the power cannot be cut"
    kill_members "$@"
}
repair() { # as at a boot: the journal is replayed; then the file system must be sound without repair
    local i=$1
    umount "$dir/disk$i" || fail "disk $i is still in use"
    mount -o loop "$dir/image$i" "$dir/disk$i" && umount "$dir/disk$i" || fail "the journal of disk $i cannot be replayed"
    e2fsck -fn "$dir/image$i" >"$dir/fsck" 2>&1 || fail "disk $i is not sound: $(cat "$dir/fsck")"
    mount -o loop "$dir/image$i" "$dir/disk$i" || fail "disk $i cannot be mounted"
}

for i in 1 2 3; do
    mkdir "$dir/disk$i"
    truncate -s 400M "$dir/image$i" && mkfs.ext4 -q -F "$dir/image$i" && mount -o loop "$dir/image$i" "$dir/disk$i" || fail "disk $i"
    start $i
done
for i in 1 2 3; do ready $i || fail "member $i does not get ready"; done
for w in $(seq $writers); do
    write "$w" & writing+=($!)
done
more_writes 200 || fail "no writes at the beginning"

for ((round = 0; round < rounds; round++)); do
    how=$((round % 2 == 0 ? 0 : 1)) # by turns killed and without power
    case $((round / 2 % 3)) in
    0) victims=($((RANDOM % 3 + 1))) ;;
    1) spared=$((RANDOM % 3)); victims=($((spared % 3 + 1)) $(((spared + 1) % 3 + 1))) ;;
    *) victims=(1 2 3) ;;
    esac
    pause "0.$((RANDOM % 10))" # anywhere in the writes
    if [ $how = 0 ]; then kill_members "${victims[@]}"; else cut_power "${victims[@]}"; fi
    for i in "${victims[@]}"; do wait "${pids[$i]}" 2>/dev/null; done
    if [ $how = 1 ]; then for i in "${victims[@]}"; do repair "$i"; done; fi
    for i in "${victims[@]}"; do start "$i"; done
    for i in "${victims[@]}"; do ready "$i" || fail "round $round: member $i does not come back"; done
    check_all || fail "round $round: $([ $how = 0 ] && echo killed || echo no power): members ${victims[*]}"
    more_writes 100 || fail "round $round: no writes afterwards"
done
touch "$dir/enough"
wait "${writing[@]}"
writing=()
check_all || fail "at the end"
grep -h "the log is damaged\|sets it aside" "$dir"/m?.log && fail "a log was taken for damaged"
for _ in $(seq 100); do
    hashes=$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)
    [ "$hashes" = 1 ] && break
    pause 0.05
done
[ "$hashes" = 1 ] || fail "hashes differ: $(rs endpoint hashkv)"
echo "ok $rounds rounds, $(count) acknowledged writes are all there, hashes are equal"
