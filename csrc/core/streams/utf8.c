#include "utf8.h"

#include <stdint.h>
#include <string.h>

#include "../../pm.h"

/* How long a character with this first byte is; 0 for bytes that begin none. */
static size_t char_len(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/* Some first bytes allow only part of the continuation bytes next: the others
 * would be overlong forms, surrogates or beyond U+10FFFF. */
static bool may_follow(unsigned char lead, unsigned char second) {
  switch (lead) {
  case 0xE0:
    return second >= 0xA0;
  case 0xED:
    return second <= 0x9F;
  case 0xF0:
    return second >= 0x90;
  case 0xF4:
    return second <= 0x8F;
  default:
    return true;
  }
}

size_t pm__utf8_incomplete(const char *bytes, size_t len) {
  for (size_t n = 1; n <= 3 && n <= len; n++) {
    unsigned char lead = (unsigned char)bytes[len - n];
    if ((lead & 0xC0) == 0x80) continue;
    if (n >= char_len(lead)) return 0;
    if (n > 1 && !may_follow(lead, (unsigned char)bytes[len - n + 1])) return 0;
    return n;
  }
  return 0;
}

bool pm_is_ascii(const char *bytes, size_t len) {
  const uint64_t high_bits = UINT64_C(0x8080808080808080);
  uint64_t word[4];
  for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
    memcpy(word, bytes, sizeof word);
    if ((word[0] | word[1] | word[2] | word[3]) & high_bits) return false;
  }
  for (; len > 0; bytes++, len--) {
    if ((unsigned char)*bytes >= 0x80) return false;
  }
  return true;
}
