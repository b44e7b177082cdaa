#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "core/error.h"
#include "core/streams/utf8_decode.h"
#include "literals.h"

static void test_set_fills_every_field(void **state) {
  (void)state;
  pm_error_t error;
  memset(&error, 'x', sizeof(error));
  assert_int_equal(pm__error_set(&error, UV_EINVAL, "ERR_BAD", "TypeError", "%s is %d", "it", 7), UV_EINVAL);
  assert_int_equal(error.err, UV_EINVAL);
  assert_string_equal(error.code, "ERR_BAD");
  assert_string_equal(error.kind, "TypeError");
  assert_null(error.syscall);
  assert_string_equal(error.path, "");
  assert_string_equal(error.message, "it is 7");
}

static void test_set_without_error_only_returns(void **state) {
  (void)state;
  assert_int_equal(pm__error_set(NULL, UV_EPERM, NULL, "Error", "nobody reads this"), UV_EPERM);
  assert_int_equal(pm__error_no_memory(NULL), UV_ENOMEM);
}

static void test_code_defaults_to_the_name_of_the_errno(void **state) {
  (void)state;
  static const struct {
    int err;
    const char *code;
  } cases[] = {
      {UV_ENOENT, "ENOENT"}, {UV_EAGAIN, "EAGAIN"},       {-ENOEXEC, "ENOEXEC"}, {-ECHILD, "ECHILD"},
      {-ELIBBAD, "ELIBBAD"}, {-EUCLEAN, "EUCLEAN"},       {-ENOKEY, "ENOKEY"},   {-ESTALE, "ESTALE"},
      {-EBADMSG, "EBADMSG"}, {-EDQUOT, "EDQUOT"},         {-1234567, "UNKNOWN"}, {0, "UNKNOWN"},
      {UV_EOF, "EOF"},       {UV_ECANCELED, "ECANCELED"},
  };
  pm_error_t error;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(pm__error_set(&error, cases[i].err, NULL, "Error", "x"), cases[i].err);
    assert_string_equal(error.code, cases[i].code);
  }
}

static void test_message_is_cut_between_characters(void **state) {
  (void)state;
  pm_error_t error;
  char text[2 * sizeof(error.message)];
  /* The euro sign has three bytes; pad moves it over the end of the message. */
  for (size_t pad = 0; pad < 3; pad++) {
    size_t n = 0;
    for (; n < pad; n++)
      text[n] = 'a';
    for (; n + 3 < sizeof(text); n += 3)
      memcpy(text + n, "€", 3);
    text[n] = '\0';
    pm__error_set(&error, UV_EINVAL, NULL, "Error", "%s", text);

    size_t len = strlen(error.message);
    assert_in_range(len, sizeof(error.message) - 3, sizeof(error.message) - 1);
    assert_int_equal((len - pad) % 3, 0);
    assert_memory_equal(error.message, text, len);
  }
}

static void test_message_of_nothing_but_continuation_bytes_is_kept(void **state) {
  (void)state;
  pm_error_t error;
  char text[2 * sizeof(error.message)];
  memset(text, '\x80', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  pm__error_set(&error, UV_EINVAL, NULL, "Error", "%s", text);
  assert_in_range(strlen(error.message), sizeof(error.message) - 4, sizeof(error.message) - 1);
}

static void test_message_that_just_fits_is_whole(void **state) {
  (void)state;
  pm_error_t error;
  char text[sizeof(error.message)];
  memset(text, 'a', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  pm__error_set(&error, UV_EINVAL, NULL, "Error", "%s", text);
  assert_string_equal(error.message, text);
}

static void test_arguments_may_be_parts_of_the_error(void **state) {
  (void)state;
  pm_error_t error = {0};
  strcpy(error.path, "/a/file");
  strcpy(error.message, "the reason");
  pm__error_set(&error, UV_EACCES, NULL, "Error", "%s: %s", error.path, error.message);
  assert_string_equal(error.message, "/a/file: the reason");
}

static void test_no_memory(void **state) {
  (void)state;
  pm_error_t error;
  assert_int_equal(pm__error_no_memory(&error), UV_ENOMEM);
  assert_string_equal(error.code, "ENOMEM");
  assert_string_equal(error.kind, "Error");
  assert_string_equal(error.message, "out of memory");
}

#define SIXTY                                                                                                          \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"
#define FIFTY_NINE                                                                                                     \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "0123456789"                                                                                                         \
  "012345678"

static void test_quote(void **state) {
  (void)state;
  static const struct {
    pm_str_t text;
    const char *quoted;
  } cases[] = {
      {STR_INIT("plain text"), "\"plain text\""},
      {STR_INIT(""), "\"\""},
      {{NULL, 0}, "nothing"},
      {STR_INIT("a\0b"), "\"a\\x00b\""},
      {STR_INIT("\x1b[31m\n\x7f"), "\"\\x1B[31m\\x0A\\x7F\""},
      {STR_INIT("say \"hi\" \\o/"), "\"say \\\"hi\\\" \\\\o/\""},
      {STR_INIT("naïve 🙂"), "\"naïve 🙂\""},
      {STR_INIT("\xff\xfe"), "\"\\xFF\\xFE\""},
      {STR_INIT("\xc3"), "\"\\xC3\""},
      {STR_INIT("\xed\xa0\x80"), "\"\\xED\\xA0\\x80\""},
      {STR_INIT("\xc2\x85"), "\"\\xC2\\x85\""},
      {STR_INIT("\u202e\u2066\u200f\u2028"), "\"\\xE2\\x80\\xAE\\xE2\\x81\\xA6\\xE2\\x80\\x8F\\xE2\\x80\\xA8\""},
      {STR_INIT(SIXTY), "\"" SIXTY "\""},
      {STR_INIT(SIXTY "x"), "\"" SIXTY "…\" (61 bytes)"},
      {STR_INIT(FIFTY_NINE "ü"), "\"" FIFTY_NINE "…\" (61 bytes)"},
  };
  char out[PM__QUOTE_SIZE];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_ptr_equal(pm__error_quote(out, sizeof(out), cases[i].text), out);
    assert_string_equal(out, cases[i].quoted);
  }
}

static void test_quote_at_its_longest_fits_the_size(void **state) {
  (void)state;
  char bytes[5000], out[PM__QUOTE_SIZE];
  memset(bytes, '\x01', sizeof(bytes));
  pm__error_quote(out, sizeof(out), (pm_str_t){bytes, sizeof(bytes)});
  assert_contains(out, "\\x01…\" (5000 bytes)");
  assert_int_equal(strlen(out), 1 + 60 * 4 + strlen("…\" (5000 bytes)"));
}

static void test_quote_into_any_size_is_terminated(void **state) {
  (void)state;
  const pm_str_t text = STR("ü\xff" SIXTY);
  char whole[PM__QUOTE_SIZE];
  pm__error_quote(whole, sizeof(whole), text);
  for (size_t size = 0; size <= strlen(whole) + 1; size++) {
    char out[PM__QUOTE_SIZE];
    memset(out, '#', sizeof(out));
    pm__error_quote(out, size, text);
    assert_int_equal(out[size], '#');
    if (size == 0) continue;
    assert_in_range(strlen(out), size < 4 ? 0 : size - 3, size - 1);
    assert_memory_equal(out, whole, strlen(out));
  }
}

/* Writes c by the definition of UTF-8, even where that makes no character. */
static size_t encode(uint32_t c, size_t len, char *out) {
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = len; i-- > 1; c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3F));
  out[0] = (char)(lead[len] | c);
  return len;
}

static void test_every_code_point_is_decoded(void **state) {
  (void)state;
  static const uint32_t end_of_length[] = {0, 0x80, 0x800, 0x10000, 0x200000};
  char bytes[4];
  for (uint32_t c = 0; c < 0x112000; c++) {
    size_t len = 1;
    while (c >= end_of_length[len])
      len++;
    bool valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
    uint32_t decoded = 0;
    encode(c, len, bytes);
    if (pm__utf8_decode(bytes, len, &decoded) != (valid ? len : 0) || decoded != (valid ? c : 0)) {
      fail_msg("U+%04X was decoded to U+%04X", (unsigned)c, (unsigned)decoded);
    }
    if (pm__utf8_decode(bytes, len - 1, &decoded) != 0) fail_msg("a part of U+%04X was decoded", (unsigned)c);
    /* The same value with a byte more than it needs is not valid. */
    if (len > 1 && len < 4) {
      encode(c, len + 1, bytes);
      if (pm__utf8_decode(bytes, len + 1, &decoded) != 0) fail_msg("overlong U+%04X was decoded", (unsigned)c);
    }
  }
}

static void test_bytes_that_begin_no_character(void **state) {
  (void)state;
  static const pm_str_t cases[] = {
      STR_INIT("\x80"),
      STR_INIT("\xbf\x80"),
      STR_INIT("\xc0\x80"),
      STR_INIT("\xc1\xbf"),
      STR_INIT("\xc3("),
      STR_INIT("\xe2\x82("),
      STR_INIT("\xe2(\xac"),
      STR_INIT("\xf5\x80\x80\x80"),
      STR_INIT("\xff\xbf\xbf\xbf"),
      STR_INIT("\xf8\x88\x80\x80\x80"),
  };
  uint32_t c;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_int_equal(pm__utf8_decode(cases[i].base, cases[i].len, &c), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set_fills_every_field),
      cmocka_unit_test(test_set_without_error_only_returns),
      cmocka_unit_test(test_code_defaults_to_the_name_of_the_errno),
      cmocka_unit_test(test_message_is_cut_between_characters),
      cmocka_unit_test(test_message_of_nothing_but_continuation_bytes_is_kept),
      cmocka_unit_test(test_message_that_just_fits_is_whole),
      cmocka_unit_test(test_arguments_may_be_parts_of_the_error),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_quote),
      cmocka_unit_test(test_quote_at_its_longest_fits_the_size),
      cmocka_unit_test(test_quote_into_any_size_is_terminated),
      cmocka_unit_test(test_every_code_point_is_decoded),
      cmocka_unit_test(test_bytes_that_begin_no_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
