/* Many idle children at once: what a spawn costs with few and with many alive,
 * and what one exit among them costs.
 * Usage: limit-scale CHILDREN PROBES CHILD */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "limit.h"

static double spawn_watched(int epoll, child_t *c, char **argv) {
  double begin = now_us();
  start(c, BY_CLONE_UNSHARE, argv);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->pidfd, &event) != 0) fail("epoll_ctl");
  return now_us() - begin;
}

static void await_exit(int epoll) {
  struct epoll_event event;
  if (epoll_wait(epoll, &event, 1, -1) != 1) fail("epoll_wait");
  finish(event.data.ptr);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t count = strtoul(argv[1], NULL, 10);
  size_t probes = strtoul(argv[2], NULL, 10);
  size_t total = count + probes;
  size_t span = count < 200 ? count / 2 : 100;
  char self[16];
  snprintf(self, sizeof(self), "%d", (int)getpid());
  char *child[] = {argv[3], self, NULL};
  child_t *children = calloc(total, sizeof(*children));
  double *times = calloc(total, sizeof(*times));
  reserve_low();
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (span == 0 || probes == 0 || !children || !times || epoll < 0) fail("limit-scale");

  for (size_t i = 0; i < total; i++)
    times[i] = spawn_watched(epoll, &children[i], child);
  double at = median(times + count, probes);
  double last = median(times + count - span, span);
  double first = median(times, span);

  double cpu = 0, wall = 0;
  for (size_t i = 0; i < probes; i++) {
    double cpu_before = cpu_us(), begin = now_us();
    kill(children[count + i].pid, SIGKILL);
    await_exit(epoll);
    cpu += cpu_us() - cpu_before;
    wall += now_us() - begin;
  }
  for (size_t i = 0; i < count; i++)
    kill(children[i].pid, SIGKILL);
  for (size_t i = 0; i < count; i++)
    await_exit(epoll);
  printf("{\"first\":%.1f,\"last\":%.1f,\"at\":%.1f,\"exitCpu\":%.1f,\"exitWall\":%.1f}\n", first, last, at,
         cpu / (double)probes, wall / (double)probes);
  return 0;
}
