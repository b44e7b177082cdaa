/*
 * Events on their way to the embedder. They are queued where they arise and
 * delivered when the engine's own work is done: at the end of a libuv callback,
 * or, for what an API call caused, from a later turn of the loop. So a callback
 * may do anything, and no call calls back.
 */
#ifndef PM_CORE_EVENTS_H
#define PM_CORE_EVENTS_H

#include "internal.h"

/* Most events one call or one callback of libuv can queue for one process. */
enum { PM__EVENTS_PER_CALL = 8 };

/* Makes room for n more, for calls that will queue and must not fail half-way,
 * and for what one callback of libuv may queue after them. UV_ENOMEM. */
int pm__events_reserve(pm_manager_t *m, size_t n);

/* Queues an event of p (NULL: of the manager) with everything but its kind
 * unset, and returns it to be filled. There must be room: callbacks of libuv
 * always have it for PM__EVENTS_PER_CALL, calls of the embedder reserve it. */
pm__queued_t *pm__events_add(pm_manager_t *m, pm__process_t *p, pm_event_kind_t kind);

/* Queues a fault, of which the queue takes a reference. */
void pm__events_add_fault(pm__process_t *p, pm__fault_t *fault);

/* Queues the answers to a list of waiters, which it takes over; empties the list. */
void pm__events_answer(pm__process_t *p, pm__waiter_t **waiters, bool result);

/* Delivers what is queued at this moment, except from within a delivery. To be
 * called at the beginning and end of each callback of libuv that may queue. */
void pm__events_deliver(pm_manager_t *m);

/* Sees to it that the loop delivers what is queued: for API calls. */
void pm__events_schedule(pm_manager_t *m);

/* Drops all events, answers all waiters. Only for pm_manager_close. */
void pm__events_discard(pm_manager_t *m);

/* A copy of error in counted memory, with one reference. Never NULL: when
 * memory is short a constant that says just that. */
pm__fault_t *pm__fault_new(const pm_error_t *error);
pm__fault_t *pm__fault_ref(pm__fault_t *fault);
void pm__fault_unref(pm__fault_t *fault);

#endif /* PM_CORE_EVENTS_H */
