#include "run.h"

#include "alloc.h"
#include "error.h"
#include "events.h"
#include "launch/launch_error.h"
#include "launch/private_dir.h"
#include "launch/rlimits.h"
#include "launch/signal_name.h"
#include "limits/memory_limit.h"
#include "metrics/metering.h"
#include "metrics/monitor.h"
#include "options.h"
#include "process.h"
#include "streams/input.h"
#include "streams/output.h"

void pm__run_opened(pm__run_t *run) {
  run->open++;
}

void pm__run_closed(pm__run_t *run) {
  if (--run->open > 0) return;
  pm__process_t *p = run->process;
  pm_manager_t *m = p->manager;
  *(run->prev ? &run->prev->next : &m->runs) = run->next;
  if (run->next) run->next->prev = run->prev;
  if (p->run == run) p->run = NULL;
  pm__free(run);
  pm__process_unref(p);
  if (!m->closing) pm__manager_update_active(m);
  pm__manager_release(m);
}

double pm__run_uptime(const pm__run_t *run) {
  uint64_t end = run->ended_at ? run->ended_at : uv_hrtime();
  return (double)(end - run->started_at) / 1e9;
}

static void on_child_closed(pm__child_t *child) {
  pm__run_closed(child->data);
}

static void stop_watching(pm__run_t *run) {
  if (!run->watched) return;
  run->watched = false;
  pm__metering_remove(run); /* the other thread would look at what is freed */
  pm__child_close(&run->child, on_child_closed);
}

/* For a run that nobody hears of any more. */
static void take_away(pm__run_t *run) {
  if (!run->ended_at) run->ended_at = uv_hrtime();
  pm__memory_unwatch(run);
  pm__metering_remove(run);
  stop_watching(run);
}

/* By somebody: a limit is nobody. */
static bool is_requested(const pm__process_t *p) {
  return p->state == PM__STOPPING && !p->stopped_by_limit;
}

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* What stays of its metrics: the kernel's own account, unless samples have seen more,
 * since the command need not have waited for all that it started. Each of the two times
 * for itself, so that neither goes down. */
static void keep_metrics(pm__run_t *run) {
  pm_metrics_t last = pm__metering_seen(run).metrics;
  const pm_usage_t *usage = &run->child.usage;
  if (run->child.has_usage) {
    last.user = larger(last.user, usage->user);
    last.system = larger(last.system, usage->system);
  }
  run->process->last_metrics = (pm_metrics_t){.peak = last.peak, .user = last.user, .system = last.system};
}

/* The kernel has ended it for a limit, if it has. */
static void tell_of_limit(pm__run_t *run, pm_event_t *event) {
  pm__process_t *p = run->process;
  const pm_usage_t *usage = run->child.has_usage ? &run->child.usage : NULL;
  int reached = pm__limits_reached(&p->options, &run->child.exit, usage);
  if (reached < 0) return;
  event->limit = pm_option_table[reached].name;
  pm__queued_t *limit = pm__events_add(p->manager, p, PM_EVENT_LIMIT);
  limit->event.limit = event->limit;
  limit->event.value = p->options.value[reached];
  limit->event.seen = pm__limits_seen(reached, usage);
  limit->event.action = "end";
}

static void count_end(pm__run_t *run, const pm_event_t *event) {
  pm__end_way_t way = pm__end_way(&run->child.exit, event->requested, event->limit != NULL);
  pm__tally_end(&run->process->tally, way, &run->process->last_metrics);
}

static void queue_exit(pm__run_t *run) {
  pm__process_t *p = run->process;
  run->ended_by_loss = run->child.lost;
  pm__process_report_lost(p);
  pm__queued_t *entry = pm__events_add(p->manager, p, PM_EVENT_EXIT);
  pm_event_t *event = &entry->event;
  entry->usage = run->child.usage;
  entry->has_usage = run->child.has_usage;
  p->last_exit = run->child.exit;
  keep_metrics(run);
  event->pid = run->child.pid;
  event->code = run->child.exit.code;
  event->signal = pm__signal_name(run->child.exit.signum);
  event->uptime = pm__run_uptime(run);
  event->unsent = run->input.unsent;
  event->requested = is_requested(p);
  event->limit = run->memory.ended_for;
  if (!event->limit) tell_of_limit(run, event);
  count_end(run, event);
}

/* Everything that the command wrote is in its pipes now. It is read before the
 * zombie is taken away (by us; libuv's backend has done so already), so that a
 * stop asked for by a listener meanwhile still finds the pid its own. */
bool pm__run_end(pm__process_t *p) {
  pm__run_t *run = p->run;
  pm_manager_t *m = p->manager;
  for (int i = 0; i < PM_STREAM_COUNT && !m->closing; i++)
    pm__output_finish(&run->output[i]);
  if (m->closing) return true;
  if (!pm__child_reap(&run->child)) return false;
  run->over = true;
  pm__memory_unwatch(run);
  pm__metering_remove(run);
  pm__input_abandon(&run->input);
  queue_exit(run);
  pm__process_handle(p, PM__ENDED);
  return true;
}

/* A command that is not kept leaves nothing to wait for once it has ended. */
static bool is_settled(pm__child_t *child) {
  return child->ended && (!child->keeper || pm__child_gone(child));
}

static void on_child_exit(pm__child_t *child) {
  pm__run_t *run = child->data;
  pm__process_t *p = run->process;
  pm_manager_t *m = p->manager;
  if (m->closing || p->run != run) {
    if (is_settled(child)) take_away(run);
    return;
  }
  run->ended_at = uv_hrtime();
  pm__events_deliver(m);
  if (m->closing) return;
  pm__process_handle(p, PM__CHILD_EXIT);
  pm__events_deliver(m);
}

static pm__input_kind_t settled_input(pm__child_t *child) {
  if (pm__child_gone(child)) return PM__GONE;
  /* Else a debugger holds the keeper: the ladder is to look for its end. */
  return child->lost ? PM__UNKEPT : PM__DEADLINE;
}

/* Its keeper has ended, as far as can be heard. In closing, one that was killed is not
 * waited for. */
static void on_child_settled(pm__child_t *child) {
  pm__run_t *run = child->data;
  pm__process_t *p = run->process;
  pm_manager_t *m = p->manager;
  if (m->closing || p->run != run) {
    if (!pm__child_gone(child)) pm__child_kill(child);
    take_away(run);
    return;
  }
  pm__events_deliver(m);
  if (m->closing || child->on_close) return;
  pm__process_handle(p, settled_input(child));
  pm__events_deliver(m);
}

bool pm__run_leaves_rest(const pm__run_t *run) {
  return run->child.containment == PM_CONTAINMENT_NONE || run->process->options.value[PM_OPT_KILL_TREE] == 0;
}

void pm__run_release(pm__process_t *p) {
  bool leaves = pm__run_leaves_rest(p->run);
  stop_watching(p->run);
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    if (leaves)
      pm__output_close(&p->run->output[i]);
    else
      pm__output_linger(&p->run->output[i]);
  }
}

void pm__run_abandon(pm__run_t *run) {
  run->over = true;
  pm__input_abandon(&run->input);
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    pm__output_close(&run->output[i]);
  if (is_settled(&run->child)) take_away(run);
}

/* It may have ended all the same, if the loop was held up. */
void pm__run_give_up(pm__run_t *run) {
  if (run->watched) take_away(run);
}

void pm__run_ref(pm__run_t *run) {
  if (run->watched) pm__child_ref(&run->child);
  pm__output_ref(&run->output[PM_STDOUT]);
  pm__output_ref(&run->output[PM_STDERR]);
  pm__input_ref(&run->input);
}

void pm__run_unref(pm__run_t *run) {
  if (run->watched) pm__child_unref(&run->child);
  pm__output_unref(&run->output[PM_STDOUT]);
  pm__output_unref(&run->output[PM_STDERR]);
  pm__input_unref(&run->input);
}

/* ---- starting ------------------------------------------------------------------ */

static pm__run_t *new_run(pm__process_t *p) {
  pm_manager_t *m = p->manager;
  if (!m->read_buffer) m->read_buffer = pm__malloc(PM__READ_BUFFER_SIZE);
  pm__run_t *run = m->read_buffer ? pm__calloc(1, sizeof(*run)) : NULL;
  if (!run) return NULL;
  run->process = p;
  run->child.data = run;
  run->child.on_exit = on_child_exit;
  run->child.on_settled = on_child_settled;
  run->number = p->restarts;
  return run;
}

static void adopt(pm__process_t *p, pm__run_t *run) {
  pm_manager_t *m = p->manager;
  run->next = m->runs;
  if (m->runs) m->runs->prev = run;
  m->runs = run;
  pm__manager_hold(m);
  pm__process_ref(p);
  p->run = run;
  run->watched = true;
  pm__run_opened(run);
}

/* The command runs already: a pipe that cannot be watched is closed, so that
 * the command sees EPIPE instead of blocking for ever. */
static void open_pipes(pm__run_t *run) {
  pm_manager_t *m = run->process->manager;
  pm__output_open(&run->output[PM_STDOUT], run, PM_STDOUT, run->child.out);
  pm__output_open(&run->output[PM_STDERR], run, PM_STDERR, run->child.err);
  pm__input_open(&run->input, run, run->child.in);
  if (!m->refd) pm__run_unref(run);
}

int pm__run_start(pm__process_t *p, pm_error_t *error) {
  pm_manager_t *m = p->manager;
  if (p->run) pm__run_abandon(p->run);
  p->run = NULL;
  int r = pm__private_dir_make(p, error);
  if (r != 0) return r;
  pm__run_t *run = new_run(p);
  if (!run) return pm__error_no_memory(error);

  const double *option = p->options.value;
  pm__limits_t limits;
  const pm__spawn_spec_t spec = {
      .argv = p->command.argv,
      .envp = p->command.env->envp,
      .candidates = p->command.candidates,
      .working_dir = p->private_dir ? p->private_dir : p->command.working_dir,
      .stdin_pipe = (pm_stdin_t)option[PM_OPT_STDIN] == PM_STDIN_PIPE,
      .containment = pm__spawner_containment(&m->spawner, (pm_containment_t)option[PM_OPT_CONTAINMENT]),
      .stop_signal = pm__stop_signal(&p->options),
      .to_command = (pm_stop_to_t)option[PM_OPT_STOP_SIGNAL_TO] == PM_STOP_COMMAND,
      .leave_rest = option[PM_OPT_KILL_TREE] == 0,
      .limits = &limits,
      .grace = option[PM_OPT_HOST_EXIT_TIMEOUT],
  };
  pm__limits_read(&p->options, &limits);
  pm__spawn_failure_t why;
  run->started_at = uv_hrtime();
  run->start_time = pm__wall_clock();
  r = pm__spawn(&m->spawner, &spec, &run->child, &why);
  if (r != 0) {
    pm__free(run);
    return pm__launch_error(error, &p->command, &spec, &why);
  }
  adopt(p, run);
  open_pipes(run);
  pm__metering_add(run);
  pm__monitor_start(m);
  pm__memory_watch(run);
  return 0;
}
