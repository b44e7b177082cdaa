/* The host's side of a spawn on Linux: a clone that shares memory and, where
 * the kernel can unshare it cheaply, the descriptor table; a pidfd to watch. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_syscall.h"
#include "spawn_backend.h"
#include "spawn_linux_child.h"

/* Since Linux 5.2; Debian's headers for glibc 2.36 have it, older ones do not. */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
/* pidfd_send_signal(2), since Linux 6.9. */
#define SIGNAL_PROCESS_GROUP (1U << 2)

enum { STACK_SIZE = 64 * 1024, GUARD_SIZE = 4096, KERNEL_SIGSET_SIZE = 8 };

static int clone_start(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why);
static int clone_signal_group(pm__child_t *child, int signum);

static const pm__spawn_backend_t backend_clone = {"clone", clone_start, clone_signal_group};

/* ENOSYS from an old kernel or valgrind, EPERM from a seccomp filter. */
static bool has_pidfd(void) {
  long fd = pm__raw2(SYS_pidfd_open, getpid(), 0);
  if (fd < 0) return false;
  /* Signals by pidfd are as old (5.1) but may be filtered apart. */
  long r = pm__raw4(SYS_pidfd_send_signal, fd, 0, 0, 0);
  close((int)fd);
  return r == 0;
}

void pm__spawner_choose(pm__spawner_t *s) {
  if (has_pidfd()) s->backend = &backend_clone;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void pm__spawner_release(pm__spawner_t *s) {
  if (s->stack) munmap(s->stack, STACK_SIZE);
  s->stack = NULL;
  for (int i = 0; i < 3; i++)
    close_fd(&s->reserved[i]);
  close_fd(&s->placeholder);
}

/* The lowest numbers that are free, so that the child's table is short. */
static int reserve_descriptors(pm__spawner_t *s, pm__spawn_failure_t *why) {
  s->placeholder = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (s->placeholder < 0) return pm__spawn_fail(why, -errno, "open", "/dev/null");
  for (int i = 0; i < 3; i++) {
    s->reserved[i] = fcntl(s->placeholder, F_DUPFD_CLOEXEC, 3);
    if (s->reserved[i] < 0) return pm__spawn_fail(why, -errno, "fcntl", NULL);
  }
  return 0;
}

static int prepare(pm__spawner_t *s, pm__spawn_failure_t *why) {
  int r = pm__poller_prepare(s->poller);
  if (r != 0) return pm__spawn_fail(why, r, "epoll_create1", NULL);
  if (s->stack) return 0;
  r = reserve_descriptors(s, why);
  if (r == 0) {
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
      r = pm__spawn_fail(why, -errno, "mmap", NULL);
    } else {
      s->stack = stack;
      mprotect(stack, GUARD_SIZE, PROT_NONE);
    }
  }
  if (r != 0) pm__spawner_release(s);
  return r;
}

static unsigned highest_reserved(const pm__spawner_t *s) {
  int highest = 2;
  for (int i = 0; i < 3; i++)
    if (s->reserved[i] > highest) highest = s->reserved[i];
  return (unsigned)highest;
}

/* Puts fds (the child's ends, or three times the placeholder) at the reserved
 * numbers; dup3 replaces in one step, so no other thread can get the number. */
static int occupy(const pm__spawner_t *s, const int *fds) {
  for (int i = 0; i < 3; i++) {
    int r;
    do {
      r = dup3(fds[i], s->reserved[i], O_CLOEXEC);
    } while (r < 0 && (errno == EINTR || errno == EBUSY));
    if (r < 0) return -errno;
  }
  return 0;
}

/* Every signal is blocked across the clone, those that libc keeps for itself
 * too (hence the raw call): a handler of the host must not run in the child. */
static int clone_once(pm__spawner_t *s, pm__launch_t *launch, int *pid, int *pidfd) {
  uint64_t all = ~UINT64_C(0);
  uint64_t before = 0;
  int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
  if (launch->shared_files) flags |= CLONE_FILES;
  int saved_errno = errno;
  pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)(intptr_t)&all, (long)(intptr_t)&before, KERNEL_SIGSET_SIZE);
  *pid = clone(pm__launch_child, (char *)s->stack + STACK_SIZE, flags, launch, pidfd);
  int r = *pid < 0 ? -errno : 0;
  pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)(intptr_t)&before, 0, KERNEL_SIGSET_SIZE);
  errno = saved_errno;
  return r;
}

/* A child that failed has exited by the time clone returns (CLONE_VFORK). */
static void discard(int pid, int *pidfd) {
  while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
  }
  close_fd(pidfd);
}

static int launch(pm__spawner_t *s, pm__launch_t *l, int *pid, int *pidfd, pm__spawn_failure_t *why) {
  l->shared_files = !s->no_close_range;
  int r = clone_once(s, l, pid, pidfd);
  if (r != 0) return pm__spawn_fail(why, r, "clone", NULL);
  if (l->error == 0) return 0;
  discard(*pid, pidfd);
  if (l->step == PM__STEP_UNSHARE && !s->no_close_range) {
    /* Nothing has happened yet: once more without sharing the table. */
    s->no_close_range = true;
    l->error = 0;
    return launch(s, l, pid, pidfd, why);
  }
  return pm__spawn_fail(why, l->error, pm__step_name(l->step), l->path);
}

static void on_pidfd(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  pm__watch_stop(watch);
  child->ended = true;
  child->on_exit(child);
}

/* From here on the command runs: a failure has to end it again. */
static int watch_child(pm__child_t *child, pm__spawn_failure_t *why) {
  child->watch.fd = child->pidfd;
  int r = pm__watch_start(&child->watch, PM__READABLE, on_pidfd);
  if (r == 0) return 0;
  kill(-child->pid, SIGKILL);
  discard(child->pid, &child->pidfd);
  return pm__spawn_fail(why, r, "epoll_ctl", NULL);
}

static int clone_start(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child, pm__spawn_failure_t *why) {
  int r = prepare(s, why);
  if (r != 0) return r;
  pm__stdio_t io;
  r = pm__stdio_open(&io, spec->stdin_pipe, why);
  if (r != 0) return r;

  pm__launch_t l = {.argv = spec->argv,
                    .envp = spec->envp,
                    .candidates = spec->candidates,
                    .working_dir = spec->working_dir,
                    .ends = {s->reserved[0], s->reserved[1], s->reserved[2]},
                    .keep = highest_reserved(s),
                    .host = getpid()};
  r = occupy(s, io.child);
  if (r != 0) {
    pm__spawn_fail(why, r, "dup3", NULL);
    goto close_stdio;
  }
  r = launch(s, &l, &child->pid, &child->pidfd, why);
  if (r == 0) r = watch_child(child, why);

close_stdio:
  /* The child's ends are closed at both of their numbers, or EOF never comes. */
  pm__stdio_close_child_ends(&io);
  const int placeholders[3] = {s->placeholder, s->placeholder, s->placeholder};
  occupy(s, placeholders);
  if (r != 0) {
    pm__stdio_close(&io);
    return r;
  }
  child->in = io.host[0];
  child->out = io.host[1];
  child->err = io.host[2];
  return 0;
}

/* By pidfd the group is named by what it is, not by a number that could be
 * somebody else's by now. */
static int clone_signal_group(pm__child_t *child, int signum) {
  if (child->pidfd >= 0) {
    long r = pm__raw4(SYS_pidfd_send_signal, child->pidfd, signum, 0, SIGNAL_PROCESS_GROUP);
    if (r != -EINVAL && r != -ENOSYS) return (int)r;
  }
  return kill(-child->pid, signum) == 0 ? 0 : -errno;
}
