/* How a meter reads of one process: through descriptors that are kept open as far as there
 * is room for them, and no more than has changed. */
#ifndef PM_CORE_METER_READING_H
#define PM_CORE_METER_READING_H

#include "meter.h"

/* What it has used; of one that is outside without its memory. before: what that was when it was
 * looked at last, NULL if it never was. *at: when this was true (pm__metrics_now). UV_ESRCH: there
 * is no such process; another one may have its pid. */
int pm__meter_read_usage(pm__meter_t *m, pm__member_t *member, const pm__usage_t *before, uint64_t *at);

/* Whether it has not run since its usage was read last, as far as what is kept open tells. */
bool pm__meter_is_at_rest(const pm__member_t *member);

/* Its resident bytes, through what is kept open; UV_EBADF: nothing is. */
int pm__meter_read_memory(const pm__member_t *member, uint64_t *out);

/* Fills pids with its children, and returns how many; 0 as well if they are the same as last time,
 * unless all are wanted. */
int pm__meter_read_children(pm__meter_t *m, pm__member_t *member, bool all, int *pids, int max);

/* What is kept open of one becomes another's. */
void pm__meter_hand_over(pm__meter_t *m, pm__member_t *from, pm__member_t *to);

/* Closes all of it. */
void pm__meter_release(pm__meter_t *m, pm__member_t *member);

#endif /* PM_CORE_METER_READING_H */
