/* Held together by a process group, which the command leads and what it starts is
 * in, unless it leaves. */
#include <signal.h>

#include "spawn_backend.h"

static int signal_group(pm__child_t *child, int signum) {
  return child->spawner->backend->signal_group(child, signum);
}

static void group_terminate(pm__child_t *child) {
  if (child->to_command && !child->ended) {
    pm__child_own_signal(child, child->stop_signal);
    pm__child_own_signal(child, SIGCONT);
    return;
  }
  signal_group(child, child->stop_signal);
  signal_group(child, SIGCONT);
}

static void group_kill(pm__child_t *child) {
  signal_group(child, SIGKILL);
}

static int group_signal(pm__child_t *child, int signum, bool tree) {
  return tree ? signal_group(child, signum) : pm__child_own_signal(child, signum);
}

/* While a group has a member its number is not given to a new process, so that
 * nobody there is proof. Somebody there may be zombies that their parent has yet
 * to reap; EPERM means somebody of another user. */
static bool group_gone(pm__child_t *child) {
  if (!child->reaped_at) return false;
  if (signal_group(child, 0) == UV_ESRCH) return true;
  return pm__group_is_empty(&child->spawner->groups, child->pid, child->reaped_at);
}

static bool group_has_to_be_asked(const pm__child_t *child) {
  (void)child;
  return true;
}

static bool group_needs_host(pm__child_t *child) {
  (void)child;
  return true;
}

static int group_survivors(pm__child_t *child, int *pids, int max) {
  return pm__group_members(child->pid, pids, max);
}

/* To count the others means to look at every process of the machine. */
static int group_count(pm__child_t *child) {
  return child->reaped ? signal_group(child, 0) != UV_ESRCH : 1;
}

const pm__child_kind_t pm__child_of_group = {
    .has_news = pm__child_own_has_ended,
    .reap = pm__child_own_reap,
    .terminate = group_terminate,
    .kill = group_kill,
    .signal = group_signal,
    .gone = group_gone,
    .has_to_be_asked = group_has_to_be_asked,
    .needs_host = group_needs_host,
    .survivors = group_survivors,
    .count = group_count,
    .release = pm__child_own_release,
};
