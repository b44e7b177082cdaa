#include "support.h"

#include <limits.h>
#include <stdlib.h>

#include "core/launch/command.h"
#include "literals.h"

static const pm__command_t zero;

static void build(pm__command_t *c, const pm_config_t *config) {
  pm__env_block_t *recent = NULL;
  pm_error_t error;
  memset(c, 0xff, sizeof(*c));
  if (pm__command_build(c, config, NULL, 0, &recent, &error) != 0) fail_msg("%s", error.message);
  pm__env_block_unref(recent);
}

static void assert_strings(char **got, const char *const *expected) {
  for (; *expected != NULL; got++, expected++) {
    if (*got == NULL) fail_msg("%s is missing", *expected);
    assert_string_equal(*got, *expected);
  }
  assert_null(*got);
}

#define EXPECT(got, ...) assert_strings((got), (const char *const[]){__VA_ARGS__, NULL})

static void test_a_bare_command(void **state) {
  (void)state;
  const pm_config_t config = {.command = STR("server")};
  pm__command_t c;
  build(&c, &config);
  assert_string_equal(c.name, "server");
  assert_ptr_equal(c.argv[0], c.name);
  EXPECT(c.argv, "server");
  assert_null(c.working_dir);
  assert_null(c.env->envp[0]);
  pm__command_free(&c);
  assert_memory_equal(&c, &zero, sizeof(c));
}

static void test_everything_is_copied(void **state) {
  (void)state;
  char command[] = "/opt/run", arg[] = "one", dir[] = "/srv/data", name[] = "KEY", value[] = "v";
  const pm_str_t args[] = {{arg, 3}, STR(""), STR("-x \xff\n"), NOT_GIVEN};
  const pm_env_var_t env = {{name, 3}, {value, 1}};
  const pm_config_t config = {.command = {command, strlen(command)},
                              .args = args,
                              .arg_count = 4,
                              .working_dir = {dir, strlen(dir)},
                              .env = &env,
                              .env_count = 1};
  pm__command_t c;
  build(&c, &config);
  memset(command, '#', sizeof(command));
  memset(arg, '#', sizeof(arg));
  memset(dir, '#', sizeof(dir));
  memset(name, '#', sizeof(name));
  memset(value, '#', sizeof(value));
  EXPECT(c.argv, "/opt/run", "one", "", "-x \xff\n", "");
  EXPECT(c.candidates, "/opt/run");
  EXPECT(c.env->envp, "KEY=v");
  assert_string_equal(c.working_dir, "/srv/data");
  pm__command_free(&c);
}

static void test_only_the_given_lengths_are_read(void **state) {
  (void)state;
  const pm_str_t args[] = {{"argument", 3}};
  const pm_config_t config = {
      .command = {"/bin/true...", 9}, .args = args, .arg_count = 1, .working_dir = {"/tmp...", 4}};
  pm__command_t c;
  build(&c, &config);
  EXPECT(c.argv, "/bin/true", "arg");
  assert_string_equal(c.working_dir, "/tmp");
  pm__command_free(&c);
}

static void build_with_path(pm__command_t *c, pm_str_t command, pm_str_t path) {
  const pm_env_var_t host = {STR("PATH"), STR("/host/bin")};
  const pm_env_var_t env = {STR("PATH"), path};
  const pm_config_t config = {.command = command, .host_env = &host, .host_env_count = 1, .env = &env, .env_count = 1};
  build(c, &config);
}

static void test_a_command_with_a_slash_is_not_looked_up(void **state) {
  (void)state;
  pm__command_t c;
  build_with_path(&c, STR("./x"), STR("/a:/b"));
  EXPECT(c.candidates, "./x");
  pm__command_free(&c);
  build_with_path(&c, STR("dir/x"), STR("/a:/b"));
  EXPECT(c.candidates, "dir/x");
  pm__command_free(&c);
}

static void test_the_childs_own_path_is_searched(void **state) {
  (void)state;
  pm__command_t c;
  build_with_path(&c, STR("x"), STR("/a:/b/:rel"));
  EXPECT(c.candidates, "/a/x", "/b//x", "rel/x");
  pm__command_free(&c);
}

static void test_an_inherited_path_is_searched(void **state) {
  (void)state;
  const pm_env_var_t host = {STR("PATH"), STR("/host/bin")};
  pm_config_t config = {.command = STR("x"), .host_env = &host, .host_env_count = 1};
  pm__command_t c;
  build(&c, &config);
  EXPECT(c.candidates, "/host/bin/x");
  pm__command_free(&c);

  config.inherit = PM_INHERIT_NONE;
  build(&c, &config);
  EXPECT(c.candidates, "/usr/local/bin/x", "/usr/bin/x", "/bin/x");
  pm__command_free(&c);
}

static void test_without_a_path_the_usual_places_are_searched(void **state) {
  (void)state;
  pm__command_t c;
  build_with_path(&c, STR("x"), NOT_GIVEN);
  EXPECT(c.candidates, "/usr/local/bin/x", "/usr/bin/x", "/bin/x");
  assert_null(c.env->envp[0]);
  pm__command_free(&c);
}

static void test_empty_elements_mean_the_working_directory(void **state) {
  (void)state;
  pm__command_t c;
  build_with_path(&c, STR("x"), STR(""));
  EXPECT(c.candidates, "./x");
  pm__command_free(&c);
  build_with_path(&c, STR("x"), STR(":"));
  EXPECT(c.candidates, "./x", "./x");
  pm__command_free(&c);
  build_with_path(&c, STR("x"), STR(":/a::/b:"));
  EXPECT(c.candidates, "./x", "/a/x", "./x", "/b/x", "./x");
  pm__command_free(&c);
}

/* The list would be as long as the path times the command. */
static void test_a_name_too_long_for_a_file_has_one_candidate(void **state) {
  (void)state;
  enum { LONG = 1 << 20 };
  char *name = malloc(LONG), *path = malloc(LONG);
  assert_true(name != NULL && path != NULL);
  memset(name, 'n', LONG);
  memset(path, ':', LONG);
  pm__command_t c;
  build_with_path(&c, (pm_str_t){name, LONG}, (pm_str_t){path, LONG});
  assert_begins(c.candidates[0], "./nnn");
  assert_int_equal(strlen(c.candidates[0]), LONG + 2);
  assert_null(c.candidates[1]);
  pm__command_free(&c);

  build_with_path(&c, (pm_str_t){name, NAME_MAX}, STR("/a:/b"));
  assert_non_null(c.candidates[1]);
  pm__command_free(&c);
  build_with_path(&c, (pm_str_t){name, NAME_MAX + 1}, STR("/a:/b"));
  assert_begins(c.candidates[0], "/a/nnn");
  assert_null(c.candidates[1]);
  pm__command_free(&c);
  free(name);
  free(path);
}

static void test_many_arguments(void **state) {
  (void)state;
  enum { MANY = 100000 };
  pm_str_t *args = malloc(MANY * sizeof(*args));
  assert_non_null(args);
  for (size_t i = 0; i < MANY; i++)
    args[i] = STR("argument");
  const pm_config_t config = {.command = STR("/x"), .args = args, .arg_count = MANY};
  pm__command_t c;
  build(&c, &config);
  assert_string_equal(c.argv[MANY], "argument");
  assert_null(c.argv[MANY + 1]);
  pm__command_free(&c);
  free(args);
}

static void test_commands_share_equal_environments(void **state) {
  (void)state;
  const pm_env_var_t env = {STR("A"), STR("1")};
  const pm_config_t config = {.command = STR("x"), .env = &env, .env_count = 1};
  pm__env_block_t *recent = NULL;
  pm__command_t first, second;
  assert_int_equal(pm__command_build(&first, &config, NULL, 0, &recent, NULL), 0);
  assert_int_equal(pm__command_build(&second, &config, NULL, 0, &recent, NULL), 0);
  assert_ptr_equal(first.env, second.env);
  pm__command_free(&first);
  pm__env_block_unref(recent);
  assert_string_equal(second.env->envp[0], "A=1");
  pm__command_free(&second);
}

static void test_a_bad_config_leaves_zeros(void **state) {
  (void)state;
  const pm_config_t config = {.command = STR("")};
  pm__env_block_t *recent = NULL;
  pm_error_t error;
  pm__command_t c;
  memset(&c, 0xff, sizeof(c));
  assert_int_equal(pm__command_build(&c, &config, NULL, 0, &recent, &error), UV_EINVAL);
  assert_string_equal(error.code, "ERR_COMMAND_REQUIRED");
  assert_memory_equal(&c, &zero, sizeof(c));
  assert_null(recent);
}

static void test_a_command_that_is_not_allowed(void **state) {
  (void)state;
  const pm_str_t allowed[] = {STR("node")};
  pm_config_t config = {.command = STR("rm")};
  pm__env_block_t *recent = NULL;
  pm_error_t error;
  pm__command_t c;
  assert_int_equal(pm__command_build(&c, &config, allowed, 1, &recent, &error), UV_EPERM);
  assert_string_equal(error.code, "ERR_COMMAND_NOT_ALLOWED");
  assert_memory_equal(&c, &zero, sizeof(c));
  config.command = STR("node");
  assert_int_equal(pm__command_build(&c, &config, allowed, 1, &recent, &error), 0);
  pm__command_free(&c);
  pm__env_block_unref(recent);
}

static void test_each_allocation_may_fail(void **state) {
  (void)state;
  const pm_str_t args[] = {STR("a"), STR("b")};
  const pm_env_var_t env[] = {{STR("LD_X"), STR("1")}, {STR("B"), STR("2")}};
  pm_str_t unsafe[20];
  for (size_t i = 0; i < 20; i++)
    unsafe[i] = STR("LD_X");
  const pm_config_t config = {.command = STR("x"),
                              .args = args,
                              .arg_count = 2,
                              .working_dir = STR("/"),
                              .env = env,
                              .env_count = 2,
                              .allow_unsafe_env = unsafe,
                              .allow_unsafe_env_count = 20};
  pm__env_block_t *recent = NULL;
  unsigned long n = 1;
  for (;; n++) {
    pm__command_t c;
    pm_error_t error = {0};
    memset(&c, 0xff, sizeof(c));
    alloc_fail_nth(n);
    int r = pm__command_build(&c, &config, NULL, 0, &recent, &error);
    bool failed = alloc_seen() >= n;
    alloc_fail_nth(0);
    assert_int_equal(r, failed ? UV_ENOMEM : 0);
    if (failed) {
      assert_memory_equal(&c, &zero, sizeof(c));
      assert_string_equal(error.code, "ENOMEM");
    }
    pm__command_free(&c);
    if (!failed) break;
  }
  assert_in_range(n, 5, 20); /* names, list, block, texts have failed before */
  assert_int_equal(recent->refs, 1);
  pm__env_block_unref(recent);
}

static void test_free_of_a_zeroed_one(void **state) {
  (void)state;
  pm__command_t c = {0};
  pm__command_free(&c);
  assert_memory_equal(&c, &zero, sizeof(c));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_bare_command),
      cmocka_unit_test(test_everything_is_copied),
      cmocka_unit_test(test_only_the_given_lengths_are_read),
      cmocka_unit_test(test_a_command_with_a_slash_is_not_looked_up),
      cmocka_unit_test(test_the_childs_own_path_is_searched),
      cmocka_unit_test(test_an_inherited_path_is_searched),
      cmocka_unit_test(test_without_a_path_the_usual_places_are_searched),
      cmocka_unit_test(test_empty_elements_mean_the_working_directory),
      cmocka_unit_test(test_a_name_too_long_for_a_file_has_one_candidate),
      cmocka_unit_test(test_many_arguments),
      cmocka_unit_test(test_commands_share_equal_environments),
      cmocka_unit_test(test_a_bad_config_leaves_zeros),
      cmocka_unit_test(test_a_command_that_is_not_allowed),
      cmocka_unit_test(test_each_allocation_may_fail),
      cmocka_unit_test(test_free_of_a_zeroed_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
