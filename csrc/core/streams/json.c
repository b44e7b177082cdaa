#include "json.h"

#include <stdint.h>
#include <string.h>

/* A cursor; what fails to be read leaves NULL behind, which every function hands
 * on. */
typedef const char *at_t;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static at_t skip_space(at_t at, at_t end) {
  while (at < end && is_space(*at))
    at++;
  return at;
}

static at_t skip_digits(at_t at, at_t end) {
  if (at == end || !is_digit(*at)) return NULL;
  while (at < end && is_digit(*at))
    at++;
  return at;
}

static at_t skip_number(at_t at, at_t end) {
  if (at < end && *at == '-') at++;
  if (at < end && *at == '0')
    at++;
  else
    at = skip_digits(at, end);
  if (at && at < end && *at == '.') at = skip_digits(at + 1, end);
  if (at && at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = skip_digits(at, end);
  }
  return at;
}

static at_t skip_word(at_t at, at_t end, const char *word) {
  size_t len = strlen(word);
  return (size_t)(end - at) >= len && memcmp(at, word, len) == 0 ? at + len : NULL;
}

static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static at_t skip_escape(at_t at, at_t end) {
  static const char single[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
  if (at == end) return NULL;
  if (*at != 'u') return memchr(single, *at, sizeof single) ? at + 1 : NULL;
  at++;
  for (int i = 0; i < 4; i++, at++)
    if (at == end || !is_hex(*at)) return NULL;
  return at;
}

/* Whether one of eight bytes is a quotation mark, a backslash or below 0x20: the usual
 * search for a zero byte in a word, once for each. */
static bool has_special(at_t at) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  const uint64_t high = ones << 7;
  uint64_t word;
  memcpy(&word, at, sizeof word);
  uint64_t quote = word ^ ones * '"';
  uint64_t backslash = word ^ ones * '\\';
  uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * 0x20) & ~word);
  return (found & high) != 0;
}

/* at is behind the opening quotation mark. */
static at_t skip_string(at_t at, at_t end) {
  while (at && at < end) {
    while (end - at >= 8 && !has_special(at))
      at += 8;
    if (at == end) break;
    unsigned char c = (unsigned char)*at++;
    if (c == '"') return at;
    if (c < 0x20) return NULL;
    if (c == '\\') at = skip_escape(at, end);
  }
  return NULL;
}

static at_t skip_scalar(at_t at, at_t end) {
  switch (*at) {
  case '"':
    return skip_string(at + 1, end);
  case 't':
    return skip_word(at, end, "true");
  case 'f':
    return skip_word(at, end, "false");
  case 'n':
    return skip_word(at, end, "null");
  default:
    return skip_number(at, end);
  }
}

/* The name of a member and its colon. */
static at_t skip_name(at_t at, at_t end) {
  at = skip_space(at, end);
  if (at == end || *at != '"') return NULL;
  at = skip_string(at + 1, end);
  if (!at) return NULL;
  at = skip_space(at, end);
  return at < end && *at == ':' ? at + 1 : NULL;
}

/* What is open, a bit for each level: whether it is an object. */
typedef struct nesting {
  unsigned depth;
  uint8_t objects[PM__JSON_DEEPEST / 8];
} nesting_t;

static bool is_in_object(const nesting_t *n) {
  unsigned i = n->depth - 1;
  return n->objects[i / 8] >> (i % 8) & 1;
}

static bool enter(nesting_t *n, bool object) {
  if (n->depth == PM__JSON_DEEPEST) return false;
  unsigned i = n->depth++;
  uint8_t bit = (uint8_t)(1 << (i % 8));
  if (i % 8 == 0) n->objects[i / 8] = 0;
  n->objects[i / 8] = (uint8_t)(object ? n->objects[i / 8] | bit : n->objects[i / 8] & ~bit);
  return true;
}

/* at is behind a value: closes what ends here. Where the next value of the innermost
 * one begins, or the end of all when the depth is 0. */
static at_t skip_ends(nesting_t *n, at_t at, at_t end) {
  while (n->depth > 0) {
    at = skip_space(at, end);
    if (at == end) return NULL;
    char c = *at++;
    if (c == ',') return is_in_object(n) ? skip_name(at, end) : at;
    if (c != (is_in_object(n) ? '}' : ']')) return NULL;
    n->depth--;
  }
  return at;
}

/* at is behind a bracket: where its first value begins, or behind it if it is
 * empty. */
static at_t skip_begin(nesting_t *n, at_t at, at_t end, bool object) {
  if (!enter(n, object)) return NULL;
  at = skip_space(at, end);
  if (at < end && *at == (object ? '}' : ']')) return skip_ends(n, at, end);
  return object ? skip_name(at, end) : at;
}

/* As far as its first and last characters tell, which is enough for most of what is
 * none. */
static bool looks_like_structure(const char *bytes, size_t len) {
  while (len > 0 && is_space(bytes[len - 1]))
    len--;
  while (len > 0 && is_space(*bytes)) {
    bytes++;
    len--;
  }
  if (len < 2) return false;
  return (bytes[0] == '{' && bytes[len - 1] == '}') || (bytes[0] == '[' && bytes[len - 1] == ']');
}

bool pm__json_is_structure(const char *bytes, size_t len) {
  at_t end = bytes + len;
  at_t at = skip_space(bytes, end);
  nesting_t nesting;
  nesting.depth = 0;
  if (!looks_like_structure(bytes, len)) return false;
  do {
    at = skip_space(at, end);
    if (at == end) return false;
    if (*at == '{' || *at == '[') {
      at = skip_begin(&nesting, at + 1, end, *at == '{');
    } else {
      at = skip_scalar(at, end);
      if (at) at = skip_ends(&nesting, at, end);
    }
  } while (at && nesting.depth > 0);
  return at && skip_space(at, end) == end;
}
