/*
 * Feeds a stream in arbitrary chunks through the framer: what it tells must be
 * what the model makes of the whole.
 *
 * Input: a byte for the longest message; one of bits: 1 messages are checked, 2
 * the stream ends; one that tells which allocation fails (0: none), one after
 * how many calls nobody is to be called any more (0: never); then chunks: a length
 * byte and so many bytes. When nobody was to be called any more, what was told is
 * the beginning of it; when an allocation failed, only soundness is looked at.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message_model.h"
#include "support.h"

static void require(const char *difference) {
  if (!difference) return;
  fprintf(stderr, "differs: %s\n", difference);
  abort();
}

static void require_sound(const pm__framer_t *f, size_t max) {
  if (f->len > max + 1 || f->len > f->capacity) require("size of what is kept");
  if (f->lost > 0 && f->partial) require("what is lost is kept");
  if (!f->partial != (f->capacity == 0)) require("memory without size");
}

/* In memory of just that size, so that a byte beyond is noticed. */
static void feed(pm__framer_t *f, const uint8_t *bytes, size_t len, const pm__framer_out_t *out) {
  char *copy = malloc(len);
  if (len > 0) memcpy(copy, bytes, len);
  pm__framer_feed(f, copy, len, out);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4) return 0;
  /* Mostly small, but the largest need more than the first buffer. */
  size_t max = data[0] < 200 ? 1 + data[0] : (size_t)data[0] * 25;
  bool ends = data[1] & 2;
  unsigned long fail_at = data[2];
  heard_items_t heard = {.over_after = data[3]};
  heard_items_t expected = {0};
  data += 4;
  size -= 4;

  char *whole = malloc(size + 1);
  size_t whole_len = 0;
  pm__framer_t framer = {0};
  const pm__framer_out_t out = heard_items_out(&heard, max);
  alloc_fail_nth(fail_at);
  while (size > 0) {
    size_t len = data[0] < size - 1 ? data[0] : size - 1;
    memcpy(whole + whole_len, data + 1, len);
    whole_len += len;
    feed(&framer, data + 1, len, &out);
    require_sound(&framer, max);
    data += 1 + len;
    size -= 1 + len;
  }
  if (ends) pm__framer_finish(&framer, &out);
  bool has_failed = fail_at > 0 && alloc_seen() >= fail_at;
  bool is_over = heard.over_after > 0 && heard.calls >= heard.over_after;
  alloc_fail_nth(0);

  message_model(&expected, whole, whole_len, max, ends);
  if (!has_failed) {
    heard_items_t told = expected;
    if (is_over && heard.count < told.count) told.count = heard.count;
    require(heard_items_differ(&heard, &told));
  }
  pm__framer_free(&framer);
  heard_items_free(&heard);
  heard_items_free(&expected);
  free(whole);
  return 0;
}
