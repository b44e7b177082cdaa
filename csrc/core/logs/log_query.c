#include "log_query.h"

/* A place in each ring: how many of its lines come before. */
typedef struct place {
  size_t at[PM_STREAM_COUNT];
} place_t;

typedef struct found {
  pm_stream_t stream;
  const pm__log_line_t *line; /* NULL: there is none */
} found_t;

static bool is_wanted(const pm_log_query_t *q, pm_stream_t stream) {
  return q->streams & (1U << stream);
}

static bool matches(const pm__log_ring_t *rings, const pm_log_query_t *q, const found_t *found) {
  if (q->has_since && found->line->seq <= q->since) return false;
  if (q->has_start && found->line->start != q->start) return false;
  return q->search.base == NULL || pm__log_ring_find(&rings[found->stream], found->line, q->search);
}

/* The newest line before the place, which moves in front of it. */
static found_t previous(const pm__log_ring_t *rings, const pm_log_query_t *q, place_t *place) {
  found_t newest = {.line = NULL};
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    if (!is_wanted(q, (pm_stream_t)i) || place->at[i] == 0) continue;
    const pm__log_line_t *line = pm__log_ring_line(&rings[i], place->at[i] - 1);
    if (!newest.line || line->seq > newest.line->seq) newest = (found_t){(pm_stream_t)i, line};
  }
  if (newest.line) place->at[newest.stream]--;
  return newest;
}

/* The oldest line behind the place, which moves behind it. */
static found_t next(const pm__log_ring_t *rings, const pm_log_query_t *q, place_t *place) {
  found_t oldest = {.line = NULL};
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    if (!is_wanted(q, (pm_stream_t)i) || place->at[i] == rings[i].count) continue;
    const pm__log_line_t *line = pm__log_ring_line(&rings[i], place->at[i]);
    if (!oldest.line || line->seq < oldest.line->seq) oldest = (found_t){(pm_stream_t)i, line};
  }
  if (oldest.line) place->at[oldest.stream]++;
  return oldest;
}

/* Where lines begin that are behind `since`: by halves, since numbers only grow. */
static size_t first_behind(const pm__log_ring_t *ring, uint64_t since) {
  size_t low = 0;
  size_t high = ring->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (pm__log_ring_line(ring, middle)->seq <= since)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Where the lines that are asked for begin. */
static place_t begin(const pm__log_ring_t *rings, const pm_log_query_t *q) {
  place_t place;
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    place.at[i] = q->has_since ? first_behind(&rings[i], q->since) : rings[i].count;
  if (q->has_since) return place;
  for (size_t left = q->lines; left > 0;) {
    found_t found = previous(rings, q, &place);
    if (!found.line) break;
    if (matches(rings, q, &found)) left--;
  }
  return place;
}

typedef struct delivery {
  void (*each)(void *arg, const pm_log_line_t *line);
  void *arg;
  pm_log_line_t line;
} delivery_t;

static void deliver(void *arg, pm_str_t text) {
  delivery_t *d = arg;
  d->line.text = text;
  d->each(d->arg, &d->line);
}

int pm__log_query(const pm__log_ring_t rings[PM_STREAM_COUNT], const pm_log_query_t *q,
                  void (*each)(void *arg, const pm_log_line_t *line), void *arg) {
  place_t place = begin(rings, q);
  for (size_t left = q->lines; left > 0;) {
    found_t found = next(rings, q, &place);
    if (!found.line) break;
    if (!matches(rings, q, &found)) continue;
    delivery_t delivery = {
        each,
        arg,
        {.seq = found.line->seq, .time = found.line->time, .start = found.line->start, .stream = found.stream}};
    int r = pm__log_ring_text(&rings[found.stream], found.line, deliver, &delivery);
    if (r != 0) return r;
    left--;
  }
  return 0;
}
