/*
 * One start of a command, from the spawn to the closing of its last pipe.
 */
#ifndef PM_CORE_RUN_H
#define PM_CORE_RUN_H

#include "internal.h"

/* Starts p's command; p->run is the new run (the one before is abandoned).
 * Negative and *error when nothing was started: nothing is left of it then. */
int pm__run_start(pm__process_t *p, pm_error_t *error);

/* Seconds it has been, or was, alive. */
double pm__run_uptime(const pm__run_t *run);

/* The command of p has ended: reads what it wrote, reaps it, queues its exit and
 * puts PM__ENDED through the table. False when it cannot be reaped yet. Listeners
 * run meanwhile and may close the manager. */
bool pm__run_end(pm__process_t *p);

/* Whether what is left of it when its command ended by itself is left alone. */
bool pm__run_leaves_rest(const pm__run_t *run);

/* Nothing that has to be ended is left: stops watching. Pipes that something else
 * still holds stay open, logged only, and keep no loop alive; those of a run that
 * leaves its rest alone are closed. */
void pm__run_release(pm__process_t *p);

/* Closes everything; its process hears of it no more. A command that lives is
 * watched until it has been reaped: end it before. */
void pm__run_abandon(pm__run_t *run);

/* While closing: stops waiting for a command that cannot be killed. */
void pm__run_give_up(pm__run_t *run);

/* A handle of run was opened, has closed. The last frees the run. */
void pm__run_opened(pm__run_t *run);
void pm__run_closed(pm__run_t *run);

void pm__run_ref(pm__run_t *run);
void pm__run_unref(pm__run_t *run);

#endif /* PM_CORE_RUN_H */
