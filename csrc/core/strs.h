/* Comparing pm_str_t: bytes with a length, which may have any value. */
#ifndef PM_CORE_STRS_H
#define PM_CORE_STRS_H

#include "../pm.h"

/* Whether both have the same bytes. One that is not given equals an empty one. */
bool pm__str_equal(pm_str_t a, pm_str_t b);

/* The same, of a terminated text. */
bool pm__str_is(pm_str_t a, const char *text);

/* Less than, equal to or greater than 0: the order of bytes, a prefix first. */
int pm__str_compare(pm_str_t a, pm_str_t b);

/* Whether a is one of list. Takes time in proportion to count. */
bool pm__str_in(pm_str_t a, const pm_str_t *list, size_t count);

/* Whether c is among the bytes. */
bool pm__str_has(pm_str_t a, char c);

/* Copies a to out and terminates it. Returns the byte after the terminator. */
char *pm__str_copy(char *out, pm_str_t a);

#endif /* PM_CORE_STRS_H */
