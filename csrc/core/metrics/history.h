/*
 * What a tree used, sample by sample: the last of them of one process, over all its
 * starts, in a ring that grows as it fills: block by block, so that nothing is ever copied.
 *
 * CPU is kept as time used since the sample before, so that nothing between two
 * samples is missed, whoever else looked at the tree meanwhile.
 *
 * Nothing here aborts when memory is short: then the ring stays as large as it is.
 */
#ifndef PM_CORE_HISTORY_H
#define PM_CORE_HISTORY_H

#include "../../pm.h"

/* One sample as it is kept: 48 bytes, which the documentation states. */
typedef struct pm__history_entry {
  uint64_t time; /* microseconds since the epoch */
  uint64_t span; /* microseconds that cpu covers */
  uint64_t cpu;  /* microseconds of CPU that were used in them */
  uint64_t memory;
  uint64_t start;
  uint32_t threads, processes;
} pm__history_entry_t;

typedef struct pm__history {
  size_t most;  /* 0: nothing is kept */
  size_t block; /* entries of one block */
  pm__history_entry_t **blocks;
  size_t block_count, block_room; /* blocks that there are; that fit into the list of them */
  size_t first, count;            /* a place in all blocks together, one behind the other; how many entries follow */

  /* Of the newest sample. */
  bool any;
  uint64_t start;
  uint64_t at;   /* its monotonic time, nanoseconds */
  uint64_t used; /* microseconds of CPU that its start had used in all */
} pm__history_t;

/* What is added. */
typedef struct pm__history_look {
  uint64_t time;      /* microseconds since the epoch */
  uint64_t at, began; /* uv_hrtime of the look, and of the start of the command */
  uint64_t start;     /* which start: 0 the first */
  const pm_metrics_t *metrics;
} pm__history_look_t;

/* Allocates nothing. */
void pm__history_init(pm__history_t *h, size_t most);

/* Frees the memory; the history is as after init. */
void pm__history_free(pm__history_t *h);

/* The oldest sample makes room if need be. One that comes within 100 ms of the one before,
 * or of the start, is left out: the kernel counts CPU in ticks of a tenth of that. */
void pm__history_add(pm__history_t *h, const pm__history_look_t *look);

/* As pm_process_history; now: microseconds since the epoch. each may be NULL. */
void pm__history_read(const pm__history_t *h, const pm_history_query_t *q, uint64_t now,
                      void (*each)(void *arg, const pm_history_sample_t *sample), void *arg, pm_history_summary_t *out);

#endif /* PM_CORE_HISTORY_H */
