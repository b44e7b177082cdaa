/*
 * The restart policy: a pure function of a process's history, its options and
 * the clock.
 */
#ifndef PM_CORE_BACKOFF_H
#define PM_CORE_BACKOFF_H

#include "../pm.h"

typedef struct pm__end {
  bool started;      /* false: it could not be started at all */
  int code;          /* exit code, -1 when it ended by a signal or nobody knows */
  double uptime;     /* ms that it was alive */
  const char *limit; /* for which it was ended, to be started again whatever autoRestart says; NULL if for none */
} pm__end_t;

typedef enum {
  PM__END_DONE,    /* a clean end, or no autoRestart: leave it */
  PM__END_RESTART, /* start it again after delay */
  PM__END_GIVE_UP  /* maxRestarts reached */
} pm__verdict_t;

typedef struct pm__backoff {
  pm__verdict_t verdict;
  double delay;      /* ms, of PM__END_RESTART */
  unsigned attempts; /* the new count of restarts since it was last stable */
} pm__backoff_t;

/* What follows an end that nobody asked for.
 *
 * attempts: restarts since the process was last stable (0 for a new one).
 * random: uniform in [0, 1), for the jitter.
 *
 * Never after exit code 0, unless it was ended for a limit. An uptime of at least stableAfter sets attempts back
 * to 0 first. Restart number n (from 0) waits
 *   min(restartDelay * restartFactor^n, maxRestartDelay) * (1 + restartJitter * (2 * random - 1))
 * ms; no input makes it negative, infinite or NaN. */
pm__backoff_t pm__backoff_decide(const pm_options_t *options, const pm__end_t *end, unsigned attempts, double random);

#endif /* PM_CORE_BACKOFF_H */
