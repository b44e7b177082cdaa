/* The host's side of a spawn on Linux: a clone that shares memory and, where
 * the kernel can unshare it cheaply, the descriptor table; a pidfd to watch. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/launch/keeper.h"
#include "../keeper/protocol.h"
#include "clone_linux.h"
#include "raw_syscall.h"
#include "spawn_backend.h"
#include "spawn_linux_child.h"
#include "tree.h"

/* pidfd_send_signal(2), since Linux 6.9. */
#define SIGNAL_PROCESS_GROUP (1U << 2)

/* One for the host's own child, one for what each keeper clones. */
enum { STACKS = 1 + PM__MOST_KEEPERS };

/* Looks, some milliseconds each, for what is left of a spawn whose keeper was
 * killed: only what cannot be killed at once takes more than two. */
enum { MOST_SWEEPS = 50 };

static int clone_start(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why);
static int clone_signal_group(pm__child_t *child, int signum);

static const pm__spawn_backend_t backend_clone = {"clone", clone_start, clone_signal_group, &pm__child_kept};

/* By a kernel that lacks the call, valgrind, or a seccomp filter: for good. Anything
 * else, as a table of descriptors that is full at the moment, passes. */
static bool is_refused(long error) {
  return error == -ENOSYS || error == -EINVAL || error == -EPERM || error == -EACCES;
}

static bool has_pidfd(void) {
  long fd = pm__raw2(SYS_pidfd_open, getpid(), 0);
  if (fd < 0) return !is_refused(fd);
  /* Signals by pidfd are as old (5.1) but may be filtered apart. */
  long r = pm__raw4(SYS_pidfd_send_signal, fd, 0, 0, 0);
  close((int)fd);
  return r == 0;
}

void pm__spawner_choose(pm__spawner_t *s) {
  if (has_pidfd()) s->backend = &backend_clone;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* ---- what a spawner holds ------------------------------------------------------- */

void pm__spawner_release(pm__spawner_t *s) {
  if (s->stack) pm__stacks_unmap(s->stack, STACKS);
  s->stack = NULL;
  for (int i = 0; i < PM__RESERVED_COUNT; i++)
    close_fd(&s->reserved[i]);
  close_fd(&s->program);
  close_fd(&s->placeholder);
}

static int reserve(int fd, int *number, pm__spawn_failure_t *why) {
  *number = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return *number < 0 ? pm__spawn_fail(why, -errno, "fcntl", NULL) : 0;
}

/* The lowest numbers that are free, so that the child's table is short. */
static int reserve_descriptors(pm__spawner_t *s, pm__spawn_failure_t *why) {
  int count = s->keeper ? PM__RESERVED_COUNT : PM__RESERVED_SOCKET;
  int r = 0;
  s->placeholder = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (s->placeholder < 0) return pm__spawn_fail(why, -errno, "open", "/dev/null");
  for (int i = 0; i < count && r == 0; i++)
    r = reserve(s->placeholder, &s->reserved[i], why);
  if (r == 0 && s->keeper) r = reserve(pm__keeper_descriptor(s->keeper), &s->program, why);
  return r;
}

static int prepare(pm__spawner_t *s, pm__spawn_failure_t *why) {
  int r = pm__poller_prepare(s->poller);
  if (r != 0) return pm__spawn_fail(why, r, "epoll_create1", NULL);
  if (s->stack) return 0;
  r = reserve_descriptors(s, why);
  if (r == 0) {
    s->stack = pm__stacks_map(STACKS);
    if (!s->stack) r = pm__spawn_fail(why, -errno, "mmap", NULL);
  }
  if (r != 0) pm__spawner_release(s);
  return r;
}

static unsigned highest_reserved(const pm__spawner_t *s) {
  int highest = s->program > 2 ? s->program : 2;
  for (int i = 0; i < PM__RESERVED_COUNT; i++)
    if (s->reserved[i] > highest) highest = s->reserved[i];
  return (unsigned)highest;
}

/* Puts fd (an end of the child's, or the placeholder) at a reserved number; dup3
 * replaces in one step, so no other thread can get the number. */
static int occupy(int fd, int number) {
  int r;
  do {
    r = dup3(fd, number, O_CLOEXEC);
  } while (r < 0 && (errno == EINTR || errno == EBUSY));
  return r < 0 ? -errno : 0;
}

/* ---- the ends of one start ------------------------------------------------------- */

/* socket[0] is the host's, or -1 without a keeper. */
typedef struct ends {
  pm__stdio_t io;
  int socket[2];
} ends_t;

static int open_ends(ends_t *e, const pm__spawn_spec_t *spec, int keepers, pm__spawn_failure_t *why) {
  e->socket[0] = e->socket[1] = -1;
  int r = pm__stdio_open(&e->io, spec->stdin_pipe, why);
  if (r != 0 || keepers == 0) return r;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->socket) == 0) return 0;
  r = pm__spawn_fail(why, -errno, "socketpair", NULL);
  pm__stdio_close(&e->io);
  return r;
}

static int place_ends(const pm__spawner_t *s, const ends_t *e, pm__spawn_failure_t *why) {
  int r = 0;
  for (int i = 0; i < 3 && r == 0; i++)
    r = occupy(e->io.child[i], s->reserved[i]);
  if (r == 0 && e->socket[1] >= 0) r = occupy(e->socket[1], s->reserved[PM__RESERVED_SOCKET]);
  return r == 0 ? 0 : pm__spawn_fail(why, r, "dup3", NULL);
}

/* The child's ends are closed at both of their numbers, or EOF never comes. */
static void close_child_ends(const pm__spawner_t *s, ends_t *e) {
  int count = e->socket[1] >= 0 ? PM__RESERVED_COUNT : PM__RESERVED_SOCKET;
  pm__stdio_close_child_ends(&e->io);
  close_fd(&e->socket[1]);
  for (int i = 0; i < count; i++)
    occupy(s->placeholder, s->reserved[i]);
}

/* ---- the clone -------------------------------------------------------------------- */

/* A child that failed has exited by the time clone returns (CLONE_VFORK); but a debugger
 * may keep its zombie to itself. */
static void discard(int pid, int *pidfd) {
  pm__await_end(*pidfd, PM__END_PATIENCE);
  while (waitpid(pid, NULL, __WALL | WNOHANG) < 0 && errno == EINTR) {
  }
  close_fd(pidfd);
}

/* Sends signum to one that was cloned in there, and waits for its end. Its parent has
 * gone, so its number may be somebody else's by now; but not a number in its session.
 * One that may not be signalled has executed a setuid program: it has left our
 * memory, and may never end. False: it was signalled, and lives. */
static bool await_stray(const pm__launch_t *l, pid_t pid, int signum) {
  pm__proc_stat_t stat;
  bool ended = true;
  if (pid == 0) return true;
  int fd = (int)pm__raw2(SYS_pidfd_open, pid, 0);
  if (fd < 0) return true;
  if (pm__tree_stat(pid, &stat) == 0 && stat.session == l->keeper[0] &&
      pm__raw4(SYS_pidfd_send_signal, fd, signum, 0, 0) == 0)
    ended = pm__await_end(fd, PM__END_PATIENCE);
  close(fd);
  return ended;
}

/* It stays a zombie, so that its session's number is given to nobody else. */
static bool was_killed(const pm__launch_t *l, int pid, int pidfd) {
  siginfo_t info = {0};
  pm__await_end(pidfd, PM__END_PATIENCE);
  int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG | __WALL);
  /* A host that ignores SIGCHLD is not told; but who failed has said why. */
  return r == 0 && info.si_pid == pid ? info.si_code != CLD_EXITED : l->error == 0;
}

static bool has_read_its_order(int socket) {
  int queued;
  return ioctl(socket, SIOCOUTQ, &queued) == 0 && queued == 0;
}

/* Somebody killed the first child before it became the keeper. What it had cloned
 * may still run in our memory, for the few instructions until it dies of that: as
 * long it must be waited for. An inner keeper has lost its parent, too, but is not
 * killed: its command may have started others that only it can find. Its order waits
 * for it if it does not work yet; if it does, and there is what it cannot kill, that is
 * left to it. */
static void end_strays(const pm__launch_t *l, int socket) {
  const pm__keeper_order_t order = {.kind = PM__KEEPER_KILL};
  if (l->keeper[1] > 0) send(socket, &order, sizeof(order), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (!await_stray(l, l->keeper[1], SIGCONT)) {
    if (has_read_its_order(socket)) return;
    await_stray(l, l->keeper[1], SIGKILL);
  }
  await_stray(l, l->command, SIGKILL);
  for (int i = 0; l->keeper[0] > 0 && i < MOST_SWEEPS && pm__session_kill(l->keeper[0], l->command) > 0; i++) {
  }
}

static int launch(pm__spawner_t *s, pm__launch_t *l, int socket, int *pid, int *pidfd, pm__spawn_failure_t *why) {
  l->shared_files = !s->no_close_range;
  int flags = CLONE_PIDFD | (l->shared_files ? CLONE_FILES : 0);
  int r =
      pm__clone(l->keepers ? pm__launch_keeper : pm__launch_command, pm__stack_top(s->stack, 0), flags, l, pid, pidfd);
  if (r != 0) return pm__spawn_fail(why, r, "clone", NULL);
  if (l->error == 0 && (l->kept[0] || l->keepers == 0)) return 0;
  bool killed = l->keepers > 0 && was_killed(l, *pid, *pidfd);
  if (killed) end_strays(l, socket);
  discard(*pid, pidfd);
  if (killed) return pm__spawn_fail(why, UV_ESRCH, pm__step_name(PM__STEP_KEEPER), NULL);
  if (l->step == PM__STEP_UNSHARE && is_refused(l->error)) {
    /* Nothing has happened yet: once more without sharing the table. */
    s->no_close_range = true;
    l->error = 0;
    l->keeper[0] = 0;
    l->parent = getpid();
    return launch(s, l, socket, pid, pidfd, why);
  }
  return pm__spawn_fail(why, l->error, pm__step_name(l->step), l->path);
}

static int keepers_of(pm_containment_t containment) {
  if (containment == PM_CONTAINMENT_TREE) return 1;
  return containment == PM_CONTAINMENT_NESTED ? 2 : 0;
}

/* Seconds from SIGXCPU to SIGKILL. */
enum { CPU_GRACE = 5 };

static void describe_limits(pm__launch_t *l, const pm__limits_t *limits) {
  static const int resources[PM__LIMIT_COUNT] = {
      [PM__LIMIT_CPU] = RLIMIT_CPU,           [PM__LIMIT_FILE_SIZE] = RLIMIT_FSIZE,
      [PM__LIMIT_OPEN_FILES] = RLIMIT_NOFILE, [PM__LIMIT_PROCESSES] = RLIMIT_NPROC,
      [PM__LIMIT_ADDRESS_SPACE] = RLIMIT_AS,  [PM__LIMIT_DATA_SIZE] = RLIMIT_DATA,
      [PM__LIMIT_STACK_SIZE] = RLIMIT_STACK,  [PM__LIMIT_LOCKED_MEMORY] = RLIMIT_MEMLOCK,
      [PM__LIMIT_CORE_SIZE] = RLIMIT_CORE,
  };
  for (int i = 0; limits && i < PM__LIMIT_COUNT; i++) {
    if (!(limits->value[i] < INFINITY)) continue;
    uint64_t value = (uint64_t)limits->value[i];
    uint64_t hard = i == PM__LIMIT_CPU ? value + CPU_GRACE : value;
    l->limits[l->limit_count++] = (pm__rlimit_t){resources[i], {value, hard}, limits->name[i]};
  }
  l->nice = limits ? limits->nice : 0;
  l->nice_name = limits ? limits->nice_name : NULL;
}

static pm__launch_t describe(const pm__spawner_t *s, const pm__spawn_spec_t *spec) {
  int flags = (spec->to_command ? PM__KEEPER_TO_COMMAND : 0) | (spec->leave_rest ? PM__KEEPER_LEAVE_REST : 0);
  return (pm__launch_t){.argv = spec->argv,
                        .envp = spec->envp,
                        .candidates = spec->candidates,
                        .working_dir = spec->working_dir,
                        .ends = {s->reserved[0], s->reserved[1], s->reserved[2]},
                        .keep = highest_reserved(s),
                        .parent = getpid(),
                        .outlives_parent = spec->containment == PM_CONTAINMENT_NONE,
                        .keepers = keepers_of(spec->containment),
                        .program = s->program,
                        .socket = s->reserved[PM__RESERVED_SOCKET],
                        .grace = (unsigned long)spec->grace,
                        .stop_signal = spec->stop_signal,
                        .flags = flags,
                        .stack = {pm__stack_top(s->stack, 1), pm__stack_top(s->stack, 2)}};
}

/* From here on the command runs: a failure has to end it again. A keeper's socket
 * is closed by the caller, which ends its tree, too; but here it is waited for, unless
 * there is what it cannot kill. */
static int watch_child(pm__child_t *child, pm__spawn_failure_t *why) {
  int r = child->keeper ? pm__child_watch_keeper(child) : pm__child_watch_end(child);
  if (r == 0) return 0;
  pm__watch_stop(&child->control);
  pm__child_kill(child);
  discard(child->keeper ? child->keeper : child->pid, &child->pidfd);
  return pm__spawn_fail(why, r, "epoll_ctl", NULL);
}

static int start_child(pm__spawner_t *s, const pm__spawn_spec_t *spec, int socket, pm__child_t *child,
                       pm__spawn_failure_t *why) {
  int pid;
  pm__launch_t l = describe(s, spec);
  describe_limits(&l, spec->limits);
  int r = launch(s, &l, socket, &pid, &child->pidfd, why);
  if (r != 0) return r;
  child->pid = l.keepers ? l.command : pid;
  child->keeper = l.keepers ? pid : 0;
  child->inner_keeper = l.keeper[1];
  child->socket = socket;
  r = watch_child(child, why);
  if (r != 0) child->socket = -1;
  return r;
}

static int clone_start(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why) {
  ends_t ends;
  int r = prepare(s, why);
  if (r == 0) r = open_ends(&ends, spec, keepers_of(spec->containment), why);
  if (r != 0) return r;
  r = place_ends(s, &ends, why);
  if (r == 0) r = start_child(s, spec, ends.socket[0], child, why);
  close_child_ends(s, &ends);
  if (r != 0) {
    pm__stdio_close(&ends.io);
    close_fd(&ends.socket[0]);
    return r;
  }
  child->in = ends.io.host[0];
  child->out = ends.io.host[1];
  child->err = ends.io.host[2];
  return 0;
}

/* By pidfd the group is named by what it is, not by a number that could be
 * somebody else's by now. */
static int clone_signal_group(pm__child_t *child, int signum) {
  if (child->pidfd >= 0) {
    long r = pm__raw4(SYS_pidfd_send_signal, child->pidfd, signum, 0, SIGNAL_PROCESS_GROUP);
    if (r != -EINVAL && r != -ENOSYS) return (int)r;
  }
  return kill(-child->pid, signum) == 0 ? 0 : -errno;
}
