#!/usr/bin/env bash
# rsctl -k: objects by kind and name for get, watch, del and history; pretty JSON and lines on a terminal, plain output in pipes. One member. Ports
# 24061-24071.
cd "$(dirname "$0")/../.." || exit 1
port=24060
. tests/e2e/members.bash
plan 1
start 1
until_true 20 "a member" up

put() { rs put "$@" >/dev/null || fail "put $1"; }
put /registry/pods/default/web-1 '{"spec":{"node":"n1"}}'
put /registry/pods/default/web-2 '{"spec":{"node":"n2"}}'
put /registry/pods/kube-system/dns '{"spec":{"node":"n1"}}'
put /registry/podtemplates/default/t1 '{}'
put /registry/deployments/default/web '{"spec":{"replicas":1}}'
put /registry/deployments/prod/api '{"spec":{"replicas":2}}'
put /registry/minions/n1 '{"kind":"Node"}'
put /registry/services/specs/default/web '{"kind":"Service"}'
put /registry/services/endpoints/default/web '{"kind":"Endpoints"}'
put /registry/leases/kube-node-lease/n1 '{"kind":"Lease"}'

is "one object" $'pods default/web-1\n{"spec":{"node":"n1"}}' "$(rs get -k pods -n default web-1)"
is "the default namespace, a short name" "pods default/web-1 pods default/web-2" "$(rs get -k po --keys-only | grep . | tr '\n' ' ' | sed 's/ $//')"
is "of all namespaces" "deployments default/web deployments prod/api" "$(rs get -k deployments --all-namespaces --keys-only | grep . | tr '\n' ' ' | sed 's/ $//')"
is "-A and count" 3 "$(rs get -k pod -A --count-only)"
is "names that begin so" 2 "$(rs get -k Pods web --prefix --count-only)"
is "another place than its name" '{"kind":"Node"}' "$(rs get -k no n1 --print-value-only)"
is "services" "services default/web" "$(rs get -k svc --keys-only | grep .)"
is "endpoints" "endpoints default/web" "$(rs get -k ep web --keys-only | grep .)"
is "plural and group" 1 "$(rs get -k deployments.apps --count-only)"
is "keys of json are whole" /registry/minions/n1 "$(rs get -k nodes -w json | jq -r '.kvs[0].key | @base64d')"
is "a table" 1 "$(rs get -k nodes -w table | grep -c '|  *nodes n1 |')"
is "a filter goes with it" 1 "$(rs get -k pods -A --limit 1 --order DESCEND --sort-by MODIFY --keys-only | grep -c 'pods kube-system/dns')"
is "raw keys stay raw" /registry/minions/n1 "$(rs get /registry/minions/n1 --keys-only | grep .)"
ok "get -k"

put /registry/deployments/default/web '{"spec":{"replicas":3}}'
is "history" '    spec.replicas: 1 → 3' "$(rs history -k deploy web | tail -n 1)"
(exec "$bin/rsctl" watch -k deploy -n default --rev 2 -w lines >"$dir/lines") & pids[w1]=$!
(exec "$bin/rsctl" watch -k services -A --rev 2 -w lines >"$dir/services") & pids[w2]=$!
until_true 10 "lines of a kind" grep -q "MODIFIED  deployments default/web" "$dir/lines"
until_true 10 "lines of services" grep -q "ADDED     services default/web" "$dir/services"
is "nothing else" "2 1" "$(grep -c '^20' "$dir/lines") $(grep -c '^20' "$dir/services")"
is "del" 1 "$(rs del -k pods -n kube-system dns)"
is "it is gone" 0 "$(rs get -k pods -n kube-system --count-only)"
for w in w1 w2; do kill "${pids[$w]}" && wait "${pids[$w]}" || fail "the end of $w"; unset "pids[$w]"; done
ok "history, watch, del -k"

# Values: as they are in pipes, indented where asked or on a terminal.
is "pretty" $'web\n{\n  "spec": {\n    "replicas": 3\n  }\n}' "$(rs get -k deploy web --pretty | sed '1s/.*/web/')"
is "what is no JSON stays" $'a\nno {json' "$(rs put a 'no {json' >/dev/null; rs get a --pretty)"
is "what is a bare number stays" $'a\n12' "$(rs put a 12 >/dev/null; rs get a --pretty)"
on_terminal() { script -qec "$bin/rsctl $*" /dev/null </dev/null | tr -d '\r'; }
is "on a terminal" $'{\n  "spec": {\n    "replicas": 3\n  }\n}' "$(on_terminal get -k deploy web --print-value-only)"
is "switched off on a terminal" '{"spec":{"replicas":3}}' "$(on_terminal get -k deploy web --print-value-only --pretty=false)"
(exec script -qefc "$bin/rsctl watch --prefix /registry/ --rev 2" /dev/null </dev/null >"$dir/watched" 2>&1) & pids[w]=$!
until_true 10 "watch on a terminal writes lines" grep -q "ADDED     nodes n1" "$dir/watched"
kill "${pids[w]}"
wait "${pids[w]}" 2>/dev/null
unset "pids[w]"
(exec script -qefc "$bin/rsctl watch --prefix /registry/ --rev 2 -w simple" /dev/null </dev/null >"$dir/simple" 2>&1) & pids[w]=$!
until_true 10 "-w simple on a terminal" grep -q "^DELETE" "$dir/simple"
grep -q "ADDED" "$dir/simple" && fail "lines with -w simple"
kill "${pids[w]}"
wait "${pids[w]}" 2>/dev/null
unset "pids[w]"
(exec "$bin/rsctl" watch --prefix /registry/ --rev 2 >"$dir/piped") & pids[w]=$!
until_true 10 "watch in a pipe" grep -q "^DELETE" "$dir/piped"
kill "${pids[w]}" && wait "${pids[w]}" || fail "the end of watch"
unset "pids[w]"
ok "terminals and pipes"

refused 128 'unknown kind "pdos"; near: pods' get -k pdos
refused 128 'unknown kind "deploymnts"; near: deployments' get -k deploymnts
refused 128 'near: nodes, pods, podtemplates' watch -k pod -A -k podt
refused 128 'unknown kind "xyzzy"; known: apiservices,' get -k xyzzy
refused 128 "at most one NAME" get -k pods a b
refused 128 "are in no namespace" get -k nodes -n default
refused 128 "exclude each other" get -k pods -n a -A
refused 128 "a NAME is of one namespace" get -k pods -A web
refused 128 "exclude each other" get -k pods --from-key
refused 128 "want --kind" get -n default a
refused 128 "is no name of an object" get -k pods default/web
refused 128 "which is no name" get -k pods -n a/b
refused 128 "wants a NAME" del -k pods
refused 128 "unknown flag --all-namespaces" del -k pods --all-namespaces
refused 128 "history wants a KEY" history -k pods
ok "bad lines are refused"
