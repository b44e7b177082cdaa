/* A callback may do anything: every kind of call from within every kind of callback. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pm_fixture.h"

/* Beyond the kinds of events: the other callbacks. */
enum { ON_OUTPUT = PM_EVENT_WARNING + 1, ON_LINES, ON_MESSAGES, ON_STRAY, ON_DONE, PLACE_COUNT };

static const char *const places[PLACE_COUNT] = {
    [PM_EVENT_SPAWN] = "spawn",     [PM_EVENT_EXIT] = "exit",       [PM_EVENT_ERROR] = "error",
    [PM_EVENT_RESTART] = "restart", [PM_EVENT_BACKOFF] = "backoff", [PM_EVENT_QUEUED] = "queued",
    [PM_EVENT_STOP] = "stop",       [PM_EVENT_DRAIN] = "drain",     [PM_EVENT_LIMIT] = "limit",
    [PM_EVENT_LOGGED] = "logged",   [PM_EVENT_METRICS] = "metrics", [PM_EVENT_WARNING] = "warning",
    [ON_OUTPUT] = "output",         [ON_LINES] = "lines",           [ON_MESSAGES] = "messages",
    [ON_STRAY] = "stray",           [ON_DONE] = "an answer"};

typedef struct scene {
  host_t h;
  int place;
  void (*action)(struct scene *s, const char *id);
  bool done;     /* the action */
  answer_t a, b; /* of stops and restarts that the action asks for */
  answer_t end;  /* of the scene's own stop */
} scene_t;

/* ---- what is done -------------------------------------------------------------------- */

static void stop_it(scene_t *s, const char *id) {
  s->a.host = &s->h;
  if (pm_process_stop(s->h.m, str(id), 0, on_answer, &s->a) != 0) s->a.times = 1;
}

static void stop_all(scene_t *s, const char *id) {
  (void)id;
  stop_it(s, "crashes");
  s->b.host = &s->h;
  if (pm_process_stop(s->h.m, str("echoes"), INFINITY, on_answer, &s->b) != 0) s->b.times = 1;
}

static void restart_it(scene_t *s, const char *id) {
  s->a.host = &s->h;
  if (pm_process_restart(s->h.m, str(id), on_answer, &s->a, &s->h.error) != 0) s->a.times = 1;
}

static void stop_and_restart(scene_t *s, const char *id) {
  stop_it(s, id);
  s->b.host = &s->h;
  if (pm_process_restart(s->h.m, str(id), on_answer, &s->b, &s->h.error) != 0) s->b.times = 1;
}

static void spawn_more(scene_t *s, const char *id) {
  char own[80];
  (void)id;
  for (int i = 0; i < 20; i++) {
    snprintf(own, sizeof(own), "more_%d", i);
    host_spawn(&s->h, own, i % 2 ? "/no/such/command" : "exit-with", "0");
  }
}

static void remove_all(scene_t *s, const char *id) {
  (void)id;
  pm_process_remove(s->h.m, str("crashes"));
  pm_process_remove(s->h.m, str("echoes"));
}

static void close_manager(scene_t *s, const char *id) {
  (void)id;
  host_begin_closing(&s->h);
}

static void stop_and_close(scene_t *s, const char *id) {
  stop_and_restart(s, id);
  host_begin_closing(&s->h);
}

static void kill_all(scene_t *s, const char *id) {
  (void)id;
  pm_manager_kill_all(s->h.m);
}

static void look(void *arg, const pm_status_t *status) {
  scene_t *s = arg;
  assert_true(host_status(&s->h, "echoes").pid >= 0);
  assert_non_null(status->state);
}

static void look_at_all(scene_t *s, const char *id) {
  pm_status_t status;
  if (pm_process_status(s->h.m, str(id), &status) == 0) free(host_log(&s->h, id, PM_STDOUT));
  if (host_knows(&s->h, "echoes")) pm_manager_list(s->h.m, look, s);
}

static void write_more(scene_t *s, const char *id) {
  static const char bytes[300000];
  bool flag;
  (void)id;
  pm_process_write(s->h.m, str("echoes"), (pm_str_t){bytes, sizeof(bytes)}, &flag, &s->h.error);
  pm_process_close_stdin(s->h.m, str("echoes"), &flag);
}

static void send_more(scene_t *s, const char *id) {
  bool flag;
  (void)id;
  for (int i = 0; i < 1000; i++)
    pm_process_send(s->h.m, str("echoes"), str("{\"more\":true}"), &flag, &s->h.error);
}

static void pause_it(scene_t *s, const char *id) {
  (void)id;
  pm_process_pause(s->h.m, str("echoes"), true);
}

static void pause_and_resume(scene_t *s, const char *id) {
  pause_it(s, id);
  pm_process_pause(s->h.m, str("echoes"), false);
}

static void watch_log(scene_t *s, const char *id) {
  pm_process_log_watch(s->h.m, str(id), 0);
  pm_process_log_watch(s->h.m, str("echoes"), UINT64_MAX);
}

static void listen_to_nothing(scene_t *s, const char *id) {
  (void)id;
  pm_manager_listen(s->h.m, 0);
  pm_manager_unref(s->h.m);
  pm_manager_ref(s->h.m);
}

static const struct {
  const char *name;
  void (*function)(scene_t *s, const char *id);
} actions[] = {{"stop", stop_it},
               {"stop all", stop_all},
               {"restart", restart_it},
               {"stop and restart", stop_and_restart},
               {"spawn", spawn_more},
               {"remove", remove_all},
               {"close", close_manager},
               {"stop, restart and close", stop_and_close},
               {"kill all", kill_all},
               {"look", look_at_all},
               {"write", write_more},
               {"listen", listen_to_nothing},
               {"send", send_more},
               {"pause", pause_it},
               {"resume", pause_and_resume},
               {"watch the log", watch_log}};

/* ---- where it is done ---------------------------------------------------------------- */

static void act(host_t *h, int place, pm_str_t id) {
  scene_t *s = h->arg;
  char name[80];
  if (s->done || place != s->place) return;
  s->done = true;
  snprintf(name, sizeof(name), "%.*s", (int)id.len, id.base);
  s->action(s, name);
}

static void in_event(host_t *h, const pm_event_t *event) {
  act(h, (int)event->kind, event->id);
}

static void in_output(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes) {
  (void)stream;
  (void)bytes;
  act(h, ON_OUTPUT, id);
}

static void in_lines(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count) {
  (void)stream;
  (void)lines;
  (void)count;
  act(h, ON_LINES, id);
}

static void in_messages(host_t *h, pm_str_t id, const pm_str_t *messages, size_t count) {
  (void)messages;
  (void)count;
  act(h, ON_MESSAGES, id);
}

static void in_strays(host_t *h, pm_str_t id, const pm_str_t *lines, size_t count) {
  (void)lines;
  (void)count;
  act(h, ON_STRAY, id);
}

static void in_answer(void *arg, bool result) {
  scene_t *s = arg;
  on_answer(&s->end, result);
  if (!s->h.closing) act(&s->h, ON_DONE, str("ready"));
}

/* One process that fails until its limit, one that echoes, one that is stopped:
 * together they give every kind of callback. */
static void play(scene_t *s) {
  static const char line[300000] = {[100] = '\n', '{', '}', '\n'};
  host_t *h = &s->h;
  bool flag;
  const pm_error_t keeperless = {.err = UV_ENOTSUP, .code = "ERR_KEEPER_UNAVAILABLE", .message = "for a test"};
  host_init(h);
  if (s->place == PM_EVENT_WARNING) h->keeperless = &keeperless;
  if (s->place == PM_EVENT_METRICS) h->options.value[PM_OPT_MONITOR_INTERVAL] = 2;
  if (s->place == PM_EVENT_QUEUED) h->options.value[PM_OPT_MAX_SPAWNS_PER_SECOND] = 4;
  host_open(h);
  pm_manager_listen(h->m, LISTEN_ALL | PM_LISTEN_METRICS);
  h->arg = s;
  h->on_event = in_event;
  h->on_output = in_output;
  h->on_lines = in_lines;
  h->on_messages = in_messages;
  h->on_strays = in_strays;
  h->options.value[PM_OPT_MESSAGES] = PM_MESSAGES_RAW;
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  h->options.value[PM_OPT_MAX_RESTARTS] = 1;
  host_spawn(h, "crashes", "exit-with", "1");
  host_spawn(h, "echoes", "echo-stdin");
  host_spawn(h, "ready", "say-ready");
  pm_process_write(h->m, str("echoes"), (pm_str_t){line, sizeof(line)}, &flag, &h->error);
  assert_int_equal(pm_process_log_watch(h->m, str("echoes"), 0), 0);
  s->end.host = h;
  assert_int_equal(pm_process_stop(h->m, str("ready"), -1, in_answer, s), 0);
  while (!s->done) {
    h->news = false;
    run_until(&h->loop, &h->news);
  }
}

static bool is_answered(const answer_t *a) {
  return !a->host || a->times == 1;
}

/* Then everything is ended in the ordinary way, and every answer came once. */
static void finish(scene_t *s) {
  host_t *h = &s->h;
  for (int i = 0; i < 20 && !h->closing; i++)
    host_turn(h, 1);
  static const char *const ids[] = {"crashes", "echoes", "ready"};
  for (int i = 0; i < 3 && !h->closing; i++)
    if (host_knows(h, ids[i])) host_end(h, ids[i]);
  if (!h->closing) host_wait_idle(h);
  host_close(h);
  assert_true(is_answered(&s->a));
  assert_true(is_answered(&s->b));
  assert_int_equal(s->end.times, 1);
}

static void test_every_action_in_every_callback(void **state) {
  (void)state;
  for (int place = 0; place < PLACE_COUNT; place++) {
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
      scene_t s = {.place = place, .action = actions[i].function};
      if (getenv("PM_TEST_VERBOSE")) print_message("%s in %s\n", actions[i].name, places[place]);
      play(&s);
      finish(&s);
    }
  }
}

/* Two listeners that start each other give the loop back in between. */
static void restart_again(host_t *h, const pm_event_t *event) {
  static answer_t unused;
  unused.host = h;
  if (event->kind == PM_EVENT_ERROR) pm_process_restart(h->m, event->id, on_answer, &unused, &h->error);
}

static void test_no_listener_keeps_the_loop(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  host_open(&h);
  h.on_event = restart_again;
  host_spawn(&h, "a", "/no/such/command");
  host_spawn(&h, "b", "/no/such/command");
  host_wait(&h, "a", PM_EVENT_ERROR, 20);
  size_t before = h.seen_count;
  host_turn(&h, 1);
  assert_in_range(h.seen_count - before, 1, 4);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_action_in_every_callback),
      cmocka_unit_test(test_no_listener_keeps_the_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
