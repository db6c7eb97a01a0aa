/* Intrusive, circular, doubly linked list. A head and every unlinked node point at themselves. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include "common/base.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node) { list_insert_before(head, node); }
static inline void list_push_front(struct list *head, struct list *node) { list_insert_before(head->next, node); }

/* Unlinks; harmless for a node that is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define LIST_FIRST(head, type, member) \
    (list_empty(head) ? NULL : container_of((head)->next, type, member))

/* `node` may be removed or freed in the body. */
#define LIST_FOR_EACH(node, head)                                                          \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);       \
         node = node##_next, node##_next = node->next)

#endif
