/*
 * A file that lines are appended to, rotated by size. Calls block: they belong into
 * a thread.
 */
#ifndef PM_PLATFORM_APPEND_FILE_H
#define PM_PLATFORM_APPEND_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pm__append_file {
  char *path;         /* the owner's */
  uint64_t max_bytes; /* then it becomes path.1 */
  unsigned max_files; /* path itself among them; the oldest goes */
  int fd;             /* -1 until the first write */
  uint64_t size;
  bool is_in_line; /* a write took only a part of the last line */
} pm__append_file_t;

void pm__append_file_init(pm__append_file_t *f, char *path, uint64_t max_bytes, unsigned max_files);

/* Appends lines; opens the file, and begins a new one between two lines where the
 * next would pass max_bytes. 0, or a negative UV_E* and the call that failed; *written
 * bytes are in the file then, and the rest may be tried again. */
int pm__append_file_write(pm__append_file_t *f, const char *bytes, size_t len, size_t *written, const char **syscall);

void pm__append_file_close(pm__append_file_t *f);

#endif /* PM_PLATFORM_APPEND_FILE_H */
