/*
 * The ladder of a stop: the end of stdin (if that is set), the stop signal, a
 * wait, SIGKILL, to everything that the command started, until nothing of it is
 * left. SIGCONT follows the stop signal, so that stopped processes can act on it
 * (SIGKILL needs no such help).
 */
#include <math.h>
#include <signal.h>

#include "events.h"
#include "launch/signal_name.h"
#include "options.h"
#include "process.h"
#include "run.h"
#include "streams/input.h"

/* How long SIGKILL may take before its target is called unkillable: it acts at
 * once except on a process in uninterruptible sleep, which may never end. */
enum { KILL_WAIT = 2000, FIRST_LOOK = 1, LAST_LOOK = 128 };

enum { STEP_EOF, STEP_ASK, STEP_KILL };

static double now_of(const pm__process_t *p) {
  return (double)uv_now(p->manager->loop);
}

static const char *step_name(const pm__process_t *p) {
  if (p->ladder.step == STEP_EOF) return "stdin";
  return pm__signal_name(p->ladder.step == STEP_KILL ? SIGKILL : pm__stop_signal(&p->options));
}

/* The next look for what is left, or the next step. */
static void arm(pm__process_t *p) {
  pm__ladder_t *l = &p->ladder;
  double wait = l->deadline - now_of(p);
  const pm__child_t *child = &p->run->child;
  if (child->ended && pm__child_has_to_be_asked(child) && l->interval < wait) {
    wait = l->interval;
    if (l->interval < LAST_LOOK) l->interval *= 2;
  }
  pm__process_arm(p, wait > 0 ? wait : 0);
}

static void take_step(pm__process_t *p, unsigned step) {
  pm__ladder_t *l = &p->ladder;
  pm__child_t *child = &p->run->child;
  double wait = l->timeout;
  if (step == STEP_EOF) {
    wait = p->options.value[PM_OPT_EOF_TIMEOUT];
    pm__child_take_rest(child);
    pm__input_end(&p->run->input);
  } else if (step == STEP_ASK) {
    pm__child_terminate(child);
  } else {
    wait = KILL_WAIT;
    if (l->step != STEP_KILL || l->killed == 0) l->killed = pm__child_count(child);
    pm__child_kill(child);
  }
  l->step = step;
  l->deadline = now_of(p) + wait;
  l->interval = FIRST_LOOK;
  arm(p);
}

/* One whose stdin was closed before has perhaps just begun to end by that: it is waited
 * for. */
static bool ends_by_eof(const pm__process_t *p) {
  const double *option = p->options.value;
  bool has_stdin = (pm_stdin_t)option[PM_OPT_STDIN] == PM_STDIN_PIPE;
  return has_stdin && option[PM_OPT_EOF_TIMEOUT] > 0 && !p->run->child.ended;
}

static unsigned first_step(const pm__process_t *p, double timeout) {
  if (!(timeout > 0)) return STEP_KILL;
  return ends_by_eof(p) ? STEP_EOF : STEP_ASK;
}

void pm__ladder_begin(pm__process_t *p, double timeout) {
  uv_update_time(p->manager->loop);
  p->ladder = (pm__ladder_t){.timeout = timeout, .began = uv_now(p->manager->loop)};
  take_step(p, first_step(p, timeout));
}

void pm__ladder_hurry(pm__process_t *p, double timeout) {
  pm__ladder_t *l = &p->ladder;
  uv_update_time(p->manager->loop);
  if (l->reported) {
    /* It was said that this cannot be killed; whoever asks again gets a new try. */
    l->reported = false;
    take_step(p, STEP_KILL);
  } else if (l->step == STEP_EOF) {
    /* The wait for the end of stdin stays, but for those who have no time at all. */
    if (timeout < l->timeout) l->timeout = timeout;
    if (!(timeout > 0)) take_step(p, STEP_KILL);
  } else if (l->step == STEP_ASK && now_of(p) + timeout < l->deadline) {
    l->deadline = now_of(p) + timeout;
    arm(p);
  }
}

/* The end of stdin was for the command, and so may the stop signal have been. */
void pm__ladder_rest(pm__process_t *p) {
  pm__ladder_t *l = &p->ladder;
  if (l->step == STEP_EOF) {
    take_step(p, STEP_ASK);
    return;
  }
  if (l->step == STEP_ASK && p->run->child.to_command) pm__child_terminate(&p->run->child);
  pm__ladder_watch(p);
}

void pm__ladder_unkept(pm__process_t *p) {
  take_step(p, STEP_KILL);
}

void pm__ladder_watch(pm__process_t *p) {
  p->ladder.interval = FIRST_LOOK;
  arm(p);
}

/* The attempt goes on: it is looked at until it is gone. */
static void report_unkillable(pm__process_t *p) {
  p->ladder.reported = true;
  p->restart_pending = false;
  if (p->state != PM__STOPPING) return;
  pm__ladder_report(p, true, false);
  pm__events_answer(p, &p->stop_waiters, false);
  pm__events_answer(p, &p->restart_waiters, false);
}

/* Timers come before the poll: the command, or its keeper, may have ended long ago
 * and the loop was held up. Then that is heard of first, and nothing is done in
 * haste. */
static bool has_news(pm__process_t *p) {
  if (!pm__child_has_news(&p->run->child)) return false;
  pm__process_arm(p, FIRST_LOOK);
  return true;
}

void pm__ladder_continue(pm__process_t *p) {
  pm__ladder_t *l = &p->ladder;
  pm__child_t *child = &p->run->child;
  if (has_news(p)) return;
  if (child->ended && !p->run->over && pm__run_end(p)) return;
  if (p->manager->closing) return;
  if (pm__child_gone(&p->run->child)) {
    pm__process_handle(p, PM__GONE);
    return;
  }
  if (now_of(p) < l->deadline) {
    arm(p);
    return;
  }
  if (l->step == STEP_KILL && !l->reported) report_unkillable(p);
  take_step(p, l->step == STEP_EOF ? STEP_ASK : STEP_KILL);
}

void pm__ladder_report(pm__process_t *p, bool ran, bool gone) {
  pm__queued_t *entry = pm__events_add(p->manager, p, PM_EVENT_STOP);
  entry->has_stop = true;
  entry->event.code = p->last_exit.code;
  entry->event.signal = pm__signal_name(p->last_exit.signum);
  pm_stop_report_t *report = &entry->stop;
  report->gone = gone;
  report->step = ran ? step_name(p) : "none";
  report->killed = ran ? p->ladder.killed : 0;
  uv_update_time(p->manager->loop);
  report->duration = ran ? (double)(uv_now(p->manager->loop) - p->ladder.began) : 0;
  if (!gone) report->survivor_count = pm__child_survivors(&p->run->child, report->survivors, PM_MAX_SURVIVORS);
}
