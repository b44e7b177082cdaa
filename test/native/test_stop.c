/* Ending processes: the ladder of signals, requests that join, and what the group leaves behind. */
#include <math.h>
#include <signal.h>

#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

static void spawn_ready(host_t *h, const char *id, const char *fixture) {
  host_spawn(h, id, fixture);
  host_wait_output(h, id, "ready\n");
}

static void test_by_sigterm(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_ready(&h, "a", "say-ready");
  assert_state(&h, "a", "running", "running");
  int pid = host_status(&h, "a").pid;
  assert_true(pid > 0);

  answer_t a;
  host_stop(&h, "a", 60000, &a);
  assert_state(&h, "a", "stopped", "stopping");
  assert_int_equal(a.times, 0);
  assert_true(host_answer(&h, &a));

  const seen_t *exit = host_find(&h, "a", PM_EVENT_EXIT, 1);
  const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
  assert_non_null(exit);
  assert_non_null(stop);
  assert_true(host_place(&h, exit) < host_place(&h, stop));
  assert_true(host_place(&h, stop) < a.after);
  assert_int_equal(exit->pid, pid);
  assert_int_equal(exit->code, -1);
  assert_string_equal(exit->signal, "SIGTERM");
  assert_true(exit->uptime > 0 && exit->uptime < 60);
  assert_string_equal(stop->signal, "SIGTERM");
  assert_true(stop->stop.gone);
  assert_string_equal(stop->stop.step, "SIGTERM");
  assert_int_equal(stop->stop.survivor_count, 0);
  assert_int_equal(stop->stop.killed, 0);
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(host_status(&h, "a").pid, 0);
  assert_false(is_running(pid));
  host_close(&h);
}

static void test_kill_after_timeout(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_ready(&h, "a", "ignore-term");
  answer_t a;
  host_stop(&h, "a", 50, &a);
  assert_true(host_answer(&h, &a));
  const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
  assert_string_equal(stop->stop.step, "SIGKILL");
  assert_true(stop->stop.duration >= 50);
  assert_true(stop->stop.duration < 20000);
  assert_int_equal(stop->stop.killed, 1);
  assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  assert_string_equal(host_status(&h, "a").exit_signal, "SIGKILL");
  host_close(&h);
}

static void test_timeout_zero_kills_at_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_ready(&h, "a", "say-ready");
  answer_t a;
  host_stop(&h, "a", 0, &a);
  assert_true(host_answer(&h, &a));
  assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
  host_close(&h);
}

/* A negative timeout is the process's own. */
static void test_own_timeout(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = 30;
  spawn_ready(&h, "a", "ignore-term");
  host_end(&h, "a");
  assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
  host_close(&h);
}

static void test_no_deadline_until_hurried(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_ready(&h, "a", "ignore-term");
  answer_t first;
  answer_t second;
  answer_t third;
  host_stop(&h, "a", INFINITY, &first);
  host_pass_time(&h, 100);
  assert_int_equal(first.times, 0);
  assert_state(&h, "a", "stopped", "stopping");
  host_stop(&h, "a", 20, &second);
  /* More time than is left changes nothing. */
  host_stop(&h, "a", 100000, &third);
  assert_true(host_answer(&h, &first));
  assert_true(host_answer(&h, &second));
  assert_true(host_answer(&h, &third));
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
  assert_true(stop->stop.duration >= 120 && stop->stop.duration < 20000);
  host_close(&h);
}

static void test_second_stop_joins(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "slow-term", "50");
  host_wait_output(&h, "a", "ready\n");
  answer_t answers[5];
  for (int i = 0; i < 5; i++)
    host_stop(&h, "a", 60000, &answers[i]);
  for (int i = 0; i < 5; i++)
    assert_true(host_answer(&h, &answers[i]));
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  const seen_t *exit = host_find(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_string_equal(exit->signal, "");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "ready\nending\n");
  host_close(&h);
}

static void test_of_ended(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "exit-with", "7");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_state(&h, "a", "stopped", "exited");
  answer_t a;
  host_stop(&h, "a", 0, &a);
  assert_int_equal(a.times, 0);
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 0);
  assert_int_equal(host_status(&h, "a").exit_code, 7);

  assert_int_equal(host_try_spawn(&h, "none", "/no/such/file"), 0);
  host_wait(&h, "none", PM_EVENT_ERROR, 1);
  assert_state(&h, "none", "error", "failed");
  host_stop(&h, "none", 0, &a);
  assert_true(host_answer(&h, &a));
  assert_state(&h, "none", "error", "failed");
  host_close(&h);
}

static void test_of_unknown(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  answer_t a = {.host = &h};
  pm_status_t status;
  bool flag;
  assert_int_equal(pm_process_stop(h.m, str("nobody"), 0, on_answer, &a), UV_ENOENT);
  assert_int_equal(pm_process_restart(h.m, str("nobody"), on_answer, &a, &h.error), UV_ENOENT);
  assert_int_equal(pm_process_status(h.m, str("nobody"), &status), UV_ENOENT);
  assert_int_equal(pm_process_logs(h.m, str("nobody"), PM_STDOUT, 1, NULL, NULL), UV_ENOENT);
  assert_int_equal(pm_process_write(h.m, str("nobody"), str("x"), &flag, &h.error), UV_ENOENT);
  assert_int_equal(pm_process_close_stdin(h.m, str("nobody"), &flag), UV_ENOENT);
  assert_int_equal(pm_process_remove(h.m, str("nobody")), UV_ENOENT);
  host_turn(&h, 3);
  assert_int_equal(a.times, 0);
  assert_int_equal(h.seen_count, 0);
  assert_int_equal(h.active_calls, 0);
  host_close(&h);
}

/* SIGCONT follows SIGTERM: it need not wait for SIGKILL. */
static void test_of_one_that_stopped_itself(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_ready(&h, "a", "stop-itself");
  answer_t a;
  host_stop(&h, "a", 60000, &a);
  assert_true(host_answer(&h, &a));
  assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
  host_close(&h);
}

/* ---- what is left behind ------------------------------------------------------------ */

/* How a grandchild behaves. The escaped ones have left the session: a keeper has
 * them all the same, a group does not. */
static const struct {
  const char *mode;
  bool ignores, escapes;
} modes[] = {{"stay", false, false},         {"ignore-term", true, false}, {"hold-stdout", false, false},
             {"flood-stdout", false, false}, {"setsid", false, true},      {"setsid-ignore", true, true},
             {"setsid-flood", false, true}};

enum { MODES = sizeof(modes) / sizeof(modes[0]) };

/* Opens a host for a mode, unless that is out of reach here. */
static bool open_host_for(host_t *h, const char *mode, bool escapes) {
  host_init(h);
  h->options.value[PM_OPT_STOP_TIMEOUT] = 100;
  host_open(h);
  host_spawn(h, "probe", "exit-with", "0");
  host_wait(h, "probe", PM_EVENT_EXIT, 1);
  if (!escapes || is_kept(h, "probe")) return true;
  print_message("left out: nothing reaches %s without a keeper\n", mode);
  host_close(h);
  return false;
}

/* What outlives the command is ended too, and true waits for that. */
static void test_rest_goes_with_the_command(void **state) {
  (void)state;
  for (size_t i = 0; i < MODES; i++) {
    host_t h;
    if (!open_host_for(&h, modes[i].mode, modes[i].escapes)) continue;
    host_spawn(&h, "a", "spawn-grandchild", modes[i].mode);
    int pid = host_grandchild(&h, "a");
    assert_true(is_running(pid));
    answer_t a;
    host_stop(&h, "a", modes[i].ignores ? 100 : 60000, &a);
    assert_true(host_answer(&h, &a));
    assert_false(is_running(pid));
    const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
    assert_true(stop->stop.gone);
    assert_string_equal(stop->stop.step, modes[i].ignores ? "SIGKILL" : "SIGTERM");
    assert_int_equal(stop->stop.killed, modes[i].ignores);
    assert_int_equal(stop->stop.survivor_count, 0);
    assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
    host_close(&h);
  }
}

/* The command exits by itself: exit is said at once, what it left is swept. */
static void test_rest_is_swept_after_an_exit(void **state) {
  (void)state;
  for (size_t i = 0; i < MODES; i++) {
    host_t h;
    if (!open_host_for(&h, modes[i].mode, modes[i].escapes)) continue;
    host_spawn(&h, "a", "spawn-grandchild", modes[i].mode, "3");
    const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
    assert_int_equal(exit->code, 3);
    int pid = host_grandchild(&h, "a");
    if (modes[i].ignores) {
      assert_state(&h, "a", "stopped", "stopping");
      assert_true(is_running(pid));
    }
    host_wait_idle(&h);
    assert_false(is_running(pid));
    assert_state(&h, "a", "stopped", "exited");
    assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 0);
    host_close(&h);
  }
}

/* A stop during the sweep joins it and may hurry it. */
static void test_stop_while_sweeping(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(&h, "a", "spawn-grandchild", "ignore-term", "3");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  int pid = host_grandchild(&h, "a");
  assert_state(&h, "a", "stopped", "stopping");
  assert_true(is_running(pid));
  assert_int_equal(pm_process_remove(h.m, str("a")), UV_EBUSY);
  answer_t a;
  host_stop(&h, "a", 10, &a);
  assert_true(host_answer(&h, &a));
  assert_false(is_running(pid));
  assert_string_equal(host_wait(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
  assert_int_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->code, 3);
  assert_state(&h, "a", "stopped", "exited");
  host_close(&h);
}

/* What left the session is out of a group's reach; it must not hold up exit or
 * stop, though it holds stdout. */
static void test_escapee_of_a_group_delays_nothing(void **state) {
  (void)state;
  static const char *const escaped[] = {"setsid", "setsid-flood"};
  for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++) {
    host_t h;
    open_host(&h);
    h.options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
    host_spawn(&h, "exits", "spawn-grandchild", escaped[i], "0");
    assert_int_equal(host_wait(&h, "exits", PM_EVENT_EXIT, 1)->code, 0);
    int first = host_grandchild(&h, "exits");
    assert_state(&h, "exits", "stopped", "exited");

    host_spawn(&h, "stops", "spawn-grandchild", escaped[i]);
    int second = host_grandchild(&h, "stops");
    answer_t a;
    host_stop(&h, "stops", 60000, &a);
    assert_true(host_answer(&h, &a));
    assert_true(host_wait(&h, "stops", PM_EVENT_STOP, 1)->stop.gone);
    assert_true(is_running(first));
    assert_true(is_running(second));
    end_stray(first);
    end_stray(second);
    host_wait_idle(&h);
    host_close(&h);
  }
}

/* ---- stops that meet other things --------------------------------------------------- */

static void test_during_backoff(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_AUTO_RESTART] = 1;
  h.options.value[PM_OPT_RESTART_DELAY] = 100000;
  h.options.value[PM_OPT_MAX_RESTART_DELAY] = 100000;
  host_spawn(&h, "a", "exit-with", "1");
  const seen_t *backoff = host_wait(&h, "a", PM_EVENT_BACKOFF, 1);
  assert_true(backoff->delay == 100000);
  assert_state(&h, "a", "stopped", "backoff");
  answer_t a;
  host_stop(&h, "a", INFINITY, &a);
  assert_state(&h, "a", "stopped", "exited");
  assert_true(host_answer(&h, &a));
  const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
  assert_non_null(stop);
  assert_string_equal(stop->stop.step, "none");
  assert_true(stop->stop.gone);
  assert_true(stop->stop.duration == 0);
  host_turn(&h, 3);
  assert_false(h.active);
  host_close(&h);
}

static void test_takes_a_restart_back(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "slow-term", "30");
  host_wait_output(&h, "a", "ready\n");
  answer_t restart;
  answer_t stop;
  host_restart(&h, "a", &restart);
  host_stop(&h, "a", -1, &stop);
  assert_false(host_answer(&h, &restart));
  assert_true(host_answer(&h, &stop));
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 1);
  assert_int_equal(host_status(&h, "a").restarts, 0);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_sigterm),
      cmocka_unit_test(test_kill_after_timeout),
      cmocka_unit_test(test_timeout_zero_kills_at_once),
      cmocka_unit_test(test_own_timeout),
      cmocka_unit_test(test_no_deadline_until_hurried),
      cmocka_unit_test(test_second_stop_joins),
      cmocka_unit_test(test_of_ended),
      cmocka_unit_test(test_of_unknown),
      cmocka_unit_test(test_of_one_that_stopped_itself),
      cmocka_unit_test(test_rest_goes_with_the_command),
      cmocka_unit_test(test_rest_is_swept_after_an_exit),
      cmocka_unit_test(test_stop_while_sweeping),
      cmocka_unit_test(test_escapee_of_a_group_delays_nothing),
      cmocka_unit_test(test_during_backoff),
      cmocka_unit_test(test_takes_a_restart_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
