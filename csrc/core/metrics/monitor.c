#include "monitor.h"

#include <math.h>

#include "../events.h"
#include "metering_thread.h"

/* What one turn of the loop may spend on samples, and what one call, in nanoseconds. */
static const uint64_t slice = UINT64_C(80000);
static const uint64_t allowance = UINT64_C(500000);

/* So many processes are remembered between two looks at the clock. */
enum { BETWEEN_CLOCKS = 32 };

/* Until the next turn that does, in ms: a timer of 0 would not let the loop poll. */
enum { PAUSE = 1 };

static bool is_alive(const pm__run_t *run) {
  return run && run->watched && !run->child.ended;
}

/* ---- a round -------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void wake_in(pm_manager_t *m, uint64_t ms) {
  if (!m->closing) uv_timer_start(&m->monitor, on_timer, ms, 0);
}

static double interval_of(const pm_manager_t *m) {
  double interval = m->options.value[PM_OPT_MONITOR_INTERVAL];
  return interval > 0 ? interval : INFINITY;
}

/* There is no round for the loop's timer: they are the thread's, or nobody wants any. */
static bool is_off(const pm_manager_t *m) {
  return m->metering.by_thread || !isfinite(interval_of(m)) || m->live == 0;
}

static void set_next_round(pm_manager_t *m) {
  if (isfinite(interval_of(m))) m->next_round = uv_now(m->loop) + (uint64_t)interval_of(m);
}

/* One that was due while a round on request went on comes after that. */
static void await_round(pm_manager_t *m) {
  uint64_t now = uv_now(m->loop);
  if (!is_off(m)) wake_in(m, m->next_round > now ? m->next_round - now : PAUSE);
}

static void begin_round(pm_manager_t *m, bool announced) {
  m->sampling = true;
  m->announced = announced;
  m->heard = announced && (m->listening & PM_LISTEN_METRICS);
  m->round_began = uv_hrtime();
  pm__round_begin(pm__metering_lock(m), m->heard);
  pm__metering_unlock(&m->metering);
}

/* ---- histories ---------------------------------------------------------------------------- */

/* Only what the timer's rounds see, so that the times are regular. */
static void remember(pm__process_t *p) {
  if (p->history.most == 0 || !p->run || p->run->ended_at) return;
  pm__seen_t seen = pm__metering_seen(p->run);
  if (!seen.complete || seen.at < p->manager->round_began) return;
  const pm__history_look_t look = {
      .time = pm__wall_clock() - (uv_hrtime() - seen.at) / 1000,
      .at = seen.at,
      .began = p->run->started_at,
      .start = p->run->number,
      .metrics = &seen.metrics,
  };
  pm__history_add(&p->history, &look);
}

/* Processes may come and go between two slices: the cursor is moved on when its process is forgotten.
 * False: there is more to do. */
static bool remember_all(pm_manager_t *m, uint64_t until) {
  while (m->cursor) {
    for (int i = 0; m->cursor && i < BETWEEN_CLOCKS; i++, m->cursor = m->cursor->next)
      remember(m->cursor);
    if (m->cursor && uv_hrtime() >= until) return false;
  }
  return true;
}

/* False: there is more to do. */
static bool do_round(pm_manager_t *m, uint64_t until) {
  if (!m->remembering) {
    bool is_over = pm__round_go_on(pm__metering_lock(m), until);
    pm__metering_unlock(&m->metering);
    if (!is_over) return false;
    m->round_ended = uv_hrtime();
    if (!m->announced || m->histories == 0) return true;
    m->remembering = true;
    m->cursor = m->first;
    if (uv_hrtime() >= until) return false;
  }
  return remember_all(m, until);
}

static bool finish_unfinished(pm_manager_t *m, uint64_t until) {
  if (m->unfinished) m->unfinished = !pm__metering_finish(m, until);
  return !m->unfinished;
}

/* ---- the timer ---------------------------------------------------------------------- */

/* A listener that came in the middle is not told; nobody, when there was no memory for it. What has ended by now
 * is told of as ended, before this. */
static void tell(pm_manager_t *m, pm_snapshot_t *snapshot) {
  bool is_wanted = snapshot && (m->listening & PM_LISTEN_METRICS) && m->live > 0;
  if (!is_wanted || pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) {
    pm_snapshot_unref(snapshot);
    return;
  }
  pm__queued_t *entry = pm__events_add(m, NULL, PM_EVENT_METRICS);
  entry->event.time = pm__wall_clock() - (uv_hrtime() - m->round_ended) / 1000;
  entry->event.snapshot = snapshot;
  pm__events_deliver(m);
}

static void on_thread_round(pm_manager_t *m, uint64_t began, uint64_t ended) {
  m->sampling = m->announced = m->heard = m->remembering = true;
  m->round_began = began;
  m->round_ended = ended;
  m->cursor = m->histories > 0 ? m->first : NULL;
  on_timer(&m->monitor);
}

/* Whether rounds are not the loop's any more, or cannot be. */
static bool has_thread(pm_manager_t *m, double first) {
  return m->metering.by_thread || pm__metering_thread_take_over(m, first, interval_of(m), on_thread_round);
}

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  uint64_t until = uv_hrtime() + slice;
  if (!is_off(m) && !m->sampling && uv_now(m->loop) >= m->next_round) {
    set_next_round(m);
    if (!has_thread(m, 0)) begin_round(m, true);
  }
  bool is_done = finish_unfinished(m, until);
  if (m->sampling) is_done = do_round(m, until) && is_done;
  if (!is_done) {
    wake_in(m, PAUSE);
    return;
  }
  pm_snapshot_t *snapshot = m->sampling && m->heard ? pm__metering_thread_take(m) : NULL;
  /* Not without a rest, if it took longer than that. */
  if (m->sampling && m->announced && uv_now(m->loop) >= m->next_round) set_next_round(m);
  m->sampling = m->remembering = false;
  await_round(m);
  tell(m, snapshot);
}

void pm__monitor_start(pm_manager_t *m) {
  if (uv_is_active((uv_handle_t *)&m->monitor)) return;
  if (uv_now(m->loop) >= m->next_round) set_next_round(m);
  await_round(m);
}

void pm__monitor_rest(pm_manager_t *m) {
  m->unfinished = false;
  pm__metering_thread_rest(m);
  pm__metering_rest(m);
}

void pm__monitor_audience(pm_manager_t *m) {
  pm__metering_thread_tell(m, m->listening & PM_LISTEN_METRICS, m->histories > 0);
}

/* ---- on request ------------------------------------------------------------------------- */

uint64_t pm__monitor_allowance(void) {
  return uv_hrtime() + allowance;
}

static void request_round(pm_manager_t *m) {
  if (m->sampling && !m->metering.by_thread) return;
  uint64_t now = uv_now(m->loop);
  double first = is_off(m) ? INFINITY : m->next_round > now ? (double)(m->next_round - now) : 0;
  if (has_thread(m, first)) {
    pm__metering_thread_request(m);
  } else {
    begin_round(m, false);
    wake_in(m, PAUSE);
  }
}

void pm__monitor_refresh(pm__run_t *run, uint64_t until) {
  pm_manager_t *m = run->process->manager;
  int r = is_alive(run) ? pm__metering_refresh(run, until) : 0;
  if (r == UV_EBUSY) request_round(m);
  if (r != UV_EAGAIN) return;
  m->unfinished = true;
  wake_in(m, PAUSE);
}
