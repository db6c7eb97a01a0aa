#!/usr/bin/env bash
# rsctl's command line without a cluster: help and examples of each command, flags of others refused by name, exit codes. Port 25090, where nobody listens.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
fail() { echo "FAILED: $*"; exit 1; }
ok() { echo "ok $*"; }
rs() { env -u RSCTL_ENDPOINTS -u RSCTL_CACERT -u RSCTL_CERT -u RSCTL_KEY timeout 20 "$bin/rsctl" "$@"; }
refused() { # what, code, pattern, then the command
    local what=$1 code=$2 pattern=$3 out got
    shift 3
    out=$(rs "$@" 2>&1 >/dev/null </dev/null)
    got=$?
    [ $got = "$code" ] || fail "$what: exit code $got instead of $code: $out"
    [[ $out == *"$pattern"* ]] || fail "$what: $out"
}

commands=$(rs help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p')
[ "$(wc -l <<<"$commands")" -ge 14 ] || fail "help lists $commands"
for c in $commands; do
    [ "$(rs help "$c")" = "$(rs "$c" --help)" ] || fail "help $c and $c --help differ"
    grep -q "^Usage: rsctl $c" <<<"$(rs help "$c")" || fail "usage of $c"
    rs help "$c" | sed -n '/^Examples:/,/^$/p' | grep -q "rsctl $c" || fail "no example of $c"
done
ok "help of $(wc -l <<<"$commands") commands"

refused "a flag of another command" 128 'put: unknown flag --limit; "rsctl help put" lists' put a b --limit 3
refused "a flag of another command, before it" 128 "unknown flag --keys-only" --keys-only del a
refused "an unknown flag" 128 "unknown flag --wrong" get a --wrong
refused "a flag without a value" 128 "needs" get a --limit
refused "a value that is no number" 128 "must be a whole number" get a --limit many
refused "an unknown command" 128 'unknown command "nope"' nope
refused "help of an unknown command" 128 'unknown command "nope"' help nope
refused "no command" 128 ""
refused "an unknown format" 128 "but get writes simple json fields table" get a -w yaml
refused "no key" 128 "a KEY" get
refused "an endpoint without a port" 128 "is not HOST:PORT" --endpoints 127.0.0.1 get a
refused "nobody there" 2 "no connection" --endpoints 127.0.0.1:25090 --command-timeout 1s get a
refused "an unknown shell" 128 "bash or zsh" completion fish
ok "bad command lines are refused with the reason and the exit code"
