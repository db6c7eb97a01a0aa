#!/usr/bin/env bash
# Kubernetes' JavaScript client 1.4 against three masters without nodes: kinds, patches, errors, watches by lines, and an informer
# through compactions: SECONDS_LONG=600 in tests/check-all. Needs root.
. tests/clients/build.sh # before the home becomes another
. "$(dirname "$0")/lib.sh"
command -v node >/dev/null || fail "node is missing: run make deps"
step "up"
out=$(keelson up --masters 3 --nodes 0 2>&1) || fail "keelson up: $out"
until_true 20 "the api" kubectl get namespace default
. "$CLUSTER_DIR/rsctl.env"
export bin COMPACT='"$bin/rsctl" compact "$("$bin/rsctl" get --prefix --count-only -w json /registry/ | jq .header.revision)"'
# A module finds its libraries above itself.
cp tests/clients/node/clients.mjs "$work/clients.mjs"
ln -s "$clients_cache/node/node_modules" "$work/node_modules"
step "the JavaScript client, node $(node --version)"
export SECONDS_LONG=${SECONDS_LONG:-20}
timeout $((SECONDS_LONG + 120)) node "$work/clients.mjs" || fail "the JavaScript client"
echo "clients_node: all of it holds"
