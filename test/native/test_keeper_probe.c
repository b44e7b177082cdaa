/* Whether a keeper can work here: the program's own look, its arguments, and pm_keeper_open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/launch/keeper.h"
#include "keeper_fixture.h"
#include "pm_fixture.h"
#include "spawn_fixture.h"

enum { EXIT_USAGE = 64 };

/* ---- the program ------------------------------------------------------------------ */

/* Runs it with arguments, without what it needs. */
static int exit_of(pm__keeper_need_t without, const char *const *arguments) {
  char *argv[10] = {PM__KEEPER_NAME};
  char *const envp[] = {NULL};
  for (int i = 0; arguments[i]; i++)
    argv[i + 1] = (char *)arguments[i];
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    refuse_need(without);
    execve(PM_KEEPER, argv, envp);
    _exit(126);
  }
  int status = status_of(pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void test_probe(void **state) {
  (void)state;
  static const char *const arguments[] = {PM__KEEPER_PROBE, NULL};
  for (pm__keeper_need_t need = PM__KEEPER_NEEDS_NOTHING; need < PM__KEEPER_NEEDS_COUNT; need++)
    assert_int_equal(exit_of(need, arguments), need);
}

static void test_wrong_arguments(void **state) {
  (void)state;
  static const char *const wrong[][8] = {
      {NULL},
      {""},
      {"prob"},
      {"probes"},
      {PM__KEEPER_PROBE, "1"},
      {"1", "2", "3", "4"},
      {"1", "2", "3", "4", "5", "6"},
      {"1", "2", "3", "4", ""},
      {"1", "2", "3", "4", "5x"},
      {"1", "2", "3", "-4", "5"},
      {"x", "2", "3", "4", "5"},
      {"1", "2", " 3", "4", "5"},
  };
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    if (exit_of(PM__KEEPER_NEEDS_NOTHING, wrong[i]) != EXIT_USAGE) fail_msg("arguments %zu", i);
}

/* ---- pm_keeper_open ------------------------------------------------------------------- */

static void assert_refused(const char *path, int err, const char *syscall) {
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  int descriptors = count_descriptors();
  assert_int_equal(pm_keeper_open(path, &keeper, &error), err);
  assert_null(keeper);
  assert_int_equal(error.err, err);
  assert_string_equal(error.code, "ERR_KEEPER_UNAVAILABLE");
  assert_string_equal(error.syscall, syscall);
  assert_string_equal(error.kind, "Error");
  if (!strstr(error.message, syscall)) fail_msg("%s", error.message);
  assert_int_equal(count_descriptors(), descriptors);
  assert_no_child();
}

static const char *write_file(const char *name, const char *text, mode_t mode) {
  static char path[300];
  snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  assert_int_equal(fchmod(fd, mode), 0);
  close(fd);
  return path;
}

static void test_open(void **state) {
  (void)state;
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  int descriptors = count_descriptors();
  assert_int_equal(pm_keeper_open(PM_KEEPER, &keeper, &error), 0);
  assert_int_equal(count_descriptors(), descriptors + 1);
  assert_no_child();
  pm_keeper_unref(keeper);
  pm_keeper_unref(NULL);
  assert_int_equal(count_descriptors(), descriptors);
}

static void test_open_of_no_program(void **state) {
  (void)state;
  assert_refused("/no/such/file", UV_ENOENT, "open");
  assert_refused(scratch_dir, UV_EACCES, "execveat");
  assert_refused(write_file("closed", "x", 0600), UV_EACCES, "execveat");
  assert_refused(write_file("text", "no program\n", 0755), -ENOEXEC, "execveat");
  assert_refused(write_file("empty", "", 0755), -ENOEXEC, "execveat");
  /* Programs all right, but not this one. A script cannot be executed by a
   * descriptor that closes then. */
  assert_refused(PM_FIXTURES "/exit-with", UV_ENOTSUP, "execveat");
  assert_refused(write_file("script", "#!/bin/sh\nexit 0\n", 0755), UV_ENOENT, "execveat");
}

static void test_open_without_memory(void **state) {
  (void)state;
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  int descriptors = count_descriptors();
  alloc_fail_nth(1);
  assert_int_equal(pm_keeper_open(PM_KEEPER, &keeper, &error), UV_ENOMEM);
  alloc_fail_nth(0);
  assert_int_equal(count_descriptors(), descriptors);
  assert_no_child();
}

static const char *open_without(pm__keeper_need_t need, const char *syscall, int err) {
  static char text[1200];
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  refuse_need(need);
  int r = pm_keeper_open(PM_KEEPER, &keeper, &error);
  /* What may pass is told to who needs it. */
  if (r == 0) r = pm__keeper_ready(keeper, &error);
  pm_keeper_unref(keeper);
  if (r == err && strcmp(error.syscall, syscall) == 0 && strcmp(error.code, "ERR_KEEPER_UNAVAILABLE") == 0) return NULL;
  snprintf(text, sizeof(text), "%d instead of %d at %s: %s", r, err, syscall, r == 0 ? "" : error.message);
  return text;
}

static const char *without_subreaper(void *arg) {
  (void)arg;
  return open_without(PM__KEEPER_NEEDS_SUBREAPER, "prctl", UV_ENOTSUP);
}

static const char *without_signalfd(void *arg) {
  (void)arg;
  return open_without(PM__KEEPER_NEEDS_SIGNALFD, "signalfd", UV_ENOTSUP);
}

static const char *without_pidfd(void *arg) {
  (void)arg;
  return open_without(PM__KEEPER_NEEDS_PIDFD, "pidfd_open", UV_ENOTSUP);
}

/* The filter meets the opening of the file itself. */
static const char *without_open(void *arg) {
  (void)arg;
  return open_without(PM__KEEPER_NEEDS_PROC, "open", UV_EACCES);
}

static const char *without_execveat(void *arg) {
  (void)arg;
  refuse_call(SYS_execveat, -1, 0, EPERM);
  return open_without(PM__KEEPER_NEEDS_NOTHING, "execveat", UV_EPERM);
}

static const char *without_clone(void *arg) {
  (void)arg;
  refuse_call(SYS_clone, -1, 0, EAGAIN);
  return open_without(PM__KEEPER_NEEDS_NOTHING, "clone", UV_EAGAIN);
}

/* The kernel reaps for such a host, and nobody learns of exit codes. */
static const char *without_subreaper_or_status(void *arg) {
  signal(SIGCHLD, SIG_IGN);
  return without_subreaper(arg);
}

static const char *with_sigchld_ignored(void *arg) {
  (void)arg;
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  signal(SIGCHLD, SIG_IGN);
  if (pm_keeper_open(PM_KEEPER, &keeper, &error) != 0) return "it could not be opened";
  pm_keeper_unref(keeper);
  return NULL;
}

static void test_open_when_the_system_refuses(void **state) {
  (void)state;
  in_forked_process(without_subreaper, NULL);
  in_forked_process(without_signalfd, NULL);
  in_forked_process(without_pidfd, NULL);
  in_forked_process(without_open, NULL);
  in_forked_process(without_execveat, NULL);
  in_forked_process(without_clone, NULL);
  assert_no_child();
}

static void test_open_when_ends_are_ignored(void **state) {
  (void)state;
  in_forked_process(with_sigchld_ignored, NULL);
  in_forked_process(without_subreaper_or_status, NULL);
  assert_no_child();
}

int main(void) {
  const struct CMUnitTest of_program[] = {
      cmocka_unit_test(test_probe),
      cmocka_unit_test(test_wrong_arguments),
  };
  const struct CMUnitTest of_open[] = {
      cmocka_unit_test(test_open),
      cmocka_unit_test(test_open_of_no_program),
      cmocka_unit_test(test_open_without_memory),
      cmocka_unit_test(test_open_when_the_system_refuses),
      cmocka_unit_test(test_open_when_ends_are_ignored),
  };
  int failed = cmocka_run_group_tests(of_program, NULL, NULL);
  return failed ? failed : has_keeper() ? cmocka_run_group_tests(of_open, make_scratch_dir, remove_scratch_dir) : 0;
}
