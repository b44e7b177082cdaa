#define _GNU_SOURCE
#include "clone_linux.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw_syscall.h"

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

size_t pm__stack_size(size_t page) {
  return page + (PM__STACK_ROOM + page - 1) / page * page;
}

void *pm__stacks_map(int count) {
  size_t page = page_size();
  size_t size = pm__stack_size(page);
  char *stacks =
      mmap(NULL, (size_t)count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stacks == MAP_FAILED) return NULL;
  for (int i = 0; i < count; i++) {
    if (mprotect(stacks + (size_t)i * size, page, PROT_NONE) == 0) continue;
    int err = errno;
    pm__stacks_unmap(stacks, count);
    errno = err;
    return NULL;
  }
  return stacks;
}

void pm__stacks_unmap(void *stacks, int count) {
  munmap(stacks, (size_t)count * pm__stack_size(page_size()));
}

char *pm__stack_top(void *stacks, int i) {
  return (char *)stacks + (size_t)(i + 1) * pm__stack_size(page_size());
}

/* By raw calls: libc leaves out the signals that it keeps for itself. */
int pm__clone(int (*child)(void *), char *stack, int flags, void *arg, pid_t *pid, int *pidfd) {
  uint64_t all = ~UINT64_C(0);
  uint64_t before = 0;
  int saved_errno = errno;
  pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, PM__RAW_POINTER(&all), PM__RAW_POINTER(&before), PM__RAW_SIGSET_SIZE);
  *pid = clone(child, stack, CLONE_VM | CLONE_VFORK | SIGCHLD | flags, arg, pidfd);
  int r = *pid < 0 ? -errno : 0;
  pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, PM__RAW_POINTER(&before), 0, PM__RAW_SIGSET_SIZE);
  errno = saved_errno;
  return r;
}
