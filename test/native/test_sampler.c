#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "../../csrc/core/metrics/cpu_window.h"
#include "../../csrc/platform/metrics.h"
#include "../../csrc/pm.h"
#include "worker.h"

/* What the kernel's ticks (user and system time, cut off at both ends) and the
 * worker's own steps around a job can add to or take from a figure. */
#define CPU_ERROR (25 * MS)

enum { MAX_SOURCES = 256 };

/* Descriptors: of a sampler that has looked at anybody; of each that it knows. */
/* Of each that has been looked at once; from the second time on, one more. */
enum { ITS_OWN = 1, OF_EACH = 3 };

/* What the tests hold: teardown checks that nothing else is left. */
typedef struct fixture {
  pm_sampler_t *sampler;
  int descriptors;
} fixture_t;

static int set_up(void **state) {
  fixture_t *f = calloc(1, sizeof *f);

  assert_non_null(f);
  f->descriptors = count_descriptors();
  f->sampler = pm_sampler_new();
  assert_non_null(f->sampler);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture_t *f = *state;
  int descriptors;

  pm_sampler_free(f->sampler);
  descriptors = f->descriptors;
  free(f);
  assert_int_equal(count_descriptors(), descriptors);
  assert_no_child();
  return 0;
}

/* One look, with the times between which it took place. */
typedef struct look {
  uint64_t before, after;
  double cpu, memory;
} look_t;

static look_t take_look(pm_sampler_t *s, int pid) {
  look_t l = {.before = pm__metrics_now()};
  pm_metrics_t found;

  assert_int_equal(pm_sampler_read(s, pid, INFINITY, &found), 0);
  l.cpu = found.cpu;
  l.memory = found.memory;
  l.after = pm__metrics_now();
  return l;
}

static void wait_until(uint64_t at) {
  while (pm__metrics_now() < at) {
    struct timespec ms = {0, (long)MS};
    nanosleep(&ms, NULL);
  }
}

/* percent tells of `used` in a window of at least `shortest` and at most
 * `longest`. */
static void assert_percent(double percent, uint64_t used, uint64_t shortest, uint64_t longest) {
  double least = used > CPU_ERROR ? (double)(used - CPU_ERROR) : 0;

  assert_true(percent >= 100.0 * least / (double)longest - 1e-6);
  assert_true(percent <= 100.0 * (double)(used + CPU_ERROR) / (double)shortest + 1e-6);
}

static void assert_fails(pm_sampler_t *s, int pid, int err) {
  pm_metrics_t found = {.cpu = -1, .memory = -1};

  assert_int_equal(pm_sampler_read(s, pid, INFINITY, &found), err);
  assert_true(found.cpu == 0);
  assert_true(found.memory == 0);
}

static void test_first_look_covers_the_life_and_second_what_came_since(void **state) {
  fixture_t *f = *state;
  uint64_t born = pm__metrics_now();
  worker_t w = worker_start();
  uint64_t started = pm__metrics_now();
  uint64_t used[2];
  look_t looks[3];

  used[0] = worker_do(&w, 'b');
  looks[0] = take_look(f->sampler, w.pid);
  /* The start time is cut to a tick, so the life may seem one longer. */
  assert_percent(looks[0].cpu, used[0], looks[0].before - started, looks[0].after - born + 10 * MS);

  wait_until(looks[0].after + 200 * MS);
  looks[1] = take_look(f->sampler, w.pid);
  assert_percent(looks[1].cpu, 0, looks[1].before - looks[0].after, looks[1].after - looks[0].before);

  used[1] = worker_do(&w, 'b');
  looks[2] = take_look(f->sampler, w.pid);
  assert_percent(looks[2].cpu, used[1] - used[0], looks[2].before - looks[1].after, looks[2].after - looks[1].before);
  worker_end(&w);
}

static void test_two_samplers_do_not_share_windows(void **state) {
  fixture_t *f = *state;
  pm_sampler_t *other = pm_sampler_new();
  uint64_t born = pm__metrics_now();
  worker_t w = worker_start();
  uint64_t started = pm__metrics_now(), used;
  look_t l;

  assert_non_null(other);
  used = worker_do(&w, 'b');
  l = take_look(f->sampler, w.pid);
  wait_until(l.after + PM__CPU_WINDOW_MIN_NS);
  l = take_look(other, w.pid);
  assert_percent(l.cpu, used, l.before - started, l.after - born + 10 * MS);
  pm_sampler_free(other);
  worker_end(&w);
}

static void test_a_look_too_soon_gives_the_previous_figure(void **state) {
  fixture_t *f = *state;
  worker_t w = worker_start();
  look_t first, second;

  worker_do(&w, 'b');
  /* Until two looks come close enough, however busy the machine is. */
  do {
    wait_until(pm__metrics_now() + PM__CPU_WINDOW_MIN_NS);
    worker_do(&w, 'b');
    first = take_look(f->sampler, w.pid);
    second = take_look(f->sampler, w.pid);
  } while (second.after - first.before >= PM__CPU_WINDOW_MIN_NS);
  assert_true(first.cpu > 0);
  assert_true(second.cpu == first.cpu);
  worker_end(&w);
}

static void test_memory_in_megabytes(void **state) {
  fixture_t *f = *state;
  worker_t w = worker_start();
  double megabytes;
  pm__metrics_source_t source;
  pm__usage_t usage;
  look_t l;

  worker_do(&w, 'm');
  l = take_look(f->sampler, w.pid);
  assert_int_equal(pm__metrics_open(w.pid, &source), 0);
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  pm__metrics_close(source);
  megabytes = (double)usage.memory / (double)MB;
  assert_true(l.memory > megabytes * 0.99 && l.memory < megabytes * 1.01);
  worker_end(&w);
}

static void test_no_such_process(void **state) {
  fixture_t *f = *state;

  assert_fails(f->sampler, 0, UV_ESRCH);
  assert_fails(f->sampler, -1, UV_ESRCH);
  assert_fails(f->sampler, INT_MAX, UV_ESRCH);
  assert_int_equal(count_descriptors(), f->descriptors + ITS_OWN);
}

static void test_a_vanished_process_holds_no_descriptor(void **state) {
  fixture_t *f = *state;
  worker_t w = worker_start_idle();
  look_t l = take_look(f->sampler, w.pid);

  assert_true(l.memory > 0);
  assert_true(find_stat_fd(w.pid) >= 0);
  worker_kill(&w);
  l = take_look(f->sampler, w.pid);
  assert_true(l.memory == 0);
  worker_reap(&w);
  assert_fails(f->sampler, w.pid, UV_ESRCH);
  assert_int_equal(count_descriptors(), f->descriptors + ITS_OWN);
  assert_fails(f->sampler, w.pid, UV_ESRCH);
}

static void test_the_reaped_are_swept_when_others_come(void **state) {
  fixture_t *f = *state;
  worker_t first = worker_start_idle();

  take_look(f->sampler, first.pid);
  for (int i = 0; i < 20; i++) {
    worker_t w = worker_start_idle();
    take_look(f->sampler, w.pid);
    worker_end(&w);
    /* The living one, the last one, and one that the sweep may not have reached. */
    assert_true(count_descriptors() <= f->descriptors + ITS_OWN + 3 * OF_EACH + 1);
  }
  assert_true(find_stat_fd(first.pid) >= 0);
  worker_end(&first);
}

static void test_keeps_the_256_looked_at_last(void **state) {
  enum { EXTRA = 2 };
  fixture_t *f = *state;
  worker_t workers[MAX_SOURCES + EXTRA];

  for (int i = 0; i < MAX_SOURCES + EXTRA; i++)
    workers[i] = worker_start_idle();
  for (int i = 0; i < MAX_SOURCES; i++)
    take_look(f->sampler, workers[i].pid);
  assert_int_equal(count_descriptors(), f->descriptors + ITS_OWN + OF_EACH * MAX_SOURCES);

  /* Makes the second and the third the ones that were not looked at longest. */
  take_look(f->sampler, workers[0].pid);
  for (int i = MAX_SOURCES; i < MAX_SOURCES + EXTRA; i++)
    take_look(f->sampler, workers[i].pid);
  assert_int_equal(count_descriptors(), f->descriptors + ITS_OWN + OF_EACH * MAX_SOURCES + 1);
  for (int i = 0; i < MAX_SOURCES + EXTRA; i++)
    assert_int_equal(find_stat_fd(workers[i].pid) < 0, i == 1 || i == 2);

  take_look(f->sampler, workers[1].pid);
  assert_true(find_stat_fd(workers[1].pid) >= 0);
  assert_true(find_stat_fd(workers[3].pid) < 0);

  /* One that was found gone has made room: nobody has to go for the next. */
  worker_end(&workers[100]);
  assert_fails(f->sampler, workers[100].pid, UV_ESRCH);
  take_look(f->sampler, workers[2].pid);
  assert_true(find_stat_fd(workers[4].pid) >= 0);
  assert_int_equal(count_descriptors(), f->descriptors + ITS_OWN + OF_EACH * MAX_SOURCES + 1);
  for (int i = 0; i < MAX_SOURCES + EXTRA; i++)
    if (i != 100) worker_end(&workers[i]);
}

static void test_gives_up_its_own_descriptor_when_none_is_left(void **state) {
  fixture_t *f = *state;
  worker_t a = worker_start(), b = worker_start();
  look_t first, second;
  struct rlimit old;

  worker_do(&a, 'b');
  old = limit_fds(1);
  first = take_look(f->sampler, a.pid);
  take_look(f->sampler, b.pid);
  assert_true(find_stat_fd(a.pid) < 0);
  assert_true(find_stat_fd(b.pid) >= 0);

  /* The window of a goes on although its descriptor was lost meanwhile. */
  wait_until(first.after + 200 * MS);
  second = take_look(f->sampler, a.pid);
  setrlimit(RLIMIT_NOFILE, &old);
  assert_percent(second.cpu, 0, second.before - first.after, second.after - first.before);
  assert_true(find_stat_fd(a.pid) >= 0);
  assert_true(find_stat_fd(b.pid) < 0);
  worker_end(&a);
  worker_end(&b);
}

static void test_no_descriptor_at_all(void **state) {
  fixture_t *f = *state;
  worker_t a = worker_start_idle(), b = worker_start_idle();
  struct rlimit old;

  old = limit_fds(0);
  assert_fails(f->sampler, a.pid, UV_EMFILE);
  setrlimit(RLIMIT_NOFILE, &old);

  /* Two that are known, then none may be opened any more: what is open is still
   * read, what must be opened is not. */
  old = limit_fds(1);
  take_look(f->sampler, a.pid);
  take_look(f->sampler, b.pid);
  setrlimit(RLIMIT_NOFILE, &old);
  assert_true(find_stat_fd(a.pid) < 0);
  old = limit_fds(0);
  take_look(f->sampler, b.pid);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)find_stat_fd(b.pid), old.rlim_max});
  assert_fails(f->sampler, a.pid, UV_EMFILE);
  setrlimit(RLIMIT_NOFILE, &old);
  take_look(f->sampler, a.pid);
  take_look(f->sampler, b.pid);
  worker_end(&a);
  worker_end(&b);
}

/* The first process has used more CPU time than the second under its pid: if
 * its window went on, the second's would seem to have gone down, to 0 percent.
 * Once with the first's source still open, once with it given up. */
static void check_reused_pid(pm_sampler_t *s, bool with_source) {
  worker_t w = worker_start(), other = worker_start_idle(), again;
  uint64_t died, used;
  struct rlimit old;
  look_t l;

  worker_do(&w, 'b');
  worker_do(&w, 'b');
  old = limit_fds(1);
  l = take_look(s, w.pid);
  assert_true(l.cpu > 0);
  if (!with_source) take_look(s, other.pid);
  setrlimit(RLIMIT_NOFILE, &old);
  assert_int_equal(find_stat_fd(w.pid) >= 0, with_source);
  worker_end(&w);
  worker_end(&other);
  died = pm__metrics_now();

  again = worker_start_as(w.pid);
  if (again.pid < 0) skip(); /* not privileged to choose pids */
  assert_int_equal(again.pid, w.pid);
  used = worker_do(&again, 'b');
  l = take_look(s, again.pid);
  assert_percent(l.cpu, used, used, l.after - died + 10 * MS);
  assert_true(l.cpu > 0);
  assert_true(l.memory > 0);
  worker_end(&again);
}

static void test_a_reused_pid_starts_anew(void **state) {
  check_reused_pid(((fixture_t *)*state)->sampler, true);
}

static void test_a_reused_pid_starts_anew_without_a_source(void **state) {
  check_reused_pid(((fixture_t *)*state)->sampler, false);
}

static void test_no_memory_for_a_sampler(void **state) {
  unsigned long n = 1;
  pm_sampler_t *s;

  (void)state;
  for (;; n++) {
    alloc_fail_nth(n);
    s = pm_sampler_new();
    if (alloc_seen() < n) break;
    assert_null(s);
  }
  alloc_fail_nth(0);
  assert_true(n > 1);
  assert_non_null(s);
  pm_sampler_free(s);
  pm_sampler_free(NULL);
}

#define SAMPLER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      SAMPLER_TEST(test_first_look_covers_the_life_and_second_what_came_since),
      SAMPLER_TEST(test_two_samplers_do_not_share_windows),
      SAMPLER_TEST(test_a_look_too_soon_gives_the_previous_figure),
      SAMPLER_TEST(test_memory_in_megabytes),
      SAMPLER_TEST(test_no_such_process),
      SAMPLER_TEST(test_a_vanished_process_holds_no_descriptor),
      SAMPLER_TEST(test_the_reaped_are_swept_when_others_come),
      SAMPLER_TEST(test_keeps_the_256_looked_at_last),
      SAMPLER_TEST(test_gives_up_its_own_descriptor_when_none_is_left),
      SAMPLER_TEST(test_no_descriptor_at_all),
      SAMPLER_TEST(test_a_reused_pid_starts_anew),
      SAMPLER_TEST(test_a_reused_pid_starts_anew_without_a_source),
      SAMPLER_TEST(test_no_memory_for_a_sampler),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
