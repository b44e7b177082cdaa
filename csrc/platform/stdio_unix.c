/* The pipes between host and command. Pipes, not socket pairs: a command can
 * open /dev/stdout, and many small writes cost less than half. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include "spawn_backend.h"

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void pm__stdio_close_child_ends(pm__stdio_t *io) {
  for (int i = 0; i < 3; i++)
    close_end(&io->child[i]);
}

void pm__stdio_close(pm__stdio_t *io) {
  pm__stdio_close_child_ends(io);
  for (int i = 0; i < 3; i++)
    close_end(&io->host[i]);
}

/* Only the host's end is non-blocking: the flag belongs to the open file, and a
 * pipe's two ends are two open files. uv_pipe creates both close-on-exec. */
static int open_pipe(int *read_end, int *write_end, bool host_reads) {
  uv_file fds[2];
  int r = uv_pipe(fds, host_reads ? UV_NONBLOCK_PIPE : 0, host_reads ? 0 : UV_NONBLOCK_PIPE);
  if (r != 0) return r;
  *read_end = fds[0];
  *write_end = fds[1];
  return 0;
}

int pm__stdio_open(pm__stdio_t *io, bool stdin_pipe, pm__spawn_failure_t *why) {
  *io = (pm__stdio_t){.host = {-1, -1, -1}, .child = {-1, -1, -1}};
  int r = 0;
  if (stdin_pipe) {
    r = open_pipe(&io->child[0], &io->host[0], false);
  } else {
    io->child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (io->child[0] < 0) return pm__spawn_fail(why, -errno, "open", "/dev/null");
  }
  for (int i = 1; i < 3 && r == 0; i++)
    r = open_pipe(&io->host[i], &io->child[i], true);
  if (r != 0) {
    pm__stdio_close(io);
    return pm__spawn_fail(why, r, "pipe2", NULL);
  }
  return 0;
}
