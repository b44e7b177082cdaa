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

static int write_block(host_t *h, const char *id, size_t len, bool *ready) {
  static char block[1 << 20];
  for (size_t i = 0; i < len; i++)
    block[i] = (char)('a' + i % 26);
  return pm_process_write(h->m, str(id), (pm_str_t){block, len}, ready, &h->error);
}

static bool end_stdin(host_t *h, const char *id) {
  bool closed;
  assert_int_equal(pm_process_close_stdin(h->m, str(id), &closed), 0);
  return closed;
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
    assert_int_equal(write_block(&h, "a", BLOCK, &ready), 0);
    if (!ready) host_wait(&h, "a", PM_EVENT_DRAIN, ++drains);
  }
  assert_true(drains > 0);
  end_stdin(&h, "a");
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
  assert_int_equal(write_block(&h, "b", PIPE_SIZE, &ready), 0);
  assert_true(ready);
  assert_int_equal(write_block(&h, "b", 999, &ready), 0);
  assert_true(ready);
  assert_int_equal(write_block(&h, "b", 1, &ready), 0);
  assert_false(ready);

  assert_int_equal(write_block(&h, "a", 1 << 20, &ready), 0);
  assert_false(ready);
  assert_int_equal(write_block(&h, "a", 5, &ready), 0);
  assert_false(ready);
  host_wait(&h, "a", PM_EVENT_DRAIN, 1);
  assert_int_equal(write_block(&h, "a", 5, &ready), 0);
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
  assert_int_equal(write_block(&h, "a", PIPE_SIZE + 1, &ready), UV_ENOBUFS);
  assert_string_equal(h.error.code, "ERR_STDIN_FULL");
  assert_int_equal(write_block(&h, "a", PIPE_SIZE, &ready), 0); /* into the pipe itself */
  size_t queued = 0;
  int r;
  while ((r = write_block(&h, "a", BLOCK, &ready)) == 0)
    queued += BLOCK;
  assert_int_equal(r, UV_ENOBUFS);
  assert_string_equal(h.error.code, "ERR_STDIN_FULL");
  assert_int_equal(queued, PIPE_SIZE / BLOCK * BLOCK);
  /* Nothing of what was refused was taken, what fits still is. */
  assert_int_equal(write_block(&h, "a", PIPE_SIZE - queued, &ready), 0);
  assert_int_equal(write_block(&h, "a", 1, &ready), UV_ENOBUFS);
  host_end(&h, "a");
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, PIPE_SIZE);
  /* What a stop leaves unread is no failure of its own. */
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  assert_int_equal(write_block(&h, "a", 1, &ready), UV_EPIPE);
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
  assert_int_equal(write_block(&h, "a", 5, &ready), 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "EPIPE");
  assert_string_equal(error->error.syscall, "write");
  assert_string_equal(error->error.message,
                      "Stdin of the command takes no more (broken pipe); 5 bytes were not delivered");
  assert_int_equal(write_block(&h, "a", 5, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  assert_true(end_stdin(&h, "a"));
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
  assert_int_equal(write_block(&h, "a", PIPE_SIZE + 123, &ready), 0);
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
    assert_int_equal(write_block(&h, "a", CHUNK, &ready), 0);
  host_turn(&h, 3);
  const pm__input_t *input = &pm__table_find(h.m, str("a"))->run->input;
  size_t left = input->queued;
  assert_true(left > 2 * WIDE && left >= CHUNK * CHUNKS - PIPE_SIZE);
  /* There is room for more than one turn may write. */
  end_stdin(&h, "a");
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
  assert_int_equal(write_block(&h, "a", SIZE, &ready), 0);
  assert_false(end_stdin(&h, "a"));
  assert_int_equal(write_block(&h, "a", 1, &ready), UV_EPIPE);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
  assert_int_equal(host_output(&h, "a", PM_STDOUT)->len, SIZE);
  assert_true(end_stdin(&h, "a"));
  host_close(&h);
}

static void test_end_at_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "exit-on-eof");
  assert_true(end_stdin(&h, "a"));
  assert_true(end_stdin(&h, "a"));
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
  assert_int_equal(write_block(&h, "a", 1, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  assert_true(end_stdin(&h, "a"));
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
  assert_int_equal(write_block(&h, "none", 1, &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  host_close(&h);
}

/* ---- messages -------------------------------------------------------------------------- */

static int send_text(host_t *h, const char *id, const char *message, bool *ready) {
  return pm_process_send(h->m, str(id), str(message), ready, &h->error);
}

static void send_ok(host_t *h, const char *id, const char *message) {
  bool ready;
  assert_int_equal(send_text(h, id, message, &ready), 0);
}

/* In packet mode (pipe(2)) each write can be told from the next: a read gives one of
 * them at most. */
static void tell_writes_apart(host_t *h, const char *id) {
  const pm__pipe_t *pipe = &pm__table_find(h->m, str(id))->run->input.pipe;
  assert_int_equal(fcntl(pipe->fd, F_SETFL, fcntl(pipe->fd, F_GETFL) | O_DIRECT), 0);
}

static void send_three(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count) {
  (void)id;
  (void)stream;
  if (count != 1 || lines[0].len != 4 || memcmp(lines[0].base, "1000", 4) != 0) return;
  for (int i = 0; i < 3; i++)
    send_ok(h, "a", "from a listener");
}

/* However many messages one turn sends, or one callback: they are one write. */
static void test_messages_of_a_turn_are_one_write(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.on_lines = send_three;
  host_spawn(&h, "a", "tell-reads");
  host_wait_output(&h, "a", "ready\n");
  tell_writes_apart(&h, "a");
  for (int i = 0; i < 100; i++)
    send_ok(&h, "a", "{\"n\":123}");
  host_wait_output(&h, "a", "\n48\n");
  send_ok(&h, "a", "");
  host_wait_output(&h, "a", "\n1\n");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "ready\n1000\n48\n1\n");
  host_close(&h);
}

static void test_messages_and_bytes_keep_their_order(void **state) {
  (void)state;
  host_t h;
  bool ready;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  send_ok(&h, "a", "1");
  assert_int_equal(pm_process_write(h.m, str("a"), str("2\n"), &ready, &h.error), 0);
  send_ok(&h, "a", "3");
  host_wait_output(&h, "a", "3\n");
  assert_int_equal(pm_process_write(h.m, str("a"), str("4\n"), &ready, &h.error), 0);
  send_ok(&h, "a", "5");
  end_stdin(&h, "a");
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "1\n2\n3\n4\n5\n");
  host_close(&h);
}

static void test_many_messages(void **state) {
  (void)state;
  enum { COUNT = 20000 };
  host_t h;
  size_t drains = 0;
  open_host(&h);
  h.options.value[PM_OPT_MESSAGES] = PM_MESSAGES_RAW;
  host_spawn(&h, "a", "echo-stdin");
  for (int i = 0; i < COUNT; i++) {
    char message[6000];
    bool ready;
    int used = snprintf(message, sizeof(message), "[%d,\"", i);
    size_t len = i % 100 == 99 ? 5000 : 20; /* some have a chunk of their own */
    memset(message + used, 'x', len);
    strcpy(message + used + len, "\"]");
    assert_int_equal(send_text(&h, "a", message, &ready), 0);
    if (!ready) host_wait(&h, "a", PM_EVENT_DRAIN, ++drains);
  }
  assert_false(end_stdin(&h, "a"));
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->unsent, 0);
  assert_true(drains > 0);
  assert_int_equal(host_strays(&h, "a")->calls, 0);
  const char *text = host_messages(&h, "a")->bytes;
  for (int i = 0; i < COUNT; i++) {
    int n = -1;
    const char *at = text;
    if (*at == '[')
      for (n = 0, at++; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + *at - '0';
    if (n != i) fail_msg("%d where %d was to come", n, i);
    while (*text != '\n')
      text++;
    text++;
  }
  assert_int_equal(*text, '\0');
  host_close(&h);
}

static void test_no_message_has_a_line_end(void **state) {
  (void)state;
  static const char *const bad[] = {"\n", "a\nb", "a\n", "\na", "a\r\n"};
  host_t h;
  bool ready;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  for (int i = 0; i < 5; i++) {
    assert_int_equal(send_text(&h, "a", bad[i], &ready), UV_EINVAL);
    assert_string_equal(h.error.code, "ERR_INVALID_MESSAGE");
    assert_string_equal(h.error.kind, "TypeError");
  }
  send_ok(&h, "a", "good");
  host_wait_output(&h, "a", "good\n");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "good\n");
  host_close(&h);
}

/* The line end counts, and what is refused is not taken. */
static void test_messages_are_bounded(void **state) {
  (void)state;
  host_t h;
  bool ready;
  open_host(&h);
  h.options.value[PM_OPT_MAX_STDIN_BYTES] = 20;
  h.options.value[PM_OPT_STDIN_HIGH_WATER_MARK] = 10;
  host_spawn(&h, "a", "echo-stdin");
  assert_int_equal(send_text(&h, "a", "12345678901234567890", &ready), UV_ENOBUFS);
  assert_string_equal(h.error.code, "ERR_STDIN_FULL");
  assert_int_equal(send_text(&h, "a", "12345678", &ready), 0);
  assert_true(ready);
  assert_int_equal(send_text(&h, "a", "", &ready), 0);
  assert_false(ready);
  assert_int_equal(send_text(&h, "a", "1234567890", &ready), UV_ENOBUFS);
  assert_int_equal(send_text(&h, "a", "123456789", &ready), 0);
  assert_int_equal(write_block(&h, "a", 1, &ready), UV_ENOBUFS);
  host_wait(&h, "a", PM_EVENT_DRAIN, 1);
  assert_int_equal(send_text(&h, "a", "last", &ready), 0);
  assert_true(ready);
  host_wait_output(&h, "a", "last\n");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "12345678\n\n123456789\nlast\n");
  assert_int_equal(host_count(&h, "a", PM_EVENT_DRAIN), 1);
  host_close(&h);
}

static void test_messages_to_one_that_never_reads(void **state) {
  (void)state;
  host_t h;
  bool ready;
  int r;
  open_host(&h);
  h.options.value[PM_OPT_MAX_STDIN_BYTES] = 1 << 20;
  h.options.value[PM_OPT_PIPE_SIZE] = 4096; /* it is not enlarged */
  host_spawn(&h, "a", "never-read-stdin");
  host_wait_output(&h, "a", "ready\n");
  uint64_t sent = 0;
  while ((r = send_text(&h, "a", "0123456789abcde", &ready)) == 0)
    sent += 16;
  assert_int_equal(r, UV_ENOBUFS);
  host_turn(&h, 3);
  size_t queued = pm__table_find(h.m, str("a"))->run->input.queued;
  assert_true(queued < sent);
  host_end(&h, "a");
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, queued);
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_DRAIN), 0);
  host_close(&h);
}

static void test_messages_to_one_that_closed_stdin(void **state) {
  (void)state;
  host_t h;
  bool ready;
  open_host(&h);
  host_spawn(&h, "a", "close-stdin");
  host_wait_output(&h, "a", "ready\n");
  send_ok(&h, "a", "1234");
  send_ok(&h, "a", "5678");
  const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "EPIPE");
  assert_string_equal(error->error.message,
                      "Stdin of the command takes no more (broken pipe); 10 bytes were not delivered");
  assert_int_equal(send_text(&h, "a", "x", &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  host_end(&h, "a");
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->unsent, 10);
  host_close(&h);
}

/* What was sent in the turn in which it ends never reaches it. */
static void test_messages_to_one_that_dies(void **state) {
  (void)state;
  host_t h;
  bool ready;
  answer_t a;
  open_host(&h);
  assert_int_equal(send_text(&h, "a", "x", &ready), UV_ENOENT);
  host_spawn(&h, "a", "never-read-stdin");
  host_wait_output(&h, "a", "ready\n");
  host_stop(&h, "a", 0, &a);
  int pid = host_status(&h, "a").pid;
  wait_until_ended(pid);
  int r = send_text(&h, "a", "1234", &ready);
  assert_true(host_answer(&h, &a));
  const seen_t *exit = host_find(&h, "a", PM_EVENT_EXIT, 1);
  if (r == 0) assert_int_equal(exit->unsent, 5);
  assert_int_equal(send_text(&h, "a", "x", &ready), UV_EPIPE);
  assert_string_equal(h.error.code, "ERR_STDIN_CLOSED");
  host_close(&h);
}

static void test_the_end_waits_for_messages(void **state) {
  (void)state;
  host_t h;
  bool ready;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  send_ok(&h, "a", "first");
  send_ok(&h, "a", "last");
  assert_false(end_stdin(&h, "a"));
  assert_int_equal(send_text(&h, "a", "late", &ready), UV_EPIPE);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "first\nlast\n");
  host_close(&h);
}

/* What waits for the end of a turn goes with the manager. */
static void test_closing_with_messages_under_way(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "echo-stdin");
  host_spawn(&h, "b", "echo-stdin");
  send_ok(&h, "a", "1");
  send_ok(&h, "b", "2");
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo_of_much_data),
      cmocka_unit_test(test_high_water_mark),
      cmocka_unit_test(test_queue_is_bounded),
      cmocka_unit_test(test_reader_is_gone),
      cmocka_unit_test(test_reader_ends),
      cmocka_unit_test(test_end_waits_for_the_queue),
      cmocka_unit_test(test_end_at_once),
      cmocka_unit_test(test_without_stdin),
      cmocka_unit_test(test_nothing_and_nobody),
      cmocka_unit_test(test_one_turn_writes_little),
      cmocka_unit_test(test_messages_of_a_turn_are_one_write),
      cmocka_unit_test(test_messages_and_bytes_keep_their_order),
      cmocka_unit_test(test_many_messages),
      cmocka_unit_test(test_no_message_has_a_line_end),
      cmocka_unit_test(test_messages_are_bounded),
      cmocka_unit_test(test_messages_to_one_that_never_reads),
      cmocka_unit_test(test_messages_to_one_that_closed_stdin),
      cmocka_unit_test(test_messages_to_one_that_dies),
      cmocka_unit_test(test_the_end_waits_for_messages),
      cmocka_unit_test(test_closing_with_messages_under_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
