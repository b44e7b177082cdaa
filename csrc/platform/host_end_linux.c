/* Linux: a thread that sleeps on a pidfd of the host. Not a watch of the loop, for
 * it has to work while the loop does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
  int pidfd; /* -1: the kernel, or a filter, has none for us */
} host_t;

static void sleep_ms(int ms) {
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static void await_end(const host_t *host) {
  struct pollfd fd = {.fd = host->pidfd, .events = POLLIN};
  if (host->pidfd < 0)
    while (getppid() == host->pid)
      sleep_ms(LOOK_TIME);
  else
    while (poll(&fd, 1, -1) < 0 && (errno == EINTR || errno == EAGAIN))
      ;
}

static void *watch(void *arg) {
  await_end(arg);
  sleep_ms(LEAVE_TIME);
  kill(getpid(), SIGKILL);
  return NULL;
}

/* Signals are for the threads that were there before. */
static int start(host_t *host) {
  sigset_t all, before;
  pthread_attr_t attr;
  pthread_t thread;
  int r = pthread_attr_init(&attr);
  if (r != 0) return -r;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  r = pthread_create(&thread, &attr, watch, host);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return -r;
}

int pm_end_with_host(int pid) {
  if (pid <= 0) return UV_EINVAL;
  host_t *host = pm__malloc(sizeof(*host));
  if (!host) return UV_ENOMEM;
  host->pid = pid;
  host->pidfd = (int)pm__raw2(SYS_pidfd_open, pid, 0); /* close-on-exec by itself: pidfd_open(2) */
  int r = 0;
  if (host->pidfd == -ESRCH || (host->pidfd < 0 && getppid() != pid)) r = UV_ESRCH;
  if (r == 0) r = start(host);
  if (r == 0) return 0;
  if (host->pidfd >= 0) close(host->pidfd);
  pm__free(host);
  return r;
}
