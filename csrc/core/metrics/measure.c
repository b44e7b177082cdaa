#include "measure.h"

#include "../alloc.h"

struct pm_measure {
  pm_measurement_t result;
  bool pss;
  int count;
  pm__measured_t targets[];
};

static pm_measure_t *new_measure(int room, bool pss) {
  pm_measure_t *measure = pm__calloc(1, sizeof(*measure) + (size_t)room * sizeof(pm__measured_t));
  if (!measure) return NULL;
  measure->pss = pss;
  measure->result =
      (pm_measurement_t){.descriptors = -1, .voluntary = -1, .involuntary = -1, .read = -1, .written = -1, .pss = -1};
  return measure;
}

int pm__measure_new(const pm__meter_t *meter, bool pss, pm_measure_t **out) {
  pm_measure_t *measure = new_measure(meter->members.count, pss);
  if (!measure) return UV_ENOMEM;
  pm__meter_figures(meter, &measure->result.metrics);
  for (int i = 0; i < meter->members.count; i++) {
    const pm__member_t *member = &meter->members.at[i];
    if (member->outside || !member->usage.lives) continue;
    measure->targets[measure->count++] = (pm__measured_t){
        .pid = member->pid,
        .ppid = member->usage.ppid,
        .start_time = member->usage.start_time,
    };
  }
  *out = measure;
  return 0;
}

int pm__measure_new_ended(const pm_metrics_t *last, pm_measure_t **out) {
  pm_measure_t *measure = new_measure(0, false);
  if (!measure) return UV_ENOMEM;
  measure->result.metrics = *last;
  *out = measure;
  return 0;
}

/* Of one that may not be read the sum is not known. */
static void add(int64_t *sum, int64_t value) {
  *sum = *sum < 0 || value < 0 ? -1 : *sum + value;
}

static void add_details(pm_measurement_t *sum, const pm__details_t *d) {
  double peak = (double)d->peak / (1024 * 1024);
  add(&sum->descriptors, d->descriptors);
  add(&sum->voluntary, d->voluntary);
  add(&sum->involuntary, d->involuntary);
  add(&sum->read, d->read);
  add(&sum->written, d->written);
  add(&sum->pss, d->pss);
  if (peak > sum->metrics.peak) sum->metrics.peak = peak;
}

void pm_measure_read(pm_measure_t *measure) {
  pm_measurement_t *sum = &measure->result;
  bool any = false;
  for (int i = 0; i < measure->count; i++) {
    pm__measured_t *target = &measure->targets[i];
    target->details = (pm__details_t){-1, -1, -1, -1, -1, -1, -1};
    target->found = pm__details_read(target->pid, target->start_time, measure->pss, &target->details) != UV_ESRCH;
    if (!target->found) continue;
    if (!any) sum->descriptors = sum->voluntary = sum->involuntary = sum->read = sum->written = sum->pss = 0;
    any = true;
    add_details(sum, &target->details);
  }
}

const pm__measured_t *pm__measure_processes(const pm_measure_t *measure, int *count) {
  *count = measure->count;
  return measure->targets;
}

const pm_measurement_t *pm_measure_result(const pm_measure_t *measure) {
  return &measure->result;
}

void pm_measure_free(pm_measure_t *measure) {
  pm__free(measure);
}
