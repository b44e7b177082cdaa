/* The manager's own life: closing at every step of its processes' lives, references, the last resort. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>

#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

/* ---- closing ------------------------------------------------------------------------- */

static answer_t answer;

static void just_spawned(host_t *h) {
  host_spawn(h, "a", "say-ready");
}

static void running(host_t *h) {
  host_spawn(h, "a", "say-ready");
  host_wait_output(h, "a", "ready\n");
}

static void ignoring(host_t *h) {
  host_spawn(h, "a", "ignore-term");
  host_wait_output(h, "a", "ready\n");
}

static void stopping(host_t *h) {
  ignoring(h);
  host_stop(h, "a", INFINITY, &answer);
  host_turn(h, 3);
}

static void restarting(host_t *h) {
  ignoring(h);
  host_restart(h, "a", &answer);
}

static void waiting(host_t *h) {
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  h->options.value[PM_OPT_RESTART_DELAY] = 30000;
  host_spawn(h, "a", "exit-with", "1");
  host_wait(h, "a", PM_EVENT_BACKOFF, 1);
}

static void failed(host_t *h) {
  host_spawn(h, "a", "/no/such/command");
  host_wait(h, "a", PM_EVENT_ERROR, 1);
}

static void failed_unsaid(host_t *h) {
  host_spawn(h, "a", "/no/such/command");
}

static void ended(host_t *h) {
  host_spawn(h, "a", "exit-with", "0");
  host_wait(h, "a", PM_EVENT_EXIT, 1);
}

static void sweeping(host_t *h) {
  host_spawn(h, "a", "spawn-grandchild", "ignore-term", "0");
  host_wait(h, "a", PM_EVENT_EXIT, 1);
}

static void with_group(host_t *h) {
  host_spawn(h, "a", "spawn-grandchild", "ignore-term");
  host_grandchild(h, "a");
}

static void removing(host_t *h) {
  h->options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  host_spawn(h, "a", "fill-directory", "/tmp");
  host_wait_output(h, "a", "\n");
  answer_t a;
  host_stop(h, "a", -1, &a);
  host_answer(h, &a);
}

static void writing(host_t *h) {
  static const char bytes[500000];
  bool ready;
  host_spawn(h, "a", "never-read-stdin");
  assert_int_equal(pm_process_write(h->m, str("a"), (pm_str_t){bytes, sizeof(bytes)}, &ready, &h->error), 0);
}

static void flooding(host_t *h) {
  h->forgetful = true;
  host_spawn(h, "a", "flood", "1000000000", "100");
  while (host_output(h, "a", PM_STDOUT)->calls < 3)
    host_turn(h, 1);
}

static void stopped_answer_due(host_t *h) {
  ended(h);
  host_stop(h, "a", -1, &answer);
}

static void nothing(host_t *h) {
  (void)h;
}

static const struct {
  const char *name;
  void (*prepare)(host_t *h);
} steps[] = {{"nothing", nothing},
             {"just spawned", just_spawned},
             {"running", running},
             {"ignoring", ignoring},
             {"stopping", stopping},
             {"restarting", restarting},
             {"waiting", waiting},
             {"failed", failed},
             {"failed, not said", failed_unsaid},
             {"ended", ended},
             {"sweeping", sweeping},
             {"with a group", with_group},
             {"removing", removing},
             {"writing", writing},
             {"flooding", flooding},
             {"answer due", stopped_answer_due}};

static void test_close_at_every_step(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    host_t h;
    open_host(&h);
    answer = (answer_t){0};
    steps[i].prepare(&h);
    pm_status_t status = {0};
    if (host_knows(&h, "a")) status = host_status(&h, "a");
    const record_t *output = host_output(&h, "a", PM_STDOUT);
    int grandchild = strstr(output->bytes, "grandchild ") ? host_grandchild(&h, "a") : 0;
    host_begin_closing(&h);
    /* Those under way are answered from within the call. */
    if (answer.host) assert_int_equal(answer.times, 1);
    host_close(&h);
    if (answer.host) assert_int_equal(answer.times, 1);
    if (status.pid) assert_false(is_running(status.pid));
    if (grandchild) wait_until_ended(grandchild);
  }
}

/* What has left the session is ended with its keeper: it is gone when the manager
 * says that it is closed. */
static void test_close_with_escapees(void **state) {
  (void)state;
  static const char *const modes[] = {"setsid-ignore", "setsid-flood"};
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = 60000;
  host_spawn(&h, "exited", "spawn-grandchild", "setsid-ignore", "0");
  host_wait(&h, "exited", PM_EVENT_EXIT, 1);
  int pids[3] = {host_grandchild(&h, "exited")};
  for (int i = 0; i < 2; i++) {
    host_spawn(&h, modes[i], "spawn-grandchild", modes[i]);
    pids[1 + i] = host_grandchild(&h, modes[i]);
  }
  bool kept = is_kept(&h, "exited");
  host_close(&h);
  /* One that floods a pipe ends of that in any case. */
  for (int i = 0; i < 2; i++) {
    assert_int_equal(is_running(pids[i]), !kept);
    if (!kept) end_stray(pids[i]);
  }
  if (kept) assert_false(is_running(pids[2]));
  wait_until_ended(pids[2]);
}

/* Pipes that something out of reach holds do not hold up the close. */
static void test_close_with_lingering_pipes(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
  host_spawn(&h, "a", "spawn-grandchild", "setsid", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_spawn(&h, "b", "spawn-grandchild", "setsid-flood");
  int first = host_grandchild(&h, "a");
  int second = host_grandchild(&h, "b");
  assert_true(h.active);
  host_close(&h);
  assert_true(is_running(first));
  end_stray(first);
  wait_until_ended(second); /* EPIPE */
}

/* An answer that close gives may itself call. */
typedef struct caller {
  host_t *h;
  unsigned answers;
  int results[3];
  answer_t inner[2];
} caller_t;

static void call_from_answer(void *arg, bool result) {
  caller_t *c = arg;
  assert_false(result);
  c->answers++;
  c->inner[0] = c->inner[1] = (answer_t){.host = c->h};
  c->results[0] = pm_process_stop(c->h->m, str("a"), 0, on_answer, &c->inner[0]);
  c->results[1] = pm_process_restart(c->h->m, str("a"), on_answer, &c->inner[1], &c->h->error);
  c->results[2] = host_try_spawn(c->h, "new", "say-ready");
}

static void test_calls_from_the_answers_of_close(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  ignoring(&h);
  caller_t c = {.h = &h};
  assert_int_equal(pm_process_stop(h.m, str("a"), INFINITY, call_from_answer, &c), 0);
  host_turn(&h, 2);
  host_begin_closing(&h);
  assert_int_equal(c.answers, 1);
  /* Accepted calls are answered, refused ones are not. */
  assert_int_equal(c.inner[0].times, c.results[0] == 0);
  assert_int_equal(c.inner[1].times, c.results[1] == 0);
  assert_int_equal(c.results[1] == UV_ENOENT || c.results[1] == UV_ECANCELED, 1);
  assert_int_equal(c.results[2], UV_ECANCELED);
  host_close(&h);
}

static void test_many_at_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  for (int i = 0; i < 60; i++)
    host_spawn(&h, NULL, i % 3 ? "say-ready" : "ignore-term");
  host_turn(&h, 1);
  host_close(&h);
}

/* ---- the last resort --------------------------------------------------------------------- */

static void test_kill_all(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  ignoring(&h);
  host_spawn(&h, "b", "spawn-grandchild", "ignore-term");
  int pid = host_status(&h, "a").pid;
  int grandchild = host_grandchild(&h, "b");
  size_t seen = h.seen_count;
  pm_manager_kill_all(h.m);
  pm_manager_kill_all(h.m);
  wait_until_ended(pid);
  wait_until_ended(grandchild);
  assert_int_equal(h.seen_count, seen);
  assert_int_equal(host_try_spawn(&h, "c", "say-ready"), UV_ECANCELED);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_string_equal(host_wait(&h, "b", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  host_close(&h);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Three pipes; a pidfd; the socket to a keeper. (Another one for its metrics, once
 * somebody has asked for them.) */
static int descriptors_of_one(host_t *h, const char *id) {
  bool is_clone = strcmp(pm_manager_backend(h->m), "clone") == 0;
  return 3 + is_clone + is_kept(h, id);
}

static void test_descriptors(void **state) {
  (void)state;
  enum { MANY = 5 };
  host_t h;
  char id[2] = "0";
  open_host(&h);
  host_spawn(&h, "first", "say-ready");
  host_wait_output(&h, "first", "ready\n");
  int most = descriptors_of_one(&h, "first");
  host_end(&h, "first");
  host_wait_idle(&h);
  int before = count_descriptors();
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('0' + i);
    host_spawn(&h, id, "say-ready");
    host_wait_output(&h, id, "ready\n");
    assert_int_equal(count_descriptors(), before + (i + 1) * most);
  }
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('0' + i);
    host_end(&h, id);
  }
  host_wait_idle(&h);
  assert_int_equal(count_descriptors(), before);
  host_close(&h);
}

/* ---- references ---------------------------------------------------------------------------- */

static void test_ref_and_unref(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  assert_false(uv_loop_alive(&h.loop));
  h.options.value[PM_OPT_AUTO_RESTART] = 1;
  h.options.value[PM_OPT_RESTART_DELAY] = 30000;
  host_spawn(&h, "waits", "exit-with", "1");
  host_wait(&h, "waits", PM_EVENT_BACKOFF, 1);
  running(&h);
  assert_true(uv_loop_alive(&h.loop));
  pm_manager_unref(h.m);
  assert_false(uv_loop_alive(&h.loop));
  host_spawn(&h, "later", "say-ready");
  host_turn(&h, 2);
  assert_int_equal(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
  assert_state(&h, "a", "running", "running");

  pm_manager_ref(h.m);
  pm_manager_ref(h.m);
  assert_true(uv_loop_alive(&h.loop));
  host_end(&h, "waits");
  host_end(&h, "later");
  assert_true(uv_loop_alive(&h.loop));
  host_end(&h, "a");
  /* Nothing lives: the loop ends by itself. */
  assert_int_equal(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
  host_close(&h);
}

static void give_loop_back(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

/* What an ended command left behind, and its pipes, hold no host that has let
 * the manager go. */
static void test_unref_while_sweeping(void **state) {
  (void)state;
  host_t h;
  uv_timer_t limit = {0};
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = 60000;
  host_spawn(&h, "a", "spawn-grandchild", "hold-ignore", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  int pid = host_grandchild(&h, "a");
  assert_state(&h, "a", "stopped", "stopping");
  assert_true(uv_loop_alive(&h.loop));
  pm_manager_unref(h.m);
  uv_timer_init(&h.loop, &limit);
  uv_unref((uv_handle_t *)&limit);
  uv_timer_start(&limit, give_loop_back, 5000, 0);
  assert_int_equal(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
  uv_close((uv_handle_t *)&limit, NULL);
  assert_state(&h, "a", "stopped", "stopping");
  assert_true(is_running(pid));

  pm_manager_ref(h.m);
  assert_true(uv_loop_alive(&h.loop));
  answer_t a;
  host_stop(&h, "a", 10, &a);
  assert_true(host_answer(&h, &a));
  assert_false(is_running(pid));
  host_close(&h);
}

static void set_flag(void *flag) {
  *(bool *)flag = true;
}

static void test_two_on_one_loop(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  pm_manager_t *first = h.m;
  const pm_callbacks_t callbacks = {0};
  pm_keeper_t *keeper = open_keeper();
  const pm_manager_config_t config = {.options = h.options, .portable = wants_portable(), .keeper = keeper};
  pm_manager_t *second;
  assert_int_equal(pm_manager_new(&h.loop, &config, &callbacks, NULL, &second), 0);
  pm_keeper_unref(keeper);
  assert_null(pm_manager_data(second));
  assert_ptr_equal(pm_manager_data(first), &h);
  bool closed = false;
  running(&h);
  pm_manager_close(second, set_flag, &closed);
  run_until(&h.loop, &closed);
  assert_state(&h, "a", "running", "running");
  host_close(&h);
}

static void test_backend(void **state) {
  (void)state;
  host_t h;
  const char *wanted = getenv("MCP_PROCESS_MANAGER_SPAWN");
  char *before = wanted ? strdup(wanted) : NULL;
  setenv("MCP_PROCESS_MANAGER_SPAWN", "portable", 1);
  open_host(&h);
  assert_string_equal(pm_manager_backend(h.m), "uv_spawn");
  host_close(&h);
  setenv("MCP_PROCESS_MANAGER_SPAWN", "anything", 1);
  open_host(&h);
  print_message("the backend of this system: %s\n", pm_manager_backend(h.m));
  host_close(&h);
  if (before)
    setenv("MCP_PROCESS_MANAGER_SPAWN", before, 1);
  else
    unsetenv("MCP_PROCESS_MANAGER_SPAWN");
  free(before);
  assert_int_equal(pm_check_libuv(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_close_at_every_step),
      cmocka_unit_test(test_close_with_escapees),
      cmocka_unit_test(test_close_with_lingering_pipes),
      cmocka_unit_test(test_calls_from_the_answers_of_close),
      cmocka_unit_test(test_many_at_once),
      cmocka_unit_test(test_kill_all),
      cmocka_unit_test(test_descriptors),
      cmocka_unit_test(test_ref_and_unref),
      cmocka_unit_test(test_unref_while_sweeping),
      cmocka_unit_test(test_two_on_one_loop),
      cmocka_unit_test(test_backend),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
