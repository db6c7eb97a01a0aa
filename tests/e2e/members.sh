#!/usr/bin/env bash
# The membership of a real store, over mutual TLS on loopback, while somebody writes all the time: 1 → 3 → 5 → 3 members, the
# leader removed, a wiped folder and a damaged log that come back by themselves, a leader that sleeps with a client on the line.
# No write fails, every acknowledged one is there at the end. Ports 22601-22699.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
declare -A pids
cleanup() {
    for p in "${pids[@]}"; do kill -CONT "$p" 2>/dev/null; kill -9 "$p" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() {
    echo "FAILED: $*"
    tail -n 8 "$dir"/m*.log 2>/dev/null
    rs member list 2>&1
    exit 1
}
ok() { echo "ok $*"; }
pause() { read -rt 0.05 <> <(:) || true; }

authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$dir/$1.key" -out "$dir/$1.crt" 2>/dev/null
}
certificate() { # name authority
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
    openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -CAcreateserial -days 2 -out "$dir/$1.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null
}
authority ca && authority peer-ca && certificate client ca && certificate peer peer-ca && certificate other peer-ca || fail "certificates"

cluster=0123456789abcdef0123456789abcdef
tls=(--ca "$dir/ca.crt" --cert "$dir/client.crt" --key "$dir/client.key"
    --peer-ca "$dir/peer-ca.crt" --peer-cert "$dir/peer.crt" --peer-key "$dir/peer.key" --peer-name peer)
endpoints=127.0.0.1:22611,127.0.0.1:22612,127.0.0.1:22613,127.0.0.1:22614,127.0.0.1:22615
member() { # number, how it begins, further flags
    local i=$1
    shift
    exec "$bin/raftstore" --cluster-id $cluster --name m$i --listen-peer 127.0.0.1:2260$i --listen-client 127.0.0.1:2261$i \
        --listen-http 127.0.0.1:2262$i --data "$dir/m$i" --segment-bytes 256k --snapshot-log-bytes 256k "${tls[@]}" "$@"
}
found() { (member "$1" --member-id 00000000000000a1 --members 00000000000000a1=127.0.0.1:22601 --clients 00000000000000a1=127.0.0.1:22611) >>"$dir/m$1.log" 2>&1 & pids[$1]=$!; }
join() { (member "$1" --join $endpoints "${@:2}") >>"$dir/m$1.log" 2>&1 & pids[$1]=$!; }
export RSCTL_ENDPOINTS=$endpoints RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/client.crt RSCTL_KEY=$dir/client.key
rs() { timeout 30 "$bin/rsctl" "$@"; }

settle() { # voters: waits until there are so many and no learner
    for _ in $(seq 600); do
        rs member list >"$dir/list" 2>/dev/null
        [ "$(grep -c ', false$' "$dir/list")" = "$1" ] && ! grep -q ', true$' "$dir/list" && return
        pause
    done
    fail "not $1 voters within 30 s"
}
id_of() { rs member list | grep ", 127.0.0.1:2260$1, " | tail -n 1 | cut -d, -f1; }
leader() { # the number of the leading member
    local line
    for _ in $(seq 200); do
        line=$(rs --endpoints "$alive" endpoint status 2>/dev/null | grep ', true, false,' | head -n 1)
        [ -n "$line" ] && { cut -d, -f1 <<<"$line" | grep -oE '[0-9]$'; return; }
        pause
    done
    return 1
}
alive=127.0.0.1:22611

found 1
for _ in $(seq 200); do rs put first 1 >/dev/null 2>&1 && break; pause; done
big=$(printf '%02000d' 7)
for i in $(seq 600); do echo "put big/$i $big"; done | rs shell | grep -c OK | grep -qx 600 || fail "600 writes of 2 kB"
(
    n=0
    while [ ! -e "$dir/enough" ]; do
        n=$((n + 1))
        if rs put "k/$n" "$n" >/dev/null 2>>"$dir/failures"; then echo "k/$n" >>"$dir/acknowledged"; else echo "k/$n" >>"$dir/failed"; fi
    done
) & writer=$!
pids[writer]=$writer
count() { if [ -e "$dir/acknowledged" ]; then wc -l <"$dir/acknowledged"; else echo 0; fi; }
wait_count() { for _ in $(seq 400); do [ "$(count)" -ge "$1" ] && return; pause; done; fail "no writes"; }
wait_count 20

join 2
settle 2
curl -fs http://127.0.0.1:22622/debug/state | grep -qE 'first [1-9][0-9]+ snapshot [1-9]' || fail "the second member did not begin with a snapshot: $(curl -fs http://127.0.0.1:22622/debug/state)"
join 3
settle 3
alive=$endpoints
join 4
settle 4
join 5
settle 5
wait_count $(($(count) + 20))
ok "from one to five members under $(count) writes"

# What cannot be.
rs member promote 00000000000000a1 2>"$dir/err" && fail "a voter was promoted"
grep -q "can only promote a learner member" "$dir/err" || fail "promote says $(cat "$dir/err")"
rs member remove deadbeef 2>"$dir/err" && fail "a stranger was removed"
grep -q "member not found" "$dir/err" || fail "remove says $(cat "$dir/err")"
rs member add again --peer-urls http://127.0.0.1:22601 2>"$dir/err" && fail "an address was taken twice"
grep -q "Peer URLs already exists" "$dir/err" || fail "add says $(cat "$dir/err")"
rs move-leader deadbeef 2>"$dir/err" && fail "a stranger leads"
grep -q "bad leader transferee" "$dir/err" || fail "move-leader says $(cat "$dir/err")"
rs member add nobody --peer-urls 127.0.0.1:22699 --learner >"$dir/out" || fail "member add"
nobody=$(grep -oE 'member-id [0-9a-f]{16}' "$dir/out" | cut -d' ' -f2)
rs member promote "$nobody" 2>"$dir/err" && fail "who was never there was promoted"
grep -q "in sync with leader" "$dir/err" || fail "promote says $(cat "$dir/err")"
rs member remove "$nobody" >/dev/null || fail "removal of a learner"
ok "refusals: $(tail -n 1 "$dir/err")"

# A member that was announced by hand.
old=$(leader) || fail "no leader"
to=$((old % 5 + 1))
rs move-leader "$(id_of $to)" >/dev/null || fail "move-leader"
[ "$(leader)" = "$to" ] || fail "leadership is with $(leader), not with $to"
ok "leadership moved from $old to $to"

# Five to three: first the leader.
gone=$(leader)
rs member remove "$(id_of "$gone")" >/dev/null || fail "removal of the leader"
settle 4
for _ in $(seq 200); do kill -0 "${pids[$gone]}" 2>/dev/null || break; pause; done
kill -0 "${pids[$gone]}" 2>/dev/null && fail "the removed member runs on"
grep -q "was removed from the cluster; to use this machine" "$dir/m$gone.log" || fail "the removed member says $(tail -n 3 "$dir/m$gone.log")"
follower=
for i in 1 2 3 4 5; do [ "$i" != "$gone" ] && [ "$i" != "$(leader)" ] && follower=$i; done
rs member remove "$(id_of "$follower")" >/dev/null || fail "removal of a follower"
settle 3
rest=()
for i in 1 2 3 4 5; do [ "$i" != "$gone" ] && [ "$i" != "$follower" ] && rest+=("$i"); done
alive=127.0.0.1:2261${rest[0]},127.0.0.1:2261${rest[1]},127.0.0.1:2261${rest[2]}
wait_count $(($(count) + 20))
ok "from five to three, the leader first"

# A wiped folder.
victim=${rest[0]}
[ "$victim" = "$(leader)" ] && victim=${rest[1]}
before=$(id_of "$victim")
kill -9 "${pids[$victim]}"
wait "${pids[$victim]}" 2>/dev/null
rm -rf "$dir/m$victim"
began=$(date +%s%N)
join "$victim"
for _ in $(seq 600); do rs member list >"$dir/list" && ! grep -q "$before" "$dir/list" && break; pause; done
[ "$(rs member list | grep -c "$before")" = 0 ] || fail "the wiped member's old id is there still"
settle 3
ok "a wiped member is back under another id after $((($(date +%s%N) - began) / 1000000)) ms"

flip_bit() { # folder: in the first batch of its last segment that has others behind it
    local f log= byte
    for f in "$1"/log-*; do [ "$(grep -obUa KBAT "$f" | wc -l)" -ge 3 ] && log=$f; done
    [ -n "$log" ] || fail "no segment with three batches in $1"
    byte=$(od -An -tu1 -j $((4096 + 60)) -N 1 "$log" | tr -d ' ')
    printf "\\x$(printf %x $((byte ^ 4)))" | dd of="$log" bs=1 seek=$((4096 + 60)) conv=notrunc status=none
}

# A damaged log: one bit of a record that others stand behind.
victim=${rest[2]}
[ "$victim" = "$(leader)" ] && victim=${rest[1]}
before=$(id_of "$victim")
kill -9 "${pids[$victim]}"
wait "${pids[$victim]}" 2>/dev/null
flip_bit "$dir/m$victim"
if [ "$victim" = 1 ]; then found 1; else join "$victim"; fi
for _ in $(seq 600); do rs member list >"$dir/list" && ! grep -q "$before" "$dir/list" && break; pause; done
[ "$(rs member list | grep -c "$before")" = 0 ] || fail "the damaged member's old id is there still"
ls "$dir/m$victim"/damaged-1-log-* >/dev/null || fail "the damaged log was not set aside"
grep -q "the log is damaged: this member sets it aside" "$dir/m$victim.log" || fail "it does not say so"
settle 3
ok "a damaged log was set aside and its member is back"

# Who is alone has nobody to get everything from: it does not start, least of all empty.
alone() {
    exec "$bin/raftstore" --cluster-id fedcba9876543210fedcba9876543210 --member-id 00000000000000b1 \
        --members 00000000000000b1=127.0.0.1:22608 --clients 00000000000000b1=127.0.0.1:22618 --listen-peer 127.0.0.1:22608 \
        --listen-client 127.0.0.1:22618 --data "$dir/alone" "${tls[@]}" "$@"
}
(alone) >>"$dir/m8.log" 2>&1 & pids[8]=$!
for i in 1 2 3 4 5; do rs --endpoints 127.0.0.1:22618 put "a$i" x >/dev/null || fail "a member alone takes no writes"; done
kill -9 "${pids[8]}"
wait "${pids[8]}" 2>/dev/null
unset "pids[8]"
flip_bit "$dir/alone"
(alone) >"$dir/out" 2>&1 && fail "a damaged member that is alone starts"
grep -q "no other member is known to get everything from: restore a snapshot" "$dir/out" || fail "it says $(cat "$dir/out")"
rm -rf "$dir/alone"
(alone --existing) >"$dir/out" 2>&1 && fail "a member alone starts with an empty folder that was lost"
grep -q "no other member is known" "$dir/out" || fail "it says $(cat "$dir/out")"
ok "a damaged or empty member that is alone does not start: $(grep -o "no other member.*" "$dir/out" | head -n 1)"

# A leader that sleeps with a client on the line must not answer from what it remembers.
rs put watched old >/dev/null
sleeper=$(leader)
mkfifo "$dir/commands"
(exec "$bin/rsctl" --endpoints 127.0.0.1:2261"$sleeper" --command-timeout 20s --print-value-only shell <"$dir/commands" >"$dir/answers" 2>&1) & pids[shell]=$!
exec 7>"$dir/commands"
echo "get watched" >&7
for _ in $(seq 100); do [ -s "$dir/answers" ] && break; pause; done
[ "$(cat "$dir/answers")" = old ] || fail "the shell says $(cat "$dir/answers")"
kill -STOP "${pids[$sleeper]}"
alive_now=$(tr , '\n' <<<"$alive" | grep -v "2261$sleeper" | paste -sd,)
RSCTL_ENDPOINTS=$alive_now rs put watched new >/dev/null || fail "no write while the leader sleeps"
echo "get watched" >&7 # on the old connection, before it wakes
kill -CONT "${pids[$sleeper]}"
for _ in $(seq 400); do [ "$(wc -l <"$dir/answers")" -ge 2 ] && break; pause; done
[ "$(tail -n 1 "$dir/answers")" = new ] || fail "the leader that slept answers $(tail -n 1 "$dir/answers")"
exec 7>&-
wait "${pids[shell]}" || fail "the shell ends with an error"
unset "pids[shell]"
ok "a leader that slept answers over the old connection with the new value"

# Members are recognised by authority and name.
(exec "$bin/raftstore" --cluster-id $cluster --name m9 --listen-peer 127.0.0.1:22609 --listen-client 127.0.0.1:22619 --data "$dir/m9" \
    --join $endpoints --ca "$dir/ca.crt" --cert "$dir/client.crt" --key "$dir/client.key" --learner \
    --peer-ca "$dir/peer-ca.crt" --peer-cert "$dir/other.crt" --peer-key "$dir/other.key" --peer-name peer) >>"$dir/m9.log" 2>&1 & pids[9]=$!
for _ in $(seq 200); do grep -q "refused a peer's certificate.*name=other" "$dir"/m?.log && break; pause; done
grep -q "refused a peer's certificate.*name=other" "$dir"/m?.log || fail "a certificate with another name is accepted"
kill -9 "${pids[9]}"
rs member remove "$(id_of 9)" >/dev/null || fail "removal of the impostor"
settle 3
ok "a peer with another name is refused"

touch "$dir/enough"
wait $writer
unset "pids[writer]"
[ -e "$dir/failed" ] && fail "writes failed: $(head -n 3 "$dir/failed") $(head -n 3 "$dir/failures")"
sort "$dir/acknowledged" >"$dir/wanted"
rs get k/ --prefix --keys-only | grep . | sort >"$dir/found"
[ -z "$(comm -23 "$dir/wanted" "$dir/found")" ] || fail "lost: $(comm -23 "$dir/wanted" "$dir/found" | head)"
for _ in $(seq 200); do
    hashes=$(rs --endpoints "$alive" endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)
    [ "$hashes" = 1 ] && break
    pause
done
[ "$hashes" = 1 ] || fail "hashes differ: $(rs --endpoints "$alive" endpoint hashkv)"
ok "$(count) writes, none failed, all there, hashes equal"
