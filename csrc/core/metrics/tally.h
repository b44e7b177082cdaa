/* What has happened to a process over all its starts, for the host's monitoring. */
#ifndef PM_CORE_TALLY_H
#define PM_CORE_TALLY_H

#include "../../platform/spawn.h"
#include "../../pm.h"
#include "ledger.h"

/* How a start ended. */
typedef enum {
  PM__END_REQUESTED, /* somebody had asked for it, however it came about */
  PM__END_SUCCESS,   /* exit code 0 */
  PM__END_FAILURE,   /* another one */
  PM__END_SIGNAL,
  PM__END_LIMIT, /* it had reached a limit */
  PM__END_UNKNOWN,
  PM__END_WAYS
} pm__end_way_t;

typedef struct pm__tally {
  uint64_t ends[PM__END_WAYS];
  uint64_t start_failures;
  uint64_t limits_reached;
  uint64_t user, system; /* microseconds of CPU of the starts that are over */
  pm__ledger_t ledger;
} pm__tally_t;

/* Allocates nothing. */
void pm__tally_init(pm__tally_t *t);
void pm__tally_free(pm__tally_t *t);

pm__end_way_t pm__end_way(const pm__exit_t *exit, bool requested, bool for_limit);

/* A start is over. used: CPU time in all, neither kind less than samples saw, so that no sum
 * goes down. */
void pm__tally_end(pm__tally_t *t, pm__end_way_t way, const pm_metrics_t *used);

#endif /* PM_CORE_TALLY_H */
