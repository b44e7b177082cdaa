/*
 * The ladder of a stop: SIGTERM, a wait, SIGKILL, to the whole group, until
 * nothing of it is left. SIGCONT follows SIGTERM, so that stopped processes can
 * act on it (SIGKILL needs no such help).
 */
#include <math.h>
#include <signal.h>

#include "events.h"
#include "process.h"
#include "run.h"
#include "signal_name.h"

/* How long SIGKILL may take before its target is called unkillable: it acts at
 * once except on a process in uninterruptible sleep, which may never end. */
enum { KILL_WAIT = 2000, FIRST_LOOK = 1, LAST_LOOK = 128 };

typedef struct step {
  int signum;
  const char *name;
} step_t;

static const step_t steps[] = {{SIGTERM, "SIGTERM"}, {SIGKILL, "SIGKILL"}};
enum { STEP_TERM, STEP_KILL };

static double now_of(const pm__process_t *p) {
  return (double)uv_now(p->manager->loop);
}

/* The next look for what is left of the group, or the next step. */
static void arm(pm__process_t *p) {
  pm__ladder_t *l = &p->ladder;
  double wait = l->deadline - now_of(p);
  if (p->run->child.ended && l->interval < wait) {
    wait = l->interval;
    if (l->interval < LAST_LOOK) l->interval *= 2;
  }
  pm__process_arm(p, wait > 0 ? wait : 0);
}

static void take_step(pm__process_t *p, unsigned step) {
  pm__ladder_t *l = &p->ladder;
  l->step = step;
  pm__child_signal(&p->run->child, steps[step].signum);
  if (step == STEP_TERM) pm__child_signal(&p->run->child, SIGCONT);
  l->deadline = now_of(p) + (step == STEP_KILL ? KILL_WAIT : l->timeout);
  l->interval = FIRST_LOOK;
  arm(p);
}

void pm__ladder_begin(pm__process_t *p, double timeout) {
  uv_update_time(p->manager->loop);
  p->ladder = (pm__ladder_t){.timeout = timeout, .began = uv_now(p->manager->loop)};
  take_step(p, timeout > 0 ? STEP_TERM : STEP_KILL);
}

void pm__ladder_hurry(pm__process_t *p, double timeout) {
  pm__ladder_t *l = &p->ladder;
  uv_update_time(p->manager->loop);
  if (l->reported) {
    /* It was said that this cannot be killed; whoever asks again gets a new try. */
    l->reported = false;
    take_step(p, STEP_KILL);
  } else if (l->step == STEP_TERM && now_of(p) + timeout < l->deadline) {
    l->deadline = now_of(p) + timeout;
    arm(p);
  }
}

void pm__ladder_watch(pm__process_t *p) {
  p->ladder.interval = FIRST_LOOK;
  arm(p);
}

/* The attempt goes on: the group is looked at until it is gone. */
static void report_unkillable(pm__process_t *p) {
  p->ladder.reported = true;
  p->restart_pending = false;
  if (p->state != PM__STOPPING) return;
  pm__ladder_report(p, true, false);
  pm__events_answer(p, &p->stop_waiters, false);
  pm__events_answer(p, &p->restart_waiters, false);
}

/* Timers come before the poll: the command may have ended long ago and the loop
 * was held up. Then that is heard of first, and nothing is done in haste. */
static bool has_news(pm__process_t *p) {
  pm__child_t *child = &p->run->child;
  if (child->ended || !pm__child_has_ended(child)) return false;
  pm__process_arm(p, FIRST_LOOK);
  return true;
}

void pm__ladder_continue(pm__process_t *p) {
  pm__ladder_t *l = &p->ladder;
  pm__child_t *child = &p->run->child;
  if (has_news(p)) return;
  if (child->ended && !child->reaped_at && pm__run_end(p)) return;
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
  take_step(p, STEP_KILL);
}

void pm__ladder_report(pm__process_t *p, bool ran, bool gone) {
  pm__queued_t *entry = pm__events_add(p->manager, p, PM_EVENT_STOP);
  entry->has_stop = true;
  entry->event.code = p->last_exit.code;
  entry->event.signal = pm__signal_name(p->last_exit.signum);
  pm_stop_report_t *report = &entry->stop;
  report->gone = gone;
  report->step = ran ? steps[p->ladder.step].name : "none";
  uv_update_time(p->manager->loop);
  report->duration = ran ? (double)(uv_now(p->manager->loop) - p->ladder.began) : 0;
  if (!gone) report->survivor_count = pm__child_survivors(&p->run->child, report->survivors, PM_MAX_SURVIVORS);
}
