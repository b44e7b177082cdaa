/* The record of a process: made, counted, forgotten, freed. */
#include <string.h>

#include "alloc.h"
#include "events.h"
#include "launch/private_dir.h"
#include "logs/log_file.h"
#include "metrics/monitor.h"
#include "process.h"
#include "run.h"
#include "spawn_queue.h"
#include "table.h"

static void init_logs(pm__process_t *p) {
  for (int i = 0; i < PM_STREAM_COUNT; i++) {
    pm__log_ring_init(&p->logs[i], (size_t)p->options.value[PM_OPT_MAX_LOG_LINES],
                      (size_t)p->options.value[PM_OPT_MAX_LOG_BYTES]);
    p->logs[i].last_seq = &p->last_seq;
  }
}

int pm__process_new(pm_manager_t *m, pm_str_t id, pm__command_t *command, const pm_config_t *config,
                    pm__process_t **out) {
  pm__process_t *p = pm__calloc(1, sizeof(*p));
  char *own_id = pm__malloc(id.len ? id.len : 1);
  if (!p || !own_id) goto fail;
  memcpy(own_id, id.base, id.len);
  p->manager = m;
  p->id = (pm_str_t){own_id, id.len};
  p->command = *command;
  p->options = config->options;
  p->last_exit.code = -1;
  init_logs(p);
  pm__tally_init(&p->tally);
  pm__history_init(&p->history, (size_t)p->options.value[PM_OPT_METRICS_HISTORY]);
  if (config->log_file.base) {
    p->log_file = pm__log_file_new(m, config->log_file, &p->options);
    if (!p->log_file) goto fail;
    pm__log_file_set_process(p->log_file, p);
  }
  if (pm__table_add(m, p) != 0) goto fail;
  uv_timer_init(m->loop, &p->timer);
  if (!m->refd) uv_unref((uv_handle_t *)&p->timer);
  p->timer.data = p;
  if (p->history.most > 0 && m->histories++ == 0) pm__monitor_audience(m);
  p->refs = 2; /* the table's and the timer's */
  pm__manager_hold(m);
  *out = p;
  return 0;

fail:
  if (p) pm__log_file_close(p->log_file);
  pm__free(own_id);
  pm__free(p);
  pm__command_free(command);
  return UV_ENOMEM;
}

void pm__process_ref(pm__process_t *p) {
  p->refs++;
}

void pm__process_unref(pm__process_t *p) {
  if (--p->refs > 0) return;
  pm_manager_t *m = p->manager;
  pm__private_dir_remove_now(p);
  for (int i = 0; i < PM_STREAM_COUNT; i++)
    pm__log_ring_free(&p->logs[i]);
  if (p->history.most > 0 && --m->histories == 0) pm__monitor_audience(m);
  pm__history_free(&p->history);
  pm__tally_free(&p->tally);
  pm__command_free(&p->command);
  pm__fault_unref(p->fault);
  pm__free((char *)p->id.base);
  pm__free(p);
  pm__manager_release(m);
}

static void on_timer_closed(uv_handle_t *handle) {
  pm__process_unref(handle->data);
}

void pm__process_tell_log_watcher(pm__process_t *p) {
  pm_manager_t *m = p->manager;
  if (!p->log_watched || m->closing || pm__events_reserve(m, PM__EVENTS_PER_CALL) != 0) return;
  p->log_watched = false;
  pm__events_add(m, p, PM_EVENT_LOGGED);
}

void pm__process_forget(pm__process_t *p) {
  if (!p->known) return;
  pm__process_tell_log_watcher(p);
  pm__spawn_queue_remove(p);
  pm__log_file_close(p->log_file);
  p->log_file = NULL;
  if (p->state == PM__EXITED || p->state == PM__FAILED) pm__table_mark_live(p->manager, p);
  pm__table_remove(p->manager, p);
  if (p->run) pm__run_abandon(p->run);
  p->run = NULL;
  uv_close((uv_handle_t *)&p->timer, on_timer_closed);
  pm__process_unref(p);
}

void pm__process_limit_ended(pm_manager_t *m) {
  while ((double)m->ended > m->options.value[PM_OPT_MAX_ENDED])
    pm__process_forget(m->ended_first);
}
