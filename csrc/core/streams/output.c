#include "output.h"

#include <string.h>

#include "../error.h"
#include "../events.h"
#include "../logs/log_file.h"
#include "../process.h"
#include "../run.h"
#include "lines.h"
#include "pacer.h"
#include "utf8.h"

/* Bytes; a stream whose lines are not longer on the average has short ones. */
enum { SHORT_LINE = 16 };

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

static bool is_logged(const pm__output_t *o) {
  const double *option = o->run->process->options.value;
  return o->stream != PM_STDOUT || option[PM_OPT_MESSAGES] == PM_MESSAGES_NONE || option[PM_OPT_LOG_MESSAGES] != 0;
}

/* ---- lines ------------------------------------------------------------------------ */

static void on_lines(void *arg, const pm_str_t *lines, size_t count) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  if (p->manager->closing) return;
  if (p->log_file) pm__log_file_add(p->log_file, o->stream, p->logs[o->stream].time, lines, count);
  if (is_heard(o, PM_LISTEN_LINES))
    p->manager->callbacks.on_lines(p->manager, p->id, o->stream, lines, count, encoding_of(p));
}

static pm__lines_cb lines_cb(const pm__output_t *o) {
  return is_heard(o, PM_LISTEN_LINES) || o->run->process->log_file ? on_lines : NULL;
}

/* What is logged from now on was read now, and belongs to this start. */
static pm__log_ring_t *stamped_log(pm__output_t *o) {
  pm__log_ring_t *log = &o->run->process->logs[o->stream];
  log->time = pm__wall_clock();
  log->start = o->run->number;
  return log;
}

static void tell_of_log(pm__process_t *p, uint64_t seq_before) {
  if (p->last_seq != seq_before) pm__process_tell_log_watcher(p);
}

static void log_bytes(pm__output_t *o, const char *bytes, size_t len) {
  uint64_t seq = o->run->process->last_seq;
  pm__lines_feed(stamped_log(o), bytes, len, lines_cb(o), o);
  tell_of_log(o->run->process, seq);
}

static void log_lines(pm__output_t *o, const pm_str_t *lines, size_t count) {
  uint64_t seq = o->run->process->last_seq;
  pm__lines_add(stamped_log(o), lines, count, lines_cb(o), o);
  tell_of_log(o->run->process, seq);
}

static void log_end(pm__output_t *o) {
  uint64_t seq = o->run->process->last_seq;
  pm__lines_finish(stamped_log(o), lines_cb(o), o);
  tell_of_log(o->run->process, seq);
}

/* ---- messages --------------------------------------------------------------------- */

static void on_messages(void *arg, const pm_str_t *messages, size_t count) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  if (!is_heard(o, PM_LISTEN_MESSAGES)) return;
  p->manager->callbacks.on_messages(p->manager, p->id, messages, count,
                                    (pm_messages_t)p->options.value[PM_OPT_MESSAGES], encoding_of(p));
}

static void on_strays(void *arg, const pm_str_t *lines, size_t count) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  if (!is_logged(o)) log_lines(o, lines, count);
  if (p->manager->closing) return;
  if (is_heard(o, PM_LISTEN_STRAY)) p->manager->callbacks.on_strays(p->manager, p->id, lines, count, encoding_of(p));
}

/* A command that writes nothing else would fill the host's logs with complaints. */
static const uint64_t between_complaints = UINT64_C(1000000000);

static bool may_complain(pm__output_t *o) {
  uint64_t now = uv_hrtime();
  if (o->complained_at != 0 && now - o->complained_at < between_complaints) {
    o->lost_untold++;
    return false;
  }
  o->complained_at = now;
  return true;
}

static void on_lost(void *arg, uint64_t bytes) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  double max = p->options.value[PM_OPT_MAX_MESSAGE_BYTES];
  pm_error_t error;
  if (o->run->over || pm__events_reserve(p->manager, PM__EVENTS_PER_CALL) != 0 || !may_complain(o)) return;
  if ((double)bytes > max)
    pm__error_set(&error, UV_E2BIG, "ERR_MESSAGE_TOO_LONG", "Error",
                  "A message of %.0f bytes is longer than maxMessageBytes (%.0f) and was left out%s", (double)bytes,
                  max, o->lost_untold > 0 ? ", as others were in the second before" : "");
  else
    pm__error_set(&error, UV_ENOMEM, NULL, "Error", "There is no memory for a message of %.0f bytes; it was left out",
                  (double)bytes);
  o->lost_untold = 0;
  pm__fault_t *fault = pm__fault_new(&error);
  pm__events_add_fault(p, fault);
  pm__fault_unref(fault);
}

static bool is_over(void *arg) {
  const pm__output_t *o = arg;
  return o->run->process->manager->closing;
}

static bool has_messages(const pm__output_t *o) {
  return o->stream == PM_STDOUT && o->run->process->options.value[PM_OPT_MESSAGES] != PM_MESSAGES_NONE;
}

static pm__framer_out_t framer_out(pm__output_t *o) {
  return (pm__framer_out_t){.max = (size_t)o->run->process->options.value[PM_OPT_MAX_MESSAGE_BYTES],
                            .messages = on_messages,
                            .strays = on_strays,
                            .lost = on_lost,
                            .is_over = is_over,
                            .arg = o};
}

/* ---- chunks ----------------------------------------------------------------------- */

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
  const pm_manager_t *m = o->run->process->manager;
  if (is_logged(o)) log_bytes(o, bytes, len);
  if (m->closing) return;
  if (has_messages(o)) {
    const pm__framer_out_t out = framer_out(o);
    pm__framer_feed(&o->framer, bytes, len, &out);
    if (m->closing) return;
  }
  if (is_heard(o, listen_flag(o)))
    hand_out(o, bytes, len);
  else
    o->carried = 0;
}

static void end_stream(pm__output_t *o) {
  const pm_manager_t *m = o->run->process->manager;
  unsigned rest = o->carried;
  o->carried = 0;
  log_end(o);
  if (m->closing) return;
  if (has_messages(o)) {
    const pm__framer_out_t out = framer_out(o);
    pm__framer_finish(&o->framer, &out);
    if (m->closing) return;
  }
  /* A character that nothing completes any more: the decoder says so. */
  if (rest && !m->closing && is_heard(o, listen_flag(o))) call_on_output(o, o->carry, rest);
}

/* ---- reading ---------------------------------------------------------------------- */

bool pm__output_is_awaited(const pm__output_t *o) {
  unsigned wanted = listen_flag(o) | PM_LISTEN_LINES;
  if (has_messages(o)) wanted |= PM_LISTEN_MESSAGES | PM_LISTEN_STRAY;
  return is_heard(o, wanted);
}

/* What a read takes at most: a stream of very short lines costs more for the same
 * bytes. */
static size_t read_size(const pm__output_t *o) {
  return o->has_short_lines ? PM__READ_SIZE / 8 : PM__READ_SIZE;
}

/* Bytes taken; 0 when the stream has ended, UV_EAGAIN when it is empty. */
static ssize_t read_once(pm__output_t *o, size_t most) {
  const pm__log_ring_t *log = &o->run->process->logs[o->stream];
  char *buffer = o->run->process->manager->read_buffer + PM__READ_HEADROOM;
  ssize_t n = pm__pipe_read(&o->pipe, buffer, most);
  if (n <= 0) return n == UV_EAGAIN ? n : 0;
  uint64_t lines = log->total_lines;
  take(o, buffer, (size_t)n);
  o->has_short_lines = (log->total_lines - lines) * SHORT_LINE > (uint64_t)n;
  return n;
}

static size_t min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

static void end(pm__output_t *o) {
  end_stream(o);
  pm__output_close(o);
}

size_t pm__output_read(pm__output_t *o, size_t most) {
  size_t total = 0;
  while (total < most && is_open(o)) {
    size_t wanted = min_size(read_size(o), most - total);
    ssize_t n = read_once(o, wanted);
    if (n > 0) total += (size_t)n;
    if (n == 0) end(o);
    if (n < (ssize_t)wanted || o->run->process->manager->closing) break;
  }
  return total;
}

static void on_readable(pm__pipe_t *pipe) {
  pm__output_t *o = pipe->data;
  pm_manager_t *m = o->run->process->manager;
  pm__events_deliver(m);
  if (m->closing || !is_open(o) || o->paused) return;
  /* One that rests is told of only when nobody can write to it any more. */
  pm__pacer_wake(o);
  ssize_t n = is_open(o) ? read_once(o, read_size(o)) : UV_EAGAIN;
  if (m->closing) return;
  if (n == 0)
    end(o);
  else if (n > 0 && is_open(o) && !o->paused)
    pm__pacer_note(o, (size_t)n);
  pm__events_deliver(m);
}

void pm__output_watch(pm__output_t *o) {
  /* That it could be watched before says that it can be now; else it is at an end. */
  if (pm__pipe_watch_readable(&o->pipe, on_readable) != 0) end(o);
}

void pm__output_grow(pm__output_t *o) {
  if (o->grown) return;
  o->grown = true;
  pm__pipe_grow(&o->pipe, (size_t)o->run->process->options.value[PM_OPT_PIPE_SIZE]);
}

int pm__output_pause(pm__output_t *o, bool paused) {
  if (!is_open(o)) return UV_ESRCH;
  if (o->paused == paused) return 0;
  pm__pacer_forget(o);
  int r = 0;
  if (paused)
    pm__pipe_unwatch(&o->pipe);
  else
    r = pm__pipe_watch_readable(&o->pipe, on_readable);
  if (r == 0) o->paused = paused;
  return r;
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
  if (o->paused) pm__output_pause(o, false);
  size_t left = is_open(o) ? pm__pipe_available(&o->pipe) : 0;
  while (left > 0 && is_open(o)) {
    ssize_t n = read_once(o, min_size(left, PM__READ_SIZE));
    if (m->closing) return;
    if (n <= 0) break;
    left -= (size_t)n;
  }
  end_stream(o);
  /* By a listener that was told of the last. Nobody could resume it after the exit. */
  if (o->paused) pm__output_pause(o, false);
  /* The usual case: no descendant holds it, and it need not be watched for that. */
  if (is_open(o) && pm__pipe_has_ended(&o->pipe)) pm__output_close(o);
}

void pm__output_linger(pm__output_t *o) {
  pm__output_unref(o);
}

static void on_pipe_closed(pm__pipe_t *pipe) {
  pm__output_t *o = pipe->data;
  pm__framer_free(&o->framer);
  pm__run_closed(o->run);
}

/* Without a call of the embedder: it may be one that closes it. */
static void on_last_line(void *arg, const pm_str_t *lines, size_t count) {
  pm__output_t *o = arg;
  pm__process_t *p = o->run->process;
  if (p->log_file) pm__log_file_add(p->log_file, o->stream, p->logs[o->stream].time, lines, count);
}

/* A line without its end must not become the beginning of another start's. */
void pm__output_close(pm__output_t *o) {
  if (!is_open(o)) return;
  uint64_t seq = o->run->process->last_seq;
  pm__pacer_forget(o);
  pm__lines_finish(stamped_log(o), on_last_line, o);
  tell_of_log(o->run->process, seq);
  pm__pipe_close(&o->pipe, on_pipe_closed);
}

void pm__output_ref(pm__output_t *o) {
  if (is_open(o)) pm__pipe_ref(&o->pipe);
}

void pm__output_unref(pm__output_t *o) {
  if (is_open(o)) pm__pipe_unref(&o->pipe);
}
