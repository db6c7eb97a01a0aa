#!/usr/bin/env bash
# Every wrong manifest, flag, credential and path of tests/cases/bad_input, against one master without nodes: request and
# answer side by side. CASE=text runs only the cases whose name holds it, QUIET=1 prints failures only. Needs no root.
. "$(dirname "$0")/lib.sh"
runner=${KEELSON_RUN_CASES:-$PWD/build/release/run_cases}
begin=$EPOCHREALTIME
step "up"
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
until_true 20 "the default account" kubectl get serviceaccount default
pki=$work/pki
mkdir "$pki"
cp "$CLUSTER_DIR"/pki/{ca.crt,ca.key,admin.crt,admin.key,service-account.key} "$pki"

certificate() { # name, authority, subject, days (negative: over since then)
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$pki/$1.csr" -CA "$pki/$2.crt" -CAkey "$pki/$2.key" -CAcreateserial -days "$4" -out "$pki/$1.crt" \
            -extfile <(printf 'extendedKeyUsage=clientAuth\n') 2>/dev/null || fail "certificate $1"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other-ca \
    -keyout "$pki/other-ca.key" -out "$pki/other-ca.crt" 2>/dev/null || fail "another authority"
certificate jane ca /CN=jane 2
certificate foreign other-ca /O=system:masters/CN=kubernetes-admin 2
certificate expired ca /O=system:masters/CN=kubernetes-admin -1

base64_url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# An ECDSA signature as JSON Web Signatures have it (RFC 7518, section 3.4): both numbers with 32 bytes, not DER.
signature() { # key; what is signed on standard input
    openssl dgst -sha256 -sign "$1" | openssl asn1parse -inform DER | awk -F: '/INTEGER/ { printf "%64s", $NF }' | tr ' ' 0 |
        sed 's/../\\x&/g' | { read -r hex; printf '%b' "$hex"; } | base64_url
}
resigned() { # token, key, sed expression on its claims
    local head=${1%%.*} claims rest=${1#*.}
    claims=${rest%%.*}
    while [ $((${#claims} % 4)) != 0 ]; do claims+="="; done
    claims=$(tr -- '-_' '+/' <<<"$claims" | openssl base64 -d -A | sed -E "$3" | tr -d '\n' | base64_url)
    echo "$head.$claims.$(printf '%s' "$head.$claims" | signature "$2")"
}
openssl ecparam -name prime256v1 -genkey -noout -out "$pki/other.key" || fail "another signing key"
plain=$(kubectl create token default) || fail "create token"
audience=$(kubectl create token default --audience https://elsewhere.example.com) || fail "create token for an audience"
kubectl create serviceaccount short-lived >/dev/null || fail "create account"
deleted=$(kubectl create token short-lived) || fail "create token of an account"
kubectl delete serviceaccount short-lived >/dev/null || fail "delete account"
forged=$(resigned "$plain" "$pki/other.key" "s/x/x/")
expired=$(resigned "$plain" "$pki/service-account.key" 's/"(exp|nbf|iat)": *[0-9]+/"\1":1000000000/g')
good=$(resigned "$plain" "$pki/service-account.key" "s/x/x/")
[ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" -H "Authorization: Bearer $good" "$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')/version")" = 200 ] ||
    fail "a token that is signed again as it was is refused: the expired one would prove nothing"

server=$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')
cat >"$work/nobody.kubeconfig" <<EOF
{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"$server","certificate-authority":"$pki/ca.crt"}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{}}]}
EOF
rsctl compact "$(rsctl get --prefix --count-only -w json /registry/ | jq .header.revision)" >/dev/null || fail "compact"

step "cases"
KUBECTL=$kubectl_program "$runner" --server "$server" --pki "$pki" --plain_token "$plain" --audience_token "$audience" \
    --deleted_token "$deleted" --forged_token "$forged" --expired_token "$expired" --nobody_kubeconfig "$work/nobody.kubeconfig" \
    tests/cases/bad_input/*.cases
status=$?
awk "BEGIN{printf \"  after %.1f s\n\", $EPOCHREALTIME - $begin}"
[ $status = 0 ] || fail "some cases"
