/* More of what a tree uses, than a sample tells: read in any thread. */
#ifndef PM_CORE_MEASURE_H
#define PM_CORE_MEASURE_H

#include "../../platform/details.h"
#include "meter.h"

/* From the last complete look of a meter. UV_ENOMEM. */
int pm__measure_new(const pm__meter_t *meter, bool pss, pm_measure_t **out);

/* Of a tree that has ended: nothing is read. UV_ENOMEM. */
int pm__measure_new_ended(const pm_metrics_t *last, pm_measure_t **out);

/* One of the processes that are read. */
typedef struct pm__measured {
  int pid, ppid;
  uint64_t start_time;
  bool found; /* it lived when it was read */
  pm__details_t details;
} pm__measured_t;

/* All of them, with what pm_measure_read has found; *count is how many. */
const pm__measured_t *pm__measure_processes(const pm_measure_t *measure, int *count);

#endif /* PM_CORE_MEASURE_H */
