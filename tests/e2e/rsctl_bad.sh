#!/usr/bin/env bash
# rsctl against three members with mutual TLS and roles: each command with certificates that are wrong, expired, of another authority or without the
# right; endpoints that do not answer; arguments and revisions that are wrong. Each says why in one line, with the documented code. Ports
# 24101-24113.
cd "$(dirname "$0")/../.." || exit 1
port=24100
. tests/e2e/members.bash
authority ca
authority other
for name in member root reader nobody; do certificate $name ca 2; done
certificate late ca -1
certificate stranger other 2
tls=(--ca "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" --roles "cn:root=all,cn:member=member,cn:reader=read:pub/")
plan 3
for i in 1 2 3; do start $i; done
export RSCTL_CACERT=$dir/ca.crt
use() { export RSCTL_CERT=$dir/$1.crt RSCTL_KEY=$dir/$1.key; }
use root
until_true 20 "three members" up
rs put pub/a 1 >/dev/null && rs put b 2 >/dev/null && rs put b 3 >/dev/null || fail put

# Commands that ask the store, each with arguments that are right.
asks=("get pub/a" "put pub/a 1" "del pub/a" "txn" "watch pub/a" "compact 2" "member list"
    "member add m4 --peer-urls 127.0.0.1:24104" "member promote 77" "member remove 77" "member update 77 --peer-urls 127.0.0.1:24104" "move-leader 77"
    "lease grant 60" "lease revoke 77" "lease timetolive 77" "lease keep-alive 77 --once" "lease list" "lock x" "elect x y" "elect x -l"
    "check perf --duration 1s" "top --once --interval 100ms" "snapshot save $dir/backup" "tree" "diff 2 3" "history pub/a")
each_refused() { # code, words: of every command; those that are no command's alone
    local ask
    for ask in "${asks[@]}"; do
        # shellcheck disable=SC2086 # words
        refused "$1" "$2" $ask --command-timeout 400ms
    done
}
# Health has a line per member and one of all, and a code of its own.
unhealthy() { # pattern
    rs endpoint health --command-timeout 1s >/dev/null 2>"$dir/err" </dev/null
    is "endpoint health" 5 $?
    [ "$(grep -cE "is unhealthy: .*$1" "$dir/err")" = 3 ] || fail "health says $(cat "$dir/err")"
}
(
    use stranger
    asks=("get pub/a" "put pub/a 1" "watch pub/a" "lock x" "top --once --interval 100ms" "member list" "snapshot save $dir/backup")
    each_refused 2 "unknown ca"
    use late
    each_refused 2 "certificate expired"
    refused 2 "certificate expired" endpoint status --endpoints 127.0.0.1:24111 --command-timeout 400ms
    use root
    export RSCTL_CACERT=$dir/other.crt
    each_refused 2 "the peer's certificate was refused: self-signed certificate in certificate chain"
    unhealthy "self-signed certificate"
) || exit 1
refused 1 "cannot read /nowhere/ca: No such file" get a --cacert /nowhere/ca
refused 2 "no key that fits the certificate" get a --key "$dir/reader.key"
refused 128 "are wanted together" get a --cert ""
(
    unset RSCTL_CERT RSCTL_KEY RSCTL_CACERT
    refused 2 "no connection to the store" get a --command-timeout 1s
) || exit 1
ok "wrong, expired and foreign certificates"

# --- roles ---
(
    use reader
    is "what a role allows" $'pub/a\n1' "$(rs get pub/a)"
    is "below its prefix" 1 "$(rs get pub/ --prefix --count-only)"
    is "who is there" 3 "$(rs member list | wc -l)"
    rs endpoint health >/dev/null 2>&1 || fail "health is not about keys"
    is "top is not about keys" 3 "$(rs top --once --interval 100ms -w json | jq '[.members[] | select(.readSeconds > 0)] | length')"
    for ask in "get b" "get pub --prefix" "put pub/a 2" "del pub/a" "watch b" "compact 2" "member add m4 --peer-urls 127.0.0.1:24104" \
        "move-leader 00000000000000a1" "lease grant 60" "lock x true" "elect x y" "elect x -l" "check perf --duration 1s" "snapshot save $dir/backup" \
        "tree" "diff 2 3" "history b" "get -k pods"; do
        # shellcheck disable=SC2086 # words
        refused 1 "etcdserver: permission denied" $ask
    done
    [ ! -e "$dir/backup" ] && [ ! -e "$dir/backup.part" ] || fail "a refused snapshot left a file"
    printf '\nput b 1\n\n\n' | rs txn >/dev/null 2>"$dir/err"
    is "a transaction" "1 1" "$? $(grep -c 'permission denied' "$dir/err")"
    use nobody
    for ask in "get pub/a" "put pub/a 2" "watch pub/a"; do
        # shellcheck disable=SC2086 # words
        refused 1 "etcdserver: permission denied" $ask
    done
) || exit 1
ok "what a role does not allow"

# --- arguments and revisions ---
now=$(rs put b 4 -w json | jq .header.revision)
refused 1 "future revision" get b --rev 99999
refused 128 "must be a whole number" get b --rev new
refused 128 "is not a revision" compact new
refused 128 "is not a revision" compact 99999999999999999999
refused 1 "future revision" compact 99999
rs compact "$now" >/dev/null || fail compact
refused 1 "has been compacted" get b --rev 2
refused 1 "has been compacted" watch b --rev 2
refused 1 "has been compacted" tree b --rev 2
refused 1 "has been compacted" diff 2 3
refused 1 "has been compacted" compact 2
refused 128 "a KEY" get
refused 128 "a KEY" get a b c
refused 128 "END cannot go with" get a b --prefix
refused 128 "exclude each other" get a --prefix --from-key
refused 128 "exclude each other" get a --keys-only --count-only
refused 128 "the KEY is empty" get ""
refused 128 "must be ASCEND or DESCEND" get a --order UP
refused 128 "must be KEY, VERSION" get a --sort-by SIZE
refused 128 "must be l or s" get a --consistency x
refused 128 "must be l or s" member list --consistency x
refused 128 "a KEY and a VALUE" put
refused 3 "key is not provided" put "" x
refused 128 "must be a lease's id" put a b --lease xyz
refused 1 "requested lease not found" put a b --lease 77
refused 128 "a KEY" del
refused 128 "is not a time to live" lease grant soon
refused 3 "too large lease TTL" lease grant 99999999999
refused 128 "lease wants grant" lease
refused 128 "lease wants grant" lease renew 7
refused 128 "is not a lease id" lease revoke xyz
refused 128 "is not a lease id" lease timetolive -- -7
refused 1 "requested lease not found" lease revoke 77
refused 128 "endpoint wants one of" endpoint
refused 128 "endpoint wants one of" endpoint status all
refused 128 "member wants one of" member
refused 128 "member wants one of" member add
refused 128 "wants --peer-urls" member add m4
refused 128 "expecting ID in Hex" member remove xyz
refused 1 "member not found" member remove 77
refused 128 "in hexadecimal" move-leader xyz
refused 3 "bad leader transferee" move-leader 77
refused 128 "snapshot wants save" snapshot
refused 128 "snapshot wants save" snapshot save
refused 1 "No such file" snapshot status "$dir/none"
refused 1 "" snapshot verify "$dir/ca.crt"
refused 1 "" snapshot save "$dir/none/backup"
refused 128 "wants --data-dir" snapshot restore "$dir/none"
refused 128 "wants --data-dir" recover
refused 128 "at most a PREFIX" tree a b
refused 128 "two revisions" diff 1 x
refused 128 "history wants a KEY" history
refused 128 "version takes no" version now
refused 128 "shell takes no" shell now
refused 128 "must be a time such as" get a --command-timeout never
printf 'nonsense\n' >"$dir/txn"
rs txn <"$dir/txn" >/dev/null 2>"$dir/err"
is "a bad transaction" "3 1" "$? $(wc -l <"$dir/err")"
ok "bad arguments and revisions"

# --- endpoints ---
refused 128 "is not HOST:PORT" get a --endpoints 127.0.0.1:99999
refused 128 "is not HOST:PORT" get a --endpoints 127.0.0.1:24111,,
refused 128 "is not HOST:PORT" get a --endpoints ""
refused 128 "more than 9 endpoints" get a --endpoints "$(printf '127.0.0.1:1,%.0s' $(seq 9))127.0.0.1:2"
refused 2 "endpoint no.such.name.invalid:1:" get a --endpoints no.such.name.invalid:1
is "a name" 4 "$(rs get b --print-value-only --endpoints localhost:24111)"
is "with its scheme" 4 "$(rs get b --print-value-only --endpoints https://127.0.0.1:24111)"
(
    export RSCTL_ENDPOINTS=127.0.0.1:24199
    asks+=("endpoint status" "endpoint hashkv")
    each_refused 2 "no connection to the store"
) || exit 1
stop 2
is "one of three endpoints is dead: get" 4 "$(rs get b --print-value-only)"
for i in 1 2 3; do rs put b 4 --command-timeout 10s >/dev/null || fail "one of three endpoints is dead: put"; done
refused 2 "127.0.0.1:24112: no connection" endpoint status --command-timeout 1s
is "the others have answered" 2 "$(wc -l <"$dir/out")"
refused 2 "127.0.0.1:24112: no connection" endpoint hashkv --command-timeout 1s -w json
is "the others have answered, as json" 2 "$(jq length "$dir/out")"
rs endpoint health --command-timeout 1s >"$dir/out" 2>"$dir/err"
is "health" "5 2 1" "$? $(grep -c "is healthy" "$dir/out") $(grep -c "24112 is unhealthy" "$dir/err")"
stop 3
(
    asks=("get b" "put b 5" "del b" "member list" "lease grant 60" "lock x" "check perf --duration 1s")
    each_refused 2 ""
) || exit 1
is "without a majority the rest can be read" 4 "$(rs get b --consistency s --print-value-only --endpoints 127.0.0.1:24111)"
ok "endpoints that do not answer"
