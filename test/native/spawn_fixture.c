#include "spawn_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/spawn_backend.h"

static char *const no_env[] = {NULL};

void stage_open(stage_t *s) {
  memset(s, 0, sizeof(*s));
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&s->loop) != 0) return;
  pm_keeper_t *keeper = open_keeper();
  pm__spawner_init(&s->spawner, &s->poller, &s->loop, keeper, wants_portable());
  pm_keeper_unref(keeper);
  s->spec.containment = pm__spawner_containment(&s->spawner, PM_CONTAINMENT_TREE);
  s->spec.stop_signal = SIGTERM;
  s->spec.grace = 500;
  s->spec.envp = no_env;
  s->spec.stdin_pipe = true;
}

static void on_poller_closed(pm__poller_t *poller) {
  *(bool *)poller->data = true;
}

bool stage_close(stage_t *s) {
  bool closed = false;
  s->poller.data = &closed;
  pm__spawner_close(&s->spawner);
  pm__poller_close(&s->poller, on_poller_closed);
  while (!closed && uv_run(&s->loop, UV_RUN_ONCE)) {
  }
  uv_run(&s->loop, UV_RUN_NOWAIT);
  return closed && uv_loop_close(&s->loop) == 0;
}

bool stage_is_clone(const stage_t *s) {
  return strcmp(pm__spawner_backend(&s->spawner), "clone") == 0;
}

bool stage_is_kept(const stage_t *s) {
  return s->spec.containment == PM_CONTAINMENT_TREE || s->spec.containment == PM_CONTAINMENT_NESTED;
}

void stage_release(stage_t *s) {
  pm__spawner_release(&s->spawner);
}

static void on_exit_seen(pm__child_t *child) {
  ((stage_t *)child->data)->ended = true;
}

static void on_settled_seen(pm__child_t *child) {
  ((stage_t *)child->data)->settled = true;
}

int stage_start_argv(stage_t *s, const char *const *argv) {
  char *const candidates[] = {(char *)argv[0], NULL};
  pm__spawn_spec_t spec = s->spec;
  spec.argv = (char *const *)argv;
  if (!spec.candidates) spec.candidates = candidates;
  s->ended = s->settled = s->closed = false;
  s->child.data = s;
  s->output[0] = '\0';
  s->child.on_exit = on_exit_seen;
  s->child.on_settled = on_settled_seen;
  return pm__spawn(&s->spawner, &spec, &s->child, &s->why);
}

static void on_child_closed(pm__child_t *child) {
  ((stage_t *)child->data)->closed = true;
}

void stage_finish(stage_t *s) {
  size_t len = 0;
  ssize_t n;
  while (!s->ended && uv_run(&s->loop, UV_RUN_ONCE)) {
  }
  while ((n = read(s->child.out, s->output + len, sizeof(s->output) - 1 - len)) > 0)
    len += (size_t)n;
  s->output[len] = '\0';
  pm__child_reap(&s->child);
  while (s->child.keeper && !s->settled && uv_run(&s->loop, UV_RUN_ONCE)) {
  }
  pm__child_gone(&s->child);
  pm__child_close(&s->child, on_child_closed);
  if (s->child.in >= 0) close(s->child.in);
  close(s->child.out);
  close(s->child.err);
  while (!s->closed)
    uv_run(&s->loop, UV_RUN_ONCE);
}

int stage_run_argv(stage_t *s, const char *const *argv) {
  int r = stage_start_argv(s, argv);
  if (r == 0) stage_finish(s);
  return r;
}

void in_forked_process(const char *(*body)(void *arg), void *arg) {
  char text[256];
  int report[2];
  int status;
  fflush(NULL);
  assert_int_equal(pipe(report), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    close(report[0]);
    alarm(50);
    const char *wrong = body(arg);
    if (wrong && write(report[1], wrong, strlen(wrong)) < 0) _exit(2);
    _exit(wrong != NULL);
  }
  close(report[1]);
  ssize_t n = read(report[0], text, sizeof(text) - 1);
  close(report[0]);
  text[n > 0 ? n : 0] = '\0';
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s (status %d)", text, status);
}
