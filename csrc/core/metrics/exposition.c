/*
 * A report as text: https://prometheus.io/docs/instrumenting/exposition_formats. Names and
 * units follow https://prometheus.io/docs/practices/naming.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../alloc.h"
#include "report.h"

/* ---- text that grows --------------------------------------------------------------------- */

typedef struct text {
  char *bytes;
  size_t len, room;
  bool failed; /* memory ran out: all that follows is left out */
} text_t;

static void put(text_t *t, const char *bytes, size_t len) {
  if (len > t->room - t->len) {
    size_t room = t->room ? t->room : 16384;
    while (room - t->len < len)
      room *= 2;
    char *grown = t->failed ? NULL : pm__realloc(t->bytes, room);
    t->failed = !grown;
    if (!grown) return;
    t->bytes = grown;
    t->room = room;
  }
  if (len > 0) memcpy(t->bytes + t->len, bytes, len);
  t->len += len;
}

static void put_word(text_t *t, const char *word) {
  put(t, word, strlen(word));
}

/* As the value of a label: within quotes. */
static void put_escaped(text_t *t, pm_str_t value) {
  size_t done = 0;
  for (size_t i = 0; i < value.len; i++) {
    char c = value.base[i];
    if (c != '\\' && c != '"' && c != '\n') continue;
    put(t, value.base + done, i - done);
    put_word(t, c == '\n' ? "\\n" : c == '"' ? "\\\"" : "\\\\");
    done = i + 1;
  }
  put(t, value.base + done, value.len - done);
}

/* Of microseconds: seconds. By integers, since printf would heed the host's locale. */
static void put_value(text_t *t, int64_t value, bool in_seconds) {
  char digits[48];
  int n = in_seconds
              ? snprintf(digits, sizeof(digits), " %" PRId64 ".%06" PRId64 "\n", value / 1000000, value % 1000000)
              : snprintf(digits, sizeof(digits), " %" PRId64 "\n", value);
  put(t, digits, (size_t)n);
}

/* ---- what there is ------------------------------------------------------------------------- */

typedef enum { COUNTER, GAUGE, COUNTER_OF_SECONDS, GAUGE_OF_SECONDS } kind_t;

enum { MOST_ROWS = 6 };

/* A metric: its samples of one process, each with a label more, or the only one. */
typedef struct family {
  const char *name, *help;
  struct {
    pm_figure_t figure;
    const char *label; /* NULL: none */
  } rows[MOST_ROWS];
  kind_t kind;
  int count;
} family_t;

#define ONE(name, kind, figure, help)                                                                                  \
  { name, help, {{figure, NULL}}, kind, 1 }
#define STREAMS(name, what, help)                                                                                      \
  {                                                                                                                    \
    name, help, {{PM_FIGURE_STDOUT_##what, "stream=\"stdout\""}, {PM_FIGURE_STDERR_##what, "stream=\"stderr\""}},      \
        COUNTER, 2                                                                                                     \
  }

static const family_t families[] = {
    ONE("mcp_process_start_time_seconds", GAUGE_OF_SECONDS, PM_FIGURE_START_TIME,
        "When the command was started last, in seconds since the epoch, while it runs."),
    ONE("mcp_process_uptime_seconds", GAUGE_OF_SECONDS, PM_FIGURE_UPTIME, "How long the command has been running."),
    ONE("mcp_process_restarts_total", COUNTER, PM_FIGURE_RESTARTS,
        "Restarts, attempts that could not be started included."),
    ONE("mcp_process_start_failures_total", COUNTER, PM_FIGURE_START_FAILURES,
        "Starts at which the command could not be executed."),
    {"mcp_process_exits_total",
     "Ends of the command: asked for by a stop or restart, for a limit, or by itself with exit code 0, with another "
     "one, by a signal, or in a way that is not known.",
     {{PM_FIGURE_ENDS_REQUESTED, "outcome=\"requested\""},
      {PM_FIGURE_ENDS_SUCCESS, "outcome=\"success\""},
      {PM_FIGURE_ENDS_FAILURE, "outcome=\"failure\""},
      {PM_FIGURE_ENDS_SIGNAL, "outcome=\"signal\""},
      {PM_FIGURE_ENDS_LIMIT, "outcome=\"limit\""},
      {PM_FIGURE_ENDS_UNKNOWN, "outcome=\"unknown\""}},
     COUNTER,
     6},
    ONE("mcp_process_last_exit_code", GAUGE, PM_FIGURE_EXIT_CODE,
        "Exit code of the last end, unless a signal ended it."),
    ONE("mcp_process_last_exit_signal", GAUGE, PM_FIGURE_EXIT_SIGNAL,
        "Number of the signal that the last end was due to, if it was."),
    ONE("mcp_process_limits_reached_total", COUNTER, PM_FIGURE_LIMITS_REACHED,
        "How often the process has reached one of its limits, or was ended for the manager's."),
    {"mcp_process_cpu_seconds_total",
     "CPU time that the command and all that it started have used, over all starts.",
     {{PM_FIGURE_USER, "mode=\"user\""}, {PM_FIGURE_SYSTEM, "mode=\"system\""}},
     COUNTER_OF_SECONDS,
     2},
    ONE("mcp_process_resident_memory_bytes", GAUGE, PM_FIGURE_MEMORY,
        "Resident memory of all processes of the tree, added up."),
    ONE("mcp_process_resident_memory_peak_bytes", GAUGE, PM_FIGURE_PEAK,
        "The most resident memory that the tree had at a sample since the last start, or one process of it ever had."),
    ONE("mcp_process_processes", GAUGE, PM_FIGURE_PROCESSES, "Processes that live in the tree, the command included."),
    ONE("mcp_process_threads", GAUGE, PM_FIGURE_THREADS, "Threads of the tree."),
    ONE("mcp_process_open_fds", GAUGE, PM_FIGURE_DESCRIPTORS, "Open file descriptors of the tree."),
    {"mcp_process_context_switches_total",
     "Context switches of the tree over all starts, as far as they were seen at scrapes.",
     {{PM_FIGURE_VOLUNTARY, "type=\"voluntary\""}, {PM_FIGURE_INVOLUNTARY, "type=\"involuntary\""}},
     COUNTER,
     2},
    ONE("mcp_process_storage_read_bytes_total", COUNTER, PM_FIGURE_READ,
        "Bytes that the tree has read from storage over all starts, as far as they were seen at scrapes."),
    ONE("mcp_process_storage_written_bytes_total", COUNTER, PM_FIGURE_WRITTEN,
        "Bytes that the tree has written to storage over all starts, as far as they were seen at scrapes."),
    STREAMS("mcp_process_output_lines_total", LINES, "Lines that the command has written."),
    STREAMS("mcp_process_output_bytes_total", BYTES, "Bytes that the command has written, line ends not counted."),
    STREAMS("mcp_process_log_dropped_lines_total", DROPPED, "Lines that the log in memory does not hold any more."),
    STREAMS("mcp_process_log_cut_bytes_total", CUT, "Bytes of lines that were too long for the log in memory."),
    ONE("mcp_process_log_file_lost_lines_total", COUNTER, PM_FIGURE_LOG_FILE_LOST,
        "Lines that the log file has missed, because it could not be written."),
    ONE("mcp_process_output_paused", GAUGE, PM_FIGURE_PAUSED, "1 while stdout is not read, else 0."),
    ONE("mcp_process_stdin_queued_bytes", GAUGE, PM_FIGURE_STDIN_QUEUED, "Bytes that wait to be written to stdin."),
    ONE("mcp_process_queue_position", GAUGE, PM_FIGURE_QUEUE_POSITION,
        "Place among those that wait for their turn to be started again; 1 is the next."),
    ONE("mcp_process_limit_cpu_seconds", GAUGE_OF_SECONDS, PM_FIGURE_LIMIT_CPU, "CPU time that each process may use."),
    ONE("mcp_process_limit_file_size_bytes", GAUGE, PM_FIGURE_LIMIT_FILE_SIZE,
        "Size of the largest file it may write."),
    ONE("mcp_process_limit_open_fds", GAUGE, PM_FIGURE_LIMIT_OPEN_FILES,
        "File descriptors that each process may open."),
    ONE("mcp_process_limit_processes", GAUGE, PM_FIGURE_LIMIT_PROCESSES, "Processes that its user may have."),
    ONE("mcp_process_limit_address_space_bytes", GAUGE, PM_FIGURE_LIMIT_ADDRESS_SPACE,
        "Address space that each process may have."),
    ONE("mcp_process_limit_data_size_bytes", GAUGE, PM_FIGURE_LIMIT_DATA_SIZE, "Data that each process may have."),
    ONE("mcp_process_limit_stack_size_bytes", GAUGE, PM_FIGURE_LIMIT_STACK_SIZE, "Stack that each process may have."),
    ONE("mcp_process_limit_locked_memory_bytes", GAUGE, PM_FIGURE_LIMIT_LOCKED_MEMORY,
        "Memory that each process may lock."),
    ONE("mcp_process_limit_core_size_bytes", GAUGE, PM_FIGURE_LIMIT_CORE_SIZE, "Size of the largest core file."),
    ONE("mcp_process_limit_memory_bytes", GAUGE, PM_FIGURE_LIMIT_MEMORY,
        "Memory that all processes of the tree may use together, each page counted once."),
};

/* All that pm__process_state_name says. */
static const char *const states[] = {"starting", "running", "stopping", "backoff", "queued", "exited", "failed"};
enum { STATES = sizeof(states) / sizeof(states[0]) };

/* ---- writing -------------------------------------------------------------------------------- */

static void put_header(text_t *t, const char *name, kind_t kind, const char *help) {
  put_word(t, "# HELP ");
  put_word(t, name);
  put_word(t, " ");
  put_word(t, help);
  put_word(t, "\n# TYPE ");
  put_word(t, name);
  put_word(t, kind == COUNTER || kind == COUNTER_OF_SECONDS ? " counter\n" : " gauge\n");
}

/* name{id="…" */
static void put_id(text_t *t, const char *name, const pm_report_entry_t *entry) {
  put_word(t, name);
  put_word(t, "{id=\"");
  put_escaped(t, entry->id);
  put_word(t, "\"");
}

/* A metric of which nothing is known is left out. */
static void put_family(text_t *t, const pm_report_t *report, const family_t *f) {
  bool in_seconds = f->kind == COUNTER_OF_SECONDS || f->kind == GAUGE_OF_SECONDS;
  bool any = false;
  for (size_t i = 0; i < report->count; i++) {
    const pm_report_entry_t *entry = &report->items[i].entry;
    for (int r = 0; r < f->count; r++) {
      int64_t value = entry->figures[f->rows[r].figure];
      if (value < 0) continue;
      if (!any) put_header(t, f->name, f->kind, f->help);
      any = true;
      put_id(t, f->name, entry);
      if (f->rows[r].label) put_word(t, ",");
      if (f->rows[r].label) put_word(t, f->rows[r].label);
      put_word(t, "}");
      put_value(t, value, in_seconds);
    }
  }
}

static void put_info(text_t *t, const pm_report_t *report) {
  static const char *const name = "mcp_process_info";
  if (report->count > 0) put_header(t, name, GAUGE, "1, with the command and the containment that is in effect.");
  for (size_t i = 0; i < report->count; i++) {
    const pm_report_entry_t *entry = &report->items[i].entry;
    put_id(t, name, entry);
    put_word(t, ",command=\"");
    put_escaped(t, entry->command);
    put_word(t, "\",containment=\"");
    put_word(t, entry->containment);
    put_word(t, "\"} 1\n");
  }
}

static void put_states(text_t *t, const pm_report_t *report) {
  static const char *const name = "mcp_process_state";
  if (report->count > 0) put_header(t, name, GAUGE, "1 for the state that the process is in, 0 for the others.");
  for (size_t i = 0; i < report->count; i++) {
    const pm_report_entry_t *entry = &report->items[i].entry;
    for (int s = 0; s < STATES; s++) {
      put_id(t, name, entry);
      put_word(t, ",state=\"");
      put_word(t, states[s]);
      put_word(t, strcmp(entry->state, states[s]) == 0 ? "\"} 1\n" : "\"} 0\n");
    }
  }
}

static void put_total(text_t *t, const char *name, kind_t kind, uint64_t value, const char *help) {
  put_header(t, name, kind, help);
  put_word(t, name);
  put_value(t, (int64_t)value, false);
}

static void put_manager(text_t *t, const pm_report_t *report) {
  static const char *const name = "mcp_process_manager_processes";
  put_header(t, name, GAUGE, "Processes that the manager knows, by state.");
  for (int s = 0; s < STATES; s++) {
    int64_t count = 0;
    for (size_t i = 0; i < report->count; i++)
      count += strcmp(report->items[i].entry.state, states[s]) == 0;
    put_word(t, name);
    put_word(t, "{state=\"");
    put_word(t, states[s]);
    put_word(t, "\"}");
    put_value(t, count, false);
  }
  put_total(t, "mcp_process_manager_max_processes", GAUGE, report->totals.max_processes,
            "How many processes may live at the same time.");
  if (report->totals.max_memory >= 0)
    put_total(t, "mcp_process_manager_max_memory_bytes", GAUGE, (uint64_t)report->totals.max_memory,
              "How much memory all processes may use together.");
  put_total(t, "mcp_process_manager_spawned_processes_total", COUNTER, report->totals.spawned,
            "Processes that the manager has taken on.");
  put_total(t, "mcp_process_manager_limits_reached_total", COUNTER, report->totals.limits_reached,
            "How often a limit of the manager was reached, whether a process was ended for it or not.");
}

int pm_report_text(pm_report_t *report, pm_str_t *out) {
  text_t t = {0};
  put_manager(&t, report);
  put_info(&t, report);
  put_states(&t, report);
  for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
    put_family(&t, report, &families[i]);
  pm__free(report->text);
  report->text = t.bytes;
  *out = (pm_str_t){t.bytes, t.len};
  return t.failed ? UV_ENOMEM : 0;
}
