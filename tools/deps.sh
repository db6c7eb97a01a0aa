#!/usr/bin/env bash
# Installs what the build, the tests and `make up` need, from Debian; only the JavaScript client of tests/clients comes from npm.
# Those clients' libraries lie beside the system (deps_clients.sh). Idempotent; with everything present it needs neither network
# nor root. `deps.sh bench` adds the peer that `make bench-store` compares with.
#
# On Debian 12 two libraries and (where there is none) kubectl come from newer suites. They are
# pinned by name, so nothing else is ever taken from there. The mirror is the machine's own:
# the added source repeats its URI and key and changes only the suite.
set -euo pipefail

die() { echo "deps: $*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)

. /etc/os-release
[ "${ID:-}" = debian ] || die "this script knows Debian 12 and 13, not '${PRETTY_NAME:-this system}'"

build="gcc make pkg-config libc6-dev libuv1-dev libssl-dev liblz4-dev libxxhash-dev libmicrohttpd-dev \
libcurl4-openssl-dev libgnutls28-dev libyaml-dev zlib1g-dev libcmocka-dev libnftables-dev libldns-dev libraft-dev libyyjson-dev \
clang clang-format libclang-rt-dev git"
run="crun skopeo umoci containernetworking-plugins iproute2 iptables nftables busybox-static \
util-linux procps curl ca-certificates jq openssl e2fsprogs tar gzip zsh"

case "${VERSION_ID:-}" in
12) build="${build/libclang-rt-dev/libclang-rt-14-dev} libmsgpack-dev" ;;
13) build="$build libmsgpack-c-dev" ;;
*) die "Debian 12 or 13 is needed, this is ${PRETTY_NAME:-unknown}" ;;
esac
peer="etcd-server etcd-client golang-etcd-server-dev golang-go"
want="$build $run"
[ "${1:-}" != bench ] || want="$want $peer"
command -v kubectl >/dev/null || want="$want kubernetes-client"
command -v node >/dev/null || want="$want nodejs"
command -v npm >/dev/null || want="$want npm"

installed() { dpkg-query -W -f='${db:Status-Abbrev}${Version}' "$1" 2>/dev/null | grep '^ii' | cut -c4-; }

missing=""
for package in $want; do
    [ -n "$(installed "$package")" ] || missing="$missing $package"
done
# libraft 0.15, Debian 12's own, can lose acknowledged data: only 0.22.1 counts as present.
case "$(installed libraft-dev)" in 0.22.1*) ;; *) missing="$missing libraft-dev" ;; esac

report() {
    echo "deps: libraft $(installed libraft-dev), libyyjson $(installed libyyjson-dev), kubectl $(command -v kubectl)"
}

# The libraries of tests/clients lie beside the system; apt must know Debian 13's packages to load them.
if [ -z "$missing" ] && "$here/deps_clients.sh" 2>/dev/null; then
    report
    exit 0
fi

sudo=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "root or sudo is needed to install:$missing"
    sudo=sudo
fi
as_root() { if [ -n "$sudo" ]; then sudo "$@"; else "$@"; fi; }

add_suites() {
    local uri key
    uri=$(grep -rhsE '^(URIs:|deb )' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
    [ -n "$uri" ] || die "found no Debian mirror in the apt configuration of this machine"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$key" ] || key=$(grep -rhsE '^Signed-By:' /etc/apt/sources.list.d/*.sources | head -n 1 | cut -d' ' -f2)
    as_root tee /etc/apt/sources.list.d/keelson.sources >/dev/null <<SOURCES
Types: deb
URIs: $uri
Suites: bookworm-backports trixie
Components: main
Signed-By: $key
SOURCES
    as_root tee /etc/apt/preferences.d/keelson >/dev/null <<PINS
Package: *
Pin: release n=trixie
Pin-Priority: 50

Package: libyyjson0 libyyjson-dev kubernetes-client
Pin: release n=trixie
Pin-Priority: 900

Package: libraft-dev libraft0
Pin: release n=bookworm-backports
Pin-Priority: 900
PINS
}

[ "$VERSION_ID" = 13 ] || add_suites
as_root apt-get -q update
# shellcheck disable=SC2086
[ -z "$missing" ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
hash -r
case "$(installed libraft-dev)" in
0.22.1*) ;;
*) die "libraft-dev 0.22.1 is needed, apt gave '$(installed libraft-dev)'" ;;
esac
command -v kubectl >/dev/null || die "kubectl is still missing after installing kubernetes-client"
"$here/deps_clients.sh"
report
