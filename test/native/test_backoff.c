#include "support.h"

#include <limits.h>
#include <math.h>

#include "core/backoff.h"

static const pm__end_t crashed = {.started = true, .code = 1, .uptime = 10};
static const pm__end_t killed = {.started = true, .code = -1, .uptime = 10};
static const pm__end_t not_started = {.started = false, .code = -1, .uptime = 0};
static const pm__end_t clean = {.started = true, .code = 0, .uptime = 10};

/* The defaults with autoRestart and no jitter. */
static pm_options_t restarting(void) {
  pm_options_t o;
  pm_options_init(&o);
  o.value[PM_OPT_AUTO_RESTART] = 1;
  o.value[PM_OPT_RESTART_JITTER] = 0;
  return o;
}

static void assert_decision(pm__backoff_t got, pm__verdict_t verdict, double delay, unsigned attempts) {
  assert_int_equal(got.verdict, verdict);
  if (got.delay != delay) fail_msg("the delay is %.17g, not %.17g", got.delay, delay);
  assert_int_equal(got.attempts, attempts);
}

static void test_nothing_follows_without_auto_restart(void **state) {
  (void)state;
  pm_options_t o;
  pm_options_init(&o);
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.5), PM__END_DONE, 0, 0);
  assert_decision(pm__backoff_decide(&o, &not_started, 0, 0.5), PM__END_DONE, 0, 0);
}

/* Whatever the command made of being ended, and whatever autoRestart says. */
static void test_an_end_for_a_limit_is_a_failure(void **state) {
  (void)state;
  const pm__end_t ended = {.started = true, .code = 0, .uptime = 10, .limit = "limits.memory"};
  pm_options_t o = restarting();
  o.value[PM_OPT_AUTO_RESTART] = 0;
  assert_decision(pm__backoff_decide(&o, &ended, 0, 0.5), PM__END_RESTART, 1000, 1);
  assert_decision(pm__backoff_decide(&o, &ended, 2, 0.5), PM__END_RESTART, 4000, 3);
  assert_int_equal(pm__backoff_decide(&o, &ended, 5, 0.5).verdict, PM__END_GIVE_UP);
}

static void test_nothing_follows_a_clean_end(void **state) {
  (void)state;
  pm_options_t o = restarting();
  assert_decision(pm__backoff_decide(&o, &clean, 3, 0.5), PM__END_DONE, 0, 3);
}

static void test_failures_of_every_kind_are_restarted(void **state) {
  (void)state;
  pm_options_t o = restarting();
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.5), PM__END_RESTART, 1000, 1);
  assert_decision(pm__backoff_decide(&o, &killed, 0, 0.5), PM__END_RESTART, 1000, 1);
  assert_decision(pm__backoff_decide(&o, &not_started, 0, 0.5), PM__END_RESTART, 1000, 1);
}

static void test_a_code_counts_only_of_what_started(void **state) {
  (void)state;
  pm_options_t o = restarting();
  const pm__end_t end = {.started = false, .code = 0, .uptime = 0};
  assert_decision(pm__backoff_decide(&o, &end, 0, 0.5), PM__END_RESTART, 1000, 1);
}

static void test_delays_grow_to_the_cap(void **state) {
  (void)state;
  static const double delays[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
  pm_options_t o = restarting();
  o.value[PM_OPT_MAX_RESTARTS] = 100;
  unsigned attempts = 0;
  for (size_t n = 0; n < sizeof(delays) / sizeof(delays[0]); n++) {
    pm__backoff_t next = pm__backoff_decide(&o, &crashed, attempts, 0.5);
    assert_decision(next, PM__END_RESTART, delays[n], attempts + 1);
    attempts = next.attempts;
  }
}

static void test_gives_up_after_max_restarts(void **state) {
  (void)state;
  pm_options_t o = restarting();
  assert_decision(pm__backoff_decide(&o, &crashed, 4, 0.5), PM__END_RESTART, 16000, 5);
  assert_decision(pm__backoff_decide(&o, &crashed, 5, 0.5), PM__END_GIVE_UP, 0, 5);
  assert_decision(pm__backoff_decide(&o, &crashed, 6, 0.5), PM__END_GIVE_UP, 0, 6);
}

static void test_no_restart_at_all_when_max_restarts_is_0(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_MAX_RESTARTS] = 0;
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.5), PM__END_GIVE_UP, 0, 0);
}

static void test_never_gives_up_when_max_restarts_is_infinite(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_MAX_RESTARTS] = INFINITY;
  assert_decision(pm__backoff_decide(&o, &crashed, 1000000, 0.5), PM__END_RESTART, 30000, 1000001);
  assert_decision(pm__backoff_decide(&o, &crashed, UINT_MAX, 0.5), PM__END_RESTART, 30000, UINT_MAX);
}

static void test_a_stable_run_starts_the_count_anew(void **state) {
  (void)state;
  pm_options_t o = restarting();
  pm__end_t end = crashed;
  end.uptime = 59999.5;
  assert_decision(pm__backoff_decide(&o, &end, 5, 0.5), PM__END_GIVE_UP, 0, 5);
  end.uptime = 60000;
  assert_decision(pm__backoff_decide(&o, &end, 5, 0.5), PM__END_RESTART, 1000, 1);
  end.code = 0;
  assert_decision(pm__backoff_decide(&o, &end, 5, 0.5), PM__END_DONE, 0, 0);
}

static void test_what_never_started_was_not_stable(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_STABLE_AFTER] = 0;
  assert_decision(pm__backoff_decide(&o, &not_started, 5, 0.5), PM__END_GIVE_UP, 0, 5);
  assert_decision(pm__backoff_decide(&o, &crashed, 5, 0.5), PM__END_RESTART, 1000, 1);
}

static void test_nothing_is_stable_when_stable_after_is_infinite(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_STABLE_AFTER] = INFINITY;
  pm__end_t end = crashed;
  end.uptime = 1e15;
  assert_decision(pm__backoff_decide(&o, &end, 5, 0.5), PM__END_GIVE_UP, 0, 5);
}

static void test_jitter_spreads_both_ways(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_RESTART_JITTER] = 0.5;
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0), PM__END_RESTART, 500, 1);
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.25), PM__END_RESTART, 750, 1);
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.5), PM__END_RESTART, 1000, 1);
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0.75), PM__END_RESTART, 1250, 1);
  assert_true(pm__backoff_decide(&o, &crashed, 0, nextafter(1, 0)).delay < 1500.0000001);
}

static void test_full_jitter_is_never_negative(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_RESTART_JITTER] = 1;
  assert_decision(pm__backoff_decide(&o, &crashed, 0, 0), PM__END_RESTART, 0, 1);
}

static void test_a_factor_of_1_keeps_the_delay(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_RESTART_FACTOR] = 1;
  o.value[PM_OPT_MAX_RESTARTS] = INFINITY;
  assert_decision(pm__backoff_decide(&o, &crashed, UINT_MAX - 1, 0.5), PM__END_RESTART, 1000, UINT_MAX);
}

static void test_no_delay_stays_no_delay(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_RESTART_DELAY] = 0;
  o.value[PM_OPT_MAX_RESTARTS] = INFINITY;
  assert_decision(pm__backoff_decide(&o, &crashed, UINT_MAX, 0.5), PM__END_RESTART, 0, UINT_MAX);
}

/* Every combination of odd values in the fields that make the delay. */
static void test_no_input_makes_the_delay_odd(void **state) {
  (void)state;
  static const double odd[] = {-INFINITY, -1, -0.0, 0, 1e-300, 0.5, 1, 1000, 1e300, INFINITY, NAN};
  static const unsigned counts[] = {0, 1, 5, 1075, UINT_MAX};
  enum { ODD = sizeof(odd) / sizeof(odd[0]) };
  pm_options_t o = restarting();
  o.value[PM_OPT_MAX_RESTARTS] = INFINITY;
  for (size_t k = 0; k < (size_t)ODD * ODD * ODD * ODD * ODD; k++) {
    o.value[PM_OPT_RESTART_DELAY] = odd[k % ODD];
    o.value[PM_OPT_RESTART_FACTOR] = odd[k / ODD % ODD];
    o.value[PM_OPT_MAX_RESTART_DELAY] = odd[k / ODD / ODD % ODD];
    o.value[PM_OPT_RESTART_JITTER] = odd[k / ODD / ODD / ODD % ODD];
    double random = odd[k / ODD / ODD / ODD / ODD];
    pm__backoff_t got = pm__backoff_decide(&o, &crashed, counts[k % 5], random);
    bool good = got.delay >= 0 && got.delay <= 2 * pm_option_table[PM_OPT_MAX_RESTART_DELAY].max;
    if (!good || signbit(got.delay)) fail_msg("combination %zu: the delay is %g", k, got.delay);
  }
}

static void test_odd_limits_are_no_limits_by_accident(void **state) {
  (void)state;
  pm_options_t o = restarting();
  o.value[PM_OPT_MAX_RESTARTS] = NAN;
  assert_int_equal(pm__backoff_decide(&o, &crashed, 0, 0.5).verdict, PM__END_GIVE_UP);
  o.value[PM_OPT_AUTO_RESTART] = NAN;
  assert_int_equal(pm__backoff_decide(&o, &crashed, 0, 0.5).verdict, PM__END_DONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_follows_without_auto_restart),
      cmocka_unit_test(test_nothing_follows_a_clean_end),
      cmocka_unit_test(test_an_end_for_a_limit_is_a_failure),
      cmocka_unit_test(test_failures_of_every_kind_are_restarted),
      cmocka_unit_test(test_a_code_counts_only_of_what_started),
      cmocka_unit_test(test_delays_grow_to_the_cap),
      cmocka_unit_test(test_gives_up_after_max_restarts),
      cmocka_unit_test(test_no_restart_at_all_when_max_restarts_is_0),
      cmocka_unit_test(test_never_gives_up_when_max_restarts_is_infinite),
      cmocka_unit_test(test_a_stable_run_starts_the_count_anew),
      cmocka_unit_test(test_what_never_started_was_not_stable),
      cmocka_unit_test(test_nothing_is_stable_when_stable_after_is_infinite),
      cmocka_unit_test(test_jitter_spreads_both_ways),
      cmocka_unit_test(test_full_jitter_is_never_negative),
      cmocka_unit_test(test_a_factor_of_1_keeps_the_delay),
      cmocka_unit_test(test_no_delay_stays_no_delay),
      cmocka_unit_test(test_no_input_makes_the_delay_odd),
      cmocka_unit_test(test_odd_limits_are_no_limits_by_accident),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
