/*
 * What one process has used, by pid. Linux: /proc/PID/stat through a descriptor
 * that stays open, which also pins the process: a pid that was used again reads
 * as ESRCH, never as somebody else.
 */
#ifndef PM_PLATFORM_METRICS_H
#define PM_PLATFORM_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds. */
typedef struct pm__cpu_time {
  uint64_t user, system;
} pm__cpu_time_t;

typedef struct pm__usage {
  int ppid;
  bool lives;            /* it is no zombie */
  bool running;          /* on a processor, or waiting for one */
  uint64_t threads;      /* 0 of some zombies */
  pm__cpu_time_t own;    /* of all its threads, ended ones included */
  pm__cpu_time_t waited; /* of the children that it has waited for, and of those that they had waited for */
  uint64_t start_time;   /* nanoseconds since boot */
  uint64_t memory;       /* resident bytes */
} pm__usage_t;

typedef struct pm__metrics_source {
  int fd; /* -1 when closed */
} pm__metrics_source_t;

#define PM__METRICS_SOURCE_INVALID ((pm__metrics_source_t){.fd = -1})

/* Opens the source of pid, close-on-exec. UV_ESRCH: no such process; UV_EMFILE
 * and the like. On failure *out is invalid. */
int pm__metrics_open(int pid, pm__metrics_source_t *out);

/* The same of any file below /proc: UV_ESRCH if it is not there. */
int pm__metrics_open_file(const char *path, pm__metrics_source_t *out);

/* Reads now. UV_ESRCH once the process has been reaped (a zombie still reads,
 * with 0 memory); UV_EINVAL if the text made no sense. Its memory is what the kernel has at
 * hand: each processor may hold back some 100 KiB of it. */
int pm__metrics_read(pm__metrics_source_t source, pm__usage_t *out);

/* Gives back the invalid source, so that a second close does nothing. */
pm__metrics_source_t pm__metrics_close(pm__metrics_source_t source);

/* Another source, of a process of one thread: a number that has grown whenever the process
 * got a processor meanwhile (/proc/PID/schedstat; CONFIG_SCHED_INFO). Reading it costs a sixth
 * of reading what it has used. Errors as above; UV_EINVAL if the system does not tell. */
int pm__metrics_open_runs(int pid, pm__metrics_source_t *out);
int pm__metrics_read_runs(pm__metrics_source_t source, uint64_t *out);

/* Another one, at the same price: resident bytes as /proc/PID/statm says them, which since Linux 6.16
 * adds up what the processors hold back ("mm: fix the inaccurate memory statistics issue for users"). */
int pm__metrics_open_memory(int pid, pm__metrics_source_t *out);
int pm__metrics_read_memory(pm__metrics_source_t source, uint64_t *out);

/* How many descriptors may well be kept open for the sake of speed: a small part of
 * those that this process may have. */
unsigned pm__metrics_most_open(void);

/* What says how many processes the system has started; all zeros at first. Stays open. */
typedef struct pm__starts {
  bool opened;
  pm__metrics_source_t source;
} pm__starts_t;

/* The number that the system gave last to a process or a thread: while it stays the
 * same, nothing has been started. 0: nobody knows. */
uint64_t pm__metrics_last_pid(pm__starts_t *starts);
void pm__metrics_close_starts(pm__starts_t *starts);

/* Nanoseconds since boot on the clock that start_time counts by. */
uint64_t pm__metrics_now(void);

#endif /* PM_PLATFORM_METRICS_H */
