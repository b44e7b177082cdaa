/*
 * A thread of the manager's own that makes the rounds: on its own clock, so that the loop is not even woken
 * unless somebody wants to hear of them. Worth it for many; started when it is first, and then there until the
 * manager closes.
 *
 * All of this is called in the loop's thread.
 */
#ifndef PM_CORE_METERING_THREAD_H
#define PM_CORE_METERING_THREAD_H

#include "metering.h"

/* A round that it has made began and ended (uv_hrtime). */
typedef void (*pm__round_cb)(pm_manager_t *m, uint64_t began, uint64_t ended);

/* From now on rounds are the thread's: one in first ms, and then one every interval ms; INFINITY: only those
 * requested. cb is called in the loop if pm__metering_thread_tell has said that it wants to hear of them, and
 * until pm__metering_thread_take no other begins. False: there are not many to be metered, or there is no thread. */
bool pm__metering_thread_take_over(pm_manager_t *m, double first, double interval, pm__round_cb cb);

/* A round at once, unless one is under way, that the loop does not hear of. */
void pm__metering_thread_request(pm_manager_t *m);

/* What the loop does with rounds. told: they are put into snapshots; told or kept: it hears of them. */
void pm__metering_thread_tell(pm_manager_t *m, bool told, bool kept);

/* The loop has done what it has to with a round. What was seen, for the caller to unref; NULL: nobody was to be
 * told, or there was no memory. */
pm_snapshot_t *pm__metering_thread_take(pm_manager_t *m);

/* Nothing is metered any more: no rounds until pm__metering_thread_take_over. */
void pm__metering_thread_rest(pm_manager_t *m);

/* The manager closes; it is held until nothing is left of the thread. Waits for it, for as long as a look at some
 * processes takes. */
void pm__metering_thread_end(pm_manager_t *m);

#endif /* PM_CORE_METERING_THREAD_H */
