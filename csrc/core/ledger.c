#include "ledger.h"

#include <stdbool.h>
#include <stdlib.h>

#include "alloc.h"

void pm__ledger_init(pm__ledger_t *ledger) {
  *ledger = (pm__ledger_t){0};
  for (int i = 0; i < PM__LEDGER_COUNT; i++)
    ledger->sum[i] = -1;
}

void pm__ledger_free(pm__ledger_t *ledger) {
  pm__free(ledger->at);
  pm__ledger_init(ledger);
}

static int by_pid(const void *a, const void *b) {
  const pm__ledger_entry_t *first = a, *second = b;
  return (first->pid > second->pid) - (first->pid < second->pid);
}

/* What cannot be read this time has been seen all the same. */
static void add(pm__ledger_t *ledger, pm__ledger_entry_t *entry, const pm__ledger_entry_t *before) {
  for (int i = 0; i < PM__LEDGER_COUNT; i++) {
    int64_t seen = before ? before->value[i] : -1;
    int64_t base = seen > 0 ? seen : 0;
    if (entry->value[i] < base) {
      if (entry->value[i] < seen) entry->value[i] = seen;
      continue;
    }
    if (ledger->sum[i] < 0) ledger->sum[i] = 0;
    ledger->sum[i] += entry->value[i] - base;
  }
}

void pm__ledger_settle(pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count) {
  size_t old = 0;
  if (count > 0) qsort(entries, count, sizeof(*entries), by_pid);
  for (size_t i = 0; i < count; i++) {
    pm__ledger_entry_t *entry = &entries[i];
    while (old < ledger->count && ledger->at[old].pid < entry->pid)
      old++;
    const pm__ledger_entry_t *before = old < ledger->count ? &ledger->at[old] : NULL;
    bool is_same = before && before->pid == entry->pid && before->start_time == entry->start_time;
    add(ledger, entry, is_same ? before : NULL);
  }
  pm__free(ledger->at);
  ledger->at = entries;
  ledger->count = count;
}
