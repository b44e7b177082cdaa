/* What is wrong with a config, found before anything is copied. */
#ifndef PM_CORE_CONFIG_CHECK_H
#define PM_CORE_CONFIG_CHECK_H

#include "../pm.h"

/* Checks command, id, args, working_dir, log_file, allowed commands and env, in
 * this order. 0, or UV_EINVAL (malformed), UV_EPERM (not allowed) or UV_ENOMEM, with
 * *error. No message contains the value of a variable: those are secrets. */
int pm__config_check(const pm_config_t *config, const pm_str_t *allowed_commands, size_t allowed_command_count,
                     pm_error_t *error);

/* Whether name can stand before the '=' of an environment variable. */
bool pm__env_name_is_valid(pm_str_t name);

#endif /* PM_CORE_CONFIG_CHECK_H */
