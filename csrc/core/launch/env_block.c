#include "env_block.h"

#include <stdlib.h>
#include <string.h>

#include "../alloc.h"
#include "../config_check.h"
#include "../strs.h"
#include "env.h"

/* Lists what goes into the environment, duplicates and removals included.
 * Returns how many there are. */
static size_t collect(const pm_config_t *config, pm_env_var_t *list) {
  size_t n = 0;
  for (size_t i = 0; i < config->host_env_count; i++) {
    pm_env_var_t v = config->host_env[i];
    bool valid = v.value.base != NULL && pm__env_name_is_valid(v.name) && !pm__str_has(v.value, '\0');
    if (valid && pm__env_inherits(config, v.name, v.value)) list[n++] = v;
  }
  for (size_t i = 0; i < config->env_count; i++)
    list[n++] = config->env[i];
  return n;
}

/* By name, and the same names by their place in the list. */
static int compare_variables(const void *a, const void *b) {
  const pm_env_var_t *x = *(pm_env_var_t *const *)a;
  const pm_env_var_t *y = *(pm_env_var_t *const *)b;
  int order = pm__str_compare(x->name, y->name);
  return order != 0 ? order : (x > y) - (x < y);
}

/* Gives the first of each name the value of the last and takes the others away.
 * sorted has room for a pointer to each. */
static void merge(pm_env_var_t *list, size_t count, pm_env_var_t **sorted) {
  for (size_t i = 0; i < count; i++)
    sorted[i] = &list[i];
  qsort(sorted, count, sizeof(*sorted), compare_variables);

  pm_env_var_t *first = NULL;
  for (size_t i = 0; i < count; i++) {
    if (first != NULL && pm__str_equal(first->name, sorted[i]->name)) {
      first->value = sorted[i]->value;
      sorted[i]->value.base = NULL;
    } else {
      first = sorted[i];
    }
  }
}

/* One allocation: the block, its pointers, its bytes. */
static pm__env_block_t *copy_block(const pm_env_var_t *list, size_t count) {
  size_t kept = 0, size = 0;
  for (size_t i = 0; i < count; i++) {
    if (list[i].value.base == NULL) continue;
    size += list[i].name.len + list[i].value.len + 2;
    kept++;
  }
  pm__env_block_t *block = pm__malloc(sizeof(*block) + (kept + 1) * sizeof(char *) + size);
  if (block == NULL) return NULL;
  *block = (pm__env_block_t){1, size, kept, (char **)(block + 1), NULL};
  block->bytes = (char *)(block->envp + kept + 1);

  char *end = block->bytes;
  char **slot = block->envp;
  for (size_t i = 0; i < count; i++) {
    if (list[i].value.base == NULL) continue;
    *slot++ = end;
    end = pm__str_copy(end, list[i].name);
    end[-1] = '=';
    end = pm__str_copy(end, list[i].value);
  }
  *slot = NULL;
  return block;
}

static bool has_same_bytes(const pm__env_block_t *a, const pm__env_block_t *b) {
  return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

int pm__env_block_make(const pm_config_t *config, pm__env_block_t **recent, pm__env_block_t **out) {
  size_t most = config->host_env_count + config->env_count;
  pm_env_var_t *list = pm__malloc((most + 1) * (sizeof(pm_env_var_t) + sizeof(pm_env_var_t *)));
  if (list == NULL) return UV_ENOMEM;
  size_t count = collect(config, list);
  merge(list, count, (pm_env_var_t **)(list + most + 1));
  pm__env_block_t *block = copy_block(list, count);
  pm__free(list);
  if (block == NULL) return UV_ENOMEM;

  if (*recent != NULL && has_same_bytes(*recent, block)) {
    pm__env_block_unref(block);
  } else {
    pm__env_block_unref(*recent);
    *recent = block;
  }
  (*recent)->refs++;
  *out = *recent;
  return 0;
}

void pm__env_block_unref(pm__env_block_t *env) {
  if (env != NULL && --env->refs == 0) pm__free(env);
}

pm_str_t pm__env_block_get(const pm__env_block_t *env, const char *name) {
  size_t len = strlen(name);
  for (char **variable = env->envp; *variable != NULL; variable++) {
    if (strncmp(*variable, name, len) != 0 || (*variable)[len] != '=') continue;
    const char *value = *variable + len + 1;
    return (pm_str_t){value, strlen(value)};
  }
  return (pm_str_t){NULL, 0};
}
