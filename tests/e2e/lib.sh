# Shared by the end-to-end stories: one cluster in a temporary folder, kubectl with a home of its own, assertions that
# say what they saw. Sourced from the root of the repository; cleans up on any exit.
set -uo pipefail
bin=${KEELSON_BIN:-$PWD/build/release/bin} # or another configuration's
work=$(mktemp -d "${TMPDIR:-/tmp}/keelson-e2e-XXXXXX")
export HOME=$work/home CLUSTER_DIR=$work/cluster KUBECONFIG=$work/cluster/admin.kubeconfig
mkdir -p "$HOME"

found=$(command -v kubectl) || { echo "FAILED: kubectl is missing: run make deps"; exit 1; }
kubectl_program=$(dirname "$(readlink -f "$found")")/kubectl.1.32
[ -x "$kubectl_program" ] || kubectl_program=$found
kubectl() { "$kubectl_program" "$@"; }
keelson() { local verb=$1; shift; "$bin/keelson" "$verb" "$@" --dir "$CLUSTER_DIR"; }
rsctl() { "$bin/rsctl" "$@"; }

helpers=() # processes of the story's own, ended with it
cleanup() {
    local status=$?
    [ "${#helpers[@]}" = 0 ] || kill "${helpers[@]}" 2>/dev/null
    if [ "$status" != 0 ] && [ -d "$CLUSTER_DIR/logs" ]; then
        echo "--- last log lines"
        for log in "$CLUSTER_DIR"/logs/*; do
            echo "== $(basename "$log")"
            tail -n 5 "$log"
        done
    fi
    [ -e "$CLUSTER_DIR/cluster.json" ] && keelson down >/dev/null
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step() { echo "• $*"; }
fail() { echo "FAILED: $*"; exit 1; }
expect() { # what, wanted extended regular expression, text
    grep -qE -- "$2" <<<"$3" || fail "$1: wanted /$2/, got: $3"
}
refuse() { # what, unwanted extended regular expression, text
    if grep -qE -- "$2" <<<"$3"; then fail "$1: did not want /$2/, got: $3"; fi
}
# until SECONDS WHAT COMMAND…: the command's condition is awaited, at most so long; prints how long it took.
until_true() {
    local limit=$1 what=$2 begin=$EPOCHREALTIME now
    shift 2
    until "$@" >/dev/null 2>&1; do
        now=$EPOCHREALTIME
        if [ "$(awk "BEGIN{print ($now - $begin > $limit)}")" = 1 ]; then
            "$@"
            fail "$what: not within $limit s"
        fi
        read -rt 0.1 <> <(:) || true
    done
    awk "BEGIN{printf \"  %s after %.1f s\n\", \"$what\", $EPOCHREALTIME - $begin}"
}
running() { # label, count: exactly so many pods, all Running and ready
    local lines
    lines=$(kubectl get pods -l "$1" --no-headers 2>/dev/null) || return 1
    [ "$(grep -c . <<<"$lines")" = "$2" ] && [ "$(grep -cE ' 1/1 +Running ' <<<"$lines")" = "$2" ]
}
# kn123456, the prefix of this cluster's devices and namespaces: other clusters may run beside it.
tag() {
    local network
    network=$(grep -oE '172\.30\.[0-9]+' "$KUBECONFIG" | head -n 1)
    ip -o -4 addr | grep -F " $network.254/" | grep -oE 'kn[0-9a-f]{6}' | head -n 1
}
