#include "log_ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

enum { FIRST_CAPACITY = 4096, FIRST_INDEX_CAPACITY = 64 };

static size_t min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

void pm__log_ring_init(pm__log_ring_t *ring, size_t max_lines, size_t max_bytes) {
  *ring = (pm__log_ring_t){.max_lines = max_lines, .max_bytes = max_bytes};
}

void pm__log_ring_free(pm__log_ring_t *ring) {
  pm__free(ring->arena);
  pm__free(ring->index);
  pm__log_ring_init(ring, ring->max_lines, ring->max_bytes);
}

static void evict_oldest(pm__log_ring_t *ring) {
  ring->used -= ring->index[ring->first].len;
  if (++ring->first == ring->index_capacity) ring->first = 0;
  ring->count--;
  ring->dropped_lines++;
}

/* Copies len bytes that begin at offset and may go on at the arena's start. */
static void copy_out(const pm__log_ring_t *ring, size_t offset, size_t len, char *to) {
  size_t straight = min_size(len, ring->capacity - offset);
  memcpy(to, ring->arena + offset, straight);
  memcpy(to + straight, ring->arena, len - straight);
}

/* Doubles capacity until it holds wanted, but never passes max. */
static size_t grown(size_t capacity, size_t initial, size_t wanted, size_t max) {
  if (capacity == 0) capacity = min_size(initial, max);
  while (capacity < wanted)
    capacity = capacity > max / 2 ? max : capacity * 2;
  return capacity;
}

/* Moves everything to the start of a larger arena; offsets move along. */
static int grow_arena(pm__log_ring_t *ring, size_t wanted) {
  size_t capacity = grown(ring->capacity, FIRST_CAPACITY, wanted, ring->max_bytes);
  char *arena = pm__malloc(capacity);
  if (!arena) return UV_ENOMEM;

  if (ring->arena) {
    size_t start = ring->head >= ring->used ? ring->head - ring->used : ring->head + ring->capacity - ring->used;
    copy_out(ring, start, ring->used, arena);
    for (size_t i = 0, at = ring->first; i < ring->count; i++) {
      pm__log_line_t *line = &ring->index[at];
      line->offset = (uint32_t)(line->offset >= start ? line->offset - start : line->offset + ring->capacity - start);
      if (++at == ring->index_capacity) at = 0;
    }
  }

  pm__free(ring->arena);
  ring->arena = arena;
  ring->capacity = capacity;
  ring->head = ring->used; /* below capacity: there would be no need to grow */
  /* The open line is the last thing stored. */
  ring->open.offset = (uint32_t)(ring->used - ring->open.len);
  return 0;
}

static int grow_index(pm__log_ring_t *ring) {
  size_t capacity = grown(ring->index_capacity, FIRST_INDEX_CAPACITY, ring->count + 1, ring->max_lines);
  pm__log_line_t *index = pm__calloc(capacity, sizeof *index);
  if (!index) return UV_ENOMEM;

  /* The index is full when it grows, so its two halves are all there is. */
  if (ring->index) {
    size_t straight = ring->index_capacity - ring->first;
    memcpy(index, ring->index + ring->first, straight * sizeof *index);
    memcpy(index + straight, ring->index, ring->first * sizeof *index);
  }

  pm__free(ring->index);
  ring->index = index;
  ring->index_capacity = capacity;
  ring->first = 0;
  return 0;
}

/* Gives back the open line's bytes; its end is awaited all the same. */
static void lose_open_line(pm__log_ring_t *ring) {
  if (ring->open.len > 0) ring->head = ring->open.offset;
  ring->used -= ring->open.len;
  ring->open = (pm__log_line_t){0};
  ring->open_is_lost = true;
}

static void store(pm__log_ring_t *ring, const char *bytes, size_t len) {
  ring->total_bytes += len;
  if (ring->open_is_lost) return;

  size_t kept = min_size(len, ring->max_bytes - ring->open.len);
  ring->open.cut += len - kept;
  if (kept == 0) return;
  while (ring->used + kept > ring->max_bytes)
    evict_oldest(ring);
  if (ring->used + kept > ring->capacity && grow_arena(ring, ring->used + kept) < 0) {
    lose_open_line(ring);
    return;
  }

  if (ring->open.len == 0) ring->open.offset = (uint32_t)ring->head;
  size_t straight = min_size(kept, ring->capacity - ring->head);
  memcpy(ring->arena + ring->head, bytes, straight);
  if (straight < kept) memcpy(ring->arena, bytes + straight, kept - straight);
  ring->head += kept;
  if (ring->head >= ring->capacity) ring->head -= ring->capacity;
  ring->used += kept;
  ring->open.len += (uint32_t)kept;
}

/* A "\r" at the end waits outside the arena until it is known whether it
 * belongs to a line end: so it never pushes out an older line or counts as cut,
 * and the result does not depend on where chunks end. */
void pm__log_ring_append(pm__log_ring_t *ring, const char *bytes, size_t len) {
  if (len == 0) return;
  ring->is_open = true;
  if (ring->open_ends_in_cr) store(ring, "\r", 1);
  ring->open_ends_in_cr = bytes[len - 1] == '\r';
  store(ring, bytes, ring->open_ends_in_cr ? len - 1 : len);
}

/* Makes the open line the newest one; false when there is no memory for it. */
static bool keep_open_line(pm__log_ring_t *ring) {
  if (ring->open_is_lost) return false;
  if (ring->count == ring->max_lines) {
    evict_oldest(ring);
  } else if (ring->count == ring->index_capacity && grow_index(ring) < 0) {
    lose_open_line(ring);
    return false;
  }

  size_t at = ring->first + ring->count;
  if (at >= ring->index_capacity) at -= ring->index_capacity;
  /* An empty line has no bytes; a place in the arena keeps its offset sound when that grows. */
  if (ring->open.len == 0) ring->open.offset = (uint32_t)ring->head;
  ring->index[at] = ring->open;
  ring->count++;
  return true;
}

bool pm__log_ring_end_line(pm__log_ring_t *ring) {
  bool kept = keep_open_line(ring);
  ring->total_lines++;
  if (!kept) ring->dropped_lines++;
  ring->open = (pm__log_line_t){0};
  ring->is_open = ring->open_ends_in_cr = ring->open_is_lost = false;
  return kept;
}

bool pm__log_ring_finish(pm__log_ring_t *ring) {
  if (!ring->is_open) return false;
  if (ring->open_ends_in_cr) store(ring, "\r", 1);
  return pm__log_ring_end_line(ring);
}

/* Hands out a line that does not lie in one piece or has something to add. */
static int hand_out_copy(const pm__log_ring_t *ring, const pm__log_line_t *line, void (*each)(void *arg, pm_str_t line),
                         void *arg) {
  char note[64];
  size_t note_len = 0;
  if (line->cut > 0) note_len = (size_t)snprintf(note, sizeof note, " [… %" PRIu64 " bytes cut]", line->cut);

  char *copy = pm__malloc(line->len + note_len);
  if (!copy) return UV_ENOMEM;
  copy_out(ring, line->offset, line->len, copy);
  memcpy(copy + line->len, note, note_len);
  each(arg, (pm_str_t){copy, line->len + note_len});
  pm__free(copy);
  return 0;
}

int pm__log_ring_tail(const pm__log_ring_t *ring, size_t n, void (*each)(void *arg, pm_str_t line), void *arg) {
  n = min_size(n, ring->count);
  for (size_t i = ring->count - n; i < ring->count; i++) {
    size_t at = ring->first + i;
    if (at >= ring->index_capacity) at -= ring->index_capacity;

    const pm__log_line_t *line = &ring->index[at];
    if (line->len == 0) {
      each(arg, (pm_str_t){"", 0}); /* there may be no arena, and NULL would mean "not given" */
    } else if (line->cut == 0 && line->len <= ring->capacity - line->offset) {
      each(arg, (pm_str_t){ring->arena + line->offset, line->len});
    } else {
      int err = hand_out_copy(ring, line, each, arg);
      if (err < 0) return err;
    }
  }
  return 0;
}
