/*
 * Starting a command and learning of its end. One backend a system, chosen at
 * run time:
 *
 *   clone     Linux: clone(CLONE_VM | CLONE_VFORK) and a pidfd. Costs the same
 *             whatever the host's memory and whatever else it has started.
 *   uv_spawn  any Unix; where the kernel or a seccomp filter refuses pidfds, and
 *             when it is asked for.
 *
 * A command is always the leader of a session and process group of its own, has
 * no descriptor of the host but its three ends, an empty signal mask and default
 * dispositions. A file is executed or it is not; no shell is ever tried.
 */
#ifndef PM_PLATFORM_SPAWN_H
#define PM_PLATFORM_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "group.h"
#include "poller.h"

typedef struct pm__child pm__child_t;
typedef struct pm__spawner pm__spawner_t;

/* What to start. All pointers are borrowed for the call. */
typedef struct pm__spawn_spec {
  char *const *argv;
  char *const *envp;
  char *const *candidates; /* paths for execve, tried in this order as execvp(3) tries PATH */
  const char *working_dir; /* NULL: the host's */
  bool stdin_pipe;         /* else /dev/null */
} pm__spawn_spec_t;

/* Why nothing was started. */
typedef struct pm__spawn_failure {
  int err;             /* negative UV_E* */
  const char *syscall; /* the step: "pipe2", "clone", "chdir", "execve", … */
  const char *path;    /* of the spec's strings, or NULL */
} pm__spawn_failure_t;

/* How a command ended. */
typedef struct pm__exit {
  int code;   /* -1: by a signal, or nobody knows */
  int signum; /* 0: not by a signal, or nobody knows */
} pm__exit_t;

/* One started command. The owner's memory; it holds libuv handles, so it may be
 * freed only when the callback of pm__child_close has run. */
struct pm__child {
  int pid;
  int in, out, err; /* the host's ends, non-blocking, close-on-exec; in is -1 without a pipe. The
                       owner takes them over */
  void *data;

  const struct pm__spawn_backend *backend;
  void (*on_exit)(pm__child_t *child);
  void (*on_close)(pm__child_t *child);
  pm__exit_t exit;
  int pidfd;
  pm__spawner_t *spawner;
  bool ended;            /* it has ended; it is a zombie until reaped */
  bool reaped;           /* its pid may belong to somebody else, unless its group lives on */
  uint64_t reaped_at;    /* uv_hrtime */
  pm__watch_t watch;     /* of the pidfd */
  uv_process_t *process; /* portable only; of the heap, since it has to outlive a failed uv_spawn */
};

/* Per manager. Holds a stack and a few reserved descriptors from the first
 * spawn on. Must not move while children of it live. */
struct pm__spawner {
  pm__poller_t *poller;
  const struct pm__spawn_backend *backend;
  void *stack;         /* of the child between clone and exec */
  int reserved[3];     /* low descriptor numbers for the child's ends */
  int placeholder;     /* what stands at them between spawns */
  bool no_close_range; /* the kernel lacks CLOSE_RANGE_UNSHARE */
  pm__group_scan_t groups;
};

/* Chooses a backend, and initialises poller (which is to outlive the spawner)
 * as fits it. Opens nothing. */
void pm__spawner_init(pm__spawner_t *s, pm__poller_t *poller, uv_loop_t *loop, bool portable);

/* Gives everything back. Idempotent; children already started are unaffected. */
void pm__spawner_close(pm__spawner_t *s);

/* "clone" or "uv_spawn". */
const char *pm__spawner_backend(const pm__spawner_t *s);

/* Starts a command and watches it. 0: child is filled; on_exit is called from
 * the loop once it has ended. On failure: negative, *why says at which step, and
 * nothing is left: no process, no descriptor, no open handle. */
int pm__spawn(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, void (*on_exit)(pm__child_t *),
              pm__spawn_failure_t *why);

/* Whether it has ended by now, also when on_exit has not been called yet: timers
 * of a loop that was held up run before it is polled. */
bool pm__child_has_ended(const pm__child_t *child);

/* After on_exit: takes the zombie away and fills child->exit; until then the pid
 * is surely its own (but libuv's backend has reaped it before it says so). False:
 * it cannot be had yet, since a debugger holds it (ptrace(2)); try again.
 * Idempotent. */
bool pm__child_reap(pm__child_t *child);

/* Sends a signal to the command's process group, which the command, being the
 * leader of its session, cannot leave (setpgid(2)). 0, or UV_ESRCH when nobody
 * is there. */
int pm__child_signal(pm__child_t *child, int signum);

/* Whether the command has ended and been reaped and its group has no living
 * member. False also when that cannot be told yet: ask again. */
bool pm__child_gone(pm__child_t *child);

/* The living members of its group: fills at most max pids, returns how many
 * there are. Looks through /proc where there is one, so not for hot paths. */
int pm__child_survivors(pm__child_t *child, int *pids, int max);

/* The loop is (not) kept alive by the watch. */
void pm__child_ref(pm__child_t *child);
void pm__child_unref(pm__child_t *child);

/* Stops watching; cb once the memory may go. The command, should it live, is
 * left alone: end and reap it before. */
void pm__child_close(pm__child_t *child, void (*cb)(pm__child_t *));

#endif /* PM_PLATFORM_SPAWN_H */
