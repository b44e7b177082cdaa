#include "cpu_window.h"

void pm__cpu_window_start(pm__cpu_window_t *w, uint64_t cpu_time, uint64_t at_ns) {
  *w = (pm__cpu_window_t){.cpu_time = cpu_time, .at = at_ns};
}

double pm__cpu_window_add(pm__cpu_window_t *w, uint64_t cpu_time, uint64_t at_ns) {
  if (at_ns >= w->at) {
    uint64_t elapsed = at_ns - w->at;
    uint64_t used = cpu_time > w->cpu_time ? cpu_time - w->cpu_time : 0;

    if (elapsed < (w->any ? PM__CPU_WINDOW_MIN_NS : PM__CPU_WINDOW_FIRST_NS)) return w->percent;
    w->percent = 100.0 * (double)used / (double)elapsed;
    if (elapsed < PM__CPU_WINDOW_MIN_NS) return w->percent;
    w->any = true;
  }
  w->cpu_time = cpu_time;
  w->at = at_ns;
  return w->percent;
}
