/*
 * A forked child that works on request and answers when it is done, and a look
 * at which processes' /proc files this program holds.
 */
#ifndef PM_TEST_WORKER_H
#define PM_TEST_WORKER_H

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define MS UINT64_C(1000000)
#define MB (UINT64_C(1) << 20)

/* What a job costs. */
#define WORKER_BURN_NS (200 * MS)
#define WORKER_BYTES   (32 * MB)
#define WORKER_NAME    ") R 1 1 (\n) Z"

typedef struct worker {
  int pid;
  int to, from; /* -1 for one that only idles */
} worker_t;

/* CPU time of this process in nanoseconds, as getrusage(2) says. */
static inline uint64_t worker_cpu_time(void) {
  struct rusage u;

  getrusage(RUSAGE_SELF, &u);
  return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 * MS +
         (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static inline void worker_burn(void) {
  uint64_t end = worker_cpu_time() + WORKER_BURN_NS;

  while (worker_cpu_time() < end)
    continue;
}

/* Straight from the kernel, so that no allocator keeps pages ready. */
static inline void worker_touch(void) {
  char *p = mmap(NULL, WORKER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (p == MAP_FAILED) _exit(1);
  for (size_t i = 0; i < WORKER_BYTES; i += 4096)
    ((volatile char *)p)[i] = 1;
}

/* Dies with the test program, also when that fails half-way. */
static inline void worker_tie(int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
}

/* A child that idles as long as its parent lives. */
static inline void worker_start_child(void) {
  int parent = getpid();

  if (fork() != 0) return;
  worker_tie(parent);
  for (;;)
    pause();
}

static inline void worker_main(int in, int out) {
  uint64_t answer;
  char job;

  while (read(in, &job, 1) == 1) {
    if (job == 'b') worker_burn();
    if (job == 'm') worker_touch();
    if (job == 'f') worker_start_child();
    if (job == 'n') prctl(PR_SET_NAME, WORKER_NAME);
    answer = worker_cpu_time();
    if (write(out, &answer, sizeof answer) != sizeof answer) break;
  }
  _exit(0);
}

/* Does 'b' burn, 'm' touch memory, 'f' start a child, 'n' take a name, or nothing for any other
 * letter; gives the CPU time that the worker has used by then. */
static inline uint64_t worker_do(const worker_t *w, char job) {
  uint64_t answer = 0;

  assert_int_equal(write(w->to, &job, 1), 1);
  assert_int_equal(read(w->from, &answer, sizeof answer), sizeof answer);
  return answer;
}

/* fork(2), under a pid of our choice unless that is 0; -1 if it cannot be had. */
static inline int worker_fork(int pid) {
  struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};

  return pid == 0 ? fork() : (int)syscall(SYS_clone3, &args, sizeof args);
}

/* w.pid is -1 when there is none to be had. */
static inline worker_t worker_start_as(int pid) {
  int in[2], out[2], parent = getpid();
  worker_t w;

  assert_int_equal(pipe(in), 0);
  assert_int_equal(pipe(out), 0);
  w.pid = worker_fork(pid);
  if (w.pid == 0) {
    close(in[1]);
    close(out[0]);
    worker_tie(parent);
    worker_main(in[0], out[1]);
  }
  close(in[0]);
  close(out[1]);
  w.to = in[1];
  w.from = out[0];
  if (w.pid > 0) {
    worker_do(&w, '.');
  } else {
    close(w.to);
    close(w.from);
  }
  return w;
}

static inline worker_t worker_start(void) {
  worker_t w = worker_start_as(0);

  assert_true(w.pid > 0);
  return w;
}

/* One that only waits for its end. */
static inline worker_t worker_start_idle(void) {
  int parent = getpid();
  worker_t w = {fork(), -1, -1};

  assert_true(w.pid >= 0);
  if (w.pid == 0) {
    worker_tie(parent);
    for (;;)
      pause();
  }
  return w;
}

/* Kills it and waits until it is a zombie. */
static inline void worker_kill(const worker_t *w) {
  siginfo_t info;

  assert_int_equal(kill(w->pid, SIGKILL), 0);
  assert_int_equal(waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT), 0);
}

static inline void worker_reap(const worker_t *w) {
  assert_int_equal(waitpid(w->pid, NULL, 0), w->pid);
  if (w->to >= 0) close(w->to);
  if (w->from >= 0) close(w->from);
}

static inline void worker_end(const worker_t *w) {
  worker_kill(w);
  worker_reap(w);
}

enum { WORKER_FD_RANGE = 4096 };

/* The descriptor of /proc/PID/stat in this program, -1 if there is none. Needs
 * no descriptor itself. */
static inline int find_stat_fd(int pid) {
  char link[64], wanted[64], target[128];
  ssize_t n;

  snprintf(wanted, sizeof wanted, "/proc/%d/stat", pid);
  for (int fd = 0; fd < WORKER_FD_RANGE; fd++) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof target);
    if (n == (ssize_t)strlen(wanted) && !memcmp(target, wanted, strlen(wanted))) return fd;
  }
  return -1;
}

/* Lets this program open `more` descriptors and no further ones; gives the
 * limit to set again. */
static inline struct rlimit limit_fds(int more) {
  struct rlimit old, limit;
  int next = dup(2);

  close(next);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  limit = old;
  limit.rlim_cur = (rlim_t)(next + more);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  return old;
}

#endif /* PM_TEST_WORKER_H */
