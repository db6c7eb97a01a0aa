# shellcheck shell=bash disable=SC2034 # what is set here is used by the scripts
# Shared by the fault scripts: the members of a cluster, how to reach them, and the way back.
#
# The way back: before a script does anything it writes the command that undoes it to $state/FAULT.undo. Stopping a fault runs these
# lines, last first; each may run any number of times. A script killed at any point has therefore left what `heal` needs.
# $state/FAULT.active holds "starting WORDS" and then "active WORDS"; $state/timeline one line per thing done.
#
# A fault script defines usage(), fault_start() and its undo functions, and ends with: main "$@".
# Exit codes: 0 done, 1 failed, 2 wrong use, 3 (status) a fault is active, 4 this machine or cluster cannot have that fault.
set -uo pipefail
nemesis=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$nemesis/../.." && pwd)
fault=$(basename "$0")
declare -A address peer_port client_port http netns device via pid_file data start_command store_id option=()
members=() variant='' rsctl_flags=() api_port=6443 inventory_file=''

say() { # what was done: one line, and one of the timeline
    printf '%s: %s\n' "$fault" "$*"
    printf '%s %s %s\n' "$(date +%s.%N)" "$fault" "$*" >>"$state/timeline"
}
die() { # exit code, message
    local code=$1
    shift
    printf '%s: %s\n' "$fault" "$*" >&2
    exit "$code"
}
cannot() { die 4 "cannot be injected here: $*"; }
pause() { read -rt "${1:-0.05}" <> <(:) || true; } # seconds; only between two looks at a condition

# --- the cluster ---

# name=m1 address=10.0.0.1 peer=2380 client=2379 http=127.0.0.1:2381 netns=- device=eth0 via=ssh+root@10.0.0.1 pid=FILE data=FOLDER
#   start=COMMAND…            (start= is last; the command may have spaces)
# tls=CA,CERT,KEY             (for rsctl)
inventory_load() { # file
    local line word name key value
    while IFS= read -r line; do
        name=''
        for word in $line; do
            key=${word%%=*} value=${word#*=}
            case $key in name | tls | \#*) ;; *) [ -n "$name" ] || die 2 "$1: a line begins with name= or tls=: $line" ;; esac
            case $key in
            \#*) break ;;
            tls) IFS=, read -r ca cert cert_key <<<"$value"; rsctl_flags=(--cacert "$ca" --cert "$cert" --key "$cert_key") ;;
            name)
                [[ $value =~ ^[A-Za-z0-9._-]+$ ]] || die 2 "$1: name=$value: letters, digits, dot, dash"
                name=$value
                members+=("$name")
                peer_port[$name]=2380 client_port[$name]=2379 netns[$name]=- device[$name]=eth0 via[$name]='' http[$name]=''
                pid_file[$name]='' data[$name]='' start_command[$name]='' store_id[$name]=''
                ;;
            address) address[$name]=$value ;;
            peer) peer_port[$name]=$value ;;
            client) client_port[$name]=$value ;;
            http) http[$name]=$value ;;
            netns) netns[$name]=$value ;;
            device) device[$name]=$value ;;
            via) via[$name]=${value//+/ } ;;
            pid) pid_file[$name]=$value ;;
            data) data[$name]=$value ;;
            start) start_command[$name]=${line#*start=}; break ;;
            *) die 2 "$1: unknown word $word" ;;
            esac
        done
        [ -z "$name" ] || [ -n "${address[$name]:-}" ] || die 2 "$1: $name has no address="
    done <"$1"
    [ "${#members[@]}" -gt 0 ] || die 2 "$1 names no member"
}

cluster_load() { # folder with cluster.json, made by keelson up
    local name where id base tag bridge networked
    command -v jq >/dev/null || die 1 "jq is missing: run make deps"
    bin=$(jq -re .programs "$1/cluster.json") || die 1 "$1/cluster.json is damaged"
    networked=$(jq -r .networked "$1/cluster.json")
    bridge=$(jq -r .subnet "$1/cluster.json")
    if [ "$networked" = true ]; then
        tag=$(ip -o -4 addr | grep -F " 172.30.$bridge.254/" | grep -oE 'kn[0-9a-f]{6}' | head -n 1)
        [ -n "$tag" ] || die 1 "the cluster in $1 is down: start it with keelson up"
    fi
    while read -r name where id base; do
        members+=("$name")
        address[$name]=$where store_id[$name]=$id
        peer_port[$name]=2380 client_port[$name]=2379 http[$name]=127.0.0.1:2381 netns[$name]=- device[$name]=eth0 via[$name]=''
        if [ "$networked" = true ]; then
            netns[$name]=$tag-$name
        else
            peer_port[$name]=$((base + 1)) client_port[$name]=$((base + 2)) http[$name]=127.0.0.1:$((base + 3)) device[$name]=lo
        fi
        pid_file[$name]=$1/pids/$name.raftstore data[$name]=$1/data/$name/store
        start_command[$name]="$bin/keelson start $name --dir $1"
    done < <(jq -r '.members[] | select(.storeId != "") | "\(.name) \(.address) \(.storeId) \(.portBase)"' "$1/cluster.json")
    rsctl_flags=(--cacert "$1/pki/store-ca.crt" --cert "$1/pki/store-client.crt" --key "$1/pki/store-client.key")
}

cluster_open() {
    local folder=${CLUSTER_DIR:-$repository/.cluster}
    bin=$repository/build/bin
    if [ -n "$inventory_file" ]; then
        [ -r "$inventory_file" ] || die 2 "inventory $inventory_file cannot be read"
        folder=$(cd "$(dirname "$inventory_file")" && pwd)
        inventory_load "$inventory_file"
    else
        [ -r "$folder/cluster.json" ] || die 2 "no cluster in $folder: set CLUSTER_DIR, or give --inventory FILE"
        folder=$(cd "$folder" && pwd)
        cluster_load "$folder"
    fi
    cluster=$folder state=$folder/nemesis faults=${NEMESIS_FAULTS:-$bin/../faults}
    mkdir -p "$state" || die 1 "cannot make $state"
    exec 9>"$state/.lock"
    flock -w 60 9 || die 1 "another fault script has worked on this cluster for 60 s"
}

# --- reaching a member ---

on() { # member, command…: on its machine
    local name=$1
    shift
    if [ -n "${via[$name]}" ]; then
        # shellcheck disable=SC2086 # the prefix is several words
        ${via[$name]} "$(printf '%q ' "$@")" 9>&-
    else
        "$@" 9>&-
    fi
}
inside() { # member, command…: in its network
    local name=$1
    shift
    if [ "${netns[$name]}" = - ]; then
        on "$name" "$@"
    else
        on "$name" nsenter --net="/run/netns/${netns[$name]}" -- "$@"
    fi
}
endpoints() { # member…
    local name list=''
    for name in "$@"; do list+=,${address[$name]}:${client_port[$name]}; done
    printf '%s' "${list#,}"
}
rs() { "$bin/rsctl" --endpoints "${rs_endpoints:-$(endpoints "${members[@]}")}" "${rsctl_flags[@]}" "$@" 9>&-; }
status_lines() { timeout 10 "$bin/rsctl" --endpoints "$(endpoints "${members[@]}")" "${rsctl_flags[@]}" --command-timeout 1s endpoint status 2>/dev/null 9>&-; }
leader() { # prints the name of the leading member; of two that say so (one may be cut off) the one with the later term
    local line best='' name deadline=$((SECONDS + 20))
    while [ $SECONDS -lt "$deadline" ]; do
        best=$(status_lines | awk -F', ' '$5 == "true" {print $7, $1}' | sort -n | tail -n 1)
        line=${best#* }
        for name in "${members[@]}"; do
            [ "$line" = "${address[$name]}:${client_port[$name]}" ] && { echo "$name"; return; }
        done
        pause 0.1
    done
    return 1
}
pid_of() { # member: its store's process, nothing when it does not run
    local pid ticks now
    read -r pid ticks < <(on "$1" cat "${pid_file[$1]}" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    now=$(on "$1" cat "/proc/$pid/stat" 2>/dev/null) || return 1
    now=${now##*) }
    [[ ${now%% *} == [ZX] ]] && return 1
    # shellcheck disable=SC2086 # fields
    set -- $now
    [ -z "${ticks:-}" ] || [ "${20}" = "$ticks" ] || return 1
    echo "$pid"
}
signal() { # member, signal
    local pid
    pid=$(pid_of "$1") || return 0
    on "$1" kill "-$2" "$pid" 2>/dev/null || true
}
await_end() { # member, seconds
    local deadline=$((SECONDS + $2))
    while pid_of "$1" >/dev/null; do
        [ $SECONDS -lt "$deadline" ] || return 1
        pause
    done
}
member_kill() { # member: kill -9, and wait until it is gone
    signal "$1" KILL
    await_end "$1" 10 || die 1 "$1 does not end after kill -9"
}
# Starts what of it does not run, with the libraries that faults put under it ($state/preload.NAME: one per line).
member_start() { # member
    local libraries='' deadline=$((SECONDS + 20)) out
    [ -e "$state/preload.$1" ] && libraries=$(paste -sd: "$state/preload.$1")
    # shellcheck disable=SC2086 # a command line
    until out=$(on "$1" env ${libraries:+LD_PRELOAD=$libraries} NEMESIS_FOLDER="${data[$1]}" NEMESIS_CONTROL="$state/control.$1" \
        ${start_command[$1]} 2>&1); do
        if [[ $out != *"another keelson"* ]] || [ $SECONDS -ge "$deadline" ]; then
            echo "$fault: start of $1: $out" >&2
            return 1
        fi
        pause 0.1
    done
}
preload_add() { # member, library: from its next start on
    grep -qxF "$2" "$state/preload.$1" 2>/dev/null || echo "$2" >>"$state/preload.$1"
}
undo_preload() { # member, library; a process keeps it: it does nothing without a control file
    [ -e "$state/preload.$1" ] || return 0
    grep -vxF "$2" "$state/preload.$1" >"$state/preload.$1.new"
    mv "$state/preload.$1.new" "$state/preload.$1"
}
preloaded() { # member, library: does its process have it?
    local pid
    pid=$(pid_of "$1") && on "$1" grep -qF "$2" "/proc/$pid/maps"
}
ready() { # member: it serves
    inside "$1" curl -fs --max-time 1 "http://${http[$1]}/readyz" >/dev/null 2>&1
}
await_ready() { # member, seconds
    local deadline=$((SECONDS + $2))
    until ready "$1"; do
        [ $SECONDS -lt "$deadline" ] || return 1
        pause 0.1
    done
}
await_all() { # seconds: all are ready; else $slow is one that is not
    local deadline=$((SECONDS + $1))
    for slow in "${members[@]}"; do await_ready "$slow" $((deadline - SECONDS)) || return 1; done
}

# --- choosing members ---

shuffled() { # words: in an order that --seed decides
    local list=("$@") i j swap
    for ((i = ${#list[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1)))
        swap=${list[i]} list[i]=${list[j]} list[j]=$swap
    done
    echo "${list[@]}"
}
minority_size() { echo $(((${#members[@]} - 1) / 2)); }
# NAME[,NAME…], leader, followers, one, minority, majority, all → $chosen
choose() { # selector
    local names lead count name
    # shellcheck disable=SC2046 # words
    set -- "$1" $(shuffled "${members[@]}")
    names=("${@:2}")
    case $1 in
    all) chosen=("${members[@]}") ;;
    one) chosen=("${names[0]}") ;;
    minority) count=$(minority_size); [ "$count" -gt 0 ] || cannot "a cluster of ${#members[@]} has no minority"; chosen=("${names[@]:0:count}") ;;
    majority) count=$((${#members[@]} / 2 + 1)); chosen=("${names[@]:0:count}") ;;
    leader | followers | follower)
        lead=$(leader) || die 1 "no member leads: nothing done"
        chosen=()
        for name in "${names[@]}"; do
            if [ "$1" = leader ]; then [ "$name" = "$lead" ]; else [ "$name" != "$lead" ]; fi && chosen+=("$name")
        done
        [ "$1" != follower ] || chosen=("${chosen[@]:0:1}")
        ;;
    *)
        IFS=, read -ra chosen <<<"$1"
        for name in "${chosen[@]}"; do [ -n "${address[$name]:-}" ] || die 2 "no member $name: there are ${members[*]}"; done
        ;;
    esac
    [ "${#chosen[@]}" -gt 0 ] || cannot "no member fits $1"
}
number() { # option, default, least, most → its value
    local value=${option[$1]:-$2}
    if ! [[ $value =~ ^[0-9]{1,9}$ ]] || [ "$((10#$value))" -lt "$3" ] || [ "$((10#$value))" -gt "$4" ]; then
        die 2 "--$1 $value: a whole number, $3 to $4"
    fi
    echo "$((10#$value))"
}

# --- the way back ---

undo() { # function, arguments…: remember it before doing what it undoes
    local line
    line=$(printf '%q ' "$@")
    grep -qxF -- "$line" "$state/$fault.undo" 2>/dev/null || printf '%s\n' "$line" >>"$state/$fault.undo"
}
undo_all() { # quietly; what failed stays in the list
    local list line i failed=0
    [ -e "$state/$fault.undo" ] || { rm -f "$state/$fault.active"; return 0; }
    mapfile -t list <"$state/$fault.undo"
    for ((i = ${#list[@]} - 1; i >= 0; i--)); do
        line=${list[i]}
        [[ $line =~ ^undo_[a-z_]+\  ]] || { [ -z "$line" ] || echo "$fault: an unfinished line: $line" >&2; continue; }
        eval "$line" || { echo "$fault: failed: $line" >&2; failed=1; }
    done
    [ "$failed" = 0 ] || return 1
    rm -f "$state/$fault.undo" "$state/$fault.active"
}
finished() { rm -f "$state/$fault.undo"; } # of a fault that is over when it is done: nothing to undo
# A loop in the background: NAME of a function of the fault script, arguments. Ends by itself when its list of undo lines is
# gone, after --seconds at the latest, and by undo_loop, which waits until its last step is over.
loop_begin() { # function, arguments…
    local file=$state/$fault.loop
    undo undo_loop "$file"
    (
        exec 9>&- </dev/null >>"$state/$fault.log" 2>&1
        trap 'exit 0' TERM
        read -r pid _ <"/proc/self/stat"
        echo "$BASHPID $(start_ticks "$BASHPID")" >"$file"
        "$@"
    ) &
    disown
}
start_ticks() { # pid
    local text
    text=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # fields
    set -- ${text##*) }
    echo "${20}"
}
loop_goes_on() { [ -e "$state/$fault.undo" ] && [ $SECONDS -lt "$loop_end" ]; }
undo_loop() { # file of its number
    local pid ticks deadline=$((SECONDS + 20))
    read -r pid ticks 2>/dev/null <"$1" || return 0
    if [ "$(start_ticks "$pid")" = "$ticks" ]; then
        kill -TERM "$pid" 2>/dev/null
        while [ "$(start_ticks "$pid")" = "$ticks" ]; do
            [ $SECONDS -lt "$deadline" ] || return 1
            pause
        done
    fi
    rm -f "$1"
}
undo_table() { # member, name of an nft table
    ! inside "$1" nft list table inet "$2" >/dev/null 2>&1 || inside "$1" nft delete table inet "$2"
}
table_set() { # member, table, rules of the input chain: replaces it whole
    undo undo_table "$1" "$2"
    inside "$1" nft "add table inet $2; delete table inet $2; table inet $2 { chain input { type filter hook input priority -300; $3 }; }" ||
        die 1 "nft refuses the rules on $1"
}
apart() { # each member must have its own address and network, or rules cannot tell them apart
    local name other
    for name in "${members[@]}"; do
        for other in "${members[@]}"; do
            [ "$name" = "$other" ] || [ "${address[$name]}" != "${address[$other]}" ] ||
                cannot "$name and $other share the address ${address[$name]}: packets between them cannot be told apart"
        done
        inside "$name" nft list tables >/dev/null 2>&1 || cannot "nft does not run on $name (is it installed, are you root?)"
    done
}
# Does the fault that is to begin build on the one that is active ($1)? Then that is not undone first. A script may say otherwise.
continues() { false; }
undo_run() { # member: it runs, and goes on if it was stopped
    signal "$1" CONT
    pid_of "$1" >/dev/null || member_start "$1"
}

main() {
    local verb=${1:-} words was
    shift || true
    case $verb in
    -h | --help | help) usage; exit 0 ;;
    start | stop | heal | status) ;;
    *) usage >&2; exit 2 ;;
    esac
    [[ ${1:-} == -* ]] || { variant=${1:-}; shift || true; }
    while [ $# -gt 0 ]; do
        [[ $1 == --help ]] && { usage; exit 0; }
        if [[ $1 != --?* ]] || [ $# -lt 2 ]; then die 2 "$1: options are --NAME VALUE (see --help)"; fi
        option[${1#--}]=$2
        shift 2
    done
    inventory_file=${option[inventory]:-${NEMESIS_INVENTORY:-}}
    [ -z "${option[seed]:-}" ] || RANDOM=$(number seed 0 0 999999999)
    cluster_open
    was=$(cat "$state/$fault.active" 2>/dev/null)
    case $verb in
    status) echo "$fault: ${was:-not active}"; [ -z "$was" ] || exit 3 ;;
    stop | heal)
        if [ -z "$was" ] && [ ! -e "$state/$fault.undo" ]; then
            echo "$fault: nothing to undo"
            return
        fi
        undo_all || die 1 "not everything could be undone: try again"
        [ -n "${NEMESIS_HEALS:-}" ] || await_all 30 || echo "$fault: $slow is not ready after 30 s (another fault?)" >&2
        say "healed: ${was#* }"
        ;;
    start)
        [ -n "$variant" ] || { usage >&2; exit 2; }
        words=$variant
        for was in $(printf '%s\n' "${!option[@]}" | sort); do words+=" --$was ${option[$was]}"; done
        was=$(cat "$state/$fault.active" 2>/dev/null)
        if continues "$was"; then
            words=${was#* }
        else
            [ "$was" != "active $words" ] || { echo "$fault: $words is active already"; return; }
            undo_all || die 1 "the earlier $was could not be undone: run jepsen/nemesis/heal"
        fi
        echo "starting $words" >"$state/$fault.active"
        trap 'code=$?; trap - EXIT; [ $code = 0 ] || undo_all; exit $code' EXIT # half a fault is none
        fault_start
        if [ -e "$state/$fault.undo" ]; then echo "active $words" >"$state/$fault.active"; else rm -f "$state/$fault.active"; fi
        ;;
    esac
}
