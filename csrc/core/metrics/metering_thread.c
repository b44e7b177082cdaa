#include "metering_thread.h"

#include <math.h>

/* So long it has the lock, in nanoseconds. */
static const uint64_t piece = UINT64_C(20000);

/* For fewer it costs more than it spares the loop. */
enum { ENOUGH = 16 };

/* Lists of children are read into its stack, which are some ten KiB. */
enum { STACK_SIZE = 256 * 1024 };

enum { TOLD = 1, KEPT = 2 };

static const uint64_t never = UINT64_MAX;

/* ---- in the thread ---------------------------------------------------------------------- */

static void await_work(pm__metering_t *t, uint64_t now) {
  /* One that is overdue waits for the loop. */
  if (t->next == never || t->next <= now)
    uv_cond_wait(&t->wake, &t->lock);
  else
    uv_cond_timedwait(&t->wake, &t->lock, t->next - now);
}

static void let_loop_in(pm__metering_t *t) {
  uv_mutex_unlock(&t->lock);
  while (atomic_load(&t->wanted) > 0)
    uv_sleep(0);
  uv_mutex_lock(&t->lock);
}

static void set_next(pm__metering_t *t, uint64_t now) {
  t->next = t->interval == never ? never : now + t->interval;
}

/* Whether it has come to its end. */
static bool make_round(pm__metering_t *t, bool is_told) {
  t->running = true;
  t->requested = false;
  pm__round_begin(t, is_told);
  while (t->running && !t->quit && !pm__round_go_on(t, uv_hrtime() + piece))
    let_loop_in(t);
  bool is_whole = t->running && !t->quit;
  t->running = false;
  return is_whole;
}

static void make_due_round(pm__metering_t *t, uint64_t now) {
  unsigned audience = atomic_load(&t->audience);
  set_next(t, now);
  if (!make_round(t, audience & TOLD)) return;
  uint64_t ended = uv_hrtime();
  /* Not without a rest, if it took longer than that. */
  if (ended >= t->next) set_next(t, ended);
  if (audience == 0) return;
  t->began = now;
  t->ended = ended;
  t->pending = true;
  uv_async_send(&t->finished);
}

static void run(void *arg) {
  pm__metering_t *t = arg;
  uv_mutex_lock(&t->lock);
  while (!t->quit) {
    uint64_t now = uv_hrtime();
    bool is_due = t->next <= now && !t->pending;
    if (is_due) {
      make_due_round(t, now);
    } else if (t->requested && !t->pending) {
      make_round(t, false);
    } else {
      await_work(t, now);
    }
  }
  uv_mutex_unlock(&t->lock);
}

/* ---- in the loop ------------------------------------------------------------------------- */

static void on_finished(uv_async_t *async) {
  pm_manager_t *m = async->data;
  pm__metering_t *t = pm__metering_lock(m);
  bool is_pending = t->pending && !t->quit;
  uint64_t began = t->began, ended = t->ended;
  pm__metering_unlock(t);
  if (is_pending) t->on_round(m, began, ended);
}

static int start(pm_manager_t *m) {
  pm__metering_t *t = &m->metering;
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_SIZE};
  int r = uv_async_init(m->loop, &t->finished, on_finished);
  if (r != 0) return r;
  t->has_async = true;
  t->finished.data = m;
  uv_unref((uv_handle_t *)&t->finished);
  t->next = never;
  r = uv_thread_create_ex(&t->thread, &options, run, t);
  t->has_thread = r == 0;
  return r;
}

static bool is_worth_it(pm_manager_t *m) {
  pm__metering_t *t = pm__metering_lock(m);
  bool is_enough = t->count >= ENOUGH || t->in_round >= ENOUGH;
  pm__metering_unlock(t);
  return is_enough;
}

static uint64_t in_ns(double ms) {
  return isfinite(ms) ? (uint64_t)(ms * 1e6) : never;
}

bool pm__metering_thread_take_over(pm_manager_t *m, double first, double interval, pm__round_cb cb) {
  pm__metering_t *t = &m->metering;
  if (t->threadless || !is_worth_it(m)) return false;
  /* That there is no thread now is no reason to ask for one each time. */
  if (!t->has_thread && start(m) != 0) {
    t->threadless = true;
    return false;
  }
  t->by_thread = true;
  t->on_round = cb;
  pm__metering_lock(m);
  t->interval = in_ns(interval);
  t->next = in_ns(first) == never ? never : uv_hrtime() + in_ns(first);
  uv_cond_signal(&t->wake);
  pm__metering_unlock(t);
  return true;
}

void pm__metering_thread_request(pm_manager_t *m) {
  pm__metering_t *t = pm__metering_lock(m);
  if (!t->running && !t->requested) uv_cond_signal(&t->wake);
  t->requested = !t->running;
  pm__metering_unlock(t);
}

void pm__metering_thread_tell(pm_manager_t *m, bool told, bool kept) {
  atomic_store(&m->metering.audience, (told ? TOLD : 0u) | (kept ? KEPT : 0u));
}

pm_snapshot_t *pm__metering_thread_take(pm_manager_t *m) {
  pm__metering_t *t = pm__metering_lock(m);
  pm_snapshot_t *snapshot = pm__round_take_snapshot(t);
  t->pending = false;
  if (t->requested || t->next <= uv_hrtime()) uv_cond_signal(&t->wake);
  pm__metering_unlock(t);
  return snapshot;
}

void pm__metering_thread_rest(pm_manager_t *m) {
  m->metering.by_thread = false;
  pm__metering_t *t = pm__metering_lock(m);
  t->next = never;
  t->in_round = 0;
  t->running = t->requested = t->pending = false;
  pm__metering_unlock(t);
}

static void on_async_closed(uv_handle_t *handle) {
  pm__manager_release(handle->data);
}

void pm__metering_thread_end(pm_manager_t *m) {
  pm__metering_t *t = &m->metering;
  if (t->has_thread) {
    pm__metering_lock(m);
    t->quit = true;
    uv_cond_signal(&t->wake);
    pm__metering_unlock(t);
    uv_thread_join(&t->thread);
    t->has_thread = t->by_thread = false;
  }
  if (!t->has_async) return;
  t->has_async = false;
  pm__manager_hold(m);
  uv_close((uv_handle_t *)&t->finished, on_async_closed);
}
