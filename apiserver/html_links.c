/*            ┌──(tag too long)──▶ rest: as it comes, up to the end
 *   text ◀──▶ tag ──(script, style …)──▶ raw ──(its end tag)──▶ text
 *              └──(<!--)──▶ comment ──(-->)──▶ text */
#include "common/base.h"

#include "apiserver/html_links.h"
#include "apiserver/limits.h"

#include <ctype.h>
#include <strings.h>

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static bool is_word(struct slice s, const char *word)
{
    return s.size == strlen(word) && strncasecmp(s.data, word, s.size) == 0;
}

/* --- one address --- */

static bool is_own_host(const struct html_links *h, struct slice host)
{
    for (size_t i = 0; i < ARRAY_LEN(h->hosts); i++) {
        struct slice own = h->hosts[i], bare = own;
        if (slice_has_suffix(own, SLICE(":80")))
            bare.size -= strlen(":80");
        else if (slice_has_suffix(own, SLICE(":443")))
            bare.size -= strlen(":443");
        if (own.size > 0 && (slice_equal(host, own) || slice_equal(host, bare)))
            return true;
    }
    return false;
}

/* Cuts scheme and host off an address of our server; false when it is another's, or has no host and no root. */
static bool cut_root(const struct html_links *h, struct slice *address)
{
    struct slice rest = *address;
    if (rest.size >= 5 && strncasecmp(rest.data, "http:", 5) == 0)
        rest = slice_from(rest, 5);
    else if (rest.size >= 6 && strncasecmp(rest.data, "https:", 6) == 0)
        rest = slice_from(rest, 6);
    bool absolute = rest.size != address->size;
    if (!slice_has_prefix(rest, SLICE("//")))
        return !absolute && rest.size > 0 && rest.data[0] == '/';
    rest = slice_from(rest, 2);
    size_t n = 0;
    while (n < rest.size && rest.data[n] != '/' && rest.data[n] != '?' && rest.data[n] != '#')
        n++;
    if (!is_own_host(h, slice_of(rest.data, n)))
        return false;
    *address = slice_from(rest, n);
    return true;
}

void link_rewrite(const struct html_links *h, struct slice address, struct buf *out)
{
    struct slice rest = address;
    bool own = cut_root(h, &rest), prefixed = slice_has_prefix(rest, h->prefix);
    if (prefixed && rest.size > h->prefix.size && rest.data[h->prefix.size] != '/')
        prefixed = false; /* another name that begins like this one */
    if (!own) {
        buf_append_slice(out, address);
        return;
    }
    if (!prefixed)
        buf_append_slice(out, h->prefix);
    if (rest.size == 0 || rest.data[0] != '/')
        buf_append_char(out, '/');
    buf_append_slice(out, rest);
}

/* --- one tag --- */

static bool is_link(struct slice name)
{
    static const char *const names[] = {"href",     "src",    "action",     "formaction", "cite",
                                        "codebase", "data",   "background", "classid",    "longdesc",
                                        "profile",  "usemap", "icon",       "manifest",   "poster"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_word(name, names[i]))
            return true;
    return false;
}

static struct slice take_until(struct slice *rest, const char *ends)
{
    size_t n = 0;
    while (n < rest->size && !is_space(rest->data[n]) && strchr(ends, rest->data[n]) == NULL)
        n++;
    struct slice taken = slice_of(rest->data, n);
    *rest = slice_from(*rest, n);
    return taken;
}

static void pass_spaces(struct slice *rest, struct buf *out)
{
    while (rest->size > 0 && is_space(rest->data[0])) {
        buf_append_char(out, rest->data[0]);
        *rest = slice_from(*rest, 1);
    }
}

static void pass_value(const struct html_links *h, bool link, struct slice *rest, struct buf *out)
{
    char quote = rest->size > 0 && (rest->data[0] == '"' || rest->data[0] == '\'') ? rest->data[0] : '\0';
    struct slice value;
    if (quote != '\0') {
        struct slice inner = slice_from(*rest, 1);
        size_t n = slice_find(inner, quote);
        value = slice_of(inner.data, n);
        *rest = slice_from(inner, MIN(n + 1, inner.size));
        buf_append_char(out, quote);
    } else {
        value = take_until(rest, ">");
    }
    if (link)
        link_rewrite(h, value, out);
    else
        buf_append_slice(out, value);
    if (quote != '\0')
        buf_append_char(out, quote);
}

/* "<a href=/x>", whole. */
static void pass_tag(const struct html_links *h, struct slice tag, struct buf *out)
{
    struct slice rest = tag;
    buf_append_slice(out, take_until(&rest, ">"));
    while (rest.size > 0) {
        pass_spaces(&rest, out);
        struct slice name = take_until(&rest, "=>/");
        buf_append_slice(out, name);
        pass_spaces(&rest, out);
        if (rest.size == 0)
            break;
        char c = rest.data[0];
        if (name.size > 0 && c != '=')
            continue;            /* an attribute without a value */
        buf_append_char(out, c); /* '=', '/' or '>' */
        rest = slice_from(rest, 1);
        if (name.size == 0 || c != '=')
            continue;
        pass_spaces(&rest, out);
        pass_value(h, is_link(name), &rest, out);
    }
}

/* --- the page --- */

static void tag_end(struct html_links *h, struct buf *out)
{
    static const char *const raw[] = {"script", "style", "textarea", "title"};
    struct slice tag = buf_slice(&h->tag), rest = slice_from(tag, 1), name = take_until(&rest, "/>");
    h->place = HTML_TEXT;
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
        if (!is_word(name, raw[i]))
            continue;
        h->place = HTML_RAW;
        h->matched = 0;
        memcpy(h->raw, "</", 2);
        memcpy(h->raw + 2, raw[i], strlen(raw[i]) + 1);
    }
    pass_tag(h, tag, out);
    buf_reset(&h->tag);
}

static void tag_flush(struct html_links *h, enum html_place next, struct buf *out)
{
    buf_append_slice(out, buf_slice(&h->tag));
    buf_reset(&h->tag);
    h->place = next;
}

static void tag_begin(struct html_links *h)
{
    h->place = HTML_TAG;
    h->quote = h->before = '\0';
    buf_append_char(&h->tag, '<');
}

static void tag_take(struct html_links *h, char c, struct buf *out)
{
    if (h->tag.size == 1 && !isalpha((unsigned char)c) && c != '/' && c != '!' && c != '?') {
        tag_flush(h, HTML_TEXT, out); /* a sign, not a tag */
        if (c == '<')
            tag_begin(h);
        else
            buf_append_char(out, c);
        return;
    }
    buf_append_char(&h->tag, c);
    if (h->tag.size == 4 && slice_is(buf_slice(&h->tag), "<!--")) {
        tag_flush(h, HTML_COMMENT, out);
        h->matched = 0;
    } else if (h->tag.size > HTML_TAG_BYTES_MAX) {
        tag_flush(h, HTML_REST, out);
    } else if (h->quote != '\0') {
        h->quote = c == h->quote ? '\0' : h->quote;
    } else if ((c == '"' || c == '\'') && h->before == '=') {
        h->quote = c;
    } else if (c == '>') {
        tag_end(h, out);
    }
    if (!is_space(c))
        h->before = c;
}

static void take(struct html_links *h, char c, struct buf *out)
{
    switch (h->place) {
    case HTML_TAG: tag_take(h, c, out); return;
    case HTML_TEXT:
        if (c == '<') {
            tag_begin(h);
            return;
        }
        break;
    case HTML_COMMENT:
        if (c == '>' && h->matched >= 2)
            h->place = HTML_TEXT;
        h->matched = c == '-' ? h->matched + 1 : 0;
        break;
    case HTML_RAW: /* '<' is only its first byte, so a mismatch begins anew at once */
        h->matched = tolower((unsigned char)c) == h->raw[h->matched] ? h->matched + 1 : c == '<' ? 1 : 0;
        if (h->raw[h->matched] == '\0')
            h->place = HTML_TEXT;
        break;
    case HTML_REST: break;
    }
    buf_append_char(out, c);
}

void html_links_write(struct html_links *h, struct slice piece, struct buf *out)
{
    for (size_t i = 0; i < piece.size; i++)
        take(h, piece.data[i], out);
}

void html_links_end(struct html_links *h, struct buf *out) { tag_flush(h, HTML_REST, out); }

void html_links_release(struct html_links *h) { buf_release(&h->tag); }
