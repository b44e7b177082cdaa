/* How fast commands are started: maxSpawnsPerSecond, and the queue of those that wait. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/internal.h"
#include "pm_fixture.h"

/* Of them a few may be started at once: those that are due in a quarter of a second. */
enum { MANY = 20, RATE = 20, AT_ONCE = 1 + RATE / 4 };

typedef struct times {
  uint64_t at[256];
  size_t count;
} times_t;

static void open_host(host_t *h, double rate) {
  host_init(h);
  h->options.value[PM_OPT_MAX_SPAWNS_PER_SECOND] = rate;
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  host_open(h);
}

static const char *name(size_t i) {
  static char names[64][4];
  snprintf(names[i], sizeof(names[i]), "%02zu", i);
  return names[i];
}

static void note_restart(host_t *h, const pm_event_t *event) {
  times_t *times = h->arg;
  if (event->kind != PM_EVENT_RESTART) return;
  assert_true(times->count < 256);
  times->at[times->count++] = uv_hrtime();
}

/* All are killed at once, and are to be restarted at once. */
static void kill_many(host_t *h, size_t count) {
  for (size_t i = 0; i < count; i++) {
    host_spawn(h, name(i), "say-ready");
    host_wait_output(h, name(i), "ready\n");
  }
  host_pass_time(h, 300);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(pm_process_signal(h->m, str(name(i)), 9, true), 0);
  for (size_t i = 0; i < count; i++)
    host_wait(h, name(i), PM_EVENT_BACKOFF, 1);
}

static size_t count_state(host_t *h, size_t count, const char *state) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    n += strcmp(host_status(h, name(i)).state, state) == 0;
  return n;
}

static void await_queue(host_t *h, size_t length) {
  while (host_count(h, NULL, PM_EVENT_QUEUED) < length)
    uv_run(&h->loop, UV_RUN_ONCE);
}

static void end_many(host_t *h, size_t count) {
  for (size_t i = 0; i < count; i++) {
    answer_t a;
    host_stop(h, name(i), 0, &a);
    assert_true(host_answer(h, &a));
  }
}

static void test_restarts_keep_their_distance(void **state) {
  (void)state;
  host_t h;
  times_t times = {0};
  open_host(&h, RATE);
  h.on_event = note_restart;
  h.arg = &times;
  kill_many(&h, MANY);
  while (times.count < MANY)
    uv_run(&h.loop, UV_RUN_ONCE);
  /* The first may have been told of late: half of the time will do. */
  uint64_t due = (MANY - AT_ONCE) * UINT64_C(1000000000) / RATE;
  assert_true(times.at[MANY - 1] - times.at[0] >= due / 2);
  assert_in_range(host_count(&h, NULL, PM_EVENT_QUEUED), MANY / 2, MANY - AT_ONCE);
  end_many(&h, MANY);
  host_close(&h);
}

static void test_first_come_first_served(void **state) {
  (void)state;
  host_t h;
  open_host(&h, RATE);
  kill_many(&h, MANY);
  while (host_count(&h, NULL, PM_EVENT_RESTART) < MANY)
    uv_run(&h.loop, UV_RUN_ONCE);
  size_t length = host_count(&h, NULL, PM_EVENT_QUEUED);
  assert_true(length >= MANY / 2);
  for (size_t n = 1; n <= length; n++) {
    const seen_t *queued = host_find(&h, NULL, PM_EVENT_QUEUED, n);
    const seen_t *started = host_find(&h, NULL, PM_EVENT_RESTART, MANY - length + n);
    assert_string_equal(queued->id, started->id);
    assert_true(queued->position >= 1 && queued->position <= n);
  }
  end_many(&h, MANY);
  host_close(&h);
}

/* In the list and in a report it is what it is in the status of one. */
static void check_in_list(void *arg, const pm_status_t *status) {
  char id[8] = "";
  memcpy(id, status->id.base, status->id.len);
  assert_int_equal(status->queue_position, host_status(arg, id).queue_position);
}

static void check_in_report(void *arg, const pm_report_entry_t *entry) {
  char id[8] = "";
  memcpy(id, entry->id.base, entry->id.len);
  unsigned position = host_status(arg, id).queue_position;
  assert_int_equal(entry->figures[PM_FIGURE_QUEUE_POSITION], position > 0 ? (int64_t)position : -1);
}

static void check_positions(host_t *h) {
  pm_report_t *report;
  pm_manager_list(h->m, check_in_list, h);
  assert_int_equal(pm_manager_report(h->m, &report), 0);
  pm_report_each(report, check_in_report, h);
  pm_report_end(h->m, report);
}

/* With one start in a thousand seconds, all that are killed wait. */
static void test_the_queue_is_seen(void **state) {
  (void)state;
  host_t h;
  open_host(&h, 0.001);
  kill_many(&h, 4);
  await_queue(&h, 4);
  assert_int_equal(count_state(&h, 4, "queued"), 4);
  for (size_t n = 1; n <= 4; n++) {
    const seen_t *queued = host_find(&h, NULL, PM_EVENT_QUEUED, n);
    assert_int_equal(queued->position, n);
    assert_int_equal(host_status(&h, queued->id).queue_position, n);
    assert_string_equal(host_status(&h, queued->id).status, "stopped");
  }
  end_many(&h, 4);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_RESTART), 0);
  host_close(&h);
}

static void test_who_waits_may_be_stopped_or_started(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h, 0.001);
  kill_many(&h, 4);
  await_queue(&h, 4);
  const char *first = host_find(&h, NULL, PM_EVENT_QUEUED, 1)->id,
             *second = host_find(&h, NULL, PM_EVENT_QUEUED, 2)->id,
             *third = host_find(&h, NULL, PM_EVENT_QUEUED, 3)->id;
  assert_int_equal(pm_process_remove(h.m, str(second)), UV_EBUSY);
  host_stop(&h, second, 1000, &a);
  assert_state(&h, second, "stopped", "exited");
  assert_true(host_answer(&h, &a));
  assert_string_equal(host_wait(&h, second, PM_EVENT_STOP, 1)->stop.step, "none");
  assert_int_equal(host_status(&h, third).queue_position, 2);
  check_positions(&h);
  assert_int_equal(pm_process_remove(h.m, str(second)), 0);
  host_restart(&h, first, &a);
  assert_state(&h, first, "running", "running");
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_status(&h, third).queue_position, 1);
  assert_int_equal(host_status(&h, first).queue_position, 0);
  check_positions(&h);
  host_close(&h);
}

/* Of an embedder that asks for nothing else. */
static void test_who_waits_is_not_started_when_nobody_is(void **state) {
  (void)state;
  host_t h;
  open_host(&h, 0.001);
  kill_many(&h, 4);
  await_queue(&h, 4);
  const char *waits = host_find(&h, NULL, PM_EVENT_QUEUED, 1)->id;
  size_t starts = host_count(&h, NULL, PM_EVENT_SPAWN);
  pm_manager_refuse_new(h.m);
  /* Its time has come. */
  h.m->spawn_queue.next_at = 0;
  uv_timer_start(&h.m->spawn_queue.timer, h.m->spawn_queue.timer.timer_cb, 0, 0);
  while (host_status(&h, waits).state[0] == 'q')
    uv_run(&h.loop, UV_RUN_ONCE);
  assert_state(&h, waits, "stopped", "exited");
  assert_int_equal(host_count(&h, NULL, PM_EVENT_SPAWN), starts);
  host_close(&h);
}

/* The same before it is in the queue; one that could not be started stays failed. */
static void test_who_waits_for_its_time_is_not_started_when_nobody_is(void **state) {
  (void)state;
  host_t h;
  open_host(&h, INFINITY);
  h.options.value[PM_OPT_RESTART_DELAY] = 200;
  host_spawn(&h, "a", "exit-with", "1");
  host_wait(&h, "a", PM_EVENT_BACKOFF, 1);
  assert_int_equal(host_try_spawn(&h, "b", "/no/such/file"), 0);
  pm_manager_refuse_new(h.m);
  while (h.m->live > 0)
    uv_run(&h.loop, UV_RUN_ONCE);
  assert_state(&h, "a", "stopped", "exited");
  assert_state(&h, "b", "error", "failed");
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 1);
  assert_int_equal(host_count(&h, "b", PM_EVENT_ERROR), 1);
  host_close(&h);
}

static void test_what_is_asked_for_never_waits(void **state) {
  (void)state;
  host_t h;
  open_host(&h, 0.001);
  for (size_t i = 0; i < 10; i++) {
    host_spawn(&h, name(i), "say-ready");
    assert_state(&h, name(i), "running", "running");
  }
  end_many(&h, 10);
  host_close(&h);
}

/* However many have been asked for, restarts do not wait for all of those. */
static void test_requests_do_not_fill_the_queue(void **state) {
  (void)state;
  host_t h;
  open_host(&h, 2);
  for (size_t i = 0; i < 40; i++)
    host_spawn(&h, name(i), i == 0 ? "exit-with" : "say-ready", "1");
  uint64_t began = uv_hrtime();
  host_wait(&h, name(0), PM_EVENT_RESTART, 1);
  assert_true(uv_hrtime() - began < UINT64_C(5000000000));
  end_many(&h, 40);
  host_close(&h);
}

static void test_without_a_rate_nobody_waits(void **state) {
  (void)state;
  host_t h;
  open_host(&h, INFINITY);
  h.options.value[PM_OPT_MAX_RESTARTS] = 30;
  h.options.value[PM_OPT_RESTART_DELAY] = 0;
  host_spawn(&h, "a", "exit-with", "1");
  host_wait(&h, "a", PM_EVENT_LIMIT, 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_RESTART), 30);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_QUEUED), 0);
  host_close(&h);
}

/* As one does that waits for its restart, unless nobody is to keep it alive. */
static void test_who_waits_keeps_the_loop_alive(void **state) {
  (void)state;
  host_t h;
  open_host(&h, 0.001);
  kill_many(&h, 2);
  await_queue(&h, 2);
  assert_true(uv_loop_alive(&h.loop));
  pm_manager_unref(h.m);
  host_turn(&h, 20);
  assert_false(uv_loop_alive(&h.loop));
  pm_manager_ref(h.m);
  assert_true(uv_loop_alive(&h.loop));
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_restarts_keep_their_distance),
      cmocka_unit_test(test_first_come_first_served),
      cmocka_unit_test(test_the_queue_is_seen),
      cmocka_unit_test(test_who_waits_may_be_stopped_or_started),
      cmocka_unit_test(test_who_waits_is_not_started_when_nobody_is),
      cmocka_unit_test(test_who_waits_for_its_time_is_not_started_when_nobody_is),
      cmocka_unit_test(test_what_is_asked_for_never_waits),
      cmocka_unit_test(test_requests_do_not_fill_the_queue),
      cmocka_unit_test(test_without_a_rate_nobody_waits),
      cmocka_unit_test(test_who_waits_keeps_the_loop_alive),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
