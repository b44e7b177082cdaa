/*
 * What is read of many processes at once through descriptors that are kept open, in a thread
 * of libuv's pool or in the loop's; and those descriptors. A descriptor that is given up while
 * a thread may be reading from it is closed when that is done: before, its number must not
 * become another file's.
 */
#ifndef PM_CORE_READINGS_H
#define PM_CORE_READINGS_H

#include "../platform/metrics.h"

/* What of a process is kept open. */
typedef enum {
  PM__KEPT_USAGE,
  PM__KEPT_CHILDREN, /* of one with one thread */
  PM__KEPT_RUNS,     /* of a keeper, instead of its usage */
  PM__KEPT_COUNT
} pm__kept_kind_t;

typedef struct pm__kept {
  pm__metrics_source_t source; /* invalid when it is not open */
  int place;                   /* where the readings of this round have it; -1: nowhere */
} pm__kept_t;

#define PM__KEPT_NOTHING ((pm__kept_t){.source = PM__METRICS_SOURCE_INVALID, .place = -1})

/* What tells most of them apart stands together, in one line of the cache: another
 * processor has written it. */
typedef struct pm__reading {
  pm__metrics_source_t source;
  pm__kept_kind_t kind;
  bool released;     /* to be closed when all has been read: the loop's thread says so */
  int r;             /* 0 or a negative error; of these and what follows the thread that reads is the master */
  uint64_t at;       /* when: pm__metrics_now */
  uint64_t value;    /* a list's digest, what has run */
  pm__usage_t usage; /* PM__KEPT_USAGE */
} pm__reading_t;

/* All zeros is an empty one. */
typedef struct pm__readings {
  pm__reading_t *at; /* owned */
  int count, room;
  bool under_way; /* a thread may be reading */
  bool ready;     /* all has been read, and is not old yet */
  uint64_t began; /* pm__metrics_now before the first was read */
} pm__readings_t;

/* Begins with none. Not while they are under way. */
void pm__readings_clear(pm__readings_t *r);

/* Wants it to be read. What was wanted in an earlier round is forgotten. Without memory it is not read. */
void pm__readings_add(pm__readings_t *r, pm__kept_t *kept, pm__kept_kind_t kind);

/* Reads all, in any thread. What stands around it is the loop's. */
void pm__readings_read(pm__readings_t *r);

/* The loop's thread has handed them to another; has them again. ready: they have been read. */
void pm__readings_begin(pm__readings_t *r);
void pm__readings_end(pm__readings_t *r, bool ready);

/* What was read; NULL if nothing was. Valid until the next clear. */
const pm__reading_t *pm__readings_of(const pm__readings_t *r, const pm__kept_t *kept);

/* The same, once. */
const pm__reading_t *pm__readings_take(const pm__readings_t *r, pm__kept_t *kept);

/* Closes it, now or when it has been read. */
void pm__readings_close(pm__readings_t *r, pm__kept_t *kept);

void pm__readings_free(pm__readings_t *r);

#endif /* PM_CORE_READINGS_H */
