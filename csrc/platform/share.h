/*
 * The proportional memory (PSS) of processes: what is shared is divided by those who
 * share it. The kernel looks at each page for it, so this is for a thread that may wait.
 */
#ifndef PM_PLATFORM_SHARE_H
#define PM_PLATFORM_SHARE_H

#include <stdint.h>

/* Of the process that began at start_time (as pm__usage_t has it), in bytes. 0; UV_ESRCH:
 * it has gone, or is about to; UV_EACCES, UV_ENOTSUP, UV_EMFILE and the like: nobody may know. */
int pm__share_read(int pid, uint64_t start_time, uint64_t *out);

#endif /* PM_PLATFORM_SHARE_H */
