/*
 * What happens in the child between clone and exec, on Linux. It runs in the
 * host's memory while the calling thread is suspended (CLONE_VM | CLONE_VFORK),
 * so it makes raw system calls only, allocates nothing and writes to nothing
 * but its own stack and the launch it was given.
 */
#ifndef PM_PLATFORM_SPAWN_LINUX_CHILD_H
#define PM_PLATFORM_SPAWN_LINUX_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

typedef enum {
  PM__STEP_UNSHARE,
  PM__STEP_DUP2,
  PM__STEP_SIGACTION,
  PM__STEP_SETSID,
  PM__STEP_PRCTL,
  PM__STEP_CHDIR,
  PM__STEP_CLOSE,
  PM__STEP_EXECVE
} pm__step_t;

typedef struct pm__launch {
  /* Prepared by the parent. */
  char *const *argv;
  char *const *envp;
  char *const *candidates;
  const char *working_dir;
  int ends[3];       /* become 0, 1, 2 */
  bool shared_files; /* the child shares the descriptor table until it unshares it */
  unsigned keep;     /* descriptors up to this one must survive the unshare */
  pid_t host;        /* who must still be the parent, or there is nobody to work for */

  /* Set by the child when it fails, else left 0. */
  int error; /* negative errno */
  pm__step_t step;
  const char *path; /* the candidate that decided */
} pm__launch_t;

/* The start function for clone(2). Returns only by exec or exit. */
int pm__launch_child(void *launch);

/* The system call a step stands for. */
const char *pm__step_name(pm__step_t step);

#endif /* PM_PLATFORM_SPAWN_LINUX_CHILD_H */
