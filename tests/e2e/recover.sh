#!/usr/bin/env bash
# The loss of a quorum: two of three members gone for good. What they had acknowledged comes back from the folder of the third,
# by one command, which refuses while others run, and can be interrupted at each of its steps. The lost ones come back empty.
# Ports 25201-25219.
cd "$(dirname "$0")/../.." || exit 1
port=25200
. tests/e2e/members.bash
authority ca
certificate member ca 2
tls=(--ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" --segment-bytes 4m --snapshot-log-bytes 1m)
export RSCTL_CACERT=$dir/ca.crt RSCTL_CERT=$dir/member.crt RSCTL_KEY=$dir/member.key
plan 3
all=$RSCTL_ENDPOINTS
named() { [ "$(rs member list | grep -cE '^00000000000000a([123]), started, m\1, ')" = 3 ]; }
same_hashes() { [ "$(rs endpoint hashkv | cut -d, -f2,3 | sort -u | wc -l)" = 1 ]; }
voters() { [ "$(rs member list -w json | jq '[.members[] | select(.isLearner != true)] | length')" = "$1" ]; }

for i in 1 2 3; do start $i --name m$i; done
for i in 1 2 3; do ready $i; done
until_true 10 "founders tell their names themselves" named
big=$(printf '%04000d' 7)
for i in $(seq 900); do echo "put key/$i $i-$big"; done | rs shell | grep -c OK | grep -qx 900 || fail "writes"
rs put last acknowledged >/dev/null || fail "the last write"
lease=$(rs lease grant 9000 | cut -d' ' -f2)
rs put leased x --lease="$lease" >/dev/null || fail "a put with a lease"
has_last() { [ "$(rs --endpoints 127.0.0.1:25213 get leased --consistency s --print-value-only)" = x ]; }
until_true 10 "member 3 has it all: what it has not, no command brings back" has_last
rs get "" --from-key >"$dir/wanted" || fail "get"
revision=$(rs get last -w fields | grep '"Revision"' | cut -d' ' -f3)

refused 1 "in use" recover --data-dir "$dir/m3"
stop 3 TERM
refused 1 "answers at 127.0.0.1:25211" recover --data-dir "$dir/m3"
[ -d "$dir/m3" ] && [ ! -e "$dir/m3.recovering" ] && [ ! -e "$dir/m3.before-recovery" ] || fail "a refusal leaves something: $(ls "$dir")"
stop 1 9
refused 1 "answers at 127.0.0.1:25212" recover --data-dir "$dir/m3"
stop 2 9
mkdir "$dir/empty"
refused 1 "there is no log in it" recover --data-dir "$dir/empty"
refused 1 "is not there" recover --data-dir "$dir/none"
refused 128 "wants --data-dir" recover
refused 128 "needs its own" recover --data-dir "$dir/m3" --cluster-id "$cluster"
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
refused 1 "from an earlier recovery" recover --data-dir "$dir/m3"

start 3
wait "${pids[m3]}" && fail "it starts under the old cluster id"
cluster=$new
start 3
ready 3
export RSCTL_ENDPOINTS=127.0.0.1:25213
rs get "" --from-key >"$dir/found" || fail "get after the recovery"
cmp -s "$dir/wanted" "$dir/found" || fail "the contents differ"
rs lease timetolive "$lease" --keys | grep -q "attached keys(\[leased\])" || fail "the lease is not kept"
rs put after recovery >/dev/null || fail "put after the recovery"
[ "$(rs get after -w fields | grep '"ModRevision"' | cut -d' ' -f3)" -gt $((revision + 1000000000)) ] || fail "revisions do not go on later"
refused 1 "has been compacted" get last --rev "$revision"
[ "$(rs member list | wc -l)" = 1 ] || fail "members: $(rs member list)"
ok "recovered: every acknowledged write, the lease, later revisions, one member"

# The lost ones: one comes back with its old folder and is refused, then both empty.
start 1
wait "${pids[m1]}" && fail "a member of the old cluster ends as if all were well"
grep -q "another cluster" "$dir/m1.log" || fail "the old member says $(tail -n 1 "$dir/m1.log")"
unset "pids[m1]"
rs get last --print-value-only | grep -qx acknowledged || fail "the old member disturbs the new cluster"
for i in 1 2; do
    rm -rf "${dir:?}/m$i"
    start $i --existing
    ready $i
done
until_true 20 "three voters" voters 3
export RSCTL_ENDPOINTS=$all
until_true 20 "equal hashes" same_hashes
stop 3
rs put again three >/dev/null || fail "three members do not stand the loss of one: $(rs member list)"
ok "an old folder is refused, empty ones come in by themselves, and one of three may go again"
