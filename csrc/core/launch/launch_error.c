#include "launch_error.h"

#include <stdio.h>
#include <string.h>

#include "../error.h"

static const char *why_not_executed(const pm__spawn_failure_t *why, const pm__command_t *command, const char *code) {
  bool by_path = strchr(command->name, '/') != NULL;
  switch (why->err) {
  case UV_ENOENT:
    return by_path ? "there is no such file, or the interpreter that it names in its \"#!\" line (or ELF header) is "
                     "missing"
                   : "it is in none of the directories of the child's PATH";
  case UV_EACCES:
    return "it is not an executable file, or a directory on the way is closed to this user";
  case UV_E2BIG:
    return "an argument or variable is over 128 KiB, or all of them together are too long";
  default:
    break;
  }
  /* libuv has no constant for it. */
  if (strcmp(code, "ENOEXEC") == 0)
    return "it is neither a binary that the kernel knows nor a script with a \"#!\" line (no shell is tried)";
  return uv_strerror(why->err);
}

int pm__launch_error(pm_error_t *error, const pm__command_t *command, const pm__spawn_spec_t *spec,
                     const pm__spawn_failure_t *why) {
  char name[128];
  char place[160];
  pm__error_set(error, why->err, NULL, "Error", "%s", "");
  const char *code = error->code;
  pm__error_quote(name, sizeof(name), (pm_str_t){command->name, strlen(command->name)});
  bool is_limit = strcmp(why->syscall, "setrlimit") == 0 || strcmp(why->syscall, "setpriority") == 0;
  bool looked_up = why->err == UV_ENOENT && strcmp(why->syscall, "execve") == 0;
  const char *path = looked_up || is_limit || !why->path ? command->name : why->path;

  if (strcmp(why->syscall, "chdir") == 0) {
    pm__error_quote(place, sizeof(place), (pm_str_t){spec->working_dir, strlen(spec->working_dir)});
    pm__error_set(error, why->err, code, "Error", "Cannot start %s: working directory %s: %s (%s, chdir)", name, place,
                  uv_strerror(why->err), code);
  } else if (strcmp(why->syscall, "execve") == 0) {
    pm__error_set(error, why->err, code, "Error", "Cannot start %s: %s (%s, execve)", name,
                  why_not_executed(why, command, code), code);
  } else if (is_limit) {
    pm__error_set(error, why->err, code, "Error", "Cannot start %s: %s cannot be had here: %s (%s, %s)", name,
                  why->path, uv_strerror(why->err), code, why->syscall);
  } else if (strcmp(why->syscall, "keeper") == 0) {
    pm__error_set(error, why->err, code, "Error",
                  "Cannot start %s: its keeper did not come to work (%s, keeper); what had been started was ended",
                  name, code);
  } else {
    pm__error_set(error, why->err, code, "Error", "Cannot start %s: %s (%s, %s)", name, uv_strerror(why->err), code,
                  why->syscall);
  }
  error->syscall = why->syscall;
  snprintf(error->path, sizeof(error->path), "%s", path);
  return why->err;
}
