#include "monitor.h"

/* Nanoseconds for which a sample is fresh. A process in its first second is
 * still being set up: what was seen of it then is soon wrong. */
static const uint64_t fresh_for = UINT64_C(1000000000);
static const uint64_t fresh_for_when_young = UINT64_C(20000000);

static bool is_alive(const pm__run_t *run) {
  return run && run->watched && !run->child.ended;
}

/* The window begins with the process itself: time it used before its first
 * sample counts. */
static void open_source(pm__run_t *run) {
  pm__usage_t usage;
  if (run->metrics.fd >= 0 || pm__metrics_open(run->child.pid, &run->metrics) != 0) return;
  if (pm__metrics_read(run->metrics, &usage) == 0) pm__cpu_window_start(&run->cpu, 0, usage.start_time);
}

static void sample(pm__run_t *run) {
  pm__usage_t usage;
  open_source(run);
  if (run->metrics.fd < 0 || pm__metrics_read(run->metrics, &usage) != 0) return;
  pm__cpu_window_add(&run->cpu, usage.cpu_time, pm__metrics_now());
  run->memory = (double)usage.memory;
  run->sampled_at = uv_hrtime();
}

bool pm__monitor_refresh(pm__run_t *run) {
  if (!is_alive(run)) return false;
  bool was_young = run->sampled_at - run->started_at < fresh_for;
  uint64_t age = uv_hrtime() - run->sampled_at;
  if (run->sampled_at != 0 && age <= (was_young ? fresh_for_when_young : fresh_for)) return false;
  sample(run);
  return true;
}

static void on_interval(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  for (pm__process_t *p = m->first; p; p = p->next)
    if (is_alive(p->run)) sample(p->run);
  if (m->live == 0) uv_timer_stop(timer);
}

void pm__monitor_start(pm_manager_t *m) {
  uint64_t interval = (uint64_t)m->options.value[PM_OPT_MONITOR_INTERVAL];
  if (interval > 0 && !uv_is_active((uv_handle_t *)&m->monitor))
    uv_timer_start(&m->monitor, on_interval, interval, interval);
}
