#include "table.h"

#include <string.h>

#include "alloc.h"

/* FNV-1a. */
static uint32_t hash_of(pm_str_t id) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < id.len; i++)
    h = (h ^ (unsigned char)id.base[i]) * 16777619u;
  return h;
}

pm__process_t *pm__table_find(const pm_manager_t *m, pm_str_t id) {
  if (m->bucket_count == 0) return NULL;
  uint32_t hash = hash_of(id);
  pm__process_t *p = m->buckets[hash & (m->bucket_count - 1)];
  for (; p; p = p->hash_next)
    if (p->hash == hash && p->id.len == id.len && memcmp(p->id.base, id.base, id.len) == 0) return p;
  return NULL;
}

static int grow(pm_manager_t *m) {
  size_t count = m->bucket_count ? m->bucket_count * 2 : 16;
  pm__process_t **buckets = pm__calloc(count, sizeof(pm__process_t *));
  if (!buckets) return UV_ENOMEM;
  for (pm__process_t *p = m->first; p; p = p->next) {
    pm__process_t **slot = &buckets[p->hash & (count - 1)];
    p->hash_next = *slot;
    *slot = p;
  }
  pm__free(m->buckets);
  m->buckets = buckets;
  m->bucket_count = count;
  return 0;
}

int pm__table_add(pm_manager_t *m, pm__process_t *p) {
  if (m->known >= m->bucket_count) {
    int r = grow(m);
    if (r != 0) return r;
  }
  p->hash = hash_of(p->id);
  pm__process_t **slot = &m->buckets[p->hash & (m->bucket_count - 1)];
  p->hash_next = *slot;
  *slot = p;
  p->prev = m->last;
  p->next = NULL;
  *(m->last ? &m->last->next : &m->first) = p;
  m->last = p;
  m->known++;
  p->life = ++m->lives;
  p->known = true;
  return 0;
}

void pm__table_mark_ended(pm_manager_t *m, pm__process_t *p) {
  p->ended_prev = m->ended_last;
  p->ended_next = NULL;
  *(m->ended_last ? &m->ended_last->ended_next : &m->ended_first) = p;
  m->ended_last = p;
  m->ended++;
}

void pm__table_mark_live(pm_manager_t *m, pm__process_t *p) {
  *(p->ended_prev ? &p->ended_prev->ended_next : &m->ended_first) = p->ended_next;
  *(p->ended_next ? &p->ended_next->ended_prev : &m->ended_last) = p->ended_prev;
  p->ended_prev = p->ended_next = NULL;
  m->ended--;
}

void pm__table_remove(pm_manager_t *m, pm__process_t *p) {
  pm__process_t **slot = &m->buckets[p->hash & (m->bucket_count - 1)];
  while (*slot != p)
    slot = &(*slot)->hash_next;
  *slot = p->hash_next;
  if (m->cursor == p) m->cursor = p->next;
  *(p->prev ? &p->prev->next : &m->first) = p->next;
  *(p->next ? &p->next->prev : &m->last) = p->prev;
  m->known--;
  p->known = false;
}
