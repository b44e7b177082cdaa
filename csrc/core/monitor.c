#include "monitor.h"

#include "events.h"
#include "metering.h"

/* What one turn of the loop may spend on samples, and what one call, in nanoseconds. */
static const uint64_t slice = UINT64_C(80000);
static const uint64_t allowance = UINT64_C(500000);

/* So many processes are remembered between two looks at the clock. */
enum { BETWEEN_CLOCKS = 32 };

/* In ms: the pause until the next turn that does (a timer of 0 would not let the loop poll);
 * how long the thread pool may take to begin. */
enum { PAUSE = 1, PATIENCE = 250 };

static bool is_alive(const pm__run_t *run) {
  return run && run->watched && !run->child.ended;
}

/* ---- a round -------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void wake_in(pm_manager_t *m, uint64_t ms) {
  if (!m->closing) uv_timer_start(&m->monitor, on_timer, ms, 0);
}

static void set_next_round(pm_manager_t *m) {
  m->next_round = uv_now(m->loop) + (uint64_t)m->options.value[PM_OPT_MONITOR_INTERVAL];
}

/* One that was due while a round on request went on comes after that. */
static void await_round(pm_manager_t *m) {
  uint64_t now = uv_now(m->loop);
  if (m->options.value[PM_OPT_MONITOR_INTERVAL] <= 0 || m->live == 0) return;
  wake_in(m, m->next_round > now ? m->next_round - now : PAUSE);
}

/* What it has not done is done now. */
static void after_thread(pm_manager_t *m) {
  on_timer(&m->monitor);
}

static void begin_round(pm_manager_t *m, bool announced) {
  m->sampling = true;
  m->announced = announced;
  m->heard = announced && (m->listening & PM_LISTEN_METRICS);
  m->rounds++;
  m->round_began = uv_hrtime();
  if (pm__metering_begin_round(m, m->heard, after_thread)) m->patient_for_thread = uv_now(m->loop) + PATIENCE;
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
    if (!pm__metering_go_on(m, until)) return false;
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
  entry->event.time = pm__wall_clock();
  entry->event.snapshot = snapshot;
  pm__events_deliver(m);
}

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  uint64_t until = uv_hrtime() + slice;
  bool is_on = m->options.value[PM_OPT_MONITOR_INTERVAL] > 0;
  if (is_on && m->live > 0 && !m->sampling && uv_now(m->loop) >= m->next_round) {
    set_next_round(m);
    begin_round(m, true);
  }
  bool is_done = finish_unfinished(m, until);
  if (m->metering.under_way) {
    /* All threads of the pool may be held up; then it will be done here. */
    if (uv_now(m->loop) >= m->patient_for_thread) pm__metering_take_back(m);
    wake_in(m, is_done ? PATIENCE : PAUSE);
    return;
  }
  if (m->sampling) is_done = do_round(m, until) && is_done;
  if (!is_done) {
    wake_in(m, PAUSE);
    return;
  }
  pm_snapshot_t *snapshot = m->sampling && m->heard ? pm__metering_take_snapshot(m) : NULL;
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
  pm__metering_rest(m);
}

/* ---- on request ------------------------------------------------------------------------- */

uint64_t pm__monitor_allowance(void) {
  return uv_hrtime() + allowance;
}

void pm__monitor_refresh(pm__run_t *run, uint64_t until) {
  pm_manager_t *m = run->process->manager;
  int r = is_alive(run) ? pm__metering_refresh(run, until) : 0;
  if (r == UV_EAGAIN)
    m->unfinished = true;
  else if (r == UV_EBUSY && !m->sampling)
    begin_round(m, false);
  else
    return;
  wake_in(m, PAUSE);
}
