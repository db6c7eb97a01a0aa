/* Names as RFC 1123 and Kubernetes restrict them. */
#include "common/base.h"

#include "apiserver/names.h"

static bool lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool alnum(char c) { return lower(c) || (c >= 'A' && c <= 'Z'); }

static bool label_shape(struct slice s)
{
    if (s.size == 0 || !lower(s.data[0]) || !lower(s.data[s.size - 1]))
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!lower(s.data[i]) && s.data[i] != '-')
            return false;
    }
    return true;
}

static bool subdomain_shape(struct slice s)
{
    struct slice rest = s;
    if (s.size == 0)
        return false;
    while (rest.data != NULL) {
        if (!label_shape(slice_cut(&rest, '.')))
            return false;
    }
    return true;
}

static bool word_shape(struct slice s)
{
    if (s.size == 0 || !alnum(s.data[0]) || !alnum(s.data[s.size - 1]))
        return false;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (!alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

int name_check_subdomain(struct slice s, struct err *reterr)
{
    if (s.size > NAME_SUBDOMAIN_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_SUBDOMAIN_MAX);
    if (!subdomain_shape(s))
        return err_set(
            reterr, ERR_INVALID,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    return 0;
}

int name_check_wildcard(struct slice s, struct err *reterr)
{
    if (!slice_has_prefix(s, SLICE("*.")) || !subdomain_shape(slice_from(s, 2)))
        return err_set(
            reterr, ERR_INVALID,
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
            "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
            "'*.example.com', regex used for validation is "
            "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    return 0;
}

int name_check_label(struct slice s, struct err *reterr)
{
    if (s.size > NAME_LABEL_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_LABEL_MAX);
    if (!label_shape(s))
        return err_set(
            reterr, ERR_INVALID,
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
    return 0;
}

int name_check_label1035(struct slice s, struct err *reterr)
{
    if (s.size > NAME_LABEL_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_LABEL_MAX);
    if (!label_shape(s) || (s.data[0] >= '0' && s.data[0] <= '9'))
        return err_set(
            reterr, ERR_INVALID,
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
    return 0;
}

int name_check_path_segment(struct slice s, struct err *reterr)
{
    if (slice_is(s, ".") || slice_is(s, ".."))
        return err_set(reterr, ERR_INVALID, "may not be '%.*s'", SLICE_ARGS(s));
    if (slice_find(s, '/') != s.size)
        return err_set(reterr, ERR_INVALID, "may not contain '/'");
    if (slice_find(s, '%') != s.size)
        return err_set(reterr, ERR_INVALID, "may not contain '%%'");
    return 0;
}

int name_check_qualified(struct slice s, struct err *reterr)
{
    struct slice rest = s, name = s;
    struct slice prefix = slice_cut(&rest, '/');
    if (rest.data != NULL) {
        name = rest;
        if (prefix.size == 0)
            return err_set(reterr, ERR_INVALID, "prefix part must be non-empty");
        if (slice_find(name, '/') != name.size)
            return err_set(
                reterr, ERR_INVALID,
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and "
                "'/' (e.g. 'example.com/MyName')");
        struct err why;
        if (name_check_subdomain(prefix, &why) != 0)
            return err_set(reterr, ERR_INVALID, "prefix part %s", why.message);
    }
    if (name.size == 0)
        return err_set(reterr, ERR_INVALID, "name part must be non-empty");
    if (name.size > NAME_LABEL_MAX)
        return err_set(reterr, ERR_INVALID, "name part must be no more than %d characters", NAME_LABEL_MAX);
    if (!word_shape(name))
        return err_set(
            reterr, ERR_INVALID,
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')");
    return 0;
}

int name_check_label_value(struct slice s, struct err *reterr)
{
    if (s.size > NAME_LABEL_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_LABEL_MAX);
    if (s.size != 0 && !word_shape(s))
        return err_set(
            reterr, ERR_INVALID,
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
            "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
    return 0;
}

int name_check_config_key(struct slice s, struct err *reterr)
{
    bool good = s.size > 0 && !slice_is(s, ".") && !slice_is(s, "..");
    for (size_t i = 0; i < s.size && good; i++)
        good = alnum(s.data[i]) || s.data[i] == '-' || s.data[i] == '_' || s.data[i] == '.';
    if (s.size > NAME_SUBDOMAIN_MAX)
        return err_set(reterr, ERR_INVALID, "must be no more than %d characters", NAME_SUBDOMAIN_MAX);
    if (!good)
        return err_set(
            reterr, ERR_INVALID,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
    return 0;
}

int name_check_env(struct slice s, struct err *reterr)
{
    bool good = s.size > 0;
    for (size_t i = 0; i < s.size && good; i++)
        good = s.data[i] >= ' ' && s.data[i] <= '~' && s.data[i] != '=';
    if (!good)
        return err_set(
            reterr, ERR_INVALID,
            "a valid environment variable name must consist only of printable ASCII characters other than '='");
    return 0;
}

int name_check_port(struct slice s, struct err *reterr)
{
    bool letter = false;
    if (s.size > 15)
        return err_set(reterr, ERR_INVALID, "must be no more than 15 characters");
    for (size_t i = 0; i < s.size; i++) {
        if (!lower(s.data[i]) && s.data[i] != '-')
            return err_set(reterr, ERR_INVALID,
                           "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
        if (s.data[i] == '-' && i > 0 && s.data[i - 1] == '-')
            return err_set(reterr, ERR_INVALID, "must not contain consecutive hyphens");
        letter |= s.data[i] >= 'a' && s.data[i] <= 'z';
    }
    if (!letter)
        return err_set(reterr, ERR_INVALID, "must contain at least one letter (a-z)");
    if (s.data[0] == '-' || s.data[s.size - 1] == '-')
        return err_set(reterr, ERR_INVALID, "must not begin or end with a hyphen");
    return 0;
}
