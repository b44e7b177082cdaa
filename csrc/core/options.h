/* What options mean beyond their numbers. */
#ifndef PM_CORE_OPTIONS_H
#define PM_CORE_OPTIONS_H

#include "../pm.h"

/* The signal that stopSignal.signal names. */
int pm__stop_signal(const pm_options_t *o);

#endif /* PM_CORE_OPTIONS_H */
