#include <stdlib.h>
#include <string.h>

#include "core/streams/lines.h"
#include "log_model.h"
#include "support.h"

/* A ring, what a listener heard of it, and what both should be. */
typedef struct trial {
  pm__log_ring_t ring;
  heard_t heard;
  log_model_t model;
} trial_t;

static void trial_init(trial_t *trial, size_t max_lines, size_t max_bytes) {
  *trial = (trial_t){0};
  pm__log_ring_init(&trial->ring, max_lines, max_bytes);
  log_model_init(&trial->model, max_lines, max_bytes);
}

/* Feeds both; the chunk is memory of its own size, so that a read beyond it is noticed. */
static void trial_feed(trial_t *trial, const char *bytes, size_t len) {
  char *chunk = malloc(len);
  assert_true(chunk || len == 0);
  if (len > 0) memcpy(chunk, bytes, len);
  pm__lines_feed(&trial->ring, chunk, len, heard_lines, &trial->heard);
  free(chunk);
  log_model_feed(&trial->model, bytes, len);
}

static void trial_feed_text(trial_t *trial, const char *text) {
  trial_feed(trial, text, strlen(text));
}

static void trial_check(const trial_t *trial) {
  const char *difference = log_ring_differs(&trial->ring, &trial->model);
  if (!difference) difference = heard_differs(&trial->heard, &trial->model);
  if (difference) fail_msg("%s", difference);
}

static void trial_end(trial_t *trial) {
  trial_check(trial);
  pm__lines_finish(&trial->ring, heard_lines, &trial->heard);
  log_model_finish(&trial->model);
  trial_check(trial);
  pm__log_ring_free(&trial->ring);
  heard_free(&trial->heard);
  log_model_free(&trial->model);
}

static void assert_heard(const heard_t *heard, size_t i, const char *expected) {
  assert_true(i < heard->count);
  assert_int_equal(heard->lines[i].len, strlen(expected));
  assert_memory_equal(heard->lines[i].bytes, expected, strlen(expected));
}

static void lines_end_at_lf_and_crlf(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 100);
  trial_feed_text(&t, "a\nb\r\nc\rd\ne\r\r\n");
  assert_int_equal(t.heard.count, 4);
  assert_heard(&t.heard, 0, "a");
  assert_heard(&t.heard, 1, "b");
  assert_heard(&t.heard, 2, "c\rd");
  assert_heard(&t.heard, 3, "e\r");
  trial_end(&t);
}

static void crlf_across_chunks(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 100);
  trial_feed_text(&t, "a\r");
  assert_int_equal(t.heard.count, 0);
  trial_feed_text(&t, "\nb\r");
  trial_feed_text(&t, "c\r");
  trial_feed_text(&t, "\r");
  trial_feed_text(&t, "\n\r");
  trial_feed_text(&t, "\n");
  assert_int_equal(t.heard.count, 3);
  assert_heard(&t.heard, 0, "a");
  assert_heard(&t.heard, 1, "b\rc\r");
  assert_heard(&t.heard, 2, "");
  trial_end(&t);
}

static void empty_lines_are_handed_out(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 100);
  trial_feed_text(&t, "\n\r\n\n");
  trial_feed_text(&t, "");
  trial_feed_text(&t, "\n");
  assert_int_equal(t.heard.count, 4);
  assert_int_equal(t.ring.count, 4);
  assert_null(t.ring.arena);
  trial_end(&t);
}

static void nul_bytes_are_bytes(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 100);
  trial_feed(&t, "\0\n\0a", 4);
  trial_feed(&t, "\0\n", 2);
  assert_int_equal(t.heard.count, 2);
  assert_int_equal(t.heard.lines[1].len, 3);
  trial_end(&t);
}

static void finish_hands_out_the_last_line_once(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 100);
  trial_feed_text(&t, "first\nlast");
  assert_int_equal(t.heard.count, 1);
  pm__lines_finish(&t.ring, heard_lines, &t.heard);
  pm__lines_finish(&t.ring, heard_lines, &t.heard);
  log_model_finish(&t.model);
  assert_int_equal(t.heard.count, 2);
  assert_heard(&t.heard, 1, "last");
  trial_end(&t);
}

static void without_a_listener_the_ring_is_the_same(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 2, 6);
  const char text[] = "one\ntwo\nthree\nlong enough\n\nx\ny";
  pm__lines_feed(&t.ring, text, strlen(text), NULL, NULL);
  log_model_feed(&t.model, text, strlen(text));
  assert_null(log_ring_differs(&t.ring, &t.model));
  pm__lines_finish(&t.ring, NULL, NULL);
  log_model_finish(&t.model);
  assert_null(log_ring_differs(&t.ring, &t.model));
  pm__log_ring_free(&t.ring);
  log_model_free(&t.model);
}

typedef struct span {
  const char *start;
  const char *end;
  size_t inside;
  size_t outside;
} span_t;

static void count_inside(void *arg, const pm_str_t *lines, size_t count) {
  span_t *span = arg;
  for (size_t i = 0; i < count; i++) {
    if (lines[i].base >= span->start && lines[i].base + lines[i].len <= span->end) {
      span->inside++;
    } else {
      span->outside++;
    }
  }
}

static void whole_lines_are_handed_out_where_they_lie(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 100);
  pm__lines_feed(&ring, "begin", 5, NULL, NULL);
  const char text[] = "end\nwhole\r\n\nwhole too\nbegin";
  span_t span = {text, text + sizeof text, 0, 0};
  alloc_fail_nth(0);
  pm__lines_feed(&ring, text, strlen(text), count_inside, &span);
  assert_int_equal(span.inside, 3);
  assert_int_equal(span.outside, 1);
  assert_int_equal(alloc_seen(), 1); /* the index: nothing is copied */
  pm__log_ring_free(&ring);
}

static void a_cut_line_is_handed_out_as_cut(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 10, 4);
  trial_feed_text(&t, "abcdef\nab");
  trial_feed_text(&t, "cdefg\nabcd\r\n");
  assert_heard(&t.heard, 0, "abcd [… 2 bytes cut]");
  assert_heard(&t.heard, 1, "abcd [… 3 bytes cut]");
  assert_heard(&t.heard, 2, "abcd");
  trial_end(&t);
}

static void evicted_lines_are_handed_out_all_the_same(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 1, 5);
  trial_feed_text(&t, "he");
  trial_feed_text(&t, "llo\nthere\nworld\n");
  assert_int_equal(t.heard.count, 3);
  assert_int_equal(t.ring.count, 1);
  assert_heard(&t.heard, 0, "hello");
  trial_end(&t);
}

static void a_chunk_of_many_lines_takes_few_calls(void **state) {
  (void)state;
  enum { LINES = 1000 };
  char chunk[LINES * 4 + 1] = "";
  for (size_t i = 0; i < LINES; i++)
    snprintf(chunk + i * 4, 5, "%03zu\n", i);
  trial_t t;
  trial_init(&t, 100, 1000);
  trial_feed(&t, chunk, LINES * 4);
  assert_int_equal(t.heard.count, LINES);
  assert_true(t.heard.calls <= 4);
  trial_end(&t);
}

static void many_cut_lines_in_one_chunk(void **state) {
  (void)state;
  trial_t t;
  trial_init(&t, 3, 2);
  char chunk[400];
  for (size_t i = 0; i < sizeof chunk; i++)
    chunk[i] = i % 4 == 3 ? '\n' : (char)('a' + i % 26);
  trial_feed(&t, chunk, sizeof chunk);
  assert_int_equal(t.heard.count, 100);
  trial_end(&t);
}

static void chunk_borders_at_every_place(void **state) {
  (void)state;
  const char text[] = "one\r\n\r\n\ntwo\rthree\r\r\nfourfourfour\n\0\r\nlast\r";
  const size_t len = sizeof text - 1;
  const size_t max_bytes[] = {1, 2, 5, 11, 12, 13, 100};
  for (size_t b = 0; b < sizeof max_bytes / sizeof *max_bytes; b++) {
    for (size_t i = 0; i <= len; i++) {
      for (size_t j = i; j <= len; j++) {
        trial_t t;
        trial_init(&t, 3, max_bytes[b]);
        trial_feed(&t, text, i);
        trial_feed(&t, text + i, j - i);
        trial_feed(&t, text + j, len - j);
        trial_end(&t);
      }
    }
  }
}

/* xorshift64: the same stream on every system, unlike rand(). */
static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void fill_random(char *bytes, size_t len, uint64_t *seed, unsigned newline_in) {
  for (size_t i = 0; i < len; i++) {
    uint64_t r = next_random(seed);
    bytes[i] = r % newline_in == 0 ? '\n' : r % 7 == 0 ? '\r' : (char)('a' + (r >> 32) % 26);
  }
}

static void random_streams_match_the_model(void **state) {
  (void)state;
  static const size_t LINES[] = {1, 3, 64, 65, 200};
  static const size_t BYTES[] = {1, 17, 500, 4096, 4097, 9000, 20000};
  static const unsigned NEWLINE_IN[] = {2, 30, 1000};
  static char chunk[3000];
  uint64_t seed = 20240229;
  for (int round = 0; round < 60; round++) {
    trial_t t;
    trial_init(&t, LINES[next_random(&seed) % 5], BYTES[next_random(&seed) % 7]);
    unsigned newline_in = NEWLINE_IN[next_random(&seed) % 3];
    size_t max_len = round % 2 ? sizeof chunk : 40;
    for (int i = 0; i < 40; i++) {
      size_t len = next_random(&seed) % (max_len + 1);
      fill_random(chunk, len, &seed, newline_in);
      trial_feed(&t, chunk, len);
      trial_check(&t);
    }
    trial_end(&t);
  }
}

/* Whether every line of few is one of many, in the same order. */
static bool is_subsequence(const model_line_t *few, size_t few_count, const model_line_t *many, size_t many_count) {
  size_t i = 0;
  for (size_t j = 0; i < few_count && j < many_count; j++) {
    if (few[i].len == many[j].len && memcmp(few[i].bytes, many[j].bytes, few[i].len) == 0) i++;
  }
  return i == few_count;
}

static void feed_pieces(pm__log_ring_t *ring, heard_t *heard, const char *text, size_t len) {
  for (size_t at = 0, n = 1; at < len; at += n, n = n * 2 + 1) {
    if (n > len - at) n = len - at;
    pm__lines_feed(ring, text + at, n, heard_lines, heard);
    assert_null(log_ring_unsound(ring));
  }
}

/* Nothing else may be lost than the lines that the memory was wanted for, and
 * the ring goes on as new afterwards. Leaks are the sanitizer's to find. */
static void every_allocation_fails_in_turn(void **state) {
  (void)state;
  static char text[30000];
  uint64_t seed = 4711;
  fill_random(text, sizeof text, &seed, 90);
  log_model_t model;
  log_model_init(&model, 200, 12000);
  log_model_feed(&model, text, sizeof text);
  log_model_finish(&model);

  unsigned long n = 1;
  for (bool through = false; !through; n++) {
    for (int later_too = 0; later_too < 2; later_too++) {
      pm__log_ring_t ring;
      heard_t heard = {0};
      pm__log_ring_init(&ring, 200, 12000);
      (later_too ? alloc_fail_from : alloc_fail_nth)(n);
      feed_pieces(&ring, &heard, text, sizeof text);
      pm__lines_finish(&ring, heard_lines, &heard);
      if (!later_too) through = alloc_seen() < n;
      alloc_fail_nth(0);

      assert_null(log_ring_unsound(&ring));
      assert_int_equal(ring.total_lines, model.total_lines);
      assert_int_equal(ring.total_bytes, model.total_bytes);
      assert_true(is_subsequence(heard.lines, heard.count, model.handed_out, model.handed_out_count));
      if (!later_too && !through) assert_true(heard.count + 1 >= model.handed_out_count);
      heard_t kept = {0};
      assert_int_equal(pm__log_ring_tail(&ring, SIZE_MAX, heard_line, &kept), 0);
      assert_true(is_subsequence(kept.lines, kept.count, model.handed_out, model.handed_out_count));
      heard_free(&kept);
      heard_free(&heard);

      pm__lines_feed(&ring, "alive\n", 6, heard_lines, &heard);
      assert_heard(&heard, 0, "alive");
      heard_free(&heard);
      pm__log_ring_free(&ring);
    }
  }
  assert_true(n > 5); /* 2 of the arena, 2 of the index, and lines across its border */
  log_model_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_end_at_lf_and_crlf),
      cmocka_unit_test(crlf_across_chunks),
      cmocka_unit_test(empty_lines_are_handed_out),
      cmocka_unit_test(nul_bytes_are_bytes),
      cmocka_unit_test(finish_hands_out_the_last_line_once),
      cmocka_unit_test(without_a_listener_the_ring_is_the_same),
      cmocka_unit_test(whole_lines_are_handed_out_where_they_lie),
      cmocka_unit_test(a_cut_line_is_handed_out_as_cut),
      cmocka_unit_test(evicted_lines_are_handed_out_all_the_same),
      cmocka_unit_test(a_chunk_of_many_lines_takes_few_calls),
      cmocka_unit_test(many_cut_lines_in_one_chunk),
      cmocka_unit_test(chunk_borders_at_every_place),
      cmocka_unit_test(random_streams_match_the_model),
      cmocka_unit_test(every_allocation_fails_in_turn),
  };
  return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
