#include "lines.h"

#include <string.h>

/* As many short lines as a read brings. */
enum { BATCH_LINES = 1024 };

typedef struct batch {
  pm__lines_cb cb;
  void *arg;
  size_t count;
  pm_str_t lines[BATCH_LINES];
} batch_t;

/* Leaves the array as it is: clearing it would cost more than a short chunk. */
static void batch_init(batch_t *batch, pm__lines_cb cb, void *arg) {
  batch->cb = cb;
  batch->arg = arg;
  batch->count = 0;
}

static void batch_flush(batch_t *batch) {
  if (batch->count > 0) batch->cb(batch->arg, batch->lines, batch->count);
  batch->count = 0;
}

static void batch_add(batch_t *batch, pm_str_t line) {
  if (batch->count == BATCH_LINES) batch_flush(batch);
  batch->lines[batch->count++] = line;
}

static void hand_out(void *arg, pm_str_t line) {
  const batch_t *batch = arg;
  batch->cb(batch->arg, &line, 1);
}

/* As the ring has it: in a call of its own, since what is handed out together shall
 * lie together. */
static void hand_out_newest(const pm__log_ring_t *ring, batch_t *batch) {
  batch_flush(batch);
  /* Only memory can be missing, and then the listener misses this line. */
  (void)pm__log_ring_tail(ring, 1, hand_out, batch);
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
    hand_out_newest(ring, batch);
  }
}

void pm__lines_feed(pm__log_ring_t *ring, const char *bytes, size_t len, pm__lines_cb cb, void *arg) {
  batch_t batch;
  batch_init(&batch, cb, arg);

  while (len > 0) {
    if (!cb && !ring->is_open) {
      size_t taken = pm__log_ring_add_lines(ring, bytes, len);
      bytes += taken;
      len -= taken;
      if (len == 0) break;
    }
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

void pm__lines_add(pm__log_ring_t *ring, const pm_str_t *lines, size_t count, pm__lines_cb cb, void *arg) {
  batch_t batch;
  batch_init(&batch, cb, arg);
  for (size_t i = 0; i < count; i++)
    take_line(ring, lines[i].base, lines[i].len, &batch);
  batch_flush(&batch);
}

void pm__lines_finish(pm__log_ring_t *ring, pm__lines_cb cb, void *arg) {
  batch_t batch;
  batch_init(&batch, cb, arg);
  if (pm__log_ring_finish(ring) && cb) hand_out_newest(ring, &batch);
}
