#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

int pm__pipe_open(uv_loop_t *loop, pm__pipe_t *pipe, int fd) {
  int r = uv_poll_init(loop, &pipe->poll, fd);
  if (r != 0) {
    close(fd);
    pipe->fd = -1;
    return r;
  }
  pipe->poll.data = pipe;
  pipe->fd = fd;
  return 0;
}

/* A status other than 0 (libuv says UV_EBADF for POLLERR: the reader of our
 * stdin pipe is gone) is found by the read or write itself. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  pm__pipe_t *pipe = poll->data;
  (void)status;
  (void)events;
  pipe->on_ready(pipe);
}

int pm__pipe_watch_readable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *)) {
  pipe->on_ready = on_ready;
  return uv_poll_start(&pipe->poll, UV_READABLE, on_poll);
}

int pm__pipe_watch_writable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *)) {
  pipe->on_ready = on_ready;
  return uv_poll_start(&pipe->poll, UV_WRITABLE, on_poll);
}

void pm__pipe_unwatch(pm__pipe_t *pipe) {
  uv_poll_stop(&pipe->poll);
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

ssize_t pm__pipe_write(pm__pipe_t *pipe, const char *bytes, size_t len) {
  ssize_t n;
  do {
    n = write(pipe->fd, bytes, len);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

void pm__pipe_ref(pm__pipe_t *pipe) {
  uv_ref((uv_handle_t *)&pipe->poll);
}

void pm__pipe_unref(pm__pipe_t *pipe) {
  uv_unref((uv_handle_t *)&pipe->poll);
}

static void on_handle_closed(uv_handle_t *handle) {
  pm__pipe_t *pipe = handle->data;
  pipe->on_close(pipe);
}

void pm__pipe_close(pm__pipe_t *pipe, void (*cb)(pm__pipe_t *)) {
  pipe->on_close = cb;
  uv_close((uv_handle_t *)&pipe->poll, on_handle_closed);
  /* uv_close has taken it off the loop already. */
  close(pipe->fd);
  pipe->fd = -1;
}
