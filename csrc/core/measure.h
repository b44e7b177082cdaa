/* More of what a tree uses, than a sample tells: read in any thread. */
#ifndef PM_CORE_MEASURE_H
#define PM_CORE_MEASURE_H

#include "meter.h"

/* From the last complete look of a meter. UV_ENOMEM. */
int pm__measure_new(const pm__meter_t *meter, bool pss, pm_measure_t **out);

/* Of a tree that has ended: nothing is read. UV_ENOMEM. */
int pm__measure_new_ended(const pm_metrics_t *last, pm_measure_t **out);

#endif /* PM_CORE_MEASURE_H */
