/*
 * Newline-delimited messages, as the MCP specification has them on stdio: one
 * JSON object (or array) a line. A message that one read brought whole is handed
 * out where it lies; one that comes in pieces is put together in a buffer that
 * grows to twice its size, and each byte is looked at once.
 */
#ifndef PM_CORE_MESSAGES_H
#define PM_CORE_MESSAGES_H

#include "../../pm.h"

typedef struct pm__framer {
  char *partial; /* the beginning of a message; NULL until one comes in pieces */
  size_t len, capacity;
  uint64_t lost; /* bytes so far of a message that is too long, of which no more is kept; 0: none */
  bool lost_ends_in_cr;
} pm__framer_t;

/* Where lines go to, in batches; what lies in one chunk lies together. They are valid
 * during the call. Any may be NULL. */
typedef struct pm__framer_out {
  size_t max; /* bytes of the longest message */
  void (*messages)(void *arg, const pm_str_t *messages, size_t count);
  void (*strays)(void *arg, const pm_str_t *lines, size_t count);
  void (*lost)(void *arg, uint64_t bytes); /* one of so many bytes: too long, or memory was too short for it */
  bool (*is_over)(void *arg);              /* nobody is to be called any more */
  void *arg;
} pm__framer_out_t;

/* A chunk of the stream. Empty lines are none. */
void pm__framer_feed(pm__framer_t *f, const char *bytes, size_t len, const pm__framer_out_t *out);

/* The stream has ended: what was begun counts. */
void pm__framer_finish(pm__framer_t *f, const pm__framer_out_t *out);

void pm__framer_free(pm__framer_t *f);

#endif /* PM_CORE_MESSAGES_H */
