/* What a backend of spawn.h provides; shared by its platform files only. */
#ifndef PM_PLATFORM_SPAWN_BACKEND_H
#define PM_PLATFORM_SPAWN_BACKEND_H

#include "spawn.h"

typedef struct pm__spawn_backend {
  const char *name;
  int (*start)(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why);
  int (*signal_group)(pm__child_t *child, int signum);
} pm__spawn_backend_t;

extern const pm__spawn_backend_t pm__spawn_portable;

/* Sets a better backend than the portable one if this system has it: one file a
 * system. */
void pm__spawner_choose(pm__spawner_t *s);

/* Gives back what the system's own backend holds. */
void pm__spawner_release(pm__spawner_t *s);

/* The ends of the three pipes: [0] stdin, [1] stdout, [2] stderr. */
typedef struct pm__stdio {
  int host[3];
  int child[3]; /* the command's; stdin may be /dev/null */
} pm__stdio_t;

/* Opens them, everything close-on-exec, the host's ends non-blocking. */
int pm__stdio_open(pm__stdio_t *io, bool stdin_pipe, pm__spawn_failure_t *why);
void pm__stdio_close_child_ends(pm__stdio_t *io);
void pm__stdio_close(pm__stdio_t *io);

/* Fills *why and returns err. */
int pm__spawn_fail(pm__spawn_failure_t *why, int err, const char *syscall, const char *path);

#endif /* PM_PLATFORM_SPAWN_BACKEND_H */
