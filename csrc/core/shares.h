/* The proportional memory of a tree, read in the thread pool. */
#ifndef PM_CORE_SHARES_H
#define PM_CORE_SHARES_H

#include "meter.h"

typedef struct pm__shares pm__shares_t;

/* From the thread of the loop. status as of uv_after_work_cb. */
typedef void (*pm__shares_cb)(pm__shares_t *shares, int status);

struct pm__shares {
  uv_work_t work; /* its data is this */
  pm__shares_cb cb;
  void *data;      /* the caller's */
  uint64_t sum;    /* bytes; what has ended meanwhile has none */
  bool is_known;   /* false: one may not be read */
  int found;       /* so many have not ended */
  int r;           /* not 0: the host is short of descriptors or memory; try again */
  uint64_t enough; /* the rest is not read when it comes to so much */
  uint64_t took;   /* ns */
  int count;
  struct pm__shares_target {
    int pid;
    uint64_t start_time;
  } targets[];
};

/* Reads those of the processes that a meter's last complete look has seen, and calls back
 * once; then *out is the caller's, to be freed with pm__free. UV_ENOMEM, or why the
 * thread pool cannot be used; then there is no call. */
int pm__shares_begin(uv_loop_t *loop, const pm__meter_t *meter, uint64_t enough, pm__shares_cb cb, void *data);

#endif /* PM_CORE_SHARES_H */
