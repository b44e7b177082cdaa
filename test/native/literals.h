/* Short ways to write and compare pm_str_t in tests. */
#ifndef PM_TEST_LITERALS_H
#define PM_TEST_LITERALS_H

#include <string.h>

#include "pm.h"

/* A literal, which may contain NUL bytes. */
#define STR(literal) ((pm_str_t){(literal), sizeof(literal) - 1})

/* A literal in an initialiser of static storage. */
#define STR_INIT(literal)                                                                                              \
  { (literal), sizeof(literal) - 1 }

#define NOT_GIVEN ((pm_str_t){NULL, 0})

#define assert_contains(text, part)                                                                                    \
  do {                                                                                                                 \
    if (strstr((text), (part)) == NULL) fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                    \
  } while (0)

#define assert_begins(text, part)                                                                                      \
  do {                                                                                                                 \
    if (strncmp((text), (part), strlen(part)) != 0) fail_msg("\"%s\" does not begin with \"%s\"", (text), (part));     \
  } while (0)

#endif /* PM_TEST_LITERALS_H */
