/*
 * The log of one stream: its last lines, bounded in lines and in bytes, in one
 * byte arena that grows as it fills, with an index of where lines begin.
 *
 * Lines enter in pieces (the open line) and count once they are ended. A line
 * longer than the byte bound keeps its beginning; when it is read its text says
 * how many bytes were cut.
 *
 * Nothing here aborts when memory is short: the line concerned is counted as
 * dropped.
 */
#ifndef PM_CORE_LOG_RING_H
#define PM_CORE_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../pm.h"

typedef struct pm__log_line {
  uint32_t offset; /* of its first byte in the arena */
  uint32_t len;    /* bytes kept */
  uint64_t cut;    /* bytes that did not fit */
  uint64_t seq;
  uint64_t time;
  uint64_t start;
} pm__log_line_t;

typedef struct pm__log_ring {
  size_t max_lines;
  size_t max_bytes;

  char *arena; /* circular; NULL until the first byte */
  size_t capacity;
  size_t head; /* where the next byte goes */
  size_t used;

  pm__log_line_t *index; /* circular; NULL until the first line */
  size_t index_capacity;
  size_t first; /* the oldest line */
  size_t count;

  pm__log_line_t open;  /* the line that is not ended yet */
  bool is_open;         /* it has had at least one byte */
  bool open_ends_in_cr; /* a "\r" follows it that is not stored: a "\n" may come next */
  bool open_is_lost;    /* memory ran out: the rest of it is ignored */

  /* What lines get that end from now on; the owner sets it. */
  uint64_t *last_seq; /* counts the lines of all rings that share it; NULL: this ring's alone */
  uint64_t time;      /* microseconds since the epoch */
  uint64_t start;     /* of the command: 0 the first */

  uint64_t total_lines;   /* ended since the ring was made */
  uint64_t total_bytes;   /* appended since the ring was made, line ends not counted */
  uint64_t cut_bytes;     /* of lines that were longer than the bound */
  uint64_t dropped_lines; /* ended, but no longer or never kept */
} pm__log_ring_t;

/* Allocates nothing. max_lines >= 1, 1 <= max_bytes <= UINT32_MAX. */
void pm__log_ring_init(pm__log_ring_t *ring, size_t max_lines, size_t max_bytes);

/* Frees the memory; the ring is as after init. */
void pm__log_ring_free(pm__log_ring_t *ring);

/* Appends to the open line. Older lines make room; what exceeds the byte bound
 * on its own is counted as cut. */
void pm__log_ring_append(pm__log_ring_t *ring, const char *bytes, size_t len);

/* The same as the two below in one: a whole line, as most are. Only when no line
 * is open. */
bool pm__log_ring_add(pm__log_ring_t *ring, const char *bytes, size_t len);

/* The same for all lines that bytes has whole, each behind the other with its "\n", up
 * to one for which memory has to be got. Returns how many bytes those are. */
size_t pm__log_ring_add_lines(pm__log_ring_t *ring, const char *bytes, size_t len);

/* Ends the open line: one "\r" at its end is taken off and it becomes the
 * newest line (an empty one if nothing was appended). Returns whether it was
 * kept: false when memory was short. */
bool pm__log_ring_end_line(pm__log_ring_t *ring);

/* Ends the open line if there is one: for a stream that ended without a
 * newline, which is why a "\r" at its end stays. Returns whether there was one
 * and it was kept. */
bool pm__log_ring_finish(pm__log_ring_t *ring);

/* Calls each for the last n lines, oldest first. Bytes are valid during the
 * call. A cut line ends in " [… N bytes cut]". 0, or UV_ENOMEM when a line that
 * wraps round the arena's end could not be copied. */
int pm__log_ring_tail(const pm__log_ring_t *ring, size_t n, void (*each)(void *arg, pm_str_t line), void *arg);

/* The line at place i, 0 the oldest, as the ring has it: what pm__log_ring_text and
 * pm__log_ring_find take. i < ring->count. */
const pm__log_line_t *pm__log_ring_line(const pm__log_ring_t *ring, size_t i);

/* Calls each with the line's text, as pm__log_ring_tail does. */
int pm__log_ring_text(const pm__log_ring_t *ring, const pm__log_line_t *line, void (*each)(void *arg, pm_str_t text),
                      void *arg);

/* Whether the kept bytes of a line have wanted in them; one without a length is in
 * every line. */
bool pm__log_ring_find(const pm__log_ring_t *ring, const pm__log_line_t *line, pm_str_t wanted);

#endif /* PM_CORE_LOG_RING_H */
