#include "support.h"

#include "core/launch/env.h"
#include "literals.h"

static bool inherits(pm_inherit_t policy, pm_str_t name, pm_str_t value) {
  const pm_config_t config = {.inherit = policy};
  return pm__env_inherits(&config, name, value);
}

static void test_all_inherits_everything(void **state) {
  (void)state;
  assert_true(inherits(PM_INHERIT_ALL, STR("HOME"), STR("/home/a")));
  assert_true(inherits(PM_INHERIT_ALL, STR("LD_PRELOAD"), STR("x.so")));
  assert_true(inherits(PM_INHERIT_ALL, STR("f"), STR("() { :; }")));
}

static void test_none_inherits_nothing(void **state) {
  (void)state;
  assert_false(inherits(PM_INHERIT_NONE, STR("HOME"), STR("/home/a")));
  assert_false(inherits(PM_INHERIT_NONE, STR("PATH"), STR("/bin")));
}

static void test_safe_inherits_six_names(void **state) {
  (void)state;
  static const pm_str_t yes[] = {STR_INIT("HOME"),  STR_INIT("LOGNAME"), STR_INIT("PATH"),
                                 STR_INIT("SHELL"), STR_INIT("TERM"),    STR_INIT("USER")};
  static const pm_str_t no[] = {STR_INIT("home"), STR_INIT("HOM"),   STR_INIT("HOMES"),
                                STR_INIT(""),     STR_INIT("TOKEN"), STR_INIT("LD_PRELOAD")};
  for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
    assert_true(inherits(PM_INHERIT_SAFE, yes[i], STR("x")));
  for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
    assert_false(inherits(PM_INHERIT_SAFE, no[i], STR("x")));
}

static void test_safe_leaves_out_shell_functions(void **state) {
  (void)state;
  assert_false(inherits(PM_INHERIT_SAFE, STR("TERM"), STR("() { evil; }")));
  assert_false(inherits(PM_INHERIT_SAFE, STR("TERM"), STR("()")));
  assert_true(inherits(PM_INHERIT_SAFE, STR("TERM"), STR("(")));
  assert_true(inherits(PM_INHERIT_SAFE, STR("TERM"), STR(" ()")));
  assert_true(inherits(PM_INHERIT_SAFE, STR("TERM"), STR("")));
}

static void test_names_inherits_the_names(void **state) {
  (void)state;
  const pm_str_t names[] = {STR("HOME"), STR("TOKEN"), STR("")};
  const pm_config_t config = {.inherit = PM_INHERIT_NAMES, .inherit_names = names, .inherit_name_count = 3};
  assert_true(pm__env_inherits(&config, STR("HOME"), STR("x")));
  assert_true(pm__env_inherits(&config, STR("TOKEN"), STR("() { x; }")));
  assert_false(pm__env_inherits(&config, STR("TOKENS"), STR("x")));
  assert_false(pm__env_inherits(&config, STR("TOKE"), STR("x")));
  assert_false(pm__env_inherits(&config, STR("PATH"), STR("x")));
  assert_false(inherits(PM_INHERIT_NAMES, STR("HOME"), STR("x")));
}

static void test_an_unknown_policy_inherits_nothing(void **state) {
  (void)state;
  assert_false(inherits((pm_inherit_t)99, STR("HOME"), STR("x")));
}

static void test_unsafe_names(void **state) {
  (void)state;
  static const pm_str_t names[] = {
      STR_INIT("LD_PRELOAD"),
      STR_INIT("LD_LIBRARY_PATH"),
      STR_INIT("LD_AUDIT"),
      STR_INIT("LD_"),
      STR_INIT("DYLD_INSERT_LIBRARIES"),
      STR_INIT("GCONV_PATH"),
      STR_INIT("GLIBC_TUNABLES"),
      STR_INIT("NODE_OPTIONS"),
      STR_INIT("BASH_ENV"),
      STR_INIT("ENV"),
      STR_INIT("ZDOTDIR"),
      STR_INIT("SHELLOPTS"),
      STR_INIT("BASHOPTS"),
      STR_INIT("PS4"),
      STR_INIT("PROMPT_COMMAND"),
      STR_INIT("BASH_FUNC_ls%%"),
      STR_INIT("PYTHONSTARTUP"),
      STR_INIT("PYTHONBREAKPOINT"),
      STR_INIT("PYTHONHOME"),
      STR_INIT("PERL5OPT"),
      STR_INIT("PERL5DB"),
      STR_INIT("RUBYOPT"),
      STR_INIT("JAVA_TOOL_OPTIONS"),
      STR_INIT("JDK_JAVA_OPTIONS"),
      STR_INIT("_JAVA_OPTIONS"),
      STR_INIT("DOTNET_STARTUP_HOOKS"),
      STR_INIT("LUA_INIT"),
      STR_INIT("LUA_INIT_5_4"),
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (!pm__env_is_unsafe(names[i], STR("x"))) fail_msg("%s passed", names[i].base);
  }
}

static void test_names_that_real_configs_use_are_allowed(void **state) {
  (void)state;
  static const pm_str_t names[] = {
      STR_INIT("PATH"),        STR_INIT("PYTHONPATH"), STR_INIT("NODE_PATH"),
      STR_INIT("PERL5LIB"),    STR_INIT("NODE_ENV"),   STR_INIT("API_KEY"),
      STR_INIT("ENVIRONMENT"), STR_INIT("EN"),         STR_INIT("LD"),
      STR_INIT("OLD_PRELOAD"), STR_INIT("ld_preload"), STR_INIT("NODE_OPTIONS_"),
      STR_INIT("PS"),          STR_INIT("PS1"),        STR_INIT("BASH_FUNC"),
      STR_INIT("LUA_PATH"),    STR_INIT(""),           STR_INIT("PYTHONUNBUFFERED"),
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (pm__env_is_unsafe(names[i], STR("x"))) fail_msg("%s did not pass", names[i].base);
  }
}

static void test_a_shell_function_is_unsafe_under_any_name(void **state) {
  (void)state;
  assert_true(pm__env_is_unsafe(STR("HARMLESS"), STR("() { :; }; evil")));
  assert_true(pm__env_is_unsafe(STR("HARMLESS"), STR("()")));
  assert_false(pm__env_is_unsafe(STR("HARMLESS"), STR("(x)")));
  assert_false(pm__env_is_unsafe(STR("HARMLESS"), STR("")));
  assert_false(pm__env_is_unsafe(STR("HARMLESS"), NOT_GIVEN));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_inherits_everything),
      cmocka_unit_test(test_none_inherits_nothing),
      cmocka_unit_test(test_safe_inherits_six_names),
      cmocka_unit_test(test_safe_leaves_out_shell_functions),
      cmocka_unit_test(test_names_inherits_the_names),
      cmocka_unit_test(test_an_unknown_policy_inherits_nothing),
      cmocka_unit_test(test_unsafe_names),
      cmocka_unit_test(test_names_that_real_configs_use_are_allowed),
      cmocka_unit_test(test_a_shell_function_is_unsafe_under_any_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
