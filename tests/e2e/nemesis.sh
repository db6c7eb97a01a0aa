#!/usr/bin/env bash
# The fault scripts of jepsen/nemesis on three live masters with somebody writing all the time: each fault is started, its effect
# seen, healed, and then all members are ready with equal hashes; scripts that are killed in the middle are healed too. At the end
# every acknowledged write is there. A selection; FULL=1 runs every variant.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
n=jepsen/nemesis
expect_root=$(id -u)
[ "$expect_root" = 0 ] || fail "needs root: network namespaces"
export NEMESIS_FAULTS=${bin%/bin}/faults
trap 'status=$?; touch "$work/enough"; [ ! -e "$CLUSTER_DIR/cluster.json" ] || $n/heal >/dev/null 2>&1; (exit $status); cleanup' EXIT

keelson up --masters 3 --nodes 0 >/dev/null || fail "the cluster does not start"
. "$CLUSTER_DIR/rsctl.env"
all=$RSCTL_ENDPOINTS kn=$(tag)
declare -A at
for i in 1 2 3; do at[master-$i]=$(cut -d, -f$i <<<"$all"); done
put() { rsctl --endpoints "$1" --command-timeout "${2:-2s}" put probe "$EPOCHREALTIME" >/dev/null 2>&1; } # endpoints, time
nemesis() { local out; out=$("$n/$1" "${@:2}" 2>&1) || fail "$*: $out"; said=$out; echo "  $out"; }
leader() { (cd "$n" && . ./lib.sh && cluster_open && leader); }
pid() { awk '{ print $1 }' "$CLUSTER_DIR/pids/$1.raftstore"; }
inside() { nsenter --net="/run/netns/$kn-$1" -- "${@:2}"; }
serves() { inside "$1" curl -fs --max-time 1 http://127.0.0.1:2381/readyz; }
log() { cat "$CLUSTER_DIR/logs/$1.raftstore.log"; }
ping_others() { inside "$1" busybox ping -c 10 -i 0.1 -W 1 "${at[$2]%:*}"; }
other() { local m; for m in master-1 master-2 master-3; do [ "$m" != "$1" ] && { echo $m; return; }; done; }
except() { local m list=''; for m in master-1 master-2 master-3; do [ "$m" = "$1" ] || list+=,${at[$m]}; done; echo "${list#,}"; }
voters() { [ "$(rsctl --endpoints "$all" member list | grep -c ', false$')" = "$1" ]; }
equal() { [ "$(rsctl --endpoints "$all" endpoint hashkv | awk -F', ' '{ print $3, $5 }' | sort | uniq -c | grep -c '^ *3 ')" = 1 ]; }
settled() {
    local out
    out=$($n/heal 2>&1) || fail "heal: $out"
    until_true 30 "  three voters" voters 3 >/dev/null
    touch "$work/quiet" # hashes can be compared when nobody writes
    until_true 30 "  equal hashes" equal >/dev/null
    rm -f "$work/quiet"
}
elapsed() { awk "BEGIN { printf \"%.2f\", $EPOCHREALTIME - $1 }"; }
full() { [ "${FULL:-0}" = 1 ]; }
died() { ! kill -0 "$(pid "$1")" 2>/dev/null || grep -qE '^State:\s+[ZX]' "/proc/$(pid "$1")/status"; }

until_true 20 "writes" put "$all"
(
    i=0
    while [ ! -e "$work/enough" ]; do
        [ -e "$work/quiet" ] && { read -rt 0.05 <> <(:); continue; }
        i=$((i + 1))
        "$bin/rsctl" --command-timeout 3s put "k/$i" "$i" >/dev/null 2>&1 && echo "k/$i" >>"$work/acknowledged"
        [ $i -gt 200000 ] && break
    done
) & writer=$!
helpers+=("$writer")

step "what is refused"
out=$($n/partition start nonsense 2>&1); [ $? = 2 ] || fail "an unknown variant: $out"
out=$($n/partition start one --member nobody 2>&1); [ $? = 2 ] || fail "an unknown member: $out"
out=$(CLUSTER_DIR=$work/none $n/heal 2>&1); [ $? = 2 ] || fail "no cluster: $out"
out=$($n/administration stop 2>&1) || fail "nothing to undo: $out"
for f in partition network process clock disk membership administration; do
    $n/$f --help | grep -q '^examples: ' || fail "$f has no help with examples"
    $n/$f status >/dev/null || fail "$f is active before anything was started"
done

step "partition"
lead=$(leader)
begin=$EPOCHREALTIME
nemesis partition start majority --member "$lead"
until put "$(except "$lead")" 5s; do :; done
took=$(elapsed "$begin")
echo "  majority writes again after $took s (aim: 2 s)"
[ "$(awk "BEGIN { print ($took < 5) }")" = 1 ] || fail "the majority did not write for $took s"
begin=$EPOCHREALTIME
put "${at[$lead]}" 5s && fail "a minority accepts writes"
echo "  minority refuses after $(elapsed "$begin") s"
nemesis partition start majority --member "$lead"
expect "second start" "active already" "$said"
settled
nemesis partition start client --member master-1
put "${at[master-1]}" 1s && fail "a client reaches master-1"
serves master-1 >/dev/null || fail "master-1 has lost the others"
settled
lead=$(leader)
nemesis partition start client --member "$lead"
until_true 10 "a leader that no client reaches: writes through the others" put "$(except "$lead")" 5s
settled
expect "it leads still" "$lead" "$(leader)"
lead=$(leader)
nemesis partition start one-way --member "$lead"
until_true 10 "one-way: writes" put "$(except "$lead")" 5s
settled
nemesis partition start all
put "$all" 1500ms && fail "written while every member is alone"
settled
if full; then
    for v in halves leader one bridge "one-way --member leader --direction in"; do
        # shellcheck disable=SC2086 # words
        nemesis partition start $v --seed 5
        until_true 15 "$v: writes" put "$all" 5s
        settled
    done
    out=$($n/partition start ring 2>&1); [ $? = 4 ] || fail "a ring of three: $out"
fi

step "an inventory, and members reached through a command"
mkdir "$work/hosts"
for m in master-1 master-2 master-3; do # sh -c takes one word with a command line in it, as ssh does
    echo "name=$m address=${at[$m]%:*} netns=$kn-$m http=127.0.0.1:2381 via=sh+-c pid=$CLUSTER_DIR/pids/$m.raftstore" \
        "data=$CLUSTER_DIR/data/$m/store start=$bin/keelson start $m --dir $CLUSTER_DIR"
done >"$work/hosts/inventory"
echo "tls=$RSCTL_CACERT,$RSCTL_CERT,$RSCTL_KEY" >>"$work/hosts/inventory"
lead=$(leader)
nemesis partition start leader --inventory "$work/hosts/inventory"
expect "who is cut off" "\{$lead\}" "$said"
until_true 10 "inventory: writes" put "$(except "$lead")" 5s
nemesis process start kill --member "$lead" --inventory "$work/hosts/inventory"
died "$lead" || fail "$lead runs on"
$n/heal --inventory "$work/hosts/inventory" >/dev/null || fail "heal of an inventory"
echo "address=nameless" >"$work/hosts/bad"
out=$($n/partition start one --inventory "$work/hosts/bad" 2>&1); [ $? = 2 ] || fail "a bad inventory: $out"
settled

step "process"
lead=$(leader) begin=$EPOCHREALTIME
nemesis process start kill --member "$lead"
died "$lead" || fail "$lead runs on"
until put "$all" 5s; do :; done
echo "  leader killed: written again after $(elapsed "$begin") s"
settled
nemesis process start pause --member follower
grep -qs '^State:	T' /proc/"$(pid master-1)"/status /proc/"$(pid master-2)"/status /proc/"$(pid master-3)"/status || fail "nobody is stopped"
settled
nemesis process start slow-start --member master-2 --seconds 2
serves master-2 >/dev/null && fail "master-2 serves at once"
until_true 15 "slow start: ready" serves master-2
settled
nemesis process start term --member "$(leader)"
until_true 10 "leader told to end: writes" put "$all" 5s
settled
nemesis process start kill --member all
put "$all" 1s && fail "written without a member"
settled
if full; then
    for v in kill pause; do
        nemesis process start $v --member majority
        put "$all" 2s && fail "written without a majority"
        settled
    done
    before=$(pid master-3)
    nemesis process start restart --member master-3
    [ "$(pid master-3)" != "$before" ] || fail "master-3 was not restarted"
    before=$(pid master-3)
    nemesis process start restart-loop --member master-3 --every-ms 500
    changed() { [ "$(pid master-3)" != "$before" ]; }
    until_true 10 "restart loop" changed
    settled
    nemesis process start pause-loop --every-ms 300
    until_true 20 "pause loop: writes" put "$all" 5s
    settled
fi

step "network"
nemesis network start delay --ms 60 --jitter-ms 10
ms=$(ping_others master-1 master-2 | grep -oE '/[0-9.]+/' | tr -d /)
[ "$(awk "BEGIN { print ($ms > 40) }")" = 1 ] || fail "the round trip takes $ms ms"
echo "  round trip $ms ms"
until_true 20 "delay: writes" put "$all" 5s
settled
nemesis network start reset
until_true 10 "reset: writes" put "$all" 5s
if full; then
    nemesis network start loss --percent 50 --member master-1
    refuse "loss" " 0% packet loss" "$(ping_others master-1 master-2)"
    settled
    nemesis network start duplicate --percent 90
    expect "duplicates" "[1-9][0-9]* duplicates" "$(ping_others master-1 master-2)"
    settled
    nemesis network start reorder --percent 40 --ms 20
    expect "reordering" "/(1[5-9]|[2-9][0-9]|[0-9]{3,})\.[0-9]+ ms" "$(ping_others master-1 master-2 | tail -n 1)"
    settled
    nemesis network start bandwidth --kbit 500
    begin=$EPOCHREALTIME
    head -c 200000 /dev/zero | tr '\0' x | rsctl --command-timeout 20s put big >/dev/null 2>&1
    [ "$(awk "BEGIN { print ($(elapsed "$begin") > 1) }")" = 1 ] || fail "200 kB take $(elapsed "$begin") s at 500 kbit/s"
    settled
    nemesis network start flapping --member master-1 --every-ms 400
    refuse "flapping" " 0% packet loss" "$(ping_others master-1 master-2)"
    settled
fi

step "disk"
nemesis disk start sync-error --member master-1
until_true 15 "sync error: the member ends itself" died master-1
expect "its last words" "Input/output error" "$(log master-1 | tail -n 5)"
settled
nemesis disk start torn --member master-2
settled
nemesis disk start flip-log --member master-3
until_true 30 "flipped bit is found" grep -q "log is damaged" "$CLUSTER_DIR/logs/master-3.raftstore.log"
settled
nemesis disk start loop
nemesis disk start power-loss
until_true 20 "power loss of all: writes" put "$all" 5s
settled
if mount | grep -q "$CLUSTER_DIR"; then fail "a disk is still mounted"; fi
if full; then
    for v in full read-only write-error; do
        nemesis disk start $v --member master-1
        until_true 15 "$v: the member ends itself" died master-1
        settled
    done
    lead=$(leader)
    nemesis disk start slow --ms 300 --member "$(other "$lead")"
    until_true 15 "slow disk of a follower: writes" put "$all" 5s
    settled
    nemesis disk start truncate-log --member follower
    settled
    out=$($n/disk start flip-snapshot --member master-1 2>&1) || [ $? = 4 ] || fail "flip-snapshot: $out"
    echo "  $out"
    settled
fi

step "clock"
nemesis clock start jump --seconds -86400 --member master-1
there=$(LD_PRELOAD=$NEMESIS_FAULTS/clock.so NEMESIS_CONTROL=$CLUSTER_DIR/nemesis/control.master-1 date +%s)
[ $(($(date +%s) - there)) -gt 86000 ] || fail "the clock of master-1 is not back"
grep -q faults/clock.so "/proc/$(pid master-1)/maps" || fail "master-1 has its own clock"
until_true 10 "clock a day back: writes" put "$all" 5s
settled
if full; then
    nemesis clock start strobe --member leader
    until_true 10 "strobe: writes" put "$all" 5s
    settled
    nemesis clock start skew --percent 50 --member leader
    until_true 10 "skew: writes" put "$all" 5s
    settled
fi

step "membership"
nemesis membership start learner
nemesis membership start promote
voters 4 || fail "four voters"
settled
gone=$(leader)
nemesis membership start remove --member "$gone"
until_true 10 "leader removed: writes" put "$all" 5s
voters 2 || fail "two voters"
settled
nemesis membership start transfer
nemesis membership start replace --member "$gone" # its folder was emptied once already: its command line names an id that is gone
nemesis membership start replace
if full; then
    nemesis membership start rolling
    settled
fi

step "administration"
nemesis administration start compaction
nemesis administration start certificates
nemesis administration start growth --megabytes 4
out=$($n/administration start snapshot 2>&1) || [ $? = 4 ] || fail "snapshot: $out"
echo "  $out"
if full; then
    nemesis administration start compaction-loop
    until_true 10 "compaction loop: writes" put "$all" 5s
fi
settled

step "scripts killed in the middle"
killed() { # seconds, script and words
    setsid "$n/$2" "${@:3}" >/dev/null 2>&1 &
    local victim=$!
    read -rt "$1" <> <(:)
    kill -9 "$victim" 2>/dev/null
    wait "$victim" 2>/dev/null
    echo "  $2 ${*:3} after $1 s: $(cat "$CLUSTER_DIR/nemesis/$2.active" 2>/dev/null)"
    settled
}
for after in 0.1 0.3 0.8; do killed $after disk start loop; done
killed 0.15 partition start halves
killed 0.3 network start delay
killed 0.5 membership start learner
killed 0.2 process start restart --member all
if full; then
    for after in 0.2 0.5 1.2 2; do
        killed $after disk start power-loss
        killed $after disk start slow --member all
        killed $after clock start skew --member all
        killed $after membership start remove
        killed $after membership start promote
    done
fi

touch "$work/enough"
wait "$writer"
helpers=()
sort -u "$work/acknowledged" >"$work/wanted"
rsctl get k/ --prefix --keys-only | grep . | sort >"$work/there"
[ -z "$(comm -23 "$work/wanted" "$work/there")" ] || fail "lost: $(comm -23 "$work/wanted" "$work/there" | head)"
for f in partition network process clock disk membership administration; do
    $n/$f status >/dev/null || fail "$f is active after heal"
done
lines=$(wc -l <"$CLUSTER_DIR/nemesis/timeline")
if full; then
    step "five members"
    keelson down >/dev/null || fail "down"
    keelson up --masters 5 --nodes 0 >/dev/null || fail "the cluster of five does not start"
    . "$CLUSTER_DIR/rsctl.env"
    for v in ring bridge halves; do
        nemesis partition start $v
        until_true 20 "$v: writes" put "$RSCTL_ENDPOINTS" 5s
        $n/heal >/dev/null || fail "heal"
    done
fi
echo "$(wc -l <"$work/wanted") acknowledged writes, all there; $lines lines of what was done"
