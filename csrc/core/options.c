#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "options.h"

/* Doubles count by ones up to here; each one beyond it is an integer. */
#define SAFE_INTEGER 9007199254740991.0

/* The longest time: what fits libuv's timers and a 32-bit count of ms. */
#define LONGEST 2147483648.0

static const char *const stdin_choices[] = {"pipe", "ignore", NULL};
static const char *const encoding_choices[] = {"utf8", "latin1", "buffer", NULL};
static const char *const containment_choices[] = {"tree", "nested", "group", "none", NULL};
static const char *const stop_signal_choices[] = {"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", NULL};
static const char *const messages_choices[] = {"none", "raw", "json", NULL};
static const char *const memory_action_choices[] = {"restart", "stop", "event", NULL};
static const char *const stop_to_choices[] = {"tree", "command", NULL};

#define INTEGER(name, min, max, initial, per_process)                                                                  \
  { name, PM_OPTION_INTEGER, min, max, initial, NULL, per_process }
#define NUMBER(name, min, max, initial, per_process)                                                                   \
  { name, PM_OPTION_NUMBER, min, max, initial, NULL, per_process }
#define BOOLEAN(name, initial)                                                                                         \
  { name, PM_OPTION_BOOLEAN, 0, 1, initial, NULL, true }
/* What is infinite is as the host has it. */
#define LIMIT(name, min) INTEGER(name, min, INFINITY, INFINITY, true)
#define CHOICE(name, choices, last, initial)                                                                           \
  { name, PM_OPTION_CHOICE, 0, last, initial, choices, true }

const pm_option_t pm_option_table[PM_OPT_COUNT] = {
    [PM_OPT_MAX_PROCESSES] = INTEGER("maxProcesses", 1, 1e6, 100, false),
    [PM_OPT_MAX_ENDED] = INTEGER("maxEnded", 0, 1e6, 100, false),
    [PM_OPT_MONITOR_INTERVAL] = INTEGER("monitorInterval", 0, LONGEST, 5000, false),
    [PM_OPT_METRICS_HISTORY] = INTEGER("metricsHistory", 0, 1e6, 0, true),
    [PM_OPT_MAX_TOTAL_MEMORY] = INTEGER("maxTotalMemory", 1 << 20, INFINITY, INFINITY, false),
    [PM_OPT_MAX_SPAWNS_PER_SECOND] = NUMBER("maxSpawnsPerSecond", 0.001, INFINITY, 20, false),
    [PM_OPT_MAX_LOG_LINES] = INTEGER("maxLogLines", 1, 1e7, 1000, true),
    [PM_OPT_MAX_LOG_BYTES] = INTEGER("maxLogBytes", 1024, 268435456.0, 4 << 20, true),
    [PM_OPT_STOP_TIMEOUT] = NUMBER("stopTimeout", 0, INFINITY, 5000, true),
    [PM_OPT_EOF_TIMEOUT] = NUMBER("eofTimeout", 0, LONGEST, 0, true),
    [PM_OPT_HOST_EXIT_TIMEOUT] = NUMBER("hostExitTimeout", 0, LONGEST, 2000, true),
    [PM_OPT_MAX_RESTARTS] = INTEGER("maxRestarts", 0, INFINITY, 5, true),
    [PM_OPT_RESTART_DELAY] = NUMBER("restartDelay", 0, LONGEST, 1000, true),
    [PM_OPT_RESTART_FACTOR] = NUMBER("restartFactor", 1, 1000, 2, true),
    [PM_OPT_MAX_RESTART_DELAY] = NUMBER("maxRestartDelay", 0, LONGEST, 30000, true),
    [PM_OPT_RESTART_JITTER] = NUMBER("restartJitter", 0, 1, 0.1, true),
    [PM_OPT_STABLE_AFTER] = NUMBER("stableAfter", 0, INFINITY, 60000, true),
    [PM_OPT_STDIN_HIGH_WATER_MARK] = INTEGER("stdinHighWaterMark", 1, SAFE_INTEGER, 65536, true),
    [PM_OPT_MAX_STDIN_BYTES] = INTEGER("maxStdinBytes", 1, SAFE_INTEGER, 64 << 20, true),
    [PM_OPT_PIPE_SIZE] = INTEGER("pipeSize", 4096, 2147483648.0, 1 << 20, true),
    [PM_OPT_MESSAGES] = CHOICE("messages", messages_choices, PM_MESSAGES_JSON, PM_MESSAGES_NONE),
    [PM_OPT_MAX_MESSAGE_BYTES] = INTEGER("maxMessageBytes", 1024, 268435456.0, 10 << 20, true),
    [PM_OPT_LOG_MESSAGES] = BOOLEAN("logMessages", 1),
    [PM_OPT_LOG_FILE_MAX_BYTES] = INTEGER("logFile.maxBytes", 4096, SAFE_INTEGER, 10 << 20, true),
    [PM_OPT_LOG_FILE_MAX_FILES] = INTEGER("logFile.maxFiles", 1, 1000, 5, true),
    [PM_OPT_AUTO_RESTART] = BOOLEAN("autoRestart", 0),
    [PM_OPT_PRIVATE_WORKING_DIR] = BOOLEAN("privateWorkingDir", 0),
    [PM_OPT_STDIN] = CHOICE("stdin", stdin_choices, PM_STDIN_IGNORE, PM_STDIN_PIPE),
    [PM_OPT_ENCODING] = CHOICE("encoding", encoding_choices, PM_ENCODING_BUFFER, PM_ENCODING_UTF8),
    [PM_OPT_KILL_TREE] = BOOLEAN("killTree", 1),
    [PM_OPT_CONTAINMENT] = CHOICE("containment", containment_choices, PM_CONTAINMENT_NONE, PM_CONTAINMENT_TREE),
    [PM_OPT_STOP_SIGNAL] = CHOICE("stopSignal.signal", stop_signal_choices, 5, 0),
    [PM_OPT_STOP_SIGNAL_TO] = CHOICE("stopSignal.to", stop_to_choices, PM_STOP_COMMAND, PM_STOP_TREE),
    [PM_OPT_LIMIT_CPU_SECONDS] = LIMIT("limits.cpuSeconds", 1),
    [PM_OPT_LIMIT_FILE_SIZE] = LIMIT("limits.fileSize", 0),
    [PM_OPT_LIMIT_OPEN_FILES] = LIMIT("limits.openFiles", 3),
    [PM_OPT_LIMIT_PROCESSES] = LIMIT("limits.processes", 1),
    [PM_OPT_LIMIT_ADDRESS_SPACE] = LIMIT("limits.addressSpace", 1 << 20),
    [PM_OPT_LIMIT_DATA_SIZE] = LIMIT("limits.dataSize", 4096),
    [PM_OPT_LIMIT_STACK_SIZE] = LIMIT("limits.stackSize", 1 << 17),
    [PM_OPT_LIMIT_LOCKED_MEMORY] = LIMIT("limits.lockedMemory", 0),
    [PM_OPT_LIMIT_CORE_SIZE] = LIMIT("limits.coreSize", 0),
    [PM_OPT_LIMIT_NICE] = INTEGER("limits.nice", -40, 39, 0, true),
    [PM_OPT_LIMIT_MEMORY] = LIMIT("limits.memory", 1 << 20),
    [PM_OPT_LIMIT_MEMORY_ACTION] =
        CHOICE("limits.memoryAction", memory_action_choices, PM_MEMORY_EVENT, PM_MEMORY_RESTART),
};

int pm__stop_signal(const pm_options_t *o) {
  const char *name = stop_signal_choices[(int)o->value[PM_OPT_STOP_SIGNAL]];
  return pm_signal_number((pm_str_t){name, strlen(name)});
}

void pm_options_init(pm_options_t *o) {
  for (int i = 0; i < PM_OPT_COUNT; i++)
    o->value[i] = pm_option_table[i].initial;
}

/* Prints v with the fewest digits that mean v; what is no finite number by its
 * name in JavaScript. */
static const char *print_number(char *out, size_t size, double v) {
  if (isnan(v)) return "NaN";
  if (isinf(v)) return v > 0 ? "Infinity" : "-Infinity";
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(out, size, "%.*g", digits, v);
    if (strtod(out, NULL) == v) break;
  }
  return out;
}

/* Prints what a value of the option must be: "an integer from 1 to 100". */
static const char *print_wanted(char *out, size_t size, const pm_option_t *option) {
  char min[32], max[32];
  size_t used;
  switch (option->type) {
  case PM_OPTION_BOOLEAN:
    return "true or false";
  case PM_OPTION_CHOICE:
    used = (size_t)snprintf(out, size, "one of");
    for (const char *const *choice = option->choices; *choice != NULL && used < size; choice++)
      used += (size_t)snprintf(out + used, size - used, "%s '%s'", choice == option->choices ? "" : ",", *choice);
    return out;
  default:
    snprintf(out, size, "%s from %s to %s", option->type == PM_OPTION_INTEGER ? "an integer" : "a number",
             print_number(min, sizeof(min), option->min), print_number(max, sizeof(max), option->max));
    return out;
  }
}

static int refuse(const pm_option_t *option, const char *where, bool out_of_range, const char *got, pm_error_t *error) {
  char wanted[128];
  return pm__error_set(error, UV_EINVAL, out_of_range ? "ERR_OUT_OF_RANGE" : "ERR_INVALID_ARG_VALUE",
                       out_of_range ? "RangeError" : "TypeError", "%s.%s must be %s; got %s", where, option->name,
                       print_wanted(wanted, sizeof(wanted), option), got);
}

static bool is_integer(double v) {
  return v > SAFE_INTEGER || v == (double)(int64_t)v;
}

int pm_options_set_number(pm_options_t *o, pm_option_index_t i, double v, const char *where, pm_error_t *error) {
  const pm_option_t *option = &pm_option_table[i];
  /* The range first: it is false for NaN, and makes the conversion to an integer defined. */
  bool good = v >= option->min && v <= option->max && (option->type == PM_OPTION_NUMBER || is_integer(v));
  if (!good) {
    char got[32];
    bool numeric = option->type == PM_OPTION_INTEGER || option->type == PM_OPTION_NUMBER;
    return refuse(option, where, numeric, print_number(got, sizeof(got), v), error);
  }
  o->value[i] = v + 0.0; /* -0 becomes 0 */
  return 0;
}

int pm_options_set_choice(pm_options_t *o, pm_option_index_t i, pm_str_t word, const char *where, pm_error_t *error) {
  const pm_option_t *option = &pm_option_table[i];
  if (option->type == PM_OPTION_CHOICE && word.base != NULL) {
    for (int c = 0; option->choices[c] != NULL; c++) {
      if (strlen(option->choices[c]) == word.len && memcmp(option->choices[c], word.base, word.len) == 0) {
        o->value[i] = c;
        return 0;
      }
    }
  }
  char got[PM__QUOTE_SIZE];
  return refuse(option, where, false, pm__error_quote(got, sizeof(got), word), error);
}
