/* The file in which crash.c notes when each of its runs began and ended, in ns
 * of CLOCK_MONOTONIC, which all processes of a machine share. */
#ifndef BENCH_STAMPS_H
#define BENCH_STAMPS_H

#include <stddef.h>
#include <stdint.h>

typedef struct stamp {
  uint64_t first, last;
} stamp_t;

typedef struct stamps {
  uint64_t runs;
  stamp_t run[];
} stamps_t;

static inline size_t stamps_size(size_t runs) {
  return sizeof(stamps_t) + runs * sizeof(stamp_t);
}

#endif
