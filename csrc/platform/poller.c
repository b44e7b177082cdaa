/* What is the same for each kind of poller. */
#include "poller.h"

#include <stddef.h>

void pm__poller_init(pm__poller_t *poller, uv_loop_t *loop, bool portable) {
  *poller = (pm__poller_t){.loop = loop, .kind = &pm__poller_portable, .set = -1, .handles = 1};
  uv_idle_init(loop, &poller->idle);
  poller->idle.data = poller;
  if (!portable) pm__poller_choose(poller);
}

void pm__poller_handle_closed(uv_handle_t *handle) {
  pm__poller_t *poller = handle->data;
  if (--poller->handles == 0) poller->on_close(poller);
}

void pm__poller_close(pm__poller_t *poller, void (*cb)(pm__poller_t *)) {
  poller->on_close = cb;
  pm__poller_release(poller);
  uv_close((uv_handle_t *)&poller->idle, pm__poller_handle_closed);
}

int pm__poller_prepare(pm__poller_t *poller) {
  return poller->kind->prepare(poller);
}

void pm__watch_init(pm__watch_t *watch, pm__poller_t *poller, int fd) {
  *watch = (pm__watch_t){.poller = poller, .fd = fd, .refd = true, .data = watch->data};
}

int pm__watch_start(pm__watch_t *watch, pm__readiness_t what, void (*on_ready)(pm__watch_t *)) {
  watch->on_ready = on_ready;
  return watch->poller->kind->start(watch, what);
}

void pm__watch_stop(pm__watch_t *watch) {
  if (watch->active) watch->poller->kind->stop(watch);
}

bool pm__watch_mute(pm__watch_t *watch) {
  return watch->active && watch->poller->kind->mute(watch);
}

static void set_ref(pm__watch_t *watch, bool refd) {
  if (watch->refd == refd) return;
  watch->refd = refd;
  watch->poller->kind->set_ref(watch);
}

void pm__watch_ref(pm__watch_t *watch) {
  set_ref(watch, true);
}

void pm__watch_unref(pm__watch_t *watch) {
  set_ref(watch, false);
}

static void on_idle(uv_idle_t *idle) {
  pm__poller_t *poller = idle->data;
  uv_idle_stop(idle);
  /* A callback may close the poller itself, and so its idle handle: its memory
   * lasts until that has been closed by the loop. */
  while (poller->closed) {
    pm__watch_t *watch = poller->closed;
    poller->closed = watch->next_closed;
    watch->on_close(watch);
  }
}

void pm__watch_close(pm__watch_t *watch, void (*cb)(pm__watch_t *)) {
  pm__poller_t *poller = watch->poller;
  pm__watch_stop(watch);
  poller->kind->close(watch);
  watch->on_close = cb;
  watch->next_closed = poller->closed;
  poller->closed = watch;
  uv_idle_start(&poller->idle, on_idle);
}
