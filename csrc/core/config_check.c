#include "config_check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "error.h"
#include "launch/command.h"
#include "launch/env.h"
#include "streams/utf8_decode.h"
#include "strs.h"

enum {
  ID_BYTES = 256,
  FIELD_SIZE = PM__QUOTE_SIZE + 32, /* of "config.env[…]" */
  FEW_NAMES = 16                    /* so few are looked through faster than sorted */
};

static bool is_valid_id(pm_str_t id) {
  if (id.len < 1 || id.len > ID_BYTES) return false;
  for (size_t i = 0; i < id.len;) {
    uint32_t c = 0;
    size_t len = pm__utf8_decode(id.base + i, id.len - i, &c);
    if (len == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F)) return false;
    i += len;
  }
  return true;
}

int pm__id_check(pm_str_t id, pm_error_t *error) {
  char got[PM__QUOTE_SIZE];
  if (is_valid_id(id)) return 0;
  return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ID", "TypeError",
                       "config.id must be 1 to %d bytes of UTF-8 without control characters; got %s", ID_BYTES,
                       pm__error_quote(got, sizeof(got), id));
}

static int check_no_nul(const char *field, pm_str_t text, pm_error_t *error) {
  char got[PM__QUOTE_SIZE];
  if (!pm__str_has(text, '\0')) return 0;
  return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
                       "config.%s must not contain NUL bytes; got %s", field, pm__error_quote(got, sizeof(got), text));
}

/* Not given is fine. */
static int check_path(const char *field, pm_str_t path, pm_error_t *error) {
  if (path.base == NULL || path.len > 0) return check_no_nul(field, path, error);
  return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError", "config.%s must not be empty; got \"\"",
                       field);
}

static int check_command(pm_str_t command, pm_error_t *error) {
  char got[PM__QUOTE_SIZE];
  if (command.base != NULL && command.len > 0) return check_no_nul("command", command, error);
  return pm__error_set(error, UV_EINVAL, "ERR_COMMAND_REQUIRED", "TypeError",
                       "Command is required: config.command must not be empty; got %s",
                       pm__error_quote(got, sizeof(got), command));
}

static int check_args(const pm_str_t *args, size_t count, pm_error_t *error) {
  for (size_t i = 0; i < count; i++) {
    if (!pm__str_has(args[i], '\0')) continue;
    char field[32];
    snprintf(field, sizeof(field), "args[%zu]", i);
    return check_no_nul(field, args[i], error);
  }
  return 0;
}

static int check_working_dir(const pm_config_t *config, pm_error_t *error) {
  pm_str_t dir = config->working_dir;
  if (dir.base != NULL && config->options.value[PM_OPT_PRIVATE_WORKING_DIR] != 0)
    return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
                         "config.workingDir and config.privateWorkingDir exclude each other: give one of them");
  return check_path("workingDir", dir, error);
}

static int check_allowed(pm_str_t command, const pm_str_t *allowed, size_t count, pm_error_t *error) {
  char got[PM__QUOTE_SIZE];
  if (allowed == NULL || pm__str_in(command, allowed, count)) return 0;
  return pm__error_set(error, UV_EPERM, "ERR_COMMAND_NOT_ALLOWED", "Error",
                       "config.command %s is not allowed: options.allowedCommands does not list it",
                       pm__error_quote(got, sizeof(got), command));
}

bool pm__env_name_is_valid(pm_str_t name) {
  return name.len > 0 && !pm__str_has(name, '=') && !pm__str_has(name, '\0');
}

/* "config.env.NAME", or "config.env["…"]" if the name is no plain word. */
static const char *print_field(char *out, size_t size, pm_str_t name) {
  char quoted[PM__QUOTE_SIZE];
  pm__error_quote(quoted, sizeof(quoted), name);
  bool plain = strlen(quoted) == name.len + 2;
  for (size_t i = 0; plain && i < name.len; i++) {
    unsigned char c = (unsigned char)name.base[i];
    plain = c < 0x80 && (isalnum(c) || c == '_');
  }
  if (plain) {
    snprintf(out, size, "config.env.%.*s", (int)name.len, name.base);
  } else {
    snprintf(out, size, "config.env[%s]", quoted);
  }
  return out;
}

static int check_variable(const pm_env_var_t *variable, pm_error_t *error) {
  char text[FIELD_SIZE];
  if (!pm__env_name_is_valid(variable->name)) {
    return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
                         "config.env has a bad variable name %s: it must not be empty or contain '=' or NUL bytes",
                         pm__error_quote(text, sizeof(text), variable->name));
  }
  if (variable->value.base == NULL || !pm__str_has(variable->value, '\0')) return 0;
  return pm__error_set(error, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError", "%s must not contain NUL bytes",
                       print_field(text, sizeof(text), variable->name));
}

static int refuse_unsafe(pm_str_t name, pm_error_t *error) {
  char field[FIELD_SIZE];
  return pm__error_set(error, UV_EPERM, "ERR_UNSAFE_ENV", "Error",
                       "%s would make programs run code of its setter's choice; "
                       "name it in config.allowUnsafeEnv if that is meant",
                       print_field(field, sizeof(field), name));
}

static int compare_names(const void *a, const void *b) {
  return pm__str_compare(**(const pm_str_t *const *)a, **(const pm_str_t *const *)b);
}

/* Sorts pointers to the names that may be unsafe, so that a hostile number of
 * them and of variables does not block the loop. */
static const pm_str_t **sort_names(const pm_str_t *names, size_t count) {
  const pm_str_t **sorted = pm__malloc(count * sizeof(const pm_str_t *));
  for (size_t i = 0; sorted != NULL && i < count; i++)
    sorted[i] = &names[i];
  if (sorted != NULL) qsort(sorted, count, sizeof(const pm_str_t *), compare_names);
  return sorted;
}

static int check_unsafe(const pm_config_t *config, pm_error_t *error) {
  size_t count = config->allow_unsafe_env_count;
  const pm_str_t **sorted = NULL;
  int r = 0;
  for (size_t i = 0; r == 0 && i < config->env_count; i++) {
    const pm_str_t *name = &config->env[i].name;
    if (config->env[i].value.base == NULL || !pm__env_is_unsafe(*name, config->env[i].value)) continue;
    if (count <= FEW_NAMES) {
      if (!pm__str_in(*name, config->allow_unsafe_env, count)) r = refuse_unsafe(*name, error);
      continue;
    }
    if (sorted == NULL) sorted = sort_names(config->allow_unsafe_env, count);
    if (sorted == NULL) return pm__error_no_memory(error);
    if (bsearch(&name, sorted, count, sizeof(*sorted), compare_names) == NULL) r = refuse_unsafe(*name, error);
  }
  pm__free(sorted);
  return r;
}

int pm__config_check(const pm_config_t *config, const pm_str_t *allowed_commands, size_t allowed_command_count,
                     pm_error_t *error) {
  int r = check_command(config->command, error);
  if (r == 0 && config->id.base != NULL) r = pm__id_check(config->id, error);
  if (r == 0) r = check_args(config->args, config->arg_count, error);
  if (r == 0) r = check_working_dir(config, error);
  if (r == 0) r = check_path("logFile.path", config->log_file, error);
  if (r == 0) r = check_allowed(config->command, allowed_commands, allowed_command_count, error);
  for (size_t i = 0; r == 0 && i < config->env_count; i++)
    r = check_variable(&config->env[i], error);
  return r == 0 ? check_unsafe(config, error) : r;
}
