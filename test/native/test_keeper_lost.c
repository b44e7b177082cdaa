/* Keepers that are killed, held, or do not come to work: the host is told, nothing is left, and it goes on. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/table.h"
#include "keeper_fixture.h"
#include "platform/spawn_backend.h"
#include "platform/spawn_linux_child.h"
#include "platform/tree.h"
#include "pm_fixture.h"

enum { GRACE = 300, BOUND = 20000 };

static const pm_containment_t kept[] = {PM_CONTAINMENT_TREE, PM_CONTAINMENT_NESTED};

/* Which keeper of a process. */
typedef enum { OUTER, INNER } which_t;

static void open_host(host_t *h, pm_containment_t containment) {
  host_init(h);
  h->options.value[PM_OPT_CONTAINMENT] = containment;
  h->options.value[PM_OPT_HOST_EXIT_TIMEOUT] = GRACE;
  host_open(h);
}

static int keeper_of(host_t *h, const char *id, which_t which) {
  const pm__child_t *child = &pm__table_find(h->m, str(id))->run->child;
  int pid = which == INNER ? child->inner_keeper : child->keeper;
  assert_true(pid > 0);
  return pid;
}

static void signal_keeper(host_t *h, const char *id, which_t which, int signum) {
  assert_int_equal(kill(keeper_of(h, id, which), signum), 0);
}

static void assert_lost_once(host_t *h, const char *id) {
  assert_int_equal(host_count(h, id, PM_EVENT_ERROR), 1);
  assert_string_equal(host_find(h, id, PM_EVENT_ERROR, 1)->error.code, "ERR_KEEPER_LOST");
  assert_int_equal(host_count(h, id, PM_EVENT_EXIT), 1);
}

static void assert_unknown_exit(const seen_t *exit) {
  assert_int_equal(exit->code, -1);
  assert_string_equal(exit->signal, "");
}

/* ---- killed ------------------------------------------------------------------------------ */

/* What stayed in the session is ended by the host. Arguments: containment, keeper. */
static void be_lost_while_running(void **state) {
  (void)state;
  host_t h;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "spawn-grandchild", "ignore-term");
  int grandchild = host_grandchild(&h, "a");
  int pid = host_status(&h, "a").pid;
  signal_keeper(&h, "a", (which_t)body_argument(1), SIGKILL);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_true(host_place(&h, host_find(&h, "a", PM_EVENT_ERROR, 1)) < host_place(&h, exit));
  if (body_argument(0) == PM_CONTAINMENT_TREE || body_argument(1) == INNER) assert_unknown_exit(exit);
  host_wait_idle(&h);
  assert_lost_once(&h, "a");
  assert_false(is_running(pid));
  assert_false(is_running(grandchild));
  assert_state(&h, "a", "stopped", "exited");
  host_close(&h);
}

static void test_lost_while_running(void **state) {
  (void)state;
  in_host(0, "running", PM_CONTAINMENT_TREE, OUTER);
  assert_all_end(BOUND);
  in_host(0, "running", PM_CONTAINMENT_NESTED, OUTER);
  assert_all_end(BOUND);
  in_host(0, "running", PM_CONTAINMENT_NESTED, INNER);
  assert_all_end(BOUND);
}

/* It takes a while to die: it is still there when the host has heard of both ends. */
static void be_lost_with_a_slow_death(void **state) {
  (void)state;
  host_t h;
  open_host(&h, PM_CONTAINMENT_TREE);
  host_spawn(&h, "a", "touch-memory", "400");
  host_wait_output(&h, "a", "ready\n");
  signal_keeper(&h, "a", OUTER, SIGKILL);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&h);
  assert_lost_once(&h, "a");
  host_close(&h);
}

static void test_lost_with_a_slow_death(void **state) {
  (void)state;
  in_host(0, "slow-death", 0);
  assert_all_end(BOUND);
}

/* Two keepers: even what has hidden is ended. */
static void be_lost_with_a_daemon(void **state) {
  (void)state;
  host_t h;
  open_host(&h, PM_CONTAINMENT_NESTED);
  host_spawn(&h, "a", "leave-daemon", "stubborn");
  int daemon = host_grandchild(&h, "a");
  signal_keeper(&h, "a", (which_t)body_argument(0), SIGKILL);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&h);
  assert_lost_once(&h, "a");
  assert_false(is_running(daemon));
  host_close(&h);
}

static void test_lost_with_a_daemon(void **state) {
  (void)state;
  in_host(0, "daemon", OUTER);
  assert_all_end(BOUND);
  in_host(0, "daemon", INNER);
  assert_all_end(BOUND);
}

static void be_lost_and_restarted(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_CONTAINMENT] = body_argument(0);
  h.options.value[PM_OPT_AUTO_RESTART] = 1;
  host_open(&h);
  host_spawn(&h, "a", "say-ready");
  for (size_t i = 1; i <= 3; i++) {
    signal_keeper(&h, "a", OUTER, SIGKILL);
    host_wait(&h, "a", PM_EVENT_RESTART, i);
  }
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 3);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 3);
  assert_int_equal(host_status(&h, "a").restarts, 3);
  assert_state(&h, "a", "running", "running");
  host_end(&h, "a");
  host_close(&h);
}

static void test_lost_and_restarted(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(0, "restarted", kept[i]);
    assert_all_end(BOUND);
  }
}

/* Arguments: containment, keeper. */
static void be_lost_while_stopping(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "ignore-term");
  host_wait_output(&h, "a", "ready\n");
  int pid = host_status(&h, "a").pid;
  host_stop(&h, "a", 60000, &a);
  host_turn(&h, 3);
  signal_keeper(&h, "a", (which_t)body_argument(1), SIGKILL);
  assert_true(host_answer(&h, &a));
  assert_lost_once(&h, "a");
  assert_false(is_running(pid));
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  assert_true(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.gone);
  assert_state(&h, "a", "stopped", "exited");
  host_close(&h);
}

static void test_lost_while_stopping(void **state) {
  (void)state;
  in_host(0, "stopping", PM_CONTAINMENT_TREE, OUTER);
  assert_all_end(BOUND);
  in_host(0, "stopping", PM_CONTAINMENT_NESTED, OUTER);
  assert_all_end(BOUND);
  in_host(0, "stopping", PM_CONTAINMENT_NESTED, INNER);
  assert_all_end(BOUND);
}

/* The command has ended by itself, what it left is being ended. Arguments:
 * containment, keeper, whether SIGCHLD is ignored. */
static void be_lost_while_sweeping(void **state) {
  (void)state;
  host_t h;
  if (body_argument(2)) signal(SIGCHLD, SIG_IGN);
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "spawn-grandchild", "ignore-term", "3");
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 3);
  int grandchild = host_grandchild(&h, "a");
  assert_state(&h, "a", "stopped", "stopping");
  signal_keeper(&h, "a", (which_t)body_argument(1), SIGKILL);
  host_wait_idle(&h);
  assert_false(is_running(grandchild));
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  /* With two, the other one may have done all there was to do. */
  if (body_argument(0) == PM_CONTAINMENT_TREE) assert_lost_once(&h, "a");
  host_close(&h);
}

static void test_lost_while_sweeping(void **state) {
  (void)state;
  for (int ignored = 0; ignored < 2; ignored++) {
    in_host(0, "sweeping", PM_CONTAINMENT_TREE, OUTER, ignored);
    assert_all_end(BOUND);
    in_host(0, "sweeping", PM_CONTAINMENT_NESTED, OUTER, ignored);
    assert_all_end(BOUND);
    in_host(0, "sweeping", PM_CONTAINMENT_NESTED, INNER, ignored);
    assert_all_end(BOUND);
  }
}

/* The command has ended by itself and left a daemon. Without a second keeper that is out
 * of reach; then at least the loss is told, before the stop is answered. An end with 0
 * was its own. Arguments: containment, keeper, whether SIGCHLD is ignored, whether
 * somebody asks for a stop. */
static void be_lost_after_the_command(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  pm_containment_t containment = (pm_containment_t)body_argument(0);
  bool stops = body_argument(3) != 0;
  if (body_argument(2)) signal(SIGCHLD, SIG_IGN);
  host_init(&h);
  h.options.value[PM_OPT_CONTAINMENT] = containment;
  h.options.value[PM_OPT_AUTO_RESTART] = 1;
  h.options.value[PM_OPT_STOP_TIMEOUT] = 60000;
  host_open(&h);
  host_spawn(&h, "a", "leave-daemon", "stubborn", "0");
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  int daemon = host_grandchild(&h, "a");
  if (stops) host_stop(&h, "a", 60000, &a);
  assert_state(&h, "a", "stopped", "stopping");
  signal_keeper(&h, "a", (which_t)body_argument(1), SIGKILL);
  host_wait_idle(&h);
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 1);
  assert_int_equal(is_running(daemon), containment == PM_CONTAINMENT_TREE);
  /* If the inner one was killed, the outer one has done all there was to do; but who
   * ignores SIGCHLD does not know. */
  if (body_argument(1) == OUTER) assert_lost_once(&h, "a");
  if (stops) {
    assert_true(host_answer(&h, &a));
    const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
    if (body_argument(1) == OUTER)
      assert_true(host_place(&h, host_find(&h, "a", PM_EVENT_ERROR, 1)) < host_place(&h, stop));
  }
  host_close(&h);
}

static void test_lost_after_the_command(void **state) {
  (void)state;
  for (int ignored = 0; ignored < 2; ignored++) {
    for (int stops = 0; stops < 2; stops++) {
      in_host(0, "after", PM_CONTAINMENT_TREE, OUTER, ignored, stops);
      wait_until_left(1);
      end_all_strays();
      in_host(0, "after", PM_CONTAINMENT_NESTED, OUTER, ignored, stops);
      assert_all_end(BOUND);
      in_host(0, "after", PM_CONTAINMENT_NESTED, INNER, ignored, stops);
      assert_all_end(BOUND);
    }
  }
}

static void wait_for_state(int pid, char wanted) {
  pm__proc_stat_t stat = {0};
  while (pm__tree_stat(pid, &stat) == 0 && stat.state != wanted)
    usleep(1000);
}

/* Between the end of the command and its report. Arguments: containment, keeper. */
static void be_lost_before_the_report(void **state) {
  (void)state;
  host_t h;
  pm_containment_t containment = (pm_containment_t)body_argument(0);
  which_t which = (which_t)body_argument(1);
  open_host(&h, containment);
  host_spawn(&h, "a", "leave-daemon", "stubborn");
  int daemon = host_grandchild(&h, "a");
  int pid = host_status(&h, "a").pid;
  signal_keeper(&h, "a", which, SIGSTOP);
  wait_for_state(keeper_of(&h, "a", which), 'T');
  assert_int_equal(kill(pid, SIGKILL), 0);
  wait_until_ended(pid);
  signal_keeper(&h, "a", which, SIGKILL);
  assert_unknown_exit(host_wait(&h, "a", PM_EVENT_EXIT, 1));
  host_wait_idle(&h);
  assert_lost_once(&h, "a");
  assert_int_equal(is_running(daemon), containment == PM_CONTAINMENT_TREE);
  host_close(&h);
}

static void test_lost_before_the_report(void **state) {
  (void)state;
  in_host(0, "before-report", PM_CONTAINMENT_TREE, OUTER);
  wait_until_left(1);
  end_all_strays();
  in_host(0, "before-report", PM_CONTAINMENT_NESTED, INNER);
  assert_all_end(BOUND);
}

/* Nobody waits for what is left alone; the keeper's zombie must not stay. */
static void be_lost_with_rest_left(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_CONTAINMENT] = body_argument(0);
  h.options.value[PM_OPT_KILL_TREE] = 0;
  host_open(&h);
  host_spawn(&h, "a", "spawn-grandchild", "stay");
  host_grandchild(&h, "a");
  signal_keeper(&h, "a", OUTER, SIGKILL);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&h);
  assert_lost_once(&h, "a");
  host_close(&h);
}

static void test_lost_with_rest_left(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(0, "left", kept[i]);
    end_all_strays();
    assert_all_end(BOUND);
  }
}

/* The manager is closed before it has heard of it. */
static void be_lost_while_closing(void **state) {
  (void)state;
  enum { TIMES = 20 };
  for (int i = 0; i < TIMES; i++) {
    host_t h;
    open_host(&h, (pm_containment_t)body_argument(0));
    host_spawn(&h, "a", "spawn-grandchild", "ignore-term");
    int grandchild = host_grandchild(&h, "a");
    if (i % 2) host_begin_closing(&h);
    if (i % 2 == 0) signal_keeper(&h, "a", OUTER, SIGKILL);
    host_close(&h);
    wait_until_ended(grandchild);
  }
}

static void test_lost_while_closing(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(0, "closing", kept[i]);
    assert_all_end(BOUND);
  }
}

/* The manager is closed when it has heard of the loss, and the command takes a while to
 * die. That is waited for, not for the time at which it would be given up. */
static void be_closed_after_a_loss(void **state) {
  (void)state;
  enum { TIMES = 4, GIVEN_UP = 2000 };
  long took = 0;
  for (int i = 0; i < TIMES; i++) {
    host_t h;
    open_host(&h, PM_CONTAINMENT_TREE);
    host_spawn(&h, "a", "touch-memory", "400");
    host_wait_output(&h, "a", "ready\n");
    signal_keeper(&h, "a", OUTER, SIGKILL);
    host_wait(&h, "a", PM_EVENT_EXIT, 1);
    long begin = clock_ms();
    host_close(&h);
    took += clock_ms() - begin;
  }
  assert_true(took < TIMES * (GIVEN_UP - 500));
}

static void test_closed_after_a_loss(void **state) {
  (void)state;
  in_host(0, "closed-after", 0);
  assert_all_end(BOUND);
}

/* ---- held --------------------------------------------------------------------------------- */

/* SIGSTOP cannot be blocked. Arguments: containment, keeper. */
static void be_held(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "leave-daemon", "polite");
  int daemon = host_grandchild(&h, "a");
  signal_keeper(&h, "a", (which_t)body_argument(1), SIGSTOP);
  host_stop(&h, "a", 100, &a);
  assert_true(host_answer(&h, &a));
  assert_false(is_running(daemon));
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  host_close(&h);
}

static void test_held(void **state) {
  (void)state;
  in_host(0, "held", PM_CONTAINMENT_TREE, OUTER);
  assert_all_end(BOUND);
  in_host(0, "held", PM_CONTAINMENT_NESTED, OUTER);
  assert_all_end(BOUND);
  in_host(0, "held", PM_CONTAINMENT_NESTED, INNER);
  assert_all_end(BOUND);
}

/* Signals that it does not read must leave room for the order to end the tree. SIGWINCH
 * is one that the command does not mind. */
static void be_held_and_signalled(void **state) {
  (void)state;
  enum { MOST_SENT = 1000000 };
  host_t h;
  answer_t a;
  int sent = 0;
  open_host(&h, (pm_containment_t)body_argument(0));
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  which_t which = body_argument(0) == PM_CONTAINMENT_NESTED ? INNER : OUTER;
  signal_keeper(&h, "a", which, SIGSTOP);
  int r;
  while ((r = pm_process_signal(h.m, str("a"), SIGWINCH, false)) == 0 && sent < MOST_SENT)
    sent++;
  assert_int_equal(r, UV_EAGAIN);
  assert_true(sent > 0);
  /* Which wakes it. */
  host_stop(&h, "a", 60000, &a);
  assert_true(host_answer(&h, &a));
  assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGTERM");
  host_close(&h);
}

static void test_held_and_signalled(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    in_host(0, "held-signalled", kept[i]);
    assert_all_end(BOUND);
  }
}

/* ---- killed before they came to work --------------------------------------------------------- */

/* Arguments: containment, fault, how many pass it first. */
static void be_start_killed(void **state) {
  (void)state;
  host_t h;
  open_host(&h, (pm_containment_t)body_argument(0));
  for (int i = 0; i < 5; i++) {
    pm__launch_fault_at = (pm__fault_point_t)body_argument(1);
    pm__launch_fault_skip = body_argument(2);
    host_spawn(&h, "a", "say-ready");
    pm__launch_fault_at = PM__FAULT_NONE;
    if (body_argument(1) == PM__FAULT_IN_COMMAND) {
      assert_string_equal(host_wait(&h, "a", PM_EVENT_EXIT, (size_t)i + 1)->signal, "SIGKILL");
    } else {
      const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, (size_t)i + 1);
      assert_string_equal(error->error.syscall, "keeper");
      assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 0);
    }
    host_wait_idle(&h);
    assert_no_child();
  }
  host_spawn(&h, "b", "exit-with", "6");
  assert_int_equal(host_wait(&h, "b", PM_EVENT_EXIT, 1)->code, 6);
  host_wait_idle(&h);
  host_close(&h);
}

static void test_start_killed(void **state) {
  (void)state;
  for (pm__fault_point_t at = PM__FAULT_CLONED; at <= PM__FAULT_IN_COMMAND; at++) {
    for (size_t i = 0; i < 2; i++) {
      in_host(0, "start-killed", kept[i], at, 0);
      assert_all_end(BOUND);
    }
  }
  in_host(0, "start-killed", PM_CONTAINMENT_NESTED, PM__FAULT_BETWEEN_EXECS, 1);
  assert_all_end(BOUND);
}

/* ---- a program that cannot be executed any more ------------------------------------------------- */

/* The command runs already, may have a daemon, and is ended all the same. Arguments:
 * containment, whether the file is emptied. */
static void be_host_of_a_broken_keeper(void **state) {
  (void)state;
  host_t h;
  char dir[256];
  char path[300];
  host_init(&h);
  make_scratch(dir, sizeof(dir));
  h.options.value[PM_OPT_CONTAINMENT] = body_argument(0);
  h.keeper = open_keeper_copy(dir, path, sizeof(path));
  host_open(&h);
  assert_int_equal(body_argument(1) ? truncate(path, 0) : chmod(path, 0600), 0);
  for (size_t i = 1; i <= 10; i++) {
    host_spawn(&h, "a", "leave-daemon", "stubborn");
    const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, i);
    assert_string_equal(error->error.syscall, "keeper");
    assert_string_equal(error->error.code, body_argument(1) ? "ENOEXEC" : "EACCES");
    assert_state(&h, "a", "error", "failed");
    assert_no_child();
  }
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 0);
  h.options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
  host_spawn(&h, "b", "exit-with", "6");
  assert_int_equal(host_wait(&h, "b", PM_EVENT_EXIT, 1)->code, 6);
  host_close(&h);
  remove_scratch(dir);
}

static void test_broken_keeper(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    for (int emptied = 0; emptied < 2; emptied++) {
      in_host(0, "broken", kept[i], emptied);
      assert_no_child();
    }
  }
}

static int open_group(void **state) {
  (void)state;
  be_subreaper();
  return 0;
}

/* ---- whose number is another's ------------------------------------------------------------ */

typedef struct stranger {
  int pid, end;
  pid_t parent;
} stranger_t;

static void lead_session(int told, int life) {
  char byte;
  int pid = setsid();
  if (pid < 0 || write(told, &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
  _exit(read(life, &byte, 1) != 0);
}

/* A process that is no child of this one, and leads a session. */
static stranger_t start_stranger(void) {
  int life[2], told[2];
  stranger_t s;
  assert_int_equal(pipe(life) | pipe(told), 0);
  s.parent = fork();
  assert_true(s.parent >= 0);
  if (s.parent == 0) {
    close(life[1]);
    pid_t pid = fork();
    if (pid == 0) lead_session(told[1], life[0]);
    _exit(pid > 0 ? status_of(pid) : 1);
  }
  assert_int_equal(read(told[0], &s.pid, sizeof(s.pid)), sizeof(s.pid));
  close(told[0]);
  close(told[1]);
  close(life[0]);
  s.end = life[1];
  return s;
}

static void end_stranger(const stranger_t *s) {
  close(s->end);
  assert_int_equal(status_of(s->parent), 0);
}

/* A keeper was killed with something left, and somebody else has reaped it (a host that ignores SIGCHLD); before
 * that is heard of its number has become another's. */
static void test_a_number_that_is_another_s(void **state) {
  (void)state;
  int pids[4];
  const stranger_t stranger = start_stranger();
  pm__child_t child = {.kind = &pm__child_kept,
                       .keeper = stranger.pid,
                       .socket = -1,
                       .pidfd = -1,
                       .ended = true,
                       .reported = true,
                       .left = true};
  child.watch.fd = child.control.fd = -1;
  pm__child_kill(&child);
  assert_true(pm__child_gone(&child));
  assert_true(child.lost && is_running(stranger.pid));
  child.reaped = false;
  assert_int_equal(pm__child_survivors(&child, pids, 4), 0);
  pm__child_kill(&child);
  assert_true(is_running(stranger.pid));
  end_stranger(&stranger);
}

int main(int argc, char **argv) {
  static const body_t bodies[] = {
      {"running", be_lost_while_running},        {"slow-death", be_lost_with_a_slow_death},
      {"daemon", be_lost_with_a_daemon},         {"restarted", be_lost_and_restarted},
      {"stopping", be_lost_while_stopping},      {"sweeping", be_lost_while_sweeping},
      {"after", be_lost_after_the_command},      {"before-report", be_lost_before_the_report},
      {"left", be_lost_with_rest_left},          {"closing", be_lost_while_closing},
      {"closed-after", be_closed_after_a_loss},  {"held", be_held},
      {"held-signalled", be_held_and_signalled}, {"start-killed", be_start_killed},
      {"broken", be_host_of_a_broken_keeper}};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lost_while_running),     cmocka_unit_test(test_lost_with_a_slow_death),
      cmocka_unit_test(test_lost_with_a_daemon),     cmocka_unit_test(test_lost_and_restarted),
      cmocka_unit_test(test_lost_while_stopping),    cmocka_unit_test(test_lost_while_sweeping),
      cmocka_unit_test(test_lost_after_the_command), cmocka_unit_test(test_lost_before_the_report),
      cmocka_unit_test(test_lost_with_rest_left),    cmocka_unit_test(test_lost_while_closing),
      cmocka_unit_test(test_closed_after_a_loss),    cmocka_unit_test(test_held),
      cmocka_unit_test(test_held_and_signalled),     cmocka_unit_test(test_start_killed),
      cmocka_unit_test(test_broken_keeper),          cmocka_unit_test(test_a_number_that_is_another_s),
  };
  if (argc > 1) return run_body(argc, argv, bodies, sizeof(bodies) / sizeof(bodies[0]));
  return run_keeper_tests(tests, open_group);
}
