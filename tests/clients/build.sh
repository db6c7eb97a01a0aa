# Sourced by the stories of clients, from the root of the repository: where their libraries are, and the Go program, which is
# built once per content of its sources and libraries.
clients_cache=$(tools/deps_clients.sh folder)
[ -e "$clients_cache/go/stamp" ] && [ -e "$clients_cache/node/stamp" ] || { echo "FAILED: the clients' libraries are missing in $clients_cache: run make deps"; exit 1; }

clients_go() { # prints the program's path
    local hash program
    hash=$(cat "$clients_cache/go/stamp" tests/clients/go/*.go | sha256sum | cut -c1-16)
    program=$clients_cache/programs/clients-$hash
    if [ ! -x "$program" ]; then
        mkdir -p "$clients_cache/programs"
        (cd tests/clients/go && GOROOT=$clients_cache/go/goroot GOPATH=$clients_cache/go GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local \
            CGO_ENABLED=0 GOCACHE=$clients_cache/gocache nice "$clients_cache/go/goroot/bin/go" build -o "$program.$$" .) >&2 || return 1
        find "$clients_cache/programs" -name 'clients-*' ! -name "clients-$hash*" -mmin +60 -delete
        mv "$program.$$" "$program"
    fi
    echo "$program"
}
