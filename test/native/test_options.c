#include "core/options.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/launch/signal_name.h"
#include "literals.h"
#include "support.h"

static void test_table_names_defaults_and_scope(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double initial;
    bool per_process;
  } expected[PM_OPT_COUNT] = {
      [PM_OPT_MAX_PROCESSES] = {"maxProcesses", 100, false},
      [PM_OPT_MAX_ENDED] = {"maxEnded", 100, false},
      [PM_OPT_MONITOR_INTERVAL] = {"monitorInterval", 5000, false},
      [PM_OPT_MAX_TOTAL_MEMORY] = {"maxTotalMemory", INFINITY, false},
      [PM_OPT_MAX_SPAWNS_PER_SECOND] = {"maxSpawnsPerSecond", 20, false},
      [PM_OPT_METRICS_HISTORY] = {"metricsHistory", 0, true},
      [PM_OPT_MAX_LOG_LINES] = {"maxLogLines", 1000, true},
      [PM_OPT_MAX_LOG_BYTES] = {"maxLogBytes", 4.0 * 1024 * 1024, true},
      [PM_OPT_STOP_TIMEOUT] = {"stopTimeout", 5000, true},
      [PM_OPT_EOF_TIMEOUT] = {"eofTimeout", 0, true},
      [PM_OPT_HOST_EXIT_TIMEOUT] = {"hostExitTimeout", 2000, true},
      [PM_OPT_MAX_RESTARTS] = {"maxRestarts", 5, true},
      [PM_OPT_RESTART_DELAY] = {"restartDelay", 1000, true},
      [PM_OPT_RESTART_FACTOR] = {"restartFactor", 2, true},
      [PM_OPT_MAX_RESTART_DELAY] = {"maxRestartDelay", 30000, true},
      [PM_OPT_RESTART_JITTER] = {"restartJitter", 0.1, true},
      [PM_OPT_STABLE_AFTER] = {"stableAfter", 60000, true},
      [PM_OPT_STDIN_HIGH_WATER_MARK] = {"stdinHighWaterMark", 65536, true},
      [PM_OPT_MAX_STDIN_BYTES] = {"maxStdinBytes", 64.0 * 1024 * 1024, true},
      [PM_OPT_PIPE_SIZE] = {"pipeSize", 1 << 20, true},
      [PM_OPT_MESSAGES] = {"messages", PM_MESSAGES_NONE, true},
      [PM_OPT_MAX_MESSAGE_BYTES] = {"maxMessageBytes", 10.0 * 1024 * 1024, true},
      [PM_OPT_LOG_MESSAGES] = {"logMessages", 1, true},
      [PM_OPT_LOG_FILE_MAX_BYTES] = {"logFile.maxBytes", 10.0 * 1024 * 1024, true},
      [PM_OPT_LOG_FILE_MAX_FILES] = {"logFile.maxFiles", 5, true},
      [PM_OPT_AUTO_RESTART] = {"autoRestart", 0, true},
      [PM_OPT_PRIVATE_WORKING_DIR] = {"privateWorkingDir", 0, true},
      [PM_OPT_STDIN] = {"stdin", PM_STDIN_PIPE, true},
      [PM_OPT_ENCODING] = {"encoding", PM_ENCODING_UTF8, true},
      [PM_OPT_KILL_TREE] = {"killTree", 1, true},
      [PM_OPT_CONTAINMENT] = {"containment", PM_CONTAINMENT_TREE, true},
      [PM_OPT_STOP_SIGNAL] = {"stopSignal.signal", 0, true},
      [PM_OPT_STOP_SIGNAL_TO] = {"stopSignal.to", PM_STOP_TREE, true},
      [PM_OPT_LIMIT_CPU_SECONDS] = {"limits.cpuSeconds", INFINITY, true},
      [PM_OPT_LIMIT_FILE_SIZE] = {"limits.fileSize", INFINITY, true},
      [PM_OPT_LIMIT_OPEN_FILES] = {"limits.openFiles", INFINITY, true},
      [PM_OPT_LIMIT_PROCESSES] = {"limits.processes", INFINITY, true},
      [PM_OPT_LIMIT_ADDRESS_SPACE] = {"limits.addressSpace", INFINITY, true},
      [PM_OPT_LIMIT_DATA_SIZE] = {"limits.dataSize", INFINITY, true},
      [PM_OPT_LIMIT_STACK_SIZE] = {"limits.stackSize", INFINITY, true},
      [PM_OPT_LIMIT_LOCKED_MEMORY] = {"limits.lockedMemory", INFINITY, true},
      [PM_OPT_LIMIT_CORE_SIZE] = {"limits.coreSize", INFINITY, true},
      [PM_OPT_LIMIT_MEMORY] = {"limits.memory", INFINITY, true},
      [PM_OPT_LIMIT_MEMORY_ACTION] = {"limits.memoryAction", PM_MEMORY_RESTART, true},
      [PM_OPT_LIMIT_NICE] = {"limits.nice", 0, true},
  };
  pm_options_t o;
  memset(&o, 0xff, sizeof(o));
  pm_options_init(&o);
  for (int i = 0; i < PM_OPT_COUNT; i++) {
    assert_string_equal(pm_option_table[i].name, expected[i].name);
    assert_true(o.value[i] == expected[i].initial);
    assert_int_equal(pm_option_table[i].per_process, expected[i].per_process);
  }
}

static void test_every_default_is_accepted(void **state) {
  (void)state;
  pm_options_t o;
  pm_error_t error;
  for (int i = 0; i < PM_OPT_COUNT; i++)
    assert_int_equal(pm_options_set_number(&o, i, pm_option_table[i].initial, "options", &error), 0);
}

/* Every option that takes a number, and how a message describes its range. */
static const struct range {
  pm_option_index_t i;
  double min, max;
  bool integer;
  const char *wanted;
} ranges[] = {
    {PM_OPT_MAX_PROCESSES, 1, 1e6, true, "an integer from 1 to 1000000"},
    {PM_OPT_MAX_ENDED, 0, 1e6, true, "an integer from 0 to 1000000"},
    {PM_OPT_MONITOR_INTERVAL, 0, 2147483648.0, true, "an integer from 0 to 2147483648"},
    {PM_OPT_MAX_LOG_LINES, 1, 1e7, true, "an integer from 1 to 10000000"},
    {PM_OPT_MAX_LOG_BYTES, 1024, 268435456.0, true, "an integer from 1024 to 268435456"},
    {PM_OPT_STOP_TIMEOUT, 0, INFINITY, false, "a number from 0 to Infinity"},
    {PM_OPT_EOF_TIMEOUT, 0, 2147483648.0, false, "a number from 0 to 2147483648"},
    {PM_OPT_HOST_EXIT_TIMEOUT, 0, 2147483648.0, false, "a number from 0 to 2147483648"},
    {PM_OPT_MAX_RESTARTS, 0, INFINITY, true, "an integer from 0 to Infinity"},
    {PM_OPT_RESTART_DELAY, 0, 2147483648.0, false, "a number from 0 to 2147483648"},
    {PM_OPT_RESTART_FACTOR, 1, 1000, false, "a number from 1 to 1000"},
    {PM_OPT_MAX_RESTART_DELAY, 0, 2147483648.0, false, "a number from 0 to 2147483648"},
    {PM_OPT_RESTART_JITTER, 0, 1, false, "a number from 0 to 1"},
    {PM_OPT_STABLE_AFTER, 0, INFINITY, false, "a number from 0 to Infinity"},
    {PM_OPT_STDIN_HIGH_WATER_MARK, 1, 9007199254740991.0, true, "an integer from 1 to 9007199254740991"},
    {PM_OPT_MAX_STDIN_BYTES, 1, 9007199254740991.0, true, "an integer from 1 to 9007199254740991"},
    {PM_OPT_PIPE_SIZE, 4096, 2147483648.0, true, "an integer from 4096 to 2147483648"},
    {PM_OPT_MAX_MESSAGE_BYTES, 1024, 268435456.0, true, "an integer from 1024 to 268435456"},
    {PM_OPT_LOG_FILE_MAX_BYTES, 4096, 9007199254740991.0, true, "an integer from 4096 to 9007199254740991"},
    {PM_OPT_LOG_FILE_MAX_FILES, 1, 1000, true, "an integer from 1 to 1000"},
    {PM_OPT_LIMIT_CPU_SECONDS, 1, INFINITY, true, "an integer from 1 to Infinity"},
    {PM_OPT_LIMIT_FILE_SIZE, 0, INFINITY, true, "an integer from 0 to Infinity"},
    {PM_OPT_LIMIT_OPEN_FILES, 3, INFINITY, true, "an integer from 3 to Infinity"},
    {PM_OPT_LIMIT_PROCESSES, 1, INFINITY, true, "an integer from 1 to Infinity"},
    {PM_OPT_LIMIT_ADDRESS_SPACE, 1048576, INFINITY, true, "an integer from 1048576 to Infinity"},
    {PM_OPT_LIMIT_DATA_SIZE, 4096, INFINITY, true, "an integer from 4096 to Infinity"},
    {PM_OPT_LIMIT_STACK_SIZE, 131072, INFINITY, true, "an integer from 131072 to Infinity"},
    {PM_OPT_LIMIT_LOCKED_MEMORY, 0, INFINITY, true, "an integer from 0 to Infinity"},
    {PM_OPT_LIMIT_CORE_SIZE, 0, INFINITY, true, "an integer from 0 to Infinity"},
    {PM_OPT_LIMIT_NICE, -40, 39, true, "an integer from -40 to 39"},
    {PM_OPT_LIMIT_MEMORY, 1048576, INFINITY, true, "an integer from 1048576 to Infinity"},
    {PM_OPT_MAX_TOTAL_MEMORY, 1048576, INFINITY, true, "an integer from 1048576 to Infinity"},
};

static const size_t range_count = sizeof(ranges) / sizeof(ranges[0]);

static void assert_accepted(pm_option_index_t i, double v) {
  pm_options_t o;
  pm_error_t error;
  pm_options_init(&o);
  if (pm_options_set_number(&o, i, v, "options", &error) != 0) fail_msg("%s", error.message);
  assert_true(o.value[i] == v);
}

/* v is refused, the message ends in text, and nothing has changed. */
static void assert_refused(const struct range *range, double v, const char *text) {
  char message[256];
  pm_options_t o, before;
  pm_error_t error;
  pm_options_init(&o);
  before = o;
  assert_int_equal(pm_options_set_number(&o, range->i, v, "options", &error), UV_EINVAL);
  assert_memory_equal(&o, &before, sizeof(o));
  snprintf(message, sizeof(message), "options.%s must be %s; got %s", pm_option_table[range->i].name, range->wanted,
           text);
  assert_string_equal(error.message, message);
  assert_string_equal(error.code, "ERR_OUT_OF_RANGE");
  assert_string_equal(error.kind, "RangeError");
  assert_int_equal(error.err, UV_EINVAL);
}

static void test_both_ends_of_every_range_are_accepted(void **state) {
  (void)state;
  for (size_t i = 0; i < range_count; i++) {
    assert_accepted(ranges[i].i, ranges[i].min);
    assert_accepted(ranges[i].i, ranges[i].max);
  }
}

static void test_beyond_every_range_is_refused(void **state) {
  (void)state;
  char text[32];
  for (size_t i = 0; i < range_count; i++) {
    double below = ranges[i].min - 1;
    snprintf(text, sizeof(text), "%.0f", below);
    assert_refused(&ranges[i], below, text);
    assert_refused(&ranges[i], -INFINITY, "-Infinity");
    if (ranges[i].max == INFINITY) continue;
    assert_refused(&ranges[i], INFINITY, "Infinity");
    snprintf(text, sizeof(text), "%.0f", ranges[i].max + 1);
    assert_refused(&ranges[i], ranges[i].max + 1, text);
  }
}

static void test_nan_is_refused_everywhere(void **state) {
  (void)state;
  for (size_t i = 0; i < range_count; i++) {
    assert_refused(&ranges[i], NAN, "NaN");
    assert_refused(&ranges[i], -NAN, "NaN");
  }
}

static void test_fractions_are_for_numbers_only(void **state) {
  (void)state;
  for (size_t i = 0; i < range_count; i++) {
    if (ranges[i].integer) {
      char text[32];
      snprintf(text, sizeof(text), "%.1f", ranges[i].min + 0.5);
      assert_refused(&ranges[i], ranges[i].min + 0.5, text);
    } else {
      assert_accepted(ranges[i].i, ranges[i].min + 0.25);
    }
  }
}

static void test_huge_numbers_are_integers(void **state) {
  (void)state;
  assert_accepted(PM_OPT_MAX_RESTARTS, 1e300);
  assert_accepted(PM_OPT_MAX_RESTARTS, 9007199254740993.0);
}

static void test_negative_zero_becomes_zero(void **state) {
  (void)state;
  pm_options_t o;
  assert_int_equal(pm_options_set_number(&o, PM_OPT_STOP_TIMEOUT, -0.0, "options", NULL), 0);
  assert_false(signbit(o.value[PM_OPT_STOP_TIMEOUT]));
}

static void test_numbers_are_printed_with_the_fewest_digits(void **state) {
  (void)state;
  static const struct {
    double v;
    const char *text;
  } cases[] = {{1.1, "1.1"}, {-5, "-5"}, {1e21, "1e+21"}, {1.0000000000000002, "1.0000000000000002"}, {1e-7, "1e-07"}};
  const struct range *range = &ranges[0];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_refused(range, cases[i].v, cases[i].text);
}

static void test_message_says_where(void **state) {
  (void)state;
  pm_options_t o;
  pm_error_t error;
  assert_int_equal(pm_options_set_number(&o, PM_OPT_MAX_LOG_LINES, -5, "config", &error), UV_EINVAL);
  assert_string_equal(error.message, "config.maxLogLines must be an integer from 1 to 10000000; got -5");
}

static void test_booleans(void **state) {
  (void)state;
  static const double bad[] = {-1, 0.5, 2, INFINITY, NAN};
  pm_options_t o;
  pm_error_t error;
  assert_accepted(PM_OPT_AUTO_RESTART, 0);
  assert_accepted(PM_OPT_AUTO_RESTART, 1);
  assert_accepted(PM_OPT_PRIVATE_WORKING_DIR, 1);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(pm_options_set_number(&o, PM_OPT_AUTO_RESTART, bad[i], "options", &error), UV_EINVAL);
    assert_begins(error.message, "options.autoRestart must be true or false; got ");
    assert_string_equal(error.code, "ERR_INVALID_ARG_VALUE");
    assert_string_equal(error.kind, "TypeError");
  }
}

static void test_choices_by_name(void **state) {
  (void)state;
  static const struct {
    pm_option_index_t i;
    const char *word;
    int value;
  } cases[] = {
      {PM_OPT_STDIN, "pipe", PM_STDIN_PIPE},
      {PM_OPT_STDIN, "ignore", PM_STDIN_IGNORE},
      {PM_OPT_ENCODING, "utf8", PM_ENCODING_UTF8},
      {PM_OPT_ENCODING, "latin1", PM_ENCODING_LATIN1},
      {PM_OPT_ENCODING, "buffer", PM_ENCODING_BUFFER},
      {PM_OPT_CONTAINMENT, "tree", PM_CONTAINMENT_TREE},
      {PM_OPT_CONTAINMENT, "nested", PM_CONTAINMENT_NESTED},
      {PM_OPT_CONTAINMENT, "group", PM_CONTAINMENT_GROUP},
      {PM_OPT_CONTAINMENT, "none", PM_CONTAINMENT_NONE},
      {PM_OPT_STOP_SIGNAL_TO, "tree", PM_STOP_TREE},
      {PM_OPT_STOP_SIGNAL_TO, "command", PM_STOP_COMMAND},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    pm_options_t o;
    pm_str_t word = {cases[i].word, strlen(cases[i].word)};
    memset(&o, 0xff, sizeof(o));
    assert_int_equal(pm_options_set_choice(&o, cases[i].i, word, "options", NULL), 0);
    assert_true(o.value[cases[i].i] == cases[i].value);
  }
}

static void test_other_words_are_no_choice(void **state) {
  (void)state;
  static const struct {
    pm_option_index_t i;
    pm_str_t word;
    const char *message;
  } cases[] = {
      {PM_OPT_STDIN, STR_INIT("foo"), "config.stdin must be one of 'pipe', 'ignore'; got \"foo\""},
      {PM_OPT_STDIN, STR_INIT(""), "config.stdin must be one of 'pipe', 'ignore'; got \"\""},
      {PM_OPT_STDIN, {NULL, 0}, "config.stdin must be one of 'pipe', 'ignore'; got nothing"},
      {PM_OPT_STDIN, STR_INIT("pip"), "config.stdin must be one of 'pipe', 'ignore'; got \"pip\""},
      {PM_OPT_STDIN, STR_INIT("pipe\0"), "config.stdin must be one of 'pipe', 'ignore'; got \"pipe\\x00\""},
      {PM_OPT_ENCODING, STR_INIT("UTF8"), "config.encoding must be one of 'utf8', 'latin1', 'buffer'; got \"UTF8\""},
      {PM_OPT_CONTAINMENT, STR_INIT("cgroup"),
       "config.containment must be one of 'tree', 'nested', 'group', 'none'; got \"cgroup\""},
      {PM_OPT_STOP_SIGNAL, STR_INIT("SIGKILL"),
       "config.stopSignal.signal must be one of 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'; "
       "got \"SIGKILL\""},
      {PM_OPT_STOP_SIGNAL_TO, STR_INIT("group"),
       "config.stopSignal.to must be one of 'tree', 'command'; got \"group\""},
      {PM_OPT_AUTO_RESTART, STR_INIT("yes"), "config.autoRestart must be true or false; got \"yes\""},
      {PM_OPT_MAX_ENDED, STR_INIT("9"), "config.maxEnded must be an integer from 0 to 1000000; got \"9\""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    pm_options_t o, before;
    pm_error_t error;
    pm_options_init(&o);
    before = o;
    assert_int_equal(pm_options_set_choice(&o, cases[i].i, cases[i].word, "config", &error), UV_EINVAL);
    assert_memory_equal(&o, &before, sizeof(o));
    assert_string_equal(error.message, cases[i].message);
    assert_string_equal(error.code, "ERR_INVALID_ARG_VALUE");
    assert_string_equal(error.kind, "TypeError");
  }
}

static void test_stop_signals(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int number;
  } signals[] = {{"SIGTERM", SIGTERM}, {"SIGINT", SIGINT},   {"SIGHUP", SIGHUP},
                 {"SIGQUIT", SIGQUIT}, {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}};
  pm_options_t o;
  pm_options_init(&o);
  assert_int_equal(pm__stop_signal(&o), SIGTERM);
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
    pm_str_t word = {signals[i].name, strlen(signals[i].name)};
    assert_int_equal(pm_options_set_choice(&o, PM_OPT_STOP_SIGNAL, word, "options", NULL), 0);
    assert_int_equal(pm__stop_signal(&o), signals[i].number);
    assert_int_equal(pm_signal_number(word), signals[i].number);
  }
}

/* What a number is called is one name, but it answers to both. */
static void test_second_names_of_signals(void **state) {
  (void)state;
  assert_int_equal(pm_signal_number((pm_str_t)STR_INIT("SIGIOT")), SIGABRT);
  assert_int_equal(pm_signal_number((pm_str_t)STR_INIT("SIGPOLL")), SIGIO);
  assert_string_equal(pm__signal_name(SIGIOT), "SIGABRT");
  assert_string_equal(pm__signal_name(SIGPOLL), "SIGIO");
}

static void test_a_number_is_a_choice_only_as_its_index(void **state) {
  (void)state;
  pm_options_t o;
  pm_error_t error;
  assert_accepted(PM_OPT_ENCODING, PM_ENCODING_BUFFER);
  assert_int_equal(pm_options_set_number(&o, PM_OPT_ENCODING, 3, "options", &error), UV_EINVAL);
  assert_string_equal(error.message, "options.encoding must be one of 'utf8', 'latin1', 'buffer'; got 3");
  assert_string_equal(error.code, "ERR_INVALID_ARG_VALUE");
  assert_int_equal(pm_options_set_number(&o, PM_OPT_STDIN, 0.5, "options", &error), UV_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table_names_defaults_and_scope),
      cmocka_unit_test(test_every_default_is_accepted),
      cmocka_unit_test(test_both_ends_of_every_range_are_accepted),
      cmocka_unit_test(test_beyond_every_range_is_refused),
      cmocka_unit_test(test_nan_is_refused_everywhere),
      cmocka_unit_test(test_fractions_are_for_numbers_only),
      cmocka_unit_test(test_huge_numbers_are_integers),
      cmocka_unit_test(test_negative_zero_becomes_zero),
      cmocka_unit_test(test_numbers_are_printed_with_the_fewest_digits),
      cmocka_unit_test(test_message_says_where),
      cmocka_unit_test(test_booleans),
      cmocka_unit_test(test_choices_by_name),
      cmocka_unit_test(test_other_words_are_no_choice),
      cmocka_unit_test(test_stop_signals),
      cmocka_unit_test(test_second_names_of_signals),
      cmocka_unit_test(test_a_number_is_a_choice_only_as_its_index),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
