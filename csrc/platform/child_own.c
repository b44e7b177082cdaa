/* A command that is the host's own child: what group and alone have in common. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "raw_syscall.h"
#include "spawn_backend.h"

/* Linux: whatever signal a clone announces its end by (waitpid(2)). */
#ifdef __WALL
#define ANY_CLONE __WALL
#else
#define ANY_CLONE 0
#endif

static void on_pidfd(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  pm__watch_stop(watch);
  child->ended = true;
  child->on_exit(child);
}

int pm__child_watch_end(pm__child_t *child) {
  child->watch.fd = child->pidfd;
  return pm__watch_start(&child->watch, PM__READABLE, on_pidfd);
}

/* WNOWAIT: it stays as it is. */
bool pm__child_own_has_ended(const pm__child_t *child) {
  siginfo_t info = {0};
  if (child->ended) return false;
  return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid;
}

/* ECHILD means somebody else reaped it (a host that ignores SIGCHLD, a stray
 * waitpid(-1)): then nobody knows how it ended. 0 means that it lives, or that it
 * is a zombie for its debugger only, as yet. */
static bool reap(pm__child_t *child) {
  int status = 0;
  struct rusage usage = {0};
  pid_t r;
  do {
    r = wait4(child->pid, &status, WNOHANG | ANY_CLONE, &usage);
  } while (r < 0 && errno == EINTR);
  if (r != child->pid) return r != 0;
  if (WIFEXITED(status)) child->exit.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) child->exit.signum = WTERMSIG(status);
  child->usage.user = (uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec;
  child->usage.system = (uint64_t)usage.ru_stime.tv_sec * 1000000 + (uint64_t)usage.ru_stime.tv_usec;
  child->usage.max_rss = (uint64_t)usage.ru_maxrss;
  child->has_usage = true;
  return true;
}

bool pm__child_own_reap(pm__child_t *child) {
  if (child->reaped_at) return true;
  if (!child->reaped && !reap(child)) return false;
  child->reaped = true;
  child->reaped_at = uv_hrtime();
  return true;
}

void pm__child_own_release(pm__child_t *child) {
  pm__child_own_reap(child);
}

/* Until it has been reaped its pid is its own. */
int pm__child_own_signal(pm__child_t *child, int signum) {
  if (child->reaped) return UV_ESRCH;
  return kill(child->pid, signum) == 0 ? 0 : -errno;
}
