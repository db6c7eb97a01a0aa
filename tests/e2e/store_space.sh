#!/usr/bin/env bash
# A member on a small disk of its own (a tmpfs; needs root): filled until it refuses what grows, emptied while it is full, and
# taking writes again by itself. And a quota on the state. Ports 24011-24013.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=build/release/bin
dir=$(mktemp -d)
pid=
cleanup() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    if mountpoint -q "$dir/small"; then umount "$dir/small"; fi
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; tail -n 20 "$dir/log" 2>/dev/null; exit 1; }
ok() { echo "ok $*"; }
export RSCTL_ENDPOINTS=127.0.0.1:24012
rs() { "$bin/rsctl" "$@"; }
refusal="etcdserver: mvcc: database space exceeded"

start() { # further flags
    "$bin/raftstore" --member-id 00000000000000c1 --cluster-id 0123456789abcdef0123456789abcdef \
        --members 00000000000000c1=127.0.0.1:24011 --clients 00000000000000c1=127.0.0.1:24012 --listen-peer 127.0.0.1:24011 \
        --listen-client 127.0.0.1:24012 --listen-http 127.0.0.1:24013 "$@" >>"$dir/log" 2>&1 &
    pid=$!
    await "the member is ready" curl -fs http://127.0.0.1:24013/readyz
}
await() { # what, command: until it succeeds, 10 s at most
    local what=$1
    shift
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return
        kill -0 "$pid" 2>/dev/null || fail "the member ended: $what"
        read -rt 0.05 <> <(:) || true
    done
    fail "$what: not within 10 s"
}
put_big() { head -c 786432 /dev/urandom | base64 -w0 | rs put "big/$1" >/dev/null 2>"$dir/err"; }
fill() { # puts a mebibyte at a time until refused
    for n in $(seq 100); do
        put_big "$n" && continue
        grep -q "$refusal" "$dir/err" || fail "refused otherwise: $(cat "$dir/err")"
        return
    done
    fail "a hundred mebibytes fit"
}
empty() { # deletes, compacts
    [ "$(rs del big/ --prefix)" -gt 0 ] || fail "deleting while full"
    rs compact "$(rs get big/ --prefix -w fields | grep '"Revision"' | cut -d' ' -f3)" >/dev/null || fail "compaction while full"
}

mkdir "$dir/small"
mount -t tmpfs -o size=96m tmpfs "$dir/small" || fail "cannot mount a small tmpfs"
start --data "$dir/small/data" --space-floor 16m --segment-bytes 2m --snapshot-log-bytes 4m
fill
stored=$(rs get big/ --prefix --count-only -w fields | grep '"Count"' | cut -d' ' -f3)
[ "$stored" -ge 10 ] || fail "only $stored mebibytes fit on 96"
free=$(df --output=avail -B1 "$dir/small" | tail -1)
[ "$free" -ge 16777216 ] || fail "the floor was not kept: $free bytes are free"
rs lease grant 60 2>"$dir/err" && fail "a lease was granted on a full disk"
grep -q "$refusal" "$dir/err" || fail "grant: $(cat "$dir/err")"
rs get big/1 --keys-only | grep -q big/1 || fail "reading while full"
curl -fs http://127.0.0.1:24013/metrics | grep -qx 'raftstore_disk_low 1' || fail "metrics do not say so"
ok "full at $stored MiB: puts and grants are refused, reads go on"
empty
await "writes are taken again" put_big again
rs get big/again --keys-only | grep -q big/again || fail "the write after"
kill -9 "$pid"
wait "$pid" 2>/dev/null
start --data "$dir/small/data" --space-floor 16m --segment-bytes 2m --snapshot-log-bytes 4m
rs get big/again --keys-only | grep -q big/again || fail "after a restart"
ok "deletions and a compaction make room, and it is used at once; nothing has to be cleared"
kill -TERM "$pid"
wait "$pid" || fail "no clean end"

start --data "$dir/quota" --quota-bytes 8m
fill
empty
await "writes are taken again below the quota" put_big again
ok "a quota on the state, likewise"
