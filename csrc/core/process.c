#include "process.h"

#include <math.h>
#include <string.h>

#include "alloc.h"
#include "backoff.h"
#include "error.h"
#include "events.h"
#include "launch/private_dir.h"
#include "logs/log_file.h"
#include "metrics/monitor.h"
#include "run.h"
#include "spawn_queue.h"
#include "table.h"

typedef void (*action_t)(pm__process_t *p);

static void launch(pm__process_t *p);
static void start_again(pm__process_t *p);
static void start_by_timer(pm__process_t *p);
static void start_by_turn(pm__process_t *p);
static void start_by_request(pm__process_t *p);
static void enter_running(pm__process_t *p);
static void enter_refused(pm__process_t *p);
static void end_running(pm__process_t *p);
static void end_stopping(pm__process_t *p);
static void sweep(pm__process_t *p);
static void decide(pm__process_t *p);
static void begin_stop(pm__process_t *p);
static void stop_sweeping(pm__process_t *p);
static void join_stop(pm__process_t *p);
static void await_rest(pm__process_t *p);
static void lose_keeper(pm__process_t *p);
static void finish_stop(pm__process_t *p);
static void cancel_restart(pm__process_t *p);
static void answer_stopped(pm__process_t *p);
static void stop_by_limit(pm__process_t *p);
static void stop_then_start(pm__process_t *p);
static void start_after_stop(pm__process_t *p);
static void start_after_sweep(pm__process_t *p);

/* NULL: the input means nothing in that state. */
static const action_t actions[PM__STATE_COUNT][PM__INPUT_COUNT] = {
    [PM__NEW] = {[PM__START] = launch},
    [PM__STARTING] = {[PM__LAUNCHED] = enter_running, [PM__REFUSED] = enter_refused},
    [PM__RUNNING] = {[PM__CHILD_EXIT] = end_running,
                     [PM__DEADLINE] = end_running,
                     [PM__ENDED] = sweep,
                     [PM__STOP] = begin_stop,
                     [PM__RESTART] = stop_then_start,
                     [PM__OVER_LIMIT] = stop_by_limit},
    [PM__STOPPING] = {[PM__CHILD_EXIT] = end_stopping,
                      [PM__ENDED] = await_rest,
                      [PM__GONE] = finish_stop,
                      [PM__UNKEPT] = lose_keeper,
                      [PM__STOP] = join_stop,
                      [PM__RESTART] = start_after_stop,
                      [PM__DEADLINE] = pm__ladder_continue},
    [PM__SWEEPING] = {[PM__GONE] = decide,
                      [PM__UNKEPT] = lose_keeper,
                      [PM__STOP] = stop_sweeping,
                      [PM__RESTART] = start_after_sweep,
                      [PM__DEADLINE] = pm__ladder_continue},
    [PM__BACKOFF] = {[PM__STOP] = cancel_restart, [PM__RESTART] = start_by_request, [PM__DEADLINE] = start_by_timer},
    [PM__QUEUED] = {[PM__STOP] = cancel_restart, [PM__RESTART] = start_by_request, [PM__DEADLINE] = start_by_turn},
    [PM__EXITED] = {[PM__STOP] = answer_stopped, [PM__RESTART] = start_by_request},
    [PM__FAILED] = {[PM__STOP] = answer_stopped, [PM__RESTART] = start_by_request},
};

/* What each state is called: the contract's status, and the finer state. */
static const struct {
  const char *status;
  const char *state;
  bool live;
} names[PM__STATE_COUNT] = {
    [PM__NEW] = {"stopped", "exited", false},       [PM__STARTING] = {"running", "starting", true},
    [PM__RUNNING] = {"running", "running", true},   [PM__STOPPING] = {"stopped", "stopping", true},
    [PM__SWEEPING] = {"stopped", "stopping", true}, [PM__BACKOFF] = {"stopped", "backoff", true},
    [PM__QUEUED] = {"stopped", "queued", true},     [PM__EXITED] = {"stopped", "exited", false},
    [PM__FAILED] = {"error", "failed", false},
};

void pm__process_handle(pm__process_t *p, pm__input_kind_t input) {
  action_t action = actions[p->state][input];
  if (action) action(p);
}

bool pm__process_is_live(const pm__process_t *p) {
  return names[p->state].live;
}

/* A command that could not be started is in error while it waits for the next
 * attempt, too. */
const char *pm__process_status_name(const pm__process_t *p) {
  if ((p->state == PM__BACKOFF || p->state == PM__QUEUED) && p->fault) return names[PM__FAILED].status;
  return names[p->state].status;
}

const char *pm__process_state_name(const pm__process_t *p) {
  return names[p->state].state;
}

const char *pm__process_containment_name(const pm__process_t *p) {
  const pm_option_t *option = &pm_option_table[PM_OPT_CONTAINMENT];
  pm_containment_t wanted = (pm_containment_t)p->options.value[PM_OPT_CONTAINMENT];
  return option->choices[pm__spawner_containment(&p->manager->spawner, wanted)];
}

/* ---- being counted ---------------------------------------------------------- */

static void set_state(pm__process_t *p, pm__state_t state) {
  pm_manager_t *m = p->manager;
  bool was_live = pm__process_is_live(p);
  bool was_ended = p->state == PM__EXITED || p->state == PM__FAILED;
  p->state = state;
  uv_timer_stop(&p->timer);
  pm__spawn_queue_remove(p);
  if (pm__process_is_live(p) && !was_live) m->live++;
  if (!pm__process_is_live(p) && was_live && --m->live == 0) pm__monitor_rest(m);
  if (was_ended) pm__table_mark_live(m, p);
  if (state == PM__EXITED || state == PM__FAILED) {
    pm__private_dir_remove_later(p);
    pm__table_mark_ended(m, p);
    pm__log_file_rest(p->log_file);
    pm__process_tell_log_watcher(p);
  }
}

static void on_timer(uv_timer_t *timer) {
  pm__process_t *p = timer->data;
  pm_manager_t *m = p->manager;
  const pm__run_t *run = p->run;
  pm__events_deliver(m);
  /* A listener may have started it again, or brought it into a state with a deadline of
   * its own. */
  if (m->closing || p->run != run || uv_is_active((uv_handle_t *)timer)) return;
  pm__process_handle(p, PM__DEADLINE);
  pm__events_deliver(m);
}

/* Longer than anybody waits (31,000 years), and still a number of a timer. */
static const double never = 1e15;

/* The loop's clock stands still while JavaScript runs: it is set first, or a
 * busy host would cut its own deadlines short. */
void pm__process_arm(pm__process_t *p, double ms) {
  if (!(ms < never)) {
    uv_timer_stop(&p->timer);
    return;
  }
  uv_update_time(p->manager->loop);
  uv_timer_start(&p->timer, on_timer, (uint64_t)ceil(ms), 0);
}

/* ---- starting ---------------------------------------------------------------- */

static void set_fault(pm__process_t *p, const pm_error_t *error) {
  pm__fault_unref(p->fault);
  p->fault = error ? pm__fault_new(error) : NULL;
}

static void launch(pm__process_t *p) {
  pm_error_t error;
  set_state(p, PM__STARTING);
  set_fault(p, NULL);
  p->stopped_by_limit = false;
  pm__spawn_queue_note(p->manager);
  int r = pm__run_start(p, &error);
  if (r != 0) set_fault(p, &error);
  pm__process_handle(p, r == 0 ? PM__LAUNCHED : PM__REFUSED);
}

static void start_again(pm__process_t *p) {
  p->starts_again = true;
  p->restart_pending = false;
  p->restarts++;
  launch(p);
}

/* Nobody is started any more: it has ended, as it had when it began to wait. */
static void end_waiting(pm__process_t *p) {
  set_state(p, p->fault ? PM__FAILED : PM__EXITED);
}

static void start_by_turn(pm__process_t *p) {
  if (p->manager->refuses)
    end_waiting(p);
  else
    start_again(p);
}

static void start_by_timer(pm__process_t *p) {
  if (p->manager->refuses) {
    end_waiting(p);
    return;
  }
  if (pm__spawn_queue_admits(p->manager)) {
    start_again(p);
    return;
  }
  set_state(p, PM__QUEUED);
  pm__spawn_queue_add(p);
  pm__events_add(p->manager, p, PM_EVENT_QUEUED)->event.position = p->queue_place;
}

/* What somebody asks for is no failure: it does not wait, and the count of
 * failures begins anew. */
static void start_by_request(pm__process_t *p) {
  p->attempts = 0;
  start_again(p);
}

static void enter_running(pm__process_t *p) {
  set_state(p, PM__RUNNING);
  pm__events_add(p->manager, p, PM_EVENT_SPAWN)->event.pid = p->run->child.pid;
  if (p->starts_again) pm__events_add(p->manager, p, PM_EVENT_RESTART)->event.pid = p->run->child.pid;
  p->starts_again = false;
  pm__events_answer(p, &p->restart_waiters, true);
}

/* ---- after an end that nobody asked for ---------------------------------------- */

static void give_up(pm__process_t *p, const pm__end_t *end) {
  double limit = p->options.value[PM_OPT_MAX_RESTARTS];
  pm_error_t error;
  char name[128];
  pm_str_t command = {p->command.name, strlen(p->command.name)};
  pm__error_quote(name, sizeof(name), command);
  if (end->limit)
    pm__error_set(&error, UV_ECANCELED, "ERR_RESTART_LIMIT", "Error",
                  "Gave up on %s after %.0f restarts (maxRestarts); its last start was ended for %s", name, limit,
                  end->limit);
  else if (end->started && p->last_exit.signum)
    pm__error_set(&error, UV_ECANCELED, "ERR_RESTART_LIMIT", "Error",
                  "Gave up on %s after %.0f restarts (maxRestarts); its last start was ended by signal %d", name, limit,
                  p->last_exit.signum);
  else if (end->started && end->code < 0)
    pm__error_set(&error, UV_ECANCELED, "ERR_RESTART_LIMIT", "Error",
                  "Gave up on %s after %.0f restarts (maxRestarts); how its last start ended is not known", name,
                  limit);
  else if (end->started)
    pm__error_set(&error, UV_ECANCELED, "ERR_RESTART_LIMIT", "Error",
                  "Gave up on %s after %.0f restarts (maxRestarts); its last start ended with exit code %d", name,
                  limit, end->code);
  else
    pm__error_set(&error, UV_ECANCELED, "ERR_RESTART_LIMIT", "Error",
                  "Gave up on %s after %.0f restarts (maxRestarts); the last could not be started: %.400s", name, limit,
                  p->fault->error.message);
  set_fault(p, &error);
  pm__queued_t *event = pm__events_add(p->manager, p, PM_EVENT_LIMIT);
  event->event.limit = pm_option_table[PM_OPT_MAX_RESTARTS].name;
  event->event.value = event->event.seen = limit;
  event->event.action = "give-up";
  pm__events_add_fault(p, p->fault);
  set_state(p, PM__FAILED);
}

static void after_end(pm__process_t *p, const pm__end_t *end) {
  pm__backoff_t b = pm__backoff_decide(&p->options, end, p->attempts, pm__manager_random(p->manager));
  p->attempts = b.attempts;
  if (b.verdict == PM__END_GIVE_UP) {
    give_up(p, end);
  } else if (b.verdict == PM__END_DONE || p->manager->refuses) {
    set_state(p, end->started ? PM__EXITED : PM__FAILED);
  } else {
    set_state(p, PM__BACKOFF);
    pm__events_add(p->manager, p, PM_EVENT_BACKOFF)->event.delay = b.delay;
    pm__process_arm(p, b.delay);
  }
}

static void enter_refused(pm__process_t *p) {
  const pm__end_t end = {.started = false, .code = -1};
  p->starts_again = false;
  p->tally.start_failures++;
  pm__events_add_fault(p, p->fault);
  pm__events_answer(p, &p->restart_waiters, false);
  after_end(p, &end);
}

/* How often a command is tried to be reaped that a debugger holds. */
enum { REAP_INTERVAL = 50 };

static void end_running(pm__process_t *p) {
  if (!pm__run_end(p) && p->state == PM__RUNNING) pm__process_arm(p, REAP_INTERVAL);
}

/* If it does not work the ladder tries again. */
static void end_stopping(pm__process_t *p) {
  if (!pm__run_end(p) && p->state == PM__STOPPING) pm__ladder_watch(p);
}

/* The usual case: nothing was left behind, or nobody minds, and it is decided at
 * once. A keeper that leaves the rest alone is gone by now; one that is there was
 * asked by somebody else to end the tree, and is waited for. */
static void sweep(pm__process_t *p) {
  pm__child_t *child = &p->run->child;
  set_state(p, PM__SWEEPING);
  if (pm__child_gone(child) || (pm__run_leaves_rest(p->run) && !child->keeper)) {
    pm__process_handle(p, PM__GONE);
    return;
  }
  pm__ladder_begin(p, p->options.value[PM_OPT_STOP_TIMEOUT]);
}

static void decide(pm__process_t *p) {
  /* Whatever the command made of the loss of its keeper: that was no end of its own. */
  int code = p->run->ended_by_loss ? -1 : p->last_exit.code;
  pm__process_report_lost(p);
  const pm__end_t end = {.started = true, .code = code, .uptime = pm__run_uptime(p->run) * 1000};
  pm__run_release(p);
  after_end(p, &end);
}

/* ---- stopping ------------------------------------------------------------------ */

static void begin_stop(pm__process_t *p) {
  set_state(p, PM__STOPPING);
  pm__ladder_begin(p, p->wanted_timeout);
}

/* The tree may go on as long as anybody's who is asked to stop. What follows is up to
 * finish_stop, unless somebody asks for something else before. */
static void stop_by_limit(pm__process_t *p) {
  p->stopped_by_limit = true;
  p->wanted_timeout = p->options.value[PM_OPT_STOP_TIMEOUT];
  begin_stop(p);
}

static void stop_then_start(pm__process_t *p) {
  p->restart_pending = true;
  p->wanted_timeout = p->options.value[PM_OPT_STOP_TIMEOUT];
  begin_stop(p);
}

/* The last request counts: a stop takes a restart back that waits for an
 * earlier one, and the other way round. */
static void join_stop(pm__process_t *p) {
  p->restart_pending = p->stopped_by_limit = false;
  pm__events_answer(p, &p->restart_waiters, false);
  pm__ladder_hurry(p, p->wanted_timeout);
}

static void start_after_stop(pm__process_t *p) {
  p->restart_pending = true;
  p->stopped_by_limit = false;
  pm__ladder_hurry(p, p->options.value[PM_OPT_STOP_TIMEOUT]);
}

/* The ladder is under way already; only its purpose changes. */
static void stop_sweeping(pm__process_t *p) {
  p->state = PM__STOPPING;
  pm__ladder_hurry(p, p->wanted_timeout);
}

static void start_after_sweep(pm__process_t *p) {
  p->state = PM__STOPPING;
  start_after_stop(p);
}

static void await_rest(pm__process_t *p) {
  if (pm__child_gone(&p->run->child))
    pm__process_handle(p, PM__GONE);
  else
    pm__ladder_rest(p);
}

static void lose_keeper(pm__process_t *p) {
  pm__process_report_lost(p);
  pm__ladder_unkept(p);
}

void pm__process_report_lost(pm__process_t *p) {
  const pm__child_t *child = &p->run->child;
  pm_error_t error;
  if (!child->lost || p->run->loss_told) return;
  p->run->loss_told = true;
  pm__error_set(&error, UV_ECANCELED, "ERR_KEEPER_LOST", "Error", "The keeper (pid %d) of the command was killed; %s",
                child->keeper,
                child->inner_keeper ? "with it, what it kept is ended"
                                    : "what is left in its session is ended, what had left that is out of reach");
  pm__fault_t *fault = pm__fault_new(&error);
  pm__events_add_fault(p, fault);
  pm__fault_unref(fault);
}

/* Ended for a limit, to be started again: no stop, but a failure. */
static void fail_by_limit(pm__process_t *p) {
  const pm__end_t end = {
      .started = true, .code = -1, .uptime = pm__run_uptime(p->run) * 1000, .limit = p->run->memory.ended_for};
  pm__process_report_lost(p);
  pm__run_release(p);
  after_end(p, &end);
}

static void finish_stop(pm__process_t *p) {
  if (p->stopped_by_limit && (pm_memory_action_t)p->options.value[PM_OPT_LIMIT_MEMORY_ACTION] == PM_MEMORY_RESTART) {
    fail_by_limit(p);
    return;
  }
  bool again = p->restart_pending && !p->manager->refuses;
  pm__process_report_lost(p);
  if (!p->ladder.reported) pm__ladder_report(p, true, true);
  pm__run_release(p);
  pm__events_answer(p, &p->stop_waiters, true);
  if (again) {
    start_by_request(p);
    return;
  }
  pm__events_answer(p, &p->restart_waiters, false);
  p->restart_pending = false;
  set_state(p, PM__EXITED);
}

static void cancel_restart(pm__process_t *p) {
  pm__ladder_report(p, false, true);
  pm__events_answer(p, &p->stop_waiters, true);
  set_state(p, PM__EXITED);
}

static void answer_stopped(pm__process_t *p) {
  pm__events_answer(p, &p->stop_waiters, true);
}
