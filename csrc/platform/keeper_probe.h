/* The keeper's program, and whether this system lets it do its work: one file a system. */
#ifndef PM_PLATFORM_KEEPER_PROBE_H
#define PM_PLATFORM_KEEPER_PROBE_H

typedef struct pm__keeper_failure {
  const char *syscall;
  const char *what; /* in words */
} pm__keeper_failure_t;

/* Opens the program, close-on-exec, and runs it once. Its descriptor, which is for
 * the caller to close; or a negative UV_E* and *why. */
int pm__keeper_try(const char *path, pm__keeper_failure_t *why);

void pm__keeper_shut(int fd);

#endif /* PM_PLATFORM_KEEPER_PROBE_H */
