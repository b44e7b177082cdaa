#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

void pm__pipe_open(pm__pipe_t *pipe, pm__poller_t *poller, int fd) {
  pipe->fd = fd;
  pipe->watch.data = pipe;
  pm__watch_init(&pipe->watch, poller, fd);
}

static void on_watch_ready(pm__watch_t *watch) {
  pm__pipe_t *pipe = watch->data;
  pipe->on_ready(pipe);
}

int pm__pipe_watch_readable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *)) {
  pipe->on_ready = on_ready;
  return pm__watch_start(&pipe->watch, PM__READABLE, on_watch_ready);
}

int pm__pipe_watch_writable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *)) {
  pipe->on_ready = on_ready;
  return pm__watch_start(&pipe->watch, PM__WRITABLE, on_watch_ready);
}

void pm__pipe_unwatch(pm__pipe_t *pipe) {
  pm__watch_stop(&pipe->watch);
}

bool pm__pipe_mute(pm__pipe_t *pipe) {
  return pm__watch_mute(&pipe->watch);
}

/* An unprivileged user's pipes share a bound (pipe-user-pages-soft in pipe(7)): who
 * has reached it does with what there is. */
void pm__pipe_grow(pm__pipe_t *pipe, size_t size) {
#ifdef F_SETPIPE_SZ
  int now = fcntl(pipe->fd, F_GETPIPE_SZ);
  if (now > 0 && (size_t)now < size) (void)fcntl(pipe->fd, F_SETPIPE_SZ, (int)(size < INT_MAX ? size : INT_MAX));
#else
  (void)pipe;
  (void)size;
#endif
}

ssize_t pm__pipe_read(pm__pipe_t *pipe, char *buffer, size_t size) {
  ssize_t n;
  do {
    n = read(pipe->fd, buffer, size);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

size_t pm__pipe_available(pm__pipe_t *pipe) {
  int n = 0;
  if (ioctl(pipe->fd, FIONREAD, &n) != 0 || n < 0) return 0;
  return (size_t)n;
}

bool pm__pipe_has_ended(pm__pipe_t *pipe) {
  struct pollfd fd = {.fd = pipe->fd, .events = POLLIN};
  return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) && !(fd.revents & POLLIN);
}

ssize_t pm__pipe_write(pm__pipe_t *pipe, const char *bytes, size_t len) {
  ssize_t n;
  do {
    n = write(pipe->fd, bytes, len);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

ssize_t pm__pipe_write_all(pm__pipe_t *pipe, const pm_str_t *parts, size_t count) {
  enum { MOST = 64 };
  struct iovec iov[MOST];
  ssize_t n;
  if (count > MOST) count = MOST;
  for (size_t i = 0; i < count; i++)
    iov[i] = (struct iovec){.iov_base = (void *)parts[i].base, .iov_len = parts[i].len};
  do {
    n = writev(pipe->fd, iov, (int)count);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

void pm__pipe_ref(pm__pipe_t *pipe) {
  pm__watch_ref(&pipe->watch);
}

void pm__pipe_unref(pm__pipe_t *pipe) {
  pm__watch_unref(&pipe->watch);
}

static void on_watch_closed(pm__watch_t *watch) {
  pm__pipe_t *pipe = watch->data;
  pipe->on_close(pipe);
}

void pm__pipe_close(pm__pipe_t *pipe, void (*cb)(pm__pipe_t *)) {
  pipe->on_close = cb;
  pm__watch_close(&pipe->watch, on_watch_closed);
  close(pipe->fd);
  pipe->fd = -1;
}
