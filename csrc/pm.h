/*
 * The public face of the engine: everything an embedder (the Node binding, a C
 * test) may use. Plain C on a uv_loop_t; nothing here knows JavaScript.
 *
 * Threads: a manager belongs to the thread that runs its loop. Every function
 * must be called from that thread; any number of managers may live in any
 * number of threads.
 *
 * Errors: functions return 0 or a negative UV_E* code. Those that take a
 * pm_error_t fill it on failure with a stable code and a message.
 *
 * Callbacks never run inside a call of the embedder: everything that an API
 * call causes is delivered from a later turn of the loop. A callback may call
 * any function of this header on any process, the one concerned included.
 *
 * The host must ignore SIGPIPE (Node does) and must not ignore or block
 * SIGCHLD, or exit statuses are lost (they are then reported as unknown).
 */
#ifndef PM_H
#define PM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes with a length, not terminated. base == NULL means "not given". */
typedef struct pm_str {
  const char *base;
  size_t len;
} pm_str_t;

typedef enum { PM_STDOUT, PM_STDERR, PM_STREAM_COUNT } pm_stream_t;

/* Values of the option "encoding" and "stdin". */
typedef enum { PM_ENCODING_UTF8, PM_ENCODING_LATIN1, PM_ENCODING_BUFFER } pm_encoding_t;
typedef enum { PM_STDIN_PIPE, PM_STDIN_IGNORE } pm_stdin_t;

/* Values of the option "messages": what stdout is taken for. */
typedef enum {
  PM_MESSAGES_NONE, /* text */
  PM_MESSAGES_RAW,  /* JSON, one message a line, to be handed on as it is */
  PM_MESSAGES_JSON  /* the same, to be parsed by the embedder */
} pm_messages_t;

/* Values of the option "containment": how what a command starts is held together. */
typedef enum {
  PM_CONTAINMENT_TREE,   /* its own keeper: everything it starts, also after the host's end */
  PM_CONTAINMENT_NESTED, /* two of them, one inside the other: also if one is killed */
  PM_CONTAINMENT_GROUP,  /* its process group; the command alone after the host's end */
  PM_CONTAINMENT_NONE    /* the command alone, and nothing after the host's end */
} pm_containment_t;

/* Values of the option "limits.memoryAction": what is done about a tree that uses too much. */
typedef enum {
  PM_MEMORY_RESTART, /* it is ended, and started again as after a failure */
  PM_MEMORY_STOP,    /* it is ended */
  PM_MEMORY_EVENT    /* that is told */
} pm_memory_action_t;

/* Values of the option "stopSignal.to". */
typedef enum { PM_STOP_TREE, PM_STOP_COMMAND } pm_stop_to_t;

/* ---- errors ------------------------------------------------------------ */

/* What went wrong, in words and in stable codes. Owns no memory: code, syscall
 * and field point to strings that live as long as the program. */
typedef struct pm_error {
  int err;             /* negative UV_E*; 0 when there is no error */
  const char *code;    /* "ENOENT" or one of ours, "ERR_…"; what callers match on */
  const char *syscall; /* the step that failed, "execve"; NULL if none */
  const char *kind;    /* "TypeError", "RangeError" or "Error": the class JavaScript throws */
  char path[1024];     /* the file it was about, cut if longer; "" if none */
  char message[1024];  /* a sentence for people */
} pm_error_t;

/* ---- options ----------------------------------------------------------- */

/* Times in ms, sizes in bytes. The order is that of pm_option_table. */
typedef enum {
  PM_OPT_MAX_PROCESSES,
  PM_OPT_MAX_ENDED,
  PM_OPT_MONITOR_INTERVAL,
  PM_OPT_METRICS_HISTORY,
  PM_OPT_MAX_TOTAL_MEMORY,
  PM_OPT_MAX_SPAWNS_PER_SECOND,
  PM_OPT_MAX_LOG_LINES,
  PM_OPT_MAX_LOG_BYTES,
  PM_OPT_STOP_TIMEOUT,
  PM_OPT_EOF_TIMEOUT,
  PM_OPT_HOST_EXIT_TIMEOUT,
  PM_OPT_MAX_RESTARTS,
  PM_OPT_RESTART_DELAY,
  PM_OPT_RESTART_FACTOR,
  PM_OPT_MAX_RESTART_DELAY,
  PM_OPT_RESTART_JITTER,
  PM_OPT_STABLE_AFTER,
  PM_OPT_STDIN_HIGH_WATER_MARK,
  PM_OPT_MAX_STDIN_BYTES,
  PM_OPT_PIPE_SIZE,
  PM_OPT_MESSAGES,
  PM_OPT_MAX_MESSAGE_BYTES,
  PM_OPT_LOG_MESSAGES,
  PM_OPT_LOG_FILE_MAX_BYTES,
  PM_OPT_LOG_FILE_MAX_FILES,
  PM_OPT_AUTO_RESTART,
  PM_OPT_PRIVATE_WORKING_DIR,
  PM_OPT_STDIN,
  PM_OPT_ENCODING,
  PM_OPT_KILL_TREE,
  PM_OPT_CONTAINMENT,
  PM_OPT_STOP_SIGNAL,
  PM_OPT_STOP_SIGNAL_TO,
  PM_OPT_LIMIT_CPU_SECONDS,
  PM_OPT_LIMIT_FILE_SIZE,
  PM_OPT_LIMIT_OPEN_FILES,
  PM_OPT_LIMIT_PROCESSES,
  PM_OPT_LIMIT_ADDRESS_SPACE,
  PM_OPT_LIMIT_DATA_SIZE,
  PM_OPT_LIMIT_STACK_SIZE,
  PM_OPT_LIMIT_LOCKED_MEMORY,
  PM_OPT_LIMIT_CORE_SIZE,
  PM_OPT_LIMIT_NICE,
  PM_OPT_LIMIT_MEMORY,
  PM_OPT_LIMIT_MEMORY_ACTION,
  PM_OPT_COUNT
} pm_option_index_t;

typedef enum { PM_OPTION_INTEGER, PM_OPTION_NUMBER, PM_OPTION_BOOLEAN, PM_OPTION_CHOICE } pm_option_type_t;

typedef struct pm_option {
  const char *name; /* as in JavaScript: "maxLogLines"; "stopSignal.to" is a member of an object */
  pm_option_type_t type;
  double min, max;            /* of numbers; max may be INFINITY */
  double initial;             /* the default */
  const char *const *choices; /* of a choice, NULL-terminated; the value is its index */
  bool per_process;           /* may also be given for one process */
} pm_option_t;

extern const pm_option_t pm_option_table[PM_OPT_COUNT];

typedef struct pm_options {
  double value[PM_OPT_COUNT];
} pm_options_t;

/* Fills o with the defaults. */
void pm_options_init(pm_options_t *o);

/* Sets one option from a number (booleans: 0 or 1). where is "options" or
 * "config", for the message. UV_EINVAL and *error when v is no integer where
 * one is wanted, NaN, or out of range. */
int pm_options_set_number(pm_options_t *o, pm_option_index_t i, double v, const char *where, pm_error_t *error);

/* Sets a choice from its name. UV_EINVAL and *error for any other word. */
int pm_options_set_choice(pm_options_t *o, pm_option_index_t i, pm_str_t word, const char *where, pm_error_t *error);

/* ---- what to start ------------------------------------------------------ */

typedef struct pm_env_var {
  pm_str_t name;
  pm_str_t value; /* base == NULL: the variable is taken away */
} pm_env_var_t;

typedef enum {
  PM_INHERIT_ALL,
  PM_INHERIT_NONE,
  PM_INHERIT_SAFE, /* the list that the MCP SDKs inherit: HOME LOGNAME PATH SHELL TERM USER */
  PM_INHERIT_NAMES /* those in inherit_names */
} pm_inherit_t;

/* Everything is copied by pm_process_spawn. */
typedef struct pm_config {
  pm_str_t id;      /* not given: the manager makes "proc_1000", "proc_1001", … */
  pm_str_t command; /* a path if it has a '/', else looked up in the child's own PATH */
  const pm_str_t *args;
  size_t arg_count;
  pm_str_t working_dir; /* not given: the host's */
  const pm_env_var_t *host_env;
  size_t host_env_count;
  const pm_env_var_t *env; /* merged over what is inherited of host_env */
  size_t env_count;
  pm_inherit_t inherit;
  const pm_str_t *inherit_names;
  size_t inherit_name_count;
  const pm_str_t *allow_unsafe_env; /* names in env that may inject code after all */
  size_t allow_unsafe_env_count;
  pm_str_t log_file;    /* a path; not given: none */
  pm_options_t options; /* the manager's, with the process's own set over them */
} pm_config_t;

/* ---- events ------------------------------------------------------------- */

/* What a tree of processes uses. */
typedef struct pm_metrics {
  double cpu, memory;         /* percent of one core; resident MB of 2^20 bytes */
  double own_cpu, own_memory; /* of the command, or the process that was asked for, itself */
  double peak;                /* the most that memory was at a sample, or the largest of its processes ever had */
  uint64_t user, system;      /* microseconds of CPU since it began, as far as they were seen */
  unsigned processes;         /* that live */
  uint64_t threads;
} pm_metrics_t;

typedef enum {
  PM_EVENT_SPAWN,   /* pid, restarts */
  PM_EVENT_EXIT,    /* code, signal, pid, uptime, restarts, unsent, requested, usage; once per start, after its last
                       output */
  PM_EVENT_ERROR,   /* error: could not be started, gave up, stdin lost, keeper lost */
  PM_EVENT_RESTART, /* pid, restarts: it runs again */
  PM_EVENT_BACKOFF, /* delay, restarts: a restart is due in delay ms */
  PM_EVENT_QUEUED,  /* position, restarts: a restart that is due waits for its turn */
  PM_EVENT_STOP,    /* code, signal, stop: what was asked to stop has stopped, or cannot be */
  PM_EVENT_DRAIN,   /* stdin takes more */
  PM_EVENT_LIMIT,   /* limit, value, seen, action: a limit was reached */
  PM_EVENT_LOGGED,  /* the log that was watched has a new line, or its process has ended or is forgotten */
  PM_EVENT_METRICS, /* time, snapshot: all have been sampled, monitorInterval after the last time; no process */
  PM_EVENT_WARNING  /* error: what the manager does without; no process */
} pm_event_kind_t;

enum { PM_MAX_SURVIVORS = 16 };

/* How a stop went. */
typedef struct pm_stop_report {
  bool gone;          /* nothing of what the command started is left */
  const char *step;   /* what ended it: "none" (nothing ran), "stdin" (its end), the stop signal, "SIGKILL" */
  double duration;    /* ms since the stop began */
  int killed;         /* how many were alive when SIGKILL came, at most 256; 0 if it did not */
  int survivor_count; /* how many are left; at most PM_MAX_SURVIVORS are listed */
  int survivors[PM_MAX_SURVIVORS];
} pm_stop_report_t;

/* What a command used, and those of its descendants that it waited for (getrusage(2)). */
typedef struct pm_usage {
  uint64_t user, system; /* microseconds of CPU */
  uint64_t max_rss;      /* KiB, of the largest of them */
} pm_usage_t;

/* What a round of samples has seen. */
typedef struct pm_snapshot pm_snapshot_t;

typedef struct pm_event {
  pm_event_kind_t kind;
  pm_str_t id; /* of the process; not given for a limit of the manager */
  int pid;
  uint64_t restarts;
  int code;                /* exit code, -1 when none is known */
  const char *signal;      /* "SIGKILL"; NULL when it was none */
  double uptime;           /* seconds */
  double delay;            /* ms */
  uint64_t unsent;         /* bytes of stdin that never reached the command */
  bool requested;          /* a stop or restart had been asked for */
  const char *limit;       /* the option's name: "maxRestarts"; of an exit: the limit that ended it, NULL if none did */
  double value;            /* of the limit */
  double seen;             /* what there was of what it limits; NAN if nobody knows */
  const char *action;      /* what was done: "refuse", "restart", "stop", "event", "end" (by the kernel), "give-up" */
  unsigned position;       /* in the queue; 1 is the next to be started */
  uint64_t time;           /* of the metrics, microseconds since the epoch */
  pm_snapshot_t *snapshot; /* borrowed, see pm_snapshot_ref */
  const pm_error_t *error;
  const pm_stop_report_t *stop;
  const pm_usage_t *usage; /* NULL when nobody knows */
} pm_event_t;

typedef struct pm_manager pm_manager_t;

/* How the engine calls out. Pointers are valid during the call only. */
typedef struct pm_callbacks {
  void (*on_event)(pm_manager_t *m, const pm_event_t *event);

  /* A chunk as it was read, only for streams in the mask of
   * pm_manager_listen. For PM_ENCODING_UTF8 a chunk never ends inside a
   * character that its bytes so far could still complete; other invalid bytes
   * are passed on as they are. */
  void (*on_output)(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding);

  /* Finished lines, without their "\n" or "\r\n", in a batch per read. */
  void (*on_lines)(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                   pm_encoding_t encoding);

  /* Messages, without their line ends, in a batch per read; only with
   * PM_LISTEN_MESSAGES. */
  void (*on_messages)(pm_manager_t *m, pm_str_t id, const pm_str_t *messages, size_t count, pm_messages_t mode,
                      pm_encoding_t encoding);

  /* Lines where messages were expected that are none, in the same way; only with
   * PM_LISTEN_STRAY. */
  void (*on_strays)(pm_manager_t *m, pm_str_t id, const pm_str_t *lines, size_t count, pm_encoding_t encoding);

  /* true when the first process comes alive, false when the last has ended and
   * nothing of it is open. An embedder keeps the manager while it is true. The
   * one callback that may come from within a call; it must not call back. */
  void (*on_active)(pm_manager_t *m, bool active);
} pm_callbacks_t;

/* ---- the keeper ---------------------------------------------------------- */

/*
 * The program that each command runs under for PM_CONTAINMENT_TREE and _NESTED:
 * see csrc/keeper. Counted by references: one of who opened it, one of each
 * manager that has it; all in the thread that opened it.
 */
typedef struct pm_keeper pm_keeper_t;

/* Opens the file and runs it once, to see that this system lets it do its work;
 * the caller waits for that, a fraction of a millisecond. The file is held open:
 * it may be replaced under a running host. Negative and *error (its code is
 * ERR_KEEPER_UNAVAILABLE, its message says what is in the way) if it cannot
 * work here. If descriptors, processes or memory are short at the moment, that is no
 * error: each manager that is made tries again until it has worked once. */
int pm_keeper_open(const char *path, pm_keeper_t **out, pm_error_t *error);

/* Gives a reference back. NULL is fine. */
void pm_keeper_unref(pm_keeper_t *keeper);

/* ---- the manager -------------------------------------------------------- */

typedef struct pm_manager_config {
  pm_options_t options;
  const pm_str_t *allowed_commands; /* NULL: any; else config.command must be one of them, to the letter */
  size_t allowed_command_count;
  bool portable;       /* start by uv_spawn, without a keeper, although the system has something better: for tests */
  pm_keeper_t *keeper; /* NULL: there is none, and "group" is the most that can be had */
  const pm_error_t *keeperless; /* why not, NULL if that is as wanted: becomes a PM_EVENT_WARNING once somebody wants
                                   one. Copied */
} pm_manager_config_t;

/* Makes a manager on loop. The callback table is copied; data is the
 * embedder's own, see pm_manager_data. UV_ENOMEM, or an error of the loop's. */
int pm_manager_new(uv_loop_t *loop, const pm_manager_config_t *config, const pm_callbacks_t *callbacks, void *data,
                   pm_manager_t **out);

void *pm_manager_data(const pm_manager_t *m);

/* "clone" (Linux, constant time) or "uv_spawn" (portable). */
const char *pm_manager_backend(const pm_manager_t *m);

/* No more processes: pm_process_spawn and restarts answer UV_ECANCELED from now on. Who waits for an
 * automatic restart has ended when its time comes. */
void pm_manager_refuse_new(pm_manager_t *m);

typedef void (*pm_closed_cb)(void *arg);

/* Ends everything (but what runs with PM_CONTAINMENT_NONE) at once with SIGKILL,
 * reaps it, closes every handle and frees m; then calls cb. No other callback runs after this call; stops and
 * restarts under way are answered (false) from within it. What cannot be killed
 * is given up after two seconds. Needs the loop to run. Calling it again is an
 * error. */
void pm_manager_close(pm_manager_t *m, pm_closed_cb cb, void *arg);

/* For the host's own end, when the loop will not run again: SIGKILL to each
 * group, each tree with a private working directory and each whose keeper was killed;
 * removal of those directories; and what waits for a log file is written. All is done
 * when it returns. Other trees are left to their keepers, which end them when the host
 * has gone. Idempotent; sends nothing back. */
void pm_manager_kill_all(pm_manager_t *m);

/* Whether living processes keep the loop alive (they do at first). */
void pm_manager_ref(pm_manager_t *m);
void pm_manager_unref(pm_manager_t *m);

/* What somebody listens to; nothing else is handed out. */
enum {
  PM_LISTEN_STDOUT = 1 << 0,
  PM_LISTEN_STDERR = 1 << 1,
  PM_LISTEN_LINES = 1 << 2,
  PM_LISTEN_MESSAGES = 1 << 3,
  PM_LISTEN_STRAY = 1 << 4,
  PM_LISTEN_METRICS = 1 << 5,
};
void pm_manager_listen(pm_manager_t *m, unsigned mask);

/* ---- processes ---------------------------------------------------------- */

/* Starts a process. 0: *id is its id, valid until the process is removed or
 * the next call. That the command could not be executed is no error here: it
 * is reported by PM_EVENT_ERROR. Else a negative code and *error: UV_EINVAL
 * (bad config), UV_EEXIST (the id or the log file is in use), UV_EAGAIN (maxProcesses, maxTotalMemory),
 * UV_EPERM (command or variable not allowed), UV_ECANCELED (manager closed),
 * UV_ENOMEM. */
int pm_process_spawn(pm_manager_t *m, const pm_config_t *config, pm_str_t *id, pm_error_t *error);

/* Called exactly once for each accepted call, from the loop or from
 * pm_manager_close. */
typedef void (*pm_done_cb)(void *arg, bool result);

/* Ends a process and all that it started: the end of stdin and eofTimeout ms if
 * that is set, SIGTERM (or its stopSignal), after timeout ms SIGKILL (0: SIGKILL
 * at once; INFINITY: never; negative: the process's own stopTimeout). cb gets true when nothing is left, also when it
 * had ended before, false when something cannot be killed. A second stop joins the first; if it allows less time, the
 * deadline moves forward. UV_ENOENT: unknown id, cb is not called. */
int pm_process_stop(pm_manager_t *m, pm_str_t id, double timeout, pm_done_cb cb, void *arg);

/* Stops if need be, then starts again with the same config under the same id;
 * a wait for a restart is cut short. cb gets true when it runs again.
 * UV_ENOENT: unknown id. UV_EAGAIN, *error: maxProcesses or maxTotalMemory.
 * UV_EEXIST, *error: its log file is in use. UV_ECANCELED, *error: manager closed. */
int pm_process_restart(pm_manager_t *m, pm_str_t id, pm_done_cb cb, void *arg, pm_error_t *error);

/* The number of "SIGTERM"; 0 for no name of a signal. */
int pm_signal_number(pm_str_t name);

/* Sends a signal to the command, or to everything of its tree (or group). The
 * keeper passes it on: it may arrive a moment later. UV_ENOENT: unknown id;
 * UV_ESRCH: it does not run; UV_EINVAL: no such signal; UV_EPERM: it is another
 * user's; UV_EAGAIN: too many are under way. */
int pm_process_signal(pm_manager_t *m, pm_str_t id, int signum, bool tree);

/* What came of one stream of a process so far, over all its starts. */
typedef struct pm_stream_status {
  uint64_t lines;   /* ended */
  uint64_t bytes;   /* without line ends */
  uint64_t dropped; /* lines that the log does not hold any more */
  uint64_t cut;     /* bytes of lines that were too long for the log */
} pm_stream_status_t;

typedef struct pm_status {
  pm_str_t id;
  pm_str_t command;
  int pid;                 /* of the command, 0 when none */
  const char *status;      /* "running", "stopped", "error" */
  const char *state;       /* "starting", "running", "stopping", "backoff", "queued", "exited", "failed" */
  unsigned queue_position; /* in the state "queued": 1 is the next to be started; else 0 */
  double uptime;           /* seconds since the present start, 0 when not running */
  double cpu;              /* of the whole tree, percent of one core */
  double memory;           /* of the whole tree, resident, MB of 2^20 bytes */
  double own_cpu;          /* of the command */
  double own_memory;
  unsigned processes; /* in the tree that live, the command included */
  uint64_t restarts;  /* never goes down */
  int exit_code;      /* of the last end, -1 when none */
  const char *exit_signal;
  const char *containment; /* what is in effect: "tree", "nested", "group", "none" */
  pm_stream_status_t streams[PM_STREAM_COUNT];
  bool paused;             /* stdout is not read */
  const pm_error_t *error; /* why it is in error, or the last failure; NULL if none. Valid until the next call */
} pm_status_t;

/* Reads a fresh sample of cpu and memory when the last is older than a second; what
 * takes longer than half a millisecond (a tree of a hundred) goes on in the loop's next
 * turns. UV_ENOENT: unknown id. */
int pm_process_status(pm_manager_t *m, pm_str_t id, pm_status_t *out);

/* Calls each for every process, in the order of spawning. Those with old samples are
 * sampled anew for half a millisecond. */
void pm_manager_list(pm_manager_t *m, void (*each)(void *arg, const pm_status_t *status), void *arg);

/* ---- what a round has seen ---------------------------------------------------------------- */

/* One process that ran then, with its whole tree. */
typedef struct pm_snapshot_entry {
  pm_str_t id;   /* as long as the snapshot */
  uint64_t life; /* of no other process of the manager, whatever its id */
  int pid;       /* of the command */
  pm_metrics_t metrics;
} pm_snapshot_entry_t;

/* Keeps a snapshot beyond the event: as it is, whatever becomes of the manager. In the
 * loop's thread. unref: NULL is fine. */
pm_snapshot_t *pm_snapshot_ref(pm_snapshot_t *s);
void pm_snapshot_unref(pm_snapshot_t *s);

/* How many there are; i is below that. In the order in which they were started last. */
size_t pm_snapshot_count(const pm_snapshot_t *s);
pm_snapshot_entry_t pm_snapshot_at(const pm_snapshot_t *s, size_t i);

/* False: it is not in it. */
bool pm_snapshot_find(const pm_snapshot_t *s, pm_str_t id, pm_snapshot_entry_t *out);

/* Bytes of memory. */
size_t pm_snapshot_size(const pm_snapshot_t *s);

/* ---- what has been sampled -------------------------------------------------------------- */

/* One of the samples that are taken every monitorInterval, if metricsHistory of them are kept. */
typedef struct pm_history_sample {
  uint64_t time;  /* microseconds since the epoch */
  uint64_t span;  /* microseconds that cpu covers: since the sample before, or the start */
  uint64_t start; /* which start of the command, 0 the first */
  double cpu;     /* of the tree: percent of one core */
  double memory;  /* resident MB of 2^20 bytes */
  unsigned processes;
  uint64_t threads;
} pm_history_sample_t;

/* Which samples; nothing set: all. */
typedef struct pm_history_query {
  bool has_since;  /* only later ones */
  uint64_t since;  /* microseconds since the epoch */
  bool has_window; /* only those of so many microseconds up to now */
  uint64_t window;
  bool has_start; /* only of that start */
  uint64_t start;
} pm_history_query_t;

typedef struct pm_range {
  double min, mean, max;
} pm_range_t;

/* Of the samples that match; all 0 if there are none. The mean of cpu is over the time that
 * they cover, those of the rest are over the samples. */
typedef struct pm_history_summary {
  size_t count;
  pm_range_t cpu, memory, processes, threads;
} pm_history_summary_t;

/* Calls each (may be NULL) for the samples of a process that match, oldest first, and sums
 * them up. They are kept until the process is removed. UV_ENOENT: unknown id. */
int pm_process_history(pm_manager_t *m, pm_str_t id, const pm_history_query_t *query,
                       void (*each)(void *arg, const pm_history_sample_t *sample), void *arg,
                       pm_history_summary_t *out);

/* ---- metrics that take longer to find out ------------------------------------------- */

/* Of each -1 if of one of the processes it may not be read. */
typedef struct pm_measurement {
  pm_metrics_t metrics;
  int64_t descriptors;            /* open ones */
  int64_t voluntary, involuntary; /* context switches of the threads that live */
  int64_t read, written;          /* bytes from and to storage, of the processes that live */
  int64_t pss; /* bytes of memory, what is shared divided by those who share it; -1 if it is not wanted */
} pm_measurement_t;

/* Something to be read in any thread, for the sake of a loop that must not wait for it:
 * some ten microseconds a process, with pss a millisecond. */
typedef struct pm_measure pm_measure_t;

/* Begins with a fresh sample of a process; of one that has ended, what it had used, and
 * nothing is left to be read. UV_ENOENT: unknown id; UV_EAGAIN: the sample takes longer,
 * call again in a later turn of the loop; UV_ENOMEM. */
int pm_process_measure(pm_manager_t *m, pm_str_t id, bool pss, pm_measure_t **out);

/* To be called once, in any thread. */
void pm_measure_read(pm_measure_t *measure);

/* Lives as long as the measure. */
const pm_measurement_t *pm_measure_result(const pm_measure_t *measure);
void pm_measure_free(pm_measure_t *measure);

/* ---- what monitoring systems are told --------------------------------------------------- */

/* Figures of a process. Bytes, microseconds or counts; -1: not known, or there is none. */
typedef enum {
  PM_FIGURE_START_TIME, /* of the present start, since the epoch */
  PM_FIGURE_UPTIME,
  PM_FIGURE_RESTARTS,
  PM_FIGURE_START_FAILURES,
  PM_FIGURE_ENDS_REQUESTED, /* ends that somebody had asked for; of the others: */
  PM_FIGURE_ENDS_SUCCESS,   /* exit code 0 */
  PM_FIGURE_ENDS_FAILURE,
  PM_FIGURE_ENDS_SIGNAL,
  PM_FIGURE_ENDS_LIMIT, /* for a limit, whoever had asked for what */
  PM_FIGURE_ENDS_UNKNOWN,
  PM_FIGURE_EXIT_CODE, /* of the last end */
  PM_FIGURE_EXIT_SIGNAL,
  PM_FIGURE_LIMITS_REACHED,
  PM_FIGURE_USER, /* CPU time over all starts */
  PM_FIGURE_SYSTEM,
  PM_FIGURE_MEMORY, /* resident, of the tree */
  PM_FIGURE_PEAK,   /* of the present start, or the last */
  PM_FIGURE_PROCESSES,
  PM_FIGURE_THREADS,
  PM_FIGURE_DESCRIPTORS,
  PM_FIGURE_VOLUNTARY, /* context switches over all starts, as far as reports have seen them */
  PM_FIGURE_INVOLUNTARY,
  PM_FIGURE_READ, /* from and to storage, in the same way */
  PM_FIGURE_WRITTEN,
  PM_FIGURE_STDOUT_LINES, /* over all starts, as of pm_stream_status_t; stderr follows stdout */
  PM_FIGURE_STDERR_LINES,
  PM_FIGURE_STDOUT_BYTES,
  PM_FIGURE_STDERR_BYTES,
  PM_FIGURE_STDOUT_DROPPED,
  PM_FIGURE_STDERR_DROPPED,
  PM_FIGURE_STDOUT_CUT,
  PM_FIGURE_STDERR_CUT,
  PM_FIGURE_PAUSED,        /* 1: stdout is not read; 0 */
  PM_FIGURE_LOG_FILE_LOST, /* lines that found no way into the log file */
  PM_FIGURE_STDIN_QUEUED,
  PM_FIGURE_QUEUE_POSITION, /* as of pm_status_t */
  PM_FIGURE_LIMIT_CPU,      /* what the command is held to */
  PM_FIGURE_LIMIT_FILE_SIZE,
  PM_FIGURE_LIMIT_OPEN_FILES,
  PM_FIGURE_LIMIT_PROCESSES,
  PM_FIGURE_LIMIT_ADDRESS_SPACE,
  PM_FIGURE_LIMIT_DATA_SIZE,
  PM_FIGURE_LIMIT_STACK_SIZE,
  PM_FIGURE_LIMIT_LOCKED_MEMORY,
  PM_FIGURE_LIMIT_CORE_SIZE,
  PM_FIGURE_LIMIT_MEMORY, /* the whole tree is */
  PM_FIGURE_COUNT
} pm_figure_t;

/* A name of each, for embedders: "startTime". */
extern const char *const pm_figure_names[PM_FIGURE_COUNT];

typedef struct pm_report_entry {
  pm_str_t id, command;
  const char *state, *containment; /* as in pm_status_t */
  int64_t figures[PM_FIGURE_COUNT];
} pm_report_entry_t;

typedef struct pm_report pm_report_t;

/* Begins one with what the loop knows of all processes, those sampled anew that have old
 * samples, for half a millisecond. UV_EBUSY: one is under way; UV_ENOMEM. */
int pm_manager_report(pm_manager_t *m, pm_report_t **out);

/* Finds out the rest, some ten microseconds for each process of the trees. To be called
 * once, in any thread. */
void pm_report_read(pm_report_t *report);

/* Calls each for every process, in the order of spawning. In any thread. */
void pm_report_each(const pm_report_t *report, void (*each)(void *arg, const pm_report_entry_t *entry), void *arg);

/* All of it as text, in version 0.0.4 of the format of Prometheus:
 * https://prometheus.io/docs/instrumenting/exposition_formats. *out lives as long as the
 * report. UV_ENOMEM. In any thread. */
int pm_report_text(pm_report_t *report, pm_str_t *out);

/* Frees it. m: its manager, NULL if that has been closed meanwhile. */
void pm_report_end(pm_manager_t *m, pm_report_t *report);

/* Calls each for the last `lines` log lines of a stream, oldest first. The
 * bytes are valid during the call. UV_ENOENT: unknown id. */
int pm_process_logs(pm_manager_t *m, pm_str_t id, pm_stream_t stream, size_t lines,
                    void (*each)(void *arg, pm_str_t line), void *arg);

/* A line of a log, as it was read. */
typedef struct pm_log_line {
  pm_str_t text;
  uint64_t seq;   /* counts the lines of both streams of a process, from 1; a gap tells of lines that are lost */
  uint64_t time;  /* when its end was read, microseconds since the epoch */
  uint64_t start; /* which start of the command wrote it, 0 the first */
  pm_stream_t stream;
} pm_log_line_t;

/* Which lines. */
typedef struct pm_log_query {
  size_t lines;     /* at most so many: the last of them, or behind `since` the first */
  bool has_since;   /* only those behind it */
  uint64_t since;   /* a seq */
  unsigned streams; /* bits: 1 << PM_STDOUT, 1 << PM_STDERR */
  bool has_start;   /* only of that start */
  uint64_t start;
  pm_str_t search; /* only with these bytes in them; not given: all */
} pm_log_query_t;

/* What a query came to. */
typedef struct pm_log_answer {
  uint64_t last_seq; /* of the newest line there is, whatever was asked for; 0: none yet */
  bool ended;        /* the process has ended, so that nothing is to be waited for */
  uint64_t life;     /* whose log it is: another process that was given the same id has another number */
} pm_log_answer_t;

/* Calls each for the lines of both streams that match, in the order in which they
 * were read. The text is valid during the call. UV_ENOENT: unknown id; UV_ENOMEM. */
int pm_process_log_query(pm_manager_t *m, pm_str_t id, const pm_log_query_t *query,
                         void (*each)(void *arg, const pm_log_line_t *line), void *arg, pm_log_answer_t *answer);

/* One PM_EVENT_LOGGED will come: at once if there are lines behind seq or the
 * process has ended, else when that is so. UV_ENOENT: unknown id. */
int pm_process_log_watch(pm_manager_t *m, pm_str_t id, uint64_t seq);

/* With paused, stdout is not read until it is called without: the command blocks
 * once its pipe is full. stderr is always read. A command that ends is read to its
 * end, and a start begins unpaused. UV_ENOENT: unknown id; UV_ESRCH: it does not
 * run; or why the pipe cannot be watched again. */
int pm_process_pause(pm_manager_t *m, pm_str_t id, bool paused);

/* Sends a message to stdin, with a "\n" behind it: at once while no turn of the
 * loop, or callback, sends more than one; after one that did, all of a turn by one
 * system call at its end. UV_EINVAL and *error when there is a line end in it; else
 * as pm_process_write. */
int pm_process_send(pm_manager_t *m, pm_str_t id, pm_str_t message, bool *ready, pm_error_t *error);

/* Queues bytes for stdin (copied). *ready is false when the caller should wait
 * for PM_EVENT_DRAIN. UV_ENOENT: unknown id; UV_EPIPE, *error: stdin is closed
 * or nothing runs; UV_ENOBUFS, *error: maxStdinBytes would be passed and
 * nothing of data was taken. */
int pm_process_write(pm_manager_t *m, pm_str_t id, pm_str_t data, bool *ready, pm_error_t *error);

/* Closes stdin once what is queued has been written. *closed: it is closed
 * already. UV_ENOENT: unknown id. */
int pm_process_close_stdin(pm_manager_t *m, pm_str_t id, bool *closed);

/* Forgets an ended process. UV_ENOENT: unknown id; UV_EBUSY: it lives. */
int pm_process_remove(pm_manager_t *m, pm_str_t id);

/* ---- metrics of any process --------------------------------------------- */

typedef struct pm_sampler pm_sampler_t;

/* NULL when out of memory. */
pm_sampler_t *pm_sampler_new(void);
void pm_sampler_free(pm_sampler_t *s);

/* Of a process and its descendants: cpu in percent of one core since this sampler's last
 * look at pid (at first: since the process started), memory in MB of 2^20 bytes. UV_EAGAIN:
 * it is not done after about ms (INFINITY: however long it takes); call again, and the
 * figures are those of the whole. UV_ESRCH: no such process. On failure all is 0. */
int pm_sampler_read(pm_sampler_t *s, int pid, double ms, pm_metrics_t *out);

/* The same with more, see pm_measure_t. UV_ENOMEM. */
int pm_sampler_measure(pm_sampler_t *s, int pid, double ms, bool pss, pm_measure_t **out);

/* ---- text ------------------------------------------------------------------ */

/* Whether all bytes are below 0x80: then they are the same text in UTF-8 and in
 * Latin-1, for which an embedder may have a faster way. */
bool pm_is_ascii(const char *bytes, size_t len);

/* ---- the running libuv --------------------------------------------------- */

/* 0 if the libuv that is running has handles no larger than those this was
 * compiled with; else UV_ENOTSUP: using it would overwrite memory. */
int pm_check_libuv(void);

/* ---- a program that serves one host --------------------------------------- */

/* From now on this process is killed half a second after the process pid has ended,
 * whatever its threads are doing: for a program whose host may leave copies of itself
 * behind (fork(2)) that hold its pipes open. Starts a thread that lasts as long as the
 * process; it cannot be taken back. Where the kernel has no pidfds, only a parent can
 * be watched. UV_ESRCH: it has ended, or cannot be watched; UV_EINVAL; UV_ENOMEM,
 * UV_EAGAIN: no thread. */
int pm_end_with_host(int pid);

#ifdef __cplusplus
}
#endif

#endif /* PM_H */
