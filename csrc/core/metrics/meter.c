#include "meter.h"

#include <uv.h>

#include "meter_reading.h"

/* Start times are cut to whole ticks. */
static const uint64_t tick = UINT64_C(10000000);

/* So many are looked at by each call, so that trees of the usual size need one only,
 * even if the processor was taken away meanwhile. */
enum { LEAST = 8 };

/* What is read of so many takes some tens of microseconds. */
enum { MOST_AT_A_GLANCE = 16 };

/* The longest that a list of children is believed, if nothing seems to have been
 * started since: what tells of it may be made up (lxcfs, sandboxes). */
static const uint64_t list_lasts = UINT64_C(10000000000);

/* The longest that the memory of those at rest is believed: not as long as the usual time between samples. */
static const uint64_t memory_lasts = UINT64_C(4000000000);

void pm__meter_init(pm__meter_t *m, pm__meter_room_t *room, int command, int keeper, int inner_keeper) {
  *m = (pm__meter_t){.room = room, .command = command, .keeper = keeper, .inner_keeper = inner_keeper};
}

/* ---- a look ------------------------------------------------------------------------- */

static void begin(pm__meter_t *m, bool listing) {
  pm__members_clear(&m->next);
  m->looking = true;
  m->all = m->lost_one;
  m->losing = m->unasked = false;
  m->listing = listing;
  m->at = 0;
  m->rest = -1;
  if (listing) {
    if (m->keeper) pm__members_add(&m->next, m->keeper);
    pm__members_add(&m->next, m->command);
    return;
  }
  for (int i = 0; i < m->members.count; i++)
    pm__members_add(&m->next, m->members.at[i].pid);
}

static bool is_to_list(const pm__meter_t *m, uint64_t last_pid, uint64_t now) {
  bool is_same = m->complete && last_pid != 0 && last_pid == m->listed_pid;
  return !is_same || m->lost_one || now - m->listed_at >= list_lasts;
}

static void begin_look(pm__meter_t *m, uint64_t last_pid) {
  m->began = pm__metrics_now();
  m->last_pid = last_pid;
  m->reads_memory = m->began - m->memory_at >= memory_lasts;
  begin(m, is_to_list(m, last_pid, m->began));
}

/* Gives back what the look under way has taken over. */
static void give_up(pm__meter_t *m) {
  for (int i = 0; i < m->next.count; i++) {
    pm__member_t *member = &m->next.at[i];
    if (member->before >= 0) {
      pm__member_t *before = &m->members.at[member->before];
      pm__meter_hand_over(m, member, before);
      before->runs = before->children = 0; /* belong to what is forgotten now */
    }
    pm__meter_release(m, member);
  }
  pm__members_clear(&m->next);
  m->looking = false;
}

/* Those that were members and were not found again. They have ended, or lost their
 * parent while the lists were read. */
static void add_rest(pm__meter_t *m) {
  m->rest = m->next.count;
  for (int i = 0; i < m->members.count; i++)
    pm__members_add(&m->next, m->members.at[i].pid);
}

static bool is_rest(const pm__meter_t *m, int place) {
  return !m->listing || (m->rest >= 0 && place >= m->rest);
}

/* Whether who has been found is meant. Between the list and the look its pid may have
 * become another's: of those only, the parent is no member. */
static bool is_member(const pm__meter_t *m, int place, const pm__member_t *before) {
  const pm__member_t *member = &m->next.at[place];
  if (before && before->usage.start_time == member->usage.start_time) return true;
  if (before && (member->pid == m->command || is_rest(m, place))) return false;
  return member->pid == m->command || member->pid == m->keeper || pm__members_find(&m->next, member->usage.ppid) >= 0;
}

static int read_member(pm__meter_t *m, pm__member_t *member, const pm__member_t *before) {
  uint64_t at = 0;
  /* A keeper has waited for nobody: that would be missed below. */
  if (member->outside && before && !m->listing) {
    member->usage = before->usage;
    return 0;
  }
  int r = pm__meter_read_usage(m, member, before ? &before->usage : NULL, &at);
  if (member->pid == m->command) m->read_at = at;
  return r;
}

static int look_at(pm__meter_t *m, int place) {
  pm__member_t *member = &m->next.at[place];
  int found = pm__members_find(&m->members, member->pid);
  pm__member_t *before = found >= 0 ? &m->members.at[found] : NULL;
  member->outside = member->pid == m->keeper || member->pid == m->inner_keeper;
  if (before) {
    member->before = found;
    pm__meter_hand_over(m, before, member);
  }
  int r = read_member(m, member, before);
  if (r == 0 && !is_member(m, place, before)) {
    m->losing = true;
    r = UV_ESRCH;
  } else if (r == 0) {
    if (before && before->usage.start_time != member->usage.start_time) member->before = -1;
    return 0;
  }
  /* It could not be read; that does not mean that it has gone. */
  if (r != UV_ESRCH && before && member->pid != m->command) {
    member->usage = before->usage;
    return 0;
  }
  if (r != UV_ESRCH) m->losing = true;
  member->gone = true;
  pm__meter_release(m, member);
  return r;
}

static void add_children(pm__meter_t *m, int place) {
  int pids[PM__MOST_MEMBERS];
  pm__member_t *member = &m->next.at[place];
  if (!member->usage.lives) return;
  int count = pm__meter_read_children(m, member, m->all, pids, PM__MOST_MEMBERS);
  for (int i = 0; i < count; i++)
    if (pm__members_add(&m->next, pids[i]) < 0 && pm__members_find(&m->next, pids[i]) < 0) m->losing = true;
}

/* ---- what came of it ------------------------------------------------------------------ */

/* Of one of the two times. */
typedef struct gain {
  uint64_t used;           /* by those who are there */
  uint64_t waited, before; /* for those who have gone; what of that had been seen */
} gain_t;

static uint64_t growth(uint64_t now, uint64_t before) {
  return now > before ? now - before : 0;
}

static void gain_of(gain_t *g, const pm__member_t *member, uint64_t own, uint64_t waited) {
  if (!member->outside) g->used += own;
  g->waited += waited;
}

static uint64_t settle(gain_t *g, uint64_t *ahead) {
  uint64_t before = g->before + *ahead;
  /* What has been seen, but not waited for, is waited for between this look and the
   * next, since the parent was looked at first; or never. */
  *ahead = growth(g->before, g->waited);
  return g->used + growth(g->waited, before);
}

/* One that was there at the last look and is new all the same was overlooked: what it
 * used until now belongs to other windows. */
static bool is_born_since(const pm__meter_t *m, const pm__member_t *member) {
  return !m->complete || member->usage.start_time + tick >= m->looked_at;
}

static void add_cpu(pm__meter_t *m) {
  gain_t user = {0}, system = {0};
  for (int i = 0; i < m->next.count; i++) {
    const pm__member_t *member = &m->next.at[i];
    pm__usage_t none = {0};
    const pm__usage_t *now = &member->usage, *before = &none;
    if (member->gone) continue;
    if (member->before >= 0)
      before = &m->members.at[member->before].usage;
    else if (!is_born_since(m, member))
      continue;
    gain_of(&user, member, growth(now->own.user, before->own.user), growth(now->waited.user, before->waited.user));
    gain_of(&system, member, growth(now->own.system, before->own.system),
            growth(now->waited.system, before->waited.system));
    if (member->before >= 0) m->members.at[member->before].gone = false;
  }
  for (int i = 0; i < m->members.count; i++) {
    const pm__member_t *member = &m->members.at[i];
    if (!member->gone || member->outside) continue;
    user.before += member->usage.own.user + member->usage.waited.user;
    system.before += member->usage.own.system + member->usage.waited.system;
  }
  m->used.user += settle(&user, &m->ahead.user);
  m->used.system += settle(&system, &m->ahead.system);
}

static void add_up(pm__meter_t *m, const pm__members_t *members) {
  m->memory = m->own_memory = m->threads = m->processes = 0;
  for (int i = 0; i < members->count; i++) {
    const pm__member_t *member = &members->at[i];
    if (member->gone || member->outside || !member->usage.lives) continue;
    if (member->pid == m->command) m->own_memory = member->usage.memory;
    m->memory += member->usage.memory;
    m->threads += member->usage.threads;
    m->processes++;
  }
  if (m->memory > m->peak) m->peak = m->memory;
}

static uint64_t total(pm__cpu_time_t time) {
  return time.user + time.system;
}

static void add_to_windows(pm__meter_t *m, uint64_t at) {
  pm__cpu_window_add(&m->cpu, total(m->used), at);
  pm__cpu_window_add(&m->own_cpu, total(m->own_used), at);
}

static void complete(pm__meter_t *m, const pm__usage_t *command) {
  for (int i = 0; i < m->members.count; i++)
    m->members.at[i].gone = true; /* until it is found in the new list */
  add_cpu(m);
  add_up(m, &m->next);
  m->own_used = command->own;
  if (!m->complete) {
    pm__cpu_window_start(&m->cpu, 0, command->start_time);
    pm__cpu_window_start(&m->own_cpu, 0, command->start_time);
  }
  add_to_windows(m, m->read_at);
  if (m->listing) {
    m->listed_at = m->began;
    m->listed_pid = m->last_pid;
  }
  m->looked_at = m->began;
  if (m->reads_memory) m->memory_at = m->began;
  m->lost_one = m->losing;
  m->complete = true;
  m->looking = false;
}

/* The next look begins from here. Places in the old list mean nothing any more. */
static void keep(pm__meter_t *m) {
  pm__members_t old = m->members;
  /* Of one for which there was no room any more nobody has taken it over. */
  for (int i = 0; i < old.count; i++)
    pm__meter_release(m, &old.at[i]);
  m->members = m->next;
  m->next = old;
  pm__members_clear(&m->next);
  int kept = 0;
  for (int i = 0; i < m->members.count; i++)
    if (!m->members.at[i].gone) kept++;
  if (kept == m->members.count) return;
  for (int i = 0; i < m->members.count; i++) {
    if (m->members.at[i].gone) continue;
    int place = pm__members_add(&m->next, m->members.at[i].pid);
    if (place >= 0)
      m->next.at[place] = m->members.at[i];
    else
      pm__meter_release(m, &m->members.at[i]);
  }
  old = m->members;
  m->members = m->next;
  m->next = old;
  pm__members_clear(&m->next);
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* Somebody has gone: then the keeper may have waited for more, and for who lost a parent. Or
 * a pid was given anew, so that lists that seem to be the same are not. */
static bool is_to_begin_again(const pm__meter_t *m, int r) {
  return !m->listing || (r == UV_ESRCH && m->losing && !m->all);
}

int pm__meter_look(pm__meter_t *m, uint64_t last_pid, uint64_t until) {
  int done = 0;
  if (!m->looking) begin_look(m, last_pid);
  for (;;) {
    if (m->at == m->next.count && m->listing && m->rest < 0) add_rest(m);
    if (m->at == m->next.count) break;
    int r = look_at(m, m->at);
    if (r != 0 && m->next.at[m->at].pid == m->command) {
      give_up(m);
      return r;
    }
    if (r != 0 && is_to_begin_again(m, r)) {
      bool all = m->losing;
      give_up(m);
      m->lost_one = m->lost_one || all;
      begin(m, true);
      continue;
    }
    if (r == 0 && m->listing) add_children(m, m->at);
    m->at++;
    if (++done >= LEAST && m->at < m->next.count && uv_hrtime() >= until) return UV_EAGAIN;
  }
  int place = pm__members_find(&m->next, m->command);
  if (place < 0) {
    give_up(m);
    return UV_ENOMEM;
  }
  complete(m, &m->next.at[place].usage);
  keep(m);
  return 0;
}

/* ---- a glance ----------------------------------------------------------------------------- */

static bool are_at_rest(const pm__meter_t *m) {
  for (int i = 0; i < m->members.count; i++) {
    const pm__member_t *member = &m->members.at[i];
    if (!member->outside && !pm__meter_is_at_rest(member)) return false;
  }
  return true;
}

static bool read_memory(pm__meter_t *m) {
  for (int i = 0; i < m->members.count; i++) {
    pm__member_t *member = &m->members.at[i];
    if (!member->outside && pm__meter_read_memory(member, &member->usage.memory) != 0) return false;
  }
  return true;
}

/* A look is due in any case: to find who may have been started, or was missed, and to settle what those have used
 * that have gone. */
static bool is_look_due(const pm__meter_t *m) {
  return !m->complete || m->looking || m->lost_one || m->unasked || total(m->ahead) > 0;
}

bool pm__meter_glance(pm__meter_t *m) {
  uint64_t now = pm__metrics_now();
  if (is_look_due(m) || m->members.count > MOST_AT_A_GLANCE) return false;
  if (now - m->listed_at >= list_lasts || !are_at_rest(m)) return false;
  if (now - m->memory_at >= memory_lasts) {
    if (!read_memory(m)) return false;
    add_up(m, &m->members);
    m->memory_at = now;
  }
  m->looked_at = now;
  add_to_windows(m, now);
  return true;
}

/* Better what has been seen so far of a large tree than nothing. */
static uint64_t partial_memory(const pm__meter_t *m) {
  uint64_t memory = 0;
  for (int i = 0; m->looking && i < m->at; i++)
    if (!m->next.at[i].gone && !m->next.at[i].outside) memory += m->next.at[i].usage.memory;
  return memory;
}

void pm__meter_figures(const pm__meter_t *m, pm_metrics_t *out) {
  static const double megabyte = 1024 * 1024;
  *out = (pm_metrics_t){
      .cpu = m->cpu.percent,
      .memory = (double)(m->complete ? m->memory : partial_memory(m)) / megabyte,
      .own_cpu = m->own_cpu.percent,
      .own_memory = (double)m->own_memory / megabyte,
      .peak = (double)m->peak / megabyte,
      .user = m->used.user / 1000,
      .system = m->used.system / 1000,
      .processes = m->processes,
      .threads = m->threads,
  };
}

int pm__meter_probe(const pm__meter_t *m) {
  pm__usage_t usage;
  int place = pm__members_find(&m->members, m->command);
  return place < 0 ? UV_EBADF : pm__metrics_read(m->members.at[place].kept[PM__KEPT_USAGE], &usage);
}

void pm__meter_let_go(pm__meter_t *m) {
  give_up(m);
  for (int i = 0; i < m->members.count; i++)
    pm__meter_release(m, &m->members.at[i]);
}

void pm__meter_close(pm__meter_t *m) {
  pm__meter_let_go(m);
  pm__members_free(&m->members);
  pm__members_free(&m->next);
}

void pm__meter_room_free(pm__meter_room_t *room) {
  pm__metrics_close_starts(&room->starts);
}
