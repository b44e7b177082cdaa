/* The calls of pm.h that concern one process, found by its id. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "error.h"
#include "events.h"
#include "internal.h"
#include "launch/signal_name.h"
#include "limits/memory_limit.h"
#include "logs/log_file.h"
#include "logs/log_query.h"
#include "metrics/measure.h"
#include "metrics/metering.h"
#include "metrics/monitor.h"
#include "process.h"
#include "run.h"
#include "spawn_queue.h"
#include "streams/input.h"
#include "streams/output.h"
#include "table.h"

/* Of Linux; other systems have fewer. */
enum { HIGHEST_SIGNAL = 64 };

/* ---- spawning -------------------------------------------------------------------- */

static int check_room(pm_manager_t *m, pm_error_t *error) {
  double limit = m->options.value[PM_OPT_MAX_PROCESSES];
  if (m->refuses) return pm__error_set(error, UV_ECANCELED, "ERR_MANAGER_CLOSED", "Error", "The manager is closed");
  if ((double)m->live < limit) return pm__memory_check_room(m, error);
  if (pm__events_reserve(m, PM__EVENTS_PER_CALL) == 0) {
    pm__queued_t *entry = pm__events_add(m, NULL, PM_EVENT_LIMIT);
    entry->event.limit = pm_option_table[PM_OPT_MAX_PROCESSES].name;
    entry->event.value = limit;
    entry->event.seen = (double)m->live;
    entry->event.action = "refuse";
    pm__events_schedule(m);
  }
  return pm__error_set(error, UV_EAGAIN, "ERR_PROCESS_LIMIT", "Error", "Process limit (%.0f) exceeded", limit);
}

/* Ids given by hand may look like ours. */
static pm_str_t make_id(pm_manager_t *m, char *buffer, size_t size) {
  pm_str_t id;
  do {
    int n = snprintf(buffer, size, "proc_%llu", (unsigned long long)m->next_id++);
    id = (pm_str_t){buffer, (size_t)n};
  } while (pm__table_find(m, id));
  return id;
}

/* Ours are never given twice, so one that was taken by hand is passed over for
 * good. Beyond 15 digits nobody counts. */
static void pass_over(pm_manager_t *m, pm_str_t id) {
  enum { PREFIX = 5, DIGITS = 15 };
  uint64_t n = 0;
  if (id.len <= PREFIX || id.len > PREFIX + DIGITS || memcmp(id.base, "proc_", PREFIX) != 0) return;
  for (size_t i = PREFIX; i < id.len; i++) {
    if (id.base[i] < '0' || id.base[i] > '9') return;
    n = n * 10 + (uint64_t)(id.base[i] - '0');
  }
  if (n >= m->next_id) m->next_id = n + 1;
}

/* An ended process gives its id to a new one. */
static int check_id_is_free(const pm_manager_t *m, pm_str_t id, pm_error_t *error) {
  const pm__process_t *old = pm__table_find(m, id);
  char quoted[128];
  if (!old || !pm__process_is_live(old)) return 0;
  return pm__error_set(error, UV_EEXIST, "ERR_ID_IN_USE", "Error", "config.id %s is in use by a process that is alive",
                       pm__error_quote(quoted, sizeof(quoted), id));
}

/* Two that write and rotate one file would lose lines. */
static int check_log_file(const pm_manager_t *m, pm_str_t path, unsigned max_files, pm_error_t *error) {
  char quoted[PM__QUOTE_SIZE];
  char quoted_other[PM__QUOTE_SIZE];
  for (const pm__process_t *p = path.base ? m->first : NULL; p; p = p->next) {
    if (!p->log_file || !pm__process_is_live(p)) continue;
    if (!pm__log_file_disturbs(p->log_file, path, max_files)) continue;
    const char *other = pm__log_file_path(p->log_file);
    pm__error_quote(quoted, sizeof(quoted), path);
    if (strlen(other) == path.len)
      return pm__error_set(error, UV_EEXIST, "ERR_LOG_FILE_IN_USE", "Error",
                           "config.logFile.path %s is in use by a process that is alive", quoted);
    pm__error_quote(quoted_other, sizeof(quoted_other), (pm_str_t){other, strlen(other)});
    return pm__error_set(error, UV_EEXIST, "ERR_LOG_FILE_IN_USE", "Error",
                         "config.logFile.path %s and %s, of a process that is alive, would be rotated over each other",
                         quoted, quoted_other);
  }
  return 0;
}

static int check_own_log_file(const pm_manager_t *m, const pm__process_t *p, pm_error_t *error) {
  if (!p->log_file) return 0;
  const char *path = pm__log_file_path(p->log_file);
  return check_log_file(m, (pm_str_t){path, strlen(path)}, pm__log_file_max_files(p->log_file), error);
}

/* Once, to whoever is the first that does not get what it wants. */
static void warn_keeperless(pm_manager_t *m, const pm__process_t *p) {
  pm_containment_t wanted = (pm_containment_t)p->options.value[PM_OPT_CONTAINMENT];
  if (!m->keeperless || pm__spawner_containment(&m->spawner, wanted) == wanted) return;
  pm__events_add(m, NULL, PM_EVENT_WARNING)->fault = m->keeperless;
  m->keeperless = NULL;
}

int pm_process_spawn(pm_manager_t *m, const pm_config_t *config, pm_str_t *id, pm_error_t *error) {
  char made[32];
  pm__command_t command;
  pm__process_t *p;
  int r = pm__command_build(&command, config, m->allowed_commands, m->allowed_command_count, &m->recent_env, error);
  if (r != 0) return r;
  r = check_room(m, error);
  if (r != 0) goto free_command;
  r = pm__events_reserve(m, PM__EVENTS_PER_CALL);
  if (r != 0) {
    pm__error_no_memory(error);
    goto free_command;
  }
  pm_str_t wanted = config->id.base ? config->id : make_id(m, made, sizeof(made));
  r = check_id_is_free(m, wanted, error);
  unsigned max_files = (unsigned)config->options.value[PM_OPT_LOG_FILE_MAX_FILES];
  if (r == 0) r = check_log_file(m, config->log_file, max_files, error);
  if (r != 0) goto free_command;
  pm__process_t *old = pm__table_find(m, wanted);
  if (old) pm__process_forget(old);
  r = pm__process_new(m, wanted, &command, config, &p);
  if (r != 0) return pm__error_no_memory(error);
  if (config->id.base) pass_over(m, config->id);

  *id = p->id;
  warn_keeperless(m, p);
  pm__process_handle(p, PM__START);
  pm__events_schedule(m);
  pm__manager_update_active(m);
  return 0;

free_command:
  pm__command_free(&command);
  return r;
}

/* ---- ending and starting again ------------------------------------------------------ */

static pm__waiter_t *new_waiter(pm_done_cb cb, void *arg) {
  pm__waiter_t *w = pm__malloc(sizeof(*w));
  if (w) *w = (pm__waiter_t){.cb = cb, .arg = arg};
  return w;
}

static void add_waiter(pm__waiter_t **list, pm__waiter_t *w) {
  while (*list)
    list = &(*list)->next;
  *list = w;
}

/* What an API call queued goes out by the loop. */
static void hand_over(pm_manager_t *m) {
  pm__events_schedule(m);
  pm__manager_update_active(m);
}

int pm_process_stop(pm_manager_t *m, pm_str_t id, double timeout, pm_done_cb cb, void *arg) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  pm__waiter_t *w = new_waiter(cb, arg);
  if (!w || pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) {
    pm__free(w);
    return UV_ENOMEM;
  }
  add_waiter(&p->stop_waiters, w);
  p->wanted_timeout = timeout < 0 ? p->options.value[PM_OPT_STOP_TIMEOUT] : timeout;
  pm__process_handle(p, PM__STOP);
  hand_over(m);
  return 0;
}

/* Who waits for a restart is counted among the processes, but uses nothing yet. */
static int check_restart(pm_manager_t *m, const pm__process_t *p, pm_error_t *error) {
  bool waits = p->state == PM__BACKOFF || p->state == PM__QUEUED;
  if (!pm__process_is_live(p) || m->refuses) return check_room(m, error);
  return waits ? pm__memory_check_room(m, error) : 0;
}

int pm_process_restart(pm_manager_t *m, pm_str_t id, pm_done_cb cb, void *arg, pm_error_t *error) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  int r = check_restart(m, p, error);
  if (r == 0 && !pm__process_is_live(p)) r = check_own_log_file(m, p, error);
  if (r != 0) return r;
  pm__waiter_t *w = new_waiter(cb, arg);
  if (!w || pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) {
    pm__free(w);
    return pm__error_no_memory(error);
  }
  if (p->log_file && !pm__process_is_live(p)) pm__log_file_begin(p->log_file);
  add_waiter(&p->restart_waiters, w);
  pm__process_handle(p, PM__RESTART);
  hand_over(m);
  return 0;
}

int pm_process_remove(pm_manager_t *m, pm_str_t id) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  if (pm__process_is_live(p)) return UV_EBUSY;
  pm__process_forget(p);
  hand_over(m);
  return 0;
}

int pm_process_signal(pm_manager_t *m, pm_str_t id, int signum, bool tree) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  if (signum < 0 || signum > HIGHEST_SIGNAL) return UV_EINVAL;
  if (!p->run || !p->run->watched) return UV_ESRCH;
  return pm__child_signal(&p->run->child, signum, tree);
}

/* ---- looking --------------------------------------------------------------------------- */

static void fill_status(const pm__process_t *p, unsigned queue_position, pm_status_t *out) {
  pm__run_t *run = p->run;
  bool alive = run && !run->ended_at;
  pm__seen_t seen = {0};
  if (alive) seen = pm__metering_seen(run);
  *out = (pm_status_t){
      .id = p->id,
      .command = {p->command.name, strlen(p->command.name)},
      .pid = alive ? run->child.pid : 0,
      .status = pm__process_status_name(p),
      .state = pm__process_state_name(p),
      .queue_position = queue_position,
      .uptime = alive ? pm__run_uptime(run) : 0,
      .cpu = seen.metrics.cpu,
      .memory = seen.metrics.memory,
      .own_cpu = seen.metrics.own_cpu,
      .own_memory = seen.metrics.own_memory,
      .processes = seen.metrics.processes,
      .restarts = p->restarts,
      .exit_code = p->last_exit.code,
      .exit_signal = pm__signal_name(p->last_exit.signum),
      .containment = pm__process_containment_name(p),
      .paused = run && run->output[PM_STDOUT].paused,
      .error = p->fault ? &p->fault->error : NULL,
  };
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    const pm__log_ring_t *log = &p->logs[i];
    out->streams[i] = (pm_stream_status_t){log->total_lines, log->total_bytes, log->dropped_lines, log->cut_bytes};
  }
}

int pm_process_status(pm_manager_t *m, pm_str_t id, pm_status_t *out) {
  const pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  if (p->run) pm__monitor_refresh(p->run, pm__monitor_allowance());
  fill_status(p, pm__spawn_queue_position(p), out);
  return 0;
}

void pm_manager_list(pm_manager_t *m, void (*each)(void *arg, const pm_status_t *status), void *arg) {
  uint64_t until = pm__monitor_allowance();
  pm__spawn_queue_number(m);
  for (const pm__process_t *p = m->first; p; p = p->next) {
    pm_status_t status;
    if (p->run) pm__monitor_refresh(p->run, until);
    fill_status(p, p->queue_place, &status);
    each(arg, &status);
  }
}

int pm_process_measure(pm_manager_t *m, pm_str_t id, bool pss, pm_measure_t **out) {
  const pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  pm__run_t *run = p->run;
  if (!run || run->ended_at) return pm__measure_new_ended(&p->last_metrics, out);
  pm__monitor_refresh(run, pm__monitor_allowance());
  if (pm__metering_seen(run).looking) return UV_EAGAIN;
  return pm__metering_measure(run, pss, out);
}

int pm_process_history(pm_manager_t *m, pm_str_t id, const pm_history_query_t *query,
                       void (*each)(void *arg, const pm_history_sample_t *sample), void *arg,
                       pm_history_summary_t *out) {
  const pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  pm__history_read(&p->history, query, pm__wall_clock(), each, arg, out);
  return 0;
}

int pm_process_logs(pm_manager_t *m, pm_str_t id, pm_stream_t stream, size_t lines,
                    void (*each)(void *arg, pm_str_t line), void *arg) {
  const pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  return pm__log_ring_tail(&p->logs[stream], lines, each, arg);
}

int pm_process_log_query(pm_manager_t *m, pm_str_t id, const pm_log_query_t *query,
                         void (*each)(void *arg, const pm_log_line_t *line), void *arg, pm_log_answer_t *answer) {
  const pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  *answer = (pm_log_answer_t){.last_seq = p->last_seq, .ended = !pm__process_is_live(p), .life = p->life};
  return pm__log_query(p->logs, query, each, arg);
}

int pm_process_log_watch(pm_manager_t *m, pm_str_t id, uint64_t seq) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  p->log_watched = true;
  if (p->last_seq > seq || !pm__process_is_live(p)) pm__process_tell_log_watcher(p);
  hand_over(m);
  return 0;
}

/* ---- stdout ------------------------------------------------------------------------------- */

int pm_process_pause(pm_manager_t *m, pm_str_t id, bool paused) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  if (!p->run || p->run->over) return UV_ESRCH;
  return pm__output_pause(&p->run->output[PM_STDOUT], paused);
}

/* ---- stdin -------------------------------------------------------------------------------- */

typedef int (*put_t)(pm__input_t *in, pm_str_t data, bool *ready, pm_error_t *error);

static int put_in(pm_manager_t *m, pm_str_t id, put_t put, pm_str_t data, bool *ready, pm_error_t *error) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  if (!p->run || p->run->over)
    return pm__error_set(error, UV_EPIPE, "ERR_STDIN_CLOSED", "Error", "The process does not run: stdin is closed");
  if (pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) return pm__error_no_memory(error);
  int r = put(&p->run->input, data, ready, error);
  hand_over(m);
  return r;
}

int pm_process_write(pm_manager_t *m, pm_str_t id, pm_str_t data, bool *ready, pm_error_t *error) {
  return put_in(m, id, pm__input_write, data, ready, error);
}

int pm_process_send(pm_manager_t *m, pm_str_t id, pm_str_t message, bool *ready, pm_error_t *error) {
  return put_in(m, id, pm__input_send, message, ready, error);
}

int pm_process_close_stdin(pm_manager_t *m, pm_str_t id, bool *closed) {
  pm__process_t *p = pm__table_find(m, id);
  if (!p) return UV_ENOENT;
  *closed = !p->run || p->run->over || pm__input_end(&p->run->input);
  return 0;
}
