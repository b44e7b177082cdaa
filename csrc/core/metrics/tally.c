#include "tally.h"

void pm__tally_init(pm__tally_t *t) {
  *t = (pm__tally_t){0};
  pm__ledger_init(&t->ledger);
}

void pm__tally_free(pm__tally_t *t) {
  pm__ledger_free(&t->ledger);
}

pm__end_way_t pm__end_way(const pm__exit_t *exit, bool requested, bool for_limit) {
  if (for_limit) return PM__END_LIMIT;
  if (requested) return PM__END_REQUESTED;
  if (exit->signum) return PM__END_SIGNAL;
  if (exit->code < 0) return PM__END_UNKNOWN;
  return exit->code == 0 ? PM__END_SUCCESS : PM__END_FAILURE;
}

void pm__tally_end(pm__tally_t *t, pm__end_way_t way, const pm_metrics_t *used) {
  t->ends[way]++;
  t->user += used->user;
  t->system += used->system;
}
