#include "monitor.h"

#include "events.h"

/* Nanoseconds for which a sample is fresh. A process in its first second is
 * still being set up: what was seen of it then is soon wrong. */
static const uint64_t fresh_for = UINT64_C(1000000000);
static const uint64_t fresh_for_when_young = UINT64_C(20000000);

/* What one turn of the loop, or one call, may spend, in nanoseconds; and the pause until
 * the next turn that does, in ms (a timer of 0 would not let the loop poll). */
static const uint64_t slice = UINT64_C(500000);
enum { PAUSE = 1 };

static bool is_alive(const pm__run_t *run) {
  return run && run->watched && !run->child.ended;
}

/* False: there is more to do. */
static bool sample(pm__run_t *run, uint64_t last_pid, uint64_t until) {
  int r = pm__meter_look(&run->meter, last_pid, until);
  if (r == 0) run->sampled_at = uv_hrtime();
  return r != UV_EAGAIN;
}

static bool is_fresh(const pm__run_t *run) {
  bool was_young = run->sampled_at - run->started_at < fresh_for;
  uint64_t age = uv_hrtime() - run->sampled_at;
  return run->sampled_at != 0 && age <= (was_young ? fresh_for_when_young : fresh_for);
}

/* ---- the timer ---------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void wake_in(pm_manager_t *m, uint64_t ms) {
  if (!m->closing) uv_timer_start(&m->monitor, on_timer, ms, 0);
}

static void await_round(pm_manager_t *m) {
  uint64_t interval = (uint64_t)m->options.value[PM_OPT_MONITOR_INTERVAL];
  uint64_t now = uv_now(m->loop);
  if (interval == 0 || m->live == 0) return;
  if (m->next_round <= now) m->next_round = now + interval;
  wake_in(m, m->next_round - now);
}

static void begin_round(pm_manager_t *m, bool announced) {
  m->sampling = true;
  m->announced = announced;
  m->rounds++;
  m->cursor = m->first;
}

/* Only what the timer's rounds see, so that the times are regular. */
static void remember(const pm_manager_t *m, pm__process_t *p) {
  pm__run_t *run = p->run;
  if (!m->announced || p->history.most == 0 || !is_alive(run) || !run->meter.complete) return;
  pm_metrics_t metrics;
  pm__meter_figures(&run->meter, &metrics);
  const pm__history_look_t look = {
      .time = pm__wall_clock(),
      .at = run->sampled_at,
      .began = run->started_at,
      .start = run->number,
      .metrics = &metrics,
  };
  pm__history_add(&p->history, &look);
}

/* Whether nothing is left to do. Processes may come and go between two slices: the cursor
 * is moved on when its process is forgotten. */
static bool work(pm_manager_t *m) {
  uint64_t until = uv_hrtime() + slice;
  uint64_t last_pid = pm__metrics_last_pid();
  while (m->cursor) {
    pm__process_t *p = m->cursor;
    if (is_alive(p->run) && !sample(p->run, last_pid, until)) return false;
    remember(m, p);
    m->cursor = p->next;
    if (m->cursor && uv_hrtime() >= until) return false;
  }
  if (!m->unfinished) return true;
  for (pm__process_t *p = m->first; p; p = p->next)
    if (is_alive(p->run) && p->run->meter.looking && !sample(p->run, last_pid, until)) return false;
  m->unfinished = false;
  return true;
}

/* Only if somebody listens, and something runs. */
static void tell(pm_manager_t *m) {
  if (!(m->listening & PM_LISTEN_METRICS) || m->live == 0) return;
  if (pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) return;
  pm__events_deliver(m);
  if (m->closing) return;
  pm__queued_t *entry = pm__events_add(m, NULL, PM_EVENT_METRICS);
  entry->event.time = pm__wall_clock();
  pm__events_deliver(m);
}

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  bool is_on = m->options.value[PM_OPT_MONITOR_INTERVAL] > 0;
  if (is_on && !m->sampling && uv_now(m->loop) >= m->next_round) begin_round(m, true);
  if (!work(m)) {
    wake_in(m, PAUSE);
    return;
  }
  bool is_news = m->sampling && m->announced;
  m->sampling = false;
  await_round(m);
  if (is_news) tell(m);
}

void pm__monitor_start(pm_manager_t *m) {
  if (m->meter_room.most == 0) m->meter_room.most = pm__metrics_most_open();
  if (!uv_is_active((uv_handle_t *)&m->monitor)) await_round(m);
}

/* ---- on request ------------------------------------------------------------------------- */

uint64_t pm__monitor_allowance(void) {
  return uv_hrtime() + slice;
}

void pm__monitor_refresh(pm__run_t *run, uint64_t until) {
  pm_manager_t *m = run->process->manager;
  if (!is_alive(run) || is_fresh(run)) return;
  if (uv_hrtime() < until) {
    if (sample(run, pm__metrics_last_pid(), until)) return;
    m->unfinished = true;
    wake_in(m, PAUSE);
  } else if (!m->sampling) {
    begin_round(m, false);
    wake_in(m, PAUSE);
  }
}
