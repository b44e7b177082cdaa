#include "ledger.h"

#include <stdlib.h>

#include "../alloc.h"

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
  }
}

static const pm__ledger_entry_t *find_parent(const pm__ledger_t *ledger, const pm__ledger_entry_t *of) {
  const pm__ledger_entry_t key = {.pid = of->ppid};
  return ledger->count > 0 ? bsearch(&key, ledger->at, ledger->count, sizeof(key), by_pid) : NULL;
}

static bool is_there(const pm__ledger_entry_t *entry) {
  return entry->match > 0;
}

static bool was_there(const pm__ledger_entry_t *entry) {
  return !entry->missed;
}

/* The nearest ancestor of those. Pids that were given again meanwhile may make a ring of
 * parents. */
static const pm__ledger_entry_t *find_heir(const pm__ledger_t *ledger, const pm__ledger_entry_t *of,
                                           bool (*may_be)(const pm__ledger_entry_t *)) {
  const pm__ledger_entry_t *heir = find_parent(ledger, of);
  for (size_t steps = ledger->count; heir && !may_be(heir); heir = find_parent(ledger, heir))
    if (steps-- == 0) return NULL;
  return heir;
}

/* Those counters of which who waits for a process takes over what it had counted. */
static const int inherited[] = {PM__LEDGER_READ, PM__LEDGER_WRITTEN};
enum { INHERITED = sizeof(inherited) / sizeof(inherited[0]) };

/* What an heir of it gets. */
static int64_t estate_of(const pm__ledger_entry_t *entry, int counter) {
  int64_t seen = entry->value[counter];
  return entry->credit[counter] + (seen > 0 ? seen : 0);
}

/* What was handed up for one that was missing, from who got it then to another (as far as it has not been used);
 * NULL: to nobody. */
static void move_estate(pm__ledger_t *ledger, const pm__ledger_entry_t *of, const pm__ledger_entry_t *to) {
  const pm__ledger_entry_t *found = find_heir(ledger, of, was_there);
  if (!found) return;
  pm__ledger_entry_t *from = &ledger->at[found - ledger->at];
  for (int c = 0; c < INHERITED; c++) {
    int64_t estate = estate_of(of, inherited[c]), left = from->credit[inherited[c]];
    int64_t moved = left < estate ? left : estate;
    from->credit[inherited[c]] -= moved;
    if (to) ledger->at[to - ledger->at].credit[inherited[c]] += moved;
  }
}

/* Who is there again had not ended: it counts for itself. Who has is waited for by the nearest that is there, which
 * may have been missing as well. */
static void take_back(pm__ledger_t *ledger) {
  for (size_t i = 0; i < ledger->count; i++)
    if (ledger->at[i].missed && is_there(&ledger->at[i])) move_estate(ledger, &ledger->at[i], NULL);
  for (size_t i = 0; i < ledger->count; i++) {
    const pm__ledger_entry_t *gone = &ledger->at[i];
    const pm__ledger_entry_t *heir = gone->missed && !is_there(gone) ? find_heir(ledger, gone, is_there) : NULL;
    if (heir && heir->missed) move_estate(ledger, gone, heir);
  }
}

static void carry_over(const pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int c = 0; c < PM__LEDGER_COUNT && is_there(&entries[i]); c++)
      entries[i].credit[c] = ledger->at[entries[i].match - 1].credit[c];
}

static void hand_up(const pm__ledger_t *ledger, pm__ledger_entry_t *entries) {
  for (size_t i = 0; i < ledger->count; i++) {
    const pm__ledger_entry_t *gone = &ledger->at[i];
    if (is_there(gone) || gone->missed) continue;
    const pm__ledger_entry_t *heir = find_heir(ledger, gone, is_there);
    for (int c = 0; c < INHERITED && heir; c++)
      entries[heir->match - 1].credit[inherited[c]] += estate_of(gone, inherited[c]);
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

/* ---- who is missing ------------------------------------------------------------------------- */

/* Whose pid another one has by now has ended. */
static bool is_to_be_remembered(const pm__ledger_entry_t *old, const pm__ledger_entry_t *entries, size_t count) {
  if (is_there(old) || old->missed) return false;
  return count == 0 || !bsearch(old, entries, count, sizeof(*old), by_pid);
}

static void remember(const pm__ledger_t *ledger, pm__ledger_entry_t **entries, size_t *count) {
  size_t missing = 0, there = *count;
  for (size_t i = 0; i < ledger->count; i++)
    missing += is_to_be_remembered(&ledger->at[i], *entries, there);
  if (missing == 0) return;
  pm__ledger_entry_t *all = pm__realloc(*entries, (there + missing) * sizeof(*all));
  if (!all) return;
  for (size_t i = 0; i < ledger->count; i++) {
    if (!is_to_be_remembered(&ledger->at[i], all, there)) continue;
    all[*count] = ledger->at[i];
    all[(*count)++].missed = true;
  }
  qsort(all, *count, sizeof(*all), by_pid);
  *entries = all;
}

void pm__ledger_settle(pm__ledger_t *ledger, pm__ledger_entry_t *entries, size_t count) {
  if (count > 0) qsort(entries, count, sizeof(*entries), by_pid);
  match(ledger, entries, count);
  take_back(ledger);
  carry_over(ledger, entries, count);
  hand_up(ledger, entries);
  for (size_t i = 0; i < count; i++)
    add(ledger, &entries[i], is_there(&entries[i]) ? &ledger->at[entries[i].match - 1] : NULL);
  remember(ledger, &entries, &count);
  pm__free(ledger->at);
  ledger->at = entries;
  ledger->count = count;
}
