#include "history.h"

#include <math.h>

#include "../alloc.h"
#include "cpu_window.h"

/* Entries of one: 6 KiB. */
enum { BLOCK = 128, FIRST_ROOM = 4 };

static const double megabyte = 1024 * 1024;

void pm__history_init(pm__history_t *h, size_t most) {
  *h = (pm__history_t){.most = most, .block = most < BLOCK ? most : BLOCK};
}

void pm__history_free(pm__history_t *h) {
  for (size_t i = 0; i < h->block_count; i++)
    pm__free(h->blocks[i]);
  pm__free(h->blocks);
  pm__history_init(h, h->most);
}

static size_t capacity_of(const pm__history_t *h) {
  return h->block_count * h->block;
}

static pm__history_entry_t *entry_at(const pm__history_t *h, size_t i) {
  size_t place = h->first + i, capacity = capacity_of(h);
  if (place >= capacity) place -= capacity;
  return &h->blocks[place / h->block][place % h->block];
}

/* The list of many blocks is a hundredth of what is in them, and less. */
static bool make_room(pm__history_t *h) {
  size_t room = h->block_room ? h->block_room * 2 : FIRST_ROOM;
  if (h->block_count < h->block_room) return true;
  pm__history_entry_t **blocks = pm__realloc(h->blocks, room * sizeof(pm__history_entry_t *));
  if (!blocks) return false;
  h->blocks = blocks;
  h->block_room = room;
  return true;
}

/* One block more, before the one with the oldest: it follows the newest. For that the oldest
 * has to be the first of its block, as it is unless memory was short before. Without memory
 * the ring stays as it is. */
static void grow(pm__history_t *h) {
  size_t at = h->first / h->block;
  if (h->first % h->block != 0 || !make_room(h)) return;
  pm__history_entry_t *block = pm__malloc(h->block * sizeof(*block));
  if (!block) return;
  if (at == 0) at = h->block_count;
  for (size_t i = h->block_count; i > at; i--)
    h->blocks[i] = h->blocks[i - 1];
  h->blocks[at] = block;
  h->block_count++;
  if (h->first > 0) h->first += h->block;
}

/* NULL: there is no memory for any. */
static pm__history_entry_t *next_entry(pm__history_t *h) {
  if (h->count == capacity_of(h) && h->count < h->most) grow(h);
  if (h->block_count == 0) return NULL;
  if (h->count == h->most || h->count == capacity_of(h)) {
    if (++h->first == capacity_of(h)) h->first = 0;
    h->count--;
  }
  return entry_at(h, h->count++);
}

static uint64_t growth(uint64_t now, uint64_t before) {
  return now > before ? now - before : 0;
}

void pm__history_add(pm__history_t *h, const pm__history_look_t *look) {
  bool goes_on = h->any && h->start == look->start;
  uint64_t since = goes_on ? h->at : look->began;
  uint64_t span = growth(look->at, since);
  const pm_metrics_t *m = look->metrics;
  uint64_t used = m->user + m->system;
  if (h->most == 0 || span < PM__CPU_WINDOW_MIN_NS) return;
  pm__history_entry_t *entry = next_entry(h);
  if (!entry) return;
  *entry = (pm__history_entry_t){
      .time = look->time,
      .span = span / 1000,
      .cpu = growth(used, goes_on ? h->used : 0),
      .memory = (uint64_t)(m->memory * megabyte),
      .start = look->start,
      .threads = m->threads < UINT32_MAX ? (uint32_t)m->threads : UINT32_MAX,
      .processes = m->processes,
  };
  h->any = true;
  h->start = look->start;
  h->at = look->at;
  h->used = used;
}

/* ---- reading -------------------------------------------------------------------- */

static bool matches(const pm__history_entry_t *entry, const pm_history_query_t *q, uint64_t now) {
  if (q->has_since && entry->time <= q->since) return false;
  if (q->has_window && entry->time + q->window < now) return false;
  return !q->has_start || entry->start == q->start;
}

static pm_history_sample_t sample_of(const pm__history_entry_t *entry) {
  return (pm_history_sample_t){
      .time = entry->time,
      .span = entry->span,
      .start = entry->start,
      .cpu = 100 * (double)entry->cpu / (double)entry->span,
      .memory = (double)entry->memory / megabyte,
      .processes = entry->processes,
      .threads = entry->threads,
  };
}

/* The mean is a sum until all are known. */
static void include(pm_range_t *range, double value) {
  range->min = fmin(range->min, value);
  range->max = fmax(range->max, value);
  range->mean += value;
}

static void divide(pm_range_t *range, size_t count) {
  range->mean /= (double)count;
}

void pm__history_read(const pm__history_t *h, const pm_history_query_t *q, uint64_t now,
                      void (*each)(void *arg, const pm_history_sample_t *sample), void *arg,
                      pm_history_summary_t *out) {
  static const pm_range_t none = {INFINITY, 0, -INFINITY};
  uint64_t used = 0, span = 0;
  *out = (pm_history_summary_t){0};
  for (size_t i = 0; i < h->count; i++) {
    const pm__history_entry_t *entry = entry_at(h, i);
    if (!matches(entry, q, now)) continue;
    pm_history_sample_t sample = sample_of(entry);
    if (out->count++ == 0) out->cpu = out->memory = out->processes = out->threads = none;
    include(&out->cpu, sample.cpu);
    include(&out->memory, sample.memory);
    include(&out->processes, sample.processes);
    include(&out->threads, (double)sample.threads);
    used += entry->cpu;
    span += entry->span;
    if (each) each(arg, &sample);
  }
  if (out->count == 0) return;
  out->cpu.mean = 100 * (double)used / (double)span;
  divide(&out->memory, out->count);
  divide(&out->processes, out->count);
  divide(&out->threads, out->count);
}
