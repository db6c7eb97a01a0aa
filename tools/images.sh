#!/usr/bin/env bash
# Makes the images a cluster works with when there is no registry, as one OCI layout:
#   keelson/demo:1, keelson/demo:2   an HTTP server on 8080 that answers "keelson demo VERSION on PODNAME" (tools/demo), with
#                                    busybox and curl
#   keelson/pause:1                  the sandbox's first process
# and beside them, as DIR/demo, the demo program itself, which is also a client that counts what fails. Quick when nothing
# changed.
#   tools/images.sh DIR
set -euo pipefail
[ $# = 1 ] || { echo "usage: tools/images.sh DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
for program in umoci busybox curl gcc jq; do
    command -v "$program" >/dev/null || { echo "images: $program is missing: run make deps" >&2; exit 1; }
done
busybox=$(command -v busybox)
file -L "$busybox" 2>/dev/null | grep -q 'dynamically' && { echo "images: $busybox is not static: install busybox-static" >&2; exit 1; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
stamp=$(cat "$here/images.sh" "$here/demo/demo.c" "$here/../nodeagent/pause/main.c" "$busybox" "$(command -v curl)" | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/.stamp" 2>/dev/null)" = "$stamp" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
layout=$work/layout
umoci init --layout "$layout"

begin() { # tag: a writable copy of the image in $work/b
    rm -rf "$work/b"
    umoci unpack --image "$layout:$1" "$work/b" 2>/dev/null
    root=$work/b/rootfs
}
finish() { # tag
    umoci repack --image "$layout:$1" "$work/b" 2>/dev/null
}

umoci new --image "$layout:pause"
begin pause
gcc -Os -static -s -o "$root/pause" "$here/../nodeagent/pause/main.c"
finish pause
umoci config --image "$layout:pause" --config.entrypoint /pause --config.workingdir /

umoci new --image "$layout:base"
begin base
mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc,www,root,usr/bin,etc/ssl/certs}
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
cp "$(command -v curl)" "$root/usr/bin/curl"
ldd "$(command -v curl)" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
[ -e /etc/ssl/certs/ca-certificates.crt ] && cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
gcc -O2 -D_GNU_SOURCE -static -s -o "$root/bin/demo" "$here/demo/demo.c"
cp "$root/bin/demo" "$work/demo"
finish base
umoci config --image "$layout:base" --config.env PATH=/bin:/usr/bin --config.workingdir / --config.cmd /bin/demo \
    --config.exposedports 8080/tcp
for version in 1 2; do
    umoci config --image "$layout:base" --tag "demo$version" --config.env "DEMO_VERSION=$version"
done
umoci rm --image "$layout:base" >/dev/null
umoci gc --layout "$layout" >/dev/null 2>&1
# References as people write them: tags of a layout made by this tool cannot carry "name:tag".
jq '.manifests |= map(.annotations["org.opencontainers.image.ref.name"] |=
    {"pause": "keelson/pause:1", "demo1": "keelson/demo:1", "demo2": "keelson/demo:2"}[.])' \
    "$layout/index.json" >"$layout/index.new"
mv "$layout/index.new" "$layout/index.json"
rm -rf "$dir/blobs" "$dir/index.json" "$dir/oci-layout" "$dir/.stamp"
cp -a "$layout/." "$dir/"
cp "$work/demo" "$dir/demo"
echo "$stamp" >"$dir/.stamp"
echo "images: keelson/demo:1, keelson/demo:2 and keelson/pause:1 in $1"
