/*
 * The members of process groups, and of sessions.
 *
 * To list them means to look at every process of the machine. So a look is kept,
 * answers for all groups, and is not repeated before it has cost a twentieth of
 * the time since: whoever waits for a group asks again.
 */
#ifndef PM_PLATFORM_GROUP_H
#define PM_PLATFORM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pm__group_scan {
  int *groups; /* of living processes, sorted; NULL before the first look */
  size_t count, capacity;
  bool complete;     /* nothing kept it from seeing all */
  uint64_t taken_at; /* uv_hrtime; 0: never */
  uint64_t cost;     /* nanoseconds */
} pm__group_scan_t;

/* Whether it is certain that pgid has had no living member (zombies are none)
 * since a moment after `since` (uv_hrtime). False also when it may not look yet,
 * or could not: ask again later. */
bool pm__group_is_empty(pm__group_scan_t *scan, int pgid, uint64_t since);

void pm__group_scan_free(pm__group_scan_t *scan);

/* Fills at most max pids of living members of pgid and returns how many there
 * are; looks each time. */
int pm__group_members(int pgid, int *pids, int max);

/* The same of a session. pids may be NULL when max is 0. */
int pm__session_members(int session, int *pids, int max);

/* Sends a signal to a process of a session that the caller keeps from ending. Its number
 * may have been given anew, but not in that session. */
void pm__session_signal(int session, int pid, int signum);

/* SIGKILL to all of a session whose leader is a zombie, or has just been one; group
 * is the process group in it that forks if any does. Returns how many there
 * were: repeated until 0, nothing is left. */
int pm__session_kill(int session, int group);

#endif /* PM_PLATFORM_GROUP_H */
