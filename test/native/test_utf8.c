#include <string.h>

#include "core/streams/utf8.h"
#include "pm.h"
#include "support.h"

/* One byte of every kind that table 3-7 of the Unicode standard tells apart,
 * at both ends of its range. */
static const unsigned char CLASSES[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1,
                                        0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3,
                                        0xF4, 0xF5, 0xF7, 0xF8, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF};
enum { CLASS_COUNT = sizeof CLASSES };

/* The characters there are, as code points encoded by the plain rule. */
static size_t encode(uint32_t code, unsigned char out[4]) {
  if (code < 0x80) {
    out[0] = (unsigned char)code;
    return 1;
  }
  size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char MARK[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = len - 1; i > 0; i--, code >>= 6)
    out[i] = (unsigned char)(0x80 | (code & 0x3F));
  out[0] = (unsigned char)(MARK[len] | code);
  return len;
}

static bool is_scalar(uint32_t code) {
  return code < 0xD800 || (code > 0xDFFF && code <= 0x10FFFF);
}

/* is_prefix[n][…]: these n bytes begin a longer character. Filled from the list of all characters. */
typedef struct prefixes {
  bool one[256];
  bool two[256][256];
  bool three[16][64][64]; /* first byte from F0, others from 80 */
} prefixes_t;

static prefixes_t known;

static int fill_prefixes(void **state) {
  (void)state;
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    unsigned char c[4];
    if (!is_scalar(code)) continue;
    size_t len = encode(code, c);
    if (len > 1) known.one[c[0]] = true;
    if (len > 2) known.two[c[0]][c[1]] = true;
    if (len > 3) known.three[c[0] - 0xF0][c[1] - 0x80][c[2] - 0x80] = true;
  }
  return 0;
}

static bool is_prefix(const unsigned char *b, size_t n) {
  switch (n) {
  case 1:
    return known.one[b[0]];
  case 2:
    return known.two[b[0]][b[1]];
  default:
    return b[0] >= 0xF0 && (b[1] & 0xC0) == 0x80 && (b[2] & 0xC0) == 0x80 &&
           known.three[b[0] - 0xF0][b[1] - 0x80][b[2] - 0x80];
  }
}

static size_t incomplete_by_search(const unsigned char *bytes, size_t len) {
  for (size_t n = 1; n <= 3 && n <= len; n++) {
    if (is_prefix(bytes + len - n, n)) return n;
  }
  return 0;
}

static void nothing_is_incomplete_in_nothing(void **state) {
  (void)state;
  assert_int_equal(pm__utf8_incomplete("", 0), 0);
  assert_int_equal(pm__utf8_incomplete(NULL, 0), 0);
}

static void check(const unsigned char *bytes, size_t len) {
  size_t got = pm__utf8_incomplete((const char *)bytes, len);
  size_t expected = incomplete_by_search(bytes, len);
  if (got == expected) return;
  for (size_t i = 0; i < len; i++)
    print_error("%02X ", bytes[i]);
  print_error("\n");
  assert_int_equal(got, expected);
}

static void all_byte_kinds_up_to_four_long(void **state) {
  (void)state;
  for (size_t len = 1, combinations = CLASS_COUNT; len <= 4; len++, combinations *= CLASS_COUNT) {
    for (size_t number = 0; number < combinations; number++) {
      unsigned char bytes[4];
      size_t rest = number;
      for (size_t i = 0; i < len; i++, rest /= CLASS_COUNT)
        bytes[i] = CLASSES[rest % CLASS_COUNT];
      check(bytes, len);
    }
  }
}

static void every_pair_of_bytes(void **state) {
  (void)state;
  for (unsigned a = 0; a < 256; a++) {
    for (unsigned b = 0; b < 256; b++)
      check((const unsigned char[]){(unsigned char)a, (unsigned char)b}, 2);
  }
}

static void every_border_in_every_character(void **state) {
  (void)state;
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    unsigned char bytes[6] = {'x', 0xC3}; /* what stands before must not matter */
    if (!is_scalar(code)) continue;
    size_t len = encode(code, bytes + 2);
    for (size_t n = 1; n < len; n++) {
      if (pm__utf8_incomplete((char *)bytes, 2 + n) != n) fail_msg("U+%04X after %zu bytes", code, n);
    }
    if (pm__utf8_incomplete((char *)bytes, 2 + len) != 0) fail_msg("U+%04X", code);
  }
}

static void every_border_in_a_text(void **state) {
  (void)state;
  const char text[] = "aß€𝄞\r\n漢字 é🙂z";
  size_t given = 0; /* chunks of any two lengths put together give the text */
  for (size_t first = 0; first <= sizeof text - 1; first++) {
    size_t held = pm__utf8_incomplete(text, first);
    assert_true(held <= 3 && held <= first);
    /* Where the chunk is cut, a character begins: no continuation byte. */
    assert_true(((unsigned char)text[first - held] & 0xC0) != 0x80);
    if (held > 0) given++;
  }
  assert_int_equal(given, 1 + 2 + 3 + 2 + 2 + 1 + 3);
}

static void what_cannot_be_completed_is_not_held_back(void **state) {
  (void)state;
  static const char *const HOPELESS[] = {"\xC0",         "\xC1",     "\xE0\x80", "\xE0\x9F",     "\xED\xA0",
                                         "\xED\xBF",     "\xF0\x80", "\xF0\x8F", "\xF4\x90",     "\xF5",
                                         "\xF8\x88\x80", "\xFF",     "\x80",     "\x80\x80\x80", "\xF4\x90\x80"};
  for (size_t i = 0; i < sizeof HOPELESS / sizeof *HOPELESS; i++)
    assert_int_equal(pm__utf8_incomplete(HOPELESS[i], strlen(HOPELESS[i])), 0);
}

static void ascii_is_told_at_every_place(void **state) {
  (void)state;
  char bytes[100];
  for (size_t start = 0; start < 8; start++) {
    for (size_t len = 0; len <= 80; len++) {
      memset(bytes, 0x7F, sizeof bytes);
      /* What lies outside must not count. */
      bytes[start + len] = (char)0x80;
      if (start > 0) bytes[start - 1] = (char)0x80;
      assert_true(pm_is_ascii(bytes + start, len));
      for (size_t at = 0; at < len; at++) {
        bytes[start + at] = (char)0x80;
        assert_false(pm_is_ascii(bytes + start, len));
        bytes[start + at] = 0;
      }
    }
  }
  assert_true(pm_is_ascii(NULL, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_incomplete_in_nothing),
      cmocka_unit_test(all_byte_kinds_up_to_four_long),
      cmocka_unit_test(every_pair_of_bytes),
      cmocka_unit_test(every_border_in_every_character),
      cmocka_unit_test(every_border_in_a_text),
      cmocka_unit_test(what_cannot_be_completed_is_not_held_back),
      cmocka_unit_test(ascii_is_told_at_every_place),
  };
  return cmocka_run_group_tests_name("utf8", tests, fill_prefixes, NULL);
}
