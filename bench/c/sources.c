#define _GNU_SOURCE
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

source_t *start_sources(int epoll, size_t count, size_t pipe_size, char **argv) {
  source_t *sources = calloc(count, sizeof(*sources));
  if (!sources) fail("calloc");
  for (size_t i = 0; i < count; i++) {
    child_t *c = &sources[i].child;
    start(c, BY_CLONE, argv);
    if (pipe_size > 0 && fcntl(c->end[1], F_SETPIPE_SZ, (int)pipe_size) < 0) fail("F_SETPIPE_SZ");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sources[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->end[1], &event) != 0) fail("epoll_ctl");
  }
  return sources;
}

static void append(line_t *l, const char *bytes, size_t length) {
  if (l->length + length > l->size) {
    l->size = 2 * (l->length + length);
    l->text = realloc(l->text, l->size);
    if (!l->text) fail("realloc");
  }
  memcpy(l->text + l->length, bytes, length);
  l->length += length;
}

static void take(source_t *s, const char *bytes, size_t length) {
  const char *end = bytes + length;
  s->bytes += length;
  while (bytes < end) {
    line_t *l = &s->ring[s->lines % RING_LINES];
    const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
    append(l, bytes, (size_t)((newline ? newline : end) - bytes));
    if (!newline) return;
    bytes = newline + 1;
    s->lines++;
    s->ring[s->lines % RING_LINES].length = 0;
  }
}

int read_source(int epoll, source_t *s) {
  static char bytes[READ_SIZE];
  ssize_t n = read(s->child.end[1], bytes, sizeof(bytes));
  if (n > 0) take(s, bytes, (size_t)n);
  if (n < 0 && errno != EAGAIN) fail("read");
  if (n != 0) return 1;
  if (epoll_ctl(epoll, EPOLL_CTL_DEL, s->child.end[1], NULL) != 0) fail("epoll_ctl");
  return 0;
}
