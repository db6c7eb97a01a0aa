#!/usr/bin/env bash
# Certificates, keys and the authority itself are exchanged under a running store, without a restart and without a failed write:
# both authorities are trusted, then everybody gets certificates of the new one, then the old one goes. Ports 25241-25259.
cd "$(dirname "$0")/../.." || exit 1
port=25240
. tests/e2e/members.bash
issue() { # authority, name
    certificate fresh "$1" 2
    mv "$dir/fresh.key" "$dir/$2.key" # between the two the key does not fit: the old pair stays in use
    pause 0.05
    mv "$dir/fresh.crt" "$dir/$2.crt"
}
trust() { # authorities
    local a
    for a in "$@"; do cat "$dir/$a.crt"; done >"$dir/trusted.new"
    mv "$dir/trusted.new" "$dir/trusted"
}
took() { [ "$(grep -c "credentials were exchanged.*$2" "$dir/m$1.log")" -gt "$3" ]; }
taken() { # file, how many times before: every member uses it
    local i
    for i in 1 2 3; do until_true 10 "member $i takes $1 over" took $i "$1" "$2"; done
}
tls=(--ca "$dir/trusted" --cert "$dir/member.crt" --key "$dir/member.key" --segment-bytes 4m)
export RSCTL_CACERT=$dir/trusted RSCTL_CERT=$dir/client.crt RSCTL_KEY=$dir/client.key
plan 3
written() { [ "$(grep -c OK "$dir/writer")" -gt 50 ]; }
told() { grep -q "cannot be used: the old ones stay.*member.crt" "$dir/m2.log"; }

authority old
authority new
trust old
issue old member
issue old client
for i in 1 2 3; do start $i; done
for i in 1 2 3; do ready $i; done
(
    n=0
    while [ ! -e "$dir/enough" ]; do
        n=$((n + 1))
        echo "put moving/$n $n"
        read -rt 0.002 <> <(:)
    done | rs shell >"$dir/writer" 2>&1
) & writer=$!
until_true 10 "writes" written
cp "$dir/client.crt" "$dir/stolen.crt"
cp "$dir/client.key" "$dir/stolen.key"

trust old new
taken member.crt 0
issue new member
taken member.crt 1
issue new client
rs put by new >/dev/null || fail "a client of the new authority"
trust new
taken member.crt 2
rs put after rotation >/dev/null || fail "a client of the new authority, after the old one is gone"
rs --cert "$dir/stolen.crt" --key "$dir/stolen.key" --command-timeout 2s get after >"$dir/out" 2>&1 && fail "the old authority's certificates still open doors"
grep -qi "certificate\|tls\|unknown ca" "$dir/out" || fail "an old certificate hears: $(cat "$dir/out")"
stop 1
start 1
ready 1 # it connects to the others with the new certificates
echo junk >"$dir/member.crt"
until_true 10 "a damaged file is told of" told
rs put in spite >/dev/null || fail "a damaged file stops the service"
touch "$dir/enough"
wait $writer
grep -v "no key that fits" "$dir/writer" | grep -v OK >"$dir/failed" && fail "a write failed meanwhile: $(head -n 3 "$dir/failed")" # the writer tells of a pair half exchanged, too
ok "certificates and authority exchanged under $(grep -c OK "$dir/writer") writes, none failed; the old certificates are refused"
