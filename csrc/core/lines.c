#include "lines.h"

#include <string.h>

#include "alloc.h"

/* As many short lines as a read brings. Copies are rare (the line across the
 * chunk's start, cut lines), hence few. */
enum { BATCH_LINES = 1024, BATCH_COPIES = 16 };

typedef struct batch {
  pm__lines_cb cb;
  void *arg;
  size_t count;
  size_t copy_count;
  char *copies[BATCH_COPIES]; /* what is to be freed after the call */
  pm_str_t lines[BATCH_LINES];
} batch_t;

/* Leaves the arrays as they are: clearing them would cost more than a short chunk. */
static void batch_init(batch_t *batch, pm__lines_cb cb, void *arg) {
  batch->cb = cb;
  batch->arg = arg;
  batch->count = 0;
  batch->copy_count = 0;
}

static void batch_flush(batch_t *batch) {
  if (batch->count > 0) batch->cb(batch->arg, batch->lines, batch->count);
  while (batch->copy_count > 0)
    pm__free(batch->copies[--batch->copy_count]);
  batch->count = 0;
}

static void batch_add(batch_t *batch, pm_str_t line) {
  if (batch->count == BATCH_LINES) batch_flush(batch);
  batch->lines[batch->count++] = line;
}

/* The ring's bytes may be overwritten before the batch is handed out. */
static void batch_add_copy(void *arg, pm_str_t line) {
  batch_t *batch = arg;
  if (line.len == 0) {
    batch_add(batch, (pm_str_t){"", 0});
    return;
  }
  char *copy = pm__malloc(line.len);
  if (!copy) return;
  memcpy(copy, line.base, line.len);
  if (batch->copy_count == BATCH_COPIES) batch_flush(batch);
  batch_add(batch, (pm_str_t){copy, line.len});
  batch->copies[batch->copy_count++] = copy;
}

/* The rest of a line, up to its "\n". A line that memory was too short to keep
 * is still handed out if the chunk has it whole. */
static void take_line(pm__log_ring_t *ring, const char *bytes, size_t len, batch_t *batch) {
  uint64_t cut_before = ring->cut_bytes;
  bool is_whole = !ring->is_open;
  bool kept;
  if (is_whole) {
    kept = pm__log_ring_add(ring, bytes, len);
    is_whole = ring->cut_bytes == cut_before;
  } else {
    pm__log_ring_append(ring, bytes, len);
    kept = pm__log_ring_end_line(ring);
  }

  if (!batch->cb) return;
  if (is_whole) {
    if (len > 0 && bytes[len - 1] == '\r') len--;
    batch_add(batch, (pm_str_t){bytes, len});
  } else if (kept) {
    /* Only memory can be missing, and then the listener misses this line. */
    (void)pm__log_ring_tail(ring, 1, batch_add_copy, batch);
  }
}

void pm__lines_feed(pm__log_ring_t *ring, const char *bytes, size_t len, pm__lines_cb cb, void *arg) {
  batch_t batch;
  batch_init(&batch, cb, arg);

  while (len > 0) {
    const char *newline = memchr(bytes, '\n', len);
    if (!newline) {
      pm__log_ring_append(ring, bytes, len);
      break;
    }
    size_t line_len = (size_t)(newline - bytes);
    take_line(ring, bytes, line_len, &batch);
    bytes += line_len + 1;
    len -= line_len + 1;
  }
  batch_flush(&batch);
}

static void hand_out(void *arg, pm_str_t line) {
  const batch_t *batch = arg;
  batch->cb(batch->arg, &line, 1);
}

void pm__lines_finish(pm__log_ring_t *ring, pm__lines_cb cb, void *arg) {
  batch_t batch;
  batch_init(&batch, cb, arg);
  if (pm__log_ring_finish(ring) && cb) (void)pm__log_ring_tail(ring, 1, hand_out, &batch);
}
