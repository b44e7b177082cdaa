/*
 * Commands started by spawn.h alone, without a manager, and test processes
 * that are forked because they change what a whole process has.
 */
#ifndef PM_TEST_SPAWN_FIXTURE_H
#define PM_TEST_SPAWN_FIXTURE_H

#include "platform/spawn.h"
#include "support.h"

typedef struct stage {
  uv_loop_t loop;
  pm__poller_t poller;
  pm__spawner_t spawner;
  pm__spawn_spec_t spec; /* what run starts from: environment, directory, stdin */
  pm__child_t child;
  pm__spawn_failure_t why;
  bool ended, settled, closed;
  char output[32 * 1024]; /* of the last run, terminated */
} stage_t;

void stage_open(stage_t *s);

/* Closes all that stage_open made. Returns whether nothing was left on the loop. */
bool stage_close(stage_t *s);

bool stage_is_clone(const stage_t *s);

/* Whether what is started now has a keeper. */
bool stage_is_kept(const stage_t *s);

/* Gives back what the spawner holds between starts, so that the next one opens it
 * anew. */
void stage_release(stage_t *s);

/* Starts file with arguments up to NULL; as pm__spawn. */
#define stage_start(s, ...) stage_start_argv((s), (const char *const[]){__VA_ARGS__, NULL})
int stage_start_argv(stage_t *s, const char *const *argv);

/* Waits for the end of what was started, reads its stdout, reaps and closes. */
void stage_finish(stage_t *s);

/* Both; returns what starting gave. */
#define stage_run(s, ...) stage_run_argv((s), (const char *const[]){__VA_ARGS__, NULL})
int stage_run_argv(stage_t *s, const char *const *argv);

/* Runs body in a forked process, which must return NULL or say what is wrong;
 * fails with that. No assert may be used in there. */
void in_forked_process(const char *(*body)(void *arg), void *arg);

#endif /* PM_TEST_SPAWN_FIXTURE_H */
