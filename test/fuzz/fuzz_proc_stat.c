/*
 * The input is parsed as it is, and stands as the name in a line that must then
 * parse. What was parsed must say the same when it is written and parsed again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../../csrc/platform/proc_stat.h"

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) abort();                                                                                         \
  } while (0)

enum { NUMBERS_MAX = 512 };

static void check_equal(const pm__proc_stat_t *a, const pm__proc_stat_t *b) {
  CHECK(a->pid == b->pid && a->state == b->state && a->ppid == b->ppid);
  CHECK(a->pgrp == b->pgrp && a->session == b->session);
  CHECK(a->utime == b->utime && a->stime == b->stime && a->cutime == b->cutime && a->cstime == b->cstime);
  CHECK(a->threads == b->threads && a->start_time == b->start_time && a->rss_pages == b->rss_pages);
}

static void check_sane(const pm__proc_stat_t *s) {
  CHECK(s->pid > 0 && s->ppid >= 0 && s->pgrp >= -1 && s->session >= -1);
  CHECK((s->state >= 'A' && s->state <= 'Z') || (s->state >= 'a' && s->state <= 'z'));
}

/* Writes a line of s with that name, and parses it from a buffer that ends with
 * it. */
static void check_round_trip(const pm__proc_stat_t *s, const char *name, size_t name_len) {
  char head[32], numbers[NUMBERS_MAX];
  int head_len = snprintf(head, sizeof head, "%d (", s->pid);
  int numbers_len = snprintf(
      numbers, sizeof numbers, ") %c %d %d %d 0 -1 1 2 3 4 5 %llu %llu %llu %llu -8 9 %llu 0 %llu 11 %llu 12\n",
      s->state, s->ppid, s->pgrp, s->session, (unsigned long long)s->utime, (unsigned long long)s->stime,
      (unsigned long long)s->cutime, (unsigned long long)s->cstime, (unsigned long long)s->threads,
      (unsigned long long)s->start_time, (unsigned long long)s->rss_pages);
  size_t len = (size_t)head_len + name_len + (size_t)numbers_len;
  char *line = malloc(len);
  pm__proc_stat_t again;

  CHECK(line && numbers_len < NUMBERS_MAX);
  memcpy(line, head, (size_t)head_len);
  if (name_len > 0) memcpy(line + head_len, name, name_len);
  memcpy(line + head_len + name_len, numbers, (size_t)numbers_len);
  CHECK(pm__proc_stat_parse(line, len, &again) == 0);
  check_equal(s, &again);
  free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const pm__proc_stat_t usual = {42, 'S', 1, 42, 42, 250, 50, 7, 8, 3, 12345, 678};
  char *copy = malloc(size ? size : 1);
  pm__proc_stat_t out, untouched;
  int r;

  CHECK(copy);
  if (size > 0) memcpy(copy, data, size);
  memset(&out, 0x5a, sizeof out);
  memcpy(&untouched, &out, sizeof out);

  r = pm__proc_stat_parse(copy, size, &out);
  CHECK(size == 0 || memcmp(copy, data, size) == 0);
  if (r == 0) {
    check_sane(&out);
    check_round_trip(&out, copy, size);
  } else {
    CHECK(r == UV_EINVAL);
    CHECK(memcmp(&out, &untouched, sizeof out) == 0);
  }
  check_round_trip(&usual, copy, size);
  free(copy);
  return 0;
}
