/* Streams that nobody listens to are read at their own pace: seldom, and yet all of them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/table.h"
#include "pm_fixture.h"

enum { LINES = 20000, APART = 20, PATIENCE_MS = 20 * 1000 };

/* A host that counts the turns of its loop and looks at a stream in each. */
typedef struct turning {
  host_t h;
  uv_prepare_t prepare;
  unsigned long turns, resting_turns;
  int largest_pipe;
} turning_t;

static pm__output_t *output_of(host_t *h) {
  pm__process_t *p = h->m && !h->closing ? pm__table_find(h->m, str("a")) : NULL;
  return p && p->run ? &p->run->output[PM_STDOUT] : NULL;
}

static void on_turn(uv_prepare_t *prepare) {
  turning_t *t = prepare->data;
  const pm__output_t *o = output_of(&t->h);
  t->turns++;
  if (!o || o->pipe.fd < 0) return;
  int size = fcntl(o->pipe.fd, F_GETPIPE_SZ);
  if (size > t->largest_pipe) t->largest_pipe = size;
  t->resting_turns += o->resting;
}

static void begin(turning_t *t) {
  memset(t, 0, sizeof(*t));
  host_init(&t->h);
  t->h.options.value[PM_OPT_MAX_LOG_LINES] = 2 * LINES;
  t->h.options.value[PM_OPT_MAX_LOG_BYTES] = 64 << 20;
  host_open(&t->h);
  pm_manager_listen(t->h.m, 0);
  uv_prepare_init(&t->h.loop, &t->prepare);
  t->prepare.data = t;
  uv_prepare_start(&t->prepare, on_turn);
  uv_unref((uv_handle_t *)&t->prepare);
}

static void end(turning_t *t) {
  uv_close((uv_handle_t *)&t->prepare, NULL);
  host_turn(&t->h, 1);
  host_close(&t->h);
}

/* Streams are only left alone where a watch can be muted. */
static bool is_without_pacer(void) {
  if (!wants_portable()) return false;
  print_message("left out, as this backend does not pace\n");
  return true;
}

static void wait_until_resting(turning_t *t) {
  const pm__output_t *o = output_of(&t->h);
  for (int ms = 0; !o->resting; ms++) {
    if (ms > PATIENCE_MS) fail_msg("the stream never rests");
    host_turn(&t->h, 1);
    if (!o->resting && ms % 16 == 15) host_pass_time(&t->h, 1);
  }
}

static void wait_until_awake(turning_t *t) {
  const pm__output_t *o = output_of(&t->h);
  for (int ms = 0; o->resting; ms++) {
    if (ms > PATIENCE_MS) fail_msg("the stream rests for ever");
    host_pass_time(&t->h, 1);
  }
}

/* "N xxx…" each, from first to last, behind one another. */
static const char *assert_numbers(const char *text, unsigned long first, unsigned long last) {
  for (unsigned long n = first; n <= last; n++) {
    unsigned long got = 0;
    for (; *text >= '0' && *text <= '9'; text++)
      got = got * 10 + (unsigned long)(*text - '0');
    if (got != n) fail_msg("%lu where %lu was to come", got, n);
    while (*text && *text != '\n')
      text++;
    if (*text == '\n') text++;
  }
  return text;
}

static void assert_logged(turning_t *t, unsigned times, unsigned long lines) {
  char *log = host_log(&t->h, "a", PM_STDOUT);
  const char *rest = log;
  for (unsigned i = 0; i < times; i++)
    rest = assert_numbers(rest, 1, lines);
  assert_string_equal(rest, "");
  free(log);
}

/* Without the pacer the loop would turn for about each line. */
static void test_few_turns_for_many_lines(void **state) {
  (void)state;
  turning_t t;
  begin(&t);
  host_spawn(&t.h, "a", "tick-lines", "20000", "20", "80");
  assert_int_equal(host_wait(&t.h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_logged(&t, 1, LINES);
  if (!is_without_pacer()) {
    if (t.turns > LINES / 4) fail_msg("%lu turns for %d lines", t.turns, LINES);
    assert_true(t.resting_turns > 0);
  }
  end(&t);
}

/* Who listens gets each chunk at once. */
static void test_what_is_awaited_does_not_rest(void **state) {
  (void)state;
  static const unsigned masks[] = {PM_LISTEN_STDOUT, PM_LISTEN_LINES};
  for (int i = 0; i < 2; i++) {
    turning_t t;
    begin(&t);
    pm_manager_listen(t.h.m, masks[i]);
    host_spawn(&t.h, "a", "tick-lines", "5000", "20", "80");
    host_wait(&t.h, "a", PM_EVENT_EXIT, 1);
    assert_int_equal(t.resting_turns, 0);
    const record_t *heard = i == 0 ? host_output(&t.h, "a", PM_STDOUT) : host_lines(&t.h, "a", PM_STDOUT);
    assert_string_equal(assert_numbers(heard->bytes, 1, 5000), "");
    end(&t);
  }
}

static void test_a_listener_in_the_middle(void **state) {
  (void)state;
  turning_t t;
  if (is_without_pacer()) skip();
  begin(&t);
  host_spawn(&t.h, "a", "tick-lines", "20000", "20", "80");
  wait_until_resting(&t);
  uint64_t before = host_status(&t.h, "a").streams[PM_STDOUT].lines;
  pm_manager_listen(t.h.m, PM_LISTEN_LINES);
  host_wait(&t.h, "a", PM_EVENT_EXIT, 1);
  const char *heard = host_lines(&t.h, "a", PM_STDOUT)->bytes;
  assert_true(before < LINES);
  assert_string_equal(assert_numbers(heard, (unsigned long)before + 1, LINES), "");
  assert_logged(&t, 1, LINES);
  end(&t);
}

/* When ticks find much, the pipe holds more: as much as the option says. */
static void test_a_busy_pipe_grows(void **state) {
  (void)state;
  enum { SIZE = 256 * 1024 };
  turning_t t;
  if (is_without_pacer()) skip();
  begin(&t);
  t.h.options.value[PM_OPT_PIPE_SIZE] = SIZE;
  host_spawn(&t.h, "a", "tick-lines", "20000", "20", "1000");
  host_wait(&t.h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(t.largest_pipe, SIZE);
  assert_logged(&t, 1, LINES);
  end(&t);
}

static void test_a_quiet_pipe_stays_as_it_is(void **state) {
  (void)state;
  turning_t t;
  begin(&t);
  host_spawn(&t.h, "a", "tick-lines", "200", "20", "20");
  host_wait(&t.h, "a", PM_EVENT_EXIT, 1);
  assert_true(t.largest_pipe <= 64 * 1024);
  end(&t);
}

/* More than any pipe takes: who cannot have it does without. */
static void test_a_pipe_that_cannot_grow(void **state) {
  (void)state;
  turning_t t;
  begin(&t);
  t.h.options.value[PM_OPT_PIPE_SIZE] = 2147483648.0;
  host_spawn(&t.h, "a", "tick-lines", "20000", "20", "1000");
  assert_int_equal(host_wait(&t.h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_int_equal(host_count(&t.h, "a", PM_EVENT_ERROR), 0);
  assert_logged(&t, 1, LINES);
  end(&t);
}

/* The command lives on, but nobody can write to the stream any more. */
static void test_the_end_of_a_resting_stream(void **state) {
  (void)state;
  turning_t t;
  begin(&t);
  host_spawn(&t.h, "a", "tick-lines", "3000", "20", "80", "close");
  const pm__output_t *o = output_of(&t.h);
  for (int ms = 0; o->pipe.fd >= 0; ms++) {
    if (ms > PATIENCE_MS) fail_msg("the end is not seen");
    host_pass_time(&t.h, 1);
  }
  assert_false(o->resting);
  assert_state(&t.h, "a", "running", "running");
  assert_logged(&t, 1, 3000);
  assert_false(uv_is_active((uv_handle_t *)&t.h.m->tick));
  end(&t);
}

/* What rests keeps the loop alive as any stream does, and the timer never. */
static void test_the_loop_lives_as_before(void **state) {
  (void)state;
  turning_t t;
  if (is_without_pacer()) skip();
  begin(&t);
  host_spawn(&t.h, "a", "tick-lines", "1000000", "20", "80");
  wait_until_resting(&t);
  assert_true(uv_loop_alive(&t.h.loop));
  pm_manager_unref(t.h.m);
  assert_false(uv_loop_alive(&t.h.loop));
  pm_manager_ref(t.h.m);
  assert_true(uv_loop_alive(&t.h.loop));
  end(&t);
}

/* A command that has become quiet costs nothing, and is heard when it speaks again. */
static void test_a_quiet_command_is_not_looked_at(void **state) {
  (void)state;
  enum { QUIET_MS = 300 };
  turning_t t;
  begin(&t);
  pm_manager_listen(t.h.m, 0);
  host_spawn(&t.h, "a", "tick-lines", "3000", "20", "80", "again");
  for (unsigned times = 1; times <= 2; times++) {
    for (int ms = 0; host_status(&t.h, "a").streams[PM_STDERR].lines < times; ms++) {
      if (ms > PATIENCE_MS) fail_msg("the command is never done");
      host_pass_time(&t.h, 1);
    }
    wait_until_awake(&t);
    host_turn(&t.h, 3);
    assert_false(uv_is_active((uv_handle_t *)&t.h.m->tick));
    unsigned long before = t.turns;
    host_pass_time(&t.h, QUIET_MS);
    assert_true(t.turns - before < QUIET_MS / 10);
    assert_logged(&t, times, 3000);
    if (times == 1) kill(host_status(&t.h, "a").pid, SIGUSR1);
  }
  end(&t);
}

/* Several that rest at a time, of which one is taken away. */
static void test_several_rest(void **state) {
  (void)state;
  static const char *const ids[] = {"a", "b", "c"};
  turning_t t;
  begin(&t);
  for (int i = 0; i < 3; i++)
    host_spawn(&t.h, ids[i], "tick-lines", i == 1 ? "1000000" : "10000", "50", "80");
  for (int ms = 0; host_status(&t.h, "b").streams[PM_STDOUT].lines < 1000; ms++)
    host_pass_time(&t.h, 1);
  answer_t a;
  host_stop(&t.h, "b", 0, &a);
  assert_true(host_answer(&t.h, &a));
  for (int i = 0; i < 3; i += 2) {
    host_wait(&t.h, ids[i], PM_EVENT_EXIT, 1);
    char *log = host_log(&t.h, ids[i], PM_STDOUT);
    assert_string_equal(assert_numbers(log, 1, 10000), "");
    free(log);
  }
  end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_few_turns_for_many_lines),         cmocka_unit_test(test_what_is_awaited_does_not_rest),
      cmocka_unit_test(test_a_listener_in_the_middle),         cmocka_unit_test(test_a_busy_pipe_grows),
      cmocka_unit_test(test_a_quiet_pipe_stays_as_it_is),      cmocka_unit_test(test_a_pipe_that_cannot_grow),
      cmocka_unit_test(test_the_end_of_a_resting_stream),      cmocka_unit_test(test_the_loop_lives_as_before),
      cmocka_unit_test(test_a_quiet_command_is_not_looked_at), cmocka_unit_test(test_several_rest),
  };
  return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
