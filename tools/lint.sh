#!/usr/bin/env bash
# What a tool can see without false alarms: include direction, homes of libraries, banned functions, formatting,
# and names that must not stand in the repository.
set -uo pipefail
cd "$(dirname "$0")/.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT
complain() { # message, lines on standard input; runs at the end of pipes, so it reports through a file
    local lines
    lines=$(cat)
    [ -z "$lines" ] && return
    { echo "lint: $1"; sed 's/^/    /' <<<"$lines"; } >>"$found"
}
sources() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ -e "$f" ] && echo "$f"; done; }
code=$(sources '*.c' '*.h')

# Folders meet on sockets: each may include common and itself; the store's client library is open to apiserver and tools.
for folder in common raftstore apiserver controllers scheduler nodeagent netproxy; do
    sources "$folder/*.c" "$folder/*.h" | xargs -r grep -nE '^#include "' |
        grep -vE "#include \"(common|$folder)/" |
        { if [ "$folder" = apiserver ]; then grep -v '"raftstore/client.h"'; else cat; fi; } |
        complain "$folder includes another folder"
done
sources 'jepsen/*.c' 'jepsen/*.h' | xargs -r grep -nE '^#include "' | grep -vE '#include "(common/|jepsen/|raftstore/client\.h")' |
    complain "jepsen includes a component"
sources 'common/*.c' 'common/*.h' | grep -vE '^common/(wire|kube)/' | xargs -r grep -nE '^#include "common/(wire|kube)/' |
    complain "common's base and seams do not include wire/ or kube/"

# Each library has one home.
home() { # header pattern, allowed files
    xargs -r grep -nE "^#include <$1" <<<"$code" | grep -vE "^($2):" | complain "<$1> outside its home"
}
home 'raft\.h' 'raftstore/consensus\.c'
home 'microhttpd\.h' 'common/http_server(_[a-z]+)?\.[ch]'
home 'curl/' 'common/http_client\.c'
home 'yyjson\.h' 'common/json\.c'
home 'openssl/' 'common/(tls|tls_seal|pki|jwt)\.c'
home 'yaml\.h' 'common/yaml\.c'
home 'msgpack' 'common/wire/pack\.c'
home 'zlib\.h' 'common/gzip\.c'
home 'lz4' 'raftstore/snapfile\.c'
home 'xxhash' 'raftstore/mvcc_hash\.c'
home 'nftables/' 'netproxy/backend_nft\.c'
home 'ldns/' 'netproxy/dns_wire\.c'
home 'uv\.h' 'common/(uv_[a-z]+|http_server(_[a-z]+)?|http_client)\.[ch]'

# Unbounded or global-state functions, and conversions that cannot report an error.
xargs -r grep -nE '(^|[^a-zA-Z_>."])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|rand|srand|random|localtime|gmtime|asctime|ctime|tmpnam|system|usleep|sleep)\(' <<<"$code" |
    complain "banned function"
# The macro names its argument twice.
xargs -r grep -nE 'SLICE_ARGS\((slice_cut|[a-z_]+_next)\(' <<<"$code" | complain "SLICE_ARGS of a call that moves on"
# The outside world is reached through the seams.
xargs -r grep -nE '^#include <(sys/socket|netinet/in|sys/wait|sys/mount|sched|pthread)\.h>' <<<"$code" |
    grep -vE '^(common/uv_|common/http_|nodeagent/host_linux|netproxy/conntrack\.c|tools/|tests/|jepsen/)' | complain "system header outside a seam"
xargs -r grep -nwE 'TODO|FIXME|XXX' <<<"$code" | complain "unfinished"
sources | xargs -r grep -nIE '/(work|farm)/|deb[i]an\.org|npm[j]s\.' | grep -v '^LICENSE:' | complain "path of one machine or a registry's host"
if command -v clang-format >/dev/null && [ "${LINT_FORMAT:-0}" = 1 ]; then
    xargs -r clang-format --dry-run --Werror <<<"$code" 2>&1 | head -n 20 | complain "formatting: run make fmt"
fi
if [ -s "$found" ]; then
    cat "$found"
    exit 1
fi
echo "lint: clean"
