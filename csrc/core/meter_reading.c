#include "meter_reading.h"

#include <stdatomic.h>
#include <uv.h>

#include "../platform/children.h"
#include "../platform/tree.h"

/* ---- descriptors ------------------------------------------------------------------ */

/* Of all rooms, in all threads: who makes many samplers is not to be left without
 * descriptors for himself. */
static atomic_uint open_in_all;

/* What each meter may have: so much of one command is always kept open. */
static bool is_free(const pm__meter_t *m, const pm__member_t *member, pm__kept_kind_t kind) {
  return member->pid == m->command && kind == PM__KEPT_USAGE;
}

/* A large tree leaves half of the room to the others. */
static bool is_to_keep(const pm__meter_t *m, const pm__member_t *member, pm__kept_kind_t kind) {
  const pm__meter_room_t *room = m->room;
  if (is_free(m, member, kind)) return true;
  if (room->open >= room->most || atomic_load(&open_in_all) >= pm__metrics_most_open()) return false;
  return m->open < PM__METER_OPEN || room->open < room->most / 2;
}

static void keep(pm__meter_t *m, pm__member_t *member, pm__kept_kind_t kind, pm__metrics_source_t source) {
  member->kept[kind] = (pm__kept_t){.source = source, .place = -1};
  if (is_free(m, member, kind)) return;
  m->open++;
  m->room->open++;
  atomic_fetch_add(&open_in_all, 1);
}

static void drop(pm__meter_t *m, pm__member_t *member, pm__kept_kind_t kind) {
  if (member->kept[kind].source.fd < 0) return;
  if (!is_free(m, member, kind)) {
    m->open--;
    m->room->open--;
    atomic_fetch_sub(&open_in_all, 1);
  }
  pm__readings_close(&m->room->readings, &member->kept[kind]);
}

void pm__meter_release(pm__meter_t *m, pm__member_t *member) {
  for (int i = 0; i < PM__KEPT_COUNT; i++)
    drop(m, member, (pm__kept_kind_t)i);
  member->children = member->runs = 0;
}

void pm__meter_hand_over(pm__meter_t *m, pm__member_t *from, pm__member_t *to) {
  for (int i = 0; i < PM__KEPT_COUNT; i++) {
    drop(m, to, (pm__kept_kind_t)i);
    to->kept[i] = from->kept[i];
    from->kept[i] = PM__KEPT_NOTHING;
  }
  to->children = from->children;
  to->runs = from->runs;
}

/* ---- what was read beforehand --------------------------------------------------------- */

/* Nobody may be looked at earlier than his parent: what the parent has waited for would be
 * counted twice. So once somebody is read anew, so are all that follow. */
static const pm__reading_t *take_reading(pm__meter_t *m, pm__kept_t *kept) {
  const pm__reading_t *reading = pm__readings_take(&m->room->readings, kept);
  if (!reading) m->direct = true;
  return m->direct ? NULL : reading;
}

/* ---- usage -------------------------------------------------------------------------- */

static int open_and_read(pm__meter_t *m, pm__member_t *member, uint64_t *at) {
  pm__metrics_source_t source;
  m->direct = true;
  int r = pm__metrics_open(member->pid, &source);
  if (r == 0) r = pm__metrics_read(source, &member->usage);
  *at = pm__metrics_now();
  if (r == 0 && !member->outside && is_to_keep(m, member, PM__KEPT_USAGE))
    keep(m, member, PM__KEPT_USAGE, source);
  else
    pm__metrics_close(source);
  return r;
}

static int read_kept(pm__meter_t *m, pm__member_t *member, uint64_t *at) {
  pm__kept_t *kept = &member->kept[PM__KEPT_USAGE];
  const pm__reading_t *reading = take_reading(m, kept);
  if (reading) {
    *at = reading->at;
    if (reading->r == 0) member->usage = reading->usage;
    return reading->r;
  }
  int r = pm__metrics_read(kept->source, &member->usage);
  *at = pm__metrics_now();
  return r;
}

/* What tells of a process that has gone does so for good: whoever has its pid now has to be
 * opened anew. */
int pm__meter_read_usage(pm__meter_t *m, pm__member_t *member, uint64_t *at) {
  if (member->kept[PM__KEPT_USAGE].source.fd >= 0) {
    int r = read_kept(m, member, at);
    if (r != UV_ESRCH) return r;
    pm__meter_release(m, member);
  }
  return open_and_read(m, member, at);
}

/* ---- a keeper ----------------------------------------------------------------------- */

static int read_runs(pm__meter_t *m, pm__kept_t *kept, uint64_t *runs) {
  const pm__reading_t *reading = take_reading(m, kept);
  if (!reading) return pm__metrics_read_runs(kept->source, runs);
  *runs = reading->value;
  return reading->r;
}

int pm__meter_read_keeper(pm__meter_t *m, pm__member_t *member, const pm__member_t *before) {
  pm__kept_t *kept = &member->kept[PM__KEPT_RUNS];
  uint64_t runs = 0, at;
  if (kept->source.fd < 0 && is_to_keep(m, member, PM__KEPT_RUNS)) {
    pm__metrics_source_t source;
    if (pm__metrics_open_runs(member->pid, &source) == 0) keep(m, member, PM__KEPT_RUNS, source);
  }
  if (kept->source.fd >= 0 && read_runs(m, kept, &runs) != 0) {
    pm__meter_release(m, member);
    runs = 0;
  }
  if (before && runs != 0 && runs == member->runs) {
    member->usage = before->usage;
    return 0;
  }
  member->runs = runs;
  return open_and_read(m, member, &at);
}

/* ---- children ------------------------------------------------------------------------ */

static int read_kept_children(pm__meter_t *m, pm__member_t *member, bool all, int *pids, int max) {
  pm__kept_t *kept = &member->kept[PM__KEPT_CHILDREN];
  const pm__reading_t *reading = pm__readings_take(&m->room->readings, kept);
  if (reading && reading->r == 0 && reading->value == member->children && !all) return 0;
  uint64_t digest;
  int count = pm__children_read(kept->source, pids, max, &digest);
  if (count < 0) return count;
  bool is_same = digest == member->children && !all;
  member->children = digest;
  return is_same ? 0 : count;
}

int pm__meter_read_children(pm__meter_t *m, pm__member_t *member, bool all, int *pids, int max) {
  pm__kept_t *kept = &member->kept[PM__KEPT_CHILDREN];
  bool one_thread = member->usage.threads == 1;
  if (!one_thread) {
    drop(m, member, PM__KEPT_CHILDREN);
    member->children = 0;
  } else if (kept->source.fd < 0 && is_to_keep(m, member, PM__KEPT_CHILDREN)) {
    pm__metrics_source_t source;
    if (pm__children_open(member->pid, &source) == 0) keep(m, member, PM__KEPT_CHILDREN, source);
  }
  if (kept->source.fd < 0) return pm__tree_children(member->pid, one_thread, pids, max);
  return read_kept_children(m, member, all, pids, max);
}
