/* Reads children that write without end into rings of lines, one read each a
 * turn, beside a timer of 1 ms that is set anew whenever it fires: the times
 * between two of its firings, and what the memory has grown by at most.
 * Usage: limit-flood CHILDREN WARMUP TIME CHILD ARG..., in ms */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sources.h"

enum { EVENTS = 64, TICK = 1000000 };

typedef struct watch {
  int fd;
  double last;
  double *gaps;
  size_t count;
  size_t size;
} watch_t;

static void arm(watch_t *w) {
  struct itimerspec time = {.it_value.tv_nsec = TICK};
  if (timerfd_settime(w->fd, 0, &time, NULL) != 0) fail("timerfd_settime");
  w->last = now_us();
}

static void tick(watch_t *w) {
  uint64_t times;
  if (read(w->fd, &times, sizeof(times)) != sizeof(times)) fail("timerfd");
  if (w->count < w->size) w->gaps[w->count++] = now_us() - w->last;
  arm(w);
}

/* The watch has no data in epoll, and so is told from the sources. */
static void run(int epoll, watch_t *w, double until) {
  while (now_us() < until) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    if (ready < 0) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      if (!events[i].data.ptr)
        tick(w);
      else if (!read_source(epoll, events[i].data.ptr))
        fail("a child has ended");
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  size_t count = strtoul(argv[1], NULL, 10);
  double warmup = strtod(argv[2], NULL) * 1e3, time = strtod(argv[3], NULL) * 1e3;
  watch_t w = {.size = (size_t)(warmup + time) / 1000 + 1};
  w.gaps = calloc(w.size, sizeof(*w.gaps));
  w.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (!w.gaps || w.fd < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, w.fd, &event) != 0) fail("limit-flood");

  double before = status_kib("VmRSS");
  source_t *sources = start_sources(epoll, count, 0, argv + 4);
  arm(&w);
  run(epoll, &w, now_us() + warmup);
  w.count = 0;
  size_t total = 0, least = SIZE_MAX, most = 0;
  for (size_t i = 0; i < count; i++)
    sources[i].bytes = 0;
  double begin = now_us();
  run(epoll, &w, begin + time);
  double wall = now_us() - begin;
  for (size_t i = 0; i < count; i++) {
    size_t bytes = sources[i].bytes;
    total += bytes;
    if (bytes < least) least = bytes;
    if (bytes > most) most = bytes;
    kill(sources[i].child.pid, SIGKILL);
    finish(&sources[i].child);
  }
  printf("{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"growth\":%.3f,\"fairness\":%.4f,\"rate\":%.1f}\n",
         percentile(w.gaps, w.count, 0.5), percentile(w.gaps, w.count, 0.99), percentile(w.gaps, w.count, 1),
         (status_kib("VmHWM") - before) / 1024, (double)least / (double)most, (double)total / wall);
  return 0;
}
