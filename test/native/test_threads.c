/* Several loops in threads of one process, each with a manager of its own, at the same time. */
#define _GNU_SOURCE
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "pm_fixture.h"

enum { THREADS = 3, ROUNDS = 15 };

/* Asserts of the fixture would jump out of the wrong thread: an abort says as
 * much here. */
static void require(bool right, const char *what) {
  if (right) return;
  fprintf(stderr, "test_threads: %s\n", what);
  abort();
}

typedef struct worker {
  uv_loop_t loop;
  pm_manager_t *m;
  unsigned exits, stops, lines, answers;
  bool stopped, closed;
} worker_t;

static void on_event(pm_manager_t *m, const pm_event_t *event) {
  worker_t *w = pm_manager_data(m);
  if (event->kind == PM_EVENT_EXIT) w->exits++;
  if (event->kind == PM_EVENT_STOP) w->stops++;
}

static void on_done(void *arg, bool result) {
  worker_t *w = arg;
  require(result, "a stop was not answered by true");
  w->answers++;
}

static void on_output(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding) {
  (void)m;
  (void)id;
  (void)stream;
  (void)bytes;
  (void)encoding;
}

/* What is ready is stopped, in two ways. */
static void on_lines(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                     pm_encoding_t encoding) {
  worker_t *w = pm_manager_data(m);
  (void)stream;
  (void)lines;
  (void)encoding;
  w->lines += (unsigned)count;
  require(pm_process_stop(m, id, w->lines % 2 ? INFINITY : 0, on_done, w) == 0, "a stop was refused");
}

static void on_active(pm_manager_t *m, bool active) {
  (void)m;
  (void)active;
}

static void on_closed(void *arg) {
  worker_t *w = arg;
  w->closed = true;
}

static void spawn(worker_t *w, const char *command, pm_options_t options) {
  pm_config_t config = {.command = str(command), .options = options};
  pm_str_t id;
  pm_error_t error;
  pm_status_t status;
  require(pm_process_spawn(w->m, &config, &id, &error) == 0, "a spawn was refused");
  require(pm_process_status(w->m, id, &status) == 0, "it is not known");
  require(strcmp(status.containment, wants_keeper() ? "tree" : "group") == 0, "another containment");
}

static void work(void *arg) {
  worker_t *w = arg;
  const pm_callbacks_t callbacks = {
      .on_event = on_event, .on_output = on_output, .on_lines = on_lines, .on_active = on_active};
  pm_manager_config_t config = {.portable = wants_portable(), .keeper = open_keeper()};
  pm_options_init(&config.options);
  config.options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  config.options.value[PM_OPT_MONITOR_INTERVAL] = 1;
  require(uv_loop_init(&w->loop) == 0, "no loop");
  require(pm_manager_new(&w->loop, &config, &callbacks, w, &w->m) == 0, "no manager");
  pm_keeper_unref(config.keeper);
  pm_manager_listen(w->m, PM_LISTEN_LINES | PM_LISTEN_STDOUT);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    spawn(w, PM_FIXTURES "/say-ready", config.options);
    spawn(w, PM_FIXTURES "/say-ready", config.options);
    spawn(w, "/no/such/command", config.options);
    while (w->answers < 2 * round)
      uv_run(&w->loop, UV_RUN_ONCE);
  }
  require(w->exits == 2 * ROUNDS && w->stops == 2 * ROUNDS && w->lines == 2 * ROUNDS, "an event is missing");
  spawn(w, PM_FIXTURES "/ignore-term", config.options);
  pm_manager_close(w->m, on_closed, w);
  while (!w->closed)
    uv_run(&w->loop, UV_RUN_ONCE);
  require(uv_loop_close(&w->loop) == 0, "the loop does not close");
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#ifdef UNDER_TSAN
/* TSan's own wrapper of clone takes every child for a fork with a memory of its
 * own, and in one that shares memory fails a check of its own. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...) {
  va_list more;
  va_start(more, arg);
  void *pidfd = va_arg(more, void *);
  va_end(more);
  return __clone(fn, stack, flags, arg, pidfd, NULL, NULL);
}

/* libuv closes descriptors by a system call that TSan does not see: to it, a
 * number that another thread gets next seems to be in use by two. Only what
 * opens and closes descriptors is named here. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void) {
  return "race:^uv_pipe$\nrace:^pipe2$\nrace:^opendir$\nrace:^closedir$\nrace:^open$\nrace:^openat$\nrace:^close$"
         "\nrace:^__interceptor_close$\n";
}

/* To match these it may start a symbolizer, which is a child with two pipes. */
enum { COUNTS_WHAT_IS_LEFT = 0 };
#else
enum { COUNTS_WHAT_IS_LEFT = 1 };
#endif

static void test_managers_in_threads(void **state) {
  (void)state;
  static worker_t workers[THREADS];
  uv_thread_t threads[THREADS];
  signal(SIGPIPE, SIG_IGN);
  /* What libuv opens once for the whole process. */
  workers[0] = (worker_t){0};
  work(&workers[0]);
  int before = count_descriptors();
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker_t){0};
    assert_int_equal(uv_thread_create(&threads[i], work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(uv_thread_join(&threads[i]), 0);
  if (!COUNTS_WHAT_IS_LEFT) return;
  assert_int_equal(count_descriptors(), before);
  assert_no_child();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_managers_in_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
