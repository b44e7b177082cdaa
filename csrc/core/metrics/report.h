/*
 * What monitoring systems are told: the figures of all processes at a moment. Begun on
 * the loop, which copies what it knows; read and written out in any thread; ended on the
 * loop, which takes back what counters have been seen to say.
 */
#ifndef PM_CORE_REPORT_H
#define PM_CORE_REPORT_H

#include "../internal.h"

typedef struct pm__report_item {
  pm_report_entry_t entry;
  char *text; /* owned: id and command */
  uint64_t life;
  pm_measure_t *measure; /* NULL: nothing runs */
  bool has_ledger;
  pm__ledger_t ledger; /* taken from the process, and given back in the end */
} pm__report_item_t;

/* Of the manager itself. */
typedef struct pm__report_totals {
  uint64_t spawned, limits_reached;
  uint64_t max_processes;
  int64_t max_memory; /* bytes; -1: there is no limit */
} pm__report_totals_t;

struct pm_report {
  pm__report_item_t *items;
  size_t count;
  pm__report_totals_t totals;
  char *text; /* owned: of pm_report_text */
};

#endif /* PM_CORE_REPORT_H */
