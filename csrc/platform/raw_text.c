#include "raw_text.h"

#include <stddef.h>

#include "raw_syscall.h"

PM__RAW char *pm__raw_put(char *at, const char *text) {
  while (*text)
    *at++ = *text++;
  *at = '\0';
  return at;
}

PM__RAW char *pm__raw_put_number(char *at, unsigned long n) {
  char digits[PM__RAW_DIGITS];
  int count = 0;
  do {
    digits[count++] = (char)('0' + n % 10);
    n /= 10;
  } while (n > 0);
  while (count > 0)
    *at++ = digits[--count];
  *at = '\0';
  return at;
}

PM__RAW long pm__raw_number(const char *text, const char **end) {
  long n = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    n = n * 10 + (*text - '0');
  if (end) *end = text;
  return n;
}
