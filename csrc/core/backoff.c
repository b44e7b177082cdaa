#include "backoff.h"

#include <limits.h>

/* An option's value within the range that it must have, whatever was put into
 * the struct by hand. NaN becomes the minimum. */
static double value_of(const pm_options_t *options, pm_option_index_t i) {
  double v = options->value[i];
  if (!(v > pm_option_table[i].min)) return pm_option_table[i].min;
  return v <= pm_option_table[i].max ? v : pm_option_table[i].max;
}

/* base to the power of n; may be infinite. By squaring, since n may be huge. */
static double power(double base, unsigned n) {
  double result = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) result *= base;
    base *= base;
  }
  return result;
}

static double delay_of(const pm_options_t *options, unsigned n, double random) {
  double first = value_of(options, PM_OPT_RESTART_DELAY);
  double most = value_of(options, PM_OPT_MAX_RESTART_DELAY);
  double jitter = value_of(options, PM_OPT_RESTART_JITTER);
  if (first <= 0) return 0; /* 0 times an infinite power would be NaN */
  double delay = first * power(value_of(options, PM_OPT_RESTART_FACTOR), n);
  if (delay > most) delay = most;
  if (!(random >= 0)) random = 0;
  if (random > 1) random = 1;
  return delay * (1 + jitter * (2 * random - 1));
}

pm__backoff_t pm__backoff_decide(const pm_options_t *options, const pm__end_t *end, unsigned attempts, double random) {
  /* What never started was never stable, not even with stableAfter 0. */
  if (end->started && end->uptime >= value_of(options, PM_OPT_STABLE_AFTER)) attempts = 0;

  pm__backoff_t result = {PM__END_DONE, 0, attempts};
  bool clean = end->started && end->code == 0;
  if (!end->limit && (clean || value_of(options, PM_OPT_AUTO_RESTART) == 0)) return result;

  result.verdict = PM__END_GIVE_UP;
  if (attempts >= value_of(options, PM_OPT_MAX_RESTARTS)) return result;

  result.verdict = PM__END_RESTART;
  result.delay = delay_of(options, attempts, random);
  if (attempts < UINT_MAX) result.attempts++;
  return result;
}
