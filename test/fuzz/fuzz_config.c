/*
 * Makes a config of the input and builds a command of it. What is refused must
 * be explained in printable text and leave nothing; what is accepted must agree
 * with the config, the environment with a slow model of it.
 *
 * Input: records of a letter, a length byte and so many bytes. The letters:
 * i id, c command, a argument, d working directory, h variable of the host,
 * e variable of the config, n inherited name, u unsafe name allowed, l command
 * allowed, p policy, f which allocation fails, o option and its double,
 * w option and its word. A variable is a length byte, its name and its value;
 * none when the length is beyond the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/launch/command.h"
#include "core/launch/env.h"
#include "core/streams/utf8_decode.h"
#include "support.h"

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "line %d: not true: %s\n", __LINE__, #condition);                                                \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

enum { MOST = 64, MOST_TEXTS = 1024 };

/* A config and what it points to. */
typedef struct input {
  pm_config_t config;
  pm_str_t args[MOST], inherited[MOST], unsafe[MOST], allowed[MOST];
  pm_env_var_t host[MOST], own[MOST];
  size_t allowed_count;
  unsigned long fail_at;
  char *texts[MOST_TEXTS];
  size_t text_count;
} input_t;

/* A copy in memory of just that size, so that a byte beyond is noticed. */
static pm_str_t copy(input_t *in, const uint8_t *bytes, size_t len) {
  char *text = malloc(len);
  CHECK(text != NULL && in->text_count < MOST_TEXTS);
  memcpy(text, bytes, len);
  in->texts[in->text_count++] = text;
  return (pm_str_t){text, len};
}

static void add(input_t *in, pm_str_t *list, size_t *count, const uint8_t *bytes, size_t len) {
  if (*count < MOST) list[(*count)++] = copy(in, bytes, len);
}

static void add_variable(input_t *in, pm_env_var_t *list, size_t *count, const uint8_t *bytes, size_t len) {
  if (*count == MOST || len == 0) return;
  pm_env_var_t *v = &list[(*count)++];
  size_t rest = len - 1;
  size_t name_len = bytes[0] < rest ? bytes[0] : rest;
  v->name = copy(in, bytes + 1, name_len);
  v->value = (pm_str_t){NULL, 0};
  if (bytes[0] <= rest) v->value = copy(in, bytes + 1 + name_len, rest - name_len);
}

static bool is_printable(const char *text) {
  size_t len = strlen(text);
  for (size_t i = 0; i < len;) {
    uint32_t c;
    size_t n = pm__utf8_decode(text + i, len - i, &c);
    if (n == 0 || c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
    i += n;
  }
  return len > 0;
}

static void check_error(const pm_error_t *error, int r) {
  CHECK(r < 0 && error->err == r);
  CHECK(error->code != NULL && error->kind != NULL);
  CHECK(memchr(error->message, '\0', sizeof(error->message)) != NULL);
  CHECK(is_printable(error->message));
}

static void check_option(pm_options_t *o, const uint8_t *bytes, size_t len, bool is_word) {
  if (len < 1) return;
  pm_option_index_t i = bytes[0] % PM_OPT_COUNT;
  const pm_option_t *option = &pm_option_table[i];
  pm_options_t before = *o;
  pm_error_t error;
  double v = 0;
  if (!is_word) memcpy(&v, bytes + 1, len - 1 < sizeof(v) ? len - 1 : sizeof(v));

  pm_str_t word = {(const char *)bytes + 1, len - 1};
  int r =
      is_word ? pm_options_set_choice(o, i, word, "config", &error) : pm_options_set_number(o, i, v, "config", &error);
  if (r < 0) {
    check_error(&error, r);
    CHECK(memcmp(o, &before, sizeof(before)) == 0);
    return;
  }
  CHECK(o->value[i] >= option->min && o->value[i] <= option->max);
  CHECK(is_word ? option->type == PM_OPTION_CHOICE : o->value[i] == v);
}

static void read_record(input_t *in, char kind, const uint8_t *bytes, size_t len) {
  pm_config_t *config = &in->config;
  switch (kind) {
  case 'i':
    config->id = copy(in, bytes, len);
    break;
  case 'c':
    config->command = copy(in, bytes, len);
    break;
  case 'a':
    add(in, in->args, &config->arg_count, bytes, len);
    break;
  case 'd':
    config->working_dir = copy(in, bytes, len);
    break;
  case 'h':
    add_variable(in, in->host, &config->host_env_count, bytes, len);
    break;
  case 'e':
    add_variable(in, in->own, &config->env_count, bytes, len);
    break;
  case 'n':
    add(in, in->inherited, &config->inherit_name_count, bytes, len);
    break;
  case 'u':
    add(in, in->unsafe, &config->allow_unsafe_env_count, bytes, len);
    break;
  case 'l':
    add(in, in->allowed, &in->allowed_count, bytes, len);
    break;
  case 'p':
    config->inherit = len > 0 ? bytes[0] % 4 : PM_INHERIT_ALL;
    break;
  case 'f':
    in->fail_at = len;
    break;
  case 'o':
  case 'w':
    check_option(&config->options, bytes, len, kind == 'w');
    break;
  default:
    break;
  }
}

static bool is_text(const char *got, pm_str_t wanted) {
  return strlen(got) == wanted.len && memcmp(got, wanted.base, wanted.len) == 0;
}

static bool same(pm_str_t a, pm_str_t b) {
  return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

static bool has(pm_str_t text, char c) {
  return memchr(text.base, c, text.len) != NULL;
}

/* What a variable of this name is by the last one that says something. */
static pm_str_t model_value(const pm_config_t *config, pm_str_t name) {
  pm_str_t value = {NULL, 0};
  for (size_t i = 0; i < config->host_env_count; i++) {
    const pm_env_var_t *v = &config->host_env[i];
    if (!same(v->name, name) || v->value.base == NULL || has(v->value, '\0')) continue;
    if (pm__env_inherits(config, v->name, v->value)) value = v->value;
  }
  for (size_t i = 0; i < config->env_count; i++) {
    if (same(config->env[i].name, name)) value = config->env[i].value;
  }
  return value;
}

/* Each well-formed name of the list is in env exactly when the model says so. */
static void check_names(const pm_config_t *config, const pm_env_var_t *list, size_t count, char **envp) {
  for (size_t i = 0; i < count; i++) {
    pm_str_t name = list[i].name;
    if (name.len == 0 || has(name, '=') || has(name, '\0')) continue;
    pm_str_t value = model_value(config, name);
    size_t found = 0;
    for (char **v = envp; *v != NULL; v++) {
      size_t name_len = (size_t)(strchr(*v, '=') - *v);
      if (!same(name, (pm_str_t){*v, name_len})) continue;
      CHECK(value.base != NULL && is_text(*v + name_len + 1, value));
      found++;
    }
    CHECK(found == (value.base != NULL ? 1 : 0));
  }
}

static void check_environment(const pm_config_t *config, const pm__env_block_t *env) {
  size_t count = 0, size = 0;
  for (char **v = env->envp; *v != NULL; v++) {
    const char *equals = strchr(*v, '=');
    CHECK(equals != NULL && equals > *v);
    CHECK(*v == env->bytes + size);
    pm_str_t name = {*v, (size_t)(equals - *v)};
    pm_str_t value = model_value(config, name);
    CHECK(value.base != NULL && is_text(equals + 1, value));
    size += strlen(*v) + 1;
    count++;
  }
  CHECK(count == env->count && size == env->size);
  check_names(config, config->host_env, config->host_env_count, env->envp);
  check_names(config, config->env, config->env_count, env->envp);
}

static void check_candidates(const pm_config_t *config, char **candidates) {
  bool has_slash = has(config->command, '/');
  CHECK(candidates[0] != NULL);
  if (has_slash) CHECK(candidates[1] == NULL && is_text(candidates[0], config->command));
  for (; *candidates != NULL; candidates++) {
    size_t len = strlen(*candidates);
    CHECK(len >= config->command.len);
    const char *end = *candidates + len - config->command.len;
    CHECK(is_text(end, config->command));
    if (!has_slash) CHECK(end >= *candidates + 2 && end[-1] == '/');
  }
}

static void check_command(const input_t *in, const pm__command_t *c) {
  const pm_config_t *config = &in->config;
  CHECK(config->command.len > 0 && is_text(c->name, config->command) && c->argv[0] == c->name);
  for (size_t i = 0; i < config->arg_count; i++)
    CHECK(is_text(c->argv[i + 1], config->args[i]));
  CHECK(c->argv[config->arg_count + 1] == NULL);
  CHECK((c->working_dir != NULL) == (config->working_dir.base != NULL));
  if (c->working_dir != NULL) CHECK(is_text(c->working_dir, config->working_dir) && c->working_dir[0] != '\0');
  if (config->id.base != NULL) CHECK(pm__id_check(config->id, NULL) == 0);
  check_candidates(config, c->candidates);
  check_environment(config, c->env);
}

static void check_build(input_t *in) {
  static const pm__command_t zero;
  const pm_str_t *allowed = in->allowed_count > 0 ? in->allowed : NULL;
  pm__env_block_t *recent = NULL;
  pm_error_t error = {0};
  pm__command_t c, again;
  alloc_fail_nth(in->fail_at);
  int r = pm__command_build(&c, &in->config, allowed, in->allowed_count, &recent, &error);
  alloc_fail_nth(0);
  if (r < 0) {
    check_error(&error, r);
    CHECK(memcmp(&c, &zero, sizeof(c)) == 0);
  } else {
    check_command(in, &c);
    CHECK(pm__command_build(&again, &in->config, allowed, in->allowed_count, &recent, &error) == 0);
    CHECK(again.env == c.env && recent == c.env);
    pm__command_free(&c);
    check_command(in, &again);
    pm__command_free(&again);
  }
  CHECK(recent == NULL || recent->refs == 1);
  pm__env_block_unref(recent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input_t *in = calloc(1, sizeof(*in));
  CHECK(in != NULL);
  pm_options_init(&in->config.options);
  for (size_t records = 0; size >= 2 && records < MOST_TEXTS / 2; records++) {
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    read_record(in, (char)data[0], data + 2, len);
    data += 2 + len;
    size -= 2 + len;
  }
  in->config.args = in->args;
  in->config.host_env = in->host;
  in->config.env = in->own;
  in->config.inherit_names = in->inherited;
  in->config.allow_unsafe_env = in->unsafe;
  check_build(in);
  for (size_t i = 0; i < in->text_count; i++)
    free(in->texts[i]);
  free(in);
  return 0;
}
