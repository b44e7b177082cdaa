#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "streams/utf8_decode.h"

/* About so many of a user's bytes are worth reading in a message. */
enum { QUOTED_BYTES = 60 };

/* Errors of starting a program that libuv has no name for. */
static const struct {
  int err;
  const char *name;
} unnamed_by_libuv[] = {
    {-ENOEXEC, "ENOEXEC"}, {-ECHILD, "ECHILD"}, {-ESTALE, "ESTALE"}, {-EBADMSG, "EBADMSG"}, {-EDQUOT, "EDQUOT"},
#ifdef ELIBBAD
    {-ELIBBAD, "ELIBBAD"},
#endif
#ifdef EUCLEAN
    {-EUCLEAN, "EUCLEAN"},
#endif
#ifdef ENOKEY
    {-ENOKEY, "ENOKEY"},
#endif
};

static const char *name_of(int err) {
  static const char unknown[] = "Unknown system error";
  char probe[64];
  for (size_t i = 0; i < sizeof(unnamed_by_libuv) / sizeof(unnamed_by_libuv[0]); i++) {
    if (unnamed_by_libuv[i].err == err) return unnamed_by_libuv[i].name;
  }
  /* uv_err_name leaks a string for each code that it does not know. */
  uv_err_name_r(err, probe, sizeof(probe));
  return strncmp(probe, unknown, sizeof(unknown) - 1) == 0 ? "UNKNOWN" : uv_err_name(err);
}

/* Copies as much of text as fits, without the beginning of a character that no
 * longer does: a message must stay text for JavaScript. */
static void copy_cut(char *out, size_t size, const char *text) {
  size_t len = strlen(text);
  if (size == 0) return;
  if (len >= size) {
    len = size - 1;
    for (int back = 0; back < 3 && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; back++)
      len--;
  }
  memcpy(out, text, len);
  out[len] = '\0';
}

int pm__error_set(pm_error_t *error, int err, const char *code, const char *kind, const char *format, ...) {
  if (error == NULL) return err;
  /* One byte more than the message, so that a cut one is seen to be cut. An
   * argument may be a part of *error, which is why it is not printed there. */
  char text[sizeof(error->message) + 1] = "";
  va_list args;
  va_start(args, format);
  int printed = vsnprintf(text, sizeof(text), format, args);
  va_end(args);

  memset(error, 0, sizeof(*error));
  error->err = err;
  error->code = code != NULL ? code : name_of(err);
  error->kind = kind;
  copy_cut(error->message, sizeof(error->message), printed < 0 ? error->code : text);
  return err;
}

/* What must not reach a terminal or a log as it is: C0 and C1 control
 * characters, and those that reorder or break the line of text around them. */
static bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* Prints one character, or one byte that belongs to none. Returns the end. */
static char *quote_one(char *out, const char *bytes, size_t len, bool plain) {
  static const char hex[] = "0123456789ABCDEF";
  if (plain) {
    if (*bytes == '"' || *bytes == '\\') *out++ = '\\';
    memcpy(out, bytes, len);
    return out + len;
  }
  for (size_t i = 0; i < len; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    *out++ = '\\';
    *out++ = 'x';
    *out++ = hex[byte >> 4];
    *out++ = hex[byte & 15];
  }
  return out;
}

const char *pm__error_quote(char *out, size_t size, pm_str_t text) {
  char quoted[PM__QUOTE_SIZE];
  char *end = quoted;
  size_t i = 0;
  if (text.base == NULL) {
    copy_cut(out, size, "nothing");
    return out;
  }
  *end++ = '"';
  while (i < text.len) {
    uint32_t c = 0;
    size_t len = pm__utf8_decode(text.base + i, text.len - i, &c);
    size_t width = len > 0 ? len : 1;
    if (i + width > QUOTED_BYTES) break;
    end = quote_one(end, text.base + i, width, len > 0 && !is_control(c));
    i += width;
  }
  size_t room = sizeof(quoted) - (size_t)(end - quoted);
  if (i < text.len) {
    snprintf(end, room, "…\" (%zu bytes)", text.len);
  } else {
    snprintf(end, room, "\"");
  }
  copy_cut(out, size, quoted);
  return out;
}

int pm__error_no_memory(pm_error_t *error) {
  return pm__error_set(error, UV_ENOMEM, NULL, "Error", "out of memory");
}
