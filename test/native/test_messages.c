/* From a stream to its messages: the same whatever its chunks are, each once and whole, bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message_model.h"
#include "support.h"

/* In memory of just that size, so that a byte beyond is noticed. */
static void feed_copy(pm__framer_t *f, const char *bytes, size_t len, const pm__framer_out_t *out) {
  char *copy = malloc(len);
  if (len > 0) memcpy(copy, bytes, len);
  pm__framer_feed(f, copy, len, out);
  free(copy);
}

typedef struct bench {
  pm__framer_t framer;
  heard_items_t heard;
  pm__framer_out_t out;
} bench_t;

static void begin(bench_t *b, size_t max) {
  *b = (bench_t){0};
  b->out = heard_items_out(&b->heard, max);
}

static void feed(bench_t *b, const char *text) {
  feed_copy(&b->framer, text, strlen(text), &b->out);
}

static void end(bench_t *b) {
  pm__framer_finish(&b->framer, &b->out);
  assert_null(b->framer.partial);
  assert_int_equal(b->framer.len + b->framer.capacity + b->framer.lost, 0);
  heard_items_free(&b->heard);
}

/* "m" a message, "s" a stray, each with its text; "l" a loss, with its length. */
static void assert_heard(bench_t *b, const char *expected) {
  char joined[4096] = "";
  size_t len = 0;
  for (size_t i = 0; i < b->heard.count; i++) {
    const heard_item_t *item = &b->heard.items[i];
    if (item->kind == HEARD_LOST)
      len += (size_t)snprintf(joined + len, sizeof joined - len, "l%d ", (int)item->len);
    else
      len += (size_t)snprintf(joined + len, sizeof joined - len, "%c%.*s ", item->kind == HEARD_MESSAGE ? 'm' : 's',
                              (int)item->len, item->bytes);
  }
  if (len > 0) joined[len - 1] = '\0';
  assert_string_equal(joined, expected);
}

static void lines_are_told_apart(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 1000);
  feed(&b, "{\"a\":1}\n[2]\nhello\n\n{}\n{broken}\n \t\r\n\r\n7\n{} {}\n");
  assert_heard(&b, "m{\"a\":1} m[2] shello m{} s{broken} s7 s{} {}");
  end(&b);
}

static void strays_come_together_too(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 1000);
  feed(&b, "a\nb\n\nc\n{}\n[1]\nd\n");
  assert_heard(&b, "sa sb sc m{} m[1] sd");
  assert_int_equal(b.heard.calls, 3);
  end(&b);
}

static void one_cr_goes_with_the_line_end(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 1000);
  feed(&b, "{}\r\n");
  feed(&b, "{\r}\r\n");
  feed(&b, "[]\r\r\n");
  feed(&b, "x\r\r\n");
  feed(&b, "{}");
  feed(&b, "\r");
  feed(&b, "\n");
  assert_heard(&b, "m{} m{\r} m[]\r sx\r m{}");
  end(&b);
}

static void messages_of_one_chunk_are_one_call(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 1000);
  feed(&b, "{}\n[]\n{}\n[");
  assert_int_equal(b.heard.calls, 1);
  feed(&b, "]\n{}\n[]\n");
  assert_int_equal(b.heard.calls, 3); /* that of two chunks by itself */
  assert_heard(&b, "m{} m[] m{} m[] m{} m[]");
  end(&b);
}

/* More of them than one call takes. */
static void many_messages_are_few_calls(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  static char text[3 * COUNT + 1];
  bench_t b;
  begin(&b, 1000);
  for (size_t i = 0; i < COUNT; i++)
    memcpy(text + 3 * i, "[]\n", 3);
  feed(&b, text);
  assert_int_equal(b.heard.count, COUNT);
  assert_true(b.heard.calls >= 1 && b.heard.calls <= COUNT / 100);
  end(&b);
}

/* A stray comes between the messages where it stood. */
static void order_is_kept(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 8);
  feed(&b, "[1]\n[2]\nstray\n[3]\n[\"toolong\"]\n[4]\n[5");
  feed(&b, "]\nlate\n[6]\n");
  assert_heard(&b, "m[1] m[2] sstray m[3] l11 m[4] m[5] slate m[6]");
  end(&b);
}

static void the_end_ends_a_line(void **state) {
  (void)state;
  static const char *const texts[][2] = {{"{}", "m{}"}, {"word", "sword"}, {"{", "s{"},          {" ", ""},
                                         {"", ""},      {"[]\r", "m[]"},   {"[12345678]", "l10"}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    bench_t b;
    begin(&b, 8);
    feed(&b, texts[i][0]);
    assert_int_equal(b.heard.count, 0);
    pm__framer_finish(&b.framer, &b.out);
    assert_heard(&b, texts[i][1]);
    pm__framer_finish(&b.framer, &b.out);
    assert_heard(&b, texts[i][1]);
    end(&b);
  }
}

/* ---- any chunks --------------------------------------------------------------------- */

static void assert_as_model(const char *text, size_t len, size_t max, size_t first, size_t chunk) {
  bench_t b;
  heard_items_t expected = {0};
  begin(&b, max);
  for (size_t at = 0; at < len;) {
    size_t part = at == 0 && first > 0 ? first : chunk;
    if (part > len - at) part = len - at;
    feed_copy(&b.framer, text + at, part, &b.out);
    at += part;
    assert_true(b.framer.len <= max + 1);
    assert_true(b.framer.lost == 0 || b.framer.partial == NULL);
  }
  message_model(&expected, text, len, max, false);
  const char *problem = heard_items_differ(&b.heard, &expected);
  if (problem) fail_msg("max %zu, first %zu, chunk %zu: %s", max, first, chunk, problem);
  heard_items_free(&expected);
  message_model(&expected, text, len, max, true);
  pm__framer_finish(&b.framer, &b.out);
  problem = heard_items_differ(&b.heard, &expected);
  if (problem) fail_msg("max %zu, first %zu, chunk %zu, at the end: %s", max, first, chunk, problem);
  heard_items_free(&expected);
  end(&b);
}

static void chunks_make_no_difference(void **state) {
  (void)state;
  static const char text[] =
      "{\"a\":1}\r\n\nstray\r\n[1,2,3]\n\r\n  \r\n[\"0123456789\"]\r\nlong stray line\r\r\n"
      "{\"caf\xc3\xa9\":\"\xf0\x9f\x98\x80\"}\n{\"nul\0\":1}\n\r\r\n[]\n{}x\n                    \n[9]\r";
  enum { LEN = sizeof text - 1 };
  for (size_t max = 1; max < 24; max++) {
    for (size_t chunk = 1; chunk <= LEN; chunk = chunk < 30 ? chunk + 1 : chunk * 2)
      assert_as_model(text, LEN, max, 0, chunk);
    for (size_t first = 1; first < LEN; first++)
      assert_as_model(text, LEN, max, first, LEN);
  }
}

/* ---- limits ------------------------------------------------------------------------- */

/* "[\"aaa…\"]" of len bytes. */
static char *sized_message(size_t len, const char *line_end) {
  char *text = malloc(len + strlen(line_end) + 1);
  memset(text, 'a', len);
  memcpy(text, "[\"", 2);
  memcpy(text + len - 2, "\"]", 2);
  strcpy(text + len, line_end);
  return text;
}

static void the_limit_is_exact(void **state) {
  (void)state;
  static const char *const ends[] = {"\n", "\r\n"};
  static const size_t maxima[] = {8, 4095, 4096, 4097, 100000};
  static const size_t chunks[] = {1, 7, 4096, SIZE_MAX};
  for (int m = 0; m < 5; m++) {
    for (int e = 0; e < 2; e++) {
      for (int c = maxima[m] > 10000 ? 1 : 0; c < 4; c++) {
        for (int beyond = -1; beyond <= 2; beyond++) {
          bench_t b;
          size_t len = maxima[m] + (size_t)beyond;
          char *text = sized_message(len, ends[e]);
          size_t whole = strlen(text);
          begin(&b, maxima[m]);
          for (size_t at = 0, part; at < whole; at += part) {
            part = chunks[c] < whole - at ? chunks[c] : whole - at;
            feed_copy(&b.framer, text + at, part, &b.out);
          }
          feed(&b, "{}\n"); /* what follows is not concerned */
          assert_int_equal(b.heard.count, 2);
          assert_int_equal(b.heard.items[0].kind, beyond > 0 ? HEARD_LOST : HEARD_MESSAGE);
          assert_int_equal(b.heard.items[0].len, len);
          assert_int_equal(b.heard.items[1].kind, HEARD_MESSAGE);
          free(text);
          end(&b);
        }
      }
    }
  }
}

/* However much comes without a line end, no more than the limit is kept, and the loss is one. */
static void an_endless_message_is_bounded(void **state) {
  (void)state;
  enum { MAX = 10000, CHUNK = 1000, CHUNKS = 5000 };
  char chunk[CHUNK];
  bench_t b;
  begin(&b, MAX);
  memset(chunk, '{', sizeof chunk);
  for (int i = 0; i < CHUNKS; i++) {
    pm__framer_feed(&b.framer, chunk, sizeof chunk, &b.out);
    assert_true(b.framer.capacity <= 2 * MAX);
  }
  assert_null(b.framer.partial);
  assert_int_equal(b.heard.count, 0);
  feed(&b, "\n[]\n");
  char expected[64];
  snprintf(expected, sizeof expected, "l%d m[]", CHUNK * CHUNKS);
  assert_heard(&b, expected);
  end(&b);
}

/* A large message's buffer is not held for ever, a small one's is used again. */
static void a_large_buffer_is_given_back(void **state) {
  (void)state;
  enum { LARGE = 1 << 20 };
  bench_t b;
  begin(&b, LARGE);
  char *text = sized_message(LARGE, "");
  alloc_fail_nth(0);
  feed(&b, text);
  assert_true(alloc_seen() <= 10); /* it doubles */
  feed(&b, "\n");
  assert_int_equal(b.heard.count, 1);
  assert_null(b.framer.partial);
  alloc_fail_nth(0);
  for (int i = 0; i < 10; i++) {
    feed(&b, "[");
    feed(&b, "]\n");
  }
  assert_int_equal(alloc_seen(), 1);
  free(text);
  end(&b);
}

static void whole_messages_need_no_memory(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 1000);
  alloc_fail_nth(0);
  for (int i = 0; i < 100; i++)
    feed(&b, "{\"a\":[1,2,3]}\nstray\n\n");
  assert_int_equal(alloc_seen(), 0);
  assert_int_equal(b.heard.count, 200);
  end(&b);
}

/* ---- without memory ------------------------------------------------------------------- */

static void a_message_without_memory_is_told_of(void **state) {
  (void)state;
  bench_t b;
  begin(&b, 100000);
  alloc_fail_nth(1);
  feed(&b, "[1,");
  feed(&b, "2]");
  feed(&b, "\r\n[3]\n");
  alloc_fail_nth(0);
  assert_heard(&b, "l5 m[3]");

  /* The first piece found memory, what it would need to grow is not there. */
  char *text = sized_message(5000, "");
  text[4000] = '\0';
  feed(&b, text);
  alloc_fail_nth(1);
  text[4000] = 'a';
  feed(&b, text + 4000);
  alloc_fail_nth(0);
  assert_null(b.framer.partial);
  feed(&b, "\n[4");
  feed(&b, "]\n");
  assert_heard(&b, "l5 m[3] l5000 m[4]");
  free(text);
  end(&b);
}

/* ---- who listens ------------------------------------------------------------------------ */

/* After any call nobody may want another; message_model's listeners abort on one. */
static void nobody_is_called_when_it_is_over(void **state) {
  (void)state;
  static const char text[] = "[1]\nstray\n[2]\n[\"too long\"]\n[3]\n[4]\nstray\n[\"too long\"]\nx\n[5";
  for (size_t calls = 1; calls <= 9; calls++) {
    for (size_t chunk = 1; chunk <= sizeof text; chunk++) {
      bench_t b;
      begin(&b, 8);
      b.heard.over_after = calls;
      for (size_t at = 0; at < sizeof text - 1; at += chunk) {
        size_t left = sizeof text - 1 - at;
        feed_copy(&b.framer, text + at, chunk < left ? chunk : left, &b.out);
      }
      assert_true(b.heard.calls <= calls);
      end(&b);
    }
  }
}

static void nobody_need_listen(void **state) {
  (void)state;
  const pm__framer_out_t nobody = {.max = 8};
  pm__framer_t f = {0};
  const char *text = "[1]\nstray\n[\"too long\"]\n[2]\n[3";
  pm__framer_feed(&f, text, strlen(text), &nobody);
  pm__framer_feed(&f, "]\n[4", 4, &nobody);
  pm__framer_finish(&f, &nobody);
  assert_null(f.partial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_told_apart),
      cmocka_unit_test(strays_come_together_too),
      cmocka_unit_test(one_cr_goes_with_the_line_end),
      cmocka_unit_test(messages_of_one_chunk_are_one_call),
      cmocka_unit_test(many_messages_are_few_calls),
      cmocka_unit_test(order_is_kept),
      cmocka_unit_test(the_end_ends_a_line),
      cmocka_unit_test(chunks_make_no_difference),
      cmocka_unit_test(the_limit_is_exact),
      cmocka_unit_test(an_endless_message_is_bounded),
      cmocka_unit_test(a_large_buffer_is_given_back),
      cmocka_unit_test(whole_messages_need_no_memory),
      cmocka_unit_test(a_message_without_memory_is_told_of),
      cmocka_unit_test(nobody_is_called_when_it_is_over),
      cmocka_unit_test(nobody_need_listen),
  };
  return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
