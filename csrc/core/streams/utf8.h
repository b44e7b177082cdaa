/*
 * The one thing about UTF-8 that a chunk's border needs: how many bytes at its
 * end are the beginning of a character that later bytes may still complete.
 * Everything else (what is invalid, U+FFFD) is left to the decoder of the host.
 */
#ifndef PM_CORE_UTF8_H
#define PM_CORE_UTF8_H

#include <stddef.h>

/* 0 to 3: bytes at the end of bytes[0..len) that are a proper prefix of a valid
 * character by table 3-7 of the Unicode standard. A prefix that no byte can
 * complete (C0, E0 80, ED A0, F4 90, F5…) counts as 0: it is invalid already. */
size_t pm__utf8_incomplete(const char *bytes, size_t len);

#endif /* PM_CORE_UTF8_H */
