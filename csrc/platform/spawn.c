/* The part of spawn.h that is the same on every Unix. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "../core/launch/keeper.h"
#include "spawn_backend.h"

void pm__spawner_init(pm__spawner_t *s, pm__poller_t *poller, uv_loop_t *loop, pm_keeper_t *keeper, bool portable) {
  *s = (pm__spawner_t){.poller = poller, .program = -1, .placeholder = -1};
  for (int i = 0; i < PM__RESERVED_COUNT; i++)
    s->reserved[i] = -1;
  s->backend = &pm__spawn_portable;
  if (!portable) pm__spawner_choose(s);
  if (s->backend->kept) s->keeper = pm__keeper_ref(keeper);
  pm__poller_init(poller, loop, s->backend == &pm__spawn_portable);
}

void pm__spawner_close(pm__spawner_t *s) {
  pm__spawner_release(s);
  pm__group_scan_free(&s->groups);
  pm_keeper_unref(s->keeper);
  s->keeper = NULL;
}

const char *pm__spawner_backend(const pm__spawner_t *s) {
  return s->backend->name;
}

pm_containment_t pm__spawner_containment(const pm__spawner_t *s, pm_containment_t wanted) {
  bool needs_keeper = wanted == PM_CONTAINMENT_TREE || wanted == PM_CONTAINMENT_NESTED;
  return needs_keeper && !s->keeper ? PM_CONTAINMENT_GROUP : wanted;
}

int pm__spawn_fail(pm__spawn_failure_t *why, int err, const char *syscall, const char *path) {
  *why = (pm__spawn_failure_t){.err = err, .syscall = syscall, .path = path};
  return err;
}

static const pm__child_kind_t *kind_of(const pm__spawner_t *s, pm_containment_t containment) {
  if (containment == PM_CONTAINMENT_GROUP) return &pm__child_of_group;
  return containment == PM_CONTAINMENT_NONE ? &pm__child_alone : s->backend->kept;
}

int pm__spawn(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why) {
  *child = (pm__child_t){.data = child->data, .on_exit = child->on_exit, .on_settled = child->on_settled};
  child->in = child->out = child->err = child->pidfd = child->socket = -1;
  child->exit.code = -1;
  child->kind = kind_of(s, spec->containment);
  child->containment = spec->containment;
  child->stop_signal = spec->stop_signal;
  child->to_command = spec->to_command;
  child->spawner = s;
  child->watch.data = child->control.data = child;
  pm__watch_init(&child->watch, s->poller, -1);
  pm__watch_init(&child->control, s->poller, -1);
  return s->backend->start(s, spec, child, why);
}

bool pm__child_has_news(const pm__child_t *child) {
  return child->kind->has_news(child);
}

bool pm__child_reap(pm__child_t *child) {
  return child->kind->reap(child);
}

void pm__child_take_rest(pm__child_t *child) {
  if (child->kind->take_rest) child->kind->take_rest(child);
}

void pm__child_terminate(pm__child_t *child) {
  child->kind->terminate(child);
}

void pm__child_kill(pm__child_t *child) {
  child->kind->kill(child);
}

int pm__child_signal(pm__child_t *child, int signum, bool tree) {
  return child->kind->signal(child, signum, tree);
}

bool pm__child_gone(pm__child_t *child) {
  return child->kind->gone(child);
}

bool pm__child_has_to_be_asked(const pm__child_t *child) {
  return child->kind->has_to_be_asked(child);
}

bool pm__child_needs_host(pm__child_t *child) {
  return child->kind->needs_host(child);
}

int pm__child_survivors(pm__child_t *child, int *pids, int max) {
  return child->kind->survivors(child, pids, max);
}

int pm__child_count(pm__child_t *child) {
  return child->kind->count(child);
}

/* A pidfd becomes readable when its process has ended. */
bool pm__await_end(int pidfd, int ms) {
  struct pollfd fd = {.fd = pidfd, .events = POLLIN};
  uint64_t begin = uv_hrtime();
  int r;
  do {
    uint64_t passed = (uv_hrtime() - begin) / 1000000;
    r = poll(&fd, 1, passed < (uint64_t)ms ? ms - (int)passed : 0);
  } while (r < 0 && errno == EINTR);
  return r > 0;
}

void pm__child_await_gone(pm__child_t *child, int ms) {
  uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
  if (child->pidfd < 0) return;
  pm__await_end(child->pidfd, ms);
  while (child->lost && !pm__child_gone(child) && uv_hrtime() < end)
    uv_sleep(1);
}

void pm__child_ref(pm__child_t *child) {
  if (child->process) uv_ref((uv_handle_t *)child->process);
  pm__watch_ref(&child->watch);
  pm__watch_ref(&child->control);
}

void pm__child_unref(pm__child_t *child) {
  if (child->process) uv_unref((uv_handle_t *)child->process);
  pm__watch_unref(&child->watch);
  pm__watch_unref(&child->control);
}

static void free_process(uv_handle_t *handle) {
  pm__free(handle);
}

static void on_watch_closed(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  if (--child->closing == 0) child->on_close(child);
}

void pm__child_close(pm__child_t *child, void (*cb)(pm__child_t *)) {
  child->on_close = cb;
  child->kind->release(child);
  if (child->process) uv_close((uv_handle_t *)child->process, free_process);
  child->process = NULL;
  child->closing = 2;
  pm__watch_close(&child->watch, on_watch_closed);
  pm__watch_close(&child->control, on_watch_closed);
  if (child->pidfd >= 0) close(child->pidfd);
  if (child->socket >= 0) close(child->socket);
  child->pidfd = child->socket = -1;
}
