#define _GNU_SOURCE
#include "keeper_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "../keeper/protocol.h"
#include "clone_linux.h"
#include "raw_syscall.h"

/* How the child ends that could not execute the program: no exit code of that. */
enum { NOT_EXECUTED = 127 };

enum { STACKS = 2 };

typedef struct attempt {
  int fd;
  char *stack; /* of the one that executes */
  long clone_error, error;
  int status; /* as of waitpid(2) */
} attempt_t;

PM__RAW static int execute(void *arg) {
  attempt_t *a = arg;
  char name[] = PM__KEEPER_NAME;
  char probe[] = PM__KEEPER_PROBE;
  char *const argv[] = {name, probe, NULL};
  char *const envp[] = {NULL};
  a->error =
      pm__raw5(SYS_execveat, a->fd, PM__RAW_POINTER(""), PM__RAW_POINTER(argv), PM__RAW_POINTER(envp), AT_EMPTY_PATH);
  pm__raw1(SYS_exit_group, NOT_EXECUTED);
  __builtin_unreachable();
}

/* A host that ignores SIGCHLD is told no exit code, one that waits for any child may
 * take it away: so a child of its own, with default dispositions, waits instead. */
PM__RAW static int attend(void *arg) {
  attempt_t *a = arg;
  pm__raw_default_action(SIGCHLD);
  int pid = clone(execute, a->stack, CLONE_VM | CLONE_VFORK | SIGCHLD, a);
  if (pid < 0) a->clone_error = -errno;
  while (pid > 0 && pm__raw4(SYS_wait4, pid, PM__RAW_POINTER(&a->status), __WALL, 0) == -EINTR) {
  }
  pm__raw1(SYS_exit_group, 0);
  __builtin_unreachable();
}

static int fail(pm__keeper_failure_t *why, int err, const char *syscall, const char *what) {
  *why = (pm__keeper_failure_t){syscall, what};
  return err;
}

static int judge(int code, pm__keeper_failure_t *why) {
  switch (code) {
  case PM__KEEPER_NEEDS_NOTHING:
    return 0;
  case PM__KEEPER_NEEDS_SUBREAPER:
    return fail(why, UV_ENOTSUP, "prctl", "this system does not let a process become a subreaper");
  case PM__KEEPER_NEEDS_SIGNALFD:
    return fail(why, UV_ENOTSUP, "signalfd", "this system has no signalfd");
  case PM__KEEPER_NEEDS_PIDFD:
    return fail(why, UV_ENOTSUP, "pidfd_open", "this system has no pidfd");
  case PM__KEEPER_NEEDS_PROC:
    return fail(why, UV_ENOTSUP, "open", "/proc is not there, or lists no children (CONFIG_PROC_CHILDREN)");
  case PM__KEEPER_NEEDS_ROOM:
    return fail(why, UV_ENFILE, "open", "the system is short of descriptors or memory");
  default:
    return fail(why, UV_ENOTSUP, "execveat", "the keeper's program ended at once; is it for another system?");
  }
}

static int run_once(int fd, pm__keeper_failure_t *why) {
  pid_t pid;
  void *stacks = pm__stacks_map(STACKS);
  if (!stacks) return fail(why, -errno, "mmap", "there is no memory to start it");
  attempt_t attempt = {.fd = fd, .stack = pm__stack_top(stacks, 1), .status = NOT_EXECUTED << 8};
  int r = pm__clone(attend, pm__stack_top(stacks, 0), 0, &attempt, &pid, NULL);
  while (r == 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
  }
  pm__stacks_unmap(stacks, STACKS);
  if (r == 0) r = (int)attempt.clone_error;
  if (r != 0) return fail(why, r, "clone", "a process that shares memory cannot be started");
  if (attempt.error != 0) return fail(why, (int)attempt.error, "execveat", "the keeper's program cannot be executed");
  return judge(WIFEXITED(attempt.status) ? WEXITSTATUS(attempt.status) : NOT_EXECUTED, why);
}

int pm__keeper_try(const char *path, pm__keeper_failure_t *why) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(why, -errno, "open", "the keeper's program cannot be opened");
  int r = run_once(fd, why);
  if (r == 0) return fd;
  close(fd);
  return r;
}

void pm__keeper_shut(int fd) {
  close(fd);
}
