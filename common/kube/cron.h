/* Schedules of cron: five fields (minute, hour, day, month, weekday) with lists, ranges, steps and names, or one of the
 * words @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, or "@every 1h30m". */
#ifndef COMMON_KUBE_CRON_H
#define COMMON_KUBE_CRON_H

#include "common/base.h"
#include "common/err.h"

struct cron {
    uint64_t minutes, hours, days, months, weekdays; /* a bit per value; Sunday is 0 */
    bool any_day, any_weekday;                       /* the field begins with '*': it restricts nothing */
    int64_t every_seconds;                           /* of "@every"; else 0 */
};

/* ERR_INVALID with the text that users of Kubernetes know: "expected exactly 5 fields, found 1: [x]". */
int cron_parse(struct slice text, struct cron *ret, struct err *reterr);

#endif
