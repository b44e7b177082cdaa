/* Whether this system lets a keeper do its work: one file a system. */
#ifndef PM_PLATFORM_KEEPER_PROBE_H
#define PM_PLATFORM_KEEPER_PROBE_H

typedef struct pm__keeper_failure {
  const char *syscall;
  const char *what; /* in words */
} pm__keeper_failure_t;

/* Runs the open program once. 0, or a negative UV_E* and *why. */
int pm__keeper_try(int fd, pm__keeper_failure_t *why);

#endif /* PM_PLATFORM_KEEPER_PROBE_H */
