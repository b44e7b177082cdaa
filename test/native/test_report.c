/* What monitoring systems are told: figures, text, what is under way when things go, and memory that runs out. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/process.h"
#include "pm_fixture.h"

static int open_host(void **state) {
  host_t *h = host_new();
  host_open(h);
  *state = h;
  return 0;
}

static pm_report_t *begin(host_t *h) {
  pm_report_t *report;
  assert_int_equal(pm_manager_report(h->m, &report), 0);
  return report;
}

typedef struct wanted {
  const char *id;
  pm_report_entry_t entry;
  bool found;
} wanted_t;

static void on_entry(void *arg, const pm_report_entry_t *entry) {
  wanted_t *wanted = arg;
  if (entry->id.len != strlen(wanted->id) || memcmp(entry->id.base, wanted->id, entry->id.len) != 0) return;
  wanted->entry = *entry;
  wanted->found = true;
}

/* The figures of one process now. */
static pm_report_entry_t ask(host_t *h, const char *id) {
  wanted_t wanted = {.id = id};
  pm_report_t *report = begin(h);
  pm_report_read(report);
  pm_report_each(report, on_entry, &wanted);
  pm_report_end(h->m, report);
  assert_true(wanted.found);
  return wanted.entry;
}

/* The same of one that runs, once there has been time to sample it. */
static pm_report_entry_t ask_sampled(host_t *h, const char *id) {
  pm_report_entry_t entry = ask(h, id);
  for (int i = 0; i < 1000 && entry.figures[PM_FIGURE_MEMORY] < 0; i++) {
    host_pass_time(h, 5);
    entry = ask(h, id);
  }
  return entry;
}

#define FIGURE(h, id, name) (ask((h), (id)).figures[PM_FIGURE_##name])

static void test_of_one_that_runs(void **state) {
  host_t *h = *state;
  if (!wants_portable()) {
    h->options.value[PM_OPT_LIMIT_OPEN_FILES] = 100;
    h->options.value[PM_OPT_LIMIT_CPU_SECONDS] = 50;
  }
  host_spawn(h, "a", "touch-memory", "30");
  host_wait_output(h, "a", "ready\n");
  const pm_report_entry_t now = ask_sampled(h, "a");
  const int64_t *figure = now.figures;
  assert_string_equal(now.state, "running");
  assert_true(figure[PM_FIGURE_MEMORY] > 30 << 20 && figure[PM_FIGURE_PEAK] > 30 << 20);
  assert_true(figure[PM_FIGURE_UPTIME] > 0 && figure[PM_FIGURE_START_TIME] > INT64_C(1600000000000000));
  assert_int_equal(figure[PM_FIGURE_PROCESSES], 1);
  assert_int_equal(figure[PM_FIGURE_THREADS], 1);
  assert_int_equal(figure[PM_FIGURE_DESCRIPTORS], 3);
  assert_true(figure[PM_FIGURE_VOLUNTARY] >= 0 && figure[PM_FIGURE_INVOLUNTARY] >= 0);
  assert_int_equal(figure[PM_FIGURE_STDOUT_LINES], 1);
  assert_int_equal(figure[PM_FIGURE_STDOUT_BYTES], strlen("ready"));
  assert_int_equal(figure[PM_FIGURE_STDERR_LINES], 0);
  assert_int_equal(figure[PM_FIGURE_EXIT_CODE], -1);
  assert_int_equal(figure[PM_FIGURE_LIMIT_OPEN_FILES], wants_portable() ? -1 : 100);
  assert_int_equal(figure[PM_FIGURE_LIMIT_CPU], wants_portable() ? -1 : 50000000);
  assert_int_equal(figure[PM_FIGURE_LIMIT_PROCESSES], -1);
  assert_int_equal(figure[PM_FIGURE_LOG_FILE_LOST], -1);
  host_end(h, "a");
  const pm_report_entry_t after = ask(h, "a");
  assert_int_equal(after.figures[PM_FIGURE_MEMORY], -1);
  assert_int_equal(after.figures[PM_FIGURE_START_TIME], -1);
  assert_int_equal(after.figures[PM_FIGURE_DESCRIPTORS], -1);
  assert_true(after.figures[PM_FIGURE_VOLUNTARY] >= figure[PM_FIGURE_VOLUNTARY]);
  assert_int_equal(after.figures[PM_FIGURE_ENDS_REQUESTED], 1);
}

static void test_ends_are_told_apart(void **state) {
  host_t *h = *state;
  h->options.value[PM_OPT_AUTO_RESTART] = 1;
  h->options.value[PM_OPT_MAX_RESTARTS] = 2;
  h->options.value[PM_OPT_RESTART_DELAY] = 1;
  host_spawn(h, "success", "exit-with", "0");
  host_spawn(h, "failure", "exit-with", "3");
  host_spawn(h, "signal", "die-by", "9");
  host_spawn(h, "none", "/no/such/file");
  host_wait(h, "success", PM_EVENT_EXIT, 1);
  host_wait(h, "failure", PM_EVENT_LIMIT, 1);
  host_wait(h, "signal", PM_EVENT_LIMIT, 1);
  host_wait(h, "none", PM_EVENT_LIMIT, 1);
  assert_int_equal(FIGURE(h, "success", ENDS_SUCCESS), 1);
  assert_int_equal(FIGURE(h, "success", ENDS_REQUESTED), 0);
  assert_int_equal(FIGURE(h, "success", EXIT_CODE), 0);
  assert_int_equal(FIGURE(h, "failure", ENDS_FAILURE), 3);
  assert_int_equal(FIGURE(h, "failure", RESTARTS), 2);
  assert_int_equal(FIGURE(h, "failure", LIMITS_REACHED), 1);
  assert_int_equal(FIGURE(h, "failure", EXIT_CODE), 3);
  assert_int_equal(FIGURE(h, "signal", ENDS_SIGNAL), 3);
  assert_int_equal(FIGURE(h, "signal", EXIT_SIGNAL), SIGKILL);
  assert_int_equal(FIGURE(h, "signal", EXIT_CODE), -1);
  assert_int_equal(FIGURE(h, "none", START_FAILURES), 3);
  assert_int_equal(FIGURE(h, "none", ENDS_UNKNOWN), 0);
  assert_int_equal(FIGURE(h, "none", VOLUNTARY), -1);
}

/* Over starts, and over descendants that come and go. */
static void test_counters_never_go_down(void **state) {
  static const pm_figure_t counters[] = {PM_FIGURE_USER,         PM_FIGURE_SYSTEM,      PM_FIGURE_VOLUNTARY,
                                         PM_FIGURE_INVOLUNTARY,  PM_FIGURE_READ,        PM_FIGURE_WRITTEN,
                                         PM_FIGURE_STDOUT_BYTES, PM_FIGURE_STDOUT_LINES};
  enum { COUNTERS = sizeof(counters) / sizeof(counters[0]), STARTS = 4 };
  host_t *h = *state;
  int64_t before[COUNTERS], used = 0;
  const char *const script = "i=0; while :; do i=$((i+1)); /bin/true; done & echo ready; exec sleep 100";
  assert_int_equal(host_spawn_argv(h, "a", (const char *const[]){"/bin/sh", "-c", script, NULL}), 0);
  for (int c = 0; c < COUNTERS; c++)
    before[c] = -1;
  for (int start = 0; start < STARTS; start++) {
    for (int looks = 0; looks < 10 || before[0] + before[1] <= used; looks++) {
      assert_true(looks < 1000);
      host_pass_time(h, 15);
      const pm_report_entry_t now = ask(h, "a");
      for (int c = 0; c < COUNTERS; c++) {
        assert_true(now.figures[counters[c]] >= before[c]);
        before[c] = now.figures[counters[c]];
      }
    }
    used = before[0] + before[1];
    answer_t answer;
    host_restart(h, "a", &answer);
    assert_true(host_answer(h, &answer));
  }
  assert_true(before[2] > 0);
  host_end(h, "a");
}

static void (*pass_on)(pm__child_t *child);

/* As if samples had seen more of one kind, and the kernel had counted more in all. */
static void end_with_two_accounts(pm__child_t *child) {
  pm__run_t *run = child->data;
  run->meter.used = (pm__cpu_time_t){.user = 30000000};
  child->usage.user = 10000;
  child->usage.system = 50000;
  pass_on(child);
}

/* Counters and the metrics of what has ended say the same. */
static void test_one_account_of_cpu(void **state) {
  host_t *h = *state;
  pm_measure_t *measure;
  host_spawn(h, "a", "say-ready");
  host_wait_output(h, "a", "ready\n");
  pass_on = h->m->first->run->child.on_exit;
  h->m->first->run->child.on_exit = end_with_two_accounts;
  bool kept = is_kept(h, "a");
  host_end(h, "a");
  assert_int_equal(pm_process_measure(h->m, str("a"), false, &measure), 0);
  pm_metrics_t last = pm_measure_result(measure)->metrics;
  pm_measure_free(measure);
  const pm_report_entry_t now = ask(h, "a");
  assert_int_equal(now.figures[PM_FIGURE_USER], last.user);
  assert_int_equal(now.figures[PM_FIGURE_SYSTEM], last.system);
  assert_int_equal(last.user, 30000);
  /* Without a keeper the kernel's account is read after that. */
  if (kept) assert_int_equal(last.system, 50000);
}

/* The kernel counts what one wrote for who has waited for it, too. */
static void test_what_was_written_counts_once(void **state) {
  enum { MB = 1 << 20 };
  host_t *h = *state;
  char dir[256];
  make_scratch(dir, sizeof(dir));
  const char *const script = "(dd if=/dev/zero of=\"$1/data\" bs=1048576 count=1 2>/dev/null; echo written; read x); "
                             "echo waited; read y";
  assert_int_equal(host_spawn_argv(h, "a", (const char *const[]){"/bin/sh", "-c", script, "sh", dir, NULL}), 0);
  host_wait_output(h, "a", "written\n");
  for (int i = 0; i < 500 && FIGURE(h, "a", WRITTEN) < MB; i++)
    host_pass_time(h, 10);
  int64_t before = FIGURE(h, "a", WRITTEN);
  bool ready;
  assert_int_equal(pm_process_write(h->m, str("a"), str("\n"), &ready, &h->error), 0);
  host_wait_output(h, "a", "waited\n");
  int64_t after = FIGURE(h, "a", WRITTEN);
  print_message("%lld, then %lld bytes\n", (long long)before, (long long)after);
  if (before < MB) print_message("the directory for temporary files is on no disk\n");
  assert_true(after >= before && after < before + MB / 2);
  host_end(h, "a");
  remove_scratch(dir);
}

/* ---- things that go while a report is under way -------------------------------------------- */

static void test_one_at_a_time(void **state) {
  host_t *h = *state;
  pm_report_t *second;
  pm_report_t *first = begin(h);
  assert_int_equal(pm_manager_report(h->m, &second), UV_EBUSY);
  pm_report_end(h->m, first);
  pm_report_end(h->m, begin(h));
}

/* Another process has its id by then: its counters are its own. */
static void test_a_process_that_goes_meanwhile(void **state) {
  host_t *h = *state;
  host_spawn(h, "a", "say-ready");
  host_wait_output(h, "a", "ready\n");
  assert_true(ask_sampled(h, "a").figures[PM_FIGURE_VOLUNTARY] >= 0);
  pm_report_t *report = begin(h);
  host_end(h, "a");
  assert_int_equal(pm_process_remove(h->m, str("a")), 0);
  assert_int_equal(host_try_spawn(h, "a", "/no/such/file"), 0);
  pm_report_read(report);
  pm_report_end(h->m, report);
  assert_int_equal(FIGURE(h, "a", VOLUNTARY), -1);
}

static void test_a_manager_that_goes_meanwhile(void **state) {
  host_t *h = *state;
  pm_str_t text;
  host_spawn(h, "a", "say-ready");
  host_wait_output(h, "a", "ready\n");
  pm_report_t *report = begin(h);
  host_begin_closing(h);
  while (!h->closed)
    uv_run(&h->loop, UV_RUN_ONCE);
  pm_report_read(report);
  assert_int_equal(pm_report_text(report, &text), 0);
  assert_non_null(memmem(text.base, text.len, "id=\"a\"", 6));
  pm_report_end(NULL, report);
}

/* ---- text -------------------------------------------------------------------------------------- */

static bool has(pm_str_t text, const char *line) {
  return memmem(text.base, text.len, line, strlen(line)) != NULL;
}

static void test_text(void **state) {
  host_t *h = *state;
  pm_str_t text;
  host_spawn(h, "a \"quoted\" \\ id", "say-ready");
  host_wait_output(h, "a \"quoted\" \\ id", "ready\n");
  host_spawn(h, "none", "./two\nlines");
  pm_report_t *report = begin(h);
  pm_report_read(report);
  assert_int_equal(pm_report_text(report, &text), 0);
  assert_true(text.base[text.len - 1] == '\n' && !has(text, "\n\n"));
  assert_true(has(text, "\nmcp_process_state{id=\"a \\\"quoted\\\" \\\\ id\",state=\"running\"} 1\n"));
  assert_true(has(text, "\nmcp_process_info{id=\"none\",command=\"./two\\nlines\",containment=\""));
  assert_true(has(text, "\nmcp_process_manager_processes{state=\"running\"} 1\n"));
  assert_true(has(text, "\nmcp_process_manager_processes{state=\"failed\"} 1\n"));
  assert_true(has(text, "\nmcp_process_manager_spawned_processes_total 2\n"));
  assert_true(has(text, "\n# TYPE mcp_process_cpu_seconds_total counter\n"));
  assert_true(has(text, "\n# TYPE mcp_process_resident_memory_bytes gauge\n"));
  assert_false(has(text, "mcp_process_limit_"));
  assert_false(has(text, "mcp_process_log_file_"));
  /* A second time it is the same. */
  char *first = strndup(text.base, text.len);
  assert_int_equal(pm_report_text(report, &text), 0);
  assert_true(strlen(first) == text.len && memcmp(first, text.base, text.len) == 0);
  free(first);
  pm_report_end(h->m, report);
  host_end(h, "a \"quoted\" \\ id");
}

/* Whatever it is in, that is the one that is 1. */
static void test_every_state_has_its_name(void **state) {
  host_t *h = *state;
  char line[128];
  pm_str_t text;
  assert_int_equal(host_try_spawn(h, "a", "/no/such/file"), 0);
  pm__process_t *p = h->m->first;
  pm__state_t was = p->state;
  for (int s = 0; s < PM__STATE_COUNT; s++) {
    p->state = (pm__state_t)s;
    const char *name = pm__process_state_name(p);
    pm_report_t *report = begin(h);
    p->state = was;
    assert_int_equal(pm_report_text(report, &text), 0);
    snprintf(line, sizeof(line), "mcp_process_state{id=\"a\",state=\"%s\"} 1\n", name);
    assert_true(has(text, line));
    snprintf(line, sizeof(line), "mcp_process_manager_processes{state=\"%s\"} 1\n", name);
    assert_true(has(text, line));
    pm_report_end(h->m, report);
  }
}

static void test_no_process(void **state) {
  host_t *h = *state;
  pm_str_t text;
  pm_report_t *report = begin(h);
  pm_report_read(report);
  assert_int_equal(pm_report_text(report, &text), 0);
  assert_true(has(text, "mcp_process_manager_max_processes 100\n"));
  assert_false(has(text, "mcp_process_info"));
  pm_report_end(h->m, report);
}

/* ---- memory that runs out ------------------------------------------------------------------------ */

static void test_memory_that_runs_out(void **state) {
  host_t *h = *state;
  enum { MANY = 40 };
  char id[32];
  pm_str_t text;
  h->options.value[PM_OPT_MAX_ENDED] = MANY;
  for (int i = 0; i < MANY; i++) {
    snprintf(id, sizeof(id), "none %d", i);
    assert_int_equal(host_try_spawn(h, id, "/no/such/file"), 0);
  }
  host_spawn(h, "a", "say-ready");
  host_wait_output(h, "a", "ready\n");
  assert_true(ask_sampled(h, "a").figures[PM_FIGURE_VOLUNTARY] >= 0);
  h->m->last->tally.ledger.sum[PM__LEDGER_VOLUNTARY] += 1000000;
  int64_t before = FIGURE(h, "a", VOLUNTARY);
  unsigned failures = 0;
  for (unsigned long n = 1;; n++) {
    pm_report_t *report;
    alloc_fail_nth(n);
    int r = pm_manager_report(h->m, &report);
    assert_true(r == 0 || r == UV_ENOMEM);
    int text_r = 0;
    if (r == 0) {
      pm_report_read(report);
      text_r = pm_report_text(report, &text);
      assert_true(text_r == 0 || text_r == UV_ENOMEM);
      pm_report_end(h->m, report);
    }
    bool through = alloc_seen() < n;
    alloc_fail_nth(0);
    failures += r != 0 || text_r != 0;
    /* Nothing that had been counted is forgotten. */
    int64_t now = FIGURE(h, "a", VOLUNTARY);
    assert_true(now >= before);
    before = now;
    if (through) break;
    assert_true(n < 1000);
  }
  assert_true(failures > MANY);
  host_end(h, "a");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_of_one_that_runs, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_ends_are_told_apart, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_counters_never_go_down, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_one_account_of_cpu, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_what_was_written_counts_once, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_one_at_a_time, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_process_that_goes_meanwhile, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_a_manager_that_goes_meanwhile, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_text, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_every_state_has_its_name, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_no_process, open_host, host_teardown),
      cmocka_unit_test_setup_teardown(test_memory_that_runs_out, open_host, host_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
