/* stdout that is not read for a while: the command waits, nothing is lost, and stderr goes on. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/internal.h"
#include "core/table.h"
#include "literals.h"
#include "pm_fixture.h"

enum { PATIENCE_MS = 20 * 1000, PIPE_SIZE = 64 * 1024 };

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

static int set_paused(host_t *h, const char *id, bool paused) {
  return pm_process_pause(h->m, str(id), paused);
}

static void write_text(host_t *h, const char *id, const char *text) {
  bool ready;
  assert_int_equal(pm_process_write(h->m, str(id), str(text), &ready, &h->error), 0);
}

static pm__output_t *output_of(host_t *h, const char *id) {
  return &pm__table_find(h->m, str(id))->run->output[PM_STDOUT];
}

/* Until the pipe holds all that it can (how much that is depends on who else has
 * pipes): the command blocks then. */
static void wait_until_full(host_t *h, const char *id, int most_left) {
  const pm__pipe_t *pipe = &output_of(h, id)->pipe;
  int size = fcntl(pipe->fd, F_GETPIPE_SZ);
  int held = 0;
  for (int ms = 0; ms < PATIENCE_MS; ms++) {
    assert_int_equal(ioctl(pipe->fd, FIONREAD, &held), 0);
    if (held + most_left >= size) return;
    host_pass_time(h, 1);
  }
  fail_msg("the pipe holds %d of %d bytes", held, size);
}

static void assert_all_numbers(const char *text, unsigned long last) {
  for (unsigned long n = 1; n <= last; n++) {
    unsigned long got = 0;
    for (; *text >= '0' && *text <= '9'; text++)
      got = got * 10 + (unsigned long)(*text - '0');
    if (got != n) fail_msg("%lu where %lu was to come", got, n);
    while (*text && *text != '\n')
      text++;
    if (*text == '\n') text++;
  }
  assert_string_equal(text, "");
}

static void test_the_command_waits(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "numbered-lines", "100000");
  assert_int_equal(set_paused(&h, "a", true), 0);
  assert_true(host_status(&h, "a").paused);
  wait_until_full(&h, "a", 0);
  host_pass_time(&h, 50);
  assert_int_equal(host_status(&h, "a").streams[PM_STDOUT].lines, 0);
  assert_int_equal(host_output(&h, "a", PM_STDOUT)->calls, 0);
  assert_state(&h, "a", "running", "running");
  assert_int_equal(set_paused(&h, "a", false), 0);
  assert_false(host_status(&h, "a").paused);
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_all_numbers(host_output(&h, "a", PM_STDOUT)->bytes, 100000);
  assert_all_numbers(host_lines(&h, "a", PM_STDOUT)->bytes, 100000);
  host_close(&h);
}

static void test_stderr_goes_on(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "echo-lines");
  assert_int_equal(set_paused(&h, "a", true), 0);
  for (int i = 0; i < 100; i++)
    write_text(&h, "a", "out\n!err\n");
  const record_t *err = host_lines(&h, "a", PM_STDERR);
  while (err->len < 100 * strlen("err\n"))
    host_pass_time(&h, 1);
  assert_int_equal(host_output(&h, "a", PM_STDOUT)->calls, 0);
  assert_int_equal(set_paused(&h, "a", false), 0);
  const record_t *out = host_lines(&h, "a", PM_STDOUT);
  while (out->len < 100 * strlen("out\n"))
    host_pass_time(&h, 1);
  host_close(&h);
}

/* A consumer that lags behind: it says so from within, and goes on later. */
static void pause_at_each(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes) {
  unsigned *pauses = h->arg;
  (void)stream;
  (void)bytes;
  if (pm_process_pause(h->m, id, true) == 0) ++*pauses;
}

static void test_pausing_from_within(void **state) {
  (void)state;
  host_t h;
  unsigned pauses = 0;
  open_host(&h);
  h.arg = &pauses;
  h.on_output = pause_at_each;
  host_spawn(&h, "a", "numbered-lines", "100000");
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  for (int ms = 0; host_count(&h, "a", PM_EVENT_EXIT) == 0; ms++) {
    if (ms > PATIENCE_MS) fail_msg("it never ends");
    size_t calls = output->calls;
    if (host_status(&h, "a").paused) {
      host_turn(&h, 3);
      if (host_count(&h, "a", PM_EVENT_EXIT) == 0) assert_int_equal(output->calls, calls);
      set_paused(&h, "a", false);
    }
    host_pass_time(&h, 1);
  }
  assert_true(pauses > 3);
  assert_all_numbers(output->bytes, 100000);
  host_close(&h);
}

static void test_exit_while_paused(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "numbered-lines", "10000"); /* less than a pipe holds */
  assert_int_equal(set_paused(&h, "a", true), 0);
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_all_numbers(host_output(&h, "a", PM_STDOUT)->bytes, 10000);
  assert_false(host_status(&h, "a").paused);
  assert_int_equal(set_paused(&h, "a", true), UV_ESRCH);
  host_close(&h);
}

/* It is blocked at its pipe, which it cannot be for ever. */
static void test_stop_while_paused(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "flood", "1000000000", "64");
  assert_int_equal(set_paused(&h, "a", true), 0);
  wait_until_full(&h, "a", 64);
  size_t held = pm__pipe_available(&output_of(&h, "a")->pipe);
  host_end(&h, "a");
  assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
  assert_int_equal(host_output(&h, "a", PM_STDOUT)->len, held);
  host_close(&h);
}

static void test_a_start_begins_unpaused(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  host_spawn(&h, "a", "say-ready");
  host_wait_output(&h, "a", "ready\n");
  assert_int_equal(set_paused(&h, "a", true), 0);
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  assert_false(host_status(&h, "a").paused);
  host_wait_output(&h, "a", "ready\nready\n");
  host_close(&h);
}

static void test_pausing_twice_is_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "echo-lines");
  assert_int_equal(set_paused(&h, "a", false), 0);
  assert_int_equal(set_paused(&h, "a", true), 0);
  assert_int_equal(set_paused(&h, "a", true), 0);
  assert_int_equal(set_paused(&h, "a", false), 0);
  write_text(&h, "a", "heard\n");
  host_wait_output(&h, "a", "heard\n");
  host_close(&h);
}

/* One that rests is forgotten by what reads it, and comes back. */
static void test_pausing_what_nobody_listens_to(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_MAX_LOG_LINES] = 100000;
  h.options.value[PM_OPT_MAX_LOG_BYTES] = 16 << 20;
  h.options.value[PM_OPT_PIPE_SIZE] = PIPE_SIZE;
  host_open(&h);
  pm_manager_listen(h.m, 0);
  host_spawn(&h, "a", "tick-lines", "40000", "10", "40");
  unsigned pauses = 0;
  uint64_t lines = 0;
  while (host_count(&h, "a", PM_EVENT_EXIT) == 0) {
    uint64_t now = host_status(&h, "a").streams[PM_STDOUT].lines;
    if (now < lines + 1000 || now > 30000) {
      host_pass_time(&h, 1);
      continue;
    }
    assert_int_equal(set_paused(&h, "a", true), 0);
    assert_false(output_of(&h, "a")->resting);
    lines = now;
    wait_until_full(&h, "a", PIPE_SIZE / 16); /* a page is not filled up by short lines */
    assert_int_equal(host_status(&h, "a").streams[PM_STDOUT].lines, lines);
    assert_int_equal(set_paused(&h, "a", false), 0);
    pauses++;
  }
  assert_true(pauses > 0);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  char *log = host_log(&h, "a", PM_STDOUT);
  assert_all_numbers(log, 40000);
  free(log);
  host_close(&h);
}

static void test_nobody_to_pause(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  assert_int_equal(set_paused(&h, "a", true), UV_ENOENT);
  host_spawn(&h, "none", "/no/such/command");
  assert_int_equal(set_paused(&h, "none", true), UV_ESRCH);
  host_spawn(&h, "a", "say-ready");
  host_end(&h, "a");
  assert_int_equal(set_paused(&h, "a", true), UV_ESRCH);
  assert_int_equal(set_paused(&h, "a", false), UV_ESRCH);

  /* One that has closed its stdout. */
  host_spawn(&h, "b", "tick-lines", "1", "1", "10", "close");
  const record_t *err = host_lines(&h, "b", PM_STDERR);
  while (err->len == 0 || output_of(&h, "b")->pipe.fd >= 0)
    host_pass_time(&h, 1);
  assert_int_equal(set_paused(&h, "b", true), UV_ESRCH);
  assert_false(host_status(&h, "b").paused);
  host_close(&h);
}

static void test_closing_while_paused(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "flood", "1000000000", "64");
  assert_int_equal(set_paused(&h, "a", true), 0);
  host_turn(&h, 3);
  pm_manager_unref(h.m);
  assert_false(uv_loop_alive(&h.loop));
  pm_manager_ref(h.m);
  assert_true(uv_loop_alive(&h.loop)); /* it lives as long as the command, paused or not */
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_command_waits),     cmocka_unit_test(test_stderr_goes_on),
      cmocka_unit_test(test_pausing_from_within),   cmocka_unit_test(test_exit_while_paused),
      cmocka_unit_test(test_stop_while_paused),     cmocka_unit_test(test_a_start_begins_unpaused),
      cmocka_unit_test(test_pausing_twice_is_once), cmocka_unit_test(test_pausing_what_nobody_listens_to),
      cmocka_unit_test(test_nobody_to_pause),       cmocka_unit_test(test_closing_while_paused),
  };
  return cmocka_run_group_tests_name("pause", tests, NULL, NULL);
}
