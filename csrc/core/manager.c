/* The manager's own life: made, active or idle, closed. */
#include <string.h>

#include "alloc.h"
#include "events.h"
#include "internal.h"
#include "launch/keeper.h"
#include "launch/private_dir.h"
#include "limits/memory_limit.h"
#include "logs/log_file.h"
#include "metrics/metering_thread.h"
#include "metrics/monitor.h"
#include "process.h"
#include "run.h"
#include "spawn_queue.h"
#include "streams/input.h"
#include "streams/pacer.h"

/* How long closing waits for commands that do not die of SIGKILL, and between looks; and
 * how long the host's own end waits for all of those that it must see gone, in ms. */
enum { CLOSE_PATIENCE = 2000, CLOSE_LOOK = 20, KILL_PATIENCE = 500 };

int pm_check_libuv(void) {
  static const struct {
    uv_handle_type type;
    size_t size;
  } used[] = {{UV_POLL, sizeof(uv_poll_t)},
              {UV_TIMER, sizeof(uv_timer_t)},
              {UV_IDLE, sizeof(uv_idle_t)},
              {UV_ASYNC, sizeof(uv_async_t)},
              {UV_PROCESS, sizeof(uv_process_t)}};
  for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
    if (uv_handle_size(used[i].type) > used[i].size) return UV_ENOTSUP;
  return uv_req_size(UV_WORK) > sizeof(uv_work_t) ? UV_ENOTSUP : 0;
}

uint64_t pm__wall_clock(void) {
  uv_timeval64_t now;
  uv_gettimeofday(&now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
}

static void free_manager(pm_manager_t *m) {
  pm__env_block_unref(m->recent_env);
  pm__fault_unref(m->keeperless);
  for (size_t i = 0; i < m->allowed_command_count; i++)
    pm__free((char *)m->allowed_commands[i].base);
  pm__free(m->allowed_commands);
  pm__free(m->read_buffer);
  pm__free(m->buckets);
  pm__free(m->events.ring);
  pm__metering_free(m);
  pm__meter_room_free(&m->memory.room);
  pm__free(m);
}

static int copy_allowed(pm_manager_t *m, const pm_manager_config_t *config) {
  if (!config->allowed_commands) return 0;
  m->allowed_commands = pm__calloc(config->allowed_command_count + 1, sizeof(pm_str_t));
  if (!m->allowed_commands) return UV_ENOMEM;
  for (size_t i = 0; i < config->allowed_command_count; i++) {
    pm_str_t from = config->allowed_commands[i];
    char *copy = pm__malloc(from.len ? from.len : 1);
    if (!copy) return UV_ENOMEM;
    memcpy(copy, from.base, from.len);
    m->allowed_commands[i] = (pm_str_t){copy, from.len};
    m->allowed_command_count = i + 1;
  }
  return 0;
}

static void set_keeperless(pm_manager_t *m, const pm_error_t *error) {
  pm__fault_unref(m->keeperless);
  m->keeperless = pm__fault_new(error);
}

/* Without a keeper that is told: something is short, or this process is refused pidfds. */
static void open_spawner(pm_manager_t *m, const pm_manager_config_t *config) {
  pm_error_t error;
  pm_keeper_t *keeper = config->portable ? NULL : config->keeper;
  if (keeper && pm__keeper_ready(keeper, &error) != 0) {
    set_keeperless(m, &error);
    keeper = NULL;
  }
  pm__spawner_init(&m->spawner, &m->poller, m->loop, keeper, config->portable);
  if (!keeper || m->spawner.keeper) return;
  pm__keeper_unusable(&error);
  set_keeperless(m, &error);
}

int pm_manager_new(uv_loop_t *loop, const pm_manager_config_t *config, const pm_callbacks_t *callbacks, void *data,
                   pm_manager_t **out) {
  pm_manager_t *m = pm__calloc(1, sizeof(*m));
  int r = m ? pm__metering_init(m) : UV_ENOMEM;
  if (r != 0) {
    pm__free(m);
    return r;
  }
  m->loop = loop;
  m->options = config->options;
  m->callbacks = *callbacks;
  m->data = data;
  m->next_id = 1000;
  m->refd = true;
  m->random = uv_hrtime() | 1;
  if (config->keeperless) m->keeperless = pm__fault_new(config->keeperless);
  r = copy_allowed(m, config);
  if (r == 0) r = pm__events_reserve(m, PM__EVENTS_PER_CALL);
  if (r != 0) {
    free_manager(m);
    return r;
  }
  open_spawner(m, config);
  m->poller.data = m;
  /* None can fail. The monitor alone never keeps a loop alive. */
  uv_idle_init(loop, &m->turn);
  uv_timer_init(loop, &m->monitor);
  uv_unref((uv_handle_t *)&m->monitor);
  m->turn.data = m->monitor.data = m;
  pm__pacer_init(m);
  pm__log_files_init(m);
  pm__memory_init(m);
  pm__spawn_queue_init(m);
  m->own = 7;
  *out = m;
  return 0;
}

void *pm_manager_data(const pm_manager_t *m) {
  return m->data;
}

const char *pm_manager_backend(const pm_manager_t *m) {
  return pm__spawner_backend(&m->spawner);
}

void pm_manager_refuse_new(pm_manager_t *m) {
  m->refuses = true;
}

void pm_manager_listen(pm_manager_t *m, unsigned mask) {
  m->listening = mask;
  pm__monitor_audience(m);
}

/* xorshift64*: good enough to spread restarts. */
double pm__manager_random(pm_manager_t *m) {
  m->random ^= m->random >> 12;
  m->random ^= m->random << 25;
  m->random ^= m->random >> 27;
  return (double)((m->random * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

void pm__manager_update_active(pm_manager_t *m) {
  bool active = m->live > 0 || m->runs || m->works > 0 || m->events.count > 0;
  if (active == m->active) return;
  m->active = active;
  m->callbacks.on_active(m, active);
}

static void set_ref(pm_manager_t *m, bool refd) {
  void (*handle_ref)(uv_handle_t *) = refd ? uv_ref : uv_unref;
  void (*run_ref)(pm__run_t *) = refd ? pm__run_ref : pm__run_unref;
  m->refd = refd;
  handle_ref((uv_handle_t *)&m->turn);
  handle_ref((uv_handle_t *)&m->spawn_queue.timer);
  for (pm__process_t *p = m->first; p; p = p->next) {
    handle_ref((uv_handle_t *)&p->timer);
    if (p->run && p->run->watched) run_ref(p->run);
  }
}

void pm_manager_ref(pm_manager_t *m) {
  set_ref(m, true);
}

void pm_manager_unref(pm_manager_t *m) {
  set_ref(m, false);
}

static bool is_ours_to_end(const pm__run_t *run) {
  return run->watched && run->child.containment != PM_CONTAINMENT_NONE;
}

/* A keeper ends its tree when this process has gone; but a private directory must have
 * nobody in it when it is removed. */
static bool is_to_end_now(pm__run_t *run) {
  return is_ours_to_end(run) && (pm__child_needs_host(&run->child) || run->process->private_dir);
}

void pm_manager_kill_all(pm_manager_t *m) {
  m->refuses = true;
  pm__inputs_flush(m);
  for (pm__run_t *run = m->runs; run; run = run->next)
    if (is_to_end_now(run)) pm__child_kill(&run->child);
  uint64_t begin = uv_hrtime();
  for (pm__run_t *run = m->runs; run; run = run->next) {
    uint64_t passed = (uv_hrtime() - begin) / 1000000;
    if (!run->child.keeper || !is_to_end_now(run)) continue;
    pm__child_await_gone(&run->child, passed < KILL_PATIENCE ? KILL_PATIENCE - (int)passed : 0);
  }
  for (pm__process_t *p = m->first; p; p = p->next)
    pm__private_dir_remove_now(p);
  pm__log_files_write_now(m);
}

/* ---- closing ------------------------------------------------------------------- */

static void own_closed(pm_manager_t *m) {
  if (--m->own > 0) return;
  pm_closed_cb cb = m->on_closed;
  void *arg = m->on_closed_arg;
  pm__spawner_close(&m->spawner);
  free_manager(m);
  cb(arg);
}

static void on_handle_closed(uv_handle_t *handle) {
  own_closed(handle->data);
}

static void on_poller_closed(pm__poller_t *poller) {
  own_closed(poller->data);
}

/* Once everything else is gone. */
static void close_own(pm_manager_t *m) {
  uv_close((uv_handle_t *)&m->turn, on_handle_closed);
  uv_close((uv_handle_t *)&m->monitor, on_handle_closed);
  uv_close((uv_handle_t *)&m->tick, on_handle_closed);
  uv_close((uv_handle_t *)&m->retry, on_handle_closed);
  uv_close((uv_handle_t *)&m->memory.timer, on_handle_closed);
  uv_close((uv_handle_t *)&m->spawn_queue.timer, on_handle_closed);
  pm__poller_close(&m->poller, on_poller_closed);
}

void pm__manager_hold(pm_manager_t *m) {
  m->pending++;
}

void pm__manager_release(pm_manager_t *m) {
  if (--m->pending == 0 && m->closing) close_own(m);
}

static bool is_left_alone(pm__run_t *run) {
  return !is_ours_to_end(run);
}

static bool is_any(pm__run_t *run) {
  return run->watched;
}

static void give_up_runs(pm_manager_t *m, bool (*which)(pm__run_t *run)) {
  pm__run_t *next;
  for (pm__run_t *run = m->runs; run; run = next) {
    next = run->next;
    if (which(run)) pm__run_give_up(run);
  }
}

/* Nobody calls when what a killed keeper has left is gone. */
static bool is_gone_after_a_loss(pm__run_t *run) {
  return run->watched && run->child.ended && run->child.lost && pm__child_gone(&run->child);
}

static void on_closing(uv_timer_t *timer) {
  pm_manager_t *m = timer->data;
  give_up_runs(m, uv_now(m->loop) < m->patient_until ? is_gone_after_a_loss : is_any);
}

/* Everything is forgotten before anybody is answered: who is answered may call
 * again and must find nothing that would take the call. */
static pm__waiter_t *forget_all(pm_manager_t *m) {
  pm__waiter_t *all = NULL;
  pm__waiter_t **end = &all;
  while (m->first) {
    pm__process_t *p = m->first;
    *end = p->stop_waiters;
    while (*end)
      end = &(*end)->next;
    *end = p->restart_waiters;
    while (*end)
      end = &(*end)->next;
    p->stop_waiters = p->restart_waiters = NULL;
    pm__process_forget(p);
  }
  return all;
}

static void answer_all(pm__waiter_t *w) {
  while (w) {
    pm__waiter_t *next = w->next;
    w->cb(w->arg, false);
    pm__free(w);
    w = next;
  }
}

void pm_manager_close(pm_manager_t *m, pm_closed_cb cb, void *arg) {
  m->on_closed = cb;
  m->on_closed_arg = arg;
  m->refuses = m->closing = true;
  /* Private directories go with the records, when all is reaped. */
  for (pm__run_t *run = m->runs; run; run = run->next)
    if (is_ours_to_end(run)) pm__child_kill(&run->child);
  pm__manager_hold(m); /* while this function works */
  pm__metering_thread_end(m);
  uv_idle_stop(&m->turn);
  pm__memory_close(m);
  uv_timer_stop(&m->spawn_queue.timer);
  pm__waiter_t *waiters = forget_all(m);
  pm__events_discard(m);
  answer_all(waiters);
  give_up_runs(m, is_left_alone);
  uv_update_time(m->loop);
  uv_ref((uv_handle_t *)&m->monitor);
  m->patient_until = uv_now(m->loop) + CLOSE_PATIENCE;
  uv_timer_start(&m->monitor, on_closing, CLOSE_LOOK, CLOSE_LOOK);
  pm__manager_release(m);
}
