/*
 * The portable backend, on uv_spawn. libuv forks (its cost grows with the host)
 * and execs by execvp(3), which hands a file without "#!" to /bin/sh, and it
 * lets through what is not close-on-exec; both are prevented here beforehand.
 * It has no hook for a parent-death signal.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "spawn_backend.h"

enum { UV_STDIO_COUNT = 3 };

/* Whether execve would take the file by itself: a binary or a "#!" script. */
static int check_format(int dir, const char *path) {
  static const char *const magic[] = {"\177ELF", "#!", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"};
  char head[4] = "";
  int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  /* Executable but not readable: it cannot be a script then. */
  if (fd < 0) return errno == EACCES ? 0 : -errno;
  ssize_t n = read(fd, head, sizeof(head));
  close(fd);
  for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
    size_t len = strlen(magic[i]);
    if (n >= (ssize_t)len && memcmp(head, magic[i], len) == 0) return 0;
  }
  return -ENOEXEC;
}

static int check_executable(int dir, const char *path) {
  struct stat st;
  if (fstatat(dir, path, &st, 0) != 0) return -errno;
  if (!S_ISREG(st.st_mode)) return -EACCES;
  if (faccessat(dir, path, X_OK, AT_EACCESS) != 0) return -errno;
  return check_format(dir, path);
}

/* The candidate that execve would run, relative ones as seen from dir. */
static int resolve(int dir, const pm__spawn_spec_t *spec, const char **file, pm__spawn_failure_t *why) {
  int result = -ENOENT;
  bool searching = spec->candidates[0] && spec->candidates[1];
  const char *decisive = spec->candidates[0];
  for (char *const *c = spec->candidates; *c; c++) {
    int r = check_executable(dir, *c);
    if (r == 0) {
      *file = *c;
      return 0;
    }
    if (searching && (r == -ENOENT || r == -ENOTDIR)) continue;
    if (r == -EACCES && result == -EACCES) continue;
    result = r;
    decisive = *c;
    if (r != -EACCES) break;
  }
  return pm__spawn_fail(why, result, "execve", decisive);
}

/* libuv reports one errno for chdir and exec alike: look at the directory
 * first, and at the file from there. */
static int examine(const pm__spawn_spec_t *spec, const char **file, pm__spawn_failure_t *why) {
  int dir = AT_FDCWD;
  if (spec->working_dir) {
    dir = open(spec->working_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return pm__spawn_fail(why, -errno, "chdir", spec->working_dir);
  }
  int r = resolve(dir, spec, file, why);
  if (dir >= 0) close(dir);
  return r;
}

/* Descriptors of the host that are not close-on-exec, hidden for the length of
 * a uv_spawn. Another thread that forks meanwhile would miss them too; that is
 * the price of a fork without a hook. */
typedef struct hidden {
  int *fds;
  size_t count, capacity;
} hidden_t;

static int hide(hidden_t *h, int fd) {
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0 || (flags & FD_CLOEXEC)) return 0;
  if (h->count == h->capacity) {
    size_t capacity = h->capacity ? h->capacity * 2 : 16;
    int *fds = pm__realloc(h->fds, capacity * sizeof(*fds));
    if (!fds) return UV_ENOMEM;
    h->fds = fds;
    h->capacity = capacity;
  }
  h->fds[h->count++] = fd;
  fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  return 0;
}

static int hide_descriptors(hidden_t *h, pm__spawn_failure_t *why) {
  DIR *dir = opendir("/dev/fd");
  if (!dir) return pm__spawn_fail(why, -errno, "opendir", "/dev/fd");
  const struct dirent *entry;
  int r = 0;
  while (r == 0 && (entry = readdir(dir))) {
    int fd = atoi(entry->d_name);
    if (fd > 2 && fd != dirfd(dir)) r = hide(h, fd);
  }
  closedir(dir);
  return r == 0 ? 0 : pm__spawn_fail(why, r, "malloc", NULL);
}

static void show_descriptors(hidden_t *h) {
  for (size_t i = 0; i < h->count; i++)
    fcntl(h->fds[i], F_SETFD, fcntl(h->fds[i], F_GETFD) & ~FD_CLOEXEC);
  pm__free(h->fds);
}

static void on_uv_exit(uv_process_t *process, int64_t status, int signum) {
  pm__child_t *child = process->data;
  child->ended = true;
  child->reaped = true;
  child->exit.signum = signum;
  child->exit.code = signum ? -1 : (int)status;
  child->on_exit(child);
}

static void free_handle(uv_handle_t *handle) {
  pm__free(handle);
}

/* uv_spawn reports one error for all that it does; which step it was is told
 * by the error, since the directory and the file have been looked at before. */
static int uv_spawn_failed(pm__spawn_failure_t *why, int err, const uv_process_options_t *options) {
  if (err == UV_EAGAIN || err == UV_ENOMEM) return pm__spawn_fail(why, err, "fork", NULL);
  if (err == UV_EMFILE || err == UV_ENFILE) return pm__spawn_fail(why, err, "pipe2", NULL);
  return pm__spawn_fail(why, err, "execve", options->file);
}

static int spawn_hidden(pm__spawner_t *s, const uv_process_options_t *options, pm__child_t *child,
                        pm__spawn_failure_t *why) {
  hidden_t hidden = {0};
  uv_process_t *process = pm__malloc(sizeof(*process));
  if (!process) return pm__spawn_fail(why, UV_ENOMEM, "malloc", NULL);
  int r = hide_descriptors(&hidden, why);
  if (r == 0) {
    r = uv_spawn(s->poller->loop, process, options);
    if (r != 0) {
      uv_spawn_failed(why, r, options);
      uv_close((uv_handle_t *)process, free_handle);
    }
  } else {
    pm__free(process);
  }
  show_descriptors(&hidden);
  if (r != 0) return r;
  process->data = child;
  child->process = process;
  child->pid = process->pid;
  return 0;
}

/* libuv has nothing to call before the exec, and after it is too late. */
static int refuse_limits(const pm__limits_t *limits, pm__spawn_failure_t *why) {
  for (int i = 0; limits && i < PM__LIMIT_COUNT; i++)
    if (limits->value[i] < INFINITY) return pm__spawn_fail(why, UV_ENOTSUP, "setrlimit", limits->name[i]);
  return limits && limits->nice != 0 ? pm__spawn_fail(why, UV_ENOTSUP, "setpriority", limits->nice_name) : 0;
}

static int portable_start(pm__spawner_t *s, const pm__spawn_spec_t *spec, pm__child_t *child,
                          pm__spawn_failure_t *why) {
  pm__stdio_t io;
  const char *file = NULL;
  int r = refuse_limits(spec->limits, why);
  if (r == 0) r = examine(spec, &file, why);
  if (r == 0) r = pm__stdio_open(&io, spec->stdin_pipe, why);
  if (r != 0) return r;

  uv_stdio_container_t stdio[UV_STDIO_COUNT];
  for (int i = 0; i < UV_STDIO_COUNT; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = io.child[i];
  }
  uv_process_options_t options = {.exit_cb = on_uv_exit,
                                  .file = file,
                                  .args = (char **)spec->argv,
                                  .env = (char **)spec->envp,
                                  .cwd = spec->working_dir,
                                  .flags = UV_PROCESS_DETACHED, /* setsid */
                                  .stdio_count = UV_STDIO_COUNT,
                                  .stdio = stdio};
  r = spawn_hidden(s, &options, child, why);
  if (r != 0) {
    pm__stdio_close(&io);
    return r;
  }
  pm__stdio_close_child_ends(&io);
  child->in = io.host[0];
  child->out = io.host[1];
  child->err = io.host[2];
  return 0;
}

static int portable_signal_group(pm__child_t *child, int signum) {
  return kill(-child->pid, signum) == 0 ? 0 : -errno;
}

const pm__spawn_backend_t pm__spawn_portable = {"uv_spawn", portable_start, portable_signal_group, NULL};
