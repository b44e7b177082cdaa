/*
 * What pm__utf8_incomplete holds back must be the beginning of a character
 * that some bytes complete, and nothing longer that it did not hold back may
 * be. pm_is_ascii must agree with a look at each byte.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/streams/utf8.h"
#include "pm.h"

/* Whether bytes are exactly one character: decoded by the plain rule, then
 * checked for what makes an encoding invalid. */
static bool is_character(const uint8_t *bytes, size_t len) {
  static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
  static const uint8_t LEAD_MASK[] = {0, 0, 0x1F, 0x0F, 0x07};
  static const uint8_t LEAD[] = {0, 0, 0xC0, 0xE0, 0xF0};
  if (len < 2 || len > 4 || (bytes[0] & ~LEAD_MASK[len] & 0xFF) != LEAD[len]) return false;

  uint32_t code = bytes[0] & LEAD_MASK[len];
  for (size_t i = 1; i < len; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return false;
    code = code << 6 | (bytes[i] & 0x3F);
  }
  return code >= LEAST[len] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

/* Whether one to three continuation bytes make a character of these bytes. */
static bool can_be_completed(const uint8_t *bytes, size_t len) {
  for (size_t full = len + 1; full <= 4; full++) {
    uint8_t c[4] = {0x80, 0x80, 0x80, 0x80};
    memcpy(c, bytes, len);
    /* The first byte that is added decides; the others may be any. */
    for (unsigned next = 0x80; next <= 0xBF; next++) {
      c[len] = (uint8_t)next;
      if (is_character(c, full)) return true;
    }
  }
  return false;
}

static bool is_ascii(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (bytes[i] > 0x7F) return false;
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (size_t len = 0; len <= size; len++) {
    size_t held = pm__utf8_incomplete((const char *)data, len);
    if (held > 3 || held > len) abort();
    for (size_t n = 1; n <= 3 && n <= len; n++) {
      if (can_be_completed(data + len - n, n) != (n == held)) abort();
    }
  }
  if (pm_is_ascii((const char *)data, size) != is_ascii(data, size)) abort();
  return 0;
}
