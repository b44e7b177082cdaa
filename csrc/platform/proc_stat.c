#include "proc_stat.h"

#include <limits.h>
#include <stdbool.h>
#include <uv.h>

/* Numbers of the fields as proc(5) counts them. */
enum {
  FIELD_PPID = 4,
  FIELD_PGRP,
  FIELD_SESSION,
  FIELD_UTIME = 14,
  FIELD_STIME,
  FIELD_CUTIME,
  FIELD_CSTIME,
  FIELD_THREADS = 20,
  FIELD_START_TIME = 22,
  FIELD_RSS = 24
};

typedef struct cursor {
  const char *at;
  const char *end;
} cursor_t;

typedef struct number {
  bool negative;
  uint64_t value;
} number_t;

static bool take(cursor_t *c, char wanted) {
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

/* Takes an optional '-' and at least one digit; no value beyond 64 bits. */
static bool take_number(cursor_t *c, number_t *out) {
  const char *first;
  uint64_t value = 0;

  out->negative = take(c, '-');
  for (first = c->at; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
    unsigned digit = (unsigned)(*c->at - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  out->value = value;
  return c->at > first;
}

static bool to_unsigned(number_t n, uint64_t *out) {
  *out = n.value;
  return !n.negative;
}

/* Of what the kernel prints as signed although it is a count. */
static uint64_t to_count(number_t n) {
  return n.negative ? 0 : n.value;
}

static bool to_int(number_t n, int min, int *out) {
  if (n.value > INT_MAX) return false;
  *out = n.negative ? -(int)n.value : (int)n.value;
  return *out >= min;
}

/* Takes "PID (NAME) S". No field after the name can hold a ')', so the last one
 * of the text ends the name, whatever the process calls itself. */
static bool take_head(cursor_t *c, pm__proc_stat_t *out) {
  const char *close = c->end;
  number_t pid;

  if (!take_number(c, &pid) || !to_int(pid, 1, &out->pid)) return false;
  if (!take(c, ' ') || !take(c, '(')) return false;
  while (close > c->at && close[-1] != ')')
    close--;
  if (close == c->at) return false;

  c->at = close;
  if (!take(c, ' ') || c->at == c->end) return false;
  /* Kernels have added states and taken some away: any letter will do. */
  out->state = *c->at++;
  return (out->state >= 'A' && out->state <= 'Z') || (out->state >= 'a' && out->state <= 'z');
}

/* Takes the numbers up to the last one wanted. It must be followed by
 * something: digits that end with the text may have been cut. */
static bool take_fields(cursor_t *c, number_t fields[FIELD_RSS + 1]) {
  for (int i = FIELD_PPID; i <= FIELD_RSS; i++)
    if (!take(c, ' ') || !take_number(c, &fields[i])) return false;
  return take(c, ' ') || take(c, '\n');
}

int pm__proc_stat_parse(const char *text, size_t len, pm__proc_stat_t *out) {
  cursor_t c;
  number_t fields[FIELD_RSS + 1];
  pm__proc_stat_t stat;

  if (len == 0) return UV_EINVAL; /* text may be NULL */
  c = (cursor_t){text, text + len};
  if (!take_head(&c, &stat) || !take_fields(&c, fields)) return UV_EINVAL;

  /* The kernel says -1 for the group and the session of a process that is being
   * reaped at this moment. */
  if (!to_int(fields[FIELD_PPID], 0, &stat.ppid)) return UV_EINVAL;
  if (!to_int(fields[FIELD_PGRP], -1, &stat.pgrp)) return UV_EINVAL;
  if (!to_int(fields[FIELD_SESSION], -1, &stat.session)) return UV_EINVAL;
  if (!to_unsigned(fields[FIELD_UTIME], &stat.utime)) return UV_EINVAL;
  if (!to_unsigned(fields[FIELD_STIME], &stat.stime)) return UV_EINVAL;
  if (!to_unsigned(fields[FIELD_THREADS], &stat.threads)) return UV_EINVAL;
  if (!to_unsigned(fields[FIELD_START_TIME], &stat.start_time)) return UV_EINVAL;

  stat.cutime = to_count(fields[FIELD_CUTIME]);
  stat.cstime = to_count(fields[FIELD_CSTIME]);
  /* Counters kept per processor can add up to less than nothing for a moment. */
  stat.rss_pages = to_count(fields[FIELD_RSS]);
  *out = stat;
  return 0;
}

bool pm__proc_stat_lives(const pm__proc_stat_t *stat) {
  return (stat->state != 'Z' && stat->state != 'X') || stat->threads > 1;
}
