/*
 * Starting a command and learning of its end. One backend a system, chosen at
 * run time:
 *
 *   clone     Linux: clone(CLONE_VM | CLONE_VFORK) and a pidfd. Costs the same
 *             whatever the host's memory and whatever else it has started.
 *   uv_spawn  any Unix; where the kernel or a seccomp filter refuses pidfds, and
 *             when it is asked for.
 *
 * A command leads a process group of its own, in a session that is not the
 * host's (its own, or its keeper's). It has no descriptor of the host but its
 * three ends, an empty signal mask and default dispositions. A file is executed
 * or it is not; no shell is ever tried.
 *
 * What it starts is held together in one of the ways of pm_containment_t. Each is
 * a kind of child (spawn_backend.h), in a file of its own: child_kept_linux.c,
 * child_group.c, child_alone.c.
 */
#ifndef PM_PLATFORM_SPAWN_H
#define PM_PLATFORM_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "../pm.h"
#include "group.h"
#include "poller.h"
#include "rlimits.h"

typedef struct pm__child pm__child_t;
typedef struct pm__spawner pm__spawner_t;

/* What to start. All pointers are borrowed for the call. */
typedef struct pm__spawn_spec {
  char *const *argv;
  char *const *envp;
  char *const *candidates;      /* paths for execve, tried in this order as execvp(3) tries PATH */
  const char *working_dir;      /* NULL: the host's */
  bool stdin_pipe;              /* else /dev/null */
  pm_containment_t containment; /* as pm__spawner_containment gives it */
  int stop_signal;              /* what asks the tree to end */
  bool to_command;              /* the stop signal goes to the command first, to the rest when that has ended */
  bool leave_rest;              /* what is left when the command ends by itself is left alone */
  const pm__limits_t *limits;
  double grace; /* ms between stop signal and SIGKILL when the host has gone */
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
  int pid;          /* of the command */
  int in, out, err; /* the host's ends, non-blocking, close-on-exec; in is -1 without a pipe. The
                       owner takes them over */
  void *data;

  const struct pm__child_kind *kind;
  pm_containment_t containment;
  void (*on_exit)(pm__child_t *child);
  void (*on_settled)(pm__child_t *child);
  void (*on_close)(pm__child_t *child);
  unsigned closing; /* watches whose closing is awaited */
  pm__exit_t exit;
  pm_usage_t usage;
  bool has_usage;
  pm__spawner_t *spawner;
  bool ended; /* the command has ended */
  bool lost;  /* its keeper was killed: what it has left has to be looked for */
  int stop_signal;
  bool to_command;
  int pidfd;         /* of the process that is the host's own child: the command, or its keeper */
  pm__watch_t watch; /* of the pidfd */

  /* Of a command that is the host's own child. */
  bool reaped;           /* its pid may belong to somebody else, unless its group lives on */
  uint64_t reaped_at;    /* uv_hrtime */
  uv_process_t *process; /* portable only; of the heap, since it has to outlive a failed uv_spawn */

  /* Of a kept one. */
  int keeper;          /* pid of the outermost; the host's own child */
  int inner_keeper;    /* pid of the inner of two, else 0 */
  int socket;          /* to the innermost; -1 once it has ended */
  pm__watch_t control; /* of the socket */
  bool reported;       /* the keeper has told how the command ended */
  bool left;           /* and that something is left, which it has not told to have ended since */
  bool keeper_ended;   /* it is a zombie, or has been reaped */
  bool reaped_by_else; /* the latter: no zombie keeps its number, which is that of the session */
  bool unwatched;      /* memory was too short to watch it */
  unsigned looks;      /* for what a lost keeper has left */
  uint64_t look_after; /* uv_hrtime: no further look before, but for orders */
};

enum {
  PM__RESERVED_SOCKET = 3, /* the keeper's end; the command's three come first */
  PM__RESERVED_COUNT,
};

/* Per manager. Holds stacks and a few reserved descriptors from the first
 * spawn on. Must not move while children of it live. */
struct pm__spawner {
  pm__poller_t *poller;
  const struct pm__spawn_backend *backend;
  pm_keeper_t *keeper;              /* referenced; NULL: there is none */
  void *stack;                      /* of the children between clone and exec */
  int reserved[PM__RESERVED_COUNT]; /* low descriptor numbers for the child's ends */
  int program;                      /* the keeper's program, at another low number */
  int placeholder;                  /* what stands at the reserved ones between spawns */
  bool no_close_range;              /* the kernel lacks CLOSE_RANGE_UNSHARE */
  pm__group_scan_t groups;
};

/* Chooses a backend, and initialises poller (which is to outlive the spawner)
 * as fits it. Opens nothing. Takes a reference of keeper, which may be NULL. */
void pm__spawner_init(pm__spawner_t *s, pm__poller_t *poller, uv_loop_t *loop, pm_keeper_t *keeper, bool portable);

/* Gives everything back. Idempotent; children already started are unaffected. */
void pm__spawner_close(pm__spawner_t *s);

/* "clone" or "uv_spawn". */
const char *pm__spawner_backend(const pm__spawner_t *s);

/* The containment that a wish for `wanted` comes to: what needs a keeper is a
 * group where there is none. */
pm_containment_t pm__spawner_containment(const pm__spawner_t *s, pm_containment_t wanted);

/* Starts a command and watches it; child->on_exit, on_settled and data are given.
 * 0: child is filled; on_exit is called from the loop once the command has ended;
 * on_settled, if it has a keeper and is not closed by then, when that has ended
 * too: then it is gone, or lost; or when its end will not be heard of and has to be
 * asked for. On failure: negative, *why says at which step, and
 * nothing is left: no process, no descriptor, no open handle; but what had been
 * executed by then and may not be killed (setuid) is left after a second. */
int pm__spawn(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why);

/* Whether the loop has something to hear of it, on_exit or on_settled, that has not
 * been called yet: timers of a loop that was held up run before it is polled. */
bool pm__child_has_news(const pm__child_t *child);

/* After on_exit: takes the zombie away and fills child->exit; until then the pid
 * is surely its own (but libuv's backend has reaped it before it says so, and a
 * keeper before it tells). False: it cannot be had yet, since a debugger holds it
 * (ptrace(2)); try again. Idempotent. */
bool pm__child_reap(pm__child_t *child);

/* The command is about to be made to end by another way than those below: what it
 * leaves is to be ended, too, whatever leave_rest said. */
void pm__child_take_rest(pm__child_t *child);

/* Asks all of it to end by the stop signal, with SIGCONT for what is stopped; with
 * to_command the command alone as long as it lives. A keeper sends it to each
 * process once, to those that appear later too, however often this is called. */
void pm__child_terminate(pm__child_t *child);

/* SIGKILL to all of it; a keeper goes on until nothing is left. */
void pm__child_kill(pm__child_t *child);

/* Sends a signal to the command, or to all of it. 0; UV_ESRCH when nobody is
 * there; UV_EPERM, UV_EAGAIN. */
int pm__child_signal(pm__child_t *child, int signum, bool tree);

/* Whether the command has ended and nothing of it is left. False also when that
 * cannot be told yet: ask again. */
bool pm__child_gone(pm__child_t *child);

/* Whether nobody calls when it is gone, so that one has to ask. */
bool pm__child_has_to_be_asked(const pm__child_t *child);

/* Whether nobody but the host would end it if the host went now: there is no keeper, or
 * that was killed, whether it was heard of or not. */
bool pm__child_needs_host(pm__child_t *child);

/* What lives of it: fills at most max pids, returns how many there are. Looks
 * through /proc where there is one, so not for hot paths. */
int pm__child_survivors(pm__child_t *child, int *pids, int max);

/* How many live, as far as can be told in a few milliseconds: of a tree no more than
 * 256; a group counts as one. */
int pm__child_count(pm__child_t *child);

/* For a host that will not run its loop again: waits at most ms until the whole of
 * it is gone after pm__child_kill. */
void pm__child_await_gone(pm__child_t *child, int ms);

/* The loop is (not) kept alive by the watch. */
void pm__child_ref(pm__child_t *child);
void pm__child_unref(pm__child_t *child);

/* Stops watching; cb once the memory may go. A command that lives and is the
 * host's own child is left alone: end and reap it before. A keeper that lives
 * ends its tree when its socket is closed by this; one that has ended is reaped. */
void pm__child_close(pm__child_t *child, void (*cb)(pm__child_t *));

#endif /* PM_PLATFORM_SPAWN_H */
