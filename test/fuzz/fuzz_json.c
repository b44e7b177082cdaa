/*
 * pm__json_is_structure must agree with a checker that is slow and plain: it goes
 * down by recursion, and has a function for each rule of RFC 8259. What is valid
 * must stay so with space around it, and must not with anything else beside it.
 *
 * Input: the text.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/streams/json.h"

/* Deep enough for texts of this size, and not too deep for the stack. */
enum { MOST_SIZE = 8192 };

typedef struct text {
  const uint8_t *bytes;
  size_t len, at;
} text_t;

static int peek(const text_t *t) {
  return t->at < t->len ? t->bytes[t->at] : -1;
}

static bool take(text_t *t, char wanted) {
  if (peek(t) != (uint8_t)wanted) return false;
  t->at++;
  return true;
}

/* One byte of a set. */
static bool take_one_of(text_t *t, const char *set) {
  for (; *set; set++)
    if (take(t, *set)) return true;
  return false;
}

static void ws(text_t *t) {
  while (take_one_of(t, " \t\n\r")) {
  }
}

static bool word(text_t *t, const char *text) {
  for (; *text; text++)
    if (!take(t, *text)) return false;
  return true;
}

static bool digits(text_t *t) {
  if (!take_one_of(t, "0123456789")) return false;
  while (take_one_of(t, "0123456789")) {
  }
  return true;
}

/* number = [ minus ] int [ frac ] [ exp ] */
static bool number(text_t *t) {
  take(t, '-');
  if (!take(t, '0')) {
    if (peek(t) < '1' || peek(t) > '9' || !digits(t)) return false;
  }
  if (take(t, '.') && !digits(t)) return false;
  if (take_one_of(t, "eE")) {
    take_one_of(t, "+-");
    return digits(t);
  }
  return true;
}

static bool character(text_t *t) {
  if (take(t, '\\')) {
    if (!take(t, 'u')) return take_one_of(t, "\"\\/bfnrt");
    for (int i = 0; i < 4; i++)
      if (!take_one_of(t, "0123456789abcdefABCDEF")) return false;
    return true;
  }
  if (peek(t) < 0x20 || peek(t) == '"') return false;
  t->at++;
  return true;
}

static bool string(text_t *t) {
  if (!take(t, '"')) return false;
  while (peek(t) != '"')
    if (!character(t)) return false;
  return take(t, '"');
}

static bool value(text_t *t);

static bool member(text_t *t) {
  ws(t);
  if (!string(t)) return false;
  ws(t);
  return take(t, ':') && value(t);
}

static bool list(text_t *t, bool (*item)(text_t *t), char close) {
  ws(t);
  if (take(t, close)) return true;
  do {
    if (!item(t)) return false;
  } while (take(t, ','));
  return take(t, close);
}

static bool structure(text_t *t) {
  ws(t);
  bool is = take(t, '{') ? list(t, member, '}') : take(t, '[') && list(t, value, ']');
  ws(t);
  return is;
}

static bool value(text_t *t) {
  ws(t);
  bool is;
  switch (peek(t)) {
  case '{':
  case '[':
    return structure(t);
  case '"':
    is = string(t);
    break;
  case 't':
    is = word(t, "true");
    break;
  case 'f':
    is = word(t, "false");
    break;
  case 'n':
    is = word(t, "null");
    break;
  default:
    is = number(t);
  }
  ws(t);
  return is;
}

static bool is_structure_by_rule(const uint8_t *bytes, size_t len) {
  text_t t = {bytes, len, 0};
  return structure(&t) && t.at == len;
}

static void require(bool condition) {
  if (!condition) abort();
}

/* In memory of just that size, so that a byte beyond is noticed. */
static bool is_structure(const uint8_t *bytes, size_t len) {
  char *copy = malloc(len);
  if (len > 0) memcpy(copy, bytes, len);
  bool is = pm__json_is_structure(copy, len);
  free(copy);
  return is;
}

static bool is_structure_between(uint8_t before, const uint8_t *bytes, size_t len, uint8_t after) {
  uint8_t *longer = malloc(len + 2);
  longer[0] = before;
  memcpy(longer + 1, bytes, len);
  longer[len + 1] = after;
  bool is = is_structure(longer, len + 2);
  free(longer);
  return is;
}

static void try_neighbours(const uint8_t *bytes, size_t len) {
  static const char neighbours[] = {'x', '0', '"', ',', ':', '{', '}', '[', ']', '\0', '\f', '\v', (char)0xEF};
  require(is_structure_between(' ', bytes, len, '\n'));
  for (size_t i = 0; i < sizeof(neighbours); i++) {
    require(!is_structure_between(' ', bytes, len, (uint8_t)neighbours[i]));
    require(!is_structure_between((uint8_t)neighbours[i], bytes, len, '\t'));
  }
  require(is_structure_between('[', bytes, len, ']'));
}

static bool is_space(uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void try_beginnings(const uint8_t *bytes, size_t len) {
  while (is_space(bytes[len - 1]))
    len--;
  for (size_t i = 0; i < len; i += 1 + len / 64)
    require(!is_structure(bytes, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > MOST_SIZE) return 0;
  bool is = is_structure(data, size);
  require(is == is_structure_by_rule(data, size));
  if (is) {
    try_neighbours(data, size);
    try_beginnings(data, size);
  }
  return 0;
}
