#!/usr/bin/env bash
# rsctl tree, diff, history and watch -w lines on a member of their own, plain on loopback: what they say before and after a compaction, and to bad
# arguments. Ports 25101-25109.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
pid=
cleanup() {
    if [ -n "$pid" ]; then kill -9 "$pid"; wait "$pid"; fi 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*"; tail -n 5 "$dir/log" 2>/dev/null; exit 1; }
ok() { echo "ok $*"; }
rs() { timeout 20 "$bin/rsctl" --endpoints 127.0.0.1:25102 "$@"; }
refused() { # exit code, words, arguments
    local code=$1 words=$2 got
    shift 2
    rs "$@" >"$dir/out" 2>&1
    got=$?
    [ $got = "$code" ] && grep -qF -e "$words" "$dir/out" || fail "rsctl $*: exit $got (wanted $code), says $(cat "$dir/out")"
}

id=00000000000000a1
"$bin/raftstore" --member-id $id --cluster-id 0123456789abcdef0123456789abcdef --members $id=127.0.0.1:25101 --clients $id=127.0.0.1:25102 \
    --listen-peer 127.0.0.1:25101 --listen-client 127.0.0.1:25102 --data "$dir/m" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 200); do rs --command-timeout 1s get x >/dev/null 2>&1 && break; kill -0 $pid || fail "the member ended"; done
pod=/registry/pods/default/web
revision() { rs get "$pod" -w fields | sed -n 's/^"Revision" : //p'; }
rs put $pod '{"metadata":{"name":"web","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"replicas":1,"ports":[80]}}' >/dev/null || fail put
rs put /registry/pods/other/api 12345 >/dev/null && rs put /registry/nodes/n1 x >/dev/null || fail put
first=$(revision)
rs put $pod '{"metadata":{"name":"web","creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"time":"2026-01-02T00:00:00Z"}]},"spec":{"replicas":3,"ports":[80,443]}}' >/dev/null
rs put /registry/pods/other/api 1234567 >/dev/null && rs del /registry/nodes/n1 >/dev/null && rs put /registry/nodes/n2 y >/dev/null || fail put
last=$(revision)

rs tree --rev "$first" | sed 's/,.*)/)/' >"$dir/out"
printf '%s\n' '/registry  (3 keys)' '  nodes  (1 key)' '    n1  (1 key)' '  pods  (2 keys)' '    default  (1 key)' '      web  (1 key)' '    other  (1 key)' \
    '      api  (1 key)' >"$dir/wanted"
cmp -s "$dir/out" "$dir/wanted" || fail "tree says $(cat "$dir/out")"
[ "$(rs tree /registry --depth 1 -w json | jq -c '[.[] | [.depth, .name, .keys]]')" = '[[0,"/registry",3],[1,"nodes",1],[1,"pods",2]]' ] || fail "tree --depth 1"
[ "$(rs tree /registry -w json | jq '.[0].bytes')" = "$(rs get --prefix /registry -w json |
    jq '[.kvs[] | (.key, .value | @base64d | length)] | add')" ] || fail "bytes of the tree"
[ "$(rs tree /nothing | wc -l)" = 1 ] || fail "an empty tree"
refused 128 'must be 0 (all) to' tree --depth 99
refused 128 'at most a PREFIX' tree a b

rs diff "$first" "$last" >"$dir/out" || fail diff
printf '%s\n' '- /registry/nodes/n1' '+ /registry/nodes/n2' "~ $pod" \
    '    spec.replicas: 1 → 3' '    spec.ports[1]: (none) → 443' '~ /registry/pods/other/api' '    value: 12345 → 1234567' >"$dir/wanted"
cmp -s "$dir/out" "$dir/wanted" || fail "diff says $(cat "$dir/out")"
[ "$(rs diff "$first" "$last" /registry/nodes -w json | jq -c '[.[] | [.type, .key]]')" = '[["removed","/registry/nodes/n1"],["added","/registry/nodes/n2"]]' ] || fail "diff as json"
[ "$(rs diff "$first" "$last" $pod -w json | jq -c '[.[].changes[] | .path]')" = '["metadata.managedFields","spec.replicas","spec.ports[1]"]' ] || fail "fields of diff as json"
[ "$(rs diff "$first" "$first" -w json)" = '[]' ] || fail "no difference"
refused 128 'two revisions' diff 3
refused 128 'two revisions' diff 3 -- -4
refused 1 'future' diff "$first" 99999

rs history /registry/nodes/n1 | cut -d' ' -f3-6 >"$dir/out" || fail history
printf '%s\n' 'ADDED  version 1' 'DELETED  version 0' >"$dir/wanted"
cmp -s "$dir/out" "$dir/wanted" || fail "history of a key that is gone says $(cat "$dir/out")"
rs history $pod -w json >"$dir/out" || fail "history as json"
[ "$(jq -c '[.[] | [.type, .version, .time]]' "$dir/out")" = '[["ADDED",1,"2026-01-01T00:00:00Z"],["MODIFIED",2,"2026-01-02T00:00:00Z"]]' ] || fail "history says $(cat "$dir/out")"
[ "$(jq -c '.[1].changes[1]' "$dir/out")" = '{"path":"spec.replicas","old":1,"new":3}' ] || fail "history says $(cat "$dir/out")"
[ "$(rs history /nothing -w json)" = '[]' ] || fail "history of nothing"
(exec "$bin/rsctl" --endpoints 127.0.0.1:25102 watch /registry/ --prefix --rev 2 -w lines >"$dir/lines") & watcher=$!
for _ in $(seq 100); do [ "$(grep -c '^20' "$dir/lines")" = 7 ] && break; read -rt 0.05 <> <(:) || true; done
kill $watcher && wait $watcher || fail "watch does not end cleanly"
sed -E 's/^20[-0-9T:.]+Z  [0-9]+  //' "$dir/lines" >"$dir/out"
printf '%s\n' 'ADDED     pods default/web' 'ADDED     pods other/api' 'ADDED     nodes n1' 'MODIFIED  pods default/web' '    spec.replicas: 1 → 3' \
    '    spec.ports[1]: (none) → 443' 'MODIFIED  pods other/api' '    value: 12345 → 1234567' 'DELETED   nodes n1' 'ADDED     nodes n2' >"$dir/wanted"
cmp -s "$dir/out" "$dir/wanted" || fail "watch -w lines says $(cat "$dir/lines")"
refused 128 'but get writes simple json fields table' get a -w lines
rs compact "$last" >/dev/null || fail compact
[ "$(rs history $pod -w json | jq -c '[.[] | [.type, .version, (.changes | length)]]')" = '[["MODIFIED",2,0]]' ] || fail "history after compaction: $(rs history $pod)"
refused 1 'has been compacted' diff "$first" "$last"
refused 128 'history wants a KEY' history
ok "tree, diff, history, watch -w lines"
