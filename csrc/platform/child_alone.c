/* The command alone is looked after, whatever it starts. */
#include <signal.h>

#include "spawn_backend.h"

static void alone_terminate(pm__child_t *child) {
  pm__child_own_signal(child, child->stop_signal);
  pm__child_own_signal(child, SIGCONT);
}

static void alone_kill(pm__child_t *child) {
  pm__child_own_signal(child, SIGKILL);
}

static int alone_signal(pm__child_t *child, int signum, bool tree) {
  (void)tree;
  return pm__child_own_signal(child, signum);
}

static bool alone_gone(pm__child_t *child) {
  return child->reaped_at != 0;
}

static bool alone_has_to_be_asked(const pm__child_t *child) {
  (void)child;
  return true;
}

static bool alone_needs_host(pm__child_t *child) {
  return !child->reaped_at;
}

static int alone_survivors(pm__child_t *child, int *pids, int max) {
  if (child->reaped) return 0;
  if (max > 0) pids[0] = child->pid;
  return 1;
}

static int alone_count(pm__child_t *child) {
  return !child->reaped;
}

const pm__child_kind_t pm__child_alone = {
    .has_news = pm__child_own_has_ended,
    .reap = pm__child_own_reap,
    .terminate = alone_terminate,
    .kill = alone_kill,
    .signal = alone_signal,
    .gone = alone_gone,
    .has_to_be_asked = alone_has_to_be_asked,
    .needs_host = alone_needs_host,
    .survivors = alone_survivors,
    .count = alone_count,
    .release = pm__child_own_release,
};
