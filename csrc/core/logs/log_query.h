/* Looking for lines in the logs of a process. */
#ifndef PM_CORE_LOG_QUERY_H
#define PM_CORE_LOG_QUERY_H

#include "log_ring.h"

/* As pm_process_log_query. Lines of rings that share their count come in its order.
 * 0, or UV_ENOMEM. */
int pm__log_query(const pm__log_ring_t rings[PM_STREAM_COUNT], const pm_log_query_t *query,
                  void (*each)(void *arg, const pm_log_line_t *line), void *arg);

#endif /* PM_CORE_LOG_QUERY_H */
