/* Restarts: those that somebody asks for, and those after a failure. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  host_open(h);
}

/* ---- on request -------------------------------------------------------------------- */

static void test_of_running(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  int first = host_status(&h, "a").pid;
  answer_t a;
  host_restart(&h, "a", &a);
  assert_state(&h, "a", "stopped", "stopping");
  assert_true(host_answer(&h, &a));
  const pm_event_kind_t kinds[] = {PM_EVENT_SPAWN, PM_EVENT_EXIT, PM_EVENT_STOP, PM_EVENT_SPAWN, PM_EVENT_RESTART};
  assert_int_equal(h.seen_count, 5);
  for (int i = 0; i < 5; i++)
    assert_int_equal(h.seen[i]->kind, kinds[i]);
  assert_int_equal(h.seen[1]->restarts, 0);
  assert_int_equal(h.seen[3]->restarts, 1);
  assert_int_equal(h.seen[4]->restarts, 1);
  pm_status_t status = host_status(&h, "a");
  assert_int_equal(h.seen[4]->pid, status.pid);
  assert_int_not_equal(status.pid, first);
  assert_int_equal(status.restarts, 1);
  assert_string_equal(status.state, "running");
  assert_false(is_running(first));
  host_close(&h);
}

static void test_of_ended_and_failed(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "exit-with", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_state(&h, "a", "stopped", "exited");
  answer_t a;
  host_restart(&h, "a", &a);
  assert_int_equal(a.times, 0);
  assert_state(&h, "a", "running", "running");
  assert_true(host_answer(&h, &a));
  host_wait(&h, "a", PM_EVENT_EXIT, 2);
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 0);

  h.options.value[PM_OPT_AUTO_RESTART] = 0;
  host_spawn(&h, "none", "/no/such/command");
  host_restart(&h, "none", &a);
  assert_false(host_answer(&h, &a));
  assert_state(&h, "none", "error", "failed");
  assert_int_equal(host_count(&h, "none", PM_EVENT_ERROR), 2);
  assert_int_equal(host_count(&h, "none", PM_EVENT_RESTART), 0);
  assert_int_equal(host_status(&h, "none").restarts, 1);
  host_close(&h);
}

/* A wait for a restart is cut short. */
static void test_during_backoff(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_RESTART_DELAY] = h.options.value[PM_OPT_MAX_RESTART_DELAY] = 1e6;
  h.options.value[PM_OPT_MAX_RESTARTS] = 1;
  host_spawn(&h, "a", "exit-with", "1");
  host_wait(&h, "a", PM_EVENT_BACKOFF, 1);
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  /* The count of failures began anew: another wait, no giving up. */
  assert_int_equal(host_wait(&h, "a", PM_EVENT_BACKOFF, 2)->restarts, 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_LIMIT), 0);
  host_end(&h, "a");
  host_close(&h);
}

static void test_during_stop(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "slow-term", "20");
  host_wait_output(&h, "a", "ready\n");
  answer_t stop;
  answer_t restart;
  answer_t second;
  host_stop(&h, "a", -1, &stop);
  host_restart(&h, "a", &restart);
  host_restart(&h, "a", &second);
  assert_true(host_answer(&h, &stop));
  assert_true(host_answer(&h, &restart));
  assert_true(host_answer(&h, &second));
  assert_true(stop.after <= restart.after);
  assert_int_equal(host_status(&h, "a").restarts, 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  host_close(&h);
}

/* While what an ended command left behind is being ended. */
static void test_while_sweeping(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = 50;
  host_spawn(&h, "a", "spawn-grandchild", "ignore-term", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  int pid = host_grandchild(&h, "a");
  assert_state(&h, "a", "stopped", "stopping");
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  assert_false(is_running(pid));
  assert_int_equal(host_find(&h, "a", PM_EVENT_RESTART, 1)->restarts, 1);
  host_wait(&h, "a", PM_EVENT_EXIT, 2);
  host_wait_idle(&h);
  host_close(&h);
}

/* ---- after a failure ------------------------------------------------------------------- */

static void test_until_it_works(void **state) {
  (void)state;
  host_t h;
  char dir[256];
  char file[300];
  make_scratch(dir, sizeof(dir));
  snprintf(file, sizeof(file), "%s/starts", dir);
  open_host(&h);
  h.options.value[PM_OPT_RESTART_FACTOR] = 3;
  host_spawn(&h, "a", "crash-until", file, "3");
  host_wait_output(&h, "a", "ready\n");
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 4);
  assert_int_equal(host_count(&h, "a", PM_EVENT_RESTART), 3);
  for (size_t i = 1; i <= 3; i++) {
    const double delays[] = {1, 3, 9};
    const seen_t *exit = host_find(&h, "a", PM_EVENT_EXIT, i);
    const seen_t *backoff = host_find(&h, "a", PM_EVENT_BACKOFF, i);
    const seen_t *spawn = host_find(&h, "a", PM_EVENT_SPAWN, i + 1);
    const seen_t *restart = host_find(&h, "a", PM_EVENT_RESTART, i);
    assert_int_equal(exit->code, 1);
    assert_int_equal(exit->restarts, i - 1);
    assert_true(backoff->delay == delays[i - 1]);
    assert_int_equal(restart->restarts, i);
    assert_int_equal(host_place(&h, backoff), host_place(&h, exit) + 1);
    assert_int_equal(host_place(&h, spawn), host_place(&h, backoff) + 1);
    assert_int_equal(host_place(&h, restart), host_place(&h, spawn) + 1);
  }
  assert_int_equal(host_status(&h, "a").restarts, 3);
  assert_state(&h, "a", "running", "running");
  host_close(&h);
  remove_scratch(dir);
}

static void test_gives_up(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_RESTARTS] = 2;
  host_spawn(&h, "a", "exit-with", "5");
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  const seen_t *limit = host_find(&h, "a", PM_EVENT_LIMIT, 1);
  assert_string_equal(error->error.code, "ERR_RESTART_LIMIT");
  assert_non_null(strstr(error->error.message, "exit code 5"));
  assert_string_equal(limit->limit, "maxRestarts");
  assert_true(limit->value == 2);
  assert_int_equal(host_place(&h, limit) + 1, host_place(&h, error));
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 3);
  assert_int_equal(host_count(&h, "a", PM_EVENT_BACKOFF), 2);
  assert_state(&h, "a", "error", "failed");
  assert_int_equal(host_status(&h, "a").restarts, 2);
  assert_int_equal(host_status(&h, "a").exit_code, 5);
  assert_string_equal(host_status(&h, "a").error->code, "ERR_RESTART_LIMIT");
  host_pass_time(&h, 30);
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 3);
  assert_false(h.active);

  /* A request starts it anew, with its tries; the count goes on. */
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  assert_null(host_status(&h, "a").error);
  host_wait(&h, "a", PM_EVENT_ERROR, 2);
  assert_int_equal(host_status(&h, "a").restarts, 5);
  host_close(&h);
}

static void test_no_restarts_allowed(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_RESTARTS] = 0;
  host_spawn(&h, "a", "die-by", "9");
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  assert_non_null(strstr(error->error.message, "signal 9"));
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 1);
  host_close(&h);
}

static void test_never_after_success_or_stop(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "ok", "exit-with", "0");
  host_wait(&h, "ok", PM_EVENT_EXIT, 1);
  host_spawn(&h, "stopped", "say-ready");
  host_wait_output(&h, "stopped", "ready\n");
  host_end(&h, "stopped");
  host_pass_time(&h, 20);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_BACKOFF), 0);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_SPAWN), 2);
  assert_state(&h, "ok", "stopped", "exited");
  assert_state(&h, "stopped", "stopped", "exited");
  host_close(&h);
}

/* Off: nothing of the kind, whatever the end. */
static void test_only_when_wanted(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_AUTO_RESTART] = 0;
  host_spawn(&h, "a", "exit-with", "1");
  host_spawn(&h, "b", "/no/such/command");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_pass_time(&h, 20);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_SPAWN), 1);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_LIMIT), 0);
  assert_state(&h, "a", "stopped", "exited");
  assert_state(&h, "b", "error", "failed");
  host_close(&h);
}

static void test_failed_starts_count(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_RESTARTS] = 2;
  h.options.value[PM_OPT_STABLE_AFTER] = 0;
  host_spawn(&h, "a", "/no/such/command");
  assert_state(&h, "a", "error", "backoff");
  host_wait(&h, "a", PM_EVENT_LIMIT, 1);
  host_wait(&h, "a", PM_EVENT_ERROR, 4);
  for (size_t i = 1; i <= 3; i++)
    assert_string_equal(host_find(&h, "a", PM_EVENT_ERROR, i)->error.code, "ENOENT");
  const seen_t *last = host_find(&h, "a", PM_EVENT_ERROR, 4);
  assert_string_equal(last->error.code, "ERR_RESTART_LIMIT");
  assert_non_null(strstr(last->error.message, "ENOENT"));
  assert_int_equal(host_count(&h, "a", PM_EVENT_BACKOFF), 2);
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 0);
  assert_int_equal(host_status(&h, "a").restarts, 2);
  host_close(&h);
}

/* With stableAfter 0 every start that came about was stable: no end of tries. */
static void test_stable_resets(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_RESTARTS] = 1;
  h.options.value[PM_OPT_STABLE_AFTER] = 0;
  host_spawn(&h, "a", "exit-with", "1");
  host_wait(&h, "a", PM_EVENT_EXIT, 5);
  for (size_t i = 1; i <= 4; i++)
    assert_true(host_find(&h, "a", PM_EVENT_BACKOFF, i)->delay == 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_LIMIT), 0);
  uint64_t before = 0;
  for (size_t i = 1; host_find(&h, "a", PM_EVENT_SPAWN, i); i++) {
    uint64_t restarts = host_find(&h, "a", PM_EVENT_SPAWN, i)->restarts;
    assert_int_equal(restarts, i - 1);
    assert_true(restarts >= before);
    before = restarts;
  }
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  assert_true(host_status(&h, "a").restarts > before);
  host_end(&h, "a");
  host_close(&h);
}

/* Logs go on over restarts. */
static void test_logs_are_kept(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_RESTARTS] = 2;
  host_spawn(&h, "a", "spawn-grandchild", "stay", "1");
  host_wait(&h, "a", PM_EVENT_LIMIT, 1);
  char *log = host_log(&h, "a", PM_STDOUT);
  int lines = 0;
  for (const char *at = log; *at; at++)
    lines += *at == '\n';
  assert_int_equal(lines, 3);
  free(log);
  host_close(&h);
}

static void restart_in_answer(void *arg, bool result) {
  host_t *h = arg;
  (void)result;
  assert_int_equal(pm_process_restart(h->m, str("a"), on_answer, h->arg, &h->error), 0);
}

static void stop_the_ended(uv_timer_t *timer) {
  host_t *h = timer->data;
  assert_int_equal(pm_process_stop(h->m, str("b"), 0, restart_in_answer, h), 0);
  uv_close((uv_handle_t *)timer, NULL);
}

/* The deadline of a wait is due, and what is delivered before it is looked at
 * begins another wait: that one has a deadline of its own. */
static void test_deadline_of_an_earlier_wait(void **state) {
  (void)state;
  enum { DELAY = 100 };
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_RESTART_DELAY] = DELAY;
  h.options.value[PM_OPT_RESTART_JITTER] = 0;
  host_spawn(&h, "b", "exit-with", "0");
  host_wait(&h, "b", PM_EVENT_EXIT, 1);
  answer_t answer = {.host = &h};
  h.arg = &answer;
  /* Due before the deadline of the wait, but in the same turn of the loop, since
   * that does not turn in between. */
  uv_timer_t timer;
  uv_timer_init(&h.loop, &timer);
  timer.data = &h;
  uv_timer_start(&timer, stop_the_ended, DELAY / 2, 0);
  host_spawn(&h, "a", "/no/such/command");
  usleep(2 * DELAY * 1000);
  uv_run(&h.loop, UV_RUN_NOWAIT);
  assert_int_equal(host_status(&h, "a").restarts, 1);
  assert_state(&h, "a", "error", "backoff");
  assert_false(host_answer(&h, &answer));
  host_wait(&h, "a", PM_EVENT_ERROR, 3);
  host_close(&h);
}

/* The same, and it is running then: that has no deadline. */
static void test_deadline_of_what_runs_again(void **state) {
  (void)state;
  enum { DELAY = 100 };
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_RESTART_DELAY] = DELAY;
  h.options.value[PM_OPT_RESTART_JITTER] = 0;
  host_spawn(&h, "b", "exit-with", "0");
  host_wait(&h, "b", PM_EVENT_EXIT, 1);
  answer_t answer = {.host = &h};
  h.arg = &answer;
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  assert_int_equal(pm_process_signal(h.m, str("a"), SIGKILL, true), 0);
  host_wait(&h, "a", PM_EVENT_BACKOFF, 1);
  uv_timer_t timer;
  uv_timer_init(&h.loop, &timer);
  timer.data = &h;
  uv_timer_start(&timer, stop_the_ended, DELAY / 2, 0);
  usleep(2 * DELAY * 1000);
  uv_run(&h.loop, UV_RUN_NOWAIT);
  assert_state(&h, "a", "running", "running");
  assert_true(host_answer(&h, &answer));
  host_wait_output(&h, "a", "ready\nready\n");
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  host_end(&h, "a");
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 2);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_of_running),
      cmocka_unit_test(test_of_ended_and_failed),
      cmocka_unit_test(test_during_backoff),
      cmocka_unit_test(test_during_stop),
      cmocka_unit_test(test_while_sweeping),
      cmocka_unit_test(test_until_it_works),
      cmocka_unit_test(test_gives_up),
      cmocka_unit_test(test_no_restarts_allowed),
      cmocka_unit_test(test_never_after_success_or_stop),
      cmocka_unit_test(test_only_when_wanted),
      cmocka_unit_test(test_failed_starts_count),
      cmocka_unit_test(test_stable_resets),
      cmocka_unit_test(test_logs_are_kept),
      cmocka_unit_test(test_deadline_of_an_earlier_wait),
      cmocka_unit_test(test_deadline_of_what_runs_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
