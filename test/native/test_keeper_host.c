/* Hosts that end in every way, or that are in an odd state: nothing of what they started is left. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/launch/keeper.h"
#include "core/table.h"
#include "keeper_fixture.h"
#include "platform/spawn_linux_child.h"
#include "platform/tree.h"
#include "pm_fixture.h"

/* Of a tree whose host has gone, in ms; and what a busy machine may need beyond. */
enum { GRACE = 300, BOUND = 20000 };

static void open_host(host_t *h, pm_containment_t containment) {
  host_init(h);
  h->options.value[PM_OPT_CONTAINMENT] = containment;
  h->options.value[PM_OPT_HOST_EXIT_TIMEOUT] = GRACE;
  host_open(h);
}

static const pm_containment_t kept[] = {PM_CONTAINMENT_TREE, PM_CONTAINMENT_NESTED};

/* ---- how a host ends ------------------------------------------------------------------- */

typedef enum { BY_KILL, BY_TERM, BY_EXIT, BY_ABORT, BY_CLOSING_ITS_SOCKETS, END_COUNT } host_end_t;

static void end_host(host_end_t how) {
  if (how == BY_TERM) {
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
  }
  if (how == BY_EXIT) _exit(0);
  if (how == BY_ABORT) {
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
  }
  if (how == BY_CLOSING_ITS_SOCKETS) {
    close_range(3, ~0u, 0);
    _exit(0);
  }
  raise(SIGKILL);
}

static const int status_of_end[END_COUNT] = {SIGKILL, SIGTERM, 0, SIGABRT, 0};

/* Arguments: containment, how it ends. */
static void be_host_that_ends(void **state) {
  (void)state;
  host_t h;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "plain", "say-ready");
  host_spawn(&h, "deaf", "ignore-term");
  host_spawn(&h, "many", "fork-levels", "3", "3");
  host_spawn(&h, "daemon", "leave-daemon", "stubborn");
  host_spawn(&h, "left", "leave-daemon", "polite", "0");
  host_wait_output(&h, "plain", "ready\n");
  host_wait_output(&h, "deaf", "ready\n");
  host_wait_output(&h, "many", "ready\n");
  host_grandchild(&h, "daemon");
  host_grandchild(&h, "left");
  end_host((host_end_t)body_argument(1));
}

static void test_host_ends(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    for (host_end_t how = 0; how < END_COUNT; how++) {
      in_host(status_of_end[how], "ends", kept[i], how);
      assert_all_end(GRACE + BOUND);
    }
  }
}

/* The other way round: without containment all of that lives on. */
static void test_host_ends_without_containment(void **state) {
  (void)state;
  in_host(SIGKILL, "ends", PM_CONTAINMENT_NONE, BY_KILL);
  /* say-ready, ignore-term, 40 of fork-levels, leave-daemon and both daemons. */
  wait_until_left(45);
  end_all_strays();
  assert_all_end(BOUND);
}

/* A keeper is killed, and the host goes before it has heard of it: what was left in the
 * session ignores SIGTERM and would live on. */
static void be_host_that_exits_without_a_keeper(void **state) {
  (void)state;
  host_t h;
  open_host(&h, PM_CONTAINMENT_TREE);
  host_spawn(&h, "a", "spawn-grandchild", "ignore-term");
  host_spawn(&h, "b", "say-ready");
  int grandchild = host_grandchild(&h, "a");
  host_wait_output(&h, "b", "ready\n");
  int keeper = pm__table_find(h.m, str("a"))->run->child.keeper;
  assert_int_equal(kill(keeper, SIGKILL), 0);
  wait_until_ended(keeper);
  pm_manager_kill_all(h.m);
  assert_false(is_running(grandchild));
  /* The other's keeper sees to that. */
  assert_true(is_running(host_status(&h, "b").pid));
  _exit(0);
}

static void test_host_exits_without_a_keeper(void **state) {
  (void)state;
  in_host(0, "exits-without-a-keeper", 0);
  assert_all_end(GRACE + BOUND);
}

/* ---- killed while it starts something ------------------------------------------------------ */

/* Arguments: containment, fault. */
static void be_host_killed_in_a_spawn(void **state) {
  (void)state;
  host_t h;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "before", "leave-daemon", "polite");
  host_grandchild(&h, "before");
  pm__launch_fault_at = (pm__fault_point_t)body_argument(1);
  pm__launch_fault_skip = body_argument(2);
  pm__launch_fault_pid = getpid();
  host_spawn(&h, "a", "leave-daemon", "stubborn");
}

static void test_host_killed_in_a_spawn(void **state) {
  (void)state;
  for (pm__fault_point_t at = PM__FAULT_CLONED; at <= PM__FAULT_IN_COMMAND; at++) {
    for (size_t i = 0; i < 2; i++) {
      in_host(SIGKILL, "killed-in-a-spawn", kept[i], at, 0);
      assert_all_end(GRACE + BOUND);
    }
  }
  in_host(SIGKILL, "killed-in-a-spawn", PM_CONTAINMENT_NESTED, PM__FAULT_BETWEEN_EXECS, 1);
  assert_all_end(GRACE + BOUND);
}

/* ---- hosts that are not alone ---------------------------------------------------------------- */

/* It holds copies of all sockets, and does nothing. */
static void be_host_with_a_copy(void **state) {
  (void)state;
  host_t h;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "leave-daemon", "stubborn");
  host_grandchild(&h, "a");
  if (fork() == 0) {
    alarm(100);
    for (;;)
      pause();
  }
  raise(SIGKILL);
}

static void test_host_with_a_copy(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(SIGKILL, "copy", kept[i]);
    wait_until_left(1);
    end_all_strays();
    assert_all_end(BOUND);
  }
}

static void *open_and_close(void *arg) {
  (void)arg;
  for (;;) {
    int fds[2];
    if (pipe(fds) != 0) continue;
    close(fds[0]);
    close(fds[1]);
  }
  return NULL;
}

/* Its threads open descriptors while it starts and ends things; then it is killed. */
static void be_host_with_threads(void **state) {
  (void)state;
  enum { THREADS = 6, CYCLES = 20 };
  host_t h;
  pthread_t thread;
  open_host(&h, (pm_containment_t)body_argument(0));
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, NULL), 0);
  for (int i = 0; i < CYCLES; i++) {
    host_spawn(&h, "a", "exit-with", "5");
    assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, (size_t)i + 1)->code, 5);
    while (host_status(&h, "a").state[0] != 'e')
      host_pass_time(&h, 1);
  }
  host_spawn(&h, "b", "leave-daemon", "stubborn");
  host_grandchild(&h, "b");
  raise(SIGKILL);
}

static void test_host_with_threads(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(SIGKILL, "threads", kept[i]);
    assert_all_end(GRACE + BOUND);
  }
}

/* ---- odd hosts -------------------------------------------------------------------------------------- */

/* As after `trap '' CHLD` in a shell: the kernel reaps its children. */
static void be_host_that_ignores_sigchld(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  signal(SIGCHLD, SIG_IGN);
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "exit-with", "7");
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 7);
  host_spawn(&h, "b", "die-by", "9");
  assert_string_equal(host_wait(&h, "b", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  host_spawn(&h, "c", "leave-daemon", "stubborn", "4");
  assert_int_equal(host_wait(&h, "c", PM_EVENT_EXIT, 1)->code, 4);
  int daemon = host_grandchild(&h, "c");
  host_spawn(&h, "d", "say-ready");
  host_wait_output(&h, "d", "ready\n");
  host_stop(&h, "d", 60000, &a);
  assert_true(host_answer(&h, &a));
  host_stop(&h, "c", 0, &a);
  assert_true(host_answer(&h, &a));
  assert_false(is_running(daemon));
  assert_int_equal(host_count(&h, NULL, PM_EVENT_ERROR), 0);
  host_wait_idle(&h);
  host_close(&h);
}

static void test_host_that_ignores_sigchld(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(0, "ignores-sigchld", kept[i]);
    assert_no_child();
  }
}

/* Argument: what keepers need and cannot have. */
static void be_host_without_keeper(void **state) {
  (void)state;
  host_t h;
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  refuse_need((pm__keeper_need_t)body_argument(0));
  assert_int_equal(pm_keeper_open(PM_KEEPER, &keeper, &error), UV_ENOTSUP);
  host_init(&h);
  h.keeperless = &error;
  host_open(&h);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_WARNING), 0);
  host_spawn(&h, "a", "spawn-grandchild", "stay");
  host_spawn(&h, "b", "exit-with", "3");
  int grandchild = host_grandchild(&h, "a");
  assert_string_equal(host_status(&h, "a").containment, "group");
  assert_int_equal(host_wait(&h, "b", PM_EVENT_EXIT, 1)->code, 3);
  host_end(&h, "a");
  assert_false(is_running(grandchild));
  assert_int_equal(host_count(&h, NULL, PM_EVENT_WARNING), 1);
  const seen_t *warning = host_find(&h, NULL, PM_EVENT_WARNING, 1);
  assert_string_equal(warning->id, "");
  assert_true(warning->has_error);
  assert_string_equal(warning->error.code, "ERR_KEEPER_UNAVAILABLE");
  assert_string_equal(warning->error.message, error.message);
  host_close(&h);
}

static void test_host_without_keeper(void **state) {
  (void)state;
  in_host(0, "without-keeper", PM__KEEPER_NEEDS_SUBREAPER);
  in_host(0, "without-keeper", PM__KEEPER_NEEDS_SIGNALFD);
  in_host(0, "without-keeper", PM__KEEPER_NEEDS_PIDFD);
  assert_all_end(BOUND);
}

/* What was short for a moment is no reason to do without for ever. */
static void be_host_in_need(void **state) {
  (void)state;
  host_t h;
  pm_error_t error;
  struct rlimit before;
  host_init(&h);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  const struct rlimit none = {0, before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  assert_int_equal(pm_keeper_open(PM_KEEPER, &h.keeper, &error), 0);
  assert_int_equal(pm__keeper_ready(h.keeper, &error), UV_EMFILE);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  host_open(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  assert_string_equal(host_status(&h, "a").containment, "tree");
  assert_int_equal(host_count(&h, NULL, PM_EVENT_WARNING), 0);
  host_end(&h, "a");
  host_close(&h);
}

/* It lasts: the keeper's own look finds it out. */
static void be_host_in_lasting_need(void **state) {
  (void)state;
  host_t h;
  pm_error_t error;
  host_init(&h);
  refuse_need(PM__KEEPER_NEEDS_ROOM);
  assert_int_equal(pm_keeper_open(PM_KEEPER, &h.keeper, &error), 0);
  host_open(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  assert_string_equal(host_status(&h, "a").containment, "group");
  const seen_t *warning = host_find(&h, NULL, PM_EVENT_WARNING, 1);
  assert_non_null(warning);
  assert_string_equal(warning->error.code, "ERR_KEEPER_UNAVAILABLE");
  assert_int_equal(warning->error.err, UV_ENFILE);
  host_end(&h, "a");
  host_close(&h);
}

static void test_host_in_need(void **state) {
  (void)state;
  in_host(0, "in-need", 0);
  in_host(0, "in-lasting-need", 0);
  assert_all_end(BOUND);
}

/* Argument: the error that pidfds are refused with once the keeper is open. What passes,
 * as a full table of descriptors, decides nothing; what does not is told. */
static void be_host_without_pidfd(void **state) {
  (void)state;
  host_t h;
  bool passes = body_argument(0) == EMFILE;
  host_init(&h);
  h.keeper = open_keeper();
  refuse_call(SYS_pidfd_open, -1, 0, body_argument(0));
  host_open(&h);
  assert_string_equal(pm_manager_backend(h.m), passes ? "clone" : "uv_spawn");
  host_spawn(&h, "a", "say-ready");
  host_spawn(&h, "b", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  host_wait_output(&h, "b", "ready\n");
  assert_string_equal(host_status(&h, "a").containment, passes ? "tree" : "group");
  assert_int_equal(host_count(&h, NULL, PM_EVENT_WARNING), passes ? 0 : 1);
  if (!passes) {
    const seen_t *warning = host_find(&h, NULL, PM_EVENT_WARNING, 1);
    assert_string_equal(warning->error.code, "ERR_KEEPER_UNAVAILABLE");
    assert_string_equal(warning->error.syscall, "pidfd_open");
  }
  host_end(&h, "a");
  host_end(&h, "b");
  host_close(&h);
}

static void test_host_without_pidfd(void **state) {
  (void)state;
  in_host(0, "without-pidfd", EMFILE);
  in_host(0, "without-pidfd", EPERM);
  assert_all_end(BOUND);
}

/* Argument: the error of close_range that unshares. */
static void be_host_without_close_range(void **state) {
  (void)state;
  host_t h;
  open_host(&h, PM_CONTAINMENT_TREE);
  refuse_call(SYS_close_range, 2, CLOSE_RANGE_UNSHARE, body_argument(0));
  host_spawn(&h, "a", "exit-with", "3");
  if (body_argument(0) == ENOMEM) {
    const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
    assert_string_equal(error->error.syscall, "close_range");
    assert_string_equal(error->error.code, "ENOMEM");
  } else {
    assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 3);
  }
  assert_true(h.m->spawner.no_close_range == (body_argument(0) != ENOMEM));
  host_wait_idle(&h);
  host_close(&h);
}

static void test_host_without_close_range(void **state) {
  (void)state;
  in_host(0, "without-close-range", ENOMEM);
  in_host(0, "without-close-range", EPERM);
  in_host(0, "without-close-range", ENOSYS);
  assert_all_end(BOUND);
}

/* ---- the program --------------------------------------------------------------------------------------- */

static int open_group(void **state) {
  (void)state;
  be_subreaper();
  return 0;
}

int main(int argc, char **argv) {
  static const body_t bodies[] = {{"ends", be_host_that_ends},
                                  {"exits-without-a-keeper", be_host_that_exits_without_a_keeper},
                                  {"killed-in-a-spawn", be_host_killed_in_a_spawn},
                                  {"copy", be_host_with_a_copy},
                                  {"threads", be_host_with_threads},
                                  {"ignores-sigchld", be_host_that_ignores_sigchld},
                                  {"without-keeper", be_host_without_keeper},
                                  {"in-need", be_host_in_need},
                                  {"in-lasting-need", be_host_in_lasting_need},
                                  {"without-pidfd", be_host_without_pidfd},
                                  {"without-close-range", be_host_without_close_range}};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_host_ends),
      cmocka_unit_test(test_host_ends_without_containment),
      cmocka_unit_test(test_host_exits_without_a_keeper),
      cmocka_unit_test(test_host_killed_in_a_spawn),
      cmocka_unit_test(test_host_with_a_copy),
      cmocka_unit_test(test_host_with_threads),
      cmocka_unit_test(test_host_that_ignores_sigchld),
      cmocka_unit_test(test_host_without_keeper),
      cmocka_unit_test(test_host_in_need),
      cmocka_unit_test(test_host_without_pidfd),
      cmocka_unit_test(test_host_without_close_range),
  };
  if (argc > 1) return run_body(argc, argv, bodies, sizeof(bodies) / sizeof(bodies[0]));
  return run_keeper_tests(tests, open_group);
}
