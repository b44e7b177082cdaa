/* The manager's records: by id, in the order of spawning, in the order of ending. */
#ifndef PM_CORE_TABLE_H
#define PM_CORE_TABLE_H

#include "internal.h"

/* NULL if unknown. */
pm__process_t *pm__table_find(const pm_manager_t *m, pm_str_t id);

/* Adds p, whose id must be unknown, at the end of the order. UV_ENOMEM. */
int pm__table_add(pm_manager_t *m, pm__process_t *p);

/* Takes p out of all three; it must be in the table. */
void pm__table_remove(pm_manager_t *m, pm__process_t *p);

/* p has ended, lives again. */
void pm__table_mark_ended(pm_manager_t *m, pm__process_t *p);
void pm__table_mark_live(pm_manager_t *m, pm__process_t *p);

#endif /* PM_CORE_TABLE_H */
