#define _GNU_SOURCE /* memrchr */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "append_file.h"

enum { PATH_SIZE = 4096, SUFFIX_SIZE = 16 };

void pm__append_file_init(pm__append_file_t *f, char *path, uint64_t max_bytes, unsigned max_files) {
  *f = (pm__append_file_t){.path = path, .max_bytes = max_bytes, .max_files = max_files, .fd = -1};
}

void pm__append_file_close(pm__append_file_t *f) {
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
}

static int fail(const char **syscall, const char *name) {
  int err = errno;
  *syscall = name;
  return -err;
}

/* A host that was killed may have left a part of a line: what follows begins a new
 * one. */
static int end_line(pm__append_file_t *f, const char **syscall) {
  char last;
  if (f->size == 0) return 0;
  errno = EIO; /* if somebody cuts it at this moment, which is no error of the call's */
  if (pread(f->fd, &last, 1, (off_t)f->size - 1) != 1) return fail(syscall, "pread");
  if (last == '\n') return 0;
  if (write(f->fd, "\n", 1) != 1) return fail(syscall, "write");
  f->size++;
  return 0;
}

/* Readable by its owner alone: what servers write may hold secrets. */
static int open_file(pm__append_file_t *f, const char **syscall) {
  struct stat stat;
  if (f->fd >= 0) return 0;
  f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (f->fd < 0) return fail(syscall, "open");
  int r = fstat(f->fd, &stat) != 0 ? fail(syscall, "fstat") : 0;
  if (r == 0 && !S_ISREG(stat.st_mode)) {
    errno = S_ISDIR(stat.st_mode) ? EISDIR : EINVAL;
    r = fail(syscall, "open");
  }
  if (r != 0) {
    pm__append_file_close(f);
    return r;
  }
  f->size = (uint64_t)stat.st_size;
  f->is_in_line = false;
  r = end_line(f, syscall);
  if (r != 0) pm__append_file_close(f);
  return r;
}

/* path.2 becomes path.3, path.1 path.2, path path.1; one that is not there is no
 * failure. With a single file it is emptied.
 *
 * What is replaced is unlinked first: rename(2) of two names of one file (hard links)
 * succeeds and does nothing. */
static int rotate(pm__append_file_t *f, const char **syscall) {
  char from[PATH_SIZE + SUFFIX_SIZE];
  char to[PATH_SIZE + SUFFIX_SIZE];
  if (f->max_files == 1) {
    if (ftruncate(f->fd, 0) != 0) return fail(syscall, "ftruncate");
    f->size = 0;
    return 0;
  }
  for (unsigned n = f->max_files - 1; n > 0; n--) {
    snprintf(to, sizeof(to), "%s.%u", f->path, n);
    if (n > 1)
      snprintf(from, sizeof(from), "%s.%u", f->path, n - 1);
    else
      snprintf(from, sizeof(from), "%s", f->path);
    (void)unlink(to); /* if that fails for a reason that matters, rename fails, too */
    if (rename(from, to) != 0 && errno != ENOENT) return fail(syscall, "rename");
  }
  pm__append_file_close(f);
  return open_file(f, syscall);
}

static size_t line_len(const char *bytes, size_t len) {
  const char *end = memchr(bytes, '\n', len);
  return end ? (size_t)(end - bytes) + 1 : len;
}

/* How much of it fits before the file is full: whole lines, but at least one; what is
 * left of a line goes where its beginning is. */
static size_t fitting(const pm__append_file_t *f, const char *bytes, size_t len) {
  uint64_t room = f->max_bytes > f->size ? f->max_bytes - f->size : 0;
  if (len <= room) return len;
  const char *last = room > 0 ? memrchr(bytes, '\n', (size_t)room) : NULL;
  if (last) return (size_t)(last - bytes) + 1;
  if (f->size > 0 && !f->is_in_line) return 0;
  return line_len(bytes, len);
}

/* One rotation a line at most: somebody else may fill the file again at once. */
int pm__append_file_write(pm__append_file_t *f, const char *bytes, size_t len, size_t *written, const char **syscall) {
  int r = open_file(f, syscall);
  bool rotated = false;
  *written = 0;
  while (r == 0 && *written < len) {
    size_t part = fitting(f, bytes + *written, len - *written);
    if (part == 0 && !rotated) {
      r = rotate(f, syscall);
      rotated = true;
      continue;
    }
    if (part == 0) part = line_len(bytes + *written, len - *written);
    ssize_t n = write(f->fd, bytes + *written, part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(syscall, "write");
    rotated = false;
    *written += (size_t)n;
    f->size += (uint64_t)n;
    if (n > 0) f->is_in_line = bytes[*written - 1] != '\n';
  }
  return r;
}
