/* The keeper's program, open: see pm_keeper_open. */
#ifndef PM_CORE_KEEPER_H
#define PM_CORE_KEEPER_H

#include "../pm.h"

/* Another reference; keeper may be NULL. */
pm_keeper_t *pm__keeper_ref(pm_keeper_t *keeper);

/* Its descriptor, close-on-exec. */
int pm__keeper_descriptor(const pm_keeper_t *keeper);

#endif /* PM_CORE_KEEPER_H */
