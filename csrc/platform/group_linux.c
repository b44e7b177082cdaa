#define _GNU_SOURCE
#include "group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "../core/alloc.h"
#include "proc_stat.h"
#include "raw_syscall.h"
#include "tree.h"

/* At a time. */
enum { MOST_KILLED = 4096 };

/* Nanoseconds of waiting for each one of looking. */
enum { COST_FACTOR = 20 };

/* Calls each for every living process. Whether all could be looked at. */
static bool look_at_all(void (*each)(void *arg, const pm__proc_stat_t *stat), void *arg) {
  bool complete = true;
  DIR *dir = opendir("/proc");
  if (!dir) return false;
  const struct dirent *entry;
  while ((entry = readdir(dir))) {
    pm__proc_stat_t stat = {0};
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    int r = pm__tree_stat(atoi(entry->d_name), &stat);
    if (r == 0)
      each(arg, &stat);
    else if (r != UV_ESRCH)
      complete = false;
  }
  closedir(dir);
  return complete;
}

/* ---- one look for all groups ---------------------------------------------------- */

static void add_group(void *arg, const pm__proc_stat_t *stat) {
  pm__group_scan_t *scan = arg;
  if (scan->count == scan->capacity) {
    size_t capacity = scan->capacity ? scan->capacity * 2 : 256;
    int *groups = pm__realloc(scan->groups, capacity * sizeof(*groups));
    if (!groups) {
      scan->complete = false;
      return;
    }
    scan->groups = groups;
    scan->capacity = capacity;
  }
  scan->groups[scan->count++] = stat->pgrp;
}

static int compare(const void *a, const void *b) {
  int x = *(const int *)a;
  int y = *(const int *)b;
  return (x > y) - (x < y);
}

static void take(pm__group_scan_t *scan) {
  uint64_t start = uv_hrtime();
  scan->count = 0;
  scan->complete = true;
  if (!look_at_all(add_group, scan)) scan->complete = false;
  if (scan->count > 0) qsort(scan->groups, scan->count, sizeof(*scan->groups), compare);
  /* The moment it began: what starts while it is under way may be missed. */
  scan->taken_at = start;
  scan->cost = uv_hrtime() - start;
}

bool pm__group_is_empty(pm__group_scan_t *scan, int pgid, uint64_t since) {
  uint64_t now = uv_hrtime();
  if (scan->taken_at == 0 || now - scan->taken_at > scan->cost * COST_FACTOR) take(scan);
  if (!scan->complete || scan->taken_at <= since) return false;
  return scan->count == 0 || !bsearch(&pgid, scan->groups, scan->count, sizeof(*scan->groups), compare);
}

void pm__group_scan_free(pm__group_scan_t *scan) {
  pm__free(scan->groups);
  *scan = (pm__group_scan_t){0};
}

/* ---- the members of one ------------------------------------------------------------ */

typedef struct members {
  bool of_session; /* else of a group */
  int wanted;
  int *pids;
  int max, count;
  int group;    /* of that session, or 0 */
  bool foreign; /* its number is another session's by now */
} members_t;

static void add_member(void *arg, const pm__proc_stat_t *stat) {
  members_t *members = arg;
  if (stat->pgrp == members->group && stat->session != members->wanted) members->foreign = true;
  if ((members->of_session ? stat->session : stat->pgrp) != members->wanted) return;
  if (members->count < members->max) members->pids[members->count] = stat->pid;
  members->count++;
}

int pm__group_members(int pgid, int *pids, int max) {
  members_t members = {.wanted = pgid, .pids = pids, .max = max};
  look_at_all(add_member, &members);
  return members.count;
}

int pm__session_members(int session, int *pids, int max) {
  members_t members = {.of_session = true, .wanted = session, .pids = pids, .max = max};
  look_at_all(add_member, &members);
  return members.count;
}

void pm__session_signal(int session, int pid, int signum) {
  pm__proc_stat_t stat;
  long fd = pm__raw2(SYS_pidfd_open, pid, 0);
  if (fd < 0) return;
  if (pm__tree_stat(pid, &stat) == 0 && stat.session == session) pm__raw4(SYS_pidfd_send_signal, fd, signum, 0, 0);
  close((int)fd);
}

/* What a signal to the group has reached forks no more: fork checks for one under the
 * lock that the signal takes. */
static void kill_group(int session, int group) {
  pm__proc_stat_t stat;
  if (group <= 1 || (pm__tree_stat(group, &stat) == 0 && stat.session != session)) return;
  kill(-group, SIGKILL);
}

/* The first look tells whether there was anybody. It misses who forks and exits faster
 * than it gets on; the second does not. */
int pm__session_kill(int session, int group) {
  int pids[MOST_KILLED];
  members_t members = {.of_session = true, .wanted = session, .pids = pids, .max = MOST_KILLED, .group = group};
  look_at_all(add_member, &members);
  int count = members.count;
  if (!members.foreign) kill_group(session, group);
  if (count == 0) count = pm__session_members(session, pids, MOST_KILLED);
  for (int i = 0; i < count && i < MOST_KILLED; i++)
    pm__session_signal(session, pids[i], SIGKILL);
  return count;
}
