/* Trees that are stopped, signalled, left alone and swept, under one keeper and under two. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/table.h"
#include "keeper_fixture.h"
#include "platform/tree.h"
#include "pm_fixture.h"

enum { MOST = 256 };

static const pm_containment_t kept[] = {PM_CONTAINMENT_TREE, PM_CONTAINMENT_NESTED};
static const char *const kept_names[] = {"tree", "nested"};

/* Each test runs for both. */
#define for_both(i) for (size_t i = 0; i < 2; i++)

static void open_host(host_t *h, size_t i) {
  host_init(h);
  h->options.value[PM_OPT_CONTAINMENT] = kept[i];
  host_open(h);
}

static int said(host_t *h, const char *id, const char *word) {
  int n = 0;
  for (const char *at = strstr(host_output(h, id, PM_STDOUT)->bytes, word); at; at = strstr(at + 1, word))
    n++;
  return n;
}

static void wait_said(host_t *h, const char *id, const char *word, int n) {
  while (said(h, id, word) < n) {
    h->news = false;
    run_until(&h->loop, &h->news);
  }
}

typedef struct family {
  int pids[MOST];
  int count;
} family_t;

/* The command and all that it has started. */
static void list_family(host_t *h, const char *id, family_t *f) {
  f->pids[0] = host_status(h, id).pid;
  f->count = 1 + pm__tree_list(f->pids[0], f->pids + 1, MOST - 1);
}

static void assert_gone(const family_t *f) {
  for (int i = 0; i < f->count; i++)
    if (is_running(f->pids[i])) fail_msg("process %d of %d is left", i, f->count);
}

/* ---- stops ------------------------------------------------------------------------------ */

/* At the very moment of the answer nothing is left. */
static void test_nothing_is_left(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    family_t f;
    answer_t a;
    open_host(&h, i);
    host_spawn(&h, "a", "fork-levels", "3", "3");
    host_wait_output(&h, "a", "ready\n");
    assert_string_equal(host_status(&h, "a").containment, kept_names[i]);
    list_family(&h, "a", &f);
    assert_int_equal(f.count, 40);
    host_stop(&h, "a", 60000, &a);
    assert_true(host_answer(&h, &a));
    assert_gone(&f);
    assert_no_child();
    const pm_stop_report_t *stop = &host_find(&h, "a", PM_EVENT_STOP, 1)->stop;
    assert_string_equal(stop->step, "SIGTERM");
    assert_int_equal(stop->killed, 0);
    assert_int_equal(stop->survivor_count, 0);
    assert_string_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
    host_close(&h);
  }
}

/* A large tree is not walked through before it is killed. */
static void test_not_all_are_counted(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    answer_t a;
    open_host(&h, i);
    host_spawn(&h, "a", "fork-levels", "1", "400");
    host_wait_output(&h, "a", "ready\n");
    host_stop(&h, "a", 0, &a);
    assert_true(host_answer(&h, &a));
    int killed = host_find(&h, "a", PM_EVENT_STOP, 1)->stop.killed;
    assert_true(killed > 200 && killed <= 256);
    assert_no_child();
    host_close(&h);
  }
}

static void test_signal_once_to_each(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    family_t f;
    answer_t a;
    answer_t second;
    open_host(&h, i);
    host_spawn(&h, "a", "note-signals", "3");
    host_wait_output(&h, "a", "ready\n");
    list_family(&h, "a", &f);
    host_stop(&h, "a", 60000, &a);
    wait_said(&h, "a", " 18\n", 3);
    /* One that hurries asks nobody again. */
    host_stop(&h, "a", 50, &second);
    assert_true(host_answer(&h, &second));
    assert_true(host_answer(&h, &a));
    assert_gone(&f);
    assert_int_equal(said(&h, "a", " 15\n"), 3);
    assert_int_equal(said(&h, "a", " 18\n"), 3);
    const pm_stop_report_t *stop = &host_find(&h, "a", PM_EVENT_STOP, 1)->stop;
    assert_string_equal(stop->step, "SIGKILL");
    assert_int_equal(stop->killed, 3);
    host_close(&h);
  }
}

/* The rest gets it when the command has ended. */
static void test_signal_to_the_command(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    answer_t a;
    answer_t second;
    open_host(&h, i);
    h.options.value[PM_OPT_STOP_SIGNAL_TO] = PM_STOP_COMMAND;
    host_spawn(&h, "a", "note-signals", "3", "lingers");
    host_wait_output(&h, "a", "ready\n");
    host_stop(&h, "a", 60000, &a);
    host_wait_output(&h, "a", "ending\n");
    const char *bytes = host_output(&h, "a", PM_STDOUT)->bytes;
    const char *told = strstr(bytes, " 15\n");
    const char *next = strstr(told + 1, " 15\n");
    assert_true(!next || next > strstr(bytes, "ending\n"));
    assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
    host_stop(&h, "a", 300, &second);
    assert_true(host_answer(&h, &second));
    assert_true(host_answer(&h, &a));
    assert_int_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.killed, 2);
    host_close(&h);
  }
}

static void test_signal(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    open_host(&h, i);
    h.options.value[PM_OPT_STOP_TIMEOUT] = 0;
    host_spawn(&h, "a", "note-signals", "3");
    host_wait_output(&h, "a", "ready\n");
    assert_int_equal(pm_process_signal(h.m, str("a"), SIGUSR1, false), 0);
    wait_said(&h, "a", " 10\n", 1);
    assert_int_equal(pm_process_signal(h.m, str("a"), SIGUSR2, true), 0);
    wait_said(&h, "a", " 12\n", 3);
    assert_int_equal(said(&h, "a", " 10\n"), 1);
    host_end(&h, "a");
    assert_int_equal(pm_process_signal(h.m, str("a"), SIGUSR1, true), UV_ESRCH);
    host_close(&h);
  }
}

static void test_end_of_stdin_first(void **state) {
  (void)state;
  static const struct {
    const char *fixture, *step;
    int eof, timeout, killed;
  } ladders[] = {{"exit-on-eof", "stdin", 60000, 60000, 0},
                 {"say-ready", "SIGTERM", 50, 60000, 0},
                 {"ignore-term", "SIGKILL", 50, 50, 1},
                 {"say-ready", "SIGKILL", 60000, 0, 1}};
  for_both(i) {
    for (size_t n = 0; n < sizeof(ladders) / sizeof(ladders[0]); n++) {
      host_t h;
      answer_t a;
      open_host(&h, i);
      h.options.value[PM_OPT_EOF_TIMEOUT] = ladders[n].eof;
      host_spawn(&h, "a", ladders[n].fixture);
      host_wait_output(&h, "a", "ready\n");
      host_stop(&h, "a", ladders[n].timeout, &a);
      assert_true(host_answer(&h, &a));
      const pm_stop_report_t *stop = &host_find(&h, "a", PM_EVENT_STOP, 1)->stop;
      assert_string_equal(stop->step, ladders[n].step);
      assert_int_equal(stop->killed, ladders[n].killed);
      host_close(&h);
    }
  }
}

/* There is no end to wait for. */
static void test_no_end_of_no_stdin(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    answer_t a;
    open_host(&h, i);
    h.options.value[PM_OPT_EOF_TIMEOUT] = 1e12;
    h.options.value[PM_OPT_STDIN] = PM_STDIN_IGNORE;
    host_spawn(&h, "a", "say-ready");
    host_wait_output(&h, "a", "ready\n");
    host_stop(&h, "a", 60000, &a);
    assert_true(host_answer(&h, &a));
    assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGTERM");
    host_close(&h);
  }
}

/* The keeper is waited for, not the pipe that somebody holds. */
static void test_those_who_hold_pipes(void **state) {
  (void)state;
  static const char *const modes[] = {"setsid", "setsid-flood", "hold-ignore"};
  for_both(i) {
    for (size_t n = 0; n < sizeof(modes) / sizeof(modes[0]); n++) {
      host_t h;
      answer_t a;
      open_host(&h, i);
      host_spawn(&h, "a", "spawn-grandchild", modes[n], "4");
      int grandchild = host_grandchild(&h, "a");
      assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 4);
      host_stop(&h, "a", 20, &a);
      assert_true(host_answer(&h, &a));
      assert_false(is_running(grandchild));
      host_wait_idle(&h);
      host_close(&h);
    }
  }
}

/* ---- what a command leaves behind ---------------------------------------------------------- */

/* Before the restart begins. */
static void test_swept_before_a_restart(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    host_init(&h);
    h.options.value[PM_OPT_CONTAINMENT] = kept[i];
    h.options.value[PM_OPT_AUTO_RESTART] = 1;
    h.options.value[PM_OPT_MAX_RESTARTS] = 2;
    h.options.value[PM_OPT_STOP_TIMEOUT] = 100;
    host_open(&h);
    host_spawn(&h, "a", "leave-daemon", i ? "polite" : "stubborn", "1");
    for (size_t n = 1; n <= 2; n++) {
      int daemon = host_grandchild(&h, "a");
      host_wait(&h, "a", PM_EVENT_RESTART, n);
      assert_false(is_running(daemon));
    }
    host_wait_idle(&h);
    host_close(&h);
  }
}

static void test_left_alone(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    open_host(&h, i);
    h.options.value[PM_OPT_KILL_TREE] = 0;
    host_spawn(&h, "a", "leave-daemon", "polite", "0");
    host_spawn(&h, "b", "spawn-grandchild", "setsid", "0");
    host_wait(&h, "a", PM_EVENT_EXIT, 1);
    host_wait(&h, "b", PM_EVENT_EXIT, 1);
    int daemon = host_grandchild(&h, "a");
    int holder = host_grandchild(&h, "b");
    host_wait_idle(&h);
    assert_state(&h, "a", "stopped", "exited");
    assert_no_child();
    host_close(&h);
    assert_true(is_running(daemon));
    assert_true(is_running(holder));
    end_stray(daemon);
    end_stray(holder);
  }
}

/* A stop is no end of its own. */
static void test_left_alone_but_for_a_stop(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    open_host(&h, i);
    h.options.value[PM_OPT_KILL_TREE] = 0;
    host_spawn(&h, "a", "leave-daemon", "polite");
    int daemon = host_grandchild(&h, "a");
    host_end(&h, "a");
    assert_false(is_running(daemon));
    host_close(&h);
  }
}

/* Nor is the end of stdin, of which the command ends with code 0. */
static void test_left_alone_but_for_an_end_of_stdin(void **state) {
  (void)state;
  for_both(i) {
    for (int n = 0; n < 20; n++) {
      host_t h;
      answer_t a;
      open_host(&h, i);
      h.options.value[PM_OPT_KILL_TREE] = 0;
      h.options.value[PM_OPT_EOF_TIMEOUT] = 60000;
      host_spawn(&h, "a", "leave-daemon", "polite", "eof");
      int daemon = host_grandchild(&h, "a");
      host_stop(&h, "a", 60000, &a);
      assert_true(host_answer(&h, &a));
      assert_false(is_running(daemon));
      assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
      assert_true(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.gone);
      assert_no_child();
      host_close(&h);
    }
  }
}

/* The keeper was asked by somebody else to end the tree, and the command goes first. It
 * is waited for. */
static void test_left_alone_but_for_an_asked_keeper(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    answer_t a;
    open_host(&h, i);
    h.options.value[PM_OPT_KILL_TREE] = 0;
    h.options.value[PM_OPT_STOP_TIMEOUT] = 60000;
    host_spawn(&h, "a", "leave-daemon", "stubborn");
    int daemon = host_grandchild(&h, "a");
    assert_int_equal(kill(pm__table_find(h.m, str("a"))->run->child.keeper, SIGTERM), 0);
    assert_string_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGTERM");
    host_turn(&h, 3);
    assert_state(&h, "a", "stopped", "stopping");
    assert_true(is_running(daemon));
    host_stop(&h, "a", 0, &a);
    assert_true(host_answer(&h, &a));
    assert_false(is_running(daemon));
    assert_no_child();
    host_close(&h);
  }
}

/* ---- what is used and given back --------------------------------------------------------------- */

static void note_usage(host_t *h, const pm_event_t *event) {
  if (event->kind == PM_EVENT_EXIT && event->usage) *(pm_usage_t *)h->arg = *event->usage;
}

static void test_usage(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    pm_usage_t usage = {0};
    open_host(&h, i);
    h.on_event = note_usage;
    h.arg = &usage;
    host_spawn(&h, "a", "touch-memory", "32");
    host_wait_output(&h, "a", "ready\n");
    host_end(&h, "a");
    assert_true(usage.max_rss >= 32 * 1024 && usage.max_rss < 48 * 1024);
    assert_true(usage.user + usage.system < UINT64_C(20000000));
    host_close(&h);
  }
}

/* How many descriptors it has, none of which may be an end of a pipe. */
static int descriptors_of(int pid) {
  char path[64];
  char target[64];
  int count = 0;
  for (int fd = 0; fd < 256; fd++) {
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) continue;
    target[n] = '\0';
    if (strncmp(target, "pipe:", 5) == 0 || target[0] == '/') fail_msg("descriptor %d of a keeper is %s", fd, target);
    count++;
  }
  return count;
}

static void assert_lean(int pid, int descriptors) {
  char path[64];
  char text[64];
  /* It has been executed, but may have to open what it needs. */
  while (descriptors_of(pid) < descriptors)
    usleep(1000);
  assert_int_equal(descriptors_of(pid), descriptors);
  snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
  assert_int_equal(readlink(path, text, sizeof(text)), 1);
  assert_memory_equal(text, "/", 1);
  snprintf(path, sizeof(path), "/proc/%d/environ", pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fread(text, 1, 1, file), 0);
  fclose(file);
  snprintf(path, sizeof(path), "/proc/%d/comm", pid);
  file = fopen(path, "r");
  assert_non_null(fgets(text, sizeof(text), file));
  assert_string_equal(text, "mcp-keeper\n");
  fclose(file);
}

/* Signals and host; the one that speaks to the host has a socket, too. */
static void test_what_keepers_hold(void **state) {
  (void)state;
  for_both(i) {
    host_t h;
    open_host(&h, i);
    host_spawn(&h, "a", "say-ready");
    host_spawn(&h, "b", "say-ready");
    host_wait_output(&h, "b", "ready\n");
    const pm__child_t *child = &pm__table_find(h.m, str("b"))->run->child;
    assert_lean(child->keeper, i == 0 ? 3 : 2);
    if (i > 0) assert_lean(child->inner_keeper, 3);
    host_end(&h, "a");
    host_end(&h, "b");
    host_close(&h);
  }
}

static void test_many_cycles(void **state) {
  (void)state;
  enum { CYCLES = 200, WARM = 5 };
  for_both(i) {
    host_t h;
    int descriptors = 0;
    open_host(&h, i);
    for (int n = 0; n < CYCLES; n++) {
      answer_t a;
      host_spawn(&h, "a", n % 3 == 0 ? "ignore-term" : "say-ready");
      if (n % 4) host_wait_output(&h, "a", "ready\n");
      host_stop(&h, "a", n % 3 == 0 ? 0 : 60000, &a);
      assert_true(host_answer(&h, &a));
      host_wait_idle(&h);
      assert_no_child();
      if (n == WARM) descriptors = count_descriptors();
      if (n > WARM) assert_int_equal(count_descriptors(), descriptors);
    }
    host_close(&h);
  }
}

static void test_many_at_once(void **state) {
  (void)state;
  enum { MANY = 30 };
  for_both(i) {
    host_t h;
    char id[16];
    answer_t a[MANY];
    open_host(&h, i);
    for (int n = 0; n < MANY; n++) {
      snprintf(id, sizeof(id), "p%d", n);
      host_spawn(&h, id, "leave-daemon", "polite");
    }
    for (int n = 0; n < MANY; n++) {
      snprintf(id, sizeof(id), "p%d", n);
      host_grandchild(&h, id);
      host_stop(&h, id, 60000, &a[n]);
    }
    for (int n = 0; n < MANY; n++)
      assert_true(host_answer(&h, &a[n]));
    host_wait_idle(&h);
    assert_no_child();
    host_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_is_left),
      cmocka_unit_test(test_not_all_are_counted),
      cmocka_unit_test(test_signal_once_to_each),
      cmocka_unit_test(test_signal_to_the_command),
      cmocka_unit_test(test_signal),
      cmocka_unit_test(test_end_of_stdin_first),
      cmocka_unit_test(test_no_end_of_no_stdin),
      cmocka_unit_test(test_those_who_hold_pipes),
      cmocka_unit_test(test_swept_before_a_restart),
      cmocka_unit_test(test_left_alone),
      cmocka_unit_test(test_left_alone_but_for_a_stop),
      cmocka_unit_test(test_left_alone_but_for_an_end_of_stdin),
      cmocka_unit_test(test_left_alone_but_for_an_asked_keeper),
      cmocka_unit_test(test_usage),
      cmocka_unit_test(test_what_keepers_hold),
      cmocka_unit_test(test_many_cycles),
      cmocka_unit_test(test_many_at_once),
  };
  return run_keeper_tests(tests, NULL);
}
