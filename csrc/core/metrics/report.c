#include "report.h"

#include <math.h>
#include <string.h>

#include "../alloc.h"
#include "../logs/log_file.h"
#include "../process.h"
#include "../run.h"
#include "../spawn_queue.h"
#include "../table.h"
#include "measure.h"
#include "metering.h"
#include "monitor.h"

const char *const pm_figure_names[PM_FIGURE_COUNT] = {
    [PM_FIGURE_START_TIME] = "startTime",
    [PM_FIGURE_UPTIME] = "uptime",
    [PM_FIGURE_RESTARTS] = "restarts",
    [PM_FIGURE_START_FAILURES] = "startFailures",
    [PM_FIGURE_ENDS_REQUESTED] = "endsRequested",
    [PM_FIGURE_ENDS_SUCCESS] = "endsSuccess",
    [PM_FIGURE_ENDS_FAILURE] = "endsFailure",
    [PM_FIGURE_ENDS_SIGNAL] = "endsSignal",
    [PM_FIGURE_ENDS_LIMIT] = "endsLimit",
    [PM_FIGURE_ENDS_UNKNOWN] = "endsUnknown",
    [PM_FIGURE_EXIT_CODE] = "exitCode",
    [PM_FIGURE_EXIT_SIGNAL] = "exitSignal",
    [PM_FIGURE_LIMITS_REACHED] = "limitsReached",
    [PM_FIGURE_USER] = "user",
    [PM_FIGURE_SYSTEM] = "system",
    [PM_FIGURE_MEMORY] = "memory",
    [PM_FIGURE_PEAK] = "peak",
    [PM_FIGURE_PROCESSES] = "processes",
    [PM_FIGURE_THREADS] = "threads",
    [PM_FIGURE_DESCRIPTORS] = "descriptors",
    [PM_FIGURE_VOLUNTARY] = "voluntary",
    [PM_FIGURE_INVOLUNTARY] = "involuntary",
    [PM_FIGURE_READ] = "read",
    [PM_FIGURE_WRITTEN] = "written",
    [PM_FIGURE_STDOUT_LINES] = "stdoutLines",
    [PM_FIGURE_STDERR_LINES] = "stderrLines",
    [PM_FIGURE_STDOUT_BYTES] = "stdoutBytes",
    [PM_FIGURE_STDERR_BYTES] = "stderrBytes",
    [PM_FIGURE_STDOUT_DROPPED] = "stdoutDropped",
    [PM_FIGURE_STDERR_DROPPED] = "stderrDropped",
    [PM_FIGURE_STDOUT_CUT] = "stdoutCut",
    [PM_FIGURE_STDERR_CUT] = "stderrCut",
    [PM_FIGURE_PAUSED] = "paused",
    [PM_FIGURE_LOG_FILE_LOST] = "logFileLost",
    [PM_FIGURE_STDIN_QUEUED] = "stdinQueued",
    [PM_FIGURE_QUEUE_POSITION] = "queuePosition",
    [PM_FIGURE_LIMIT_CPU] = "limitCpu",
    [PM_FIGURE_LIMIT_FILE_SIZE] = "limitFileSize",
    [PM_FIGURE_LIMIT_OPEN_FILES] = "limitOpenFiles",
    [PM_FIGURE_LIMIT_PROCESSES] = "limitProcesses",
    [PM_FIGURE_LIMIT_ADDRESS_SPACE] = "limitAddressSpace",
    [PM_FIGURE_LIMIT_DATA_SIZE] = "limitDataSize",
    [PM_FIGURE_LIMIT_STACK_SIZE] = "limitStackSize",
    [PM_FIGURE_LIMIT_LOCKED_MEMORY] = "limitLockedMemory",
    [PM_FIGURE_LIMIT_CORE_SIZE] = "limitCoreSize",
    [PM_FIGURE_LIMIT_MEMORY] = "limitMemory",
};

/* ---- what the loop knows ---------------------------------------------------------------- */

static void fill_limits(int64_t *figures, const pm_options_t *options) {
  static const struct {
    pm_figure_t figure;
    pm_option_index_t option;
  } limits[] = {
      {PM_FIGURE_LIMIT_CPU, PM_OPT_LIMIT_CPU_SECONDS},
      {PM_FIGURE_LIMIT_FILE_SIZE, PM_OPT_LIMIT_FILE_SIZE},
      {PM_FIGURE_LIMIT_OPEN_FILES, PM_OPT_LIMIT_OPEN_FILES},
      {PM_FIGURE_LIMIT_PROCESSES, PM_OPT_LIMIT_PROCESSES},
      {PM_FIGURE_LIMIT_ADDRESS_SPACE, PM_OPT_LIMIT_ADDRESS_SPACE},
      {PM_FIGURE_LIMIT_DATA_SIZE, PM_OPT_LIMIT_DATA_SIZE},
      {PM_FIGURE_LIMIT_STACK_SIZE, PM_OPT_LIMIT_STACK_SIZE},
      {PM_FIGURE_LIMIT_LOCKED_MEMORY, PM_OPT_LIMIT_LOCKED_MEMORY},
      {PM_FIGURE_LIMIT_CORE_SIZE, PM_OPT_LIMIT_CORE_SIZE},
      {PM_FIGURE_LIMIT_MEMORY, PM_OPT_LIMIT_MEMORY},
  };
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    double value = options->value[limits[i].option];
    if (limits[i].figure == PM_FIGURE_LIMIT_CPU) value *= 1e6;
    /* A larger one holds nobody. */
    if (value < 9e18) figures[limits[i].figure] = (int64_t)value;
  }
}

static void fill_tally(int64_t *figures, const pm__process_t *p) {
  const pm__tally_t *tally = &p->tally;
  for (int i = 0; i < PM__END_WAYS; i++)
    figures[PM_FIGURE_ENDS_REQUESTED + i] = (int64_t)tally->ends[i];
  figures[PM_FIGURE_RESTARTS] = (int64_t)p->restarts;
  figures[PM_FIGURE_START_FAILURES] = (int64_t)tally->start_failures;
  figures[PM_FIGURE_LIMITS_REACHED] = (int64_t)tally->limits_reached;
  if (p->queue_place > 0) figures[PM_FIGURE_QUEUE_POSITION] = p->queue_place;
  figures[PM_FIGURE_EXIT_CODE] = p->last_exit.code;
  if (p->last_exit.signum) figures[PM_FIGURE_EXIT_SIGNAL] = p->last_exit.signum;
  for (int i = 0; i < PM__LEDGER_COUNT; i++)
    figures[PM_FIGURE_VOLUNTARY + i] = tally->ledger.sum[i];
}

static void fill_streams(int64_t *figures, const pm__process_t *p) {
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    const pm__log_ring_t *log = &p->logs[i];
    figures[PM_FIGURE_STDOUT_LINES + i] = (int64_t)log->total_lines;
    figures[PM_FIGURE_STDOUT_BYTES + i] = (int64_t)log->total_bytes;
    figures[PM_FIGURE_STDOUT_DROPPED + i] = (int64_t)log->dropped_lines;
    figures[PM_FIGURE_STDOUT_CUT + i] = (int64_t)log->cut_bytes;
  }
  if (p->log_file) figures[PM_FIGURE_LOG_FILE_LOST] = (int64_t)pm__log_file_lost(p->log_file);
}

static int64_t to_bytes(double megabytes) {
  return (int64_t)(megabytes * 1024 * 1024);
}

static void fill_run(int64_t *figures, const pm__process_t *p) {
  pm__run_t *run = p->run;
  pm_metrics_t metrics = p->last_metrics;
  uint64_t user = 0, system = 0;
  bool complete = false;
  /* Until its end is on record: then it is in the tally. */
  if (run && !run->over) {
    pm__seen_t seen = pm__metering_seen(run);
    metrics = seen.metrics;
    complete = seen.complete;
    user = metrics.user;
    system = metrics.system;
  }
  figures[PM_FIGURE_USER] = (int64_t)(p->tally.user + user);
  figures[PM_FIGURE_SYSTEM] = (int64_t)(p->tally.system + system);
  if (metrics.peak > 0) figures[PM_FIGURE_PEAK] = to_bytes(metrics.peak);
  if (!run || run->ended_at) return;
  figures[PM_FIGURE_START_TIME] = (int64_t)run->start_time;
  figures[PM_FIGURE_UPTIME] = (int64_t)(pm__run_uptime(run) * 1e6);
  figures[PM_FIGURE_PAUSED] = run->output[PM_STDOUT].paused;
  figures[PM_FIGURE_STDIN_QUEUED] = (int64_t)run->input.queued;
  if (!complete) return;
  figures[PM_FIGURE_MEMORY] = to_bytes(metrics.memory);
  figures[PM_FIGURE_PROCESSES] = metrics.processes;
  figures[PM_FIGURE_THREADS] = (int64_t)metrics.threads;
}

static int copy_texts(pm__report_item_t *item, const pm__process_t *p) {
  size_t command_len = strlen(p->command.name);
  item->text = pm__malloc(p->id.len + command_len + 1);
  if (!item->text) return UV_ENOMEM;
  memcpy(item->text, p->id.base, p->id.len);
  memcpy(item->text + p->id.len, p->command.name, command_len);
  item->entry.id = (pm_str_t){item->text, p->id.len};
  item->entry.command = (pm_str_t){item->text + p->id.len, command_len};
  return 0;
}

/* Takes the ledger last, when nothing can fail any more. */
static int fill(pm__report_item_t *item, pm__process_t *p) {
  pm__run_t *run = p->run;
  int64_t *figures = item->entry.figures;
  pm__ledger_init(&item->ledger);
  item->life = p->life;
  item->entry.state = pm__process_state_name(p);
  item->entry.containment = pm__process_containment_name(p);
  for (int i = 0; i < PM_FIGURE_COUNT; i++)
    figures[i] = -1;
  fill_tally(figures, p);
  fill_streams(figures, p);
  fill_run(figures, p);
  fill_limits(figures, &p->options);
  int r = copy_texts(item, p);
  if (r == 0 && figures[PM_FIGURE_PROCESSES] >= 0) r = pm__metering_measure(run, false, &item->measure);
  if (r != 0) return r;
  item->has_ledger = true;
  item->ledger = p->tally.ledger;
  pm__ledger_init(&p->tally.ledger);
  return 0;
}

static pm_report_t *new_report(const pm_manager_t *m) {
  pm_report_t *report = pm__calloc(1, sizeof(*report));
  if (!report) return NULL;
  report->items = pm__calloc(m->known ? m->known : 1, sizeof(*report->items));
  report->totals = (pm__report_totals_t){
      .spawned = m->lives,
      .limits_reached = m->limits_reached,
      .max_processes = (uint64_t)m->options.value[PM_OPT_MAX_PROCESSES],
      .max_memory =
          m->options.value[PM_OPT_MAX_TOTAL_MEMORY] < 9e18 ? (int64_t)m->options.value[PM_OPT_MAX_TOTAL_MEMORY] : -1,
  };
  if (report->items) return report;
  pm__free(report);
  return NULL;
}

int pm_manager_report(pm_manager_t *m, pm_report_t **out) {
  uint64_t until = pm__monitor_allowance();
  if (m->reporting) return UV_EBUSY;
  pm_report_t *report = new_report(m);
  if (!report) return UV_ENOMEM;
  m->reporting = true;
  pm__spawn_queue_number(m);
  for (pm__process_t *p = m->first; p; p = p->next) {
    if (p->run) pm__monitor_refresh(p->run, until);
    int r = fill(&report->items[report->count++], p);
    if (r == 0) continue;
    pm_report_end(m, report);
    return r;
  }
  *out = report;
  return 0;
}

/* ---- the rest ------------------------------------------------------------------------------ */

/* Without memory nothing is settled, and the next report makes up for it. */
static void settle(pm__report_item_t *item) {
  int count, found = 0;
  const pm__measured_t *processes = pm__measure_processes(item->measure, &count);
  pm__ledger_entry_t *entries = pm__calloc((size_t)count + 1, sizeof(*entries));
  if (!entries) return;
  for (int i = 0; i < count; i++) {
    const pm__details_t *d = &processes[i].details;
    if (!processes[i].found) continue;
    entries[found++] = (pm__ledger_entry_t){
        .pid = processes[i].pid,
        .ppid = processes[i].ppid,
        .start_time = processes[i].start_time,
        .value = {d->voluntary, d->involuntary, d->read, d->written},
    };
  }
  pm__ledger_settle(&item->ledger, entries, (size_t)found);
}

void pm_report_read(pm_report_t *report) {
  for (size_t i = 0; i < report->count; i++) {
    pm__report_item_t *item = &report->items[i];
    int64_t *figures = item->entry.figures;
    if (!item->measure) continue;
    pm_measure_read(item->measure);
    const pm_measurement_t *found = pm_measure_result(item->measure);
    figures[PM_FIGURE_DESCRIPTORS] = found->descriptors;
    figures[PM_FIGURE_PEAK] = to_bytes(found->metrics.peak);
    settle(item);
    for (int c = 0; c < PM__LEDGER_COUNT; c++)
      figures[PM_FIGURE_VOLUNTARY + c] = item->ledger.sum[c];
  }
}

void pm_report_each(const pm_report_t *report, void (*each)(void *arg, const pm_report_entry_t *entry), void *arg) {
  for (size_t i = 0; i < report->count; i++)
    each(arg, &report->items[i].entry);
}

/* To the process that it was taken from, unless that is gone, whoever has the id now. */
static void give_back(pm_manager_t *m, pm__report_item_t *item) {
  pm__process_t *p = item->has_ledger ? pm__table_find(m, item->entry.id) : NULL;
  if (!p || p->life != item->life) return;
  p->tally.ledger = item->ledger;
  pm__ledger_init(&item->ledger);
}

void pm_report_end(pm_manager_t *m, pm_report_t *report) {
  for (size_t i = 0; i < report->count; i++) {
    pm__report_item_t *item = &report->items[i];
    if (m) give_back(m, item);
    pm__ledger_free(&item->ledger);
    pm_measure_free(item->measure);
    pm__free(item->text);
  }
  if (m) m->reporting = false;
  pm__free(report->items);
  pm__free(report->text);
  pm__free(report);
}
