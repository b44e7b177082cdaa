#include "utf8_decode.h"

size_t pm__utf8_decode(const char *bytes, size_t len, uint32_t *code_point) {
  /* The least value that needs as many bytes, by length: less is overlong. */
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *b = (const unsigned char *)bytes;
  if (len == 0) return 0;
  if (b[0] < 0x80) {
    *code_point = b[0];
    return 1;
  }
  size_t n = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
  if (b[0] < 0xC2 || b[0] > 0xF4 || n > len) return 0;

  uint32_t value = b[0] & (0xFFU >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((b[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (b[i] & 0x3F);
  }
  if (value < least[n] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
  *code_point = value;
  return n;
}
