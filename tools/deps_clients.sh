#!/usr/bin/env bash
# Brings the libraries of the clients in tests/clients into a folder of their own, beside the system and the repository: Go
# and client-go 0.32 unpacked from Debian's packages, the JavaScript client from npm. Prints nothing when all is there.
#
#   $KEELSON_CACHE, else $XDG_CACHE_HOME/keelson, else ~/.cache/keelson
#       go/       unpacked packages: usr/lib/go-1.NN and src, a GOPATH
#       gocache/  what Go compiled
#       node/     package.json, its lock, node_modules
#
# Each part is made beside its place and moved there whole; its stamp is the hash of what it was made from (names of packages
# and this script; the lock). apt checks what it loads by the signed indices, npm by the lock's hashes.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${KEELSON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keelson}
die() { echo "deps: $*" >&2; exit 1; }
. /etc/os-release

# What client-go 0.32 is made of. golang-protobuf 1.3, which apt would bring as well, clashes with 1.5.
libraries="golang-github-davecgh-go-spew-dev golang-github-emicklei-go-restful-dev golang-github-evanphx-json-patch-dev
golang-github-fxamacker-cbor-dev golang-github-go-logr-logr-dev golang-github-go-openapi-jsonpointer-dev
golang-github-go-openapi-jsonreference-dev golang-github-go-openapi-swag-dev golang-github-gogo-protobuf-dev
golang-github-golang-groupcache-dev golang-github-golang-protobuf-1-5-dev golang-github-google-btree-dev
golang-github-google-gnostic-models-dev golang-github-google-go-cmp-dev golang-github-google-gofuzz-dev
golang-github-google-uuid-dev golang-github-gorilla-websocket-dev golang-github-gregjones-httpcache-dev
golang-github-josharian-intern-dev golang-github-json-iterator-go-dev golang-github-mailru-easyjson-dev
golang-github-modern-go-concurrent-dev golang-github-modern-go-reflect2-dev golang-github-munnerz-goautoneg-dev
golang-github-peterbourgon-diskv-dev golang-github-pkg-errors-dev golang-github-spf13-pflag-dev
golang-github-x448-float16-dev golang-golang-x-net-dev golang-golang-x-oauth2-dev golang-golang-x-sys-dev
golang-golang-x-term-dev golang-golang-x-text-dev golang-golang-x-time-dev golang-google-protobuf-dev
golang-gopkg-inf.v0-dev golang-gopkg-yaml.v3-dev golang-k8s-api-dev golang-k8s-apimachinery-dev
golang-k8s-client-go-dev golang-k8s-klog-dev golang-k8s-kube-openapi-dev golang-k8s-sigs-json-dev
golang-k8s-sigs-structured-merge-diff-dev golang-k8s-sigs-yaml-dev golang-k8s-utils-dev"
case "${VERSION_ID:-}" in
12) go=1.23 compiler=bookworm-backports ;;
13) go=1.24 compiler=trixie ;;
*) die "Debian 12 or 13 is needed, this is ${PRETTY_NAME:-unknown}" ;;
esac

stamp_of() { sha256sum | cut -d' ' -f1; }
whole() { # folder, stamp: it was made from just this
    [ "$(cat "$1/stamp" 2>/dev/null)" = "$2" ]
}
replace() { # folder, its successor
    rm -rf "$1.old"
    [ ! -e "$1" ] || mv "$1" "$1.old"
    mv "$2" "$1"
    rm -rf "$1.old"
}

go_part() {
    local stamp fresh begin=$SECONDS deb
    stamp=$({ echo "$VERSION_ID"; cat tools/deps_clients.sh; } | stamp_of)
    if whole "$cache/go" "$stamp"; then return; fi
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/go.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$fresh'" EXIT
    grep -q ' 0\.32\.' <<<"$(apt-cache madison golang-k8s-client-go-dev)" || die "apt does not know golang-k8s-client-go-dev 0.32: apt-get update, or run tools/deps.sh as root"
    # shellcheck disable=SC2086
    (mkdir "$fresh/debs" && chmod 755 "$fresh" && cd "$fresh/debs" && apt-get -q download "golang-$go-go/$compiler" "golang-$go-src/$compiler" $(printf '%s/trixie ' $libraries)) \
        >"$fresh/log" 2>&1 || { cat "$fresh/log" >&2; die "the packages of client-go could not be loaded"; }
    echo "deps: client-go: $(find "$fresh/debs" -name '*.deb' | wc -l) packages, $(du -sm "$fresh/debs" | cut -f1) MB"
    for deb in "$fresh"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$fresh" --exclude='*_test.go' --exclude='./usr/share/doc' --exclude='*/testdata' --exclude='./usr/share/lintian' --exclude="./usr/share/go-$go/test"
    done
    rm -rf "$fresh/debs" "$fresh/log"
    ln -s usr/share/gocode/src "$fresh/src"
    "$fresh/usr/lib/go-$go/bin/go" version >/dev/null || die "Go does not run"
    ln -s "usr/lib/go-$go" "$fresh/goroot"
    echo "$stamp" >"$fresh/stamp"
    replace "$cache/go" "$fresh"
    trap - EXIT
    echo "deps: client-go unpacked in $((SECONDS - begin)) s, $(du -sm "$cache/go" | cut -f1) MB in $cache/go"
}

node_part() {
    local stamp fresh begin=$SECONDS
    stamp=$(cat tests/clients/node/package.json tests/clients/node/package-lock.json | stamp_of)
    if whole "$cache/node" "$stamp"; then return; fi
    command -v npm >/dev/null || die "npm is missing"
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/node.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$fresh'" EXIT
    cp tests/clients/node/package.json tests/clients/node/package-lock.json "$fresh"
    (cd "$fresh" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund >log 2>&1) || { cat "$fresh/log" >&2; die "the JavaScript client could not be loaded"; }
    rm "$fresh/log"
    echo "$stamp" >"$fresh/stamp"
    replace "$cache/node" "$fresh"
    trap - EXIT
    echo "deps: JavaScript client loaded in $((SECONDS - begin)) s, $(du -sm "$cache/node" | cut -f1) MB in $cache/node"
}

case "${1:-all}" in
folder) echo "$cache" ;;
all)
    go_part
    node_part
    ;;
*) die "tools/deps_clients.sh [folder]" ;;
esac
