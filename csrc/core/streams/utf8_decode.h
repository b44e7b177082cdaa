/* Reading UTF-8 one character at a time, for the few short texts that the
 * engine itself looks into: ids, and what it quotes in messages. */
#ifndef PM_CORE_UTF8_DECODE_H
#define PM_CORE_UTF8_DECODE_H

#include <stddef.h>
#include <stdint.h>

/* The length (1 to 4) of the character that bytes[0..len) begins with, and its
 * *code_point. 0 when there is no valid and complete one: overlong forms,
 * surrogates and anything above U+10FFFF are invalid. */
size_t pm__utf8_decode(const char *bytes, size_t len, uint32_t *code_point);

#endif /* PM_CORE_UTF8_DECODE_H */
