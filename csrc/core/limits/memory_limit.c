#include "memory_limit.h"

#include <math.h>

#include "../alloc.h"
#include "../error.h"
#include "../events.h"
#include "../process.h"
#include "../run.h"
#include "shares.h"

/* Nanoseconds. Between two looks at a tree, and what one turn of the loop may spend. */
static const uint64_t slowest = UINT64_C(500000000), fastest = UINT64_C(20000000);
static const uint64_t slice = UINT64_C(500000);

/* While the share of a tree is being found out, and how long it is believed. */
static const uint64_t meanwhile = UINT64_C(100000000), share_lasts = UINT64_C(2000000000);

/* Of the loop's time no more than one part in so many is taken; nor of a thread's for
 * reading a share again that is known well enough. */
enum { PARTS = 20 };

/* What has been told of is told again when it has been below this part of the limit. */
static const double rearm_below = 0.9;

/* What is being ended and has grown by this part, of itself or of maxTotalMemory if that is
 * why, is killed at once; a total that is over its limit by so much takes a second tree. */
static const double much = 1.25;

/* ---- the figures --------------------------------------------------------------------- */

static double limit_of(const pm__run_t *run) {
  return run->process->options.value[PM_OPT_LIMIT_MEMORY];
}

/* What it may not reach without something being done. */
static double limit_now(const pm__run_t *run) {
  return run->memory.ended_for ? (double)run->memory.kill_at : limit_of(run);
}

static double max_total(const pm_manager_t *m) {
  return m->options.value[PM_OPT_MAX_TOTAL_MEMORY];
}

static pm_memory_action_t action_of(const pm__run_t *run) {
  return (pm_memory_action_t)run->process->options.value[PM_OPT_LIMIT_MEMORY_ACTION];
}

/* Each page once, or more: the share, and what has come since. One process may grow while
 * another ends that shared as much, which cannot be seen: so a share is not believed for
 * long. */
static double estimate(const pm__memory_watch_t *w, uint64_t now) {
  uint64_t sum = w->share + (w->resident - w->share_resident);
  bool is_known = w->share > 0 && !w->share_is_part && now < w->share_until;
  return (double)(is_known && sum < w->resident ? sum : w->resident);
}

/* A process has no page twice, so that the tree has at least as much. */
static double largest(const pm__meter_t *meter) {
  uint64_t most = 0;
  for (int i = 0; i < meter->members.count; i++) {
    const pm__member_t *member = &meter->members.at[i];
    if (!member->outside && member->usage.lives && member->usage.memory > most) most = member->usage.memory;
  }
  return (double)most;
}

/* ---- when it is looked at -------------------------------------------------------------- */

/* growth in bytes a ns. Half of the time that is left if it goes on growing like that; and
 * the nearer the limit the sooner, since it may begin to. */
static uint64_t interval(double used, double limit, double growth) {
  double ns = (double)slowest;
  double left = limit - used;
  if (!(left > 0) || isinf(limit)) return slowest;
  ns *= left / limit;
  if (growth > 0 && left / growth / 2 < ns) ns = left / growth / 2;
  return ns > (double)fastest ? (uint64_t)ns : fastest;
}

static uint64_t due_at(const pm_manager_t *m, const pm__memory_watch_t *w) {
  uint64_t by_total = w->looked_at + m->memory.pace;
  return w->looked_at > 0 && m->memory.pace > 0 && by_total < w->due ? by_total : w->due;
}

static void on_timer(uv_timer_t *timer);

static void wake_at(pm_manager_t *m, uint64_t at) {
  uint64_t now = uv_hrtime();
  uv_update_time(m->loop);
  uv_timer_start(&m->memory.timer, on_timer, at > now ? (at - now + 999999) / 1000000 : 1, 0);
}

static void arm(pm_manager_t *m, uint64_t began) {
  uint64_t now = uv_hrtime();
  uint64_t earliest = now + PARTS * (now - began);
  uint64_t at = now + slowest;
  if (!m->memory.first || m->closing) return;
  for (const pm__run_t *run = m->memory.first; run; run = run->memory.next) {
    uint64_t due = due_at(m, &run->memory);
    if (due < at) at = due;
  }
  wake_at(m, at > earliest ? at : earliest);
}

/* ---- what is done ------------------------------------------------------------------------ */

/* One of the manager counts as such also if somebody is ended for it. */
static void tell(pm_manager_t *m, pm__process_t *p, pm_option_index_t limit, double seen, const char *action) {
  pm_event_t *event = &pm__events_add(m, p, PM_EVENT_LIMIT)->event;
  if (p && limit == PM_OPT_MAX_TOTAL_MEMORY) m->limits_reached++;
  event->limit = pm_option_table[limit].name;
  event->value = (p && limit == PM_OPT_LIMIT_MEMORY ? &p->options : &m->options)->value[limit];
  event->seen = seen;
  event->action = action;
}

/* Whoever has ended by itself has, also if the loop was held up and has not heard of it. */
static bool may_be_ended(const pm__run_t *run) {
  return run->process->run == run && run->process->state == PM__RUNNING && !run->child.ended &&
         !pm__child_has_news(&run->child);
}

/* used: by the tree. seen: what is told, of the tree or of all. */
static void act(pm__run_t *run, pm_option_index_t limit, double used, double seen) {
  pm__process_t *p = run->process;
  pm__memory_watch_t *w = &run->memory;
  double max = max_total(p->manager);
  pm_memory_action_t action = action_of(run);
  tell(p->manager, p, limit, seen, pm_option_table[PM_OPT_LIMIT_MEMORY_ACTION].choices[action]);
  if (action == PM_MEMORY_EVENT) return;
  w->ended_for = pm_option_table[limit].name;
  /* One that is small beside the total, or new, grows by a part of itself in no time. */
  if (limit == PM_OPT_LIMIT_MEMORY) max = used;
  w->kill_at = (uint64_t)(used + (much - 1) * (max > used ? max : used));
  pm__process_handle(p, PM__OVER_LIMIT);
}

/* It has been asked to end, and takes more and more instead. */
static void press(pm__run_t *run, double used) {
  pm__process_t *p = run->process;
  if (used < (double)run->memory.kill_at || p->run != run || p->state != PM__STOPPING) return;
  run->memory.kill_at = UINT64_MAX;
  pm__ladder_hurry(p, 0);
}

static void judge(pm__run_t *run, double used) {
  pm__memory_watch_t *w = &run->memory;
  double limit = limit_of(run);
  if (w->ended_for) {
    press(run, used);
  } else if (used < limit) {
    if (used < limit * rearm_below) w->over = false;
  } else if (!w->over && may_be_ended(run) && pm__events_reserve(run->process->manager, PM__EVENTS_PER_CALL) == 0) {
    w->over = true;
    act(run, PM_OPT_LIMIT_MEMORY, used, used);
  }
  w->due = uv_hrtime() + interval(used, limit_now(run), w->growth);
}

/* ---- reading what is shared ---------------------------------------------------------------- */

static void judge_total(pm_manager_t *m);
static void read_next(pm_manager_t *m);

/* All that was to be read has ended meanwhile: there is nothing to judge, and the next look
 * tells what there is now. */
static void note_end(pm__run_t *run, uint64_t now) {
  pm__memory_watch_t *w = &run->memory;
  w->resident = w->share = w->share_resident = 0;
  w->growth = 0;
  w->due = now;
}

/* A part is enough for a limit of its own, but not for that of all together. */
static void note_part(pm__run_t *run, const pm__shares_t *shares, uint64_t now) {
  pm__memory_watch_t *w = &run->memory;
  w->share_is_part = shares->sum >= shares->enough;
  if (!w->share_is_part || !run->process->manager->memory.collecting) return;
  w->wants_share = true;
  w->share_at = 0;
  w->share_due = now;
}

/* One that may not be read is taken for what is resident. */
static void note_share(pm__run_t *run, const pm__shares_t *shares) {
  pm__memory_watch_t *w = &run->memory;
  uint64_t now = uv_hrtime(), rest = PARTS * shares->took;
  /* Time and again: then it is this system that tells nothing. */
  bool was_none = w->share_at != 0 && w->share == 0 && w->share_resident == 0;
  w->share_at = now;
  if (!w->on) return;
  if (shares->is_known && shares->found == 0 && !was_none) {
    note_end(run, now);
    return;
  }
  w->share = shares->is_known && shares->sum > 0 ? shares->sum : w->resident;
  w->share_resident = w->read_resident < w->resident ? w->read_resident : w->resident;
  w->share_due = now + (w->over ? rest : shares->took);
  w->share_until = now + (rest > share_lasts ? rest : share_lasts);
  note_part(run, shares, now);
  judge(run, (double)w->share);
}

/* That it could not be read just now says nothing of the tree. */
static void try_again(pm__run_t *run) {
  if (!run->memory.on) return;
  run->memory.wants_share = true;
  run->memory.share_due = uv_hrtime() + meanwhile;
}

static void on_shares(pm__shares_t *shares, int status) {
  pm__run_t *run = shares->data;
  pm_manager_t *m = run->process->manager;
  m->memory.reading = NULL;
  run->memory.is_read = false;
  m->memory.spent += shares->took;
  pm__events_deliver(m);
  if (!m->closing) {
    uint64_t began = uv_hrtime();
    if (status == 0 && shares->r == 0)
      note_share(run, shares);
    else
      try_again(run);
    judge_total(m);
    read_next(m);
    arm(m, began);
    pm__events_deliver(m);
  }
  pm__free(shares);
  pm__run_closed(run);
}

static bool begin_reading(pm_manager_t *m, pm__run_t *run) {
  pm__memory_watch_t *w = &run->memory;
  double limit = limit_now(run);
  uint64_t enough = m->memory.collecting || limit >= 0x1p63 ? UINT64_MAX : (uint64_t)limit;
  if (pm__shares_begin(m->loop, &w->meter, enough, on_shares, run, &m->memory.reading) != 0) return false;
  pm__run_opened(run);
  w->read_resident = w->resident;
  w->wants_share = false;
  w->is_read = true;
  return true;
}

/* One at a time. If it does not work now, the timer tries again. */
static void read_next(pm_manager_t *m) {
  uint64_t now = uv_hrtime();
  for (pm__run_t *run = m->memory.first; run && !m->memory.reading; run = run->memory.next)
    if (run->memory.wants_share && now >= run->memory.share_due && !begin_reading(m, run)) return;
}

/* ---- looks ------------------------------------------------------------------------------------ */

static void note_look(pm__run_t *run) {
  pm__memory_watch_t *w = &run->memory;
  uint64_t now = uv_hrtime();
  uint64_t since = now - (w->looked_at ? w->looked_at : run->started_at);
  w->growth = w->meter.memory > w->resident && since > 0 ? (double)(w->meter.memory - w->resident) / (double)since : 0;
  w->resident = w->meter.memory;
  if (w->resident < w->share_resident) w->share_resident = w->resident;
  w->looked_at = now;
}

static void look(pm__run_t *run, uint64_t last_pid, uint64_t until) {
  pm__memory_watch_t *w = &run->memory;
  int r = pm__meter_look(&w->meter, last_pid, until);
  if (r == UV_EAGAIN) return;
  w->due = uv_hrtime() + slowest;
  if (r != 0) return;
  note_look(run);
  double limit = limit_now(run), one = largest(&w->meter), all = estimate(w, w->looked_at);
  if (one >= limit || all < limit) {
    judge(run, one >= limit ? one : all);
  } else {
    w->due = w->looked_at + meanwhile;
    w->wants_share = !w->is_read;
  }
}

static void put_last(pm_manager_t *m, pm__run_t *run) {
  run->memory.prev = m->memory.last;
  *(run->memory.prev ? &run->memory.prev->memory.next : &m->memory.first) = run;
  m->memory.last = run;
}

static void take_out(pm_manager_t *m, pm__run_t *run) {
  pm__memory_watch_t *w = &run->memory;
  *(w->prev ? &w->prev->memory.next : &m->memory.first) = w->next;
  *(w->next ? &w->next->memory.prev : &m->memory.last) = w->prev;
  w->prev = w->next = NULL;
}

/* Who has been looked at goes to the end, so that when time is short all get their turn.
 * What is done about one only sends signals and queues events. */
static void look_at_all(pm_manager_t *m, uint64_t now) {
  uint64_t until = now + slice;
  uint64_t last_pid = pm__metrics_last_pid(&m->memory.room.starts);
  const pm__run_t *last = m->memory.last;
  for (pm__run_t *run = m->memory.first; run; run = m->memory.first) {
    bool is_last = run == last;
    take_out(m, run);
    put_last(m, run);
    if (due_at(m, &run->memory) <= now) look(run, last_pid, until);
    if (is_last || uv_hrtime() >= until) break;
  }
}

/* ---- all together ------------------------------------------------------------------------------- */

/* The one that uses most of those that may be ended. */
static pm__run_t *find_victim(const pm_manager_t *m) {
  pm__run_t *victim = NULL;
  double most = 0;
  for (pm__run_t *run = m->memory.first; run; run = run->memory.next) {
    if (!may_be_ended(run) || action_of(run) == PM_MEMORY_EVENT) continue;
    double used = estimate(&run->memory, 0);
    if (victim && used <= most) continue;
    victim = run;
    most = used;
  }
  return victim;
}

static bool is_one_being_ended(const pm_manager_t *m) {
  for (const pm__run_t *run = m->memory.first; run; run = run->memory.next)
    if (run->memory.ended_for) return true;
  return false;
}

/* Its end has not been heard of yet: then there will be less soon. */
static bool has_one_just_ended(const pm_manager_t *m) {
  for (const pm__run_t *run = m->memory.first; run; run = run->memory.next)
    if (!run->child.ended && pm__child_has_news(&run->child)) return true;
  return false;
}

static void act_on_total(pm_manager_t *m) {
  pm__memory_t *t = &m->memory;
  if (t->total < max_total(m) * much && is_one_being_ended(m)) return;
  pm__run_t *victim = find_victim(m);
  if (!victim && has_one_just_ended(m)) return;
  if ((!victim && t->over) || pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) return;
  t->over = true;
  if (victim)
    act(victim, PM_OPT_MAX_TOTAL_MEMORY, estimate(&victim->memory, 0), t->total);
  else
    tell(m, NULL, PM_OPT_MAX_TOTAL_MEMORY, t->total, "event");
}

static void collect(pm_manager_t *m) {
  m->memory.collecting = true;
  m->memory.collect_began = uv_hrtime();
  m->memory.spent = 0;
  for (pm__run_t *run = m->memory.first; run; run = run->memory.next)
    if (run->memory.looked_at > 0 && !run->memory.is_read) run->memory.wants_share = true;
}

/* One may be read again meanwhile, for a limit of its own. */
static bool is_collected(const pm_manager_t *m) {
  for (const pm__run_t *run = m->memory.first; run; run = run->memory.next) {
    const pm__memory_watch_t *w = &run->memory;
    if ((w->wants_share || w->is_read) && w->share_at < m->memory.collect_began) return false;
  }
  return true;
}

/* It is known before all have been read. Who is over a limit of its own is read at its next look. */
static void leave_off(pm_manager_t *m) {
  if (!m->memory.collecting) return;
  m->memory.collecting = false;
  for (pm__run_t *run = m->memory.first; run; run = run->memory.next)
    run->memory.wants_share = false;
}

static void judge_total(pm_manager_t *m) {
  pm__memory_t *t = &m->memory;
  double max = max_total(m), sum = 0, growth = 0;
  uint64_t now = t->collecting && is_collected(m) ? 0 : uv_hrtime();
  if (isinf(max)) return;
  for (const pm__run_t *run = t->first; run; run = run->memory.next) {
    sum += estimate(&run->memory, now);
    growth += run->memory.growth;
  }
  t->pace = interval(sum, max, growth);
  if (sum < max) {
    t->total = sum;
    leave_off(m);
    if (sum < max * rearm_below) t->over = false;
  } else if (!t->collecting) {
    if (now >= t->collect_due) collect(m);
  } else if (now == 0) {
    t->collecting = false;
    t->collect_due = uv_hrtime() + PARTS * t->spent;
    t->total = sum;
    act_on_total(m);
  }
}

bool pm__memory_is_short(const pm_manager_t *m) {
  return m->memory.total >= max_total(m);
}

int pm__memory_check_room(pm_manager_t *m, pm_error_t *error) {
  if (!pm__memory_is_short(m)) return 0;
  if (pm__events_reserve(m, PM__EVENTS_PER_CALL) == 0) {
    tell(m, NULL, PM_OPT_MAX_TOTAL_MEMORY, m->memory.total, "refuse");
    pm__events_schedule(m);
  }
  return pm__error_set(error, UV_EAGAIN, "ERR_MEMORY_LIMIT", "Error",
                       "Memory limit (maxTotalMemory, %.0f bytes) exceeded: the processes use %.0f bytes", max_total(m),
                       m->memory.total);
}

/* ---- the watch ------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  pm__events_deliver(m);
  if (m->closing) return;
  uint64_t began = uv_hrtime();
  look_at_all(m, began);
  judge_total(m);
  read_next(m);
  arm(m, began);
  pm__events_deliver(m);
}

/* Never keeps a loop alive. */
void pm__memory_init(pm_manager_t *m) {
  uv_timer_init(m->loop, &m->memory.timer);
  uv_unref((uv_handle_t *)&m->memory.timer);
  m->memory.timer.data = m;
  m->memory.room.most = pm__metrics_most_open();
}

void pm__memory_watch(pm__run_t *run) {
  pm_manager_t *m = run->process->manager;
  pm__memory_watch_t *w = &run->memory;
  const pm__child_t *child = &run->child;
  if (isinf(limit_of(run)) && isinf(max_total(m))) return;
  pm__meter_init(&w->meter, &m->memory.room, child->pid, child->keeper, child->inner_keeper);
  w->on = true;
  w->due = uv_hrtime() + fastest;
  put_last(m, run);
  bool is_sooner =
      !uv_is_active((uv_handle_t *)&m->memory.timer) || uv_timer_get_due_in(&m->memory.timer) > fastest / 1000000;
  if (is_sooner) wake_at(m, w->due);
}

/* What it used is free. */
void pm__memory_unwatch(pm__run_t *run) {
  pm_manager_t *m = run->process->manager;
  if (!run->memory.on) return;
  double used = estimate(&run->memory, 0);
  run->memory.on = false;
  if (run->memory.is_read) pm__shares_leave_off(m->memory.reading);
  m->memory.total = m->memory.total > used ? m->memory.total - used : 0;
  take_out(m, run);
  /* Whether that was enough is to be known now, not when the shares would be due again. */
  if (run->memory.ended_for) m->memory.collect_due = 0;
  pm__meter_close(&run->memory.meter);
  if (m->memory.first) return;
  m->memory.total = 0;
  m->memory.over = m->memory.collecting = false;
  pm__metrics_close_starts(&m->memory.room.starts);
  uv_timer_stop(&m->memory.timer);
}

void pm__memory_close(pm_manager_t *m) {
  uv_timer_stop(&m->memory.timer);
  if (m->memory.reading) pm__shares_leave_off(m->memory.reading);
}
