/*
 * Feeds two streams in arbitrary chunks into small log rings that share their
 * count, and compares rings and listeners with the models after each chunk, and a
 * query at the end.
 *
 * Input: one byte for the bound in lines, one for the bound in bytes, one that
 * tells which allocation fails (0: none); of the query the number of lines, the
 * number that they are to be behind, one of bits: 1 stdout, 2 stderr, 4 behind
 * that number, 8 of a start, 16 a search; its length and three bytes of text; then
 * chunks: a byte of bits (1 stderr, 2 a new start, 4 later), a length byte and so
 * many bytes. When an allocation failed, only soundness is compared.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/streams/lines.h"
#include "log_model.h"
#include "support.h"

static void require(const char *difference) {
  if (!difference) return;
  fprintf(stderr, "differs: %s\n", difference);
  abort();
}

typedef struct state {
  pm__log_ring_t rings[PM_STREAM_COUNT];
  log_model_t models[PM_STREAM_COUNT];
  heard_t heard[PM_STREAM_COUNT];
  uint64_t ring_seq, model_seq;
  uint64_t time, start;
} state_t;

static void require_sound(const state_t *s) {
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    require(log_ring_unsound(&s->rings[i]));
  if (s->ring_seq != s->model_seq) require("count of both");
}

static void compare(const state_t *s) {
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    require(log_ring_differs(&s->rings[i], &s->models[i]));
    require(heard_differs(&s->heard[i], &s->models[i]));
  }
}

static void begin(state_t *s, size_t max_lines, size_t max_bytes) {
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    pm__log_ring_init(&s->rings[i], max_lines, max_bytes);
    log_model_init(&s->models[i], max_lines, max_bytes);
    s->rings[i].last_seq = &s->ring_seq;
    s->models[i].last_seq = &s->model_seq;
  }
}

static void stamp(state_t *s, int i) {
  s->rings[i].time = s->models[i].time = s->time;
  s->rings[i].start = s->models[i].start = s->start;
}

static void feed(state_t *s, uint8_t bits, const char *bytes, size_t len) {
  int i = bits & 1;
  s->start += bits >> 1 & 1;
  s->time += bits >> 2 & 1;
  stamp(s, i);
  pm__lines_feed(&s->rings[i], bytes, len, heard_lines, &s->heard[i]);
  log_model_feed(&s->models[i], bytes, len);
}

static void finish(state_t *s, int i) {
  stamp(s, i);
  pm__lines_finish(&s->rings[i], heard_lines, &s->heard[i]);
  log_model_finish(&s->models[i]);
}

static void end(state_t *s) {
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    pm__log_ring_free(&s->rings[i]);
    heard_free(&s->heard[i]);
    log_model_free(&s->models[i]);
  }
}

enum { HEADER = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < HEADER) return 0;
  size_t max_lines = 1 + data[0];
  /* Mostly small, but the largest need more than the arena's first size. */
  size_t max_bytes = data[1] < 200 ? 1 + data[1] : (size_t)data[1] * 25;
  unsigned long fail_at = data[2];
  state_t s = {0};
  uint8_t bits = data[5];
  const pm_log_query_t query = {.lines = data[3],
                                .has_since = bits & 4,
                                .since = data[4],
                                .streams = bits & 3,
                                .has_start = bits & 8,
                                .start = data[4] % 4,
                                .search = {bits & 16 ? (const char *)data + 7 : NULL, data[6] % 4}};
  begin(&s, max_lines, max_bytes);
  alloc_fail_nth(fail_at);
  for (data += HEADER, size -= HEADER; size > 1;) {
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    feed(&s, data[0], (const char *)data + 2, len);
    require_sound(&s);
    if (fail_at == 0) compare(&s);
    data += 2 + len;
    size -= 2 + len;
  }
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    finish(&s, i);
  bool has_failed = fail_at > 0 && alloc_seen() >= fail_at;
  alloc_fail_nth(0);
  require_sound(&s);
  if (!has_failed) {
    compare(&s);
    require(log_query_differs(s.rings, s.models, &query));
  }
  end(&s);
  return 0;
}
