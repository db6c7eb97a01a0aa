#!/usr/bin/env bash
# What Services hold, on three masters without nodes: addresses and node ports are keys of the store beside their Services. Keys
# that a hand took away come back, keys of nobody go, what two Services claim is told by events; nothing is given twice, however
# many ask at once; what changes of a Service changes of its keys. And the Service `kubernetes` with who is alive behind it.
# Needs root (addresses of masters).
. "$(dirname "$0")/lib.sh"
step "up"
out=$(keelson up --masters 3 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
pki=$CLUSTER_DIR/pki
until_true 20 "the api" kubectl get service kubernetes
pid_of() { awk 'NR==1{print $1}' "$CLUSTER_DIR/pids/$1"; }
argument() { tr '\0' '\n' <"/proc/$(pid_of "$1")/cmdline" | grep -A 1 -x -- "--$2" | tail -n 1; }
mapfile -t servers < <(for i in 1 2 3; do argument "master-$i.apiserver" listen; done)
expect "three apiservers" '^172\.30\.[0-9]+\.[0-9]+:[0-9]+ 172\..* 172\.' "${servers[*]}"
api() { # server's number, path, further arguments of curl
    local server=${servers[$1]} path=$2
    shift 2
    curl -gsS -m 20 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -H 'Content-Type: application/json' "$@" "https://$server$path"
}
services=/api/v1/namespaces/default/services
post() { api "${2:-0}" "$services" --data-binary "$1"; } # object, server
service() { printf '{"metadata":{"name":"%s"},"spec":{%s"ports":[%s]}}' "$1" "$2" "${3:-{\"port\":80\}}"; } # name, spec, ports
spec() { kubectl get service "$1" -o json | jq -c ".spec | $2"; }
holder() { rsctl get --print-value-only "/registry/ranges/$1" | jq -r .owner; } # "" when nobody does
holds() { [ "$(holder "$2")" = "default/$1" ]; }
free() { [ -z "$(holder "$1")" ]; }
address() { spec "$1" .clusterIP | tr -d '"'; }
event() { kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o 'jsonpath={.items[*].message}'; }
told() { grep -qF "$3" <<<"$(event "$1" "$2")"; } # service, reason, message

step "an apiserver that repairs twice a second"
mapfile -d '' words <"/proc/$(pid_of master-1.apiserver)/cmdline"
repairer=()
for ((i = 1; i < ${#words[@]}; i++)); do
    case ${words[$i]} in
    --listen) repairer+=(--listen "127.0.0.1:$((20000 + RANDOM % 10000))"); i=$((i + 1)) ;;
    --advertise) i=$((i + 1)) ;;
    *) repairer+=("${words[$i]}") ;;
    esac
done
"$bin/apiserver" "${repairer[@]}" --service-repair-interval 500ms 2>"$CLUSTER_DIR/logs/repairer.log" &
helpers+=($!)

step "keys that a hand took away come back, and are told of"
kubectl create service nodeport kept --tcp=80 --node-port=30011 >/dev/null || fail "create service"
ip=$(address kept)
holds kept "serviceips/$ip" || fail "the key of $ip: $(holder "serviceips/$ip")"
holds kept servicenodeports/30011 || fail "the key of 30011"
rsctl del "/registry/ranges/serviceips/$ip" >/dev/null && rsctl del /registry/ranges/servicenodeports/30011 >/dev/null
until_true 10 "the address's key is back" holds kept "serviceips/$ip"
until_true 10 "the port's key is back" holds kept servicenodeports/30011
until_true 5 "told" told kept ClusterIPNotAllocated "Cluster IP [IPv4]:$ip is not allocated; repairing"
until_true 5 "told" told kept PortNotAllocated "Port 30011 is not allocated; repairing"
out=$(post "$(service second "\"clusterIP\":\"$ip\",")")
expect "the address is taken" "spec.clusterIPs: Invalid value: \[\]string\{.*$ip.*\}: failed to allocate IP $ip: provided IP is already allocated" "$out"
out=$(post "$(service second '"type":"NodePort",' '{"port":80,"nodePort":30011}')")
expect "the port is taken" 'spec.ports\[0\].nodePort: Invalid value: 30011: provided port is already allocated' "$out"

step "keys of nobody go in the third round"
rsctl put /registry/ranges/serviceips/10.96.7.7 '{"owner":"default/never-was"}' >/dev/null
rsctl put /registry/ranges/servicenodeports/30077 '{"owner":"default/kept"}' >/dev/null # is, and does not claim it
out=$(post "$(service second '"clusterIP":"10.96.7.7",')")
expect "not yet" 'provided IP is already allocated' "$out"
until_true 10 "the address is free" free serviceips/10.96.7.7
until_true 10 "the port is free" free servicenodeports/30077
expect "in the third round" '^1 2 ' "$(grep -oE 'key=serviceips/10.96.7.7 rounds=[0-9]+' "$CLUSTER_DIR/logs/repairer.log" | sed 's/.*=//' | tr '\n' ' ')"
out=$(post "$(service second '"clusterIP":"10.96.7.7",')")
expect "it is given" '"clusterIP":"10.96.7.7"' "$out"

step "one value, two Services, by a hand in the store"
twin=$(rsctl get --print-value-only /registry/services/specs/default/kept | jq -c '.metadata.name = "twin" | .metadata.uid = "11111111-2222-3333-4444-555555555555"')
rsctl put /registry/services/specs/default/twin "$twin" >/dev/null
until_true 10 "told of the address" told twin ClusterIPAlreadyAllocated "Cluster IP [IPv4]:$ip was assigned to multiple services; please recreate service"
until_true 10 "told of the port" told twin PortAlreadyAllocated "Port 30011 was assigned to multiple services; please recreate service"
[ -z "$(event kept ClusterIPAlreadyAllocated)" ] || fail "who holds the key is told, too"
counted() { [ "$(kubectl get events --field-selector involvedObject.name=twin -o json | jq '[.items[].count] | min')" -ge 2 ]; }
until_true 10 "told again by counting" counted
expect "two events" '^2$' "$(kubectl get events --field-selector involvedObject.name=twin -o name | wc -l)"
expect "as its component" '^ipallocator-repair-controller ClusterIPAllocation Warning$' "$(kubectl get events --field-selector involvedObject.name=twin,reason=ClusterIPAlreadyAllocated -o 'jsonpath={.items[0].reportingComponent} {.items[0].action} {.items[0].type}')"
kubectl delete service twin >/dev/null || fail "delete twin"
holds kept "serviceips/$ip" || fail "the twin took the key along"
holds kept servicenodeports/30011 || fail "the twin took the port's key along"

step "values out of their ranges, by a hand in the store"
far=$(jq -c '.metadata.name = "far" | .spec.clusterIP = "10.97.0.9" | .spec.clusterIPs = ["10.97.0.9"] | .spec.ports[0].nodePort = 20000' <<<"$twin")
rsctl put /registry/services/specs/default/far "$far" >/dev/null
until_true 10 "told" told far ClusterIPOutOfRange "Cluster IP [IPv4]:10.97.0.9 is not within the configured service CIDR 10.96.0.0/16; please recreate service"
until_true 10 "told" told far PortOutOfRange "Port 20000 is not within the port range 30000-32767; please recreate service"
free serviceips/10.97.0.9 || fail "a key out of the range"
kubectl label service far a=b >/dev/null || fail "who is out of its range can still be changed"
kubectl delete service far >/dev/null || fail "delete far"
bad=$(jq -c '.metadata.name = "bad" | .spec.clusterIP = "nowhere" | .spec.clusterIPs = ["nowhere"] | del(.spec.ports[0].nodePort)' <<<"$twin")
rsctl put /registry/services/specs/default/bad "$bad" >/dev/null
until_true 10 "told" told bad ClusterIPNotValid "Cluster IP nowhere is not a valid IP; please recreate service"
kubectl delete service bad >/dev/null || fail "delete bad"

step "what is asked for and cannot be"
refused() { # what, spec, ports, wanted
    expect "$1" "$4" "$(post "$(service refused "$2" "$3")")"
    expect "$1, in a dry run" "$4" "$(api 0 "$services?dryRun=All" --data-binary "$(service refused "$2" "$3")")"
}
refused "address out of range" '"clusterIP":"10.97.0.1",' '{"port":80}' 'failed to allocate IP 10.97.0.1: the provided IP \(10.97.0.1\) is not in the valid range. The range of valid IPs is 10.96.0.0/16'
refused "the network's address" '"clusterIP":"10.96.0.0",' '{"port":80}' 'is not in the valid range'
refused "port out of range" '"type":"NodePort",' '{"port":80,"nodePort":80}' 'spec.ports\[0\].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767'
refused "port of ClusterIP" '' '{"port":80,"nodePort":30200}' "spec.ports\[0\].nodePort: Forbidden: may not be used when .type. is 'ClusterIP'"
refused "two ports, one node port" '"type":"NodePort",' '{"name":"a","port":80,"nodePort":30201},{"name":"b","port":81,"nodePort":30201}' 'spec.ports\[1\].nodePort: Duplicate value: 30201'
refused "no IPv6" '"ipFamilies":["IPv6"],' '{"port":80}' 'spec.ipFamilies\[0\]: Invalid value: ..IPv6..: not configured on this cluster'
refused "an address of IPv6" '"clusterIP":"fd00::1",' '{"port":80}' 'spec.clusterIPs\[0\]: Invalid value: .*: IPv6 is not configured on this cluster'
refused "both families" '"ipFamilyPolicy":"RequireDualStack",' '{"port":80}' 'spec.ipFamilyPolicy: Invalid value: ..RequireDualStack..: this cluster is not configured for dual-stack services'
refused "unknown family" '"ipFamilies":["IPX"],' '{"port":80}' 'spec.ipFamilies\[0\]: Unsupported value: ..IPX..: supported values: ..IPv4.., ..IPv6..'
refused "headless NodePort" '"type":"NodePort","clusterIP":"None",' '{"port":80}' "spec.clusterIPs\[0\]: Invalid value: ..None..: may not be set to 'None' for NodePort services"
refused "health port without need" '"healthCheckNodePort":30300,' '{"port":80}' "spec.healthCheckNodePort: Invalid value: 30300: may only be set when .type. is 'LoadBalancer' and .externalTrafficPolicy. is 'Local'"
refused "policy without outside" '"externalTrafficPolicy":"Local",' '{"port":80}' 'spec.externalTrafficPolicy: Invalid value: ..Local..: may only be set for externally-accessible services'
refused "class without load balancer" '"loadBalancerClass":"a/b",' '{"port":80}' "spec.loadBalancerClass: Forbidden: may only be used when .type. is 'LoadBalancer'"
refused "external name with address" '"type":"ExternalName","externalName":"a.b","clusterIP":"10.96.9.9",' '' "spec.clusterIPs\[0\]: Forbidden: may not be set when .type. is 'ExternalName'"
refused "health port that is taken" '"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":30011,' '{"port":80}' 'Internal error occurred: failed to allocate requested HealthCheck NodePort 30011: provided port is already allocated'
free serviceips/10.96.9.9 || fail "a refused Service left a key"

step "TCP and UDP of one number share a node port, and its key"
post "$(service dns '"type":"NodePort",' '{"name":"u","port":53,"protocol":"UDP"},{"name":"t","port":53,"protocol":"TCP"}')" >/dev/null
expect "one port" '^1$' "$(spec dns '[.ports[].nodePort] | unique | length')"
holds dns "servicenodeports/$(spec dns '.ports[0].nodePort')" || fail "the key of dns's port"
kubectl delete service dns >/dev/null

step "a Service through all types and back"
post "$(service turns '"type":"ClusterIP",' '{"name":"a","port":80}')" >/dev/null
patch() { kubectl patch service turns --type=merge -p "{\"spec\":$1}" 2>&1; }
ip=$(address turns)
patch '{"type":"NodePort"}' >/dev/null
port=$(spec turns '.ports[0].nodePort')
holds turns "servicenodeports/$port" || fail "NodePort's key"
expect "same address" "^$ip\$" "$(address turns)"
expect "a dry run asks, too" 'provided port is already allocated' "$(kubectl patch service turns --dry-run=server --type=json -p '[{"op":"replace","path":"/spec/ports/0/nodePort","value":30011}]' 2>&1)"
holds turns "servicenodeports/$port" || fail "a dry run wrote"
patch '{"type":"LoadBalancer","externalTrafficPolicy":"Local","loadBalancerClass":"a.b/c"}' >/dev/null
expect "same port" "^$port\$" "$(spec turns '.ports[0].nodePort')"
health=$(spec turns .healthCheckNodePort)
holds turns "servicenodeports/$health" || fail "the health port's key: $health"
expect "the health port stays" 'spec.healthCheckNodePort: Invalid value: 30222: field is immutable' "$(patch '{"healthCheckNodePort":30222}')"
expect "the class stays" 'spec.loadBalancerClass: Invalid value: "x/y": may not change once set' "$(patch '{"loadBalancerClass":"x/y"}')"
expect "the address stays" 'spec.clusterIPs\[0\]: Invalid value: .*: may not change once set' "$(patch '{"clusterIP":"10.96.44.44"}')"
kubectl get service turns -o json | jq 'del(.spec.ports[0].nodePort, .spec.healthCheckNodePort, .spec.clusterIP, .spec.clusterIPs, .metadata.resourceVersion) | .spec.ports[0].port = 8080' | kubectl replace -f - >/dev/null || fail "replace"
expect "what the client does not say stays" "^\[\"$ip\",$port,$health,8080\]\$" "$(spec turns '[.clusterIP, .ports[0].nodePort, .healthCheckNodePort, .ports[0].port]')"
patch '{"externalTrafficPolicy":"Cluster"}' >/dev/null
expect "the health port went" '^null$' "$(spec turns .healthCheckNodePort)"
free "servicenodeports/$health" || fail "the health port's key stays"
patch '{"type":"ClusterIP"}' >/dev/null
expect "what only the load balancer had went" '^\[null,null,null,null\]$' "$(spec turns '[.ports[0].nodePort, .allocateLoadBalancerNodePorts, .loadBalancerClass, .externalTrafficPolicy]')"
free "servicenodeports/$port" || fail "the port's key stays"
patch '{"type":"ExternalName","externalName":"example.com"}' >/dev/null
expect "what only an address has went" '^\[null,null,null,null,null\]$' "$(spec turns '[.clusterIP, .clusterIPs, .ipFamilies, .ipFamilyPolicy, .internalTrafficPolicy]')"
free "serviceips/$ip" || fail "the address's key stays"
patch "{\"type\":\"ClusterIP\",\"clusterIP\":\"$ip\"}" >/dev/null
holds turns "serviceips/$ip" || fail "the address asked for again: $(spec turns .)"
patch '{"type":"LoadBalancer","allocateLoadBalancerNodePorts":false}' >/dev/null
expect "no node ports wanted" '^null$' "$(spec turns '.ports[0].nodePort')"
kubectl delete service turns >/dev/null
free "serviceips/$ip" || fail "the address's key outlives the Service"

step "headless"
post "$(service pods '"clusterIP":"None","selector":{"a":"b"},')" >/dev/null
expect "with a selector" '^\[\["None"\],\["IPv4"\],"SingleStack"\]$' "$(spec pods '[.clusterIPs, .ipFamilies, .ipFamilyPolicy]')"
post "$(service bare '"clusterIP":"None",')" >/dev/null
expect "without" '^\[\["None"\],\["IPv4","IPv6"\],"RequireDualStack"\]$' "$(spec bare '[.clusterIPs, .ipFamilies, .ipFamilyPolicy]')"
kubectl label service bare a=b >/dev/null || fail "a change of it"
post "$(service prefers '"ipFamilyPolicy":"PreferDualStack",')" >/dev/null
expect "PreferDualStack on one family" '^\[\["IPv4"\],"PreferDualStack"\]$' "$(spec prefers '[.ipFamilies, .ipFamilyPolicy]')"
free serviceips/None || fail "None is no address"

step "three apiservers, 90 Services at once: nothing is given twice"
load() { # server's number
    local i
    for i in $(seq 30); do
        post "$(service "crowd-$1-$i" '"type":"NodePort",')" "$1" >/dev/null
    done
}
loads=()
for i in 0 1 2; do load "$i" & loads+=($!); done
wait "${loads[@]}"
crowd=$(kubectl get services -o json | jq '[.items[] | select(.metadata.name | startswith("crowd-"))]')
expect "all are made, each with its own" '^\[90,90,90\]$' "$(jq -c '[length, ([.[].spec.clusterIP] | unique | length), ([.[].spec.ports[0].nodePort] | unique | length)]' <<<"$crowd")"
race() { # the same address and port, through three apiservers
    local askers=()
    for i in 0 1 2; do post "$(service "race-$1-$i" "\"type\":\"NodePort\",\"clusterIP\":\"10.96.50.$1\"," "{\"port\":80,\"nodePort\":$((30020 + $1))}")" "$i" >"$work/race-$1-$i" & askers+=($!); done
    wait "${askers[@]}"
    cat "$work/race-$1-"*
}
for i in $(seq 10); do
    out=$(race "$i")
    expect "one of three gets 10.96.50.$i" '^1$' "$(kubectl get services -o json | jq "[.items[] | select(.spec.clusterIP == \"10.96.50.$i\")] | length")"
    expect "the others hear why" '^2$' "$(grep -oE 'provided (IP|port) is already allocated","reason":"Invalid"' <<<"$out" | wc -l)"
done

step "ranges that are full"
prefix() { for i in $(seq "$2" "$3"); do printf 'put /registry/ranges/%s%s {"owner":"default/kept"}\n' "$1" "$i"; done; }
kill "${helpers[0]}" && wait "${helpers[0]}" 2>/dev/null # what is put now would be freed
helpers=()
prefix servicenodeports/ 30000 32767 | rsctl shell >/dev/null || fail "rsctl shell"
out=$(post "$(service full '"type":"NodePort",')")
expect "no port" 'Internal error occurred: failed to allocate a nodePort: range is full' "$out"
expect "and a code" '"code":500' "$out"
expect "no port for health" 'Internal error occurred: failed to allocate a HealthCheck NodePort 0: range is full' "$(post "$(service full '"type":"LoadBalancer","externalTrafficPolicy":"Local","allocateLoadBalancerNodePorts":false,')")"
rsctl del --prefix /registry/ranges/servicenodeports/327 >/dev/null
expect "room again" '"nodePort":327' "$(post "$(service full '"type":"NodePort",')")"

step "the Service kubernetes"
expect "the range's first address" '^10\.96\.0\.1$' "$(address kubernetes)"
holder serviceips/10.96.0.1 >/dev/null
alive() { # addresses behind it, sorted, by both kinds: equal
    local endpoints slice
    endpoints=$(kubectl get endpoints kubernetes -o json | jq -c '[.subsets[].addresses[].ip] | sort')
    slice=$(kubectl get endpointslice kubernetes -o json | jq -c '[.endpoints[].addresses[]] | sort')
    [ "$endpoints" = "$slice" ] || return 1
    echo "$endpoints"
}
wanted() { printf '%s\n' "$@" | sed 's/:.*//' | jq -Rsc 'split("\n") | map(select(. != "")) | sort'; }
are() { [ "$(alive)" = "$1" ]; }
all=$(wanted "${servers[@]}")
until_true 10 "three masters behind it" are "$all"
expect "leases" '^3$' "$(rsctl get --prefix --count-only -w json /registry/masterleases/ | jq .count)"
kill -9 "$(pid_of master-3.apiserver)"
until_true 15 "a killed one is gone" are "$(wanted "${servers[0]}" "${servers[1]}")"
keelson start master-3 >/dev/null || fail "start master-3"
until_true 15 "and back" are "$all"
for object in endpoints/kubernetes endpointslice/kubernetes service/kubernetes; do
    uid=$(kubectl get "$object" -o 'jsonpath={.metadata.uid}')
    kubectl delete "$object" >/dev/null || fail "delete $object"
    renewed() { uid_now=$(kubectl get "$object" -o 'jsonpath={.metadata.uid}') && [ "$uid_now" != "$uid" ]; }
    until_true 15 "$object is back" renewed
    until_true 15 "with all behind it" are "$all"
done
expect "its address again" '^10\.96\.0\.1$' "$(address kubernetes)"
expect "its port" '^443$' "$(spec kubernetes '.ports[0].port')"
holds kubernetes serviceips/10.96.0.1 || fail "its key: $(holder serviceips/10.96.0.1)"
echo "claims: all of it holds"
