/* The keeper's program, driven by hand: what it reports, what it obeys, and what it does when its host goes. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper_fixture.h"
#include "platform/tree.h"
#include "pm_fixture.h"

enum { LONG = 60000, BOUND = 20000 };

static const kept_spec_t usual = {.grace = LONG};

static pid_t start_noting(kept_t *k, const kept_spec_t *spec, const char *levels, const char *mode) {
  kept_start(k, spec, "note-signals", levels, mode);
  kept_wait_said(k, "ready\n", 1);
  return k->command;
}

/* "noted PID N" for everyone that stands: exactly `times`. */
static void assert_noted(const kept_t *k, const char *what, int signum, int times) {
  for (const char *at = strstr(k->text, what); at; at = strstr(at + 1, what)) {
    char line[64];
    int level;
    int pid;
    assert_int_equal(sscanf(at + strlen(what), "%d %d", &level, &pid), 2);
    snprintf(line, sizeof(line), "noted %d %d\n", pid, signum);
    if (kept_said(k, line) != times) fail_msg("\"%s\" is not there %d times: %s", line, times, k->text);
  }
}

/* ---- reports --------------------------------------------------------------------- */

/* The same started by hand. */
static int status_without(const char *fixture, const char *argument) {
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", PM_FIXTURES, fixture);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    execl(path, fixture, argument, NULL);
    _exit(127);
  }
  return status_of(pid);
}

static void test_how_it_ended(void **state) {
  (void)state;
  static const char *const ends[][2] = {{"exit-with", "0"}, {"exit-with", "1"}, {"exit-with", "255"}, {"die-by", "15"},
                                        {"die-by", "9"},    {"die-by", "11"},   {"die-by", "6"},      {"die-by", "34"}};
  for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
    kept_t k;
    kept_start(&k, &usual, ends[i][0], ends[i][1]);
    pm__keeper_report_t report = kept_report(&k);
    assert_int_equal(report.status, status_without(ends[i][0], ends[i][1]));
    assert_int_equal(report.left, 0);
    kept_finish(&k);
    assert_no_child();
  }
}

static void test_usage(void **state) {
  (void)state;
  enum { TICKS = 10 };
  kept_t k;
  pm__proc_stat_t stat = {0};
  kept_start(&k, &usual, "burn-cpu");
  while (stat.utime + stat.stime < TICKS)
    assert_int_equal(pm__tree_stat(k.command, &stat), 0);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  pm__keeper_report_t report = kept_report(&k);
  uint64_t tick = UINT64_C(1000000) / (uint64_t)sysconf(_SC_CLK_TCK);
  assert_true(report.user + report.system >= (TICKS - 2) * tick);
  assert_true(report.user + report.system < UINT64_C(60000000));
  assert_int_equal(report.status, SIGKILL);
  kept_finish(&k);

  kept_start(&k, &usual, "touch-memory", "48");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  report = kept_report(&k);
  assert_true(report.max_rss >= 48 * 1024 && report.max_rss < 64 * 1024);
  kept_finish(&k);
}

/* It waits for what is left until it is told what to do with that. */
static void test_left(void **state) {
  (void)state;
  kept_t k;
  kept_start(&k, &usual, "leave-daemon", "polite", "3");
  pid_t daemon = kept_pid_said(&k, "grandchild ");
  pm__keeper_report_t report = kept_report(&k);
  assert_true(WIFEXITED(report.status));
  assert_int_equal(WEXITSTATUS(report.status), 3);
  assert_int_equal(report.left, 1);
  assert_true(is_running(daemon));
  assert_true(is_running(k.keeper));
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  /* And tells when that is done. */
  pm__keeper_report_t last = kept_report(&k);
  assert_int_equal(last.left, 0);
  assert_int_equal(last.status, report.status);
  assert_false(is_running(daemon));
  kept_finish(&k);
  assert_no_child();
}

static void test_leave_rest(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = LONG, .flags = PM__KEEPER_LEAVE_REST};
  kept_start(&k, &spec, "leave-daemon", "stubborn", "0");
  pid_t daemon = kept_pid_said(&k, "grandchild ");
  assert_int_equal(kept_report(&k).left, 0);
  kept_finish(&k);
  assert_true(is_running(daemon));
  assert_int_equal(kill(daemon, SIGKILL), 0);
  assert_all_end(BOUND);

  /* That is for an end of its own only. */
  kept_start(&k, &spec, "leave-daemon", "polite");
  kept_pid_said(&k, "grandchild ");
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  assert_int_equal(kept_report(&k).status, SIGTERM);
  kept_finish(&k);
  assert_no_child();
}

/* The whole system may be out of descriptors: then it looks, and the command lives. */
static void test_without_descriptors(void **state) {
  (void)state;
  const long calls[] = {SYS_signalfd4, SYS_pidfd_open};
  for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    kept_t k;
    const kept_spec_t spec = {.grace = LONG, .refused = calls[i]};
    kept_start(&k, &spec, "slow-term", "0");
    kept_wait_said(&k, "ready\n", 1);
    kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
    assert_int_equal(kept_report(&k).status, 0);
    kept_finish(&k);

    kept_start(&k, &spec, "exit-with", "3");
    assert_int_equal(WEXITSTATUS(kept_report(&k).status), 3);
    kept_finish(&k);
  }
  assert_no_child();
}

/* ---- orders ------------------------------------------------------------------------ */

static void test_terminate_once_to_each(void **state) {
  (void)state;
  kept_t k;
  start_noting(&k, &usual, "4", NULL);
  for (int i = 0; i < 3; i++)
    kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "noted ", 8);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  /* Passed on after whatever the orders before it caused. */
  kept_order(&k, PM__KEEPER_SIGNAL, SIGUSR2, true);
  kept_wait_said(&k, " 12\n", 4);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_noted(&k, "stands ", SIGCONT, 1);
  assert_int_equal(kept_said(&k, "noted "), 12);
}

static void test_terminate_those_born_later(void **state) {
  (void)state;
  kept_t k;
  start_noting(&k, &usual, "3", "late");
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, " 15\n", 6);
  kept_wait_said(&k, " 18\n", 6);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  kept_finish(&k);
  assert_int_equal(kept_said(&k, "late "), 3);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_noted(&k, "late ", SIGTERM, 1);
  assert_int_equal(kept_said(&k, "noted "), 12);
}

/* However many those are. */
static void test_terminate_those_born_again_and_again(void **state) {
  (void)state;
  kept_t k;
  kept_start(&k, &usual, "term-rounds", "200", "45");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "round\n", 45);
  assert_int_equal(kept_report(&k).status, 0);
  kept_finish(&k);
  assert_no_child();
}

/* Many times over: parents end while their children are being looked at. */
static void test_terminate_reaches_all_at_once(void **state) {
  (void)state;
  for (int i = 0; i < 30; i++) {
    kept_t k;
    kept_start(&k, &usual, "fork-levels", "2", "6");
    kept_wait_said(&k, "ready\n", 1);
    kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
    assert_int_equal(kept_report(&k).status, SIGTERM);
    kept_finish(&k);
  }
  assert_no_child();
}

static void test_terminate_the_stopped(void **state) {
  (void)state;
  kept_t k;
  pm__proc_stat_t stat = {0};
  kept_start(&k, &usual, "stop-itself");
  kept_wait_said(&k, "ready\n", 1);
  while (stat.state != 'T')
    assert_int_equal(pm__tree_stat(k.command, &stat), 0);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  assert_int_equal(kept_report(&k).status, SIGTERM);
  kept_finish(&k);
}

static void test_terminate_without_a_main_thread(void **state) {
  (void)state;
  kept_t k;
  kept_start(&k, &usual, "end-main-thread");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  assert_int_equal(kept_report(&k).status, 0);
  kept_finish(&k);
  assert_int_equal(kept_said(&k, "ending\n"), 1);
}

static void test_terminate_by_another_signal(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = LONG, .signum = SIGUSR1};
  start_noting(&k, &spec, "2", NULL);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "noted ", 4);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGUSR1, 1);
  assert_noted(&k, "stands ", SIGTERM, 0);
}

static void test_terminate_the_command(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = LONG, .flags = PM__KEEPER_TO_COMMAND};
  start_noting(&k, &spec, "3", "lingers");
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "ending\n", 1);
  const char *first = strstr(k.text, " 15\n");
  const char *next = strstr(first + 1, " 15\n");
  assert_true(first < strstr(k.text, "ending\n"));
  assert_true(!next || next > strstr(k.text, "ending\n"));
  /* Then it is the others' turn. */
  pm__keeper_report_t report = kept_report(&k);
  assert_int_equal(report.status, 0);
  assert_int_equal(report.left, 1);
  kept_wait_said(&k, " 15\n", 3);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGTERM, 1);
}

static void test_kill(void **state) {
  (void)state;
  kept_t k;
  start_noting(&k, &usual, "12", NULL);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  pm__keeper_report_t report = kept_report(&k);
  assert_int_equal(report.status, SIGKILL);
  kept_finish(&k);
  assert_int_equal(kept_said(&k, "noted "), 0);
  assert_no_child();
}

static void test_signal(void **state) {
  (void)state;
  char line[64];
  kept_t k;
  pid_t command = start_noting(&k, &usual, "3", NULL);
  snprintf(line, sizeof(line), "noted %d %d\n", (int)command, SIGUSR1);
  kept_order(&k, PM__KEEPER_SIGNAL, SIGUSR1, false);
  kept_wait_said(&k, line, 1);
  kept_order(&k, PM__KEEPER_SIGNAL, SIGUSR2, true);
  kept_wait_said(&k, " 12\n", 3);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  kept_finish(&k);
  assert_int_equal(kept_said(&k, "noted "), 4);
  assert_noted(&k, "stands ", SIGUSR2, 1);
}

/* What it does not know changes nothing; neither do signals that mean no end. */
static void test_what_means_nothing(void **state) {
  (void)state;
  kept_t k;
  kept_start(&k, &usual, "slow-term", "0");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, (pm__keeper_order_kind_t)77, SIGKILL, true);
  kept_order(&k, PM__KEEPER_SIGNAL, 999, true);
  kept_order(&k, PM__KEEPER_SIGNAL, 0, false);
  assert_int_equal(kill(k.keeper, SIGUSR1), 0);
  assert_int_equal(kill(k.keeper, SIGPIPE), 0);
  assert_int_equal(kill(k.keeper, SIGALRM), 0);
  kept_order(&k, PM__KEEPER_SIGNAL, SIGCONT, true);
  assert_true(is_running(k.command));
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  assert_int_equal(kept_report(&k).status, 0);
  kept_finish(&k);
}

/* ---- the end of the host -------------------------------------------------------------- */

static void test_hang_up(void **state) {
  (void)state;
  kept_t k;
  kept_start(&k, &usual, "leave-daemon", "polite");
  kept_pid_said(&k, "grandchild ");
  long begin = clock_ms();
  kept_hang_up(&k);
  kept_finish(&k);
  assert_true(clock_ms() - begin < BOUND);
  assert_no_child();
}

static void test_grace(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 300};
  start_noting(&k, &spec, "3", NULL);
  long begin = clock_ms();
  kept_hang_up(&k);
  kept_finish(&k);
  assert_true(clock_ms() - begin >= 300);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_no_child();
}

static void test_no_grace(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 0};
  start_noting(&k, &spec, "3", NULL);
  kept_hang_up(&k);
  kept_finish(&k);
  assert_int_equal(kept_said(&k, "noted "), 0);
  assert_no_child();
}

/* A host that asked for the end and goes has to be followed all the same. */
static void test_hang_up_while_asking(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 100};
  start_noting(&k, &spec, "2", NULL);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, " 15\n", 2);
  kept_hang_up(&k);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_no_child();
}

/* The socket stays open here, as a forked copy of the host would hold it. */
static void test_host_killed(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 200, .own_host = true};
  start_noting(&k, &spec, "3", NULL);
  assert_int_equal(kill(k.host, SIGKILL), 0);
  assert_int_equal(status_of(k.host), SIGKILL);
  assert_int_equal(kept_report(&k).status, SIGKILL);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_no_child();
}

/* It had gone before the keeper began: its number is nobody's, or another's. */
static void test_host_gone_before(void **state) {
  (void)state;
  const pid_t parents[] = {1, 0x3fffffff};
  for (size_t i = 0; i < 2; i++) {
    kept_t k;
    const kept_spec_t spec = {.grace = LONG, .parent = parents[i]};
    kept_start(&k, &spec, "say-ready");
    assert_int_equal(kept_report(&k).status, SIGTERM);
    kept_finish(&k);
  }
  assert_no_child();
}

static void test_keeper_asked_to_end(void **state) {
  (void)state;
  const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
    kept_t k;
    kept_start(&k, &usual, "leave-daemon", "polite");
    kept_pid_said(&k, "grandchild ");
    assert_int_equal(kill(k.keeper, signals[i]), 0);
    assert_int_equal(kept_report(&k).status, SIGTERM);
    kept_finish(&k);
    assert_no_child();
  }
}

/* That is no end of the host, which says how long it may take. */
static void test_keeper_asked_has_no_deadline(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 1};
  kept_start(&k, &spec, "slow-term", "300");
  kept_wait_said(&k, "ready\n", 1);
  assert_int_equal(kill(k.keeper, SIGTERM), 0);
  assert_int_equal(kept_report(&k).status, 0);
  kept_finish(&k);
  assert_no_child();
}

/* Nobody is asked twice, whoever asks and however often. */
static void test_host_goes_after_keeper_was_asked(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = 100};
  start_noting(&k, &spec, "3", NULL);
  assert_int_equal(kill(k.keeper, SIGTERM), 0);
  kept_wait_said(&k, " 15\n", 3);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  assert_int_equal(kill(k.keeper, SIGHUP), 0);
  kept_order(&k, PM__KEEPER_SIGNAL, SIGUSR2, true);
  kept_wait_said(&k, " 12\n", 3);
  kept_hang_up(&k);
  kept_finish(&k);
  assert_noted(&k, "stands ", SIGTERM, 1);
  assert_no_child();
}

/* ---- the outer of two -------------------------------------------------------------------- */

/* What it is about has ended: nothing is asked any more. */
static void test_guard(void **state) {
  (void)state;
  kept_t k;
  const kept_spec_t spec = {.grace = LONG, .flags = PM__KEEPER_GUARD | PM__KEEPER_TO_COMMAND};
  kept_start(&k, &spec, "leave-daemon", "stubborn");
  pid_t daemon = kept_pid_said(&k, "grandchild ");
  kept_hang_up(&k); /* it has none */
  assert_true(is_running(k.command));
  assert_int_equal(kill(k.command, SIGKILL), 0);
  kept_finish(&k);
  assert_false(is_running(daemon));
  assert_no_child();
}

static int open_group(void **state) {
  (void)state;
  be_subreaper();
  signal(SIGPIPE, SIG_IGN);
  return 0;
}

/* What a failed test has left must not disturb the next one. */
static int clean_up(void **state) {
  (void)state;
  end_all_strays();
  return 0;
}

#define each(test) cmocka_unit_test_teardown((test), clean_up)

int main(void) {
  const struct CMUnitTest tests[] = {
      each(test_how_it_ended),
      each(test_usage),
      each(test_left),
      each(test_leave_rest),
      each(test_without_descriptors),
      each(test_terminate_once_to_each),
      each(test_terminate_those_born_later),
      each(test_terminate_those_born_again_and_again),
      each(test_terminate_reaches_all_at_once),
      each(test_terminate_the_stopped),
      each(test_terminate_without_a_main_thread),
      each(test_terminate_by_another_signal),
      each(test_terminate_the_command),
      each(test_kill),
      each(test_signal),
      each(test_what_means_nothing),
      each(test_hang_up),
      each(test_grace),
      each(test_no_grace),
      each(test_hang_up_while_asking),
      each(test_host_killed),
      each(test_host_gone_before),
      each(test_keeper_asked_to_end),
      each(test_keeper_asked_has_no_deadline),
      each(test_host_goes_after_keeper_was_asked),
      each(test_guard),
  };
  return cmocka_run_group_tests(tests, open_group, NULL);
}
