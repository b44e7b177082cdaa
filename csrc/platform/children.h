/*
 * The children of a process of one thread, from /proc/PID/task/PID/children (proc(5)) through a
 * descriptor that stays open: that costs a tenth of opening the file anew. Of another
 * process that got the same pid it tells nothing: it reads as empty then.
 */
#ifndef PM_PLATFORM_CHILDREN_H
#define PM_PLATFORM_CHILDREN_H

#include "metrics.h"

/* Close-on-exec; closed by pm__metrics_close. UV_ESRCH: no such process; UV_EMFILE and the
 * like. On failure *out is invalid. */
int pm__children_open(int pid, pm__metrics_source_t *out);

/* Reads now. Fills pids (NULL if max is 0) and returns how many there were room for, or a
 * negative error. *digest is a number that tells lists apart, never 0. Any thread may. */
int pm__children_read(pm__metrics_source_t source, int *pids, int max, uint64_t *digest);

#endif /* PM_PLATFORM_CHILDREN_H */
