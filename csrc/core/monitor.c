#include "monitor.h"

#include "events.h"

/* Nanoseconds for which a sample is fresh. A process in its first second is
 * still being set up: what was seen of it then is soon wrong. */
static const uint64_t fresh_for = UINT64_C(1000000000);
static const uint64_t fresh_for_when_young = UINT64_C(20000000);

/* What one turn of the loop may spend on samples, and what one call, in nanoseconds. */
static const uint64_t slice = UINT64_C(80000);
static const uint64_t allowance = UINT64_C(500000);

/* In ms: the pause until the next turn that does (a timer of 0 would not let the loop poll);
 * how long the thread pool may take to begin. */
enum { PAUSE = 1, PATIENCE = 250 };

/* For fewer readings another thread costs the loop more than it spares. */
enum { ENOUGH_READINGS = 16 };

/* So many processes are handed out by one call. */
enum { FIGURES = 32 };

static bool is_alive(const pm__run_t *run) {
  return run && run->watched && !run->child.ended;
}

/* With what has been read beforehand goes what was so then: later starts are not in its lists. */
static uint64_t last_pid_for(pm_manager_t *m) {
  return m->meter_room.readings.ready ? m->last_pid : pm__metrics_last_pid(&m->meter_room.starts);
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

static void read_all(uv_work_t *work) {
  pm_manager_t *m = work->data;
  pm__readings_read(&m->meter_room.readings);
}

static void after_reading(uv_work_t *work, int status) {
  pm_manager_t *m = work->data;
  pm__readings_end(&m->meter_room.readings, status == 0);
  if (!m->closing) on_timer(&m->monitor);
  pm__manager_release(m);
}

/* The many reads of a round are another thread's; what they say is looked at by the loop's. */
static void begin_reading(pm_manager_t *m) {
  pm__readings_t *readings = &m->meter_room.readings;
  pm__readings_clear(readings);
  uint64_t now = pm__metrics_now();
  for (pm__process_t *p = m->first; p; p = p->next)
    if (is_alive(p->run)) pm__meter_want(&p->run->meter, m->last_pid, now);
  if (readings->count < ENOUGH_READINGS) return;
  m->reading.data = m;
  m->patient_for_reading = uv_now(m->loop) + PATIENCE;
  pm__readings_begin(readings);
  if (uv_queue_work(m->loop, &m->reading, read_all, after_reading) == 0)
    pm__manager_hold(m);
  else
    pm__readings_end(readings, false);
}

static void begin_round(pm_manager_t *m, bool announced) {
  m->sampling = true;
  m->announced = announced;
  m->rounds++;
  m->cursor = m->first;
  m->last_pid = pm__metrics_last_pid(&m->meter_room.starts);
  begin_reading(m);
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

/* Whether all have been looked at. Processes may come and go between two slices: the cursor is
 * moved on when its process is forgotten. */
static bool look_at_all(pm_manager_t *m, uint64_t until) {
  while (m->cursor) {
    pm__process_t *p = m->cursor;
    if (is_alive(p->run) && !sample(p->run, m->last_pid, until)) return false;
    remember(m, p);
    m->cursor = p->next;
    if (m->cursor && uv_hrtime() >= until) return false;
  }
  m->meter_room.readings.ready = false;
  return true;
}

/* Whether all have been handed out. */
static bool tell_of_all(pm_manager_t *m, uint64_t until) {
  bool first = m->cursor == m->first;
  while (m->cursor) {
    pm_figures_t figures[FIGURES];
    size_t count = 0;
    for (; m->cursor && count < FIGURES; m->cursor = m->cursor->next)
      if (pm__monitor_figures(m->cursor, &figures[count])) count++;
    /* The first also if it is none: what was handed out and never told of is to go. */
    if (count > 0 || first) m->callbacks.on_figures(m, figures, count, first);
    first = false;
    if (m->cursor && uv_hrtime() >= until) return false;
  }
  return true;
}

static bool is_heard(const pm_manager_t *m) {
  return m->announced && (m->listening & PM_LISTEN_METRICS) && m->live > 0;
}

/* False: there is more to do. */
static bool do_round(pm_manager_t *m, uint64_t until) {
  if (!m->telling) {
    if (!look_at_all(m, until)) return false;
    if (!is_heard(m) || !m->callbacks.on_figures) return true;
    m->telling = true;
    m->cursor = m->first;
    if (uv_hrtime() >= until) return false;
  }
  return tell_of_all(m, until);
}

static bool finish_unfinished(pm_manager_t *m, uint64_t until) {
  if (!m->unfinished) return true;
  uint64_t last_pid = last_pid_for(m);
  for (pm__process_t *p = m->first; p; p = p->next)
    if (is_alive(p->run) && p->run->meter.looking && !sample(p->run, last_pid, until)) return false;
  m->unfinished = false;
  return true;
}

/* ---- the timer ---------------------------------------------------------------------- */

static void tell(pm_manager_t *m) {
  if (pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) return;
  pm__events_deliver(m);
  if (m->closing) return;
  pm__queued_t *entry = pm__events_add(m, NULL, PM_EVENT_METRICS);
  entry->event.time = pm__wall_clock();
  pm__events_deliver(m);
}

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  const pm__readings_t *readings = &m->meter_room.readings;
  uint64_t until = uv_hrtime() + slice;
  bool is_on = m->options.value[PM_OPT_MONITOR_INTERVAL] > 0;
  if (is_on && m->live > 0 && !m->sampling && uv_now(m->loop) >= m->next_round) {
    set_next_round(m);
    begin_round(m, true);
  }
  bool is_done = finish_unfinished(m, until);
  if (readings->under_way) {
    /* All threads of the pool may be held up; then it will be done here. */
    if (uv_now(m->loop) >= m->patient_for_reading) uv_cancel((uv_req_t *)&m->reading);
    wake_in(m, is_done ? PATIENCE : PAUSE);
    return;
  }
  if (m->sampling) is_done = do_round(m, until) && is_done;
  if (!is_done) {
    wake_in(m, PAUSE);
    return;
  }
  bool is_news = m->sampling && is_heard(m);
  /* Not without a rest, if it took longer than that. */
  if (m->sampling && m->announced && uv_now(m->loop) >= m->next_round) set_next_round(m);
  m->sampling = m->telling = false;
  await_round(m);
  if (is_news) tell(m);
}

void pm__monitor_start(pm_manager_t *m) {
  if (m->meter_room.most == 0) m->meter_room.most = pm__metrics_most_open();
  if (uv_is_active((uv_handle_t *)&m->monitor)) return;
  if (uv_now(m->loop) >= m->next_round) set_next_round(m);
  await_round(m);
}

void pm__monitor_rest(pm_manager_t *m) {
  m->unfinished = false;
  pm__metrics_close_starts(&m->meter_room.starts);
}

/* ---- on request ------------------------------------------------------------------------- */

uint64_t pm__monitor_allowance(void) {
  return uv_hrtime() + allowance;
}

void pm__monitor_refresh(pm__run_t *run, uint64_t until) {
  pm_manager_t *m = run->process->manager;
  if (!is_alive(run) || is_fresh(run)) return;
  if (uv_hrtime() < until) {
    if (sample(run, last_pid_for(m), until)) return;
    m->unfinished = true;
    wake_in(m, PAUSE);
  } else if (!m->sampling) {
    begin_round(m, false);
    wake_in(m, PAUSE);
  }
}

bool pm__monitor_figures(const pm__process_t *p, pm_figures_t *out) {
  const pm__run_t *run = p->run;
  if (!run || run->ended_at || !run->meter.complete) return false;
  out->id = p->id;
  out->life = p->life;
  out->pid = run->child.pid;
  pm__meter_figures(&run->meter, &out->metrics);
  return true;
}
