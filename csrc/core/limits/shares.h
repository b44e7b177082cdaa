/* The proportional memory of a tree, read in the thread pool. */
#ifndef PM_CORE_SHARES_H
#define PM_CORE_SHARES_H

#include "../internal.h"

/* From the thread of the loop. status as of uv_after_work_cb: UV_ECANCELED if it was left off
 * before it had begun. */
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
  atomic_bool left_off;
  uint64_t took; /* ns */
  int count;
  struct pm__shares_target {
    int pid;
    uint64_t start_time;
  } targets[];
};

/* Reads those of the processes that a meter's last complete look has seen, and calls back
 * once; then *out is the caller's, to be freed with pm__free. UV_ENOMEM, or why the
 * thread pool cannot be used; then there is no call. */
int pm__shares_begin(uv_loop_t *loop, const pm__meter_t *meter, uint64_t enough, pm__shares_cb cb, void *data,
                     pm__shares_t **out);

/* Nobody wants to know any more: no further process is read, and the call back comes soon. Its figures are of no use
 * then. */
void pm__shares_leave_off(pm__shares_t *shares);

#endif /* PM_CORE_SHARES_H */
