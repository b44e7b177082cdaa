#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "proc_stat.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Holds any line: a name of 64 bytes, each escaped, and 51 numbers of at most
 * 20 digits. Fields that the kernel may add behind those are not read. */
enum { STAT_TEXT_MAX = 2048, PATH_TEXT_MAX = 32 };

/* Saturates: 64 bits of nanoseconds are 584 years. */
static uint64_t ticks_to_ns(uint64_t ticks, uint64_t per_second) {
  uint64_t seconds = ticks / per_second;
  uint64_t rest = ticks % per_second * NS_PER_SECOND / per_second;

  if (seconds > (UINT64_MAX - rest) / NS_PER_SECOND) return UINT64_MAX;
  return seconds * NS_PER_SECOND + rest;
}

static int open_read_only(const char *path) {
  int fd;

  do
    fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd == -1 && errno == EINTR);
  return fd;
}

int pm__metrics_open_file(const char *path, pm__metrics_source_t *out) {
  int fd = open_read_only(path);

  *out = PM__METRICS_SOURCE_INVALID;
  if (fd == -1) return errno == ENOENT ? UV_ESRCH : uv_translate_sys_error(errno);
  out->fd = fd;
  return 0;
}

static int open_of_process(int pid, const char *name, pm__metrics_source_t *out) {
  char path[PATH_TEXT_MAX];

  *out = PM__METRICS_SOURCE_INVALID;
  if (pid <= 0) return UV_ESRCH;
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return pm__metrics_open_file(path, out);
}

int pm__metrics_open(int pid, pm__metrics_source_t *out) {
  return open_of_process(pid, "stat", out);
}

/* At offset 0 the kernel makes the text anew and gives all of it at once. The length, or
 * a negative error. */
static int read_anew(pm__metrics_source_t source, char *text, size_t size) {
  ssize_t n;

  do
    n = pread(source.fd, text, size, 0);
  while (n == -1 && errno == EINTR);
  return n == -1 ? uv_translate_sys_error(errno) : (int)n;
}

static uint64_t pages_to_bytes(uint64_t pages) {
  /* glibc answers from the auxiliary vector, without a system call. */
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  return pages > UINT64_MAX / page ? UINT64_MAX : pages * page;
}

int pm__metrics_read(pm__metrics_source_t source, pm__usage_t *out) {
  char text[STAT_TEXT_MAX];
  pm__proc_stat_t stat;
  uint64_t per_second;
  int r, n = read_anew(source, text, sizeof text);

  if (n < 0) return n;
  r = pm__proc_stat_parse(text, (size_t)n, &stat);
  if (r < 0) return r;

  per_second = (uint64_t)sysconf(_SC_CLK_TCK);
  out->ppid = stat.ppid;
  out->lives = pm__proc_stat_lives(&stat);
  out->running = stat.state == 'R';
  out->threads = stat.threads;
  out->own = (pm__cpu_time_t){ticks_to_ns(stat.utime, per_second), ticks_to_ns(stat.stime, per_second)};
  out->waited = (pm__cpu_time_t){ticks_to_ns(stat.cutime, per_second), ticks_to_ns(stat.cstime, per_second)};
  out->start_time = ticks_to_ns(stat.start_time, per_second);
  out->memory = pages_to_bytes(stat.rss_pages);
  return 0;
}

pm__metrics_source_t pm__metrics_close(pm__metrics_source_t source) {
  /* Not tried again on EINTR: Linux has given the number back by then. */
  if (source.fd >= 0) close(source.fd);
  return PM__METRICS_SOURCE_INVALID;
}

unsigned pm__metrics_most_open(void) {
  enum { MOST = 8192, PART = 3 };
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur / PART < MOST ? (unsigned)(limit.rlim_cur / PART) : MOST;
}

int pm__metrics_open_runs(int pid, pm__metrics_source_t *out) {
  return open_of_process(pid, "schedstat", out);
}

/* Writes at most size bytes with the 0 at the end; the length or a negative error. */
static int read_text(pm__metrics_source_t source, char *text, size_t size) {
  int n = read_anew(source, text, size - 1);

  text[n < 0 ? 0 : n] = '\0';
  return n;
}

/* "139104870 45098 47": nanoseconds on a processor, which a tick adds up, nanoseconds waiting for
 * one, how often it got one. Zeros where the kernel does not keep them. The first and the last
 * only grow, and so does their sum. */
int pm__metrics_read_runs(pm__metrics_source_t source, uint64_t *out) {
  char text[3 * 21 + 1];
  char *end;
  uint64_t on_processor;
  int n = read_text(source, text, sizeof text);

  if (n < 0) return n;
  on_processor = strtoull(text, &end, 10);
  if (end == text || on_processor == 0) return UV_EINVAL;
  strtoull(end, &end, 10);
  *out = on_processor + strtoull(end, NULL, 10);
  return 0;
}

int pm__metrics_open_memory(int pid, pm__metrics_source_t *out) {
  return open_of_process(pid, "statm", out);
}

/* "2643 1014 850 5 0 372 0": all and resident pages come first (proc(5)). */
int pm__metrics_read_memory(pm__metrics_source_t source, uint64_t *out) {
  char text[8 * 21];
  char *resident, *end;
  uint64_t pages;
  int n = read_text(source, text, sizeof text);

  if (n < 0) return n;
  strtoull(text, &resident, 10);
  pages = strtoull(resident, &end, 10);
  if (end == resident) return UV_EINVAL;
  *out = pages_to_bytes(pages);
  return 0;
}

/* "0.20 0.18 0.12 1/80 11206" (proc(5)). */
uint64_t pm__metrics_last_pid(pm__starts_t *starts) {
  char text[128];
  const char *last;

  if (!starts->opened && pm__metrics_open_file("/proc/loadavg", &starts->source) != 0) return 0;
  starts->opened = true;
  if (read_text(starts->source, text, sizeof text) <= 0) return 0;
  last = strrchr(text, ' ');
  return last ? strtoull(last, NULL, 10) : 0;
}

void pm__metrics_close_starts(pm__starts_t *starts) {
  if (starts->opened) pm__metrics_close(starts->source);
  *starts = (pm__starts_t){false, PM__METRICS_SOURCE_INVALID};
}

uint64_t pm__metrics_now(void) {
  struct timespec ts;

  clock_gettime(CLOCK_BOOTTIME, &ts);
  return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}
