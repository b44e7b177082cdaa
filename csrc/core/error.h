/* Filling pm_error_t. */
#ifndef PM_CORE_ERROR_H
#define PM_CORE_ERROR_H

#include "../pm.h"

/* Sets *error to a clean state with err, code, kind and a printf message, and
 * returns err. code and kind must be string literals; code NULL means
 * uv_err_name(err). error may be NULL. */
int pm__error_set(pm_error_t *error, int err, const char *code, const char *kind, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 6)))
#endif
    ;

/* Enough for whatever pm__error_quote prints. */
enum { PM__QUOTE_SIZE = 320 };

/* Prints a user's bytes for a message: quoted, control characters and bytes
 * that are no UTF-8 as \xNN, cut to about 60 bytes with "…" and the length.
 * "nothing" when text is not given. Always terminated; a smaller buffer gets what
 * fits. Returns out. */
const char *pm__error_quote(char *out, size_t size, pm_str_t text);

/* Out of memory. Returns UV_ENOMEM. */
int pm__error_no_memory(pm_error_t *error);

#endif /* PM_CORE_ERROR_H */
