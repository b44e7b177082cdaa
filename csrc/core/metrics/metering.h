/*
 * The meters of all that run. The loop's thread looks through them for what it is asked, another one may for
 * rounds of all: a lock keeps them apart, which that thread has for some tens of microseconds at a time; what has
 * been seen is not behind it.
 */
#ifndef PM_CORE_METERING_H
#define PM_CORE_METERING_H

#include "../internal.h"

/* UV_ENOMEM, UV_EAGAIN. */
int pm__metering_init(pm_manager_t *m);
void pm__metering_free(pm_manager_t *m);

/* From now on run is metered: a command that has just been started. */
void pm__metering_add(pm__run_t *run);

/* Its figures stay. Idempotent. */
void pm__metering_remove(pm__run_t *run);

/* Nothing is metered: what rounds keep open is given back. */
void pm__metering_rest(pm_manager_t *m);

/* Does not wait for a look. */
pm__seen_t pm__metering_seen(const pm__run_t *run);

/* What pm__measure_new makes of its meter. */
int pm__metering_measure(pm__run_t *run, bool pss, pm_measure_t **out);

/* Looks at a run unless its last look is fresh: not older than a second, or 20 ms in its first second.
 * Not longer than until (uv_hrtime): then UV_EAGAIN, and pm__metering_finish is to go on. UV_EBUSY: it is
 * later than that already. Else 0; where nothing can be read, or a round is just at it, its figures stay as they
 * are. */
int pm__metering_refresh(pm__run_t *run, uint64_t until);

/* Goes on with what was not finished. False: there is more to do. */
bool pm__metering_finish(pm_manager_t *m, uint64_t until);

/* ---- rounds: with the lock ---------------------------------------------------------------- */

/* For the loop's thread: the other one lets it go first. */
pm__metering_t *pm__metering_lock(pm_manager_t *m);
void pm__metering_unlock(pm__metering_t *t);

/* Begins a round: a look at each. is_told: what it sees is put into a snapshot. */
void pm__round_begin(pm__metering_t *t, bool is_told);

/* Goes on with it until that time (uv_hrtime). True: there is no more to do. */
bool pm__round_go_on(pm__metering_t *t, uint64_t until);

/* That of the round that is over, for the caller to unref; NULL: none was wanted, or there was no memory. Who
 * has been taken away meanwhile is not in it. */
pm_snapshot_t *pm__round_take_snapshot(pm__metering_t *t);

#endif /* PM_CORE_METERING_H */
