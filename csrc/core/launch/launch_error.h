/* Why a command could not be started, in words. */
#ifndef PM_CORE_LAUNCH_ERROR_H
#define PM_CORE_LAUNCH_ERROR_H

#include "../internal.h"

/* Fills *error (code: the errno's name; syscall: the step; path: the file or
 * directory it was about) and returns its err. */
int pm__launch_error(pm_error_t *error, const pm__command_t *command, const pm__spawn_spec_t *spec,
                     const pm__spawn_failure_t *why);

#endif /* PM_CORE_LAUNCH_ERROR_H */
