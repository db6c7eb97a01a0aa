#!/usr/bin/env bash
# Command lines of the real kubectl, from the tables tests/cases/kubectl/*.cases: what each prints and what the store holds
# afterwards. One master, no nodes, no root. By default the whole with kubectl 1.32 and 00_versions.cases with every
# other version; FULL=1 runs the whole with every version. CASE=text runs the cases whose name holds it (and what is `given` before
# them in their file), VERSIONS="1.29" only those versions.
#
# A table is a list of cases. Lines of a case, in any order but `run`'s:
#   case NAME            file NAME (its lines follow, indented by two)     since 1.30 | before 1.30
#   given COMMAND        must succeed; not counted                         until KEY JQ => TEXT   awaited before `run`
#   run COMMAND          exit N (0 when left out)
#   prints LINE          all of them together are all that it prints       says REGEX, never REGEX   on the output
#   stored KEY JQ => TEXT   what jq -r makes of the stored object          gone KEY                  no such key
#   unchanged KEY        the object is as before `run`: by its revision, or by what users wrote where controllers write too; KEY/: every key below it
# A case without an assertion on the output and one on the store is refused. $ns is the version's own namespace.
. "$(dirname "$0")/lib.sh"
folder=$(dirname "$(readlink -f "$found")")
tables=("$PWD"/tests/cases/kubectl/*.cases)
first=$PWD/tests/cases/kubectl/00_versions.cases

versions=()
missing=()
for v in ${VERSIONS:-1.32 1.27 1.28 1.29 1.30 1.31 1.33}; do
    if [ -x "$folder/kubectl.$v" ]; then versions+=("$v"); else missing+=("$v"); fi
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "${#versions[@]}" = 0 ] && [ "$(readlink -f "$found")" = /usr/bin/kubectl ]; then
        echo "only /usr/bin/kubectl is here: the tables run with it alone"
        versions=("$(kubectl version --client -o json | jq -r '.clientVersion | .major + "." + (.minor | sub("[^0-9].*"; ""))')")
    else
        fail "kubectl ${missing[*]} missing in $folder"
    fi
fi

step "up"
begin=$EPOCHREALTIME
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
. "$CLUSTER_DIR/rsctl.env"
until_true 20 "the default account" kubectl get serviceaccount default

# --- what tables may call ---
export PATH=$bin:$PATH CLUSTER_DIR
stored() { rsctl get --print-value-only "/registry/$1"; }
# followed LINES TRIGGER LINES COMMAND…: runs it until it has printed the last number of lines, the trigger after the first.
followed() {
    local before=$1 trigger=$2 after=$3 out pid tries=100
    shift 3
    out=$(mktemp "${TMPDIR:-/tmp}/followed-XXXXXX")
    "$@" >"$out" 2>&1 &
    pid=$!
    until [ "$(wc -l <"$out")" -ge "$before" ] || [ $((tries -= 1)) = 0 ]; do read -rt 0.05 <> <(:) || true; done
    eval "$trigger" >/dev/null 2>&1
    tries=100
    until [ "$(wc -l <"$out")" -ge "$after" ] || [ $((tries -= 1)) = 0 ]; do read -rt 0.05 <> <(:) || true; done
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    cat "$out"
    rm -f "$out"
}
export -f stored followed rsctl
export bin

# --- one case ---
passed=0 failed=0 total_passed=0
# What a user wrote: what controllers and the scheduler add on their own time is left out.
written='del(.status, .metadata.annotations["deployment.kubernetes.io/revision"])
    | .metadata.managedFields |= map(select((.manager | startswith("keelson-") | not) and .subresource != "status"))'
state_of() { # key, or a prefix that ends with /: its revision; of what controllers write too, what the user wrote
    case $1 in
    */) rsctl get --prefix -w json "/registry/$1" | jq -c '[.kvs[]? | [.key, .mod_revision]]' ;;
    deployments/* | replicasets/* | statefulsets/* | daemonsets/* | jobs/* | pods/* | horizontalpodautoscalers/*)
        stored "$1" | jq -cS "$written" ;;
    *) rsctl get -w json "/registry/$1" | jq -c '.kvs[0].mod_revision' ;;
    esac
}
value_of() { # key, jq program: one line
    local bytes
    bytes=$(stored "$1")
    [ -n "$bytes" ] || { echo "(nothing stored)"; return; }
    jq -r "$2" <<<"$bytes" 2>&1 | tr '\n' ' ' | sed 's/ $//'
}
reset_case() {
    name="" command="" wanted_exit=0
    prints=() says=() never=() stored_lines=() gone=() unchanged=() until_lines=() problems=()
    applies=1
}
older() { [ "${1#1.}" -lt "${2#1.}" ]; }
check_case() {
    local i line key rest program wanted seen before=() output status tries
    [ "${#stored_lines[@]}${#gone[@]}${#unchanged[@]}" != 000 ] || problems+=("no assertion on the store")
    [ "${#prints[@]}${#says[@]}" != 00 ] || problems+=("no assertion on the output")
    for line in "${until_lines[@]}"; do
        key=${line%% *} rest=${line#* }
        tries=200
        until [ "$(value_of "$key" "${rest% => *}")" = "${rest##* => }" ] || [ $((tries -= 1)) = 0 ]; do read -rt 0.1 <> <(:) || true; done
        [ "$tries" != 0 ] || problems+=("never came to be: $line; is $(value_of "$key" "${rest% => *}")")
    done
    for key in "${unchanged[@]}"; do before+=("$(state_of "$key")"); done
    output=$(cd "$dir" && PATH=$dir/bin:$PATH timeout 60 bash -c "$command" 2>&1 </dev/null)
    status=$?
    [ "$status" = "$wanted_exit" ] || problems+=("exit $status, wanted $wanted_exit")
    if [ "${#prints[@]}" -gt 0 ]; then
        wanted=$(printf '%s\n' "${prints[@]}")
        [ "$output" = "$wanted" ] || problems+=("wanted all of it to be:"$'\n'"$wanted")
    fi
    for line in "${says[@]}"; do grep -qE -- "$line" <<<"$output" || problems+=("does not say /$line/"); done
    for line in "${never[@]}"; do if grep -qE -- "$line" <<<"$output"; then problems+=("says /$line/"); fi; done
    for line in "${stored_lines[@]}"; do
        key=${line%% *} rest=${line#* }
        program=${rest% => *} wanted=${rest##* => }
        seen=$(value_of "$key" "$program")
        [ "$seen" = "$wanted" ] || problems+=("$key: $program is '$seen', wanted '$wanted'")
    done
    for key in "${gone[@]}"; do [ -z "$(stored "$key")" ] || problems+=("$key is still stored"); done
    for i in "${!unchanged[@]}"; do
        [ "${before[i]}" = "$(state_of "${unchanged[i]}")" ] || problems+=("${unchanged[i]} has changed")
    done
    if [ "${#problems[@]}" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $(basename "$table" .cases)/$name with kubectl $version"
        echo "  \$ $command"
        sed 's/^/  | /' <<<"$output" | head -n 40
        printf '  ! %s\n' "${problems[@]}"
    fi
}
end_case() {
    if [ -n "$command" ] && [ "$applies" = 1 ] && [[ $name == *${CASE:-}* ]]; then check_case; fi
    reset_case
}
run_table() { # file
    local word rest line file=""
    table=$1
    reset_case
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line//\$ns/$ns}
        line=${line//\$v/$version}
        if [ -n "$file" ] && [[ $line == "  "* ]]; then
            echo "${line#  }" >>"$dir/$file"
            continue
        fi
        file=""
        word=${line%% *} rest=${line#* }
        case $word in
        "" | \#*) ;;
        case) end_case; name=$rest ;;
        file) file=$rest; : >"$dir/$file" ;;
        since) older "$version" "$rest" && applies=0 ;;
        before) older "$version" "$rest" || applies=0 ;;
        given)
            if [ "$applies" = 1 ]; then
                out=$(cd "$dir" && PATH=$dir/bin:$PATH timeout 60 bash -c "$rest" 2>&1 </dev/null) || problems+=("given $rest: $out")
            fi ;;
        until) until_lines+=("$rest") ;;
        run) command=$rest ;;
        exit) wanted_exit=$rest ;;
        prints) [ "$line" = prints ] && rest=""; prints+=("$rest") ;;
        says) says+=("$rest") ;;
        never) never+=("$rest") ;;
        stored) stored_lines+=("$rest") ;;
        gone) gone+=("$rest") ;;
        unchanged) unchanged+=("$rest") ;;
        *) fail "$table: what is '$line'?" ;;
        esac
    done <"$1"
    end_case
}

# --- one version ---
admin=$KUBECONFIG
for version in "${versions[@]}"; do
    started=$EPOCHREALTIME
    ns=k${version//./} dir=$work/$version passed=0 failed=0
    mkdir -p "$dir/bin" "$dir/home"
    program=$folder/kubectl.$version
    [ -x "$program" ] || program=$kubectl_program
    ln -s "$program" "$dir/bin/kubectl"
    cp "$admin" "$dir/kubeconfig"
    export HOME=$dir/home KUBECONFIG=$dir/kubeconfig
    "$program" config set-context --current --namespace="$ns" >/dev/null || fail "context"
    out=$("$program" create namespace "$ns" 2>&1) || fail "namespace: $out"
    until_true 10 "the account of $ns" "$program" get serviceaccount default
    for table in "${tables[@]}"; do
        if [ "$version" = "${versions[0]}" ] || [ -n "${FULL:-}" ] || [ "$table" = "$first" ]; then run_table "$table"; fi
    done
    awk "BEGIN{printf \"kubectl %s: %d command lines hold, %d do not, after %.1f s\n\", \"$version\", $passed, $failed, $EPOCHREALTIME - $started}"
    total_failed=$((${total_failed:-0} + failed)) total_passed=$((total_passed + passed))
done
export KUBECONFIG=$admin
[ "$total_failed" = 0 ] || fail "$total_failed command lines"
[ "$total_passed" -gt 0 ] || fail "no case ran"
awk "BEGIN{printf \"kubectl: all %d command lines hold, after %.1f s\n\", $total_passed, $EPOCHREALTIME - $begin}"
