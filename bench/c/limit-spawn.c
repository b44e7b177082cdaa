/* How long a spawn with three pipes blocks the caller, and how long until an
 * epoll loop knows by the pidfd that the child has ended.
 * Usage: limit-spawn clone|posix_spawn MEBIBYTES WARMUP COUNT CHILD */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "limit.h"

typedef struct sample {
  double block, exit;
} sample_t;

static sample_t spawn_once(int epoll, method_t method, char **argv) {
  child_t c;
  sample_t s;
  double begin = now_us();
  start(&c, method, argv);
  s.block = now_us() - begin;
  struct epoll_event event = {.events = EPOLLIN};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c.pidfd, &event) != 0) fail("epoll_ctl");
  if (epoll_wait(epoll, &event, 1, -1) != 1) fail("epoll_wait");
  s.exit = now_us() - begin;
  if (finish(&c) != 0) {
    fprintf(stderr, "%s did not run\n", argv[0]);
    exit(1);
  }
  return s;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  method_t method = strcmp(argv[1], "clone") == 0 ? BY_CLONE : BY_POSIX_SPAWN;
  size_t warmup = strtoul(argv[3], NULL, 10);
  size_t count = strtoul(argv[4], NULL, 10);
  double *block = calloc(count, sizeof(*block));
  double *exits = calloc(count, sizeof(*exits));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (count == 0 || !block || !exits || epoll < 0) fail("limit-spawn");
  grow(strtoul(argv[2], NULL, 10));
  for (size_t i = 0; i < warmup; i++)
    spawn_once(epoll, method, argv + 5);
  for (size_t i = 0; i < count; i++) {
    sample_t s = spawn_once(epoll, method, argv + 5);
    block[i] = s.block;
    exits[i] = s.exit;
  }
  printf("{\"block\":%.1f,\"exit\":%.1f}\n", median(block, count), median(exits, count));
  return 0;
}
