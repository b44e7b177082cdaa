/*
 * The life of a process: its record (record.c), one table of state × input
 * (process.c), the ladder of a stop (stop.c), what happens after an end
 * (backoff.c decides).
 */
#ifndef PM_CORE_PROCESS_H
#define PM_CORE_PROCESS_H

#include "internal.h"

/* What can happen to a process. */
typedef enum {
  PM__START,      /* start the command */
  PM__LAUNCHED,   /* it runs */
  PM__REFUSED,    /* it could not be started; p->fault says why */
  PM__CHILD_EXIT, /* the command has ended, and is a zombie */
  PM__ENDED,      /* it has been reaped, after all its output was read */
  PM__GONE,       /* so has everything that it started */
  PM__OVER_LIMIT, /* it uses more memory than it may, and is to be ended */
  PM__UNKEPT,     /* its keeper was killed after the command's end: what is left has nobody else to end it */
  PM__STOP,       /* somebody asks for its end, within p->wanted_timeout */
  PM__RESTART,    /* somebody asks for a new start */
  PM__DEADLINE,   /* the timer of the present state */
  PM__INPUT_COUNT
} pm__input_kind_t;

/* Makes a record of m from a checked command, which it takes over (also on
 * failure). id is copied, and of config the options and the log file's path.
 * UV_ENOMEM. */
int pm__process_new(pm_manager_t *m, pm_str_t id, pm__command_t *command, const pm_config_t *config,
                    pm__process_t **out);

void pm__process_ref(pm__process_t *p);
void pm__process_unref(pm__process_t *p);

/* Puts an input through the table. What it causes is queued, not delivered. */
void pm__process_handle(pm__process_t *p, pm__input_kind_t input);

/* Arms the deadline of the present state, ms from now. */
void pm__process_arm(pm__process_t *p, double ms);

/* Running, stopping or waiting for a restart: what maxProcesses counts. */
bool pm__process_is_live(const pm__process_t *p);

/* "running", "stopped", "error" of the contract. */
const char *pm__process_status_name(const pm__process_t *p);

/* The finer state. */
const char *pm__process_state_name(const pm__process_t *p);

/* What is in effect: a choice of the option "containment". */
const char *pm__process_containment_name(const pm__process_t *p);

/* Takes an ended process (or, while closing, any) out of the manager. */
void pm__process_forget(pm__process_t *p);

/* Forgets the oldest ended processes beyond maxEnded. Not from within a call of
 * the embedder, who has yet to hear how its process ended. */
void pm__process_limit_ended(pm_manager_t *m);

/* Whoever watches the log of p hears of it. */
void pm__process_tell_log_watcher(pm__process_t *p);

/* Reports that the keeper was killed, if it was, once a run. */
void pm__process_report_lost(pm__process_t *p);

/* ---- stop.c ---------------------------------------------------------------- */

/* Begins to end what the run has started: the stop signal now (after the end of
 * stdin and eofTimeout, if the command lives and that is set), SIGKILL timeout ms
 * later. */
void pm__ladder_begin(pm__process_t *p, double timeout);

/* A further stop, within timeout ms from now: the deadline only moves forward. */
void pm__ladder_hurry(pm__process_t *p, double timeout);

/* The command has ended, something that it started has not: that is asked to end,
 * too, and looked for again soon. */
void pm__ladder_rest(pm__process_t *p);

/* Look again soon. */
void pm__ladder_watch(pm__process_t *p);

/* SIGKILL now: the keeper is gone, and nobody else would do it. */
void pm__ladder_unkept(pm__process_t *p);

/* The timer: PM__GONE, or the next step. */
void pm__ladder_continue(pm__process_t *p);

/* How it went, into a PM_EVENT_STOP. */
void pm__ladder_report(pm__process_t *p, bool ran, bool gone);

#endif /* PM_CORE_PROCESS_H */
