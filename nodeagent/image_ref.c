#include "common/base.h"
#include "nodeagent/image_ref.h"

#include <ctype.h>
#include <stdio.h>

static bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* Path components: lower-case letters and digits, separated by '.', '_', '__' or dashes. */
static bool is_component(struct slice s)
{
    if (s.size == 0 || !is_lower_alnum(s.data[0]) || !is_lower_alnum(s.data[s.size - 1]))
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_lower_alnum(s.data[i]) && strchr("._-", s.data[i]) == NULL)
            return false;
    return true;
}

static bool is_host(struct slice s)
{
    if (slice_find(s, '.') == s.size && slice_find(s, ':') == s.size && !slice_is(s, "localhost"))
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!isalnum((unsigned char)s.data[i]) && strchr(".-:", s.data[i]) == NULL)
            return false;
    return s.size > 0 && isalnum((unsigned char)s.data[0]) && isalnum((unsigned char)s.data[s.size - 1]);
}

static bool is_tag(struct slice s)
{
    if (s.size == 0 || s.size > 128 || s.data[0] == '.' || s.data[0] == '-')
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!isalnum((unsigned char)s.data[i]) && strchr("._-", s.data[i]) == NULL)
            return false;
    return true;
}

static bool is_digest(struct slice s)
{
    if (!slice_has_prefix(s, SLICE("sha256:")) || s.size != 7 + 64)
        return false;
    for (size_t i = 7; i < s.size; i++)
        if (!isdigit((unsigned char)s.data[i]) && (s.data[i] < 'a' || s.data[i] > 'f'))
            return false;
    return true;
}

static bool is_path(struct slice path)
{
    struct slice rest = path, first = slice_cut(&rest, '/');
    if (rest.size > 0 && is_host(first))
        first = slice_cut(&rest, '/');
    while (is_component(first)) {
        if (rest.data == NULL)
            return true;
        first = slice_cut(&rest, '/');
    }
    return false;
}

int image_ref_parse(const char *text, struct image_ref *ret, struct err *reterr)
{
    struct slice rest = slice_str(text), digest = {0}, tag = {0};
    size_t at = slice_find(rest, '@');
    if (at < rest.size) {
        digest = slice_from(rest, at + 1);
        rest.size = at;
    }
    const char *slash = memrchr(rest.data, '/', rest.size);
    size_t from = slash == NULL ? 0 : (size_t)(slash - rest.data);
    size_t colon = from + slice_find(slice_from(rest, from), ':');
    bool tagged = colon < rest.size;
    if (tagged) {
        tag = slice_from(rest, colon + 1);
        rest.size = colon;
    }
    if (strlen(text) > IMAGE_REF_MAX - 8 || !is_path(rest) || (tagged && !is_tag(tag)) || (digest.data != NULL && !is_digest(digest)))
        return err_set(reterr, ERR_INVALID, "couldn't parse image name \"%s\": invalid reference format", text);
    struct image_ref ref = {.by_digest = digest.data != NULL};
    (void)snprintf(ref.name, sizeof ref.name, "%s%s", text, tagged || ref.by_digest ? "" : ":latest");
    const char *name = ref.name;
    if (strncmp(name, "docker.io/", 10) == 0)
        name += 10;
    if (name != ref.name && strncmp(name, "library/", 8) == 0)
        name += 8;
    memcpy(ref.short_name, name, strlen(name) + 1);
    *ret = ref;
    return 0;
}
