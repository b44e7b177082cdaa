#include "shares.h"

#include "../../platform/share.h"
#include "../alloc.h"

/* What it says of the host, not of the process: it may be over in a moment. */
static bool is_for_now(int r) {
  return r == UV_EMFILE || r == UV_ENFILE || r == UV_ENOMEM || r == UV_EINTR;
}

/* In a thread of the pool: touches nothing else. */
static void read_all(uv_work_t *work) {
  pm__shares_t *shares = work->data;
  uint64_t began = uv_hrtime();
  for (int i = 0; i < shares->count && shares->is_known && shares->r == 0 && shares->sum < shares->enough; i++) {
    if (atomic_load(&shares->left_off)) break;
    uint64_t share = 0;
    int r = pm__share_read(shares->targets[i].pid, shares->targets[i].start_time, &share);
    if (r == 0) shares->sum += share;
    if (r == 0) shares->found++;
    if (is_for_now(r))
      shares->r = r;
    else if (r != 0 && r != UV_ESRCH)
      shares->is_known = false;
  }
  shares->took = uv_hrtime() - began;
}

static void after_all(uv_work_t *work, int status) {
  pm__shares_t *shares = work->data;
  shares->cb(shares, status);
}

int pm__shares_begin(uv_loop_t *loop, const pm__meter_t *meter, uint64_t enough, pm__shares_cb cb, void *data,
                     pm__shares_t **out) {
  size_t room = (size_t)meter->members.count;
  pm__shares_t *shares = pm__calloc(1, sizeof(*shares) + room * sizeof(*shares->targets));
  if (!shares) return UV_ENOMEM;
  shares->work.data = shares;
  shares->cb = cb;
  shares->data = data;
  shares->is_known = true;
  shares->enough = enough;
  for (int i = 0; i < meter->members.count; i++) {
    const pm__member_t *member = &meter->members.at[i];
    if (member->outside || !member->usage.lives) continue;
    shares->targets[shares->count].pid = member->pid;
    shares->targets[shares->count++].start_time = member->usage.start_time;
  }
  int r = uv_queue_work(loop, &shares->work, read_all, after_all);
  if (r != 0)
    pm__free(shares);
  else
    *out = shares;
  return r;
}

void pm__shares_leave_off(pm__shares_t *shares) {
  atomic_store(&shares->left_off, true);
  uv_cancel((uv_req_t *)&shares->work);
}
