/*
 * What a log ring should hold, worked out the slow and obvious way: byte by
 * byte, each line in memory of its own. The ring and the line splitter are
 * compared with it.
 */
#ifndef PM_TEST_LOG_MODEL_H
#define PM_TEST_LOG_MODEL_H

#include "core/logs/log_query.h"
#include "core/streams/lines.h"

typedef struct model_line {
  char *bytes; /* all of them, however long */
  size_t len;
  uint64_t seq, time, start;
} model_line_t;

typedef struct log_model {
  size_t max_lines;
  size_t max_bytes;
  model_line_t *lines; /* those that are kept, oldest first */
  size_t count;
  model_line_t open;
  model_line_t *handed_out; /* all that were ever finished, as a listener gets them */
  size_t handed_out_count;
  uint64_t total_lines;
  uint64_t total_bytes;

  /* What lines get that end from now on, as in pm__log_ring_t. */
  uint64_t *last_seq;
  uint64_t time, start;
} log_model_t;

void log_model_init(log_model_t *model, size_t max_lines, size_t max_bytes);
void log_model_free(log_model_t *model);
void log_model_feed(log_model_t *model, const char *bytes, size_t len);
void log_model_finish(log_model_t *model);

/* A listener for pm__lines_feed that notes what it gets. */
typedef struct heard {
  model_line_t *lines;
  size_t count;
  size_t calls;
} heard_t;

void heard_lines(void *arg, const pm_str_t *lines, size_t count);
void heard_line(void *arg, pm_str_t line); /* the same for pm__log_ring_tail */
void heard_free(heard_t *heard);

/* NULL, or what is wrong. */
const char *log_ring_unsound(const pm__log_ring_t *ring);
const char *log_ring_differs(const pm__log_ring_t *ring, const log_model_t *model);
const char *heard_differs(const heard_t *heard, const log_model_t *model);

/* Whether the query gives of the rings what a look at every line of their models
 * does. */
const char *log_query_differs(const pm__log_ring_t *rings, const log_model_t *models, const pm_log_query_t *query);

#endif /* PM_TEST_LOG_MODEL_H */
