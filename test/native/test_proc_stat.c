#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "../../csrc/platform/proc_stat.h"

/* What follows the state in every line below, up to the resident pages. */
#define MIDDLE " 7 8 9 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 1 0 12345 1000000"
#define TAIL   " 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0\n"

/* Parses a copy that ends where the text does, so that the sanitizers see any
 * step beyond it. */
static int parse(const char *text, size_t len, pm__proc_stat_t *out) {
  char *copy = malloc(len ? len : 1);
  int r;

  assert_non_null(copy);
  memcpy(copy, text, len);
  r = pm__proc_stat_parse(copy, len, out);
  assert_memory_equal(copy, text, len);
  free(copy);
  return r;
}

static void assert_parses(const char *text, pm__proc_stat_t *out) {
  assert_int_equal(parse(text, strlen(text), out), 0);
}

static void assert_refused_bytes(const char *text, size_t len) {
  pm__proc_stat_t out, before;

  memset(&out, 0x5a, sizeof out);
  memcpy(&before, &out, sizeof out);
  assert_int_equal(parse(text, len, &out), UV_EINVAL);
  assert_memory_equal(&out, &before, sizeof out);
}

static void assert_refused(const char *text) {
  assert_refused_bytes(text, strlen(text));
}

static void assert_usual(const pm__proc_stat_t *s) {
  assert_int_equal(s->pid, 42);
  assert_int_equal(s->state, 'S');
  assert_int_equal(s->ppid, 7);
  assert_int_equal(s->pgrp, 8);
  assert_int_equal(s->session, 9);
  assert_int_equal(s->utime, 250);
  assert_int_equal(s->stime, 50);
  assert_int_equal(s->cutime, 7);
  assert_int_equal(s->cstime, 8);
  assert_int_equal(s->threads, 1);
  assert_int_equal(s->start_time, 12345);
  assert_int_equal(s->rss_pages, 678);
}

static void test_takes_each_field_from_its_place(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_parses("42 (cat) S" MIDDLE " 678" TAIL, &s);
  assert_usual(&s);
}

static void test_counts_from_the_last_parenthesis(void **state) {
  static const char *const names[] = {"",
                                      " ",
                                      "a b",
                                      ")",
                                      "(",
                                      "((",
                                      "))",
                                      ") R 1 1",
                                      "x) R 1 1 1 1 1 1 1",
                                      "a\nb",
                                      "\n",
                                      ")\n",
                                      ") (",
                                      "42 (cat) S" MIDDLE " 1"};
  char text[512];
  pm__proc_stat_t s;

  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(text, sizeof text, "42 (%s) S" MIDDLE " 678" TAIL, names[i]);
    assert_parses(text, &s);
    assert_usual(&s);
  }
}

static void test_takes_any_byte_in_the_name(void **state) {
  char text[512];
  pm__proc_stat_t s;

  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    int n = snprintf(text, sizeof text, "42 (a_b) S" MIDDLE " 678" TAIL);
    text[5] = (char)byte;
    assert_int_equal(parse(text, (size_t)n, &s), 0);
    assert_usual(&s);
  }
}

static void test_refuses_what_was_cut(void **state) {
  static const char text[] = "42 (cat) S" MIDDLE " 678 ";
  pm__proc_stat_t s;

  (void)state;
  for (size_t len = 0; len < sizeof text - 1; len++)
    assert_refused_bytes(text, len);
  assert_int_equal(parse(text, sizeof text - 1, &s), 0);
  assert_usual(&s);
}

static void test_takes_a_line_that_ends_after_the_last_field(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_parses("42 (cat) S" MIDDLE " 678\n", &s);
  assert_usual(&s);
}

static void test_takes_every_state(void **state) {
  static const char states[] = "RSDZTtWXxKPI";
  char text[512];
  pm__proc_stat_t s;

  (void)state;
  for (const char *p = states; *p; p++) {
    snprintf(text, sizeof text, "42 (cat) %c" MIDDLE " 678" TAIL, *p);
    assert_parses(text, &s);
    assert_int_equal(s.state, *p);
  }
}

static void test_refuses_a_bad_head(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_int_equal(pm__proc_stat_parse(NULL, 0, &s), UV_EINVAL);
  assert_refused("");
  assert_refused("\n");
  assert_refused("(cat) S" MIDDLE " 678" TAIL);
  assert_refused(" 42 (cat) S" MIDDLE " 678" TAIL);
  assert_refused("42 cat S" MIDDLE " 678" TAIL);
  assert_refused("42 cat) S" MIDDLE " 678" TAIL);
  assert_refused("42 (cat S" MIDDLE " 678" TAIL);
  assert_refused("42  (cat) S" MIDDLE " 678" TAIL);
  assert_refused("42(cat) S" MIDDLE " 678" TAIL);
  assert_refused("42) (cat S" MIDDLE " 678" TAIL);
  assert_refused("0 (cat) S" MIDDLE " 678" TAIL);
  assert_refused("-42 (cat) S" MIDDLE " 678" TAIL);
  assert_refused("+42 (cat) S" MIDDLE " 678" TAIL);
  assert_refused("0x2a (cat) S" MIDDLE " 678" TAIL);
  assert_refused("2147483648 (cat) S" MIDDLE " 678" TAIL);
  assert_refused("42 (cat)  S" MIDDLE " 678" TAIL);
  assert_refused("42 (cat) SS" MIDDLE " 678" TAIL);
  assert_refused("42 (cat) 1" MIDDLE " 678" TAIL);
  assert_refused("42 (cat) " MIDDLE " 678" TAIL);
  assert_refused("42 (cat) S)" MIDDLE " 678" TAIL);
}

static void test_refuses_bad_numbers(void **state) {
  (void)state;
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 -250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 250 -50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 -12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 67.8" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 2a0 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 - 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 --1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0  -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9\t0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S -1 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 -2 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 -2 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
}

static void test_refuses_numbers_too_large(void **state) {
  (void)state;
  assert_refused("42 (cat) S 2147483648 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000000 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 18446744073709551616 50 0 0 20 0 1 0 12345 1 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 99999999999999999999 1 678" TAIL);
  assert_refused("42 (cat) S 7 8 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1 "
                 "100000000000000000000000000000000000000000" TAIL);
}

static void test_takes_the_largest_numbers(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_parses("2147483647 (cat) S 2147483647 2147483647 2147483647 0 -1 4194304 100 0 0 0 18446744073709551615 "
                "18446744073709551615 0 0 20 0 1 0 18446744073709551615 1000000 18446744073709551615" TAIL,
                &s);
  assert_int_equal(s.pid, INT_MAX);
  assert_int_equal(s.ppid, INT_MAX);
  assert_int_equal(s.pgrp, INT_MAX);
  assert_int_equal(s.session, INT_MAX);
  assert_true(s.utime == UINT64_MAX);
  assert_true(s.stime == UINT64_MAX);
  assert_true(s.start_time == UINT64_MAX);
  assert_true(s.rss_pages == UINT64_MAX);
}

static void test_negative_rss_is_none(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_parses("42 (cat) S" MIDDLE " -678" TAIL, &s);
  assert_int_equal(s.rss_pages, 0);
}

static void test_takes_a_process_that_is_being_reaped(void **state) {
  pm__proc_stat_t s;

  (void)state;
  assert_parses("42 (cat) X 0 -1 -1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 0 0 12345 0 0" TAIL, &s);
  assert_int_equal(s.pgrp, -1);
  assert_int_equal(s.session, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_takes_each_field_from_its_place),
      cmocka_unit_test(test_counts_from_the_last_parenthesis),
      cmocka_unit_test(test_takes_any_byte_in_the_name),
      cmocka_unit_test(test_refuses_what_was_cut),
      cmocka_unit_test(test_takes_a_line_that_ends_after_the_last_field),
      cmocka_unit_test(test_takes_every_state),
      cmocka_unit_test(test_refuses_a_bad_head),
      cmocka_unit_test(test_refuses_bad_numbers),
      cmocka_unit_test(test_refuses_numbers_too_large),
      cmocka_unit_test(test_takes_the_largest_numbers),
      cmocka_unit_test(test_negative_rss_is_none),
      cmocka_unit_test(test_takes_a_process_that_is_being_reaped),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
