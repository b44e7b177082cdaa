/* Messages for a command's stdin: a line each, in order, as few writes as serve them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "core/internal.h"
#include "core/table.h"
#include "pm_fixture.h"

enum { PIPE_SIZE = 64 * 1024 };

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

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

static void spawn_teller(host_t *h) {
  host_spawn(h, "a", "tell-reads");
  host_wait_output(h, "a", "ready\n");
  tell_writes_apart(h, "a");
}

/* However many messages one turn sends, or one callback: they are one write, once a
 * turn before has sent several. */
static void test_messages_of_a_turn_are_one_write(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.on_lines = send_three;
  spawn_teller(&h);
  for (int i = 0; i < 3; i++)
    send_ok(&h, "a", "1");
  host_wait_output(&h, "a", "\n2\n4\n");
  for (int i = 0; i < 100; i++)
    send_ok(&h, "a", "{\"n\":123}");
  host_wait_output(&h, "a", "\n48\n");
  send_ok(&h, "a", "");
  host_wait_output(&h, "a", "\n1\n");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "ready\n2\n4\n1000\n48\n1\n");
  host_close(&h);
}

static size_t unwritten(host_t *h, const char *id) {
  return pm__table_find(h->m, str(id))->run->input.queued;
}

/* Sends in a turn of its own and waits until it has been read: how much waited. */
static size_t send_in_a_turn(host_t *h, const char *text, const char *read) {
  send_ok(h, "a", text);
  size_t waiting = unwritten(h, "a");
  host_wait_output(h, "a", read);
  return waiting;
}

/* Nobody waits for the end of a turn who sends one message in each; one turn of
 * several ends that, two turns of one each begin it again. */
static void test_a_message_alone_is_written_at_once(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  spawn_teller(&h);
  assert_int_equal(send_in_a_turn(&h, "1", "\n2\n"), 0);
  assert_int_equal(send_in_a_turn(&h, "12", "\n3\n"), 0);
  send_ok(&h, "a", "123");
  assert_int_equal(unwritten(&h, "a"), 0);
  send_ok(&h, "a", "1234");
  assert_int_equal(unwritten(&h, "a"), 5);
  host_wait_output(&h, "a", "\n4\n5\n");
  assert_int_equal(send_in_a_turn(&h, "12345", "\n6\n"), 6);
  assert_int_equal(send_in_a_turn(&h, "123456", "\n7\n"), 7);
  assert_int_equal(send_in_a_turn(&h, "1234567", "\n8\n"), 0);
  host_close(&h);
}

/* What a pipe has no room for waits for it, whether it was tried at once or not. */
static void test_messages_wait_for_room(void **state) {
  (void)state;
  host_t h;
  bool ready;
  open_host(&h);
  h.options.value[PM_OPT_STDIN_HIGH_WATER_MARK] = 10;
  host_spawn(&h, "a", "widen-stdin", "1048576");
  host_wait_output(&h, "a", "ready\n");
  assert_int_equal(host_write_block(&h, "a", PIPE_SIZE, &ready), 0);
  assert_true(ready);
  assert_int_equal(send_text(&h, "a", "123", &ready), 0);
  assert_true(ready);
  assert_int_equal(send_text(&h, "a", "12345", &ready), 0);
  assert_false(ready);
  host_turn(&h, 3);
  assert_int_equal(unwritten(&h, "a"), 10);
  kill(host_status(&h, "a").pid, SIGUSR1);
  host_wait(&h, "a", PM_EVENT_DRAIN, 1);
  host_end_stdin(&h, "a");
  host_wait_output(&h, "a", "wide\n");
  kill(host_status(&h, "a").pid, SIGUSR1);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_int_equal(exit->unsent, 0);
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
  host_end_stdin(&h, "a");
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
  assert_false(host_end_stdin(&h, "a"));
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
  send_ok(&h, "a", "at once");
  assert_int_equal(send_text(&h, "a", "12345678", &ready), 0);
  assert_true(ready);
  assert_int_equal(send_text(&h, "a", "", &ready), 0);
  assert_false(ready);
  assert_int_equal(send_text(&h, "a", "1234567890", &ready), UV_ENOBUFS);
  assert_int_equal(send_text(&h, "a", "123456789", &ready), 0);
  assert_int_equal(host_write_block(&h, "a", 1, &ready), UV_ENOBUFS);
  host_wait(&h, "a", PM_EVENT_DRAIN, 1);
  assert_int_equal(send_text(&h, "a", "last", &ready), 0);
  assert_true(ready);
  host_wait_output(&h, "a", "last\n");
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "at once\n12345678\n\n123456789\nlast\n");
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
  send_ok(&h, "a", "123456789");
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
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
  assert_false(host_end_stdin(&h, "a"));
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
      cmocka_unit_test(test_messages_of_a_turn_are_one_write),
      cmocka_unit_test(test_a_message_alone_is_written_at_once),
      cmocka_unit_test(test_messages_wait_for_room),
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
