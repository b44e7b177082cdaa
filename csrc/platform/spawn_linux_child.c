#define _GNU_SOURCE
#include "spawn_linux_child.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "raw_syscall.h"

/* Sanitizers' instrumentation would run on a foreign stack, in a process that
 * is half another one. */
#if defined(__clang__)
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define IN_CHILD __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined, noinline))
#endif

/* The kernel's own struct of rt_sigaction(2), all zero for SIG_DFL on every
 * architecture; larger than any of them, so that its layout does not matter. */
typedef struct {
  unsigned long words[8];
} kernel_sigaction_t;

enum { KERNEL_SIGNALS = 64, KERNEL_SIGSET_SIZE = 8 };

IN_CHILD static long fail(pm__launch_t *l, pm__step_t step, long error, const char *path) {
  l->step = step;
  l->path = path;
  l->error = (int)error;
  return error;
}

/* Until this has run nothing may be closed or replaced: the table is the
 * host's. Unsharing with close_range copies no descriptor above `keep`, which
 * is what keeps a spawn cheap in a host with thousands of them. */
IN_CHILD static long own_descriptors(pm__launch_t *l) {
  if (!l->shared_files) return 0;
  long r = pm__raw3(SYS_close_range, (long)l->keep + 1, (long)UINT_MAX, CLOSE_RANGE_UNSHARE);
  return r < 0 ? fail(l, PM__STEP_UNSHARE, r, 0) : 0;
}

/* The ends may lie on 0 to 2 themselves in a host that closed its own stdio:
 * they are moved up first, so that no dup overwrites one still needed. */
IN_CHILD static long place_stdio(pm__launch_t *l) {
  int end[3];
  for (int i = 0; i < 3; i++) {
    end[i] = l->ends[i];
    if (end[i] > 2) continue;
    long r = pm__raw3(SYS_fcntl, end[i], F_DUPFD_CLOEXEC, 3);
    if (r < 0) return fail(l, PM__STEP_DUP2, r, 0);
    end[i] = (int)r;
  }
  for (int i = 0; i < 3; i++) {
    long r = pm__raw3(SYS_dup3, end[i], i, 0);
    if (r < 0) return fail(l, PM__STEP_DUP2, r, 0);
  }
  return 0;
}

/* Handlers go first, then the mask: a signal that waits must not run the
 * host's handler here. Ignored signals would survive the exec, SIGCHLD and
 * SIGPIPE among them. */
IN_CHILD static long reset_signals(pm__launch_t *l) {
  kernel_sigaction_t action;
  for (unsigned i = 0; i < sizeof(action.words) / sizeof(action.words[0]); i++)
    action.words[i] = 0;
  for (int n = 1; n <= KERNEL_SIGNALS; n++) {
    if (n == SIGKILL || n == SIGSTOP) continue;
    long r = pm__raw4(SYS_rt_sigaction, n, (long)(intptr_t)&action, 0, KERNEL_SIGSET_SIZE);
    if (r < 0) return fail(l, PM__STEP_SIGACTION, r, 0);
  }
  uint64_t none = 0;
  long r = pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)(intptr_t)&none, 0, KERNEL_SIGSET_SIZE);
  return r < 0 ? fail(l, PM__STEP_SIGACTION, r, 0) : 0;
}

/* The signal is sent when the *thread* that spawned us ends (prctl(2)): that is
 * the loop's thread, whose end is the end of our manager. A host that died
 * before the prctl is seen by its pid. */
IN_CHILD static long die_with_host(pm__launch_t *l) {
  long r = pm__raw4(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
  if (r < 0) return fail(l, PM__STEP_PRCTL, r, 0);
  if (pm__raw1(SYS_getppid, 0) != l->host) return fail(l, PM__STEP_PRCTL, -ESRCH, 0);
  return 0;
}

typedef struct {
  uint64_t ino;
  int64_t off;
  unsigned short reclen;
  unsigned char type;
  char name[];
} linux_dirent64_t;

/* -1 for "." and "..". */
IN_CHILD static int descriptor_of(const char *name) {
  int n = 0;
  /* The analyzer does not know that getdents64 has written it.
   * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
  if (*name < '0' || *name > '9') return -1;
  for (; *name; name++)
    n = n * 10 + (*name - '0');
  return n;
}

/* Kernels before 5.9 have no close_range: read the list. Closing entries while
 * it is being read is harmless, procfs orders it by number. */
IN_CHILD static long close_listed(void) {
  char buffer[1024] __attribute__((aligned(8)));
  long dir = pm__raw4(SYS_openat, AT_FDCWD, (long)(intptr_t) "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0) return dir;
  long n;
  while ((n = pm__raw3(SYS_getdents64, dir, (long)(intptr_t)buffer, sizeof(buffer))) > 0) {
    for (long at = 0; at < n;) {
      const linux_dirent64_t *entry = (const linux_dirent64_t *)(buffer + at);
      int fd = descriptor_of(entry->name);
      if (fd > 2 && fd != dir) pm__raw1(SYS_close, fd);
      at += entry->reclen;
    }
  }
  pm__raw1(SYS_close, dir);
  return n;
}

IN_CHILD static long close_the_rest(pm__launch_t *l) {
  long r = pm__raw3(SYS_close_range, 3, (long)UINT_MAX, 0);
  if (r == -ENOSYS || r == -EPERM) r = close_listed();
  return r < 0 ? fail(l, PM__STEP_CLOSE, r, 0) : 0;
}

/* As execvp(3) goes through PATH: what is not there is skipped, "permission
 * denied" is remembered, anything else decides; the only candidate decides
 * whatever it is. No shell for ENOEXEC. */
IN_CHILD static long execute(pm__launch_t *l) {
  long result = -ENOENT;
  bool searching = l->candidates[0] && l->candidates[1];
  const char *path = l->candidates[0];
  for (char *const *c = l->candidates; *c; c++) {
    long r = pm__raw3(SYS_execve, (long)(intptr_t)*c, (long)(intptr_t)l->argv, (long)(intptr_t)l->envp);
    bool is_absent = r == -ENOENT || r == -ENOTDIR || r == -ENODEV || r == -ETIMEDOUT || r == -ESTALE;
    if (is_absent && searching) continue;
    if (r == -EACCES && result == -EACCES) continue;
    result = r;
    path = *c;
    if (r != -EACCES) break;
  }
  return fail(l, PM__STEP_EXECVE, result, path);
}

IN_CHILD static long change_directory(pm__launch_t *l) {
  if (!l->working_dir) return 0;
  long r = pm__raw1(SYS_chdir, (long)(intptr_t)l->working_dir);
  return r < 0 ? fail(l, PM__STEP_CHDIR, r, l->working_dir) : 0;
}

IN_CHILD int pm__launch_child(void *launch) {
  pm__launch_t *l = launch;
  long r = own_descriptors(l);
  if (r == 0) r = place_stdio(l);
  if (r == 0) r = pm__raw1(SYS_setsid, 0) < 0 ? fail(l, PM__STEP_SETSID, -EPERM, 0) : 0;
  if (r == 0) r = die_with_host(l);
  if (r == 0) r = change_directory(l);
  if (r == 0) r = close_the_rest(l);
  /* Signals last: until the session is its own, a Ctrl+C in the host's terminal
   * would reach it. */
  if (r == 0) r = reset_signals(l);
  if (r == 0) execute(l);
  pm__raw1(SYS_exit_group, 127);
  __builtin_unreachable();
}

const char *pm__step_name(pm__step_t step) {
  static const char *const names[] = {"close_range", "dup3",  "rt_sigaction", "setsid",
                                      "prctl",       "chdir", "close_range",  "execve"};
  return names[step];
}
