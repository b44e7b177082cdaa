#include "log_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../platform/append_file.h"
#include "../alloc.h"
#include "../error.h"
#include "../events.h"
#include "../process.h"

/* Bytes that wait at most, of which so many go to the thread pool before the turn ends:
 * what one turn reads of short lines is 33 times as much here, and a disk that works
 * shall not be outrun by that. Ms after an error until it is tried again. */
enum { MOST_WAITING = 16 << 20, ENOUGH_WAITING = 8 << 20, FIRST_BUFFER = 4096, RETRY_AFTER = 1000 };

/* What a buffer keeps of its memory while there is nothing to write. */
enum { KEPT_BUFFER = 64 << 10 };

/* Of a manager's files at one time: a disk that hangs holds no more of the pool's four
 * threads, which the host needs for other things; and with one the other disks' files
 * would wait for it. */
enum { MOST_WRITES = 2 };

/* Ms that the host's own end waits for writes under way, in all. */
enum { END_PATIENCE = 1000 };

typedef struct buffer {
  char *bytes;
  size_t len, capacity;
} buffer_t;

struct pm__log_file {
  pm_manager_t *manager;
  pm__process_t *process; /* NULL once it has been forgotten */
  pm__log_file_t *prev, *next;
  uv_work_t work;
  uv_mutex_t lock; /* what the thread pool uses, against the host's own end */
  bool working;    /* a write is under way */
  bool is_due;     /* in the manager's list */
  pm__log_file_t *due_next;
  uint64_t turn;   /* counts starts: of files in each other's way the lowest comes first */
  bool held;       /* until an older one, of an ended process, is written */
  bool superseded; /* another process has its path since */
  bool closing;
  bool failed; /* the last write did not work */
  bool failure_told;
  uint64_t lost; /* lines that found no room, of which the file does not say so yet */
  uint64_t lost_ever;
  uint64_t spell_lost; /* the same since all was written */
  bool loss_told;      /* in this spell */
  uint64_t lost_at;    /* when and from where the last of them came */
  pm_stream_t lost_from;
  buffer_t waiting; /* the loop's */

  /* The thread pool's, under the lock. */
  buffer_t writing;
  pm__append_file_t file;
  int err; /* of the last write */
  const char *syscall;
};

/* ---- the buffer --------------------------------------------------------------------- */

enum { PREFIX_SIZE = 64, NOTE_SIZE = PREFIX_SIZE + 64 };

/* There is always room for one line, of whatever length, and for a note before it. */
static bool make_room(buffer_t *b, size_t len) {
  if (b->len > NOTE_SIZE && b->len + len > MOST_WAITING) return false;
  size_t capacity = b->capacity ? b->capacity : FIRST_BUFFER;
  while (capacity < b->len + len)
    capacity *= 2;
  if (capacity == b->capacity) return true;
  char *bytes = pm__realloc(b->bytes, capacity);
  if (!bytes) return false;
  b->bytes = bytes;
  b->capacity = capacity;
  return true;
}

static void shrink(buffer_t *b) {
  if (b->capacity <= KEPT_BUFFER) return;
  pm__free(b->bytes);
  *b = (buffer_t){0};
}

static void put(buffer_t *b, const char *bytes, size_t len) {
  memcpy(b->bytes + b->len, bytes, len);
  b->len += len;
}

/* "2026-11-28T09:30:00.123Z stdout " */
static size_t print_prefix(char *out, pm_stream_t stream, uint64_t time) {
  time_t seconds = (time_t)(time / 1000000);
  struct tm tm;
  if (!gmtime_r(&seconds, &tm)) memset(&tm, 0, sizeof(tm));
  size_t len = strftime(out, PREFIX_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
  len += (size_t)snprintf(out + len, PREFIX_SIZE - len, ".%03uZ %s ", (unsigned)(time / 1000 % 1000),
                          stream == PM_STDOUT ? "stdout" : "stderr");
  return len;
}

/* Says how many lines are missing here, once there is room again. */
static void note_lost(pm__log_file_t *f) {
  char note[NOTE_SIZE];
  if (f->lost == 0) return;
  size_t len = print_prefix(note, f->lost_from, f->lost_at);
  len += (size_t)snprintf(note + len, sizeof(note) - len, "[… %" PRIu64 " lines lost]\n", f->lost);
  if (!make_room(&f->waiting, len)) return;
  put(&f->waiting, note, len);
  f->lost = 0;
}

static void lose(pm__log_file_t *f, pm_stream_t stream, uint64_t time) {
  f->lost++;
  f->lost_ever++;
  f->spell_lost++;
  f->lost_at = time;
  f->lost_from = stream;
}

/* ---- writing ------------------------------------------------------------------------ */

/* What has been written leaves the buffer, so that a failure costs nothing. */
static void write_out(pm__log_file_t *f) {
  size_t written = 0;
  f->err = pm__append_file_write(&f->file, f->writing.bytes, f->writing.len, &written, &f->syscall);
  f->writing.len -= written;
  if (f->writing.len > 0 && written > 0) memmove(f->writing.bytes, f->writing.bytes + written, f->writing.len);
}

/* In a thread of libuv's pool. */
static void do_work(uv_work_t *work) {
  pm__log_file_t *f = work->data;
  uv_mutex_lock(&f->lock);
  write_out(f);
  uv_mutex_unlock(&f->lock);
}

/* False if nobody hears it, or memory is short. */
static bool report(pm__log_file_t *f, pm_error_t *error) {
  if (!f->process || f->manager->closing) return false;
  if (pm__events_reserve(f->manager, PM__EVENTS_PER_CALL) != 0) return false;
  snprintf(error->path, sizeof(error->path), "%.1000s", f->file.path);
  pm__fault_t *fault = pm__fault_new(error);
  pm__events_add_fault(f->process, fault);
  pm__fault_unref(fault);
  return true;
}

static void report_failure(pm__log_file_t *f) {
  pm_error_t error;
  if (f->failure_told) return;
  pm__error_set(&error, f->err, NULL, "Error", "The log file %.400s cannot be written: %s; lines wait for it meanwhile",
                f->file.path, uv_strerror(f->err));
  error.syscall = f->syscall;
  f->failure_told = report(f, &error);
}

static void report_loss(pm__log_file_t *f) {
  pm_error_t error;
  if (f->loss_told) return;
  pm__error_set(&error, UV_ENOBUFS, "ERR_LOG_FILE_LOST_LINES", "Error",
                "The log file %.400s cannot be written as fast as lines come: %" PRIu64 " were left out so far",
                f->file.path, f->spell_lost);
  f->loss_told = report(f, &error);
}

static void free_file(pm__log_file_t *f) {
  pm_manager_t *m = f->manager;
  if (f->held) m->log_held--;
  *(f->prev ? &f->prev->next : &m->log_files) = f->next;
  if (f->next) f->next->prev = f->prev;
  pm__append_file_close(&f->file);
  uv_mutex_destroy(&f->lock);
  pm__free(f->waiting.bytes);
  pm__free(f->writing.bytes);
  pm__free(f->file.path);
  pm__free(f);
  pm__manager_release(m);
}

/* What is waiting is written next. What could not be written before comes first. */
static bool take_waiting(pm__log_file_t *f) {
  note_lost(f);
  if (f->writing.len == 0) {
    buffer_t empty = f->writing;
    f->writing = f->waiting;
    f->waiting = empty;
    f->waiting.len = 0;
  }
  return f->writing.len > 0;
}

static bool has_rest(const pm__log_file_t *f) {
  return f->working || f->writing.len + f->waiting.len > 0;
}

static void make_due(pm__log_file_t *f) {
  pm_manager_t *m = f->manager;
  if (f->is_due || f->working || f->held) return;
  *(m->log_due ? &m->log_due_last->due_next : &m->log_due) = f;
  m->log_due_last = f;
  f->due_next = NULL;
  f->is_due = true;
}

/* By path alone: whatever their processes do. */
static bool disturb(const pm__log_file_t *a, const pm__log_file_t *b) {
  return a != b && pm__log_file_disturbs(a, (pm_str_t){b->file.path, strlen(b->file.path)}, b->file.max_files);
}

static bool has_to_wait(const pm__log_file_t *f) {
  for (const pm__log_file_t *other = f->manager->log_files; other; other = other->next)
    if (other->turn < f->turn && has_rest(other) && disturb(f, other)) return true;
  return false;
}

/* Something has been written, or given up. */
static void release_held(pm_manager_t *m) {
  for (pm__log_file_t *f = m->log_held > 0 ? m->log_files : NULL; f; f = f->next) {
    if (!f->held || has_to_wait(f)) continue;
    f->held = false;
    m->log_held--;
    make_due(f);
  }
}

static pm__log_file_t *next_due(pm_manager_t *m) {
  pm__log_file_t *f = m->log_due;
  m->log_due = f->due_next;
  f->is_due = false;
  return f;
}

/* Nothing is to be written any more before another start: meanwhile somebody may
 * move the file away. One that is closing has had its try and goes. */
static void settle(pm__log_file_t *f) {
  pm_manager_t *m = f->manager;
  if (f->working || f->is_due || (has_rest(f) && (f->held || !(f->closing && f->failed)))) return;
  if (f->closing)
    free_file(f);
  else if (f->process && !pm__process_is_live(f->process))
    pm__append_file_close(&f->file);
  release_held(m);
}

static void after_work(uv_work_t *work, int status);

static void begin_works(pm_manager_t *m) {
  while (m->log_due && m->log_writes < MOST_WRITES) {
    pm__log_file_t *f = next_due(m);
    f->working = take_waiting(f) && uv_queue_work(m->loop, &f->work, do_work, after_work) == 0;
    if (f->working) {
      m->works++;
      m->log_writes++;
    } else {
      settle(f);
    }
  }
}

void pm__log_file_add(pm__log_file_t *f, pm_stream_t stream, uint64_t time, const pm_str_t *lines, size_t count) {
  char prefix[PREFIX_SIZE];
  size_t prefix_len = print_prefix(prefix, stream, time);
  if (f->superseded) return;
  for (size_t i = 0; i < count; i++) {
    note_lost(f);
    if (f->lost > 0 || !make_room(&f->waiting, prefix_len + lines[i].len + 1)) {
      lose(f, stream, time);
      continue;
    }
    put(&f->waiting, prefix, prefix_len);
    if (lines[i].len > 0) put(&f->waiting, lines[i].base, lines[i].len);
    put(&f->waiting, "\n", 1);
    if (f->failed) continue;
    make_due(f);
    if (f->waiting.len >= ENOUGH_WAITING) begin_works(f->manager);
  }
  if (f->lost > 0) report_loss(f);
}

static void on_retry(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  for (pm__log_file_t *f = m->log_files; f; f = f->next)
    if (f->failed) make_due(f);
  begin_works(m);
  if (!m->closing) pm__manager_update_active(m);
}

/* One that runs is left alone: files that fail again and again must not keep the
 * others waiting. */
static void arm_retry(pm_manager_t *m) {
  if (!uv_is_active((uv_handle_t *)&m->retry)) uv_timer_start(&m->retry, on_retry, RETRY_AFTER, 0);
}

static void note_result(pm__log_file_t *f) {
  f->failed = f->err != 0;
  if (f->failed)
    report_failure(f);
  else
    f->failure_told = false;
  if (!has_rest(f) && f->lost == 0) {
    f->spell_lost = 0;
    f->loss_told = false;
    shrink(&f->waiting);
    shrink(&f->writing);
  }
  if (!f->failed && (has_rest(f) || f->lost > 0)) make_due(f);
  if (f->failed && !f->closing && !f->manager->closing) arm_retry(f->manager);
}

static void after_work(uv_work_t *work, int status) {
  pm__log_file_t *f = work->data;
  pm_manager_t *m = f->manager;
  (void)status; /* nobody cancels it */
  f->working = false;
  m->works--;
  m->log_writes--;
  note_result(f);
  settle(f);
  begin_works(m);
  if (!m->closing) pm__events_deliver(m);
}

void pm__log_files_flush(pm_manager_t *m) {
  begin_works(m);
}

void pm__log_files_init(pm_manager_t *m) {
  uv_timer_init(m->loop, &m->retry);
  uv_unref((uv_handle_t *)&m->retry);
  m->retry.data = m;
}

static bool lock_until(uv_mutex_t *lock, uint64_t deadline) {
  while (uv_mutex_trylock(lock) != 0) {
    if (uv_hrtime() >= deadline) return false;
    uv_sleep(1);
  }
  return true;
}

/* Once a write does not end, no other file is touched: it may be on the same disk. */
void pm__log_files_write_now(pm_manager_t *m) {
  uint64_t deadline = uv_hrtime() + (uint64_t)END_PATIENCE * 1000000;
  for (pm__log_file_t *f = m->log_files; f; f = f->next) {
    if (!has_rest(f) && f->lost == 0) continue;
    if (!lock_until(&f->lock, deadline)) return;
    f->err = 0;
    while (f->err == 0 && take_waiting(f))
      write_out(f);
    uv_mutex_unlock(&f->lock);
  }
}

/* ---- its life ----------------------------------------------------------------------- */

pm__log_file_t *pm__log_file_new(pm_manager_t *m, pm_str_t path, const pm_options_t *options) {
  pm__log_file_t *f = pm__calloc(1, sizeof(*f));
  char *own_path = pm__malloc(path.len + 1);
  if (!f || !own_path || uv_mutex_init(&f->lock) != 0) {
    pm__free(own_path);
    pm__free(f);
    return NULL;
  }
  memcpy(own_path, path.base, path.len);
  own_path[path.len] = '\0';
  f->manager = m;
  f->work.data = f;
  pm__append_file_init(&f->file, own_path, (uint64_t)options->value[PM_OPT_LOG_FILE_MAX_BYTES],
                       (unsigned)options->value[PM_OPT_LOG_FILE_MAX_FILES]);
  f->next = m->log_files;
  if (f->next) f->next->prev = f;
  m->log_files = f;
  pm__manager_hold(m);
  pm__log_file_begin(f);
  return f;
}

void pm__log_file_begin(pm__log_file_t *f) {
  pm_manager_t *m = f->manager;
  f->superseded = false;
  if (!has_rest(f)) f->turn = ++m->log_turns;
  for (pm__log_file_t *other = m->log_files; other; other = other->next)
    if (disturb(f, other)) other->superseded = true;
  if (f->held || f->is_due || !has_to_wait(f)) return;
  f->held = true;
  m->log_held++;
}

const char *pm__log_file_path(const pm__log_file_t *f) {
  return f->file.path;
}

uint64_t pm__log_file_lost(const pm__log_file_t *file) {
  return file->lost_ever;
}

unsigned pm__log_file_max_files(const pm__log_file_t *f) {
  return f->file.max_files;
}

/* Whether path is one of the files of a log to base: base itself, or base.N. */
static bool is_file_of(pm_str_t base, unsigned max_files, pm_str_t path) {
  unsigned n = 0;
  if (path.len < base.len || memcmp(path.base, base.base, base.len) != 0) return false;
  if (path.len == base.len) return true;
  const char *at = path.base + base.len;
  const char *end = path.base + path.len;
  if (*at++ != '.' || at == end || *at == '0') return false;
  for (; at < end && n < max_files; at++) {
    if (*at < '0' || *at > '9') return false;
    n = n * 10 + (unsigned)(*at - '0');
  }
  return at == end && n < max_files;
}

bool pm__log_file_disturbs(const pm__log_file_t *f, pm_str_t path, unsigned max_files) {
  pm_str_t own = {f->file.path, strlen(f->file.path)};
  return is_file_of(own, f->file.max_files, path) || is_file_of(path, max_files, own);
}

void pm__log_file_set_process(pm__log_file_t *f, pm__process_t *p) {
  f->process = p;
}

void pm__log_file_rest(pm__log_file_t *f) {
  if (f) settle(f);
}

void pm__log_file_close(pm__log_file_t *f) {
  if (!f) return;
  pm_manager_t *m = f->manager;
  f->process = NULL;
  f->closing = true;
  if (has_rest(f) || f->lost > 0) make_due(f);
  settle(f);
  begin_works(m);
}
