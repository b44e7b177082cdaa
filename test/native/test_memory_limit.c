/* Limits of memory: when trees are looked at, what is compared, what is done. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/internal.h"
#include "core/limits/shares.h"
#include "core/process.h"
#include "pm_fixture.h"

#define MB(n) ((n)*1048576.0)

static int open_host(void **state) {
  host_t *h = host_new();
  host_open(h);
  *state = h;
  return 0;
}

static void limit(host_t *h, double megabytes, pm_memory_action_t action) {
  h->options.value[PM_OPT_LIMIT_MEMORY] = MB(megabytes);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = action;
}

static void limit_total(host_t *h, double megabytes) {
  h->m->options.value[PM_OPT_MAX_TOTAL_MEMORY] = MB(megabytes);
}

static pm__memory_watch_t *watch_of(host_t *h, const char *id) {
  for (pm__process_t *p = h->m->first; p; p = p->next)
    if (p->id.len == strlen(id) && memcmp(p->id.base, id, p->id.len) == 0) return &p->run->memory;
  return NULL;
}

/* Asks hold-memory to hold so much: for one that may be ended before it says that it does. */
static void ask_to_hold(host_t *h, const char *id, const char *megabytes) {
  pm_error_t error;
  bool ready;
  assert_int_equal(pm_process_send(h->m, str(id), str(megabytes), &ready, &error), 0);
}

/* And waits until it does. */
static void hold(host_t *h, const char *id, const char *megabytes) {
  size_t before = host_output(h, id, PM_STDOUT)->len;
  ask_to_hold(h, id, megabytes);
  while (host_output(h, id, PM_STDOUT)->len == before)
    uv_run(&h->loop, UV_RUN_ONCE);
}

static void start_holding(host_t *h, const char *id, const char *megabytes) {
  host_spawn(h, id, "hold-memory");
  host_wait_output(h, id, "ready\n");
  if (megabytes) hold(h, id, megabytes);
}

/* Until it has been looked at so many times more. */
static void await_looks(host_t *h, const char *id, int times) {
  for (int i = 0; i < times; i++) {
    uint64_t before = watch_of(h, id)->looked_at;
    while (watch_of(h, id)->looked_at == before)
      uv_run(&h->loop, UV_RUN_ONCE);
  }
}

/* ---- what is done ------------------------------------------------------------------------ */

static void test_restart_is_a_failure(void **state) {
  host_t *h = *state;
  limit(h, 16, PM_MEMORY_RESTART);
  h->options.value[PM_OPT_MAX_RESTARTS] = 1;
  host_spawn(h, "a", "touch-memory", "40");
  const seen_t *event = host_wait(h, "a", PM_EVENT_LIMIT, 1);
  assert_string_equal(event->limit, "limits.memory");
  assert_string_equal(event->action, "restart");
  assert_true(event->value == MB(16) && event->figure >= MB(16) && event->figure < MB(60));
  const seen_t *end = host_wait(h, "a", PM_EVENT_EXIT, 1);
  assert_string_equal(end->limit, "limits.memory");
  assert_string_equal(end->signal, "SIGTERM");
  assert_false(end->requested);
  assert_int_equal(host_place(h, host_wait(h, "a", PM_EVENT_BACKOFF, 1)), host_place(h, end) + 1);
  host_wait(h, "a", PM_EVENT_RESTART, 1);
  const seen_t *error = host_wait(h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "ERR_RESTART_LIMIT");
  assert_non_null(strstr(error->error.message, "was ended for limits.memory"));
  assert_string_equal(host_find(h, "a", PM_EVENT_LIMIT, 3)->action, "give-up");
  assert_int_equal(host_count(h, "a", PM_EVENT_EXIT), 2);
  assert_int_equal(host_count(h, "a", PM_EVENT_STOP), 0);
  assert_state(h, "a", "error", "failed");
}

static void test_stop_is_final(void **state) {
  host_t *h = *state;
  limit(h, 16, PM_MEMORY_STOP);
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  host_spawn(h, "a", "touch-memory", "40");
  const seen_t *stop = host_wait(h, "a", PM_EVENT_STOP, 1);
  assert_string_equal(stop->stop.step, "SIGTERM");
  assert_string_equal(host_find(h, "a", PM_EVENT_LIMIT, 1)->action, "stop");
  assert_string_equal(host_find(h, "a", PM_EVENT_EXIT, 1)->limit, "limits.memory");
  assert_state(h, "a", "stopped", "exited");
  assert_int_equal(host_count(h, "a", PM_EVENT_BACKOFF), 0);
  assert_false(uv_is_active((uv_handle_t *)&h->m->memory.timer));
}

static void test_event_tells_once_a_crossing(void **state) {
  host_t *h = *state;
  limit(h, 32, PM_MEMORY_EVENT);
  start_holding(h, "a", "40");
  host_wait(h, "a", PM_EVENT_LIMIT, 1);
  await_looks(h, "a", 2);
  hold(h, "a", "29"); /* below the limit, but not by much */
  await_looks(h, "a", 2);
  hold(h, "a", "40");
  await_looks(h, "a", 2);
  assert_int_equal(host_count(h, "a", PM_EVENT_LIMIT), 1);
  hold(h, "a", "10");
  await_looks(h, "a", 2);
  hold(h, "a", "40");
  assert_string_equal(host_wait(h, "a", PM_EVENT_LIMIT, 2)->action, "event");
  assert_state(h, "a", "running", "running");
  host_end(h, "a");
  assert_string_equal(host_find(h, "a", PM_EVENT_EXIT, 1)->limit, "");
}

static void begin_slow_end(host_t *h, pm_memory_action_t action) {
  limit(h, 16, action);
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(h, "a", "grow-memory", "17", "100000", "ignore");
  host_wait(h, "a", PM_EVENT_LIMIT, 1 + host_count(h, "a", PM_EVENT_LIMIT));
  assert_state(h, "a", "stopped", "stopping");
}

static void test_a_stop_takes_the_restart_back(void **state) {
  host_t *h = *state;
  answer_t a;
  begin_slow_end(h, PM_MEMORY_RESTART);
  host_stop(h, "a", 0, &a);
  assert_true(host_answer(h, &a));
  assert_state(h, "a", "stopped", "exited");
  const seen_t *end = host_find(h, "a", PM_EVENT_EXIT, 1);
  assert_string_equal(end->limit, "limits.memory");
  assert_true(end->requested);
  assert_int_equal(host_count(h, "a", PM_EVENT_STOP), 1);
  assert_int_equal(host_count(h, "a", PM_EVENT_BACKOFF), 0);
}

static void test_a_restart_that_is_asked_for_counts(void **state) {
  host_t *h = *state;
  answer_t a;
  for (pm_memory_action_t action = PM_MEMORY_RESTART; action <= PM_MEMORY_STOP; action++) {
    begin_slow_end(h, action);
    host_restart(h, "a", &a);
    assert_int_equal(pm_process_signal(h->m, str("a"), 9, true), 0);
    assert_true(host_answer(h, &a));
    assert_int_equal(host_count(h, "a", PM_EVENT_BACKOFF), 0);
    host_stop(h, "a", 0, &a);
    assert_true(host_answer(h, &a));
  }
}

/* It would never be killed otherwise. */
static void test_who_takes_more_instead_of_ending_is_killed(void **state) {
  host_t *h = *state;
  limit(h, 16, PM_MEMORY_STOP);
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(h, "a", "grow-memory", "2", "30", "ignore");
  assert_string_equal(host_wait(h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
  assert_string_equal(host_find(h, "a", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
}

/* Of forks that share nearly all: when the share is not believed any more it is read again, before anything is done. */
static void test_who_takes_its_time_to_end_is_not_killed(void **state) {
  host_t *h = *state;
  limit_total(h, 25);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(h, "a", "fork-memory", "12", "0", "30", "ignore");
  host_wait(h, "a", PM_EVENT_LIMIT, 1);
  host_wait_output(h, "a", "ready\n");
  for (int i = 0; i < 3; i++) {
    watch_of(h, "a")->share_until = 0;
    await_looks(h, "a", 2);
    assert_int_equal(host_count(h, "a", PM_EVENT_EXIT), 0);
  }
  assert_true((double)watch_of(h, "a")->resident > MB(100));
  assert_true(watch_of(h, "a")->kill_at < UINT64_MAX);
  answer_t a;
  host_stop(h, "a", 0, &a);
  assert_true(host_answer(h, &a));
}

/* Its own quarter would be nothing to one that has just begun. */
static void test_a_small_victim_may_grow(void **state) {
  host_t *h = *state;
  limit_total(h, 60);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_EVENT;
  start_holding(h, "a", "50");
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(h, "b", "grow-memory", "12", "100000", "ignore");
  host_wait(h, "b", PM_EVENT_LIMIT, 1);
  double more = (double)watch_of(h, "b")->kill_at - (double)watch_of(h, "b")->resident;
  assert_true(more > MB(12) && more < MB(20));
  answer_t a;
  host_stop(h, "b", 0, &a);
  assert_true(host_answer(h, &a));
  host_end(h, "a");
}

/* ---- a listener may do anything ---------------------------------------------------------------- */

static answer_t asked;

static void stop_at_limit(host_t *h, const pm_event_t *event) {
  if (event->kind == PM_EVENT_LIMIT) assert_int_equal(pm_process_stop(h->m, event->id, 0, on_answer, &asked), 0);
}

static void restart_at_limit(host_t *h, const pm_event_t *event) {
  if (event->kind != PM_EVENT_LIMIT) return;
  h->on_event = NULL;
  assert_int_equal(pm_process_restart(h->m, event->id, on_answer, &asked, &h->error), 0);
}

static void close_at_limit(host_t *h, const pm_event_t *event) {
  if (event->kind == PM_EVENT_LIMIT) host_begin_closing(h);
}

static void test_from_within_its_event(void **state) {
  host_t *h = *state;
  for (pm_memory_action_t action = PM_MEMORY_RESTART; action <= PM_MEMORY_EVENT; action++) {
    limit(h, 16, action);
    asked = (answer_t){.host = h};
    h->on_event = stop_at_limit;
    host_spawn(h, "a", "touch-memory", "40");
    assert_true(host_answer(h, &asked));
    assert_state(h, "a", "stopped", "exited");
    asked = (answer_t){.host = h};
    h->on_event = restart_at_limit;
    host_spawn(h, "a", "touch-memory", "20");
    assert_true(host_answer(h, &asked));
    assert_int_equal(host_status(h, "a").restarts, 1);
    host_stop(h, "a", 0, &asked);
    assert_true(host_answer(h, &asked));
  }
  h->on_event = close_at_limit;
  host_spawn(h, "a", "touch-memory", "40");
  while (!h->closing)
    uv_run(&h->loop, UV_RUN_ONCE);
}

/* ---- what is compared ------------------------------------------------------------------------ */

static void test_a_tree_is_added_up(void **state) {
  host_t *h = *state;
  limit(h, 48, PM_MEMORY_STOP);
  host_spawn(h, "a", "fork-memory", "12", "8", "0");
  const seen_t *event = host_wait(h, "a", PM_EVENT_LIMIT, 1);
  assert_true(event->figure >= MB(48) && event->figure < MB(110));
  assert_true(host_wait(h, "a", PM_EVENT_STOP, 1)->stop.gone);
}

/* 13 processes have 30 MB in common: 390 MB resident, 30 in truth. */
static void test_what_is_shared_counts_once(void **state) {
  host_t *h = *state;
  limit(h, 64, PM_MEMORY_STOP);
  host_spawn(h, "a", "fork-memory", "12", "0", "30");
  host_wait_output(h, "a", "ready\n");
  await_looks(h, "a", 3);
  while (watch_of(h, "a")->share == 0 || (double)watch_of(h, "a")->resident < MB(300))
    uv_run(&h->loop, UV_RUN_ONCE);
  const pm__memory_watch_t *w = watch_of(h, "a");
  assert_true((double)w->share > MB(20) && (double)w->share < MB(64));
  await_looks(h, "a", 3);
  assert_state(h, "a", "running", "running");
  assert_int_equal(host_count(h, "a", PM_EVENT_LIMIT), 0);
  host_end(h, "a");
}

/* Nor by a host that is short of descriptors for a moment, and cannot read what is shared. */
static void test_short_of_descriptors_is_no_reason(void **state) {
  host_t *h = *state;
  struct rlimit old, few;
  limit(h, 64, PM_MEMORY_STOP);
  host_spawn(h, "a", "fork-memory", "12", "0", "30");
  host_wait_output(h, "a", "ready\n");
  while ((double)watch_of(h, "a")->resident < MB(300))
    uv_run(&h->loop, UV_RUN_ONCE);
  while (h->m->memory.reading)
    uv_run(&h->loop, UV_RUN_ONCE);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  few = old;
  few.rlim_cur = 0;
  watch_of(h, "a")->share_until = 0;
  watch_of(h, "a")->share_due = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  while (watch_of(h, "a")->share_due == 0 || h->m->memory.reading)
    uv_run(&h->loop, UV_RUN_ONCE);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
  host_turn(h, 3);
  assert_int_equal(host_count(h, "a", PM_EVENT_LIMIT), 0);
  host_end(h, "a");
}

/* ---- how often it is looked --------------------------------------------------------------------- */

static uint64_t time_to_next_look(host_t *h, const char *id) {
  await_looks(h, id, 2);
  const pm__memory_watch_t *w = watch_of(h, id);
  return (w->due - w->looked_at) / 1000000;
}

static void test_the_nearer_the_sooner(void **state) {
  host_t *h = *state;
  limit(h, 200, PM_MEMORY_EVENT);
  start_holding(h, "a", NULL);
  uint64_t far = time_to_next_look(h, "a");
  hold(h, "a", "100");
  uint64_t half = time_to_next_look(h, "a");
  hold(h, "a", "190");
  uint64_t near = time_to_next_look(h, "a");
  print_message("ms between looks: %d, %d, %d\n", (int)far, (int)half, (int)near);
  assert_true(far > 400 && far <= 501);
  assert_true(half > 150 && half < 300);
  assert_true(near >= 20 && near < 50);
  host_end(h, "a");
}

static void test_without_a_limit_nobody_looks(void **state) {
  host_t *h = *state;
  start_holding(h, "a", "20");
  assert_false(watch_of(h, "a")->on);
  assert_false(uv_is_active((uv_handle_t *)&h->m->memory.timer));
  host_end(h, "a");
}

/* CPU of this thread: others may have the processor meanwhile. */
static double longest_turn(host_t *h, const char *id) {
  double longest = 0;
  uint64_t before = watch_of(h, id)->looked_at;
  while (watch_of(h, id)->looked_at == before) {
    double began = thread_ms();
    uv_run(&h->loop, UV_RUN_ONCE);
    double took = thread_ms() - began;
    if (took > longest) longest = took;
  }
  return longest;
}

static double time_of_whole_look(host_t *h, const char *id) {
  double began = thread_ms();
  assert_int_equal(pm__meter_look(&watch_of(h, id)->meter, 0, UINT64_MAX), 0);
  return thread_ms() - began;
}

/* Slices of half a millisecond: of four trees together that is a small part. */
static void test_no_turn_is_long(void **state) {
  host_t *h = *state;
  if (is_light("trees of hundreds")) return;
  limit(h, 10000, PM_MEMORY_EVENT);
  for (int i = 0; i < 4; i++) {
    const char id[] = {(char)('a' + i), '\0'};
    host_spawn(h, id, "fork-levels", "6", "3", "stay");
    host_wait_output(h, id, "ready\n");
  }
  double longest = INFINITY, whole = 0;
  await_looks(h, "a", 2);
  for (int i = 0; i < 8; i++)
    longest = fmin(longest, longest_turn(h, i % 2 ? "b" : "c"));
  for (char id[] = "a"; *id <= 'd'; ++*id)
    whole += time_of_whole_look(h, id);
  print_message("longest turn: %.2f ms of CPU, all trees: %.2f ms\n", longest, whole);
  assert_true(longest < whole / 4);
  assert_int_equal(watch_of(h, "d")->meter.processes, 259);
}

/* ---- all together ---------------------------------------------------------------------------------- */

static void test_the_largest_is_ended(void **state) {
  host_t *h = *state;
  limit_total(h, 100);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  start_holding(h, "small", "20");
  start_holding(h, "large", "50");
  start_holding(h, "middle", "30");
  assert_int_equal(host_count(h, NULL, PM_EVENT_LIMIT), 0);
  hold(h, "small", "40");
  const seen_t *event = host_wait(h, "large", PM_EVENT_LIMIT, 1);
  assert_string_equal(event->limit, "maxTotalMemory");
  assert_true(event->value == MB(100) && event->figure >= MB(100) && event->figure < MB(140));
  assert_string_equal(host_wait(h, "large", PM_EVENT_EXIT, 1)->limit, "maxTotalMemory");
  await_looks(h, "small", 3);
  assert_int_equal(host_count(h, NULL, PM_EVENT_LIMIT), 1);
  /* Of the manager's limits, whoever was ended for it. */
  assert_int_equal(h->m->limits_reached, 1);
  assert_state(h, "large", "stopped", "exited");
  assert_state(h, "middle", "running", "running");
  host_end(h, "small");
  host_end(h, "middle");
}

/* What its end brings is waited for, unless all together grow on. */
static void test_one_after_the_other(void **state) {
  host_t *h = *state;
  limit_total(h, 100);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  host_spawn(h, "large", "grow-memory", "60", "100000", "ignore");
  host_wait_output(h, "large", "60\n");
  start_holding(h, "small", "30");
  start_holding(h, "middle", "12");
  host_wait(h, "large", PM_EVENT_LIMIT, 1);
  await_looks(h, "small", 5);
  assert_int_equal(host_count(h, NULL, PM_EVENT_LIMIT), 1);
  ask_to_hold(h, "middle", "50");
  host_wait(h, "middle", PM_EVENT_LIMIT, 1);
  host_wait(h, "middle", PM_EVENT_STOP, 1);
  answer_t a;
  host_stop(h, "large", 0, &a);
  assert_true(host_answer(h, &a));
  host_end(h, "small");
}

/* However long it took to read all shares: when one has ended it is known anew whether that was enough. */
static void test_the_next_does_not_wait_for_shares_to_be_due(void **state) {
  host_t *h = *state;
  answer_t a;
  limit_total(h, 50);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_STOP;
  h->options.value[PM_OPT_STOP_TIMEOUT] = INFINITY;
  start_holding(h, "third", NULL);
  host_spawn(h, "first", "grow-memory", "35", "100000", "ignore");
  host_wait_output(h, "first", "35\n");
  start_holding(h, "second", "20");
  host_wait(h, "first", PM_EVENT_LIMIT, 1);
  h->m->memory.collect_due += UINT64_C(3600000000000);
  hold(h, "third", "60");
  host_stop(h, "first", 0, &a);
  assert_true(host_answer(h, &a));
  host_wait(h, "third", PM_EVENT_LIMIT, 1);
  host_wait(h, "third", PM_EVENT_STOP, 1);
  host_end(h, "second");
}

/* What it takes is what a thread was at it, not how long it waited for one. */
static void test_shares_are_due_again_by_what_they_took(void **state) {
  host_t *h = *state;
  limit_total(h, 20);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_EVENT;
  start_holding(h, "a", "40");
  host_wait(h, NULL, PM_EVENT_LIMIT, 1);
  assert_true(h->m->memory.spent > 0);
  uint64_t now = uv_hrtime();
  assert_true(h->m->memory.collect_due <= now + 20 * h->m->memory.spent);
  host_end(h, "a");
}

static void test_nothing_is_started_meanwhile(void **state) {
  host_t *h = *state;
  limit_total(h, 60);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_EVENT;
  start_holding(h, "a", "80");
  const seen_t *event = host_wait(h, NULL, PM_EVENT_LIMIT, 1);
  assert_string_equal(event->id, "");
  assert_string_equal(event->action, "event");
  assert_int_equal(host_try_spawn(h, "b", "say-ready"), UV_EAGAIN);
  assert_string_equal(h->error.code, "ERR_MEMORY_LIMIT");
  assert_non_null(strstr(h->error.message, "maxTotalMemory, 62914560 bytes"));
  assert_false(host_knows(h, "b"));
  assert_string_equal(host_wait(h, NULL, PM_EVENT_LIMIT, 2)->action, "refuse");
  await_looks(h, "a", 3);
  assert_int_equal(host_count(h, NULL, PM_EVENT_LIMIT), 2);
  hold(h, "a", "20");
  await_looks(h, "a", 2);
  host_spawn(h, "b", "say-ready");
  host_end(h, "b");
  host_end(h, "a");
}

/* A restart that is due waits until there is memory, and is seen to wait. */
static void test_restarts_wait_for_memory(void **state) {
  host_t *h = *state;
  limit_total(h, 60);
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_EVENT;
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  start_holding(h, "a", NULL);
  host_spawn(h, "b", "say-ready");
  host_wait_output(h, "b", "ready\n");
  hold(h, "a", "80");
  host_wait(h, NULL, PM_EVENT_LIMIT, 1);
  /* It may have been told at the first of the 80: what "b" gives back would be enough. */
  while (h->m->memory.total < MB(75))
    uv_run(&h->loop, UV_RUN_ONCE);
  assert_int_equal(pm_process_signal(h->m, str("b"), 9, true), 0);
  assert_int_equal(host_wait(h, "b", PM_EVENT_QUEUED, 1)->position, 1);
  host_pass_time(h, 300);
  assert_state(h, "b", "stopped", "queued");
  /* Nor is there a way around that. */
  static answer_t answer;
  assert_int_equal(pm_process_restart(h->m, str("b"), on_answer, &answer, &h->error), UV_EAGAIN);
  assert_string_equal(h->error.code, "ERR_MEMORY_LIMIT");
  assert_state(h, "b", "stopped", "queued");
  hold(h, "a", "1");
  host_wait(h, "b", PM_EVENT_RESTART, 1);
  host_end(h, "b");
  host_end(h, "a");
}

/* ---- what is not judged -------------------------------------------------------------------------- */

static pm__shares_cb pass_on;

/* As if all had ended before they were read. */
static void find_nobody(pm__shares_t *shares, int status) {
  shares->sum = 0;
  shares->found = 0;
  pass_on(shares, status);
  pass_on = NULL;
}

static void test_a_tree_that_has_ended_counts_for_nothing(void **state) {
  host_t *h = *state;
  h->options.value[PM_OPT_LIMIT_MEMORY_ACTION] = PM_MEMORY_EVENT;
  limit_total(h, 1000);
  start_holding(h, "a", "40");
  await_looks(h, "a", 1);
  limit_total(h, 20);
  while (!h->m->memory.reading)
    uv_run(&h->loop, UV_RUN_ONCE);
  pass_on = h->m->memory.reading->cb;
  h->m->memory.reading->cb = find_nobody;
  while (pass_on)
    uv_run(&h->loop, UV_RUN_ONCE);
  assert_int_equal(host_count(h, NULL, PM_EVENT_LIMIT), 0);
  /* But the next look sees what there is. */
  host_wait(h, NULL, PM_EVENT_LIMIT, 1);
  host_end(h, "a");
}

/* Its children live, and the loop has been held up since. */
static void test_a_command_that_has_ended_is_not_ended(void **state) {
  host_t *h = *state;
  siginfo_t info;
  const char *const script = "\"$0\" 1 40 0 & read x";
  const char *const argv[] = {"/bin/sh", "-c", script, PM_FIXTURES "/fork-memory", NULL};
  h->options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
  limit(h, 1000, PM_MEMORY_RESTART);
  assert_int_equal(host_spawn_argv(h, "a", argv), 0);
  host_wait_output(h, "a", "ready\n");
  await_looks(h, "a", 1);
  assert_true(watch_of(h, "a")->resident > MB(40));
  h->m->first->options.value[PM_OPT_LIMIT_MEMORY] = MB(20);
  int pid = host_status(h, "a").pid;
  assert_int_equal(kill(pid, SIGTERM), 0);
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  watch_of(h, "a")->due = 0;
  uv_timer_start(&h->m->memory.timer, h->m->memory.timer.timer_cb, 0, 0);
  assert_string_equal(host_wait(h, "a", PM_EVENT_EXIT, 1)->limit, "");
  assert_int_equal(host_count(h, "a", PM_EVENT_LIMIT), 0);
  assert_string_equal(host_find(h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
}

/* It is over its own limit by far, and no more of it was read than that takes: all together are not taken
 * for so little. */
static void test_a_part_is_not_taken_for_all(void **state) {
  host_t *h = *state;
  limit(h, 16, PM_MEMORY_EVENT);
  host_spawn(h, "a", "fork-memory", "8", "10", "0");
  host_wait_output(h, "a", "ready\n");
  host_wait(h, "a", PM_EVENT_LIMIT, 1);
  pm__memory_watch_t *w = watch_of(h, "a");
  while (!w->share_is_part || w->share > MB(60) || w->resident < MB(80))
    uv_run(&h->loop, UV_RUN_ONCE);
  limit_total(h, 60);
  const seen_t *event = host_wait(h, NULL, PM_EVENT_LIMIT, 2);
  assert_string_equal(event->limit, "maxTotalMemory");
  assert_true(event->figure >= MB(80));
  host_end(h, "a");
}

/* The one that is read for its own limit when all begin to be is read anew for them. */
static void test_a_part_is_no_part_of_the_sum(void **state) {
  host_t *h = *state;
  limit(h, 16, PM_MEMORY_EVENT);
  host_spawn(h, "a", "fork-memory", "8", "10", "0");
  host_wait_output(h, "a", "ready\n");
  host_wait(h, "a", PM_EVENT_LIMIT, 1);
  while (!h->m->memory.reading || watch_of(h, "a")->resident < MB(80))
    uv_run(&h->loop, UV_RUN_ONCE);
  assert_true(h->m->memory.reading->enough == MB(16));
  limit_total(h, 60);
  watch_of(h, "a")->due = UINT64_MAX;
  h->m->memory.collecting = true;
  h->m->memory.collect_began = uv_hrtime();
  const seen_t *event = host_wait(h, NULL, PM_EVENT_LIMIT, 2);
  assert_string_equal(event->limit, "maxTotalMemory");
  assert_true(event->figure >= MB(80));
  assert_false(watch_of(h, "a")->share_is_part);
  host_end(h, "a");
}

/* ---- ends ------------------------------------------------------------------------------------------ */

/* While a share is being read in the pool. */
static void test_closing_in_the_middle(void **state) {
  host_t *h = *state;
  limit(h, 20, PM_MEMORY_EVENT);
  host_spawn(h, "a", "fork-memory", "8", "4", "10");
  while (!h->m->memory.reading)
    uv_run(&h->loop, UV_RUN_ONCE);
  const pm__shares_t *reading = h->m->memory.reading;
  host_begin_closing(h);
  assert_true(reading->left_off);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_restart_is_a_failure, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_stop_is_final, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_event_tells_once_a_crossing, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_stop_takes_the_restart_back, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_restart_that_is_asked_for_counts, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_who_takes_more_instead_of_ending_is_killed, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_who_takes_its_time_to_end_is_not_killed, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_small_victim_may_grow, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_from_within_its_event, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_tree_is_added_up, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_what_is_shared_counts_once, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_short_of_descriptors_is_no_reason, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_the_nearer_the_sooner, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_without_a_limit_nobody_looks, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_no_turn_is_long, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_the_largest_is_ended, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_one_after_the_other, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_the_next_does_not_wait_for_shares_to_be_due, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_shares_are_due_again_by_what_they_took, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_nothing_is_started_meanwhile, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_restarts_wait_for_memory, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_tree_that_has_ended_counts_for_nothing, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_command_that_has_ended_is_not_ended, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_part_is_not_taken_for_all, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_part_is_no_part_of_the_sum, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_closing_in_the_middle, open_host, host_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
