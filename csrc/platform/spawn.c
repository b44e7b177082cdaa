/* The part of spawn.h that is the same on every Unix. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "group.h"
#include "spawn_backend.h"

void pm__spawner_init(pm__spawner_t *s, pm__poller_t *poller, uv_loop_t *loop) {
  *s = (pm__spawner_t){.poller = poller, .reserved = {-1, -1, -1}, .placeholder = -1};
  pm__spawner_choose(s);
  pm__poller_init(poller, loop, s->backend == &pm__spawn_portable);
}

void pm__spawner_close(pm__spawner_t *s) {
  pm__spawner_release(s);
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
  child->watch.data = child;
  pm__watch_init(&child->watch, s->poller, -1);
  return s->backend->start(s, spec, child, why);
}

void pm__child_reap(pm__child_t *child) {
  if (child->reaped) return;
  child->backend->reap(child);
  child->reaped = true;
}

int pm__child_signal(pm__child_t *child, int signum) {
  return child->backend->signal_group(child, signum);
}

/* While a group has a member its number is not given to a new process, so a
 * number that no signal reaches is proof; one that a signal reaches may be
 * zombies that their parent has yet to reap. */
bool pm__child_gone(pm__child_t *child) {
  if (!child->reaped) return false;
  if (child->backend->signal_group(child, 0) != 0) return true;
  return pm__group_members(child->pid, NULL, 0) == 0;
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
