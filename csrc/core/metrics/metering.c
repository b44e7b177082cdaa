#include "metering.h"

#include "measure.h"
#include "snapshot.h"

/* Nanoseconds for which a look is fresh. A process in its first second is still being set up: what was
 * seen of it then is soon wrong. */
static const uint64_t fresh_for = UINT64_C(1000000000);
static const uint64_t fresh_for_when_young = UINT64_C(20000000);

int pm__metering_init(pm_manager_t *m) {
  m->metering.room.most = pm__metrics_most_open();
  int r = uv_mutex_init(&m->metering.lock);
  if (r != 0) return r;
  r = uv_mutex_init(&m->metering.seen_lock);
  if (r != 0) goto no_seen_lock;
  r = uv_cond_init(&m->metering.wake);
  if (r == 0) return 0;
  uv_mutex_destroy(&m->metering.seen_lock);
no_seen_lock:
  uv_mutex_destroy(&m->metering.lock);
  return r;
}

void pm__metering_free(pm_manager_t *m) {
  pm_snapshot_unref(m->metering.snapshot);
  pm__meter_room_free(&m->metering.room);
  uv_cond_destroy(&m->metering.wake);
  uv_mutex_destroy(&m->metering.seen_lock);
  uv_mutex_destroy(&m->metering.lock);
}

pm__metering_t *pm__metering_lock(pm_manager_t *m) {
  atomic_fetch_add(&m->metering.wanted, 1);
  uv_mutex_lock(&m->metering.lock);
  return &m->metering;
}

void pm__metering_unlock(pm__metering_t *t) {
  uv_mutex_unlock(&t->lock);
  atomic_fetch_sub(&t->wanted, 1);
}

/* ---- what was seen ----------------------------------------------------------------------- */

/* Who has the lock may read it without that other one: nobody else writes it. at: of the last complete look. */
static void publish(pm__run_t *run, uint64_t at) {
  pm__metering_t *t = &run->process->manager->metering;
  pm__seen_t seen = {.complete = run->meter.complete, .looking = run->meter.looking, .at = at};
  pm__meter_figures(&run->meter, &seen.metrics);
  uv_mutex_lock(&t->seen_lock);
  run->seen = seen;
  uv_mutex_unlock(&t->seen_lock);
}

pm__seen_t pm__metering_seen(const pm__run_t *run) {
  pm__metering_t *t = &run->process->manager->metering;
  uv_mutex_lock(&t->seen_lock);
  pm__seen_t seen = run->seen;
  uv_mutex_unlock(&t->seen_lock);
  return seen;
}

/* ---- who is metered -------------------------------------------------------------------- */

void pm__metering_add(pm__run_t *run) {
  const pm__child_t *child = &run->child;
  pm__metering_t *t = pm__metering_lock(run->process->manager);
  pm__meter_init(&run->meter, &t->room, child->pid, child->keeper, child->inner_keeper);
  run->metered_prev = t->last;
  *(t->last ? &t->last->metered_next : &t->first) = run;
  t->last = run;
  t->count++;
  pm__metering_unlock(t);
}

void pm__metering_remove(pm__run_t *run) {
  pm__metering_t *t = pm__metering_lock(run->process->manager);
  if (t->first == run || run->metered_prev) {
    if (t->cursor == run) t->cursor = run->metered_next;
    *(run->metered_prev ? &run->metered_prev->metered_next : &t->first) = run->metered_next;
    *(run->metered_next ? &run->metered_next->metered_prev : &t->last) = run->metered_prev;
    run->metered_prev = run->metered_next = NULL;
    t->count--;
    pm__meter_close(&run->meter);
    publish(run, run->seen.at);
    if (t->snapshot) pm__snapshot_remove(t->snapshot, run->place, run->process->life);
  }
  pm__metering_unlock(t);
}

void pm__metering_rest(pm_manager_t *m) {
  pm__metering_t *t = pm__metering_lock(m);
  pm__metrics_close_starts(&t->room.starts);
  pm__metering_unlock(t);
}

/* ---- looks at one ------------------------------------------------------------------------- */

int pm__metering_measure(pm__run_t *run, bool pss, pm_measure_t **out) {
  pm__metering_t *t = pm__metering_lock(run->process->manager);
  int r = pm__measure_new(&run->meter, pss, out);
  pm__metering_unlock(t);
  return r;
}

static bool glance(pm__run_t *run) {
  if (!pm__meter_glance(&run->meter)) return false;
  publish(run, uv_hrtime());
  return true;
}

/* False: there is more to do. */
static bool look(pm__run_t *run, uint64_t last_pid, uint64_t until) {
  int r = pm__meter_look(&run->meter, last_pid, until);
  publish(run, r == 0 ? uv_hrtime() : run->seen.at);
  return r != UV_EAGAIN;
}

static bool is_fresh(const pm__run_t *run, uint64_t now) {
  uint64_t at = run->seen.at;
  bool was_young = at - run->started_at < fresh_for;
  return at != 0 && now - at <= (was_young ? fresh_for_when_young : fresh_for);
}

static int refresh(pm__metering_t *t, pm__run_t *run, uint64_t until) {
  uint64_t now = uv_hrtime();
  if (is_fresh(run, now)) return 0;
  if (now >= until) return UV_EBUSY;
  if (glance(run)) return 0;
  return look(run, pm__metrics_last_pid(&t->room.starts), until) ? 0 : UV_EAGAIN;
}

int pm__metering_refresh(pm__run_t *run, uint64_t until) {
  pm__metering_t *t = &run->process->manager->metering;
  if (uv_mutex_trylock(&t->lock) != 0) return 0;
  int r = refresh(t, run, until);
  uv_mutex_unlock(&t->lock);
  return r;
}

bool pm__metering_finish(pm_manager_t *m, uint64_t until) {
  bool done = true;
  pm__metering_t *t = pm__metering_lock(m);
  uint64_t last_pid = pm__metrics_last_pid(&t->room.starts);
  for (pm__run_t *run = t->first; run && done; run = run->metered_next)
    done = !run->meter.looking || look(run, last_pid, until);
  pm__metering_unlock(t);
  return done;
}

/* ---- rounds ----------------------------------------------------------------------------------- */

/* Half of a round is told to nobody. */
static void put_into_snapshot(pm__metering_t *t, pm__run_t *run) {
  const pm__process_t *p = run->process;
  const pm_snapshot_entry_t entry = {
      .id = p->id,
      .life = p->life,
      .pid = run->child.pid,
      .metrics = run->seen.metrics,
  };
  run->place = pm__snapshot_add(t->snapshot, &entry);
  if (run->place >= 0) return;
  pm_snapshot_unref(t->snapshot);
  t->snapshot = NULL;
}

void pm__round_begin(pm__metering_t *t, bool is_told) {
  t->rounds++;
  t->cursor = t->first;
  t->last_pid = pm__metrics_last_pid(&t->room.starts);
  t->in_round = 0;
  pm_snapshot_unref(t->snapshot);
  t->snapshot = is_told ? pm__snapshot_new(t->last_count) : NULL;
}

bool pm__round_go_on(pm__metering_t *t, uint64_t until) {
  while (t->cursor) {
    if (!glance(t->cursor) && !look(t->cursor, t->last_pid, until)) return false;
    if (t->snapshot && t->cursor->seen.complete) put_into_snapshot(t, t->cursor);
    t->in_round += t->cursor->meter.processes;
    t->cursor = t->cursor->metered_next;
    if (t->cursor && uv_hrtime() >= until) return false;
  }
  return true;
}

pm_snapshot_t *pm__round_take_snapshot(pm__metering_t *t) {
  pm_snapshot_t *snapshot = t->snapshot;
  t->snapshot = NULL;
  if (!snapshot) return NULL;
  pm__snapshot_seal(snapshot);
  t->last_count = pm_snapshot_count(snapshot);
  return snapshot;
}
