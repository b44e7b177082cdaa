/* Sends lines of SIZE bytes to a child that echoes them, WINDOW outstanding, and
 * looks for their ends in what comes back; no JSON. What one read has brought
 * back is sent again by one write.
 * Usage: limit-messages SIZE WINDOW WARMUP COUNT CHILD */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limit.h"

enum { READ_SIZE = 64 * 1024 };

typedef struct talk {
  int in, out;
  size_t size, window;
  char *lines; /* as many as may be outstanding */
  char *buffer;
  size_t unsent; /* bytes of what has been handed out that no write has taken */
  size_t held;   /* bytes of a line whose end has not come */
  size_t sent, received;
  double *times; /* when each message was sent, then how long it took */
} talk_t;

/* Hands out so many more messages, as far as the child takes them now. */
static void send_lines(talk_t *t, size_t count) {
  double now = count > 0 ? now_us() : 0;
  for (size_t i = 0; i < count; i++)
    t->times[t->sent++] = now;
  t->unsent += count * t->size;
  while (t->unsent > 0) {
    size_t at = (t->size - t->unsent % t->size) % t->size;
    size_t most = t->window * t->size - at;
    ssize_t n = write(t->in, t->lines + at, t->unsent < most ? t->unsent : most);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("write");
    t->unsent -= (size_t)n;
  }
}

/* Returns how many lines have ended. */
static size_t receive(talk_t *t) {
  ssize_t n = read(t->out, t->buffer + t->held, READ_SIZE);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) fail("read");
  char *from = t->buffer, *search = t->buffer + t->held, *end = search + n, *newline;
  size_t count = 0;
  double now = now_us();
  for (; (newline = memchr(search, '\n', (size_t)(end - search))); from = search = newline + 1) {
    if ((size_t)(newline + 1 - from) != t->size) fail("a line of another size");
    t->times[t->received] = now - t->times[t->received];
    t->received++;
    count++;
  }
  t->held = (size_t)(end - from);
  if (from != t->buffer) memmove(t->buffer, from, t->held);
  return count;
}

static void exchange(talk_t *t, size_t count) {
  t->sent = t->received = 0;
  send_lines(t, count < t->window ? count : t->window);
  while (t->received < count) {
    struct pollfd ends[] = {{.fd = t->out, .events = POLLIN}, {.fd = t->in, .events = t->unsent > 0 ? POLLOUT : 0}};
    if (poll(ends, 2, -1) < 0) fail("poll");
    size_t more = ends[0].revents ? receive(t) : 0;
    send_lines(t, more < count - t->sent ? more : count - t->sent);
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  talk_t t = {.size = strtoul(argv[1], NULL, 10), .window = strtoul(argv[2], NULL, 10)};
  size_t warmup = strtoul(argv[3], NULL, 10), count = strtoul(argv[4], NULL, 10);
  if (t.size == 0 || t.window == 0 || count == 0) return 2;
  t.lines = malloc(t.window * t.size);
  t.buffer = malloc(t.size + READ_SIZE);
  t.times = calloc(warmup > count ? warmup : count, sizeof(*t.times));
  if (!t.lines || !t.buffer || !t.times) fail("malloc");
  memset(t.lines, 'x', t.window * t.size);
  for (size_t i = 1; i <= t.window; i++)
    t.lines[i * t.size - 1] = '\n';

  char *child[] = {argv[5], NULL};
  child_t c;
  start(&c, BY_CLONE, child);
  t.in = c.end[0];
  t.out = c.end[1];
  exchange(&t, warmup);
  double cpu = cpu_us(), begin = now_us();
  exchange(&t, count);
  double wall = now_us() - begin;
  cpu = cpu_us() - cpu;
  close(c.end[0]);
  c.end[0] = -1;
  if (finish(&c) != 0) fail("echo");
  printf("{\"rate\":%.1f,\"p50\":%.2f,\"p99\":%.2f,\"cpu\":%.3f}\n", (double)count * 1e6 / wall,
         percentile(t.times, count, 0.5), percentile(t.times, count, 0.99), cpu / (double)count);
  return 0;
}
