#include "common/base.h"

#include "common/err.h"
#include "netproxy/dns_wire.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAG_RESPONSE 0x80
#define FLAG_RECURSION 0x01
#define CLASS_IN 1
#define ANSWER_BYTES_MAX 65535

static ldns_pkt *parse(struct slice packet)
{
    ldns_pkt *p = NULL;
    if (packet.size < DNS_HEADER_BYTES || packet.size > ANSWER_BYTES_MAX)
        return NULL;
    return ldns_wire2pkt(&p, (const uint8_t *)packet.data, packet.size) == LDNS_STATUS_OK ? p : NULL;
}

static bool name_take(const ldns_rr *question, char name[DNS_NAME_MAX])
{
    char *text = ldns_rdf2str(ldns_rr_owner(question));
    size_t size = text == NULL ? 0 : strlen(text);
    bool fits = size > 0 && size - 1 < DNS_NAME_MAX && text[size - 1] == '.';
    for (size_t i = 0; fits && i + 1 < size; i++)
        name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    if (fits)
        name[size - 1] = '\0';
    free(text);
    return fits;
}

int dns_wire_parse(struct slice packet, struct dns_question *ret, enum dns_code *ret_code)
{
    ldns_pkt *p = parse(packet);
    *ret_code = DNS_BAD_FORMAT;
    if (packet.size < DNS_HEADER_BYTES || ((uint8_t)packet.data[2] & FLAG_RESPONSE) != 0) {
        ldns_pkt_free(p);
        return ERR_BAD_REQUEST; /* an answer to an answer would go round for ever */
    }
    int rv = p != NULL && ldns_pkt_qdcount(p) == 1 ? 0 : ERR_INVALID;
    if (p != NULL && ldns_pkt_get_opcode(p) != LDNS_PACKET_QUERY) {
        *ret_code = DNS_NOT_IMPLEMENTED;
        rv = ERR_INVALID;
    }
    const ldns_rr *question = rv == 0 ? ldns_rr_list_rr(ldns_pkt_question(p), 0) : NULL;
    if (rv == 0 && !name_take(question, ret->name))
        rv = ERR_INVALID;
    if (rv == 0) {
        ret->type = (unsigned)ldns_rr_get_type(question);
        ret->class = (unsigned)ldns_rr_get_class(question);
        ret->recursion_desired = ldns_pkt_rd(p);
        size_t offered = ldns_pkt_edns(p) ? ldns_pkt_edns_udp_size(p) : 0;
        ret->answer_bytes = MIN(MAX(offered, (size_t)DNS_PLAIN_BYTES), (size_t)DNS_EDNS_BYTES);
    }
    ldns_pkt_free(p);
    return rv;
}

static bool push(ldns_pkt *p, ldns_pkt_section section, const struct dns_record *r)
{
    static const struct {
        enum dns_type type;
        const char *name;
    } types[] = {{DNS_A, "A"},     {DNS_NS, "NS"},   {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
                 {DNS_PTR, "PTR"}, {DNS_TXT, "TXT"}, {DNS_SRV, "SRV"}};
    const char *type = NULL;
    char text[3 * DNS_NAME_MAX];
    ldns_rr *rr = NULL;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].type == r->type)
            type = types[i].name;
    if (type == NULL ||
        snprintf(text, sizeof text, "%s %d IN %s %s", r->name, DNS_TTL_S, type, r->data) >= (int)sizeof text ||
        ldns_rr_new_frm_str(&rr, text, DNS_TTL_S, NULL, NULL) != LDNS_STATUS_OK)
        return false;
    if (!ldns_pkt_push_rr(p, section, rr)) {
        ldns_rr_free(rr);
        return false;
    }
    return true;
}

/* The beginning of every answer: same identity, same question in the client's spelling. */
static ldns_pkt *answer_to(const ldns_pkt *query, enum dns_code code)
{
    ldns_pkt *p = ldns_pkt_new();
    if (p == NULL)
        return NULL;
    ldns_pkt_set_id(p, ldns_pkt_id(query));
    ldns_pkt_set_qr(p, true);
    ldns_pkt_set_aa(p, true);
    ldns_pkt_set_ra(p, true);
    ldns_pkt_set_rd(p, ldns_pkt_rd(query));
    ldns_pkt_set_rcode(p, (uint8_t)code);
    if (ldns_pkt_edns(query))
        ldns_pkt_set_edns_udp_size(p, DNS_EDNS_BYTES);
    ldns_rr *question = ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(query), 0));
    if (question == NULL || !ldns_pkt_push_rr(p, LDNS_SECTION_QUESTION, question)) {
        ldns_rr_free(question);
        ldns_pkt_free(p);
        return NULL;
    }
    return p;
}

static int print(const ldns_pkt *p, struct buf *out)
{
    uint8_t *wire = NULL;
    size_t size = 0;
    if (ldns_pkt2wire(&wire, p, &size) != LDNS_STATUS_OK)
        return ERR_INTERNAL;
    buf_reset(out);
    buf_append(out, wire, size);
    LDNS_FREE(wire);
    return 0;
}

/* Too large: the question alone, with the mark (RFC 2181, 9: a client must not use what stands in a cut answer anyway).
 */
static int print_bounded(const ldns_pkt *query, ldns_pkt *p, enum dns_code code, size_t bytes_max, struct buf *out)
{
    int rv = print(p, out);
    if (rv == 0 && out->size <= MIN(bytes_max, (size_t)ANSWER_BYTES_MAX))
        return 0;
    ldns_pkt *cut = rv == 0 ? answer_to(query, code) : NULL;
    if (cut != NULL)
        ldns_pkt_set_tc(cut, true);
    rv = cut == NULL ? ERR_INTERNAL : print(cut, out);
    ldns_pkt_free(cut);
    return rv;
}

int dns_wire_answer(struct slice packet, enum dns_code code, const struct dns_record *const *answers, size_t count,
                    const struct dns_record *authority, size_t bytes_max, struct buf *out)
{
    ldns_pkt *query = parse(packet), *p = query == NULL ? NULL : answer_to(query, code);
    int rv = p == NULL ? ERR_BAD_REQUEST : 0;
    for (size_t i = 0; rv == 0 && i < count; i++)
        if (!push(p, LDNS_SECTION_ANSWER, answers[i]))
            rv = ERR_INTERNAL;
    if (rv == 0 && authority != NULL && !push(p, LDNS_SECTION_AUTHORITY, authority))
        rv = ERR_INTERNAL;
    if (rv == 0)
        rv = print_bounded(query, p, code, bytes_max, out);
    ldns_pkt_free(p);
    ldns_pkt_free(query);
    return rv;
}

void dns_wire_refuse(struct slice packet, enum dns_code code, struct buf *out)
{
    ASSERT(packet.size >= DNS_HEADER_BYTES);
    char header[DNS_HEADER_BYTES] = {packet.data[0], packet.data[1]};
    header[2] = (char)(FLAG_RESPONSE | ((uint8_t)packet.data[2] & (0x78 | FLAG_RECURSION)));
    header[3] = (char)code;
    buf_reset(out);
    buf_append(out, header, sizeof header);
}

int dns_wire_follow(struct slice packet, const char *target, struct buf *out)
{
    ldns_pkt *query = parse(packet), *p = NULL;
    ldns_rdf *name = query == NULL ? NULL : ldns_dname_new_frm_str(target);
    int rv = ERR_BAD_REQUEST;
    if (name != NULL) {
        const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
        p = ldns_pkt_query_new(name, ldns_rr_get_type(question), LDNS_RR_CLASS_IN, LDNS_RD); /* takes the name */
    }
    if (p != NULL) {
        ldns_pkt_set_id(p, ldns_pkt_id(query));
        ldns_pkt_set_edns_udp_size(p, DNS_EDNS_BYTES);
        rv = print(p, out);
    }
    ldns_pkt_free(p);
    ldns_pkt_free(query);
    return rv;
}

int dns_wire_join(struct slice packet, const struct dns_record *const *answers, size_t count, struct slice followed,
                  size_t bytes_max, struct buf *out)
{
    ldns_pkt *query = parse(packet), *rest = parse(followed);
    enum dns_code code = rest == NULL ? DNS_SERVER_FAILED : (enum dns_code)ldns_pkt_get_rcode(rest);
    ldns_pkt *p = query == NULL ? NULL : answer_to(query, code);
    int rv = p == NULL ? ERR_BAD_REQUEST : 0;
    for (size_t i = 0; rv == 0 && i < count; i++)
        if (!push(p, LDNS_SECTION_ANSWER, answers[i]))
            rv = ERR_INTERNAL;
    const ldns_rr_list *theirs = rest == NULL ? NULL : ldns_pkt_answer(rest);
    for (size_t i = 0; rv == 0 && theirs != NULL && i < ldns_rr_list_rr_count(theirs); i++) {
        ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(theirs, i));
        if (rr == NULL || !ldns_pkt_push_rr(p, LDNS_SECTION_ANSWER, rr)) {
            ldns_rr_free(rr);
            rv = ERR_INTERNAL;
        }
    }
    if (rv == 0)
        rv = print_bounded(query, p, code, bytes_max, out);
    ldns_pkt_free(p);
    ldns_pkt_free(rest);
    ldns_pkt_free(query);
    return rv;
}
