#define _GNU_SOURCE
#include "details.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "metrics.h"

enum { TEXT_MAX = 8192, KIB = 1024 };

/* All is read relative to the directory of the process, which is of that process for
 * good: of another one with its number it would tell nothing. */
static int open_at(int directory, const char *path, int flags) {
  int fd;
  do
    fd = openat(directory, path, O_RDONLY | O_CLOEXEC | flags);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/* Terminated; false if there is nothing to be had. */
static bool read_text(int directory, const char *path, char text[TEXT_MAX]) {
  size_t len = 0;
  ssize_t n = 0;
  int fd = open_at(directory, path, 0);
  if (fd < 0) return false;
  while (len < TEXT_MAX - 1 && (n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
    len += (size_t)n;
  close(fd);
  text[len] = '\0';
  return n >= 0 && len > 0;
}

/* The number behind "NAME:" at the beginning of a line, or -1. No other line can look
 * so: newlines in names are escaped. */
static int64_t number_of(const char *text, const char *name) {
  size_t len = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, name, len) == 0 && line[len] == ':') return strtoll(line + len + 1, NULL, 10);
  }
  return -1;
}

static int64_t kib(int64_t n) {
  return n < 0 ? -1 : n * KIB;
}

/* The size of the directory says so, or (before Linux 6.2) its entries. */
static int64_t count_descriptors(int process) {
  struct stat info;
  int64_t count = 0;
  int fd = open_at(process, "fd", O_DIRECTORY);
  if (fd < 0) return -1;
  if (fstat(fd, &info) == 0 && info.st_size > 0) {
    close(fd);
    return info.st_size;
  }
  DIR *entries = fdopendir(fd);
  if (!entries) {
    close(fd);
    return -1;
  }
  for (const struct dirent *entry; (entry = readdir(entries));)
    count += entry->d_name[0] != '.';
  closedir(entries);
  return count;
}

static void add_switches(const char *status, pm__details_t *out) {
  int64_t voluntary = number_of(status, "voluntary_ctxt_switches");
  int64_t involuntary = number_of(status, "nonvoluntary_ctxt_switches");
  if (voluntary > 0) out->voluntary += voluntary;
  if (involuntary > 0) out->involuntary += involuntary;
}

/* The file of a process tells of its first thread only. */
static void add_switches_of_threads(int process, pm__details_t *out) {
  char text[TEXT_MAX], path[sizeof((struct dirent *)0)->d_name + 16];
  int fd = open_at(process, "task", O_DIRECTORY);
  DIR *threads = fd < 0 ? NULL : fdopendir(fd);
  if (!threads) {
    if (fd >= 0) close(fd);
    out->voluntary = out->involuntary = -1;
    return;
  }
  for (const struct dirent *entry; (entry = readdir(threads));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof(path), "task/%s/status", entry->d_name);
    if (read_text(process, path, text)) add_switches(text, out);
  }
  closedir(threads);
}

static void read_all(int process, bool pss, pm__details_t *out) {
  char text[TEXT_MAX];
  *out = (pm__details_t){-1, -1, -1, -1, -1, -1, -1};
  if (read_text(process, "status", text)) {
    out->peak = kib(number_of(text, "VmHWM"));
    out->voluntary = out->involuntary = 0;
    if (number_of(text, "Threads") > 1)
      add_switches_of_threads(process, out);
    else
      add_switches(text, out);
  }
  if (read_text(process, "io", text)) {
    out->read = number_of(text, "read_bytes");
    out->written = number_of(text, "write_bytes");
  }
  out->descriptors = count_descriptors(process);
  if (pss && read_text(process, "smaps_rollup", text)) out->pss = kib(number_of(text, "Pss"));
}

static int check_start_time(int process, uint64_t start_time) {
  pm__usage_t usage;
  pm__metrics_source_t source = {.fd = open_at(process, "stat", 0)};
  if (source.fd < 0) return errno == ENOENT ? UV_ESRCH : uv_translate_sys_error(errno);
  int r = pm__metrics_read(source, &usage);
  pm__metrics_close(source);
  return r == 0 && (usage.start_time != start_time || !usage.lives) ? UV_ESRCH : r;
}

int pm__details_read(int pid, uint64_t start_time, bool pss, pm__details_t *out) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d", pid);
  int process = open_at(AT_FDCWD, path, O_DIRECTORY);
  if (process < 0) return errno == ENOENT ? UV_ESRCH : uv_translate_sys_error(errno);
  int r = check_start_time(process, start_time);
  if (r == 0) {
    read_all(process, pss, out);
    /* What ended meanwhile has told nothing, which does not mean that it may not be asked. */
    r = check_start_time(process, start_time);
  }
  close(process);
  return r;
}
