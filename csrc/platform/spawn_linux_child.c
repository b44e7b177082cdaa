#define _GNU_SOURCE
#include "spawn_linux_child.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "raw_directory.h"
#include "raw_syscall.h"

enum { KERNEL_SIGNALS = 64 };

PM__RAW long pm__launch_fail(pm__launch_t *l, pm__step_t step, long error, const char *path) {
  l->step = step;
  l->path = path;
  l->error = (int)error;
  return error;
}

/* Until this has run nothing may be closed or replaced: the table is the
 * host's. Unsharing with close_range copies no descriptor above `keep`, which
 * is what keeps a spawn cheap in a host with thousands of them. */
PM__RAW long pm__launch_own_descriptors(pm__launch_t *l) {
  if (!l->shared_files) return 0;
  long r = pm__raw3(SYS_close_range, (long)l->keep + 1, (long)UINT_MAX, CLOSE_RANGE_UNSHARE);
  return r < 0 ? pm__launch_fail(l, PM__STEP_UNSHARE, r, 0) : 0;
}

/* The ends may lie on 0 to 2 themselves in a host that closed its own stdio:
 * they are moved up first, so that no dup overwrites one still needed. */
PM__RAW static long place_stdio(pm__launch_t *l) {
  int end[3];
  for (int i = 0; i < 3; i++) {
    end[i] = l->ends[i];
    if (end[i] > 2) continue;
    long r = pm__raw3(SYS_fcntl, end[i], F_DUPFD_CLOEXEC, 3);
    if (r < 0) return pm__launch_fail(l, PM__STEP_DUP2, r, 0);
    end[i] = (int)r;
  }
  for (int i = 0; i < 3; i++) {
    long r = pm__raw3(SYS_dup3, end[i], i, 0);
    if (r < 0) return pm__launch_fail(l, PM__STEP_DUP2, r, 0);
  }
  return 0;
}

/* Ignored signals would survive the exec, SIGCHLD and SIGPIPE among them. */
PM__RAW long pm__launch_default_signals(pm__launch_t *l) {
  for (int n = 1; n <= KERNEL_SIGNALS; n++) {
    if (n == SIGKILL || n == SIGSTOP) continue;
    long r = pm__raw_default_action(n);
    if (r < 0) return pm__launch_fail(l, PM__STEP_SIGACTION, r, 0);
  }
  return 0;
}

/* After the handlers have gone: a signal that waits must not run the host's
 * handler here. */
PM__RAW static long unblock_signals(pm__launch_t *l) {
  uint64_t none = 0;
  long r = pm__raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)(intptr_t)&none, 0, PM__RAW_SIGSET_SIZE);
  return r < 0 ? pm__launch_fail(l, PM__STEP_SIGACTION, r, 0) : 0;
}

/* The signal is sent when the *thread* that cloned us ends (prctl(2)): a keeper
 * has one; the host's is the loop's thread, whose end is the end of our manager. A
 * parent that died before the prctl is seen by its pid. */
PM__RAW static long die_with_parent(pm__launch_t *l) {
  if (l->outlives_parent) return 0;
  long r = pm__raw4(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
  if (r < 0) return pm__launch_fail(l, PM__STEP_PRCTL, r, 0);
  if (pm__raw1(SYS_getppid, 0) != l->parent) return pm__launch_fail(l, PM__STEP_PRCTL, -ESRCH, 0);
  return 0;
}

typedef struct bounds {
  long first, except;
} bounds_t;

PM__RAW static void close_entry(void *arg, long directory, const char *name) {
  const bounds_t *b = arg;
  const char *end;
  long fd = pm__raw_number(name, &end);
  if (end != name && fd >= b->first && fd != b->except && fd != directory) pm__raw1(SYS_close, fd);
}

/* Kernels before 5.9 have no close_range: read the list. Closing entries while
 * it is being read is harmless, procfs orders it by number. */
PM__RAW static long close_listed(int first, int except) {
  bounds_t b = {first, except};
  long dir = pm__raw4(SYS_openat, AT_FDCWD, PM__RAW_POINTER("/proc/self/fd"), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0) return dir;
  long r = pm__raw_each_entry(dir, close_entry, &b);
  pm__raw1(SYS_close, dir);
  return r;
}

PM__RAW long pm__launch_close(pm__launch_t *l, int first, int except) {
  long r = 0;
  if (except > first) r = pm__raw3(SYS_close_range, first, except - 1, 0);
  if (r == 0) r = pm__raw3(SYS_close_range, except >= first ? except + 1 : first, (long)UINT_MAX, 0);
  if (r == -ENOSYS || r == -EPERM) r = close_listed(first, except);
  return r < 0 ? pm__launch_fail(l, PM__STEP_CLOSE, r, 0) : 0;
}

/* As execvp(3) goes through PATH: what is not there is skipped, "permission
 * denied" is remembered, anything else decides; the only candidate decides
 * whatever it is. No shell for ENOEXEC. */
PM__RAW static long execute(pm__launch_t *l) {
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
  return pm__launch_fail(l, PM__STEP_EXECVE, result, path);
}

PM__RAW static long change_directory(pm__launch_t *l) {
  if (!l->working_dir) return 0;
  long r = pm__raw1(SYS_chdir, (long)(intptr_t)l->working_dir);
  return r < 0 ? pm__launch_fail(l, PM__STEP_CHDIR, r, l->working_dir) : 0;
}

/* Under a keeper the session is the keeper's, and the group is the command's own:
 * `kill 0` in a script must not reach the keeper. */
PM__RAW static long own_group(pm__launch_t *l) {
  if (l->keepers == 0) return pm__raw1(SYS_setsid, 0) < 0 ? pm__launch_fail(l, PM__STEP_SETSID, -EPERM, 0) : 0;
  long r = pm__raw2(SYS_setpgid, 0, 0);
  return r < 0 ? pm__launch_fail(l, PM__STEP_SETPGID, r, 0) : 0;
}

PM__RAW static long set_limits(pm__launch_t *l) {
  for (int i = 0; i < l->limit_count; i++) {
    const pm__rlimit_t *limit = &l->limits[i];
    long r = pm__raw4(SYS_prlimit64, 0, limit->resource, PM__RAW_POINTER(limit->soft_hard), 0);
    if (r < 0) return pm__launch_fail(l, PM__STEP_LIMIT, r, limit->name);
  }
  if (l->nice == 0) return 0;
  /* The bare system call answers 40 to 1 for -20 to 19 (getpriority(2)), and takes
   * what is beyond for the nearest. */
  long now = 20 - pm__raw2(SYS_getpriority, PRIO_PROCESS, 0);
  long r = pm__raw3(SYS_setpriority, PRIO_PROCESS, 0, now + l->nice);
  return r < 0 ? pm__launch_fail(l, PM__STEP_NICE, r, l->nice_name) : 0;
}

PM__RAW int pm__launch_command(void *launch) {
  pm__launch_t *l = launch;
  long r = l->keepers == 0 ? pm__launch_own_descriptors(l) : 0;
  if (r == 0) r = place_stdio(l);
  if (r == 0) r = own_group(l);
  if (r == 0) r = die_with_parent(l);
  pm__launch_fault(PM__FAULT_IN_COMMAND);
  if (r == 0) r = change_directory(l);
  if (r == 0) r = pm__launch_close(l, 3, -1);
  if (r == 0) r = set_limits(l);
  /* Signals last: until the session is its own, a Ctrl+C in the host's terminal
   * would reach it. A keeper has given up the handlers already. */
  if (r == 0 && l->keepers == 0) r = pm__launch_default_signals(l);
  if (r == 0) r = unblock_signals(l);
  if (r == 0) execute(l);
  pm__raw1(SYS_exit_group, 127);
  __builtin_unreachable();
}

const char *pm__step_name(pm__step_t step) {
  static const char *const names[] = {"close_range", "dup3",      "rt_sigaction", "setsid", "setpgid", "prctl", "chdir",
                                      "close_range", "setrlimit", "setpriority",  "execve", "clone",   "keeper"};
  return names[step];
}

#ifdef PM_TEST_FAULTS
pm__fault_point_t pm__launch_fault_at;
pid_t pm__launch_fault_pid;
int pm__launch_fault_signum;
int pm__launch_fault_skip;

PM__RAW void pm__launch_fault(pm__fault_point_t at) {
  if (at != pm__launch_fault_at || pm__launch_fault_skip-- > 0) return;
  pm__launch_fault_at = PM__FAULT_NONE;
  pm__raw2(SYS_kill, pm__launch_fault_pid ? pm__launch_fault_pid : pm__raw1(SYS_getpid, 0),
           pm__launch_fault_signum ? pm__launch_fault_signum : SIGKILL);
}
#endif
