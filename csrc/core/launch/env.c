#include "env.h"

#include <string.h>

#include "../strs.h"

/* What the MCP SDKs hand to a server by default. */
static const char *const safe_names[] = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"};

/*
 * Variables whose value is code, names code that is loaded or run before the
 * program's own, or gives an interpreter command line options that do. Search
 * paths (PATH, PYTHONPATH, NODE_PATH, PERL5LIB, RUBYLIB, CLASSPATH) could be
 * abused as well but are not here: configs of real MCP servers set them, and
 * they choose between programs instead of adding to each.
 */
static const struct {
  const char *name;
  bool prefix; /* every name that begins with it */
} unsafe_names[] = {
    {"LD_", true},   /* glibc's and musl's linker: LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH, … */
    {"DYLD_", true}, /* the same of macOS */
    {"GCONV_PATH", false},
    {"GLIBC_TUNABLES", false},
    {"NODE_OPTIONS", false}, /* --require, --import */
    {"BASH_ENV", false},     /* a script that bash reads first; ENV is sh's, ZDOTDIR zsh's */
    {"ENV", false},
    {"ZDOTDIR", false},
    {"SHELLOPTS", false}, /* xtrace, which expands PS4 and with it $(…) */
    {"BASHOPTS", false},
    {"PS4", false},
    {"PROMPT_COMMAND", false},
    {"BASH_FUNC_", true}, /* exported functions, which replace commands */
    {"PYTHONSTARTUP", false},
    {"PYTHONBREAKPOINT", false},
    {"PYTHONHOME", false}, /* another standard library */
    {"PERL5OPT", false},
    {"PERL5DB", false},
    {"RUBYOPT", false},
    {"JAVA_TOOL_OPTIONS", false}, /* -javaagent */
    {"JDK_JAVA_OPTIONS", false},
    {"_JAVA_OPTIONS", false},
    {"DOTNET_STARTUP_HOOKS", false},
    {"LUA_INIT", true}, /* LUA_INIT_5_4 too */
};

/* How old versions of bash export functions, under any name. */
static bool is_shell_function(pm_str_t value) {
  return value.base != NULL && value.len >= 2 && memcmp(value.base, "()", 2) == 0;
}

static bool is_safe_name(pm_str_t name) {
  for (size_t i = 0; i < sizeof(safe_names) / sizeof(safe_names[0]); i++) {
    if (pm__str_is(name, safe_names[i])) return true;
  }
  return false;
}

bool pm__env_inherits(const pm_config_t *config, pm_str_t name, pm_str_t value) {
  switch (config->inherit) {
  case PM_INHERIT_ALL:
    return true;
  case PM_INHERIT_SAFE:
    return is_safe_name(name) && !is_shell_function(value);
  case PM_INHERIT_NAMES:
    return pm__str_in(name, config->inherit_names, config->inherit_name_count);
  default:
    return false;
  }
}

bool pm__env_is_unsafe(pm_str_t name, pm_str_t value) {
  if (is_shell_function(value)) return true;
  for (size_t i = 0; i < sizeof(unsafe_names) / sizeof(unsafe_names[0]); i++) {
    size_t len = strlen(unsafe_names[i].name);
    if (name.len < len || (name.len > len && !unsafe_names[i].prefix)) continue;
    if (memcmp(name.base, unsafe_names[i].name, len) == 0) return true;
  }
  return false;
}
