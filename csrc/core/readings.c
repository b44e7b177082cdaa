#include "readings.h"

#include <uv.h>

#include "../platform/children.h"
#include "alloc.h"

enum { LEAST_ROOM = 64 };

void pm__readings_clear(pm__readings_t *r) {
  r->count = 0;
  r->ready = false;
}

static bool make_room(pm__readings_t *r) {
  int room = r->room ? 2 * r->room : LEAST_ROOM;
  if (r->count < r->room) return true;
  pm__reading_t *larger = pm__realloc(r->at, (size_t)room * sizeof(*larger));
  if (!larger) return false;
  r->at = larger;
  r->room = room;
  return true;
}

void pm__readings_add(pm__readings_t *r, pm__kept_t *kept, pm__kept_kind_t kind) {
  kept->place = -1;
  if (kept->source.fd < 0 || !make_room(r)) return;
  r->at[r->count] = (pm__reading_t){.source = kept->source, .kind = kind, .r = UV_EAGAIN};
  kept->place = r->count++;
}

static void read_one(pm__reading_t *one) {
  switch (one->kind) {
  case PM__KEPT_USAGE:
    one->r = pm__metrics_read(one->source, &one->usage);
    one->at = pm__metrics_now();
    break;
  case PM__KEPT_CHILDREN:
    one->r = pm__children_read(one->source, NULL, 0, &one->value);
    break;
  case PM__KEPT_RUNS:
    one->r = pm__metrics_read_runs(one->source, &one->value);
    break;
  case PM__KEPT_COUNT:
    break;
  }
}

void pm__readings_read(pm__readings_t *r) {
  for (int i = 0; i < r->count; i++)
    read_one(&r->at[i]);
}

void pm__readings_begin(pm__readings_t *r) {
  r->under_way = true;
  r->began = pm__metrics_now();
}

void pm__readings_end(pm__readings_t *r, bool ready) {
  r->under_way = false;
  r->ready = ready;
  for (int i = 0; i < r->count; i++) {
    pm__reading_t *one = &r->at[i];
    if (one->released) one->source = pm__metrics_close(one->source);
  }
}

static pm__reading_t *find(const pm__readings_t *r, const pm__kept_t *kept) {
  if (kept->source.fd < 0 || kept->place < 0 || kept->place >= r->count) return NULL;
  pm__reading_t *one = &r->at[kept->place];
  return one->source.fd == kept->source.fd ? one : NULL;
}

const pm__reading_t *pm__readings_of(const pm__readings_t *r, const pm__kept_t *kept) {
  return r->ready ? find(r, kept) : NULL;
}

const pm__reading_t *pm__readings_take(const pm__readings_t *r, pm__kept_t *kept) {
  const pm__reading_t *one = pm__readings_of(r, kept);
  if (r->ready) kept->place = -1;
  return one;
}

void pm__readings_close(pm__readings_t *r, pm__kept_t *kept) {
  pm__reading_t *one = r->under_way ? find(r, kept) : NULL;
  if (one)
    one->released = true;
  else
    pm__metrics_close(kept->source);
  *kept = PM__KEPT_NOTHING;
}

void pm__readings_free(pm__readings_t *r) {
  pm__free(r->at);
  *r = (pm__readings_t){0};
}
