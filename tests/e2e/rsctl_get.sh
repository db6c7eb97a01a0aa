#!/usr/bin/env bash
# rsctl's reading flags, each alone and together, and what each command writes in each of its formats, held against etcdctl's forms. One member.
# Ports 24081-24091.
cd "$(dirname "$0")/../.." || exit 1
port=24080
. tests/e2e/members.bash
plan 1
start 1
until_true 20 "a member" up
keys() { rs get "$@" --keys-only | grep . | tr '\n' ' ' | sed 's/ $//'; }
put() { rs put "$@" >/dev/null || fail "put $*"; }

# revisions 2 to 9; values in another order than keys, versions 1 to 3
put a 5; put b 4; put c 3; put d 2; put b 44; put c 33; put c 1; put ab 9
all=(--prefix "")
is "all" "a ab b c d" "$(keys "${all[@]}")"
is "--prefix" "a ab" "$(keys a --prefix)"
is "--from-key" "b c d" "$(keys b --from-key)"
is "a range" "ab b c" "$(keys ab d)"
is "--limit" "a ab" "$(keys "${all[@]}" --limit 2)"
is "--limit tells of more" "true 5" "$(rs get "${all[@]}" --limit 2 -w json | jq -r '"\(.more) \(.count)"')"
is "--count-only" 5 "$(rs get "${all[@]}" --count-only)"
is "--count-only -w json" '[5,null]' "$(rs get "${all[@]}" --count-only -w json | jq -c '[.count, .kvs]')"
is "--order DESCEND" "d c b ab a" "$(keys "${all[@]}" --order DESCEND)"
is "--order ascend, in small letters" "a ab b c d" "$(keys "${all[@]}" --order ascend)"
is "--sort-by VERSION" "a ab d b c" "$(keys "${all[@]}" --sort-by VERSION)"
is "--sort-by CREATE" "a b c d ab" "$(keys "${all[@]}" --sort-by CREATE)"
is "--sort-by MODIFY" "a d b c ab" "$(keys "${all[@]}" --sort-by MODIFY)"
is "--sort-by VALUE" "c d b a ab" "$(keys "${all[@]}" --sort-by VALUE)"
is "--sort-by KEY --order DESCEND" "d c b ab a" "$(keys "${all[@]}" --sort-by KEY --order DESCEND)"
is "--sort-by VALUE --order DESCEND --limit" "ab a" "$(keys "${all[@]}" --sort-by VALUE --order DESCEND --limit 2)"
is "--rev" "a b c d" "$(keys "${all[@]}" --rev 5)"
is "a value at --rev" 4 "$(rs get b --rev 5 --print-value-only)"
is "--print-value-only" $'5\n9' "$(rs get a --prefix --print-value-only)"
is "--min-mod-rev, --max-mod-rev" "b c" "$(keys "${all[@]}" --min-mod-rev 6 --max-mod-rev 8)"
is "--min-create-rev, --max-create-rev" "c d" "$(keys "${all[@]}" --min-create-rev 4 --max-create-rev 5)"
is "--consistency s" 5 "$(rs get a --consistency s --print-value-only)"
is "--hex" $'\\x61\n\\x35' "$(rs get a --hex)"
is "--hex --print-value-only" '\x35' "$(rs get a --hex --print-value-only)"
put "$(printf 'tab\there')" "$(printf 'line\nquote"')"
is "fields quote" $'"Key" : "tab\\x09here"\n"Value" : "line\\nquote\\""' "$(rs get tab --prefix -w fields | grep -E '^"(Key|Value)"')"
is "--from-key with the empty key" 6 "$(rs get "" --from-key --count-only)"
is "del of a range" 2 "$(rs del ab c)"
is "del --from-key" 1 "$(rs del tab --from-key)"
is "del --prefix --prev-kv" $'1\na\n5' "$(rs del a --prefix --prev-kv)"
is "del of nothing" 0 "$(rs del nothing)"
ok "flags of get and del"

# --- formats ---
fields() { sed -n 's/^"\([A-Za-z]*\)" : .*/\1/p' | tr '\n' ' ' | sed 's/ $//'; }
header="ClusterID MemberID Revision RaftTerm"
put k v
is "get -w fields" "$header Key CreateRevision ModRevision Version Value Lease More Count" "$(rs get k -w fields | fields)"
is "get -w table" "| k |      14 |       14 |       1 |     0 |     1 |" "$(rs get k -w table | sed -n 4p | sed 's/^|  */| /')"
is "get -w json" '["count","header","kvs"] ["create_revision","key","mod_revision","value","version"] ["cluster_id","member_id","raft_term","revision"]' \
    "$(rs get k -w json | jq -c 'keys, (.kvs[0] | keys), (.header | keys)' | tr '\n' ' ' | sed 's/ $//')"
is "put -w json" '["header"]' "$(rs put k w -w json | jq -c keys)"
is "put --prev-kv -w json" dw== "$(rs put k x --prev-kv -w json | jq -r .prev_kv.value)"
is "put -w fields" "$header PrevKey PrevCreateRevision PrevModRevision PrevVersion PrevValue PrevLease" "$(rs put k y --prev-kv -w fields | fields)"
is "del -w json" '[1,1]' "$(rs del k --prev-kv -w json | jq -c '[.deleted, (.prev_kvs | length)]')"
is "del -w fields" "$header Deleted" "$(rs del k -w fields | fields)"
is "txn -w json" '[true,["response_put","response_range","response_delete_range"]]' \
    "$(printf '\nput t 1\nget t\ndel u\n\n\n' | rs txn -w json | jq -c '[.succeeded, [.responses[] | keys[]]]')"
is "compact -w json" '["header"]' "$(rs compact 3 -w json | jq -c keys)"
is "endpoint status -w json" '["compactRevision","dbSize","header","isLearner","leader","logSize","raftAppliedIndex","raftIndex","raftTerm","version"]' \
    "$(rs endpoint status -w json | jq -c '.[0].Status | keys')"
is "endpoint status -w fields" "$header Version DBSize Leader IsLearner RaftIndex RaftAppliedIndex Endpoint" "$(rs endpoint status -w fields | fields)"
is "endpoint hashkv -w json" '["compact_revision","hash","header"]' "$(rs endpoint hashkv -w json | jq -c '.[0].HashKV | keys')"
is "endpoint hashkv -w fields" "$header Endpoint Hash CompactRevision" "$(rs endpoint hashkv -w fields | fields)"
is "endpoint health -w json" '["endpoint","health","took"]' "$(rs endpoint health -w json | jq -c '.[0] | keys')"
is "endpoint health -w fields" "Endpoint Health Took Error" "$(rs endpoint health -w fields | fields)"
is "member list -w json" '["ID","clientURLs","name","peerURLs"]' "$(rs member list -w json | jq -c '.members[0] | keys')"
is "member list -w fields" "$header ID Name PeerURL ClientURL IsLearner" "$(rs member list -w fields | fields)"
is "move-leader -w json" 1 "$(rs move-leader 00000000000000a1 -w json | jq '.members | length')"
is "version -w json" '["apiVersion","rsctlVersion"]' "$(rs version -w json | jq -c keys)"
for c in "endpoint status" "endpoint health" "endpoint hashkv" "member list" "get k"; do
    # shellcheck disable=SC2086 # words
    [ "$(rs $c -w table | grep -c '^+-')" = 3 ] || fail "$c -w table"
done
lease=$(rs lease grant 100 | grep -oE '[0-9a-f]{16}') || fail "lease grant"
put leased x --lease "$lease"
is "lease grant -w json" '["granted-ttl","header","id","ttl"]' "$(rs lease grant 50 -w json | jq -c keys)"
is "lease grant -w fields" "$header ID TTL GrantedTTL" "$(rs lease grant 50 -w fields | fields)"
is "lease timetolive --keys" "attached keys([leased])" "$(rs lease timetolive "$lease" --keys | grep -o 'attached.*')"
is "lease timetolive -w json" '["bGVhc2Vk"] 100' "$(rs lease timetolive "$lease" --keys -w json | jq -rc '"\(.keys) \(.["granted-ttl"])"')"
is "lease timetolive -w fields" "$header ID TTL GrantedTTL Key" "$(rs lease timetolive "$lease" --keys -w fields | fields)"
is "timetolive of what is gone" "-1" "$(rs lease timetolive 77 -w json | jq .ttl)"
is "keep-alive --once" "lease $lease keepalived with TTL(100)" "$(rs lease keep-alive "$lease" --once)"
is "keep-alive --once -w json" 100 "$(rs lease keep-alive "$lease" --once -w json | jq .ttl)"
is "lease list -w json" 3 "$(rs lease list -w json | jq '.leases | length')"
is "lease list -w fields" "$header ID ID ID" "$(rs lease list -w fields | fields)"
is "lease revoke -w json" '["header"]' "$(rs lease revoke "$lease" -w json | jq -c keys)"
is "its key is gone" 0 "$(rs get leased --count-only)"
from=$(rs put w 1 -w json | jq .header.revision)
put w 2 && rs del w >/dev/null || fail "w"
watched() {
    (exec "$bin/rsctl" watch w --rev "$from" --prev-kv -w "$1" >"$dir/w.$1") & pids[w]=$!
    until_true 10 "watch -w $1" seen "$1" "$2"
    kill "${pids[w]}" && wait "${pids[w]}" || fail "the end of watch"
    unset "pids[w]"
}
seen() { [ "$(grep -cE "$2" "$dir/w.$1")" = 3 ]; }
watched simple '^(PUT|DELETE)$'
is "watch" "PUT w 1 PUT w 1 w 2 DELETE w 2 w" "$(tr '\n' ' ' <"$dir/w.simple" | sed 's/ *$//')"
watched json events
is "watch -w json" '["PUT",false] ["PUT",true] ["DELETE",true]' "$(jq -c '.events[] | [.type, has("prev_kv")]' "$dir/w.json" | tr '\n' ' ' | sed 's/ $//')"
watched fields '^"Type"'
is "watch -w fields" "Type Key" "$(fields <"$dir/w.fields" | cut -d' ' -f1,2)"
watched lines '^20'
is "watch -w lines" "ADDED MODIFIED DELETED" "$(grep '^20' "$dir/w.lines" | awk '{print $3}' | tr '\n' ' ' | sed 's/ $//')"
rs snapshot save "$dir/backup" -w json | jq -e '.size > 0' >/dev/null || fail "snapshot save -w json"
is "snapshot status -w json" '["compactRevision","hash","revision","totalKey","totalSize"]' "$(rs snapshot status "$dir/backup" -w json | jq -c keys)"
is "snapshot status -w fields" "Hash Revision Keys Size CompactRevision" "$(rs snapshot status "$dir/backup" -w fields | fields)"
is "lock -w json" 1 "$( (exec timeout --signal=INT 1 "$bin/rsctl" lock l -w json) | jq '.kvs | length')"
ok "every format that a command has"

for c in "put a b" "del a" txn "lease list" "compact 5" "move-leader 1" version "top --once" "tree a" "diff 4 5" "history a" "check perf"; do
    # shellcheck disable=SC2086 # words
    refused 128 "but ${c%% *} writes" $c -w table
done
refused 128 "but endpoint writes" endpoint status -w lines
refused 128 "but completion writes simple" completion bash -w json
ok "other formats are refused"
