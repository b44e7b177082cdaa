#include "command.h"

#include <string.h>

#include "../alloc.h"
#include "../config_check.h"
#include "../error.h"
#include "../strs.h"
#include "candidates.h"
#include "env_block.h"

/* Copies everything but the environment into one allocation, which begins with
 * argv's pointers; so freeing argv frees it all. */
static int copy_texts(pm__command_t *out, const pm_config_t *config) {
  pm_str_t path = pm__env_block_get(out->env, "PATH");
  size_t bytes;
  size_t candidate_count = pm__candidates_measure(config->command, path, &bytes);
  size_t argv_slots = config->arg_count + 2; /* the command's own and the NULL */
  bytes += config->command.len + 1;
  for (size_t i = 0; i < config->arg_count; i++)
    bytes += config->args[i].len + 1;
  if (config->working_dir.base != NULL) bytes += config->working_dir.len + 1;

  char **slots = pm__malloc((argv_slots + candidate_count + 1) * sizeof(char *) + bytes);
  if (slots == NULL) return UV_ENOMEM;
  out->argv = slots;
  out->candidates = slots + argv_slots;
  char *end = (char *)(out->candidates + candidate_count + 1);

  out->argv[0] = out->name = end;
  end = pm__str_copy(end, config->command);
  for (size_t i = 0; i < config->arg_count; i++) {
    out->argv[i + 1] = end;
    end = pm__str_copy(end, config->args[i]);
  }
  out->argv[config->arg_count + 1] = NULL;
  if (config->working_dir.base != NULL) {
    out->working_dir = end;
    end = pm__str_copy(end, config->working_dir);
  }
  pm__candidates_write(config->command, path, out->candidates, end);
  out->candidates[candidate_count] = NULL;
  return 0;
}

int pm__command_build(pm__command_t *out, const pm_config_t *config, const pm_str_t *allowed_commands,
                      size_t allowed_command_count, pm__env_block_t **recent, pm_error_t *error) {
  memset(out, 0, sizeof(*out));
  int r = pm__config_check(config, allowed_commands, allowed_command_count, error);
  if (r < 0) return r;
  r = pm__env_block_make(config, recent, &out->env);
  if (r == 0) r = copy_texts(out, config);
  if (r == 0) return 0;
  pm__command_free(out);
  return pm__error_no_memory(error);
}

void pm__command_free(pm__command_t *c) {
  pm__free(c->argv);
  pm__env_block_unref(c->env);
  memset(c, 0, sizeof(*c));
}
