/* The keeper's program, open: see pm_keeper_open. */
#ifndef PM_CORE_KEEPER_H
#define PM_CORE_KEEPER_H

#include "../../pm.h"

/* Another reference; keeper may be NULL. */
pm_keeper_t *pm__keeper_ref(pm_keeper_t *keeper);

/* Tries it once more if something was short. 0, or negative and *error as
 * pm_keeper_open. */
int pm__keeper_ready(pm_keeper_t *keeper, pm_error_t *error);

/* The descriptor of one that is ready, close-on-exec. */
int pm__keeper_descriptor(const pm_keeper_t *keeper);

/* Why a keeper that could be opened is of no use to a manager: the system lets it
 * work, but not the host watch it. */
void pm__keeper_unusable(pm_error_t *error);

#endif /* PM_CORE_KEEPER_H */
