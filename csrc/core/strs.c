#include "strs.h"

#include <string.h>

/* The memory functions must not be given NULL, not even for no bytes: hence
 * the test before each of them. */

bool pm__str_equal(pm_str_t a, pm_str_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

bool pm__str_is(pm_str_t a, const char *text) {
  return pm__str_equal(a, (pm_str_t){text, strlen(text)});
}

int pm__str_compare(pm_str_t a, pm_str_t b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common > 0 ? memcmp(a.base, b.base, common) : 0;
  return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool pm__str_in(pm_str_t a, const pm_str_t *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (pm__str_equal(a, list[i])) return true;
  }
  return false;
}

bool pm__str_has(pm_str_t a, char c) {
  return a.base != NULL && memchr(a.base, c, a.len) != NULL;
}

char *pm__str_copy(char *out, pm_str_t a) {
  if (a.len > 0) memcpy(out, a.base, a.len);
  out[a.len] = '\0';
  return out + a.len + 1;
}
