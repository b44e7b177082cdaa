#define _GNU_SOURCE
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "metrics.h"

/* The file has twenty-odd lines of at most 30 bytes behind its first. */
enum { TEXT_MAX = 4096, KIB = 1024 };

static int open_at(int directory, const char *path, int flags) {
  int fd;
  do
    fd = openat(directory, path, O_RDONLY | O_CLOEXEC | flags);
  while (fd < 0 && errno == EINTR);
  return fd >= 0 ? fd : uv_translate_sys_error(errno);
}

static int check_start_time(int process, uint64_t start_time) {
  pm__usage_t usage;
  int fd = open_at(process, "stat", 0);
  if (fd < 0) return fd == UV_ENOENT ? UV_ESRCH : fd;
  int r = pm__metrics_read((pm__metrics_source_t){.fd = fd}, &usage);
  close(fd);
  return r == 0 && (usage.start_time != start_time || !usage.lives) ? UV_ESRCH : r;
}

/* Linux 4.14 and later: before, UV_ENOENT. UV_ESRCH, or an empty file: it is about to end, and
 * has given its memory back, or is at it, which takes a while if it has much
 * (show_smaps_rollup() of the kernel). It is no zombie until that is done. */
static int read_rollup(int process, uint64_t *out) {
  char text[TEXT_MAX];
  int fd = open_at(process, "smaps_rollup", 0);
  if (fd < 0) return fd;
  ssize_t n = read(fd, text, sizeof(text) - 1);
  int r = n < 0 ? uv_translate_sys_error(errno) : n == 0 ? UV_ESRCH : 0;
  close(fd);
  if (r != 0) return r;
  text[n] = '\0';
  const char *line = strstr(text, "\nPss:");
  *out = line ? strtoull(line + sizeof("\nPss:") - 1, NULL, 10) * KIB : 0;
  return 0;
}

/* All is read relative to the directory of the process, which is of that process for
 * good: of another one with its number it would tell nothing. */
int pm__share_read(int pid, uint64_t start_time, uint64_t *out) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d", pid);
  int process = open_at(AT_FDCWD, path, O_DIRECTORY);
  if (process < 0) return process == UV_ENOENT ? UV_ESRCH : process;
  int r = check_start_time(process, start_time);
  if (r == 0) r = read_rollup(process, out);
  /* A kernel that has no such file, or a process that has ended meanwhile. */
  if (r == UV_ENOENT) {
    r = check_start_time(process, start_time);
    if (r == 0) r = UV_ENOTSUP;
  }
  close(process);
  return r;
}
