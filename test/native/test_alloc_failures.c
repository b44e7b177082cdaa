/* Each allocation fails in turn, in whole scenarios: no crash, no leak, no hang, and every failure is reported. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "pm_fixture.h"

enum { MOST = 2000 };

/* Of all that is started. */
static pm_containment_t containment;

typedef struct scene {
  uv_loop_t loop;
  pm_manager_t *m;
  unsigned spawns, exits, outputs, errors, no_memory, answers_due, answers;
  bool active, idle, closed;
  pm_str_t log_file; /* of what is started */
} scene_t;

static void on_done(void *arg, bool result) {
  scene_t *s = arg;
  (void)result;
  s->answers++;
}

static void check(scene_t *s, int r, const pm_error_t *error) {
  if (r == 0) return;
  assert_int_equal(r, UV_ENOMEM);
  if (error) assert_string_equal(error->code, "ENOMEM");
  s->no_memory++;
}

static void stop_within(scene_t *s, const char *id, double timeout) {
  int r = pm_process_stop(s->m, str(id), timeout, on_done, s);
  if (r == UV_ENOENT) return;
  check(s, r, NULL);
  if (r == 0) s->answers_due++;
}

static void stop(scene_t *s, const char *id) {
  stop_within(s, id, 1000);
}

static void restart(scene_t *s, const char *id) {
  pm_error_t error;
  int r = pm_process_restart(s->m, str(id), on_done, s, &error);
  if (r == UV_ENOENT) return;
  check(s, r, &error);
  if (r == 0) s->answers_due++;
}

static void on_event(pm_manager_t *m, const pm_event_t *event) {
  scene_t *s = pm_manager_data(m);
  s->spawns += event->kind == PM_EVENT_SPAWN;
  s->exits += event->kind == PM_EVENT_EXIT;
  if (event->kind != PM_EVENT_ERROR) return;
  s->errors++;
  assert_non_null(event->error);
  assert_true(event->error->message[0] != '\0');
  s->no_memory += event->error->err == UV_ENOMEM;
}

static void on_output(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding) {
  scene_t *s = pm_manager_data(m);
  s->outputs++;
  (void)id;
  (void)stream;
  (void)bytes;
  (void)encoding;
}

static void on_lines(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                     pm_encoding_t encoding) {
  (void)m;
  (void)id;
  (void)stream;
  (void)lines;
  (void)count;
  (void)encoding;
}

static void on_messages(pm_manager_t *m, pm_str_t id, const pm_str_t *messages, size_t count, pm_messages_t mode,
                        pm_encoding_t encoding) {
  (void)m;
  (void)id;
  (void)messages;
  (void)count;
  (void)mode;
  (void)encoding;
}

static void on_strays(pm_manager_t *m, pm_str_t id, const pm_str_t *lines, size_t count, pm_encoding_t encoding) {
  (void)m;
  (void)id;
  (void)lines;
  (void)count;
  (void)encoding;
}

static void on_active(pm_manager_t *m, bool active) {
  scene_t *s = pm_manager_data(m);
  assert_true(active != s->active);
  s->active = active;
  s->idle = !active;
}

static void on_closed(void *arg) {
  scene_t *s = arg;
  s->closed = true;
}

static void spawn(scene_t *s, const char *id, const char *command, const char *arg, const pm_options_t *options) {
  const pm_env_var_t env[] = {{{"PATH", 4}, {"/usr/bin:/bin", 13}}, {{"A", 1}, {"1", 1}}};
  const pm_str_t args[] = {str(arg)};
  pm_config_t config = {.id = str(id),
                        .command = str(command),
                        .args = args,
                        .arg_count = 1,
                        .working_dir = options->value[PM_OPT_PRIVATE_WORKING_DIR] ? (pm_str_t){0} : str("/"),
                        .env = env,
                        .env_count = 2,
                        .log_file = s->log_file,
                        .options = *options};
  pm_str_t made;
  pm_error_t error;
  check(s, pm_process_spawn(s->m, &config, &made, &error), &error);
}

static void write_much(scene_t *s, const char *id) {
  static const char bytes[200000] = {[10] = '\n', [100000] = '\n'};
  pm_error_t error;
  bool flag;
  for (int i = 0; i < 2; i++) {
    int r = pm_process_write(s->m, str(id), (pm_str_t){bytes, sizeof(bytes) / 2}, &flag, &error);
    if (r != UV_ENOENT && r != UV_EPIPE) check(s, r, &error);
  }
  pm_process_close_stdin(s->m, str(id), &flag);
}

static void wait_until_idle(scene_t *s) {
  s->idle = !s->active;
  run_until(&s->loop, &s->idle);
}

/* ---- the scenarios ------------------------------------------------------------------- */

static void ends_by_itself(scene_t *s, pm_options_t *o) {
  spawn(s, "a", PM_FIXTURES "/echo-stdin", "x", o);
  write_much(s, "a");
  wait_until_idle(s);
}

static void cannot_be_started(scene_t *s, pm_options_t *o) {
  spawn(s, "a", "no-such-command", "x", o);
  spawn(s, "b", PM_FIXTURES "/no-such-file", "x", o);
  wait_until_idle(s);
}

static void fails_and_restarts(scene_t *s, pm_options_t *o) {
  o->value[PM_OPT_AUTO_RESTART] = 1;
  o->value[PM_OPT_MAX_RESTARTS] = 2;
  o->value[PM_OPT_RESTART_DELAY] = 1;
  spawn(s, "a", PM_FIXTURES "/exit-with", "1", o);
  wait_until_idle(s);
}

static void is_stopped_and_restarted(scene_t *s, pm_options_t *o) {
  o->value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  spawn(s, "a", PM_FIXTURES "/say-ready", "x", o);
  spawn(s, "b", PM_FIXTURES "/say-ready", "x", o);
  restart(s, "a");
  stop(s, "b");
  stop(s, "b");
  uv_run(&s->loop, UV_RUN_NOWAIT);
  stop(s, "a");
  restart(s, "b");
  for (int i = 0; i < 5; i++)
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void leaves_something(scene_t *s, pm_options_t *o) {
  o->value[PM_OPT_STOP_TIMEOUT] = 60000;
  spawn(s, "a", PM_FIXTURES "/spawn-grandchild", "ignore-term", o);
  spawn(s, "b", PM_FIXTURES "/spawn-grandchild", "ignore-term", o);
  /* Both have said that it is there, unless something has failed. */
  for (int i = 0; i < 200 && s->outputs < 2; i++) {
    uv_run(&s->loop, UV_RUN_NOWAIT);
    usleep(1000);
    if (s->no_memory > 0 && i > 10) break;
  }
  stop_within(s, "a", 0);
  stop_within(s, "b", 1);
  /* A stop may have been refused. */
  if (s->no_memory == 0) wait_until_idle(s);
}

static void many(scene_t *s, pm_options_t *o) {
  char id[16];
  for (int i = 0; i < 20; i++) {
    snprintf(id, sizeof(id), "%d", i);
    spawn(s, id, i % 4 ? "/no/such/file" : PM_FIXTURES "/exit-with", "0", o);
  }
  wait_until_idle(s);
}

static void send_message(scene_t *s, const char *id, const char *message) {
  pm_error_t error;
  bool ready;
  int r = pm_process_send(s->m, str(id), str(message), &ready, &error);
  if (r != UV_ENOENT && r != UV_EPIPE) check(s, r, &error);
}

static void count_line(void *arg, const pm_log_line_t *line) {
  assert_non_null(line->text.base);
  ++*(size_t *)arg;
}

static void query(scene_t *s, const char *id) {
  const pm_log_query_t q = {.lines = 100, .streams = 1 << PM_STDOUT | 1 << PM_STDERR, .search = str("a")};
  pm_log_answer_t answer;
  size_t lines = 0;
  int r = pm_process_log_query(s->m, str(id), &q, count_line, &lines, &answer);
  if (r == UV_ENOENT) return;
  check(s, r, NULL);
  assert_true(lines <= answer.last_seq);
}

/* Messages in and out, lines that go round the end of a small log and into a file, and
 * somebody who follows it. */
static void talks_in_messages(scene_t *s, pm_options_t *o) {
  static char large[9000];
  char directory[256];
  char path[300];
  bool closed;
  make_scratch(directory, sizeof(directory));
  snprintf(path, sizeof(path), "%s/log", directory);
  s->log_file = str(path);
  memset(large, 'a', sizeof(large) - 1);
  memcpy(large, "[\"", 2);
  memcpy(large + sizeof(large) - 3, "\"]", 2);
  o->value[PM_OPT_MESSAGES] = PM_MESSAGES_RAW;
  o->value[PM_OPT_MAX_LOG_BYTES] = 1024;
  spawn(s, "a", PM_FIXTURES "/echo-stdin", "x", o);
  pm_process_log_watch(s->m, str("a"), 0);
  for (int i = 0; i < 20; i++) {
    send_message(s, "a", "{\"a\":[1,2,3]}");
    send_message(s, "a", i % 5 ? "a stray" : large);
    if (i % 4 == 3) uv_run(&s->loop, UV_RUN_NOWAIT);
  }
  query(s, "a");
  pm_process_pause(s->m, str("a"), true);
  pm_process_pause(s->m, str("a"), false);
  pm_process_close_stdin(s->m, str("a"), &closed);
  wait_until_idle(s);
  query(s, "a");
  s->log_file = (pm_str_t){0};
  remove_scratch(directory);
}

/* A limit whose comparing takes memory; without any it may not be seen. */
static bool limit_was_seen;

static void uses_too_much_memory(scene_t *s, pm_options_t *o) {
  s->m->options.value[PM_OPT_MAX_TOTAL_MEMORY] = 8 << 20;
  o->value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  spawn(s, "a", PM_FIXTURES "/touch-memory", "24", o);
  uint64_t began = uv_hrtime();
  uint64_t patience = alloc_is_to_fail() ? UINT64_C(100000000) : UINT64_C(20000000000);
  while (s->exits == 0 && uv_hrtime() - began < patience && s->active) {
    uv_run(&s->loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  if (!alloc_is_to_fail()) limit_was_seen = s->exits == 1;
  spawn(s, "b", PM_FIXTURES "/touch-memory", "24", o);
  stop_within(s, "a", 0);
  stop_within(s, "b", 0);
}

/* Nothing is left, not even of what a keeper has lost: that would be the test's own
 * child (see main). The members of a group are killed, but not waited for. */
static void assert_nothing_left(bool kept) {
  for (int ms = 0; !kept && ms < 5000 && waitpid(-1, NULL, WNOHANG | __WALL) >= 0; ms++)
    usleep(1000);
  assert_no_child();
}

/* The manager itself may not come about; everything else must go on without
 * whatever failed, and close. */
static unsigned play(void (*scenario)(scene_t *s, pm_options_t *o)) {
  const pm_callbacks_t callbacks = {.on_event = on_event,
                                    .on_output = on_output,
                                    .on_lines = on_lines,
                                    .on_messages = on_messages,
                                    .on_strays = on_strays,
                                    .on_active = on_active};
  pm_manager_config_t config = {.portable = wants_portable()};
  scene_t s = {0};
  pm_options_t options;
  pm_error_t error;
  pm_options_init(&config.options);
  options = config.options;
  options.value[PM_OPT_CONTAINMENT] = containment;
  assert_int_equal(uv_loop_init(&s.loop), 0);
  int r = wants_keeper() ? pm_keeper_open(PM_KEEPER, &config.keeper, &error) : 0;
  bool kept = config.keeper != NULL;
  check(&s, r, &error);
  if (r != 0) config.keeperless = &error;
  r = pm_manager_new(&s.loop, &config, &callbacks, &s, &s.m);
  pm_keeper_unref(config.keeper);
  check(&s, r, NULL);
  if (r == 0) {
    pm_manager_listen(s.m, LISTEN_ALL);
    scenario(&s, &options);
    pm_manager_close(s.m, on_closed, &s);
    assert_int_equal(s.answers, s.answers_due);
    run_until(&s.loop, &s.closed);
  }
  assert_int_equal(s.answers, s.answers_due);
  assert_loop_closes(&s.loop);
  assert_nothing_left(kept);
  return s.no_memory;
}

static void fail_each_with(void (*scenario)(scene_t *s, pm_options_t *o), void (*make_fail)(unsigned long n)) {
  signal(SIGPIPE, SIG_IGN);
  alloc_fail_nth(0);
  assert_int_equal(play(scenario), 0);
  int before = count_descriptors();
  unsigned long most = is_light("allocations after the 25th") ? 25 : MOST;
  unsigned long n = 0;
  unsigned reported = 0;
  do {
    make_fail(++n);
    reported += play(scenario) > 0;
    assert_int_equal(count_descriptors(), before);
  } while (alloc_seen() >= n && n < most);
  assert_true(n > 5 && n < MOST);
  assert_true(reported > 3);
  alloc_fail_nth(0);
}

static void fail_each(void (*scenario)(scene_t *s, pm_options_t *o)) {
  const pm_containment_t last = wants_keeper() ? PM_CONTAINMENT_NESTED : PM_CONTAINMENT_TREE;
  for (containment = PM_CONTAINMENT_TREE; containment <= last; containment++) {
    fail_each_with(scenario, alloc_fail_nth);
    fail_each_with(scenario, alloc_fail_from);
  }
}

static void test_ends_by_itself(void **state) {
  (void)state;
  fail_each(ends_by_itself);
}

static void test_cannot_be_started(void **state) {
  (void)state;
  fail_each(cannot_be_started);
}

static void test_fails_and_restarts(void **state) {
  (void)state;
  fail_each(fails_and_restarts);
}

static void test_is_stopped_and_restarted(void **state) {
  (void)state;
  fail_each(is_stopped_and_restarted);
}

static void test_leaves_something(void **state) {
  (void)state;
  fail_each(leaves_something);
}

static void test_many(void **state) {
  (void)state;
  fail_each(many);
}

static void test_talks_in_messages(void **state) {
  (void)state;
  fail_each(talks_in_messages);
}

static void test_uses_too_much_memory(void **state) {
  (void)state;
  fail_each(uses_too_much_memory);
  assert_true(limit_was_seen);
}

int main(void) {
  if (wants_keeper()) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ends_by_itself),     cmocka_unit_test(test_cannot_be_started),
      cmocka_unit_test(test_fails_and_restarts), cmocka_unit_test(test_is_stopped_and_restarted),
      cmocka_unit_test(test_leaves_something),   cmocka_unit_test(test_many),
      cmocka_unit_test(test_talks_in_messages),  cmocka_unit_test(test_uses_too_much_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
