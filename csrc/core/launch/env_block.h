/* A child's environment, put together from the host's and the config's. */
#ifndef PM_CORE_ENV_BLOCK_H
#define PM_CORE_ENV_BLOCK_H

#include "command.h"

/* Makes the environment of a config that pm__config_check has passed: the
 * host's variables that are inherited (malformed ones are left out), in their
 * order, and those of config.env over them. Of two with the same name the later
 * one wins, in the place of the first. Takes n log n time for n variables.
 *
 * 0: *out holds a reference. *recent is shared or replaced as
 * pm__command_build says. UV_ENOMEM: nothing has changed. */
int pm__env_block_make(const pm_config_t *config, pm__env_block_t **recent, pm__env_block_t **out);

/* The value of a variable; base is NULL when it is not set. Valid as long as env. */
pm_str_t pm__env_block_get(const pm__env_block_t *env, const char *name);

#endif /* PM_CORE_ENV_BLOCK_H */
