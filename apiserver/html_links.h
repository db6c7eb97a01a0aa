/* A page as it looks behind a proxy: links that begin at the root of its own server get the proxy's prefix, so that a
 * browser asks the proxy for them. Pages come in pieces, and no more than one tag of them is held. Pure.
 *
 * Looked at are the attributes whose value is one address. Comments, and what stands inside script, style, textarea and
 * title, are no tags; addresses made by scripts and style sheets stay as they are. */
#ifndef APISERVER_HTML_LINKS_H
#define APISERVER_HTML_LINKS_H

#include "common/base.h"
#include "common/buf.h"

struct html_links {
    struct slice prefix;   /* "/api/v1/namespaces/a/services/b/proxy": borrowed, as the hosts are */
    struct slice hosts[2]; /* "10.0.0.1:80": an absolute address of one of them is the server's own too; may be empty */

    enum html_place { HTML_TEXT, HTML_TAG, HTML_COMMENT, HTML_RAW, HTML_REST } place; /* private from here */
    struct buf tag;
    char quote, before; /* inside quotes; the last byte that was no space */
    char raw[16];       /* "</script": what ends it */
    size_t matched;
};

/* One address; appended as it is when it is nobody's of ours. */
void link_rewrite(const struct html_links *h, struct slice address, struct buf *out);

void html_links_write(struct html_links *h, struct slice piece, struct buf *out);
void html_links_end(struct html_links *h, struct buf *out); /* a tag that was never closed */
void html_links_release(struct html_links *h);

#endif
