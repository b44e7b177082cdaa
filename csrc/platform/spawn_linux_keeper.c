/*
 * The child that becomes a keeper. First it is the parent of what it keeps: it
 * clones the command (or the inner keeper), which is to have executed its program
 * before this one executes the keeper's. So both errors, and all pids, are in the
 * launch when the host's clone returns.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../keeper/protocol.h"
#include "raw_syscall.h"
#include "spawn_linux_child.h"
#include "tree.h"

/* ms between looks if nothing happens. */
enum { LONGEST_WAIT = 16 };

PM__RAW static void reap(pid_t pid) {
  while (pm__raw4(SYS_wait4, pid, 0, __WALL, 0) == -EINTR) {
  }
}

PM__RAW static long now_ms(void) {
  struct timespec t = {0};
  pm__raw2(SYS_clock_gettime, CLOCK_MONOTONIC, PM__RAW_POINTER(&t));
  return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A blocked signal is not ignored, whatever its disposition. */
PM__RAW static void await_a_death(void) {
  const uint64_t set = UINT64_C(1) << (SIGCHLD - 1);
  const struct timespec t = {.tv_nsec = LONGEST_WAIT * 1000000L};
  pm__raw4(SYS_rt_sigtimedwait, PM__RAW_POINTER(&set), 0, PM__RAW_POINTER(&t), sizeof(set));
}

/* The keeper cannot be had although what it is to keep runs already: all of that
 * is ended, so that the host may say that nothing was started. Should /proc have
 * gone, at least the child that is known by its pid. The host stands still meanwhile,
 * so what cannot be killed (a setuid program, which has left its memory) is left. */
PM__RAW static void end_all(pid_t child) {
  long end = now_ms() + PM__END_PATIENCE;
  for (;;) {
    long pid;
    long listed = pm__tree_kill_children(NULL);
    if (listed < 0) pm__raw2(SYS_kill, child, SIGKILL);
    do {
      pid = pm__raw4(SYS_wait4, listed < 0 ? child : -1, 0, __WALL | WNOHANG, 0);
    } while (pid > 0);
    if (pid < 0 || now_ms() >= end) return;
    await_a_death();
  }
}

PM__RAW static void write_arguments(pm__launch_t *l, int level, char **argv) {
  bool innermost = level == l->keepers - 1;
  /* A guard speaks to the inner keeper, and by a signal that means the end to that. */
  const unsigned long numbers[] = {
      (unsigned long)l->parent, (unsigned long)(innermost ? l->command : l->keeper[level + 1]), l->grace,
      (unsigned long)(innermost ? l->stop_signal : SIGTERM),
      (unsigned long)(innermost ? l->flags : l->flags | PM__KEEPER_GUARD | PM__KEEPER_TO_COMMAND)};
  for (int i = 0; i < 5; i++) {
    pm__raw_put_number(l->text[level][i], numbers[i]);
    *argv++ = l->text[level][i];
  }
  *argv = 0;
}

/* Descriptor 0 is the socket, for an outer keeper nothing; the program's goes by
 * close-on-exec. */
PM__RAW static long keep_descriptors(pm__launch_t *l, int level) {
  int first = 0;
  if (level == l->keepers - 1) {
    long r = pm__raw3(SYS_dup3, l->socket, PM__KEEPER_SOCKET, 0);
    if (r < 0) return pm__launch_fail(l, PM__STEP_DUP2, r, 0);
    first = PM__KEEPER_SOCKET + 1;
  }
  return pm__launch_close(l, first, l->program);
}

PM__RAW static void become_keeper(pm__launch_t *l, int level, pid_t parent) {
  char name[] = PM__KEEPER_NAME;
  char *argv[7] = {name};
  char *const envp[] = {0};
  l->parent = parent;
  write_arguments(l, level, argv + 1);
  if (keep_descriptors(l, level) != 0) return;
  long r = pm__raw1(SYS_chdir, PM__RAW_POINTER("/"));
  l->kept[level] = true;
  if (r == 0)
    r = pm__raw5(SYS_execveat, l->program, PM__RAW_POINTER(""), PM__RAW_POINTER(argv), PM__RAW_POINTER(envp),
                 AT_EMPTY_PATH);
  pm__launch_fail(l, PM__STEP_KEEPER, r, 0);
}

/* The outermost leads the session, which all that it keeps is born into. */
PM__RAW static long be_parent(pm__launch_t *l, int level) {
  long r = level == 0 ? pm__raw1(SYS_setsid, 0) : pm__raw2(SYS_setpgid, 0, 0);
  if (r < 0) return pm__launch_fail(l, level == 0 ? PM__STEP_SETSID : PM__STEP_SETPGID, r, 0);
  if (level == 0) pm__launch_fault(PM__FAULT_IN_SESSION);
  r = pm__raw4(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
  if (r < 0) return pm__launch_fail(l, PM__STEP_PRCTL, r, 0);
  if (pm__raw1(SYS_getppid, 0) != l->parent) return pm__launch_fail(l, PM__STEP_PRCTL, -ESRCH, 0);
  return 0;
}

/* All signals stay blocked, through the exec too. clone is glibc's, which is a
 * bare system call but for errno, and that the host has put aside. */
PM__RAW static void keep(pm__launch_t *l, int level) {
  pid_t parent = l->parent;
  if (be_parent(l, level) != 0) return;
  bool innermost = level == l->keepers - 1;
  pid_t *kept = innermost ? &l->command : &l->keeper[level + 1];
  l->parent = (pid_t)pm__raw1(SYS_getpid, 0);
  int pid = clone(innermost ? pm__launch_command : pm__launch_keeper, l->stack[level],
                  CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, l, kept);
  if (pid < 0) {
    pm__launch_fail(l, PM__STEP_CLONE, -errno, 0);
    return;
  }
  if (l->error != 0) {
    reap(pid);
    return;
  }
  if (!innermost && !l->kept[level + 1]) {
    /* Somebody killed it; the command may run in our memory yet, and is ours now. */
    pm__launch_fail(l, PM__STEP_KEEPER, -ESRCH, 0);
    end_all(pid);
    return;
  }
  pm__launch_fault(PM__FAULT_BETWEEN_EXECS);
  become_keeper(l, level, parent);
  end_all(pid);
}

PM__RAW int pm__launch_keeper(void *launch) {
  pm__launch_t *l = launch;
  /* The host's own child is the outer one. */
  int level = l->keeper[0] == 0 ? 0 : 1;
  long r = 0;
  if (level == 0) {
    pm__launch_fault(PM__FAULT_CLONED);
    l->keeper[0] = (pid_t)pm__raw1(SYS_getpid, 0);
    r = pm__launch_own_descriptors(l);
    if (r == 0) r = pm__launch_default_signals(l);
  }
  if (r == 0) keep(l, level);
  pm__raw1(SYS_exit_group, 127);
  __builtin_unreachable();
}
