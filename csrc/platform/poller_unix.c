/* The portable kind: a uv_poll_t each, on the heap, since it may only be freed
 * when libuv has closed it, and the watch may go before. */
#include "../core/alloc.h"
#include "poller.h"

/* Whatever the status says is found by the read or write itself: libuv reports
 * UV_EBADF when the reader of a pipe is gone. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  pm__watch_t *watch = poll->data;
  (void)status;
  (void)events;
  watch->on_ready(watch);
}

static void free_poll(uv_handle_t *handle) {
  pm__free(handle);
}

static int portable_open(pm__watch_t *watch) {
  uv_poll_t *poll = pm__malloc(sizeof(*poll));
  if (!poll) return UV_ENOMEM;
  int r = uv_poll_init(watch->poller->loop, poll, watch->fd);
  if (r != 0) {
    pm__free(poll);
    return r;
  }
  poll->data = watch;
  if (!watch->refd) uv_unref((uv_handle_t *)poll);
  watch->poll = poll;
  return 0;
}

static int portable_start(pm__watch_t *watch, pm__readiness_t what) {
  int r = watch->poll ? 0 : portable_open(watch);
  if (r == 0) r = uv_poll_start(watch->poll, what == PM__READABLE ? UV_READABLE : UV_WRITABLE, on_poll);
  watch->active = r == 0;
  return r;
}

static void portable_stop(pm__watch_t *watch) {
  uv_poll_stop(watch->poll);
  watch->active = false;
}

/* uv_poll_start has no way to wait for the end alone. */
static bool portable_mute(pm__watch_t *watch) {
  (void)watch;
  return false;
}

static void portable_set_ref(pm__watch_t *watch) {
  if (!watch->poll) return;
  if (watch->refd)
    uv_ref((uv_handle_t *)watch->poll);
  else
    uv_unref((uv_handle_t *)watch->poll);
}

static void portable_close(pm__watch_t *watch) {
  if (watch->poll) uv_close((uv_handle_t *)watch->poll, free_poll);
  watch->poll = NULL;
}

static int portable_prepare(pm__poller_t *poller) {
  (void)poller;
  return 0;
}

const pm__poller_kind_t pm__poller_portable = {portable_prepare, portable_start,   portable_stop,
                                               portable_mute,    portable_set_ref, portable_close};
