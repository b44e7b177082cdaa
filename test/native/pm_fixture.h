/*
 * A host for the tests that go through pm.h: a loop, a manager on it, and a
 * record of everything the manager calls out.
 */
#ifndef PM_TEST_PM_FIXTURE_H
#define PM_TEST_PM_FIXTURE_H

#include <string.h>

#include "pm.h"
#include "support.h"

typedef struct host host_t;

/* A copy of an event. */
typedef struct seen {
  pm_event_kind_t kind;
  char id[64];
  int pid;
  uint64_t restarts;
  int code;
  char signal[16]; /* "" if none */
  double uptime;
  double delay;
  uint64_t unsent;
  bool requested;
  char limit[32];
  double value, figure; /* of a limit: what it is, and what was seen */
  char action[16];
  unsigned position;
  bool has_error, has_stop;
  pm_error_t error;
  pm_stop_report_t stop;
} seen_t;

typedef enum { RECORD_OUTPUT, RECORD_LINES, RECORD_MESSAGES, RECORD_STRAY } record_kind_t;

/* What one stream of one process gave: on_output's bytes; or what came as lines,
 * messages or strays, each with a "\n" put after it. */
typedef struct record {
  char id[64];
  pm_stream_t stream;
  record_kind_t kind;
  char *bytes; /* terminated */
  size_t len, size;
  size_t calls;
} record_t;

struct host {
  uv_loop_t loop;
  pm_manager_t *m; /* NULL once it has been closed */
  pm_options_t options;
  pm_config_t config; /* what host_spawn starts from; its options are those above */
  pm_error_t error;   /* of the last call that failed */
  char id[64];        /* of the last process spawned */
  bool active;
  unsigned active_calls;
  bool closing, closed;
  bool forgetful; /* output is not kept */
  bool news;      /* something was called out */

  seen_t **seen;
  size_t seen_count, seen_size;
  pm_snapshot_t *snapshot; /* of the last event that had one; NULL if none had */
  record_t **records;
  size_t record_count, record_size;

  /* May be set: called after the record was made. */
  void (*on_event)(host_t *h, const pm_event_t *event);
  void (*on_output)(host_t *h, pm_str_t id, pm_stream_t stream, pm_str_t bytes);
  void (*on_lines)(host_t *h, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count);
  void (*on_messages)(host_t *h, pm_str_t id, const pm_str_t *messages, size_t count);
  void (*on_strays)(host_t *h, pm_str_t id, const pm_str_t *lines, size_t count);
  void *arg;

  int descriptors; /* before anything was opened */

  /* May be set before host_open: there is no keeper, for this reason. */
  const pm_error_t *keeperless;

  /* May be set before host_open, which takes the reference over: another one. */
  pm_keeper_t *keeper;
};

enum {
  LISTEN_ALL = PM_LISTEN_STDOUT | PM_LISTEN_STDERR | PM_LISTEN_LINES | PM_LISTEN_MESSAGES | PM_LISTEN_STRAY,
};

/* ---- the host's own life ----------------------------------------------------- */

/* Defaults, but a short delay before a restart and no monitor. */
void host_init(host_t *h);

/* The same, in memory that host_teardown frees: for tests with a setup. */
host_t *host_new(void);
int host_teardown(void **state);

/* Makes loop and manager with h->options; listens to everything. */
void host_open(host_t *h);

/* Closes the manager, if nobody has, and the loop; frees what was recorded. */
void host_finish(host_t *h);

/* host_finish; then there are as many descriptors as before, and no child. */
void host_close(host_t *h);

/* pm_manager_close; host_finish or host_close then waits for it. */
void host_begin_closing(host_t *h);

/* ---- processes ----------------------------------------------------------------- */

pm_str_t str(const char *text);

/* Starts a fixture (a command with a '/' or a '.' is taken as it is). id NULL: the
 * manager's choice, in h->id. Returns as pm_process_spawn. */
#define host_try_spawn(h, id, ...) host_spawn_argv((h), (id), (const char *const[]){__VA_ARGS__, NULL})
int host_spawn_argv(host_t *h, const char *id, const char *const *argv);

/* The same, and it must be accepted. */
#define host_spawn(h, id, ...) assert_int_equal(host_try_spawn((h), (id), __VA_ARGS__), 0)

/* An answer to a stop or restart. */
typedef struct answer {
  host_t *host;
  unsigned times;
  bool result;
  size_t after; /* events seen before it */
} answer_t;

/* For calls of pm.h, with an answer_t * as argument. */
void on_answer(void *arg, bool result);

/* The call must be accepted. a is filled anew. */
void host_stop(host_t *h, const char *id, double timeout, answer_t *a);
void host_restart(host_t *h, const char *id, answer_t *a);

/* Waits for the answer, which must come once, and returns it. */
bool host_answer(host_t *h, answer_t *a);

/* Stop with the process's own timeout, and wait; must be answered by true. */
void host_end(host_t *h, const char *id);

/* Writes so many letters to its stdin, 1 MiB at most; returns as pm_process_write. */
int host_write_block(host_t *h, const char *id, size_t len, bool *ready);

/* Ends its stdin; whether it is closed already. */
bool host_end_stdin(host_t *h, const char *id);

pm_status_t host_status(host_t *h, const char *id);
#define assert_state(h, id, status_, state_)                                                                           \
  do {                                                                                                                 \
    pm_status_t now_ = host_status((h), (id));                                                                         \
    assert_string_equal(now_.status, (status_));                                                                       \
    assert_string_equal(now_.state, (state_));                                                                         \
  } while (0)

/* Whether it has a keeper: what it starts is ended with it, however it hides. */
bool is_kept(host_t *h, const char *id);

/* The log lines of a stream, each followed by "\n"; to be freed. */
char *host_log(host_t *h, const char *id, pm_stream_t stream);

/* Whether the manager knows it. */
bool host_knows(host_t *h, const char *id);

/* ---- what has been called out ------------------------------------------------------ */

/* How many events of kind there were; id NULL: of any. */
size_t host_count(const host_t *h, const char *id, pm_event_kind_t kind);

/* The nth (from 1) of them, NULL if there were not so many. */
const seen_t *host_find(const host_t *h, const char *id, pm_event_kind_t kind, size_t nth);

/* The same, and waits for it. */
const seen_t *host_wait(host_t *h, const char *id, pm_event_kind_t kind, size_t nth);

/* Its place among all events. */
size_t host_place(const host_t *h, const seen_t *event);

/* The output of a process so far, never NULL. */
const record_t *host_output(host_t *h, const char *id, pm_stream_t stream);
const record_t *host_lines(host_t *h, const char *id, pm_stream_t stream);
const record_t *host_messages(host_t *h, const char *id);
const record_t *host_strays(host_t *h, const char *id);

/* Waits until its stdout contains text. */
void host_wait_output(host_t *h, const char *id, const char *text);

/* Waits for the "grandchild PID" of spawn-grandchild. */
int host_grandchild(host_t *h, const char *id);

/* Lets the loop turn n times without waiting. */
void host_turn(host_t *h, int n);

/* Lets it turn for at least ms. */
void host_pass_time(host_t *h, unsigned ms);

/* Waits until the manager is active no more: pipes that something else held
 * included, which keep no loop turning by themselves. */
void host_wait_idle(host_t *h);

/* ---- other processes --------------------------------------------------------------------- */

/* Zombies do not count. */
bool is_running(int pid);

/* Waits until it runs no more; fails after 20 s. */
void wait_until_ended(int pid);

/* SIGKILL, and wait_until_ended. */
void end_stray(int pid);

/* A fresh directory below the system's place for temporary files, and its removal. */
void make_scratch(char *path, size_t size);
void remove_scratch(const char *path);

/* One for a group of tests: its set-up and tear-down. */
extern char scratch_dir[256];
int make_scratch_dir(void **state);
int remove_scratch_dir(void **state);

/* Whether the heaviest tests are to be left out (PM_TEST_LIGHT in the
 * environment, as under valgrind); says so. */
bool is_light(const char *what);

#endif /* PM_TEST_PM_FIXTURE_H */
