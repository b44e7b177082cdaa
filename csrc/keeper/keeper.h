/*
 * The keeper of one command: it is the parent of the command and, as a
 * subreaper, becomes the parent of whatever of that tree loses its own
 * (PR_SET_CHILD_SUBREAPER, prctl(2)). It tells the host how the command ended
 * and ends the tree when it is told to, or when the host has gone in whatever way.
 * It ends when nothing is left.
 *
 * One thread, no libc, no heap: it is to cost next to nothing and to have nothing
 * that can fail.
 */
#ifndef PM_KEEPER_KEEPER_H
#define PM_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

typedef enum {
  PM__KEEPER_WATCHES,
  PM__KEEPER_ASKS, /* the signal has been sent, and is to what appears */
  PM__KEEPER_KILLS /* SIGKILL until nothing is left */
} pm__keeper_phase_t;

typedef struct pm__keeper {
  int self, parent, command; /* pids */
  long grace;                /* ms; of the host's end */
  int signum;
  int flags;

  int parent_fd, signal_fd, socket_fd; /* -1: not, or not any more */
  bool parent_gone;

  pm__keeper_phase_t phase;
  long deadline; /* ms of the monotonic clock when asking turns into killing; 0: when the host says so */
  long interval; /* ms until the next look */
  bool reaped;   /* something, since the last look */
  bool command_ended, told_host;
  pm__keeper_report_t report;
} pm__keeper_t;

/* Keeps until nothing is left. k->self, parent, command, grace, signum, flags are
 * given. */
void pm__keeper_run(pm__keeper_t *k);

/* Tries what the keeper needs: what is missing. */
pm__keeper_need_t pm__keeper_probe(void);

/* ---- asking.c: the signal, once to each ------------------------------------ */

/* Sends signum and SIGCONT to everything of the tree, or to the command alone,
 * that has not had it; but not to other keepers, nor to what those keep. Returns how
 * many that were. */
int pm__keeper_ask(const pm__keeper_t *k, bool all);

/* Sends signum to everything there is, but to other keepers SIGKILL only. */
void pm__keeper_signal_all(const pm__keeper_t *k, int signum);

#endif /* PM_KEEPER_KEEPER_H */
