#include "pacer.h"

#include "../events.h"
#include "output.h"

/* ms between reads of streams that rest. */
enum { TICK = 1 };

/* Reads that come within so many nanoseconds of each other, and so many of them in a
 * row, are those of a busy stream; each must be small, or there is nothing to be
 * gained. */
static const uint64_t soon = UINT64_C(1000000);
enum { HASTY = 4, SMALL = 16 * 1024 };

/* A tick that finds so much in a pipe of usual size: it will be full before the next
 * one comes late, and the writer would have to wait. */
enum { MUCH = 16 * 1024 };

/* What one stream is read in a tick at most. When there is more, its writer is faster
 * than ticks. All together get so many nanoseconds; the others wait for the next. */
enum { TICK_BOUND = 256 * 1024 };
static const uint64_t tick_time = UINT64_C(1000000);

static void take_out(pm_manager_t *m, pm__output_t *o) {
  *(o->rest_prev ? &o->rest_prev->rest_next : &m->resting) = o->rest_next;
  *(o->rest_next ? &o->rest_next->rest_prev : &m->resting_last) = o->rest_prev;
  o->rest_prev = o->rest_next = NULL;
}

static void put_last(pm_manager_t *m, pm__output_t *o) {
  o->rest_prev = m->resting_last;
  *(o->rest_prev ? &o->rest_prev->rest_next : &m->resting) = o;
  m->resting_last = o;
}

void pm__pacer_forget(pm__output_t *o) {
  if (!o->resting) return;
  pm_manager_t *m = o->run->process->manager;
  take_out(m, o);
  o->resting = false;
  o->haste = 0;
}

void pm__pacer_wake(pm__output_t *o) {
  if (!o->resting) return;
  pm__pacer_forget(o);
  pm__output_watch(o);
}

static void visit(pm__output_t *o) {
  /* Without memory for what it may have to tell it waits for another tick. */
  if (pm__events_reserve(o->run->process->manager, PM__EVENTS_PER_CALL) != 0) return;
  if (pm__output_is_awaited(o)) {
    pm__pacer_wake(o);
    return;
  }
  size_t bytes = pm__output_read(o, TICK_BOUND);
  if (!o->resting) return; /* it has ended */
  if (bytes >= MUCH) pm__output_grow(o);
  if (bytes == 0 || bytes >= TICK_BOUND) pm__pacer_wake(o);
}

/* Nobody listens to what is read here, so nothing calls out while the list is
 * walked; what was queued for later is handed over at the end. Each goes to the end
 * of the list when it is its turn. */
static void visit_all(pm_manager_t *m) {
  uint64_t end = uv_hrtime() + tick_time;
  pm__output_t *last = m->resting_last;
  for (pm__output_t *o = m->resting; o; o = m->resting) {
    bool is_last = o == last;
    take_out(m, o);
    put_last(m, o);
    visit(o);
    if (is_last || uv_hrtime() >= end) break;
  }
}

static void on_tick(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  pm__events_deliver(m);
  if (m->closing) return;
  visit_all(m);
  if (m->resting) uv_timer_start(timer, on_tick, TICK, 0);
  pm__events_deliver(m);
}

static void rest(pm__output_t *o) {
  pm_manager_t *m = o->run->process->manager;
  if (!pm__pipe_mute(&o->pipe)) return;
  if (!m->resting) {
    uv_update_time(m->loop);
    uv_timer_start(&m->tick, on_tick, TICK, 0);
  }
  put_last(m, o);
  o->resting = true;
}

void pm__pacer_note(pm__output_t *o, size_t bytes) {
  uint64_t now = uv_hrtime();
  bool hasty = bytes < SMALL && now - o->read_at < soon;
  o->read_at = now;
  o->haste = hasty ? o->haste + 1 : 0;
  if (o->haste >= HASTY && !o->resting && !pm__output_is_awaited(o)) rest(o);
}

/* The watches of streams keep the loop alive or not; the timer never does. */
void pm__pacer_init(pm_manager_t *m) {
  uv_timer_init(m->loop, &m->tick);
  uv_unref((uv_handle_t *)&m->tick);
  m->tick.data = m;
}
