#!/usr/bin/env bash
# Three members on small disks of their own (tmpfs; needs root). One of them low on room: writes go on. Two: what grows is refused,
# at every member, whoever leads; reads, deletions and compactions go on; with room again at one of them writes go on by themselves.
# Ports 25001-25033.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
pids=()
cleanup() {
    [ ${#pids[@]} = 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    for i in 1 2 3; do if mountpoint -q "$dir/$i"; then umount "$dir/$i" || umount -l "$dir/$i"; fi; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*"; tail -n 5 "$dir"/log.* 2>/dev/null; exit 1; }
ok() { echo "ok $*"; }
refusal="etcdserver: mvcc: database space exceeded"
rs() { timeout 20 "$bin/rsctl" "$@"; }
await() { # what, command: until it succeeds, 15 s at most
    local what=$1 begin=$SECONDS
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - begin)) -lt 15 ] || fail "$what: not within 15 s"
        read -rt 0.05 <> <(:) || true
    done
}

all=127.0.0.1:25021,127.0.0.1:25022,127.0.0.1:25023
members=00000000000000d1=127.0.0.1:25011,00000000000000d2=127.0.0.1:25012,00000000000000d3=127.0.0.1:25013
clients=00000000000000d1=127.0.0.1:25021,00000000000000d2=127.0.0.1:25022,00000000000000d3=127.0.0.1:25023
for i in 1 2 3; do
    mkdir "$dir/$i"
    mount -t tmpfs -o size=96m tmpfs "$dir/$i" || fail "cannot mount a small tmpfs"
    "$bin/raftstore" --member-id 00000000000000d$i --cluster-id 0123456789abcdef0123456789abcdef --members $members --clients $clients \
        --listen-peer 127.0.0.1:2501$i --listen-client 127.0.0.1:2502$i --listen-http 127.0.0.1:2503$i --data "$dir/$i/data" \
        --space-floor 16m --segment-bytes 2m --snapshot-log-bytes 4m >>"$dir/log.$i" 2>&1 &
    pids+=($!)
    disown
done
export RSCTL_ENDPOINTS=$all
for i in 1 2 3; do await "member $i is ready" curl -fs http://127.0.0.1:2503$i/readyz; done

number() { rs endpoint status | awk -F', ' '$5 == "true" { print $1 }' | grep -oE '[123]$'; } # of the leading member
low() { curl -fs "http://127.0.0.1:2503$1/metrics" | grep -qx "raftstore_disk_low $2"; } # member, 0 or 1
ballast() { # all but 8 MiB
    fallocate -l $(($(df --output=avail -B1 "$dir/$1" | tail -1) - 8388608)) "$dir/$1/ballast" || fail "cannot fill disk $1"
    await "member $1 sees that its disk is low" low "$1" 1
}
room() { rm "$dir/$1/ballast"; await "member $1 sees room" low "$1" 0; }
put() { rs --endpoints "$1" put "$2" value 2>"$dir/err" >/dev/null; } # endpoints, key
refused() { ! put "$1" refused && grep -q "$refusal" "$dir/err"; }

leader=$(number) || fail "nobody leads"
followers=()
for i in 1 2 3; do [ $i = "$leader" ] || followers+=("$i"); done
for n in $(seq 20); do put $all "before/$n" || fail "a write: $(cat "$dir/err")"; done

ballast "${followers[0]}"
await "the leader has heard of it" grep -q "a member's disk is nearly full" "$dir/log.$leader"
for n in $(seq 20); do put $all "one/$n" || fail "a write while one of three is low: $(cat "$dir/err")"; done
ok "one member of three is low: writes go on"

ballast "${followers[1]}"
await "writes are refused" refused 127.0.0.1:2502"$leader"
for i in 1 2 3; do
    refused 127.0.0.1:2502$i || fail "member $i takes a write, or refuses it otherwise: $(cat "$dir/err")"
    [ "$(rs --endpoints 127.0.0.1:2502$i get one/ --prefix --count-only -w fields | grep -c '"Count" : 20')" = 1 ] || fail "member $i does not read"
done
rs lease grant 60 2>"$dir/err" >/dev/null && fail "a lease was granted"
grep -q "$refusal" "$dir/err" || fail "grant: $(cat "$dir/err")"
[ "$(rs del before/ --prefix)" = 20 ] || fail "deletions are refused"
rs compact "$(rs get one/ --prefix -w fields | grep '"Revision"' | cut -d' ' -f3)" >/dev/null || fail "a compaction is refused"
ok "two of three are low: puts and grants are refused everywhere, reads, deletions and compactions go on"

id=$(rs member list | awk -F', ' -v peer="127.0.0.1:2501${followers[0]}" '$4 == peer { print $1 }')
rs move-leader "$id" >/dev/null || fail "leadership is not handed over"
[ "$(number)" = "${followers[0]}" ] || fail "another member leads than ${followers[0]}"
refused $all || fail "a new leader takes a write: $(cat "$dir/err")"
kill -9 "${pids[leader - 1]}" # of the two that are left both are low; deletions still go on
await "a deletion without the third" rs del one/1
refused $all || fail "two members that are low take a write: $(cat "$dir/err")"
ok "the same under another leader, and with the roomy member dead"

room "${followers[0]}"
await "one of the two that are there is low still" refused $all
room "${followers[1]}"
await "writes go on by themselves" put $all after
[ "$(rs get after --print-value-only)" = value ] || fail "what was written after"
[ "$(rs endpoint hashkv 2>/dev/null | awk -F', ' '{ print $3, $5 }' | sort | uniq -c | grep -c '^ *2 ')" = 1 ] || fail "the members differ"
ok "with room again writes go on by themselves; nothing had to be cleared"
