/*
 * Splits a stream into lines at "\n", into its log ring and, when somebody
 * listens, into batches of lines.
 */
#ifndef PM_CORE_LINES_H
#define PM_CORE_LINES_H

#include "../logs/log_ring.h"

/* Gets finished lines, without line ends. Bytes are valid during the call. */
typedef void (*pm__lines_cb)(void *arg, const pm_str_t *lines, size_t count);

/* Feeds a chunk into ring. cb may be NULL; otherwise it gets all lines that the
 * chunk finished, in order. Those that the chunk has whole come together, as many as
 * the stack has room for; one that began in an earlier chunk, or was cut in the ring,
 * comes alone, as the ring has it. cb must not feed the same ring. */
void pm__lines_feed(pm__log_ring_t *ring, const char *bytes, size_t len, pm__lines_cb cb, void *arg);

/* Adds whole lines, which come to cb in the same way. */
void pm__lines_add(pm__log_ring_t *ring, const pm_str_t *lines, size_t count, pm__lines_cb cb, void *arg);

/* The stream ended: a last line without a newline counts now. */
void pm__lines_finish(pm__log_ring_t *ring, pm__lines_cb cb, void *arg);

#endif /* PM_CORE_LINES_H */
