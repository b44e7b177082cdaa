#include "members.h"

#include <string.h>

#include "../alloc.h"

/* Most trees are a process or two. */
enum { LEAST_ROOM = 4 };

/* Where pid is, or would be put. The slots are never full. */
static int *slot_of(const pm__members_t *list, int pid) {
  unsigned mask = 2 * (unsigned)list->room - 1;
  unsigned i = (unsigned)pid * 2654435769u >> 7 & mask;
  while (list->slots[i] != 0 && list->at[list->slots[i] - 1].pid != pid)
    i = (i + 1) & mask;
  return &list->slots[i];
}

int pm__members_find(const pm__members_t *list, int pid) {
  return list->count > 0 ? *slot_of(list, pid) - 1 : -1;
}

static bool make_room(pm__members_t *list) {
  pm__members_t larger = {.room = list->room ? 2 * list->room : LEAST_ROOM, .count = list->count};
  if (list->count < list->room) return true;
  if (list->count == PM__MOST_MEMBERS) return false;
  size_t size = (size_t)larger.room * sizeof(*larger.at);
  larger.at = pm__malloc(size + 2 * (size_t)larger.room * sizeof(*larger.slots));
  if (!larger.at) return false;
  larger.slots = (int *)((char *)larger.at + size);
  memset(larger.slots, 0, 2 * (size_t)larger.room * sizeof(*larger.slots));
  if (list->count > 0) memcpy(larger.at, list->at, (size_t)list->count * sizeof(*list->at));
  for (int i = 0; i < larger.count; i++)
    *slot_of(&larger, larger.at[i].pid) = i + 1;
  pm__free(list->at);
  *list = larger;
  return true;
}

int pm__members_add(pm__members_t *list, int pid) {
  if (pm__members_find(list, pid) >= 0 || !make_room(list)) return -1;
  int *slot = slot_of(list, pid);
  pm__member_t *member = &list->at[list->count];
  *member = (pm__member_t){.pid = pid, .before = -1};
  for (int i = 0; i < PM__KEPT_COUNT; i++)
    member->kept[i] = PM__METRICS_SOURCE_INVALID;
  *slot = ++list->count;
  return list->count - 1;
}

void pm__members_clear(pm__members_t *list) {
  if (list->count > 0) memset(list->slots, 0, 2 * (size_t)list->room * sizeof(*list->slots));
  list->count = 0;
}

void pm__members_free(pm__members_t *list) {
  pm__free(list->at);
  *list = (pm__members_t){0};
}
