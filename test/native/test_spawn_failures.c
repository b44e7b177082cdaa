/* Commands that cannot be started: which step failed and why, and that nothing is left of the attempt. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pm_fixture.h"
#include "spawn_fixture.h"

static const char *make_file(const char *name, const char *content, mode_t mode) {
  static char path[512];
  snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
  unlink(path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(content, file);
  fclose(file);
  assert_int_equal(chmod(path, mode), 0);
  return path;
}

/* The attempt leaves no descriptor and no child, and the next one works. */
static void expect_failure_of(pm_containment_t containment, const char *const *argv, const char *working_dir, int err,
                              const char *syscall, const char *path) {
  stage_t s;
  stage_open(&s);
  s.spec.containment = pm__spawner_containment(&s.spawner, containment);
  assert_int_equal(stage_run(&s, PM_FIXTURES "/exit-with", "0"), 0);
  int before = count_descriptors();
  s.spec.working_dir = working_dir;
  assert_int_equal(stage_start_argv(&s, argv), err);
  assert_int_equal(s.why.err, err);
  assert_string_equal(s.why.syscall, syscall);
  if (path) assert_string_equal(s.why.path, path);
  uv_run(&s.loop, UV_RUN_NOWAIT);
  assert_int_equal(count_descriptors(), before);
  assert_no_child();
  s.spec.working_dir = NULL;
  assert_int_equal(stage_run(&s, PM_FIXTURES "/exit-with", "4"), 0);
  assert_int_equal(s.child.exit.code, 4);
  assert_true(stage_close(&s));
}

/* However it was to be contained. What a keeper would have left is the test's. */
static void expect_failure(const char *const *argv, const char *working_dir, int err, const char *syscall,
                           const char *path) {
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  for (int containment = PM_CONTAINMENT_TREE; containment <= PM_CONTAINMENT_NONE; containment++)
    expect_failure_of((pm_containment_t)containment, argv, working_dir, err, syscall, path);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static void expect_refused(const char *path, int err) {
  const char *const argv[] = {path, NULL};
  expect_failure(argv, NULL, err, "execve", path);
}

static void test_files(void **state) {
  (void)state;
  expect_refused("/no/such/file", UV_ENOENT);
  expect_refused("/dev/null/file", UV_ENOTDIR); /* a single candidate decides */
  expect_refused(scratch_dir, UV_EACCES);
  expect_refused(make_file("not executable", "#!/bin/sh\n", 0644), UV_EACCES);
  expect_refused(make_file("no format", "echo hello\n", 0755), -ENOEXEC);
  expect_refused(make_file("empty", "", 0755), -ENOEXEC);
  expect_refused(make_file("no interpreter", "#!/no/such/interpreter\n", 0755), UV_ENOENT);
}

static void test_working_directories(void **state) {
  (void)state;
  const char *const argv[] = {PM_FIXTURES "/say-ready", NULL};
  expect_failure(argv, "/no/such/directory", UV_ENOENT, "chdir", "/no/such/directory");
  const char *file = make_file("file", "", 0644);
  expect_failure(argv, file, UV_ENOTDIR, "chdir", file);
}

static void test_too_long(void **state) {
  (void)state;
  enum { SIZE = 200 * 1024 };
  char *arg = malloc(SIZE + 1);
  memset(arg, 'x', SIZE);
  arg[SIZE] = '\0';
  const char *const argv[] = {PM_FIXTURES "/say-ready", arg, NULL};
  expect_failure(argv, NULL, UV_E2BIG, "execve", PM_FIXTURES "/say-ready");
  free(arg);
}

/* ---- limits ---------------------------------------------------------------------------- */

static int lowest_free_descriptor(void) {
  int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

/* Descriptors run out at every place in turn. */
static const char *run_out_of_descriptors(void *arg) {
  struct rlimit limit;
  stage_t s;
  stage_open(&s);
  s.spec.containment = pm__spawner_containment(&s.spawner, *(pm_containment_t *)arg);
  /* What libuv opens once and keeps, and the poller's set. */
  if (stage_run(&s, PM_FIXTURES "/exit-with", "0") != 0) return "the first spawn fails";
  stage_release(&s);
  int before = count_descriptors();
  int failures = 0;
  int r = UV_EMFILE;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)lowest_free_descriptor();
  while (r != 0) {
    limit.rlim_cur++;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
    r = stage_start(&s, PM_FIXTURES "/exit-with", "6");
    if (r == 0) break;
    if (r != UV_EMFILE || s.why.err != r || !s.why.syscall) return "another error than EMFILE";
    if (++failures > 50) return "no end of failures";
    stage_release(&s); /* so that each starts from the same place */
    uv_run(&s.loop, UV_RUN_NOWAIT);
    limit.rlim_cur += 3; /* for the count itself */
    setrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur -= 3;
    if (count_descriptors() != before) return "descriptors are left behind";
  }
  stage_finish(&s);
  if (failures < 5) return "too few failures to be true";
  if (s.child.exit.code != 6) return "the command did not run";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static void test_no_descriptors(void **state) {
  (void)state;
  for (pm_containment_t containment = PM_CONTAINMENT_TREE; containment <= PM_CONTAINMENT_NONE; containment++)
    in_forked_process(run_out_of_descriptors, &containment);
}

/* How many processes a start needs, and a user of whom there are no others. */
typedef struct scarcity {
  pm_containment_t containment;
  unsigned needed;
  uid_t user;
} scarcity_t;

/* Processes run out at every clone in turn: what the ones before it have made is
 * gone again. */
static const char *run_out_of_processes_midway(void *arg) {
  const scarcity_t *scarcity = arg;
  stage_t s;
  stage_open(&s);
  s.spec.containment = pm__spawner_containment(&s.spawner, scarcity->containment);
  pm__poller_prepare(&s.poller);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (setgid(scarcity->user) != 0 || setuid(scarcity->user) != 0) return "setuid";
  int before = count_descriptors();
  for (unsigned left = 0; left <= scarcity->needed; left++) {
    struct rlimit limit = {1 + left, 1 + scarcity->needed};
    if (setrlimit(RLIMIT_NPROC, &limit) != 0) return "setrlimit";
    int r = stage_start(&s, "/bin/sh", "-c", "exit 6");
    if (left == scarcity->needed) {
      if (r != 0) return "it cannot be started although there is room";
      stage_finish(&s);
      break;
    }
    if (r != UV_EAGAIN) return r == 0 ? "a process could be started" : uv_strerror(r);
    if (strcmp(s.why.syscall, stage_is_clone(&s) ? "clone" : "fork") != 0) return s.why.syscall;
    if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD) return "a process is left behind";
    stage_release(&s);
    uv_run(&s.loop, UV_RUN_NOWAIT);
    if (stage_is_clone(&s) && count_descriptors() != before) return "descriptors are left behind";
  }
  if (s.child.exit.code != 6) return "the command did not run";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static const char *run_out_of_processes(void *arg) {
  const struct rlimit none = {0, 0};
  stage_t s;
  (void)arg;
  stage_open(&s);
  if (setrlimit(RLIMIT_NPROC, &none) != 0 || setgid(65534) != 0 || setuid(65534) != 0) return "setuid";
  pm__poller_prepare(&s.poller); /* what it opens stays until it is closed */
  int before = count_descriptors();
  /* /bin/sh: the fixtures may lie where this user cannot go. */
  int r = stage_start(&s, "/bin/sh", "-c", "exit 0");
  if (r == 0) return "a process could be started";
  if (r != UV_EAGAIN) return uv_strerror(r);
  if (strcmp(s.why.syscall, stage_is_clone(&s) ? "clone" : "fork") != 0) return s.why.syscall;
  stage_release(&s);
  uv_run(&s.loop, UV_RUN_NOWAIT);
  if (stage_is_clone(&s) && count_descriptors() != before) return "descriptors are left behind";
  return stage_close(&s) ? NULL : "the loop does not close";
}

static void test_no_processes(void **state) {
  (void)state;
  if (getuid() != 0) {
    print_message("left out: needs root, to become a user with a limit\n");
    skip();
  }
  in_forked_process(run_out_of_processes, NULL);
  stage_t s;
  stage_open(&s);
  bool can_be_kept = stage_is_kept(&s);
  assert_true(stage_close(&s));
  /* Users that nobody has; another for each, as the one before may be counted yet. */
  scarcity_t rows[] = {
      {PM_CONTAINMENT_GROUP, 1, 54321}, {PM_CONTAINMENT_TREE, 2, 54322}, {PM_CONTAINMENT_NESTED, 3, 54323}};
  for (int i = 0; i < (can_be_kept ? 3 : 1); i++)
    in_forked_process(run_out_of_processes_midway, &rows[i]);
}

/* ---- several candidates -------------------------------------------------------------------- */

static void test_candidates(void **state) {
  (void)state;
  char closed[512];
  snprintf(closed, sizeof(closed), "%s", make_file("closed", "#!/bin/sh\n", 0644));
  char bad[512];
  snprintf(bad, sizeof(bad), "%s", make_file("bad", "no format\n", 0755));
  static char missing[] = "/no/such/file";
  static char below_file[] = "/dev/null/file";
  static char good[] = PM_FIXTURES "/exit-with";
  const struct {
    char *candidates[4];
    int result;
    const char *path;
  } rows[] = {
      {{missing, below_file, closed, good}, 0, NULL},        {{missing, below_file, NULL}, UV_ENOENT, missing},
      {{missing, closed, missing, NULL}, UV_EACCES, closed}, {{scratch_dir, closed, NULL}, UV_EACCES, scratch_dir},
      {{missing, bad, good, NULL}, -ENOEXEC, bad},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char *candidates[5] = {rows[i].candidates[0], rows[i].candidates[1], rows[i].candidates[2], rows[i].candidates[3]};
    stage_t s;
    stage_open(&s);
    s.spec.candidates = candidates;
    assert_int_equal(stage_run(&s, "a name", "8"), rows[i].result);
    if (rows[i].path) assert_string_equal(s.why.path, rows[i].path);
    if (!rows[i].path) assert_int_equal(s.child.exit.code, 8);
    assert_true(stage_close(&s));
  }
  assert_no_child();
}

int main(void) {
  if (is_light("all of it: valgrind executes and limits descriptors in its own way")) return 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files),        cmocka_unit_test(test_working_directories),
      cmocka_unit_test(test_too_long),     cmocka_unit_test(test_no_descriptors),
      cmocka_unit_test(test_no_processes), cmocka_unit_test(test_candidates),
  };
  return cmocka_run_group_tests(tests, make_scratch_dir, remove_scratch_dir);
}
