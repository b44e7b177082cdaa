/* Metrics of the manager's own processes: sampled by one timer, and when somebody
 * asks and the last sample is old. */
#ifndef PM_CORE_MONITOR_H
#define PM_CORE_MONITOR_H

#include "internal.h"

/* Sees to it that the timer runs while something lives (monitorInterval > 0). */
void pm__monitor_start(pm_manager_t *m);

/* Samples a run if its last sample is older than a second; whether it did. Never
 * fails: where nothing can be read the figures stay as they are (0 at first). */
bool pm__monitor_refresh(pm__run_t *run);

#endif /* PM_CORE_MONITOR_H */
