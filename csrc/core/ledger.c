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

/* ---- what is handed up ------------------------------------------------------------------ */

static void match(pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count) {
  size_t old = 0;
  for (size_t i = 0; i < ledger->count; i++)
    ledger->at[i].match = 0;
  for (size_t i = 0; i < count; i++) {
    pm__ledger_entry_t *entry = &entries[i];
    while (old < ledger->count && ledger->at[old].pid < entry->pid)
      old++;
    pm__ledger_entry_t *before = old < ledger->count ? &ledger->at[old] : NULL;
    if (!before || before->pid != entry->pid || before->start_time != entry->start_time) continue;
    before->match = i + 1;
    entry->match = old + 1;
    for (int c = 0; c < PM__LEDGER_COUNT; c++)
      entry->credit[c] = before->credit[c];
  }
}

static const pm__ledger_entry_t *find_parent(const pm__ledger_t *ledger, const pm__ledger_entry_t *of) {
  const pm__ledger_entry_t key = {.pid = of->ppid};
  return ledger->count > 0 ? bsearch(&key, ledger->at, ledger->count, sizeof(key), by_pid) : NULL;
}

/* Pids that were given again meanwhile may make a ring of parents. */
static const pm__ledger_entry_t *find_heir(const pm__ledger_t *ledger, const pm__ledger_entry_t *gone) {
  const pm__ledger_entry_t *heir = find_parent(ledger, gone);
  for (size_t steps = ledger->count; heir && heir->match == 0; heir = find_parent(ledger, heir))
    if (steps-- == 0) return NULL;
  return heir;
}

static void hand_up(const pm__ledger_t *ledger, pm__ledger_entry_t *entries) {
  static const int inherited[] = {PM__LEDGER_READ, PM__LEDGER_WRITTEN};
  for (size_t i = 0; i < ledger->count; i++) {
    const pm__ledger_entry_t *gone = &ledger->at[i];
    const pm__ledger_entry_t *heir = gone->match == 0 ? find_heir(ledger, gone) : NULL;
    if (!heir) continue;
    for (size_t c = 0; c < sizeof(inherited) / sizeof(inherited[0]); c++) {
      int64_t seen = gone->value[inherited[c]];
      entries[heir->match - 1].credit[inherited[c]] += gone->credit[inherited[c]] + (seen > 0 ? seen : 0);
    }
  }
}

/* ---- sums --------------------------------------------------------------------------------- */

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
    int64_t growth = entry->value[i] - base;
    int64_t known = growth < entry->credit[i] ? growth : entry->credit[i];
    entry->credit[i] -= known;
    ledger->sum[i] += growth - known;
  }
}

void pm__ledger_settle(pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count) {
  if (count > 0) qsort(entries, count, sizeof(*entries), by_pid);
  match(ledger, entries, count);
  hand_up(ledger, entries);
  for (size_t i = 0; i < count; i++)
    add(ledger, &entries[i], entries[i].match > 0 ? &ledger->at[entries[i].match - 1] : NULL);
  pm__free(ledger->at);
  ledger->at = entries;
  ledger->count = count;
}
