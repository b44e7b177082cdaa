#include <string.h>

#include "core/logs/log_ring.h"
#include "log_model.h"
#include "support.h"

static void append(pm__log_ring_t *ring, const char *text) {
  pm__log_ring_append(ring, text, strlen(text));
}

static bool put(pm__log_ring_t *ring, const char *text) {
  append(ring, text);
  return pm__log_ring_end_line(ring);
}

/* A line of count times the same byte. */
static void put_many(pm__log_ring_t *ring, char byte, size_t count) {
  char block[256];
  memset(block, byte, sizeof block);
  for (; count > sizeof block; count -= sizeof block)
    pm__log_ring_append(ring, block, sizeof block);
  pm__log_ring_append(ring, block, count);
  pm__log_ring_end_line(ring);
}

/* The last n lines, each in "<>". */
static void assert_tail(const pm__log_ring_t *ring, size_t n, const char *expected) {
  assert_null(log_ring_unsound(ring));
  heard_t heard = {0};
  assert_int_equal(pm__log_ring_tail(ring, n, heard_line, &heard), 0);

  char joined[1024] = "";
  size_t len = 0;
  for (size_t i = 0; i < heard.count; i++)
    len += (size_t)snprintf(joined + len, sizeof joined - len, "<%.*s>", (int)heard.lines[i].len, heard.lines[i].bytes);
  heard_free(&heard);
  assert_string_equal(joined, expected);
}

static void init_allocates_nothing(void **state) {
  (void)state;
  alloc_fail_nth(0);
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 1000, 4 << 20);
  assert_tail(&ring, 10, "");
  assert_int_equal(alloc_seen(), 0);
  assert_null(ring.arena);
  assert_null(ring.index);
}

static void lines_come_in_order(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  assert_true(put(&ring, "one"));
  append(&ring, "t");
  append(&ring, "w");
  append(&ring, "");
  assert_tail(&ring, 10, "<one>"); /* the open line does not count */
  assert_true(put(&ring, "o"));
  assert_tail(&ring, 10, "<one><two>");
  pm__log_ring_free(&ring);
}

static void tail_gives_the_newest(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  put(&ring, "1");
  put(&ring, "2");
  put(&ring, "3");
  assert_tail(&ring, 0, "");
  assert_tail(&ring, 1, "<3>");
  assert_tail(&ring, 2, "<2><3>");
  assert_tail(&ring, 3, "<1><2><3>");
  assert_tail(&ring, 4, "<1><2><3>");
  assert_tail(&ring, SIZE_MAX, "<1><2><3>");
  pm__log_ring_free(&ring);
}

static void empty_lines_are_lines(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 3, 2);
  pm__log_ring_end_line(&ring);
  assert_null(ring.arena); /* no byte yet */
  assert_tail(&ring, 10, "<>");
  put(&ring, "a");
  pm__log_ring_end_line(&ring);
  assert_tail(&ring, 10, "<><a><>");
  pm__log_ring_end_line(&ring);
  assert_tail(&ring, 10, "<a><><>");
  pm__log_ring_free(&ring);
}

static void one_cr_goes_with_the_line_end(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  put(&ring, "a\r");
  put(&ring, "b\r\r");
  append(&ring, "c");
  append(&ring, "\r");
  put(&ring, "");
  append(&ring, "d\r");
  put(&ring, "e"); /* a "\r" inside stays */
  put(&ring, "\r");
  assert_tail(&ring, 10, "<a><b\r><c><d\re><>");
  assert_int_equal(ring.total_bytes, 7); /* a, b\r, c, d\re */
  pm__log_ring_free(&ring);
}

static void finish_ends_only_an_open_line(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  assert_false(pm__log_ring_finish(&ring));
  append(&ring, "rest");
  assert_true(pm__log_ring_finish(&ring));
  assert_false(pm__log_ring_finish(&ring));
  put(&ring, "");
  assert_false(pm__log_ring_finish(&ring));
  append(&ring, "no newline\r"); /* so the "\r" belongs to no line end */
  assert_true(pm__log_ring_finish(&ring));
  append(&ring, "\r");
  assert_true(pm__log_ring_finish(&ring));
  assert_tail(&ring, 10, "<rest><><no newline\r><\r>");
  pm__log_ring_free(&ring);
}

static void nul_bytes_are_kept(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  pm__log_ring_append(&ring, "a\0b\0", 4);
  pm__log_ring_end_line(&ring);

  heard_t heard = {0};
  assert_int_equal(pm__log_ring_tail(&ring, 1, heard_line, &heard), 0);
  assert_int_equal(heard.count, 1);
  assert_int_equal(heard.lines[0].len, 4);
  assert_memory_equal(heard.lines[0].bytes, "a\0b\0", 4);
  heard_free(&heard);
  pm__log_ring_free(&ring);
}

static void the_line_bound_evicts_the_oldest(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 2, 1000);
  put(&ring, "1");
  put(&ring, "2");
  append(&ring, "3");
  assert_tail(&ring, 10, "<1><2>"); /* two and an open one are within the bound */
  put(&ring, "");
  assert_tail(&ring, 10, "<2><3>");
  assert_int_equal(ring.dropped_lines, 1);

  pm__log_ring_t single;
  pm__log_ring_init(&single, 1, 1000);
  put(&single, "1");
  put(&single, "2");
  assert_tail(&single, 10, "<2>");
  pm__log_ring_free(&single);
  pm__log_ring_free(&ring);
}

static void the_byte_bound_evicts_the_oldest(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 100, 8);
  put(&ring, "abc");
  put(&ring, "de");
  put(&ring, "fgh"); /* 8 bytes: all fit */
  assert_tail(&ring, 10, "<abc><de><fgh>");
  append(&ring, "i"); /* the open line counts: one byte too many */
  assert_tail(&ring, 10, "<de><fgh>");
  put(&ring, "jkl");
  assert_tail(&ring, 10, "<fgh><ijkl>");
  append(&ring, "m\r"); /* "\r" needs no room before it is known what it is */
  assert_tail(&ring, 10, "<fgh><ijkl>");
  put(&ring, "");
  assert_tail(&ring, 10, "<fgh><ijkl><m>");
  assert_int_equal(ring.dropped_lines, 2);
  assert_true(ring.capacity <= 8);
  pm__log_ring_free(&ring);
}

static void a_line_of_exactly_the_bound_is_not_cut(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 4);
  put(&ring, "abcd");
  assert_tail(&ring, 10, "<abcd>");
  put(&ring, "efgh\r");
  assert_tail(&ring, 10, "<efgh>");
  pm__log_ring_free(&ring);
}

static void a_line_beyond_the_bound_says_what_is_cut(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 4);
  put(&ring, "x");
  put(&ring, "abcdefg");
  assert_tail(&ring, 10, "<abcd [… 3 bytes cut]>");
  append(&ring, "abc");
  append(&ring, "de\r");
  put(&ring, "\r");
  assert_tail(&ring, 10, "<abcd [… 2 bytes cut]>"); /* "e" and the first "\r" */
  put(&ring, "z");
  assert_tail(&ring, 10, "<z>");
  assert_int_equal(ring.total_bytes, 1 + 7 + 6 + 1);
  pm__log_ring_free(&ring);
}

static void an_endless_line_stays_within_the_bound(void **state) {
  (void)state;
  enum { BOUND = 10000, CHUNK = 64 * 1024, CHUNKS = 100 };
  static char chunk[CHUNK];
  memset(chunk, 'e', sizeof chunk);
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, BOUND);
  for (int i = 0; i < CHUNKS; i++) {
    pm__log_ring_append(&ring, chunk, sizeof chunk);
    assert_true(ring.capacity <= BOUND);
  }
  assert_true(pm__log_ring_finish(&ring));

  heard_t heard = {0};
  assert_int_equal(pm__log_ring_tail(&ring, 1, heard_line, &heard), 0);
  char note[64];
  int note_len = snprintf(note, sizeof note, " [… %d bytes cut]", CHUNK * CHUNKS - BOUND);
  assert_int_equal(heard.lines[0].len, BOUND + note_len);
  assert_memory_equal(heard.lines[0].bytes, chunk, BOUND);
  assert_memory_equal(heard.lines[0].bytes + BOUND, note, (size_t)note_len);
  heard_free(&heard);
  pm__log_ring_free(&ring);
}

static void the_arena_doubles_up_to_the_bound(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 1000, 20000);
  size_t seen[8] = {0}, count = 0;
  for (int i = 0; i < 300; i++) {
    put_many(&ring, 'x', 100);
    if (count == 0 || seen[count - 1] != ring.capacity) seen[count++] = ring.capacity;
    assert_null(log_ring_unsound(&ring));
  }
  const size_t expected[] = {4096, 8192, 16384, 20000};
  assert_int_equal(count, 4);
  assert_memory_equal(seen, expected, sizeof expected);
  assert_int_equal(ring.count, 200);
  pm__log_ring_free(&ring);
}

static void the_index_doubles_up_to_the_bound(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 150, 1000);
  size_t seen[8] = {0}, count = 0;
  for (int i = 0; i < 400; i++) {
    pm__log_ring_end_line(&ring);
    if (count == 0 || seen[count - 1] != ring.index_capacity) seen[count++] = ring.index_capacity;
    assert_null(log_ring_unsound(&ring));
  }
  const size_t expected[] = {64, 128, 150};
  assert_int_equal(count, 3);
  assert_memory_equal(seen, expected, sizeof expected);
  pm__log_ring_free(&ring);
}

/* Lines evicted by bytes leave room at the index's start. */
static void growth_straightens_a_wrapped_index(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 100, 10);
  for (int i = 0; i < 40; i++)
    put(&ring, "evicts all");
  for (int i = 0; i < 63; i++)
    pm__log_ring_end_line(&ring);
  assert_int_equal(ring.index_capacity, 64);
  assert_int_equal(ring.count, 64);
  assert_int_not_equal(ring.first, 0);

  pm__log_ring_end_line(&ring);
  assert_int_equal(ring.index_capacity, 100);
  put(&ring, "last"); /* "evicts all" is the oldest: it goes, and nothing else */
  assert_int_equal(ring.count, 65);
  assert_tail(&ring, 2, "<><last>");
  pm__log_ring_free(&ring);
}

/* Lines evicted by number leave room at the arena's start, so that its bytes
 * go round its end while it may still grow. */
static void growth_straightens_a_wrapped_arena(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 3, 16384);
  put_many(&ring, 'a', 2000);
  put_many(&ring, 'b', 1000);
  put_many(&ring, 'c', 500);
  put_many(&ring, 'd', 1500); /* evicts a by number, wraps */
  assert_int_equal(ring.capacity, 8192);
  put_many(&ring, 'e', 4000);
  put_many(&ring, 'f', 600);
  assert_true(ring.head < ring.used);
  append(&ring, "open");
  put_many(&ring, 'g', 5000);
  assert_int_equal(ring.capacity, 16384);
  assert_null(log_ring_unsound(&ring));

  heard_t heard = {0};
  assert_int_equal(pm__log_ring_tail(&ring, 3, heard_line, &heard), 0);
  const char first[] = {'e', 'f', 'o'};
  const size_t len[] = {4000, 600, 5004};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(heard.lines[i].len, len[i]);
    assert_int_equal(heard.lines[i].bytes[0], first[i]);
  }
  heard_free(&heard);
  pm__log_ring_free(&ring);
}

static void a_line_round_the_end_is_one_piece(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 10);
  put(&ring, "123456");
  put(&ring, "abcdefgh");
  assert_true(ring.index[ring.first].offset + ring.index[ring.first].len > ring.capacity);
  assert_tail(&ring, 10, "<abcdefgh>");

  alloc_fail_nth(1);
  heard_t heard = {0};
  assert_int_equal(pm__log_ring_tail(&ring, 1, heard_line, &heard), UV_ENOMEM);
  assert_int_equal(heard.count, 0);
  alloc_fail_nth(0);
  pm__log_ring_free(&ring);
}

static void counters_count(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 2, 100);
  put(&ring, "abc\r");
  put(&ring, "");
  put(&ring, "de");
  append(&ring, "f");
  assert_int_equal(ring.total_lines, 3);
  assert_int_equal(ring.dropped_lines, 1);
  assert_int_equal(ring.total_bytes, 6);
  pm__log_ring_free(&ring);
}

static void free_makes_it_new(void **state) {
  (void)state;
  pm__log_ring_t ring, fresh;
  memset(&fresh, 0, sizeof fresh);
  memset(&ring, 0, sizeof ring);
  pm__log_ring_init(&fresh, 5, 50);
  pm__log_ring_init(&ring, 5, 50);
  put(&ring, "abc");
  append(&ring, "open\r");
  pm__log_ring_free(&ring);
  assert_memory_equal(&ring, &fresh, sizeof ring);
  pm__log_ring_free(&ring);
  put(&ring, "again");
  assert_tail(&ring, 5, "<again>");
  pm__log_ring_free(&ring);
}

static void a_line_without_memory_is_dropped_whole(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 100000);
  put(&ring, "before");
  append(&ring, "begun ");
  alloc_fail_nth(1);
  put_many(&ring, 'x', 5000); /* needs a larger arena */
  alloc_fail_nth(0);
  assert_tail(&ring, 10, "<before>");
  assert_int_equal(ring.used, 6);
  assert_int_equal(ring.dropped_lines, 1);
  assert_int_equal(ring.total_lines, 2);
  assert_true(put(&ring, "after"));
  assert_tail(&ring, 10, "<before><after>");
  pm__log_ring_free(&ring);
}

static void a_line_without_index_is_dropped(void **state) {
  (void)state;
  pm__log_ring_t ring;
  pm__log_ring_init(&ring, 10, 1000);
  append(&ring, "lost");
  alloc_fail_nth(1);
  assert_false(pm__log_ring_end_line(&ring));
  append(&ring, "lost too");
  alloc_fail_nth(1);
  assert_false(pm__log_ring_finish(&ring));
  alloc_fail_nth(0);
  assert_int_equal(ring.dropped_lines, 2);
  assert_int_equal(ring.used, 0);
  assert_true(put(&ring, "kept"));
  assert_tail(&ring, 10, "<kept>");
  pm__log_ring_free(&ring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(init_allocates_nothing),
      cmocka_unit_test(lines_come_in_order),
      cmocka_unit_test(tail_gives_the_newest),
      cmocka_unit_test(empty_lines_are_lines),
      cmocka_unit_test(one_cr_goes_with_the_line_end),
      cmocka_unit_test(finish_ends_only_an_open_line),
      cmocka_unit_test(nul_bytes_are_kept),
      cmocka_unit_test(the_line_bound_evicts_the_oldest),
      cmocka_unit_test(the_byte_bound_evicts_the_oldest),
      cmocka_unit_test(a_line_of_exactly_the_bound_is_not_cut),
      cmocka_unit_test(a_line_beyond_the_bound_says_what_is_cut),
      cmocka_unit_test(an_endless_line_stays_within_the_bound),
      cmocka_unit_test(the_arena_doubles_up_to_the_bound),
      cmocka_unit_test(the_index_doubles_up_to_the_bound),
      cmocka_unit_test(growth_straightens_a_wrapped_index),
      cmocka_unit_test(growth_straightens_a_wrapped_arena),
      cmocka_unit_test(a_line_round_the_end_is_one_piece),
      cmocka_unit_test(counters_count),
      cmocka_unit_test(free_makes_it_new),
      cmocka_unit_test(a_line_without_memory_is_dropped_whole),
      cmocka_unit_test(a_line_without_index_is_dropped),
  };
  return cmocka_run_group_tests_name("log_ring", tests, NULL, NULL);
}
