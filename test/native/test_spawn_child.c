/* What a command finds when it starts: descriptors, signals, session; and what the host's state must not change. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pm_fixture.h"
#include "spawn_fixture.h"

static const char only_stdio[] = "0 pipe read\n1 pipe write\n2 pipe write\n";

/* ---- descriptors ----------------------------------------------------------------------- */

static void test_only_its_own_descriptors(void **state) {
  (void)state;
  enum { COUNT = 300 };
  int fds[COUNT];
  stage_t s;
  stage_open(&s);
  for (int i = 0; i < COUNT; i++) {
    fds[i] = open("/dev/null", O_RDWR | (i % 3 == 0 ? O_CLOEXEC : 0));
    assert_true(fds[i] >= 0);
  }
  assert_int_equal(dup2(fds[1], 900), 900);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(stage_run(&s, PM_FIXTURES "/list-descriptors"), 0);
    assert_string_equal(s.output, only_stdio);
  }
  /* The host's own are as they were. */
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(fcntl(fds[i], F_GETFD), i % 3 == 0 ? FD_CLOEXEC : 0);
    close(fds[i]);
  }
  assert_int_equal(fcntl(900, F_GETFD), 0);
  close(900);
  s.spec.stdin_pipe = false;
  assert_int_equal(stage_run(&s, PM_FIXTURES "/list-descriptors"), 0);
  assert_string_equal(s.output, "0 device read\n1 pipe write\n2 pipe write\n");
  assert_int_equal(s.child.in, -1);
  assert_true(stage_close(&s));
}

static void test_the_hosts_ends(void **state) {
  (void)state;
  stage_t s;
  stage_open(&s);
  assert_int_equal(stage_start(&s, PM_FIXTURES "/echo-stdin"), 0);
  const int ends[] = {s.child.in, s.child.out, s.child.err, s.child.pidfd, s.child.socket};
  for (int i = 0; i < 5; i++) {
    bool is_pipe = i < 3;
    bool is_there = is_pipe || (i == 3 ? stage_is_clone(&s) : stage_is_kept(&s));
    assert_int_equal(ends[i] > 2, is_there);
    if (is_there) assert_int_equal(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
    if (is_pipe) assert_true(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
  }
  assert_int_equal(pm__child_signal(&s.child, SIGKILL, false), 0);
  stage_finish(&s);
  assert_int_equal(s.child.exit.signum, SIGKILL);
  assert_true(stage_close(&s));
}

static const char *without_stdio(void *arg) {
  int mask = *(int *)arg;
  stage_t s;
  /* First, since libuv aborts when descriptors of its own are that low. */
  stage_open(&s);
  if (stage_run(&s, PM_FIXTURES "/exit-with", "0") != 0) return "the first spawn fails";
  stage_release(&s);
  for (int fd = 0; fd < 3; fd++)
    if (mask & 1 << fd) close(fd);
  for (int i = 0; i < 2; i++) {
    if (stage_run(&s, PM_FIXTURES "/list-descriptors") != 0) return "it could not be started";
    if (strcmp(s.output, only_stdio) != 0) return s.output[0] ? "other descriptors" : "no output";
  }
  if (stage_run(&s, PM_FIXTURES "/exit-with", "9") != 0 || s.child.exit.code != 9) return "exit code";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static void test_host_without_stdio(void **state) {
  (void)state;
  for (int mask = 1; mask < 8; mask++)
    in_forked_process(without_stdio, &mask);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void do_nothing(int signum) {
  (void)signum;
}

static const char *with_odd_signals(void *arg) {
  stage_t s;
  sigset_t mask;
  (void)arg;
  stage_open(&s);
  bool is_clone = stage_is_clone(&s);
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  raise(SIGUSR1); /* stays pending here */
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, do_nothing);
  /* libuv resets ordinary signals only. */
  if (is_clone) signal(SIGRTMIN + 4, SIG_IGN);
  if (stage_run(&s, PM_FIXTURES "/show-signals") != 0) return "it could not be started";
  for (const char *name = "SigPnd\0SigBlk\0SigIgn\0SigCgt\0"; *name; name += strlen(name) + 1) {
    const char *line = strstr(s.output, name);
    unsigned long long set = line ? strtoull(line + strlen("SigPnd:"), NULL, 16) : ~0ULL;
    if (!is_clone) set &= 0x7fffffff;
    if (set != 0) return name;
  }
  /* The host keeps what it had. */
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  if (sigismember(&now, SIGUSR1) != 1 || sigismember(&now, SIGINT) != 0) return "the host's mask";
  struct sigaction action;
  sigaction(SIGUSR2, NULL, &action);
  if (action.sa_handler != do_nothing) return "the host's handler";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static void test_signals_are_as_new(void **state) {
  (void)state;
  in_forked_process(with_odd_signals, NULL);
}

/* ---- session and the rest -------------------------------------------------------------------- */

static void test_session_arguments_environment(void **state) {
  (void)state;
  char expected[512];
  static char one[] = "A=1";
  static char two[] = "B=";
  char *const env[] = {one, two, NULL};
  stage_t s;
  stage_open(&s);
  s.spec.envp = env;
  s.spec.working_dir = "/usr";
  assert_int_equal(stage_run(&s, PM_FIXTURES "/show-start", "", "a b", "-x"), 0);
  int pid = s.child.pid;
  /* Its group is its own in any case: a keeper is in no `kill 0` of a script. */
  bool is_kept = stage_is_kept(&s);
  assert_int_equal(s.child.keeper != 0, is_kept);
  int parent = is_kept ? s.child.keeper : (int)getpid();
  int session = is_kept ? s.child.keeper : pid;
  snprintf(expected, sizeof(expected), "pid %d\nppid %d\npgrp %d\nsession %d\n", pid, parent, pid, session);
  assert_memory_equal(s.output, expected, strlen(expected));
  assert_non_null(
      strstr(s.output, "\ncwd /usr\narg " PM_FIXTURES "/show-start\narg \narg a b\narg -x\nenv A=1\nenv B=\n"));
  assert_string_equal(strstr(s.output, "env B="), "env B=\n");
  assert_true(stage_close(&s));
}

/* ---- the host and the end --------------------------------------------------------------------- */

/* The exit is noticed although the kernel reaps by itself. How it was a keeper
 * has told, and libuv puts a handler of its own in place; else nobody knows. */
static const char *with_ignored_sigchld(void *arg) {
  stage_t s;
  (void)arg;
  signal(SIGCHLD, SIG_IGN);
  stage_open(&s);
  if (stage_run(&s, PM_FIXTURES "/exit-with", "5") != 0) return "it could not be started";
  int code = stage_is_clone(&s) && !stage_is_kept(&s) ? -1 : 5;
  if (s.child.exit.code != code || s.child.exit.signum != 0) return "another exit";
  if (!pm__child_gone(&s.child)) return "not gone";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static void test_ignored_sigchld(void **state) {
  (void)state;
  in_forked_process(with_ignored_sigchld, NULL);
}

static void test_reaped_by_somebody_else(void **state) {
  (void)state;
  stage_t s;
  stage_open(&s);
  if (!stage_is_clone(&s)) {
    print_message("left out: libuv learns of an end by reaping only\n");
    assert_true(stage_close(&s));
    skip();
  }
  assert_int_equal(stage_start(&s, PM_FIXTURES "/exit-with", "5"), 0);
  int status;
  assert_int_equal(waitpid(-1, &status, 0), stage_is_kept(&s) ? s.child.keeper : s.child.pid);
  stage_finish(&s);
  assert_true(s.ended);
  assert_false(s.child.lost);
  assert_int_equal(s.child.exit.code, stage_is_kept(&s) ? 5 : -1);
  assert_int_equal(s.child.exit.signum, 0);
  assert_true(pm__child_gone(&s.child));
  assert_int_equal(pm__child_signal(&s.child, SIGTERM, false), UV_ESRCH);
  assert_int_equal(pm__child_signal(&s.child, SIGTERM, true), UV_ESRCH);
  assert_true(stage_close(&s));
}

/* The command, which ignores SIGTERM, is killed by the kernel with its parent; or by
 * its keeper, which then ends in order. */
static void assert_ends_without_host(pid_t command, pid_t keeper) {
  int status;
  pid_t left = keeper ? keeper : command;
  assert_int_equal(waitpid(left, &status, 0), left);
  assert_false(is_running(command));
  if (keeper) {
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
  } else {
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
  }
}

/* The test becomes the parent of what its host leaves behind, and so sees its end. */
static void test_host_is_killed(void **state) {
  (void)state;
  stage_t s;
  stage_open(&s);
  bool is_clone = stage_is_clone(&s);
  assert_true(stage_close(&s));
  if (!is_clone) {
    print_message("left out: the portable backend has no parent-death signal\n");
    skip();
  }
  int report[2];
  int status;
  pid_t pids[2] = {0};
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  assert_int_equal(pipe2(report, O_CLOEXEC), 0);
  fflush(NULL);
  pid_t host = fork();
  if (host == 0) {
    stage_open(&s);
    if (stage_start(&s, PM_FIXTURES "/ignore-term") != 0) _exit(1);
    const pid_t started[] = {s.child.pid, s.child.keeper};
    struct pollfd ready = {.fd = s.child.out, .events = POLLIN};
    if (poll(&ready, 1, -1) != 1 || write(report[1], started, sizeof(started)) < 0) _exit(2);
    alarm(50);
    for (;;)
      pause();
  }
  close(report[1]);
  assert_int_equal(read(report[0], pids, sizeof(pids)), sizeof(pids));
  close(report[0]);
  assert_true(is_running(pids[0]));
  kill(host, SIGKILL);
  assert_int_equal(waitpid(host, &status, 0), host);
  assert_ends_without_host(pids[0], pids[1]);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  assert_no_child();
}

static void test_which_backend(void **state) {
  (void)state;
  const char *wanted = getenv("MCP_PROCESS_MANAGER_SPAWN");
  stage_t s;
  stage_open(&s);
  if (wanted && strcmp(wanted, "portable") == 0) assert_string_equal(pm__spawner_backend(&s.spawner), "uv_spawn");
  print_message("the backend tested: %s, %s\n", pm__spawner_backend(&s.spawner),
                stage_is_kept(&s) ? "with a keeper" : "without a keeper");
  assert_true(stage_close(&s));
}

int main(void) {
  if (is_light("all of it: valgrind executes and limits descriptors in its own way")) return 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_which_backend),      cmocka_unit_test(test_only_its_own_descriptors),
      cmocka_unit_test(test_the_hosts_ends),     cmocka_unit_test(test_host_without_stdio),
      cmocka_unit_test(test_signals_are_as_new), cmocka_unit_test(test_session_arguments_environment),
      cmocka_unit_test(test_ignored_sigchld),    cmocka_unit_test(test_reaped_by_somebody_else),
      cmocka_unit_test(test_host_is_killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
