/*
 * What the tests of the keeper share: a keeper that is driven by hand, processes
 * that are watched to their end, and kernels that refuse a system call.
 */
#ifndef PM_TEST_KEEPER_FIXTURE_H
#define PM_TEST_KEEPER_FIXTURE_H

#include <sys/types.h>

#include "keeper/protocol.h"
#include "support.h"

/* ---- ends of processes --------------------------------------------------------- */

/* From now on whatever loses its parent below this process becomes its child. */
void be_subreaper(void);

/* Waits for the end of a child and returns its status; fails after a while. */
int status_of(pid_t pid);

/* Waits until this subreaper has nobody left, and fails with the pids of who still
 * lives after `ms`. */
#define assert_all_end(ms) assert_all_end_at((ms), __FILE__, __LINE__)
void assert_all_end_at(int ms, const char *file, int line);

/* Milliseconds of the monotonic clock. */
long clock_ms(void);

/* Waits until n processes live below this subreaper; fails after a while. */
void wait_until_left(int n);

/* SIGKILL to all of them, and their end. */
void end_all_strays(void);

/* ---- hosts that are programs of their own ------------------------------------------ */

/* A test that runs in a process of its own, which is started as
 * "/proc/self/exe NAME ARGUMENTS". */
typedef struct body {
  const char *name;
  void (*run)(void **state); /* asserts may be used */
} body_t;

/* The arguments of a body, as numbers; 0 if there are not so many. */
int body_argument(int n);

/* For main with arguments: runs the body that they name, as a test. */
int run_body(int argc, char **argv, const body_t *bodies, size_t count);

/* Runs tests of managers with keepers; none where those are not wanted. */
#define run_keeper_tests(tests, setup) (has_keeper() ? cmocka_run_group_tests((tests), (setup), NULL) : 0)
bool has_keeper(void);

/* Starts a body and waits for its end, which must be of that status; 0: all of its
 * asserts held. */
#define in_host(status, name, ...) in_host_argv((status), (name), (const int[]){__VA_ARGS__, -1})
void in_host_argv(int status, const char *name, const int *arguments);

/* ---- refused system calls -------------------------------------------------------- */

/* From now on, in this process and its descendants, call nr fails with err; only
 * with that value of argument number `argument` if that is not negative. */
void refuse_call(long nr, int argument, unsigned value, int err);

/* What a keeper needs, taken away. */
void refuse_need(pm__keeper_need_t need);

/* Opens a copy of the keeper's program in dir; fills in its path. */
pm_keeper_t *open_keeper_copy(const char *dir, char *path, size_t size);

/* ---- a keeper by hand ------------------------------------------------------------- */

typedef struct kept {
  pid_t host; /* the keeper's parent: this process, or one that does nothing else */
  pid_t keeper, command;
  int socket; /* the host's end, also held here; -1: closed */
  int out;    /* what the command and its descendants say */
  char text[16 * 1024];
  size_t len;
} kept_t;

/* What kept_start starts from. */
typedef struct kept_spec {
  long grace;
  int signum; /* 0: SIGTERM */
  int flags;
  pid_t parent;  /* 0: the truth */
  bool own_host; /* a host of its own, to be killed */
  long refused;  /* a system call that fails with ENFILE in the keeper, if not 0 */
} kept_spec_t;

/* Starts a fixture under a keeper. */
#define kept_start(k, spec, ...) kept_start_argv((k), (spec), (const char *const[]){__VA_ARGS__, NULL})
void kept_start_argv(kept_t *k, const kept_spec_t *spec, const char *const *argv);

void kept_order(const kept_t *k, pm__keeper_order_kind_t kind, int signum, bool tree);

/* The host's end of the socket is closed. */
void kept_hang_up(kept_t *k);

/* Waits until word has been said n times. */
void kept_wait_said(kept_t *k, const char *word, int n);

/* How often it has been said so far. */
int kept_said(const kept_t *k, const char *word);

/* The pid behind "word ". */
pid_t kept_pid_said(kept_t *k, const char *word);

/* Waits for the report. */
pm__keeper_report_t kept_report(const kept_t *k);

/* Waits until the keeper has ended, which must be by itself, and nobody holds the
 * pipe any more; reads all that was said; closes. */
void kept_finish(kept_t *k);

#endif /* PM_TEST_KEEPER_FIXTURE_H */
