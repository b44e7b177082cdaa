/* Children whose output is read by one loop, and the last lines of each. */
#ifndef BENCH_SOURCES_H
#define BENCH_SOURCES_H

#include <stddef.h>

#include "limit.h"

enum { RING_LINES = 1000, READ_SIZE = 64 * 1024 };

/* A line, or the beginning of the one that is still to end. */
typedef struct line {
  char *text;
  size_t length;
  size_t size;
} line_t;

typedef struct source {
  child_t child;
  size_t bytes; /* read so far */
  size_t lines; /* of them complete */
  line_t ring[RING_LINES];
} source_t;

/* Starts so many children and adds their stdout to epoll, each with its source
 * as data. Their pipes are made to hold pipe_size bytes; 0: as they are. */
source_t *start_sources(int epoll, size_t count, size_t pipe_size, char **argv);

/* Reads once, at most READ_SIZE bytes, and puts the lines into the ring.
 * Returns 0 when the output has ended: then it is no longer in epoll. */
int read_source(int epoll, source_t *s);

#endif
