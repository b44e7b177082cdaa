/* The private working directory of a process (option privateWorkingDir): made
 * before its first start, kept over restarts, removed at its end. */
#ifndef PM_CORE_PRIVATE_DIR_H
#define PM_CORE_PRIVATE_DIR_H

#include "../internal.h"

/* Makes p->private_dir if p wants one and has none. */
int pm__private_dir_make(pm__process_t *p, pm_error_t *error);

/* Removes it in the thread pool: it may be large. */
void pm__private_dir_remove_later(pm__process_t *p);

/* Removes it before it returns. */
void pm__private_dir_remove_now(pm__process_t *p);

#endif /* PM_CORE_PRIVATE_DIR_H */
