#include "input.h"

#include <limits.h>
#include <string.h>

#include "../alloc.h"
#include "../error.h"
#include "../events.h"
#include "../run.h"

struct pm__chunk {
  pm__chunk_t *next;
  size_t len, written, capacity;
  char bytes[];
};

static bool is_open(const pm__input_t *in) {
  return in->pipe.fd >= 0;
}

static void on_pipe_closed(pm__pipe_t *pipe) {
  pm__input_t *in = pipe->data;
  pm__run_closed(in->run);
}

static void flush_no_more(pm__input_t *in);

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
  flush_no_more(in);
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
enum { WRITE_BOUND = 256 * 1024, MOST_PARTS = 64 };

/* When more than that waits, a larger pipe saves turns. */
enum { GROW_FROM = 64 * 1024 };

static void take_off(pm__input_t *in, size_t n) {
  in->queued -= n;
  while (n > 0) {
    pm__chunk_t *chunk = in->first;
    size_t part = chunk->len - chunk->written < n ? chunk->len - chunk->written : n;
    chunk->written += part;
    n -= part;
    if (chunk->written == chunk->len) drop_first(in);
  }
}

/* One system call for what waits, most bytes of it. Bytes written, or an error. */
static ssize_t write_queue(pm__input_t *in, size_t most) {
  pm_str_t parts[MOST_PARTS];
  size_t count = 0;
  for (const pm__chunk_t *chunk = in->first; chunk && count < MOST_PARTS && most > 0; chunk = chunk->next) {
    size_t len = chunk->len - chunk->written;
    if (len > most) len = most;
    parts[count++] = (pm_str_t){chunk->bytes + chunk->written, len};
    most -= len;
  }
  ssize_t n = pm__pipe_write_all(&in->pipe, parts, count);
  if (n > 0) take_off(in, (size_t)n);
  return n;
}

static void on_writable(pm__pipe_t *pipe);

/* Writes what the pipe takes; the rest waits for room. */
static void write_waiting(pm__input_t *in) {
  for (size_t total = 0; in->first && total < WRITE_BOUND;) {
    ssize_t n = write_queue(in, WRITE_BOUND - total);
    if (n == UV_EAGAIN) break;
    if (n < 0) {
      lose(in, (int)n, 0);
      return;
    }
    total += (size_t)n;
  }
  if (!in->first) {
    on_emptied(in);
    return;
  }
  if (in->queued > GROW_FROM && !in->grown) {
    in->grown = true;
    pm__pipe_grow(&in->pipe, (size_t)in->run->process->options.value[PM_OPT_PIPE_SIZE]);
  }
  int r = pm__pipe_watch_writable(&in->pipe, on_writable);
  /* It would wait for ever: better lost and said than that. */
  if (r != 0) lose(in, r, 0);
}

static void on_writable(pm__pipe_t *pipe) {
  pm__input_t *in = pipe->data;
  pm_manager_t *m = in->run->process->manager;
  pm__events_deliver(m);
  if (m->closing || !is_open(in)) return;
  write_waiting(in);
  pm__events_deliver(m);
}

static void append(pm__input_t *in, pm__chunk_t *chunk) {
  *(in->last ? &in->last->next : &in->first) = chunk;
  in->last = chunk;
  in->queued += chunk->len - chunk->written;
}

static void enqueue(pm__input_t *in, pm__chunk_t *chunk) {
  bool was_empty = !in->first;
  append(in, chunk);
  int r = was_empty ? pm__pipe_watch_writable(&in->pipe, on_writable) : 0;
  if (r != 0) lose(in, r, 0);
}

static pm__chunk_t *empty_chunk(size_t capacity) {
  pm__chunk_t *chunk = pm__malloc(sizeof(*chunk) + capacity);
  if (chunk) *chunk = (pm__chunk_t){.capacity = capacity};
  return chunk;
}

static void fill(pm__chunk_t *chunk, pm_str_t data) {
  memcpy(chunk->bytes + chunk->len, data.base, data.len);
  chunk->len += data.len;
}

static pm__chunk_t *new_chunk(pm_str_t data) {
  pm__chunk_t *chunk = empty_chunk(data.len);
  if (chunk) fill(chunk, data);
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

/* Small pieces share a chunk of so many bytes. */
enum { SHARED_CHUNK = 16 * 1024 };

/* Puts a piece behind what waits: into the last chunk, if that has room for all of it,
 * else into a new one. False when there is no memory for it. */
static bool put_behind(pm__input_t *in, pm_str_t data, pm_str_t end) {
  size_t len = data.len + end.len;
  pm__chunk_t *chunk = in->last;
  if (!chunk || chunk->capacity - chunk->len < len) {
    chunk = empty_chunk(len < SHARED_CHUNK / 4 ? SHARED_CHUNK : len);
    if (!chunk) return false;
    append(in, chunk);
  }
  fill(chunk, data);
  fill(chunk, end);
  in->queued += len;
  return true;
}

static bool is_ready(pm__input_t *in) {
  bool ready = (double)in->queued < in->run->process->options.value[PM_OPT_STDIN_HIGH_WATER_MARK];
  in->drain_wanted |= !ready;
  return ready;
}

/* When memory is short either all of data has been taken or nothing: a write of
 * up to PIPE_BUF bytes is never cut (pipe(7)), so that only a longer one needs
 * its chunk beforehand. */
static int write_first(pm__input_t *in, pm_str_t data, pm_error_t *error) {
  bool may_be_cut = data.len > PIPE_BUF;
  pm__chunk_t *chunk = may_be_cut ? new_chunk(data) : NULL;
  if (may_be_cut && !chunk) return pm__error_no_memory(error);
  ssize_t n = pm__pipe_write(&in->pipe, data.base, data.len);
  if (n == UV_EAGAIN) n = 0;
  if (n < 0 || (size_t)n == data.len) {
    pm__free(chunk);
    if (n < 0) lose(in, (int)n, data.len);
    return 0;
  }
  if (!chunk) chunk = new_chunk(data);
  if (!chunk) return pm__error_no_memory(error);
  chunk->written = (size_t)n;
  enqueue(in, chunk);
  return 0;
}

int pm__input_write(pm__input_t *in, pm_str_t data, bool *ready, pm_error_t *error) {
  *ready = true;
  int r = check(in, data.len, error);
  if (r != 0 || data.len == 0) return r;
  if (!in->first)
    r = write_first(in, data, error);
  else if (!put_behind(in, data, (pm_str_t){"", 0}))
    r = pm__error_no_memory(error);
  if (r == 0 && in->first) *ready = is_ready(in);
  return r;
}

/* ---- messages ------------------------------------------------------------------- */

static void flush_later(pm__input_t *in) {
  pm_manager_t *m = in->run->process->manager;
  if (in->flush_due) return;
  in->flush_due = true;
  in->flush_next = m->flushes;
  m->flushes = in;
}

static void flush_no_more(pm__input_t *in) {
  if (!in->flush_due) return;
  pm__input_t **at = &in->run->process->manager->flushes;
  while (*at != in)
    at = &(*at)->flush_next;
  *at = in->flush_next;
  in->flush_due = in->write_due = false;
}

static void write_later(pm__input_t *in) {
  in->write_due = true;
  flush_later(in);
}

/* Who has one request outstanding waits for its way there and back: such a message is
 * written at once. Who sends several in a turn is better off with one write for all. So
 * a message goes at once when those of the last turns with messages were alone in them;
 * one turn of several is believed at once. */
enum { SURELY_ALONE = 2 };

static bool goes_at_once(const pm__input_t *in) {
  return !in->first && in->sent == 0 && in->alone == SURELY_ALONE;
}

static void end_turn(pm__input_t *in) {
  if (in->sent > 1)
    in->alone = 0;
  else if (in->sent == 1 && in->alone < SURELY_ALONE)
    in->alone++;
  in->sent = 0;
}

int pm__input_send(pm__input_t *in, pm_str_t message, bool *ready, pm_error_t *error) {
  *ready = true;
  size_t len = message.len + 1;
  int r = check(in, len, error);
  if (r != 0) return r;
  if (memchr(message.base, '\n', message.len))
    return pm__error_set(error, UV_EINVAL, "ERR_INVALID_MESSAGE", "TypeError",
                         "message must be one line, without a line end in it");
  bool at_once = goes_at_once(in);
  bool was_empty = !in->first;
  if (!put_behind(in, message, (pm_str_t){"\n", 1})) return pm__error_no_memory(error);
  if (in->sent < UINT_MAX) in->sent++;
  flush_later(in);
  if (at_once)
    write_waiting(in);
  else if (was_empty)
    write_later(in);
  if (in->first) *ready = is_ready(in);
  return 0;
}

void pm__inputs_flush(pm_manager_t *m) {
  while (m->flushes) {
    pm__input_t *in = m->flushes;
    /* Without memory for what it may have to tell it goes by way of the loop. */
    bool may_tell = pm__events_reserve(m, PM__EVENTS_PER_CALL) == 0;
    bool write_due = in->write_due;
    flush_no_more(in);
    end_turn(in);
    if (!write_due) continue;
    if (may_tell)
      write_waiting(in);
    else if (pm__pipe_watch_writable(&in->pipe, on_writable) != 0)
      write_later(in);
    if (!may_tell) break;
  }
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
  in->alone = SURELY_ALONE;
  pm__pipe_open(&in->pipe, &run->process->manager->poller, fd);
  pm__run_opened(run);
}

void pm__input_ref(pm__input_t *in) {
  if (is_open(in)) pm__pipe_ref(&in->pipe);
}

void pm__input_unref(pm__input_t *in) {
  if (is_open(in)) pm__pipe_unref(&in->pipe);
}
