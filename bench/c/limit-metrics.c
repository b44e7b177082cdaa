/* The least that a sample of many idle children can cost: one pread of a stat file that stays
 * open for each process, and its numbers. With "trees" also of each list of children, and of
 * what tells whether something was started; then each child may have such children from the
 * beginning on as it has when it says something.
 * Usage: limit-metrics CHILDREN SAMPLES PAUSE_MS alone|trees CHILD [ARG …], which
 * is given the pid of this program before the ARGs */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limit.h"

enum { MOST_ARGUMENTS = 8, MOST_OF_TREE = 64 };

/* Of one process; lists is -1 if it is not read. */
typedef struct source {
  int stat, list;
} source_t;

typedef struct sources {
  source_t *at;
  size_t count, room;
  int starts; /* -1 if it is not read */
} sources_t;

typedef struct figures {
  unsigned long long ticks, pages;
} figures_t;

static int open_of(int pid, const char *name) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

static int open_list(int pid) {
  char name[32];
  snprintf(name, sizeof(name), "task/%d/children", pid);
  return open_of(pid, name);
}

/* Fills pids; how many there are. */
static int read_list(int fd, int *pids, int most) {
  char text[1024];
  int count = 0;
  ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
  if (n < 0) fail("pread of a list");
  text[n] = '\0';
  char *at = text;
  for (char *end; count < most; at = end) {
    long pid = strtol(at, &end, 10);
    if (end == at) break;
    pids[count++] = (int)pid;
  }
  return count;
}

static void add(sources_t *all, int pid, int has_list) {
  if (all->count == all->room) fail("too many processes");
  source_t *one = &all->at[all->count++];
  one->stat = open_of(pid, "stat");
  one->list = has_list ? open_list(pid) : -1;
}

static void add_tree(sources_t *all, const child_t *child) {
  int pids[MOST_OF_TREE];
  char ready[16];
  add(all, child->pid, 1);
  int count = 0;
  if (read(child->end[1], ready, sizeof(ready)) > 0)
    count = read_list(all->at[all->count - 1].list, pids, MOST_OF_TREE);
  for (int i = 0; i < count; i++)
    add(all, pids[i], 1);
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

static void sample(const sources_t *all, volatile figures_t *sum) {
  int pids[MOST_OF_TREE];
  char text[128];
  if (all->starts >= 0 && pread(all->starts, text, sizeof(text), 0) <= 0) fail("/proc/loadavg");
  for (size_t i = 0; i < all->count; i++) {
    figures_t one = read_stat(all->at[i].stat);
    sum->ticks += one.ticks;
    sum->pages += one.pages;
    if (all->at[i].list >= 0) sum->pages += (unsigned)read_list(all->at[i].list, pids, MOST_OF_TREE);
  }
}

int main(int argc, char **argv) {
  if (argc < 6 || argc > 6 + MOST_ARGUMENTS) return 2;
  size_t count = strtoul(argv[1], NULL, 10);
  size_t samples = strtoul(argv[2], NULL, 10);
  useconds_t pause = (useconds_t)strtoul(argv[3], NULL, 10) * 1000;
  int trees = strcmp(argv[4], "trees") == 0;
  char self[16];
  char *child[MOST_ARGUMENTS + 3] = {argv[5], self};
  snprintf(self, sizeof(self), "%d", (int)getpid());
  for (int i = 6; i < argc; i++)
    child[i - 4] = argv[i];
  child_t *children = calloc(count, sizeof(*children));
  sources_t all = {.room = count * (trees ? MOST_OF_TREE : 1), .starts = -1};
  all.at = calloc(all.room, sizeof(*all.at));
  double *times = calloc(samples, sizeof(*times));
  volatile figures_t sum = {0, 0}; /* so that the numbers are wanted */
  reserve_low();
  if (count == 0 || samples == 0 || !children || !all.at || !times) fail("limit-metrics");
  for (size_t i = 0; i < count; i++)
    start(&children[i], BY_CLONE_UNSHARE, child);
  if (trees) all.starts = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  for (size_t i = 0; i < count; i++)
    if (trees && argc > 6)
      add_tree(&all, &children[i]);
    else
      add(&all, children[i].pid, trees);
  sample(&all, &sum);
  for (size_t s = 0; s < samples; s++) {
    usleep(pause);
    double begin = cpu_us();
    sample(&all, &sum);
    times[s] = cpu_us() - begin;
  }
  for (size_t i = 0; i < count; i++)
    kill(children[i].pid, SIGKILL);
  for (size_t i = 0; i < count; i++)
    finish(&children[i]);
  double one = median(times, samples);
  printf("{\"cpu\":%.1f,\"fresh\":%.2f,\"processes\":%zu}\n", one, one / (double)count, all.count);
  return 0;
}
