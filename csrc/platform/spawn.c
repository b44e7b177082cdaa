/* The part of spawn.h that is the same on every Unix. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "spawn_backend.h"

/* Linux: whatever signal a clone announces its end by (waitpid(2)). */
#ifdef __WALL
#define ANY_CLONE __WALL
#else
#define ANY_CLONE 0
#endif

void pm__spawner_init(pm__spawner_t *s, pm__poller_t *poller, uv_loop_t *loop, bool portable) {
  *s = (pm__spawner_t){.poller = poller, .reserved = {-1, -1, -1}, .placeholder = -1};
  s->backend = &pm__spawn_portable;
  if (!portable) pm__spawner_choose(s);
  pm__poller_init(poller, loop, s->backend == &pm__spawn_portable);
}

void pm__spawner_close(pm__spawner_t *s) {
  pm__spawner_release(s);
  pm__group_scan_free(&s->groups);
}

const char *pm__spawner_backend(const pm__spawner_t *s) {
  return s->backend->name;
}

int pm__spawn_fail(pm__spawn_failure_t *why, int err, const char *syscall, const char *path) {
  *why = (pm__spawn_failure_t){.err = err, .syscall = syscall, .path = path};
  return err;
}

int pm__spawn(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, void (*on_exit)(pm__child_t *),
              pm__spawn_failure_t *why) {
  *child = (pm__child_t){.in = -1, .out = -1, .err = -1, .pidfd = -1, .data = child->data};
  child->on_exit = on_exit;
  child->exit.code = -1;
  child->backend = s->backend;
  child->spawner = s;
  child->watch.data = child;
  pm__watch_init(&child->watch, s->poller, -1);
  return s->backend->start(s, spec, child, why);
}

/* WNOWAIT: it stays as it is. */
bool pm__child_has_ended(const pm__child_t *child) {
  siginfo_t info = {0};
  if (child->ended) return true;
  return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid;
}

/* ECHILD means somebody else reaped it (a host that ignores SIGCHLD, a stray
 * waitpid(-1)): then nobody knows how it ended. 0 means that it lives, or that it
 * is a zombie for its debugger only, as yet. */
static bool reap(pm__child_t *child) {
  int status = 0;
  pid_t r;
  do {
    r = waitpid(child->pid, &status, WNOHANG | ANY_CLONE);
  } while (r < 0 && errno == EINTR);
  if (r != child->pid) return r != 0;
  if (WIFEXITED(status)) child->exit.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) child->exit.signum = WTERMSIG(status);
  return true;
}

bool pm__child_reap(pm__child_t *child) {
  if (child->reaped_at) return true;
  if (!child->reaped && !reap(child)) return false;
  child->reaped = true;
  child->reaped_at = uv_hrtime();
  return true;
}

int pm__child_signal(pm__child_t *child, int signum) {
  return child->backend->signal_group(child, signum);
}

/* While a group has a member its number is not given to a new process, so that
 * nobody there is proof. Somebody there may be zombies that their parent has yet
 * to reap; EPERM means somebody of another user. */
bool pm__child_gone(pm__child_t *child) {
  if (!child->reaped_at) return false;
  if (child->backend->signal_group(child, 0) == UV_ESRCH) return true;
  return pm__group_is_empty(&child->spawner->groups, child->pid, child->reaped_at);
}

int pm__child_survivors(pm__child_t *child, int *pids, int max) {
  return pm__group_members(child->pid, pids, max);
}

void pm__child_ref(pm__child_t *child) {
  if (child->process) uv_ref((uv_handle_t *)child->process);
  pm__watch_ref(&child->watch);
}

void pm__child_unref(pm__child_t *child) {
  if (child->process) uv_unref((uv_handle_t *)child->process);
  pm__watch_unref(&child->watch);
}

static void free_process(uv_handle_t *handle) {
  pm__free(handle);
}

static void on_watch_closed(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  child->on_close(child);
}

void pm__child_close(pm__child_t *child, void (*cb)(pm__child_t *)) {
  child->on_close = cb;
  if (child->process) uv_close((uv_handle_t *)child->process, free_process);
  child->process = NULL;
  pm__watch_close(&child->watch, on_watch_closed);
  if (child->pidfd >= 0) close(child->pidfd);
  child->pidfd = -1;
}
