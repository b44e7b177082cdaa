/* Looking for lines in the two logs of a process: which, in what order, with which numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/logs/log_query.h"
#include "literals.h"
#include "log_model.h"
#include "support.h"

enum { BOTH = 1 << PM_STDOUT | 1 << PM_STDERR };

/* Two rings that share their count, as those of a process. */
typedef struct logs {
  pm__log_ring_t rings[PM_STREAM_COUNT];
  uint64_t last_seq;
} logs_t;

static void begin(logs_t *logs, size_t max_lines, size_t max_bytes) {
  *logs = (logs_t){0};
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    pm__log_ring_init(&logs->rings[i], max_lines, max_bytes);
    logs->rings[i].last_seq = &logs->last_seq;
  }
}

static void end(logs_t *logs) {
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    pm__log_ring_free(&logs->rings[i]);
}

static void put(logs_t *logs, pm_stream_t stream, const char *text) {
  pm__log_ring_append(&logs->rings[stream], text, strlen(text));
  pm__log_ring_end_line(&logs->rings[stream]);
}

typedef struct joined {
  char text[2048];
  size_t len, count;
} joined_t;

static void join(void *arg, const pm_log_line_t *line) {
  joined_t *j = arg;
  assert_non_null(line->text.base);
  j->count++;
  j->len += (size_t)snprintf(j->text + j->len, sizeof j->text - j->len, "%s%d%c%.*s", j->len ? " " : "", (int)line->seq,
                             line->stream == PM_STDOUT ? ':' : '!', (int)line->text.len, line->text.base);
}

/* Each as "seq:text" of stdout, "seq!text" of stderr. */
static void assert_answer(const logs_t *logs, pm_log_query_t query, const char *expected) {
  joined_t j = {0};
  if (query.streams == 0) query.streams = BOTH;
  if (query.lines == 0) query.lines = SIZE_MAX;
  assert_int_equal(pm__log_query(logs->rings, &query, join, &j), 0);
  assert_string_equal(j.text, expected);
}

#define QUERY(...) ((pm_log_query_t){__VA_ARGS__})

/* 1:one 2!two 3!three 4:four 5:five 6!six */
static void put_six(logs_t *logs) {
  begin(logs, 100, 10000);
  put(logs, PM_STDOUT, "one");
  put(logs, PM_STDERR, "two");
  put(logs, PM_STDERR, "three");
  put(logs, PM_STDOUT, "four");
  put(logs, PM_STDOUT, "five");
  put(logs, PM_STDERR, "six");
}

static void nothing_there(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 10, 1000);
  assert_answer(&logs, QUERY(0), "");
  assert_answer(&logs, QUERY(.has_since = true), "");
  assert_answer(&logs, QUERY(.search = STR("a")), "");
  end(&logs);
}

static void both_streams_come_as_written(void **state) {
  (void)state;
  logs_t logs;
  put_six(&logs);
  assert_answer(&logs, QUERY(0), "1:one 2!two 3!three 4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.streams = 1 << PM_STDOUT), "1:one 4:four 5:five");
  assert_answer(&logs, QUERY(.streams = 1 << PM_STDERR), "2!two 3!three 6!six");
  end(&logs);
}

/* A line counts where it ended, not where it began. */
static void a_line_counts_when_it_ends(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 10, 1000);
  pm__log_ring_append(&logs.rings[PM_STDOUT], "begun ", 6);
  put(&logs, PM_STDERR, "between");
  put(&logs, PM_STDOUT, "first");
  pm__log_ring_append(&logs.rings[PM_STDERR], "open", 4);
  assert_answer(&logs, QUERY(0), "1!between 2:begun first");
  end(&logs);
}

static void lines_are_the_last(void **state) {
  (void)state;
  logs_t logs;
  put_six(&logs);
  assert_answer(&logs, QUERY(.lines = 1), "6!six");
  assert_answer(&logs, QUERY(.lines = 3), "4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.lines = 6), "1:one 2!two 3!three 4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.lines = 7), "1:one 2!two 3!three 4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.lines = 2, .streams = 1 << PM_STDOUT), "4:four 5:five");
  const pm_log_query_t none = {.streams = BOTH};
  joined_t j = {0};
  assert_int_equal(pm__log_query(logs.rings, &none, join, &j), 0);
  assert_int_equal(j.count, 0);
  const pm_log_query_t of_nothing = {.lines = 10};
  assert_int_equal(pm__log_query(logs.rings, &of_nothing, join, &j), 0);
  assert_int_equal(j.count, 0);
  end(&logs);
}

/* Behind a number they are the first, so that a reader may go on where it was. */
static void since_gives_the_first(void **state) {
  (void)state;
  logs_t logs;
  put_six(&logs);
  assert_answer(&logs, QUERY(.has_since = true, .since = 0), "1:one 2!two 3!three 4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.has_since = true, .since = 2), "3!three 4:four 5:five 6!six");
  assert_answer(&logs, QUERY(.has_since = true, .since = 2, .lines = 2), "3!three 4:four");
  assert_answer(&logs, QUERY(.has_since = true, .since = 5), "6!six");
  assert_answer(&logs, QUERY(.has_since = true, .since = 6), "");
  assert_answer(&logs, QUERY(.has_since = true, .since = UINT64_MAX), "");
  assert_answer(&logs, QUERY(.has_since = true, .since = 1, .streams = 1 << PM_STDOUT, .lines = 1), "4:four");
  end(&logs);
}

static void only_of_one_start(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 100, 1000);
  for (uint64_t start = 0; start < 3; start++) {
    for (int i = 0; i < PM_STREAM_COUNT; i++) {
      logs.rings[i].start = start;
      put(&logs, (pm_stream_t)i, "a");
      put(&logs, (pm_stream_t)i, "b");
    }
  }
  assert_answer(&logs, QUERY(.has_start = true, .start = 1), "5:a 6:b 7!a 8!b");
  assert_answer(&logs, QUERY(.has_start = true, .start = 1, .lines = 1), "8!b");
  assert_answer(&logs, QUERY(.has_start = true, .start = 0, .has_since = true, .since = 2), "3!a 4!b");
  assert_answer(&logs, QUERY(.has_start = true, .start = 1, .has_since = true, .since = 2, .lines = 3), "5:a 6:b 7!a");
  assert_answer(&logs, QUERY(.has_start = true, .start = 3), "");
  end(&logs);
}

static void lines_have_their_time(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 100, 1000);
  logs.rings[PM_STDOUT].time = 5;
  pm__log_ring_append(&logs.rings[PM_STDOUT], "a", 1);
  logs.rings[PM_STDOUT].time = 7; /* that of its end */
  put(&logs, PM_STDOUT, "b");
  logs.rings[PM_STDERR].time = 9;
  put(&logs, PM_STDERR, "c");
  assert_int_equal(pm__log_ring_line(&logs.rings[PM_STDOUT], 0)->time, 7);
  assert_int_equal(pm__log_ring_line(&logs.rings[PM_STDERR], 0)->time, 9);
  end(&logs);
}

/* ---- searching ----------------------------------------------------------------------- */

static void search_is_for_bytes(void **state) {
  (void)state;
  logs_t logs;
  put_six(&logs);
  assert_answer(&logs, QUERY(.search = STR("o")), "1:one 2!two 4:four");
  assert_answer(&logs, QUERY(.search = STR("o"), .lines = 2), "2!two 4:four");
  assert_answer(&logs, QUERY(.search = STR("o"), .lines = 2, .has_since = true), "1:one 2!two");
  assert_answer(&logs, QUERY(.search = STR("three")), "3!three");
  assert_answer(&logs, QUERY(.search = STR("threee")), "");
  assert_answer(&logs, QUERY(.search = STR("O")), "");
  assert_answer(&logs, QUERY(.search = STR("")), "1:one 2!two 3!three 4:four 5:five 6!six");
  end(&logs);
}

static void search_finds_nul_bytes(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 10, 100);
  pm__log_ring_append(&logs.rings[PM_STDOUT], "a\0bc", 4);
  pm__log_ring_end_line(&logs.rings[PM_STDOUT]);
  put(&logs, PM_STDOUT, "abc");
  const pm_log_query_t query = {.lines = 10, .streams = BOTH, .search = STR("\0b")};
  joined_t j = {0};
  assert_int_equal(pm__log_query(logs.rings, &query, join, &j), 0);
  assert_int_equal(j.count, 1);
  end(&logs);
}

/* Wherever the arena's end falls in the line, and wherever in the text. */
static void search_goes_round_the_end(void **state) {
  (void)state;
  enum { BOUND = 20 };
  static const char line[] = "abcdefghijkl";
  enum { LEN = sizeof line - 1 };
  bool has_wrapped = false;
  for (size_t shift = 1; shift <= BOUND; shift++) {
    logs_t logs;
    begin(&logs, 100, BOUND);
    pm__log_ring_append(&logs.rings[PM_STDOUT], "--------------------", shift);
    pm__log_ring_end_line(&logs.rings[PM_STDOUT]);
    put(&logs, PM_STDOUT, line);
    const pm__log_ring_t *ring = &logs.rings[PM_STDOUT];
    const pm__log_line_t *kept = pm__log_ring_line(ring, ring->count - 1);
    has_wrapped |= kept->offset + kept->len > ring->capacity;
    for (size_t from = 0; from < LEN; from++) {
      for (size_t len = 1; from + len <= LEN; len++) {
        const pm_log_query_t query = {.lines = 10, .streams = BOTH, .search = {line + from, len}};
        joined_t j = {0};
        assert_int_equal(pm__log_query(logs.rings, &query, join, &j), 0);
        if (j.count != 1) fail_msg("shift %zu: %.*s is not found", shift, (int)len, line + from);
        char other[LEN];
        memcpy(other, line + from, len);
        other[len - 1] = '?';
        assert_false(pm__log_ring_find(ring, kept, (pm_str_t){other, len}));
        memcpy(other, line + from, len);
        other[0] = '?';
        assert_false(pm__log_ring_find(ring, kept, (pm_str_t){other, len}));
      }
    }
    assert_false(pm__log_ring_find(ring, kept, STR("la")));
    assert_false(pm__log_ring_find(ring, kept, STR("abcdefghijklm")));
    end(&logs);
  }
  assert_true(has_wrapped);
}

/* What was cut off cannot be found, nor the note that says so. */
static void search_in_a_cut_line(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 10, 8);
  put(&logs, PM_STDOUT, "xyz");
  put(&logs, PM_STDOUT, "abcdefghij");
  assert_answer(&logs, QUERY(.search = STR("abcdefgh")), "2:abcdefgh [… 2 bytes cut]");
  assert_answer(&logs, QUERY(.search = STR("hi")), "");
  assert_answer(&logs, QUERY(.search = STR("cut")), "");
  end(&logs);
}

/* ---- what is lost ---------------------------------------------------------------------- */

static void evicted_lines_leave_a_gap(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 2, 1000);
  put(&logs, PM_STDOUT, "a");
  put(&logs, PM_STDERR, "b");
  put(&logs, PM_STDOUT, "c");
  put(&logs, PM_STDOUT, "d");
  put(&logs, PM_STDOUT, "e");
  assert_answer(&logs, QUERY(0), "2!b 4:d 5:e");
  assert_answer(&logs, QUERY(.has_since = true, .since = 1), "2!b 4:d 5:e");
  assert_answer(&logs, QUERY(.has_since = true, .since = 2), "4:d 5:e");
  assert_answer(&logs, QUERY(.has_since = true, .since = 3, .lines = 1), "4:d");
  end(&logs);
}

static void lines_without_memory_leave_a_gap(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 100, 100000);
  put(&logs, PM_STDOUT, "a");
  alloc_fail_nth(1);
  put(&logs, PM_STDERR, "lost");
  alloc_fail_nth(0);
  put(&logs, PM_STDERR, "c");
  assert_answer(&logs, QUERY(0), "1:a 3!c");
  assert_int_equal(logs.last_seq, 3);
  assert_int_equal(logs.rings[PM_STDERR].dropped_lines, 1);
  end(&logs);
}

/* A line that lies in two pieces is copied: without memory the query says so. */
static void a_query_without_memory(void **state) {
  (void)state;
  logs_t logs;
  begin(&logs, 10, 10);
  put(&logs, PM_STDOUT, "123456");
  put(&logs, PM_STDOUT, "abcdefgh");
  const pm_log_query_t query = {.lines = 10, .streams = BOTH};
  joined_t j = {0};
  alloc_fail_nth(1);
  assert_int_equal(pm__log_query(logs.rings, &query, join, &j), UV_ENOMEM);
  alloc_fail_nth(0);
  assert_int_equal(j.count, 0);
  assert_answer(&logs, QUERY(0), "2:abcdefgh");
  end(&logs);
}

/* ---- anything --------------------------------------------------------------------------- */

static unsigned random_below(uint64_t *seed, unsigned n) {
  *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(*seed >> 33) % n;
}

static pm_log_query_t random_query(uint64_t *seed, uint64_t last, char *search) {
  pm_log_query_t q = {.lines = random_below(seed, 4) ? random_below(seed, 30) : SIZE_MAX,
                      .has_since = random_below(seed, 2),
                      .since = random_below(seed, (unsigned)last + 5),
                      .streams = random_below(seed, 4),
                      .has_start = random_below(seed, 3) == 0,
                      .start = random_below(seed, 4)};
  if (random_below(seed, 2) == 0) return q;
  q.search = (pm_str_t){search, random_below(seed, 5)};
  for (size_t i = 0; i < q.search.len; i++)
    search[i] = (char)('a' + random_below(seed, 3));
  return q;
}

/* Lines of few letters in rings that are often full, against a look at each line. */
static void random_queries_agree_with_the_model(void **state) {
  (void)state;
  enum { ROUNDS = 200, LINES = 60, QUERIES = 20 };
  uint64_t seed = 1;
  for (int round = 0; round < ROUNDS; round++) {
    logs_t logs;
    log_model_t models[PM_STREAM_COUNT];
    uint64_t model_seq = 0;
    begin(&logs, 1 + random_below(&seed, 40), 1 + random_below(&seed, 200));
    for (int i = 0; i < PM_STREAM_COUNT; i++) {
      log_model_init(&models[i], logs.rings[i].max_lines, logs.rings[i].max_bytes);
      models[i].last_seq = &model_seq;
    }
    for (int line = 0; line < LINES; line++) {
      char text[40];
      int s = (int)random_below(&seed, 2);
      size_t len = random_below(&seed, sizeof text - 1);
      for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + random_below(&seed, 3));
      text[len++] = '\n';
      logs.rings[s].time = models[s].time = random_below(&seed, 1000);
      logs.rings[s].start = models[s].start = random_below(&seed, 3);
      pm__lines_feed(&logs.rings[s], text, len, NULL, NULL);
      log_model_feed(&models[s], text, len);
    }
    for (int i = 0; i < QUERIES; i++) {
      char search[8];
      const pm_log_query_t query = random_query(&seed, model_seq, search);
      const char *problem = log_query_differs(logs.rings, models, &query);
      if (problem) fail_msg("round %d, query %d: %s", round, i, problem);
    }
    for (int i = 0; i < PM_STREAM_COUNT; i++) {
      assert_null(log_ring_differs(&logs.rings[i], &models[i]));
      log_model_free(&models[i]);
    }
    end(&logs);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_there),
      cmocka_unit_test(both_streams_come_as_written),
      cmocka_unit_test(a_line_counts_when_it_ends),
      cmocka_unit_test(lines_are_the_last),
      cmocka_unit_test(since_gives_the_first),
      cmocka_unit_test(only_of_one_start),
      cmocka_unit_test(lines_have_their_time),
      cmocka_unit_test(search_is_for_bytes),
      cmocka_unit_test(search_finds_nul_bytes),
      cmocka_unit_test(search_goes_round_the_end),
      cmocka_unit_test(search_in_a_cut_line),
      cmocka_unit_test(evicted_lines_leave_a_gap),
      cmocka_unit_test(lines_without_memory_leave_a_gap),
      cmocka_unit_test(a_query_without_memory),
      cmocka_unit_test(random_queries_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("log_query", tests, NULL, NULL);
}
