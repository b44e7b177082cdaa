#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/launch/env_block.h"
#include "literals.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Builds the environment and compares it with expected, NULL-terminated. */
static void assert_environment(const pm_config_t *config, const char *const *expected) {
  pm__env_block_t *recent = NULL, *env = NULL;
  assert_int_equal(pm__env_block_make(config, &recent, &env), 0);
  size_t n = 0, size = 0;
  for (; expected[n] != NULL; n++) {
    if (env->envp[n] == NULL) fail_msg("%s is missing", expected[n]);
    assert_string_equal(env->envp[n], expected[n]);
    size += strlen(expected[n]) + 1;
  }
  assert_null(env->envp[n]);
  assert_int_equal(env->count, n);
  assert_int_equal(env->size, size);
  pm__env_block_unref(env);
  pm__env_block_unref(recent);
}

#define EXPECT(config, ...) assert_environment((config), (const char *const[]){__VA_ARGS__ NULL})

static void test_no_variables(void **state) {
  (void)state;
  const pm_config_t config = {.inherit = PM_INHERIT_ALL};
  EXPECT(&config, );
}

static void test_variables_are_merged_over_the_hosts(void **state) {
  (void)state;
  const pm_env_var_t host[] = {{STR("Z"), STR("1")}, {STR("A"), STR("2")}, {STR("M"), STR("")}};
  const pm_env_var_t own[] = {{STR("NEW"), STR("x=y")}, {STR("A"), STR("own")}, {STR("B"), STR("")}};
  const pm_config_t config = {
      .inherit = PM_INHERIT_ALL, .host_env = host, .host_env_count = 3, .env = own, .env_count = 3};
  EXPECT(&config, "Z=1", "A=own", "M=", "NEW=x=y", "B=", );
}

static void test_variables_can_be_taken_away(void **state) {
  (void)state;
  const pm_env_var_t host[] = {{STR("A"), STR("1")}, {STR("B"), STR("2")}, {STR("C"), STR("3")}};
  const pm_env_var_t own[] = {{STR("B"), NOT_GIVEN}, {STR("NOT_THERE"), NOT_GIVEN}};
  const pm_config_t config = {
      .inherit = PM_INHERIT_ALL, .host_env = host, .host_env_count = 3, .env = own, .env_count = 2};
  EXPECT(&config, "A=1", "C=3", );
}

static void test_later_duplicates_win(void **state) {
  (void)state;
  const pm_env_var_t host[] = {{STR("A"), STR("1")}, {STR("B"), STR("2")}, {STR("A"), STR("3")}};
  const pm_env_var_t own[] = {
      {STR("C"), STR("4")}, {STR("B"), NOT_GIVEN}, {STR("C"), STR("5")},
      {STR("B"), STR("6")}, {STR("D"), STR("7")},  {STR("D"), NOT_GIVEN},
  };
  const pm_config_t config = {
      .inherit = PM_INHERIT_ALL, .host_env = host, .host_env_count = 3, .env = own, .env_count = 6};
  EXPECT(&config, "A=3", "B=6", "C=5", );
}

static void test_a_prefix_is_another_name(void **state) {
  (void)state;
  const pm_env_var_t host[] = {{STR("AB"), STR("1")}, {STR("A"), STR("2")}, {STR("ABC"), STR("3")}};
  const pm_env_var_t own[] = {{STR("AB"), STR("4")}};
  const pm_config_t config = {
      .inherit = PM_INHERIT_ALL, .host_env = host, .host_env_count = 3, .env = own, .env_count = 1};
  EXPECT(&config, "AB=4", "A=2", "ABC=3", );
}

static void test_malformed_variables_of_the_host_are_left_out(void **state) {
  (void)state;
  const pm_env_var_t host[] = {
      {STR(""), STR("x")},    {STR("A=B"), STR("x")}, {STR("A\0"), STR("x")},
      {STR("A"), STR("x\0")}, {STR("A"), NOT_GIVEN},  {STR("GOOD"), STR("x")},
  };
  const pm_config_t config = {.inherit = PM_INHERIT_ALL, .host_env = host, .host_env_count = 6};
  EXPECT(&config, "GOOD=x", );
}

static void test_the_policy_is_for_the_hosts_variables_only(void **state) {
  (void)state;
  const pm_env_var_t host[] = {{STR("TOKEN"), STR("1")}, {STR("PATH"), STR("/bin")}, {STR("TERM"), STR("() { x; }")}};
  const pm_env_var_t own[] = {{STR("OWN"), STR("2")}};
  const pm_str_t names[] = {STR("TOKEN")};
  pm_config_t config = {.host_env = host, .host_env_count = 3, .env = own, .env_count = 1};
  config.inherit_names = names;
  config.inherit_name_count = 1;

  config.inherit = PM_INHERIT_NONE;
  EXPECT(&config, "OWN=2", );
  config.inherit = PM_INHERIT_SAFE;
  EXPECT(&config, "PATH=/bin", "OWN=2", );
  config.inherit = PM_INHERIT_NAMES;
  EXPECT(&config, "TOKEN=1", "OWN=2", );
}

static void test_bytes_of_any_value_are_kept(void **state) {
  (void)state;
  const pm_env_var_t own[] = {{STR("\xff\n\x01"), STR("\xfe==\r\n")}};
  const pm_config_t config = {.env = own, .env_count = 1, .inherit = PM_INHERIT_NONE};
  EXPECT(&config, "\xff\n\x01=\xfe==\r\n", );
}

static void test_equal_environments_are_shared(void **state) {
  (void)state;
  const pm_env_var_t own[] = {{STR("A"), STR("1")}, {STR("B"), STR("2")}};
  const pm_config_t config = {.env = own, .env_count = 2, .inherit = PM_INHERIT_NONE};
  pm__env_block_t *recent = NULL, *first, *second;
  assert_int_equal(pm__env_block_make(&config, &recent, &first), 0);
  assert_int_equal(pm__env_block_make(&config, &recent, &second), 0);
  assert_ptr_equal(first, second);
  assert_ptr_equal(recent, first);
  assert_int_equal(first->refs, 3);
  pm__env_block_unref(recent);
  pm__env_block_unref(first);
  assert_string_equal(second->envp[1], "B=2");
  pm__env_block_unref(second);
}

static void test_another_environment_replaces_the_recent_one(void **state) {
  (void)state;
  const pm_env_var_t a = {STR("A"), STR("1")}, b = {STR("A"), STR("2")};
  pm_config_t config = {.env = &a, .env_count = 1, .inherit = PM_INHERIT_NONE};
  pm__env_block_t *recent = NULL, *first, *second;
  assert_int_equal(pm__env_block_make(&config, &recent, &first), 0);
  config.env = &b;
  assert_int_equal(pm__env_block_make(&config, &recent, &second), 0);
  assert_ptr_equal(recent, second);
  assert_int_equal(first->refs, 1);
  assert_int_equal(second->refs, 2);
  assert_string_equal(first->envp[0], "A=1");
  pm__env_block_unref(first);
  pm__env_block_unref(second);
  pm__env_block_unref(recent);
}

static void test_a_longer_environment_that_begins_alike_is_another(void **state) {
  (void)state;
  const pm_env_var_t own[] = {{STR("A"), STR("1")}, {STR("B"), STR("2")}};
  pm_config_t config = {.env = own, .env_count = 1, .inherit = PM_INHERIT_NONE};
  pm__env_block_t *recent = NULL, *first, *second, *third;
  assert_int_equal(pm__env_block_make(&config, &recent, &first), 0);
  config.env_count = 2;
  assert_int_equal(pm__env_block_make(&config, &recent, &second), 0);
  config.env_count = 1;
  assert_int_equal(pm__env_block_make(&config, &recent, &third), 0);
  assert_int_equal(second->count, 2);
  assert_int_equal(third->count, 1);
  pm__env_block_unref(first);
  pm__env_block_unref(second);
  pm__env_block_unref(third);
  pm__env_block_unref(recent);
}

static void test_unref_of_nothing(void **state) {
  (void)state;
  pm__env_block_unref(NULL);
}

static void test_get(void **state) {
  (void)state;
  const pm_env_var_t own[] = {
      {STR("PATHS"), STR("1")}, {STR("PAT"), STR("2")}, {STR("PATH"), STR("3")}, {STR("EMPTY"), STR("")}};
  const pm_config_t config = {.env = own, .env_count = COUNT(own), .inherit = PM_INHERIT_NONE};
  pm__env_block_t *recent = NULL, *env;
  assert_int_equal(pm__env_block_make(&config, &recent, &env), 0);
  assert_string_equal(pm__env_block_get(env, "PATH").base, "3");
  assert_int_equal(pm__env_block_get(env, "PATH").len, 1);
  assert_non_null(pm__env_block_get(env, "EMPTY").base);
  assert_int_equal(pm__env_block_get(env, "EMPTY").len, 0);
  assert_null(pm__env_block_get(env, "PA").base);
  pm__env_block_unref(env);
  pm__env_block_unref(recent);
}

static void test_each_allocation_may_fail(void **state) {
  (void)state;
  const pm_env_var_t own[] = {{STR("A"), STR("1")}};
  const pm_config_t config = {.env = own, .env_count = 1, .inherit = PM_INHERIT_NONE};
  unsigned long n = 1;
  for (;; n++) {
    pm__env_block_t *recent = NULL, *env = NULL;
    alloc_fail_nth(n);
    int r = pm__env_block_make(&config, &recent, &env);
    bool failed = alloc_seen() >= n;
    alloc_fail_nth(0);
    assert_int_equal(r, failed ? UV_ENOMEM : 0);
    if (failed) assert_true(recent == NULL && env == NULL);
    pm__env_block_unref(env);
    pm__env_block_unref(recent);
    if (!failed) break;
  }
  assert_in_range(n, 2, 10);
}

/* Quadratic work would take minutes here and end at the time limit. */
static void test_a_hostile_number_of_variables(void **state) {
  (void)state;
  enum { MANY = 200000 };
  char(*names)[16] = malloc(MANY * sizeof(*names));
  pm_env_var_t *own = malloc(MANY * sizeof(*own));
  assert_true(names != NULL && own != NULL);
  for (size_t i = 0; i < MANY; i++) {
    /* Each name comes twice. */
    int len = snprintf(names[i], sizeof(names[i]), "N%zu", i % (MANY / 2));
    own[i] = (pm_env_var_t){{names[i], (size_t)len}, i < MANY / 2 ? STR("first") : STR("second")};
  }
  const pm_config_t config = {.env = own, .env_count = MANY, .inherit = PM_INHERIT_NONE};
  pm__env_block_t *recent = NULL, *env;
  assert_int_equal(pm__env_block_make(&config, &recent, &env), 0);
  assert_int_equal(env->count, MANY / 2);
  assert_string_equal(env->envp[0], "N0=second");
  assert_string_equal(env->envp[MANY / 2 - 1], "N99999=second");
  pm__env_block_unref(env);
  pm__env_block_unref(recent);
  free(own);
  free(names);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_variables),
      cmocka_unit_test(test_variables_are_merged_over_the_hosts),
      cmocka_unit_test(test_variables_can_be_taken_away),
      cmocka_unit_test(test_later_duplicates_win),
      cmocka_unit_test(test_a_prefix_is_another_name),
      cmocka_unit_test(test_malformed_variables_of_the_host_are_left_out),
      cmocka_unit_test(test_the_policy_is_for_the_hosts_variables_only),
      cmocka_unit_test(test_bytes_of_any_value_are_kept),
      cmocka_unit_test(test_equal_environments_are_shared),
      cmocka_unit_test(test_another_environment_replaces_the_recent_one),
      cmocka_unit_test(test_a_longer_environment_that_begins_alike_is_another),
      cmocka_unit_test(test_unref_of_nothing),
      cmocka_unit_test(test_get),
      cmocka_unit_test(test_each_allocation_may_fail),
      cmocka_unit_test(test_a_hostile_number_of_variables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
