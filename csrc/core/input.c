#include "input.h"

#include <limits.h>
#include <string.h>

#include "alloc.h"
#include "error.h"
#include "events.h"
#include "run.h"

struct pm__chunk {
  pm__chunk_t *next;
  size_t len, written;
  char bytes[];
};

static bool is_open(const pm__input_t *in) {
  return in->pipe.fd >= 0;
}

static void on_pipe_closed(pm__pipe_t *pipe) {
  pm__input_t *in = pipe->data;
  pm__run_closed(in->run);
}

static void drop_first(pm__input_t *in) {
  pm__chunk_t *chunk = in->first;
  in->first = chunk->next;
  if (!in->first) in->last = NULL;
  pm__free(chunk);
}

void pm__input_abandon(pm__input_t *in) {
  if (!is_open(in)) return;
  while (in->first)
    drop_first(in);
  in->unsent += in->queued;
  in->queued = 0;
  pm__pipe_close(&in->pipe, on_pipe_closed);
}

/* What was meant for the command is lost, and that is said, unless it is being
 * stopped: then it is in the report of its end, as all that it left unread. */
static void lose(pm__input_t *in, int err, size_t lost) {
  pm__process_t *p = in->run->process;
  if (p->state != PM__STOPPING) {
    pm_error_t error;
    pm__error_set(&error, err, NULL, "Error", "Stdin of the command takes no more (%s); %zu bytes were not delivered",
                  uv_strerror(err), lost + in->queued);
    error.syscall = "write";
    pm__fault_t *fault = pm__fault_new(&error);
    pm__events_add_fault(p, fault);
    pm__fault_unref(fault);
  }
  in->unsent += lost;
  pm__input_abandon(in);
}

static void on_emptied(pm__input_t *in) {
  pm__pipe_unwatch(&in->pipe);
  if (in->drain_wanted) {
    in->drain_wanted = false;
    pm__events_add(in->run->process->manager, in->run->process, PM_EVENT_DRAIN);
  }
  if (in->end_pending) pm__input_abandon(in);
}

/* Written in one turn of the loop at most, so that a command that reads fast
 * cannot keep the loop to itself. */
enum { WRITE_BOUND = 256 * 1024 };

static void on_writable(pm__pipe_t *pipe) {
  pm__input_t *in = pipe->data;
  pm_manager_t *m = in->run->process->manager;
  pm__events_deliver(m);
  if (m->closing || !is_open(in)) return;
  for (size_t total = 0; in->first && total < WRITE_BOUND;) {
    pm__chunk_t *chunk = in->first;
    ssize_t n = pm__pipe_write(pipe, chunk->bytes + chunk->written, chunk->len - chunk->written);
    if (n == UV_EAGAIN) break;
    if (n < 0) {
      lose(in, (int)n, 0);
      break;
    }
    chunk->written += (size_t)n;
    in->queued -= (size_t)n;
    total += (size_t)n;
    if (chunk->written == chunk->len) drop_first(in);
  }
  if (is_open(in) && !in->first)
    on_emptied(in);
  else if (is_open(in))
    pm__pipe_watch_writable(pipe, on_writable);
  pm__events_deliver(m);
}

static void enqueue(pm__input_t *in, pm__chunk_t *chunk) {
  bool was_empty = !in->first;
  *(in->last ? &in->last->next : &in->first) = chunk;
  in->last = chunk;
  in->queued += chunk->len - chunk->written;
  int r = was_empty ? pm__pipe_watch_writable(&in->pipe, on_writable) : 0;
  /* It would wait for ever: better lost and said than that. */
  if (r != 0) lose(in, r, 0);
}

static pm__chunk_t *new_chunk(pm_str_t data) {
  pm__chunk_t *chunk = pm__malloc(sizeof(*chunk) + data.len);
  if (!chunk) return NULL;
  chunk->next = NULL;
  chunk->len = data.len;
  chunk->written = 0;
  memcpy(chunk->bytes, data.base, data.len);
  return chunk;
}

static int check(const pm__input_t *in, size_t len, pm_error_t *error) {
  double most = in->run->process->options.value[PM_OPT_MAX_STDIN_BYTES];
  if (!is_open(in) || in->end_pending)
    return pm__error_set(error, UV_EPIPE, "ERR_STDIN_CLOSED", "Error", "Stdin of the command is closed");
  if ((double)in->queued + (double)len > most)
    return pm__error_set(
        error, UV_ENOBUFS, "ERR_STDIN_FULL", "Error",
        "%zu bytes more would exceed maxStdinBytes (%.0f): %zu bytes wait already; nothing of them was "
        "taken, wait for 'drain'",
        len, most, in->queued);
  return 0;
}

/* What the pipe takes at once; negative when the reader is gone. */
static ssize_t write_now(pm__input_t *in, pm_str_t data) {
  if (in->first) return 0;
  ssize_t n = pm__pipe_write(&in->pipe, data.base, data.len);
  return n == UV_EAGAIN ? 0 : n;
}

/* When memory is short either all of data has been taken or nothing: a write of
 * up to PIPE_BUF bytes is never cut (pipe(7)), so that only a longer one needs
 * its chunk beforehand. */
int pm__input_write(pm__input_t *in, pm_str_t data, bool *ready, pm_error_t *error) {
  *ready = true;
  int r = check(in, data.len, error);
  if (r != 0 || data.len == 0) return r;

  bool may_be_cut = data.len > PIPE_BUF;
  pm__chunk_t *chunk = may_be_cut ? new_chunk(data) : NULL;
  if (may_be_cut && !chunk) return pm__error_no_memory(error);
  ssize_t n = write_now(in, data);
  if (n < 0 || (size_t)n == data.len) {
    pm__free(chunk);
    if (n < 0) lose(in, (int)n, data.len);
    return 0;
  }
  if (!chunk) chunk = new_chunk(data);
  if (!chunk) return pm__error_no_memory(error);
  chunk->written = (size_t)n;
  enqueue(in, chunk);
  *ready = (double)in->queued < in->run->process->options.value[PM_OPT_STDIN_HIGH_WATER_MARK];
  in->drain_wanted |= !*ready;
  return 0;
}

bool pm__input_end(pm__input_t *in) {
  in->end_pending = true;
  if (is_open(in) && !in->first) pm__input_abandon(in);
  return !is_open(in);
}

void pm__input_open(pm__input_t *in, pm__run_t *run, int fd) {
  in->run = run;
  in->pipe.data = in;
  in->pipe.fd = -1;
  if (fd < 0) return;
  pm__pipe_open(&in->pipe, &run->process->manager->poller, fd);
  pm__run_opened(run);
}

void pm__input_ref(pm__input_t *in) {
  if (is_open(in)) pm__pipe_ref(&in->pipe);
}

void pm__input_unref(pm__input_t *in) {
  if (is_open(in)) pm__pipe_unref(&in->pipe);
}
