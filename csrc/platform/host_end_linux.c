/* Linux: a thread that sleeps on a pidfd of the host. Not a watch of the loop, for
 * it has to work while the loop does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "../pm.h"
#include "raw_syscall.h"

enum {
  LEAVE_TIME = 500, /* ms that are left to who leaves by itself */
  LOOK_TIME = 100   /* ms between looks where there is no pidfd */
};

typedef struct host {
  int pid;
  bool is_child; /* this process is its child */
  int pidfd;     /* negative: the kernel, or a filter, has none for us */
  uv_thread_t thread;
} host_t;

static void sleep_ms(int ms) {
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

/* False: nobody can tell. poll(2): EINVAL for one that may have no descriptor, by its limit. */
static bool has_pidfd_ended(const host_t *host) {
  struct pollfd fd = {.fd = host->pidfd, .events = POLLIN};
  int n;
  do
    n = poll(&fd, 1, -1);
  while (n < 0 && (errno == EINTR || errno == EAGAIN));
  return n > 0;
}

/* A host that is no parent is waited for as long as it takes for poll to work again. */
static void await_end(const host_t *host) {
  while (host->pidfd < 0 || !has_pidfd_ended(host)) {
    if (host->is_child && getppid() != host->pid) return;
    sleep_ms(LOOK_TIME);
  }
}

static void watch(void *arg) {
  /* Signals are for the threads that were there before. By the system call: libc's
   * function for threads is newer than the oldest libc that this is to load with. */
  const uint64_t all = ~UINT64_C(0);
  pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, PM__RAW_POINTER(&all), 0, sizeof(all));
  await_end(arg);
  sleep_ms(LEAVE_TIME);
  kill(getpid(), SIGKILL);
}

int pm_end_with_host(int pid) {
  if (pid <= 0) return UV_EINVAL;
  host_t *host = pm__malloc(sizeof(*host));
  if (!host) return UV_ENOMEM;
  host->pid = pid;
  host->is_child = getppid() == pid; /* before its descriptor is got, which may be another's by then */
  host->pidfd = (int)pm__raw2(SYS_pidfd_open, pid, 0); /* close-on-exec by itself: pidfd_open(2) */
  int r = 0;
  if (host->pidfd == -ESRCH || ((host->is_child || host->pidfd < 0) && getppid() != pid)) r = UV_ESRCH;
  if (r == 0) r = uv_thread_create(&host->thread, watch, host);
  if (r == 0) return 0;
  if (host->pidfd >= 0) close(host->pidfd);
  pm__free(host);
  return r;
}
