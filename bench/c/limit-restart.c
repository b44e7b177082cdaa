/* The shortest supervisor: waits for its child, starts the next. Prints the
 * median time from a crash to the first moment of the next run.
 * Usage: limit-restart MEBIBYTES RUNS CHILD, where CHILD is crash.c */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "limit.h"
#include "stamps.h"

static const stamps_t *open_stamps(char *file, size_t runs) {
  int fd = mkstemp(file);
  if (fd < 0) fail(file);
  if (ftruncate(fd, (off_t)stamps_size(runs)) != 0) fail("ftruncate");
  const stamps_t *stamps = mmap(NULL, stamps_size(runs), PROT_READ, MAP_SHARED, fd, 0);
  if (stamps == MAP_FAILED) fail("mmap");
  close(fd);
  return stamps;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  char file[] = "/dev/shm/bench-stamps-XXXXXX";
  size_t runs = strtoul(argv[2], NULL, 10);
  if (runs < 2) return 2;
  double *gaps = calloc(runs - 1, sizeof(*gaps));
  if (!gaps) fail("calloc");
  grow(strtoul(argv[1], NULL, 10));
  const stamps_t *stamps = open_stamps(file, runs);
  char *child[] = {argv[3], file, argv[2], NULL};
  child_t c;
  do {
    start(&c, BY_CLONE, child);
  } while (finish(&c) == 1);
  unlink(file);

  if (stamps->runs != runs) {
    fprintf(stderr, "%s: fewer runs than expected\n", argv[3]);
    return 1;
  }
  for (size_t i = 0; i + 1 < runs; i++)
    gaps[i] = (double)(stamps->run[i + 1].first - stamps->run[i].last) / 1e3;
  printf("{\"restart\":%.1f}\n", median(gaps, runs - 1));
  return 0;
}
