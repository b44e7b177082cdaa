/* When processes are sampled, how long that holds the loop up, and who is told. */
#include <math.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/metrics/metering_thread.h"
#include "core/metrics/monitor.h"
#include "core/process.h"
#include "pm_fixture.h"

static int open_host(void **state) {
  host_t *h = host_new();
  h->options.value[PM_OPT_MONITOR_INTERVAL] = 20;
  host_open(h);
  *state = h;
  return 0;
}

static void listen_to(host_t *h, unsigned mask) {
  pm_manager_listen(h->m, LISTEN_ALL | mask);
}

typedef struct rounds {
  uint64_t begun;
  unsigned in_last; /* processes that the last one has seen so far */
  bool running;
} rounds_t;

/* The loop's, or those of its thread. */
static rounds_t rounds_of(host_t *h) {
  pm__metering_t *t = pm__metering_lock(h->m);
  const rounds_t rounds = {t->rounds, t->in_round, h->m->sampling || t->running || t->requested || t->pending};
  pm__metering_unlock(t);
  return rounds;
}

/* Without waiting: UV_RUN_ONCE would, for ever, once the timer that it begins with was the last one. */
static void await_rest(host_t *h) {
  while (rounds_of(h).running)
    uv_run(&h->loop, UV_RUN_NOWAIT);
}

static void begin_round(host_t *h, bool is_told) {
  pm__round_begin(pm__metering_lock(h->m), is_told);
  pm__metering_unlock(&h->m->metering);
}

static bool go_on(host_t *h, uint64_t until) {
  bool is_over = pm__round_go_on(pm__metering_lock(h->m), until);
  pm__metering_unlock(&h->m->metering);
  return is_over;
}

static void spawn_ready(host_t *h, const char *id, const char *const *argv) {
  assert_int_equal(host_spawn_argv(h, id, argv), 0);
  host_wait_output(h, id, "ready\n");
}

#define SPAWN_READY(h, id, ...) spawn_ready((h), (id), (const char *const[]){__VA_ARGS__, NULL})

/* Of the last event, that of a process or the only one. */
static pm_snapshot_entry_t told_of(host_t *h, const char *id) {
  pm_snapshot_entry_t entry;
  assert_non_null(h->snapshot);
  assert_true(pm_snapshot_find(h->snapshot, str(id), &entry));
  assert_true(entry.pid > 1 && entry.life > 0);
  const pm_metrics_t *metrics = &entry.metrics;
  assert_true(metrics->cpu >= 0 && metrics->memory > 0 && metrics->peak >= metrics->memory);
  return entry;
}

static void test_all_are_told_of_by_one_event(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  SPAWN_READY(h, "b", "touch-memory", "30");
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), 0);
  listen_to(h, PM_LISTEN_METRICS);
  const seen_t *event = host_wait(h, NULL, PM_EVENT_METRICS, 2);
  assert_string_equal(event->id, "");
  assert_int_equal(pm_snapshot_count(h->snapshot), 2);
  pm_metrics_t b = told_of(h, "b").metrics;
  assert_true(b.memory > 30 && b.own_memory == b.memory);
  assert_int_equal(b.threads, 1);
  assert_int_equal(told_of(h, "a").pid, host_status(h, "a").pid);
  pm_snapshot_entry_t entry;
  assert_false(pm_snapshot_find(h->snapshot, str("c"), &entry));
  host_end(h, "a");
  host_wait(h, NULL, PM_EVENT_METRICS, host_count(h, NULL, PM_EVENT_METRICS) + 2);
  assert_int_equal(pm_snapshot_count(h->snapshot), 1);
  told_of(h, "b");
  host_end(h, "b");
}

/* It is told of as ended before. */
static void test_who_ends_within_a_round_is_not_told_of(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  SPAWN_READY(h, "b", "say-ready");
  await_rest(h);
  uv_timer_stop(&h->m->monitor);
  begin_round(h, true);
  assert_true(go_on(h, UINT64_MAX));
  pm__metering_remove(h->m->first->run);
  pm__metering_remove(h->m->first->run);
  pm_snapshot_t *snapshot = pm__metering_thread_take(h->m);
  assert_int_equal(pm_snapshot_count(snapshot), 1);
  pm_snapshot_entry_t entry = pm_snapshot_at(snapshot, 0);
  assert_memory_equal(entry.id.base, "b", 1);
  assert_int_equal(entry.life, h->m->last->life);
  assert_true(pm_snapshot_size(snapshot) >= sizeof(entry));
  pm_snapshot_unref(snapshot);
  assert_null(pm__metering_thread_take(h->m));
}

/* A round of the timer that is due while one on request goes on comes after it. */
static void test_one_on_request_does_not_replace_one_of_the_timer(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  listen_to(h, PM_LISTEN_METRICS);
  host_wait(h, NULL, PM_EVENT_METRICS, 1);
  await_rest(h);
  size_t before = host_count(h, NULL, PM_EVENT_METRICS);
  h->m->options.value[PM_OPT_MONITOR_INTERVAL] = 3600000;
  uv_update_time(&h->loop);
  h->m->next_round = uv_now(&h->loop) + 5;
  h->m->first->run->seen.at = 0;
  pm__monitor_refresh(h->m->first->run, 0);
  assert_true(h->m->sampling && !h->m->announced);
  uv_sleep(20);
  host_wait(h, NULL, PM_EVENT_METRICS, before + 1);
  assert_true(h->m->next_round > uv_now(&h->loop) + 1000000);
  host_end(h, "a");
}

/* Sampled all the same, since a status is to have a window of that length. */
static void test_nobody_is_told_who_does_not_listen(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  while (rounds_of(h).begun < 5)
    host_pass_time(h, 20);
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), 0);
  assert_true(pm__metering_seen(h->m->first->run).complete);
  host_end(h, "a");
}

static void test_nothing_is_sampled_while_nothing_runs(void **state) {
  host_t *h = *state;
  listen_to(h, PM_LISTEN_METRICS);
  host_pass_time(h, 100);
  assert_int_equal(rounds_of(h).begun, 0);
  SPAWN_READY(h, "a", "say-ready");
  host_wait(h, NULL, PM_EVENT_METRICS, 1);
  host_end(h, "a");
  size_t told = host_count(h, NULL, PM_EVENT_METRICS);
  host_pass_time(h, 100);
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), told);
  assert_false(uv_is_active((uv_handle_t *)&h->m->monitor));
  uint64_t round = rounds_of(h).begun;
  host_pass_time(h, 60);
  assert_int_equal(rounds_of(h).begun, round);
}

/* ---- what is kept of it -------------------------------------------------------------------- */

typedef struct kept {
  size_t count;
  uint64_t last_time, starts[32];
} kept_t;

static void on_sample(void *arg, const pm_history_sample_t *s) {
  kept_t *kept = arg;
  assert_true(s->time > kept->last_time && s->span >= 100000);
  assert_true(s->cpu >= 0 && s->memory > 0 && s->processes == 1 && s->threads == 1);
  assert_true(kept->count < 32);
  kept->last_time = s->time;
  kept->starts[kept->count++] = s->start;
}

static kept_t history_of(host_t *h, const char *id) {
  const pm_history_query_t everything = {0};
  kept_t kept = {0};
  pm_history_summary_t sum;
  assert_int_equal(pm_process_history(h->m, str(id), &everything, on_sample, &kept, &sum), 0);
  assert_int_equal(sum.count, kept.count);
  return kept;
}

static int open_with_history(void **state) {
  host_t *h = host_new();
  h->options.value[PM_OPT_MONITOR_INTERVAL] = 20;
  h->options.value[PM_OPT_METRICS_HISTORY] = 5;
  host_open(h);
  *state = h;
  return 0;
}

/* Nobody listens; a status now and then changes nothing. */
static void test_samples_are_kept(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  assert_int_equal(history_of(h, "a").count, 0);
  while (history_of(h, "a").count < 3) {
    host_pass_time(h, 5);
    host_status(h, "a");
  }
  uint64_t oldest = h->m->first->history.blocks[0][0].time;
  while (h->m->first->history.blocks[0][0].time == oldest)
    host_pass_time(h, 20);
  assert_int_equal(history_of(h, "a").count, 5);
  host_end(h, "a");
  kept_t last = history_of(h, "a");
  assert_int_equal(last.count, 5);
  host_pass_time(h, 150);
  assert_int_equal(history_of(h, "a").last_time, last.last_time);

  answer_t answer;
  host_restart(h, "a", &answer);
  assert_true(host_answer(h, &answer));
  while (history_of(h, "a").starts[4] == 0)
    host_pass_time(h, 20);
  assert_int_equal(history_of(h, "a").starts[0], 0);
  assert_int_equal(history_of(h, "a").starts[4], 1);
  host_end(h, "a");
  assert_int_equal(pm_process_remove(h->m, str("a")), 0);
  const pm_history_query_t everything = {0};
  pm_history_summary_t sum;
  assert_int_equal(pm_process_history(h->m, str("a"), &everything, NULL, NULL, &sum), UV_ENOENT);
}

/* How many samples of a tree are kept. */
static size_t history_of_tree(host_t *h) {
  const pm_history_query_t everything = {0};
  pm_history_summary_t sum;
  assert_int_equal(pm_process_history(h->m, str("a"), &everything, NULL, NULL, &sum), 0);
  assert_true(sum.count == 0 || sum.processes.max <= 43);
  return sum.count;
}

static void test_none_are_kept_unasked(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  host_pass_time(h, 300);
  assert_int_equal(history_of(h, "a").count, 0);
  assert_null(h->m->first->history.blocks);
  host_end(h, "a");
}

/* ---- the thread that looks ------------------------------------------------------------ */

/* Enough for another thread to be worth it. */
static void start_enough(host_t *h) {
  SPAWN_READY(h, "a", "fork-levels", "6", "2", "stay");
}

static void pass_round(host_t *h) {
  for (uint64_t round = rounds_of(h).begun; rounds_of(h).begun < round + 2;)
    uv_run(&h->loop, UV_RUN_NOWAIT);
  await_rest(h);
}

/* The first round of many hands over to the thread. */
static void start_with_thread(host_t *h) {
  start_enough(h);
  while (!h->m->metering.by_thread)
    uv_run(&h->loop, UV_RUN_NOWAIT);
}

/* From now on there are none but those that are requested. */
static void stop_rounds(host_t *h) {
  pm__metering_t *t = pm__metering_lock(h->m);
  t->next = t->interval = UINT64_MAX;
  pm__metering_unlock(t);
  await_rest(h);
}

static void await_round_begun(host_t *h, uint64_t since) {
  while (rounds_of(h).begun == since)
    uv_sleep(1);
}

/* Also while the loop is held up, which is not even woken for them. */
static void test_another_thread_looks(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  assert_false(uv_is_active((uv_handle_t *)&h->m->monitor));
  for (int i = 0; i < 5; i++)
    await_round_begun(h, rounds_of(h).begun);
  stop_rounds(h);
  rounds_t rounds;
  while ((rounds = rounds_of(h)).running)
    uv_sleep(1);
  assert_int_equal(rounds.in_last, 43);
  assert_int_equal(pm__metering_seen(h->m->first->run).metrics.processes, 43);
  /* A status looks for itself. */
  h->m->first->run->seen.at = 1;
  assert_int_equal(host_status(h, "a").processes, 43);
  while (h->m->first->run->seen.at == 1)
    uv_run(&h->loop, UV_RUN_NOWAIT);
}

static void test_the_loop_hears_of_its_rounds_if_it_wants_to(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  assert_null(h->snapshot);
  listen_to(h, PM_LISTEN_METRICS);
  host_wait(h, NULL, PM_EVENT_METRICS, 3);
  assert_int_equal(told_of(h, "a").metrics.processes, 43);
  /* One at a time: while the loop is held up there is no other. */
  while (!rounds_of(h).running)
    uv_sleep(1);
  uint64_t round = rounds_of(h).begun;
  uv_sleep(100);
  assert_int_equal(rounds_of(h).begun, round);
  host_wait(h, NULL, PM_EVENT_METRICS, host_count(h, NULL, PM_EVENT_METRICS) + 2);
  listen_to(h, 0);
  await_rest(h);
  size_t told = host_count(h, NULL, PM_EVENT_METRICS);
  pass_round(h);
  pass_round(h);
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), told);
}

static void test_it_keeps_histories(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  while (history_of_tree(h) < 3)
    host_pass_time(h, 20);
}

static void test_few_are_not_worth_a_thread(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  pass_round(h);
  assert_false(h->m->metering.by_thread);
  assert_false(h->m->metering.has_thread);
  host_end(h, "a");
}

/* It waits until there is something again. */
static void test_the_thread_rests_with_the_manager(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  host_end(h, "a");
  assert_false(h->m->metering.by_thread);
  await_rest(h);
  uint64_t round = rounds_of(h).begun;
  host_pass_time(h, 100);
  assert_int_equal(rounds_of(h).begun, round);
  answer_t answer;
  host_restart(h, "a", &answer);
  assert_true(host_answer(h, &answer));
  while (!h->m->metering.by_thread)
    uv_run(&h->loop, UV_RUN_NOWAIT);
  await_round_begun(h, rounds_of(h).begun);
}

/* Who is taken away is not looked at any more; host_close looks for descriptors that are left. */
static void test_an_end_while_it_looks(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  stop_rounds(h);
  uint64_t round = rounds_of(h).begun;
  pm__metering_thread_request(h->m);
  await_round_begun(h, round);
  pm__metering_remove(h->m->first->run);
  assert_null(h->m->metering.first);
  assert_int_equal(h->m->metering.room.open, 0);
  pm__metering_remove(h->m->first->run);
  await_rest(h);
  host_end(h, "a");
}

/* A listener that comes in the middle is not told of a part. */
static void test_who_comes_within_a_round(void **state) {
  host_t *h = *state;
  SPAWN_READY(h, "a", "say-ready");
  await_rest(h);
  h->m->sampling = h->m->announced = h->m->remembering = true; /* for a history only */
  h->m->heard = false;
  h->m->cursor = NULL;
  h->m->next_round = UINT64_MAX;
  listen_to(h, PM_LISTEN_METRICS);
  await_rest(h);
  host_turn(h, 2);
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), 0);
  host_end(h, "a");
}

static void test_closing_while_it_looks(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  stop_rounds(h);
  uint64_t round = rounds_of(h).begun;
  pm__metering_thread_request(h->m);
  await_round_begun(h, round);
  host_begin_closing(h);
}

/* What it was about to tell is told to nobody. */
static void test_closing_before_the_loop_has_heard(void **state) {
  host_t *h = *state;
  start_with_thread(h);
  listen_to(h, PM_LISTEN_METRICS);
  for (bool is_pending = false; !is_pending; uv_sleep(1)) {
    is_pending = pm__metering_lock(h->m)->pending;
    pm__metering_unlock(&h->m->metering);
  }
  size_t told = host_count(h, NULL, PM_EVENT_METRICS);
  host_begin_closing(h);
  run_until(&h->loop, &h->closed);
  assert_int_equal(host_count(h, NULL, PM_EVENT_METRICS), told);
}

/* Where no thread can be had the loop does all of it. */
static void test_without_a_thread(void **state) {
  host_t *h = *state;
  h->m->metering.threadless = true;
  listen_to(h, PM_LISTEN_METRICS);
  start_enough(h);
  host_wait(h, NULL, PM_EVENT_METRICS, 3);
  assert_int_equal(told_of(h, "a").metrics.processes, 43);
  assert_false(h->m->metering.has_thread);
}

/* ---- how long a turn takes -------------------------------------------------------------- */

enum { TREES = 4, TREE = 259 };

static void start_trees(host_t *h) {
  static const char *const ids[TREES] = {"a", "b", "c", "d"};
  for (int i = 0; i < TREES; i++)
    SPAWN_READY(h, ids[i], "fork-levels", "6", "3", "stay");
}

/* Of the turns of a round. */
static double longest_turn(host_t *h) {
  double longest = 0;
  await_rest(h);
  for (uint64_t round = rounds_of(h).begun; rounds_of(h).begun == round || rounds_of(h).running;) {
    double before = thread_ms();
    uv_run(&h->loop, UV_RUN_NOWAIT);
    longest = fmax(longest, thread_ms() - before);
  }
  return longest;
}

/* The best of some rounds: interrupts are the thread's time too. */
static double least_longest_turn(host_t *h) {
  double least = INFINITY;
  for (int i = 0; i < 5; i++)
    least = fmin(least, longest_turn(h));
  return least;
}

static double time_of_whole_look(host_t *h) {
  double began = thread_ms();
  for (pm__process_t *p = h->m->first; p; p = p->next)
    assert_int_equal(pm__meter_look(&p->run->meter, 0, UINT64_MAX), 0);
  return thread_ms() - began;
}

static void test_no_turn_is_long(void **state) {
  host_t *h = *state;
  if (is_light("trees of hundreds")) return;
  listen_to(h, PM_LISTEN_METRICS);
  start_trees(h);
  longest_turn(h);
  assert_true(h->m->metering.by_thread);
  double by_thread = least_longest_turn(h);
  pm__metering_thread_rest(h->m);
  h->m->metering.threadless = true;
  pm__monitor_start(h->m);
  double by_loop = least_longest_turn(h);
  await_rest(h);
  double whole = time_of_whole_look(h);
  print_message("ms of CPU, longest turn: %.2f, without a thread: %.2f; all of it: %.2f\n", by_thread, by_loop, whole);
  assert_true(by_thread < whole / 8);
  assert_true(by_loop < whole / 8);
  for (pm__process_t *p = h->m->first; p; p = p->next)
    assert_int_equal(pm__metering_seen(p->run).metrics.processes, TREE);
}

static void test_a_status_does_not_take_long_either(void **state) {
  host_t *h = *state;
  if (is_light("trees of hundreds")) return;
  start_trees(h);
  host_pass_time(h, 1100);
  pm_manager_listen(h->m, 0);
  stop_rounds(h);
  for (int i = 0; i < 3; i++) {
    /* As old as can be. */
    for (pm__process_t *p = h->m->first; p; p = p->next)
      p->run->seen.at = 1;
    double before = thread_ms();
    pm_status_t status = host_status(h, "a");
    assert_true(thread_ms() - before < 5);
    assert_true(status.processes == TREE && status.memory > 0);
    while (h->m->first->run->seen.at == 1)
      uv_run(&h->loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(host_status(h, "a").processes, TREE);
}

/* Whose turn it is may be forgotten, or end, between two slices. */
static void test_processes_that_go_within_a_round(void **state) {
  host_t *h = *state;
  static const char *const ids[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++)
    SPAWN_READY(h, ids[i], "say-ready");
  h->m->options.value[PM_OPT_MONITOR_INTERVAL] = 0;
  await_rest(h);
  uv_timer_stop(&h->m->monitor);
  pm__process_t *second = h->m->first->next, *third = second->next;
  third->run->seen.at = 0;
  begin_round(h, false);
  assert_false(go_on(h, 0));
  assert_ptr_equal(h->m->metering.cursor, second->run);
  pm__metering_remove(second->run);
  assert_ptr_equal(h->m->metering.cursor, third->run);
  assert_true(go_on(h, UINT64_MAX));
  assert_true(third->run->seen.at > 0);
  h->m->cursor = second;
  pm__process_forget(second);
  assert_ptr_equal(h->m->cursor, third);
  h->m->cursor = NULL;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_all_are_told_of_by_one_event, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_who_ends_within_a_round_is_not_told_of, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_one_on_request_does_not_replace_one_of_the_timer, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_nobody_is_told_who_does_not_listen, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_nothing_is_sampled_while_nothing_runs, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_samples_are_kept, open_with_history, host_teardown),
      cmocka_unit_test_setup_teardown(test_none_are_kept_unasked, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_another_thread_looks, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_the_loop_hears_of_its_rounds_if_it_wants_to, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_it_keeps_histories, open_with_history, host_teardown),
      cmocka_unit_test_setup_teardown(test_the_thread_rests_with_the_manager, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_few_are_not_worth_a_thread, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_an_end_while_it_looks, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_who_comes_within_a_round, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_closing_while_it_looks, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_closing_before_the_loop_has_heard, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_without_a_thread, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_no_turn_is_long, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_processes_that_go_within_a_round, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_status_does_not_take_long_either, open_host, host_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
