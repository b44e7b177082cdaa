/*
 * Counters that the kernel has for processes that live, made into sums that never go
 * down: what one counts more than when it was looked at last is added, whoever ends
 * meanwhile.
 *
 * Bytes of storage move up when a parent waits for its child, as CPU time does
 * (wait_task_zombie() of the kernel adds to signal->ioac, which /proc/PID/io shows). So what
 * had been seen of who has gone is not added again when the nearest ancestor that is there
 * counts it. Is it never waited for, the sum is too small by as much, but never too large.
 *
 * Who is missing in one look need not have ended: of a large tree not all are looked at. So
 * it is remembered for one more. Missing twice in a row it counts anew when it is back; and of a chain
 * of which two are missing one after the other the sum may be too small.
 */
#ifndef PM_CORE_LEDGER_H
#define PM_CORE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PM__LEDGER_VOLUNTARY, PM__LEDGER_INVOLUNTARY, PM__LEDGER_READ, PM__LEDGER_WRITTEN, PM__LEDGER_COUNT };

/* What a process counts; -1: that may not be read. The start time tells it from others
 * that had the pid. Credit, match and missed are the ledger's own, and 0 in what it is given. */
typedef struct pm__ledger_entry {
  int pid;
  uint64_t start_time;
  int64_t value[PM__LEDGER_COUNT];
  int ppid;
  int64_t credit[PM__LEDGER_COUNT]; /* seen of those that it has yet to wait for, or never will */
  size_t match;                     /* in a settlement: its place, from 1, in the other list; 0: none */
  bool missed;                      /* it was not in the last look; what was seen of it has been handed up */
} pm__ledger_entry_t;

typedef struct pm__ledger {
  pm__ledger_entry_t *at; /* owned; as of the last look, sorted by pid */
  size_t count;
  int64_t sum[PM__LEDGER_COUNT];
} pm__ledger_t;

/* Every sum is -1: not known yet. Allocates nothing. */
void pm__ledger_init(pm__ledger_t *ledger);
void pm__ledger_free(pm__ledger_t *ledger);

/* Adds what entries count more than at the last look, and takes them over: memory of
 * pm__malloc, in any order, one a pid. Without memory for it nobody that is missing is
 * remembered. */
void pm__ledger_settle(pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count);

#endif /* PM_CORE_LEDGER_H */
