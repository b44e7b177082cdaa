/*
 * What happens in the children between clone and exec, on Linux. They run in the
 * host's memory while the calling thread is suspended (CLONE_VM | CLONE_VFORK),
 * so they make raw system calls only, allocate nothing and write to nothing but
 * their own stacks and the launch they were given.
 */
#ifndef PM_PLATFORM_SPAWN_LINUX_CHILD_H
#define PM_PLATFORM_SPAWN_LINUX_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "raw_text.h"
#include "rlimits.h"

typedef enum {
  PM__STEP_UNSHARE,
  PM__STEP_DUP2,
  PM__STEP_SIGACTION,
  PM__STEP_SETSID,
  PM__STEP_SETPGID,
  PM__STEP_PRCTL,
  PM__STEP_CHDIR,
  PM__STEP_CLOSE,
  PM__STEP_LIMIT,
  PM__STEP_NICE,
  PM__STEP_EXECVE,
  PM__STEP_CLONE,
  PM__STEP_KEEPER
} pm__step_t;

/* One inside the other. */
enum { PM__MOST_KEEPERS = 2 };

/* ms that a spawn which has failed waits for the end of what it had started: only what
 * cannot be killed, or is held by a debugger, takes so long. */
enum { PM__END_PATIENCE = 1000 };

/* For prlimit(2), whose struct is the same on every processor. */
typedef struct pm__rlimit {
  int resource;
  uint64_t soft_hard[2];
  const char *name;
} pm__rlimit_t;

typedef struct pm__launch {
  /* Prepared by the host. */
  char *const *argv;
  char *const *envp;
  char *const *candidates;
  const char *working_dir;
  int ends[3];       /* become 0, 1, 2 */
  bool shared_files; /* the child shares the descriptor table until it unshares it */
  unsigned keep;     /* descriptors up to this one must survive the unshare */
  pid_t parent;      /* who must still be the parent, or there is nobody to work for; each child sets it for its own */
  pm__rlimit_t limits[PM__LIMIT_COUNT];
  int limit_count;
  int nice; /* added to the host's */
  const char *nice_name;
  bool outlives_parent; /* it is not to die with its parent */

  /* Of keepers. */
  int keepers; /* 0 to PM__MOST_KEEPERS */
  int program; /* their program */
  int socket;  /* becomes the innermost one's descriptor PM__KEEPER_SOCKET */
  unsigned long grace;
  int stop_signal;
  int flags;                     /* of protocol.h, for the innermost */
  char *stack[PM__MOST_KEEPERS]; /* tops, of what each keeper clones */

  /* Set by the children. */
  pid_t keeper[PM__MOST_KEEPERS]; /* the outermost first */
  pid_t command;                  /* from the clone on, by the kernel */
  bool kept[PM__MOST_KEEPERS];    /* is about to become the keeper: nobody runs in our memory behind it */
  int error;                      /* negative errno; 0 if nothing failed */
  pm__step_t step;                /* which failed */
  const char *path;               /* the candidate that decided, or the limit */
  char text[PM__MOST_KEEPERS][5][PM__RAW_DIGITS + 1]; /* arguments of keepers */
} pm__launch_t;

/* Start functions for clone(2): the command, and a keeper that clones what is
 * within it. They return only by exec or exit. */
int pm__launch_command(void *launch);
int pm__launch_keeper(void *launch);

/* Shared by both: unshares the descriptor table; gives up handlers and ignored
 * signals; closes all descriptors from first on but one (-1: all); notes a
 * failure. Each gives 0, or what it noted. */
long pm__launch_own_descriptors(pm__launch_t *l);
long pm__launch_default_signals(pm__launch_t *l);
long pm__launch_close(pm__launch_t *l, int first, int except);
long pm__launch_fail(pm__launch_t *l, pm__step_t step, long error, const char *path);

/* The system call a step stands for. */
const char *pm__step_name(pm__step_t step);

#ifdef PM_TEST_FAULTS
/* For tests: who gets a signal at which point of a spawn, once. */
typedef enum {
  PM__FAULT_NONE,
  PM__FAULT_CLONED,
  PM__FAULT_IN_SESSION,
  PM__FAULT_BETWEEN_EXECS,
  PM__FAULT_IN_COMMAND
} pm__fault_point_t;
extern pm__fault_point_t pm__launch_fault_at;
extern pid_t pm__launch_fault_pid;  /* 0: the one that is there */
extern int pm__launch_fault_signum; /* 0: SIGKILL */
extern int pm__launch_fault_skip;   /* how many pass it unharmed first: with two keepers some points come twice */
void pm__launch_fault(pm__fault_point_t at);
#else
#define pm__launch_fault(at) ((void)0)
#endif

#endif /* PM_PLATFORM_SPAWN_LINUX_CHILD_H */
