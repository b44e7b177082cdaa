#include "events.h"

#include <string.h>

#include "alloc.h"
#include "logs/log_file.h"
#include "process.h"
#include "streams/input.h"

int pm__events_reserve(pm_manager_t *m, size_t n) {
  pm__events_t *q = &m->events;
  size_t wanted = q->count + n + PM__EVENTS_PER_CALL;
  if (wanted <= q->capacity) return 0;
  size_t capacity = q->capacity ? q->capacity * 2 : 32;
  while (capacity < wanted)
    capacity *= 2;
  pm__queued_t *ring = pm__malloc(capacity * sizeof(*ring));
  if (!ring) return UV_ENOMEM;
  for (size_t i = 0; i < q->count; i++)
    ring[i] = q->ring[(q->first + i) & (q->capacity - 1)];
  pm__free(q->ring);
  q->ring = ring;
  q->capacity = capacity;
  q->first = 0;
  return 0;
}

static pm__queued_t *push(pm_manager_t *m) {
  pm__events_t *q = &m->events;
  pm__queued_t *slot = &q->ring[(q->first + q->count++) & (q->capacity - 1)];
  memset(slot, 0, sizeof(*slot));
  slot->event.code = -1;
  return slot;
}

pm__queued_t *pm__events_add(pm_manager_t *m, pm__process_t *p, pm_event_kind_t kind) {
  pm__queued_t *slot = push(m);
  slot->event.kind = kind;
  if (kind == PM_EVENT_LIMIT) *(p ? &p->tally.limits_reached : &m->limits_reached) += 1;
  if (p) {
    slot->process = p;
    slot->event.restarts = p->restarts;
    pm__process_ref(p);
  }
  return slot;
}

void pm__events_add_fault(pm__process_t *p, pm__fault_t *fault) {
  pm__events_add(p->manager, p, PM_EVENT_ERROR)->fault = pm__fault_ref(fault);
}

/* One entry for all of them, so that there is always room. */
void pm__events_answer(pm__process_t *p, pm__waiter_t **waiters, bool result) {
  if (!*waiters) return;
  pm__queued_t *slot = push(p->manager);
  slot->answered = *waiters;
  slot->answer = result;
  *waiters = NULL;
}

static void give_answers(pm__queued_t *entry) {
  while (entry->answered) {
    pm__waiter_t *w = entry->answered;
    entry->answered = w->next;
    w->cb(w->arg, entry->answer);
    pm__free(w);
  }
}

static void release(pm__queued_t *entry) {
  pm_snapshot_unref(entry->event.snapshot);
  pm__fault_unref(entry->fault);
  if (entry->process) pm__process_unref(entry->process);
}

static pm__queued_t pop(pm__events_t *q) {
  pm__queued_t entry = q->ring[q->first];
  q->first = (q->first + 1) & (q->capacity - 1);
  q->count--;
  return entry;
}

static void call_out(pm_manager_t *m, pm__queued_t *entry) {
  if (entry->answered) {
    give_answers(entry);
    return;
  }
  if (entry->process) entry->event.id = entry->process->id;
  if (entry->fault) entry->event.error = &entry->fault->error;
  if (entry->has_stop) entry->event.stop = &entry->stop;
  if (entry->has_usage) entry->event.usage = &entry->usage;
  m->callbacks.on_event(m, &entry->event);
}

/* Only what is there now: what the callbacks queue waits for a turn of its own,
 * or two listeners that start each other would never give the loop back. A
 * callback may close the manager; its memory lasts until the loop's next turn. */
void pm__events_deliver(pm_manager_t *m) {
  pm__events_t *q = &m->events;
  if (q->delivering) return;
  pm__process_limit_ended(m);
  q->delivering = true;
  for (size_t n = q->count; n > 0 && q->count > 0 && !m->closing; n--) {
    pm__queued_t entry = pop(q);
    call_out(m, &entry);
    release(&entry);
  }
  q->delivering = false;
  if (m->closing) return;
  pm__inputs_flush(m);
  pm__log_files_flush(m);
  pm__events_schedule(m);
  pm__manager_update_active(m);
}

static void on_turn(uv_idle_t *turn) {
  uv_idle_stop(turn);
  pm__events_deliver(turn->data);
}

void pm__events_schedule(pm_manager_t *m) {
  if (m->events.count > 0 || m->flushes) uv_idle_start(&m->turn, on_turn);
}

void pm__events_discard(pm_manager_t *m) {
  while (m->events.count > 0) {
    pm__queued_t entry = pop(&m->events);
    give_answers(&entry);
    release(&entry);
  }
}

/* ---- faults ------------------------------------------------------------------ */

static const pm__fault_t no_memory = {
    .refs = 0, .error = {.err = UV_ENOMEM, .code = "ENOMEM", .kind = "Error", .message = "Out of memory"}};

pm__fault_t *pm__fault_new(const pm_error_t *error) {
  pm__fault_t *fault = pm__malloc(sizeof(*fault));
  if (!fault) return (pm__fault_t *)&no_memory;
  fault->refs = 1;
  fault->error = *error;
  return fault;
}

pm__fault_t *pm__fault_ref(pm__fault_t *fault) {
  if (fault != &no_memory) fault->refs++;
  return fault;
}

void pm__fault_unref(pm__fault_t *fault) {
  if (fault && fault != &no_memory && --fault->refs == 0) pm__free(fault);
}
