/*
 * Feeds a stream in arbitrary chunks into a small log ring and compares ring
 * and listener with the model after each chunk.
 *
 * Input: one byte for the bound in lines, one for the bound in bytes, one that
 * tells which allocation fails (0: none), then chunks: a length byte and so
 * many bytes. When an allocation failed, only soundness is compared.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lines.h"
#include "log_model.h"
#include "support.h"

static void require(const char *difference) {
  if (!difference) return;
  fprintf(stderr, "differs: %s\n", difference);
  abort();
}

static void compare(const pm__log_ring_t *ring, const heard_t *heard, const log_model_t *model) {
  require(log_ring_differs(ring, model));
  require(heard_differs(heard, model));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  size_t max_lines = 1 + data[0];
  /* Mostly small, but the largest need more than the arena's first size. */
  size_t max_bytes = data[1] < 200 ? 1 + data[1] : (size_t)data[1] * 25;
  unsigned long fail_at = data[2];
  data += 3;
  size -= 3;

  pm__log_ring_t ring;
  log_model_t model;
  heard_t heard = {0};
  pm__log_ring_init(&ring, max_lines, max_bytes);
  log_model_init(&model, max_lines, max_bytes);
  alloc_fail_nth(fail_at);

  while (size > 0) {
    size_t len = data[0] < size - 1 ? data[0] : size - 1;
    pm__lines_feed(&ring, (const char *)data + 1, len, heard_lines, &heard);
    log_model_feed(&model, (const char *)data + 1, len);
    data += 1 + len;
    size -= 1 + len;
    require(log_ring_unsound(&ring));
    if (fail_at == 0) compare(&ring, &heard, &model);
  }
  pm__lines_finish(&ring, heard_lines, &heard);
  log_model_finish(&model);
  bool has_failed = fail_at > 0 && alloc_seen() >= fail_at;
  alloc_fail_nth(0);
  require(log_ring_unsound(&ring));
  if (!has_failed) compare(&ring, &heard, &model);

  pm__log_ring_free(&ring);
  heard_free(&heard);
  log_model_free(&model);
  return 0;
}
