/* Whether bytes are JSON, without making anything of it. */
#ifndef PM_CORE_JSON_H
#define PM_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Deeper structures than this are taken for no JSON. */
enum { PM__JSON_DEEPEST = 65536 };

/* Whether all of bytes[0..len) is one object or array as RFC 8259 has it, with
 * space around it. Bytes of 0x80 and more in strings are not looked into. */
bool pm__json_is_structure(const char *bytes, size_t len);

#endif /* PM_CORE_JSON_H */
