# What stories of the store share: members of their own on loopback, certificates, assertions, and an end that leaves nothing behind. Sourced
# from the root of the repository with `port` set: member N listens at port+N for members, port+10+N for clients, port+15+N for HTTP.
set -uo pipefail
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
unset RSCTL_ENDPOINTS RSCTL_CACERT RSCTL_CERT RSCTL_KEY
declare -A pids
cleanup() {
    [ "${#pids[@]}" = 0 ] || { kill -9 "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*"; tail -n 5 "$dir"/*.log 2>/dev/null; exit 1; }
ok() { echo "ok $*"; }
rs() { timeout 30 "$bin/rsctl" "$@"; }
pause() { read -rt "$1" <> <(:) || true; }
# until_true SECONDS WHAT COMMAND…: its condition is awaited, at most so long.
until_true() {
    local limit=$1 what=$2 end
    shift 2
    end=$((SECONDS + limit))
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "$what: not within $limit s"
        pause 0.05
    done
}
# refused CODE WORDS ARGUMENTS…: that exit code, and one line on standard error that holds the words.
refused() {
    local code=$1 words=$2 got
    shift 2
    rs "$@" >"$dir/out" 2>"$dir/err" </dev/null
    got=$?
    [ $got = "$code" ] || fail "rsctl $*: exit $got instead of $code: $(cat "$dir/err")"
    grep -qF -e "$words" "$dir/err" || fail "rsctl $*: says $(cat "$dir/err")"
    [ "$(wc -l <"$dir/err")" = 1 ] || fail "rsctl $*: more than one line: $(cat "$dir/err")"
}
is() { # what, wanted, got
    [ "$2" = "$3" ] || fail "$1: wanted $2, got $3"
}

authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$dir/$1.key" -out "$dir/$1.crt" 2>/dev/null || fail "authority $1"
}
certificate() { # name, authority, days
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
    openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -CAcreateserial -days "$3" -out "$dir/$1.crt" \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null || fail "certificate $1"
}

members= clients= tls=() cluster=0123456789abcdef0123456789abcdef
plan() { # how many members
    local i
    for i in $(seq "$1"); do
        members+=${members:+,}00000000000000a$i=127.0.0.1:$((port + i))
        clients+=${clients:+,}00000000000000a$i=127.0.0.1:$((port + 10 + i))
        RSCTL_ENDPOINTS=${RSCTL_ENDPOINTS:+$RSCTL_ENDPOINTS,}127.0.0.1:$((port + 10 + i))
    done
    export RSCTL_ENDPOINTS
}
start() { # number, further flags
    local i=$1
    shift
    "$bin/raftstore" --member-id 00000000000000a"$i" --cluster-id $cluster --members $members --clients $clients \
        --listen-peer 127.0.0.1:$((port + i)) --listen-client 127.0.0.1:$((port + 10 + i)) --listen-http 127.0.0.1:$((port + 15 + i)) \
        --data "$dir/m$i" "${tls[@]}" "$@" >>"$dir/m$i.log" 2>&1 &
    pids[m$i]=$!
}
stop() { # number, signal
    kill "-${2:-9}" "${pids[m$1]}" 2>/dev/null
    wait "${pids[m$1]}" 2>/dev/null
    unset "pids[m$1]"
}
is_ready() { curl -fs "http://127.0.0.1:$((port + 15 + $1))/readyz" >/dev/null; }
ready() { until_true 20 "member $1 is ready" is_ready "$1"; } # number
is_ready() { curl -fs "http://127.0.0.1:$((port + 15 + $1))/readyz" >/dev/null; }
ready() { until_true 20 "member $1 is ready" is_ready "$1"; } # number
up() { rs endpoint health >/dev/null 2>&1; }
