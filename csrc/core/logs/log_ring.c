#define _GNU_SOURCE /* memmem */
#include "log_ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../alloc.h"

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

/* The place behind the newest line. */
static pm__log_line_t *next_place(const pm__log_ring_t *ring) {
  size_t at = ring->first + ring->count;
  return &ring->index[at < ring->index_capacity ? at : at - ring->index_capacity];
}

static void stamp(pm__log_ring_t *ring, pm__log_line_t *line) {
  line->seq = ring->last_seq ? ++*ring->last_seq : ring->total_lines;
  line->time = ring->time;
  line->start = ring->start;
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

/* There is room for them. */
static void put(pm__log_ring_t *ring, const char *bytes, size_t len) {
  if (len == 0) return;
  size_t straight = min_size(len, ring->capacity - ring->head);
  memcpy(ring->arena + ring->head, bytes, straight);
  if (straight < len) memcpy(ring->arena, bytes + straight, len - straight);
  ring->head += len;
  if (ring->head >= ring->capacity) ring->head -= ring->capacity;
  ring->used += len;
}

static void store(pm__log_ring_t *ring, const char *bytes, size_t len) {
  ring->total_bytes += len;
  if (ring->open_is_lost) return;

  size_t kept = min_size(len, ring->max_bytes - ring->open.len);
  ring->open.cut += len - kept;
  ring->cut_bytes += len - kept;
  if (kept == 0) return;
  while (ring->used + kept > ring->max_bytes)
    evict_oldest(ring);
  if (ring->used + kept > ring->capacity && grow_arena(ring, ring->used + kept) < 0) {
    lose_open_line(ring);
    return;
  }

  if (ring->open.len == 0) ring->open.offset = (uint32_t)ring->head;
  put(ring, bytes, kept);
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

  /* An empty line has no bytes; a place in the arena keeps its offset sound when that grows. */
  if (ring->open.len == 0) ring->open.offset = (uint32_t)ring->head;
  *next_place(ring) = ring->open;
  ring->count++;
  return true;
}

/* Numbers are given to lines that are lost as well: so a gap tells of them. */
bool pm__log_ring_end_line(pm__log_ring_t *ring) {
  ring->total_lines++;
  stamp(ring, &ring->open);
  bool kept = keep_open_line(ring);
  if (!kept) ring->dropped_lines++;
  ring->open = (pm__log_line_t){0};
  ring->is_open = ring->open_ends_in_cr = ring->open_is_lost = false;
  return kept;
}

/* Whether a line of len bytes can be kept without memory. */
static bool has_room(const pm__log_ring_t *ring, size_t len) {
  bool is_full_grown = ring->capacity == ring->max_bytes && len <= ring->capacity;
  return ring->count < ring->index_capacity && (is_full_grown || ring->used + len <= ring->capacity);
}

/* A line for which there is room. */
static void add(pm__log_ring_t *ring, const char *bytes, size_t len) {
  if (len > 0 && bytes[len - 1] == '\r') len--;
  while (ring->used + len > ring->capacity)
    evict_oldest(ring);
  ring->total_lines++;
  ring->total_bytes += len;
  pm__log_line_t *line = next_place(ring);
  line->offset = (uint32_t)ring->head;
  line->len = (uint32_t)len;
  line->cut = 0;
  stamp(ring, line);
  put(ring, bytes, len);
  ring->count++;
}

/* In one function, where the compiler can put all that it needs into one loop: this
 * is what a command that writes much costs. */
size_t pm__log_ring_add_lines(pm__log_ring_t *ring, const char *bytes, size_t len) {
  const char *at = bytes;
  const char *end = bytes + len;
  const char *newline;
  while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    if (ring->count == ring->max_lines) evict_oldest(ring);
    if (!has_room(ring, (size_t)(newline - at))) break;
    add(ring, at, (size_t)(newline - at));
    at = newline + 1;
  }
  return (size_t)(at - bytes);
}

bool pm__log_ring_add(pm__log_ring_t *ring, const char *bytes, size_t len) {
  if (ring->count == ring->max_lines) evict_oldest(ring);
  if (has_room(ring, len)) {
    add(ring, bytes, len);
    return true;
  }
  pm__log_ring_append(ring, bytes, len);
  return pm__log_ring_end_line(ring);
}

bool pm__log_ring_finish(pm__log_ring_t *ring) {
  if (!ring->is_open) return false;
  if (ring->open_ends_in_cr) store(ring, "\r", 1);
  return pm__log_ring_end_line(ring);
}

const pm__log_line_t *pm__log_ring_line(const pm__log_ring_t *ring, size_t i) {
  size_t at = ring->first + i;
  return &ring->index[at < ring->index_capacity ? at : at - ring->index_capacity];
}

static bool is_in_one_piece(const pm__log_ring_t *ring, const pm__log_line_t *line) {
  return line->len <= ring->capacity - line->offset;
}

/* Hands out a line that does not lie in one piece or has something to add. */
static int hand_out_copy(const pm__log_ring_t *ring, const pm__log_line_t *line, void (*each)(void *arg, pm_str_t text),
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

int pm__log_ring_text(const pm__log_ring_t *ring, const pm__log_line_t *line, void (*each)(void *arg, pm_str_t text),
                      void *arg) {
  if (line->len == 0 && line->cut == 0) {
    each(arg, (pm_str_t){"", 0}); /* there may be no arena, and NULL would mean "not given" */
    return 0;
  }
  if (line->cut > 0 || !is_in_one_piece(ring, line)) return hand_out_copy(ring, line, each, arg);
  each(arg, (pm_str_t){ring->arena + line->offset, line->len});
  return 0;
}

int pm__log_ring_tail(const pm__log_ring_t *ring, size_t n, void (*each)(void *arg, pm_str_t line), void *arg) {
  for (size_t i = ring->count - min_size(n, ring->count); i < ring->count; i++) {
    int err = pm__log_ring_text(ring, pm__log_ring_line(ring, i), each, arg);
    if (err < 0) return err;
  }
  return 0;
}

/* In a line of two pieces: in either, or across the border, of which so much is
 * looked at as a match can reach. */
static bool find_across(const pm__log_ring_t *ring, const pm__log_line_t *line, pm_str_t wanted) {
  size_t straight = ring->capacity - line->offset;
  size_t rest = line->len - straight;
  if (memmem(ring->arena + line->offset, straight, wanted.base, wanted.len)) return true;
  if (memmem(ring->arena, rest, wanted.base, wanted.len)) return true;
  for (size_t before = min_size(wanted.len - 1, straight); before > 0; before--) {
    size_t after = wanted.len - before;
    if (after > rest) break;
    if (memcmp(ring->arena + ring->capacity - before, wanted.base, before) == 0 &&
        memcmp(ring->arena, wanted.base + before, after) == 0)
      return true;
  }
  return false;
}

bool pm__log_ring_find(const pm__log_ring_t *ring, const pm__log_line_t *line, pm_str_t wanted) {
  if (wanted.len == 0) return true;
  if (wanted.len > line->len) return false;
  if (!is_in_one_piece(ring, line)) return find_across(ring, line, wanted);
  return memmem(ring->arena + line->offset, line->len, wanted.base, wanted.len) != NULL;
}
