/*
 * Limits of memory: limits.memory of a tree, maxTotalMemory of all. Each tree is looked
 * at the sooner the nearer it is to the limit, and the faster it grows; that is no hard
 * bound, but it holds without privileges.
 *
 * What is compared is each page once. Resident memory, added up, counts those that
 * processes share in each of them, so it is never too small: as long as it is below the
 * limit nothing else is read. Above it a thread of the pool reads the proportional share
 * (PSS); from then on only what resident memory has grown since is added to that.
 */
#ifndef PM_CORE_MEMORY_LIMIT_H
#define PM_CORE_MEMORY_LIMIT_H

#include "../internal.h"

/* Cannot fail. */
void pm__memory_init(pm_manager_t *m);

/* Watches a run that has just been started, if there is a limit for it. */
void pm__memory_watch(pm__run_t *run);

/* Does nothing if it is not watched. */
void pm__memory_unwatch(pm__run_t *run);

/* Nothing is looked at any more; a reading under way is left off. */
void pm__memory_close(pm_manager_t *m);

/* Whether maxTotalMemory was reached at the last look: then nothing is to be started. */
bool pm__memory_is_short(const pm_manager_t *m);

/* For a start that somebody asks for: UV_EAGAIN and *error if memory is short; that queues
 * a PM_EVENT_LIMIT. */
int pm__memory_check_room(pm_manager_t *m, pm_error_t *error);

#endif /* PM_CORE_MEMORY_LIMIT_H */
