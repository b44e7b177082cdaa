#include "meter_reading.h"

#include <stdatomic.h>
#include <uv.h>

#include "../../platform/children.h"
#include "../../platform/tree.h"

/* ---- descriptors ------------------------------------------------------------------ */

/* Of all rooms, in all threads: who makes many samplers is not to be left without
 * descriptors for himself. */
static atomic_uint open_in_all;

/* What each meter may have: so much of one command is always kept open. */
static bool is_free(const pm__meter_t *m, const pm__member_t *member, pm__kept_kind_t kind) {
  return member->pid == m->command && kind == PM__KEPT_USAGE;
}

/* A large tree leaves a quarter of the room to the others, and takes more than its share only when it has been
 * looked at before: most are not looked at again by who asks for any process. */
static bool is_to_keep(const pm__meter_t *m, const pm__member_t *member, pm__kept_kind_t kind) {
  const pm__meter_room_t *room = m->room;
  if (is_free(m, member, kind)) return true;
  if (room->open >= room->most || atomic_load(&open_in_all) >= pm__metrics_most_open()) return false;
  return m->open < PM__METER_OPEN || (m->complete && room->open < room->most / 4 * 3);
}

static bool count_open(pm__meter_t *m, const pm__member_t *member, pm__kept_kind_t kind) {
  if (!is_free(m, member, kind)) {
    m->open++;
    m->room->open++;
    atomic_fetch_add(&open_in_all, 1);
  }
  return true;
}

/* Opened by pid: who reads usage afterwards through what has been open longer, and finds it
 * alive, knows that it is the same process. */
static bool is_open(pm__meter_t *m, pm__member_t *member, pm__kept_kind_t kind,
                    int (*open)(int pid, pm__metrics_source_t *out)) {
  if (member->kept[kind].fd >= 0) return true;
  return is_to_keep(m, member, kind) && open(member->pid, &member->kept[kind]) == 0 && count_open(m, member, kind);
}

static void drop(pm__meter_t *m, pm__member_t *member, pm__kept_kind_t kind) {
  if (member->kept[kind].fd < 0) return;
  if (!is_free(m, member, kind)) {
    m->open--;
    m->room->open--;
    atomic_fetch_sub(&open_in_all, 1);
  }
  member->kept[kind] = pm__metrics_close(member->kept[kind]);
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
    from->kept[i] = PM__METRICS_SOURCE_INVALID;
  }
  to->children = from->children;
  to->runs = from->runs;
}

/* ---- usage -------------------------------------------------------------------------- */

/* Its parent was a member and has gone: then it has another one. (Parents are looked at first.) */
static bool has_lost_parent(const pm__meter_t *m, const pm__usage_t *before) {
  if (pm__members_find(&m->members, before->ppid) < 0) return false;
  int place = pm__members_find(&m->next, before->ppid);
  return place < 0 || m->next.at[place].gone;
}

/* Whether it has not been on a processor since its usage was read: then that is as it was, but
 * for memory and parent, which others can take from it. What else runs of it would have been started by
 * its only thread. One that was running then need not have been given a processor again. */
static bool has_rested(pm__meter_t *m, pm__member_t *member, const pm__usage_t *before) {
  uint64_t runs = 0, last = member->runs;
  if (before->threads != 1) {
    drop(m, member, PM__KEPT_RUNS);
  } else if (is_open(m, member, PM__KEPT_RUNS, pm__metrics_open_runs)) {
    int r = pm__metrics_read_runs(member->kept[PM__KEPT_RUNS], &runs);
    if (r != 0) runs = 0;
    if (r == UV_ESRCH) drop(m, member, PM__KEPT_RUNS);
  }
  member->runs = runs;
  return runs != 0 && runs == last && !before->running;
}

/* Nothing is noted: whoever is not at rest is looked at after this. */
bool pm__meter_is_at_rest(const pm__member_t *member) {
  uint64_t runs = 0;
  const pm__usage_t *usage = &member->usage;
  if (!usage->lives || usage->running || usage->threads != 1 || member->runs == 0) return false;
  if (member->kept[PM__KEPT_RUNS].fd < 0) return false;
  return pm__metrics_read_runs(member->kept[PM__KEPT_RUNS], &runs) == 0 && runs == member->runs;
}

int pm__meter_read_memory(const pm__member_t *member, uint64_t *out) {
  return member->kept[PM__KEPT_MEMORY].fd >= 0 ? pm__metrics_read_memory(member->kept[PM__KEPT_MEMORY], out) : UV_EBADF;
}

static int open_and_read(pm__meter_t *m, pm__member_t *member) {
  pm__metrics_source_t source;
  int r = pm__metrics_open(member->pid, &source);
  if (r == 0) r = pm__metrics_read(source, &member->usage);
  if (r == 0 && !member->outside && is_to_keep(m, member, PM__KEPT_USAGE)) {
    member->kept[PM__KEPT_USAGE] = source;
    count_open(m, member, PM__KEPT_USAGE);
  } else {
    pm__metrics_close(source);
  }
  return r;
}

/* What tells of a process that has gone does so for good: whoever has its pid now has to be
 * opened anew. */
static int read_usage(pm__meter_t *m, pm__member_t *member) {
  if (member->kept[PM__KEPT_USAGE].fd >= 0) {
    int r = pm__metrics_read(member->kept[PM__KEPT_USAGE], &member->usage);
    if (r != UV_ESRCH) return r;
    pm__meter_release(m, member);
  }
  return open_and_read(m, member);
}

int pm__meter_read_usage(pm__meter_t *m, pm__member_t *member, const pm__usage_t *before, uint64_t *at) {
  bool rested = before && has_rested(m, member, before) && !has_lost_parent(m, before);
  *at = pm__metrics_now();
  if (rested) {
    member->usage = *before;
    if (member->outside || !m->reads_memory) return 0;
    if (pm__meter_read_memory(member, &member->usage.memory) == 0) return 0;
  }
  if (!rested && !member->outside && !m->listing) m->unasked = true;
  if (!member->outside) is_open(m, member, PM__KEPT_MEMORY, pm__metrics_open_memory);
  int r = read_usage(m, member);
  /* They may be short because of what is open beside it. */
  if (r == UV_EMFILE || r == UV_ENFILE) {
    pm__meter_release(m, member);
    r = read_usage(m, member);
  }
  *at = pm__metrics_now();
  if (r == 0 && member->usage.lives && pm__meter_read_memory(member, &member->usage.memory) == UV_ESRCH)
    drop(m, member, PM__KEPT_MEMORY);
  if (r != 0) member->runs = 0;
  return r;
}

/* ---- children ------------------------------------------------------------------------ */

int pm__meter_read_children(pm__meter_t *m, pm__member_t *member, bool all, int *pids, int max) {
  bool one_thread = member->usage.threads == 1;
  if (!one_thread || !is_open(m, member, PM__KEPT_CHILDREN, pm__children_open)) {
    drop(m, member, PM__KEPT_CHILDREN);
    member->children = 0;
    return pm__tree_children(member->pid, one_thread, pids, max);
  }
  uint64_t digest;
  int count = pm__children_read(member->kept[PM__KEPT_CHILDREN], pids, max, &digest);
  if (count < 0) return count;
  bool is_same = digest == member->children && !all;
  member->children = digest;
  return is_same ? 0 : count;
}
