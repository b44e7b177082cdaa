/* The options "limits.…": what is set for a command, and which limit ended it. */
#ifndef PM_CORE_RLIMITS_H
#define PM_CORE_RLIMITS_H

#include "../../platform/rlimits.h"
#include "../../platform/spawn.h"
#include "../../pm.h"

/* Fills *out from the options. */
void pm__limits_read(const pm_options_t *options, pm__limits_t *out);

/* The option whose limit ended a command, as far as its end tells; -1 if none did. */
int pm__limits_reached(const pm_options_t *options, const pm__exit_t *end, const pm_usage_t *usage);

/* What the command has used of that, in the option's unit; NAN when nobody knows. */
double pm__limits_seen(int option, const pm_usage_t *usage);

#endif /* PM_CORE_RLIMITS_H */
