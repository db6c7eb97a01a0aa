/* See state_sum.h. */
#include "common/base.h"

#include "raftstore/state_sum.h"

static void replace(struct state_sum *s, const struct sum_part *p, uint64_t by)
{
    s->sum += by - p->hash;
    if (s->looking && p->pass == s->pass)
        s->seen += by - p->hash;
}

void sum_add(struct state_sum *s, struct sum_part *p, uint64_t hash)
{
    *p = (struct sum_part){.before = s->last, .hash = hash};
    *(s->last == NULL ? &s->first : &s->last->next) = p;
    s->last = p;
    s->sum += hash;
    if (s->looking && s->look == NULL) /* all others were looked at */
        s->look = p;
}

void sum_set(struct state_sum *s, struct sum_part *p, uint64_t hash)
{
    replace(s, p, hash);
    p->hash = hash;
}

void sum_remove(struct state_sum *s, struct sum_part *p)
{
    replace(s, p, 0);
    if (s->look == p)
        s->look = p->next;
    *(p->before == NULL ? &s->first : &p->before->next) = p->next;
    *(p->next == NULL ? &s->last : &p->next->before) = p->before;
    *p = (struct sum_part){0};
}

static void begin(struct state_sum *s)
{
    s->looking = true;
    s->look = s->first;
    s->seen = 0;
    s->pass = s->pass == UINT32_MAX ? 1 : s->pass + 1; /* 0: never looked at */
}

bool sum_check(struct state_sum *s, size_t max, uint64_t (*hash_of)(const struct sum_part *p), bool *ret_whole)
{
    if (!s->looking)
        begin(s);
    for (size_t n = 0; s->look != NULL && n < max; n++) {
        struct sum_part *p = s->look;
        if (hash_of(p) != p->hash)
            return false;
        p->pass = s->pass;
        s->seen += p->hash;
        s->look = p->next;
    }
    s->looking = s->look != NULL;
    *ret_whole = !s->looking;
    return s->looking || s->seen == s->sum;
}
