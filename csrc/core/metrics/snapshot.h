/*
 * What a round of samples has seen, one process after the other: made by the thread that looks, then handed
 * over as it is, so that the loop does nothing for each.
 *
 * Who makes one is alone with it until it is handed over; then it does not change, and references are counted in the
 * loop's thread.
 */
#ifndef PM_CORE_SNAPSHOT_H
#define PM_CORE_SNAPSHOT_H

#include "../../pm.h"

/* With room for as many as there were last time. NULL: there is no memory. */
pm_snapshot_t *pm__snapshot_new(size_t hint);

/* Copies a process to the end. Its place, or UV_ENOMEM. */
int pm__snapshot_add(pm_snapshot_t *s, const pm_snapshot_entry_t *entry);

/* What has ended is not told of any more; nothing if at this place there is another life. */
void pm__snapshot_remove(pm_snapshot_t *s, int place, uint64_t life);

/* Nothing comes to it from now on: places are those of who is left. */
void pm__snapshot_seal(pm_snapshot_t *s);

#endif /* PM_CORE_SNAPSHOT_H */
