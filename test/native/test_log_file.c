/* Logs in files: whole, in order, rotated between lines, and kept until the disk takes them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "literals.h"
#include "platform/append_file.h"
#include "pm_fixture.h"

enum { SMALL_FILE = 4096, PATIENCE_MS = 20 * 1000 };

/* ---- a disk that hangs ----------------------------------------------------------------- */

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_news = PTHREAD_COND_INITIALIZER;
static bool disk_hangs;
static int disk_writers; /* that hang in it */

/* Instead of libc's. Files hang while the disk does; pipes never. */
ssize_t write(int fd, const void *bytes, size_t len) {
  struct stat st;
  pthread_mutex_lock(&disk);
  if (disk_hangs && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
    disk_writers++;
    while (disk_hangs)
      pthread_cond_wait(&disk_news, &disk);
    disk_writers--;
  }
  pthread_mutex_unlock(&disk);
  return syscall(SYS_write, fd, bytes, len);
}

static bool is_cut; /* what follows pread's look at the size */

/* Instead of libc's. */
ssize_t pread(int fd, void *bytes, size_t len, off_t at) {
  return is_cut ? 0 : syscall(SYS_pread64, fd, bytes, len, at);
}

static void let_disk_hang(bool hangs) {
  pthread_mutex_lock(&disk);
  disk_hangs = hangs;
  pthread_cond_broadcast(&disk_news);
  pthread_mutex_unlock(&disk);
}

static int count_disk_writers(void) {
  pthread_mutex_lock(&disk);
  int count = disk_writers;
  pthread_mutex_unlock(&disk);
  return count;
}

/* A host, a directory and a path in it that processes log to. */
typedef struct place {
  host_t h;
  char directory[256];
  char path[400];
} place_t;

static void open_place(place_t *p) {
  host_init(&p->h);
  make_scratch(p->directory, sizeof(p->directory));
  snprintf(p->path, sizeof(p->path), "%s/log", p->directory);
  p->h.config.log_file = str(p->path);
  host_open(&p->h);
}

static void close_place(place_t *p) {
  host_close(&p->h);
  remove_scratch(p->directory);
}

/* The whole file, terminated; NULL if there is none. To be freed. */
static char *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "r");
  struct stat st;
  if (!file) return NULL;
  assert_int_equal(fstat(fileno(file), &st), 0);
  char *text = malloc((size_t)st.st_size + 1);
  assert_non_null(text);
  size_t n = fread(text, 1, (size_t)st.st_size, file);
  fclose(file);
  text[n] = '\0';
  if (len) *len = n;
  return text;
}

static void numbered(char *out, size_t size, const char *path, unsigned n) {
  if (n == 0)
    snprintf(out, size, "%s", path);
  else
    snprintf(out, size, "%s.%u", path, n);
}

/* All files of a log, the oldest first. To be freed. */
static char *read_log(const char *path, unsigned *files) {
  char name[320];
  unsigned count = 0;
  for (numbered(name, sizeof(name), path, 0); access(name, F_OK) == 0;)
    numbered(name, sizeof(name), path, ++count);
  char *all = calloc(1, 1);
  size_t len = 0;
  for (unsigned n = count; n-- > 0;) {
    size_t part;
    numbered(name, sizeof(name), path, n);
    char *text = read_file(name, &part);
    assert_non_null(text);
    all = realloc(all, len + part + 1);
    memcpy(all + len, text, part + 1);
    len += part;
    free(text);
  }
  if (files) *files = count;
  return all;
}

static const char prefix_shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
enum { TIME_LEN = sizeof(prefix_shape) - 1, PREFIX_LEN = TIME_LEN + sizeof("stdout ") - 1 };

static bool has_prefix(const char *line) {
  for (int i = 0; i < TIME_LEN; i++)
    if (prefix_shape[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != prefix_shape[i]) return false;
  return memcmp(line + TIME_LEN, "stdout ", 7) == 0 || memcmp(line + TIME_LEN, "stderr ", 7) == 0;
}

/* Takes "TIME STREAM " off each line, after a look at it. In place. */
static void strip(char *text) {
  char *to = text;
  const char *all = text + strlen(text);
  while (text < all) {
    char *end = memchr(text, '\n', (size_t)(all - text));
    assert_non_null(end);
    if (!has_prefix(text)) fail_msg("no line of a log: %.60s", text);
    size_t len = (size_t)(end + 1 - text) - PREFIX_LEN;
    memmove(to, text + PREFIX_LEN, len);
    to += len;
    text = end + 1;
  }
  *to = '\0';
}

/* Waits until the log has text in it. */
static void wait_log(place_t *p, const char *text) {
  for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
    char *log = read_log(p->path, NULL);
    bool found = strstr(log, text) != NULL;
    free(log);
    if (found) return;
    host_pass_time(&p->h, 10);
  }
  fail_msg("the log never has %s", text);
}

static void write_text(place_t *p, const char *id, const char *text) {
  bool ready;
  assert_int_equal(pm_process_write(p->h.m, str(id), str(text), &ready, &p->h.error), 0);
}

/* The numbers from first to last, one a line; what is behind them. */
static const char *assert_numbers(const char *text, unsigned long first, unsigned long last) {
  for (unsigned long n = first; n <= last; n++) {
    unsigned long got = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
      got = got * 10 + (unsigned long)(*at - '0');
    if (got != n || *at != '\n') fail_msg("not %lu, but %.40s", n, text);
    text = at + 1;
  }
  return text;
}

/* ---- what is written ------------------------------------------------------------------ */

static void note_line(void *arg, const pm_log_line_t *line) {
  *(pm_log_line_t *)arg = *line;
}

static void test_lines_have_time_and_stream(void **state) {
  (void)state;
  place_t p;
  struct stat st;
  open_place(&p);
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "one\n");
  wait_log(&p, "one\n");
  write_text(&p, "a", "!two\r\n");
  wait_log(&p, "two\n");
  write_text(&p, "a", "\n");
  wait_log(&p, "stdout \n");
  char *log = read_file(p.path, NULL);

  /* The times are those of the log in memory. */
  pm_log_query_t query = {.lines = 1, .has_since = true, .streams = 1 << PM_STDERR};
  pm_log_answer_t answer;
  pm_log_line_t line;
  char expected[64];
  assert_int_equal(pm_process_log_query(p.h.m, str("a"), &query, note_line, &line, &answer), 0);
  time_t seconds = (time_t)(line.time / 1000000);
  size_t len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", gmtime(&seconds));
  snprintf(expected + len, sizeof(expected) - len, ".%03dZ stderr two\n", (int)(line.time / 1000 % 1000));
  assert_non_null(strstr(log, expected));

  assert_non_null(strstr(log, "Z stdout one\n"));
  strip(log);
  assert_string_equal(log, "one\ntwo\n\n");
  free(log);
  assert_int_equal(stat(p.path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  close_place(&p);
}

static void test_all_of_a_run(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  p.h.forgetful = true;
  host_spawn(&p.h, "a", "numbered-lines", "50000");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 50000), "");
  free(log);
  close_place(&p);
}

static void test_nobody_need_listen(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  pm_manager_listen(p.h.m, 0);
  host_spawn(&p.h, "a", "numbered-lines", "50000");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 50000), "");
  free(log);
  close_place(&p);
}

static void test_an_existing_file_is_continued(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  FILE *file = fopen(p.path, "w");
  fputs("before\n", file);
  fclose(file);
  for (int i = 1; i <= 2; i++) {
    answer_t a;
    if (i == 1)
      host_spawn(&p.h, "a", "numbered-lines", "100");
    else
      host_restart(&p.h, "a", &a);
    host_wait(&p.h, "a", PM_EVENT_EXIT, (size_t)i);
    host_wait_idle(&p.h);
  }
  char *log = read_file(p.path, NULL);
  assert_begins(log, "before\n");
  strip(log + strlen("before\n"));
  assert_string_equal(assert_numbers(assert_numbers(log + strlen("before\n"), 1, 100), 1, 100), "");
  free(log);
  close_place(&p);
}

/* Messages are no lines of the log if that is wanted; what is none is. */
static void test_strays_alone(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  p.h.options.value[PM_OPT_MESSAGES] = PM_MESSAGES_RAW;
  p.h.options.value[PM_OPT_LOG_MESSAGES] = 0;
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "{}\nstray\n!err\n[1]\nlast\n");
  wait_log(&p, "last\n");
  wait_log(&p, "err\n");
  char *log = read_file(p.path, NULL);
  assert_null(strpbrk(log, "{["));
  free(log);
  close_place(&p);
}

static void test_no_command_has_the_file(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "one\n");
  wait_log(&p, "one\n");
  p.h.config.log_file = (pm_str_t){0};
  host_spawn(&p.h, "b", "list-descriptors");
  host_wait(&p.h, "b", PM_EVENT_EXIT, 1);
  assert_string_equal(host_output(&p.h, "b", PM_STDOUT)->bytes, "0 pipe read\n1 pipe write\n2 pipe write\n");
  close_place(&p);
}

/* ---- rotation --------------------------------------------------------------------------- */

static void run_numbers(place_t *p, const char *count, unsigned max_files) {
  p->h.forgetful = true;
  p->h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = SMALL_FILE;
  p->h.options.value[PM_OPT_LOG_FILE_MAX_FILES] = max_files;
  host_spawn(&p->h, "a", "numbered-lines", count);
  host_wait(&p->h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p->h);
}

/* None is larger than allowed, none has half a line, all but the newest are about full. */
static void assert_files_are_sound(const place_t *p, unsigned files) {
  for (unsigned n = 0; n < files; n++) {
    char name[320];
    size_t len;
    numbered(name, sizeof(name), p->path, n);
    char *text = read_file(name, &len);
    assert_true(len > 0 && len <= SMALL_FILE);
    assert_true(n == 0 || len > SMALL_FILE - 64);
    assert_int_equal(text[len - 1], '\n');
    strip(text);
    free(text);
  }
}

static void test_rotation_keeps_the_newest(void **state) {
  (void)state;
  static const unsigned counts[] = {1, 2, 3};
  for (int i = 0; i < 3; i++) {
    place_t p;
    unsigned files;
    open_place(&p);
    run_numbers(&p, "10000", counts[i]);
    char *log = read_log(p.path, &files);
    assert_int_equal(files, counts[i]);
    assert_files_are_sound(&p, files);
    strip(log);
    unsigned long first = strtoul(log, NULL, 10);
    assert_string_equal(assert_numbers(log, first, 10000), "");
    free(log);
    close_place(&p);
  }
}

static void test_rotation_loses_nothing(void **state) {
  (void)state;
  place_t p;
  unsigned files;
  open_place(&p);
  run_numbers(&p, "10000", 1000);
  char *log = read_log(p.path, &files);
  assert_true(files > 50);
  assert_files_are_sound(&p, files);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 10000), "");
  free(log);
  close_place(&p);
}

/* One that is longer than a file may be has a file of its own. */
static void test_a_line_too_long_for_a_file(void **state) {
  (void)state;
  enum { LONG = 3 * SMALL_FILE };
  place_t p;
  open_place(&p);
  p.h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = SMALL_FILE;
  char *text = malloc(LONG + 16);
  memset(text, 'x', LONG);
  strcpy(text + LONG, "\nafter\n");
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "before\n");
  wait_log(&p, "before\n");
  write_text(&p, "a", text);
  wait_log(&p, "after\n");
  static const size_t lens[] = {5, LONG, 6};
  for (unsigned n = 0; n < 3; n++) {
    char name[320];
    numbered(name, sizeof(name), p.path, n);
    char *file = read_file(name, NULL);
    assert_non_null(file);
    strip(file);
    assert_int_equal(strlen(file), lens[n] + 1);
    free(file);
  }
  free(text);
  close_place(&p);
}

/* rename(2) of two names of one file does nothing. */
static void test_hard_links_among_the_files(void **state) {
  (void)state;
  enum { LINE = 100, LINES = 100, FILES = 3 };
  char directory[256];
  char path[400];
  char name[420];
  char text[LINE * LINES + 1];
  const char *syscall;
  size_t written;
  unsigned files;
  pm__append_file_t file;
  make_scratch(directory, sizeof(directory));
  snprintf(path, sizeof(path), "%s/log", directory);
  for (unsigned n = 0; n < LINES; n++)
    snprintf(text + (size_t)n * LINE, LINE + 1, "%0*u\n", LINE - 1, n);
  pm__append_file_init(&file, path, SMALL_FILE, FILES);
  assert_int_equal(pm__append_file_write(&file, text, LINE, &written, &syscall), 0);
  for (unsigned n = 1; n < FILES; n++) {
    numbered(name, sizeof(name), path, n);
    assert_int_equal(link(path, name), 0);
  }
  alarm(PATIENCE_MS / 1000); /* it would never return */
  assert_int_equal(pm__append_file_write(&file, text + LINE, sizeof(text) - 1 - LINE, &written, &syscall), 0);
  alarm(0);
  pm__append_file_close(&file);
  char *log = read_log(path, &files);
  assert_int_equal(files, FILES);
  assert_string_equal(log, text);
  for (unsigned n = 0; n < FILES; n++) {
    struct stat st;
    numbered(name, sizeof(name), path, n);
    assert_int_equal(stat(name, &st), 0);
    assert_true(st.st_size <= SMALL_FILE);
    assert_int_equal(st.st_nlink, 1);
  }
  free(log);
  remove_scratch(directory);
}

/* path.1 as a symbolic link is replaced, and so is what it may lead to: nothing. One
 * at the path itself is moved, not what it leads to. */
static void test_symbolic_links_among_the_files(void **state) {
  (void)state;
  char directory[256];
  char path[400];
  char target[400];
  char text[SMALL_FILE + 1];
  const char *syscall;
  size_t written;
  pm__append_file_t file;
  make_scratch(directory, sizeof(directory));
  snprintf(path, sizeof(path), "%s/log", directory);
  snprintf(target, sizeof(target), "%s/target", directory);
  assert_int_equal(symlink(target, path), 0);
  strcat(path, ".1");
  assert_int_equal(symlink("log", path), 0);
  path[strlen(path) - 2] = '\0';
  memset(text, 'x', SMALL_FILE);
  text[SMALL_FILE - 1] = '\n';
  text[SMALL_FILE] = '\0';
  pm__append_file_init(&file, path, SMALL_FILE, 2);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pm__append_file_write(&file, text, SMALL_FILE, &written, &syscall), 0);
  pm__append_file_close(&file);
  struct stat st;
  assert_int_equal(lstat(path, &st), 0);
  assert_true(S_ISREG(st.st_mode));
  char *log = read_file(path, NULL);
  assert_string_equal(log, text);
  free(log);
  log = read_file(target, NULL);
  assert_string_equal(log, text);
  free(log);
  remove_scratch(directory);
}

/* ---- one path -------------------------------------------------------------------------------- */

static void test_a_path_is_one_process_s(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  host_spawn(&p.h, "a", "echo-lines");
  assert_int_equal(host_try_spawn(&p.h, "b", "echo-lines"), UV_EEXIST);
  assert_string_equal(p.h.error.code, "ERR_LOG_FILE_IN_USE");
  assert_contains(p.h.error.message, p.path);
  assert_false(host_knows(&p.h, "b"));
  host_end(&p.h, "a");
  host_spawn(&p.h, "b", "echo-lines");
  write_text(&p, "b", "of b\n");
  wait_log(&p, "of b\n");

  /* The other way to come to life. */
  answer_t a = {.host = &p.h};
  assert_int_equal(pm_process_restart(p.h.m, str("a"), on_answer, &a, &p.h.error), UV_EEXIST);
  assert_string_equal(p.h.error.code, "ERR_LOG_FILE_IN_USE");
  host_restart(&p.h, "b", &a); /* its own path is not in its way */
  assert_true(host_answer(&p.h, &a));
  host_end(&p.h, "b");
  host_restart(&p.h, "b", &a);
  assert_true(host_answer(&p.h, &a));
  close_place(&p);
}

static int try_path(place_t *p, const char *path, unsigned max_files) {
  p->h.config.log_file = str(path);
  p->h.options.value[PM_OPT_LOG_FILE_MAX_FILES] = max_files;
  return host_try_spawn(&p->h, NULL, "numbered-lines", "1");
}

/* What rotation makes of one path is not another's, whoever comes first. */
static void test_paths_that_rotation_would_mix(void **state) {
  (void)state;
  place_t p;
  char numbered_path[420];
  open_place(&p);
  p.h.options.value[PM_OPT_LOG_FILE_MAX_FILES] = 3;
  host_spawn(&p.h, "a", "echo-lines");
  static const char *const refused[] = {".1", ".2"};
  static const char *const fine[] = {".3", ".0", ".01", ".1x", ".x", ".", "1", ".10", ".4294967297"};
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    snprintf(numbered_path, sizeof(numbered_path), "%s%s", p.path, refused[i]);
    assert_int_equal(try_path(&p, numbered_path, 3), UV_EEXIST);
    assert_string_equal(p.h.error.code, "ERR_LOG_FILE_IN_USE");
    assert_contains(p.h.error.message, numbered_path);
    assert_contains(p.h.error.message, "rotated over");
  }
  for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
    snprintf(numbered_path, sizeof(numbered_path), "%s%s", p.path, fine[i]);
    assert_int_equal(try_path(&p, numbered_path, 1), 0);
  }
  host_end(&p.h, "a");

  /* The other way round. */
  snprintf(numbered_path, sizeof(numbered_path), "%s.2", p.path);
  p.h.config.log_file = str(numbered_path);
  host_spawn(&p.h, "b", "echo-lines");
  assert_int_equal(try_path(&p, p.path, 3), UV_EEXIST);
  assert_string_equal(p.h.error.code, "ERR_LOG_FILE_IN_USE");
  answer_t a = {.host = &p.h};
  assert_int_equal(pm_process_restart(p.h.m, str("a"), on_answer, &a, &p.h.error), UV_EEXIST);
  assert_int_equal(try_path(&p, p.path, 2), 0);
  close_place(&p);
}

/* An ended process holds no file that another has moved away since. */
static void test_an_ended_process_lets_go(void **state) {
  (void)state;
  place_t p;
  answer_t a;
  open_place(&p);
  host_spawn(&p.h, "a", "numbered-lines", "3");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p.h);
  int open_now = count_descriptors();
  char moved[320];
  numbered(moved, sizeof(moved), p.path, 1);
  assert_int_equal(rename(p.path, moved), 0);
  host_restart(&p.h, "a", &a);
  assert_true(host_answer(&p.h, &a));
  host_wait(&p.h, "a", PM_EVENT_EXIT, 2);
  host_wait_idle(&p.h);
  assert_int_equal(count_descriptors(), open_now);
  char *log = read_file(p.path, NULL);
  assert_non_null(log);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 3), "");
  free(log);
  close_place(&p);
}

/* ---- what cannot be written -------------------------------------------------------------------- */

static void test_paths_that_cannot_be_written(void **state) {
  (void)state;
  place_t p;
  char missing[320];
  open_place(&p);
  snprintf(missing, sizeof(missing), "%s/missing/log", p.directory);
  const char *const paths[] = {p.directory, missing, "/dev/full"};
  static const char *const codes[] = {"EISDIR", "ENOENT", "EINVAL"};
  static const char *const ids[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) {
    p.h.config.log_file = str(paths[i]);
    host_spawn(&p.h, ids[i], "echo-lines");
    write_text(&p, ids[i], "one\n");
    const seen_t *error = host_wait(&p.h, ids[i], PM_EVENT_ERROR, 1);
    assert_string_equal(error->error.code, codes[i]);
    assert_string_equal(error->error.syscall, "open");
    assert_string_equal(error->error.path, paths[i]);
    assert_contains(error->error.message, paths[i]);
    assert_state(&p.h, ids[i], "running", "running");
  }
  char *log = host_log(&p.h, "b", PM_STDOUT);
  assert_string_equal(log, "one\n");
  free(log);

  /* What is in the way may go. */
  *strrchr(missing, '/') = '\0';
  assert_int_equal(mkdir(missing, 0700), 0);
  snprintf(p.path, sizeof(p.path), "%s/log", missing);
  write_text(&p, "b", "two\n");
  wait_log(&p, "two\n");
  log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(log, "one\ntwo\n");
  free(log);
  for (int i = 0; i < 3; i++)
    assert_int_equal(host_count(&p.h, ids[i], PM_EVENT_ERROR), 1);
  close_place(&p);
}

/* One that fails more often than once a second does not keep another from being tried
 * again. */
static void test_others_that_fail_meanwhile(void **state) {
  (void)state;
  enum { MOST = 100, PAUSE_MS = 50 };
  place_t p;
  char missing[320];
  int i = 0;
  open_place(&p);
  snprintf(missing, sizeof(missing), "%s/missing", p.directory);
  snprintf(p.path, sizeof(p.path), "%s/log", missing);
  p.h.config.log_file = str(p.path);
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "one\n");
  host_wait(&p.h, "a", PM_EVENT_ERROR, 1);
  assert_int_equal(mkdir(missing, 0700), 0);
  for (; i < MOST && access(p.path, F_OK) != 0; i++) {
    char path[400];
    char id[16];
    snprintf(path, sizeof(path), "%s/none/%d", p.directory, i);
    snprintf(id, sizeof(id), "b%d", i);
    p.h.config.log_file = str(path);
    host_spawn(&p.h, id, "numbered-lines", "1");
    host_wait(&p.h, id, PM_EVENT_ERROR, 1);
    host_pass_time(&p.h, PAUSE_MS);
  }
  assert_true(i > 0 && i < MOST);
  close_place(&p);
}

/* No file may become larger than that from now on: write(2) answers EFBIG as a full
 * disk answers ENOSPC. */
static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void write_numbers(place_t *p, unsigned long first, unsigned long last) {
  char line[32];
  for (unsigned long n = first; n <= last; n++) {
    snprintf(line, sizeof(line), "%lu\n", n);
    write_text(p, "a", line);
  }
  const record_t *lines = host_lines(&p->h, "a", PM_STDOUT);
  snprintf(line, sizeof(line), "\n%lu\n", last);
  while (!strstr(lines->bytes, line))
    host_pass_time(&p->h, 1);
}

/* Twice there is no room and then there is; each time that is said once, however
 * often it is tried. */
static void test_room_comes_back(void **state) {
  (void)state;
  place_t p;
  signal(SIGXFSZ, SIG_IGN);
  open_place(&p);
  host_spawn(&p.h, "a", "echo-lines");
  write_numbers(&p, 1, 10);
  wait_log(&p, " 10\n");
  for (unsigned long spell = 1; spell <= 2; spell++) {
    unsigned long at = 1000 * spell;
    struct stat st;
    stat(p.path, &st);
    limit_files((rlim_t)st.st_size + 100); /* which is no border of lines */
    write_numbers(&p, spell == 1 ? 11 : at - 1000 + 1, at - 500);
    const seen_t *error = host_wait(&p.h, "a", PM_EVENT_ERROR, spell);
    assert_string_equal(error->error.code, "EFBIG");
    assert_string_equal(error->error.syscall, "write");
    write_numbers(&p, at - 499, at);
    if (spell == 1) host_pass_time(&p.h, 2500); /* it is tried each second */
    assert_int_equal(host_count(&p.h, "a", PM_EVENT_ERROR), spell);
    stat(p.path, &st);
    limit_files(RLIM_INFINITY);
    char last[32];
    snprintf(last, sizeof(last), " %lu\n", at);
    wait_log(&p, last);
  }
  char *log = host_log(&p.h, "a", PM_STDOUT);
  assert_string_equal(assert_numbers(log, 1001, 2000), ""); /* maxLogLines */
  free(log);
  log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 2000), "");
  free(log);
  close_place(&p);
}

static size_t count_errors(host_t *h, const char *code) {
  size_t count = 0;
  for (size_t i = 0; i < h->seen_count; i++)
    if (h->seen[i]->kind == PM_EVENT_ERROR && strcmp(h->seen[i]->error.code, code) == 0) count++;
  return count;
}

/* More than may wait: the rest is counted, and the file says how many, at the place
 * where they are missing, also if nothing comes after them. An event tells of it, once. */
static void test_what_finds_no_room_is_counted(void **state) {
  (void)state;
  enum { LINES = 600000, MOST_WAITING = 16 << 20 };
  place_t p;
  answer_t a;
  unsigned long lost;
  signal(SIGXFSZ, SIG_IGN);
  open_place(&p);
  p.h.forgetful = true;
  p.h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = 1 << 30;
  limit_files(1000);
  host_spawn(&p.h, "a", "numbered-lines", "600000");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait(&p.h, "a", PM_EVENT_ERROR, 2);
  assert_int_equal(count_errors(&p.h, "EFBIG"), 1);
  assert_int_equal(count_errors(&p.h, "ERR_LOG_FILE_LOST_LINES"), 1);
  limit_files(RLIM_INFINITY);
  wait_log(&p, "lines lost]\n");
  host_restart(&p.h, "a", &a);
  host_wait(&p.h, "a", PM_EVENT_EXIT, 2);
  host_wait_idle(&p.h);
  assert_int_equal(host_count(&p.h, "a", PM_EVENT_ERROR), 2);

  char *log = read_file(p.path, NULL);
  const char *note = strstr(log, "[…");
  assert_non_null(note);
  assert_true(note - log > MOST_WAITING - 1024);
  strip(log);
  note = strstr(log, "[…");
  lost = strtoul(note + strlen("[… "), NULL, 10);
  assert_true(lost > 0 && lost < LINES);
  assert_ptr_equal(assert_numbers(log, 1, LINES - lost), note);
  assert_string_equal(assert_numbers(strchr(note, '\n') + 1, 1, LINES), "");
  free(log);
  close_place(&p);
}

/* The second spell is told of as the first was. */
static void test_each_spell_of_losses_is_told(void **state) {
  (void)state;
  place_t p;
  answer_t a;
  signal(SIGXFSZ, SIG_IGN);
  open_place(&p);
  p.h.forgetful = true;
  p.h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = 1 << 30;
  for (size_t spell = 1; spell <= 2; spell++) {
    limit_files(1000);
    if (spell == 1)
      host_spawn(&p.h, "a", "numbered-lines", "600000");
    else
      host_restart(&p.h, "a", &a);
    host_wait(&p.h, "a", PM_EVENT_EXIT, spell);
    host_wait(&p.h, "a", PM_EVENT_ERROR, 2 * spell);
    assert_int_equal(count_errors(&p.h, "ERR_LOG_FILE_LOST_LINES"), spell);
    limit_files(RLIM_INFINITY);
    wait_log(&p, "lines lost]\n");
    host_wait_idle(&p.h);
    assert_int_equal(unlink(p.path), 0);
  }
  close_place(&p);
}

/* A prefix of 32 bytes before each makes much of little. */
static void test_a_flood_of_empty_lines(void **state) {
  (void)state;
  enum { LINES = 1000000 };
  place_t p;
  open_place(&p);
  p.h.forgetful = true;
  p.h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = 1 << 30;
  host_spawn(&p.h, "a", "/bin/sh", "-c", "yes '' | head -n 1000000");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p.h);
  size_t len;
  char *log = read_file(p.path, &len);
  assert_int_equal(len, (size_t)LINES * (PREFIX_LEN + 1));
  assert_null(strstr(log, "lost"));
  assert_int_equal(host_count(&p.h, "a", PM_EVENT_ERROR), 0);
  free(log);
  close_place(&p);
}

/* Longer than all that may wait otherwise. */
static void test_a_line_of_any_length(void **state) {
  (void)state;
  enum { LONG = 20000000 };
  place_t p;
  open_place(&p);
  p.h.forgetful = true;
  p.h.options.value[PM_OPT_MAX_LOG_BYTES] = 1 << 26;
  p.h.options.value[PM_OPT_LOG_FILE_MAX_BYTES] = 1 << 30;
  host_spawn(&p.h, "a", "/bin/sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo next");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_int_equal(strspn(log, "x"), LONG);
  assert_string_equal(log + LONG, "\nnext\n");
  assert_int_equal(host_count(&p.h, "a", PM_EVENT_ERROR), 0);
  free(log);
  close_place(&p);
}

/* A line that is longer than a file may be, of which the disk took a part at first,
 * stays in one file. */
static void test_half_a_long_line_is_completed(void **state) {
  (void)state;
  enum { LONG = 3 * SMALL_FILE };
  char directory[256];
  char path[400];
  char *text = malloc(LONG + 16);
  const char *syscall = NULL;
  size_t written = 0;
  size_t more = 0;
  pm__append_file_t file;
  signal(SIGXFSZ, SIG_IGN);
  make_scratch(directory, sizeof(directory));
  snprintf(path, sizeof(path), "%s/log", directory);
  memset(text, 'x', LONG);
  strcpy(text + LONG, "\nafter\n");
  size_t len = strlen(text);
  pm__append_file_init(&file, path, SMALL_FILE, 5);
  limit_files(1000);
  int r = pm__append_file_write(&file, text, len, &written, &syscall);
  limit_files(RLIM_INFINITY);
  assert_int_equal(r, UV_EFBIG);
  assert_string_equal(syscall, "write");
  assert_int_equal(written, 1000);
  assert_int_equal(pm__append_file_write(&file, text + written, len - written, &more, &syscall), 0);
  assert_int_equal(written + more, len);
  pm__append_file_close(&file);

  char *newest = read_file(path, NULL);
  strcat(path, ".1");
  char *older = read_file(path, NULL);
  assert_string_equal(newest, "after\n");
  assert_non_null(older);
  assert_int_equal(strlen(older), LONG + 1);
  free(newest);
  free(older);
  free(text);
  remove_scratch(directory);
}

/* By somebody else, between the look at its size and that at its end. */
static void test_a_file_that_is_cut_meanwhile(void **state) {
  (void)state;
  char directory[256];
  char path[400];
  const char *syscall = NULL;
  size_t written;
  pm__append_file_t file;
  make_scratch(directory, sizeof(directory));
  snprintf(path, sizeof(path), "%s/log", directory);
  pm__append_file_init(&file, path, SMALL_FILE, 5);
  assert_int_equal(pm__append_file_write(&file, "one\n", 4, &written, &syscall), 0);
  pm__append_file_close(&file);
  errno = 0;
  is_cut = true;
  int r = pm__append_file_write(&file, "two\n", 4, &written, &syscall);
  is_cut = false;
  assert_int_equal(r, UV_EIO);
  assert_string_equal(syscall, "pread");
  assert_int_equal(written, 0);
  assert_int_equal(pm__append_file_write(&file, "two\n", 4, &written, &syscall), 0);
  pm__append_file_close(&file);
  char *log = read_file(path, NULL);
  assert_string_equal(log, "one\ntwo\n");
  free(log);
  remove_scratch(directory);
}

/* A file system of so many bytes that is mounted nowhere and goes with its
 * descriptor; negative if this user may not have one. */
static int tiny_file_system(const char *size) {
#ifdef FSOPEN_CLOEXEC
  int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
  int root = -1;
  if (fs < 0) return -1;
  if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
  close(fs);
  return root;
#else
  (void)size;
  return -1;
#endif
}

static void test_a_full_disk(void **state) {
  (void)state;
  enum { DISK = 64 * 1024, FILLER = 40 * 1024 };
  place_t p;
  int root = tiny_file_system("65536");
  if (root < 0) {
    print_message("left out, as this user has no file systems: a full disk\n");
    skip();
  }
  open_place(&p);
  char filler[300];
  snprintf(p.path, sizeof(p.path), "/proc/self/fd/%d/log", root);
  snprintf(filler, sizeof(filler), "/proc/self/fd/%d/filler", root);
  p.h.config.log_file = str(p.path);
  int fd = open(filler, O_WRONLY | O_CREAT, 0600);
  static char zeros[FILLER];
  assert_int_equal(write(fd, zeros, FILLER), FILLER);
  close(fd);
  host_spawn(&p.h, "a", "echo-lines");
  write_numbers(&p, 1, 1000); /* some 36 KB */
  const seen_t *error = host_wait(&p.h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "ENOSPC");
  assert_int_equal(unlink(filler), 0);
  wait_log(&p, " 1000\n");
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 1000), "");
  free(log);
  assert_int_equal(host_count(&p.h, "a", PM_EVENT_ERROR), 1);
  host_finish(&p.h);
  close(root);
  assert_no_child();
  remove_scratch(p.directory);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void end_after_some(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count) {
  unsigned *left = h->arg;
  (void)id;
  (void)stream;
  (void)lines;
  (void)count;
  if (*left > 0 && --*left == 0) host_begin_closing(h);
}

/* Closing in the middle of a flood: what listeners heard of is in the file. */
static void test_closing_writes_everything(void **state) {
  (void)state;
  for (unsigned calls = 1; calls < 12; calls += 2) {
    place_t p;
    unsigned left = calls;
    open_place(&p);
    p.h.arg = &left;
    p.h.on_lines = end_after_some;
    host_spawn(&p.h, "a", "numbered-lines", "200000");
    run_until(&p.h.loop, &p.h.closed);
    char *heard = strdup(host_lines(&p.h, "a", PM_STDOUT)->bytes);
    char *log = read_file(p.path, NULL);
    assert_non_null(log);
    strip(log);
    assert_true(strlen(heard) > 0);
    assert_true(strcmp(log, heard) == 0);
    free(heard);
    free(log);
    close_place(&p);
  }
}

static void kill_after_some(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count) {
  place_t *p = (place_t *)h;
  unsigned *left = h->arg;
  (void)stream;
  (void)lines;
  (void)count;
  if (*left == 0 || --*left > 0) return;
  pm_manager_kill_all(h->m);
  char name[64];
  snprintf(name, sizeof(name), "%.*s", (int)id.len, id.base);
  char *log = read_file(p->path, NULL);
  assert_non_null(log);
  strip(log);
  assert_true(strcmp(log, host_lines(h, name, PM_STDOUT)->bytes) == 0);
  free(log);
  pm_manager_kill_all(h->m);
}

/* As when the host exits: the loop does not turn again. A write of what came before
 * is under way meanwhile, or waits for a thread. */
static void test_kill_all_writes_everything(void **state) {
  (void)state;
  for (unsigned calls = 1; calls < 20; calls += 3) {
    place_t p;
    unsigned left = calls;
    open_place(&p);
    p.h.arg = &left;
    p.h.on_lines = kill_after_some;
    host_spawn(&p.h, "a", "flood", "2000000", "80");
    host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
    assert_int_equal(left, 0);
    host_wait_idle(&p.h);
    char *log = read_file(p.path, NULL);
    strip(log);
    assert_true(strcmp(log, host_lines(&p.h, "a", PM_STDOUT)->bytes) == 0); /* nothing is doubled */
    free(log);
    close_place(&p);
  }
}

/* Nor does an error keep the host from its end. */
static void test_the_end_with_a_full_disk(void **state) {
  (void)state;
  place_t p;
  signal(SIGXFSZ, SIG_IGN);
  open_place(&p);
  host_spawn(&p.h, "a", "echo-lines");
  limit_files(10);
  write_numbers(&p, 1, 100);
  host_wait(&p.h, "a", PM_EVENT_ERROR, 1);
  pm_manager_kill_all(p.h.m);
  host_begin_closing(&p.h);
  run_until(&p.h.loop, &p.h.closed);
  limit_files(RLIM_INFINITY);
  close_place(&p);
}

static void no_work(uv_work_t *work) {
  (void)work;
}

static void note_work(uv_work_t *work, int status) {
  assert_int_equal(status, 0);
  *(bool *)work->data = true;
}

/* Its threads are libuv's pool, which has four and is the host's, too. */
static void test_a_hanging_disk_leaves_the_pool_alone(void **state) {
  (void)state;
  enum { FILES = 6, MOST_WRITES = 2 };
  static const char *const ids[FILES] = {"a", "b", "c", "d", "e", "f"};
  place_t p;
  char paths[FILES][420];
  bool done = false;
  uv_work_t work = {.data = &done};
  open_place(&p);
  let_disk_hang(true);
  for (int i = 0; i < FILES; i++) {
    snprintf(paths[i], sizeof(paths[i]), "%s-%d", p.path, i);
    p.h.config.log_file = str(paths[i]);
    host_spawn(&p.h, ids[i], "numbered-lines", "100");
    host_wait(&p.h, ids[i], PM_EVENT_EXIT, 1);
  }
  uv_queue_work(&p.h.loop, &work, no_work, note_work);
  for (int ms = 0; ms < PATIENCE_MS && (!done || count_disk_writers() < MOST_WRITES); ms += 10)
    host_pass_time(&p.h, 10);
  bool is_free = done;
  int writers = count_disk_writers();
  let_disk_hang(false);
  assert_true(is_free);
  assert_int_equal(writers, MOST_WRITES);
  host_wait_idle(&p.h);
  for (int i = 0; i < FILES; i++) {
    char *log = read_file(paths[i], NULL);
    strip(log);
    assert_string_equal(assert_numbers(log, 1, 100), "");
    free(log);
  }
  close_place(&p);
}

/* Their writes and rotations would mix. */
static void test_the_last_lines_of_the_one_before_come_first(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  let_disk_hang(true);
  host_spawn(&p.h, "a", "numbered-lines", "100");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  host_spawn(&p.h, "b", "numbered-lines", "50");
  host_wait(&p.h, "b", PM_EVENT_EXIT, 1);
  for (int ms = 0; ms < PATIENCE_MS && count_disk_writers() == 0; ms += 10)
    host_pass_time(&p.h, 10);
  host_pass_time(&p.h, 50);
  int writers = count_disk_writers();
  let_disk_hang(false);
  assert_int_equal(writers, 1);
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(assert_numbers(log, 1, 100), 1, 50), "");
  free(log);
  close_place(&p);
}

/* The end of the host waits a second for it, not for ever. */
static void test_the_end_with_a_hanging_disk(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  let_disk_hang(true);
  host_spawn(&p.h, "a", "echo-lines");
  write_text(&p, "a", "one\n");
  for (int ms = 0; ms < PATIENCE_MS && count_disk_writers() == 0; ms += 10)
    host_pass_time(&p.h, 10);
  assert_int_equal(count_disk_writers(), 1);
  alarm(PATIENCE_MS / 1000); /* it would never return */
  pm_manager_kill_all(p.h.m);
  alarm(0);
  let_disk_hang(false);
  host_end(&p.h, "a");
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(log, "one\n");
  free(log);
  close_place(&p);
}

static void test_a_forgotten_process_s_file_is_written(void **state) {
  (void)state;
  place_t p;
  open_place(&p);
  host_spawn(&p.h, "a", "numbered-lines", "20000");
  host_wait(&p.h, "a", PM_EVENT_EXIT, 1);
  while (pm_process_remove(p.h.m, str("a")) == UV_EBUSY)
    host_pass_time(&p.h, 1);
  host_wait_idle(&p.h);
  char *log = read_file(p.path, NULL);
  strip(log);
  assert_string_equal(assert_numbers(log, 1, 20000), "");
  free(log);
  close_place(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_have_time_and_stream),
      cmocka_unit_test(test_all_of_a_run),
      cmocka_unit_test(test_nobody_need_listen),
      cmocka_unit_test(test_an_existing_file_is_continued),
      cmocka_unit_test(test_strays_alone),
      cmocka_unit_test(test_no_command_has_the_file),
      cmocka_unit_test(test_rotation_keeps_the_newest),
      cmocka_unit_test(test_rotation_loses_nothing),
      cmocka_unit_test(test_a_line_too_long_for_a_file),
      cmocka_unit_test(test_hard_links_among_the_files),
      cmocka_unit_test(test_symbolic_links_among_the_files),
      cmocka_unit_test(test_a_path_is_one_process_s),
      cmocka_unit_test(test_paths_that_rotation_would_mix),
      cmocka_unit_test(test_an_ended_process_lets_go),
      cmocka_unit_test(test_paths_that_cannot_be_written),
      cmocka_unit_test(test_others_that_fail_meanwhile),
      cmocka_unit_test(test_room_comes_back),
      cmocka_unit_test(test_what_finds_no_room_is_counted),
      cmocka_unit_test(test_each_spell_of_losses_is_told),
      cmocka_unit_test(test_a_flood_of_empty_lines),
      cmocka_unit_test(test_a_line_of_any_length),
      cmocka_unit_test(test_half_a_long_line_is_completed),
      cmocka_unit_test(test_a_file_that_is_cut_meanwhile),
      cmocka_unit_test(test_a_full_disk),
      cmocka_unit_test(test_closing_writes_everything),
      cmocka_unit_test(test_kill_all_writes_everything),
      cmocka_unit_test(test_the_end_with_a_full_disk),
      cmocka_unit_test(test_a_hanging_disk_leaves_the_pool_alone),
      cmocka_unit_test(test_the_last_lines_of_the_one_before_come_first),
      cmocka_unit_test(test_the_end_with_a_hanging_disk),
      cmocka_unit_test(test_a_forgotten_process_s_file_is_written),
  };
  return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
