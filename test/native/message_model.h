/*
 * What a stream of messages comes to, worked out the slow and obvious way: on the
 * whole of it, line by line. The framer is compared with it.
 */
#ifndef PM_TEST_MESSAGE_MODEL_H
#define PM_TEST_MESSAGE_MODEL_H

#include "core/streams/messages.h"

typedef enum { HEARD_MESSAGE, HEARD_STRAY, HEARD_LOST } heard_kind_t;

typedef struct heard_item {
  heard_kind_t kind;
  char *bytes; /* of a message or a stray */
  uint64_t len;
} heard_item_t;

/* What was told, in order. */
typedef struct heard_items {
  heard_item_t *items;
  size_t count;
  size_t calls;
  size_t over_after; /* nobody is to be called after so many calls; 0: no bound */
} heard_items_t;

void heard_items_free(heard_items_t *heard);

/* NULL, or what differs. */
const char *heard_items_differ(const heard_items_t *a, const heard_items_t *b);

/* Listeners that note what they get; a batch is one call. */
pm__framer_out_t heard_items_out(heard_items_t *heard, size_t max);

/* What all of bytes comes to; finished: the stream ends behind them. */
void message_model(heard_items_t *heard, const char *bytes, size_t len, size_t max, bool finished);

#endif /* PM_TEST_MESSAGE_MODEL_H */
