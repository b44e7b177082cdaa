#include <stdbool.h>

#include "../alloc.h"
#include "measure.h"

/* MAX_ENTRIES bounds the descriptors of a sampler for the processes that were asked
 * for, beside the room for what else is kept open. SWEEP is how many entries are checked for
 * dead processes whenever one is added: more than one, so that the dead go faster than
 * they come. */
enum { MAX_ENTRIES = 256, SWEEP = 2 };

typedef struct entry {
  int pid;
  pm__meter_t meter; /* its descriptors are closed when they were needed elsewhere */
  uint64_t used;     /* the sampler's count of looks at the last one */
} entry_t;

/* In no order: looking through all of them costs less than the one read. */
struct pm_sampler {
  uint64_t looks;
  size_t count;
  size_t hand; /* where the sweep goes on */
  pm__meter_room_t room;
  entry_t entries[MAX_ENTRIES];
};

static entry_t *find(pm_sampler_t *s, int pid) {
  for (size_t i = 0; i < s->count; i++)
    if (s->entries[i].pid == pid) return &s->entries[i];
  return NULL;
}

static entry_t *find_oldest(pm_sampler_t *s, bool must_be_open) {
  entry_t *oldest = NULL;

  for (entry_t *e = s->entries; e < s->entries + s->count; e++) {
    if (must_be_open && pm__meter_probe(&e->meter) == UV_EBADF) continue;
    if (!oldest || e->used < oldest->used) oldest = e;
  }
  return oldest;
}

/* Moves the last entry into the gap: other pointers to entries are void. */
static void drop(pm_sampler_t *s, entry_t *e) {
  pm__meter_close(&e->meter);
  *e = s->entries[--s->count];
}

/* Looks for processes that were reaped behind our back; nobody asks for them
 * again, and they would hold descriptors until 256 others have come. */
static void sweep(pm_sampler_t *s) {
  for (int i = 0; i < SWEEP && s->count > 0; i++) {
    entry_t *e;

    if (s->hand >= s->count) s->hand = 0;
    e = &s->entries[s->hand];
    if (pm__meter_probe(&e->meter) == UV_ESRCH)
      drop(s, e);
    else
      s->hand++;
  }
}

static entry_t *admit(pm_sampler_t *s, const entry_t *e) {
  sweep(s);
  if (s->count == MAX_ENTRIES) drop(s, find_oldest(s, false));
  s->entries[s->count] = *e;
  return &s->entries[s->count++];
}

/* When descriptors are short, gives up its own, then those of other entries, oldest first.
 * Their windows stay, so the figures go on when they are opened again. */
static int look(pm_sampler_t *s, entry_t *e, uint64_t last_pid, uint64_t until) {
  entry_t *oldest;
  int r = pm__meter_look(&e->meter, last_pid, until);

  if (r != UV_EMFILE && r != UV_ENFILE) return r;
  pm__metrics_close_starts(&s->room.starts);
  while ((r = pm__meter_look(&e->meter, last_pid, until)) == UV_EMFILE || r == UV_ENFILE) {
    oldest = find_oldest(s, true);
    if (!oldest) break;
    pm__meter_let_go(&oldest->meter);
  }
  return r;
}

static void begin(pm_sampler_t *s, entry_t *e) {
  pm__meter_close(&e->meter);
  pm__meter_init(&e->meter, &s->room, e->pid, 0, 0);
}

/* UV_ESRCH says that the process is gone, but the pid may be somebody else's by now:
 * then what was seen is not about him. */
static int look_again(pm_sampler_t *s, entry_t *e, bool is_known, uint64_t until) {
  uint64_t last_pid = pm__metrics_last_pid(&s->room.starts);
  int r = look(s, e, last_pid, until);

  if (r != UV_ESRCH || !is_known) return r;
  begin(s, e);
  return look(s, e, last_pid, until);
}

pm_sampler_t *pm_sampler_new(void) {
  pm_sampler_t *s = pm__calloc(1, sizeof(*s));

  if (s) s->room.most = pm__metrics_most_open();
  return s;
}

void pm_sampler_free(pm_sampler_t *s) {
  if (!s) return;
  for (size_t i = 0; i < s->count; i++)
    pm__meter_close(&s->entries[i].meter);
  pm__meter_room_free(&s->room);
  pm__free(s);
}

/* *out: the entry, if 0. */
static int read_entry(pm_sampler_t *s, int pid, double ms, entry_t **out) {
  uint64_t until = ms < 1e9 ? uv_hrtime() + (uint64_t)(ms * 1e6) : UINT64_MAX;
  entry_t *known = find(s, pid);
  entry_t fresh = {.pid = pid};
  entry_t *e = known ? known : &fresh;
  int r;

  if (!known) begin(s, e);
  r = look_again(s, e, known != NULL, until);
  if (r < 0 && r != UV_EAGAIN) {
    if (!known)
      pm__meter_close(&fresh.meter);
    else if (r == UV_ESRCH)
      drop(s, known);
    return r;
  }
  e->used = ++s->looks;
  if (!known) e = admit(s, e);
  *out = e;
  return r;
}

int pm_sampler_read(pm_sampler_t *s, int pid, double ms, pm_metrics_t *out) {
  entry_t *e;
  int r = read_entry(s, pid, ms, &e);

  *out = (pm_metrics_t){0};
  if (r == 0) pm__meter_figures(&e->meter, out);
  return r;
}

int pm_sampler_measure(pm_sampler_t *s, int pid, double ms, bool pss, pm_measure_t **out) {
  entry_t *e;
  int r = read_entry(s, pid, ms, &e);

  return r == 0 ? pm__measure_new(&e->meter, pss, out) : r;
}
