/*
 * Parses the text of /proc/PID/stat (proc(5)): pure, allocates nothing, takes
 * any bytes.
 */
#ifndef PM_PLATFORM_PROC_STAT_H
#define PM_PLATFORM_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pm__proc_stat {
  int pid;
  char state; /* R S D Z T t W X x K P I */
  int ppid;
  int pgrp;
  int session;
  uint64_t utime, stime;   /* clock ticks */
  uint64_t cutime, cstime; /* of the descendants that it has waited for, and those that they had; 0 if less is said */
  uint64_t threads;
  uint64_t start_time; /* clock ticks since boot */
  uint64_t rss_pages;  /* 0 if the kernel says less than 0 */
} pm__proc_stat_t;

/* The name stands in parentheses and may hold spaces, parentheses and newlines:
 * fields are counted from the last ')'. 0, or UV_EINVAL and *out untouched. */
int pm__proc_stat_parse(const char *text, size_t len, pm__proc_stat_t *out);

/* Whether anything of it still runs. The state is its first thread's: when that
 * alone has ended (pthread_exit(3) in main), the process shows as a zombie too, but
 * with other threads. */
bool pm__proc_stat_lives(const pm__proc_stat_t *stat);

#endif /* PM_PLATFORM_PROC_STAT_H */
