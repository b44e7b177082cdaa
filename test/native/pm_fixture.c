#define _GNU_SOURCE
#include "pm_fixture.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 20 * 1000 };

/* ---- the record -------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from, size_t len) {
  if (len >= size) len = size - 1;
  memcpy(to, from, len);
  to[len] = '\0';
}

static host_t *host_of(pm_manager_t *m) {
  host_t *h = pm_manager_data(m);
  if (h->closing) fail_msg("the manager called out after pm_manager_close");
  h->news = true;
  return h;
}

static void *grow(void *array, size_t count, size_t *size, size_t element) {
  if (count < *size) return array;
  *size = *size ? *size * 2 : 64;
  array = realloc(array, *size * element);
  assert_non_null(array);
  return array;
}

static void record_event(pm_manager_t *m, const pm_event_t *event) {
  host_t *h = host_of(m);
  seen_t *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  s->kind = event->kind;
  if (event->id.base) copy_text(s->id, sizeof(s->id), event->id.base, event->id.len);
  s->pid = event->pid;
  s->restarts = event->restarts;
  s->code = event->code;
  s->uptime = event->uptime;
  s->delay = event->delay;
  s->unsent = event->unsent;
  s->requested = event->requested;
  s->figure = event->seen;
  s->position = event->position;
  if (event->action) copy_text(s->action, sizeof(s->action), event->action, strlen(event->action));
  s->value = event->value;
  if (event->signal) copy_text(s->signal, sizeof(s->signal), event->signal, strlen(event->signal));
  if (event->limit) copy_text(s->limit, sizeof(s->limit), event->limit, strlen(event->limit));
  s->has_error = event->error != NULL;
  s->has_stop = event->stop != NULL;
  if (event->error) s->error = *event->error;
  if (event->stop) s->stop = *event->stop;
  h->seen = grow(h->seen, h->seen_count, &h->seen_size, sizeof(*h->seen));
  h->seen[h->seen_count++] = s;
  if (event->snapshot) {
    pm_snapshot_unref(h->snapshot);
    h->snapshot = pm_snapshot_ref(event->snapshot);
  }
  if (h->on_event) h->on_event(h, event);
}

static record_t *record_of(host_t *h, const char *id, size_t len, pm_stream_t stream, record_kind_t kind) {
  for (size_t i = 0; i < h->record_count; i++) {
    record_t *r = h->records[i];
    if (r->stream == stream && r->kind == kind && strlen(r->id) == len && memcmp(r->id, id, len) == 0) return r;
  }
  record_t *r = calloc(1, sizeof(*r));
  assert_non_null(r);
  copy_text(r->id, sizeof(r->id), id, len);
  r->stream = stream;
  r->kind = kind;
  r->bytes = calloc(1, 1);
  r->size = 1;
  h->records = grow(h->records, h->record_count, &h->record_size, sizeof(*h->records));
  h->records[h->record_count++] = r;
  return r;
}

static void append(record_t *r, const char *bytes, size_t len) {
  if (r->len + len + 1 > r->size) {
    r->size = (r->len + len + 1) * 2;
    r->bytes = realloc(r->bytes, r->size);
    assert_non_null(r->bytes);
  }
  memcpy(r->bytes + r->len, bytes, len);
  r->len += len;
  r->bytes[r->len] = '\0';
}

static void record_output(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding) {
  host_t *h = host_of(m);
  record_t *r = record_of(h, id.base, id.len, stream, RECORD_OUTPUT);
  assert_true(bytes.len > 0);
  assert_int_equal(encoding, (pm_encoding_t)h->options.value[PM_OPT_ENCODING]);
  r->calls++;
  if (!h->forgetful) append(r, bytes.base, bytes.len);
  if (h->on_output) h->on_output(h, id, stream, bytes);
}

static void record_lines(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                         pm_encoding_t encoding) {
  host_t *h = host_of(m);
  record_t *r = record_of(h, id.base, id.len, stream, RECORD_LINES);
  assert_true(count > 0);
  assert_int_equal(encoding, (pm_encoding_t)h->options.value[PM_OPT_ENCODING]);
  r->calls++;
  for (size_t i = 0; i < count && !h->forgetful; i++) {
    append(r, lines[i].base, lines[i].len);
    append(r, "\n", 1);
  }
  if (h->on_lines) h->on_lines(h, id, stream, lines, count);
}

static void record_messages(pm_manager_t *m, pm_str_t id, const pm_str_t *messages, size_t count, pm_messages_t mode,
                            pm_encoding_t encoding) {
  host_t *h = host_of(m);
  record_t *r = record_of(h, id.base, id.len, PM_STDOUT, RECORD_MESSAGES);
  assert_true(count > 0);
  assert_int_not_equal(mode, PM_MESSAGES_NONE);
  assert_int_equal(encoding, (pm_encoding_t)h->options.value[PM_OPT_ENCODING]);
  r->calls++;
  for (size_t i = 0; i < count && !h->forgetful; i++) {
    append(r, messages[i].base, messages[i].len);
    append(r, "\n", 1);
  }
  if (h->on_messages) h->on_messages(h, id, messages, count);
}

static void record_strays(pm_manager_t *m, pm_str_t id, const pm_str_t *lines, size_t count, pm_encoding_t encoding) {
  host_t *h = host_of(m);
  record_t *r = record_of(h, id.base, id.len, PM_STDOUT, RECORD_STRAY);
  (void)encoding;
  assert_true(count > 0);
  r->calls++;
  for (size_t i = 0; i < count && !h->forgetful; i++) {
    append(r, lines[i].base, lines[i].len);
    append(r, "\n", 1);
  }
  if (h->on_strays) h->on_strays(h, id, lines, count);
}

static void record_active(pm_manager_t *m, bool active) {
  host_t *h = host_of(m);
  assert_true(active != h->active);
  h->active = active;
  h->active_calls++;
}

/* ---- the host's own life --------------------------------------------------------- */

/* libuv's first loop opens descriptors that it keeps for ever: before they are
 * counted. */
static void warm_up(void) {
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
}

void host_init(host_t *h) {
  memset(h, 0, sizeof(*h));
  signal(SIGPIPE, SIG_IGN);
  warm_up();
  h->descriptors = count_descriptors();
  pm_options_init(&h->options);
  h->options.value[PM_OPT_MONITOR_INTERVAL] = 0;
  h->options.value[PM_OPT_RESTART_DELAY] = 1;
  h->options.value[PM_OPT_RESTART_JITTER] = 0;
}

host_t *host_new(void) {
  host_t *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  host_init(h);
  return h;
}

int host_teardown(void **state) {
  host_close(*state);
  free(*state);
  return 0;
}

void host_open(host_t *h) {
  const pm_callbacks_t callbacks = {.on_event = record_event,
                                    .on_output = record_output,
                                    .on_lines = record_lines,
                                    .on_messages = record_messages,
                                    .on_strays = record_strays,
                                    .on_active = record_active};
  pm_keeper_t *keeper = h->keeper || h->keeperless ? h->keeper : open_keeper();
  const pm_manager_config_t config = {
      .options = h->options, .portable = wants_portable(), .keeper = keeper, .keeperless = h->keeperless};
  assert_int_equal(uv_loop_init(&h->loop), 0);
  assert_int_equal(pm_manager_new(&h->loop, &config, &callbacks, h, &h->m), 0);
  pm_keeper_unref(keeper);
  pm_manager_listen(h->m, LISTEN_ALL);
}

static void on_closed(void *arg) {
  host_t *h = arg;
  h->closed = true;
  h->m = NULL;
}

void host_begin_closing(host_t *h) {
  pm_manager_close(h->m, on_closed, h);
  h->closing = true;
}

void host_finish(host_t *h) {
  if (!h->closing) host_begin_closing(h);
  run_until(&h->loop, &h->closed);
  assert_loop_closes(&h->loop);
  for (size_t i = 0; i < h->seen_count; i++)
    free(h->seen[i]);
  free(h->seen);
  pm_snapshot_unref(h->snapshot);
  for (size_t i = 0; i < h->record_count; i++) {
    free(h->records[i]->bytes);
    free(h->records[i]);
  }
  free(h->records);
}

void host_close(host_t *h) {
  host_finish(h);
  assert_int_equal(count_descriptors(), h->descriptors);
  assert_no_child();
}

/* ---- processes ---------------------------------------------------------------------- */

pm_str_t str(const char *text) {
  return (pm_str_t){text, strlen(text)};
}

int host_spawn_argv(host_t *h, const char *id, const char *const *argv) {
  char command[1024];
  pm_str_t args[16];
  pm_str_t made;
  bool as_it_is = strchr(argv[0], '/') || strchr(argv[0], '.');
  snprintf(command, sizeof(command), "%s%s", as_it_is ? "" : PM_FIXTURES "/", argv[0]);
  pm_config_t config = h->config;
  for (config.arg_count = 0; argv[config.arg_count + 1]; config.arg_count++)
    args[config.arg_count] = str(argv[config.arg_count + 1]);
  config.args = args;
  config.command = str(command);
  if (id) config.id = str(id);
  config.options = h->options;
  int r = pm_process_spawn(h->m, &config, &made, &h->error);
  if (r == 0) copy_text(h->id, sizeof(h->id), made.base, made.len);
  return r;
}

void on_answer(void *arg, bool result) {
  answer_t *a = arg;
  a->times++;
  a->result = result;
  a->after = a->host->seen_count;
  a->host->news = true;
}

void host_stop(host_t *h, const char *id, double timeout, answer_t *a) {
  *a = (answer_t){.host = h};
  assert_int_equal(pm_process_stop(h->m, str(id), timeout, on_answer, a), 0);
}

void host_restart(host_t *h, const char *id, answer_t *a) {
  *a = (answer_t){.host = h};
  assert_int_equal(pm_process_restart(h->m, str(id), on_answer, a, &h->error), 0);
}

static void wait_for_news(host_t *h) {
  h->news = false;
  run_until(&h->loop, &h->news);
}

bool host_answer(host_t *h, answer_t *a) {
  while (a->times == 0)
    wait_for_news(h);
  assert_int_equal(a->times, 1);
  return a->result;
}

void host_end(host_t *h, const char *id) {
  answer_t a;
  host_stop(h, id, -1, &a);
  assert_true(host_answer(h, &a));
}

int host_write_block(host_t *h, const char *id, size_t len, bool *ready) {
  static char block[1 << 20];
  assert_true(len <= sizeof(block));
  for (size_t i = 0; i < len; i++)
    block[i] = (char)('a' + i % 26);
  return pm_process_write(h->m, str(id), (pm_str_t){block, len}, ready, &h->error);
}

bool host_end_stdin(host_t *h, const char *id) {
  bool closed;
  assert_int_equal(pm_process_close_stdin(h->m, str(id), &closed), 0);
  return closed;
}

pm_status_t host_status(host_t *h, const char *id) {
  pm_status_t status;
  assert_int_equal(pm_process_status(h->m, str(id), &status), 0);
  return status;
}

bool is_kept(host_t *h, const char *id) {
  const char *containment = host_status(h, id).containment;
  return strcmp(containment, "tree") == 0 || strcmp(containment, "nested") == 0;
}

static void append_line(void *arg, pm_str_t line) {
  append(arg, line.base, line.len);
  append(arg, "\n", 1);
}

char *host_log(host_t *h, const char *id, pm_stream_t stream) {
  record_t r = {.bytes = calloc(1, 1), .size = 1};
  assert_int_equal(pm_process_logs(h->m, str(id), stream, SIZE_MAX, append_line, &r), 0);
  return r.bytes;
}

bool host_knows(host_t *h, const char *id) {
  pm_status_t status;
  return pm_process_status(h->m, str(id), &status) == 0;
}

/* ---- what has been called out ----------------------------------------------------------- */

const seen_t *host_find(const host_t *h, const char *id, pm_event_kind_t kind, size_t nth) {
  for (size_t i = 0; i < h->seen_count; i++) {
    const seen_t *s = h->seen[i];
    if (s->kind == kind && (!id || strcmp(s->id, id) == 0) && --nth == 0) return s;
  }
  return NULL;
}

size_t host_count(const host_t *h, const char *id, pm_event_kind_t kind) {
  size_t n = 0;
  while (host_find(h, id, kind, n + 1))
    n++;
  return n;
}

const seen_t *host_wait(host_t *h, const char *id, pm_event_kind_t kind, size_t nth) {
  const seen_t *s;
  while (!(s = host_find(h, id, kind, nth)))
    wait_for_news(h);
  return s;
}

size_t host_place(const host_t *h, const seen_t *event) {
  size_t i = 0;
  while (i < h->seen_count && h->seen[i] != event)
    i++;
  assert_true(i < h->seen_count);
  return i;
}

const record_t *host_output(host_t *h, const char *id, pm_stream_t stream) {
  return record_of(h, id, strlen(id), stream, RECORD_OUTPUT);
}

const record_t *host_lines(host_t *h, const char *id, pm_stream_t stream) {
  return record_of(h, id, strlen(id), stream, RECORD_LINES);
}

const record_t *host_messages(host_t *h, const char *id) {
  return record_of(h, id, strlen(id), PM_STDOUT, RECORD_MESSAGES);
}

const record_t *host_strays(host_t *h, const char *id) {
  return record_of(h, id, strlen(id), PM_STDOUT, RECORD_STRAY);
}

void host_wait_output(host_t *h, const char *id, const char *text) {
  const record_t *r = host_output(h, id, PM_STDOUT);
  while (!strstr(r->bytes, text))
    wait_for_news(h);
}

int host_grandchild(host_t *h, const char *id) {
  const char *word = "grandchild ";
  const record_t *r = host_output(h, id, PM_STDOUT);
  host_wait_output(h, id, word);
  const char *at = strstr(r->bytes, word) + strlen(word);
  assert_non_null(strchr(at, '\n'));
  return atoi(at);
}

void host_turn(host_t *h, int n) {
  for (int i = 0; i < n; i++)
    uv_run(&h->loop, UV_RUN_NOWAIT);
}

/* A turn of UV_RUN_ONCE runs timers that are due first, and would then wait all the
 * same. */
static void on_time(uv_timer_t *timer) {
  *(bool *)timer->data = true;
  uv_stop(timer->loop);
}

void host_pass_time(host_t *h, unsigned ms) {
  bool passed = false;
  uv_timer_t timer;
  uv_update_time(&h->loop);
  uv_timer_init(&h->loop, &timer);
  timer.data = &passed;
  uv_timer_start(&timer, on_time, ms, 0);
  run_until(&h->loop, &passed);
  uv_close((uv_handle_t *)&timer, NULL);
  host_turn(h, 1);
}

void host_wait_idle(host_t *h) {
  for (int ms = 0; h->active; ms++) {
    if (ms > PATIENCE_MS) fail_msg("the manager stays active");
    host_pass_time(h, 1);
  }
}

/* ---- other processes ------------------------------------------------------------------------ */

bool is_running(int pid) {
  char path[64];
  char text[512];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  size_t n = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  text[n] = '\0';
  const char *state = strrchr(text, ')');
  return state && state[2] != 'Z' && state[2] != 'X';
}

void wait_until_ended(int pid) {
  for (int ms = 0; is_running(pid); ms++) {
    if (ms > PATIENCE_MS) fail_msg("process %d does not end", pid);
    usleep(1000);
  }
}

void end_stray(int pid) {
  kill(pid, SIGKILL);
  wait_until_ended(pid);
}

void make_scratch(char *path, size_t size) {
  const char *base = getenv("TMPDIR");
  snprintf(path, size, "%s/pm-test-XXXXXX", base ? base : "/tmp");
  assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st;
  (void)type;
  (void)ftw;
  return remove(path);
}

void remove_scratch(const char *path) {
  assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char scratch_dir[256];

int make_scratch_dir(void **state) {
  (void)state;
  make_scratch(scratch_dir, sizeof(scratch_dir));
  return 0;
}

int remove_scratch_dir(void **state) {
  (void)state;
  remove_scratch(scratch_dir);
  return 0;
}

bool is_light(const char *what) {
  if (!getenv("PM_TEST_LIGHT")) return false;
  print_message("left out, as PM_TEST_LIGHT is set: %s\n", what);
  return true;
}
