/* Reads the output of children into rings of lines: how fast, and with how much
 * CPU. With a PAUSE it sleeps so many microseconds between two rounds of reads,
 * in which small writes pile up in pipes of PIPE bytes (0: as they are).
 * Usage: limit-capture CHILDREN PIPE PAUSE CHILD BYTES LINE WRITE, where CHILD
 * is writer.c */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sources.h"

enum { EVENTS = 64 };

static void read_all(int epoll, size_t count, useconds_t pause) {
  while (count > 0) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    if (ready < 0) fail("epoll_wait");
    for (int i = 0; i < ready; i++)
      if (!read_source(epoll, events[i].data.ptr)) count--;
    if (pause > 0) usleep(pause);
  }
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  size_t count = strtoul(argv[1], NULL, 10);
  size_t pipe_size = strtoul(argv[2], NULL, 10);
  size_t bytes = strtoul(argv[5], NULL, 10);
  size_t line = strtoul(argv[6], NULL, 10);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");

  double cpu = cpu_us(), begin = now_us();
  source_t *sources = start_sources(epoll, count, pipe_size, argv + 4);
  read_all(epoll, count, (useconds_t)strtoul(argv[3], NULL, 10));
  double wall = now_us() - begin;
  cpu = cpu_us() - cpu;

  for (size_t i = 0; i < count; i++) {
    if (finish(&sources[i].child) != 0 || sources[i].bytes != bytes || sources[i].lines != bytes / line) {
      fprintf(stderr, "child %zu: %zu bytes, %zu lines\n", i, sources[i].bytes, sources[i].lines);
      return 1;
    }
  }
  double total = (double)(count * bytes);
  printf("{\"cpu\":%.4f,\"rate\":%.2f}\n", cpu * 1e3 / total, total / wall);
  return 0;
}
