#include "messages.h"

#include <string.h>

#include "../alloc.h"
#include "json.h"

/* A buffer larger than this is given back once its message has been handed out. */
enum { FIRST_CAPACITY = 4096, KEPT_CAPACITY = 128 * 1024 };

enum { BATCH_LINES = 512 };

/* Lines of one kind, in a row. */
typedef struct batch {
  const pm__framer_out_t *out;
  bool are_messages;
  size_t count;
  pm_str_t lines[BATCH_LINES];
} batch_t;

static bool is_over(const pm__framer_out_t *out) {
  return out->is_over && out->is_over(out->arg);
}

static void flush(batch_t *batch) {
  const pm__framer_out_t *out = batch->out;
  void (*hand_out)(void *arg, const pm_str_t *lines, size_t count) = batch->are_messages ? out->messages : out->strays;
  size_t count = batch->count;
  batch->count = 0;
  if (count > 0 && hand_out && !is_over(out)) hand_out(out->arg, batch->lines, count);
}

static void add(batch_t *batch, pm_str_t line, bool is_message) {
  if (batch->count == BATCH_LINES || batch->are_messages != is_message) flush(batch);
  batch->are_messages = is_message;
  batch->lines[batch->count++] = line;
}

static bool is_blank(const char *bytes, size_t len) {
  for (; len > 0; bytes++, len--)
    if (*bytes != ' ' && *bytes != '\t' && *bytes != '\r') return false;
  return true;
}

static void lose(batch_t *batch, uint64_t bytes) {
  flush(batch);
  if (batch->out->lost && !is_over(batch->out)) batch->out->lost(batch->out->arg, bytes);
}

static void take_line(batch_t *batch, const char *bytes, size_t len) {
  if (len > 0 && bytes[len - 1] == '\r') len--;
  bool is_message = pm__json_is_structure(bytes, len);
  if (len > batch->out->max)
    lose(batch, len);
  else if (is_message || !is_blank(bytes, len))
    add(batch, (pm_str_t){bytes, len}, is_message);
}

/* A "\r" at its very end is a part of the line end. */
static void lose_part(pm__framer_t *f, const char *bytes, size_t len) {
  f->lost += len;
  f->lost_ends_in_cr = bytes[len - 1] == '\r';
}

static void give_up(pm__framer_t *f, const char *bytes, size_t len) {
  f->lost = f->len;
  lose_part(f, bytes, len);
  pm__framer_free(f);
}

static bool grow(pm__framer_t *f, size_t wanted) {
  size_t capacity = f->capacity ? f->capacity : FIRST_CAPACITY;
  while (capacity < wanted)
    capacity *= 2;
  if (capacity == f->capacity) return true;
  char *partial = pm__realloc(f->partial, capacity);
  if (!partial) return false;
  f->partial = partial;
  f->capacity = capacity;
  return true;
}

/* A part of a message whose end is to come, or a "\r" before it. */
static void keep(pm__framer_t *f, const char *bytes, size_t len, size_t max) {
  if (len == 0) return;
  if (f->lost > 0) {
    lose_part(f, bytes, len);
  } else if (f->len + len > max + 1 || !grow(f, f->len + len)) {
    give_up(f, bytes, len);
  } else {
    memcpy(f->partial + f->len, bytes, len);
    f->len += len;
  }
}

/* The end of what came in pieces. */
static void end_partial(pm__framer_t *f, batch_t *batch) {
  if (f->lost > 0) {
    uint64_t bytes = f->lost - f->lost_ends_in_cr;
    f->lost = 0;
    lose(batch, bytes);
    return;
  }
  take_line(batch, f->partial, f->len);
  flush(batch);
  f->len = 0;
  if (f->capacity > KEPT_CAPACITY) pm__framer_free(f);
}

void pm__framer_feed(pm__framer_t *f, const char *bytes, size_t len, const pm__framer_out_t *out) {
  batch_t batch;
  batch.out = out;
  batch.count = 0;
  batch.are_messages = true;
  const char *newline;
  while (len > 0 && (newline = memchr(bytes, '\n', len)) != NULL) {
    size_t line_len = (size_t)(newline - bytes);
    if (f->len > 0 || f->lost > 0) {
      keep(f, bytes, line_len, out->max);
      end_partial(f, &batch);
    } else {
      take_line(&batch, bytes, line_len);
    }
    bytes += line_len + 1;
    len -= line_len + 1;
  }
  flush(&batch);
  keep(f, bytes, len, out->max);
}

void pm__framer_finish(pm__framer_t *f, const pm__framer_out_t *out) {
  batch_t batch;
  batch.out = out;
  batch.count = 0;
  batch.are_messages = true;
  if (f->len > 0 || f->lost > 0) end_partial(f, &batch);
  pm__framer_free(f);
}

void pm__framer_free(pm__framer_t *f) {
  pm__free(f->partial);
  f->partial = NULL;
  f->len = f->capacity = 0;
}
