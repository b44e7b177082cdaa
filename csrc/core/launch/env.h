/* Environment variables: which of the host's are inherited, which names are
 * well formed, and which would inject code into a child. */
#ifndef PM_CORE_ENV_H
#define PM_CORE_ENV_H

#include "../../pm.h"

/* Whether the host's variable name=value is inherited under config's policy.
 * PM_INHERIT_SAFE also leaves out exported shell functions (values that begin
 * with "()"), as the MCP SDKs do. */
bool pm__env_inherits(const pm_config_t *config, pm_str_t name, pm_str_t value);

/* Whether a variable makes programs run code that its setter chose: the dynamic
 * linker's (LD_*, DYLD_*, GCONV_PATH, GLIBC_TUNABLES), interpreters' start-up options (NODE_OPTIONS,
 * BASH_ENV, ENV, PYTHONSTARTUP, PERL5OPT, RUBYOPT, JAVA_TOOL_OPTIONS, …), and
 * shell functions (BASH_FUNC_…, or a value that begins with "()"). */
bool pm__env_is_unsafe(pm_str_t name, pm_str_t value);

#endif /* PM_CORE_ENV_H */
