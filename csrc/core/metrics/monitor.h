/*
 * Metrics of the manager's own processes: sampled all together, of many by a thread on its own clock, of few by one
 * timer, in slices between which the loop turns; and when somebody asks and the last sample is old.
 */
#ifndef PM_CORE_MONITOR_H
#define PM_CORE_MONITOR_H

#include "../internal.h"

/* Sees to it that the timer runs while something lives (monitorInterval > 0). */
void pm__monitor_start(pm_manager_t *m);

/* Nothing lives any more: what samples of all keep open is given back. */
void pm__monitor_rest(pm_manager_t *m);

/* Somebody began to listen to samples, or to keep them, or does no more. */
void pm__monitor_audience(pm_manager_t *m);

/* Samples a run if its last sample is older than a second (20 ms in its first second).
 * Not longer than until (uv_hrtime): a large tree is left to the loop's next turns, and
 * has its old figures meanwhile. Never fails: where nothing can be read they stay as they
 * are (0 at first). */
void pm__monitor_refresh(pm__run_t *run, uint64_t until);

/* Until when (uv_hrtime) a call of the embedder may sample. */
uint64_t pm__monitor_allowance(void);

#endif /* PM_CORE_MONITOR_H */
