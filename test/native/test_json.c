/* What is JSON, as RFC 8259 has it: one object or array, and nothing beside it. */
#include <stdlib.h>
#include <string.h>

#include "core/streams/json.h"
#include "literals.h"
#include "support.h"

/* In memory of just that size, so that a byte beyond is noticed. */
static bool is_structure(pm_str_t text) {
  char *copy = malloc(text.len);
  if (text.len > 0) memcpy(copy, text.base, text.len);
  bool is = pm__json_is_structure(copy, text.len);
  free(copy);
  return is;
}

static void assert_each(const pm_str_t *texts, size_t count, bool expected) {
  for (size_t i = 0; i < count; i++)
    if (is_structure(texts[i]) != expected)
      fail_msg("%.*s %s JSON", (int)texts[i].len, texts[i].base, expected ? "is" : "is no");
}

#define assert_all(texts, expected) assert_each((texts), sizeof(texts) / sizeof((texts)[0]), (expected))

/* Puts a value where each kind of value may stand. */
static bool is_value(pm_str_t value) {
  static const char *const frames[][2] = {{"[", "]"},
                                          {"[ ", "\t]"},
                                          {"[1,", ",2]"},
                                          {"{\"a\":", "}"},
                                          {"{\"a\" : ", " , \"b\":0}"},
                                          {"[[{\"a\":[", "]}]]"}};
  enum { FRAMES = sizeof(frames) / sizeof(frames[0]) };
  bool is = false;
  for (int i = 0; i < FRAMES; i++) {
    size_t before = strlen(frames[i][0]);
    size_t after = strlen(frames[i][1]);
    char *text = malloc(before + value.len + after);
    memcpy(text, frames[i][0], before);
    memcpy(text + before, value.base, value.len);
    memcpy(text + before + value.len, frames[i][1], after);
    bool now = is_structure((pm_str_t){text, before + value.len + after});
    if (i > 0 && now != is) fail_msg("%.*s: the frame %d makes a difference", (int)value.len, value.base, i);
    is = now;
    free(text);
  }
  return is;
}

static void assert_each_value(const pm_str_t *values, size_t count, bool expected) {
  for (size_t i = 0; i < count; i++)
    if (is_value(values[i]) != expected)
      fail_msg("%.*s %s a value", (int)values[i].len, values[i].base, expected ? "is" : "is no");
}

#define assert_values(values, expected) assert_each_value((values), sizeof(values) / sizeof((values)[0]), (expected))

static void structures(void **state) {
  (void)state;
  static const pm_str_t good[] = {
      STR_INIT("{}"),
      STR_INIT("[]"),
      STR_INIT(" \t\r\n{ \t\r\n} \t\r\n"),
      STR_INIT("[ ]"),
      STR_INIT("[[],{},[{}]]"),
      STR_INIT("{\"a\":{},\"a\":[]}"), /* names need not differ */
      STR_INIT("{\"\":0}"),
      STR_INIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":[true,false,null]}}"),
  };
  static const pm_str_t bad[] = {
      STR_INIT(""),           STR_INIT(" "),
      STR_INIT("{"),          STR_INIT("["),
      STR_INIT("}"),          STR_INIT("{]"),
      STR_INIT("[}"),         STR_INIT("[[]"),
      STR_INIT("[]]"),        STR_INIT("[{]}"),
      STR_INIT("[,]"),        STR_INIT("[1,]"),
      STR_INIT("[,1]"),       STR_INIT("[1,,2]"),
      STR_INIT("[1 2]"),      STR_INIT("[1:2]"),
      STR_INIT("{,}"),        STR_INIT("{\"a\"}"),
      STR_INIT("{\"a\":}"),   STR_INIT("{:1}"),
      STR_INIT("{\"a\",1}"),  STR_INIT("{a:1}"),
      STR_INIT("{'a':1}"),    STR_INIT("{1:1}"),
      STR_INIT("{\"a\":1,}"), STR_INIT("{\"a\":1 \"b\":2}"),
      STR_INIT("{\"a\"::1}"), STR_INIT("{\"a\":1:2}"),
      STR_INIT("{null:1}"),   STR_INIT("{[]:1}"),
      STR_INIT("[\"a\":1]"),  STR_INIT("{\"a\":1,2}"),
  };
  assert_all(good, true);
  assert_all(bad, false);
}

/* A message is an object or an array: what else RFC 8259 allows is none. */
static void lone_values_are_none(void **state) {
  (void)state;
  static const pm_str_t texts[] = {STR_INIT("1"),    STR_INIT("\"a\""),  STR_INIT("true"),
                                   STR_INIT("null"), STR_INIT("\"{}\""), STR_INIT("-0")};
  assert_all(texts, false);
}

static void what_stands_beside_it(void **state) {
  (void)state;
  static const pm_str_t bad[] = {
      STR_INIT("{} x"),    STR_INIT("x {}"),   STR_INIT("{}{}"),           STR_INIT("[][]"),   STR_INIT("{},"),
      STR_INIT("{}\0"),    STR_INIT("\0{}"),   STR_INIT("\xef\xbb\xbf{}"), STR_INIT("{}\f"),   STR_INIT("\v{}"),
      STR_INIT("[1]\xa0"), STR_INIT("//\n{}"), STR_INIT("{}/**/"),         STR_INIT("{} \n]"), STR_INIT("[\0]"),
      STR_INIT("[1\0]"),   STR_INIT("[\f]"),   STR_INIT("[\xc2\xa0]"),     STR_INIT("[/**/]"),
  };
  assert_all(bad, false);
}

static void words(void **state) {
  (void)state;
  static const pm_str_t good[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null")};
  static const pm_str_t bad[] = {STR_INIT("True"),     STR_INIT("tru"),       STR_INIT("truee"), STR_INIT("nul"),
                                 STR_INIT("NULL"),     STR_INIT("undefined"), STR_INIT("fals"),  STR_INIT("NaN"),
                                 STR_INIT("Infinity"), STR_INIT("t"),         STR_INIT("nulll"), STR_INIT("true1"),
                                 STR_INIT("-true"),    STR_INIT("fal\0e")};
  assert_values(good, true);
  assert_values(bad, false);
}

static void numbers(void **state) {
  (void)state;
  static const pm_str_t good[] = {STR_INIT("0"),
                                  STR_INIT("-0"),
                                  STR_INIT("7"),
                                  STR_INIT("10"),
                                  STR_INIT("-123456789012345678901234567890"),
                                  STR_INIT("0.0"),
                                  STR_INIT("-0.5"),
                                  STR_INIT("1.25"),
                                  STR_INIT("1e5"),
                                  STR_INIT("1E5"),
                                  STR_INIT("1e+05"),
                                  STR_INIT("1e-0"),
                                  STR_INIT("0e0"),
                                  STR_INIT("1.5e300"),
                                  STR_INIT("1e999999")};
  static const pm_str_t bad[] = {
      STR_INIT("-"),     STR_INIT("+1"),  STR_INIT("01"),       STR_INIT("-01"), STR_INIT("00"),  STR_INIT(".5"),
      STR_INIT("1."),    STR_INIT("-.5"), STR_INIT("1.e5"),     STR_INIT("1e"),  STR_INIT("1e+"), STR_INIT("1E-"),
      STR_INIT("1e5.0"), STR_INIT("0x1"), STR_INIT("1_0"),      STR_INIT("--1"), STR_INIT("1-"),  STR_INIT("1.2.3"),
      STR_INIT("1e5e5"), STR_INIT("1f"),  STR_INIT("\xd9\xa1"), STR_INIT("- 1"), STR_INIT("1 .5")};
  assert_values(good, true);
  assert_values(bad, false);
}

static void strings(void **state) {
  (void)state;
  static const pm_str_t good[] = {
      STR_INIT("\"\""),
      STR_INIT("\"a b\""),
      STR_INIT("\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t\""),
      STR_INIT("\"\\u0000\\uFFFF\\uabcd\\uD800\""), /* a lone surrogate is allowed by the grammar */
      STR_INIT("\"\x7f\""),
      STR_INIT("\"\xc3\xa9 \xf0\x9f\x98\x80\""),
      STR_INIT("\"\xe2\x80\xa8\""),
      STR_INIT("\"\xff\x80\""), /* whether it is UTF-8 is not looked into */
      STR_INIT("\"{[}],:\""),
      STR_INIT("\"\\\\\""),
  };
  static const pm_str_t bad[] = {
      STR_INIT("\""),         STR_INIT("\"a"),         STR_INIT("a\""),           STR_INIT("'a'"),
      STR_INIT("\"\\\""),     STR_INIT("\"\\a\""),     STR_INIT("\"\\0\""),       STR_INIT("\"\\x41\""),
      STR_INIT("\"\\'\""),    STR_INIT("\"\\U0041\""), STR_INIT("\"\\u\""),       STR_INIT("\"\\u12\""),
      STR_INIT("\"\\u123\""), STR_INIT("\"\\u123g\""), STR_INIT("\"\\u 123\""),   STR_INIT("\"\\\n\""),
      STR_INIT("\"\\\0\""),   STR_INIT("\"a\"\"b\""),  STR_INIT("\"\\\xc3\xa9\"")};
  assert_values(good, true);
  assert_values(bad, false);
}

/* Each byte by itself, in a string and outside of one. */
static void every_byte(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    char in_string[] = {'[', '"', (char)byte, '"', ']'};
    char escaped[] = {'[', '"', '\\', (char)byte, '"', ']'};
    char alone[] = {'[', (char)byte, ']'};
    char around[] = {(char)byte, '[', ']', (char)byte};
    bool is_space = byte != 0 && strchr(" \t\r\n", byte);
    assert_int_equal(is_structure((pm_str_t){in_string, sizeof(in_string)}),
                     byte >= 0x20 && byte != '"' && byte != '\\');
    assert_int_equal(is_structure((pm_str_t){escaped, sizeof(escaped)}),
                     byte != 0 && strchr("\"\\/bfnrt", byte) != NULL);
    assert_int_equal(is_structure((pm_str_t){alone, sizeof(alone)}), is_space || (byte >= '0' && byte <= '9'));
    assert_int_equal(is_structure((pm_str_t){around, sizeof(around)}), is_space);
  }
}

/* No beginning of a text is one, and no text with a byte more than space behind it. */
static void no_part_is_a_whole(void **state) {
  (void)state;
  static const char text[] = " {\"a\":[1,-2.5e+3,\"x\\u00e9\\n\",true,null,{}],\"b\":{\"c\":[[],false]}}";
  enum { LEN = sizeof(text) - 1 };
  assert_true(is_structure((pm_str_t){text, LEN}));
  for (size_t len = 0; len < LEN; len++)
    assert_false(is_structure((pm_str_t){text, len}));
  for (size_t from = 2; from < LEN; from++)
    assert_false(is_structure((pm_str_t){text + from, LEN - from}));
}

/* ---- depth -------------------------------------------------------------------------- */

/* depth arrays or objects, one in another, with inner in the innermost. */
static bool is_deep_structure(size_t depth, const char *open, const char *close, const char *inner) {
  size_t open_len = strlen(open);
  size_t inner_len = strlen(inner);
  size_t len = depth * (open_len + 1) + inner_len;
  char *text = malloc(len);
  for (size_t i = 0; i < depth; i++) {
    memcpy(text + i * open_len, open, open_len);
    text[len - 1 - i] = close[0];
  }
  memcpy(text + depth * open_len, inner, inner_len);
  bool is = is_structure((pm_str_t){text, len});
  free(text);
  return is;
}

static void depth_is_bounded(void **state) {
  (void)state;
  static const char *const inners[] = {"", "1", "[]", "{}", "[1]"};
  static const size_t own[] = {0, 0, 1, 1, 1};
  for (int i = 0; i < 5; i++) {
    size_t most = PM__JSON_DEEPEST - own[i];
    assert_true(is_deep_structure(most, "[", "]", inners[i]));
    assert_false(is_deep_structure(most + 1, "[", "]", inners[i]));
    if (i == 0) continue; /* no value */
    assert_true(is_deep_structure(most, "{\"a\":", "}", inners[i]));
    assert_false(is_deep_structure(most + 1, "{\"a\":", "}", inners[i]));
  }
  assert_false(is_deep_structure(1 << 20, "[", "]", ""));
  assert_false(is_deep_structure(100, "[", "}", ""));
}

/* What is closed is forgotten: only what is open at the same time counts. */
static void width_is_not_depth(void **state) {
  (void)state;
  enum { COUNT = 2 * PM__JSON_DEEPEST };
  char *text = malloc(3 * COUNT + 1);
  for (size_t i = 0; i < COUNT; i++)
    memcpy(text + 3 * i, i % 2 ? "{}," : "[],", 3);
  memmove(text + 1, text, 3 * COUNT - 1);
  text[0] = '[';
  text[3 * COUNT] = ']';
  assert_true(is_structure((pm_str_t){text, 3 * COUNT + 1}));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(structures),
      cmocka_unit_test(lone_values_are_none),
      cmocka_unit_test(what_stands_beside_it),
      cmocka_unit_test(words),
      cmocka_unit_test(numbers),
      cmocka_unit_test(strings),
      cmocka_unit_test(every_byte),
      cmocka_unit_test(no_part_is_a_whole),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(width_is_not_depth),
  };
  return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
