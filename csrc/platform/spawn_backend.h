/* What a backend of spawn.h provides; shared by its platform files only. */
#ifndef PM_PLATFORM_SPAWN_BACKEND_H
#define PM_PLATFORM_SPAWN_BACKEND_H

#include "spawn.h"

/* What can be done with a child, by how it is contained; the functions are those of
 * spawn.h. */
typedef struct pm__child_kind {
  bool (*has_news)(const pm__child_t *child);
  bool (*reap)(pm__child_t *child);
  void (*take_rest)(pm__child_t *child); /* NULL: whatever ends it, nothing is done about the rest but by the host */
  void (*terminate)(pm__child_t *child);
  void (*kill)(pm__child_t *child);
  int (*signal)(pm__child_t *child, int signum, bool tree);
  bool (*gone)(pm__child_t *child);
  bool (*has_to_be_asked)(const pm__child_t *child);
  bool (*needs_host)(pm__child_t *child);
  int (*survivors)(pm__child_t *child, int *pids, int max);
  int (*count)(pm__child_t *child);
  void (*release)(pm__child_t *child); /* nobody asks any more: takes away what zombie there is */
} pm__child_kind_t;

extern const pm__child_kind_t pm__child_of_group;
extern const pm__child_kind_t pm__child_alone;
extern const pm__child_kind_t pm__child_kept; /* Linux */

typedef struct pm__spawn_backend {
  const char *name;
  int (*start)(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why);
  int (*signal_group)(pm__child_t *child, int signum);
  const pm__child_kind_t *kept; /* NULL: it has not the means for a keeper */
} pm__spawn_backend_t;

/* Waits at most ms for the end of a process. Whether it has come. */
bool pm__await_end(int pidfd, int ms);

/* For children that are the host's own: watches the pidfd, if there is one. */
int pm__child_watch_end(pm__child_t *child);

/* For kept ones: watches the socket, and with two keepers the outer one. */
int pm__child_watch_keeper(pm__child_t *child);

/* What group and alone have in common: the command is the host's own child. */
bool pm__child_own_has_ended(const pm__child_t *child);
bool pm__child_own_reap(pm__child_t *child);
int pm__child_own_signal(pm__child_t *child, int signum);
void pm__child_own_release(pm__child_t *child);

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
