/*
 * The signal that asks a tree to end goes to each process once: many treat a
 * second one as "at once". So those that had it are remembered, by pid and start
 * time.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "../platform/raw_syscall.h"
#include "../platform/tree.h"
#include "keeper.h"

/* Trees beyond that are told as their members end and make room; SIGKILL reaches them
 * all anyhow. */
enum { MOST_PROCESSES = 4096, MOST_TOLD = 8192 };

/* Those that are not asked: keepers of managers within the tree, and what they keep.
 * Their hosts are asked, and end their trees in their own ways and times; once these
 * have gone, the keepers do. They are told by their name. Who bears it wrongly is
 * killed without having been asked. */
static const char keeper_comm[] = PM__KEEPER_COMM "\n";

/* How often it is tried to tell whether one that gets a signal is of the tree. */
enum { MOST_TRIES = 3 };

/* Of the one keeper that this program is: on a stack all of it would be written to. */
static int found[MOST_PROCESSES];

/* An open hash: neighbours in pid are neighbours here, so that a small tree
 * touches one page. */
typedef struct told {
  int pid; /* 0: free */
  uint32_t start_time;
} told_t;

static told_t told[MOST_TOLD];
static size_t told_count;
static size_t told_limit = MOST_TOLD / 2; /* as many: time to forget those that have gone */

/* Where it stands, or would stand: MOST_TOLD when there is no room. */
static size_t place_of(const pm__proc_stat_t *stat) {
  for (size_t i = 0, at = (size_t)stat->pid % MOST_TOLD; i < MOST_TOLD; i++, at = (at + 1) % MOST_TOLD)
    if (told[at].pid == 0 || (told[at].pid == stat->pid && told[at].start_time == (uint32_t)stat->start_time))
      return at;
  return MOST_TOLD;
}

/* Whether it has had the signal. When there is no room, it is taken to have had it. */
static bool was_told(const pm__proc_stat_t *stat) {
  size_t at = place_of(stat);
  return at == MOST_TOLD || told[at].pid != 0;
}

static void note_told(const pm__proc_stat_t *stat) {
  size_t at = place_of(stat);
  told[at].pid = stat->pid;
  told[at].start_time = (uint32_t)stat->start_time;
  told_count++;
}

static bool is_there(const told_t *t) {
  pm__proc_stat_t stat;
  return t->pid != 0 && pm__tree_stat(t->pid, &stat) == 0 && (uint32_t)stat.start_time == t->start_time;
}

/* A tree that starts others for as long as it is asked would fill the list. */
static void forget_the_gone(void) {
  static told_t there[MOST_TOLD];
  size_t count = 0;
  if (told_count < told_limit) return;
  for (size_t i = 0; i < MOST_TOLD; i++) {
    if (is_there(&told[i])) there[count++] = told[i];
    told[i].pid = 0;
  }
  told_count = 0;
  for (size_t i = 0; i < count; i++) {
    const pm__proc_stat_t stat = {.pid = there[i].pid, .start_time = there[i].start_time};
    note_told(&stat);
  }
  told_limit = count + (MOST_TOLD - count) / 2;
}

/* A child of ours is its pid until we reap it. A deeper one could be reaped by
 * its parent, and its pid be given anew, at any moment: so a pidfd holds on to it
 * before it is looked at once more. False when it could not be told whether it is
 * one of ours: its parent may have ended between two looks, as those that were just
 * asked do. */
static bool send(const pm__keeper_t *k, const pm__proc_stat_t *stat, int signum, bool wake) {
  pm__proc_stat_t again;
  if (stat->ppid == k->self) {
    pm__raw2(SYS_kill, stat->pid, signum);
    if (wake) pm__raw2(SYS_kill, stat->pid, SIGCONT);
    return true;
  }
  long fd = pm__raw2(SYS_pidfd_open, stat->pid, 0);
  if (fd < 0) return false;
  bool ours = pm__tree_stat(stat->pid, &again) == 0 && again.start_time == stat->start_time &&
              pm__tree_contains(k->self, &again);
  if (ours) {
    pm__raw4(SYS_pidfd_send_signal, fd, signum, 0, 0);
    if (wake) pm__raw4(SYS_pidfd_send_signal, fd, SIGCONT, 0, 0);
  }
  pm__raw1(SYS_close, fd);
  return ours;
}

/* With hidepid (proc(5)) a process of another user, or that is not dumpable, cannot be
 * looked at. A child is known all the same, and its pid is its own until we reap it. */
static bool is_hidden_child(const pm__keeper_t *k, int pid, pm__proc_stat_t *stat) {
  siginfo_t info = {0};
  const int options = WEXITED | WNOHANG | WNOWAIT | __WALL;
  if (pm__raw5(SYS_waitid, P_PID, pid, PM__RAW_POINTER(&info), options, 0) < 0 || info.si_pid != 0) return false;
  *stat = (pm__proc_stat_t){.pid = pid, .ppid = k->self};
  return true;
}

static bool look(const pm__keeper_t *k, int pid, pm__proc_stat_t *stat) {
  return pm__tree_stat(pid, stat) == 0 || is_hidden_child(k, pid, stat);
}

/* The inner of two is the one that its guard is about. */
static bool is_other_keeper(const pm__keeper_t *k, int pid) {
  return pid != k->command && pm__tree_is_named(pid, keeper_comm);
}

/* Parents come before their children in found; those that are left out are moved to
 * its beginning. */
static bool is_left_out(const pm__keeper_t *k, const pm__proc_stat_t *stat, int left_out) {
  for (int i = 0; i < left_out; i++)
    if (found[i] == stat->ppid) return true;
  return is_other_keeper(k, stat->pid);
}

int pm__keeper_ask(const pm__keeper_t *k, bool all) {
  int asked = 0;
  int left_out = 0;
  forget_the_gone();
  int count = all ? pm__tree_list(k->self, found, MOST_PROCESSES) : 1;
  if (!all) found[0] = k->command;
  for (int i = 0; i < count; i++) {
    pm__proc_stat_t stat;
    if (!look(k, found[i], &stat) || was_told(&stat)) continue;
    if (is_left_out(k, &stat, left_out)) {
      found[left_out++] = stat.pid;
      continue;
    }
    if (send(k, &stat, k->signum, true)) note_told(&stat);
    asked++;
  }
  return asked;
}

/* A list of children that changes while it is read may name one twice (proc(5)). */
static bool is_repeated(int at) {
  for (int i = 0; i < at; i++)
    if (found[i] == found[at]) return true;
  return false;
}

void pm__keeper_signal_all(const pm__keeper_t *k, int signum) {
  int count = pm__tree_list(k->self, found, MOST_PROCESSES);
  for (int i = 0; i < count; i++) {
    pm__proc_stat_t stat;
    if (is_repeated(i) || (signum != SIGKILL && is_other_keeper(k, found[i]))) continue;
    for (int tries = 0; tries < MOST_TRIES; tries++)
      if (!look(k, found[i], &stat) || send(k, &stat, signum, false)) break;
  }
}
