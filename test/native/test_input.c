/* What is written to a command's stdin: all of it, bounded, and accounted for when it is lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "core/internal.h"
#include "core/table.h"
#include "pm_fixture.h"

enum { PIPE_SIZE = 64 * 1024, BLOCK = 10000 };

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

static void test_echo_of_much_data(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  enum { BLOCKS = 300 };
  size_t drains = 0;
  for (int i = 0; i < BLOCKS; i++) {
    bool ready;
    assert_int_equal(host_write_block(&h, "a", BLOCK, &ready), 0);
    if (!ready) host_wait(&h, "a", PM_EVENT_DRAIN, ++drains);
  }
  assert_true(drains > 0);
  host_end_stdin(&h, "a");
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_DRAIN), drains);
  const record_t *output = host_output(&h, "a", PM_STDOUT);
  assert_int_equal(output->len, BLOCKS * BLOCK);
  for (size_t i = 0; i < output->len; i++)
    if (output->bytes[i] != 'a' + (int)(i % BLOCK % 26)) fail_msg("wrong byte at %zu", i);
  host_close(&h);
}

/* ready is true until the high-water mark; one drain follows however many
 * writes were answered with false. */
static void test_high_water_mark(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STDIN_HIGH_WATER_MARK] = 1000;
  host_spawn(&h, "a", "exit-on-eof");
  host_wait_output(&h, "a", "ready\n");
  host_spawn(&h, "b", "never-read-stdin");
  host_wait_output(&h, "b", "ready\n");
  bool ready;
  assert_int_equal(host_write_block(&h, "b", PIPE_SIZE, &ready), 0);
  assert_true(ready);
  assert_int_equal(host_write_block(&h, "b", 999, &ready), 0);
  assert_true(ready);
  assert_int_equal(host_write_block(&h, "b", 1, &ready), 0);
  assert_false(ready);

  assert_int_equal(host_write_block(&h, "a", 1 << 20, &ready), 0);
  assert_false(ready);
  assert_int_equal(host_write_block(&h, "a", 5, &ready), 0);
  assert_false(ready);
  host_wait(&h, "a", PM_EVENT_DRAIN, 1);
  assert_int_equal(host_write_block(&h, "a", 5, &ready), 0);
  assert_true(ready);
  host_turn(&h, 5);
  assert_int_equal(host_count(&h, NULL, PM_EVENT_DRAIN), 1);
  host_close(&h);
}

static void test_queue_is_bounded(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_MAX_STDIN_BYTES] = PIPE_SIZE;
  host_spawn(&h, "a", "never-read-stdin");
  host_wait_output(&h, "a", "ready\n");
  bool ready;
  assert_int_equal(host_write_block(&h, "a", PIPE_SIZE + 1, &ready), UV_ENOBUFS);
  assert_string_equal(h.error.code, "ERR_STDIN_FULL");
  assert_int_equal(host_write_block(&h, "a", PIPE_SIZE, &ready), 0); /* into the pipe itself */
  size_t queued = 0;
  int r;
  while ((r = host_write_block(&h, "a", BLOCK, &ready)) == 0)
    queued += BLOCK;
  assert_int_equal(r, UV_ENOBUFS);
  assert_string_equal(h.error.code, "ERR_STDIN_FULL");
  assert_int_equal(queued, PIPE_SIZE / BLOCK * BLOCK);
  /* Nothing of what was refused was taken, what fits still is. */
  assert_int_equal(host_write_block(&h, "a", PIPE_SIZE - queued, &ready), 0);
  assert_int_equal(host_write_block(&h, "a", 1, &ready), UV_ENOBUFS);
  host_end(&h, "a");
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, PIPE_SIZE);
  /* What a stop leaves unread is no failure of its own. */
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  assert_int_equal(host_write_block(&h, "a", 1, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  host_close(&h);
}

static void test_reader_is_gone(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "close-stdin");
  host_wait_output(&h, "a", "ready\n");
  bool ready;
  assert_int_equal(host_write_block(&h, "a", 5, &ready), 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "EPIPE");
  assert_string_equal(error->error.syscall, "write");
  assert_string_equal(error->error.message,
                      "Stdin of the command takes no more (broken pipe); 5 bytes were not delivered");
  assert_int_equal(host_write_block(&h, "a", 5, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  assert_true(host_end_stdin(&h, "a"));
  assert_state(&h, "a", "running", "running");
  host_end(&h, "a");
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, 5);
  host_close(&h);
}

/* A queue whose reader ends is counted. */
static void test_reader_ends(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "never-read-stdin");
  host_wait_output(&h, "a", "ready\n");
  bool ready;
  assert_int_equal(host_write_block(&h, "a", PIPE_SIZE + 123, &ready), 0);
  answer_t a;
  host_stop(&h, "a", 0, &a);
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, 123);
  assert_int_equal(host_count(&h, "a", PM_EVENT_DRAIN), 0);
  host_close(&h);
}

/* A command that empties a wide pipe must not keep the loop to itself. */
static void test_one_turn_writes_little(void **state) {
  (void)state;
  enum { WIDE = 1 << 20, CHUNK = 50000, CHUNKS = 60, BOUND = 256 * 1024 + CHUNK };
  host_t h;
  bool ready;
  open_host(&h);
  host_spawn(&h, "a", "widen-stdin", "1048576");
  host_wait_output(&h, "a", "ready\n");
  int pid = host_status(&h, "a").pid;
  for (int i = 0; i < CHUNKS; i++)
    assert_int_equal(host_write_block(&h, "a", CHUNK, &ready), 0);
  host_turn(&h, 3);
  const pm__input_t *input = &pm__table_find(h.m, str("a"))->run->input;
  size_t left = input->queued;
  assert_true(left > 2 * WIDE && left >= CHUNK * CHUNKS - PIPE_SIZE);
  /* There is room for more than one turn may write. */
  host_end_stdin(&h, "a");
  kill(pid, SIGUSR1);
  while (left > CHUNK * CHUNKS - WIDE / 2) {
    host_turn(&h, 1);
    assert_true(left - input->queued <= BOUND);
    left = input->queued;
  }
  host_wait_output(&h, "a", "wide\n");
  kill(pid, SIGUSR1);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
  host_close(&h);
}

static void test_end_waits_for_the_queue(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  bool ready;
  enum { SIZE = 1000000 };
  assert_int_equal(host_write_block(&h, "a", SIZE, &ready), 0);
  assert_false(host_end_stdin(&h, "a"));
  assert_int_equal(host_write_block(&h, "a", 1, &ready), UV_EPIPE);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
  assert_int_equal(host_output(&h, "a", PM_STDOUT)->len, SIZE);
  assert_true(host_end_stdin(&h, "a"));
  host_close(&h);
}

static void test_end_at_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "exit-on-eof");
  assert_true(host_end_stdin(&h, "a"));
  assert_true(host_end_stdin(&h, "a"));
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  host_close(&h);
}

static void test_without_stdin(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.options.value[PM_OPT_STDIN] = PM_STDIN_IGNORE;
  host_spawn(&h, "a", "say-ready");
  bool ready;
  assert_int_equal(host_write_block(&h, "a", 1, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  assert_true(host_end_stdin(&h, "a"));
  host_spawn(&h, "b", "list-descriptors");
  host_wait(&h, "b", PM_EVENT_EXIT, 1);
  assert_string_equal(host_output(&h, "b", PM_STDOUT)->bytes, "0 device read\n1 pipe write\n2 pipe write\n");
  host_close(&h);
}

static void test_nothing_and_nobody(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  bool ready = false;
  host_spawn(&h, "a", "echo-stdin");
  assert_int_equal(pm_process_write(h.m, str("a"), str(""), &ready, &h.error), 0);
  assert_true(ready);
  host_spawn(&h, "none", "/no/such/command");
  assert_int_equal(host_write_block(&h, "none", 1, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo_of_much_data),  cmocka_unit_test(test_high_water_mark),
      cmocka_unit_test(test_queue_is_bounded),   cmocka_unit_test(test_reader_is_gone),
      cmocka_unit_test(test_reader_ends),        cmocka_unit_test(test_end_waits_for_the_queue),
      cmocka_unit_test(test_end_at_once),        cmocka_unit_test(test_without_stdin),
      cmocka_unit_test(test_nothing_and_nobody), cmocka_unit_test(test_one_turn_writes_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
