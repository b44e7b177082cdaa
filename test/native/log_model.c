#include "log_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory) {
  if (!memory) abort();
  return memory;
}

/* Makes room for one more; memory doubles whenever the count is a power of two. */
static void *with_room(void *list, size_t count, size_t size) {
  if ((count & (count - 1)) != 0) return list;
  return checked(realloc(list, (count == 0 ? 1 : count * 2) * size));
}

static void push_byte(model_line_t *line, char byte) {
  line->bytes = with_room(line->bytes, line->len, 1);
  line->bytes[line->len++] = byte;
}

/* Puts a copy of bytes at the end of a list. */
static void push_line(model_line_t **lines, size_t *count, const char *bytes, size_t len) {
  *lines = with_room(*lines, *count, sizeof **lines);
  model_line_t *line = &(*lines)[(*count)++];
  *line = (model_line_t){.bytes = checked(malloc(len + 1)), .len = len};
  if (len > 0) memcpy(line->bytes, bytes, len);
}

static void free_lines(model_line_t *lines, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(lines[i].bytes);
  free(lines);
}

void log_model_init(log_model_t *model, size_t max_lines, size_t max_bytes) {
  *model = (log_model_t){.max_lines = max_lines, .max_bytes = max_bytes};
}

void log_model_free(log_model_t *model) {
  free_lines(model->lines, model->count);
  free_lines(model->handed_out, model->handed_out_count);
  free(model->open.bytes);
  log_model_init(model, model->max_lines, model->max_bytes);
}

static size_t kept_len(const log_model_t *model, size_t len) {
  return len < model->max_bytes ? len : model->max_bytes;
}

static void evict_for(log_model_t *model, size_t bytes_needed) {
  while (model->count > 0) {
    size_t used = kept_len(model, bytes_needed);
    for (size_t i = 0; i < model->count; i++)
      used += kept_len(model, model->lines[i].len);
    if (used <= model->max_bytes && model->count <= model->max_lines) return;

    free(model->lines[0].bytes);
    model->count--;
    memmove(model->lines, model->lines + 1, model->count * sizeof *model->lines);
  }
}

/* The text that readers get, in memory of the caller's. */
static model_line_t shown(const log_model_t *model, const model_line_t *line) {
  size_t kept = kept_len(model, line->len);
  char note[64] = "";
  if (kept < line->len) snprintf(note, sizeof note, " [… %zu bytes cut]", line->len - kept);

  model_line_t text = *line;
  text.len = kept + strlen(note);
  text.bytes = checked(malloc(text.len + 1));
  if (kept > 0) memcpy(text.bytes, line->bytes, kept);
  memcpy(text.bytes + kept, note, strlen(note));
  return text;
}

static void end_open(log_model_t *model) {
  model->total_lines++;
  model->total_bytes += model->open.len;
  evict_for(model, model->open.len);
  push_line(&model->lines, &model->count, model->open.bytes, model->open.len);
  model_line_t *line = &model->lines[model->count - 1];
  line->seq = model->last_seq ? ++*model->last_seq : model->total_lines;
  line->time = model->time;
  line->start = model->start;
  evict_for(model, 0);

  model_line_t text = shown(model, &model->open);
  push_line(&model->handed_out, &model->handed_out_count, text.bytes, text.len);
  free(text.bytes);
  free(model->open.bytes);
  model->open = (model_line_t){0};
}

void log_model_feed(log_model_t *model, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    model_line_t *open = &model->open;
    if (bytes[i] != '\n') {
      push_byte(open, bytes[i]);
    } else {
      if (open->len > 0 && open->bytes[open->len - 1] == '\r') open->len--;
      end_open(model);
    }
  }

  /* A line pushes older ones out as it grows; its last "\r" may yet be a line end. */
  size_t sure = model->open.len;
  if (sure > 0 && model->open.bytes[sure - 1] == '\r') sure--;
  evict_for(model, sure);
}

void log_model_finish(log_model_t *model) {
  if (model->open.len > 0) end_open(model);
}

void heard_line(void *arg, pm_str_t line) {
  heard_t *heard = arg;
  if (!line.base) abort(); /* it would mean "not given" */
  push_line(&heard->lines, &heard->count, line.base, line.len);
}

void heard_lines(void *arg, const pm_str_t *lines, size_t count) {
  heard_t *heard = arg;
  if (count == 0) abort();
  heard->calls++;
  for (size_t i = 0; i < count; i++)
    heard_line(heard, lines[i]);
}

void heard_free(heard_t *heard) {
  free_lines(heard->lines, heard->count);
  *heard = (heard_t){0};
}

/* Whether the lines lie in the arena one behind the other, up to head. */
const char *log_ring_unsound(const pm__log_ring_t *ring) {
  if (ring->capacity > ring->max_bytes || ring->used > ring->capacity) return "arena larger or fuller than allowed";
  if (ring->index_capacity > ring->max_lines || ring->count > ring->index_capacity) return "too many lines";
  if (!ring->arena != (ring->capacity == 0) || !ring->index != (ring->index_capacity == 0))
    return "memory without size";
  if (ring->total_lines != ring->count + ring->dropped_lines) return "lines unaccounted for";
  if (ring->capacity > 0 && ring->head >= ring->capacity) return "head outside the arena";

  size_t used = ring->open.len;
  for (size_t i = 0; i < ring->count; i++)
    used += ring->index[(ring->first + i) % ring->index_capacity].len;
  if (used != ring->used) return "bytes unaccounted for";
  if (used == 0) return NULL;

  size_t at = (ring->head + ring->capacity - used) % ring->capacity;
  for (size_t i = 0; i <= ring->count; i++) {
    const pm__log_line_t *line = &ring->open;
    if (i < ring->count) line = &ring->index[(ring->first + i) % ring->index_capacity];
    if (line->len > 0 && line->offset != at) return "a line is not behind the one before it";
    at = (at + line->len) % ring->capacity;
  }
  return NULL;
}

static const char *lists_differ(const model_line_t *a, size_t a_count, const model_line_t *b, size_t b_count) {
  if (a_count != b_count) return "number of lines";
  for (size_t i = 0; i < a_count; i++) {
    if (a[i].len != b[i].len || memcmp(a[i].bytes, b[i].bytes, a[i].len) != 0) return "text of a line";
  }
  return NULL;
}

static const char *stamps_differ(const pm__log_ring_t *ring, const log_model_t *model) {
  for (size_t i = 0; i < model->count; i++) {
    const pm__log_line_t *line = pm__log_ring_line(ring, i);
    const model_line_t *expected = &model->lines[i];
    if (line->seq != expected->seq) return "number of a line";
    if (line->time != expected->time) return "time of a line";
    if (line->start != expected->start) return "start of a line";
  }
  return NULL;
}

const char *log_ring_differs(const pm__log_ring_t *ring, const log_model_t *model) {
  const char *problem = log_ring_unsound(ring);
  if (problem) return problem;
  if (ring->total_lines != model->total_lines) return "total_lines";
  if (ring->dropped_lines != model->total_lines - model->count) return "dropped_lines";
  if (ring->is_open != (model->open.len > 0)) return "is_open";

  size_t pending = model->open.len > 0 && model->open.bytes[model->open.len - 1] == '\r' ? 1 : 0;
  if (ring->total_bytes != model->total_bytes + model->open.len - pending) return "total_bytes";
  if (ring->open.len + ring->open.cut != model->open.len - pending) return "length of the open line";

  heard_t heard = {0};
  model_line_t *expected = NULL;
  size_t expected_count = 0;
  for (size_t i = 0; i < model->count; i++) {
    model_line_t text = shown(model, &model->lines[i]);
    push_line(&expected, &expected_count, text.bytes, text.len);
    free(text.bytes);
  }
  if (pm__log_ring_tail(ring, SIZE_MAX, heard_line, &heard) < 0) problem = "pm__log_ring_tail failed";
  if (!problem) problem = lists_differ(heard.lines, heard.count, expected, expected_count);
  if (!problem) problem = stamps_differ(ring, model);
  heard_free(&heard);
  free_lines(expected, expected_count);
  return problem;
}

const char *heard_differs(const heard_t *heard, const log_model_t *model) {
  return lists_differ(heard->lines, heard->count, model->handed_out, model->handed_out_count);
}

/* ---- queries ------------------------------------------------------------------------ */

static bool contains(const char *bytes, size_t len, pm_str_t wanted) {
  for (size_t at = 0; at + wanted.len <= len; at++)
    if (memcmp(bytes + at, wanted.base, wanted.len) == 0) return true;
  return false;
}

static bool is_wanted(const log_model_t *model, const model_line_t *line, const pm_log_query_t *q) {
  if (q->has_since && line->seq <= q->since) return false;
  if (q->has_start && line->start != q->start) return false;
  return !q->search.base || contains(line->bytes, kept_len(model, line->len), q->search);
}

typedef struct answer {
  pm_log_line_t *lines; /* their text is owned */
  size_t count;
} answer_t;

static void push_answer(void *arg, const pm_log_line_t *line) {
  answer_t *answer = arg;
  if (!line->text.base) abort(); /* it would mean "not given" */
  answer->lines = with_room(answer->lines, answer->count, sizeof *answer->lines);
  pm_log_line_t *own = &answer->lines[answer->count++];
  char *text = checked(malloc(line->text.len + 1));
  memcpy(text, line->text.base, line->text.len);
  *own = *line;
  own->text.base = text;
}

static void free_answer(answer_t *answer) {
  for (size_t i = 0; i < answer->count; i++)
    free((char *)answer->lines[i].text.base);
  free(answer->lines);
}

/* All lines that are wanted, by their number. */
static answer_t all_wanted(const log_model_t *models, const pm_log_query_t *q, uint64_t last) {
  answer_t all = {0};
  for (uint64_t seq = 1; seq <= last; seq++) {
    for (int s = 0; s < PM_STREAM_COUNT; s++) {
      for (size_t i = 0; i < models[s].count && q->streams & (1U << s); i++) {
        const model_line_t *line = &models[s].lines[i];
        if (line->seq != seq || !is_wanted(&models[s], line, q)) continue;
        model_line_t text = shown(&models[s], line);
        const pm_log_line_t found = {{text.bytes, text.len}, seq, line->time, line->start, (pm_stream_t)s};
        push_answer(&all, &found);
        free(text.bytes);
      }
    }
  }
  return all;
}

static const char *answers_differ(const answer_t *got, const answer_t *all, const pm_log_query_t *q) {
  size_t count = q->lines < all->count ? q->lines : all->count;
  size_t first = q->has_since ? 0 : all->count - count;
  if (got->count != count) return "query: number of lines";
  for (size_t i = 0; i < count; i++) {
    const pm_log_line_t *a = &got->lines[i];
    const pm_log_line_t *b = &all->lines[first + i];
    if (a->seq != b->seq || a->stream != b->stream) return "query: which line";
    if (a->time != b->time || a->start != b->start) return "query: stamp of a line";
    if (a->text.len != b->text.len || memcmp(a->text.base, b->text.base, a->text.len) != 0)
      return "query: text of a line";
  }
  return NULL;
}

const char *log_query_differs(const pm__log_ring_t *rings, const log_model_t *models, const pm_log_query_t *query) {
  answer_t all = all_wanted(models, query, *models[0].last_seq);
  answer_t got = {0};
  const char *problem = NULL;
  if (pm__log_query(rings, query, push_answer, &got) != 0) problem = "pm__log_query failed";
  if (!problem) problem = answers_differ(&got, &all, query);
  free_answer(&got);
  free_answer(&all);
  return problem;
}
