#!/usr/bin/env bash
# rsctl's completion in bash and in zsh: what both offer for the same words, and in zsh also what a person sees who presses the tabulator. No cluster.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${KEELSON_BIN:-$PWD/build/release/bin}
dir=$(mktemp -d)
export LC_ALL=C
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
ok() { echo "ok $*"; }
command -v zsh >/dev/null || fail "zsh is missing: run make deps"
for shell in bash zsh; do "$bin/rsctl" completion $shell >"$dir/$shell" || fail "completion $shell"; done
bash -n "$dir/bash" && zsh -n "$dir/zsh" || fail "the scripts do not parse"

# What is offered for lines of words, the last one to be completed: "words -> offers", sorted. NONE stands for an empty word.
cat >"$dir/ask" <<'END'
while read -r line; do
    read_words "$line"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    [[ ${COMP_WORDS[COMP_CWORD]} != NONE ]] || COMP_WORDS[COMP_CWORD]=''
    _rsctl
    begins=${COMP_WORDS[COMP_CWORD]} # zsh leaves it to its own matching what does not begin with the word
    [[ $begins != = ]] || begins=''
    offered=$(for one in "${COMPREPLY[@]}"; do [[ $one != "$begins"* ]] || printf '%s\n' "$one"; done | sort | tr '\n' ' ')
    printf '%s -> %s\n' "$line" "$offered"
done
END
in_bash() { bash --norc -c 'read_words() { COMP_WORDS=($1); }; complete() { [ "$*" = "-o default -F _rsctl rsctl" ] || echo "complete $*"; }; . "$1"; . "$2"' - "$dir/bash" "$dir/ask"; }
# As zsh's bashcompinit calls it.
in_zsh() {
    zsh -f -c 'autoload -U compinit; compinit -D; . "$1"; read_words() { COMP_WORDS=($(echo $1)); }
        run() { emulate -L sh; setopt kshglob noshglob braceexpand ksharrays; . "$1"; }; run "$2"' - "$dir/zsh" "$dir/ask"
}
offers() { # what is offered, words
    local wanted=$1 i line=
    shift
    for i in "$@"; do line+="${line:+ }${i:-NONE}"; done
    echo "$line" >>"$dir/lines"
    echo "$line -> $wanted${wanted:+ }" >>"$dir/wanted"
}
offers "" rsctl nothing
offers "snapshot" rsctl sn
offers "compact compaction completion" rsctl comp
offers "lease lock" rsctl help l
offers "" rsctl help lock l
offers "save status" rsctl snapshot s
offers "restore save status verify" rsctl snapshot ""
offers "" rsctl snapshot save f
offers "add list promote remove update" rsctl member ""
offers "promote" rsctl -w json member p
offers "grant keep-alive list revoke timetolive" rsctl lease ""
offers "hashkv health" rsctl endpoint h
offers "perf" rsctl check ""
offers "bash zsh" rsctl completion ""
offers "" rsctl get k
offers "--limit" rsctl get --lim
offers "" rsctl put --lim
offers "--lease" rsctl -w json put --l
offers "--listen" rsctl elect --li
offers "--prefix" rsctl check perf --pre
offers "--all-namespaces" rsctl get -k pods --all
offers "--cacert --cert --command-timeout" rsctl --c
offers "fields json simple table" rsctl get -w ""
offers "fields json lines simple" rsctl watch --write-out ""
offers "json" rsctl get --write-out = j
offers "fields json simple table" rsctl get --write-out =
offers "--write-out=json" rsctl get --write-out=j
offers "ASCEND DESCEND" rsctl get a --order ""
offers "CREATE" rsctl get a --sort-by C
offers "poddisruptionbudgets pods podtemplates" rsctl get -k po
offers "serviceaccounts services" rsctl history --kind serv
offers "l m s xl" rsctl check perf --load ""
offers "" rsctl --cert sn
offers "snapshot" rsctl --cert get sn # a flag's value is no command
offers "snapshot" rsctl --hex sn
# Every command's flags are those of its help.
for c in $("$bin/rsctl" help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    offers "$({ echo --help; "$bin/rsctl" help "$c" | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'; } | sort -u | tr '\n' ' ' | sed 's/ $//')" rsctl "$c" --
done
for shell in bash zsh; do
    in_$shell <"$dir/lines" >"$dir/offered" 2>&1
    cmp -s "$dir/wanted" "$dir/offered" || fail "$shell: $(diff "$dir/wanted" "$dir/offered")"
done
ok "$(wc -l <"$dir/lines") lines are completed alike in bash and in zsh"

# A real bash and a real zsh on a terminal: what stands on the line after the tabulator.
cat >"$dir/type.zsh" <<'END'
zmodload zsh/zpty
typed=$1 wanted=$2 start=$3
zpty -e shell "$start" # with echo: readline shows nothing without
print() { builtin print -r -- "$@" }
seen=''
read_until() { # text
    local piece limit=$((SECONDS + 10))
    while [[ $seen != *$1* && $SECONDS -lt $limit ]]; do
        if zpty -rt shell piece; then seen+=$piece; else zselect -t 5; fi
    done
    [[ $seen == *$1* ]]
}
zmodload zsh/zselect
read_until 'ready>' || { print "no prompt: $seen"; exit 1 }
seen=''
zpty -wn shell "$typed"$'\t'
read_until "$wanted" || { print "saw: $seen"; exit 1 }
zpty -d shell
END
cat >"$dir/zshrc" <<END
PS1='ready>'; unset RPS1
autoload -U compinit; compinit -D
. "$dir/zsh"
END
cat >"$dir/bashrc" <<END
PS1='ready>'
. "$dir/bash"
END
mkdir "$dir/home" && cp "$dir/zshrc" "$dir/home/.zshrc"
export PATH=$bin:$PATH
for shell in "env TERM=dumb ZDOTDIR=$dir/home zsh -d -i" "env TERM=dumb HOME=$dir/home bash --rcfile $dir/bashrc -i"; do
    zsh -f "$dir/type.zsh" "rsctl sn" "rsctl snapshot " "$shell" || fail "a command, in $shell"
    zsh -f "$dir/type.zsh" "rsctl snapshot ver" "rsctl snapshot verify " "$shell" || fail "a word of it, in $shell"
    zsh -f "$dir/type.zsh" "rsctl get --count" "rsctl get --count-only " "$shell" || fail "a flag, in $shell"
    zsh -f "$dir/type.zsh" "rsctl get -k deploy" "rsctl get -k deployments " "$shell" || fail "a kind, in $shell"
    touch "$dir/backup-of-today"
    zsh -f "$dir/type.zsh" "rsctl snapshot save $dir/back" "rsctl snapshot save $dir/backup-of-today " "$shell" || fail "a file, in $shell"
done
ok "the tabulator works in both shells"
