/*
 * What of one process takes opening several files to find out: for a thread of its
 * own, not the loop's. Allocates nothing, has no state.
 */
#ifndef PM_PLATFORM_DETAILS_H
#define PM_PLATFORM_DETAILS_H

#include <stdbool.h>
#include <stdint.h>

/* Of each -1 if it may not be read, or this system does not tell. */
typedef struct pm__details {
  int64_t descriptors;            /* open */
  int64_t voluntary, involuntary; /* context switches of its living threads */
  int64_t read, written;          /* bytes from and to storage */
  int64_t peak;                   /* bytes, the most that it had resident */
  int64_t pss;                    /* bytes; -1 if it is not wanted */
} pm__details_t;

/* Reads them of the process that began at start_time (as pm__usage_t has it). pss is
 * slow: the kernel looks at each page. 0; UV_ESRCH: it has gone; UV_EMFILE and the like. */
int pm__details_read(int pid, uint64_t start_time, bool pss, pm__details_t *out);

#endif /* PM_PLATFORM_DETAILS_H */
