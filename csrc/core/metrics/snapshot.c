#include "snapshot.h"

#include <limits.h>
#include <string.h>

#include "../alloc.h"

enum { LEAST_ROOM = 16, LEAST_TEXT = 1024 };

typedef struct shot {
  size_t text, len; /* the id, in texts; len 0: removed */
  uint64_t life;
  int pid;
  pm_metrics_t metrics;
} shot_t;

struct pm_snapshot {
  unsigned refs;
  size_t count, room, removed;
  shot_t *at;
  char *texts;
  size_t text_len, text_room;
};

static void free_all(pm_snapshot_t *s) {
  pm__free(s->at);
  pm__free(s->texts);
  pm__free(s);
}

pm_snapshot_t *pm__snapshot_new(size_t hint) {
  pm_snapshot_t *s = pm__calloc(1, sizeof(*s));
  if (!s) return NULL;
  s->refs = 1;
  s->room = hint > LEAST_ROOM ? hint : LEAST_ROOM;
  s->at = pm__malloc(s->room * sizeof(*s->at));
  if (s->at) return s;
  free_all(s);
  return NULL;
}

pm_snapshot_t *pm_snapshot_ref(pm_snapshot_t *s) {
  s->refs++;
  return s;
}

void pm_snapshot_unref(pm_snapshot_t *s) {
  if (s && --s->refs == 0) free_all(s);
}

static bool has_room(pm_snapshot_t *s) {
  if (s->count < s->room) return true;
  if (s->count >= INT_MAX) return false;
  shot_t *at = pm__realloc(s->at, 2 * s->room * sizeof(*at));
  if (!at) return false;
  s->at = at;
  s->room *= 2;
  return true;
}

static bool has_room_for_text(pm_snapshot_t *s, size_t len) {
  size_t room = s->text_room ? s->text_room : LEAST_TEXT;
  while (room < s->text_len + len)
    room *= 2;
  if (room == s->text_room) return true;
  char *texts = pm__realloc(s->texts, room);
  if (!texts) return false;
  s->texts = texts;
  s->text_room = room;
  return true;
}

int pm__snapshot_add(pm_snapshot_t *s, const pm_snapshot_entry_t *entry) {
  if (!has_room(s) || !has_room_for_text(s, entry->id.len)) return UV_ENOMEM;
  memcpy(s->texts + s->text_len, entry->id.base, entry->id.len);
  s->at[s->count] = (shot_t){
      .text = s->text_len,
      .len = entry->id.len,
      .life = entry->life,
      .pid = entry->pid,
      .metrics = entry->metrics,
  };
  s->text_len += entry->id.len;
  return (int)s->count++;
}

void pm__snapshot_remove(pm_snapshot_t *s, int place, uint64_t life) {
  if (place < 0 || (size_t)place >= s->count) return;
  shot_t *shot = &s->at[place];
  if (shot->life != life || shot->len == 0) return;
  shot->len = 0;
  s->removed++;
}

void pm__snapshot_seal(pm_snapshot_t *s) {
  size_t kept = 0;
  if (s->removed == 0) return;
  for (size_t i = 0; i < s->count; i++)
    if (s->at[i].len > 0) s->at[kept++] = s->at[i];
  s->count = kept;
  s->removed = 0;
}

size_t pm_snapshot_count(const pm_snapshot_t *s) {
  return s->count;
}

size_t pm_snapshot_size(const pm_snapshot_t *s) {
  return sizeof(*s) + s->room * sizeof(*s->at) + s->text_room;
}

pm_snapshot_entry_t pm_snapshot_at(const pm_snapshot_t *s, size_t i) {
  const shot_t *shot = &s->at[i];
  return (pm_snapshot_entry_t){
      .id = {s->texts + shot->text, shot->len},
      .life = shot->life,
      .pid = shot->pid,
      .metrics = shot->metrics,
  };
}

/* The ids lie side by side: to look through all of them costs less than to make a table of them. */
bool pm_snapshot_find(const pm_snapshot_t *s, pm_str_t id, pm_snapshot_entry_t *out) {
  for (size_t i = 0; i < s->count; i++) {
    const shot_t *shot = &s->at[i];
    if (shot->len != id.len || memcmp(s->texts + shot->text, id.base, id.len) != 0) continue;
    *out = pm_snapshot_at(s, i);
    return true;
  }
  return false;
}
