#include "rlimits.h"

#include <math.h>
#include <signal.h>

static const pm_option_index_t options_of[PM__LIMIT_COUNT] = {
    [PM__LIMIT_CPU] = PM_OPT_LIMIT_CPU_SECONDS,
    [PM__LIMIT_FILE_SIZE] = PM_OPT_LIMIT_FILE_SIZE,
    [PM__LIMIT_OPEN_FILES] = PM_OPT_LIMIT_OPEN_FILES,
    [PM__LIMIT_PROCESSES] = PM_OPT_LIMIT_PROCESSES,
    [PM__LIMIT_ADDRESS_SPACE] = PM_OPT_LIMIT_ADDRESS_SPACE,
    [PM__LIMIT_DATA_SIZE] = PM_OPT_LIMIT_DATA_SIZE,
    [PM__LIMIT_STACK_SIZE] = PM_OPT_LIMIT_STACK_SIZE,
    [PM__LIMIT_LOCKED_MEMORY] = PM_OPT_LIMIT_LOCKED_MEMORY,
    [PM__LIMIT_CORE_SIZE] = PM_OPT_LIMIT_CORE_SIZE,
};

void pm__limits_read(const pm_options_t *options, pm__limits_t *out) {
  for (int i = 0; i < PM__LIMIT_COUNT; i++) {
    out->value[i] = options->value[options_of[i]];
    out->name[i] = pm_option_table[options_of[i]].name;
  }
  out->nice = (int)options->value[PM_OPT_LIMIT_NICE];
  out->nice_name = pm_option_table[PM_OPT_LIMIT_NICE].name;
}

static bool is_limited(const pm_options_t *options, pm_option_index_t i) {
  return options->value[i] < INFINITY;
}

/* One that ignores SIGXCPU is killed by the kernel; but so are others. The rounding of
 * clocks is a hundredth of a second. */
static bool has_used(const pm_options_t *options, const pm_usage_t *usage) {
  return pm__limits_seen(PM_OPT_LIMIT_CPU_SECONDS, usage) > options->value[PM_OPT_LIMIT_CPU_SECONDS] - 0.1;
}

int pm__limits_reached(const pm_options_t *options, const pm__exit_t *end, const pm_usage_t *usage) {
  bool killed = end->signum == SIGKILL && usage && has_used(options, usage);
  if (is_limited(options, PM_OPT_LIMIT_CPU_SECONDS) && (end->signum == SIGXCPU || killed))
    return PM_OPT_LIMIT_CPU_SECONDS;
  if (is_limited(options, PM_OPT_LIMIT_FILE_SIZE) && end->signum == SIGXFSZ) return PM_OPT_LIMIT_FILE_SIZE;
  return -1;
}

double pm__limits_seen(int option, const pm_usage_t *usage) {
  if (option != PM_OPT_LIMIT_CPU_SECONDS || !usage) return NAN;
  return (double)(usage->user + usage->system) / 1e6;
}
