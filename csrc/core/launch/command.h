/*
 * A config, checked and copied into the form that execve(2) wants. Built once
 * for a process, used for each of its starts.
 */
#ifndef PM_CORE_COMMAND_H
#define PM_CORE_COMMAND_H

#include "../../pm.h"

/* An environment that several processes may share: hosts start many servers
 * with the same one. Counted references; immutable. */
typedef struct pm__env_block {
  unsigned refs;
  size_t size;  /* of bytes */
  size_t count; /* of variables */
  char **envp;  /* NULL-terminated, into bytes */
  char *bytes;  /* "NAME=value\0NAME=value\0" */
} pm__env_block_t;

typedef struct pm__command {
  char *name;        /* config.command */
  char **argv;       /* NULL-terminated; argv[0] is name */
  char **candidates; /* NULL-terminated paths to execve in this order */
  char *working_dir; /* NULL: the host's */
  pm__env_block_t *env;
} pm__command_t;

/* Checks config (id, command, args, working_dir, env, allowed commands: see
 * pm_process_spawn for codes) and copies it. *recent is the block made last:
 * when the new environment is equal it is shared, else *recent is replaced (one
 * reference is held for it; start with NULL and give it back with
 * pm__env_block_unref). On failure *out is all zero. */
int pm__command_build(pm__command_t *out, const pm_config_t *config, const pm_str_t *allowed_commands,
                      size_t allowed_command_count, pm__env_block_t **recent, pm_error_t *error);

/* Frees what build made; *c is all zero afterwards. A zeroed one is fine. */
void pm__command_free(pm__command_t *c);

/* NULL is fine. */
void pm__env_block_unref(pm__env_block_t *env);

/* Whether id may be used: 1 to 256 bytes of valid UTF-8 without control
 * characters (below 0x20, 0x7f, U+0080 to U+009F). 0, or UV_EINVAL, *error. */
int pm__id_check(pm_str_t id, pm_error_t *error);

#endif /* PM_CORE_COMMAND_H */
