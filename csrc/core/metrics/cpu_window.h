/*
 * Percent of one core between two looks at a CPU clock: pure arithmetic, times
 * in nanoseconds. The caller brings the clocks.
 */
#ifndef PM_CORE_CPU_WINDOW_H
#define PM_CORE_CPU_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* The shortest window. The kernel counts in ticks of a tenth of it. */
#define PM__CPU_WINDOW_MIN_NS UINT64_C(100000000)

/* The shortest beginning of the first window that gives a figure meanwhile: one tick,
 * since less would say 0 or far too much. */
#define PM__CPU_WINDOW_FIRST_NS UINT64_C(10000000)

typedef struct pm__cpu_window {
  uint64_t cpu_time; /* at the window's beginning */
  uint64_t at;       /* when that was */
  double percent;    /* of the last complete window; before that, of the first one so far */
  bool any;          /* there has been a complete one */
} pm__cpu_window_t;

/* Begins the first window. For one over a whole life: cpu_time 0 at the start time. */
void pm__cpu_window_start(pm__cpu_window_t *w, uint64_t cpu_time, uint64_t at_ns);

/* Ends the window, begins the next and returns percent of the ended one. Sooner
 * than PM__CPU_WINDOW_MIN_NS the window goes on and percent is that of the one before;
 * if it is the first, what it comes to so far. CPU time that went down counts as none
 * used; a clock that went back begins a window and leaves percent. Never negative,
 * infinite or NaN. */
double pm__cpu_window_add(pm__cpu_window_t *w, uint64_t cpu_time, uint64_t at_ns);

#endif /* PM_CORE_CPU_WINDOW_H */
