/* Resource quantities ("500m", "1Gi", "1e3") as Kubernetes writes them: parsed to exact nano units, compared by value
 * and printed in canonical form. */
#ifndef COMMON_KUBE_QUANTITY_H
#define COMMON_KUBE_QUANTITY_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

enum quantity_format { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };

struct quantity {
    __int128 nano; /* value × 10⁹ */
    enum quantity_format format;
};

/* Finer than a nano unit is rounded up, away from zero; more than 2⁶³-1 is capped, as Kubernetes does.
 * ERR_INVALID with Kubernetes' own text. */
int quantity_parse(struct slice text, struct quantity *ret, struct err *reterr);
void quantity_print(struct quantity q, struct buf *out); /* canonical: "1000m" gives "1", "1024Mi" gives "1Gi" */
int quantity_compare(struct quantity a, struct quantity b);
int64_t quantity_value(struct quantity q); /* whole units, rounded up */
int64_t quantity_milli(struct quantity q); /* thousandths, rounded up; capped at the ends of int64 */

#endif
