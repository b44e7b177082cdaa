/*
 * What one process has used, by pid. Linux: /proc/PID/stat through a descriptor
 * that stays open, which also pins the process: a pid that was used again reads
 * as ESRCH, never as somebody else.
 */
#ifndef PM_PLATFORM_METRICS_H
#define PM_PLATFORM_METRICS_H

#include <stdint.h>

typedef struct pm__usage {
  uint64_t cpu_time;   /* user + system, nanoseconds */
  uint64_t start_time; /* nanoseconds since boot */
  uint64_t memory;     /* resident bytes */
} pm__usage_t;

typedef struct pm__metrics_source {
  int fd; /* -1 when closed */
} pm__metrics_source_t;

#define PM__METRICS_SOURCE_INVALID ((pm__metrics_source_t){.fd = -1})

/* Opens the source of pid, close-on-exec. UV_ESRCH: no such process; UV_EMFILE
 * and the like. On failure *out is invalid. */
int pm__metrics_open(int pid, pm__metrics_source_t *out);

/* Reads now. UV_ESRCH once the process has been reaped (a zombie still reads,
 * with 0 memory); UV_EINVAL if the text made no sense. */
int pm__metrics_read(pm__metrics_source_t source, pm__usage_t *out);

/* Gives back the invalid source, so that a second close does nothing. */
pm__metrics_source_t pm__metrics_close(pm__metrics_source_t source);

/* Nanoseconds since boot on the clock that start_time counts by. */
uint64_t pm__metrics_now(void);

#endif /* PM_PLATFORM_METRICS_H */
