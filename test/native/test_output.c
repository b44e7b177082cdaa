/* From a command's stdout to the log and to listeners: complete, in order, whole characters. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

/* ---- much of it ------------------------------------------------------------------ */

typedef struct count {
  unsigned long lines, bytes;
  bool wrong, late;
} count_t;

static void count_lines(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count) {
  count_t *c = h->arg;
  (void)id;
  (void)stream;
  for (size_t i = 0; i < count; i++) {
    unsigned long n = 0;
    for (size_t at = 0; at < lines[i].len; at++)
      n = n * 10 + (unsigned long)(lines[i].base[at] - '0');
    c->wrong |= n != ++c->lines;
  }
  c->late |= host_count(h, NULL, PM_EVENT_EXIT) > 0;
}

static void count_bytes(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes) {
  count_t *c = h->arg;
  (void)id;
  (void)stream;
  c->bytes += bytes.len;
  c->late |= host_count(h, NULL, PM_EVENT_EXIT) > 0;
}

static void test_all_lines_arrive_before_exit(void **state) {
  (void)state;
  bool light = is_light("a million lines; a tenth of it is done");
  unsigned long bytes = light ? 588895 : 6888896;
  unsigned long lines = light ? 100000 : 1000000;
  char number[16];
  count_t c = {0};
  host_t h;
  open_host(&h);
  h.forgetful = true;
  h.arg = &c;
  h.on_lines = count_lines;
  h.on_output = count_bytes;
  snprintf(number, sizeof(number), "%lu", lines);
  host_spawn(&h, "a", "numbered-lines", number);
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_int_equal(c.lines, lines);
  assert_int_equal(c.bytes, bytes);
  assert_false(c.wrong);
  assert_false(c.late);

  char *log = host_log(&h, "a", PM_STDOUT);
  assert_int_equal(strtoul(log, NULL, 10), lines - 999);
  assert_string_equal(strrchr(log, '\n'), "\n");
  free(log);
  host_close(&h);
}

static void test_one_endless_line_is_bounded(void **state) {
  (void)state;
  enum { MB = 1000000, KEPT = 64 * 1024 };
  unsigned long bytes = is_light("100 MB on one line; 3 MB are done") ? 3UL * MB : 100UL * MB;
  char number[16];
  count_t c = {0};
  host_t h;
  open_host(&h);
  h.forgetful = true;
  h.arg = &c;
  h.on_output = count_bytes;
  h.options.value[PM_OPT_MAX_LOG_BYTES] = KEPT;
  snprintf(number, sizeof(number), "%lu", bytes);
  host_spawn(&h, "a", "one-line", number);
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_int_equal(c.bytes, bytes);
  assert_int_equal(host_lines(&h, "a", PM_STDOUT)->calls, 1);
  char *log = host_log(&h, "a", PM_STDOUT);
  assert_in_range(strlen(log), KEPT, KEPT + 100);
  char cut[64];
  snprintf(cut, sizeof(cut), "%lu bytes cut", bytes - KEPT);
  assert_non_null(strstr(log + KEPT - 100, cut));
  free(log);
  host_close(&h);
}

/* ---- what a line is ----------------------------------------------------------------- */

static void write_hex(host_t *h, const char *id, const char *hex) {
  bool ready;
  const record_t *oks = host_output(h, id, PM_STDERR);
  size_t before = oks->len;
  assert_int_equal(pm_process_write(h->m, str(id), str(hex), &ready, &h->error), 0);
  assert_int_equal(pm_process_write(h->m, str(id), str("\n"), &ready, &h->error), 0);
  while (oks->len < before + strlen("ok\n")) {
    h->news = false;
    run_until(&h->loop, &h->news);
  }
  /* Stdout was written before; it is read in the same turn at the latest. */
  host_turn(h, 2);
}

static void test_line_ends(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "write-hex");
  write_hex(&h, "a", "610d0a");     /* a CR LF */
  write_hex(&h, "a", "620a0a");     /* b LF LF */
  write_hex(&h, "a", "63000d640a"); /* c NUL CR d LF */
  write_hex(&h, "a", "650d");       /* e CR */
  write_hex(&h, "a", "0a66");       /* LF f, without end */
  const record_t *lines = host_lines(&h, "a", PM_STDOUT);
  static const char before[] = "a\nb\n\nc\0\rd\ne\n";
  assert_int_equal(lines->len, sizeof(before) - 1);
  assert_memory_equal(lines->bytes, before, sizeof(before) - 1);
  host_end_stdin(&h, "a");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  static const char after[] = "a\nb\n\nc\0\rd\ne\nf\n";
  assert_int_equal(lines->len, sizeof(after) - 1);
  assert_memory_equal(lines->bytes, after, sizeof(after) - 1);
  static const char raw[] = "a\r\nb\n\nc\0\rd\ne\r\nf";
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  assert_int_equal(output->len, sizeof(raw) - 1);
  assert_memory_equal(output->bytes, raw, sizeof(raw) - 1);
  assert_string_equal(host_lines(&h, "a", PM_STDERR)->bytes, "ok\nok\nok\nok\nok\n");
  host_close(&h);
}

/* ---- characters ------------------------------------------------------------------------ */

/* Bytes that the last character of a chunk still lacks. */
static size_t lacking(pm_str_t bytes) {
  for (size_t back = 1; back <= 4 && back <= bytes.len; back++) {
    unsigned char c = (unsigned char)bytes.base[bytes.len - back];
    if ((c & 0xc0) == 0x80) continue;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return len > back ? len - back : 0;
  }
  return 0;
}

static void expect_whole_characters(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes) {
  (void)h;
  (void)id;
  (void)stream;
  assert_int_equal(lacking(bytes), 0);
}

/* a, e with acute, euro sign, grinning face, z. */
static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
static const char text_hex[] = "61c3a9e282acf09f98807a";
enum { TEXT_LEN = sizeof(text) - 1 };

static void test_characters_are_not_cut(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "write-hex");
  h.on_output = expect_whole_characters;
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  for (size_t first = 1; first < TEXT_LEN; first++) {
    for (size_t second = first; second <= TEXT_LEN; second++) {
      char hex[3][2 * TEXT_LEN + 1];
      size_t before = output->len;
      snprintf(hex[0], sizeof(hex[0]), "%.*s", (int)(2 * first), text_hex);
      snprintf(hex[1], sizeof(hex[1]), "%.*s", (int)(2 * (second - first)), text_hex + 2 * first);
      snprintf(hex[2], sizeof(hex[2]), "%s", text_hex + 2 * second);
      for (int i = 0; i < 3; i++)
        write_hex(&h, "a", hex[i]);
      assert_int_equal(output->len, before + TEXT_LEN);
      assert_memory_equal(output->bytes + before, text, TEXT_LEN);
    }
  }
  host_close(&h);
}

/* Other encodings: chunks as they come. */
static void test_bytes_are_not_held_back(void **state) {
  (void)state;
  static const pm_encoding_t encodings[] = {PM_ENCODING_LATIN1, PM_ENCODING_BUFFER};
  for (int i = 0; i < 2; i++) {
    host_t h;
    open_host(&h);
    h.options.value[PM_OPT_ENCODING] = encodings[i];
    host_spawn(&h, "a", "write-hex");
    write_hex(&h, "a", "e282");
    assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "\xe2\x82");
    write_hex(&h, "a", "ac");
    assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "\xe2\x82\xac");
    host_close(&h);
  }
}

/* What is no UTF-8 is passed on, and what is cut by the end comes at the end. */
static void test_invalid_bytes_are_kept(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "bad-utf8");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  const char *expected = "good \xe2\x82\xac\nstray \x80 \xbf\nnever \xff \xfe \xc0\xaf\noverlong \xe0\x80\xaf\n"
                         "surrogate \xed\xa0\x80\nlarge \xf4\x90\x80\x80\ncut \xf0\x9f\x98\nend \xe2\x82";
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, expected);
  const record_t *lines = host_lines(&h, "a", PM_STDOUT);
  assert_int_equal(lines->len, strlen(expected) + 1);
  assert_memory_equal(lines->bytes, expected, strlen(expected));
  host_close(&h);
}

/* ---- who listens --------------------------------------------------------------------------- */

static void test_log_fills_unheard(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  pm_manager_listen(h.m, 0);
  h.options.value[PM_OPT_MAX_LOG_LINES] = 3;
  host_spawn(&h, "a", "numbered-lines", "1000");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(h.record_count, 0);
  char *log = host_log(&h, "a", PM_STDOUT);
  assert_string_equal(log, "998\n999\n1000\n");
  free(log);
  host_close(&h);
}

static void test_listeners_come_and_go(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "write-hex");
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  const record_t *lines = host_lines(&h, "a", PM_STDOUT);
  unsigned ok = PM_LISTEN_STDERR; /* what write_hex waits for */
  pm_manager_listen(h.m, ok);
  write_hex(&h, "a", "610a");
  assert_int_equal(output->calls + lines->calls, 0);
  pm_manager_listen(h.m, ok | PM_LISTEN_STDOUT);
  write_hex(&h, "a", "620a");
  assert_string_equal(output->bytes, "b\n");
  assert_int_equal(lines->calls, 0);
  pm_manager_listen(h.m, ok | PM_LISTEN_LINES);
  write_hex(&h, "a", "630a64");
  assert_string_equal(output->bytes, "b\n");
  assert_string_equal(lines->bytes, "c\n");
  pm_manager_listen(h.m, ok);
  write_hex(&h, "a", "650a");
  assert_string_equal(lines->bytes, "c\n");
  char *log = host_log(&h, "a", PM_STDOUT);
  assert_string_equal(log, "a\nb\nc\nde\n");
  free(log);
  host_close(&h);
}

/* The held back beginning of a character is not handed to nobody. */
static void test_rest_is_not_given_to_nobody(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "write-hex");
  write_hex(&h, "a", "61e282");
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  assert_string_equal(output->bytes, "a");
  pm_manager_listen(h.m, 0);
  host_end_stdin(&h, "a");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(output->calls, 1);
  host_close(&h);
}

/* ---- after the end ---------------------------------------------------------------------------- */

/* The exit of "a" has been said; what its descendant writes then is logged only. */
static void assert_logged_only(host_t *h, int descendant) {
  size_t calls = host_output(h, "a", PM_STDOUT)->calls + host_lines(h, "a", PM_STDOUT)->calls;
  kill(descendant, SIGUSR1);
  char *log = host_log(h, "a", PM_STDOUT);
  for (int i = 0; i < 10000 && !strstr(log, "late\n"); i++) {
    free(log);
    host_pass_time(h, 1);
    log = host_log(h, "a", PM_STDOUT);
  }
  assert_non_null(strstr(log, "late\n"));
  free(log);
  assert_int_equal(host_output(h, "a", PM_STDOUT)->calls + host_lines(h, "a", PM_STDOUT)->calls, calls);
  assert_true(h->active);
}

/* While it is being swept, where a keeper has it. */
static void test_late_output_is_logged_only(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STOP_TIMEOUT] = 60000;
  host_spawn(&h, "a", "spawn-grandchild", "setsid-late-ignore", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  int pid = host_grandchild(&h, "a");
  assert_state(&h, "a", "stopped", is_kept(&h, "a") ? "stopping" : "exited");
  assert_logged_only(&h, pid);
  answer_t a;
  host_stop(&h, "a", 0, &a);
  assert_true(host_answer(&h, &a));
  assert_int_equal(is_running(pid), !is_kept(&h, "a"));
  if (is_running(pid)) end_stray(pid);
  host_wait_idle(&h);
  host_close(&h);
}

/* One that left the group is out of reach without a keeper. */
static void test_late_output_of_an_escapee(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
  host_spawn(&h, "a", "spawn-grandchild", "setsid-late", "0");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  int pid = host_grandchild(&h, "a");
  assert_logged_only(&h, pid);

  /* A new start ends that: the old pipe is closed. */
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  host_wait(&h, "a", PM_EVENT_EXIT, 2);
  kill(pid, SIGUSR1);
  wait_until_ended(pid);
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  end_stray(atoi(strrchr(output->bytes, ' ') + 1));
  host_wait_idle(&h);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_lines_arrive_before_exit),
      cmocka_unit_test(test_one_endless_line_is_bounded),
      cmocka_unit_test(test_line_ends),
      cmocka_unit_test(test_characters_are_not_cut),
      cmocka_unit_test(test_bytes_are_not_held_back),
      cmocka_unit_test(test_invalid_bytes_are_kept),
      cmocka_unit_test(test_log_fills_unheard),
      cmocka_unit_test(test_listeners_come_and_go),
      cmocka_unit_test(test_rest_is_not_given_to_nobody),
      cmocka_unit_test(test_late_output_is_logged_only),
      cmocka_unit_test(test_late_output_of_an_escapee),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
