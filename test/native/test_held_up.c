/* A host that is busy for longer than every deadline: what is said afterwards is true, and nothing is left. */
#include <signal.h>
#include <unistd.h>

#include "pm_fixture.h"

/* Longer than a stop waits for SIGKILL to act, and than closing does. */
enum { HELD_UP_MS = 2100 };

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

typedef struct stops {
  answer_t by_term, by_kill, with_group;
  int pids[4];
} stops_t;

/* In a callback of an I/O watch: the loop runs its timers before it looks at
 * descriptors again. */
static void stop_and_block(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes) {
  stops_t *s = h->arg;
  (void)stream;
  (void)bytes;
  if (id.len != 4 || memcmp(id.base, "last", 4) != 0) return;
  host_stop(h, "by-term", 1000, &s->by_term);
  host_stop(h, "by-kill", 0, &s->by_kill);
  host_stop(h, "with-group", 0, &s->with_group);
  for (int i = 0; i < 4; i++)
    wait_until_ended(s->pids[i]);
  usleep(HELD_UP_MS * 1000);
}

static void assert_gone(host_t *h, const char *id, answer_t *a, const char *step) {
  assert_true(host_answer(h, a));
  assert_int_equal(host_count(h, id, PM_EVENT_STOP), 1);
  const seen_t *stop = host_find(h, id, PM_EVENT_STOP, 1);
  assert_true(stop->stop.gone);
  assert_string_equal(stop->stop.step, step);
  assert_int_equal(stop->stop.survivor_count, 0);
  assert_int_equal(host_count(h, id, PM_EVENT_EXIT), 1);
  assert_state(h, id, "stopped", "exited");
}

static void test_stops(void **state) {
  (void)state;
  host_t h;
  stops_t s = {0};
  open_host(&h);
  h.arg = &s;
  h.on_output = stop_and_block;
  host_spawn(&h, "by-term", "slow-term", "0");
  host_spawn(&h, "by-kill", "say-ready");
  host_spawn(&h, "with-group", "spawn-grandchild", "ignore-term");
  host_wait_output(&h, "by-term", "ready\n");
  host_wait_output(&h, "by-kill", "ready\n");
  s.pids[0] = host_grandchild(&h, "with-group");
  s.pids[1] = host_status(&h, "with-group").pid;
  s.pids[2] = host_status(&h, "by-term").pid;
  s.pids[3] = host_status(&h, "by-kill").pid;
  host_spawn(&h, "last", "say-ready");
  host_wait_output(&h, "last", "ready\n");

  assert_gone(&h, "by-term", &s.by_term, "SIGTERM");
  assert_gone(&h, "by-kill", &s.by_kill, "SIGKILL");
  assert_gone(&h, "with-group", &s.with_group, "SIGKILL");
  assert_int_equal(host_find(&h, "by-term", PM_EVENT_EXIT, 1)->code, 0);
  assert_string_equal(host_find(&h, "by-kill", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  host_close(&h);
}

/* What was killed before the host was busy is reaped after it. */
static void test_close(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  host_spawn(&h, "a", "ignore-term");
  host_wait_output(&h, "a", "ready\n");
  int pid = host_status(&h, "a").pid;
  host_begin_closing(&h);
  wait_until_ended(pid);
  usleep(HELD_UP_MS * 1000);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stops),
      cmocka_unit_test(test_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
