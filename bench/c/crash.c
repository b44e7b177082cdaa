/* The child of the restart table: notes its first moment, lives long enough for
 * its host to fall asleep, notes its last moment and fails; the last of RUNS
 * runs ends well instead. Usage: crash FILE RUNS */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stamps.h"

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv) {
  uint64_t first = now_ns();
  if (argc != 3) return 0;
  uint64_t wanted = strtoull(argv[2], NULL, 10);
  int fd = open(argv[1], O_RDWR | O_CLOEXEC);
  /* 0, so that a host which restarts whatever fails does not do so for ever. */
  if (fd < 0) return 0;
  stamps_t *stamps = mmap(NULL, stamps_size(wanted), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (stamps == MAP_FAILED || stamps->runs >= wanted) return 0;
  stamp_t *mine = &stamps->run[stamps->runs++];
  mine->first = first;
  int code = stamps->runs == wanted ? 0 : 1;
  usleep(5000);
  mine->last = now_ns();
  _exit(code);
}
