/* rsctl completion: one function for both shells; zsh runs it through its bash compatibility. It offers commands, then what a command is about, after
 * a dash its flags, and after a flag its values; where it knows nothing the shell offers files. */
#include "common/base.h"

#include "tools/rsctl_kinds.h"

#include "common/flags.h"

/* Values of flags. Whatever takes another value is left to the shell: files. */
static const struct {
    const char *flag, *words;
} values[] = {
    {"order", "ASCEND DESCEND"}, {"sort-by", "KEY VERSION CREATE MODIFY VALUE"},
    {"consistency", "l s"},                    {"load", "s m l xl"},
};

static const char function_begin[] =
    "_rsctl() {\n"
    "    local word prev verb='' list='' before='' n=0 i\n"
    "    word=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    if [[ $word == = ]]; then word=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
    "    if [[ $word == --*=* ]]; then prev=${word%%=*} before=${word%%=*}= word=${word#*=}; fi\n" /* one word in zsh, three in bash */
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n";
/* Between them: flags that take a value. */
static const char function_count[] =
    ") [[ ${COMP_WORDS[i+1]} == = ]] && i=$((i + 1)); i=$((i + 1)) ;;\n"
    "        -* | =) ;;\n"
    "        *) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; else n=$((n + 1)); fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case $prev in\n";

/* --name, and -n where there is a letter. */
static void put_flag(struct buf *out, const struct flag *f)
{
    buf_printf(out, "--%s", rsctl_flag_name(f));
    if (f->letter != '\0')
        buf_printf(out, " | -%c", f->letter);
}

static const char *values_of(const struct flag *f)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcmp(values[i].flag, f->name) == 0)
            return values[i].words;
    return NULL;
}

/* The patterns of flags with values of a known kind, or with others, separated by bars. */
static void put_value_flags(struct buf *out, const struct flag *all, bool known)
{
    bool first = true;
    for (const struct flag *f = all; f->name != NULL; f++) {
        bool has = values_of(f) != NULL || strcmp(f->name, "kind") == 0 || strcmp(f->name, "write-out") == 0;
        if (f->type == FLAG_BOOL || strchr(f->name, ':') != NULL || (has && !known))
            continue;
        buf_append_str(out, first ? "        " : " | ");
        put_flag(out, f);
        first = false;
    }
}

static void put_values(struct buf *out, const struct flag *all)
{
    buf_append_str(out, "    --write-out | -w)\n        case $verb in\n");
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++)
        buf_printf(out, "        %s) list='%s' ;;\n", v->name, v->formats);
    buf_append_str(out, "        *) list='simple json fields table' ;;\n        esac ;;\n");
    for (const struct flag *f = all; f->name != NULL; f++) {
        const char *words = values_of(f);
        if (words == NULL && strcmp(f->name, "kind") != 0)
            continue;
        buf_append_str(out, "    ");
        put_flag(out, f);
        buf_printf(out, ") list='%s", words != NULL ? words : "");
        for (const struct rsctl_kind *k = rsctl_kinds; words == NULL && k->plural != NULL; k++)
            buf_printf(out, "%s%s", k == rsctl_kinds ? "" : " ", k->plural);
        buf_append_str(out, "' ;;\n");
    }
    put_value_flags(out, all, false);
    buf_append_str(out, ") COMPREPLY=(); return ;;\n    *)\n");
}

static void put_flags(struct buf *out, const struct flag *all)
{
    buf_append_str(out, "        if [[ $word == -* ]]; then\n            case $verb in\n");
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++) {
        buf_printf(out, "            %s) list='--help", v->name);
        for (const struct flag *f = all; f->name != NULL; f++)
            if (rsctl_flag_applies(v, f->name))
                buf_printf(out, " --%s", rsctl_flag_name(f));
        buf_append_str(out, "' ;;\n");
    }
    buf_append_str(out, "            *) list='--help");
    for (const struct flag *f = all; f->name != NULL; f++)
        if (rsctl_flag_applies(&(struct rsctl_verb){.name = "", .flags = ""}, f->name))
            buf_printf(out, " --%s", f->name);
    buf_append_str(out, "' ;;\n            esac\n");
}

/* Of what a verb takes, small words are to be typed as they stand: "save FILE|status FILE". */
static void put_first_words(struct buf *out, const char *arguments)
{
    bool small = false;
    for (const char *c = arguments; *c != '\0'; c++) {
        bool begins = c == arguments || c[-1] == '|';
        small = begins ? *c >= 'a' && *c <= 'z' : small && *c != ' ' && *c != '|';
        if (begins && small && c != arguments)
            buf_append_char(out, ' ');
        if (small)
            buf_append_char(out, *c);
    }
}

static void put_words(struct buf *out)
{
    buf_append_str(out, "        elif [[ -z $verb || ($verb == help && $n == 0) ]]; then\n            list='");
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++)
        buf_printf(out, "%s ", v->name);
    buf_append_str(out, "help'\n        elif [[ $n == 0 ]]; then\n            case $verb in\n");
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++) {
        buf_printf(out, "            %s) list='", v->name);
        put_first_words(out, v->arguments);
        buf_append_str(out, "' ;;\n");
    }
    buf_append_str(out, "            esac\n        fi ;;\n    esac\n    COMPREPLY=($(compgen -P \"$before\" -W \"$list\" -- \"$word\"))\n}\n");
}

int rsctl_completion(struct rsctl *r)
{
    struct flag all[RSCTL_FLAGS_MAX];
    const char *shell = r->argument_count == 1 ? r->arguments[0] : "";
    bool zsh = strcmp(shell, "zsh") == 0;
    if (!zsh && strcmp(shell, "bash") != 0)
        return rsctl_usage("completion wants bash or zsh");
    rsctl_flag_table(&r->flags, all);
    if (zsh)
        buf_append_str(&r->out, "whence compdef >/dev/null || { autoload -U compinit && compinit; }\n"
                                "autoload -U +X bashcompinit && bashcompinit\n");
    buf_append_str(&r->out, function_begin);
    put_value_flags(&r->out, all, true);
    buf_append_str(&r->out, function_count);
    put_values(&r->out, all);
    put_flags(&r->out, all);
    put_words(&r->out);
    buf_append_str(&r->out, "complete -o default -F _rsctl rsctl\n");
    return RSCTL_OK;
}
