#include <stdbool.h>

#include "../platform/metrics.h"
#include "../pm.h"
#include "alloc.h"
#include "cpu_window.h"

/* MAX_ENTRIES bounds the descriptors of a sampler. SWEEP is how many entries
 * are checked for dead processes whenever one is added: more than one, so that
 * the dead go faster than they come. */
enum { MAX_ENTRIES = 256, SWEEP = 2 };

#define BYTES_PER_MB 1048576.0

typedef struct entry {
  int pid;
  bool seen;                   /* start_time and window hold something */
  pm__metrics_source_t source; /* invalid when its descriptor was needed elsewhere */
  uint64_t start_time;
  pm__cpu_window_t window;
  uint64_t used; /* the sampler's count of looks at the last one */
} entry_t;

/* In no order: looking through all of them costs less than the one read. */
struct pm_sampler {
  uint64_t looks;
  size_t count;
  size_t hand; /* where the sweep goes on */
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
    if (must_be_open && e->source.fd < 0) continue;
    if (!oldest || e->used < oldest->used) oldest = e;
  }
  return oldest;
}

/* Moves the last entry into the gap: other pointers to entries are void. */
static void drop(pm_sampler_t *s, entry_t *e) {
  pm__metrics_close(e->source);
  *e = s->entries[--s->count];
}

/* Looks for processes that were reaped behind our back; nobody asks for them
 * again, and they would hold descriptors until 256 others have come. */
static void sweep(pm_sampler_t *s) {
  pm__usage_t usage;

  for (int i = 0; i < SWEEP && s->count > 0; i++) {
    entry_t *e;

    if (s->hand >= s->count) s->hand = 0;
    e = &s->entries[s->hand];
    if (e->source.fd >= 0 && pm__metrics_read(e->source, &usage) == UV_ESRCH)
      drop(s, e);
    else
      s->hand++;
  }
}

static void admit(pm_sampler_t *s, const entry_t *e) {
  sweep(s);
  if (s->count == MAX_ENTRIES) drop(s, find_oldest(s, false));
  s->entries[s->count++] = *e;
}

/* When descriptors are short, gives up the sampler's own ones, oldest first.
 * Their windows stay, so the figures go on when they are opened again. */
static int open_source(pm_sampler_t *s, int pid, pm__metrics_source_t *out) {
  entry_t *oldest;
  int r;

  while ((r = pm__metrics_open(pid, out)) == UV_EMFILE || r == UV_ENFILE) {
    oldest = find_oldest(s, true);
    if (!oldest) break;
    oldest->source = pm__metrics_close(oldest->source);
  }
  return r;
}

/* UV_ESRCH from a source that was open says that its process is gone, but the
 * pid may be somebody else's by now: then what was seen is not about him. */
static int read_usage(pm_sampler_t *s, entry_t *e, pm__usage_t *usage) {
  int r;

  if (e->source.fd >= 0) {
    r = pm__metrics_read(e->source, usage);
    if (r != UV_ESRCH) return r;
    e->source = pm__metrics_close(e->source);
    e->seen = false;
  }
  r = open_source(s, e->pid, &e->source);
  return r < 0 ? r : pm__metrics_read(e->source, usage);
}

static double add_sample(entry_t *e, const pm__usage_t *usage) {
  if (!e->seen || e->start_time != usage->start_time) {
    pm__cpu_window_start(&e->window, 0, usage->start_time);
    e->start_time = usage->start_time;
    e->seen = true;
  }
  return pm__cpu_window_add(&e->window, usage->cpu_time, pm__metrics_now());
}

pm_sampler_t *pm_sampler_new(void) {
  return pm__calloc(1, sizeof(pm_sampler_t));
}

void pm_sampler_free(pm_sampler_t *s) {
  if (!s) return;
  for (size_t i = 0; i < s->count; i++)
    pm__metrics_close(s->entries[i].source);
  pm__free(s);
}

int pm_sampler_read(pm_sampler_t *s, int pid, double *cpu, double *memory) {
  entry_t *known = find(s, pid);
  entry_t fresh = {.pid = pid, .source = PM__METRICS_SOURCE_INVALID};
  entry_t *e = known ? known : &fresh;
  pm__usage_t usage;
  int r;

  *cpu = *memory = 0;
  r = read_usage(s, e, &usage);
  if (r < 0) {
    if (!known)
      pm__metrics_close(fresh.source);
    else if (r == UV_ESRCH)
      drop(s, known);
    return r;
  }
  e->used = ++s->looks;
  *cpu = add_sample(e, &usage);
  *memory = (double)usage.memory / BYTES_PER_MB;
  if (!known) admit(s, e);
  return 0;
}
