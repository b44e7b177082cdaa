#include "spawn_queue.h"

#include <math.h>

#include "events.h"
#include "limits/memory_limit.h"
#include "process.h"

static const double second = 1e9;

/* As many as are due in so many ns may be started at once, if none was before: a few that
 * fail together are no storm. */
static const uint64_t tolerance = UINT64_C(250000000);

/* A timer cannot be more exact, and one start a tick is enough, in ms. */
enum { SHORTEST = 1 };

/* How often it is looked whether there is memory again, in ms. */
enum { MEMORY_LOOK = 100 };

/* Between two starts, in ns. */
static uint64_t distance(const pm_manager_t *m) {
  double ns = second / m->options.value[PM_OPT_MAX_SPAWNS_PER_SECOND];
  return ns < SHORTEST * 1e6 ? 0 : (uint64_t)ns;
}

/* Starts would be due at even distances; the next at next_at. However many somebody asks
 * for, restarts have to wait no longer than they make each other. */
void pm__spawn_queue_note(pm_manager_t *m) {
  pm__spawn_queue_t *q = &m->spawn_queue;
  uint64_t now = uv_hrtime();
  uint64_t at = (q->next_at > now ? q->next_at : now) + distance(m);
  uint64_t most = now + distance(m) + tolerance;
  q->next_at = at < most ? at : most;
}

static bool is_time(const pm_manager_t *m) {
  return uv_hrtime() + tolerance >= m->spawn_queue.next_at;
}

bool pm__spawn_queue_admits(const pm_manager_t *m) {
  return !m->spawn_queue.first && is_time(m) && !pm__memory_is_short(m);
}

/* ---- the queue ---------------------------------------------------------------------- */

static bool is_queued(const pm__process_t *p) {
  return p->queue_prev || p->manager->spawn_queue.first == p;
}

unsigned pm__spawn_queue_position(const pm__process_t *p) {
  unsigned position = 0;
  if (!is_queued(p)) return 0;
  for (const pm__process_t *before = p; before; before = before->queue_prev)
    position++;
  return position;
}

void pm__spawn_queue_number(pm_manager_t *m) {
  unsigned place = 0;
  for (pm__process_t *p = m->spawn_queue.first; p; p = p->queue_next)
    p->queue_place = ++place;
}

void pm__spawn_queue_remove(pm__process_t *p) {
  pm__spawn_queue_t *q = &p->manager->spawn_queue;
  if (!is_queued(p)) return;
  *(p->queue_prev ? &p->queue_prev->queue_next : &q->first) = p->queue_next;
  *(p->queue_next ? &p->queue_next->queue_prev : &q->last) = p->queue_prev;
  p->queue_prev = p->queue_next = NULL;
  p->queue_place = 0;
  q->count--;
  if (!q->first) uv_timer_stop(&q->timer);
}

static void on_timer(uv_timer_t *timer);

/* A start may have been asked for meanwhile, which puts the turn off. */
static void arm(pm_manager_t *m) {
  pm__spawn_queue_t *q = &m->spawn_queue;
  uint64_t now = uv_hrtime();
  uint64_t at = q->next_at > tolerance ? q->next_at - tolerance : 0;
  double ms = at > now ? ceil((double)(at - now) / 1e6) : SHORTEST;
  if (!q->first) return;
  if (pm__memory_is_short(m)) ms = MEMORY_LOOK;
  uv_update_time(m->loop);
  uv_timer_start(&q->timer, on_timer, (uint64_t)ms, 0);
}

static void on_timer(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  pm__events_deliver(m);
  if (m->closing) return;
  pm__process_t *p = m->spawn_queue.first;
  if (p && is_time(m) && !pm__memory_is_short(m)) pm__process_handle(p, PM__DEADLINE);
  arm(m);
  pm__events_deliver(m);
}

void pm__spawn_queue_add(pm__process_t *p) {
  pm_manager_t *m = p->manager;
  pm__spawn_queue_t *q = &m->spawn_queue;
  p->queue_prev = q->last;
  *(q->last ? &q->last->queue_next : &q->first) = p;
  q->last = p;
  p->queue_place = ++q->count;
  if (!uv_is_active((uv_handle_t *)&q->timer)) arm(m);
}

/* Who waits in it keeps the loop alive, as one does that waits for its restart. */
void pm__spawn_queue_init(pm_manager_t *m) {
  uv_timer_init(m->loop, &m->spawn_queue.timer);
  m->spawn_queue.timer.data = m;
}
