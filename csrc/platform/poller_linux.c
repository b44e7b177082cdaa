/* Linux: an epoll set that the loop watches as one descriptor (epoll(7): an
 * epoll descriptor is readable when one of its entries is ready). */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "poller.h"

/* Handled in one turn of the loop, within so many nanoseconds: that bounds what floods
 * can take of it. The kernel puts level-triggered entries that it has reported behind
 * the others, and those that had no time come first the next time, so that none is
 * passed over for ever. */
enum { BATCH = 16 };
static const uint64_t turn_time = UINT64_C(2000000);

typedef struct batch {
  struct epoll_event events[BATCH];
  int count;
} batch_t;

static void on_set_ready(uv_poll_t *poll, int status, int events) {
  pm__poller_t *poller = poll->data;
  batch_t batch;
  (void)status;
  (void)events;
  int n = epoll_wait(poller->set, batch.events, BATCH, 0);
  batch.count = n > 0 ? n : 0;
  poller->batch = &batch;
  uint64_t end = uv_hrtime() + turn_time;
  int i = 0;
  while (i < batch.count && (i == 0 || uv_hrtime() < end)) {
    struct epoll_event *event = &batch.events[(poller->first + (unsigned)i++) % (unsigned)batch.count];
    pm__watch_t *watch = event->data.ptr;
    event->data.ptr = NULL;
    if (watch) watch->on_ready(watch);
  }
  poller->first = i < batch.count ? (poller->first + (unsigned)i) % (unsigned)batch.count : 0;
  poller->batch = NULL;
}

/* An event that was reported with others must not reach a watch that one of
 * those has stopped. */
static void strike_out(pm__poller_t *poller, const pm__watch_t *watch) {
  batch_t *batch = poller->batch;
  if (!batch) return;
  for (int i = 0; i < batch->count; i++)
    if (batch->events[i].data.ptr == watch) batch->events[i].data.ptr = NULL;
}

static void count_ref(pm__poller_t *poller, int change) {
  unsigned before = poller->refs;
  poller->refs += (unsigned)change;
  if (before == 0) uv_ref((uv_handle_t *)&poller->poll);
  if (poller->refs == 0) uv_unref((uv_handle_t *)&poller->poll);
}

static int open_set(pm__poller_t *poller) {
  if (poller->set >= 0) return 0;
  poller->set = epoll_create1(EPOLL_CLOEXEC);
  if (poller->set < 0) return -errno;
  int r = uv_poll_init(poller->loop, &poller->poll, poller->set);
  if (r != 0) {
    close(poller->set);
    poller->set = -1;
    return r;
  }
  poller->poll.data = poller;
  poller->handles++;
  uv_poll_start(&poller->poll, UV_READABLE, on_set_ready);
  uv_unref((uv_handle_t *)&poller->poll);
  return 0;
}

static int set_start(pm__watch_t *watch, pm__readiness_t what) {
  pm__poller_t *poller = watch->poller;
  int r = open_set(poller);
  if (r != 0) return r;
  struct epoll_event event = {.events = what == PM__READABLE ? EPOLLIN : EPOLLOUT, .data.ptr = watch};
  if (epoll_ctl(poller->set, watch->active ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) != 0) return -errno;
  if (!watch->active && watch->refd) count_ref(poller, 1);
  watch->active = true;
  return 0;
}

/* By hand, although closing the descriptor would do it: an entry lasts as long
 * as any process has the pipe's end open, and another thread may be forking. */
static void set_stop(pm__watch_t *watch) {
  struct epoll_event ignored = {0};
  epoll_ctl(watch->poller->set, EPOLL_CTL_DEL, watch->fd, &ignored);
  strike_out(watch->poller, watch);
  watch->active = false;
  if (watch->refd) count_ref(watch->poller, -1);
}

/* EPOLLHUP and EPOLLERR are always told of (epoll_ctl(2)). */
static bool set_mute(pm__watch_t *watch) {
  struct epoll_event event = {.data.ptr = watch};
  if (epoll_ctl(watch->poller->set, EPOLL_CTL_MOD, watch->fd, &event) != 0) return false;
  strike_out(watch->poller, watch);
  return true;
}

static void set_set_ref(pm__watch_t *watch) {
  if (watch->active) count_ref(watch->poller, watch->refd ? 1 : -1);
}

static void set_close(pm__watch_t *watch) {
  (void)watch;
}

static const pm__poller_kind_t kind_set = {open_set, set_start, set_stop, set_mute, set_set_ref, set_close};

void pm__poller_choose(pm__poller_t *poller) {
  poller->kind = &kind_set;
}

void pm__poller_release(pm__poller_t *poller) {
  if (poller->set < 0) return;
  uv_close((uv_handle_t *)&poller->poll, pm__poller_handle_closed);
  close(poller->set);
  poller->set = -1;
}
