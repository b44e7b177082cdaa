/*
 * The processes of a tree, in the order in which they are looked at; found by
 * pid in constant time.
 */
#ifndef PM_CORE_MEMBERS_H
#define PM_CORE_MEMBERS_H

#include "../../platform/metrics.h"

/* More of one tree are not looked at. */
enum { PM__MOST_MEMBERS = 4096 };

/* What of a process is kept open. */
typedef enum {
  PM__KEPT_USAGE,
  PM__KEPT_MEMORY,
  PM__KEPT_RUNS,     /* of one with one thread: whether what it has used is to be read */
  PM__KEPT_CHILDREN, /* of one with one thread */
  PM__KEPT_COUNT
} pm__kept_kind_t;

typedef struct pm__member {
  int pid;
  int before;   /* its place in the list of the look before; -1: it was not in it */
  bool outside; /* a keeper: of its figures, only what it has waited for is the tree's */
  bool gone;    /* nothing of it is known any more */
  pm__usage_t usage;
  uint64_t children; /* what its list of them was told apart by; 0: it was not kept open */
  uint64_t runs;     /* what was read before its usage; 0: nothing */
  pm__metrics_source_t kept[PM__KEPT_COUNT];
} pm__member_t;

/* All zeros is an empty one. */
typedef struct pm__members {
  pm__member_t *at; /* owned, as are the slots behind them */
  int *slots;       /* twice as many as there is room for: a place + 1, or 0 */
  int count, room;  /* room is a power of two */
} pm__members_t;

/* The place of pid, or -1. */
int pm__members_find(const pm__members_t *list, int pid);

/* Puts pid at the end, unless it is there already, there are PM__MOST_MEMBERS of
 * them, or there is no memory. Returns its place or -1. Moves the members. */
int pm__members_add(pm__members_t *list, int pid);

/* Takes all out; the room stays. Closes nothing. */
void pm__members_clear(pm__members_t *list);

void pm__members_free(pm__members_t *list);

#endif /* PM_CORE_MEMBERS_H */
