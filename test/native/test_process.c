/* The life of a process: starts, ends, ids, limits, records of what has ended. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

static void test_exit_codes(void **state) {
  (void)state;
  static const char *const codes[] = {"0", "1", "2", "127", "255"};
  host_t h;
  open_host(&h);
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    host_spawn(&h, codes[i], "exit-with", codes[i]);
    const seen_t *exit = host_wait(&h, codes[i], PM_EVENT_EXIT, 1);
    assert_int_equal(exit->code, atoi(codes[i]));
    assert_string_equal(exit->signal, "");
    assert_int_equal(exit->restarts, 0);
    assert_int_equal(exit->unsent, 0);
    assert_int_equal(exit->pid, host_find(&h, codes[i], PM_EVENT_SPAWN, 1)->pid);
    pm_status_t status = host_status(&h, codes[i]);
    assert_int_equal(status.exit_code, atoi(codes[i]));
    assert_null(status.exit_signal);
    assert_null(status.error);
    assert_int_equal(status.pid, 0);
    assert_true(status.uptime == 0);
    assert_state(&h, codes[i], "stopped", "exited");
  }
  host_close(&h);
}

static void test_exit_signals(void **state) {
  (void)state;
  static const struct {
    int number;
    const char *name;
  } signals[] = {{SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"}, {SIGSEGV, "SIGSEGV"},
                 {SIGABRT, "SIGABRT"}, {SIGPIPE, "SIGPIPE"}, {SIGTERM, "SIGTERM"}};
  host_t h;
  open_host(&h);
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
    char number[16];
    snprintf(number, sizeof(number), "%d", signals[i].number);
    host_spawn(&h, number, "die-by", number);
    const seen_t *exit = host_wait(&h, number, PM_EVENT_EXIT, 1);
    assert_int_equal(exit->code, -1);
    assert_string_equal(exit->signal, signals[i].name);
    assert_string_equal(host_status(&h, number).exit_signal, signals[i].name);
  }
  host_close(&h);
}

/* Everything from the call to the end, in its order; nothing before the call
 * has returned. */
static void test_order_of_a_life(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "say-ready");
  assert_int_equal(h.seen_count, 0);
  assert_true(h.active);
  assert_state(&h, "a", "running", "running");
  pm_status_t status = host_status(&h, "a");
  assert_true(is_running(status.pid));
  assert_int_equal(status.exit_code, -1);
  assert_string_equal(status.command.base + status.command.len - strlen("say-ready"), "say-ready");
  host_wait_output(&h, "a", "ready\n");
  assert_int_equal(h.seen_count, 1);
  assert_int_equal(h.seen[0]->kind, PM_EVENT_SPAWN);
  assert_int_equal(h.seen[0]->pid, status.pid);
  host_end(&h, "a");
  assert_int_equal(h.seen_count, 3);
  assert_int_equal(h.seen[1]->kind, PM_EVENT_EXIT);
  assert_int_equal(h.seen[2]->kind, PM_EVENT_STOP);
  host_turn(&h, 3);
  assert_false(h.active);
  assert_int_equal(h.active_calls, 2);
  host_close(&h);
}

static void test_killed_from_outside(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  kill(host_status(&h, "a").pid, SIGKILL);
  assert_string_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 0);
  host_close(&h);
}

static void test_cannot_be_started(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "/no/such/command");
  assert_state(&h, "a", "error", "failed");
  assert_int_equal(h.seen_count, 0);
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "ENOENT");
  assert_int_equal(error->error.err, UV_ENOENT);
  assert_string_equal(error->error.syscall, "execve");
  assert_string_equal(error->error.path, "/no/such/command");
  host_turn(&h, 3);
  assert_int_equal(h.seen_count, 1);
  assert_string_equal(host_status(&h, "a").error->code, "ENOENT");
  assert_int_equal(host_status(&h, "a").pid, 0);
  assert_false(h.active);
  host_close(&h);
}

/* ---- ids ------------------------------------------------------------------------- */

static void test_ids(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, NULL, "say-ready");
  assert_string_equal(h.id, "proc_1000");
  host_spawn(&h, "proc_1001", "say-ready");
  host_spawn(&h, NULL, "say-ready");
  assert_string_equal(h.id, "proc_1002");

  assert_int_equal(host_try_spawn(&h, "proc_1001", "say-ready"), UV_EEXIST);
  assert_string_equal(h.error.code, "ERR_ID_IN_USE");
  assert_non_null(strstr(h.error.message, "proc_1001"));
  assert_int_equal(host_try_spawn(&h, "", "say-ready"), UV_EINVAL);
  host_close(&h);
}

/* A new process under the id of an ended one knows nothing of the old. */
static void test_id_of_an_ended_one(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "exit-with", "9");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_spawn(&h, "a", "say-ready");
  pm_status_t status = host_status(&h, "a");
  assert_int_equal(status.exit_code, -1);
  assert_string_equal(status.state, "running");
  host_wait_output(&h, "a", "ready\n");
  host_end(&h, "a");

  host_spawn(&h, "a", "/no/such/command");
  host_wait(&h, "a", PM_EVENT_ERROR, 1);
  host_spawn(&h, "a", "exit-with", "0");
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 3)->code, 0);
  char *log = host_log(&h, "a", PM_STDOUT);
  assert_string_equal(log, "");
  free(log);
  host_close(&h);
}

static void test_remove(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "say-ready");
  assert_int_equal(pm_process_remove(h.m, str("a")), UV_EBUSY);
  host_wait_output(&h, "a", "ready\n");
  host_end(&h, "a");
  assert_int_equal(pm_process_remove(h.m, str("a")), 0);
  assert_false(host_knows(&h, "a"));
  assert_int_equal(pm_process_remove(h.m, str("a")), UV_ENOENT);

  /* Events of what is removed before they went out still name it. */
  host_spawn(&h, "b", "/no/such/command");
  assert_int_equal(pm_process_remove(h.m, str("b")), 0);
  host_wait(&h, "b", PM_EVENT_ERROR, 1);
  host_close(&h);
}

/* ---- limits ------------------------------------------------------------------------- */

static void test_max_processes(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_MAX_PROCESSES] = 2;
  host_open(&h);
  host_spawn(&h, "ended", "exit-with", "0");
  host_wait(&h, "ended", PM_EVENT_EXIT, 1);
  host_spawn(&h, "a", "say-ready");
  host_spawn(&h, "b", "say-ready");

  assert_int_equal(host_try_spawn(&h, "c", "say-ready"), UV_EAGAIN);
  assert_string_equal(h.error.code, "ERR_PROCESS_LIMIT");
  assert_false(host_knows(&h, "c"));
  const seen_t *limit = host_wait(&h, NULL, PM_EVENT_LIMIT, 1);
  assert_string_equal(limit->limit, "maxProcesses");
  assert_true(limit->value == 2);
  assert_string_equal(limit->id, "");

  answer_t a = {.host = &h};
  assert_int_equal(pm_process_restart(h.m, str("ended"), on_answer, &a, &h.error), UV_EAGAIN);
  assert_string_equal(h.error.code, "ERR_PROCESS_LIMIT");
  host_wait(&h, NULL, PM_EVENT_LIMIT, 2);
  assert_int_equal(a.times, 0);

  /* What lives may be restarted; what has ended makes room. */
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  host_end(&h, "b");
  host_spawn(&h, "c", "say-ready");
  host_close(&h);
}

static void max_ended(unsigned most) {
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_MAX_ENDED] = most;
  host_open(&h);
  static const char *const ids[] = {"0", "1", "2", "3", "4"};
  enum { COUNT = 5 };
  for (int i = 0; i < COUNT; i++) {
    host_spawn(&h, ids[i], "exit-with", ids[i]);
    assert_int_equal(host_wait(&h, ids[i], PM_EVENT_EXIT, 1)->code, i);
    host_turn(&h, 2);
  }
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(host_knows(&h, ids[i]), i + (int)most >= COUNT);

  /* One that could not be started counts too. */
  host_spawn(&h, "none", "/no/such/command");
  host_wait(&h, "none", PM_EVENT_ERROR, 1);
  assert_int_equal(host_knows(&h, "none"), most > 0);
  assert_int_equal(host_knows(&h, "4"), most > 1);
  host_close(&h);
}

static void test_max_ended(void **state) {
  (void)state;
  max_ended(0);
  max_ended(1);
  max_ended(3);
}

/* Stopped by somebody with maxEnded 0: the answer comes though the record goes. */
static void test_max_ended_zero_and_stop(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_MAX_ENDED] = 0;
  host_open(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  host_end(&h, "a");
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  assert_false(host_knows(&h, "a"));
  host_close(&h);
}

/* ---- lists ---------------------------------------------------------------------------- */

static void collect(void *arg, const pm_status_t *status) {
  strncat(arg, status->id.base, status->id.len);
}

static void test_list_is_in_order_of_spawning(void **state) {
  (void)state;
  host_t h;
  char ids[16] = "";
  open_host(&h);
  pm_manager_list(h.m, collect, ids);
  assert_string_equal(ids, "");
  host_spawn(&h, "c", "say-ready");
  host_spawn(&h, "a", "exit-with", "0");
  host_spawn(&h, "b", "say-ready");
  host_spawn(&h, "d", "/no/such/command");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  pm_manager_list(h.m, collect, ids);
  assert_string_equal(ids, "cabd");
  assert_int_equal(pm_process_remove(h.m, str("a")), 0);
  ids[0] = '\0';
  pm_manager_list(h.m, collect, ids);
  assert_string_equal(ids, "cbd");
  host_close(&h);
}

static void test_refuse_new(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "slow-term", "20");
  host_wait_output(&h, "a", "ready\n");
  answer_t restart;
  host_restart(&h, "a", &restart);
  pm_manager_refuse_new(h.m);
  assert_int_equal(host_try_spawn(&h, "b", "say-ready"), UV_ECANCELED);
  assert_string_equal(h.error.code, "ERR_MANAGER_CLOSED");
  answer_t other = {.host = &h};
  assert_int_equal(pm_process_restart(h.m, str("a"), on_answer, &other, &h.error), UV_ECANCELED);
  assert_false(host_answer(&h, &restart));
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(pm_process_restart(h.m, str("a"), on_answer, &other, &h.error), UV_ECANCELED);
  assert_int_equal(other.times, 0);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exit_codes),
      cmocka_unit_test(test_exit_signals),
      cmocka_unit_test(test_order_of_a_life),
      cmocka_unit_test(test_killed_from_outside),
      cmocka_unit_test(test_cannot_be_started),
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_id_of_an_ended_one),
      cmocka_unit_test(test_remove),
      cmocka_unit_test(test_max_processes),
      cmocka_unit_test(test_max_ended),
      cmocka_unit_test(test_max_ended_zero_and_stop),
      cmocka_unit_test(test_list_is_in_order_of_spawning),
      cmocka_unit_test(test_refuse_new),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
