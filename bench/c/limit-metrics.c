/* The least that a sample of many idle children can cost: one pread of a stat file
 * that stays open for each, and its numbers.
 * Usage: limit-metrics CHILDREN SAMPLES CHILD */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limit.h"

/* As ours: who samples all the time has all that is read in the processor's caches. */
enum { PAUSE_US = 50000 };

typedef struct figures {
  unsigned long long ticks, pages;
} figures_t;

static int open_stat(int pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

/* utime is the 12th field behind the name, stime the 13th, rss the 22nd. */
static figures_t read_stat(int fd) {
  char text[1024];
  figures_t found = {0, 0};
  ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
  if (n <= 0) fail("pread");
  text[n] = '\0';
  const char *at = strrchr(text, ')');
  if (!at) fail("stat");
  for (int field = 0; field < 22; field++) {
    at = strchr(at + 1, ' ');
    if (!at) fail("stat");
    if (field == 11 || field == 12) found.ticks += strtoull(at + 1, NULL, 10);
    if (field == 21) found.pages = strtoull(at + 1, NULL, 10);
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t count = strtoul(argv[1], NULL, 10);
  size_t samples = strtoul(argv[2], NULL, 10);
  char self[16];
  snprintf(self, sizeof(self), "%d", (int)getpid());
  char *child[] = {argv[3], self, NULL};
  child_t *children = calloc(count, sizeof(*children));
  int *stats = calloc(count, sizeof(*stats));
  double *times = calloc(samples, sizeof(*times));
  volatile figures_t all = {0, 0}; /* so that the numbers are wanted */
  reserve_low();
  if (count == 0 || samples == 0 || !children || !stats || !times) fail("limit-metrics");
  for (size_t i = 0; i < count; i++) {
    start(&children[i], BY_CLONE_UNSHARE, child);
    stats[i] = open_stat(children[i].pid);
  }
  for (size_t s = 0; s < samples; s++) {
    usleep(PAUSE_US);
    double begin = cpu_us();
    for (size_t i = 0; i < count; i++) {
      figures_t one = read_stat(stats[i]);
      all.ticks += one.ticks;
      all.pages += one.pages;
    }
    times[s] = cpu_us() - begin;
  }
  for (size_t i = 0; i < count; i++)
    kill(children[i].pid, SIGKILL);
  for (size_t i = 0; i < count; i++)
    finish(&children[i]);
  double sample = median(times, samples);
  printf("{\"cpu\":%.1f,\"fresh\":%.2f}\n", sample, sample / (double)count);
  return 0;
}
