#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../csrc/core/metrics/cpu_window.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static void test_whole_life_then_since_the_last_look(void **state) {
  pm__cpu_window_t w;

  (void)state;
  pm__cpu_window_start(&w, 0, 10 * SECOND);
  assert_true(w.percent == 0);
  assert_true(pm__cpu_window_add(&w, 1 * SECOND, 14 * SECOND) == 25);
  assert_true(pm__cpu_window_add(&w, 1 * SECOND, 16 * SECOND) == 0);
  assert_true(pm__cpu_window_add(&w, 4 * SECOND, 17 * SECOND) == 300);
}

static void test_a_short_window_goes_on(void **state) {
  pm__cpu_window_t w;

  (void)state;
  pm__cpu_window_start(&w, 5 * SECOND, 10 * SECOND);
  assert_true(pm__cpu_window_add(&w, 6 * SECOND, 10 * SECOND) == 0);
  assert_true(pm__cpu_window_add(&w, 6 * SECOND, 10 * SECOND + PM__CPU_WINDOW_FIRST_NS - 1) == 0);
  assert_true(pm__cpu_window_add(&w, 6 * SECOND, 14 * SECOND) == 25);
  assert_true(pm__cpu_window_add(&w, 6 * SECOND + 40 * MS, 14 * SECOND + 50 * MS) == 25);
  assert_true(pm__cpu_window_add(&w, 6 * SECOND + 50 * MS, 14 * SECOND + PM__CPU_WINDOW_MIN_NS) == 50);
}

/* Looks that come close together neither show 0 % nor lose what came between them. */
static void test_many_short_looks(void **state) {
  pm__cpu_window_t w;
  uint64_t used = 0, at = 10 * SECOND;

  (void)state;
  pm__cpu_window_start(&w, 0, at);
  for (int i = 1; i <= 1000; i++) {
    at += MS;
    if (i % 20 == 0) used += 10 * MS; /* a tick each 20 ms: 50 % */
    double percent = pm__cpu_window_add(&w, used, at);
    assert_true(i < 20 ? percent <= 50 : percent > 20 && percent <= 50);
    assert_true(i < 100 || percent == 50);
  }
}

static void test_the_first_window_tells_what_it_has_so_far(void **state) {
  pm__cpu_window_t w;

  (void)state;
  pm__cpu_window_start(&w, 0, 10 * SECOND);
  assert_true(pm__cpu_window_add(&w, 5 * MS, 10 * SECOND + PM__CPU_WINDOW_FIRST_NS - 1) == 0);
  assert_true(pm__cpu_window_add(&w, 10 * MS, 10 * SECOND + 20 * MS) == 50);
  assert_true(pm__cpu_window_add(&w, 10 * MS, 10 * SECOND + 40 * MS) == 25);
  assert_true(pm__cpu_window_add(&w, 30 * MS, 10 * SECOND + 200 * MS) == 15);
  assert_true(pm__cpu_window_add(&w, 60 * MS, 10 * SECOND + 220 * MS) == 15);
  assert_true(pm__cpu_window_add(&w, 60 * MS, 10 * SECOND + 300 * MS) == 30);
}

static void test_cpu_time_that_went_down_counts_as_none(void **state) {
  pm__cpu_window_t w;

  (void)state;
  pm__cpu_window_start(&w, 5 * SECOND, 10 * SECOND);
  assert_true(pm__cpu_window_add(&w, 2 * SECOND, 11 * SECOND) == 0);
  assert_true(pm__cpu_window_add(&w, 3 * SECOND, 13 * SECOND) == 50);
}

static void test_a_clock_that_went_back_begins_a_window(void **state) {
  pm__cpu_window_t w;

  (void)state;
  pm__cpu_window_start(&w, 0, 10 * SECOND);
  assert_true(pm__cpu_window_add(&w, 1 * SECOND, 12 * SECOND) == 50);
  assert_true(pm__cpu_window_add(&w, 2 * SECOND, 3 * SECOND) == 50);
  assert_true(pm__cpu_window_add(&w, 3 * SECOND, 4 * SECOND) == 100);
}

static void test_the_largest_numbers(void **state) {
  pm__cpu_window_t w;
  double percent;

  (void)state;
  pm__cpu_window_start(&w, 0, 0);
  percent = pm__cpu_window_add(&w, UINT64_MAX, PM__CPU_WINDOW_MIN_NS);
  assert_true(percent > 0 && percent < 1e20);
  assert_true(pm__cpu_window_add(&w, 0, UINT64_MAX) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_life_then_since_the_last_look),
      cmocka_unit_test(test_a_short_window_goes_on),
      cmocka_unit_test(test_many_short_looks),
      cmocka_unit_test(test_the_first_window_tells_what_it_has_so_far),
      cmocka_unit_test(test_cpu_time_that_went_down_counts_as_none),
      cmocka_unit_test(test_a_clock_that_went_back_begins_a_window),
      cmocka_unit_test(test_the_largest_numbers),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
