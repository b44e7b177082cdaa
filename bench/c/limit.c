#define _GNU_SOURCE
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* The descriptors 3 to 5 belong to the child's ends, see BY_CLONE_UNSHARE. */
enum { STACK_SIZE = 64 * 1024, FIRST_LOW = 3, LAST_LOW = 5 };

extern char **environ;

typedef struct launch {
  char **argv;
  const int *ends;
  int unshare;
} launch_t;

void fail(const char *what) {
  perror(what);
  exit(1);
}

double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median(double *values, size_t count) {
  qsort(values, count, sizeof(*values), ascending);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double percentile(double *values, size_t count, double share) {
  if (count == 0) fail("percentile of nothing");
  qsort(values, count, sizeof(*values), ascending);
  return values[(size_t)(share * (double)(count - 1) + 0.5)];
}

double status_kib(const char *name) {
  FILE *file = fopen("/proc/self/status", "re");
  if (!file) fail("/proc/self/status");
  char line[256];
  double value = -1;
  size_t length = strlen(name);
  while (value < 0 && fgets(line, sizeof(line), file))
    if (strncmp(line, name, length) == 0 && line[length] == ':') value = strtod(line + length + 1, NULL);
  fclose(file);
  if (value < 0) fail(name);
  return value;
}

void grow(size_t mebibytes) {
  for (size_t i = 0; i < mebibytes; i++) {
    char *block = malloc(1 << 20);
    if (!block) fail("malloc");
    memset(block, 1, 1 << 20);
  }
}

static int launched(void *arg) {
  launch_t *l = arg;
  if (l->unshare && syscall(SYS_close_range, LAST_LOW + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0) _exit(126);
  for (int i = 0; i < 3; i++)
    if (dup2(l->ends[i], i) < 0) _exit(126);
  execve(l->argv[0], l->argv, environ);
  _exit(127);
}

/* The child shares this memory and the caller waits until its exec, so that the
 * stack may lie in this very frame. */
static void start_by_clone(child_t *c, launch_t *l) {
  char stack[STACK_SIZE] __attribute__((aligned(16)));
  int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
  if (l->unshare) flags |= CLONE_FILES;
  c->pid = clone(launched, stack + STACK_SIZE, flags, l, &c->pidfd);
  if (c->pid < 0) fail("clone");
}

static void start_by_posix_spawn(child_t *c, const launch_t *l) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 3; i++)
    posix_spawn_file_actions_adddup2(&actions, l->ends[i], i);
  errno = posix_spawn(&c->pid, l->argv[0], &actions, NULL, l->argv, environ);
  if (errno != 0) fail("posix_spawn");
  posix_spawn_file_actions_destroy(&actions);
  c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
  if (c->pidfd < 0) fail("pidfd_open");
}

void reserve_low(void) {
  for (int i = FIRST_LOW; i <= LAST_LOW; i++) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) fail("/dev/null");
    if (fd == i) continue;
    if (dup3(fd, i, O_CLOEXEC) != i) fail("dup3");
    close(fd);
  }
}

static void open_pipes(child_t *c, int *ends) {
  for (int i = 0; i < 3; i++) {
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0) fail("pipe2");
    c->end[i] = p[i == 0 ? 1 : 0];
    ends[i] = p[i == 0 ? 0 : 1];
    if (fcntl(c->end[i], F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  }
}

void start(child_t *c, method_t method, char **argv) {
  static const int low[3] = {FIRST_LOW, FIRST_LOW + 1, LAST_LOW};
  int ends[3];
  open_pipes(c, ends);
  launch_t l = {argv, ends, 0};
  if (method == BY_POSIX_SPAWN) {
    start_by_posix_spawn(c, &l);
  } else if (method == BY_CLONE) {
    start_by_clone(c, &l);
  } else {
    for (int i = 0; i < 3; i++)
      if (dup3(ends[i], low[i], O_CLOEXEC) < 0) fail("dup3");
    l = (launch_t){argv, low, 1};
    start_by_clone(c, &l);
  }
  for (int i = 0; i < 3; i++)
    close(ends[i]);
}

int finish(child_t *c) {
  int status;
  if (waitpid(c->pid, &status, 0) != c->pid) fail("waitpid");
  for (int i = 0; i < 3; i++)
    close(c->end[i]);
  close(c->pidfd);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
