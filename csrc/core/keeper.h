/* The keeper's program, open: see pm_keeper_open. */
#ifndef PM_CORE_KEEPER_H
#define PM_CORE_KEEPER_H

#include "../pm.h"

/* Another reference; keeper may be NULL. */
pm_keeper_t *pm__keeper_ref(pm_keeper_t *keeper);

/* Its descriptor, close-on-exec. */
int pm__keeper_descriptor(const pm_keeper_t *keeper);

/* Why a keeper that could be opened is of no use to a manager: the system lets it
 * work, but not the host watch it. */
void pm__keeper_unusable(pm_error_t *error);

#endif /* PM_CORE_KEEPER_H */
