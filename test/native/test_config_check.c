#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/config_check.h"
#include "core/error.h"
#include "core/launch/command.h"
#include "literals.h"

/* A config that passes; tests break one thing of it. */
static pm_config_t good_config(void) {
  pm_config_t config = {.command = STR("server")};
  pm_options_init(&config.options);
  return config;
}

static void assert_passes(const pm_config_t *config) {
  pm_error_t error;
  if (pm__config_check(config, NULL, 0, &error) != 0) fail_msg("%s", error.message);
}

static void assert_fails(const pm_config_t *config, int err, const char *code, const char *kind, const char *message) {
  pm_error_t error;
  assert_int_equal(pm__config_check(config, NULL, 0, &error), err);
  assert_int_equal(error.err, err);
  assert_string_equal(error.code, code);
  assert_string_equal(error.kind, kind);
  assert_string_equal(error.message, message);
}

static void test_a_minimal_config_passes(void **state) {
  (void)state;
  pm_config_t config = good_config();
  assert_passes(&config);
}

static void test_the_command_is_required(void **state) {
  (void)state;
  pm_config_t config = good_config();
  config.command = STR("");
  assert_fails(&config, UV_EINVAL, "ERR_COMMAND_REQUIRED", "TypeError",
               "Command is required: config.command must not be empty; got \"\"");
  config.command = NOT_GIVEN;
  assert_fails(&config, UV_EINVAL, "ERR_COMMAND_REQUIRED", "TypeError",
               "Command is required: config.command must not be empty; got nothing");
}

static void test_the_missing_command_is_named_before_all_else(void **state) {
  (void)state;
  pm_config_t config = good_config();
  config.command = NOT_GIVEN;
  config.id = STR("");
  pm_error_t error;
  assert_int_equal(pm__config_check(&config, NULL, 0, &error), UV_EINVAL);
  assert_begins(error.message, "Command is required");
}

static void test_nul_bytes_are_refused(void **state) {
  (void)state;
  const pm_str_t args[] = {STR("a"), STR(""), STR("b\0c")};
  pm_config_t config = good_config();
  config.command = STR("ls\0");
  assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
               "config.command must not contain NUL bytes; got \"ls\\x00\"");

  config = good_config();
  config.args = args;
  config.arg_count = 3;
  assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
               "config.args[2] must not contain NUL bytes; got \"b\\x00c\"");
  config.arg_count = 2;
  assert_passes(&config);

  config = good_config();
  config.working_dir = STR("\0/tmp");
  assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
               "config.workingDir must not contain NUL bytes; got \"\\x00/tmp\"");
}

static void test_a_working_dir_and_a_private_one_exclude_each_other(void **state) {
  (void)state;
  pm_config_t config = good_config();
  config.working_dir = STR("/tmp");
  config.options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
               "config.workingDir and config.privateWorkingDir exclude each other: give one of them");
  config.working_dir = NOT_GIVEN;
  assert_passes(&config);
}

static void test_an_empty_working_dir_is_refused(void **state) {
  (void)state;
  pm_config_t config = good_config();
  config.working_dir = STR("");
  assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError",
               "config.workingDir must not be empty; got \"\"");
}

static void test_bad_variable_names_are_refused(void **state) {
  (void)state;
  static const struct {
    pm_str_t name;
    const char *quoted;
  } cases[] = {
      {STR_INIT(""), "\"\""},     {STR_INIT("="), "\"=\""},          {STR_INIT("A="), "\"A=\""},
      {STR_INIT("=A"), "\"=A\""}, {STR_INIT("A\0B"), "\"A\\x00B\""}, {{NULL, 0}, "nothing"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char message[256];
    pm_env_var_t env[] = {{STR("GOOD"), STR("secret")}, {cases[i].name, STR("secret")}};
    pm_config_t config = good_config();
    config.env = env;
    config.env_count = 2;
    snprintf(message, sizeof(message),
             "config.env has a bad variable name %s: it must not be empty or contain '=' or NUL bytes",
             cases[i].quoted);
    assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError", message);
    /* Taking such a variable away is no better. */
    env[1].value = NOT_GIVEN;
    assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError", message);
  }
}

static void test_unusual_names_pass(void **state) {
  (void)state;
  const pm_env_var_t env[] = {
      {STR(" "), STR("x")},
      {STR("npm_config_//host/:_auth"), STR("x")},
      {STR("ü\xff\n"), STR("x")},
      {STR("1"), STR("")},
  };
  pm_config_t config = good_config();
  config.env = env;
  config.env_count = 4;
  assert_passes(&config);
}

static void test_nul_in_a_value_is_refused_without_showing_it(void **state) {
  (void)state;
  static const struct {
    pm_str_t name;
    const char *message;
  } cases[] = {
      {STR_INIT("TOKEN_2"), "config.env.TOKEN_2 must not contain NUL bytes"},
      {STR_INIT("a-b"), "config.env[\"a-b\"] must not contain NUL bytes"},
      {STR_INIT("a\x1b"), "config.env[\"a\\x1B\"] must not contain NUL bytes"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const pm_env_var_t env = {cases[i].name, STR("sec\0ret")};
    pm_config_t config = good_config();
    config.env = &env;
    config.env_count = 1;
    assert_fails(&config, UV_EINVAL, "ERR_INVALID_ARG_VALUE", "TypeError", cases[i].message);
  }
}

static void test_a_long_name_is_cut_in_the_message(void **state) {
  (void)state;
  char name[3000];
  memset(name, 'A', sizeof(name));
  const pm_env_var_t env = {{name, sizeof(name)}, STR("sec\0ret")};
  pm_config_t config = good_config();
  config.env = &env;
  config.env_count = 1;
  pm_error_t error;
  assert_int_equal(pm__config_check(&config, NULL, 0, &error), UV_EINVAL);
  assert_begins(error.message, "config.env[\"AAAA");
  assert_contains(error.message, "AAA…\" (3000 bytes)] must not contain NUL bytes");
}

static void test_unsafe_variables_are_refused(void **state) {
  (void)state;
  const pm_env_var_t env[] = {{STR("A"), STR("1")}, {STR("LD_PRELOAD"), STR("secret.so")}};
  pm_config_t config = good_config();
  config.env = env;
  config.env_count = 2;
  assert_fails(&config, UV_EPERM, "ERR_UNSAFE_ENV", "Error",
               "config.env.LD_PRELOAD would make programs run code of its setter's choice; "
               "name it in config.allowUnsafeEnv if that is meant");
}

static void test_unsafe_variables_may_be_taken_away(void **state) {
  (void)state;
  const pm_env_var_t env = {STR("LD_PRELOAD"), NOT_GIVEN};
  pm_config_t config = good_config();
  config.env = &env;
  config.env_count = 1;
  assert_passes(&config);
}

static void test_the_hosts_own_unsafe_variables_are_its_business(void **state) {
  (void)state;
  const pm_env_var_t env = {STR("LD_PRELOAD"), STR("x.so")};
  pm_config_t config = good_config();
  config.host_env = &env;
  config.host_env_count = 1;
  assert_passes(&config);
}

static void test_an_unsafe_variable_may_be_allowed_by_name(void **state) {
  (void)state;
  const pm_env_var_t env[] = {{STR("NODE_OPTIONS"), STR("--inspect")}, {STR("LD_PRELOAD"), STR("x.so")}};
  const pm_str_t allowed[] = {STR("LD_PRELOAD"), STR("NODE_OPTIONS")};
  pm_config_t config = good_config();
  config.env = env;
  config.env_count = 2;
  config.allow_unsafe_env = allowed;
  config.allow_unsafe_env_count = 2;
  assert_passes(&config);

  config.allow_unsafe_env_count = 1;
  pm_error_t error;
  assert_int_equal(pm__config_check(&config, NULL, 0, &error), UV_EPERM);
  assert_begins(error.message, "config.env.NODE_OPTIONS would");
}

/* A list of so many names is searched in another way. */
enum { MANY = 100000 };

typedef struct many {
  char texts[MANY][16];
  pm_str_t names[MANY];
  pm_env_var_t env[MANY];
} many_t;

static many_t *make_many(void) {
  many_t *many = malloc(sizeof(*many));
  assert_non_null(many);
  for (size_t i = 0; i < MANY; i++) {
    int len = snprintf(many->texts[i], sizeof(many->texts[i]), "LD_%zu", i * 7919 % MANY);
    many->names[i] = (pm_str_t){many->texts[i], (size_t)len};
    many->env[MANY - 1 - i] = (pm_env_var_t){many->names[i], STR("x")};
  }
  return many;
}

static void test_many_unsafe_variables_may_be_allowed(void **state) {
  (void)state;
  many_t *many = make_many();
  pm_config_t config = good_config();
  config.env = many->env;
  config.env_count = MANY;
  config.allow_unsafe_env = many->names;
  config.allow_unsafe_env_count = MANY;
  assert_passes(&config);

  /* All but the last: the variable that comes first. */
  config.allow_unsafe_env_count = MANY - 1;
  pm_error_t error;
  assert_int_equal(pm__config_check(&config, NULL, 0, &error), UV_EPERM);
  assert_string_equal(error.code, "ERR_UNSAFE_ENV");
  assert_contains(error.message, many->texts[MANY - 1]);
  free(many);
}

static void test_no_memory_for_many_names(void **state) {
  (void)state;
  many_t *many = make_many();
  pm_config_t config = good_config();
  config.env = many->env;
  config.env_count = 1;
  config.allow_unsafe_env = many->names;
  config.allow_unsafe_env_count = MANY;
  alloc_fail_nth(1);
  pm_error_t error;
  assert_int_equal(pm__config_check(&config, NULL, 0, &error), UV_ENOMEM);
  assert_string_equal(error.code, "ENOMEM");
  alloc_fail_nth(0);
  free(many);
}

static void test_only_listed_commands_are_allowed(void **state) {
  (void)state;
  const pm_str_t allowed[] = {STR("node"), STR("/usr/bin/python3")};
  static const struct {
    pm_str_t command;
    int err;
  } cases[] = {
      {STR_INIT("node"), 0},          {STR_INIT("/usr/bin/python3"), 0}, {STR_INIT("python3"), UV_EPERM},
      {STR_INIT("Node"), UV_EPERM},   {STR_INIT("nod"), UV_EPERM},       {STR_INIT("node2"), UV_EPERM},
      {STR_INIT("./node"), UV_EPERM}, {STR_INIT("node "), UV_EPERM},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    pm_config_t config = good_config();
    pm_error_t error = {0};
    config.command = cases[i].command;
    assert_int_equal(pm__config_check(&config, allowed, 2, &error), cases[i].err);
    if (cases[i].err == 0) continue;
    char message[256];
    snprintf(message, sizeof(message), "config.command \"%s\" is not allowed: options.allowedCommands does not list it",
             cases[i].command.base);
    assert_string_equal(error.message, message);
    assert_string_equal(error.code, "ERR_COMMAND_NOT_ALLOWED");
    assert_string_equal(error.kind, "Error");
  }
}

static void test_an_empty_list_allows_no_command(void **state) {
  (void)state;
  const pm_str_t none[1] = {STR("server")};
  pm_config_t config = good_config();
  assert_int_equal(pm__config_check(&config, none, 0, NULL), UV_EPERM);
}

static void test_ids_that_may_be_used(void **state) {
  (void)state;
  static const pm_str_t ids[] = {
      STR_INIT("a"),          STR_INIT("proc_1000"), STR_INIT("__proto__"),  STR_INIT("🙂"),   STR_INIT(" "),
      STR_INIT("a/b:c\"'\\"), STR_INIT("\xc2\xa0"),  STR_INIT("\U0010ffff"), STR_INIT("\ufffd"), STR_INIT("naïve id"),
  };
  for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
    pm_error_t error;
    if (pm__id_check(ids[i], &error) != 0) fail_msg("%s", error.message);
  }
}

static void test_ids_that_may_not_be_used(void **state) {
  (void)state;
  static const struct {
    pm_str_t id;
    const char *quoted;
  } cases[] = {
      {STR_INIT(""), "\"\""},
      {STR_INIT("a\0b"), "\"a\\x00b\""},
      {STR_INIT("a\n"), "\"a\\x0A\""},
      {STR_INIT("\x1f"), "\"\\x1F\""},
      {STR_INIT("\x7f"), "\"\\x7F\""},
      {STR_INIT("\xc2\x80"), "\"\\xC2\\x80\""},
      {STR_INIT("\xc2\x9f"), "\"\\xC2\\x9F\""},
      {STR_INIT("\xff"), "\"\\xFF\""},
      {STR_INIT("a\xc3"), "\"a\\xC3\""},
      {STR_INIT("\xed\xa0\x80"), "\"\\xED\\xA0\\x80\""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char message[256];
    pm_config_t config = good_config();
    config.id = cases[i].id;
    snprintf(message, sizeof(message), "config.id must be 1 to 256 bytes of UTF-8 without control characters; got %s",
             cases[i].quoted);
    assert_fails(&config, UV_EINVAL, "ERR_INVALID_ID", "TypeError", message);
  }
}

static void test_the_length_of_an_id(void **state) {
  (void)state;
  char id[257];
  pm_error_t error;
  memset(id, 'a', sizeof(id));
  assert_int_equal(pm__id_check((pm_str_t){id, 256}, &error), 0);
  assert_int_equal(pm__id_check((pm_str_t){id, 257}, &error), UV_EINVAL);
  assert_contains(error.message, "(257 bytes)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_minimal_config_passes),
      cmocka_unit_test(test_the_command_is_required),
      cmocka_unit_test(test_the_missing_command_is_named_before_all_else),
      cmocka_unit_test(test_nul_bytes_are_refused),
      cmocka_unit_test(test_an_empty_working_dir_is_refused),
      cmocka_unit_test(test_a_working_dir_and_a_private_one_exclude_each_other),
      cmocka_unit_test(test_bad_variable_names_are_refused),
      cmocka_unit_test(test_unusual_names_pass),
      cmocka_unit_test(test_nul_in_a_value_is_refused_without_showing_it),
      cmocka_unit_test(test_a_long_name_is_cut_in_the_message),
      cmocka_unit_test(test_unsafe_variables_are_refused),
      cmocka_unit_test(test_unsafe_variables_may_be_taken_away),
      cmocka_unit_test(test_the_hosts_own_unsafe_variables_are_its_business),
      cmocka_unit_test(test_an_unsafe_variable_may_be_allowed_by_name),
      cmocka_unit_test(test_many_unsafe_variables_may_be_allowed),
      cmocka_unit_test(test_no_memory_for_many_names),
      cmocka_unit_test(test_only_listed_commands_are_allowed),
      cmocka_unit_test(test_an_empty_list_allows_no_command),
      cmocka_unit_test(test_ids_that_may_be_used),
      cmocka_unit_test(test_ids_that_may_not_be_used),
      cmocka_unit_test(test_the_length_of_an_id),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
