#include "output.h"

#include <string.h>

#include "error.h"
#include "events.h"
#include "lines.h"
#include "run.h"
#include "utf8.h"

static bool is_open(const pm__output_t *o) {
  return o->pipe.fd >= 0;
}

static bool is_heard(const pm__output_t *o, unsigned what) {
  return !o->run->over && (o->run->process->manager->listening & what);
}

static unsigned listen_flag(const pm__output_t *o) {
  return o->stream == PM_STDOUT ? PM_LISTEN_STDOUT : PM_LISTEN_STDERR;
}

static pm_encoding_t encoding_of(const pm__process_t *p) {
  return (pm_encoding_t)p->options.value[PM_OPT_ENCODING];
}

static void call_on_output(pm__output_t *o, const char *bytes, size_t len) {
  pm__process_t *p = o->run->process;
  if (len == 0) return;
  p->manager->callbacks.on_output(p->manager, p->id, o->stream, (pm_str_t){bytes, len}, encoding_of(p));
}

static void on_lines(void *arg, const pm_str_t *lines, size_t count) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  if (p->manager->closing) return;
  p->manager->callbacks.on_lines(p->manager, p->id, o->stream, lines, count, encoding_of(p));
}

/* bytes must have PM__READ_HEADROOM writable bytes before them. */
static void hand_out(pm__output_t *o, char *bytes, size_t len) {
  char *start = bytes - o->carried;
  memcpy(start, o->carry, o->carried);
  len += o->carried;
  o->carried = 0;
  if (encoding_of(o->run->process) == PM_ENCODING_UTF8) {
    o->carried = (unsigned)pm__utf8_incomplete(start, len);
    len -= o->carried;
    memcpy(o->carry, start + len, o->carried);
  }
  call_on_output(o, start, len);
}

/* The log first: a listener that asks for the logs finds what it is told of.
 * Listeners may close the manager, or take the last listener away. */
static void take(pm__output_t *o, char *bytes, size_t len) {
  pm__process_t *p = o->run->process;
  pm__lines_feed(&p->logs[o->stream], bytes, len, is_heard(o, PM_LISTEN_LINES) ? on_lines : NULL, o);
  if (p->manager->closing) return;
  if (is_heard(o, listen_flag(o)))
    hand_out(o, bytes, len);
  else
    o->carried = 0;
}

static void end_stream(pm__output_t *o) {
  pm__process_t *p = o->run->process;
  pm__lines_finish(&p->logs[o->stream], is_heard(o, PM_LISTEN_LINES) ? on_lines : NULL, o);
  unsigned rest = o->carried;
  o->carried = 0;
  /* A character that nothing completes any more: the decoder says so. */
  if (rest && !p->manager->closing && is_heard(o, listen_flag(o))) call_on_output(o, o->carry, rest);
}

/* Bytes taken; 0 when the stream has ended, UV_EAGAIN when it is empty. */
static ssize_t read_once(pm__output_t *o, size_t most) {
  char *buffer = o->run->process->manager->read_buffer + PM__READ_HEADROOM;
  ssize_t n = pm__pipe_read(&o->pipe, buffer, most < PM__READ_SIZE ? most : PM__READ_SIZE);
  if (n > 0) take(o, buffer, (size_t)n);
  return n == UV_EAGAIN ? n : n < 0 ? 0 : n;
}

static void on_readable(pm__pipe_t *pipe) {
  pm__output_t *o = pipe->data;
  pm_manager_t *m = o->run->process->manager;
  pm__events_deliver(m);
  if (m->closing || !is_open(o)) return;
  ssize_t n = read_once(o, PM__READ_SIZE);
  if (n == 0) {
    end_stream(o);
    pm__output_close(o);
  }
  pm__events_deliver(m);
}

/* The command runs, but nobody will hear it. */
static void report_unreadable(pm__output_t *o, int err) {
  pm_error_t error;
  pm__error_set(&error, err, NULL, "Error", "The %s of the command cannot be watched (%s) and was closed",
                o->stream == PM_STDOUT ? "stdout" : "stderr", uv_strerror(err));
  pm__fault_t *fault = pm__fault_new(&error);
  pm__events_add_fault(o->run->process, fault);
  pm__fault_unref(fault);
}

void pm__output_open(pm__output_t *o, pm__run_t *run, pm_stream_t stream, int fd) {
  o->run = run;
  o->stream = stream;
  o->pipe.data = o;
  pm__pipe_open(&o->pipe, &run->process->manager->poller, fd);
  pm__run_opened(run);
  int r = pm__pipe_watch_readable(&o->pipe, on_readable);
  if (r == 0) return;
  report_unreadable(o, r);
  pm__output_close(o);
}

void pm__output_finish(pm__output_t *o) {
  pm_manager_t *m = o->run->process->manager;
  size_t left = is_open(o) ? pm__pipe_available(&o->pipe) : 0;
  while (left > 0 && is_open(o)) {
    ssize_t n = read_once(o, left);
    if (m->closing) return;
    if (n <= 0) break;
    left -= (size_t)n;
  }
  end_stream(o);
  /* The usual case: no descendant holds it, and it need not be watched for that. */
  if (is_open(o) && pm__pipe_has_ended(&o->pipe)) pm__output_close(o);
}

void pm__output_linger(pm__output_t *o) {
  pm__output_unref(o);
}

static void on_pipe_closed(pm__pipe_t *pipe) {
  pm__output_t *o = pipe->data;
  pm__run_closed(o->run);
}

/* A line without its end must not become the beginning of another start's. */
void pm__output_close(pm__output_t *o) {
  if (!is_open(o)) return;
  pm__lines_finish(&o->run->process->logs[o->stream], NULL, NULL);
  pm__pipe_close(&o->pipe, on_pipe_closed);
}

void pm__output_ref(pm__output_t *o) {
  if (is_open(o)) pm__pipe_ref(&o->pipe);
}

void pm__output_unref(pm__output_t *o) {
  if (is_open(o)) pm__pipe_unref(&o->pipe);
}
